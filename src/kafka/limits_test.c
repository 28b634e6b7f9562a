// SPDX-License-Identifier: Apache-2.0
// Every limit of connections and frames in docs/limits.md: what meets it is refused, ended or made to wait,
// and the others are served.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "broker/test_policy.h"
#include "kafka/test_rig.h"

enum { MIB = 1 << 20, PATIENCE_MS = 120000 };

static struct rig rig;

static int test_setup(void **state)
{
    (void)state;
    rig_init(&rig);
    return 0;
}

static int test_teardown(void **state)
{
    (void)state;
    rig_stop(&rig);
    rig_fini(&rig);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static int64_t counter(const char *name, const char *labels)
{
    return metric_value(metrics_counter(rig.metrics, name, labels, ""));
}

static int64_t gauge(const char *name)
{
    return metric_value(metrics_gauge(rig.metrics, name, NULL, ""));
}

// How many Metadata requests came, as a scrape shows it.
static int64_t metadata_requests(void)
{
    struct buf page;
    buf_init(&page, 4 * MIB);
    metrics_render(rig.metrics, &page);
    buf_u8(&page, 0);
    static const char name[] =
        "kafka_network_requestmetrics_requests_total{request=\"Metadata\",version=\"12\"} ";
    const char *at = strstr((const char *)page.ptr, name);
    int64_t count = at == NULL ? 0 : strtoll(at + sizeof name - 1, NULL, 10);
    buf_fini(&page);
    return count;
}

static void wait_for_connections(int64_t count)
{
    for (int i = 0; gauge("kafka_server_socket_server_metrics_connection_count") != count; i++) {
        assert_true(i < PATIENCE_MS);
        pause_ms(1);
    }
}

static bool is_served(struct client *c)
{
    client_send(c, API_API_VERSIONS, 0, client_new(c, api_versions_request, 1));
    uint8_t byte;
    return recv(c->fd, &byte, 1, MSG_PEEK) == 1 &&
           client_recv(c, API_API_VERSIONS, 0, c->correlation) != NULL;
}

static void set_small_receive_buffer(struct client *c)
{
    int small = 128 << 10;
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
}

// ---- connections

// Over three loops, as one number.
static void max_connections(void **state)
{
    (void)state;
    enum { MAX = 5 };
    rig.loop_count = 3;
    rig.options.connections_max = MAX;
    rig_start(&rig);
    struct client c[MAX + 3];
    for (int i = 0; i < MAX + 3; i++) {
        client_open(&c[i], &rig);
        assert_int_equal(is_served(&c[i]), i < MAX);
    }
    assert_int_equal(counter("strom_kafka_refused_connections_total", "limit=\"max.connections\""), 3);
    for (int i = 0; i < MAX + 3; i++) {
        client_close(&c[i]);
    }
    wait_for_connections(0);
    client_assert_served(&rig);
}

static void max_connections_per_ip(void **state)
{
    (void)state;
    enum { MAX = 3 };
    rig.loop_count = 3;
    rig.options.connections_per_ip = MAX;
    rig_start(&rig);
    struct client c[3 * (MAX + 1)];
    for (int i = 0; i < 3 * (MAX + 1); i++) {
        client_open_from(&c[i], &rig, (uint8_t)(1 + i / (MAX + 1)));
        assert_int_equal(is_served(&c[i]), i % (MAX + 1) < MAX);
    }
    assert_int_equal(counter("strom_kafka_refused_connections_total", "limit=\"max.connections.per.ip\""), 3);
    client_close(&c[0]);
    wait_for_connections(3 * MAX - 1);
    client_open_from(&c[0], &rig, 1);
    assert_true(is_served(&c[0]));
    for (int i = 0; i < 3 * (MAX + 1); i++) {
        client_close(&c[i]);
    }
    // Many addresses, one after the other, leave nothing behind (the sanitizer looks at the end).
    for (int i = 1; i < 250; i++) {
        client_open_from(&c[0], &rig, (uint8_t)i);
        assert_true(is_served(&c[0]));
        client_close(&c[0]);
    }
}

static void max_connection_creation_rate(void **state)
{
    (void)state;
    enum { CLIENTS = 3 };
    rig.options.connection_rate_max = 1;
    // One connection is too many for two windows already: after each, the next waits for 0.8 s or longer.
    rig.options.rate = (struct quota_rate_config){2, 100000000};
    rig_start(&rig);
    int64_t start_ms = now_ms();
    for (int i = 0; i < CLIENTS; i++) {
        struct client c;
        client_open(&c, &rig);
        assert_true(is_served(&c)); // late, but served
        client_close(&c);
    }
    assert_true(now_ms() - start_ms >= (CLIENTS - 1) * 800 - 1);
}

static void idle_and_slow_connections(void **state)
{
    (void)state;
    rig.has_own_time = true;
    rig.options.idle_ms = 900000;
    rig.options.first_frame_ms = 1200000;
    rig_start(&rig);
    static const char half[] = {0, 0, 1, 0, 0, 18};
    struct client idle;
    struct client slow;
    struct client silent;
    client_open(&idle, &rig);
    assert_true(is_served(&idle));
    client_open(&slow, &rig);
    struct buf frames; // in one go: once the request is answered, the half one was seen, too
    buf_init(&frames, 1000);
    client_frame(&slow, API_API_VERSIONS, 0, client_new(&slow, api_versions_request, 1), &frames);
    buf_append(&frames, half, sizeof half);
    client_send_bytes(&slow, frames.ptr, frames.len);
    (void)client_recv(&slow, API_API_VERSIONS, 0, slow.correlation);
    buf_fini(&frames);
    client_open(&silent, &rig);
    client_send_bytes(&silent, half, sizeof half);
    wait_for_connections(3);
    rig_time_passes(&rig, 1200000);
    assert_true(client_is_closed(&idle));
    assert_true(client_is_closed(&slow));
    assert_true(client_is_closed(&silent));
    assert_int_equal(counter("strom_kafka_ended_connections_total", "reason=\"idle\""), 1);
    assert_int_equal(counter("strom_kafka_ended_connections_total", "reason=\"slow\""), 2);
    client_close(&idle);
    client_close(&slow);
    client_close(&silent);
}

static void idle_for_ever(void **state)
{
    (void)state;
    rig.has_own_time = true;
    rig.options.idle_ms = -1;
    rig_start(&rig);
    struct client c;
    client_open(&c, &rig);
    assert_true(is_served(&c));
    rig_time_passes(&rig, 1000 * 86400 * 365LL);
    client_assert_served(&rig); // it has looked at all of them
    assert_true(is_served(&c));
    client_close(&c);
}

// ---- one connection

static void send_frame_of(struct client *c, size_t size)
{
    struct buf frame;
    buf_init(&frame, 64 * MIB);
    client_frame(c, API_METADATA, 12, client_new(c, metadata_request, 1), &frame);
    store_be32(frame.ptr, (uint32_t)size); // what follows the message is let pass
    uint8_t *filler = mem_zalloc(size);
    client_send_bytes(c, frame.ptr, frame.len);
    client_send_bytes(c, filler, size + 4 - frame.len);
    mem_free(filler);
    buf_fini(&frame);
}

static void frame_sizes(void **state)
{
    (void)state;
    rig.options.first_frame_bytes_max = 1000;
    rig.options.frame_bytes_max = 100000;
    rig_start(&rig);
    struct client c;
    client_open(&c, &rig);
    send_frame_of(&c, 1001);
    assert_true(client_is_closed(&c));
    client_close(&c);
    client_open(&c, &rig);
    static const size_t sizes[] = {1000, 100000, 1001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        send_frame_of(&c, sizes[i]);
        (void)client_recv(&c, API_METADATA, 12, c.correlation);
    }
    send_frame_of(&c, 100001);
    assert_true(client_is_closed(&c));
    client_close(&c);
    client_assert_served(&rig);
}

static void request_memory(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    rig.options.request_memory_max = 65536;
    rig_start(&rig);
    struct client c;
    client_open(&c, &rig);
    struct list_offsets_request *in = client_new(&c, list_offsets_request, 1);
    in->topics = client_new(&c, list_offsets_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("none");
    in->topics[0].partitions = client_new(&c, list_offsets_request_partition, COUNT);
    in->topics[0].partitions_count = 100;
    (void)client_call(&c, API_LIST_OFFSETS, 7, in);
    in->topics[0].partitions_count = COUNT;
    client_send(&c, API_LIST_OFFSETS, 7, in);
    assert_true(client_is_closed(&c));
    client_close(&c);
    client_assert_served(&rig);
}

static void produce_frames(struct client *c, int count)
{
    struct buf frames;
    buf_init(&frames, MIB);
    struct produce_request *in = client_new(c, produce_request, 1);
    in->acks = -1;
    in->topics = client_new(c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("t");
    in->topics[0].partitions = client_new(c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = batch_make(c, NULL, 1, "v");
    int32_t first = c->correlation + 1;
    for (int i = 0; i < count; i++) {
        client_frame(c, API_PRODUCE, 9, in, &frames);
    }
    client_send_bytes(c, frames.ptr, frames.len);
    for (int i = 0; i < count; i++) {
        const struct produce_response *out = client_recv(c, API_PRODUCE, 9, first + i);
        assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    }
    buf_fini(&frames);
}

// Produces that are worked on together share a bundle; one at a time, each has its own.
static void requests_in_flight(void **state)
{
    (void)state;
    enum { COUNT = 10 };
    for (uint32_t inflight = 1; inflight <= 64; inflight += 63) {
        rig.options.inflight_max = inflight;
        rig_start(&rig);
        struct client c;
        client_open(&c, &rig);
        topic_make(&c, inflight == 1 ? "t" : "other", 1, NULL, NULL);
        int64_t before = counter("strom_bundles_total", NULL);
        produce_frames(&c, COUNT);
        int64_t bundles = counter("strom_bundles_total", NULL) - before;
        assert_int_equal(bundles == COUNT, inflight == 1);
        client_close(&c);
        if (inflight == 1) {
            rig_stop(&rig);
        }
    }
}

// Whoever does not read its answers is not read from; nothing is lost.
static void output_backlog(void **state)
{
    (void)state;
    enum { REQUESTS = 500, TOPICS = 100, NAME_LEN = 249 }; // long names: many bytes for little work
    rig.options.output_bytes_max = 65536;
    rig_start(&rig);
    struct client c;
    client_open(&c, &rig);
    set_small_receive_buffer(&c);
    for (int i = 0; i < TOPICS; i++) {
        char name[NAME_LEN + 1];
        snprintf(name, sizeof name, "%0*d", NAME_LEN, i);
        topic_make(&c, name, 1, NULL, NULL);
    }
    struct buf frames;
    buf_init(&frames, MIB);
    int32_t first = c.correlation + 1;
    struct metadata_request *in = client_new(&c, metadata_request, 1);
    in->topics_count = -1;
    for (int i = 0; i < REQUESTS; i++) {
        client_frame(&c, API_METADATA, 12, in, &frames);
    }
    client_send_bytes(&c, frames.ptr, frames.len); // tens of KB; the answers are 15 MB, sockets take 5
    buf_fini(&frames);
    int64_t begun = 0;
    for (int64_t before = -1; begun == 0 || begun != before;) { // until it goes no further
        before = begun;
        for (int i = 0; i < 50; i++) {
            client_assert_served(&rig);
        }
        begun = metadata_requests();
    }
    assert_true(begun > 0 && begun < REQUESTS);
    for (int i = 0; i < REQUESTS; i++) {
        struct bytes answer = client_recv_frame(&c);
        assert_int_equal(load_be32(answer.ptr), first + i);
        arena_reset(&c.arena);
    }
    client_close(&c);
}

// ---- all connections together

// A connection that sends `whole`, or its first part, and reads an answer; never blocking.
struct flow {
    struct client c;
    struct buf out;
    size_t send_until;
    size_t sent;
    uint8_t in[4096]; // the start of the answer
    size_t got;       // all of it
    bool is_ended;
};

static void flow_open(struct flow *flow)
{
    *flow = (struct flow){.is_ended = false};
    client_open(&flow->c, &rig);
    assert_true(is_served(&flow->c));
    buf_init(&flow->out, 8 * MIB);
}

static void flow_close(struct flow *flow)
{
    buf_fini(&flow->out);
    client_close(&flow->c);
}

static void flow_step(struct flow *flow)
{
    while (flow->sent < flow->send_until && !flow->is_ended) {
        ssize_t sent = send(flow->c.fd, flow->out.ptr + flow->sent, flow->send_until - flow->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            flow->is_ended = errno != EAGAIN;
            break;
        }
        flow->sent += (size_t)sent;
    }
    for (ssize_t got = 1; got > 0;) {
        uint8_t chunk[65536];
        got = recv(flow->c.fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (got > 0 && flow->got < sizeof flow->in) {
            size_t room = sizeof flow->in - flow->got;
            memcpy(flow->in + flow->got, chunk, (size_t)got < room ? (size_t)got : room);
        }
        flow->got += got > 0 ? (size_t)got : 0;
        flow->is_ended = flow->is_ended || got == 0 || (got < 0 && errno != EAGAIN);
    }
}

static bool flow_is_answered(const struct flow *flow)
{
    return flow->got >= 4 && flow->got == 4 + load_be32(flow->in);
}

static void flows_run(struct flow *flows, int count, bool (*is_over)(const struct flow *flow))
{
    int64_t end_ms = now_ms() + PATIENCE_MS;
    for (int over = 0; over < count;) {
        assert_true(now_ms() < end_ms);
        over = 0;
        for (int i = 0; i < count; i++) {
            flow_step(&flows[i]);
            over += is_over(&flows[i]);
        }
        pause_ms(1);
    }
}

static bool flow_is_sent_or_stuck(const struct flow *flow)
{
    (void)flow;
    return gauge("kafka_network_socketserver_memorypoolused") >= 2 * MIB;
}

static bool queue_is_over(const struct flow *flow)
{
    (void)flow;
    return gauge("kafka_network_socketserver_memorypoolused") >= 3 * MIB;
}

static bool flow_is_over(const struct flow *flow)
{
    return flow->is_ended || flow_is_answered(flow);
}

static void flow_produce(struct flow *flow, const char *topic, struct bytes records)
{
    struct client *c = &flow->c;
    struct produce_request *in = client_new(c, produce_request, 1);
    in->acks = -1;
    in->topics = client_new(c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = records;
    client_frame(c, API_PRODUCE, 9, in, &flow->out);
}

// A Produce of 2 MiB for a topic that does not exist: a large frame that needs no disk.
static void flow_fill(struct flow *flow)
{
    flow_produce(flow, "none", bytes_of(arena_alloc(&flow->c.arena, 2 * MIB), 2 * MIB));
}

// Starts the rig and `count` requests of which only a half comes, until no more is read of them.
static struct flow *flows_half(int count)
{
    rig.options.frame_bytes_max = 3 * MIB;
    rig_start(&rig);
    struct flow *flows = mem_array((size_t)count + 1, sizeof *flows); // and one more, for a friend
    for (int i = 0; i < count; i++) {
        flow_open(&flows[i]);
        flow_fill(&flows[i]);
        flows[i].send_until = MIB;
    }
    flows_run(flows, count, flow_is_sent_or_stuck);
    return flows;
}

// Small requests go on, and with their other halves one after the other is completed, and none is ended.
static void flows_end(struct flow *flows, int count)
{
    client_assert_served(&rig);
    for (int i = 0; i < count; i++) {
        flows[i].send_until = flows[i].out.len;
    }
    flows_run(flows, count, flow_is_over);
    for (int i = 0; i < count; i++) {
        assert_true(flow_is_answered(&flows[i]));
        flow_close(&flows[i]);
    }
    assert_int_equal(counter("strom_kafka_ended_connections_total", "reason=\"slow\""), 0);
    mem_free(flows);
}

// The queue has room for one and a half of them.
static void queue_lets_one_after_the_other_end(void **state)
{
    (void)state;
    rig.options.queued_bytes_max = 4 * MIB; // 3 MiB for large frames
    rig.loop_count = 3;
    flows_end(flows_half(8), 8);
}

// Whole requests that are worked on fill the queue: it is for those to end, and nobody reads beyond it.
static void work_in_the_queue_is_waited_for(void **state)
{
    (void)state;
    enum { COUNT = 16, VALUE_BYTES = 900 << 10, ROUNDS = 100 };
    struct test_policy policy;
    test_policy_init(&policy);
    policy.is_endless = true;
    rig.policy = &policy.face;
    rig.options.queued_bytes_max = 4 * MIB; // three of them fit, with a fourth it is over
    rig.options.frame_bytes_max = COUNT * MIB;
    rig_start(&rig);
    struct client admin;
    client_open(&admin, &rig);
    topic_make(&admin, "judged", 1, "strom.value.validation.level", "contract");
    client_close(&admin);
    static char value[VALUE_BYTES];
    memset(value, 'v', sizeof value - 1);
    static struct flow flows[COUNT];
    for (int i = 0; i < COUNT; i++) {
        flow_open(&flows[i]);
        flow_produce(&flows[i], "judged", batch_make(&flows[i].c, NULL, 1, value));
        flows[i].send_until = flows[i].out.len;
    }
    flows_run(flows, COUNT, queue_is_over);
    int64_t most = 0;
    for (int i = 0; i < ROUNDS; i++) { // the queue's timer tries again meanwhile
        for (int k = 0; k < COUNT; k++) {
            flow_step(&flows[k]);
        }
        client_assert_served(&rig);
        int64_t queued = gauge("kafka_network_socketserver_memorypoolused");
        most = queued > most ? queued : most;
        pause_ms(1);
    }
    __atomic_store_n(&policy.is_endless, false, __ATOMIC_RELEASE);
    flows_run(flows, COUNT, flow_is_over);
    for (int i = 0; i < COUNT; i++) {
        assert_true(flow_is_answered(&flows[i]));
        flow_close(&flows[i]);
    }
    assert_true(most < 5 * MIB);
}

// The queue would let all of them in: the pool is what is full.
static void frames_end_one_after_the_other_without_memory(void **state)
{
    (void)state;
    rig.options.queued_bytes_max = 1 << 30;
    rig.pool_bytes = 8 * MIB;
    rig.loop_count = 3;
    flows_end(flows_half(12), 12);
}

// Those that fill the queue and send no more lose it; the next in the row is served.
static void queue_ends_those_that_block_it(void **state)
{
    (void)state;
    enum { ENEMIES = 6 };
    rig.options.queued_bytes_max = 4 * MIB;
    rig.has_own_time = true;
    struct flow *flows = flows_half(ENEMIES);
    struct flow *friend = &flows[ENEMIES];
    int64_t end_ms = now_ms() + PATIENCE_MS;
    for (bool is_answered = false; !is_answered;) { // it may itself be ended for waiting, and tries again
        assert_true(now_ms() < end_ms);
        flow_open(friend);
        flow_fill(friend);
        friend->send_until = friend->out.len;
        flow_step(friend);
        rig_time_passes(&rig, rig.options.first_frame_ms);
        flows_run(friend, 1, flow_is_over);
        is_answered = flow_is_answered(friend);
        flow_close(friend);
    }
    rig_time_passes(&rig, rig.options.first_frame_ms);
    flows_run(flows, ENEMIES, flow_is_over);
    for (int i = 0; i < ENEMIES; i++) {
        assert_true(flows[i].is_ended);
        flow_close(&flows[i]);
    }
    mem_free(flows);
}

// ---- memory for answers

static void fill_topic(struct client *c, size_t *ret_total)
{
    enum { BATCHES = 12, VALUE = 700000 };
    topic_make(c, "large", 1, NULL, NULL);
    char *value = mem_alloc(VALUE + 1);
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    struct bytes batch = batch_make(c, NULL, 1, value);
    mem_free(value);
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(produce(c, "large", 0, batch), i);
    }
    *ret_total = BATCHES * batch.len;
}

static void flow_fetch(struct flow *flow)
{
    flow_open(flow);
    set_small_receive_buffer(&flow->c);
    const struct fetch_ask ask = {.topic = "large"};
    client_frame(&flow->c, API_FETCH, 11, fetch_make(&flow->c, &ask), &flow->out);
    client_send_bytes(&flow->c, flow->out.ptr, flow->out.len);
    flow->send_until = flow->sent = flow->out.len;
}

// More answers under way than the pool has memory for: each waits for its turn and comes whole.
static void answers_wait_for_memory(void **state)
{
    (void)state;
    enum { READERS = 30 };
    rig.pool_bytes = 6 * MIB;
    rig_start(&rig);
    struct client c;
    size_t total = 0;
    client_open(&c, &rig);
    fill_topic(&c, &total);
    struct flow *flows = mem_array(READERS, sizeof *flows);
    for (int i = 0; i < READERS; i++) {
        flow_fetch(&flows[i]);
    }
    flows_run(flows, READERS, flow_is_over);
    for (int i = 0; i < READERS; i++) {
        assert_true(flow_is_answered(&flows[i]));
        assert_true(flows[i].got > total);
        flow_close(&flows[i]);
    }
    client_close(&c);
    mem_free(flows);
}

// flow_is_over_in_time lets the time of slow readers pass, now and then, while memory is short.
static bool flow_is_over_in_time(const struct flow *flow)
{
    enum { ASKED_PER_LEAP = 100 };
    static int asked = 0;
    bool is_short = pool_used_bytes(rig.pool) > pool_limit_bytes(rig.pool) / 4 * 3;
    if (++asked % ASKED_PER_LEAP == 0 && is_short) {
        rig_time_passes(&rig, rig.options.first_frame_ms);
    }
    return flow_is_over(flow);
}

// Those that do not read give the memory back for others.
static void slow_readers_are_ended_when_memory_is_short(void **state)
{
    (void)state;
    enum { READERS = 30 };
    rig.pool_bytes = 6 * MIB;
    rig.has_own_time = true;
    rig_start(&rig);
    struct client c;
    size_t total = 0;
    client_open(&c, &rig);
    fill_topic(&c, &total);
    struct flow *flows = mem_array(READERS + 1, sizeof *flows);
    for (int i = 0; i < READERS; i++) {
        flow_fetch(&flows[i]);
    }
    struct flow *reader = &flows[READERS];
    for (bool is_answered = false; !is_answered;) { // time passes for itself, too: it may have to try again
        flow_fetch(reader);
        flows_run(reader, 1, flow_is_over_in_time);
        is_answered = flow_is_answered(reader);
        flow_close(reader);
    }
    assert_true(counter("strom_kafka_ended_connections_total", "reason=\"slow\"") > 0);
    for (int i = 0; i < READERS; i++) {
        flow_close(&flows[i]);
    }
    client_close(&c);
    mem_free(flows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(max_connections),
        TEST(max_connections_per_ip),
        TEST(max_connection_creation_rate),
        TEST(idle_and_slow_connections),
        TEST(idle_for_ever),
        TEST(frame_sizes),
        TEST(request_memory),
        TEST(requests_in_flight),
        TEST(output_backlog),
        TEST(queue_lets_one_after_the_other_end),
        TEST(work_in_the_queue_is_waited_for),
        TEST(frames_end_one_after_the_other_without_memory),
        TEST(queue_ends_those_that_block_it),
        TEST(answers_wait_for_memory),
        TEST(slow_readers_are_ended_when_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
