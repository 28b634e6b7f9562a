// SPDX-License-Identifier: Apache-2.0
// schema_validate.c - `strom schema validate`: the records of a file against a subject's schema. The check is
// the broker's own code.
#include "base/mem.h"
#include "cli/avro_container.h"
#include "cli/schema.h"
#include "format/program.h"
#include "platform/real/process.h"

enum { FILE_BYTES_MAX = 1 << 30, LINE_BYTES_MAX = 8 << 20, FAULTS_SHOWN = 20 };

static const struct args_flag validate_flags[] = {
    SCHEMA_REGISTRY_FLAG,
    {"subject", ARGS_TEXT, "SUBJECT", NULL, 0, 0, "Whose schema."},
    {"version", ARGS_TEXT, "N", "latest", 0, 0, "Which version."},
    {"delimited", ARGS_SWITCH, NULL, NULL, 0, 0,
     "FILE is many binary records, each behind its length as a varint (Protobuf's writeDelimitedTo)."},
};
static const struct args_spec validate_spec = {
    .command = "strom schema validate",
    .names_usage = "FILE",
    .summary = "check a file of records against a schema",
    .text =
        "What FILE (- = standard input) is depends on the subject's schema. JSON: each line is a document. "
        "Avro: "
        "a container file, whose own schema must be one that the subject's can read, else one binary record. "
        "Protobuf: one binary message, the schema's first. With --delimited the last two are many of them. "
        "Records that are refused are shown with their line or number and path, the first 20 of them (with "
        "--json all). Exits with 1 if there are any.",
    .examples = "  strom schema validate orders.jsonl --subject orders-value\n"
                "  strom schema validate orders.avro --subject orders-value\n"
                "  strom schema validate orders.bin --subject orders-value --delimited\n"
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
    const char *unit; // "line", "record"
    size_t count;     // of lines or records so far
    size_t bad;
    size_t unread; // records behind a bad one, of which nobody knows where they begin
};

// refused notes that the record `number` is, from 1.
static void refused(struct checking *c, size_t number, const char *path, const char *text)
{
    struct run *run = c->run;
    if (++c->bad <= FAULTS_SHOWN && !run->is_json) {
        bool is_line = c->unit[0] == 'l';
        buf_printf(&run->out, STR_FMT ":%s%zu: %s: %s\n", STR_ARG(file_shown(run->args->names[0])),
                   is_line ? "" : " record ", number, path, text);
    } else if (run->is_json) {
        json_object_begin(&run->json);
        json_pair_i64(&run->json, c->unit, (int64_t)number);
        json_pair_str(&run->json, "path", str_from_c(path));
        json_pair_str(&run->json, "error", str_from_c(text));
        json_object_end(&run->json);
        buf_u8(&run->out, '\n');
    }
}

static void check_record(struct checking *c, struct bytes record)
{
    struct program_fault fault = {0};
    c->count++;
    if (program_check(c->program, record, &fault) != ERR_OK) {
        refused(c, c->count, fault.path, fault.text);
    }
}

// ---- lines

static void check_line(struct checking *c, struct str text)
{
    if (str_trim(text).len == 0) {
        c->count++;
    } else {
        check_record(c, bytes_of(text.ptr, text.len));
    }
}

static enum err check_lines(struct checking *c, struct error *e)
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

// ---- binary records

static void check_delimited(struct checking *c, struct bytes file)
{
    struct reader r = reader_init(file);
    while (reader_left(&r) > 0) {
        size_t at = (size_t)(r.pos - file.ptr);
        uint64_t len = reader_uvarint64(&r);
        if (r.failed || len > reader_left(&r)) {
            char text[96];
            snprintf(text, sizeof text, "its length, at byte %zu, goes beyond the end of the file", at);
            refused(c, ++c->count, "$", text);
            return;
        }
        check_record(c, bytes_of(reader_take(&r, (size_t)len), (size_t)len));
    }
}

// check_block judges records that lie one behind the other, as the array that they would be: only who reads
// one knows where the next begins. Behind the first that is refused nobody does.
static void check_block(struct checking *c, const struct program *array, uint64_t count,
                        const struct buf *block)
{
    struct buf payload;
    struct program_fault fault = {0};
    buf_init(&payload, CONTAINER_BLOCK_BYTES_MAX + 16);
    buf_varlong(&payload, (int64_t)count);
    buf_append(&payload, block->ptr, block->len);
    if (count > 0) {
        buf_u8(&payload, 0);
    }
    if (program_check(array, bytes_of(payload.ptr, payload.len), &fault) != ERR_OK) {
        int64_t index = 0;
        struct str rest = str_from_c(fault.path);
        struct str number = str_cut((struct str){rest.ptr + 2, rest.len < 2 ? 0 : rest.len - 2}, ']', &rest);
        if (rest.ptr == NULL || !str_parse_i64(number, &index) || index < 0 || (uint64_t)index >= count) {
            index = count == 0 ? 0 : (int64_t)count - 1; // bytes are left over
            rest = STR("");
        }
        char path[FAULT_PATH_SIZE];
        snprintf(path, sizeof path, "$" STR_FMT, STR_ARG(rest));
        refused(c, c->count + (size_t)index + 1, path, fault.text);
        c->unread += count == 0 ? 0 : (size_t)count - 1 - (size_t)index;
    }
    c->count += (size_t)count;
    buf_fini(&payload);
}

