// SPDX-License-Identifier: Apache-2.0
// SyncGroup (key 14): the leader hands out the assignment; every member is answered with its own once that is
// durable. KIP-62; static members KIP-345 (v3), KIP-559 (v5).
#include "kafka/handlers/handlers.h"

enum { NAMES_VERSION_MIN = 5 };

struct sync_state {
    struct group_sync_op op;
    struct request *rq;
};

static void sync_cancel(struct request *rq)
{
    struct sync_state *state = rq->state;
    broker_group_sync_cancel(rq->broker, &state->op);
}

static void on_synced(struct group_op *op)
{
    struct sync_state *state = (struct sync_state *)(void *)((char *)op - offsetof(struct sync_state, op.op));
    struct request *rq = state->rq;
    const struct group_sync *sync = &state->op.sync;
    struct sync_group_response *out = rq->out;
    rq->cancel = NULL;
    out->error = sync->err;
    out->protocol_type = sync->protocol_type_chosen;
    out->protocol_name = sync->protocol_name_chosen;
    out->assignment = sync->assignment;
    request_reply(rq);
}

static const struct group_assignment *load_assignments(struct request *rq)
{
    const struct sync_group_request *in = rq->in;
    struct group_assignment *assignments =
        request_new(rq, struct group_assignment, (size_t)in->assignments_count + 1);
    for (int32_t i = 0; i < in->assignments_count && assignments != NULL; i++) {
        assignments[i] =
            (struct group_assignment){in->assignments[i].member_id, in->assignments[i].assignment};
    }
    return assignments;
}

static void sync_group_handle(struct request *rq)
{
    const struct sync_group_request *in = rq->in;
    struct sync_group_response *out = rq->out;
    bool has_names = in->protocol_type.ptr != NULL && in->protocol_name.ptr != NULL;
    if (rq->version >= NAMES_VERSION_MIN && !has_names) {
        out->error = ERR_INCONSISTENT_GROUP_PROTOCOL; // KIP-559
        request_reply(rq);
        return;
    }
    struct sync_state *state = request_new(rq, struct sync_state, 1);
    const struct group_assignment *assignments = load_assignments(rq);
    if (state == NULL || assignments == NULL) {
        request_out_of_memory(rq);
        return;
    }
    rq->state = state;
    rq->cancel = sync_cancel;
    state->rq = rq;
    state->op.op.port = rq->port;
    state->op.op.done = on_synced;
    state->op.sync = (struct group_sync){
        .arena = &rq->arena,
        .group_id = in->group_id,
        .generation = in->generation_id,
        .member_id = in->member_id,
        .instance_id = in->group_instance_id,
        .protocol_type = in->protocol_type,
        .protocol_name = in->protocol_name,
        .assignments = assignments,
        .assignment_count = (uint32_t)in->assignments_count,
    };
    broker_group_sync(rq->broker, &state->op);
}

const struct api_handler sync_group_handler = {.key = API_SYNC_GROUP, .handle = sync_group_handle};
