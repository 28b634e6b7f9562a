// SPDX-License-Identifier: Apache-2.0
#include "regex/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static struct regex *make(const char *pattern, enum regex_syntax syntax)
{
    struct regex *regex = NULL;
    struct error e = {0};
    if (regex_create(str_from_c(pattern), syntax, &regex, &e) != ERR_OK) {
        fail_msg("%s: %s", pattern, e.text);
    }
    return regex;
}

struct row {
    const char *pattern;
    const char *text;
    bool matches;
};

static void check_rows(const struct row *rows, size_t count, enum regex_syntax syntax)
{
    for (size_t i = 0; i < count; i++) {
        struct regex *regex = make(rows[i].pattern, syntax);
        enum regex_result result = regex_search(regex, str_from_c(rows[i].text), NULL);
        if (result != (rows[i].matches ? REGEX_YES : REGEX_NO)) {
            fail_msg("/%s/ on \"%s\": %d", rows[i].pattern, rows[i].text, result);
        }
        assert_true(regex_memory(regex) > 0);
        regex_destroy(regex);
    }
}

static void test_ecma(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "", true},
        {"", "x", true},
        {"b", "abc", true},
        {"^b", "abc", false},
        {"^a*$", "aaa", true},
        {"^a*$", "aab", false},
        {"a|b|cd", "xcdx", true},
        {"^(a|b|cd)$", "cdx", false},
        {"^(?:ab)+$", "ababab", true},
        {"^(?:ab)+$", "aba", false},
        {"^a{2,3}$", "a", false},
        {"^a{2,3}$", "aa", true},
        {"^a{2,3}$", "aaaa", false},
        {"^a{2,}$", "aaaaaa", true},
        {"^a{0}$", "", true},
        {"a{", "a{", true},
        {"x{1,y}", "x{1,y}", true},
        {"^[a-c-]+$", "a-c", true},
        {"^[^a-c]+$", "xyz", true},
        {"^[^a-c]+$", "xbz", false},
        {"[]", "a", false},
        {"^[^]$", "\n", true},
        {"^[\\d.]+$", "1.5", true},
        {"^[\\w-.]+$", "a-b.c", true},
        {"^\\d+$", "123", true},
        {"^\\d+$", "\u0663", false}, // only ASCII digits
        {"^\\w$", "\u00e9", false},
        {"^\\W$", "\u00e9", true},
        {"^\\s+$", " \t\u00a0\ufeff\u2029", true},
        {"^\\S+$", "a b", false},
        {"^.$", "\u00e9", true},
        {"^.$", "\U0001f432", true}, // one character
        {"^..$", "\U0001f432", false},
        {"^.$", "\n", false},
        {"^.$", "\u2028", false},
        {"^\U0001f432*$", "\U0001f432\U0001f432", true},
        {"^\\uD83D\\uDC32$", "\U0001f432", true},
        {"^\\u{1f432}$", "\U0001f432", true},
        {"^\\x41\\u0042\\cC\\0$", "AB\x03", false},
        {"^\\x41\\u0042\\cC$", "AB\x03", true},
        {"^\\p{Lu}\\p{Ll}+$", "\u00c9cole", true},
        {"^\\p{Letter}+$", "\u00c9cole1", false},
        {"^\\P{L}+$", "12 3", true},
        {"^[\\p{Nd}]+$", "\u0663", true},
        {"^\\p{Any}{2}$", "\u0663x", true},
        {"\\bfoo\\b", "a foo b", true},
        {"\\bfoo\\b", "afoo b", false},
        {"\\Boo\\b", "afoo b", true},
        {"^$", "", true},
        {"^$", "\n", false}, // $ is the end, not before a line's
        {"a$", "a\n", false},
        {"a^b", "a^b", false},
        {"^\\-\\_\\/\\@$", "-_/@", true}, // Annex B
        {"^\\t\\n\\v\\f\\r$", "\t\n\v\f\r", true},
        {"^[\\b]$", "\b", true},
        {"(a*)*b", "aaab", true},
        {"(a*)*b", "aaac", false},
        {"(|a)+$", "aaa", true},
        {"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", "a-b.example.org", true},
        {"^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", "-b.example.org", false},
    };
    check_rows(rows, sizeof rows / sizeof rows[0], REGEX_ECMA);
}

