// SPDX-License-Identifier: Apache-2.0
// decimal_private.h - JSON numbers compared exactly, where they lie: no number of a payload passes through a
// double.
#ifndef FORMAT_JSON_DECIMAL_PRIVATE_H
#define FORMAT_JSON_DECIMAL_PRIVATE_H

#include "base/bytes.h"

// digits × 10^exponent. Borrowed from the text, without zeros at either end; there may be a point within.
struct decimal {
    const char *digits;
    uint32_t count;   // of digits; 0 is zero
    int64_t exponent; // of the last digit
    bool is_negative;
};
struct decimal decimal_parse(struct str number); // of well-formed JSON
int decimal_compare(const struct decimal *a, const struct decimal *b);
uint64_t decimal_hash(const struct decimal *d, uint64_t seed);
static inline bool decimal_is_integer(const struct decimal *d)
{
    return d->exponent >= 0;
}

enum { DIVISOR_DIGITS_MAX = 18 };
// decimal_is_multiple: the divisor is positive and has at most DIVISOR_DIGITS_MAX digits.
bool decimal_is_multiple(const struct decimal *d, const struct decimal *divisor);
uint64_t decimal_coefficient(const struct decimal *d); // of at most DIVISOR_DIGITS_MAX digits

#endif
