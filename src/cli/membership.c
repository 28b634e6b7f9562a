// SPDX-License-Identifier: Apache-2.0
// membership.c - staying in the group: heartbeats from a thread, commits and leaving from the main thread.
// The client belongs to one of them at a time (m->user), without the mutex, so that nobody holds that while
// waiting for the coordinator. The coordinator expects no heartbeats of who is joining.
#include "cli/membership_private.h"

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/process.h"

enum {
    HEARTBEAT_MAX_MS = 3000, // Kafka's heartbeat.interval.ms
    BLOCKED_EXIT_MS = 3000,
    LEAVE_TIMEOUT_MS = 5000,
    RETRY_MS = 500,
    WATCH_MS = 5000,
};

struct str membership_id(const struct membership *m)
{
    return str_from_c(m->id);
}

void membership_forget_client(struct membership *m)
{
    client_destroy(m->client);
    m->client = NULL;
}

static int64_t now_ns(const struct membership *m)
{
    return clock_mono_ns(m->run->env->clock);
}

static int64_t heartbeat_every_ns(const struct membership *m)
{
    int64_t ms = m->options.session_timeout_ms / 3;
    return (ms < HEARTBEAT_MAX_MS ? ms : HEARTBEAT_MAX_MS) * NS_PER_MS;
}

// ---- what an error does to the membership

static void lose(struct membership *m, enum err err)
{
    m->is_in = false;
    m->wants_join = true;
    if (err == ERR_UNKNOWN_MEMBER_ID) {
        m->id[0] = '\0';
    }
}

// take_err changes the state as an answer to a heartbeat or a commit calls for. The mutex is held.
static void take_err(struct membership *m, enum err err)
{
    switch ((int)err) {
    case ERR_REBALANCE_IN_PROGRESS:
        m->wants_join = true;
        break;
    case ERR_UNKNOWN_MEMBER_ID:
    case ERR_ILLEGAL_GENERATION:
        lose(m, err);
        break;
    case ERR_FENCED_INSTANCE_ID:
    case ERR_GROUP_AUTHORIZATION:
        lose(m, err);
        m->fatal = err;
        break;
    case ERR_NOT_COORDINATOR:
    case ERR_COORDINATOR_NOT_AVAILABLE:
        membership_forget_client(m); // membership_poll finds the new one; the membership lives on
        break;
    default:
        break;
    }
}

// ---- the thread

// use_begin waits for the client; the mutex is held, and let go of while waiting. use_end lets others have
// it.
static void use_begin(struct membership *m, enum membership_user user)
{
    while (m->user != MEMBERSHIP_NOBODY) {
        (void)cond_wait(&m->changed, &m->mutex, CLOCK_NEVER);
    }
    m->user = user;
}

static void use_end(struct membership *m)
{
    m->user = MEMBERSHIP_NOBODY;
    cond_broadcast(&m->changed);
}

// client_ready makes sure of a connection on which nothing is awaited: a call may have been given up.
static enum err client_ready(struct client *client, struct error *e)
{
    bool is_ready = client_is_connected(client) && client_in_flight(client) == 0;
    return is_ready ? ERR_OK : client_connect(client, e);
}

static enum err ask_heartbeat(struct membership *m, struct heartbeat_response *ret)
{
    struct heartbeat_request request;
    struct error e = {0};
    wire_init(&heartbeat_request_type, &request);
    request.group_id = m->options.group;
    request.generation_id = m->generation;
    request.member_id = membership_id(m);
    request.group_instance_id = m->options.instance_id;
    arena_reset(&m->heartbeat_arena);
    enum err err = client_ready(m->client, &e);
    return err == ERR_OK ? membership_call(m, API_HEARTBEAT, &request, &m->heartbeat_arena,
                                           m->options.session_timeout_ms, true, ret, &e)
                         : err;
}

