// SPDX-License-Identifier: Apache-2.0
// http.c - listeners and connections. One request of a connection is handled at a time; answers leave in
// order.
#include "http/http.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_private.h"

enum { READ_BYTES = 16 * 1024, ACCEPT_RETRY_NS = 100 * 1000000, NS_PER_MS = 1000000 };

static void connection_free(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    loop_timer_cancel(server->loop, &conn->timer);
    loop_io_remove(server->loop, &conn->io);
    sock_close(conn->sock);
    http_request_destroy(conn->incoming);
    struct list *node;
    while ((node = list_pop_front(&conn->requests)) != NULL) {
        http_request_destroy(LIST_ENTRY(node, struct http_request, node));
    }
    list_remove(&conn->node);
    server->connection_count--;
    mem_free(conn);
}

// send_first sends what it can of the first answer; false = the connection is over.
static bool send_first(struct http_connection *conn, struct http_request *rq)
{
    while (conn->sent < rq->response.len) {
        struct io_slice slice = {rq->response.ptr + conn->sent, rq->response.len - conn->sent};
        size_t took = 0;
        struct error error;
        enum err err = sock_send(conn->sock, &slice, 1, false, &took, &error);
        if (err == ERR_WOULD_BLOCK) {
            return true;
        }
        if (err != ERR_OK) {
            return false;
        }
        conn->sent += took;
        conn->active_ns = loop_now_ns(conn->server->loop);
    }
    bool keeps_alive = rq->keeps_alive;
    list_remove(&rq->node);
    conn->request_count--;
    conn->sent = 0;
    http_request_destroy(rq);
    return keeps_alive;
}

// due_ns: when the client has been slow or idle for too long. While a handler works it is not the client that
// is slow.
static int64_t due_ns(const struct http_connection *conn)
{
    if (!list_is_empty(&conn->requests)) {
        const struct http_request *first = LIST_ENTRY(conn->requests.next, struct http_request, node);
        return first->is_done ? conn->active_ns + HTTP_IDLE_TIMEOUT_MS * (int64_t)NS_PER_MS : CLOCK_NEVER;
    }
    if (conn->incoming == NULL) {
        return conn->active_ns + HTTP_IDLE_TIMEOUT_MS * (int64_t)NS_PER_MS;
    }
    // The header must come whole in time, however it trickles in; a body must make progress.
    return (conn->is_in_head ? conn->began_ns : conn->active_ns) +
           HTTP_HEADER_TIMEOUT_MS * (int64_t)NS_PER_MS;
}

static void on_timer(struct timer *timer)
{
    struct http_connection *conn =
        (struct http_connection *)(void *)((char *)timer - offsetof(struct http_connection, timer));
    int64_t due = due_ns(conn);
    if (due != CLOCK_NEVER && due <= loop_now_ns(conn->server->loop)) {
        connection_free(conn);
        return;
    }
    if (due != CLOCK_NEVER) {
        loop_timer_set(conn->server->loop, timer, due);
    }
}

// timer_arm brings the timer forward where it would fire too late; one that fires too early sets itself anew.
static void timer_arm(struct http_connection *conn)
{
    int64_t due = due_ns(conn);
    if (due != CLOCK_NEVER && (conn->timer.node.index == 0 || conn->timer.node.key > due)) {
        loop_timer_set(conn->server->loop, &conn->timer, due);
    }
}

