// SPDX-License-Identifier: Apache-2.0
// fuzz_segment.c - a merged object from anywhere: find offsets and timestamps through the cache, and dump it.
// The first 32 bytes of the input ask; the rest is the object. Magic, position and checksum are put right on
// request, else no input would get past them. A place that is found must lie inside its extent.
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "keeper/segment.h"
#include "platform/real/real.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { QUERY_SIZE = 32, TRAILER_SIZE = 32, RUN_SIZE = 72, ENTRY_SIZE = 20 };

struct object {
    struct bytes bytes;
};
struct memory_file {
    struct file file;
    struct bytes bytes;
};

static enum err object_read(struct engine *engine, struct object *o, int64_t position, void *out, size_t len,
                            struct error *e)
{
    (void)engine;
    if (position < 0 || len > o->bytes.len || (size_t)position > o->bytes.len - len) {
        return FAIL(e, ERR_CORRUPT, "past the end");
    }
    memcpy(out, o->bytes.ptr + position, len);
    return ERR_OK;
}

static int64_t object_size(struct engine *engine, struct object *o)
{
    (void)engine;
    return (int64_t)o->bytes.len;
}

static enum err file_read(struct file *file, int64_t position, void *out, size_t len, size_t *ret_len,
                          struct error *e)
{
    (void)e;
    struct bytes b = ((struct memory_file *)file)->bytes;
    ASSERT(position >= 0);
    size_t left = (size_t)position < b.len ? b.len - (size_t)position : 0;
    *ret_len = len < left ? len : left;
    memcpy(out, b.ptr + position, *ret_len);
    return ERR_OK;
}

static enum err file_length(struct file *file, int64_t *ret_size, struct error *e)
{
    (void)e;
    *ret_size = (int64_t)((struct memory_file *)file)->bytes.len;
    return ERR_OK;
}

static void line(void *arg, struct str text)
{
    *(size_t *)arg += text.len;
}

static void repair(uint8_t *object, size_t size)
{
    uint8_t *trailer = object + size - TRAILER_SIZE;
    size_t rows = (size_t)load_be32(trailer + 8) * RUN_SIZE + (size_t)load_be32(trailer + 12) * ENTRY_SIZE;
    memcpy(trailer + 24, "STROMSEG", 8);
    store_be32(trailer + 20, 1);
    if (rows > size - TRAILER_SIZE) {
        return;
    }
    size_t position = size - TRAILER_SIZE - rows;
    store_be64(trailer, position);
    uint32_t sum = crc32c(0, object + position, rows);
    sum = crc32c(sum, trailer, 16);
    store_be32(trailer + 16, crc32c(sum, trailer + 20, 12));
}

static void find(struct segment_cache *cache, struct object *object, const uint8_t *query)
{
    struct extent extent = {
        .object = 1,
        .flags = EXTENT_FINAL,
        .position = load_be32(query),
        .length = load_be32(query + 4),
        .base_offset = (int64_t)(load_be64(query + 8) >> 2),
    };
    extent.end_offset = extent.base_offset + 1 + load_be16(query + 24);
    struct segment_place place;
    int64_t offset = extent.base_offset + query[26];
    if (segment_cache_find_offset(cache, object, &extent, offset, &place, NULL) == ERR_OK) {
        ASSERT(place.position >= extent.position);
        ASSERT(place.position == extent.position || place.position < extent.position + extent.length);
    }
    int64_t target_ms = (int64_t)load_be64(query + 16);
    if (segment_cache_find_timestamp(cache, object, &extent, target_ms, &place, NULL) == ERR_OK) {
        ASSERT(place.position >= extent.position);
        ASSERT(place.position == extent.position || place.position < extent.position + extent.length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct env *env;
    static const struct engine_ops engine_ops = {.object_read = object_read, .object_size = object_size};
    static const struct file_ops file_ops = {.read_at = file_read, .size = file_length};
    if (env == NULL && real_env_open(STR(""), &env, NULL) != ERR_OK) {
        return 0;
    }
    if (size < QUERY_SIZE + TRAILER_SIZE) {
        return 0;
    }
    size_t object_bytes = size - QUERY_SIZE;
    uint8_t *copy = mem_alloc(object_bytes);
    memcpy(copy, data + QUERY_SIZE, object_bytes);
    if ((data[QUERY_SIZE - 1] & 1) != 0) {
        repair(copy, object_bytes);
    }
    struct engine engine = {&engine_ops};
    struct object object = {{copy, object_bytes}};
    struct segment_cache *cache = segment_cache_create(env, &engine, 1 << 20);
    find(cache, &object, data);
    segment_cache_destroy(cache);
    struct memory_file file = {{&file_ops}, {copy, object_bytes}};
    size_t printed = 0;
    (void)segment_dump(&file.file, line, &printed, NULL);
    mem_free(copy);
    return 0;
}
