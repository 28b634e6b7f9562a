// SPDX-License-Identifier: Apache-2.0
// group_rig_test.h - members of groups that speak through the wire tables, for the tests of group APIs.
// An era is a number: in era n each API is asked in version n, or in its first or last where that is none.
#ifndef KAFKA_GROUP_RIG_TEST_H
#define KAFKA_GROUP_RIG_TEST_H

#include <stdio.h>

#include "kafka/test_rig.h"

enum { ERA_LAST = 10, MEMBER_PROTOCOLS_MAX = 3, SESSION_MS = 60000 };

static inline int16_t version_of(enum api_key key, int16_t era)
{
    const struct wire_api *api = wire_api_find((int16_t)key);
    int16_t version = era > api->version_min ? era : api->version_min;
    return version < api->version_max ? version : api->version_max;
}

static inline bool is(struct str text, const char *want)
{
    return str_equal(text, str_from_c(want));
}

static inline struct str str_or_null(const char *text)
{
    return text == NULL ? (struct str){NULL, 0} : str_from_c(text);
}

// One member on a connection of its own. `id` and `generation` are what it was told last.
struct member {
    struct client c;
    int16_t era;
    const char *group;
    const char *instance; // NULL = dynamic
    const char *protocol; // NULL = "range"
    const char *metadata; // NULL = "m"
    struct str id;
    int32_t generation;
    bool is_leader;
};

static inline void member_open(struct member *m, const struct rig *rig, int16_t era, const char *group)
{
    *m = (struct member){.era = era, .group = group, .id = STR(""), .generation = -1};
    client_open(&m->c, rig);
}

static inline void member_close(struct member *m)
{
    client_close(&m->c);
}

static inline struct join_group_request *join_make(struct member *m)
{
    struct join_group_request *in = client_new(&m->c, join_group_request, 1);
    in->group_id = str_from_c(m->group);
    in->session_timeout_ms = SESSION_MS;
    in->rebalance_timeout_ms = SESSION_MS;
    in->member_id = m->id;
    in->group_instance_id = str_or_null(m->instance);
    in->protocol_type = STR("consumer");
    in->protocols = client_new(&m->c, join_group_request_protocol, 1);
    in->protocols_count = 1;
    in->protocols[0].name = str_from_c(m->protocol == NULL ? "range" : m->protocol);
    const char *metadata = m->metadata == NULL ? "m" : m->metadata;
    in->protocols[0].metadata = bytes_of(metadata, strlen(metadata));
    return in;
}

static inline const struct join_group_response *join_call(struct member *m)
{
    return client_call(&m->c, API_JOIN_GROUP, version_of(API_JOIN_GROUP, m->era), join_make(m));
}

// join_begin sends a JoinGroup that will be parked, having got an id first where its version wants that.
static inline void join_begin(struct member *m)
{
    if (m->id.len == 0 && m->instance == NULL && m->era >= 4) {
        const struct join_group_response *out = join_call(m);
        assert_int_equal(out->error, ERR_MEMBER_ID_REQUIRED);
        assert_true(out->member_id.len > 0);
        m->id = out->member_id;
    }
    client_send(&m->c, API_JOIN_GROUP, version_of(API_JOIN_GROUP, m->era), join_make(m));
}

static inline const struct join_group_response *join_recv(struct member *m)
{
    return client_recv(&m->c, API_JOIN_GROUP, version_of(API_JOIN_GROUP, m->era), m->c.correlation);
}

static inline const struct join_group_response *join_end(struct member *m)
{
    const struct join_group_response *out = join_recv(m);
    assert_int_equal(out->error, ERR_OK);
    m->id = out->member_id;
    m->generation = out->generation_id;
    m->is_leader = str_equal(out->leader, out->member_id);
    return out;
}

static inline const struct join_group_response *join(struct member *m)
{
    join_begin(m);
    return join_end(m);
}

