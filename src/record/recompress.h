// SPDX-License-Identifier: Apache-2.0
// recompress.h - a batch under another codec: the same records, offsets, producer and sequence.
#ifndef RECORD_RECOMPRESS_H
#define RECORD_RECOMPRESS_H

#include "codec/codec.h"
#include "record/batch.h"

// batch_recompress appends the batch, which was checked, under `codec` to out. `level` as
// codec_compress_level. ERR_BATCH_TOO_LARGE where it does not fit under out's limit.
enum err batch_recompress(struct codec_context *ctx, struct bytes batch, enum codec codec, int level,
                          struct buf *out, struct error *e);

#endif
