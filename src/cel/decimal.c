// SPDX-License-Identifier: Apache-2.0
// decimal.c - arithmetic on decimal numbers: schoolbook, in base 10^9. Numbers are short, and what they cost
// is paid.
#include "cel/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

enum {
    BASE = 1000000000,
    BASE_DIGITS = 9,
    // While it works a division has the dividend of a number and DECIMAL_DIVISION_DIGITS more.
    LIMBS_MAX = 2 * (DECIMAL_DIGITS_MAX / BASE_DIGITS + 1) + 16,
    LIMB_PAIRS_PER_STEP = 16,
};

// A magnitude that is being made.
struct limbs {
    uint32_t *ptr;
    uint32_t count;
};

static uint32_t power_of_ten(unsigned exponent)
{
    uint32_t power = 1;
    while (exponent-- > 0) {
        power *= 10;
    }
    return power;
}

static void trim_limbs(struct limbs *m)
{
    while (m->count > 0 && m->ptr[m->count - 1] == 0) {
        m->count--;
    }
}

static bool new_limbs(struct cel_call *call, size_t count, struct limbs *ret)
{
    if (count > LIMBS_MAX) {
        return false;
    }
    *ret = (struct limbs){cel_new(call, uint32_t, count + 1), (uint32_t)count};
    return ret->ptr != NULL;
}

static struct limbs limbs_of(const struct decimal *d)
{
    return (struct limbs){(uint32_t *)(uintptr_t)d->limbs, d->count}; // only read
}

static uint32_t count_digits(struct limbs m)
{
    if (m.count == 0) {
        return 1;
    }
    uint32_t digits = (m.count - 1) * BASE_DIGITS;
    for (uint32_t top = m.ptr[m.count - 1]; top > 0; top /= 10) {
        digits++;
    }
    return digits;
}

uint32_t cel_decimal_digits(const struct decimal *d)
{
    return count_digits(limbs_of(d));
}

static bool finish(bool is_negative, struct limbs m, int64_t scale, struct decimal *ret)
{
    trim_limbs(&m);
    if (scale > DECIMAL_SCALE_MAX || scale < -DECIMAL_SCALE_MAX || count_digits(m) > DECIMAL_DIGITS_MAX) {
        return false;
    }
    *ret = (struct decimal){is_negative && m.count > 0, (int32_t)scale, m.count, m.ptr};
    return true;
}

// ---- magnitudes

static int compare_limbs(struct limbs a, struct limbs b)
{
    if (a.count != b.count) {
        return a.count < b.count ? -1 : 1;
    }
    for (uint32_t i = a.count; i-- > 0;) {
        if (a.ptr[i] != b.ptr[i]) {
            return a.ptr[i] < b.ptr[i] ? -1 : 1;
        }
    }
    return 0;
}

// In place: m * factor + addend. There is room for one limb more.
static void multiply_small(struct limbs *m, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (uint32_t i = 0; i < m->count; i++) {
        carry += (uint64_t)m->ptr[i] * factor;
        m->ptr[i] = (uint32_t)(carry % BASE);
        carry /= BASE;
    }
    if (carry > 0) {
        m->ptr[m->count++] = (uint32_t)carry;
    }
}

