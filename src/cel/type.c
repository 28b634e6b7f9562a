// SPDX-License-Identifier: Apache-2.0
// type.c - static types: read from signatures, matched with parameters, joined, printed. Matching follows the
// language's type checker: dyn fits everything, null fits what may be absent, a wrapper fits what it wraps.
#include "cel/compile_private.h"

#include "base/assert.h"

const struct type type_dyn = {.kind = TYPE_DYN};
const struct type type_null = {.kind = TYPE_NULL};
const struct type type_bool = {.kind = TYPE_BOOL};
const struct type type_int = {.kind = TYPE_INT};
const struct type type_uint = {.kind = TYPE_UINT};
const struct type type_double = {.kind = TYPE_DOUBLE};
const struct type type_string = {.kind = TYPE_STRING};
const struct type type_bytes = {.kind = TYPE_BYTES};
const struct type type_timestamp = {.kind = TYPE_TIMESTAMP};
const struct type type_duration = {.kind = TYPE_DURATION};

const struct type *type_new(struct compile *c, enum type_kind kind, const struct type *first,
                            const struct type *second)
{
    struct type *type = compile_new(c, struct type, 1);
    if (type == NULL) {
        return &type_dyn;
    }
    *type = (struct type){.kind = kind, .first = first, .second = second};
    return type;
}

const struct type *type_named(struct compile *c, enum type_kind kind, struct str name)
{
    struct type *type = compile_new(c, struct type, 1);
    if (type == NULL) {
        return &type_dyn;
    }
    *type = (struct type){.kind = kind, .name = name};
    return type;
}

// ---- signatures

static const struct type *simple_type(char letter)
{
    switch (letter) {
    case 'b':
        return &type_bool;
    case 'i':
        return &type_int;
    case 'u':
        return &type_uint;
    case 'd':
        return &type_double;
    case 's':
        return &type_string;
    case 'y':
        return &type_bytes;
    case 'n':
        return &type_null;
    case 't':
        return &type_timestamp;
    case 'r':
        return &type_duration;
    case '*':
        return &type_dyn;
    default:
        return NULL;
    }
}

const struct type *type_fresh(struct compile *c)
{
    struct type *type = compile_new(c, struct type, 1);
    struct parameter *parameter = compile_new(c, struct parameter, 1);
    if (type == NULL || parameter == NULL) {
        return &type_dyn;
    }
    *type = (struct type){.kind = TYPE_PARAMETER, .parameter = parameter};
    return type;
}

// The parameters of one signature, by their letters.
enum { PARAMETERS_MAX = 6 };
struct parameters {
    char letters[PARAMETERS_MAX];
    const struct type *types[PARAMETERS_MAX];
    uint32_t count;
};

static const struct type *find_parameter(struct compile *c, struct parameters *parameters, char letter)
{
    for (uint32_t i = 0; i < parameters->count; i++) {
        if (parameters->letters[i] == letter) {
            return parameters->types[i];
        }
    }
    ASSERT(parameters->count < PARAMETERS_MAX);
    parameters->letters[parameters->count] = letter;
    parameters->types[parameters->count] = type_fresh(c);
    return parameters->types[parameters->count++];
}

static const struct type *type_parse(struct compile *c, const char **at, struct parameters *parameters)
{
    char letter = *(*at)++;
    const struct type *simple = simple_type(letter);
    if (simple != NULL) {
        return simple;
    }
    if (letter >= 'A' && letter <= 'Z') {
        return find_parameter(c, parameters, letter);
    }
    if (letter == '#' || letter == '@') {
        const char *end = strchr(*at, ';');
        ASSERT(end != NULL);
        struct str name = {*at, (size_t)(end - *at)};
        *at = end + 1;
        return letter == '#' ? type_named(c, TYPE_OPAQUE, name) : type_of_message(c, name);
    }
    if (letter == 'k') {
        return type_new(c, TYPE_TYPE, NULL, NULL);
    }
    const struct type *first = type_parse(c, at, parameters);
    switch (letter) {
    case '[':
        return type_new(c, TYPE_LIST, first, NULL);
    case '{':
        return type_new(c, TYPE_MAP, first, type_parse(c, at, parameters));
    case '%':
        return type_new(c, TYPE_OPTIONAL, first, NULL);
    case 'w':
        return type_new(c, TYPE_WRAPPER, first, NULL);
    default:
        UNREACHABLE("a letter of a signature");
    }
}

struct signature signature_parse(struct compile *c, const char *text)
{
    struct signature s = {.result = &type_dyn};
    struct parameters parameters = {.count = 0};
    while (*text != ':' && *text != '+') {
        ASSERT(s.count < SIGNATURE_ARGUMENTS_MAX);
        s.arguments[s.count++] = type_parse(c, &text, &parameters);
    }
    s.is_repeated = *text == '+';
    text += s.is_repeated ? 2 : 1;
    s.result = type_parse(c, &text, &parameters);
    return s;
}

