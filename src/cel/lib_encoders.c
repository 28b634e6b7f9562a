// SPDX-License-Identifier: Apache-2.0
// lib_encoders.c - base64 (RFC 4648, padded; decoding also takes it without padding).
#include "cel/library.h"
#include "cel/text.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct cel_value cel_base64_encode(struct cel_call *call, const struct cel_value *args)
{
    struct bytes in = cel_bytes_of(args[0]);
    size_t size = (in.len + 2) / 3 * 4;
    char *out = cel_pay_bytes(call, size) ? cel_new(call, char, size + 1) : NULL;
    if (out == NULL) {
        return cel_over(call);
    }
    size_t at = 0;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t bits = (uint32_t)in.ptr[i] << 16;
        bits |= left > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0;
        bits |= left > 2 ? in.ptr[i + 2] : 0;
        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = '=';
        out[at++] = '=';
        if (left > 1) {
            out[at - 2] = digits[bits >> 6 & 63];
        }
        if (left > 2) {
            out[at - 1] = digits[bits & 63];
        }
    }
    return cel_string((struct str){out, size});
}

static int digit_of(char c)
{
    const char *found = c == 0 ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

// Without padding; false: it is not of groups of four.
static bool drop_padding(struct str *s)
{
    size_t padding = 0;
    while (padding < 2 && s->len > 0 && s->ptr[s->len - 1] == '=') {
        s->len--;
        padding++;
    }
    return s->len % 4 != 1 && (padding == 0 || (s->len + padding) % 4 == 0);
}

static struct cel_value decode(struct cel_call *call, const struct cel_value *args)
{
    struct str in = cel_str(args[0]);
    uint8_t *out = cel_pay_bytes(call, in.len) ? cel_new(call, uint8_t, in.len + 1) : NULL;
    if (out == NULL) {
        return cel_over(call);
    }
    bool is_valid = drop_padding(&in);
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < in.len && is_valid; i++) {
        int digit = digit_of(in.ptr[i]);
        is_valid = digit >= 0;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) {
            out[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    return is_valid ? cel_bytes(bytes_of(out, len)) : cel_fail_static("the text is no base64");
}

static const struct cel_function functions[] = {
    {.name = "base64.encode", .signature = "y:s", .call = cel_base64_encode},
    {.name = "base64.decode", .signature = "s:y", .call = decode},
};

const struct cel_library cel_encoders_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
