// SPDX-License-Identifier: Apache-2.0
// AlterPartitionReassignments (key 45) and ListPartitionReassignments (key 46), KIP-455. Every partition is
// on the one node: a wish that says so is fulfilled already, nothing else can be wished, and no reassignment
// ever runs, so that none can be cancelled.
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"

static const struct str no_text = {NULL, 0}; // null, as Kafka leaves it

static enum err check_replicas(struct request *rq, const int32_t *replicas, int32_t count,
                               struct str *ret_text)
{
    int32_t node_id = broker_node_id(rq->broker);
    if (count == 0) {
        *ret_text = STR("The manual partition assignment includes an empty replica list.");
        return ERR_INVALID_REPLICA_ASSIGNMENT;
    }
    for (int32_t i = 0; i < count; i++) {
        if (replicas[i] != node_id) {
            *ret_text = arena_printf(&rq->arena,
                                     "The manual partition assignment includes broker %d, but no such broker "
                                     "is registered.",
                                     replicas[i]);
            return ERR_INVALID_REPLICA_ASSIGNMENT;
        }
    }
    if (count > 1) {
        *ret_text = arena_printf(
            &rq->arena, "The manual partition assignment includes the broker %d more than once.", node_id);
        return ERR_INVALID_REPLICA_ASSIGNMENT;
    }
    return ERR_OK;
}

static enum err judge(struct request *rq, struct str name, const struct topic_view *view,
                      const struct alter_partition_reassignments_request_partition *wish,
                      struct str *ret_text)
{
    if (view == NULL) {
        *ret_text = arena_printf(&rq->arena, "Unable to find a topic named " STR_FMT ".", STR_ARG(name));
        return ERR_UNKNOWN_PARTITION;
    }
    if (wish->partition_index < 0 || wish->partition_index >= view->partition_count) {
        *ret_text = arena_printf(&rq->arena, "Unable to find partition " STR_FMT ":%d.", STR_ARG(name),
                                 wish->partition_index);
        return ERR_UNKNOWN_PARTITION;
    }
    bool cancels = wish->replicas_count < 0;
    return cancels ? ERR_NO_REASSIGNMENT_IN_PROGRESS
                   : check_replicas(rq, wish->replicas, wish->replicas_count, ret_text);
}

static void alter_handle(struct request *rq)
{
    const struct alter_partition_reassignments_request *in = rq->in;
    struct alter_partition_reassignments_response *out = rq->out;
    out->allow_replication_factor_change = in->allow_replication_factor_change;
    out->error_message = no_text;
    out->responses =
        wire_array(&rq->arena, alter_partition_reassignments_response_response, (size_t)in->topics_count);
    out->responses_count = out->responses == NULL ? 0 : in->topics_count;
    for (int32_t t = 0; t < out->responses_count && !rq->arena.failed; t++) {
        struct alter_partition_reassignments_response_response *topic = &out->responses[t];
        int32_t count = in->topics[t].partitions_count;
        struct topic_view view;
        topic->name = in->topics[t].name;
        bool is_known = topic_view_find(rq, topic->name, (struct uuid){{0}}, &view);
        topic->partitions =
            wire_array(&rq->arena, alter_partition_reassignments_response_partition, (size_t)count);
        topic->partitions_count = topic->partitions == NULL ? 0 : count;
        for (int32_t p = 0; p < topic->partitions_count && !rq->arena.failed; p++) {
            const struct alter_partition_reassignments_request_partition *wish = &in->topics[t].partitions[p];
            topic->partitions[p].partition_index = wish->partition_index;
            topic->partitions[p].error_message = no_text;
            topic->partitions[p].error =
                judge(rq, topic->name, is_known ? &view : NULL, wish, &topic->partitions[p].error_message);
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void list_handle(struct request *rq)
{
    struct list_partition_reassignments_response *out = rq->out;
    out->error_message = no_text;
    request_reply(rq); // none run, of whatever topics
}

const struct api_handler alter_partition_reassignments_handler = {.key = API_ALTER_PARTITION_REASSIGNMENTS,
                                                                  .handle = alter_handle};
const struct api_handler list_partition_reassignments_handler = {.key = API_LIST_PARTITION_REASSIGNMENTS,
                                                                 .handle = list_handle};
