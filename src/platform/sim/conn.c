// SPDX-License-Identifier: Apache-2.0
// Connections between two ends, what the network does to them, and the faults of the network as a whole.
#include "platform/sim/sim_private.h"

static const int64_t LATE_RESET_NS = 30000000000; // how long a peer may take to learn of a power cut

struct block_rule {
    struct list of_world;
    char from[SIM_HOST_SIZE];
    char to[SIM_HOST_SIZE];
};

static bool host_matches(const char *rule, const char *host)
{
    return strcmp(rule, "*") == 0 || strcmp(rule, host) == 0;
}

bool net_is_blocked(const struct sim_world *world, const char *from, const char *to)
{
    LIST_EACH (node, &world->blocks) {
        const struct block_rule *rule = LIST_ENTRY(node, struct block_rule, of_world);
        if (host_matches(rule->from, from) && host_matches(rule->to, to)) {
            return true;
        }
    }
    return false;
}

int64_t net_delay_ns(struct sim_world *world)
{
    const struct sim_net_faults *faults = &world->net_faults;
    int64_t delay = world_range(world, faults->delay_ns_min, faults->delay_ns_max);
    if (sim_chance(world, faults->stall)) {
        delay += world_range(world, 0, faults->stall_ns_max);
    }
    return delay;
}

// ---- the end of a connection

void conn_free(struct sim_conn *conn)
{
    pipe_fini(&conn->pipes[0]);
    pipe_fini(&conn->pipes[1]);
    event_cancel(conn->world, &conn->open);
    event_cancel(conn->world, &conn->reset);
    list_remove(&conn->of_world);
    sys_free(conn);
}

void conn_free_if_over(struct sim_conn *conn)
{
    if (conn->socks[0] != NULL || conn->socks[1] != NULL) {
        return;
    }
    bool is_drained = conn->pipes[0].fin_arrived && conn->pipes[1].fin_arrived;
    if (!conn->is_open || conn->is_reset || is_drained) {
        conn_free(conn);
    }
}

void conn_reset_now(struct sim_conn *conn)
{
    struct sim_world *world = conn->world;
    if (conn->is_reset) {
        return;
    }
    conn->is_reset = true;
    trace_verb(world, "reset", (struct str){0}, conn->ports[0], conn->ports[1]);
    event_cancel(world, &conn->reset);
    for (size_t end = 0; end < 2; end++) {
        struct pipe *pipe = &conn->pipes[end];
        // What has arrived may still be read, or not, as the reader's kernel sees fit.
        size_t keeps = sim_chance(world, 500) ? pipe->arrived_len : 0;
        if (keeps == 0) {
            pipe_fini(pipe);
        } else {
            pipe_drop_queue(pipe);
        }
    }
    sock_notify(conn->socks[0]);
    sock_notify(conn->socks[1]);
    conn_free_if_over(conn);
}

static void conn_reset_fire(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    conn_reset_now(LIST_ENTRY(event, struct sim_conn, reset));
}

void conn_reset_later(struct sim_conn *conn, bool is_power_cut)
{
    struct sim_world *world = conn->world;
    conn->reset.fire = conn_reset_fire;
    int64_t delay = net_delay_ns(world);
    if (is_power_cut && sim_chance(world, world->net_faults.stall)) {
        delay += world_range(world, 0, LATE_RESET_NS); // the peer waits for a host that is gone
    }
    if (!event_is_set(&conn->reset)) {
        event_set(world, &conn->reset, world->now_ns + delay);
    }
}

// ---- the beginning of one

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
}

// A listener on "" answers on its own host; loopback names stay on one host.
static bool listener_answers(const struct sim_sock *listener, const char *client_host, const char *host,
                             int port)
{
    const char *own = listener->process->host;
    if (listener->port != port) {
        return false;
    }
    if (is_loopback(host)) {
        bool accepts =
            listener->host[0] == '\0' || is_loopback(listener->host) || strcmp(listener->host, own) == 0;
        return accepts && strcmp(client_host, own) == 0;
    }
    return strcmp(host, own) == 0 && !is_loopback(listener->host);
}

static struct sim_sock *listener_find(const struct sim_world *world, const char *client_host,
                                      const char *host, int port)
{
    LIST_EACH (node, &world->listeners) {
        struct sim_sock *listener = LIST_ENTRY(node, struct sim_sock, of_listeners);
        if (listener_answers(listener, client_host, host, port)) {
            return listener;
        }
    }
    return NULL;
}