// ---- names

struct named_type {
    const char *name;
    const struct type *type;
};

static const struct type wrapper_bool = {.kind = TYPE_WRAPPER, .first = &type_bool};
static const struct type wrapper_bytes = {.kind = TYPE_WRAPPER, .first = &type_bytes};
static const struct type wrapper_double = {.kind = TYPE_WRAPPER, .first = &type_double};
static const struct type wrapper_int = {.kind = TYPE_WRAPPER, .first = &type_int};
static const struct type wrapper_uint = {.kind = TYPE_WRAPPER, .first = &type_uint};
static const struct type wrapper_string = {.kind = TYPE_WRAPPER, .first = &type_string};
static const struct type map_json = {.kind = TYPE_MAP, .first = &type_string, .second = &type_dyn};
static const struct type list_json = {.kind = TYPE_LIST, .first = &type_dyn};

static const struct type *find_named(const struct named_type *table, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(name, str_from_c(table[i].name))) {
            return table[i].type;
        }
    }
    return NULL;
}

static const struct type *known_message(struct str name)
{
    static const struct named_type table[] = {
        {"google.protobuf.Timestamp", &type_timestamp},
        {"google.protobuf.Duration", &type_duration},
        {"google.protobuf.BoolValue", &wrapper_bool},
        {"google.protobuf.BytesValue", &wrapper_bytes},
        {"google.protobuf.DoubleValue", &wrapper_double},
        {"google.protobuf.FloatValue", &wrapper_double},
        {"google.protobuf.Int32Value", &wrapper_int},
        {"google.protobuf.Int64Value", &wrapper_int},
        {"google.protobuf.UInt32Value", &wrapper_uint},
        {"google.protobuf.UInt64Value", &wrapper_uint},
        {"google.protobuf.StringValue", &wrapper_string},
        {"google.protobuf.Any", &type_dyn},
        {"google.protobuf.Value", &type_dyn},
        {"google.protobuf.Struct", &map_json},
        {"google.protobuf.ListValue", &list_json},
    };
    if (!str_has_prefix(name, STR("google.protobuf."))) {
        return NULL;
    }
    return find_named(table, sizeof table / sizeof table[0], name);
}

const struct type *type_of_message(struct compile *c, struct str name)
{
    const struct type *known = known_message(name);
    return known != NULL ? known : type_named(c, TYPE_MESSAGE, name);
}

const struct type *type_of_name(struct compile *c, struct str name)
{
    static const struct type list = {.kind = TYPE_LIST, .first = &type_dyn};
    static const struct type map = {.kind = TYPE_MAP, .first = &type_dyn, .second = &type_dyn};
    static const struct type type = {.kind = TYPE_TYPE};
    static const struct type optional = {.kind = TYPE_OPTIONAL, .first = &type_dyn};
    static const struct named_type table[] = {
        {"bool", &type_bool},
        {"int", &type_int},
        {"uint", &type_uint},
        {"double", &type_double},
        {"string", &type_string},
        {"bytes", &type_bytes},
        {"null_type", &type_null},
        {"list", &list},
        {"map", &map},
        {"type", &type},
        {"optional_type", &optional},
        {"google.protobuf.Timestamp", &type_timestamp},
        {"google.protobuf.Duration", &type_duration},
    };
    const struct type *found = find_named(table, sizeof table / sizeof table[0], name);
    if (found != NULL) {
        return found;
    }
    const struct cel_types *types = c->source->types;
    return types != NULL && types->is_message(types->context, name) ? type_of_message(c, name) : NULL;
}

// ---- matching

const struct type *type_resolve(const struct type *type)
{
    while (type->kind == TYPE_PARAMETER && type->parameter->bound != NULL) {
        type = type->parameter->bound;
    }
    return type;
}

const struct type *type_plain(const struct type *type)
{
    type = type_resolve(type);
    return type->kind == TYPE_WRAPPER ? type_resolve(type->first) : type;
}

static bool occurs(const struct parameter *parameter, const struct type *in)
{
    in = type_resolve(in);
    if (in->kind == TYPE_PARAMETER) {
        return in->parameter == parameter;
    }
    return (in->first != NULL && occurs(parameter, in->first)) ||
           (in->second != NULL && occurs(parameter, in->second));
}

static bool bind(struct compile *c, struct parameter *parameter, const struct type *type)
{
    if (type->kind == TYPE_PARAMETER && type->parameter == parameter) {
        return true;
    }
    if (occurs(parameter, type)) {
        return false;
    }
    if (c->trail_count == c->trail_cap) {
        uint32_t cap = c->trail_cap == 0 ? 64 : c->trail_cap * 2;
        struct parameter **trail = compile_new(c, struct parameter *, cap);
        if (trail == NULL) {
            return false;
        }
        if (c->trail_count > 0) {
            memcpy(trail, c->trail, c->trail_count * sizeof *trail);
        }
        c->trail = trail;
        c->trail_cap = cap;
    }
    c->trail[c->trail_count++] = parameter;
    parameter->bound = type;
    return true;
}

