// SPDX-License-Identifier: Apache-2.0
// schema.c - what a schema says of a place, as a type of the language. Places of several kinds, and those
// that have a logical type, may hold anything; what may be null is a wrapper.
#include "cel/compile_private.h"

enum {
    TYPE_NESTING_MAX = 8, // of lists and maps in each other: deeper ones hold anything
    HINT_NAMES_MAX = 500,
    HINT_NAME_BYTES_MAX = 40,
    HINT_DISTANCE_MAX = 2,
};

static const struct type *type_of_place(struct compile *c, const struct value_type *place, unsigned depth);

static const struct type *record_type(struct compile *c, const struct value_type *place)
{
    struct str name = type_name(place);
    struct type *type = compile_new(c, struct type, 1);
    struct value_type *kept = compile_new(c, struct value_type, 1);
    if (type == NULL || kept == NULL) {
        return &type_dyn;
    }
    *kept = *place;
    if (program_format(place->program) != FORMAT_PROTOBUF) {
        *type = (struct type){.kind = TYPE_RECORD, .name = name, .schema = kept};
        return type;
    }
    const struct type *known = type_of_message(c, name);
    if (known->kind != TYPE_MESSAGE) {
        return known;
    }
    *type = (struct type){.kind = TYPE_MESSAGE, .name = name, .schema = kept};
    return type;
}

static const struct type *key_type(struct compile *c, const struct value_type *map)
{
    struct value_type key = type_key(map);
    switch (key.kinds) {
    case TYPE_KIND(VIEW_BOOL):
        return &type_bool;
    case TYPE_KIND(VIEW_INT):
        return &type_int;
    case TYPE_KIND(VIEW_UINT):
        return c->source->has_unsigned ? &type_uint : &type_int;
    default:
        return &type_string;
    }
}

// Of one kind; NULL: several, or none that has a type.
static const struct type *type_of_kind(struct compile *c, const struct value_type *place, uint32_t kinds,
                                       unsigned depth)
{
    struct value_type item;
    switch (kinds) {
    case TYPE_KIND(VIEW_BOOL):
        return &type_bool;
    case TYPE_KIND(VIEW_INT):
        return &type_int;
    case TYPE_KIND(VIEW_UINT):
        return c->source->has_unsigned ? &type_uint : &type_int;
    case TYPE_KIND(VIEW_DOUBLE):
        return &type_double;
    case TYPE_KIND(VIEW_STRING):
        return &type_string;
    case TYPE_KIND(VIEW_BYTES):
        return &type_bytes;
    case TYPE_KIND(VIEW_ENUM):
        return program_format(place->program) == FORMAT_PROTOBUF ? &type_int : &type_string;
    case TYPE_KIND(VIEW_LIST):
        item = type_item(place);
        return type_new(c, TYPE_LIST, type_of_place(c, &item, depth + 1), NULL);
    case TYPE_KIND(VIEW_MAP):
        item = type_item(place);
        return type_new(c, TYPE_MAP, key_type(c, place), type_of_place(c, &item, depth + 1));
    case TYPE_KIND(VIEW_RECORD):
        return record_type(c, place);
    default:
        return NULL;
    }
}

static const struct type *type_of_place(struct compile *c, const struct value_type *place, unsigned depth)
{
    bool is_avro = place->program != NULL && program_format(place->program) == FORMAT_AVRO;
    if (place->program == NULL || depth > TYPE_NESTING_MAX || (is_avro && type_logical(place).len > 0)) {
        return &type_dyn;
    }
    uint32_t absent = TYPE_KIND(VIEW_NULL) | TYPE_KIND(VIEW_NONE);
    if ((place->kinds & ~absent) == 0) {
        return place->kinds == TYPE_KIND(VIEW_NULL) ? &type_null : &type_dyn;
    }
    const struct type *type = type_of_kind(c, place, place->kinds & ~absent, depth);
    if (type == NULL) {
        return &type_dyn;
    }
    bool is_wrapped =
        (place->kinds & TYPE_KIND(VIEW_NULL)) != 0 && type->kind != TYPE_WRAPPER && type->kind != TYPE_DYN;
    return is_wrapped && type->schema == NULL ? type_new(c, TYPE_WRAPPER, type, NULL) : type;
}

const struct type *schema_root_type(struct compile *c, const struct cel_variable *variable)
{
    struct value_type root = program_root_type(variable->program);
    return type_of_place(c, variable->place != NULL ? variable->place : &root, 0);
}

// ---- "did you mean"

// How many characters have to be changed; more than HINT_DISTANCE_MAX is not counted further.
static unsigned distance(struct str a, struct str b)
{
    uint8_t rows[2][HINT_NAME_BYTES_MAX + 1];
    for (size_t k = 0; k <= b.len; k++) {
        rows[0][k] = (uint8_t)k;
    }
    for (size_t i = 1; i <= a.len; i++) {
        const uint8_t *before = rows[(i - 1) % 2];
        uint8_t *now = rows[i % 2];
        now[0] = (uint8_t)i;
        for (size_t k = 1; k <= b.len; k++) {
            bool is_same = (a.ptr[i - 1] | 0x20) == (b.ptr[k - 1] | 0x20);
            uint8_t least = (uint8_t)(before[k - 1] + !is_same);
            least = before[k] + 1 < least ? (uint8_t)(before[k] + 1) : least;
            now[k] = now[k - 1] + 1 < least ? (uint8_t)(now[k - 1] + 1) : least;
        }
    }
    return rows[a.len % 2][b.len];
}

static struct str nearest(const struct value_type *record, struct str name)
{
    struct str best = {0};
    struct str field;
    unsigned least = HINT_DISTANCE_MAX + 1;
    for (uint32_t i = 0; i < HINT_NAMES_MAX && type_field_name(record, i, &field); i++) {
        if (field.len > HINT_NAME_BYTES_MAX || name.len > HINT_NAME_BYTES_MAX) {
            continue;
        }
        unsigned far = distance(name, field);
        if (far < least && far < name.len) {
            least = far;
            best = field;
        }
    }
    return best;
}

const struct type *schema_field_type(struct compile *c, const struct type *record, struct str name,
                                     struct str *ret_hint)
{
    struct value_type field;
    if (type_field(record->schema, name, &field)) {
        return type_of_place(c, &field, 0);
    }
    if (type_is_open(record->schema)) {
        return &type_dyn;
    }
    *ret_hint = nearest(record->schema, name);
    return NULL;
}

bool schema_type_equal(const struct value_type *a, const struct value_type *b)
{
    return a == b ||
           (a != NULL && b != NULL && a->program == b->program && a->of == b->of && a->part == b->part);
}

// ---- views

bool cel_is_protobuf(const struct view *view)
{
    return view->program != NULL && program_format(view->program) == FORMAT_PROTOBUF;
}

bool cel_is_json(const struct view *view)
{
    return view->program != NULL && program_format(view->program) == FORMAT_JSON;
}

enum view_kind cel_key_kind(const struct view *map)
{
    if (map->kind != VIEW_MAP || !cel_is_protobuf(map)) {
        return VIEW_STRING;
    }
    struct value_type type = view_type(map);
    struct value_type key = type_key(&type);
    for (int kind = VIEW_BOOL; kind <= VIEW_UINT; kind++) {
        if (key.kinds == TYPE_KIND(kind)) {
            return (enum view_kind)kind;
        }
    }
    return VIEW_STRING;
}
