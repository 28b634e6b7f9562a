// SPDX-License-Identifier: Apache-2.0
#include "kafka/test_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "engine/local/local.h"
#include "platform/real/real.h"

enum { RIG_FRAME_MAX = 12 << 20, RIG_POOL = 64 << 20, IDLE_MS = 600000, PATIENCE_S = 120 };

// ---- the broker

static void on_fatal(void *arg, const struct error *e)
{
    (void)arg;
    fail_msg("the engine failed: %s", e->text);
}

static void write_line(void *arg, enum trace_level level, struct str line)
{
    (void)arg;
    (void)level;
    if (getenv("STROM_TEST_TRACE") != NULL) {
        print_message(STR_FMT "\n", STR_ARG(line));
    }
}

void rig_init(struct rig *rig)
{
    *rig = (struct rig){.dir = "/tmp/strom-kafka-XXXXXX"};
    assert_non_null(mkdtemp(rig->dir));
    rig->options = (struct kafka_options){
        .frame_bytes_max = RIG_FRAME_MAX,
        .first_frame_bytes_max = RIG_FRAME_MAX,
        .request_memory_max = 256 << 20,
        .queued_bytes_max = RIG_POOL,
        .connection_rate_max = INT32_MAX,
        .rate = {11, 1000000000},
        .connections_max = 1000,
        .connections_per_ip = 1000,
        .idle_ms = IDLE_MS,
        .first_frame_ms = 60000,
        .inflight_max = 64,
        .output_bytes_max = 1 << 20,
        .fetch_bytes_max = 50 << 20,
        .auto_create_topics = true,
    };
    rig->loop_count = 1;
    rig->pool_bytes = RIG_POOL;
    rig_set(rig, "delete.topic.enable", "true");
    rig_set(rig, "log.retention.check.interval.ms", "100");
    rig_set(rig, "num.partitions", "2");
}

// Sorted by key, as the broker wants them.
void rig_set(struct rig *rig, const char *key, const char *value)
{
    uint32_t at = rig->config_count;
    assert_true(at < RIG_CONFIGS_MAX);
    while (at > 0 && str_compare(rig->configs[at - 1].key, str_from_c(key)) > 0) {
        rig->configs[at] = rig->configs[at - 1];
        at--;
    }
    rig->configs[at] = (struct item_config){str_from_c(key), str_from_c(value)};
    rig->config_count++;
}

static void loop_main(void *arg)
{
    loop_run(arg);
}

static void check(enum err err, const struct error *e)
{
    if (err != ERR_OK) {
        fail_msg("%s: %s", err_name(err), e->text);
    }
}

static void rig_open_broker(struct rig *rig)
{
    struct error e = {0};
    struct engine_local_options engine_options;
    engine_local_options_init(&engine_options);
    engine_options.wal_file_bytes = 8 << 20;
    engine_options.wal_first_bytes = 256 << 10;
    engine_options.disk_reserve_bytes = 0;
    engine_options.fatal = on_fatal;
    check(real_env_open(str_from_c(rig->dir), &rig->real, &e), &e);
    rig->env = rig->real;
    if (rig->has_own_time) {
        rig_clock_init(&rig->clock, rig->real);
        rig->env = &rig->clock.env;
        rig->options.idle_ms = rig->options.idle_ms == IDLE_MS ? -1 : rig->options.idle_ms;
    }
    check(engine_local_open(rig->env, &engine_options, &rig->engine, &e), &e);
    rig->metrics = metrics_create();
    rig->pool = pool_create(rig->env, rig->pool_bytes, 4 << 20);
    rig->tracer = tracer_create(rig->env, TRACE_INFO, write_line, NULL);
    const struct broker_options options = {
        .static_configs = rig->configs,
        .static_config_count = rig->config_count,
        .node_id = 1,
        .cluster_id = engine_local_cluster_id(rig->engine),
        .tail_cache_bytes = 2 << 20,
        .segment_cache_bytes = 1 << 20,
        .tracer = rig->tracer,
        .metrics = rig->metrics,
        .pool = rig->pool,
        .policy = rig->policy,
    };
    check(broker_open(rig->env, rig->engine, &options, &rig->broker, &e), &e);
    check(broker_start(rig->broker, &e), &e);
}

