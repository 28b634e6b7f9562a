// SPDX-License-Identifier: Apache-2.0
#include "record/recompress.h"

#include "record/record_private.h"

enum err batch_recompress(struct codec_context *ctx, struct bytes batch, enum codec codec, int level,
                          struct buf *out, struct error *e)
{
    struct batch_header h;
    enum err err = batch_header_read(batch, &h, e);
    if (err != ERR_OK) {
        return err;
    }
    struct buf records;
    buf_init(&records, codec_limit(NULL, h.size));
    struct bytes coded = bytes_of(batch.ptr + BATCH_HEADER_SIZE, h.size - BATCH_HEADER_SIZE);
    err = codec_decompress(ctx, batch_codec(&h), coded, NULL, &records, e);
    size_t start = out->len;
    if (err == ERR_OK) {
        buf_append(out, batch.ptr, BATCH_HEADER_SIZE);
        err = out->failed ? FAIL(e, ERR_BATCH_TOO_LARGE, "no room for a batch header")
                          : codec_compress_level(codec, level, buf_bytes(&records), out, e);
    }
    buf_fini(&records);
    if (err != ERR_OK) {
        out->len = start;
        return err;
    }
    uint8_t *p = out->ptr + start;
    store_be32(p + BATCH_AT_LENGTH, (uint32_t)(out->len - start - BATCH_PREFIX_SIZE));
    store_be16(p + BATCH_AT_ATTRIBUTES, (uint16_t)((h.attributes & ~BATCH_ATTRIBUTE_CODEC) | (int)codec));
    batch_sum_again(p);
    return ERR_OK;
}
