// SPDX-License-Identifier: Apache-2.0
// merge_plan.c - finds what is worth merging. The core is read under the host's lock in short slices; between
// them it moves on, which is harmless: a REPLACE that names extents that are gone is refused.
#include "keeper/keeper_private.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

// What a walk from the newest extent backwards found in one partition.
struct merge_look {
    uint64_t unmerged_bytes; // damaged ones left out
    uint32_t unmerged_extents;
    int64_t unmerged_from; // base offset of the first of them
    uint32_t small_count;  // small merged extents adjacent to each other and to the unmerged tail
    uint32_t small_first;  // their first index
    uint32_t walked;
};

static bool merge_extent_is_small(const struct keeper *k, const struct extent *extent)
{
    return (extent->flags & EXTENT_FINAL) != 0 && extent->length < k->options.merge_own_bytes &&
           !keeper_extent_is_damaged(k, extent);
}

static struct merge_look merge_look_at(const struct keeper *k, const struct partition *p)
{
    struct merge_look look = {.unmerged_from = INT64_MAX};
    uint64_t left = partition_unmerged_bytes(p);
    uint32_t count = partition_extent_count(p);
    if (left == 0 && count <= k->options.merge_small_max) {
        return look;
    }
    bool is_suffix = true;
    for (uint32_t i = count; i > 0 && (left > 0 || is_suffix); i--) {
        const struct extent *extent = partition_extent(p, i - 1);
        look.walked++;
        if ((extent->flags & EXTENT_FINAL) == 0) {
            left -= extent->length < left ? extent->length : left;
            if (!keeper_extent_is_damaged(k, extent)) {
                look.unmerged_bytes += extent->length;
                look.unmerged_extents++;
                look.unmerged_from = extent->base_offset;
            }
            is_suffix = is_suffix && look.small_count == 0;
        } else if (is_suffix && merge_extent_is_small(k, extent)) {
            look.small_count++;
            look.small_first = i - 1;
        } else {
            is_suffix = false;
        }
    }
    return look;
}

// merge_small_from chooses the small extents to rewrite: from the newest back as long as the next is not
// larger than all behind it together. So a byte is rewritten a logarithmic number of times, and what stays
// small grows geometrically, which bounds its count too.
static int64_t merge_small_from(const struct keeper *k, const struct partition *p,
                                const struct merge_look *look)
{
    uint64_t total = look->unmerged_bytes;
    uint32_t taken = 0;
    uint32_t index = look->small_first + look->small_count;
    while (index > look->small_first) {
        const struct extent *extent = partition_extent(p, index - 1);
        if (extent->length > total && taken >= k->options.merge_small_max / 2) {
            break;
        }
        total += extent->length;
        taken++;
        index--;
    }
    return index < partition_extent_count(p) ? partition_extent(p, index)->base_offset : INT64_MAX;
}

// merge_plan_reserve makes room for one more slice, outside the lock: a large array takes long to move.
static void merge_plan_reserve(struct merge_plan *plan)
{
    if (plan->count + SLICE_SLOTS > plan->cap) {
        plan->cap = (plan->count + SLICE_SLOTS) * 2;
        plan->partitions = mem_realloc(plan->partitions, plan->cap * sizeof *plan->partitions);
    }
}

static void merge_plan_add(struct merge_plan *plan, const struct merge_partition *part)
{
    ASSERT(plan->count < plan->cap);
    plan->partitions[plan->count++] = *part;
    plan->unmerged_bytes += part->unmerged_bytes;
    plan->unmerged_extents += part->unmerged_extents;
}

// merge_plan_look adds the partition if there is something to do; returns the extents walked.
static uint32_t merge_plan_look(struct keeper *k, const struct partition *p, struct merge_plan *plan)
{
    struct merge_look look = merge_look_at(k, p);
    bool with_small = look.small_count > k->options.merge_small_max;
    if (look.unmerged_extents == 0 && !with_small) {
        return look.walked;
    }
    struct merge_partition part = {
        .topic_id = topic_id(partition_topic(p)),
        .partition = partition_index(p),
        .slot = partition_slot(p),
        .unmerged_bytes = look.unmerged_bytes,
        .unmerged_extents = look.unmerged_extents,
        .from_offset = look.unmerged_from,
        .until_offset = partition_high_watermark(p),
        .with_small = with_small,
    };
    if (with_small) {
        int64_t small_from = merge_small_from(k, p, &look);
        part.from_offset = small_from < part.from_offset ? small_from : part.from_offset;
    }
    merge_plan_add(plan, &part);
    return look.walked;
}

