// SPDX-License-Identifier: Apache-2.0
// journal.c - submissions become bundles, bundles become durable, and then they are applied.
//
// Happy path: journal_push queues; at the end of a loop's round the port either orders a small bundle itself
// (nobody else is ordering and syncs are fast) or wakes the WAL thread; whoever orders also applies, because
// offsets exist only after durability, and then completes the ops of the bundle on their loops. While one
// bundle syncs, the next gathers in the queue: that is the whole of group commit.
//
// Failure: ERR_STORAGE and its like fail every submission of the bundle, definitely: nothing of it was
// ordered.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"

#include <stdlib.h>

enum { OWN_DEFERRED_MAX = 64 }; // completed in the round that runs

void journal_push(struct broker *b, struct submission *s)
{
    s->next = NULL;
    if (b->queue_last == NULL) {
        b->queue_first = s;
    } else {
        b->queue_last->next = s;
    }
    b->queue_last = s;
    b->queue_bytes += s->payload.len;
    b->queue_count++;
    b->queue_control_count += s->is_control;
}

void journal_complete(struct broker_port *port, struct task *task)
{
    task->next = NULL;
    if (port->completed_last == NULL) {
        port->completed_first = task;
    } else {
        port->completed_last->next = task;
    }
    port->completed_last = task;
}

void journal_unlock(struct broker *b, struct broker_port *own)
{
    UNINITIALIZED struct task *chains[BROKER_PORTS_MAX];
    UNINITIALIZED struct loop *loops[BROKER_PORTS_MAX];
    uint32_t count = 0;
    struct task *own_chain = NULL;
    for (uint32_t i = 0; i < b->port_count; i++) {
        struct broker_port *port = b->ports[i];
        if (port->completed_first == NULL) {
            continue;
        }
        if (port == own) {
            own_chain = port->completed_first;
        } else {
            loops[count] = port->loop;
            chains[count++] = port->completed_first;
        }
        port->completed_first = port->completed_last = NULL;
    }
    struct chunk **garbage = b->tail.garbage;
    size_t garbage_count = b->tail.garbage_count;
    if (garbage_count > 0) {
        b->tail.garbage = NULL;
        b->tail.garbage_count = b->tail.garbage_cap = 0;
    }
    mutex_unlock(&b->lock);
    for (uint32_t i = 0; i < count; i++) {
        loop_post_chain(loops[i], chains[i]);
    }
    for (int i = 0; own_chain != NULL && i < OWN_DEFERRED_MAX; i++) {
        struct task *next = own_chain->next;
        loop_defer(own->loop, own_chain);
        own_chain = next;
    }
    if (own_chain != NULL) {
        loop_post_chain(own->loop, own_chain); // a group's round: others get their turn between the answers
    }
    if (garbage_count > 0) {
        for (size_t i = 0; i < garbage_count; i++) {
            chunk_unref(garbage[i]);
        }
        mem_free(garbage);
    }
}

// What clients write all day, like records, and unlike what cleans up or administrates: with the disk full it
// is refused, or it would eat the reserve until nothing could be cleaned up any more.
static bool item_is_traffic(enum item_kind kind)
{
    switch (kind) {
    case ITEM_DATA:
    case ITEM_PRODUCER_ID:
    case ITEM_OFFSET_COMMIT:
    case ITEM_GROUP_SET:
    case ITEM_CONSUMER_SET:
    case ITEM_TXN_INIT:
    case ITEM_TXN_ADD:
    case ITEM_TXN_OFFSETS:
    case ITEM_TXN_END:
        return true;
    default:
        return false;
    }
}

static void submission_finish(struct broker *b, struct submission *s)
{
    if (s->group != NULL) {
        groups_written(b, s->group); // the submission is gone
    } else if (s->produce != NULL) {
        if (--s->produce->pending == 0) {
            journal_complete(s->produce->port, &s->produce->task);
        }
    } else if (--s->change->pending == 0 && s->change->port != NULL) {
        journal_complete(s->change->port, &s->change->task);
    }
}

// ---- what was refused must come first again

