// SPDX-License-Identifier: Apache-2.0
// lex.c - tokens of a .proto text. Comments and spaces are dropped; strings are unescaped into the arena.
// Errors are sticky: after one, every token is the end.
#include "format/protobuf/protobuf_private.h"

#include <stdarg.h>
#include <stdio.h>

void pb_lexer_fail(struct pb_lexer *l, struct pb_place place, const char *format, ...)
{
    if (l->err != ERR_OK) {
        return;
    }
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    l->err = FAIL(l->e, ERR_INVALID_SCHEMA, "%u:%u: %s", place.line, place.column, text);
    l->token.kind = PB_TOKEN_END;
    l->token.text = (struct str){"", 0};
    l->pos = l->end;
}

enum err pb_fail(struct error *e, struct pb_place place, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (place.line == 0) {
        return FAIL(e, ERR_INVALID_SCHEMA, "%s", text);
    }
    return FAIL(e, ERR_INVALID_SCHEMA, "%u:%u: %s", place.line, place.column, text);
}

static struct pb_place place_of(const struct pb_lexer *l, const char *at)
{
    return (struct pb_place){l->line, (uint32_t)(at - l->line_begin) + 1};
}

static void newline(struct pb_lexer *l)
{
    l->line++;
    l->line_begin = l->pos;
}

static void skip_line_comment(struct pb_lexer *l)
{
    while (l->pos < l->end && *l->pos != '\n') {
        l->pos++;
    }
}

static void skip_block_comment(struct pb_lexer *l)
{
    struct pb_place place = place_of(l, l->pos);
    l->pos += 2;
    while (l->end - l->pos >= 2) {
        if (l->pos[0] == '*' && l->pos[1] == '/') {
            l->pos += 2;
            return;
        }
        if (*l->pos++ == '\n') {
            newline(l);
        }
    }
    pb_lexer_fail(l, place, "this comment has no end");
}

