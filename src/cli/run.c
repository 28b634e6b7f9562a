// SPDX-License-Identifier: Apache-2.0
// run.c - the frame around every command: flags in, output and errors out, one exit code.
#include "cli/cli_private.h"

#include <stdarg.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/page.h"
#include "platform/real/process.h"
#include "platform/real/real.h"

enum { NOTE_BYTES_MAX = 64 << 10 };

bool run_start(struct run *run, const struct args_spec *spec, int argc, char **argv)
{
    *run = (struct run){.args = mem_zalloc(sizeof *run->args)};
    buf_init(&run->out, CLI_OUT_BYTES_MAX);
    arena_init(&run->arena, CLI_ARENA_BYTES);
    run->json.out = &run->out;
    struct error e = {0};
    if (args_parse(spec, argc, argv, run->args, &e) != ERR_OK) {
        run_usage(run, "%s", e.text);
        return false;
    }
    if (run->args->is_help) {
        page_text(spec, &run->out);
        return false;
    }
    run->is_json = spec->is_json && args_given(run->args, "json");
    return true;
}

enum err run_open(struct run *run, struct str bootstrap, int64_t timeout_ms, struct error *e)
{
    enum err err = run->env != NULL ? ERR_OK : real_env_open(STR(""), &run->env, e);
    if (err != ERR_OK) {
        return err;
    }
    if (bootstrap.ptr == NULL) {
        bootstrap = process_env_find("STROM_BOOTSTRAP");
    }
    if (bootstrap.len == 0) {
        bootstrap = STR("127.0.0.1:9092");
    }
    err = client_create(run->env, bootstrap, timeout_ms, &run->client, e);
    return err == ERR_OK ? client_connect(run->client, e) : err;
}

bool run_connect(struct run *run)
{
    struct error e = {0};
    enum err err =
        run_open(run, args_text(run->args, "bootstrap-server"), args_int(run->args, "timeout-ms"), &e);
    if (err == ERR_INVALID_REQUEST) {
        run_usage(run, "%s", e.text);
    } else if (err != ERR_OK) {
        run_fail(run, NULL, err, &e,
                 "Is the broker running? Start one with `strom serve`, or name it with --bootstrap-server.");
    }
    return err == ERR_OK;
}

bool run_flush(struct run *run)
{
    if (run->is_out_closed) {
        return false;
    }
    struct error e = {0};
    enum err err = ERR_OK;
    if (run->out.failed) {
        err = FAIL(&e, ERR_NO_MEMORY, "more than %d bytes of output at once", CLI_OUT_BYTES_MAX);
    } else {
        err = process_write(PROCESS_STDOUT, buf_str(&run->out), &e);
    }
    buf_reset(&run->out);
    if (err == ERR_OK) {
        return true;
    }
    run->is_out_closed = true;
    if (err != ERR_CLOSED) { // a closed pipe (`| head`) is how people stop a command
        run_fail(run, "cannot write the output", err, &e, NULL);
    }
    return false;
}

int run_finish(struct run *run)
{
    if (run->out.len > 0 || run->out.failed) {
        (void)run_flush(run);
    }
    for (size_t i = 0; i < run->peer_count; i++) {
        client_destroy(run->peers[i].client);
    }
    client_destroy(run->client);
    real_env_close(run->env);
    arena_fini(&run->arena);
    buf_fini(&run->out);
    mem_free(run->args);
    return (int)run->exit;
}

static void write_error(struct buf *text)
{
    if (!text->failed) {
        enum err err = process_write(PROCESS_STDERR, buf_str(text), NULL);
        (void)err; // nowhere left to say it
    }
    buf_fini(text);
}

static void print_cause(struct buf *text, enum err err, const struct error *e)
{
    int16_t code = err_kafka(err);
    bool has_text = e != NULL && e->text[0] != '\0';
    bool is_from_broker = e == NULL || e->file == NULL;
    if (is_from_broker) {
        buf_printf(text, "%s (%d): %s%s", err_kafka_name(code), code, err_text(err), has_text ? ": " : "");
    }
    if (has_text) {
        text_show(str_from_c(e->text), text);
    } else if (!is_from_broker) {
        buf_printf(text, "%s", err_text(err));
    }
}

