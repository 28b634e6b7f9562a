// SPDX-License-Identifier: Apache-2.0
// load.c - a cheap load generator: N connections with W requests in flight each, one epoll loop. Closed loop:
// the next request follows an answer. Open loop (--rate): requests fall due by the clock, whatever the broker
// does, and latency counts from when a request was due, so that a stall is seen by all whom it held up
// (coordinated omission). It drives Strom and the probe with the same bytes. Requests are encoded once
// (load_requests.h); per request it patches a few fields and reads a few of the answer. The result is one
// line of JSON on standard output. Any error code in an answer ends the run: a load that fails measures
// nothing.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "calls.h"
#include "load_options.h"
#include "load_requests.h"
#include "support.h"

enum {
    EVENTS_MAX = 256,
    SCRATCH_SIZE = 256 << 10,
    FETCH_WAIT_MS = 1000,
    BORN_MAX = 1 << 16, // end to end: batches of one partition that were sent and have not come
    NS_PER_S = 1000000000,
};

// When the batches of one partition were due, by their number.
struct births {
    int64_t at_ns[BORN_MAX];
    uint32_t sent, come;
};

struct connection {
    int fd;
    bool is_fetch;
    struct template template;
    int32_t partition;
    int64_t offset;       // fetch: where the next request reads
    int64_t end;          // fetch: high watermark at the start
    int64_t first_due_ns; // open loop: when its first request falls due
    uint32_t due;         // ... and how many have
    uint32_t next_sent;   // correlation id of the request that is next, or being sent
    uint32_t next_answer; // and of the answer that is next
    size_t sent;          // bytes of the request being sent
    bool is_writable_wanted;
    struct producer producer;
    struct births *births; // end to end: shared by who sends and who fetches
    int64_t sent_ns[LOAD_IN_FLIGHT_MAX];
    uint8_t head[ANSWER_HEAD_SIZE]; // start of the answer being received
    size_t received;                // bytes of that answer
};

static struct {
    struct load_options options;
    int epoll;
    int32_t batch_records;
    size_t batch_size;
    int64_t start_ns;
    int64_t from_ns, until_ns; // what is measured: answers that end between
    uint64_t due;              // open loop: requests of all connections that have fallen due
    double turn_ns;            // ... from one of a connection to its next
    uint64_t answers, payload_bytes, bytes_all;
    int64_t last_ns;
    double *shares; // of the partitions, cumulative; NULL = in turns
    uint64_t chance;
    struct histogram histogram;
    uint8_t scratch[SCRATCH_SIZE];
} load;

static bool is_open_loop(void)
{
    return load.options.rate > 0;
}

static int64_t due_ns(uint64_t number)
{
    return load.start_ns + (int64_t)((double)number * NS_PER_S / load.options.rate);
}

// ---- which partition

static void shares_make(void)
{
    const struct load_options *o = &load.options;
    load.shares = mem_array((size_t)o->partitions, sizeof *load.shares);
    double sum = 0;
    for (int32_t i = 0; i < o->partitions; i++) {
        sum += pow(i + 1, -o->skew);
        load.shares[i] = sum;
    }
    load.chance = 0x9e3779b97f4a7c15;
}

