// SPDX-License-Identifier: Apache-2.0
#include "cli/reset_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_offsets(void **state)
{
    (void)state;
    static const struct {
        enum reset_kind kind;
        int64_t number;
        struct reset_place place; // committed, start, end, at_time
        int64_t want;             // -1 = none
        bool is_clamped;
    } rows[] = {
        {RESET_EARLIEST, 0, {50, 10, 100, -1}, 10, false},
        {RESET_LATEST, 0, {50, 10, 100, -1}, 100, false},
        {RESET_CURRENT, 0, {50, 10, 100, -1}, 50, false},
        {RESET_CURRENT, 0, {-1, 10, 100, -1}, 100, false},
        {RESET_CURRENT, 0, {5, 10, 100, -1}, 10, true},
        {RESET_OFFSET, 60, {50, 10, 100, -1}, 60, false},
        {RESET_OFFSET, 100, {-1, 10, 100, -1}, 100, false},
        {RESET_OFFSET, 101, {-1, 10, 100, -1}, 100, true},
        {RESET_OFFSET, 9, {-1, 10, 100, -1}, 10, true},
        {RESET_SHIFT, -20, {50, 10, 100, -1}, 30, false},
        {RESET_SHIFT, 20, {50, 10, 100, -1}, 70, false},
        {RESET_SHIFT, -60, {50, 10, 100, -1}, 10, true},
        {RESET_SHIFT, INT64_MAX, {50, 10, 100, -1}, 100, true},
        {RESET_SHIFT, INT64_MIN, {50, 10, 100, -1}, 10, true},
        {RESET_SHIFT, 1, {-1, 10, 100, -1}, -1, false},
        {RESET_TIME, 0, {50, 10, 100, 42}, 42, false},
        {RESET_TIME, 0, {50, 10, 100, -1}, 100, false},
        {RESET_LATEST, 0, {-1, 0, 0, -1}, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t offset = -1;
        bool is_clamped = false;
        bool is_good = reset_offset(rows[i].kind, rows[i].number, &rows[i].place, &offset, &is_clamped);
        if (is_good != (rows[i].want >= 0) || offset != rows[i].want || is_clamped != rows[i].is_clamped) {
            fail_msg("row %zu: %d, %lld, %d", i, is_good, (long long)offset, is_clamped);
        }
    }
}

static void test_lines(void **state)
{
    (void)state;
    struct str group;
    struct str topic;
    int32_t partition;
    int64_t offset;
    assert_true(reset_line_parse(STR("orders,3,42"), &group, &topic, &partition, &offset));
    assert_null(group.ptr);
    assert_true(str_equal(topic, STR("orders")) && partition == 3 && offset == 42);
    assert_true(reset_line_parse(STR("\"app\", \"orders\", 3 ,42\r"), &group, &topic, &partition, &offset));
    assert_true(str_equal(group, STR("app")) && str_equal(topic, STR("orders")) && offset == 42);
    static const char *const bad[] = {
        "",        "orders",      "orders,3",    "orders,x,1", "orders,3,x",
        ",3,1",    "orders,-1,1", "orders,1,-1", "a,b,1,2,3",  "orders,2147483648,1",
        "orders,,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (reset_line_parse(str_from_c(bad[i]), &group, &topic, &partition, &offset)) {
            fail_msg("\"%s\" is no line", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_offsets), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
