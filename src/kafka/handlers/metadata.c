// SPDX-License-Identifier: Apache-2.0
// Metadata (key 3): brokers, topics, partitions. KIP-4 (auto-creation flag, v4), KIP-516 (topic ids: in the
// answer since v10, by id since v12). Topics that a request names and that do not exist are created first if
// it may; the answer then has them, so no client sees "leader not available".
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/operations.h"
#include "kafka/topic_view.h"

#include <stdlib.h>

enum { TOPIC_BY_ID_VERSION_MIN = 12 };

// One topic that the request names. After sorting, in the order of the answer.
struct wanted {
    struct str name; // NULL ptr: by id
    struct uuid id;
    enum err err; // why it is not there, where auto-creation knows better than the look-up
};

struct metadata_state {
    struct wanted *wanted;
    uint32_t count;
    uint32_t *missing; // index in wanted of each topic to be created
};

static bool fill_topic(struct request *rq, const struct topic_view *view, int32_t *replicas,
                       struct metadata_response_topic *out)
{
    int32_t count = view->partition_count;
    out->name = view->name;
    out->topic_id = view->id;
    out->partitions = wire_array(&rq->arena, metadata_response_partition, (size_t)count);
    int32_t *epochs = request_new(rq, int32_t, (size_t)count + 1);
    if (out->partitions == NULL || epochs == NULL) {
        return false;
    }
    if (!topic_view_epochs(rq, view, 0, count, epochs)) {
        out->error = ERR_UNKNOWN_PARTITION; // deleted just now
        return true;
    }
    out->partitions_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct metadata_response_partition *partition = &out->partitions[i];
        partition->partition_index = i;
        partition->leader_id = replicas[0];
        partition->leader_epoch = epochs[i];
        partition->replica_nodes = partition->isr_nodes = replicas;
        partition->replica_nodes_count = partition->isr_nodes_count = 1;
    }
    return true;
}

static bool fill_brokers(struct request *rq)
{
    struct metadata_response *out = rq->out;
    out->brokers = wire_array(&rq->arena, metadata_response_broker, 1);
    if (out->brokers == NULL) {
        return false;
    }
    out->brokers_count = 1;
    out->brokers[0].node_id = broker_node_id(rq->broker);
    request_endpoint(rq, &out->brokers[0].host, &out->brokers[0].port);
    if (rq->options->rack.len > 0) {
        out->brokers[0].rack = rq->options->rack;
    }
    out->cluster_id = broker_cluster_id(rq->broker);
    out->controller_id = broker_node_id(rq->broker);
    const struct metadata_request *in = rq->in;
    if (in->include_cluster_authorized_operations) {
        out->cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    return true;
}

static void reply(struct request *rq, bool is_complete)
{
    const struct metadata_request *in = rq->in;
    struct metadata_response *out = rq->out;
    bool has_operations = is_complete && in->include_topic_authorized_operations;
    for (int32_t i = 0; i < out->topics_count && has_operations; i++) {
        out->topics[i].topic_authorized_operations = TOPIC_OPERATIONS;
    }
    is_complete &&fill_brokers(rq) ? request_reply(rq) : request_out_of_memory(rq);
}

static void answer_all(struct request *rq)
{
    struct metadata_response *out = rq->out;
    uint32_t count = 0;
    struct topic_view *views = topic_view_list(rq, STR(""), UINT32_MAX, &count);
    int32_t *replicas = topic_view_replicas(rq);
    out->topics = wire_array(&rq->arena, metadata_response_topic, count);
    bool is_complete = views != NULL && replicas != NULL && (out->topics != NULL || count == 0);
    for (uint32_t i = 0; i < count && is_complete; i++) {
        is_complete = fill_topic(rq, &views[i], replicas, &out->topics[i]);
        out->topics_count++;
    }
    reply(rq, is_complete);
}

static enum err check_wanted(struct request *rq, const struct wanted *wanted)
{
    bool is_by_id = !uuid_is_zero(wanted->id);
    if (is_by_id || wanted->name.ptr == NULL) {
        return rq->version < TOPIC_BY_ID_VERSION_MIN ? ERR_INVALID_REQUEST : ERR_OK;
    }
    return topic_name_is_valid(wanted->name) ? ERR_OK : ERR_INVALID_TOPIC;
}

static void answer_wanted(struct request *rq, const struct metadata_state *state)
{
    struct metadata_response *out = rq->out;
    int32_t *replicas = topic_view_replicas(rq);
    out->topics = wire_array(&rq->arena, metadata_response_topic, state->count);
    bool is_complete = replicas != NULL && (out->topics != NULL || state->count == 0);
    for (uint32_t i = 0; i < state->count && is_complete; i++) {
        const struct wanted *wanted = &state->wanted[i];
        struct metadata_response_topic *topic = &out->topics[i];
        struct topic_view view;
        out->topics_count++;
        enum err err = check_wanted(rq, wanted);
        if (err == ERR_OK && topic_view_find(rq, wanted->name, wanted->id, &view)) {
            is_complete = fill_topic(rq, &view, replicas, topic);
            continue;
        }
        topic->name = wanted->name;
        topic->topic_id = wanted->id;
        topic->error = err;
        if (err == ERR_OK) {
            topic->error = uuid_is_zero(wanted->id) ? ERR_UNKNOWN_PARTITION : ERR_UNKNOWN_TOPIC_ID;
            topic->error = wanted->err != ERR_OK ? wanted->err : topic->error;
        }
    }
    reply(rq, is_complete);
}

// ---- auto-creation

static enum err plan_topic(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct metadata_state *state = set->state;
    const struct topic_spec spec = {
        .name = state->wanted[state->missing[index]].name, .partition_count = -1, .replication_factor = -1};
    return broker_plan_topic(set->rq->broker, &spec, &set->rq->arena, ret_item, e);
}

static void on_created(struct change_set *set)
{
    struct metadata_state *state = set->state;
    for (uint32_t i = 0; i < set->count; i++) {
        enum err err = set->entries[i].err;
        // Somebody else may have created it meanwhile: then the look-up finds it.
        state->wanted[state->missing[i]].err = err == ERR_TOPIC_EXISTS ? ERR_OK : err;
    }
    answer_wanted(set->rq, state);
}

static uint32_t find_missing(struct request *rq, struct metadata_state *state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct wanted *wanted = &state->wanted[i];
        if (wanted->name.ptr == NULL || check_wanted(rq, wanted) != ERR_OK) {
            continue;
        }
        const struct core *core = broker_view_begin(rq->broker);
        bool is_there = core_topic_find(core, wanted->name) != NULL;
        broker_view_end(rq->broker);
        if (!is_there) {
            state->missing[count++] = i;
        }
    }
    return count;
}

