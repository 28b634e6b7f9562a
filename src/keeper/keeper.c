// SPDX-License-Identifier: Apache-2.0
// keeper.c - the keeper's thread: what is due now, and when to look again.
//
// Each kind of work has a planned time, computed anew in every round from the state; a failure delays that
// kind alone. Idle, the thread waits for the earliest planned time or for the first append, whichever comes
// first; under load appends wake it only when they cross the next threshold.
#include "keeper/keeper_private.h"

#include "base/assert.h"
#include "base/mem.h"

void keeper_options_init(struct keeper_options *ret_options)
{
    *ret_options = (struct keeper_options){
        .merge_wal_bytes = 128 << 20,
        .merge_extents_max = 65536,
        .merge_age_ms = 600000,
        .merge_own_bytes = 4 << 20,
        .merge_small_max = 16,
        .object_bytes_max = 256 << 20,
        .snapshot_wal_bytes = 64 << 20,
        .snapshot_age_ms = 600000,
        .retention_check_ms = 300000,
        .offsets_retention_ms = 7LL * 86400 * 1000,
        .offsets_check_ms = 600000,
        .compact_map_bytes = 128 << 20,
        .compact_check_ms = 15000,
    };
}

static void keeper_register_metrics(struct keeper *k, struct metrics *m)
{
    k->merged_bytes =
        metrics_counter(m, "strom_keeper_merged_bytes_total", NULL, "Bytes moved from the log to objects");
    k->merged_objects = metrics_counter(m, "strom_keeper_objects_total", NULL, "Merged objects written");
    k->merged_stale =
        metrics_counter(m, "strom_keeper_stale_total", NULL, "Merges of a partition that the state outran");
    k->damaged_extents = metrics_counter(m, "strom_keeper_damaged_extents_total", NULL,
                                         "Runs of stored records whose checksums do not match");
    k->snapshots = metrics_counter(m, "strom_keeper_snapshots_total", NULL, "Snapshots of the state written");
    k->expired_offsets = metrics_counter(m, "kafka_server_group_coordinator_metrics_offset_expiration_count",
                                         NULL, "Committed offsets whose retention was over");
    k->trims = metrics_counter(m, "strom_keeper_trims_total", NULL, "Times that retention moved a log start");
    k->dropped = metrics_counter(m, "strom_keeper_dropped_objects_total", NULL, "Objects given back");
    k->compactions = metrics_counter(m, "strom_keeper_compactions_total", NULL,
                                     "Rounds of the keeper in which partitions were compacted");
    k->compacted_bytes =
        metrics_counter(m, "strom_keeper_compacted_bytes_total", NULL, "Bytes that compactions have read");
    k->compact_recopy = metrics_gauge(m, "kafka_log_logcleaner_cleaner_recopy_percent", NULL,
                                      "Of the bytes that the last compaction read, how many it wrote");
    k->compact_buffer_used = metrics_gauge(m, "kafka_log_logcleaner_max_buffer_utilization_percent", NULL,
                                           "The fullest that the map of keys has been");
    k->compact_time = metrics_gauge(m, "kafka_log_logcleaner_max_clean_time_secs", NULL,
                                    "The longest that a compaction has taken");
    k->compact_dirtiest = metrics_gauge(m, "kafka_log_logcleanermanager_max_dirty_percent", NULL,
                                        "The largest share of uncompacted bytes that any partition had");
    k->compact_stuck = metrics_gauge(m, "kafka_log_logcleanermanager_uncleanable_partitions_count", NULL,
                                     "Partitions that cannot be compacted past a certain record");
    k->unmerged_gauge =
        metrics_gauge(m, "strom_keeper_unmerged_bytes", NULL,
                      "Bytes in the log that were not merged yet when the keeper last looked");
}

