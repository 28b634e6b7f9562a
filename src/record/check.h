// SPDX-License-Identifier: Apache-2.0
// check.h - what a broker verifies of a batch before it may be appended, and what it learns on the way.
// Uncompressed batches are walked in place; compressed ones as they decompress. Nothing is allocated per
// record.
#ifndef RECORD_CHECK_H
#define RECORD_CHECK_H

#include "record/iterate.h"

struct batch_rules {
    size_t batch_bytes_max;          // max.message.bytes: of the batch as it came, compressed
    int64_t now_ms;                  // wall clock
    int64_t timestamp_before_max_ms; // message.timestamp.before.max.ms; INT64_MAX = any
    int64_t timestamp_after_max_ms;  // message.timestamp.after.max.ms; INT64_MAX = any
    bool is_log_append_time;         // the topic's timestamp type: the client's timestamps do not count
    bool is_compacted;               // null keys are refused
    bool is_zstd_allowed;            // Produce version 7 on
    const struct codec_limits *codec_limits; // NULL = default
};

enum { BAD_RECORDS_MAX = 16, BAD_RECORD_TEXT_SIZE = 120 };

struct bad_record {
    int32_t index; // within the batch, from 0
    enum err err;
    char text[BAD_RECORD_TEXT_SIZE];
};

struct batch_facts {
    struct batch_header header;
    int64_t max_timestamp;              // recomputed from the records
    int32_t max_timestamp_offset_delta; // of the first record that has it
    int32_t null_key_count;
    uint64_t walked_bytes;       // of the records, uncompressed; also on errors
    bool is_max_timestamp_wrong; // the header said another: call batch_fix_max_timestamp before storing
    int32_t bad_count;           // all of them; bad_records holds the first BAD_RECORDS_MAX
    struct bad_record bad_records[BAD_RECORDS_MAX];
};

// batch_check verifies that `batch` is exactly one batch that a client may produce. ret's header is set on
// any error that comes after the header was read, bad_records on those that name records; use the rest on
// ERR_OK only.
//   ERR_INVALID_RECORD           no batch or more than one, magic 0 or 1, control batch, empty, counts or
//   offset
//                                deltas that do not fit, a producer id without sequence, malformed records,
//                                a null key on a compacted topic
//   ERR_CORRUPT                  checksum, impossible lengths, damaged compression
//   ERR_BATCH_TOO_LARGE          over batch_bytes_max, or more output than codec_limits allow
//   ERR_INVALID_TIMESTAMP        LogAppendTime set by the client, or timestamps out of range
//   ERR_UNSUPPORTED_COMPRESSION  unknown codec, or zstd not allowed
enum err batch_check(struct codec_context *ctx, struct bytes batch, const struct batch_rules *rules,
                     struct batch_facts *ret, struct error *e);

// A check in steps, for whoever may not take the time that a large batch costs at once.
enum checking_kind {
    CHECKING_ONLY,         // memory stays at a window, which grows as far as the largest record
    CHECKING_KEEPS,        // gives the records uncompressed, too
    CHECKING_DECOMPRESSES, // does only that: the batch was checked before
};
struct batch_checking {
    struct batch_facts facts; // as batch_check gives them
    struct bytes records;     // when it is done, unless it is CHECKING_ONLY: in place, or in `room`
    // private
    struct bytes batch;
    struct batch_rules rules;
    struct codec_context *ctx;
    struct buf *room;
    struct codec_stream stream;
    struct record_iterator plain;
    size_t summed; // bytes of the batch
    uint32_t sum;
    int32_t index;
    enum checking_kind kind;
    bool is_opened;
    bool is_windowed;
    bool is_streaming;
    bool is_walking;
    bool has_bad_timestamp;
};
// batch_checking_begin: the batch, ctx (if it is compressed) and room, which is empty, are borrowed until
// end.
enum err batch_checking_begin(struct batch_checking *c, struct codec_context *ctx, struct bytes batch,
                              const struct batch_rules *rules, enum checking_kind kind, struct buf *room,
                              struct error *e);
// batch_checking_step sums about so many bytes more, or takes on so many of records. Errors as batch_check's.
enum err batch_checking_step(struct batch_checking *c, size_t bytes, bool *ret_is_done, struct error *e);
void batch_checking_end(struct batch_checking *c); // also after errors; room stays

#endif
