// SPDX-License-Identifier: Apache-2.0
// connection.c - one client's socket: open, step, close. A step reads what is there, starts what may start,
// sends what is done; it runs when the socket is ready or when an answer was completed. Nothing here waits.
#include "base/assert.h"
#include "base/mem.h"
#include "kafka/front_private.h"

static const int64_t NEVER_NS = 86400LL * 1000000000; // looked at again then

static void connection_cancel(struct connection *conn)
{
    LIST_EACH (node, &conn->requests) {
        struct request *rq = LIST_ENTRY(node, struct request, node);
        if (!rq->is_done && rq->cancel != NULL) {
            rq->cancel(rq);
        }
    }
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct connection *conn = (struct connection *)(void *)((char *)io - offsetof(struct connection, io));
    ASSERT(conn->magic == CONNECTION_MAGIC);
    if ((ready & io->interest & POLL_CLOSED) != 0) {
        conn->is_hung = true; // seen while not reading: the step lets go of what waits
        connection_step(conn);
        return;
    }
    bool was_read_closed = conn->is_read_closed;
    if ((ready & (POLL_READ | POLL_CLOSED)) != 0 && !conn->is_read_closed && !input_read(conn)) {
        connection_close(conn);
        return;
    }
    if ((ready & POLL_CLOSED) != 0 && was_read_closed) {
        // Gone, not half closed: the poller would report it until the last request is done.
        conn->is_unplugged = true;
        loop_io_remove(conn->front->loop, io);
    }
    connection_step(conn);
}

// has_answer: there is something that the client could take, or has taken a part of.
static bool has_answer(const struct connection *conn)
{
    return conn->resolved_bytes > 0 || !output_is_empty(conn);
}

// next_check_ns: when this connection may have been idle, or slow, for too long.
static int64_t next_check_ns(const struct connection *conn)
{
    const struct kafka_options *options = &conn->front->options;
    int64_t frame_limit_ns = options->first_frame_ms * 1000000;
    if (!conn->is_first_done) {
        return conn->opened_ns + frame_limit_ns; // the first frame whole, however it trickles in
    }
    if (conn->is_muted) {
        return conn->unmute_ns + frame_limit_ns;
    }
    if (conn->has_turn) {
        return conn->turn_end_ns;
    }
    if (conn->frame_ns != 0 || has_answer(conn)) {
        return conn->active_ns + frame_limit_ns; // later ones, and answers: some progress
    }
    int64_t idle_ns = options->idle_ms * 1000000;
    return options->idle_ms < 0 ? loop_now_ns(conn->front->loop) + NEVER_NS : conn->active_ns + idle_ns;
}

// A client that takes its answer slowly is borne, unless others lack the memory that waits for it.
static bool is_slow_reader(const struct connection *conn)
{
    const struct pool *pool = broker_pool(conn->front->broker);
    return pool_used_bytes(pool) > pool_limit_bytes(pool) / 4 * 3 || !mem_has_room(MEM_SHARE_STATE, 0);
}

// is_over: at the time of its check, whether the connection has to go; *ret_is_slow: for the metrics.
static bool is_over(struct connection *conn, bool *ret_is_slow)
{
    bool is_working = conn->request_count > 0;
    *ret_is_slow = true;
    if (conn->has_turn && queue_turn_renew(conn)) {
        return false;
    }
    queue_turn_end(conn); // whoever stays does not keep the others waiting
    if (has_answer(conn) && conn->frame_ns == 0) {
        return is_slow_reader(conn);
    }
    *ret_is_slow = conn->frame_ns != 0 || !conn->is_first_done;
    return !is_working;
}

static void on_timer(struct timer *timer)
{
    struct connection *conn =
        (struct connection *)(void *)((char *)timer - offsetof(struct connection, timer));
    struct kafka_front *front = conn->front;
    bool is_slow = false;
    if (next_check_ns(conn) <= loop_now_ns(front->loop) && is_over(conn, &is_slow)) {
        metric_add(is_slow ? front->metric_slow : front->metric_idle, 1);
        connection_close(conn);
        return;
    }
    int64_t due_ns = next_check_ns(conn);
    int64_t soonest_ns = loop_now_ns(front->loop) + 1000000000;
    loop_timer_set(front->loop, timer, due_ns > soonest_ns ? due_ns : soonest_ns);
}

static void on_unmute(struct timer *timer)
{
    struct connection *conn =
        (struct connection *)(void *)((char *)timer - offsetof(struct connection, unmute));
    conn->is_muted = false;
    conn->active_ns = loop_now_ns(conn->front->loop); // its silence was ours
    connection_mark(conn);
}

void connection_mute(struct connection *conn, int64_t wait_ns)
{
    int64_t until_ns = loop_now_ns(conn->front->loop) + wait_ns;
    if (conn->sock != NULL && (!conn->is_muted || until_ns > conn->unmute_ns)) {
        conn->is_muted = true;
        conn->unmute_ns = until_ns;
        loop_timer_set(conn->front->loop, &conn->unmute, until_ns);
    }
}

