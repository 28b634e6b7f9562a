// SPDX-License-Identifier: Apache-2.0
// merge.c - metadata and rule sets: one over another. Values are never changed, only shared or copied.
#include <stdlib.h>

#include "registry/registry_private.h"

struct json_value *json_copy(struct arena *arena, const struct json_value *value)
{
    struct json_value *copy = json_new(arena, value->type);
    if (copy == NULL) {
        return NULL;
    }
    copy->key = value->key;
    copy->text = value->text;
    // Parsed values are no deeper than JSON_DEPTH_MAX.
    for (const struct json_value *v = value->first; v != NULL; v = v->next) {
        struct json_value *child = json_copy(arena, v);
        if (child == NULL) {
            return NULL;
        }
        json_append(copy, child);
    }
    return copy;
}

static void append_copy(struct arena *arena, struct json_value *parent, const struct json_value *value)
{
    struct json_value *copy = json_copy(arena, value);
    if (copy != NULL) {
        json_append(parent, copy);
    }
}

static const struct json_value *member(const struct json_value *object, const char *name, enum json_type type)
{
    const struct json_value *value = object == NULL ? NULL : json_get(object, str_from_c(name));
    return value != NULL && value->type == type ? value : NULL;
}

static struct json_value *named(struct arena *arena, const char *name, enum json_type type)
{
    struct json_value *value = json_new(arena, type);
    if (value != NULL) {
        value->key = str_from_c(name);
    }
    return value;
}

// The keys, texts or names of a list's values in order, so that looking for each of another list's is no
// walk.
enum called_by { CALLED_BY_KEY, CALLED_BY_TEXT, CALLED_BY_NAME };
struct called {
    struct str *list;
    size_t count;
};

static struct str called_of(const struct json_value *value, enum called_by by)
{
    return by == CALLED_BY_KEY    ? value->key
           : by == CALLED_BY_TEXT ? value->text
                                  : json_get_str(value, STR("name"));
}

static int called_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

static struct called called_in(struct arena *arena, const struct json_value *list, enum called_by by)
{
    struct called called = {.list = arena_new(arena, struct str, list == NULL ? 1 : list->count + 1)};
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (called.list != NULL) { // else the call fails: its arena has
            called.list[called.count++] = called_of(v, by);
        }
    }
    if (called.count > 1) {
        qsort(called.list, called.count, sizeof *called.list, called_order);
    }
    return called;
}

static bool is_called(const struct called *called, const struct json_value *value, enum called_by by)
{
    struct str wanted = called_of(value, by);
    return called->count > 0 &&
           bsearch(&wanted, called->list, called->count, sizeof *called->list, called_order) != NULL;
}

// Members of both; the upper one's where they share a name.
static void maps_merge(struct arena *arena, struct json_value *into, const char *name,
                       const struct json_value *under, const struct json_value *over)
{
    const struct json_value *lower = member(under, name, JSON_OBJECT);
    const struct json_value *upper = member(over, name, JSON_OBJECT);
    struct json_value *merged = named(arena, name, JSON_OBJECT);
    if (merged == NULL || (lower == NULL && upper == NULL)) {
        return;
    }
    for (const struct json_value *v = lower == NULL ? NULL : lower->first; v != NULL; v = v->next) {
        const struct json_value *newer = upper == NULL ? NULL : json_get(upper, v->key);
        append_copy(arena, merged, newer == NULL ? v : newer);
    }
    struct called there = called_in(arena, lower, CALLED_BY_KEY);
    for (const struct json_value *v = upper == NULL ? NULL : upper->first; v != NULL; v = v->next) {
        if (!is_called(&there, v, CALLED_BY_KEY)) {
            append_copy(arena, merged, v);
        }
    }
    json_append(into, merged);
}

static void sets_merge(struct arena *arena, struct json_value *into, const char *name,
                       const struct json_value *under, const struct json_value *over)
{
    const struct json_value *lower = member(under, name, JSON_ARRAY);
    const struct json_value *upper = member(over, name, JSON_ARRAY);
    struct json_value *merged = named(arena, name, JSON_ARRAY);
    if (merged == NULL || (lower == NULL && upper == NULL)) {
        return;
    }
    for (const struct json_value *v = lower == NULL ? NULL : lower->first; v != NULL; v = v->next) {
        append_copy(arena, merged, v);
    }
    struct called there = called_in(arena, lower, CALLED_BY_TEXT);
    for (const struct json_value *v = upper == NULL ? NULL : upper->first; v != NULL; v = v->next) {
        if (!is_called(&there, v, CALLED_BY_TEXT)) {
            append_copy(arena, merged, v);
        }
    }
    json_append(into, merged);
}

struct json_value *metadata_merge(struct arena *arena, const struct json_value *under,
                                  const struct json_value *over)
{
    struct json_value *merged = json_new(arena, JSON_OBJECT);
    if ((under == NULL && over == NULL) || merged == NULL) {
        return NULL;
    }
    maps_merge(arena, merged, "tags", under, over);
    maps_merge(arena, merged, "properties", under, over);
    sets_merge(arena, merged, "sensitive", under, over);
    return merged;
}

// Rules of the lower list that the upper one does not name again, then the upper one's.
static void rules_merge(struct arena *arena, struct json_value *into, const char *name,
                        const struct json_value *under, const struct json_value *over)
{
    const struct json_value *lower = member(under, name, JSON_ARRAY);
    const struct json_value *upper = member(over, name, JSON_ARRAY);
    struct json_value *merged = named(arena, name, JSON_ARRAY);
    if (merged == NULL || (lower == NULL && upper == NULL)) {
        return;
    }
    struct called newer = called_in(arena, upper, CALLED_BY_NAME);
    for (const struct json_value *v = lower == NULL ? NULL : lower->first; v != NULL; v = v->next) {
        if (!is_called(&newer, v, CALLED_BY_NAME)) {
            append_copy(arena, merged, v);
        }
    }
    for (const struct json_value *v = upper == NULL ? NULL : upper->first; v != NULL; v = v->next) {
        append_copy(arena, merged, v);
    }
    json_append(into, merged);
}

struct json_value *rule_set_merge(struct arena *arena, const struct json_value *under,
                                  const struct json_value *over)
{
    struct json_value *merged = json_new(arena, JSON_OBJECT);
    if ((under == NULL && over == NULL) || merged == NULL) {
        return NULL;
    }
    rules_merge(arena, merged, "migrationRules", under, over);
    rules_merge(arena, merged, "domainRules", under, over);
    rules_merge(arena, merged, "encodingRules", under, over);
    const struct json_value *upper = member(over, "enableAt", JSON_STRING);
    const struct json_value *at = upper != NULL ? upper : member(under, "enableAt", JSON_STRING);
    if (at != NULL) {
        append_copy(arena, merged, at);
    }
    return merged;
}
