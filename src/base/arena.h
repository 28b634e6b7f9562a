// SPDX-License-Identifier: Apache-2.0
// arena.h - many small allocations with one lifetime and a byte cap. Not thread-safe.
// A longer life never points into a shorter one; reset poisons under ASan.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/bytes.h"

struct arena_block;
struct arena {
    struct arena_block *blocks; // newest first
    size_t used;                // in the newest block
    size_t total;               // bytes handed out since the last reset, padding included
    size_t limit;
    bool gives_way; // fails also when the heap is near its cap (base/mem.h); false after arena_init
    bool failed;    // the cap was hit since the last reset
    bool gave_way;  // likewise: the heap's it was, not its own
};

// arena_init sets an empty arena that hands out at most `limit` bytes.
void arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
// arena_reset frees all but one small block.
void arena_reset(struct arena *a);
// arena_alloc returns zeroed, 16-byte aligned memory, or NULL past the cap (and sets failed).
void *arena_alloc(struct arena *a, size_t size);
void *arena_array_alloc(struct arena *a, size_t count, size_t size);
#define arena_new(a, type, count) ((type *)arena_array_alloc((a), (count), sizeof(type)))
// arena_str copies text; the copy is also NUL-terminated. A NULL ptr in is a NULL ptr out.
struct str arena_str(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

// arena_mark remembers how much was handed out; arena_release takes back all that was handed out since.
// Marks nest.
struct arena_mark {
    struct arena_block *block;
    size_t used;
    size_t total;
};
static inline struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->blocks, a->used, a->total};
}
void arena_release(struct arena *a, struct arena_mark mark);

#endif
