// SPDX-License-Identifier: Apache-2.0
// The disk as a process sees it: names, open files, and every verb as a step that can be late, short, fail,
// or be the last.
#include "platform/sim/sim_private.h"

struct sim_file {
    struct file file;
    struct sim_process *process;
    struct list of_process;
    struct inode *inode;
    bool is_writable;
};

static struct sim_process *of_disk(struct disk *disk)
{
    return LIST_ENTRY(disk, struct sim_process, disk);
}

static const struct file_ops sim_file_ops;

static struct sim_file *file_of(struct file *file)
{
    ASSERT(file->ops == &sim_file_ops);
    return (struct sim_file *)file;
}

struct inode *file_inode(struct file *file)
{
    return file_of(file)->inode;
}

// verb_begin is the start of every verb: a scheduling point that takes time.
static uint64_t verb_begin(struct sim_process *process, int64_t ns_max)
{
    struct sim_world *world = process->world;
    const struct sim_faults *faults = &process->sim_disk->faults;
    uint64_t number = process_io(process);
    if (sim_chance(world, faults->stall)) {
        fiber_sleep(world_range(world, 0, faults->stall_ns_max));
    }
    fiber_sleep(world_range(world, 0, ns_max));
    return number;
}

// ---- files

static enum err sim_read_at(struct file *file, int64_t position, void *out, size_t len, size_t *ret_len,
                            struct error *e)
{
    struct sim_file *f = file_of(file);
    struct sim_world *world = f->process->world;
    const struct sim_faults *faults = &f->inode->disk->faults;
    uint64_t number = verb_begin(f->process, faults->io_ns_max);
    if (sim_chance(world, faults->read_error)) {
        trace_verb(world, "read error", (struct str){0}, (int64_t)f->inode->id, position);
        process_io_done(f->process, number);
        return FAIL(e, ERR_IO, "read: input/output error (simulated)");
    }
    if (len > 1 && sim_chance(world, faults->short_read)) {
        len = 1 + (size_t)sim_rand(world, len - 1);
    }
    *ret_len = inode_read(f->inode, position, out, len);
    trace_verb(world, "read", (struct str){0}, (int64_t)(f->inode->id << 40) + position, (int64_t)*ret_len);
    process_io_done(f->process, number);
    return ERR_OK;
}

static size_t slices_size(const struct io_slice *slices, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += slices[i].len;
    }
    return len;
}

static void slices_hash(struct sim_world *world, const struct io_slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        world_hash_bytes(world, slices[i].ptr, slices[i].len);
    }
}

static enum err sim_write_at(struct file *file, int64_t position, const struct io_slice *slices, size_t count,
                             size_t *ret_len, struct error *e)
{
    struct sim_file *f = file_of(file);
    ASSERT(count <= IO_SLICES_MAX);
    if (!f->is_writable) {
        return FAIL(e, ERR_IO, "write: the file is open for reading");
    }
    struct sim_world *world = f->process->world;
    const struct sim_faults *faults = &f->inode->disk->faults;
    size_t len = slices_size(slices, count);
    if (position > FILE_SIZE_MAX || (int64_t)len > FILE_SIZE_MAX - position) {
        return FAIL(e, ERR_IO, "write: the file would be too large");
    }
    uint64_t number = verb_begin(f->process, faults->io_ns_max);
    slices_hash(world, slices, count);
    enum err err = sim_chance(world, faults->write_error) ? ERR_IO : ERR_OK;
    err = err == ERR_OK && sim_chance(world, faults->no_space) ? ERR_NO_SPACE : err;
    size_t take = len;
    if (err != ERR_OK || (len > 1 && sim_chance(world, faults->short_write))) {
        take = err == ERR_NO_SPACE ? 0 : (size_t)sim_rand(world, len + 1);
        take = err == ERR_OK && take == 0 ? 1 : take;
    }
    // Other fibers may see the first part without the second, and so may a kill.
    size_t first = take > 1 ? (size_t)sim_rand(world, take) : 0;
    size_t done = inode_write(f->inode, position, slices, count, 0, first);
    process_io_during(f->process, number);
    if (take > SIM_PAGE && sim_chance(world, 100)) {
        fiber_yield();
    }
    if (done == first) {
        done += inode_write(f->inode, position + (int64_t)done, slices, count, done, take - done);
    }
    if (err == ERR_OK && done == 0 && len > 0) {
        err = ERR_NO_SPACE;
    }
    trace_verb(world, "write", str_from_c(err == ERR_OK ? "" : err_name(err)),
               (int64_t)(f->inode->id << 40) + position, (int64_t)done);
    process_io_done(f->process, number);
    if (err != ERR_OK) {
        return FAIL(e, err, "write: %s (simulated)", err_text(err));
    }
    *ret_len = done;
    return ERR_OK;
}

