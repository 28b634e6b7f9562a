// SPDX-License-Identifier: Apache-2.0
// parse.c - a schema's text becomes a tree, of which every subschema is walked: keywords must be what their
// draft says, identifiers and anchors are noted, and then each $ref must lead somewhere. Nothing is ever
// fetched.
#include "format/json/resolve_private.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    PATH_MAX_SEGMENTS = JSON_DEPTH_MAX,
    PATH_TEXT_SIZE = 160,
};

struct parser {
    struct jschema *schema;
    struct arena *arena;
    struct place_entry *first; // all places, in order
    struct place_entry *last;
    struct str path[PATH_MAX_SEGMENTS];
    uint32_t path_count;
    uint32_t depth;
    uint64_t regex_work; // of all patterns so far
};

// ---- places for people

static void path_print(const struct parser *p, char ret[PATH_TEXT_SIZE])
{
    struct buf b;
    buf_init(&b, PATH_TEXT_SIZE * 4);
    buf_u8(&b, '#');
    for (uint32_t i = 0; i < p->path_count; i++) {
        buf_u8(&b, '/');
        buf_append_str(&b, p->path[i]);
    }
    size_t len = b.len < PATH_TEXT_SIZE - 1 ? b.len : PATH_TEXT_SIZE - 1;
    memcpy(ret, b.ptr, len);
    ret[len] = 0;
    buf_fini(&b);
}

static enum err refuse(const struct parser *p, const char *why, struct error *e)
{
    char path[PATH_TEXT_SIZE];
    path_print(p, path);
    return FAIL(e, ERR_INVALID_SCHEMA, "%s: %s", path, why);
}

static bool enter(struct parser *p, struct str segment)
{
    if (p->path_count == PATH_MAX_SEGMENTS) {
        return false;
    }
    p->path[p->path_count++] = segment;
    return true;
}

static void leave(struct parser *p)
{
    p->path_count--;
}

static struct str index_text(struct parser *p, uint32_t index)
{
    return arena_printf(p->arena, "%u", index);
}

// ---- resources and anchors

static struct jschema_resource *resource_add(struct parser *p, const struct json_value *root, struct str uri,
                                             enum json_draft draft, uint16_t vocabularies)
{
    struct jschema_resource *resource = arena_new(p->arena, struct jschema_resource, 1);
    if (resource == NULL) {
        return NULL;
    }
    *resource = (struct jschema_resource){
        .uri = uri, .root = root, .owner = p->schema, .draft = (uint8_t)draft, .vocabularies = vocabularies};
    if (resource_find(p->schema, uri) == NULL) {
        map_insert(&p->schema->resources, &resource->node, uri_hash(p->schema, uri));
    }
    return resource;
}

static void anchor_add(struct parser *p, struct jschema_resource *resource, struct str name,
                       const struct json_value *value, bool is_dynamic)
{
    if (resource->owner != p->schema || anchor_find(resource, name) != NULL) {
        return; // another schema's are its own; the first of a name counts
    }
    struct jschema_anchor *anchor = arena_new(p->arena, struct jschema_anchor, 1);
    if (anchor == NULL) {
        return;
    }
    *anchor =
        (struct jschema_anchor){.resource = resource, .name = name, .value = value, .is_dynamic = is_dynamic};
    map_insert(&p->schema->anchors, &anchor->node, anchor_hash(resource, name));
    if (is_dynamic) {
        anchor->next_dynamic = resource->dynamic_anchors;
        resource->dynamic_anchors = anchor;
        p->schema->has_dynamic_anchors = true;
    }
}

// read_draft takes what $schema says: a draft, or a metaschema among the references with its vocabularies.
static void read_draft(const struct parser *p, struct str uri, enum json_draft *draft, uint16_t *vocabularies)
{
    if (uri.ptr == NULL || draft_find(uri, draft)) {
        return;
    }
    size_t len = uri.len > 0 && uri.ptr[uri.len - 1] == '#' ? uri.len - 1 : uri.len;
    for (size_t i = 0; i < p->schema->known_count; i++) {
        const struct jschema_known *known = &p->schema->known[i];
        const struct jschema_resource *meta = known->schema->resource;
        struct str plain = {uri.ptr, len};
        if (!str_equal(known->name, plain) && !str_equal(meta->uri, plain)) {
            continue;
        }
        *draft = meta->draft;
        const struct json_value *vocabulary = json_get(known->schema->root, STR("$vocabulary"));
        if (vocabulary != NULL && vocabulary->type == JSON_OBJECT) {
            *vocabularies = vocabularies_read(vocabulary);
        }
        return;
    }
}

