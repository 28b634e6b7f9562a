// SPDX-License-Identifier: Apache-2.0
// Writing the log: a bundle becomes one frame, one gathered write and, unless it may wait, one sync.
// Invariants: a block that holds an acknowledged frame is never written again; the file before is durable
// before the next one takes a frame; durable_lsn moves only after a sync that began when the frame had been
// written. Failure: a write or sync that fails is fatal; only making a new file may run out of space.
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/plant.h"
#include "engine/local/local_private.h"

static const int64_t time_leap_max_ms = 366LL * 24 * 3600 * 1000;
enum { NS_PER_MS = 1000000 };

// ---- time

// Retention and expiry advance with the monotonic clock from here. A wall clock that stands behind what was
// given out, or absurdly far ahead, is not believed.
void wal_time_start(struct local *l, int64_t stamp_ms, int64_t time_ms)
{
    int64_t wall_ms = clock_wall_ms(l->env->clock);
    bool is_sane = wall_ms >= time_ms && (time_ms == 0 || wall_ms - time_ms <= time_leap_max_ms);
    l->stamp_ms = stamp_ms;
    l->time_ms = time_ms;
    l->time_base_ms = is_sane ? wall_ms : time_ms;
    l->time_base_ns = clock_mono_ns(l->env->clock);
}

static void wal_time_now(struct local *l, int64_t now_ns)
{
    int64_t wall_ms = clock_wall_ms(l->env->clock);
    int64_t time_ms = l->time_base_ms + (now_ns - l->time_base_ns) / NS_PER_MS;
    time_ms = plant_is(PLANT_TIME_FOLLOWS_WALL) ? wall_ms : time_ms;
    local_lock(l);
    l->stamp_ms = wall_ms > l->stamp_ms ? wall_ms : l->stamp_ms;
    l->time_ms = time_ms > l->time_ms ? time_ms : l->time_ms;
    local_unlock(l);
}

// ---- ownership of the write position

bool wal_own_locked(struct local *l)
{
    while (l->is_writing) {
        cond_wait(&l->changed, &l->lock, CLOCK_NEVER);
    }
    if (l->is_failed || l->is_read_only) {
        return false;
    }
    l->is_writing = true;
    return true;
}

void wal_release_locked(struct local *l)
{
    ASSERT(l->is_writing);
    l->is_writing = false;
    cond_broadcast(&l->changed);
}

// ---- one frame

// Most of it is gathered in aligned memory, which goes to the disk directly: measured, a fraction of the time
// that the page cache takes for pages it has not held yet. What is large, synced or not, goes to pages that
// are there, as they are in a log file that was merged and came back: then merging it again costs no reading.
// So does a little that need not be synced (strom.durability=os). To pages it goes in slices, written when
// there are too many for one call.
struct gather {
    struct local *local;
    bool is_staged;
    int64_t position;
    size_t count;
    size_t bytes;
};

static enum err gather_flush(struct gather *g, struct error *e)
{
    struct local *l = g->local;
    enum err rc = ERR_OK;
    if (g->is_staged) {
        rc = file_write_bytes(l->current->file, g->position, bytes_of(l->staging, g->bytes), e);
    } else if (g->count > 0) {
        rc = file_write_full(l->current->file, g->position, l->slices, g->count, e);
    }
    g->position += (int64_t)g->bytes;
    g->count = g->bytes = 0;
    return rc;
}

static void staging_reserve(struct local *l, int64_t size)
{
    size_t wanted = size < STAGING_BYTES_MAX ? (size_t)wal_align(size) : STAGING_BYTES_MAX;
    if (wanted > l->staging_size) {
        mem_free(l->staging_memory);
        size_t grown = l->staging_size * 2 < STAGING_BYTES_MAX ? l->staging_size * 2 : STAGING_BYTES_MAX;
        l->staging_size = wanted > grown ? wanted : grown;
        l->staging_memory = mem_alloc(l->staging_size + DISK_ALIGN);
        l->staging = local_align(l->staging_memory);
    }
}

static enum err stage(struct gather *g, const uint8_t *ptr, size_t len, struct error *e)
{
    struct local *l = g->local;
    enum err rc = ERR_OK;
    while (len > 0 && rc == ERR_OK) {
        size_t room = l->staging_size - g->bytes;
        size_t step = len < room ? len : room;
        memcpy(l->staging + g->bytes, ptr, step);
        g->bytes += step;
        ptr += step;
        len -= step;
        rc = g->bytes == l->staging_size ? gather_flush(g, e) : ERR_OK;
    }
    return rc;
}

static enum err gather_add(struct gather *g, const void *ptr, size_t len, struct error *e)
{
    if (len == 0) {
        return ERR_OK;
    }
    if (g->is_staged) {
        return stage(g, ptr, len, e);
    }
    enum err rc = g->count == IO_SLICES_MAX ? gather_flush(g, e) : ERR_OK;
    union {
        const void *in;
        void *out;
    } same = {.in = ptr}; // one slice type serves reading and writing
    g->local->slices[g->count++] = (struct io_slice){.ptr = same.out, .len = len};
    g->bytes += len;
    return rc;
}

