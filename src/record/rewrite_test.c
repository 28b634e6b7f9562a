// SPDX-License-Identifier: Apache-2.0
#include "record/rewrite.h"
#include "record/record_private.h"
#include "record/test_support.h"

// Of each batch the records whose offset is odd go, and those at a multiple of four get a header.
static struct rewrite_fate judge(void *arg, const struct record *record, int32_t index)
{
    static const struct record_header mark = {{"mark", 4}, {(const uint8_t *)"m", 1}};
    const int64_t *base = arg;
    assert_int_equal(record->offset - *base, index);
    return (struct rewrite_fate){
        .is_dropped = index % 2 == 1, .headers = &mark, .header_count = index % 4 == 0 ? 1 : 0};
}

static struct rewrite_fate drop_all(void *arg, const struct record *record, int32_t index)
{
    (void)arg, (void)record, (void)index;
    return (struct rewrite_fate){.is_dropped = true};
}

static void make(enum codec codec, int64_t base_offset, struct buf *out)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    options.base_offset = base_offset;
    options.producer_id = 77;
    options.producer_epoch = 3;
    options.base_sequence = 41;
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    for (int i = 0; i < 11; i++) {
        struct record_header header = {STR("own"), bytes_of(&i, sizeof i)};
        batch_builder_append(&b, T0 + i, text("key"), bytes_of(&i, sizeof i), &header, 1);
    }
    assert_int_equal(batch_builder_finish(&b, out, NULL), ERR_OK);
    batch_builder_fini(&b);
}

static void check_rewritten(struct codec_context *ctx, struct bytes batch, int64_t base_offset)
{
    struct record_iterator it;
    struct record record;
    assert_int_equal(record_iterator_init(&it, ctx, batch, NULL, NULL), ERR_OK);
    int count = 0;
    for (; record_iterator_next(&it, &record); count++) {
        int i = count * 2;
        assert_int_equal(record.offset, base_offset + i);
        assert_int_equal(record.timestamp, T0 + i);
        assert_memory_equal(record.value.ptr, &i, sizeof i);
        struct record_headers headers = record_headers_init(&record);
        struct record_header header;
        assert_true(record_headers_next(&headers, &header));
        assert_true(str_equal(header.key, STR("own")));
        assert_int_equal(record_headers_next(&headers, &header), i % 4 == 0);
        assert_false(i % 4 == 0 && !str_equal(header.key, STR("mark")));
        assert_false(record_headers_next(&headers, &header));
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    assert_int_equal(count, 6);
}

static void records_go_and_bounds_stay(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        int64_t base_offset = codec * 1000;
        struct buf in;
        struct buf out;
        buf_init(&in, 1 << 20);
        buf_init(&out, 1 << 20);
        make((enum codec)codec, base_offset, &in);
        int32_t count = -1;
        assert_int_equal(batch_rewrite(&builder, &ctx, buf_bytes(&in),
                                       (struct rewrite_judge){judge, &base_offset}, &out, &count, NULL),
                         ERR_OK);
        assert_int_equal(count, 6);
        struct batch_header h;
        assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
        assert_true(batch_crc_check(buf_bytes(&out)));
        assert_int_equal(h.last_offset_delta, 10);
        assert_int_equal(h.base_sequence, 41);
        assert_int_equal(h.producer_id, 77);
        assert_int_equal(h.producer_epoch, 3);
        assert_int_equal(batch_codec(&h), codec);
        assert_true(batch_is_transactional(&h));
        check_rewritten(&ctx, buf_bytes(&out), base_offset);
        buf_reset(&out);
        assert_int_equal(batch_rewrite(&builder, &ctx, buf_bytes(&in), (struct rewrite_judge){drop_all, NULL},
                                       &out, &count, NULL),
                         ERR_OK);
        assert_int_equal(count, 0);
        assert_int_equal(out.len, BATCH_HEADER_SIZE);
        assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
        assert_int_equal(h.last_offset_delta, 10);
        buf_fini(&in);
        buf_fini(&out);
    }
    batch_builder_fini(&builder);
    codec_context_fini(&ctx);
}

// All stay but for one: two runs.
static struct rewrite_fate drop_one(void *arg, const struct record *record, int32_t index)
{
    (void)arg, (void)record;
    return (struct rewrite_fate){.is_dropped = index == 3};
}

// Steps of any size make the same batch, also where its header has no base timestamp or one time for all.
static void steps_make_the_same_batch(void **state)
{
    (void)state;
    static int64_t base_offset = 70;
    static const struct rewrite_judge judges[] = {{judge, &base_offset}, {drop_all, NULL}, {drop_one, NULL}};
    static const size_t steps[] = {1, 40, SIZE_MAX};
    struct codec_context ctx = {0};
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int i = 0; i < 27; i++) {
        struct batch_header h;
        struct batch_rewriting r;
        struct buf in, want, out;
        int32_t count;
        bool is_done = false;
        buf_init(&in, 1 << 20);
        buf_init(&want, 1 << 20);
        buf_init(&out, 1 << 20);
        make(CODEC_NONE, base_offset, &in);
        if (i / 9 == 1) {
            store_be64(in.ptr + BATCH_AT_BASE_TIMESTAMP, (uint64_t)BATCH_NO_TIMESTAMP);
        } else if (i / 9 == 2) {
            store_be16(in.ptr + BATCH_AT_ATTRIBUTES, BATCH_ATTRIBUTE_LOG_APPEND_TIME);
        }
        assert_int_equal(batch_rewrite(&builder, &ctx, buf_bytes(&in), judges[i % 3], &want, &count, NULL),
                         ERR_OK);
        assert_int_equal(batch_header_read(buf_bytes(&in), &h, NULL), ERR_OK);
        struct bytes records = bytes_slice(buf_bytes(&in), BATCH_HEADER_SIZE, in.len - BATCH_HEADER_SIZE);
        batch_rewriting_begin(&r, &builder, &h, records, judges[i % 3]);
        while (!is_done) {
            assert_int_equal(batch_rewriting_step(&r, steps[i / 3 % 3], &is_done, NULL), ERR_OK);
        }
        assert_int_equal(batch_builder_finish(&builder, &out, NULL), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&want)));
        buf_fini(&in);
        buf_fini(&want);
        buf_fini(&out);
    }
    batch_builder_fini(&builder);
    codec_context_fini(&ctx);
}

static void what_is_damaged_leaves_nothing(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    struct buf in;
    struct buf out;
    int32_t count = 7;
    batch_builder_init(&builder, &options);
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    make(CODEC_LZ4, 0, &in);
    in.ptr[BATCH_HEADER_SIZE + 12] ^= 0xff;
    int64_t base_offset = 0;
    assert_int_not_equal(batch_rewrite(&builder, &ctx, buf_bytes(&in),
                                       (struct rewrite_judge){judge, &base_offset}, &out, &count, NULL),
                         ERR_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(count, 7);
    buf_fini(&in);
    buf_fini(&out);
    batch_builder_fini(&builder);
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_go_and_bounds_stay),
        cmocka_unit_test(steps_make_the_same_batch),
        cmocka_unit_test(what_is_damaged_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