static struct refused *refused_find(struct broker *b, const struct item_data *data)
{
    for (uint32_t i = 0; i < b->refused_count; i++) {
        struct refused *r = &b->refused[i];
        if (r->producer_id == data->producer_id && r->partition == data->partition &&
            r->producer_epoch == data->producer_epoch && uuid_equal(r->topic_id, data->topic_id)) {
            return r;
        }
    }
    return NULL;
}

// sequence_is_before: 2147483647 is before 0.
static bool sequence_is_before(int32_t a, int32_t b)
{
    uint32_t ahead = ((uint32_t)b - (uint32_t)a) & INT32_MAX;
    return ahead != 0 && ahead <= INT32_MAX / 2;
}

void journal_refused(struct broker *b, const struct item_data *data)
{
    if (data->producer_id < 0) {
        return;
    }
    struct refused *known = refused_find(b, data);
    if (known != NULL) {
        // The earliest is the one to wait for. It may be refused last: while it was judged again, as its
        // verdict was stale, one behind it was refused as it stood.
        if (sequence_is_before(data->base_sequence, known->base_sequence)) {
            known->base_sequence = data->base_sequence;
        }
        return;
    }
    struct refused *r = &b->refused[b->refused_next];
    b->refused_next = (b->refused_next + 1) % REFUSED_MAX;
    b->refused_count = b->refused_count < REFUSED_MAX ? b->refused_count + 1 : REFUSED_MAX;
    *r = (struct refused){data->producer_id, data->topic_id, data->partition, data->base_sequence,
                          data->producer_epoch};
}

// overtakes: this batch comes after one of its producer that was refused and has not come again. Where the
// core knows the producer its sequence check says so better, and the refused batch may have come by another
// broker.
static bool overtakes(struct broker *b, const struct item_data *data)
{
    struct refused *r = b->refused_count == 0 || data->producer_id < 0 ? NULL : refused_find(b, data);
    if (r == NULL) {
        return false;
    }
    if (!core_producer_is_known(b->core, data)) {
        if (sequence_is_before(r->base_sequence, data->base_sequence)) {
            return true;
        }
        if (r->base_sequence != data->base_sequence) {
            return false; // it comes before the one that is waited for
        }
    }
    *r = b->refused[--b->refused_count];
    b->refused_next = b->refused_count;
    return false;
}

// ---- sealing

static void seal_reserve(struct seal *seal, uint32_t count)
{
    if (count <= seal->cap) {
        return;
    }
    uint32_t cap = seal->cap == 0 ? 64 : seal->cap;
    while (cap < count) {
        cap *= 2;
    }
    seal->subs = mem_realloc(seal->subs, cap * sizeof(struct submission *));
    seal->sorted = mem_realloc(seal->sorted, cap * sizeof(struct submission *));
    seal->entries = mem_realloc(seal->entries, cap * sizeof *seal->entries);
    seal->slices = mem_realloc(seal->slices, cap * sizeof *seal->slices);
    seal->outcomes = mem_realloc(seal->outcomes, cap * sizeof *seal->outcomes);
    seal->cap = cap;
}

// queue_pop takes the head of the queue.
static struct submission *queue_pop(struct broker *b)
{
    struct submission *s = b->queue_first;
    b->queue_first = s->next;
    if (b->queue_first == NULL) {
        b->queue_last = NULL;
    }
    b->queue_bytes -= s->payload.len;
    b->queue_count--;
    b->queue_control_count -= s->is_control;
    return s;
}

// group_size: payload and metadata of the head of the queue and of what depends on it.
static size_t group_size(const struct submission *s)
{
    size_t size = 0;
    for (uint32_t left = s->follower_count + 1; left > 0; left--, s = s->next) {
        size += s->payload.len + item_encoded_max(s->item);
    }
    return size;
}

// seal_drop answers a batch that comes too early, and what depends on it.
static void seal_drop(struct broker *b)
{
    for (uint32_t left = b->queue_first->follower_count + 1; left > 0; left--) {
        struct submission *s = queue_pop(b);
        // Retriable, as the refusal it follows from: with other brokers around, this one may only lag.
        *s->outcome = (struct outcome){.err = ERR_STORAGE, .base_offset = -1};
        tail_discard(&b->tail, s->chunk);
        submission_finish(b, s);
    }
}

