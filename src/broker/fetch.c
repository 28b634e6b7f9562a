// SPDX-License-Identifier: Apache-2.0
// fetch.c - plan what to send; if there is not enough yet, park until there is. Nothing polls: an append
// wakes exactly the fetches whose bytes_min it fulfils, the deadline wakes the rest.
//
// A woken op plans anew only the partitions that moved: of a thousand idle ones it remembers that they are
// idle.
//
// States of an op: planning (on its loop) -> parked (in the waiter lists, timer set) -> woken (its task is
// queued on its loop) -> planning again -> done. Only the lock's holder moves it out of `parked`.
#include "base/assert.h"
#include "base/mem.h"
#include "broker/broker_private.h"
#include "base/plant.h"

enum { PLAN_TRIES = 3 };

static void op_run(struct task *task);

// ---- one partition

static void part_clear(struct broker *b, struct fetch_part *part)
{
    for (uint32_t i = 0; i < part->slice_count; i++) {
        if (part->slices[i].pin != NULL) {
            broker_slice_release(b, &part->slices[i]);
        }
    }
    part->slice_count = 0;
    part->slice_bytes = 0;
    part->aborted_count = 0;
}

void broker_fetch_release(struct broker *b, struct fetch_op *op)
{
    for (uint32_t i = 0; i < op->part_count; i++) {
        part_clear(b, &op->parts[i]);
        mem_free(op->parts[i].slices);
        op->parts[i].slices = NULL;
        op->parts[i].slice_cap = 0;
        mem_free(op->parts[i].aborted);
        op->parts[i].aborted = NULL;
        op->parts[i].aborted_cap = 0;
    }
}

static void part_fail(struct fetch_part *part, enum err err)
{
    part->err = err;
    part->high_watermark = -1;
    part->last_stable_offset = -1;
    part->log_start_offset = -1;
}

static enum err part_check_epochs(const struct partition *p, struct fetch_part *part)
{
    int32_t current = partition_leader_epoch(p);
    if (part->current_leader_epoch >= 0 && part->current_leader_epoch != current) {
        return part->current_leader_epoch < current ? ERR_FENCED_LEADER_EPOCH : ERR_UNKNOWN_LEADER_EPOCH;
    }
    if (part->last_fetched_epoch >= 0) {
        int32_t epoch = -1;
        int64_t end_offset = -1;
        partition_epoch_end(p, part->last_fetched_epoch, &epoch, &end_offset);
        if (end_offset < 0) {
            return ERR_OFFSET_OUT_OF_RANGE; // of an epoch that this log has not had
        }
        if (epoch < part->last_fetched_epoch || end_offset < part->offset) {
            part->diverging_epoch = epoch;
            part->diverging_end_offset = end_offset;
        }
    }
    return ERR_OK;
}

// part_bound: records from here on are not sent.
static int64_t part_bound(const struct fetch_part *part)
{
    return part->op->is_read_committed ? part->last_stable_offset : part->high_watermark;
}

// aborted_first: the marker of the first aborted transaction that the partition knows; -1 = none.
static int64_t aborted_first(const struct partition *p)
{
    struct aborted_view view = {.marker_offset = -1};
    if (partition_aborted_count(p) > 0) {
        partition_aborted_at(p, 0, &view);
    }
    return view.marker_offset;
}

