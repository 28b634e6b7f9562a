// SPDX-License-Identifier: Apache-2.0
// membership_join.c - JoinGroup, as leader the assignment, SyncGroup; again while the group is still moving.
#include "cli/membership_private.h"

#include <stdlib.h>

enum {
    PROTOCOL_BYTES_MAX = 64 << 20,
    JOIN_GRACE_MS = 10000, // a coordinator answers that much after the rebalance timeout, at most
};

static const char PROTOCOL_NAME[] = "range";

const char *membership_hint(enum err err)
{
    switch ((int)err) {
    case ERR_INCONSISTENT_GROUP_PROTOCOL:
        return "its members do not offer the assignor \"range\", or are no consumers: `strom group describe` "
               "shows "
               "what they use";
    case ERR_FENCED_INSTANCE_ID:
        return "another consumer with this --instance-id took over";
    case ERR_INVALID_SESSION_TIMEOUT:
        return "--session-timeout-ms must be within the broker's group.min.session.timeout.ms and "
               "group.max.session.timeout.ms";
    case ERR_GROUP_MAX_SIZE_REACHED:
        return "the broker's group.max.size is reached";
    case ERR_UNSUPPORTED_VERSION:
        return "does this broker have consumer groups? `strom cluster --apis` lists what it speaks";
    default:
        return NULL;
    }
}

static enum err id_take(struct membership *m, struct str id, struct error *e)
{
    if (id.len >= sizeof m->id || (id.len > 0 && memchr(id.ptr, '\0', id.len) != NULL)) {
        return FAIL(e, ERR_MALFORMED, "the coordinator gave a member id of %zu bytes", id.len);
    }
    mutex_lock(&m->mutex);
    memcpy(m->id, id.ptr, id.len);
    m->id[id.len] = '\0';
    mutex_unlock(&m->mutex);
    return ERR_OK;
}

static void id_forget(struct membership *m)
{
    mutex_lock(&m->mutex);
    m->id[0] = '\0';
    mutex_unlock(&m->mutex);
}

// ---- as leader

static int compare_names(const void *a, const void *b)
{
    const struct str *left = a;
    const struct str *right = b;
    return str_compare(*left, *right);
}

// topics_collect lists every topic that some member subscribed to, each once, in order.
static size_t topics_collect(const struct range_member *members, size_t member_count, struct str *ret_names)
{
    size_t count = 0;
    for (size_t m = 0; m < member_count; m++) {
        for (size_t t = 0; t < members[m].subscribed_count; t++) {
            ret_names[count++] = members[m].subscribed[t];
        }
    }
    if (count > 1) {
        qsort(ret_names, count, sizeof *ret_names, compare_names);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !str_equal(ret_names[kept - 1], ret_names[i])) {
            ret_names[kept++] = ret_names[i];
        }
    }
    return kept;
}

// partitions_ask learns how many partitions topics have; of one that is not there 0.
static enum err partitions_ask(struct membership *m, const struct str *names, size_t count,
                               struct arena *arena, struct range_topic *ret_topics, struct error *e)
{
    struct metadata_request request;
    struct metadata_response response;
    wire_init(&metadata_request_type, &request);
    request.topics = wire_array(arena, metadata_request_topic, count);
    request.allow_auto_topic_creation = false;
    if (request.topics == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "%zu topics", count);
    }
    for (size_t i = 0; i < count; i++) {
        request.topics[request.topics_count++].name = names[i];
        ret_topics[i] = (struct range_topic){names[i], 0};
    }
    struct client *client = m->run->client;
    enum err err = client_is_connected(client) ? ERR_OK : client_connect(client, e);
    err = err == ERR_OK ? client_call(client, API_METADATA, &request, arena, &response, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    for (int32_t r = 0; r < response.topics_count; r++) {
        for (size_t i = 0; i < count; i++) {
            if (response.topics[r].error == ERR_OK && str_equal(response.topics[r].name, names[i])) {
                ret_topics[i].partition_count = response.topics[r].partitions_count;
            }
        }
    }
    return ERR_OK;
}

// watched_keep remembers what the assignment was made by.
static void watched_keep(struct membership *m, const struct range_topic *topics, size_t count)
{
    arena_reset(&m->watched_arena);
    m->watched = arena_new(&m->watched_arena, struct range_topic, count + 1);
    m->watched_count = m->watched == NULL ? 0 : count;
    for (size_t i = 0; i < m->watched_count; i++) {
        m->watched[i] =
            (struct range_topic){arena_str(&m->watched_arena, topics[i].name), topics[i].partition_count};
    }
    m->watch_ns = 0; // soon: a topic may have grown in the meantime
}

