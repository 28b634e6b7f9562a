// SPDX-License-Identifier: Apache-2.0
// convert.c - values made from values of other types.
#include "cel/standard_private.h"
#include "cel/program_private.h"
#include "cel/time_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { NUMBER_TEXT_MAX = 512 };

static struct cel_value out_of_range(const char *text)
{
    return cel_fail_static(text);
}

static struct cel_value same(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return args[0];
}

// ---- whole numbers

static struct cel_value int_of_uint(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return args[0].u > INT64_MAX ? out_of_range("a number out of the range of int") : cel_int(args[0].i);
}

static struct cel_value int_of_double(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    double d = args[0].d;
    bool is_inside = d > -9223372036854775808.0 && d < 9223372036854775808.0;
    return is_inside ? cel_int((int64_t)d) : out_of_range("a number out of the range of int");
}

static struct cel_value int_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct str text = cel_str(args[0]);
    int64_t number;
    if (text.len > 1 && text.ptr[0] == '+') {
        text = (struct str){text.ptr + 1, text.len - 1};
    }
    bool is_number = text.len > 0 && text.len < NUMBER_TEXT_MAX && str_parse_i64(text, &number);
    return is_number ? cel_int(number) : cel_fail_static("a string that is no int");
}

static struct cel_value int_of_timestamp(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_int(args[0].i);
}

static struct cel_value uint_of_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return args[0].i < 0 ? out_of_range("a number out of the range of uint") : cel_uint(args[0].u);
}

static struct cel_value uint_of_double(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    double d = args[0].d;
    bool is_inside = d > -1 && d < 18446744073709551616.0;
    return is_inside ? cel_uint((uint64_t)d) : out_of_range("a number out of the range of uint");
}

static struct cel_value uint_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct str text = cel_str(args[0]);
    uint64_t number = 0;
    bool is_number = text.len > 0;
    for (size_t i = text.len > 1 && text.ptr[0] == '+'; i < text.len && is_number; i++) {
        is_number = text.ptr[i] >= '0' && text.ptr[i] <= '9' &&
                    !__builtin_mul_overflow(number, (uint64_t)10, &number) &&
                    !__builtin_add_overflow(number, (uint64_t)(text.ptr[i] - '0'), &number);
    }
    return is_number ? cel_uint(number) : cel_fail_static("a string that is no uint");
}

// ---- doubles

static struct cel_value double_of_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_double((double)args[0].i);
}

static struct cel_value double_of_uint(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_double((double)args[0].u);
}

// What strtod reads in any locale and what is a number: digits, a point, an exponent.
static bool is_plain_number(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < '0' || text.ptr[i] > '9') && strchr("+-.eE", text.ptr[i]) == NULL) {
            return false;
        }
    }
    return text.len > 0 && text.len < NUMBER_TEXT_MAX && memchr(text.ptr, '\0', text.len) == NULL;
}

static struct cel_value double_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct str text = cel_str(args[0]);
    char copy[NUMBER_TEXT_MAX];
    char *end = copy;
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    struct str unsigned_text = {text.ptr + is_negative, text.len - is_negative};
    if (str_equal(unsigned_text, STR("Infinity")) || str_equal(unsigned_text, STR("inf"))) {
        return cel_double(is_negative ? -__builtin_inf() : __builtin_inf());
    }
    if (str_equal(text, STR("NaN"))) {
        return cel_double(__builtin_nan(""));
    }
    if (!is_plain_number(text)) {
        return cel_fail_static("a string that is no double");
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, &end);
    return *end == '\0' ? cel_double(number) : cel_fail_static("a string that is no double");
}

// ---- bool, bytes

static struct cel_value bool_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE",
                                        "f",     "t",    "F",     "T",    "0",     "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_equal(cel_str(args[0]), str_from_c(words[i]))) {
            return cel_bool(i % 2 == 1);
        }
    }
    return cel_fail_static("a string that is no bool");
}

static struct cel_value bytes_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    return cel_text_value(CEL_BYTES, args[0].ptr, args[0].len);
}

// ---- strings

// The shortest digits that read back as the number, and where its point is: 0.d1d2d3... times ten to
// *ret_point.
static void shortest(double number, char digits[24], int *ret_point)
{
    char text[CEL_DOUBLE_TEXT_SIZE];
    for (int precision = 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    size_t len = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        if (*at != '.') {
            digits[len++] = *at;
        }
    }
    while (len > 1 && digits[len - 1] == '0') {
        len--;
    }
    digits[len] = '\0';
    *ret_point = (int)strtol(at + 1, NULL, 10) + 1;
}

size_t cel_print_double(double number, char ret_text[CEL_DOUBLE_TEXT_SIZE])
{
    if (number != number || number == __builtin_inf() || number == -__builtin_inf()) {
        const char *word = number != number ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
        return (size_t)snprintf(ret_text, CEL_DOUBLE_TEXT_SIZE, "%s", word);
    }
    char digits[24];
    int point;
    const char *sign = __builtin_signbit(number) ? "-" : "";
    double size = __builtin_fabs(number);
    shortest(size, digits, &point);
    int len = (int)strlen(digits);
    if (size != 0 && (size < 1e-3 || size >= 1e7)) {
        return (size_t)snprintf(ret_text, CEL_DOUBLE_TEXT_SIZE, "%s%c.%sE%d", sign, digits[0],
                                len > 1 ? digits + 1 : "0", point - 1);
    }
    if (point <= 0) {
        return (size_t)snprintf(ret_text, CEL_DOUBLE_TEXT_SIZE, "%s0.%.*s%s", sign, -point, "000", digits);
    }
    int behind = len > point ? len - point : 0;
    return (size_t)snprintf(ret_text, CEL_DOUBLE_TEXT_SIZE, "%s%.*s%.*s.%s", sign, len < point ? len : point,
                            digits, len < point ? point - len : 0, "00000000",
                            behind > 0 ? digits + point : "0");
}

