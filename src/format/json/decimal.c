// SPDX-License-Identifier: Apache-2.0
#include "format/json/decimal_private.h"

#include "base/hash.h"

enum { EXPONENT_MAX = 1 << 30 }; // more is cut: no text has as many digits

struct decimal decimal_parse(struct str number)
{
    const char *p = number.ptr;
    const char *end = p + number.len;
    struct decimal d = {0};
    d.is_negative = *p == '-';
    p += d.is_negative;
    const char *first = NULL;
    const char *last = NULL;
    uint32_t since_first = 0; // digits from the first that is not 0
    uint32_t until_last = 0;
    int64_t fraction = 0;
    int64_t fraction_until_last = 0;
    bool is_fraction = false;
    for (; p < end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            is_fraction = true;
            continue;
        }
        fraction += is_fraction;
        first = first == NULL && *p != '0' ? p : first;
        since_first += first != NULL;
        if (*p != '0') {
            last = p;
            until_last = since_first;
            fraction_until_last = fraction;
        }
    }
    if (last == NULL) {
        return (struct decimal){0};
    }
    int64_t exponent = 0;
    if (p < end) {
        p++;
        bool is_down = *p == '-';
        p += *p == '-' || *p == '+';
        for (; p < end; p++) {
            exponent = exponent > EXPONENT_MAX ? exponent : exponent * 10 + (*p - '0');
        }
        exponent = is_down ? -exponent : exponent;
    }
    d.digits = first;
    d.count = until_last;
    // Behind the last digit that counts: fraction digits before it lower the exponent, whole zeros behind it
    // raise it.
    int64_t whole_zeros = fraction_until_last == 0 ? (int64_t)(since_first - until_last) - fraction : 0;
    d.exponent = exponent - fraction_until_last + whole_zeros;
    return d;
}

static const char *next_digit(const char *p)
{
    p++;
    return *p == '.' ? p + 1 : p;
}

static int compare_digits(const struct decimal *a, const struct decimal *b)
{
    const char *p = a->digits;
    const char *q = b->digits;
    uint32_t common = a->count < b->count ? a->count : b->count;
    for (uint32_t i = 0; i < common; i++) {
        if (*p != *q) {
            return *p < *q ? -1 : 1;
        }
        if (i + 1 < common) {
            p = next_digit(p);
            q = next_digit(q);
        }
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->count == 0 || b->count == 0) {
        int sign_a = a->count == 0 ? 0 : a->is_negative ? -1 : 1;
        int sign_b = b->count == 0 ? 0 : b->is_negative ? -1 : 1;
        return sign_a - sign_b;
    }
    if (a->is_negative != b->is_negative) {
        return a->is_negative ? -1 : 1;
    }
    int64_t top_a = a->exponent + a->count;
    int64_t top_b = b->exponent + b->count;
    int order = top_a != top_b ? (top_a < top_b ? -1 : 1) : compare_digits(a, b);
    return a->is_negative ? -order : order;
}

uint64_t decimal_hash(const struct decimal *d, uint64_t seed)
{
    uint64_t hash = hash_mix(seed + d->is_negative, (uint64_t)d->exponent);
    const char *p = d->digits;
    uint64_t chunk = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        chunk = chunk * 10 + (uint64_t)(*p - '0');
        if (i % 18 == 17) {
            hash = hash_mix(hash, chunk);
            chunk = 0;
        }
        if (i + 1 < d->count) {
            p = next_digit(p);
        }
    }
    return hash_mix(hash, chunk + d->count);
}

uint64_t decimal_coefficient(const struct decimal *d)
{
    uint64_t value = 0;
    const char *p = d->digits;
    for (uint32_t i = 0; i < d->count; i++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (i + 1 < d->count) {
            p = next_digit(p);
        }
    }
    return value;
}

bool decimal_is_multiple(const struct decimal *d, const struct decimal *divisor)
{
    if (d->count == 0) {
        return true;
    }
    // a * 10^x is a multiple of b * 10^y: a does not end with 0, so x may not be below y.
    if (d->exponent < divisor->exponent) {
        return false;
    }
    uint64_t b = decimal_coefficient(divisor);
    uint64_t rest = 0;
    const char *p = d->digits;
    for (uint32_t i = 0; i < d->count; i++) {
        rest = (uint64_t)(((__uint128_t)rest * 10 + (uint64_t)(*p - '0')) % b);
        if (i + 1 < d->count) {
            p = next_digit(p);
        }
    }
    uint64_t power = 10 % b; // rest * 10^(x - y) by squaring
    for (uint64_t n = (uint64_t)(d->exponent - divisor->exponent); n > 0 && rest > 0; n /= 2) {
        if (n % 2 == 1) {
            rest = (uint64_t)((__uint128_t)rest * power % b);
        }
        power = (uint64_t)((__uint128_t)power * power % b);
    }
    return rest == 0;
}
