// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/mem.h"

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
    mem_free(h->nodes);
    *h = (struct heap){0};
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place(struct heap *h, struct heap_node *node, size_t index)
{
    h->nodes[index - 1] = node;
    node->index = index;
}

static void sift_up(struct heap *h, struct heap_node *node)
{
    size_t index = node->index;
    while (index > 1 && before(node, h->nodes[index / 2 - 1])) {
        place(h, h->nodes[index / 2 - 1], index);
        index /= 2;
    }
    place(h, node, index);
}

static void sift_down(struct heap *h, struct heap_node *node)
{
    size_t index = node->index;
    while (index * 2 <= h->count) {
        size_t child = index * 2;
        if (child < h->count && before(h->nodes[child], h->nodes[child - 1])) {
            child++;
        }
        if (!before(h->nodes[child - 1], node)) {
            break;
        }
        place(h, h->nodes[child - 1], index);
        index = child;
    }
    place(h, node, index);
}

void heap_insert(struct heap *h, struct heap_node *node, int64_t key)
{
    ASSERT(node->index == 0);
    if (h->count == h->cap) {
        h->cap = h->cap == 0 ? 16 : h->cap * 2;
        h->nodes = mem_realloc(h->nodes, h->cap * sizeof *h->nodes);
    }
    node->key = key;
    node->order = h->next_order++;
    h->count++;
    place(h, node, h->count);
    sift_up(h, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node->index == 0) {
        return;
    }
    size_t index = node->index;
    ASSERT(h->nodes[index - 1] == node);
    struct heap_node *last = h->nodes[h->count - 1];
    h->count--;
    node->index = 0;
    if (last != node) {
        place(h, last, index);
        sift_up(h, last);
        sift_down(h, last);
    }
}

struct heap_node *heap_min(const struct heap *h)
{
    return h->count == 0 ? NULL : h->nodes[0];
}
