// SPDX-License-Identifier: Apache-2.0
// local_private.h - what the files of the local engine share.
//
// Locking: `lock` guards the fields below it and is held for microseconds, never across a disk verb. Long
// work is owned through a flag that is taken and given back under the lock: is_writing (the WAL's write
// position and current file), is_meta_busy (the meta file), object->is_opening (its file). Whoever waits for
// a flag waits on `changed`.
#ifndef ENGINE_LOCAL_LOCAL_PRIVATE_H
#define ENGINE_LOCAL_LOCAL_PRIVATE_H

#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/local/format.h"
#include "engine/local/local.h"
#include "engine/local/recover.h"

enum {
    SPARES_MIN = 2,               // recycled WAL files kept for later
    SPARES_MAX = 40,              // ... while the disk has room: what a round of merges gives back at most
    SPARES_DISK_SHARE = 4,        // ... namely for this many times the files kept
    OBJECT_SYNC_BYTES = 8 << 20,  // an object is synced as it grows: its seal does not hold up the log
    OBJECT_WRITE_BYTES = 1 << 20, // it is written in such pieces, past the page cache
    WARM_BYTES_MIN = 1 << 20,     // what is read ahead of a WAL file at once
    WARM_WINDOWS = 64,            // ... or this part of it
    OPEN_FILES_MAX = 256,         // descriptors of objects that nobody has pinned; pinned ones come on top
    SNAPSHOTS_KEPT = 2,           // durable snapshots
    SNAPSHOTS_MAX = 64,           // looked at when starting
    PREPARE_BYTES = 256 << 10,    // pre-written by one call of maintain
    PREPARE_SYNC_BYTES = 4 << 20, // ... and synced
    PREPARE_LEAD_BYTES = 4 << 20, // so far ahead of the pre-writing the log makes it end
    PREPARE_PACE_NS = 1000000,    // between two calls: the log's turn
    CONTROL_FILE_BYTES = 1 << 20, // a WAL file made from the reserve
    WAL_FILE_BYTES_MIN = 1 << 20,
    LARGE_BYTES_MIN = 256 << 10, // a payload for which it counts what the page cache has
    STAGING_BYTES_MAX =
        ENGINE_BUNDLE_BYTES + (1 << 18), // a bundle with its metadata; larger ones go in pieces
};

// A WAL file or an object; tools and readers know it by number.
struct object {
    struct map_node node;
    struct list link;    // local.objects, in order of birth
    struct list idle;    // local.open_idle: open and not pinned, oldest first
    struct list dropped; // local.dropped
    uint64_t number;
    int64_t size;      // bytes; of a WAL file its whole length
    uint64_t last_lsn; // WAL files: highest LSN in it
    struct file *file; // NULL = not open
    uint32_t pins;
    bool is_wal;
    bool is_current;
    bool is_sealed; // false: still written, through object_append
    bool is_dropped;
    bool is_opening;
    uint64_t warmed;  // WAL files, left for good: windows whose reading ahead was asked for
    uint8_t *pending; // unsealed: bytes that are gathered, of which so many are not written yet
    size_t pending_len;
    uint8_t *pending_memory; // what holds them
};

struct snapshot_writer {
    struct file *file; // NULL = none in progress
    uint64_t lsn;
    int64_t position;
    int64_t total; // bytes of the parts
    uint32_t sum;
    int64_t wal_bytes_at; // local.wal_bytes_total at its start
};

struct local {
    struct engine base;
    struct env *env;
    struct disk *disk;
    struct engine_local_options options;
    struct file *meta_file; // owner: is_meta_busy
    uint64_t store_key;     // of meta, which does not change

    struct mutex lock;
    struct cond changed;

    bool is_ready; // the tail is durable, order may be called
    bool is_stopping;
    bool is_failed; // a sync or write failed: nothing is trusted any more
    bool is_read_only;
    bool was_unclean;
    bool is_disk_full;
    char reason[256];
    int64_t free_bytes;
    int64_t total_bytes;

