// SPDX-License-Identifier: Apache-2.0
// Sockets as a process sees them: never blocking, each call a scheduling point.
#include "platform/sim/sim_private.h"

static struct sim_process *of_net(struct net *net)
{
    return LIST_ENTRY(net, struct sim_process, net);
}

struct sim_sock *sock_of(struct sock *sock)
{
    ASSERT(sock->ops == &sim_sock_ops);
    return (struct sim_sock *)sock;
}

struct sim_sock *sock_create(struct sim_process *process, struct sim_conn *conn, unsigned end)
{
    struct sim_sock *s = sys_zalloc(sizeof *s);
    s->sock.ops = &sim_sock_ops;
    s->process = process;
    s->conn = conn;
    s->end = end;
    list_init(&s->backlog);
    list_push_back(&process->socks, &s->of_process);
    return s;
}

static struct pipe *pipe_out(const struct sim_sock *s)
{
    return &s->conn->pipes[s->end];
}

static struct pipe *pipe_in(const struct sim_sock *s)
{
    return &s->conn->pipes[1 - s->end];
}

unsigned sock_ready(const struct sim_sock *s)
{
    if (s->conn == NULL) {
        return s->backlog_count > 0 ? s->interest & POLL_READ : 0;
    }
    if (s->conn->is_reset || s->conn->is_refused) {
        // As after EPOLLERR and EPOLLHUP: reported whatever was asked for, and every attempt gets its answer.
        return POLL_CLOSED | POLL_READ | (s->interest & POLL_WRITE);
    }
    if (!s->conn->is_open) {
        return 0;
    }
    unsigned ready = 0;
    const struct pipe *in = pipe_in(s);
    if (in->fin_arrived && (s->interest & (POLL_READ | POLL_CLOSED)) != 0) {
        ready |= POLL_READ | POLL_CLOSED;
    }
    if (in->arrived_len > 0) {
        ready |= s->interest & POLL_READ;
    }
    if ((s->interest & POLL_WRITE) != 0 && pipe_room(pipe_out(s)) > 0) {
        ready |= POLL_WRITE;
    }
    return ready;
}

// ---- opening

static enum err sim_listen(struct net *net, struct str host, int port, struct sock **ret_listener,
                           int *ret_port, struct error *e)
{
    struct sim_process *process = of_net(net);
    struct sim_world *world = process->world;
    uint64_t number = process_io(process);
    if (str_equal(host, STR("0.0.0.0")) || str_equal(host, STR("::"))) {
        host = (struct str){0};
    }
    if (host.len >= SIM_HOST_SIZE) {
        return FAIL(e, ERR_IO, "listen on " STR_FMT ": no such address", STR_ARG(host));
    }
    if (port == 0) {
        port = world->next_port++;
    }
    enum err err = ERR_OK;
    LIST_EACH (node, &world->listeners) {
        const struct sim_sock *other = LIST_ENTRY(node, struct sim_sock, of_listeners);
        bool is_same_host = strcmp(other->process->host, process->host) == 0;
        bool overlaps = host.len == 0 || other->host[0] == '\0' || str_equal(str_from_c(other->host), host);
        if (other->port == port && is_same_host && overlaps) {
            err = FAIL(e, ERR_EXISTS, "listen on port %d: address in use", port);
            break;
        }
    }
    if (err == ERR_OK) {
        struct sim_sock *s = sock_create(process, NULL, 0);
        snprintf(s->host, sizeof s->host, STR_FMT, STR_ARG(host));
        s->port = port;
        list_push_back(&world->listeners, &s->of_listeners);
        *ret_listener = &s->sock;
        *ret_port = port;
    }
    trace_verb(world, "listen", host, port, err);
    process_io_done(process, number);
    return err;
}

static enum err sim_connect(struct net *net, struct str host, int port, struct sock **ret_sock,
                            struct error *e)
{
    struct sim_process *process = of_net(net);
    uint64_t number = process_io(process);
    if (host.len >= SIM_HOST_SIZE) {
        return FAIL(e, ERR_IO, "connect to " STR_FMT ": no such host", STR_ARG(host));
    }
    struct sim_conn *conn = conn_create(process, host, port);
    conn->socks[0] = sock_create(process, conn, 0);
    *ret_sock = &conn->socks[0]->sock;
    trace_verb(process->world, "connect", host, conn->ports[0], port);
    process_io_done(process, number);
    return ERR_OK;
}

