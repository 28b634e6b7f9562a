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

static void put(struct batch_builder *builder, const struct rewrite_judge *judge, const struct record *record,
                int32_t index)
{
    struct rewrite_fate fate = judge->judge(judge->arg, record, index);
    if (!fate.is_dropped) {
        batch_builder_append_with(builder, record, record->offset, fate.headers, fate.header_count);
    }
}

enum err batch_rewrite(struct batch_builder *builder, struct codec_context *ctx, struct bytes batch,
                       struct rewrite_judge judge, struct buf *out, int32_t *ret_count, struct error *e)
{
    struct record_iterator it;
    enum err err = record_iterator_init(&it, ctx, batch, NULL, e);
    if (err != ERR_OK) {
        return err;
    }
    struct batch_header header = it.header;
    batch_rewrite_begin(builder, &header, -1);
    struct record record;
    for (int32_t index = 0; record_iterator_next(&it, &record); index++) {
        put(builder, &judge, &record, index);
    }
    err = record_iterator_fini(&it, e);
    if (err == ERR_OK) {
        err = batch_rewrite_end(builder, &header, out, e);
    }
    if (err == ERR_OK) {
        *ret_count = builder->record_count;
    }
    return err;
}

// ---- in steps

void batch_rewriting_begin(struct batch_rewriting *r, struct batch_builder *builder,
                           const struct batch_header *header, struct bytes records,
                           struct rewrite_judge judge, struct buf *out)
{
    *r = (struct batch_rewriting){.builder = builder, .judge = judge, .out = out};
    record_iterator_init_plain(&r->records, header, records);
    batch_rewrite_begin(builder, header, -1);
}

// records_put copies about so many bytes of them; *ret_is_all: there are no more.
static enum err records_put(struct batch_rewriting *r, size_t bytes, bool *ret_is_all, struct error *e)
{
    struct record record;
    size_t taken = 0;
    while (taken < bytes) {
        if (!record_iterator_next(&r->records, &record)) {
            *ret_is_all = true;
            return record_iterator_fini(&r->records, e);
        }
        put(r->builder, &r->judge, &record, r->index++);
        taken += record.key.len + record.value.len + record.headers_raw.len + 1;
    }
    return ERR_OK;
}

enum err batch_rewriting_step(struct batch_rewriting *r, size_t bytes, bool *ret_is_done, struct error *e)
{
    bool is_all = false;
    *ret_is_done = false;
    if (r->is_finishing) {
        return batch_finishing_step(&r->finishing, bytes, ret_is_done, e);
    }
    enum err err = records_put(r, bytes, &is_all, e);
    if (err == ERR_OK && is_all) {
        batch_builder_extend(r->builder, batch_last_offset(&r->records.header));
        r->is_finishing = true;
        err = batch_finishing_begin(&r->finishing, r->builder, r->out, e);
    }
    return err;
}

void batch_rewriting_end(struct batch_rewriting *r)
{
    if (r->is_finishing) {
        batch_finishing_end(&r->finishing);
        r->is_finishing = false;
    }
}
