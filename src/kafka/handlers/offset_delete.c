// SPDX-License-Identifier: Apache-2.0
// OffsetDelete (key 47): forget a group's positions of some partitions. Those of topics that its members
// consume stay, and all where it cannot be told what they consume. KIP-496.
#include "base/hash.h"
#include "base/map.h"
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

struct delete_state {
    struct item *items;
    uint32_t item_count;
    enum err *errors; // per partition, in the order of the request
    int32_t *item_of;
};

// ---- which of the topics are consumed: one walk over the subscriptions, whatever was asked

struct asked_topic {
    struct map_node by_name;
    struct str name;
    struct asked_topic *first; // of this name
    bool is_used;
};

static uint64_t name_hash(struct str name)
{
    return hash64(bytes_of(name.ptr, name.len), 9);
}

static struct asked_topic *asked_find(const struct map *map, struct str name)
{
    for (struct map_node *n = map_first(map, name_hash(name)); n != NULL; n = map_next(n)) {
        struct asked_topic *asked = MAP_ENTRY(n, struct asked_topic, by_name);
        if (str_equal(asked->name, name)) {
            return asked;
        }
    }
    return NULL;
}

static void mark_used(void *arg, struct str topic_name)
{
    struct asked_topic *asked = asked_find(arg, topic_name);
    if (asked != NULL) {
        asked->is_used = true;
    }
}

// find_used returns one entry per topic of the request; NULL: out of memory.
static struct asked_topic *find_used(struct request *rq)
{
    const struct offset_delete_request *in = rq->in;
    struct asked_topic *asked = request_new(rq, struct asked_topic, (size_t)in->topics_count + 1);
    if (asked == NULL) {
        return NULL;
    }
    struct map map;
    map_init(&map);
    for (int32_t t = 0; t < in->topics_count; t++) {
        struct str name = in->topics[t].name;
        struct asked_topic *first = asked_find(&map, name);
        asked[t] = (struct asked_topic){.name = name, .first = first == NULL ? &asked[t] : first};
        if (first == NULL) {
            map_insert(&map, &asked[t].by_name, name_hash(name));
        }
    }
    (void)broker_view_begin(rq->broker);
    bool is_known = coordinator_topics(broker_coordinator(rq->broker), in->group_id, mark_used, &map);
    broker_view_end(rq->broker);
    map_fini(&map);
    for (int32_t t = 0; t < in->topics_count; t++) {
        asked[t].is_used = asked[t].first->is_used || !is_known;
    }
    return asked;
}

// ---- the items

static struct item_offset_delete *item_for(struct delete_state *state, struct str group_id,
                                           struct item_offset_name *names)
{
    struct item_offset_delete *last =
        state->item_count == 0 ? NULL : &state->items[state->item_count - 1].offset_delete;
    if (last != NULL && last->name_count < ITEM_OFFSET_ENTRIES_MAX) {
        return last;
    }
    struct item *item = &state->items[state->item_count++];
    *item = (struct item){.kind = ITEM_OFFSET_DELETE, .version = 1};
    item->offset_delete = (struct item_offset_delete){
        .group_id = group_id,
        .expected_generation = -1,
        .cutoff_ms = INT64_MAX,
        .names = last == NULL ? names : last->names + last->name_count,
    };
    return &item->offset_delete;
}

static enum err check(bool is_known, const struct topic_view *view, int32_t partition, bool is_used)
{
    if (!is_known || partition < 0 || partition >= view->partition_count) {
        return ERR_UNKNOWN_PARTITION;
    }
    return is_used ? ERR_GROUP_SUBSCRIBED_TO_TOPIC : ERR_OK;
}

static void gather(struct request *rq, struct delete_state *state, const struct asked_topic *asked,
                   struct item_offset_name *names)
{
    const struct offset_delete_request *in = rq->in;
    uint32_t at = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        const struct offset_delete_request_topic *topic = &in->topics[t];
        struct topic_view view = {0};
        bool is_known = topic_view_find(rq, topic->name, (struct uuid){{0}}, &view);
        for (int32_t i = 0; i < topic->partitions_count; i++, at++) {
            int32_t partition = topic->partitions[i].partition_index;
            state->errors[at] = check(is_known, &view, partition, asked[t].is_used);
            if (state->errors[at] == ERR_OK) {
                struct item_offset_delete *item = item_for(state, in->group_id, names);
                item->names[item->name_count++] = (struct item_offset_name){view.id, partition};
                state->item_of[at] = (int32_t)state->item_count - 1;
            }
        }
    }
}

static void answer(struct request *rq, const struct delete_state *state, const struct outcome *outcomes)
{
    const struct offset_delete_request *in = rq->in;
    struct offset_delete_response *out = rq->out;
    out->topics = wire_array(&rq->arena, offset_delete_response_topic, (size_t)in->topics_count + 1);
    uint32_t at = 0;
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        struct offset_delete_response_topic *topic = &out->topics[out->topics_count++];
        int32_t count = in->topics[t].partitions_count;
        topic->name = in->topics[t].name;
        topic->partitions = wire_array(&rq->arena, offset_delete_response_partition, (size_t)count + 1);
        for (int32_t i = 0; i < count && topic->partitions != NULL; i++, at++) {
            struct offset_delete_response_partition *partition =
                &topic->partitions[topic->partitions_count++];
            partition->partition_index = in->topics[t].partitions[i].partition_index;
            enum err err = state->errors[at] != ERR_OK ? state->errors[at] : outcomes[state->item_of[at]].err;
            // A group of which only its members are known yet has no positions.
            partition->error = err == ERR_GROUP_ID_NOT_FOUND ? ERR_OK : err;
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void on_deleted(struct request *rq, struct request_change *change)
{
    answer(rq, change->state, change->op.outcomes);
}

static void offset_delete_handle(struct request *rq)
{
    const struct offset_delete_request *in = rq->in;
    struct offset_delete_response *out = rq->out;
    out->error = in->group_id.len == 0 ? ERR_INVALID_GROUP_ID
                                       : broker_group_offsets_deletable(rq->broker, in->group_id);
    if (out->error != ERR_OK) {
        request_reply(rq);
        return;
    }
    size_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (size_t)in->topics[t].partitions_count;
    }
    struct delete_state *state = request_new(rq, struct delete_state, 1);
    struct item_offset_name *names = request_new(rq, struct item_offset_name, count + 1);
    if (state != NULL) {
        state->errors = request_new(rq, enum err, count + 1);
        state->item_of = request_new(rq, int32_t, count + 1);
        state->items = request_new(rq, struct item, count / ITEM_OFFSET_ENTRIES_MAX + 1);
    }
    const struct asked_topic *asked = find_used(rq);
    if (rq->arena.failed) {
        request_out_of_memory(rq);
        return;
    }
    gather(rq, state, asked, names);
    (void)request_change_start(rq, state->items, state->item_count, state, on_deleted);
}

const struct api_handler offset_delete_handler = {.key = API_OFFSET_DELETE, .handle = offset_delete_handle};
