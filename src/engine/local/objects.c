// SPDX-License-Identifier: Apache-2.0
// The table of objects: WAL files and merged objects, what pins them, which of them are open, and how they
// go. An object that was dropped gives no new pins; when the last one is gone its file is deleted or
// recycled. Descriptors of pinned objects are opened on first use and kept; of unpinned ones a bounded
// number.
#include "base/mem.h"
#include "engine/local/local_private.h"

struct object *object_new(uint64_t number, int64_t size, bool is_wal)
{
    struct object *o = mem_zalloc(sizeof *o);
    o->number = number;
    o->size = size;
    o->is_wal = is_wal;
    o->is_sealed = true;
    return o;
}

void object_free(struct object *take_object)
{
    if (take_object != NULL) {
        file_close(take_object->file);
        mem_free(take_object->pending_memory);
        mem_free(take_object);
    }
}

// Numbers are ours and dense: no seed is needed.
static uint64_t object_hash(uint64_t number)
{
    return number * 0x9e3779b97f4a7c15ULL;
}

void object_table_add_locked(struct local *l, struct object *o)
{
    ASSERT(object_find_locked(l, o->number) == NULL);
    map_insert(&l->objects, &o->node, object_hash(o->number));
    list_push_back(&l->object_list, &o->link);
}

struct object *object_find_locked(const struct local *l, uint64_t number)
{
    for (struct map_node *n = map_first(&l->objects, object_hash(number)); n != NULL; n = map_next(n)) {
        struct object *o = MAP_ENTRY(n, struct object, node);
        if (o->number == number) {
            return o;
        }
    }
    return NULL;
}

static void object_forget_locked(struct local *l, struct object *o)
{
    map_remove(&l->objects, &o->node);
    list_remove(&o->link);
    list_remove(&o->dropped);
    if (list_is_linked(&o->idle)) {
        list_remove(&o->idle);
        l->open_idle_count--;
    }
}

static struct str object_path(char text[LOCAL_PATH_SIZE], const struct object *o)
{
    if (o->is_wal) {
        return local_path(text, "wal", o->number, ".wal");
    }
    return local_path(text, "obj", o->number, o->is_sealed ? ".obj" : ".tmp");
}

// ---- start and end

static void objects_each(void *arg, struct str name, int64_t size)
{
    struct local *l = arg;
    uint64_t number;
    if (!local_name_parse(name, STR(".obj"), &number)) {
        return;
    }
    local_lock(l);
    object_table_add_locked(l, object_new(number, size, false));
    l->object_last = number > l->object_last ? number : l->object_last;
    local_unlock(l);
}

enum err objects_load(struct local *l, struct error *e)
{
    return disk_list(l->disk, STR("obj"), objects_each, l, e);
}

struct leftovers {
    struct disk *disk;
    const char *dir;
    enum err rc;
    struct error *e;
    struct buf paths; // zero-terminated
};

static void leftovers_each(void *arg, struct str name, int64_t size)
{
    struct leftovers *left = arg;
    (void)size;
    const struct str suffix = STR(".tmp");
    if (name.len > suffix.len && name.len < LOCAL_PATH_SIZE / 2 &&
        str_equal((struct str){name.ptr + name.len - suffix.len, suffix.len}, suffix)) {
        buf_printf(&left->paths, "%s/" STR_FMT, left->dir, STR_ARG(name));
        buf_u8(&left->paths, 0);
    }
}

enum err objects_clean(struct local *l, struct error *e)
{
    static const char *const dirs[] = {"obj", "wal", "snap"};
    enum err rc = ERR_OK;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && rc == ERR_OK; i++) {
        struct leftovers left = {.disk = l->disk, .dir = dirs[i], .e = e};
        buf_init(&left.paths, 16 << 20);
        rc = disk_list(l->disk, str_from_c(dirs[i]), leftovers_each, &left, e);
        for (size_t at = 0; at < left.paths.len && rc == ERR_OK;) {
            struct str path = str_from_c((const char *)left.paths.ptr + at);
            rc = disk_unlink(l->disk, path, e);
            at += path.len + 1;
        }
        buf_fini(&left.paths);
    }
    return rc;
}

