// SPDX-License-Identifier: Apache-2.0
// DescribeProducers (key 61, KIP-664): the idempotent producers that a partition remembers. last_timestamp is
// the time of the last append, as expiry counts it. Markers are nobody's request: there is no coordinator's
// epoch.
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

#include <stdlib.h>

enum {
    PRODUCERS_STEP = 500,   // copied under one lock
    PRODUCERS_MAX = 100000, // of one partition in one answer
};

struct producers {
    struct producer_view *views;
    uint32_t count;
    uint32_t cap;
};

// Newer places first among views of the same producer.
static int view_order(const void *left, const void *right)
{
    const struct producer_view *a = left;
    const struct producer_view *b = right;
    if (a->producer_id != b->producer_id) {
        return a->producer_id < b->producer_id ? -1 : 1;
    }
    return a->place > b->place ? -1 : a->place < b->place;
}

static void drop_repeated(struct producers *list)
{
    qsort(list->views, list->count, sizeof *list->views, view_order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (kept == 0 || list->views[kept - 1].producer_id != list->views[i].producer_id) {
            list->views[kept++] = list->views[i];
        }
    }
    list->count = kept;
}

// grow makes room for another step.
static bool grow(struct request *rq, struct producers *list)
{
    if (list->count + PRODUCERS_STEP <= list->cap) {
        return true;
    }
    uint32_t cap = list->cap * 2 + PRODUCERS_STEP;
    struct producer_view *views = request_new(rq, struct producer_view, cap);
    if (views == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        views[i] = list->views[i];
    }
    list->views = views;
    list->cap = cap;
    return true;
}

// load_producers: ERR_UNKNOWN_PARTITION, or ERR_NO_MEMORY with the arena failed.
static enum err load_producers(struct request *rq, const struct topic_view *topic, int32_t index,
                               struct producers *ret)
{
    uint32_t got = PRODUCERS_STEP;
    while (got == PRODUCERS_STEP && ret->count < PRODUCERS_MAX) {
        if (!grow(rq, ret)) {
            return ERR_NO_MEMORY;
        }
        const struct core *core = broker_view_begin(rq->broker);
        const struct topic *found = core_topic_find_id(core, topic->id);
        const struct partition *p = found == NULL ? NULL : topic_partition(found, index);
        got = p == NULL ? 0
                        : partition_producers_next(core, p, ret->views, ret->count, ret->views + ret->count,
                                                   PRODUCERS_STEP);
        broker_view_end(rq->broker);
        if (p == NULL) {
            return ERR_UNKNOWN_PARTITION;
        }
        ret->count += got;
    }
    drop_repeated(ret);
    return ERR_OK;
}

static void fill_producers(struct request *rq, const struct producers *list,
                           struct describe_producers_response_partition *out)
{
    out->active_producers = wire_array(&rq->arena, describe_producers_response_active_producer, list->count);
    out->active_producers_count = out->active_producers == NULL ? 0 : (int32_t)list->count;
    for (int32_t i = 0; i < out->active_producers_count; i++) {
        struct describe_producers_response_active_producer *producer = &out->active_producers[i];
        producer->producer_id = list->views[i].producer_id;
        producer->producer_epoch = list->views[i].producer_epoch;
        producer->last_sequence = list->views[i].last_sequence;
        producer->last_timestamp = list->views[i].last_time_ms;
        producer->coordinator_epoch = -1;
        producer->current_txn_start_offset = list->views[i].txn_start_offset;
    }
}

static void fill_partition(struct request *rq, struct str name, int32_t index,
                           struct describe_producers_response_partition *out)
{
    struct topic_view view;
    struct producers list = {0};
    out->partition_index = index;
    if (!topic_name_is_valid(name)) {
        out->error = ERR_INVALID_TOPIC;
        struct error e;
        (void)broker_topic_name_check(name, &e);
        out->error_message = arena_str(&rq->arena, str_from_c(e.text));
        return;
    }
    bool is_known = topic_view_find(rq, name, (struct uuid){{0}}, &view);
    out->error = is_known ? load_producers(rq, &view, index, &list) : ERR_UNKNOWN_PARTITION;
    if (!is_known) { // as in Kafka, not for a partition that is not there
        out->error_message = STR("This server does not host this topic-partition.");
    }
    fill_producers(rq, &list, out);
}

static void describe_producers_handle(struct request *rq)
{
    const struct describe_producers_request *in = rq->in;
    struct describe_producers_response *out = rq->out;
    out->topics = wire_array(&rq->arena, describe_producers_response_topic, (size_t)in->topics_count);
    out->topics_count = out->topics == NULL ? 0 : in->topics_count;
    for (int32_t t = 0; t < out->topics_count && !rq->arena.failed; t++) {
        struct describe_producers_response_topic *topic = &out->topics[t];
        int32_t count = in->topics[t].partition_indexes_count;
        topic->name = in->topics[t].name;
        topic->partitions = wire_array(&rq->arena, describe_producers_response_partition, (size_t)count);
        topic->partitions_count = topic->partitions == NULL ? 0 : count;
        for (int32_t p = 0; p < topic->partitions_count && !rq->arena.failed; p++) {
            fill_partition(rq, topic->name, in->topics[t].partition_indexes[p], &topic->partitions[p]);
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_producers_handler = {.key = API_DESCRIBE_PRODUCERS,
                                                       .handle = describe_producers_handle};
