// SPDX-License-Identifier: Apache-2.0
// utf8.h - well-formed UTF-8 (RFC 3629: no surrogates, no long forms). Pure.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { UTF8_BLOCK = 32 };

// utf8_has_high: of 16 bytes each, one is not ASCII.
static inline bool utf8_has_high(const char *a, const char *b)
{
#ifdef __SSE2__
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)a);
    return _mm_movemask_epi8(_mm_or_si128(first, _mm_loadu_si128((const __m128i *)(const void *)b))) != 0;
#else
    uint64_t first[2];
    uint64_t second[2];
    memcpy(first, a, sizeof first);
    memcpy(second, b, sizeof second);
    return ((first[0] | first[1] | second[0] | second[1]) & 0x8080808080808080) != 0;
#endif
}

// utf8_ascii_blocks tells how many bytes at the front, in whole blocks of UTF8_BLOCK, are ASCII.
static inline size_t utf8_ascii_blocks(const char *p, size_t len)
{
    size_t i = 0;
    while (i + UTF8_BLOCK <= len && !utf8_has_high(p + i, p + i + UTF8_BLOCK / 2)) {
        i += UTF8_BLOCK;
    }
    return i;
}

// utf8_is_ascii: most text is short and ASCII. Two loads that may overlap, for any length up to a block.
static inline bool utf8_is_ascii(const char *p, size_t len)
{
    if (len >= UTF8_BLOCK / 2) {
        size_t blocks = len <= UTF8_BLOCK ? 0 : utf8_ascii_blocks(p, len);
        bool is_short = len - blocks <= UTF8_BLOCK;
        const char *end = p + len;
        return is_short && !utf8_has_high(len <= UTF8_BLOCK ? p : end - UTF8_BLOCK, end - UTF8_BLOCK / 2);
    }
    uint64_t high = 0;
    if (len >= 8) {
        uint64_t words[2];
        memcpy(&words[0], p, sizeof words[0]);
        memcpy(&words[1], p + len - sizeof words[1], sizeof words[1]);
        high = words[0] | words[1];
    } else if (len >= 4) {
        uint32_t words[2];
        memcpy(&words[0], p, sizeof words[0]);
        memcpy(&words[1], p + len - sizeof words[1], sizeof words[1]);
        high = words[0] | words[1];
    } else if (len > 0) {
        high = (uint8_t)p[0] | (uint8_t)p[len / 2] | (uint8_t)p[len - 1];
    }
    return (high & 0x8080808080808080) == 0;
}

// utf8_size tells how many bytes the well-formed character at `text` takes; 0 if it is none. text.len > 0.
size_t utf8_size(struct str text);
bool utf8_is_valid(struct str text);
// utf8_skip_mark gives what stands behind a byte order mark at the front, which some editors write (U+FEFF).
struct str utf8_skip_mark(struct str text);
// utf8_count counts characters; the text is valid.
size_t utf8_count(struct str text);
// utf8_decode reads the character at the front of a valid text that is not empty and moves the text past it.
uint32_t utf8_decode(struct str *text);
// utf8_encode writes a code point that is no surrogate and at most 0x10ffff; returns its size.
size_t utf8_encode(uint32_t code_point, char ret_bytes[4]);

#endif