// resource_of tells in which resource a schema object lies: its own if it has an identifier.
static struct jschema_resource *resource_of(struct parser *p, const struct json_value *value,
                                            struct jschema_resource *outer)
{
    enum json_draft draft = outer == NULL ? DRAFT_7 : outer->draft;
    uint16_t vocabularies = outer == NULL ? VOCABULARIES_ALL : outer->vocabularies;
    read_draft(p, json_get_str(value, STR("$schema")), &draft, &vocabularies);
    struct str id = json_get_str(value, draft == DRAFT_4 ? STR("id") : STR("$id"));
    if (draft <= DRAFT_7 && json_get(value, STR("$ref")) != NULL) {
        id = (struct str){0};
    }
    struct str base = outer == NULL ? STR("") : outer->uri;
    struct str fragment = {0};
    struct jschema_resource *resource = outer;
    bool is_only_fragment = draft <= DRAFT_7 && id.len > 0 && id.ptr[0] == '#';
    struct str uri = id.ptr == NULL ? base : uri_resolve(p->arena, base, id, &fragment);
    if (outer == NULL || (id.ptr != NULL && !is_only_fragment)) {
        resource = resource_add(p, value, uri, draft, vocabularies);
    }
    if (resource != NULL && draft <= DRAFT_7 && fragment.len > 0) {
        anchor_add(p, resource, fragment, value, false);
    }
    return resource;
}

static void anchors_read(struct parser *p, const struct json_value *value, struct jschema_resource *resource)
{
    if (resource->draft < DRAFT_2019) {
        return;
    }
    struct str anchor = json_get_str(value, STR("$anchor"));
    if (anchor.ptr != NULL) {
        anchor_add(p, resource, anchor, value, false);
    }
    struct str dynamic = json_get_str(value, STR("$dynamicAnchor"));
    if (dynamic.ptr != NULL && resource->draft == DRAFT_2020) {
        anchor_add(p, resource, dynamic, value, true);
    }
    const struct json_value *recursive = json_get(value, STR("$recursiveAnchor"));
    if (resource->draft == DRAFT_2019 && resource->root == value && recursive != NULL &&
        recursive->type == JSON_TRUE) {
        anchor_add(p, resource, STR(""), value, true);
    }
}

// ---- shapes

static enum err walk(struct parser *p, const struct json_value *value, struct jschema_resource *outer,
                     struct error *e);

static enum err walk_list(struct parser *p, const struct json_value *list, struct jschema_resource *resource,
                          struct error *e)
{
    uint32_t index = 0;
    enum err err = ERR_OK;
    for (const struct json_value *v = list->first; v != NULL && err == ERR_OK; v = v->next) {
        if (!enter(p, index_text(p, index++))) {
            return refuse(p, "nested too deeply", e);
        }
        err = walk(p, v, resource, e);
        leave(p);
    }
    return err;
}

static enum err check_strings(struct parser *p, const struct json_value *list, struct error *e)
{
    if (list->type != JSON_ARRAY) {
        return refuse(p, "must be a list of names", e);
    }
    for (const struct json_value *v = list->first; v != NULL; v = v->next) {
        if (v->type != JSON_STRING) {
            return refuse(p, "must be a list of names", e);
        }
    }
    return ERR_OK;
}

static enum err check_regex(struct parser *p, struct str pattern, struct error *e)
{
    struct regex *regex = NULL;
    struct error why = {0};
    if (jschema_regex(pattern, &regex, &why) != ERR_OK) {
        return refuse(p, why.text, e);
    }
    p->regex_work += regex_work(regex);
    regex_destroy(regex);
    if (p->regex_work > JSON_REGEX_WORK_MAX) {
        (void)FAIL(&why, ERR_INVALID_SCHEMA, JSON_REGEX_WORK_TEXT, JSON_REGEX_WORK_MAX);
        return refuse(p, why.text, e);
    }
    return ERR_OK;
}

