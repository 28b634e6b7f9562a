// SPDX-License-Identifier: Apache-2.0
// The engine of one machine: opening, closing, upkeep, and the table of verbs.
#include "engine/local/local.h"

#include "base/mem.h"
#include "engine/local/local_private.h"

enum { FULL_CHECK_MS = 1000, PINNED_CHECK_MS = 1000 };
static const int64_t ns_per_ms = 1000000;

void engine_local_options_init(struct engine_local_options *ret_options)
{
    *ret_options = (struct engine_local_options){
        .wal_file_bytes = 64 << 20,
        .wal_first_bytes = 4 << 20,
        .disk_reserve_bytes = 64 << 20,
        .idle_mark_ms = 100,
    };
}

// ---- failing

enum err local_fatal(struct local *l, const struct error *e)
{
    local_lock(l);
    bool is_first = !l->is_failed;
    l->is_failed = true;
    cond_broadcast(&l->changed);
    local_unlock(l);
    if (is_first && l->options.fatal != NULL) {
        l->options.fatal(l->options.fatal_arg, e);
    }
    return ERR_IO;
}

enum err local_sync(struct local *l, struct file *file, struct error *e)
{
    struct error own = {0};
    e = e != NULL ? e : &own;
    enum err rc = file_sync(file, e);
    if (rc != ERR_OK && plant_is(PLANT_RETRY_SYNC)) {
        rc = file_sync(file, e);
    }
    return rc == ERR_OK ? ERR_OK : local_fatal(l, e);
}

enum err local_sync_dir(struct local *l, struct str dir, struct error *e)
{
    struct error own = {0};
    e = e != NULL ? e : &own;
    enum err rc = disk_sync_dir(l->disk, dir, e);
    return rc == ERR_OK ? ERR_OK : local_fatal(l, e);
}

enum err local_writable_locked(const struct local *l, struct error *e)
{
    if (l->is_failed) {
        return FAIL(e, ERR_IO, "the disk failed before; restart to recover");
    }
    if (l->is_read_only) {
        return FAIL(e, ERR_READ_ONLY, "%s", l->reason);
    }
    return ERR_OK;
}

// ---- upkeep

static enum err maintain_mark(struct local *l, int64_t now_ns, int64_t *next_ns, struct error *e)
{
    local_lock(l);
    int64_t due_ns = l->ordered_at_ns + l->options.idle_mark_ms * ns_per_ms;
    if (l->is_marked || l->last_lsn == 0) {
        local_unlock(l);
        return ERR_OK;
    }
    if (now_ns < due_ns || l->is_writing) { // somebody writes: not idle
        *next_ns = due_ns > now_ns ? due_ns : now_ns + l->options.idle_mark_ms * ns_per_ms;
        local_unlock(l);
        return ERR_OK;
    }
    bool is_own = wal_own_locked(l);
    local_unlock(l);
    ASSERT(is_own); // nobody writes, and maintain was admitted
    enum err rc = wal_mark(l, e);
    local_lock(l);
    l->is_marked = true; // also where the file has no room for it: not asked again
    wal_release_locked(l);
    local_unlock(l);
    return rc;
}

