// SPDX-License-Identifier: Apache-2.0
// lib_decimal.c - decimal(x) and decimals.*, as in Confluent's clients: exact but for div and sqrt, which
// round to 38 digits, half up. Numbers have at most DECIMAL_DIGITS_MAX digits here, none there.
#include <stdlib.h>

#include "cel/decimal.h"
#include "cel/library.h"
#include "cel/message.h"

#define DECIMAL "#confluent.type.Decimal;"
#define MESSAGE "@confluent.type.Decimal;"

struct decimal_object {
    struct cel_object object;
    struct decimal decimal;
};

static const struct decimal *cel_decimal_in(const struct cel_object *object)
{
    return &((const struct decimal_object *)(const void *)object)->decimal;
}

// ---- as a value

static struct cel_value equal_decimal(struct cel_call *call, const struct cel_object *a,
                                      const struct cel_object *b)
{
    (void)call;
    return cel_bool(cel_decimal_compare(cel_decimal_in(a), cel_decimal_in(b)) == 0); // 2.0 is 2.00
}

static bool compare_decimal(const struct cel_object *a, const struct cel_object *b, int *ret)
{
    *ret = cel_decimal_compare(cel_decimal_in(a), cel_decimal_in(b));
    return true;
}

static bool is_zero_decimal(const struct cel_object *object)
{
    return cel_decimal_in(object)->count == 0;
}

static void print_decimal(const struct cel_object *object, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, 2 * (DECIMAL_DIGITS_MAX + DECIMAL_SCALE_MAX));
    struct cel_call call = {.arena = &arena, .steps = UINT64_MAX};
    struct cel_text text = {.call = &call};
    cel_decimal_print(cel_decimal_in(object), &text);
    buf_append_str(out, STR("decimal(\""));
    buf_append(out, text.ptr, text.len);
    buf_append_str(out, STR("\")"));
    arena_fini(&arena);
}

static const struct cel_object_ops decimal_ops = {
    .type_name = "confluent.type.Decimal",
    .equal = equal_decimal,
    .compare = compare_decimal,
    .is_zero = is_zero_decimal,
    .print = print_decimal,
};

// What an operation that ended so gives.
struct cel_value cel_decimal_value(struct cel_call *call, bool is_done, const struct decimal *decimal)
{
    if (call->is_over) {
        return cel_over(call);
    }
    if (!is_done) {
        return cel_fail_static("a decimal of too many digits, or no decimal");
    }
    struct decimal_object *object = cel_new(call, struct decimal_object, 1);
    if (object == NULL) {
        return cel_over(call);
    }
    *object = (struct decimal_object){{&decimal_ops}, *decimal};
    return cel_object_value(CEL_OPAQUE, &object->object);
}

// ---- decimal(x)

// confluent.type.Decimal: bytes value, uint32 precision, int32 scale.
bool cel_decimal_of_message(struct cel_call *call, struct cel_value message, struct decimal *ret)
{
    if (!str_equal(cel_message_name(message), STR("confluent.type.Decimal"))) {
        return false;
    }
    struct cel_value value = cel_message_field(call, message, STR("value"));
    struct cel_value scale = cel_message_field(call, message, STR("scale"));
    return value.kind == CEL_BYTES && scale.kind == CEL_INT &&
           cel_decimal_from_bytes(call, cel_bytes_of(value), scale.i, ret);
}

static struct cel_value of_message(struct cel_call *call, struct cel_value message)
{
    struct decimal decimal;
    return cel_decimal_value(call, cel_decimal_of_message(call, message, &decimal), &decimal);
}

// Reads the arguments of a function: decimals, and messages that are. false: *ret is the error.
static bool take(struct cel_call *call, const struct cel_value *args, size_t count,
                 struct decimal *ret_decimals, struct cel_value *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (args[i].kind == CEL_OPAQUE && cel_object_of(args[i])->ops == &decimal_ops) {
            ret_decimals[i] = *cel_decimal_in(cel_object_of(args[i]));
        } else if (args[i].kind != CEL_MESSAGE || !cel_decimal_of_message(call, args[i], &ret_decimals[i])) {
            *ret =
                call->is_over ? cel_over(call) : cel_fail_static("this function takes decimals: decimal(x)");
            return false;
        }
    }
    return true;
}