static enum err walk_map(struct parser *p, enum shape shape, const struct json_value *map,
                         struct jschema_resource *resource, struct error *e)
{
    if (map->type != JSON_OBJECT) {
        return refuse(p, "must be an object", e);
    }
    enum err err = ERR_OK;
    for (const struct json_value *v = map->first; v != NULL && err == ERR_OK; v = v->next) {
        if (!enter(p, v->key)) {
            return refuse(p, "nested too deeply", e);
        }
        if (shape == SHAPE_PATTERN_MAP) {
            err = check_regex(p, v->key, e);
        }
        bool is_names = shape == SHAPE_STRINGS_MAP || (shape == SHAPE_DEPENDENCIES && v->type == JSON_ARRAY);
        if (err == ERR_OK) {
            err = is_names ? check_strings(p, v, e) : walk(p, v, resource, e);
        }
        leave(p);
    }
    return err;
}

static bool is_type_name(const struct json_value *v)
{
    static const char *const names[] = {"null", "boolean", "object", "array", "number", "string", "integer"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (v->type == JSON_STRING && str_equal(v->text, str_from_c(names[i]))) {
            return true;
        }
    }
    return false;
}

static enum err check_type(struct parser *p, const struct json_value *v, struct error *e)
{
    if (v->type != JSON_ARRAY) {
        return is_type_name(v) ? ERR_OK : refuse(p, "is not the name of a type", e);
    }
    for (const struct json_value *name = v->first; name != NULL; name = name->next) {
        if (!is_type_name(name)) {
            return refuse(p, "has something in it that is not the name of a type", e);
        }
    }
    return v->count > 0 ? ERR_OK : refuse(p, "must name a type", e);
}

static bool is_zero(struct str number)
{
    for (size_t i = 0; i < number.len && (number.ptr[i] | 0x20) != 'e'; i++) {
        if (number.ptr[i] >= '1' && number.ptr[i] <= '9') {
            return false;
        }
    }
    return true;
}

// A non-negative integer, which may be written 2.0.
static bool is_count(const struct json_value *v)
{
    int64_t number;
    if (v->type != JSON_NUMBER || (v->text.ptr[0] == '-' && !is_zero(v->text))) {
        return false;
    }
    bool is_plain = memchr(v->text.ptr, '.', v->text.len) == NULL &&
                    memchr(v->text.ptr, 'e', v->text.len) == NULL &&
                    memchr(v->text.ptr, 'E', v->text.len) == NULL;
    return is_plain || (json_value_i64(v, &number) && number >= 0);
}

static enum err walk_items(struct parser *p, enum shape shape, const struct json_value *v,
                           struct jschema_resource *resource, struct error *e)
{
    bool is_list = v->type == JSON_ARRAY && (shape == SHAPE_SCHEMAS || resource->draft < DRAFT_2020);
    if (!is_list) {
        return shape == SHAPE_SCHEMAS ? refuse(p, "must be a list of schemas", e) : walk(p, v, resource, e);
    }
    if (v->count == 0 && shape == SHAPE_SCHEMAS) {
        return refuse(p, "must have a schema in it", e);
    }
    return walk_list(p, v, resource, e);
}

static enum err check_scalar(struct parser *p, enum shape shape, const struct json_value *v, struct error *e)
{
    switch (shape) {
    case SHAPE_COUNT:
        return is_count(v) ? ERR_OK : refuse(p, "must be an integer that is not negative", e);
    case SHAPE_NUMBER:
        return v->type == JSON_NUMBER ? ERR_OK : refuse(p, "must be a number", e);
    case SHAPE_POSITIVE:
        return v->type == JSON_NUMBER && v->text.ptr[0] != '-' && !is_zero(v->text)
                   ? ERR_OK
                   : refuse(p, "must be a number above 0", e);
    case SHAPE_BOOL:
        return json_is_bool(v) ? ERR_OK : refuse(p, "must be true or false", e);
    case SHAPE_STRING:
        return v->type == JSON_STRING ? ERR_OK : refuse(p, "must be a string", e);
    case SHAPE_REGEX:
        return v->type == JSON_STRING ? check_regex(p, v->text, e) : refuse(p, "must be a string", e);
    case SHAPE_LIST:
        return v->type == JSON_ARRAY ? ERR_OK : refuse(p, "must be a list", e);
    default:
        return ERR_OK;
    }
}