    bool is_meta_busy;
    struct store_meta meta; // as in the file
    uint64_t object_last;   // highest number given out

    struct map objects;
    struct list object_list;
    struct list open_idle;
    uint32_t open_idle_count;
    struct list dropped;

    bool is_ordering; // a caller is inside order: only one may be
    bool is_writing;  // owns current and the write position
    struct object *current;
    int64_t position;  // where the next frame goes; owner: is_writing
    uint32_t chain;    // header_crc of the last frame; owner: is_writing
    bool is_marked;    // the last frame is a mark
    uint64_t last_lsn; // ordered
    uint64_t durable_lsn;
    int64_t stamp_ms; // last given out
    int64_t time_ms;
    int64_t time_base_ms; // time_ms = base + monotonic since base_ns
    int64_t time_base_ns;
    int64_t ordered_at_ns; // monotonic, of the last frame
    int64_t wal_bytes_total;
    int64_t wal_bytes_snapshot; // wal_bytes_total when the newest snapshot was cut
    bool is_numbering;          // a WAL file is being given its number
    struct object *next;        // prepared, numbered, not in the table yet
    struct list spares;         // struct object by link: recycled, under their old names
    uint32_t spare_count;
    int64_t wal_bytes_fresh; // wal_bytes_total when `fresh` was begun

    struct file *fresh; // being pre-written; owner: the thread that calls maintain
    int64_t fresh_size;

    uint64_t snapshot_lsn; // newest durable one that can be read
    uint64_t snapshot_bad; // one that cannot, to be deleted when there is a newer one; 0 = none
    uint64_t
        snapshots[SNAPSHOTS_MAX]; // LSNs of snapshot files, ascending; owner: start, then the snapshot writer
    uint32_t snapshot_count;
    struct snapshot_writer snapshot; // owner: the one snapshot writer

    struct io_slice *slices; // IO_SLICES_MAX; owner: is_writing
    struct buf body;         // entries of the frame being written; owner: is_writing
    uint8_t *staging;        // the frame being written, aligned; owner: is_writing
    size_t staging_size;
    uint8_t *staging_memory; // what holds it
};

static inline struct local *local_of(struct engine *e)
{
    return (struct local *)(void *)e;
}
static inline void local_lock(struct local *l)
{
    mutex_lock(&l->lock);
}
static inline void local_unlock(struct local *l)
{
    mutex_unlock(&l->lock);
}

// ---- local.c

// local_align finds the first place inside `memory` that may be written from past the page cache; there are
// DISK_ALIGN bytes more than needed.
static inline uint8_t *local_align(uint8_t *memory)
{
    size_t over = (uintptr_t)memory % DISK_ALIGN;
    return memory + (over == 0 ? 0 : DISK_ALIGN - over);
}
// local_fatal reports a failed sync or write that cannot be undone; returns the error's code where the
// embedder lets us live on (tests), with every later verb refused.
enum err local_fatal(struct local *l, const struct error *e);
// local_sync syncs a file, local_sync_dir a directory; a failure is fatal.
enum err local_sync(struct local *l, struct file *file, struct error *e);
enum err local_sync_dir(struct local *l, struct str dir, struct error *e);
// local_writable_locked: may anything be written at all?
enum err local_writable_locked(const struct local *l, struct error *e);

// ---- meta.c

enum err meta_open(struct local *l, bool *ret_is_first, struct error *e);
// meta_read finds the newest sound slot; ERR_NOT_FOUND where there is no file.
enum err meta_read(struct disk *disk, struct store_meta *ret, struct error *e);
// meta_write writes and syncs one slot; for tools.
enum err meta_write(struct disk *disk, const struct store_meta *meta, struct error *e);
// meta_save writes what changed; waits for the meta file. object_limit grows to cover object_last.
enum err meta_save_locked(struct local *l, bool is_clean, struct error *e);
// object_number_next gives out a number that was never used, durably so.
enum err object_number_next(struct local *l, uint64_t *ret_number, struct error *e);

// ---- objects.c

