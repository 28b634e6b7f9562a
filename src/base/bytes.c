// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

int str_compare(struct str a, struct str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.ptr, b.ptr, shared);
    if (order != 0) {
        return order;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_has_prefix(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool str_parse_i64(struct str s, int64_t *ret)
{
    bool is_negative = s.len > 0 && s.ptr[0] == '-';
    size_t i = is_negative ? 1 : 0;
    if (i == s.len) {
        return false;
    }
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
        int64_t digit = s.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, is_negative ? -digit : digit, &value)) {
            return false;
        }
    }
    *ret = value;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

struct str str_cut(struct str s, char sep, struct str *ret_rest)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, sep, s.len);
    if (at == NULL) {
        *ret_rest = (struct str){NULL, 0};
        return s;
    }
    size_t head = (size_t)(at - s.ptr);
    *ret_rest = (struct str){at + 1, s.len - head - 1};
    return (struct str){s.ptr, head};
}

static const char uuid_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void uuid_format(struct uuid u, char ret_text[UUID_TEXT_SIZE])
{
    size_t out = 0;
    for (size_t i = 0; i < 16; i += 3) {
        uint32_t group = (uint32_t)u.b[i] << 16;
        group |= i + 1 < 16 ? (uint32_t)u.b[i + 1] << 8 : 0;
        group |= i + 2 < 16 ? (uint32_t)u.b[i + 2] : 0;
        for (int shift = 18; shift >= 0 && out < 22; shift -= 6) {
            ret_text[out++] = uuid_alphabet[(group >> shift) & 63];
        }
    }
    ret_text[out] = '\0';
}

bool uuid_parse(struct str text, struct uuid *ret)
{
    if (text.len != 22) {
        return false;
    }
    uint32_t bits = 0;
    int bit_count = 0;
    size_t out = 0;
    struct uuid parsed = {{0}};
    for (size_t i = 0; i < 22; i++) {
        const char *at = memchr(uuid_alphabet, text.ptr[i], 64);
        if (at == NULL) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(at - uuid_alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            parsed.b[out++] = (uint8_t)(bits >> bit_count);
        }
    }
    *ret = parsed;
    return true;
}

const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (r->failed || (size_t)(r->end - r->pos) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->pos;
    r->pos += n;
    return at;
}

int8_t reader_i8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p == NULL ? 0 : (int8_t)*p;
}

int16_t reader_i16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p == NULL ? 0 : (int16_t)load_be16(p);
}

int32_t reader_i32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p == NULL ? 0 : (int32_t)load_be32(p);
}

int64_t reader_i64(struct reader *r)
{
    const uint8_t *p = reader_take(r, 8);
    return p == NULL ? 0 : (int64_t)load_be64(p);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)reader_i32(r);
}

struct uuid reader_uuid(struct reader *r)
{
    struct uuid u = {{0}};
    const uint8_t *p = reader_take(r, sizeof u.b);
    if (p != NULL) {
        memcpy(u.b, p, sizeof u.b);
    }
    return u;
}

uint64_t reader_uvarint64(struct reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *p = reader_take(r, 1);
        if (p == NULL) {
            return 0;
        }
        if (shift == 63 && *p > 1) {
            break;
        }
        value |= (uint64_t)(*p & 0x7f) << shift;
        if ((*p & 0x80) == 0) {
            return value;
        }
    }
    r->failed = true;
    return 0;
}

uint32_t reader_uvarint(struct reader *r)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        const uint8_t *p = reader_take(r, 1);
        if (p == NULL) {
            return 0;
        }
        if (shift == 28 && *p > 15) {
            break;
        }
        value |= (uint32_t)(*p & 0x7f) << shift;
        if ((*p & 0x80) == 0) {
            return value;
        }
    }
    r->failed = true;
    return 0;
}

int32_t reader_varint(struct reader *r)
{
    uint32_t v = reader_uvarint(r);
    return (int32_t)((v >> 1) ^ (0U - (v & 1)));
}

int64_t reader_varlong(struct reader *r)
{
    uint64_t v = reader_uvarint64(r);
    return (int64_t)((v >> 1) ^ (0UL - (v & 1)));
}
