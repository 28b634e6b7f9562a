// SPDX-License-Identifier: Apache-2.0
// consumer_classic.c - members of the classic protocol in a group of the consumer protocol (KIP-848,
// "migration"). A JoinGroup is one step towards the target, answered with the member's epoch as its
// generation; SyncGroup tells what it has then; a Heartbeat tells it to join again when there is a next step.
#include "base/mem.h"
#include "group/consumer_private.h"

// ---- whom a call speaks for

static enum err member_named(const struct consumer_group *group, struct str member_id, struct str instance_id,
                             struct consumer_member **ret)
{
    struct consumer_member *member = instance_id.ptr != NULL ? consumer_member_by_instance(group, instance_id)
                                                             : consumer_member_look_up(group, member_id);
    if (member == NULL) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    if (!str_equal(member->id, member_id)) {
        return ERR_FENCED_INSTANCE_ID;
    }
    *ret = member;
    return member->is_classic ? ERR_OK : ERR_UNKNOWN_MEMBER_ID;
}

// return_due: from when on a member that was told to call again is given up.
static void return_due(struct coordinator *c, struct consumer_member *member, int64_t now_ms)
{
    timer_set(c, &member->revoke, later_ms(now_ms, member->rebalance_timeout_ms));
}

// ---- join

// static_for: one that restarts comes without its member id.
static enum err static_for(struct coordinator *c, struct consumer_group *group, struct group_join *join,
                           struct consumer_member **ret)
{
    struct consumer_member *there = consumer_member_by_instance(group, join->instance_id);
    bool is_unknown = join->member_id.len == 0;
    if (there == NULL && !is_unknown) {
        return ERR_UNKNOWN_MEMBER_ID;
    }
    if (there != NULL && !is_unknown) {
        *ret = there;
        return str_equal(there->id, join->member_id) ? ERR_OK : ERR_FENCED_INSTANCE_ID;
    }
    *ret = there == NULL ? consumer_member_add(c, group, join->member_id_given)
                         : consumer_member_replace(c, there, join->member_id_given);
    return ERR_OK;
}

static enum err member_for(struct coordinator *c, struct consumer_group *group, struct group_join *join,
                           struct consumer_member **ret)
{
    if (join->instance_id.ptr != NULL) {
        return static_for(c, group, join, ret);
    }
    *ret = consumer_member_look_up(group, join->member_id_given);
    if (*ret == NULL) {
        *ret = consumer_member_add(c, group, join->member_id_given);
    }
    return ERR_OK;
}

static enum err join_check(const struct coordinator *c, const struct consumer_group *group,
                           struct group_join *join)
{
    const struct consumer_member *there = join->instance_id.ptr != NULL
                                              ? consumer_member_by_instance(group, join->instance_id)
                                              : consumer_member_look_up(group, join->member_id);
    size_t size = protocols_bytes(join->protocols, join->protocol_count) + texts_bytes(join->member_id, join);
    if (!consumer_has_room(c, group, there, size)) {
        join->member_id_given = STR("");
        return ERR_GROUP_MAX_SIZE_REACHED;
    }
    bool is_supported = str_equal(join->protocol_type, STR("consumer")) && join->protocol_count > 0 &&
                        join->protocol_count <= GROUP_PROTOCOLS_MAX &&
                        support_has_common(&group->supports, group->classic_count, join);
    if (!is_supported) {
        return ERR_INCONSISTENT_GROUP_PROTOCOL;
    }
    if (join->member_id.len == 0) {
        join->member_id_given = join_new_id(join);
        bool must_ask = join->instance_id.ptr == NULL && join->needs_known_id;
        return join->member_id_given.ptr == NULL ? ERR_NO_MEMORY : must_ask ? ERR_MEMBER_ID_REQUIRED : ERR_OK;
    }
    return ERR_OK;
}

// join_take gives the member what the call says; true if it subscribes to something else.
static bool join_take(struct consumer_member *member, const struct group_join *join,
                      const struct subscription *subscription)
{
    if (join->instance_id.ptr != NULL) {
        consumer_text_set(member, &member->instance_id, join->instance_id);
    }
    if (subscription->rack_id.ptr != NULL) {
        consumer_text_set(member, &member->rack_id, subscription->rack_id);
    }
    consumer_text_set(member, &member->client_id, join->client_id);
    consumer_text_set(member, &member->client_host, join->client_host);
    if (join->rebalance_timeout_ms != member->rebalance_timeout_ms) {
        member->rebalance_timeout_ms = join->rebalance_timeout_ms;
        consumer_member_changed(member, CONSUMER_METADATA);
    }
    consumer_classic_set(member, join);
    bool had_regex = member->regex.ptr != NULL;
    if (had_regex) {
        consumer_text_set(member, &member->regex, (struct str){NULL, 0});
        member->group->is_hash_stale = true;
    }
    return consumer_topics_set(member, subscription->topics, subscription->topic_count) || had_regex;
}

static void join_settle(struct coordinator *c, struct consumer_member *member, struct group_join *join)
{
    join->err = ERR_OK;
    join->generation = member->epoch;
    join->protocol_type_chosen = STR("consumer");
    join->protocol_name = arena_str(join->arena, member->classic.list[0].name);
    join->leader = STR(""); // the broker assigns
    join->member_id_given = arena_str(join->arena, member->id);
    join->members = NULL;
    join->member_count = 0;
    if (join->arena->failed) {
        join_fail(c, join, ERR_NO_MEMORY);
        return;
    }
    join->wait.kind = WAIT_JOIN;
    join->wait.call = &join->call;
    consumer_wait(c, member->group, &join->wait, member->changed);
}

