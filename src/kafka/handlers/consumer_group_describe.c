// SPDX-License-Identifier: Apache-2.0
// ConsumerGroupDescribe (key 69): epochs, members and assignments of groups of the consumer protocol.
// KIP-848; KIP-1099 (member types, v1).
#include "group/assign.h"
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/operations.h"

enum { MEMBER_CLASSIC = 0, MEMBER_CONSUMER = 1 };

struct described {
    struct request *rq;
    const struct core *core;
    struct consumer_group_describe_response_group *out;
};

// fill_assignment leaves out topics that are gone.
static void fill_assignment(const struct described *d, const struct tp_set *set,
                            struct consumer_group_describe_response_assignment *out)
{
    struct arena *arena = &d->rq->arena;
    int32_t *partitions = arena_new(arena, int32_t, (size_t)set->count + 1);
    uint32_t topics = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        topics += i == 0 || !uuid_equal(set->list[i - 1].topic, set->list[i].topic);
    }
    out->topic_partitions =
        wire_array(arena, consumer_group_describe_response_topic_partitions, (size_t)topics + 1);
    struct consumer_group_describe_response_topic_partitions *last = NULL;
    for (uint32_t i = 0; i < set->count && partitions != NULL && out->topic_partitions != NULL; i++) {
        if (i == 0 || !uuid_equal(set->list[i - 1].topic, set->list[i].topic)) {
            const struct topic *topic = core_topic_find_id(d->core, set->list[i].topic);
            last = topic == NULL ? NULL : &out->topic_partitions[out->topic_partitions_count++];
            if (last != NULL) {
                last->topic_id = set->list[i].topic;
                last->topic_name = arena_str(arena, topic_name(topic));
                last->partitions = &partitions[i];
            }
        }
        partitions[i] = set->list[i].partition;
        if (last != NULL) {
            last->partitions_count++;
        }
    }
}

static void add_member(void *arg, const struct consumer_member_view *member)
{
    const struct described *d = arg;
    struct arena *arena = &d->rq->arena;
    struct consumer_group_describe_response_member *out = &d->out->members[d->out->members_count++];
    out->member_id = arena_str(arena, member->member_id);
    out->instance_id = arena_str(arena, member->instance_id);
    out->rack_id = arena_str(arena, member->rack_id);
    out->member_epoch = member->epoch;
    out->client_id = arena_str(arena, member->client_id);
    out->client_host = arena_str(arena, member->client_host);
    out->subscribed_topic_names = arena_new(arena, struct str, (size_t)member->topic_count + 1);
    for (uint32_t i = 0; i < member->topic_count && out->subscribed_topic_names != NULL; i++) {
        out->subscribed_topic_names[out->subscribed_topic_names_count++] =
            arena_str(arena, member->topics[i]);
    }
    out->subscribed_topic_regex = arena_str(arena, member->regex.ptr == NULL ? STR("") : member->regex);
    fill_assignment(d, member->assigned, &out->assignment);
    fill_assignment(d, member->target, &out->target_assignment);
    out->member_type = member->is_classic ? MEMBER_CLASSIC : MEMBER_CONSUMER;
}

static void describe_missing(struct request *rq, const struct core *core,
                             struct consumer_group_describe_response_group *out)
{
    bool is_there = core_group_find(core, out->group_id) != NULL;
    out->error = ERR_GROUP_ID_NOT_FOUND;
    out->error_message =
        is_there
            ? arena_printf(&rq->arena, "Group " STR_FMT " is not a consumer group.", STR_ARG(out->group_id))
            : arena_printf(&rq->arena, "Group " STR_FMT " not found.", STR_ARG(out->group_id));
}

static void describe(struct request *rq, struct consumer_group_describe_response_group *out)
{
    struct consumer_view view;
    struct described described = {.rq = rq, .out = out};
    int64_t now_ms;
    struct coordinator *c = broker_consumers_begin(rq->broker, &described.core, &now_ms);
    if (coordinator_consumer_view(c, out->group_id, now_ms, &view)) {
        out->group_state = str_from_c(consumer_state_name(view.state));
        out->group_epoch = view.epoch;
        out->assignment_epoch = view.target_epoch;
        out->assignor_name = view.assignor;
        out->members =
            wire_array(&rq->arena, consumer_group_describe_response_member, (size_t)view.member_count + 1);
        if (out->members != NULL) {
            coordinator_consumer_members(c, out->group_id, add_member, &described);
        }
    } else {
        describe_missing(rq, described.core, out);
    }
    broker_consumers_end(rq->port);
}

static void consumer_group_describe_handle(struct request *rq)
{
    const struct consumer_group_describe_request *in = rq->in;
    struct consumer_group_describe_response *out = rq->out;
    out->groups =
        wire_array(&rq->arena, consumer_group_describe_response_group, (size_t)in->group_ids_count + 1);
    for (int32_t i = 0; i < in->group_ids_count && out->groups != NULL; i++) {
        struct consumer_group_describe_response_group *group = &out->groups[out->groups_count++];
        group->group_id = in->group_ids[i];
        group->group_state = group->assignor_name = STR("");
        if (group->group_id.len == 0) {
            group->error = ERR_INVALID_GROUP_ID;
        } else {
            describe(rq, group);
        }
        if (in->include_authorized_operations && group->error == ERR_OK) {
            group->authorized_operations = GROUP_OPERATIONS;
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler consumer_group_describe_handler = {.key = API_CONSUMER_GROUP_DESCRIBE,
                                                            .handle = consumer_group_describe_handle};
