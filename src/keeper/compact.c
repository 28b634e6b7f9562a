// SPDX-License-Identifier: Apache-2.0
// compact.c - compaction by key, of whatever extents a partition has.
//
// Happy path, per partition: a pass over what is dirty fills the map with the newest offset of each key; a
// pass over everything up to where the map reaches writes what stays into a new object, group of extents by
// group; the object is sealed, which makes it durable, and one REPLACE per group swaps it in, in the order of
// offsets. If the map was full before the end, the next round goes on from there.
//
// A record is left out only when a newer one of its key lies behind it, in this group or a later one, and
// later groups are swapped later: so a crash or a refused REPLACE anywhere leaves a log that is compacted in
// part, but never lacks a key or brings one back. The same order lets a tombstone go: what it deleted went
// before it.
//
// Failure: an extent with rotten bytes ends the compaction of its partition before it, and is reported; no
// room for an object abandons what is not swapped yet; a REPLACE that the state outran ends its partition's
// turn.
#include "keeper/compact_private.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"

enum {
    GROUP_EXTENTS_MAX = 128,         // replaced by one REPLACE
    COMPACT_ROUND_BYTES = 256 << 20, // of a round, unless one partition alone has more
    COMPACT_MAP_BYTES_MIN = 1 << 16,
    ABORTED_SLICE = 4096,
};

// One REPLACE to be.
struct compact_swap {
    const struct compact_part *part;
    struct extent *olds;
    struct extent *freshes; // their object is known when it is sealed
    uint32_t old_count;
    uint32_t fresh_count;
};

struct compact {
    struct keeper *k;
    struct compact_filter filter;
    struct compact_reader reader;
    struct segment_writer *writer; // NULL between objects
    struct compact_swap *swaps;    // of the open object
    size_t swap_count;
    size_t swap_cap;
    uint64_t object_bytes_max;
    uint64_t read_bytes; // since the last object was finished
    uint64_t in_bytes;   // all in all
    uint64_t out_bytes;
    const struct compact_part *failed; // a REPLACE of it was refused
    // The group that is being written.
    struct extent olds[GROUP_EXTENTS_MAX];
    struct extent freshes[GROUP_EXTENTS_MAX + 2];
    uint32_t old_count;
    uint32_t fresh_count;
    bool is_in_run;
    int32_t run_epoch;
    bool is_run_clean;
    int64_t run_max_timestamp;
    int64_t covered_offset; // fresh extents so far cover what is below
};

// ---- writing

static void run_end(struct compact *c)
{
    if (!c->is_in_run) {
        return;
    }
    struct extent *fresh = &c->freshes[c->fresh_count++];
    segment_writer_run_end(c->writer, fresh);
    fresh->base_offset = c->covered_offset; // and so the gap before its first batch
    fresh->max_timestamp = c->run_max_timestamp;
    fresh->flags |= c->is_run_clean ? EXTENT_CLEAN : 0;
    c->covered_offset = fresh->end_offset;
    c->is_in_run = false;
}