static void test_lookaround_and_references(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"^(?=.*[A-Z])(?=.*\\d).{4,}$", "abC1", true},
        {"^(?=.*[A-Z])(?=.*\\d).{4,}$", "abcd1", false},
        {"^(?!foo)", "food", false},
        {"^(?!foo).*$", "fo", true},
        {"(?<=a)b", "ab", true},
        {"(?<=a)b", "cb", false},
        {"(?<!a)b", "ab", false},
        {"(?<=a.*)b$", "axxb", true},
        {"(?<!\u00e9)b", "\u00e9b", false},
        {"^(.)(.)\\2\\1$", "abba", true},
        {"^(.)(.)\\2\\1$", "abab", false},
        {"^(?<q>['\"]).*\\k<q>$", "'x'", true},
        {"^(?<q>['\"]).*\\k<q>$", "'x\"", false},
        {"^(?:(a)|b)\\1$", "b", true}, // a group that took part in nothing
        {"^(?:(a)|b)\\1$", "ab", false},
        {"^(a*)*\\1$", "aaa", true},
        {"^(?=(a+))a*b\\1$", "aaabaaa", true},
        {"^(?!(?=a)b)a$", "a", true},
        {"^(?:(?=ab)a|(?=ac)a)c$", "ac", true},
        {"^(?:(?!.*x)[a-z])+$", "abc", true},
        {"^(?:(?!.*x)[a-z])+$", "abx", false},
        {"\\bx(?=y)", "a xy", true},
    };
    check_rows(rows, sizeof rows / sizeof rows[0], REGEX_ECMA);
}

static void test_re2(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(?i)hello", "HeLLo", true},
        {"(?i:h)ello", "HELLO", false},
        {"(?i:h)ello", "Hello", true},
        {"a(?i)b|c", "aC", true},
        {"(?s)a.b", "a\nb", true},
        {"a.b", "a\nb", false},
        {"a.b", "a\rb", true},
        {"(?m)^b$", "a\nb\nc", true},
        {"^b$", "a\nb\nc", false},
        {"\\Aab\\z", "ab", true},
        {"\\Aab\\z", "ab\n", false},
        {"^[[:alpha:]_]+$", "ab_", true},
        {"^[[:^alpha:]]+$", "ab", false},
        {"^[]a]+$", "]a", true},
        {"^\\pL+$", "\u00e9a", true},
        {"^\\p{^L}+$", "12", true},
        {"^\\Qa.b\\E$", "a.b", true},
        {"^\\Qa.b\\E$", "axb", false},
        {"^(?P<x>a)$", "a", true},
        {"^\\x{1f432}$", "\U0001f432", true},
        {"^a+?$", "aa", true},
    };
    check_rows(rows, sizeof rows / sizeof rows[0], REGEX_RE2);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        enum regex_syntax syntax;
        const char *why;
    } rows[] = {
        {"^(abc]", REGEX_ECMA, "a ( without its ) (character 2 of the regular expression)"},
        {"abc)", REGEX_ECMA, "a ) without its ( (character 4 of the regular expression)"},
        {"[abc", REGEX_ECMA, "a [ without its ] (character 1 of the regular expression)"},
        {"[abc", REGEX_RE2, "a [ without its ] (character 1 of the regular expression)"},
        {"\u00e9*+", REGEX_ECMA, "nothing to repeat (character 3 of the regular expression)"},
        {"*", REGEX_ECMA, "nothing to repeat (character 1 of the regular expression)"},
        {"a**", REGEX_ECMA, "nothing to repeat (character 3 of the regular expression)"},
        {"^\\Z", REGEX_ECMA, "no such escape (character 2 of the regular expression)"},
        {"\\a", REGEX_ECMA, "no such escape (character 1 of the regular expression)"},
        {"\\", REGEX_ECMA, "a backslash at the end (character 1 of the regular expression)"},
        {"[b-a]", REGEX_ECMA, "a range that ends before it begins (character 2 of the regular expression)"},
        {"a{2,1}", REGEX_ECMA, "a repeat that ends before it begins (character 2 of the regular expression)"},
        {"a{99999}", REGEX_ECMA, "a repeat over the limit of 32768 (character 2 of the regular expression)"},
        {"(?i)a", REGEX_ECMA, "no such kind of group (character 1 of the regular expression)"},
        {"(?=a)", REGEX_RE2, "no such kind of group (character 1 of the regular expression)"},
        {"(a)\\1", REGEX_RE2, "no such escape (character 4 of the regular expression)"},
        {"(a)\\2", REGEX_ECMA, "no group of that number (character 4 of the regular expression)"},
        {"\\k<a>", REGEX_ECMA, "no group of that name before it (character 1 of the regular expression)"},
        {"(?<a>.)(?<a>.)", REGEX_ECMA, "two groups of the same name (character 8 of the regular expression)"},
        {"\\p{Nope}", REGEX_ECMA,
         "no such property of characters, or one that is not supported (character 3 of the regular "
         "expression)"},
        {"\\xg0", REGEX_ECMA, "\\x needs two hexadecimal digits (character 1 of the regular expression)"},
        {"\\u12", REGEX_ECMA, "\\u needs four hexadecimal digits (character 1 of the regular expression)"},
        {"(?:a{30000}){30000}", REGEX_ECMA,
         "a regular expression of more than 65536 places, repeats unrolled"},
        {"\xff", REGEX_ECMA, "a regular expression that is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct regex *regex = NULL;
        struct error e = {0};
        assert_int_equal(regex_create(str_from_c(rows[i].pattern), rows[i].syntax, &regex, &e),
                         ERR_INVALID_REQUEST);
        assert_string_equal(e.text, rows[i].why);
    }
    char deep[2 * REGEX_DEPTH_MAX + 3];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    struct regex *regex = NULL;
    struct error e = {0};
    assert_int_equal(regex_create(str_from_c(deep), REGEX_ECMA, &regex, &e), ERR_INVALID_REQUEST);
    assert_non_null(strstr(e.text, "nested too deeply"));
}

