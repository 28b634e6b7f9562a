// SPDX-License-Identifier: Apache-2.0
// The value is the sum of all windows over the time that they cover: window_count - 1 whole ones and the
// begun one. Kafka reckons the same (its windows begin with their first sample, ours on the clock).
#include "runtime/quota_rate.h"

#include "base/assert.h"

enum { NS_PER_S = 1000000000 };

static int64_t window_of(const struct quota_rate_config *config, int64_t now_ns)
{
    return now_ns / config->window_ns;
}

// advance empties the windows that have begun since the newest.
static void advance(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns)
{
    ASSERT(config->window_count >= 2 && config->window_count <= QUOTA_WINDOWS_MAX);
    int64_t now = window_of(config, now_ns);
    int64_t passed = now - rate->newest;
    for (int64_t i = 1; i <= passed && i <= config->window_count; i++) {
        rate->sums[(rate->newest + i) % config->window_count] = 0;
    }
    rate->newest = passed > 0 ? now : rate->newest;
}

void quota_rate_add(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns,
                    double amount)
{
    advance(rate, config, now_ns);
    rate->sums[rate->newest % config->window_count] += amount;
}

int64_t quota_rate_span_ns(const struct quota_rate_config *config, int64_t now_ns)
{
    return (config->window_count - 1) * config->window_ns + now_ns % config->window_ns;
}

double quota_rate_value(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns)
{
    advance(rate, config, now_ns);
    double sum = 0;
    for (uint32_t i = 0; i < config->window_count; i++) {
        sum += rate->sums[i];
    }
    return sum * NS_PER_S / (double)quota_rate_span_ns(config, now_ns);
}

int64_t quota_rate_wait_ns(struct quota_rate *rate, const struct quota_rate_config *config, int64_t now_ns,
                           double bound)
{
    double value = quota_rate_value(rate, config, now_ns);
    if (value <= bound) {
        return 0;
    }
    double span_ns = (double)quota_rate_span_ns(config, now_ns);
    double wait_ns = bound > 0 ? (value - bound) / bound * span_ns : span_ns;
    return wait_ns < (double)INT64_MAX / 2 ? (int64_t)wait_ns + 1 : INT64_MAX / 2;
}
