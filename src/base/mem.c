// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static const struct mem_hooks *mem_hooks;

void mem_hooks_set(const struct mem_hooks *hooks)
{
    mem_hooks = hooks;
}

void *mem_alloc(size_t size)
{
    void *ptr = mem_hooks != NULL ? mem_hooks->alloc(size) : malloc(size == 0 ? 1 : size);
    ASSERT(ptr != NULL);
    return ptr;
}

void *mem_zalloc(size_t size)
{
    if (mem_hooks == NULL) {
        void *fresh = calloc(1, size == 0 ? 1 : size);
        ASSERT(fresh != NULL);
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
    void *moved = mem_hooks != NULL ? mem_hooks->realloc(ptr, size) : realloc(ptr, size == 0 ? 1 : size);
    ASSERT(moved != NULL);
    return moved;
}

void mem_free(void *ptr)
{
    if (mem_hooks != NULL) {
        mem_hooks->free(ptr);
    } else {
        free(ptr);
    }
}
