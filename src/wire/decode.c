// SPDX-License-Identifier: Apache-2.0
// decode.c - walks a table over input that nobody has checked yet.
// Invariant: nothing is allocated for a count before the bytes that are left could hold so many elements, so
// a frame cannot claim more than its own size times a small factor, and the arena's cap bounds that factor.
// Scalars read past the end leave the reader failed and are noticed at the end of their struct.
#include "base/assert.h"
#include "wire/wire_private.h"

struct decoder {
    struct reader *r;
    struct arena *arena;
    struct error *e;
    int16_t version;
    bool is_flexible;
};

static enum err decode_struct(const struct decoder *d, const struct wire_struct *type, uint8_t *ret);

// take is reader_take where the compiler can see it: a call for each field cost as much as the walk.
static inline const uint8_t *take(struct reader *r, size_t n)
{
    if (r->failed || (size_t)(r->end - r->pos) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->pos;
    r->pos += n;
    return at;
}

static inline uint8_t take_u8(struct reader *r)
{
    const uint8_t *at = take(r, 1);
    return at == NULL ? 0 : *at;
}

static inline int16_t take_i16(struct reader *r)
{
    const uint8_t *at = take(r, 2);
    return at == NULL ? 0 : (int16_t)load_be16(at);
}

static inline int32_t take_i32(struct reader *r)
{
    const uint8_t *at = take(r, 4);
    return at == NULL ? 0 : (int32_t)load_be32(at);
}

static inline int64_t take_i64(struct reader *r)
{
    const uint8_t *at = take(r, 8);
    return at == NULL ? 0 : (int64_t)load_be64(at);
}

static inline uint32_t take_uvarint(struct reader *r)
{
    if (!r->failed && r->pos < r->end && *r->pos < 0x80) {
        return *r->pos++;
    }
    return reader_uvarint(r);
}

static bool can_be_null(const struct decoder *d, const struct wire_field *field)
{
    return d->version >= field->null_since;
}

// read_length returns the length or count, -1 for null, or -2 for one that cannot be.
static int64_t read_length(const struct decoder *d, bool is_short)
{
    if (d->is_flexible) {
        return (int64_t)take_uvarint(d->r) - 1;
    }
    int64_t length = is_short ? take_i16(d->r) : take_i32(d->r);
    return length < -1 ? -2 : length;
}

static enum err decode_view(const struct decoder *d, const struct wire_field *field, void *ret)
{
    bool is_text = field->type == WIRE_STRING;
    int64_t length = read_length(d, is_text);
    if (d->r->failed) {
        return FAIL(d->e, ERR_MALFORMED, "%s: no room for a length", field->name);
    }
    if (length == -1 && can_be_null(d, field)) {
        memset(ret, 0, wire_element_size(field));
        return ERR_OK;
    }
    const uint8_t *at = length < 0 ? NULL : take(d->r, (size_t)length);
    if (at == NULL || (is_text && length > WIRE_STRING_SIZE_MAX)) {
        return FAIL(d->e, ERR_MALFORMED, "%s: length %lld, %zu bytes left", field->name, (long long)length,
                    (size_t)(d->r->end - d->r->pos));
    }
    if (is_text) {
        *(struct str *)ret = (struct str){(const char *)at, (size_t)length};
    } else if (field->type == WIRE_BYTES) {
        *(struct bytes *)ret = (struct bytes){at, (size_t)length};
    } else {
        *(struct wire_records *)ret = (struct wire_records){.bytes = {at, (size_t)length}};
    }
    return ERR_OK;
}

// decode_scalar leaves a failed reader to the caller.
static void decode_scalar(struct reader *r, enum wire_type type, void *ret)
{
    switch (type) {
    case WIRE_BOOL:
        *(bool *)ret = take_u8(r) != 0;
        return;
    case WIRE_I8:
        *(int8_t *)ret = (int8_t)take_u8(r);
        return;
    case WIRE_I16:
    case WIRE_U16:
        *(int16_t *)ret = take_i16(r);
        return;
    case WIRE_I32:
        *(int32_t *)ret = take_i32(r);
        return;
    case WIRE_I64:
    case WIRE_F64:
        *(int64_t *)ret = take_i64(r);
        return;
    case WIRE_UUID:
        *(struct uuid *)ret = reader_uuid(r);
        return;
    case WIRE_ERROR:
        *(enum err *)ret = err_from_kafka(take_i16(r));
        return;
    case WIRE_STRING:
    case WIRE_BYTES:
    case WIRE_RECORDS:
    case WIRE_STRUCT:
        break;
    }
    UNREACHABLE("not a scalar");
}

static enum err decode_element(const struct decoder *d, const struct wire_field *field, void *ret)
{
    if (field->type == WIRE_STRUCT) {
        return decode_struct(d, field->sub, ret);
    }
    if (field->type >= WIRE_STRING) {
        return decode_view(d, field, ret);
    }
    decode_scalar(d->r, field->type, ret);
    return ERR_OK;
}

// element_wire_size_min is the fewest bytes that one element of an array can take.
static size_t element_wire_size_min(const struct decoder *d, const struct wire_field *field)
{
    switch ((enum wire_type)field->type) {
    case WIRE_STRUCT:
        return field->sub->wire_size_min;
    case WIRE_STRING:
        return d->is_flexible ? 1 : 2;
    case WIRE_BYTES:
        return d->is_flexible ? 1 : 4;
    default:
        return wire_element_size(field); // integers and uuids: the same in C and on the wire
    }
}

static enum err decode_array(const struct decoder *d, const struct wire_field *field,
                             struct wire_array_view *ret)
{
    int64_t count = read_length(d, false);
    size_t left = reader_left(d->r);
    if (!d->r->failed && count == -1 && can_be_null(d, field)) {
        *ret = (struct wire_array_view){NULL, -1};
        return ERR_OK;
    }
    if (d->r->failed || count < 0 || (size_t)count > left / element_wire_size_min(d, field)) {
        return FAIL(d->e, ERR_MALFORMED, "%s: count %lld, %zu bytes left", field->name, (long long)count,
                    left);
    }
    size_t stride = wire_element_size(field);
    uint8_t *items = count == 0 ? NULL : arena_array_alloc(d->arena, (size_t)count, stride);
    if (items == NULL && count > 0) {
        return FAIL(d->e, ERR_NO_MEMORY, "%s: %lld elements of %zu bytes, limit %zu", field->name,
                    (long long)count, stride, d->arena->limit);
    }
    for (size_t i = 0; i < (size_t)count; i++) {
        enum err err = decode_element(d, field, items + i * stride);
        if (err != ERR_OK) {
            error_wrap(d->e, "%s %zu", field->name, i);
            return err;
        }
    }
    *ret = (struct wire_array_view){items, (int32_t)count};
    return ERR_OK;
}

// decode_pointer reads a struct that may be null: one byte says so, -1 null or 1 present.
static enum err decode_pointer(const struct decoder *d, const struct wire_field *field, void **ret)
{
    int8_t presence = (int8_t)take_u8(d->r);
    if (presence < 0 && can_be_null(d, field)) {
        *ret = NULL;
        return ERR_OK;
    }
    if (presence != 1) {
        return FAIL(d->e, ERR_MALFORMED, "%s: presence byte %d", field->name, presence);
    }
    void *message = arena_alloc(d->arena, field->sub->size);
    if (message == NULL) {
        return FAIL(d->e, ERR_NO_MEMORY, "%s: limit %zu", field->name, d->arena->limit);
    }
    *ret = message;
    return decode_struct(d, field->sub, message);
}

static enum err decode_field(const struct decoder *d, const struct wire_field *field, uint8_t *message)
{
    void *at = message + field->offset;
    if (field->flags & WIRE_ARRAY) {
        return decode_array(d, field, at);
    }
    if (field->flags & WIRE_POINTER) {
        return decode_pointer(d, field, at);
    }
    return decode_element(d, field, at);
}

static const struct wire_field *find_tag(const struct decoder *d, const struct wire_struct *type,
                                         uint32_t tag)
{
    for (size_t i = type->plain_count; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        if ((uint32_t)field->tag == tag && wire_field_in(field, d->version)) {
            return field;
        }
    }
    return NULL;
}

// decode_tags reads the tag buffer. A tag that comes twice is not worth a refusal: the last one counts.
static enum err decode_tags(const struct decoder *d, const struct wire_struct *type, uint8_t *message)
{
    uint32_t count = take_uvarint(d->r);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag = take_uvarint(d->r);
        uint32_t size = take_uvarint(d->r);
        const uint8_t *at = take(d->r, size);
        if (at == NULL) {
            return FAIL(d->e, ERR_MALFORMED, "tagged field %u of %u: truncated", i + 1, count);
        }
        const struct wire_field *field = find_tag(d, type, tag);
        if (field == NULL) {
            continue;
        }
        struct reader inner = reader_init((struct bytes){at, size});
        struct decoder nested = *d;
        nested.r = &inner;
        enum err err = decode_field(&nested, field, message);
        if (err != ERR_OK) {
            return err;
        }
        if (inner.failed || reader_left(&inner) != 0) {
            return FAIL(d->e, ERR_MALFORMED, "%s: tagged field of %u bytes does not fit", field->name, size);
        }
    }
    return ERR_OK;
}

static enum err decode_struct(const struct decoder *d, const struct wire_struct *type, uint8_t *ret)
{
    wire_init(type, ret);
    for (size_t i = 0; i < type->plain_count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (!wire_field_in(field, d->version)) {
            continue;
        }
        if (field->flags == 0 && field->type < WIRE_STRING) {
            decode_scalar(d->r, field->type, ret + field->offset);
            continue;
        }
        enum err err = decode_field(d, field, ret);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (d->is_flexible) {
        enum err err = decode_tags(d, type, ret);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (d->r->failed) {
        return FAIL(d->e, ERR_MALFORMED, "%s: truncated", type->name);
    }
    return ERR_OK;
}

enum err wire_decode(const struct wire_struct *type, int16_t version, bool is_flexible, struct reader *r,
                     struct arena *arena, void *ret_message, struct error *e)
{
    const struct decoder d = {r, arena, e, version, is_flexible};
    enum err err = decode_struct(&d, type, ret_message);
    if (err != ERR_OK) {
        error_wrap(e, "%s v%d", type->name, version);
    }
    return err;
}
