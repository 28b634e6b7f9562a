// SPDX-License-Identifier: Apache-2.0
// group_calls.c - what a member asks its coordinator, and what the answers tell the history.
#include "group.h"

#include <stdio.h>

#include "base/assert.h"

enum {
    CALL_MS = 5000,
    COMMIT_VERSION = 9,
    FETCH_VERSION = 7,
    STATIC_JOIN_VERSION = 5, // KIP-345
};
#define MS         1000000LL
#define CHURN_NAME "churn-0"

static struct str text_or_null(const char *text)
{
    return text[0] == '\0' ? (struct str){NULL, 0} : str_from_c(text);
}

struct group_who member_who(const struct member *m)
{
    return (struct group_who){m->index, m->life, m->instance[0] != '\0'};
}

static void life_new(struct member *m)
{
    m->id[0] = '\0';
    m->generation = -1;
    m->life++;
}

// ---- what the leader hands out: a number of its call, a bit for each kept partition, the others by index

struct share {
    int64_t nonce;
    bool owns[GROUP_PARTITIONS];
    bool owns_churn[CHURN_PARTITIONS_MAX];
};

static struct bytes share_encode(const struct share *share, struct arena *arena)
{
    uint8_t *out = arena_alloc(arena, 8 + GROUP_PARTITIONS + CHURN_PARTITIONS_MAX);
    ASSERT(out != NULL);
    store_be64(out, (uint64_t)share->nonce);
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        out[8 + i] = share->owns[i];
    }
    for (int i = 0; i < CHURN_PARTITIONS_MAX; i++) {
        out[8 + GROUP_PARTITIONS + i] = share->owns_churn[i];
    }
    return bytes_of(out, 8 + GROUP_PARTITIONS + CHURN_PARTITIONS_MAX);
}

static bool share_decode(struct bytes bytes, struct share *ret)
{
    *ret = (struct share){0};
    if (bytes.len == 0) {
        return true; // the leader left this member out
    }
    if (bytes.len != 8 + GROUP_PARTITIONS + CHURN_PARTITIONS_MAX) {
        return false;
    }
    ret->nonce = (int64_t)load_be64(bytes.ptr);
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        ret->owns[i] = bytes.ptr[8 + i] != 0;
    }
    for (int i = 0; i < CHURN_PARTITIONS_MAX; i++) {
        ret->owns_churn[i] = bytes.ptr[8 + GROUP_PARTITIONS + i] != 0;
    }
    return true;
}

// A subscription of the consumer protocol, version 0.
static struct bytes subscription(const struct member *m, struct buf *out)
{
    buf_be16(out, 0);
    buf_be32(out, m->has_churn ? 4 : 3);
    for (int i = 0; i < (m->has_churn ? 4 : 3); i++) {
        struct str name = i < 3 ? str_from_c(topic_plans[i].name) : STR(CHURN_NAME);
        buf_be16(out, (uint16_t)name.len);
        buf_append_str(out, name);
    }
    buf_be32(out, UINT32_MAX);
    return buf_bytes(out);
}

// ---- JoinGroup and SyncGroup

// assign gives each partition to somebody, another one each time.
static void assign(struct member *m, const struct join_group_response *r, struct arena *arena,
                   struct sync_group_request *request)
{
    uint32_t count = (uint32_t)r->members_count;
    struct share *shares = arena_new(arena, struct share, count);
    request->assignments = wire_array(arena, sync_group_request_assignment, count);
    request->assignments_count = (int32_t)count;
    ASSERT(shares != NULL && request->assignments != NULL);
    int64_t nonce = (int64_t)(1 + sim_rand(m->s->world, INT64_MAX - 1));
    uint64_t first = sim_rand(m->s->world, count);
    for (uint32_t i = 0; i < GROUP_PARTITIONS; i++) {
        shares[(first + i) % count].owns[i] = true;
    }
    for (uint32_t i = 0; i < (uint32_t)m->churn_count; i++) {
        shares[(first + i) % count].owns_churn[i] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        shares[i].nonce = nonce;
        request->assignments[i].member_id = arena_str(arena, r->members[i].member_id);
        request->assignments[i].assignment = share_encode(&shares[i], arena);
    }
}

