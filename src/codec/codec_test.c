// SPDX-License-Identifier: Apache-2.0
#include "codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

static uint64_t random_state = 88172645463325252u;

static uint32_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

// random_fill makes text of a small alphabet with runs, or noise.
static void random_fill(struct buf *b, size_t len, bool is_noise)
{
    buf_reset(b);
    while (b->len < len) {
        size_t run = 1 + random_next() % 20;
        uint8_t letter = (uint8_t)(is_noise ? random_next() : 'a' + random_next() % 4);
        for (size_t i = 0; i < run && b->len < len; i++) {
            buf_u8(b, is_noise ? (uint8_t)random_next() : letter);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < CODEC_COUNT; i++) {
        enum codec codec;
        assert_true(codec_parse(str_from_c(codec_name((enum codec)i)), &codec));
        assert_int_equal(codec, i);
    }
    enum codec codec = CODEC_ZSTD;
    assert_true(codec_parse(STR("uncompressed"), &codec));
    assert_int_equal(codec, CODEC_NONE);
    assert_false(codec_parse(STR("brotli"), &codec));
    assert_string_equal(codec_name((enum codec)7), "unknown");
}

static void test_limit(void **state)
{
    (void)state;
    assert_int_equal(codec_limit(NULL, 0), 4 << 20);
    assert_int_equal(codec_limit(NULL, 10000), 10000000);
    assert_int_equal(codec_limit(NULL, 1 << 20), 64 << 20);
    assert_int_equal(codec_limit(NULL, SIZE_MAX / 2), 64 << 20);
    struct codec_limits own = {.bytes_max = 100, .ratio_max = 2, .bytes_free = 10};
    assert_int_equal(codec_limit(&own, 1), 10);
    assert_int_equal(codec_limit(&own, 20), 40);
    assert_int_equal(codec_limit(&own, 80), 100);
}

// The reading step must not matter, nor what the context was used for before.
static void test_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 100, 4095, 32767, 32768, 32769, 200000};
    struct codec_context ctx = {0};
    struct buf plain, packed, back;
    buf_init(&plain, 1 << 20);
    buf_init(&packed, 1 << 20);
    buf_init(&back, 1 << 20);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            random_fill(&plain, lengths[i], i % 2 == 0);
            buf_reset(&packed);
            assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &packed, NULL), ERR_OK);
            buf_reset(&back);
            buf_append(&back, "x", 1);
            assert_int_equal(codec_decompress(&ctx, (enum codec)codec, buf_bytes(&packed), NULL, &back, NULL),
                             ERR_OK);
            assert_int_equal(back.len, plain.len + 1);
            assert_true(bytes_equal(bytes_slice(buf_bytes(&back), 1, plain.len), buf_bytes(&plain)));

            struct codec_stream stream;
            assert_int_equal(
                codec_stream_init(&stream, &ctx, (enum codec)codec, buf_bytes(&packed), NULL, NULL), ERR_OK);
            size_t total = 0;
            for (;;) {
                uint8_t piece[1000];
                size_t len;
                size_t cap = 1 + random_next() % sizeof piece;
                assert_int_equal(codec_stream_read(&stream, piece, cap, &len, NULL), ERR_OK);
                if (len == 0) {
                    break;
                }
                assert_true(total + len <= plain.len);
                assert_memory_equal(piece, plain.ptr + total, len);
                total += len;
            }
            assert_int_equal(total, plain.len);
            codec_stream_fini(&stream);
        }
    }
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
    codec_context_fini(&ctx);
}

static void test_output_limits(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf plain, packed, back;
    buf_init(&plain, 1 << 20);
    random_fill(&plain, 50000, false);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        buf_init(&packed, 1 << 20);
        assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &packed, NULL), ERR_OK);
        static const struct {
            size_t stream_max;
            size_t buf_max;
            enum err err;
        } rows[] = {
            {50000, 50000, ERR_OK},
            {49999, 60000, ERR_BATCH_TOO_LARGE},
            {60000, 49999, ERR_BATCH_TOO_LARGE},
            {60000, 60000, ERR_OK},
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct codec_limits limits = {.bytes_max = rows[i].stream_max, .ratio_max = 1000};
            buf_init(&back, rows[i].buf_max);
            enum err err =
                codec_decompress(&ctx, (enum codec)codec, buf_bytes(&packed), &limits, &back, NULL);
            bool is_unlimited = codec == CODEC_NONE && rows[i].buf_max >= 50000;
            assert_int_equal(err, is_unlimited ? ERR_OK : rows[i].err);
            buf_fini(&back);
        }
        buf_fini(&packed);
        if (codec != CODEC_NONE) {
            buf_init(&packed, 300);
            assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &packed, NULL),
                             ERR_BATCH_TOO_LARGE);
            buf_fini(&packed);
        }
    }
    buf_fini(&plain);
    codec_context_fini(&ctx);
}

