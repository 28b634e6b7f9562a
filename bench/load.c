// SPDX-License-Identifier: Apache-2.0
// load.c - a cheap load generator: closed loop, N connections with W requests in flight each, one epoll loop.
// It drives Strom and the probe with the same bytes. Requests are encoded once (load_requests.h); per request
// it patches a correlation id, a partition or an offset, and reads a few fields of the answer. The result is
// one line of JSON on standard output. Any error code in an answer ends the run: a load that fails measures
// nothing.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "calls.h"
#include "load_requests.h"
#include "support.h"

enum { IN_FLIGHT_MAX = 256, EVENTS_MAX = 256, SCRATCH_SIZE = 256 << 10, FETCH_WAIT_MS = 1000 };

struct options {
    const char *mode; // "create", "produce" or "fetch"
    const char *topic;
    const char *congestion;
    int port, cpu;
    int connections, in_flight, topics;
    int32_t partitions;
    size_t batch_bytes, record_bytes;
    int32_t fetch_bytes;
    double seconds, warmup;
    int64_t bytes_max; // stop after so many; 0 = by time
    bool is_probe, is_tail;
};

struct connection {
    int fd;
    struct template template;
    int32_t partition;
    int64_t offset;       // fetch: where the next request reads
    int64_t end;          // fetch: high watermark at the start
    uint32_t next_sent;   // correlation id of the request that is next, or being sent
    uint32_t next_answer; // and of the answer that is next
    size_t sent;          // bytes of the request being sent
    bool is_writable_wanted;
    int64_t sent_ns[IN_FLIGHT_MAX];
    uint8_t head[ANSWER_HEAD_SIZE]; // start of the answer being received
    size_t received;                // bytes of that answer
};

static struct {
    struct options options;
    int epoll;
    int32_t batch_records;
    size_t batch_size;
    int64_t from_ns, until_ns; // what is measured: answers that end between
    uint64_t answers, payload_bytes, bytes_all;
    int64_t last_ns;
    struct histogram histogram;
    uint8_t scratch[SCRATCH_SIZE];
} load;

