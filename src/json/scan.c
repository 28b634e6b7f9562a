// SPDX-License-Identifier: Apache-2.0
// scan.c - what may come next is a small set (enum expect); a bit per level says whether it is an object.
#include "json/scan.h"

#include <endian.h>

#include "base/assert.h"
#include "base/utf8.h"

enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_CLOSE, // after [
    EXPECT_KEY_OR_CLOSE,   // after {
    EXPECT_COMMA_OR_CLOSE,
    EXPECT_END,
    EXPECT_NOTHING, // an error was met
};

void json_scan_init(struct json_scan *s, struct str text)
{
    s->text = text;
    s->pos = 0;
    s->token_pos = 0;
    s->raw = (struct str){0};
    s->has_escape = false;
    s->depth = 0;
    s->depth_max = JSON_DEPTH_MAX;
    s->expect = EXPECT_VALUE;
    s->error = NULL;
}

static enum json_token fail(struct json_scan *s, const char *why)
{
    s->error = why;
    s->token_pos = s->pos;
    s->expect = EXPECT_NOTHING;
    return JSON_TOKEN_ERROR;
}

static bool in_object(const struct json_scan *s)
{
    uint32_t level = s->depth - 1;
    return s->depth > 0 && (s->is_object[level / 64] >> (level % 64) & 1) != 0;
}

static inline void skip_space(struct json_scan *s)
{
    const char *p = s->text.ptr + s->pos;
    const char *end = s->text.ptr + s->text.len;
    if (p < end && (uint8_t)*p > ' ') {
        return;
    }
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    s->pos = (size_t)(p - s->text.ptr);
}

static void value_end(struct json_scan *s)
{
    s->expect = s->depth == 0 ? EXPECT_END : EXPECT_COMMA_OR_CLOSE;
}

static enum json_token open_level(struct json_scan *s, bool is_object)
{
    if (s->depth == s->depth_max) {
        return fail(s, "nested too deeply");
    }
    uint64_t bit = (uint64_t)1 << (s->depth % 64);
    uint64_t *word = &s->is_object[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    s->pos++;
    s->expect = is_object ? EXPECT_KEY_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
    return is_object ? JSON_TOKEN_OBJECT_BEGIN : JSON_TOKEN_ARRAY_BEGIN;
}

static enum json_token close_level(struct json_scan *s, bool is_object)
{
    if (s->depth == 0 || in_object(s) != is_object) {
        return fail(s, "a closing bracket without its opening one");
    }
    s->depth--;
    s->pos++;
    value_end(s);
    return is_object ? JSON_TOKEN_OBJECT_END : JSON_TOKEN_ARRAY_END;
}

// ---- strings

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

// escape_size is the length of the escape at p; 0 if it is none.
static size_t escape_size(const char *p, size_t left)
{
    if (left < 2) {
        return 0;
    }
    if (p[1] == 'u') {
        return left >= 6 && hex4(p + 2) >= 0 ? 6 : 0;
    }
    return p[1] != 0 && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
}

// plain8 counts the bytes, of eight, before the first that is a quote, a backslash, a control or not ASCII.
static inline size_t plain8(const char *p)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t highs = 0x8080808080808080;
    uint64_t w;
    memcpy(&w, p, sizeof w);
    w = le64toh(w);
    uint64_t quote = w ^ ones * '"';
    uint64_t slash = w ^ ones * '\\';
    // Borrows reach only bytes above one that is a hit itself: the lowest bit is true.
    uint64_t hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (w - ones * 0x20) | w) & highs;
    return hit == 0 ? 8 : (size_t)__builtin_ctzll(hit) / 8;
}

static bool scan_string(struct json_scan *s)
{
    const char *begin = s->text.ptr + s->pos + 1;
    const char *end = s->text.ptr + s->text.len;
    const char *p = begin;
    s->has_escape = false;
    while (p < end && *p != '"') {
        if (end - p >= 8) {
            size_t plain = plain8(p);
            p += plain;
            if (plain == 8) {
                continue;
            }
            if (*p == '"') {
                break;
            }
        }
        uint8_t c = (uint8_t)*p;
        size_t size = 1;
        if (c == '\\') {
            size = escape_size(p, (size_t)(end - p));
            s->has_escape = true;
        } else if (c >= 0x80) {
            size = utf8_size((struct str){p, (size_t)(end - p)});
        } else if (c < 0x20) {
            size = 0;
        }
        if (size == 0) {
            s->pos = (size_t)(p - s->text.ptr);
            fail(s, c == '\\'  ? "no such escape"
                    : c < 0x20 ? "a control character in a string"
                               : "not UTF-8");
            return false;
        }
        p += size;
    }
    if (p >= end) {
        s->pos = s->text.len;
        fail(s, "a string without its end");
        return false;
    }
    s->raw = (struct str){begin, (size_t)(p - begin)};
    s->pos = (size_t)(p + 1 - s->text.ptr);
    return true;
}

void json_unescape(struct str raw, struct buf *out)
{
    size_t at = 0;
    while (at < raw.len) {
        const char *slash = memchr(raw.ptr + at, '\\', raw.len - at);
        size_t plain = slash == NULL ? raw.len - at : (size_t)(slash - raw.ptr) - at;
        buf_append(out, raw.ptr + at, plain);
        at += plain;
        if (slash == NULL) {
            return;
        }
        if (slash[1] != 'u') {
            static const char names[] = "bfnrt";
            static const char values[] = "\b\f\n\r\t";
            const char *name = strchr(names, slash[1]);
            buf_u8(out, (uint8_t)(name == NULL ? slash[1] : values[name - names]));
            at += 2;
            continue;
        }
        uint32_t c = (uint32_t)hex4(slash + 2);
        at += 6;
        bool has_low =
            c >= 0xd800 && c < 0xdc00 && at + 6 <= raw.len && raw.ptr[at] == '\\' && raw.ptr[at + 1] == 'u';
        uint32_t low = has_low ? (uint32_t)hex4(raw.ptr + at + 2) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
            at += 6;
        }
        char text[4];
        buf_append(out, text, utf8_encode(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, text));
    }
}

