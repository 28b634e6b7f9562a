// SPDX-License-Identifier: Apache-2.0
// compact_plan.c - which partitions are due for compaction, and up to where. The compacted part of a
// partition is the extents with EXTENT_CLEAN at its beginning. What follows can be compacted up to the first
// extent that is unstable, too young for min.compaction.lag.ms, damaged, or in what Kafka calls the active
// segment: younger than segment.ms, with less than segment.bytes behind it.
#include "keeper/compact_private.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"

#include <stdlib.h>

static int64_t add_ms(int64_t a_ms, int64_t b_ms)
{
    int64_t sum_ms;
    return __builtin_add_overflow(a_ms, b_ms, &sum_ms) ? INT64_MAX : sum_ms;
}

static void plan_next(struct compact_plan *plan, int64_t when_ms)
{
    plan->next_ms = when_ms < plan->next_ms ? when_ms : plan->next_ms;
}

// An extent whose first batch alone has more keys than the map: as in Kafka it cannot be compacted.
static bool extent_is_overfull(const struct keeper *k, const struct extent *extent)
{
    for (uint32_t i = 0; i < k->overfull_count; i++) {
        if (k->overfull[i].object == extent->object && k->overfull[i].position == extent->position) {
            return true;
        }
    }
    return false;
}

void keeper_extent_overfull(struct keeper *k, const struct compact_part *part, const struct extent *extent)
{
    if (k->overfull_count < OVERFULL_EXTENTS_MAX) {
        k->overfull[k->overfull_count++] = (struct damaged_extent){extent->object, extent->position};
    }
    char topic[UUID_TEXT_SIZE];
    uuid_format(part->topic_id, topic);
    trace(k->tracer, TRACE_WARN,
          "topic %s, partition %d: a batch at offset %lld has more keys than log.cleaner.dedupe.buffer.size "
          "has room for; the partition is compacted no further",
          topic, part->partition, (long long)extent->base_offset);
}

// How far a look at one partition came.
struct compact_look {
    struct compact_part part;
    uint64_t before_bytes; // of the extents so far
    bool is_blocked;       // by the active segment
    bool is_over;          // no further, in any case
    bool is_damaged;
};

static void look_at_dirty(const struct keeper *k, const struct partition *p, const struct topic_settings *s,
                          const struct extent *extent, int64_t now_ms, struct compact_look *look,
                          struct compact_plan *plan)
{
    struct compact_part *part = &look->part;
    uint64_t behind_bytes = partition_bytes(p) - look->before_bytes - extent->length;
    int64_t stamp_ms = extent->max_timestamp < 0 ? 0 : extent->max_timestamp;
    look->is_damaged = keeper_extent_is_damaged(k, extent) || extent_is_overfull(k, extent);
    bool is_stable =
        extent->end_offset <= partition_last_stable_offset(p) || plant_is(PLANT_COMPACT_UNSTABLE);
    look->is_over = look->is_damaged || !is_stable;
    bool is_young = s->compaction_lag_min_ms > 0 && stamp_ms > now_ms - s->compaction_lag_min_ms;
    if (!look->is_over && is_young) {
        plan_next(plan, add_ms(stamp_ms, s->compaction_lag_min_ms));
        look->is_over = true;
    }
    if (look->is_over) {
        return;
    }
    bool is_active = stamp_ms > now_ms - s->segment_ms && behind_bytes < (uint64_t)s->segment_bytes;
    if (is_active && !look->is_blocked) {
        plan_next(plan, add_ms(stamp_ms, s->segment_ms));
        look->is_blocked = true;
    }
    if (part->all_bytes == 0) {
        part->first = *extent;
        part->dirty_offset = extent->base_offset;
    }
    part->all_bytes += extent->length;
    part->all_records += extent->record_count;
    part->all_end_offset = extent->end_offset;
    if (!look->is_blocked) {
        part->dirty_bytes = part->all_bytes;
        part->dirty_records = part->all_records;
        part->end_offset = part->all_end_offset;
    }
}

