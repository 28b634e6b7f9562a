// SPDX-License-Identifier: Apache-2.0
// front.c - listeners, connection limits, and the end of each round, where connections send what was
// completed.
#include "base/assert.h"
#include "base/mem.h"
#include "kafka/front_private.h"

enum { ACCEPTS_PER_ROUND = 64, ACCEPT_RETRY_NS = 100 * 1000000 };

// ---- accepting

// front_adopt makes a connection of an accepted socket that was let in.
static void front_adopt(struct kafka_front *front, struct sock *sock, struct ip_count *ip)
{
    if (front->is_stopping) {
        gate_leave(front->gate, ip);
        sock_close(sock);
        return;
    }
    connection_open(front, sock, ip);
}

// A socket on its way to the front of another loop.
struct hand_over {
    struct task task;
    struct kafka_front *front;
    struct sock *sock;
    struct ip_count *ip;
};

static void on_hand_over(struct task *task)
{
    struct hand_over *h = (struct hand_over *)(void *)((char *)task - offsetof(struct hand_over, task));
    front_adopt(h->front, h->sock, h->ip);
    mem_free(h);
}

static void front_place(struct kafka_front *front, struct sock *sock)
{
    struct ip_count *ip = NULL;
    enum gate_answer answer = gate_enter(front->gate, &front->options, broker_throttles(front->broker),
                                         loop_now_ns(front->loop), sock, &ip);
    if (answer != GATE_OPEN) {
        metric_add(front->metric_refused[answer], 1);
        sock_close(sock);
        return;
    }
    uint32_t turn = front->peer_count == 0 ? 0 : front->peer_turn++ % (front->peer_count + 1);
    if (turn == 0) {
        front_adopt(front, sock, ip);
        return;
    }
    struct hand_over *h = mem_zalloc(sizeof *h);
    h->task.run = on_hand_over;
    h->front = front->peers[turn - 1];
    h->sock = sock;
    h->ip = ip;
    loop_post(h->front->loop, &h->task);
}

void kafka_front_share(struct kafka_front *front, struct kafka_front *peer)
{
    ASSERT(front->peer_count < FRONT_PEERS_MAX);
    front->peers[front->peer_count++] = peer;
    gate_unref(peer->gate);
    peer->gate = gate_ref(front->gate);
}

// front_pause accepts nothing for a while.
static void front_pause(struct kafka_front *front, int64_t pause_ns)
{
    for (struct listener *l = front->listeners; l != NULL; l = l->next) {
        loop_io_set(front->loop, &l->io, 0);
    }
    loop_timer_set(front->loop, &front->accept_retry, loop_now_ns(front->loop) + pause_ns);
}

static void on_accept(struct loop_io *io, unsigned ready)
{
    (void)ready;
    struct listener *listener = (struct listener *)(void *)((char *)io - offsetof(struct listener, io));
    struct kafka_front *front = listener->front;
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        struct sock *sock;
        struct error error;
        enum err err = sock_accept(io->sock, &sock, &error);
        if (err == ERR_NO_MEMORY) {
            // Out of file descriptors: wait for connections to end instead of spinning on a ready listener.
            front_pause(front, ACCEPT_RETRY_NS);
            return;
        }
        if (err != ERR_OK) {
            return;
        }
        front_place(front, sock);
        int64_t pause_ns = gate_pause_ns(front->gate, &front->options, loop_now_ns(front->loop));
        if (pause_ns > 0) {
            front_pause(front, pause_ns); // the rest waits in the kernel's queue
            return;
        }
    }
}

static void on_accept_retry(struct timer *timer)
{
    struct kafka_front *front =
        (struct kafka_front *)(void *)((char *)timer - offsetof(struct kafka_front, accept_retry));
    for (struct listener *l = front->listeners; l != NULL; l = l->next) {
        loop_io_set(front->loop, &l->io, POLL_READ);
    }
}

void kafka_front_listen(struct kafka_front *front, struct sock *take_listener)
{
    struct listener *listener = mem_zalloc(sizeof *listener);
    listener->front = front;
    listener->io.ready = on_accept;
    listener->next = front->listeners;
    front->listeners = listener;
    loop_io_add(front->loop, &listener->io, take_listener, POLL_READ);
}

// ---- the end of a round

static void on_flush(struct task *task)
{
    struct kafka_front *front =
        (struct kafka_front *)(void *)((char *)task - offsetof(struct kafka_front, flush));
    front->is_flush_deferred = false;
    struct list *node;
    while ((node = list_pop_front(&front->dirty)) != NULL) {
        connection_step(LIST_ENTRY(node, struct connection, dirty));
    }
    // `stopped` may destroy the front: nothing of it may be queued on the loop, and nothing may follow.
    if (front->is_stopping && front->connection_count == 0 && !front->is_flush_deferred &&
        front->stopped != NULL) {
        void (*stopped)(void *) = front->stopped;
        front->stopped = NULL;
        loop_timer_cancel(front->loop, &front->starved_retry);
        loop_timer_cancel(front->loop, &front->stop_grace);
        stopped(front->stopped_arg);
    }
}

