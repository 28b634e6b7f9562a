// SPDX-License-Identifier: Apache-2.0
// merge.c - copies extents out of the log (and small merged ones) into new objects, then swaps them in.
//
// Happy path: take up to 256 extents of a partition under the lock; without it read each whole, verify every
// batch, patch offsets and epochs, and write; seal the object, which makes it durable; only then submit one
// REPLACE per 256 extents, and join the pieces of a run by one more. A crash anywhere before leaves an object
// that nothing names, which the next start drops.
//
// Failure: an extent with rotten bytes stays where it is and ends the run; no room for an object abandons it
// whole; a REPLACE that the state outran is refused (ERR_STALE) and forgotten.
#include "keeper/keeper_private.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"

#include <stdlib.h>

enum { MERGE_READ_PIECE = 1 << 20, MERGE_KEEP_BYTES = 8 << 20 };

// One REPLACE to be: ranges of merge.olds and merge.freshes.
struct merge_swap {
    struct uuid topic_id;
    int32_t partition;
    uint32_t old_first;
    uint32_t old_count;
    uint32_t fresh_first;
    uint32_t fresh_count;
    bool is_done;
};

struct merge {
    struct keeper *k;
    struct segment_writer *writer; // NULL between objects
    uint64_t object_bytes_max;
    struct extent *olds;
    struct extent *freshes;
    uint32_t *fresh_runs; // which run a fresh extent is part of
    uint32_t old_count;
    uint32_t old_cap;
    uint32_t fresh_count;
    uint32_t fresh_cap;
    struct merge_swap *swaps;
    uint32_t swap_count;
    uint32_t swap_cap;
    bool is_swap_open;
    bool is_in_run;
    uint32_t run;
    int64_t run_end_offset;
    int32_t run_epoch;
    uint32_t run_clean; // EXTENT_CLEAN or 0
    struct buf bytes;   // one extent
    struct object *pin;
    uint64_t pinned;
    uint64_t replaced; // extents, so far
};

// ---- damage

static int damaged_compare(const void *left, const void *right)
{
    const struct damaged_extent *a = left;
    const struct damaged_extent *b = right;
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return (a->position > b->position) - (a->position < b->position);
}

bool keeper_extent_is_damaged(const struct keeper *k, const struct extent *extent)
{
    struct damaged_extent key = {extent->object, extent->position};
    return k->damaged_count > 0 &&
           bsearch(&key, k->damaged, k->damaged_count, sizeof key, damaged_compare) != NULL;
}

void keeper_extent_damage(struct keeper *k, const struct extent *extent, const struct merge_partition *part,
                          const struct error *why)
{
    if (keeper_extent_is_damaged(k, extent)) {
        return;
    }
    if (k->damaged_count < DAMAGED_EXTENTS_MAX) {
        k->damaged = mem_realloc(k->damaged, (k->damaged_count + 1) * sizeof *k->damaged);
        k->damaged[k->damaged_count++] = (struct damaged_extent){extent->object, extent->position};
        qsort(k->damaged, k->damaged_count, sizeof *k->damaged, damaged_compare);
    }
    keeper_count(k->damaged_extents, 1);
    char topic[UUID_TEXT_SIZE];
    uuid_format(part->topic_id, topic);
    trace(k->tracer, TRACE_WARN,
          "topic %s, partition %d: stored records at offsets %lld..%lld are damaged (object %llu, position "
          "%lld): %s; they stay where they are, the rest of the partition is not affected",
          topic, part->partition, (long long)extent->base_offset, (long long)(extent->end_offset - 1),
          (unsigned long long)extent->object, (long long)extent->position, why->text);
}

// ---- reading one extent

static void merge_unpin(struct merge *m)
{
    engine_object_unpin(m->k->engine, m->pin);
    m->pin = NULL;
}

