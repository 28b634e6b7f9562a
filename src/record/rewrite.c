// SPDX-License-Identifier: Apache-2.0
#include "record/rewrite.h"

void batch_rewrite_begin(struct batch_builder *builder, const struct batch_header *h, int64_t horizon_ms)
{
    struct batch_options options = {
        .base_offset = h->base_offset,
        .base_timestamp = horizon_ms >= 0 ? horizon_ms : h->base_timestamp,
        .producer_id = h->producer_id,
        .base_sequence = h->base_sequence,
        .leader_epoch = h->leader_epoch,
        .producer_epoch = h->producer_epoch,
        .attributes = (int16_t)(h->attributes | (horizon_ms >= 0 ? BATCH_ATTRIBUTE_DELETE_HORIZON : 0)),
        .codec = batch_codec(h),
        .bytes_max = REWRITE_BYTES_MAX,
    };
    batch_builder_reset(builder, &options);
}

enum err batch_rewrite_end(struct batch_builder *builder, const struct batch_header *h, struct buf *out,
                           struct error *e)
{
    batch_builder_extend(builder, batch_last_offset(h));
    return batch_builder_finish(builder, out, e);
}

static enum err rewrite(struct batch_builder *builder, struct record_iterator *it, struct rewrite_judge judge,
                        struct buf *out, int32_t *ret_count, struct error *e)
{
    struct batch_header header = it->header;
    batch_rewrite_begin(builder, &header, -1);
    struct record record;
    for (int32_t index = 0; record_iterator_next(it, &record); index++) {
        struct rewrite_fate fate = judge.judge(judge.arg, &record, index);
        if (!fate.is_dropped) {
            batch_builder_append_with(builder, &record, record.offset, fate.headers, fate.header_count);
        }
    }
    enum err err = record_iterator_fini(it, e);
    if (err == ERR_OK) {
        err = batch_rewrite_end(builder, &header, out, e);
    }
    if (err == ERR_OK) {
        *ret_count = builder->record_count;
    }
    return err;
}

enum err batch_rewrite(struct batch_builder *builder, struct codec_context *ctx, struct bytes batch,
                       struct rewrite_judge judge, struct buf *out, int32_t *ret_count, struct error *e)
{
    struct record_iterator it;
    enum err err = record_iterator_init(&it, ctx, batch, NULL, e);
    return err != ERR_OK ? err : rewrite(builder, &it, judge, out, ret_count, e);
}

enum err batch_rewrite_plain(struct batch_builder *builder, const struct batch_header *header,
                             struct bytes records, struct rewrite_judge judge, struct buf *out,
                             int32_t *ret_count, struct error *e)
{
    struct record_iterator it;
    record_iterator_init_plain(&it, header, records);
    return rewrite(builder, &it, judge, out, ret_count, e);
}
