// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/assert.h"
#include "base/mem.h"

enum { MAP_FIRST_SLOTS = 16 };

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_fini(struct map *m)
{
    mem_free(m->slots);
    *m = (struct map){0};
}

static void map_grow(struct map *m)
{
    size_t slot_count = m->slot_count == 0 ? MAP_FIRST_SLOTS : m->slot_count * 2;
    struct map_node **slots = mem_array(slot_count, sizeof *slots);
    for (size_t i = 0; i < m->slot_count; i++) {
        struct map_node *node = m->slots[i];
        while (node != NULL) {
            struct map_node *next = node->next;
            struct map_node **slot = &slots[node->hash & (slot_count - 1)];
            node->next = *slot;
            *slot = node;
            node = next;
        }
    }
    mem_free(m->slots);
    m->slots = slots;
    m->slot_count = slot_count;
}

void map_insert(struct map *m, struct map_node *node, uint64_t hash)
{
    if (m->count == m->slot_count) {
        map_grow(m);
    }
    node->hash = hash;
    m->pop_from = 0;
    struct map_node **slot = &m->slots[hash & (m->slot_count - 1)];
    node->next = *slot;
    *slot = node;
    m->count++;
}

struct map_node *map_first(const struct map *m, uint64_t hash)
{
    if (m->slot_count == 0) {
        return NULL;
    }
    struct map_node *node = m->slots[hash & (m->slot_count - 1)];
    while (node != NULL && node->hash != hash) {
        node = node->next;
    }
    return node;
}

struct map_node *map_next(const struct map_node *node)
{
    uint64_t hash = node->hash;
    node = node->next;
    while (node != NULL && node->hash != hash) {
        node = node->next;
    }
    return (struct map_node *)node;
}

void map_remove(struct map *m, struct map_node *node)
{
    struct map_node **at = &m->slots[node->hash & (m->slot_count - 1)];
    while (*at != node) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    m->count--;
}

struct map_node *map_pop(struct map *m)
{
    // Emptying a map of n entries looks at each slot once, not n times.
    for (; m->count > 0 && m->pop_from < m->slot_count; m->pop_from++) {
        struct map_node *node = m->slots[m->pop_from];
        if (node != NULL) {
            map_remove(m, node);
            return node;
        }
    }
    return NULL;
}
