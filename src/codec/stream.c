// SPDX-License-Identifier: Apache-2.0
// stream.c - decompression in pieces. Each codec's step moves input to output; codec_stream_read calls steps
// until there is output, the end or an error, and holds the limit. Every step takes input, gives output, ends
// or fails, so the work is bounded by input plus limit.
#include "codec/codec_private.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    CONTEXT_KEEP_BYTES = 1 << 20, // a scratch buffer larger than this is freed when the stream ends
    ZSTD_KEEP_BYTES = 16 << 20,   // the same for zstd's context, whose window may be 128 MiB
    // zstd's highest level writes windows of 2^27 for streams of unknown size. A window's memory is touched
    // only as far as output fills it, which the limit bounds.
    ZSTD_WINDOW_LOG_MAX = 27,
    // No snappy element yields more than 64 bytes from 3 (format description, section 2.2).
    SNAPPY_RATIO_MAX = 22,
};

static enum err damaged(struct codec_stream *s, struct error *e, const char *why)
{
    s->err = FAIL(e, ERR_CORRUPT, "%s: %s", codec_name(s->codec), why);
    return s->err;
}

static enum err too_large(struct codec_stream *s, struct error *e)
{
    s->err = FAIL(e, ERR_BATCH_TOO_LARGE, "%s: decompresses to more than %zu bytes", codec_name(s->codec),
                  s->limit);
    return s->err;
}

static void gzip_open(struct codec_context *ctx)
{
    int ret;
    if (ctx->gzip == NULL) {
        z_stream *z = mem_zalloc(sizeof *z);
        z->zalloc = codec_zlib_alloc;
        z->zfree = codec_zlib_free;
        ret = inflateInit2(z, GZIP_WINDOW_BITS);
        ctx->gzip = z;
    } else {
        ret = inflateReset(ctx->gzip);
    }
    ASSERT(ret == Z_OK);
}

static enum err gzip_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len, struct error *e)
{
    z_stream *z = s->ctx->gzip;
    z->next_in = (Bytef *)s->in.ptr;
    z->avail_in = (uInt)s->in.len;
    z->next_out = out;
    z->avail_out = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
    uInt room = z->avail_out;
    int ret = inflate(z, Z_NO_FLUSH);
    s->in = bytes_of(z->next_in, z->avail_in);
    *ret_len = room - z->avail_out;
    if (ret == Z_STREAM_END) {
        if (s->in.len > 0) {
            return damaged(s, e, "bytes after the end");
        }
        s->is_ended = true;
    } else if (ret == Z_BUF_ERROR) {
        return damaged(s, e, "truncated");
    } else if (ret != Z_OK) {
        return damaged(s, e, z->msg != NULL ? z->msg : "malformed");
    }
    return ERR_OK;
}

static void lz4_open(struct codec_context *ctx)
{
    if (ctx->lz4 == NULL) {
        LZ4F_dctx *dctx = NULL;
        size_t ret = LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION);
        ASSERT(!LZ4F_isError(ret));
        ctx->lz4 = dctx;
    }
}

// After a frame that ended well the context is ready for the next. After any other it is not kept: the
// library's reset (1.9.4) forgets what was outstanding of a declared content size and then fails good frames.
static void lz4_close(struct codec_stream *s)
{
    if (!s->is_ended) {
        LZ4F_freeDecompressionContext(s->ctx->lz4);
        s->ctx->lz4 = NULL;
    }
}

static enum err lz4_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len, struct error *e)
{
    size_t taken = s->in.len;
    size_t given = cap;
    size_t ret = LZ4F_decompress(s->ctx->lz4, out, &given, s->in.ptr, &taken, NULL);
    if (LZ4F_isError(ret)) {
        return damaged(s, e, LZ4F_getErrorName(ret));
    }
    s->in = bytes_slice(s->in, taken, s->in.len - taken);
    *ret_len = given;
    if (ret == 0) {
        if (s->in.len > 0) {
            return damaged(s, e, "bytes after the frame");
        }
        s->is_ended = true;
    } else if (taken == 0 && given == 0) {
        return damaged(s, e, "truncated");
    }
    return ERR_OK;
}

