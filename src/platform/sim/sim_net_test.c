// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/sim/sim.h"

enum { PORT = 9092, SEEDS = 100 };
static const int64_t MS = 1000000;
static const int64_t SECOND = 1000 * 1000000;

// ---- helpers for programs in the world

struct io { // one connection and its poller
    struct env *env;
    struct poller *poller;
    struct sock *sock;
};

static void io_wait(struct io *io, unsigned bits)
{
    struct poll_event event;
    poller_set(io->poller, io->sock, bits, io);
    ASSERT(poller_wait(io->poller, &event, 1, CLOCK_NEVER) == 1);
}

static struct sock *listen_on(struct env *env)
{
    struct sock *listener = NULL;
    int port = 0;
    ASSERT(net_listen(env->net, STR(""), PORT, &listener, &port, NULL) == ERR_OK);
    ASSERT(port == PORT);
    return listener;
}

static struct io io_accept(struct env *env, struct sock *listener)
{
    struct io io = {env, poller_open(env->net), NULL};
    struct poll_event event;
    poller_add(io.poller, listener, POLL_READ, NULL);
    while (sock_accept(listener, &io.sock, NULL) != ERR_OK) {
        poller_wait(io.poller, &event, 1, CLOCK_NEVER);
    }
    poller_remove(io.poller, listener);
    poller_add(io.poller, io.sock, 0, &io);
    return io;
}

// io_connect keeps trying until somebody answers.
static struct io io_connect(struct env *env, struct str host)
{
    struct io io = {env, poller_open(env->net), NULL};
    for (;;) {
        ASSERT(net_connect(env->net, host, PORT, &io.sock, NULL) == ERR_OK);
        poller_add(io.poller, io.sock, POLL_WRITE, &io);
        io_wait(&io, POLL_WRITE);
        if (sock_connect_done(io.sock, NULL) == ERR_OK) {
            return io;
        }
        poller_remove(io.poller, io.sock);
        sock_close(io.sock);
        clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 10 * MS);
    }
}

static void io_close(struct io *io)
{
    poller_remove(io->poller, io->sock);
    sock_close(io->sock);
    poller_close(io->poller);
}

static enum err io_send(struct io *io, const void *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        struct io_slice slice = {(uint8_t *)(uintptr_t)data + done, len - done};
        size_t moved = 0;
        enum err err = sock_send(io->sock, &slice, 1, false, &moved, NULL);
        if (err == ERR_WOULD_BLOCK) {
            io_wait(io, POLL_WRITE);
        } else if (err != ERR_OK) {
            return err;
        }
        done += moved;
    }
    return ERR_OK;
}

// io_recv receives until len bytes or the end; *ret_len says how many.
static enum err io_recv(struct io *io, void *out, size_t len, size_t *ret_len)
{
    enum err err = ERR_OK;
    *ret_len = 0;
    while (*ret_len < len) {
        size_t moved = 0;
        err = sock_recv(io->sock, (uint8_t *)out + *ret_len, len - *ret_len, &moved, NULL);
        if (err == ERR_WOULD_BLOCK) {
            io_wait(io, POLL_READ);
        } else if (err != ERR_OK) {
            return err;
        }
        *ret_len += moved;
    }
    return ERR_OK;
}

// A world with a server on 10.0.0.1 and a client on 10.0.0.2 that share one struct in the test.
struct pair {
    struct sim_world *world;
    struct sim_disk *disk;
    struct sim_process *server;
    struct sim_process *client;
};

static struct pair pair_create(uint64_t seed, void (*server)(struct env *, void *),
                               void (*client)(struct env *, void *), void *arg)
{
    struct pair pair = {.world = sim_world_create(seed)};
    pair.disk = sim_disk_create(pair.world);
    pair.server = sim_process_start(pair.world, "server", "10.0.0.1", pair.disk, server, arg);
    pair.client = sim_process_start(pair.world, "client", "10.0.0.2", NULL, client, arg);
    return pair;
}

