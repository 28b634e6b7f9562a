// SPDX-License-Identifier: Apache-2.0
#include "json/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void expect_print(const char *text, bool is_sorted, const char *wanted)
{
    struct arena arena;
    struct buf out;
    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 20);
    struct json_value *v = NULL;
    struct error e = {0};
    assert_int_equal(json_parse(str_from_c(text), &arena, &v, &e), ERR_OK);
    json_print(v, is_sorted, &out);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr, wanted);
    buf_fini(&out);
    arena_fini(&arena);
}

static void test_print(void **state)
{
    (void)state;
    expect_print(" { \"b\" : [ 1.10 , true ] , \"a\" : \"x\\u0041\\n\" } ", false,
                 "{\"b\":[1.10,true],\"a\":\"xA\\n\"}");
    expect_print("{\"b\":{\"d\":1,\"c\":2},\"a\":null}", true, "{\"a\":null,\"b\":{\"c\":2,\"d\":1}}");
    expect_print("\"\\u0001\\u007f\\\"\\\\\\/\"", false, "\"\\u0001\x7f\\\"\\\\/\"");
    expect_print("{\"a\":1,\"b\":2,\"a\":3}", false, "{\"a\":3,\"b\":2}");
    expect_print("{\"b\":2,\"a\":1,\"a\":3}", false, "{\"b\":2,\"a\":3}");
    expect_print("{\"a\":{\"x\":1,\"y\":[2]},\"b\":0,\"a\":{\"y\":3,\"z\":{}}}", false,
                 "{\"a\":{\"y\":3,\"z\":{}},\"b\":0}");
    expect_print("{\"a\":[1,{\"a\":2}],\"a\":true,\"c\":1,\"a\":[[4]]}", false, "{\"a\":[[4]],\"c\":1}");
    expect_print("[]", true, "[]");
    expect_print("{\"\":{}}", true, "{\"\":{}}");
}

static void test_get(void **state)
{
    (void)state;
    struct arena arena;
    struct buf text;
    arena_init(&arena, 8 << 20);
    buf_init(&text, 1 << 20);
    buf_u8(&text, '{');
    for (int i = 0; i < 2000; i++) {
        buf_printf(&text, "%s\"key-%d\":%d", i == 0 ? "" : ",", i % 1500, i);
    }
    buf_u8(&text, '}');
    struct json_value *v = NULL;
    assert_int_equal(json_parse(buf_str(&text), &arena, &v, NULL), ERR_OK);
    assert_int_equal(v->count, 1500);
    for (int i = 0; i < 1500; i++) {
        char key[16];
        int64_t number = -1;
        snprintf(key, sizeof key, "key-%d", i);
        assert_true(json_value_i64(json_get(v, str_from_c(key)), &number));
        assert_int_equal(number, i < 500 ? i + 1500 : i);
    }
    assert_null(json_get(v, STR("key-1500")));
    assert_null(json_get(v->first, STR("a")));
    struct json_value *added = json_new(&arena, JSON_STRING);
    added->key = STR("more");
    added->text = STR("x");
    json_append(v, added);
    assert_true(str_equal(json_get_str(v, STR("more")), STR("x")));
    buf_fini(&text);
    arena_fini(&arena);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_integer;
        int64_t number;
    } rows[] = {
        {"0", true, 0},
        {"-1", true, -1},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"1.0", true, 1},
        {"1e3", true, 1000},
        {"1.5", false, 0},
        {"1e300", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_value v = {.type = JSON_NUMBER, .text = str_from_c(rows[i].text)};
        int64_t number = 0;
        assert_int_equal(json_value_i64(&v, &number), rows[i].is_integer);
        assert_int_equal(number, rows[i].number);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    struct json_value *v = NULL;
    struct error e = {0};
    char text[2048];
    memset(text, '[', sizeof text);
    assert_int_equal(json_parse((struct str){text, sizeof text}, &arena, &v, &e), ERR_NO_MEMORY);
    assert_null(v);
    arena_reset(&arena);
    assert_int_equal(json_parse(STR("{\"a\":}"), &arena, &v, &e), ERR_INVALID_REQUEST);
    assert_string_equal(e.text, "line 1, column 6: not a value");
    arena_fini(&arena);
}

// A member that comes again and again costs what one costs, however many stand before it.
static void test_repeated(void **state)
{
    (void)state;
    enum { COUNT = 50000, CPU_SECONDS_MAX = 2 };
    struct arena arena;
    struct buf text;
    struct json_value *v = NULL;
    arena_init(&arena, 64 << 20);
    buf_init(&text, 4 << 20);
    buf_u8(&text, '{');
    for (int i = 0; i < 2 * COUNT; i++) {
        buf_printf(&text, "%s\"%d\":%d", i == 0 ? "" : ",", i < COUNT ? i : COUNT - 1, i);
    }
    buf_u8(&text, '}');
    clock_t begin = clock();
    assert_int_equal(json_parse(buf_str(&text), &arena, &v, NULL), ERR_OK);
    assert_true(clock() - begin < CPU_SECONDS_MAX * CLOCKS_PER_SEC);
    int64_t last;
    assert_int_equal(v->count, COUNT);
    assert_true(json_value_i64(v->last, &last) && last == 2 * COUNT - 1);
    assert_ptr_equal(json_get(v, STR("49999")), v->last);
    buf_fini(&text);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),  cmocka_unit_test(test_get),      cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
