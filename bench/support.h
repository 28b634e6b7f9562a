// SPDX-License-Identifier: Apache-2.0
// support.h - what the probe and the load generator share: sockets, clock, pinning, a latency histogram. Both
// are tools: a failure ends the program with a message.
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// bench_die prints "<program>: message" (and errno's text if error is not 0) and exits with 1.
void bench_die(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

int64_t bench_now_ns(void); // monotonic
int64_t bench_wall_ms(void);

// bench_pin keeps this process on one CPU; -1 leaves it alone.
void bench_pin(int cpu);

// bench_raise_descriptors takes as many descriptors as the hard limit allows.
void bench_raise_descriptors(void);

// bench_listen and bench_connect use 127.0.0.1, TCP_NODELAY, and the congestion control named; "" is the
// kernel's. What connects is blocking at first. Buffer sizes stay the kernel's to choose.
int bench_listen(int port, const char *congestion);
int bench_accept(int listener); // -1: none waiting
int bench_connect(int port, const char *congestion);
void bench_set_nonblocking(int fd);

// bench_number parses a whole number from min to max, with an optional suffix K, M or G (powers of 1024).
int64_t bench_number(const char *option, const char *text, int64_t min, int64_t max);

// Latencies in buckets of 1/64 of a power of two: at most 1.6 % wide, over the whole range of int64_t.
enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS };
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    int64_t max_ns;
};
void histogram_add(struct histogram *h, int64_t ns);
// histogram_at gives the upper bound of the bucket that holds this quantile, but never more than the maximum.
int64_t histogram_at(const struct histogram *h, double quantile);

#endif
