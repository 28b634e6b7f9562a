// SPDX-License-Identifier: Apache-2.0
// check.c - the order of checks is Kafka's: shape of the request's bytes, size, checksum, header, records.
#include "record/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/crc32c.h"
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
    return ERR_OK;
}

static enum err check_sum(bool is_right, struct error *e)
{
    return is_right ? ERR_OK : FAIL(e, ERR_CORRUPT, "the batch's CRC-32C does not match its bytes");
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

// A walk over all records, in as many goes as its owner likes.
struct check_walk {
    struct timestamp_range range;
    int32_t index; // of the next record
    bool has_bad_timestamp;
};

// check_one judges the next record. What makes one record unacceptable is noted and the walk goes on; what
// makes the batch unreadable ends it.
static enum err check_one(struct record_source *s, struct check_walk *w, const struct batch_rules *rules,
                          struct batch_facts *ret, struct error *e)
{
    struct record_walk walk;
    int32_t i = w->index++;
    if (!record_source_walk(s, &ret->header, false, &walk)) {
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
    if ((walk.timestamp < w->range.min || walk.timestamp > w->range.max) &&
        walk.timestamp != BATCH_NO_TIMESTAMP) {
        w->has_bad_timestamp = true;
        bad_record_add(ret, i, ERR_INVALID_TIMESTAMP, "timestamp %lld is outside %lld to %lld",
                       (long long)walk.timestamp, (long long)w->range.min, (long long)w->range.max);
    }
    if (walk.timestamp > ret->max_timestamp || i == 0) {
        ret->max_timestamp = walk.timestamp;
        ret->max_timestamp_offset_delta = i;
    }
    return ERR_OK;
}

// check_some judges the next record, and those behind it that are as usual, until a place; NULL = none.
static enum err check_some(struct record_source *s, const uint8_t *until, struct check_walk *w,
                           const struct batch_rules *rules, struct batch_facts *ret, struct error *e)
{
    enum err err = check_one(s, w, rules, ret, e);
    if (err != ERR_OK || w->index == ret->header.record_count) {
        return err;
    }
    struct record_run run = {
        .index = w->index,
        .count = ret->header.record_count,
        .until = until,
        .min_ms = w->range.min,
        .max_ms = w->range.max,
        .wants_keys = rules->is_compacted,
        .max_timestamp = ret->max_timestamp,
        .max_index = ret->max_timestamp_offset_delta,
    };
    record_source_run(s, &ret->header, &run);
    w->index = run.index;
    ret->max_timestamp = run.max_timestamp;
    ret->max_timestamp_offset_delta = run.max_index;
    ret->null_key_count += run.null_key_count;
    return ERR_OK;
}

static enum err check_rest(struct record_source *s, const struct check_walk *w, struct batch_facts *ret,
                           struct error *e)
{
    if (!record_source_end(s)) {
        return FAIL(e, s->error.code, "%s", s->error.text);
    }
    ret->is_max_timestamp_wrong = ret->max_timestamp != ret->header.max_timestamp;
    if (ret->bad_count > 0) {
        return FAIL(e, w->has_bad_timestamp ? ERR_INVALID_TIMESTAMP : ERR_INVALID_RECORD,
                    "%d of %d records are refused; record %d: %s", ret->bad_count, ret->header.record_count,
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
    ret->walked_bytes = 0;
    ret->is_max_timestamp_wrong = false;
    ret->bad_count = 0;
    return check_shape(batch, rules, &ret->header, e);
}

enum err batch_check(struct codec_context *ctx, struct bytes batch, const struct batch_rules *rules,
                     struct batch_facts *ret, struct error *e)
{
    enum err err = check_begin(batch, rules, ret, e);
    err = err == ERR_OK ? check_sum(batch_crc_check(batch), e) : err;
    err = err == ERR_OK ? check_header(&ret->header, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    struct record_source source;
    err = record_source_open(&source, ctx, &ret->header, batch, rules->codec_limits, e);
    if (err != ERR_OK) {
        return err;
    }
    struct check_walk walk = {.range = range_of(rules)};
    while (err == ERR_OK && walk.index < ret->header.record_count) {
        err = check_some(&source, NULL, &walk, rules, ret, e);
    }
    if (err == ERR_OK) {
        err = check_rest(&source, &walk, ret, e);
    }
    ret->walked_bytes = record_source_position(&source);
    record_source_close(&source);
    return err;
}

// ---- in steps

enum {
    STREAM_PIECE = 64 << 10,
    SUM_PIECE = 64 << 10, // at least: a sum costs far less than what else is done with as many bytes
};

enum err batch_checking_begin(struct batch_checking *c, struct codec_context *ctx, struct bytes batch,
                              const struct batch_rules *rules, enum checking_kind kind, struct buf *room,
                              struct error *e)
{
    c->batch = batch;
    c->rules = *rules;
    c->kind = kind;
    c->ctx = ctx;
    c->room = room;
    c->sum = 0;
    c->summed = BATCH_CRC_FROM;
    c->index = 0;
    c->is_opened = c->is_windowed = c->is_streaming = c->is_walking = c->has_bad_timestamp = false;
    if (kind == CHECKING_DECOMPRESSES) {
        c->summed = batch.len;
        return batch_header_read(batch, &c->facts.header, e);
    }
    return check_begin(batch, rules, &c->facts, e);
}

static enum err sum_some(struct batch_checking *c, size_t bytes, struct error *e)
{
    size_t left = c->batch.len - c->summed;
    size_t some = bytes < SUM_PIECE ? SUM_PIECE : bytes;
    some = left < some ? left : some;
    c->sum = crc32c(c->sum, c->batch.ptr + c->summed, some);
    c->summed += some;
    return check_sum(c->summed < c->batch.len || c->sum == c->facts.header.crc, e);
}

static enum err records_open(struct batch_checking *c, struct error *e)
{
    struct batch_header *h = &c->facts.header;
    enum err err = c->kind == CHECKING_DECOMPRESSES ? ERR_OK : check_header(h, e);
    c->records = bytes_slice(c->batch, BATCH_HEADER_SIZE, c->batch.len - BATCH_HEADER_SIZE);
    if (err == ERR_OK && batch_codec(h) != CODEC_NONE) {
        err = codec_stream_init(&c->stream, c->ctx, batch_codec(h), c->records, c->rules.codec_limits, e);
        c->is_streaming = err == ERR_OK;
        c->is_windowed = c->kind == CHECKING_ONLY;
    }
    if (c->is_windowed) {
        record_iterator_init_plain(&c->plain, h, bytes_of(NULL, 0));
    }
    c->is_opened = true;
    return err;
}

// piece_read appends the next piece to the room; a length of 0 is the end.
static enum err piece_read(struct batch_checking *c, size_t *ret_len, struct error *e)
{
    uint8_t *out = buf_reserve(c->room, STREAM_PIECE);
    enum err err = out == NULL
                       ? FAIL(e, ERR_BATCH_TOO_LARGE, "the records are over %zu bytes", c->room->limit)
                       : codec_stream_read(&c->stream, out, STREAM_PIECE, ret_len, e);
    if (err != ERR_OK) {
        return err;
    }
    c->room->len += *ret_len;
    if (*ret_len == 0) {
        codec_stream_fini(&c->stream);
        c->is_streaming = false;
    }
    return ERR_OK;
}

static enum err stream_some(struct batch_checking *c, size_t bytes, struct error *e)
{
    size_t until = c->room->len + bytes;
    enum err err = ERR_OK;
    while (err == ERR_OK && c->is_streaming && c->room->len < until) {
        size_t len = 0;
        err = piece_read(c, &len, e);
    }
    c->records = buf_bytes(c->room);
    return err;
}

// ---- through a window, which grows as far as the largest record

// window_fill moves what was not walked yet to the front, and puts the next piece behind it.
static enum err window_fill(struct batch_checking *c, size_t *ret_len, struct error *e)
{
    struct record_source *s = &c->plain.source;
    size_t left = (size_t)(s->end - s->pos);
    if (left > 0 && s->pos != c->room->ptr) {
        memmove(c->room->ptr, s->pos, left);
    }
    c->room->len = left;
    enum err err = piece_read(c, ret_len, e);
    s->start = s->pos = c->room->ptr;
    s->end = s->pos + c->room->len;
    return err;
}

// has_record: the next record lies whole in the window; also if it cannot be one, or no more comes, which the
// walk finds out.
static bool has_record(const struct batch_checking *c)
{
    enum { LENGTH_MAX = 5 };
    const uint8_t *p = c->plain.source.pos;
    size_t left = (size_t)(c->plain.source.end - p);
    uint64_t coded = 0;
    if (!c->is_streaming) {
        return true;
    }
    for (size_t i = 0; i < left && i < LENGTH_MAX; i++) {
        coded |= (uint64_t)(p[i] & 0x7f) << 7 * i;
        if (p[i] < 0x80) {
            return (coded & 1) != 0 || left - i - 1 >= coded >> 1;
        }
    }
    return left >= LENGTH_MAX;
}

// window_step decompresses a piece and walks what is whole; *ret_is_done: that was all.
static enum err window_step(struct batch_checking *c, struct check_walk *walk, size_t *ret_len,
                            bool *ret_is_done, struct error *e)
{
    struct record_source *source = &c->plain.source;
    int32_t count = c->facts.header.record_count;
    enum err err = c->is_streaming ? window_fill(c, ret_len, e) : ERR_OK;
    while (err == ERR_OK && walk->index < count && has_record(c)) {
        err = check_some(source, NULL, walk, &c->rules, &c->facts, e);
    }
    bool is_over = walk->index == count && (!c->is_streaming || source->pos < source->end);
    if (err == ERR_OK && is_over) {
        err = check_rest(source, walk, &c->facts, e);
        *ret_is_done = true;
    }
    return err;
}

static enum err window_some(struct batch_checking *c, size_t bytes, bool *ret_is_done, struct error *e)
{
    struct check_walk walk = {range_of(&c->rules), c->index, c->has_bad_timestamp};
    enum err err = ERR_OK;
    for (size_t taken = 0, len = 0; err == ERR_OK && !*ret_is_done && taken < bytes; taken += len) {
        err = window_step(c, &walk, &len, ret_is_done, e);
    }
    c->index = walk.index;
    c->has_bad_timestamp = walk.has_bad_timestamp;
    return err;
}

// ---- in place

static enum err walk_some(struct batch_checking *c, size_t bytes, bool *ret_is_done, struct error *e)
{
    struct batch_facts *facts = &c->facts;
    if (!c->is_walking) {
        record_iterator_init_plain(&c->plain, &facts->header, c->records);
        c->is_walking = true;
    }
    struct record_source *source = &c->plain.source;
    struct check_walk walk = {range_of(&c->rules), c->index, c->has_bad_timestamp};
    const uint8_t *from = source->pos;
    size_t left = (size_t)(source->end - from);
    const uint8_t *until = from + (bytes < left ? bytes : left);
    enum err err = ERR_OK;
    while (err == ERR_OK && walk.index < facts->header.record_count && (size_t)(source->pos - from) < bytes) {
        err = check_some(source, until, &walk, &c->rules, facts, e);
    }
    c->index = walk.index;
    c->has_bad_timestamp = walk.has_bad_timestamp;
    *ret_is_done = walk.index == facts->header.record_count;
    return err == ERR_OK && *ret_is_done ? check_rest(source, &walk, facts, e) : err;
}

enum err batch_checking_step(struct batch_checking *c, size_t bytes, bool *ret_is_done, struct error *e)
{
    *ret_is_done = false;
    enum err err = c->summed < c->batch.len ? sum_some(c, bytes, e) : ERR_OK;
    if (err != ERR_OK || c->summed < c->batch.len) {
        return err;
    }
    err = c->is_opened ? ERR_OK : records_open(c, e);
    if (err == ERR_OK && c->is_windowed) {
        return window_some(c, bytes, ret_is_done, e);
    }
    if (err == ERR_OK && c->is_streaming) {
        err = stream_some(c, bytes, e);
    }
    if (err != ERR_OK || c->is_streaming) {
        return err;
    }
    if (c->kind == CHECKING_DECOMPRESSES) {
        *ret_is_done = true;
        return ERR_OK;
    }
    return walk_some(c, bytes, ret_is_done, e);
}

void batch_checking_end(struct batch_checking *c)
{
    if (c->is_streaming) {
        codec_stream_fini(&c->stream);
        c->is_streaming = false;
    }
}