static struct cel_value make(struct cel_call *call, const struct cel_value *args)
{
    struct decimal decimal;
    struct cel_value value = args[0];
    switch ((enum cel_kind)value.kind) {
    case CEL_INT:
        return cel_decimal_value(
            call, cel_decimal_from_u64(call, value.i < 0, value.i < 0 ? 0 - value.u : value.u, &decimal),
            &decimal);
    case CEL_UINT:
        return cel_decimal_value(call, cel_decimal_from_u64(call, false, value.u, &decimal), &decimal);
    case CEL_DOUBLE:
        return cel_decimal_value(call, cel_decimal_from_double(call, value.d, &decimal), &decimal);
    case CEL_STRING:
        return cel_decimal_value(call, cel_decimal_parse(call, cel_str(value), &decimal), &decimal);
    case CEL_MESSAGE:
        return of_message(call, value);
    case CEL_OPAQUE:
        if (cel_object_of(value)->ops == &decimal_ops) {
            return value;
        }
        break;
    case CEL_BYTES:
        return cel_fail_static("bytes have no scale of their own: decimal(bytes, scale)");
    default:
        break;
    }
    return cel_fail_static("decimal() cannot take a value of this type");
}

static struct cel_value make_of_bytes(struct cel_call *call, const struct cel_value *args)
{
    struct decimal decimal;
    return cel_decimal_value(call, cel_decimal_from_bytes(call, cel_bytes_of(args[0]), args[1].i, &decimal),
                             &decimal);
}

// ---- comparison

#define COMPARISON(name, is)                                                                                 \
    static struct cel_value name(struct cel_call *call, const struct cel_value *args)                        \
    {                                                                                                        \
        struct decimal d[2];                                                                                 \
        struct cel_value ret;                                                                                \
        return take(call, args, 2, d, &ret) ? cel_bool(cel_decimal_compare(&d[0], &d[1]) is 0) : ret;        \
    }
COMPARISON(equal, ==)
COMPARISON(less, <)
COMPARISON(less_equal, <=)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)

// ---- arithmetic

static struct decimal negated(struct decimal d)
{
    d.is_negative = !d.is_negative && d.count > 0;
    return d;
}

static bool subtract(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                     struct decimal *ret)
{
    struct decimal other = negated(*b);
    return cel_decimal_add(call, a, &other, ret);
}

static bool greatest(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                     struct decimal *ret)
{
    (void)call;
    *ret = cel_decimal_compare(a, b) >= 0 ? *a : *b;
    return true;
}

static bool least(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                  struct decimal *ret)
{
    (void)call;
    *ret = cel_decimal_compare(a, b) <= 0 ? *a : *b;
    return true;
}

#define BINARY(name, operation)                                                                              \
    static struct cel_value name(struct cel_call *call, const struct cel_value *args)                        \
    {                                                                                                        \
        struct decimal d[2];                                                                                 \
        struct decimal result;                                                                               \
        struct cel_value ret;                                                                                \
        return take(call, args, 2, d, &ret)                                                                  \
                   ? cel_decimal_value(call, operation(call, &d[0], &d[1], &result), &result)                \
                   : ret;                                                                                    \
    }
BINARY(call_add, cel_decimal_add)
BINARY(call_subtract, subtract)
BINARY(call_multiply, cel_decimal_multiply)
BINARY(call_greatest, greatest)
BINARY(call_least, least)

static struct cel_value divided(struct cel_call *call, const struct cel_value *args, bool is_modulo)
{
    struct decimal d[2];
    struct decimal result;
    struct cel_value ret;
    if (!take(call, args, 2, d, &ret)) {
        return ret;
    }
    if (d[1].count == 0) {
        return cel_fail_static(is_modulo ? "decimals.mod: division by zero"
                                         : "decimals.div: division by zero");
    }
    bool is_done = is_modulo ? cel_decimal_remainder(call, &d[0], &d[1], &result)
                             : cel_decimal_divide(call, &d[0], &d[1], &result);
    return cel_decimal_value(call, is_done, &result);
}

static struct cel_value divide(struct cel_call *call, const struct cel_value *args)
{
    return divided(call, args, false);
}

static struct cel_value modulo(struct cel_call *call, const struct cel_value *args)
{
    return divided(call, args, true);
}

static struct cel_value square_root(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct decimal root;
    struct cel_value ret;
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    if (d.is_negative) {
        return cel_fail_static("decimals.sqrt: square root of negative number");
    }
    return cel_decimal_value(call, cel_decimal_sqrt(call, &d, &root), &root);
}

static struct cel_value negate(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct cel_value ret;
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    d = negated(d);
    return cel_decimal_value(call, true, &d);
}

static struct cel_value absolute(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct cel_value ret;
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    d.is_negative = false;
    return cel_decimal_value(call, true, &d);
}

