// SPDX-License-Identifier: Apache-2.0
// store.c - what has to survive a restart goes to the core as one GROUP_SET, at most one at a time per group:
// what changes meanwhile goes with the next. Nobody is told of a generation before it is written.
#include "base/assert.h"
#include "base/mem.h"
#include "group/consumer_private.h"

struct write_box {
    struct group_write write;
    struct live_group *group; // NULL: forgotten meanwhile
    struct arena arena;
};

static struct str box_text(struct write_box *box, struct str text)
{
    return text.ptr == NULL ? text : arena_str(&box->arena, text);
}

static struct bytes box_bytes(struct write_box *box, struct bytes bytes)
{
    struct str copy =
        arena_str(&box->arena, (struct str){bytes.len == 0 ? "" : (const char *)bytes.ptr, bytes.len});
    return bytes_of(copy.ptr, copy.len);
}

static struct item_member box_member(struct write_box *box, const struct live_member *member)
{
    return (struct item_member){
        .member_id = box_text(box, member->id),
        .instance_id = box_text(box, member->instance_id),
        .client_id = box_text(box, member->client_id),
        .client_host = box_text(box, member->client_host),
        .session_timeout_ms = member->session_timeout_ms,
        .rebalance_timeout_ms = member->rebalance_timeout_ms,
        .subscription = box_bytes(box, member_metadata(member, member->group->protocol_name)),
        .assignment = box_bytes(box, member->assignment),
    };
}

static struct write_box *box_create(struct live_group *group)
{
    struct write_box *box = mem_zalloc(sizeof *box);
    box->group = group;
    arena_init(&box->arena, SIZE_MAX / 2); // what is copied is bounded already
    box->write.item = (struct item){.kind = ITEM_GROUP_SET, .version = 1};
    struct item_group_set *set = &box->write.item.group_set;
    set->group_id = box_text(box, live_name(group));
    set->expected_generation = group->stored_generation;
    set->generation = group->generation;
    set->protocol_type = box_text(box, group->protocol_type.ptr == NULL ? STR("") : group->protocol_type);
    set->protocol_name = box_text(box, group->protocol_name);
    bool has_leader = group->leader != NULL && !group->is_unled;
    set->leader = has_leader ? box_text(box, group->leader->id) : (struct str){NULL, 0};
    set->members = arena_new(&box->arena, struct item_member, (size_t)group->member_count + 1);
    LIST_EACH (node, &group->members) {
        set->members[set->member_count++] = box_member(box, LIST_ENTRY(node, struct live_member, node));
    }
    return box;
}

int32_t live_store_expects(const struct live_group *group)
{
    return group->write == NULL ? group->stored_generation : group->write->write.item.group_set.generation;
}

void live_store_next(struct coordinator *c, struct live_group *group)
{
    bool is_ready = group->state == GROUP_STABLE ||
                    (group->state == GROUP_EMPTY && group->member_count == 0) ||
                    (group->state == GROUP_COMPLETING && group->is_assigned);
    if (!group->is_dirty || group->write != NULL || !is_ready) {
        return;
    }
    group->is_dirty = false;
    group->write = box_create(group);
    list_push_back(&c->writes, &group->write->write.node);
}

void live_store(struct coordinator *c, struct live_group *group)
{
    group->is_dirty = true;
    live_store_next(c, group);
}

struct group_write *coordinator_take_write(struct coordinator *c)
{
    struct list *node = list_pop_front(&c->writes);
    return node == NULL ? NULL : LIST_ENTRY(node, struct group_write, node);
}

// ---- written

// Whoever waited for an answer could not heartbeat: its session begins anew with the answer.
static void answer_replaced(struct coordinator *c, struct live_member *member, enum err err, int64_t now_ms)
{
    struct group_join *join = member->join;
    member->is_awaiting_store = false;
    member_touch(c, member, now_ms);
    if (join != NULL && err == ERR_OK) {
        join_answer(c, member, join, join->skips_assignment);
    } else {
        join_fail(c, join, err);
    }
}

static void live_stored(struct coordinator *c, struct live_group *group, int64_t now_ms)
{
    if (group->state == GROUP_COMPLETING) {
        live_set_state(c, group, GROUP_STABLE);
    }
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (member->sync != NULL) {
            member_touch(c, member, now_ms);
            sync_answer(c, member, member->sync);
        }
        member->is_awaiting_sync = false; // also where the client of the call is gone
        if (member->is_awaiting_store) {
            answer_replaced(c, member, ERR_OK, now_ms);
        }
    }
}