// look_at finds what of a partition can be compacted; returns the extents walked.
static uint32_t look_at(struct keeper *k, const struct partition *p, const struct topic_settings *s,
                        struct compact_plan *plan)
{
    struct compact_look look = {0};
    int64_t now_ms = keeper_now_ms(k);
    uint32_t count = partition_extent_count(p);
    uint32_t i = 0;
    for (; i < count && (partition_extent(p, i)->flags & EXTENT_CLEAN) != 0; i++) {
        look.part.clean_bytes += partition_extent(p, i)->length;
    }
    look.before_bytes = look.part.clean_bytes;
    for (; i < count && !look.is_over; i++) {
        look_at_dirty(k, p, s, partition_extent(p, i), now_ms, &look, plan);
        look.before_bytes += partition_extent(p, i)->length;
    }
    struct compact_part *part = &look.part;
    plan->stuck += look.is_damaged;
    double share = part->dirty_bytes == 0
                       ? 0
                       : (double)part->dirty_bytes / (double)(part->clean_bytes + part->dirty_bytes);
    plan->dirtiest = share > plan->dirtiest ? share : plan->dirtiest;
    part->is_due = part->dirty_bytes > 0 && share > s->cleanable_ratio_min;
    if (part->is_due || (part->all_bytes > 0 && s->compaction_lag_max_ms < INT64_MAX)) {
        ASSERT(plan->count < plan->cap);
        part->topic_id = topic_id(partition_topic(p));
        part->partition = partition_index(p);
        part->delete_retention_ms = s->delete_retention_ms;
        part->lag_max_ms = s->compaction_lag_max_ms;
        plan->parts[plan->count++] = *part;
    }
    return i;
}

static void plan_reserve(struct compact_plan *plan)
{
    if (plan->count + SLICE_SLOTS > plan->cap) {
        plan->cap = (plan->count + SLICE_SLOTS) * 2;
        plan->parts = mem_realloc(plan->parts, plan->cap * sizeof *plan->parts);
    }
}

// ---- the maximum lag

// first_time_ms reads when the oldest record that waits was written: the state knows only the newest of an
// extent.
static int64_t first_time_ms(struct keeper *k, const struct extent *extent)
{
    if ((extent->flags & EXTENT_MARKER) != 0) {
        return extent->max_timestamp;
    }
    struct object *pin = engine_object_pin(k->engine, extent->object);
    uint8_t bytes[BATCH_HEADER_SIZE];
    struct batch_header h = {.base_timestamp = extent->max_timestamp};
    if (pin != NULL &&
        engine_object_read(k->engine, pin, extent->position, bytes, sizeof bytes, NULL) == ERR_OK &&
        batch_header_read(bytes_of(bytes, sizeof bytes), &h, NULL) != ERR_OK) {
        h.base_timestamp = extent->max_timestamp; // the compaction will notice
    }
    engine_object_unpin(k->engine, pin);
    int64_t stamp_ms = batch_has_delete_horizon(&h) ? h.max_timestamp : h.base_timestamp;
    return stamp_ms < extent->max_timestamp ? stamp_ms : extent->max_timestamp;
}

static void judge_lag(struct keeper *k, struct compact_part *part, struct compact_plan *plan)
{
    if (part->lag_max_ms == INT64_MAX) {
        return;
    }
    int64_t stamp_ms = first_time_ms(k, &part->first);
    int64_t due_ms = add_ms(stamp_ms < 0 ? 0 : stamp_ms, part->lag_max_ms);
    if (due_ms > keeper_now_ms(k)) {
        plan_next(plan, due_ms);
        return;
    }
    part->is_due = true;
    part->dirty_bytes = part->all_bytes;
    part->dirty_records = part->all_records;
    part->end_offset = part->all_end_offset;
}

// ---- the survey

