// SPDX-License-Identifier: Apache-2.0
#include "record/rewrite.h"

#include "base/assert.h"
#include "record/record_private.h"

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

enum { FIRST_ROOM_MAX = 256 << 10 }; // bytes that are reserved for what may stay

void batch_rewriting_begin(struct batch_rewriting *r, struct batch_builder *builder,
                           const struct batch_header *header, struct bytes records,
                           struct rewrite_judge judge)
{
    *r = (struct batch_rewriting){.builder = builder, .judge = judge};
    record_iterator_init_plain(&r->records, header, records);
    batch_rewrite_begin(builder, header, -1);
    // Without a base timestamp the builder takes the first record's: deltas change. So they do where the
    // batch gives all records another timestamp than their own.
    r->is_copying = header->base_timestamp != BATCH_NO_TIMESTAMP && !batch_is_log_append_time(header);
    if (records.len > 0) {
        (void)buf_reserve(&builder->records, records.len < FIRST_ROOM_MAX ? records.len : FIRST_ROOM_MAX);
    }
}

// records_put takes on about so many bytes of them; *ret_is_all: there are no more. Those that stay as they
// are, one behind the other, are copied at once.
static enum err records_put(struct batch_rewriting *r, size_t bytes, bool *ret_is_all, struct error *e)
{
    struct batch_builder *b = r->builder;
    const uint8_t *const *at = &r->records.source.pos;
    const uint8_t *from = *at; // of what is copied
    const uint8_t *to = *at;
    size_t taken = 0;
    struct record record;
    while (taken < bytes && record_iterator_next(&r->records, &record)) {
        struct rewrite_fate fate = r->judge.judge(r->judge.arg, &record, r->index++);
        if (r->is_copying && !fate.is_dropped && fate.header_count == 0) {
            int64_t timestamp_delta;
            bool is_noted = batch_builder_note(b, record.offset - b->options.base_offset, record.timestamp,
                                               &timestamp_delta);
            ASSERT(is_noted); // the iterator has looked
        } else {
            buf_append(&b->records, from, (size_t)(to - from));
            from = *at;
            if (!fate.is_dropped) {
                batch_builder_append_with(b, &record, record.offset, fate.headers, fate.header_count);
            }
        }
        taken += (size_t)(*at - to);
        to = *at;
    }
    buf_append(&b->records, from, (size_t)(to - from));
    *ret_is_all = taken < bytes;
    return *ret_is_all ? record_iterator_fini(&r->records, e) : ERR_OK;
}

enum err batch_rewriting_step(struct batch_rewriting *r, size_t bytes, bool *ret_is_done, struct error *e)
{
    enum err err = records_put(r, bytes, ret_is_done, e);
    if (err == ERR_OK && *ret_is_done) {
        batch_builder_extend(r->builder, batch_last_offset(&r->records.header));
    }
    return err;
}