// seal_add moves the head of the queue into the seal, with what depends on it.
static void seal_add(struct broker *b, struct seal *seal)
{
    uint32_t named = plant_is(PLANT_LETTER_ALONE) ? 0 : seal->count + 1;
    uint32_t group = b->queue_first->follower_count + 1;
    seal_reserve(seal, seal->count + group);
    for (uint32_t i = 0; i < group; i++) {
        struct submission *s = queue_pop(b);
        s->depends_on = i == 0 ? 0 : named;
        seal->subs[seal->count++] = s;
        seal->payload_size += s->payload.len;
        seal->needs_sync = seal->needs_sync || s->needs_sync;
        if (s->payload.len > 0) {
            seal->sorted[seal->sorted_count++] = s;
        }
    }
}

// seal_take moves the head of the queue into the seal: one kind (traffic or control), up to a bundle's size.
static void seal_take(struct broker *b, struct seal *seal)
{
    ASSERT(b->queue_first != NULL);
    seal->count = seal->sorted_count = 0;
    seal->payload_size = 0;
    size_t size = 0; // of payload and metadata
    seal->is_control = b->queue_first->is_control;
    seal->needs_sync = false;
    while (b->queue_first != NULL) {
        struct submission *s = b->queue_first;
        size_t more = group_size(s);
        bool is_over = seal->count > 0 && (size + more > b->bundle_bytes_max ||
                                           seal->count + s->follower_count >= BUNDLE_ITEMS_MAX);
        if (is_over || s->is_control != seal->is_control) {
            break;
        }
        if (s->item->kind == ITEM_DATA && overtakes(b, &s->item->data)) {
            seal_drop(b);
            continue;
        }
        size += more;
        seal_add(b, seal);
    }
}

static int payload_order(const struct submission *a, const struct submission *b)
{
    int order = memcmp(&a->item->data.topic_id, &b->item->data.topic_id, sizeof(struct uuid));
    if (order != 0) {
        return order;
    }
    return a->item->data.partition < b->item->data.partition
               ? -1
               : a->item->data.partition > b->item->data.partition;
}

static int payload_compare(const void *left, const void *right)
{
    const struct submission *a = *(struct submission *const *)left;
    const struct submission *b = *(struct submission *const *)right;
    int order = payload_order(a, b);
    if (order != 0) {
        return order;
    }
    return a->payload_position < b->payload_position ? -1 : 1; // holds the submission index while sorting
}

// seal_build sorts the payload by partition, gives each batch its position, and encodes the metadata.
static void seal_build(struct seal *seal)
{
    bool is_sorted = true;
    for (uint32_t i = 0; i < seal->sorted_count; i++) {
        seal->sorted[i]->payload_position = i;
        is_sorted = is_sorted && (i == 0 || payload_order(seal->sorted[i - 1], seal->sorted[i]) <= 0);
    }
    if (!is_sorted) {
        qsort(seal->sorted, seal->sorted_count, sizeof(struct submission *), payload_compare);
    }
    uint32_t position = 0;
    for (uint32_t i = 0; i < seal->sorted_count; i++) {
        struct submission *s = seal->sorted[i];
        s->payload_position = position;
        seal->entries[i] = (struct payload_entry){(uint32_t)s->payload.len, load_be32(s->payload.ptr + 17)};
        seal->slices[i] = (struct io_slice){(void *)s->payload.ptr, s->payload.len};
        position += (uint32_t)s->payload.len;
    }
    buf_reset(&seal->meta);
    for (uint32_t i = 0; i < seal->count; i++) {
        struct item item = *seal->subs[i]->item;
        item.depends_on = seal->subs[i]->depends_on;
        if (item.kind == ITEM_DATA) {
            item.data.payload_position = seal->subs[i]->payload_position;
        }
        item_encode(&item, &seal->meta);
    }
    ASSERT(!seal->meta.failed);
}

// ---- applying

