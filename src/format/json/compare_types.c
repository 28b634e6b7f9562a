// SPDX-License-Identifier: Apache-2.0
// compare_types.c - changes to the keywords of single types, and what a content model makes of properties and
// items that come and go.
#include "format/json/compare_private.h"
#include "format/json/decimal_private.h"

static struct keywords keywords_of(const struct form *form)
{
    struct keywords k;
    keywords_read(form->place, &k);
    return k;
}

// number_order compares two numbers of a schema.
static int number_order(const struct json_value *a, const struct json_value *b)
{
    struct decimal x = decimal_parse(a->text);
    struct decimal y = decimal_parse(b->text);
    return decimal_compare(&x, &y);
}

// compare_limit judges a limit: `tighter` is the sign of (update - original) that breaks.
static void compare_limit(struct compare *c, const char *name, const struct json_value *original,
                          const struct json_value *update, int tighter, enum change added,
                          enum change tightened)
{
    if (update == NULL) {
        return;
    }
    if (original == NULL) {
        compare_change_at(c, name, added);
    } else if (number_order(update, original) * tighter > 0) {
        compare_change_at(c, name, tightened);
    }
}

static void compare_keyword(struct compare *c, enum keyword keyword, const struct keywords *original,
                            const struct keywords *update, int tighter, enum change added,
                            enum change tightened)
{
    compare_limit(c, keyword_infos[keyword].name.ptr, original->of[keyword], update->of[keyword], tighter,
                  added, tightened);
}

void compare_string(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o = keywords_of(original);
    struct keywords u = keywords_of(update);
    compare_keyword(c, KEYWORD_MAX_LENGTH, &o, &u, -1, CHANGE_MAX_LENGTH_ADDED, CHANGE_MAX_LENGTH_DECREASED);
    compare_keyword(c, KEYWORD_MIN_LENGTH, &o, &u, 1, CHANGE_MIN_LENGTH_ADDED, CHANGE_MIN_LENGTH_INCREASED);
    const struct json_value *before = o.of[KEYWORD_PATTERN];
    const struct json_value *after = u.of[KEYWORD_PATTERN];
    if (after != NULL && before == NULL) {
        compare_change_at(c, "pattern", CHANGE_PATTERN_ADDED);
    } else if (after != NULL && !str_equal(before->text, after->text)) {
        compare_change_at(c, "pattern", CHANGE_PATTERN_CHANGED);
    }
}

// Draft 4 has booleans that make a limit exclusive.
static void exclusive_read(struct keywords *k, enum keyword plain, enum keyword exclusive)
{
    if (k->of[exclusive] != NULL && json_is_bool(k->of[exclusive])) {
        bool is_exclusive = k->of[exclusive]->type == JSON_TRUE;
        k->of[exclusive] = is_exclusive ? k->of[plain] : NULL;
        k->of[plain] = is_exclusive ? NULL : k->of[plain];
    }
}

static void compare_multiple(struct compare *c, const struct json_value *original,
                             const struct json_value *update)
{
    if (update == NULL) {
        return;
    }
    if (original == NULL) {
        compare_change_at(c, "multipleOf", CHANGE_MULTIPLE_OF_ADDED);
        return;
    }
    struct decimal o = decimal_parse(original->text);
    struct decimal u = decimal_parse(update->text);
    bool is_long = o.count > DIVISOR_DIGITS_MAX || u.count > DIVISOR_DIGITS_MAX;
    if (decimal_compare(&o, &u) == 0 || (!is_long && decimal_is_multiple(&o, &u))) {
        return; // the same, or less
    }
    bool is_more = !is_long && decimal_is_multiple(&u, &o);
    compare_change_at(c, "multipleOf", is_more ? CHANGE_MULTIPLE_OF_EXPANDED : CHANGE_MULTIPLE_OF_CHANGED);
}