static void run_to_end(struct pair *pair)
{
    struct sim_limits limits = {.until_ns = 3600 * SECOND, .steps_max = 5000000};
    enum sim_stop stop = sim_world_run(pair->world, &limits);
    if (stop != SIM_DONE) {
        sim_world_print(pair->world, stderr, 40);
    }
    assert_string_equal(sim_stop_name(stop), "done");
    sim_world_destroy(pair->world);
}

// ---- a stream through a bad network arrives whole, or its end is told

enum { STREAM = 200000 };
struct stream {
    bool is_upload; // the client sends
    size_t received;
    enum err sender_err;
    enum err receiver_err;
};

static uint8_t stream_byte(size_t i)
{
    return (uint8_t)(i * 131 + i / 257);
}

static void stream_send(struct io *io, struct stream *stream)
{
    uint8_t *data = mem_alloc(STREAM);
    for (size_t i = 0; i < STREAM; i++) {
        data[i] = stream_byte(i);
    }
    stream->sender_err = io_send(io, data, STREAM);
    mem_free(data);
}

static void stream_recv(struct io *io, struct stream *stream)
{
    uint8_t *data = mem_alloc(STREAM + 1);
    stream->receiver_err = io_recv(io, data, STREAM + 1, &stream->received);
    for (size_t i = 0; i < stream->received; i++) {
        ASSERT(data[i] == stream_byte(i));
    }
    mem_free(data);
}

static void stream_server(struct env *env, void *arg)
{
    struct stream *stream = arg;
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    char name[SOCK_NAME_SIZE];
    ASSERT(str_has_prefix(sock_peer_name(io.sock, name), STR("10.0.0.2:")));
    ASSERT(str_equal(sock_local_name(io.sock, name), STR("10.0.0.1:9092")));
    if (stream->is_upload) {
        stream_recv(&io, stream);
    } else {
        stream_send(&io, stream);
    }
    io_close(&io);
    sock_close(listener);
}

static void stream_client(struct env *env, void *arg)
{
    struct stream *stream = arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    if (stream->is_upload) {
        stream_send(&io, stream);
    } else {
        stream_recv(&io, stream);
    }
    io_close(&io);
}

static void test_stream(void **state)
{
    (void)state;
    int whole = 0;
    int cut = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stream stream = {.is_upload = seed % 8 >= 4};
        struct pair pair = pair_create(seed, stream_server, stream_client, &stream);
        struct sim_net_faults faults = sim_net_faults_draw(pair.world);
        faults.small_segment = 500;
        faults.reset = seed % 4 == 0 ? 30 : 0;
        faults.buffer_bytes = 100 + seed * 300;
        sim_net_set_faults(pair.world, &faults);
        run_to_end(&pair);
        assert_int_equal(stream.receiver_err, ERR_CLOSED);
        assert_true(stream.received <= STREAM);
        whole += stream.received == STREAM;
        cut += stream.received < STREAM;
        assert_true(seed % 4 == 0 || stream.received == STREAM);
    }
    assert_true(whole >= 75);
    assert_true(cut > 10);
}

// ---- sendfile: the peer sees what the file holds on delivery

struct sendfile {
    bool is_unlinked;
    char seen;
};