void journal_waiters_reserve(struct broker *b)
{
    uint32_t needed = core_slot_count(b->core);
    if (needed <= b->waiter_count) {
        return;
    }
    // Lists have sentinels inside the array: relink after it moves.
    uint32_t count = b->waiter_count == 0 ? 64 : b->waiter_count;
    while (count < needed) {
        count *= 2;
    }
    struct waiters *moved = mem_array(count, sizeof *moved);
    for (uint32_t i = 0; i < count; i++) {
        list_init(&moved[i].parts);
        while (i < b->waiter_count && !list_is_empty(&b->waiters[i].parts)) {
            list_push_back(&moved[i].parts, list_pop_front(&b->waiters[i].parts));
        }
    }
    mem_free(b->waiters);
    b->waiters = moved;
    b->waiter_count = count;
    traffic_reserve(b, count);
}

// apply runs with the lock held. seal is NULL for bundles that others wrote, and at replay.
static enum err apply(struct broker *b, const struct ordered *o, struct seal *seal, struct outcome *outcomes,
                      struct error *e)
{
    struct core_bundle bundle = {
        .lsn = o->lsn,
        .stamp_ms = o->stamp_ms,
        .time_ms = o->time_ms,
        .object = o->object,
        .payload_position = o->payload_position,
        .meta = o->meta,
        .item_count = o->item_count,
    };
    core_facts_reset(&b->facts);
    enum err err = core_apply(b->core, &bundle, outcomes, &b->facts, e);
    if (err != ERR_OK) {
        return err;
    }
    if (seal != NULL) {
        for (uint32_t i = 0; i < seal->count; i++) {
            *seal->subs[i]->outcome = outcomes[i];
            if (seal->subs[i]->item->kind == ITEM_DATA) {
                traffic_outcome(b, seal->subs[i]);
            }
        }
        for (uint32_t i = 0; i < seal->sorted_count; i++) {
            struct submission *s = seal->sorted[i];
            if (s->outcome->err == ERR_OK && !s->outcome->is_duplicate) {
                // Nobody else has seen these bytes: the base offset and the epoch may be written in place.
                batch_patch((uint8_t *)s->payload.ptr, s->outcome->base_offset, s->outcome->leader_epoch);
                tail_push(&b->tail, o->object, o->payload_position + s->payload_position, s->payload,
                          s->chunk);
            }
        }
    }
    journal_waiters_reserve(b);
    journal_quotas_publish(b);
    fetch_wake(b, &b->facts);
    if (b->keeper != NULL) {
        keeper_objects_dead(b->keeper, b->facts.dead_objects, b->facts.dead_count);
        if (b->facts.catalogue_changed) {
            keeper_poke(b->keeper, 0); // retention may have changed
        }
        // A marker is an extent, of which the item says nothing: what the keeper takes for one.
        uint64_t marker_bytes = (uint64_t)b->facts.marker_count * KEEPER_EXTENT_BYTES;
        keeper_poke(b->keeper, o->meta.len + (seal != NULL ? seal->payload_size : 0) + marker_bytes);
    }
    return ERR_OK;
}

static struct awaiting *awaiting_find(struct broker *b, uint64_t id)
{
    LIST_EACH (node, &b->awaiting) {
        struct awaiting *a = LIST_ENTRY(node, struct awaiting, node);
        if (a->id == id) {
            return a;
        }
    }
    return NULL;
}

static void awaiting_free(struct awaiting *take)
{
    list_remove(&take->node);
    mem_free(take->subs);
    mem_free(take);
}

void journal_quotas_publish(struct broker *b)
{
    __atomic_store_n(&b->has_quotas, core_quota_count(b->core) > 0, __ATOMIC_RELAXED);
    __atomic_store_n(&b->quota_serial, core_quota_serial(b->core), __ATOMIC_RELEASE);
}

enum err journal_deliver(struct broker *b, const struct ordered *o, struct error *e)
{
    struct outcome *outcomes = mem_array(o->item_count == 0 ? 1 : o->item_count, sizeof *outcomes);
    mutex_lock(&b->lock);
    enum err err = apply(b, o, NULL, outcomes, e);
    struct awaiting *own = err == ERR_OK ? awaiting_find(b, o->id) : NULL;
    if (own != NULL) {
        for (uint32_t i = 0; i < own->count; i++) {
            *own->subs[i]->outcome = outcomes[i];
            if (own->subs[i]->item->kind == ITEM_DATA) {
                traffic_outcome(b, own->subs[i]);
            }
            chunk_unref(own->subs[i]->chunk);
            submission_finish(b, own->subs[i]);
        }
        awaiting_free(own);
    }
    cond_broadcast(&b->idle);
    if (b->queue_first != NULL) {
        cond_signal(&b->work); // a group's next write
    }
    journal_unlock(b, NULL);
    mem_free(outcomes);
    return err;
}

