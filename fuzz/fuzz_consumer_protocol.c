// SPDX-License-Identifier: Apache-2.0
// fuzz_consumer_protocol.c - what a member of a group may tell the others. The first byte picks subscription
// or assignment. Whatever decodes encodes again to the same topics.
#include "base/assert.h"
#include "cli/consumer_protocol.h"

enum { ARENA_BYTES = 16 << 20, OUT_BYTES_MAX = 16 << 20 };

static void try_subscription(struct bytes data, struct arena *arena, struct buf *out)
{
    struct subscription first;
    struct subscription second;
    if (subscription_decode(data, arena, &first, NULL) != ERR_OK) {
        return;
    }
    subscription_encode(first.topics, first.topic_count, out);
    ASSERT(subscription_decode(buf_bytes(out), arena, &second, NULL) == ERR_OK);
    ASSERT(second.topic_count == first.topic_count);
    for (size_t i = 0; i < first.topic_count; i++) {
        ASSERT(str_equal(first.topics[i], second.topics[i]));
    }
}

static void try_assignment(struct bytes data, struct arena *arena, struct buf *out)
{
    struct assignment first;
    struct assignment second;
    if (assignment_decode(data, arena, &first, NULL) != ERR_OK) {
        return;
    }
    assignment_encode(first.topics, first.topic_count, out);
    ASSERT(assignment_decode(buf_bytes(out), arena, &second, NULL) == ERR_OK);
    ASSERT(second.topic_count == first.topic_count);
    for (size_t i = 0; i < first.topic_count; i++) {
        ASSERT(first.topics[i].count == second.topics[i].count);
        ASSERT(first.topics[i].count == 0 || memcmp(first.topics[i].partitions, second.topics[i].partitions,
                                                    first.topics[i].count * sizeof(int32_t)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buf out;
    if (size == 0) {
        return 0;
    }
    arena_init(&arena, ARENA_BYTES);
    buf_init(&out, OUT_BYTES_MAX);
    if (data[0] == 0) {
        try_subscription(bytes_of(data + 1, size - 1), &arena, &out);
    } else {
        try_assignment(bytes_of(data + 1, size - 1), &arena, &out);
    }
    buf_fini(&out);
    arena_fini(&arena);
    return 0;
}
