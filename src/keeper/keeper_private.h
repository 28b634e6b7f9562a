// SPDX-License-Identifier: Apache-2.0
// keeper_private.h - the keeper's insides, shared by its files only.
#ifndef KEEPER_KEEPER_PRIVATE_H
#define KEEPER_KEEPER_PRIVATE_H

#include "keeper/keeper.h"

#include <stdatomic.h>

enum {
    SLICE_SLOTS = 128,          // partitions looked at in one locked slice
    SLICE_EXTENTS = 4096,       // or extents, whichever comes first
    SUBMIT_EXTENTS_MAX = 4096,  // extents named by the items of one submission: bounds a bundle's metadata
    DAMAGED_EXTENTS_MAX = 4096, // remembered rotten extents
    LEASE_MS = 30000,           // shared engines: one keeper at a time
    BACKOFF_MS_MIN = 1000,      // after a failure, doubling
    BACKOFF_MS_MAX = 60000,
    SCAN_MS_MIN = 1000,      // between two retention scans that pokes asked for
    WAKE_MS_MIN = 100,       // under load appends wake the keeper no more often
    BREATH_MS = 50,          // between two calls of engine_maintain during long work, at most
    TICK_MS_MIN = 20,        // between ticks while one alone does not do
    MERGE_OLD_MAX = 1 << 16, // extents replaced by one object: bounds the memory of a merge
    MERGE_OBJECT_BYTES_MIN = 4 << 20,
    WALL_AHEAD_MS = 60000,      // ask the engine for the time when the wall clock is so far ahead
    DISK_FULL_RETRY_MS = 10000, // merge and snapshot whatever there is, so often, while the disk is full
    OVERFULL_EXTENTS_MAX = 64,
    SNAPSHOT_PART_BYTES = 1 << 18,
};
#define KEEPER_NEVER INT64_MAX
#define MS_NS        1000000LL

// A place whose bytes do not check out: merge leaves the extent where it is.
struct damaged_extent {
    uint64_t object;
    int64_t position;
};

// One kind of work: after a failure it is left alone for a while that doubles.
struct keeper_work {
    int64_t retry_ns; // not before this (monotonic)
    int64_t backoff_ms;
};

struct keeper {
    struct env *env;
    struct engine *engine;
    struct segment_cache *segments;
    struct keeper_host host;
    struct keeper_options options;
    struct tracer *tracer;

    struct mutex mutex; // short; ranks below the host's lock; never held across a blocking verb
    struct cond cond;
    struct thread *thread;
    bool is_poked;
    bool is_busy; // a round or a snapshot is under way on some thread
    uint64_t *dead;
    size_t dead_count;
    size_t dead_cap;

    atomic_bool is_stopping;
    atomic_bool has_changed;      // config, topics: limits may be exceeded now
    atomic_bool has_changed_too;  // likewise, for compaction
    atomic_uint_fast64_t ordered; // bytes, ever
    atomic_uint_fast64_t wake_at; // of `ordered`: then wake the thread
    atomic_int_fast64_t unmerged; // bytes, estimated between surveys

    // Below: owned by whoever is busy.
    int64_t anchor_ms; // core time, seen at anchor_ns
    int64_t anchor_ns;
    bool is_time_asked;
    uint64_t lsn;        // of the core, last seen
    int64_t deadline_ms; // of the core, in its time
    int64_t maintain_ns; // when engine_maintain wants to be called
    int64_t maintained_ns;
    struct keeper_work tick;
    struct keeper_work retention;
    struct keeper_work expiry;
    struct keeper_work merge;
    struct keeper_work compact;
    struct keeper_work snapshot;
    uint64_t stepped_at;    // `ordered` at the end of the last round
    uint64_t retained_at;   // `ordered` at the last retention scan
    int64_t retained_ns;    // when that was
    int64_t retain_next_ns; // when more will have expired
    uint32_t group_count;   // in the core, last seen
    int64_t expired_ns;     // when offsets were last looked at
    bool is_surveyed;
    int64_t unmerged_since_ns;  // 0 = nothing unmerged
    int64_t uncovered_since_ns; // bundles that no snapshot covers; 0 = none
    uint64_t unmerged_extents;
    uint64_t extents_at;            // `ordered` at the survey that counted them
    struct damaged_extent *damaged; // by (object, position)
    uint32_t damaged_count;
    struct damaged_extent overfull[OVERFULL_EXTENTS_MAX]; // first batches with too many keys to compact
    uint32_t overfull_count;
    uint64_t compacted_at;   // `ordered` at the last look for what to compact
    int64_t compacted_ns;    // when that was; 0 = never
    int64_t compact_next_ns; // when more will be due
    bool is_compacting;
    uint32_t snapshot_step; // core objects per slice

