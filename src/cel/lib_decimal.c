// SPDX-License-Identifier: Apache-2.0
// lib_decimal.c - decimal(x) and decimals.*, as in Confluent's clients: exact but for div and sqrt, which
// round to 38 digits, half up. Numbers have at most DECIMAL_DIGITS_MAX digits here, none there.
#include <stdlib.h>

#include "cel/decimal.h"
#include "cel/library.h"
#include "cel/message.h"

#define DECIMAL "#confluent.type.Decimal;"

struct decimal_object {
    struct cel_object object;
    struct decimal decimal;
};

static const struct decimal *cel_decimal_in(const struct cel_object *object)
{
    return &((const struct decimal_object *)(const void *)object)->decimal;
}

static const struct decimal *cel_decimal_of(struct cel_value value)
{
    return cel_decimal_in(cel_object_of(value));
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
static struct cel_value of_message(struct cel_call *call, struct cel_value message)
{
    struct decimal decimal;
    if (!str_equal(cel_message_name(message), STR("confluent.type.Decimal"))) {
        return cel_fail_static("decimal() takes a confluent.type.Decimal and no other message");
    }
    struct cel_value value = cel_message_field(call, message, STR("value"));
    struct cel_value scale = cel_message_field(call, message, STR("scale"));
    if (value.kind != CEL_BYTES || scale.kind != CEL_INT) {
        return cel_fail_static("this confluent.type.Decimal has no value or no scale");
    }
    return cel_decimal_value(call, cel_decimal_from_bytes(call, cel_bytes_of(value), scale.i, &decimal),
                             &decimal);
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
        (void)call;                                                                                          \
        return cel_bool(cel_decimal_compare(cel_decimal_of(args[0]), cel_decimal_of(args[1])) is 0);         \
    }
COMPARISON(equal, ==)
COMPARISON(less, <)
COMPARISON(less_equal, <=)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)

static struct cel_value greatest(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_decimal_compare(cel_decimal_of(args[0]), cel_decimal_of(args[1])) >= 0 ? args[0] : args[1];
}

static struct cel_value least(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_decimal_compare(cel_decimal_of(args[0]), cel_decimal_of(args[1])) <= 0 ? args[0] : args[1];
}

// ---- arithmetic

static struct cel_value add(struct cel_call *call, const struct cel_value *args)
{
    struct decimal sum;
    return cel_decimal_value(
        call, cel_decimal_add(call, cel_decimal_of(args[0]), cel_decimal_of(args[1]), &sum), &sum);
}

static struct decimal negated(const struct decimal *d)
{
    struct decimal negative = *d;
    negative.is_negative = !d->is_negative && d->count > 0;
    return negative;
}

static struct cel_value subtract(struct cel_call *call, const struct cel_value *args)
{
    struct decimal other = negated(cel_decimal_of(args[1]));
    struct decimal difference;
    return cel_decimal_value(call, cel_decimal_add(call, cel_decimal_of(args[0]), &other, &difference),
                             &difference);
}

static struct cel_value multiply(struct cel_call *call, const struct cel_value *args)
{
    struct decimal product;
    return cel_decimal_value(
        call, cel_decimal_multiply(call, cel_decimal_of(args[0]), cel_decimal_of(args[1]), &product),
        &product);
}

static struct cel_value divide(struct cel_call *call, const struct cel_value *args)
{
    struct decimal quotient;
    if (cel_decimal_of(args[1])->count == 0) {
        return cel_fail_static("decimals.div: division by zero");
    }
    return cel_decimal_value(
        call, cel_decimal_divide(call, cel_decimal_of(args[0]), cel_decimal_of(args[1]), &quotient),
        &quotient);
}

static struct cel_value modulo(struct cel_call *call, const struct cel_value *args)
{
    struct decimal rest;
    if (cel_decimal_of(args[1])->count == 0) {
        return cel_fail_static("decimals.mod: division by zero");
    }
    return cel_decimal_value(
        call, cel_decimal_remainder(call, cel_decimal_of(args[0]), cel_decimal_of(args[1]), &rest), &rest);
}

static struct cel_value square_root(struct cel_call *call, const struct cel_value *args)
{
    struct decimal root;
    if (cel_decimal_of(args[0])->is_negative) {
        return cel_fail_static("decimals.sqrt: square root of negative number");
    }
    return cel_decimal_value(call, cel_decimal_sqrt(call, cel_decimal_of(args[0]), &root), &root);
}

