// SPDX-License-Identifier: Apache-2.0
// build.h - making record batches: the CLI's producer, compaction, markers, tests and benchmarks.
#ifndef RECORD_BUILD_H
#define RECORD_BUILD_H

#include "record/iterate.h"

struct batch_options {
    int64_t base_offset;
    int64_t base_timestamp; // ms; -1 = that of the first record
    int64_t producer_id;    // -1 = none; then epoch and sequence are -1 too
    int32_t base_sequence;
    int32_t leader_epoch;
    int16_t producer_epoch;
    int16_t attributes; // bits above the codec's
    enum codec codec;
    size_t bytes_max; // of the records before compression, and of the batch
};
// batch_options_default: no producer, no codec, base offset 0, the first record's timestamp, leader epoch -1,
// 64 MiB.
struct batch_options batch_options_default(void);

struct batch_builder {
    struct batch_options options;
    struct buf records; // coded records, not compressed yet
    int64_t max_timestamp;
    int32_t record_count;
    int32_t last_offset_delta; // -1 while empty
    bool is_refused;           // a record did not fit the format (delta out of range)
};

void batch_builder_init(struct batch_builder *b, const struct batch_options *options);
void batch_builder_fini(struct batch_builder *b);
// batch_builder_reset keeps the memory and starts a new batch.
void batch_builder_reset(struct batch_builder *b, const struct batch_options *options);
// batch_builder_append adds a record at the next offset. Failures show in finish.
void batch_builder_append(struct batch_builder *b, int64_t timestamp, struct bytes key, struct bytes value,
                          const struct record_header *headers, int32_t header_count);
// batch_builder_append_record copies a record with its own offset (above the last one) and raw headers: what
// a merge does that leaves records out.
void batch_builder_append_record(struct batch_builder *b, const struct record *record);
// batch_builder_append_with copies a record to an offset above the last one, with more headers behind its
// own.
void batch_builder_append_with(struct batch_builder *b, const struct record *record, int64_t offset,
                               const struct record_header *headers, int32_t header_count);
// batch_builder_append_coded is batch_builder_append_with of headers that record_headers_encode coded.
void batch_builder_append_coded(struct batch_builder *b, const struct record *record, int64_t offset,
                                struct bytes headers, int32_t header_count);
// record_headers_encode appends headers as a record has them, without their count.
void record_headers_encode(const struct record_header *headers, int32_t header_count, struct buf *out);
// batch_builder_extend raises the last offset delta to that of `last_offset`: the batch covers it without a
// record for it. A batch of no records but a covered range is valid in a log.
void batch_builder_extend(struct batch_builder *b, int64_t last_offset);
// batch_builder_finish appends the whole batch with its checksum to out and leaves the builder as it is.
// ERR_BATCH_TOO_LARGE past bytes_max or out's limit, ERR_INVALID_RECORD for what the format cannot say.
enum err batch_builder_finish(struct batch_builder *b, struct buf *out, struct error *e);

// batch_builder_finish in steps, as the compression of much takes long. The builder and out are borrowed
// until end, which must follow, also after errors; not done, it leaves out as it was.
struct batch_finishing {
    struct batch_builder *builder; // private, as all that follows
    struct buf *out;
    size_t start;
    struct codec_packing packing;
    bool is_packing;
    bool is_done;
};
enum err batch_finishing_begin(struct batch_finishing *f, struct batch_builder *b, struct buf *out,
                               struct error *e);
// batch_finishing_step compresses about so many bytes of records more.
enum err batch_finishing_step(struct batch_finishing *f, size_t bytes, bool *ret_is_done, struct error *e);
void batch_finishing_end(struct batch_finishing *f);

// Types of control records (KIP-98).
enum control_type { CONTROL_ABORT = 0, CONTROL_COMMIT = 1 };

// batch_marker_build appends a transaction's end marker: one control record, one offset.
enum err batch_marker_build(struct buf *out, int64_t offset, int64_t timestamp, int64_t producer_id,
                            int16_t producer_epoch, enum control_type type, int32_t coordinator_epoch,
                            struct error *e);
// batch_gap_build appends a control batch at `last_offset` that belongs to no producer. Every client skips it
// and asks for last_offset + 1 next: it closes a gap whose records are gone.
enum err batch_gap_build(struct buf *out, int64_t last_offset, int64_t timestamp, struct error *e);
// control_type_read reads a control record's key {int16 version, int16 type}; false if malformed.
bool control_type_read(struct bytes key, int16_t *ret_type);

#endif
