// SPDX-License-Identifier: Apache-2.0
#include "runtime/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "platform/real/real.h"

struct fake_clock {
    struct clock base;
    int64_t mono_ns;
    int64_t wall_ms;
};

static int64_t fake_mono_ns(struct clock *c)
{
    return ((struct fake_clock *)c)->mono_ns;
}
static int64_t fake_wall_ms(struct clock *c)
{
    return ((struct fake_clock *)c)->wall_ms;
}
static const struct clock_ops fake_ops = {.mono_ns = fake_mono_ns, .wall_ms = fake_wall_ms};

struct sink {
    struct fake_clock clock;
    struct env *real;
    struct env env; // the real one with the clock of the test
    int count;
    enum trace_level level; // of the last line
    char line[2048];
};

static void sink_write(void *arg, enum trace_level level, struct str line)
{
    struct sink *sink = arg;
    assert_true(line.len < sizeof sink->line);
    sink->count++;
    sink->level = level;
    memcpy(sink->line, line.ptr, line.len);
    sink->line[line.len] = '\0';
}

static int sink_setup(void **state)
{
    static struct sink sink;
    sink = (struct sink){.clock = {.base = {&fake_ops}, .mono_ns = 5000000000}};
    assert_int_equal(real_env_open(STR(""), &sink.real, NULL), ERR_OK);
    sink.env = *sink.real;
    sink.env.clock = &sink.clock.base;
    *state = &sink;
    return 0;
}

static int sink_teardown(void **state)
{
    real_env_close(((struct sink *)*state)->real);
    return 0;
}

static void test_dates(void **state)
{
    struct sink *sink = *state;
    static const struct {
        int64_t wall_ms;
        const char *expected;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z INFO  x"},
        {-1, "1970-01-01T00:00:00.000Z INFO  x"}, // a clock that was never set
        {951782399999, "2000-02-28T23:59:59.999Z INFO  x"},
        {951782400000, "2000-02-29T00:00:00.000Z INFO  x"},
        {951868800000, "2000-03-01T00:00:00.000Z INFO  x"},
        {1709164800000, "2024-02-29T00:00:00.000Z INFO  x"},
        {1767225599001, "2025-12-31T23:59:59.001Z INFO  x"},
        {1795456800123, "2026-11-23T18:00:00.123Z INFO  x"},
        {4107542400000, "2100-03-01T00:00:00.000Z INFO  x"}, // no leap year
        {253402300799999, "9999-12-31T23:59:59.999Z INFO  x"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z INFO  x"},
    };
    struct tracer *t = tracer_create(&sink->env, TRACE_INFO, sink_write, sink);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sink->clock.wall_ms = rows[i].wall_ms;
        trace(t, TRACE_INFO, "x");
        assert_string_equal(sink->line, rows[i].expected);
    }
    tracer_destroy(t);
}

static void test_levels(void **state)
{
    struct sink *sink = *state;
    struct tracer *t = tracer_create(&sink->env, TRACE_WARN, sink_write, sink);
    trace(t, TRACE_INFO, "quiet");
    trace(t, TRACE_DEBUG, "quiet");
    assert_int_equal(sink->count, 0);
    trace(t, TRACE_WARN, "n=%d", 7);
    assert_string_equal(sink->line, "1970-01-01T00:00:00.000Z WARN  n=7");
    assert_int_equal(sink->level, TRACE_WARN);
    trace(t, TRACE_ERROR, "%s", "bad");
    assert_string_equal(sink->line, "1970-01-01T00:00:00.000Z ERROR bad");
    tracer_destroy(t);
    trace(NULL, TRACE_ERROR, "silent");
    tracer_destroy(NULL);
    assert_int_equal(sink->count, 2);
}

static void test_hostile_text(void **state)
{
    struct sink *sink = *state;
    struct tracer *t = tracer_create(&sink->env, TRACE_INFO, sink_write, sink);
    trace(t, TRACE_INFO, "client %s", "a\n2026 ERROR forged\r\t\x1b[2J\x7f \xc3\xa9");
    assert_string_equal(sink->line,
                        "1970-01-01T00:00:00.000Z INFO  client a?2026 ERROR forged???[2J? \xc3\xa9");
    char text[3000];
    memset(text, 'y', sizeof text);
    text[sizeof text - 1] = '\0';
    trace(t, TRACE_INFO, "%s", text);
    assert_int_equal(strlen(sink->line), 1023);
    assert_string_equal(sink->line + 1018, "yy...");
    tracer_destroy(t);
}

static void test_rate_limit(void **state)
{
    struct sink *sink = *state;
    struct tracer *t = tracer_create(&sink->env, TRACE_INFO, sink_write, sink);
    for (int i = 0; i < 1500; i++) {
        trace(t, TRACE_INFO, "flood %d", i);
    }
    assert_int_equal(sink->count, 1000);
    trace(t, TRACE_INFO, "another site is heard");
    assert_int_equal(sink->count, 1001);
    sink->clock.mono_ns += 1000000000;
    trace(t, TRACE_INFO, "flood %d", 1500);
    assert_int_equal(sink->count, 1003); // what was left out, and the line itself
    assert_string_equal(sink->line, "1970-01-01T00:00:00.000Z INFO  flood 1500");
    for (int i = 0; i < 1001; i++) {
        trace(t, TRACE_INFO, "flood %d", i);
    }
    assert_int_equal(sink->count, 2002);
    tracer_destroy(t);
    assert_int_equal(sink->count, 2003);
    assert_string_equal(sink->line,
                        "1970-01-01T00:00:00.000Z INFO  2 more lines like this were left out: flood %d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dates, sink_setup, sink_teardown),
        cmocka_unit_test_setup_teardown(test_levels, sink_setup, sink_teardown),
        cmocka_unit_test_setup_teardown(test_hostile_text, sink_setup, sink_teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit, sink_setup, sink_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
