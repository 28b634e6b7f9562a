// SPDX-License-Identifier: Apache-2.0
// member_calls.c - what a member of a classic group does: join (KIP-394: with the id that it is given), sync,
// heartbeat, commit, join again when told to. The leader gives everybody the same assignment: what it says
// is for the members, not for the broker. An error that a member cannot live with ends the program.
#include "members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"

enum {
    ARENA_MAX = 256 << 20,
    COORDINATOR_TRIES_MAX = 3000,
    COORDINATOR_PAUSE_US = 10000,
    REBALANCE_TIMEOUT_MS = 60000,
};
static const int64_t RETRY_NS = 100000000;

static const struct {
    int16_t key;
    int16_t version;
} calls[] = {
    [ASK_GREETING] = {API_API_VERSIONS, 3}, [ASK_JOIN] = {API_JOIN_GROUP, 7},
    [ASK_SYNC] = {API_SYNC_GROUP, 5},       [ASK_HEARTBEAT] = {API_HEARTBEAT, 4},
    [ASK_COMMIT] = {API_OFFSET_COMMIT, 8},  [ASK_LEAVE] = {API_LEAVE_GROUP, 4},
    [ASK_LIST] = {API_LIST_GROUPS, 4},      [ASK_DESCRIBE] = {API_DESCRIBE_GROUPS, 5},
};
#define TOPIC STR("bench-groups")

// ---- shared

static void consumer_metadata(struct buf *metadata, struct buf *assignment)
{
    buf_init(metadata, 256);
    buf_be16(metadata, 1); // version
    buf_be32(metadata, 1);
    buf_be16(metadata, (uint16_t)TOPIC.len);
    buf_append_str(metadata, TOPIC);
    buf_be32(metadata, UINT32_MAX); // no user data
    buf_be32(metadata, 0);          // no partitions owned
    buf_init(assignment, 256);
    buf_be16(assignment, 1);
    buf_be32(assignment, 1);
    buf_be16(assignment, (uint16_t)TOPIC.len);
    buf_append_str(assignment, TOPIC);
    buf_be32(assignment, 1);
    buf_be32(assignment, 0); // partition 0
    buf_be32(assignment, UINT32_MAX);
}

static struct str group_name(int group)
{
    return arena_printf(&crowd.arena, "%s-%05d", crowd.name, group);
}

void crowd_prepare(void)
{
    arena_init(&crowd.arena, ARENA_MAX);
    buf_init(&crowd.out, CALL_MESSAGE_MAX);
    consumer_metadata(&crowd.metadata, &crowd.assignment);
    int fd = bench_connect(crowd.port, crowd.congestion);
    (void)topic_create(fd, TOPIC, crowd.offsets, NULL);
    struct buf in;
    buf_init(&in, CALL_MESSAGE_MAX);
    for (int i = 0;; i++) { // Apache Kafka makes its topic of offsets when it is first asked
        arena_reset(&crowd.arena);
        struct str key = group_name(0);
        struct find_coordinator_request request;
        struct find_coordinator_response answer;
        wire_init(&find_coordinator_request_type, &request);
        request.coordinator_keys = &key;
        request.coordinator_keys_count = 1;
        call(fd, API_FIND_COORDINATOR, 4, &request, &answer, &in, &crowd.arena);
        if (answer.coordinators_count == 1 && answer.coordinators[0].error == ERR_OK) {
            break;
        }
        if (i == COORDINATOR_TRIES_MAX) {
            bench_die(0, "no coordinator");
        }
        usleep(COORDINATOR_PAUSE_US);
    }
    buf_fini(&in);
    close(fd);
}

// ---- requests

static struct str member_id(const struct member *m)
{
    return (struct str){m->id, m->id_len};
}

static void *join_request(const struct member *m)
{
    struct join_group_request *r = wire_array(&crowd.arena, join_group_request, 1);
    struct join_group_request_protocol *protocols = wire_array(&crowd.arena, join_group_request_protocol, 2);
    protocols[0].name = STR("range");
    protocols[1].name = STR("cooperative-sticky");
    protocols[0].metadata = protocols[1].metadata = buf_bytes(&crowd.metadata);
    r->group_id = group_name(m->group);
    r->session_timeout_ms = (int32_t)crowd.session_ms;
    r->rebalance_timeout_ms = REBALANCE_TIMEOUT_MS;
    r->member_id = member_id(m);
    r->protocol_type = STR("consumer");
    r->protocols = protocols;
    r->protocols_count = 2;
    return r;
}

static void *sync_request(const struct member *m, const struct join_group_response *joined)
{
    struct sync_group_request *r = wire_array(&crowd.arena, sync_group_request, 1);
    r->group_id = group_name(m->group);
    r->generation_id = m->generation;
    r->member_id = member_id(m);
    r->protocol_type = STR("consumer");
    r->protocol_name = joined->protocol_name;
    r->assignments_count = joined->members_count;
    r->assignments =
        wire_array(&crowd.arena, sync_group_request_assignment, (size_t)joined->members_count + 1);
    for (int32_t i = 0; i < joined->members_count; i++) {
        r->assignments[i].member_id = joined->members[i].member_id;
        r->assignments[i].assignment = buf_bytes(&crowd.assignment);
    }
    return r;
}