static enum err merge_pin(struct merge *m, uint64_t object, struct error *e)
{
    if (m->pin != NULL && m->pinned == object) {
        return ERR_OK;
    }
    merge_unpin(m);
    m->pin = engine_object_pin(m->k->engine, object);
    m->pinned = object;
    return m->pin != NULL ? ERR_OK
                          : FAIL(e, ERR_NOT_FOUND, "object %llu is gone", (unsigned long long)object);
}

static enum err merge_read(struct merge *m, const struct extent *extent, struct error *e)
{
    bool is_marker = (extent->flags & EXTENT_MARKER) != 0;
    enum err err = is_marker ? ERR_OK : merge_pin(m, extent->object, e);
    if (err != ERR_OK) {
        return err;
    }
    if (m->bytes.cap > MERGE_KEEP_BYTES) {
        buf_fini(&m->bytes);
        buf_init(&m->bytes, UINT32_MAX);
    }
    buf_reset(&m->bytes);
    uint8_t *out = buf_reserve(&m->bytes, extent->length);
    ASSERT(out != NULL);
    if (is_marker) {
        extent_marker_build(extent, out);
        m->bytes.len = extent->length;
        return ERR_OK;
    }
    for (uint32_t done = 0; done < extent->length;) {
        uint32_t left = extent->length - done;
        uint32_t piece = left < MERGE_READ_PIECE ? left : MERGE_READ_PIECE;
        err = engine_object_read(m->k->engine, m->pin, extent->position + done, out + done, piece, e);
        if (err != ERR_OK) {
            return err;
        }
        done += piece;
    }
    m->bytes.len = extent->length;
    return ERR_OK;
}

// merge_verify checks every batch of the extent in memory and gives it its final offset and epoch. Batches in
// the log still have their producer's base offset: the extent says where they belong.
static enum err merge_verify(struct merge *m, const struct extent *extent, struct error *e)
{
    bool is_final = (extent->flags & EXTENT_FINAL) != 0;
    int64_t next_offset = extent->base_offset;
    for (size_t at = 0; at < m->bytes.len;) {
        struct batch_header h;
        enum err err = batch_header_read(bytes_slice(buf_bytes(&m->bytes), at, m->bytes.len - at), &h, e);
        if (err != ERR_OK) {
            return err;
        }
        if (h.size > m->bytes.len - at || !batch_crc_check(bytes_of(m->bytes.ptr + at, h.size))) {
            return FAIL(e, ERR_CORRUPT, "the checksum of a batch %zu bytes in does not match", at);
        }
        int64_t base_offset = is_final ? h.base_offset : next_offset;
        if (base_offset < next_offset || h.last_offset_delta < 0 ||
            h.last_offset_delta >= extent->end_offset - base_offset) {
            return FAIL(e, ERR_CORRUPT, "a batch %zu bytes in lies outside its extent", at);
        }
        batch_patch(m->bytes.ptr + at, base_offset, extent->leader_epoch - plant_is(PLANT_MERGE_STALE_EPOCH));
        next_offset = base_offset + h.last_offset_delta + 1;
        at += h.size;
    }
    if (!is_final && next_offset != extent->end_offset) {
        return FAIL(e, ERR_CORRUPT, "the batches end at offset %lld, the extent at %lld",
                    (long long)next_offset, (long long)extent->end_offset);
    }
    return ERR_OK;
}

// ---- writing

static void merge_run_end(struct merge *m)
{
    if (m->is_in_run) {
        struct extent extent;
        segment_writer_run_end(m->writer, &extent);
        m->is_in_run = false;
    }
}