void http_connection_step(struct http_connection *conn)
{
    bool is_alive = true;
    conn->is_in_callback = true;
    while (is_alive && !list_is_empty(&conn->requests)) {
        struct http_request *rq = LIST_ENTRY(conn->requests.next, struct http_request, node);
        if (!rq->is_dispatched) {
            metric_add(conn->server->requests, 1);
            http_request_dispatch(rq);
        }
        if (!rq->is_done) {
            break;
        }
        size_t before = conn->request_count;
        is_alive = send_first(conn, rq);
        if (conn->request_count == before) {
            break;
        }
    }
    conn->is_in_callback = false;
    bool is_empty = list_is_empty(&conn->requests);
    if (!is_alive || (is_empty && conn->is_read_closed)) {
        connection_free(conn);
        return;
    }
    const struct http_request *first =
        is_empty ? NULL : LIST_ENTRY(conn->requests.next, struct http_request, node);
    unsigned interest = first != NULL && first->is_done ? POLL_WRITE : 0;
    interest |= !conn->is_read_closed && conn->request_count < HTTP_PIPELINE_MAX ? POLL_READ : 0;
    loop_io_set(conn->server->loop, &conn->io, interest);
    timer_arm(conn);
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct http_connection *conn =
        (struct http_connection *)(void *)((char *)io - offsetof(struct http_connection, io));
    if ((ready & (POLL_READ | POLL_CLOSED)) != 0 && !conn->is_read_closed) {
        uint8_t bytes[READ_BYTES];
        size_t got = 0;
        struct error error;
        enum err err = sock_recv(conn->sock, bytes, sizeof bytes, &got, &error);
        if (err == ERR_OK) {
            conn->active_ns = loop_now_ns(conn->server->loop);
            conn->is_read_closed = !http_connection_parse(conn, bytes_of(bytes, got));
        } else if (err != ERR_WOULD_BLOCK) {
            conn->is_read_closed = true;
        }
    }
    http_connection_step(conn);
}

static void connection_open(struct http_server *server, struct sock *take_sock)
{
    struct http_connection *conn = mem_zalloc(sizeof *conn);
    conn->server = server;
    conn->sock = take_sock;
    conn->active_ns = loop_now_ns(server->loop);
    conn->io.ready = on_ready;
    conn->timer.fire = on_timer;
    list_init(&conn->requests);
    http_connection_parse_init(conn);
    list_push_back(&server->connections, &conn->node);
    server->connection_count++;
    loop_io_add(server->loop, &conn->io, take_sock, POLL_READ);
    timer_arm(conn);
}

static void on_accept(struct loop_io *io, unsigned ready)
{
    (void)ready;
    struct http_listener *listener =
        (struct http_listener *)(void *)((char *)io - offsetof(struct http_listener, io));
    struct sock *sock;
    struct error error;
    enum err err = sock_accept(io->sock, &sock, &error);
    if (err == ERR_NO_MEMORY) {
        // Out of file descriptors: wait for connections to end instead of spinning on a ready listener.
        struct http_server *server = listener->server;
        loop_io_set(server->loop, io, 0);
        loop_timer_set(server->loop, &server->accept_retry, loop_now_ns(server->loop) + ACCEPT_RETRY_NS);
        return;
    }
    if (err != ERR_OK) {
        return;
    }
    if (listener->server->connection_count >= HTTP_CONNECTIONS_MAX) {
        sock_close(sock);
        return;
    }
    connection_open(listener->server, sock);
}

static void on_accept_retry(struct timer *timer)
{
    struct http_server *server =
        (struct http_server *)(void *)((char *)timer - offsetof(struct http_server, accept_retry));
    for (struct http_listener *l = server->listeners; l != NULL; l = l->next) {
        loop_io_set(server->loop, &l->io, POLL_READ);
    }
}

struct http_server *http_server_create(struct loop *loop, struct metrics *metrics, struct http_routes routes)
{
    struct http_server *server = mem_zalloc(sizeof *server);
    server->loop = loop;
    server->routes = routes;
    server->accept_retry.fire = on_accept_retry;
    list_init(&server->connections);
    server->requests = metrics_counter(metrics, "strom_http_requests_total", NULL, "HTTP requests received");
    return server;
}

void http_server_listen(struct http_server *s, struct sock *take_listener)
{
    struct http_listener *listener = mem_zalloc(sizeof *listener);
    listener->server = s;
    listener->io.ready = on_accept;
    listener->next = s->listeners;
    s->listeners = listener;
    loop_io_add(s->loop, &listener->io, take_listener, POLL_READ);
}

void http_server_stop(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    loop_timer_cancel(s->loop, &s->accept_retry);
    while (s->listeners != NULL) {
        struct http_listener *listener = s->listeners;
        s->listeners = listener->next;
        struct sock *sock = listener->io.sock;
        loop_io_remove(s->loop, &listener->io);
        sock_close(sock);
        mem_free(listener);
    }
    while (!list_is_empty(&s->connections)) {
        connection_free(LIST_ENTRY(s->connections.next, struct http_connection, node));
    }
}

void http_server_destroy(struct http_server *take_server)
{
    if (take_server != NULL) {
        ASSERT(take_server->connection_count == 0 && take_server->listeners == NULL);
        mem_free(take_server);
    }
}
