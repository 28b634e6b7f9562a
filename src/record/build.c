// SPDX-License-Identifier: Apache-2.0
#include "record/build.h"

#include "record/record_private.h"

struct batch_options batch_options_default(void)
{
    return (struct batch_options){
        .base_timestamp = BATCH_NO_TIMESTAMP,
        .producer_id = BATCH_NO_PRODUCER_ID,
        .base_sequence = BATCH_NO_SEQUENCE,
        .leader_epoch = -1,
        .producer_epoch = -1,
        .codec = CODEC_NONE,
        .bytes_max = (size_t)64 << 20,
    };
}

void batch_builder_init(struct batch_builder *b, const struct batch_options *options)
{
    *b = (struct batch_builder){0};
    batch_builder_reset(b, options);
}

void batch_builder_fini(struct batch_builder *b)
{
    buf_fini(&b->records);
}

void batch_builder_reset(struct batch_builder *b, const struct batch_options *options)
{
    b->options = *options;
    b->records.limit = options->bytes_max;
    buf_reset(&b->records);
    b->max_timestamp = BATCH_NO_TIMESTAMP;
    b->record_count = 0;
    b->last_offset_delta = -1;
    b->is_refused = false;
}

static size_t varlong_size(int64_t v)
{
    uint64_t zigzag = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    size_t size = 1;
    for (; zigzag >= 0x80; zigzag >>= 7) {
        size++;
    }
    return size;
}

static size_t field_size(struct bytes field)
{
    return field.ptr == NULL ? 1 : varlong_size((int64_t)field.len) + field.len;
}

static void field_append(struct buf *b, struct bytes field)
{
    buf_varint(b, field.ptr == NULL ? -1 : (int32_t)field.len);
    buf_append(b, field.ptr, field.len);
}

// record_begin appends all before the headers, which take headers_size bytes; false if refused.
static bool record_begin(struct batch_builder *b, int64_t offset_delta, int64_t timestamp, struct bytes key,
                         struct bytes value, int32_t header_count, size_t headers_size)
{
    if (b->record_count == 0 && b->options.base_timestamp == BATCH_NO_TIMESTAMP) {
        b->options.base_timestamp = timestamp;
    }
    int64_t timestamp_delta;
    size_t largest = b->records.limit;
    if (offset_delta <= b->last_offset_delta || offset_delta > INT32_MAX || header_count < 0 ||
        __builtin_sub_overflow(timestamp, b->options.base_timestamp, &timestamp_delta)) {
        b->is_refused = true;
        return false;
    }
    if (key.len > largest || value.len > largest || headers_size > largest) {
        b->records.failed = true;
        return false;
    }
    size_t size = 1 + varlong_size(timestamp_delta) + varlong_size(offset_delta) + field_size(key) +
                  field_size(value) + varlong_size(header_count) + headers_size;
    if (size > INT32_MAX) {
        b->records.failed = true;
        return false;
    }
    struct buf *out = &b->records;
    buf_varint(out, (int32_t)size);
    buf_u8(out, 0);
    buf_varlong(out, timestamp_delta);
    buf_varint(out, (int32_t)offset_delta);
    field_append(out, key);
    field_append(out, value);
    buf_varint(out, header_count);
    if (b->record_count == 0 || timestamp > b->max_timestamp) {
        b->max_timestamp = timestamp;
    }
    b->last_offset_delta = (int32_t)offset_delta;
    b->record_count++;
    return true;
}

// headers_size_of: false if one of them is larger than anything may be.
static bool headers_size_of(struct batch_builder *b, const struct record_header *headers,
                            int32_t header_count, size_t *ret)
{
    size_t size = 0;
    for (int32_t i = 0; i < header_count; i++) {
        if (headers[i].key.len > b->records.limit || headers[i].value.len > b->records.limit) {
            b->records.failed = true;
            return false;
        }
        size += varlong_size((int64_t)headers[i].key.len) + headers[i].key.len;
        size += field_size(headers[i].value);
    }
    *ret = size;
    return true;
}

static void headers_append(struct batch_builder *b, const struct record_header *headers, int32_t header_count)
{
    for (int32_t i = 0; i < header_count; i++) {
        buf_varint(&b->records, (int32_t)headers[i].key.len);
        buf_append_str(&b->records, headers[i].key);
        field_append(&b->records, headers[i].value);
    }
}

void batch_builder_append(struct batch_builder *b, int64_t timestamp, struct bytes key, struct bytes value,
                          const struct record_header *headers, int32_t header_count)
{
    size_t size;
    int64_t delta = (int64_t)b->last_offset_delta + 1;
    if (headers_size_of(b, headers, header_count, &size) &&
        record_begin(b, delta, timestamp, key, value, header_count, size)) {
        headers_append(b, headers, header_count);
    }
}