static enum err sim_connect_done(struct sock *sock, struct error *e)
{
    struct sim_sock *s = sock_of(sock);
    if (s->conn->is_refused || s->conn->is_reset) {
        return FAIL(e, ERR_CLOSED, "connect: connection %s",
                    s->conn->is_refused ? "refused" : "reset by peer");
    }
    return s->conn->is_open ? ERR_OK : ERR_WOULD_BLOCK;
}

static enum err sim_accept(struct sock *listener, struct sock **ret_sock, struct error *e)
{
    struct sim_sock *l = sock_of(listener);
    struct sim_world *world = l->process->world;
    uint64_t number = process_io(l->process);
    if (l->backlog_count == 0) {
        process_io_done(l->process, number);
        return ERR_WOULD_BLOCK;
    }
    if (sim_chance(world, world->net_faults.accept_error)) {
        process_io_done(l->process, number);
        return FAIL(e, ERR_NO_MEMORY, "accept: too many open files (simulated)");
    }
    struct sim_sock *s = LIST_ENTRY(l->backlog.next, struct sim_sock, in_backlog);
    list_remove(&s->in_backlog);
    l->backlog_count--;
    trace_verb(world, "accept", str_from_c(s->conn->hosts[0]), s->conn->ports[0], s->conn->ports[1]);
    *ret_sock = &s->sock;
    process_io_done(l->process, number);
    return ERR_OK;
}

// ---- moving bytes

static enum err sim_recv(struct sock *sock, void *out, size_t len, size_t *ret_len, struct error *e)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->conn != NULL);
    uint64_t number = process_io(s->process);
    enum err err = ERR_WOULD_BLOCK;
    if (pipe_in(s)->arrived_len > 0) {
        *ret_len = pipe_take(pipe_in(s), out, len);
        trace_verb(s->process->world, "recv", (struct str){0}, s->conn->ports[0], (int64_t)*ret_len);
        err = ERR_OK;
    } else if (s->conn->is_reset || s->conn->is_refused) {
        err =
            FAIL(e, ERR_CLOSED, "receive: connection %s", s->conn->is_refused ? "refused" : "reset by peer");
    } else if (pipe_in(s)->fin_arrived) {
        err = FAIL(e, ERR_CLOSED, "end of stream");
    }
    process_io_done(s->process, number);
    return err;
}

// send_room says how much of len may be queued now; 0 with the reason in *ret_err.
static size_t send_room(struct sim_sock *s, size_t len, enum err *ret_err, struct error *e)
{
    struct sim_world *world = s->process->world;
    struct sim_conn *conn = s->conn;
    ASSERT(conn != NULL);
    *ret_err = ERR_OK;
    if (conn->is_reset || conn->is_refused || pipe_out(s)->fin_queued) {
        *ret_err = FAIL(e, ERR_CLOSED, "send: connection closed by the other side");
        return 0;
    }
    size_t room = conn->is_open ? pipe_room(pipe_out(s)) : 0;
    if (room == 0) {
        *ret_err = ERR_WOULD_BLOCK;
        return 0;
    }
    len = len < room ? len : room;
    if (len > 1 && sim_chance(world, world->net_faults.short_send)) {
        len = 1 + (size_t)sim_rand(world, len);
    }
    return len;
}

static enum err sim_send(struct sock *sock, const struct io_slice *slices, size_t count, bool has_more,
                         size_t *ret_len, struct error *e)
{
    struct sim_sock *s = sock_of(sock);
    uint64_t number = process_io(s->process);
    ASSERT(count <= IO_SLICES_MAX);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += slices[i].len;
    }
    enum err err;
    size_t n = send_room(s, len, &err, e);
    if (err == ERR_OK) {
        if (n > 0) {
            pipe_put_bytes(pipe_out(s), slices, count, n);
        }
        pipe_cork(pipe_out(s), has_more && n == len);
        *ret_len = n;
        trace_verb(s->process->world, "send", (struct str){0}, s->conn->ports[0], (int64_t)n);
    }
    process_io_done(s->process, number);
    return err;
}

static enum err sim_send_file(struct sock *sock, struct file *file, int64_t position, size_t len,
                              size_t *ret_len, struct error *e)
{
    struct sim_sock *s = sock_of(sock);
    struct inode *inode = file_inode(file);
    uint64_t number = process_io(s->process);
    size_t left = position < inode->size ? (size_t)(inode->size - position) : 0;
    enum err err;
    size_t n = send_room(s, len < left ? len : left, &err, e);
    if (err == ERR_OK && left == 0 && len > 0) {
        err = FAIL(e, ERR_IO, "send file: position %lld is behind its end", (long long)position);
    }
    if (err == ERR_OK) {
        if (n > 0) {
            pipe_put_file(pipe_out(s), inode, position, n);
        }
        pipe_cork(pipe_out(s), false);
        *ret_len = n;
        trace_verb(s->process->world, "send file", (struct str){0}, s->conn->ports[0], (int64_t)n);
    }
    process_io_done(s->process, number);
    return err;
}

