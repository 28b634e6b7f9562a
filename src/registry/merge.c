// SPDX-License-Identifier: Apache-2.0
// merge.c - metadata and rule sets: one over another. Values are never changed, only shared or copied.
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
    for (const struct json_value *v = upper == NULL ? NULL : upper->first; v != NULL; v = v->next) {
        if (lower == NULL || json_get(lower, v->key) == NULL) {
            append_copy(arena, merged, v);
        }
    }
    json_append(into, merged);
}

static bool has_text(const struct json_value *list, struct str text)
{
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
        if (str_equal(v->text, text)) {
            return true;
        }
    }
    return false;
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
    for (const struct json_value *v = upper == NULL ? NULL : upper->first; v != NULL; v = v->next) {
        if (!has_text(lower, v->text)) {
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

static const struct json_value *rule_find(const struct json_value *rules, struct str name)
{
    for (const struct json_value *v = rules == NULL ? NULL : rules->first; v != NULL; v = v->next) {
        if (str_equal(json_get_str(v, STR("name")), name)) {
            return v;
        }
    }
    return NULL;
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
    for (const struct json_value *v = lower == NULL ? NULL : lower->first; v != NULL; v = v->next) {
        if (rule_find(upper, json_get_str(v, STR("name"))) == NULL) {
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
