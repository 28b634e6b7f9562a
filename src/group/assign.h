// SPDX-License-Identifier: Apache-2.0
// assign.h - sets of partitions, and the assignors of the broker (KIP-848): who gets which partition.
#ifndef GROUP_ASSIGN_H
#define GROUP_ASSIGN_H

#include "base/bytes.h"

struct tp {
    struct uuid topic;
    int32_t partition;
};

// A set in order of topic and partition. `list` is owned; NULL when empty.
struct tp_set {
    struct tp *list;
    uint32_t count;
    uint32_t cap;
};

int tp_compare(struct tp a, struct tp b);
void tp_set_fini(struct tp_set *set);
// tp_set_add appends, in any order: tp_set_sort then makes it a set.
void tp_set_add(struct tp_set *set, struct tp tp);
void tp_set_sort(struct tp_set *set); // each once
bool tp_set_has(const struct tp_set *set, struct tp tp);
bool tp_set_equal(const struct tp_set *a, const struct tp_set *b);
bool tp_set_is_subset(const struct tp_set *part, const struct tp_set *whole);
bool tp_set_meets(const struct tp_set *a, const struct tp_set *b);
// The makers overwrite *ret, which must not hold anything.
void tp_set_copy(const struct tp_set *from, struct tp_set *ret);
void tp_set_both(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret);
void tp_set_minus(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret);
void tp_set_union(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret);
// tp_set_replace gives *set what *take_fresh has; false if that is the same.
bool tp_set_replace(struct tp_set *set, struct tp_set *take_fresh);

struct assign_topic {
    struct uuid id;
    int32_t partition_count;
};
struct assign_member {
    struct str id;
    struct str instance_id; // NULL ptr = none
    const uint32_t *topics; // indexes, rising
    uint32_t topic_count;
    const struct tp_set *previous; // what it was to get before
    struct tp_set target;          // out; empty before
};
// Members come by rising id, topics by rising id.
struct assign_spec {
    struct assign_topic *topics;
    uint32_t topic_count;
    struct assign_member *members;
    uint32_t member_count;
};

// assign_range gives each member of a topic one run of its partitions, in the order of their ids (static
// members first, by instance id), the first ones one more.
void assign_range(const struct assign_spec *spec);
// assign_uniform spreads all partitions so that nobody has two more than somebody else who could have one of
// them, and moves as little as it can.
void assign_uniform(const struct assign_spec *spec);

#endif