// In place; returns the remainder.
static uint32_t divide_small(struct limbs *m, uint32_t divisor)
{
    uint64_t rest = 0;
    for (uint32_t i = m->count; i-- > 0;) {
        rest = rest * BASE + m->ptr[i];
        m->ptr[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    trim_limbs(m);
    return (uint32_t)rest;
}

static bool multiply_limbs(struct cel_call *call, struct limbs a, struct limbs b, struct limbs *ret)
{
    if (!cel_pay(call, 1 + (uint64_t)a.count * b.count / LIMB_PAIRS_PER_STEP) ||
        !new_limbs(call, (size_t)a.count + b.count, ret)) {
        return false;
    }
    for (uint32_t i = 0; i < a.count; i++) {
        uint64_t carry = 0;
        for (uint32_t k = 0; k < b.count || carry > 0; k++) {
            carry += ret->ptr[i + k] + (k < b.count ? (uint64_t)a.ptr[i] * b.ptr[k] : 0);
            ret->ptr[i + k] = (uint32_t)(carry % BASE);
            carry /= BASE;
        }
    }
    trim_limbs(ret);
    return true;
}

// a * 10^exponent.
static bool scale_up(struct cel_call *call, struct limbs a, uint64_t exponent, struct limbs *ret)
{
    if (a.count == 0) {
        exponent = 0;
    }
    uint64_t shift = exponent / BASE_DIGITS;
    if (shift > LIMBS_MAX || !cel_pay(call, 1 + shift / LIMB_PAIRS_PER_STEP) ||
        !new_limbs(call, a.count + shift + 1, ret)) {
        return false;
    }
    if (a.count > 0) {
        memcpy(ret->ptr + shift, a.ptr, a.count * sizeof *a.ptr);
    }
    ret->count = (uint32_t)(a.count == 0 ? 0 : a.count + shift);
    multiply_small(ret, power_of_ten((unsigned)(exponent % BASE_DIGITS)), 0);
    return true;
}

static int compare_halves(uint32_t low, uint32_t half, bool has_more)
{
    if (low != half) {
        return low < half ? -1 : 1;
    }
    return has_more ? 1 : 0;
}

// a / 10^exponent, towards zero. *ret_rest: 0 if nothing was cut; else 1 less than half, 2 half, 3 more than
// half.
static bool scale_down(struct cel_call *call, struct limbs a, uint64_t exponent, struct limbs *ret,
                       int *ret_rest)
{
    if (!cel_pay(call, 1 + a.count / LIMB_PAIRS_PER_STEP) || !new_limbs(call, (size_t)a.count + 1, ret)) {
        return false;
    }
    *ret_rest = 0;
    if (exponent > (uint64_t)a.count * BASE_DIGITS) { // less than a tenth is left
        *ret_rest = a.count > 0;
        ret->count = 0;
        return true;
    }
    if (exponent == 0) {
        ret->count = a.count;
        memcpy(ret->ptr, a.ptr, a.count * sizeof *a.ptr);
        return true;
    }
    uint32_t shift =
        (uint32_t)((exponent - 1) / BASE_DIGITS); // whole limbs below the one with the first digit cut
    unsigned digits = (unsigned)((exponent - 1) % BASE_DIGITS) + 1;
    bool has_more = false;
    for (uint32_t i = 0; i < shift; i++) {
        has_more |= a.ptr[i] != 0;
    }
    ret->count = a.count - shift;
    memcpy(ret->ptr, a.ptr + shift, ret->count * sizeof *a.ptr);
    uint32_t power = power_of_ten(digits - 1);
    uint32_t low = divide_small(ret, power);
    uint32_t first = divide_small(ret, 10); // the first digit that is cut
    has_more |= low != 0;
    if (first != 0 || has_more) {
        *ret_rest = 2 + compare_halves(first, 5, has_more);
    }
    return true;
}

static bool add_limbs(struct cel_call *call, struct limbs a, struct limbs b, struct limbs *ret)
{
    uint32_t count = a.count > b.count ? a.count : b.count;
    if (!cel_pay(call, 1 + count / LIMB_PAIRS_PER_STEP) || !new_limbs(call, (size_t)count + 1, ret)) {
        return false;
    }
    uint32_t carry = 0;
    for (uint32_t i = 0; i <= count; i++) {
        carry += (i < a.count ? a.ptr[i] : 0) + (i < b.count ? b.ptr[i] : 0);
        ret->ptr[i] = carry % BASE;
        carry /= BASE;
    }
    trim_limbs(ret);
    return true;
}

// In place: a - b, where a is not less.
static void subtract_limbs(struct limbs *a, struct limbs b)
{
    int64_t borrow = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        borrow += (int64_t)a->ptr[i] - (i < b.count ? b.ptr[i] : 0);
        a->ptr[i] = (uint32_t)(borrow < 0 ? borrow + BASE : borrow);
        borrow = borrow < 0 ? -1 : 0;
    }
    trim_limbs(a);
}

// The digit of the quotient at `at` (Knuth, volume 2, 4.3.1, algorithm D): guessed from the first limbs, at
// most two too large, then taken off.
static uint32_t divide_step(struct limbs rest, struct limbs b, uint32_t at)
{
    uint32_t n = b.count;
    uint64_t top = (uint64_t)rest.ptr[at + n] * BASE + rest.ptr[at + n - 1];
    uint64_t guess = top / b.ptr[n - 1];
    uint64_t left = top % b.ptr[n - 1];
    while (guess >= BASE || guess * b.ptr[n - 2] > left * BASE + rest.ptr[at + n - 2]) {
        guess--;
        left += b.ptr[n - 1];
        if (left >= BASE) {
            break;
        }
    }
    int64_t borrow = 0;
    uint64_t carry = 0;
    for (uint32_t i = 0; i <= n; i++) {
        carry += i < n ? guess * b.ptr[i] : 0;
        borrow += (int64_t)rest.ptr[at + i] - (int64_t)(carry % BASE);
        carry /= BASE;
        rest.ptr[at + i] = (uint32_t)(borrow < 0 ? borrow + BASE : borrow);
        borrow = borrow < 0 ? -1 : 0;
    }
    if (borrow == 0) {
        return (uint32_t)guess;
    }
    uint32_t over = 0; // one too large: put it back
    for (uint32_t i = 0; i <= n; i++) {
        over += rest.ptr[at + i] + (i < n ? b.ptr[i] : 0);
        rest.ptr[at + i] = over % BASE;
        over /= BASE;
    }
    return (uint32_t)guess - 1;
}

// a / b and what is left; b is not zero.
static bool divide_limbs(struct cel_call *call, struct limbs a, struct limbs b, struct limbs *ret,
                         struct limbs *ret_rest)
{
    uint64_t pairs = (uint64_t)(a.count + 1) * b.count;
    if (!cel_pay(call, 1 + pairs / LIMB_PAIRS_PER_STEP) || !new_limbs(call, (size_t)a.count + 1, ret) ||
        !new_limbs(call, (size_t)a.count + 1, ret_rest)) {
        return false;
    }
    if (compare_limbs(a, b) < 0 || b.count == 1) {
        ret->count = b.count == 1 ? a.count : 0;
        ret_rest->count = a.count;
        memcpy(b.count == 1 ? ret->ptr : ret_rest->ptr, a.ptr, a.count * sizeof *a.ptr);
        if (b.count == 1) {
            ret_rest->ptr[0] = divide_small(ret, b.ptr[0]);
            ret_rest->count = 1;
        }
        trim_limbs(ret_rest);
        return true;
    }
    // Both times a factor, so that the divisor's first limb is at least half of the base.
    uint32_t factor = BASE / (b.ptr[b.count - 1] + 1);
    struct limbs divisor;
    if (!new_limbs(call, (size_t)b.count + 1, &divisor)) {
        return false;
    }
    memcpy(divisor.ptr, b.ptr, b.count * sizeof *b.ptr);
    divisor.count = b.count;
    multiply_small(&divisor, factor, 0);
    memcpy(ret_rest->ptr, a.ptr, a.count * sizeof *a.ptr);
    ret_rest->ptr[a.count] = 0;
    ret_rest->count = a.count;
    multiply_small(ret_rest, factor, 0);
    ret_rest->count = a.count + 1;
    ret->count = a.count - b.count + 1;
    for (uint32_t at = ret->count; at-- > 0;) {
        ret->ptr[at] = divide_step(*ret_rest, divisor, at);
    }
    trim_limbs(ret);
    trim_limbs(ret_rest);
    divide_small(ret_rest, factor);
    return true;
}

// ---- where numbers come from

// Digits with at most one point, which the caller has looked at.
static bool digits_to_limbs(struct cel_call *call, struct str text, struct limbs *ret)
{
    if (text.len > DECIMAL_DIGITS_MAX + 1 || !new_limbs(call, text.len / BASE_DIGITS + 2, ret)) {
        return false;
    }
    if (!cel_pay(call, 1 + (uint64_t)text.len * text.len / (BASE_DIGITS * LIMB_PAIRS_PER_STEP))) {
        return false;
    }
    ret->count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '.') {
            multiply_small(ret, 10, (uint32_t)(text.ptr[i] - '0'));
        }
    }
    return true;
}

