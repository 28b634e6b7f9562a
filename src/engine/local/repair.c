// SPDX-License-Identifier: Apache-2.0
// strom repair: cuts the log before the first rotten bundle. Everything that goes is kept beside it, as
// wal/lost-<lsn>-<object>. Interrupted, it can be run again.
#include <stdarg.h>

#include "base/mem.h"
#include "engine/local/local_private.h"

enum { COPY_BYTES = 1 << 20, LOST_MAX = 100, ROUNDS_MAX = 1000 };

struct repair {
    struct env *env;
    bool is_dry_run;
    void (*line)(void *arg, struct str text);
    void *arg;
    struct store_meta meta;
    uint64_t snapshots[SNAPSHOTS_MAX];
    uint32_t snapshot_count;
    uint64_t after_lsn; // newest snapshot that can be read
    struct recovery log;
};

static void repair_line(const struct repair *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void repair_line(const struct repair *r, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0) {
        size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
        r->line(r->arg, (struct str){text, size});
    }
}

static enum err repair_snapshot_find(struct repair *r, struct error *e)
{
    enum err rc = snapshot_list(r->env->disk, r->snapshots, &r->snapshot_count, e);
    for (uint32_t i = r->snapshot_count; i-- > 0 && rc == ERR_OK;) {
        char text[LOCAL_PATH_SIZE];
        struct file *file;
        struct snapshot_header header;
        struct str path = local_path(text, "snap", r->snapshots[i], ".snap");
        rc = disk_open(r->env->disk, path, DISK_READ, &file, e);
        if (rc != ERR_OK) {
            break;
        }
        rc = snapshot_file_verify(file, r->snapshots[i], NULL, &header, e);
        file_close(file);
        if (rc == ERR_OK) {
            r->after_lsn = r->snapshots[i];
            return ERR_OK;
        }
        if (rc == ERR_CORRUPT) {
            repair_line(r, STR_FMT ": damaged, not used", STR_ARG(path));
            rc = ERR_OK;
        }
    }
    return rc;
}

// A name that is free: what an earlier run kept is not overwritten.
static enum err lost_path(const struct repair *r, uint64_t number, char text[LOCAL_PATH_SIZE],
                          struct str *ret_path, struct error *e)
{
    uint64_t lsn = r->log.last_lsn + 1;
    for (int attempt = 0; attempt < LOST_MAX; attempt++) {
        int len = snprintf(text, LOCAL_PATH_SIZE, "wal/lost-%llu-%llu", (unsigned long long)lsn,
                           (unsigned long long)number);
        if (attempt > 0) {
            len += snprintf(text + len, LOCAL_PATH_SIZE - (size_t)len, ".%d", attempt);
        }
        struct file *file;
        *ret_path = (struct str){text, (size_t)len};
        enum err rc = disk_open(r->env->disk, *ret_path, DISK_READ, &file, e);
        if (rc != ERR_OK) {
            return rc == ERR_NOT_FOUND ? ERR_OK : rc;
        }
        file_close(file);
    }
    return FAIL(e, ERR_EXISTS, STR_FMT ": move the files that earlier repairs kept out of the way",
                STR_ARG(*ret_path));
}

static enum err tail_copy(struct file *from, int64_t position, int64_t size, struct file *to, struct error *e)
{
    uint8_t *copy = mem_alloc(COPY_BYTES);
    enum err rc = ERR_OK;
    for (int64_t at = position; at < size && rc == ERR_OK;) {
        size_t len = (size_t)(size - at < COPY_BYTES ? size - at : COPY_BYTES);
        rc = file_read_exact(from, at, copy, len, e);
        if (rc == ERR_OK) {
            rc = file_write_bytes(to, at - position, bytes_of(copy, len), e);
        }
        at += (int64_t)len;
    }
    mem_free(copy);
    return rc == ERR_OK ? file_sync(to, e) : rc;
}

static enum err headers_zero(struct repair *r, struct file *file, struct error *e)
{
    static const uint8_t zeros[FRAME_HEADER_SIZE];
    const struct recovery *log = &r->log;
    enum err rc = ERR_OK;
    if (log->cut_position + FRAME_HEADER_SIZE <= log->files[log->cut_file].size) {
        rc = file_write_bytes(file, log->cut_position, bytes_of(zeros, sizeof zeros), e);
    }
    for (uint32_t i = 0; i < log->stale.count && rc == ERR_OK; i++) {
        if (log->stale.ptr[i].file == log->cut_file) {
            rc = file_write_bytes(file, log->stale.ptr[i].position, bytes_of(zeros, sizeof zeros), e);
        }
    }
    return rc == ERR_OK ? file_sync(file, e) : rc;
}

// The file in which the log ends: its rest is copied, then its headers are wiped.
static enum err repair_cut_file(struct repair *r, bool is_copy, struct error *e)
{
    const struct recovery_file *f = &r->log.files[r->log.cut_file];
    char text[LOCAL_PATH_SIZE], lost[LOCAL_PATH_SIZE];
    struct file *file, *to = NULL;
    enum err rc = disk_open(r->env->disk, local_path(text, "wal", f->number, ".wal"), DISK_WRITE, &file, e);
    if (rc != ERR_OK) {
        return rc;
    }
    if (is_copy) {
        struct str path;
        rc = lost_path(r, f->number, lost, &path, e);
        if (rc == ERR_OK) {
            rc = disk_open(r->env->disk, path, DISK_WRITE | DISK_CREATE, &to, e);
        }
        if (rc == ERR_OK) {
            rc = tail_copy(file, r->log.cut_position, f->size, to, e);
            file_close(to);
        }
    } else {
        rc = headers_zero(r, file, e);
    }
    file_close(file);
    return rc;
}