static int64_t bundle_size(const struct bundle *b)
{
    return FRAME_HEADER_SIZE + (int64_t)b->meta.len + (int64_t)b->entry_count * FRAME_ENTRY_SIZE +
           (int64_t)b->payload_size;
}

// Writes header, body, payload and padding at the write position and moves it.
static enum err frame_write(struct local *l, struct wal_frame *f, const struct bundle *b, struct error *e)
{
    static const uint8_t zeros[FRAME_ALIGN];
    uint8_t header[FRAME_HEADER_SIZE];
    buf_reset(&l->body);
    uint64_t payload_len = 0;
    for (uint32_t i = 0; i < b->entry_count; i++) {
        uint8_t *at = buf_reserve(&l->body, FRAME_ENTRY_SIZE);
        payload_entry_encode(&b->entries[i], at);
        l->body.len += FRAME_ENTRY_SIZE;
        payload_len += b->entries[i].length;
    }
    ASSERT(payload_len == b->payload_size); // recovery counts on it
    f->store_key = l->store_key;
    f->file = l->current->number;
    f->position = l->position;
    f->chain = l->chain;
    f->meta_len = (uint32_t)b->meta.len;
    f->item_count = b->item_count;
    f->entry_count = b->entry_count;
    f->payload_len = b->payload_size;
    f->body_crc = crc32c(crc32c(0, b->meta.ptr, b->meta.len), l->body.ptr, l->body.len);
    wal_frame_encode(f, header);
    ASSERT(wal_frame_next(f) <= l->current->size);

    bool is_large = b->payload_size >= LARGE_BYTES_MIN;
    bool is_staged = is_large
                         ? !file_is_cached(l->current->file, f->position, wal_frame_next(f) - f->position)
                         : b->needs_sync;
    struct gather g = {.local = l, .is_staged = is_staged, .position = l->position};
    if (g.is_staged) {
        staging_reserve(l, wal_frame_next(f) - f->position);
    }
    enum err rc = gather_add(&g, header, sizeof header, e);
    rc = rc == ERR_OK ? gather_add(&g, b->meta.ptr, b->meta.len, e) : rc;
    rc = rc == ERR_OK ? gather_add(&g, l->body.ptr, l->body.len, e) : rc;
    for (size_t i = 0; i < b->payload_slice_count && rc == ERR_OK; i++) {
        rc = gather_add(&g, b->payload[i].ptr, b->payload[i].len, e);
    }
    size_t padding = (size_t)(wal_frame_next(f) - wal_frame_end(f));
    rc = rc == ERR_OK ? gather_add(&g, zeros, padding, e) : rc;
    rc = rc == ERR_OK ? gather_flush(&g, e) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(g.position == wal_frame_next(f)); // the slices hold payload_size bytes
    l->position = g.position;
    l->chain = f->header_crc;
    local_lock(l);
    l->is_marked = f->kind == FRAME_MARK;
    local_unlock(l);
    return ERR_OK;
}

static void durable_set(struct local *l, uint64_t lsn)
{
    local_lock(l);
    l->durable_lsn = lsn > l->durable_lsn ? lsn : l->durable_lsn;
    local_unlock(l);
}

// The caller owns the write position, so nothing is written meanwhile.
enum err wal_sync_owned(struct local *l, struct error *e)
{
    if (l->durable_lsn == l->last_lsn) {
        return ERR_OK;
    }
    enum err rc = local_sync(l, l->current->file, e);
    if (rc == ERR_OK) {
        durable_set(l, l->last_lsn);
    }
    return rc;
}

// ---- files

void wal_current_set(struct local *l, struct object *take_file)
{
    struct object *old = l->current;
    local_lock(l);
    if (old != NULL) {
        old->is_current = false;
        old->last_lsn = l->last_lsn;
        if (old->pins == 0) {
            list_push_back(&l->open_idle, &old->idle);
            l->open_idle_count++;
        }
    }
    take_file->is_current = true;
    object_table_add_locked(l, take_file);
    l->current = take_file;
    local_unlock(l);
    l->position = 0;
}

// Makes sure that the frame fits where it will go: here, or in the next file.
static enum err wal_make_room(struct local *l, int64_t size, bool is_control, struct error *e)
{
    int64_t padded = wal_align(size);
    if (l->current != NULL && l->position + padded <= l->current->size) {
        return ERR_OK;
    }
    struct object *file = NULL;
    enum err rc = wal_file_take(l, padded, is_control, &file, e);
    if (rc != ERR_OK) {
        return rc == ERR_STORAGE ? rc : local_fatal(l, e);
    }
    rc = l->current == NULL ? ERR_OK : wal_sync_owned(l, e);
    if (rc != ERR_OK) {
        object_free(file);
        return rc;
    }
    wal_current_set(l, file);
    return ERR_OK;
}

