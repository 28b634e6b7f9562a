// SPDX-License-Identifier: Apache-2.0
// resolve.c - names find what they name: in the text, or in a schema that it refers to.
#include "format/avro/avro_private.h"

const struct avro_type avro_primitives[AVRO_PRIMITIVE_COUNT] = {
    {.kind = AVRO_NULL},  {.kind = AVRO_BOOLEAN}, {.kind = AVRO_INT},   {.kind = AVRO_LONG},
    {.kind = AVRO_FLOAT}, {.kind = AVRO_DOUBLE},  {.kind = AVRO_BYTES}, {.kind = AVRO_STRING},
};

static const char *const kind_names[AVRO_KIND_COUNT] = {
    "null",   "boolean", "int",  "long",  "float", "double", "bytes",
    "string", "record",  "enum", "array", "map",   "union",  "fixed",
};

const char *avro_kind_name(enum avro_kind kind)
{
    return kind_names[kind];
}

bool avro_kind_find(struct str name, enum avro_kind *ret)
{
    if (str_equal(name, STR("error"))) {
        *ret = AVRO_RECORD;
        return true;
    }
    for (int i = 0; i < AVRO_KIND_COUNT; i++) {
        if (str_equal(name, str_from_c(kind_names[i]))) {
            *ret = (enum avro_kind)i;
            return true;
        }
    }
    return false;
}

uint32_t avro_child_count(const struct avro_type *type)
{
    switch (type->kind) {
    case AVRO_RECORD:
    case AVRO_UNION:
        return type->count;
    case AVRO_ARRAY:
    case AVRO_MAP:
        return 1;
    default:
        return 0;
    }
}

const struct avro_type *avro_child(const struct avro_type *type, uint32_t index)
{
    return type->kind == AVRO_RECORD  ? type->fields[index].type
           : type->kind == AVRO_UNION ? type->branches[index]
                                      : type->item;
}

// ---- equality

static bool equal_props(const struct avro_prop *a, uint32_t a_count, const struct avro_prop *b,
                        uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && a_count == b_count; i++) {
        uint32_t j = 0;
        while (j < b_count && !str_equal(a[i].key, b[j].key)) {
            j++;
        }
        if (j == b_count || !str_equal(a[i].text, b[j].text)) {
            return false;
        }
    }
    return a_count == b_count;
}

// What has a name is equal to what has the same: each name is held against its other definitions when it is
// met.
static bool equal_use(const struct avro_type *a, const struct avro_type *b)
{
    if (a == b || a == NULL || b == NULL) {
        return a == b;
    }
    if (a->named != NULL && b->named != NULL) {
        return a->kind == b->kind && str_equal(a->named->full, b->named->full);
    }
    return avro_equal(a, b);
}

static bool equal_field(const struct avro_field *a, const struct avro_field *b)
{
    return str_equal(a->name, b->name) && a->order == b->order &&
           (a->default_text.ptr == NULL) == (b->default_text.ptr == NULL) &&
           str_equal(a->default_text, b->default_text) && equal_use(a->type, b->type) &&
           equal_props(a->props, a->prop_count, b->props, b->prop_count);
}

bool avro_equal(const struct avro_type *a, const struct avro_type *b)
{
    if (a->kind != b->kind || a->size != b->size || a->count != b->count ||
        !equal_props(a->props, a->prop_count, b->props, b->prop_count)) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        bool is_equal = a->kind == AVRO_RECORD ? equal_field(&a->fields[i], &b->fields[i])
                        : a->kind == AVRO_ENUM ? str_equal(a->symbols[i], b->symbols[i])
                                               : equal_use(a->branches[i], b->branches[i]);
        if (!is_equal) {
            return false;
        }
    }
    bool has_item = a->kind == AVRO_ARRAY || a->kind == AVRO_MAP;
    return !has_item || equal_use(a->item, b->item);
}

// ---- references

static bool is_collected(const struct avro_parse *p, const struct avro_schema *schema)
{
    for (uint32_t i = 0; i < p->referred_count; i++) {
        if (p->referred[i] == schema) {
            return true;
        }
    }
    return false;
}

static enum err collect(struct avro_parse *p, const struct schema *of)
{
    for (size_t i = 0; i < of->reference_count; i++) {
        const struct avro_schema *other = avro_of(of->references[i]);
        if (is_collected(p, other)) {
            continue;
        }
        if (p->referred_count == SCHEMA_REFERENCES_MAX) {
            return avro_fail(p, "more than %d schemas are referred to", SCHEMA_REFERENCES_MAX);
        }
        p->referred[p->referred_count++] = other;
    }
    return ERR_OK;
}

static enum err add_names(struct avro_parse *p, const struct avro_schema *other)
{
    for (uint32_t i = 0; i < other->named_count; i++) {
        const struct avro_type *type = other->named[i];
        const struct avro_type *known = text_table_get(&p->names, type->named->full);
        if (known != NULL && !avro_equal(known, type)) {
            return avro_fail(p, "two references define '" STR_FMT "', and differently",
                             STR_ARG(type->named->full));
        }
        if (known == NULL) {
            text_table_put(&p->names, type->named->full, (void *)(uintptr_t)type);
        }
    }
    return ERR_OK;
}

