// SPDX-License-Identifier: Apache-2.0
// order_engine.c - see order_engine.h. The store is plain data of the world (malloc); an engine is one
// broker's handle on it and vanishes with its process. Every verb takes time, which is where crashes and
// other brokers come in.
#include "order_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"

#define MS 1000000LL

enum { LOST_REPLY_PERMILLE = 60, PUT_FAILURE_PERMILLE = 10, DROP_DELAY_S = 60, COMMIT_TRIES = 50 };

struct store_bundle {
    uint64_t id;
    int64_t stamp_ms;
    int64_t time_ms;
    int64_t committed_ns;
    uint64_t object;
    uint32_t item_count;
    uint8_t *meta;
    size_t meta_len;
};
struct store_object {
    uint8_t *bytes;
    size_t len;
    size_t cap;
    bool is_sealed;
    int64_t dropped_ns; // 0 = not
};
struct order_store {
    struct sim_world *world;
    bool is_healed;
    struct store_bundle *bundles; // index = lsn - 1
    uint64_t bundle_count;
    uint64_t bundle_cap;
    struct store_object **objects; // index = number
    uint64_t object_count;
    uint64_t object_cap;
    uint8_t *snapshot;
    size_t snapshot_len;
    uint64_t snapshot_lsn;
    int lease_holder;
    int64_t lease_until_ns;
};

struct order_engine {
    struct engine engine;
    struct env *env;
    struct order_store *store;
    int broker;
    int64_t lag_ns;
    bool is_stopping;
    struct buf snapshot; // being written
};

static void *grow(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size);
    if (moved == NULL) {
        abort();
    }
    return moved;
}

struct order_store *order_store_create(struct sim_world *world)
{
    struct order_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        abort();
    }
    store->world = world;
    store->lease_holder = -1;
    return store;
}

void order_store_destroy(struct order_store *take_store)
{
    if (take_store == NULL) {
        return;
    }
    for (uint64_t i = 0; i < take_store->bundle_count; i++) {
        free(take_store->bundles[i].meta);
    }
    for (uint64_t i = 0; i < take_store->object_count; i++) {
        free(take_store->objects[i]->bytes);
        free(take_store->objects[i]);
    }
    free(take_store->bundles);
    free(take_store->objects);
    free(take_store->snapshot);
    free(take_store);
}

void order_store_heal(struct order_store *store)
{
    store->is_healed = true;
}

static uint64_t store_object_new(struct order_store *store)
{
    if (store->object_count == store->object_cap) {
        store->object_cap = store->object_cap == 0 ? 64 : store->object_cap * 2;
        store->objects = grow(store->objects, store->object_cap * sizeof(struct store_object *));
    }
    struct store_object *object = calloc(1, sizeof *object);
    if (object == NULL) {
        abort();
    }
    store->objects[store->object_count] = object;
    return ++store->object_count; // numbers start at 1
}

static struct store_object *store_object_find(struct order_store *store, uint64_t number)
{
    return number == 0 || number > store->object_count ? NULL : store->objects[number - 1];
}

static void store_object_append(struct store_object *object, const void *data, size_t len)
{
    if (object->cap - object->len < len) {
        object->cap = (object->len + len) * 2;
        object->bytes = grow(object->bytes, object->cap);
    }
    if (len > 0) {
        memcpy(object->bytes + object->len, data, len);
    }
    object->len += len;
}

static struct order_engine *engine_of(struct engine *engine)
{
    return (struct order_engine *)(void *)engine;
}

static void pass_time(struct order_engine *e, int64_t up_to_ns)
{
    int64_t ns = (int64_t)sim_rand(e->store->world, (uint64_t)up_to_ns) + 1;
    clock_sleep_until(e->env->clock, clock_mono_ns(e->env->clock) + ns);
}

static bool goes_wrong(struct order_engine *e, unsigned permille)
{
    return !e->store->is_healed && sim_chance(e->store->world, permille);
}

// ---- order