static void *heartbeat_request(const struct member *m)
{
    struct heartbeat_request *r = wire_array(&crowd.arena, heartbeat_request, 1);
    r->group_id = group_name(m->group);
    r->generation_id = m->generation;
    r->member_id = member_id(m);
    return r;
}

static void *commit_request(const struct member *m)
{
    struct offset_commit_request *r = wire_array(&crowd.arena, offset_commit_request, 1);
    r->group_id = group_name(m->group);
    r->generation_id_or_member_epoch = m->generation;
    r->member_id = member_id(m);
    r->topics = wire_array(&crowd.arena, offset_commit_request_topic, 1);
    r->topics_count = 1;
    r->topics->name = TOPIC;
    r->topics->partitions_count = crowd.offsets;
    r->topics->partitions = wire_array(&crowd.arena, offset_commit_request_partition, (size_t)crowd.offsets);
    for (int32_t i = 0; i < crowd.offsets; i++) {
        r->topics->partitions[i].partition_index = i;
        r->topics->partitions[i].committed_offset = (int64_t)crowd.answers;
        r->topics->partitions[i].committed_metadata = STR("");
    }
    return r;
}

static void *leave_request(const struct member *m)
{
    struct leave_group_request *r = wire_array(&crowd.arena, leave_group_request, 1);
    r->group_id = group_name(m->group);
    r->members = wire_array(&crowd.arena, leave_group_request_member, 1);
    r->members_count = 1;
    r->members->member_id = member_id(m);
    return r;
}

static void *describe_request(const struct member *m)
{
    struct describe_groups_request *r = wire_array(&crowd.arena, describe_groups_request, 1);
    r->groups = arena_new(&crowd.arena, struct str, 1);
    r->groups[0] = group_name((int)((crowd.answers + (uint64_t)m->group) % (uint64_t)crowd.groups));
    r->groups_count = 1;
    return r;
}

static void send_request(struct member *m, enum ask ask, const void *request)
{
    if (crowd.arena.failed) {
        bench_die(0, "a request does not fit into memory");
    }
    buf_reset(&crowd.out);
    call_encode(&crowd.out, calls[ask].key, calls[ask].version, request, NULL);
    heap_remove(&crowd.due, &m->due);
    m->asked = ask;
    m->asked_ns = bench_now_ns();
    if (ask == ASK_JOIN) {
        m->is_stable = false;
        crowd.joins++;
        crowd.joined_ns = m->asked_ns;
    }
    call_send(m->fd, buf_bytes(&crowd.out));
}

void member_ask(struct member *m, enum ask ask)
{
    arena_reset(&crowd.arena);
    struct api_versions_request greeting;
    struct list_groups_request list;
    void *request = NULL;
    switch (ask) {
    case ASK_GREETING:
        wire_init(&api_versions_request_type, &greeting);
        greeting.client_software_name = STR("bench");
        greeting.client_software_version = STR("1");
        request = &greeting;
        break;
    case ASK_LIST:
        wire_init(&list_groups_request_type, &list);
        request = &list;
        break;
    case ASK_JOIN:
        request = join_request(m);
        break;
    case ASK_HEARTBEAT:
        request = heartbeat_request(m);
        break;
    case ASK_COMMIT:
        request = commit_request(m);
        break;
    case ASK_LEAVE:
        request = leave_request(m);
        break;
    case ASK_DESCRIBE:
        request = describe_request(m);
        break;
    default:
        bench_die(0, "nobody asks %d", (int)ask);
    }
    send_request(m, ask, request);
}

// ---- what comes next

void member_settle(struct member *m)
{
    crowd.waiting -= m->must_settle;
    m->must_settle = false;
    crowd.settled_ns = bench_now_ns();
}

void member_unsettle(struct member *m)
{
    crowd.waiting += !m->must_settle;
    m->must_settle = true;
}

static void due_in(struct member *m, int64_t delay_ns)
{
    heap_remove(&crowd.due, &m->due);
    heap_insert(&crowd.due, &m->due, bench_now_ns() + delay_ns);
}

void member_go_on(struct member *m)
{
    if (m->fd < 0 || m->asked != ASK_NOTHING) {
        return;
    }
    if (m->wanted != ASK_NOTHING) {
        member_ask(m, m->wanted);
    } else if (m->is_stable && m->due.index == 0) {
        due_in(m, crowd.heartbeat_ns);
    }
}

void member_due(struct member *m)
{
    heap_remove(&crowd.due, &m->due);
    if (m->asked == ASK_NOTHING) {
        member_ask(m, m->is_stable ? ASK_HEARTBEAT : ASK_JOIN);
    }
}

static void join_again(struct member *m)
{
    member_unsettle(m);
    member_ask(m, ASK_JOIN);
}

static void unexpected(const struct member *m, enum ask asked, enum err err)
{
    bench_die(0, "member %d: %s was answered with: %s", m->index, wire_api_find(calls[asked].key)->name,
              err_text(err));
}

