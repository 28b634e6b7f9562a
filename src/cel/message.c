// SPDX-License-Identifier: Apache-2.0
// message.c - Protobuf messages as values: fields, equality, and what the well-known types stand for.
#include "cel/message.h"

#include "cel/decimal.h"
#include "cel/message_private.h"

// ---- well-known types

enum well_known well_known_find(struct str name)
{
    static const char *const names[WELL_KNOWN_COUNT] = {
        [WELL_KNOWN_ANY] = "Any",
        [WELL_KNOWN_TIMESTAMP] = "Timestamp",
        [WELL_KNOWN_DURATION] = "Duration",
        [WELL_KNOWN_STRUCT] = "Struct",
        [WELL_KNOWN_VALUE] = "Value",
        [WELL_KNOWN_LIST_VALUE] = "ListValue",
        [WELL_KNOWN_BOOL] = "BoolValue",
        [WELL_KNOWN_INT32] = "Int32Value",
        [WELL_KNOWN_INT64] = "Int64Value",
        [WELL_KNOWN_UINT32] = "UInt32Value",
        [WELL_KNOWN_UINT64] = "UInt64Value",
        [WELL_KNOWN_FLOAT] = "FloatValue",
        [WELL_KNOWN_DOUBLE] = "DoubleValue",
        [WELL_KNOWN_STRING] = "StringValue",
        [WELL_KNOWN_BYTES] = "BytesValue",
    };
    static const struct str package = {"google.protobuf.", sizeof "google.protobuf." - 1};
    if (!str_has_prefix(name, package)) {
        return WELL_KNOWN_NONE;
    }
    struct str rest = {name.ptr + package.len, name.len - package.len};
    for (int i = 1; i < WELL_KNOWN_COUNT; i++) {
        if (str_equal(rest, str_from_c(names[i]))) {
            return (enum well_known)i;
        }
    }
    return WELL_KNOWN_NONE;
}

struct cel_value value_of_time(enum well_known kind, int64_t seconds, int64_t nanos)
{
    if (nanos <= -CEL_NANOS_PER_SECOND || nanos >= CEL_NANOS_PER_SECOND) {
        return cel_fail_static("nanos are out of range");
    }
    int64_t least = kind == WELL_KNOWN_TIMESTAMP ? CEL_TIMESTAMP_MIN : -CEL_DURATION_MAX;
    int64_t most = kind == WELL_KNOWN_TIMESTAMP ? CEL_TIMESTAMP_MAX : CEL_DURATION_MAX;
    if (seconds < least || seconds > most) {
        return cel_fail_static("seconds are out of range");
    }
    if (nanos < 0) { // -0.5 s is written as 0 and -500000000
        nanos += CEL_NANOS_PER_SECOND;
        seconds--;
    }
    return kind == WELL_KNOWN_TIMESTAMP ? cel_timestamp(seconds, (uint32_t)nanos)
                                        : cel_duration(seconds, (uint32_t)nanos);
}

static struct cel_value borrow_view(struct cel_call *call, enum cel_kind kind, const struct view *view)
{
    struct view *copy = cel_new(call, struct view, 1);
    if (copy == NULL) {
        return cel_over(call);
    }
    *copy = *view;
    return (struct cel_value){.kind = (uint8_t)kind, .form = CEL_FORM_VIEW, .ptr = copy};
}

static struct cel_value read_value(struct cel_call *call, const struct view *view)
{
    static const char *const names[] = {"bool_value", "number_value", "string_value", "struct_value",
                                        "list_value"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct view inner = view_field(view, str_from_c(names[i]));
        if (inner.kind != VIEW_NONE) {
            return cel_from_view(call, &inner);
        }
    }
    return cel_null();
}

static struct cel_value read_any(struct cel_call *call, const struct view *view)
{
    struct view url = view_field(view, STR("type_url"));
    struct view value = view_field(view, STR("value"));
    return cel_unpack_any(call, (struct str){(const char *)url.raw.ptr, url.raw.len}, value.raw);
}

