// SPDX-License-Identifier: Apache-2.0
// utf8.h - well-formed UTF-8 (RFC 3629: no surrogates, no long forms). Pure.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

// utf8_size tells how many bytes the well-formed character at `text` takes; 0 if it is none. text.len > 0.
size_t utf8_size(struct str text);
bool utf8_is_valid(struct str text);
// utf8_count counts characters; the text is valid.
size_t utf8_count(struct str text);
// utf8_decode reads the character at the front of a valid text that is not empty and moves the text past it.
uint32_t utf8_decode(struct str *text);
// utf8_encode writes a code point that is no surrogate and at most 0x10ffff; returns its size.
size_t utf8_encode(uint32_t code_point, char ret_bytes[4]);

#endif