static void joined(struct member *m, const struct join_group_response *in)
{
    if (in->member_id.len > sizeof m->id) {
        bench_die(0, "a member id of %zu bytes", in->member_id.len);
    }
    switch (in->error) {
    case ERR_OK:
        memcpy(m->id, in->member_id.ptr, in->member_id.len);
        m->id_len = in->member_id.len;
        m->generation = in->generation_id;
        m->is_leader = str_equal(in->leader, in->member_id);
        m->wanted = ASK_NOTHING;
        send_request(m, ASK_SYNC, sync_request(m, in));
        break;
    case ERR_MEMBER_ID_REQUIRED:
        memcpy(m->id, in->member_id.ptr, in->member_id.len);
        m->id_len = in->member_id.len;
        join_again(m);
        break;
    case ERR_UNKNOWN_MEMBER_ID:
        m->id_len = 0;
        join_again(m);
        break;
    case ERR_REBALANCE_IN_PROGRESS:
    case ERR_COORDINATOR_LOADING:
    case ERR_COORDINATOR_NOT_AVAILABLE:
    case ERR_NOT_COORDINATOR:
        due_in(m, RETRY_NS);
        break;
    default:
        unexpected(m, ASK_JOIN, in->error);
    }
}

static void synced(struct member *m, enum err err)
{
    if (err == ERR_REBALANCE_IN_PROGRESS || err == ERR_COORDINATOR_NOT_AVAILABLE) {
        join_again(m);
        return;
    }
    if (err != ERR_OK) {
        unexpected(m, ASK_SYNC, err);
    }
    m->is_stable = true;
    member_settle(m);
    // Clients are not in step: the first heartbeat comes at any time within the interval.
    crowd.random = crowd.random * 1664525 + 1013904223;
    due_in(m, crowd.heartbeat_ns * (crowd.random >> 16) >> 16);
    member_go_on(m);
}

static void left(struct member *m, const struct leave_group_response *in)
{
    enum err err = in->error == ERR_OK && in->members_count == 1 ? in->members->error : in->error;
    if (err != ERR_OK) {
        unexpected(m, ASK_LEAVE, err);
    }
    close(m->fd);
    m->fd = -1;
    m->is_stable = false;
    member_settle(m);
}

// measured ends one request of a command that measures, and of a heartbeat.
static void measured(struct member *m, enum ask asked, enum err err)
{
    if (err == ERR_REBALANCE_IN_PROGRESS && asked == ASK_HEARTBEAT) {
        join_again(m);
        return;
    }
    if (err != ERR_OK) {
        unexpected(m, asked, err);
    }
    int64_t now_ns = bench_now_ns();
    crowd.answers++;
    histogram_add(&crowd.histogram, now_ns - m->asked_ns);
    if (asked == m->wanted && now_ns >= crowd.until_ns) {
        m->wanted = ASK_NOTHING;
        member_settle(m);
    }
    member_go_on(m);
}

static enum err commit_error(const struct offset_commit_response *in)
{
    enum err err =
        in->topics_count == 1 && in->topics->partitions_count == crowd.offsets ? ERR_OK : ERR_MALFORMED;
    for (int32_t i = 0; err == ERR_OK && i < crowd.offsets; i++) {
        err = in->topics->partitions[i].error;
    }
    return err;
}

static enum err describe_error(const struct describe_groups_response *in)
{
    return in->groups_count == 1 ? in->groups->error : ERR_MALFORMED;
}

static enum err list_error(const struct list_groups_response *in)
{
    return in->error == ERR_OK && in->groups_count < crowd.groups ? ERR_MALFORMED : in->error;
}

void member_answered(struct member *m, struct bytes answer)
{
    union {
        struct api_versions_response greeting;
        struct join_group_response join;
        struct sync_group_response sync;
        struct heartbeat_response heartbeat;
        struct offset_commit_response commit;
        struct leave_group_response leave;
        struct list_groups_response list;
        struct describe_groups_response describe;
    } in;
    arena_reset(&crowd.arena);
    enum ask asked = m->asked;
    call_decode(calls[asked].key, calls[asked].version, answer, &crowd.arena, &in);
    m->asked = ASK_NOTHING;
    switch (asked) {
    case ASK_JOIN:
        joined(m, &in.join);
        break;
    case ASK_SYNC:
        synced(m, in.sync.error);
        break;
    case ASK_LEAVE:
        left(m, &in.leave);
        break;
    case ASK_GREETING:
        measured(m, asked, in.greeting.error);
        break;
    case ASK_HEARTBEAT:
        measured(m, asked, in.heartbeat.error);
        break;
    case ASK_COMMIT:
        measured(m, asked, commit_error(&in.commit));
        break;
    case ASK_LIST:
        measured(m, asked, list_error(&in.list));
        break;
    case ASK_DESCRIBE:
        measured(m, asked, describe_error(&in.describe));
        break;
    default:
        bench_die(0, "member %d: an answer to nothing", m->index);
    }
}
