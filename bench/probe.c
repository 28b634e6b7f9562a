// SPDX-License-Identifier: Apache-2.0
// probe.c - the ceiling of this machine: the least that a durable broker must do, on one core. Produce:
// receive a frame, sum it (CRC-32C), write it with others to a recycled (pre-written) file, one fdatasync for
// the group, answer. Fetch: answer with bytes from a file (sendfile, or pread and send)
// or from memory (send). Frames and
// answers have the sizes and places of Kafka's Produce v13 and Fetch v16 with one partition, so that load.c
// sends the same bytes to the probe and to Strom; nothing else of the protocol exists here.
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"

enum {
    FRAME_MAX = 8 << 20,
    INPUT_SIZE_MIN = 256 << 10,
    EVENTS_MAX = 256,
    GROUP_MAX = 512, // frames of one commit
    PRODUCE_ANSWER_SIZE = 66,
    FETCH_HEAD_SIZE = 72, // without the length of the records
    FETCH_TAIL_SIZE = 3,
    MEMORY_SLOTS = 8,
    PREAD_SIZE = 256 << 10,
};

struct connection {
    int fd;
    uint8_t *in;
    size_t in_cap, in_len;
    size_t taken; // bytes of `in` that are whole frames, waiting for the commit
    uint8_t *out; // answers to produce
    size_t out_len;
    uint8_t head[FETCH_HEAD_SIZE + 5];
    size_t head_len;
    size_t moved; // of the fetch answer that is being sent
    int64_t position;
    bool is_fetching;
    bool is_writable_wanted;
    int index;
};

struct frame_prefix { // before each frame in the log
    uint32_t len;
    uint32_t crc;
};

static struct {
    int epoll;
    int file;
    int64_t file_bytes, file_position;
    bool is_cached; // answers once the page cache has it
    size_t fetch_bytes;
    uint8_t *memory; // NULL: fetch from the file
    uint8_t *piece;  // PREAD_SIZE: read it and send it; NULL: sendfile
    struct frame_prefix prefixes[GROUP_MAX];
    struct iovec slices[GROUP_MAX * 2];
    struct connection *group[GROUP_MAX];
    int group_count;
    size_t group_bytes;
    int connection_count;
} probe;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

static void connection_close(struct connection *c)
{
    close(c->fd);
    mem_free(c->in);
    mem_free(c->out);
    mem_free(c);
}

// ---- produce

static void answer_append(struct connection *c, const uint8_t *frame)
{
    uint8_t *a = c->out + c->out_len;
    memset(a, 0, PRODUCE_ANSWER_SIZE);
    put_be32(a, PRODUCE_ANSWER_SIZE - 4);
    memcpy(a + 4, frame + 8, 4); // correlation id
    a[9] = 2;                    // one topic
    a[26] = 2;                   // one partition
    a[57] = 1;                   // no record errors
    c->out_len += PRODUCE_ANSWER_SIZE;
}

static void write_group(void)
{
    int64_t total = (int64_t)(probe.group_bytes + (size_t)probe.group_count * sizeof(struct frame_prefix));
    if (probe.file_position + total > probe.file_bytes) {
        probe.file_position = 0;
    }
    struct iovec *next = probe.slices;
    int count = probe.group_count * 2;
    while (count > 0) {
        ssize_t moved = pwritev(probe.file, next, count, probe.file_position);
        if (moved <= 0) {
            bench_die(errno, "write");
        }
        probe.file_position += moved;
        while (count > 0 && (size_t)moved >= next->iov_len) {
            moved -= (ssize_t)next->iov_len;
            next++;
            count--;
        }
        if (count > 0) {
            next->iov_base = (uint8_t *)next->iov_base + moved;
            next->iov_len -= (size_t)moved;
        }
    }
}

static void commit(void)
{
    if (probe.group_count == 0) {
        return;
    }
    write_group();
    if (!probe.is_cached && fdatasync(probe.file) != 0) {
        bench_die(errno, "fdatasync");
    }
    for (int i = 0; i < probe.group_count; i++) {
        struct connection *c = probe.group[i];
        if (c->out_len == 0) {
            continue; // an earlier frame of the same connection took the answer along
        }
        if (send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET) {
            bench_die(errno, "send");
        }
        memmove(c->in, c->in + c->taken, c->in_len - c->taken);
        c->in_len -= c->taken;
        c->taken = 0;
        c->out_len = 0;
    }
    probe.group_count = 0;
    probe.group_bytes = 0;
}

