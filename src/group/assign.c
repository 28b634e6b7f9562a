// SPDX-License-Identifier: Apache-2.0
// assign.c - the assignors. Pure: the same members, topics and targets before give the same targets.
#include "group/assign.h"

#include "base/mem.h"

// ---- range

static int range_order(const void *a, const void *b)
{
    const struct assign_member *const *x = a;
    const struct assign_member *const *y = b;
    bool is_x_static = (*x)->instance_id.ptr != NULL;
    bool is_y_static = (*y)->instance_id.ptr != NULL;
    if (is_x_static != is_y_static) {
        return is_x_static ? -1 : 1;
    }
    return is_x_static ? str_compare((*x)->instance_id, (*y)->instance_id) : str_compare((*x)->id, (*y)->id);
}

static bool is_subscribed(const struct assign_member *member, uint32_t topic)
{
    uint32_t low = 0;
    uint32_t high = member->topic_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (member->topics[middle] < topic) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < member->topic_count && member->topics[low] == topic;
}

static void range_topic(const struct assign_spec *spec, uint32_t topic, struct assign_member **ordered)
{
    int32_t subscribers = 0;
    for (uint32_t i = 0; i < spec->member_count; i++) {
        subscribers += is_subscribed(ordered[i], topic);
    }
    int32_t next = 0;
    int32_t place = 0;
    for (uint32_t i = 0; i < spec->member_count && subscribers > 0; i++) {
        if (!is_subscribed(ordered[i], topic)) {
            continue;
        }
        int32_t count = spec->topics[topic].partition_count;
        int32_t share = count / subscribers + (place < count % subscribers);
        for (int32_t k = 0; k < share; k++) {
            tp_set_add(&ordered[i]->target, (struct tp){spec->topics[topic].id, next++});
        }
        place++;
    }
}

void assign_range(const struct assign_spec *spec)
{
    struct assign_member **ordered = mem_array(spec->member_count + 1, sizeof(struct assign_member *));
    for (uint32_t i = 0; i < spec->member_count; i++) {
        ordered[i] = &spec->members[i];
    }
    if (spec->member_count > 1) {
        qsort(ordered, spec->member_count, sizeof(struct assign_member *), range_order);
    }
    for (uint32_t t = 0; t < spec->topic_count; t++) {
        range_topic(spec, t, ordered);
    }
    mem_free(ordered);
}

// ---- uniform

// A partition and who has it: an index of a member.
struct holding {
    struct tp tp;
    uint32_t topic;
    uint32_t holder; // NOBODY
};
#define NOBODY UINT32_MAX

struct uniform {
    const struct assign_spec *spec;
    struct holding *holdings; // in order
    uint32_t count;
    uint32_t *loads; // partitions per member
    bool is_alike;   // all members subscribe to the same topics
};

static struct holding *holding_find(const struct uniform *u, struct tp tp)
{
    uint32_t low = 0;
    uint32_t high = u->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tp_compare(u->holdings[middle].tp, tp) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there = low < u->count && tp_compare(u->holdings[low].tp, tp) == 0;
    return is_there ? &u->holdings[low] : NULL;
}

static bool members_are_alike(const struct assign_spec *spec)
{
    for (uint32_t i = 1; i < spec->member_count; i++) {
        const struct assign_member *member = &spec->members[i];
        if (member->topic_count != spec->members[0].topic_count ||
            (member->topic_count > 0 && memcmp(member->topics, spec->members[0].topics,
                                               member->topic_count * sizeof *member->topics) != 0)) {
            return false;
        }
    }
    return true;
}

static void uniform_init(struct uniform *u, const struct assign_spec *spec)
{
    *u = (struct uniform){.spec = spec, .is_alike = members_are_alike(spec)};
    uint32_t total = 0;
    for (uint32_t t = 0; t < spec->topic_count; t++) {
        total += (uint32_t)spec->topics[t].partition_count;
    }
    u->holdings = mem_array(total + 1, sizeof *u->holdings);
    u->loads = mem_array(spec->member_count + 1, sizeof *u->loads);
    for (uint32_t t = 0; t < spec->topic_count; t++) {
        for (int32_t p = 0; p < spec->topics[t].partition_count; p++) {
            u->holdings[u->count++] = (struct holding){{spec->topics[t].id, p}, t, NOBODY};
        }
    }
}

