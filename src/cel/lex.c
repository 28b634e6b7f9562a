// SPDX-License-Identifier: Apache-2.0
// lex.c - the text as tokens; literals as values.
#include "cel/compile_private.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool is_letter(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static int hex_of(char ch)
{
    if (is_digit(ch)) {
        return ch - '0';
    }
    char lower = (char)(ch | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool lex_is_reserved(struct str name)
{
    static const char *const words[] = {
        "as",       "break",   "const",  "continue", "else", "false", "for",
        "function", "if",      "import", "in",       "let",  "loop",  "namespace",
        "null",     "package", "return", "true",     "var",  "void",  "while",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_equal(name, str_from_c(words[i]))) {
            return true;
        }
    }
    return false;
}

static char char_at(const struct compile *c, size_t at)
{
    return at < c->source->text.len ? c->source->text.ptr[at] : '\0';
}

static uint32_t skip_space(const struct compile *c, uint32_t at)
{
    for (;;) {
        char ch = char_at(c, at);
        if (ch == '/' && char_at(c, at + 1) == '/') {
            while (at < c->source->text.len && char_at(c, at) != '\n') {
                at++;
            }
        } else if (at < c->source->text.len && (ch == ' ' || (ch >= '\t' && ch <= '\r'))) {
            at++;
        } else {
            return at;
        }
    }
}

// ---- numbers

static bool lex_real(struct compile *c, struct token *t, uint32_t end)
{
    char text[64];
    size_t size = end - t->position;
    char *copy = size < sizeof text ? text : compile_new(c, char, size + 1);
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, c->source->text.ptr + t->position, size);
    copy[size] = '\0';
    t->kind = TOKEN_DOUBLE;
    t->value = cel_double(strtod(copy, NULL));
    return true;
}

// Where a number with a point or an exponent ends; 0: it is a whole one.
static uint32_t real_end(const struct compile *c, uint32_t at)
{
    bool is_real = false;
    while (is_digit(char_at(c, at))) {
        at++;
    }
    if (char_at(c, at) == '.' && is_digit(char_at(c, at + 1))) {
        is_real = true;
        at++;
        while (is_digit(char_at(c, at))) {
            at++;
        }
    }
    if ((char_at(c, at) | 0x20) == 'e') {
        uint32_t digits = at + 1;
        digits += char_at(c, digits) == '+' || char_at(c, digits) == '-';
        if (is_digit(char_at(c, digits))) {
            is_real = true;
            at = digits;
            while (is_digit(char_at(c, at))) {
                at++;
            }
        }
    }
    return is_real ? at : 0;
}

static bool lex_number(struct compile *c, uint32_t *at, struct token *t)
{
    uint32_t end = real_end(c, *at);
    if (end != 0) {
        *at = end;
        return lex_real(c, t, end);
    }
    unsigned base = 10;
    end = *at;
    if (char_at(c, end) == '0' && char_at(c, end + 1) == 'x' && hex_of(char_at(c, end + 2)) >= 0) {
        base = 16;
        end += 2;
    }
    bool is_over = false;
    uint64_t number = 0;
    for (;; end++) {
        int digit = hex_of(char_at(c, end));
        if (digit < 0 || digit >= (int)base) {
            break;
        }
        is_over |= __builtin_mul_overflow(number, (uint64_t)base, &number);
        is_over |= __builtin_add_overflow(number, (uint64_t)digit, &number);
    }
    t->kind = (char_at(c, end) | 0x20) == 'u' ? TOKEN_UINT : TOKEN_INT;
    t->number = number;
    end += t->kind == TOKEN_UINT;
    // -9223372036854775808 is the parser's: it knows of the minus.
    if (is_over || (t->kind == TOKEN_INT && number > (uint64_t)INT64_MAX + 1)) {
        compile_fail(c, ERR_INVALID_REQUEST, t->position, "the number is too large");
        return false;
    }
    *at = end;
    return true;
}

// ---- strings

// Digits of a code point at *at; -1: they are none.
static int64_t code_digits(struct str inside, size_t *at, int count, int base)
{
    int64_t code = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        int digit = *at < inside.len ? hex_of(inside.ptr[*at]) : -1;
        if (digit < 0 || digit >= base) {
            return -1;
        }
        code = code * base + digit;
    }
    return code;
}

static int64_t simple_escape(char ch)
{
    static const char from[] = "abfnrtv\\?\"'`";
    static const char to[] = "\a\b\f\n\r\t\v\\?\"'`";
    const char *found = ch == '\0' ? NULL : strchr(from, ch);
    return found == NULL ? -1 : to[found - from];
}

// What stands behind a backslash; -1: nothing that means something. *ret_is_octet: of bytes one byte.
static int64_t lex_escape(struct str inside, size_t *at, bool is_bytes, bool *ret_is_octet)
{
    char ch = *at < inside.len ? inside.ptr[*at] : '\0';
    int64_t code = simple_escape(ch);
    *ret_is_octet = true;
    if (code >= 0) {
        (*at)++;
        return code;
    }
    if (ch >= '0' && ch <= '3') {
        return code_digits(inside, at, 3, 8);
    }
    int digits = ch == 'x' || ch == 'X' ? 2 : ch == 'u' ? 4 : ch == 'U' ? 8 : 0;
    if (digits == 0 || (digits > 2 && is_bytes)) {
        return -1;
    }
    (*at)++;
    code = code_digits(inside, at, digits, 16);
    *ret_is_octet = digits == 2;
    return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? -1 : code;
}

