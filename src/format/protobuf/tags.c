// SPDX-License-Identifier: Apache-2.0
// tags.c - `tags` of (confluent.message_meta) and (confluent.field_meta), written into a file. However they
// stood there - as an aggregate, or one option for each - what is written is one way, and the rest of the
// options stays.
#include "format/protobuf/protobuf_private.h"

#define META_IMPORT "confluent/meta.proto"

// ---- what a path names: "pkg.Outer.Inner", "pkg.Outer.field", "Outer.field.field"

static bool path_take(struct str path, struct str name, struct str *ret)
{
    bool is_it =
        name.len > 0 && str_has_prefix(path, name) && (path.len == name.len || path.ptr[name.len] == '.');
    if (is_it) {
        size_t used = path.len == name.len ? name.len : name.len + 1;
        *ret = (struct str){path.ptr + used, path.len - used};
    }
    return is_it;
}

struct target {
    struct pb_message *message;
    struct pb_field *field;
};

// find_in walks a path below a message: fields, and their types' fields; nested messages.
static struct target find_in(struct pb_message *message, struct str path)
{
    while (message != NULL && path.len > 0) {
        struct pb_message *next = NULL;
        struct str rest;
        for (struct pb_field *f = message->fields; f != NULL; f = f->next) {
            if (path_take(path, f->name, &rest)) {
                if (rest.len == 0) {
                    return (struct target){message, f};
                }
                next = f->group != NULL ? f->group : f->message;
                // What other files define is theirs, and shared.
                next = next != NULL && next->file == message->file ? next : NULL;
                break;
            }
        }
        for (struct pb_message *m = message->messages; next == NULL && m != NULL; m = m->next) {
            next = path_take(path, m->name, &rest) ? m : NULL;
        }
        message = next;
        path = rest; // each turn is shorter
    }
    return (struct target){message, NULL};
}

static struct target find(struct pb_file *file, struct str path)
{
    struct str rest;
    if (file->package.len > 0 && path_take(path, file->package, &rest)) {
        path = rest;
    }
    for (struct pb_message *m = file->messages; m != NULL; m = m->next) {
        if (path_take(path, m->name, &rest)) {
            return find_in(m, rest);
        }
    }
    return (struct target){NULL, NULL};
}

// ---- options

struct tags {
    struct str *items;
    size_t count;
    size_t cap;
};

static bool has(const struct str *tags, size_t count, struct str tag)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(tags[i], tag)) {
            return true;
        }
    }
    return false;
}

static void tag_put(struct tags *t, struct str tag)
{
    if (t->count < t->cap && !has(t->items, t->count, tag)) {
        t->items[t->count++] = tag;
    }
}

static void value_take(struct tags *t, const struct pb_value *value)
{
    if (value->kind == PB_VALUE_STRING) {
        tag_put(t, value->text);
    }
    for (const struct pb_value *v = value->kind == PB_VALUE_LIST ? value->first : NULL; v != NULL;
         v = v->next) {
        value_take(t, v);
    }
}

static bool is_meta(const struct pb_option *option, struct str name)
{
    struct str written = option->name;
    if (written.len > 0 && written.ptr[0] == '.') {
        written = (struct str){written.ptr + 1, written.len - 1};
    }
    return option->is_extension && str_equal(written, name);
}

// entry_drop takes the entry `tags` out of an aggregate.
static void entry_drop(struct pb_value *map, struct tags *found)
{
    struct pb_value *kept = map->first;
    map->first = map->last = NULL;
    map->count = 0;
    while (kept != NULL) {
        struct pb_value *v = kept;
        kept = v->next;
        v->next = NULL;
        if (str_equal(v->key, STR("tags"))) {
            value_take(found, v);
        } else {
            pb_value_append(map, v);
        }
    }
}

// tags_take takes all tags out of the options; *ret_map is an aggregate that stays, *ret_has_paths: options
// that set single members stay, which no aggregate may stand beside.
static void tags_take(struct pb_option **options, struct str name, struct tags *found,
                      struct pb_value **ret_map, bool *ret_has_paths)
{
    struct pb_option **link = options;
    *ret_map = NULL;
    *ret_has_paths = false;
    while (*link != NULL) {
        struct pb_option *o = *link;
        bool is_gone = false;
        if (is_meta(o, name) && str_equal(o->path, STR("tags"))) {
            value_take(found, &o->value);
            is_gone = true;
        } else if (is_meta(o, name) && o->path.len == 0 && o->value.kind == PB_VALUE_MAP) {
            entry_drop(&o->value, found);
            is_gone = o->value.first == NULL;
            *ret_map = is_gone ? *ret_map : &o->value;
        } else if (is_meta(o, name)) {
            *ret_has_paths = true;
        }
        if (is_gone) {
            *link = o->next;
        } else {
            link = &o->next;
        }
    }
}