// ask_leave tells the coordinator; nothing depends on it, for the session times out.
static void ask_leave(struct membership *m, const char *reason)
{
    struct leave_group_request request;
    struct leave_group_response response;
    struct leave_group_request_member self;
    wire_init(&leave_group_request_type, &request);
    wire_init(&leave_group_request_member_type, &self);
    self.member_id = request.member_id = membership_id(m);
    self.group_instance_id = m->options.instance_id;
    self.reason = str_from_c(reason);
    request.group_id = m->options.group;
    request.members = &self;
    request.members_count = 1;
    if (m->client == NULL || m->id[0] == '\0' || m->options.instance_id.ptr != NULL) {
        return;
    }
    arena_reset(&m->heartbeat_arena);
    if (client_ready(m->client, NULL) == ERR_OK) {
        enum err err = membership_call(m, API_LEAVE_GROUP, &request, &m->heartbeat_arena, LEAVE_TIMEOUT_MS,
                                       false, &response, NULL);
        (void)err;
    }
}

// tick_leave leaves on the main thread's behalf, whose output is blocked. The mutex is held.
static void tick_leave(struct membership *m, const char *reason)
{
    use_begin(m, MEMBERSHIP_THREAD);
    mutex_unlock(&m->mutex);
    ask_leave(m, reason);
    mutex_lock(&m->mutex);
    lose(m, ERR_UNKNOWN_MEMBER_ID);
    use_end(m);
}

static void tick_heartbeat(struct membership *m)
{
    struct heartbeat_response response;
    use_begin(m, MEMBERSHIP_THREAD);
    mutex_unlock(&m->mutex);
    enum err err = ask_heartbeat(m, &response);
    mutex_lock(&m->mutex);
    if (err == ERR_OK) {
        take_err(m, response.error);
    }
    m->heartbeat_ns = now_ns(m) + (err == ERR_OK ? heartbeat_every_ns(m) : (int64_t)RETRY_MS * NS_PER_MS);
    use_end(m);
}

// tick does what is due while nobody uses the client. The mutex is held.
static void tick(struct membership *m)
{
    int64_t now = now_ns(m);
    if (m->stop_ns != 0 && now - m->stop_ns > (int64_t)BLOCKED_EXIT_MS * NS_PER_MS &&
        m->poll_ns < m->stop_ns) {
        run_note("strom: the output is blocked: leaving the group without committing what it did not take");
        tick_leave(m, "the consumer is being closed");
        process_exit(CLI_ERROR);
    }
    if (!m->is_in) {
        return;
    }
    if (now - m->poll_ns > m->options.poll_max_ms * (int64_t)NS_PER_MS) {
        run_note("strom: the output was blocked for longer than --max-poll-ms: leaving the group");
        tick_leave(m, "poll timeout has expired");
    } else if (now >= m->heartbeat_ns && m->client != NULL && m->stop_ns == 0) {
        tick_heartbeat(m);
    } else if (now >= m->heartbeat_ns) { // membership_poll finds the coordinator
        m->heartbeat_ns = now + (int64_t)RETRY_MS * NS_PER_MS;
    }
}

static int64_t wake_at(const struct membership *m)
{
    int64_t soonest = CLOCK_NEVER;
    if (m->is_in) {
        int64_t poll_ns = m->poll_ns + m->options.poll_max_ms * (int64_t)NS_PER_MS + NS_PER_MS;
        soonest = m->heartbeat_ns < poll_ns ? m->heartbeat_ns : poll_ns;
    }
    int64_t exit_ns = m->stop_ns + (int64_t)(BLOCKED_EXIT_MS + 1) * NS_PER_MS;
    if (m->stop_ns != 0 && m->poll_ns < m->stop_ns && (soonest == CLOCK_NEVER || exit_ns < soonest)) {
        soonest = exit_ns;
    }
    return soonest;
}

static void live(void *arg)
{
    struct membership *m = arg;
    mutex_lock(&m->mutex);
    while (!m->is_closing) {
        if (m->user == MEMBERSHIP_NOBODY) {
            tick(m);
        }
        if (!m->is_closing) {
            (void)cond_wait(&m->changed, &m->mutex, m->user == MEMBERSHIP_NOBODY ? wake_at(m) : CLOCK_NEVER);
        }
    }
    mutex_unlock(&m->mutex);
}