static enum err repair_rename_rest(struct repair *r, struct error *e)
{
    enum err rc = ERR_OK;
    for (uint32_t i = r->log.cut_file + 1; i < r->log.file_count && rc == ERR_OK; i++) {
        char from[LOCAL_PATH_SIZE], to[LOCAL_PATH_SIZE];
        uint64_t number = r->log.files[i].number;
        struct str path;
        rc = lost_path(r, number, to, &path, e);
        if (rc == ERR_OK) {
            rc = disk_rename(r->env->disk, local_path(from, "wal", number, ".wal"), path, e);
        }
    }
    return rc == ERR_OK ? disk_sync_dir(r->env->disk, STR("wal"), e) : rc;
}

// Damaged snapshots beyond the cut would still say that more had been durable.
static enum err repair_snapshots_rename(struct repair *r, struct error *e)
{
    enum err rc = ERR_OK;
    for (uint32_t i = 0; i < r->snapshot_count && rc == ERR_OK; i++) {
        char from[LOCAL_PATH_SIZE], to[LOCAL_PATH_SIZE];
        if (r->snapshots[i] > r->log.last_lsn) {
            rc = disk_rename(r->env->disk, local_path(from, "snap", r->snapshots[i], ".snap"),
                             local_path(to, "snap", r->snapshots[i], ".lost"), e);
        }
    }
    return rc == ERR_OK ? disk_sync_dir(r->env->disk, STR("snap"), e) : rc;
}

static enum err repair_apply(struct repair *r, struct error *e)
{
    enum err rc = ERR_OK;
    if (r->log.file_count > 0) {
        rc = repair_cut_file(r, true, e);
        if (rc == ERR_OK) {
            rc = repair_rename_rest(r, e);
        }
        if (rc == ERR_OK) {
            rc = repair_cut_file(r, false, e);
        }
    }
    if (rc == ERR_OK) {
        rc = repair_snapshots_rename(r, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    // Last: as long as the mark stands, the log counts as rotten.
    r->meta.generation++;
    r->meta.is_clean = false;
    r->meta.durable_lsn = r->log.last_lsn;
    return meta_write(r->env->disk, &r->meta, e);
}

static void repair_report(const struct repair *r)
{
    const struct recovery *log = &r->log;
    uint64_t highest = log->last_lsn;
    for (uint32_t i = 0; i < log->stale.count; i++) {
        highest = log->stale.ptr[i].lsn > highest ? log->stale.ptr[i].lsn : highest;
    }
    repair_line(r, "wal/%020llu.wal: the bundle at position %lld, lsn %llu, is rotten",
                log->file_count == 0 ? 0ULL : (unsigned long long)log->files[log->cut_file].number,
                (long long)log->cut_position, (unsigned long long)(log->last_lsn + 1));
    repair_line(r,
                "acknowledged up to lsn %llu at least; readable headers follow up to lsn %llu (%u of them)",
                (unsigned long long)log->durable_lsn, (unsigned long long)highest, log->stale.count);
    repair_line(r, "%s the log after lsn %llu; what is dropped %s wal/lost-%llu-*",
                r->is_dry_run ? "would cut" : "cut", (unsigned long long)log->last_lsn,
                r->is_dry_run ? "would be kept as" : "is kept as", (unsigned long long)(log->last_lsn + 1));
}

// One look at the log, and one cut if it needs it.
static enum err repair_round(struct repair *r, bool *ret_is_cut, struct error *e)
{
    uint64_t mark_lsn = r->snapshot_count == 0 ? 0 : r->snapshots[r->snapshot_count - 1];
    recovery_init(&r->log, r->env->disk, &r->meta, r->after_lsn, mark_lsn);
    enum err rc = recovery_scan(&r->log, e);
    *ret_is_cut = rc == ERR_OK && r->log.verdict == LOG_ROTTEN;
    if (*ret_is_cut) {
        rc = r->is_dry_run ? ERR_OK : repair_apply(r, e);
        if (rc == ERR_OK) {
            repair_report(r);
        }
    } else if (rc == ERR_OK) {
        repair_line(r, "the log is sound up to lsn %llu%s", (unsigned long long)r->log.last_lsn,
                    r->log.verdict == LOG_TORN ? " (a start cuts what an unclean stop left)" : "");
    }
    recovery_fini(&r->log);
    return rc;
}

static enum err repair_run(struct repair *r, struct error *e)
{
    enum err rc = r->is_dry_run ? ERR_OK : recovery_resume(r->env->disk, e);
    if (rc == ERR_OK) {
        rc = meta_read(r->env->disk, &r->meta, e);
    }
    // Cutting may uncover more: the end is when the log is sound.
    for (int round = 0; round < ROUNDS_MAX && rc == ERR_OK; round++) {
        bool is_cut;
        rc = repair_snapshot_find(r, e);
        if (rc == ERR_OK) {
            rc = repair_round(r, &is_cut, e);
        }
        if (rc == ERR_OK && (!is_cut || r->is_dry_run)) {
            break;
        }
    }
    return rc;
}

enum err wal_repair(struct env *env, bool is_dry_run, void (*line)(void *arg, struct str text), void *arg,
                    struct error *e)
{
    enum err rc = disk_lock(env->disk, e);
    if (rc != ERR_OK) {
        return rc;
    }
    struct repair *r = mem_zalloc(sizeof *r);
    r->env = env;
    r->is_dry_run = is_dry_run;
    r->line = line;
    r->arg = arg;
    rc = repair_run(r, e);
    mem_free(r);
    return rc;
}
