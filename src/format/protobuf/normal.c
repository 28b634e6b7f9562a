// SPDX-License-Identifier: Apache-2.0
// normal.c - the normal form of options and numbers, as the registry of Confluent has it: names of extensions
// in full, `(x).a = 1` written as an aggregate, options of one extension merged, keys sorted, numbers as
// Java's DecimalFormat writes them (which rounds to three digits behind the point).
#include "format/protobuf/protobuf_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_sorted(const void *a, const void *b)
{
    const struct pb_sorted *x = a;
    const struct pb_sorted *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    int order = str_compare(x->name, y->name);
    return order != 0 ? order : x->index < y->index ? -1 : x->index > y->index;
}

void pb_sort(struct pb_sorted *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].index = i;
    }
    if (count > 0) {
        qsort(items, count, sizeof *items, compare_sorted);
    }
}

// ---- numbers

static struct str trim_zeros(struct arena *arena, const char *text)
{
    struct str s = str_from_c(text);
    if (memchr(s.ptr, '.', s.len) != NULL) {
        while (s.ptr[s.len - 1] == '0') {
            s.len--;
        }
        if (s.ptr[s.len - 1] == '.') {
            s.len--;
        }
    }
    return arena_str(arena, s);
}

// Digits of an integer that fits no machine word stay as they are.
static struct str normal_integer(struct arena *arena, bool is_negative, struct str digits, struct str text)
{
    uint64_t value = 0;
    if (pb_number_parse(digits, &value)) {
        return value == 0 ? STR("0")
                          : arena_printf(arena, "%s%llu", is_negative ? "-" : "", (unsigned long long)value);
    }
    return text;
}

struct str pb_number_normal(struct arena *arena, struct str text)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    struct str digits = is_negative ? (struct str){text.ptr + 1, text.len - 1} : text;
    size_t decimals = 0;
    size_t point = digits.len;
    bool is_real = false;
    bool is_hex = digits.len > 2 && digits.ptr[0] == '0' && (digits.ptr[1] | 0x20) == 'x';
    for (size_t i = 0; i < digits.len && !is_hex; i++) {
        char c = digits.ptr[i];
        if (c == '.') {
            point = i;
        } else if (c == 'e' || c == 'E') {
            is_real = true;
            decimals = i > point ? i - point - 1 : 0;
            point = digits.len;
        } else if ((c < '0' || c > '9') && c != '-' && c != '+') {
            return text; // -inf, a suffix
        }
    }
    if (point < digits.len) {
        is_real = true;
        decimals = digits.len - point - 1;
    }
    char copy[64];
    if (!is_real) {
        return normal_integer(arena, is_negative, digits, text);
    }
    if (text.len >= sizeof copy) {
        return text;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double value = strtod(copy, NULL);
    if (decimals <= 7 && isfinite((double)(float)value) && ((float)value != 0 || value == 0)) {
        value = (double)(float)value; // Java would have made a float of it
    }
    if (!isfinite(value)) {
        return text;
    }
    char out[400];
    snprintf(out, sizeof out, "%.3f", value);
    for (int precision = 1; fabs(value) >= 1e15 && precision <= 17; precision++) {
        char shortest[40];
        snprintf(shortest, sizeof shortest, "%.*e", precision - 1, value);
        if (strtod(shortest, NULL) == value) { // the shortest digits that mean it, then zeros
            int exponent = (int)strtol(strchr(shortest, 'e') + 1, NULL, 10);
            size_t n = 0;
            size_t sign = 0;
            for (const char *c = shortest; *c != 'e'; c++) {
                if (*c != '.') {
                    out[n++] = *c;
                    sign += *c == '-';
                }
            }
            while (n < (size_t)exponent + 1 + sign) {
                out[n++] = '0';
            }
            out[n] = '\0';
            break;
        }
    }
    return trim_zeros(arena, out);
}

// ---- options