static int32_t partition_by_chance(void)
{
    load.chance ^= load.chance << 13;
    load.chance ^= load.chance >> 7;
    load.chance ^= load.chance << 17;
    int32_t low = 0, high = load.options.partitions - 1;
    double at = (double)(load.chance >> 11) / (double)(UINT64_C(1) << 53) * load.shares[high];
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (load.shares[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void partition_choose(struct connection *c)
{
    const struct load_options *o = &load.options;
    if (load.shares != NULL) {
        c->partition = partition_by_chance();
    } else if (c->next_sent > 0 && o->partitions > o->connections) {
        c->partition = (c->partition + o->connections) % o->partitions;
    }
}

// ---- sending

static void want_write(struct connection *c, bool is_wanted)
{
    if (c->is_writable_wanted != is_wanted) {
        struct epoll_event event = {.events = EPOLLIN | (is_wanted ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
        epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->is_writable_wanted = is_wanted;
    }
}

static void birth(struct connection *c, int64_t since_ns)
{
    if (c->births->sent - c->births->come == BORN_MAX) {
        bench_die(0, "partition %d: %d batches sent and not come", (int)c->partition, BORN_MAX);
    }
    c->births->at_ns[c->births->sent++ % BORN_MAX] = since_ns;
}

static void request_patch(struct connection *c)
{
    struct template *t = &c->template;
    int64_t since_ns = bench_now_ns();
    if (c->is_fetch) {
        store_be64(t->head + t->offset_at, (uint64_t)c->offset);
    } else {
        partition_choose(c);
        if (is_open_loop()) {
            since_ns = c->first_due_ns + (int64_t)((double)c->next_sent * load.turn_ns);
        }
        if (c->producer.id >= 0) {
            template_sequence(t, &c->producer, load.batch_records);
        }
        if (c->births != NULL) {
            birth(c, since_ns);
        }
    }
    store_be32(t->head + CORRELATION_AT, c->next_sent);
    store_be32(t->head + t->partition_at, (uint32_t)c->partition);
    c->sent_ns[c->next_sent % LOAD_IN_FLIGHT_MAX] = since_ns;
}

// request_send moves what the socket takes; true once the request is all out.
static bool request_send(struct connection *c)
{
    struct template *t = &c->template;
    struct iovec slices[3] = {
        {t->head, t->head_len}, {(void *)(uintptr_t)t->body.ptr, t->body.len}, {t->tail, t->tail_len}};
    size_t total = t->head_len + t->body.len + t->tail_len;
    size_t skip = c->sent;
    int first = 0;
    while (first < 3 && skip >= slices[first].iov_len) {
        skip -= slices[first++].iov_len;
    }
    slices[first].iov_base = (uint8_t *)slices[first].iov_base + skip;
    slices[first].iov_len -= skip;
    struct msghdr message = {.msg_iov = slices + first, .msg_iovlen = (size_t)(3 - first)};
    ssize_t moved = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (moved < 0 && errno != EAGAIN) {
        bench_die(errno, "send");
    }
    c->sent += moved > 0 ? (size_t)moved : 0;
    return c->sent == total;
}

static bool may_send(const struct connection *c)
{
    uint32_t in_flight = c->next_sent - c->next_answer;
    if (c->is_fetch && load.options.mode == LOAD_END_TO_END) {
        return in_flight == 0;
    }
    uint32_t window = is_open_loop() ? LOAD_IN_FLIGHT_MAX : (uint32_t)load.options.in_flight;
    return in_flight < window && (!is_open_loop() || c->next_sent < c->due);
}

static void connection_send(struct connection *c)
{
    while (may_send(c)) {
        if (c->sent == 0) {
            request_patch(c);
        }
        if (!request_send(c)) {
            want_write(c, true);
            return;
        }
        c->sent = 0;
        c->next_sent++;
    }
    want_write(c, false);
}

// ---- receiving

static void measured(uint64_t payload, int64_t since_ns, int64_t now_ns)
{
    if (now_ns >= load.from_ns && now_ns < load.until_ns) {
        load.answers++;
        load.payload_bytes += payload;
        histogram_add(&load.histogram, now_ns - since_ns);
    }
}

// come counts the batches of an answer, end to end.
static void come(struct connection *c, const struct answer *a, int64_t now_ns)
{
    int64_t batches = a->records_bytes / (int64_t)load.batch_size;
    for (int64_t i = 0; i < batches; i++) {
        if (c->births->come == c->births->sent) {
            bench_die(0, "partition %d: more came than was sent", (int)c->partition);
        }
        measured(load.batch_size, c->births->at_ns[c->births->come++ % BORN_MAX], now_ns);
    }
    c->offset += batches * load.batch_records;
}

static void fetch_answer(struct connection *c, const struct answer *a)
{
    if (load.options.is_probe) {
        return;
    }
    if (a->base_offset > c->offset || a->base_offset + load.batch_records <= c->offset) {
        bench_die(0, "partition %d: asked for offset %lld, got a batch at %lld", (int)c->partition,
                  (long long)c->offset, (long long)a->base_offset);
    }
    if (!load.options.is_tail) {
        c->offset = a->base_offset + a->records_bytes / (int64_t)load.batch_size * load.batch_records;
        c->offset = c->offset >= c->end ? 0 : c->offset; // again from the start
    }
}

static void answer_end(struct connection *c, size_t size)
{
    struct answer a = {0};
    size_t kept = size < sizeof c->head ? size : sizeof c->head;
    bool is_shaped =
        c->is_fetch ? fetch_answer_read(c->head, kept, &a) : produce_answer_read(c->head, kept, &a);
    if (err_from_kafka((int16_t)a.error) == ERR_INVALID_RECORD && load.options.may_be_refused) {
        a.error = 0;
    }
    if (!is_shaped || a.error != 0 || (uint32_t)a.correlation_id != c->next_answer) {
        bench_die(0, "%s: bad answer: error %d, correlation id %d for %u", c->is_fetch ? "fetch" : "produce",
                  a.error, (int)a.correlation_id, (unsigned)c->next_answer);
    }
    int64_t now_ns = bench_now_ns();
    int64_t sent_ns = c->sent_ns[c->next_answer % LOAD_IN_FLIGHT_MAX];
    uint64_t payload = c->is_fetch ? (uint64_t)a.records_bytes : load.batch_size;
    c->next_answer++;
    load.bytes_all += payload;
    load.last_ns = now_ns;
    if (load.options.mode == LOAD_END_TO_END) {
        if (c->is_fetch) {
            come(c, &a, now_ns);
        }
        return;
    }
    if (c->is_fetch) {
        fetch_answer(c, &a);
    }
    measured(payload, sent_ns, now_ns);
}

static void connection_receive(struct connection *c)
{
    ssize_t moved = recv(c->fd, load.scratch, sizeof load.scratch, 0);
    if (moved <= 0) {
        if (moved < 0 && errno == EAGAIN) {
            return;
        }
        bench_die(moved == 0 ? 0 : errno, "the broker closed a connection");
    }
    const uint8_t *data = load.scratch;
    size_t left = (size_t)moved;
    while (left > 0) {
        size_t total = c->received >= 4 ? 4 + (size_t)load_be32(c->head) : 4;
        size_t step = total - c->received < left ? total - c->received : left;
        if (c->received < sizeof c->head) {
            size_t room = sizeof c->head - c->received;
            memcpy(c->head + c->received, data, step < room ? step : room);
        }
        c->received += step;
        data += step;
        left -= step;
        if (c->received >= 4 && c->received == 4 + (size_t)load_be32(c->head)) {
            answer_end(c, c->received);
            c->received = 0;
        }
    }
    connection_send(c);
}

// ---- the run

static struct connection *connection_open(int index, bool is_fetch, struct uuid topic_id,
                                          const struct template *template)
{
    const struct load_options *o = &load.options;
    struct connection *c = mem_zalloc(sizeof *c);
    c->is_fetch = is_fetch;
    c->template = *template;
    c->partition = index % o->partitions;
    c->producer.id = -1;
    c->fd = bench_connect(o->port, o->congestion);
    if (is_fetch && o->mode == LOAD_FETCH && !o->is_probe) {
        int64_t records = (int64_t)o->fetch_bytes / (int64_t)load.batch_size * load.batch_records;
        c->end = partition_end(c->fd, topic_id, c->partition);
        c->offset = o->is_tail && c->end > records ? c->end - records : 0;
        if (c->end == 0) {
            bench_die(0, "partition %d is empty", (int)c->partition);
        }
    }
    if (!is_fetch && o->is_idempotent && !o->is_probe) {
        c->producer = producer_init(c->fd, (struct str){0});
    }
    bench_set_nonblocking(c->fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
    return c;
}

// due_send lets fall due what the clock says, and says how long the loop may sleep.
static int64_t due_send(struct connection **producers)
{
    enum { SLEEP_NS_MAX = NS_PER_S / 10 };
    if (!is_open_loop()) {
        return SLEEP_NS_MAX;
    }
    for (int64_t now_ns = bench_now_ns(); due_ns(load.due) <= now_ns;) {
        struct connection *c = producers[load.due++ % (uint64_t)load.options.connections];
        c->due++;
        connection_send(c);
    }
    int64_t wait_ns = due_ns(load.due) - bench_now_ns();
    return wait_ns < 0 ? 0 : wait_ns > SLEEP_NS_MAX ? SLEEP_NS_MAX : wait_ns;
}

static bool is_over(void)
{
    const struct load_options *o = &load.options;
    return bench_now_ns() >= load.until_ns || (o->bytes_max != 0 && load.bytes_all >= (uint64_t)o->bytes_max);
}

static void run(struct connection **connections, int count)
{
    const struct load_options *o = &load.options;
    load.start_ns = bench_now_ns();
    load.from_ns = load.start_ns + (int64_t)(o->warmup * NS_PER_S);
    load.until_ns = load.from_ns + (int64_t)(o->seconds * NS_PER_S);
    load.turn_ns = is_open_loop() ? (double)o->connections * NS_PER_S / o->rate : 0;
    for (int i = 0; i < count; i++) {
        connections[i]->first_due_ns = is_open_loop() ? due_ns((uint64_t)i) : 0;
        connection_send(connections[i]);
    }
    while (!is_over()) {
        struct epoll_event events[EVENTS_MAX];
        struct timespec wait = {.tv_nsec = due_send(connections)};
        int ready = epoll_pwait2(load.epoll, events, EVENTS_MAX, &wait, NULL);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                connection_send(c);
            }
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                connection_receive(c);
            }
        }
    }
    bool has_ended_early = o->bytes_max != 0 && load.last_ns > load.from_ns;
    load.until_ns = has_ended_early ? load.last_ns : load.until_ns;
}

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void report(void)
{
    static const struct {
        const char *name;
        double at;
    } quantiles[] = {
        {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"p9999_us", 0.9999}};
    const struct histogram *h = &load.histogram;
    double seconds = (double)(load.until_ns - load.from_ns) / NS_PER_S;
    double batches = (double)load.payload_bytes / (double)load.batch_size;
    printf("{\"answers\": %llu, \"bytes\": %llu, \"bytes_all\": %llu, \"seconds\": %.3f, \"per_s\": %.1f, "
           "\"mb_per_s\": %.2f, \"records_per_s\": %.0f, ",
           (unsigned long long)load.answers, (unsigned long long)load.payload_bytes,
           (unsigned long long)load.bytes_all, seconds, (double)load.answers / seconds,
           (double)load.payload_bytes / seconds / 1e6, batches * load.batch_records / seconds);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        printf("\"%s\": %.1f, ", quantiles[i].name, (double)histogram_at(h, quantiles[i].at) / 1e3);
    }
    printf("\"max_us\": %.1f, \"cpu_s\": %.2f, \"batch_bytes\": %zu, \"batch_records\": %d}\n",
           (double)h->max_ns / 1e3, cpu_seconds(), load.batch_size, (int)load.batch_records);
}

static void create_topics(void)
{
    const struct load_options *o = &load.options;
    int fd = bench_connect(o->port, o->congestion);
    for (int i = 0; i < o->topics; i++) {
        char name[300];
        int len = snprintf(name, sizeof name, o->topics == 1 ? "%s" : "%s-%05d", o->topic, i);
        topic_create(fd, (struct str){name, (size_t)len}, o->partitions, o->topic_config);
    }
    close(fd);
}

static void connections_close(struct connection **connections, int count)
{
    for (int i = 0; i < count; i++) {
        close(connections[i]->fd);
        if (i < load.options.connections) {
            mem_free(connections[i]->births);
        }
        mem_free(connections[i]);
    }
    mem_free(connections);
}

static void measure(void)
{
    const struct load_options *o = &load.options;
    struct uuid topic_id = {0};
    if (!o->is_probe) {
        int fd = bench_connect(o->port, o->congestion);
        topic_id = topic_create(fd, str_from_c(o->topic), o->partitions, o->topic_config);
        for (int32_t i = 0; i < o->partitions; i++) {
            (void)partition_end(fd, topic_id, i);
        }
        close(fd);
    }
    struct buf batch;
    buf_init(&batch, 64 << 20);
    batch_make(&batch, o->batch_bytes, o->record_bytes, o->codec, o->values, &load.batch_records);
    load.batch_size = batch.len;
    if (o->skew > 0) {
        shares_make();
    }
    struct template produce, fetch;
    produce_template(&produce, topic_id, buf_bytes(&batch));
    fetch_template(&fetch, topic_id, o->fetch_bytes, FETCH_WAIT_MS);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    bool is_end_to_end = o->mode == LOAD_END_TO_END;
    int count = is_end_to_end ? 2 * o->connections : o->connections;
    struct connection **connections = mem_array((size_t)count, sizeof *connections);
    for (int i = 0; i < count; i++) {
        bool is_fetch = o->mode == LOAD_FETCH || i >= o->connections;
        connections[i] =
            connection_open(i % o->connections, is_fetch, topic_id, is_fetch ? &fetch : &produce);
        if (is_end_to_end) {
            connections[i]->births =
                is_fetch ? connections[i - o->connections]->births : mem_zalloc(sizeof(struct births));
        }
    }
    run(connections, count);
    report();
    connections_close(connections, count);
    mem_free(load.shares);
    buf_fini(&batch);
}

int main(int argc, char **argv)
{
    load_options_read(argc, argv, &load.options);
    if (load.options.mode == LOAD_NONE) {
        fputs(load_usage, stderr);
        return 2;
    }
    bench_raise_descriptors();
    bench_pin(load.options.cpu);
    if (load.options.mode == LOAD_CREATE) {
        create_topics();
    } else {
        measure();
    }
    return 0;
}
