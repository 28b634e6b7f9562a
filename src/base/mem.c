// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum {
    PENDING_MAX = 16 << 10, // bytes that a thread has not told the others of
    MMAP_FROM = 256 << 10,  // blocks that malloc maps and unmaps
    TRIM_FROM = 32 << 20,   // bytes freed that are worth the kernel's work
};

static const struct mem_hooks *mem_hooks;
static size_t used_bytes; // atomic
static size_t peak_bytes; // atomic: the most since the last trim
static size_t cap_bytes;  // atomic
static _Thread_local int64_t pending_bytes;

static void count(int64_t bytes)
{
    pending_bytes += bytes;
    if (pending_bytes <= PENDING_MAX && pending_bytes >= -PENDING_MAX) {
        return;
    }
    size_t used = __atomic_add_fetch(&used_bytes, (size_t)pending_bytes, __ATOMIC_RELAXED);
    pending_bytes = 0;
    // Another thread may have freed what this one has not told of yet: then it is below zero for a moment.
    if ((int64_t)used > 0 && used > __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED)) {
        __atomic_store_n(&peak_bytes, used, __ATOMIC_RELAXED);
    }
}

void mem_cap_set(size_t bytes)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    __atomic_store_n(&cap_bytes, bytes, __ATOMIC_RELAXED);
}

size_t mem_cap_bytes(void)
{
    return __atomic_load_n(&cap_bytes, __ATOMIC_RELAXED);
}

size_t mem_used_bytes(void)
{
    size_t used = __atomic_load_n(&used_bytes, __ATOMIC_RELAXED);
    return (int64_t)used < 0 ? 0 : used;
}

bool mem_has_room(enum mem_share share, size_t bytes)
{
    size_t cap = mem_cap_bytes();
    size_t most = cap / 100 * share;
    return cap == 0 || (bytes <= most && mem_used_bytes() <= most - bytes);
}

void mem_trim(void)
{
    size_t used = mem_used_bytes();
    if (__atomic_load_n(&peak_bytes, __ATOMIC_RELAXED) > used + TRIM_FROM) {
        __atomic_store_n(&peak_bytes, used, __ATOMIC_RELAXED);
        (void)malloc_trim(0);
    }
}

void mem_hooks_set(const struct mem_hooks *hooks)
{
    mem_hooks = hooks;
}

void *mem_alloc(size_t size)
{
    if (mem_hooks != NULL) {
        return mem_hooks->alloc(size);
    }
    void *ptr = malloc(size == 0 ? 1 : size);
    ASSERT(ptr != NULL);
    count((int64_t)malloc_usable_size(ptr));
    return ptr;
}

void *mem_zalloc(size_t size)
{
    if (mem_hooks == NULL) {
        void *fresh = calloc(1, size == 0 ? 1 : size);
        ASSERT(fresh != NULL);
        count((int64_t)malloc_usable_size(fresh));
        return fresh;
    }
    void *ptr = mem_alloc(size);
    memset(ptr, 0, size);
    return ptr;
}

void *mem_array(size_t count, size_t size)
{
    size_t total;
    ASSERT(!__builtin_mul_overflow(count, size, &total));
    return mem_zalloc(total);
}

void *mem_realloc(void *ptr, size_t size)
{
    if (mem_hooks != NULL) {
        return mem_hooks->realloc(ptr, size);
    }
    count(-(int64_t)malloc_usable_size(ptr));
    void *moved = realloc(ptr, size == 0 ? 1 : size);
    ASSERT(moved != NULL);
    count((int64_t)malloc_usable_size(moved));
    return moved;
}

void mem_free(void *ptr)
{
    if (mem_hooks != NULL) {
        mem_hooks->free(ptr);
    } else {
        count(-(int64_t)malloc_usable_size(ptr));
        free(ptr);
    }
}
