// SPDX-License-Identifier: Apache-2.0
// schema_infer.c - `strom schema infer`: a first draft of a schema from real records.
#include "cli/infer.h"
#include "cli/schema.h"
#include "platform/real/process.h"

enum { INFER_LINE_BYTES_MAX = 8 << 20, INFER_FILE_BYTES_MAX = 1 << 30, RECORD_ARENA_BYTES = 256 << 20 };

static const struct args_flag infer_flags[] = {
    {"type", ARGS_CHOICE, "avro|json", "json", 0, 0, "What to draft."},
    {"name", ARGS_TEXT, "NAME", "Record", 0, 0, "The record's name, or the schema's title."},
};
static const struct args_spec infer_spec = {
    .command = "strom schema infer",
    .names_usage = "FILE",
    .summary = "draft a schema from real records",
    .text = "Reads JSON documents, one in each line, from FILE (- = standard input) and prints a schema that "
            "all of them "
            "meet. It is a draft: look at it before you register it.",
    .examples = "  strom consume quakes --exit | strom schema infer - --type avro "
                "--name Quake\n",
    .flags = infer_flags,
    .flag_count = sizeof infer_flags / sizeof *infer_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
};

struct drafting {
    struct run *run;
    struct shape *shape;
    struct arena record;
    size_t line;
    size_t records;
};

// error_drop takes a beginning off: a document that is one line is always at its first.
static void error_drop(struct error *e, const char *beginning)
{
    size_t len = strlen(beginning);
    if (strncmp(e->text, beginning, len) == 0) {
        memmove(e->text, e->text + len, strlen(e->text) - len + 1);
    }
}

static bool draft_line(struct drafting *d, struct str line)
{
    struct error e = {0};
    struct json_value *record = NULL;
    d->line++;
    if (str_trim(line).len == 0) {
        return true;
    }
    arena_reset(&d->record);
    enum err err = json_parse(line, &d->record, &record, &e);
    if (err == ERR_OK && !infer_record(d->shape, record)) {
        err =
            FAIL(&e, ERR_NO_MEMORY, "nested too deeply, or more than %d different fields", INFER_FIELDS_MAX);
    }
    if (err != ERR_OK) {
        struct str file = file_shown(d->run->args->names[0]);
        error_drop(&e, "line 1, ");
        run_fail(d->run, run_print(d->run, STR_FMT ":%zu", STR_ARG(file), d->line).ptr, err, &e, NULL);
    }
    d->records++;
    return err == ERR_OK;
}

static bool draft_stdin(struct drafting *d)
{
    struct process_lines *lines = process_lines_open(PROCESS_STDIN, INFER_LINE_BYTES_MAX);
    struct error e = {0};
    struct str line;
    bool is_good = true;
    enum err err;
    while (is_good && (err = process_lines_next(lines, &line, &e)) != ERR_CLOSED) {
        is_good = err == ERR_OK && draft_line(d, line);
        if (err != ERR_OK) {
            run_fail(d->run, "cannot read standard input", err, &e, NULL);
        }
    }
    process_lines_close(lines);
    return is_good;
}

static bool draft_file(struct drafting *d, struct str path)
{
    struct error e = {0};
    struct buf text;
    buf_init(&text, INFER_FILE_BYTES_MAX);
    enum err err = process_file_read(path, &text, &e);
    bool is_good = err == ERR_OK;
    if (!is_good) {
        run_fail(d->run, run_print(d->run, "cannot read " STR_FMT, STR_ARG(path)).ptr, err, &e, NULL);
    }
    struct str rest = buf_str(&text);
    while (is_good && rest.len > 0) {
        struct str line = str_cut(rest, '\n', &rest);
        is_good = draft_line(d, line);
    }
    buf_fini(&text);
    return is_good;
}

static void draft_print(struct drafting *d)
{
    struct run *run = d->run;
    struct error e = {0};
    struct buf out;
    struct str path = {0};
    struct json_value *value = NULL;
    bool is_avro = str_equal(args_text(run->args, "type"), STR("avro"));
    buf_init(&out, SCHEMA_FILE_BYTES_MAX);
    bool is_good = true;
    if (is_avro) {
        is_good = infer_avro(d->shape, args_text(run->args, "name"), &out, &path);
    } else {
        infer_json_schema(d->shape, args_text(run->args, "name"), &out);
    }
    if (!is_good) {
        run_fail(run, NULL,
                 FAIL(&e, ERR_INVALID_SCHEMA, "Avro has no type for what is at " STR_FMT " of these records",
                      STR_ARG(path)),
                 &e, "draft a JSON Schema with --type json");
    } else if (json_parse(buf_str(&out), &run->arena, &value, &e) == ERR_OK) {
        buf_append_str(&run->out, json_text(run, value, true));
        buf_u8(&run->out, '\n');
    }
    buf_fini(&out);
}

static int infer_run(int argc, char **argv)
{
    struct run run;
    if (!run_start(&run, &infer_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct drafting d = {.run = &run, .shape = infer_new(&run.arena)};
    arena_init(&d.record, RECORD_ARENA_BYTES);
    struct str file = run.args->names[0];
    bool is_read = is_stdin(file) ? draft_stdin(&d) : draft_file(&d, file);
    if (is_read && d.records == 0) {
        struct error e = {0};
        run_fail(&run, NULL, FAIL(&e, ERR_MALFORMED, "there is no record to draft from"), &e, NULL);
    } else if (is_read) {
        draft_print(&d);
    }
    arena_fini(&d.record);
    return run_finish(&run);
}

const struct cli_command schema_infer_command = {.name = "infer", .spec = &infer_spec, .run = infer_run};