static bool sync_group(struct member *m, struct sync_group_request *request)
{
    bool is_new = m->join_version >= STATIC_JOIN_VERSION;
    int16_t version = !is_new ? 1 : sim_chance(m->s->world, 500) ? 3 : 5;
    request->group_id = GROUP_NAME;
    request->generation_id = m->generation;
    request->member_id = str_from_c(m->id);
    request->group_instance_id = version >= 3 ? text_or_null(m->instance) : (struct str){NULL, 0};
    const struct sync_group_response *r = client_call(&m->coordinator, API_SYNC_GROUP, version, request,
                                                      (m->s->rebalance_ms * 2 + CALL_MS) * MS);
    int32_t generation = m->generation;
    m->generation = -1;
    if (r == NULL) {
        return false;
    }
    if (r->error == ERR_UNKNOWN_MEMBER_ID || r->error == ERR_FENCED_INSTANCE_ID) {
        life_new(m);
    }
    struct share share;
    if (r->error != ERR_OK || !share_decode(r->assignment, &share)) {
        return false;
    }
    m->generation = generation;
    memset(m->owns, 0, sizeof m->owns);
    memcpy(m->owns, share.owns, sizeof share.owns);
    memcpy(m->owns_churn, share.owns_churn, sizeof share.owns_churn);
    group_assigned(m->history, member_who(m), generation, share.nonce, share.owns);
    scenario_say(m->s, "member %d.%d is in generation %d%s", m->index, m->life, generation,
                 m->is_leader ? " and leads" : "");
    chaos_after_answer(m->s);
    return true;
}

static bool take_joined(struct member *m, const struct join_group_response *r, struct arena *arena,
                        struct sync_group_request *request)
{
    switch (r->error) {
    case ERR_OK:
        break;
    case ERR_MEMBER_ID_REQUIRED:
        snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(r->member_id));
        return false;
    case ERR_UNKNOWN_MEMBER_ID:
    case ERR_FENCED_INSTANCE_ID:
        life_new(m);
        return false;
    case ERR_INVALID_GROUP_ID:
    case ERR_INVALID_SESSION_TIMEOUT:
    case ERR_INCONSISTENT_GROUP_PROTOCOL:
        checker_fail(m->s->checker, "JoinGroup was answered %s", err_name(r->error));
        return false;
    default:
        return false; // the coordinator moves, stops or cannot write
    }
    snprintf(m->id, sizeof m->id, STR_FMT, STR_ARG(r->member_id));
    m->generation = r->generation_id;
    m->is_leader = str_equal(r->leader, r->member_id) && !r->skip_assignment;
    group_joined(m->history);
    if (m->is_leader && r->members_count == 0) {
        checker_fail(m->s->checker, "I10: the leader of generation %d was shown no member", r->generation_id);
        return false;
    }
    if (m->is_leader) {
        assign(m, r, arena, request);
    }
    return true;
}

bool member_call_join(struct member *m)
{
    struct arena arena;
    struct buf metadata;
    arena_init(&arena, 1 << 20);
    buf_init(&metadata, 1 << 10);
    m->churn_count = m->has_churn ? group_churn_count(&m->coordinator) : 0;
    struct join_group_request *request = wire_new(&arena, &join_group_request_type, 1);
    request->group_id = GROUP_NAME;
    request->session_timeout_ms = m->s->session_ms;
    request->rebalance_timeout_ms = m->s->rebalance_ms;
    request->member_id = str_from_c(m->id);
    request->group_instance_id = text_or_null(m->instance);
    request->protocol_type = STR("consumer");
    request->protocols = wire_array(&arena, join_group_request_protocol, 1);
    request->protocols_count = 1;
    request->protocols[0].name = STR("range");
    request->protocols[0].metadata = subscription(m, &metadata);
    const struct join_group_response *r = client_call(&m->coordinator, API_JOIN_GROUP, m->join_version,
                                                      request, (m->s->rebalance_ms * 2 + CALL_MS) * MS);
    struct sync_group_request *sync = wire_new(&arena, &sync_group_request_type, 1);
    bool is_in = r != NULL && take_joined(m, r, &arena, sync) && sync_group(m, sync);
    arena_fini(&arena);
    buf_fini(&metadata);
    return is_in;
}

// ---- Heartbeat and LeaveGroup

enum err member_call_heartbeat(struct member *m, const char *id, int32_t generation)
{
    struct heartbeat_request request;
    wire_init(&heartbeat_request_type, &request);
    request.group_id = GROUP_NAME;
    request.generation_id = generation;
    request.member_id = str_from_c(id);
    request.group_instance_id = text_or_null(m->instance);
    const struct heartbeat_response *r =
        client_call(&m->coordinator, API_HEARTBEAT, 3, &request, CALL_MS * MS);
    return r == NULL ? ERR_CLOSED : r->error;
}

