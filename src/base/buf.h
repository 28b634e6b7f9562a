// SPDX-License-Identifier: Apache-2.0
// buf.h - a growing byte buffer with a limit. Overrunning the limit sets `failed`; later appends are no-ops.
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/bytes.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t limit;
    bool gives_way; // fails also when the heap is near its cap (base/mem.h); false after buf_init
    bool failed;
};

// buf_init sets an empty buffer that may grow to `limit` bytes. A zeroed buf is a valid empty one with limit
// 0.
void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);
// buf_borrow is an empty buffer in memory of somebody else's, which it does not outgrow. Needs no buf_fini.
struct buf buf_borrow(uint8_t *room, size_t size);
// buf_reset keeps the memory.
void buf_reset(struct buf *b);
// buf_reserve returns room for n more bytes at the end without advancing, or NULL past the limit.
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *data, size_t n);
void buf_append_str(struct buf *b, struct str s);
// buf_printf needs room for one byte more than the text while it works.
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void buf_u8(struct buf *b, uint8_t v);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
void buf_uuid(struct buf *b, struct uuid u);
// buf_uvarint appends unsigned LEB128; buf_varint and buf_varlong zigzag-coded.
void buf_uvarint(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, int32_t v);
void buf_varlong(struct buf *b, int64_t v);

static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){b->ptr, b->len};
}
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){(const char *)b->ptr, b->len};
}

#endif
