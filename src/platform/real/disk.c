// SPDX-License-Identifier: Apache-2.0
// The data directory on a real file system. Every path is resolved below one directory descriptor, so a later
// rename or unmount of the path that the user gave cannot redirect a write.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real_private.h"

enum { PATH_SIZE = 256, DIR_MODE = 0750, FILE_MODE = 0640, ENTRIES_MAX = 16 << 20 };

_Static_assert(sizeof(struct io_slice) == sizeof(struct iovec), "io_slice is an iovec");
_Static_assert(offsetof(struct io_slice, ptr) == offsetof(struct iovec, iov_base), "io_slice is an iovec");
_Static_assert(offsetof(struct io_slice, len) == offsetof(struct iovec, iov_len), "io_slice is an iovec");

struct real_file {
    struct file base;
    int fd;
    int direct_fd;        // past the page cache; -1 = never
    char path[PATH_SIZE]; // for error texts
};

struct real_disk {
    struct disk base;
    int dir_fd;
    int lock_fd; // -1 until disk_lock
    char *data_dir;
};

static enum err disk_fail(struct error *e, int error, const char *verb, const char *path)
{
    char text[REAL_TEXT_SIZE];
    enum err err = ERR_IO;
    if (error == ENOENT || error == ENOTDIR) {
        err = ERR_NOT_FOUND;
    } else if (error == EEXIST) {
        err = ERR_EXISTS;
    } else if (error == ENOSPC || error == EDQUOT) {
        err = ERR_NO_SPACE;
    }
    return FAIL(e, err, "%s %s: %s", verb, path, real_errno_text(error, text));
}

// env.c has checked the length and that the path stays inside.
static const char *path_text(struct str path, char text[PATH_SIZE])
{
    ASSERT(path.len < PATH_SIZE);
    if (path.len == 0) {
        return ".";
    }
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    return text;
}

