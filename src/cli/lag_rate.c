// SPDX-License-Identifier: Apache-2.0
#include "cli/lag_rate.h"

#include <string.h>

static const int64_t WINDOW_NS = INT64_C(30000000000);
static const int64_t ETA_MAX_S = INT64_C(10) * 365 * 86400; // later is never

void rate_add(struct rate *rate, int64_t now_ns, int64_t value)
{
    if (rate->count > 0 && value < rate->samples[rate->count - 1].value) {
        rate->count = 0;
    }
    // Two samples always stay, however far apart.
    while (rate->count == RATE_SAMPLES || (rate->count > 2 && now_ns - rate->samples[0].at_ns > WINDOW_NS)) {
        rate->count--;
        memmove(rate->samples, rate->samples + 1, rate->count * sizeof *rate->samples);
    }
    rate->samples[rate->count].at_ns = now_ns;
    rate->samples[rate->count++].value = value;
}

bool rate_per_s(const struct rate *rate, double *ret_per_s)
{
    if (rate->count < 2) {
        return false;
    }
    int64_t span_ns = rate->samples[rate->count - 1].at_ns - rate->samples[0].at_ns;
    if (span_ns <= 0) {
        return false;
    }
    int64_t moved = rate->samples[rate->count - 1].value - rate->samples[0].value;
    *ret_per_s = (double)moved * 1e9 / (double)span_ns;
    return true;
}

bool lag_eta(int64_t lag, double consumed_per_s, double produced_per_s, int64_t *ret_seconds)
{
    double shrinks_per_s = consumed_per_s - produced_per_s;
    if (lag <= 0) {
        *ret_seconds = 0;
        return true;
    }
    if (shrinks_per_s * (double)ETA_MAX_S < (double)lag) {
        return false;
    }
    *ret_seconds = (int64_t)((double)lag / shrinks_per_s + 0.999);
    return true;
}
