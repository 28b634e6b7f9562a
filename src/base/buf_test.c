// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_grows_and_keeps_content(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++) {
        buf_u8(&b, (uint8_t)i);
    }
    assert_false(b.failed);
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(b.ptr[i], (uint8_t)i);
    }
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_non_null(b.ptr);
    buf_fini(&b);
    assert_null(b.ptr);
}

static void test_limit_is_exact_and_sticky(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 1, 7, 255, 256, 257, 1000, 4096};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct buf b;
        buf_init(&b, limits[i]);
        for (size_t n = 0; n < limits[i]; n++) {
            buf_u8(&b, 1);
        }
        assert_false(b.failed);
        assert_true(b.cap <= limits[i]); // never holds more memory than the limit says
        buf_u8(&b, 1);
        assert_true(b.failed);
        assert_int_equal(b.len, limits[i]);
        assert_null(buf_reserve(&b, 0));
        buf_be64(&b, 1);
        buf_printf(&b, "x");
        assert_int_equal(b.len, limits[i]);
        buf_reset(&b);
        assert_false(b.failed);
        buf_fini(&b);
    }
}

static void test_absurd_sizes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    buf_append(&b, "ab", 2);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_reset(&b);
    assert_null(buf_reserve(&b, SIZE_MAX - 1));
    buf_fini(&b);

    struct buf zeroed = {0}; // a zeroed buf is a valid empty one with limit 0
    buf_append(&zeroed, NULL, 0);
    assert_false(zeroed.failed);
    buf_u8(&zeroed, 1);
    assert_true(zeroed.failed);
    buf_fini(&zeroed);
}

static void test_scalars(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_u8(&b, 0x01);
    buf_be16(&b, 0x0203);
    buf_be32(&b, 0x04050607);
    buf_be64(&b, 0x08090a0b0c0d0e0fULL);
    static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    assert_int_equal(b.len, sizeof expected);
    assert_memory_equal(b.ptr, expected, sizeof expected);
    buf_reset(&b);
    buf_append_str(&b, STR("top"));
    buf_printf(&b, "ic-%03d", 7);
    assert_true(str_equal(buf_str(&b), STR("topic-007")));
    buf_reset(&b);
    struct uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    buf_uuid(&b, id);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of(id.b, 16)));
    buf_fini(&b);
}

static void test_varints_read_back(void **state)
{
    (void)state;
    static const int64_t values[] = {0,         1,        -1,        63,        64,
                                     -64,       -65,      127,       128,       300,
                                     8191,      8192,     INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1,
                                     INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buf b;
        buf_init(&b, 64);
        buf_varlong(&b, values[i]);
        buf_varint(&b, (int32_t)values[i]);
        buf_uvarint(&b, (uint64_t)values[i]);
        buf_uvarint(&b, (uint32_t)values[i]);
        struct reader r = reader_init(buf_bytes(&b));
        assert_true(reader_varlong(&r) == values[i]);
        assert_int_equal(reader_varint(&r), (int32_t)values[i]);
        assert_true(reader_uvarint64(&r) == (uint64_t)values[i]);
        assert_int_equal(reader_uvarint(&r), (uint32_t)values[i]);
        assert_false(r.failed);
        assert_int_equal(reader_left(&r), 0);
        buf_fini(&b);
    }
}

static void test_varint_golden_bytes(void **state)
{
    (void)state;
    // Kafka's own examples of zigzag: 0, -1, 1, -2, 150.
    struct buf b;
    buf_init(&b, 64);
    buf_varint(&b, 0);
    buf_varint(&b, -1);
    buf_varint(&b, 1);
    buf_varint(&b, -2);
    buf_varint(&b, 150);
    static const uint8_t expected[] = {0, 1, 2, 3, 0xac, 0x02};
    assert_int_equal(b.len, sizeof expected);
    assert_memory_equal(b.ptr, expected, sizeof expected);
    buf_fini(&b);
}

// In borrowed memory it ends where that does, and leaves it to its owner.
static void test_borrowed(void **state)
{
    (void)state;
    uint8_t room[8];
    struct buf b = buf_borrow(room, sizeof room);
    buf_be32(&b, 1);
    buf_be32(&b, 2);
    assert_ptr_equal(b.ptr, room);
    assert_int_equal(b.len, 8);
    buf_u8(&b, 3);
    assert_true(b.failed);
    assert_ptr_equal(b.ptr, room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_keeps_content),
        cmocka_unit_test(test_limit_is_exact_and_sticky),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_varints_read_back),
        cmocka_unit_test(test_varint_golden_bytes),
        cmocka_unit_test(test_borrowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