static struct str repeated(char c, size_t count, char last)
{
    char *text = mem_alloc(count);
    memset(text, c, count);
    text[count - 1] = last;
    return (struct str){text, count};
}

// What makes backtracking engines run for years: answers come at once, or the budget ends them.
static void test_catastrophes(void **state)
{
    (void)state;
    static const char *const linear[] = {
        "^(a+)+$",
        "^(a|a)*$",
        "^(a|aa)+$",
        "(x+x+)+y",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*a){20}$",
        "^(a?){50}a{50}$",
        "(a|b|ab)*c$",
        "^(?:a*)*(?:a*)*(?:a*)*b$",
    };
    struct str text = repeated('a', 5000, '!');
    for (size_t i = 0; i < sizeof linear / sizeof linear[0]; i++) {
        struct regex *regex = make(linear[i], REGEX_ECMA);
        assert_int_equal(regex_search(regex, text, NULL), REGEX_NO);
        regex_destroy(regex);
    }
    static const char *const steps[] = {"^(a+)+\\1$", "^(?=(a+)+$)\\1b", "(?<=(a|aa)+)\\1b"};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct regex *regex = make(steps[i], REGEX_ECMA);
        int64_t budget = REGEX_BUDGET;
        assert_int_equal(regex_search(regex, text, &budget), REGEX_GIVEN_UP);
        assert_true(budget < 0 || budget <= REGEX_BUDGET);
        regex_destroy(regex);
    }
    struct regex *regex = make("^(?!.*(?:a+)+b)(?:a|aa)+!$", REGEX_ECMA);
    assert_int_equal(regex_search(regex, text, NULL), REGEX_YES); // what failed is not tried again
    regex_destroy(regex);
    mem_free((char *)text.ptr);
}

