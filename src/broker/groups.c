// SPDX-License-Identifier: Apache-2.0
// groups.c - consumer groups: the coordinator (group/group.h) behind the broker's lock. Its answers go to the
// loops that asked; its writes go through the journal like every change; the WAL thread tells it the time.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"

enum { MS_NS = 1000000 };

// A GROUP_SET on its way through the journal.
struct group_submission {
    struct submission submission;
    struct outcome outcome;
    struct group_write *write;
};

static int64_t now_ms(const struct broker *b)
{
    return clock_mono_ns(b->env->clock) / MS_NS;
}

// ---- life

// may_migrate: the policy names this way, or both.
static bool may_migrate(struct broker *b, struct str way)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    struct str policy = broker_setting(b, STR("group.consumer.migration.policy"), &arena);
    bool may = str_equal(policy, way) || str_equal(policy, STR("bidirectional"));
    arena_fini(&arena);
    return may;
}

// assignors_fill takes them over in their order.
static void assignors_fill(struct broker *b, struct coordinator_limits *limits)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    struct str list = broker_setting(b, STR("group.consumer.assignors"), &arena);
    for (uint32_t i = 0; i < GROUP_ASSIGNORS_MAX && list.len > 0; i++) {
        struct str name = str_trim(str_cut(list, ',', &list));
        limits->consumer_assignors[i] = str_equal(name, STR("range")) ? "range" : "uniform";
    }
    arena_fini(&arena);
}

void groups_init(struct broker *b)
{
    // A generation is one item, and has to fit into the log.
    size_t bytes_max = (size_t)broker_setting_i64(b, STR("strom.group.bytes.max"));
    bytes_max = bytes_max < b->change_bytes_max / 2 ? bytes_max : b->change_bytes_max / 2;
    int64_t consumers_max = broker_setting_i64(b, STR("group.consumer.max.size"));
    struct coordinator_limits limits = {
        .initial_delay_ms = (int32_t)broker_setting_i64(b, STR("group.initial.rebalance.delay.ms")),
        .session_timeout_min_ms = (int32_t)broker_setting_i64(b, STR("group.min.session.timeout.ms")),
        .session_timeout_max_ms = (int32_t)broker_setting_i64(b, STR("group.max.session.timeout.ms")),
        .members_max = (uint32_t)broker_setting_i64(b, STR("group.max.size")),
        .members_total_max = (uint64_t)broker_setting_i64(b, STR("strom.group.members.max")),
        .group_bytes_max = bytes_max,
        .bytes_total_max = (size_t)broker_setting_i64(b, STR("strom.groups.bytes.max")),
        .groups_max = (uint64_t)broker_setting_i64(b, STR("strom.groups.max")),
        .consumer_session_timeout_ms =
            (int32_t)broker_setting_i64(b, STR("group.consumer.session.timeout.ms")),
        .consumer_heartbeat_interval_ms =
            (int32_t)broker_setting_i64(b, STR("group.consumer.heartbeat.interval.ms")),
        .consumer_members_max =
            (uint32_t)(consumers_max < ITEM_GROUP_MEMBERS_MAX ? consumers_max : ITEM_GROUP_MEMBERS_MAX),
        .may_upgrade = may_migrate(b, STR("upgrade")),
        .may_downgrade = may_migrate(b, STR("downgrade")),
    };
    assignors_fill(b, &limits);
    b->offset_metadata_max = (size_t)broker_setting_i64(b, STR("offset.metadata.max.bytes"));
    b->coordinator = coordinator_create(b->core, &limits);
    b->wal_sleeps_until_ms = INT64_MIN;
}

// ---- what comes out of the coordinator. The lock is held.

static void write_push(struct broker *b, struct group_write *write)
{
    struct group_submission *gs = mem_zalloc(sizeof *gs);
    gs->write = write;
    gs->outcome.err = ERR_STOPPING;
    gs->submission = (struct submission){
        .item = &write->item,
        .outcome = &gs->outcome,
        .group = gs,
        .needs_sync = true,
    };
    journal_push(b, &gs->submission);
}

