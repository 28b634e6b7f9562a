// SPDX-License-Identifier: Apache-2.0
// text.c - a text that grows in the arena of a run.
#include "cel/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_FIRST_SIZE = 64, PRINTF_SIZE = 512 };

// Room for n more bytes.
static bool text_reserve(struct cel_text *text, size_t n)
{
    if (text->call->is_over || !cel_pay_bytes(text->call, n)) {
        return false;
    }
    if (n <= text->cap - text->len) {
        return true;
    }
    size_t cap = text->cap < TEXT_FIRST_SIZE ? TEXT_FIRST_SIZE : text->cap * 2;
    cap = cap < text->len + n ? text->len + n : cap;
    if (cap > UINT32_MAX) { // the length of a value
        cel_pay(text->call, UINT64_MAX);
        return false;
    }
    char *ptr = cel_alloc(text->call, cap, 1);
    if (ptr == NULL) {
        return false;
    }
    if (text->len > 0) {
        memcpy(ptr, text->ptr, text->len);
    }
    text->ptr = ptr;
    text->cap = cap;
    return true;
}

void cel_text_append(struct cel_text *text, struct str s)
{
    if (s.len > 0 && text_reserve(text, s.len)) {
        memcpy(text->ptr + text->len, s.ptr, s.len);
        text->len += s.len;
    }
}

void cel_text_char(struct cel_text *text, char c)
{
    if (text->len < text->cap) { // paid for when it was reserved
        text->ptr[text->len++] = c;
    } else {
        cel_text_append(text, (struct str){&c, 1});
    }
}

void cel_text_printf(struct cel_text *text, const char *format, ...)
{
    char line[PRINTF_SIZE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0) {
        cel_text_append(text, (struct str){line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1});
    }
}

struct cel_value cel_text_done(struct cel_text *text)
{
    if (text->call->is_over) {
        return cel_over(text->call);
    }
    return cel_string((struct str){text->len == 0 ? "" : text->ptr, text->len});
}

size_t code_point_offset(struct str s, int64_t index)
{
    size_t at = 0;
    while (index > 0 && at < s.len) {
        at += code_point_width((unsigned char)s.ptr[at]);
        index--;
    }
    return index == 0 ? at : SIZE_MAX;
}