// ---- ordering

static void seal_fail(struct broker *b, struct seal *seal, enum err err)
{
    for (uint32_t i = 0; i < seal->count; i++) {
        if (seal->subs[i]->item->kind == ITEM_DATA && seal->subs[i]->depends_on == 0) {
            journal_refused(b, &seal->subs[i]->item->data);
        }
        *seal->subs[i]->outcome = (struct outcome){.err = err, .base_offset = -1, .log_start_offset = -1};
        if (seal->subs[i]->item->kind == ITEM_DATA) {
            traffic_outcome(b, seal->subs[i]);
        }
    }
}

static void seal_finish(struct broker *b, struct seal *seal)
{
    for (uint32_t i = 0; i < seal->count; i++) {
        chunk_unref(seal->subs[i]->chunk);
        submission_finish(b, seal->subs[i]);
    }
}

static void awaiting_add(struct broker *b, struct seal *seal)
{
    struct awaiting *a = mem_zalloc(sizeof *a);
    a->id = seal->id;
    a->count = seal->count;
    a->subs = mem_array(seal->count, sizeof(struct submission *));
    memcpy(a->subs, seal->subs, seal->count * sizeof(struct submission *));
    list_push_back(&b->awaiting, &a->node);
}

// journal_commit orders and applies one bundle. Called and left with the lock held; is_ordering is ours
// meanwhile.
static void journal_commit(struct broker *b)
{
    ASSERT(!b->is_ordering);
    b->is_ordering = true;
    struct seal *seal = &b->seal;
    seal_take(b, seal);
    if (seal->count == 0) {
        b->is_ordering = false; // all of it came too early
        return;
    }
    seal->id = rng_u64(b->env->rng);
    if (b->is_shared) {
        awaiting_add(b, seal);
    }
    mutex_unlock(&b->lock);

    seal_build(seal);
    struct bundle bundle = {
        .id = seal->id,
        .meta = buf_bytes(&seal->meta),
        .item_count = seal->count,
        .entries = seal->entries,
        .entry_count = seal->sorted_count,
        .payload = seal->slices,
        .payload_slice_count = seal->sorted_count,
        .payload_size = seal->payload_size,
        .needs_sync = seal->needs_sync,
    };
    struct ordered ordered;
    struct error error = {0};
    int64_t started_ns = clock_mono_ns(b->env->clock);
    enum err err = engine_order(b->engine, &bundle, seal->is_control, &ordered, &error);
    int64_t took_ns = clock_mono_ns(b->env->clock) - started_ns;
    metric_observe_ns(b->order_time, took_ns);
    metric_add(b->bundles, 1);

    mutex_lock(&b->lock);
    b->sync_ns += (took_ns - b->sync_ns) / 8;
    if (err != ERR_OK) {
        if (!b->is_refusing) { // told once, not for every bundle
            trace(b->tracer, TRACE_WARN, "records are being refused: %s", error.text);
        }
        b->is_refusing = true;
        struct awaiting *own = b->is_shared ? awaiting_find(b, seal->id) : NULL;
        if (!b->is_shared || own != NULL) {
            seal_fail(b, seal, err);
            seal_finish(b, seal);
        }
        if (own != NULL) {
            awaiting_free(own);
        }
    } else if (!b->is_shared) {
        if (b->is_refusing && !seal->is_control) {
            trace(b->tracer, TRACE_INFO, "records are taken again");
            b->is_refusing = false;
        }
        ordered.meta = buf_bytes(&seal->meta);
        err = apply(b, &ordered, seal, seal->outcomes, &error);
        ASSERT(err == ERR_OK); // these are our own bytes
        seal_finish(b, seal);
    }
    b->is_ordering = false;
}