static bool is_fetch(void)
{
    return load.options.mode[0] == 'f';
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

static void request_patch(struct connection *c)
{
    struct template *t = &c->template;
    store_be32(t->head + CORRELATION_AT, c->next_sent);
    store_be32(t->head + t->partition_at, (uint32_t)c->partition);
    if (t->offset_at != 0) {
        store_be64(t->head + t->offset_at, (uint64_t)c->offset);
    } else if (load.options.partitions > load.options.connections) {
        c->partition = (c->partition + load.options.connections) % load.options.partitions;
    }
    c->sent_ns[c->next_sent % IN_FLIGHT_MAX] = bench_now_ns();
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

static void connection_send(struct connection *c)
{
    while (c->next_sent - c->next_answer < (uint32_t)load.options.in_flight) {
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
        is_fetch() ? fetch_answer_read(c->head, kept, &a) : produce_answer_read(c->head, kept, &a);
    if (!is_shaped || a.error != 0 || (uint32_t)a.correlation_id != c->next_answer) {
        bench_die(0, "%s: bad answer: error %d, correlation id %d for %u", load.options.mode, a.error,
                  (int)a.correlation_id, (unsigned)c->next_answer);
    }
    int64_t now_ns = bench_now_ns();
    int64_t sent_ns = c->sent_ns[c->next_answer % IN_FLIGHT_MAX];
    uint64_t payload = is_fetch() ? (uint64_t)a.records_bytes : load.batch_size;
    if (is_fetch()) {
        fetch_answer(c, &a);
    }
    c->next_answer++;
    load.bytes_all += payload;
    load.last_ns = now_ns;
    if (now_ns >= load.from_ns && now_ns < load.until_ns) {
        load.answers++;
        load.payload_bytes += payload;
        histogram_add(&load.histogram, now_ns - sent_ns);
    }
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

static struct connection *connection_open(int index, struct uuid topic_id, const struct template *template)
{
    const struct options *o = &load.options;
    struct connection *c = mem_zalloc(sizeof *c);
    c->template = *template;
    c->partition = index % o->partitions;
    c->fd = bench_connect(o->port, o->congestion);
    if (is_fetch() && !o->is_probe) {
        int64_t records = (int64_t)o->fetch_bytes / (int64_t)load.batch_size * load.batch_records;
        c->end = partition_end(c->fd, topic_id, c->partition);
        c->offset = o->is_tail && c->end > records ? c->end - records : 0;
        if (c->end == 0) {
            bench_die(0, "partition %d is empty", (int)c->partition);
        }
    }
    bench_set_nonblocking(c->fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
    return c;
}

static void run(struct connection **connections)
{
    const struct options *o = &load.options;
    int64_t start_ns = bench_now_ns();
    load.from_ns = start_ns + (int64_t)(o->warmup * 1e9);
    load.until_ns = load.from_ns + (int64_t)(o->seconds * 1e9);
    for (int i = 0; i < o->connections; i++) {
        connection_send(connections[i]);
    }
    while (bench_now_ns() < load.until_ns && (o->bytes_max == 0 || load.bytes_all < (uint64_t)o->bytes_max)) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(load.epoll, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0) {
                connection_send(c);
            }
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                connection_receive(c);
            }
        }
    }
    load.until_ns = o->bytes_max == 0 ? load.until_ns : load.last_ns;
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
    const struct histogram *h = &load.histogram;
    double seconds = (double)(load.until_ns - load.from_ns) / 1e9;
    printf("{\"answers\": %llu, \"bytes\": %llu, \"seconds\": %.3f, \"per_s\": %.1f, \"mb_per_s\": %.2f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f, \"cpu_s\": %.2f, "
           "\"batch_bytes\": %zu, \"batch_records\": %d}\n",
           (unsigned long long)load.answers, (unsigned long long)load.payload_bytes, seconds,
           (double)load.answers / seconds, (double)load.payload_bytes / seconds / 1e6,
           (double)histogram_at(h, 0.5) / 1e3, (double)histogram_at(h, 0.99) / 1e3,
           (double)histogram_at(h, 0.999) / 1e3, (double)h->max_ns / 1e3, cpu_seconds(), load.batch_size,
           (int)load.batch_records);
}

static void create_topics(void)
{
    const struct options *o = &load.options;
    int fd = bench_connect(o->port, o->congestion);
    for (int i = 0; i < o->topics; i++) {
        char name[300];
        int len = snprintf(name, sizeof name, o->topics == 1 ? "%s" : "%s-%05d", o->topic, i);
        topic_create(fd, (struct str){name, (size_t)len}, o->partitions);
    }
    close(fd);
}

static void measure(void)
{
    const struct options *o = &load.options;
    struct uuid topic_id = {0};
    if (!o->is_probe) {
        int fd = bench_connect(o->port, o->congestion);
        topic_id = topic_create(fd, str_from_c(o->topic), o->partitions);
        close(fd);
    }
    struct buf batch;
    buf_init(&batch, 64 << 20);
    batch_make(&batch, o->batch_bytes, o->record_bytes, &load.batch_records);
    load.batch_size = batch.len;
    struct template template;
    if (is_fetch()) {
        fetch_template(&template, topic_id, o->fetch_bytes, FETCH_WAIT_MS);
    } else {
        produce_template(&template, topic_id, buf_bytes(&batch));
    }
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct connection **connections = mem_array((size_t)o->connections, sizeof *connections);
    for (int i = 0; i < o->connections; i++) {
        connections[i] = connection_open(i, topic_id, &template);
    }
    run(connections);
    report();
    for (int i = 0; i < o->connections; i++) {
        close(connections[i]->fd);
        mem_free(connections[i]);
    }
    mem_free(connections);
    buf_fini(&batch);
}

static const char usage[] =
    "usage: load create|produce|fetch --port N [--cpu N] [--congestion NAME]\n"
    "  --topic NAME --topics N --partitions N      what to create; produce and fetch use one topic\n"
    "  --connections N --in-flight N               each connection has one partition, or takes turns\n"
    "  --batch-bytes N --record-bytes N            a request holds one batch of such records\n"
    "  --fetch-bytes N --tail                      fetch: bytes of an answer; the newest ones again and "
    "again\n"
    "  --seconds S --warmup S --bytes N            how long; --bytes ends it earlier\n"
    "  --probe                                     the other side is the probe\n";

// option_number sets one of the options that take a number.
static void option_number(struct options *o, int option, const char *text)
{
    static const struct {
        int option;
        const char *name;
        int64_t min, max;
    } numbers[] = {
        {'p', "--port", 1, 65535},           {'c', "--cpu", 0, 1023},
        {'T', "--topics", 1, 1000000},       {'P', "--partitions", 1, 1000000},
        {'n', "--connections", 1, 100000},   {'w', "--in-flight", 1, IN_FLIGHT_MAX},
        {'b', "--batch-bytes", 1, 8 << 20},  {'r', "--record-bytes", 1, 8 << 20},
        {'f', "--fetch-bytes", 1, 64 << 20}, {'s', "--seconds", 1, 86400},
        {'u', "--warmup", 0, 86400},         {'B', "--bytes", 1, INT64_C(1) << 50},
    };
    int64_t value = -1;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].option == option) {
            value = bench_number(numbers[i].name, text, numbers[i].min, numbers[i].max);
        }
    }
    o->port = option == 'p' ? (int)value : o->port;
    o->cpu = option == 'c' ? (int)value : o->cpu;
    o->topics = option == 'T' ? (int)value : o->topics;
    o->partitions = option == 'P' ? (int32_t)value : o->partitions;
    o->connections = option == 'n' ? (int)value : o->connections;
    o->in_flight = option == 'w' ? (int)value : o->in_flight;
    o->batch_bytes = option == 'b' ? (size_t)value : o->batch_bytes;
    o->record_bytes = option == 'r' ? (size_t)value : o->record_bytes;
    o->fetch_bytes = option == 'f' ? (int32_t)value : o->fetch_bytes;
    o->seconds = option == 's' ? (double)value : o->seconds;
    o->warmup = option == 'u' ? (double)value : o->warmup;
    o->bytes_max = option == 'B' ? value : o->bytes_max;
}

