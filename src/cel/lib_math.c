// SPDX-License-Identifier: Apache-2.0
// lib_math.c - the math extension of CEL.
#include <math.h>

#include "cel/library.h"

// ---- greatest, least: numbers of any kinds, or one list of them

static struct cel_value pick(struct cel_value best, struct cel_value next, int sign)
{
    int order = 0;
    if (best.kind == CEL_ERROR) {
        return best;
    }
    if (next.kind != CEL_INT && next.kind != CEL_UINT && next.kind != CEL_DOUBLE) {
        return cel_fail_static("math.greatest and math.least take numbers");
    }
    if (best.kind == CEL_NULL) {
        return next;
    }
    return cel_compare(next, best, &order) && order * sign > 0 ? next : best;
}

static struct cel_value pick_all(struct cel_call *call, const struct cel_value *args, int sign)
{
    struct cel_value best = cel_null();
    if (call->count == 1 && args[0].kind == CEL_LIST) {
        struct cel_walk walk = cel_walk(args[0]);
        struct cel_value key;
        struct cel_value item;
        while (cel_walk_next(call, &walk, &key, &item)) {
            best = pick(best, item, sign);
        }
    } else {
        for (size_t i = 0; i < call->count; i++) {
            best = pick(best, args[i], sign);
        }
    }
    if (call->is_over) {
        return cel_over(call);
    }
    return best.kind == CEL_NULL ? cel_fail_static("math.greatest and math.least of an empty list") : best;
}

static struct cel_value greatest(struct cel_call *call, const struct cel_value *args)
{
    return pick_all(call, args, 1);
}

static struct cel_value least(struct cel_call *call, const struct cel_value *args)
{
    return pick_all(call, args, -1);
}

// ---- of one double

#define DOUBLE_FUNCTION(name, result)                                                                        \
    static struct cel_value name(struct cel_call *call, const struct cel_value *args)                        \
    {                                                                                                        \
        (void)call;                                                                                          \
        double d = args[0].d;                                                                                \
        return result;                                                                                       \
    }
DOUBLE_FUNCTION(math_ceil, cel_double(ceil(d)))
DOUBLE_FUNCTION(math_floor, cel_double(floor(d)))
DOUBLE_FUNCTION(math_round, cel_double(round(d))) // halves away from zero
DOUBLE_FUNCTION(math_trunc, cel_double(trunc(d)))
DOUBLE_FUNCTION(is_nan, cel_bool(isnan(d) != 0))
DOUBLE_FUNCTION(is_inf, cel_bool(isinf(d) != 0))
DOUBLE_FUNCTION(is_finite, cel_bool(isfinite(d) != 0))
DOUBLE_FUNCTION(abs_double, cel_double(fabs(d)))
DOUBLE_FUNCTION(sign_double, cel_double(isnan(d) ? d : d > 0 ? 1.0 : d < 0 ? -1.0 : 0.0))
DOUBLE_FUNCTION(sqrt_double, cel_double(sqrt(d)))

static struct cel_value sqrt_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_double(sqrt((double)args[0].i));
}

static struct cel_value sqrt_uint(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_double(sqrt((double)args[0].u));
}

static struct cel_value abs_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    int64_t i = args[0].i;
    return i == INT64_MIN ? cel_fail_static("integer overflow") : cel_int(i < 0 ? -i : i);
}

static struct cel_value abs_uint(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return args[0];
}

static struct cel_value sign_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_int((args[0].i > 0) - (args[0].i < 0));
}

static struct cel_value sign_uint(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_uint(args[0].u > 0);
}

// ---- bits: both kinds have the same 64; the result has the kind of the first

static struct cel_value with_bits(struct cel_value like, uint64_t bits)
{
    like.u = bits;
    return like;
}

static struct cel_value bit_and(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return with_bits(args[0], args[0].u & args[1].u);
}

static struct cel_value bit_or(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return with_bits(args[0], args[0].u | args[1].u);
}

