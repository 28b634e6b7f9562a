// SPDX-License-Identifier: Apache-2.0
// schema_import.c - `strom schema import`: another registry's schemas with their ids and versions. What is
// there already is left as it is, so that an import which was interrupted goes on by being started again.
#include <stdlib.h>

#include "cli/schema.h"
#include "cli/topic_dump.h"
#include "platform/real/process.h"

enum { IMPORT_PAGE = 500, PROGRESS_EVERY = 100, DUMP_BYTES_MAX = 1 << 30 };

static const struct args_flag import_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"from", ARGS_TEXT, "URL", NULL, 0, 0, "The registry to copy from."},
    {"from-file", ARGS_TEXT, "FILE", NULL, 0, 0,
     "A _schemas topic as kafka-console-consumer prints it with print.key=true: key, tab, value in each "
     "line."},
    {"force", ARGS_SWITCH, NULL, NULL, 0, 0, "Also where there are schemas already."},
};
static const struct args_spec import_spec = {
    .command = "strom schema import",
    .names_usage = "",
    .summary = "copy another registry with its ids",
    .text = "Sets this registry to mode IMPORT, copies every subject and version of the other one with its "
            "id, then its "
            "compatibility, and goes back to the mode before. Started again it goes on where it was.",
    .examples = "  strom schema import --from http://old-registry:8081\n"
                "  strom schema import --from-file schemas.txt\n",
    .flags = import_flags,
    .flag_count = sizeof import_flags / sizeof *import_flags,
    .is_json = true,
};

struct import {
    struct run *run;
    struct registry_client from;
    struct registry_client to;
    const struct json_value **schemas; // in the order of their ids, so that what is referred to comes first
    size_t count;
    size_t copied;
    size_t failed;
};

static int64_t number_of(const struct json_value *v, const char *name)
{
    int64_t number = 0;
    (void)json_value_i64(json_get(v, str_from_c(name)), &number);
    return number;
}

static int import_order(const void *left, const void *right)
{
    const struct json_value *a = *(const struct json_value *const *)left;
    const struct json_value *b = *(const struct json_value *const *)right;
    int64_t by_id = number_of(a, "id") - number_of(b, "id");
    int64_t by_version = number_of(a, "version") - number_of(b, "version");
    int64_t order = by_id != 0 ? by_id : by_version;
    return (order > 0) - (order < 0);
}

static bool fetch_all(struct import *m)
{
    struct run *run = m->run;
    struct json_value *all = json_new(&run->arena, JSON_ARRAY);
    for (int offset = 0;; offset += IMPORT_PAGE) {
        struct json_value *page = NULL;
        struct str path = path_of(run, "/schemas?subjectPrefix=%S&offset=%d&limit=%d", STR(":*:"), offset,
                                  (int)IMPORT_PAGE);
        if (!registry_get(&m->from, "cannot read the other registry", "GET", path, (struct str){0}, &page)) {
            return false;
        }
        uint32_t count = page == NULL ? 0 : page->count;
        for (struct json_value *v = count == 0 ? NULL : page->first; v != NULL;) {
            struct json_value *next = v->next;
            v->next = NULL;
            json_append(all, v);
            v = next;
        }
        if (count < IMPORT_PAGE) {
            break;
        }
    }
    m->schemas = run_room(run, all->count, sizeof *m->schemas);
    if (m->schemas == NULL) {
        return false;
    }
    for (const struct json_value *v = all->first; v != NULL; v = v->next) {
        m->schemas[m->count++] = v;
    }
    if (m->count > 1) {
        qsort(m->schemas, m->count, sizeof *m->schemas, import_order);
    }
    return true;
}

static bool copy_one(struct import *m, const struct json_value *schema)
{
    static const char *const members[] = {"id",         "version",  "schemaType", "schema",
                                          "references", "metadata", "ruleSet"};
    struct run *run = m->run;
    struct str subject = json_get_str(schema, STR("subject"));
    struct json_value *body = json_new(&run->arena, JSON_OBJECT);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct json_value *value = json_get(schema, str_from_c(members[i]));
        if (value != NULL) {
            struct json_value *copy = json_new(&run->arena, value->type);
            *copy = *value;
            copy->next = NULL;
            json_append(body, copy);
        }
    }
    int status = 0;
    struct json_value *answer = NULL;
    struct str path = path_of(run, "/subjects/%S/versions", subject);
    if (!registry_ask(&m->to, "POST", path, json_text(run, body, false), &status, &answer)) {
        return false;
    }
    if (status >= 300) {
        m->failed++;
        registry_said(
            &m->to,
            run_print(run, STR_FMT " version %lld", STR_ARG(subject), (long long)number_of(schema, "version"))
                .ptr,
            status, answer);
        return true;
    }
    m->copied++;
    if (!run->is_json && m->copied % PROGRESS_EVERY == 0) {
        run_note("%zu of %zu", m->copied, m->count);
    }
    return true;
}

