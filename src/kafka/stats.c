// SPDX-License-Identifier: Apache-2.0
#include "kafka/stats.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/mem.h"
#include "runtime/quantiles.h"

enum {
    SHARDS_MAX = 64,
    KEYS_MAX = 96,     // API keys, of which Kafka 4.2 has 0 to 92
    VERSIONS_MAX = 24, // of one API
    ERRORS = ERR_KAFKA_MAX + 2,
};

struct api_stats {
    _Atomic uint64_t requests[VERSIONS_MAX];
    _Atomic uint64_t errors[ERRORS]; // by Kafka's code + 1
    _Atomic uint64_t answer_bytes;
    struct quantiles time_us;
    struct quantiles request_bytes;
};

struct stats_shard {
    struct env *env;
    struct api_stats *_Atomic apis[KEYS_MAX];
    _Atomic uint64_t received_bytes;
    _Atomic uint64_t sent_bytes;
};

struct kafka_stats {
    struct env *env;
    struct stats_shard shards[SHARDS_MAX];
    _Atomic uint32_t shard_count;
};

static void add(_Atomic uint64_t *to, uint64_t value)
{
    // One writer: no need for an atomic addition.
    uint64_t now = atomic_load_explicit(to, memory_order_relaxed);
    atomic_store_explicit(to, now + value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

// ---- counting

static struct api_stats *api_stats(struct stats_shard *shard, int16_t key)
{
    ASSERT(key >= 0 && key < KEYS_MAX);
    struct api_stats *api = atomic_load_explicit(&shard->apis[key], memory_order_relaxed);
    if (api == NULL) {
        api = mem_zalloc(sizeof *api);
        atomic_store_explicit(&shard->apis[key], api, memory_order_release);
    }
    return api;
}

void stats_request(struct stats_shard *shard, struct request *rq, size_t frame_size)
{
    struct api_stats *api = api_stats(shard, rq->api->key);
    ASSERT(rq->version >= 0 && rq->version < VERSIONS_MAX);
    rq->started_ns = clock_mono_ns(shard->env->clock);
    add(&api->requests[rq->version], 1);
    quantiles_add(&api->request_bytes, frame_size, rq->started_ns);
}

static void count_error(void *arg, int16_t kafka_code)
{
    struct api_stats *api = arg;
    ASSERT(kafka_code >= -1 && kafka_code + 1 < ERRORS);
    add(&api->errors[kafka_code + 1], 1);
}

struct wire_watch stats_watch(struct stats_shard *shard, const struct request *rq)
{
    return (struct wire_watch){count_error, api_stats(shard, rq->api->key)};
}

void stats_answer(struct stats_shard *shard, const struct request *rq, size_t answer_size)
{
    struct api_stats *api = api_stats(shard, rq->api->key);
    int64_t now_ns = clock_mono_ns(shard->env->clock);
    int64_t took_ns = now_ns - rq->started_ns;
    quantiles_add(&api->time_us, took_ns < 0 ? 0 : (uint64_t)took_ns / 1000, now_ns);
    add(&api->answer_bytes, answer_size);
}

void stats_received(struct stats_shard *shard, size_t size)
{
    add(&shard->received_bytes, size);
}

void stats_sent(struct stats_shard *shard, size_t size)
{
    add(&shard->sent_bytes, size);
}

// ---- showing

// What one page is made of: the shards of one API at a time, under each name it goes by.
struct page {
    struct kafka_stats *stats;
    struct buf *out;
    int64_t now_ns;
};

static const struct api_stats *shard_api(struct kafka_stats *stats, uint32_t shard, int16_t key)
{
    return atomic_load_explicit(&stats->shards[shard].apis[key], memory_order_acquire);
}

static uint64_t requests_of(struct kafka_stats *stats, int16_t key, int16_t version)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < stats->shard_count; i++) {
        const struct api_stats *api = shard_api(stats, i, key);
        count += api == NULL ? 0 : get(&api->requests[version]);
    }
    return count;
}

static void show_requests(const struct page *page, int16_t key, const char *name)
{
    for (int16_t version = 0; version < VERSIONS_MAX; version++) {
        uint64_t count = requests_of(page->stats, key, version);
        if (count > 0) {
            buf_printf(page->out,
                       "kafka_network_requestmetrics_requests_total{request=\"%s\",version=\"%d\"} %llu\n",
                       name, version, (unsigned long long)count);
        }
    }
}

static void show_errors(const struct page *page, int16_t key, const char *name)
{
    for (int16_t code = -1; code < ERRORS - 1; code++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < page->stats->shard_count; i++) {
            const struct api_stats *api = shard_api(page->stats, i, key);
            count += api == NULL ? 0 : get(&api->errors[code + 1]);
        }
        if (count > 0) {
            buf_printf(page->out,
                       "kafka_network_requestmetrics_errors_total{request=\"%s\",error=\"%s\"} %llu\n", name,
                       err_kafka_name(code), (unsigned long long)count);
        }
    }
}

static void show_answer_bytes(const struct page *page, int16_t key, const char *name)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < page->stats->shard_count; i++) {
        const struct api_stats *api = shard_api(page->stats, i, key);
        count += api == NULL ? 0 : get(&api->answer_bytes);
    }
    buf_printf(page->out, "strom_response_bytes_total{request=\"%s\"} %llu\n", name,
               (unsigned long long)count);
}

// A quantity in thousandths of its unit: microseconds as milliseconds.
static void put_number(struct buf *out, uint64_t value, bool is_thousandths)
{
    if (is_thousandths) {
        buf_printf(out, "%llu.%03llu\n", (unsigned long long)(value / 1000),
                   (unsigned long long)(value % 1000));
    } else {
        buf_printf(out, "%llu\n", (unsigned long long)value);
    }
}