void compare_number(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o = keywords_of(original);
    struct keywords u = keywords_of(update);
    exclusive_read(&o, KEYWORD_MAXIMUM, KEYWORD_EXCLUSIVE_MAXIMUM);
    exclusive_read(&o, KEYWORD_MINIMUM, KEYWORD_EXCLUSIVE_MINIMUM);
    exclusive_read(&u, KEYWORD_MAXIMUM, KEYWORD_EXCLUSIVE_MAXIMUM);
    exclusive_read(&u, KEYWORD_MINIMUM, KEYWORD_EXCLUSIVE_MINIMUM);
    compare_keyword(c, KEYWORD_MAXIMUM, &o, &u, -1, CHANGE_MAXIMUM_ADDED, CHANGE_MAXIMUM_DECREASED);
    compare_keyword(c, KEYWORD_MINIMUM, &o, &u, 1, CHANGE_MINIMUM_ADDED, CHANGE_MINIMUM_INCREASED);
    compare_keyword(c, KEYWORD_EXCLUSIVE_MAXIMUM, &o, &u, -1, CHANGE_EXCLUSIVE_MAXIMUM_ADDED,
                    CHANGE_EXCLUSIVE_MAXIMUM_DECREASED);
    compare_keyword(c, KEYWORD_EXCLUSIVE_MINIMUM, &o, &u, 1, CHANGE_EXCLUSIVE_MINIMUM_ADDED,
                    CHANGE_EXCLUSIVE_MINIMUM_INCREASED);
    compare_multiple(c, o.of[KEYWORD_MULTIPLE_OF], u.of[KEYWORD_MULTIPLE_OF]);
    if (update->is_integer && !original->is_integer) {
        compare_change(c, CHANGE_TYPE_NARROWED);
    }
}

void compare_enum(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o = keywords_of(original);
    struct keywords u = keywords_of(update);
    uint32_t before_count;
    uint32_t after_count;
    const struct str *before = sorted_texts(c, o.of[KEYWORD_ENUM], &before_count);
    const struct str *after = sorted_texts(c, u.of[KEYWORD_ENUM], &after_count);
    uint32_t common = 0;
    uint32_t k = 0;
    for (uint32_t i = 0; i < before_count; i++) {
        while (k < after_count && str_compare(after[k], before[i]) < 0) {
            k++;
        }
        common += k < after_count && str_equal(after[k], before[i]);
    }
    if (common < before_count) {
        compare_change_at(c, "enum",
                          common == after_count ? CHANGE_ENUM_ARRAY_NARROWED : CHANGE_ENUM_ARRAY_CHANGED);
    }
}

// ---- content models

// What an object or an array says about members or items that it does not list.
struct model {
    bool is_open;
    bool permits;                        // additional ones
    const struct json_value *additional; // as a schema; NULL if it says nothing, or true or false
    const struct json_value *unevaluated;
    const struct json_value *patterns;
};

static struct model model_of(const struct json_value *additional, const struct json_value *unevaluated,
                             const struct json_value *patterns)
{
    struct model m = {.permits = additional == NULL || additional->type != JSON_FALSE,
                      .unevaluated = unevaluated};
    m.additional = additional == NULL || json_is_bool(additional) ? NULL : additional;
    m.patterns = patterns != NULL && patterns->count > 0 ? patterns : NULL;
    bool is_unevaluated_open = additional != NULL || unevaluated == NULL || unevaluated->type == JSON_TRUE ||
                               (unevaluated->type == JSON_OBJECT && unevaluated->count == 0);
    m.is_open = m.permits && m.additional == NULL && m.patterns == NULL && is_unevaluated_open;
    if (additional != NULL) {
        m.unevaluated = NULL; // nothing is left for it
    }
    return m;
}

// model_schema gives the schema that a partially open model has for a name; NULL if it has none.
static struct form *model_schema(struct compare *c, const struct form *of, const struct model *m,
                                 struct str name)
{
    const struct json_value *found = NULL;
    for (const struct json_value *v = m->patterns == NULL ? NULL : m->patterns->first;
         v != NULL && found == NULL; v = v->next) {
        found = compare_step(c) && pattern_matches(c, v, name) ? v : NULL;
    }
    found = found != NULL ? found : m->additional;
    bool is_unevaluated =
        found == NULL && m->permits && m->unevaluated != NULL && m->unevaluated->type != JSON_FALSE;
    found = is_unevaluated ? m->unevaluated : found;
    return found == NULL ? NULL : form_deref(c, form_of(c, jschema_sub(of->place, found)));
}

