// SPDX-License-Identifier: Apache-2.0
// site.c - sites of JSON Schema: a subschema, in part narrowed to one of its types, or without what combines
// it. As Confluent's clients walk them: a list of types first, then allOf, oneOf, anyOf and $ref, then what
// the subschema says itself. Of items only those that have one schema for all, and no properties by pattern.
#include "format/json/node_private.h"

#include "base/assert.h"

enum {
    PART_TYPES = 127, // TYPE_ bits of the one type that it is narrowed to; 0: as written
    PART_PLAIN = 128, // without allOf, oneOf, anyOf, $ref
    REFS_MAX = 128,   // that lead from one to the next
};

static const struct {
    struct str name;
    uint32_t bits;
    enum site_kind kind;
} types[] = {
    {{"null", 4}, TYPE_NULL, SITE_NULL},       {{"boolean", 7}, TYPE_BOOL, SITE_BOOLEAN},
    {{"integer", 7}, TYPE_INTEGER, SITE_INT},  {{"number", 6}, TYPES_NUMBERS, SITE_DOUBLE},
    {{"string", 6}, TYPE_STRING, SITE_STRING}, {{"array", 5}, TYPE_ARRAY, SITE_ARRAY},
    {{"object", 6}, TYPE_OBJECT, SITE_RECORD},
};

static struct jschema_place place_of(const struct site *site)
{
    return (struct jschema_place){site->of, site->in};
}

static const struct json_value *ref_of(const struct keywords *k)
{
    const struct json_value *ref = k->of[KEYWORD_REF];
    return ref != NULL && ref->type == JSON_STRING ? ref : NULL;
}

// A $ref that stands alone is what it refers to.
static struct site site_at(const struct program *program, struct jschema_place place, uint32_t part)
{
    for (int i = 0; i < REFS_MAX && part == 0; i++) {
        struct keywords k;
        keywords_read(place, &k);
        bool is_alone = ref_of(&k) != NULL && (place.resource->draft <= DRAFT_7 || place.value->count == 1);
        struct jschema_place next;
        const struct jschema_anchor *dynamic;
        if (!is_alone || !jschema_resolve(place.resource, ref_of(&k)->text, &next, &dynamic)) {
            break;
        }
        place = next;
    }
    return (struct site){program, place.value, place.resource, part};
}

static struct site root(const struct program *program)
{
    const struct jschema *schema = (const struct jschema *)program->schema;
    return site_at(program, (struct jschema_place){schema->root, schema->resource}, 0);
}

static uint32_t count_of(const struct json_value *list)
{
    return list != NULL && list->type == JSON_ARRAY ? list->count : 0;
}

static bool has_types(const struct site *site, const struct keywords *k)
{
    return (site->part & PART_TYPES) == 0 && count_of(k->of[KEYWORD_TYPE]) > 0;
}

static bool is_combined(const struct site *site, const struct keywords *k)
{
    if ((site->part & PART_PLAIN) != 0) {
        return false;
    }
    return count_of(k->of[KEYWORD_ALL_OF]) + count_of(k->of[KEYWORD_ONE_OF]) +
                   count_of(k->of[KEYWORD_ANY_OF]) >
               0 ||
           ref_of(k) != NULL;
}

static bool has_properties(const struct keywords *k)
{
    const struct json_value *properties = k->of[KEYWORD_PROPERTIES];
    return properties != NULL && properties->type == JSON_OBJECT && properties->count > 0;
}

static enum site_kind kind(const struct site *site)
{
    struct keywords k;
    keywords_read(place_of(site), &k);
    if (has_types(site, &k) || is_combined(site, &k)) {
        return SITE_COMBINED;
    }
    if (k.of[KEYWORD_CONST] != NULL || k.of[KEYWORD_ENUM] != NULL) {
        return SITE_ENUM;
    }
    const struct json_value *type = k.of[KEYWORD_TYPE];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        bool is_it = (site->part & PART_TYPES) != 0
                         ? types[i].bits == (site->part & PART_TYPES)
                         : type != NULL && type->type == JSON_STRING && str_equal(type->text, types[i].name);
        if (is_it) {
            return types[i].kind == SITE_RECORD && !has_properties(&k) ? SITE_MAP : types[i].kind;
        }
    }
    return has_properties(&k) ? SITE_RECORD : k.of[KEYWORD_ITEMS] != NULL ? SITE_ARRAY : SITE_NULL;
}

static struct site_notes notes_of(const struct json_value *value, struct arena *arena)
{
    return site_notes_of_json(json_get(value, STR("confluent:tags")), json_get(value, STR("confluent:rules")),
                              arena);
}

static struct site_notes notes(const struct site *site, struct arena *arena)
{
    return notes_of(site->of, arena);
}

