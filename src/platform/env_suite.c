// SPDX-License-Identifier: Apache-2.0
#include "platform/env_suite.h"

#include "base/assert.h"
#include "base/mem.h"

enum { MS = 1000000, PATIENCE_NS = 1000 * 1000 * 1000 };

// ---- disk

static struct file *file_create(struct disk *d, struct str path)
{
    struct file *f = NULL;
    ASSERT(disk_open(d, path, DISK_WRITE | DISK_CREATE | DISK_EXCL, &f, NULL) == ERR_OK);
    ASSERT(f != NULL);
    return f;
}

static void suite_file(struct disk *d)
{
    struct file *f = file_create(d, STR("suite/a"));
    int64_t size = -1;
    ASSERT(file_size(f, &size, NULL) == ERR_OK && size == 0);
    char text[16] = "";
    size_t moved = 99;
    ASSERT(file_read_full(f, 0, text, sizeof text, &moved, NULL) == ERR_OK && moved == 0);

    char one[] = "hello ";
    char two[] = "wide ";
    char three[] = "world";
    struct io_slice slices[] = {{one, 6}, {NULL, 0}, {two, 5}, {three, 5}};
    ASSERT(file_write_full(f, 0, slices, 4, NULL) == ERR_OK);
    ASSERT(file_size(f, &size, NULL) == ERR_OK && size == 16);
    ASSERT(file_read_exact(f, 0, text, 16, NULL) == ERR_OK && memcmp(text, "hello wide world", 16) == 0);
    ASSERT(file_read_full(f, 11, text, sizeof text, &moved, NULL) == ERR_OK && moved == 5);
    ASSERT(file_read_exact(f, 11, text, 6, NULL) == ERR_CORRUPT);

    ASSERT(file_write_bytes(f, 20, bytes_of("!", 1), NULL) == ERR_OK); // leaves a hole of zeros
    ASSERT(file_read_exact(f, 16, text, 5, NULL) == ERR_OK && memcmp(text, "\0\0\0\0!", 5) == 0);
    ASSERT(file_truncate(f, 5, NULL) == ERR_OK);
    ASSERT(file_size(f, &size, NULL) == ERR_OK && size == 5);
    ASSERT(file_truncate(f, 8, NULL) == ERR_OK); // grows with zeros
    ASSERT(file_read_exact(f, 0, text, 8, NULL) == ERR_OK && memcmp(text, "hello\0\0\0", 8) == 0);
    ASSERT(file_sync(f, NULL) == ERR_OK);
    file_advise_cold(f, 0, 8);
    file_advise_soon(f, 0, 8);
    (void)file_is_cached(f, 0, 8); // no world has to know
    file_close(f);

    ASSERT(disk_open(d, STR("suite/a"), DISK_READ, &f, NULL) == ERR_OK);
    ASSERT(file_read_exact(f, 0, text, 5, NULL) == ERR_OK && memcmp(text, "hello", 5) == 0);
    struct error e = {0};
    ASSERT(file_write_bytes(f, 0, bytes_of("x", 1), &e) == ERR_IO); // opened for reading
    ASSERT(e.code == ERR_IO);
    file_close(f);
    file_close(NULL);
}

// A large scattered write comes back whole, whatever the world cuts it into.
static void suite_file_large(struct disk *d)
{
    enum { SLICE = 1000, COUNT = IO_SLICES_MAX };
    uint8_t *out = mem_alloc(SLICE * COUNT);
    uint8_t *in = mem_zalloc(SLICE * COUNT);
    struct io_slice *slices = mem_array(COUNT, sizeof *slices);
    for (size_t i = 0; i < SLICE * COUNT; i++) {
        out[i] = (uint8_t)(i * 31 + i / 251);
    }
    for (size_t i = 0; i < COUNT; i++) {
        slices[i] = (struct io_slice){out + i * SLICE, SLICE};
    }
    struct file *f = file_create(d, STR("suite/large"));
    ASSERT(file_write_full(f, 3, slices, COUNT, NULL) == ERR_OK);
    ASSERT(file_read_exact(f, 3, in, SLICE * COUNT, NULL) == ERR_OK);
    ASSERT(memcmp(in, out, SLICE * COUNT) == 0);
    file_close(f);
    ASSERT(disk_unlink(d, STR("suite/large"), NULL) == ERR_OK);
    mem_free(slices);
    mem_free(in);
    mem_free(out);
}