void rig_start(struct rig *rig)
{
    rig_open_broker(rig);
    rig->options.stats = kafka_stats_create(rig->env, rig->metrics);
    struct error e = {0};
    struct sock *listener = NULL;
    for (uint32_t i = 0; i < rig->loop_count; i++) {
        struct rig_loop *l = &rig->loops[i];
        l->rig = rig;
        l->loop = loop_create(rig->env);
        l->port = broker_port_create(rig->broker, l->loop);
        l->front = kafka_front_create(rig->broker, l->port, &rig->options);
        if (i > 0) {
            kafka_front_share(rig->loops[0].front, l->front);
        }
    }
    check(net_listen(rig->env->net, STR("127.0.0.1"), 0, &listener, &rig->listen_port, &e), &e);
    kafka_front_listen(rig->loops[0].front, listener);
    for (uint32_t i = 0; i < rig->loop_count; i++) {
        rig->loops[i].thread = thread_start(rig->env->threads, "loop", loop_main, rig->loops[i].loop);
    }
}

static void on_stopped(void *arg)
{
    struct rig_loop *l = arg;
    kafka_front_destroy(l->front); // allowed from here on
    loop_stop(l->loop);
}

static void on_stop(struct task *task)
{
    struct rig_loop *l = (struct rig_loop *)(void *)((char *)task - offsetof(struct rig_loop, stop));
    kafka_front_stop(l->front, on_stopped, l);
}

void rig_stop(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->loop_count; i++) {
        rig->loops[i].stop.run = on_stop;
        loop_post(rig->loops[i].loop, &rig->loops[i].stop);
    }
    for (uint32_t i = 0; i < rig->loop_count; i++) {
        thread_join(rig->env->threads, rig->loops[i].thread);
    }
    broker_stop(rig->broker);
    for (uint32_t i = 0; i < rig->loop_count; i++) {
        broker_port_destroy(rig->loops[i].port);
        loop_destroy(rig->loops[i].loop);
    }
    broker_destroy(rig->broker);
    engine_stop(rig->engine);
    engine_close(rig->engine, true);
    assert_int_equal(pool_used_bytes(rig->pool), 0);
    pool_destroy(rig->pool);
    tracer_destroy(rig->tracer);
    kafka_stats_destroy(rig->options.stats);
    metrics_destroy(rig->metrics);
    if (rig->has_own_time) {
        rig_clock_fini(&rig->clock);
    }
    real_env_close(rig->real);
}

void rig_time_passes(struct rig *rig, int64_t ms)
{
    assert_true(rig->has_own_time);
    assert_true(rig_clock_move(&rig->clock, ms));
}

void rig_fini(struct rig *rig)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    assert_int_equal(system(command), 0);
}

// ---- the client

void client_open(struct client *c, const struct rig *rig)
{
    client_open_from(c, rig, 1);
}

void client_open_from(struct client *c, const struct rig *rig, uint8_t host)
{
    *c = (struct client){.correlation = 100};
    arena_init(&c->arena, 512 << 20);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)rig->listen_port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl((127u << 24) + host)}};
    assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
    int one = 1;
    assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

void client_close(struct client *c)
{
    close(c->fd);
    arena_fini(&c->arena);
}

void client_send_bytes(struct client *c, const void *data, size_t len)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t sent = send(c->fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return; // the broker closed: the test finds out when it reads
        }
        at += sent;
        len -= (size_t)sent;
    }
}

void client_frame(struct client *c, enum api_key key, int16_t version, const void *message, struct buf *out)
{
    const struct wire_api *api = wire_api_find((int16_t)key);
    assert_non_null(api);
    const struct wire_request_header header = {.api_key = (int16_t)key,
                                               .api_version = version,
                                               .correlation_id = ++c->correlation,
                                               .client_id = STR("test")};
    size_t start = out->len;
    struct error e = {0};
    buf_be32(out, 0);
    wire_request_header_encode(&header, out);
    check(wire_encode(api->request, version, wire_is_flexible(api, version), message, out, NULL, &e), &e);
    assert_false(out->failed);
    store_be32(out->ptr + start, (uint32_t)(out->len - start - 4));
}

void client_send(struct client *c, enum api_key key, int16_t version, const void *message)
{
    struct buf frame;
    buf_init(&frame, 256 << 20);
    client_frame(c, key, version, message, &frame);
    client_send_bytes(c, frame.ptr, frame.len);
    buf_fini(&frame);
}