static enum err batch_write(struct compact *c, const struct compact_part *part, struct bytes batch,
                            bool is_clean, struct error *e)
{
    struct batch_header h;
    enum err err = batch_header_read(batch, &h, e);
    ASSERT(err == ERR_OK); // checked when it was read, or made here
    if (c->writer == NULL) {
        err = segment_writer_create(c->k->engine, &c->writer, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (c->is_in_run && (c->run_epoch != h.leader_epoch || c->is_run_clean != is_clean)) {
        run_end(c);
    }
    if (!c->is_in_run) {
        segment_writer_run_begin(c->writer, part->topic_id, part->partition);
        c->is_in_run = true;
        c->run_epoch = h.leader_epoch;
        c->is_run_clean = is_clean;
        c->run_max_timestamp = BATCH_NO_TIMESTAMP;
    }
    if (h.record_count > 0 && !batch_is_control(&h) && h.max_timestamp > c->run_max_timestamp) {
        c->run_max_timestamp = h.max_timestamp;
    }
    c->out_bytes += batch.len;
    return segment_writer_batch(c->writer, &h, batch, e);
}

// ---- swapping

static void swaps_forget(struct compact *c)
{
    for (size_t i = 0; i < c->swap_count; i++) {
        mem_free(c->swaps[i].olds);
        mem_free(c->swaps[i].freshes);
    }
    c->swap_count = 0;
}

static void swap_settle(struct compact *c, const struct compact_swap *swap, enum err outcome)
{
    // Refused: trimmed away, deleted, merged meanwhile. What was to follow must not.
    if (outcome != ERR_OK || plant_is(PLANT_REPLACE_ORDER)) {
        c->failed = swap->part;
        keeper_count(c->k->merged_stale, 1);
        return;
    }
    int64_t unmerged = 0;
    for (uint32_t i = 0; i < swap->old_count; i++) {
        unmerged += (swap->olds[i].flags & EXTENT_FINAL) != 0 ? 0 : swap->olds[i].length;
    }
    atomic_fetch_sub(&c->k->unmerged, unmerged);
}

static struct item swap_item(const struct compact_swap *swap)
{
    return (struct item){
        .kind = ITEM_REPLACE,
        .version = 1,
        .replace = {.topic_id = swap->part->topic_id,
                    .partition = swap->part->partition,
                    .old_extents = swap->olds,
                    .old_count = swap->old_count,
                    .fresh_extents = swap->freshes,
                    .fresh_count = swap->fresh_count},
    };
}

// swaps_submit orders them, of one partition one after the other: each only when the one before is applied.
static enum err swaps_submit(struct compact *c, struct error *e)
{
    struct item *items = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *items);
    struct outcome *outcomes = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *outcomes);
    const struct compact_swap **sent = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *sent);
    enum err err = ERR_OK;
    for (size_t next = 0; next < c->swap_count && err == ERR_OK;) {
        uint32_t count = 0;
        uint32_t extents = 0;
        for (; next < c->swap_count && count < KEEPER_SUBMIT_ITEMS_MAX; next++) {
            const struct compact_swap *swap =
                &c->swaps[plant_is(PLANT_REPLACE_ORDER) ? c->swap_count - 1 - next : next];
            extents += swap->old_count + swap->fresh_count;
            if (count > 0 && (sent[count - 1]->part == swap->part || extents > SUBMIT_EXTENTS_MAX)) {
                break;
            }
            if (swap->part != c->failed) {
                sent[count] = swap;
                items[count++] = swap_item(swap);
            }
        }
        err = count == 0 ? ERR_OK : keeper_submit(c->k, items, count, outcomes, e);
        for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
            swap_settle(c, sent[i], outcomes[i].err);
        }
    }
    mem_free(items);
    mem_free(outcomes);
    mem_free(sent);
    return err;
}

static void object_drop_unused(struct compact *c, uint64_t object)
{
    struct core *core = c->k->host.lock(c->k->host.arg);
    bool is_unused = core_object_extents(core, object) == 0;
    c->k->host.unlock(c->k->host.arg);
    if (is_unused) {
        keeper_object_drop(c->k, object);
    }
}

static void compact_forget(struct compact *c)
{
    swaps_forget(c);
    segment_writer_destroy(c->writer);
    c->writer = NULL;
    c->is_in_run = false;
    c->read_bytes = 0;
}

// compact_finish seals the object and swaps its extents in.
static enum err compact_finish(struct compact *c, struct error *e)
{
    if (c->writer == NULL || c->swap_count == 0) {
        compact_forget(c);
        return ERR_OK;
    }
    uint64_t object = 0;
    enum err err = keeper_lease(c->k, e);
    err = err == ERR_OK ? segment_writer_finish(c->writer, &object, e) : err;
    if (err == ERR_OK) {
        for (size_t i = 0; i < c->swap_count; i++) {
            for (uint32_t j = 0; j < c->swaps[i].fresh_count; j++) {
                c->swaps[i].freshes[j].object = object;
            }
        }
        keeper_count(c->k->merged_objects, 1);
        err = swaps_submit(c, e);
        // After ERR_STOPPING a swap may yet be applied: the next start looks again.
        if (err == ERR_OK || err == ERR_STORAGE) {
            object_drop_unused(c, object);
        }
    }
    compact_forget(c);
    return err;
}

// ---- one group

static bool is_last_of_producer(struct compact *c, const struct compact_part *part,
                                const struct batch_header *h)
{
    if (h->producer_id == BATCH_NO_PRODUCER_ID || batch_is_control(h)) {
        return false;
    }
    struct core *core = c->k->host.lock(c->k->host.arg);
    const struct topic *topic = core_topic_find_id(core, part->topic_id);
    const struct partition *p = topic == NULL ? NULL : topic_partition(topic, part->partition);
    struct producer_view view;
    bool is_last = p != NULL && partition_producer_find(core, p, h->producer_id, &view) &&
                   view.last_offset == batch_last_offset(h);
    c->k->host.unlock(c->k->host.arg);
    return is_last;
}

