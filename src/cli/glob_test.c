// SPDX-License-Identifier: Apache-2.0
#include "cli/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool is_match;
    } rows[] = {
        {"orders", "orders", true},
        {"orders", "orders2", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"?", "", false},
        {"?", "a", true},
        {"orders-*", "orders-", true},
        {"orders-*", "orders", false},
        {"*-dlq", "a-dlq-dlq", true},
        {"*-dlq", "a-dlq-x", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"**a**", "a", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (glob_match(str_from_c(rows[i].pattern), str_from_c(rows[i].text)) != rows[i].is_match) {
            fail_msg("\"%s\" against \"%s\"", rows[i].pattern, rows[i].text);
        }
    }
    assert_true(glob_is_pattern(STR("a*")) && glob_is_pattern(STR("?")));
    assert_false(glob_is_pattern(STR("a.b-c_d")) || glob_is_pattern(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_match)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
