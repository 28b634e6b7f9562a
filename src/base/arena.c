// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define arena_poison(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define arena_unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define arena_poison(p, n)   ((void)(p), (void)(n))
#define arena_unpoison(p, n) ((void)(p), (void)(n))
#endif

enum { ARENA_BLOCK_SIZE = 1024, ARENA_KEEP_SIZE = 65536, ARENA_OVERHEAD_MAX = 256, ARENA_SMALL_SIZE = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    _Alignas(16) uint8_t data[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

static void block_free(struct arena_block *block)
{
    arena_unpoison(block->data, block->cap);
    mem_free(block);
}

void arena_fini(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        block_free(a->blocks);
        a->blocks = next;
    }
    *a = (struct arena){.limit = a->limit};
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL;
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        if (kept == NULL && a->blocks->cap <= ARENA_KEEP_SIZE) {
            kept = a->blocks;
            kept->next = NULL;
            arena_poison(kept->data, kept->cap);
        } else {
            block_free(a->blocks);
        }
        a->blocks = next;
    }
    a->blocks = kept;
    a->used = 0;
    a->total = 0;
    a->failed = a->gave_way = false;
}

// The newest block stays though it is empty: a loop that marks at the end of a block would allocate each
// time.
void arena_release(struct arena *a, struct arena_mark mark)
{
    size_t keep = 0;
    struct arena_block *top = a->blocks;
    if (top == mark.block) {
        keep = mark.used;
    } else {
        while (top->next != mark.block) {
            struct arena_block *next = top->next->next;
            block_free(top->next);
            top->next = next;
        }
    }
    if (top != NULL) {
        arena_poison(top->data + keep, top->cap - keep);
    }
    a->used = keep;
    a->total = mark.total;
}

// arena_grow: false: there is no room in the heap for somebody who gives way.
static bool arena_grow(struct arena *a, size_t size)
{
    // What is small stays small: there may be a hundred thousand arenas.
    size_t cap = a->blocks == NULL ? ARENA_BLOCK_SIZE : a->blocks->cap * 2;
    cap = cap > (1U << 20) ? (1U << 20) : cap;
    cap = cap < size ? size : cap;
    if (a->gives_way && !mem_has_room(cap <= ARENA_SMALL_SIZE ? MEM_SHARE_SMALL : MEM_SHARE_WORK, cap)) {
        return false;
    }
    struct arena_block *block = mem_alloc(sizeof *block + cap);
    block->cap = cap;
    block->next = a->blocks;
    arena_poison(block->data, cap);
    a->blocks = block;
    a->used = 0;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (a->failed || size > a->limit - a->total || size > SIZE_MAX - ARENA_OVERHEAD_MAX) {
        a->failed = true;
        return NULL;
    }
    size_t rounded = (size + 15) & ~(size_t)15;
    if (a->blocks == NULL || a->blocks->cap - a->used < rounded) {
        if (!arena_grow(a, rounded)) {
            a->failed = a->gave_way = true;
            return NULL;
        }
    }
    uint8_t *at = a->blocks->data + a->used;
    arena_unpoison(at, size);
    a->used += rounded;
    // Padding counts too: otherwise a million one-byte strings would take sixteen times the cap.
    a->total = rounded > a->limit - a->total ? a->limit : a->total + rounded;
    memset(at, 0, size);
    return at;
}

void *arena_array_alloc(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, total);
}

struct str arena_str(struct arena *a, struct str s)
{
    if (s.ptr == NULL) {
        return s;
    }
    char *copy = arena_alloc(a, s.len + 1);
    if (copy == NULL) {
        return (struct str){NULL, 0};
    }
    memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    ASSERT(length >= 0);
    char *text = arena_alloc(a, (size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(args);
    return (struct str){text, text == NULL ? 0 : (size_t)length};
}
