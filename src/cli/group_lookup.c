// SPDX-License-Identifier: Apache-2.0
// group_lookup.c - members and states of groups, of the classic protocol (DescribeGroups) and of the one that
// the broker leads (ConsumerGroupDescribe, KIP-848).
#include "cli/groups.h"

bool group_has_members(const struct group *group)
{
    return group->err == ERR_OK && group->member_count > 0;
}

static struct str host_text(struct str host)
{
    bool is_slashed = host.len > 0 && host.ptr[0] == '/';
    return is_slashed ? (struct str){host.ptr + 1, host.len - 1} : host;
}

static struct group *find_among(struct group *groups, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(groups[i].id, id)) {
            return &groups[i];
        }
    }
    return NULL;
}

// ---- classic groups

static void classic_member(struct run *run, bool is_consumer,
                           const struct describe_groups_response_member *in, struct group_member *out)
{
    struct subscription subscription = {0};
    struct assignment assignment = {0};
    out->id = in->member_id;
    out->instance_id = in->group_instance_id;
    out->client_id = in->client_id;
    out->host = host_text(in->client_host);
    out->is_opaque = !is_consumer ||
                     subscription_decode(in->member_metadata, &run->arena, &subscription, NULL) != ERR_OK ||
                     assignment_decode(in->member_assignment, &run->arena, &assignment, NULL) != ERR_OK;
    if (!out->is_opaque) {
        out->rack = subscription.rack;
        out->subscribed = subscription.topics;
        out->subscribed_count = subscription.topic_count;
        out->assigned = assignment.topics;
        out->assigned_count = assignment.topic_count;
    }
}

static bool classic_take(struct run *run, const struct describe_groups_response_group *in, struct group *out)
{
    // Before version 6 a group that is not there is "Dead" and no error.
    bool is_dead = in->error == ERR_OK && str_equal(in->group_state, STR("Dead"));
    out->err = is_dead ? ERR_GROUP_ID_NOT_FOUND : in->error;
    out->message = in->error_message;
    out->type = STR("classic");
    out->state = in->group_state;
    out->protocol_type = in->protocol_type;
    out->protocol = in->protocol_data;
    out->members = run_room(run, (size_t)in->members_count, sizeof *out->members);
    bool is_consumer = str_equal(in->protocol_type, STR("consumer"));
    for (int32_t i = 0; i < in->members_count && out->members != NULL; i++) {
        classic_member(run, is_consumer, &in->members[i], &out->members[out->member_count++]);
    }
    return out->members != NULL;
}

// classic_describe asks about the groups that are not known yet.
static bool classic_describe(struct run *run, struct client *coordinator, struct group *groups, size_t count)
{
    struct describe_groups_request request;
    struct describe_groups_response response;
    wire_init(&describe_groups_request_type, &request);
    request.groups = run_room(run, count, sizeof *request.groups);
    for (size_t i = 0; i < count && request.groups != NULL; i++) {
        if (groups[i].err == ERR_GROUP_ID_NOT_FOUND) {
            request.groups[request.groups_count++] = groups[i].id;
        }
    }
    if (request.groups == NULL || request.groups_count == 0) {
        return request.groups != NULL;
    }
    if (!run_call_on(run, coordinator, API_DESCRIBE_GROUPS, &request, &response)) {
        return false;
    }
    for (int32_t i = 0; i < response.groups_count; i++) {
        struct group *group = find_among(groups, count, response.groups[i].group_id);
        if (group != NULL && group->members == NULL && !classic_take(run, &response.groups[i], group)) {
            return false;
        }
    }
    return true;
}

// ---- groups that the broker leads

static bool modern_member(struct run *run, const struct consumer_group_describe_response_member *in,
                          struct group_member *out)
{
    out->id = in->member_id;
    out->instance_id = in->instance_id;
    out->client_id = in->client_id;
    out->host = host_text(in->client_host);
    out->rack = in->rack_id;
    out->subscribed = in->subscribed_topic_names;
    out->subscribed_count =
        in->subscribed_topic_names_count < 0 ? 0 : (size_t)in->subscribed_topic_names_count;
    size_t count =
        in->assignment.topic_partitions_count < 0 ? 0 : (size_t)in->assignment.topic_partitions_count;
    out->assigned = run_room(run, count, sizeof *out->assigned);
    out->assigned_count = out->assigned == NULL ? 0 : count;
    for (size_t i = 0; i < out->assigned_count; i++) {
        const struct consumer_group_describe_response_topic_partitions *topic =
            &in->assignment.topic_partitions[i];
        out->assigned[i] =
            (struct topic_partitions){topic->topic_name, topic->partitions,
                                      topic->partitions_count < 0 ? 0 : (size_t)topic->partitions_count};
    }
    return out->assigned != NULL;
}