// The three ways of searching agree: a lookahead of nothing sends a pattern to the third.
static void test_ways_agree(void **state)
{
    (void)state;
    static const char alphabet[] = "ab.*+?|()[]^$\\b{2}";
    uint64_t seed = 1;
    size_t compared = 0;
    for (int round = 0; round < 20000; round++) {
        char plain[16];
        char looking[32];
        char text[8];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = seed >> 16;
        size_t len = bits % 9 + 1;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            plain[i] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
        }
        plain[len] = 0;
        snprintf(looking, sizeof looking, "(?=)(?:%s)", plain);
        for (size_t i = 0; i < 7; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = "ab c"[(seed >> 33) % 4];
        }
        struct regex *a = NULL;
        struct regex *b = NULL;
        enum err err_a = regex_create(str_from_c(plain), REGEX_ECMA, &a, NULL);
        enum err err_b = regex_create(str_from_c(looking), REGEX_ECMA, &b, NULL);
        if (err_a == ERR_OK && err_b == ERR_OK) {
            for (size_t n = 0; n <= 7; n++) {
                struct str t = {text, n};
                if (regex_search(a, t, NULL) != regex_search(b, t, NULL)) {
                    fail_msg("/%s/ and /%s/ differ on \"%.*s\"", plain, looking, (int)n, text);
                }
                compared++;
            }
        }
        regex_destroy(a);
        regex_destroy(b);
    }
    assert_true(compared > 10000);
}

// Too large for a table: the places are walked, and the budget bounds it.
static void test_places(void **state)
{
    (void)state;
    struct regex *regex = make("(a|b)*a(a|b){14}c", REGEX_ECMA);
    struct str text = repeated('a', 3000, 'c');
    assert_int_equal(regex_search(regex, text, NULL), REGEX_YES);
    int64_t budget = 100;
    assert_int_equal(regex_search(regex, text, &budget), REGEX_GIVEN_UP);
    regex_destroy(regex);
    mem_free((char *)text.ptr);
}

// Compiling is bounded as well: what emits nothing is not repeated, and sets of characters cost steps.
static void test_compiling_is_bounded(void **state)
{
    (void)state;
    struct regex *regex = make("(?:(?:(?:(?:){30000}){30000}){30000}){30000}a", REGEX_ECMA);
    assert_int_equal(regex_search(regex, STR("ba"), NULL), REGEX_YES);
    regex_destroy(regex);
    struct buf text;
    struct error e;
    buf_init(&text, REGEX_PATTERN_BYTES_MAX);
    buf_u8(&text, '[');
    while (text.len + 8 < REGEX_PATTERN_BYTES_MAX) {
        buf_append_str(&text, STR("\\p{L}"));
    }
    buf_u8(&text, ']');
    assert_int_equal(regex_create(buf_str(&text), REGEX_ECMA, &regex, &e), ERR_INVALID_REQUEST);
    assert_non_null(strstr(e.text, "too much work"));
    int64_t budget = REGEX_BUDGET;
    assert_int_equal(regex_check(buf_str(&text), REGEX_ECMA, &budget, NULL), ERR_INVALID_REQUEST);
    assert_true(budget < REGEX_BUDGET - REGEX_WORK_MAX);
    buf_reset(&text);
    for (uint32_t c = 0; text.len + 32 < REGEX_PATTERN_BYTES_MAX; c++) { // each set has almost all bounds
        buf_printf(&text, "[^\\u%04x]", 0x4000 + 2 * c);
    }
    assert_int_equal(regex_create(buf_str(&text), REGEX_ECMA, &regex, &e), ERR_INVALID_REQUEST);
    assert_non_null(strstr(e.text, "too much work"));
    buf_fini(&text);
    regex = make("^[a-z]+$", REGEX_ECMA);
    assert_true(regex_work(regex) > 0 && regex_work(regex) < 1000);
    struct str long_text = repeated('a', 5000, 'b');
    budget = 5000;
    assert_int_equal(regex_search(regex, long_text, &budget), REGEX_YES);
    assert_true(budget < 5000 - 5000 / 17);
    budget = -1;
    assert_int_equal(regex_search(regex, long_text, &budget), REGEX_GIVEN_UP);
    regex_destroy(regex);
    mem_free((char *)long_text.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ecma),         cmocka_unit_test(test_lookaround_and_references),
        cmocka_unit_test(test_re2),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_catastrophes), cmocka_unit_test(test_ways_agree),
        cmocka_unit_test(test_places),       cmocka_unit_test(test_compiling_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