// ---- life

struct membership *membership_create(struct run *run, const struct membership_options *options)
{
    struct membership *m = mem_zalloc(sizeof *m);
    m->run = run;
    m->options = *options;
    m->generation = -1;
    m->poll_ns = now_ns(m);
    mutex_init(&m->mutex, run->env->threads);
    cond_init(&m->changed, run->env->threads);
    arena_init(&m->heartbeat_arena, MEMBER_ARENA_BYTES);
    arena_init(&m->watched_arena, MEMBER_ARENA_BYTES);
    m->thread = thread_start(run->env->threads, "member", live, m);
    return m;
}

void membership_destroy(struct membership *take_member)
{
    struct membership *m = take_member;
    if (m == NULL) {
        return;
    }
    mutex_lock(&m->mutex);
    m->is_closing = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->mutex);
    thread_join(m->run->env->threads, m->thread);
    client_destroy(m->client);
    arena_fini(&m->heartbeat_arena);
    arena_fini(&m->watched_arena);
    cond_fini(&m->changed);
    mutex_fini(&m->mutex);
    mem_free(m);
}

void membership_stop(struct membership *m)
{
    mutex_lock(&m->mutex);
    m->stop_ns = m->stop_ns != 0 ? m->stop_ns : now_ns(m);
    if (m->user != MEMBERSHIP_NOBODY && m->client != NULL) {
        client_wake(m->client);
    }
    cond_broadcast(&m->changed);
    mutex_unlock(&m->mutex);
}

// ---- the main thread's part

enum err membership_use(struct membership *m, struct error *e)
{
    mutex_lock(&m->mutex);
    m->poll_ns = now_ns(m);
    use_begin(m, MEMBERSHIP_MAIN);
    struct client *client = m->client;
    mutex_unlock(&m->mutex);
    enum err err = ERR_OK;
    if (client == NULL) {
        err = run_coordinator_open(m->run, m->options.group, &client, e);
        mutex_lock(&m->mutex);
        m->client = client;
        mutex_unlock(&m->mutex);
    } else {
        err = client_ready(client, e);
    }
    if (err != ERR_OK) {
        mutex_lock(&m->mutex);
        membership_forget_client(m); // the coordinator may be another one by now
        mutex_unlock(&m->mutex);
        membership_release(m);
    }
    return err;
}

void membership_release(struct membership *m)
{
    mutex_lock(&m->mutex);
    m->poll_ns = now_ns(m);
    use_end(m);
    mutex_unlock(&m->mutex);
}

static bool is_stopping(struct membership *m)
{
    mutex_lock(&m->mutex);
    bool is_asked = m->stop_ns != 0;
    mutex_unlock(&m->mutex);
    return is_asked;
}

enum err membership_call(struct membership *m, enum api_key key, const void *request, struct arena *arena,
                         int64_t deadline_ms, bool is_stoppable, void *ret_response, struct error *e)
{
    int64_t deadline_ns = now_ns(m) + deadline_ms * NS_PER_MS;
    void *response = NULL;
    enum err err = client_send(m->client, key, request, true, e);
    while (err == ERR_OK && response == NULL) {
        if (is_stoppable && is_stopping(m)) {
            return FAIL(e, ERR_STOPPING, "stopped");
        }
        err = client_receive(m->client, arena, deadline_ns, &response, e);
        err = err == ERR_WOULD_BLOCK ? ERR_OK : err;
    }
    if (err == ERR_TIMED_OUT) {
        mutex_lock(&m->mutex);
        membership_forget_client(m);
        mutex_unlock(&m->mutex);
        return FAIL(e, ERR_NETWORK, "no answer from the coordinator in time");
    }
    if (err == ERR_OK) {
        memcpy(ret_response, response, wire_struct_size(wire_api_find((int16_t)key)->response));
    }
    return err;
}

