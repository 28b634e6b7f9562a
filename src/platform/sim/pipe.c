// SPDX-License-Identifier: Apache-2.0
// One direction of a connection: a queue on the sender's side, bytes that have arrived on the receiver's, and
// a delivery event that moves a random piece from one to the other. A queued file range is read only then, as
// a kernel does, so the peer sees what the file holds at that moment.
#include "platform/sim/sim_private.h"

enum { SMALL_SEGMENT_MAX = 32, LARGE_SEGMENT_MAX = 64 << 10, PIPE_DEFAULT = 64 << 10, CORK_NS = 200000000 };

static struct sim_sock *receiver_of(const struct pipe *pipe)
{
    return pipe->conn->socks[1 - pipe->from];
}

static const char *host_of(const struct pipe *pipe, unsigned end)
{
    return pipe->conn->hosts[end];
}

static void chunk_free(struct chunk *chunk)
{
    list_remove(&chunk->of_pipe);
    inode_unref(chunk->inode);
    sys_free(chunk);
}

static void queue_drop(struct pipe *pipe)
{
    while (!list_is_empty(&pipe->queue)) {
        chunk_free(LIST_ENTRY(pipe->queue.next, struct chunk, of_pipe));
    }
    pipe->queued = 0;
}

// arrived_reserve makes room for n more bytes at the end of what has arrived.
static uint8_t *arrived_reserve(struct pipe *pipe, size_t n)
{
    if (pipe->arrived_head > 0) {
        memmove(pipe->arrived, pipe->arrived + pipe->arrived_head, pipe->arrived_len);
        pipe->arrived_head = 0;
    }
    if (pipe->arrived_len + n > pipe->arrived_cap) {
        pipe->arrived_cap = pipe->arrived_len + n;
        pipe->arrived_cap = pipe->arrived_cap * 2 < pipe->limit ? pipe->arrived_cap * 2 : pipe->limit;
        pipe->arrived = sys_realloc(pipe->arrived, pipe->arrived_cap);
    }
    return pipe->arrived + pipe->arrived_len;
}

static void pipe_move(struct pipe *pipe, size_t n)
{
    uint8_t *out = arrived_reserve(pipe, n);
    size_t left = n;
    while (left > 0) {
        struct chunk *chunk = LIST_ENTRY(pipe->queue.next, struct chunk, of_pipe);
        size_t piece = chunk->len - chunk->done < left ? chunk->len - chunk->done : left;
        if (chunk->inode != NULL) {
            size_t got = inode_read(chunk->inode, chunk->position + (int64_t)chunk->done, out, piece);
            memset(out + got, 0, piece - got); // cut off since
        } else {
            memcpy(out, chunk->bytes + chunk->done, piece);
        }
        out += piece;
        left -= piece;
        chunk->done += piece;
        if (chunk->done == chunk->len) {
            chunk_free(chunk);
        }
    }
    world_hash_bytes(pipe->conn->world, pipe->arrived + pipe->arrived_len, n);
    pipe->arrived_len += n;
    pipe->queued -= n;
}

static size_t segment_size(struct pipe *pipe)
{
    struct sim_world *world = pipe->conn->world;
    size_t size = LARGE_SEGMENT_MAX;
    if (sim_chance(world, world->net_faults.small_segment)) {
        size = 1 + (size_t)sim_rand(world, SMALL_SEGMENT_MAX);
    }
    size_t room = pipe->limit - pipe->arrived_len;
    size = size < room ? size : room;
    return size < pipe->queued ? size : pipe->queued;
}

static void pipe_deliver(struct sim_world *world, struct sim_event *event)
{
    struct pipe *pipe = LIST_ENTRY(event, struct pipe, deliver);
    struct sim_conn *conn = pipe->conn;
    if (net_is_blocked(world, host_of(pipe, pipe->from), host_of(pipe, 1 - pipe->from))) {
        return; // sim_net_heal arms it again
    }
    pipe->is_corked = false;
    if (receiver_of(pipe) == NULL) {
        queue_drop(pipe);
        if (pipe->fin_queued) {
            pipe->fin_arrived = true;
            conn_free_if_over(conn);
        } else if (!event_is_set(&conn->reset)) {
            conn_reset_now(conn); // nobody reads there any more
        }
        return;
    }
    size_t n = segment_size(pipe);
    bool is_reset = sim_chance(world, world->net_faults.reset);
    if (is_reset) {
        n = n == 0 ? 0 : (size_t)sim_rand(world, n + 1);
    }
    pipe_move(pipe, n);
    trace_verb(world, "deliver to", str_from_c(receiver_of(pipe)->process->name), conn->ports[0], (int64_t)n);
    if (is_reset) {
        conn_reset_now(conn);
        return;
    }
    if (pipe->queued == 0 && pipe->fin_queued) {
        pipe->fin_arrived = true;
    }
    sock_notify(receiver_of(pipe));
    sock_notify(conn->socks[pipe->from]);
    pipe_arm(pipe);
    conn_free_if_over(conn);
}