void objects_fini(struct local *l)
{
    LIST_EACH_SAFE (node, after, &l->object_list) {
        struct object *o = LIST_ENTRY(node, struct object, link);
        object_forget_locked(l, o);
        object_free(o);
    }
    map_fini(&l->objects);
}

// ---- going

static bool object_may_go(const struct local *l, const struct object *o)
{
    if (o->is_current || o->is_opening || (o->is_wal && o->last_lsn > l->snapshot_lsn)) {
        return false;
    }
    return o->pins == 0 || (o->is_wal && plant_is(PLANT_RECYCLE_PINNED_WAL));
}

// A planted bug: the file is given a new number, and so new content, while a reader still holds it.
static struct object *object_copy_pinned(struct object *o)
{
    struct object *copy = object_new(o->number, o->size, true);
    copy->last_lsn = o->last_lsn;
    return copy;
}

// spares_max_locked: under load the files of a whole round of merges come back at once, and are written over
// during the next one: their blocks are there and, as they were just read, their pages too (wal.c).
static size_t spares_max_locked(const struct local *l)
{
    int64_t room = l->free_bytes - l->options.disk_reserve_bytes;
    int64_t count = room / (l->options.wal_file_bytes * SPARES_DISK_SHARE);
    count = count < SPARES_MIN ? SPARES_MIN : count;
    return count < SPARES_MAX ? (size_t)count : SPARES_MAX;
}

