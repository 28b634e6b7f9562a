// SPDX-License-Identifier: Apache-2.0
// lib_optional.c - values that may be missing: optional.of, optional.none, and what one asks of them.
#include "cel/library.h"
#include "cel/message.h"

struct optional {
    struct cel_object object;
    bool has_value;
    struct cel_value value;
};

static const struct optional *optional_of(const struct cel_object *object)
{
    return (const struct optional *)(const void *)object;
}

static struct cel_value equal_optional(struct cel_call *call, const struct cel_object *a,
                                       const struct cel_object *b)
{
    const struct optional *x = optional_of(a);
    const struct optional *y = optional_of(b);
    if (x->has_value && y->has_value) {
        return cel_equal(call, x->value, y->value);
    }
    return cel_bool(x->has_value == y->has_value);
}

static bool is_none(const struct cel_object *object)
{
    return !optional_of(object)->has_value;
}

static void print_optional(const struct cel_object *object, struct buf *out)
{
    const struct optional *optional = optional_of(object);
    buf_append_str(out, optional->has_value ? STR("optional.of(") : STR("optional.none("));
    if (optional->has_value) {
        cel_value_print(optional->value, out);
    }
    buf_append_str(out, STR(")"));
}

static const struct cel_object_ops optional_ops = {
    .type_name = "optional_type",
    .equal = equal_optional,
    .is_zero = is_none,
    .print = print_optional,
};

struct cel_value cel_optional(struct cel_call *call, const struct cel_value *value)
{
    static const struct optional none = {.object = {&optional_ops}};
    if (value == NULL) {
        return cel_object_value(CEL_OPAQUE, &none.object);
    }
    struct optional *optional = cel_new(call, struct optional, 1);
    if (optional == NULL) {
        return cel_over(call);
    }
    *optional = (struct optional){.object = {&optional_ops}, .has_value = true, .value = *value};
    return cel_object_value(CEL_OPAQUE, &optional->object);
}

bool cel_is_optional(struct cel_value value)
{
    return value.kind == CEL_OPAQUE && cel_object_of(value)->ops == &optional_ops;
}

bool cel_optional_value(struct cel_value optional, struct cel_value *ret)
{
    const struct optional *of = optional_of(cel_object_of(optional));
    if (of->has_value) {
        *ret = of->value;
    }
    return of->has_value;
}

// ---- functions

static struct cel_value of(struct cel_call *call, const struct cel_value *args)
{
    return cel_optional(call, &args[0]);
}

static struct cel_value none(struct cel_call *call, const struct cel_value *args)
{
    (void)args;
    return cel_optional(call, NULL);
}

static bool is_zero(struct cel_call *call, struct cel_value value)
{
    size_t size = 0;
    switch ((enum cel_kind)value.kind) {
    case CEL_NULL:
        return true;
    case CEL_BOOL:
    case CEL_INT:
    case CEL_UINT:
        return value.u == 0;
    case CEL_DOUBLE:
        return value.d == 0;
    case CEL_STRING:
    case CEL_BYTES:
        return value.len == 0;
    case CEL_LIST:
        return cel_list_size(call, value, &size) && size == 0;
    case CEL_MAP:
        return cel_map_size(call, value, &size) && size == 0;
    case CEL_MESSAGE:
        return cel_message_is_zero(value);
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        return value.i == 0 && value.len == 0;
    case CEL_OPAQUE:
        return cel_object_of(value)->ops->is_zero != NULL &&
               cel_object_of(value)->ops->is_zero(cel_object_of(value));
    default:
        return false;
    }
}

static struct cel_value of_non_zero(struct cel_call *call, const struct cel_value *args)
{
    bool zero = is_zero(call, args[0]);
    return call->is_over ? cel_over(call) : cel_optional(call, zero ? NULL : &args[0]);
}

static struct cel_value has_value(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return cel_bool(cel_optional_value(args[0], &value));
}

static struct cel_value value_of(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return cel_optional_value(args[0], &value) ? value : cel_fail_static("optional.none() has no value");
}

static struct cel_value or_other(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return cel_optional_value(args[0], &value) ? args[0] : args[1];
}

static struct cel_value or_value(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return cel_optional_value(args[0], &value) ? value : args[1];
}

static const struct cel_function functions[] = {
    {.name = "optional.of", .signature = "A:%A", .call = of},
    {.name = "optional.none", .signature = ":%A", .call = none},
    {.name = "optional.ofNonZeroValue", .signature = "A:%A", .call = of_non_zero},
    {.name = "hasValue", .signature = "%A:b", .call = has_value, .is_member = true},
    {.name = "value", .signature = "%A:A", .call = value_of, .is_member = true},
    {.name = "or", .signature = "%A%A:%A", .call = or_other, .is_member = true},
    {.name = "orValue", .signature = "%AA:A", .call = or_value, .is_member = true},
};

const struct cel_library cel_optional_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
