// SPDX-License-Identifier: Apache-2.0
// The start: read the log back, mend its end, take it over, replay it.
#include "engine/local/local_private.h"

#include "base/mem.h"

// The failed read of a directory entry is harmless; a name that only the cache knows is not: every directory
// is synced before anything builds on what was found in it.
static enum err dirs_sync(struct local *l, struct error *e)
{
    static const char *const dirs[] = {"wal", "obj", "snap", ""};
    enum err rc = ERR_OK;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && rc == ERR_OK; i++) {
        rc = local_sync_dir(l, str_from_c(dirs[i]), e);
    }
    return rc;
}

static struct object *wal_object_add(struct local *l, const struct recovery *r, uint32_t index)
{
    const struct recovery_file *f = &r->files[index];
    struct object *o = object_new(f->number, f->size, true);
    // Files before the first that was read, and such as hold nothing sound, are covered by the snapshot.
    o->last_lsn = f->last_lsn != 0 ? f->last_lsn : r->after_lsn;
    local_lock(l);
    object_table_add_locked(l, o);
    local_unlock(l);
    return o;
}

// Files after the current one hold nothing: one is kept as the next, the rest goes.
static enum err wal_adopt_unused(struct local *l, const struct recovery *r, uint32_t index, struct error *e)
{
    const struct recovery_file *f = &r->files[index];
    char text[LOCAL_PATH_SIZE];
    struct str path = local_path(text, "wal", f->number, ".wal");
    if (l->next != NULL || f->size != l->options.wal_file_bytes) {
        return disk_unlink(l->disk, path, e);
    }
    struct file *file;
    enum err rc = disk_open(l->disk, path, DISK_WRITE | DISK_DIRECT, &file, e);
    if (rc == ERR_OK) {
        l->next = object_new(f->number, f->size, true);
        l->next->file = file;
    }
    return rc;
}

static enum err wal_adopt(struct local *l, const struct recovery *r, struct error *e)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < r->file_count && rc == ERR_OK; i++) {
        if (r->has_place && i > r->cut_file) {
            rc = wal_adopt_unused(l, r, i, e);
            continue;
        }
        struct object *o = wal_object_add(l, r, i);
        if (r->has_place && i == r->cut_file) {
            char text[LOCAL_PATH_SIZE];
            rc = disk_open(l->disk, local_path(text, "wal", o->number, ".wal"), DISK_WRITE | DISK_DIRECT,
                           &o->file, e);
            o->is_current = true;
            l->current = o;
            l->position = r->cut_position;
        }
    }
    if (rc != ERR_OK) {
        return rc;
    }
    local_lock(l);
    l->chain = r->chain;
    l->last_lsn = l->durable_lsn = r->last_lsn;
    l->is_marked = r->is_last_mark || r->last_lsn == 0;
    l->wal_bytes_total = r->bytes_after;
    l->ordered_at_ns = clock_mono_ns(l->env->clock);
    local_unlock(l);
    return ERR_OK;
}

static void wal_number_see(struct local *l, const struct recovery *r)
{
    // Numbers above the limit were never used; below it, who knows.
    l->object_last = l->meta.object_limit > l->object_last ? l->meta.object_limit : l->object_last;
    if (r->file_count > 0) {
        uint64_t last = r->files[r->file_count - 1].number;
        l->object_last = last > l->object_last ? last : l->object_last;
    }
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum err tail_take_over(struct local *l, struct recovery *r, struct error *e)
{
    enum err rc = recovery_mend(r, e);
    if (rc == ERR_OK) {
        rc = dirs_sync(l, e);
    }
    if (rc == ERR_OK) {
        rc = objects_clean(l, e);
    }
    if (rc == ERR_OK) {
        rc = wal_adopt(l, r, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    wal_number_see(l, r);
    wal_time_start(l, later(later(r->stamp_ms, l->meta.stamp_ms), l->stamp_ms),
                   later(later(r->time_ms, l->meta.time_ms), l->time_ms));
    local_lock(l);
    l->is_ready = true;
    rc = meta_save_locked(l, false, e);
    local_unlock(l);
    if (rc == ERR_OK && r->file_count == 0) {
        struct object *first = NULL;
        rc = wal_file_create(l, l->options.wal_first_bytes, &first, e);
        if (rc == ERR_OK) {
            wal_current_set(l, first);
        }
    }
    return rc;
}

static void tail_read_only(struct local *l, struct recovery *r)
{
    for (uint32_t i = 0; i < r->file_count; i++) {
        (void)wal_object_add(l, r, i);
    }
    local_lock(l);
    l->is_read_only = true;
    l->last_lsn = l->durable_lsn = r->last_lsn;
    (void)snprintf(
        l->reason, sizeof l->reason,
        "wal/%020llu.wal: the bundle at position %lld, lsn %llu, had been acknowledged and cannot be "
        "read; serving what precedes it; `strom repair` cuts the log there",
        r->file_count == 0 ? 0ULL : (unsigned long long)r->files[r->cut_file].number,
        (long long)r->cut_position, (unsigned long long)(r->last_lsn + 1));
    local_unlock(l);
}

static enum err tail_run(struct local *l, struct recovery *r,
                         enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                         struct error *e)
{
    enum err rc = recovery_resume(l->disk, e);
    if (rc == ERR_OK) {
        rc = recovery_scan(r, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (r->verdict == LOG_ROTTEN) {
        tail_read_only(l, r);
    } else {
        rc = tail_take_over(l, r, e);
        if (rc != ERR_OK) {
            local_lock(l);
            l->is_failed = true; // whatever could not be mended is not written to
            local_unlock(l);
            return rc;
        }
    }
    rc = recovery_deliver(r, deliver, arg, e);
    if (rc == ERR_OK && r->verdict == LOG_ROTTEN) {
        return FAIL(e, ERR_READ_ONLY, "%s", l->reason);
    }
    return rc;
}

enum err local_tail(struct engine *engine, uint64_t after_lsn, int64_t deadline_ns,
                    enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                    struct error *e)
{
    struct local *l = local_of(engine);
    (void)deadline_ns; // order delivers what comes later: there is nothing to wait for
    if (l->is_ready || l->is_read_only) {
        return ERR_OK;
    }
    uint64_t mark_lsn = l->snapshot_count == 0 ? 0 : l->snapshots[l->snapshot_count - 1];
    struct recovery r;
    recovery_init(&r, l->disk, &l->meta, after_lsn, mark_lsn);
    enum err rc = tail_run(l, &r, deliver, arg, e);
    recovery_fini(&r);
    return rc;
}