static void groups_drain(struct broker *b)
{
    for (;;) {
        struct group_call *call = coordinator_take_answered(b->coordinator);
        if (call != NULL) {
            struct group_op *op = call->owner;
            journal_complete(op->port, &op->task);
            continue;
        }
        struct group_write *write = coordinator_take_write(b->coordinator);
        if (write == NULL) {
            break;
        }
        if (b->is_stopping || b->is_read_only) {
            coordinator_written(b->coordinator, write, b->is_stopping ? ERR_STOPPING : ERR_READ_ONLY,
                                now_ms(b));
        } else {
            write_push(b, write);
        }
    }
    if (coordinator_deadline_ms(b->coordinator) < b->wal_sleeps_until_ms &&
        !plant_is(PLANT_COORDINATOR_SLEEPS)) {
        cond_signal(&b->work);
    }
}

void groups_written(struct broker *b, struct group_submission *take_gs)
{
    coordinator_written(b->coordinator, take_gs->write, take_gs->outcome.err, now_ms(b));
    mem_free(take_gs);
    groups_drain(b);
}

bool groups_tick(struct broker *b)
{
    if (b->is_stopping || b->holds_groups || coordinator_deadline_ms(b->coordinator) > now_ms(b)) {
        return false;
    }
    coordinator_tick(b->coordinator, now_ms(b));
    groups_drain(b);
    return true;
}

void groups_sleep(struct broker *b)
{
    bool is_held = b->is_stopping || b->holds_groups;
    int64_t until_ms = is_held ? INT64_MAX : coordinator_deadline_ms(b->coordinator);
    bool is_endless = until_ms > INT64_MAX / MS_NS;
    b->wal_sleeps_until_ms = is_endless ? INT64_MAX : until_ms;
    cond_wait(&b->work, &b->lock, is_endless ? CLOCK_NEVER : until_ms * MS_NS);
    b->wal_sleeps_until_ms = INT64_MIN;
}

// Of a shared log, a broker takes up only the groups that ask for it.
void groups_start(struct broker *b)
{
    mutex_lock(&b->lock);
    if (!b->is_shared) {
        coordinator_load(b->coordinator, now_ms(b));
    }
    groups_drain(b); // the WAL thread sleeps already
    mutex_unlock(&b->lock);
}

void broker_hold_groups(struct broker *b)
{
    mutex_lock(&b->lock);
    b->holds_groups = true;
    mutex_unlock(&b->lock);
}

void groups_stop(struct broker *b)
{
    coordinator_stop(b->coordinator, ERR_NOT_COORDINATOR);
    groups_drain(b);
}

// ---- calls

// groups_unlock releases the lock after a call, having passed on what came out of it.
static void groups_unlock(struct broker *b, struct broker_port *port)
{
    groups_drain(b);
    if (b->queue_first != NULL) {
        journal_kick_later(port);
    }
    journal_unlock(b, port);
}

static void op_completed(struct task *task)
{
    struct group_op *op = (struct group_op *)(void *)((char *)task - offsetof(struct group_op, task));
    op->done(op);
}

void broker_group_join(struct broker *b, struct group_join_op *op)
{
    op->op.task.run = op_completed;
    op->join.call.owner = &op->op;
    op->join.fresh_id = rng_uuid(b->env->rng);
    mutex_lock(&b->lock);
    coordinator_join(b->coordinator, &op->join, now_ms(b));
    groups_unlock(b, op->op.port);
}

void broker_group_beat(struct broker *b, struct group_beat_op *op)
{
    op->op.task.run = op_completed;
    op->beat.call.owner = &op->op;
    op->beat.fresh_id = rng_uuid(b->env->rng);
    mutex_lock(&b->lock);
    coordinator_beat(b->coordinator, &op->beat, now_ms(b));
    groups_unlock(b, op->op.port);
}

void broker_group_beat_cancel(struct broker *b, struct group_beat_op *op)
{
    mutex_lock(&b->lock);
    coordinator_beat_cancel(b->coordinator, &op->beat);
    groups_unlock(b, op->op.port);
}

