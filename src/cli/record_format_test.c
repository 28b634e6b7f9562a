// SPDX-License-Identifier: Apache-2.0
#include "cli/record_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

// Headers as coded in a record: varint length, key, varint length or -1, value.
static const uint8_t headers_raw[] = {2, 'a', 2, '1', 4, 'b', 'b', 1};

static const struct record_place place = {{"orders", 6}, 3};
static const struct record record = {
    .offset = 42,
    .timestamp = 1700000000000,
    .key = {(const uint8_t *)"k", 1},
    .value = {(const uint8_t *)"v\0w", 3},
    .headers_raw = {headers_raw, sizeof headers_raw},
    .header_count = 2,
};
static const struct record nulls = {.offset = 1, .timestamp = -1};

static void expect(const char *format, const struct record *of, const char *text, size_t len)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    struct error e = {0};
    if (record_format_check(str_from_c(format), &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    record_format_print(str_from_c(format), STR("NULL"), &place, of, &out);
    assert_int_equal(out.len, len);
    assert_memory_equal(len == 0 ? (const uint8_t *)"" : out.ptr, text, len);
    buf_fini(&out);
}

static void test_formats(void **state)
{
    (void)state;
    expect("%v\\n", &record, "v\0w\n", 4);
    expect("%s", &record, "v\0w", 3);
    expect("%t/%p@%o %T", &record, "orders/3@42 1700000000000", 25);
    expect("%k=%K,%S", &record, "k=1,3", 5);
    expect("[%h]", &record, "[a=1,bb=NULL]", 13);
    expect("100%%\\t\\\\\\r\\0\\x41\\x7e", &record, "100%\t\\\r\0A~", 10);
    expect("%k %v %K %S %h.", &nulls, "NULL NULL -1 -1 .", 17);
    expect("", &record, "", 0);
    expect("plain", &record, "plain", 5);
}

static void test_bad_formats(void **state)
{
    (void)state;
    static const char *const rows[] = {"%", "a%", "%q", "\\", "\\q", "\\x", "\\x4", "\\xg0", "%v\\"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e = {0};
        if (record_format_check(str_from_c(rows[i]), &e) != ERR_INVALID_REQUEST) {
            fail_msg("\"%s\" was taken", rows[i]);
        }
        assert_true(e.text[0] != '\0');
    }
    assert_int_equal(record_format_check((struct str){"%\0", 2}, NULL), ERR_INVALID_REQUEST);
}

static void test_json(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    struct json json = {.out = &out};
    record_json_print(&place, &record, &json);
    record_json_print(&place, &nulls, &json);
    buf_u8(&out, 0);
    assert_string_equal((const char *)out.ptr,
                        "{\"topic\":\"orders\",\"partition\":3,\"offset\":42,\"timestamp\":1700000000000,"
                        "\"key\":\"k\",\"value\":\"v\\u0000w\","
                        "\"headers\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"bb\",\"value\":null}]}\n"
                        "{\"topic\":\"orders\",\"partition\":3,\"offset\":1,\"timestamp\":-1,"
                        "\"key\":null,\"value\":null,\"headers\":[]}\n");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_bad_formats),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