static struct pb_value *copy_value(struct pb_printer *p, const struct pb_value *value)
{
    struct pb_value *copy = arena_new(&p->arena, struct pb_value, 1);
    if (copy != NULL) {
        *copy = *value;
        copy->next = NULL;
    }
    return copy;
}

static struct str resolve_extension(struct pb_printer *p, struct str name)
{
    const struct pb_symbol *found =
        pb_symbol_resolve(&p->schema->symbols, p->scope, name, 1u << PB_SYMBOL_EXTENSION);
    return found == NULL ? (struct str){NULL, 0} : found->name;
}

// Keys in order, those of extensions in full; empty lists left out; within them the same.
static struct pb_value *normal_value(struct pb_printer *p, const struct pb_value *value)
{
    struct pb_value *made = copy_value(p, value);
    if (made == NULL || value->first == NULL) {
        return made;
    }
    struct pb_sorted *items = arena_new(&p->arena, struct pb_sorted, value->count);
    if (items == NULL) {
        return NULL;
    }
    made->first = made->last = NULL;
    made->count = 0;
    size_t count = 0;
    for (const struct pb_value *v = value->first; v != NULL; v = v->next) {
        if (value->kind == PB_VALUE_MAP && v->kind == PB_VALUE_LIST && v->first == NULL) {
            continue;
        }
        struct pb_value *item = normal_value(p, v);
        if (item == NULL) {
            return NULL;
        }
        if (item->key.len > 2 && item->key.ptr[0] == '[') {
            struct str full = resolve_extension(p, (struct str){item->key.ptr + 1, item->key.len - 2});
            if (full.ptr != NULL) {
                item->key = arena_printf(&p->arena, "[" STR_FMT "]", STR_ARG(full));
            }
        }
        struct str key = value->kind == PB_VALUE_MAP ? item->key : (struct str){NULL, 0};
        items[count++] = (struct pb_sorted){.element = item, .name = key}; // items of a list keep their order
    }
    pb_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        struct pb_value *item = (struct pb_value *)(uintptr_t)items[i].element;
        // Two keys that name the same extension: the first one counts.
        if (made->last == NULL || value->kind == PB_VALUE_LIST || !str_equal(made->last->key, item->key)) {
            pb_value_append(made, item);
        }
    }
    return made;
}

// (x).a.b = 1 becomes (x) = {a: {b: 1}}.
static struct pb_option *normal_path(struct pb_printer *p, struct pb_option *option)
{
    struct str path = option->path;
    option->path = STR("");
    while (path.len > 0) {
        size_t begin = path.len;
        bool is_extension = path.ptr[path.len - 1] == ')';
        while (begin > 0 && path.ptr[begin - 1] != (is_extension ? '(' : '.')) {
            begin--;
        }
        struct pb_value *inner = copy_value(p, &option->value);
        if (inner == NULL) {
            return option;
        }
        struct str key = {path.ptr + begin, path.len - begin - (is_extension ? 1 : 0)};
        inner->key = is_extension ? arena_printf(&p->arena, "[" STR_FMT "]", STR_ARG(key)) : key;
        option->value = (struct pb_value){.kind = PB_VALUE_MAP};
        pb_value_append(&option->value, inner);
        size_t drop = begin < (is_extension ? 2u : 1u) ? begin : (is_extension ? 2u : 1u);
        path.len = begin - drop;
    }
    return option;
}

static bool is_same_value(const struct pb_value *a, const struct pb_value *b)
{
    if (a->kind != b->kind || a->count != b->count || !str_equal(a->text, b->text)) {
        return false;
    }
    const struct pb_value *y = b->first;
    for (const struct pb_value *x = a->first; x != NULL && y != NULL; x = x->next, y = y->next) {
        if ((a->kind == PB_VALUE_MAP && !str_equal(x->key, y->key)) || !is_same_value(x, y)) {
            return false;
        }
    }
    return true;
}