static void options_read(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},
        {"cpu", 1, NULL, 'c'},
        {"congestion", 1, NULL, 'g'},
        {"topic", 1, NULL, 't'},
        {"topics", 1, NULL, 'T'},
        {"partitions", 1, NULL, 'P'},
        {"connections", 1, NULL, 'n'},
        {"in-flight", 1, NULL, 'w'},
        {"batch-bytes", 1, NULL, 'b'},
        {"seconds", 1, NULL, 's'},
        {"record-bytes", 1, NULL, 'r'},
        {"fetch-bytes", 1, NULL, 'f'},
        {"warmup", 1, NULL, 'u'},
        {"bytes", 1, NULL, 'B'},
        {"probe", 0, NULL, 'o'},
        {"tail", 0, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    int option = getopt_long(argc, argv, "", names, NULL);
    for (; option != -1; option = getopt_long(argc, argv, "", names, NULL)) {
        o->congestion = option == 'g' ? optarg : o->congestion;
        o->topic = option == 't' ? optarg : o->topic;
        o->is_probe = o->is_probe || option == 'o';
        o->is_tail = o->is_tail || option == 'l';
        if (option == '?') {
            o->port = 0;
            return;
        }
        option_number(o, option, optarg);
    }
    o->mode = optind == argc - 1 ? argv[optind] : "";
}

int main(int argc, char **argv)
{
    load.options = (struct options){
        .topic = "bench",
        .congestion = "",
        .cpu = -1,
        .connections = 1,
        .in_flight = 1,
        .topics = 1,
        .partitions = 1,
        .batch_bytes = 64 << 10,
        .record_bytes = 1000,
        .fetch_bytes = 1 << 20,
        .seconds = 5,
        .warmup = 1,
    };
    options_read(argc, argv, &load.options);
    struct str mode = str_from_c(load.options.mode);
    bool is_known =
        str_equal(mode, STR("create")) || str_equal(mode, STR("produce")) || str_equal(mode, STR("fetch"));
    if (load.options.port == 0 || !is_known) {
        fputs(usage, stderr);
        return 2;
    }
    bench_pin(load.options.cpu);
    if (str_equal(mode, STR("create"))) {
        create_topics();
    } else {
        measure();
    }
    return 0;
}
