// SPDX-License-Identifier: Apache-2.0
// extents.c - where a partition's records lie, which objects are in use, and REPLACE. A partition's extents
// are adjacent in offsets, end at the high watermark, and the first one ends above the log start.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

enum { EXTENTS_CAP_MIN = 4 };

// ---- objects in use

static struct object_ref *object_find(const struct core *core, uint64_t object)
{
    uint64_t hash = hash_mix(object, 4);
    for (struct map_node *n = map_first(&core->objects, hash); n != NULL; n = map_next(n)) {
        struct object_ref *ref = MAP_ENTRY(n, struct object_ref, by_object);
        if (ref->object == object) {
            return ref;
        }
    }
    return NULL;
}

// Object 0 is none: a marker lies nowhere.
static void object_take(struct core *core, uint64_t object)
{
    if (object == 0) {
        return;
    }
    struct object_ref *ref = object_find(core, object);
    if (ref == NULL) {
        ref = mem_zalloc(sizeof *ref);
        ref->object = object;
        map_insert(&core->objects, &ref->by_object, hash_mix(object, 4));
    }
    ref->extents++;
}

static void object_give(struct core *core, uint64_t object, struct core_facts *facts)
{
    if (object == 0) {
        return;
    }
    struct object_ref *ref = object_find(core, object);
    ASSERT(ref != NULL && ref->extents > 0);
    if (--ref->extents == 0) {
        map_remove(&core->objects, &ref->by_object);
        mem_free(ref);
        facts_object_add(facts, object);
    }
}

void core_objects_fini(struct core *core)
{
    struct map_node *n;
    while ((n = map_pop(&core->objects)) != NULL) {
        mem_free(MAP_ENTRY(n, struct object_ref, by_object));
    }
    map_fini(&core->objects);
}

uint64_t core_object_extents(const struct core *core, uint64_t object)
{
    const struct object_ref *ref = object_find(core, object);
    return ref == NULL ? 0 : ref->extents;
}

uint64_t core_object_max(const struct core *core)
{
    return core->object_max;
}

// ---- the vector

static void extents_count(struct partition *p, const struct extent *extent)
{
    p->bytes += extent->length;
    p->unmerged_bytes += (extent->flags & EXTENT_FINAL) != 0 ? 0 : extent->length;
}

static void extents_uncount(struct partition *p, const struct extent *extent)
{
    p->bytes -= extent->length;
    p->unmerged_bytes -= (extent->flags & EXTENT_FINAL) != 0 ? 0 : extent->length;
}

// extents_fit makes the vector start at its first live extent and hold `count`, not much more.
static void extents_fit(struct core *core, struct partition *p, uint32_t count)
{
    if (p->extent_first > 0) {
        memmove(p->extents, p->extents + p->extent_first, p->extent_count * sizeof *p->extents);
        p->extent_first = 0;
    }
    uint32_t cap = p->extent_cap;
    if (count > cap) {
        cap = count > cap + cap / 2 ? count : cap + cap / 2;
        cap = cap < EXTENTS_CAP_MIN ? EXTENTS_CAP_MIN : cap;
    } else if (count < cap / 4 || count == 0) {
        cap = count;
    }
    if (cap == p->extent_cap) {
        return;
    }
    core->extent_cap_total += cap;
    core->extent_cap_total -= p->extent_cap;
    p->extent_cap = cap;
    if (cap == 0) {
        mem_free(p->extents);
        p->extents = NULL;
        return;
    }
    p->extents = mem_realloc(p->extents, cap * sizeof *p->extents);
}

void extents_append(struct core *core, struct partition *p, const struct extent *extent)
{
    if (p->extent_first + p->extent_count == p->extent_cap) {
        // Moving down in place pays off only when much was trimmed; else it would happen at every append.
        bool is_roomy = p->extent_first > p->extent_cap / 2;
        extents_fit(core, p, is_roomy ? p->extent_count + 1 : p->extent_cap + 1);
    }
    p->extents[p->extent_first + p->extent_count++] = *extent;
    extents_count(p, extent);
    object_take(core, extent->object);
}

void extents_drop_front(struct core *core, struct partition *p, uint32_t count, struct core_facts *facts)
{
    ASSERT(count <= p->extent_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct extent *extent = &p->extents[p->extent_first + i];
        extents_uncount(p, extent);
        object_give(core, extent->object, facts);
    }
    p->extent_first += count;
    p->extent_count -= count;
    if (p->extent_count < p->extent_cap / 4 || p->extent_count == 0) {
        extents_fit(core, p, p->extent_count);
    }
}

struct extent *extent_last(struct partition *p)
{
    return p->extent_count == 0 ? NULL : &p->extents[p->extent_first + p->extent_count - 1];
}

uint32_t partition_extent_count(const struct partition *p)
{
    return p->extent_count;
}

const struct extent *partition_extent(const struct partition *p, uint32_t index)
{
    ASSERT(index < p->extent_count);
    return &p->extents[p->extent_first + index];
}

