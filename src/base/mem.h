// SPDX-License-Identifier: Apache-2.0
// mem.h - the one door to the heap. Real exhaustion aborts here and nowhere else.
// The simulator installs hooks so that everything a crashed broker held can be dropped at once.
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

struct mem_hooks {
    void *(*alloc)(size_t size); // uninitialised; never NULL
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr); // NULL is a no-op
};

// mem_hooks_set replaces the allocator; must run before the first allocation. NULL restores malloc.
void mem_hooks_set(const struct mem_hooks *hooks);

// ---- the cap
//
// The heap counts what it has given out, each thread by itself up to 16 KiB. Nothing fails here: whoever can
// wait, refuse or do with less asks first whether there is room, the easier it is for him the sooner.
// Not counted under hooks.

enum mem_share {           // percent of the cap
    MEM_SHARE_STATE = 62,  // what stays: topics, groups, offsets, documents; without what travels
    MEM_SHARE_TRAVEL = 85, // records and requests on their way: they wait
    MEM_SHARE_WORK = 95,   // working on a request: its connection ends
    MEM_SHARE_SMALL = 100, // the same, of a request that needs little
};

// mem_cap_set: how much the heap is to hold; 0, as at first, is no cap. Also has malloc give large blocks
// back to the kernel when they are freed.
void mem_cap_set(size_t bytes);
size_t mem_cap_bytes(void);
size_t mem_used_bytes(void);
// mem_has_room: `bytes` more would stay within that share of the cap.
bool mem_has_room(enum mem_share share, size_t bytes);
// mem_trim gives what lies idle in the heap back to the kernel, if much was freed since the last time. Slow.
void mem_trim(void);

// UNINITIALIZED is for a local array that is filled before it is read: it is not zeroed, as all others are.
#define UNINITIALIZED __attribute__((uninitialized))

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
// mem_array allocates count zeroed elements; aborts on overflow of count * size.
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
void mem_free(void *ptr);

#endif