static uint64_t store_find_id(const struct order_store *store, uint64_t id)
{
    for (uint64_t lsn = store->bundle_count; lsn > 0; lsn--) {
        if (store->bundles[lsn - 1].id == id) {
            return lsn;
        }
    }
    return 0;
}

// store_commit is the one atomic step: it gives the next LSN, once per id.
static uint64_t store_commit(struct order_engine *e, const struct bundle *b, uint64_t object)
{
    struct order_store *store = e->store;
    uint64_t known = store_find_id(store, b->id);
    if (known != 0 && !plant_is(PLANT_LOST_COMMIT_RETRY)) {
        return known;
    }
    if (store->bundle_count == store->bundle_cap) {
        store->bundle_cap = store->bundle_cap == 0 ? 256 : store->bundle_cap * 2;
        store->bundles = grow(store->bundles, store->bundle_cap * sizeof *store->bundles);
    }
    const struct store_bundle *last =
        store->bundle_count == 0 ? NULL : &store->bundles[store->bundle_count - 1];
    int64_t wall_ms = clock_wall_ms(e->env->clock);
    int64_t now_ns = sim_world_now_ns(store->world);
    struct store_bundle fresh = {.id = b->id,
                                 .stamp_ms =
                                     last != NULL && last->stamp_ms > wall_ms ? last->stamp_ms : wall_ms,
                                 .time_ms = now_ns / MS,
                                 .committed_ns = now_ns,
                                 .object = object,
                                 .item_count = b->item_count,
                                 .meta_len = b->meta.len};
    fresh.meta = grow(NULL, b->meta.len + 1);
    memcpy(fresh.meta, b->meta.ptr, b->meta.len);
    store->bundles[store->bundle_count++] = fresh;
    return store->bundle_count;
}

static void ordered_fill(const struct order_store *store, uint64_t lsn, struct ordered *ret)
{
    const struct store_bundle *b = &store->bundles[lsn - 1];
    *ret = (struct ordered){.lsn = lsn,
                            .id = b->id,
                            .stamp_ms = b->stamp_ms,
                            .time_ms = b->time_ms,
                            .object = b->object,
                            .payload_position = 0,
                            .meta = bytes_of(b->meta, b->meta_len),
                            .item_count = b->item_count};
}

static enum err order(struct engine *engine, const struct bundle *b, bool is_control, struct ordered *ret,
                      struct error *err)
{
    struct order_engine *e = engine_of(engine);
    (void)is_control;
    if (e->is_stopping) {
        return FAIL(err, ERR_STOPPING, "the engine is stopping");
    }
    uint64_t number = store_object_new(e->store);
    struct store_object *object = store_object_find(e->store, number);
    for (size_t i = 0; i < b->payload_slice_count; i++) {
        store_object_append(object, b->payload[i].ptr, b->payload[i].len);
    }
    pass_time(e, 20 * MS);
    object->is_sealed = true;
    if (goes_wrong(e, PUT_FAILURE_PERMILLE)) {
        return FAIL(err, ERR_STORAGE, "the object store refused");
    }
    for (int attempt = 0; attempt < COMMIT_TRIES; attempt++) {
        pass_time(e, 10 * MS);
        uint64_t lsn = 0;
        bool arrived = !goes_wrong(e, LOST_REPLY_PERMILLE);
        if (arrived) {
            lsn = store_commit(e, b, number);
        }
        pass_time(e, 10 * MS);
        if (arrived && !goes_wrong(e, LOST_REPLY_PERMILLE)) {
            ordered_fill(e->store, lsn, ret);
            return ERR_OK;
        }
        // No reply: it may have been committed. The next try carries the same id and finds out.
    }
    UNREACHABLE("a commit was never answered");
}