static double part_share(const struct compact_part *part)
{
    return (double)part->dirty_bytes / (double)(part->clean_bytes + part->dirty_bytes);
}

static int share_compare(const void *left, const void *right)
{
    double a = part_share(left);
    double b = part_share(right);
    return (a < b) - (a > b);
}

static int part_compare(const void *left, const void *right)
{
    const struct compact_part *a = left;
    const struct compact_part *b = right;
    int order = memcmp(&a->topic_id, &b->topic_id, sizeof a->topic_id);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static void plan_choose(struct keeper *k, uint64_t bytes_max, struct compact_plan *plan)
{
    size_t due = 0;
    for (size_t i = 0; i < plan->count; i++) {
        judge_lag(k, &plan->parts[i], plan);
        if (plan->parts[i].is_due) {
            plan->parts[due++] = plan->parts[i];
        }
    }
    plan->count = due;
    if (due == 0) {
        return;
    }
    qsort(plan->parts, plan->count, sizeof *plan->parts, share_compare);
    uint64_t bytes = 0;
    size_t chosen = 0;
    while (chosen < plan->count && (chosen == 0 || bytes < bytes_max)) {
        bytes += plan->parts[chosen].clean_bytes + plan->parts[chosen].dirty_bytes;
        chosen++;
    }
    plan->has_more = chosen < plan->count;
    plan->count = chosen;
    qsort(plan->parts, plan->count, sizeof *plan->parts, part_compare);
}

enum err compact_plan_survey(struct keeper *k, uint64_t bytes_max, struct compact_plan *ret, struct error *e)
{
    struct compact_plan plan = {.next_ms = INT64_MAX};
    uint32_t slot = 0;
    uint32_t slot_count = 1;
    while (slot < slot_count) {
        if (keeper_is_stopping(k)) {
            compact_plan_fini(&plan);
            return FAIL(e, ERR_STOPPING, "keeper: stopping");
        }
        plan_reserve(&plan);
        struct core *core = k->host.lock(k->host.arg);
        keeper_observe_locked(k, core);
        slot_count = core_slot_count(core);
        uint32_t walked = 0;
        for (uint32_t end = slot + SLICE_SLOTS; slot < end && slot < slot_count && walked < SLICE_EXTENTS;
             slot++) {
            const struct partition *p = core_partition_at(core, slot);
            if (p != NULL && partition_extent_count(p) > 0) {
                const struct topic_settings *s = topic_settings(core, partition_topic(p));
                walked += s->is_compacted ? look_at(k, p, s, &plan) : 0;
            }
        }
        k->host.unlock(k->host.arg);
    }
    plan_choose(k, bytes_max, &plan);
    *ret = plan;
    return ERR_OK;
}

void compact_plan_fini(struct compact_plan *plan)
{
    mem_free(plan->parts);
    *plan = (struct compact_plan){0};
}

uint32_t compact_plan_take(struct keeper *k, const struct compact_part *part, int64_t *cursor_offset,
                           int64_t until_offset, uint64_t bytes_max, struct extent *ret, uint32_t max)
{
    struct core *core = k->host.lock(k->host.arg);
    const struct topic *topic = core_topic_find_id(core, part->topic_id);
    const struct partition *p = topic == NULL ? NULL : topic_partition(topic, part->partition);
    uint32_t count = p == NULL ? 0 : partition_extent_count(p);
    uint32_t taken = 0;
    uint64_t bytes = 0;
    for (uint32_t i = p == NULL ? 0 : partition_extent_search(p, *cursor_offset); i < count && taken < max;
         i++) {
        const struct extent *extent = partition_extent(p, i);
        bool is_enough = taken > 0 && bytes + extent->length > bytes_max;
        if (extent->base_offset >= until_offset || is_enough || keeper_extent_is_damaged(k, extent)) {
            break;
        }
        bytes += extent->length;
        ret[taken++] = *extent;
        *cursor_offset = extent->end_offset;
    }
    k->host.unlock(k->host.arg);
    return taken;
}