static void test_unknown_codec(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct codec_stream stream;
    struct buf out;
    buf_init(&out, 100);
    for (int codec = CODEC_COUNT; codec < 8; codec++) {
        struct error e;
        assert_int_equal(codec_stream_init(&stream, &ctx, (enum codec)codec, bytes_of("x", 1), NULL, &e),
                         ERR_UNSUPPORTED_COMPRESSION);
        assert_int_equal(codec_compress((enum codec)codec, bytes_of("x", 1), &out, &e),
                         ERR_UNSUPPORTED_COMPRESSION);
    }
    buf_fini(&out);
    codec_context_fini(&ctx);
}

// Every proper prefix and any trailing byte must fail, and no flipped bit may crash or pass a limit.
static void test_truncated_trailing_flipped(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf plain, packed, back;
    buf_init(&plain, 1 << 20);
    buf_init(&packed, 1 << 20);
    buf_init(&back, 1 << 20);
    random_fill(&plain, 3000, false);
    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        buf_reset(&packed);
        assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &packed, NULL), ERR_OK);
        for (size_t len = 0; len < packed.len; len++) {
            // A snappy stream may end after its header, and after any block.
            if (codec == CODEC_SNAPPY && len == 16) {
                continue;
            }
            buf_reset(&back);
            uint8_t *exact = mem_alloc(len); // so that ASan sees a read past the end
            memcpy(exact, packed.ptr, len);
            assert_int_equal(
                codec_decompress(&ctx, (enum codec)codec, bytes_of(exact, len), NULL, &back, NULL),
                ERR_CORRUPT);
            mem_free(exact);
        }
        buf_append(&packed, "!", 1);
        buf_reset(&back);
        assert_int_equal(codec_decompress(&ctx, (enum codec)codec, buf_bytes(&packed), NULL, &back, NULL),
                         ERR_CORRUPT);
        packed.len--;
        for (size_t bit = 0; bit < packed.len * 8; bit += 3) {
            packed.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            buf_reset(&back);
            enum err err = codec_decompress(&ctx, (enum codec)codec, buf_bytes(&packed), NULL, &back, NULL);
            assert_true(err == ERR_OK || err == ERR_CORRUPT || err == ERR_BATCH_TOO_LARGE);
            packed.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
    codec_context_fini(&ctx);
}

// --- bombs: 1 GiB of zeros each
// -------------------------------------------------------------------------------

static const size_t bomb_bytes = (size_t)1 << 30;
static uint8_t zeros[4 << 20];

// A flushed piece of deflate output refers to nothing before it: repeating the piece repeats its output.
static void bomb_gzip(struct buf *out)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t piece[8192];
    z.next_in = zeros;
    z.avail_in = 1 << 20;
    z.next_out = piece;
    z.avail_out = sizeof piece;
    assert_int_equal(deflate(&z, Z_FULL_FLUSH), Z_OK);
    size_t len = sizeof piece - z.avail_out;
    buf_append(out, piece, len);
    for (size_t made = 1 << 20; made < bomb_bytes; made += 1 << 20) {
        buf_append(out, piece + 10, len - 10); // without the gzip header
    }
    deflateEnd(&z);
}

static void bomb_lz4(struct buf *out)
{
    struct buf frame;
    buf_init(&frame, 8 << 20);
    assert_int_equal(codec_compress(CODEC_LZ4, bytes_of(zeros, 65536), &frame, NULL), ERR_OK);
    size_t block = frame.len - 7 - 4; // header and end mark
    buf_append(out, frame.ptr, 7);
    for (size_t made = 0; made < bomb_bytes; made += 65536) {
        buf_append(out, frame.ptr + 7, block);
    }
    buf_append(out, frame.ptr + 7 + block, 4);
    buf_fini(&frame);
}

// Blocks of one repeated byte (RFC 8878, 3.1.1.2.2): 4 bytes stand for 128 KiB.
static void bomb_zstd(struct buf *out)
{
    static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}; // window 2 MiB
    buf_append(out, head, sizeof head);
    for (size_t made = 0; made < bomb_bytes; made += 128 << 10) {
        uint32_t block = (128u << 10) << 3 | 1u << 1 | (made + (128 << 10) >= bomb_bytes);
        uint8_t bytes[4] = {(uint8_t)block, (uint8_t)(block >> 8), (uint8_t)(block >> 16), 0};
        buf_append(out, bytes, 4);
    }
}

