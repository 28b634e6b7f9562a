// SPDX-License-Identifier: Apache-2.0
// support.c - which protocols the members of a group share. Counted per name, so that neither a JoinGroup nor
// the end of a round compares every member's names with every other's: both happen under the broker's lock.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "group/group_private.h"

// A name that at least one member offers.
struct support {
    struct map_node by_name;
    uint32_t member_count; // who offers it
    uint32_t votes;        // of one election
    size_t len;
    char name[];
};

static uint64_t name_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 10);
}

static struct support *support_find(const struct map *supports, struct str name)
{
    for (struct map_node *n = map_first(supports, name_hash(name)); n != NULL; n = map_next(n)) {
        struct support *support = MAP_ENTRY(n, struct support, by_name);
        if (str_equal((struct str){support->name, support->len}, name)) {
            return support;
        }
    }
    return NULL;
}

// is_repeated: the member has offered this name before, further up in its list.
static bool is_repeated(const struct member_protocols *protocols, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (str_equal(protocols->list[i].name, protocols->list[index].name)) {
            return true;
        }
    }
    return false;
}

void support_add(struct map *supports, const struct member_protocols *protocols)
{
    for (uint32_t i = 0; i < protocols->count; i++) {
        struct str name = protocols->list[i].name;
        if (is_repeated(protocols, i)) {
            continue;
        }
        struct support *support = support_find(supports, name);
        if (support == NULL) {
            support = mem_zalloc(sizeof *support + name.len);
            support->len = name.len;
            memcpy(support->name, name.len == 0 ? "" : name.ptr, name.len);
            map_insert(supports, &support->by_name, name_hash(name));
        }
        support->member_count++;
    }
}

void support_remove(struct map *supports, const struct member_protocols *protocols)
{
    for (uint32_t i = 0; i < protocols->count; i++) {
        if (is_repeated(protocols, i)) {
            continue;
        }
        struct support *support = support_find(supports, protocols->list[i].name);
        ASSERT(support != NULL && support->member_count > 0);
        support->member_count--;
        if (support->member_count == 0) {
            map_remove(supports, &support->by_name);
            mem_free(support);
        }
    }
}

// common_find gives the name's entry if all members offer it.
static struct support *common_find(const struct live_group *group, struct str name)
{
    struct support *support = support_find(&group->supports, name);
    return support != NULL && support->member_count == group->member_count ? support : NULL;
}

bool support_has_common(const struct map *supports, uint32_t member_count, const struct group_join *join)
{
    for (uint32_t i = 0; i < join->protocol_count; i++) {
        const struct support *support = support_find(supports, join->protocols[i].name);
        if (member_count == 0 || (support != NULL && support->member_count == member_count)) {
            return true;
        }
    }
    return false;
}

bool live_supports(const struct live_group *group, const struct group_join *join)
{
    if (join->protocol_type.len == 0 || join->protocol_count == 0 ||
        join->protocol_count > GROUP_PROTOCOLS_MAX) {
        return false;
    }
    if (group->member_count == 0) {
        return true; // the first member settles type and protocols
    }
    if (!str_equal(group->protocol_type, join->protocol_type)) {
        return false;
    }
    return support_has_common(&group->supports, group->member_count, join);
}

// Each member votes for the first of its protocols that all offer; the first member's order decides between
// equals.
struct str live_choose_protocol(const struct live_group *group)
{
    const struct live_member *first = LIST_ENTRY(group->members.next, struct live_member, node);
    const struct member_protocols *choices = &first->protocols;
    for (uint32_t i = 0; i < choices->count; i++) {
        support_find(&group->supports, choices->list[i].name)->votes = 0;
    }
    LIST_EACH (node, &group->members) {
        const struct member_protocols *own = &LIST_ENTRY(node, struct live_member, node)->protocols;
        struct support *choice = NULL;
        for (uint32_t i = 0; i < own->count && choice == NULL; i++) {
            choice = common_find(group, own->list[i].name);
        }
        ASSERT(choice != NULL); // whoever shares no protocol with the others was not let in
        choice->votes++;
    }
    uint32_t best = 0;
    uint32_t votes = 0;
    for (uint32_t i = 0; i < choices->count; i++) {
        const struct support *support = support_find(&group->supports, choices->list[i].name);
        best = support->votes > votes ? i : best;
        votes = support->votes > votes ? support->votes : votes;
    }
    return choices->list[best].name;
}