static void append_distinct(struct pb_printer *p, struct pb_value *list, const struct pb_value *value)
{
    const struct pb_value *v = value->kind == PB_VALUE_LIST ? value->first : value;
    for (; v != NULL; v = value->kind == PB_VALUE_LIST ? v->next : NULL) {
        bool is_there = false;
        for (const struct pb_value *old = list->first; old != NULL && !is_there; old = old->next) {
            is_there = is_same_value(old, v);
        }
        struct pb_value *copy = is_there || list->count >= PB_ENTRIES_MAX ? NULL : copy_value(p, v);
        if (copy != NULL) {
            pb_value_append(list, copy);
        }
    }
}

// Entries of both; where both have a key, the values of both as a list, each once.
static void merge_maps(struct pb_printer *p, struct pb_value *into, const struct pb_value *other)
{
    for (const struct pb_value *entry = other->first; entry != NULL; entry = entry->next) {
        struct pb_value *old = into->first;
        while (old != NULL && !str_equal(old->key, entry->key)) {
            old = old->next;
        }
        if (old == NULL) {
            struct pb_value *copy = into->count >= PB_ENTRIES_MAX ? NULL : copy_value(p, entry);
            if (copy != NULL) {
                pb_value_append(into, copy);
            }
            continue;
        }
        struct pb_value list = {.next = old->next, .key = old->key, .kind = PB_VALUE_LIST};
        append_distinct(p, &list, old);
        append_distinct(p, &list, entry);
        *old = list;
    }
}

static void merge_options(struct pb_printer *p, struct pb_option *into, const struct pb_option *other)
{
    if (into->value.kind == PB_VALUE_MAP && other->value.kind == PB_VALUE_MAP) {
        merge_maps(p, &into->value, &other->value);
    } else {
        into->value = other->value;
    }
}

static bool is_merged(const struct pb_printer *p, struct str name)
{
    const struct pb_symbol *found = pb_symbol_find(&p->schema->symbols, name);
    return found != NULL && found->kind == PB_SYMBOL_EXTENSION &&
           found->extension->label != PB_LABEL_REPEATED;
}

const struct pb_option *pb_options_normal(struct pb_printer *p, const struct pb_option *options)
{
    size_t count = 0;
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        count++;
    }
    struct pb_sorted *items = arena_new(&p->arena, struct pb_sorted, count == 0 ? 1 : count);
    if (items == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        struct pb_option *copy = arena_new(&p->arena, struct pb_option, 1);
        struct pb_value *value = copy == NULL ? NULL : normal_value(p, &o->value);
        if (value == NULL) {
            return NULL;
        }
        *copy = *o;
        copy->next = NULL;
        copy->value = *value;
        struct str full = o->is_extension ? resolve_extension(p, o->name) : (struct str){NULL, 0};
        if (full.ptr != NULL) {
            copy->name = full;
            copy = normal_path(p, copy);
        }
        // Wire takes a.b of a plain option for its name.
        struct str name =
            o->is_extension || o->path.len == 0
                ? copy->name
                : arena_printf(&p->arena, STR_FMT "." STR_FMT, STR_ARG(o->name), STR_ARG(o->path));
        items[at++] = (struct pb_sorted){.element = copy, .name = name};
    }
    pb_sort(items, count);
    struct pb_option *first = NULL;
    struct pb_option **last = &first;
    struct pb_option *previous = NULL;
    for (size_t i = 0; i < count; i++) {
        struct pb_option *o = (struct pb_option *)(uintptr_t)items[i].element;
        if (previous != NULL && previous->is_extension == o->is_extension && o->is_extension &&
            str_equal(previous->name, o->name) && is_merged(p, o->name)) {
            merge_options(p, previous, o);
            continue;
        }
        PB_APPEND(last, o);
        previous = o;
    }
    for (struct pb_option *o = first; o != NULL; o = o->next) {
        struct pb_value *value = normal_value(p, &o->value); // merging may have put keys out of order
        if (value != NULL) {
            o->value = *value;
        }
    }
    return first;
}