static int open_retry(int dir_fd, const char *path, int flags)
{
    int fd;
    do {
        fd = openat(dir_fd, path, flags | O_CLOEXEC, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

// ---- files

static struct real_file *file_of(struct file *base);

static enum err real_read_at(struct file *base, int64_t position, void *out, size_t len, size_t *ret_len,
                             struct error *e)
{
    struct real_file *f = file_of(base);
    ssize_t moved;
    do {
        moved = pread(f->fd, out, len, position);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return disk_fail(e, errno, "read", f->path);
    }
    *ret_len = (size_t)moved;
    return ERR_OK;
}

static bool is_aligned(int64_t position, const struct io_slice *slices, size_t count)
{
    uint64_t bits = (uint64_t)position;
    for (size_t i = 0; i < count; i++) {
        bits |= (uint64_t)(uintptr_t)slices[i].ptr | (uint64_t)slices[i].len;
    }
    return bits % DISK_ALIGN == 0;
}

static ssize_t pwritev_retry(int fd, const struct io_slice *slices, size_t count, int64_t position)
{
    ssize_t moved;
    do {
        moved = pwritev(fd, (const struct iovec *)(const void *)slices, (int)count, position);
    } while (moved < 0 && errno == EINTR);
    return moved;
}

// Some file systems take the flag at open and refuse the writes, or want a larger alignment.
static ssize_t direct_write(struct real_file *f, const struct io_slice *slices, size_t count,
                            int64_t position)
{
    ssize_t moved = pwritev_retry(f->direct_fd, slices, count, position);
    if (moved < 0 && errno == EINVAL) {
        (void)close(f->direct_fd);
        f->direct_fd = -1;
        moved = pwritev_retry(f->fd, slices, count, position);
    }
    return moved;
}

static enum err real_write_at(struct file *base, int64_t position, const struct io_slice *slices,
                              size_t count, size_t *ret_len, struct error *e)
{
    struct real_file *f = file_of(base);
    ASSERT(count <= IO_SLICES_MAX);
    ssize_t moved = f->direct_fd >= 0 && is_aligned(position, slices, count)
                        ? direct_write(f, slices, count, position)
                        : pwritev_retry(f->fd, slices, count, position);
    if (moved < 0) {
        return disk_fail(e, errno, "write", f->path);
    }
    *ret_len = (size_t)moved;
    return ERR_OK;
}

// Not retried even on EINTR: after any failure the kernel may have dropped the dirty pages and a second call
// would report success for data that is lost.
static enum err real_sync(struct file *base, struct error *e)
{
    struct real_file *f = file_of(base);
    return fdatasync(f->fd) == 0 ? ERR_OK : disk_fail(e, errno, "sync", f->path);
}

static enum err real_size(struct file *base, int64_t *ret_size, struct error *e)
{
    struct real_file *f = file_of(base);
    struct stat info;
    if (fstat(f->fd, &info) != 0) {
        return disk_fail(e, errno, "stat", f->path);
    }
    *ret_size = info.st_size;
    return ERR_OK;
}

static enum err real_truncate(struct file *base, int64_t size, struct error *e)
{
    struct real_file *f = file_of(base);
    int status;
    do {
        status = ftruncate(f->fd, size);
    } while (status != 0 && errno == EINTR);
    return status == 0 ? ERR_OK : disk_fail(e, errno, "truncate", f->path);
}

static enum err real_reserve(struct file *base, int64_t from, int64_t to, struct error *e)
{
    struct real_file *f = file_of(base);
    int status;
    do {
        status = to == from ? 0 : fallocate(f->fd, 0, from, to - from);
    } while (status != 0 && errno == EINTR);
    if (status != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        return file_write_zeros(base, from, to, e);
    }
    return status == 0 ? ERR_OK : disk_fail(e, errno, "reserve", f->path);
}

static void real_advise_cold(struct file *base, int64_t position, int64_t len)
{
    (void)posix_fadvise(file_of(base)->fd, position, len, POSIX_FADV_DONTNEED);
}

static void real_advise_soon(struct file *base, int64_t position, int64_t len)
{
    (void)posix_fadvise(file_of(base)->fd, position, len, POSIX_FADV_WILLNEED);
}

// cachestat (Linux 6.5), which the C library does not know yet. Its number is the same everywhere but on
// alpha.
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
struct cachestat_range {
    uint64_t position;
    uint64_t len;
};
struct cachestat_answer {
    uint64_t cached; // pages, as are the others
    uint64_t dirty;
    uint64_t written_back;
    uint64_t evicted;
    uint64_t recently_evicted;
};

static bool real_is_cached(struct file *base, int64_t position, int64_t len)
{
    struct cachestat_range range = {(uint64_t)position, (uint64_t)len};
    struct cachestat_answer answer = {0};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t pages = (range.position + range.len + page - 1) / page - range.position / page;
    return syscall(SYS_cachestat, file_of(base)->fd, &range, &answer, 0) == 0 && answer.cached == pages;
}

static void real_file_close(struct file *base)
{
    struct real_file *f = file_of(base);
    if (f->direct_fd >= 0) {
        (void)close(f->direct_fd);
    }
    (void)close(f->fd); // what matters has been synced; Linux frees the descriptor in every case
    mem_free(f);
}

static const struct file_ops real_file_ops = {
    .read_at = real_read_at,
    .write_at = real_write_at,
    .sync = real_sync,
    .size = real_size,
    .truncate = real_truncate,
    .reserve = real_reserve,
    .advise_cold = real_advise_cold,
    .advise_soon = real_advise_soon,
    .is_cached = real_is_cached,
    .close = real_file_close,
};

static struct real_file *file_of(struct file *base)
{
    ASSERT(base->ops == &real_file_ops);
    return (struct real_file *)base;
}

int real_file_fd(struct file *file)
{
    return file_of(file)->fd;
}

// ---- the directory

static struct real_disk *disk_of(struct disk *base)
{
    return (struct real_disk *)base;
}

static enum err real_open(struct disk *base, struct str path, unsigned flags, struct file **ret_file,
                          struct error *e)
{
    char text[PATH_SIZE];
    int mode = (flags & DISK_WRITE) != 0 ? O_RDWR : O_RDONLY;
    mode |= (flags & DISK_CREATE) != 0 ? O_CREAT : 0;
    mode |= (flags & DISK_EXCL) != 0 ? O_EXCL : 0;
    int fd = open_retry(disk_of(base)->dir_fd, path_text(path, text), mode);
    if (fd < 0) {
        return disk_fail(e, errno, "open", text);
    }
    struct real_file *f = mem_zalloc(sizeof *f);
    f->base.ops = &real_file_ops;
    f->fd = fd;
    f->direct_fd =
        (flags & DISK_DIRECT) != 0 ? open_retry(disk_of(base)->dir_fd, text, O_RDWR | O_DIRECT) : -1;
    path_text(path, f->path);
    *ret_file = &f->base;
    return ERR_OK;
}

static enum err real_rename(struct disk *base, struct str from, struct str to, struct error *e)
{
    char from_text[PATH_SIZE];
    char to_text[PATH_SIZE];
    int dir_fd = disk_of(base)->dir_fd;
    if (renameat(dir_fd, path_text(from, from_text), dir_fd, path_text(to, to_text)) != 0) {
        return disk_fail(e, errno, "rename", from_text);
    }
    return ERR_OK;
}

static enum err real_unlink(struct disk *base, struct str path, struct error *e)
{
    char text[PATH_SIZE];
    if (unlinkat(disk_of(base)->dir_fd, path_text(path, text), 0) != 0) {
        return disk_fail(e, errno, "unlink", text);
    }
    return ERR_OK;
}

static enum err real_mkdir(struct disk *base, struct str path, struct error *e)
{
    char text[PATH_SIZE];
    if (mkdirat(disk_of(base)->dir_fd, path_text(path, text), DIR_MODE) != 0 && errno != EEXIST) {
        return disk_fail(e, errno, "create directory", text);
    }
    return ERR_OK;
}

static enum err real_sync_dir(struct disk *base, struct str path, struct error *e)
{
    char text[PATH_SIZE];
    const char *name = path_text(path, text);
    int fd = open_retry(disk_of(base)->dir_fd, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return disk_fail(e, errno, "open directory", name);
    }
    int error = fsync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return error == 0 ? ERR_OK : disk_fail(e, error, "sync directory", name);
}

struct dir_entry {
    int64_t size;
    char name[PATH_SIZE];
};
struct dir_entries {
    struct dir_entry *rows;
    size_t count;
    size_t cap;
};

static int entry_compare(const void *a, const void *b)
{
    return strcmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

// dir_collect reads all regular files; returns 0 or an errno value.
static int dir_collect(DIR *dir, struct dir_entries *entries)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno;
        }
        struct stat info;
        if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) {
                continue; // removed meanwhile
            }
            return errno;
        }
        if (!S_ISREG(info.st_mode)) {
            continue;
        }
        if (entries->count == ENTRIES_MAX) {
            return EOVERFLOW;
        }
        if (entries->count == entries->cap) {
            entries->cap = entries->cap == 0 ? 64 : entries->cap * 2;
            entries->rows = mem_realloc(entries->rows, entries->cap * sizeof *entries->rows);
        }
        struct dir_entry *row = &entries->rows[entries->count++];
        row->size = info.st_size;
        size_t len = strnlen(entry->d_name, sizeof row->name - 1);
        memcpy(row->name, entry->d_name, len);
        row->name[len] = '\0';
    }
}

