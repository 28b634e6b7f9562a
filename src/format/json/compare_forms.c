// SPDX-License-Identifier: Apache-2.0
// compare_forms.c - a schema as the Confluent registry's validator classifies it: one class per group of
// keywords, an implicit allOf where there are several, type lists as anyOf. $ref is looked through.
#include "format/json/compare_private.h"

#include <stdlib.h>

#include "base/hash.h"

enum { PARTS_MAX = 16, REF_CHAIN_MAX = 1000 };

struct parts {
    struct form *forms[PARTS_MAX];
    uint32_t count;
};

static struct form *part_add(struct compare *c, struct parts *parts, enum form_kind kind,
                             struct jschema_place place)
{
    static struct form none;
    struct form *form = arena_new(&c->arena, struct form, 1);
    if (form == NULL || parts->count == PARTS_MAX) {
        c->is_given_up = true;
        none = (struct form){0};
        return &none;
    }
    *form = (struct form){.kind = kind, .place = place};
    parts->forms[parts->count++] = form;
    return form;
}

static void add_typed(struct compare *c, struct parts *parts, struct jschema_place place, struct str type)
{
    static const struct {
        const char *name;
        enum form_kind kind;
    } rows[] = {
        {"string", FORM_STRING}, {"number", FORM_NUMBER}, {"integer", FORM_NUMBER}, {"boolean", FORM_BOOLEAN},
        {"null", FORM_NULL},     {"object", FORM_OBJECT}, {"array", FORM_ARRAY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (str_equal(type, str_from_c(rows[i].name))) {
            part_add(c, parts, rows[i].kind, place)->is_integer = str_equal(type, STR("integer"));
        }
    }
}

// Without `type`, keywords tell which types a schema speaks of.
static void add_sniffed(struct compare *c, struct parts *parts, struct jschema_place place,
                        const struct keywords *k)
{
    static const struct {
        enum form_kind kind;
        enum keyword keyword;
    } rows[] = {
        {FORM_ARRAY, KEYWORD_ITEMS},
        {FORM_ARRAY, KEYWORD_PREFIX_ITEMS},
        {FORM_ARRAY, KEYWORD_ADDITIONAL_ITEMS},
        {FORM_ARRAY, KEYWORD_MIN_ITEMS},
        {FORM_ARRAY, KEYWORD_MAX_ITEMS},
        {FORM_ARRAY, KEYWORD_UNIQUE_ITEMS},
        {FORM_ARRAY, KEYWORD_CONTAINS},
        {FORM_ARRAY, KEYWORD_UNEVALUATED_ITEMS},
        {FORM_OBJECT, KEYWORD_PROPERTIES},
        {FORM_OBJECT, KEYWORD_REQUIRED},
        {FORM_OBJECT, KEYWORD_MIN_PROPERTIES},
        {FORM_OBJECT, KEYWORD_MAX_PROPERTIES},
        {FORM_OBJECT, KEYWORD_DEPENDENCIES},
        {FORM_OBJECT, KEYWORD_DEPENDENT_REQUIRED},
        {FORM_OBJECT, KEYWORD_DEPENDENT_SCHEMAS},
        {FORM_OBJECT, KEYWORD_PATTERN_PROPERTIES},
        {FORM_OBJECT, KEYWORD_ADDITIONAL_PROPERTIES},
        {FORM_OBJECT, KEYWORD_UNEVALUATED_PROPERTIES},
        {FORM_OBJECT, KEYWORD_PROPERTY_NAMES},
        {FORM_NUMBER, KEYWORD_MINIMUM},
        {FORM_NUMBER, KEYWORD_MAXIMUM},
        {FORM_NUMBER, KEYWORD_EXCLUSIVE_MINIMUM},
        {FORM_NUMBER, KEYWORD_EXCLUSIVE_MAXIMUM},
        {FORM_NUMBER, KEYWORD_MULTIPLE_OF},
        {FORM_STRING, KEYWORD_MIN_LENGTH},
        {FORM_STRING, KEYWORD_MAX_LENGTH},
        {FORM_STRING, KEYWORD_PATTERN},
        {FORM_STRING, KEYWORD_FORMAT},
    };
    enum form_kind last = FORM_EMPTY;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (k->of[rows[i].keyword] != NULL && rows[i].kind != last) {
            last = rows[i].kind;
            part_add(c, parts, rows[i].kind, place);
        }
    }
}

static void add_list(struct compare *c, struct parts *parts, struct jschema_place place,
                     const struct json_value *list, enum criterion criterion)
{
    if (list != NULL) {
        struct form *form = part_add(c, parts, FORM_COMBINED, place);
        form->criterion = criterion;
        form->list = list;
    }
}

static void add_types(struct compare *c, struct parts *parts, struct jschema_place place,
                      const struct json_value *type)
{
    if (type->type == JSON_STRING) {
        add_typed(c, parts, place, type->text);
        return;
    }
    struct parts types = {0};
    for (const struct json_value *v = type->first; v != NULL && types.count < PARTS_MAX; v = v->next) {
        add_typed(c, &types, place, v->text);
    }
    struct form *form = part_add(c, parts, FORM_COMBINED, place);
    form->criterion = CRITERION_ANY;
    form->subs = arena_new(&c->arena, struct form *, types.count);
    if (form->subs != NULL) {
        memcpy(form->subs, types.forms, types.count * sizeof *form->subs);
        form->count = types.count;
    }
}

