// SPDX-License-Identifier: Apache-2.0
// Mending the end of the log before it is served: headers that lead nowhere are wiped, and frames that
// nothing vouches for are written again to the same place, because after a failed sync the page cache may
// show what the disk lacks.
//
// Such a frame may have been acknowledged all the same (the last one always is). Power lost in the middle of
// writing it again could tear what had been safe: so a durable copy is made first (wal/tail.copy) and
// outlives the rewriting. Happy path: copy, sync, rename; rewrite, sync; unlink. Interrupted, the next start
// writes the copy back and goes on.
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "engine/local/recover.h"

enum {
    COPY_BYTES = 1 << 20,
    COPY_MAGIC = 0x53545254, // "STRT"
    COPY_VERSION = 1,
    COPY_HEADER_SIZE = 16,
    COPY_PLACE_SIZE = 24,
    COPY_SUM_SIZE = 4,
};
static const struct str copy_path = {"wal/tail.copy", 13};
static const struct str copy_path_tmp = {"wal/tail.tmp", 12};

static int64_t place_end(const struct recovery *r, const struct frame_place *place)
{
    int64_t size = r->files[place->file].size;
    return place->next < size ? place->next : size;
}

// ---- the copy

struct copy_writer {
    struct file *file;
    int64_t position;
    uint32_t sum;
};

static enum err copy_put(struct copy_writer *w, const void *data, size_t len, struct error *e)
{
    enum err rc = file_write_bytes(w->file, w->position, bytes_of(data, len), e);
    w->sum = crc32c(w->sum, data, len);
    w->position += (int64_t)len;
    return rc;
}

static enum err copy_put_place(struct recovery *r, struct copy_writer *w, const struct frame_place *place,
                               uint8_t *scratch, struct error *e)
{
    uint8_t head[COPY_PLACE_SIZE];
    int64_t end = place_end(r, place);
    store_be64(head, r->files[place->file].number);
    store_be64(head + 8, (uint64_t)place->position);
    store_be64(head + 16, (uint64_t)(end - place->position));
    enum err rc = recovery_open(r, place->file, e);
    if (rc == ERR_OK) {
        rc = copy_put(w, head, sizeof head, e);
    }
    for (int64_t at = place->position; at < end && rc == ERR_OK;) {
        size_t len = (size_t)(end - at < COPY_BYTES ? end - at : COPY_BYTES);
        rc = file_read_exact(r->file, at, scratch, len, e);
        if (rc == ERR_OK) {
            rc = copy_put(w, scratch, len, e);
        }
        at += (int64_t)len;
    }
    return rc;
}

static enum err copy_fill(struct recovery *r, struct file *file, uint8_t *scratch, struct error *e)
{
    struct copy_writer w = {.file = file};
    uint8_t head[COPY_HEADER_SIZE] = {0};
    store_be32(head, COPY_MAGIC);
    store_be16(head + 4, COPY_VERSION);
    store_be32(head + 8, r->unsure.count);
    enum err rc = file_truncate(file, 0, e);
    if (rc == ERR_OK) {
        rc = copy_put(&w, head, sizeof head, e);
    }
    for (uint32_t i = 0; i < r->unsure.count && rc == ERR_OK; i++) {
        rc = copy_put_place(r, &w, &r->unsure.ptr[i], scratch, e);
    }
    uint8_t sum[COPY_SUM_SIZE];
    store_be32(sum, w.sum);
    if (rc == ERR_OK) {
        rc = copy_put(&w, sum, sizeof sum, e);
    }
    return rc == ERR_OK ? file_sync(file, e) : rc;
}

