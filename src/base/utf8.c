// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include "base/assert.h"

size_t utf8_size(struct str text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    if (p[0] < 0x80) {
        return 1;
    }
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.len < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_long_form = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool is_no_character = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return is_long_form || is_no_character ? 0 : size;
}

bool utf8_is_valid(struct str text)
{
    if (text.len == 0 || utf8_is_ascii(text.ptr, text.len)) {
        return true;
    }
    while (text.len > 0) {
        uint64_t word = 0x80;
        if (text.len >= sizeof word) {
            memcpy(&word, text.ptr, sizeof word);
        }
        if ((word & 0x8080808080808080) == 0) {
            size_t plain = sizeof word + utf8_ascii_blocks(text.ptr + sizeof word, text.len - sizeof word);
            text.ptr += plain;
            text.len -= plain;
            continue;
        }
        size_t size = utf8_size(text);
        if (size == 0) {
            return false;
        }
        text.ptr += size;
        text.len -= size;
    }
    return true;
}

struct str utf8_skip_mark(struct str text)
{
    size_t size = str_has_prefix(text, STR("\xef\xbb\xbf")) ? 3 : 0;
    return (struct str){text.ptr + size, text.len - size};
}

size_t utf8_count(struct str text)
{
    size_t count = 0;
    if (text.len == 0 || utf8_is_ascii(text.ptr, text.len)) {
        return text.len;
    }
    for (size_t i = 0; i < text.len; i++) {
        count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    }
    return count;
}

uint32_t utf8_decode(struct str *text)
{
    const uint8_t *p = (const uint8_t *)text->ptr;
    size_t size = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    ASSERT(text->len >= size);
    uint32_t c = size == 1 ? p[0] : p[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        c = c << 6 | (p[i] & 0x3fu);
    }
    text->ptr += size;
    text->len -= size;
    return c;
}

size_t utf8_encode(uint32_t c, char ret_bytes[4])
{
    if (c < 0x80) {
        ret_bytes[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        ret_bytes[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    ret_bytes[0] = (char)((0xf00u >> size & 0xff) | c);
    return size;
}