// uniform_keep lets everybody keep what it had and may have.
static void uniform_keep(struct uniform *u)
{
    for (uint32_t i = 0; i < u->spec->member_count; i++) {
        const struct assign_member *member = &u->spec->members[i];
        for (uint32_t k = 0; k < member->previous->count; k++) {
            struct holding *h = holding_find(u, member->previous->list[k]);
            if (h != NULL && h->holder == NOBODY && is_subscribed(member, h->topic)) {
                h->holder = i;
                u->loads[i]++;
            }
        }
    }
}

// With everybody alike each gets the same share. Who has more gives up its last partitions; the shares that
// are one larger go to those that have them already, and then to the first.
static void uniform_share(struct uniform *u)
{
    uint32_t members = u->spec->member_count;
    uint32_t small = u->count / members;
    uint32_t large_left = u->count % members;
    uint32_t *share = mem_array(members, sizeof *share);
    for (uint32_t i = 0; i < members; i++) {
        bool is_large = large_left > 0 && u->loads[i] > small;
        share[i] = small + is_large;
        large_left -= is_large;
    }
    for (uint32_t i = 0; i < members && large_left > 0; i++) {
        bool is_raised = share[i] == small;
        share[i] += is_raised;
        large_left -= is_raised;
    }
    for (uint32_t k = u->count; k-- > 0;) {
        struct holding *h = &u->holdings[k];
        if (h->holder != NOBODY && u->loads[h->holder] > share[h->holder]) {
            u->loads[h->holder]--;
            h->holder = NOBODY;
        }
    }
    uint32_t next = 0;
    for (uint32_t k = 0; k < u->count; k++) {
        struct holding *h = &u->holdings[k];
        while (h->holder == NOBODY && u->loads[next] >= share[next]) {
            next++;
        }
        if (h->holder == NOBODY) {
            h->holder = next;
            u->loads[next]++;
        }
    }
    mem_free(share);
}

// lightest finds who has the fewest partitions among those that may have one of this topic.
static uint32_t lightest(const struct uniform *u, uint32_t topic)
{
    uint32_t best = NOBODY;
    for (uint32_t i = 0; i < u->spec->member_count; i++) {
        bool is_lighter = best == NOBODY || u->loads[i] < u->loads[best];
        if (is_lighter && is_subscribed(&u->spec->members[i], topic)) {
            best = i;
        }
    }
    return best;
}

// With different subscriptions: what is free goes to the lightest; then
// partitions move from the heavier to the lightest until nobody gains. Each pass that moves one lowers the
// sum of the squares of the loads, so it ends; ROUNDS_MAX bounds what the last bit of balance may cost.
static void uniform_spread(struct uniform *u)
{
    enum { ROUNDS_MAX = 8 };
    for (uint32_t k = 0; k < u->count; k++) {
        struct holding *h = &u->holdings[k];
        if (h->holder == NOBODY) {
            h->holder = lightest(u, h->topic);
            u->loads[h->holder == NOBODY ? u->spec->member_count : h->holder]++;
        }
    }
    bool has_moved = true;
    for (int round = 0; round < ROUNDS_MAX && has_moved; round++) {
        has_moved = false;
        for (uint32_t k = u->count; k-- > 0;) {
            struct holding *h = &u->holdings[k];
            uint32_t to = h->holder == NOBODY ? NOBODY : lightest(u, h->topic);
            if (to != NOBODY && u->loads[h->holder] > u->loads[to] + 1) {
                u->loads[h->holder]--;
                u->loads[to]++;
                h->holder = to;
                has_moved = true;
            }
        }
    }
}

void assign_uniform(const struct assign_spec *spec)
{
    if (spec->member_count == 0) {
        return;
    }
    struct uniform u;
    uniform_init(&u, spec);
    uniform_keep(&u);
    if (u.is_alike && spec->members[0].topic_count == spec->topic_count) {
        uniform_share(&u);
    } else {
        uniform_spread(&u);
    }
    for (uint32_t k = 0; k < u.count; k++) {
        if (u.holdings[k].holder != NOBODY) {
            tp_set_add(&spec->members[u.holdings[k].holder].target, u.holdings[k].tp);
        }
    }
    mem_free(u.holdings);
    mem_free(u.loads);
}