static bool copy_all(struct import *m)
{
    struct run *run = m->run;
    struct json_value *mode = NULL;
    struct json_value *answer = NULL;
    struct str path = path_of(run, "/mode?force=%s", args_given(run->args, "force") ? "true" : "false");
    if (!registry_get(&m->to, "cannot read the mode", "GET", STR("/mode"), (struct str){0}, &mode) ||
        !registry_get(&m->to, "cannot go to mode IMPORT", "PUT", path, STR("{\"mode\":\"IMPORT\"}"),
                      &answer)) {
        return false;
    }
    bool is_whole = true;
    for (size_t i = 0; is_whole && i < m->count; i++) {
        is_whole = copy_one(m, m->schemas[i]);
    }
    struct str before = json_get_str(mode, STR("mode"));
    struct str body = run_print(run, "{\"mode\":\"" STR_FMT "\"}",
                                STR_ARG(str_equal(before, STR("IMPORT")) ? STR("READWRITE") : before));
    return registry_get(&m->to, "cannot go back to the mode before", "PUT", STR("/mode"), body, &answer) &&
           is_whole;
}

static void copy_config(struct import *m)
{
    struct json_value *config = NULL;
    struct json_value *answer = NULL;
    if (!registry_get(&m->from, "cannot read the other registry's config", "GET", STR("/config"),
                      (struct str){0}, &config)) {
        return;
    }
    struct str level = json_get_str(config, STR("compatibilityLevel"));
    if (level.ptr != NULL) {
        struct str body = run_print(m->run, "{\"compatibility\":\"" STR_FMT "\"}", STR_ARG(level));
        (void)registry_get(&m->to, "cannot set the config", "PUT", STR("/config"), body, &answer);
    }
}

static void import_report(struct import *m)
{
    struct run *run = m->run;
    if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_i64(&run->json, "copied", (int64_t)m->copied);
        json_pair_i64(&run->json, "failed", (int64_t)m->failed);
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    } else {
        buf_printf(&run->out, "%zu versions are here, %zu could not be copied.\n", m->copied, m->failed);
    }
}

// ---- from a file

static void dump_configs(struct import *m, const struct topic_dump *dump)
{
    for (size_t i = 0; i < dump->config_count; i++) {
        const struct dumped_config *config = &dump->configs[i];
        struct json_value *answer = NULL;
        struct str path =
            config->subject.ptr == NULL ? STR("/config") : path_of(m->run, "/config/%S", config->subject);
        struct str body = run_print(m->run, "{\"compatibility\":\"" STR_FMT "\"}", STR_ARG(config->level));
        (void)registry_get(&m->to, "cannot set the config", "PUT", path, body, &answer);
    }
}

// dump_deletions deletes again, softly, what the file says is deleted: it was copied first, with its id.
static void dump_deletions(struct import *m, const struct topic_dump *dump)
{
    for (size_t i = 0; i < dump->schema_count; i++) {
        const struct json_value *schema = dump->schemas[i].value;
        struct json_value *answer = NULL;
        int status = 0;
        if (dump->schemas[i].is_deleted) {
            struct str path =
                path_of(m->run, "/subjects/%S/versions/%d", json_get_str(schema, STR("subject")),
                        (int)number_of(schema, "version"));
            if (!registry_ask(&m->to, "DELETE", path, (struct str){0}, &status, &answer)) {
                return;
            }
        }
    }
}

static void import_file(struct import *m, struct str path)
{
    struct error e = {0};
    struct buf text;
    struct topic_dump dump = {0};
    buf_init(&text, DUMP_BYTES_MAX);
    enum err err = process_file_read(path, &text, &e);
    err = err == ERR_OK ? topic_dump_read(buf_str(&text), &m->run->arena, &dump, &e) : err;
    if (err != ERR_OK) {
        run_fail(m->run, run_print(m->run, "cannot read " STR_FMT, STR_ARG(path)).ptr, err, &e, NULL);
    } else if ((m->schemas = run_room(m->run, dump.schema_count, sizeof *m->schemas)) != NULL) {
        for (size_t i = 0; i < dump.schema_count; i++) {
            m->schemas[m->count++] = dump.schemas[i].value;
        }
        if (copy_all(m)) {
            dump_deletions(m, &dump);
            dump_configs(m, &dump);
            import_report(m);
        }
    }
    buf_fini(&text);
}

static int import_run(int argc, char **argv)
{
    struct run run;
    struct import m = {.run = &run};
    if (!run_start(&run, &import_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str from = args_text(run.args, "from");
    struct str file = args_text(run.args, "from-file");
    if ((from.ptr == NULL) == (file.ptr == NULL)) {
        run_usage(&run, "copy from where? give --from http://host:port or --from-file FILE");
    } else if (file.ptr != NULL) {
        if (registry_open(&run, &m.to)) {
            import_file(&m, file);
        }
    } else if (registry_open_url(&run, from, &m.from) && registry_open(&run, &m.to) && fetch_all(&m) &&
               copy_all(&m)) {
        copy_config(&m);
        import_report(&m);
    }
    registry_close(&m.from);
    registry_close(&m.to);
    return run_finish(&run);
}

const struct cli_command schema_import_command = {.name = "import", .spec = &import_spec, .run = import_run};
