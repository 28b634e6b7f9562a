// SPDX-License-Identifier: Apache-2.0
// OffsetForLeaderEpoch (key 23): where a leader epoch ends, so that a client can find where its log diverges.
// KIP-101, KIP-279, KIP-320.
#include "kafka/handlers/handlers.h"

static void look_up(struct request *rq, struct str topic,
                    const struct offset_for_leader_epoch_request_partition *asked,
                    struct offset_for_leader_epoch_response_partition *out)
{
    struct epoch_query query = {
        .topic_name = topic,
        .partition = asked->partition,
        .current_leader_epoch = asked->current_leader_epoch,
        .leader_epoch = asked->leader_epoch,
    };
    broker_epoch_end(rq->broker, &query);
    out->partition = asked->partition;
    out->error = query.err;
    out->leader_epoch = query.found_epoch;
    out->end_offset = query.end_offset;
}

static void offset_for_leader_epoch_handle(struct request *rq)
{
    const struct offset_for_leader_epoch_request *in = rq->in;
    struct offset_for_leader_epoch_response *out = rq->out;
    out->topics = wire_array(&rq->arena, offset_for_leader_epoch_response_topic, (size_t)in->topics_count);
    out->topics_count = out->topics == NULL ? 0 : in->topics_count;
    for (int32_t t = 0; t < out->topics_count; t++) {
        struct offset_for_leader_epoch_response_topic *topic = &out->topics[t];
        int32_t count = in->topics[t].partitions_count;
        topic->topic = in->topics[t].topic;
        topic->partitions = wire_array(&rq->arena, offset_for_leader_epoch_response_partition, (size_t)count);
        topic->partitions_count = topic->partitions == NULL ? 0 : count;
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            look_up(rq, topic->topic, &in->topics[t].partitions[p], &topic->partitions[p]);
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler offset_for_leader_epoch_handler = {.key = API_OFFSET_FOR_LEADER_EPOCH,
                                                            .handle = offset_for_leader_epoch_handle};
