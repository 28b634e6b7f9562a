// SPDX-License-Identifier: Apache-2.0
// encode.c - walks a table over a message of ours and appends its bytes.
// A failed buf swallows what follows, so running out of room is noticed once, at the end.
#include "base/assert.h"
#include "base/mem.h"
#include "wire/wire_private.h"

struct encoder {
    struct buf *out;
    struct wire_cuts *cuts;
    struct error *e;
    int16_t version;
    bool is_flexible;
    const struct wire_watch *watch; // may be NULL
};

static enum err encode_struct(const struct encoder *c, const struct wire_struct *type,
                              const uint8_t *message);

// put returns room for n bytes at the end, or NULL past the limit. Measured: calling buf_be32 and its like
// from another file for each field cost as much as all the rest.
static inline uint8_t *put(struct buf *out, size_t n)
{
    uint8_t *room;
    if (out->failed || out->cap - out->len < n || out->limit - out->len < n) {
        room = buf_reserve(out, n);
        if (room == NULL) {
            return NULL;
        }
    } else {
        room = out->ptr + out->len;
    }
    out->len += n;
    return room;
}

static inline void put_u8(struct buf *out, uint8_t v)
{
    uint8_t *at = put(out, 1);
    if (at != NULL) {
        *at = v;
    }
}

static inline void put_be16(struct buf *out, uint16_t v)
{
    uint8_t *at = put(out, 2);
    if (at != NULL) {
        store_be16(at, v);
    }
}

static inline void put_be32(struct buf *out, uint32_t v)
{
    uint8_t *at = put(out, 4);
    if (at != NULL) {
        store_be32(at, v);
    }
}

static inline void put_be64(struct buf *out, uint64_t v)
{
    uint8_t *at = put(out, 8);
    if (at != NULL) {
        store_be64(at, v);
    }
}

static inline void put_uvarint(struct buf *out, uint64_t v)
{
    if (v < 0x80) {
        put_u8(out, (uint8_t)v);
    } else {
        buf_uvarint(out, v);
    }
}

static bool can_be_null(const struct encoder *c, const struct wire_field *field)
{
    return c->version >= field->null_since;
}

// write_length writes a length or count; -1 is null.
static void write_length(const struct encoder *c, int64_t length, bool is_short)
{
    if (c->is_flexible) {
        put_uvarint(c->out, (uint64_t)(length + 1));
    } else if (is_short) {
        put_be16(c->out, (uint16_t)length);
    } else {
        put_be32(c->out, (uint32_t)length);
    }
}

static enum err encode_text(const struct encoder *c, const struct wire_field *field, struct str text)
{
    if (text.len > WIRE_STRING_SIZE_MAX) {
        return FAIL(c->e, ERR_MALFORMED, "%s: %zu bytes of text, limit %d", field->name, text.len,
                    WIRE_STRING_SIZE_MAX);
    }
    write_length(c, text.ptr == NULL && can_be_null(c, field) ? -1 : (int64_t)text.len, true);
    buf_append_str(c->out, text);
    return ERR_OK;
}

static void cuts_push(struct wire_cuts *cuts, struct wire_cut cut)
{
    if (cuts->count == cuts->cap) {
        cuts->cap = cuts->cap == 0 ? 8 : cuts->cap * 2;
        cuts->items = mem_realloc(cuts->items, cuts->cap * sizeof *cuts->items);
    }
    cuts->items[cuts->count++] = cut;
}

static enum err encode_bytes(const struct encoder *c, const struct wire_field *field,
                             const struct wire_records *records)
{
    size_t size = records->bytes.len + records->external_size;
    if (size > INT32_MAX - 1) {
        return FAIL(c->e, ERR_MALFORMED, "%s: %zu bytes", field->name, size);
    }
    bool is_null = records->bytes.ptr == NULL && records->external_size == 0;
    write_length(c, is_null && can_be_null(c, field) ? -1 : (int64_t)size, false);
    buf_append(c->out, records->bytes.ptr, records->bytes.len);
    if (records->external_size > 0) {
        ASSERT(c->cuts != NULL);
        cuts_push(c->cuts, (struct wire_cut){c->out->len, records->external, records->external_size});
    }
    return ERR_OK;
}

