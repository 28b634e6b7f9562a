// SPDX-License-Identifier: Apache-2.0
// join.c - JoinGroup: who may come in, as whom, and what that does to the group.
#include "base/mem.h"
#include "group/consumer_private.h"

static enum err join_check(const struct coordinator *c, const struct group_join *join)
{
    if (c->is_stopped) {
        return ERR_NOT_COORDINATOR;
    }
    if (join->group_id.len == 0) {
        return ERR_INVALID_GROUP_ID;
    }
    if (join->session_timeout_ms < c->limits.session_timeout_min_ms ||
        join->session_timeout_ms > c->limits.session_timeout_max_ms) {
        return ERR_INVALID_SESSION_TIMEOUT;
    }
    return ERR_OK;
}

// has_room: `member` or `pending` is who it says it is; neither: somebody new. As with Kafka, those count who
// are in the round, or with none running the members.
static bool has_room(const struct coordinator *c, const struct live_group *group,
                     const struct group_join *join, const struct live_member *member,
                     const struct pending_id *pending)
{
    enum { ID_MAX = CLIENT_ID_IN_MEMBER_ID + 37 };
    size_t more = protocols_bytes(join->protocols, join->protocol_count);
    more += join->member_id.len > 0 ? join->member_id.len : ID_MAX;
    more += texts_bytes((struct str){NULL, 0}, join);
    size_t less = member == NULL ? 0 : member->protocols.bytes + member->text_bytes;
    if (!live_may_grow(group, more, less)) {
        return false;
    }
    if (member != NULL && (member->is_awaiting_join || group->state != GROUP_PREPARING)) {
        return true;
    }
    uint32_t count = group->state == GROUP_PREPARING ? group->awaiting_join_count : group->member_count;
    if (count >= c->limits.members_max) {
        return false;
    }
    bool takes_place = member == NULL && pending == NULL;
    return !takes_place ||
           (group->pending_count < c->limits.members_max && c->member_total < c->limits.members_total_max);
}

struct str join_new_id(const struct group_join *join)
{
    struct str stem = join->instance_id.ptr != NULL ? join->instance_id : join->client_id;
    if (stem.len > CLIENT_ID_IN_MEMBER_ID) {
        stem.len = CLIENT_ID_IN_MEMBER_ID;
        while (stem.len > 0 && ((uint8_t)stem.ptr[stem.len] & 0xc0) == 0x80) { // not within a character
            stem.len--;
        }
    }
    const uint8_t *u = join->fresh_id.b;
    return arena_printf(join->arena,
                        STR_FMT "-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        STR_ARG(stem), u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10],
                        u[11], u[12], u[13], u[14], u[15]);
}

// join_park puts the member, with its call, into the round.
static void join_park(struct coordinator *c, struct live_member *member, struct group_join *join,
                      int64_t now_ms)
{
    join_fail(c, member->join, ERR_REBALANCE_IN_PROGRESS); // one that was sent again
    member->is_awaiting_store = false;
    member_wait_join(member, join);
    live_rebalance(c, member->group, now_ms);
}

static void add(struct coordinator *c, struct live_group *group, struct str id, struct group_join *join,
                int64_t now_ms)
{
    if (group->member_count == 0) {
        struct str type = text_own(join->protocol_type);
        mem_free((void *)group->protocol_type.ptr);
        group->protocol_type = type;
    }
    struct live_member *member = member_add(c, group, id, join);
    member->is_new = true;
    member_touch(c, member, now_ms);
    group->has_newcomer = true;
    join_park(c, member, join, now_ms);
}

// store_replaced: nothing changes but the id, so nobody has to stop; the answer waits until the old id can
// never be taken for the member again.
static void store_replaced(struct coordinator *c, struct live_member *member, struct group_join *join)
{
    member->is_awaiting_store = true;
    member->join = join;
    join->parked_in = member;
    live_store(c, member->group);
}

// join_replace: a static member has restarted (KIP-345). A leader that comes back like this must not assign:
// from v9 on it is told so (KIP-814), before that it is told that its old self leads.
static void join_replace(struct coordinator *c, struct live_member *member, struct str id,
                         struct group_join *join, int64_t now_ms)
{
    struct live_group *group = member->group;
    bool is_leader = group->leader == member;
    join->skips_assignment = is_leader && join->can_skip_assignment;
    struct str old_id = arena_str(join->arena, member->id);
    if (member->join != NULL) {
        member->join->member_id_given = arena_str(member->join->arena, member->id);
    }
    join_fail(c, member->join, ERR_FENCED_INSTANCE_ID);
    sync_fail(c, member->sync, ERR_FENCED_INSTANCE_ID);
    member->is_awaiting_store = false;
    member_rename(member, id, join);
    member_update(member, join);
    member_touch(c, member, now_ms);
    if (group->state == GROUP_STABLE && str_equal(live_choose_protocol(group), group->protocol_name)) {
        join->leader = is_leader && !join->skips_assignment ? old_id : (struct str){NULL, 0};
        store_replaced(c, member, join);
        return;
    }
    join->skips_assignment = false;
    join_park(c, member, join, now_ms);
}

