// SPDX-License-Identifier: Apache-2.0
// check.c - the order of checks is Kafka's: shape of the request's bytes, size, checksum, header, records.
#include "record/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "record/record_private.h"

static enum err check_shape(struct bytes batch, const struct batch_rules *rules, struct batch_header *ret,
                            struct error *e)
{
    if (batch.len == 0) {
        return FAIL(e, ERR_INVALID_RECORD, "a partition needs exactly one batch, there is none");
    }
    // Counts are judged after the checksum: a flipped bit in them is damage on the way, which a retry heals.
    enum err err = batch_header_decode(batch, ret, e);
    if (err != ERR_OK) {
        return err;
    }
    if (ret->size > batch.len) {
        return FAIL(e, ERR_INVALID_RECORD, "a batch of %zu bytes is cut off at %zu", ret->size, batch.len);
    }
    if (ret->size < batch.len) {
        return FAIL(e, ERR_INVALID_RECORD, "a partition needs exactly one batch: %zu bytes follow the first",
                    batch.len - ret->size);
    }
    if (batch_codec(ret) >= CODEC_COUNT) {
        return FAIL(e, ERR_UNSUPPORTED_COMPRESSION, "unknown codec %d", (int)batch_codec(ret));
    }
    if (batch_codec(ret) == CODEC_ZSTD && !rules->is_zstd_allowed) {
        return FAIL(e, ERR_UNSUPPORTED_COMPRESSION, "zstd needs Produce version 7 or later");
    }
    if (batch.len > rules->batch_bytes_max) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "the batch takes %zu bytes, the topic allows %zu", batch.len,
                    rules->batch_bytes_max);
    }
    if (!batch_crc_check(batch)) {
        return FAIL(e, ERR_CORRUPT, "the batch's CRC-32C does not match its bytes");
    }
    return ERR_OK;
}

static enum err check_header(const struct batch_header *h, struct error *e)
{
    if (h->record_count < 1) {
        return FAIL(e, ERR_INVALID_RECORD, "the batch is empty");
    }
    if (h->last_offset_delta != h->record_count - 1) {
        return FAIL(e, ERR_INVALID_RECORD, "%d records but a last offset delta of %d", h->record_count,
                    h->last_offset_delta);
    }
    if (h->base_offset != 0) { // as in Kafka
        return FAIL(e, ERR_INVALID_RECORD, "a base offset of %lld, not 0", (long long)h->base_offset);
    }
    if (batch_is_control(h)) {
        return FAIL(e, ERR_INVALID_RECORD, "clients may not write control records");
    }
    if (batch_has_delete_horizon(h)) {
        return FAIL(e, ERR_INVALID_RECORD, "clients may not set a delete horizon");
    }
    if (h->producer_id >= 0 && h->base_sequence < 0) {
        return FAIL(e, ERR_INVALID_RECORD, "producer %lld gave no sequence number",
                    (long long)h->producer_id);
    }
    if (batch_is_transactional(h) && h->producer_id < 0) {
        return FAIL(e, ERR_INVALID_RECORD, "a transactional batch has no producer id");
    }
    if (batch_is_log_append_time(h)) {
        return FAIL(e, ERR_INVALID_TIMESTAMP, "clients may not set LogAppendTime");
    }
    return ERR_OK;
}

__attribute__((cold, format(printf, 4, 5))) static void
bad_record_add(struct batch_facts *facts, int32_t index, enum err err, const char *format, ...)
{
    if (facts->bad_count < BAD_RECORDS_MAX) {
        struct bad_record *bad = &facts->bad_records[facts->bad_count];
        bad->index = index;
        bad->err = err;
        va_list args;
        va_start(args, format);
        vsnprintf(bad->text, sizeof bad->text, format, args);
        va_end(args);
    }
    facts->bad_count++;
}

struct timestamp_range {
    int64_t min;
    int64_t max;
};

static struct timestamp_range range_of(const struct batch_rules *rules)
{
    struct timestamp_range range = {INT64_MIN, INT64_MAX};
    if (rules->is_log_append_time) {
        return range;
    }
    if (__builtin_sub_overflow(rules->now_ms, rules->timestamp_before_max_ms, &range.min)) {
        range.min = INT64_MIN;
    }
    if (__builtin_add_overflow(rules->now_ms, rules->timestamp_after_max_ms, &range.max)) {
        range.max = INT64_MAX;
    }
    return range;
}

