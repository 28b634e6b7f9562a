// SPDX-License-Identifier: Apache-2.0
// groups.c - the coordinator's groups: found, made, forgotten; time; what others may look at.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "group/consumer_private.h"

enum { TICK_EVENTS_MAX = 256 }; // bounds one call; what is left is due at once

static uint64_t name_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 7);
}

struct coordinator *coordinator_create(const struct core *core, const struct coordinator_limits *limits)
{
    struct coordinator *c = mem_zalloc(sizeof *c);
    c->core = core;
    c->limits = *limits;
    map_init(&c->groups_by_name);
    list_init(&c->groups);
    map_init(&c->consumers_by_name);
    list_init(&c->consumers);
    list_init(&c->young);
    heap_init(&c->timers);
    list_init(&c->answered);
    list_init(&c->writes);
    return c;
}

void coordinator_destroy(struct coordinator *take_coordinator)
{
    struct coordinator *c = take_coordinator;
    if (c == NULL) {
        return;
    }
    c->is_stopped = true;
    for (struct group_write *w = coordinator_take_write(c); w != NULL; w = coordinator_take_write(c)) {
        coordinator_written(c, w, ERR_STOPPING, 0);
    }
    LIST_EACH_SAFE (node, after, &c->groups) {
        live_drop(c, LIST_ENTRY(node, struct live_group, node), ERR_STOPPING);
    }
    LIST_EACH_SAFE (node, after, &c->consumers) {
        consumer_forget(c, LIST_ENTRY(node, struct consumer_group, node), ERR_STOPPING);
    }
    ASSERT(list_is_empty(&c->answered));
    ASSERT(c->member_total == 0 && c->bytes_total == 0);
    map_fini(&c->consumers_by_name);
    map_fini(&c->groups_by_name);
    heap_fini(&c->timers);
    mem_free(c);
}

void coordinator_load(struct coordinator *c, int64_t now_ms)
{
    for (uint32_t i = 0; i < core_group_count(c->core); i++) {
        struct str id = group_id(core_group_at(c->core, i));
        struct live_group *group = live_find(c, id, now_ms);
        if (group != NULL && plant_is(PLANT_ROUND_AT_RESTART)) {
            live_rebalance(c, group, now_ms);
        }
        (void)consumer_busy(c, id, now_ms);
    }
}

// ---- groups

void live_count(struct live_group *group, size_t more, size_t less)
{
    group->bytes = group->bytes + more - less;
    group->coordinator->bytes_total = group->coordinator->bytes_total + more - less;
}

bool live_may_grow(const struct live_group *group, size_t more, size_t less)
{
    const struct coordinator *c = group->coordinator;
    return more <= less || (group->bytes + more - less <= c->limits.group_bytes_max &&
                            c->bytes_total + more - less <= c->limits.bytes_total_max);
}

struct live_group *live_look_up(const struct coordinator *c, struct str id)
{
    for (struct map_node *n = map_first(&c->groups_by_name, name_hash(id)); n != NULL; n = map_next(n)) {
        struct live_group *group = MAP_ENTRY(n, struct live_group, by_name);
        if (str_equal(live_name(group), id)) {
            return group;
        }
    }
    return NULL;
}

static struct live_group *group_new(struct coordinator *c, struct str id, const struct group *stored)
{
    struct live_group *group = mem_zalloc(sizeof *group + id.len);
    group->coordinator = c;
    group->name_len = id.len;
    memcpy(group->name, id.ptr, id.len);
    list_init(&group->members);
    list_init(&group->pending);
    map_init(&group->by_id);
    map_init(&group->by_instance);
    map_init(&group->supports);
    map_init(&group->pending_by_id);
    group->timer.kind = TIMER_GROUP;
    group->serial = ++c->serial_last;
    group->is_young = stored == NULL;
    if (group->is_young) {
        list_push_back(&c->young, &group->young_node);
        c->young_count++;
    } else {
        group->generation = group->stored_generation = group_generation(stored);
        group->protocol_type = text_own(group_protocol_type(stored));
    }
    c->bytes_total += sizeof *group + id.len;
    map_insert(&c->groups_by_name, &group->by_name, name_hash(id));
    list_push_back(&c->groups, &group->node);
    c->state_counts[group->state]++;
    return group;
}

