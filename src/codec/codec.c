// SPDX-License-Identifier: Apache-2.0
// codec.c - names, limits and the reusable contexts.
#include "codec/codec_private.h"

#include <lz4frame.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

const struct codec_limits codec_limits_default = {
    .bytes_max = (size_t)64 << 20,
    .ratio_max = 1000,
    .bytes_free = (size_t)4 << 20,
};

const uint8_t xerial_header[XERIAL_HEADER_SIZE] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
};

static const char *const codec_names[CODEC_COUNT] = {"none", "gzip", "snappy", "lz4", "zstd"};

const char *codec_name(enum codec codec)
{
    return (unsigned)codec < CODEC_COUNT ? codec_names[codec] : "unknown";
}

bool codec_parse(struct str name, enum codec *ret)
{
    if (str_equal(name, STR("uncompressed"))) {
        *ret = CODEC_NONE;
        return true;
    }
    for (int i = 0; i < CODEC_COUNT; i++) {
        if (str_equal(name, str_from_c(codec_names[i]))) {
            *ret = (enum codec)i;
            return true;
        }
    }
    return false;
}

size_t codec_limit(const struct codec_limits *limits, size_t input_size)
{
    if (limits == NULL) {
        limits = &codec_limits_default;
    }
    size_t by_ratio;
    if (__builtin_mul_overflow(input_size, limits->ratio_max, &by_ratio)) {
        by_ratio = SIZE_MAX;
    }
    if (by_ratio < limits->bytes_free) {
        by_ratio = limits->bytes_free;
    }
    return by_ratio < limits->bytes_max ? by_ratio : limits->bytes_max;
}

void *codec_zlib_alloc(void *opaque, uInt count, uInt size)
{
    (void)opaque;
    return mem_array(count, size);
}

void codec_zlib_free(void *opaque, void *ptr)
{
    (void)opaque;
    mem_free(ptr);
}

void codec_context_fini(struct codec_context *ctx)
{
    ASSERT(!ctx->is_busy);
    if (ctx->gzip != NULL) {
        inflateEnd(ctx->gzip);
        mem_free(ctx->gzip);
    }
    LZ4F_freeDecompressionContext(ctx->lz4);
    ZSTD_freeDCtx(ctx->zstd);
    buf_fini(&ctx->block);
    buf_fini(&ctx->window);
    *ctx = (struct codec_context){0};
}

enum err codec_decompress(struct codec_context *ctx, enum codec codec, struct bytes in,
                          const struct codec_limits *limits, struct buf *out, struct error *e)
{
    struct codec_stream stream;
    enum err err = codec_stream_init(&stream, ctx, codec, in, limits, e);
    if (err != ERR_OK) {
        return err;
    }
    size_t step = codec == CODEC_NONE ? in.len : 4 * in.len;
    for (;;) {
        size_t room = out->limit - out->len;
        size_t want = step < 512 ? 512 : step > 128 << 10 ? 128 << 10 : step;
        uint8_t last; // with no room left the stream may still be at its end
        uint8_t *at = room == 0 ? &last : buf_reserve(out, want < room ? want : room);
        if (at == NULL) {
            err = FAIL(e, ERR_BATCH_TOO_LARGE, "the output buffer failed before");
            break;
        }
        size_t len;
        err = codec_stream_read(&stream, at, room == 0 ? 1 : want < room ? want : room, &len, e);
        if (err != ERR_OK || len == 0) {
            break;
        }
        if (room == 0) {
            err = FAIL(e, ERR_BATCH_TOO_LARGE, "%s output is over the buffer's %zu bytes", codec_name(codec),
                       out->limit);
            break;
        }
        out->len += len;
    }
    codec_stream_fini(&stream);
    return err;
}
