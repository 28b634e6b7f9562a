// SPDX-License-Identifier: Apache-2.0
// OffsetFetch (key 9): the positions of groups. What was never committed has offset -1 and no error. KIP-709
// (many groups, v8), KIP-447 (stable offsets, v7: what an open transaction may still change), KIP-848 (topic
// ids, v10).
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

enum {
    GROUPS_VERSION_MIN = 8,
    TOPIC_ID_VERSION_MIN = 10,
    ALL_VERSION_MIN = 2,
    STABLE_VERSION_MIN = 7,
    STEP = 500
};

// What the versions before 8 and since 8 both say, filled once and copied into either shape.
struct found {
    int64_t offset;
    int32_t leader_epoch;
    struct str metadata;
    enum err err;
};

static struct found found_of(struct request *rq, const struct offset_view *view)
{
    return (struct found){view->offset, view->leader_epoch,
                          view->metadata.len == 0 ? STR("") : arena_str(&rq->arena, view->metadata), ERR_OK};
}

static bool must_be_stable(const struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    return rq->version >= STABLE_VERSION_MIN && in->require_stable;
}

// ---- named partitions

// look fills found[count] for partitions of one topic; the lock is held for STEP of them at a time.
static void look(struct request *rq, struct str group_id, const struct topic_view *topic,
                 const int32_t *partitions, int32_t count, struct found *ret)
{
    for (int32_t done = 0; done < count;) {
        const struct core *core = broker_view_begin(rq->broker);
        const struct group *group = core_group_find(core, group_id);
        const struct topic *there = topic == NULL ? NULL : core_topic_find_id(core, topic->id);
        for (int32_t step = 0; step < STEP && done < count; step++, done++) {
            struct offset_view view;
            bool is_there =
                group != NULL && there != NULL && group_offset_find(group, there, partitions[done], &view);
            ret[done] = is_there ? found_of(rq, &view) : (struct found){-1, -1, STR(""), ERR_OK};
            if (must_be_stable(rq) && there != NULL &&
                group_offset_is_pending(core, group_id, there, partitions[done])) {
                ret[done] = (struct found){-1, -1, STR(""), ERR_UNSTABLE_OFFSET_COMMIT};
            }
        }
        broker_view_end(rq->broker);
    }
}

// ---- all partitions

struct all {
    struct topic_view *topics;
    int32_t *partition_counts; // per topic
    uint32_t topic_count;
    uint32_t topic_cap;
    int32_t *partitions; // of all topics, one after the other
    struct found *found;
    uint32_t count;
    uint32_t cap;
};

static bool all_grow(struct request *rq, struct all *all)
{
    uint32_t cap = all->cap == 0 ? 64 : all->cap * 2;
    int32_t *partitions = request_new(rq, int32_t, cap);
    struct found *found = request_new(rq, struct found, cap);
    struct topic_view *topics = request_new(rq, struct topic_view, cap);
    int32_t *counts = request_new(rq, int32_t, cap);
    if (rq->arena.failed) {
        return false;
    }
    if (all->cap > 0) {
        memcpy(partitions, all->partitions, all->count * sizeof *partitions);
        memcpy(found, all->found, all->count * sizeof *found);
        memcpy(topics, all->topics, all->topic_count * sizeof *topics);
        memcpy(counts, all->partition_counts, all->topic_count * sizeof *counts);
    }
    all->partitions = partitions;
    all->found = found;
    all->topics = topics;
    all->partition_counts = counts;
    all->cap = cap;
    return true;
}

static void all_add(struct request *rq, struct all *all, const struct core *core, struct str group_id,
                    const struct offset_view *view)
{
    struct uuid id = topic_id(view->topic);
    bool is_same = all->topic_count > 0 && uuid_equal(all->topics[all->topic_count - 1].id, id);
    if (!is_same) {
        all->topics[all->topic_count] =
            (struct topic_view){arena_str(&rq->arena, topic_name(view->topic)), id, 0};
        all->partition_counts[all->topic_count++] = 0;
    }
    all->partition_counts[all->topic_count - 1]++;
    bool is_open =
        must_be_stable(rq) && group_offset_is_pending(core, group_id, view->topic, view->partition);
    all->partitions[all->count] = view->partition;
    all->found[all->count++] =
        is_open ? (struct found){-1, -1, STR(""), ERR_UNSTABLE_OFFSET_COMMIT} : found_of(rq, view);
}

