// SPDX-License-Identifier: Apache-2.0
// Where the next WAL file comes from. Best: prepared in the background by maintain (`next`), a recycled one
// under a fresh number, or a new one. A new one is filled with zeros while little is being ordered, because
// overwriting is twice as fast as first writes; under load that would take half of the disk, and its space is
// only reserved. Next best: order renames a recycled one itself. Last: order reserves one. Space is taken
// only here (and for objects and snapshots), so this is where a full disk shows.
#include "base/mem.h"
#include "engine/local/local_private.h"

// Gives a file its number, durably.
static enum err file_number(struct local *l, struct str from, int64_t size, struct object **ret_file,
                            struct error *e)
{
    uint64_t number = 0;
    char to[LOCAL_PATH_SIZE];
    enum err rc = object_number_next(l, &number, e);
    if (rc == ERR_OK) {
        rc = disk_rename(l->disk, from, local_path(to, "wal", number, ".wal"), e);
    }
    if (rc == ERR_OK) {
        rc = local_sync_dir(l, STR("wal"), e);
    }
    struct file *file = NULL;
    if (rc == ERR_OK) {
        rc = disk_open(l->disk, local_path(to, "wal", number, ".wal"), DISK_WRITE | DISK_DIRECT, &file, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_file = object_new(number, size, true);
    (*ret_file)->file = file;
    return ERR_OK;
}

static enum err spare_number(struct local *l, struct object *take_spare, struct object **ret_file,
                             struct error *e)
{
    char from[LOCAL_PATH_SIZE];
    enum err rc =
        file_number(l, local_path(from, "wal", take_spare->number, ".wal"), take_spare->size, ret_file, e);
    if (rc == ERR_OK) {
        object_free(take_spare);
        return ERR_OK;
    }
    local_lock(l);
    list_push_back(&l->spares, &take_spare->link);
    l->spare_count++;
    local_unlock(l);
    return rc;
}

static struct object *spare_pop_locked(struct local *l)
{
    ASSERT(l->spare_count > 0);
    l->spare_count--;
    return LIST_ENTRY(list_pop_front(&l->spares), struct object, link);
}

// Files must be used in the order of their numbers: from choosing a number until the file is current or next,
// nobody else chooses one.
static void numbering_begin_locked(struct local *l)
{
    while (l->is_numbering) {
        cond_wait(&l->changed, &l->lock, CLOCK_NEVER);
    }
    l->is_numbering = true;
}

static void numbering_end_locked(struct local *l)
{
    l->is_numbering = false;
    cond_broadcast(&l->changed);
}

enum err wal_file_create(struct local *l, int64_t size, struct object **ret_file, struct error *e)
{
    const struct str path = STR("wal/now.tmp");
    struct file *file = NULL;
    enum err rc = disk_open(l->disk, path, DISK_WRITE | DISK_CREATE, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = file_reserve(file, 0, size, e);
    if (rc == ERR_OK) {
        rc = local_sync(l, file, e);
    }
    file_close(file);
    if (rc != ERR_OK) {
        (void)!disk_unlink(l->disk, path, NULL);
        return rc;
    }
    return file_number(l, path, size, ret_file, e);
}

enum err disk_look(struct local *l, int64_t *ret_free, struct error *e)
{
    int64_t total_bytes;
    enum err rc = disk_space(l->disk, ret_free, &total_bytes, e);
    if (rc == ERR_OK) {
        local_lock(l);
        l->free_bytes = *ret_free;
        l->total_bytes = total_bytes;
        local_unlock(l);
    }
    return rc;
}

static enum err disk_full_set(struct local *l, struct error *e)
{
    local_lock(l);
    l->is_disk_full = true;
    (void)snprintf(l->reason, sizeof l->reason, "the disk is full: %lld MiB free, %lld MiB kept in reserve",
                   (long long)(l->free_bytes >> 20), (long long)(l->options.disk_reserve_bytes >> 20));
    local_unlock(l);
    return FAIL(e, ERR_STORAGE, "the disk is full");
}

// A size for a file that must exist now: for control items a short one, of which the reserve has many.
static int64_t create_size(const struct local *l, int64_t frame_size, bool is_control)
{
    int64_t size = is_control ? CONTROL_FILE_BYTES : l->options.wal_file_bytes;
    return frame_size > size ? wal_align(frame_size) : size;
}

static enum err file_take_unprepared(struct local *l, struct object *take_spare, int64_t size,
                                     bool is_control, struct object **ret_file, struct error *e)
{
    if (take_spare != NULL) {
        return spare_number(l, take_spare, ret_file, e);
    }
    int64_t free_bytes = 0;
    enum err rc = disk_look(l, &free_bytes, e);
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t length = create_size(l, size, is_control);
    int64_t reserve = is_control ? 0 : l->options.disk_reserve_bytes;
    return free_bytes - reserve < length ? ERR_NO_SPACE : wal_file_create(l, length, ret_file, e);
}

enum err wal_file_take(struct local *l, int64_t size, bool is_control, struct object **ret_file,
                       struct error *e)
{
    ASSERT(size <= l->options.wal_file_bytes);
    struct object *spare = NULL;
    local_lock(l);
    numbering_begin_locked(l);
    if (l->next != NULL) {
        *ret_file = l->next;
        l->next = NULL;
        numbering_end_locked(l);
        local_unlock(l);
        return ERR_OK;
    }
    if (l->spare_count > 0) {
        spare = spare_pop_locked(l);
    }
    local_unlock(l);
    enum err rc = file_take_unprepared(l, spare, size, is_control, ret_file, e);
    local_lock(l);
    numbering_end_locked(l);
    local_unlock(l);
    return rc == ERR_NO_SPACE ? disk_full_set(l, e) : rc;
}

// ---- in the background

// Numbers the file that lies at `path`, or a spare, and makes it the next one, unless there is one.
static enum err next_set(struct local *l, struct str path, struct object *take_spare, struct error *e)
{
    struct object *made = NULL;
    local_lock(l);
    numbering_begin_locked(l);
    ASSERT(l->next == NULL); // only this thread sets it
    local_unlock(l);
    enum err rc = take_spare != NULL ? spare_number(l, take_spare, &made, e)
                                     : file_number(l, path, l->options.wal_file_bytes, &made, e);
    local_lock(l);
    l->next = made;
    numbering_end_locked(l);
    local_unlock(l);
    return rc;
}

// is_outrun: since the file was begun more was ordered than was pre-written of it, and then some.
static bool is_outrun(struct local *l)
{
    local_lock(l);
    int64_t ordered_bytes = l->wal_bytes_total - l->wal_bytes_fresh;
    local_unlock(l);
    return ordered_bytes >= l->fresh_size + PREPARE_LEAD_BYTES;
}

static enum err fresh_open(struct local *l, struct str path, struct error *e)
{
    enum err rc = disk_open(l->disk, path, DISK_WRITE | DISK_CREATE | DISK_DIRECT, &l->fresh, e);
    if (rc != ERR_OK) {
        l->fresh = NULL;
        return rc;
    }
    l->fresh_size = 0;
    local_lock(l);
    l->wal_bytes_fresh = l->wal_bytes_total;
    local_unlock(l);
    return ERR_OK;
}

// Writes one slice of zeros; after the last one the file is the next. A slice is short and goes past the page
// cache: the log's syncs wait for what the disk has in its queue, and the loop for who copies in the kernel.
static enum err fresh_write(struct local *l, bool *ret_is_busy, struct error *e)
{
    const struct str path = STR("wal/fresh.tmp");
    enum err rc = ERR_OK;
    if (l->fresh == NULL) {
        rc = fresh_open(l, path, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t limit = l->options.wal_file_bytes;
    if (is_outrun(l)) {
        rc = file_reserve(l->fresh, l->fresh_size, limit, e);
        l->fresh_size = limit;
    }
    int64_t to = l->fresh_size + PREPARE_BYTES < limit ? l->fresh_size + PREPARE_BYTES : limit;
    rc = rc == ERR_OK ? file_write_zeros(l->fresh, l->fresh_size, to, e) : rc;
    bool is_sync_due = to == limit || to / PREPARE_SYNC_BYTES != l->fresh_size / PREPARE_SYNC_BYTES;
    if (rc == ERR_OK && is_sync_due) {
        // Synced as it grows, so that the last slice does not hold up the disk for everyone. Not each slice:
        // a sync of a file that grows makes the file system write its own log, for which others wait, too.
        rc = local_sync(l, l->fresh, e);
    }
    l->fresh_size = to;
    if (rc == ERR_OK && to < limit) {
        *ret_is_busy = true;
        return ERR_OK;
    }
    file_close(l->fresh);
    l->fresh = NULL;
    if (rc != ERR_OK) {
        (void)!disk_unlink(l->disk, path, NULL);
        return rc;
    }
    return next_set(l, path, NULL, e);
}

enum err wal_prepare(struct local *l, bool *ret_is_busy, struct error *e)
{
    struct object *spare = NULL;
    int64_t free_bytes = 0;
    *ret_is_busy = false;
    enum err rc = disk_look(l, &free_bytes, e);
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t missing = l->options.wal_file_bytes - (l->fresh == NULL ? 0 : l->fresh_size);
    bool has_space = free_bytes >= l->options.disk_reserve_bytes + missing;
    local_lock(l);
    bool is_needed = l->next == NULL && l->last_lsn > 0;
    if (is_needed && l->spare_count > 0 && l->fresh == NULL) {
        spare = spare_pop_locked(l);
    }
    local_unlock(l);
    if (spare != NULL) {
        rc = next_set(l, (struct str){0}, spare, e);
    } else if (is_needed && has_space) {
        rc = fresh_write(l, ret_is_busy, e);
    }
    if (rc == ERR_NO_SPACE) {
        rc = ERR_OK; // order finds out when it needs the file
        has_space = false;
    }
    local_lock(l);
    if (l->is_disk_full && (l->next != NULL || l->spare_count > 0 || has_space)) {
        l->is_disk_full = false;
        l->reason[0] = '\0';
    }
    local_unlock(l);
    return rc;
}