static void sendfile_server(struct env *env, void *arg)
{
    struct sendfile *sf = arg;
    struct file *f = NULL;
    ASSERT(disk_open(env->disk, STR("f"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    ASSERT(file_write_bytes(f, 0, bytes_of("first", 5), NULL) == ERR_OK);
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    size_t moved = 0;
    ASSERT(sock_send_file(io.sock, f, 0, 5, &moved, NULL) == ERR_OK && moved == 5);
    if (sf->is_unlinked) {
        ASSERT(disk_unlink(env->disk, STR("f"), NULL) == ERR_OK);
        file_close(f);
        ASSERT(disk_open(env->disk, STR("f"), DISK_WRITE | DISK_CREATE, &f, NULL) == ERR_OK);
    }
    ASSERT(file_write_bytes(f, 0, bytes_of("LATER", 5), NULL) ==
           ERR_OK); // the bug of every WAL that is recycled
    file_close(f);
    io_close(&io);
    sock_close(listener);
}

static void sendfile_client(struct env *env, void *arg)
{
    struct sendfile *sf = arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    char text[5];
    size_t moved = 0;
    ASSERT(io_recv(&io, text, 5, &moved) == ERR_OK);
    ASSERT(memcmp(text, text[0] == 'f' ? "first" : "LATER", 5) == 0);
    sf->seen = text[0];
    io_close(&io);
}

static void test_sendfile_shows_later_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int kind = 0; kind < 2; kind++) {
            struct sendfile sf = {.is_unlinked = kind == 1};
            struct pair pair = pair_create(seed, sendfile_server, sendfile_client, &sf);
            sim_net_set_faults(pair.world,
                               &(struct sim_net_faults){.delay_ns_min = MS, .delay_ns_max = 2 * MS});
            run_to_end(&pair);
            assert_int_equal(sf.seen, sf.is_unlinked ? 'f' : 'L');
        }
    }
}

// ---- death of a peer

struct death {
    size_t received;
    enum err err;
    int64_t end_ns;
};

static void talker_main(struct env *env, void *arg)
{
    (void)arg;
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    char data[1000] = "";
    ASSERT(io_send(&io, data, sizeof data) == ERR_OK);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + SECOND);
    ASSERT(io_send(&io, data, sizeof data) == ERR_OK); // dies with this in its send buffer
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 3600 * SECOND);
}

static void listener_client(struct env *env, void *arg)
{
    struct death *death = arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    char data[4000];
    death->err = io_recv(&io, data, sizeof data, &death->received);
    death->end_ns = clock_mono_ns(env->clock);
    io_close(&io);
}

static void test_death_of_a_peer(void **state)
{
    (void)state;
    for (int is_power_cut = 0; is_power_cut < 2; is_power_cut++) {
        struct death death = {0};
        struct pair pair = pair_create(1, talker_main, listener_client, &death);
        sim_net_set_faults(pair.world,
                           &(struct sim_net_faults){.delay_ns_min = 100 * MS, .delay_ns_max = 100 * MS});
        int64_t until_ns = sim_world_now_ns(pair.world) + SECOND + 150 * MS;
        assert_int_equal(sim_world_run(pair.world, &(struct sim_limits){.until_ns = until_ns}), SIM_TIME);
        if (is_power_cut) {
            sim_process_crash(pair.server);
        } else {
            sim_process_kill(pair.server);
        }
        run_to_end(&pair);
        assert_int_equal(death.err, ERR_CLOSED);
        assert_true(death.end_ns < until_ns + SECOND);
        // The kernel of a killed process still sends what it was given; a dark machine does not.
        assert_int_equal(death.received, is_power_cut ? 1000 : 2000);
    }
}

static void quiet_server(struct env *env, void *arg)
{
    (void)arg;
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    sock_close(listener);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + SECOND);
    io_close(&io); // with unread bytes: a reset
}

static void sender_client(struct env *env, void *arg)
{
    struct death *death = arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    char data[1000] = "";
    while (death->err == ERR_OK) {
        death->err = io_send(&io, data, sizeof data);
        death->received += sizeof data;
    }
    death->end_ns = clock_mono_ns(env->clock);
    io_close(&io);
}

static void test_backpressure_and_reset(void **state)
{
    (void)state;
    struct death death = {0};
    struct pair pair = pair_create(1, quiet_server, sender_client, &death);
    sim_net_set_faults(pair.world, &(struct sim_net_faults){.buffer_bytes = 10000});
    int64_t start_ns = sim_world_now_ns(pair.world);
    run_to_end(&pair);
    assert_int_equal(death.err, ERR_CLOSED);
    assert_int_equal(death.received, 21000); // both buffers, and the one that failed
    assert_true(death.end_ns == start_ns + SECOND);
}

