// SPDX-License-Identifier: Apache-2.0
#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; // -1 = no date
    } rows[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:00.001Z", 1},
        {"2000-02-29", 951782400000},
        {"2026-01-31T12:30", 1769862600000},
        {"2026-01-31T12:30:45", 1769862645000},
        {"2026-01-31 12:30:45", 1769862645000},
        {"2026-01-31T12:30:45.5", 1769862645500},
        {"2026-01-31T12:30:45.250999Z", 1769862645250},
        {"2026-01-31T12:30:45+02:00", 1769855445000},
        {"2026-01-31T12:30:45-0530", 1769882445000},
        {"2026-01-31T12:30+02", 1769855400000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"@1700000000000", 1700000000000},
        {"@0", 0},
        {"", -1},
        {"@", -1},
        {"@-1", -1},
        {"@99999999999999999", -1},
        {"2026", -1},
        {"2026-13-01", -1},
        {"2026-02-29", -1},
        {"1900-02-29", -1},
        {"2026-01-00", -1},
        {"2026-01-31T", -1},
        {"2026-01-31T24:00", -1},
        {"2026-01-31T12:60", -1},
        {"2026-01-31T12:30:60", -1},
        {"2026-01-31T12:30:45.", -1},
        {"2026-01-31T12:30:45.1234567890", -1},
        {"2026-01-31T12:30Zulu", -1},
        {"2026-01-31T12:30+19:00", -1},
        {"2026-01-31T12:30+2", -1},
        {"26-01-31", -1},
        {"1969-12-31", -1},
        {"1970-01-01T00:00+01:00", -1},
        {"20260131", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        bool is_date = when_parse(str_from_c(rows[i].text), &ms);
        if (is_date != (rows[i].ms >= 0) || (is_date && ms != rows[i].ms)) {
            fail_msg("\"%s\" gives %d, %lld", rows[i].text, is_date, (long long)ms);
        }
    }
}

static void test_format_is_parse_backwards(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 253402300799999; ms += 7919 * INT64_C(10000019)) {
        char text[WHEN_TEXT_SIZE];
        int64_t back = -1;
        when_format(ms, text);
        assert_true(when_parse(str_from_c(text), &back));
        assert_int_equal(back, ms);
    }
    char text[WHEN_TEXT_SIZE];
    when_format(951868799999, text);
    assert_string_equal(text, "2000-02-29T23:59:59.999Z");
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"PT15M", 900000},
        {"P1D", 86400000},
        {"P2W", 1209600000},
        {"P1DT2H30M5.5S", 95405500},
        {"PT0.25S", 250},
        {"PT36H", 129600000},
        {"P0D", 0},
        {"PT1000000S", 1000000000},
        {"P", -1},
        {"PT", -1},
        {"", -1},
        {"15M", -1},
        {"P15M", -1},
        {"PT15", -1},
        {"PT15M1H", -1},
        {"PT1H1H", -1},
        {"PT1.5H", -1},
        {"P-1D", -1},
        {"P1DT", -1},
        {"PT1S ", -1},
        {"P1Y", -1},
        {"P999999999999D", -1},
        {"PT99999999999999S", -1},
        {"PT5.S", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        bool is_good = duration_parse(str_from_c(rows[i].text), &ms);
        if (is_good != (rows[i].ms >= 0) || (is_good && ms != rows[i].ms)) {
            fail_msg("\"%s\" gives %d, %lld", rows[i].text, is_good, (long long)ms);
        }
    }
}

static void test_spans(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {{0, "0 s"},          {59, "59 s"},
                {60, "1 min 0 s"},   {3599, "59 min 59 s"},
                {3600, "1 h 0 min"}, {172799, "47 h 59 min"},
                {172800, "2 d 0 h"}, {31536000, "365 d 0 h"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[WHEN_TEXT_SIZE];
        span_format(rows[i].seconds, text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates),
                                       cmocka_unit_test(test_format_is_parse_backwards),
                                       cmocka_unit_test(test_durations), cmocka_unit_test(test_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
