// SPDX-License-Identifier: Apache-2.0
// quota_rate.h - how much came per second, over the last few windows, and how long to wait until it is within
// a bound again: the arithmetic of Kafka's quotas. Pure; its owner locks.
#ifndef RUNTIME_QUOTA_RATE_H
#define RUNTIME_QUOTA_RATE_H

#include <stdint.h>

enum { QUOTA_WINDOWS_MAX = 64 };

struct quota_rate_config {
    uint32_t window_count; // quota.window.num, 2 to QUOTA_WINDOWS_MAX
    int64_t window_ns;     // quota.window.size.seconds
};

// A zeroed rate with `sums` set is empty.
struct quota_rate {
    int64_t newest; // number of the newest window since time 0
    double *sums;   // the owner's memory: window_count of them
};

void quota_rate_add(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns,
                    double amount);
// quota_rate_value is per second. The windows before the first amount count as empty ones: a short burst
// after silence passes.
double quota_rate_value(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns);
// quota_rate_wait_ns: how long nothing may be added until the value is down to `bound`; 0 = it is within.
int64_t quota_rate_wait_ns(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns,
                           double bound);
// quota_rate_span_ns: what the value is taken over, now.
int64_t quota_rate_span_ns(const struct quota_rate_config *config, int64_t now_ns);

#endif
