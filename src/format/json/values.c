// SPDX-License-Identifier: Apache-2.0
// values.c - values compared: enum, const, uniqueItems. Numbers by what they are worth, objects in any order,
// of members with the same name the last one.
#include "format/json/run_private.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum { ITEMS_FEW = 32 };

bool value_set_has_string(const struct value_set *set, struct str text)
{
    if (set->slots == NULL) {
        for (uint32_t i = 0; i < set->string_count; i++) {
            if (str_equal(set->strings[i], text)) {
                return true;
            }
        }
        return false;
    }
    uint64_t slot = hash64(bytes_of(text.ptr, text.len), (uintptr_t)set->slots);
    for (;; slot++) {
        uint32_t at = set->slots[slot & (set->slot_count - 1)];
        if (at == 0 || str_equal(set->strings[at - 1], text)) {
            return at != 0;
        }
    }
}

bool value_set_has_number(const struct value_set *set, struct str raw)
{
    struct decimal value = decimal_parse(raw);
    for (uint32_t i = 0; i < set->number_count; i++) {
        if (decimal_compare(&value, &set->numbers[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool equal_array(struct run *r, struct json_scan *s, const struct json_value *value)
{
    const struct json_value *item = value->first;
    enum json_token t;
    while ((t = json_scan_next(s)) != JSON_TOKEN_ARRAY_END) {
        if (item == NULL || !value_equal(r, s, t, item)) {
            return false;
        }
        item = item->next;
    }
    return item == NULL;
}

static bool equal_object(struct run *r, struct json_scan *s, const struct json_value *value)
{
    uint32_t count = 0;
    enum json_token t;
    while ((t = json_scan_next(s)) != JSON_TOKEN_OBJECT_END) {
        const struct json_value *member =
            t == JSON_TOKEN_ERROR ? NULL : json_get(value, string_of(s, &r->key));
        if (member == NULL || !value_equal(r, s, json_scan_next(s), member)) {
            return false;
        }
        count++;
    }
    return count == value->count;
}

bool value_equal(struct run *r, struct json_scan *s, enum json_token t, const struct json_value *value)
{
    if (!run_step(r)) {
        return false;
    }
    switch (t) {
    case JSON_TOKEN_NULL:
        return value->type == JSON_NULL;
    case JSON_TOKEN_TRUE:
        return value->type == JSON_TRUE;
    case JSON_TOKEN_FALSE:
        return value->type == JSON_FALSE;
    case JSON_TOKEN_STRING:
        return value->type == JSON_STRING && str_equal(string_of(s, &r->text), value->text);
    case JSON_TOKEN_NUMBER: {
        struct decimal a = decimal_parse(s->raw);
        struct decimal b = value->type == JSON_NUMBER ? decimal_parse(value->text) : a;
        return value->type == JSON_NUMBER && decimal_compare(&a, &b) == 0;
    }
    case JSON_TOKEN_ARRAY_BEGIN:
        return value->type == JSON_ARRAY && equal_array(r, s, value);
    case JSON_TOKEN_OBJECT_BEGIN:
        return value->type == JSON_OBJECT && equal_object(r, s, value);
    default:
        return false;
    }
}

bool value_in_set(struct run *r, const struct value_set *set, enum json_token t)
{
    switch (t) {
    case JSON_TOKEN_NULL:
        return (set->types & TYPE_NULL) != 0;
    case JSON_TOKEN_TRUE:
        return set->has_true;
    case JSON_TOKEN_FALSE:
        return set->has_false;
    case JSON_TOKEN_STRING:
        return set->string_count > 0 && value_set_has_string(set, string_of(&r->scan, &r->text));
    case JSON_TOKEN_NUMBER:
        return set->number_count > 0 && value_set_has_number(set, r->scan.raw);
    default: {
        struct span start = run_span(r, t);
        for (uint32_t i = 0; i < set->other_count; i++) {
            if (value_equal(r, &r->scan, run_restart(r, start), set->others[i])) {
                return true;
            }
        }
        return false;
    }
    }
}

// ---- uniqueItems

struct item {
    uint64_t hash;
    size_t pos;
    uint32_t index;
};

// value_hash is the same for equal values. The scanner ends behind the value.
static uint64_t value_hash(struct run *r, struct json_scan *s, enum json_token t, uint64_t seed)
{
    uint64_t hash = hash_mix(seed, (uint64_t)t);
    struct str text;
    struct decimal number;
    if (!run_step(r)) {
        return 0;
    }
    switch (t) {
    case JSON_TOKEN_STRING:
        text = string_of(s, &r->text);
        return hash64(bytes_of(text.ptr, text.len), hash);
    case JSON_TOKEN_NUMBER:
        number = decimal_parse(s->raw);
        return decimal_hash(&number, hash);
    case JSON_TOKEN_ARRAY_BEGIN:
        while ((t = json_scan_next(s)) != JSON_TOKEN_ARRAY_END && t != JSON_TOKEN_ERROR) {
            hash = hash_mix(hash, value_hash(r, s, t, seed));
        }
        return hash;
    case JSON_TOKEN_OBJECT_BEGIN:
        while ((t = json_scan_next(s)) != JSON_TOKEN_OBJECT_END && t != JSON_TOKEN_ERROR) {
            text = string_of(s, &r->text);
            uint64_t key = hash64(bytes_of(text.ptr, text.len), seed);
            hash += hash_mix(key, value_hash(r, s, json_scan_next(s), seed)); // in any order
        }
        return hash;
    default:
        return hash;
    }
}

// value_at reads one value of the payload as a document of its own.
static struct json_scan value_at(const struct run *r, size_t pos)
{
    struct json_scan s;
    json_scan_init(&s, (struct str){r->scan.text.ptr + pos, r->scan.text.len - pos});
    return s;
}

// items_equal compares two items whose hashes are the same.
static bool items_equal(struct run *r, size_t a, size_t b)
{
    struct json_scan s = value_at(r, a);
    enum json_token t = json_scan_next(&s);
    if (!json_scan_skip(&s, t)) {
        return false;
    }
    struct arena arena;
    arena_init(&arena, PROGRAM_BYTES_MAX);
    struct json_value *tree = NULL;
    bool is_equal = false;
    if (json_parse((struct str){r->scan.text.ptr + a, s.pos}, &arena, &tree, NULL) == ERR_OK) {
        s = value_at(r, b);
        is_equal = value_equal(r, &s, json_scan_next(&s), tree);
    }
    arena_fini(&arena);
    return is_equal;
}

static int item_compare(const void *left, const void *right)
{
    const struct item *a = left;
    const struct item *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return a->index < b->index ? -1 : 1;
}

bool items_unique(struct run *r, struct span start)
{
    struct item few[ITEMS_FEW];
    struct item *items = few;
    uint32_t count = 0;
    uint32_t cap = ITEMS_FEW;
    enum json_token t = run_restart(r, start);
    while ((t = json_scan_next(&r->scan)) != JSON_TOKEN_ARRAY_END && t != JSON_TOKEN_ERROR) {
        if (count == cap) {
            cap *= 2;
            struct item *more = mem_realloc(items == few ? NULL : items, cap * sizeof *items);
            if (items == few) {
                memcpy(more, few, sizeof few);
            }
            items = more;
        }
        size_t pos = r->scan.token_pos;
        // Where the run lies is the seed: no payload can be made to collide.
        items[count] = (struct item){value_hash(r, &r->scan, t, (uintptr_t)r), pos, count};
        count++;
    }
    bool is_unique = t != JSON_TOKEN_ERROR || run_malformed(r);
    size_t end = r->scan.pos;
    qsort(items, count, sizeof *items, item_compare);
    for (uint32_t i = 1; i < count && is_unique && run_step(r); i++) {
        if (items[i].hash == items[i - 1].hash && items_equal(r, items[i - 1].pos, items[i].pos)) {
            r->path[start.depth] = (struct path_step){{0}, items[i].index};
            r->path_count = start.depth + 1;
            r->scan.depth = start.depth + 1;
            is_unique = run_fault(r, items[i].pos, "the same as item %u; uniqueItems", items[i - 1].index);
        }
    }
    if (items != few) {
        mem_free(items);
    }
    if (is_unique) {
        run_after(r, end, start.depth);
    }
    return is_unique && !r->is_given_up;
}