struct keeper *keeper_create(struct env *env, struct engine *engine, struct segment_cache *segments,
                             const struct keeper_host *host, const struct keeper_options *options,
                             struct tracer *tracer, struct metrics *metrics)
{
    struct keeper *k = mem_zalloc(sizeof *k);
    k->env = env;
    k->engine = engine;
    k->segments = segments;
    k->host = *host;
    k->options = *options;
    k->tracer = tracer;
    mutex_init(&k->mutex, env->threads);
    cond_init(&k->cond, env->threads);
    atomic_init(&k->wake_at, 1);
    k->snapshot_step = 64;
    k->deadline_ms = INT64_MAX;
    if (metrics != NULL) {
        keeper_register_metrics(k, metrics);
    }
    return k;
}

void keeper_destroy(struct keeper *take_keeper)
{
    struct keeper *k = take_keeper;
    if (k == NULL) {
        return;
    }
    ASSERT(k->thread == NULL && !k->is_busy);
    mutex_fini(&k->mutex);
    cond_fini(&k->cond);
    mem_free(k->dead);
    mem_free(k->damaged);
    mem_free(k);
}

// ---- small things that all files use

bool keeper_is_stopping(const struct keeper *k)
{
    return atomic_load_explicit(&k->is_stopping, memory_order_acquire);
}

int64_t keeper_mono_ns(struct keeper *k)
{
    return clock_mono_ns(k->env->clock);
}

void keeper_count(struct metric *metric, int64_t delta)
{
    if (metric != NULL && delta != 0) {
        metric_add(metric, delta);
    }
}

void keeper_max(struct metric *metric, int64_t value)
{
    if (metric != NULL && value > metric_value(metric)) {
        metric_set(metric, value);
    }
}

int64_t keeper_now_ms(struct keeper *k)
{
    return k->anchor_ms + (keeper_mono_ns(k) - k->anchor_ns) / MS_NS;
}

// A bundle's time is never ahead of the monotonic clock's pace. Seen late it lags, so it moves the anchor
// only forward.
void keeper_observe_locked(struct keeper *k, const struct core *core)
{
    int64_t time_ms = core_time_ms(core);
    if (k->anchor_ns == 0 || time_ms > keeper_now_ms(k)) {
        k->anchor_ms = time_ms;
        k->anchor_ns = keeper_mono_ns(k);
    }
    k->lsn = core_lsn(core);
    k->deadline_ms = core_next_deadline_ms(core);
    k->group_count = core_group_count(core);
}

static void keeper_observe(struct keeper *k)
{
    const struct core *core = k->host.lock(k->host.arg);
    keeper_observe_locked(k, core);
    k->host.unlock(k->host.arg);
}

enum err keeper_lease(struct keeper *k, struct error *e)
{
    return engine_lease(k->engine, STR("keeper"), LEASE_MS, e);
}

// Errors that say nothing about the one item: the engine did not take it.
static bool keeper_err_is_general(enum err err)
{
    return err == ERR_STOPPING || err == ERR_STORAGE || err == ERR_READ_ONLY || err == ERR_NO_SPACE ||
           err == ERR_IO || err == ERR_TIMED_OUT || err == ERR_BUSY || err == ERR_NO_MEMORY;
}

enum err keeper_submit(struct keeper *k, const struct item *items, uint32_t count,
                       struct outcome *ret_outcomes, struct error *e)
{
    ASSERT(count <= KEEPER_SUBMIT_ITEMS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        ret_outcomes[i] = (struct outcome){.err = ERR_OK};
    }
    if (k->host.submit_all != NULL) {
        enum err err = k->host.submit_all(k->host.arg, items, count, ret_outcomes, e);
        for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
            if (keeper_err_is_general(ret_outcomes[i].err)) {
                err = FAIL(e, ret_outcomes[i].err, "%s: %s", item_kind_name(items[i].kind),
                           err_text(ret_outcomes[i].err));
            }
        }
        return err;
    }
    for (uint32_t i = 0; i < count; i++) {
        enum err err = k->host.submit(k->host.arg, &items[i], &ret_outcomes[i], e);
        if (keeper_err_is_general(err)) {
            return err;
        }
        ret_outcomes[i].err = err != ERR_OK ? err : ret_outcomes[i].err;
    }
    return ERR_OK;
}