// sync_make assigns `assignment` to each of the others.
static inline struct sync_group_request *sync_make(struct member *m, struct member *const *others,
                                                   int32_t count, const char *assignment)
{
    struct sync_group_request *in = client_new(&m->c, sync_group_request, 1);
    in->group_id = str_from_c(m->group);
    in->generation_id = m->generation;
    in->member_id = m->id;
    in->group_instance_id = str_or_null(m->instance);
    in->protocol_type = STR("consumer");
    in->protocol_name = str_from_c(m->protocol == NULL ? "range" : m->protocol);
    in->assignments = client_new(&m->c, sync_group_request_assignment, (size_t)count + 1);
    in->assignments_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->assignments[i].member_id = others[i]->id;
        in->assignments[i].assignment = bytes_of(assignment, strlen(assignment));
    }
    return in;
}

static inline void sync_send(struct member *m, struct member *const *others, int32_t count,
                             const char *assignment)
{
    client_send(&m->c, API_SYNC_GROUP, version_of(API_SYNC_GROUP, m->era),
                sync_make(m, others, count, assignment));
}

static inline const struct sync_group_response *sync_recv(struct member *m)
{
    return client_recv(&m->c, API_SYNC_GROUP, version_of(API_SYNC_GROUP, m->era), m->c.correlation);
}

// sync_alone: of a group of one.
static inline void sync_alone(struct member *m, const char *assignment)
{
    sync_send(m, &m, 1, assignment);
    const struct sync_group_response *out = sync_recv(m);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->assignment.len, strlen(assignment));
}

static inline enum err heartbeat(struct member *m)
{
    struct heartbeat_request *in = client_new(&m->c, heartbeat_request, 1);
    in->group_id = str_from_c(m->group);
    in->generation_id = m->generation;
    in->member_id = m->id;
    in->group_instance_id = str_or_null(m->instance);
    const struct heartbeat_response *out =
        client_call(&m->c, API_HEARTBEAT, version_of(API_HEARTBEAT, m->era), in);
    return out->error;
}

static inline enum err leave_as(struct member *m, struct str id, const char *instance)
{
    struct leave_group_request *in = client_new(&m->c, leave_group_request, 1);
    struct leave_group_request_member *member = client_new(&m->c, leave_group_request_member, 1);
    in->group_id = str_from_c(m->group);
    in->member_id = id;
    in->members = member;
    in->members_count = 1;
    member->member_id = id;
    member->group_instance_id = str_or_null(instance);
    const struct leave_group_response *out =
        client_call(&m->c, API_LEAVE_GROUP, version_of(API_LEAVE_GROUP, m->era), in);
    if (m->era < 3 || out->error != ERR_OK) {
        return out->error;
    }
    assert_int_equal(out->members_count, 1);
    assert_true(str_equal(out->members[0].member_id, id));
    return out->members[0].error;
}

static inline enum err leave(struct member *m)
{
    return leave_as(m, m->id, m->instance);
}

static inline const struct describe_groups_response_group *describe(struct client *c, int16_t era,
                                                                    const char *group)
{
    struct describe_groups_request *in = client_new(c, describe_groups_request, 1);
    struct str id = str_from_c(group);
    in->groups = &id;
    in->groups_count = 1;
    in->include_authorized_operations = true;
    const struct describe_groups_response *out =
        client_call(c, API_DESCRIBE_GROUPS, version_of(API_DESCRIBE_GROUPS, era), in);
    assert_int_equal(out->groups_count, 1);
    assert_true(str_equal(out->groups[0].group_id, id));
    return &out->groups[0];
}

enum { PATIENCE_MS = 120000 };

// until_state and until_members wait for what another connection does. Asked in version 4.
static inline void until_state(struct client *c, const char *group, const char *state)
{
    int64_t end_ms = wall_now_ms() + PATIENCE_MS;
    while (!is(describe(c, 4, group)->group_state, state)) {
        assert_true(wall_now_ms() < end_ms);
    }
}