enum err member_call_leave(struct member *m)
{
    struct leave_group_request request;
    struct leave_group_request_member who;
    wire_init(&leave_group_request_type, &request);
    wire_init(&leave_group_request_member_type, &who);
    request.group_id = GROUP_NAME;
    request.members = &who;
    request.members_count = 1;
    who.member_id = str_from_c(m->id);
    who.group_instance_id = text_or_null(m->instance);
    const struct leave_group_response *r =
        client_call(&m->coordinator, API_LEAVE_GROUP, 3, &request, CALL_MS * MS);
    return r == NULL || (r->error == ERR_OK && r->members_count != 1) ? ERR_CLOSED
           : r->error != ERR_OK                                       ? r->error
                                                                      : r->members[0].error;
}

// ---- OffsetCommit

static void commit_add(struct member *m, struct arena *arena, struct offset_commit_request *request,
                       struct str topic, int32_t index, int64_t offset)
{
    struct offset_commit_request_topic *last =
        request->topics_count == 0 ? NULL : &request->topics[request->topics_count - 1];
    if (last == NULL || !str_equal(last->name, topic)) {
        last = &request->topics[request->topics_count++];
        last->name = topic;
        last->partitions = wire_array(arena, offset_commit_request_partition, CHURN_PARTITIONS_MAX);
        ASSERT(last->partitions != NULL);
    }
    struct offset_commit_request_partition *p = &last->partitions[last->partitions_count++];
    p->partition_index = index;
    p->committed_offset = offset;
    p->committed_leader_epoch = (int32_t)sim_rand(m->s->world, 2) - 1;
    p->committed_metadata = sim_chance(m->s->world, 300) ? STR("by hand") : STR("");
}

static struct offset_commit_request *commit_new(struct member *m, struct arena *arena, const char *id,
                                                int32_t generation)
{
    struct offset_commit_request *request = wire_new(arena, &offset_commit_request_type, 1);
    request->group_id = GROUP_NAME;
    request->generation_id_or_member_epoch = generation;
    request->member_id = str_from_c(id);
    request->group_instance_id = text_or_null(m->instance);
    request->topics = wire_array(arena, offset_commit_request_topic, TOPICS + 1);
    ASSERT(request->topics != NULL);
    return request;
}

// commit_taken tells the history of each partition that was answered; the worst error.
static enum err commit_taken(struct member *m, const struct offset_commit_response *r, const int64_t *offsets,
                             int64_t sent_ns)
{
    enum err worst = ERR_OK;
    for (int32_t t = 0; t < r->topics_count; t++) {
        for (int32_t i = 0; i < r->topics[t].partitions_count; i++) {
            const struct offset_commit_response_partition *p = &r->topics[t].partitions[i];
            int partition = topic_partition_number(r->topics[t].name, p->partition_index);
            if (partition < 0) {
                continue; // of a topic that comes and goes
            }
            if (p->error == ERR_OK) {
                group_commit_acked(m->history, member_who(m), partition, offsets[partition], sent_ns);
                m->committed[partition] = offsets[partition];
            }
            worst = p->error != ERR_OK ? p->error : worst;
        }
    }
    return worst;
}

enum err member_call_commit(struct member *m)
{
    struct arena arena;
    arena_init(&arena, 1 << 18);
    struct offset_commit_request *request = commit_new(m, &arena, m->id, m->generation);
    int64_t offsets[PARTITIONS];
    memcpy(offsets, m->consumer->position, sizeof offsets);
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        const struct topic_plan *topic = topic_plan_of(i);
        if (m->owns[i] && offsets[i] != m->committed[i]) {
            commit_add(m, &arena, request, str_from_c(topic->name), i - topic->first, offsets[i]);
            group_commit_sent(m->history, i, offsets[i]);
        }
    }
    for (int i = 0; i < CHURN_PARTITIONS_MAX && sim_chance(m->s->world, 300); i++) {
        if (m->owns_churn[i]) {
            commit_add(m, &arena, request, STR(CHURN_NAME), i, 0);
        }
    }
    enum err err = ERR_OK;
    if (request->topics_count > 0) {
        int64_t sent_ns = sim_world_now_ns(m->s->world);
        const struct offset_commit_response *r =
            client_call(&m->coordinator, API_OFFSET_COMMIT, COMMIT_VERSION, request, CALL_MS * MS);
        err = r == NULL ? ERR_CLOSED : commit_taken(m, r, offsets, sent_ns);
        chaos_after_answer(m->s);
    }
    arena_fini(&arena);
    return err;
}