enum err keeper_tick(struct keeper *k, struct error *e)
{
    struct item item = {.kind = ITEM_TICK, .version = 1};
    struct outcome outcome;
    enum err err = keeper_submit(k, &item, 1, &outcome, e);
    if (err == ERR_OK) {
        keeper_observe(k);
    }
    return err;
}

// ---- what other threads say

static void keeper_wake(struct keeper *k)
{
    mutex_lock(&k->mutex);
    k->is_poked = true;
    cond_broadcast(&k->cond);
    mutex_unlock(&k->mutex);
}

void keeper_poke(struct keeper *k, uint64_t ordered_bytes)
{
    if (ordered_bytes == 0) {
        atomic_store(&k->has_changed, true);
        atomic_store(&k->has_changed_too, true);
        keeper_wake(k);
        return;
    }
    atomic_fetch_add(&k->unmerged, (int64_t)ordered_bytes);
    uint64_t ordered = atomic_fetch_add(&k->ordered, ordered_bytes) + ordered_bytes;
    uint64_t wake_at = atomic_load(&k->wake_at);
    if (ordered >= wake_at && atomic_compare_exchange_strong(&k->wake_at, &wake_at, UINT64_MAX)) {
        keeper_wake(k);
    }
}

void keeper_objects_dead(struct keeper *k, const uint64_t *objects, uint32_t count)
{
    if (count == 0) {
        return;
    }
    mutex_lock(&k->mutex);
    if (k->dead_count + count > k->dead_cap) {
        k->dead_cap = (k->dead_count + count) * 2;
        k->dead = mem_realloc(k->dead, k->dead_cap * sizeof *k->dead);
    }
    memcpy(k->dead + k->dead_count, objects, count * sizeof *objects);
    k->dead_count += count;
    k->is_poked = true;
    cond_broadcast(&k->cond);
    mutex_unlock(&k->mutex);
}

bool keeper_is_behind(const struct keeper *k)
{
    return atomic_load_explicit(&k->unmerged, memory_order_relaxed) > 2 * k->options.merge_wal_bytes;
}

// ---- one round

static void keeper_maintain(struct keeper *k)
{
    struct error error = {0};
    int64_t next_ns = KEEPER_NEVER;
    k->maintained_ns = keeper_mono_ns(k);
    if (engine_maintain(k->engine, &next_ns, &error) != ERR_OK) {
        if (error.code != ERR_STOPPING) {
            trace(k->tracer, TRACE_WARN, "upkeep of the log failed, will try again: %s", error.text);
        }
        next_ns = keeper_mono_ns(k) + BACKOFF_MS_MIN * MS_NS;
    }
    k->maintain_ns = next_ns;
}

void keeper_breathe(struct keeper *k)
{
    int64_t now_ns = keeper_mono_ns(k);
    if (now_ns >= k->maintain_ns || now_ns - k->maintained_ns >= BREATH_MS * MS_NS) {
        keeper_maintain(k);
    }
}

// keeper_settle books how one kind of work went. The first real error of a round is kept for its caller.
static void keeper_settle(struct keeper *k, struct keeper_work *work, const char *name, enum err err,
                          const struct error *why, struct error *first)
{
    if (err == ERR_OK) {
        *work = (struct keeper_work){0};
        return;
    }
    work->backoff_ms = work->backoff_ms == 0 ? BACKOFF_MS_MIN : work->backoff_ms * 2;
    if (work->backoff_ms > BACKOFF_MS_MAX) {
        work->backoff_ms = BACKOFF_MS_MAX;
    }
    work->retry_ns = keeper_mono_ns(k) + work->backoff_ms * MS_NS;
    if (err == ERR_STALE || err == ERR_STOPPING) {
        trace(k->tracer, TRACE_DEBUG, "%s: %s", name, why->text);
    } else {
        trace(k->tracer, TRACE_WARN, "%s failed, will try again in %lld ms: %s", name,
              (long long)work->backoff_ms, why->text);
    }
    if (err != ERR_STALE && first->code == ERR_OK) {
        *first = *why;
        first->code = err;
    }
}