static struct cel_value negate(struct cel_call *call, const struct cel_value *args)
{
    struct decimal negative = negated(cel_decimal_of(args[0]));
    return cel_decimal_value(call, true, &negative);
}

static struct cel_value absolute(struct cel_call *call, const struct cel_value *args)
{
    struct decimal positive = *cel_decimal_of(args[0]);
    positive.is_negative = false;
    return cel_decimal_value(call, true, &positive);
}

static struct cel_value sign(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    const struct decimal *d = cel_decimal_of(args[0]);
    return cel_int(d->is_negative ? -1 : d->count > 0);
}

// ---- rounding

static struct cel_value to_scale(struct cel_call *call, const struct cel_value *args, int64_t scale,
                                 enum decimal_rounding rounding)
{
    struct decimal rounded;
    return cel_decimal_value(
        call, cel_decimal_set_scale(call, cel_decimal_of(args[0]), scale, rounding, &rounded), &rounded);
}

static struct cel_value round_half_up(struct cel_call *call, const struct cel_value *args)
{
    return to_scale(call, args, call->count == 2 ? args[1].i : 0, DECIMAL_HALF_UP);
}

// What has no digits to lose stays as it is.
static struct cel_value truncate(struct cel_call *call, const struct cel_value *args)
{
    int64_t scale = call->count == 2 ? args[1].i : 0;
    return scale >= cel_decimal_of(args[0])->scale ? args[0] : to_scale(call, args, scale, DECIMAL_DOWN);
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
    struct cel_text out = {.call = call};
    cel_decimal_print(cel_decimal_of(args[0]), &out);
    return cel_text_done(&out);
}

static struct cel_value to_double(struct cel_call *call, const struct cel_value *args)
{
    struct decimal whole = *cel_decimal_of(args[0]);
    struct cel_text out = {.call = call};
    whole.scale = 0;
    cel_decimal_print(&whole, &out);
    cel_text_printf(&out, "e%d", -cel_decimal_of(args[0])->scale);
    cel_text_char(&out, '\0');
    return call->is_over ? cel_over(call) : cel_double(strtod(out.ptr, NULL));
}

static const struct cel_function functions[] = {
    {.name = "decimal", .signature = "*:" DECIMAL, .call = make},
    {.name = "decimal", .signature = "yi:" DECIMAL, .call = make_of_bytes},
    {.name = "decimals.eq", .signature = DECIMAL DECIMAL ":b", .call = equal},
    {.name = "decimals.lt", .signature = DECIMAL DECIMAL ":b", .call = less},
    {.name = "decimals.le", .signature = DECIMAL DECIMAL ":b", .call = less_equal},
    {.name = "decimals.gt", .signature = DECIMAL DECIMAL ":b", .call = greater},
    {.name = "decimals.ge", .signature = DECIMAL DECIMAL ":b", .call = greater_equal},
    {.name = "decimals.add", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = add},
    {.name = "decimals.sub", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = subtract},
    {.name = "decimals.mul", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = multiply},
    {.name = "decimals.div", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = divide},
    {.name = "decimals.mod", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = modulo},
    {.name = "decimals.greatest", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = greatest},
    {.name = "decimals.least", .signature = DECIMAL DECIMAL ":" DECIMAL, .call = least},
    {.name = "decimals.sqrt", .signature = DECIMAL ":" DECIMAL, .call = square_root},
    {.name = "decimals.neg", .signature = DECIMAL ":" DECIMAL, .call = negate},
    {.name = "decimals.abs", .signature = DECIMAL ":" DECIMAL, .call = absolute},
    {.name = "decimals.sign", .signature = DECIMAL ":i", .call = sign},
    {.name = "decimals.round", .signature = DECIMAL ":" DECIMAL, .call = round_half_up},
    {.name = "decimals.round", .signature = DECIMAL "i:" DECIMAL, .call = round_half_up},
    {.name = "decimals.trunc", .signature = DECIMAL ":" DECIMAL, .call = truncate},
    {.name = "decimals.trunc", .signature = DECIMAL "i:" DECIMAL, .call = truncate},
    {.name = "decimals.floor", .signature = DECIMAL ":" DECIMAL, .call = floor_of},
    {.name = "decimals.ceil", .signature = DECIMAL ":" DECIMAL, .call = ceiling_of},
    {.name = "string", .signature = DECIMAL ":s", .call = to_string},
    {.name = "double", .signature = DECIMAL ":d", .call = to_double},
};

const struct cel_library cel_decimal_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