static int merge_partition_compare(const void *left, const void *right)
{
    const struct merge_partition *a = left;
    const struct merge_partition *b = right;
    int order = memcmp(&a->topic_id, &b->topic_id, sizeof a->topic_id);
    return order != 0 ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

enum err merge_plan_survey(struct keeper *k, struct merge_plan *ret, struct error *e)
{
    struct merge_plan plan = {0};
    uint64_t ordered = atomic_load(&k->ordered);
    uint32_t slot = 0;
    uint32_t slot_count = 1;
    while (slot < slot_count) {
        if (keeper_is_stopping(k)) {
            merge_plan_fini(&plan);
            return FAIL(e, ERR_STOPPING, "keeper: stopping");
        }
        merge_plan_reserve(&plan);
        struct core *core = k->host.lock(k->host.arg);
        slot_count = core_slot_count(core);
        uint32_t walked = 0;
        for (uint32_t end = slot + SLICE_SLOTS; slot < end && slot < slot_count && walked < SLICE_EXTENTS;
             slot++) {
            const struct partition *p = core_partition_at(core, slot);
            walked += p == NULL ? 0 : merge_plan_look(k, p, &plan);
        }
        k->host.unlock(k->host.arg);
    }
    if (plan.count > 1) {
        qsort(plan.partitions, plan.count, sizeof *plan.partitions, merge_partition_compare);
    }
    // What was ordered during the survey may be counted twice until the next one.
    uint64_t since = atomic_load(&k->ordered) - ordered;
    atomic_store(&k->unmerged, (int64_t)(plan.unmerged_bytes + since));
    k->unmerged_extents = plan.unmerged_extents;
    k->extents_at = ordered;
    *ret = plan;
    return ERR_OK;
}

void merge_plan_fini(struct merge_plan *plan)
{
    mem_free(plan->partitions);
    *plan = (struct merge_plan){0};
}

static const struct partition *merge_partition_find(const struct core *core,
                                                    const struct merge_partition *part)
{
    const struct topic *topic = core_topic_find_id(core, part->topic_id);
    return topic == NULL ? NULL : topic_partition(topic, part->partition);
}

static bool merge_is_taken(const struct keeper *k, const struct merge_partition *part,
                           const struct extent *extent)
{
    if ((extent->flags & EXTENT_FINAL) != 0) {
        return part->with_small && merge_extent_is_small(k, extent);
    }
    return !keeper_extent_is_damaged(k, extent);
}

uint32_t merge_plan_take(struct keeper *k, const struct merge_partition *part, int64_t *cursor_offset,
                         struct extent *ret_extents, uint32_t max)
{
    uint32_t taken = 0;
    struct core *core = k->host.lock(k->host.arg);
    const struct partition *p = merge_partition_find(core, part);
    uint32_t count = p == NULL ? 0 : partition_extent_count(p);
    uint32_t i = p == NULL ? 0 : partition_extent_search(p, *cursor_offset);
    for (; i < count && taken < max; i++) {
        const struct extent *extent = partition_extent(p, i);
        if (extent->base_offset >= part->until_offset) {
            break;
        }
        if (merge_is_taken(k, part, extent)) {
            ret_extents[taken++] = *extent;
        } else if (taken > 0) {
            break;
        }
        *cursor_offset = extent->end_offset;
    }
    k->host.unlock(k->host.arg);
    return taken;
}

bool merge_plan_is_live(struct keeper *k, const struct merge_partition *part, const struct extent *extent)
{
    struct core *core = k->host.lock(k->host.arg);
    const struct partition *p = merge_partition_find(core, part);
    uint32_t index = p == NULL ? 0 : partition_extent_search(p, extent->base_offset);
    bool is_live = p != NULL && index < partition_extent_count(p);
    if (is_live) {
        const struct extent *there = partition_extent(p, index);
        is_live = there->object == extent->object && there->position == extent->position;
    }
    k->host.unlock(k->host.arg);
    return is_live;
}
