// SPDX-License-Identifier: Apache-2.0
// connection.c - one connection: bytes in, one request handled at a time, answers out in order.
#include "base/mem.h"
#include "http/http_private.h"

enum { READ_BYTES = 16 * 1024, SEND_STEP_BYTES = 1 << 20, NS_PER_MS = 1000000 };

static const char continue_text[] = "HTTP/1.1 100 Continue\r\n\r\n";

static struct http_request *first_of(const struct http_connection *conn)
{
    return list_is_empty(&conn->requests) ? NULL : LIST_ENTRY(conn->requests.next, struct http_request, node);
}

static void connection_free(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    loop_timer_cancel(server->loop, &conn->timer);
    if (!conn->is_hung) {
        loop_io_remove(server->loop, &conn->io);
    }
    sock_close(conn->sock);
    http_request_destroy(conn->incoming);
    struct list *node;
    while ((node = list_pop_front(&conn->requests)) != NULL) {
        http_request_destroy(LIST_ENTRY(node, struct http_request, node));
    }
    buf_fini(&conn->held);
    list_remove(&conn->node);
    mem_free(conn);
    http_server_note_closed(server);
}

// ---- out

enum sent { SENT_ALL, SENT_SOME, SENT_NEVER };

// send_first sends what it can of the first answer, and a bounded part of a long one: others wait.
static enum sent send_first(struct http_connection *conn, struct http_request *rq)
{
    size_t total = rq->head.len + rq->answer.len;
    for (size_t step = 0; conn->sent < total && step < SEND_STEP_BYTES;) {
        size_t of_head = conn->sent < rq->head.len ? rq->head.len - conn->sent : 0;
        size_t at = of_head > 0 ? 0 : conn->sent - rq->head.len;
        size_t left = rq->answer.len - at;
        struct io_slice slices[2] = {{(char *)rq->head.ptr + rq->head.len - of_head, of_head},
                                     {rq->answer.ptr + at, left < SEND_STEP_BYTES ? left : SEND_STEP_BYTES}};
        size_t skip = of_head > 0 ? 0 : 1;
        size_t count = rq->answer.len > 0 ? 2 - skip : 1;
        size_t took = 0;
        struct error error;
        enum err err = sock_send(conn->sock, slices + skip, count, false, &took, &error);
        if (err == ERR_WOULD_BLOCK) {
            return SENT_SOME;
        }
        if (err != ERR_OK) {
            return SENT_NEVER;
        }
        conn->sent += took;
        step += took;
        conn->active_ns = loop_now_ns(conn->server->loop);
    }
    return conn->sent < total ? SENT_SOME : SENT_ALL;
}

// send_continue tells a client that waits for it to send its body; false = the connection is over.
static bool send_continue(struct http_connection *conn)
{
    const struct http_request *rq = conn->incoming;
    if (rq == NULL || !rq->wants_continue || (rq->body.len > 0 && conn->continue_sent == 0)) {
        return true;
    }
    while (conn->continue_sent < sizeof continue_text - 1) {
        struct io_slice slice = {(char *)continue_text + conn->continue_sent,
                                 sizeof continue_text - 1 - conn->continue_sent};
        size_t took = 0;
        struct error error;
        enum err err = sock_send(conn->sock, &slice, 1, false, &took, &error);
        if (err != ERR_OK) {
            return err == ERR_WOULD_BLOCK;
        }
        conn->continue_sent += took;
    }
    conn->continue_sent = 0;
    conn->incoming->wants_continue = false;
    return true;
}

// ---- time