// A WAL file goes to the spares, under its old name until it is used; everything else is deleted.
static enum err object_retire(struct local *l, struct object *take_object, struct error *e)
{
    struct object *o = take_object;
    file_close(o->file);
    o->file = NULL;
    if (o->is_wal && o->size == l->options.wal_file_bytes) {
        local_lock(l);
        bool is_kept = l->spare_count < spares_max_locked(l);
        if (is_kept) {
            list_push_back(&l->spares, &o->link);
            l->spare_count++;
        }
        local_unlock(l);
        if (is_kept) {
            return ERR_OK;
        }
    }
    char text[LOCAL_PATH_SIZE];
    enum err rc = disk_unlink(l->disk, object_path(text, o), e);
    object_free(o);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err objects_reclaim(struct local *l, struct error *e)
{
    enum err rc = ERR_OK;
    for (;;) {
        struct object *found = NULL;
        local_lock(l);
        LIST_EACH (node, &l->dropped) {
            struct object *o = LIST_ENTRY(node, struct object, dropped);
            if (object_may_go(l, o)) {
                found = o;
                break;
            }
        }
        if (found != NULL) {
            object_forget_locked(l, found);
            if (found->pins > 0) { // only with a planted bug; the pinned one is never freed
                found = object_copy_pinned(found);
            }
        }
        local_unlock(l);
        if (found == NULL) {
            return rc;
        }
        enum err one = object_retire(l, found, e);
        rc = rc == ERR_OK ? one : rc;
    }
}

void local_object_drop(struct engine *engine, uint64_t object)
{
    struct local *l = local_of(engine);
    local_lock(l);
    struct object *o = object_find_locked(l, object);
    if (o != NULL && !o->is_dropped && !l->is_read_only && !l->is_failed) {
        o->is_dropped = true;
        list_push_back(&l->dropped, &o->dropped);
    }
    local_unlock(l);
    // What could not be deleted now is listed again at the next start.
    (void)!objects_reclaim(l, NULL);
}

// ---- writing

enum err local_object_create(struct engine *engine, uint64_t *ret_object, struct error *e)
{
    struct local *l = local_of(engine);
    uint64_t number = 0;
    local_lock(l);
    enum err rc = local_writable_locked(l, e);
    local_unlock(l);
    if (rc == ERR_OK) {
        rc = object_number_next(l, &number, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    struct object *o = object_new(number, 0, false);
    o->is_sealed = false;
    char text[LOCAL_PATH_SIZE];
    rc = disk_open(l->disk, object_path(text, o), DISK_WRITE | DISK_CREATE | DISK_EXCL | DISK_DIRECT,
                   &o->file, e);
    if (rc != ERR_OK) {
        o->file = NULL;
        object_free(o);
        return rc;
    }
    local_lock(l);
    object_table_add_locked(l, o);
    local_unlock(l);
    *ret_object = number;
    return ERR_OK;
}

// An unsealed object belongs to its one writer: once found it needs no lock.
static struct object *object_unsealed_get(struct local *l, uint64_t number)
{
    local_lock(l);
    struct object *o = object_find_locked(l, number);
    local_unlock(l);
    ASSERT(o != NULL);
    ASSERT(!o->is_sealed && !o->is_dropped);
    return o;
}

// Merged records are old: they go past the page cache, which the log and its readers need.
static enum err pending_write(struct local *l, struct object *o, struct error *e)
{
    int64_t from = o->size - (int64_t)o->pending_len;
    enum err rc = file_write_bytes(o->file, from, bytes_of(o->pending, o->pending_len), e);
    o->pending_len = 0;
    bool is_due = from / OBJECT_SYNC_BYTES != o->size / OBJECT_SYNC_BYTES;
    return rc == ERR_OK && is_due ? local_sync(l, o->file, e) : rc;
}

enum err local_object_append(struct engine *engine, uint64_t object, struct bytes data, struct error *e)
{
    struct local *l = local_of(engine);
    struct object *o = object_unsealed_get(l, object);
    if (o->pending == NULL) {
        o->pending_memory = mem_alloc(OBJECT_WRITE_BYTES + DISK_ALIGN);
        o->pending = local_align(o->pending_memory);
    }
    enum err rc = ERR_OK;
    for (size_t at = 0; at < data.len && rc == ERR_OK;) {
        size_t room = OBJECT_WRITE_BYTES - o->pending_len;
        size_t step = data.len - at < room ? data.len - at : room;
        memcpy(o->pending + o->pending_len, data.ptr + at, step);
        o->pending_len += step;
        o->size += (int64_t)step;
        at += step;
        rc = o->pending_len == OBJECT_WRITE_BYTES ? pending_write(l, o, e) : ERR_OK;
    }
    return rc;
}

static void pending_free(struct object *o)
{
    mem_free(o->pending_memory);
    o->pending_memory = o->pending = NULL;
    o->pending_len = 0;
}

enum err local_object_seal(struct engine *engine, uint64_t object, struct error *e)
{
    struct local *l = local_of(engine);
    struct object *o = object_unsealed_get(l, object);
    char from[LOCAL_PATH_SIZE], to[LOCAL_PATH_SIZE];
    enum err rc = o->pending_len > 0 ? pending_write(l, o, e) : ERR_OK;
    rc = rc == ERR_OK ? local_sync(l, o->file, e) : rc;
    if (rc == ERR_OK) {
        rc = disk_rename(l->disk, object_path(from, o), local_path(to, "obj", object, ".obj"), e);
    }
    if (rc == ERR_OK) {
        rc = local_sync_dir(l, STR("obj"), e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    struct file *file = o->file;
    pending_free(o);
    local_lock(l);
    o->file = NULL; // it was open for writing; readers open it anew
    o->is_sealed = true;
    local_unlock(l);
    file_close(file);
    return ERR_OK;
}

// ---- reading

struct object *local_object_pin(struct engine *engine, uint64_t object)
{
    struct local *l = local_of(engine);
    local_lock(l);
    struct object *o = object_find_locked(l, object);
    if (o != NULL && (o->is_dropped || !o->is_sealed)) {
        o = NULL;
    }
    if (o != NULL && o->pins++ == 0 && list_is_linked(&o->idle)) {
        list_remove(&o->idle);
        l->open_idle_count--;
    }
    local_unlock(l);
    return o;
}

void local_object_unpin(struct engine *engine, struct object *o)
{
    struct local *l = local_of(engine);
    struct file *surplus = NULL;
    local_lock(l);
    ASSERT(o->pins > 0);
    o->pins--;
    if (o->pins == 0 && o->file != NULL && !o->is_current && !o->is_dropped) {
        list_push_back(&l->open_idle, &o->idle);
        l->open_idle_count++;
    }
    if (l->open_idle_count > OPEN_FILES_MAX) {
        struct object *oldest = LIST_ENTRY(list_pop_front(&l->open_idle), struct object, idle);
        l->open_idle_count--;
        surplus = oldest->file;
        oldest->file = NULL;
    }
    local_unlock(l);
    file_close(surplus);
}

// The object is pinned, so its file stays once it is open.
static enum err object_open(struct local *l, struct object *o, struct file **ret_file, struct error *e)
{
    local_lock(l);
    ASSERT(o->pins > 0);
    while (o->is_opening) {
        cond_wait(&l->changed, &l->lock, CLOCK_NEVER);
    }
    if (o->file != NULL) {
        *ret_file = o->file;
        local_unlock(l);
        return ERR_OK;
    }
    o->is_opening = true;
    local_unlock(l);
    char text[LOCAL_PATH_SIZE];
    struct file *file = NULL;
    enum err rc = disk_open(l->disk, object_path(text, o), DISK_READ, &file, e);
    local_lock(l);
    o->is_opening = false;
    if (rc == ERR_OK) {
        o->file = file;
        *ret_file = file;
    }
    cond_broadcast(&l->changed);
    local_unlock(l);
    return rc;
}

// What was written past the page cache comes back in small pieces here and there, when it is merged or caught
// up with: the first of them brings the pages around it in one sweep, and those behind them, which come while
// these are used.
static void object_warm(struct local *l, struct object *o, struct file *file, int64_t position, size_t len)
{
    int64_t window = o->size / WARM_WINDOWS > WARM_BYTES_MIN ? o->size / WARM_WINDOWS : WARM_BYTES_MIN;
    int64_t end = position + (int64_t)len + window;
    for (int64_t i = position / window; i * window < end && i < WARM_WINDOWS; i++) {
        uint64_t bit = UINT64_C(1) << i;
        local_lock(l);
        bool is_cold = !o->is_current && (o->warmed & bit) == 0;
        o->warmed |= is_cold ? bit : 0;
        local_unlock(l);
        if (is_cold) {
            file_advise_soon(file, i * window, window);
        }
    }
}

enum err local_object_read(struct engine *engine, struct object *o, int64_t position, void *out, size_t len,
                           struct error *e)
{
    struct local *l = local_of(engine);
    if (position < 0 || len > (size_t)o->size || position > o->size - (int64_t)len) {
        return FAIL(e, ERR_CORRUPT, "object %llu: %zu bytes at %lld lie past its end at %lld",
                    (unsigned long long)o->number, len, (long long)position, (long long)o->size);
    }
    struct file *file;
    enum err rc = object_open(l, o, &file, e);
    if (rc == ERR_OK && o->is_wal) {
        object_warm(l, o, file, position, len);
    }
    return rc == ERR_OK ? file_read_exact(file, position, out, len, e) : rc;
}

struct file *local_object_file(struct engine *engine, struct object *o)
{
    // A queued sendfile shows later bytes if its file is overwritten (measured): never from a WAL file.
    struct file *file = NULL;
    if (o->is_wal || object_open(local_of(engine), o, &file, NULL) != ERR_OK) {
        return NULL;
    }
    return file;
}

int64_t local_object_size(struct engine *engine, struct object *o)
{
    (void)engine;
    return o->size;
}

enum err local_objects(struct engine *engine, void (*each)(void *arg, const struct engine_object_info *info),
                       void *arg, struct error *e)
{
    struct local *l = local_of(engine);
    (void)e;
    local_lock(l);
    struct engine_object_info *infos = mem_array(l->objects.count + 1, sizeof *infos);
    size_t count = 0;
    LIST_EACH (node, &l->object_list) {
        struct object *o = LIST_ENTRY(node, struct object, link);
        if (o->is_dropped || !o->is_sealed) {
            continue;
        }
        infos[count++] = (struct engine_object_info){
            .object = o->number,
            .is_wal = o->is_wal,
            .is_current = o->is_current,
            .last_lsn = o->is_current ? l->last_lsn : o->last_lsn,
            .size = o->size,
        };
    }
    local_unlock(l);
    // Called without the lock: it may drop what it sees.
    for (size_t i = 0; i < count; i++) {
        each(arg, &infos[i]);
    }
    mem_free(infos);
    return ERR_OK;
}