// check_records walks all records. What makes one record unacceptable is noted and the walk goes on; what
// makes the batch unreadable ends it.
static enum err check_records(struct record_source *s, const struct batch_rules *rules,
                              struct batch_facts *ret, struct error *e)
{
    const struct batch_header *h = &ret->header;
    struct timestamp_range range = range_of(rules);
    bool has_bad_timestamp = false;
    for (int32_t i = 0; i < h->record_count; i++) {
        struct record_walk walk;
        if (!record_source_walk(s, h, false, &walk)) {
            bad_record_add(ret, i, s->error.code, "%s", s->error.text);
            return FAIL(e, s->error.code, "record %d: %s", i, s->error.text);
        }
        if (walk.offset_delta != i) {
            bad_record_add(ret, i, ERR_INVALID_RECORD, "offset delta %d, expected %d", walk.offset_delta, i);
            return FAIL(e, ERR_INVALID_RECORD, "record %d: offset delta %d", i, walk.offset_delta);
        }
        if (walk.key.ptr == NULL) {
            ret->null_key_count++;
            if (rules->is_compacted) {
                bad_record_add(ret, i, ERR_INVALID_RECORD, "a compacted topic takes no record without a key");
            }
        }
        if ((walk.timestamp < range.min || walk.timestamp > range.max) &&
            walk.timestamp != BATCH_NO_TIMESTAMP) {
            has_bad_timestamp = true;
            bad_record_add(ret, i, ERR_INVALID_TIMESTAMP, "timestamp %lld is outside %lld to %lld",
                           (long long)walk.timestamp, (long long)range.min, (long long)range.max);
        }
        if (walk.timestamp > ret->max_timestamp || i == 0) {
            ret->max_timestamp = walk.timestamp;
            ret->max_timestamp_offset_delta = i;
        }
    }
    if (!record_source_end(s)) {
        return FAIL(e, s->error.code, "%s", s->error.text);
    }
    ret->is_max_timestamp_wrong = ret->max_timestamp != h->max_timestamp;
    if (ret->bad_count > 0) {
        return FAIL(e, has_bad_timestamp ? ERR_INVALID_TIMESTAMP : ERR_INVALID_RECORD,
                    "%d of %d records are refused; record %d: %s", ret->bad_count, h->record_count,
                    ret->bad_records[0].index, ret->bad_records[0].text);
    }
    return ERR_OK;
}

static enum err check_begin(struct bytes batch, const struct batch_rules *rules, struct batch_facts *ret,
                            struct error *e)
{
    ret->header = (struct batch_header){0};
    ret->max_timestamp = BATCH_NO_TIMESTAMP;
    ret->max_timestamp_offset_delta = 0;
    ret->null_key_count = 0;
    ret->is_max_timestamp_wrong = false;
    ret->bad_count = 0;
    enum err err = check_shape(batch, rules, &ret->header, e);
    return err == ERR_OK ? check_header(&ret->header, e) : err;
}

enum err batch_check(struct codec_context *ctx, struct bytes batch, const struct batch_rules *rules,
                     struct batch_facts *ret, struct error *e)
{
    enum err err = check_begin(batch, rules, ret, e);
    if (err != ERR_OK) {
        return err;
    }
    struct record_source source;
    err = record_source_open(&source, ctx, &ret->header, batch, rules->codec_limits, e);
    if (err != ERR_OK) {
        return err;
    }
    err = check_records(&source, rules, ret, e);
    record_source_close(&source);
    return err;
}

enum err batch_records(struct codec_context *ctx, struct bytes batch, const struct codec_limits *limits,
                       struct buf *room, struct bytes *ret_records, struct error *e)
{
    struct batch_header h;
    enum err err = batch_header_read(batch, &h, e);
    struct bytes coded = bytes_of(batch.ptr + BATCH_HEADER_SIZE, batch.len - BATCH_HEADER_SIZE);
    *ret_records = coded;
    if (err == ERR_OK && batch_codec(&h) != CODEC_NONE) {
        err = codec_decompress(ctx, batch_codec(&h), coded, limits, room, e);
        *ret_records = buf_bytes(room);
    }
    return err;
}

enum err batch_check_into(struct codec_context *ctx, struct bytes batch, const struct batch_rules *rules,
                          struct batch_facts *ret, struct buf *room, struct bytes *ret_records,
                          struct error *e)
{
    enum err err = check_begin(batch, rules, ret, e);
    if (err == ERR_OK) {
        err = batch_records(ctx, batch, rules->codec_limits, room, ret_records, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct record_iterator plain;
    record_iterator_init_plain(&plain, &ret->header, *ret_records);
    return check_records(&plain.source, rules, ret, e);
}