void connection_open(struct kafka_front *front, struct sock *take_sock, struct ip_count *ip)
{
    struct connection *conn = mem_zalloc(sizeof *conn);
    conn->magic = CONNECTION_MAGIC;
    conn->front = front;
    conn->sock = take_sock;
    conn->ip = ip;
    conn->read_hint = READ_CHUNK_MIN;
    conn->opened_ns = conn->active_ns = loop_now_ns(front->loop);
    conn->timer.fire = on_timer;
    conn->unmute.fire = on_unmute;
    conn->io.ready = on_ready;
    list_init(&conn->requests);
    produce_lane_init(&conn->lane);
    list_push_back(&front->connections, &conn->node);
    front->connection_count++;
    metric_add(front->metric_connections, 1);
    loop_io_add(front->loop, &conn->io, take_sock, POLL_READ);
    loop_timer_set(front->loop, &conn->timer, next_check_ns(conn));
}

// connection_close drops the socket at once; requests that are still being worked on keep the struct alive.
void connection_close(struct connection *conn)
{
    struct kafka_front *front = conn->front;
    if (conn->sock != NULL) {
        if (!conn->is_unplugged) {
            loop_io_remove(front->loop, &conn->io);
        }
        sock_close(conn->sock);
        conn->sock = NULL;
        conn->is_closing = true;
        loop_timer_cancel(front->loop, &conn->timer);
        loop_timer_cancel(front->loop, &conn->unmute);
        output_fini(conn);
        input_fini(conn);
        queue_turn_end(conn);
        queue_promise_end(conn);
        queue_resume(conn);
        list_remove(&conn->thirsty);
        queue_remove(front, &conn->queued);
        gate_leave(front->gate, conn->ip);
        connection_cancel(conn);
    }
    LIST_EACH_SAFE (node, after, &conn->requests) {
        struct request *rq = LIST_ENTRY(node, struct request, node);
        if (rq->is_done) {
            list_remove(&rq->node);
            conn->request_count--;
            request_destroy(rq);
        }
    }
    if (!list_is_empty(&conn->requests) || conn->is_parsing) {
        return; // request_reply of the last one comes back here
    }
    list_remove(&conn->dirty);
    list_remove(&conn->node);
    front->connection_count--;
    metric_add(front->metric_connections, -1);
    mem_free(conn);
    front_flush_later(front);
}

void connection_mark(struct connection *conn)
{
    struct kafka_front *front = conn->front;
    if (!list_is_linked(&conn->dirty)) {
        list_push_back(&front->dirty, &conn->dirty);
    }
    front_flush_later(front);
}

bool connection_is_held(const struct connection *conn)
{
    return conn->is_read_closed || conn->is_muted ||
           conn->answered_bytes > conn->front->options.output_bytes_max || conn->front->is_stopping;
}

void connection_step(struct connection *conn)
{
    if (conn->sock == NULL) {
        connection_close(conn);
        return;
    }
    bool is_fine = true;
    conn->is_parsing = true;
    for (;;) {
        uint32_t before = conn->request_count;
        is_fine = output_flush(conn) && input_parse(conn) && conn->sock != NULL;
        bool has_done = !list_is_empty(&conn->requests) &&
                        LIST_ENTRY(conn->requests.next, struct request, node)->is_done &&
                        conn->piece_count < OUT_PIECES_MAX / 2 && conn->resolved_bytes < OUT_RESOLVED_MAX;
        if (!is_fine || !has_done || before == conn->request_count) {
            break;
        }
    }
    conn->is_parsing = false;
    bool is_drained = list_is_empty(&conn->requests) && output_is_empty(conn);
    bool is_over = is_drained && (conn->is_read_closed || conn->front->is_stopping);
    if (!is_fine || is_over || (conn->is_closing && is_drained)) {
        connection_close(conn);
        return;
    }
    if (conn->is_read_closed || conn->is_hung || conn->front->is_stopping) {
        connection_cancel(conn); // nobody waits for new records any more
    }
    unsigned interest = output_is_empty(conn) ? 0 : POLL_WRITE;
    bool may_read = !conn->is_starved && !input_has_frame(conn) && !connection_is_held(conn);
    interest |= may_read ? POLL_READ : 0;
    interest |= !may_read && !conn->is_read_closed && !conn->is_hung ? POLL_CLOSED : 0;
    if (!conn->is_unplugged) {
        loop_io_set(conn->front->loop, &conn->io, interest);
    }
    if (conn->frame_ns != 0 || has_answer(conn)) {
        // A frame begun must be completed, an answer taken; the idle check alone would come too late.
        int64_t due_ns = next_check_ns(conn);
        if (conn->timer.node.key > due_ns) {
            loop_timer_set(conn->front->loop, &conn->timer, due_ns);
        }
    }
}