struct model_changes {
    enum change added_open;
    enum change added_uncovered;
    enum change removed_closed;
    enum change removed_uncovered;
};

// compare_covered judges a nested pair; LENIENT asks nothing of it.
static void compare_covered(struct compare *c, struct form *original, struct form *update,
                            enum change uncovered)
{
    if (c->policy == COMPAT_STRICT && !compare_holds(c, original, update)) {
        compare_sub(c, original, update);
        compare_change(c, uncovered);
    }
}

static void compare_removed(struct compare *c, const struct form *update, const struct model *m,
                            struct form *original, struct str name, const struct model_changes *changes)
{
    if (m->is_open) {
        return;
    }
    struct form *partial = model_schema(c, update, m, name);
    if (partial != NULL) {
        compare_covered(c, original, partial, changes->removed_uncovered);
    } else if (original->kind != FORM_FALSE) {
        compare_change(c, changes->removed_closed);
    }
}

// compare_added: false if the original's model is open, and what was to be said was said.
static bool compare_added(struct compare *c, const struct form *original, const struct model *m,
                          struct form *update, struct str name, const struct model_changes *changes)
{
    if (m->is_open) {
        if (update->kind != FORM_EMPTY) {
            compare_change(c, changes->added_open);
        }
        return false;
    }
    struct form *partial = model_schema(c, original, m, name);
    if (partial != NULL) {
        compare_covered(c, partial, update, changes->added_uncovered);
    }
    return true;
}

// compare_rest judges additional* or unevaluated*.
static void compare_additional(struct compare *c, const struct form *original, const struct model *o,
                               const struct form *update, const struct model *u, enum change removed,
                               enum change narrowed)
{
    if (o->permits != u->permits) {
        if (!u->permits) {
            compare_change(c, removed);
        }
    } else if (o->additional == NULL && u->additional != NULL) {
        compare_change(c, narrowed);
    } else if (o->additional != NULL && u->additional != NULL) {
        compare_sub(c, form_of(c, jschema_sub(original->place, o->additional)),
                    form_of(c, jschema_sub(update->place, u->additional)));
    }
}

static void compare_unevaluated(struct compare *c, const struct form *original, const struct json_value *o,
                                const struct form *update, const struct json_value *u, enum change removed,
                                enum change narrowed)
{
    struct form *before = o == NULL ? NULL : form_deref(c, form_of(c, jschema_sub(original->place, o)));
    struct form *after = u == NULL ? NULL : form_deref(c, form_of(c, jschema_sub(update->place, u)));
    if (after == NULL || after->kind == FORM_EMPTY || (before != NULL && before->kind == FORM_FALSE)) {
        return; // not tighter than before
    }
    if (after->kind == FORM_FALSE) {
        compare_change(c, removed);
    } else if (before == NULL || before->kind == FORM_EMPTY) {
        compare_change(c, narrowed);
    } else {
        compare_sub(c, before, after);
    }
}

// ---- objects

static bool list_has(struct compare *c, const struct json_value *list, struct str name)
{
    for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL && compare_step(c);
         v = v->next) {
        if (str_equal(v->text, name)) {
            return true;
        }
    }
    return false;
}

static bool has_default(const struct form *of, const struct json_value *property)
{
    struct keywords k;
    keywords_read(jschema_sub(of->place, property), &k);
    return k.of[KEYWORD_DEFAULT] != NULL;
}