static enum err sim_sync(struct file *file, struct error *e)
{
    struct sim_file *f = file_of(file);
    struct sim_world *world = f->process->world;
    const struct sim_faults *faults = &f->inode->disk->faults;
    uint64_t number = verb_begin(f->process, faults->sync_ns_max / 2);
    if (process_will_crash_during(f->process, number)) {
        inode_sync_some(f->inode);
        process_io_during(f->process, number);
    }
    bool fails = sim_chance(world, faults->sync_error);
    trace_verb(world, fails ? "sync error" : "sync", (struct str){0}, (int64_t)f->inode->id,
               (int64_t)f->inode->dirty_count);
    if (fails) {
        inode_sync_failed(f->inode);
    } else {
        inode_sync(f->inode);
    }
    fiber_sleep(world_range(world, 0, faults->sync_ns_max / 2));
    process_io_done(f->process, number);
    return fails ? FAIL(e, ERR_IO, "sync: input/output error (simulated)") : ERR_OK;
}

static enum err sim_size(struct file *file, int64_t *ret_size, struct error *e)
{
    (void)e;
    struct sim_file *f = file_of(file);
    uint64_t number = process_io(f->process);
    *ret_size = f->inode->size;
    process_io_done(f->process, number);
    return ERR_OK;
}

static enum err sim_truncate(struct file *file, int64_t size, struct error *e)
{
    struct sim_file *f = file_of(file);
    struct sim_world *world = f->process->world;
    if (!f->is_writable) {
        return FAIL(e, ERR_IO, "truncate: the file is open for reading");
    }
    if (size > FILE_SIZE_MAX) {
        return FAIL(e, ERR_IO, "truncate: the file would be too large");
    }
    uint64_t number = verb_begin(f->process, f->inode->disk->faults.io_ns_max);
    bool fails = sim_chance(world, f->inode->disk->faults.write_error);
    if (!fails) {
        inode_truncate(f->inode, size);
    }
    trace_verb(world, "truncate", (struct str){0}, (int64_t)f->inode->id, size);
    process_io_done(f->process, number);
    return fails ? FAIL(e, ERR_IO, "truncate: input/output error (simulated)") : ERR_OK;
}

static void sim_advise_cold(struct file *file, int64_t position, int64_t len)
{
    (void)file_of(file);
    (void)position;
    (void)len;
}

static bool sim_is_cached(struct file *file, int64_t position, int64_t len)
{
    (void)file_of(file);
    (void)len;
    return position / DISK_ALIGN % 2 == 0; // nothing may depend on it
}

static void file_drop(struct sim_file *f)
{
    list_remove(&f->of_process);
    inode_unref(f->inode);
    sys_free(f);
}

static void sim_file_close(struct file *file)
{
    file_drop(file_of(file));
}

static const struct file_ops sim_file_ops = {
    .read_at = sim_read_at,
    .write_at = sim_write_at,
    .sync = sim_sync,
    .size = sim_size,
    .truncate = sim_truncate,
    .advise_cold = sim_advise_cold,
    .advise_soon = sim_advise_cold,
    .is_cached = sim_is_cached,
    .close = sim_file_close,
};

// ---- names

// path_split gives the directory (NULL if there is none) and the name in it.
static struct dir *path_split(const struct sim_disk *disk, struct str path, struct str *ret_name)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/') {
        at--;
    }
    *ret_name = (struct str){path.ptr + at, path.len - at};
    return dir_find(disk, (struct str){path.ptr, at == 0 ? 0 : at - 1});
}

struct inode *disk_inode(const struct sim_disk *disk, struct str path)
{
    struct str name;
    const struct dir *dir = path_split(disk, path, &name);
    return dir == NULL ? NULL : names_find(&dir->live, name);
}

// meta_begin is the start of a verb on names; it says what a fault makes of it.
static enum err meta_begin(struct sim_process *process, const char *verb, struct str path,
                           uint64_t *ret_number, struct error *e)
{
    *ret_number = verb_begin(process, process->sim_disk->faults.io_ns_max);
    trace_verb(process->world, verb, path, 0, 0);
    if (sim_chance(process->world, process->sim_disk->faults.meta_error)) {
        process_io_done(process, *ret_number);
        return FAIL(e, ERR_IO, "%s " STR_FMT ": input/output error (simulated)", verb, STR_ARG(path));
    }
    return ERR_OK;
}

