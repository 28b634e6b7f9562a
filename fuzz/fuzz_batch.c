// SPDX-License-Identifier: Apache-2.0
// fuzz_batch.c - a batch from anywhere. Length and checksum are put right first, else no input would get past
// them. What the check accepts must iterate to the same count and largest timestamp, survive a rebuild, and
// be found.
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "record/build.h"
#include "record/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct codec_limits limits = {.bytes_max = 1 << 20, .ratio_max = 1000, .bytes_free = 64 << 10};

static void headers_walk(const struct record *r)
{
    struct record_headers headers = record_headers_init(r);
    struct record_header header;
    int32_t count = 0;
    while (record_headers_next(&headers, &header)) {
        count++;
    }
    ASSERT(count == r->header_count);
    ASSERT(headers.reader.pos == headers.reader.end);
}

// iterate copies all records into the builder.
static enum err iterate(struct codec_context *ctx, struct bytes batch, struct batch_builder *builder,
                        int32_t *ret_count, int64_t *ret_max_timestamp)
{
    struct record_iterator it;
    *ret_count = 0;
    *ret_max_timestamp = INT64_MIN;
    enum err err = record_iterator_init(&it, ctx, batch, &limits, NULL);
    if (err != ERR_OK) {
        return err;
    }
    struct record r;
    while (record_iterator_next(&it, &r)) {
        ++*ret_count;
        *ret_max_timestamp = r.timestamp > *ret_max_timestamp ? r.timestamp : *ret_max_timestamp;
        headers_walk(&r);
        batch_builder_append_record(builder, &r);
    }
    return record_iterator_fini(&it, NULL);
}

static void accepted(struct codec_context *ctx, struct bytes batch, const struct batch_facts *facts)
{
    struct batch_options options = batch_options_default();
    options.base_offset = facts->header.base_offset;
    options.base_timestamp = facts->header.base_timestamp;
    options.codec = CODEC_NONE;
    struct batch_builder builder, none;
    batch_builder_init(&builder, &options);
    batch_builder_init(&none, &options);
    int32_t count;
    int64_t max_timestamp;
    enum err err = iterate(ctx, batch, &builder, &count, &max_timestamp);
    ASSERT(err == ERR_OK);
    ASSERT(count == facts->header.record_count);
    ASSERT(max_timestamp == facts->max_timestamp);
    struct buf rebuilt;
    buf_init(&rebuilt, 4 << 20);
    err = batch_builder_finish(&builder, &rebuilt, NULL);
    ASSERT(err == ERR_OK || err == ERR_INVALID_RECORD); // a timestamp's delta may overflow from -1 alone
    if (err == ERR_OK) {
        ASSERT(batch_crc_check(buf_bytes(&rebuilt)));
        err = iterate(ctx, buf_bytes(&rebuilt), &none, &count, &max_timestamp);
        ASSERT(err == ERR_OK);
        ASSERT(count == facts->header.record_count);
        ASSERT(max_timestamp == facts->max_timestamp);
        int64_t offset;
        int64_t timestamp;
        err = batch_find_max_timestamp(ctx, buf_bytes(&rebuilt), &offset, &timestamp, NULL);
        ASSERT(err == ERR_OK);
        ASSERT(timestamp == facts->max_timestamp);
        ASSERT(offset == facts->header.base_offset + facts->max_timestamp_offset_delta);
    }
    buf_fini(&rebuilt);
    batch_builder_fini(&builder);
    batch_builder_fini(&none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec_context ctx; // reused from input to input, as a thread of the server does
    static const struct batch_rules rules = {
        .batch_bytes_max = 1 << 20,
        .now_ms = 1700000000000,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = INT64_MAX,
        .is_zstd_allowed = true,
        .codec_limits = &limits,
    };
    uint8_t *batch = mem_alloc(size);
    if (size > 0) {
        memcpy(batch, data, size);
    }
    if (size >= BATCH_HEADER_SIZE) {
        store_be32(batch + 8, (uint32_t)(size - BATCH_PREFIX_SIZE));
        batch[16] = BATCH_MAGIC;
        store_be32(batch + 17, crc32c(0, batch + BATCH_CRC_FROM, size - BATCH_CRC_FROM));
    }
    struct bytes in = bytes_of(batch, size);
    struct batch_facts facts;
    if (batch_check(&ctx, in, &rules, &facts, NULL) == ERR_OK) {
        accepted(&ctx, in, &facts);
    } else {
        struct batch_options options = batch_options_default();
        struct batch_builder builder;
        batch_builder_init(&builder, &options);
        int32_t count;
        int64_t timestamp;
        (void)!iterate(&ctx, in, &builder, &count, &timestamp);
        batch_builder_fini(&builder);
    }
    int64_t offset;
    int64_t timestamp;
    (void)!batch_find_timestamp(&ctx, in, 1700000000000, &offset, &timestamp, NULL);
    mem_free(batch);
    return 0;
}