// part_look fills the bounds and copies the extents that could be sent. The lock is held.
static uint32_t part_look(struct broker *b, struct fetch_part *part, int64_t budget,
                          struct extent *ret_extents)
{
    part->err = ERR_OK;
    part->diverging_epoch = -1;
    part->diverging_end_offset = -1;
    part->slot = UINT32_MAX;
    bool is_by_name = part->topic_name.ptr != NULL;
    struct topic *topic =
        is_by_name ? core_topic_find(b->core, part->topic_name) : core_topic_find_id(b->core, part->topic_id);
    struct partition *p = topic == NULL ? NULL : topic_partition(topic, part->partition);
    if (p == NULL) {
        part_fail(part, topic == NULL && !is_by_name ? ERR_UNKNOWN_TOPIC_ID : ERR_UNKNOWN_PARTITION);
        return 0;
    }
    enum err err = part_check_epochs(p, part);
    if (err != ERR_OK) {
        part_fail(part, err);
        return 0;
    }
    part->slot = partition_slot(p);
    part->high_watermark = partition_high_watermark(p);
    part->last_stable_offset = partition_last_stable_offset(p);
    part->log_start_offset = partition_log_start(p);
    if (part->diverging_epoch >= 0) {
        return 0;
    }
    if (part->offset < part->log_start_offset || part->offset > part->high_watermark) {
        part_fail(part, ERR_OFFSET_OUT_OF_RANGE);
        return 0;
    }
    uint32_t count = 0;
    int64_t bytes = 0;
    int64_t bound = part_bound(part);
    // DeleteRecords may have moved the log start, and with it the last stable offset, into an open batch.
    bool has_any = part->offset < bound || plant_is(PLANT_STABLE_INSIDE_BATCH);
    uint32_t extent_count = has_any ? partition_extent_count(p) : 0;
    uint32_t index = has_any ? partition_extent_search(p, part->offset) : 0;
    for (; index < extent_count && count < FETCH_EXTENTS_MAX; index++) {
        const struct extent *extent = partition_extent(p, index);
        if (extent->base_offset >= bound) {
            break;
        }
        if (broker_is_damaged(b, extent)) {
            if (count == 0) {
                part->err = ERR_CORRUPT;
            }
            break;
        }
        ret_extents[count++] = *extent;
        // The first extent may begin long before the offset: its size says little of what it will give.
        bytes += count == 1 ? 0 : extent->length;
        if (bytes >= budget) {
            break;
        }
    }
    part->first_aborted = aborted_first(p);
    return count;
}

static struct fetch_slice *part_add_slice(struct fetch_part *part)
{
    if (part->slice_count == part->slice_cap) {
        part->slice_cap = part->slice_cap == 0 ? 4 : part->slice_cap * 2;
        part->slices = mem_realloc(part->slices, part->slice_cap * sizeof *part->slices);
    }
    return &part->slices[part->slice_count++];
}

static bool marker_take(struct fetch_part *part, const struct extent *extent, int64_t budget, bool must_take)
{
    if (extent->length > budget && !must_take) {
        return false;
    }
    *part_add_slice(part) = (struct fetch_slice){
        .position = extent->position,
        .length = extent->length,
        .leader_epoch = extent->leader_epoch,
        .base_offset = extent->base_offset,
        .marker_flags = extent->flags,
        .marker_timestamp = extent->max_timestamp,
    };
    part->slice_bytes += extent->length;
    part->end_offset = extent->end_offset;
    return true;
}

// extent_take adds the slice of one extent from `offset` on, whole batches within `budget` bytes; must_take
// one batch whatever its size. *ret_is_cut: the budget ended inside this extent.
static enum err extent_take(struct broker *b, struct fetch_part *part, const struct extent *extent,
                            int64_t offset, int64_t budget, bool must_take, bool *ret_is_cut, struct error *e)
{
    if ((extent->flags & EXTENT_MARKER) != 0) {
        *ret_is_cut = !marker_take(part, extent, budget, must_take);
        return ERR_OK;
    }
    *ret_is_cut = false;
    if (extent->record_count == 0) {
        return ERR_OK; // compaction left the bounds of batches only
    }
    struct object *pin = engine_object_pin(b->engine, extent->object);
    if (pin == NULL) {
        return FAIL(e, ERR_STALE, "object %llu is gone", (unsigned long long)extent->object);
    }
    int64_t start = extent->position;
    int64_t end = extent->position + extent->length;
    int64_t base_offset = extent->base_offset;
    int64_t end_offset = extent->end_offset;
    bool is_bound = extent->end_offset > part_bound(part); // then it holds what is not stable yet
    bool is_whole = offset <= extent->base_offset && extent->length <= budget && !is_bound;
    if (!is_whole) {
        struct batch_walk walk;
        enum err err = batch_walk_seek(&walk, b, pin, extent, offset, e);
        if (err != ERR_OK) {
            engine_object_unpin(b->engine, pin);
            return err;
        }
        // Compaction leaves batches without records, and a client that gets nothing else may not move on.
        bool has_more = true;
        while (err == ERR_OK && has_more && walk.header.record_count == 0) {
            err = batch_walk_next(&walk, &has_more, e);
        }
        if (err != ERR_OK || !has_more) {
            engine_object_unpin(b->engine, pin);
            return err;
        }
        start = walk.position;
        base_offset = walk.base_offset;
        if (end - start > budget || is_bound) {
            *ret_is_cut = true;
            bool is_first = must_take;
            while (err == ERR_OK && has_more && walk.base_offset < part_bound(part) &&
                   (is_first || walk.position + (int64_t)walk.header.size - start <= budget)) {
                is_first = false;
                err = batch_walk_next(&walk, &has_more, e);
            }
            if (err != ERR_OK) {
                engine_object_unpin(b->engine, pin);
                return err;
            }
            end = walk.position;
            end_offset = has_more ? walk.base_offset : extent->end_offset;
        }
    }
    if (end == start) {
        engine_object_unpin(b->engine, pin);
        return ERR_OK;
    }
    *part_add_slice(part) = (struct fetch_slice){
        .pin = pin,
        .object = extent->object,
        .position = start,
        .length = (uint32_t)(end - start),
        .leader_epoch = extent->leader_epoch,
        .base_offset = base_offset,
        .is_final = (extent->flags & EXTENT_FINAL) != 0,
    };
    part->slice_bytes += (uint32_t)(end - start);
    part->end_offset = end_offset;
    return ERR_OK;
}

