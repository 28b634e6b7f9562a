// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void bench_die(int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "%s%s\n", error == 0 ? "" : ": ", error == 0 ? "" : strerror(error));
    exit(1);
}

int64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void bench_pin(int cpu)
{
    if (cpu < 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        bench_die(errno, "cannot run on CPU %d", cpu);
    }
}

void bench_raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // too few show when a socket is refused
    }
}

static void set_options(int fd, const char *congestion)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (congestion[0] != '\0' &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) != 0) {
        bench_die(errno, "congestion control %s", congestion);
    }
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int bench_listen(int port, const char *congestion)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        bench_die(errno, "socket");
    }
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    set_options(fd, congestion);
    struct sockaddr_in address = loopback(port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
        bench_die(errno, "port %d", port);
    }
    return fd;
}

int bench_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        bench_die(errno, "accept");
    }
    if (fd >= 0) {
        set_options(fd, "");
    }
    return fd;
}

int bench_connect(int port, const char *congestion)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        bench_die(errno, "socket");
    }
    set_options(fd, congestion);
    struct sockaddr_in address = loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        bench_die(errno, "connect to port %d", port);
    }
    return fd;
}

void bench_set_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        bench_die(errno, "fcntl");
    }
}

int64_t bench_number(const char *option, const char *text, int64_t min, int64_t max)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift == 0 ? 0 : 1;
    if (errno != 0 || end == text || *end != '\0' || value > (max >> shift) || value < min) {
        bench_die(0, "%s takes a number from %lld to %lld, not '%s'", option, (long long)min, (long long)max,
                  text);
    }
    return (int64_t)value << shift;
}

// Values below 64 have a bucket each; above, the leading bit and the six that follow choose one.
static size_t bucket_of(uint64_t v)
{
    if (v < (1u << HISTOGRAM_SUB_BITS)) {
        return (size_t)v;
    }
    unsigned exponent = 63u - (unsigned)__builtin_clzll(v) - HISTOGRAM_SUB_BITS;
    return ((size_t)(exponent + 1) << HISTOGRAM_SUB_BITS) +
           (size_t)((v >> exponent) - (1u << HISTOGRAM_SUB_BITS));
}

static int64_t bucket_top(size_t bucket)
{
    size_t row = bucket >> HISTOGRAM_SUB_BITS;
    uint64_t sub = bucket & ((1u << HISTOGRAM_SUB_BITS) - 1);
    return row == 0 ? (int64_t)sub : (int64_t)(((sub + (1u << HISTOGRAM_SUB_BITS) + 1) << (row - 1)) - 1);
}

void histogram_add(struct histogram *h, int64_t ns)
{
    h->counts[bucket_of((uint64_t)(ns < 0 ? 0 : ns))]++;
    h->total++;
    h->max_ns = ns > h->max_ns ? ns : h->max_ns;
}

int64_t histogram_at(const struct histogram *h, double quantile)
{
    uint64_t rank = (uint64_t)((double)h->total * quantile);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > rank) {
            int64_t top = bucket_top(i);
            return top < h->max_ns ? top : h->max_ns;
        }
    }
    return h->max_ns;
}