static int64_t keeper_earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static int64_t keeper_later(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

// keeper_after_ms adds milliseconds of any size to a monotonic time.
static int64_t keeper_after_ms(int64_t ns, int64_t ms)
{
    return ms >= (KEEPER_NEVER - ns) / MS_NS ? KEEPER_NEVER : ns + ms * MS_NS;
}

static int64_t keeper_plan_tick(struct keeper *k, int64_t now_ns)
{
    if (k->deadline_ms == INT64_MAX) {
        return KEEPER_NEVER;
    }
    int64_t now_ms = keeper_now_ms(k);
    int64_t due_ns = k->deadline_ms <= now_ms ? now_ns : keeper_after_ms(now_ns, k->deadline_ms - now_ms);
    return keeper_later(due_ns, k->tick.retry_ns);
}

static int64_t keeper_plan_retention(struct keeper *k)
{
    int64_t due_ns = k->retain_next_ns;
    if (atomic_load(&k->ordered) != k->retained_at) {
        due_ns = keeper_earlier(due_ns, keeper_after_ms(k->retained_ns, k->options.retention_check_ms));
    }
    if (atomic_load(&k->has_changed)) {
        due_ns = keeper_earlier(due_ns, keeper_after_ms(k->retained_ns, SCAN_MS_MIN));
    }
    return keeper_later(due_ns, k->retention.retry_ns);
}

static int64_t keeper_plan_expiry(struct keeper *k)
{
    if (k->group_count == 0) {
        return KEEPER_NEVER;
    }
    return keeper_later(keeper_after_ms(k->expired_ns, k->options.offsets_check_ms), k->expiry.retry_ns);
}

static uint64_t keeper_extents_guess(const struct keeper *k)
{
    return k->unmerged_extents + (atomic_load(&k->ordered) - k->extents_at) / KEEPER_EXTENT_BYTES;
}

static int64_t keeper_plan_merge(struct keeper *k, const struct engine_status *status, int64_t now_ns)
{
    if (!k->is_surveyed) {
        return keeper_later(now_ns, k->merge.retry_ns);
    }
    int64_t unmerged = atomic_load(&k->unmerged);
    if (unmerged <= 0) {
        k->unmerged_since_ns = 0;
        return KEEPER_NEVER;
    }
    if (k->unmerged_since_ns == 0) {
        k->unmerged_since_ns = now_ns;
    }
    int64_t due_ns = keeper_after_ms(k->unmerged_since_ns, k->options.merge_age_ms);
    if (keeper_merge_is_due(k, (uint64_t)unmerged, keeper_extents_guess(k), status)) {
        due_ns = now_ns;
    }
    return keeper_later(due_ns, k->merge.retry_ns);
}

static int64_t keeper_plan_snapshot(struct keeper *k, const struct engine_status *status, int64_t now_ns)
{
    if (k->lsn <= status->snapshot_lsn) {
        k->uncovered_since_ns = 0;
        return KEEPER_NEVER;
    }
    if (k->uncovered_since_ns == 0) {
        k->uncovered_since_ns = now_ns;
    }
    int64_t due_ns = keeper_after_ms(k->uncovered_since_ns, k->options.snapshot_age_ms);
    if (status->wal_bytes >= k->options.snapshot_wal_bytes || status->is_disk_full) {
        due_ns = now_ns;
    }
    return keeper_later(due_ns, k->snapshot.retry_ns);
}

static int64_t keeper_plan_compact(struct keeper *k)
{
    int64_t due_ns = k->compact_next_ns;
    if (atomic_load(&k->ordered) != k->compacted_at) {
        due_ns = keeper_earlier(due_ns, keeper_after_ms(k->compacted_ns, k->options.compact_check_ms));
    }
    if (atomic_load(&k->has_changed_too)) {
        due_ns = keeper_earlier(due_ns, keeper_after_ms(k->compacted_ns, SCAN_MS_MIN));
    }
    return keeper_later(due_ns, k->compact.retry_ns);
}

static void keeper_do_tick(struct keeper *k, struct error *first)
{
    struct error why = {0};
    enum err err = keeper_tick(k, &why);
    keeper_settle(k, &k->tick, "expiry", err, &why, first);
    if (err == ERR_OK && k->deadline_ms <= keeper_now_ms(k)) { // a tick expires a bounded number of things
        k->tick.retry_ns = keeper_mono_ns(k) + TICK_MS_MIN * MS_NS;
    }
}

// After a start the last bundle may be days old. The clock's pace says nothing about the time between, so
// that retention would lag by as much: one bundle brings the engine's opinion, which has its own bounds.
static bool keeper_should_ask_time(struct keeper *k, int64_t next_ms)
{
    int64_t wall_ms = clock_wall_ms(k->env->clock);
    return !k->is_time_asked && wall_ms > keeper_now_ms(k) + WALL_AHEAD_MS && next_ms <= wall_ms;
}

static void keeper_do_retention(struct keeper *k, struct error *first)
{
    struct error why = {0};
    int64_t next_ms = INT64_MAX;
    uint64_t ordered = atomic_load(&k->ordered);
    atomic_store(&k->has_changed, false);
    enum err err = keeper_retain(k, &next_ms, &why);
    if (err == ERR_OK && keeper_should_ask_time(k, next_ms)) {
        k->is_time_asked = true;
        err = keeper_tick(k, &why);
        err = err == ERR_OK ? keeper_retain(k, &next_ms, &why) : err;
    }
    keeper_settle(k, &k->retention, "retention", err, &why, first);
    int64_t now_ns = keeper_mono_ns(k);
    k->retained_ns = now_ns;
    if (err != ERR_OK) {
        k->retain_next_ns = k->retention.retry_ns;
        return;
    }
    k->retained_at = ordered;
    k->retain_next_ns = KEEPER_NEVER;
    if (next_ms != INT64_MAX) {
        int64_t wait_ms = next_ms - keeper_now_ms(k);
        wait_ms = wait_ms < k->options.retention_check_ms ? k->options.retention_check_ms : wait_ms;
        k->retain_next_ns = keeper_after_ms(now_ns, wait_ms);
    }
}

static void keeper_do_expiry(struct keeper *k, struct error *first)
{
    struct error why = {0};
    enum err err = keeper_expire_offsets(k, &why);
    keeper_settle(k, &k->expiry, "expiry of offsets", err, &why, first);
    k->expired_ns = keeper_mono_ns(k);
}

static void keeper_do_drop_dead(struct keeper *k, struct error *first)
{
    struct error why = {0};
    enum err err = keeper_drop_dead(k, &why);
    if (err != ERR_OK && first->code == ERR_OK) {
        *first = why;
    }
}

static void keeper_do_merge(struct keeper *k, struct error *first)
{
    struct error why = {0};
    if (k->is_surveyed && keeper_mono_ns(k) - k->retained_ns >= SCAN_MS_MIN * MS_NS) {
        keeper_do_retention(k, first); // what goes now need not be copied
    }
    enum err err = keeper_merge(k, &why);
    keeper_settle(k, &k->merge, "merge", err, &why, first);
    keeper_do_drop_dead(k, first);
}

static void keeper_do_compact(struct keeper *k, struct error *first)
{
    struct error why = {0};
    int64_t next_ms = INT64_MAX;
    uint64_t ordered = atomic_load(&k->ordered);
    atomic_store(&k->has_changed_too, false);
    k->is_compacting = true;
    enum err err = keeper_compact(k, &next_ms, &why);
    k->is_compacting = false;
    keeper_settle(k, &k->compact, "compaction", err, &why, first);
    keeper_do_drop_dead(k, first);
    int64_t now_ns = keeper_mono_ns(k);
    k->compacted_ns = now_ns;
    k->compacted_at = ordered;
    k->compact_next_ns = KEEPER_NEVER;
    if (err != ERR_OK) {
        k->compact_next_ns = k->compact.retry_ns;
    } else if (next_ms != INT64_MAX) {
        int64_t wait_ms = next_ms - keeper_now_ms(k);
        k->compact_next_ns = keeper_after_ms(now_ns, wait_ms < WAKE_MS_MIN ? WAKE_MS_MIN : wait_ms);
    }
}

static void keeper_do_snapshot(struct keeper *k, struct error *first)
{
    struct error why = {0};
    enum err err = keeper_snapshot(k, &why);
    keeper_settle(k, &k->snapshot, "snapshot", err, &why, first);
    keeper_observe(k);
}

// While the disk is full, merges and snapshots run whatever the thresholds say, but not back to back.
static void keeper_pace_full_disk(struct keeper_work *work, const struct engine_status *status,
                                  int64_t now_ns)
{
    if (status->is_disk_full && work->retry_ns < now_ns + DISK_FULL_RETRY_MS * MS_NS) {
        work->retry_ns = now_ns + DISK_FULL_RETRY_MS * MS_NS;
    }
}

static void keeper_work_through(struct keeper *k, bool is_forced, struct error *first)
{
    struct engine_status status;
    keeper_do_drop_dead(k, first);
    if (keeper_plan_tick(k, keeper_mono_ns(k)) <= keeper_mono_ns(k)) {
        keeper_do_tick(k, first);
    }
    if (is_forced || keeper_plan_retention(k) <= keeper_mono_ns(k)) {
        keeper_do_retention(k, first);
    }
    if (k->group_count > 0 && (is_forced || keeper_plan_expiry(k) <= keeper_mono_ns(k))) {
        keeper_do_expiry(k, first);
    }
    engine_status(k->engine, &status);
    if (!keeper_is_stopping(k) && keeper_plan_merge(k, &status, keeper_mono_ns(k)) <= keeper_mono_ns(k)) {
        keeper_do_merge(k, first);
        keeper_pace_full_disk(&k->merge, &status, keeper_mono_ns(k));
    }
    if (!keeper_is_stopping(k) && !k->is_compacting && !status.is_disk_full &&
        (is_forced || keeper_plan_compact(k) <= keeper_mono_ns(k))) {
        keeper_do_compact(k, first);
    }
    keeper_observe(k);
    engine_status(k->engine, &status);
    if (!keeper_is_stopping(k) && keeper_plan_snapshot(k, &status, keeper_mono_ns(k)) <= keeper_mono_ns(k)) {
        keeper_do_snapshot(k, first);
        keeper_pace_full_disk(&k->snapshot, &status, keeper_mono_ns(k));
    }
}

void keeper_yield(struct keeper *k)
{
    struct error first = {0}; // traced where it happened
    keeper_work_through(k, false, &first);
}

int64_t keeper_plan_next(struct keeper *k)
{
    struct engine_status status;
    engine_status(k->engine, &status);
    int64_t now_ns = keeper_mono_ns(k);
    uint64_t ordered = atomic_load(&k->ordered);
    int64_t next_ns = keeper_earlier(k->maintain_ns, keeper_plan_tick(k, now_ns));
    next_ns = keeper_earlier(next_ns, keeper_plan_retention(k));
    next_ns = keeper_earlier(next_ns, keeper_plan_expiry(k));
    next_ns = keeper_earlier(next_ns, keeper_plan_merge(k, &status, now_ns));
    next_ns = keeper_earlier(next_ns, keeper_plan_compact(k));
    next_ns = keeper_earlier(next_ns, keeper_plan_snapshot(k, &status, now_ns));
    if (ordered == k->stepped_at) { // idle: the next append is news
        atomic_store(&k->wake_at, ordered + 1);
        return next_ns;
    }
    k->stepped_at = ordered;
    int64_t unmerged = atomic_load(&k->unmerged);
    if (k->unmerged_gauge != NULL) {
        metric_set(k->unmerged_gauge, unmerged > 0 ? unmerged : 0);
    }
    int64_t room = k->options.merge_wal_bytes - unmerged;
    int64_t snapshot_room = k->options.snapshot_wal_bytes - status.wal_bytes;
    uint64_t extents = keeper_extents_guess(k);
    int64_t extent_room = ((int64_t)k->options.merge_extents_max - (int64_t)extents) * KEEPER_EXTENT_BYTES;
    room = room < snapshot_room ? room : snapshot_room;
    room = room < extent_room ? room : extent_room;
    atomic_store(&k->wake_at, room > 0 ? ordered + (uint64_t)room : UINT64_MAX);
    return keeper_earlier(next_ns, now_ns + WAKE_MS_MIN * MS_NS);
}

// keeper_begin waits until no other thread is at work in the keeper.
static void keeper_begin(struct keeper *k)
{
    mutex_lock(&k->mutex);
    while (k->is_busy) {
        cond_wait(&k->cond, &k->mutex, CLOCK_NEVER);
    }
    k->is_busy = true;
    k->is_poked = false;
    mutex_unlock(&k->mutex);
}

static void keeper_end(struct keeper *k)
{
    mutex_lock(&k->mutex);
    k->is_busy = false;
    cond_broadcast(&k->cond);
    mutex_unlock(&k->mutex);
}

static enum err keeper_step(struct keeper *k, bool is_forced, int64_t *ret_next_ns, struct error *e)
{
    struct error first = {0};
    struct error why = {0};
    keeper_begin(k);
    keeper_maintain(k);
    enum err err = keeper_lease(k, &why);
    if (err == ERR_OK) {
        keeper_observe(k);
        keeper_work_through(k, is_forced, &first);
        *ret_next_ns = keeper_plan_next(k);
    } else { // another broker's keeper is at work
        *ret_next_ns = keeper_earlier(k->maintain_ns, keeper_mono_ns(k) + LEASE_MS / 3 * MS_NS);
    }
    keeper_end(k);
    if (first.code != ERR_OK && e != NULL) {
        *e = first;
    }
    return first.code;
}

enum err keeper_round(struct keeper *k, int64_t *ret_next_ns, struct error *e)
{
    return keeper_step(k, true, ret_next_ns, e);
}

enum err keeper_snapshot_now(struct keeper *k, struct error *e)
{
    keeper_begin(k);
    enum err err = keeper_snapshot(k, e);
    keeper_end(k);
    return err;
}

enum err keeper_after_recovery(struct keeper *k, struct error *e)
{
    struct engine_status status;
    engine_status(k->engine, &status);
    if (status.is_read_only ||
        status.is_shared) { // shared: another broker may be writing what nothing names yet
        return ERR_OK;
    }
    keeper_begin(k);
    enum err err = keeper_drop_unused(k, true, e);
    keeper_end(k);
    return err;
}

// ---- the thread

static void keeper_wait(struct keeper *k, int64_t until_ns)
{
    mutex_lock(&k->mutex);
    // An append may have crossed the threshold before it was set.
    while (!k->is_poked && !keeper_is_stopping(k) && atomic_load(&k->ordered) < atomic_load(&k->wake_at)) {
        if (!cond_wait(&k->cond, &k->mutex, until_ns == KEEPER_NEVER ? CLOCK_NEVER : until_ns)) {
            break;
        }
    }
    mutex_unlock(&k->mutex);
}

static void keeper_run(void *arg)
{
    struct keeper *k = arg;
    while (!keeper_is_stopping(k)) {
        int64_t next_ns = KEEPER_NEVER;
        (void)keeper_step(k, false, &next_ns, NULL); // traced where it happened
        mem_trim();
        keeper_wait(k, next_ns);
    }
}

void keeper_start(struct keeper *k)
{
    ASSERT(k->thread == NULL);
    atomic_store(&k->is_stopping, false);
    k->thread = thread_start(k->env->threads, "keeper", keeper_run, k);
}

void keeper_stop(struct keeper *k)
{
    if (k->thread == NULL) {
        return;
    }
    atomic_store(&k->is_stopping, true);
    keeper_wake(k);
    thread_join(k->env->threads, k->thread);
    k->thread = NULL;
    atomic_store(&k->is_stopping, false); // a last snapshot or round may follow
}