static void skip_space(struct pb_lexer *l)
{
    while (l->pos < l->end) {
        char c = *l->pos;
        if (c == '\n') {
            l->pos++;
            newline(l);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            l->pos++;
        } else if (c == '/' && l->end - l->pos >= 2 && l->pos[1] == '/') {
            skip_line_comment(l);
        } else if (c == '/' && l->end - l->pos >= 2 && l->pos[1] == '*') {
            skip_block_comment(l);
        } else {
            return;
        }
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void read_number(struct pb_lexer *l)
{
    const char *begin = l->pos;
    bool is_hex = l->end - begin > 1 && begin[0] == '0' && (begin[1] == 'x' || begin[1] == 'X');
    while (l->pos < l->end) {
        char c = *l->pos;
        bool is_exponent =
            !is_hex && (c == '+' || c == '-') && (l->pos[-1] == 'e' || l->pos[-1] == 'E') && l->pos > begin;
        if (!is_digit(c) && !is_letter(c) && c != '.' && !is_exponent) {
            break;
        }
        l->pos++;
    }
    l->token.kind = PB_TOKEN_NUMBER;
    l->token.text = (struct str){begin, (size_t)(l->pos - begin)};
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Reads digits of a base, at most `most`, after position *i. False if there is none.
static bool read_digits(struct str text, size_t *i, int base, int most, uint32_t *ret)
{
    uint32_t value = 0;
    int count = 0;
    while (count < most && *i < text.len) {
        int digit = hex_digit(text.ptr[*i]);
        if (digit < 0 || digit >= base) {
            break;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
        (*i)++;
        count++;
    }
    *ret = value;
    return count > 0;
}

static size_t utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

// One escape: *i is behind the backslash. Returns bytes written, 0 if it is malformed. An escape never writes
// more bytes than it takes.
static size_t unescape_one(struct str text, size_t *i, char *out)
{
    static const char plain[] = "abfnrtv\\'\"?";
    static const char meant[] = "\a\b\f\n\r\t\v\\'\"?";
    char c = text.ptr[*i];
    const char *found = c == '\0' ? NULL : strchr(plain, c);
    uint32_t value = 0;
    if (found != NULL) {
        (*i)++;
        out[0] = meant[found - plain];
        return 1;
    }
    if (c >= '0' && c <= '7') {
        read_digits(text, i, 8, 3, &value);
        out[0] = (char)value;
        return 1;
    }
    (*i)++;
    if (c == 'x' || c == 'X') {
        if (!read_digits(text, i, 16, 2, &value)) {
            return 0;
        }
        out[0] = (char)value;
        return 1;
    }
    int size = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t begin = *i;
    if (size == 0 || !read_digits(text, i, 16, size, &value) || *i - begin != (size_t)size ||
        value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
        return 0;
    }
    return utf8_put(out, value);
}

struct str pb_unescape(struct arena *arena, struct str text)
{
    char *out = arena_alloc(arena, text.len + 1);
    if (out == NULL) {
        return (struct str){NULL, 0};
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len;) {
        if (text.ptr[i] != '\\') {
            out[len++] = text.ptr[i++];
            continue;
        }
        size_t put = ++i < text.len ? unescape_one(text, &i, out + len) : 0;
        if (put == 0) {
            return (struct str){NULL, 0};
        }
        len += put;
    }
    return (struct str){out, len};
}

static void read_string(struct pb_lexer *l)
{
    char quote = *l->pos++;
    const char *begin = l->pos;
    while (l->pos < l->end && *l->pos != quote && *l->pos != '\n') {
        l->pos += *l->pos == '\\' && l->end - l->pos > 1 && l->pos[1] != '\n' ? 2 : 1;
    }
    if (l->pos == l->end || *l->pos != quote) {
        pb_lexer_fail(l, l->token.place, "this string has no end");
        return;
    }
    struct str text = {begin, (size_t)(l->pos - begin)};
    l->pos++;
    l->token.kind = PB_TOKEN_STRING;
    l->token.text = text.len == 0 ? (struct str){"", 0} : pb_unescape(l->arena, text);
    if (l->token.text.ptr == NULL) {
        pb_lexer_fail(l, l->token.place, "this string has a malformed escape");
    }
}

void pb_lexer_next(struct pb_lexer *l)
{
    skip_space(l);
    if (l->err != ERR_OK) {
        return;
    }
    l->token = (struct pb_token){.place = place_of(l, l->pos)};
    if (l->pos == l->end) {
        l->token.text = (struct str){"", 0};
        return;
    }
    char c = *l->pos;
    if (is_letter(c)) {
        const char *begin = l->pos;
        while (l->pos < l->end && (is_letter(*l->pos) || is_digit(*l->pos))) {
            l->pos++;
        }
        l->token.kind = PB_TOKEN_NAME;
        l->token.text = (struct str){begin, (size_t)(l->pos - begin)};
    } else if (is_digit(c) || (c == '.' && l->end - l->pos > 1 && is_digit(l->pos[1]))) {
        read_number(l);
    } else if (c == '"' || c == '\'') {
        read_string(l);
    } else if (c > ' ' && c < 0x7f) {
        l->token.kind = PB_TOKEN_SYMBOL;
        l->token.text = (struct str){l->pos++, 1};
    } else {
        pb_lexer_fail(l, l->token.place, "a character that has no place here: 0x%02x", (unsigned char)c);
    }
}

void pb_lexer_begin(struct pb_lexer *l, struct str text, struct arena *arena, struct error *e)
{
    *l = (struct pb_lexer){.arena = arena, .e = e, .line = 1};
    l->pos = text.len == 0 ? "" : text.ptr;
    l->end = l->pos + text.len;
    l->line_begin = l->pos;
    if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0) {
        l->pos += 3; // a byte order mark
        l->line_begin = l->pos;
    }
    pb_lexer_next(l);
}

bool pb_lexer_is(const struct pb_lexer *l, char symbol)
{
    return l->token.kind == PB_TOKEN_SYMBOL && l->token.text.ptr[0] == symbol;
}

bool pb_lexer_is_name(const struct pb_lexer *l, const char *name)
{
    return l->token.kind == PB_TOKEN_NAME && str_equal(l->token.text, str_from_c(name));
}

bool pb_lexer_accept(struct pb_lexer *l, char symbol)
{
    if (!pb_lexer_is(l, symbol)) {
        return false;
    }
    pb_lexer_next(l);
    return true;
}

bool pb_lexer_accept_name(struct pb_lexer *l, const char *name)
{
    if (!pb_lexer_is_name(l, name)) {
        return false;
    }
    pb_lexer_next(l);
    return true;
}

static void fail_expected(struct pb_lexer *l, const char *what)
{
    int len = l->token.text.len > 40 ? 40 : (int)l->token.text.len;
    if (l->token.kind == PB_TOKEN_END) {
        pb_lexer_fail(l, l->token.place, "expected %s, but the text ends", what);
    } else if (l->token.kind == PB_TOKEN_STRING) {
        pb_lexer_fail(l, l->token.place, "expected %s, not a string", what);
    } else {
        pb_lexer_fail(l, l->token.place, "expected %s, not '%.*s'", what, len, l->token.text.ptr);
    }
}

void pb_lexer_expect(struct pb_lexer *l, char symbol)
{
    if (!pb_lexer_accept(l, symbol)) {
        char what[4] = {'\'', symbol, '\'', '\0'};
        fail_expected(l, what);
    }
}

struct str pb_lexer_name(struct pb_lexer *l)
{
    struct str name = l->token.text;
    if (l->token.kind != PB_TOKEN_NAME) {
        fail_expected(l, "a name");
        return (struct str){"", 0};
    }
    pb_lexer_next(l);
    return name;
}

struct str pb_lexer_full_name(struct pb_lexer *l)
{
    const char *begin = l->token.text.ptr;
    size_t len = 0;
    size_t parts = 0;
    bool is_joined = true; // the parts lie beside each other: the text itself is the name
    struct buf joined;
    buf_init(&joined, SCHEMA_TEXT_BYTES_MAX);
    bool has_dot = pb_lexer_accept(l, '.');
    if (has_dot) {
        buf_u8(&joined, '.');
        len = 1;
    }
    do {
        if (parts++ > 0) {
            buf_u8(&joined, '.');
            len++;
        }
        is_joined = is_joined && l->token.text.ptr == begin + len;
        struct str part = pb_lexer_name(l);
        buf_append_str(&joined, part);
        len += part.len;
        is_joined = is_joined && (!pb_lexer_is(l, '.') || l->token.text.ptr == begin + len);
    } while (l->err == ERR_OK && pb_lexer_accept(l, '.'));
    struct str name = is_joined ? (struct str){begin, len} : arena_str(l->arena, buf_str(&joined));
    buf_fini(&joined);
    return l->err == ERR_OK && name.ptr != NULL ? name : (struct str){"", 0};
}

struct str pb_lexer_string(struct pb_lexer *l)
{
    if (l->token.kind != PB_TOKEN_STRING) {
        fail_expected(l, "a string");
        return (struct str){"", 0};
    }
    struct str text = l->token.text;
    pb_lexer_next(l);
    if (l->token.kind != PB_TOKEN_STRING) {
        return text;
    }
    struct buf joined;
    buf_init(&joined, SCHEMA_TEXT_BYTES_MAX);
    buf_append_str(&joined, text);
    while (l->token.kind == PB_TOKEN_STRING) {
        buf_append_str(&joined, l->token.text);
        pb_lexer_next(l);
    }
    text = joined.len == 0 ? STR("") : arena_str(l->arena, buf_str(&joined));
    buf_fini(&joined);
    return text.ptr == NULL ? STR("") : text;
}

bool pb_number_parse(struct str text, uint64_t *ret)
{
    uint64_t base = 10;
    size_t i = 0;
    if (text.len > 2 && text.ptr[0] == '0' && (text.ptr[1] == 'x' || text.ptr[1] == 'X')) {
        base = 16;
        i = 2;
    } else if (text.len > 1 && text.ptr[0] == '0') {
        base = 8;
        i = 1;
    }
    uint64_t value = 0;
    if (i == text.len) {
        return false;
    }
    for (; i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0 || (uint64_t)digit >= base || value > (UINT64_MAX - (uint64_t)digit) / base) {
            return false;
        }
        value = value * base + (uint64_t)digit;
    }
    *ret = value;
    return true;
}

int64_t pb_lexer_int(struct pb_lexer *l, int64_t least, int64_t most)
{
    struct pb_place place = l->token.place;
    bool is_negative = pb_lexer_accept(l, '-');
    uint64_t value = 0;
    if (l->token.kind != PB_TOKEN_NUMBER) {
        fail_expected(l, "a number");
        return least;
    }
    bool is_fit = pb_number_parse(l->token.text, &value) && value <= INT64_MAX;
    int64_t number = is_negative ? -(int64_t)(is_fit ? value : 0) : (int64_t)(is_fit ? value : 0);
    if (!is_fit || number < least || number > most) {
        pb_lexer_fail(l, place, "'%s%.*s' is not a number from %lld to %lld", is_negative ? "-" : "",
                      (int)(l->token.text.len > 40 ? 40 : l->token.text.len), l->token.text.ptr,
                      (long long)least, (long long)most);
        return least;
    }
    pb_lexer_next(l);
    return number;
}
