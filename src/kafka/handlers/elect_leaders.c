// SPDX-License-Identifier: Apache-2.0
// ElectLeaders (key 43, KIP-183, KIP-460). The one node leads everything that it knows: no election is ever
// needed, and every partition is told so. Of a request for all partitions the answer names, as Kafka's does,
// the topics and none of their partitions.
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

enum { ELECTION_PREFERRED = 0, ELECTION_UNCLEAN = 1 };

struct judge {
    struct request *rq;
    int8_t election_type;
};

static bool is_type_known(int8_t type)
{
    return type == ELECTION_PREFERRED || type == ELECTION_UNCLEAN;
}

static void judge_partition(const struct judge *judge, struct str name, const struct topic_view *view,
                            struct elect_leaders_response_partition *out)
{
    struct arena *arena = &judge->rq->arena;
    if (!is_type_known(judge->election_type)) {
        out->error = ERR_INVALID_REQUEST;
        out->error_message = arena_printf(arena, "Unknown election type %d", judge->election_type);
    } else if (view == NULL) {
        out->error = ERR_UNKNOWN_PARTITION;
        out->error_message = arena_printf(arena, "No such topic as " STR_FMT, STR_ARG(name));
    } else if (out->partition_id < 0 || out->partition_id >= view->partition_count) {
        out->error = ERR_UNKNOWN_PARTITION;
        out->error_message =
            arena_printf(arena, "No such partition as " STR_FMT "-%d", STR_ARG(name), out->partition_id);
    } else {
        out->error = ERR_ELECTION_NOT_NEEDED;
        out->error_message = STR("Leader election not needed for topic partition.");
    }
}

static void answer_wanted(const struct judge *judge)
{
    struct request *rq = judge->rq;
    const struct elect_leaders_request *in = rq->in;
    struct elect_leaders_response *out = rq->out;
    int32_t count = in->topic_partitions_count;
    out->replica_election_results = wire_array(&rq->arena, elect_leaders_response_result, (size_t)count);
    out->replica_election_results_count = out->replica_election_results == NULL ? 0 : count;
    for (int32_t t = 0; t < out->replica_election_results_count && !rq->arena.failed; t++) {
        struct elect_leaders_response_result *topic = &out->replica_election_results[t];
        int32_t partition_count = in->topic_partitions[t].partitions_count;
        struct topic_view view;
        topic->topic = in->topic_partitions[t].topic;
        bool is_known = topic_view_find(rq, topic->topic, (struct uuid){{0}}, &view);
        topic->partition_result =
            wire_array(&rq->arena, elect_leaders_response_partition, (size_t)partition_count);
        topic->partition_result_count = topic->partition_result == NULL ? 0 : partition_count;
        for (int32_t p = 0; p < topic->partition_result_count && !rq->arena.failed; p++) {
            topic->partition_result[p].partition_id = in->topic_partitions[t].partitions[p];
            judge_partition(judge, topic->topic, is_known ? &view : NULL, &topic->partition_result[p]);
        }
    }
}

static void answer_all(struct request *rq)
{
    struct elect_leaders_response *out = rq->out;
    uint32_t count = 0;
    struct topic_view *views = topic_view_list(rq, STR(""), UINT32_MAX, &count);
    out->replica_election_results = wire_array(&rq->arena, elect_leaders_response_result, count);
    bool is_complete = views != NULL && out->replica_election_results != NULL;
    out->replica_election_results_count = is_complete ? (int32_t)count : 0;
    for (int32_t i = 0; i < out->replica_election_results_count; i++) {
        out->replica_election_results[i].topic = views[i].name;
    }
}

static void elect_leaders_handle(struct request *rq)
{
    const struct elect_leaders_request *in = rq->in;
    struct elect_leaders_response *out = rq->out;
    const struct judge judge = {rq, in->election_type};
    bool asks_for_all = in->topic_partitions_count < 0;
    if (!is_type_known(judge.election_type) && in->topic_partitions_count != 0) {
        out->error = ERR_INVALID_REQUEST;
    }
    if (!asks_for_all) {
        answer_wanted(&judge);
    } else if (out->error == ERR_OK) {
        answer_all(rq);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler elect_leaders_handler = {.key = API_ELECT_LEADERS, .handle = elect_leaders_handle};