static void conn_open_fire(struct sim_world *world, struct sim_event *event)
{
    enum { BACKLOG_MAX = 128 };
    struct sim_conn *conn = LIST_ENTRY(event, struct sim_conn, open);
    const char *client_host = conn->hosts[0];
    const char *target = is_loopback(conn->target) ? client_host : conn->target;
    if (net_is_blocked(world, client_host, target) || net_is_blocked(world, target, client_host)) {
        return; // sim_net_heal tries again
    }
    ASSERT(conn->socks[0] != NULL); // closing it frees an attempt
    struct sim_sock *listener = listener_find(world, client_host, conn->target, conn->ports[1]);
    bool is_refused = listener == NULL || listener->backlog_count >= BACKLOG_MAX ||
                      sim_chance(world, world->net_faults.refuse);
    trace_verb(world, is_refused ? "refuse" : "establish", str_from_c(conn->target), conn->ports[0],
               conn->ports[1]);
    if (is_refused) {
        conn->is_refused = true;
        sock_notify(conn->socks[0]);
        return;
    }
    conn->is_open = true;
    bool is_local = is_loopback(conn->target);
    snprintf(conn->hosts[0], sizeof conn->hosts[0], "%s",
             is_local ? "127.0.0.1" : conn->socks[0]->process->host);
    snprintf(conn->hosts[1], sizeof conn->hosts[1], "%s", is_local ? "127.0.0.1" : listener->process->host);
    conn->socks[1] = sock_create(listener->process, conn, 1);
    list_push_back(&listener->backlog, &conn->socks[1]->in_backlog);
    listener->backlog_count++;
    sock_notify(listener);
    sock_notify(conn->socks[0]);
}

struct sim_conn *conn_create(struct sim_process *client, struct str host, int port)
{
    struct sim_world *world = client->world;
    struct sim_conn *conn = sys_zalloc(sizeof *conn);
    conn->world = world;
    conn->open.fire = conn_open_fire;
    snprintf(conn->hosts[0], sizeof conn->hosts[0], "%s", client->host);
    snprintf(conn->target, sizeof conn->target, STR_FMT, STR_ARG(host));
    snprintf(conn->hosts[1], sizeof conn->hosts[1], "%s", conn->target);
    conn->ports[0] = world->next_port++;
    conn->ports[1] = port;
    pipe_init(&conn->pipes[0], conn, 0);
    pipe_init(&conn->pipes[1], conn, 1);
    list_push_back(&world->conns, &conn->of_world);
    event_set(world, &conn->open, world->now_ns + net_delay_ns(world));
    return conn;
}

// ---- faults

void sim_net_set_faults(struct sim_world *world, const struct sim_net_faults *faults)
{
    world->net_faults = *faults;
}

struct sim_net_faults sim_net_faults(const struct sim_world *world)
{
    return world->net_faults;
}

void sim_net_block(struct sim_world *world, const char *from_host, const char *to_host)
{
    struct block_rule *rule = sys_zalloc(sizeof *rule);
    snprintf(rule->from, sizeof rule->from, "%s", from_host);
    snprintf(rule->to, sizeof rule->to, "%s", to_host);
    list_push_back(&world->blocks, &rule->of_world);
    sim_trace(world, "block %s -> %s", from_host, to_host);
}

static void blocks_drop(struct sim_world *world)
{
    struct list *node;
    while ((node = list_pop_front(&world->blocks)) != NULL) {
        sys_free(LIST_ENTRY(node, struct block_rule, of_world));
    }
}

void sim_net_heal(struct sim_world *world)
{
    sim_trace(world, "heal");
    blocks_drop(world);
    struct sim_net_faults *faults = &world->net_faults;
    faults->reset = faults->refuse = faults->accept_error = faults->stall = 0;
    LIST_EACH (node, &world->conns) {
        struct sim_conn *conn = LIST_ENTRY(node, struct sim_conn, of_world);
        if (!conn->is_open && !conn->is_refused && !event_is_set(&conn->open)) {
            event_set(world, &conn->open, world->now_ns + net_delay_ns(world));
        }
        pipe_arm(&conn->pipes[0]);
        pipe_arm(&conn->pipes[1]);
    }
}

void net_destroy(struct sim_world *world)
{
    while (!list_is_empty(&world->conns)) {
        conn_free(LIST_ENTRY(world->conns.next, struct sim_conn, of_world));
    }
    blocks_drop(world);
}
