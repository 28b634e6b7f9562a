// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_compare(void **state)
{
    (void)state;
    const struct {
        struct str a;
        struct str b;
        int order;
    } rows[] = {
        {STR(""), STR(""), 0},      {{NULL, 0}, STR(""), 0},        {STR("a"), STR("b"), -1},
        {STR("a"), STR("aa"), -1},  {STR("b"), STR("aa"), 1},       {STR("a"), STR(""), 1},
        {STR("\xff"), STR("a"), 1}, {STR("a\0b"), STR("a\0c"), -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int forward = str_compare(rows[i].a, rows[i].b);
        int backward = str_compare(rows[i].b, rows[i].a);
        assert_int_equal((forward > 0) - (forward < 0), rows[i].order);
        assert_int_equal((backward > 0) - (backward < 0), -rows[i].order);
        assert_int_equal(str_equal(rows[i].a, rows[i].b), rows[i].order == 0);
    }
    assert_true(str_has_prefix(STR("strom.durability"), STR("strom.")));
    assert_true(str_has_prefix(STR("a"), STR("")));
    assert_true(str_has_prefix((struct str){NULL, 0}, (struct str){NULL, 0}));
    assert_false(str_has_prefix(STR("st"), STR("strom")));
    assert_int_equal(str_from_c(NULL).len, 0);
    assert_null(str_from_c(NULL).ptr);
}

static void test_parse_i64(void **state)
{
    (void)state;
    const struct {
        struct str text;
        bool is_valid;
        int64_t value;
    } rows[] = {
        {STR("0"), true, 0},
        {STR("-0"), true, 0},
        {STR("-1"), true, -1},
        {STR("0042"), true, 42},
        {STR("9223372036854775807"), true, INT64_MAX},
        {STR("-9223372036854775808"), true, INT64_MIN},
        {STR("9223372036854775808"), false, 0},
        {STR("-9223372036854775809"), false, 0},
        {STR("99999999999999999999999"), false, 0},
        {STR(""), false, 0},
        {{NULL, 0}, false, 0},
        {STR("-"), false, 0},
        {STR("+1"), false, 0},
        {STR(" 1"), false, 0},
        {STR("1 "), false, 0},
        {STR("--1"), false, 0},
        {STR("1e3"), false, 0},
        {STR("1\0"), false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 77;
        assert_int_equal(str_parse_i64(rows[i].text, &value), rows[i].is_valid);
        assert_true(value == (rows[i].is_valid ? rows[i].value : 77)); // untouched on failure
    }
}

static void test_trim_and_cut(void **state)
{
    (void)state;
    assert_true(str_equal(str_trim(STR(" \t\r\n a b \n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim((struct str){NULL, 0}).len, 0);
    struct str rest;
    assert_true(str_equal(str_cut(STR("a=b=c"), '=', &rest), STR("a")));
    assert_true(str_equal(rest, STR("b=c")));
    assert_true(str_equal(str_cut(STR("a="), '=', &rest), STR("a")));
    assert_non_null(rest.ptr); // there was a separator: empty, not absent
    assert_int_equal(rest.len, 0);
    assert_true(str_equal(str_cut(STR("abc"), '=', &rest), STR("abc")));
    assert_null(rest.ptr);
    assert_int_equal(str_cut((struct str){NULL, 0}, '=', &rest).len, 0);
    assert_null(rest.ptr);
}

static void test_uuid_text(void **state)
{
    (void)state;
    // Kafka's METADATA_TOPIC_ID is 00000000-0000-0000-0000-000000000001.
    struct uuid one = {{[15] = 1}};
    char text[UUID_TEXT_SIZE];
    uuid_format(one, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAQ");
    assert_true(uuid_is_zero((struct uuid){{0}}));
    assert_false(uuid_is_zero(one));

    struct uuid u;
    for (int start = 0; start < 256; start++) {
        for (int i = 0; i < 16; i++) {
            u.b[i] = (uint8_t)(start + i * 37);
        }
        uuid_format(u, text);
        assert_int_equal(strlen(text), 22);
        struct uuid back;
        assert_true(uuid_parse(str_from_c(text), &back));
        assert_true(uuid_equal(u, back));
    }
    const struct str bad[] = {STR(""),
                              STR("AAAAAAAAAAAAAAAAAAAAA"),
                              STR("AAAAAAAAAAAAAAAAAAAAAAA"),
                              STR("AAAAAAAAAAAAAAAAAAAA+A"),
                              STR("AAAAAAAAAAAAAAAAAAAA/A"),
                              STR("AAAAAAAAAAAAAAAAAAAA=="),
                              STR("AAAAAAAAAAAAAAAAAAAA\0A")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(uuid_parse(bad[i], &u));
    }
}

static void test_reader_scalars(void **state)
{
    (void)state;
    static const uint8_t data[] = {0xff, 0x80, 0x00, 0xff, 0xff, 0xff, 0xfe, 0x80, 0,   0,
                                   0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff};
    struct reader r = reader_init(bytes_of(data, sizeof data));
    assert_int_equal(reader_i8(&r), -1);
    assert_int_equal(reader_i16(&r), INT16_MIN);
    assert_int_equal(reader_i32(&r), -2);
    assert_true(reader_i64(&r) == INT64_MIN);
    assert_int_equal(reader_u32(&r), UINT32_MAX);
    assert_false(r.failed);
    assert_int_equal(reader_left(&r), 0);
    assert_int_equal(reader_i8(&r), 0);
    assert_true(r.failed);
}

static void test_reader_fails_sticky(void **state)
{
    (void)state;
    static const uint8_t data[4] = {1, 2, 3, 4};
    struct reader r = reader_init(bytes_of(data, 4));
    assert_true(reader_i64(&r) == 0);
    assert_true(r.failed);
    assert_int_equal(reader_i8(&r), 0); // there are bytes, but not for a reader that failed
    assert_int_equal(reader_left(&r), 0);
    assert_true(uuid_is_zero(reader_uuid(&r)));
    r = reader_init(bytes_of(data, 4));
    assert_null(reader_take(&r, SIZE_MAX));
    assert_true(r.failed);
    r = reader_init((struct bytes){NULL, 0});
    assert_int_equal(reader_uvarint(&r), 0);
    assert_true(r.failed);
}

static void test_reader_varints(void **state)
{
    (void)state;
    const struct {
        struct str data;
        bool is_valid32;
        uint32_t value32;
        bool is_valid64;
        uint64_t value64;
    } rows[] = {
        {STR("\x00"), true, 0, true, 0},
        {STR("\x7f"), true, 127, true, 127},
        {STR("\x80\x01"), true, 128, true, 128},
        {STR("\x80\x00"), true, 0, true, 0}, // not minimal: Kafka accepts it
        {STR("\xff\xff\xff\xff\x0f"), true, UINT32_MAX, true, UINT32_MAX},
        {STR("\xff\xff\xff\xff\x1f"), false, 0, true, 0x1ffffffffULL},
        {STR("\x80\x80\x80\x80\x80\x01"), false, 0, true, 1ULL << 35},
        {STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false, 0, true, UINT64_MAX},
        {STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), false, 0, false, 0},
        {STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), false, 0, false, 0},
        {STR("\x80"), false, 0, false, 0},
        {STR(""), false, 0, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader r = reader_init(bytes_of(rows[i].data.ptr, rows[i].data.len));
        assert_int_equal(reader_uvarint(&r), rows[i].value32);
        assert_int_equal(r.failed, !rows[i].is_valid32);
        r = reader_init(bytes_of(rows[i].data.ptr, rows[i].data.len));
        assert_true(reader_uvarint64(&r) == rows[i].value64);
        assert_int_equal(r.failed, !rows[i].is_valid64);
    }
}

static void test_scalars_at_an_address(void **state)
{
    (void)state;
    uint8_t p[9] = {0};
    store_be64(p + 1, 0x0102030405060708ULL); // unaligned on purpose
    assert_int_equal(p[1], 1);
    assert_int_equal(p[8], 8);
    assert_true(load_be64(p + 1) == 0x0102030405060708ULL);
    assert_int_equal(load_be32(p + 1), 0x01020304);
    assert_int_equal(load_be16(p + 1), 0x0102);
    store_be32(p + 1, 0xa1a2a3a4);
    store_be16(p + 1, 0xb1b2);
    assert_int_equal(load_be32(p + 1), 0xb1b2a3a4);
    assert_true(bytes_equal(bytes_slice(bytes_of(p, 9), 1, 2), bytes_of("\xb1\xb2", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),        cmocka_unit_test(test_parse_i64),
        cmocka_unit_test(test_trim_and_cut),   cmocka_unit_test(test_uuid_text),
        cmocka_unit_test(test_reader_scalars), cmocka_unit_test(test_reader_fails_sticky),
        cmocka_unit_test(test_reader_varints), cmocka_unit_test(test_scalars_at_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
