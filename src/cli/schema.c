// SPDX-License-Identifier: Apache-2.0
// schema.c - `strom schema`: the noun, and the verbs that show and delete what a registry has.
#include "cli/schema.h"

enum { LIST_PAGE = 1000 };

// ---- list

static const struct args_flag list_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"deleted", ARGS_SWITCH, NULL, NULL, 0, 0, "Show what was deleted softly, too."},
    {"versions", ARGS_SWITCH, NULL, NULL, 0, 0, "Show every version, not only the latest of each subject."},
};
static const struct args_spec list_spec = {
    .command = "strom schema list",
    .names_usage = "[PREFIX]",
    .summary = "show subjects and their schemas",
    .text = "Shows the subjects whose names begin with PREFIX, in every context: version, id and type.",
    .examples = "  strom schema list\n  strom schema list orders --versions --json\n",
    .flags = list_flags,
    .flag_count = sizeof list_flags / sizeof *list_flags,
    .names_max = 1,
    .is_json = true,
};

static void list_row(struct run *run, struct table *t, const struct json_value *v)
{
    int64_t version = 0;
    int64_t id = 0;
    struct str type = json_get_str(v, STR("schemaType"));
    bool is_deleted = json_get(v, STR("deleted")) != NULL && json_get(v, STR("deleted"))->type == JSON_TRUE;
    (void)json_value_i64(json_get(v, STR("version")), &version);
    (void)json_value_i64(json_get(v, STR("id")), &id);
    type = type.ptr == NULL ? STR("AVRO") : type;
    if (!run->is_json) {
        table_str(t, json_get_str(v, STR("subject")));
        table_i64(t, version);
        table_i64(t, id);
        table_str(t, is_deleted ? run_print(run, STR_FMT " (deleted)", STR_ARG(type)) : type);
        return;
    }
    struct json *j = &run->json;
    json_object_begin(j);
    json_pair_str(j, "subject", json_get_str(v, STR("subject")));
    json_pair_i64(j, "version", version);
    json_pair_i64(j, "id", id);
    json_pair_str(j, "type", type);
    json_pair_bool(j, "deleted", is_deleted);
    json_object_end(j);
}

static bool list_pages(struct registry_client *c, struct table *t)
{
    struct run *run = c->run;
    struct str prefix = run->args->name_count > 0 ? run->args->names[0] : STR("");
    prefix = prefix.len > 0 && prefix.ptr[0] == ':' ? prefix : run_print(run, ":*:" STR_FMT, STR_ARG(prefix));
    for (int offset = 0;; offset += LIST_PAGE) {
        struct json_value *page = NULL;
        struct str path =
            path_of(run, "/schemas?subjectPrefix=%S&latestOnly=%s&deleted=%s&offset=%d&limit=%d", prefix,
                    args_given(run->args, "versions") ? "false" : "true",
                    args_given(run->args, "deleted") ? "true" : "false", offset, (int)LIST_PAGE);
        if (!registry_get(c, "cannot list schemas", "GET", path, (struct str){0}, &page)) {
            return false;
        }
        for (const struct json_value *v = page == NULL ? NULL : page->first; v != NULL; v = v->next) {
            list_row(run, t, v);
        }
        if (page == NULL || page->count < LIST_PAGE) {
            return true;
        }
    }
}

static void list_none(struct run *run)
{
    if (run->args->name_count > 0) {
        run_note("No subject begins with " STR_FMT ".", STR_ARG(run->args->names[0]));
    } else {
        run_note("No schema is registered.");
    }
}

static int list_run(int argc, char **argv)
{
    static const struct table_column columns[] = {
        {"SUBJECT", false}, {"VERSION", true}, {"ID", true}, {"TYPE", false}};
    struct run run;
    struct registry_client c = {0};
    struct table t;
    table_init(&t, columns, sizeof columns / sizeof *columns);
    if (run_start(&run, &list_spec, argc, argv) && registry_open(&run, &c)) {
        if (run.is_json) {
            json_array_begin(&run.json);
        }
        bool is_whole = list_pages(&c, &t);
        if (run.is_json) {
            json_array_end(&run.json);
            buf_u8(&run.out, '\n');
        } else if (is_whole && t.cell_count == 0) {
            list_none(&run);
        } else if (is_whole) {
            table_print(&t, &run.out);
        }
    }
    table_fini(&t);
    registry_close(&c);
    return run_finish(&run);
}

static const struct cli_command list_command = {.name = "list", .spec = &list_spec, .run = list_run};

// ---- get

static const struct args_flag get_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"version", ARGS_TEXT, "N", "latest", 0, 0, "Which version of the subject."},
    {"id", ARGS_INT, "ID", NULL, 1, INT32_MAX, "The schema with this id instead of a subject's."},
    {"raw", ARGS_SWITCH, NULL, NULL, 0, 0, "The text as the registry keeps it, not laid out for reading."},
};
static const struct args_spec get_spec = {
    .command = "strom schema get",
    .names_usage = "[SUBJECT]",
    .summary = "show one schema",
    .text = "Prints the text of a schema. With --json all that the registry knows of it: id, references, "
            "rules, metadata.",
    .examples = "  strom schema get orders-value\n  strom schema get --id 7 --json\n",
    .flags = get_flags,
    .flag_count = sizeof get_flags / sizeof *get_flags,
    .names_max = 1,
    .is_json = true,
};

