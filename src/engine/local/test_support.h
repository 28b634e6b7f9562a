// SPDX-License-Identifier: Apache-2.0
// test_support.h - bundles with batches whose bytes follow from a number, and a list of what a replay
// delivered.
#ifndef ENGINE_LOCAL_TEST_SUPPORT_H
#define ENGINE_LOCAL_TEST_SUPPORT_H

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "engine/local/local.h"

enum { TEST_BATCHES_MAX = 4 };

// What bundle `number` holds: its size is chosen by the caller and must be asked for alike when it is
// compared.
struct test_bundle {
    struct bundle bundle;
    struct payload_entry entries[TEST_BATCHES_MAX];
    struct io_slice slices[TEST_BATCHES_MAX];
    uint8_t meta[64];
    uint8_t *payload;
};

static inline void test_batch_fill(uint8_t *at, size_t size, uint64_t number)
{
    uint64_t x = number * 0x9e3779b97f4a7c15ULL + 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        at[i] = (uint8_t)(x >> 56);
    }
    store_be32(at + 8, (uint32_t)(size - 12));
    at[16] = 2;
    store_be32(at + 17, crc32c(0, at + 21, size - 21));
}

// batch_count batches of batch_size bytes (at least 61) each.
static inline void test_bundle_init(struct test_bundle *b, uint64_t number, uint32_t batch_count,
                                    size_t batch_size)
{
    ASSERT(batch_count <= TEST_BATCHES_MAX && (batch_count == 0 || batch_size >= 61));
    memset(b, 0, sizeof *b);
    b->payload = mem_alloc(batch_count * batch_size + 1);
    for (uint32_t i = 0; i < batch_count; i++) {
        uint8_t *at = b->payload + i * batch_size;
        test_batch_fill(at, batch_size, number * TEST_BATCHES_MAX + i);
        b->entries[i] = (struct payload_entry){.length = (uint32_t)batch_size, .crc = load_be32(at + 17)};
        b->slices[i] = (struct io_slice){.ptr = at, .len = batch_size};
    }
    size_t meta_len = 9 + number % 40;
    for (size_t i = 0; i < meta_len; i++) {
        b->meta[i] = (uint8_t)(number + i);
    }
    b->bundle = (struct bundle){
        .id = number ^ 0x5555,
        .meta = bytes_of(b->meta, meta_len),
        .item_count = 1 + (uint32_t)(number % 3),
        .entries = b->entries,
        .entry_count = batch_count,
        .payload = b->slices,
        .payload_slice_count = batch_count,
        .payload_size = batch_count * batch_size,
        .needs_sync = true,
    };
}

static inline void test_bundle_fini(struct test_bundle *b)
{
    mem_free(b->payload);
    b->payload = NULL;
}

struct test_delivered {
    uint64_t lsn;
    uint64_t id;
    int64_t stamp_ms;
    int64_t time_ms;
    uint64_t object;
    int64_t payload_position;
    uint8_t meta[64];
    size_t meta_len;
    uint32_t item_count;
};

struct test_replay {
    struct test_delivered *list;
    uint32_t count;
    uint32_t cap;
};

static inline enum err test_deliver(void *arg, const struct ordered *o, struct error *e)
{
    struct test_replay *r = arg;
    (void)e;
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 64 : r->cap * 2;
        r->list = mem_realloc(r->list, r->cap * sizeof *r->list);
    }
    struct test_delivered *d = &r->list[r->count++];
    *d = (struct test_delivered){
        .lsn = o->lsn,
        .id = o->id,
        .stamp_ms = o->stamp_ms,
        .time_ms = o->time_ms,
        .object = o->object,
        .payload_position = o->payload_position,
        .meta_len = o->meta.len,
        .item_count = o->item_count,
    };
    ASSERT(o->meta.len <= sizeof d->meta);
    memcpy(d->meta, o->meta.ptr, o->meta.len);
    return ERR_OK;
}

static inline void test_replay_fini(struct test_replay *r)
{
    mem_free(r->list);
    *r = (struct test_replay){0};
}

// test_delivered_is: was bundle `number`, with these batches, delivered, and does its payload read back?
static inline bool test_delivered_is(struct engine *engine, const struct test_delivered *d, uint64_t number,
                                     uint32_t batch_count, size_t batch_size)
{
    struct test_bundle b;
    test_bundle_init(&b, number, batch_count, batch_size);
    bool is_same = d->id == b.bundle.id && d->item_count == b.bundle.item_count &&
                   bytes_equal(bytes_of(d->meta, d->meta_len), b.bundle.meta);
    struct object *o = engine_object_pin(engine, d->object);
    uint8_t *read = mem_alloc(b.bundle.payload_size + 1);
    is_same =
        is_same && o != NULL &&
        engine_object_read(engine, o, d->payload_position, read, b.bundle.payload_size, NULL) == ERR_OK &&
        bytes_equal(bytes_of(read, b.bundle.payload_size), bytes_of(b.payload, b.bundle.payload_size));
    engine_object_unpin(engine, o);
    mem_free(read);
    test_bundle_fini(&b);
    return is_same;
}

#endif