void type_undo(struct compile *c, uint32_t trail_count)
{
    while (c->trail_count > trail_count) {
        c->trail[--c->trail_count]->bound = NULL;
    }
}

static bool may_be_null(const struct type *type)
{
    switch (type->kind) {
    case TYPE_NULL:
    case TYPE_WRAPPER:
    case TYPE_MESSAGE:
    case TYPE_RECORD:
    case TYPE_TIMESTAMP:
    case TYPE_DURATION:
    case TYPE_OPAQUE:
    case TYPE_OPTIONAL:
        return true;
    default:
        return false;
    }
}

static bool accepts_record(struct compile *c, const struct type *map, const struct type *record)
{
    if (record->kind == TYPE_RECORD) {
        return true;
    }
    return record->kind == TYPE_MAP && type_accepts(c, map->first, &type_string);
}

// Both are resolved, and neither is dyn or a parameter.
static bool accepts_same_kind(struct compile *c, const struct type *to, const struct type *from)
{
    if (to->kind != from->kind) {
        return false;
    }
    switch (to->kind) {
    case TYPE_MAP:
        return type_accepts(c, to->first, from->first) && type_accepts(c, to->second, from->second);
    case TYPE_LIST:
    case TYPE_OPTIONAL:
        return type_accepts(c, to->first, from->first);
    case TYPE_MESSAGE:
    case TYPE_OPAQUE:
        return str_equal(to->name, from->name);
    default:
        return true;
    }
}

bool type_accepts(struct compile *c, const struct type *to, const struct type *from)
{
    from = type_resolve(from);
    if (to->kind == TYPE_PARAMETER && to->parameter->bound != NULL && from->kind == TYPE_DYN) {
        to->parameter->bound = &type_dyn; // of what was found for it the most general counts
    }
    to = type_resolve(to);
    if (to == from) {
        return true;
    }
    if (to->kind == TYPE_PARAMETER) {
        return bind(c, to->parameter, from);
    }
    if (from->kind == TYPE_PARAMETER) {
        return bind(c, from->parameter, to);
    }
    if (to->kind == TYPE_DYN || from->kind == TYPE_DYN) {
        return true;
    }
    if (to->kind == TYPE_NULL || from->kind == TYPE_NULL) {
        return may_be_null(to) && may_be_null(from);
    }
    if (to->kind == TYPE_WRAPPER || from->kind == TYPE_WRAPPER) {
        return type_accepts(c, to->kind == TYPE_WRAPPER ? to->first : to,
                            from->kind == TYPE_WRAPPER ? from->first : from);
    }
    if (to->kind == TYPE_MAP && from->kind == TYPE_RECORD) {
        return type_accepts(c, to->first, &type_string) && type_accepts(c, to->second, &type_dyn);
    }
    if (to->kind == TYPE_RECORD) {
        return accepts_record(c, from, from);
    }
    return accepts_same_kind(c, to, from);
}

bool type_equal(const struct type *a, const struct type *b)
{
    a = type_resolve(a);
    b = type_resolve(b);
    if (a == b) {
        return true;
    }
    if (a->kind != b->kind || !str_equal(a->name, b->name) || a->parameter != b->parameter ||
        (a->first == NULL) != (b->first == NULL) || (a->second == NULL) != (b->second == NULL)) {
        return false;
    }
    if (a->kind == TYPE_RECORD) {
        return schema_type_equal(a->schema, b->schema);
    }
    return (a->first == NULL || type_equal(a->first, b->first)) &&
           (a->second == NULL || type_equal(a->second, b->second));
}

// Whether all that b may be, a may be.
static bool is_general(const struct type *a, const struct type *b)
{
    a = type_resolve(a);
    b = type_resolve(b);
    if (a->kind == TYPE_DYN || a->kind == TYPE_PARAMETER) {
        return true;
    }
    if (b->kind == TYPE_DYN || b->kind == TYPE_PARAMETER) {
        return false;
    }
    if (a->kind != b->kind || a->first == NULL || b->first == NULL) {
        return true;
    }
    return is_general(a->first, b->first) &&
           (a->second == NULL || b->second == NULL || is_general(a->second, b->second));
}