uint32_t partition_extent_search(const struct partition *p, int64_t offset)
{
    uint32_t low = 0;
    uint32_t high = p->extent_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->extents[p->extent_first + middle].end_offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// ---- REPLACE

static bool extent_is(const struct extent *live, const struct extent *named)
{
    return live->object == named->object && live->position == named->position &&
           live->base_offset == named->base_offset && live->end_offset == named->end_offset;
}

// run_is_sound: adjacent, non-empty ranges.
static bool run_is_sound(const struct extent *run, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool is_adjacent = i == 0 || run[i - 1].end_offset == run[i].base_offset;
        if (run[i].base_offset < 0 || run[i].base_offset >= run[i].end_offset || run[i].position < 0 ||
            !is_adjacent) {
            return false;
        }
    }
    return count > 0;
}

// A planned exchange after trimming was taken into account: `count` live extents from `first` on give way to
// `fresh_count` fresh ones.
struct exchange {
    uint32_t first;
    uint32_t count;
    const struct extent *fresh;
    uint32_t fresh_count;
};

// exchange_plan compares the plan with what is there. ERR_STALE: something else happened than trimming.
static enum err exchange_plan(const struct partition *p, const struct item_replace *item,
                              struct exchange *ret)
{
    const struct extent *old = item->old_extents;
    uint32_t old_count = item->old_count;
    while (old_count > 0 && old->end_offset <= p->log_start) {
        old++;
        old_count--;
    }
    if (old_count == 0) {
        return ERR_STALE;
    }
    const struct extent *fresh = item->fresh_extents;
    uint32_t fresh_count = item->fresh_count;
    while (fresh_count > 0 && fresh->end_offset <= p->log_start) {
        fresh++;
        fresh_count--;
    }
    uint32_t first = partition_extent_search(p, old->base_offset);
    if (plant_is(PLANT_REPLACE_RACES_TRIM)) {
        uint32_t there = p->extent_count - first;
        *ret = (struct exchange){first, there < item->old_count ? there : item->old_count,
                                 item->fresh_extents, item->fresh_count};
        return ERR_OK;
    }
    if (old_count > p->extent_count - first) {
        return ERR_STALE;
    }
    for (uint32_t i = 0; i < old_count; i++) {
        if (!extent_is(partition_extent(p, first + i), &old[i])) {
            return ERR_STALE;
        }
    }
    *ret = (struct exchange){first, old_count, fresh, fresh_count};
    return ERR_OK;
}

static void exchange_do(struct apply *a, struct partition *p, const struct exchange *x)
{
    struct core *core = a->core;
    // Taken first, so that an object in both sets does not look dead in between.
    for (uint32_t i = 0; i < x->fresh_count; i++) {
        object_take(core, x->fresh[i].object);
        extents_count(p, &x->fresh[i]);
    }
    for (uint32_t i = 0; i < x->count; i++) {
        const struct extent *gone = partition_extent(p, x->first + i);
        extents_uncount(p, gone);
        object_give(core, gone->object, a->facts);
    }
    uint32_t after = p->extent_count - x->first - x->count;
    uint32_t count = x->first + x->fresh_count + after;
    extents_fit(core, p, count > p->extent_count ? count : p->extent_count);
    struct extent *at = p->extents + x->first;
    memmove(at + x->fresh_count, at + x->count, after * sizeof *at);
    memcpy(at, x->fresh, x->fresh_count * sizeof *at);
    p->extent_count = count;
    extents_fit(core, p, count);
}

// extents_clean_end: below it nothing of an aborted transaction is left. Compaction never passes the last
// stable offset, so a transaction whose marker lies in the compacted prefix has all its records there.
static int64_t extents_clean_end(const struct partition *p)
{
    int64_t end = 0;
    for (uint32_t i = 0; i < p->extent_count; i++) {
        const struct extent *extent = partition_extent(p, i);
        if ((extent->flags & EXTENT_CLEAN) == 0) {
            break;
        }
        end = extent->end_offset;
    }
    return end;
}

enum err replace_apply(struct apply *a, const struct item_replace *item)
{
    struct core *core = a->core;
    for (uint32_t i = 0; i < item->fresh_count; i++) {
        uint64_t object = item->fresh_extents[i].object;
        core->object_max = object > core->object_max ? object : core->object_max;
    }
    struct partition *p;
    enum err err = partition_get(core, item->topic_id, item->partition, &p);
    if (err != ERR_OK) {
        return err;
    }
    bool is_sound = run_is_sound(item->old_extents, item->old_count) &&
                    run_is_sound(item->fresh_extents, item->fresh_count) &&
                    item->old_extents[0].base_offset == item->fresh_extents[0].base_offset &&
                    item->old_extents[item->old_count - 1].end_offset ==
                        item->fresh_extents[item->fresh_count - 1].end_offset;
    if (!is_sound) {
        return ERR_INVALID_REQUEST;
    }
    struct exchange exchange;
    err = exchange_plan(p, item, &exchange);
    if (err != ERR_OK) {
        return err;
    }
    partition_touch(core, p);
    p->append_lsn = 0; // later batches of this bundle do not grow an extent that came by REPLACE
    exchange_do(a, p, &exchange);
    if ((item->fresh_extents[0].flags & EXTENT_CLEAN) != 0) {
        partition_aborted_trim(p, extents_clean_end(p));
    }
    return ERR_OK;
}
