// SPDX-License-Identifier: Apache-2.0
#include "json/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

// The tokens of a text as letters: { } [ ] k s n t f 0, and . at the end or ! on error.
static void tokens(const char *text, char ret[64])
{
    static const char letters[] = "!.{}[]ksntf0";
    struct json_scan s;
    json_scan_init(&s, str_from_c(text));
    size_t count = 0;
    enum json_token token;
    do {
        token = json_scan_next(&s);
        assert_true(count < 63);
        ret[count++] = letters[token];
    } while (token != JSON_TOKEN_ERROR && token != JSON_TOKEN_END);
    ret[count] = 0;
    assert_int_equal(token == JSON_TOKEN_ERROR, s.error != NULL);
    assert_int_equal(json_scan_next(&s), token); // and so on
}

static void test_tokens(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{}", "{}."},
        {" [ ] ", "[]."},
        {"{\"a\":1,\"b\":[true,false,null,\"x\"]}", "{knk[tf0s]}."},
        {"-0.5e+10", "n."},
        {"0", "n."},
        {"\"\"", "s."},
        {"\t[1\n,\r2]", "[nn]."},
        {"", "!"},
        {" ", "!"},
        {"{", "{!"},
        {"[1", "[n!"},
        {"[1,]", "[n!"},
        {"[,1]", "[!"},
        {"{,}", "{!"},
        {"{\"a\"}", "{!"},
        {"{\"a\":}", "{k!"},
        {"{\"a\":1,}", "{kn!"},
        {"{\"a\":1]", "{kn!"},
        {"[1}", "[n!"},
        {"[1 2]", "[n!"},
        {"1 2", "n!"},
        {"]", "!"},
        {"[\"a\":1]", "[s!"},
        {"01", "!"},
        {"-", "!"},
        {"1.", "!"},
        {".5", "!"},
        {"1e", "!"},
        {"+1", "!"},
        {"tru", "!"},
        {"nul", "!"},
        {"NaN", "!"},
        {"'a'", "!"},
        {"\"a", "!"},
        {"\"\\", "!"},
        {"\"\\x\"", "!"},
        {"\"\\u12g4\"", "!"},
        {"\"\\u123\"", "!"},
        {"\"a\nb\"", "!"},
        {"\"12345678\x01\"", "!"},
        {"\"\x80\"", "!"},
        {"\"\xed\xa0\x80\"", "!"},
        {"{1:2}", "{!"},
        {"[1]//", "[n]!"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[64];
        tokens(rows[i][0], got);
        assert_string_equal(got, rows[i][1]);
    }
}

static void expect_unescaped(const char *text, struct str wanted)
{
    struct json_scan s;
    json_scan_init(&s, str_from_c(text));
    assert_int_equal(json_scan_next(&s), JSON_TOKEN_STRING);
    struct buf out;
    buf_init(&out, 1 << 10);
    json_unescape(s.raw, &out);
    assert_int_equal(s.has_escape, s.raw.len != wanted.len || memchr(s.raw.ptr, '\\', s.raw.len) != NULL);
    assert_true(str_equal(buf_str(&out), wanted));
    buf_fini(&out);
}

static void test_strings(void **state)
{
    (void)state;
    expect_unescaped("\"abc defghi\"", STR("abc defghi"));
    expect_unescaped("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR("\"\\/\b\f\n\r\t"));
    expect_unescaped("\"\\u0041\\u00e4\\u20ac\"", STR("A\xc3\xa4\xe2\x82\xac"));
    expect_unescaped("\"\\ud83d\\ude00\"", STR("\xf0\x9f\x98\x80"));
    expect_unescaped("\"\\ud83d\"", STR("\xef\xbf\xbd"));
    expect_unescaped("\"\\ude00x\"", STR("\xef\xbf\xbdx"));
    expect_unescaped("\"\\ud83d\\u0041\"", STR("\xef\xbf\xbd"
                                               "A"));
    expect_unescaped("\"\\u0000\"", STR("\0"));
    expect_unescaped("\"\xf0\x9f\x98\x80 \xc3\xa4\"", STR("\xf0\x9f\x98\x80 \xc3\xa4"));
}

// A quote, a backslash or a control character at every place of a long string.
static void test_every_place(void **state)
{
    (void)state;
    for (size_t at = 1; at < 30; at++) {
        char text[32];
        memset(text, 'x', sizeof text);
        text[0] = text[31] = '"';
        struct json_scan s;
        text[at] = '"';
        json_scan_init(&s, (struct str){text, sizeof text});
        assert_int_equal(json_scan_next(&s), JSON_TOKEN_STRING);
        assert_int_equal(s.raw.len, at - 1);
        text[at] = 0x1f;
        json_scan_init(&s, (struct str){text, sizeof text});
        assert_int_equal(json_scan_next(&s), JSON_TOKEN_ERROR);
        assert_int_equal(s.token_pos, at);
        text[at] = '\\';
        text[at + 1] = 'n';
        json_scan_init(&s, (struct str){text, sizeof text});
        assert_int_equal(json_scan_next(&s), at == 30 ? JSON_TOKEN_ERROR : JSON_TOKEN_STRING);
        assert_true(s.has_escape);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char *text = mem_alloc(1 << 20);
    memset(text, '[', 1 << 20);
    struct json_scan s;
    json_scan_init(&s, (struct str){text, 1 << 20});
    for (uint32_t i = 0; i < JSON_DEPTH_MAX; i++) {
        assert_int_equal(json_scan_next(&s), JSON_TOKEN_ARRAY_BEGIN);
    }
    assert_int_equal(json_scan_next(&s), JSON_TOKEN_ERROR);
    struct error e;
    assert_int_equal(json_scan_fail(&s, &e), ERR_INVALID_REQUEST);
    assert_string_equal(e.text, "line 1, column 513: nested too deeply");
    mem_free(text);
}

static void test_skip(void **state)
{
    (void)state;
    struct json_scan s;
    json_scan_init(&s, STR("{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":3}"));
    json_scan_next(&s);
    enum json_token token = json_scan_next(&s);
    assert_int_equal(token, JSON_TOKEN_KEY);
    assert_true(json_scan_skip(&s, token));
    assert_int_equal(json_scan_next(&s), JSON_TOKEN_KEY);
    assert_true(str_equal(s.raw, STR("d")));
    token = json_scan_next(&s);
    assert_true(json_scan_skip(&s, token));
    assert_int_equal(json_scan_next(&s), JSON_TOKEN_OBJECT_END);
    json_scan_init(&s, STR("[[1,"));
    json_scan_next(&s);
    assert_false(json_scan_skip(&s, json_scan_next(&s)));
}

static void test_position(void **state)
{
    (void)state;
    struct json_scan s;
    struct error e;
    json_scan_init(&s, STR("{\"a\": 1,\n  \"b\": x}"));
    while (json_scan_next(&s) != JSON_TOKEN_ERROR) {
    }
    assert_int_equal(json_scan_fail(&s, &e), ERR_INVALID_REQUEST);
    assert_string_equal(e.text, "line 2, column 8: not a value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_strings), cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_depth),  cmocka_unit_test(test_skip),    cmocka_unit_test(test_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
