// SPDX-License-Identifier: Apache-2.0
// The disk as the world sees it: what of its names is on the platter, what a power cut leaves, and the verbs
// by which a test looks at it or damages it.
#include "platform/sim/sim_private.h"

static const int64_t CAPACITY_BYTES = (int64_t)1 << 40;

// ---- names

static bool text_is(const char *text, struct str name)
{
    return str_equal(str_from_c(text), name);
}

// names_seek gives the place of name, or where it would go.
static size_t names_seek(const struct dir_names *names, struct str name)
{
    size_t low = 0;
    size_t high = names->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (str_compare(str_from_c(names->rows[middle].name), name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct inode *names_find(const struct dir_names *names, struct str name)
{
    size_t at = names_seek(names, name);
    return at < names->count && text_is(names->rows[at].name, name) ? names->rows[at].inode : NULL;
}

void names_set(struct dir_names *names, struct str name, struct inode *inode)
{
    inode_ref(inode);
    size_t at = names_seek(names, name);
    if (at < names->count && text_is(names->rows[at].name, name)) {
        inode_unref(names->rows[at].inode);
        names->rows[at].inode = inode;
        return;
    }
    if (names->count == names->cap) {
        names->cap = names->cap == 0 ? 16 : names->cap * 2;
        names->rows = sys_realloc(names->rows, names->cap * sizeof *names->rows);
    }
    memmove(names->rows + at + 1, names->rows + at, (names->count - at) * sizeof *names->rows);
    names->rows[at] = (struct dir_entry){sys_text(name), inode};
    names->count++;
}

void names_remove(struct dir_names *names, struct str name)
{
    size_t at = names_seek(names, name);
    if (at < names->count && text_is(names->rows[at].name, name)) {
        inode_unref(names->rows[at].inode);
        sys_free(names->rows[at].name);
        names->count--;
        memmove(names->rows + at, names->rows + at + 1, (names->count - at) * sizeof *names->rows);
    }
}

static void names_copy(struct dir_names *to, const struct dir_names *from)
{
    for (size_t i = 0; i < from->count; i++) {
        names_set(to, str_from_c(from->rows[i].name), from->rows[i].inode);
    }
}

void names_fini(struct dir_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        inode_unref(names->rows[i].inode);
        sys_free(names->rows[i].name);
    }
    sys_free(names->rows);
    *names = (struct dir_names){0};
}

// ---- directories

struct dir *dir_find(const struct sim_disk *disk, struct str path)
{
    LIST_EACH (node, &disk->dirs) {
        struct dir *dir = LIST_ENTRY(node, struct dir, of_disk);
        if (text_is(dir->path, path)) {
            return dir;
        }
    }
    return NULL;
}

void dir_free(struct dir *dir)
{
    list_remove(&dir->of_disk);
    names_fini(&dir->live);
    names_fini(&dir->durable);
    sys_free(dir->path);
    sys_free(dir);
}

static bool is_parent(const char *parent, const char *child)
{
    const char *slash = strrchr(child, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - child);
    return child[0] != '\0' && strlen(parent) == len && memcmp(parent, child, len) == 0;
}

// ---- operations on names that are not known to be durable

void dir_op_free(struct dir_op *op)
{
    list_remove(&op->of_disk);
    inode_unref(op->inode);
    sys_free(op->name);
    sys_free(op->from_name);
    sys_free(op);
}

static void remove_if(struct dir_names *names, const char *name, const struct inode *inode)
{
    if (names_find(names, str_from_c(name)) == inode) {
        names_remove(names, str_from_c(name));
    }
}

void dir_op_apply(struct dir_op *op)
{
    switch (op->kind) {
    case DIR_CREATE:
        // The name is still taken if the operation that freed it was lost: then this one was lost with it.
        if (names_find(&op->dir->durable, str_from_c(op->name)) == NULL) {
            names_set(&op->dir->durable, str_from_c(op->name), op->inode);
        }
        break;
    case DIR_RENAME:
        names_set(&op->dir->durable, str_from_c(op->name), op->inode);
        remove_if(&op->from_dir->durable, op->from_name, op->inode);
        break;
    case DIR_UNLINK:
        remove_if(&op->dir->durable, op->name, op->inode);
        break;
    }
}

// A rename between directories is durable in the new one only: until the old one is synced too, both names
// may be found after a power cut.
void dir_sync(struct sim_disk *disk, struct dir *dir)
{
    LIST_EACH_SAFE (node, after, &disk->ops) {
        struct dir_op *op = LIST_ENTRY(node, struct dir_op, of_disk);
        if (op->dir != dir) {
            continue;
        }
        if (op->kind == DIR_RENAME && op->from_dir != dir) {
            names_set(&dir->durable, str_from_c(op->name), op->inode);
            sys_free(op->name);
            op->name = op->from_name;
            op->from_name = NULL;
            op->dir = op->from_dir;
            op->kind = DIR_UNLINK;
            continue;
        }
        dir_op_apply(op);
        dir_op_free(op);
    }
    LIST_EACH (node, &disk->dirs) {
        struct dir *child = LIST_ENTRY(node, struct dir, of_disk);
        child->is_durable = child->is_durable || is_parent(dir->path, child->path);
    }
}

// ---- power cut

static void crash_names(struct sim_disk *disk)
{
    struct sim_world *world = disk->world;
    uint64_t style = sim_rand(world, 4);
    unsigned kept_permille = style == 0 ? 0 : style == 1 ? 1000 : 500;
    while (!list_is_empty(&disk->ops)) {
        struct dir_op *op = LIST_ENTRY(disk->ops.next, struct dir_op, of_disk);
        if (sim_chance(world, kept_permille)) {
            dir_op_apply(op);
        }
        dir_op_free(op);
    }
    // Parents come before their children in the list.
    LIST_EACH_SAFE (node, after, &disk->dirs) {
        struct dir *dir = LIST_ENTRY(node, struct dir, of_disk);
        struct str parent = {dir->path, 0};
        const char *slash = strrchr(dir->path, '/');
        parent.len = slash == NULL ? 0 : (size_t)(slash - dir->path);
        dir->is_durable = dir->is_durable || sim_chance(world, kept_permille);
        if (!dir->is_durable || (dir->path[0] != '\0' && dir_find(disk, parent) == NULL)) {
            dir_free(dir);
        }
    }
    LIST_EACH (node, &disk->dirs) {
        struct dir *dir = LIST_ENTRY(node, struct dir, of_disk);
        names_fini(&dir->live);
        names_copy(&dir->live, &dir->durable);
    }
}

void sim_disk_crash(struct sim_disk *disk)
{
    ASSERT(disk->locked_by == NULL);
    crash_names(disk);
    LIST_EACH (node, &disk->inodes) {
        inode_power_cut(LIST_ENTRY(node, struct inode, of_disk));
    }
    trace_verb(disk->world, "power cut", (struct str){0}, disk->used_pages, 0);
}

// ---- life

struct sim_disk *sim_disk_create(struct sim_world *world)
{
    struct sim_disk *disk = sys_zalloc(sizeof *disk);
    disk->world = world;
    disk->capacity_pages = CAPACITY_BYTES / SIM_PAGE;
    list_init(&disk->dirs);
    list_init(&disk->ops);
    list_init(&disk->inodes);
    list_push_back(&world->disks, &disk->of_world);
    struct dir *root = sys_zalloc(sizeof *root);
    root->path = sys_text(STR(""));
    root->is_durable = true;
    list_push_back(&disk->dirs, &root->of_disk);
    return disk;
}

void disk_destroy(struct sim_disk *disk)
{
    while (!list_is_empty(&disk->ops)) {
        dir_op_free(LIST_ENTRY(disk->ops.next, struct dir_op, of_disk));
    }
    while (!list_is_empty(&disk->dirs)) {
        dir_free(LIST_ENTRY(disk->dirs.next, struct dir, of_disk));
    }
    ASSERT(list_is_empty(&disk->inodes));
    list_remove(&disk->of_world);
    sys_free(disk);
}

// The clone of an inode is found through its place in the list of inodes, which is the same in both disks.
static struct inode *inode_twin(const struct sim_disk *from, struct sim_disk *to, const struct inode *inode)
{
    struct list *twin = to->inodes.next;
    LIST_EACH (node, &from->inodes) {
        if (LIST_ENTRY(node, struct inode, of_disk) == inode) {
            return LIST_ENTRY(twin, struct inode, of_disk);
        }
        twin = twin->next;
    }
    UNREACHABLE("an inode is not in its disk's list");
}

static void clone_names(const struct sim_disk *from, struct sim_disk *to, const struct dir_names *names,
                        struct dir_names *ret_names)
{
    for (size_t i = 0; i < names->count; i++) {
        names_set(ret_names, str_from_c(names->rows[i].name), inode_twin(from, to, names->rows[i].inode));
    }
}

static void clone_dirs(const struct sim_disk *from, struct sim_disk *to)
{
    LIST_EACH (node, &from->dirs) {
        const struct dir *dir = LIST_ENTRY(node, struct dir, of_disk);
        struct dir *copy = dir_find(to, str_from_c(dir->path)); // the root exists
        if (copy == NULL) {
            copy = sys_zalloc(sizeof *copy);
            copy->path = sys_text(str_from_c(dir->path));
            list_push_back(&to->dirs, &copy->of_disk);
        }
        copy->is_durable = dir->is_durable;
        clone_names(from, to, &dir->live, &copy->live);
        clone_names(from, to, &dir->durable, &copy->durable);
    }
}

struct sim_disk *sim_disk_clone(struct sim_world *world, const struct sim_disk *disk)
{
    struct sim_disk *copy = sim_disk_create(world);
    copy->faults = disk->faults;
    copy->capacity_pages = disk->capacity_pages;
    LIST_EACH (node, &disk->inodes) {
        inode_clone(copy, LIST_ENTRY(node, struct inode, of_disk));
    }
    clone_dirs(disk, copy);
    LIST_EACH (node, &disk->ops) {
        const struct dir_op *op = LIST_ENTRY(node, struct dir_op, of_disk);
        struct dir_op *twin = sys_zalloc(sizeof *twin);
        twin->kind = op->kind;
        twin->dir = dir_find(copy, str_from_c(op->dir->path));
        twin->name = sys_text(str_from_c(op->name));
        if (op->from_dir != NULL && op->from_name != NULL) {
            twin->from_dir = dir_find(copy, str_from_c(op->from_dir->path));
            twin->from_name = sys_text(str_from_c(op->from_name));
        }
        twin->inode = inode_ref(inode_twin(disk, copy, op->inode));
        list_push_back(&copy->ops, &twin->of_disk);
    }
    // Each clone was made with one reference, which only its names should hold from here on.
    LIST_EACH_SAFE (node, after, &copy->inodes) {
        inode_unref(LIST_ENTRY(node, struct inode, of_disk));
    }
    return copy;
}

// ---- for tests

void sim_disk_set_faults(struct sim_disk *disk, const struct sim_faults *faults)
{
    disk->faults = *faults;
}

struct sim_faults sim_disk_faults(const struct sim_disk *disk)
{
    return disk->faults;
}

void sim_disk_set_capacity(struct sim_disk *disk, int64_t bytes)
{
    disk->capacity_pages = bytes / SIM_PAGE;
}

int64_t sim_disk_file_size(const struct sim_disk *disk, struct str path)
{
    const struct inode *inode = disk_inode(disk, path);
    return inode == NULL ? -1 : inode->size;
}

size_t sim_disk_read(const struct sim_disk *disk, struct str path, int64_t position, void *out, size_t len)
{
    const struct inode *inode = disk_inode(disk, path);
    return inode == NULL ? 0 : inode_read(inode, position, out, len);
}

bool sim_disk_rot(struct sim_disk *disk, struct str path, int64_t position, unsigned bit)
{
    struct inode *inode = disk_inode(disk, path);
    if (inode == NULL || !inode_rot(inode, position, bit)) {
        return false;
    }
    trace_verb(disk->world, "rot", path, position, bit);
    return true;
}

bool sim_disk_rot_any(struct sim_disk *disk, struct str prefix)
{
    // Reservoir sampling: each file found replaces the choice with a chance of one in those seen so far.
    char chosen[2 * SIM_PATH_SIZE] = "";
    uint64_t seen = 0;
    LIST_EACH (node, &disk->dirs) {
        const struct dir *dir = LIST_ENTRY(node, struct dir, of_disk);
        for (size_t i = 0; i < dir->live.count; i++) {
            char path[2 * SIM_PATH_SIZE];
            snprintf(path, sizeof path, "%s%s%s", dir->path, dir->path[0] == '\0' ? "" : "/",
                     dir->live.rows[i].name);
            if (dir->live.rows[i].inode->size > 0 && str_has_prefix(str_from_c(path), prefix) &&
                sim_rand(disk->world, ++seen) == 0) {
                memcpy(chosen, path, sizeof chosen);
            }
        }
    }
    struct str path = str_from_c(chosen);
    return seen > 0 &&
           sim_disk_rot(disk, path, (int64_t)sim_rand(disk->world, (uint64_t)sim_disk_file_size(disk, path)),
                        (unsigned)sim_rand(disk->world, 8));
}
