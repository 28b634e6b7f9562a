// SPDX-License-Identifier: Apache-2.0
// topic_view.c - topics copied out of the core. The lock is held for at most VIEW_STEP small things at a
// time, so a list of 100,000 partitions does not hold up produce.
#include "kafka/topic_view.h"

enum { VIEW_STEP = 500 };

static void view_fill(struct request *rq, const struct topic *topic, struct topic_view *ret)
{
    ret->name = arena_str(&rq->arena, topic_name(topic));
    ret->id = topic_id(topic);
    ret->partition_count = topic_partition_count(topic);
}

bool topic_view_find(struct request *rq, struct str name, struct uuid id, struct topic_view *ret)
{
    const struct core *core = broker_view_begin(rq->broker);
    const struct topic *topic = uuid_is_zero(id) ? core_topic_find(core, name) : core_topic_find_id(core, id);
    if (topic != NULL) {
        view_fill(rq, topic, ret);
    }
    broker_view_end(rq->broker);
    return topic != NULL && ret->name.ptr != NULL;
}

// list_step copies up to VIEW_STEP topics whose names are after (or, at the start, not before) `from`.
static uint32_t list_step(struct request *rq, struct str from, bool is_start, uint32_t max,
                          struct topic_view *ret)
{
    uint32_t limit = max < VIEW_STEP ? max : VIEW_STEP;
    uint32_t count = 0;
    const struct core *core = broker_view_begin(rq->broker);
    uint32_t total = core_topic_count(core);
    for (uint32_t i = core_topic_lower_bound(core, from); i < total && count < limit; i++) {
        const struct topic *topic = core_topic_at(core, i);
        if (is_start || !str_equal(topic_name(topic), from)) {
            view_fill(rq, topic, &ret[count++]);
        }
    }
    broker_view_end(rq->broker);
    return count;
}

struct topic_view *topic_view_list(struct request *rq, struct str from, uint32_t max, uint32_t *ret_count)
{
    *ret_count = 0;
    uint32_t cap = core_topic_count(broker_view_begin(rq->broker));
    broker_view_end(rq->broker);
    cap = cap < max ? cap : max;
    struct topic_view *views = request_new(rq, struct topic_view, (size_t)cap + 1);
    if (views == NULL) {
        return NULL;
    }
    uint32_t count = 0;
    uint32_t got;
    do {
        struct str after = count == 0 ? from : views[count - 1].name;
        got = list_step(rq, after, count == 0, cap - count, &views[count]);
        count += got;
    } while (got == VIEW_STEP && count < cap && !rq->arena.failed);
    *ret_count = count;
    return rq->arena.failed ? NULL : views;
}

bool topic_view_epochs(struct request *rq, const struct topic_view *topic, int32_t first, int32_t count,
                       int32_t *ret_epochs)
{
    bool is_there = true;
    for (int32_t done = 0; done < count && is_there;) {
        const struct core *core = broker_view_begin(rq->broker);
        const struct topic *found = core_topic_find_id(core, topic->id);
        is_there = found != NULL;
        for (int32_t step = 0; step < VIEW_STEP && done < count && is_there; step++, done++) {
            const struct partition *partition = topic_partition(found, first + done);
            ret_epochs[done] = partition == NULL ? 0 : partition_leader_epoch(partition);
        }
        broker_view_end(rq->broker);
    }
    return is_there;
}

bool topic_view_sizes(struct request *rq, const struct topic_view *topic, int32_t count, int64_t *ret_bytes)
{
    bool is_there = true;
    for (int32_t done = 0; done < count && is_there;) {
        const struct core *core = broker_view_begin(rq->broker);
        const struct topic *found = core_topic_find_id(core, topic->id);
        is_there = found != NULL;
        for (int32_t step = 0; step < VIEW_STEP && done < count && is_there; step++, done++) {
            const struct partition *partition = topic_partition(found, done);
            ret_bytes[done] = partition == NULL ? 0 : (int64_t)partition_bytes(partition);
        }
        broker_view_end(rq->broker);
    }
    return is_there;
}

int32_t *topic_view_replicas(struct request *rq)
{
    int32_t *replicas = request_new(rq, int32_t, 1);
    if (replicas != NULL) {
        replicas[0] = broker_node_id(rq->broker);
    }
    return replicas;
}
