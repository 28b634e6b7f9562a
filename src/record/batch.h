// SPDX-License-Identifier: Apache-2.0
// batch.h - the header of a record batch, version 2 (magic 2; KIP-98, KIP-482 leaves it alone).
// No other module knows these positions. Pure: no I/O, no allocation, any thread.
#ifndef RECORD_BATCH_H
#define RECORD_BATCH_H

#include "base/bytes.h"
#include "base/error.h"
#include "codec/codec.h"

enum {
    BATCH_HEADER_SIZE = 61,
    BATCH_PREFIX_SIZE = 12, // base_offset and batch_length, which batch_length does not count
    BATCH_MAGIC = 2,
    BATCH_CRC_FROM = 21, // the sum covers from the attributes to the end
};

// Attribute bits. 0-2 are the codec.
enum {
    BATCH_ATTRIBUTE_CODEC = 0x07,
    BATCH_ATTRIBUTE_LOG_APPEND_TIME = 0x08,
    BATCH_ATTRIBUTE_TRANSACTIONAL = 0x10,
    BATCH_ATTRIBUTE_CONTROL = 0x20,
    BATCH_ATTRIBUTES_KNOWN = 0x7f,
    BATCH_ATTRIBUTE_DELETE_HORIZON = 0x40, // base_timestamp is when tombstones and markers may go
};

enum { BATCH_NO_TIMESTAMP = -1, BATCH_NO_PRODUCER_ID = -1, BATCH_NO_SEQUENCE = -1 };

struct batch_header {
    int64_t base_offset;
    int64_t base_timestamp; // ms; record timestamps are deltas to it
    int64_t max_timestamp;  // ms; with LOG_APPEND_TIME the timestamp of every record
    int64_t producer_id;    // -1 = none
    size_t size;            // bytes of the whole batch: 12 + batch_length
    int32_t leader_epoch;
    uint32_t crc;
    int32_t last_offset_delta;
    int32_t base_sequence; // -1 = none
    int32_t record_count;  // fewer than last_offset_delta + 1 after compaction
    int16_t attributes;
    int16_t producer_epoch;
    int8_t magic;
};

static inline int64_t batch_last_offset(const struct batch_header *h)
{
    return h->base_offset + h->last_offset_delta;
}
// batch_codec may be a value that no codec has (5-7): the stream refuses it.
static inline enum codec batch_codec(const struct batch_header *h)
{
    return (enum codec)(h->attributes & BATCH_ATTRIBUTE_CODEC);
}
static inline bool batch_is_log_append_time(const struct batch_header *h)
{
    return (h->attributes & BATCH_ATTRIBUTE_LOG_APPEND_TIME) != 0;
}
static inline bool batch_is_transactional(const struct batch_header *h)
{
    return (h->attributes & BATCH_ATTRIBUTE_TRANSACTIONAL) != 0;
}
static inline bool batch_is_control(const struct batch_header *h)
{
    return (h->attributes & BATCH_ATTRIBUTE_CONTROL) != 0;
}
static inline bool batch_has_delete_horizon(const struct batch_header *h)
{
    return (h->attributes & BATCH_ATTRIBUTE_DELETE_HORIZON) != 0;
}
// batch_last_sequence wraps from 2147483647 to 0, as producers do; -1 without a base sequence.
int32_t batch_last_sequence(const struct batch_header *h);

// batch_size_peek reads how many bytes the batch at the start of `in` takes in all; needs BATCH_PREFIX_SIZE
// bytes. ERR_CORRUPT when there are fewer, or when the length is too small for a header.
enum err batch_size_peek(struct bytes in, size_t *ret_size, struct error *e);

// batch_header_read decodes the first BATCH_HEADER_SIZE bytes of `in`; the rest of the batch need not be
// there: compare ret->size. ERR_CORRUPT: too short, a length or count that cannot be, an unknown magic.
// ERR_INVALID_RECORD: the old magic 0 or 1. The checksum is not looked at.
enum err batch_header_read(struct bytes in, struct batch_header *ret, struct error *e);

// batch_crc_check sums a whole batch (exactly, at least BATCH_HEADER_SIZE bytes); false = damaged.
bool batch_crc_check(struct bytes batch);

// batch_patch assigns the base offset and the leader epoch: both lie outside the checksum.
void batch_patch(uint8_t *batch, int64_t base_offset, int32_t leader_epoch);
// batch_set_log_append_time marks a whole, checked batch as LogAppendTime `ms` and sums it again.
void batch_set_log_append_time(uint8_t *batch, int64_t ms);
// batch_fix_max_timestamp replaces max_timestamp in a whole, checked batch and sums it again. Produce needs
// it where batch_check found is_max_timestamp_wrong: Kafka recomputes this field and never trusts a client's.
void batch_fix_max_timestamp(uint8_t *batch, int64_t ms);
// batch_set_transaction makes a whole batch without producer one of a transaction, without a sequence: a
// dead letter of it.
void batch_set_transaction(uint8_t *batch, int64_t producer_id, int16_t producer_epoch);

#endif