// part_close_gap: of what was looked at nothing has records. A control batch takes the client past it, since
// some never advance past an empty answer while there is more to come.
static void part_close_gap(struct fetch_part *part, const struct extent *last)
{
    int64_t end_offset = last->end_offset < part_bound(part) ? last->end_offset : part_bound(part);
    *part_add_slice(part) = (struct fetch_slice){
        .length = MARKER_SIZE,
        .leader_epoch = last->leader_epoch,
        .base_offset = end_offset - 1,
        .marker_timestamp = last->max_timestamp,
        .is_gap = true,
    };
    part->slice_bytes += MARKER_SIZE;
    part->end_offset = end_offset;
}

static void aborted_add(struct fetch_part *part, const struct aborted_view *view)
{
    if (part->aborted_count == part->aborted_cap) {
        part->aborted_cap = part->aborted_cap == 0 ? 4 : part->aborted_cap * 2;
        part->aborted = mem_realloc(part->aborted, part->aborted_cap * sizeof *part->aborted);
    }
    part->aborted[part->aborted_count++] = *view;
}

// part_find_aborted lists the aborted transactions that may have records in what is sent (KIP-98). ERR_STALE:
// a compaction took some away, with the records that they hide, but the slices still have those.
static enum err part_find_aborted(struct broker *b, struct fetch_part *part)
{
    mutex_lock(&b->lock);
    struct partition *p = core_partition_at(b->core, part->slot);
    uint32_t total = p == NULL ? 0 : partition_aborted_count(p);
    uint32_t index = p == NULL ? 0 : partition_aborted_search(p, part->offset);
    bool is_stale = part->first_aborted >= 0 && (p == NULL || aborted_first(p) != part->first_aborted);
    for (; index < total && !is_stale; index++) {
        struct aborted_view view;
        partition_aborted_at(p, index, &view);
        bool is_left_out = plant_is(PLANT_ABORTED_BEFORE) && view.first_offset < part->offset;
        if (view.first_offset < part->end_offset && !is_left_out) {
            aborted_add(part, &view);
        }
        if (view.stable_offset >= part->end_offset) {
            break; // whatever ended later also began later
        }
    }
    mutex_unlock(&b->lock);
    return is_stale ? ERR_STALE : ERR_OK;
}

// part_take makes slices of the extents; ERR_STALE: merged or trimmed since they were copied.
static enum err part_take(struct broker *b, struct fetch_part *part, const struct extent *extents,
                          uint32_t count, int64_t budget, bool must_take)
{
    struct error error = {0};
    bool is_cut = false;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK && !is_cut; i++) {
        bool must = must_take && part->slice_count == 0;
        err = extent_take(b, part, &extents[i], part->offset, budget - part->slice_bytes, must, &is_cut,
                          &error);
    }
    if (err == ERR_OK && count > 0 && part->slice_count == 0 && !is_cut) {
        part_close_gap(part, &extents[count - 1]);
    }
    return err;
}