// look_all copies every position of a group; false: out of memory.
static bool look_all(struct request *rq, struct str group_id, struct all *all)
{
    struct uuid after = {{0}};
    int32_t after_partition = -1;
    bool has_more = true;
    while (has_more && !rq->arena.failed) {
        if (all->count + STEP > all->cap && !all_grow(rq, all)) {
            return false;
        }
        const struct core *core = broker_view_begin(rq->broker);
        const struct group *group = core_group_find(core, group_id);
        has_more = group != NULL;
        for (int step = 0; step < STEP && has_more && all->count < all->cap; step++) {
            struct offset_view view;
            has_more = group_offset_next(group, after, after_partition, &view);
            if (has_more) {
                all_add(rq, all, core, group_id, &view);
                after = topic_id(view.topic);
                after_partition = view.partition;
            }
        }
        broker_view_end(rq->broker);
    }
    return !rq->arena.failed;
}

// ---- versions 8 and later

static void fill_v8(struct offset_fetch_response_group_topic *topic, const int32_t *partitions, int32_t count,
                    const struct found *found, enum err err, struct request *rq)
{
    topic->partitions =
        wire_array(&rq->arena, offset_fetch_response_group_topic_partition, (size_t)count + 1);
    for (int32_t i = 0; i < count && topic->partitions != NULL; i++) {
        struct offset_fetch_response_group_topic_partition *out =
            &topic->partitions[topic->partitions_count++];
        out->partition_index = partitions[i];
        out->committed_offset = err == ERR_OK ? found[i].offset : -1;
        out->committed_leader_epoch = err == ERR_OK ? found[i].leader_epoch : -1;
        out->metadata = err == ERR_OK ? found[i].metadata : STR("");
        out->error = err != ERR_OK ? err : found[i].err;
    }
}

static void group_all_v8(struct request *rq, struct offset_fetch_response_group *out)
{
    struct all all = {0};
    if (!look_all(rq, out->group_id, &all)) {
        return;
    }
    out->topics = wire_array(&rq->arena, offset_fetch_response_group_topic, (size_t)all.topic_count + 1);
    uint32_t at = 0;
    for (uint32_t t = 0; t < all.topic_count && out->topics != NULL; t++) {
        struct offset_fetch_response_group_topic *topic = &out->topics[out->topics_count++];
        topic->name = all.topics[t].name;
        topic->topic_id = all.topics[t].id;
        fill_v8(topic, &all.partitions[at], all.partition_counts[t], &all.found[at], ERR_OK, rq);
        at += (uint32_t)all.partition_counts[t];
    }
}

static void group_some_v8(struct request *rq, const struct offset_fetch_request_group *in,
                          struct offset_fetch_response_group *out)
{
    out->topics = wire_array(&rq->arena, offset_fetch_response_group_topic, (size_t)in->topics_count + 1);
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        const struct offset_fetch_request_group_topic *asked = &in->topics[t];
        struct offset_fetch_response_group_topic *topic = &out->topics[out->topics_count++];
        struct topic_view view = {0};
        bool is_by_id = rq->version >= TOPIC_ID_VERSION_MIN;
        bool is_known = !(is_by_id && uuid_is_zero(asked->topic_id)) &&
                        topic_view_find(rq, asked->name, asked->topic_id, &view);
        int32_t count = asked->partition_indexes_count;
        struct found *found = request_new(rq, struct found, (size_t)count + 1);
        if (found == NULL) {
            return;
        }
        topic->name = asked->name;
        topic->topic_id = asked->topic_id;
        look(rq, in->group_id, is_known ? &view : NULL, asked->partition_indexes, count, found);
        fill_v8(topic, asked->partition_indexes, count, found,
                is_by_id && !is_known ? ERR_UNKNOWN_TOPIC_ID : ERR_OK, rq);
    }
}

