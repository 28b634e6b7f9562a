// SPDX-License-Identifier: Apache-2.0
// schema_validate.c - `strom schema validate`: each line of a file, a JSON document, against a subject's JSON
// Schema. The check is the broker's own code.
#include "base/mem.h"
#include "cli/schema.h"
#include "format/program.h"
#include "platform/real/process.h"

enum { FILE_BYTES_MAX = 1 << 30, LINE_BYTES_MAX = 8 << 20, FAULTS_SHOWN = 20 };

static const struct args_flag validate_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"subject", ARGS_TEXT, "SUBJECT", NULL, 0, 0, "Whose schema."},
    {"version", ARGS_TEXT, "N", "latest", 0, 0, "Which version."},
};
static const struct args_spec validate_spec = {
    .command = "strom schema validate",
    .names_usage = "FILE",
    .summary = "check a file of records against a schema",
    .text =
        "Each line of FILE (- = standard input) is a JSON document. Those that the subject's JSON Schema "
        "refuses are shown with their line and path, the first 20 of them (with --json all). Exits with 1 "
        "if there are any. Files of Avro or Protobuf records are not read yet.",
    .examples = "  strom schema validate orders.jsonl --subject orders-value\n"
                "  strom consume orders --exit | strom schema validate - --subject orders-value\n",
    .flags = validate_flags,
    .flag_count = sizeof validate_flags / sizeof *validate_flags,
    .names_min = 1,
    .names_max = 1,
    .words = ARGS_WORDS_FILE,
    .is_json = true,
};

struct checking {
    struct run *run;
    const struct program *program;
    size_t line;
    size_t bad;
};

static void check_line(struct checking *c, struct str text)
{
    struct run *run = c->run;
    struct program_fault fault = {0};
    c->line++;
    if (str_trim(text).len == 0 ||
        program_check(c->program, bytes_of(text.ptr, text.len), &fault) == ERR_OK) {
        return;
    }
    if (++c->bad <= FAULTS_SHOWN && !run->is_json) {
        buf_printf(&run->out, STR_FMT ":%zu: %s: %s\n", STR_ARG(file_shown(run->args->names[0])), c->line,
                   fault.path, fault.text);
    } else if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_i64(&run->json, "line", (int64_t)c->line);
        json_pair_str(&run->json, "path", str_from_c(fault.path));
        json_pair_str(&run->json, "error", str_from_c(fault.text));
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    }
}

static enum err check_stdin(struct checking *c, struct error *e)
{
    struct process_lines *lines = process_lines_open(PROCESS_STDIN, LINE_BYTES_MAX);
    struct str line;
    enum err err;
    while ((err = process_lines_next(lines, &line, e)) == ERR_OK) {
        check_line(c, line);
    }
    process_lines_close(lines);
    return err == ERR_CLOSED ? ERR_OK : err;
}

static enum err check_file(struct checking *c, struct str path, struct error *e)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    enum err err = process_file_read(path, &text, e);
    struct str rest = buf_str(&text);
    while (err == ERR_OK && rest.len > 0) {
        check_line(c, str_cut(rest, '\n', &rest));
    }
    buf_fini(&text);
    return err;
}

static void check_print(struct checking *c)
{
    struct buf *out = &c->run->out;
    if (!c->run->is_json) {
        if (c->bad > FAULTS_SHOWN) {
            buf_printf(out, "... and %zu more\n", c->bad - FAULTS_SHOWN);
        }
        buf_printf(out, "%zu line%s, %zu refused\n", c->line, c->line == 1 ? "" : "s", c->bad);
    }
    c->run->exit = c->bad > 0 ? CLI_ERROR : c->run->exit;
}

static void validate(struct registry_client *c, struct schema *schema)
{
    struct run *run = c->run;
    struct error e = {0};
    struct program *program = NULL;
    if (schema_format(schema) != FORMAT_JSON) {
        run_fail(run, NULL,
                 FAIL(&e, ERR_INVALID_SCHEMA,
                      "the subject's schema is of type %s; only JSON files are read yet",
                      format_name(schema_format(schema))),
                 &e, NULL);
        return;
    }
    enum err err = program_create(schema, NULL, 0, &program, &e);
    struct checking checking = {.run = run, .program = program};
    struct str file = run->args->names[0];
    if (err == ERR_OK) {
        err = is_stdin(file) ? check_stdin(&checking, &e) : check_file(&checking, file, &e);
    }
    if (err == ERR_OK) {
        check_print(&checking);
    } else {
        run_fail(run, "cannot validate", err, &e, NULL);
    }
    program_unref(program);
}

static int validate_run(int argc, char **argv)
{
    struct run run;
    struct registry_client c = {0};
    if (!run_start(&run, &validate_spec, argc, argv)) {
        return run_finish(&run);
    }
    struct str subject = args_text(run.args, "subject");
    if (subject.ptr == NULL) {
        run_usage(&run, "against which schema? give --subject");
    } else if (registry_open(&run, &c)) {
        struct schema *schema = schema_fetch(&c, subject, args_text(run.args, "version"));
        if (schema != NULL) {
            validate(&c, schema);
        }
        schema_unref(schema);
    }
    registry_close(&c);
    return run_finish(&run);
}

const struct cli_command schema_validate_command = {
    .name = "validate", .spec = &validate_spec, .run = validate_run};