static bool modern_take(struct run *run, const struct consumer_group_describe_response_group *in,
                        struct group *out)
{
    out->err = in->error;
    if (in->error != ERR_OK) {
        return true; // a classic group, for one: the next question tells
    }
    out->type = STR("consumer");
    out->state = in->group_state;
    out->protocol_type = STR("consumer");
    out->protocol = in->assignor_name;
    out->members = run_room(run, (size_t)in->members_count, sizeof *out->members);
    bool is_room = out->members != NULL;
    for (int32_t i = 0; i < in->members_count && is_room; i++) {
        is_room = modern_member(run, &in->members[i], &out->members[out->member_count++]);
    }
    return is_room;
}

static bool modern_describe(struct run *run, struct client *coordinator, struct group *groups, size_t count)
{
    struct consumer_group_describe_request request;
    struct consumer_group_describe_response response;
    int16_t min;
    int16_t max;
    if (!client_range(coordinator, API_CONSUMER_GROUP_DESCRIBE, &min, &max)) {
        return true;
    }
    wire_init(&consumer_group_describe_request_type, &request);
    request.group_ids = run_room(run, count, sizeof *request.group_ids);
    for (size_t i = 0; i < count && request.group_ids != NULL; i++) {
        request.group_ids[request.group_ids_count++] = groups[i].id;
    }
    if (request.group_ids == NULL ||
        !run_call_on(run, coordinator, API_CONSUMER_GROUP_DESCRIBE, &request, &response)) {
        return false;
    }
    for (int32_t i = 0; i < response.groups_count; i++) {
        struct group *group = find_among(groups, count, response.groups[i].group_id);
        if (group != NULL && group->members == NULL && !modern_take(run, &response.groups[i], group)) {
            return false;
        }
    }
    return true;
}

// ---- both

bool groups_describe(struct run *run, struct client *coordinator, struct group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        groups[i] = (struct group){.id = groups[i].id,
                                   .coordinator_id = groups[i].coordinator_id,
                                   .coordinator = coordinator,
                                   .err = ERR_GROUP_ID_NOT_FOUND};
    }
    if (!modern_describe(run, coordinator, groups, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) { // whatever was said against it: it may be a classic one
        groups[i].err = groups[i].members == NULL ? ERR_GROUP_ID_NOT_FOUND : groups[i].err;
    }
    return classic_describe(run, coordinator, groups, count);
}

bool group_find(struct run *run, struct str id, struct group *ret)
{
    int64_t deadline_ns = run_deadline(run);
    do {
        int32_t coordinator_id;
        struct client *coordinator = run_coordinator(run, id, &coordinator_id);
        if (coordinator == NULL) {
            return false;
        }
        *ret = (struct group){.id = id, .coordinator_id = coordinator_id};
        if (!groups_describe(run, coordinator, ret, 1)) {
            return false;
        }
    } while (run_retry(run, ret->err, deadline_ns));
    return true;
}

void group_missing(struct run *run, const char *what, struct str id)
{
    struct list_groups_request request;
    struct list_groups_response all;
    wire_init(&list_groups_request_type, &request);
    struct str nearest = {NULL, 0};
    size_t nearest_edits = SIZE_MAX;
    bool is_known = client_call(run->client, API_LIST_GROUPS, &request, &run->arena, &all, NULL) == ERR_OK;
    for (int32_t i = 0; is_known && i < all.groups_count; i++) {
        size_t edits;
        if (text_is_near(id, all.groups[i].group_id, &edits) && edits < nearest_edits) {
            nearest = all.groups[i].group_id;
            nearest_edits = edits;
        }
    }
    struct str hint = nearest.ptr != NULL ? run_print(run, "did you mean \"" STR_FMT "\"?", STR_ARG(nearest))
                                          : STR("`strom group list` shows the groups");
    run_refused(run, what, ERR_GROUP_ID_NOT_FOUND, (struct str){NULL, 0}, hint.ptr);
}