static enum err walk_keyword(struct parser *p, const struct keyword_info *info, const struct json_value *v,
                             struct jschema_resource *resource, struct error *e)
{
    switch ((enum shape)info->shape) {
    case SHAPE_SCHEMA:
        return walk(p, v, resource, e);
    case SHAPE_SCHEMA_OR_BOOL:
        return json_is_bool(v) ? ERR_OK : walk(p, v, resource, e);
    case SHAPE_SCHEMAS:
    case SHAPE_ITEMS:
        return walk_items(p, info->shape, v, resource, e);
    case SHAPE_SCHEMA_MAP:
    case SHAPE_PATTERN_MAP:
    case SHAPE_DEPENDENCIES:
    case SHAPE_STRINGS_MAP:
        return walk_map(p, info->shape, v, resource, e);
    case SHAPE_STRINGS:
        return check_strings(p, v, e);
    case SHAPE_TYPE:
        return check_type(p, v, e);
    case SHAPE_EXCLUSIVE:
        return check_scalar(p, resource->draft == DRAFT_4 ? SHAPE_BOOL : SHAPE_NUMBER, v, e);
    default:
        return check_scalar(p, info->shape, v, e);
    }
}

static enum err walk_keywords(struct parser *p, const struct json_value *value,
                              struct jschema_resource *resource, struct error *e)
{
    struct keywords keywords;
    keywords_read((struct jschema_place){value, resource}, &keywords);
    if (resource->draft <= DRAFT_7 && keywords.of[KEYWORD_REF] != NULL) {
        keywords.of[KEYWORD_DEFINITIONS] = json_get(value, STR("definitions")); // others may point into them
    }
    for (int i = 0; i < KEYWORD_COUNT; i++) {
        const struct json_value *v = keywords.of[i];
        if (v == NULL) {
            continue;
        }
        if (!enter(p, v->key)) {
            return refuse(p, "nested too deeply", e);
        }
        enum err err = walk_keyword(p, &keyword_infos[i], v, resource, e);
        leave(p);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err walk(struct parser *p, const struct json_value *value, struct jschema_resource *outer,
                     struct error *e)
{
    bool is_bool = json_is_bool(value);
    if (value->type != JSON_OBJECT && !is_bool) {
        return refuse(p, "must be a schema: an object, true or false", e);
    }
    if (is_bool && outer != NULL && outer->draft == DRAFT_4) {
        return refuse(p, "must be a schema, which in draft 4 is an object", e);
    }
    if (place_find(p->schema, value) != NULL) {
        return ERR_OK;
    }
    if (++p->depth > SCHEMA_DEPTH_MAX) {
        return refuse(p, "schemas nested too deeply", e);
    }
    struct jschema_resource *resource = resource_of(p, value, outer);
    struct place_entry *entry = arena_new(p->arena, struct place_entry, 1);
    if (resource == NULL || entry == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the schema needs more than %d bytes", SCHEMA_MEMORY_BYTES_MAX);
    }
    *entry = (struct place_entry){.place = {value, resource}};
    place_insert(p->schema, entry);
    if (p->last == NULL) {
        p->first = entry;
    } else {
        p->last->next = entry;
    }
    p->last = entry;
    anchors_read(p, value, resource);
    enum err err = walk_keywords(p, value, resource, e);
    p->depth--;
    return err;
}

// ---- references

// load_metaschema makes a metaschema a document of this schema's, if the URI names one.
static enum err load_metaschema(struct parser *p, struct str uri, bool *ret_is_one, struct error *e)
{
    struct buf text;
    buf_init(&text, SCHEMA_TEXT_BYTES_MAX);
    *ret_is_one = jschema_metaschema(uri, &text);
    enum err err = ERR_OK;
    if (*ret_is_one) {
        struct json_value *root = NULL;
        struct str copy = arena_str(p->arena, buf_str(&text));
        err = copy.ptr == NULL
                  ? FAIL(e, ERR_NO_MEMORY, "the schema needs more than %d bytes", SCHEMA_MEMORY_BYTES_MAX)
                  : json_parse(copy, p->arena, &root, e);
        uint32_t path_count = p->path_count;
        p->path_count = 0;
        if (err == ERR_OK) {
            err = walk(p, root, NULL, e);
        }
        p->path_count = path_count;
    }
    buf_fini(&text);
    return err;
}

static enum err check_ref(struct parser *p, struct jschema_place place, enum keyword keyword, struct str ref,
                          struct error *e)
{
    struct jschema_place target;
    const struct jschema_anchor *dynamic;
    bool is_found = jschema_resolve(place.resource, ref, &target, &dynamic);
    if (!is_found) {
        struct str fragment;
        struct str uri = uri_resolve(p->arena, place.resource->uri, ref, &fragment);
        bool is_one = false;
        if (resource_find(p->schema, uri) == NULL) {
            enum err err = load_metaschema(p, uri, &is_one, e);
            if (err != ERR_OK) {
                return err;
            }
        }
        is_found = is_one && jschema_resolve(place.resource, ref, &target, &dynamic);
    }
    if (!is_found) {
        return FAIL(e, ERR_INVALID_SCHEMA,
                    "%s \"" STR_FMT
                    "\" leads nowhere: it is in neither this schema nor its references, and nothing "
                    "is fetched",
                    keyword_infos[keyword].name.ptr, (int)(ref.len > 100 ? 100 : ref.len), ref.ptr);
    }
    // A pointer may lead to what no keyword holds; that must be a schema, too.
    if (place_find(target.resource->owner, target.value) == NULL &&
        place_find(p->schema, target.value) == NULL) {
        enter(p, arena_str(p->arena, ref));
        enum err err = walk(p, target.value, (struct jschema_resource *)target.resource, e);
        leave(p);
        return err;
    }
    return ERR_OK;
}

static enum err check_refs(struct parser *p, struct error *e)
{
    static const enum keyword refs[] = {KEYWORD_REF, KEYWORD_RECURSIVE_REF, KEYWORD_DYNAMIC_REF};
    for (const struct place_entry *entry = p->first; entry != NULL; entry = entry->next) {
        struct keywords keywords;
        keywords_read(entry->place, &keywords);
        for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
            const struct json_value *ref = keywords.of[refs[i]];
            p->depth = 0;
            enum err err = ref == NULL ? ERR_OK : check_ref(p, entry->place, refs[i], ref->text, e);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    return ERR_OK;
}

// known_collect lists the references and theirs, each name once.
static void known_add(struct jschema *schema, struct str name, const struct jschema *known)
{
    for (size_t i = 0; i < schema->known_count; i++) {
        if (schema->known[i].schema == known && str_equal(schema->known[i].name, name)) {
            return;
        }
    }
    if (schema->known_count < SCHEMA_REFERENCES_MAX) {
        schema->known[schema->known_count++] = (struct jschema_known){name, known};
    }
    schema->has_dynamic_anchors |= known->has_dynamic_anchors;
}

static void known_collect(struct jschema *schema, struct arena *arena)
{
    if (schema->base.reference_count == 0) {
        return;
    }
    schema->known = arena_new(arena, struct jschema_known, SCHEMA_REFERENCES_MAX);
    if (schema->known == NULL) {
        return;
    }
    for (size_t i = 0; i < schema->base.reference_count; i++) {
        known_add(schema, schema->base.reference_names[i],
                  (const struct jschema *)schema->base.references[i]);
    }
    for (size_t i = 0; i < schema->base.reference_count; i++) {
        const struct jschema *other = (const struct jschema *)schema->base.references[i];
        for (size_t k = 0; k < other->known_count; k++) {
            known_add(schema, other->known[k].name, other->known[k].schema);
        }
    }
}

enum err jschema_regex(struct str pattern, struct regex **ret, struct error *e)
{
    enum err err = regex_create(pattern, REGEX_ECMA, ret, e);
    if (err != ERR_OK && regex_create(pattern, REGEX_RE2, ret, NULL) == ERR_OK) {
        return ERR_OK;
    }
    return err;
}

enum err jschema_parse(struct schema *base, const struct schema_source *source, struct error *e)
{
    struct jschema *schema = (struct jschema *)base;
    map_init(&schema->resources);
    map_init(&schema->anchors);
    map_init(&schema->places);
    known_collect(schema, &base->arena);
    struct str text = arena_str(&base->arena, source->text);
    struct json_value *root = NULL;
    if (text.ptr == NULL) {
        return FAIL(e, ERR_INVALID_SCHEMA, "there is no schema");
    }
    struct error why = {0};
    enum err err = json_parse(text, &base->arena, &root, &why);
    if (err != ERR_OK) {
        return FAIL(e, err == ERR_INVALID_REQUEST ? ERR_INVALID_SCHEMA : err, "%s", why.text);
    }
    struct parser *p = mem_zalloc(sizeof *p);
    p->schema = schema;
    p->arena = &base->arena;
    schema->root = root;
    err = walk(p, root, NULL, e);
    if (err == ERR_OK) {
        schema->resource = (struct jschema_resource *)p->first->place.resource;
        err = check_refs(p, e);
    }
    mem_free(p);
    return err;
}

void jschema_fini(struct schema *base)
{
    struct jschema *schema = (struct jschema *)base;
    map_fini(&schema->resources);
    map_fini(&schema->anchors);
    map_fini(&schema->places);
}
