// SPDX-License-Identifier: Apache-2.0
// compact_private.h - what the files of compaction share. Pure but for the reader: see decision 0009.
#ifndef KEEPER_COMPACT_PRIVATE_H
#define KEEPER_COMPACT_PRIVATE_H

#include "base/map.h"
#include "keeper/keeper_private.h"
#include "record/rewrite.h"

// ---- compact_map.c: key -> newest offset, bounded

struct compact_slot;
struct compact_map {
    struct compact_slot *slots;
    size_t slot_count;
    size_t count;
    size_t count_max;
    uint64_t seed[2];
};
// compact_map_init takes at most bytes_max bytes, and no more than keys_max keys need.
void compact_map_init(struct compact_map *m, size_t bytes_max, uint64_t keys_max, struct rng *rng);
void compact_map_fini(struct compact_map *m);
void compact_map_reset(struct compact_map *m);
// compact_map_put: false if the key is new and there is no room.
bool compact_map_put(struct compact_map *m, struct bytes key, int64_t offset);
int64_t compact_map_find(const struct compact_map *m, struct bytes key); // -1 = not there
void compact_digest(const uint64_t seed[2], struct bytes key, uint64_t ret[2]);

// ---- compact_read.c: the batches of an extent, checked, with their final offsets, wherever it lies

struct compact_reader {
    struct engine *engine;
    struct object *pin; // NULL = none: a marker, or no extent
    struct extent extent;
    int64_t read;        // bytes of the extent in the window or behind it
    int64_t next_offset; // the least that the next batch may begin at
    struct buf window;
    size_t at; // of the next batch, in the window
};
void compact_reader_init(struct compact_reader *r, struct engine *engine);
void compact_reader_fini(struct compact_reader *r);
// compact_reader_open starts an extent; the one before is let go. ERR_NOT_FOUND: its object is gone.
enum err compact_reader_open(struct compact_reader *r, const struct extent *extent, struct error *e);
// compact_reader_next gives one batch, valid until the next call; ret_batch->ptr NULL at the end.
// ERR_CORRUPT: the bytes are not what the extent says.
enum err compact_reader_next(struct compact_reader *r, struct batch_header *ret_header,
                             struct bytes *ret_batch, struct error *e);
bool compact_reader_is_done(const struct compact_reader *r); // no more batches

// ---- compact_filter.c: what stays of a batch

struct compact_aborted { // by (producer id, first offset)
    int64_t producer_id;
    int64_t first_offset;
    int64_t marker_offset;
};
struct compact_filter {
    struct compact_map map;
    struct compact_aborted *aborted; // owned
    size_t aborted_count;
    size_t aborted_cap;
    int64_t now_ms;
    int64_t delete_retention_ms;
    struct map txns; // producers with data since their last marker, as far as the pass has come
    struct codec_context codec;
    struct batch_builder builder;
    struct buf out; // a batch written anew
};
void compact_filter_init(struct compact_filter *f);
void compact_filter_fini(struct compact_filter *f); // the map too, if there is one
// compact_filter_aborted_add takes them in any order; sort before use.
void compact_filter_aborted_add(struct compact_filter *f, const struct aborted_view *aborted);
void compact_filter_aborted_sort(struct compact_filter *f);
// compact_filter_pass_begin forgets what a pass over a log remembers.
void compact_filter_pass_begin(struct compact_filter *f);
// compact_filter_learn puts the keys of a batch into the map: false in *ret_fits if they did not all fit.
enum err compact_filter_learn(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                              bool *ret_fits, struct error *e);

enum compact_fate {
    COMPACT_KEEP,    // as it is
    COMPACT_REWRITE, // as it lies in `out`
    COMPACT_DROP,
};
// compact_filter_judge decides on one batch; all batches of a log in order. must_stay: emptied, it keeps its
// bounds.
enum err compact_filter_judge(struct compact_filter *f, const struct batch_header *h, struct bytes batch,
                              bool must_stay, enum compact_fate *ret, struct error *e);
// compact_filter_empty leaves the bounds of a batch that was judged to go.
enum err compact_filter_empty(struct compact_filter *f, const struct batch_header *h, enum compact_fate *ret,
                              struct error *e);

// ---- compact_plan.c: what is due

struct compact_part {
    struct uuid topic_id;
    int32_t partition;
    uint64_t clean_bytes;
    uint64_t dirty_bytes; // that can be compacted now
    uint64_t dirty_records;
    int64_t dirty_offset; // the first
    int64_t end_offset;   // of what can be compacted now
    int64_t delete_retention_ms;
    // With a maximum lag: the same without regard to what Kafka calls the active segment.
    int64_t lag_max_ms;
    uint64_t all_bytes;
    uint64_t all_records;
    int64_t all_end_offset;
    struct extent first; // dirty
    bool is_due;
};
struct compact_plan {
    struct compact_part *parts;
    size_t count;
    size_t cap;
    int64_t next_ms; // core time at which more becomes due by itself; INT64_MAX = never
    double dirtiest; // share, of all partitions
    uint32_t stuck;  // partitions that cannot be compacted any further
    bool has_more;   // that was due and is left for the next round
};
// compact_plan_survey finds what is due, the dirtiest first, at most `bytes_max` bytes and at least one; then
// in the order of (topic id, partition).
enum err compact_plan_survey(struct keeper *k, uint64_t bytes_max, struct compact_plan *ret, struct error *e);
// keeper_extent_overfull notes that an extent begins with a batch whose keys the map cannot hold.
void keeper_extent_overfull(struct keeper *k, const struct compact_part *part, const struct extent *extent);
void compact_plan_fini(struct compact_plan *plan);
// compact_plan_take copies the next extents at or behind the cursor that begin below `until`, at most `max`
// and not many more bytes than bytes_max; the cursor moves behind them. 0 = no more, or no such partition.
uint32_t compact_plan_take(struct keeper *k, const struct compact_part *part, int64_t *cursor_offset,
                           int64_t until_offset, uint64_t bytes_max, struct extent *ret, uint32_t max);

#endif