static enum err join_run(struct coordinator *c, struct consumer_group *group, struct group_join *join,
                         const struct subscription *subscription, int64_t now_ms)
{
    uint32_t count_before = group->member_count;
    struct consumer_member *member = NULL;
    enum err err = member_for(c, group, join, &member);
    if (err != ERR_OK) {
        return err;
    }
    bool is_new = group->member_count > count_before;
    if (is_new) {
        consumer_member_changed(member, CONSUMER_METADATA | CONSUMER_CURRENT);
    }
    bool must_rise = join_take(member, join, subscription) || is_new;
    consumer_session_touch(c, member, now_ms);
    if (consumer_downgrade_if_due(c, group, now_ms)) {
        return ERR_REBALANCE_IN_PROGRESS; // it comes again, with its id, as a member of a classic group
    }
    err = consumer_refresh(c, group, must_rise);
    if (err != ERR_OK) {
        return err;
    }
    consumer_reconcile(c, member, &subscription->owned, now_ms);
    return_due(c, member, now_ms);
    join_settle(c, member, join);
    return ERR_OK;
}

void consumer_join(struct coordinator *c, struct consumer_group *group, struct group_join *join,
                   int64_t now_ms)
{
    join->member_id_given = join->member_id;
    enum err err = join_check(c, group, join);
    if (err == ERR_OK) {
        struct subscription subscription;
        err = ERR_UNKNOWN; // Kafka's answer to bytes that are no subscription
        if (subscription_read(c->core, join->protocols[0].metadata, &subscription)) {
            err = join_run(c, group, join, &subscription, now_ms);
            subscription_fini(&subscription);
        }
    }
    if (err != ERR_OK) {
        join_fail(c, join, err);
        struct consumer_group *left = consumer_look_up(c, join->group_id);
        if (left != NULL) {
            consumer_store_next(c, left);
            consumer_settle(c, left);
        }
    }
}

// ---- sync, heartbeat

static enum err sync_check(const struct consumer_group *group, const struct group_sync *sync,
                           struct consumer_member **ret)
{
    enum err err = member_named(group, sync->member_id, sync->instance_id, ret);
    if (err != ERR_OK) {
        return err;
    }
    if (sync->generation != (*ret)->epoch) {
        return ERR_ILLEGAL_GENERATION;
    }
    bool is_type_wrong = sync->protocol_type.ptr != NULL && !str_equal(sync->protocol_type, STR("consumer"));
    bool is_name_wrong =
        sync->protocol_name.ptr != NULL && !str_equal(sync->protocol_name, (*ret)->classic.list[0].name);
    return is_type_wrong || is_name_wrong ? ERR_INCONSISTENT_GROUP_PROTOCOL : ERR_OK;
}

void consumer_sync(struct coordinator *c, struct consumer_group *group, struct group_sync *sync,
                   int64_t now_ms)
{
    struct consumer_member *member = NULL;
    enum err err = sync_check(group, sync, &member);
    if (err != ERR_OK) {
        sync_fail(c, sync, err);
        return;
    }
    timer_cancel(c, &member->revoke);
    consumer_session_touch(c, member, now_ms);
    struct buf blob;
    buf_init(&blob, SIZE_MAX / 2); // what it has is bounded already
    assignment_write(c->core, &member->assigned, member->classic.list[0].metadata, &blob);
    struct str copy = arena_str(sync->arena, buf_str(&blob));
    buf_fini(&blob);
    sync->err = ERR_OK;
    sync->protocol_type_chosen = STR("consumer");
    sync->protocol_name_chosen = arena_str(sync->arena, member->classic.list[0].name);
    sync->assignment = bytes_of(copy.ptr, copy.len);
    if (sync->arena->failed) {
        sync_fail(c, sync, ERR_NO_MEMORY);
        return;
    }
    sync->wait.kind = WAIT_SYNC;
    sync->wait.call = &sync->call;
    consumer_wait(c, group, &sync->wait, member->changed);
}

// has_next_step: a JoinGroup would bring the member further.
static bool has_next_step(const struct consumer_member *member)
{
    return member->epoch < member->group->epoch || member->phase == PHASE_UNREVOKED ||
           (member->phase == PHASE_UNRELEASED && !consumer_is_kept_waiting(member));
}

enum err consumer_heartbeat(struct coordinator *c, const struct consumer_group *group,
                            const struct group_member_name *name, int64_t now_ms)
{
    struct consumer_member *member = NULL;
    enum err err = member_named(group, name->member_id, name->instance_id, &member);
    if (err == ERR_OK && name->generation != member->epoch) {
        err = ERR_ILLEGAL_GENERATION;
    }
    if (err != ERR_OK) {
        return err;
    }
    consumer_session_touch(c, member, now_ms);
    if (!has_next_step(member)) {
        return ERR_OK;
    }
    if (member->revoke.node.index == 0) {
        return_due(c, member, now_ms);
    }
    return ERR_REBALANCE_IN_PROGRESS;
}
