// SPDX-License-Identifier: Apache-2.0
// ConsumerGroupHeartbeat (key 68): a member of the consumer protocol joins, stays, learns its partitions and
// leaves; answered when what it is told is durable. KIP-848; KIP-1082 (v1: the client makes its own id).
#include "kafka/handlers/handlers.h"

enum { OWN_ID_VERSION_MIN = 1 };

struct beat_state {
    struct group_beat_op op;
    struct request *rq;
};

static void beat_cancel(struct request *rq)
{
    struct beat_state *state = rq->state;
    broker_group_beat_cancel(rq->broker, &state->op);
}

static void fill_assignment(struct request *rq, const struct group_beat *beat)
{
    struct consumer_group_heartbeat_response *out = rq->out;
    out->assignment = wire_array(&rq->arena, consumer_group_heartbeat_response_assignment, 1);
    if (out->assignment == NULL) {
        return;
    }
    struct consumer_group_heartbeat_response_topic_partitions *topics = wire_array(
        &rq->arena, consumer_group_heartbeat_response_topic_partitions, (size_t)beat->assignment_count + 1);
    for (uint32_t i = 0; i < beat->assignment_count && topics != NULL; i++) {
        topics[i].topic_id = beat->assignment[i].topic_id;
        topics[i].partitions = beat->assignment[i].partitions;
        topics[i].partitions_count = (int32_t)beat->assignment[i].count;
    }
    out->assignment->topic_partitions = topics;
    out->assignment->topic_partitions_count = (int32_t)beat->assignment_count;
}

static void on_beaten(struct group_op *op)
{
    struct beat_state *state = (struct beat_state *)(void *)((char *)op - offsetof(struct beat_state, op.op));
    struct request *rq = state->rq;
    const struct group_beat *beat = &state->op.beat;
    struct consumer_group_heartbeat_response *out = rq->out;
    rq->cancel = NULL;
    out->error = beat->err;
    out->error_message = beat->message;
    out->member_id = beat->member_id_given;
    out->member_epoch = beat->member_epoch_given;
    out->heartbeat_interval_ms = beat->heartbeat_interval_ms;
    if (beat->has_assignment) {
        fill_assignment(rq, beat);
    }
    request_reply(rq); // closes if the arena failed
}

static const struct group_partitions *load_owned(struct request *rq)
{
    const struct consumer_group_heartbeat_request *in = rq->in;
    size_t count = in->topic_partitions_count < 0 ? 0 : (size_t)in->topic_partitions_count;
    struct group_partitions *owned = request_new(rq, struct group_partitions, count + 1);
    for (size_t i = 0; i < count && owned != NULL; i++) {
        owned[i] =
            (struct group_partitions){in->topic_partitions[i].topic_id, in->topic_partitions[i].partitions,
                                      (uint32_t)in->topic_partitions[i].partitions_count};
    }
    return owned;
}

static void consumer_group_heartbeat_handle(struct request *rq)
{
    const struct consumer_group_heartbeat_request *in = rq->in;
    if (in->group_id.len == 0) {
        struct consumer_group_heartbeat_response *out = rq->out;
        out->error = ERR_INVALID_REQUEST;
        out->error_message = STR("GroupId can't be empty.");
        request_reply(rq);
        return;
    }
    struct beat_state *state = request_new(rq, struct beat_state, 1);
    const struct group_partitions *owned = load_owned(rq);
    struct str host = request_client_host(rq);
    if (state == NULL || owned == NULL || host.ptr == NULL) {
        request_out_of_memory(rq);
        return;
    }
    rq->state = state;
    rq->cancel = beat_cancel;
    state->rq = rq;
    state->op.op.port = rq->port;
    state->op.op.done = on_beaten;
    state->op.beat = (struct group_beat){
        .arena = &rq->arena,
        .group_id = in->group_id,
        .member_id = in->member_id,
        .member_epoch = in->member_epoch,
        .instance_id = in->instance_id,
        .rack_id = in->rack_id,
        .assignor = in->server_assignor,
        .client_id = rq->header.client_id.ptr == NULL ? STR("") : rq->header.client_id,
        .client_host = host,
        .rebalance_timeout_ms = in->rebalance_timeout_ms,
        .topics = in->subscribed_topic_names,
        .topic_count = in->subscribed_topic_names_count,
        .regex = in->subscribed_topic_regex,
        .owned = owned,
        .owned_count = in->topic_partitions_count,
        .is_id_required = rq->version >= OWN_ID_VERSION_MIN,
    };
    broker_group_beat(rq->broker, &state->op);
}

const struct api_handler consumer_group_heartbeat_handler = {.key = API_CONSUMER_GROUP_HEARTBEAT,
                                                             .handle = consumer_group_heartbeat_handle};