// An optional exponent behind the digits: e+10.
static bool parse_exponent(struct str text, int64_t *ret)
{
    if (text.len == 0) {
        *ret = 0;
        return true;
    }
    if (text.ptr[0] != 'e' && text.ptr[0] != 'E') {
        return false;
    }
    text = (struct str){text.ptr + 1, text.len - 1};
    if (text.len > 1 && text.ptr[0] == '+' && text.ptr[1] != '-') {
        text = (struct str){text.ptr + 1, text.len - 1};
    }
    return str_parse_i64(text, ret) && *ret >= INT32_MIN && *ret <= INT32_MAX;
}

bool cel_decimal_parse(struct cel_call *call, struct str text, struct decimal *ret)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    if (is_negative || (text.len > 0 && text.ptr[0] == '+')) {
        text = (struct str){text.ptr + 1, text.len - 1};
    }
    size_t len = 0;
    size_t digits = 0;
    size_t point = SIZE_MAX;
    for (; len < text.len; len++) {
        if (text.ptr[len] == '.' && point == SIZE_MAX) {
            point = len;
        } else if (text.ptr[len] >= '0' && text.ptr[len] <= '9') {
            digits++;
        } else {
            break;
        }
    }
    int64_t exponent = 0;
    struct limbs m;
    if (digits == 0 || !parse_exponent((struct str){text.ptr + len, text.len - len}, &exponent) ||
        !digits_to_limbs(call, (struct str){text.ptr, len}, &m)) {
        return false;
    }
    int64_t scale = point == SIZE_MAX ? 0 : (int64_t)(len - point - 1);
    return finish(is_negative, m, scale - exponent, ret);
}