// merge_place makes the extent part of the open run and of the open swap, or of new ones.
static void merge_place(struct merge *m, const struct merge_partition *part, const struct extent *extent)
{
    uint32_t clean = extent->flags & EXTENT_CLEAN; // it must not grow over what is not compacted
    if (!m->is_in_run || m->run_end_offset != extent->base_offset || m->run_epoch != extent->leader_epoch ||
        m->run_clean != clean) {
        merge_run_end(m);
        segment_writer_run_begin(m->writer, part->topic_id, part->partition);
        m->is_in_run = true;
        m->run++;
        m->run_epoch = extent->leader_epoch;
        m->run_clean = clean;
    }
    m->run_end_offset = extent->end_offset;
    if (!m->is_swap_open) {
        if (m->swap_count == m->swap_cap) {
            m->swap_cap = m->swap_cap == 0 ? 64 : m->swap_cap * 2;
            m->swaps = mem_realloc(m->swaps, m->swap_cap * sizeof *m->swaps);
        }
        m->swaps[m->swap_count++] = (struct merge_swap){.topic_id = part->topic_id,
                                                        .partition = part->partition,
                                                        .old_first = m->old_count,
                                                        .fresh_first = m->fresh_count};
        m->is_swap_open = true;
    }
    struct merge_swap *swap = &m->swaps[m->swap_count - 1];
    if (swap->fresh_count == 0 || m->fresh_runs[m->fresh_count - 1] != m->run) {
        if (m->fresh_count == m->fresh_cap) {
            m->fresh_cap = m->fresh_cap == 0 ? 64 : m->fresh_cap * 2;
            m->freshes = mem_realloc(m->freshes, m->fresh_cap * sizeof *m->freshes);
            m->fresh_runs = mem_realloc(m->fresh_runs, m->fresh_cap * sizeof *m->fresh_runs);
        }
        m->fresh_runs[m->fresh_count] = m->run;
        m->freshes[m->fresh_count++] = (struct extent){
            .base_offset = extent->base_offset,
            .position = (int64_t)segment_writer_bytes(m->writer),
            .max_timestamp = extent->max_timestamp,
            .leader_epoch = extent->leader_epoch,
            .flags = EXTENT_FINAL | clean,
        };
        swap->fresh_count++;
    }
}

// merge_add writes the verified extent's batches and books it.
static enum err merge_add(struct merge *m, const struct merge_partition *part, const struct extent *extent,
                          bool is_last, struct error *e)
{
    merge_place(m, part, extent);
    uint64_t bytes_before = segment_writer_bytes(m->writer);
    for (size_t at = 0; at < m->bytes.len;) {
        struct batch_header h;
        enum err err = batch_header_read(bytes_slice(buf_bytes(&m->bytes), at, m->bytes.len - at), &h, e);
        ASSERT(err == ERR_OK); // verified
        bool is_dropped =
            is_last && at > 0 && at + h.size == m->bytes.len && plant_is(PLANT_MERGE_DROPS_BATCH);
        if (!is_dropped) {
            err = segment_writer_batch(m->writer, &h, bytes_of(m->bytes.ptr + at, h.size), e);
        }
        if (err != ERR_OK) {
            return err;
        }
        at += h.size;
    }
    struct extent *fresh = &m->freshes[m->fresh_count - 1];
    fresh->end_offset = extent->end_offset;
    fresh->length += (uint32_t)(segment_writer_bytes(m->writer) - bytes_before);
    fresh->record_count += extent->record_count;
    if (extent->max_timestamp > fresh->max_timestamp) {
        fresh->max_timestamp = extent->max_timestamp;
    }
    if (m->old_count == m->old_cap) {
        m->old_cap = m->old_cap == 0 ? 256 : m->old_cap * 2;
        m->olds = mem_realloc(m->olds, m->old_cap * sizeof *m->olds);
    }
    m->olds[m->old_count++] = *extent;
    m->swaps[m->swap_count - 1].old_count++;
    return ERR_OK;
}

// ---- swapping

static struct item merge_replace_item(const struct merge_swap *swap, struct extent *olds,
                                      struct extent *freshes)
{
    return (struct item){
        .kind = ITEM_REPLACE,
        .version = 1,
        .replace = {.topic_id = swap->topic_id,
                    .partition = swap->partition,
                    .old_extents = olds,
                    .old_count = swap->old_count,
                    .fresh_extents = freshes,
                    .fresh_count = swap->fresh_count},
    };
}

