// SPDX-License-Identifier: Apache-2.0
// schema_register.c - `strom schema register`, and `check`, which explains an incompatibility as a compiler
// explains an error: where, what, and what would be compatible.
#include "cli/schema.h"

// ---- register

static const struct args_flag register_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    SCHEMA_BODY_FLAGS,
};
static const struct args_spec register_spec = {
    .command = "strom schema register",
    .names_usage = "SUBJECT FILE",
    .summary = "register a schema as the next version of a subject",
    .text = "A schema that the subject has already is found, not registered again. One that is incompatible "
            "with what is "
            "there is refused: `strom schema check` says why.",
    .examples = "  strom schema register orders-value order.avsc\n"
                "  strom schema register orders-value order.proto --reference money.proto=money:1\n",
    .flags = register_flags,
    .flag_count = sizeof register_flags / sizeof *register_flags,
    .names_min = 2,
    .names_max = 2,
    .words = ARGS_WORDS_FILE,
    .is_json = true,
};

static int register_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *found = NULL;
    struct str body = {0};
    if (!run_start(&run, &register_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str subject = run.args->names[0];
    struct str path = path_of(&run, "/subjects/%S/versions?normalize=%s", subject,
                              args_given(run.args, "normalize") ? "true" : "false");
    if (schema_body(&run, run.args->names[1], &body) && registry_open(&run, &c) &&
        registry_get(&c, "cannot register the schema", "POST", path, body, &found)) {
        int64_t id = 0;
        int64_t version = 0;
        (void)json_value_i64(json_get(found, STR("id")), &id);
        (void)json_value_i64(json_get(found, STR("version")), &version);
        if (run.is_json) {
            buf_append_str(&run.out, json_text(&run, found, false));
            buf_u8(&run.out, '\n');
        } else {
            buf_printf(&run.out, STR_FMT ": version %lld, id %lld\n", STR_ARG(subject), (long long)version,
                       (long long)id);
        }
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_register_command = {
    .name = "register", .spec = &register_spec, .run = register_run};

// ---- check

static const struct args_flag check_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    SCHEMA_BODY_FLAGS,
    {"version", ARGS_TEXT, "N", NULL, 0, 0,
     "Compare with this version only; default: with all that its level names."},
};
static const struct args_spec check_spec = {
    .command = "strom schema check",
    .names_usage = "SUBJECT FILE",
    .summary = "tell whether a schema is compatible, and if not why",
    .text = "Registers nothing. Exits with 1 if the schema is not compatible.",
    .examples = "  strom schema check orders-value order.avsc\n",
    .flags = check_flags,
    .flag_count = sizeof check_flags / sizeof *check_flags,
    .names_min = 2,
    .names_max = 2,
    .words = ARGS_WORDS_FILE,
    .is_json = true,
};

// quoted takes what stands in quotes behind a label of the registry's messages: description:"..." or
// errorType:'...'.
static struct str quoted(struct str text, const char *label)
{
    struct str name = str_from_c(label);
    const char *at = memmem(text.ptr, text.len, name.ptr, name.len);
    if (at == NULL || at + name.len >= text.ptr + text.len) {
        return (struct str){0};
    }
    const char *from = at + name.len + 1;
    char quote = at[name.len];
    const char *end = text.ptr + text.len;
    const char *to = from;
    // The quote that ends it is followed by a comma or the closing brace.
    while (to < end && !(*to == quote && to + 1 < end && (to[1] == ',' || to[1] == '}'))) {
        to++;
    }
    return to < end ? (struct str){from, (size_t)(to - from)} : (struct str){0};
}

static void explain(struct run *run, const struct json_value *messages, struct str file)
{
    struct buf *out = &run->out;
    for (const struct json_value *v = messages->first; v != NULL; v = v->next) {
        struct str what = quoted(v->text, "description:");
        struct str kind = quoted(v->text, "errorType:");
        struct str hint = quoted(v->text, "hint:");
        if (what.ptr != NULL) {
            buf_append_str(out, file);
            buf_append_str(out, STR(": error: "));
            text_show(what, out);
            buf_printf(out, " [" STR_FMT "]\n", STR_ARG(kind));
        } else if (!str_has_prefix(v->text, STR("{oldSchema"))) {
            buf_append_str(out, STR("  "));
            text_show(v->text, out);
            buf_u8(out, '\n');
        } else if (str_has_prefix(v->text, STR("{oldSchemaVersion: "))) {
            buf_printf(out, "  note: compared with version " STR_FMT "\n", (int)v->text.len - 20,
                       v->text.ptr + 19);
        }
        if (hint.len > 0) {
            buf_append_str(out, STR("  help: "));
            text_show(hint, out);
            buf_u8(out, '\n');
        }
    }
}

static int check_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    struct json_value *found = NULL;
    struct str body = {0};
    if (!run_start(&run, &check_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str version = args_text(run.args, "version");
    const char *normalize = args_given(run.args, "normalize") ? "true" : "false";
    struct str path = version.ptr == NULL
                          ? path_of(&run, "/compatibility/subjects/%S/versions?verbose=true&normalize=%s",
                                    run.args->names[0], normalize)
                          : path_of(&run, "/compatibility/subjects/%S/versions/%S?verbose=true&normalize=%s",
                                    run.args->names[0], version, normalize);
    if (schema_body(&run, run.args->names[1], &body) && registry_open(&run, &c) &&
        registry_get(&c, "cannot check the schema", "POST", path, body, &found)) {
        const struct json_value *verdict = json_get(found, STR("is_compatible"));
        const struct json_value *messages = json_get(found, STR("messages"));
        bool is_compatible = verdict != NULL && verdict->type == JSON_TRUE;
        if (run.is_json) {
            buf_append_str(&run.out, json_text(&run, found, false));
            buf_u8(&run.out, '\n');
        } else if (is_compatible) {
            buf_printf(&run.out, STR_FMT " is compatible with " STR_FMT ".\n", STR_ARG(run.args->names[1]),
                       STR_ARG(run.args->names[0]));
        } else if (messages != NULL) {
            explain(&run, messages, run.args->names[1]);
        }
        run.exit = is_compatible ? run.exit : CLI_ERROR;
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_check_command = {.name = "check", .spec = &check_spec, .run = check_run};