static void group_append(struct connection *c, uint8_t *frame, size_t size)
{
    int i = probe.group_count++;
    probe.prefixes[i] = (struct frame_prefix){(uint32_t)size, crc32c(0, frame, size)};
    probe.slices[i * 2] = (struct iovec){&probe.prefixes[i], sizeof probe.prefixes[i]};
    probe.slices[i * 2 + 1] = (struct iovec){frame, size};
    probe.group[i] = c;
    probe.group_bytes += size;
    answer_append(c, frame);
}

// ---- fetch

static void want_write(struct connection *c, bool is_wanted)
{
    if (c->is_writable_wanted != is_wanted) {
        struct epoll_event event = {.events = EPOLLIN | (is_wanted ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
        epoll_ctl(probe.epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->is_writable_wanted = is_wanted;
    }
}

static ssize_t fetch_send_some(struct connection *c)
{
    static const uint8_t tail[FETCH_TAIL_SIZE];
    if (c->moved < c->head_len) {
        return send(c->fd, c->head + c->moved, c->head_len - c->moved, MSG_NOSIGNAL | MSG_MORE);
    }
    size_t done = c->moved - c->head_len;
    if (done >= probe.fetch_bytes) {
        done -= probe.fetch_bytes;
        return send(c->fd, tail + done, sizeof tail - done, MSG_NOSIGNAL);
    }
    if (probe.memory != NULL) {
        const uint8_t *from = probe.memory + (size_t)(c->index % MEMORY_SLOTS) * probe.fetch_bytes;
        return send(c->fd, from + done, probe.fetch_bytes - done, MSG_NOSIGNAL | MSG_MORE);
    }
    off_t from = c->position + (int64_t)done;
    if (probe.piece != NULL) {
        size_t left = probe.fetch_bytes - done;
        ssize_t got = pread(probe.file, probe.piece, left < PREAD_SIZE ? left : PREAD_SIZE, from);
        return got <= 0 ? got : send(c->fd, probe.piece, (size_t)got, MSG_NOSIGNAL | MSG_MORE);
    }
    return sendfile(c->fd, probe.file, &from, probe.fetch_bytes - done);
}

// fetch_continue sends until all is sent or the socket is full. False: the peer is gone.
static bool fetch_continue(struct connection *c)
{
    size_t total = c->head_len + probe.fetch_bytes + FETCH_TAIL_SIZE;
    while (c->moved < total) {
        ssize_t sent = fetch_send_some(c);
        if (sent <= 0) {
            want_write(c, true);
            return sent < 0 && errno == EAGAIN;
        }
        c->moved += (size_t)sent;
    }
    want_write(c, false);
    c->is_fetching = false;
    c->position += (int64_t)probe.fetch_bytes;
    if (c->position + (int64_t)probe.fetch_bytes > probe.file_bytes) {
        c->position = 0;
    }
    return true;
}

static bool fetch_begin(struct connection *c, const uint8_t *frame)
{
    memset(c->head, 0, sizeof c->head);
    size_t at = FETCH_HEAD_SIZE;
    for (size_t v = probe.fetch_bytes + 1; v > 0; v >>= 7) {
        c->head[at++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
    }
    put_be32(c->head, (uint32_t)(at - 4 + probe.fetch_bytes + FETCH_TAIL_SIZE));
    memcpy(c->head + 4, frame + 8, 4); // correlation id
    c->head[19] = 2;                   // one topic
    c->head[36] = 2;                   // one partition
    c->head_len = at;
    c->moved = 0;
    c->is_fetching = true;
    return fetch_continue(c);
}

// ---- input

// frames_take handles the whole frames of the input. False: the connection is finished.
static bool frames_take(struct connection *c)
{
    while (!c->is_fetching && c->in_len - c->taken >= 12) {
        uint8_t *frame = c->in + c->taken;
        size_t size = 4 + (size_t)be32(frame);
        if (size > FRAME_MAX) {
            return false;
        }
        if (size > c->in_cap - c->taken && c->taken == 0) {
            c->in = mem_realloc(c->in, size);
            c->in_cap = size;
        }
        if (size > c->in_len - c->taken || probe.group_count == GROUP_MAX) {
            return true;
        }
        if (frame[4] == 0 && frame[5] == 1) {
            bool is_alive = fetch_begin(c, frame);
            memmove(c->in, c->in + size, c->in_len - size);
            c->in_len -= size;
            if (!is_alive) {
                return false;
            }
            continue;
        }
        group_append(c, frame, size);
        c->taken += size;
    }
    return true;
}

static bool connection_read(struct connection *c)
{
    if (c->in_len < c->in_cap) {
        ssize_t moved = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
        if (moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        c->in_len += moved > 0 ? (size_t)moved : 0;
    }
    return frames_take(c);
}

static void accept_all(int listener)
{
    for (int fd = bench_accept(listener); fd >= 0; fd = bench_accept(listener)) {
        struct connection *c = mem_zalloc(sizeof *c);
        c->fd = fd;
        c->in_cap = INPUT_SIZE_MIN;
        c->in = mem_alloc(c->in_cap);
        c->out = mem_alloc((size_t)GROUP_MAX * PRODUCE_ANSWER_SIZE);
        c->index = probe.connection_count++;
        c->position = (c->index % MEMORY_SLOTS) * (probe.file_bytes / MEMORY_SLOTS);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(probe.epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve(int listener)
{
    probe.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(probe.epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(probe.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL) {
                accept_all(listener);
                continue;
            }
            bool is_alive = true;
            if ((events[i].events & EPOLLOUT) != 0 && c->is_fetching) {
                is_alive = fetch_continue(c);
            }
            if (is_alive && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                is_alive = connection_read(c);
            }
            while (is_alive && probe.group_count == GROUP_MAX) {
                commit();
                is_alive = frames_take(c);
            }
            if (!is_alive) {
                commit(); // the group may hold its frames
                connection_close(c);
            }
        }
        commit();
    }
}

static void file_prepare(const char *path)
{
    enum { CHUNK = 4 << 20 };
    uint8_t *chunk = mem_alloc(CHUNK);
    for (size_t i = 0; i < CHUNK; i++) {
        chunk[i] = (uint8_t)(i * 131 >> 3);
    }
    probe.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (probe.file < 0) {
        bench_die(errno, "%s", path);
    }
    for (int64_t at = 0; at < probe.file_bytes; at += CHUNK) {
        if (pwrite(probe.file, chunk, CHUNK, at) != CHUNK) {
            bench_die(errno, "%s", path);
        }
    }
    if (fsync(probe.file) != 0) {
        bench_die(errno, "%s", path);
    }
    mem_free(chunk);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"cpu", required_argument, NULL, 'c'},
        {"file", required_argument, NULL, 'f'},
        {"file-bytes", required_argument, NULL, 'b'},
        {"fetch-bytes", required_argument, NULL, 'n'},
        {"memory", no_argument, NULL, 'm'},
        {"congestion", required_argument, NULL, 'g'},
        {"cached", no_argument, NULL, 'k'},
        {"pread", no_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    int port = 0, cpu = -1;
    const char *path = NULL, *congestion = "";
    bool is_memory = false;
    probe.file_bytes = 256 << 20;
    probe.fetch_bytes = 1 << 20;
    for (int o = getopt_long(argc, argv, "", options, NULL); o != -1;
         o = getopt_long(argc, argv, "", options, NULL)) {
        switch (o) {
        case 'p':
            port = (int)bench_number("--port", optarg, 1, 65535);
            break;
        case 'c':
            cpu = (int)bench_number("--cpu", optarg, 0, 1023);
            break;
        case 'f':
            path = optarg;
            break;
        case 'b':
            probe.file_bytes = bench_number("--file-bytes", optarg, 64, INT64_C(1) << 40) >> 22 << 22;
            break;
        case 'n':
            probe.fetch_bytes = (size_t)bench_number("--fetch-bytes", optarg, 1, 64 << 20);
            break;
        case 'm':
            is_memory = true;
            break;
        case 'k':
            probe.is_cached = true;
            break;
        case 'r':
            probe.piece = mem_alloc(PREAD_SIZE);
            break;
        case 'g':
            congestion = optarg;
            break;
        default:
            path = NULL;
            optind = argc;
            break;
        }
    }
    if (path == NULL || port == 0 || probe.file_bytes < FRAME_MAX || optind != argc) {
        bench_die(
            0,
            "usage: --port N --file PATH [--file-bytes N] [--fetch-bytes N] [--memory] [--cached] [--pread] "
            "[--cpu N] [--congestion NAME]");
    }
    signal(SIGPIPE, SIG_IGN); // sendfile has no flag for that
    bench_pin(cpu);
    file_prepare(path);
    if (is_memory) {
        probe.memory = mem_alloc(probe.fetch_bytes * MEMORY_SLOTS);
        memset(probe.memory, 7, probe.fetch_bytes * MEMORY_SLOTS);
    }
    serve(bench_listen(port, congestion));
}