static struct cel_value read_time(enum well_known kind, const struct view *view)
{
    struct view seconds = view_field(view, STR("seconds"));
    struct view nanos = view_field(view, STR("nanos"));
    return value_of_time(kind, seconds.number, nanos.number);
}

static struct cel_value read_well_known(struct cel_call *call, enum well_known kind, const struct view *view)
{
    struct view inner;
    switch (kind) {
    case WELL_KNOWN_ANY:
        return read_any(call, view);
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        return read_time(kind, view);
    case WELL_KNOWN_STRUCT:
        inner = view_field(view, STR("fields"));
        return borrow_view(call, CEL_MAP, &inner);
    case WELL_KNOWN_LIST_VALUE:
        inner = view_field(view, STR("values"));
        return borrow_view(call, CEL_LIST, &inner);
    case WELL_KNOWN_VALUE:
        return read_value(call, view);
    default:
        inner = view_field(view, STR("value"));
        return cel_from_view(call, &inner);
    }
}

struct cel_value cel_message_of_view(struct cel_call *call, const struct view *view)
{
    const struct message_type *type = message_of_view(view);
    enum well_known kind = type == NULL ? WELL_KNOWN_NONE : well_known_find(message_name(type));
    if (kind != WELL_KNOWN_NONE) {
        return read_well_known(call, kind, view);
    }
    return borrow_view(call, CEL_MESSAGE, view);
}

// ---- one field of either form

static const struct message_type *type_of(struct cel_value message)
{
    return message.form == CEL_FORM_VIEW ? message_of_view(message.ptr) : message_object_of(message)->type;
}

struct str cel_message_name(struct cel_value message)
{
    const struct message_type *type = type_of(message);
    return type == NULL ? STR("message") : message_name(type);
}

static const struct cel_value *find_set(struct cel_value message, struct str name)
{
    const struct message_object *object = message_object_of(message);
    for (size_t i = 0; i < object->count; i++) {
        if (str_equal(object->fields[i].field.name, name)) {
            return &object->fields[i].value;
        }
    }
    return NULL;
}

// What a field of a well-known type is when it is not set.
static struct cel_value well_known_default(enum well_known kind)
{
    switch (kind) {
    case WELL_KNOWN_TIMESTAMP:
        return cel_timestamp(0, 0);
    case WELL_KNOWN_DURATION:
        return cel_duration(0, 0);
    case WELL_KNOWN_STRUCT:
        return cel_map(NULL, 0);
    case WELL_KNOWN_LIST_VALUE:
        return cel_list(NULL, 0);
    default:
        return cel_null();
    }
}

static struct cel_value default_value(struct cel_call *call, const struct message_field *field)
{
    if (field->is_map) {
        return cel_map(NULL, 0);
    }
    if (field->is_repeated) {
        return cel_list(NULL, 0);
    }
    if (field->scalar != MESSAGE_MESSAGE) {
        struct view view = message_field_default(field);
        return cel_from_view(call, &view);
    }
    if (field->of == NULL) {
        return cel_fail_static("nothing defines the field's type");
    }
    enum well_known kind = well_known_find(message_name(field->of));
    return kind != WELL_KNOWN_NONE ? well_known_default(kind)
                                   : message_object_value(call, field->of, NULL, 0);
}

static struct cel_value of_field_view(struct cel_call *call, const struct view *view)
{
    switch (view->kind) {
    case VIEW_LIST:
        return borrow_view(call, CEL_LIST, view);
    case VIEW_MAP:
        return borrow_view(call, CEL_MAP, view);
    default:
        return cel_from_view(call, view);
    }
}

static struct cel_value no_such_field(void)
{
    return cel_fail_static("no such field");
}

// An extension's full name has a dot, which no field's name has.
static bool is_extension(struct str name)
{
    return memchr(name.ptr, '.', name.len) != NULL;
}

