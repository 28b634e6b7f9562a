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

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static size_t varlong_size(int64_t v)
{
    size_t bits = 64 - (size_t)__builtin_clzll(zigzag(v) | 1);
    return (bits + 6) / 7;
}

static size_t field_size(struct bytes field)
{
    return field.ptr == NULL ? 1 : varlong_size((int64_t)field.len) + field.len;
}

// Where put_varlong and those below write there is room; they give what is behind.
static uint8_t *put_varlong(uint8_t *p, int64_t number)
{
    uint64_t v = zigzag(number);
    for (; v >= 0x80; v >>= 7) {
        *p++ = (uint8_t)(v | 0x80);
    }
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_bytes(uint8_t *p, struct bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(p, bytes.ptr, bytes.len);
    }
    return p + bytes.len;
}

static uint8_t *put_field(uint8_t *p, struct bytes field)
{
    return put_bytes(put_varlong(p, field.ptr == NULL ? -1 : (int64_t)field.len), field);
}

static uint8_t *put_headers(uint8_t *p, const struct record_header *headers, int32_t header_count)
{
    for (int32_t i = 0; i < header_count; i++) {
        p = put_varlong(p, (int64_t)headers[i].key.len);
        p = put_bytes(p, bytes_of(headers[i].key.ptr, headers[i].key.len));
        p = put_field(p, headers[i].value);
    }
    return p;
}

// headers_size_of: false if they are larger than anything may be.
static bool headers_size_of(const struct record_header *headers, int32_t header_count, size_t limit,
                            size_t *ret)
{
    size_t size = 0;
    for (int32_t i = 0; i < header_count; i++) {
        if (headers[i].key.len > limit || headers[i].value.len > limit) {
            return false;
        }
        size += varlong_size((int64_t)headers[i].key.len) + headers[i].key.len;
        size += field_size(headers[i].value);
    }
    *ret = size;
    return true;
}

void record_headers_encode(const struct record_header *headers, int32_t header_count, struct buf *out)
{
    size_t size;
    uint8_t *p = headers_size_of(headers, header_count, out->limit, &size) ? buf_reserve(out, size) : NULL;
    if (p == NULL) {
        out->failed = true;
    } else {
        put_headers(p, headers, header_count);
        out->len += size;
    }
}

bool batch_builder_note(struct batch_builder *b, int64_t offset_delta, int64_t timestamp,
                        int64_t *ret_timestamp_delta)
{
    if (b->record_count == 0 && b->options.base_timestamp == BATCH_NO_TIMESTAMP) {
        b->options.base_timestamp = timestamp;
    }
    if (offset_delta <= b->last_offset_delta || offset_delta > INT32_MAX ||
        __builtin_sub_overflow(timestamp, b->options.base_timestamp, ret_timestamp_delta)) {
        b->is_refused = true;
        return false;
    }
    if (b->record_count == 0 || timestamp > b->max_timestamp) {
        b->max_timestamp = timestamp;
    }
    b->last_offset_delta = (int32_t)offset_delta;
    b->record_count++;
    return true;
}

// record_begin writes all before the headers, which take headers_size bytes, and gives where they go; NULL if
// refused.
static uint8_t *record_begin(struct batch_builder *b, int64_t offset_delta, int64_t timestamp,
                             struct bytes key, struct bytes value, int32_t header_count, size_t headers_size)
{
    int64_t timestamp_delta;
    size_t largest = b->records.limit;
    if (header_count < 0) {
        b->is_refused = true;
        return NULL;
    }
    if (!batch_builder_note(b, offset_delta, timestamp, &timestamp_delta)) {
        return NULL;
    }
    if (key.len > largest || value.len > largest || headers_size > largest) {
        b->records.failed = true;
        return NULL;
    }
    size_t size = 1 + varlong_size(timestamp_delta) + varlong_size(offset_delta) + field_size(key) +
                  field_size(value) + varlong_size(header_count) + headers_size;
    size_t whole = varlong_size((int64_t)size) + size;
    uint8_t *p = size > INT32_MAX ? NULL : buf_reserve(&b->records, whole);
    if (p == NULL) {
        b->records.failed = true;
        return NULL;
    }
    b->records.len += whole;
    p = put_varlong(p, (int64_t)size);
    *p++ = 0;
    p = put_varlong(p, timestamp_delta);
    p = put_varlong(p, offset_delta);
    p = put_field(p, key);
    p = put_field(p, value);
    return put_varlong(p, header_count);
}

void batch_builder_append(struct batch_builder *b, int64_t timestamp, struct bytes key, struct bytes value,
                          const struct record_header *headers, int32_t header_count)
{
    size_t size;
    int64_t delta = (int64_t)b->last_offset_delta + 1;
    if (!headers_size_of(headers, header_count, b->records.limit, &size)) {
        b->records.failed = true;
        return;
    }
    uint8_t *p = record_begin(b, delta, timestamp, key, value, header_count, size);
    if (p != NULL) {
        put_headers(p, headers, header_count);
    }
}

// copy_begin is record_begin of a record whose own headers are copied, with headers_size bytes more behind
// them.
static uint8_t *copy_begin(struct batch_builder *b, const struct record *record, int64_t offset,
                           int32_t header_count, size_t headers_size)
{
    int64_t delta;
    int32_t count;
    if (__builtin_sub_overflow(offset, b->options.base_offset, &delta) ||
        __builtin_add_overflow(record->header_count, header_count, &count)) {
        b->is_refused = true;
        return NULL;
    }
    uint8_t *p = record_begin(b, delta, record->timestamp, record->key, record->value, count,
                              record->headers_raw.len + headers_size);
    return p == NULL ? NULL : put_bytes(p, record->headers_raw);
}

void batch_builder_append_with(struct batch_builder *b, const struct record *record, int64_t offset,
                               const struct record_header *headers, int32_t header_count)
{
    size_t size;
    if (!headers_size_of(headers, header_count, b->records.limit, &size)) {
        b->records.failed = true;
        return;
    }
    uint8_t *p = copy_begin(b, record, offset, header_count, size);
    if (p != NULL) {
        put_headers(p, headers, header_count);
    }
}

void batch_builder_append_coded(struct batch_builder *b, const struct record *record, int64_t offset,
                                struct bytes headers, int32_t header_count)
{
    uint8_t *p = copy_begin(b, record, offset, header_count, headers.len);
    if (p != NULL) {
        put_bytes(p, headers);
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