static struct cel_value sign(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct cel_value ret;
    return take(call, args, 1, &d, &ret) ? cel_int(d.is_negative ? -1 : d.count > 0) : ret;
}

// ---- rounding

static struct cel_value to_scale(struct cel_call *call, const struct cel_value *args, int64_t scale,
                                 enum decimal_rounding rounding)
{
    struct decimal d;
    struct decimal rounded;
    struct cel_value ret;
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    if (rounding == DECIMAL_DOWN && scale >= d.scale) { // what has no digits to lose stays as it is
        return cel_decimal_value(call, true, &d);
    }
    return cel_decimal_value(call, cel_decimal_set_scale(call, &d, scale, rounding, &rounded), &rounded);
}

static struct cel_value round_half_up(struct cel_call *call, const struct cel_value *args)
{
    return to_scale(call, args, call->count == 2 ? args[1].i : 0, DECIMAL_HALF_UP);
}

static struct cel_value truncate(struct cel_call *call, const struct cel_value *args)
{
    return to_scale(call, args, call->count == 2 ? args[1].i : 0, DECIMAL_DOWN);
}

static struct cel_value floor_of(struct cel_call *call, const struct cel_value *args)
{
    return to_scale(call, args, 0, DECIMAL_FLOOR);
}

static struct cel_value ceiling_of(struct cel_call *call, const struct cel_value *args)
{
    return to_scale(call, args, 0, DECIMAL_CEILING);
}

// ---- conversions

static struct cel_value to_string(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct cel_value ret;
    struct cel_text out = {.call = call};
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    cel_decimal_print(&d, &out);
    return cel_text_done(&out);
}

static struct cel_value to_double(struct cel_call *call, const struct cel_value *args)
{
    struct decimal d;
    struct cel_value ret;
    struct cel_text out = {.call = call};
    if (!take(call, args, 1, &d, &ret)) {
        return ret;
    }
    int scale = d.scale;
    d.scale = 0;
    cel_decimal_print(&d, &out);
    cel_text_printf(&out, "e%d", -scale);
    cel_text_char(&out, '\0');
    return call->is_over ? cel_over(call) : cel_double(strtod(out.ptr, NULL));
}

static const struct cel_function functions[] = {
    {.name = "decimal", .signature = "*:" DECIMAL, .call = make},
    {.name = "decimal", .signature = "yi:" DECIMAL, .call = make_of_bytes},
    {.name = "decimals.eq", .signature = "**:b", .call = equal},
    {.name = "decimals.lt", .signature = "**:b", .call = less},
    {.name = "decimals.le", .signature = "**:b", .call = less_equal},
    {.name = "decimals.gt", .signature = "**:b", .call = greater},
    {.name = "decimals.ge", .signature = "**:b", .call = greater_equal},
    {.name = "decimals.add", .signature = "**:" DECIMAL, .call = call_add},
    {.name = "decimals.sub", .signature = "**:" DECIMAL, .call = call_subtract},
    {.name = "decimals.mul", .signature = "**:" DECIMAL, .call = call_multiply},
    {.name = "decimals.div", .signature = "**:" DECIMAL, .call = divide},
    {.name = "decimals.mod", .signature = "**:" DECIMAL, .call = modulo},
    {.name = "decimals.greatest", .signature = "**:" DECIMAL, .call = call_greatest},
    {.name = "decimals.least", .signature = "**:" DECIMAL, .call = call_least},
    {.name = "decimals.sqrt", .signature = "*:" DECIMAL, .call = square_root},
    {.name = "decimals.neg", .signature = "*:" DECIMAL, .call = negate},
    {.name = "decimals.abs", .signature = "*:" DECIMAL, .call = absolute},
    {.name = "decimals.sign", .signature = "*:i", .call = sign},
    {.name = "decimals.round", .signature = "*:" DECIMAL, .call = round_half_up},
    {.name = "decimals.round", .signature = "*i:" DECIMAL, .call = round_half_up},
    {.name = "decimals.trunc", .signature = "*:" DECIMAL, .call = truncate},
    {.name = "decimals.trunc", .signature = "*i:" DECIMAL, .call = truncate},
    {.name = "decimals.floor", .signature = "*:" DECIMAL, .call = floor_of},
    {.name = "decimals.ceil", .signature = "*:" DECIMAL, .call = ceiling_of},
    {.name = "string", .signature = DECIMAL ":s", .call = to_string},
    {.name = "string", .signature = MESSAGE ":s", .call = to_string},
    {.name = "double", .signature = DECIMAL ":d", .call = to_double},
    {.name = "double", .signature = MESSAGE ":d", .call = to_double},
};

const struct cel_library cel_decimal_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
