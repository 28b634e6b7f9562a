// SPDX-License-Identifier: Apache-2.0
#include "cli/infer.h"

#include "json/write.h"

enum kind {
    KIND_NULL = 1,
    KIND_BOOL = 2,
    KIND_INT = 4,
    KIND_NUMBER = 8,
    KIND_STRING = 16,
    KIND_ARRAY = 32,
    KIND_OBJECT = 64
};

struct field {
    struct field *next;
    struct str name;
    struct shape *shape;
};

// What was seen at one place.
struct shape {
    struct arena *arena;
    unsigned kinds;   // enum kind
    uint64_t count;   // values seen
    uint64_t objects; // of them
    struct field *fields;
    struct field *last;
    uint32_t field_count;
    struct shape *items;
    uint32_t *total; // fields of the whole draft
};

static struct shape *shape_new(struct arena *arena, uint32_t *total)
{
    struct shape *shape = arena_new(arena, struct shape, 1);
    if (shape != NULL) {
        *shape = (struct shape){.arena = arena, .total = total};
    }
    return shape;
}

struct shape *infer_new(struct arena *arena)
{
    uint32_t *total = arena_new(arena, uint32_t, 1);
    if (total == NULL) {
        return NULL;
    }
    *total = 0;
    return shape_new(arena, total);
}

static struct shape *field_have(struct shape *shape, struct str name)
{
    for (struct field *field = shape->fields; field != NULL; field = field->next) {
        if (str_equal(field->name, name)) {
            return field->shape;
        }
    }
    struct field *field = *shape->total == INFER_FIELDS_MAX ? NULL : arena_new(shape->arena, struct field, 1);
    struct shape *fresh = field == NULL ? NULL : shape_new(shape->arena, shape->total);
    if (fresh == NULL) {
        return NULL;
    }
    ++*shape->total;
    *field = (struct field){.name = arena_str(shape->arena, name), .shape = fresh};
    if (shape->last == NULL) {
        shape->fields = field;
    } else {
        shape->last->next = field;
    }
    shape->last = field;
    shape->field_count++;
    return fresh;
}

static bool see(struct shape *shape, const struct json_value *value, int depth)
{
    int64_t whole;
    if (shape == NULL || depth > INFER_DEPTH_MAX) {
        return false;
    }
    shape->count++;
    switch (value->type) {
    case JSON_NULL:
        shape->kinds |= KIND_NULL;
        return true;
    case JSON_FALSE:
    case JSON_TRUE:
        shape->kinds |= KIND_BOOL;
        return true;
    case JSON_NUMBER:
        // 1.0 says that the writer has fractions in mind.
        shape->kinds |= str_parse_i64(value->text, &whole) ? KIND_INT : KIND_NUMBER;
        return true;
    case JSON_STRING:
        shape->kinds |= KIND_STRING;
        return true;
    case JSON_ARRAY:
        shape->kinds |= KIND_ARRAY;
        shape->items = shape->items != NULL ? shape->items : shape_new(shape->arena, shape->total);
        for (const struct json_value *v = value->first; v != NULL; v = v->next) {
            if (!see(shape->items, v, depth + 1)) {
                return false;
            }
        }
        return shape->items != NULL;
    case JSON_OBJECT:
        shape->kinds |= KIND_OBJECT;
        shape->objects++;
        for (const struct json_value *v = value->first; v != NULL; v = v->next) {
            if (!see(field_have(shape, v->key), v, depth + 1)) {
                return false;
            }
        }
        return true;
    }
    return false;
}

bool infer_record(struct shape *shape, const struct json_value *record)
{
    return see(shape, record, 0);
}

// ---- JSON Schema

static void json_schema_of(const struct shape *shape, struct json *j);

static void types_print(const struct shape *shape, struct json *j)
{
    static const struct {
        unsigned kinds;
        const char *name;
    } rows[] = {{KIND_NULL, "null"},     {KIND_BOOL, "boolean"},  {KIND_INT, "integer"},
                {KIND_NUMBER, "number"}, {KIND_STRING, "string"}, {KIND_ARRAY, "array"},
                {KIND_OBJECT, "object"}};
    unsigned kinds = shape->kinds;
    kinds &= (kinds & KIND_NUMBER) != 0 ? ~(unsigned)KIND_INT : ~0u; // an integer is a number
    if (kinds == 0) {
        return; // an empty array's items
    }
    bool is_one = (kinds & (kinds - 1)) == 0;
    json_key(j, "type");
    if (!is_one) {
        json_array_begin(j);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((kinds & rows[i].kinds) != 0) {
            json_str(j, str_from_c(rows[i].name));
        }
    }
    if (!is_one) {
        json_array_end(j);
    }
}

static void key_print(struct json *j, const struct shape *shape, struct str name)
{
    json_key(j, arena_printf(shape->arena, STR_FMT, STR_ARG(name)).ptr);
}

