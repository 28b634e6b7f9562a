// SPDX-License-Identifier: Apache-2.0
// parse.c - from text to types, as Apache Avro 1.12 for Java reads it, because registries of the world do:
// comments are allowed, a name may come before what it names, what the specification does not know is kept.
#include "format/avro/avro_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

enum { PATH_BYTES_MAX = 4096, PATH_SHOWN_MAX = 100 };

static enum err parse_type(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                           const struct avro_type **slot);

// ---- errors and their places

static enum err fail_va(struct avro_parse *p, struct str path, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static enum err fail_va(struct avro_parse *p, struct str path, const char *format, va_list args)
{
    char text[ERROR_TEXT_SIZE];
    vsnprintf(text, sizeof text, format, args);
    if (path.len == 0) {
        return FAIL(p->e, ERR_INVALID_SCHEMA, "%s", text);
    }
    bool is_long = path.len > PATH_SHOWN_MAX;
    size_t from = is_long ? path.len - PATH_SHOWN_MAX : 0;
    return FAIL(p->e, ERR_INVALID_SCHEMA, "%s" STR_FMT ": %s", is_long ? "..." : "", (int)(path.len - from),
                path.ptr + from, text);
}

enum err avro_fail_at(struct avro_parse *p, struct str path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err err = fail_va(p, path, format, args);
    va_end(args);
    return err;
}

enum err avro_fail(struct avro_parse *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum err err = fail_va(p, buf_str(&p->path), format, args);
    va_end(args);
    return err;
}

size_t avro_path_push(struct avro_parse *p, const char *token)
{
    size_t length = p->path.len;
    buf_printf(&p->path, "/%s", token);
    return length;
}

size_t avro_path_push_index(struct avro_parse *p, const char *token, size_t index)
{
    size_t length = p->path.len;
    buf_printf(&p->path, "%s%s/%zu", *token == 0 ? "" : "/", token, index);
    return length;
}

void avro_path_pop(struct avro_parse *p, size_t length)
{
    p->path.len = length;
}

// Of text in an error: not all of a megabyte.
static struct str shown(struct str text)
{
    enum { SHOWN_MAX = 60 };
    return (struct str){text.ptr, text.len > SHOWN_MAX ? SHOWN_MAX : text.len};
}

// ---- names

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

// Names are held to the rules in new schemas only: there are old ones that break them.
static enum err check_name(struct avro_parse *p, const char *what, struct str name)
{
    if (!p->is_new || is_name(name)) {
        return ERR_OK;
    }
    return avro_fail(p, "%s '" STR_FMT "' is no name: letters, digits and _ only, and no digit first", what,
                     STR_ARG(shown(name)));
}

static enum err check_space(struct avro_parse *p, struct str space)
{
    while (p->is_new && space.len > 0) {
        struct str rest;
        enum err err = check_name(p, "a part of the namespace,", str_cut(space, '.', &rest));
        if (err != ERR_OK) {
            return err;
        }
        if (rest.ptr != NULL && rest.len == 0) {
            return avro_fail(p, "the namespace ends with a dot");
        }
        space = rest;
    }
    return ERR_OK;
}

// split_name fills full, space and name: a dotted name brings its namespace with it.
static void split_name(struct avro_parse *p, struct str text, struct str space, struct avro_name *ret)
{
    size_t dot = text.len;
    while (dot > 0 && text.ptr[dot - 1] != '.') {
        dot--;
    }
    if (dot > 0) {
        space = (struct str){text.ptr, dot - 1};
        text = (struct str){text.ptr + dot, text.len - dot};
    }
    ret->full = space.len == 0 ? arena_str(p->arena, text)
                               : arena_printf(p->arena, STR_FMT "." STR_FMT, STR_ARG(space), STR_ARG(text));
    if (ret->full.ptr == NULL) {
        ret->full = STR(""); // the arena has failed, which the end of parsing sees
        space.len = text.len = 0;
    }
    ret->space = (struct str){ret->full.ptr, space.len};
    ret->name = (struct str){ret->full.ptr + ret->full.len - text.len, text.len};
}

static enum err required_text(struct avro_parse *p, const struct json_value *v, const char *key,
                              struct str *ret)
{
    *ret = json_get_str(v, str_from_c(key));
    return ret->ptr != NULL ? ERR_OK : avro_fail(p, "no \"%s\", or it is no text", key);
}

static struct str optional_copy(struct avro_parse *p, const struct json_value *v, struct str key)
{
    return arena_str(p->arena, json_get_str(v, key));
}

// Aliases keep their order; a second of the same name is dropped.
static enum err parse_aliases(struct avro_parse *p, const struct json_value *v, const struct avro_name *owner,
                              struct str **ret, uint32_t *ret_count)
{
    const struct json_value *list = json_get(v, STR("aliases"));
    if (list == NULL) {
        return ERR_OK;
    }
    if (list->type != JSON_ARRAY) {
        return avro_fail(p, "\"aliases\" is no array");
    }
    struct str *aliases = arena_new(p->arena, struct str, list->count);
    struct text_table seen = {.arena = p->scratch};
    uint32_t count = 0;
    for (const struct json_value *item = list->first; item != NULL && aliases != NULL; item = item->next) {
        if (item->type != JSON_STRING) {
            return avro_fail(p, "an alias is no text");
        }
        struct avro_name name = {.full = item->text};
        if (owner != NULL) {
            split_name(p, item->text, owner->space, &name);
            enum err err = check_name(p, "the alias", name.name);
            if (err != ERR_OK) {
                return err;
            }
        }
        if (text_table_get(&seen, name.full) == NULL) {
            aliases[count] = owner != NULL ? name.full : arena_str(p->arena, name.full);
            text_table_put(&seen, name.full, aliases);
            count++;
        }
    }
    *ret = aliases;
    *ret_count = count;
    return ERR_OK;
}

// ---- what the specification does not know

static struct str print_json(struct avro_parse *p, struct json_value *v)
{
    avro_normalize_numbers(v, p->scratch);
    struct buf text;
    buf_init(&text, SCHEMA_MEMORY_BYTES_MAX);
    json_print(v, false, &text);
    struct str copy = arena_str(p->arena, buf_str(&text));
    p->arena->failed |= text.failed;
    buf_fini(&text);
    return copy;
}

static bool is_reserved(struct str key, const char *reserved)
{
    for (const char *word = reserved; *word != 0; word += strlen(word) + 1) {
        if (str_equal(key, str_from_c(word))) {
            return true;
        }
    }
    return false;
}

#define RESERVED_OF_TYPES  "type\0name\0namespace\0doc\0fields\0items\0values\0size\0symbols\0aliases\0"
#define RESERVED_OF_FIELDS "type\0name\0doc\0default\0order\0aliases\0"

static void parse_props(struct avro_parse *p, const struct json_value *v, const char *reserved,
                        struct avro_prop **ret, uint32_t *ret_count)
{
    uint32_t count = 0;
    for (const struct json_value *member = v->first; member != NULL; member = member->next) {
        count += !is_reserved(member->key, reserved);
    }
    if (count == 0) {
        return;
    }
    struct avro_prop *props = arena_new(p->arena, struct avro_prop, count);
    if (props == NULL) {
        return;
    }
    count = 0;
    for (struct json_value *member = v->first; member != NULL; member = member->next) {
        if (!is_reserved(member->key, reserved)) {
            props[count].key = arena_str(p->arena, member->key);
            props[count++].text = print_json(p, member);
        }
    }
    *ret = props;
    *ret_count = count;
}

// ---- named types

static struct avro_type *type_new(struct avro_parse *p, enum avro_kind kind)
{
    struct avro_type *type = arena_new(p->arena, struct avro_type, 1);
    if (type == NULL) {
        return NULL;
    }
    type->kind = kind;
    type->default_symbol = -1;
    return type;
}

static enum err no_memory(struct avro_parse *p)
{
    return FAIL(p->e, ERR_NO_MEMORY, "the schema needs more than %d bytes", SCHEMA_MEMORY_BYTES_MAX);
}

static enum err parse_head(struct avro_parse *p, const struct json_value *v, struct str space,
                           struct avro_type *type)
{
    struct str text;
    enum err err = required_text(p, v, "name", &text);
    if (err != ERR_OK) {
        return err;
    }
    struct avro_name *named = arena_new(p->arena, struct avro_name, 1);
    if (named == NULL) {
        return no_memory(p);
    }
    type->named = named;
    struct str own_space = json_get_str(v, STR("namespace"));
    split_name(p, text, own_space.ptr != NULL ? own_space : space, named);
    enum avro_kind kind;
    if (avro_kind_find(named->full, &kind) && kind < AVRO_PRIMITIVE_COUNT) {
        return avro_fail(p, "'" STR_FMT "' is the name of a primitive type", STR_ARG(named->full));
    }
    if ((err = check_name(p, "the name", named->name)) != ERR_OK ||
        (err = check_space(p, named->space)) != ERR_OK) {
        return err;
    }
    named->doc = optional_copy(p, v, STR("doc"));
    return parse_aliases(p, v, named, &named->aliases, &named->alias_count);
}

// define makes a type known by its name. One that is known already may be written out again if it says the
// same; then the first one stays.
static enum err define(struct avro_parse *p, struct avro_type *type, const struct avro_type **slot)
{
    const struct avro_type *known = text_table_get(&p->names, type->named->full);
    if (known == type) {
        *slot = type;
        return ERR_OK;
    }
    if (known != NULL) {
        if (known->is_open || !avro_equal(known, type)) {
            return avro_fail(p, "'" STR_FMT "' is defined a second time, and differently",
                             STR_ARG(shown(type->named->full)));
        }
        *slot = known;
        return ERR_OK;
    }
    text_table_put(&p->names, type->named->full, type);
    *slot = type;
    if (p->defined_count == p->defined_capacity) {
        uint32_t capacity = p->defined_capacity == 0 ? 8 : p->defined_capacity * 2;
        const struct avro_type **larger = arena_new(p->scratch, const struct avro_type *, capacity);
        if (larger == NULL) {
            return no_memory(p);
        }
        if (p->defined_count > 0) {
            memcpy(larger, p->defined, p->defined_count * sizeof(struct avro_type *));
        }
        p->defined = larger;
        p->defined_capacity = capacity;
    }
    p->defined[p->defined_count++] = type;
    return ERR_OK;
}

static enum err parse_order(struct avro_parse *p, const struct json_value *v, enum avro_order *ret)
{
    static const char *const words[] = {"ASCENDING", "DESCENDING", "IGNORE"};
    const struct json_value *order = json_get(v, STR("order"));
    if (order == NULL) {
        return ERR_OK;
    }
    for (int i = 0; i < 3 && order->type == JSON_STRING; i++) {
        size_t length = strlen(words[i]);
        bool is_equal = order->text.len == length;
        for (size_t c = 0; c < length && is_equal; c++) {
            is_equal = toupper((unsigned char)order->text.ptr[c]) == words[i][c];
        }
        if (is_equal) {
            *ret = (enum avro_order)i;
            return ERR_OK;
        }
    }
    return avro_fail(p, "\"order\" is ascending, descending or ignore");
}

static enum err parse_default(struct avro_parse *p, const struct json_value *v, struct avro_field *field)
{
    struct json_value *value = json_get(v, STR("default"));
    if (value == NULL) {
        return ERR_OK;
    }
    bool is_real =
        field->type != NULL && (field->type->kind == AVRO_FLOAT || field->type->kind == AVRO_DOUBLE);
    if (is_real && value->type == JSON_STRING) {
        double number;
        if (!avro_parse_double(value->text, &number)) {
            return avro_fail(p, "the default '" STR_FMT "' is no number", STR_ARG(shown(value->text)));
        }
        field->default_text = arena_str(p->arena, avro_print_double(number, p->scratch));
        return ERR_OK;
    }
    field->default_text = print_json(p, value);
    return ERR_OK;
}

static enum err parse_field(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                            struct avro_field *field)
{
    struct str name;
    enum err err;
    if ((err = required_text(p, v, "name", &name)) != ERR_OK ||
        (err = check_name(p, "the field's name", name)) != ERR_OK) {
        return err;
    }
    field->name = arena_str(p->arena, name);
    field->doc = optional_copy(p, v, STR("doc"));
    const struct json_value *type = json_get(v, STR("type"));
    if (type == NULL) {
        return avro_fail(p, "the field '" STR_FMT "' has no \"type\"", STR_ARG(shown(name)));
    }
    size_t path = avro_path_push(p, "type");
    err = parse_type(p, type, space, depth, &field->type);
    if (err != ERR_OK) {
        return err;
    }
    avro_path_pop(p, path);
    parse_props(p, v, RESERVED_OF_FIELDS, &field->props, &field->prop_count);
    if ((err = parse_order(p, v, &field->order)) != ERR_OK ||
        (err = parse_aliases(p, v, NULL, &field->aliases, &field->alias_count)) != ERR_OK) {
        return err;
    }
    return parse_default(p, v, field);
}

static enum err parse_record(struct avro_parse *p, const struct json_value *v, int depth,
                             struct avro_type *type)
{
    const struct json_value *fields = json_get(v, STR("fields"));
    if (fields == NULL || fields->type != JSON_ARRAY) {
        return avro_fail(p, "a record has \"fields\", an array");
    }
    type->is_error = str_equal(json_get_str(v, STR("type")), STR("error"));
    type->fields = arena_new(p->arena, struct avro_field, fields->count);
    if (type->fields == NULL) {
        return no_memory(p);
    }
    // Its own fields may name it; count stays 0 until they are read.
    bool is_first = text_table_get(&p->names, type->named->full) == NULL;
    const struct avro_type *ignored;
    enum err err = is_first ? define(p, type, &ignored) : ERR_OK;
    type->is_open = true;
    uint32_t count = 0;
    for (const struct json_value *f = fields->first; f != NULL && err == ERR_OK; f = f->next) {
        size_t path = avro_path_push_index(p, "fields", count);
        err = f->type != JSON_OBJECT ? avro_fail(p, "a field is an object")
                                     : parse_field(p, f, type->named->space, depth, &type->fields[count]);
        if (err == ERR_OK) {
            avro_path_pop(p, path);
        }
        count++;
    }
    if (err != ERR_OK) {
        return err;
    }
    type->is_open = false;
    type->count = count;
    int64_t twice = name_index_build(&type->index, type->fields, sizeof *type->fields, count, p->arena);
    if (twice != NAME_INDEX_NONE) {
        avro_path_push_index(p, "fields", (size_t)twice);
        return avro_fail(p, "a second field '" STR_FMT "'", STR_ARG(shown(type->fields[twice].name)));
    }
    return ERR_OK;
}

static enum err parse_enum(struct avro_parse *p, const struct json_value *v, struct avro_type *type)
{
    const struct json_value *symbols = json_get(v, STR("symbols"));
    if (symbols == NULL || symbols->type != JSON_ARRAY) {
        return avro_fail(p, "an enum has \"symbols\", an array");
    }
    type->symbols = arena_new(p->arena, struct str, symbols->count);
    if (type->symbols == NULL) {
        return no_memory(p);
    }
    for (const struct json_value *s = symbols->first; s != NULL; s = s->next) {
        size_t path = avro_path_push_index(p, "symbols", type->count);
        enum err err = s->type != JSON_STRING ? avro_fail(p, "a symbol is a text")
                                              : check_name(p, "the symbol", s->text);
        if (err != ERR_OK) {
            return err;
        }
        avro_path_pop(p, path);
        type->symbols[type->count++] = arena_str(p->arena, s->text);
    }
    int64_t twice =
        name_index_build(&type->index, type->symbols, sizeof *type->symbols, type->count, p->arena);
    if (twice != NAME_INDEX_NONE) {
        return avro_fail(p, "a second symbol '" STR_FMT "'", STR_ARG(shown(type->symbols[twice])));
    }
    struct str default_symbol = json_get_str(v, STR("default"));
    if (default_symbol.ptr != NULL) {
        type->default_symbol = (int32_t)name_index_find(&type->index, default_symbol);
        if (type->default_symbol < 0) {
            return avro_fail(p, "the default '" STR_FMT "' is none of the symbols",
                             STR_ARG(shown(default_symbol)));
        }
    }
    return ERR_OK;
}

static enum err parse_fixed(struct avro_parse *p, const struct json_value *v, struct avro_type *type)
{
    const struct json_value *size = json_get(v, STR("size"));
    int64_t bytes;
    if (size == NULL || size->type != JSON_NUMBER || !str_parse_i64(size->text, &bytes) || bytes < 0 ||
        bytes > INT32_MAX - 8) {
        return avro_fail(p, "a fixed has a \"size\" in bytes, from 0 to %d", INT32_MAX - 8);
    }
    type->size = (int32_t)bytes;
    return ERR_OK;
}

// ---- types

static enum err parse_named(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                            enum avro_kind kind, const struct avro_type **slot)
{
    struct avro_type *type = type_new(p, kind);
    if (type == NULL) {
        return no_memory(p);
    }
    enum err err = parse_head(p, v, space, type);
    if (err == ERR_OK) {
        err = kind == AVRO_RECORD ? parse_record(p, v, depth, type)
              : kind == AVRO_ENUM ? parse_enum(p, v, type)
                                  : parse_fixed(p, v, type);
    }
    if (err != ERR_OK) {
        return err;
    }
    parse_props(p, v, kind == AVRO_ENUM ? RESERVED_OF_TYPES "default\0" : RESERVED_OF_TYPES, &type->props,
                &type->prop_count);
    avro_read_logical(type, v);
    return define(p, type, slot);
}

static enum err parse_object(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                             enum avro_kind kind, const struct avro_type **slot)
{
    struct avro_prop *props = NULL;
    uint32_t prop_count = 0;
    parse_props(p, v, RESERVED_OF_TYPES, &props, &prop_count);
    if (kind < AVRO_PRIMITIVE_COUNT && prop_count == 0) {
        *slot = &avro_primitives[kind];
        return ERR_OK;
    }
    struct avro_type *type = type_new(p, kind);
    if (type == NULL) {
        return no_memory(p);
    }
    type->props = props;
    type->prop_count = prop_count;
    avro_read_logical(type, v);
    *slot = type;
    if (kind < AVRO_PRIMITIVE_COUNT) {
        return ERR_OK;
    }
    const char *key = kind == AVRO_ARRAY ? "items" : "values";
    const struct json_value *item = json_get(v, str_from_c(key));
    if (item == NULL) {
        return avro_fail(p, "%s has \"%s\", a type", kind == AVRO_ARRAY ? "an array" : "a map", key);
    }
    size_t path = avro_path_push(p, key);
    enum err err = parse_type(p, item, space, depth, &type->item);
    if (err == ERR_OK) {
        avro_path_pop(p, path);
    }
    return err;
}

static enum err parse_union(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                            const struct avro_type **slot)
{
    struct avro_type *type = type_new(p, AVRO_UNION);
    if (type == NULL || (type->branches = arena_new(p->arena, const struct avro_type *, v->count)) == NULL) {
        return no_memory(p);
    }
    *slot = type;
    for (const struct json_value *branch = v->first; branch != NULL; branch = branch->next) {
        size_t path = avro_path_push_index(p, "", type->count);
        if (branch->type == JSON_ARRAY) {
            return avro_fail(p, "a union right inside a union");
        }
        enum err err = parse_type(p, branch, space, depth, &type->branches[type->count]);
        if (err != ERR_OK) {
            return err;
        }
        avro_path_pop(p, path);
        type->count++;
    }
    return ERR_OK;
}

// parse_reference: a primitive, a name of this namespace, or one of none. What is not known yet may come
// later in the text.
static enum err parse_reference(struct avro_parse *p, struct str name, struct str space,
                                const struct avro_type **slot)
{
    enum avro_kind kind;
    if (avro_kind_find(name, &kind) && kind < AVRO_PRIMITIVE_COUNT) {
        *slot = &avro_primitives[kind];
        return ERR_OK;
    }
    struct str full = name;
    if (space.len > 0 && memchr(name.ptr, '.', name.len) == NULL) {
        full = arena_printf(p->scratch, STR_FMT "." STR_FMT, STR_ARG(space), STR_ARG(name));
    }
    const struct avro_type *known = text_table_get(&p->names, full);
    if (known == NULL) {
        known = text_table_get(&p->names, name);
    }
    if (known != NULL) {
        *slot = known;
        return ERR_OK;
    }
    struct avro_pending *pending = arena_new(p->scratch, struct avro_pending, 1);
    if (pending == NULL) {
        return no_memory(p);
    }
    *pending = (struct avro_pending){p->pending, slot, full, arena_str(p->scratch, buf_str(&p->path))};
    p->pending = pending;
    return ERR_OK;
}

static enum err parse_type(struct avro_parse *p, const struct json_value *v, struct str space, int depth,
                           const struct avro_type **slot)
{
    if (depth > SCHEMA_DEPTH_MAX) {
        return avro_fail(p, "types nested more than %d deep", SCHEMA_DEPTH_MAX);
    }
    if (v->type == JSON_STRING) {
        return parse_reference(p, v->text, space, slot);
    }
    if (v->type == JSON_ARRAY) {
        return parse_union(p, v, space, depth + 1, slot);
    }
    if (v->type != JSON_OBJECT) {
        return avro_fail(p, "a type is a name, an object or a union (an array)");
    }
    struct str text;
    enum err err = required_text(p, v, "type", &text);
    if (err != ERR_OK) {
        return err;
    }
    enum avro_kind kind;
    if (!avro_kind_find(text, &kind) || kind == AVRO_UNION) {
        return parse_reference(p, text, space, slot);
    }
    bool is_named = kind == AVRO_RECORD || kind == AVRO_ENUM || kind == AVRO_FIXED;
    return is_named ? parse_named(p, v, space, depth + 1, kind, slot)
                    : parse_object(p, v, space, depth + 1, kind, slot);
}

// ---- the whole

// Comments become spaces, so that places stay; the JSON of others has none.
static struct str blank_comments(struct str text, struct arena *scratch)
{
    if (memchr(text.ptr, '/', text.len) == NULL) {
        return text;
    }
    char *copy = (char *)(uintptr_t)arena_str(scratch, text).ptr;
    if (copy == NULL) {
        return text;
    }
    bool in_text = false;
    for (size_t i = 0; i < text.len; i++) {
        if (in_text) {
            if (copy[i] == '\\') {
                i++;
            } else {
                in_text = copy[i] != '"';
            }
            continue;
        }
        in_text = copy[i] == '"';
        if (copy[i] != '/' || i + 1 == text.len || (copy[i + 1] != '/' && copy[i + 1] != '*')) {
            continue;
        }
        bool is_line = copy[i + 1] == '/';
        size_t end = i + 2;
        while (end < text.len &&
               (is_line ? copy[end] != '\n' : copy[end - 1] != '*' || copy[end] != '/' || end < i + 3)) {
            end++;
        }
        if (!is_line && end == text.len) {
            return (struct str){copy, text.len}; // never closed: no JSON
        }
        end += !is_line;
        memset(copy + i, ' ', end - i);
        i = end - 1;
    }
    return (struct str){copy, text.len};
}

static enum err parse_all(struct avro_parse *p, struct str text)
{
    enum err err = avro_collect_references(p);
    if (err != ERR_OK) {
        return err;
    }
    struct json_value *document;
    err = json_parse(blank_comments(text, p->scratch), p->scratch, &document, p->e);
    if (err == ERR_INVALID_REQUEST) {
        error_wrap(p->e, "no JSON");
        if (p->e != NULL) {
            p->e->code = ERR_INVALID_SCHEMA;
        }
        return ERR_INVALID_SCHEMA;
    }
    if (err == ERR_OK) {
        err = parse_type(p, document, (struct str){0}, 0, &p->schema->root);
    }
    if (err == ERR_OK) {
        err = p->arena->failed || p->scratch->failed || p->path.failed ? no_memory(p) : avro_resolve(p);
    }
    if (err == ERR_OK && p->is_new) {
        err = avro_check_defaults(p);
    }
    return err;
}

enum err avro_parse(struct schema *schema, const struct schema_source *source, struct error *e)
{
    struct arena scratch;
    arena_init(&scratch, (size_t)SCHEMA_MEMORY_BYTES_MAX * 4);
    struct avro_parse p = {
        .schema = (struct avro_schema *)schema,
        .arena = &schema->arena,
        .scratch = &scratch,
        .is_new = source->is_new,
        .e = e,
        .names = {.arena = &scratch},
    };
    buf_init(&p.path, PATH_BYTES_MAX);
    enum err err = parse_all(&p, source->text);
    buf_fini(&p.path);
    arena_fini(&scratch);
    return err;
}
