// SPDX-License-Identifier: Apache-2.0
// Heartbeat (key 12): proves that a group member is alive, and tells it of a rebalance. KIP-62; static
// members KIP-345 (v3).
#include "kafka/handlers/handlers.h"

static void heartbeat_handle(struct request *rq)
{
    const struct heartbeat_request *in = rq->in;
    struct heartbeat_response *out = rq->out;
    const struct group_member_name name = {in->group_id, in->generation_id, in->member_id,
                                           in->group_instance_id};
    out->error = broker_group_heartbeat(rq->port, &name);
    request_reply(rq);
}

const struct api_handler heartbeat_handler = {.key = API_HEARTBEAT, .handle = heartbeat_handle};