void run_fail(struct run *run, const char *what, enum err err, const struct error *e, const char *hint)
{
    struct buf text;
    buf_init(&text, NOTE_BYTES_MAX);
    buf_printf(&text, "strom: ");
    if (what != NULL) {
        text_show(str_from_c(what), &text); // names of files and topics are in it
        buf_printf(&text, ": ");
    }
    print_cause(&text, err, e);
    buf_printf(&text, "\n");
    if (hint != NULL) {
        buf_printf(&text, "  hint: ");
        text_show(str_from_c(hint), &text);
        buf_u8(&text, '\n');
    }
    (void)run_flush(run); // what was printed so far comes first
    write_error(&text);
    bool is_own = e != NULL && e->file != NULL;
    run->exit = is_own && err == ERR_NETWORK ? CLI_UNREACHABLE : CLI_ERROR;
}

void run_refused(struct run *run, const char *what, enum err err, struct str message, const char *hint)
{
    struct error e = {.code = err};
    snprintf(e.text, sizeof e.text, STR_FMT,
             (int)(message.len < sizeof e.text ? message.len : sizeof e.text - 1),
             message.ptr == NULL ? "" : message.ptr);
    if (str_equal(str_from_c(e.text), str_from_c(err_text(err)))) {
        e.text[0] = '\0'; // said already
    }
    run_fail(run, what, err, &e, hint);
}

void run_usage(struct run *run, const char *format, ...)
{
    struct buf text;
    char line[512];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    buf_init(&text, NOTE_BYTES_MAX);
    buf_printf(&text, "strom: ");
    text_show(str_from_c(line), &text);
    buf_printf(&text, "\n  hint: see `%s --help`\n", run->args->spec->command);
    write_error(&text);
    run->exit = CLI_USAGE;
}

void run_note(const char *format, ...)
{
    struct buf line;
    struct buf text;
    va_list list;
    buf_init(&line, NOTE_BYTES_MAX);
    buf_init(&text, 5 * NOTE_BYTES_MAX); // of one byte text_show makes four at most
    va_start(list, format);
    buf_vprintf(&line, format, list);
    va_end(list);
    text_show(line.failed ? STR("(a message that is too long to be shown)") : buf_str(&line), &text);
    buf_u8(&text, '\n');
    write_error(&text);
    buf_fini(&line);
}

bool run_confirm(struct run *run, const char *question)
{
    struct buf text;
    if (args_given(run->args, "yes") || !process_is_tty(PROCESS_STDIN)) {
        return true;
    }
    buf_init(&text, NOTE_BYTES_MAX);
    text_show(str_from_c(question), &text);
    buf_printf(&text, " Type yes to go on: ");
    write_error(&text);
    struct process_lines *lines = process_lines_open(PROCESS_STDIN, 1024);
    struct str line;
    bool is_yes = process_lines_next(lines, &line, NULL) == ERR_OK && str_equal(str_trim(line), STR("yes"));
    process_lines_close(lines);
    if (!is_yes) {
        run_note("strom: nothing was done");
        run->exit = CLI_ERROR;
    }
    return is_yes;
}

bool run_call_on(struct run *run, struct client *client, enum api_key key, const void *request,
                 void *ret_response)
{
    struct error e = {0};
    enum err err = client_call(client, key, request, &run->arena, ret_response, &e);
    if (err != ERR_OK) {
        run_fail(run, NULL, err, &e, err == ERR_NETWORK ? "the broker's log may say why" : NULL);
    }
    return err == ERR_OK;
}

bool run_call(struct run *run, enum api_key key, const void *request, void *ret_response)
{
    return run_call_on(run, run->client, key, request, ret_response);
}

void *run_new(struct run *run, const struct wire_struct *type, size_t count)
{
    void *at = wire_new(&run->arena, type, count);
    ASSERT(at != NULL);
    return at;
}

void *run_room(struct run *run, size_t count, size_t size)
{
    struct error e = {0};
    void *at = arena_array_alloc(&run->arena, count + 1, size);
    if (at == NULL) {
        run_fail(run, NULL,
                 FAIL(&e, ERR_NO_MEMORY, "the broker told of %zu things, too many for this command", count),
                 &e, NULL);
    }
    return at;
}

struct str run_print(struct run *run, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct str copy = arena_str(&run->arena, str_from_c(text));
    ASSERT(copy.ptr != NULL);
    return copy;
}
