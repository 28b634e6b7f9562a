// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

enum { BUF_FIRST_SIZE = 256, BUF_SMALL_SIZE = 4096 };

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){.limit = limit};
}

struct buf buf_borrow(uint8_t *room, size_t size)
{
    return (struct buf){.ptr = room, .cap = size, .limit = size};
}

void buf_fini(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){.limit = b->limit};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->limit - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->cap - b->len < n) {
        size_t cap = b->cap < BUF_FIRST_SIZE ? BUF_FIRST_SIZE : b->cap;
        while (cap < b->len + n) {
            cap = cap > b->limit / 2 ? b->limit : cap * 2;
        }
        cap = cap > b->limit ? b->limit : cap;
        if (b->gives_way &&
            !mem_has_room(cap <= BUF_SMALL_SIZE ? MEM_SHARE_SMALL : MEM_SHARE_WORK, cap - b->cap)) {
            b->failed = true;
            return NULL;
        }
        b->ptr = mem_realloc(b->ptr, cap);
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_append(struct buf *b, const void *data, size_t n)
{
    uint8_t *room = n == 0 ? NULL : buf_reserve(b, n);
    if (room != NULL) {
        memcpy(room, data, n);
        b->len += n;
    }
}

void buf_append_str(struct buf *b, struct str s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    ASSERT(length >= 0);
    uint8_t *room = buf_reserve(b, (size_t)length + 1);
    if (room != NULL) {
        vsnprintf((char *)room, (size_t)length + 1, format, again);
        b->len += (size_t)length;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_u8(struct buf *b, uint8_t v)
{
    buf_append(b, &v, 1);
}

void buf_be16(struct buf *b, uint16_t v)
{
    uint8_t *room = buf_reserve(b, 2);
    if (room != NULL) {
        store_be16(room, v);
        b->len += 2;
    }
}

void buf_be32(struct buf *b, uint32_t v)
{
    uint8_t *room = buf_reserve(b, 4);
    if (room != NULL) {
        store_be32(room, v);
        b->len += 4;
    }
}

void buf_be64(struct buf *b, uint64_t v)
{
    uint8_t *room = buf_reserve(b, 8);
    if (room != NULL) {
        store_be64(room, v);
        b->len += 8;
    }
}

void buf_uuid(struct buf *b, struct uuid u)
{
    buf_append(b, u.b, sizeof u.b);
}

void buf_uvarint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    buf_append(b, bytes, n);
}

void buf_varint(struct buf *b, int32_t v)
{
    buf_uvarint(b, ((uint32_t)v << 1) ^ (uint32_t)(v >> 31));
}

void buf_varlong(struct buf *b, int64_t v)
{
    buf_uvarint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