// Writes past the page cache and through it, also over pages that a reader has just brought in, are one file.
static void suite_file_direct(struct disk *d)
{
    enum { BLOCKS = 8, SIZE = BLOCKS * DISK_ALIGN };
    uint8_t *memory = mem_alloc(SIZE + DISK_ALIGN);
    uint8_t *in = mem_zalloc(SIZE + 5);
    uint8_t *out = memory + (DISK_ALIGN - (uintptr_t)memory % DISK_ALIGN) % DISK_ALIGN;
    struct file *f = NULL;
    ASSERT(disk_open(d, STR("suite/direct"), DISK_WRITE | DISK_CREATE | DISK_DIRECT, &f, NULL) == ERR_OK);
    for (uint8_t round = 1; round <= 3; round++) {
        memset(out, round, SIZE);
        ASSERT(file_write_bytes(f, 0, bytes_of(out, SIZE), NULL) == ERR_OK);
        ASSERT(file_write_bytes(f, SIZE, bytes_of("tail", 4), NULL) == ERR_OK); // not aligned
        ASSERT(file_write_bytes(f, DISK_ALIGN + 1, bytes_of("x", 1), NULL) == ERR_OK);
        ASSERT(file_sync(f, NULL) == ERR_OK);
        ASSERT(file_read_exact(f, 0, in, SIZE + 4, NULL) == ERR_OK);
        for (size_t i = 0; i < SIZE; i++) {
            ASSERT(in[i] == (i == DISK_ALIGN + 1 ? 'x' : round));
        }
        ASSERT(memcmp(in + SIZE, "tail", 4) == 0);
    }
    file_close(f);
    ASSERT(disk_unlink(d, STR("suite/direct"), NULL) == ERR_OK);
    mem_free(in);
    mem_free(memory);
}

struct listing {
    char names[8][16];
    int64_t sizes[8];
    int count;
};

static void listing_add(void *arg, struct str name, int64_t size)
{
    struct listing *listing = arg;
    ASSERT(listing->count < 8);
    ASSERT(name.len < 16);
    memcpy(listing->names[listing->count], name.ptr, name.len);
    listing->sizes[listing->count++] = size;
}

