// SPDX-License-Identifier: Apache-2.0
#include "record/iterate.h"

#include "base/assert.h"
#include "base/mem.h"
#include "record/usual.h"

enum err record_iterator_init(struct record_iterator *it, struct codec_context *ctx, struct bytes batch,
                              const struct codec_limits *limits, struct error *e)
{
    it->index = 0;
    it->last_delta = -1;
    enum err err = batch_header_read(batch, &it->header, e);
    if (err != ERR_OK) {
        return err;
    }
    return record_source_open(&it->source, ctx, &it->header, batch, limits, e);
}

void record_iterator_init_plain(struct record_iterator *it, const struct batch_header *header,
                                struct bytes records)
{
    *it = (struct record_iterator){.header = *header, .last_delta = -1};
    it->source.pos = it->source.start = records.ptr;
    it->source.end = records.ptr + records.len;
    it->source.is_ended = true;
}

// next_usual reads a usual record. false: nothing was read.
static inline bool next_usual(struct record_iterator *it, struct record *ret)
{
    struct record_source *s = &it->source;
    UNINITIALIZED struct usual_record record;
    if (s->end - s->pos < USUAL_HEAD || it->index == it->header.record_count || !usual_is_in(&it->header) ||
        !usual_read(s->pos, s->end, &record) || record.offset_delta <= it->last_delta ||
        record.offset_delta > it->header.last_offset_delta) {
        return false;
    }
    s->pos = record.end;
    it->index++;
    it->last_delta = (int32_t)record.offset_delta;
    ret->offset = it->header.base_offset + record.offset_delta;
    ret->timestamp = it->header.base_timestamp + record.timestamp_delta;
    ret->key = record.key;
    ret->value = record.value;
    ret->headers_raw = bytes_of(record.end, 0);
    ret->header_count = 0;
    return true;
}

bool record_iterator_next(struct record_iterator *it, struct record *ret)
{
    struct record_source *s = &it->source;
    if (s->error.code != ERR_OK) {
        return false;
    }
    if (next_usual(it, ret)) {
        return true;
    }
    if (it->index == it->header.record_count) {
        record_source_end(s);
        return false;
    }
    struct record_walk walk;
    if (!record_source_walk(s, &it->header, true, &walk)) {
        error_wrap(&s->error, "record %d", it->index);
        return false;
    }
    if (walk.offset_delta <= it->last_delta || walk.offset_delta > it->header.last_offset_delta) {
        s->error.code = FAIL(&s->error, ERR_INVALID_RECORD, "record %d: offset delta %d after %d, up to %d",
                             it->index, walk.offset_delta, it->last_delta, it->header.last_offset_delta);
        return false;
    }
    it->index++;
    it->last_delta = walk.offset_delta;
    *ret = (struct record){
        .offset = it->header.base_offset + walk.offset_delta,
        .timestamp = walk.timestamp,
        .key = walk.key,
        .value = walk.value,
        .headers_raw = walk.headers_raw,
        .header_count = walk.header_count,
    };
    return true;
}

enum err record_iterator_fini(struct record_iterator *it, struct error *e)
{
    record_source_close(&it->source);
    enum err err = it->source.error.code;
    if (err != ERR_OK && e != NULL) {
        *e = it->source.error;
    }
    return err;
}

struct record_headers record_headers_init(const struct record *r)
{
    return (struct record_headers){reader_init(r->headers_raw), r->header_count};
}

bool record_headers_next(struct record_headers *headers, struct record_header *ret)
{
    if (headers->left == 0) {
        return false;
    }
    struct reader *r = &headers->reader;
    headers->left--;
    int32_t key_len = reader_varint(r);
    const uint8_t *key = reader_take(r, key_len < 0 ? 0 : (size_t)key_len);
    int32_t value_len = reader_varint(r);
    const uint8_t *value = reader_take(r, value_len < 0 ? 0 : (size_t)value_len);
    ASSERT(!r->failed); // the iterator walked these bytes
    ret->key = (struct str){(const char *)key, (size_t)key_len};
    ret->value = value_len < 0 ? bytes_of(NULL, 0) : bytes_of(value, (size_t)value_len);
    return true;
}
