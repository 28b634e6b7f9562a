// SPDX-License-Identifier: Apache-2.0
// segment_private.h - rows, entries and trailer of a merged object's footer (docs/formats/segment.md).
#ifndef KEEPER_SEGMENT_PRIVATE_H
#define KEEPER_SEGMENT_PRIVATE_H

#include "base/buf.h"
#include "keeper/segment.h"

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_RUN_SIZE = 72,
    SEGMENT_ENTRY_SIZE = 20,
    SEGMENT_TRAILER_SIZE = 32,
    SEGMENT_TRAILER_AT_CRC = 16,
    SEGMENT_RUNS_MAX = 1 << 17,
    SEGMENT_ENTRIES_MAX = 1 << 20,
};

struct segment_run {
    struct uuid topic_id;
    int32_t partition;
    int32_t leader_epoch;
    int64_t base_offset;
    int64_t end_offset;
    int64_t position;
    uint32_t length;
    uint32_t record_count;
    int64_t max_timestamp;
    uint32_t entry_first;
    uint32_t entry_count;
};

struct segment_entry {
    uint64_t relative_offset;
    uint32_t relative_position;
    int64_t max_timestamp; // of the run's batches before this place
};

// A footer as stored: rows and entries are decoded where they are needed.
struct segment_footer {
    uint8_t *rows; // owned: run rows, then index entries
    uint32_t run_count;
    uint32_t entry_count;
    int64_t position;
};

void segment_run_encode(const struct segment_run *run, struct buf *out);
void segment_entry_encode(const struct segment_entry *entry, struct buf *out);
// segment_trailer_encode appends the trailer to `footer`, which holds exactly the rows and entries so far.
void segment_trailer_encode(int64_t footer_position, uint32_t run_count, uint32_t entry_count,
                            struct buf *footer);

// segment_footer_load reads and checks a whole footer; ERR_CORRUPT for anything the format does not allow.
struct segment_source {
    void *arg;
    int64_t size;
    enum err (*read)(void *arg, int64_t position, void *out, size_t len, struct error *e);
};
enum err segment_footer_load(const struct segment_source *source, struct segment_footer *ret,
                             struct error *e);
void segment_footer_fini(struct segment_footer *f);
size_t segment_footer_bytes(const struct segment_footer *f);

struct segment_run segment_run_at(const struct segment_footer *f, uint32_t index);
struct segment_entry segment_entry_at(const struct segment_footer *f, uint32_t index);
// Searches as the cache's; ERR_CORRUPT if the footer has no run that holds the extent.
enum err segment_footer_find_offset(const struct segment_footer *f, const struct extent *extent,
                                    int64_t offset, struct segment_place *ret, struct error *e);
enum err segment_footer_find_timestamp(const struct segment_footer *f, const struct extent *extent,
                                       int64_t target_ms, struct segment_place *ret, struct error *e);

#endif