struct object *object_new(uint64_t number, int64_t size, bool is_wal);
void object_free(struct object *take_object); // closes the file
void object_table_add_locked(struct local *l, struct object *o);
struct object *object_find_locked(const struct local *l, uint64_t number);
// objects_reclaim deletes or recycles dropped objects that nothing holds any more.
enum err objects_reclaim(struct local *l, struct error *e);
enum err objects_load(struct local *l, struct error *e);
void objects_fini(struct local *l);
// objects_clean deletes what an unfinished write left behind.
enum err objects_clean(struct local *l, struct error *e);

enum err local_object_create(struct engine *e, uint64_t *ret_object, struct error *err);
enum err local_object_append(struct engine *e, uint64_t object, struct bytes data, struct error *err);
enum err local_object_seal(struct engine *e, uint64_t object, struct error *err);
void local_object_drop(struct engine *e, uint64_t object);
struct object *local_object_pin(struct engine *e, uint64_t object);
void local_object_unpin(struct engine *e, struct object *o);
enum err local_object_read(struct engine *e, struct object *o, int64_t position, void *out, size_t len,
                           struct error *err);
struct file *local_object_file(struct engine *e, struct object *o);
int64_t local_object_size(struct engine *e, struct object *o);
enum err local_objects(struct engine *e, void (*each)(void *arg, const struct engine_object_info *info),
                       void *arg, struct error *err);

// ---- wal.c

enum err local_order(struct engine *e, const struct bundle *b, bool is_control, struct ordered *ret,
                     struct error *err);
// wal_own takes the write position; false when the engine stopped or failed meanwhile.
bool wal_own_locked(struct local *l);
void wal_release_locked(struct local *l);
// wal_sync_owned syncs what was ordered; the caller owns the write position.
enum err wal_sync_owned(struct local *l, struct error *e);
// wal_mark makes everything durable and says so in a frame. The caller owns the write position.
enum err wal_mark(struct local *l, struct error *e);
// wal_sync_through makes every bundle up to lsn durable.
enum err wal_sync_through(struct local *l, uint64_t lsn, struct error *e);
// wal_current_set starts or leaves a file; the new one is empty.
void wal_current_set(struct local *l, struct object *take_file);
void wal_time_start(struct local *l, int64_t stamp_ms, int64_t time_ms);

// ---- prepare.c

// wal_file_take gives a file for a frame of `size` bytes; in order of preference prepared, recycled, made
// now.
enum err wal_file_take(struct local *l, int64_t size, bool is_control, struct object **ret_file,
                       struct error *e);
enum err wal_file_create(struct local *l, int64_t size, struct object **ret_file, struct error *e);
// disk_look asks for free space and notes it for status.
enum err disk_look(struct local *l, int64_t *ret_free, struct error *e);
// wal_prepare does one slice of work towards the next file; *ret_is_busy: there is more to do.
enum err wal_prepare(struct local *l, bool *ret_is_busy, struct error *e);

// ---- snapshot.c

enum err snapshots_load(struct local *l, struct error *e);
enum err local_snapshot_read(struct engine *e, struct buf *ret_snapshot, uint64_t *ret_lsn,
                             struct error *err);
enum err local_snapshot_write(struct engine *e, uint64_t lsn, struct bytes part, bool is_last,
                              struct error *err);
void snapshot_abandon(struct local *l);
// snapshot_file_verify reads a snapshot file whole and compares every sum; ret_data may be NULL.
enum err snapshot_file_verify(struct file *file, uint64_t lsn, struct buf *ret_data,
                              struct snapshot_header *ret_header, struct error *e);
// snapshot_list fills `lsns` with the newest SNAPSHOTS_MAX, ascending.
enum err snapshot_list(struct disk *disk, uint64_t lsns[SNAPSHOTS_MAX], uint32_t *ret_count, struct error *e);

// ---- tail.c

enum err local_tail(struct engine *e, uint64_t after_lsn, int64_t deadline_ns,
                    enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                    struct error *err);

#endif
