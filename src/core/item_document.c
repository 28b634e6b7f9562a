// SPDX-License-Identifier: Apache-2.0
// item_document.c - the bytes of DOCUMENTS, and of a document in a snapshot.
#include "core/core_private.h"

enum {
    CONDITION_SIZE_MIN = 2 + 8,
    DOCUMENT_SIZE_MIN = 1 + 2,
    DOCUMENT_FIXED_MAX = 1 + 2 + 1 + 4 + 1 + 8 + 2,
};

static void key_encode(struct str key, struct buf *out)
{
    out->failed = out->failed || key.len > ITEM_DOCUMENT_KEY_MAX;
    text_encode(key, out);
}

static struct str key_decode(struct reader *r)
{
    struct str key = text_decode(r);
    r->failed = r->failed || key.len > ITEM_DOCUMENT_KEY_MAX;
    return key;
}

void condition_encode(const struct item_condition *condition, struct buf *out)
{
    key_encode(condition->key, out);
    buf_be64(out, condition->revision);
}

void condition_decode(struct reader *r, struct item_condition *ret)
{
    ret->key = key_decode(r);
    ret->revision = (uint64_t)reader_i64(r);
}

void conditions_print(const struct item_condition *conditions, uint32_t count, struct buf *out)
{
    enum { SHOWN_MAX = 8 };
    for (uint32_t i = 0; i < count && i < SHOWN_MAX; i++) {
        buf_printf(out, " \"" STR_FMT "\"@%llu", STR_ARG(conditions[i].key),
                   (unsigned long long)conditions[i].revision);
    }
    if (count > SHOWN_MAX) {
        buf_printf(out, " and %u more", count - SHOWN_MAX);
    }
}

static void value_encode(struct bytes value, struct buf *out)
{
    out->failed = out->failed || value.len > ITEM_DOCUMENT_VALUE_MAX;
    buf_be32(out, (uint32_t)value.len);
    if (value.len > 0) {
        buf_append(out, value.ptr, value.len);
    }
}

// value_decode never gives a NULL ptr.
static struct bytes value_decode(struct reader *r)
{
    uint32_t len = reader_u32(r);
    r->failed = r->failed || len > ITEM_DOCUMENT_VALUE_MAX;
    const uint8_t *ptr = reader_take(r, len);
    return ptr == NULL ? bytes_of("", 0) : bytes_of(ptr, len);
}

static void change_encode(const struct item_document *d, struct buf *out)
{
    buf_u8(out, (uint8_t)d->op);
    key_encode(d->key, out);
    if (d->op == DOCUMENT_REMOVE) {
        return;
    }
    buf_u8(out, d->value.ptr != NULL);
    if (d->value.ptr != NULL) {
        value_encode(d->value, out);
    }
    buf_u8(out, (uint8_t)d->number_op);
    if (d->number_op >= NUMBER_NEXT) {
        key_encode(d->counter, out);
    } else {
        buf_be64(out, (uint64_t)d->number);
    }
}

static void change_decode(struct reader *r, struct item_document *ret)
{
    uint8_t op = (uint8_t)reader_i8(r);
    r->failed = r->failed || op > DOCUMENT_REMOVE;
    *ret = (struct item_document){.op = (enum document_op)op, .key = key_decode(r)};
    if (op == DOCUMENT_REMOVE) {
        return;
    }
    uint8_t has_value = (uint8_t)reader_i8(r);
    r->failed = r->failed || has_value > 1;
    if (has_value == 1) {
        ret->value = value_decode(r);
    }
    uint8_t number_op = (uint8_t)reader_i8(r);
    r->failed = r->failed || number_op > NUMBER_COPY;
    ret->number_op = (enum document_number_op)number_op;
    if (number_op >= NUMBER_NEXT) {
        ret->counter = key_decode(r);
    } else {
        ret->number = reader_i64(r);
    }
}

void documents_encode(const struct item_documents *item, struct buf *out)
{
    if (item->condition_count > ITEM_DOCUMENTS_MAX || item->document_count > ITEM_DOCUMENTS_MAX) {
        out->failed = true;
        return;
    }
    buf_be32(out, item->condition_count);
    for (uint32_t i = 0; i < item->condition_count; i++) {
        condition_encode(&item->conditions[i], out);
    }
    buf_be32(out, item->document_count);
    for (uint32_t i = 0; i < item->document_count; i++) {
        change_encode(&item->documents[i], out);
    }
}

void documents_decode(struct reader *r, struct arena *arena, struct item_documents *ret)
{
    *ret = (struct item_documents){.condition_count = reader_u32(r)};
    if (!count_is_possible(r, ret->condition_count, ITEM_DOCUMENTS_MAX, CONDITION_SIZE_MIN)) {
        return;
    }
    ret->conditions = arena_new(arena, struct item_condition, ret->condition_count);
    r->failed = ret->conditions == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->condition_count; i++) {
        condition_decode(r, &ret->conditions[i]);
    }
    ret->document_count = reader_u32(r);
    if (!count_is_possible(r, ret->document_count, ITEM_DOCUMENTS_MAX, DOCUMENT_SIZE_MIN)) {
        return;
    }
    ret->documents = arena_new(arena, struct item_document, ret->document_count);
    r->failed = ret->documents == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->document_count; i++) {
        change_decode(r, &ret->documents[i]);
    }
}

size_t documents_encoded_max(const struct item_documents *item)
{
    size_t size = 0;
    for (uint32_t i = 0; i < item->condition_count; i++) {
        size += CONDITION_SIZE_MIN + item->conditions[i].key.len;
    }
    for (uint32_t i = 0; i < item->document_count; i++) {
        const struct item_document *d = &item->documents[i];
        size += DOCUMENT_FIXED_MAX + d->key.len + d->value.len + d->counter.len;
    }
    return size;
}

void documents_print(const struct item_documents *item, struct buf *out)
{
    enum { SHOWN_MAX = 8 };
    buf_printf(out, " conditions=%u", item->condition_count);
    for (uint32_t i = 0; i < item->document_count && i < SHOWN_MAX; i++) {
        const struct item_document *d = &item->documents[i];
        buf_printf(out, " %s \"" STR_FMT "\"", d->op == DOCUMENT_REMOVE ? "remove" : "put", STR_ARG(d->key));
        if (d->op == DOCUMENT_PUT && d->value.ptr != NULL) {
            buf_printf(out, " (%zu bytes)", d->value.len);
        }
    }
    if (item->document_count > SHOWN_MAX) {
        buf_printf(out, " and %u more", item->document_count - SHOWN_MAX);
    }
}

// ---- in snapshots

void document_body(const struct document *document, struct buf *out)
{
    text_encode(document_key(document), out);
    buf_be64(out, document->revision);
    buf_be64(out, (uint64_t)document->number);
    buf_be64(out, (uint64_t)document->stamp_ms);
    value_encode(document_value(document), out);
}

bool document_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct str key = key_decode(&r);
    uint64_t revision = (uint64_t)reader_i64(&r);
    int64_t number = reader_i64(&r);
    int64_t stamp_ms = reader_i64(&r);
    struct bytes value = value_decode(&r);
    if (r.failed || reader_left(&r) != 0 || key.len == 0 || core_document_find(core, key) != NULL) {
        return false;
    }
    document_put(core, key, value, number, stamp_ms, revision);
    return true;
}
