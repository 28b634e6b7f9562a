// SPDX-License-Identifier: Apache-2.0
// schema_import.c - `strom schema import`: another registry's schemas with their ids and versions. What is
// there already is left as it is, so that an import which was interrupted goes on by being started again.
#include "cli/schema_import.h"

#include <stdlib.h>

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
            "id, goes back to the mode before, then copies the configs of the registry, its contexts and "
            "subjects, the modes of contexts and subjects, and which topics subjects belong to. "
            "Started again after an interruption it goes on where it was. What was deleted softly "
            "comes, too, and is deleted again, so that data written with it can still be read.",
    .examples = "  strom schema import --from http://old-registry:8081\n"
                "  strom schema import --from-file schemas.txt\n",
    .flags = import_flags,
    .flag_count = sizeof import_flags / sizeof *import_flags,
    .is_json = true,
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
    return order != 0 ? (order > 0) - (order < 0) : import_subject_order(left, right);
}

static bool rooms_make(struct import *m, size_t count)
{
    m->schemas = run_room(m->run, count, sizeof *m->schemas);
    m->is_deleted = m->schemas == NULL ? NULL : run_room(m->run, count, sizeof *m->is_deleted);
    return m->is_deleted != NULL;
}

// fetch gets every version that is live, or also those that were deleted softly.
static bool fetch(struct import *m, bool also_deleted, const struct json_value ***ret, size_t *ret_count)
{
    struct run *run = m->run;
    struct json_value *all = json_new(&run->arena, JSON_ARRAY);
    for (int offset = 0;; offset += IMPORT_PAGE) {
        struct json_value *page = NULL;
        struct str path = path_of(run, "/schemas?subjectPrefix=%S&deleted=%s&offset=%d&limit=%d", STR(":*:"),
                                  also_deleted ? "true" : "false", offset, (int)IMPORT_PAGE);
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
    const struct json_value **list = run_room(run, all->count, sizeof *list);
    size_t count = 0;
    for (const struct json_value *v = list == NULL ? NULL : all->first; v != NULL; v = v->next) {
        list[count++] = v;
    }
    *ret = list;
    *ret_count = count;
    return list != NULL;
}

// fetch_all asks twice, since not every registry marks what is deleted.
static bool fetch_all(struct import *m)
{
    const struct json_value **all = NULL;
    const struct json_value **live = NULL;
    size_t count = 0;
    size_t live_count = 0;
    if (!fetch(m, true, &all, &count) || !fetch(m, false, &live, &live_count) || !rooms_make(m, count)) {
        return false;
    }
    if (live_count > 1) {
        qsort(live, live_count, sizeof *live, import_order);
    }
    if (count > 1) {
        qsort(all, count, sizeof *all, import_order);
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < live_count && import_order(&live[at], &all[i]) < 0) {
            at++;
        }
        m->schemas[i] = all[i];
        m->is_deleted[i] = at == live_count || import_order(&live[at], &all[i]) != 0;
    }
    m->count = count;
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

// ---- the mode meanwhile

static struct str context_of(struct str subject)
{
    struct str rest;
    if (subject.len < 2 || subject.ptr[0] != ':' || subject.ptr[1] != '.') {
        return STR("");
    }
    struct str name = str_cut((struct str){subject.ptr + 1, subject.len - 1}, ':', &rest);
    return rest.ptr == NULL || name.len == 1 ? STR("") : (struct str){subject.ptr, name.len + 2};
}

static bool scopes_find(struct import *m)
{
    m->scopes = run_room(m->run, m->count + 1, sizeof *m->scopes);
    if (m->scopes == NULL) {
        return false;
    }
    m->scopes[m->scope_count++] = (struct scope){.context = STR("")};
    for (size_t i = 0; i < m->count; i++) {
        struct str context = context_of(json_get_str(m->schemas[i], STR("subject")));
        size_t at = 0;
        while (at < m->scope_count && !str_equal(m->scopes[at].context, context)) {
            at++;
        }
        if (at == m->scope_count) {
            m->scopes[m->scope_count++] = (struct scope){.context = context};
        }
    }
    return true;
}

static bool mode_begin(struct import *m, struct scope *scope)
{
    struct run *run = m->run;
    struct json_value *answer = NULL;
    int status = 0;
    bool is_forced = args_given(run->args, "force");
    struct str path = import_scope_path(m, "mode", scope->context);
    if (!registry_ask(&m->to, "GET", path, (struct str){0}, &status, &answer)) {
        return false;
    }
    scope->before = status < 300 ? json_get_str(answer, STR("mode")) : (struct str){0};
    if (str_equal(scope->before, STR("IMPORT"))) { // an import was interrupted
        scope->before = scope->context.len == 0 ? STR("READWRITE") : (struct str){0};
    }
    path = run_print(run, STR_FMT "?force=%s", STR_ARG(path), is_forced ? "true" : "false");
    if (!registry_get(&m->to, "cannot go to mode IMPORT", "PUT", path, STR("{\"mode\":\"IMPORT\"}"),
                      &answer)) {
        if (run->exit == CLI_ERROR && !is_forced) {
            run_note("  hint: --force adds to what is here; what has the same id must be the same");
        }
        return false;
    }
    return true;
}

static bool mode_end(struct import *m, const struct scope *scope)
{
    struct json_value *answer = NULL;
    const char *what = "cannot go back to the mode before";
    struct str path = import_scope_path(m, "mode", scope->context);
    if (scope->before.ptr == NULL) {
        return registry_get(&m->to, what, "DELETE", path, (struct str){0}, &answer);
    }
    struct str body = run_print(m->run, "{\"mode\":\"" STR_FMT "\"}", STR_ARG(scope->before));
    return registry_get(&m->to, what, "PUT", path, body, &answer);
}

// deletions_copy deletes softly what is deleted there: it was copied first, with its id. What refers to
// others goes before them.
static bool deletions_copy(struct import *m)
{
    for (size_t i = m->count; i-- > 0;) {
        struct json_value *answer = NULL;
        int status = 0;
        struct str subject = json_get_str(m->schemas[i], STR("subject"));
        struct str path =
            path_of(m->run, "/subjects/%S/versions/%d", subject, (int)number_of(m->schemas[i], "version"));
        if (!m->is_deleted[i]) {
            continue;
        }
        if (!registry_ask(&m->to, "DELETE", path, (struct str){0}, &status, &answer)) {
            return false;
        }
        if (status >= 300 && status != 404) { // 404: it could not be copied, or is deleted already
            registry_said(&m->to,
                          run_print(m->run, "cannot delete a version of " STR_FMT, STR_ARG(subject)).ptr,
                          status, answer);
        }
    }
    return true;
}

static bool copy_all(struct import *m)
{
    size_t begun = 0;
    bool is_whole = scopes_find(m);
    while (is_whole && begun < m->scope_count) {
        is_whole = mode_begin(m, &m->scopes[begun]);
        begun += is_whole;
    }
    for (size_t i = 0; is_whole && i < m->count; i++) {
        is_whole = copy_one(m, m->schemas[i]);
    }
    is_whole = is_whole && deletions_copy(m);
    for (size_t i = 0; i < begun; i++) {
        is_whole = mode_end(m, &m->scopes[i]) && is_whole;
    }
    return is_whole;
}

// ---- the end

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
    } else if (rooms_make(m, dump.schema_count)) {
        for (size_t i = 0; i < dump.schema_count; i++) {
            m->schemas[m->count] = dump.schemas[i].value;
            m->is_deleted[m->count++] = dump.schemas[i].is_deleted;
        }
        if (copy_all(m)) {
            import_settings_dumped(m, &dump);
            import_report(m);
        }
    }
    buf_fini(&text);
}

static int import_end(struct import *m)
{
    registry_close(&m->from);
    registry_close(&m->to);
    return run_finish(m->run);
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
    } else if (registry_open_url(&run, from, &m.from)) {
        m.from.is_other = true;
        if (registry_open(&run, &m.to) && fetch_all(&m) && copy_all(&m)) {
            import_settings(&m);
            import_report(&m);
        }
    }
    return import_end(&m);
}

const struct cli_command schema_import_command = {.name = "import", .spec = &import_spec, .run = import_run};
