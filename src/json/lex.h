// SPDX-License-Identifier: Apache-2.0
// lex.h - the inner loops of reading JSON, many bytes at a time: strings, numbers, white space. The text has
// LEX_PAD zero bytes behind it, so that no loop asks where it ends: a zero is nothing that JSON has. UTF-8 is
// not looked at. Pure.
#ifndef JSON_LEX_H
#define JSON_LEX_H

#include <endian.h>

#include "base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { LEX_WIDTH = 16, LEX_PAD = 2 * LEX_WIDTH };

// lex_space passes over white space.
static inline const char *lex_space(const char *p)
{
    while (__builtin_expect((uint8_t)*p <= ' ', 0)) {
        if (*p != ' ' && *p != '\n' && *p != '\r' && *p != '\t') {
            return p;
        }
        p++;
    }
    return p;
}

// lex_plain counts the bytes at `p`, up to LEX_WIDTH, before a quote, a backslash or a control character.
static inline uint32_t lex_plain(const char *p)
{
#if defined(__SSE2__)
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i stop =
        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x));
    return (uint32_t)__builtin_ctz((uint32_t)_mm_movemask_epi8(stop) | 1u << LEX_WIDTH);
#elif defined(__ARM_NEON) && defined(__aarch64__)
    uint8x16_t x = vld1q_u8((const uint8_t *)p);
    uint8x16_t stop = vorrq_u8(vceqq_u8(x, vdupq_n_u8('"')), vceqq_u8(x, vdupq_n_u8('\\')));
    stop = vorrq_u8(stop, vcltq_u8(x, vdupq_n_u8(0x20)));
    uint64_t nibbles = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(stop), 4)), 0);
    return nibbles == 0 ? LEX_WIDTH : (uint32_t)__builtin_ctzll(nibbles) / 4;
#else
    const uint64_t ones = 0x0101010101010101;
    const uint64_t highs = 0x8080808080808080;
    for (uint32_t i = 0; i < LEX_WIDTH; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, sizeof w);
        w = le64toh(w);
        uint64_t quote = w ^ ones * '"';
        uint64_t slash = w ^ ones * '\\';
        // Borrows reach only bytes above one that is a hit itself: the lowest bit is true.
        uint64_t hit =
            (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & highs;
        if (hit != 0) {
            return i + (uint32_t)__builtin_ctzll(hit) / 8;
        }
    }
    return LEX_WIDTH;
#endif
}

// lex_digit_mask has a bit for each of the LEX_WIDTH bytes at `p` that is a decimal digit.
static inline uint32_t lex_digit_mask(const char *p)
{
#if defined(__SSE2__)
    __m128i x = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), _mm_set1_epi8('0'));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x));
#else
    uint32_t mask = 0;
    for (uint32_t i = 0; i < LEX_WIDTH; i++) {
        mask |= (uint32_t)((uint8_t)(p[i] - '0') <= 9) << i;
    }
    return mask;
#endif
}

// lex_digits counts the decimal digits at `p`, up to LEX_WIDTH.
static inline uint32_t lex_digits(const char *p)
{
    return (uint32_t)__builtin_ctz(~lex_digit_mask(p));
}

// lex_number8 is what up to 8 digits stand for.
static inline uint64_t lex_number8(const char *p, uint32_t count)
{
    uint64_t w;
    if (count == 0) {
        return 0;
    }
    memcpy(&w, p, sizeof w);
    // Digits that are missing in front become zeros; then pairs are joined, and pairs of pairs.
    w = (le64toh(w) - 0x3030303030303030) << (64 - 8 * count);
    w = w * 10 + (w >> 8);
    w = (((w & 0x000000ff000000ff) * 0x000f424000000064) +
         (((w >> 16) & 0x000000ff000000ff) * 0x0000271000000001)) >>
        32;
    return w & UINT32_MAX;
}

// lex_escape is the length of the escape whose backslash is at `p`; 0: it is none.
static inline uint32_t lex_escape(const char *p)
{
    if (p[1] != 'u') {
        return p[1] != 0 && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    }
    for (int i = 2; i < 6; i++) {
        bool is_hex = (uint8_t)(p[i] - '0') <= 9 || (uint8_t)((p[i] | 0x20) - 'a') <= 5;
        if (!is_hex) {
            return 0;
        }
    }
    return 6;
}

// lex_string returns the quote that ends the string whose text begins at `p`; NULL: it is malformed.
static inline const char *lex_string(const char *p, bool *ret_has_escape)
{
    *ret_has_escape = false;
    for (;;) {
        uint32_t plain = lex_plain(p);
        p += plain;
        if (plain == LEX_WIDTH) {
            continue;
        }
        if (__builtin_expect(*p == '"', 1)) {
            return p;
        }
        uint32_t size = *p == '\\' ? lex_escape(p) : 0;
        if (size == 0) {
            return NULL;
        }
        *ret_has_escape = true;
        p += size;
    }
}

struct lex_number {
    const char *begin;
    const char *whole;    // first digit
    uint32_t whole_count; // of digits
    uint32_t scale;       // digits behind the point
    bool has_exponent;
};

// lex_long_number reads any number.
static __attribute__((noinline, unused)) const char *lex_long_number(const char *p, struct lex_number *ret)
{
    uint32_t more;
    p = ret->whole;
    do {
        more = lex_digits(p);
        p += more;
    } while (more == LEX_WIDTH);
    ret->whole_count = (uint32_t)(p - ret->whole);
    ret->scale = 0;
    if (ret->whole_count == 0 || (ret->whole_count > 1 && *ret->whole == '0')) {
        return NULL;
    }
    if (*p == '.') {
        const char *fraction = ++p;
        do {
            more = lex_digits(p);
            p += more;
        } while (more == LEX_WIDTH);
        ret->scale = (uint32_t)(p - fraction);
        if (ret->scale == 0) {
            return NULL;
        }
    }
    if ((*p | 0x20) == 'e') {
        ret->has_exponent = true;
        p++;
        p += *p == '+' || *p == '-';
        const char *exponent = p;
        while ((uint8_t)(*p - '0') <= 9) {
            p++;
        }
        return p == exponent ? NULL : p;
    }
    return p;
}

// lex_number reads the number at `p`; returns what is behind it, NULL if it is malformed.
static inline const char *lex_number(const char *p, struct lex_number *ret)
{
    const char *whole = p + (*p == '-');
    uint32_t mask = lex_digit_mask(whole);
    uint32_t count = (uint32_t)__builtin_ctz(~mask);
    ret->begin = p;
    ret->whole = whole;
    ret->whole_count = count;
    ret->has_exponent = false;
    uint32_t size = count;
    uint32_t scale = 0;
    bool is_good = count > 0;
    if (whole[count] == '.') {
        scale = (uint32_t)__builtin_ctz(~(mask >> (count + 1)));
        size += 1 + scale;
        is_good &= scale > 0;
    }
    ret->scale = scale;
    // Of what reaches the last byte that was seen, there may be more.
    bool is_short = is_good && size < LEX_WIDTH && (whole[size] | 0x20) != 'e';
    if (__builtin_expect(!is_short, 0)) {
        return lex_long_number(p, ret);
    }
    return count > 1 && *whole == '0' ? NULL : whole + size;
}

#endif