bool cel_decimal_from_u64(struct cel_call *call, bool is_negative, uint64_t value, struct decimal *ret)
{
    struct limbs m;
    if (!new_limbs(call, 3, &m)) {
        return false;
    }
    for (uint32_t i = 0; i < 3; i++) {
        m.ptr[i] = (uint32_t)(value % BASE);
        value /= BASE;
    }
    return finish(is_negative, m, 0, ret);
}

bool cel_decimal_from_double(struct cel_call *call, double value, struct decimal *ret)
{
    enum { DIGITS_OF_DOUBLE = 17 };
    char text[40];
    if (!isfinite(value)) {
        return false;
    }
    // From 0.001 to 10^7 Java writes no exponent, and at least one digit behind the point in any
    // case: 5.0, 1.0E10.
    double size = fabs(value);
    bool is_plain = (size >= 1e-3 && size < 1e7) || size == 0;
    for (int digits = is_plain ? 1 : 2; digits <= DIGITS_OF_DOUBLE; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    if (!cel_decimal_parse(call, str_from_c(text), ret)) {
        return false;
    }
    return !is_plain || ret->scale >= 1 || cel_decimal_set_scale(call, ret, 1, DECIMAL_DOWN, ret);
}

bool cel_decimal_from_bytes(struct cel_call *call, struct bytes bytes, int64_t scale, struct decimal *ret)
{
    struct limbs m;
    if (bytes.len > DECIMAL_DIGITS_MAX / 2 || !new_limbs(call, bytes.len / 3 + 2, &m) ||
        !cel_pay(call, 1 + (uint64_t)bytes.len * bytes.len / (4 * LIMB_PAIRS_PER_STEP))) {
        return false;
    }
    bool is_negative = bytes.len > 0 && (bytes.ptr[0] & 0x80) != 0;
    m.count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = is_negative ? (uint8_t)~bytes.ptr[i] : bytes.ptr[i];
        multiply_small(&m, 256, byte);
    }
    if (is_negative) { // the complement is one less
        struct limbs one = {(uint32_t[]){1}, 1};
        if (!add_limbs(call, m, one, &m)) {
            return false;
        }
    }
    return finish(is_negative, m, scale, ret);
}

// ---- comparison

int cel_decimal_compare(const struct decimal *a, const struct decimal *b)
{
    int sign = a->is_negative ? -1 : 1;
    if (a->count == 0 || b->count == 0 || a->is_negative != b->is_negative) {
        int x = a->count == 0 ? 0 : sign;
        int y = b->count == 0 ? 0 : b->is_negative ? -1 : 1;
        return x - y;
    }
    int64_t top_a = (int64_t)cel_decimal_digits(a) - a->scale;
    int64_t top_b = (int64_t)cel_decimal_digits(b) - b->scale;
    if (top_a != top_b) {
        return top_a < top_b ? -sign : sign;
    }
    // As many digits before the point: compared from the first digit on.
    uint32_t most =
        cel_decimal_digits(a) > cel_decimal_digits(b) ? cel_decimal_digits(a) : cel_decimal_digits(b);
    for (uint32_t i = 0; i < most; i++) {
        const struct decimal *of[2] = {a, b};
        uint32_t digit[2] = {0};
        for (int k = 0; k < 2; k++) {
            uint32_t digits = cel_decimal_digits(of[k]);
            if (i < digits) {
                uint32_t at = digits - 1 - i;
                digit[k] = of[k]->limbs[at / BASE_DIGITS] / power_of_ten(at % BASE_DIGITS) % 10;
            }
        }
        if (digit[0] != digit[1]) {
            return digit[0] < digit[1] ? -sign : sign;
        }
    }
    return 0;
}

