// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "record/build.h"
#include "record/check.h"
#include "record/recompress.h"

static void build(enum codec codec, struct buf *out)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    options.producer_id = 77;
    options.producer_epoch = 3;
    options.base_sequence = 41;
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    for (int i = 0; i < 100; i++) {
        static const char value[] = "the same words again and again and again";
        batch_builder_append(&b, 1000 + i, bytes_of(&i, sizeof i), bytes_of(value, sizeof value), NULL, 0);
    }
    assert_int_equal(batch_builder_finish(&b, out, NULL), ERR_OK);
    batch_builder_fini(&b);
}

// recompress does it in steps of so many bytes.
static enum err recompress(struct codec_context *ctx, struct bytes batch, enum codec codec, int level,
                           size_t bytes, struct buf *out, size_t *ret_steps)
{
    struct batch_recompressing r;
    bool is_done = false;
    enum err err = batch_recompressing_begin(&r, ctx, batch, codec, level, out, NULL);
    for (*ret_steps = 0; err == ERR_OK && !is_done; ++*ret_steps) {
        err = batch_recompressing_step(&r, bytes, &is_done, NULL);
    }
    batch_recompressing_end(&r);
    return err;
}

// Every codec into every other: what comes out is what that codec's own producer would have sent.
static void every_codec(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    for (int from = 0; from < CODEC_COUNT; from++) {
        for (int to = 0; to < CODEC_COUNT; to++) {
            struct buf in;
            struct buf want;
            struct buf out;
            buf_init(&in, 1 << 20);
            buf_init(&want, 1 << 20);
            buf_init(&out, 1 << 20);
            build((enum codec)from, &in);
            build((enum codec)to, &want);
            size_t steps;
            enum err err =
                recompress(&ctx, buf_bytes(&in), (enum codec)to, CODEC_LEVEL_DEFAULT, SIZE_MAX, &out, &steps);
            assert_int_equal(err, ERR_OK);
            assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&want)));
            struct batch_facts facts;
            struct batch_rules rules = {.batch_bytes_max = 1 << 20,
                                        .now_ms = 2000,
                                        .timestamp_before_max_ms = INT64_MAX,
                                        .timestamp_after_max_ms = INT64_MAX,
                                        .is_zstd_allowed = true};
            assert_int_equal(batch_check(&ctx, buf_bytes(&out), &rules, &facts, NULL), ERR_OK);
            assert_int_equal(facts.header.base_sequence, 41);
            buf_fini(&in);
            buf_fini(&want);
            buf_fini(&out);
        }
    }
    codec_context_fini(&ctx);
}

static void levels_and_limits(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    static const struct {
        enum codec codec;
        int level;
    } rows[] = {{CODEC_GZIP, 1}, {CODEC_GZIP, 9},       {CODEC_LZ4, 1},
                {CODEC_LZ4, 17}, {CODEC_ZSTD, -131072}, {CODEC_ZSTD, 22}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf in;
        struct buf out;
        struct buf back;
        buf_init(&in, 1 << 20);
        buf_init(&out, 1 << 20);
        buf_init(&back, 1 << 20);
        build(CODEC_NONE, &in);
        size_t steps;
        assert_int_equal(recompress(&ctx, buf_bytes(&in), rows[i].codec, rows[i].level, 1000, &out, &steps),
                         ERR_OK);
        assert_int_equal(recompress(&ctx, buf_bytes(&out), CODEC_NONE, 0, SIZE_MAX, &back, &steps), ERR_OK);
        assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&back)));
        buf_fini(&in);
        buf_fini(&out);
        buf_fini(&back);
    }
    struct buf in;
    struct buf out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 100);
    build(CODEC_GZIP, &in);
    size_t steps;
    assert_int_equal(recompress(&ctx, buf_bytes(&in), CODEC_NONE, 0, SIZE_MAX, &out, &steps),
                     ERR_BATCH_TOO_LARGE);
    buf_fini(&in);
    buf_fini(&out);
    codec_context_fini(&ctx);
}

// A step takes on a bounded part; what comes of many is a batch of the same records. Left early, nothing
// leaks.
static void in_steps(void **state)
{
    enum { STEP = 10000, RECORDS = 300, SIZE = 3000, BLOCK = 64 << 10 };
    (void)state;
    struct codec_context ctx = {0};
    static uint8_t value[SIZE];
    for (int from = 0; from < CODEC_COUNT; from++) {
        for (int to = 0; to < CODEC_COUNT; to++) {
            struct batch_options options = batch_options_default();
            struct batch_builder b;
            struct buf in, out, plain, back;
            buf_init(&in, 2 << 20);
            buf_init(&out, 2 << 20);
            buf_init(&plain, 2 << 20);
            buf_init(&back, 2 << 20);
            options.codec = (enum codec)from;
            batch_builder_init(&b, &options);
            for (int i = 0; i < RECORDS; i++) {
                for (size_t k = 0; k < SIZE; k++) {
                    value[k] = (uint8_t)('a' + (unsigned)(i * 7 + (int)k * 13 + (int)k / 100) % 17);
                }
                batch_builder_append(&b, 1000 + i, bytes_of(&i, sizeof i), bytes_of(value, SIZE), NULL, 0);
            }
            assert_int_equal(batch_builder_finish(&b, &in, NULL), ERR_OK);
            batch_builder_fini(&b);
            size_t steps, whole;
            assert_int_equal(
                recompress(&ctx, buf_bytes(&in), (enum codec)to, CODEC_LEVEL_DEFAULT, STEP, &out, &steps),
                ERR_OK);
            assert_true(batch_crc_check(buf_bytes(&out)));
            bool has_blocks = to == CODEC_LZ4 || to == CODEC_SNAPPY;
            assert_true(steps >= (size_t)RECORDS * SIZE / (has_blocks ? BLOCK : STEP));
            assert_int_equal(recompress(&ctx, buf_bytes(&in), CODEC_NONE, 0, SIZE_MAX, &plain, &whole),
                             ERR_OK);
            assert_int_equal(recompress(&ctx, buf_bytes(&out), CODEC_NONE, 0, SIZE_MAX, &back, &whole),
                             ERR_OK);
            assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));
            struct batch_recompressing r;
            bool is_done = false;
            buf_reset(&out);
            assert_int_equal(batch_recompressing_begin(&r, &ctx, buf_bytes(&in), (enum codec)to,
                                                       CODEC_LEVEL_DEFAULT, &out, NULL),
                             ERR_OK);
            for (size_t i = 0; i < steps / 2; i++) {
                assert_int_equal(batch_recompressing_step(&r, STEP, &is_done, NULL), ERR_OK);
                assert_false(is_done);
            }
            batch_recompressing_end(&r);
            buf_fini(&in);
            buf_fini(&out);
            buf_fini(&plain);
            buf_fini(&back);
        }
    }
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_codec), cmocka_unit_test(levels_and_limits),
                                       cmocka_unit_test(in_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
