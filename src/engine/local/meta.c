// SPDX-License-Identifier: Apache-2.0
// The meta file: two slots, written in turn, so that a torn write leaves the other. It is written when object
// numbers run out, at the first start, after recovery and at a clean stop: rarely.
#include "base/mem.h"
#include "engine/local/local_private.h"

enum { NUMBERS_RESERVED = 4096, META_SLOTS = 2 };

enum err meta_read(struct disk *disk, struct store_meta *ret, struct error *e)
{
    struct file *file;
    enum err rc = disk_open(disk, STR("meta"), DISK_READ, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    uint8_t *slots = mem_zalloc(META_SLOTS * META_SLOT_SIZE);
    size_t len;
    rc = file_read_full(file, 0, slots, META_SLOTS * META_SLOT_SIZE, &len, e);
    file_close(file);
    bool is_found = false;
    for (int i = 0; i < META_SLOTS && rc == ERR_OK; i++) {
        struct store_meta m;
        enum err slot_rc = store_meta_decode(slots + i * META_SLOT_SIZE, &m, e);
        if (slot_rc == ERR_UNSUPPORTED_VERSION) {
            rc = slot_rc;
        } else if (slot_rc == ERR_OK && (!is_found || m.generation > ret->generation)) {
            *ret = m;
            is_found = true;
        }
    }
    mem_free(slots);
    if (rc == ERR_OK && !is_found) {
        return FAIL(e, ERR_CORRUPT, "meta: both slots are damaged: restore the file from a backup");
    }
    return rc;
}

static enum err slot_write(struct file *file, const struct store_meta *meta, struct error *e)
{
    uint8_t *text = mem_alloc(META_SLOT_SIZE);
    store_meta_encode(meta, text);
    int64_t position = (int64_t)(meta->generation % META_SLOTS) * META_SLOT_SIZE;
    enum err rc = file_write_bytes(file, position, bytes_of(text, META_SLOT_SIZE), e);
    mem_free(text);
    return rc;
}

enum err meta_write(struct disk *disk, const struct store_meta *meta, struct error *e)
{
    struct file *file;
    enum err rc = disk_open(disk, STR("meta"), DISK_WRITE, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = slot_write(file, meta, e);
    if (rc == ERR_OK) {
        rc = file_sync(file, e);
    }
    file_close(file);
    return rc;
}

static enum err meta_create(struct local *l, struct error *e)
{
    l->meta = (struct store_meta){
        .is_clean = true, // nothing is there that could be unclean
        .generation = META_SLOTS - 1,
        .cluster_id = rng_uuid(l->env->rng),
        .store_key = rng_u64(l->env->rng),
    };
    struct file *file;
    enum err rc = disk_open(l->disk, STR("meta.tmp"), DISK_WRITE | DISK_CREATE, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    for (unsigned slot = 0; slot < META_SLOTS && rc == ERR_OK; slot++) {
        struct store_meta m = l->meta;
        m.generation = slot;
        rc = slot_write(file, &m, e);
    }
    if (rc == ERR_OK) {
        rc = local_sync(l, file, e);
    }
    file_close(file);
    if (rc == ERR_OK) {
        rc = disk_rename(l->disk, STR("meta.tmp"), STR("meta"), e);
    }
    return rc == ERR_OK ? local_sync_dir(l, STR(""), e) : rc;
}

struct search {
    bool is_found;
};

static void meta_each_wal(void *arg, struct str name, int64_t size)
{
    (void)size;
    uint64_t number;
    struct search *s = arg;
    s->is_found |= local_name_parse(name, STR(".wal"), &number);
}

enum err meta_open(struct local *l, bool *ret_is_first, struct error *e)
{
    enum err rc = meta_read(l->disk, &l->meta, e);
    *ret_is_first = rc == ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        struct search search = {0};
        rc = disk_list(l->disk, STR("wal"), meta_each_wal, &search, e);
        if (rc == ERR_OK && search.is_found) {
            return FAIL(e, ERR_CORRUPT,
                        "meta is missing, but there is a log: restore the file from a backup");
        }
        if (rc == ERR_OK) {
            rc = meta_create(l, e);
        }
    }
    if (rc == ERR_OK) {
        rc = disk_open(l->disk, STR("meta"), DISK_WRITE, &l->meta_file, e);
    }
    if (rc != ERR_OK) {
        l->meta_file = NULL;
    }
    return rc;
}

enum err meta_save_locked(struct local *l, bool is_clean, struct error *e)
{
    while (l->is_meta_busy) {
        cond_wait(&l->changed, &l->lock, CLOCK_NEVER);
    }
    if (l->is_failed) {
        return FAIL(e, ERR_IO, "the disk failed before");
    }
    l->is_meta_busy = true;
    struct store_meta m = l->meta;
    m.generation++;
    m.is_clean = is_clean;
    if (is_clean) {
        m.object_limit = l->object_last;
    } else if (l->object_last + 1 > m.object_limit) {
        m.object_limit = l->object_last + NUMBERS_RESERVED;
    }
    if (l->is_ready) {
        m.durable_lsn = l->durable_lsn;
        m.stamp_ms = l->stamp_ms;
        m.time_ms = l->time_ms;
    }
    local_unlock(l);
    enum err rc = slot_write(l->meta_file, &m, e);
    if (rc == ERR_OK) {
        rc = local_sync(l, l->meta_file, e);
    }
    local_lock(l);
    if (rc == ERR_OK) {
        l->meta = m;
    }
    l->is_meta_busy = false;
    cond_broadcast(&l->changed);
    return rc;
}

enum err object_number_next(struct local *l, uint64_t *ret_number, struct error *e)
{
    enum err rc = ERR_OK;
    local_lock(l);
    while (l->object_last + 1 > l->meta.object_limit && rc == ERR_OK) {
        rc = meta_save_locked(l, false, e);
    }
    if (rc == ERR_OK) {
        *ret_number = ++l->object_last;
    }
    local_unlock(l);
    return rc;
}