static enum err real_list(struct disk *base, struct str path,
                          void (*each)(void *arg, struct str name, int64_t size), void *arg, struct error *e)
{
    char text[PATH_SIZE];
    const char *name = path_text(path, text);
    int fd = open_retry(disk_of(base)->dir_fd, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return disk_fail(e, errno, "open directory", name);
    }
    DIR *dir = fdopendir(fd);
    ASSERT(dir != NULL);
    struct dir_entries entries = {0};
    int error = dir_collect(dir, &entries);
    (void)closedir(dir);
    if (error == 0 && entries.count > 0) {
        qsort(entries.rows, entries.count, sizeof *entries.rows, entry_compare);
        for (size_t i = 0; i < entries.count; i++) {
            each(arg, str_from_c(entries.rows[i].name), entries.rows[i].size);
        }
    }
    mem_free(entries.rows);
    return error == 0 ? ERR_OK : disk_fail(e, error, "list directory", name);
}

static enum err real_space(struct disk *base, int64_t *ret_free, int64_t *ret_total, struct error *e)
{
    struct statvfs info;
    if (fstatvfs(disk_of(base)->dir_fd, &info) != 0) {
        return disk_fail(e, errno, "read free space of", disk_of(base)->data_dir);
    }
    *ret_free = (int64_t)(info.f_bavail * info.f_frsize); // what an unprivileged process may use
    *ret_total = (int64_t)(info.f_blocks * info.f_frsize);
    return ERR_OK;
}