// ---- verbs

static enum err order_admit_locked(struct local *l, bool is_control, struct error *e)
{
    ASSERT(l->is_ready || l->is_read_only || l->is_failed);
    if (l->is_stopping) {
        return FAIL(e, ERR_STOPPING, "the engine is stopping");
    }
    enum err rc = local_writable_locked(l, e);
    if (rc != ERR_OK) {
        return rc;
    }
    if (l->is_disk_full && !is_control && l->next == NULL && l->spare_count == 0) {
        return FAIL(e, ERR_STORAGE, "the disk is full");
    }
    return ERR_OK;
}

static enum err order_owned(struct local *l, const struct bundle *b, bool is_control, struct ordered *ret,
                            struct error *e)
{
    enum err rc = wal_make_room(l, bundle_size(b), is_control, e);
    if (rc != ERR_OK) {
        return rc;
    }
    int64_t now_ns = clock_mono_ns(l->env->clock);
    wal_time_now(l, now_ns);
    struct wal_frame f = {
        .kind = FRAME_BUNDLE,
        .lsn = l->last_lsn + 1,
        .durable_lsn = l->durable_lsn,
        .bundle_id = b->id,
        .stamp_ms = l->stamp_ms,
        .time_ms = l->time_ms,
    };
    rc = frame_write(l, &f, b, e);
    if (rc != ERR_OK) {
        return local_fatal(l, e);
    }
    local_lock(l);
    l->last_lsn = f.lsn;
    l->ordered_at_ns = now_ns;
    l->wal_bytes_total += wal_frame_next(&f) - f.position;
    local_unlock(l);
    if (b->needs_sync && !plant_is(PLANT_ACK_BEFORE_SYNC)) {
        rc = wal_sync_owned(l, e);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *ret = (struct ordered){
        .lsn = f.lsn,
        .id = b->id,
        .stamp_ms = f.stamp_ms,
        .time_ms = f.time_ms,
        .object = f.file,
        .payload_position = wal_frame_payload_position(&f),
        .meta = b->meta,
        .item_count = b->item_count,
    };
    return ERR_OK;
}

enum err local_order(struct engine *engine, const struct bundle *b, bool is_control, struct ordered *ret,
                     struct error *caller_error)
{
    struct local *l = local_of(engine);
    struct error own;
    struct error *e = caller_error != NULL ? caller_error : &own;
    ASSERT(b->item_count > 0);
    if (b->meta.len > INT32_MAX || wal_align(bundle_size(b)) > l->options.wal_file_bytes) {
        return FAIL(e, ERR_BATCH_TOO_LARGE, "a bundle of %lld bytes does not fit into a WAL file",
                    (long long)bundle_size(b));
    }
    local_lock(l);
    ASSERT(!l->is_ordering); // one caller at a time
    enum err rc = order_admit_locked(l, is_control, e);
    if (rc == ERR_OK && !wal_own_locked(l)) {
        rc = local_writable_locked(l, e);
    }
    if (rc != ERR_OK) {
        local_unlock(l);
        return rc;
    }
    l->is_ordering = true;
    local_unlock(l);

    rc = order_owned(l, b, is_control, ret, e);

    local_lock(l);
    l->is_ordering = false;
    wal_release_locked(l);
    local_unlock(l);
    return rc;
}

enum err wal_mark(struct local *l, struct error *e)
{
    if (l->current == NULL || l->position == 0 || l->is_marked ||
        l->position + FRAME_ALIGN > l->current->size) {
        return ERR_OK;
    }
    enum err rc = wal_sync_owned(l, e);
    if (rc != ERR_OK) {
        return rc;
    }
    struct wal_frame f = {
        .kind = FRAME_MARK,
        .lsn = l->last_lsn,
        .durable_lsn = l->durable_lsn,
        .stamp_ms = l->stamp_ms,
        .time_ms = l->time_ms,
    };
    const struct bundle none = {.needs_sync = true};
    rc = frame_write(l, &f, &none, e);
    if (rc != ERR_OK) {
        return local_fatal(l, e);
    }
    return local_sync(l, l->current->file, e);
}

enum err wal_sync_through(struct local *l, uint64_t lsn, struct error *e)
{
    local_lock(l);
    if (l->durable_lsn >= lsn) {
        local_unlock(l);
        return ERR_OK;
    }
    bool is_own = wal_own_locked(l);
    enum err rc = is_own ? ERR_OK : local_writable_locked(l, e);
    local_unlock(l);
    if (!is_own) {
        return rc;
    }
    rc = wal_sync_owned(l, e);
    local_lock(l);
    wal_release_locked(l);
    local_unlock(l);
    return rc;
}
