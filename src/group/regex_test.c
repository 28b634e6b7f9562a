// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include "base/mem.h"
#include "group/regex.h"

static void matches_whole_names(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool want;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abc", "xabc", false},
        {"a.c", "a-c", true},
        {"orders-.*", "orders-", true},
        {"orders-.*", "orders-eu", true},
        {"orders-.+", "orders-", false},
        {"a|b|cd", "cd", true},
        {"a|b|cd", "ad", false},
        {"(a|b)*c", "ababc", true},
        {"(?:a|b){2,3}", "ab", true},
        {"(?:a|b){2,3}", "abab", false},
        {"(?:a|b){2,}", "ababab", true},
        {"x{0}y", "y", true},
        {"x{2}", "xx", true},
        {"x{2}", "xxx", false},
        {"a{,3}", "a{,3}", true},
        {"colou?r", "color", true},
        {"[a-c_]+[^0-9]", "abc_x", true},
        {"[a-c_]+[^0-9]", "abc_7", false},
        {"[]a]+", "]a]", true},
        {"[[:digit:]]+\\.[\\w-]*", "17.a-b_c", true},
        {"\\d+\\D", "12x", true},
        {"\\Qa.b*\\E", "a.b*", true},
        {"\\x41\\-b", "A-b", true},
        {"(?i)Orders|x", "oRDERS", true},
        {"(?i:A)b", "aB", false},
        {"^abc$", "abc", true},
        {"a^b", "ab", false},
        {"\\bab\\b.*", "ab-c", true},
        {"(?P<name>a)(?<other>b)", "ab", true},
        {"((a*)*)*", "aaaa", true},
        {"(a|)+b", "aab", true},
        {"(a|b|)*?c", "abc", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        struct regex *regex = regex_compile(str_from_c(rows[i].pattern), &why);
        if (regex == NULL || regex_matches(regex, str_from_c(rows[i].text)) != rows[i].want) {
            fail_msg("%s on %s: %s", rows[i].pattern, rows[i].text, why == NULL ? "the other way" : why);
        }
        regex_free(regex);
    }
}

static void refuses_in_re2s_words(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *why;
    } rows[] = {
        {"[a", "missing closing ]"},
        {"(a", "missing closing )"},
        {"a)", "unexpected )"},
        {"*a", "missing argument to repetition operator"},
        {"a**", "invalid nested repetition operator"},
        {"a\\", "trailing \\"},
        {"\\1", "invalid escape sequence"},
        {"(?=a)", "invalid or unsupported Perl syntax"},
        {"[b-a]", "invalid character class range"},
        {"a{1001}", "invalid repetition size"},
        {"a{3,2}", "invalid repetition size"},
        {"((a{100}){100}){100}", "expression too large"},
        {"(((((){1000}){1000}){1000}){1000}){1000}", "expression too large"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *why = NULL;
        assert_null(regex_compile(str_from_c(rows[i].pattern), &why));
        assert_string_equal(why, rows[i].why);
    }
}

// Patterns on which backtracking takes forever, and every pattern of up to five bytes of the syntax: bounded,
// and nothing is touched that is not there (ASan).
static void hostile_patterns_are_bounded(void **state)
{
    (void)state;
    char text[250];
    memset(text, 'a', sizeof text);
    const char *why = NULL;
    struct regex *regex = regex_compile(STR("(a*)*(a*)*(a|aa)+b"), &why);
    assert_non_null(regex);
    assert_false(regex_matches(regex, (struct str){text, sizeof text}));
    regex_free(regex);
    static char deep[4000];
    memset(deep, '(', sizeof deep);
    assert_null(regex_compile((struct str){deep, sizeof deep}, &why));
    static const char alphabet[] = "a()[]*{1,}|\\^-?i:";
    enum { LETTERS = sizeof alphabet - 1, LENGTH = 4 };
    for (int n = 0; n < LETTERS * LETTERS * LETTERS * LETTERS; n++) {
        char pattern[LENGTH];
        for (int i = 0, rest = n; i < LENGTH; i++, rest /= LETTERS) {
            pattern[i] = alphabet[rest % LETTERS];
        }
        regex = regex_compile((struct str){pattern, LENGTH}, &why);
        if (regex != NULL) {
            (void)regex_matches(regex, STR("a1a"));
        }
        regex_free(regex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_whole_names),
        cmocka_unit_test(refuses_in_re2s_words),
        cmocka_unit_test(hostile_patterns_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
