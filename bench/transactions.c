// SPDX-License-Identifier: Apache-2.0
// transactions.c - one transactional producer, closed loop: records to several partitions in one Produce,
// then EndTxn, by version 2 of the protocol (KIP-890): partitions join with their first batch, and every end
// gives the next epoch. Latency is from the Produce to the answer of EndTxn. One line of JSON on standard
// output.
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "calls.h"
#include "record/build.h"
#include "support.h"

enum {
    PRODUCE_VERSION = 13,
    END_TXN_VERSION = 5,
    PARTITIONS_MAX = 64,
    TRIES_MAX = 10000,
    PAUSE_US = 500,
    NS_PER_S = 1000000000,
};

struct producer_run {
    int fd;
    struct uuid topic_id;
    struct producer producer;
    int32_t partitions, records; // of a transaction
    int32_t sequences[PARTITIONS_MAX];
    struct buf batches[PARTITIONS_MAX];
    struct buf in;
    struct arena arena;
    struct histogram histogram;
    uint64_t retries; // a broker may still be at the markers of the transaction before
};

static const struct str transactional_id = {"bench", 5};
static uint8_t value[100];

static int32_t records_of(const struct producer_run *r, int32_t partition)
{
    return r->records / r->partitions + (partition < r->records % r->partitions ? 1 : 0);
}

static void batch_fill(struct producer_run *r, int32_t partition)
{
    struct batch_options options = batch_options_default();
    options.producer_id = r->producer.id;
    options.producer_epoch = r->producer.epoch;
    options.base_sequence = r->sequences[partition];
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    struct batch_builder builder;
    struct error e = {0};
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < records_of(r, partition); i++) {
        batch_builder_append(&builder, bench_wall_ms(), (struct bytes){NULL, 0},
                             bytes_of(value, sizeof value), NULL, 0);
    }
    buf_reset(&r->batches[partition]);
    if (batch_builder_finish(&builder, &r->batches[partition], &e) != ERR_OK) {
        bench_die(0, "batch: %s", e.text);
    }
    batch_builder_fini(&builder);
}

static enum err produce_once(struct producer_run *r)
{
    struct produce_request_partition parts[PARTITIONS_MAX];
    struct produce_request_topic topic;
    struct produce_request request;
    struct produce_response answer;
    wire_init(&produce_request_type, &request);
    wire_init(&produce_request_topic_type, &topic);
    for (int32_t i = 0; i < r->partitions; i++) {
        wire_init(&produce_request_partition_type, &parts[i]);
        parts[i].index = i;
        parts[i].records.bytes = buf_bytes(&r->batches[i]);
    }
    topic.topic_id = r->topic_id;
    topic.partitions = parts;
    topic.partitions_count = r->partitions;
    request.transactional_id = transactional_id;
    request.acks = -1;
    request.timeout_ms = 30000;
    request.topics = &topic;
    request.topics_count = 1;
    arena_reset(&r->arena);
    call(r->fd, API_PRODUCE, PRODUCE_VERSION, &request, &answer, &r->in, &r->arena);
    if (answer.topics_count != 1 || answer.topics[0].partitions_count != r->partitions) {
        bench_die(0, "produce: an answer of another shape");
    }
    for (int32_t i = 0; i < r->partitions; i++) {
        if (answer.topics[0].partitions[i].error != ERR_OK) {
            return answer.topics[0].partitions[i].error;
        }
    }
    return ERR_OK;
}

static enum err end_once(struct producer_run *r)
{
    struct end_txn_request request;
    struct end_txn_response answer;
    wire_init(&end_txn_request_type, &request);
    request.transactional_id = transactional_id;
    request.producer_id = r->producer.id;
    request.producer_epoch = r->producer.epoch;
    request.committed = true;
    arena_reset(&r->arena);
    call(r->fd, API_END_TXN, END_TXN_VERSION, &request, &answer, &r->in, &r->arena);
    if (answer.error == ERR_OK && answer.producer_id >= 0) {
        r->producer.id = answer.producer_id;
        r->producer.epoch = answer.producer_epoch;
        memset(r->sequences, 0, sizeof r->sequences);
    }
    return answer.error;
}

