// SPDX-License-Identifier: Apache-2.0
// round.c - a rebalance: wait until all members have joined, give the next generation a protocol and a
// leader, and then wait until all have synced.
//
//   EMPTY/STABLE/COMPLETING --join, leave, timeout--> PREPARING --all joined, or time is up--> COMPLETING
//   COMPLETING --assignment written--> STABLE        PREPARING --nobody left--> EMPTY
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "group/group_private.h"

static int64_t rebalance_timeout_ms(const struct live_group *group)
{
    int64_t longest_ms = 0;
    LIST_EACH (node, &group->members) {
        const struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        longest_ms = member->rebalance_timeout_ms > longest_ms ? member->rebalance_timeout_ms : longest_ms;
    }
    return longest_ms;
}

// ---- the round

// elect_leader: the leader must be in the round, or nobody would assign. False: only static members that
// have not come back are left (KIP-345), and they are waited for.
static bool elect_leader(struct live_group *group)
{
    if (group->leader == NULL || group->leader->is_awaiting_join) {
        return true;
    }
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (member->is_awaiting_join) {
            group->leader = member;
            return true;
        }
    }
    return group->member_count == 0;
}

static void set_protocol_name(struct live_group *group, struct str name)
{
    struct str own = text_own(name);
    mem_free((void *)group->protocol_name.ptr);
    group->protocol_name = own;
}

static void next_generation(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    if (!plant_is(PLANT_GENERATION_STAYS) || group->generation == 0) {
        group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    }
    group->is_assigned = false;
    group->is_unled = false;
    if (group->member_count == 0) {
        set_protocol_name(group, (struct str){NULL, 0});
        live_set_state(c, group, GROUP_EMPTY);
        live_store(c, group);
        return;
    }
    set_protocol_name(group, live_choose_protocol(group));
    live_set_state(c, group, GROUP_COMPLETING);
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        member->has_synced = false;
        member_stop_join(member);
        member->is_new = false;
        member_touch(c, member, now_ms);
    }
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        struct group_join *join = member->join;
        if (join != NULL) {
            join_answer(c, member, join, member == group->leader);
        }
    }
    timer_set(c, &group->timer, later_ms(now_ms, rebalance_timeout_ms(group)));
}

static void complete_round(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    timer_cancel(c, &group->timer);
    LIST_EACH_SAFE (node, after, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        bool is_static = member->instance_id.ptr != NULL; // stays until its session is over
        is_static = is_static || plant_is(PLANT_KEEP_ABSENT_MEMBERS);
        if (!member->is_awaiting_join && !is_static) {
            member_remove(c, member, ERR_UNKNOWN_MEMBER_ID);
        }
    }
    if (!elect_leader(group)) {
        timer_set(c, &group->timer, later_ms(now_ms, rebalance_timeout_ms(group)));
        return;
    }
    next_generation(c, group, now_ms);
}

void live_complete_if_joined(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    bool has_all = group->awaiting_join_count == group->member_count && group->pending_count == 0;
    if (group->state == GROUP_PREPARING && !group->was_empty && has_all) {
        complete_round(c, group, now_ms);
    }
}

// first_round waits for further members before it begins (KIP-134).
static void first_round(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    int64_t all_ms = rebalance_timeout_ms(group);
    int64_t delay_ms = c->limits.initial_delay_ms < all_ms ? c->limits.initial_delay_ms : all_ms;
    group->has_newcomer = false;
    group->delay_left_ms = all_ms - delay_ms;
    if (delay_ms <= 0) {
        complete_round(c, group, now_ms);
    } else {
        timer_set(c, &group->timer, later_ms(now_ms, delay_ms));
    }
}

void live_rebalance(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    if (group->state == GROUP_PREPARING) {
        live_complete_if_joined(c, group, now_ms);
        return;
    }
    if (group->state == GROUP_COMPLETING) {
        live_fail_syncs(c, group, ERR_REBALANCE_IN_PROGRESS, now_ms);
    }
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (member->is_awaiting_store) { // it waited to be told of a generation that is over now
            member->is_awaiting_store = false;
            if (member->join != NULL) { // nor of who led that
                member->join->leader = (struct str){NULL, 0};
                member->join->skips_assignment = false;
            }
            member_wait_join(member, member->join);
        }
    }
    group->was_empty = group->state == GROUP_EMPTY;
    group->is_dirty = false; // the next generation will be written
    live_set_state(c, group, GROUP_PREPARING);
    if (group->was_empty) {
        first_round(c, group, now_ms);
        return;
    }
    timer_set(c, &group->timer, later_ms(now_ms, rebalance_timeout_ms(group)));
    live_complete_if_joined(c, group, now_ms);
}

// expire_unsynced: who joined but never fetched its assignment holds partitions that nobody reads.
static void expire_unsynced(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    bool has_removed = false;
    LIST_EACH_SAFE (node, after, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (!member->has_synced) {
            member_remove(c, member, ERR_UNKNOWN_MEMBER_ID);
            has_removed = true;
        }
    }
    if (has_removed) {
        live_rebalance(c, group, now_ms);
    }
}

void live_round_timeout(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    if (group->state == GROUP_EMPTY) {
        live_store_next(c, group);
        return;
    }
    if (group->state != GROUP_PREPARING) {
        expire_unsynced(c, group, now_ms);
        return;
    }
    if (group->was_empty && group->has_newcomer && group->delay_left_ms > 0) {
        int64_t delay_ms = c->limits.initial_delay_ms;
        delay_ms = delay_ms < group->delay_left_ms ? delay_ms : group->delay_left_ms;
        group->delay_left_ms -= delay_ms;
        group->has_newcomer = false;
        timer_set(c, &group->timer, later_ms(now_ms, delay_ms));
        return;
    }
    complete_round(c, group, now_ms);
}

void member_leave(struct coordinator *c, struct live_member *member, int64_t now_ms)
{
    struct live_group *group = member->group;
    member_remove(c, member, ERR_UNKNOWN_MEMBER_ID);
    live_rebalance(c, group, now_ms);
    live_settle(c, group);
}