static enum err group_batch(struct compact *c, const struct compact_part *part, const struct batch_header *h,
                            struct bytes batch, int64_t map_end, bool is_last, struct error *e)
{
    if (h->base_offset >= map_end) {
        return batch_write(c, part, batch, false, e);
    }
    enum compact_fate fate = COMPACT_KEEP;
    enum err err = compact_filter_judge(&c->filter, h, batch, is_last, &fate, e);
    if (err == ERR_OK && fate == COMPACT_DROP && is_last_of_producer(c, part, h)) {
        err = compact_filter_empty(&c->filter, h, &fate, e);
    }
    if (err != ERR_OK || fate == COMPACT_DROP) {
        return err;
    }
    return batch_write(c, part, fate == COMPACT_KEEP ? batch : buf_bytes(&c->filter.out), true, e);
}

static void part_damaged(struct compact *c, const struct compact_part *part, const struct extent *extent,
                         const struct error *why)
{
    const struct merge_partition where = {.topic_id = part->topic_id, .partition = part->partition};
    if (why->code != ERR_NOT_FOUND || merge_plan_is_live(c->k, &where, extent)) {
        keeper_extent_damage(c->k, extent, &where, why);
    }
}

static bool err_is_damage(enum err err)
{
    return err == ERR_CORRUPT || err == ERR_NOT_FOUND || err == ERR_IO || err == ERR_INVALID_RECORD;
}

// extent_failed: damage ends the turn of its partition, anything else the compaction.
static enum err extent_failed(struct compact *c, const struct compact_part *part, const struct extent *extent,
                              enum err err, struct error *why, struct error *e)
{
    why->code = err;
    if (err_is_damage(err)) {
        part_damaged(c, part, extent, why);
        c->failed = part;
        err = ERR_STALE;
    }
    return FAIL(e, err, "%s", why->text);
}

// group_extent writes what stays of one extent. ERR_STALE: its bytes could not be read.
static enum err group_extent(struct compact *c, const struct compact_part *part, uint32_t index,
                             int64_t map_end, struct error *e)
{
    const struct extent *extent = &c->olds[index];
    struct error why = {0};
    enum err err = compact_reader_open(&c->reader, extent, &why);
    while (err == ERR_OK) {
        struct batch_header h;
        struct bytes batch;
        err = compact_reader_next(&c->reader, &h, &batch, &why);
        if (err != ERR_OK || batch.ptr == NULL) {
            break;
        }
        bool is_last = index + 1 == c->old_count && compact_reader_is_done(&c->reader);
        enum err write_err = group_batch(c, part, &h, batch, map_end, is_last, e);
        if (write_err != ERR_OK) {
            return write_err;
        }
    }
    c->read_bytes += extent->length;
    c->in_bytes += extent->length;
    return err == ERR_OK ? ERR_OK : extent_failed(c, part, extent, err, &why, e);
}

static void group_book(struct compact *c, const struct compact_part *part)
{
    if (c->swap_count == c->swap_cap) {
        c->swap_cap = c->swap_cap == 0 ? 16 : c->swap_cap * 2;
        c->swaps = mem_realloc(c->swaps, c->swap_cap * sizeof *c->swaps);
    }
    struct compact_swap swap = {
        .part = part,
        .olds = mem_array(c->old_count, sizeof *swap.olds),
        .freshes = mem_array(c->fresh_count, sizeof *swap.freshes),
        .old_count = c->old_count,
        .fresh_count = c->fresh_count,
    };
    memcpy(swap.olds, c->olds, c->old_count * sizeof *swap.olds);
    memcpy(swap.freshes, c->freshes, c->fresh_count * sizeof *swap.freshes);
    c->swaps[c->swap_count++] = swap;
}

// compact_breathe lets the rest of the keeper's work go on: only between objects, since whatever is written
// and not swapped in would look unused.
static void compact_breathe(struct compact *c)
{
    ASSERT(c->writer == NULL);
    keeper_breathe(c->k);
    keeper_yield(c->k);
}

