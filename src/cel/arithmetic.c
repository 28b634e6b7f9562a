// SPDX-License-Identifier: Apache-2.0
// arithmetic.c - + - * / % and what they mean besides numbers. Overflow is an error, never a wrong number.
#include "cel/program_private.h"

static struct cel_value overflow(void)
{
    return cel_fail_static("integer overflow");
}

static struct cel_value out_of_range(void)
{
    return cel_fail_static("a time out of range");
}

// ---- time

// Seconds and nanoseconds, brought into order.
static struct cel_value moment(enum cel_kind kind, __int128_t seconds, int64_t nanos)
{
    if (nanos < 0 || nanos >= CEL_NANOS_PER_SECOND) {
        seconds += nanos < 0 ? -1 : 1;
        nanos += nanos < 0 ? CEL_NANOS_PER_SECOND : -CEL_NANOS_PER_SECOND;
    }
    bool is_timestamp = kind == CEL_TIMESTAMP;
    __int128_t low = is_timestamp ? CEL_TIMESTAMP_MIN : -CEL_DURATION_MAX;
    __int128_t high = is_timestamp ? CEL_TIMESTAMP_MAX : CEL_DURATION_MAX;
    if (seconds < low || seconds > high) {
        return out_of_range();
    }
    return is_timestamp ? cel_timestamp((int64_t)seconds, (uint32_t)nanos)
                        : cel_duration((int64_t)seconds, (uint32_t)nanos);
}

// False: they are no times that can be added.
static bool add_times(struct cel_value a, struct cel_value b, struct cel_value *ret)
{
    bool is_timestamp = a.kind == CEL_TIMESTAMP || b.kind == CEL_TIMESTAMP;
    bool has_duration = a.kind == CEL_DURATION || b.kind == CEL_DURATION;
    bool are_times = (a.kind == CEL_TIMESTAMP || a.kind == CEL_DURATION) &&
                     (b.kind == CEL_TIMESTAMP || b.kind == CEL_DURATION);
    if (!are_times || !has_duration) {
        return false;
    }
    *ret = moment(is_timestamp ? CEL_TIMESTAMP : CEL_DURATION, (__int128_t)a.i + b.i, (int64_t)a.len + b.len);
    return true;
}

static bool subtract_times(struct cel_value a, struct cel_value b, struct cel_value *ret)
{
    bool is_timestamp = a.kind == CEL_TIMESTAMP && b.kind == CEL_DURATION;
    bool is_duration = a.kind == b.kind && (a.kind == CEL_TIMESTAMP || a.kind == CEL_DURATION);
    if (!is_timestamp && !is_duration) {
        return false;
    }
    *ret = moment(is_timestamp ? CEL_TIMESTAMP : CEL_DURATION, (__int128_t)a.i - b.i, (int64_t)a.len - b.len);
    return true;
}

// ---- strings, bytes, lists

static struct cel_value concat_bytes(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    size_t size = (size_t)a.len + b.len;
    char *joined = size <= UINT32_MAX && cel_pay(call, size / 32) ? cel_new(call, char, size + 1) : NULL;
    if (joined == NULL) {
        return cel_over(call);
    }
    if (a.len > 0) {
        memcpy(joined, a.ptr, a.len);
    }
    if (b.len > 0) {
        memcpy(joined + a.len, b.ptr, b.len);
    }
    return cel_text_value((enum cel_kind)a.kind, joined, size);
}

static struct cel_value concat_lists(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    size_t size_a;
    size_t size_b;
    if (!cel_list_size(call, a, &size_a) || !cel_list_size(call, b, &size_b)) {
        return cel_over(call);
    }
    struct cel_value *items = cel_new(call, struct cel_value, size_a + size_b + 1);
    size_t count = 0;
    struct cel_walk walk = cel_walk(a);
    struct cel_value key;
    while (items != NULL && cel_walk_next(call, &walk, &key, &items[count])) {
        count++;
    }
    walk = cel_walk(b);
    while (items != NULL && cel_walk_next(call, &walk, &key, &items[count])) {
        count++;
    }
    return items == NULL ? cel_over(call) : cel_list(items, count);
}