bool membership_poll(struct membership *m)
{
    bool is_watching = m->watched_count > 0 && now_ns(m) >= m->watch_ns;
    bool has_changed = is_watching && membership_watch_changed(m);
    if (is_watching) {
        m->watch_ns = now_ns(m) + (int64_t)WATCH_MS * NS_PER_MS;
    }
    mutex_lock(&m->mutex);
    m->poll_ns = now_ns(m);
    m->wants_join = m->wants_join || has_changed;
    bool is_fine = m->is_in && !m->wants_join && m->fatal == ERR_OK;
    bool is_alone = m->client == NULL;
    mutex_unlock(&m->mutex);
    if (is_fine && is_alone && membership_use(m, NULL) == ERR_OK) {
        membership_release(m);
    }
    return is_fine;
}

bool membership_is_in(struct membership *m)
{
    mutex_lock(&m->mutex);
    bool is_in = m->is_in;
    mutex_unlock(&m->mutex);
    return is_in;
}

enum err membership_committed(struct membership *m, struct arena *arena, struct group_offsets *ret,
                              struct error *e)
{
    enum err err = membership_use(m, e);
    if (err == ERR_OK) {
        err = group_offsets_fetch(m->client, m->options.group, arena, ret, e);
        membership_release(m);
    }
    return err;
}

static enum err commit_fill(struct membership *m, const struct group_offset *items, size_t count,
                            struct arena *arena, struct offset_commit_request *request, struct error *e)
{
    wire_init(&offset_commit_request_type, request);
    request->group_id = m->options.group;
    request->generation_id_or_member_epoch = m->generation;
    request->member_id = membership_id(m);
    request->group_instance_id = m->options.instance_id;
    request->topics = wire_array(arena, offset_commit_request_topic, count);
    struct offset_commit_request_partition *parts = wire_array(arena, offset_commit_request_partition, count);
    if (request->topics == NULL || parts == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "a commit of %zu partitions", count);
    }
    for (size_t i = 0; i < count; i++) {
        struct offset_commit_request_topic *topic =
            request->topics_count == 0 ? NULL : &request->topics[request->topics_count - 1];
        if (topic == NULL || !str_equal(topic->name, items[i].topic)) {
            topic = &request->topics[request->topics_count++];
            topic->name = items[i].topic;
            topic->partitions = &parts[i];
        }
        topic->partitions_count++;
        parts[i].partition_index = items[i].partition;
        parts[i].committed_offset = items[i].committed;
        parts[i].committed_metadata = STR("");
    }
    return ERR_OK;
}

enum err membership_commit(struct membership *m, const struct group_offset *items, size_t count,
                           struct arena *arena, struct error *e)
{
    struct offset_commit_request request;
    struct offset_commit_response response;
    if (count == 0) {
        return ERR_OK;
    }
    enum err err = membership_use(m, e);
    if (err != ERR_OK) {
        return err;
    }
    err = commit_fill(m, items, count, arena, &request, e);
    err = err == ERR_OK ? client_call(m->client, API_OFFSET_COMMIT, &request, arena, &response, e) : err;
    for (int32_t t = 0; err == ERR_OK && t < response.topics_count; t++) {
        for (int32_t p = 0; err == ERR_OK && p < response.topics[t].partitions_count; p++) {
            err = response.topics[t].partitions[p].error;
            if (err != ERR_OK) {
                *e = (struct error){.code = err};
            }
        }
    }
    mutex_lock(&m->mutex);
    take_err(m, err);
    mutex_unlock(&m->mutex);
    membership_release(m);
    return err;
}

void membership_leave(struct membership *m)
{
    mutex_lock(&m->mutex);
    m->poll_ns = now_ns(m);
    use_begin(m, MEMBERSHIP_MAIN);
    mutex_unlock(&m->mutex);
    ask_leave(m, "the consumer is being closed");
    mutex_lock(&m->mutex);
    m->is_in = false;
    use_end(m);
    mutex_unlock(&m->mutex);
}
