// SPDX-License-Identifier: Apache-2.0
// source.c - a batch's record bytes and the walk over one record (KIP-98, "Record"):
//   length varint; attributes int8; timestamp delta varlong; offset delta varint;
//   key length varint, key; value length varint, value; header count varint, {key length, key, value length,
//   value}
// Lengths of -1 are null. An uncompressed batch is read in place. A compressed one passes through a window,
// which slides; what must stay together is held by growing the window only as far as output really came.
#include "record/usual.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    WINDOW_SIZE = 32 << 10,
    VARINT_MAX = 5,
    VARLONG_MAX = 10,
    RECORD_HEAD_MAX = 2 * VARINT_MAX + 1 + VARLONG_MAX + VARINT_MAX, // up to the key
};

__attribute__((cold, noinline)) static void malformed(struct record_source *s, const char *why)
{
    if (s->error.code == ERR_OK) {
        s->error.code = FAIL(&s->error, ERR_INVALID_RECORD, "%s", why);
    }
    s->pos = s->end; // later reads find nothing
    s->is_ended = true;
}

uint64_t record_source_position(const struct record_source *s)
{
    return s->passed + (uint64_t)(s->pos - s->start);
}

static void source_refill(struct record_source *s, size_t need)
{
    struct buf *w = &s->stream.ctx->window;
    size_t left = (size_t)(s->end - s->pos);
    s->passed += (uint64_t)(s->pos - s->start);
    if (left > 0) {
        memmove(w->ptr, s->pos, left);
    }
    w->len = left;
    while (w->len < need && !s->is_ended) {
        if (w->len == w->cap) {
            uint8_t *room = buf_reserve(w, w->len < WINDOW_SIZE ? WINDOW_SIZE - w->len : w->len);
            ASSERT(room != NULL);
        }
        size_t len = 0;
        enum err err = codec_stream_read(&s->stream, w->ptr + w->len, w->cap - w->len, &len, &s->error);
        if (err != ERR_OK) {
            s->is_ended = true;
            break;
        }
        s->is_ended = len == 0;
        w->len += len;
    }
    s->start = w->ptr;
    s->pos = w->ptr;
    s->end = w->ptr + w->len;
}

// source_fill tries to have `need` bytes at hand; fewer are left only at the end of the batch.
static inline void source_fill(struct record_source *s, size_t need)
{
    if ((size_t)(s->end - s->pos) < need && !s->is_ended) {
        source_refill(s, need);
    }
}

static uint64_t source_uvarint_slow(struct record_source *s, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits && s->pos < s->end; shift += 7) {
        uint8_t byte = *s->pos++;
        if (bits - shift < 7 && byte >> (bits - shift) != 0) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    malformed(s, "a varint is malformed or cut off");
    return 0;
}

