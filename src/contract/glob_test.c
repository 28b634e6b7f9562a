// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "contract/contract_private.h"

static bool match(const char *pattern, const char *text)
{
    struct arena arena;
    struct glob glob;
    arena_init(&arena, 1 << 16);
    assert_true(glob_create(str_from_c(pattern), &arena, &glob));
    bool is_met = tag_glob_match(&glob, str_from_c(text));
    // in pieces
    uint64_t state[GLOB_TOKENS_MAX / 64 + 1];
    glob_start(&glob, state);
    for (const char *c = text; *c != 0; c++) {
        glob_step(&glob, state, (struct str){c, 1});
    }
    assert_int_equal(glob_accepts(&glob, state), is_met);
    arena_fini(&arena);
    return is_met;
}

// As the comment on Confluent's WildcardMatcher has them, and what it does besides.
static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool is_met;
    } rows[] = {
        {"eve*", "eve", true},
        {"a*.bob.eve", "alice.bob.eve", true},
        {"a*.bob.e*", "alice.bob.eve", true},
        {"a*", "alice.bob.eve", false},
        {"a**", "alice.bob.eve", true},
        {"alice.bob*", "alice.bob.eve", false},
        {"alice.bob**", "alice.bob.eve", true},
        {"**.ssn", "com.acme.Person.ssn", true},
        {"**.ssn", "ssn", false},
        {"**.*", "a", true},
        {"**.*ssn", "ssn", true},
        {"?lice", "alice", true},
        {"?lice", ".lice", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "a.b", false},
        {"$.a+(b)", "$.a+(b)", true},
        {"a\\*", "a*", true},
        {"a\\*", "ab", false},
        {"$.?", "$.\xc3\xbc", true},
        {"$.??", "$.\xc3\xbc", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (match(rows[i].pattern, rows[i].text) != rows[i].is_met) {
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
        }
    }
}

static void long_ones(void **state)
{
    (void)state;
    char pattern[600];
    struct arena arena;
    struct glob glob;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof pattern - 2; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    assert_true(glob_create((struct str){pattern, GLOB_TOKENS_MAX - 1}, &arena, &glob));
    assert_false(glob_create((struct str){pattern, GLOB_TOKENS_MAX + 1}, &arena, &glob));
    // Stars within stars take time in proportion to both lengths, not more.
    char text[4096];
    memset(text, 'a', sizeof text);
    assert_true(tag_glob_match(&glob, (struct str){text, sizeof text}));
    text[4095] = 'b';
    assert_false(tag_glob_match(&glob, (struct str){text, sizeof text}));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns), cmocka_unit_test(long_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
