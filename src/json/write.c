// SPDX-License-Identifier: Apache-2.0
#include "json/write.h"

#include <math.h>

#include "base/assert.h"
#include "base/utf8.h"

// Before each value: a comma unless it is the first of its kind or follows its key.
static void value_begin(struct json *j)
{
    if (j->is_after_key) {
        j->is_after_key = false;
        return;
    }
    if (j->has_items[j->depth]) {
        buf_u8(j->out, ',');
    }
    j->has_items[j->depth] = j->depth > 0; // values at the top follow one another without commas
}

static void open_with(struct json *j, uint8_t bracket)
{
    ASSERT(j->depth < JSON_WRITE_DEPTH_MAX);
    value_begin(j);
    buf_u8(j->out, bracket);
    j->has_items[++j->depth] = false;
}

static void close_with(struct json *j, uint8_t bracket)
{
    ASSERT(j->depth > 0);
    ASSERT(!j->is_after_key);
    j->depth--;
    buf_u8(j->out, bracket);
}

void json_object_begin(struct json *j)
{
    open_with(j, '{');
}

void json_object_end(struct json *j)
{
    close_with(j, '}');
}

void json_array_begin(struct json *j)
{
    open_with(j, '[');
}

void json_array_end(struct json *j)
{
    close_with(j, ']');
}

static void escape(struct buf *out, uint8_t c)
{
    static const char letters[] = "btn\0fr"; // for 8 to 13
    if (c == '"' || c == '\\') {
        buf_u8(out, '\\');
        buf_u8(out, c);
    } else if (c >= 8 && c <= 13 && c != 11) {
        buf_u8(out, '\\');
        buf_u8(out, (uint8_t)letters[c - 8]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

static void write_text(struct buf *out, struct str text)
{
    buf_u8(out, '"');
    size_t at = 0;
    size_t plain_from = 0; // what needs no escape goes out in one piece
    while (at < text.len) {
        uint8_t c = (uint8_t)text.ptr[at];
        size_t size = utf8_size((struct str){text.ptr + at, text.len - at});
        if (size != 0 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\') {
            at += size;
            continue;
        }
        buf_append(out, text.ptr + plain_from, at - plain_from);
        if (size == 0) {
            buf_append_str(out, STR("\xef\xbf\xbd"));
        } else {
            escape(out, c);
        }
        plain_from = ++at;
    }
    if (at > plain_from) {
        buf_append(out, text.ptr + plain_from, at - plain_from);
    }
    buf_u8(out, '"');
}

void json_key_str(struct json *j, struct str key)
{
    ASSERT(!j->is_after_key);
    value_begin(j);
    write_text(j->out, key);
    buf_u8(j->out, ':');
    j->is_after_key = true;
}

void json_key(struct json *j, const char *key)
{
    json_key_str(j, str_from_c(key));
}

void json_str(struct json *j, struct str text)
{
    if (text.ptr == NULL) {
        json_null(j);
        return;
    }
    value_begin(j);
    write_text(j->out, text);
}

void json_base64(struct json *j, struct bytes data)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    value_begin(j);
    buf_u8(j->out, '"');
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t group = (uint32_t)data.ptr[i] << 16;
        group |= left > 1 ? (uint32_t)data.ptr[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)data.ptr[i + 2] : 0;
        uint8_t text[4] = {
            (uint8_t)alphabet[group >> 18],
            (uint8_t)alphabet[group >> 12 & 63],
            (uint8_t)(left > 1 ? alphabet[group >> 6 & 63] : '='),
            (uint8_t)(left > 2 ? alphabet[group & 63] : '='),
        };
        buf_append(j->out, text, sizeof text);
    }
    buf_u8(j->out, '"');
}

void json_i64(struct json *j, int64_t number)
{
    value_begin(j);
    buf_printf(j->out, "%lld", (long long)number);
}

void json_u64(struct json *j, uint64_t number)
{
    value_begin(j);
    buf_printf(j->out, "%llu", (unsigned long long)number);
}

void json_f64(struct json *j, double number)
{
    char text[40];
    if (!isfinite(number)) {
        json_null(j);
        return;
    }
    value_begin(j);
    // The shorter form where it is the same number.
    snprintf(text, sizeof text, "%.15g", number);
    if (strtod(text, NULL) != number) {
        snprintf(text, sizeof text, "%.17g", number);
    }
    buf_printf(j->out, "%s", text);
}

void json_bool(struct json *j, bool value)
{
    value_begin(j);
    buf_append_str(j->out, value ? STR("true") : STR("false"));
}

void json_null(struct json *j)
{
    value_begin(j);
    buf_append_str(j->out, STR("null"));
}

void json_pair_str(struct json *j, const char *key, struct str text)
{
    json_key(j, key);
    json_str(j, text);
}

void json_pair_i64(struct json *j, const char *key, int64_t number)
{
    json_key(j, key);
    json_i64(j, number);
}

void json_pair_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

void json_pair_bytes(struct json *j, const char *key, struct bytes data)
{
    struct str text = {(const char *)data.ptr, data.len};
    json_key(j, key);
    if (data.ptr == NULL || utf8_is_valid(text)) {
        json_str(j, text);
        return;
    }
    json_null(j);
    char beside[64];
    snprintf(beside, sizeof beside, "%s_base64", key);
    json_key(j, beside);
    json_base64(j, data);
}
