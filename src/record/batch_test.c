// SPDX-License-Identifier: Apache-2.0
#include "record/batch.h"

#include "record/test_support.h"

static void test_golden_header(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    golden_load("batch_v2_txn", &b);
    struct batch_header h;
    assert_int_equal(batch_header_read(buf_bytes(&b), &h, NULL), ERR_OK);
    assert_int_equal(h.base_offset, 0);
    assert_int_equal(h.size, 110);
    assert_int_equal(h.size, b.len);
    assert_int_equal(h.magic, 2);
    assert_int_equal(h.attributes, BATCH_ATTRIBUTE_TRANSACTIONAL);
    assert_int_equal(h.last_offset_delta, 2);
    assert_int_equal(h.base_timestamp, T0);
    assert_int_equal(h.max_timestamp, T0 + 5);
    assert_int_equal(h.producer_id, 4242);
    assert_int_equal(h.producer_epoch, 7);
    assert_int_equal(h.base_sequence, 100);
    assert_int_equal(h.record_count, 3);
    assert_int_equal(batch_last_offset(&h), 2);
    assert_int_equal(batch_last_sequence(&h), 102);
    assert_true(batch_is_transactional(&h));
    assert_false(batch_is_control(&h));
    assert_true(batch_crc_check(buf_bytes(&b)));
    buf_fini(&b);
}

static void test_last_sequence(void **state)
{
    (void)state;
    static const struct {
        int32_t base;
        int32_t delta;
        int32_t last;
    } rows[] = {
        {-1, 5, -1},
        {0, 0, 0},
        {10, 5, 15},
        {INT32_MAX, 0, INT32_MAX},
        {INT32_MAX, 1, 0},
        {INT32_MAX - 2, 5, 2},
        {0, INT32_MAX, INT32_MAX},
        {INT32_MAX, INT32_MAX, INT32_MAX - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_header h = {.base_sequence = rows[i].base, .last_offset_delta = rows[i].delta};
        assert_int_equal(batch_last_sequence(&h), rows[i].last);
    }
}

// One field of a good header is replaced; the checksum does not matter here.
static void test_hostile_headers(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        size_t size;
        int64_t value;
        enum err err;
    } rows[] = {
        {8, 4, 49, ERR_OK}, // a header without records may be read
        {8, 4, 48, ERR_CORRUPT},
        {8, 4, 0, ERR_CORRUPT},
        {8, 4, -1, ERR_CORRUPT},
        {8, 4, INT32_MAX, ERR_OK}, // more than is there: the caller compares sizes
        {16, 1, 0, ERR_INVALID_RECORD},
        {16, 1, 1, ERR_INVALID_RECORD},
        {16, 1, 3, ERR_CORRUPT},
        {16, 1, -1, ERR_CORRUPT},
        {0, 8, -1, ERR_CORRUPT},
        {0, 8, INT64_MAX - 2, ERR_OK},
        {0, 8, INT64_MAX - 1, ERR_CORRUPT},
        {23, 4, -1, ERR_CORRUPT},
        {23, 4, 1, ERR_CORRUPT}, // three records do not fit on two offsets
        {57, 4, -1, ERR_CORRUPT},
        {57, 4, INT32_MIN, ERR_CORRUPT},
        {57, 4, 4, ERR_CORRUPT},
        {57, 4, 0, ERR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        small_batch(&b, CODEC_NONE, 3);
        for (size_t k = 0; k < rows[i].size; k++) {
            b.ptr[rows[i].at + k] = (uint8_t)(rows[i].value >> 8 * (rows[i].size - 1 - k));
        }
        struct batch_header h;
        assert_int_equal(batch_header_read(buf_bytes(&b), &h, NULL), rows[i].err);
        size_t size;
        bool is_length = rows[i].at == 8;
        assert_int_equal(batch_size_peek(buf_bytes(&b), &size, NULL), is_length ? rows[i].err : ERR_OK);
        buf_fini(&b);
    }
}

static void test_short_input(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_NONE, 1);
    struct batch_header h;
    size_t size;
    for (size_t len = 0; len < BATCH_HEADER_SIZE; len++) {
        assert_int_equal(batch_header_read(bytes_of(b.ptr, len), &h, NULL), ERR_CORRUPT);
        assert_int_equal(batch_size_peek(bytes_of(b.ptr, len), &size, NULL), len < 12 ? ERR_CORRUPT : ERR_OK);
    }
    assert_int_equal(batch_header_read(bytes_of(b.ptr, BATCH_HEADER_SIZE), &h, NULL), ERR_OK);
    assert_int_equal(h.size, b.len);
    buf_fini(&b);
}

static void test_patches(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_ZSTD, 10);
    struct batch_header h;
    batch_patch(b.ptr, 123456789012, 42);
    assert_true(batch_crc_check(buf_bytes(&b)));
    assert_int_equal(batch_header_read(buf_bytes(&b), &h, NULL), ERR_OK);
    assert_int_equal(h.base_offset, 123456789012);
    assert_int_equal(h.leader_epoch, 42);
    assert_int_equal(h.max_timestamp, T0 + 9);

    batch_fix_max_timestamp(b.ptr, T0 + 5);
    assert_true(batch_crc_check(buf_bytes(&b)));
    assert_int_equal(batch_header_read(buf_bytes(&b), &h, NULL), ERR_OK);
    assert_int_equal(h.max_timestamp, T0 + 5);
    assert_false(batch_is_log_append_time(&h));

    batch_set_log_append_time(b.ptr, T0 + 1000);
    assert_true(batch_crc_check(buf_bytes(&b)));
    assert_int_equal(batch_header_read(buf_bytes(&b), &h, NULL), ERR_OK);
    assert_int_equal(h.max_timestamp, T0 + 1000);
    assert_true(batch_is_log_append_time(&h));
    assert_int_equal(batch_codec(&h), CODEC_ZSTD);
    assert_int_equal(h.base_offset, 123456789012);
    buf_fini(&b);
}

// The checksum sees every bit from the attributes on, and none before.
static void test_crc_covers(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_NONE, 3);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool is_outside = bit / 8 < 17;
        assert_int_equal(batch_crc_check(buf_bytes(&b)), is_outside);
        b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_header),   cmocka_unit_test(test_last_sequence),
        cmocka_unit_test(test_hostile_headers), cmocka_unit_test(test_short_input),
        cmocka_unit_test(test_patches),         cmocka_unit_test(test_crc_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
