// SPDX-License-Identifier: Apache-2.0
// text.h - a text that grows in the arena of a run, and code points of UTF-8. Who appends pays for it.
#ifndef CEL_TEXT_H
#define CEL_TEXT_H

#include "base/utf8.h"
#include "cel/cel_private.h"

enum { CEL_BYTES_PER_STEP = 32 };

// A zeroed struct with `call` set is empty. Once the run is over, appends are no-ops.
struct cel_text {
    struct cel_call *call;
    char *ptr;
    size_t len;
    size_t cap;
};
void cel_text_append(struct cel_text *text, struct str s);
void cel_text_char(struct cel_text *text, char c);
void cel_text_printf(struct cel_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct cel_value cel_text_done(struct cel_text *text); // a string, or the error that the run is over

// cel_pay_bytes pays for looking at n bytes once.
static inline bool cel_pay_bytes(struct cel_call *call, size_t n)
{
    return cel_pay(call, n / CEL_BYTES_PER_STEP + 1);
}

// Of valid UTF-8: the bytes of a code point that begins so.
static inline size_t code_point_width(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
// code_point_offset is the byte where the code point with this index begins, or s.len for the index behind
// the last; SIZE_MAX if there are fewer.
size_t code_point_offset(struct str s, int64_t index);

#endif