static void part_plan(struct broker *b, struct fetch_part *part, int64_t budget, bool must_take)
{
    struct extent *extents = part->op->port->extents;
    enum err err = ERR_STALE;
    for (int attempt = 0; attempt < PLAN_TRIES && err == ERR_STALE; attempt++) {
        part_clear(b, part);
        mutex_lock(&b->lock);
        uint32_t count = part_look(b, part, budget, extents);
        mutex_unlock(&b->lock);
        if (budget <= 0 && !must_take) {
            return; // only the bounds were wanted
        }
        err = part_take(b, part, extents, count, budget, must_take);
        if (part->op->is_read_committed && part->slice_count > 0) {
            enum err aborted_err = part_find_aborted(b, part);
            err = err == ERR_OK ? aborted_err : err;
            if (aborted_err != ERR_OK) {
                part_clear(b, part);
            }
        }
    }
    if (err != ERR_OK && part->slice_count == 0) {
        part_fail(part, err == ERR_STALE ? ERR_STORAGE : err); // the state names an object that is not there
    }
}

// ---- the op

// op_plan plans every part; true when the op must be answered now.
static bool op_plan(struct fetch_op *op)
{
    int64_t left = op->bytes_max;
    int64_t total = 0;
    bool has_error = false;
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct fetch_part *part = &op->parts[i];
        if (part->is_settled && !op->is_catalogue_old) {
            continue;
        }
        int64_t budget = left < part->bytes_max ? left : part->bytes_max;
        // KIP-74: the first partition with data makes progress even if its first batch exceeds the limits.
        part_plan(op->broker, part, budget, total == 0);
        part->is_settled = part->err == ERR_OK && part->diverging_epoch < 0 && part->slice_count == 0 &&
                           part->offset == part->high_watermark;
        total += part->slice_bytes;
        left -= part->slice_bytes;
        has_error = has_error || part->err != ERR_OK || part->diverging_epoch >= 0;
    }
    op->is_catalogue_old = false;
    op->parked_bytes = (uint64_t)total;
    return has_error || total >= op->bytes_min;
}

static void op_answer(struct fetch_op *op)
{
    mutex_lock(&op->broker->lock);
    traffic_fetch(op->broker, op);
    mutex_unlock(&op->broker->lock);
    op->done(op);
}

static void op_timeout(struct timer *timer)
{
    struct fetch_op *op = (struct fetch_op *)(void *)((char *)timer - offsetof(struct fetch_op, timer));
    broker_fetch_cancel(op->broker, op); // the deadline has passed: planning again will answer
}

// op_unpark takes a parked op out of all lists and queues it on its loop. The lock is held.
static void op_unpark(struct fetch_op *op)
{
    ASSERT(op->is_parked);
    op->is_parked = false;
    list_remove(&op->parked);
    metric_add(op->broker->fetches_parked, -1);
    for (uint32_t i = 0; i < op->part_count; i++) {
        list_remove(&op->parts[i].waiter);
    }
    journal_complete(op->port, &op->task);
}

enum park { PARK_DONE, PARK_MOVED, PARK_STOPPING };

// op_park enters the waiter lists unless something moved since the plan, which it looks at again under the
// lock.
static enum park op_park(struct fetch_op *op)
{
    struct broker *b = op->broker;
    mutex_lock(&b->lock);
    enum park park = b->is_stopping ? PARK_STOPPING : PARK_DONE;
    for (uint32_t i = 0; i < op->part_count && park == PARK_DONE; i++) {
        struct fetch_part *part = &op->parts[i];
        struct partition *p = core_partition_at(b->core, part->slot);
        if (p == NULL || partition_high_watermark(p) != part->high_watermark ||
            partition_log_start(p) != part->log_start_offset) {
            part->is_settled = false;
            park = PARK_MOVED;
        }
    }
    if (park == PARK_DONE) {
        op->is_parked = true;
        metric_add(b->fetches_parked, 1);
        list_push_back(&b->parked, &op->parked);
        for (uint32_t i = 0; i < op->part_count; i++) {
            list_push_back(&b->waiters[op->parts[i].slot].parts, &op->parts[i].waiter);
        }
    }
    mutex_unlock(&b->lock);
    return park;
}

