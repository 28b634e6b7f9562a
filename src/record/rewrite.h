// SPDX-License-Identifier: Apache-2.0
// rewrite.h - a stored or checked batch written again with fewer records, or with headers more. What stays
// keeps its offset, timestamp and bytes; the batch keeps its bounds, producer, sequence and codec.
#ifndef RECORD_REWRITE_H
#define RECORD_REWRITE_H

#include "record/build.h"

enum { REWRITE_BYTES_MAX = 256 << 20 }; // of a batch's records

// batch_rewrite_begin resets the builder to make the batch of header `h` again. horizon_ms >= 0 is written
// into it as its delete horizon (KIP-534).
void batch_rewrite_begin(struct batch_builder *builder, const struct batch_header *h, int64_t horizon_ms);
// batch_rewrite_end appends the batch, which covers the offsets of `h` whatever was left out.
enum err batch_rewrite_end(struct batch_builder *builder, const struct batch_header *h, struct buf *out,
                           struct error *e);

// What becomes of one record. `headers` are put behind its own; they are read before the next record is
// judged.
struct rewrite_fate {
    bool is_dropped;
    const struct record_header *headers;
    int32_t header_count;
};
struct rewrite_judge {
    struct rewrite_fate (*judge)(void *arg, const struct record *record, int32_t index);
    void *arg;
};

// batch_rewrite appends the batch as the judge leaves it. *ret_count: records that stayed. Errors as the
// iterator's and the builder's; out is then as it was.
enum err batch_rewrite(struct batch_builder *builder, struct codec_context *ctx, struct bytes batch,
                       struct rewrite_judge judge, struct buf *out, int32_t *ret_count, struct error *e);

// The same in steps, of a batch whose records were decompressed before, and up to where batch_finishing goes
// on: the builder has what stays. All that is given to begin is borrowed until it is done or left.
struct batch_rewriting {
    struct batch_builder *builder; // private, as all that follows
    struct record_iterator records;
    struct rewrite_judge judge;
    int32_t index;
    bool is_copying; // records that stay as they are have the same bytes in both batches
};
void batch_rewriting_begin(struct batch_rewriting *r, struct batch_builder *builder,
                           const struct batch_header *header, struct bytes records,
                           struct rewrite_judge judge);
// batch_rewriting_step takes on about so many bytes of records more.
enum err batch_rewriting_step(struct batch_rewriting *r, size_t bytes, bool *ret_is_done, struct error *e);

#endif
