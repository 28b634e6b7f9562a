// SPDX-License-Identifier: Apache-2.0
// LeaveGroup (key 13): members leave at once instead of timing out. KIP-345 (many members, and static ones by
// their instance id, v3).
#include "kafka/handlers/handlers.h"

enum { MEMBERS_VERSION_MIN = 3 };

// What concerns the group, not one member.
static bool is_of_group(enum err err)
{
    return err == ERR_INVALID_GROUP_ID || err == ERR_NOT_COORDINATOR;
}

static void leave_one(struct request *rq)
{
    const struct leave_group_request *in = rq->in;
    struct leave_group_response *out = rq->out;
    out->error = broker_group_leave(rq->port, in->group_id, in->member_id, (struct str){NULL, 0});
    request_reply(rq);
}

static void leave_group_handle(struct request *rq)
{
    const struct leave_group_request *in = rq->in;
    struct leave_group_response *out = rq->out;
    if (rq->version < MEMBERS_VERSION_MIN) {
        leave_one(rq);
        return;
    }
    int32_t count = in->members_count;
    if (in->group_id.len == 0) { // said even if nobody leaves
        out->error = ERR_INVALID_GROUP_ID;
        request_reply(rq);
        return;
    }
    out->members = wire_array(&rq->arena, leave_group_response_member, (size_t)count + 1);
    if (out->members == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (int32_t i = 0; i < count && out->error == ERR_OK; i++) {
        struct leave_group_response_member *member = &out->members[out->members_count++];
        member->member_id = in->members[i].member_id;
        member->group_instance_id = in->members[i].group_instance_id;
        member->error =
            broker_group_leave(rq->port, in->group_id, member->member_id, member->group_instance_id);
        if (is_of_group(member->error)) {
            out->error = member->error;
            out->members_count = 0;
        }
    }
    request_reply(rq);
}

const struct api_handler leave_group_handler = {.key = API_LEAVE_GROUP, .handle = leave_group_handle};
