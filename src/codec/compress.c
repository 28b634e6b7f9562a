// SPDX-License-Identifier: Apache-2.0
// compress.c - compression, per codec: begin, steps that take input and leave output, end. A whole input at
// once is one step.
#include "codec/codec_private.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"

static enum err no_room(const struct buf *out, struct error *e)
{
    return FAIL(e, ERR_BATCH_TOO_LARGE, "compressed output does not fit into %zu bytes", out->limit);
}

// ---- gzip

static enum err gzip_begin(struct codec_packing *p, struct error *e)
{
    if (p->in.len > UINT32_MAX / 2) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "%zu bytes to compress", p->in.len);
    }
    z_stream *z = mem_zalloc(sizeof *z);
    z->zalloc = codec_zlib_alloc;
    z->zfree = codec_zlib_free;
    int ret = deflateInit2(z, p->level < 0 ? Z_DEFAULT_COMPRESSION : p->level, Z_DEFLATED, GZIP_WINDOW_BITS,
                           8, Z_DEFAULT_STRATEGY);
    ASSERT(ret == Z_OK);
    p->state = z;
    return ERR_OK;
}

static enum err gzip_step(struct codec_packing *p, struct bytes some, bool is_last, struct error *e)
{
    z_stream *z = p->state;
    z->next_in = (Bytef *)some.ptr;
    z->avail_in = (uInt)some.len;
    size_t bound = deflateBound(z, some.len);
    do {
        uint8_t *at = buf_reserve(p->out, bound);
        if (at == NULL) {
            return no_room(p->out, e);
        }
        z->next_out = at;
        z->avail_out = (uInt)bound;
        int ret = deflate(z, is_last ? Z_FINISH : Z_NO_FLUSH);
        ASSERT(ret == Z_OK || ret == Z_STREAM_END || ret == Z_BUF_ERROR);
        p->out->len += bound - z->avail_out;
    } while (z->avail_out == 0);
    return ERR_OK;
}

static void gzip_end(struct codec_packing *p)
{
    deflateEnd(p->state);
    mem_free(p->state);
}

// ---- snappy

static enum err snappy_step(struct codec_packing *p, struct bytes in, struct error *e)
{
    struct buf *out = p->out;
    for (size_t from = 0; from < in.len; from += XERIAL_BLOCK_SIZE) {
        size_t len = in.len - from < XERIAL_BLOCK_SIZE ? in.len - from : XERIAL_BLOCK_SIZE;
        size_t bound = snappy_max_compressed_length(len);
        uint8_t *at = buf_reserve(out, 4 + bound);
        if (at == NULL) {
            break;
        }
        snappy_status status = snappy_compress((const char *)in.ptr + from, len, (char *)at + 4, &bound);
        ASSERT(status == SNAPPY_OK);
        store_be32(at, (uint32_t)bound);
        out->len += 4 + bound;
    }
    return out->failed ? no_room(out, e) : ERR_OK;
}

// ---- lz4

static LZ4F_preferences_t lz4_preferences(const struct codec_packing *p)
{
    // Java's reader takes independent blocks only.
    return (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = p->level == CODEC_LEVEL_DEFAULT ? 0 : p->level,
        .autoFlush = 1, // steps are of whole blocks
    };
}

// lz4_took takes over what the library wrote, or its error.
static enum err lz4_took(struct codec_packing *p, size_t len, struct error *e)
{
    if (LZ4F_isError(len)) {
        return FAIL(e, ERR_UNKNOWN, "lz4: %s", LZ4F_getErrorName(len));
    }
    p->out->len += len;
    return ERR_OK;
}

static enum err lz4_begin(struct codec_packing *p, struct error *e)
{
    LZ4F_preferences_t preferences = lz4_preferences(p);
    LZ4F_cctx *cctx = NULL;
    size_t ret = LZ4F_createCompressionContext(&cctx, LZ4F_VERSION);
    ASSERT(!LZ4F_isError(ret));
    p->state = cctx;
    uint8_t *at = buf_reserve(p->out, LZ4F_HEADER_SIZE_MAX);
    return at == NULL ? no_room(p->out, e)
                      : lz4_took(p, LZ4F_compressBegin(cctx, at, LZ4F_HEADER_SIZE_MAX, &preferences), e);
}

static enum err lz4_step(struct codec_packing *p, struct bytes some, bool is_last, struct error *e)
{
    LZ4F_preferences_t preferences = lz4_preferences(p);
    size_t bound = LZ4F_compressBound(some.len, &preferences); // with the frame's end
    uint8_t *at = buf_reserve(p->out, bound);
    if (at == NULL) {
        return no_room(p->out, e);
    }
    size_t before = p->out->len;
    enum err err = some.len == 0
                       ? ERR_OK
                       : lz4_took(p, LZ4F_compressUpdate(p->state, at, bound, some.ptr, some.len, NULL), e);
    if (err == ERR_OK && is_last) {
        size_t used = p->out->len - before;
        err = lz4_took(p, LZ4F_compressEnd(p->state, at + used, bound - used, NULL), e);
    }
    return err;
}