static struct cel_value view_field_value(struct cel_call *call, struct cel_value message, struct str name)
{
    const struct view *record = message.ptr;
    struct view view = view_field(record, name);
    if (view.kind != VIEW_NONE) {
        return of_field_view(call, &view);
    }
    struct message_field field;
    const struct message_type *type = message_of_view(record);
    if (type == NULL || !message_field_find(type, name, &field)) {
        return no_such_field();
    }
    return default_value(call, &field);
}

struct cel_value cel_message_field(struct cel_call *call, struct cel_value message, struct str name)
{
    struct message_field field;
    if (is_extension(name)) {
        struct view view;
        if (!cel_find_extension(call, message, name, &field, &view)) {
            return call->is_over ? cel_over(call) : no_such_field();
        }
        return view.kind == VIEW_NONE ? default_value(call, &field) : of_field_view(call, &view);
    }
    if (message.form == CEL_FORM_VIEW) {
        return view_field_value(call, message, name);
    }
    const struct cel_value *set = find_set(message, name);
    if (set != NULL) {
        return *set;
    }
    if (!message_field_find(message_object_of(message)->type, name, &field)) {
        return no_such_field();
    }
    return default_value(call, &field);
}

// ---- has

static bool is_set_view(const struct message_field *field, const struct view *view)
{
    struct view_items items = {.of = *view};
    struct str key;
    struct view item;
    if (view->kind == VIEW_NONE || (field->has_presence && !field->is_repeated && !field->is_map)) {
        return view->kind != VIEW_NONE;
    }
    switch (view->kind) {
    case VIEW_LIST:
    case VIEW_MAP:
        return view_next(&items, &key, &item);
    case VIEW_STRING:
    case VIEW_BYTES:
        return view->raw.len > 0;
    case VIEW_DOUBLE:
        return view->real != 0;
    case VIEW_RECORD:
        return true;
    default:
        return view->number != 0;
    }
}

static bool is_set_value(struct cel_call *call, const struct message_field *field, struct cel_value value)
{
    size_t size = 0;
    if (field->is_map) {
        return cel_map_size(call, value, &size) && size > 0;
    }
    if (field->is_repeated) {
        return cel_list_size(call, value, &size) && size > 0;
    }
    if (field->has_presence) {
        return true;
    }
    switch ((enum cel_kind)value.kind) {
    case CEL_STRING:
    case CEL_BYTES:
        return value.len > 0;
    case CEL_DOUBLE:
        return value.d != 0;
    default:
        return value.u != 0;
    }
}

static bool has_field(struct cel_call *call, struct cel_value message, const struct message_field *field)
{
    if (message.form == CEL_FORM_VIEW) {
        struct view view = view_field(message.ptr, field->name);
        return is_set_view(field, &view);
    }
    const struct cel_value *set = find_set(message, field->name);
    return set != NULL && is_set_value(call, field, *set);
}

struct cel_value cel_message_has(struct cel_call *call, struct cel_value message, struct str name)
{
    struct message_field field;
    struct view view;
    bool has = false;
    if (is_extension(name)) {
        if (!cel_find_extension(call, message, name, &field, &view)) {
            return call->is_over ? cel_over(call) : no_such_field();
        }
        has = is_set_view(&field, &view);
    } else {
        const struct message_type *type = type_of(message);
        if (type == NULL || !message_field_find(type, name, &field)) {
            return no_such_field();
        }
        has = has_field(call, message, &field);
    }
    return call->is_over ? cel_over(call) : cel_bool(has);
}

bool cel_message_is_zero(struct cel_value message)
{
    if (message.form == CEL_FORM_VIEW) {
        return ((const struct view *)message.ptr)->raw.len == 0;
    }
    return message_object_of(message)->count == 0;
}

// ---- equality: field by field, as Protobuf has it, but NaN differs from itself as everywhere in CEL