bool lex_string(struct compile *c, uint32_t position, struct str inside, bool is_raw, bool is_bytes,
                struct cel_value *ret)
{
    enum cel_kind kind = is_bytes ? CEL_BYTES : CEL_STRING;
    char *text = compile_new(c, char, inside.len * 2 + 1); // \xff is two bytes of UTF-8
    if (text == NULL) {
        return false;
    }
    size_t len = 0;
    for (size_t at = 0; at < inside.len;) {
        if (is_raw || inside.ptr[at] != '\\') {
            bool is_crlf = inside.ptr[at] == '\r';
            text[len++] = is_crlf ? '\n' : inside.ptr[at];
            at += is_crlf && at + 1 < inside.len && inside.ptr[at + 1] == '\n' ? 2 : 1;
            continue;
        }
        bool is_octet = false;
        at++;
        int64_t code = lex_escape(inside, &at, is_bytes, &is_octet);
        if (code < 0) {
            compile_fail(c, ERR_INVALID_REQUEST, position, "an escape sequence that means nothing");
            return false;
        }
        if (is_bytes && is_octet) {
            text[len++] = (char)code;
        } else {
            len += utf8_encode((uint32_t)code, text + len);
        }
    }
    *ret = cel_text_value(kind, text, len);
    return true;
}

// The quotes of a literal whose prefix was read.
static bool lex_quoted(struct compile *c, uint32_t *at, struct token *t, bool is_raw, bool is_bytes)
{
    char quote = char_at(c, *at);
    uint32_t quotes = char_at(c, *at + 1) == quote && char_at(c, *at + 2) == quote ? 3 : 1;
    uint32_t begin = *at + quotes;
    uint32_t end = begin;
    for (;; end++) {
        char ch = char_at(c, end);
        if (end >= c->source->text.len || (quotes == 1 && (ch == '\n' || ch == '\r'))) {
            compile_fail(c, ERR_INVALID_REQUEST, t->position, "the string does not end");
            return false;
        }
        bool is_end =
            ch == quote && (quotes == 1 || (char_at(c, end + 1) == quote && char_at(c, end + 2) == quote));
        if (is_end) {
            break;
        }
        end += !is_raw && ch == '\\';
    }
    *at = end + quotes;
    t->kind = is_bytes ? TOKEN_BYTES : TOKEN_STRING;
    struct str inside = {c->source->text.ptr + begin, end - begin};
    return lex_string(c, t->position, inside, is_raw, is_bytes, &t->value);
}

// The prefix of a string: r, b, br. false: what begins here is a name.
static bool string_prefix(const struct compile *c, uint32_t at, uint32_t *ret_size, bool *ret_is_raw,
                          bool *ret_is_bytes)
{
    uint32_t begin = at;
    *ret_is_bytes = (char_at(c, at) | 0x20) == 'b';
    at += *ret_is_bytes;
    *ret_is_raw = (char_at(c, at) | 0x20) == 'r';
    at += *ret_is_raw;
    *ret_size = at - begin;
    return char_at(c, at) == '"' || char_at(c, at) == '\'';
}

// ---- the rest

static bool lex_name(struct compile *c, uint32_t *at, struct token *t)
{
    uint32_t end = *at;
    while (is_letter(char_at(c, end)) || is_digit(char_at(c, end))) {
        end++;
    }
    t->kind = TOKEN_NAME;
    t->text = (struct str){c->source->text.ptr + *at, end - *at};
    *at = end;
    return true;
}

static bool lex_backticks(struct compile *c, uint32_t *at, struct token *t)
{
    uint32_t begin = *at + 1;
    uint32_t end = begin;
    while (
        is_letter(char_at(c, end)) || is_digit(char_at(c, end)) ||
        (end < c->source->text.len && strchr(".-/ ", char_at(c, end)) != NULL && char_at(c, end) != '\0')) {
        end++;
    }
    if (char_at(c, end) != '`' || end == begin) {
        compile_fail(c, ERR_INVALID_REQUEST, t->position,
                     "a name in backticks has letters, digits and _.-/ only");
        return false;
    }
    t->kind = TOKEN_QUOTED_NAME;
    t->text = (struct str){c->source->text.ptr + begin, end - begin};
    *at = end + 1;
    return true;
}

static bool lex_punctuation(struct compile *c, uint32_t *at, struct token *t)
{
    static const char *const pairs[] = {"&&", "||", "==", "!=", "<=", ">="};
    char ch = char_at(c, *at);
    size_t size = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (ch == pairs[i][0] && char_at(c, *at + 1) == pairs[i][1]) {
            size = 2;
        }
    }
    if (size == 0 && ch != '\0' && strchr("()[]{}.,:?+-*/%!<>=", ch) != NULL && ch != '=') {
        size = 1;
    }
    if (size == 0) {
        compile_fail(c, ERR_INVALID_REQUEST, t->position, "a character that has no meaning here");
        return false;
    }
    t->kind = TOKEN_PUNCTUATION;
    t->text = (struct str){c->source->text.ptr + *at, size};
    *at += (uint32_t)size;
    return true;
}

bool lex_next(struct compile *c, uint32_t *at, struct token *ret)
{
    *at = skip_space(c, *at);
    *ret = (struct token){.kind = TOKEN_END, .position = *at};
    if (*at >= c->source->text.len) {
        return true;
    }
    char ch = char_at(c, *at);
    uint32_t prefix;
    bool is_raw;
    bool is_bytes;
    if (string_prefix(c, *at, &prefix, &is_raw, &is_bytes)) {
        *at += prefix;
        return lex_quoted(c, at, ret, is_raw, is_bytes);
    }
    if (is_letter(ch)) {
        return lex_name(c, at, ret);
    }
    if (is_digit(ch) || (ch == '.' && is_digit(char_at(c, *at + 1)))) {
        return lex_number(c, at, ret);
    }
    return ch == '`' ? lex_backticks(c, at, ret) : lex_punctuation(c, at, ret);
}