// compact_group writes the next group; false in *ret_more when there is none.
static enum err compact_group(struct compact *c, const struct compact_part *part, int64_t map_end,
                              int64_t *cursor_offset, bool *ret_more, struct error *e)
{
    c->old_count = compact_plan_take(c->k, part, cursor_offset, map_end, c->object_bytes_max, c->olds,
                                     plant_is(PLANT_REPLACE_ORDER) ? 8 : GROUP_EXTENTS_MAX);
    *ret_more = c->old_count > 0;
    if (c->old_count == 0) {
        return ERR_OK;
    }
    c->fresh_count = 0;
    c->covered_offset = c->olds[0].base_offset;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < c->old_count && err == ERR_OK; i++) {
        err = group_extent(c, part, i, map_end, e);
        keeper_breathe(c->k);
    }
    run_end(c);
    if (err != ERR_OK) {
        return err; // what was written of the group is not named by anything
    }
    ASSERT(c->fresh_count > 0 && c->covered_offset == c->olds[c->old_count - 1].end_offset);
    group_book(c, part);
    if (segment_writer_bytes(c->writer) >= c->object_bytes_max || c->read_bytes >= c->object_bytes_max) {
        err = compact_finish(c, e);
        if (err == ERR_OK) {
            compact_breathe(c);
        }
    }
    return err;
}

// ---- one partition

static enum err learn_extent(struct compact *c, const struct compact_part *part, const struct extent *extent,
                             int64_t *map_end, bool *ret_is_full, struct error *e)
{
    struct error why = {0};
    enum err err = compact_reader_open(&c->reader, extent, &why);
    *ret_is_full = false;
    while (err == ERR_OK && !*ret_is_full) {
        struct batch_header h;
        struct bytes batch;
        bool fits = true;
        err = compact_reader_next(&c->reader, &h, &batch, &why);
        if (err != ERR_OK || batch.ptr == NULL) {
            break;
        }
        *ret_is_full = h.base_offset >= part->end_offset;
        if (h.base_offset >= *map_end && !*ret_is_full) {
            err = compact_filter_learn(&c->filter, &h, batch, &fits, &why);
            *ret_is_full = !fits;
            *map_end = fits && err == ERR_OK ? batch_last_offset(&h) + 1 : *map_end;
        }
    }
    c->in_bytes += extent->length;
    return err == ERR_OK ? ERR_OK : extent_failed(c, part, extent, err, &why, e);
}

// compact_learn fills the map from `from` on; the offset up to which all keys are in it goes to *ret_map_end.
static enum err compact_learn(struct compact *c, const struct compact_part *part, int64_t from,
                              int64_t *ret_map_end, struct error *e)
{
    int64_t map_end = from;
    int64_t cursor_offset = from;
    bool is_full = false;
    enum err err = ERR_OK;
    struct extent extent;
    compact_map_reset(&c->filter.map);
    while (err == ERR_OK && !is_full) {
        if (keeper_is_stopping(c->k)) {
            return FAIL(e, ERR_STOPPING, "keeper: stopping");
        }
        if (c->writer == NULL) {
            compact_breathe(c);
        }
        if (compact_plan_take(c->k, part, &cursor_offset, part->end_offset, 0, &extent, 1) == 0) {
            break;
        }
        err = learn_extent(c, part, &extent, &map_end, &is_full, e);
    }
    if (err == ERR_OK && is_full && map_end == from && c->filter.map.count > 0) {
        keeper_extent_overfull(c->k, part, &extent);
    }
    *ret_map_end = map_end;
    return err;
}

// compact_aborted copies which transactions were aborted. Those that end later do not concern what is stable
// already.
static void compact_aborted(struct compact *c, const struct compact_part *part)
{
    int64_t from = 0;
    uint32_t taken = ABORTED_SLICE;
    struct aborted_view *views = mem_array(ABORTED_SLICE, sizeof *views);
    c->filter.aborted_count = 0;
    while (taken == ABORTED_SLICE) {
        struct core *core = c->k->host.lock(c->k->host.arg);
        const struct topic *topic = core_topic_find_id(core, part->topic_id);
        const struct partition *p = topic == NULL ? NULL : topic_partition(topic, part->partition);
        uint32_t count = p == NULL ? 0 : partition_aborted_count(p);
        taken = 0;
        for (uint32_t i = p == NULL ? 0 : partition_aborted_search(p, from);
             i < count && taken < ABORTED_SLICE; i++) {
            partition_aborted_at(p, i, &views[taken++]);
        }
        c->k->host.unlock(c->k->host.arg);
        for (uint32_t i = 0; i < taken; i++) {
            compact_filter_aborted_add(&c->filter, &views[i]);
            from = views[i].marker_offset + 1;
        }
    }
    compact_filter_aborted_sort(&c->filter);
    mem_free(views);
}

