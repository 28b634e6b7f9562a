// SPDX-License-Identifier: Apache-2.0
// snapshot.c - a consistent cut of the state, serialised in short locked slices while apply goes on, written
// without the lock. A durable snapshot lets the engine recycle the log below it.
#include "keeper/keeper_private.h"

#include "base/assert.h"

enum {
    SNAPSHOT_STEP_MIN = 8,
    SNAPSHOT_STEP_MAX = 1024,
    SNAPSHOT_SLICE_NS = 150000, // aimed at; 200 us is the promise
};

// One locked slice; adapts how much the next one takes on.
static bool snapshot_step(struct keeper *k, struct buf *part)
{
    struct core *core = k->host.lock(k->host.arg);
    int64_t begin_ns = keeper_mono_ns(k);
    bool is_complete = core_snapshot_step(core, k->snapshot_step, part);
    int64_t took_ns = keeper_mono_ns(k) - begin_ns;
    k->host.unlock(k->host.arg);
    if (took_ns > SNAPSHOT_SLICE_NS && k->snapshot_step > SNAPSHOT_STEP_MIN) {
        k->snapshot_step /= 2;
    } else if (took_ns < SNAPSHOT_SLICE_NS / 4 && k->snapshot_step < SNAPSHOT_STEP_MAX) {
        k->snapshot_step *= 2;
    }
    return is_complete;
}

// The cut may hold records that are acknowledged but not synced (strom.durability=os). A control item is
// always synced, and with it all before it.
static enum err snapshot_cover(struct keeper *k, uint64_t lsn, struct error *e)
{
    struct engine_status status;
    engine_status(k->engine, &status);
    return status.durable_lsn >= lsn ? ERR_OK : keeper_tick(k, e);
}

static enum err snapshot_write(struct keeper *k, uint64_t lsn, struct error *e)
{
    struct buf part;
    buf_init(&part, SIZE_MAX / 2);
    bool is_complete = false;
    enum err err = ERR_OK;
    while (!is_complete && err == ERR_OK) {
        is_complete = snapshot_step(k, &part);
        ASSERT(!part.failed);
        if (keeper_is_stopping(k)) {
            err = FAIL(e, ERR_STOPPING, "keeper: stopping");
        } else if (!is_complete && part.len >= SNAPSHOT_PART_BYTES) {
            err = engine_snapshot_write(k->engine, lsn, buf_bytes(&part), false, e);
            buf_reset(&part);
            keeper_breathe(k);
        }
    }
    if (err == ERR_OK) {
        err = snapshot_cover(k, lsn, e);
    }
    if (err == ERR_OK) {
        err = engine_snapshot_write(k->engine, lsn, buf_bytes(&part), true, e);
    }
    buf_fini(&part);
    return err;
}

enum err keeper_snapshot(struct keeper *k, struct error *e)
{
    struct core *core = k->host.lock(k->host.arg);
    core_snapshot_begin(core);
    uint64_t lsn = core_lsn(core);
    k->host.unlock(k->host.arg);

    enum err err = snapshot_write(k, lsn, e);
    if (err != ERR_OK) {
        core = k->host.lock(k->host.arg);
        core_snapshot_abort(core);
        k->host.unlock(k->host.arg);
        return err;
    }
    keeper_count(k->snapshots, 1);
    k->uncovered_since_ns = 0;
    return keeper_drop_unused(k, false, e);
}
