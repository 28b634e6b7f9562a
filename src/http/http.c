// SPDX-License-Identifier: Apache-2.0
// http.c - the server: listeners, the end.
#include "http/http.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/http_private.h"

enum { ACCEPT_RETRY_NS = 100 * 1000000, NS_PER_MS = 1000000 };

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
    http_connection_open(listener->server, sock);
}

static void on_accept_retry(struct timer *timer)
{
    struct http_server *server =
        (struct http_server *)(void *)((char *)timer - offsetof(struct http_server, accept_retry));
    for (struct http_listener *l = server->listeners; l != NULL; l = l->next) {
        loop_io_set(server->loop, &l->io, POLL_READ);
    }
}

static void on_stop_grace(struct timer *timer)
{
    struct http_server *server =
        (struct http_server *)(void *)((char *)timer - offsetof(struct http_server, stop_grace));
    server->is_out_of_grace = true;
    server->connection_count++; // as in http_server_stop
    LIST_EACH_SAFE (node, after, &server->connections) {
        http_connection_abandon(LIST_ENTRY(node, struct http_connection, node));
    }
    http_server_note_closed(server);
}

struct http_server *http_server_create(struct loop *loop, struct metrics *metrics, struct http_routes routes)
{
    struct http_server *server = mem_zalloc(sizeof *server);
    server->loop = loop;
    server->routes = routes;
    server->accept_retry.fire = on_accept_retry;
    server->stop_grace.fire = on_stop_grace;
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

void http_server_note_closed(struct http_server *server)
{
    server->connection_count--;
    if (server->is_stopping && server->connection_count == 0 && server->stopped != NULL) {
        void (*stopped)(void *arg) = server->stopped;
        server->stopped = NULL;
        loop_timer_cancel(server->loop, &server->stop_grace);
        stopped(server->stopped_arg);
    }
}

void http_server_stop(struct http_server *s, void (*stopped)(void *arg), void *arg)
{
    loop_timer_cancel(s->loop, &s->accept_retry);
    while (s->listeners != NULL) {
        struct http_listener *listener = s->listeners;
        s->listeners = listener->next;
        struct sock *sock = listener->io.sock;
        loop_io_remove(s->loop, &listener->io);
        sock_close(sock);
        mem_free(listener);
    }
    s->connection_count++; // until all are told: none of them is the last one
    s->is_stopping = true;
    s->stopped = stopped;
    s->stopped_arg = arg;
    loop_timer_set(s->loop, &s->stop_grace, loop_now_ns(s->loop) + HTTP_STOP_GRACE_MS * (int64_t)NS_PER_MS);
    LIST_EACH_SAFE (node, after, &s->connections) {
        http_connection_stop(LIST_ENTRY(node, struct http_connection, node));
    }
    http_server_note_closed(s);
}

void http_server_destroy(struct http_server *take_server)
{
    if (take_server != NULL) {
        ASSERT(take_server->connection_count == 0 && take_server->listeners == NULL);
        mem_free(take_server);
    }
}