static enum err copy_write(struct recovery *r, uint8_t *scratch, struct error *e)
{
    struct file *file;
    enum err rc = disk_open(r->disk, copy_path_tmp, DISK_WRITE | DISK_CREATE, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = copy_fill(r, file, scratch, e);
    file_close(file);
    if (rc == ERR_OK) {
        rc = disk_rename(r->disk, copy_path_tmp, copy_path, e);
    }
    return rc == ERR_OK ? disk_sync_dir(r->disk, STR("wal"), e) : rc;
}

static enum err copy_delete(struct disk *disk, struct error *e)
{
    enum err rc = disk_unlink(disk, copy_path, e);
    rc = rc == ERR_NOT_FOUND ? ERR_OK : rc;
    return rc == ERR_OK ? disk_sync_dir(disk, STR("wal"), e) : rc;
}

// ---- taking up an interrupted mending

// One pass over the copy: the sum of all of it, or with `is_apply` the writing back.
struct copy_pass {
    struct disk *disk;
    struct file *copy;
    int64_t size;
    int64_t position;
    uint32_t sum;
    uint8_t *scratch;
    bool is_apply;
};

// *ret_is_there = false: the copy is shorter than it says.
static enum err copy_take(struct copy_pass *p, size_t len, bool *ret_is_there, struct error *e)
{
    *ret_is_there = (int64_t)len <= p->size - p->position;
    if (!*ret_is_there) {
        return ERR_OK;
    }
    enum err rc = file_read_exact(p->copy, p->position, p->scratch, len, e);
    p->position += (int64_t)len;
    p->sum = rc == ERR_OK ? crc32c(p->sum, p->scratch, len) : p->sum;
    return rc;
}

static enum err copy_pass_place(struct copy_pass *p, bool *ret_is_there, struct error *e)
{
    enum err rc = copy_take(p, COPY_PLACE_SIZE, ret_is_there, e);
    if (rc != ERR_OK || !*ret_is_there) {
        return rc;
    }
    char text[LOCAL_PATH_SIZE];
    struct str path = local_path(text, "wal", load_be64(p->scratch), ".wal");
    int64_t at = (int64_t)load_be64(p->scratch + 8);
    uint64_t left = load_be64(p->scratch + 16);
    struct file *file = NULL;
    if (p->is_apply) {
        rc = disk_open(p->disk, path, DISK_WRITE, &file, e);
    }
    while (left > 0 && rc == ERR_OK && *ret_is_there) {
        size_t len = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        rc = copy_take(p, len, ret_is_there, e);
        if (rc == ERR_OK && *ret_is_there && p->is_apply) {
            rc = file_write_bytes(file, at, bytes_of(p->scratch, len), e);
        }
        at += (int64_t)len;
        left -= len;
    }
    if (rc == ERR_OK && p->is_apply) {
        rc = file_sync(file, e);
    }
    file_close(file);
    return rc;
}

static enum err copy_pass_run(struct copy_pass *p, bool *ret_is_sound, struct error *e)
{
    bool is_there;
    p->position = 0;
    p->sum = 0;
    *ret_is_sound = false;
    enum err rc = copy_take(p, COPY_HEADER_SIZE, &is_there, e);
    if (rc != ERR_OK || !is_there || load_be32(p->scratch) != COPY_MAGIC ||
        load_be16(p->scratch + 4) != COPY_VERSION) {
        return rc;
    }
    uint32_t count = load_be32(p->scratch + 8);
    for (uint32_t i = 0; i < count; i++) {
        rc = copy_pass_place(p, &is_there, e);
        if (rc != ERR_OK || !is_there) {
            return rc;
        }
    }
    uint32_t sum = p->sum;
    rc = copy_take(p, COPY_SUM_SIZE, &is_there, e);
    *ret_is_sound = rc == ERR_OK && is_there && load_be32(p->scratch) == sum && p->position == p->size;
    return rc;
}

enum err recovery_resume(struct disk *disk, struct error *e)
{
    struct copy_pass pass = {.disk = disk};
    enum err rc = disk_open(disk, copy_path, DISK_READ, &pass.copy, e);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    pass.scratch = mem_alloc(COPY_BYTES);
    bool is_sound = false;
    rc = file_size(pass.copy, &pass.size, e);
    if (rc == ERR_OK) {
        rc = copy_pass_run(&pass, &is_sound, e);
    }
    if (rc == ERR_OK && is_sound) { // a damaged copy is of no use: the log itself may still be whole
        pass.is_apply = true;
        rc = copy_pass_run(&pass, &is_sound, e);
    }
    mem_free(pass.scratch);
    file_close(pass.copy);
    return rc == ERR_OK ? copy_delete(disk, e) : rc;
}

// ---- in place

static enum err place_rewrite(struct recovery *r, struct file *file, const struct frame_place *place,
                              uint8_t *scratch, struct error *e)
{
    int64_t end = place_end(r, place);
    for (int64_t at = place->position; at < end;) {
        size_t len = (size_t)(end - at < COPY_BYTES ? end - at : COPY_BYTES);
        enum err rc = file_read_exact(r->file, at, scratch, len, e);
        if (rc == ERR_OK) {
            rc = file_write_bytes(file, at, bytes_of(scratch, len), e);
        }
        if (rc != ERR_OK) {
            return rc;
        }
        at += (int64_t)len;
    }
    return ERR_OK;
}

static bool places_have_file(const struct frame_places *p, uint32_t index)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->ptr[i].file == index) {
            return true;
        }
    }
    return false;
}

static enum err mend_places(struct recovery *r, uint32_t index, struct file *file, uint8_t *scratch,
                            struct error *e)
{
    static const uint8_t zeros[FRAME_HEADER_SIZE];
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < r->unsure.count && rc == ERR_OK; i++) {
        if (r->unsure.ptr[i].file == index) {
            rc = place_rewrite(r, file, &r->unsure.ptr[i], scratch, e);
        }
    }
    for (uint32_t i = 0; i < r->stale.count && rc == ERR_OK; i++) {
        if (r->stale.ptr[i].file == index) {
            rc = file_write_bytes(file, r->stale.ptr[i].position, bytes_of(zeros, sizeof zeros), e);
        }
    }
    return rc == ERR_OK ? file_sync(file, e) : rc;
}

static enum err mend_file(struct recovery *r, uint32_t index, uint8_t *scratch, struct error *e)
{
    if (!places_have_file(&r->unsure, index) && !places_have_file(&r->stale, index)) {
        return ERR_OK;
    }
    char text[LOCAL_PATH_SIZE];
    struct file *file = NULL;
    enum err rc = recovery_open(r, index, e);
    if (rc == ERR_OK) {
        rc =
            disk_open(r->disk, local_path(text, "wal", r->files[index].number, ".wal"), DISK_WRITE, &file, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = mend_places(r, index, file, scratch, e);
    file_close(file);
    r->reader.window_len = 0; // it shows what was there before
    return rc;
}

enum err recovery_mend(struct recovery *r, struct error *e)
{
    ASSERT(r->verdict != LOG_ROTTEN);
    if (plant_is(PLANT_NO_TAIL_REWRITE)) {
        r->unsure.count = 0;
    }
    uint8_t *scratch = mem_alloc(COPY_BYTES);
    enum err rc = r->unsure.count == 0 ? ERR_OK : copy_write(r, scratch, e);
    if (rc == ERR_NO_SPACE) {
        // A full disk must not keep the server from starting, and so from freeing space: without the copy
        // only a power cut at this very moment could do harm.
        (void)!disk_unlink(r->disk, copy_path_tmp, NULL);
        rc = ERR_OK;
    }
    for (uint32_t i = 0; i < r->file_count && rc == ERR_OK; i++) {
        rc = mend_file(r, i, scratch, e);
    }
    mem_free(scratch);
    return rc == ERR_OK && r->unsure.count > 0 ? copy_delete(r->disk, e) : rc;
}