    struct metric *merged_bytes;
    struct metric *merged_objects;
    struct metric *merged_stale;
    struct metric *damaged_extents;
    struct metric *snapshots;
    struct metric *trims;
    struct metric *expired_offsets;
    struct metric *dropped;
    struct metric *unmerged_gauge;
    struct metric *compactions;
    struct metric *compacted_bytes;
    struct metric *compact_recopy;
    struct metric *compact_buffer_used;
    struct metric *compact_time;
    struct metric *compact_dirtiest;
    struct metric *compact_stuck;
};

// ---- keeper.c
// keeper_submit orders items through the host. An error concerns all of them and nothing may be assumed of
// any; otherwise each has its outcome.
enum err keeper_submit(struct keeper *k, const struct item *items, uint32_t count,
                       struct outcome *ret_outcomes, struct error *e);
bool keeper_is_stopping(const struct keeper *k);
int64_t keeper_mono_ns(struct keeper *k);
// keeper_now_ms: time for expiry, by what the core has seen and the monotonic clock since.
int64_t keeper_now_ms(struct keeper *k);
// keeper_observe_locked takes the core's time; the host's lock is held.
void keeper_observe_locked(struct keeper *k, const struct core *core);
void keeper_count(struct metric *metric, int64_t delta); // metric may be NULL
void keeper_max(struct metric *metric, int64_t value);   // likewise; raises a gauge
// keeper_yield does what else is due, in the midst of a compaction that has no object open.
void keeper_yield(struct keeper *k);
// keeper_breathe is called in the midst of long work: the engine's own upkeep cannot wait for its end.
void keeper_breathe(struct keeper *k);
// keeper_lease renews the right to change things; ERR_STALE: another broker's keeper has it.
enum err keeper_lease(struct keeper *k, struct error *e);
enum err keeper_tick(struct keeper *k, struct error *e);
// keeper_plan_next finds when to run again, and sets how much may be ordered before that.
int64_t keeper_plan_next(struct keeper *k);

// ---- merge_plan.c: what to merge, read under the lock in slices

struct merge_partition {
    struct uuid topic_id;
    int32_t partition;
    uint32_t slot;
    uint64_t unmerged_bytes;
    uint32_t unmerged_extents;
    int64_t from_offset;  // of the first extent to take
    int64_t until_offset; // extents from here on came after the survey
    bool with_small;      // take small merged extents from from_offset on too
};
struct merge_plan {
    struct merge_partition *partitions; // by (topic id, partition)
    size_t count;
    size_t cap;
    uint64_t unmerged_bytes;
    uint64_t unmerged_extents;
};
enum err merge_plan_survey(struct keeper *k, struct merge_plan *ret, struct error *e);
void merge_plan_fini(struct merge_plan *plan);
// merge_plan_take copies the next extents, contiguous in offsets, at most max; *cursor_offset moves behind
// what was looked at. 0 = no more.
uint32_t merge_plan_take(struct keeper *k, const struct merge_partition *part, int64_t *cursor_offset,
                         struct extent *ret_extents, uint32_t max);
// merge_plan_is_live: the state still has this extent.
bool merge_plan_is_live(struct keeper *k, const struct merge_partition *part, const struct extent *extent);

// ---- merge.c
// keeper_merge surveys, and merges if it is due. ERR_STALE: it was, but nothing could be replaced.
enum err keeper_merge(struct keeper *k, struct error *e);
bool keeper_merge_is_due(const struct keeper *k, uint64_t unmerged_bytes, uint64_t unmerged_extents,
                         const struct engine_status *status);
bool keeper_extent_is_damaged(const struct keeper *k, const struct extent *extent);
void keeper_extent_damage(struct keeper *k, const struct extent *extent, const struct merge_partition *part,
                          const struct error *why);

// ---- compact.c
// keeper_compact finds what is due for compaction, and compacts a bounded part of it; *ret_next_ms: when more
// will be due by itself, in expiry time (INT64_MAX: never).
enum err keeper_compact(struct keeper *k, int64_t *ret_next_ms, struct error *e);

// ---- retention.c
// keeper_retain trims what has expired; *ret_next_ms: when more will have, in expiry time (INT64_MAX: never).
enum err keeper_retain(struct keeper *k, int64_t *ret_next_ms, struct error *e);

// ---- expiry.c
// keeper_expire_offsets deletes offsets whose time is up, and groups of which nothing is left.
enum err keeper_expire_offsets(struct keeper *k, struct error *e);

// ---- snapshot.c
enum err keeper_snapshot(struct keeper *k, struct error *e);

// ---- objects.c
enum err keeper_drop_dead(struct keeper *k, struct error *e);
// keeper_drop_unused walks all objects; merged ones too with `with_merged`, which is right only when no merge
// has an object in flight.
enum err keeper_drop_unused(struct keeper *k, bool with_merged, struct error *e);
void keeper_object_drop(struct keeper *k, uint64_t object);

#endif