static void store_failed(struct coordinator *c, struct live_group *group, enum err err, int64_t now_ms)
{
    if (group->state == GROUP_COMPLETING) {
        live_fail_syncs(c, group, ERR_COORDINATOR_NOT_AVAILABLE, now_ms);
        live_rebalance(c, group, now_ms);
        return;
    }
    group->is_dirty = true; // goes with the next write
    if (group->state == GROUP_EMPTY) {
        // Nobody is left to make one: until the core knows, it would show members that have gone.
        group->is_dirty = err_is_retriable(err);
        if (group->is_dirty) {
            timer_set(c, &group->timer, later_ms(now_ms, WRITE_AGAIN_MS));
        }
    }
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        if (member->is_awaiting_store) {
            answer_replaced(c, member, ERR_COORDINATOR_NOT_AVAILABLE, now_ms);
        }
    }
}

void coordinator_written(struct coordinator *c, struct group_write *take_write, enum err err, int64_t now_ms)
{
    if (take_write->item.kind == ITEM_CONSUMER_SET) {
        consumer_written(c, take_write, err, now_ms);
        return;
    }
    struct write_box *box =
        (struct write_box *)(void *)((char *)take_write - offsetof(struct write_box, write));
    struct live_group *group = box->group;
    int32_t generation = take_write->item.group_set.generation;
    arena_fini(&box->arena);
    mem_free(box);
    if (group == NULL) {
        return;
    }
    group->write = NULL;
    if (c->is_stopped) {
        return;
    }
    if (err == ERR_STALE) {
        live_drop(c, group, ERR_NOT_COORDINATOR); // somebody else has changed it
        return;
    }
    if (err != ERR_OK) {
        store_failed(c, group, err, now_ms);
    } else {
        live_grow_up(c, group);
        group->stored_generation = generation;
        if (group->is_dirty) {
            live_store_next(c, group);
        } else if (generation == group->generation && group->state != GROUP_PREPARING) {
            live_stored(c, group, now_ms);
        }
    }
    live_settle(c, group);
}

void live_fail_syncs(struct coordinator *c, struct live_group *group, enum err err, int64_t now_ms)
{
    group->is_assigned = false;
    LIST_EACH (node, &group->members) {
        struct live_member *member = LIST_ENTRY(node, struct live_member, node);
        member_assign(member, (struct bytes){NULL, 0});
        if (member->sync != NULL) {
            member_touch(c, member, now_ms);
            sync_fail(c, member->sync, err);
        }
        member->is_awaiting_sync = false;
    }
}

void live_drop(struct coordinator *c, struct live_group *group, enum err err)
{
    LIST_EACH_SAFE (node, after, &group->members) {
        member_remove(c, LIST_ENTRY(node, struct live_member, node), err);
    }
    LIST_EACH_SAFE (node, after, &group->pending) {
        pending_remove(c, LIST_ENTRY(node, struct pending_id, node));
    }
    if (group->write != NULL) {
        group->write->group = NULL;
        group->write = NULL;
    }
    group->is_dirty = false;
    live_set_state(c, group, GROUP_EMPTY);
    live_settle(c, group);
}

// ---- taken up

void live_take_up(struct coordinator *c, struct live_group *group, const struct group *stored, int64_t now_ms)
{
    group->protocol_name = text_own(group_protocol_name(stored));
    for (uint32_t i = 0; i < group_member_count(stored); i++) {
        const struct item_member *m = group_member_at(stored, i);
        struct group_protocol protocol = {group->protocol_name, m->subscription};
        struct group_join join = {
            .instance_id = m->instance_id,
            .client_id = m->client_id,
            .client_host = m->client_host,
            .session_timeout_ms = m->session_timeout_ms,
            .rebalance_timeout_ms = m->rebalance_timeout_ms,
            .protocols = &protocol,
            .protocol_count = 1,
        };
        struct live_member *member = member_add(c, group, m->member_id, &join);
        member_assign(member, m->assignment);
        member->has_synced = true;
        member_touch(c, member, now_ms);
        if (str_equal(m->member_id, group_leader(stored))) {
            group->leader = member;
        }
    }
    live_set_state(c, group, GROUP_STABLE);
    if (group_leader(stored).ptr == NULL) { // the round that was due has not come to an end
        group->is_unled = true;
        live_rebalance(c, group, now_ms);
    }
}
