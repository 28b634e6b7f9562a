// SPDX-License-Identifier: Apache-2.0
// call.c - SyncGroup, Heartbeat, LeaveGroup, and whether a member may commit.
#include "base/plant.h"
#include "group/consumer_private.h"

// ---- sync

static enum err sync_check(const struct live_group *group, const struct group_sync *sync,
                           struct live_member **ret)
{
    enum err err = member_check(group, sync->member_id, sync->instance_id, ret);
    if (err != ERR_OK) {
        return err;
    }
    if (sync->generation != group->generation) {
        return ERR_ILLEGAL_GENERATION;
    }
    bool is_type_wrong =
        sync->protocol_type.ptr != NULL && !str_equal(sync->protocol_type, group->protocol_type);
    bool is_name_wrong = sync->protocol_name.ptr != NULL && group->protocol_name.ptr != NULL &&
                         !str_equal(sync->protocol_name, group->protocol_name);
    if (is_type_wrong || is_name_wrong) {
        return ERR_INCONSISTENT_GROUP_PROTOCOL; // KIP-559
    }
    return group->state == GROUP_PREPARING ? ERR_REBALANCE_IN_PROGRESS : ERR_OK;
}

// assign_all: members that the leader leaves out get nothing.
static enum err assign_all(struct live_group *group, const struct group_sync *sync)
{
    LIST_EACH (node, &group->members) {
        member_assign(LIST_ENTRY(node, struct live_member, node), (struct bytes){NULL, 0});
    }
    for (uint32_t i = 0; i < sync->assignment_count; i++) {
        const struct group_assignment *given = &sync->assignments[i];
        struct live_member *member = member_find(group, given->member_id);
        if (member == NULL) {
            continue;
        }
        if (!live_may_grow(group, given->assignment.len, member->assignment.len)) {
            return ERR_UNKNOWN; // Kafka's answer to an assignment that does not fit into a record
        }
        member_assign(member, given->assignment);
    }
    return ERR_OK;
}

static void sync_park(struct coordinator *c, struct live_member *member, struct group_sync *sync)
{
    sync_fail(c, member->sync, ERR_REBALANCE_IN_PROGRESS); // one that was sent again
    member->sync = sync;
    member->is_awaiting_sync = true;
    sync->parked_in = member;
}

void coordinator_sync(struct coordinator *c, struct group_sync *sync, int64_t now_ms)
{
    sync->parked_in = NULL;
    sync->wait.group = NULL;
    struct live_member *member = NULL;
    struct live_group *group = NULL;
    enum err err = c->is_stopped             ? ERR_NOT_COORDINATOR
                   : sync->group_id.len == 0 ? ERR_INVALID_GROUP_ID
                                             : ERR_OK;
    struct consumer_group *consumers = err == ERR_OK ? consumer_busy(c, sync->group_id, now_ms) : NULL;
    if (consumers != NULL) {
        consumer_sync(c, consumers, sync, now_ms);
        return;
    }
    if (err == ERR_OK) {
        group = live_find(c, sync->group_id, now_ms);
        err = group == NULL ? ERR_UNKNOWN_MEMBER_ID : sync_check(group, sync, &member);
    }
    bool may_assign = err == ERR_OK && (member == group->leader || plant_is(PLANT_ANYBODY_ASSIGNS));
    if (may_assign && group->state == GROUP_COMPLETING) {
        err = assign_all(group, sync);
    }
    if (err != ERR_OK) {
        sync_fail(c, sync, err);
        return;
    }
    member->has_synced = true;
    member_touch(c, member, now_ms);
    if (group->state == GROUP_STABLE || (plant_is(PLANT_TELL_BEFORE_WRITE) && group->is_assigned)) {
        sync_answer(c, member, sync);
        return;
    }
    sync_park(c, member, sync);
    if (may_assign) {
        group->is_assigned = true;
        live_store(c, group);
    }
}

void coordinator_sync_cancel(struct coordinator *c, struct group_sync *sync)
{
    if (sync->wait.group != NULL) {
        struct consumer_group *group = sync->wait.group;
        consumer_wait_fail(c, &sync->wait, ERR_NOT_COORDINATOR);
        consumer_settle(c, group);
    } else if (sync->parked_in != NULL) {
        sync_fail(c, sync, ERR_NOT_COORDINATOR);
    }
}

// ---- the small ones

