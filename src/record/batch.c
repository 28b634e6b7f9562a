// SPDX-License-Identifier: Apache-2.0
#include "record/batch.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "record/record_private.h"

_Static_assert(BATCH_AT_RECORD_COUNT + 4 == BATCH_HEADER_SIZE, "the last header field ends the header");

int32_t batch_last_sequence(const struct batch_header *h)
{
    if (h->base_sequence < 0) {
        return BATCH_NO_SEQUENCE;
    }
    int64_t last = (int64_t)h->base_sequence + h->last_offset_delta;
    return (int32_t)(last & INT32_MAX);
}

enum err batch_size_peek(struct bytes in, size_t *ret_size, struct error *e)
{
    if (in.len < BATCH_PREFIX_SIZE) {
        return FAIL(e, ERR_CORRUPT, "%zu bytes are no batch", in.len);
    }
    int32_t length = (int32_t)load_be32(in.ptr + BATCH_AT_LENGTH);
    if (length < BATCH_HEADER_SIZE - BATCH_PREFIX_SIZE) {
        return FAIL(e, ERR_CORRUPT, "batch length %d is less than a header", length);
    }
    *ret_size = (size_t)length + BATCH_PREFIX_SIZE;
    return ERR_OK;
}

static enum err magic_check(int8_t magic, struct error *e)
{
    if (magic == BATCH_MAGIC) {
        return ERR_OK;
    }
    if (magic == 0 || magic == 1) {
        return FAIL(e, ERR_INVALID_RECORD,
                    "message format %d is too old: only record batches (2) are accepted", magic);
    }
    return FAIL(e, ERR_CORRUPT, "magic %d", magic);
}

enum err batch_header_decode(struct bytes in, struct batch_header *ret, struct error *e)
{
    size_t size;
    // The old formats are told apart first: their shortest messages are smaller than our header.
    if (in.len > BATCH_AT_MAGIC) {
        enum err err = magic_check((int8_t)in.ptr[BATCH_AT_MAGIC], e);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = batch_size_peek(in, &size, e);
    if (err != ERR_OK) {
        return err;
    }
    if (in.len < BATCH_HEADER_SIZE) {
        return FAIL(e, ERR_CORRUPT, "%zu bytes are less than a batch header", in.len);
    }
    const uint8_t *p = in.ptr;
    *ret = (struct batch_header){
        .base_offset = (int64_t)load_be64(p + BATCH_AT_BASE_OFFSET),
        .base_timestamp = (int64_t)load_be64(p + BATCH_AT_BASE_TIMESTAMP),
        .max_timestamp = (int64_t)load_be64(p + BATCH_AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)load_be64(p + BATCH_AT_PRODUCER_ID),
        .size = size,
        .leader_epoch = (int32_t)load_be32(p + BATCH_AT_LEADER_EPOCH),
        .crc = load_be32(p + BATCH_AT_CRC),
        .last_offset_delta = (int32_t)load_be32(p + BATCH_AT_LAST_OFFSET_DELTA),
        .base_sequence = (int32_t)load_be32(p + BATCH_AT_BASE_SEQUENCE),
        .record_count = (int32_t)load_be32(p + BATCH_AT_RECORD_COUNT),
        .attributes = (int16_t)load_be16(p + BATCH_AT_ATTRIBUTES),
        .producer_epoch = (int16_t)load_be16(p + BATCH_AT_PRODUCER_EPOCH),
        .magic = (int8_t)p[BATCH_AT_MAGIC],
    };
    return ERR_OK;
}

enum err batch_header_read(struct bytes in, struct batch_header *ret, struct error *e)
{
    struct batch_header h;
    enum err err = batch_header_decode(in, &h, e);
    if (err != ERR_OK) {
        return err;
    }
    if (h.base_offset < 0 || h.last_offset_delta < 0 || h.base_offset > INT64_MAX - h.last_offset_delta) {
        return FAIL(e, ERR_CORRUPT, "offsets from %lld over %d", (long long)h.base_offset,
                    h.last_offset_delta);
    }
    if (h.record_count < 0 || h.record_count - 1 > h.last_offset_delta) {
        return FAIL(e, ERR_CORRUPT, "%d records on offset deltas to %d", h.record_count, h.last_offset_delta);
    }
    *ret = h;
    return ERR_OK;
}

static uint32_t batch_sum(struct bytes batch)
{
    return crc32c(0, batch.ptr + BATCH_CRC_FROM, batch.len - BATCH_CRC_FROM);
}

bool batch_crc_check(struct bytes batch)
{
    ASSERT(batch.len >= BATCH_HEADER_SIZE);
    return load_be32(batch.ptr + BATCH_AT_CRC) == batch_sum(batch);
}

void batch_patch(uint8_t *batch, int64_t base_offset, int32_t leader_epoch)
{
    ASSERT(batch[BATCH_AT_MAGIC] == BATCH_MAGIC);
    store_be64(batch + BATCH_AT_BASE_OFFSET, (uint64_t)base_offset);
    store_be32(batch + BATCH_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

void batch_sum_again(uint8_t *batch)
{
    ASSERT(batch[BATCH_AT_MAGIC] == BATCH_MAGIC);
    uint32_t length = load_be32(batch + BATCH_AT_LENGTH);
    ASSERT(length >= BATCH_HEADER_SIZE - BATCH_PREFIX_SIZE && length <= INT32_MAX);
    store_be32(batch + BATCH_AT_CRC, batch_sum(bytes_of(batch, BATCH_PREFIX_SIZE + (size_t)length)));
}

void batch_set_log_append_time(uint8_t *batch, int64_t ms)
{
    uint16_t attributes = load_be16(batch + BATCH_AT_ATTRIBUTES);
    store_be16(batch + BATCH_AT_ATTRIBUTES, (uint16_t)(attributes | BATCH_ATTRIBUTE_LOG_APPEND_TIME));
    batch_fix_max_timestamp(batch, ms);
}

void batch_fix_max_timestamp(uint8_t *batch, int64_t ms)
{
    store_be64(batch + BATCH_AT_MAX_TIMESTAMP, (uint64_t)ms);
    batch_sum_again(batch);
}

void batch_set_transaction(uint8_t *batch, int64_t producer_id, int16_t producer_epoch)
{
    uint16_t attributes = load_be16(batch + BATCH_AT_ATTRIBUTES);
    store_be16(batch + BATCH_AT_ATTRIBUTES, (uint16_t)(attributes | BATCH_ATTRIBUTE_TRANSACTIONAL));
    store_be64(batch + BATCH_AT_PRODUCER_ID, (uint64_t)producer_id);
    store_be16(batch + BATCH_AT_PRODUCER_EPOCH, (uint16_t)producer_epoch);
    batch_sum_again(batch);
}
