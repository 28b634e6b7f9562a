// SPDX-License-Identifier: Apache-2.0
// compress.c - one whole input into one compressed output, per codec.
#include "codec/codec_private.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/assert.h"

static enum err no_room(const struct buf *out, struct error *e)
{
    return FAIL(e, ERR_BATCH_TOO_LARGE, "compressed output does not fit into %zu bytes", out->limit);
}

static enum err gzip_compress(struct bytes in, int level, struct buf *out, struct error *e)
{
    if (in.len > UINT32_MAX / 2) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "%zu bytes to compress", in.len);
    }
    z_stream z = {.zalloc = codec_zlib_alloc, .zfree = codec_zlib_free};
    int ret = deflateInit2(&z, level < 0 ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                           Z_DEFAULT_STRATEGY);
    ASSERT(ret == Z_OK);
    size_t bound = deflateBound(&z, in.len);
    uint8_t *at = buf_reserve(out, bound);
    enum err err = ERR_OK;
    if (at == NULL) {
        err = no_room(out, e);
    } else {
        z.next_in = (Bytef *)in.ptr;
        z.avail_in = (uInt)in.len;
        z.next_out = at;
        z.avail_out = (uInt)bound;
        ret = deflate(&z, Z_FINISH);
        ASSERT(ret == Z_STREAM_END);
        out->len += z.total_out;
    }
    deflateEnd(&z);
    return err;
}

static enum err snappy_compress_xerial(struct bytes in, struct buf *out, struct error *e)
{
    buf_append(out, xerial_header, sizeof xerial_header);
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

static enum err lz4_compress(struct bytes in, int level, struct buf *out, struct error *e)
{
    // Java's reader takes independent blocks only.
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = level == CODEC_LEVEL_DEFAULT ? 0 : level,
    };
    size_t bound = LZ4F_compressFrameBound(in.len, &preferences);
    uint8_t *at = buf_reserve(out, bound);
    if (at == NULL) {
        return no_room(out, e);
    }
    size_t len = LZ4F_compressFrame(at, bound, in.ptr, in.len, &preferences);
    if (LZ4F_isError(len)) {
        return FAIL(e, ERR_UNKNOWN, "lz4: %s", LZ4F_getErrorName(len));
    }
    out->len += len;
    return ERR_OK;
}

static enum err zstd_compress(struct bytes in, int level, struct buf *out, struct error *e)
{
    size_t bound = ZSTD_compressBound(in.len);
    uint8_t *at = buf_reserve(out, bound);
    if (at == NULL) {
        return no_room(out, e);
    }
    size_t len =
        ZSTD_compress(at, bound, in.ptr, in.len, level == CODEC_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level);
    if (ZSTD_isError(len)) {
        return FAIL(e, ERR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(len));
    }
    out->len += len;
    return ERR_OK;
}

enum err codec_compress(enum codec codec, struct bytes in, struct buf *out, struct error *e)
{
    return codec_compress_level(codec, CODEC_LEVEL_DEFAULT, in, out, e);
}

enum err codec_compress_level(enum codec codec, int level, struct bytes in, struct buf *out, struct error *e)
{
    switch (codec) {
    case CODEC_NONE:
        buf_append(out, in.ptr, in.len);
        return out->failed ? no_room(out, e) : ERR_OK;
    case CODEC_GZIP:
        return gzip_compress(in, level, out, e);
    case CODEC_SNAPPY:
        return snappy_compress_xerial(in, out, e);
    case CODEC_LZ4:
        return lz4_compress(in, level, out, e);
    case CODEC_ZSTD:
        return zstd_compress(in, level, out, e);
    }
    return FAIL(e, ERR_UNSUPPORTED_COMPRESSION, "codec %d", (int)codec);
}