static struct pb_option *option_put(struct arena *arena, struct pb_option **options, struct str name)
{
    struct pb_option *option = arena_new(arena, struct pb_option, 1);
    if (option != NULL) {
        *option = (struct pb_option){.name = name, .path = STR(""), .is_extension = true};
        struct pb_option **last = options;
        while (*last != NULL) {
            last = &(*last)->next;
        }
        *last = option;
    }
    return option;
}

static struct pb_value *list_new(struct arena *arena, const struct tags *tags)
{
    struct pb_value *list = arena_new(arena, struct pb_value, 1);
    if (list == NULL) {
        return NULL;
    }
    *list = (struct pb_value){.key = STR("tags"), .kind = PB_VALUE_LIST};
    for (size_t i = 0; i < tags->count; i++) {
        struct pb_value *item = arena_new(arena, struct pb_value, 1);
        if (item == NULL) {
            return NULL;
        }
        *item = (struct pb_value){.kind = PB_VALUE_STRING, .text = tags->items[i]};
        pb_value_append(list, item);
    }
    return list;
}

static void tags_put(struct arena *arena, struct pb_option **options, struct str name,
                     const struct tags *tags, struct pb_value *map, bool has_paths)
{
    for (size_t i = 0; has_paths && i < tags->count; i++) {
        struct pb_option *option = option_put(arena, options, name);
        if (option != NULL) {
            option->path = STR("tags");
            option->value = (struct pb_value){.kind = PB_VALUE_STRING, .text = tags->items[i]};
        }
    }
    struct pb_value *list = has_paths || tags->count == 0 ? NULL : list_new(arena, tags);
    if (list != NULL && map == NULL) {
        struct pb_option *option = option_put(arena, options, name);
        if (option == NULL) {
            return;
        }
        option->value = (struct pb_value){.kind = PB_VALUE_MAP};
        map = &option->value;
    }
    if (list != NULL) {
        pb_value_append(map, list);
    }
}

static void import_put(struct arena *arena, struct pb_file *file)
{
    struct pb_import **last = &file->imports;
    for (; *last != NULL; last = &(*last)->next) {
        if (str_equal((*last)->path, STR(META_IMPORT))) {
            return;
        }
    }
    struct pb_import *import = arena_new(arena, struct pb_import, 1);
    if (import != NULL) {
        *import = (struct pb_import){.kind = PB_IMPORT_PLAIN, .path = STR(META_IMPORT)};
        *last = import;
    }
}

enum err schema_tag(struct schema *base, const struct schema_tags *change, struct error *e)
{
    struct pb_schema *schema = (struct pb_schema *)(void *)base;
    if (schema_format(base) != FORMAT_PROTOBUF) {
        return FAIL(e, ERR_INVALID_REQUEST, "the schema is not of type PROTOBUF");
    }
    struct arena *arena = &schema->base.arena;
    struct target target = find(&schema->file, change->path);
    if (target.message == NULL || (target.field == NULL) != change->is_record) {
        return FAIL(e, ERR_NOT_FOUND, "No matching path '" STR_FMT "' found in the schema",
                    STR_ARG(change->path));
    }
    struct pb_option **options = change->is_record ? &target.message->options : &target.field->options;
    struct str name = change->is_record ? STR("confluent.message_meta") : STR("confluent.field_meta");
    struct tags old = {.cap = SCHEMA_TAGS_MAX};
    struct tags new = {.cap = SCHEMA_TAGS_MAX};
    struct pb_value *map;
    bool has_paths;
    old.items = arena_new(arena, struct str, SCHEMA_TAGS_MAX);
    new.items = arena_new(arena, struct str, SCHEMA_TAGS_MAX);
    if (old.items == NULL || new.items == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "the schema is too large with these tags");
    }
    tags_take(options, name, &old, &map, &has_paths);
    for (size_t i = 0; i < old.count; i++) {
        if (!change->is_removal || !has(change->tags, change->tag_count, old.items[i])) {
            tag_put(&new, old.items[i]);
        }
    }
    for (size_t i = 0; !change->is_removal && i < change->tag_count; i++) {
        tag_put(&new, arena_str(arena, change->tags[i]));
    }
    if (new.count > 0) {
        import_put(arena, &schema->file);
    }
    tags_put(arena, options, name, &new, map, has_paths);
    bool is_full = new.count == SCHEMA_TAGS_MAX;
    return arena->failed || is_full ? FAIL(e, ERR_NO_MEMORY, "the schema is too large with these tags")
                                    : ERR_OK;
}
