// SPDX-License-Identifier: Apache-2.0
// test_support.h - batches of any size for this module's tests.
#ifndef KEEPER_TEST_SUPPORT_H
#define KEEPER_TEST_SUPPORT_H

#include "base/mem.h"
#include "record/build.h"

// test_batch appends a batch of `records` records, one value of about value_size bytes.
static inline void test_batch(struct buf *out, int64_t base_offset, int32_t leader_epoch, int32_t records,
                              int64_t timestamp, size_t value_size)
{
    struct batch_options options = batch_options_default();
    options.base_offset = base_offset;
    options.leader_epoch = leader_epoch;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    uint8_t *value = mem_alloc(value_size + 1);
    memset(value, (int)(base_offset % 251), value_size + 1);
    for (int32_t i = 0; i < records; i++) {
        size_t size = i == 0 ? value_size : 1;
        batch_builder_append(&b, timestamp, bytes_of("k", 1), bytes_of(value, size), NULL, 0);
    }
    mem_free(value);
    enum err err = batch_builder_finish(&b, out, NULL);
    if (err != ERR_OK) {
        buf_fini(out); // the test that needed it fails on the empty buffer
    }
    batch_builder_fini(&b);
}

#endif