enum err member_call_commit_as(struct member *m, const char *id, int32_t generation, int partition,
                               int64_t offset)
{
    struct arena arena;
    arena_init(&arena, 1 << 18);
    struct offset_commit_request *request = commit_new(m, &arena, id, generation);
    const struct topic_plan *topic = topic_plan_of(partition);
    commit_add(m, &arena, request, str_from_c(topic->name), partition - topic->first, offset);
    const struct offset_commit_response *r =
        client_call(&m->coordinator, API_OFFSET_COMMIT, COMMIT_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    bool is_answered = r != NULL && r->topics_count == 1 && r->topics[0].partitions_count == 1;
    return is_answered ? r->topics[0].partitions[0].error : ERR_CLOSED;
}

// ---- looking

bool group_offsets(struct scenario *s, struct client *c, const bool wanted[GROUP_PARTITIONS],
                   int64_t ret_offsets[GROUP_PARTITIONS])
{
    struct arena arena;
    arena_init(&arena, 1 << 18);
    struct offset_fetch_request *request = wire_new(&arena, &offset_fetch_request_type, 1);
    request->group_id = GROUP_NAME;
    request->topics = wire_array(&arena, offset_fetch_request_topic, TOPICS);
    for (int i = 0; i < GROUP_PARTITIONS; i++) {
        const struct topic_plan *plan = topic_plan_of(i);
        struct offset_fetch_request_topic *topic = &request->topics[plan - topic_plans];
        request->topics_count = (int32_t)(plan - topic_plans) + 1;
        topic->name = str_from_c(plan->name);
        topic->partition_indexes = topic->partition_indexes != NULL
                                       ? topic->partition_indexes
                                       : arena_new(&arena, int32_t, PARTITIONS_PER_TOPIC_MAX);
        if (wanted[i]) {
            topic->partition_indexes[topic->partition_indexes_count++] = i - plan->first;
        }
        ret_offsets[i] = -1;
    }
    int64_t asked_ns = sim_world_now_ns(s->world);
    const struct offset_fetch_response *r =
        client_call(c, API_OFFSET_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    for (int32_t t = 0; r != NULL && t < r->topics_count; t++) {
        for (int32_t i = 0; i < r->topics[t].partitions_count; i++) {
            const struct offset_fetch_response_partition *p = &r->topics[t].partitions[i];
            int partition = topic_partition_number(r->topics[t].name, p->partition_index);
            if (p->error != ERR_OK || partition < 0 || partition >= GROUP_PARTITIONS) {
                return false;
            }
            group_fetched(s->group, partition, p->committed_offset, asked_ns);
            ret_offsets[partition] = p->committed_offset;
        }
    }
    return r != NULL && r->error == ERR_OK;
}

bool group_describe(struct client *c, char ret_state[32], int32_t *ret_members)
{
    struct describe_groups_request request;
    wire_init(&describe_groups_request_type, &request);
    struct str names[1] = {GROUP_NAME};
    request.groups = names;
    request.groups_count = 1;
    const struct describe_groups_response *r = client_call(c, API_DESCRIBE_GROUPS, 4, &request, CALL_MS * MS);
    if (r == NULL || r->groups_count != 1 || r->groups[0].error != ERR_OK) {
        return false;
    }
    snprintf(ret_state, 32, STR_FMT, STR_ARG(r->groups[0].group_state));
    *ret_members = r->groups[0].members_count;
    return true;
}

int32_t group_churn_count(struct client *c)
{
    struct metadata_request request;
    struct metadata_request_topic topic;
    wire_init(&metadata_request_type, &request);
    wire_init(&metadata_request_topic_type, &topic);
    topic.name = STR(CHURN_NAME);
    request.topics = &topic;
    request.topics_count = 1;
    request.allow_auto_topic_creation = false;
    const struct metadata_response *r = client_call(c, API_METADATA, 8, &request, CALL_MS * MS);
    int32_t count = r == NULL || r->topics_count != 1 ? 0 : r->topics[0].partitions_count;
    return count > CHURN_PARTITIONS_MAX ? CHURN_PARTITIONS_MAX : count;
}
