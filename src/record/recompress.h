// SPDX-License-Identifier: Apache-2.0
// recompress.h - a batch under another codec: the same records, offsets, producer and sequence. In steps, as
// the harder levels take a second for a large batch.
#ifndef RECORD_RECOMPRESS_H
#define RECORD_RECOMPRESS_H

#include "codec/codec.h"
#include "record/batch.h"

// Private. Owner: the caller.
struct batch_recompressing {
    struct batch_header header;
    struct bytes records; // decompressed, in the batch or in `room`
    struct buf room;
    struct buf *out;
    size_t start; // of the batch in out
    struct codec_stream stream;
    struct codec_packing packing;
    enum codec codec;
    int level;
    bool is_streaming;
    bool is_packing;
};
// batch_recompressing_begin: the batch, which was checked, ctx and out are borrowed until end, which must
// follow, also after errors. `level` as codec_packing_begin.
enum err batch_recompressing_begin(struct batch_recompressing *r, struct codec_context *ctx,
                                   struct bytes batch, enum codec codec, int level, struct buf *out,
                                   struct error *e);
// batch_recompressing_step takes on about so many bytes of records more; done, the batch is at the end of
// out. ERR_BATCH_TOO_LARGE where it does not fit under out's limit.
enum err batch_recompressing_step(struct batch_recompressing *r, size_t bytes, bool *ret_is_done,
                                  struct error *e);
void batch_recompressing_end(struct batch_recompressing *r);

#endif