static void compare_new_property(struct compare *c, const struct form *original, const struct model *model,
                                 const struct form *update, const struct json_value *property,
                                 bool is_required)
{
    bool defaults = has_default(update, property);
    const struct model_changes changes = {
        .added_open = !is_required ? CHANGE_OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL
                      : defaults   ? CHANGE_REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL
                                   : CHANGE_REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL,
        .added_uncovered = CHANGE_PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
    };
    struct form *form = form_deref(c, form_of(c, jschema_sub(update->place, property)));
    if (compare_added(c, original, model, form, property->key, &changes) && is_required && !defaults) {
        compare_change(c, CHANGE_REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL);
    }
}

static void compare_properties(struct compare *c, const struct form *original, const struct keywords *o,
                               const struct form *update, const struct keywords *u)
{
    const struct model before =
        model_of(o->of[KEYWORD_ADDITIONAL_PROPERTIES], o->of[KEYWORD_UNEVALUATED_PROPERTIES],
                 o->of[KEYWORD_PATTERN_PROPERTIES]);
    const struct model after =
        model_of(u->of[KEYWORD_ADDITIONAL_PROPERTIES], u->of[KEYWORD_UNEVALUATED_PROPERTIES],
                 u->of[KEYWORD_PATTERN_PROPERTIES]);
    static const struct model_changes removed = {
        .removed_closed = CHANGE_PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL,
        .removed_uncovered = CHANGE_PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
    };
    const struct json_value *old_ones = o->of[KEYWORD_PROPERTIES];
    const struct json_value *new_ones = u->of[KEYWORD_PROPERTIES];
    size_t path = path_enter(c, STR("properties"));
    for (const struct json_value *v = old_ones == NULL ? NULL : old_ones->first; v != NULL; v = v->next) {
        const struct json_value *now = json_get(new_ones, v->key);
        struct form *form = form_deref(c, form_of(c, jschema_sub(original->place, v)));
        size_t at = path_enter(c, v->key);
        if (now == NULL) {
            compare_removed(c, update, &after, form, v->key, &removed);
        } else {
            compare_sub(c, form, form_of(c, jschema_sub(update->place, now)));
        }
        path_leave(c, at);
    }
    for (const struct json_value *v = new_ones == NULL ? NULL : new_ones->first; v != NULL; v = v->next) {
        if (json_get(old_ones, v->key) == NULL) {
            size_t at = path_enter(c, v->key);
            compare_new_property(c, original, &before, update, v,
                                 list_has(c, u->of[KEYWORD_REQUIRED], v->key));
            path_leave(c, at);
        }
    }
    path_leave(c, path);
    path = path_enter(c, STR("additionalProperties"));
    compare_additional(c, original, &before, update, &after, CHANGE_ADDITIONAL_PROPERTIES_REMOVED,
                       CHANGE_ADDITIONAL_PROPERTIES_NARROWED);
    path_leave(c, path);
    path = path_enter(c, STR("unevaluatedProperties"));
    compare_unevaluated(c, original, o->of[KEYWORD_UNEVALUATED_PROPERTIES], update,
                        u->of[KEYWORD_UNEVALUATED_PROPERTIES], CHANGE_UNEVALUATED_PROPERTIES_REMOVED,
                        CHANGE_UNEVALUATED_PROPERTIES_NARROWED);
    path_leave(c, path);
}

// Of properties that both have.
static void compare_required(struct compare *c, const struct keywords *o, const struct form *update,
                             const struct keywords *u)
{
    size_t path = path_enter(c, STR("required"));
    const struct json_value *required = u->of[KEYWORD_REQUIRED];
    for (const struct json_value *v = required == NULL ? NULL : required->first; v != NULL; v = v->next) {
        const struct json_value *now = json_get(u->of[KEYWORD_PROPERTIES], v->text);
        if (now != NULL && json_get(o->of[KEYWORD_PROPERTIES], v->text) != NULL &&
            !list_has(c, o->of[KEYWORD_REQUIRED], v->text) && !has_default(update, now)) {
            size_t at = path_enter(c, v->text);
            compare_change(c, CHANGE_REQUIRED_ATTRIBUTE_ADDED);
            path_leave(c, at);
        }
    }
    path_leave(c, path);
}

