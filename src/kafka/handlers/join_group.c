// SPDX-License-Identifier: Apache-2.0
// JoinGroup (key 11): a member asks to be in the next generation, and is answered when that begins. KIP-62;
// ids first KIP-394 (v4), static members KIP-345 (v5), KIP-559 (v7), KIP-814 (v9).
#include "kafka/handlers/handlers.h"

enum { KNOWN_ID_VERSION_MIN = 4, NULL_NAME_VERSION_MIN = 7, SKIP_VERSION_MIN = 9 };

struct join_state {
    struct group_join_op op;
    struct request *rq;
};

static void join_cancel(struct request *rq)
{
    struct join_state *state = rq->state;
    broker_group_join_cancel(rq->broker, &state->op);
}

static bool fill_members(struct request *rq, const struct group_join *join)
{
    struct join_group_response *out = rq->out;
    out->members = wire_array(&rq->arena, join_group_response_member, (size_t)join->member_count);
    if (out->members == NULL && join->member_count > 0) {
        return false;
    }
    out->members_count = (int32_t)join->member_count;
    for (int32_t i = 0; i < out->members_count; i++) {
        out->members[i].member_id = join->members[i].member_id;
        out->members[i].group_instance_id = join->members[i].instance_id;
        out->members[i].metadata = join->members[i].metadata;
    }
    return true;
}

static void on_joined(struct group_op *op)
{
    struct join_state *state = (struct join_state *)(void *)((char *)op - offsetof(struct join_state, op.op));
    struct request *rq = state->rq;
    const struct group_join *join = &state->op.join;
    struct join_group_response *out = rq->out;
    rq->cancel = NULL;
    out->error = join->err;
    out->generation_id = join->generation;
    out->protocol_type = join->protocol_type_chosen;
    out->protocol_name = join->protocol_name;
    if (out->protocol_name.len == 0) {
        out->protocol_name = rq->version < NULL_NAME_VERSION_MIN ? STR("") : (struct str){NULL, 0};
    }
    out->leader = join->leader;
    out->skip_assignment = join->skips_assignment;
    out->member_id = join->member_id_given;
    if (!fill_members(rq, join)) {
        request_out_of_memory(rq);
        return;
    }
    request_reply(rq);
}

static const struct group_protocol *load_protocols(struct request *rq)
{
    const struct join_group_request *in = rq->in;
    struct group_protocol *protocols =
        request_new(rq, struct group_protocol, (size_t)in->protocols_count + 1);
    for (int32_t i = 0; i < in->protocols_count && protocols != NULL; i++) {
        protocols[i] = (struct group_protocol){in->protocols[i].name, in->protocols[i].metadata};
    }
    return protocols;
}

static void join_group_handle(struct request *rq)
{
    const struct join_group_request *in = rq->in;
    struct join_state *state = request_new(rq, struct join_state, 1);
    const struct group_protocol *protocols = load_protocols(rq);
    struct str host = request_client_host(rq);
    if (state == NULL || protocols == NULL || host.ptr == NULL) {
        request_out_of_memory(rq);
        return;
    }
    rq->state = state;
    rq->cancel = join_cancel;
    state->rq = rq;
    state->op.op.port = rq->port;
    state->op.op.done = on_joined;
    state->op.join = (struct group_join){
        .arena = &rq->arena,
        .group_id = in->group_id,
        .member_id = in->member_id,
        .instance_id = in->group_instance_id,
        .client_id = rq->header.client_id.ptr == NULL ? STR("") : rq->header.client_id,
        .client_host = host,
        .session_timeout_ms = in->session_timeout_ms,
        .rebalance_timeout_ms = rq->version == 0 ? in->session_timeout_ms : in->rebalance_timeout_ms,
        .protocol_type = in->protocol_type,
        .protocols = protocols,
        .protocol_count = (uint32_t)in->protocols_count,
        .needs_known_id = rq->version >= KNOWN_ID_VERSION_MIN,
        .can_skip_assignment = rq->version >= SKIP_VERSION_MIN,
    };
    broker_group_join(rq->broker, &state->op);
}

const struct api_handler join_group_handler = {.key = API_JOIN_GROUP, .handle = join_group_handle};
