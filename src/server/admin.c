// SPDX-License-Identifier: Apache-2.0
#include "server/admin.h"

#include "base/mem.h"
#include "platform/real/process.h"

enum {
    ADMIN_ROUTES = 2,
    METRICS_BYTES_MAX = 64 << 20,
    STATE_RUNNING = 3, // as Kafka numbers them
    STATE_STOPPING = 7,
};

struct admin {
    struct broker *broker;
    struct metrics *metrics;
    struct metric *state;
    struct metric *lsn;
    struct metric *durable_lsn;
    struct metric *snapshot_lsn;
    struct metric *wal_bytes;
    struct metric *free_bytes;
    struct metric *rss_bytes;
    struct metric *is_read_only;
    struct metric *is_disk_full;
    struct http_route routes[ADMIN_ROUTES];
};

// 200 while records can be written; 503 says why not.
static void on_health(struct http_request *rq)
{
    struct admin *a = http_request_arg(rq);
    struct broker_status status;
    broker_status(a->broker, &status);
    const char *state = status.is_stopping           ? "stopping"
                        : status.engine.is_read_only ? "read-only"
                        : status.engine.is_disk_full ? "disk-full"
                                                     : "ok";
    bool is_fine = strcmp(state, "ok") == 0;
    struct str body =
        arena_printf(http_request_arena(rq),
                     "{\"status\":\"%s\",\"topics\":%u,\"partitions\":%llu,\"lsn\":%llu,"
                     "\"durable_lsn\":%llu,\"snapshot_lsn\":%llu,\"free_bytes\":%lld}\n",
                     state, status.topic_count, (unsigned long long)status.partition_count,
                     (unsigned long long)status.lsn, (unsigned long long)status.engine.durable_lsn,
                     (unsigned long long)status.engine.snapshot_lsn, (long long)status.engine.free_bytes);
    http_reply(rq, is_fine ? 200 : 503, STR("application/json"), bytes_of(body.ptr, body.len));
}

static void on_metrics(struct http_request *rq)
{
    struct admin *a = http_request_arg(rq);
    struct broker_status status;
    broker_status(a->broker, &status);
    metric_set(a->state, status.is_stopping ? STATE_STOPPING : STATE_RUNNING);
    metric_set(a->lsn, (int64_t)status.lsn);
    metric_set(a->durable_lsn, (int64_t)status.engine.durable_lsn);
    metric_set(a->snapshot_lsn, (int64_t)status.engine.snapshot_lsn);
    metric_set(a->wal_bytes, status.engine.wal_bytes);
    metric_set(a->free_bytes, status.engine.free_bytes);
    metric_set(a->rss_bytes, process_rss_bytes());
    metric_set(a->is_read_only, status.engine.is_read_only);
    metric_set(a->is_disk_full, status.engine.is_disk_full);
    struct buf text;
    buf_init(&text, METRICS_BYTES_MAX);
    metrics_render(a->metrics, &text);
    if (text.failed) {
        http_reply_error(rq, 503, 50301, STR("The metrics are over 64 MiB: lower strom.metrics.*.max."));
    } else {
        http_reply(rq, 200, STR("text/plain; version=0.0.4; charset=utf-8"), buf_bytes(&text));
    }
    buf_fini(&text);
}

struct admin *admin_create(struct broker *broker, struct metrics *m)
{
    struct admin *a = mem_zalloc(sizeof *a);
    a->broker = broker;
    a->metrics = m;
    a->state = metrics_gauge(m, "kafka_server_kafkaserver_brokerstate", NULL, "3 = running, 7 = stopping");
    a->lsn = metrics_gauge(m, "strom_applied_lsn", NULL, "Last applied bundle");
    a->durable_lsn = metrics_gauge(m, "strom_durable_lsn", NULL, "Last bundle known to be durable");
    a->snapshot_lsn = metrics_gauge(m, "strom_snapshot_lsn", NULL, "Bundle of the newest durable snapshot");
    a->wal_bytes = metrics_gauge(m, "strom_wal_bytes_since_snapshot", NULL, "Log to replay after a crash");
    a->free_bytes =
        metrics_gauge(m, "strom_disk_free_bytes", NULL, "Free space of the data directory's disk");
    a->rss_bytes = metrics_gauge(m, "process_resident_memory_bytes", NULL, "Resident memory");
    a->is_read_only = metrics_gauge(m, "strom_is_read_only", NULL, "1 = damaged log, serving reads only");
    a->is_disk_full =
        metrics_gauge(m, "strom_is_disk_full", NULL, "1 = produce is refused for want of space");
    a->routes[0] = (struct http_route){"GET", "/health", on_health, a};
    a->routes[1] = (struct http_route){"GET", "/metrics", on_metrics, a};
    return a;
}

void admin_destroy(struct admin *take_admin)
{
    mem_free(take_admin);
}

struct http_routes admin_routes(struct admin *admin)
{
    return (struct http_routes){admin->routes, ADMIN_ROUTES, NULL};
}
