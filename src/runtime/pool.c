// SPDX-License-Identifier: Apache-2.0
// Idle chunks wait on one stack per size class, so that the one touched last, which is still in the CPU's
// caches and mapped, is handed out first. The lock is held for a few instructions and never while memory is
// allocated or freed.
#include "runtime/pool.h"

#include "base/assert.h"
#include "base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISONS 1
#endif
#endif
#ifdef POOL_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size)   ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#endif

enum {
    CLASS_SHIFT = 12,          // the smallest class is 4 KiB
    CLASS_STEPS = 4,           // each doubling has four, so that little is lost: 4, 5, 6, 7, 8, 10 ...
    CLASS_COUNT = 45,          // the largest 8 MiB
    CLASS_EXACT = CLASS_COUNT, // larger ones are made to measure and never kept
};

struct pool {
    size_t limit_bytes;
    size_t idle_bytes_max;
    size_t used_bytes;  // atomic
    struct mutex mutex; // guards the rest
    size_t idle_bytes;
    struct chunk *idle[CLASS_COUNT];
};

struct pool *pool_create(struct env *env, size_t limit_bytes, size_t idle_bytes)
{
    struct pool *pool = mem_zalloc(sizeof *pool);
    pool->limit_bytes = limit_bytes;
    pool->idle_bytes_max = idle_bytes;
    mutex_init(&pool->mutex, env->threads);
    return pool;
}

static void chunk_free(struct chunk *chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(chunk->ptr, chunk->cap);
    mem_free(chunk->ptr);
    mem_free(chunk);
}

void pool_destroy(struct pool *take_pool)
{
    if (take_pool == NULL) {
        return;
    }
    ASSERT(pool_used_bytes(take_pool) == 0); // a chunk must not outlive its pool
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        while (take_pool->idle[i] != NULL) {
            struct chunk *chunk = take_pool->idle[i];
            take_pool->idle[i] = chunk->next;
            chunk_free(chunk);
        }
    }
    mutex_fini(&take_pool->mutex);
    mem_free(take_pool);
}

static uint32_t class_of(size_t size)
{
    if (size <= (size_t)1 << CLASS_SHIFT) {
        return 0;
    }
    uint32_t doublings = 63 - (uint32_t)__builtin_clzll(size - 1) - CLASS_SHIFT;
    size_t step = ((size_t)1 << (CLASS_SHIFT + doublings)) / CLASS_STEPS;
    uint64_t index = (uint64_t)doublings * CLASS_STEPS + (size - 1) / step - CLASS_STEPS + 1;
    return index < CLASS_COUNT ? (uint32_t)index : CLASS_EXACT;
}

// used_claim counts bytes as handed out, if they fit under the limit.
static bool used_claim(struct pool *pool, size_t bytes)
{
    size_t used = __atomic_load_n(&pool->used_bytes, __ATOMIC_RELAXED);
    do {
        if (bytes > pool->limit_bytes || used > pool->limit_bytes - bytes) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&pool->used_bytes, &used, used + bytes, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static struct chunk *idle_take(struct pool *pool, uint32_t class_index)
{
    mutex_lock(&pool->mutex);
    struct chunk *chunk = pool->idle[class_index];
    if (chunk != NULL) {
        pool->idle[class_index] = chunk->next;
        pool->idle_bytes -= chunk->cap;
    }
    mutex_unlock(&pool->mutex);
    return chunk;
}

static bool idle_put(struct pool *pool, struct chunk *chunk)
{
    if (chunk->class_index == CLASS_EXACT) {
        return false;
    }
    // Before others can see it: they may take it, and unpoison it, at once.
    ASAN_POISON_MEMORY_REGION(chunk->ptr, chunk->cap);
    mutex_lock(&pool->mutex);
    bool is_kept = chunk->cap <= pool->idle_bytes_max - pool->idle_bytes && mem_has_room(MEM_SHARE_STATE, 0);
    if (is_kept) {
        pool->idle_bytes += chunk->cap;
        chunk->next = pool->idle[chunk->class_index];
        pool->idle[chunk->class_index] = chunk;
    }
    mutex_unlock(&pool->mutex);
    return is_kept;
}

static size_t cap_of(uint32_t class_index, size_t size)
{
    if (class_index == CLASS_EXACT) {
        return size;
    }
    size_t base = (size_t)1 << (CLASS_SHIFT + class_index / CLASS_STEPS);
    return base + class_index % CLASS_STEPS * (base / CLASS_STEPS);
}

// chunk_take: its bytes have been counted.
static struct chunk *chunk_take(struct pool *pool, uint32_t class_index, size_t cap)
{
    struct chunk *chunk = class_index == CLASS_EXACT ? NULL : idle_take(pool, class_index);
    if (chunk == NULL) {
        chunk = mem_zalloc(sizeof *chunk);
        chunk->ptr = mem_alloc(cap);
        chunk->cap = cap;
        chunk->pool = pool;
        chunk->class_index = class_index;
    } else {
        ASAN_UNPOISON_MEMORY_REGION(chunk->ptr, cap);
    }
    chunk->next = NULL;
    __atomic_store_n(&chunk->refs, 1, __ATOMIC_RELAXED);
    return chunk;
}

struct chunk *chunk_get(struct pool *pool, size_t size)
{
    uint32_t class_index = class_of(size);
    size_t cap = cap_of(class_index, size);
    bool may = mem_has_room(MEM_SHARE_TRAVEL, cap) && used_claim(pool, cap);
    return may ? chunk_take(pool, class_index, cap) : NULL;
}

struct chunk *chunk_get_beyond(struct pool *pool, size_t size)
{
    uint32_t class_index = class_of(size);
    size_t cap = cap_of(class_index, size);
    __atomic_fetch_add(&pool->used_bytes, cap, __ATOMIC_RELAXED);
    return chunk_take(pool, class_index, cap);
}

void chunk_ref(struct chunk *chunk)
{
    uint32_t before = __atomic_fetch_add(&chunk->refs, 1, __ATOMIC_RELAXED);
    ASSERT(before > 0);
    ASSERT(before < UINT32_MAX);
}

void chunk_unref(struct chunk *chunk)
{
    if (chunk == NULL) {
        return;
    }
    uint32_t before = __atomic_fetch_sub(&chunk->refs, 1, __ATOMIC_ACQ_REL);
    ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    struct pool *pool = chunk->pool;
    size_t cap = chunk->cap;
    if (!idle_put(pool, chunk)) {
        chunk_free(chunk);
    }
    // Last: from here on the pool may be destroyed.
    size_t used = __atomic_fetch_sub(&pool->used_bytes, cap, __ATOMIC_RELEASE);
    ASSERT(used >= cap);
}

size_t pool_used_bytes(const struct pool *pool)
{
    return __atomic_load_n(&pool->used_bytes, __ATOMIC_ACQUIRE);
}

size_t pool_limit_bytes(const struct pool *pool)
{
    return pool->limit_bytes;
}
