// SPDX-License-Identifier: Apache-2.0
// producers.c - idempotent producers: five batches remembered per (partition, producer id), fencing by epoch,
// sequence numbers, expiry and bounds. KIP-98, KIP-360. All entries hang in one list in the order of their
// last append, which is also the order of their time: both expiry and eviction take from its front.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/plant.h"
#include "core/core_private.h"

// sequence_after is the sequence number `count` after `sequence`: 0 follows 2147483647.
static int32_t sequence_after(int32_t sequence, int32_t count)
{
    return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

static int32_t batch_last(const struct producer_batch *batch)
{
    return sequence_after(batch->base_sequence, batch->offset_span - 1);
}

static uint64_t producer_hash(const struct partition *p, int64_t producer_id)
{
    return hash_mix(p->serial, hash_mix((uint64_t)producer_id, 5));
}

struct producer *producer_find(const struct core *core, const struct partition *p, int64_t producer_id)
{
    uint64_t hash = producer_hash(p, producer_id);
    for (struct map_node *n = map_first(&core->producers, hash); n != NULL; n = map_next(n)) {
        struct producer *producer = MAP_ENTRY(n, struct producer, by_key);
        if (producer->partition == p && producer->producer_id == producer_id) {
            return producer;
        }
    }
    return NULL;
}

enum err producer_judge(const struct producer *producer, const struct item_data *item,
                        const struct producer_batch **ret_duplicate)
{
    *ret_duplicate = NULL;
    if (producer == NULL) {
        return ERR_OK; // nothing known: expired, evicted or new; any sequence may come
    }
    if (item->producer_epoch < producer->epoch) {
        return plant_is(PLANT_NO_EPOCH_FENCE) ? ERR_OK : ERR_INVALID_PRODUCER_EPOCH;
    }
    if (item->producer_epoch != producer->epoch) {
        return item->base_sequence == 0 ? ERR_OK : ERR_OUT_OF_ORDER_SEQUENCE;
    }
    uint8_t from = 0;
    if (plant_is(PLANT_WINDOW_OF_ONE)) {
        from = (uint8_t)(producer->window_count - 1);
    }
    for (uint8_t i = from; i < producer->window_count; i++) {
        const struct producer_batch *batch = &producer->window[i];
        if (batch->base_sequence == item->base_sequence && batch->offset_span == item->offset_span) {
            *ret_duplicate = batch;
            return ERR_OK;
        }
    }
    int32_t last = batch_last(&producer->window[producer->window_count - 1]);
    return item->base_sequence == sequence_after(last, 1) ? ERR_OK : ERR_OUT_OF_ORDER_SEQUENCE;
}

struct producer *producer_new(struct core *core, struct partition *p, int64_t producer_id)
{
    struct producer *producer = mem_zalloc(sizeof *producer);
    producer->partition = p;
    producer->producer_id = producer_id;
    producer->snap_gen = core->cut.gen;
    map_insert(&core->producers, &producer->by_key, producer_hash(p, producer_id));
    list_push_back(&core->producer_lru, &producer->in_lru);
    list_push_back(&p->producers, &producer->in_partition);
    p->topic->producer_count++;
    core->producer_count++;
    return producer;
}

void producer_remove(struct core *core, struct producer *producer)
{
    producer_touch(core, producer);
    cut_producer_leaving(core, producer);
    struct topic *topic = producer->partition->topic;
    if (!topic->is_deleted) { // a deleted topic took its whole count away
        topic->producer_count--;
        core->producer_count--;
    }
    map_remove(&core->producers, &producer->by_key);
    list_remove(&producer->in_lru);
    list_remove(&producer->in_partition);
    mem_free(producer);
}

// producer_oldest_live drops producers of dying partitions from the front of the list: each goes once.
static struct producer *producer_oldest_live(struct core *core)
{
    while (!list_is_empty(&core->producer_lru)) {
        struct producer *oldest = LIST_ENTRY(core->producer_lru.next, struct producer, in_lru);
        if (!oldest->partition->topic->is_deleted) {
            return oldest;
        }
        producer_remove(core, oldest);
    }
    return NULL;
}

void producer_append(struct core *core, struct partition *p, struct producer *producer,
                     const struct item_data *item, int64_t base_offset)
{
    if (producer == NULL) {
        producer = producer_new(core, p, item->producer_id);
        for (int i = 0; i < INSERT_EVICT_MAX && core->producer_count > core->limits.producers_max; i++) {
            struct producer *oldest = producer_oldest_live(core);
            if (oldest == producer) {
                break;
            }
            producer_remove(core, oldest);
        }
    } else {
        producer_touch(core, producer);
        cut_producer_leaving(core, producer);
        list_remove(&producer->in_lru);
        list_push_back(&core->producer_lru, &producer->in_lru);
        list_remove(&producer->in_partition);
        list_push_back(&p->producers, &producer->in_partition);
    }
    if (producer->epoch != item->producer_epoch) {
        producer->epoch = item->producer_epoch;
        producer->window_count = 0;
    }
    if (producer->window_count == PRODUCER_WINDOW) {
        producer->window_count--;
        memmove(producer->window, producer->window + 1, producer->window_count * sizeof producer->window[0]);
    }
    producer->window[producer->window_count++] =
        (struct producer_batch){item->base_sequence, item->offset_span, base_offset};
    producer->last_time_ms = core->time_ms;
    producer->order = ++core->producer_order;
}

// ---- time

static int64_t expiry_ms(const struct core *core, const struct producer *producer)
{
    int64_t at;
    if (plant_is(PLANT_EXPIRE_LIVE)) {
        return producer->last_time_ms + 100;
    }
    return __builtin_add_overflow(producer->last_time_ms, core->limits.producer_expiration_ms, &at)
               ? INT64_MAX
               : at;
}

void producers_tick(struct core *core)
{
    for (int expired = 0; expired < TICK_EXPIRE_MAX; expired++) {
        struct producer *oldest = producer_oldest_live(core);
        if (oldest == NULL ||
            (expiry_ms(core, oldest) > core->time_ms && core->producer_count <= core->limits.producers_max)) {
            return;
        }
        producer_remove(core, oldest);
    }
}

int64_t producers_deadline_ms(const struct core *core)
{
    if (core->producer_count > core->limits.producers_max) {
        return core->time_ms;
    }
    if (list_is_empty(&core->producer_lru)) {
        return INT64_MAX;
    }
    return expiry_ms(core, LIST_ENTRY(core->producer_lru.next, struct producer, in_lru));
}

// ---- reading

static int64_t txn_start_of(const struct producer *producer)
{
    LIST_EACH (node, &producer->partition->txns) {
        const struct txn_partition *tp = LIST_ENTRY(node, struct txn_partition, in_partition);
        if (tp->txn->producer_id == producer->producer_id) {
            return tp->first_offset;
        }
    }
    return -1;
}

static uint32_t copy_from(const struct partition *p, const struct list *node, struct producer_view *ret_views,
                          uint32_t max)
{
    uint32_t count = 0;
    for (; node != &p->producers && count < max; node = node->next) {
        const struct producer *producer = LIST_ENTRY(node, struct producer, in_partition);
        const struct producer_batch *last = &producer->window[producer->window_count - 1];
        ret_views[count++] = (struct producer_view){
            .producer_id = producer->producer_id,
            .producer_epoch = producer->epoch,
            .last_sequence = batch_last(last),
            .last_offset = last->base_offset + last->offset_span - 1,
            .last_time_ms = producer->last_time_ms,
            .txn_start_offset = txn_start_of(producer),
            .place = producer->order,
        };
    }
    return count;
}

bool partition_producer_find(const struct core *core, const struct partition *p, int64_t producer_id,
                             struct producer_view *ret)
{
    const struct producer *producer = producer_find(core, p, producer_id);
    return producer != NULL && copy_from(p, &producer->in_partition, ret, 1) == 1;
}

uint32_t partition_producers(const struct partition *p, struct producer_view *ret_views, uint32_t max)
{
    return copy_from(p, p->producers.next, ret_views, max);
}

uint32_t partition_producers_next(const struct core *core, const struct partition *p,
                                  const struct producer_view *seen, uint32_t seen_count,
                                  struct producer_view *ret_views, uint32_t max)
{
    // What was seen left the front of the list or moved to its end: the last one still in place is where to
    // go on. Should `max` of them be gone, it starts over.
    const struct list *from = p->producers.next;
    for (uint32_t back = 1; back <= seen_count && back <= max; back++) {
        const struct producer_view *view = &seen[seen_count - back];
        const struct producer *producer = producer_find(core, p, view->producer_id);
        if (producer != NULL && producer->order == view->place) {
            from = producer->in_partition.next;
            break;
        }
    }
    return copy_from(p, from, ret_views, max);
}
