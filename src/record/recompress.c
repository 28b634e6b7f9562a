// SPDX-License-Identifier: Apache-2.0
#include "record/recompress.h"

#include "record/record_private.h"

enum err batch_recompressing_begin(struct batch_recompressing *r, struct codec_context *ctx,
                                   struct bytes batch, enum codec codec, int level, struct buf *out,
                                   struct error *e)
{
    *r = (struct batch_recompressing){.out = out, .start = out->len, .codec = codec, .level = level};
    enum err err = batch_header_read(batch, &r->header, e);
    if (err != ERR_OK) {
        return err;
    }
    r->records = bytes_slice(batch, BATCH_HEADER_SIZE, r->header.size - BATCH_HEADER_SIZE);
    if (batch_codec(&r->header) != CODEC_NONE) {
        buf_init(&r->room, codec_limit(NULL, r->header.size) + 1);
        err = codec_stream_init(&r->stream, ctx, batch_codec(&r->header), r->records, NULL, e);
        r->is_streaming = err == ERR_OK;
    }
    buf_append(out, batch.ptr, BATCH_HEADER_SIZE);
    if (err == ERR_OK && out->failed) {
        err = FAIL(e, ERR_BATCH_TOO_LARGE, "no room for a batch header");
    }
    return err;
}

// unpack_some decompresses until so many bytes more are there, or all.
static enum err unpack_some(struct batch_recompressing *r, size_t bytes, struct error *e)
{
    enum { PIECE = 64 << 10 };
    size_t until = bytes > SIZE_MAX - r->room.len ? SIZE_MAX : r->room.len + bytes;
    while (r->is_streaming && r->room.len < until) {
        size_t left = r->room.limit - r->room.len;
        size_t cap = left < PIECE ? left : PIECE;
        size_t len = 0;
        uint8_t *at = cap == 0 ? NULL : buf_reserve(&r->room, cap);
        enum err err = at == NULL
                           ? FAIL(e, ERR_BATCH_TOO_LARGE, "the records are over %zu bytes", r->room.len)
                           : codec_stream_read(&r->stream, at, cap, &len, e);
        if (err != ERR_OK) {
            return err;
        }
        r->room.len += len;
        if (len == 0) {
            codec_stream_fini(&r->stream);
            r->is_streaming = false;
            r->records = buf_bytes(&r->room);
        }
    }
    return ERR_OK;
}

static void header_write(struct batch_recompressing *r)
{
    uint8_t *p = r->out->ptr + r->start;
    int attributes = (r->header.attributes & ~BATCH_ATTRIBUTE_CODEC) | (int)r->codec;
    store_be32(p + BATCH_AT_LENGTH, (uint32_t)(r->out->len - r->start - BATCH_PREFIX_SIZE));
    store_be16(p + BATCH_AT_ATTRIBUTES, (uint16_t)attributes);
    batch_sum_again(p);
}

enum err batch_recompressing_step(struct batch_recompressing *r, size_t bytes, bool *ret_is_done,
                                  struct error *e)
{
    enum err err = ERR_OK;
    *ret_is_done = false;
    if (r->is_streaming) {
        return unpack_some(r, bytes, e);
    }
    if (!r->is_packing) {
        err = codec_packing_begin(&r->packing, r->codec, r->level, r->records, r->out, e);
        r->is_packing = true;
    }
    err = err == ERR_OK ? codec_packing_step(&r->packing, bytes, ret_is_done, e) : err;
    if (err == ERR_OK && *ret_is_done) {
        header_write(r);
    }
    return err;
}

void batch_recompressing_end(struct batch_recompressing *r)
{
    if (r->is_streaming) {
        codec_stream_fini(&r->stream);
    }
    if (r->is_packing) {
        codec_packing_end(&r->packing);
    }
    r->is_streaming = r->is_packing = false;
    buf_fini(&r->room);
}