void front_flush_later(struct kafka_front *front)
{
    if (!front->is_flush_deferred) {
        front->is_flush_deferred = true;
        loop_defer(front->loop, &front->flush);
    }
}

// A client that does not read its answers cannot keep the server from stopping.
static void on_stop_grace(struct timer *timer)
{
    struct kafka_front *front =
        (struct kafka_front *)(void *)((char *)timer - offsetof(struct kafka_front, stop_grace));
    LIST_EACH_SAFE (node, after, &front->connections) {
        connection_close(LIST_ENTRY(node, struct connection, node));
    }
}

// ---- life

struct kafka_front *kafka_front_create(struct broker *broker, struct broker_port *port,
                                       const struct kafka_options *options)
{
    struct kafka_front *front = mem_zalloc(sizeof *front);
    struct metrics *m = broker_metrics(broker);
    front->broker = broker;
    front->port = port;
    front->loop = broker_port_loop(port);
    front->options = *options;
    front->flush.run = on_flush;
    front->accept_retry.fire = on_accept_retry;
    front->starved_retry.fire = queue_on_retry;
    front->stop_grace.fire = on_stop_grace;
    list_init(&front->connections);
    list_init(&front->dirty);
    list_init(&front->starved[FRAME_SMALL]);
    list_init(&front->starved[FRAME_LARGE]);
    list_init(&front->thirsty);
    front->gate = gate_create(rng_u64(broker_env(broker)->rng));
    front->metric_connections = metrics_gauge(m, "kafka_server_socket_server_metrics_connection_count", NULL,
                                              "Open Kafka connections");
    front->stats = kafka_stats_shard(options->stats);
    front->metric_bad = metrics_counter(m, "strom_kafka_malformed_requests_total", NULL,
                                        "Frames that made their connection be closed");
    front->metric_queued =
        metrics_gauge(m, "kafka_network_socketserver_memorypoolused", NULL,
                      "Bytes of requests that came, whole or in part, and are not answered");
    const char *refused = "strom_kafka_refused_connections_total";
    const char *refused_help = "Connections that were closed at once, by the limit that they met";
    front->metric_refused[GATE_FULL] = metrics_counter(m, refused, "limit=\"max.connections\"", refused_help);
    front->metric_refused[GATE_FULL_FOR_IP] =
        metrics_counter(m, refused, "limit=\"max.connections.per.ip\"", refused_help);
    front->metric_refused[GATE_FAST_FOR_IP] =
        metrics_counter(m, refused, "limit=\"connection_creation_rate\"", refused_help);
    const char *ended = "strom_kafka_ended_connections_total";
    const char *ended_help = "Connections that the broker closed for being idle, or slow with a request";
    front->metric_idle = metrics_counter(m, ended, "reason=\"idle\"", ended_help);
    front->metric_slow = metrics_counter(m, ended, "reason=\"slow\"", ended_help);
    return front;
}

void kafka_front_stop(struct kafka_front *front, void (*stopped)(void *arg), void *arg)
{
    front->is_stopping = true;
    front->stopped = stopped;
    front->stopped_arg = arg;
    loop_timer_cancel(front->loop, &front->accept_retry);
    loop_timer_set(front->loop, &front->stop_grace,
                   loop_now_ns(front->loop) + STOP_GRACE_MS * (int64_t)1000000);
    while (front->listeners != NULL) {
        struct listener *listener = front->listeners;
        front->listeners = listener->next;
        struct sock *sock = listener->io.sock;
        loop_io_remove(front->loop, &listener->io);
        sock_close(sock);
        mem_free(listener);
    }
    front_flush_later(front);
    LIST_EACH_SAFE (node, after, &front->connections) {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        connection_mark(conn);
    }
}

void kafka_front_destroy(struct kafka_front *take_front)
{
    if (take_front == NULL) {
        return;
    }
    ASSERT(take_front->connection_count == 0);
    loop_timer_cancel(take_front->loop, &take_front->starved_retry);
    gate_unref(take_front->gate);
    for (uint32_t i = 0; i < take_front->spare_arena_count; i++) {
        arena_fini(&take_front->spare_arenas[i]);
    }
    mem_free(take_front->spare_pieces);
    mem_free(take_front);
}

uint32_t kafka_front_connections(const struct kafka_front *front)
{
    return front->connection_count;
}
