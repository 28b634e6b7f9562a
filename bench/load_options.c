// SPDX-License-Identifier: Apache-2.0
#include "load_options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "support.h"

const char load_usage[] =
    "usage: load create|produce|fetch|e2e --port N [--cpu N] [--congestion NAME]\n"
    "  --topic NAME --topics N --partitions N      what to create; the others use one topic\n"
    "  --topic-config NAME=VALUE,NAME=VALUE        of topics that are created\n"
    "  --connections N --in-flight N               each connection has one partition, or takes turns\n"
    "  --batch-bytes N --record-bytes N            a request holds one batch of such records\n"
    "  --values FILE                               the records' values, in turns: each its length (4 bytes,\n"
    "                                              big-endian) and its bytes\n"
    "  --codec none|gzip|snappy|lz4|zstd           of the batches\n"
    "  --idempotent                                a producer id and sequences for each connection\n"
    "  --refused                                   that a contract refuses a batch is an answer as well\n"
    "  --skew S                                    partitions by chance, Zipf with this exponent\n"
    "  --rate N                                    open loop: requests per second; latency from when it was "
    "due\n"
    "  --fetch-bytes N --tail                      fetch: bytes of an answer; the newest again and again\n"
    "  --seconds S --warmup S --bytes N            how long; --bytes ends it earlier\n"
    "  --probe                                     the other side is the probe\n"
    "e2e: each connection produces, another one fetches what it produced; latency until it has come.\n";

static enum load_mode mode_of(const char *text)
{
    static const char *const names[] = {"", "create", "produce", "fetch", "e2e"};
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum load_mode)i;
        }
    }
    return LOAD_NONE;
}

static int codec_of(const char *text)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    for (int i = 0; i < 5; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    bench_die(0, "no codec '%s'", text);
}

static double real_of(const char *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 1e9)) {
        bench_die(0, "%s takes a number, not '%s'", option, text);
    }
    return value;
}

// option_number sets one of the options that take a whole number.
static void option_number(struct load_options *o, int option, const char *text)
{
    static const struct {
        int option;
        const char *name;
        int64_t min, max;
    } numbers[] = {
        {'p', "--port", 1, 65535},           {'c', "--cpu", 0, 1023},
        {'T', "--topics", 1, 1000000},       {'P', "--partitions", 1, 1000000},
        {'n', "--connections", 1, 100000},   {'w', "--in-flight", 1, LOAD_IN_FLIGHT_MAX},
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

static void option_other(struct load_options *o, int option, const char *text)
{
    o->congestion = option == 'g' ? text : o->congestion;
    o->topic = option == 't' ? text : o->topic;
    o->topic_config = option == 'C' ? text : o->topic_config;
    o->values = option == 'v' ? text : o->values;
    o->codec = option == 'z' ? codec_of(text) : o->codec;
    o->rate = option == 'R' ? real_of("--rate", text) : o->rate;
    o->skew = option == 'S' ? real_of("--skew", text) : o->skew;
    o->is_probe = o->is_probe || option == 'o';
    o->is_tail = o->is_tail || option == 'l';
    o->is_idempotent = o->is_idempotent || option == 'i';
    o->may_be_refused = o->may_be_refused || option == 'e';
}

static bool is_sensible(const struct load_options *o)
{
    bool is_end_to_end = o->mode == LOAD_END_TO_END;
    return o->port != 0 && (o->skew == 0 || !o->is_idempotent) &&
           (!is_end_to_end || (!o->is_probe && o->skew == 0 && o->partitions == o->connections)) &&
           (!o->is_idempotent || o->partitions <= o->connections);
}

void load_options_read(int argc, char **argv, struct load_options *ret)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},        {"cpu", 1, NULL, 'c'},          {"congestion", 1, NULL, 'g'},
        {"topic", 1, NULL, 't'},       {"topics", 1, NULL, 'T'},       {"topic-config", 1, NULL, 'C'},
        {"partitions", 1, NULL, 'P'},  {"connections", 1, NULL, 'n'},  {"in-flight", 1, NULL, 'w'},
        {"batch-bytes", 1, NULL, 'b'}, {"record-bytes", 1, NULL, 'r'}, {"codec", 1, NULL, 'z'},
        {"idempotent", 0, NULL, 'i'},  {"refused", 0, NULL, 'e'},      {"skew", 1, NULL, 'S'},
        {"rate", 1, NULL, 'R'},        {"seconds", 1, NULL, 's'},      {"fetch-bytes", 1, NULL, 'f'},
        {"warmup", 1, NULL, 'u'},      {"bytes", 1, NULL, 'B'},        {"probe", 0, NULL, 'o'},
        {"tail", 0, NULL, 'l'},        {"values", 1, NULL, 'v'},       {NULL, 0, NULL, 0},
    };
    *ret = (struct load_options){
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
    int option = getopt_long(argc, argv, "", names, NULL);
    for (; option != -1; option = getopt_long(argc, argv, "", names, NULL)) {
        if (option == '?') {
            return;
        }
        option_number(ret, option, optarg);
        option_other(ret, option, optarg);
    }
    ret->mode = optind == argc - 1 ? mode_of(argv[optind]) : LOAD_NONE;
    ret->mode = is_sensible(ret) ? ret->mode : LOAD_NONE;
}
