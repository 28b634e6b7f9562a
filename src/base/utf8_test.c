// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_is_valid(STR("")));
    assert_true(utf8_is_valid(STR("\xf4\x8f\xbf\xbf")));
    assert_false(utf8_is_valid(STR("\xf4\x90\x80\x80"))); // past U+10FFFF
    assert_false(utf8_is_valid(STR("\xe0\x9f\xbf")));
    assert_false(utf8_is_valid(STR("\xf0\x8f\xbf\xbf")));
    assert_false(utf8_is_valid(STR("\x80")));
    assert_false(utf8_is_valid(STR("a\xe2\x82")));
    assert_int_equal(utf8_skip_mark(STR("\xef\xbb\xbf{")).len, 1);
    assert_int_equal(utf8_skip_mark(STR("\xef\xbb\xbf")).len, 0);
    assert_int_equal(utf8_skip_mark(STR("\xef\xbb")).len, 2);
    assert_int_equal(utf8_skip_mark(STR("")).len, 0);
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c < 0xe000) {
            continue;
        }
        char bytes[4];
        struct str text = {bytes, utf8_encode(c, bytes)};
        assert_int_equal(utf8_size(text), text.len);
        assert_int_equal(utf8_count(text), 1);
        assert_int_equal(utf8_decode(&text), c);
        assert_int_equal(text.len, 0);
    }
}

// One character that is not ASCII, good or bad, at each place of texts of each length.
static void test_every_place(void **state)
{
    (void)state;
    enum { LEN_MAX = 150 };
    char text[LEN_MAX];
    for (size_t len = 1; len < LEN_MAX; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(text, 'a', len);
            assert_true(utf8_is_ascii(text, len));
            text[at] = (char)0x80;
            assert_false(utf8_is_ascii(text, len));
            assert_false(utf8_is_valid((struct str){text, len}));
            text[at] = (char)0xc3;
            assert_false(utf8_is_valid((struct str){text, len}));
            if (at + 1 < len) {
                text[at + 1] = (char)0xa4;
                assert_true(utf8_is_valid((struct str){text, len}));
                assert_int_equal(utf8_count((struct str){text, len}), len - 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