static void merge_swap_settle(struct merge *m, struct merge_swap *swap, enum err outcome)
{
    swap->is_done = outcome == ERR_OK;
    if (!swap->is_done) { // trimmed away, deleted, or another keeper was faster
        keeper_count(m->k->merged_stale, 1);
        return;
    }
    int64_t unmerged = 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < swap->old_count; i++) {
        const struct extent *old = &m->olds[swap->old_first + i];
        bytes += old->length;
        unmerged += (old->flags & EXTENT_FINAL) != 0 ? 0 : old->length;
    }
    m->replaced += swap->old_count;
    atomic_fetch_sub(&m->k->unmerged, unmerged);
    keeper_count(m->k->merged_bytes, bytes);
}

static enum err merge_swap_all(struct merge *m, struct error *e)
{
    struct item *items = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *items);
    struct outcome *outcomes = mem_array(KEEPER_SUBMIT_ITEMS_MAX, sizeof *outcomes);
    enum err err = ERR_OK;
    for (uint32_t first = 0; first < m->swap_count && err == ERR_OK;) {
        uint32_t count = 0;
        uint32_t extents = 0;
        for (; first + count < m->swap_count && count < KEEPER_SUBMIT_ITEMS_MAX; count++) {
            const struct merge_swap *swap = &m->swaps[first + count];
            extents += swap->old_count + swap->fresh_count;
            if (count > 0 && extents > SUBMIT_EXTENTS_MAX) {
                break;
            }
            items[count] =
                merge_replace_item(swap, m->olds + swap->old_first, m->freshes + swap->fresh_first);
        }
        err = keeper_submit(m->k, items, count, outcomes, e);
        for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
            merge_swap_settle(m, &m->swaps[first + i], outcomes[i].err);
        }
        first += count;
    }
    mem_free(items);
    mem_free(outcomes);
    return err;
}

// merge_join_next finds swaps from `first` on whose fresh extents are pieces of one run, and makes their
// join: the pieces lie side by side in the object, so that only the state changes. Returns how many swaps it
// used.
static uint32_t merge_join_next(const struct merge *m, uint32_t first, struct merge_swap *ret_join,
                                struct extent *ret_joined)
{
    const struct merge_swap *head = &m->swaps[first];
    if (!head->is_done) {
        return 1;
    }
    uint32_t piece = head->fresh_first + head->fresh_count - 1; // the swap's last run may go on
    *ret_join = (struct merge_swap){head->topic_id, head->partition, piece, 1, 0, 1, false};
    *ret_joined = m->freshes[piece];
    uint32_t used = 1;
    for (; first + used < m->swap_count; used++) {
        const struct merge_swap *next = &m->swaps[first + used];
        const struct extent *fresh = &m->freshes[next->fresh_first];
        if (!next->is_done || m->fresh_runs[next->fresh_first] != m->fresh_runs[piece] ||
            fresh->length > UINT32_MAX - ret_joined->length ||
            ret_join->old_count == ITEM_REPLACE_EXTENTS_MAX) {
            break;
        }
        ret_joined->end_offset = fresh->end_offset;
        ret_joined->length += fresh->length;
        ret_joined->record_count += fresh->record_count;
        if (fresh->max_timestamp > ret_joined->max_timestamp) {
            ret_joined->max_timestamp = fresh->max_timestamp;
        }
        ret_join->old_count++;
        if (next->fresh_count > 1) { // the run ends inside this swap
            used++;
            break;
        }
    }
    return used;
}

static enum err merge_join_all(struct merge *m, struct error *e)
{
    for (uint32_t first = 0; first < m->swap_count;) {
        struct merge_swap join;
        struct extent joined;
        uint32_t used = merge_join_next(m, first, &join, &joined);
        if (used > 1 && join.old_count > 1) {
            struct item item = merge_replace_item(&join, m->freshes + join.old_first, &joined);
            struct outcome outcome;
            enum err err = keeper_submit(m->k, &item, 1, &outcome, e);
            if (err != ERR_OK) {
                return err;
            }
        }
        // A swap whose last run starts in its middle may begin the next join.
        first += used > 1 && m->swaps[first + used - 1].fresh_count > 1 ? used - 1 : used;
    }
    return ERR_OK;
}