static inline void until_members(struct client *c, const char *group, int32_t count)
{
    int64_t end_ms = wall_now_ms() + PATIENCE_MS;
    while (describe(c, 4, group)->members_count != count) {
        assert_true(wall_now_ms() < end_ms);
    }
}

// ---- positions

struct commit_ask {
    const char *group;
    const char *topic;
    struct uuid id; // from version 10 on
    int32_t partition;
    int64_t offset;
    int32_t generation_plus_1; // 0 = outside a group
    struct str member_id;
    const char *instance;
    const char *metadata;
};

static inline enum err commit(struct client *c, int16_t era, const struct commit_ask *ask)
{
    struct offset_commit_request *in = client_new(c, offset_commit_request, 1);
    in->group_id = str_from_c(ask->group);
    in->generation_id_or_member_epoch = ask->generation_plus_1 - 1;
    in->member_id = ask->member_id.ptr == NULL ? STR("") : ask->member_id;
    in->group_instance_id = str_or_null(ask->instance);
    in->topics = client_new(c, offset_commit_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(ask->topic);
    in->topics[0].topic_id = ask->id;
    in->topics[0].partitions = client_new(c, offset_commit_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].partition_index = ask->partition;
    in->topics[0].partitions[0].committed_offset = ask->offset;
    in->topics[0].partitions[0].committed_metadata = str_or_null(ask->metadata);
    const struct offset_commit_response *out =
        client_call(c, API_OFFSET_COMMIT, version_of(API_OFFSET_COMMIT, era), in);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions_count, 1);
    assert_int_equal(out->topics[0].partitions[0].partition_index, ask->partition);
    return out->topics[0].partitions[0].error;
}

// commit_of is a commit as a member makes it.
static inline struct commit_ask commit_of(const struct member *m, const char *topic, struct uuid id,
                                          int64_t offset)
{
    return (struct commit_ask){.group = m->group,
                               .topic = topic,
                               .id = id,
                               .offset = offset,
                               .generation_plus_1 = m->generation + 1,
                               .member_id = m->id,
                               .instance = m->instance};
}

struct position {
    int64_t offset;
    int32_t leader_epoch;
    struct str metadata;
    enum err err;
};

// fetch_position asks for one partition, in either shape.
static inline struct position fetch_position(struct client *c, int16_t era, const char *group,
                                             const char *topic, struct uuid id, int32_t partition)
{
    struct offset_fetch_request *in = client_new(c, offset_fetch_request, 1);
    int16_t version = version_of(API_OFFSET_FETCH, era);
    if (version < 8) {
        in->group_id = str_from_c(group);
        in->topics = client_new(c, offset_fetch_request_topic, 1);
        in->topics_count = 1;
        in->topics[0] = (struct offset_fetch_request_topic){str_from_c(topic), &partition, 1};
        const struct offset_fetch_response *out = client_call(c, API_OFFSET_FETCH, version, in);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->topics_count, 1);
        const struct offset_fetch_response_partition *p = &out->topics[0].partitions[0];
        return (struct position){p->committed_offset, p->committed_leader_epoch, p->metadata, p->error};
    }
    in->groups = client_new(c, offset_fetch_request_group, 1);
    in->groups_count = 1;
    in->groups[0].group_id = str_from_c(group);
    in->groups[0].topics = client_new(c, offset_fetch_request_group_topic, 1);
    in->groups[0].topics_count = 1;
    in->groups[0].topics[0] = (struct offset_fetch_request_group_topic){str_from_c(topic), id, &partition, 1};
    const struct offset_fetch_response *out = client_call(c, API_OFFSET_FETCH, version, in);
    assert_int_equal(out->groups_count, 1);
    assert_int_equal(out->groups[0].error, ERR_OK);
    const struct offset_fetch_response_group_topic_partition *p = &out->groups[0].topics[0].partitions[0];
    return (struct position){p->committed_offset, p->committed_leader_epoch, p->metadata, p->error};
}

#endif
