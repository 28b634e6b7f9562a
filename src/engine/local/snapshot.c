// SPDX-License-Identifier: Apache-2.0
// Snapshot files: written in parts, synced, dropped from the cache, read back, renamed. A snapshot is the
// newest only after its directory was synced; the WAL it makes superfluous is recycled after that.
#include "base/mem.h"
#include "engine/local/local_private.h"

static const size_t snapshot_bytes_max = (size_t)64 << 30;

struct snapshot_listing {
    uint64_t *lsns;
    uint32_t count;
};

static void snapshot_each(void *arg, struct str name, int64_t size)
{
    struct snapshot_listing *listing = arg;
    uint64_t lsn;
    (void)size;
    if (!local_name_parse(name, STR(".snap"), &lsn)) {
        return;
    }
    if (listing->count == SNAPSHOTS_MAX) { // names come in order: the newest stay
        memmove(listing->lsns, listing->lsns + 1, (SNAPSHOTS_MAX - 1) * sizeof *listing->lsns);
        listing->count--;
    }
    listing->lsns[listing->count++] = lsn;
}

enum err snapshot_list(struct disk *disk, uint64_t lsns[SNAPSHOTS_MAX], uint32_t *ret_count, struct error *e)
{
    struct snapshot_listing listing = {.lsns = lsns};
    enum err rc = disk_list(disk, STR("snap"), snapshot_each, &listing, e);
    *ret_count = listing.count;
    return rc;
}

// ---- reading

static enum err snapshot_parts_verify(struct file *file, uint32_t sum, struct buf *ret_data, uint8_t *scratch,
                                      struct error *e)
{
    int64_t position = SNAPSHOT_HEADER_SIZE;
    uint64_t total = 0;
    for (;;) {
        uint8_t head[SNAPSHOT_PART_HEADER_SIZE];
        enum err rc = file_read_exact(file, position, head, sizeof head, e);
        if (rc != ERR_OK) {
            return rc;
        }
        position += (int64_t)sizeof head;
        size_t len = load_be32(head);
        if (len == 0) {
            return snapshot_end_sum(sum, total) == load_be32(head + 4)
                       ? ERR_OK
                       : FAIL(e, ERR_CORRUPT, "it is not complete");
        }
        if (len > SNAPSHOT_PART_MAX) {
            return FAIL(e, ERR_CORRUPT, "a part of %zu bytes at %lld", len, (long long)position);
        }
        rc = file_read_exact(file, position, scratch, len, e);
        if (rc != ERR_OK) {
            return rc;
        }
        sum = snapshot_part_sum(sum, bytes_of(scratch, len));
        if (sum != load_be32(head + 4)) {
            return FAIL(e, ERR_CORRUPT, "the sum of the part at %lld does not match", (long long)position);
        }
        position += (int64_t)len;
        total += len;
        if (ret_data != NULL) {
            buf_append(ret_data, scratch, len);
            if (ret_data->failed) {
                return FAIL(e, ERR_NO_MEMORY, "a snapshot of more than %zu bytes", ret_data->limit);
            }
        }
    }
}

enum err snapshot_file_verify(struct file *file, uint64_t lsn, struct buf *ret_data,
                              struct snapshot_header *ret_header, struct error *e)
{
    uint8_t head[SNAPSHOT_HEADER_SIZE];
    uint32_t sum;
    enum err rc = file_read_exact(file, 0, head, sizeof head, e);
    if (rc != ERR_OK) {
        return rc;
    }
    if (!snapshot_header_decode(head, ret_header, &sum) || ret_header->lsn != lsn) {
        return FAIL(e, ERR_CORRUPT, "its header is damaged");
    }
    uint8_t *scratch = mem_alloc(SNAPSHOT_PART_MAX);
    rc = snapshot_parts_verify(file, sum, ret_data, scratch, e);
    mem_free(scratch);
    return rc;
}

enum err snapshots_load(struct local *l, struct error *e)
{
    return snapshot_list(l->disk, l->snapshots, &l->snapshot_count, e);
}

