// SPDX-License-Identifier: Apache-2.0
// local.h - the engine of one machine: a recycled write-ahead log, merged objects and snapshots as files.
// Layout under the data directory: wal/<object>.wal, obj/<object>.obj, snap/<lsn>.snap, meta (two checksummed
// slots: cluster id, clean-stop mark, highest object number). Byte tables: docs/formats/wal.md. Numbers are
// 20 digits.
#ifndef ENGINE_LOCAL_LOCAL_H
#define ENGINE_LOCAL_LOCAL_H

#include "engine/engine.h"

struct engine_local_options {
    int64_t wal_file_bytes;     // size of one WAL file, default 64 MiB, multiple of 4 KiB, at least 1 MiB
    int64_t wal_first_bytes;    // pre-written at first start, default 4 MiB; the rest in the background
    int64_t disk_reserve_bytes; // free space that produce may not use, default 64 MiB
    int64_t idle_mark_ms;       // write a mark after this much idleness, default 100
    void (*fatal)(void *arg,
                  const struct error *e); // a sync failed: does not return in production (the process ends)
    void *fatal_arg;
};
void engine_local_options_init(struct engine_local_options *ret_options);

// engine_local_open takes the directory's lock, reads meta, finds snapshots and WAL files. Then
// snapshot_read, tail.
enum err engine_local_open(struct env *env, const struct engine_local_options *options,
                           struct engine **ret_engine, struct error *e);
struct uuid engine_local_cluster_id(struct engine *engine);

// For `strom dump` and `strom repair`: both work on a data directory that no server holds.
// wal_dump calls line for each bundle header and, through print_items, its items; never fails on bad bytes:
// it says so.
enum err wal_dump(struct env *env, struct str path, void (*line)(void *arg, struct str text), void *arg,
                  void (*print_items)(void *arg, struct bytes meta, uint32_t item_count), struct error *e);
// wal_repair cuts the log before the first rotten bundle, after copying what it drops to wal/lost-<lsn>-<n>.
enum err wal_repair(struct env *env, bool is_dry_run, void (*line)(void *arg, struct str text), void *arg,
                    struct error *e);

#endif
