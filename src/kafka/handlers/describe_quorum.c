// SPDX-License-Identifier: Apache-2.0
// DescribeQuorum (key 55): the controllers' log. KIP-595, KIP-836 (timestamps, v1), KIP-853 (nodes, v2). Here
// that is the one log that orders every change, this node is its only voter, and offsets are counted in
// bundles.
#include "kafka/handlers/handlers.h"

enum { LEADER_EPOCH = 1 }; // it never changes

// As in Kafka, asking for anything beside the one partition leaves all of them unknown.
static bool is_about_the_log(const struct describe_quorum_request *in)
{
    return in->topics_count == 1 && str_equal(in->topics[0].topic_name, STR("__cluster_metadata")) &&
           in->topics[0].partitions_count == 1 && in->topics[0].partitions[0].partition_index == 0;
}

static void fill_quorum(struct request *rq, struct describe_quorum_response_partition *out)
{
    struct broker_status status;
    broker_status(rq->broker, &status);
    out->leader_id = broker_node_id(rq->broker);
    out->leader_epoch = LEADER_EPOCH;
    out->high_watermark = (int64_t)status.lsn;
    out->current_voters = wire_array(&rq->arena, describe_quorum_response_replica_state, 1);
    if (out->current_voters == NULL) {
        return;
    }
    out->current_voters_count = 1;
    out->current_voters[0].replica_id = out->leader_id;
    out->current_voters[0].log_end_offset = out->high_watermark;
    int64_t now_ms = clock_wall_ms(broker_env(rq->broker)->clock);
    out->current_voters[0].last_fetch_timestamp = out->current_voters[0].last_caught_up_timestamp = now_ms;
}

static void fill_nodes(struct request *rq)
{
    struct describe_quorum_response *out = rq->out;
    out->nodes = wire_array(&rq->arena, describe_quorum_response_node, 1);
    struct describe_quorum_response_listener *listener =
        wire_array(&rq->arena, describe_quorum_response_listener, 1);
    if (out->nodes == NULL || listener == NULL) {
        return;
    }
    int32_t port = 0;
    listener->name = STR("PLAINTEXT");
    request_endpoint(rq, &listener->host, &port);
    listener->port = (uint16_t)port;
    out->nodes_count = 1;
    out->nodes[0].node_id = broker_node_id(rq->broker);
    out->nodes[0].listeners = listener;
    out->nodes[0].listeners_count = 1;
}

static void describe_quorum_handle(struct request *rq)
{
    const struct describe_quorum_request *in = rq->in;
    struct describe_quorum_response *out = rq->out;
    bool is_known = is_about_the_log(in);
    out->topics = wire_array(&rq->arena, describe_quorum_response_topic, (size_t)in->topics_count);
    out->topics_count = out->topics == NULL ? 0 : in->topics_count;
    for (int32_t t = 0; t < out->topics_count && !rq->arena.failed; t++) {
        struct describe_quorum_response_topic *topic = &out->topics[t];
        int32_t count = in->topics[t].partitions_count;
        topic->topic_name = in->topics[t].topic_name;
        topic->partitions = wire_array(&rq->arena, describe_quorum_response_partition, (size_t)count);
        topic->partitions_count = topic->partitions == NULL ? 0 : count;
        for (int32_t p = 0; p < topic->partitions_count && !rq->arena.failed; p++) {
            topic->partitions[p].partition_index = in->topics[t].partitions[p].partition_index;
            if (is_known) {
                fill_quorum(rq, &topic->partitions[p]);
                continue;
            }
            topic->partitions[p].error = ERR_UNKNOWN_PARTITION;
            topic->partitions[p].error_message = STR("This server does not host this topic-partition.");
        }
    }
    if (is_known) {
        fill_nodes(rq);
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_quorum_handler = {.key = API_DESCRIBE_QUORUM,
                                                    .handle = describe_quorum_handle};
