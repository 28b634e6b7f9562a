// SPDX-License-Identifier: Apache-2.0
// tp_set.c - sets of partitions as sorted arrays.
#include "base/mem.h"
#include "group/assign.h"

int tp_compare(struct tp a, struct tp b)
{
    int order = memcmp(&a.topic, &b.topic, sizeof a.topic);
    return order != 0 ? order : (a.partition > b.partition) - (a.partition < b.partition);
}

static int tp_order(const void *a, const void *b)
{
    return tp_compare(*(const struct tp *)a, *(const struct tp *)b);
}

void tp_set_fini(struct tp_set *set)
{
    mem_free(set->list);
    *set = (struct tp_set){0};
}

void tp_set_add(struct tp_set *set, struct tp tp)
{
    if (set->count == set->cap) {
        set->cap = set->cap == 0 ? 4 : set->cap * 2;
        set->list = mem_realloc(set->list, set->cap * sizeof *set->list);
    }
    set->list[set->count++] = tp;
}

void tp_set_sort(struct tp_set *set)
{
    if (set->count < 2) {
        return;
    }
    qsort(set->list, set->count, sizeof *set->list, tp_order);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < set->count; i++) {
        if (tp_compare(set->list[kept - 1], set->list[i]) != 0) {
            set->list[kept++] = set->list[i];
        }
    }
    set->count = kept;
}

bool tp_set_has(const struct tp_set *set, struct tp tp)
{
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tp_compare(set->list[middle], tp) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < set->count && tp_compare(set->list[low], tp) == 0;
}

bool tp_set_equal(const struct tp_set *a, const struct tp_set *b)
{
    return a->count == b->count && tp_set_is_subset(a, b);
}

bool tp_set_is_subset(const struct tp_set *part, const struct tp_set *whole)
{
    for (uint32_t i = 0; i < part->count; i++) {
        if (!tp_set_has(whole, part->list[i])) {
            return false;
        }
    }
    return true;
}

bool tp_set_meets(const struct tp_set *a, const struct tp_set *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (tp_set_has(b, a->list[i])) {
            return true;
        }
    }
    return false;
}

void tp_set_copy(const struct tp_set *from, struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    for (uint32_t i = 0; i < from->count; i++) {
        tp_set_add(ret, from->list[i]);
    }
}

// tp_set_filter keeps what `b` has, or has not.
static void tp_set_filter(const struct tp_set *a, const struct tp_set *b, bool wanted, struct tp_set *ret)
{
    *ret = (struct tp_set){0};
    for (uint32_t i = 0; i < a->count; i++) {
        if (tp_set_has(b, a->list[i]) == wanted) {
            tp_set_add(ret, a->list[i]);
        }
    }
}

void tp_set_both(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret)
{
    tp_set_filter(a, b, true, ret);
}

void tp_set_minus(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret)
{
    tp_set_filter(a, b, false, ret);
}

void tp_set_union(const struct tp_set *a, const struct tp_set *b, struct tp_set *ret)
{
    tp_set_copy(a, ret);
    for (uint32_t i = 0; i < b->count; i++) {
        tp_set_add(ret, b->list[i]);
    }
    tp_set_sort(ret);
}

bool tp_set_replace(struct tp_set *set, struct tp_set *take_fresh)
{
    bool is_same = tp_set_equal(set, take_fresh);
    tp_set_fini(set);
    *set = *take_fresh;
    *take_fresh = (struct tp_set){0};
    return !is_same;
}