struct live_group *live_find(struct coordinator *c, struct str id, int64_t now_ms)
{
    struct live_group *group = live_look_up(c, id);
    const struct group *stored = group == NULL ? core_group_find(c->core, id) : NULL;
    if (stored != NULL && group_member_count(stored) > 0 && !plant_is(PLANT_FORGET_MEMBERS)) {
        group = group_new(c, id, stored);
        live_take_up(c, group, stored, now_ms);
    }
    return group;
}

struct live_group *live_new(struct coordinator *c, struct str id)
{
    return group_new(c, id, core_group_find(c->core, id));
}

struct live_group *live_make(struct coordinator *c, struct str id)
{
    const struct group *stored = core_group_find(c->core, id);
    bool is_over = core_group_count(c->core) + c->young_count >= c->limits.groups_max ||
                   c->bytes_total + id.len > c->limits.bytes_total_max;
    if (stored == NULL && is_over) {
        return NULL;
    }
    return group_new(c, id, stored);
}

void live_grow_up(struct coordinator *c, struct live_group *group)
{
    c->young_count -= group->is_young;
    group->is_young = false;
    list_remove(&group->young_node);
}

static void group_free(struct coordinator *c, struct live_group *group)
{
    ASSERT(group->member_count == 0 && group->pending_count == 0 && group->write == NULL);
    timer_cancel(c, &group->timer);
    c->state_counts[group->state]--;
    c->bytes_total -= sizeof *group + group->name_len;
    live_grow_up(c, group);
    map_remove(&c->groups_by_name, &group->by_name);
    list_remove(&group->node);
    map_fini(&group->by_id);
    map_fini(&group->by_instance);
    map_fini(&group->supports);
    map_fini(&group->pending_by_id);
    mem_free((void *)group->protocol_type.ptr);
    mem_free((void *)group->protocol_name.ptr);
    mem_free(group);
}

void live_settle(struct coordinator *c, struct live_group *group)
{
    bool is_over = group->state == GROUP_EMPTY && group->member_count == 0 && group->pending_count == 0;
    if (is_over && group->write == NULL && !group->is_dirty) {
        group_free(c, group);
    }
}

void live_set_state(struct coordinator *c, struct live_group *group, enum group_state state)
{
    c->state_counts[group->state]--;
    group->state = state;
    c->state_counts[state]++;
}

// ---- time

int64_t later_ms(int64_t now_ms, int64_t delay_ms)
{
    int64_t at;
    return __builtin_add_overflow(now_ms, delay_ms, &at) ? INT64_MAX : at;
}

void timer_set(struct coordinator *c, struct group_timer *timer, int64_t at_ms)
{
    timer_cancel(c, timer);
    heap_insert(&c->timers, &timer->node, at_ms);
}

void timer_cancel(struct coordinator *c, struct group_timer *timer)
{
    if (timer->node.index != 0) {
        heap_remove(&c->timers, &timer->node);
    }
}

int64_t coordinator_deadline_ms(const struct coordinator *c)
{
    const struct heap_node *first = heap_min(&c->timers);
    return first == NULL || c->is_stopped ? INT64_MAX : first->key;
}

// A member in a round, or waiting for an answer, cannot heartbeat: it is alive. One that has never been
// answered has no other sign of life to give, and gets NEW_MEMBER_JOIN_MS.
static void session_due(struct coordinator *c, struct live_member *member, int64_t now_ms)
{
    bool is_waiting = member->is_awaiting_sync || member->is_awaiting_store ||
                      (member->is_awaiting_join && !member->is_new);
    if (is_waiting || plant_is(PLANT_SESSION_NEVER_ENDS)) {
        member_touch(c, member, now_ms);
    } else if (member->session_deadline_ms > now_ms) {
        timer_set(c, &member->session, member->session_deadline_ms);
    } else {
        member_leave(c, member, now_ms);
    }
}