static void compare_names(struct compare *c, const struct json_value *original,
                          const struct json_value *update)
{
    uint32_t before_count;
    uint32_t after_count;
    const struct str *before = sorted_texts(c, original, &before_count);
    const struct str *after = sorted_texts(c, update, &after_count);
    uint32_t common = 0;
    uint32_t k = 0;
    for (uint32_t i = 0; i < before_count; i++) {
        while (k < after_count && str_compare(after[k], before[i]) < 0) {
            k++;
        }
        common += k < after_count && str_equal(after[k], before[i]);
    }
    if (common < after_count) {
        compare_change(c, common == before_count ? CHANGE_DEPENDENCY_ARRAY_EXTENDED
                                                 : CHANGE_DEPENDENCY_ARRAY_CHANGED);
    }
}

static void compare_dependency_map(struct compare *c, const struct form *original, const struct json_value *o,
                                   const struct form *update, const struct json_value *u)
{
    size_t path = path_enter(c, STR("dependencies"));
    for (const struct json_value *v = u == NULL ? NULL : u->first; v != NULL; v = v->next) {
        const struct json_value *before = json_get(o, v->key);
        size_t at = path_enter(c, v->key);
        bool is_array = v->type == JSON_ARRAY;
        if (before == NULL || (before->type == JSON_ARRAY) != is_array) {
            compare_change(c, is_array ? CHANGE_DEPENDENCY_ARRAY_ADDED : CHANGE_DEPENDENCY_SCHEMA_ADDED);
        } else if (is_array) {
            compare_names(c, before, v);
        } else {
            compare_sub(c, form_of(c, jschema_sub(original->place, before)),
                        form_of(c, jschema_sub(update->place, v)));
        }
        path_leave(c, at);
    }
    path_leave(c, path);
}

void compare_object(struct compare *c, const struct form *original, const struct form *update)
{
    static const enum keyword maps[] = {KEYWORD_DEPENDENCIES, KEYWORD_DEPENDENT_REQUIRED,
                                        KEYWORD_DEPENDENT_SCHEMAS};
    struct keywords o = keywords_of(original);
    struct keywords u = keywords_of(update);
    compare_required(c, &o, update, &u);
    compare_properties(c, original, &o, update, &u);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        compare_dependency_map(c, original, o.of[maps[i]], update, u.of[maps[i]]);
    }
    compare_keyword(c, KEYWORD_MAX_PROPERTIES, &o, &u, -1, CHANGE_MAX_PROPERTIES_ADDED,
                    CHANGE_MAX_PROPERTIES_DECREASED);
    compare_keyword(c, KEYWORD_MIN_PROPERTIES, &o, &u, 1, CHANGE_MIN_PROPERTIES_ADDED,
                    CHANGE_MIN_PROPERTIES_INCREASED);
}

// ---- arrays

// items_read makes every draft say it in the same way: a list, and what is behind it or everywhere.
static const struct json_value *items_read(const struct keywords *k, const struct json_value **ret_all,
                                           const struct json_value **ret_additional)
{
    const struct json_value *items = k->of[KEYWORD_ITEMS];
    const struct json_value *prefix = k->of[KEYWORD_PREFIX_ITEMS];
    *ret_all = NULL;
    *ret_additional = k->of[KEYWORD_ADDITIONAL_ITEMS];
    if (prefix != NULL) {
        *ret_additional = items;
        return prefix;
    }
    if (items != NULL && items->type == JSON_ARRAY) {
        return items;
    }
    *ret_all = items;
    return NULL;
}