void pipe_init(struct pipe *pipe, struct sim_conn *conn, unsigned from)
{
    *pipe = (struct pipe){.conn = conn, .from = from};
    pipe->deliver.fire = pipe_deliver;
    size_t limit = conn->world->net_faults.buffer_bytes;
    pipe->limit = limit == 0 ? PIPE_DEFAULT : limit;
    list_init(&pipe->queue);
}

void pipe_drop_queue(struct pipe *pipe)
{
    event_cancel(pipe->conn->world, &pipe->deliver);
    queue_drop(pipe);
}

void pipe_fini(struct pipe *pipe)
{
    pipe_drop_queue(pipe);
    sys_free(pipe->arrived);
    pipe->arrived = NULL;
    pipe->arrived_head = pipe->arrived_len = pipe->arrived_cap = 0;
}

// A pipe that is not armed has nothing to deliver, no room to deliver it to, or is blocked by a fault.
void pipe_arm(struct pipe *pipe)
{
    struct sim_world *world = pipe->conn->world;
    bool has_fin = pipe->fin_queued && !pipe->fin_arrived && pipe->queued == 0;
    bool has_bytes = pipe->queued > 0 && (pipe->arrived_len < pipe->limit || receiver_of(pipe) == NULL);
    if (!pipe->conn->is_open || pipe->conn->is_reset || event_is_set(&pipe->deliver) ||
        (!has_fin && !has_bytes)) {
        return;
    }
    event_set(world, &pipe->deliver, world->now_ns + (pipe->is_corked ? CORK_NS : net_delay_ns(world)));
}

size_t pipe_room(const struct pipe *pipe)
{
    return pipe->limit - pipe->queued;
}

// A cork keeps a lone piece back until more comes or, as in Linux, 200 ms have passed.
void pipe_cork(struct pipe *pipe, bool has_more)
{
    struct sim_world *world = pipe->conn->world;
    if (has_more && !event_is_set(&pipe->deliver)) {
        pipe->is_corked = true;
    } else if (!has_more && pipe->is_corked) {
        pipe->is_corked = false;
        event_cancel(world, &pipe->deliver);
    }
    pipe_arm(pipe);
}

void pipe_put_bytes(struct pipe *pipe, const struct io_slice *slices, size_t count, size_t len)
{
    struct chunk *chunk = sys_realloc(NULL, sizeof *chunk + len);
    *chunk = (struct chunk){.len = len};
    size_t at = 0;
    for (size_t i = 0; i < count && at < len; i++) {
        size_t n = slices[i].len < len - at ? slices[i].len : len - at;
        if (n > 0) {
            memcpy(chunk->bytes + at, slices[i].ptr, n);
        }
        at += n;
    }
    list_push_back(&pipe->queue, &chunk->of_pipe);
    pipe->queued += len;
}

void pipe_put_file(struct pipe *pipe, struct inode *inode, int64_t position, size_t len)
{
    struct chunk *chunk = sys_zalloc(sizeof *chunk);
    chunk->inode = inode_ref(inode);
    chunk->position = position;
    chunk->len = len;
    list_push_back(&pipe->queue, &chunk->of_pipe);
    pipe->queued += len;
}

size_t pipe_take(struct pipe *pipe, void *out, size_t len)
{
    len = len < pipe->arrived_len ? len : pipe->arrived_len;
    memcpy(out, pipe->arrived + pipe->arrived_head, len);
    pipe->arrived_head += len;
    pipe->arrived_len -= len;
    if (pipe->arrived_len == 0) {
        pipe->arrived_head = 0;
    }
    pipe_arm(pipe); // the window has opened
    return len;
}
