// SPDX-License-Identifier: Apache-2.0
// DescribeGroups (key 15): state and members of classic groups. A group that does not exist is "Dead"; since
// v6 that is also an error (KIP-1043). KIP-430 (authorized operations, v3).
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/operations.h"

enum { ERROR_VERSION_MIN = 6, ID_IN_MESSAGE_MAX = 1000 };

struct described {
    struct request *rq;
    struct describe_groups_response_group *out;
};

static struct bytes copy_bytes(struct request *rq, struct bytes bytes)
{
    struct str copy =
        arena_str(&rq->arena, (struct str){bytes.len == 0 ? "" : (const char *)bytes.ptr, bytes.len});
    return bytes_of(copy.ptr, copy.len);
}

static void add_member(void *arg, const struct group_member_view *member)
{
    const struct described *d = arg;
    struct describe_groups_response_member *out = &d->out->members[d->out->members_count++];
    out->member_id = arena_str(&d->rq->arena, member->member_id);
    out->group_instance_id = arena_str(&d->rq->arena, member->instance_id);
    out->client_id = arena_str(&d->rq->arena, member->client_id);
    out->client_host = arena_str(&d->rq->arena, member->client_host);
    out->member_metadata = copy_bytes(d->rq, member->metadata);
    out->member_assignment = copy_bytes(d->rq, member->assignment);
}

// describe is false for what is no classic group.
static bool describe(struct request *rq, struct describe_groups_response_group *out, bool *ret_is_consumer)
{
    struct group_view view;
    (void)broker_view_begin(rq->broker);
    const struct coordinator *c = broker_coordinator(rq->broker);
    bool is_there = coordinator_view(c, out->group_id, &view);
    *ret_is_consumer = is_there && view.is_consumer;
    if (is_there && !view.is_consumer) {
        out->group_state = str_from_c(group_state_name(view.state));
        out->protocol_type = arena_str(&rq->arena, view.protocol_type);
        out->protocol_data = arena_str(&rq->arena, view.protocol_name);
        out->members = wire_array(&rq->arena, describe_groups_response_member, (size_t)view.member_count + 1);
        struct described described = {rq, out};
        if (out->members != NULL) {
            coordinator_members(c, out->group_id, add_member, &described);
        }
    }
    broker_view_end(rq->broker);
    return is_there && !*ret_is_consumer;
}

static void describe_missing(struct request *rq, struct describe_groups_response_group *out, bool is_consumer)
{
    out->group_state = STR("Dead");
    if (rq->version >= ERROR_VERSION_MIN) {
        out->error = ERR_GROUP_ID_NOT_FOUND;
        const char *what = is_consumer ? "is not a classic group" : "not found";
        bool fits = out->group_id.len <= ID_IN_MESSAGE_MAX;
        out->error_message =
            fits ? arena_printf(&rq->arena, "Group " STR_FMT " %s.", STR_ARG(out->group_id), what)
                 : arena_printf(&rq->arena, "Group %s.", what);
    }
}

static void describe_groups_handle(struct request *rq)
{
    const struct describe_groups_request *in = rq->in;
    struct describe_groups_response *out = rq->out;
    out->groups = wire_array(&rq->arena, describe_groups_response_group, (size_t)in->groups_count + 1);
    for (int32_t i = 0; i < in->groups_count && out->groups != NULL; i++) {
        struct describe_groups_response_group *group = &out->groups[out->groups_count++];
        group->group_id = in->groups[i];
        group->group_state = group->protocol_type = group->protocol_data = STR("");
        bool is_consumer = false;
        if (!describe(rq, group, &is_consumer)) {
            describe_missing(rq, group, is_consumer);
        }
        if (in->include_authorized_operations && group->error == ERR_OK) {
            group->authorized_operations = GROUP_OPERATIONS;
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_groups_handler = {.key = API_DESCRIBE_GROUPS,
                                                    .handle = describe_groups_handle};