static enum err array_program(struct str schema, struct program **ret, struct error *e)
{
    struct buf text;
    struct schema *array = NULL;
    buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
    buf_printf(&text, "{\"type\":\"array\",\"items\":" STR_FMT "}", STR_ARG(schema));
    const struct schema_source source = {.format = FORMAT_AVRO, .text = buf_str(&text)};
    enum err err = text.failed ? FAIL(e, ERR_NO_MEMORY, "the file's schema is too large")
                               : schema_create(&source, &array, e);
    err = err == ERR_OK ? program_create(array, NULL, 0, ret, e) : err;
    schema_unref(array);
    buf_fini(&text);
    return err;
}

// container_is_readable: what the file's own schema wrote, the subject's reads; else it says why not.
static enum err container_is_readable(struct checking *c, const struct schema *schema, struct str own,
                                      bool *ret, struct error *e)
{
    struct schema *writer = NULL;
    const struct schema_source source = {.format = FORMAT_AVRO, .text = own};
    struct compat_report report = {.arena = &c->run->arena};
    enum err err = schema_create(&source, &writer, e);
    err = err == ERR_OK ? schema_compare(schema, writer, COMPAT_STRICT, &report, e) : err;
    for (size_t i = 0; err == ERR_OK && i < report.count; i++) {
        const struct compat_difference *d = &report.differences[i];
        refused(c, 0, run_print(c->run, STR_FMT, STR_ARG(d->path)).ptr,
                run_print(c->run, "the file's schema: " STR_FMT, STR_ARG(d->description)).ptr);
    }
    *ret = report.total == 0;
    schema_unref(writer);
    return err;
}

static enum err check_container(struct checking *c, const struct schema *schema, struct bytes file,
                                struct error *e)
{
    struct avro_container container;
    struct program *array = NULL;
    struct buf block;
    bool is_readable = false;
    buf_init(&block, CONTAINER_BLOCK_BYTES_MAX);
    enum err err = avro_container_open(file, &container, e);
    err = err == ERR_OK ? container_is_readable(c, schema, container.schema, &is_readable, e) : err;
    err = err == ERR_OK ? array_program(container.schema, &array, e) : err;
    while (err == ERR_OK && is_readable) {
        uint64_t count = 0;
        err = avro_container_next(&container, &block, &count, e);
        if (err == ERR_OK) {
            check_block(c, array, count, &block);
        }
    }
    avro_container_fini(&container);
    program_unref(array);
    buf_fini(&block);
    return err == ERR_CLOSED ? ERR_OK : err;
}

// ---- the file

static enum err check_file(struct checking *c, const struct schema *schema, struct str path, struct error *e)
{
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    enum err err = process_file_read(is_stdin(path) ? STR("/dev/stdin") : path, &text, e);
    struct bytes file = bytes_of(text.ptr, text.len);
    bool is_avro = schema_format(schema) == FORMAT_AVRO;
    if (err == ERR_OK && schema_format(schema) == FORMAT_JSON) {
        for (struct str rest = buf_str(&text); rest.len > 0;) {
            check_line(c, str_cut(rest, '\n', &rest));
        }
    } else if (err == ERR_OK && args_given(c->run->args, "delimited")) {
        check_delimited(c, file);
    } else if (err == ERR_OK && is_avro && avro_is_container(file)) {
        err = check_container(c, schema, file, e);
    } else if (err == ERR_OK) {
        check_record(c, file);
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
        buf_printf(out, "%zu %s%s, %zu refused", c->count, c->unit, c->count == 1 ? "" : "s", c->bad);
        if (c->unread > 0) {
            buf_printf(out, ", %zu behind them in their blocks not read", c->unread);
        }
        buf_u8(out, '\n');
    }
    c->run->exit = c->bad > 0 ? CLI_ERROR : c->run->exit;
}

static void validate(struct registry_client *c, struct schema *schema)
{
    struct run *run = c->run;
    struct error e = {0};
    struct program *program = NULL;
    bool is_json = schema_format(schema) == FORMAT_JSON;
    struct str file = run->args->names[0];
    if (is_json && args_given(run->args, "delimited")) {
        run_usage(run, "--delimited is for binary records; the subject's schema is of type JSON");
        return;
    }
    enum err err = program_create(schema, NULL, 0, &program, &e);
    struct checking checking = {.run = run, .program = program, .unit = is_json ? "line" : "record"};
    if (err == ERR_OK) {
        err =
            is_json && is_stdin(file) ? check_lines(&checking, &e) : check_file(&checking, schema, file, &e);
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