static void bomb_snappy(struct buf *out)
{
    struct buf frame;
    buf_init(&frame, 8 << 20);
    assert_int_equal(codec_compress(CODEC_SNAPPY, bytes_of(zeros, 32 << 10), &frame, NULL), ERR_OK);
    buf_append(out, frame.ptr, 16);
    for (size_t made = 0; made < bomb_bytes; made += 32 << 10) {
        buf_append(out, frame.ptr + 16, frame.len - 16);
    }
    buf_fini(&frame);
}

static size_t heap_peak;

static void *peak_alloc(size_t size)
{
    heap_peak = size > heap_peak ? size : heap_peak;
    return malloc(size);
}
static void *peak_realloc(void *ptr, size_t size)
{
    heap_peak = size > heap_peak ? size : heap_peak;
    return realloc(ptr, size);
}

static void test_bombs(void **state)
{
    (void)state;
    static const struct {
        enum codec codec;
        void (*make)(struct buf *);
    } rows[] = {
        {CODEC_GZIP, bomb_gzip}, {CODEC_LZ4, bomb_lz4}, {CODEC_ZSTD, bomb_zstd}, {CODEC_SNAPPY, bomb_snappy}};
    static const struct mem_hooks hooks = {peak_alloc, peak_realloc, free};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct codec_context ctx = {0};
        struct codec_stream stream;
        struct buf bomb;
        buf_init(&bomb, (size_t)128 << 20);
        rows[i].make(&bomb);
        assert_false(bomb.failed);
        mem_hooks_set(&hooks);
        heap_peak = 0;
        assert_int_equal(codec_stream_init(&stream, &ctx, rows[i].codec, buf_bytes(&bomb), NULL, NULL),
                         ERR_OK);
        size_t limit = codec_limit(NULL, bomb.len);
        size_t total = 0;
        enum err err;
        for (;;) {
            uint8_t piece[65536];
            size_t len = 0;
            err = codec_stream_read(&stream, piece, sizeof piece, &len, NULL);
            if (err != ERR_OK || len == 0) {
                break;
            }
            total += len;
        }
        assert_int_equal(err, ERR_BATCH_TOO_LARGE);
        assert_true(total <= limit && total + 65536 > limit);
        assert_true(heap_peak <= 64 << 10);
        size_t len;
        uint8_t byte;
        assert_int_equal(codec_stream_read(&stream, &byte, 1, &len, NULL), ERR_BATCH_TOO_LARGE);
        codec_stream_fini(&stream);
        mem_hooks_set(NULL);
        codec_context_fini(&ctx);
        buf_fini(&bomb);
    }
}

static void test_hostile_headers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum codec codec;
        size_t len;
        uint8_t bytes[40];
        enum err err;
    } rows[] = {
        {"snappy: 4 GiB declared", CODEC_SNAPPY, 6, {0xff, 0xff, 0xff, 0xff, 0x0f, 0}, ERR_CORRUPT},
        {"snappy: length varint of 6 bytes", CODEC_SNAPPY, 6, {0xff, 0xff, 0xff, 0xff, 0xff, 1}, ERR_CORRUPT},
        {"snappy: empty with a tail", CODEC_SNAPPY, 2, {0, 0}, ERR_CORRUPT},
        {"snappy: empty", CODEC_SNAPPY, 1, {0}, ERR_OK},
        {"xerial: block length -1",
         CODEC_SNAPPY,
         21,
         {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0},
         ERR_CORRUPT},
        {"xerial: a block of no bytes",
         CODEC_SNAPPY,
         20,
         {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
         ERR_CORRUPT},
        {"xerial: half a length",
         CODEC_SNAPPY,
         18,
         {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0},
         ERR_CORRUPT},
        {"zstd: window of 2^31", CODEC_ZSTD, 9, {0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0}, ERR_CORRUPT},
        {"zstd: a dictionary", CODEC_ZSTD, 10, {0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 9, 1, 0, 0}, ERR_CORRUPT},
        {"zstd: not a frame", CODEC_ZSTD, 8, {'n', 'o', 't', ' ', 'z', 's', 't', 'd'}, ERR_CORRUPT},
        {"gzip: zlib wrapper", CODEC_GZIP, 8, {0x78, 0x9c, 0x03, 0, 0, 0, 0, 1}, ERR_CORRUPT},
        {"lz4: bad header sum",
         CODEC_LZ4,
         11,
         {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x00, 0, 0, 0, 0},
         ERR_CORRUPT},
    };
    struct codec_context ctx = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        enum err err =
            codec_decompress(&ctx, rows[i].codec, bytes_of(rows[i].bytes, rows[i].len), NULL, &out, NULL);
        if (err != rows[i].err) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
        buf_fini(&out);
    }
    codec_context_fini(&ctx);
}