struct coordinator *broker_consumers_begin(struct broker *b, const struct core **ret_core,
                                           int64_t *ret_now_ms)
{
    mutex_lock(&b->lock);
    *ret_core = b->core;
    *ret_now_ms = now_ms(b);
    return b->coordinator;
}

void broker_consumers_end(struct broker_port *port)
{
    groups_unlock(port->broker, port);
}

void broker_group_sync(struct broker *b, struct group_sync_op *op)
{
    op->op.task.run = op_completed;
    op->sync.call.owner = &op->op;
    mutex_lock(&b->lock);
    coordinator_sync(b->coordinator, &op->sync, now_ms(b));
    groups_unlock(b, op->op.port);
}

void broker_group_join_cancel(struct broker *b, struct group_join_op *op)
{
    mutex_lock(&b->lock);
    coordinator_join_cancel(b->coordinator, &op->join, now_ms(b));
    groups_unlock(b, op->op.port);
}

void broker_group_sync_cancel(struct broker *b, struct group_sync_op *op)
{
    mutex_lock(&b->lock);
    coordinator_sync_cancel(b->coordinator, &op->sync);
    groups_unlock(b, op->op.port);
}

enum err broker_group_heartbeat(struct broker_port *port, const struct group_member_name *name)
{
    struct broker *b = port->broker;
    mutex_lock(&b->lock);
    enum err err = coordinator_heartbeat(b->coordinator, name, now_ms(b));
    groups_unlock(b, port);
    return err;
}

enum err broker_group_leave(struct broker_port *port, struct str group_id, struct str member_id,
                            struct str instance_id)
{
    struct broker *b = port->broker;
    mutex_lock(&b->lock);
    enum err err = coordinator_leave(b->coordinator, group_id, member_id, instance_id, now_ms(b));
    groups_unlock(b, port);
    return err;
}

enum err broker_group_commit_check(struct broker_port *port, const struct group_member_name *name, bool is_v9,
                                   int32_t *ret_generation)
{
    struct broker *b = port->broker;
    mutex_lock(&b->lock);
    enum err err = coordinator_commit_check(b->coordinator, name, is_v9, now_ms(b), ret_generation);
    groups_unlock(b, port);
    return err;
}

enum err broker_group_fetch_check(struct broker_port *port, const struct group_member_name *name)
{
    struct broker *b = port->broker;
    mutex_lock(&b->lock);
    enum err err = coordinator_fetch_check(b->coordinator, name, now_ms(b));
    groups_unlock(b, port);
    return err;
}

const struct coordinator *broker_coordinator(const struct broker *b)
{
    return b->coordinator;
}

size_t broker_offset_metadata_max(const struct broker *b)
{
    return b->offset_metadata_max;
}

// ---- plans

enum err broker_plan_group_delete(struct broker *b, struct str group_id, struct item *ret_item,
                                  struct error *e)
{
    mutex_lock(&b->lock);
    struct group_view view;
    bool is_there = coordinator_view(b->coordinator, group_id, &view);
    bool is_stored = core_group_find(b->core, group_id) != NULL;
    mutex_unlock(&b->lock);
    if (is_there && view.member_count > 0) {
        return FAIL(e, ERR_NON_EMPTY_GROUP, "The group is not empty.");
    }
    if (!is_stored) {
        return FAIL(e, ERR_GROUP_ID_NOT_FOUND, "The group id does not exist.");
    }
    *ret_item =
        (struct item){.kind = ITEM_GROUP_DELETE, .version = 1, .group_delete = {.group_id = group_id}};
    return ERR_OK;
}

enum err broker_group_offsets_deletable(struct broker *b, struct str group_id)
{
    mutex_lock(&b->lock);
    struct group_view view;
    enum err err = ERR_OK;
    bool is_there = coordinator_view(b->coordinator, group_id, &view);
    if (!is_there || (view.member_count == 0 && core_group_find(b->core, group_id) == NULL)) {
        err = ERR_GROUP_ID_NOT_FOUND;
    } else if (view.member_count > 0 && !str_equal(view.protocol_type, STR("consumer"))) {
        err = ERR_NON_EMPTY_GROUP; // what its members use cannot be known
    }
    mutex_unlock(&b->lock);
    return err;
}
