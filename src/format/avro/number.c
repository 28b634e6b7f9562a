// SPDX-License-Identifier: Apache-2.0
// number.c - numbers as Jackson and the JVM print them: canonical text, and so every id, depends on each
// digit. Double.toString: at least one digit behind the point, scientific below 1e-3 and from 1e7 on.
#include "format/avro/avro_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIGITS_SIZE = 40 };

// The shortest decimal of at least two digits that reads back as the same number: digits without a point, and
// the power of ten of the first.
static void shortest(double number, bool is_float, char digits[DIGITS_SIZE], int *ret_exponent)
{
    char text[DIGITS_SIZE];
    for (int precision = 1; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (is_float ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number) {
            break;
        }
    }
    size_t count = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p != '.') {
            digits[count++] = *p;
        }
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    digits[count] = 0;
    *ret_exponent = (int)strtol(p + 1, NULL, 10);
}

static struct str print_real(double number, bool is_float, struct arena *arena)
{
    if (isnan(number)) {
        return STR("\"NaN\"");
    }
    const char *sign = signbit(number) ? "-" : "";
    if (isinf(number)) {
        return arena_printf(arena, "\"%sInfinity\"", sign);
    }
    number = fabs(number);
    if (number == 0) {
        return arena_printf(arena, "%s0.0", sign);
    }
    char digits[DIGITS_SIZE];
    int exponent;
    shortest(number, is_float, digits, &exponent);
    int count = (int)strlen(digits);
    if (exponent < -3 || exponent >= 7) {
        return arena_printf(arena, "%s%c.%sE%d", sign, digits[0], count > 1 ? digits + 1 : "0", exponent);
    }
    if (exponent < 0) {
        return arena_printf(arena, "%s0.%.*s%s", sign, -exponent - 1, "00", digits);
    }
    if (count <= exponent + 1) {
        return arena_printf(arena, "%s%s%.*s.0", sign, digits, exponent + 1 - count, "000000");
    }
    return arena_printf(arena, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

struct str avro_print_double(double number, struct arena *arena)
{
    return print_real(number, false, arena);
}

struct str avro_print_float(float number, struct arena *arena)
{
    return print_real((double)number, true, arena);
}

static bool is_integer(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' || text.ptr[i] == 'e' || text.ptr[i] == 'E') {
            return false;
        }
    }
    return true;
}

void avro_normalize_numbers(struct json_value *value, struct arena *arena)
{
    if (value->type == JSON_NUMBER) {
        if (!is_integer(value->text)) {
            value->text = avro_print_double(json_value_f64(value), arena);
        } else if (str_equal(value->text, STR("-0"))) {
            value->text = STR("0");
        }
        return;
    }
    if (value->type == JSON_ARRAY || value->type == JSON_OBJECT) {
        for (struct json_value *v = value->first; v != NULL; v = v->next) {
            avro_normalize_numbers(v, arena);
        }
    }
}

bool avro_parse_double(struct str text, double *ret)
{
    text = str_trim(text);
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    struct str word = text;
    if (is_negative || (text.len > 0 && text.ptr[0] == '+')) {
        word = (struct str){text.ptr + 1, text.len - 1};
    }
    if (str_equal(word, STR("NaN"))) {
        *ret = (double)NAN;
        return true;
    }
    if (str_equal(word, STR("Infinity"))) {
        *ret = is_negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    char copy[64];
    if (word.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (strchr("fFdD", copy[text.len - 1]) != NULL) {
        copy[text.len - 1] = 0;
    }
    if (copy[strspn(copy, "+-.eE0123456789")] != 0) {
        return false;
    }
    char *end;
    *ret = strtod(copy, &end);
    return end != copy && *end == 0;
}