// compact_round takes a partition as far as one map reaches.
static enum err compact_round(struct compact *c, const struct compact_part *part, int64_t *dirty_offset,
                              bool *ret_more, struct error *e)
{
    int64_t map_end = *dirty_offset;
    bool has_more = true;
    *ret_more = false;
    enum err err = compact_learn(c, part, *dirty_offset, &map_end, e);
    if (err != ERR_OK || map_end == *dirty_offset) {
        return err;
    }
    int64_t used = (int64_t)(c->filter.map.count * 100 / c->filter.map.slot_count);
    keeper_max(c->k->compact_buffer_used, used);
    c->filter.now_ms = keeper_now_ms(c->k);
    c->filter.delete_retention_ms = part->delete_retention_ms;
    compact_filter_pass_begin(&c->filter);
    int64_t cursor_offset = 0;
    while (err == ERR_OK && has_more && c->failed != part) {
        if (keeper_is_stopping(c->k)) {
            return FAIL(e, ERR_STOPPING, "keeper: stopping");
        }
        err = compact_group(c, part, map_end, &cursor_offset, &has_more, e);
        has_more = has_more && cursor_offset < map_end;
    }
    *dirty_offset = map_end;
    *ret_more = err == ERR_OK && c->failed != part && map_end < part->end_offset;
    return err;
}

static enum err compact_partition(struct compact *c, const struct compact_part *part, struct error *e)
{
    size_t bytes_max = (size_t)c->k->options.compact_map_bytes;
    bytes_max = bytes_max < COMPACT_MAP_BYTES_MIN ? COMPACT_MAP_BYTES_MIN : bytes_max;
    compact_map_init(&c->filter.map, bytes_max, part->dirty_records, c->k->env->rng);
    compact_aborted(c, part);
    int64_t dirty_offset = part->dirty_offset;
    bool has_more = true;
    bool is_large = part->clean_bytes + part->dirty_bytes >= (uint64_t)c->k->options.merge_own_bytes;
    enum err err = is_large ? compact_finish(c, e) : ERR_OK; // so that other work can be done on the way
    while (err == ERR_OK && has_more) {
        err = compact_round(c, part, &dirty_offset, &has_more, e);
        if (err == ERR_OK && has_more) { // the next round reads what this one wrote
            err = compact_finish(c, e);
            has_more = c->failed != part;
        }
    }
    compact_filter_pass_begin(&c->filter);
    compact_map_fini(&c->filter.map);
    return err == ERR_STALE ? ERR_OK : err; // the other partitions go on
}

// ---- the whole

static void compact_note(struct compact *c, int64_t started_ns)
{
    struct keeper *k = c->k;
    keeper_count(k->compacted_bytes, (int64_t)c->in_bytes);
    keeper_count(k->compactions, 1);
    keeper_max(k->compact_time, (keeper_mono_ns(k) - started_ns) / (1000 * MS_NS));
    if (k->compact_recopy != NULL && c->in_bytes > 0) {
        metric_set(k->compact_recopy, (int64_t)(c->out_bytes * 100 / c->in_bytes));
    }
    trace(k->tracer, TRACE_DEBUG, "compacted %llu bytes to %llu", (unsigned long long)c->in_bytes,
          (unsigned long long)c->out_bytes);
}

static enum err compact_plan_run(struct keeper *k, const struct compact_plan *plan, struct error *e)
{
    struct compact *c = mem_zalloc(sizeof *c);
    int64_t started_ns = keeper_mono_ns(k);
    c->k = k;
    c->object_bytes_max = (uint64_t)k->options.object_bytes_max;
    compact_filter_init(&c->filter);
    compact_reader_init(&c->reader, k->engine);
    enum err err = ERR_OK;
    for (size_t i = 0; i < plan->count && err == ERR_OK; i++) {
        err = compact_partition(c, &plan->parts[i], e);
    }
    if (err == ERR_OK) {
        err = compact_finish(c, e);
    }
    compact_note(c, started_ns);
    compact_forget(c);
    mem_free(c->swaps);
    compact_reader_fini(&c->reader);
    compact_filter_fini(&c->filter);
    mem_free(c);
    return err;
}

enum err keeper_compact(struct keeper *k, int64_t *ret_next_ms, struct error *e)
{
    struct compact_plan plan;
    enum err err = compact_plan_survey(k, COMPACT_ROUND_BYTES, &plan, e);
    if (err != ERR_OK) {
        return err;
    }
    if (k->compact_dirtiest != NULL) {
        metric_set(k->compact_dirtiest, (int64_t)(plan.dirtiest * 100));
        metric_set(k->compact_stuck, plan.stuck);
    }
    if (plan.count > 0) {
        err = compact_plan_run(k, &plan, e);
    }
    *ret_next_ms = plan.has_more ? keeper_now_ms(k) : plan.next_ms;
    compact_plan_fini(&plan);
    return err;
}