// ---- zstd

static enum err zstd_begin(struct codec_packing *p, struct error *e)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ASSERT(cctx != NULL);
    p->state = cctx;
    size_t ret = ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel,
                                        p->level == CODEC_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : p->level);
    ret = ZSTD_isError(ret) ? ret : ZSTD_CCtx_setPledgedSrcSize(cctx, p->in.len);
    return ZSTD_isError(ret) ? FAIL(e, ERR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(ret)) : ERR_OK;
}

static enum err zstd_step(struct codec_packing *p, struct bytes some, bool is_last, struct error *e)
{
    ZSTD_inBuffer from = {some.ptr, some.len, 0};
    size_t bound = ZSTD_compressBound(some.len);
    size_t left = 1;
    while (is_last ? left > 0 : from.pos < from.size) {
        uint8_t *at = buf_reserve(p->out, bound);
        if (at == NULL) {
            return no_room(p->out, e);
        }
        ZSTD_outBuffer to = {at, bound, 0};
        left = ZSTD_compressStream2(p->state, &to, &from, is_last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return FAIL(e, ERR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(left));
        }
        p->out->len += to.pos;
    }
    return ERR_OK;
}

// ---- any of them

enum err codec_packing_begin(struct codec_packing *p, enum codec codec, int level, struct bytes in,
                             struct buf *out, struct error *e)
{
    *p = (struct codec_packing){.codec = codec, .level = level, .in = in, .out = out};
    switch (codec) {
    case CODEC_NONE:
        return ERR_OK;
    case CODEC_GZIP:
        return gzip_begin(p, e);
    case CODEC_SNAPPY:
        buf_append(out, xerial_header, sizeof xerial_header);
        return out->failed ? no_room(out, e) : ERR_OK;
    case CODEC_LZ4:
        return lz4_begin(p, e);
    case CODEC_ZSTD:
        return zstd_begin(p, e);
    }
    return FAIL(e, ERR_UNSUPPORTED_COMPRESSION, "codec %d", (int)codec);
}

static enum err packing_some(struct codec_packing *p, struct bytes some, bool is_last, struct error *e)
{
    switch (p->codec) {
    case CODEC_NONE:
        buf_append(p->out, some.ptr, some.len);
        return p->out->failed ? no_room(p->out, e) : ERR_OK;
    case CODEC_GZIP:
        return gzip_step(p, some, is_last, e);
    case CODEC_SNAPPY:
        return snappy_step(p, some, e);
    case CODEC_LZ4:
        return lz4_step(p, some, is_last, e);
    case CODEC_ZSTD:
        return zstd_step(p, some, is_last, e);
    }
    UNREACHABLE("codec_packing_begin refuses unknown codecs");
}

enum err codec_packing_step(struct codec_packing *p, size_t bytes, bool *ret_is_done, struct error *e)
{
    // Whole blocks of lz4's frame, and of snappy's.
    enum { BLOCK = 64 << 10 };
    bool has_blocks = p->codec == CODEC_SNAPPY || p->codec == CODEC_LZ4;
    size_t some = has_blocks && bytes < SIZE_MAX - BLOCK ? (bytes + BLOCK - 1) / BLOCK * BLOCK : bytes;
    bool is_last = some >= p->in.len;
    some = is_last ? p->in.len : some;
    enum err err = packing_some(p, bytes_slice(p->in, 0, some), is_last, e);
    p->in = bytes_slice(p->in, some, p->in.len - some);
    *ret_is_done = err == ERR_OK && is_last;
    return err;
}

void codec_packing_end(struct codec_packing *p)
{
    if (p->state == NULL) {
        return;
    }
    if (p->codec == CODEC_GZIP) {
        gzip_end(p);
    } else if (p->codec == CODEC_LZ4) {
        LZ4F_freeCompressionContext(p->state);
    } else {
        ZSTD_freeCCtx(p->state);
    }
    p->state = NULL;
}

enum err codec_compress(enum codec codec, struct bytes in, struct buf *out, struct error *e)
{
    struct codec_packing p;
    bool is_done;
    enum err err = codec_packing_begin(&p, codec, CODEC_LEVEL_DEFAULT, in, out, e);
    err = err == ERR_OK ? codec_packing_step(&p, SIZE_MAX, &is_done, e) : err;
    codec_packing_end(&p);
    return err;
}