// ---- the operators

struct cel_value cel_add(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_value sum = a;
    if (a.kind != b.kind) {
        return add_times(a, b, &sum) ? sum : cel_no_overload(call, "_+_", a, b);
    }
    switch (a.kind) {
    case CEL_INT:
        return __builtin_add_overflow(a.i, b.i, &sum.i) ? overflow() : sum;
    case CEL_UINT:
        return __builtin_add_overflow(a.u, b.u, &sum.u) ? overflow() : sum;
    case CEL_DOUBLE:
        return cel_double(a.d + b.d);
    case CEL_STRING:
    case CEL_BYTES:
        return concat_bytes(call, a, b);
    case CEL_LIST:
        return concat_lists(call, a, b);
    case CEL_DURATION:
        add_times(a, b, &sum);
        return sum;
    default:
        return cel_no_overload(call, "_+_", a, b);
    }
}

struct cel_value cel_subtract(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_value difference = a;
    if (subtract_times(a, b, &difference)) {
        return difference;
    }
    if (a.kind == b.kind && a.kind == CEL_INT) {
        return __builtin_sub_overflow(a.i, b.i, &difference.i) ? overflow() : difference;
    }
    if (a.kind == b.kind && a.kind == CEL_UINT) {
        return __builtin_sub_overflow(a.u, b.u, &difference.u) ? overflow() : difference;
    }
    if (a.kind == b.kind && a.kind == CEL_DOUBLE) {
        return cel_double(a.d - b.d);
    }
    return cel_no_overload(call, "_-_", a, b);
}

struct cel_value cel_multiply(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    struct cel_value product = a;
    if (a.kind == b.kind && a.kind == CEL_INT) {
        return __builtin_mul_overflow(a.i, b.i, &product.i) ? overflow() : product;
    }
    if (a.kind == b.kind && a.kind == CEL_UINT) {
        return __builtin_mul_overflow(a.u, b.u, &product.u) ? overflow() : product;
    }
    if (a.kind == b.kind && a.kind == CEL_DOUBLE) {
        return cel_double(a.d * b.d);
    }
    return cel_no_overload(call, "_*_", a, b);
}

struct cel_value cel_divide(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    if (a.kind != b.kind || (a.kind != CEL_INT && a.kind != CEL_UINT && a.kind != CEL_DOUBLE)) {
        return cel_no_overload(call, "_/_", a, b);
    }
    if (a.kind == CEL_DOUBLE) {
        return cel_double(a.d / b.d);
    }
    if (b.i == 0) {
        return cel_fail_static("division by zero");
    }
    if (a.kind == CEL_UINT) {
        return cel_uint(a.u / b.u);
    }
    return a.i == INT64_MIN && b.i == -1 ? overflow() : cel_int(a.i / b.i);
}

struct cel_value cel_modulo(struct cel_call *call, struct cel_value a, struct cel_value b)
{
    if (a.kind != b.kind || (a.kind != CEL_INT && a.kind != CEL_UINT)) {
        return cel_no_overload(call, "_%_", a, b);
    }
    if (b.i == 0) {
        return cel_fail_static("modulus by zero");
    }
    if (a.kind == CEL_UINT) {
        return cel_uint(a.u % b.u);
    }
    return a.i == INT64_MIN && b.i == -1 ? overflow() : cel_int(a.i % b.i);
}

struct cel_value cel_negate(struct cel_call *call, struct cel_value a)
{
    if (a.kind == CEL_INT) {
        return a.i == INT64_MIN ? overflow() : cel_int(-a.i);
    }
    if (a.kind == CEL_DOUBLE) {
        return cel_double(-a.d);
    }
    if (a.kind == CEL_ERROR) {
        return a;
    }
    struct str is = cel_type_name(a);
    return cel_fail(call, "no matching overload for '-_' applied to '(" STR_FMT ")'", STR_ARG(is));
}