static void encode_scalar(const struct encoder *c, enum wire_type type, const void *at)
{
    struct buf *out = c->out;
    switch (type) {
    case WIRE_BOOL:
        put_u8(out, *(const bool *)at ? 1 : 0);
        return;
    case WIRE_I8:
        put_u8(out, *(const uint8_t *)at);
        return;
    case WIRE_I16:
    case WIRE_U16:
        put_be16(out, *(const uint16_t *)at);
        return;
    case WIRE_I32:
        put_be32(out, *(const uint32_t *)at);
        return;
    case WIRE_I64:
    case WIRE_F64:
        put_be64(out, *(const uint64_t *)at);
        return;
    case WIRE_UUID:
        buf_uuid(out, *(const struct uuid *)at);
        return;
    case WIRE_ERROR: {
        enum err code = *(const enum err *)at;
        int16_t kafka_code = code < ERR_COUNT ? err_kafka(code) : -1;
        put_be16(out, (uint16_t)kafka_code);
        if (c->watch != NULL) {
            c->watch->error(c->watch->arg, kafka_code);
        }
        return;
    }
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_STRUCT:
        break;
    }
    UNREACHABLE("not a scalar");
}

static enum err encode_element(const struct encoder *c, const struct wire_field *field, const void *at)
{
    switch ((enum wire_type)field->type) {
    case WIRE_STRUCT:
        return encode_struct(c, field->sub, at);
    case WIRE_STRING:
        return encode_text(c, field, *(const struct str *)at);
    case WIRE_BYTES: {
        struct wire_records inline_only = {.bytes = *(const struct bytes *)at};
        return encode_bytes(c, field, &inline_only);
    }
    case WIRE_RECORDS:
        return encode_bytes(c, field, at);
    default:
        encode_scalar(c, field->type, at);
        return ERR_OK;
    }
}

static enum err encode_array(const struct encoder *c, const struct wire_field *field,
                             const struct wire_array_view *array)
{
    int32_t count = array->count < 0 ? 0 : array->count;
    write_length(c, array->count < 0 && can_be_null(c, field) ? -1 : count, false);
    size_t stride = wire_element_size(field);
    for (int32_t i = 0; i < count; i++) {
        enum err err = encode_element(c, field, (const uint8_t *)array->ptr + (size_t)i * stride);
        if (err != ERR_OK) {
            error_wrap(c->e, "%s %d", field->name, i);
            return err;
        }
    }
    return ERR_OK;
}

static enum err encode_pointer(const struct encoder *c, const struct wire_field *field, const void *message)
{
    if (message == NULL && can_be_null(c, field)) {
        put_u8(c->out, 0xff);
        return ERR_OK;
    }
    if (can_be_null(c, field)) {
        put_u8(c->out, 1);
    }
    return encode_struct(c, field->sub, message == NULL ? field->sub->initial : message);
}

static enum err encode_field(const struct encoder *c, const struct wire_field *field, const uint8_t *message)
{
    const void *at = message + field->offset;
    if (field->flags & WIRE_ARRAY) {
        return encode_array(c, field, at);
    }
    if (field->flags & WIRE_POINTER) {
        return encode_pointer(c, field, *(const void *const *)at);
    }
    return encode_element(c, field, at);
}