static enum err name_check(struct coordinator *c, const struct group_member_name *name, int64_t now_ms,
                           struct live_group **ret_group, struct live_member **ret_member)
{
    struct live_group *group = live_find(c, name->group_id, now_ms);
    if (group == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    enum err err = member_check(group, name->member_id, name->instance_id, ret_member);
    if (err == ERR_OK && name->generation != group->generation) {
        err = ERR_ILLEGAL_GENERATION;
    }
    *ret_group = group;
    return err;
}

enum err coordinator_heartbeat(struct coordinator *c, const struct group_member_name *name, int64_t now_ms)
{
    if (c->is_stopped || name->group_id.len == 0) {
        return c->is_stopped ? ERR_NOT_COORDINATOR : ERR_INVALID_GROUP_ID;
    }
    const struct consumer_group *consumers = consumer_busy(c, name->group_id, now_ms);
    if (consumers != NULL) {
        return consumer_heartbeat(c, consumers, name, now_ms);
    }
    struct live_group *group = NULL;
    struct live_member *member = NULL;
    enum err err = name_check(c, name, now_ms, &group, &member);
    if (err != ERR_OK) {
        return err;
    }
    member_touch(c, member, now_ms);
    return group->state == GROUP_PREPARING ? ERR_REBALANCE_IN_PROGRESS : ERR_OK;
}

enum err coordinator_leave(struct coordinator *c, struct str group_id, struct str member_id,
                           struct str instance_id, int64_t now_ms)
{
    if (c->is_stopped || group_id.len == 0) {
        return c->is_stopped ? ERR_NOT_COORDINATOR : ERR_INVALID_GROUP_ID;
    }
    struct consumer_group *consumers = consumer_busy(c, group_id, now_ms);
    if (consumers != NULL) {
        return consumer_leave(c, consumers, member_id, instance_id, now_ms);
    }
    struct live_group *group = live_find(c, group_id, now_ms);
    if (group == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    struct pending_id *pending = instance_id.ptr == NULL ? pending_find(group, member_id) : NULL;
    if (pending != NULL) {
        pending_remove(c, pending);
        live_complete_if_joined(c, group, now_ms);
        live_settle(c, group);
        return ERR_OK;
    }
    struct live_member *member = NULL;
    enum err err = ERR_OK;
    if (member_id.len == 0) { // an administrator removes a static member
        member = member_find_instance(group, instance_id);
        err = member == NULL ? ERR_UNKNOWN_MEMBER_ID : ERR_OK;
    } else {
        err = member_check(group, member_id, instance_id, &member);
    }
    if (err == ERR_OK) {
        member_leave(c, member, now_ms);
    }
    return err;
}

// commit_outside judges a commit to a group that has no members.
static enum err commit_outside(const struct coordinator *c, const struct group_member_name *name, bool is_v9)
{
    if (name->generation < 0) {
        return ERR_OK; // positions kept by a client that assigns partitions itself, or by an administrator
    }
    if (core_group_find(c->core, name->group_id) != NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    return is_v9 ? ERR_GROUP_ID_NOT_FOUND : ERR_ILLEGAL_GENERATION;
}

enum err coordinator_commit_check(struct coordinator *c, const struct group_member_name *name, bool is_v9,
                                  int64_t now_ms, int32_t *ret_generation)
{
    if (c->is_stopped) {
        return ERR_NOT_COORDINATOR;
    }
    const struct consumer_group *consumers = consumer_busy(c, name->group_id, now_ms);
    if (consumers != NULL) {
        return consumer_commit_check(consumers, name, ret_generation);
    }
    struct live_group *group = live_find(c, name->group_id, now_ms);
    *ret_generation = -1;
    if (group == NULL || (group->state == GROUP_EMPTY && name->generation < 0)) {
        return commit_outside(c, name, is_v9);
    }
    bool is_member = name->generation >= 0 || name->member_id.len > 0 || name->instance_id.ptr != NULL;
    if (!is_member) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    struct live_member *member = NULL;
    enum err err = name_check(c, name, now_ms, &group, &member);
    if (plant_is(PLANT_COMMIT_NOT_FENCED)) {
        *ret_generation = name->generation;
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return err;
    }
    if (group->state == GROUP_COMPLETING) {
        return ERR_REBALANCE_IN_PROGRESS;
    }
    member_touch(c, member, now_ms);
    // A round may have ended without an assignment: the core then still has the generation before, and the
    // member with its partitions in it.
    *ret_generation = group->stored_generation;
    return ERR_OK;
}

enum err coordinator_fetch_check(struct coordinator *c, const struct group_member_name *name, int64_t now_ms)
{
    int32_t generation;
    const struct consumer_group *consumers = c->is_stopped ? NULL : consumer_busy(c, name->group_id, now_ms);
    return consumers == NULL ? ERR_OK : consumer_commit_check(consumers, name, &generation);
}