static int64_t pace_ns(size_t bytes)
{
    return (int64_t)(bytes / HTTP_BYTES_PER_SECOND_MIN) * 1000 * NS_PER_MS;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// due_ns: when the client has been slow or idle for too long. While a handler works it is not the client that
// is slow. Bytes that trickle keep nothing alive for ever: the pace counts over the whole.
static int64_t due_ns(const struct http_connection *conn)
{
    const int64_t idle_ns = HTTP_IDLE_TIMEOUT_MS * (int64_t)NS_PER_MS;
    const int64_t header_ns = HTTP_HEADER_TIMEOUT_MS * (int64_t)NS_PER_MS;
    const struct http_request *first = first_of(conn);
    if (conn->is_lingering) {
        return conn->linger_end_ns;
    }
    if (first != NULL && !first->is_done) {
        return CLOCK_NEVER;
    }
    if (first != NULL) {
        return idle_ns + earlier(conn->active_ns, conn->answered_ns + pace_ns(conn->sent));
    }
    if (conn->incoming == NULL) {
        return idle_ns + conn->active_ns;
    }
    return header_ns + (conn->is_in_head
                            ? conn->began_ns
                            : earlier(conn->active_ns, conn->began_ns + pace_ns(conn->incoming->body.len)));
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

// ---- steps

// answer_requests handles and answers what has come; false = the connection is over.
static bool answer_requests(struct http_connection *conn)
{
    for (;;) {
        struct http_request *rq = first_of(conn);
        if (rq == NULL) {
            size_t held = conn->held.len;
            if (held > 0 && !http_connection_resume(conn)) {
                conn->is_read_closed = true;
            }
            if (held == 0 || list_is_empty(&conn->requests)) {
                return true;
            }
            continue;
        }
        if (!rq->is_dispatched) {
            if (conn->server->is_stopping) {
                return false;
            }
            metric_add(conn->server->requests, 1);
            http_request_dispatch(rq);
        }
        if (!rq->is_done) {
            return true;
        }
        enum sent sent = conn->is_hung ? SENT_NEVER : send_first(conn, rq);
        if (sent != SENT_ALL) {
            return sent == SENT_SOME && !conn->server->is_out_of_grace;
        }
        bool keeps_alive = rq->keeps_alive;
        list_remove(&rq->node);
        conn->request_count--;
        conn->sent = 0;
        http_request_destroy(rq);
        if (!keeps_alive) {
            return false;
        }
    }
}

// connection_end frees it; but a client that is still sending a refused body would lose the answer to a
// reset.
static void connection_end(struct http_connection *conn)
{
    if (!conn->must_linger || conn->is_hung || conn->is_lingering || !list_is_empty(&conn->requests) ||
        conn->server->is_stopping) {
        connection_free(conn);
        return;
    }
    conn->is_lingering = true;
    conn->linger_end_ns = loop_now_ns(conn->server->loop) + HTTP_LINGER_MS * (int64_t)NS_PER_MS;
    loop_io_set(conn->server->loop, &conn->io, POLL_READ);
    timer_arm(conn);
}

void http_connection_step(struct http_connection *conn)
{
    conn->is_in_callback = true;
    bool is_alive = answer_requests(conn);
    conn->is_in_callback = false;
    const struct http_request *first = first_of(conn);
    is_alive = is_alive && (first != NULL || send_continue(conn));
    if (!is_alive || (first == NULL && conn->is_read_closed)) {
        connection_end(conn);
        return;
    }
    if (conn->is_hung) {
        return;
    }
    bool has_output = (first != NULL && first->is_done) || conn->continue_sent > 0;
    bool may_read = !conn->is_read_closed && first == NULL; // so that little is held of what is pipelined
    loop_io_set(conn->server->loop, &conn->io, (has_output ? POLL_WRITE : 0) | (may_read ? POLL_READ : 0));
    timer_arm(conn);
}

// read_some takes what has come, at most READ_BYTES.
static void read_some(struct http_connection *conn)
{
    uint8_t bytes[READ_BYTES];
    size_t got = 0;
    struct error error;
    enum err err = sock_recv(conn->sock, bytes, sizeof bytes, &got, &error);
    if (err == ERR_OK && !conn->is_lingering) {
        conn->active_ns = loop_now_ns(conn->server->loop);
        conn->is_read_closed = !http_connection_parse(conn, bytes_of(bytes, got));
    } else if (err != ERR_OK && err != ERR_WOULD_BLOCK) {
        conn->is_read_closed = true;
        conn->must_linger = false;
    }
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct http_connection *conn =
        (struct http_connection *)(void *)((char *)io - offsetof(struct http_connection, io));
    bool is_reading = (io->interest & POLL_READ) != 0;
    if ((ready & POLL_CLOSED) != 0 && !is_reading) {
        // Nobody is there: what a handler works on must still end, but this is not to be told again.
        loop_io_remove(conn->server->loop, io);
        conn->is_hung = true;
        conn->is_read_closed = true;
    } else if ((ready & (POLL_READ | POLL_CLOSED)) != 0 && is_reading) {
        read_some(conn);
    }
    if (!conn->is_lingering) {
        http_connection_step(conn);
    } else if (!conn->must_linger) {
        connection_free(conn); // the client has closed, too
    }
}

void http_connection_open(struct http_server *server, struct sock *take_sock)
{
    struct http_connection *conn = mem_zalloc(sizeof *conn);
    conn->server = server;
    conn->sock = take_sock;
    conn->active_ns = loop_now_ns(server->loop);
    conn->io.ready = on_ready;
    conn->timer.fire = on_timer;
    list_init(&conn->requests);
    buf_init(&conn->held, READ_BYTES);
    http_connection_parse_init(conn);
    list_push_back(&server->connections, &conn->node);
    server->connection_count++;
    loop_io_add(server->loop, &conn->io, take_sock, POLL_READ);
    timer_arm(conn);
}

void http_connection_stop(struct http_connection *conn)
{
    struct http_request *first = first_of(conn);
    if (first == NULL || !first->is_dispatched) {
        connection_free(conn);
        return;
    }
    first->keeps_alive = false;
}

void http_connection_abandon(struct http_connection *conn)
{
    const struct http_request *first = first_of(conn);
    if (first == NULL || first->is_done) {
        connection_free(conn);
    }
}