bool membership_watch_changed(struct membership *m)
{
    struct arena arena;
    bool has_changed = false;
    arena_init(&arena, MEMBER_ARENA_BYTES);
    struct str *names = arena_new(&arena, struct str, m->watched_count + 1);
    struct range_topic *now = arena_new(&arena, struct range_topic, m->watched_count + 1);
    for (size_t i = 0; i < m->watched_count && names != NULL; i++) {
        names[i] = m->watched[i].name;
    }
    if (names != NULL && now != NULL &&
        partitions_ask(m, names, m->watched_count, &arena, now, NULL) == ERR_OK) {
        for (size_t i = 0; i < m->watched_count; i++) {
            has_changed = has_changed || now[i].partition_count != m->watched[i].partition_count;
        }
    }
    arena_fini(&arena);
    return has_changed;
}

// members_decode reads the subscriptions. A member whose bytes do not parse gets nothing, and a line says so.
static enum err members_decode(const struct join_group_response *in, struct arena *arena,
                               struct range_member *ret, size_t *ret_topic_count, struct error *e)
{
    *ret_topic_count = 0;
    for (int32_t i = 0; i < in->members_count; i++) {
        struct subscription subscription = {0};
        enum err err = subscription_decode(in->members[i].metadata, arena, &subscription, e);
        if (err == ERR_NO_MEMORY) {
            return err;
        }
        if (err != ERR_OK) {
            run_note("strom: member " STR_FMT
                     " of the group sent a subscription that does not parse: it gets "
                     "nothing",
                     STR_ARG(in->members[i].member_id));
        }
        ret[i] = (struct range_member){.id = in->members[i].member_id,
                                       .instance_id = in->members[i].group_instance_id,
                                       .subscribed = subscription.topics,
                                       .subscribed_count = subscription.topic_count};
        *ret_topic_count += subscription.topic_count;
    }
    return ERR_OK;
}

static enum err assign(struct membership *m, const struct join_group_response *in, struct arena *arena,
                       struct sync_group_request *sync, struct error *e)
{
    size_t member_count = (size_t)in->members_count;
    size_t name_count = 0;
    struct range_member *members = arena_new(arena, struct range_member, member_count + 1);
    sync->assignments = wire_array(arena, sync_group_request_assignment, member_count);
    if (members == NULL || sync->assignments == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "a group of %zu members", member_count);
    }
    enum err err = members_decode(in, arena, members, &name_count, e);
    struct str *names = arena_new(arena, struct str, name_count + 1);
    struct range_topic *topics = arena_new(arena, struct range_topic, name_count + 1);
    if (err != ERR_OK || names == NULL || topics == NULL) {
        return err != ERR_OK ? err : FAIL(e, ERR_NO_MEMORY, "%zu subscriptions", name_count);
    }
    size_t topic_count = topics_collect(members, member_count, names);
    err = partitions_ask(m, names, topic_count, arena, topics, e);
    err = err == ERR_OK ? range_assign(members, member_count, topics, topic_count, arena, e) : err;
    for (size_t i = 0; i < member_count && err == ERR_OK; i++) {
        struct buf text;
        buf_init(&text, PROTOCOL_BYTES_MAX);
        assignment_encode(members[i].topics, members[i].topic_count, &text);
        struct str copy = arena_str(arena, buf_str(&text));
        bool is_whole = !text.failed && copy.ptr != NULL;
        buf_fini(&text);
        if (!is_whole) {
            return FAIL(e, ERR_NO_MEMORY, "an assignment of %zu topics", members[i].topic_count);
        }
        sync->assignments[i].member_id = members[i].id;
        sync->assignments[i].assignment = bytes_of(copy.ptr, copy.len);
        sync->assignments_count++;
    }
    if (err == ERR_OK) {
        watched_keep(m, topics, topic_count);
    }
    return err;
}

// ---- the round

static enum err join(struct membership *m, struct arena *arena, struct join_group_response *ret,
                     struct error *e)
{
    struct join_group_request request;
    struct join_group_request_protocol protocol;
    struct buf subscription;
    buf_init(&subscription, PROTOCOL_BYTES_MAX);
    subscription_encode(m->options.topics, m->options.topic_count, &subscription);
    wire_init(&join_group_request_type, &request);
    wire_init(&join_group_request_protocol_type, &protocol);
    protocol.name = STR(PROTOCOL_NAME);
    protocol.metadata = buf_bytes(&subscription);
    request.group_id = m->options.group;
    request.session_timeout_ms = m->options.session_timeout_ms;
    request.rebalance_timeout_ms = m->options.poll_max_ms;
    request.member_id = membership_id(m);
    request.group_instance_id = m->options.instance_id;
    request.protocol_type = STR("consumer");
    request.protocols = &protocol;
    request.protocols_count = 1;
    enum err err = membership_call(m, API_JOIN_GROUP, &request, arena,
                                   (int64_t)m->options.poll_max_ms + JOIN_GRACE_MS, true, ret, e);
    buf_fini(&subscription);
    if (err == ERR_OK && (ret->error == ERR_OK || ret->error == ERR_MEMBER_ID_REQUIRED)) {
        err = id_take(m, ret->member_id, e);
    }
    return err;
}