static enum err snapshot_try(struct local *l, uint64_t lsn, struct buf *ret_snapshot, struct error *e)
{
    char text[LOCAL_PATH_SIZE];
    struct str path = local_path(text, "snap", lsn, ".snap");
    struct file *file;
    struct snapshot_header header = {0};
    enum err rc = disk_open(l->disk, path, DISK_READ, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    buf_reset(ret_snapshot);
    rc = snapshot_file_verify(file, lsn, ret_snapshot, &header, e);
    file_close(file);
    if (rc != ERR_OK) {
        buf_reset(ret_snapshot);
        error_wrap(e, STR_FMT, STR_ARG(path));
        return rc;
    }
    l->snapshot_lsn = lsn;
    l->stamp_ms = header.stamp_ms > l->stamp_ms ? header.stamp_ms : l->stamp_ms;
    l->time_ms = header.time_ms > l->time_ms ? header.time_ms : l->time_ms;
    return ERR_OK;
}

// An older snapshot serves if the log still holds everything since.
static enum err snapshot_try_older(struct local *l, struct buf *ret_snapshot, struct error *e)
{
    struct recovery r;
    uint64_t first_lsn = 0;
    struct error damage = *e;
    recovery_init(&r, l->disk, &l->meta, 0, 0);
    enum err rc = recovery_first_lsn(&r, &first_lsn, e);
    recovery_fini(&r);
    if (rc != ERR_OK) {
        return rc;
    }
    for (uint32_t i = l->snapshot_count - 1; i-- > 0;) {
        if (first_lsn == 0 || first_lsn > l->snapshots[i] + 1) {
            break;
        }
        rc = snapshot_try(l, l->snapshots[i], ret_snapshot, e);
        if (rc == ERR_OK || rc != ERR_CORRUPT) {
            return rc;
        }
    }
    *e = damage;
    error_wrap(e, "the newest snapshot is damaged, and the log does not reach back to an older one");
    return ERR_CORRUPT;
}

enum err local_snapshot_read(struct engine *engine, struct buf *ret_snapshot, uint64_t *ret_lsn,
                             struct error *caller_error)
{
    struct local *l = local_of(engine);
    struct error own = {0};
    struct error *e = caller_error != NULL ? caller_error : &own;
    if (l->snapshot_count == 0) {
        return FAIL(e, ERR_NOT_FOUND, "no snapshot yet");
    }
    if (ret_snapshot->limit == 0) {
        buf_init(ret_snapshot, snapshot_bytes_max);
    }
    uint64_t newest = l->snapshots[l->snapshot_count - 1];
    enum err rc = snapshot_try(l, newest, ret_snapshot, e);
    if (rc == ERR_CORRUPT) {
        rc = snapshot_try_older(l, ret_snapshot, e);
        l->snapshot_bad = newest;
    }
    if (rc == ERR_OK) {
        *ret_lsn = l->snapshot_lsn;
    }
    return rc;
}

// ---- writing

void snapshot_abandon(struct local *l)
{
    struct snapshot_writer *w = &l->snapshot;
    if (w->file != NULL) {
        char text[LOCAL_PATH_SIZE];
        file_close(w->file);
        w->file = NULL;
        (void)!disk_unlink(l->disk, local_path(text, "snap", w->lsn, ".tmp"), NULL);
    }
}

static enum err snapshot_begin(struct local *l, uint64_t lsn, struct error *e)
{
    struct snapshot_writer *w = &l->snapshot;
    char text[LOCAL_PATH_SIZE];
    *w = (struct snapshot_writer){.lsn = lsn, .position = SNAPSHOT_HEADER_SIZE};
    struct snapshot_header header = {.lsn = lsn};
    local_lock(l);
    enum err rc = local_writable_locked(l, e);
    w->wal_bytes_at = l->wal_bytes_total;
    header.stamp_ms = l->stamp_ms;
    header.time_ms = l->time_ms;
    local_unlock(l);
    if (rc != ERR_OK) {
        return rc;
    }
    struct str path = local_path(text, "snap", lsn, ".tmp");
    rc = disk_open(l->disk, path, DISK_WRITE | DISK_CREATE, &w->file, e);
    if (rc != ERR_OK) {
        w->file = NULL;
        return rc;
    }
    uint8_t head[SNAPSHOT_HEADER_SIZE];
    w->sum = snapshot_header_encode(&header, head);
    rc = file_truncate(w->file, 0, e); // an abandoned one may have been left under this name
    return rc == ERR_OK ? file_write_bytes(w->file, 0, bytes_of(head, sizeof head), e) : rc;
}

static enum err snapshot_append(struct snapshot_writer *w, struct bytes part, struct error *e)
{
    while (part.len > 0) {
        struct bytes piece = bytes_of(part.ptr, part.len < SNAPSHOT_PART_MAX ? part.len : SNAPSHOT_PART_MAX);
        uint8_t head[SNAPSHOT_PART_HEADER_SIZE];
        w->sum = snapshot_part_sum(w->sum, piece);
        store_be32(head, (uint32_t)piece.len);
        store_be32(head + 4, w->sum);
        enum err rc = file_write_bytes(w->file, w->position, bytes_of(head, sizeof head), e);
        if (rc == ERR_OK) {
            rc = file_write_bytes(w->file, w->position + (int64_t)sizeof head, piece, e);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        w->position += (int64_t)(sizeof head + piece.len);
        w->total += (int64_t)piece.len;
        part = bytes_slice(part, piece.len, part.len - piece.len);
    }
    return ERR_OK;
}

// Durable and read back; then its name.
static enum err snapshot_finish(struct local *l, struct error *e)
{
    struct snapshot_writer *w = &l->snapshot;
    struct snapshot_header header;
    uint8_t head[SNAPSHOT_PART_HEADER_SIZE] = {0};
    store_be32(head + 4, snapshot_end_sum(w->sum, (uint64_t)w->total));
    enum err rc = file_write_bytes(w->file, w->position, bytes_of(head, sizeof head), e);
    if (rc == ERR_OK) {
        rc = local_sync(l, w->file, e);
    }
    if (rc == ERR_OK) {
        file_advise_cold(w->file, 0, w->position + (int64_t)sizeof head);
        rc = snapshot_file_verify(w->file, w->lsn, NULL, &header, e);
    }
    if (rc == ERR_OK) {
        // A snapshot that knows more than the log would leave a gap after a crash.
        rc = wal_sync_through(l, w->lsn, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    char from[LOCAL_PATH_SIZE], to[LOCAL_PATH_SIZE];
    file_close(w->file);
    w->file = NULL;
    rc = disk_rename(l->disk, local_path(from, "snap", w->lsn, ".tmp"),
                     local_path(to, "snap", w->lsn, ".snap"), e);
    if (rc == ERR_OK && !plant_is(PLANT_SKIP_DIR_SYNC)) {
        rc = local_sync_dir(l, STR("snap"), e);
    }
    return rc;
}

static enum err snapshot_delete(struct local *l, uint64_t lsn, struct error *e)
{
    char text[LOCAL_PATH_SIZE];
    enum err rc = disk_unlink(l->disk, local_path(text, "snap", lsn, ".snap"), e);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

// The newest two stay; so does a failure to delete, harmlessly, until the next time.
static void snapshots_trim(struct local *l, uint64_t newest)
{
    if (l->snapshot_bad != 0 && l->snapshot_bad != newest) {
        (void)!snapshot_delete(l, l->snapshot_bad, NULL);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->snapshot_count; i++) {
        if (l->snapshots[i] < newest && l->snapshots[i] != l->snapshot_bad) {
            l->snapshots[kept++] = l->snapshots[i];
        }
    }
    while (kept > SNAPSHOTS_KEPT - 1) {
        (void)!snapshot_delete(l, l->snapshots[0], NULL);
        kept--;
        memmove(l->snapshots, l->snapshots + 1, kept * sizeof l->snapshots[0]);
    }
    l->snapshots[kept++] = newest;
    l->snapshot_count = kept;
    l->snapshot_bad = 0;
}

enum err local_snapshot_write(struct engine *engine, uint64_t lsn, struct bytes part, bool is_last,
                              struct error *e)
{
    struct local *l = local_of(engine);
    struct snapshot_writer *w = &l->snapshot;
    lsn += plant_is(PLANT_SNAPSHOT_AHEAD) ? 1 : 0;
    enum err rc = ERR_OK;
    if (w->file != NULL && w->lsn != lsn) {
        snapshot_abandon(l);
    }
    if (w->file == NULL) {
        rc = snapshot_begin(l, lsn, e);
    }
    if (rc == ERR_OK) {
        rc = snapshot_append(w, part, e);
    }
    if (rc == ERR_OK && is_last) {
        rc = snapshot_finish(l, e);
    }
    if (rc != ERR_OK) {
        snapshot_abandon(l);
        return rc;
    }
    if (!is_last) {
        return ERR_OK;
    }
    local_lock(l);
    l->snapshot_lsn = lsn;
    l->wal_bytes_snapshot = w->wal_bytes_at;
    local_unlock(l);
    snapshots_trim(l, lsn);
    (void)!objects_reclaim(l, NULL);
    return ERR_OK;
}