static void op_step(struct fetch_op *op)
{
    for (;;) {
        bool is_due = op_plan(op) || op->is_cancelled || op->part_count == 0 ||
                      loop_now_ns(op->port->loop) >= op->deadline_ns;
        enum park park = PARK_STOPPING;
        if (!is_due) {
            loop_timer_set(op->port->loop, &op->timer, op->deadline_ns);
            park = op_park(op);
        }
        if (park == PARK_STOPPING) {
            loop_timer_cancel(op->port->loop, &op->timer);
            op_answer(op);
            return;
        }
        for (uint32_t i = 0; i < op->part_count; i++) {
            part_clear(op->broker, &op->parts[i]); // a parked fetch pins nothing
        }
        if (park == PARK_DONE) {
            return;
        }
    }
}

static void op_run(struct task *task)
{
    op_step((struct fetch_op *)(void *)((char *)task - offsetof(struct fetch_op, task)));
}

void broker_fetch(struct broker *b, struct fetch_op *op)
{
    op->broker = b;
    op->task.run = op_run;
    op->timer = (struct timer){.fire = op_timeout};
    op->parked = (struct list){0};
    op->is_parked = false;
    op->is_cancelled = false;
    op->is_catalogue_old = false;
    int64_t wait_ms = op->wait_ms_max < 0 ? 0 : op->wait_ms_max;
    op->deadline_ns = loop_now_ns(op->port->loop) + wait_ms * 1000000;
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct fetch_part *part = &op->parts[i];
        part->op = op;
        part->waiter = (struct list){0};
        part->slices = NULL;
        part->slice_count = part->slice_cap = part->slice_bytes = 0;
        part->aborted = NULL;
        part->aborted_count = part->aborted_cap = 0;
        part->slot = UINT32_MAX;
        part->is_settled = false;
    }
    loop_defer(op->port->loop, &op->task); // never complete inside this call
}

void broker_fetch_cancel(struct broker *b, struct fetch_op *op)
{
    mutex_lock(&b->lock);
    op->is_cancelled = true;
    if (op->is_parked) {
        op_unpark(op);
    }
    journal_unlock(b, op->port);
}

// unsettle marks, of the parked parts, those whose partition moved: all of them before the first op is woken,
// since waking one takes its parts out of every list.
static void unsettle(struct broker *b, const struct core_facts *facts)
{
    for (uint32_t i = 0; i < facts->slot_count; i++) {
        if (facts->slots[i] >= b->waiter_count) {
            continue;
        }
        LIST_EACH (node, &b->waiters[facts->slots[i]].parts) {
            LIST_ENTRY(node, struct fetch_part, waiter)->is_settled = false;
        }
    }
}

static bool is_stable_later(struct broker *b, const struct fetch_part *part)
{
    const struct partition *p = part->op->is_read_committed ? core_partition_at(b->core, part->slot) : NULL;
    return p != NULL && part->last_stable_offset < part->high_watermark &&
           partition_last_stable_offset(p) != part->last_stable_offset;
}

void fetch_wake(struct broker *b, const struct core_facts *facts)
{
    unsettle(b, facts);
    for (uint32_t i = 0; i < facts->slot_count; i++) {
        uint32_t slot = facts->slots[i];
        if (slot >= b->waiter_count) {
            continue;
        }
        struct list *parts = &b->waiters[slot].parts;
        struct list *node = parts->next;
        while (node != parts) {
            struct fetch_part *part = LIST_ENTRY(node, struct fetch_part, waiter);
            node = node->next;
            part->op->parked_bytes += plant_is(PLANT_FORGET_WAKE) ? 0 : facts->appended_bytes[i];
            // The end of a transaction lets go of records that were appended, and counted, before.
            if (part->op->parked_bytes >= (uint64_t)part->op->bytes_min || is_stable_later(b, part)) {
                // Unparking takes all of the op's parts out, also further ones in this list.
                while (node != parts && LIST_ENTRY(node, struct fetch_part, waiter)->op == part->op) {
                    node = node->next;
                }
                op_unpark(part->op);
            }
        }
    }
    if (facts->catalogue_changed) {
        fetch_wake_all(b);
    }
}

void fetch_wake_all(struct broker *b)
{
    while (!list_is_empty(&b->parked)) {
        struct fetch_op *op = LIST_ENTRY(b->parked.next, struct fetch_op, parked);
        op->is_catalogue_old = true;
        op_unpark(op);
    }
}