static void create_missing(struct request *rq, struct metadata_state *state, uint32_t count)
{
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL) {
        return;
    }
    set->state = state;
    set->plan = plan_topic;
    set->done = on_created;
    change_set_start(set);
}

// ---- the request

static int wanted_order(const void *left, const void *right)
{
    const struct wanted *a = left;
    const struct wanted *b = right;
    int order = str_compare(a->name, b->name);
    return order != 0 ? order : memcmp(&a->id, &b->id, sizeof a->id);
}

// load_wanted copies what is named, sorted, each once.
static bool load_wanted(struct request *rq, struct metadata_state *state)
{
    const struct metadata_request *in = rq->in;
    uint32_t count = (uint32_t)in->topics_count;
    state->wanted = request_new(rq, struct wanted, (size_t)count + 1);
    state->missing = request_new(rq, uint32_t, (size_t)count + 1);
    if (state->wanted == NULL || state->missing == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_by_id = rq->version >= TOPIC_BY_ID_VERSION_MIN && !uuid_is_zero(in->topics[i].topic_id);
        struct str name = in->topics[i].name;
        name = is_by_id ? (struct str){NULL, 0} : name; // the id alone counts
        state->wanted[i] = (struct wanted){.name = name, .id = in->topics[i].topic_id};
    }
    qsort(state->wanted, count, sizeof *state->wanted, wanted_order);
    for (uint32_t i = 0; i < count; i++) {
        bool is_repeated =
            state->count > 0 && wanted_order(&state->wanted[state->count - 1], &state->wanted[i]) == 0;
        if (!is_repeated) {
            state->wanted[state->count++] = state->wanted[i];
        }
    }
    return true;
}

static void metadata_handle(struct request *rq)
{
    const struct metadata_request *in = rq->in;
    bool wants_all = rq->version == 0 ? in->topics_count <= 0 : in->topics_count < 0;
    if (wants_all) {
        answer_all(rq);
        return;
    }
    struct metadata_state *state = request_new(rq, struct metadata_state, 1);
    if (state == NULL || !load_wanted(rq, state)) {
        request_out_of_memory(rq);
        return;
    }
    bool may_create = in->allow_auto_topic_creation && rq->options->auto_create_topics;
    uint32_t missing_count = may_create ? find_missing(rq, state) : 0;
    if (missing_count > 0) {
        create_missing(rq, state, missing_count);
        return;
    }
    answer_wanted(rq, state);
}

const struct api_handler metadata_handler = {.key = API_METADATA, .handle = metadata_handle};
