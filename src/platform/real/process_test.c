// SPDX-License-Identifier: Apache-2.0
#include "platform/real/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void test_signals(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum process_signal expected;
    } rows[] = {{SIGTERM, PROCESS_STOP}, {SIGINT, PROCESS_STOP}, {SIGHUP, PROCESS_RELOAD}};
    process_signals_block();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(kill(getpid(), rows[i].number), 0); // blocked: stays pending
        assert_int_equal(process_signal_wait(), rows[i].expected);
    }
}

static void test_facts(void **state)
{
    (void)state;
    assert_true(process_rss_bytes() > 100 * 1024);
    assert_true(process_fd_limit_raise() >= 256);
    assert_int_equal(process_fd_limit_raise(), process_fd_limit_raise());
    assert_true(process_cpu_count() >= 1);
    assert_int_equal(setenv("STROM_PROCESS_TEST", "value", 1), 0);
    assert_true(str_equal(process_env_find("STROM_PROCESS_TEST"), STR("value")));
    assert_null(process_env_find("STROM_PROCESS_TEST_NOT_SET").ptr);
}

// stream_swap puts fd in place of a standard stream and returns a copy of the old one.
static int stream_swap(int target, int fd)
{
    fflush(stdout);
    int saved = dup(target);
    assert_true(saved >= 0);
    assert_int_equal(dup2(fd, target), target);
    return saved;
}

static void stream_restore(int target, int saved)
{
    assert_int_equal(dup2(saved, target), target);
    close(saved);
}

static void test_write(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = stream_swap(STDERR_FILENO, ends[1]);
    enum err first = process_write(PROCESS_STDERR, STR("some text"), NULL);
    enum err empty = process_write(PROCESS_STDERR, STR(""), NULL);
    bool is_tty = process_is_tty(PROCESS_STDERR);
    char text[16] = "";
    assert_int_equal(read(ends[0], text, sizeof text), 9);
    close(ends[0]);
    enum err broken = process_write(PROCESS_STDERR, STR("nobody reads"), NULL);
    stream_restore(STDERR_FILENO, saved);
    close(ends[1]);
    int full_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    saved = stream_swap(STDERR_FILENO, full_fd);
    enum err full = process_write(PROCESS_STDERR, STR("x"), NULL);
    stream_restore(STDERR_FILENO, saved);
    close(full_fd);
    assert_int_equal(first, ERR_OK);
    assert_int_equal(empty, ERR_OK);
    assert_string_equal(text, "some text");
    assert_false(is_tty);
    assert_int_equal(broken, ERR_CLOSED);
    assert_int_equal(full, ERR_NO_SPACE);
}

static void test_file_read(void **state)
{
    (void)state;
    char path[] = "/tmp/strom-process-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static uint8_t data[150000];
    memset(data, 'k', sizeof data);
    assert_int_equal(write(fd, data, sizeof data), sizeof data);
    close(fd);
    struct error e = {0};
    struct buf out;
    buf_init(&out, sizeof data); // exactly
    assert_int_equal(process_file_read(str_from_c(path), &out, &e), ERR_OK);
    assert_int_equal(out.len, sizeof data);
    assert_memory_equal(out.ptr, data, sizeof data);
    assert_int_equal(process_file_read(str_from_c(path), &out, &e), ERR_NO_MEMORY); // no room left
    assert_non_null(strstr(e.text, path));
    buf_fini(&out);
    buf_init(&out, sizeof data - 1);
    assert_int_equal(process_file_read(str_from_c(path), &out, &e), ERR_NO_MEMORY);
    assert_int_equal(process_file_read(STR("/nonexistent/strom"), &out, &e), ERR_NOT_FOUND);
    assert_int_equal(process_file_read(STR(""), &out, &e), ERR_NOT_FOUND);
    assert_int_equal(process_file_read(STR("/tmp"), &out, &e), ERR_IO); // a directory
    buf_fini(&out);
    unlink(path);
}

static const struct lines_row {
    const char *input;
    size_t line_bytes_max;
    const char *lines[5];
    enum err end;
} lines_rows[] = {
    {"", 10, {NULL}, ERR_CLOSED},
    {"\n", 10, {"", NULL}, ERR_CLOSED},
    {"one\ntwo\r\n\nlast", 10, {"one", "two", "", "last", NULL}, ERR_CLOSED},
    {"0123456789\n0123456789\r\n0123456789",
     10,
     {"0123456789", "0123456789", "0123456789", NULL},
     ERR_CLOSED},
    {"0123456789\n0123456789x\nnever seen\n", 10, {"0123456789", NULL}, ERR_NO_MEMORY},
    {"ok\n0123456789xy", 10, {"ok", NULL}, ERR_NO_MEMORY},
    {"ok\n0123456789xyzzzzzzzzzzzzzzzzzzzzzzzzzz\n", 10, {"ok", NULL}, ERR_NO_MEMORY},
    {"a\rb\r\n", 10, {"a\rb", NULL}, ERR_CLOSED},
};

static void lines_check(const struct lines_row *row)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], row->input, strlen(row->input)), strlen(row->input));
    close(ends[1]);
    int saved = stream_swap(STDIN_FILENO, ends[0]);
    struct process_lines *lines = process_lines_open(PROCESS_STDIN, row->line_bytes_max);
    struct str line;
    for (size_t i = 0; row->lines[i] != NULL; i++) {
        assert_int_equal(process_lines_next(lines, &line, NULL), ERR_OK);
        if (!str_equal(line, str_from_c(row->lines[i]))) {
            fail_msg("row \"%s\": got \"" STR_FMT "\"", row->input, STR_ARG(line));
        }
    }
    assert_int_equal(process_lines_next(lines, &line, NULL), row->end);
    assert_int_equal(process_lines_next(lines, &line, NULL), row->end); // it stays so
    process_lines_close(lines);
    stream_restore(STDIN_FILENO, saved);
    close(ends[0]);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines_rows / sizeof lines_rows[0]; i++) {
        lines_check(&lines_rows[i]);
    }
    process_lines_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals),   cmocka_unit_test(test_facts), cmocka_unit_test(test_write),
        cmocka_unit_test(test_file_read), cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
