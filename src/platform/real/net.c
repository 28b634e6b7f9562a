// SPDX-License-Identifier: Apache-2.0
// Non-blocking TCP over IPv4 and IPv6. Names are resolved by getaddrinfo, which blocks: callers that may not
// block give numeric addresses or use a thread.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/real/real.h"
#include "platform/real/real_private.h"

enum {
    HOST_SIZE = 256,
    LISTEN_BACKLOG = 1024,
    ACCEPT_TRIES_MAX = 16, // connections that died in the backlog, skipped at once
    SEND_FILE_MAX = 1 << 30,
    // A peer that vanished without a word is noticed after 60 + 6 * 10 s.
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 6,
};

struct real_sock {
    struct sock base;
    int fd;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

static struct real_sock *sock_of(struct sock *base);

static enum err sock_fail(struct error *e, int error, const char *verb)
{
    char text[REAL_TEXT_SIZE];
    switch (error) {
    case EAGAIN:
        return FAIL(e, ERR_WOULD_BLOCK, "%s: would block", verb);
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENOTCONN:
        return FAIL(e, ERR_CLOSED, "%s: %s", verb, real_errno_text(error, text));
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return FAIL(e, ERR_NO_MEMORY, "%s: %s", verb, real_errno_text(error, text));
    default:
        return FAIL(e, ERR_IO, "%s: %s", verb, real_errno_text(error, text));
    }
}

static struct sock *sock_wrap(int fd);

// ---- sockets

// accept(2) reports errors that belong to the connection that was waiting, not to the listener: those are
// skipped.
static bool accept_error_is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == ENETUNREACH || error == ETIMEDOUT || error == EPERM;
}

static enum err real_accept(struct sock *listener, struct sock **ret_sock, struct error *e)
{
    int fd = -1;
    for (int tries = 0; tries < ACCEPT_TRIES_MAX; tries++) {
        fd = accept4(sock_of(listener)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            *ret_sock = sock_wrap(fd);
            return ERR_OK;
        }
        if (!accept_error_is_passing(errno)) {
            return sock_fail(e, errno, "accept");
        }
    }
    return sock_fail(e, EAGAIN, "accept"); // the poller comes back
}

static enum err real_recv(struct sock *s, void *out, size_t len, size_t *ret_len, struct error *e)
{
    ssize_t moved;
    do {
        moved = recv(sock_of(s)->fd, out, len, 0);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return sock_fail(e, errno, "receive");
    }
    if (moved == 0) {
        return FAIL(e, ERR_CLOSED, "end of stream");
    }
    *ret_len = (size_t)moved;
    return ERR_OK;
}

static enum err real_send(struct sock *s, const struct io_slice *slices, size_t count, bool has_more,
                          size_t *ret_len, struct error *e)
{
    // The kernel takes no more slices at once than that; sending less than asked is allowed.
    size_t taken = count < IO_SLICES_MAX ? count : IO_SLICES_MAX;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)slices, .msg_iovlen = taken};
    int flags = MSG_NOSIGNAL | (has_more || taken < count ? MSG_MORE : 0);
    ssize_t moved;
    do {
        moved = sendmsg(sock_of(s)->fd, &message, flags);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return sock_fail(e, errno, "send");
    }
    *ret_len = (size_t)moved;
    return ERR_OK;
}

static enum err real_send_file(struct sock *s, struct file *f, int64_t position, size_t len, size_t *ret_len,
                               struct error *e)
{
    size_t asked = len < SEND_FILE_MAX ? len : SEND_FILE_MAX;
    ssize_t moved;
    do {
        off_t from = position;
        moved = sendfile(sock_of(s)->fd, real_file_fd(f), &from, asked);
    } while (moved < 0 && errno == EINTR);
    if (moved < 0) {
        return sock_fail(e, errno, "send file");
    }
    if (moved == 0 && asked > 0) {
        return FAIL(e, ERR_IO, "send file: the file ends before position %lld", (long long)position);
    }
    *ret_len = (size_t)moved;
    return ERR_OK;
}

