// SPDX-License-Identifier: Apache-2.0
#include "json/tree.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    INDEX_FROM_MEMBERS = 8, // fewer are walked
};

// Open addressing, at most half full.
struct json_index {
    struct json_value **slots;
    size_t slot_count;
};

struct parse {
    struct json_scan scan;
    struct arena *arena;
    struct json_value *open[JSON_DEPTH_MAX];
    struct buf text;
};

// ---- objects

static size_t slot_of(const struct json_index *index, struct str key)
{
    // Where the index lies is the seed: no text can be made to collide.
    size_t slot = (size_t)hash64(bytes_of(key.ptr, key.len), (uintptr_t)index) & (index->slot_count - 1);
    while (index->slots[slot] != NULL && !str_equal(index->slots[slot]->key, key)) {
        slot = (slot + 1) & (index->slot_count - 1);
    }
    return slot;
}

// index_grow makes room for one more member; without memory the members are walked.
static void index_grow(struct arena *arena, struct json_value *object)
{
    if (object->count < INDEX_FROM_MEMBERS ||
        (object->index != NULL && (size_t)object->count * 2 < object->index->slot_count)) {
        return;
    }
    struct json_index *index = arena_new(arena, struct json_index, 1);
    size_t slot_count = object->index == NULL ? INDEX_FROM_MEMBERS * 4 : object->index->slot_count * 4;
    struct json_value **slots = arena_new(arena, struct json_value *, slot_count);
    if (index == NULL || slots == NULL) {
        return;
    }
    memset(slots, 0, slot_count * sizeof(struct json_value *));
    *index = (struct json_index){slots, slot_count};
    for (struct json_value *v = object->first; v != NULL; v = v->next) {
        slots[slot_of(index, v->key)] = v;
    }
    object->index = index;
}

struct json_value *json_get(const struct json_value *object, struct str key)
{
    if (object == NULL || object->type != JSON_OBJECT) {
        return NULL;
    }
    if (object->index != NULL) {
        return object->index->slots[slot_of(object->index, key)];
    }
    struct json_value *v = object->first;
    while (v != NULL && !str_equal(v->key, key)) {
        v = v->next;
    }
    return v;
}

struct str json_get_str(const struct json_value *object, struct str key)
{
    const struct json_value *v = json_get(object, key);
    return v != NULL && v->type == JSON_STRING ? v->text : (struct str){0};
}

struct json_value *json_new(struct arena *arena, enum json_type type)
{
    struct json_value *v = arena_new(arena, struct json_value, 1);
    if (v != NULL) {
        *v = (struct json_value){.type = type};
    }
    return v;
}

void json_append(struct json_value *parent, struct json_value *child)
{
    ASSERT(parent->type == JSON_ARRAY || parent->type == JSON_OBJECT);
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count++;
    if (parent->index != NULL) {
        if ((size_t)parent->count * 2 > parent->index->slot_count) {
            parent->index = NULL; // built by hand and outgrown: walked from now on
            return;
        }
        parent->index->slots[slot_of(parent->index, child->key)] = child;
    }
}

// ---- parsing

static struct str token_text(struct parse *p)
{
    if (!p->scan.has_escape) {
        return p->scan.raw;
    }
    buf_reset(&p->text);
    json_unescape(p->scan.raw, &p->text);
    return arena_str(p->arena, buf_str(&p->text));
}

static struct json_value *value_begin(struct parse *p, enum json_token token)
{
    static const uint8_t types[] = {
        [JSON_TOKEN_OBJECT_BEGIN] = JSON_OBJECT, [JSON_TOKEN_ARRAY_BEGIN] = JSON_ARRAY,
        [JSON_TOKEN_STRING] = JSON_STRING,       [JSON_TOKEN_NUMBER] = JSON_NUMBER,
        [JSON_TOKEN_TRUE] = JSON_TRUE,           [JSON_TOKEN_FALSE] = JSON_FALSE,
        [JSON_TOKEN_NULL] = JSON_NULL,
    };
    struct json_value *v = json_new(p->arena, types[token]);
    if (v == NULL) {
        return NULL;
    }
    v->position = (uint32_t)p->scan.token_pos;
    if (token == JSON_TOKEN_STRING) {
        v->text = token_text(p);
    } else if (token == JSON_TOKEN_NUMBER) {
        v->text = p->scan.raw;
    }
    return v;
}

// member_put takes an older value of the same name for the new one, where it stands. Returns the value that
// is in the object.
static struct json_value *member_put(struct parse *p, struct json_value *object, struct str key,
                                     struct json_value *v)
{
    struct json_value *old = json_get(object, key);
    v->key = key;
    if (old == NULL) {
        index_grow(p->arena, object);
        json_append(object, v);
        return v;
    }
    v->next = old->next;
    *old = *v;
    return old;
}

static enum err parse_all(struct parse *p, struct json_value **ret, struct error *e)
{
    struct json_value *root = NULL;
    struct str key = {0};
    while (true) {
        enum json_token token = json_scan_next(&p->scan);
        if (token == JSON_TOKEN_ERROR) {
            return json_scan_fail(&p->scan, e);
        }
        if (token == JSON_TOKEN_END) {
            *ret = root;
            return ERR_OK;
        }
        if (token == JSON_TOKEN_KEY) {
            key = token_text(p);
            continue;
        }
        if (token == JSON_TOKEN_OBJECT_END || token == JSON_TOKEN_ARRAY_END) {
            continue;
        }
        bool is_open = token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_ARRAY_BEGIN;
        uint32_t level = p->scan.depth - (is_open ? 1 : 0);
        struct json_value *v = value_begin(p, token);
        if (v == NULL || p->arena->failed) {
            return FAIL(e, ERR_NO_MEMORY, "the document needs more than %zu bytes", p->arena->limit);
        }
        struct json_value *parent = level == 0 ? NULL : p->open[level - 1];
        if (parent == NULL) {
            root = v;
        } else if (parent->type == JSON_ARRAY) {
            json_append(parent, v);
        } else {
            v = member_put(p, parent, key, v);
        }
        if (is_open) {
            p->open[level] = v;
        }
    }
}