// ---- half-close, cork, blocks, refusals

static void echo_server(struct env *env, void *arg)
{
    struct death *death = arg;
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    char data[64];
    death->err = io_recv(&io, data, sizeof data, &death->received);
    ASSERT(io_send(&io, data, death->received) == ERR_OK); // the other direction is open
    io_close(&io);
    sock_close(listener);
}

static void half_client(struct env *env, void *arg)
{
    (void)arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    ASSERT(io_send(&io, "question", 8) == ERR_OK);
    sim_sock_shut(io.sock);
    ASSERT(io_send(&io, "more", 4) == ERR_CLOSED);
    char data[64];
    size_t moved = 0;
    ASSERT(io_recv(&io, data, sizeof data, &moved) == ERR_CLOSED);
    ASSERT(moved == 8 && memcmp(data, "question", 8) == 0);
    io_close(&io);
}

static void test_half_close(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct death death = {0};
        struct pair pair = pair_create(seed, echo_server, half_client, &death);
        run_to_end(&pair);
        assert_int_equal(death.received, 8);
        assert_int_equal(death.err, ERR_CLOSED);
    }
}

static void corked_client(struct env *env, void *arg)
{
    struct death *death = arg;
    struct io io = io_connect(env, STR("10.0.0.1"));
    struct io_slice slice = {(char[]){"half"}, 4};
    size_t moved = 0;
    ASSERT(sock_send(io.sock, &slice, 1, true, &moved, NULL) == ERR_OK);
    int64_t sent_ns = clock_mono_ns(env->clock);
    if (death->end_ns != 0) { // the rest follows, as promised
        ASSERT(sock_send(io.sock, &slice, 1, false, &moved, NULL) == ERR_OK);
    }
    char data[64];
    while (io_recv(&io, data, 4, &moved) == ERR_OK && moved < 4) {
    }
    death->end_ns = clock_mono_ns(env->clock) - sent_ns;
    io_close(&io);
}

static void four_server(struct env *env, void *arg)
{
    (void)arg;
    struct sock *listener = listen_on(env);
    struct io io = io_accept(env, listener);
    char data[4];
    size_t moved = 0;
    ASSERT(io_recv(&io, data, 4, &moved) == ERR_OK);
    ASSERT(io_send(&io, data, 4) == ERR_OK);
    while (io_recv(&io, data, 4, &moved) == ERR_OK) {
    }
    io_close(&io);
    sock_close(listener);
}

static void test_cork(void **state)
{
    (void)state;
    for (int has_rest = 0; has_rest < 2; has_rest++) {
        struct death death = {.end_ns = has_rest};
        struct pair pair = pair_create(1, four_server, corked_client, &death);
        run_to_end(&pair);
        assert_true(death.end_ns ==
                    (has_rest ? 0 : 200 * MS)); // a broken promise costs what it does in Linux
    }
}

static void heal(void *arg)
{
    sim_net_heal(arg);
}

static void test_block_and_heal(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        bool is_upload;
        bool is_at_start; // else while the stream flows
    } rows[] = {
        {"10.0.0.1", "10.0.0.2", false, false},
        {"10.0.0.2", "10.0.0.1", true, false},
        {"10.0.0.2", "*", false, true},
        {"10.0.0.1", "*", true, true},
        {"*", "*", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stream stream = {.is_upload = rows[i].is_upload};
        struct pair pair = pair_create(i, stream_server, stream_client, &stream);
        sim_net_set_faults(pair.world, &(struct sim_net_faults){.delay_ns_min = MS, .delay_ns_max = MS});
        int64_t start_ns = sim_world_now_ns(pair.world);
        if (!rows[i].is_at_start) {
            sim_world_run(pair.world, &(struct sim_limits){.until_ns = start_ns + 3 * MS});
        }
        sim_net_block(pair.world, rows[i].from, rows[i].to);
        sim_world_at(pair.world, start_ns + 60 * SECOND, heal, pair.world);
        sim_world_run(pair.world, &(struct sim_limits){.until_ns = start_ns + 59 * SECOND});
        assert_true(sim_process_is_alive(rows[i].is_upload ? pair.server : pair.client));
        run_to_end(&pair);
        assert_int_equal(stream.received, STREAM);
    }
}

