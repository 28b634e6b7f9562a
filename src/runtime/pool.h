// SPDX-License-Identifier: Apache-2.0
// pool.h - refcounted chunks of bytes for everything that travels between socket, log and socket, from size
// classes reused last-in first-out (first touch of fresh memory costs more than copying it: storage.md 4.1).
// Thread-safe.
#ifndef RUNTIME_POOL_H
#define RUNTIME_POOL_H

#include "base/bytes.h"
#include "platform/env.h"

struct pool;
struct chunk {
    uint8_t *ptr;
    size_t cap;
    struct pool *pool; // private from here on
    uint32_t refs;
    uint32_t class_index;
    struct chunk *next;
};

// pool_create: at most limit_bytes handed out; at most idle_bytes kept for reuse.
struct pool *pool_create(struct env *env, size_t limit_bytes, size_t idle_bytes);
void pool_destroy(struct pool *take_pool);
// chunk_get returns a chunk with cap >= size and one reference, or NULL over the limit, or when the heap is
// near its cap (base/mem.h).
struct chunk *chunk_get(struct pool *pool, size_t size);
// chunk_get_beyond is chunk_get without either limit, for the one whose turn it is while all others wait.
struct chunk *chunk_get_beyond(struct pool *pool, size_t size);
void chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk *chunk); // NULL is a no-op; the last one returns it
size_t pool_used_bytes(const struct pool *pool);
size_t pool_limit_bytes(const struct pool *pool);

#endif