static bool ref_of(const struct keywords *k, struct jschema_place place, struct jschema_place *ret)
{
    static const enum keyword refs[] = {KEYWORD_REF, KEYWORD_DYNAMIC_REF, KEYWORD_RECURSIVE_REF};
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        const struct jschema_anchor *dynamic;
        if (k->of[refs[i]] != NULL) {
            return jschema_resolve(place.resource, k->of[refs[i]]->text, ret, &dynamic);
        }
    }
    return false;
}

static void collect_parts(struct compare *c, struct parts *parts, struct jschema_place place)
{
    struct keywords k;
    struct jschema_place target;
    keywords_read(place, &k);
    if (ref_of(&k, place, &target)) {
        part_add(c, parts, FORM_REF, target);
    }
    if (k.of[KEYWORD_ENUM] != NULL) {
        part_add(c, parts, FORM_ENUM, place);
    }
    add_list(c, parts, place, k.of[KEYWORD_ALL_OF], CRITERION_ALL);
    add_list(c, parts, place, k.of[KEYWORD_ANY_OF], CRITERION_ANY);
    add_list(c, parts, place, k.of[KEYWORD_ONE_OF], CRITERION_ONE);
    if (k.of[KEYWORD_NOT] != NULL) {
        part_add(c, parts, FORM_NOT, place);
    }
    if (k.of[KEYWORD_CONST] != NULL) {
        part_add(c, parts, FORM_CONST, place);
    }
    if (k.of[KEYWORD_IF] != NULL) {
        part_add(c, parts, FORM_IF, place);
    }
    if (k.of[KEYWORD_TYPE] != NULL) {
        add_types(c, parts, place, k.of[KEYWORD_TYPE]);
    } else {
        add_sniffed(c, parts, place, &k);
    }
}

static void form_fill(struct compare *c, struct form *form, struct jschema_place place)
{
    struct map_node node = form->node;
    if (place.value->type != JSON_OBJECT) {
        form->kind = place.value->type == JSON_FALSE ? FORM_FALSE : FORM_EMPTY;
        return;
    }
    struct parts parts = {0};
    collect_parts(c, &parts, place);
    if (parts.count == 1) {
        *form = *parts.forms[0];
    } else if (parts.count > 1) {
        form->kind = FORM_COMBINED;
        form->criterion = CRITERION_ALL;
        form->subs = arena_new(&c->arena, struct form *, parts.count);
        if (form->subs != NULL) {
            memcpy(form->subs, parts.forms, parts.count * sizeof *form->subs);
            form->count = parts.count;
        }
    }
    form->node = node;
    form->key = place.value;
}

struct form *form_of(struct compare *c, struct jschema_place place)
{
    uint64_t hash = hash_mix((uintptr_t)place.value, 3);
    for (struct map_node *n = map_first(&c->forms, hash); n != NULL; n = map_next(n)) {
        struct form *form = MAP_ENTRY(n, struct form, node);
        if (form->key == place.value) {
            return form;
        }
    }
    struct form *form = arena_new(&c->arena, struct form, 1);
    if (form == NULL) {
        c->is_given_up = true;
        static struct form none;
        return &none;
    }
    *form = (struct form){.kind = FORM_EMPTY, .place = place, .key = place.value};
    map_insert(&c->forms, &form->node, hash);
    form_fill(c, form, place);
    return form;
}

struct form *form_deref(struct compare *c, struct form *form)
{
    for (int i = 0; form != NULL && form->kind == FORM_REF && i < REF_CHAIN_MAX; i++) {
        form = form_of(c, form->place);
    }
    return form;
}

// form_expand makes forms of a list's subschemas, each text once.
void form_expand(struct compare *c, struct form *combined)
{
    if (combined->subs != NULL) {
        return;
    }
    combined->subs = arena_new(&c->arena, struct form *, combined->list->count);
    struct str *texts = arena_new(&c->arena, struct str, combined->list->count);
    if (combined->subs == NULL || texts == NULL) {
        c->is_given_up = true;
        return;
    }
    for (const struct json_value *v = combined->list->first; v != NULL; v = v->next) {
        struct buf text;
        buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
        json_print(v, true, &text);
        uint32_t same = 0;
        while (same < combined->count && !str_equal(texts[same], buf_str(&text)) && compare_step(c)) {
            same++;
        }
        if (same == combined->count) {
            texts[combined->count] = arena_str(&c->arena, buf_str(&text));
            combined->subs[combined->count++] = form_of(c, jschema_sub(combined->place, v));
        }
        buf_fini(&text);
    }
}

static int str_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

struct str *sorted_texts(struct compare *c, const struct json_value *list, uint32_t *ret_count)
{
    struct str *texts = arena_new(&c->arena, struct str, list->count + 1);
    uint32_t count = 0;
    for (const struct json_value *v = list->first; v != NULL && texts != NULL; v = v->next) {
        struct buf text;
        buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
        json_print(v, true, &text);
        texts[count++] = arena_str(&c->arena, buf_str(&text));
        buf_fini(&text);
    }
    if (texts == NULL || c->arena.failed) {
        c->is_given_up = true;
        *ret_count = 0;
        return texts;
    }
    qsort(texts, count, sizeof *texts, str_order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal(texts[i], texts[kept - 1])) {
            texts[kept++] = texts[i];
        }
    }
    *ret_count = kept;
    return texts;
}
