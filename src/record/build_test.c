// SPDX-License-Identifier: Apache-2.0
#include "record/build.h"

#include "record/record_private.h"
#include "record/test_support.h"

// Our bytes are those of another implementation, checksum included.
static void test_golden(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t producer_id;
        int16_t producer_epoch;
        int32_t base_sequence;
        int16_t attributes;
    } rows[] = {
        {"batch_v2_plain", -1, -1, -1, 0},
        {"batch_v2_txn", 4242, 7, 100, BATCH_ATTRIBUTE_TRANSACTIONAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_options options = batch_options_default();
        options.producer_id = rows[i].producer_id;
        options.producer_epoch = rows[i].producer_epoch;
        options.base_sequence = rows[i].base_sequence;
        options.attributes = rows[i].attributes;
        struct batch_builder b;
        batch_builder_init(&b, &options);
        const struct record_header one[] = {{STR("h"), text("1")}, {STR("trace"), text("")}};
        const struct record_header two[] = {{STR("n"), text("x")}};
        batch_builder_append(&b, T0, text("k0"), text("v0"), NULL, 0);
        batch_builder_append(&b, T0 + 5, text(NULL), text("value one"), one, 2);
        batch_builder_append(&b, T0 + 2, text(""), text(NULL), two, 1);
        struct buf ours, golden;
        buf_init(&ours, 1 << 16);
        buf_init(&golden, 1 << 16);
        assert_int_equal(batch_builder_finish(&b, &ours, NULL), ERR_OK);
        golden_load(rows[i].name, &golden);
        // That client leaves leader epoch 0 in the header, outside the sum.
        batch_patch(ours.ptr, 0, 0);
        assert_int_equal(ours.len, golden.len);
        assert_memory_equal(ours.ptr, golden.ptr, ours.len);
        batch_builder_fini(&b);
        buf_fini(&ours);
        buf_fini(&golden);
    }
}

// What compaction does: take a batch apart, leave records out, keep offsets and the covered range.
static void test_rebuild_with_gaps(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf from, to;
    buf_init(&from, 1 << 16);
    buf_init(&to, 1 << 16);
    golden_load("batch_v2_zstd", &from);
    batch_patch(from.ptr, 5000, 1);
    struct batch_options options = batch_options_default();
    options.base_offset = 5000;
    options.codec = CODEC_LZ4;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    struct record_iterator it;
    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&from), NULL, NULL), ERR_OK);
    struct record r;
    while (record_iterator_next(&it, &r)) {
        if (r.offset % 7 == 4) {
            batch_builder_append_record(&b, &r);
        }
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    batch_builder_extend(&b, 5099);
    batch_builder_extend(&b, 5050); // never shrinks
    assert_int_equal(batch_builder_finish(&b, &to, NULL), ERR_OK);
    struct batch_header h;
    assert_int_equal(batch_header_read(buf_bytes(&to), &h, NULL), ERR_OK);
    assert_int_equal(h.base_offset, 5000);
    assert_int_equal(batch_last_offset(&h), 5099);
    assert_int_equal(h.record_count, 14);
    assert_true(batch_crc_check(buf_bytes(&to)));

    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&to), NULL, NULL), ERR_OK);
    int64_t expected = 5002; // the first from 5000 that is 4 modulo 7
    while (record_iterator_next(&it, &r)) {
        assert_int_equal(r.offset, expected);
        assert_int_equal(r.timestamp, T0 + expected - 5000);
        expected += 7;
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    assert_int_equal(expected, 5100);
    int64_t offset;
    int64_t timestamp;
    assert_int_equal(batch_find_timestamp(&ctx, buf_bytes(&to), T0 + 10, &offset, &timestamp, NULL), ERR_OK);
    assert_int_equal(offset, 5016);
    batch_builder_fini(&b);
    buf_fini(&from);
    buf_fini(&to);
    codec_context_fini(&ctx);
}