static enum err sync(struct membership *m, const struct join_group_response *joined, struct arena *arena,
                     struct sync_group_response *ret, struct error *e)
{
    struct sync_group_request request;
    enum err err = ERR_OK;
    wire_init(&sync_group_request_type, &request);
    request.group_id = m->options.group;
    request.generation_id = joined->generation_id;
    request.member_id = membership_id(m);
    request.group_instance_id = m->options.instance_id;
    request.protocol_type = STR("consumer");
    request.protocol_name = STR(PROTOCOL_NAME);
    m->watched_count = 0;
    if (str_equal(joined->leader, membership_id(m)) && !joined->skip_assignment) {
        err = assign(m, joined, arena, &request, e);
    }
    return err == ERR_OK ? membership_call(m, API_SYNC_GROUP, &request, arena,
                                           (int64_t)m->options.poll_max_ms + JOIN_GRACE_MS, true, ret, e)
                         : err;
}

// round_once joins and syncs once. ERR_OK and *ret_refused: the coordinator's own error.
static enum err round_once(struct membership *m, struct arena *arena, struct assignment *ret,
                           enum err *ret_refused, struct error *e)
{
    struct join_group_response joined;
    struct sync_group_response synced;
    enum err err = join(m, arena, &joined, e);
    *ret_refused = err == ERR_OK ? joined.error : ERR_OK;
    if (err != ERR_OK || joined.error != ERR_OK) {
        return err;
    }
    if (joined.protocol_name.len > 0 && !str_equal(joined.protocol_name, STR(PROTOCOL_NAME))) {
        return FAIL(e, ERR_INCONSISTENT_GROUP_PROTOCOL, "the group uses \"" STR_FMT "\"",
                    STR_ARG(joined.protocol_name));
    }
    err = sync(m, &joined, arena, &synced, e);
    *ret_refused = err == ERR_OK ? synced.error : ERR_OK;
    if (err != ERR_OK || synced.error != ERR_OK) {
        return err;
    }
    mutex_lock(&m->mutex);
    m->generation = joined.generation_id;
    m->is_in = true;
    m->wants_join = false;
    m->heartbeat_ns = 0; // at once: the wait may have been long
    mutex_unlock(&m->mutex);
    err = assignment_decode(synced.assignment, arena, ret, e);
    if (err != ERR_OK) {
        error_wrap(e, "the group's leader sent what is no assignment");
    }
    return err;
}

// round_again does what the outcome of a round calls for and says whether to go on with another one.
static bool round_again(struct membership *m, enum err err, enum err broker_err)
{
    if (err == ERR_NETWORK || broker_err == ERR_NOT_COORDINATOR ||
        broker_err == ERR_COORDINATOR_NOT_AVAILABLE) {
        mutex_lock(&m->mutex);
        membership_forget_client(m);
        mutex_unlock(&m->mutex);
    }
    if (broker_err == ERR_UNKNOWN_MEMBER_ID) {
        id_forget(m);
    }
    return err == ERR_OK && (broker_err == ERR_MEMBER_ID_REQUIRED || broker_err == ERR_UNKNOWN_MEMBER_ID ||
                             broker_err == ERR_REBALANCE_IN_PROGRESS || broker_err == ERR_ILLEGAL_GENERATION);
}

enum err membership_join(struct membership *m, struct arena *arena, struct topic_partitions **ret_topics,
                         size_t *ret_count, struct error *e)
{
    enum err broker_err = ERR_OK;
    enum err err = ERR_OK;
    struct assignment assignment = {0};
    mutex_lock(&m->mutex);
    enum err fatal = m->fatal;
    mutex_unlock(&m->mutex);
    if (fatal != ERR_OK) {
        *e = (struct error){.code = fatal};
        return fatal;
    }
    do {
        arena_reset(arena);
        err = membership_use(m, e);
        if (err != ERR_OK) {
            return err;
        }
        err = round_once(m, arena, &assignment, &broker_err, e);
        membership_release(m);
    } while (round_again(m, err, broker_err));
    if (err == ERR_OK && broker_err != ERR_OK) {
        *e = (struct error){.code = broker_err};
        return broker_err;
    }
    *ret_topics = assignment.topics;
    *ret_count = assignment.topic_count;
    return err;
}
