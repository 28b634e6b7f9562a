// SPDX-License-Identifier: Apache-2.0
// compare.c - equality and order. Numbers are numbers: 1 == 1u == 1.0, and they compare without being
// rounded.
#include "cel/message.h"
#include "cel/program_private.h"

static const double two_63 = 9223372036854775808.0;
static const double two_64 = 18446744073709551616.0;

// ---- numbers: -1, 0, 1; of NaN false

static bool compare_doubles(double a, double b, int *ret)
{
    *ret = a < b ? -1 : a > b;
    return a == b || *ret != 0;
}

// As the language's definition has it the whole number is made a double, once the double is in its range.
static bool compare_int_double(int64_t a, double b, int *ret)
{
    if (b > two_63 || b < -two_63) {
        *ret = b > 0 ? -1 : 1;
        return true;
    }
    return compare_doubles((double)a, b, ret);
}

static bool compare_uint_double(uint64_t a, double b, int *ret)
{
    if (b > two_64 || b < 0) {
        *ret = b > 0 ? -1 : 1;
        return true;
    }
    return compare_doubles((double)a, b, ret);
}

static bool compare_int_uint(int64_t a, uint64_t b, int *ret)
{
    *ret = a < 0 || (uint64_t)a < b ? -1 : (uint64_t)a > b;
    return true;
}

static bool is_number(struct cel_value value)
{
    return value.kind == CEL_INT || value.kind == CEL_UINT || value.kind == CEL_DOUBLE;
}

static bool compare_numbers(struct cel_value a, struct cel_value b, int *ret)
{
    if (a.kind > b.kind) {
        bool is_known = compare_numbers(b, a, ret);
        *ret = -*ret;
        return is_known;
    }
    if (a.kind == CEL_INT) {
        if (b.kind == CEL_INT) {
            *ret = a.i < b.i ? -1 : a.i > b.i;
            return true;
        }
        return b.kind == CEL_UINT ? compare_int_uint(a.i, b.u, ret) : compare_int_double(a.i, b.d, ret);
    }
    if (a.kind == CEL_UINT) {
        *ret = a.u < b.u ? -1 : a.u > b.u;
        return b.kind == CEL_UINT ? true : compare_uint_double(a.u, b.d, ret);
    }
    return compare_doubles(a.d, b.d, ret);
}

// ---- order

static int compare_moments(struct cel_value a, struct cel_value b)
{
    if (a.i != b.i) {
        return a.i < b.i ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

bool cel_compare(struct cel_value a, struct cel_value b, int *ret)
{
    if (is_number(a) && is_number(b)) {
        *ret = 0;
        return compare_numbers(a, b, ret);
    }
    if (a.kind != b.kind) {
        return false;
    }
    switch (a.kind) {
    case CEL_BOOL:
        *ret = a.i < b.i ? -1 : a.i > b.i;
        return true;
    case CEL_STRING:
    case CEL_BYTES: // of UTF-8 the order of bytes is the order of code points
        *ret = str_compare(cel_str(a), cel_str(b));
        return true;
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        *ret = compare_moments(a, b);
        return true;
    case CEL_OPAQUE: {
        const struct cel_object *x = cel_object_of(a);
        const struct cel_object *y = cel_object_of(b);
        return x->ops == y->ops && x->ops->compare != NULL && x->ops->compare(x, y, ret);
    }
    default:
        return false;
    }
}

// ---- equality

static struct cel_value equal_lists(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_walk walk_a = cel_walk(a);
    struct cel_walk walk_b = cel_walk(b);
    struct cel_value key;
    struct cel_value x;
    struct cel_value y;
    for (;;) {
        bool has_a = cel_walk_next(call, &walk_a, &key, &x);
        bool has_b = cel_walk_next(call, &walk_b, &key, &y);
        if (!has_a || !has_b) {
            return cel_bool(has_a == has_b);
        }
        struct cel_value equal = cel_equal(call, x, y);
        if (equal.kind != CEL_BOOL || equal.i == 0) {
            return equal;
        }
    }
}

static struct cel_value equal_maps(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    size_t size_a = 0;
    size_t size_b = 0;
    struct cel_value key;
    struct cel_value x;
    struct cel_value y;
    if (!cel_map_size(call, a, &size_a) || !cel_map_size(call, b, &size_b) || size_a != size_b) {
        return cel_bool(false);
    }
    struct cel_walk walk = cel_walk(a);
    while (cel_walk_next(call, &walk, &key, &x)) {
        if (!cel_map_find(call, b, key, &y)) {
            return cel_bool(false);
        }
        struct cel_value equal = cel_equal(call, x, y);
        if (equal.kind != CEL_BOOL || equal.i == 0) {
            return equal;
        }
    }
    return cel_bool(true);
}

static struct cel_value equal_objects(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    const struct cel_object *x = cel_object_of(a);
    const struct cel_object *y = cel_object_of(b);
    if (x->ops != y->ops || x->ops->equal == NULL) {
        return cel_bool(x == y);
    }
    return x->ops->equal(call, x, y);
}

struct cel_value cel_equal(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    int order = 0;
    if (a.kind == CEL_ERROR || b.kind == CEL_ERROR) {
        return a.kind == CEL_ERROR ? a : b;
    }
    if (is_number(a) && is_number(b)) {
        return cel_bool(compare_numbers(a, b, &order) && order == 0);
    }
    if (a.kind != b.kind) {
        return cel_bool(false);
    }
    switch (a.kind) {
    case CEL_NULL:
        return cel_bool(true);
    case CEL_BOOL:
        return cel_bool(a.i == b.i);
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_TYPE:
        return cel_bool(str_equal(cel_str(a), cel_str(b)));
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        return cel_bool(compare_moments(a, b) == 0);
    case CEL_LIST:
        return equal_lists(call, a, b);
    case CEL_MAP:
        return equal_maps(call, a, b);
    case CEL_MESSAGE:
        return cel_message_equal(call, a, b);
    default:
        return equal_objects(call, a, b);
    }
}

bool cel_is_equal(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_value equal = cel_equal(call, a, b);
    return equal.kind == CEL_BOOL && equal.i != 0;
}