static enum err real_connect_done(struct sock *s, struct error *e)
{
    int fd = sock_of(s)->fd;
    int error = 0;
    socklen_t size = sizeof error;
    ASSERT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
    if (error != 0) {
        return sock_fail(e, error, "connect");
    }
    union address peer;
    size = sizeof peer;
    if (getpeername(fd, &peer.any, &size) != 0) {
        return sock_fail(e, errno == ENOTCONN ? EAGAIN : errno, "connect");
    }
    return ERR_OK;
}

static struct str address_format(const union address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    int len = 0;
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        len = snprintf(text, size, "%s:%u", host, (unsigned)ntohs(address->v4.sin_port));
    } else if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) { // an IPv4 client of a dual-stack listener
        inet_ntop(AF_INET, address->v6.sin6_addr.s6_addr + 12, host, sizeof host);
        len = snprintf(text, size, "%s:%u", host, (unsigned)ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        len = snprintf(text, size, "[%s]:%u", host, (unsigned)ntohs(address->v6.sin6_port));
    }
    ASSERT(len > 0 && (size_t)len < size);
    return (struct str){text, (size_t)len};
}

static struct str real_name(struct sock *s, bool is_peer, char *text, size_t size)
{
    union address address;
    socklen_t length = sizeof address;
    int fd = sock_of(s)->fd;
    int status = is_peer ? getpeername(fd, &address.any, &length) : getsockname(fd, &address.any, &length);
    if (status != 0) {
        return STR("unknown"); // the peer has gone
    }
    return address_format(&address, text, size);
}

static void real_sock_close(struct sock *s)
{
    struct real_sock *sock = sock_of(s);
    (void)close(sock->fd);
    mem_free(sock);
}

static const struct sock_ops real_sock_ops = {
    .accept = real_accept,
    .recv = real_recv,
    .send = real_send,
    .send_file = real_send_file,
    .connect_done = real_connect_done,
    .name = real_name,
    .close = real_sock_close,
};

static struct real_sock *sock_of(struct sock *base)
{
    ASSERT(base->ops == &real_sock_ops);
    return (struct real_sock *)base;
}

static struct sock *sock_wrap(int fd)
{
    struct real_sock *sock = mem_zalloc(sizeof *sock);
    sock->base.ops = &real_sock_ops;
    sock->fd = fd;
    return &sock->base;
}

int real_sock_fd(struct sock *sock)
{
    return sock_of(sock)->fd;
}

// ---- listening and connecting

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : errno;
}