void batch_builder_append_with(struct batch_builder *b, const struct record *record, int64_t offset,
                               const struct record_header *headers, int32_t header_count)
{
    int64_t delta;
    int32_t count;
    size_t size;
    if (__builtin_sub_overflow(offset, b->options.base_offset, &delta) ||
        __builtin_add_overflow(record->header_count, header_count, &count)) {
        b->is_refused = true;
        return;
    }
    if (headers_size_of(b, headers, header_count, &size) &&
        record_begin(b, delta, record->timestamp, record->key, record->value, count,
                     record->headers_raw.len + size)) {
        buf_append(&b->records, record->headers_raw.ptr, record->headers_raw.len);
        headers_append(b, headers, header_count);
    }
}

void batch_builder_append_record(struct batch_builder *b, const struct record *record)
{
    batch_builder_append_with(b, record, record->offset, NULL, 0);
}

void batch_builder_extend(struct batch_builder *b, int64_t last_offset)
{
    int64_t delta;
    if (__builtin_sub_overflow(last_offset, b->options.base_offset, &delta) || delta < 0 ||
        delta > INT32_MAX) {
        b->is_refused = true;
    } else if (delta > b->last_offset_delta) {
        b->last_offset_delta = (int32_t)delta;
    }
}

static void header_write(const struct batch_builder *b, uint8_t *p, size_t size)
{
    const struct batch_options *o = &b->options;
    uint16_t attributes = (uint16_t)((o->attributes & ~BATCH_ATTRIBUTE_CODEC) | (int)o->codec);
    store_be64(p + BATCH_AT_BASE_OFFSET, (uint64_t)o->base_offset);
    store_be32(p + BATCH_AT_LENGTH, (uint32_t)(size - BATCH_PREFIX_SIZE));
    store_be32(p + BATCH_AT_LEADER_EPOCH, (uint32_t)o->leader_epoch);
    p[BATCH_AT_MAGIC] = BATCH_MAGIC;
    store_be16(p + BATCH_AT_ATTRIBUTES, attributes);
    store_be32(p + BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)b->last_offset_delta);
    store_be64(p + BATCH_AT_BASE_TIMESTAMP, (uint64_t)o->base_timestamp);
    store_be64(p + BATCH_AT_MAX_TIMESTAMP, (uint64_t)b->max_timestamp);
    store_be64(p + BATCH_AT_PRODUCER_ID, (uint64_t)o->producer_id);
    store_be16(p + BATCH_AT_PRODUCER_EPOCH, (uint16_t)o->producer_epoch);
    store_be32(p + BATCH_AT_BASE_SEQUENCE, (uint32_t)o->base_sequence);
    store_be32(p + BATCH_AT_RECORD_COUNT, (uint32_t)b->record_count);
    batch_sum_again(p);
}

enum err batch_finishing_begin(struct batch_finishing *f, struct batch_builder *b, struct buf *out,
                               struct error *e)
{
    *f = (struct batch_finishing){.builder = b, .out = out, .start = out->len};
    if (b->is_refused) {
        return FAIL(e, ERR_INVALID_RECORD, "an offset or timestamp is out of the batch's range");
    }
    if (b->last_offset_delta < 0) {
        return FAIL(e, ERR_INVALID_RECORD, "a batch must cover at least one offset");
    }
    if (b->records.failed) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "the records take more than %zu bytes", b->options.bytes_max);
    }
    if (buf_reserve(out, BATCH_HEADER_SIZE) == NULL) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "no room for a batch header");
    }
    out->len += BATCH_HEADER_SIZE;
    if (b->record_count == 0) {
        return ERR_OK;
    }
    f->is_packing = true;
    return codec_packing_begin(&f->packing, b->options.codec, CODEC_LEVEL_DEFAULT, buf_bytes(&b->records),
                               out, e);
}

enum err batch_finishing_step(struct batch_finishing *f, size_t bytes, bool *ret_is_done, struct error *e)
{
    const struct batch_builder *b = f->builder;
    enum err err = ERR_OK;
    *ret_is_done = true;
    if (f->is_packing) {
        err = codec_packing_step(&f->packing, bytes, ret_is_done, e);
    }
    if (err != ERR_OK || !*ret_is_done) {
        return err;
    }
    size_t size = f->out->len - f->start;
    if (size > b->options.bytes_max || size > INT32_MAX) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "the batch takes %zu bytes, limit %zu", size,
                    b->options.bytes_max);
    }
    header_write(b, f->out->ptr + f->start, size);
    f->is_done = true;
    return ERR_OK;
}

void batch_finishing_end(struct batch_finishing *f)
{
    if (f->is_packing) {
        codec_packing_end(&f->packing);
        f->is_packing = false;
    }
    if (!f->is_done) {
        f->out->len = f->start;
    }
}

enum err batch_builder_finish(struct batch_builder *b, struct buf *out, struct error *e)
{
    struct batch_finishing f;
    bool is_done = false;
    enum err err = batch_finishing_begin(&f, b, out, e);
    err = err == ERR_OK ? batch_finishing_step(&f, SIZE_MAX, &is_done, e) : err;
    batch_finishing_end(&f);
    return err;
}