static void test_empty_batch(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct batch_options options = batch_options_default();
        options.codec = (enum codec)codec;
        options.base_offset = 10;
        options.producer_id = 9;
        struct batch_builder b;
        batch_builder_init(&b, &options);
        struct buf out;
        buf_init(&out, 1 << 16);
        assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_INVALID_RECORD);
        assert_int_equal(out.len, 0);
        batch_builder_reset(&b, &options);
        batch_builder_extend(&b, 19);
        assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
        assert_int_equal(out.len, BATCH_HEADER_SIZE);
        struct batch_header h;
        assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
        assert_int_equal(batch_last_offset(&h), 19);
        assert_int_equal(h.record_count, 0);
        struct record_iterator it;
        struct record r;
        assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&out), NULL, NULL), ERR_OK);
        assert_false(record_iterator_next(&it, &r));
        assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
        int64_t offset;
        int64_t timestamp;
        assert_int_equal(batch_find_max_timestamp(&ctx, buf_bytes(&out), &offset, &timestamp, NULL), ERR_OK);
        assert_int_equal(offset, -1);
        assert_int_equal(timestamp, -1);
        batch_builder_fini(&b);
        buf_fini(&out);
    }
    codec_context_fini(&ctx);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t offset;
        int64_t timestamp;
    } rows[] = {
        {"offset below the base", 99, 0},
        {"offset not above the last", 100, 0},
        {"offset too far", 100 + (int64_t)INT32_MAX + 1, 0},
        {"offset overflows", INT64_MIN, 0},
        {"timestamp overflows", 101, INT64_MIN},
    };
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_options options = batch_options_default();
        options.base_offset = 100;
        struct batch_builder b;
        batch_builder_init(&b, &options);
        batch_builder_append(&b, T0, text("k"), text("v"), NULL, 0);
        struct record r = {.offset = rows[i].offset, .timestamp = rows[i].timestamp};
        batch_builder_append_record(&b, &r);
        if (batch_builder_finish(&b, &out, NULL) != ERR_INVALID_RECORD || out.len != 0) {
            fail_msg("%s", rows[i].what);
        }
        batch_builder_fini(&b);
    }
    struct batch_options options = batch_options_default();
    options.bytes_max = 1000;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    static const uint8_t big[1001];
    batch_builder_append(&b, T0, text("k"), bytes_of(big, 939), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_BATCH_TOO_LARGE); // with its header
    batch_builder_append(&b, T0, text("k"), bytes_of(big, sizeof big), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_BATCH_TOO_LARGE);
    batch_builder_reset(&b, &options);
    batch_builder_append(&b, T0, text("k"), text("v"), NULL, 0);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    batch_builder_fini(&b);
    buf_fini(&out);
}

static void control_record_read(struct bytes batch, int64_t offset, int16_t *ret_type, int32_t *ret_epoch)
{
    struct codec_context ctx = {0};
    struct record_iterator it;
    struct record r;
    assert_true(batch_crc_check(batch));
    assert_int_equal(record_iterator_init(&it, &ctx, batch, NULL, NULL), ERR_OK);
    assert_true(batch_is_control(&it.header));
    assert_int_equal(it.header.base_sequence, -1);
    assert_true(record_iterator_next(&it, &r));
    assert_int_equal(r.offset, offset);
    assert_int_equal(r.timestamp, T0);
    assert_true(control_type_read(r.key, ret_type));
    assert_int_equal(r.value.len, 6);
    *ret_epoch = (int32_t)load_be32(r.value.ptr + 2);
    assert_false(record_iterator_next(&it, &r));
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
}