static void join_new(struct coordinator *c, struct live_group *group, struct group_join *join, int64_t now_ms)
{
    struct live_member *before = member_find_instance(group, join->instance_id);
    if (!live_supports(group, join)) {
        join_fail(c, join, ERR_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    struct str id = join_new_id(join);
    if (id.ptr == NULL) {
        join_fail(c, join, ERR_NO_MEMORY);
    } else if (before != NULL) {
        join_replace(c, before, id, join, now_ms);
    } else if (join->instance_id.ptr == NULL && join->needs_known_id) {
        pending_add(c, group, id, later_ms(now_ms, join->session_timeout_ms));
        join->member_id_given = id;
        join_fail(c, join, ERR_MEMBER_ID_REQUIRED);
    } else {
        add(c, group, id, join, now_ms);
    }
}

// join_again: a member that is in the group. It may not have got the answer of the round before, or its
// subscription may have changed.
static void join_again(struct coordinator *c, struct live_member *member, struct group_join *join,
                       int64_t now_ms)
{
    struct live_group *group = member->group;
    bool is_leader = group->leader == member;
    bool is_same = protocols_match(&member->protocols, join);
    bool is_answered = (group->state == GROUP_COMPLETING && is_same) ||
                       (group->state == GROUP_STABLE && is_same && !is_leader);
    member_touch(c, member, now_ms);
    if (is_answered) {
        join_answer(c, member, join, is_leader);
        return;
    }
    member_update(member, join);
    join_park(c, member, join, now_ms);
}

static struct pending_id *pending_of(const struct live_group *group, const struct group_join *join)
{
    return join->instance_id.ptr == NULL ? pending_find(group, join->member_id) : NULL;
}

// join_refuse: the group is full, which is said before anything else that is wrong.
static bool join_refuse(struct coordinator *c, struct live_group *group, struct group_join *join,
                        int64_t now_ms)
{
    bool is_unknown = join->member_id.len == 0;
    struct live_member *member =
        is_unknown ? member_find_instance(group, join->instance_id) : member_find(group, join->member_id);
    struct pending_id *pending = is_unknown ? NULL : pending_of(group, join);
    if (has_room(c, group, join, member, pending)) {
        return false;
    }
    join->member_id_given = STR("");
    join_fail(c, join, ERR_GROUP_MAX_SIZE_REACHED);
    if (pending != NULL) {
        pending_remove(c, pending);
        live_complete_if_joined(c, group, now_ms);
    }
    return true;
}

static void join_known(struct coordinator *c, struct live_group *group, struct group_join *join,
                       int64_t now_ms)
{
    if (!live_supports(group, join)) {
        join_fail(c, join, ERR_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    struct pending_id *pending = pending_of(group, join);
    if (pending != NULL) {
        pending_remove(c, pending);
        add(c, group, join->member_id, join, now_ms);
        return;
    }
    struct live_member *member = NULL;
    enum err err = member_check(group, join->member_id, join->instance_id, &member);
    if (err != ERR_OK) {
        join_fail(c, join, err);
        return;
    }
    join_again(c, member, join, now_ms);
}

void coordinator_join(struct coordinator *c, struct group_join *join, int64_t now_ms)
{
    join->parked_in = NULL;
    join->wait.group = NULL;
    join->member_id_given = join->member_id;
    join->leader = (struct str){NULL, 0};
    join->skips_assignment = false;
    enum err err = join_check(c, join);
    struct consumer_group *consumers = err == ERR_OK ? consumer_busy(c, join->group_id, now_ms) : NULL;
    if (consumers != NULL) {
        consumer_join(c, consumers, join, now_ms);
        return;
    }
    struct live_group *group = err == ERR_OK ? live_find(c, join->group_id, now_ms) : NULL;
    if (err == ERR_OK && group == NULL) {
        group = join->member_id.len == 0 ? live_make(c, join->group_id) : NULL;
        err = join->member_id.len != 0 ? ERR_UNKNOWN_MEMBER_ID
              : group == NULL          ? ERR_POLICY_VIOLATION // strom.groups.max
                                       : ERR_OK;
    }
    if (err != ERR_OK) {
        join_fail(c, join, err);
        return;
    }
    if (join_refuse(c, group, join, now_ms)) {
        live_settle(c, group);
        return;
    }
    if (join->member_id.len == 0) {
        join_new(c, group, join, now_ms);
    } else {
        join_known(c, group, join, now_ms);
    }
    live_settle(c, group);
}

void coordinator_join_cancel(struct coordinator *c, struct group_join *join, int64_t now_ms)
{
    struct live_member *member = join->parked_in;
    if (join->wait.group != NULL) {
        struct consumer_group *group = join->wait.group;
        consumer_wait_fail(c, &join->wait, ERR_NOT_COORDINATOR);
        consumer_settle(c, group);
        return;
    }
    if (member == NULL) {
        return; // answered already
    }
    // A dynamic member without an id to come back with would be waited for in vain.
    bool is_lost = member->is_new && join->member_id.len == 0 && member->instance_id.ptr == NULL;
    join_fail(c, join, ERR_NOT_COORDINATOR);
    if (is_lost) {
        member_leave(c, member, now_ms);
    }
}