// A client that starts before its server, on a network that refuses now and then; the server restarts on its
// port.
static void late_server(void *arg)
{
    static struct stream unused;
    struct pair *pair = arg;
    pair->server = sim_process_start(pair->world, "late", "10.0.0.1", pair->disk, stream_server, &unused);
}

static void test_refusal_and_restart(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct stream stream = {0};
        struct pair pair = pair_create(seed, stream_server, stream_client, &stream);
        sim_net_set_faults(pair.world, &(struct sim_net_faults){.refuse = 500, .accept_error = 500});
        sim_process_crash(pair.server);
        sim_world_at(pair.world, sim_world_now_ns(pair.world) + SECOND, late_server, &pair);
        run_to_end(&pair);
        assert_int_equal(stream.received, STREAM);
    }
}

static void loopback_client(struct env *env, void *arg)
{
    const bool *is_same_host = arg;
    struct sock *s = NULL;
    ASSERT(net_connect(env->net, STR("127.0.0.1"), PORT, &s, NULL) == ERR_OK);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + SECOND);
    ASSERT(sock_connect_done(s, NULL) == (*is_same_host ? ERR_OK : ERR_CLOSED));
    sock_close(s);
}

static void idle_server(struct env *env, void *arg)
{
    (void)arg;
    struct sock *listener = listen_on(env);
    clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 2 * SECOND);
    sock_close(listener); // with a connection that nobody accepted
}

static void test_loopback_stays_on_its_host(void **state)
{
    (void)state;
    for (int is_same = 0; is_same < 2; is_same++) {
        struct sim_world *world = sim_world_create(1);
        bool is_same_host = is_same == 1;
        sim_net_set_faults(world, &(struct sim_net_faults){.delay_ns_min = MS, .delay_ns_max = MS});
        sim_process_start(world, "server", "10.0.0.1", NULL, idle_server, NULL);
        sim_process_start(world, "client", is_same_host ? "10.0.0.1" : "10.0.0.2", NULL, loopback_client,
                          &is_same_host);
        assert_int_equal(sim_world_run(world, NULL), SIM_DONE);
        sim_world_destroy(world);
    }
}

// The same network, crash and all, twice: one hash.
static uint64_t stream_hash(uint64_t seed)
{
    struct stream stream = {0};
    struct pair pair = pair_create(seed, stream_server, stream_client, &stream);
    struct sim_net_faults faults = sim_net_faults_draw(pair.world);
    sim_net_set_faults(pair.world, &faults);
    sim_world_run(pair.world, &(struct sim_limits){.steps_max = 200});
    sim_process_crash(pair.server);
    sim_world_run(pair.world, &(struct sim_limits){.until_ns = 100 * SECOND});
    uint64_t hash = sim_world_hash(pair.world);
    sim_world_destroy(pair.world);
    return hash;
}

static void test_same_seed_same_network(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_true(stream_hash(seed) == stream_hash(seed));
        assert_true(stream_hash(seed) != stream_hash(seed + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_sendfile_shows_later_bytes),
        cmocka_unit_test(test_death_of_a_peer),
        cmocka_unit_test(test_backpressure_and_reset),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_cork),
        cmocka_unit_test(test_block_and_heal),
        cmocka_unit_test(test_refusal_and_restart),
        cmocka_unit_test(test_loopback_stays_on_its_host),
        cmocka_unit_test(test_same_seed_same_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