enum err avro_collect_references(struct avro_parse *p)
{
    if (p->schema->base.reference_count == 0) {
        return ERR_OK;
    }
    p->referred = arena_new(p->scratch, const struct avro_schema *, SCHEMA_REFERENCES_MAX);
    enum err err = p->referred == NULL ? ERR_NO_MEMORY : collect(p, &p->schema->base);
    // The list grows while it is walked: references of references.
    for (uint32_t i = 0; err == ERR_OK && i < p->referred_count; i++) {
        err = collect(p, &p->referred[i]->base);
        if (err == ERR_OK) {
            err = add_names(p, p->referred[i]);
        }
    }
    if (err != ERR_OK) {
        return err;
    }
    p->schema->known = arena_new(p->arena, struct str, p->referred_count);
    for (uint32_t i = 0; p->schema->known != NULL && i < p->referred_count; i++) {
        const struct avro_type *root = p->referred[i]->root;
        if (root->named != NULL) {
            p->schema->known[p->schema->known_count++] = root->named->full;
        }
    }
    return ERR_OK;
}

// ---- the whole

static enum err check_union(struct avro_parse *p, const struct avro_type *type)
{
    struct str *names = arena_new(p->scratch, struct str, type->count);
    for (uint32_t i = 0; names != NULL && i < type->count; i++) {
        const struct avro_type *branch = type->branches[i];
        if (branch->kind == AVRO_UNION) {
            return avro_fail(p, "a union right inside a union");
        }
        names[i] = branch->named != NULL ? branch->named->full : str_from_c(avro_kind_name(branch->kind));
    }
    struct name_index index;
    int64_t twice = names == NULL ? NAME_INDEX_NONE
                                  : name_index_build(&index, names, sizeof *names, type->count, p->scratch);
    return twice == NAME_INDEX_NONE
               ? ERR_OK
               : avro_fail(p, "a second '" STR_FMT "' in the union", STR_ARG(names[twice]));
}

// walk goes through the types in the order in which they are printed, each name once.
static enum err walk(struct avro_parse *p, struct text_table *seen, const struct avro_type *type, int depth)
{
    if (depth > SCHEMA_DEPTH_MAX) {
        return avro_fail(p, "types nested more than %d deep", SCHEMA_DEPTH_MAX);
    }
    if (type->named != NULL) {
        if (text_table_get(seen, type->named->full) != NULL) {
            return ERR_OK;
        }
        text_table_put(seen, type->named->full, p);
    }
    enum err err = type->kind == AVRO_UNION ? check_union(p, type) : ERR_OK;
    uint32_t count = avro_child_count(type);
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        size_t path = type->kind == AVRO_RECORD ? avro_path_push_index(p, "fields", i)
                      : type->kind == AVRO_UNION
                          ? avro_path_push_index(p, "", i)
                          : avro_path_push(p, type->kind == AVRO_ARRAY ? "items" : "values");
        if (type->kind == AVRO_RECORD) {
            avro_path_push(p, "type");
        }
        err = walk(p, seen, avro_child(type, i), depth + 1);
        if (err == ERR_OK) {
            avro_path_pop(p, path);
        }
    }
    return err;
}

// With all that is referred to: how deep one type leads to the next, each once.
static bool is_too_deep(struct pair_table *seen, const struct avro_type *type, int depth)
{
    if (type->kind < AVRO_PRIMITIVE_COUNT || (type->named != NULL && pair_table_get(seen, type, NULL) != 0)) {
        return false;
    }
    if (depth > AVRO_GRAPH_DEPTH_MAX) {
        return true;
    }
    if (type->named != NULL) {
        pair_table_put(seen, type, NULL, 1);
    }
    uint32_t count = avro_child_count(type);
    for (uint32_t i = 0; i < count; i++) {
        if (is_too_deep(seen, avro_child(type, i), depth + 1)) {
            return true;
        }
    }
    return false;
}

static enum err resolve_names(struct avro_parse *p)
{
    const struct avro_pending *missing = NULL;
    for (const struct avro_pending *pending = p->pending; pending != NULL; pending = pending->next) {
        const struct avro_type *type = text_table_get(&p->names, pending->full);
        if (type == NULL) {
            missing = pending; // the last of the list is the first of the text
        }
        *pending->slot = type;
    }
    return missing == NULL
               ? ERR_OK
               : avro_fail_at(p, missing->path,
                              "there is no type '" STR_FMT "': neither this text nor a reference defines it",
                              STR_ARG(missing->full));
}

enum err avro_resolve(struct avro_parse *p)
{
    struct avro_schema *schema = p->schema;
    enum err err = resolve_names(p);
    if (err != ERR_OK) {
        return err;
    }
    struct text_table seen = {.arena = p->scratch};
    for (uint32_t i = 0; i < schema->known_count; i++) {
        text_table_put(&seen, schema->known[i], p);
    }
    avro_path_pop(p, 0);
    err = walk(p, &seen, schema->root, 0);
    if (err != ERR_OK) {
        return err;
    }
    struct pair_table reached = {0};
    bool is_deep = is_too_deep(&reached, schema->root, 0);
    pair_table_fini(&reached);
    if (is_deep) {
        return avro_fail(p, "with its references, types lead to each other more than %d deep",
                         AVRO_GRAPH_DEPTH_MAX);
    }
    schema->named = arena_new(p->arena, const struct avro_type *, p->defined_count);
    if (schema->named != NULL && p->defined_count > 0) {
        memcpy(schema->named, p->defined, p->defined_count * sizeof(struct avro_type *));
        schema->named_count = p->defined_count;
    }
    return ERR_OK;
}
