// SPDX-License-Identifier: Apache-2.0
// quantiles.h - how large recent values were: what a Prometheus summary shows. Counts in buckets whose width
// is an eighth of their lower bound at most; quantiles are of the last one to two minutes, count and sum of
// all time. One writer, without a lock or an atomic operation that costs; any readers.
#ifndef RUNTIME_QUANTILES_H
#define RUNTIME_QUANTILES_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    QUANTILE_STEPS = 8,      // buckets per power of two
    QUANTILE_POWER_MAX = 40, // larger values count as 2^40
    QUANTILE_BUCKETS = QUANTILE_STEPS * (QUANTILE_POWER_MAX - 1),
};

// A zeroed one is empty. Owner: its writer.
struct quantiles {
    _Atomic uint64_t count;
    _Atomic uint64_t sum;
    _Atomic int64_t minute[2]; // which each side of buckets is about
    _Atomic uint32_t buckets[2][QUANTILE_BUCKETS];
};
void quantiles_add(struct quantiles *q, uint64_t value, int64_t now_ns);

// Several of them together. A zeroed one is empty.
struct quantile_view {
    uint64_t count;
    uint64_t sum;
    uint64_t recent;
    uint64_t buckets[QUANTILE_BUCKETS];
};
void quantile_view_add(struct quantile_view *view, const struct quantiles *q, int64_t now_ns);
// quantile_view_at gives the value that `permille` of the recent ones do not exceed; -1 without any.
int64_t quantile_view_at(const struct quantile_view *view, uint32_t permille);

#endif