static void compare_items(struct compare *c, const struct form *original, const struct json_value *old_list,
                          const struct model *before, const struct form *update,
                          const struct json_value *new_list, const struct model *after)
{
    static const struct model_changes changes = {
        .added_open = CHANGE_ITEM_ADDED_TO_OPEN_CONTENT_MODEL,
        .added_uncovered = CHANGE_ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
        .removed_closed = CHANGE_ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL,
        .removed_uncovered = CHANGE_ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL,
    };
    const struct json_value *o = old_list == NULL ? NULL : old_list->first;
    const struct json_value *u = new_list == NULL ? NULL : new_list->first;
    for (uint32_t index = 0; o != NULL || u != NULL; index++) {
        struct str segment = arena_printf(&c->arena, "items/%u", index);
        size_t at = path_enter(c, segment);
        struct form *was = o == NULL ? NULL : form_deref(c, form_of(c, jschema_sub(original->place, o)));
        struct form *is = u == NULL ? NULL : form_deref(c, form_of(c, jschema_sub(update->place, u)));
        if (was != NULL && is != NULL) {
            compare_sub(c, was, is);
        } else if (is == NULL) {
            compare_removed(c, update, after, was, STR(""), &changes);
        } else {
            compare_added(c, original, before, is, STR(""), &changes);
        }
        path_leave(c, at);
        o = o == NULL ? NULL : o->next;
        u = u == NULL ? NULL : u->next;
    }
}

void compare_array(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o = keywords_of(original);
    struct keywords u = keywords_of(update);
    const struct json_value *old_all;
    const struct json_value *new_all;
    const struct json_value *old_additional;
    const struct json_value *new_additional;
    const struct json_value *old_list = items_read(&o, &old_all, &old_additional);
    const struct json_value *new_list = items_read(&u, &new_all, &new_additional);
    const struct model before = model_of(old_additional, o.of[KEYWORD_UNEVALUATED_ITEMS], NULL);
    const struct model after = model_of(new_additional, u.of[KEYWORD_UNEVALUATED_ITEMS], NULL);
    size_t path = path_enter(c, STR("items"));
    if (new_all != NULL && old_all == NULL) {
        compare_change(c, CHANGE_SCHEMA_ADDED);
    } else if (new_all != NULL) {
        compare_sub(c, form_of(c, jschema_sub(original->place, old_all)),
                    form_of(c, jschema_sub(update->place, new_all)));
    }
    path_leave(c, path);
    compare_items(c, original, old_list, &before, update, new_list, &after);
    path = path_enter(c, STR("additionalItems"));
    compare_additional(c, original, &before, update, &after, CHANGE_ADDITIONAL_ITEMS_REMOVED,
                       CHANGE_ADDITIONAL_ITEMS_NARROWED);
    path_leave(c, path);
    path = path_enter(c, STR("unevaluatedItems"));
    compare_unevaluated(c, original, o.of[KEYWORD_UNEVALUATED_ITEMS], update, u.of[KEYWORD_UNEVALUATED_ITEMS],
                        CHANGE_UNEVALUATED_ITEMS_REMOVED, CHANGE_UNEVALUATED_ITEMS_NARROWED);
    path_leave(c, path);
    compare_keyword(c, KEYWORD_MAX_ITEMS, &o, &u, -1, CHANGE_MAX_ITEMS_ADDED, CHANGE_MAX_ITEMS_DECREASED);
    compare_keyword(c, KEYWORD_MIN_ITEMS, &o, &u, 1, CHANGE_MIN_ITEMS_ADDED, CHANGE_MIN_ITEMS_INCREASED);
    bool was_unique = o.of[KEYWORD_UNIQUE_ITEMS] != NULL && o.of[KEYWORD_UNIQUE_ITEMS]->type == JSON_TRUE;
    bool is_unique = u.of[KEYWORD_UNIQUE_ITEMS] != NULL && u.of[KEYWORD_UNIQUE_ITEMS]->type == JSON_TRUE;
    if (is_unique && !was_unique) {
        compare_change_at(c, "uniqueItems", CHANGE_UNIQUE_ITEMS_ADDED);
    }
    compare_keyword(c, KEYWORD_MAX_CONTAINS, &o, &u, -1, CHANGE_MAX_CONTAINS_ADDED,
                    CHANGE_MAX_CONTAINS_DECREASED);
    compare_keyword(c, KEYWORD_MIN_CONTAINS, &o, &u, 1, CHANGE_MIN_CONTAINS_ADDED,
                    CHANGE_MIN_CONTAINS_INCREASED);
}
