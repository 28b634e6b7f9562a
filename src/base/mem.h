// SPDX-License-Identifier: Apache-2.0
// mem.h - the one door to the heap. Real exhaustion aborts here and nowhere else.
// The simulator installs hooks so that everything a crashed broker held can be dropped at once.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

struct mem_hooks {
    void *(*alloc)(size_t size); // uninitialised; never NULL
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr); // NULL is a no-op
};

// mem_hooks_set replaces the allocator; must run before the first allocation. NULL restores malloc.
void mem_hooks_set(const struct mem_hooks *hooks);

// UNINITIALIZED is for a local array that is filled before it is read: it is not zeroed, as all others are.
#define UNINITIALIZED __attribute__((uninitialized))

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
// mem_array allocates count zeroed elements; aborts on overflow of count * size.
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
void mem_free(void *ptr);

#endif