// ---- numbers and names

static size_t digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return (size_t)(p - from);
}

static enum json_token scan_number(struct json_scan *s)
{
    const char *begin = s->text.ptr + s->pos;
    const char *end = s->text.ptr + s->text.len;
    const char *p = begin + (*begin == '-');
    size_t whole = digits(p, end);
    if (whole == 0 || (whole > 1 && *p == '0')) {
        return fail(s, whole == 0 ? "a number without digits" : "a number with a leading zero");
    }
    p += whole;
    if (p < end && *p == '.') {
        size_t fraction = digits(p + 1, end);
        if (fraction == 0) {
            return fail(s, "a number without digits after its point");
        }
        p += 1 + fraction;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        size_t exponent = digits(p, end);
        if (exponent == 0) {
            return fail(s, "a number without digits in its exponent");
        }
        p += exponent;
    }
    s->raw = (struct str){begin, (size_t)(p - begin)};
    s->pos = (size_t)(p - s->text.ptr);
    value_end(s);
    return JSON_TOKEN_NUMBER;
}

static enum json_token scan_name(struct json_scan *s, struct str name, enum json_token token)
{
    struct str rest = {s->text.ptr + s->pos, s->text.len - s->pos};
    if (!str_has_prefix(rest, name)) {
        return fail(s, "not a value");
    }
    s->pos += name.len;
    value_end(s);
    return token;
}

static enum json_token scan_value(struct json_scan *s, char c)
{
    switch (c) {
    case '{':
        return open_level(s, true);
    case '[':
        return open_level(s, false);
    case '"':
        if (!scan_string(s)) {
            return JSON_TOKEN_ERROR;
        }
        value_end(s);
        return JSON_TOKEN_STRING;
    case 't':
        return scan_name(s, STR("true"), JSON_TOKEN_TRUE);
    case 'f':
        return scan_name(s, STR("false"), JSON_TOKEN_FALSE);
    case 'n':
        return scan_name(s, STR("null"), JSON_TOKEN_NULL);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : fail(s, "not a value");
    }
}

static enum json_token scan_key(struct json_scan *s, char c)
{
    if (c != '"') {
        return fail(s, "not a member's name");
    }
    size_t begin_pos = s->pos;
    if (!scan_string(s)) {
        return JSON_TOKEN_ERROR;
    }
    skip_space(s);
    if (s->pos >= s->text.len || s->text.ptr[s->pos] != ':') {
        return fail(s, "a member without a colon");
    }
    s->pos++;
    s->token_pos = begin_pos;
    s->expect = EXPECT_VALUE;
    return JSON_TOKEN_KEY;
}

enum json_token json_scan_next(struct json_scan *s)
{
    if (s->expect == EXPECT_NOTHING) {
        return JSON_TOKEN_ERROR;
    }
    skip_space(s);
    s->token_pos = s->pos;
    if (s->pos >= s->text.len) {
        return s->expect == EXPECT_END ? JSON_TOKEN_END : fail(s, "the document ends too early");
    }
    char c = s->text.ptr[s->pos];
    if (s->expect == EXPECT_END) {
        return fail(s, "something behind the document's end");
    }
    bool may_close = s->expect != EXPECT_VALUE;
    if (may_close && (c == '}' || c == ']')) {
        return close_level(s, c == '}');
    }
    if (s->expect == EXPECT_COMMA_OR_CLOSE) {
        if (c != ',') {
            return fail(s, "no comma between two values");
        }
        s->pos++;
        skip_space(s);
        if (s->pos >= s->text.len) {
            return fail(s, "the document ends too early");
        }
        s->token_pos = s->pos;
        c = s->text.ptr[s->pos];
        return in_object(s) ? scan_key(s, c) : scan_value(s, c);
    }
    return s->expect == EXPECT_KEY_OR_CLOSE ? scan_key(s, c) : scan_value(s, c);
}

void json_scan_seek(struct json_scan *s, size_t pos, uint32_t depth, bool is_before_value)
{
    ASSERT(pos <= s->text.len && depth <= s->depth_max);
    s->pos = pos;
    s->depth = depth;
    s->error = NULL;
    s->expect = EXPECT_VALUE;
    if (!is_before_value) {
        value_end(s);
    }
}

bool json_scan_skip(struct json_scan *s, enum json_token first)
{
    if (first == JSON_TOKEN_KEY) {
        first = json_scan_next(s);
    }
    if (first != JSON_TOKEN_OBJECT_BEGIN && first != JSON_TOKEN_ARRAY_BEGIN) {
        return first != JSON_TOKEN_ERROR;
    }
    uint32_t depth = s->depth - 1;
    while (s->depth > depth) {
        if (json_scan_next(s) == JSON_TOKEN_ERROR) {
            return false;
        }
    }
    return true;
}

enum err json_scan_fail(const struct json_scan *s, struct error *e)
{
    ASSERT(s->error != NULL);
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < s->token_pos && i < s->text.len; i++) {
        bool is_newline = s->text.ptr[i] == '\n';
        line += is_newline;
        column = is_newline ? 1 : column + 1;
    }
    return FAIL(e, ERR_INVALID_REQUEST, "line %zu, column %zu: %s", line, column, s->error);
}