enum err json_parse(struct str text, struct arena *arena, struct json_value **ret, struct error *e)
{
    if (text.len > UINT32_MAX) {
        return FAIL(e, ERR_INVALID_REQUEST, "a document of %zu bytes", text.len);
    }
    struct parse p = {.arena = arena};
    json_scan_init(&p.scan, text);
    buf_init(&p.text, text.len + 1);
    enum err err = parse_all(&p, ret, e);
    buf_fini(&p.text);
    return err;
}

// ---- values

bool json_is_bool(const struct json_value *value)
{
    return value != NULL && (value->type == JSON_TRUE || value->type == JSON_FALSE);
}

double json_value_f64(const struct json_value *value)
{
    ASSERT(value->type == JSON_NUMBER);
    char text[64];
    if (value->text.len < sizeof text) {
        memcpy(text, value->text.ptr, value->text.len);
        text[value->text.len] = 0;
        return strtod(text, NULL);
    }
    struct buf copy;
    buf_init(&copy, value->text.len + 1);
    buf_append_str(&copy, value->text);
    buf_u8(&copy, 0);
    double number = strtod((const char *)copy.ptr, NULL);
    buf_fini(&copy);
    return number;
}

bool json_value_i64(const struct json_value *value, int64_t *ret)
{
    if (value == NULL || value->type != JSON_NUMBER) {
        return false;
    }
    if (str_parse_i64(value->text, ret)) {
        return true;
    }
    if (memchr(value->text.ptr, '.', value->text.len) == NULL &&
        memchr(value->text.ptr, 'e', value->text.len) == NULL &&
        memchr(value->text.ptr, 'E', value->text.len) == NULL) {
        return false; // an integer, but a larger one
    }
    double number = json_value_f64(value);
    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
        (double)(int64_t)number != number) {
        return false;
    }
    *ret = (int64_t)number;
    return true;
}

// ---- printing

void json_print_str(struct str text, struct buf *out)
{
    static const char letters[] = "btn\0fr"; // for 8 to 13
    buf_u8(out, '"');
    size_t plain_from = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        buf_append(out, text.ptr + plain_from, i - plain_from);
        plain_from = i + 1;
        if (c == '"' || c == '\\') {
            buf_u8(out, '\\');
            buf_u8(out, c);
        } else if (c >= 8 && c <= 13 && c != 11) {
            buf_u8(out, '\\');
            buf_u8(out, (uint8_t)letters[c - 8]);
        } else {
            buf_printf(out, "\\u%04X", c);
        }
    }
    if (text.len > plain_from) {
        buf_append(out, text.ptr + plain_from, text.len - plain_from);
    }
    buf_u8(out, '"');
}

static int key_compare(const void *left, const void *right)
{
    const struct json_value *const *a = left;
    const struct json_value *const *b = right;
    return str_compare((*a)->key, (*b)->key);
}

static void print_members(const struct json_value *value, bool is_sorted, struct buf *out);

// Recursion ends at JSON_DEPTH_MAX: no parsed document is deeper.
static void print_value(const struct json_value *value, bool is_sorted, struct buf *out)
{
    switch (value->type) {
    case JSON_NULL:
        buf_append_str(out, STR("null"));
        return;
    case JSON_FALSE:
        buf_append_str(out, STR("false"));
        return;
    case JSON_TRUE:
        buf_append_str(out, STR("true"));
        return;
    case JSON_NUMBER:
        buf_append_str(out, value->text);
        return;
    case JSON_STRING:
        json_print_str(value->text, out);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        print_members(value, is_sorted, out);
        return;
    }
    UNREACHABLE("a json_type");
}

static void print_member(const struct json_value *parent, const struct json_value *v, bool is_first,
                         bool is_sorted, struct buf *out)
{
    if (!is_first) {
        buf_u8(out, ',');
    }
    if (parent->type == JSON_OBJECT) {
        json_print_str(v->key, out);
        buf_u8(out, ':');
    }
    print_value(v, is_sorted, out);
}

static void print_members(const struct json_value *value, bool is_sorted, struct buf *out)
{
    bool is_object = value->type == JSON_OBJECT;
    buf_u8(out, is_object ? '{' : '[');
    if (is_object && is_sorted && value->count > 1) {
        const struct json_value **sorted = mem_array(value->count, sizeof *sorted);
        size_t count = 0;
        for (const struct json_value *v = value->first; v != NULL; v = v->next) {
            sorted[count++] = v;
        }
        qsort(sorted, count, sizeof *sorted, key_compare);
        for (size_t i = 0; i < count; i++) {
            print_member(value, sorted[i], i == 0, is_sorted, out);
        }
        mem_free(sorted);
    } else {
        for (const struct json_value *v = value->first; v != NULL; v = v->next) {
            print_member(value, v, v == value->first, is_sorted, out);
        }
    }
    buf_u8(out, is_object ? '}' : ']');
}

void json_print(const struct json_value *value, bool is_sorted, struct buf *out)
{
    print_value(value, is_sorted, out);
}
