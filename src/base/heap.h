// SPDX-License-Identifier: Apache-2.0
// heap.h - an intrusive binary min-heap on a signed 64-bit key, with removal from the middle (timers).
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t order; // ties leave in insertion order
    size_t index;   // 1-based position; 0 = not in a heap
};
struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t cap;
    uint64_t next_order;
};

#define HEAP_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
void heap_insert(struct heap *h, struct heap_node *node, int64_t key);
// heap_remove is a no-op on a node that is in no heap.
void heap_remove(struct heap *h, struct heap_node *node);
struct heap_node *heap_min(const struct heap *h); // NULL when empty

#endif
