// SPDX-License-Identifier: Apache-2.0
// segment.h - merged objects: batches of many partitions in wire format with final offsets, sorted by
// partition, and a footer with one run per partition and its sparse index (docs/formats/segment.md). Written
// once, then immutable.
#ifndef KEEPER_SEGMENT_H
#define KEEPER_SEGMENT_H

#include "core/item.h"
#include "engine/engine.h"
#include "record/batch.h"

enum { SEGMENT_INDEX_INTERVAL_BYTES = 16384 }; // one sparse index entry per this many bytes of a run

// ---- writing (one thread)

struct segment_writer;
// segment_writer_create starts an object; batches are appended through an internal buffer of 1 MiB.
enum err segment_writer_create(struct engine *engine, struct segment_writer **ret_writer, struct error *e);
// A run is one partition's contiguous batches: begin, batches in offset order, end (gives the extent).
void segment_writer_run_begin(struct segment_writer *w, struct uuid topic_id, int32_t partition);
// `batch` holds final base offset and leader epoch.
enum err segment_writer_batch(struct segment_writer *w, const struct batch_header *header, struct bytes batch,
                              struct error *e);
void segment_writer_run_end(struct segment_writer *w, struct extent *ret_extent);
// segment_writer_finish writes the footer and seals: durable on return. Then destroy.
enum err segment_writer_finish(struct segment_writer *w, uint64_t *ret_object, struct error *e);
uint64_t segment_writer_bytes(const struct segment_writer *w);
void segment_writer_destroy(struct segment_writer *take_writer); // drops the object unless finished

// ---- finding (any thread): a bounded cache of footers

struct segment_cache;
struct segment_cache *segment_cache_create(struct env *env, struct engine *engine, size_t limit_bytes);
void segment_cache_destroy(struct segment_cache *take_cache);
void segment_cache_forget(struct segment_cache *c, uint64_t object);

struct segment_place { // a batch boundary inside an extent
    int64_t position;  // byte in the object
    int64_t base_offset;
};
// segment_cache_find_offset: the last indexed batch boundary in `extent` at or before `offset`. A lower
// bound: the caller walks batch headers from there.
enum err segment_cache_find_offset(struct segment_cache *c, struct object *object,
                                   const struct extent *extent, int64_t offset, struct segment_place *ret,
                                   struct error *e);
// segment_cache_find_timestamp: an indexed boundary such that no batch before it (in the extent) has a record
// with timestamp >= target_ms.
enum err segment_cache_find_timestamp(struct segment_cache *c, struct object *object,
                                      const struct extent *extent, int64_t target_ms,
                                      struct segment_place *ret, struct error *e);

// segment_dump prints a merged object for people (strom dump).
enum err segment_dump(struct file *file, void (*line)(void *arg, struct str text), void *arg,
                      struct error *e);

#endif