static void op_add(struct sim_disk *disk, enum dir_op_kind kind, struct dir *dir, struct str name,
                   struct inode *inode)
{
    struct dir_op *op = sys_zalloc(sizeof *op);
    op->kind = kind;
    op->dir = dir;
    op->name = sys_text(name);
    op->inode = inode_ref(inode);
    list_push_back(&disk->ops, &op->of_disk);
}

static enum err open_inode(struct sim_disk *disk, struct str path, unsigned flags, struct inode **ret_inode,
                           struct error *e)
{
    struct str name;
    struct dir *dir = path_split(disk, path, &name);
    if (dir == NULL) {
        return FAIL(e, ERR_NOT_FOUND, "open " STR_FMT ": no such directory", STR_ARG(path));
    }
    if (dir_find(disk, path) != NULL || name.len == 0) {
        return FAIL(e, ERR_IO, "open " STR_FMT ": is a directory", STR_ARG(path));
    }
    struct inode *inode = names_find(&dir->live, name);
    if (inode != NULL && (flags & DISK_EXCL) != 0) {
        return FAIL(e, ERR_EXISTS, "open " STR_FMT ": file exists", STR_ARG(path));
    }
    if (inode == NULL && (flags & DISK_CREATE) == 0) {
        return FAIL(e, ERR_NOT_FOUND, "open " STR_FMT ": no such file", STR_ARG(path));
    }
    if (inode != NULL) {
        *ret_inode = inode_ref(inode);
        return ERR_OK;
    }
    if (disk->used_pages >= disk->capacity_pages || sim_chance(disk->world, disk->faults.no_space)) {
        return FAIL(e, ERR_NO_SPACE, "open " STR_FMT ": no space (simulated)", STR_ARG(path));
    }
    inode = inode_create(disk);
    names_set(&dir->live, name, inode);
    op_add(disk, DIR_CREATE, dir, name, inode);
    *ret_inode = inode;
    return ERR_OK;
}

static enum err sim_open(struct disk *d, struct str path, unsigned flags, struct file **ret_file,
                         struct error *e)
{
    struct sim_process *process = of_disk(d);
    uint64_t number;
    enum err err = meta_begin(process, "open", path, &number, e);
    struct inode *inode = NULL;
    if (err == ERR_OK) {
        err = open_inode(process->sim_disk, path, flags, &inode, e);
        if (err == ERR_OK) {
            struct sim_file *f = sys_zalloc(sizeof *f);
            f->file.ops = &sim_file_ops;
            f->process = process;
            f->inode = inode;
            f->is_writable = (flags & DISK_WRITE) != 0;
            list_push_back(&process->files, &f->of_process);
            *ret_file = &f->file;
        }
        process_io_done(process, number);
    }
    return err;
}

