// SPDX-License-Identifier: Apache-2.0
// engine.h - the door to durable storage: it orders bundles and keeps objects. Under a dozen verbs, two
// engines and a simulated third behind them. It never looks into items.
//   local/    one machine: a write-ahead log and files (docs/formats/wal.md)
//   (cluster/ a PostgreSQL-compatible database orders, an S3-compatible store keeps the bytes: later)
// Thread-safe unless said otherwise; verbs block.
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/buf.h"
#include "platform/env.h"

struct engine {
    const struct engine_ops *ops;
};

// One stored batch inside the payload: what its own CRC does not guard is guarded by this copy in the
// metadata.
struct payload_entry {
    uint32_t length; // bytes of the batch, at the end of the entry before it
    uint32_t crc;    // the CRC field of the batch (bytes 17..20)
};

// A sealed bundle, ready to be ordered. The caller keeps all memory until engine_order returns.
struct bundle {
    uint64_t id;       // random, unique: recognises an own bundle after an ambiguous commit
    struct bytes meta; // item frames, opaque here
    uint32_t item_count;
    const struct payload_entry *entries; // one per batch, in payload order
    uint32_t entry_count;
    const struct io_slice *payload; // the batches' bytes, in order, any slicing
    size_t payload_slice_count;
    size_t payload_size;
    bool needs_sync; // false: acknowledged once the kernel has it (strom.durability=os)
};

// A bundle as ordered.
struct ordered {
    uint64_t lsn; // dense
    uint64_t id;
    int64_t stamp_ms;
    int64_t time_ms;
    uint64_t object; // holds the payload
    int64_t payload_position;
    struct bytes meta; // borrowed for the call
    uint32_t item_count;
};

enum {
    ENGINE_BUNDLE_BYTES = 4 << 20, // payload target; one larger batch may travel alone
};

struct engine_object_info {
    uint64_t object;
    bool is_wal;
    bool is_current;   // the WAL file being written
    uint64_t last_lsn; // WAL files: highest LSN in it
    int64_t size;
};

struct engine_status {
    uint64_t durable_lsn;
    uint64_t snapshot_lsn; // newest durable snapshot
    int64_t wal_bytes;     // written since that snapshot
    int64_t free_bytes;    // of the disk
    int64_t total_bytes;
    bool is_disk_full; // what clients write should be refused with ERR_STORAGE (a reserve is kept for the
                       // rest)
    bool is_read_only; // rotten metadata below the durable mark: serve what precedes it
    bool was_unclean;  // the last stop was a crash
    bool is_shared;    // other brokers order bundles too: tail delivers, order only places
    char reason[256];  // for people, when read-only or full
};

struct object; // a pinned object

struct engine_ops {
    enum err (*snapshot_read)(struct engine *, struct buf *ret_snapshot, uint64_t *ret_lsn, struct error *);
    enum err (*tail)(struct engine *, uint64_t after_lsn, int64_t deadline_ns,
                     enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                     struct error *);
    enum err (*order)(struct engine *, const struct bundle *, bool is_control, struct ordered *ret,
                      struct error *);
    enum err (*snapshot_write)(struct engine *, uint64_t lsn, struct bytes part, bool is_last,
                               struct error *);
    enum err (*object_create)(struct engine *, uint64_t *ret_object, struct error *);
    enum err (*object_append)(struct engine *, uint64_t object, struct bytes data, struct error *);
    enum err (*object_seal)(struct engine *, uint64_t object, struct error *);
    void (*object_drop)(struct engine *, uint64_t object);
    struct object *(*object_pin)(struct engine *, uint64_t object);
    void (*object_unpin)(struct engine *, struct object *);
    enum err (*object_read)(struct engine *, struct object *, int64_t position, void *out, size_t len,
                            struct error *);
    struct file *(*object_file)(struct engine *, struct object *);
    int64_t (*object_size)(struct engine *, struct object *);
    enum err (*objects)(struct engine *, void (*each)(void *arg, const struct engine_object_info *),
                        void *arg, struct error *);
    enum err (*lease)(struct engine *, struct str name, int64_t duration_ms, struct error *);
    enum err (*barrier)(struct engine *, uint64_t *ret_lsn, struct error *);
    enum err (*maintain)(struct engine *, int64_t *ret_next_ns, struct error *);
    void (*status)(struct engine *, struct engine_status *ret);
    void (*stop)(struct engine *);
    void (*close)(struct engine *, bool is_clean);
};

