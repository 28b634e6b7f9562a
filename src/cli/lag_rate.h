// SPDX-License-Identifier: Apache-2.0
// lag_rate.h - how fast an offset moves, over the last half minute, and when a lag will be gone. Pure.
#ifndef CLI_LAG_RATE_H
#define CLI_LAG_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RATE_SAMPLES = 32 };

// A zeroed rate has no samples.
struct rate {
    struct {
        int64_t at_ns;
        int64_t value;
    } samples[RATE_SAMPLES]; // oldest first
    size_t count;
};

// rate_add notes what the value is at a time. A value that went back begins anew: an offset was reset.
void rate_add(struct rate *rate, int64_t now_ns, int64_t value);
// rate_per_s gives the mean over the samples; false while there is no span of time between any two.
bool rate_per_s(const struct rate *rate, double *ret_per_s);

// lag_eta tells in how many seconds a lag is gone; false if it does not shrink.
bool lag_eta(int64_t lag, double consumed_per_s, double produced_per_s, int64_t *ret_seconds);

#endif