static void zstd_open(struct codec_context *ctx)
{
    if (ctx->zstd == NULL) {
        ctx->zstd = ZSTD_createDCtx();
        ASSERT(ctx->zstd != NULL);
        size_t ret = ZSTD_DCtx_setParameter(ctx->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        ASSERT(!ZSTD_isError(ret));
    } else {
        ZSTD_DCtx_reset(ctx->zstd, ZSTD_reset_session_only);
    }
}

// Several frames in a row are one input, as for Java's reader.
static enum err zstd_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len, struct error *e)
{
    if (s->in.len == 0 && s->is_between_frames) {
        s->is_ended = true;
        return ERR_OK;
    }
    ZSTD_inBuffer from = {s->in.ptr, s->in.len, 0};
    ZSTD_outBuffer to = {out, cap, 0};
    size_t ret = ZSTD_decompressStream(s->ctx->zstd, &to, &from);
    if (ZSTD_isError(ret)) {
        return damaged(s, e, ZSTD_getErrorName(ret));
    }
    s->in = bytes_slice(s->in, from.pos, s->in.len - from.pos);
    *ret_len = to.pos;
    s->is_between_frames = ret == 0;
    if (ret != 0 && from.pos == 0 && to.pos == 0) {
        return damaged(s, e, "truncated");
    }
    return ERR_OK;
}

static void snappy_open(struct codec_stream *s)
{
    s->is_xerial =
        s->in.len >= XERIAL_HEADER_SIZE && memcmp(s->in.ptr, xerial_header, XERIAL_MAGIC_SIZE) == 0;
    if (s->is_xerial) {
        s->in = bytes_slice(s->in, XERIAL_HEADER_SIZE, s->in.len - XERIAL_HEADER_SIZE);
    }
    buf_reset(&s->ctx->block);
}

// snappy_block_take cuts the next compressed block off the input; false when its length cannot be.
static bool snappy_block_take(struct codec_stream *s, struct bytes *ret)
{
    size_t len = s->in.len;
    if (s->is_xerial) {
        if (len < 4) {
            return false;
        }
        len = load_be32(s->in.ptr);
        s->in = bytes_slice(s->in, 4, s->in.len - 4);
        if (len > s->in.len) {
            return false;
        }
    }
    *ret = bytes_slice(s->in, 0, len);
    s->in = bytes_slice(s->in, len, s->in.len - len);
    return true;
}

static enum err snappy_block_load(struct codec_stream *s, struct error *e)
{
    struct bytes block;
    if (!snappy_block_take(s, &block)) {
        return damaged(s, e, "truncated");
    }
    size_t len = 0;
    if (snappy_uncompressed_length((const char *)block.ptr, block.len, &len) != SNAPPY_OK ||
        len / SNAPPY_RATIO_MAX > block.len) {
        return damaged(s, e, "a block's length cannot be");
    }
    if (len > s->limit - s->produced) {
        return too_large(s, e);
    }
    struct buf *b = &s->ctx->block;
    b->limit = s->limit;
    buf_reset(b);
    s->block_position = 0;
    uint8_t *at = buf_reserve(b, len);
    ASSERT(at != NULL || len == 0);
    if (len == 0) {
        return block.len == 1 ? ERR_OK : damaged(s, e, "bytes in an empty block");
    }
    if (snappy_uncompress((const char *)block.ptr, block.len, (char *)at, &len) != SNAPPY_OK) {
        return damaged(s, e, "malformed block");
    }
    b->len = len;
    return ERR_OK;
}

static enum err snappy_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len,
                            struct error *e)
{
    struct buf *b = &s->ctx->block;
    if (s->block_position == b->len) {
        if (s->in.len == 0) {
            s->is_ended = true;
            return ERR_OK;
        }
        enum err err = snappy_block_load(s, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    size_t left = b->len - s->block_position;
    *ret_len = left < cap ? left : cap;
    if (*ret_len > 0) {
        memcpy(out, b->ptr + s->block_position, *ret_len);
    }
    s->block_position += *ret_len;
    return ERR_OK;
}

static enum err none_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len, struct error *e)
{
    (void)e;
    size_t len = s->in.len < cap ? s->in.len : cap;
    if (len > 0) {
        memcpy(out, s->in.ptr, len);
        s->in = bytes_slice(s->in, len, s->in.len - len);
    }
    *ret_len = len;
    s->is_ended = len == 0;
    return ERR_OK;
}

enum err codec_stream_init(struct codec_stream *stream, struct codec_context *ctx, enum codec codec,
                           struct bytes in, const struct codec_limits *limits, struct error *e)
{
    ASSERT(!ctx->is_busy);
    if (in.len == 0) {
        in.ptr = (const uint8_t *)""; // slices of NULL are not for libraries
    }
    size_t limit = codec == CODEC_NONE ? in.len : codec_limit(limits, in.len);
    *stream = (struct codec_stream){
        .ctx = ctx, .codec = codec, .in = in, .limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1};
    if (in.len > INT32_MAX) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "%zu bytes to decompress", in.len);
    }
    switch (codec) {
    case CODEC_NONE:
        break;
    case CODEC_GZIP:
        gzip_open(ctx);
        break;
    case CODEC_SNAPPY:
        if (in.len == 0) {
            return FAIL(e, ERR_CORRUPT, "snappy: truncated");
        }
        snappy_open(stream);
        break;
    case CODEC_LZ4:
        lz4_open(ctx);
        break;
    case CODEC_ZSTD:
        zstd_open(ctx);
        break;
    default:
        return FAIL(e, ERR_UNSUPPORTED_COMPRESSION, "codec %d", (int)codec);
    }
    ctx->is_busy = true;
    return ERR_OK;
}