const struct type *type_join(struct compile *c, const struct type *a, const struct type *b)
{
    a = type_resolve(a);
    b = type_resolve(b);
    if (type_equal(a, b)) {
        return a;
    }
    if (a->kind == TYPE_DYN || b->kind == TYPE_DYN) {
        return &type_dyn;
    }
    if (a->kind == TYPE_WRAPPER && (b->kind == TYPE_NULL || type_equal(a->first, b))) {
        return a;
    }
    if (b->kind == TYPE_WRAPPER && (a->kind == TYPE_NULL || type_equal(b->first, a))) {
        return b;
    }
    uint32_t trail = c->trail_count;
    if (type_accepts(c, a, b)) {
        return a->kind == TYPE_NULL || !is_general(a, b) ? b : a;
    }
    type_undo(c, trail);
    return &type_dyn;
}

const struct type *type_settle(struct compile *c, const struct type *type)
{
    type = type_resolve(type);
    if (type->kind == TYPE_PARAMETER) {
        return &type_dyn;
    }
    if (type->first == NULL) {
        return type;
    }
    const struct type *first = type_settle(c, type->first);
    const struct type *second = type->second == NULL ? NULL : type_settle(c, type->second);
    return first == type->first && second == type->second ? type : type_new(c, type->kind, first, second);
}

// ---- types of values, kinds of types

const struct type *type_of_value(struct compile *c, struct cel_value value)
{
    switch (value.kind) {
    case CEL_NULL:
        return &type_null;
    case CEL_BOOL:
        return &type_bool;
    case CEL_INT:
        return &type_int;
    case CEL_UINT:
        return &type_uint;
    case CEL_DOUBLE:
        return &type_double;
    case CEL_STRING:
        return &type_string;
    case CEL_BYTES:
        return &type_bytes;
    case CEL_TIMESTAMP:
        return &type_timestamp;
    case CEL_DURATION:
        return &type_duration;
    case CEL_TYPE:
        return type_new(c, TYPE_TYPE, NULL, NULL);
    default:
        return &type_dyn;
    }
}

uint32_t type_kinds(const struct type *type, const char **ret_opaque)
{
    static const uint8_t kinds[] = {
        [TYPE_NULL] = CEL_NULL,         [TYPE_BOOL] = CEL_BOOL,
        [TYPE_INT] = CEL_INT,           [TYPE_UINT] = CEL_UINT,
        [TYPE_DOUBLE] = CEL_DOUBLE,     [TYPE_STRING] = CEL_STRING,
        [TYPE_BYTES] = CEL_BYTES,       [TYPE_TIMESTAMP] = CEL_TIMESTAMP,
        [TYPE_DURATION] = CEL_DURATION, [TYPE_LIST] = CEL_LIST,
        [TYPE_MAP] = CEL_MAP,           [TYPE_RECORD] = CEL_MAP,
        [TYPE_MESSAGE] = CEL_MESSAGE,   [TYPE_TYPE] = CEL_TYPE,
        [TYPE_OPTIONAL] = CEL_OPAQUE,   [TYPE_OPAQUE] = CEL_OPAQUE,
    };
    *ret_opaque = NULL;
    switch (type->kind) {
    case TYPE_DYN:
    case TYPE_PARAMETER:
        return UINT32_MAX & ~(1U << CEL_ERROR);
    case TYPE_WRAPPER:
        return type_kinds(type->first, ret_opaque) | 1U << CEL_NULL;
    default:
        return 1U << kinds[type->kind];
    }
}

static void print_two(const char *name, const struct type *first, const struct type *second, struct buf *out)
{
    buf_printf(out, "%s(", name);
    type_print(first, out);
    if (second != NULL) {
        buf_printf(out, ", ");
        type_print(second, out);
    }
    buf_u8(out, ')');
}

void type_print(const struct type *type, struct buf *out)
{
    static const char *const names[] = {
        [TYPE_DYN] = "dyn",
        [TYPE_NULL] = "null",
        [TYPE_BOOL] = "bool",
        [TYPE_INT] = "int",
        [TYPE_UINT] = "uint",
        [TYPE_DOUBLE] = "double",
        [TYPE_STRING] = "string",
        [TYPE_BYTES] = "bytes",
        [TYPE_TIMESTAMP] = "timestamp",
        [TYPE_DURATION] = "duration",
        [TYPE_LIST] = "list",
        [TYPE_MAP] = "map",
        [TYPE_OPTIONAL] = "optional_type",
        [TYPE_WRAPPER] = "wrapper",
        [TYPE_PARAMETER] = "dyn",
        [TYPE_TYPE] = "type",
        [TYPE_RECORD] = "record",
    };
    type = type_resolve(type);
    if (type->kind == TYPE_MESSAGE || type->kind == TYPE_OPAQUE ||
        (type->kind == TYPE_RECORD && type->name.len > 0)) {
        buf_append_str(out, type->name);
    } else if (type->first != NULL) {
        print_two(names[type->kind], type->first, type->second, out);
    } else {
        buf_append_str(out, str_from_c(names[type->kind]));
    }
}