static struct cel_value bit_xor(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return with_bits(args[0], args[0].u ^ args[1].u);
}

static struct cel_value bit_not(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return with_bits(args[0], ~args[0].u);
}

static const char negative_shift[] = "a shift by a negative number";

static struct cel_value shift_left(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    if (args[1].i < 0) {
        return cel_fail_static(negative_shift);
    }
    return with_bits(args[0], args[1].i >= 64 ? 0 : args[0].u << args[1].i);
}

static struct cel_value shift_right(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    if (args[1].i < 0) {
        return cel_fail_static(negative_shift);
    }
    return with_bits(args[0], args[1].i >= 64 ? 0 : args[0].u >> args[1].i); // of an int as well: its bits
}

static const struct cel_function functions[] = {
    {.name = "math.greatest", .signature = "i+:i", .call = greatest},
    {.name = "math.greatest", .signature = "u+:u", .call = greatest},
    {.name = "math.greatest", .signature = "d+:d", .call = greatest},
    {.name = "math.greatest", .signature = "[i:i", .call = greatest},
    {.name = "math.greatest", .signature = "[u:u", .call = greatest},
    {.name = "math.greatest", .signature = "[d:d", .call = greatest},
    {.name = "math.greatest", .signature = "*+:*", .call = greatest},
    {.name = "math.least", .signature = "i+:i", .call = least},
    {.name = "math.least", .signature = "u+:u", .call = least},
    {.name = "math.least", .signature = "d+:d", .call = least},
    {.name = "math.least", .signature = "[i:i", .call = least},
    {.name = "math.least", .signature = "[u:u", .call = least},
    {.name = "math.least", .signature = "[d:d", .call = least},
    {.name = "math.least", .signature = "*+:*", .call = least},
    {.name = "math.ceil", .signature = "d:d", .call = math_ceil},
    {.name = "math.floor", .signature = "d:d", .call = math_floor},
    {.name = "math.round", .signature = "d:d", .call = math_round},
    {.name = "math.trunc", .signature = "d:d", .call = math_trunc},
    {.name = "math.isNaN", .signature = "d:b", .call = is_nan},
    {.name = "math.isInf", .signature = "d:b", .call = is_inf},
    {.name = "math.isFinite", .signature = "d:b", .call = is_finite},
    {.name = "math.abs", .signature = "i:i", .call = abs_int},
    {.name = "math.abs", .signature = "u:u", .call = abs_uint},
    {.name = "math.abs", .signature = "d:d", .call = abs_double},
    {.name = "math.sign", .signature = "i:i", .call = sign_int},
    {.name = "math.sign", .signature = "u:u", .call = sign_uint},
    {.name = "math.sign", .signature = "d:d", .call = sign_double},
    {.name = "math.sqrt", .signature = "i:d", .call = sqrt_int},
    {.name = "math.sqrt", .signature = "u:d", .call = sqrt_uint},
    {.name = "math.sqrt", .signature = "d:d", .call = sqrt_double},
    {.name = "math.bitAnd", .signature = "ii:i", .call = bit_and},
    {.name = "math.bitAnd", .signature = "uu:u", .call = bit_and},
    {.name = "math.bitOr", .signature = "ii:i", .call = bit_or},
    {.name = "math.bitOr", .signature = "uu:u", .call = bit_or},
    {.name = "math.bitXor", .signature = "ii:i", .call = bit_xor},
    {.name = "math.bitXor", .signature = "uu:u", .call = bit_xor},
    {.name = "math.bitNot", .signature = "i:i", .call = bit_not},
    {.name = "math.bitNot", .signature = "u:u", .call = bit_not},
    {.name = "math.bitShiftLeft", .signature = "ii:i", .call = shift_left},
    {.name = "math.bitShiftLeft", .signature = "ui:u", .call = shift_left},
    {.name = "math.bitShiftRight", .signature = "ii:i", .call = shift_right},
    {.name = "math.bitShiftRight", .signature = "ui:u", .call = shift_right},
};

const struct cel_library cel_math_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