static inline int64_t source_varlong(struct record_source *s, unsigned bits)
{
    uint64_t v = s->pos < s->end && *s->pos < 0x80 ? *s->pos++ : source_uvarint_slow(s, bits);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static inline int32_t source_varint(struct record_source *s)
{
    return (int32_t)source_varlong(s, 32);
}

static void source_skip_slow(struct record_source *s, size_t n)
{
    while (n > 0) {
        source_fill(s, 1);
        size_t left = (size_t)(s->end - s->pos);
        if (left == 0) {
            malformed(s, "a record is cut off");
            return;
        }
        size_t step = left < n ? left : n;
        s->pos += step;
        n -= step;
    }
}

// source_field skips what a length announces and returns it as a view; null only if it may be.
static inline struct bytes source_field(struct record_source *s, uint64_t record_end, bool may_be_null)
{
    int32_t len = source_varint(s);
    if (len < 0) {
        if (len < -1 || !may_be_null) {
            malformed(s, "a length is negative");
        }
        return bytes_of(NULL, 0);
    }
    uint64_t at = record_source_position(s);
    if (at > record_end || (uint64_t)len > record_end - at) {
        malformed(s, "a field is longer than its record");
        return bytes_of(NULL, 0);
    }
    struct bytes field = bytes_of(s->pos, (size_t)len);
    if ((size_t)len <= (size_t)(s->end - s->pos)) {
        s->pos += len;
    } else {
        source_skip_slow(s, (size_t)len);
    }
    return field;
}

static void source_headers(struct record_source *s, uint64_t record_end, struct record_walk *ret)
{
    source_fill(s, VARINT_MAX);
    ret->header_count = source_varint(s);
    if (ret->header_count < 0) {
        malformed(s, "the header count is negative");
    }
    ret->headers_raw = bytes_of(s->pos, 0);
    uint64_t from = record_source_position(s);
    for (int32_t i = 0; i < ret->header_count && s->error.code == ERR_OK; i++) {
        // A length or header that is read past the record's end shows when the record is done.
        source_fill(s, VARINT_MAX);
        source_field(s, record_end, false);
        source_fill(s, VARINT_MAX);
        source_field(s, record_end, true);
    }
    ret->headers_raw.len = (size_t)(record_source_position(s) - from);
}

// source_hold brings `len` bytes together, and enough beyond them that the walk's own fills find their bytes
// and do not move the window.
static void source_hold(struct record_source *s, size_t len)
{
    source_fill(s, len + RECORD_HEAD_MAX);
    if (len > (size_t)(s->end - s->pos)) {
        malformed(s, "a record is cut off");
    }
}

// ---- the usual record

// A varint of up to three bytes; false for longer ones, and where the bytes end.
static inline bool short_uvarint(const uint8_t **at, const uint8_t *end, uint32_t *ret)
{
    const uint8_t *p = *at;
    if (end - p < 3) {
        if (p == end || *p >= 0x80) {
            return false;
        }
        *ret = *p;
        *at = p + 1;
        return true;
    }
    uint32_t value = p[0] & 0x7fU;
    size_t used = 1;
    if (p[0] >= 0x80) {
        value |= (p[1] & 0x7fU) << 7;
        used = 2;
        if (p[1] >= 0x80) {
            value |= (uint32_t)p[2] << 14;
            used = 3;
            if (p[2] >= 0x80) {
                return false;
            }
        }
    }
    *ret = value;
    *at = p + used;
    return true;
}

static inline bool short_field(const uint8_t **at, const uint8_t *end, struct bytes *ret)
{
    uint32_t coded;
    if (!short_uvarint(at, end, &coded)) {
        return false;
    }
    if ((coded & 1) != 0) { // negative: -1 is null
        *ret = bytes_of(NULL, 0);
        return coded == 1;
    }
    *ret = bytes_of(*at, coded >> 1);
    if (ret->len > (size_t)(end - *at)) {
        return false;
    }
    *at += ret->len;
    return true;
}

// walk_usual reads a record that is sound, lies whole in memory, and has short lengths and no headers, in
// half of the instructions. False: it is not such a one, and nothing was read.
static inline bool walk_usual(struct record_source *s, struct record_walk *ret, int64_t *ret_timestamp_delta)
{
    const uint8_t *at = s->pos;
    uint32_t len, timestamp_delta, offset_delta;
    if (!short_uvarint(&at, s->end, &len) || (len & 1) != 0 || len >> 1 > (size_t)(s->end - at) || len == 0) {
        return false;
    }
    const uint8_t *end = at + (len >> 1);
    at++; // attributes: none are defined
    if (!short_uvarint(&at, end, &timestamp_delta) || !short_uvarint(&at, end, &offset_delta) ||
        !short_field(&at, end, &ret->key) || !short_field(&at, end, &ret->value) || end - at != 1 ||
        *at != 0) {
        return false;
    }
    ret->offset_delta = (int32_t)unzigzag(offset_delta);
    ret->header_count = 0;
    ret->headers_raw = bytes_of(end, 0);
    *ret_timestamp_delta = unzigzag(timestamp_delta);
    s->pos = end;
    return true;
}

// ---- many usual records

void record_source_run(struct record_source *s, const struct batch_header *h, struct record_run *run)
{
    int64_t base_ms = h->base_timestamp;
    if (!usual_is_in(h)) {
        return;
    }
    struct record_run r = *run; // in registers
    const uint8_t *until = r.until == NULL || r.until > s->end ? s->end : r.until;
    const uint8_t *p = s->pos;
    while (r.index < r.count && p < until && s->end - p >= USUAL_HEAD) {
        UNINITIALIZED struct usual_record record;
        if (!usual_read(p, s->end, &record) || record.offset_delta != r.index ||
            (r.wants_keys && record.key.ptr == NULL)) {
            break;
        }
        int64_t timestamp = base_ms + record.timestamp_delta;
        if ((timestamp < r.min_ms || timestamp > r.max_ms) && timestamp != BATCH_NO_TIMESTAMP) {
            break;
        }
        if (timestamp > r.max_timestamp) {
            r.max_timestamp = timestamp;
            r.max_index = r.index;
        }
        r.null_key_count += record.key.ptr == NULL;
        r.index++;
        p = record.end;
    }
    s->pos = p;
    *run = r;
}

// ---- any record

static inline bool walk_timestamp(struct record_source *s, const struct batch_header *h,
                                  int64_t timestamp_delta, struct record_walk *ret)
{
    if (batch_is_log_append_time(h)) {
        ret->timestamp = h->max_timestamp;
    } else if (__builtin_add_overflow(h->base_timestamp, timestamp_delta, &ret->timestamp)) {
        malformed(s, "a timestamp overflows");
        return false;
    }
    return true;
}

bool record_source_walk(struct record_source *s, const struct batch_header *h, bool hold,
                        struct record_walk *ret)
{
    int64_t timestamp_delta;
    if (walk_usual(s, ret, &timestamp_delta)) {
        return walk_timestamp(s, h, timestamp_delta, ret);
    }
    source_fill(s, RECORD_HEAD_MAX);
    int32_t len = source_varint(s);
    if (len < 0) {
        malformed(s, "a record's length is negative");
        return false;
    }
    if (hold || !s->is_streamed) {
        source_hold(s, (size_t)len);
    }
    uint64_t record_end = record_source_position(s) + (uint64_t)len;
    if (s->pos < s->end) {
        s->pos++; // attributes: none are defined
    }
    timestamp_delta = source_varlong(s, 64);
    ret->offset_delta = source_varint(s);
    ret->key = source_field(s, record_end, true);
    source_fill(s, VARINT_MAX);
    ret->value = source_field(s, record_end, true);
    source_headers(s, record_end, ret);
    if (s->error.code != ERR_OK) {
        return false;
    }
    if (record_source_position(s) != record_end) {
        malformed(s, "a record's length does not match its fields");
        return false;
    }
    return walk_timestamp(s, h, timestamp_delta, ret);
}

bool record_source_end(struct record_source *s)
{
    source_fill(s, 1);
    if (s->pos < s->end) {
        malformed(s, "bytes after the last record");
    }
    return s->error.code == ERR_OK;
}

enum err record_source_open(struct record_source *s, struct codec_context *ctx, const struct batch_header *h,
                            struct bytes batch, const struct codec_limits *limits, struct error *e)
{
    if (h->size != batch.len) {
        return FAIL(e, ERR_CORRUPT, "a batch of %zu bytes in %zu", h->size, batch.len);
    }
    struct bytes records = bytes_slice(batch, BATCH_HEADER_SIZE, batch.len - BATCH_HEADER_SIZE);
    // An emptied batch (compaction) keeps its codec bits but has no bytes to decompress.
    bool is_empty = records.len == 0 && h->record_count == 0;
    s->passed = 0;
    s->error.code = ERR_OK;
    s->is_streamed = batch_codec(h) != CODEC_NONE && !is_empty;
    s->is_ended = !s->is_streamed;
    if (!s->is_streamed) {
        s->pos = records.ptr;
        s->end = records.ptr + records.len;
    } else {
        enum err err = codec_stream_init(&s->stream, ctx, batch_codec(h), records, limits, e);
        if (err != ERR_OK) {
            return err;
        }
        struct buf *w = &ctx->window;
        buf_reset(w);
        w->limit = SIZE_MAX; // what grows it is decompressed output, and that has its limit
        s->pos = w->ptr;
        s->end = w->ptr;
    }
    s->start = s->pos;
    return ERR_OK;
}

void record_source_close(struct record_source *s)
{
    if (s->is_streamed) {
        codec_stream_fini(&s->stream);
        s->is_streamed = false;
    }
}
