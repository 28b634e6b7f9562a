// SPDX-License-Identifier: Apache-2.0
// record_private.h - positions of header fields, and the one parser of a record that check, iterate and find
// share.
#ifndef RECORD_RECORD_PRIVATE_H
#define RECORD_RECORD_PRIVATE_H

#include "record/build.h"

enum {
    BATCH_AT_BASE_OFFSET = 0,
    BATCH_AT_LENGTH = 8,
    BATCH_AT_LEADER_EPOCH = 12,
    BATCH_AT_MAGIC = 16,
    BATCH_AT_CRC = 17,
    BATCH_AT_ATTRIBUTES = BATCH_CRC_FROM,
    BATCH_AT_LAST_OFFSET_DELTA = 23,
    BATCH_AT_BASE_TIMESTAMP = 27,
    BATCH_AT_MAX_TIMESTAMP = 35,
    BATCH_AT_PRODUCER_ID = 43,
    BATCH_AT_PRODUCER_EPOCH = 51,
    BATCH_AT_BASE_SEQUENCE = 53,
    BATCH_AT_RECORD_COUNT = 57,
};

// batch_header_decode is batch_header_read without judging offsets and counts.
enum err batch_header_decode(struct bytes in, struct batch_header *ret, struct error *e);
// batch_sum_again writes the checksum of a whole batch.
void batch_sum_again(uint8_t *batch);

// batch_builder_note counts a record in whose bytes are put into b->records by the caller; false if refused.
bool batch_builder_note(struct batch_builder *b, int64_t offset_delta, int64_t timestamp,
                        int64_t *ret_timestamp_delta);

// What the walk over one record yields. Without `hold` the pointers say null or not, and must not be
// followed.
struct record_walk {
    int64_t timestamp; // as the batch means it: CreateTime or the batch's LogAppendTime
    int32_t offset_delta;
    int32_t header_count;
    struct bytes key;
    struct bytes value;
    struct bytes headers_raw;
};

// record_source_open checks that the batch is whole; close must follow on ERR_OK.
enum err record_source_open(struct record_source *s, struct codec_context *ctx, const struct batch_header *h,
                            struct bytes batch, const struct codec_limits *limits, struct error *e);
void record_source_close(struct record_source *s);
// record_source_walk reads the next record; false at an error, which stays in s->error. With `hold` the
// record is brought together in memory first, so that its views live until the next call; without, memory
// stays at a window whatever the record's size.
bool record_source_walk(struct record_source *s, const struct batch_header *h, bool hold,
                        struct record_walk *ret);
// What a run over usual records asks and tells.
struct record_run {
    int32_t index;          // of the next record: the offset delta it must have
    int32_t count;          // stop before this one
    const uint8_t *until;   // or once so far; NULL = the end
    int64_t min_ms, max_ms; // what timestamps may be, but for BATCH_NO_TIMESTAMP
    bool wants_keys;
    int64_t max_timestamp; // of all so far
    int32_t max_index;     // whose it is
    int32_t null_key_count;
};

// record_source_run walks on over records as long as each is sound, lies whole in memory with the start of
// the next, has short lengths and no headers, and is what the run asks for. It stops before the first that is
// not, and says nothing of that one: record_source_walk does.
void record_source_run(struct record_source *s, const struct batch_header *h, struct record_run *run);
// record_source_position: bytes of records, uncompressed, that were passed.
uint64_t record_source_position(const struct record_source *s);
// record_source_end checks that no bytes follow, and that the compressed input ended well.
bool record_source_end(struct record_source *s);

#endif
