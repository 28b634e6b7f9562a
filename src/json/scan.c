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

static enum json_token __attribute__((noinline, cold))
fail(struct json_scan *s, const char *at, const char *why)
{
    s->error = why;
    s->pos = (size_t)(at - s->text.ptr);
    s->token_pos = s->pos;
    s->expect = EXPECT_NOTHING;
    return JSON_TOKEN_ERROR;
}

static bool in_object(const struct json_scan *s)
{
    uint32_t level = s->depth - 1;
    return s->depth > 0 && (s->is_object[level / 64] >> (level % 64) & 1) != 0;
}

// A place in the text is kept in a register while a token is read: a store and a load for each step would be
// slower than the steps.
static inline const char *skip_space(const char *p, const char *end)
{
    if (p < end && (uint8_t)*p > ' ') {
        return p;
    }
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

static inline void pos_set(struct json_scan *s, const char *p)
{
    s->pos = (size_t)(p - s->text.ptr);
}

static void value_end(struct json_scan *s)
{
    s->expect = s->depth == 0 ? EXPECT_END : EXPECT_COMMA_OR_CLOSE;
}

static enum json_token open_level(struct json_scan *s, const char *p, bool is_object)
{
    if (s->depth == s->depth_max) {
        return fail(s, p, "nested too deeply");
    }
    uint64_t bit = (uint64_t)1 << (s->depth % 64);
    uint64_t *word = &s->is_object[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    pos_set(s, p + 1);
    s->expect = is_object ? EXPECT_KEY_OR_CLOSE : EXPECT_VALUE_OR_CLOSE;
    return is_object ? JSON_TOKEN_OBJECT_BEGIN : JSON_TOKEN_ARRAY_BEGIN;
}

static enum json_token close_level(struct json_scan *s, const char *p, bool is_object)
{
    if (s->depth == 0 || in_object(s) != is_object) {
        return fail(s, p, "a closing bracket without its opening one");
    }
    s->depth--;
    pos_set(s, p + 1);
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

// scan_string reads the string whose quote is at p; returns what is behind it, NULL on error.
static inline const char *scan_string(struct json_scan *s, const char *p, const char *end)
{
    const char *begin = ++p;
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
            fail(s, p,
                 c == '\\'  ? "no such escape"
                 : c < 0x20 ? "a control character in a string"
                            : "not UTF-8");
            return NULL;
        }
        p += size;
    }
    if (p >= end) {
        fail(s, end, "a string without its end");
        return NULL;
    }
    s->raw = (struct str){begin, (size_t)(p - begin)};
    return p + 1;
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

// scan_digits counts digits and appends them to *value.
static inline size_t scan_digits(const char *p, const char *end, uint64_t *value)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9') {
        *value = *value * 10 + (uint64_t)(*p++ - '0');
    }
    return (size_t)(p - from);
}

static inline enum json_token scan_number(struct json_scan *s, const char *begin, const char *end)
{
    const char *p = begin + (*begin == '-');
    uint64_t value = 0;
    size_t whole = scan_digits(p, end, &value);
    if (whole == 0 || (whole > 1 && *p == '0')) {
        return fail(s, begin, whole == 0 ? "a number without digits" : "a number with a leading zero");
    }
    p += whole;
    s->scale = 0;
    s->has_exponent = false;
    if (p < end && *p == '.') {
        size_t fraction = scan_digits(p + 1, end, &value);
        if (fraction == 0) {
            return fail(s, begin, "a number without digits after its point");
        }
        p += 1 + fraction;
        s->scale = (uint32_t)fraction;
    }
    s->digits = value;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        size_t exponent = scan_digits(p, end, &value);
        if (exponent == 0) {
            return fail(s, begin, "a number without digits in its exponent");
        }
        p += exponent;
        s->has_exponent = true;
    }
    s->raw = (struct str){begin, (size_t)(p - begin)};
    pos_set(s, p);
    value_end(s);
    return JSON_TOKEN_NUMBER;
}

static enum json_token scan_name(struct json_scan *s, const char *p, const char *end, struct str name,
                                 enum json_token token)
{
    if (!str_has_prefix((struct str){p, (size_t)(end - p)}, name)) {
        return fail(s, p, "not a value");
    }
    pos_set(s, p + name.len);
    value_end(s);
    return token;
}

static inline enum json_token scan_value(struct json_scan *s, const char *p, const char *end)
{
    switch (*p) {
    case '{':
        return open_level(s, p, true);
    case '[':
        return open_level(s, p, false);
    case '"':
        p = scan_string(s, p, end);
        if (p == NULL) {
            return JSON_TOKEN_ERROR;
        }
        pos_set(s, p);
        value_end(s);
        return JSON_TOKEN_STRING;
    case 't':
        return scan_name(s, p, end, STR("true"), JSON_TOKEN_TRUE);
    case 'f':
        return scan_name(s, p, end, STR("false"), JSON_TOKEN_FALSE);
    case 'n':
        return scan_name(s, p, end, STR("null"), JSON_TOKEN_NULL);
    default:
        return *p == '-' || (*p >= '0' && *p <= '9') ? scan_number(s, p, end) : fail(s, p, "not a value");
    }
}

static inline enum json_token scan_key(struct json_scan *s, const char *p, const char *end)
{
    if (*p != '"') {
        return fail(s, p, "not a member's name");
    }
    p = scan_string(s, p, end);
    if (p == NULL) {
        return JSON_TOKEN_ERROR;
    }
    p = skip_space(p, end);
    if (p == end || *p != ':') {
        return fail(s, p, "a member without a colon");
    }
    pos_set(s, p + 1);
    s->expect = EXPECT_VALUE;
    return JSON_TOKEN_KEY;
}

enum json_token json_scan_next(struct json_scan *s)
{
    uint8_t expect = s->expect;
    const char *end = s->text.ptr + s->text.len;
    const char *p = skip_space(s->text.ptr + s->pos, end);
    if (__builtin_expect(expect == EXPECT_NOTHING, 0)) {
        return JSON_TOKEN_ERROR;
    }
    s->token_pos = (size_t)(p - s->text.ptr);
    if (__builtin_expect(p == end, 0)) {
        pos_set(s, p);
        return expect == EXPECT_END ? JSON_TOKEN_END : fail(s, p, "the document ends too early");
    }
    if (expect == EXPECT_END) {
        return fail(s, p, "something behind the document's end");
    }
    if (expect == EXPECT_VALUE) {
        return scan_value(s, p, end);
    }
    if (*p == '}' || *p == ']') {
        return close_level(s, p, *p == '}');
    }
    bool is_key = expect == EXPECT_KEY_OR_CLOSE;
    if (expect == EXPECT_COMMA_OR_CLOSE) {
        if (*p != ',') {
            return fail(s, p, "no comma between two values");
        }
        p = skip_space(p + 1, end);
        if (p == end) {
            return fail(s, p, "the document ends too early");
        }
        s->token_pos = (size_t)(p - s->text.ptr);
        is_key = in_object(s);
    }
    return is_key ? scan_key(s, p, end) : scan_value(s, p, end);
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