static bool read_full(struct client *c, uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(c->fd, out, len, 0);
        if (got <= 0) {
            return false;
        }
        out += got;
        len -= (size_t)got;
    }
    return true;
}

struct bytes client_recv_frame(struct client *c)
{
    uint8_t length[4];
    assert_true(read_full(c, length, sizeof length));
    size_t size = load_be32(length);
    uint8_t *frame = arena_alloc(&c->arena, size + 1);
    assert_non_null(frame);
    assert_true(read_full(c, frame, size));
    return bytes_of(frame, size);
}

void *client_recv(struct client *c, enum api_key key, int16_t version, int32_t correlation)
{
    const struct wire_api *api = wire_api_find((int16_t)key);
    struct reader reader = reader_init(client_recv_frame(c));
    struct error e = {0};
    int32_t got = 0;
    assert_int_equal(wire_response_header_decode(api, version, &reader, &got), ERR_OK);
    assert_int_equal(got, correlation);
    void *message = wire_new(&c->arena, api->response, 1);
    assert_non_null(message);
    check(
        wire_decode(api->response, version, wire_is_flexible(api, version), &reader, &c->arena, message, &e),
        &e);
    assert_int_equal(reader_left(&reader), 0);
    return message;
}

void *client_call(struct client *c, enum api_key key, int16_t version, const void *message)
{
    client_send(c, key, version, message);
    return client_recv(c, key, version, c->correlation);
}