static struct cel_value string_of_bytes(struct cel_call *call, struct cel_value bytes)
{
    if (!cel_pay(call, bytes.len / 32)) {
        return cel_over(call);
    }
    return utf8_is_valid(cel_str(bytes)) ? cel_text_value(CEL_STRING, bytes.ptr, bytes.len)
                                         : cel_fail_static("bytes that are not valid UTF-8");
}

struct cel_value cel_to_string(struct cel_call *call, struct cel_value value)
{
    char text[CEL_DOUBLE_TEXT_SIZE + TIME_TEXT_SIZE];
    size_t len = 0;
    switch (value.kind) {
    case CEL_STRING:
        return value;
    case CEL_BYTES:
        return string_of_bytes(call, value);
    case CEL_BOOL:
        return cel_string(value.i != 0 ? STR("true") : STR("false"));
    case CEL_INT:
        len = (size_t)snprintf(text, sizeof text, "%lld", (long long)value.i);
        break;
    case CEL_UINT:
        len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)value.u);
        break;
    case CEL_DOUBLE:
        len = cel_print_double(value.d, text);
        break;
    case CEL_TIMESTAMP:
        len = time_print_timestamp(value, text);
        break;
    case CEL_DURATION:
        len = time_print_duration(value, text);
        break;
    default: {
        struct str is = cel_type_name(value);
        return value.kind == CEL_ERROR
                   ? value
                   : cel_fail(call, "a value of type " STR_FMT " is no string", STR_ARG(is));
    }
    }
    return cel_copy_string(call, (struct str){text, len});
}

static struct cel_value to_string(struct cel_call *call, const struct cel_value *args)
{
    return cel_to_string(call, args[0]);
}

// ---- time

static struct cel_value timestamp_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return time_parse_timestamp(cel_str(args[0]), &value) ? value
                                                          : cel_fail_static("a string that is no timestamp");
}

static struct cel_value timestamp_of_int(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    bool is_inside = args[0].i >= CEL_TIMESTAMP_MIN && args[0].i <= CEL_TIMESTAMP_MAX;
    return is_inside ? cel_timestamp(args[0].i, 0) : out_of_range("a time out of range");
}

static struct cel_value duration_of_string(struct cel_call *call, const struct cel_value *args)
{
    (void)call;
    struct cel_value value;
    return time_parse_duration(cel_str(args[0]), &value) ? value
                                                         : cel_fail_static("a string that is no duration");
}

// ---- types

static struct cel_value type_of(struct cel_call *call, const struct cel_value *args)
{
    return cel_type_of(call, args[0]);
}

static const struct cel_function functions[] = {
    {.name = "int", .signature = "i:i", .call = same},
    {.name = "int", .signature = "u:i", .call = int_of_uint},
    {.name = "int", .signature = "d:i", .call = int_of_double},
    {.name = "int", .signature = "s:i", .call = int_of_string},
    {.name = "int", .signature = "t:i", .call = int_of_timestamp},
    {.name = "uint", .signature = "u:u", .call = same},
    {.name = "uint", .signature = "i:u", .call = uint_of_int},
    {.name = "uint", .signature = "d:u", .call = uint_of_double},
    {.name = "uint", .signature = "s:u", .call = uint_of_string},
    {.name = "double", .signature = "d:d", .call = same},
    {.name = "double", .signature = "i:d", .call = double_of_int},
    {.name = "double", .signature = "u:d", .call = double_of_uint},
    {.name = "double", .signature = "s:d", .call = double_of_string},
    {.name = "bool", .signature = "b:b", .call = same},
    {.name = "bool", .signature = "s:b", .call = bool_of_string},
    {.name = "bytes", .signature = "y:y", .call = same},
    {.name = "bytes", .signature = "s:y", .call = bytes_of_string},
    {.name = "string", .signature = "s:s", .call = same},
    {.name = "string", .signature = "b:s", .call = to_string},
    {.name = "string", .signature = "i:s", .call = to_string},
    {.name = "string", .signature = "u:s", .call = to_string},
    {.name = "string", .signature = "d:s", .call = to_string},
    {.name = "string", .signature = "y:s", .call = to_string},
    {.name = "string", .signature = "t:s", .call = to_string},
    {.name = "string", .signature = "r:s", .call = to_string},
    {.name = "timestamp", .signature = "t:t", .call = same},
    {.name = "timestamp", .signature = "s:t", .call = timestamp_of_string},
    {.name = "timestamp", .signature = "i:t", .call = timestamp_of_int},
    {.name = "duration", .signature = "r:r", .call = same},
    {.name = "duration", .signature = "s:r", .call = duration_of_string},
    {.name = "dyn", .signature = "*:*", .call = same},
    {.name = "type", .signature = "*:k", .call = type_of},
};

const struct cel_library cel_convert_library = {functions, sizeof functions / sizeof functions[0], NULL, 0};