static void show_quantiles(const struct page *page, const char *family, const char *name,
                           const struct quantile_view *view, bool is_thousandths)
{
    static const struct {
        const char *label;
        uint32_t permille;
    } rows[] = {{"0.50", 500}, {"0.75", 750}, {"0.95", 950}, {"0.98", 980}, {"0.99", 990}, {"0.999", 999}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = quantile_view_at(view, rows[i].permille);
        buf_printf(page->out, "%s{request=\"%s\",quantile=\"%s\"} ", family, name, rows[i].label);
        if (value < 0) {
            buf_printf(page->out, "NaN\n");
        } else {
            put_number(page->out, (uint64_t)value, is_thousandths);
        }
    }
    buf_printf(page->out, "%s_sum{request=\"%s\"} ", family, name);
    put_number(page->out, view->sum, is_thousandths);
    buf_printf(page->out, "%s_count{request=\"%s\"} %llu\n", family, name, (unsigned long long)view->count);
}

static void show_times(const struct page *page, int16_t key, const char *name)
{
    struct quantile_view view = {0};
    for (uint32_t i = 0; i < page->stats->shard_count; i++) {
        const struct api_stats *api = shard_api(page->stats, i, key);
        if (api != NULL) {
            quantile_view_add(&view, &api->time_us, page->now_ns);
        }
    }
    show_quantiles(page, "kafka_network_requestmetrics_totaltimems", name, &view, true);
}

static void show_sizes(const struct page *page, int16_t key, const char *name)
{
    struct quantile_view view = {0};
    for (uint32_t i = 0; i < page->stats->shard_count; i++) {
        const struct api_stats *api = shard_api(page->stats, i, key);
        if (api != NULL) {
            quantile_view_add(&view, &api->request_bytes, page->now_ns);
        }
    }
    show_quantiles(page, "kafka_network_requestmetrics_requestbytes", name, &view, false);
}

// show_apis calls `show` for every API that was asked for. As in Kafka, a consumer's Fetch has two names.
static void show_apis(const struct page *page,
                      void (*show)(const struct page *page, int16_t key, const char *name))
{
    for (size_t i = 0; i < wire_api_count(); i++) {
        const struct wire_api *api = wire_api_at(i);
        bool is_known = false;
        for (uint32_t s = 0; s < page->stats->shard_count && !is_known; s++) {
            is_known = shard_api(page->stats, s, api->key) != NULL;
        }
        if (is_known) {
            show(page, api->key, api->name);
        }
        if (is_known && api->key == API_FETCH) {
            show(page, api->key, "FetchConsumer");
        }
    }
}

static void show_bytes(const struct page *page)
{
    uint64_t received = 0;
    uint64_t sent = 0;
    for (uint32_t i = 0; i < page->stats->shard_count; i++) {
        received += get(&page->stats->shards[i].received_bytes);
        sent += get(&page->stats->shards[i].sent_bytes);
    }
    metrics_family(page->out, "kafka_server_socket_server_metrics_incoming_byte_total", "counter",
                   "Bytes received from Kafka clients");
    buf_printf(page->out, "kafka_server_socket_server_metrics_incoming_byte_total %llu\n",
               (unsigned long long)received);
    metrics_family(page->out, "kafka_server_socket_server_metrics_outgoing_byte_total", "counter",
                   "Bytes sent to Kafka clients");
    buf_printf(page->out, "kafka_server_socket_server_metrics_outgoing_byte_total %llu\n",
               (unsigned long long)sent);
}

static void collect(void *arg, struct buf *out)
{
    struct kafka_stats *stats = arg;
    const struct page page = {stats, out, clock_mono_ns(stats->env->clock)};
    metrics_family(out, "kafka_network_requestmetrics_requests_total", "counter", "Kafka requests received");
    show_apis(&page, show_requests);
    metrics_family(out, "kafka_network_requestmetrics_errors_total", "counter",
                   "Error codes in answers, NONE among them");
    show_apis(&page, show_errors);
    metrics_family(out, "kafka_network_requestmetrics_totaltimems", "summary",
                   "Milliseconds from a whole request to its encoded answer");
    show_apis(&page, show_times);
    metrics_family(out, "kafka_network_requestmetrics_requestbytes", "summary", "Sizes of requests");
    show_apis(&page, show_sizes);
    metrics_family(out, "strom_response_bytes_total", "counter", "Bytes of answers");
    show_apis(&page, show_answer_bytes);
    show_bytes(&page);
}

// ---- life

struct kafka_stats *kafka_stats_create(struct env *env, struct metrics *m)
{
    struct kafka_stats *stats = mem_zalloc(sizeof *stats);
    stats->env = env;
    metrics_collector(m, collect, stats);
    return stats;
}

void kafka_stats_destroy(struct kafka_stats *take_stats)
{
    for (uint32_t i = 0; take_stats != NULL && i < take_stats->shard_count; i++) {
        for (int16_t key = 0; key < KEYS_MAX; key++) {
            mem_free(atomic_load(&take_stats->shards[i].apis[key]));
        }
    }
    mem_free(take_stats);
}

struct stats_shard *kafka_stats_shard(struct kafka_stats *stats)
{
    uint32_t index = atomic_fetch_add(&stats->shard_count, 1);
    ASSERT(index < SHARDS_MAX);
    stats->shards[index].env = stats->env;
    return &stats->shards[index];
}
