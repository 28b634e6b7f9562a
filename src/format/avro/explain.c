// SPDX-License-Identifier: Apache-2.0
// explain.c - the check once more, by the types: slower, but it knows where it is. It must judge as check.c
// does, which tests and the fuzzer hold it to.
#include "format/avro/program_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/utf8.h"

enum { INT_BYTES_MAX = 5, LONG_BYTES_MAX = 10 };

struct explain {
    const struct avro_program *program;
    struct program_fault *fault;
    const uint8_t *begin;
    const uint8_t *end;
    const uint8_t *p;
    uint64_t empties;
    int depth;
    size_t path_length; // may be more than there is room for
};

static bool explain_node(struct explain *x, uint32_t id);

// ---- where

static void path_append(struct explain *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void path_append(struct explain *x, const char *format, ...)
{
    size_t from = x->path_length < FAULT_PATH_SIZE ? x->path_length : FAULT_PATH_SIZE - 1;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(x->fault->path + from, FAULT_PATH_SIZE - from, format, args);
    va_end(args);
    x->path_length = from + (size_t)(length < 0 ? 0 : length);
}

static void path_cut(struct explain *x, size_t length)
{
    x->path_length = length;
    if (length < FAULT_PATH_SIZE) {
        x->fault->path[length] = 0;
    }
}

// Keys come from the payload: what is printed of them is text.
static void path_key(struct explain *x, struct str key)
{
    if (x->fault->hides_values) {
        path_append(x, "[*]");
        return;
    }
    bool is_word = key.len > 0 && key.len <= 64;
    for (size_t i = 0; i < key.len && is_word; i++) {
        char c = key.ptr[i];
        is_word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9');
    }
    if (is_word) {
        path_append(x, "." STR_FMT, STR_ARG(key));
        return;
    }
    path_append(x, "[\"");
    while (key.len > 0 && x->path_length < FAULT_PATH_SIZE - 8) {
        size_t size = utf8_size(key);
        uint8_t c = (uint8_t)key.ptr[0];
        if (c < 0x20 || c == 0x7f) {
            path_append(x, "\\u%04x", c);
        } else {
            path_append(x, "%s%.*s", c == '"' || c == '\\' ? "\\" : "", (int)size, key.ptr);
        }
        key.ptr += size;
        key.len -= size;
    }
    path_append(x, "\"]");
}

static bool refuse(struct explain *x, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(struct explain *x, const uint8_t *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(x->fault->text, FAULT_TEXT_SIZE, format, args);
    va_end(args);
    x->fault->position = (size_t)(at - x->begin);
    return false;
}

// ---- scalars

static bool read_number(struct explain *x, const char *what, int size_max, uint64_t *ret)
{
    const uint8_t *from = x->p;
    const uint8_t *after = avro_varint(from, x->end, size_max, ret);
    if (after != NULL) {
        x->p = after;
        return true;
    }
    int size = 0;
    while (from + size < x->end && size < size_max && from[size] >= 0x80) {
        size++;
    }
    if (from + size == x->end) {
        return refuse(x, from, "the payload ends inside %s", what);
    }
    return refuse(x, from, "%s is no number of %d bits", what, size_max == INT_BYTES_MAX ? 32 : 64);
}

static bool read_length(struct explain *x, const char *what, size_t *ret)
{
    const uint8_t *from = x->p;
    uint64_t zigzag;
    if (!read_number(x, what, LONG_BYTES_MAX, &zigzag)) {
        return false;
    }
    int64_t length = avro_unzigzag(zigzag);
    if (length < 0) {
        return refuse(x, from, "%s is negative: %" PRId64, what, length);
    }
    if (length > x->end - x->p) {
        return refuse(x, from, "%s is %" PRId64 ", but only %zd bytes are left", what, length, x->end - x->p);
    }
    *ret = (size_t)length;
    return true;
}

static bool read_string(struct explain *x, const char *length_name, const char *what, struct str *ret)
{
    size_t length;
    if (!read_length(x, length_name, &length)) {
        return false;
    }
    *ret = (struct str){(const char *)x->p, length};
    if (!utf8_is_valid(*ret)) {
        return refuse(x, x->p, "%s is no UTF-8", what);
    }
    x->p += length;
    return true;
}

static bool explain_bytes(struct explain *x)
{
    size_t length;
    if (!read_length(x, "the length of bytes", &length)) {
        return false;
    }
    x->p += length;
    return true;
}

static bool explain_boolean(struct explain *x)
{
    if (x->p == x->end) {
        return refuse(x, x->p, "the payload ends where a boolean belongs");
    }
    if (*x->p > 1) {
        return refuse(x, x->p, "a boolean is the byte 0 or 1, not %d", *x->p);
    }
    x->p++;
    return true;
}

static bool explain_fixed(struct explain *x, const char *what, size_t size)
{
    if (size > (size_t)(x->end - x->p)) {
        return refuse(x, x->p, "%s takes %zu bytes, but only %zd are left", what, size, x->end - x->p);
    }
    x->p += size;
    return true;
}

static bool read_index(struct explain *x, const char *what, const char *of, uint32_t count, uint32_t *ret)
{
    const uint8_t *from = x->p;
    uint64_t zigzag;
    if (!read_number(x, what, INT_BYTES_MAX, &zigzag)) {
        return false;
    }
    int64_t index = avro_unzigzag(zigzag);
    if (index < 0 || index >= count) {
        return refuse(x, from, "%s is %" PRId64 ", but there are %" PRIu32 " %s, counted from 0", what, index,
                      count, of);
    }
    *ret = (uint32_t)index;
    return true;
}

// ---- containers

static bool enter(struct explain *x)
{
    return ++x->depth <= PAYLOAD_DEPTH_MAX || refuse(x, x->p, "nested more than %d deep", PAYLOAD_DEPTH_MAX);
}

static bool explain_record(struct explain *x, const struct avro_node *node)
{
    if (node->is_called && !enter(x)) {
        return false;
    }
    const struct avro_type *type = node->type;
    for (uint32_t i = 0; i < type->count; i++) {
        size_t length = x->path_length;
        path_append(x, "." STR_FMT, STR_ARG(type->fields[i].name));
        if (!explain_node(x, x->program->children[node->first_child + i])) {
            return false;
        }
        path_cut(x, length);
    }
    x->depth -= node->is_called;
    return true;
}

struct block {
    const uint8_t *end; // NULL if it does not say
    uint64_t count;
};

static bool read_block(struct explain *x, bool is_empty, struct block *ret)
{
    const uint8_t *from = x->p;
    uint64_t zigzag;
    if (!read_number(x, "the count of a block", LONG_BYTES_MAX, &zigzag)) {
        return false;
    }
    int64_t count = avro_unzigzag(zigzag);
    *ret = (struct block){.count = (uint64_t)count};
    if (count < 0) {
        size_t size;
        ret->count = -(uint64_t)count;
        if (!read_length(x, "the size of a block", &size)) {
            return false;
        }
        ret->end = x->p + size;
    }
    if (!is_empty && ret->count > (uint64_t)(x->end - x->p)) {
        return refuse(x, from, "a block of %" PRIu64 " items, but only %zd bytes are left", ret->count,
                      x->end - x->p);
    }
    return true;
}

static bool explain_item(struct explain *x, uint32_t item, bool is_map, uint64_t index)
{
    if (is_map) {
        struct str key;
        if (!read_string(x, "the length of a key", "a key", &key)) {
            return false;
        }
        path_key(x, key);
    } else {
        path_append(x, "[%" PRIu64 "]", index);
    }
    return explain_node(x, item);
}

static bool explain_blocks(struct explain *x, uint32_t item, bool is_map)
{
    bool is_empty = !is_map && x->program->nodes[item].is_empty;
    bool is_inside = false;
    size_t length = x->path_length;
    uint64_t index = 0;
    for (;;) {
        struct block block;
        const uint8_t *from = x->p;
        if (!read_block(x, is_empty, &block)) {
            return false;
        }
        if (block.count == 0) {
            x->depth -= is_inside;
            return true;
        }
        if (is_empty) {
            if (block.count > AVRO_EMPTY_ITEMS_MAX - x->empties) {
                return refuse(x, from, "more than %d items that take no bytes", AVRO_EMPTY_ITEMS_MAX);
            }
            x->empties += block.count;
        } else if (!is_inside && !enter(x)) {
            return false;
        }
        is_inside = !is_empty;
        for (uint64_t i = 0; i < block.count && !is_empty; i++) {
            if (!explain_item(x, item, is_map, index++)) {
                return false;
            }
            path_cut(x, length);
        }
        if (block.end != NULL && block.end != x->p) {
            return refuse(x, from, "a block that says it ends at byte %zu ends at byte %zu",
                          (size_t)(block.end - x->begin), (size_t)(x->p - x->begin));
        }
    }
}

static bool explain_node(struct explain *x, uint32_t id)
{
    const struct avro_node *node = &x->program->nodes[id];
    uint64_t number;
    uint32_t index;
    struct str text;
    if (node->is_empty) {
        return true;
    }
    switch (node->type->kind) {
    case AVRO_NULL:
        return true;
    case AVRO_BOOLEAN:
        return explain_boolean(x);
    case AVRO_INT:
        return read_number(x, "an int", INT_BYTES_MAX, &number);
    case AVRO_LONG:
        return read_number(x, "a long", LONG_BYTES_MAX, &number);
    case AVRO_FLOAT:
        return explain_fixed(x, "a float", sizeof(float));
    case AVRO_DOUBLE:
        return explain_fixed(x, "a double", sizeof(double));
    case AVRO_BYTES:
        return explain_bytes(x);
    case AVRO_STRING:
        return read_string(x, "the length of a string", "a string", &text);
    case AVRO_RECORD:
        return explain_record(x, node);
    case AVRO_ENUM:
        return read_index(x, "the index of an enum", "symbols", node->type->count, &index);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return explain_blocks(x, x->program->children[node->first_child], node->type->kind == AVRO_MAP);
    case AVRO_UNION:
        return read_index(x, "the index of a union", "branches", node->type->count, &index) &&
               explain_node(x, x->program->children[node->first_child + index]);
    case AVRO_FIXED:
        return explain_fixed(x, "a fixed", (size_t)node->type->size);
    case AVRO_KIND_COUNT:
        break;
    }
    UNREACHABLE("an avro_kind");
}

bool avro_explain(const struct avro_program *program, struct bytes payload, struct program_fault *ret)
{
    static const uint8_t nothing[1];
    *ret = (struct program_fault){.hides_values = ret->hides_values};
    struct explain x = {.program = program, .fault = ret, .begin = payload.len == 0 ? nothing : payload.ptr};
    x.p = x.begin;
    x.end = x.begin + payload.len;
    path_append(&x, "$");
    if (!explain_node(&x, 0)) {
        return false;
    }
    return x.p == x.end || refuse(&x, x.p, "%zd bytes behind the end of the record", x.end - x.p);
}

bool avro_judges_alike(const struct program *program, struct bytes payload)
{
    const struct avro_program *avro = avro_program_of(program);
    struct program_fault fault = {.hides_values = false};
    struct avro_mark marks[SLOTS_MAX];
    return avro_accepts(avro, payload, marks) == avro_explain(avro, payload, &fault);
}