bool client_is_closed(struct client *c)
{
    uint8_t byte;
    ssize_t got = recv(c->fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

void client_assert_served(const struct rig *rig)
{
    struct client c;
    client_open(&c, rig);
    const struct api_versions_response *out =
        client_call(&c, API_API_VERSIONS, 0, client_new(&c, api_versions_request, 1));
    assert_int_equal(out->error, ERR_OK);
    client_close(&c);
}

void client_wait_for_parked(const struct rig *rig, int64_t count)
{
    const struct metric *parked =
        metrics_gauge(rig->metrics, "kafka_server_delayedoperationpurgatory_purgatorysize",
                      "delayedOperation=\"Fetch\"", "");
    for (int i = 0; metric_value(parked) != count; i++) {
        assert_true(i < PATIENCE_S * 1000);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

// ---- what many tests say

struct uuid topic_make(struct client *c, const char *name, int32_t partitions, const char *key,
                       const char *value)
{
    struct create_topics_request *in = client_new(c, create_topics_request, 1);
    in->topics = client_new(c, create_topics_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(name);
    in->topics[0].num_partitions = partitions;
    in->topics[0].replication_factor = -1;
    if (key != NULL) {
        in->topics[0].configs = client_new(c, create_topics_request_config, 1);
        in->topics[0].configs_count = 1;
        in->topics[0].configs[0].name = str_from_c(key);
        in->topics[0].configs[0].value = str_from_c(value);
    }
    const struct create_topics_response *out = client_call(c, API_CREATE_TOPICS, 7, in);
    if (out->topics[0].error != ERR_OK) {
        fail_msg("%s: %s: " STR_FMT, name, err_name(out->topics[0].error),
                 STR_ARG(out->topics[0].error_message));
    }
    return out->topics[0].topic_id;
}

void topic_drop(struct client *c, const char *name)
{
    struct delete_topics_request *in = client_new(c, delete_topics_request, 1);
    struct str names[] = {str_from_c(name)};
    in->topic_names = names;
    in->topic_names_count = 1;
    const struct delete_topics_response *out = client_call(c, API_DELETE_TOPICS, 5, in);
    assert_int_equal(out->topics[0].error, ERR_OK);
}

int64_t wall_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct bytes batch_copy(struct client *c, struct bytes batch)
{
    uint8_t *copy = arena_alloc(&c->arena, batch.len + 1);
    assert_non_null(copy);
    memcpy(copy, batch.ptr, batch.len);
    return bytes_of(copy, batch.len);
}

struct bytes batch_make(struct client *c, const struct batch_options *options, int32_t count,
                        const char *value)
{
    struct batch_options plain = batch_options_default();
    struct batch_builder builder;
    struct buf out;
    struct error e = {0};
    buf_init(&out, 64 << 20);
    batch_builder_init(&builder, options == NULL ? &plain : options);
    int64_t now_ms = wall_now_ms();
    for (int32_t i = 0; i < count; i++) {
        batch_builder_append(&builder, now_ms, bytes_of("key", 3), bytes_of(value, strlen(value)), NULL, 0);
    }
    check(batch_builder_finish(&builder, &out, &e), &e);
    struct bytes batch = batch_copy(c, buf_bytes(&out));
    batch_builder_fini(&builder);
    buf_fini(&out);
    return batch;
}

void batch_resum(struct bytes batch)
{
    uint8_t *at = (uint8_t *)batch.ptr;
    store_be32(at + 17, crc32c(0, at + BATCH_CRC_FROM, batch.len - BATCH_CRC_FROM));
}

struct produce_response_partition *produce_send(struct client *c, int16_t version, const char *topic,
                                                struct uuid id, int32_t partition, struct bytes batch)
{
    return produce_send_as(c, (struct str){0}, version, topic, id, partition, batch);
}

struct produce_response_partition *produce_send_as(struct client *c, struct str transactional_id,
                                                   int16_t version, const char *topic, struct uuid id,
                                                   int32_t partition, struct bytes batch)
{
    struct produce_request *in = client_new(c, produce_request, 1);
    in->transactional_id = transactional_id;
    in->acks = -1;
    in->timeout_ms = 30000;
    in->topics = client_new(c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].topic_id = id;
    in->topics[0].partitions = client_new(c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].index = partition;
    in->topics[0].partitions[0].records.bytes = batch;
    const struct produce_response *out = client_call(c, API_PRODUCE, version, in);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions_count, 1);
    assert_int_equal(out->topics[0].partitions[0].index, partition);
    return &out->topics[0].partitions[0];
}

int64_t produce(struct client *c, const char *topic, int32_t partition, struct bytes batch)
{
    const struct produce_response_partition *out =
        produce_send(c, 9, topic, (struct uuid){{0}}, partition, batch);
    if (out->error != ERR_OK) {
        fail_msg("%s: %s " STR_FMT, topic, err_name(out->error), STR_ARG(out->error_message));
    }
    return out->base_offset;
}

struct fetch_request *fetch_make(struct client *c, const struct fetch_ask *ask)
{
    enum { PLENTY = 50 << 20 };
    struct fetch_request *in = client_new(c, fetch_request, 1);
    in->max_wait_ms = ask->wait_ms;
    in->min_bytes = ask->min_bytes;
    in->max_bytes = ask->max_bytes == 0 ? PLENTY : ask->max_bytes;
    in->isolation_level = ask->isolation_level;
    in->topics = client_new(c, fetch_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].topic = str_from_c(ask->topic);
    in->topics[0].topic_id = ask->id;
    in->topics[0].partitions = client_new(c, fetch_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].partition = ask->partition;
    in->topics[0].partitions[0].fetch_offset = ask->offset;
    in->topics[0].partitions[0].current_leader_epoch = ask->current_leader_epoch_plus_1 - 1;
    in->topics[0].partitions[0].partition_max_bytes =
        ask->partition_max_bytes == 0 ? PLENTY : ask->partition_max_bytes;
    return in;
}

struct fetch_response_partition *fetch_send(struct client *c, int16_t version, const struct fetch_ask *ask)
{
    const struct fetch_response *out = client_call(c, API_FETCH, version, fetch_make(c, ask));
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, 0);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions_count, 1);
    return &out->topics[0].partitions[0];
}

struct bytes batch_at(struct client *c, int64_t timestamp, int32_t count, bool has_key)
{
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    struct buf out;
    buf_init(&out, 1 << 20);
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < count; i++) {
        struct bytes key = has_key ? bytes_of("key", 3) : bytes_of(NULL, 0);
        batch_builder_append(&builder, timestamp + 10 * i, key, bytes_of("value", 5), NULL, 0);
    }
    assert_int_equal(batch_builder_finish(&builder, &out, NULL), ERR_OK);
    struct bytes batch = batch_copy(c, buf_bytes(&out));
    batch_builder_fini(&builder);
    buf_fini(&out);
    return batch;
}

int64_t delete_records(struct client *c, const char *topic, int64_t offset, int16_t version, enum err err)
{
    struct delete_records_request *in = client_new(c, delete_records_request, 1);
    in->topics = client_new(c, delete_records_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(c, delete_records_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].offset = offset;
    const struct delete_records_response *out = client_call(c, API_DELETE_RECORDS, version, in);
    assert_int_equal(out->topics[0].partitions[0].error, err);
    return out->topics[0].partitions[0].low_watermark;
}
