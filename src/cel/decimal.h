// SPDX-License-Identifier: Apache-2.0
// decimal.h - decimal numbers of any scale, as java.math.BigDecimal has them, with at most DECIMAL_DIGITS_MAX
// digits. Numbers live in the arena of the run, and their work is paid for.
#ifndef CEL_DECIMAL_H
#define CEL_DECIMAL_H

#include "cel/text.h"

enum {
    DECIMAL_DIGITS_MAX = 2000,
    DECIMAL_SCALE_MAX = 1 << 20, // either way
    DECIMAL_DIVISION_DIGITS = 38,
};

// limbs * 10^-scale. The limbs are of base 10^9, the least first, none of them a leading zero.
struct decimal {
    bool is_negative;
    int32_t scale;
    uint32_t count; // 0: zero
    const uint32_t *limbs;
};

enum decimal_rounding {
    DECIMAL_DOWN,    // towards zero
    DECIMAL_HALF_UP, // to the nearest, ties away from zero
    DECIMAL_FLOOR,
    DECIMAL_CEILING,
};

// All but the first two return false if the run is over (call->is_over), the number is too large, or the text
// is none.
int cel_decimal_compare(const struct decimal *a, const struct decimal *b);
uint32_t cel_decimal_digits(const struct decimal *d); // of zero 1
bool cel_decimal_parse(struct cel_call *call, struct str text, struct decimal *ret);
bool cel_decimal_from_u64(struct cel_call *call, bool is_negative, uint64_t value, struct decimal *ret);
// cel_decimal_from_double takes the shortest text that means the number, as Double.toString writes it.
bool cel_decimal_from_double(struct cel_call *call, double value, struct decimal *ret);
// cel_decimal_from_bytes reads a two's complement, the most significant byte first; none is zero.
bool cel_decimal_from_bytes(struct cel_call *call, struct bytes bytes, int64_t scale, struct decimal *ret);
bool cel_decimal_add(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                     struct decimal *ret);
bool cel_decimal_multiply(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                          struct decimal *ret);
// cel_decimal_divide rounds to DECIMAL_DIVISION_DIGITS, half up; an exact quotient has the scale a.scale -
// b.scale, or as much more as it needs. The divisor is not zero.
bool cel_decimal_divide(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                        struct decimal *ret);
// cel_decimal_remainder has the sign of a.
bool cel_decimal_remainder(struct cel_call *call, const struct decimal *a, const struct decimal *b,
                           struct decimal *ret);
bool cel_decimal_sqrt(struct cel_call *call, const struct decimal *a, struct decimal *ret);
bool cel_decimal_set_scale(struct cel_call *call, const struct decimal *a, int64_t scale,
                           enum decimal_rounding rounding, struct decimal *ret);
void cel_decimal_print(const struct decimal *d, struct cel_text *out); // without an exponent

// cel_decimal_value is what an operation that ended so gives: the number, or an error (lib_decimal.c).
struct cel_value cel_decimal_value(struct cel_call *call, bool is_done, const struct decimal *decimal);
// cel_decimal_of_message reads a message confluent.type.Decimal; false if it is another one, or malformed.
bool cel_decimal_of_message(struct cel_call *call, struct cel_value message, struct decimal *ret);

#endif