// ---- start

// engine_snapshot_read gives the newest durable snapshot; ERR_NOT_FOUND on a fresh store.
enum err engine_snapshot_read(struct engine *e, struct buf *ret_snapshot, uint64_t *ret_lsn,
                              struct error *err);
// engine_tail delivers, in order and without gaps, every ordered bundle after after_lsn that is there; if
// there is none it waits until deadline_ns (in the past: does not wait). Local: called once, at start, to
// replay; by its return the tail is durable (rewritten if need be) and order may be called. Shared: called in
// a loop by one thread. An error from deliver ends it and is returned. ERR_READ_ONLY: delivered up to rotten
// metadata; see status.
enum err engine_tail(struct engine *e, uint64_t after_lsn, int64_t deadline_ns,
                     enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                     struct error *err);

// ---- order

// engine_order makes the bundle durable (see needs_sync) and gives it the next LSN. Local: one call at a
// time, the caller then applies it; a failed sync ends the process (never retried). Shared: several at once,
// tail delivers. ERR_STORAGE: nothing was ordered and nothing of it will be seen (disk full: only is_control
// bundles go on). ERR_READ_ONLY, ERR_STOPPING likewise.
enum err engine_order(struct engine *e, const struct bundle *b, bool is_control, struct ordered *ret,
                      struct error *err);
// engine_barrier tells the last LSN that any broker may have acknowledged: reads that must be current wait to
// apply it.
enum err engine_barrier(struct engine *e, uint64_t *ret_lsn, struct error *err);

// ---- snapshots (one writer at a time)

// engine_snapshot_write appends a part of the snapshot cut at `lsn`; with is_last it is verified by reading
// back, made durable and becomes the newest. On error the unfinished one is discarded.
enum err engine_snapshot_write(struct engine *e, uint64_t lsn, struct bytes part, bool is_last,
                               struct error *err);

// ---- objects: immutable once sealed; numbers are never reused

enum err engine_object_create(struct engine *e, uint64_t *ret_object, struct error *err);
enum err engine_object_append(struct engine *e, uint64_t object, struct bytes data, struct error *err);
enum err engine_object_seal(struct engine *e, uint64_t object, struct error *err); // durable on return
// engine_object_drop: nothing refers to it any more. Its space is reclaimed (WAL files: recycled) once no pin
// holds it and, for WAL files, a durable snapshot covers it. Unsealed objects are discarded. Unknown: no-op.
// Idempotent.
void engine_object_drop(struct engine *e, uint64_t object);
// engine_object_pin keeps an object readable until unpinned; NULL if it is gone.
struct object *engine_object_pin(struct engine *e, uint64_t object);
void engine_object_unpin(struct engine *e, struct object *take_object); // NULL is a no-op
// engine_object_read fills out exactly; ERR_CORRUPT past the end, ERR_IO.
enum err engine_object_read(struct engine *e, struct object *o, int64_t position, void *out, size_t len,
                            struct error *err);
// engine_object_file: the file to send from, if this object is immutable and lives in one; else NULL (copy
// it).
struct file *engine_object_file(struct engine *e, struct object *o);
int64_t engine_object_size(struct engine *e, struct object *o);
enum err engine_objects(struct engine *e, void (*each)(void *arg, const struct engine_object_info *info),
                        void *arg, struct error *err);

// ---- upkeep

// engine_lease asks to be the one that does `name` for duration_ms. Local: always granted. ERR_STALE: another
// holds it.
enum err engine_lease(struct engine *e, struct str name, int64_t duration_ms, struct error *err);
// engine_maintain does what is due in the background (prepare the next WAL file, mark when idle, look at free
// space) and says when to call again (monotonic; INT64_MAX = not until something is ordered). One thread.
enum err engine_maintain(struct engine *e, int64_t *ret_next_ns, struct error *err);
void engine_status(struct engine *e, struct engine_status *ret);
// engine_stop makes blocked calls return ERR_STOPPING; engine_close frees, after a mark of clean stop if
// is_clean.
void engine_stop(struct engine *e);
void engine_close(struct engine *take_engine, bool is_clean);

#endif