// ---- arithmetic

bool cel_decimal_add(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                     struct decimal *ret)
{
    int32_t scale = a->scale > b->scale ? a->scale : b->scale;
    struct limbs x;
    struct limbs y;
    struct limbs sum;
    if (!scale_up(call, limbs_of(a), (uint64_t)((int64_t)scale - a->scale), &x) ||
        !scale_up(call, limbs_of(b), (uint64_t)((int64_t)scale - b->scale), &y)) {
        return false;
    }
    if (a->is_negative == b->is_negative) {
        return add_limbs(call, x, y, &sum) && finish(a->is_negative, sum, scale, ret);
    }
    bool is_less = compare_limbs(x, y) < 0;
    subtract_limbs(is_less ? &y : &x, is_less ? x : y);
    return finish(is_less ? b->is_negative : a->is_negative, is_less ? y : x, scale, ret);
}

bool cel_decimal_multiply(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                          struct decimal *ret)
{
    struct limbs product;
    return multiply_limbs(call, limbs_of(a), limbs_of(b), &product) &&
           finish(a->is_negative != b->is_negative, product, (int64_t)a->scale + b->scale, ret);
}

static bool rounds_up(enum decimal_rounding rounding, bool is_negative, int rest)
{
    switch (rounding) {
    case DECIMAL_HALF_UP:
        return rest >= 2;
    case DECIMAL_FLOOR:
        return is_negative && rest > 0;
    case DECIMAL_CEILING:
        return !is_negative && rest > 0;
    default:
        return false;
    }
}

bool cel_decimal_set_scale(struct cel_call *call, const struct decimal *a, int64_t scale,
                           enum decimal_rounding rounding, struct decimal *ret)
{
    struct limbs m;
    int rest = 0;
    if (scale > DECIMAL_SCALE_MAX || scale < -DECIMAL_SCALE_MAX) {
        return false;
    }
    if (scale >= a->scale) {
        return scale_up(call, limbs_of(a), (uint64_t)(scale - a->scale), &m) &&
               finish(a->is_negative, m, scale, ret);
    }
    if (!scale_down(call, limbs_of(a), (uint64_t)(a->scale - scale), &m, &rest)) {
        return false;
    }
    if (rounds_up(rounding, a->is_negative, rest)) {
        struct limbs one = {(uint32_t[]){1}, 1};
        if (!add_limbs(call, m, one, &m)) {
            return false;
        }
    }
    return finish(a->is_negative, m, scale, ret);
}

// Rounds a magnitude to DECIMAL_DIVISION_DIGITS, where `is_inexact` says that there is more behind it. An
// exact one loses its last zeros, down to the scale that is preferred.
static bool round_result(struct cel_call *call, bool is_negative, struct limbs m, bool is_inexact,
                         int64_t scale, int64_t preferred, struct decimal *ret)
{
    uint32_t digits = count_digits(m);
    int rest = 0;
    if (digits > DECIMAL_DIVISION_DIGITS) {
        uint32_t cut = digits - DECIMAL_DIVISION_DIGITS;
        if (!scale_down(call, m, cut, &m, &rest)) {
            return false;
        }
        scale -= cut;
    }
    if (rest >= 2) {
        struct limbs one = {(uint32_t[]){1}, 1};
        if (!add_limbs(call, m, one, &m)) {
            return false;
        }
        if (count_digits(m) > DECIMAL_DIVISION_DIGITS) { // 99.9 became 100
            divide_small(&m, 10);
            scale--;
        }
    }
    while (rest == 0 && !is_inexact && scale > preferred && m.count > 0 && m.ptr[0] % 10 == 0) {
        divide_small(&m, 10);
        scale--;
    }
    return finish(is_negative, m, scale, ret);
}

bool cel_decimal_divide(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                        struct decimal *ret)
{
    ASSERT(b->count > 0);
    int64_t preferred = (int64_t)a->scale - b->scale;
    if (a->count == 0) {
        return finish(false, (struct limbs){NULL, 0}, preferred, ret);
    }
    // As many zeros more that the quotient has two digits more than are kept.
    int64_t more = DECIMAL_DIVISION_DIGITS + 2 + (int64_t)cel_decimal_digits(b) - cel_decimal_digits(a);
    more = more < 0 ? 0 : more;
    struct limbs dividend;
    struct limbs quotient;
    struct limbs rest;
    return scale_up(call, limbs_of(a), (uint64_t)more, &dividend) &&
           divide_limbs(call, dividend, limbs_of(b), &quotient, &rest) &&
           round_result(call, a->is_negative != b->is_negative, quotient, rest.count > 0, preferred + more,
                        preferred, ret);
}