static enum err real_lock(struct disk *base, struct error *e)
{
    struct real_disk *d = disk_of(base);
    if (d->lock_fd >= 0) {
        return ERR_OK; // this process has it
    }
    int fd = open_retry(d->dir_fd, "lock", O_RDWR | O_CREAT);
    if (fd < 0) {
        return disk_fail(e, errno, "open lock in", d->data_dir);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        (void)close(fd);
        if (error == EWOULDBLOCK) {
            return FAIL(e, ERR_EXISTS, "data directory %s is in use by another process", d->data_dir);
        }
        return disk_fail(e, error, "lock", d->data_dir);
    }
    d->lock_fd = fd;
    return ERR_OK;
}

static const struct disk_ops real_disk_ops = {
    .open = real_open,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .sync_dir = real_sync_dir,
    .list = real_list,
    .space = real_space,
    .lock = real_lock,
};

// The entry of a fresh data directory must survive a power cut like everything that is synced into it.
static int parent_sync(int dir_fd)
{
    int fd = open_retry(dir_fd, "..", O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        return errno == EACCES ? 0 : errno; // not ours to read: nothing can be done
    }
    int error = fsync(fd) == 0 ? 0 : errno;
    (void)close(fd);
    return error;
}

enum err real_disk_open(struct str data_dir, struct disk **ret_disk, struct error *e)
{
    if (memchr(data_dir.ptr, '\0', data_dir.len) != NULL) {
        return FAIL(e, ERR_IO, "data directory: its path has a zero byte");
    }
    char *path = mem_zalloc(data_dir.len + 1);
    memcpy(path, data_dir.ptr, data_dir.len);
    bool is_new = mkdir(path, DIR_MODE) == 0;
    int error = is_new || errno == EEXIST ? 0 : errno;
    int fd = -1;
    if (error == 0) {
        fd = open_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
        error = fd < 0 ? errno : 0;
    }
    if (error == 0 && is_new) {
        error = parent_sync(fd);
    }
    if (error != 0) {
        enum err err = disk_fail(e, error, "data directory", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        mem_free(path);
        return err;
    }
    struct real_disk *d = mem_zalloc(sizeof *d);
    *d = (struct real_disk){.base = {&real_disk_ops}, .dir_fd = fd, .lock_fd = -1, .data_dir = path};
    *ret_disk = &d->base;
    return ERR_OK;
}

void real_disk_close(struct disk *take_disk)
{
    if (take_disk == NULL) {
        return;
    }
    struct real_disk *d = disk_of(take_disk);
    if (d->lock_fd >= 0) {
        (void)close(d->lock_fd);
    }
    (void)close(d->dir_fd);
    mem_free(d->data_dir);
    mem_free(d);
}
