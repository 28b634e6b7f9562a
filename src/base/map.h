// SPDX-License-Identifier: Apache-2.0
// map.h - an intrusive hash table: open chains, seeded, grows by doubling. For look-ups only: it has no
// iteration order that may reach an output. Owner locks.
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/bytes.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};
struct map {
    struct map_node **slots; // power of two; NULL while empty
    size_t slot_count;
    size_t count;
    size_t pop_from; // map_pop: the slots below are empty
};

#define MAP_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void map_init(struct map *m);
// map_fini frees the slots; entries belong to the caller.
void map_fini(struct map *m);
void map_insert(struct map *m, struct map_node *node, uint64_t hash);
// map_first and map_next walk the entries that share `hash`; the caller compares keys.
struct map_node *map_first(const struct map *m, uint64_t hash);
struct map_node *map_next(const struct map_node *node);
// map_remove requires that node is in the map.
void map_remove(struct map *m, struct map_node *node);
// map_pop removes and returns any entry, or NULL: for teardown only.
struct map_node *map_pop(struct map *m);

#endif