// Other writers: raw snappy blocks, several zstd frames, a stream whose size was not known when it began.
static void test_foreign_forms(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf plain, packed, back;
    buf_init(&plain, 1 << 20);
    buf_init(&packed, 1 << 20);
    buf_init(&back, 1 << 20);
    random_fill(&plain, 100000, false);

    size_t len = snappy_max_compressed_length(plain.len);
    uint8_t *at = buf_reserve(&packed, len);
    assert_int_equal(snappy_compress((char *)plain.ptr, plain.len, (char *)at, &len), SNAPPY_OK);
    packed.len = len;
    assert_int_equal(codec_decompress(&ctx, CODEC_SNAPPY, buf_bytes(&packed), NULL, &back, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));

    buf_reset(&packed);
    buf_reset(&back);
    assert_int_equal(codec_compress(CODEC_ZSTD, bytes_of(plain.ptr, 60000), &packed, NULL), ERR_OK);
    assert_int_equal(codec_compress(CODEC_ZSTD, bytes_of(plain.ptr + 60000, 40000), &packed, NULL), ERR_OK);
    assert_int_equal(codec_decompress(&ctx, CODEC_ZSTD, buf_bytes(&packed), NULL, &back, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));

    // The highest level declares a window of 128 MiB; such a context is not kept.
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, 27);
    buf_reset(&packed);
    buf_reset(&back);
    ZSTD_inBuffer from = {plain.ptr, plain.len, 0};
    ZSTD_outBuffer to = {buf_reserve(&packed, 200000), 200000, 0};
    assert_false(ZSTD_isError(ZSTD_compressStream2(cctx, &to, &from, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(cctx, &to, &from, ZSTD_e_end), 0);
    packed.len = to.pos;
    ZSTD_freeCCtx(cctx);
    assert_int_equal(codec_decompress(&ctx, CODEC_ZSTD, buf_bytes(&packed), NULL, &back, NULL), ERR_OK);
    assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));
    assert_null(ctx.zstd);

    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
    codec_context_fini(&ctx);
}

// A stream that fails or is left early must not spoil the context for the next. (liblz4 1.9.4's reset forgets
// how much of a declared content size is outstanding.)
static void test_context_after_failure(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf plain, packed, back;
    buf_init(&plain, 1 << 20);
    buf_init(&packed, 1 << 20);
    buf_init(&back, 1 << 20);
    random_fill(&plain, 100000, false);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        buf_reset(&packed);
        if (codec == CODEC_LZ4) {
            LZ4F_preferences_t preferences = {.frameInfo = {.contentSize = plain.len}};
            size_t cap = LZ4F_compressFrameBound(plain.len, &preferences);
            packed.len =
                LZ4F_compressFrame(buf_reserve(&packed, cap), cap, plain.ptr, plain.len, &preferences);
        } else {
            assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &packed, NULL), ERR_OK);
        }
        struct buf good;
        buf_init(&good, 1 << 20);
        assert_int_equal(codec_compress((enum codec)codec, buf_bytes(&plain), &good, NULL), ERR_OK);
        for (int way = 0; way < 2; way++) {
            struct codec_stream stream;
            uint8_t piece[10];
            size_t len;
            struct bytes in = bytes_of(packed.ptr, way == 0 ? packed.len : packed.len / 2);
            assert_int_equal(codec_stream_init(&stream, &ctx, (enum codec)codec, in, NULL, NULL), ERR_OK);
            enum err err = codec_stream_read(&stream, piece, sizeof piece, &len, NULL);
            assert_true(err == ERR_OK || (way == 1 && err == ERR_CORRUPT));
            codec_stream_fini(&stream);
            buf_reset(&back);
            assert_int_equal(codec_decompress(&ctx, (enum codec)codec, buf_bytes(&good), NULL, &back, NULL),
                             ERR_OK);
            assert_true(bytes_equal(buf_bytes(&plain), buf_bytes(&back)));
        }
        buf_fini(&good);
    }
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&back);
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_limit),
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_output_limits),
        cmocka_unit_test(test_unknown_codec), cmocka_unit_test(test_truncated_trailing_flipped),
        cmocka_unit_test(test_bombs),         cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_foreign_forms), cmocka_unit_test(test_context_after_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
