// SPDX-License-Identifier: Apache-2.0
// segment_cache.c - footers in memory, bounded by bytes, least recently used leave first. The mutex guards
// lists and reference counts only: it is never held while the engine reads, so two threads that miss the same
// footer both read it and one of them throws its copy away.
#include "keeper/segment_private.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct cached_footer {
    struct map_node node;
    struct list recency; // most recent first
    uint64_t object;
    struct segment_footer footer;
    uint32_t refs;     // searches under way
    bool is_cached;    // in map and list; otherwise the last reference frees it
    size_t held_bytes; // what it counts for
};

struct segment_cache {
    struct engine *engine;
    struct mutex mutex;
    struct map map;
    struct list recent;
    size_t bytes;
    size_t limit_bytes;
};

struct segment_cache *segment_cache_create(struct env *env, struct engine *engine, size_t limit_bytes)
{
    struct segment_cache *c = mem_zalloc(sizeof *c);
    c->engine = engine;
    c->limit_bytes = limit_bytes;
    mutex_init(&c->mutex, env->threads);
    map_init(&c->map);
    list_init(&c->recent);
    return c;
}

static uint64_t segment_cache_hash(uint64_t object)
{
    return hash_mix(object, 0x5e6d);
}

static struct cached_footer *segment_cache_lookup_locked(struct segment_cache *c, uint64_t object)
{
    struct map_node *node = map_first(&c->map, segment_cache_hash(object));
    for (; node != NULL; node = map_next(node)) {
        struct cached_footer *f = MAP_ENTRY(node, struct cached_footer, node);
        if (f->object == object) {
            return f;
        }
    }
    return NULL;
}

static void cached_footer_free(struct cached_footer *f)
{
    segment_footer_fini(&f->footer);
    mem_free(f);
}

static void segment_cache_evict_locked(struct segment_cache *c, struct cached_footer *f)
{
    map_remove(&c->map, &f->node);
    list_remove(&f->recency);
    c->bytes -= f->held_bytes;
    f->is_cached = false;
    if (f->refs == 0) {
        cached_footer_free(f);
    }
}

void segment_cache_destroy(struct segment_cache *take_cache)
{
    struct segment_cache *c = take_cache;
    if (c == NULL) {
        return;
    }
    while (!list_is_empty(&c->recent)) {
        struct cached_footer *f = LIST_ENTRY(c->recent.next, struct cached_footer, recency);
        ASSERT(f->refs == 0);
        segment_cache_evict_locked(c, f);
    }
    map_fini(&c->map);
    mutex_fini(&c->mutex);
    mem_free(c);
}

void segment_cache_forget(struct segment_cache *c, uint64_t object)
{
    mutex_lock(&c->mutex);
    struct cached_footer *f = segment_cache_lookup_locked(c, object);
    if (f != NULL) {
        segment_cache_evict_locked(c, f);
    }
    mutex_unlock(&c->mutex);
}

// segment_cache_insert_locked makes room and puts f in front; a footer over the whole limit is used once and
// not kept.
static void segment_cache_insert_locked(struct segment_cache *c, struct cached_footer *f)
{
    if (f->held_bytes > c->limit_bytes) {
        return;
    }
    while (c->bytes + f->held_bytes > c->limit_bytes) {
        segment_cache_evict_locked(c, LIST_ENTRY(c->recent.prev, struct cached_footer, recency));
    }
    map_insert(&c->map, &f->node, segment_cache_hash(f->object));
    list_push_front(&c->recent, &f->recency);
    c->bytes += f->held_bytes;
    f->is_cached = true;
}

struct cache_source {
    struct engine *engine;
    struct object *object;
};

static enum err segment_cache_read(void *arg, int64_t position, void *out, size_t len, struct error *e)
{
    struct cache_source *source = arg;
    return engine_object_read(source->engine, source->object, position, out, len, e);
}

// segment_cache_get returns the footer with one reference.
static enum err segment_cache_get(struct segment_cache *c, struct object *object, uint64_t number,
                                  struct cached_footer **ret, struct error *e)
{
    mutex_lock(&c->mutex);
    struct cached_footer *f = segment_cache_lookup_locked(c, number);
    if (f != NULL) {
        f->refs++;
        list_remove(&f->recency);
        list_push_front(&c->recent, &f->recency);
    }
    mutex_unlock(&c->mutex);
    if (f != NULL) {
        *ret = f;
        return ERR_OK;
    }
    struct cache_source from = {c->engine, object};
    struct segment_source source = {&from, engine_object_size(c->engine, object), segment_cache_read};
    struct segment_footer footer;
    enum err err = segment_footer_load(&source, &footer, e);
    if (err != ERR_OK) {
        error_wrap(e, "object %llu: ", (unsigned long long)number);
        return err;
    }
    struct cached_footer *fresh = mem_zalloc(sizeof *fresh);
    fresh->object = number;
    fresh->footer = footer;
    fresh->held_bytes = sizeof *fresh + segment_footer_bytes(&footer);
    mutex_lock(&c->mutex);
    f = segment_cache_lookup_locked(c, number);
    if (f == NULL) {
        f = fresh;
        fresh = NULL;
        segment_cache_insert_locked(c, f);
    }
    f->refs++;
    mutex_unlock(&c->mutex);
    if (fresh != NULL) { // another thread was faster
        cached_footer_free(fresh);
    }
    *ret = f;
    return ERR_OK;
}

static void segment_cache_put(struct segment_cache *c, struct cached_footer *f)
{
    mutex_lock(&c->mutex);
    ASSERT(f->refs > 0);
    f->refs--;
    bool is_unused = f->refs == 0 && !f->is_cached;
    mutex_unlock(&c->mutex);
    if (is_unused) {
        cached_footer_free(f);
    }
}

// Nothing to look up: the log has no footer, and a short extent has no entry inside.
static bool segment_extent_is_plain(const struct extent *extent, struct segment_place *ret)
{
    *ret = (struct segment_place){extent->position, extent->base_offset};
    return (extent->flags & EXTENT_FINAL) == 0 || extent->length <= SEGMENT_INDEX_INTERVAL_BYTES;
}

enum err segment_cache_find_offset(struct segment_cache *c, struct object *object,
                                   const struct extent *extent, int64_t offset, struct segment_place *ret,
                                   struct error *e)
{
    if (segment_extent_is_plain(extent, ret)) {
        return ERR_OK;
    }
    struct cached_footer *f = NULL;
    enum err err = segment_cache_get(c, object, extent->object, &f, e);
    if (err != ERR_OK) {
        return err;
    }
    err = segment_footer_find_offset(&f->footer, extent, offset, ret, e);
    segment_cache_put(c, f);
    return err;
}

enum err segment_cache_find_timestamp(struct segment_cache *c, struct object *object,
                                      const struct extent *extent, int64_t target_ms,
                                      struct segment_place *ret, struct error *e)
{
    if (segment_extent_is_plain(extent, ret)) {
        return ERR_OK;
    }
    struct cached_footer *f = NULL;
    enum err err = segment_cache_get(c, object, extent->object, &f, e);
    if (err != ERR_OK) {
        return err;
    }
    err = segment_footer_find_timestamp(&f->footer, extent, target_ms, ret, e);
    segment_cache_put(c, f);
    return err;
}