static void members_print(const struct shape *shape, struct json *j)
{
    types_print(shape, j);
    if (shape->field_count > 0) {
        json_key(j, "properties");
        json_object_begin(j);
        for (const struct field *field = shape->fields; field != NULL; field = field->next) {
            key_print(j, shape, field->name);
            json_schema_of(field->shape, j);
        }
        json_object_end(j);
        bool has_required = false;
        for (const struct field *field = shape->fields; field != NULL; field = field->next) {
            if (field->shape->count < shape->objects) {
                continue;
            }
            if (!has_required) {
                json_key(j, "required");
                json_array_begin(j);
            }
            has_required = true;
            json_str(j, field->name);
        }
        if (has_required) {
            json_array_end(j);
        }
    }
    if (shape->items != NULL && shape->items->count > 0) {
        json_key(j, "items");
        json_schema_of(shape->items, j);
    }
}

static void json_schema_of(const struct shape *shape, struct json *j)
{
    json_object_begin(j);
    if (j->depth < JSON_WRITE_DEPTH_MAX - 4) { // deeper is left open
        members_print(shape, j);
    }
    json_object_end(j);
}

void infer_json_schema(const struct shape *shape, struct str title, struct buf *out)
{
    struct json j = {.out = out};
    json_object_begin(&j);
    json_pair_str(&j, "$schema", STR("http://json-schema.org/draft-07/schema#"));
    json_pair_str(&j, "title", title);
    members_print(shape, &j);
    json_object_end(&j);
}

// ---- Avro

static bool is_avro_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.len > 0;
}

static bool avro_of(const struct shape *shape, struct str name, struct json *j, struct str path,
                    struct str *ret_path);

static bool avro_record(const struct shape *shape, struct str name, struct json *j, struct str path,
                        struct str *ret_path)
{
    json_object_begin(j);
    json_pair_str(j, "type", STR("record"));
    json_pair_str(j, "name", name);
    json_key(j, "fields");
    json_array_begin(j);
    for (const struct field *field = shape->fields; field != NULL; field = field->next) {
        struct str below =
            arena_printf(shape->arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(field->name));
        bool is_optional = field->shape->count < shape->objects || (field->shape->kinds & KIND_NULL) != 0;
        if (!is_avro_name(field->name) || j->depth > JSON_WRITE_DEPTH_MAX - 8) {
            *ret_path = below;
            return false;
        }
        json_object_begin(j);
        json_pair_str(j, "name", field->name);
        json_key(j, "type");
        if (is_optional) {
            json_array_begin(j);
            json_str(j, STR("null"));
        }
        struct str type_name =
            arena_printf(shape->arena, STR_FMT "_" STR_FMT, STR_ARG(name), STR_ARG(field->name));
        bool is_only_null = (field->shape->kinds & ~(unsigned)KIND_NULL) == 0;
        if (!is_only_null && !avro_of(field->shape, type_name, j, below, ret_path)) {
            return false;
        }
        if (is_optional) {
            json_array_end(j);
            json_key(j, "default");
            json_null(j);
        }
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
    return true;
}

static bool avro_of(const struct shape *shape, struct str name, struct json *j, struct str path,
                    struct str *ret_path)
{
    switch (shape->kinds & ~(unsigned)KIND_NULL) {
    case KIND_BOOL:
        json_str(j, STR("boolean"));
        return true;
    case KIND_INT:
        json_str(j, STR("long"));
        return true;
    case KIND_NUMBER:
    case KIND_INT | KIND_NUMBER:
        json_str(j, STR("double"));
        return true;
    case KIND_STRING:
        json_str(j, STR("string"));
        return true;
    case KIND_OBJECT:
        return avro_record(shape, name, j, path, ret_path);
    case KIND_ARRAY:
        json_object_begin(j);
        json_pair_str(j, "type", STR("array"));
        json_key(j, "items");
        if (shape->items->kinds == 0 || (shape->items->kinds & KIND_NULL) != 0 ||
            !avro_of(shape->items, arena_printf(shape->arena, STR_FMT "_item", STR_ARG(name)), j,
                     arena_printf(shape->arena, STR_FMT "[]", STR_ARG(path)), ret_path)) {
            *ret_path = ret_path->ptr != NULL ? *ret_path : path;
            return false;
        }
        json_object_end(j);
        return true;
    default:
        *ret_path = path;
        return false;
    }
}

bool infer_avro(const struct shape *shape, struct str name, struct buf *out, struct str *ret_path)
{
    struct json j = {.out = out};
    *ret_path = (struct str){0};
    if (shape->kinds != KIND_OBJECT || !is_avro_name(name)) {
        *ret_path = STR("$");
        return false;
    }
    return avro_record(shape, name, &j, STR("$"), ret_path);
}