static bool is_equal_field(struct cel_call *call, struct cel_value a, struct cel_value b, struct str name)
{
    struct cel_value x = cel_message_field(call, a, name);
    struct cel_value y = cel_message_field(call, b, name);
    if (x.kind == CEL_ERROR && y.kind == CEL_ERROR && a.form == CEL_FORM_VIEW && b.form == CEL_FORM_VIEW) {
        struct view raw_x = view_field(a.ptr, name); // an Any that nobody can read: its bytes
        struct view raw_y = view_field(b.ptr, name);
        return bytes_equal(raw_x.raw, raw_y.raw);
    }
    return cel_is_equal(call, x, y);
}

struct cel_value cel_message_equal(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    const struct message_type *type = type_of(a);
    struct message_field field;
    struct decimal x;
    struct decimal y;
    if (cel_decimal_of_message(call, a, &x) && cel_decimal_of_message(call, b, &y)) {
        return cel_bool(cel_decimal_compare(&x, &y) == 0); // 2.0 is 2.00, as in Confluent's clients
    }
    if (type == NULL || !str_equal(cel_message_name(a), cel_message_name(b))) {
        return cel_bool(false);
    }
    for (size_t i = 0; message_field_at(type, i, &field); i++) {
        size_t bytes = a.form == CEL_FORM_VIEW ? ((const struct view *)a.ptr)->raw.len : 0;
        bytes += b.form == CEL_FORM_VIEW ? ((const struct view *)b.ptr)->raw.len : 0;
        if (!cel_pay(call, 1 + bytes / 64)) {
            return cel_over(call);
        }
        bool has = has_field(call, a, &field);
        if (has != has_field(call, b, &field)) {
            return cel_bool(false);
        }
        if (has && !is_equal_field(call, a, b, field.name)) {
            return call->is_over ? cel_over(call) : cel_bool(false);
        }
    }
    return cel_bool(true);
}

// ---- objects

static struct str object_type(const struct cel_object *object)
{
    return message_name(((const struct message_object *)(const void *)object)->type);
}

static struct cel_value object_equal(struct cel_call *call, const struct cel_object *a,
                                     const struct cel_object *b)
{
    return cel_message_equal(call, cel_object_value(CEL_MESSAGE, a), cel_object_value(CEL_MESSAGE, b));
}

static struct cel_value object_field(struct cel_call *call, const struct cel_object *object, struct str name)
{
    return cel_message_field(call, cel_object_value(CEL_MESSAGE, object), name);
}

static struct cel_value object_has(struct cel_call *call, const struct cel_object *object, struct str name)
{
    return cel_message_has(call, cel_object_value(CEL_MESSAGE, object), name);
}

static bool object_is_zero(const struct cel_object *object)
{
    return cel_message_is_zero(cel_object_value(CEL_MESSAGE, object));
}

static void object_print(const struct cel_object *object, struct buf *out)
{
    const struct message_object *message = (const struct message_object *)(const void *)object;
    buf_append_str(out, message_name(message->type));
    buf_append_str(out, STR("{"));
    for (size_t i = 0; i < message->count; i++) {
        buf_append_str(out, i == 0 ? STR("") : STR(", "));
        buf_append_str(out, message->fields[i].field.name);
        buf_append_str(out, STR(": "));
        cel_value_print(message->fields[i].value, out);
    }
    buf_append_str(out, STR("}"));
}

static const struct cel_object_ops message_ops = {
    .type_of = object_type,
    .equal = object_equal,
    .field = object_field,
    .has = object_has,
    .is_zero = object_is_zero,
    .print = object_print,
};

struct cel_value message_object_value(struct cel_call *call, const struct message_type *type,
                                      const struct set_field *fields, size_t count)
{
    struct message_object *object = cel_new(call, struct message_object, 1);
    if (object == NULL) {
        return cel_over(call);
    }
    *object = (struct message_object){{&message_ops}, type, fields, count};
    return cel_object_value(CEL_MESSAGE, &object->object);
}
