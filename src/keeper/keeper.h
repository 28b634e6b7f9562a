// SPDX-License-Identifier: Apache-2.0
// keeper.h - background upkeep on one thread: merges WAL extents into objects, retention, expiry of
// offsets, snapshots, WAL recycling, ticks. It changes the state only by submitting items; it reads it under
// the host's lock in slices of <= 200 us. Idle, it sleeps until the next deadline.
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "core/core.h"
#include "engine/engine.h"
#include "keeper/segment.h"
#include "runtime/log.h"
#include "runtime/metrics.h"

struct keeper;

// What the broker lends its keeper.
struct keeper_host {
    void *arg;
    struct core *(*lock)(void *arg); // the broker's one lock, for a slice
    void (*unlock)(void *arg);
    // submit orders one control item and waits until it is applied. ERR_STOPPING, ERR_STORAGE, ERR_READ_ONLY.
    enum err (*submit)(void *arg, const struct item *item, struct outcome *ret_outcome, struct error *e);
    // submit_all likewise orders up to KEEPER_SUBMIT_ITEMS_MAX items, together if possible, and waits for
    // all: a merge changes thousands of partitions and must not pay one sync for each. Only what concerns all
    // of them is returned; ret_outcomes has the rest. May be NULL: then submit is called for each.
    enum err (*submit_all)(void *arg, const struct item *items, uint32_t count, struct outcome *ret_outcomes,
                           struct error *e);
};
enum {
    KEEPER_SUBMIT_ITEMS_MAX = 256,
    KEEPER_EXTENT_BYTES = 512, // of ordered bytes are taken for an extent, between surveys
};

struct keeper_options {
    int64_t merge_wal_bytes;    // merge when this much lies unmerged in the WAL; default 128 MiB
    uint32_t merge_extents_max; // or this many unmerged extents; default 65536
    int64_t merge_age_ms;       // or the oldest is this old; default 10 min
    int64_t merge_own_bytes;    // a partition with this much pending gets an object of its own; default 4 MiB
    uint32_t
        merge_small_max; // rewrite a partition's small merged extents together above this many; default 16
    int64_t object_bytes_max;     // cut objects at about this size; default 256 MiB
    int64_t snapshot_wal_bytes;   // snapshot when this much WAL was written since the last; default 64 MiB
    int64_t snapshot_age_ms;      // or this long after the first bundle since; default 10 min
    int64_t retention_check_ms;   // log.retention.check.interval.ms; default 5 min
    int64_t offsets_retention_ms; // offsets.retention.minutes; default 7 days
    int64_t compact_map_bytes;    // log.cleaner.dedupe.buffer.size; default 128 MiB
    int64_t compact_check_ms;     // log.cleaner.backoff.ms; default 15 s
    int64_t offsets_check_ms;     // offsets.retention.check.interval.ms; default 10 min
};
void keeper_options_init(struct keeper_options *ret_options);

struct keeper *keeper_create(struct env *env, struct engine *engine, struct segment_cache *segments,
                             const struct keeper_host *host, const struct keeper_options *options,
                             struct tracer *tracer, struct metrics *metrics);
void keeper_start(struct keeper *k);
void keeper_stop(struct keeper *k); // waits for the thread; abandons a merge in progress cleanly
void keeper_destroy(struct keeper *take_keeper);

// keeper_poke says that something changed: bytes were ordered, a config or topic changed, objects died. Any
// thread, cheap, never blocks; the host's lock may be held.
void keeper_poke(struct keeper *k, uint64_t ordered_bytes);
void keeper_objects_dead(struct keeper *k, const uint64_t *objects, uint32_t count);
// keeper_is_behind: unmerged data is over twice the budget; produce should be delayed.
bool keeper_is_behind(const struct keeper *k);

// One full round now, on the caller's thread (tests, simulator, start-up after replay: drops orphaned
// objects). *ret_next_ns: when it wants to run again (monotonic).
enum err keeper_round(struct keeper *k, int64_t *ret_next_ns, struct error *e);
// keeper_after_recovery drops objects that nothing refers to; never called when the engine is read-only.
enum err keeper_after_recovery(struct keeper *k, struct error *e);
enum err keeper_snapshot_now(struct keeper *k, struct error *e);
// keeper_retain applies retention to one partition now, given its settings: decides the new log start (pure;
// tests).
int64_t keeper_retention_start(const struct partition *p, const struct topic_settings *settings,
                               int64_t now_ms);

#endif
