// SPDX-License-Identifier: Apache-2.0
// resolve.c - what a $ref means: a resource by its URI, here or in the schemas that are referred to, and in
// it the place that the fragment points at.
#include "format/json/resolve_private.h"

#include "base/hash.h"
#include "base/mem.h"

struct place_entry *place_find(const struct jschema *schema, const struct json_value *value)
{
    uint64_t hash = hash_mix((uintptr_t)value, 1);
    for (struct map_node *n = map_first(&schema->places, hash); n != NULL; n = map_next(n)) {
        struct place_entry *entry = MAP_ENTRY(n, struct place_entry, node);
        if (entry->place.value == value) {
            return entry;
        }
    }
    return NULL;
}

void place_insert(struct jschema *schema, struct place_entry *entry)
{
    map_insert(&schema->places, &entry->node, hash_mix((uintptr_t)entry->place.value, 1));
}

struct jschema_place jschema_sub(struct jschema_place outer, const struct json_value *value)
{
    const struct place_entry *entry = place_find(outer.resource->owner, value);
    return entry != NULL ? entry->place : (struct jschema_place){value, outer.resource};
}

uint64_t uri_hash(const struct jschema *schema, struct str uri)
{
    return hash64(bytes_of(uri.ptr, uri.len), (uintptr_t)schema);
}

struct jschema_resource *resource_find(const struct jschema *schema, struct str uri)
{
    for (struct map_node *n = map_first(&schema->resources, uri_hash(schema, uri)); n != NULL;
         n = map_next(n)) {
        struct jschema_resource *resource = MAP_ENTRY(n, struct jschema_resource, node);
        if (str_equal(resource->uri, uri)) {
            return resource;
        }
    }
    return NULL;
}

uint64_t anchor_hash(const struct jschema_resource *resource, struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), (uintptr_t)resource);
}

struct jschema_anchor *anchor_find(const struct jschema_resource *resource, struct str name)
{
    uint64_t hash = anchor_hash(resource, name);
    for (struct map_node *n = map_first(&resource->owner->anchors, hash); n != NULL; n = map_next(n)) {
        struct jschema_anchor *anchor = MAP_ENTRY(n, struct jschema_anchor, node);
        if (anchor->resource == resource && str_equal(anchor->name, name)) {
            return anchor;
        }
    }
    return NULL;
}

static const struct jschema_resource *known_find(struct arena *arena, const struct jschema_resource *from,
                                                 struct str uri, struct str raw)
{
    const struct jschema *schema = from->owner;
    for (size_t i = 0; i < schema->known_count; i++) {
        const struct jschema_known *known = &schema->known[i];
        struct str fragment;
        if (str_equal(known->name, uri) || str_equal(known->name, raw) ||
            (from->uri.len > 0 && str_equal(uri_resolve(arena, from->uri, known->name, &fragment), uri))) {
            return known->schema->resource;
        }
    }
    for (size_t i = 0; i < schema->known_count; i++) {
        const struct jschema_resource *resource = resource_find(schema->known[i].schema, uri);
        if (resource != NULL && uri.len > 0) {
            return resource;
        }
    }
    return NULL;
}

// percent_decode undoes %XX.
static struct str percent_decode(struct arena *arena, struct str s)
{
    struct str copy = arena_str(arena, s);
    if (copy.ptr == NULL) {
        return copy;
    }
    char *out = (char *)copy.ptr;
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        const char *high = i + 2 < s.len && s.ptr[i] == '%' ? memchr(digits, s.ptr[i + 1], 32) : NULL;
        const char *low = high != NULL ? memchr(digits, s.ptr[i + 2], 32) : NULL;
        if (low != NULL) {
            *out++ = (char)((high - digits) % 16 * 16 + (low - digits) % 16);
            i += 2;
        } else {
            *out++ = s.ptr[i];
        }
    }
    return (struct str){copy.ptr, (size_t)(out - copy.ptr)};
}

static struct str pointer_unescape(struct arena *arena, struct str token)
{
    if (token.len == 0 || memchr(token.ptr, '~', token.len) == NULL) {
        return token;
    }
    struct str copy = arena_str(arena, token);
    if (copy.ptr == NULL) {
        return token;
    }
    char *out = (char *)copy.ptr;
    for (size_t i = 0; i < token.len; i++) {
        bool is_escape = token.ptr[i] == '~' && i + 1 < token.len;
        if (is_escape && token.ptr[i + 1] == '0') {
            *out++ = '~';
            i++;
        } else if (is_escape && token.ptr[i + 1] == '1') {
            *out++ = '/';
            i++;
        } else {
            *out++ = token.ptr[i];
        }
    }
    return (struct str){copy.ptr, (size_t)(out - copy.ptr)};
}

static const struct json_value *item_at(const struct json_value *array, struct str token)
{
    int64_t index;
    if (!str_parse_i64(token, &index) || index < 0 || index >= array->count) {
        return NULL;
    }
    const struct json_value *v = array->first;
    for (; index > 0; index--) {
        v = v->next;
    }
    return v;
}

// follow_pointer walks a JSON pointer; resources that it passes become the place's.
static bool follow_pointer(struct arena *arena, struct str pointer, struct jschema_place *place)
{
    while (pointer.len > 0) {
        struct str rest = {pointer.ptr + 1, pointer.len - 1};
        struct str token = str_cut(rest, '/', &rest);
        pointer = rest.ptr == NULL ? (struct str){0} : (struct str){rest.ptr - 1, rest.len + 1};
        token = pointer_unescape(arena, token);
        const struct json_value *next =
            place->value->type == JSON_ARRAY ? item_at(place->value, token) : json_get(place->value, token);
        if (next == NULL) {
            return false;
        }
        *place = jschema_sub((struct jschema_place){next, place->resource}, next);
    }
    return true;
}

bool jschema_resolve(const struct jschema_resource *from, struct str ref, struct jschema_place *ret,
                     const struct jschema_anchor **ret_dynamic)
{
    struct arena arena;
    arena_init(&arena, 16 * (from->uri.len + ref.len) + 65536);
    struct str fragment;
    struct str uri = uri_resolve(&arena, from->uri, ref, &fragment);
    struct str raw = {ref.ptr, fragment.ptr == NULL ? ref.len : ref.len - fragment.len - 1};
    const struct jschema_resource *resource = from;
    if (raw.len > 0 && !str_equal(uri, from->uri)) {
        resource = resource_find(from->owner, uri);
        resource = resource != NULL ? resource : known_find(&arena, from, uri, raw);
    }
    bool is_found = resource != NULL;
    *ret_dynamic = NULL;
    if (is_found) {
        fragment = percent_decode(&arena, fragment);
        struct jschema_place place = {resource->root, resource};
        if (fragment.len > 0 && fragment.ptr[0] == '/') {
            is_found = follow_pointer(&arena, fragment, &place);
        } else if (fragment.len > 0) {
            const struct jschema_anchor *anchor = anchor_find(resource, fragment);
            is_found = anchor != NULL;
            if (is_found) {
                place = (struct jschema_place){anchor->value, anchor->resource};
                *ret_dynamic = anchor->is_dynamic ? anchor : NULL;
            }
        }
        *ret = place;
    }
    arena_fini(&arena);
    return is_found;
}