static enum err sim_rename(struct disk *d, struct str from, struct str to, struct error *e)
{
    struct sim_process *process = of_disk(d);
    struct sim_disk *disk = process->sim_disk;
    uint64_t number;
    enum err err = meta_begin(process, "rename to", to, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    struct str from_name;
    struct str to_name;
    struct dir *from_dir = path_split(disk, from, &from_name);
    struct dir *to_dir = path_split(disk, to, &to_name);
    struct inode *inode = from_dir == NULL ? NULL : names_find(&from_dir->live, from_name);
    if (inode == NULL || to_dir == NULL) {
        err = FAIL(e, ERR_NOT_FOUND, "rename " STR_FMT ": no such file or directory", STR_ARG(from));
    } else if (dir_find(disk, to) != NULL) {
        err = FAIL(e, ERR_IO, "rename to " STR_FMT ": is a directory", STR_ARG(to));
    } else if (sim_chance(process->world, disk->faults.no_space)) {
        err = FAIL(e, ERR_NO_SPACE, "rename " STR_FMT ": no space (simulated)", STR_ARG(from));
    } else if (names_find(&to_dir->live, to_name) != inode) {
        op_add(disk, DIR_RENAME, to_dir, to_name, inode);
        struct dir_op *op = LIST_ENTRY(disk->ops.prev, struct dir_op, of_disk);
        op->from_dir = from_dir;
        op->from_name = sys_text(from_name);
        names_set(&to_dir->live, to_name, inode);
        names_remove(&from_dir->live, from_name);
    }
    process_io_done(process, number);
    return err;
}

static enum err sim_unlink(struct disk *d, struct str path, struct error *e)
{
    struct sim_process *process = of_disk(d);
    struct sim_disk *disk = process->sim_disk;
    uint64_t number;
    enum err err = meta_begin(process, "unlink", path, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    struct str name;
    struct dir *dir = path_split(disk, path, &name);
    struct inode *inode = dir == NULL ? NULL : names_find(&dir->live, name);
    if (inode == NULL) {
        err = FAIL(e, ERR_NOT_FOUND, "unlink " STR_FMT ": no such file", STR_ARG(path));
    } else {
        op_add(disk, DIR_UNLINK, dir, name, inode);
        names_remove(&dir->live, name);
    }
    process_io_done(process, number);
    return err;
}

static enum err sim_mkdir(struct disk *d, struct str path, struct error *e)
{
    struct sim_process *process = of_disk(d);
    struct sim_disk *disk = process->sim_disk;
    uint64_t number;
    enum err err = meta_begin(process, "mkdir", path, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    struct str name;
    const struct dir *parent = path_split(disk, path, &name);
    if (parent == NULL) {
        err = FAIL(e, ERR_NOT_FOUND, "mkdir " STR_FMT ": no such directory", STR_ARG(path));
    } else if (dir_find(disk, path) == NULL && names_find(&parent->live, name) == NULL) {
        struct dir *dir = sys_zalloc(sizeof *dir);
        dir->path = sys_text(path);
        list_push_back(&disk->dirs, &dir->of_disk);
    }
    process_io_done(process, number);
    return err;
}

static enum err sim_sync_dir(struct disk *d, struct str path, struct error *e)
{
    struct sim_process *process = of_disk(d);
    struct sim_disk *disk = process->sim_disk;
    uint64_t number;
    enum err err = meta_begin(process, "sync dir", path, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    fiber_sleep(world_range(process->world, 0, disk->faults.sync_ns_max));
    struct dir *dir = dir_find(disk, path);
    if (dir == NULL) {
        err = FAIL(e, ERR_NOT_FOUND, "sync directory " STR_FMT ": no such directory", STR_ARG(path));
    } else if (sim_chance(process->world, disk->faults.sync_error)) {
        err = FAIL(e, ERR_IO, "sync directory " STR_FMT ": input/output error (simulated)", STR_ARG(path));
    } else {
        dir_sync(disk, dir);
    }
    process_io_done(process, number);
    return err;
}

static enum err sim_list(struct disk *d, struct str path,
                         void (*each)(void *arg, struct str name, int64_t size), void *arg, struct error *e)
{
    struct sim_process *process = of_disk(d);
    uint64_t number;
    enum err err = meta_begin(process, "list", path, &number, e);
    if (err != ERR_OK) {
        return err;
    }
    const struct dir *dir = dir_find(process->sim_disk, path);
    if (dir == NULL) {
        process_io_done(process, number);
        return FAIL(e, ERR_NOT_FOUND, "list " STR_FMT ": no such directory", STR_ARG(path));
    }
    // A copy on the process's own heap: `each` may change the directory, or be where the process ends.
    struct row {
        int64_t size;
        size_t len;
        char name[SIM_PATH_SIZE];
    };
    size_t count = dir->live.count;
    struct row *rows = mem_array(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        rows[i].size = dir->live.rows[i].inode->size;
        rows[i].len = strlen(dir->live.rows[i].name);
        memcpy(rows[i].name, dir->live.rows[i].name, rows[i].len);
    }
    for (size_t i = 0; i < count; i++) {
        each(arg, (struct str){rows[i].name, rows[i].len}, rows[i].size);
    }
    mem_free(rows);
    process_io_done(process, number);
    return ERR_OK;
}

static enum err sim_space(struct disk *d, int64_t *ret_free, int64_t *ret_total, struct error *e)
{
    struct sim_process *process = of_disk(d);
    const struct sim_disk *disk = process->sim_disk;
    uint64_t number;
    enum err err = meta_begin(process, "space", (struct str){0}, &number, e);
    if (err == ERR_OK) {
        int64_t left = disk->capacity_pages - disk->used_pages;
        *ret_free = left > 0 ? left * SIM_PAGE : 0;
        *ret_total = disk->capacity_pages * SIM_PAGE;
        process_io_done(process, number);
    }
    return err;
}

static enum err sim_lock(struct disk *d, struct error *e)
{
    struct sim_process *process = of_disk(d);
    struct sim_disk *disk = process->sim_disk;
    if (disk->locked_by != NULL && disk->locked_by != process) {
        return FAIL(e, ERR_EXISTS, "the data directory is in use by %s", disk->locked_by->name);
    }
    disk->locked_by = process;
    return ERR_OK;
}

const struct disk_ops sim_disk_ops = {
    .open = sim_open,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .space = sim_space,
    .lock = sim_lock,
};

void disk_process_gone(struct sim_process *process)
{
    while (!list_is_empty(&process->files)) {
        file_drop(LIST_ENTRY(process->files.next, struct sim_file, of_process));
    }
    if (process->sim_disk != NULL && process->sim_disk->locked_by == process) {
        process->sim_disk->locked_by = NULL;
    }
}