// A front orders what its round submitted by itself when that is faster than waking another thread.
static void journal_kick(struct task *task)
{
    struct broker_port *port =
        (struct broker_port *)(void *)((char *)task - offsetof(struct broker_port, kick));
    struct broker *b = port->broker;
    port->is_kick_deferred = false;
    mutex_lock(&b->lock);
    if (b->queue_first != NULL && !b->is_ordering) {
        bool is_inline = b->queue_bytes <= INLINE_BYTES_MAX && b->sync_ns <= INLINE_SYNC_NS_MAX &&
                         !b->is_shared && !keeper_is_behind(b->keeper);
        if (is_inline) {
            journal_commit(b);
        }
        if (b->queue_first != NULL) {
            cond_signal(&b->work);
        }
        cond_broadcast(&b->idle);
    }
    journal_unlock(b, port);
}

void journal_kick_later(struct broker_port *port)
{
    if (!port->is_kick_deferred) {
        port->is_kick_deferred = true;
        port->kick.run = journal_kick;
        loop_defer(port->loop, &port->kick);
    }
}

// wal_delay slows producers down while the keeper is behind. What the keeper submits waits behind the records
// and is what makes up for them: as soon as there is any, the records go. `work` is told of every kick, so
// otherwise only the time that has passed counts. The lock is held.
static void wal_delay(struct broker *b)
{
    int64_t until_ns = clock_mono_ns(b->env->clock) + BEHIND_DELAY_NS;
    while (!b->is_stopping && b->queue_control_count == 0 && keeper_is_behind(b->keeper)) {
        if (!cond_wait(&b->work, &b->lock, until_ns)) {
            return;
        }
    }
}

static void wal_run(void *arg)
{
    struct broker *b = arg;
    mutex_lock(&b->lock);
    for (;;) {
        if (groups_tick(b)) {
            journal_unlock(b, NULL);
            mutex_lock(&b->lock);
            continue;
        }
        if (!(b->queue_first != NULL && !b->is_ordering) && !(b->is_stopping && b->queue_first == NULL)) {
            groups_sleep(b);
            continue;
        }
        if (b->queue_first == NULL) {
            break;
        }
        if (!b->queue_first->is_control && keeper_is_behind(b->keeper)) {
            wal_delay(b);
            if (b->queue_first == NULL || b->is_ordering) {
                continue;
            }
        }
        journal_commit(b);
        cond_broadcast(&b->idle);
        journal_unlock(b, NULL);
        mutex_lock(&b->lock);
    }
    journal_unlock(b, NULL);
}

static enum err deliver_foreign(void *arg, const struct ordered *o, struct error *e)
{
    return journal_deliver(arg, o, e);
}

static void tail_run(void *arg)
{
    struct broker *b = arg;
    for (;;) {
        mutex_lock(&b->lock);
        bool is_done =
            b->is_stopping && list_is_empty(&b->awaiting) && b->queue_first == NULL && !b->is_ordering;
        uint64_t lsn = core_lsn(b->core);
        mutex_unlock(&b->lock);
        if (is_done) {
            return;
        }
        struct error error = {0};
        int64_t deadline_ns = clock_mono_ns(b->env->clock) + 100 * 1000000LL;
        enum err err = engine_tail(b->engine, lsn, deadline_ns, deliver_foreign, b, &error);
        if (err == ERR_STOPPING) {
            return;
        }
        if (err != ERR_OK) {
            trace(b->tracer, TRACE_ERROR, "following the log failed: %s", error.text);
        }
    }
}

void journal_start(struct broker *b)
{
    b->wal_thread = thread_start(b->env->threads, "wal", wal_run, b);
    if (b->is_shared) {
        b->tail_thread = thread_start(b->env->threads, "tail", tail_run, b);
    }
}

void journal_stop(struct broker *b)
{
    mutex_lock(&b->lock);
    b->is_stopping = true;
    cond_broadcast(&b->work);
    cond_broadcast(&b->idle);
    mutex_unlock(&b->lock);
    thread_join(b->env->threads, b->wal_thread);
    if (b->tail_thread != NULL) {
        thread_join(b->env->threads, b->tail_thread);
    }
    b->wal_thread = b->tail_thread = NULL;
}