// is_initial says whether a field holds its default, so that a tagged one can be left out.
static bool is_initial(const struct wire_field *field, const uint8_t *message, const uint8_t *initial)
{
    const uint8_t *at = message + field->offset;
    const uint8_t *initial_at = initial + field->offset;
    if (field->flags & WIRE_ARRAY) {
        int32_t count = ((const struct wire_array_view *)at)->count;
        return count == ((const struct wire_array_view *)initial_at)->count && count <= 0;
    }
    if (field->type == WIRE_STRING || field->type == WIRE_BYTES) {
        const struct bytes *view = (const struct bytes *)at;
        bool may_be_null = field->null_since != WIRE_VERSION_NEVER;
        bool is_null = may_be_null && view->ptr == NULL;
        bool initial_is_null = may_be_null && ((const struct bytes *)initial_at)->ptr == NULL;
        return view->len == 0 && is_null == initial_is_null;
    }
    if (field->type == WIRE_STRUCT) {
        // Mostly the very image that wire_init copied; if not, the padding may differ and the fields decide.
        if (memcmp(at, initial_at, field->sub->size) == 0) {
            return true;
        }
        for (size_t i = 0; i < field->sub->count; i++) {
            if (!is_initial(&field->sub->fields[i], at, initial_at)) {
                return false;
            }
        }
        return true;
    }
    return memcmp(at, initial_at, wire_element_size(field)) == 0;
}

// encode_tag writes tag, size and value; the size is known only afterwards, and mostly fits one byte.
static enum err encode_tag(const struct encoder *c, const struct wire_field *field, const uint8_t *message)
{
    put_uvarint(c->out, (uint64_t)field->tag);
    size_t size_at = c->out->len;
    put_u8(c->out, 0);
    enum err err = encode_field(c, field, message);
    if (err != ERR_OK || c->out->failed) {
        return err;
    }
    size_t size = c->out->len - size_at - 1;
    size_t extra = 0;
    for (size_t rest = size >> 7; rest > 0; rest >>= 7) {
        extra++;
    }
    if (extra > 0) {
        if (buf_reserve(c->out, extra) == NULL) {
            return ERR_OK;
        }
        uint8_t *value = c->out->ptr + size_at + 1;
        memmove(value + extra, value, size);
    }
    c->out->len = size_at;
    put_uvarint(c->out, size);
    c->out->len += size;
    return ERR_OK;
}

static enum err encode_tags(const struct encoder *c, const struct wire_struct *type, const uint8_t *message)
{
    uint32_t present = 0; // bit i: fields[plain_count + i] is sent
    uint32_t count = 0;
    ASSERT(type->count - type->plain_count <= 32);
    for (size_t i = type->plain_count; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (wire_field_in(field, c->version) && !is_initial(field, message, type->initial)) {
            present |= 1U << (i - type->plain_count);
            count++;
        }
    }
    put_uvarint(c->out, count);
    for (size_t i = type->plain_count; i < type->count; i++) {
        if (present >> (i - type->plain_count) & 1) {
            enum err err = encode_tag(c, &type->fields[i], message);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

static enum err encode_struct(const struct encoder *c, const struct wire_struct *type, const uint8_t *message)
{
    for (size_t i = 0; i < type->plain_count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (!wire_field_in(field, c->version)) {
            continue;
        }
        if (field->flags == 0 && field->type < WIRE_STRING) {
            encode_scalar(c, field->type, message + field->offset);
            continue;
        }
        enum err err = encode_field(c, field, message);
        if (err != ERR_OK) {
            return err;
        }
    }
    return c->is_flexible ? encode_tags(c, type, message) : ERR_OK;
}

enum err wire_encode_watched(const struct wire_struct *type, int16_t version, bool is_flexible,
                             const void *message, struct buf *out, struct wire_cuts *cuts,
                             const struct wire_watch *watch, struct error *e)
{
    const struct encoder c = {out, cuts, e, version, is_flexible, watch};
    enum err err = encode_struct(&c, type, message);
    if (err == ERR_OK && out->failed) {
        err = FAIL(e, ERR_NO_MEMORY, "limit of %zu bytes", out->limit);
    }
    if (err != ERR_OK) {
        error_wrap(e, "%s v%d", type->name, version);
    }
    return err;
}

enum err wire_encode(const struct wire_struct *type, int16_t version, bool is_flexible, const void *message,
                     struct buf *out, struct wire_cuts *cuts, struct error *e)
{
    return wire_encode_watched(type, version, is_flexible, message, out, cuts, NULL, e);
}
