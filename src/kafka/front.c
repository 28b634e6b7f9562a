// SPDX-License-Identifier: Apache-2.0
// front.c - listeners, connection limits, and the end of each round, where connections send what was
// completed.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "kafka/front_private.h"

enum { ACCEPTS_PER_ROUND = 64, ACCEPT_RETRY_NS = 100 * 1000000 };

// ---- connections per address

static struct ip_count *ip_take(struct kafka_front *front, struct sock *sock)
{
    char text[SOCK_NAME_SIZE];
    struct str name = sock_peer_name(sock, text);
    while (name.len > 0 && name.ptr[name.len - 1] != ':') {
        name.len--; // without the port
    }
    uint64_t hash = hash64(bytes_of(name.ptr, name.len), 0);
    struct map_node *node = map_first(&front->ips, hash);
    for (; node != NULL; node = map_next(node)) {
        struct ip_count *ip = MAP_ENTRY(node, struct ip_count, node);
        if (ip->len == name.len && memcmp(ip->text, name.ptr, name.len) == 0) {
            ip->count++;
            return ip;
        }
    }
    struct ip_count *ip = mem_zalloc(sizeof *ip);
    memcpy(ip->text, name.ptr, name.len);
    ip->len = name.len;
    ip->count = 1;
    map_insert(&front->ips, &ip->node, hash);
    return ip;
}

void front_ip_release(struct kafka_front *front, struct ip_count *ip)
{
    if (--ip->count == 0) {
        map_remove(&front->ips, &ip->node);
        mem_free(ip);
    }
}

// ---- accepting

// front_adopt makes a connection of an accepted socket, within the limits.
static void front_adopt(struct kafka_front *front, struct sock *sock)
{
    struct ip_count *ip = ip_take(front, sock);
    bool is_over = front->connection_count >= front->options.connections_max ||
                   ip->count > front->options.connections_per_ip || front->is_stopping;
    if (is_over) {
        front_ip_release(front, ip);
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
};

static void on_hand_over(struct task *task)
{
    struct hand_over *h = (struct hand_over *)(void *)((char *)task - offsetof(struct hand_over, task));
    front_adopt(h->front, h->sock);
    mem_free(h);
}

static void front_place(struct kafka_front *front, struct sock *sock)
{
    uint32_t turn = front->peer_count == 0 ? 0 : front->peer_turn++ % (front->peer_count + 1);
    if (turn == 0) {
        front_adopt(front, sock);
        return;
    }
    struct hand_over *h = mem_zalloc(sizeof *h);
    h->task.run = on_hand_over;
    h->front = front->peers[turn - 1];
    h->sock = sock;
    loop_post(h->front->loop, &h->task);
}

void kafka_front_share(struct kafka_front *front, struct kafka_front *peer)
{
    ASSERT(front->peer_count < FRONT_PEERS_MAX);
    front->peers[front->peer_count++] = peer;
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
            loop_io_set(front->loop, io, 0);
            loop_timer_set(front->loop, &front->accept_retry, loop_now_ns(front->loop) + ACCEPT_RETRY_NS);
            return;
        }
        if (err != ERR_OK) {
            return;
        }
        front_place(front, sock);
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

static void on_starved_retry(struct timer *timer)
{
    struct kafka_front *front =
        (struct kafka_front *)(void *)((char *)timer - offsetof(struct kafka_front, starved_retry));
    LIST_EACH_SAFE (node, after, &front->connections) {
        struct connection *conn = LIST_ENTRY(node, struct connection, node);
        if (conn->is_starved) {
            conn->is_starved = false;
            connection_mark(conn);
        }
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

void front_starved(struct kafka_front *front)
{
    if (front->starved_retry.node.index == 0) {
        loop_timer_set(front->loop, &front->starved_retry, loop_now_ns(front->loop) + STARVED_RETRY_NS);
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
    front->starved_retry.fire = on_starved_retry;
    front->stop_grace.fire = on_stop_grace;
    list_init(&front->connections);
    list_init(&front->dirty);
    map_init(&front->ips);
    front->metric_connections = metrics_gauge(m, "kafka_server_socket_server_metrics_connection_count", NULL,
                                              "Open Kafka connections");
    front->metric_requests =
        metrics_counter(m, "kafka_network_requestmetrics_requests_total", NULL, "Kafka requests received");
    front->metric_bad = metrics_counter(m, "strom_kafka_malformed_requests_total", NULL,
                                        "Frames that made their connection be closed");
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
    map_fini(&take_front->ips);
    mem_free(take_front);
}

uint32_t kafka_front_connections(const struct kafka_front *front)
{
    return front->connection_count;
}
