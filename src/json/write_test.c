// SPDX-License-Identifier: Apache-2.0
#include "json/write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(struct buf *out, const char *text)
{
    buf_u8(out, 0);
    assert_false(out->failed);
    assert_string_equal((const char *)out->ptr, text);
    buf_reset(out);
}

static void test_nesting_and_commas(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    struct json j = {.out = &out};
    json_object_begin(&j);
    json_pair_i64(&j, "a", -1);
    json_pair_bool(&j, "b", true);
    json_key(&j, "c");
    json_array_begin(&j);
    json_array_begin(&j);
    json_array_end(&j);
    json_object_begin(&j);
    json_object_end(&j);
    json_null(&j);
    json_i64(&j, INT64_MIN);
    json_array_end(&j);
    json_pair_str(&j, "d", (struct str){NULL, 0});
    json_pair_str(&j, "e", STR(""));
    json_object_end(&j);
    expect(&out, "{\"a\":-1,\"b\":true,\"c\":[[],{},null,-9223372036854775808],\"d\":null,\"e\":\"\"}");
    json_object_begin(&j); // a second document needs no comma
    json_object_end(&j);
    expect(&out, "{}");
    buf_fini(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {{0, "0"},
                {1, "1"},
                {-2.5, "-2.5"},
                {0.1, "0.1"},
                {1048576, "1048576"},
                {1e300, "1e+300"},
                {1.0 / 3, "0.33333333333333331"},
                {INFINITY, "null"},
                {NAN, "null"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 100);
        struct json json = {.out = &out};
        json_f64(&json, rows[i].number);
        assert_true(str_equal(buf_str(&out), str_from_c(rows[i].text)));
        buf_fini(&out);
    }
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {{"a\"b\\c/", 6}, "\"a\\\"b\\\\c/\""},
        {{"\b\t\n\v\f\r", 6}, "\"\\b\\t\\n\\u000b\\f\\r\""},
        {{"\0\x1f\x7f", 3}, "\"\\u0000\\u001f\\u007f\""},
        {{"caf\xc3\xa9 \xf0\x9f\x8c\x8a", 10}, "\"caf\xc3\xa9 \xf0\x9f\x8c\x8a\""},
        {{"a\xff\xfe", 3}, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xc3", 1}, "\"\xef\xbf\xbd\""},                                 // cut off
        {{"\xc0\xaf", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 // a long form of "/"
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, // a surrogate
    };
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json j = {.out = &out};
        json_str(&j, rows[i].in);
        expect(&out, rows[i].out);
    }
    buf_fini(&out);
}

static void test_bytes(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    struct json j = {.out = &out};
    json_object_begin(&j);
    json_pair_bytes(&j, "a", bytes_of("text", 4));
    json_pair_bytes(&j, "b", bytes_of(NULL, 0));
    json_pair_bytes(&j, "c", bytes_of("\xff\x00\x01", 3));
    json_object_end(&j);
    expect(&out, "{\"a\":\"text\",\"b\":null,\"c\":null,\"c_base64\":\"/wAB\"}");
    static const char *const base64[] = {"\"\"", "\"Zg==\"", "\"Zm8=\"", "\"Zm9v\"",
                                         "\"Zm9vYg==\""}; // RFC 4648 10
    for (size_t i = 0; i < 5; i++) {
        struct json one = {.out = &out};
        json_base64(&one, bytes_of("foobar", i));
        expect(&out, base64[i]);
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting_and_commas),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