static struct str sim_name(struct sock *sock, bool is_peer, char *text, size_t size)
{
    const struct sim_sock *s = sock_of(sock);
    int n;
    if (s->conn == NULL) {
        n = snprintf(text, size, "%s:%d", s->host[0] == '\0' ? s->process->host : s->host, s->port);
    } else {
        unsigned end = is_peer ? 1 - s->end : s->end;
        n = snprintf(text, size, "%s:%d", s->conn->hosts[end], s->conn->ports[end]);
    }
    ASSERT(n > 0 && (size_t)n < size);
    return (struct str){text, (size_t)n};
}

// ---- closing

static void listener_end(struct sim_sock *s, bool is_power_cut)
{
    list_remove(&s->of_listeners);
    while (!list_is_empty(&s->backlog)) {
        struct sim_sock *waiting = LIST_ENTRY(s->backlog.next, struct sim_sock, in_backlog);
        list_remove(&waiting->in_backlog);
        conn_reset_later(waiting->conn, is_power_cut);
        sock_end(waiting, is_power_cut);
    }
}

static void conn_end(struct sim_sock *s, bool is_power_cut)
{
    struct sim_conn *conn = s->conn;
    conn->socks[s->end] = NULL;
    bool has_unread = pipe_in(s)->arrived_len > 0;
    if (is_power_cut) {
        pipe_drop_queue(pipe_out(s)); // it was in the memory of the dead host
    }
    if (conn->is_open && !conn->is_reset && (has_unread || is_power_cut)) {
        conn_reset_later(conn, is_power_cut); // RFC 9293 3.10.7.1: unread data at close makes a reset
    } else if (!pipe_out(s)->fin_queued) {
        pipe_out(s)->fin_queued = true;
        pipe_out(s)->is_corked = false;
        pipe_arm(pipe_out(s));
    }
    pipe_arm(pipe_in(s)); // what still comes finds nobody
    conn_free_if_over(conn);
}

void sock_end(struct sim_sock *s, bool is_power_cut)
{
    sock_forget_poller(s);
    list_remove(&s->of_process);
    if (s->conn == NULL) {
        listener_end(s, is_power_cut);
    } else {
        conn_end(s, is_power_cut);
    }
    sys_free(s);
}

static void sim_sock_close(struct sock *sock)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->poller == NULL); // poller_remove comes before sock_close
    trace_verb(s->process->world, "close", (struct str){0}, s->conn == NULL ? s->port : s->conn->ports[0],
               s->end);
    sock_end(s, false);
}

void sim_sock_shut(struct sock *sock)
{
    struct sim_sock *s = sock_of(sock);
    ASSERT(s->conn != NULL);
    pipe_out(s)->fin_queued = true;
    pipe_cork(pipe_out(s), false);
}

void net_process_gone(struct sim_process *process, bool is_power_cut)
{
    while (!list_is_empty(&process->pollers)) {
        poller_drop(LIST_ENTRY(process->pollers.next, struct sim_poller, of_process));
    }
    // Listeners first: they end the connections that nobody has accepted.
    LIST_EACH_SAFE (node, after, &process->socks) {
        struct sim_sock *s = LIST_ENTRY(node, struct sim_sock, of_process);
        while (s->conn == NULL && !list_is_empty(&s->backlog)) {
            struct sim_sock *waiting = LIST_ENTRY(s->backlog.next, struct sim_sock, in_backlog);
            list_remove(&waiting->in_backlog);
            s->backlog_count--;
        }
    }
    while (!list_is_empty(&process->socks)) {
        sock_end(LIST_ENTRY(process->socks.next, struct sim_sock, of_process), is_power_cut);
    }
}

const struct sock_ops sim_sock_ops = {
    .accept = sim_accept,
    .recv = sim_recv,
    .send = sim_send,
    .send_file = sim_send_file,
    .connect_done = sim_connect_done,
    .name = sim_name,
    .close = sim_sock_close,
};

const struct net_ops sim_net_ops = {
    .listen = sim_listen,
    .connect = sim_connect,
    .poller_open = sim_poller_open,
};