// check_member: who says which member it is, must be it (KIP-848, v9).
static enum err check_member(struct request *rq, const struct offset_fetch_request_group *in)
{
    if (in->member_id.ptr == NULL && in->member_epoch < 0) {
        return ERR_OK;
    }
    const struct group_member_name name = {in->group_id, in->member_epoch, in->member_id, {NULL, 0}};
    return broker_group_fetch_check(rq->port, &name);
}

static void fetch_v8(struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    struct offset_fetch_response *out = rq->out;
    out->groups = wire_array(&rq->arena, offset_fetch_response_group, (size_t)in->groups_count + 1);
    for (int32_t i = 0; i < in->groups_count && out->groups != NULL; i++) {
        struct offset_fetch_response_group *group = &out->groups[out->groups_count++];
        group->group_id = in->groups[i].group_id;
        group->error = check_member(rq, &in->groups[i]);
        if (group->error != ERR_OK) {
            continue;
        }
        if (in->groups[i].topics_count < 0) {
            group_all_v8(rq, group);
        } else {
            group_some_v8(rq, &in->groups[i], group);
        }
    }
    request_reply(rq); // closes if the arena failed
}

// ---- versions before 8

static void fill_v1(struct request *rq, struct offset_fetch_response_topic *topic, const int32_t *partitions,
                    int32_t count, const struct found *found)
{
    topic->partitions = wire_array(&rq->arena, offset_fetch_response_partition, (size_t)count + 1);
    for (int32_t i = 0; i < count && topic->partitions != NULL; i++) {
        struct offset_fetch_response_partition *out = &topic->partitions[topic->partitions_count++];
        out->partition_index = partitions[i];
        out->committed_offset = found[i].offset;
        out->committed_leader_epoch = found[i].leader_epoch;
        out->metadata = found[i].metadata;
        out->error = found[i].err;
    }
}

static void all_v1(struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    struct offset_fetch_response *out = rq->out;
    struct all all = {0};
    if (!look_all(rq, in->group_id, &all)) {
        return;
    }
    out->topics = wire_array(&rq->arena, offset_fetch_response_topic, (size_t)all.topic_count + 1);
    uint32_t at = 0;
    for (uint32_t t = 0; t < all.topic_count && out->topics != NULL; t++) {
        struct offset_fetch_response_topic *topic = &out->topics[out->topics_count++];
        topic->name = all.topics[t].name;
        fill_v1(rq, topic, &all.partitions[at], all.partition_counts[t], &all.found[at]);
        at += (uint32_t)all.partition_counts[t];
    }
}

static void some_v1(struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    struct offset_fetch_response *out = rq->out;
    out->topics = wire_array(&rq->arena, offset_fetch_response_topic, (size_t)in->topics_count + 1);
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        const struct offset_fetch_request_topic *asked = &in->topics[t];
        struct offset_fetch_response_topic *topic = &out->topics[out->topics_count++];
        struct topic_view view = {0};
        bool is_known = topic_view_find(rq, asked->name, (struct uuid){{0}}, &view);
        int32_t count = asked->partition_indexes_count;
        struct found *found = request_new(rq, struct found, (size_t)count + 1);
        if (found == NULL) {
            return;
        }
        topic->name = asked->name;
        look(rq, in->group_id, is_known ? &view : NULL, asked->partition_indexes, count, found);
        fill_v1(rq, topic, asked->partition_indexes, count, found);
    }
}

static void offset_fetch_handle(struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    if (rq->version >= GROUPS_VERSION_MIN) {
        fetch_v8(rq);
        return;
    }
    if (rq->version >= ALL_VERSION_MIN && in->topics_count < 0) {
        all_v1(rq);
    } else {
        some_v1(rq);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler offset_fetch_handler = {.key = API_OFFSET_FETCH, .handle = offset_fetch_handle};