static enum err tail(struct engine *engine, uint64_t after_lsn, int64_t deadline_ns,
                     enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                     struct error *err)
{
    struct order_engine *e = engine_of(engine);
    struct order_store *store = e->store;
    for (;;) {
        bool has_delivered = false;
        while (after_lsn < store->bundle_count) {
            int64_t lag_ns = store->is_healed ? 5 * MS : e->lag_ns;
            if (store->bundles[after_lsn].committed_ns + lag_ns > sim_world_now_ns(store->world)) {
                break;
            }
            struct ordered o;
            ordered_fill(store, after_lsn + 1, &o);
            enum err result = deliver(arg, &o, err);
            if (result != ERR_OK) {
                return result;
            }
            after_lsn++;
            has_delivered = true;
        }
        if (has_delivered || clock_mono_ns(e->env->clock) >= deadline_ns) {
            return ERR_OK;
        }
        if (e->is_stopping) {
            return FAIL(err, ERR_STOPPING, "the engine is stopping");
        }
        pass_time(e, 20 * MS);
        if (sim_chance(store->world, 20)) {
            e->lag_ns = (int64_t)sim_rand(store->world, 300) * MS;
        }
    }
}

static enum err barrier(struct engine *engine, uint64_t *ret_lsn, struct error *err)
{
    (void)err;
    *ret_lsn = engine_of(engine)->store->bundle_count;
    return ERR_OK;
}

// ---- snapshots

static enum err snapshot_read(struct engine *engine, struct buf *ret_snapshot, uint64_t *ret_lsn,
                              struct error *err)
{
    struct order_engine *e = engine_of(engine);
    if (e->store->snapshot == NULL) {
        return FAIL(err, ERR_NOT_FOUND, "no snapshot");
    }
    buf_append(ret_snapshot, e->store->snapshot, e->store->snapshot_len);
    *ret_lsn = e->store->snapshot_lsn;
    return ERR_OK;
}

static enum err snapshot_write(struct engine *engine, uint64_t lsn, struct bytes part, bool is_last,
                               struct error *err)
{
    struct order_engine *e = engine_of(engine);
    (void)err;
    buf_append(&e->snapshot, part.ptr, part.len);
    if (!is_last) {
        return ERR_OK;
    }
    pass_time(e, 50 * MS);
    if (lsn > e->store->snapshot_lsn) {
        e->store->snapshot = grow(e->store->snapshot, e->snapshot.len + 1);
        memcpy(e->store->snapshot, e->snapshot.ptr, e->snapshot.len);
        e->store->snapshot_len = e->snapshot.len;
        e->store->snapshot_lsn = lsn;
    }
    buf_reset(&e->snapshot);
    return ERR_OK;
}

// ---- objects

static enum err object_create(struct engine *engine, uint64_t *ret_object, struct error *err)
{
    (void)err;
    *ret_object = store_object_new(engine_of(engine)->store);
    return ERR_OK;
}

static enum err object_append(struct engine *engine, uint64_t object, struct bytes data, struct error *err)
{
    (void)err;
    struct store_object *o = store_object_find(engine_of(engine)->store, object);
    ASSERT(o != NULL && !o->is_sealed);
    store_object_append(o, data.ptr, data.len);
    return ERR_OK;
}

static enum err object_seal(struct engine *engine, uint64_t object, struct error *err)
{
    struct order_engine *e = engine_of(engine);
    pass_time(e, 30 * MS);
    if (goes_wrong(e, PUT_FAILURE_PERMILLE)) {
        return FAIL(err, ERR_STORAGE, "the object store refused");
    }
    store_object_find(e->store, object)->is_sealed = true;
    return ERR_OK;
}

static void object_drop(struct engine *engine, uint64_t object)
{
    struct order_engine *e = engine_of(engine);
    struct store_object *o = store_object_find(e->store, object);
    if (o != NULL && o->dropped_ns == 0) {
        o->dropped_ns = sim_world_now_ns(e->store->world);
    }
}

static struct object *object_pin(struct engine *engine, uint64_t object)
{
    struct order_engine *e = engine_of(engine);
    struct store_object *o = store_object_find(e->store, object);
    // Brokers that lag may still refer to a dropped object: it goes only after a deadline.
    bool is_gone = o == NULL || (o->dropped_ns != 0 && sim_world_now_ns(e->store->world) >
                                                           o->dropped_ns + DROP_DELAY_S * 1000 * MS);
    return is_gone ? NULL : (struct object *)(void *)o;
}