void journal_fini(struct broker *b)
{
    struct seal *seal = &b->seal;
    mem_free(seal->subs);
    mem_free(seal->sorted);
    mem_free(seal->entries);
    mem_free(seal->slices);
    mem_free(seal->outcomes);
    buf_fini(&seal->meta);
    while (!list_is_empty(&b->awaiting)) {
        struct awaiting *a = LIST_ENTRY(b->awaiting.next, struct awaiting, node);
        for (uint32_t i = 0; i < a->count; i++) {
            if (a->subs[i]->group != NULL) {
                groups_written(b, a->subs[i]->group);
            }
        }
        awaiting_free(a);
    }
}

// ---- changes

static void change_completed(struct task *task)
{
    struct change_op *op = (struct change_op *)(void *)((char *)task - offsetof(struct change_op, task));
    op->done(op);
}

// group_push queues an item with those that depend on it, or refuses them all; their number.
static uint32_t group_push(struct broker *b, struct change_op *op, uint32_t first)
{
    uint32_t count = 1;
    size_t size = item_encoded_max(&op->items[first]);
    enum err err = room_check(b, &op->items[first]);
    for (; first + count < op->item_count && op->items[first + count].depends_on != 0; count++) {
        const struct item *item = &op->items[first + count];
        size += item_encoded_max(item);
        err = err == ERR_OK ? room_check(b, item) : err;
    }
    err = b->is_stopping               ? ERR_STOPPING
          : b->is_read_only            ? ERR_READ_ONLY
          : size > b->change_bytes_max ? ERR_BATCH_TOO_LARGE
                                       : err;
    for (uint32_t i = first; i < first + count; i++) {
        op->submissions[i] = (struct submission){
            .item = &op->items[i],
            .outcome = &op->outcomes[i],
            .change = op,
            .follower_count = i == first ? count - 1 : 0,
            .is_control = !item_is_traffic(op->items[i].kind),
            .needs_sync = !plant_is(PLANT_CONTROL_NOT_SYNCED),
        };
        op->outcomes[i] = (struct outcome){.err = err == ERR_OK ? ERR_STOPPING : err};
        if (err == ERR_OK) {
            journal_push(b, &op->submissions[i]);
        } else {
            op->pending--;
        }
    }
    return count;
}

void broker_change(struct broker *b, struct change_op *op)
{
    op->task.run = change_completed;
    op->pending = op->item_count;
    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < op->item_count;) {
        i += group_push(b, op, i);
    }
    if (op->port != NULL) {
        if (op->pending == 0) {
            journal_complete(op->port, &op->task);
        } else {
            journal_kick_later(op->port);
        }
    }
    journal_unlock(b, op->port);
}

enum err broker_change_wait_all(struct broker *b, const struct item *items, uint32_t count,
                                struct outcome *ret_outcomes, struct error *e)
{
    struct item *copies = mem_array(count + 1, sizeof *copies);
    struct submission *submissions = mem_array(count + 1, sizeof *submissions);
    memcpy(copies, items, count * sizeof *copies);
    struct change_op op = {
        .items = copies, .item_count = count, .outcomes = ret_outcomes, .submissions = submissions};
    broker_change(b, &op);
    mutex_lock(&b->lock);
    cond_signal(&b->work);
    while (op.pending > 0) {
        cond_wait(&b->idle, &b->lock, CLOCK_NEVER);
    }
    journal_unlock(b, NULL);
    mem_free(submissions);
    mem_free(copies);
    for (uint32_t i = 0; i < count; i++) {
        enum err err = ret_outcomes[i].err;
        if (err == ERR_STOPPING || err == ERR_READ_ONLY || err == ERR_STORAGE || err == ERR_NO_SPACE) {
            return FAIL(e, err, "%s: %s", item_kind_name(items[i].kind),
                        err_text(err)); // what concerns them all
        }
    }
    return ERR_OK;
}

enum err broker_change_wait(struct broker *b, const struct item *item, struct outcome *ret_outcome,
                            struct error *e)
{
    enum err err = broker_change_wait_all(b, item, 1, ret_outcome, e);
    if (err == ERR_OK && ret_outcome->err != ERR_OK) {
        err = FAIL(e, ret_outcome->err, "%s: %s", item_kind_name(item->kind), err_text(ret_outcome->err));
    }
    return err;
}