static void test_control(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    int16_t type;
    int32_t epoch;
    struct batch_header h;
    assert_int_equal(batch_marker_build(&out, 77, T0, 4242, 7, CONTROL_ABORT, 12, NULL), ERR_OK);
    control_record_read(buf_bytes(&out), 77, &type, &epoch);
    assert_int_equal(type, 0);
    assert_int_equal(epoch, 12);
    assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
    assert_int_equal(h.producer_id, 4242);
    assert_int_equal(h.producer_epoch, 7);
    assert_true(batch_is_transactional(&h));
    assert_int_equal(batch_last_offset(&h), 77);
    assert_int_equal(h.size, 78); // as Kafka's markers

    buf_reset(&out);
    assert_int_equal(batch_marker_build(&out, 77, T0, 4242, 7, CONTROL_COMMIT, 12, NULL), ERR_OK);
    control_record_read(buf_bytes(&out), 77, &type, &epoch);
    assert_int_equal(type, 1);

    buf_reset(&out);
    assert_int_equal(batch_gap_build(&out, 1234567, T0, NULL), ERR_OK);
    control_record_read(buf_bytes(&out), 1234567, &type, &epoch);
    assert_int_equal(type, 1);
    assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
    assert_int_equal(h.producer_id, -1);
    assert_false(batch_is_transactional(&h));
    buf_fini(&out);

    assert_false(control_type_read(bytes_of("\0\0\0", 3), &type));
    assert_false(control_type_read(bytes_of("\xff\xff\0\1", 4), &type));
    assert_false(control_type_read(bytes_of(NULL, 0), &type));
}

// Lengths on both sides of where a varint takes a byte more, and headers that were coded before: what is
// written is read again.
static void test_lengths_and_coded_headers(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 63, 64, 8191, 8192, (1 << 20) - 1, 1 << 20};
    enum { LENS = sizeof lens / sizeof *lens };
    uint8_t *value = calloc(1, lens[LENS - 1] + 1);
    assert_non_null(value);
    struct batch_options options = batch_options_default();
    struct batch_builder b;
    struct buf coded, out;
    buf_init(&coded, 1 << 24);
    buf_init(&out, 1 << 24);
    batch_builder_init(&b, &options);
    for (size_t i = 0; i < LENS; i++) {
        struct bytes bytes = bytes_of(value, lens[i]);
        const struct record_header headers[] = {{STR("a"), bytes}, {STR(""), bytes_of(NULL, 0)}};
        const struct record own = {.timestamp = T0 + (int64_t)lens[i],
                                   .key = i % 2 == 0 ? text(NULL) : bytes,
                                   .value = bytes,
                                   .headers_raw = buf_bytes(&coded),
                                   .header_count = i == 0 ? 0 : 2};
        struct buf more;
        buf_init(&more, 1 << 24);
        record_headers_encode(headers, 2, &more);
        batch_builder_append_coded(&b, &own, (int64_t)(2 * i), buf_bytes(&more), 2);
        batch_builder_append_with(&b, &own, (int64_t)(2 * i + 1), headers, 2);
        buf_reset(&coded);
        buf_append(&coded, more.ptr, more.len); // own headers of the next one
        buf_fini(&more);
    }
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    struct record_iterator it;
    struct record r;
    assert_int_equal(record_iterator_init(&it, NULL, buf_bytes(&out), NULL, NULL), ERR_OK);
    for (size_t i = 0; i < (size_t)2 * LENS; i++) {
        assert_true(record_iterator_next(&it, &r));
        assert_int_equal(r.offset, i);
        assert_int_equal(r.timestamp, T0 + (int64_t)lens[i / 2]);
        assert_int_equal(r.value.len, lens[i / 2]);
        assert_int_equal(r.header_count, i < 2 ? 2 : 4);
        struct record_headers headers = record_headers_init(&r);
        struct record_header header;
        for (int32_t k = 0; k < r.header_count; k++) {
            assert_true(record_headers_next(&headers, &header));
            bool is_own = k < r.header_count - 2;
            assert_int_equal(header.key.len, k % 2 == 0 ? 1 : 0);
            assert_int_equal(header.value.len, k % 2 != 0 ? 0 : lens[i / 2 - is_own]);
        }
    }
    assert_false(record_iterator_next(&it, &r));
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    buf_fini(&coded);
    buf_init(&coded, 4);
    const struct record_header large = {STR("name"), text("value")};
    record_headers_encode(&large, 1, &coded);
    assert_true(coded.failed);
    buf_fini(&coded);
    batch_builder_fini(&b);
    buf_fini(&out);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_rebuild_with_gaps),
        cmocka_unit_test(test_empty_batch), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_control),     cmocka_unit_test(test_lengths_and_coded_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
