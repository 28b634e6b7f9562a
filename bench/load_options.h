// SPDX-License-Identifier: Apache-2.0
// load_options.h - what the load generator is told on its command line.
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOAD_IN_FLIGHT_MAX = 256 };
enum load_mode { LOAD_NONE, LOAD_CREATE, LOAD_PRODUCE, LOAD_FETCH, LOAD_END_TO_END };

struct load_options {
    enum load_mode mode;
    const char *topic;
    const char *topic_config; // name=value,name=value, or NULL
    const char *congestion;
    const char *values; // a file of them; NULL: made up
    int port, cpu;
    int connections, in_flight, topics;
    int32_t partitions;
    size_t batch_bytes, record_bytes;
    int codec; // enum codec
    int32_t fetch_bytes;
    double seconds, warmup;
    double rate;       // requests per second of all connections together; 0 = closed loop
    double skew;       // Zipf exponent of the choice of partitions; 0 = in turns
    int64_t bytes_max; // stop after so many; 0 = by time
    bool is_probe, is_tail, is_idempotent;
    bool may_be_refused; // a batch that breaks a contract is answered as well
};

// load_options_read: mode LOAD_NONE when the command line is wrong.
void load_options_read(int argc, char **argv, struct load_options *ret);
extern const char load_usage[];

#endif
