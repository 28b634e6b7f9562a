// SPDX-License-Identifier: Apache-2.0
// metrics.h - counters, gauges and histograms under Prometheus names. Updating one is a relaxed atomic add.
#ifndef RUNTIME_METRICS_H
#define RUNTIME_METRICS_H

#include "base/buf.h"

struct metrics;
struct metric; // a counter or a gauge
struct metric_histogram;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *take_metrics);
// Registration: name and help are static strings; labels is static text such as `request="Produce"` or NULL.
// Registering the same name and labels twice returns the same metric. Not on hot paths.
struct metric *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help);
// metrics_gauge_fn asks `read` at scrape time.
void metrics_gauge_fn(struct metrics *m, const char *name, const char *labels, const char *help,
                      int64_t (*read)(void *arg), void *arg);
// Histogram of nanoseconds, shown in seconds; bounds are powers of two from 1 us to 64 s.
struct metric_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels,
                                           const char *help);

void metric_add(struct metric *metric, int64_t delta);
void metric_set(struct metric *metric, int64_t value);
int64_t metric_value(const struct metric *metric);
void metric_observe_ns(struct metric_histogram *h, int64_t ns);
// metrics_collector has `collect` append whole families at scrape time, after all others: for series that
// come and go. metrics_family writes their head.
void metrics_collector(struct metrics *m, void (*collect)(void *arg, struct buf *out), void *arg);
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);
// metrics_label writes a label's value without its quotes: what Prometheus would not read is written as %XX,
// so that names which clients chose cannot spoil a scrape.
void metrics_label(struct buf *out, struct str value);
// metrics_render writes the Prometheus text format 0.0.4, one HELP and TYPE per name, names in registration
// order.
void metrics_render(struct metrics *m, struct buf *out);

#endif
