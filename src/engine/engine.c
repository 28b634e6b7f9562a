// SPDX-License-Identifier: Apache-2.0
// The door: every verb is one call through the table of the engine behind it.
#include "engine/engine.h"

#include "base/assert.h"

enum err engine_snapshot_read(struct engine *e, struct buf *ret_snapshot, uint64_t *ret_lsn,
                              struct error *err)
{
    return e->ops->snapshot_read(e, ret_snapshot, ret_lsn, err);
}

enum err engine_tail(struct engine *e, uint64_t after_lsn, int64_t deadline_ns,
                     enum err (*deliver)(void *arg, const struct ordered *o, struct error *e), void *arg,
                     struct error *err)
{
    ASSERT(deliver != NULL);
    return e->ops->tail(e, after_lsn, deadline_ns, deliver, arg, err);
}

enum err engine_order(struct engine *e, const struct bundle *b, bool is_control, struct ordered *ret,
                      struct error *err)
{
    return e->ops->order(e, b, is_control, ret, err);
}

enum err engine_barrier(struct engine *e, uint64_t *ret_lsn, struct error *err)
{
    return e->ops->barrier(e, ret_lsn, err);
}

enum err engine_snapshot_write(struct engine *e, uint64_t lsn, struct bytes part, bool is_last,
                               struct error *err)
{
    return e->ops->snapshot_write(e, lsn, part, is_last, err);
}

enum err engine_object_create(struct engine *e, uint64_t *ret_object, struct error *err)
{
    return e->ops->object_create(e, ret_object, err);
}

enum err engine_object_append(struct engine *e, uint64_t object, struct bytes data, struct error *err)
{
    return e->ops->object_append(e, object, data, err);
}

enum err engine_object_seal(struct engine *e, uint64_t object, struct error *err)
{
    return e->ops->object_seal(e, object, err);
}

void engine_object_drop(struct engine *e, uint64_t object)
{
    e->ops->object_drop(e, object);
}

struct object *engine_object_pin(struct engine *e, uint64_t object)
{
    return e->ops->object_pin(e, object);
}

void engine_object_unpin(struct engine *e, struct object *take_object)
{
    if (take_object != NULL) {
        e->ops->object_unpin(e, take_object);
    }
}

enum err engine_object_read(struct engine *e, struct object *o, int64_t position, void *out, size_t len,
                            struct error *err)
{
    return e->ops->object_read(e, o, position, out, len, err);
}

struct file *engine_object_file(struct engine *e, struct object *o)
{
    return e->ops->object_file(e, o);
}

int64_t engine_object_size(struct engine *e, struct object *o)
{
    return e->ops->object_size(e, o);
}

enum err engine_objects(struct engine *e, void (*each)(void *arg, const struct engine_object_info *info),
                        void *arg, struct error *err)
{
    return e->ops->objects(e, each, arg, err);
}

enum err engine_lease(struct engine *e, struct str name, int64_t duration_ms, struct error *err)
{
    return e->ops->lease(e, name, duration_ms, err);
}

enum err engine_maintain(struct engine *e, int64_t *ret_next_ns, struct error *err)
{
    return e->ops->maintain(e, ret_next_ns, err);
}

void engine_status(struct engine *e, struct engine_status *ret)
{
    e->ops->status(e, ret);
}

void engine_stop(struct engine *e)
{
    e->ops->stop(e);
}

void engine_close(struct engine *take_engine, bool is_clean)
{
    if (take_engine != NULL) {
        take_engine->ops->close(take_engine, is_clean);
    }
}
