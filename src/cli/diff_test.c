// SPDX-License-Identifier: Apache-2.0
#include "cli/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ARENA_BYTES = 128 << 20, OUT_BYTES_MAX = 1 << 20 };

static void expect(const char *before, const char *after, const char *wanted)
{
    struct arena arena;
    struct buf out;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&out, OUT_BYTES_MAX);
    assert_true(diff_print(str_from_c(before), str_from_c(after), &arena, &out));
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, wanted);
    buf_fini(&out);
    arena_fini(&arena);
}

// The wanted texts are what `diff -u` prints below its two lines of names.
static void test_small(void **state)
{
    (void)state;
    expect("", "", "");
    expect("a\nb\n", "a\nb\n", "");
    expect("", "a\n", "@@ -0,0 +1 @@\n+a\n");
    expect("a\nb\n", "", "@@ -1,2 +0,0 @@\n-a\n-b\n");
    expect("a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    expect("a", "a\nb", "@@ -1 +1,2 @@\n a\n+b\n");
}

static void test_in_the_middle_lines_are_kept(void **state)
{
    (void)state;
    expect("{\nx\ny\nz\n}\n", "{\ny\nn\nz\nm\n}\n", "@@ -1,5 +1,6 @@\n {\n-x\n y\n+n\n z\n+m\n }\n");
}

static void test_far_changes_are_hunks_of_their_own(void **state)
{
    (void)state;
    expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n", "1\nX\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\nY\n",
           "@@ -1,5 +1,5 @@\n 1\n-2\n+X\n 3\n 4\n 5\n@@ -10,4 +10,4 @@\n 10\n 11\n 12\n-13\n+Y\n");
    // Six lines between two changes are the context of both.
    expect("1\n2\n3\n4\n5\n6\n7\n8\n", "X\n2\n3\n4\n5\n6\n7\nY\n",
           "@@ -1,8 +1,8 @@\n-1\n+X\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+Y\n");
}

static void test_too_large_a_change_is_out_and_in(void **state)
{
    enum { COUNT = 5000 };
    struct arena arena;
    struct buf text;
    struct buf out;
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&text, OUT_BYTES_MAX);
    buf_init(&out, OUT_BYTES_MAX);
    for (int i = 0; i < COUNT; i++) {
        buf_printf(&text, "%d\n", i);
    }
    size_t len = text.len;
    for (int i = COUNT; i-- > 0;) {
        buf_printf(&text, "%d\n", i);
    }
    struct str all = buf_str(&text);
    assert_true(
        diff_print((struct str){all.ptr, len}, (struct str){all.ptr + len, all.len - len}, &arena, &out));
    assert_true(str_has_prefix(buf_str(&out), STR("@@ -1,5000 +1,5000 @@\n-0\n-1\n-2\n")));
    buf_fini(&out);
    buf_fini(&text);
    arena_fini(&arena);
}

static size_t common(const char *a, const char *b)
{
    if (*a == 0 || *b == 0) {
        return 0;
    }
    size_t without_a = common(a + 1, b);
    size_t without_b = common(a, b + 1);
    size_t best = without_a > without_b ? without_a : without_b;
    size_t with = *a == *b ? 1 + common(a + 1, b + 1) : 0;
    return with > best ? with : best;
}

static void test_as_few_lines_as_can_be(void **state)
{
    enum { LENGTH_MAX = 6, WORLDS = 3000 };
    uint32_t seed = 1;
    (void)state;
    for (int world = 0; world < WORLDS; world++) {
        char words[2][LENGTH_MAX + 1] = {{0}};
        char texts[2][2 * LENGTH_MAX + 1] = {{0}};
        struct arena arena;
        struct buf out;
        size_t gone = 0;
        size_t come = 0;
        for (size_t side = 0; side < 2; side++) {
            seed = seed * 1664525u + 1013904223u;
            size_t len = (seed >> 16) % (LENGTH_MAX + 1);
            for (size_t i = 0; i < len; i++) {
                seed = seed * 1664525u + 1013904223u;
                words[side][i] = (char)('a' + (seed >> 16) % 3);
                texts[side][2 * i] = words[side][i];
                texts[side][2 * i + 1] = '\n';
            }
        }
        arena_init(&arena, ARENA_BYTES);
        buf_init(&out, OUT_BYTES_MAX);
        assert_true(diff_print(str_from_c(texts[0]), str_from_c(texts[1]), &arena, &out));
        for (struct str rest = buf_str(&out); rest.len > 0;) {
            struct str line = str_cut(rest, '\n', &rest);
            gone += line.ptr[0] == '-';
            come += line.ptr[0] == '+';
        }
        assert_int_equal(gone, strlen(words[0]) - common(words[0], words[1]));
        assert_int_equal(come, strlen(words[1]) - common(words[0], words[1]));
        buf_fini(&out);
        arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_in_the_middle_lines_are_kept),
        cmocka_unit_test(test_far_changes_are_hunks_of_their_own),
        cmocka_unit_test(test_as_few_lines_as_can_be),
        cmocka_unit_test(test_too_large_a_change_is_out_and_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