static void get_print(struct run *run, const struct json_value *found)
{
    if (run->is_json) {
        buf_append_str(&run->out, json_text(run, found, false));
        buf_u8(&run->out, '\n');
    } else if (args_given(run->args, "raw")) {
        buf_append_str(&run->out, json_get_str(found, STR("schema")));
    } else {
        buf_append_str(&run->out, schema_text(run, found));
    }
}

static int get_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *found = NULL;
    if (!run_start(&run, &get_spec, argc, argv)) {
        return run_finish(&run);
    }
    bool has_id = args_given(run.args, "id");
    if (has_id == (run.args->name_count > 0)) {
        run_usage(&run, "which schema? give a SUBJECT or --id");
    } else if (registry_open(&run, &c)) {
        struct str path = has_id ? path_of(&run, "/schemas/ids/%d", (int)args_int(run.args, "id"))
                                 : path_of(&run, "/subjects/%S/versions/%S", run.args->names[0],
                                           args_text(run.args, "version"));
        if (registry_get(&c, "cannot get the schema", "GET", path, (struct str){0}, &found)) {
            get_print(&run, found);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

static const struct cli_command get_command = {.name = "get", .spec = &get_spec, .run = get_run};

// ---- delete

static const struct args_flag delete_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"version", ARGS_TEXT, "N", NULL, 0, 0, "Only this version; default the whole subject."},
    {"permanent", ARGS_SWITCH, NULL, NULL, 0, 0,
     "For good: data written with it can no longer be read by its id. It must have been deleted before."},
    RUN_YES_FLAG,
};
static const struct args_spec delete_spec = {
    .command = "strom schema delete",
    .names_usage = "SUBJECT",
    .summary = "delete a subject or a version",
    .text = "Deletes softly: nothing new is written with it, and what was written can still be read. What "
            "other schemas "
            "refer to cannot be deleted.",
    .examples = "  strom schema delete orders-value --version 2\n"
                "  strom schema delete orders-value --permanent --yes\n",
    .flags = delete_flags,
    .flag_count = sizeof delete_flags / sizeof *delete_flags,
    .names_min = 1,
    .names_max = 1,
    .is_json = true,
};

static void delete_print(struct run *run, const struct json_value *gone)
{
    struct buf *out = &run->out;
    bool is_list = gone != NULL && gone->type == JSON_ARRAY;
    buf_printf(out, "Deleted version%s ", is_list && gone->count != 1 ? "s" : "");
    if (!is_list && gone != NULL) {
        text_show(json_text(run, gone, false), out);
    }
    for (const struct json_value *v = is_list ? gone->first : NULL; v != NULL; v = v->next) {
        text_show(json_text(run, v, false), out);
        buf_append_str(out, v->next == NULL ? STR("") : STR(", "));
    }
    buf_append_str(out, STR(" of "));
    text_show(run->args->names[0], out);
    buf_append_str(out, args_given(run->args, "permanent") ? STR(" for good.\n")
                                                           : STR(" softly: still readable by id.\n"));
}

static int delete_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *gone = NULL;
    if (!run_start(&run, &delete_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str version = args_text(run.args, "version");
    bool is_permanent = args_given(run.args, "permanent");
    struct str subject = run.args->names[0];
    const char *permanent = is_permanent ? "true" : "false";
    struct str path = version.ptr == NULL ? path_of(&run, "/subjects/%S?permanent=%s", subject, permanent)
                                          : path_of(&run, "/subjects/%S/versions/%S?permanent=%s", subject,
                                                    version, permanent);
    bool is_sure = !is_permanent || run_confirm(&run, "Delete it for good?");
    if (is_sure && registry_open(&run, &c) &&
        registry_get(&c, "cannot delete", "DELETE", path, (struct str){0}, &gone)) {
        if (run.is_json) {
            buf_append_str(&run.out, json_text(&run, gone, false));
            buf_u8(&run.out, '\n');
        } else {
            delete_print(&run, gone);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

static const struct cli_command delete_command = {.name = "delete", .spec = &delete_spec, .run = delete_run};

// ---- the noun

static const struct cli_command *const verbs[] = {&list_command,          &get_command,
                                                  &schema_diff_command,   &schema_register_command,
                                                  &schema_check_command,  &schema_validate_command,
                                                  &delete_command,        &schema_config_command,
                                                  &schema_mode_command,   &schema_infer_command,
                                                  &schema_import_command, NULL};
const struct cli_command schema_command = {
    .name = "schema",
    .summary = "schemas and their compatibility: list, get, diff, register, check, validate, infer, delete, "
               "config, mode, import",
    .verbs = verbs,
};
