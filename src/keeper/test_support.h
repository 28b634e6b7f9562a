// SPDX-License-Identifier: Apache-2.0
// test_support.h - an engine that keeps objects in memory, and batches of any size, for this module's tests.
#ifndef KEEPER_TEST_SUPPORT_H
#define KEEPER_TEST_SUPPORT_H

#include "base/mem.h"
#include "keeper/segment_private.h"
#include "record/build.h"

enum { MEMORY_OBJECTS_MAX = 64 };

struct object {
    struct buf data;
    bool is_there;
    bool is_sealed;
    uint32_t pins;
};
struct memory_engine {
    struct engine engine;
    struct object objects[MEMORY_OBJECTS_MAX]; // by number; 0 is not used
    uint64_t last;
    uint32_t reads;
    int64_t appends_left; // then ERR_NO_SPACE; -1 = no limit
};

static inline enum err memory_create(struct engine *engine, uint64_t *ret_object, struct error *e)
{
    struct memory_engine *m = (struct memory_engine *)engine;
    (void)e;
    *ret_object = ++m->last;
    m->objects[m->last].is_there = true;
    buf_init(&m->objects[m->last].data, SIZE_MAX / 2);
    return ERR_OK;
}

static inline enum err memory_append(struct engine *engine, uint64_t object, struct bytes data,
                                     struct error *e)
{
    struct memory_engine *m = (struct memory_engine *)engine;
    if (m->appends_left == 0) {
        return FAIL(e, ERR_NO_SPACE, "full");
    }
    m->appends_left -= m->appends_left > 0;
    buf_append(&m->objects[object].data, data.ptr, data.len);
    return ERR_OK;
}

static inline enum err memory_seal(struct engine *engine, uint64_t object, struct error *e)
{
    (void)e;
    ((struct memory_engine *)engine)->objects[object].is_sealed = true;
    return ERR_OK;
}

static inline void memory_drop(struct engine *engine, uint64_t object)
{
    struct object *o = &((struct memory_engine *)engine)->objects[object];
    o->is_there = false;
    buf_fini(&o->data);
}

static inline struct object *memory_pin(struct engine *engine, uint64_t object)
{
    struct object *o = &((struct memory_engine *)engine)->objects[object];
    return o->is_there ? o : NULL;
}

static inline void memory_unpin(struct engine *engine, struct object *o)
{
    (void)engine;
    (void)o;
}

static inline enum err memory_read(struct engine *engine, struct object *o, int64_t position, void *out,
                                   size_t len, struct error *e)
{
    __atomic_fetch_add(&((struct memory_engine *)engine)->reads, 1, __ATOMIC_RELAXED);
    if (position < 0 || len > o->data.len || (size_t)position > o->data.len - len) {
        return FAIL(e, ERR_CORRUPT, "past the end");
    }
    memcpy(out, o->data.ptr + position, len);
    return ERR_OK;
}

static inline int64_t memory_size(struct engine *engine, struct object *o)
{
    (void)engine;
    return (int64_t)o->data.len;
}

static const struct engine_ops memory_engine_ops = {
    .object_create = memory_create,
    .object_append = memory_append,
    .object_seal = memory_seal,
    .object_drop = memory_drop,
    .object_pin = memory_pin,
    .object_unpin = memory_unpin,
    .object_read = memory_read,
    .object_size = memory_size,
};

static inline void memory_engine_init(struct memory_engine *m)
{
    *m = (struct memory_engine){.engine = {&memory_engine_ops}, .appends_left = -1};
}

static inline void memory_engine_fini(struct memory_engine *m)
{
    for (uint64_t i = 1; i <= m->last; i++) {
        buf_fini(&m->objects[i].data);
    }
}

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