static bool next_field(struct site_fields *fields, struct arena *arena, struct site_field *ret)
{
    struct jschema_place place = place_of(&fields->of);
    struct keywords k;
    keywords_read(place, &k);
    const struct json_value *value = !has_properties(&k)  ? NULL
                                     : fields->index == 0 ? k.of[KEYWORD_PROPERTIES]->first
                                                          : fields->next;
    if (value == NULL) {
        return false;
    }
    fields->index++;
    fields->next = value->next;
    *ret = (struct site_field){
        .name = value->key,
        .site = site_at(fields->of.program, jschema_sub(place, value), 0),
        .written = {fields->of.program, value, jschema_sub(place, value).resource, 0},
        .notes = notes_of(value, arena),
    };
    return true;
}

static struct site item(const struct site *site)
{
    struct jschema_place place = place_of(site);
    struct keywords k;
    keywords_read(place, &k);
    const struct json_value *items = k.of[KEYWORD_ITEMS];
    if (kind(site) != SITE_ARRAY || items == NULL || items->type == JSON_ARRAY) {
        return (struct site){0};
    }
    return site_at(site->program, jschema_sub(place, items), 0);
}

static const struct json_value *item_at(const struct json_value *list, uint32_t index)
{
    const struct json_value *value = list->first;
    for (; value != NULL && index > 0; index--) {
        value = value->next;
    }
    return value;
}

static bool narrowed_branch(const struct site *site, const struct json_value *list, uint32_t index,
                            struct site *ret, enum site_choice *choice)
{
    const struct json_value *name = item_at(list, index);
    for (size_t i = 0; name != NULL && i < sizeof types / sizeof *types; i++) {
        if (name->type == JSON_STRING && str_equal(name->text, types[i].name)) {
            *ret = *site;
            ret->part = (site->part & ~(uint32_t)PART_TYPES) | types[i].bits;
            *choice = SITE_FITTING;
            return true;
        }
    }
    return false;
}

static bool branch(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *choice)
{
    static const struct {
        enum keyword keyword;
        enum site_choice choice;
    } groups[] = {
        {KEYWORD_ALL_OF, SITE_ALWAYS},
        {KEYWORD_ONE_OF, SITE_ONE},
        {KEYWORD_ANY_OF, SITE_ANY},
    };
    struct jschema_place place = place_of(combined);
    struct keywords k;
    keywords_read(place, &k);
    if (has_types(combined, &k)) {
        return narrowed_branch(combined, k.of[KEYWORD_TYPE], index, ret, choice);
    }
    if (!is_combined(combined, &k)) {
        return false;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const struct json_value *list = k.of[groups[i].keyword];
        if (index < count_of(list)) {
            *ret = site_at(combined->program, jschema_sub(place, item_at(list, index)), 0);
            *choice = groups[i].choice;
            return true;
        }
        index -= count_of(list);
    }
    *choice = SITE_ALWAYS;
    struct jschema_place target;
    const struct jschema_anchor *dynamic;
    if (ref_of(&k) != NULL && index-- == 0) {
        *ret = jschema_resolve(place.resource, ref_of(&k)->text, &target, &dynamic)
                   ? site_at(combined->program, target, 0)
                   : (struct site){0};
        return true;
    }
    *ret = *combined;
    ret->part |= PART_PLAIN;
    return index == 0 && kind(ret) != SITE_NULL; // it says nothing itself
}

static bool fits(const struct site *site, const struct view *view)
{
    uint32_t bits = site->part & PART_TYPES;
    switch (view->kind) {
    case VIEW_NULL:
        return (bits & TYPE_NULL) != 0;
    case VIEW_BOOL:
        return (bits & TYPE_BOOL) != 0;
    case VIEW_INT:
        return (bits & TYPE_INTEGER) != 0;
    case VIEW_DOUBLE: // 1.0 is an integer, too
        return (bits & TYPE_NUMBER) != 0 ||
               ((bits & TYPE_INTEGER) != 0 && view->real == __builtin_floor(view->real));
    case VIEW_STRING:
        return (bits & TYPE_STRING) != 0;
    case VIEW_LIST:
        return (bits & TYPE_ARRAY) != 0;
    case VIEW_RECORD:
        return (bits & TYPE_OBJECT) != 0;
    default:
        return false;
    }
}

static enum err program(const struct site *site, struct site_loose loose, struct program **ret,
                        struct error *e)
{
    return jschema_compile_at(place_of(site), loose, ret, e);
}

static enum err loose_program(const struct schema *base, struct site_loose loose, struct program **ret,
                              struct error *e)
{
    const struct jschema *schema = (const struct jschema *)base;
    return jschema_compile_at((struct jschema_place){schema->root, schema->resource}, loose, ret, e);
}

static bool is_of(const struct site *site, const struct schema *schema, bool *ret_is_root)
{
    *ret_is_root = site->of == ((const struct jschema *)schema)->root;
    return *ret_is_root;
}

const struct site_ops jschema_sites = {
    .root = root,
    .kind = kind,
    .notes = notes,
    .next_field = next_field,
    .item = item,
    .branch = branch,
    .fits = fits,
    .program = program,
    .loose = loose_program,
    .is_of = is_of,
};