static void merge_forget(struct merge *m)
{
    m->old_count = m->fresh_count = m->swap_count = 0;
    m->is_swap_open = m->is_in_run = false;
    segment_writer_destroy(m->writer);
    m->writer = NULL;
}

// merge_finish seals the object and swaps its extents in.
static enum err merge_finish(struct merge *m, struct error *e)
{
    if (m->writer == NULL || m->swap_count == 0) {
        merge_forget(m);
        return ERR_OK;
    }
    merge_run_end(m);
    uint64_t object = 0;
    enum err err = keeper_lease(m->k, e);
    if (err == ERR_OK) {
        err = segment_writer_finish(m->writer, &object, e);
    }
    if (err != ERR_OK) {
        merge_forget(m);
        return err;
    }
    for (uint32_t i = 0; i < m->fresh_count; i++) {
        m->freshes[i].object = object;
    }
    keeper_count(m->k->merged_objects, 1);
    err = merge_swap_all(m, e);
    if (err == ERR_OK) {
        err = merge_join_all(m, e);
    }
    merge_forget(m);
    // After ERR_STOPPING a swap may yet be applied: the next start looks again.
    if (err == ERR_OK || err == ERR_STORAGE) {
        struct core *core = m->k->host.lock(m->k->host.arg);
        bool is_unused = core_object_extents(core, object) == 0;
        m->k->host.unlock(m->k->host.arg);
        if (is_unused) {
            keeper_object_drop(m->k, object);
        }
    }
    return err;
}

// ---- one partition

static enum err merge_extent(struct merge *m, const struct merge_partition *part, const struct extent *extent,
                             bool is_last, struct error *e)
{
    struct error why = {0};
    enum err err = merge_read(m, extent, &why);
    if (err == ERR_OK) {
        err = merge_verify(m, extent, &why);
    }
    if (err == ERR_STOPPING) {
        return FAIL(e, err, "%s", why.text);
    }
    if (err != ERR_OK) { // it stays; what follows is a new run and a new REPLACE
        if (err != ERR_NOT_FOUND || merge_plan_is_live(m->k, part, extent)) {
            keeper_extent_damage(m->k, extent, part, &why);
        }
        merge_run_end(m);
        m->is_swap_open = false;
        return ERR_OK;
    }
    if (m->writer == NULL) {
        err = segment_writer_create(m->k->engine, &m->writer, e);
    }
    if (err == ERR_OK) {
        err = merge_add(m, part, extent, is_last, e);
    }
    if (err == ERR_OK &&
        (segment_writer_bytes(m->writer) >= m->object_bytes_max || m->old_count >= MERGE_OLD_MAX)) {
        err = merge_finish(m, e);
    }
    return err;
}

static enum err merge_partition(struct merge *m, const struct merge_partition *part, struct error *e)
{
    struct extent extents[ITEM_REPLACE_EXTENTS_MAX];
    int64_t cursor_offset = part->from_offset;
    enum err err = ERR_OK;
    while (err == ERR_OK) {
        if (keeper_is_stopping(m->k)) {
            return FAIL(e, ERR_STOPPING, "keeper: stopping");
        }
        keeper_breathe(m->k);
        uint32_t count = merge_plan_take(m->k, part, &cursor_offset, extents, ITEM_REPLACE_EXTENTS_MAX);
        if (count == 0) {
            break;
        }
        if (count == 1 && (extents[0].flags & EXTENT_FINAL) != 0 && !m->is_in_run) {
            continue; // nothing to merge it with
        }
        for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
            err = merge_extent(m, part, &extents[i], i + 1 == count, e);
        }
        m->is_swap_open = false;
    }
    if (m->writer != NULL) {
        merge_run_end(m);
    }
    return err;
}