static void suite_directory(struct disk *d)
{
    struct file *f = NULL;
    ASSERT(disk_open(d, STR("suite/none"), DISK_READ, &f, NULL) == ERR_NOT_FOUND);
    ASSERT(disk_open(d, STR("suite/none"), DISK_WRITE, &f, NULL) == ERR_NOT_FOUND);
    ASSERT(disk_open(d, STR("nowhere/x"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_NOT_FOUND);
    ASSERT(disk_open(d, STR("suite/a"), DISK_WRITE | DISK_CREATE | DISK_EXCL, &f, NULL) == ERR_EXISTS);
    ASSERT(f == NULL); // outputs stay as they were
    ASSERT(disk_open(d, STR("suite/a"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    int64_t size = 0;
    ASSERT(file_size(f, &size, NULL) == ERR_OK && size == 8); // creating what exists keeps its bytes
    file_close(f);

    file_close(file_create(d, STR("suite/c")));
    file_close(file_create(d, STR("suite/b")));
    ASSERT(disk_mkdir(d, STR("suite/deep"), NULL) == ERR_OK); // not listed: no regular file
    struct listing listing = {0};
    ASSERT(disk_list(d, STR("suite"), listing_add, &listing, NULL) == ERR_OK);
    ASSERT(listing.count == 3);
    ASSERT(strcmp(listing.names[0], "a") == 0 && listing.sizes[0] == 8);
    ASSERT(strcmp(listing.names[1], "b") == 0 && listing.sizes[1] == 0);
    ASSERT(strcmp(listing.names[2], "c") == 0);
    ASSERT(disk_list(d, STR("nowhere"), listing_add, &listing, NULL) == ERR_NOT_FOUND);

    ASSERT(disk_rename(d, STR("suite/a"), STR("suite/b"), NULL) == ERR_OK); // replaces
    ASSERT(disk_rename(d, STR("suite/a"), STR("suite/d"), NULL) == ERR_NOT_FOUND);
    ASSERT(disk_unlink(d, STR("suite/c"), NULL) == ERR_OK);
    ASSERT(disk_unlink(d, STR("suite/c"), NULL) == ERR_NOT_FOUND);
    ASSERT(disk_sync_dir(d, STR("suite"), NULL) == ERR_OK);
    ASSERT(disk_sync_dir(d, STR(""), NULL) == ERR_OK);
    memset(&listing, 0, sizeof listing);
    ASSERT(disk_list(d, STR("suite"), listing_add, &listing, NULL) == ERR_OK);
    ASSERT(listing.count == 1);
    ASSERT(strcmp(listing.names[0], "b") == 0 && listing.sizes[0] == 8);
}

// An open file outlives its name: retired objects are still being read.
static void suite_unlinked(struct disk *d)
{
    struct file *f = file_create(d, STR("suite/gone"));
    ASSERT(file_write_bytes(f, 0, bytes_of("still here", 10), NULL) == ERR_OK);
    ASSERT(disk_unlink(d, STR("suite/gone"), NULL) == ERR_OK);
    file_close(file_create(d, STR("suite/gone"))); // the name is free again, and names another file
    char text[10];
    ASSERT(file_read_exact(f, 0, text, 10, NULL) == ERR_OK && memcmp(text, "still here", 10) == 0);
    file_close(f);
    ASSERT(disk_unlink(d, STR("suite/gone"), NULL) == ERR_OK);
}

void env_suite_disk(struct env *env)
{
    struct disk *d = env->disk;
    ASSERT(disk_mkdir(d, STR("suite"), NULL) == ERR_OK);
    ASSERT(disk_mkdir(d, STR("suite"), NULL) == ERR_OK); // existing is fine
    suite_file(d);
    suite_file_large(d);
    suite_file_direct(d);
    suite_directory(d);
    suite_unlinked(d);
    int64_t bytes_free = -1;
    int64_t bytes_total = -1;
    ASSERT(disk_space(d, &bytes_free, &bytes_total, NULL) == ERR_OK);
    ASSERT(bytes_free > 0 && bytes_free <= bytes_total);
    ASSERT(disk_lock(d, NULL) == ERR_OK);
    ASSERT(disk_lock(d, NULL) == ERR_OK); // ours already
}

// ---- network

static int64_t deadline_after(struct env *env, int64_t ns)
{
    return clock_mono_ns(env->clock) + ns;
}

// ready_wait waits until one of `bits` is ready for sock, which must be in no poller.
static unsigned ready_wait(struct env *env, struct poller *p, struct sock *sock, unsigned bits)
{
    int64_t deadline_ns = deadline_after(env, 10LL * PATIENCE_NS);
    struct poll_event event = {0};
    poller_add(p, sock, bits, &event);
    size_t count = 0;
    while (count == 0 && clock_mono_ns(env->clock) < deadline_ns) {
        count = poller_wait(p, &event, 1, deadline_ns);
    }
    ASSERT(count == 1);
    ASSERT(event.user == &event);
    ASSERT((event.ready & (bits | POLL_CLOSED)) != 0);
    poller_remove(p, sock);
    return event.ready;
}

struct pair {
    struct sock *client;
    struct sock *server;
};

static struct pair pair_open(struct env *env, struct poller *p)
{
    struct sock *listener = NULL;
    int port = 0;
    ASSERT(net_listen(env->net, STR("127.0.0.1"), 0, &listener, &port, NULL) == ERR_OK);
    ASSERT(port > 0 && port < 65536);
    struct pair pair = {0};
    ASSERT(sock_accept(listener, &pair.server, NULL) == ERR_WOULD_BLOCK);
    ASSERT(net_connect(env->net, STR("127.0.0.1"), port, &pair.client, NULL) == ERR_OK);
    ready_wait(env, p, listener, POLL_READ);
    ASSERT(sock_accept(listener, &pair.server, NULL) == ERR_OK);
    ready_wait(env, p, pair.client, POLL_WRITE);
    ASSERT(sock_connect_done(pair.client, NULL) == ERR_OK);
    sock_close(listener);
    return pair;
}

static void send_all(struct env *env, struct poller *p, struct sock *s, struct str text)
{
    while (text.len > 0) {
        struct io_slice slices[2] = {{(void *)(uintptr_t)text.ptr, text.len / 2},
                                     {(void *)(uintptr_t)(text.ptr + text.len / 2), text.len - text.len / 2}};
        size_t moved = 0;
        enum err err = sock_send(s, slices, 2, false, &moved, NULL);
        if (err == ERR_WOULD_BLOCK) {
            ready_wait(env, p, s, POLL_WRITE);
            continue;
        }
        ASSERT(err == ERR_OK);
        ASSERT(moved > 0 && moved <= text.len);
        text = (struct str){text.ptr + moved, text.len - moved};
    }
}

static void recv_all(struct env *env, struct poller *p, struct sock *s, void *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t moved = 0;
        enum err err = sock_recv(s, (uint8_t *)out + done, len - done, &moved, NULL);
        if (err == ERR_WOULD_BLOCK) {
            ready_wait(env, p, s, POLL_READ);
            continue;
        }
        ASSERT(err == ERR_OK);
        ASSERT(moved > 0 && moved <= len - done);
        done += moved;
    }
}

static void suite_stream(struct env *env, struct poller *p)
{
    struct pair pair = pair_open(env, p);
    char names[4][SOCK_NAME_SIZE];
    struct str client_local = sock_local_name(pair.client, names[0]);
    struct str client_peer = sock_peer_name(pair.client, names[1]);
    ASSERT(str_has_prefix(client_local, STR("127.0.0.1:")));
    ASSERT(str_equal(client_local, sock_peer_name(pair.server, names[2])));
    ASSERT(str_equal(client_peer, sock_local_name(pair.server, names[3])));

    char text[16];
    size_t moved = 77;
    ASSERT(sock_recv(pair.server, text, sizeof text, &moved, NULL) == ERR_WOULD_BLOCK);
    ASSERT(moved == 77);
    send_all(env, p, pair.client, STR("ping"));
    recv_all(env, p, pair.server, text, 4);
    ASSERT(memcmp(text, "ping", 4) == 0);
    send_all(env, p, pair.server, STR("a longer pong"));
    recv_all(env, p, pair.client, text, 13);
    ASSERT(memcmp(text, "a longer pong", 13) == 0);

    // What was sent before a close still arrives; then the stream ends.
    send_all(env, p, pair.client, STR("bye"));
    sock_close(pair.client);
    recv_all(env, p, pair.server, text, 3);
    ASSERT(memcmp(text, "bye", 3) == 0);
    enum err err = ERR_WOULD_BLOCK;
    while (err == ERR_WOULD_BLOCK) {
        ready_wait(env, p, pair.server, POLL_READ);
        err = sock_recv(pair.server, text, sizeof text, &moved, NULL);
    }
    ASSERT(err == ERR_CLOSED);
    sock_close(pair.server);
    sock_close(NULL);
}

// A reader that does not read stops the writer; POLL_WRITE comes back once it reads.
static void suite_backpressure(struct env *env, struct poller *p)
{
    enum { CHUNK = 64 * 1024, CHUNKS_MAX = 4096 };
    struct pair pair = pair_open(env, p);
    uint8_t *data = mem_zalloc(CHUNK);
    size_t sent = 0;
    enum err err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < CHUNKS_MAX; i++) {
        struct io_slice slice = {data, CHUNK};
        size_t moved = 0;
        err = sock_send(pair.client, &slice, 1, true, &moved, NULL);
        sent += moved;
    }
    ASSERT(err == ERR_WOULD_BLOCK); // buffers are bounded
    struct poll_event events[4];
    poller_add(p, pair.client, POLL_WRITE, pair.client);
    poller_add(p, pair.server, POLL_READ, pair.server);
    int64_t deadline_ns = deadline_after(env, 10LL * PATIENCE_NS);
    bool is_writable = false;
    while (!is_writable && clock_mono_ns(env->clock) < deadline_ns) {
        size_t count = poller_wait(p, events, 4, deadline_ns);
        for (size_t i = 0; i < count; i++) {
            is_writable = is_writable || events[i].user == pair.client;
            size_t moved = 0;
            if (events[i].user == pair.server &&
                sock_recv(pair.server, data, CHUNK, &moved, NULL) == ERR_OK) {
                sent -= moved;
            }
        }
    }
    ASSERT(is_writable);
    poller_remove(p, pair.client);
    poller_remove(p, pair.server);
    while (sent > 0) {
        size_t step = sent < CHUNK ? sent : CHUNK;
        recv_all(env, p, pair.server, data, step);
        sent -= step;
    }
    mem_free(data);
    sock_close(pair.client);
    sock_close(pair.server);
}

static void suite_poller(struct env *env, struct poller *p)
{
    struct pair pair = pair_open(env, p);
    struct poll_event event;
    // Nothing is ready: a deadline ends the wait, never early; one in the past only looks.
    poller_add(p, pair.server, POLL_READ, pair.server);
    int64_t deadline_ns = deadline_after(env, 2 * MS);
    while (clock_mono_ns(env->clock) < deadline_ns) {
        ASSERT(poller_wait(p, &event, 1, deadline_ns) == 0);
    }
    ASSERT(poller_wait(p, &event, 1, 1) == 0);

    // Level-triggered: an unread byte is told again and again, until the interest goes.
    send_all(env, p, pair.client, STR("x"));
    int64_t patience_ns = deadline_after(env, 10LL * PATIENCE_NS);
    for (int i = 0; i < 2; i++) {
        while (poller_wait(p, &event, 1, patience_ns) == 0) {
            ASSERT(clock_mono_ns(env->clock) < patience_ns);
        }
        ASSERT(event.user == pair.server);
        ASSERT(event.ready == POLL_READ);
    }
    poller_set(p, pair.server, 0, pair.server);
    ASSERT(poller_wait(p, &event, 1, 1) == 0);
    poller_set(p, pair.server, POLL_READ | POLL_WRITE, &pair);
    ASSERT(poller_wait(p, &event, 1, patience_ns) == 1);
    ASSERT(event.user == &pair);
    ASSERT((event.ready & POLL_WRITE) != 0);
    poller_remove(p, pair.server);
    ASSERT(poller_wait(p, &event, 1, 1) == 0);

    // A close is told to who asks for nothing else.
    char byte;
    recv_all(env, p, pair.server, &byte, 1);
    sock_close(pair.client);
    unsigned ready = ready_wait(env, p, pair.server, POLL_CLOSED);
    ASSERT((ready & POLL_CLOSED) != 0 && (ready & POLL_READ) != 0);
    sock_close(pair.server);
}

static void suite_addresses(struct env *env, struct poller *p)
{
    struct sock *first = NULL;
    struct sock *second = NULL;
    int port = 0;
    int other = 0;
    ASSERT(net_listen(env->net, STR("127.0.0.1"), 0, &first, &port, NULL) == ERR_OK);
    ASSERT(net_listen(env->net, STR("127.0.0.1"), port, &second, &other, NULL) == ERR_EXISTS);
    ASSERT(second == NULL);
    sock_close(first);
    // Nobody listens there now. A world may say so at once or later.
    struct sock *client = NULL;
    enum err err = net_connect(env->net, STR("127.0.0.1"), port, &client, NULL);
    if (err == ERR_OK) {
        ready_wait(env, p, client, POLL_WRITE);
        err = sock_connect_done(client, NULL);
    }
    ASSERT(err == ERR_CLOSED);
    sock_close(client);
}

void env_suite_net(struct env *env)
{
    struct poller *p = poller_open(env->net);
    suite_stream(env, p);
    suite_backpressure(env, p);
    suite_poller(env, p);
    suite_addresses(env, p);
    poller_close(p);
    poller_close(NULL);
}

void env_suite_net_file(struct env *env)
{
    enum { SIZE = 300000, SKIP = 1000 };
    struct poller *p = poller_open(env->net);
    struct pair pair = pair_open(env, p);
    uint8_t *out = mem_alloc(SIZE);
    uint8_t *in = mem_zalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        out[i] = (uint8_t)(i * 7 + i / 255);
    }
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, STR("sent"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    ASSERT(file_write_bytes(f, 0, bytes_of(out, SIZE), NULL) == ERR_OK);
    size_t sent = SKIP;
    size_t received = SKIP;
    while (received < SIZE) {
        size_t moved = 0;
        if (sent < SIZE) {
            enum err err = sock_send_file(pair.server, f, (int64_t)sent, SIZE - sent, &moved, NULL);
            ASSERT(err == ERR_OK || err == ERR_WOULD_BLOCK);
            sent += moved;
        }
        moved = 0;
        enum err err = sock_recv(pair.client, in + received, SIZE - received, &moved, NULL);
        ASSERT(err == ERR_OK || err == ERR_WOULD_BLOCK);
        received += moved;
        if (err == ERR_WOULD_BLOCK) {
            ready_wait(env, p, pair.client, POLL_READ);
        }
    }
    ASSERT(memcmp(in + SKIP, out + SKIP, SIZE - SKIP) == 0);
    size_t moved = 0;
    ASSERT(sock_send_file(pair.server, f, SIZE, 1, &moved, NULL) == ERR_IO); // past the end
    file_close(f);
    ASSERT(disk_unlink(env->disk, STR("sent"), NULL) == ERR_OK);
    mem_free(in);
    mem_free(out);
    sock_close(pair.client);
    sock_close(pair.server);
    poller_close(p);
}

// ---- threads

struct queue {
    struct mutex mutex;
    struct cond not_empty;
    struct cond not_full;
    int depth;
    int produced;
    int consumed;
};
enum { QUEUE_DEPTH_MAX = 3, QUEUE_TOTAL = 200 };

static void producer_run(void *arg)
{
    struct queue *q = arg;
    for (int i = 0; i < QUEUE_TOTAL; i++) {
        mutex_lock(&q->mutex);
        while (q->depth == QUEUE_DEPTH_MAX) {
            cond_wait(&q->not_full, &q->mutex, CLOCK_NEVER);
        }
        q->depth++;
        q->produced++;
        cond_signal(&q->not_empty);
        mutex_unlock(&q->mutex);
    }
}

static void consumer_run(void *arg)
{
    struct queue *q = arg;
    for (;;) {
        mutex_lock(&q->mutex);
        while (q->depth == 0 && q->consumed < 2 * QUEUE_TOTAL) {
            cond_wait(&q->not_empty, &q->mutex, CLOCK_NEVER);
        }
        if (q->depth == 0) {
            mutex_unlock(&q->mutex);
            return;
        }
        q->depth--;
        q->consumed++;
        if (q->consumed == 2 * QUEUE_TOTAL) {
            cond_broadcast(&q->not_empty); // the end, for every consumer
        }
        cond_signal(&q->not_full);
        mutex_unlock(&q->mutex);
    }
}

static void suite_queue(struct env *env)
{
    struct queue q = {0};
    mutex_init(&q.mutex, env->threads);
    cond_init(&q.not_empty, env->threads);
    cond_init(&q.not_full, env->threads);
    struct thread *threads[5];
    for (int i = 0; i < 5; i++) {
        threads[i] = thread_start(env->threads, "fifteen letters", i < 2 ? producer_run : consumer_run, &q);
    }
    for (int i = 0; i < 5; i++) {
        thread_join(env->threads, threads[i]);
    }
    ASSERT(q.produced == 2 * QUEUE_TOTAL);
    ASSERT(q.consumed == 2 * QUEUE_TOTAL);
    ASSERT(q.depth == 0);
    cond_fini(&q.not_full);
    cond_fini(&q.not_empty);
    mutex_fini(&q.mutex);
}

static void suite_cond_deadline(struct env *env)
{
    struct mutex m;
    struct cond c;
    mutex_init(&m, env->threads);
    cond_init(&c, env->threads);
    mutex_lock(&m);
    int64_t deadline_ns = deadline_after(env, 2 * MS);
    while (cond_wait(&c, &m, deadline_ns)) { // a spurious wake-up is not the deadline
    }
    ASSERT(clock_mono_ns(env->clock) >= deadline_ns);
    ASSERT(!cond_wait(&c, &m, 1)); // long past
    mutex_unlock(&m);
    cond_fini(&c);
    mutex_fini(&m);
}

static void waker_run(void *arg)
{
    poller_wake(arg);
}

static void suite_wake(struct env *env)
{
    struct poller *p = poller_open(env->net);
    struct poll_event event;
    // A wake from another thread ends a wait without end; so does one that came before the wait.
    struct thread *waker = thread_start(env->threads, "waker", waker_run, p);
    ASSERT(poller_wait(p, &event, 1, CLOCK_NEVER) == 0);
    thread_join(env->threads, waker);
    poller_wake(p);
    poller_wake(p);
    ASSERT(poller_wait(p, &event, 1, CLOCK_NEVER) == 0);
    // And it is spent then.
    int64_t deadline_ns = deadline_after(env, 2 * MS);
    while (clock_mono_ns(env->clock) < deadline_ns) {
        ASSERT(poller_wait(p, &event, 1, deadline_ns) == 0);
    }
    poller_close(p);
}

void env_suite_threads(struct env *env)
{
    int64_t start_ns = clock_mono_ns(env->clock);
    clock_sleep_until(env->clock, start_ns + MS);
    ASSERT(clock_mono_ns(env->clock) >= start_ns + MS);
    clock_sleep_until(env->clock, start_ns);           // in the past: at once
    ASSERT(clock_wall_ms(env->clock) > 1000000000000); // after 2001
    ASSERT(rng_u64(env->rng) != rng_u64(env->rng));
    struct uuid a = rng_uuid(env->rng);
    ASSERT(!uuid_equal(a, rng_uuid(env->rng)));
    ASSERT(a.b[6] >> 4 == 4);
    suite_queue(env);
    suite_cond_deadline(env);
    suite_wake(env);
}
