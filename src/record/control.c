// SPDX-License-Identifier: Apache-2.0
// control.c - control batches: one record whose key is {int16 version, int16 type} (KIP-98, "Control
// Records").
#include "record/build.h"

enum { CONTROL_BATCH_BYTES_MAX = 128 };

static enum err control_build(struct buf *out, const struct batch_options *options, int64_t timestamp,
                              enum control_type type, int32_t coordinator_epoch, struct error *e)
{
    uint8_t key[4];
    store_be16(key, 0);
    store_be16(key + 2, (uint16_t)type);
    uint8_t value[6];
    store_be16(value, 0);
    store_be32(value + 2, (uint32_t)coordinator_epoch);
    struct batch_builder b;
    batch_builder_init(&b, options);
    batch_builder_append(&b, timestamp, bytes_of(key, sizeof key), bytes_of(value, sizeof value), NULL, 0);
    enum err err = batch_builder_finish(&b, out, e);
    batch_builder_fini(&b);
    return err;
}

enum err batch_marker_build(struct buf *out, int64_t offset, int64_t timestamp, int64_t producer_id,
                            int16_t producer_epoch, enum control_type type, int32_t coordinator_epoch,
                            struct error *e)
{
    struct batch_options options = batch_options_default();
    options.base_offset = offset;
    options.producer_id = producer_id;
    options.producer_epoch = producer_epoch;
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL | BATCH_ATTRIBUTE_CONTROL;
    options.bytes_max = CONTROL_BATCH_BYTES_MAX;
    return control_build(out, &options, timestamp, type, coordinator_epoch, e);
}

enum err batch_gap_build(struct buf *out, int64_t last_offset, int64_t timestamp, struct error *e)
{
    // A commit without a producer: an abort would make clients look for the transaction that it ends.
    struct batch_options options = batch_options_default();
    options.base_offset = last_offset;
    options.attributes = BATCH_ATTRIBUTE_CONTROL;
    options.bytes_max = CONTROL_BATCH_BYTES_MAX;
    return control_build(out, &options, timestamp, CONTROL_COMMIT, 0, e);
}

bool control_type_read(struct bytes key, int16_t *ret_type)
{
    struct reader r = reader_init(key);
    int16_t version = reader_i16(&r);
    int16_t type = reader_i16(&r);
    if (r.failed || version < 0) {
        return false;
    }
    *ret_type = type;
    return true;
}