static void timer_due(struct coordinator *c, struct group_timer *timer, int64_t now_ms)
{
    struct live_group *group;
    switch (timer->kind) {
    case TIMER_CONSUMER_SESSION:
        consumer_session_due(c, HEAP_ENTRY(&timer->node, struct consumer_member, session.node), now_ms);
        return;
    case TIMER_CONSUMER_REVOKE:
        consumer_revoke_due(c, HEAP_ENTRY(&timer->node, struct consumer_member, revoke.node), now_ms);
        return;
    case TIMER_SESSION:
        session_due(c, HEAP_ENTRY(&timer->node, struct live_member, session.node), now_ms);
        return;
    case TIMER_PENDING: {
        struct pending_id *pending = HEAP_ENTRY(&timer->node, struct pending_id, timer.node);
        group = pending->group;
        pending_remove(c, pending);
        live_complete_if_joined(c, group, now_ms);
        break;
    }
    case TIMER_GROUP:
        group = HEAP_ENTRY(&timer->node, struct live_group, timer.node);
        live_round_timeout(c, group, now_ms);
        break;
    default:
        UNREACHABLE("a timer of no kind");
    }
    live_settle(c, group);
}

void coordinator_tick(struct coordinator *c, int64_t now_ms)
{
    for (int i = 0; i < TICK_EVENTS_MAX && coordinator_deadline_ms(c) <= now_ms; i++) {
        struct group_timer *timer = HEAP_ENTRY(heap_min(&c->timers), struct group_timer, node);
        heap_remove(&c->timers, &timer->node);
        timer_due(c, timer, now_ms);
    }
}

// ---- what comes out

void group_call_answer(struct coordinator *c, struct group_call *call)
{
    list_push_back(&c->answered, &call->node);
}

struct group_call *coordinator_take_answered(struct coordinator *c)
{
    struct list *node = list_pop_front(&c->answered);
    return node == NULL ? NULL : LIST_ENTRY(node, struct group_call, node);
}

void coordinator_stop(struct coordinator *c, enum err err)
{
    LIST_EACH (node, &c->groups) {
        struct live_group *group = LIST_ENTRY(node, struct live_group, node);
        LIST_EACH (at, &group->members) {
            struct live_member *member = LIST_ENTRY(at, struct live_member, node);
            join_fail(c, member->join, err);
            sync_fail(c, member->sync, err);
        }
    }
    LIST_EACH (node, &c->consumers) {
        consumer_waits_fail(c, LIST_ENTRY(node, struct consumer_group, node), err, err);
    }
    c->is_stopped = true;
}

// ---- looking

const char *group_state_name(enum group_state state)
{
    static const char *const names[GROUP_STATE_COUNT] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                                         "Stable"};
    return names[state];
}

static void view_of_live(const struct live_group *group, struct group_view *ret)
{
    bool is_stable = group->state == GROUP_STABLE;
    *ret = (struct group_view){
        .state = group->state,
        .state_name = group_state_name(group->state),
        .generation = group->generation,
        .protocol_type = group->protocol_type.ptr != NULL ? group->protocol_type : STR(""),
        .protocol_name = is_stable ? group->protocol_name : STR(""),
        .leader = group->leader != NULL ? group->leader->id : (struct str){NULL, 0},
        .member_count = group->member_count,
    };
}

// A group with members that was not taken up here shows as it was written: stable.
static void view_of_stored(const struct group *stored, struct group_view *ret)
{
    bool is_stable = group_member_count(stored) > 0;
    *ret = (struct group_view){
        .state = is_stable ? GROUP_STABLE : GROUP_EMPTY,
        .state_name = group_state_name(is_stable ? GROUP_STABLE : GROUP_EMPTY),
        .generation = group_generation(stored),
        .protocol_type = group_protocol_type(stored),
        .protocol_name = is_stable ? group_protocol_name(stored) : STR(""),
        .leader = group_leader(stored),
        .member_count = group_member_count(stored),
    };
}