static bool has_pinned_garbage(struct local *l)
{
    bool is_found = false;
    local_lock(l);
    LIST_EACH (node, &l->dropped) {
        is_found |= LIST_ENTRY(node, struct object, dropped)->pins > 0;
    }
    local_unlock(l);
    return is_found;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum err local_maintain(struct engine *engine, int64_t *ret_next_ns, struct error *caller_error)
{
    struct local *l = local_of(engine);
    struct error own = {0};
    struct error *e = caller_error != NULL ? caller_error : &own;
    *ret_next_ns = INT64_MAX;
    local_lock(l);
    bool is_on = l->is_ready && !l->is_failed && !l->is_stopping;
    local_unlock(l);
    if (!is_on) {
        return ERR_OK;
    }
    int64_t now_ns = clock_mono_ns(l->env->clock);
    int64_t next_ns = INT64_MAX;
    bool is_busy = false;
    enum err rc = objects_reclaim(l, e);
    if (rc == ERR_OK) {
        rc = maintain_mark(l, now_ns, &next_ns, e);
    }
    if (rc == ERR_OK) {
        rc = wal_prepare(l, &is_busy, e);
    }
    if (is_busy) {
        next_ns = sooner(next_ns, clock_mono_ns(l->env->clock) + PREPARE_PACE_NS);
    }
    local_lock(l);
    bool is_full = l->is_disk_full;
    local_unlock(l);
    if (is_full) {
        next_ns = sooner(next_ns, now_ns + FULL_CHECK_MS * ns_per_ms);
    }
    if (has_pinned_garbage(l)) {
        next_ns = sooner(next_ns, now_ns + PINNED_CHECK_MS * ns_per_ms);
    }
    *ret_next_ns = next_ns;
    return rc;
}

static void local_status(struct engine *engine, struct engine_status *ret)
{
    struct local *l = local_of(engine);
    local_lock(l);
    *ret = (struct engine_status){
        .durable_lsn = l->durable_lsn,
        .snapshot_lsn = l->snapshot_lsn,
        .wal_bytes = l->wal_bytes_total - l->wal_bytes_snapshot,
        .free_bytes = l->free_bytes,
        .total_bytes = l->total_bytes,
        .is_disk_full = l->is_disk_full,
        .is_read_only = l->is_read_only,
        .was_unclean = l->was_unclean,
    };
    memcpy(ret->reason, l->reason, sizeof ret->reason);
    local_unlock(l);
}

static enum err local_lease(struct engine *engine, struct str name, int64_t duration_ms, struct error *e)
{
    (void)engine, (void)name, (void)duration_ms, (void)e; // nobody else is there
    return ERR_OK;
}

static enum err local_barrier(struct engine *engine, uint64_t *ret_lsn, struct error *e)
{
    struct local *l = local_of(engine);
    (void)e;
    local_lock(l);
    *ret_lsn = l->last_lsn;
    local_unlock(l);
    return ERR_OK;
}

// ---- end

static void local_stop(struct engine *engine)
{
    struct local *l = local_of(engine);
    local_lock(l);
    l->is_stopping = true;
    cond_broadcast(&l->changed);
    local_unlock(l);
}

static void local_close_clean(struct local *l)
{
    struct error e = {0};
    local_lock(l);
    bool is_own = l->is_ready && wal_own_locked(l);
    local_unlock(l);
    if (!is_own) {
        return;
    }
    enum err rc = l->last_lsn == 0 ? ERR_OK : wal_sync_owned(l, &e);
    if (rc == ERR_OK) {
        rc = wal_mark(l, &e);
    }
    local_lock(l);
    wal_release_locked(l);
    if (rc == ERR_OK) {
        // A failure leaves the stop unclean: the next start looks harder, nothing is lost.
        (void)!meta_save_locked(l, true, &e);
    }
    local_unlock(l);
}

static void local_free(struct local *l)
{
    snapshot_abandon(l);
    file_close(l->fresh);
    file_close(l->meta_file);
    object_free(l->next);
    LIST_EACH_SAFE (node, after, &l->spares) {
        object_free(LIST_ENTRY(node, struct object, link));
    }
    objects_fini(l);
    buf_fini(&l->body);
    mem_free(l->slices);
    mem_free(l->staging_memory);
    cond_fini(&l->changed);
    mutex_fini(&l->lock);
    mem_free(l);
}

static void local_close(struct engine *take_engine, bool is_clean)
{
    struct local *l = local_of(take_engine);
    if (is_clean) {
        local_close_clean(l);
    }
    local_free(l);
}

// ---- start

static const struct engine_ops local_ops = {
    .snapshot_read = local_snapshot_read,
    .tail = local_tail,
    .order = local_order,
    .snapshot_write = local_snapshot_write,
    .object_create = local_object_create,
    .object_append = local_object_append,
    .object_seal = local_object_seal,
    .object_drop = local_object_drop,
    .object_pin = local_object_pin,
    .object_unpin = local_object_unpin,
    .object_read = local_object_read,
    .object_file = local_object_file,
    .object_size = local_object_size,
    .objects = local_objects,
    .lease = local_lease,
    .barrier = local_barrier,
    .maintain = local_maintain,
    .status = local_status,
    .stop = local_stop,
    .close = local_close,
};

static enum err options_check(const struct engine_local_options *o, struct error *e)
{
    if (o->wal_file_bytes < WAL_FILE_BYTES_MIN || o->wal_file_bytes % FRAME_ALIGN != 0) {
        return FAIL(e, ERR_INVALID_CONFIG, "a WAL file of %lld bytes: at least 1 MiB, in steps of 4 KiB",
                    (long long)o->wal_file_bytes);
    }
    if (o->wal_first_bytes < FRAME_ALIGN || o->wal_first_bytes % FRAME_ALIGN != 0 ||
        o->wal_first_bytes > o->wal_file_bytes) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "a first WAL file of %lld bytes: at most a WAL file, in steps of 4 KiB",
                    (long long)o->wal_first_bytes);
    }
    return ERR_OK;
}

static enum err local_load(struct local *l, struct error *e)
{
    static const char *const dirs[] = {"wal", "obj", "snap"};
    bool is_first;
    int64_t free_bytes;
    enum err rc = disk_lock(l->disk, e);
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && rc == ERR_OK; i++) {
        rc = disk_mkdir(l->disk, str_from_c(dirs[i]), e);
    }
    if (rc == ERR_OK) {
        rc = meta_open(l, &is_first, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    l->store_key = l->meta.store_key;
    l->was_unclean = !l->meta.is_clean;
    rc = objects_load(l, e);
    if (rc == ERR_OK) {
        rc = snapshots_load(l, e);
    }
    return rc == ERR_OK ? disk_look(l, &free_bytes, e) : rc;
}

enum err engine_local_open(struct env *env, const struct engine_local_options *options,
                           struct engine **ret_engine, struct error *e)
{
    enum err rc = options_check(options, e);
    if (rc != ERR_OK) {
        return rc;
    }
    struct local *l = mem_zalloc(sizeof *l);
    l->base.ops = &local_ops;
    l->env = env;
    l->disk = env->disk;
    l->options = *options;
    l->slices = mem_array(IO_SLICES_MAX, sizeof *l->slices);
    buf_init(&l->body, (size_t)options->wal_file_bytes);
    mutex_init(&l->lock, env->threads);
    cond_init(&l->changed, env->threads);
    map_init(&l->objects);
    list_init(&l->object_list);
    list_init(&l->open_idle);
    list_init(&l->dropped);
    list_init(&l->spares);
    rc = local_load(l, e);
    if (rc != ERR_OK) {
        local_free(l);
        return rc;
    }
    *ret_engine = &l->base;
    return ERR_OK;
}

struct uuid engine_local_cluster_id(struct engine *engine)
{
    return local_of(engine)->meta.cluster_id;
}
