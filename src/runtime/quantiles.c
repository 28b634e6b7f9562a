// SPDX-License-Identifier: Apache-2.0
#include "runtime/quantiles.h"

#include <stdbool.h>

#define MINUTE_NS 60000000000

// Values below QUANTILE_STEPS have a bucket each; then QUANTILE_STEPS buckets to each power of two.
static uint32_t bucket_of(uint64_t value)
{
    if (value < QUANTILE_STEPS) {
        return (uint32_t)value;
    }
    uint32_t power = 63 - (uint32_t)__builtin_clzll(value);
    if (power >= QUANTILE_POWER_MAX) {
        return QUANTILE_BUCKETS - 1;
    }
    return (power - 2) * QUANTILE_STEPS + (uint32_t)(value >> (power - 3)) % QUANTILE_STEPS;
}

// The largest value of a bucket.
static int64_t bucket_top(uint32_t bucket)
{
    if (bucket < QUANTILE_STEPS) {
        return bucket;
    }
    uint32_t shift = bucket / QUANTILE_STEPS - 1;
    return (((int64_t)QUANTILE_STEPS + bucket % QUANTILE_STEPS + 1) << shift) - 1;
}

static void add_u64(_Atomic uint64_t *to, uint64_t value)
{
    uint64_t now = atomic_load_explicit(to, memory_order_relaxed);
    atomic_store_explicit(to, now + value, memory_order_relaxed); // one writer
}

void quantiles_add(struct quantiles *q, uint64_t value, int64_t now_ns)
{
    int64_t minute = now_ns / MINUTE_NS + 1; // 0 is never
    uint32_t side = (uint32_t)minute & 1;
    if (atomic_load_explicit(&q->minute[side], memory_order_relaxed) != minute) {
        for (uint32_t i = 0; i < QUANTILE_BUCKETS; i++) {
            atomic_store_explicit(&q->buckets[side][i], 0, memory_order_relaxed);
        }
        atomic_store_explicit(&q->minute[side], minute, memory_order_relaxed);
    }
    _Atomic uint32_t *bucket = &q->buckets[side][bucket_of(value)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    add_u64(&q->count, 1);
    add_u64(&q->sum, value);
}

void quantile_view_add(struct quantile_view *view, const struct quantiles *q, int64_t now_ns)
{
    int64_t minute = now_ns / MINUTE_NS + 1;
    view->count += atomic_load_explicit(&q->count, memory_order_relaxed);
    view->sum += atomic_load_explicit(&q->sum, memory_order_relaxed);
    for (uint32_t side = 0; side < 2; side++) {
        int64_t about = atomic_load_explicit(&q->minute[side], memory_order_relaxed);
        bool is_recent = about > 0 && (about == minute || about == minute - 1);
        for (uint32_t i = 0; is_recent && i < QUANTILE_BUCKETS; i++) {
            uint32_t count = atomic_load_explicit(&q->buckets[side][i], memory_order_relaxed);
            view->buckets[i] += count;
            view->recent += count;
        }
    }
}

int64_t quantile_view_at(const struct quantile_view *view, uint32_t permille)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i < QUANTILE_BUCKETS && view->recent > 0; i++) {
        below += view->buckets[i];
        if (below * 1000 >= view->recent * permille) {
            return bucket_top(i);
        }
    }
    return -1;
}