// A group with members that was not taken up here shows as stable, as a classic one does.
static void view_of_consumer(const struct coordinator *c, const struct group *stored, struct str id,
                             struct group_view *ret)
{
    const struct consumer_group *group = consumer_look_up(c, id);
    uint32_t count = group != NULL ? group->member_count : group_consumer_count(stored);
    enum consumer_state state = group != NULL ? consumer_state(group)
                                : count > 0   ? CONSUMER_STABLE
                                              : CONSUMER_EMPTY;
    *ret = (struct group_view){
        .is_consumer = true,
        .state = count > 0 ? GROUP_STABLE : GROUP_EMPTY,
        .state_name = consumer_state_name(state),
        .consumer_state = state,
        .generation = group != NULL ? group->epoch : group_generation(stored),
        .protocol_type = STR("consumer"),
        .protocol_name = STR(""),
        .member_count = count,
    };
}

bool coordinator_view(const struct coordinator *c, struct str id, struct group_view *ret)
{
    const struct group *known = core_group_find(c->core, id);
    const struct live_group *group = live_look_up(c, id); // the core may be about to be told
    bool is_consumer = group == NULL && known != NULL && group_is_consumer(known);
    if (is_consumer || consumer_look_up(c, id) != NULL) {
        view_of_consumer(c, known, id, ret);
        return true;
    }
    const struct group *stored = group == NULL ? core_group_find(c->core, id) : NULL;
    if (group != NULL) {
        view_of_live(group, ret);
    } else if (stored != NULL) {
        view_of_stored(stored, ret);
    }
    return group != NULL || stored != NULL;
}

static void live_members(const struct live_group *group,
                         void (*each)(void *arg, const struct group_member_view *member), void *arg)
{
    bool is_stable = group->state == GROUP_STABLE;
    LIST_EACH (node, &group->members) {
        const struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        struct group_member_view view = {member->id,          member->instance_id, member->client_id,
                                         member->client_host, {NULL, 0},           member->assignment};
        if (is_stable) {
            view.metadata = member_metadata(member, group->protocol_name);
        }
        each(arg, &view);
    }
}

void coordinator_members(const struct coordinator *c, struct str id,
                         void (*each)(void *arg, const struct group_member_view *member), void *arg)
{
    const struct live_group *group = live_look_up(c, id);
    if (group != NULL) {
        live_members(group, each, arg);
        return;
    }
    const struct group *stored = core_group_find(c->core, id);
    for (uint32_t i = 0; stored != NULL && i < group_member_count(stored); i++) {
        const struct item_member *m = group_member_at(stored, i);
        struct group_member_view view = {m->member_id,   m->instance_id,  m->client_id,
                                         m->client_host, m->subscription, m->assignment};
        each(arg, &view);
    }
}

uint64_t coordinator_young(const struct coordinator *c, uint64_t after, uint32_t max,
                           void (*each)(void *arg, struct str group_id), void *arg)
{
    LIST_EACH (node, &c->young) {
        const struct live_group *group = LIST_ENTRY(node, struct live_group, young_node);
        if (group->serial <= after) {
            continue;
        }
        if (max-- == 0) {
            return after;
        }
        after = group->serial;
        if (core_group_find(c->core, live_name(group)) == NULL) { // its write may have been applied already
            each(arg, live_name(group));
        }
    }
    return 0;
}

uint32_t coordinator_count(const struct coordinator *c, enum group_state state)
{
    return c->state_counts[state];
}

uint64_t coordinator_rises(const struct coordinator *c)
{
    return c->consumer_rises;
}

bool coordinator_topics(const struct coordinator *c, struct str id,
                        void (*each)(void *arg, struct str topic_name), void *arg)
{
    const struct consumer_group *consumers = consumer_look_up(c, id);
    if (consumers != NULL) {
        consumer_topics_each(c, consumers, each, arg);
        return true;
    }
    const struct live_group *group = live_look_up(c, id);
    const struct group *stored = group == NULL ? core_group_find(c->core, id) : NULL;
    bool is_known = stored == NULL || group_consumer_count(stored) == 0; // not taken up here
    if (group != NULL) {
        LIST_EACH (node, &group->members) {
            const struct live_member *member = LIST_ENTRY(node, struct live_member, node);
            is_known &= subscription_each(member_metadata(member, group->protocol_name), each, arg);
        }
    }
    for (uint32_t i = 0; stored != NULL && i < group_member_count(stored); i++) {
        is_known &= subscription_each(group_member_at(stored, i)->subscription, each, arg);
    }
    return is_known;
}