bool cel_decimal_remainder(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                           struct decimal *ret)
{
    ASSERT(b->count > 0);
    int64_t scale = a->scale > b->scale ? a->scale : b->scale;
    struct limbs x;
    struct limbs y;
    struct limbs quotient;
    struct limbs rest;
    if (!scale_up(call, limbs_of(a), (uint64_t)(scale - a->scale), &x) ||
        !scale_up(call, limbs_of(b), (uint64_t)(scale - b->scale), &y) ||
        !divide_limbs(call, x, y, &quotient, &rest) || !finish(a->is_negative, rest, scale, ret)) {
        return false;
    }
    // The scale is that of a - quotient * b, where the quotient has the scale a.scale - b.scale if it can.
    int64_t least = (int64_t)a->scale - b->scale;
    int64_t of_quotient = quotient.count == 0 ? least : 0;
    while (quotient.count > 0 && of_quotient > least && quotient.ptr[0] % 10 == 0) {
        divide_small(&quotient, 10);
        of_quotient--;
    }
    int64_t wanted = of_quotient + b->scale > a->scale ? of_quotient + b->scale : a->scale;
    return cel_decimal_set_scale(call, ret, wanted, DECIMAL_DOWN, ret);
}

// Newton's method on integers, from above.
static bool sqrt_limbs(struct cel_call *call, struct limbs a, struct limbs *ret, bool *ret_is_exact)
{
    struct limbs guess;
    struct limbs quotient;
    struct limbs rest;
    struct limbs one = {(uint32_t[]){1}, 1};
    if (!scale_up(call, one, count_digits(a) / 2 + 1, &guess)) {
        return false;
    }
    for (;;) {
        struct limbs next;
        if (!divide_limbs(call, a, guess, &quotient, &rest) || !add_limbs(call, guess, quotient, &next)) {
            return false;
        }
        divide_small(&next, 2);
        if (compare_limbs(next, guess) >= 0) {
            break;
        }
        guess = next;
    }
    *ret_is_exact = compare_limbs(quotient, guess) == 0 && rest.count == 0;
    *ret = guess;
    return true;
}

bool cel_decimal_sqrt(struct cel_call *call, const struct decimal *a, struct decimal *ret)
{
    ASSERT(!a->is_negative);
    int64_t preferred = a->scale / 2;
    if (a->count == 0) {
        return finish(false, (struct limbs){NULL, 0}, preferred, ret);
    }
    // Zeros until the root has two digits more than are kept, and the scale is even.
    int64_t more = 2 * (DECIMAL_DIVISION_DIGITS + 2) - (int64_t)cel_decimal_digits(a);
    more = more < 0 ? 0 : more;
    more += (a->scale + more) % 2 != 0;
    struct limbs square;
    struct limbs root;
    bool is_exact = false;
    return scale_up(call, limbs_of(a), (uint64_t)more, &square) &&
           sqrt_limbs(call, square, &root, &is_exact) &&
           round_result(call, false, root, !is_exact, (a->scale + more) / 2, preferred, ret);
}

// ---- text

static void print_zeros(struct cel_text *out, int64_t count)
{
    while (count-- > 0 && !out->call->is_over) {
        cel_text_char(out, '0');
    }
}

void cel_decimal_print(const struct decimal *d, struct cel_text *out)
{
    int64_t digits = cel_decimal_digits(d);
    int64_t whole = digits - d->scale; // before the point
    cel_text_append(out, d->is_negative ? STR("-") : STR(""));
    if (whole <= 0) {
        cel_text_append(out, STR("0."));
        print_zeros(out, -whole);
    }
    for (int64_t i = 0; i < digits; i++) {
        int64_t at = digits - 1 - i;
        uint32_t limb = d->count == 0 ? 0 : d->limbs[at / BASE_DIGITS];
        if (i == whole && i > 0) {
            cel_text_char(out, '.');
        }
        cel_text_char(out, (char)('0' + limb / power_of_ten((unsigned)(at % BASE_DIGITS)) % 10));
    }
    if (d->count > 0) {
        print_zeros(out, -d->scale);
    }
}