static void until_done(struct producer_run *r, enum err (*once)(struct producer_run *), const char *what)
{
    for (int tries = 0;; tries++) {
        enum err err = once(r);
        if (err == ERR_OK) {
            return;
        }
        if (err != ERR_CONCURRENT_TRANSACTIONS || tries == TRIES_MAX) {
            bench_die(0, "%s: error %d, %s", what, (int)err, err_text(err));
        }
        r->retries++;
        usleep(PAUSE_US);
    }
}

static void transaction(struct producer_run *r)
{
    for (int32_t i = 0; i < r->partitions; i++) {
        batch_fill(r, i);
    }
    until_done(r, produce_once, "produce");
    for (int32_t i = 0; i < r->partitions; i++) {
        r->sequences[i] += records_of(r, i);
    }
    until_done(r, end_once, "EndTxn");
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},       {"cpu", 1, NULL, 'c'},    {"congestion", 1, NULL, 'g'},
        {"seconds", 1, NULL, 's'},    {"warmup", 1, NULL, 'u'}, {"records", 1, NULL, 'r'},
        {"partitions", 1, NULL, 'P'}, {NULL, 0, NULL, 0},
    };
    int port = 0, cpu = -1;
    int64_t seconds = 5, warmup = 1;
    const char *congestion = "";
    struct producer_run r = {.partitions = 3, .records = 10};
    for (int o = getopt_long(argc, argv, "", names, NULL); o != -1;
         o = getopt_long(argc, argv, "", names, NULL)) {
        port = o == 'p' ? (int)bench_number("--port", optarg, 1, 65535) : port;
        cpu = o == 'c' ? (int)bench_number("--cpu", optarg, 0, 1023) : cpu;
        congestion = o == 'g' ? optarg : congestion;
        seconds = o == 's' ? bench_number("--seconds", optarg, 1, 86400) : seconds;
        warmup = o == 'u' ? bench_number("--warmup", optarg, 0, 86400) : warmup;
        r.records = o == 'r' ? (int32_t)bench_number("--records", optarg, 1, 10000) : r.records;
        r.partitions =
            o == 'P' ? (int32_t)bench_number("--partitions", optarg, 1, PARTITIONS_MAX) : r.partitions;
        port = o == '?' ? 0 : port;
    }
    if (port == 0 || optind != argc || r.records < r.partitions) {
        bench_die(0, "usage: --port N [--cpu N] [--congestion NAME] [--records N] [--partitions N] "
                     "[--seconds N] [--warmup N]");
    }
    bench_pin(cpu);
    buf_init(&r.in, CALL_MESSAGE_MAX);
    arena_init(&r.arena, CALL_MESSAGE_MAX);
    memset(value, 'v', sizeof value);
    for (int32_t i = 0; i < r.partitions; i++) {
        buf_init(&r.batches[i], CALL_MESSAGE_MAX);
    }
    r.fd = bench_connect(port, congestion);
    r.topic_id = topic_create(r.fd, STR("transactions"), r.partitions, NULL);
    r.producer = producer_init(r.fd, transactional_id);
    int64_t from_ns = bench_now_ns() + warmup * NS_PER_S;
    int64_t until_ns = from_ns + seconds * NS_PER_S;
    for (int64_t now_ns = bench_now_ns(); now_ns < until_ns;) {
        transaction(&r);
        int64_t done_ns = bench_now_ns();
        if (now_ns >= from_ns) {
            histogram_add(&r.histogram, done_ns - now_ns);
        }
        now_ns = done_ns;
    }
    const struct histogram *h = &r.histogram;
    printf(
        "{\"answers\": %llu, \"seconds\": %lld, \"per_s\": %.1f, \"records_per_s\": %.0f, \"bytes_all\": 0, "
        "\"retries\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
        (unsigned long long)h->total, (long long)seconds, (double)h->total / (double)seconds,
        (double)h->total * r.records / (double)seconds, (unsigned long long)r.retries,
        (double)histogram_at(h, 0.5) / 1e3, (double)histogram_at(h, 0.99) / 1e3,
        (double)histogram_at(h, 0.999) / 1e3, (double)h->max_ns / 1e3);
    close(r.fd);
    return 0;
}