static void object_unpin(struct engine *engine, struct object *object)
{
    (void)engine;
    (void)object;
}

static enum err object_read(struct engine *engine, struct object *object, int64_t position, void *out,
                            size_t len, struct error *err)
{
    struct store_object *o = (struct store_object *)(void *)object;
    pass_time(engine_of(engine), MS);
    if (position < 0 || (size_t)position > o->len || len > o->len - (size_t)position) {
        return FAIL(err, ERR_CORRUPT, "past the end of the object");
    }
    memcpy(out, o->bytes + position, len);
    return ERR_OK;
}

static struct file *object_file(struct engine *engine, struct object *object)
{
    (void)engine;
    (void)object;
    return NULL;
}

static int64_t object_size(struct engine *engine, struct object *object)
{
    (void)engine;
    return (int64_t)((struct store_object *)(void *)object)->len;
}

static enum err objects(struct engine *engine, void (*each)(void *arg, const struct engine_object_info *info),
                        void *arg, struct error *err)
{
    // What is unreferenced is the store's business here: another broker may have put it and not yet ordered
    // it.
    (void)engine;
    (void)each;
    (void)arg;
    (void)err;
    return ERR_OK;
}

// ---- upkeep

static enum err lease(struct engine *engine, struct str name, int64_t duration_ms, struct error *err)
{
    struct order_engine *e = engine_of(engine);
    int64_t now_ns = sim_world_now_ns(e->store->world);
    (void)name;
    if (e->store->lease_holder != e->broker && e->store->lease_until_ns > now_ns) {
        return FAIL(err, ERR_STALE, "broker %d holds the lease", e->store->lease_holder);
    }
    // Shorter than asked, now and then: it expires in the middle of what it was taken for.
    int64_t granted_ms = sim_chance(e->store->world, 300) ? 1 : duration_ms;
    e->store->lease_holder = e->broker;
    e->store->lease_until_ns = now_ns + granted_ms * MS;
    return ERR_OK;
}

static enum err maintain(struct engine *engine, int64_t *ret_next_ns, struct error *err)
{
    (void)engine;
    (void)err;
    *ret_next_ns = INT64_MAX;
    return ERR_OK;
}

static void status(struct engine *engine, struct engine_status *ret)
{
    struct order_engine *e = engine_of(engine);
    *ret =
        (struct engine_status){.durable_lsn = e->store->bundle_count,
                               .snapshot_lsn = e->store->snapshot_lsn,
                               .wal_bytes = (int64_t)(e->store->bundle_count - e->store->snapshot_lsn) * 4096,
                               .free_bytes = 1LL << 40,
                               .total_bytes = 1LL << 40,
                               .is_shared = true};
}

static void stop(struct engine *engine)
{
    engine_of(engine)->is_stopping = true;
}

static void close_engine(struct engine *engine, bool is_clean)
{
    (void)is_clean;
    buf_fini(&engine_of(engine)->snapshot);
    mem_free(engine_of(engine));
}

static const struct engine_ops order_engine_ops = {
    .snapshot_read = snapshot_read,
    .tail = tail,
    .order = order,
    .snapshot_write = snapshot_write,
    .object_create = object_create,
    .object_append = object_append,
    .object_seal = object_seal,
    .object_drop = object_drop,
    .object_pin = object_pin,
    .object_unpin = object_unpin,
    .object_read = object_read,
    .object_file = object_file,
    .object_size = object_size,
    .objects = objects,
    .lease = lease,
    .barrier = barrier,
    .maintain = maintain,
    .status = status,
    .stop = stop,
    .close = close_engine,
};

struct engine *order_engine_open(struct env *env, struct order_store *store, int broker)
{
    struct order_engine *e = mem_zalloc(sizeof *e);
    e->engine.ops = &order_engine_ops;
    e->env = env;
    e->store = store;
    e->broker = broker;
    e->lag_ns = (int64_t)sim_rand(store->world, 300) * MS;
    buf_init(&e->snapshot, SIZE_MAX / 2);
    return &e->engine;
}