// Linux copies all of these, and the congestion control, from a listener to what it accepts. Best effort: a
// socket without them still works.
static void stream_options_set(int fd)
{
    (void)option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    (void)option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    (void)option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static int congestion_set(int fd, const char *name)
{
    if (name[0] == '\0') {
        return 0;
    }
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0 ? 0 : errno;
}

static enum err host_resolve(struct str host, int port, int flags, struct addrinfo **ret_list,
                             struct error *e)
{
    char host_text[HOST_SIZE];
    char port_text[8];
    if (host.len >= sizeof host_text || (host.len > 0 && memchr(host.ptr, '\0', host.len) != NULL)) {
        return FAIL(e, ERR_NOT_FOUND, "host name of %zu bytes", host.len);
    }
    if (host.len > 0) {
        memcpy(host_text, host.ptr, host.len);
    }
    host_text[host.len] = '\0';
    snprintf(port_text, sizeof port_text, "%d", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    int status = getaddrinfo(host.len == 0 ? NULL : host_text, port_text, &hints, ret_list);
    if (status != 0) {
        return FAIL(e, ERR_NOT_FOUND, "host %s: %s", host_text, gai_strerror(status));
    }
    return ERR_OK;
}

// address_listen returns a listening descriptor, or minus an errno value.
static int address_listen(const struct real_net *n, const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && at->ai_family == AF_INET6) {
        // "::" also takes IPv4 unless a sysctl says otherwise; make it so everywhere.
        error = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (error == 0) {
        stream_options_set(fd);
        error = congestion_set(fd, n->congestion);
    }
    if (error == 0 && bind(fd, at->ai_addr, at->ai_addrlen) != 0) {
        error = errno;
    }
    if (error == 0 && listen(fd, LISTEN_BACKLOG) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)close(fd);
        return -error;
    }
    return fd;
}

// address_connect returns a connecting or connected descriptor, or minus an errno value.
static int address_connect(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    stream_options_set(fd);
    if (connect(fd, at->ai_addr, at->ai_addrlen) != 0 && errno != EINPROGRESS && errno != EINTR) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    return fd;
}

static enum err real_listen(struct net *base, struct str host, int port, struct sock **ret_listener,
                            int *ret_port, struct error *e)
{
    struct real_net *n = (struct real_net *)base;
    struct addrinfo *list = NULL;
    // All addresses: one dual-stack socket where there is IPv6, else IPv4.
    static const int families_any[] = {AF_INET6, AF_INET};
    static const int families_named[] = {AF_INET, AF_INET6};
    const int *families = host.len == 0 ? families_any : families_named;
    enum err err = host_resolve(host, port, AI_PASSIVE, &list, e);
    if (err != ERR_OK) {
        return err;
    }
    int fd = -EADDRNOTAVAIL;
    for (int i = 0; i < 2 && fd < 0 && fd != -EADDRINUSE; i++) {
        for (const struct addrinfo *at = list; at != NULL && fd < 0 && fd != -EADDRINUSE; at = at->ai_next) {
            fd = at->ai_family == families[i] ? address_listen(n, at) : fd;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        char text[REAL_TEXT_SIZE];
        return FAIL(e, fd == -EADDRINUSE ? ERR_EXISTS : ERR_IO, "listen on " STR_FMT ":%d: %s", STR_ARG(host),
                    port, real_errno_text(-fd, text));
    }
    union address bound;
    socklen_t size = sizeof bound;
    ASSERT(getsockname(fd, &bound.any, &size) == 0);
    *ret_port = ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
    *ret_listener = sock_wrap(fd);
    return ERR_OK;
}

// IPv4 goes first: "localhost" names both loopbacks, and a listener on 127.0.0.1 is the default of Kafka and
// ours. An address that refuses at once (as loopback does) is followed by the next.
static enum err real_connect(struct net *base, struct str host, int port, struct sock **ret_sock,
                             struct error *e)
{
    (void)base;
    static const int families[] = {AF_INET, AF_INET6};
    struct addrinfo *list = NULL;
    enum err err = host_resolve(host, port, 0, &list, e);
    if (err != ERR_OK) {
        return err;
    }
    int fd = -EADDRNOTAVAIL;
    for (int i = 0; i < 2 && fd < 0; i++) {
        for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
            fd = at->ai_family == families[i] ? address_connect(at) : fd;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        err = sock_fail(e, -fd == EAGAIN ? EADDRNOTAVAIL : -fd, "connect");
        error_wrap(e, STR_FMT ":%d", STR_ARG(host), port);
        return err;
    }
    *ret_sock = sock_wrap(fd);
    return ERR_OK;
}

static const struct net_ops real_net_ops = {
    .listen = real_listen,
    .connect = real_connect,
    .poller_open = real_poller_open,
};

struct net *real_net_open(void)
{
    struct real_net *n = mem_zalloc(sizeof *n);
    n->base.ops = &real_net_ops;
    return &n->base;
}

void real_net_close(struct net *take_net)
{
    mem_free(take_net);
}

enum err real_net_set_congestion(struct env *env, struct str name, struct error *e)
{
    ASSERT(env->net->ops == &real_net_ops);
    struct real_net *n = (struct real_net *)env->net;
    char text[REAL_CONGESTION_SIZE] = "";
    if (name.len >= sizeof text || (name.len > 0 && memchr(name.ptr, '\0', name.len) != NULL)) {
        return FAIL(e, ERR_INVALID_CONFIG, "TCP congestion control: a name of %zu bytes", name.len);
    }
    if (name.len > 0) {
        memcpy(text, name.ptr, name.len);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); // only to ask the kernel
    int error = fd < 0 ? errno : congestion_set(fd, text);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (error != 0) {
        char reason[REAL_TEXT_SIZE];
        return FAIL(e, ERR_INVALID_CONFIG, "TCP congestion control %s: %s", text,
                    real_errno_text(error, reason));
    }
    memcpy(n->congestion, text, sizeof text);
    return ERR_OK;
}