static enum err stream_step(struct codec_stream *s, uint8_t *out, size_t cap, size_t *ret_len,
                            struct error *e)
{
    switch (s->codec) {
    case CODEC_NONE:
        return none_step(s, out, cap, ret_len, e);
    case CODEC_GZIP:
        return gzip_step(s, out, cap, ret_len, e);
    case CODEC_SNAPPY:
        return snappy_step(s, out, cap, ret_len, e);
    case CODEC_LZ4:
        return lz4_step(s, out, cap, ret_len, e);
    case CODEC_ZSTD:
        return zstd_step(s, out, cap, ret_len, e);
    }
    UNREACHABLE("codec_stream_init refuses unknown codecs");
}

enum err codec_stream_read(struct codec_stream *stream, uint8_t *out, size_t cap, size_t *ret_len,
                           struct error *e)
{
    ASSERT(cap > 0);
    if (stream->err != ERR_OK) {
        return FAIL(e, stream->err, "%s: failed before", codec_name(stream->codec));
    }
    // One byte more than the limit tells "at the limit" from "over it".
    size_t room = stream->limit - stream->produced + 1;
    if (cap > room) {
        cap = room;
    }
    size_t len = 0;
    while (len == 0 && !stream->is_ended) {
        enum err err = stream_step(stream, out, cap, &len, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    stream->produced += len;
    if (stream->produced > stream->limit) {
        return too_large(stream, e);
    }
    *ret_len = len;
    return ERR_OK;
}

static void scratch_trim(struct buf *b)
{
    if (b->cap > CONTEXT_KEEP_BYTES) {
        buf_fini(b);
    }
}

void codec_stream_fini(struct codec_stream *stream)
{
    struct codec_context *ctx = stream->ctx;
    ASSERT(ctx->is_busy);
    ctx->is_busy = false;
    scratch_trim(&ctx->block);
    scratch_trim(&ctx->window);
    if (stream->codec == CODEC_LZ4) {
        lz4_close(stream);
    }
    if (stream->codec == CODEC_ZSTD && ZSTD_sizeof_DCtx(ctx->zstd) > ZSTD_KEEP_BYTES) {
        ZSTD_freeDCtx(ctx->zstd);
        ctx->zstd = NULL;
    }
}

// ---- without a frame

enum err codec_inflate(struct bytes in, const struct codec_limits *limits, struct buf *out, struct error *e)
{
    enum { PIECE = 64 * 1024 };
    z_stream z = {.zalloc = codec_zlib_alloc, .zfree = codec_zlib_free};
    size_t limit = codec_limit(limits, in.len);
    size_t produced = 0;
    int ret = inflateInit2(&z, RAW_WINDOW_BITS);
    ASSERT(ret == Z_OK);
    enum err err = in.len > UINT32_MAX ? FAIL(e, ERR_BATCH_TOO_LARGE, "deflate: %zu bytes", in.len) : ERR_OK;
    z.next_in = (Bytef *)in.ptr;
    z.avail_in = (uInt)in.len;
    while (err == ERR_OK && ret != Z_STREAM_END) {
        uint8_t *room = buf_reserve(out, PIECE);
        if (room == NULL || produced > limit) {
            err = FAIL(e, ERR_BATCH_TOO_LARGE, "deflate: decompresses to more than %zu bytes", produced);
            break;
        }
        z.next_out = room;
        z.avail_out = PIECE;
        ret = inflate(&z, Z_NO_FLUSH);
        out->len += PIECE - z.avail_out;
        produced += PIECE - z.avail_out;
        if (ret != Z_OK && ret != Z_STREAM_END) {
            err = FAIL(e, ERR_CORRUPT, "deflate: %s", z.msg != NULL ? z.msg : "truncated");
        }
    }
    inflateEnd(&z);
    return err;
}

uint32_t codec_crc32(struct bytes data)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), data.ptr, data.len);
}