// ---- the whole

bool keeper_merge_is_due(const struct keeper *k, uint64_t unmerged_bytes, uint64_t unmerged_extents,
                         const struct engine_status *status)
{
    int64_t now_ns = clock_mono_ns(k->env->clock);
    bool is_old =
        k->unmerged_since_ns != 0 && now_ns - k->unmerged_since_ns >= k->options.merge_age_ms * MS_NS;
    return unmerged_bytes > 0 &&
           (unmerged_bytes >= (uint64_t)k->options.merge_wal_bytes ||
            unmerged_extents >= k->options.merge_extents_max || is_old || status->is_disk_full);
}

// With the disk full the reserve pays for the new object: cut it small, so that what it frees comes first.
static uint64_t merge_object_bytes(const struct keeper *k, const struct engine_status *status)
{
    int64_t bytes = k->options.object_bytes_max;
    if (status->is_disk_full && status->free_bytes / 4 < bytes) {
        bytes = status->free_bytes / 4;
        bytes = bytes < MERGE_OBJECT_BYTES_MIN ? MERGE_OBJECT_BYTES_MIN : bytes;
    }
    return (uint64_t)(bytes < (1LL << 31) ? bytes : (1LL << 31)); // extents have 32-bit lengths
}

static enum err merge_plan_run(struct merge *m, const struct merge_plan *plan, struct error *e)
{
    uint64_t own_bytes = (uint64_t)m->k->options.merge_own_bytes;
    enum err err = ERR_OK;
    for (size_t i = 0; i < plan->count && err == ERR_OK; i++) {
        if (plan->partitions[i].unmerged_bytes >= own_bytes) {
            err = merge_partition(m, &plan->partitions[i], e);
            err = err == ERR_OK ? merge_finish(m, e) : err;
        }
    }
    for (size_t i = 0; i < plan->count && err == ERR_OK; i++) {
        if (plan->partitions[i].unmerged_bytes < own_bytes) {
            err = merge_partition(m, &plan->partitions[i], e);
        }
    }
    return err == ERR_OK ? merge_finish(m, e) : err;
}

enum err keeper_merge(struct keeper *k, struct error *e)
{
    struct merge_plan plan;
    enum err err = merge_plan_survey(k, &plan, e);
    if (err != ERR_OK) {
        return err;
    }
    k->is_surveyed = true;
    struct engine_status status;
    engine_status(k->engine, &status);
    if (plan.unmerged_bytes == 0) {
        k->unmerged_since_ns = 0;
    }
    if (!keeper_merge_is_due(k, plan.unmerged_bytes, plan.unmerged_extents, &status)) {
        merge_plan_fini(&plan);
        return ERR_OK;
    }
    int64_t started_ns = keeper_mono_ns(k);
    struct merge m = {.k = k, .object_bytes_max = merge_object_bytes(k, &status)};
    buf_init(&m.bytes, UINT32_MAX);
    err = merge_plan_run(&m, &plan, e);
    merge_forget(&m);
    merge_unpin(&m);
    buf_fini(&m.bytes);
    mem_free(m.olds);
    mem_free(m.freshes);
    mem_free(m.fresh_runs);
    mem_free(m.swaps);
    if (err == ERR_OK && m.replaced == 0) {
        err = FAIL(e, ERR_STALE, "nothing could be merged");
    }
    if (err == ERR_OK) { // what is unmerged now came after the survey
        k->unmerged_since_ns = atomic_load(&k->unmerged) > 0 ? started_ns : 0;
        k->unmerged_extents = 0;
    }
    trace(k->tracer, TRACE_DEBUG, "merged %llu of %llu extents, %llu bytes, of %zu partitions",
          (unsigned long long)m.replaced, (unsigned long long)plan.unmerged_extents,
          (unsigned long long)plan.unmerged_bytes, plan.count);
    merge_plan_fini(&plan);
    return err;
}
