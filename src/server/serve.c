// SPDX-License-Identifier: Apache-2.0
// serve.c - wiring. Order of life: engine, broker (replay), loops and fronts, WAL thread and keeper,
// listeners last: nobody connects to a broker that is not ready. Stopping runs the same way back.
#include "server/serve.h"

#include "base/assert.h"
#include "base/mem.h"
#include "engine/local/local.h"
#include "kafka/kafka.h"
#include "server/site.h"

#include <stdio.h>

enum {
    LOOPS_MAX = 32,
    LISTENERS_MAX = 16,
    TRAVEL_DIVISOR = 2, // of the memory of the broker, for what travels
    QUEUE_DIVISOR = 32, // likewise, for requests that are not answered
};

struct server_loop {
    struct server *server;
    struct loop *loop;
    struct thread *thread;
    struct broker_port *port;
    struct kafka_front *front;
    struct task stop;
    bool is_stopped;
};

struct server {
    struct env *env;
    const struct config *config;
    const struct server_options *options;
    struct tracer *tracer;
    struct metrics *metrics;
    struct pool *pool;
    struct engine *engine;
    struct broker *broker;
    struct kafka_stats *stats;
    struct govern *govern;
    struct site *site;
    struct server_loop loops[LOOPS_MAX];
    uint32_t loop_count;
    struct arena arena;
    struct mutex lock; // guards stopped_count
    struct cond stopped;
    uint32_t stopped_count;
    bool is_started; // false: an unclean stop that came before has not been dealt with
    int kafka_port;
    int http_port;
};

static size_t size_of(const struct config *c, struct str key)
{
    int64_t value = config_i64(c, key);
    return value < 0 ? 0 : (size_t)value;
}

static void on_fatal(void *arg, const struct error *e)
{
    struct server *s = arg;
    trace(s->tracer, TRACE_ERROR, "stopping at once, the log can no longer be trusted to reach the disk: %s",
          e->text);
    if (s->options->fatal != NULL) {
        s->options->fatal(s->options->fatal_arg, e);
    }
    UNREACHABLE("a write or sync of the log failed; start again after the disk is mended: nothing "
                "acknowledged is lost");
}

// hint_add puts a line behind the error that says what to do.
static void hint_add(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void hint_add(struct error *e, const char *format, ...)
{
    if (e == NULL) {
        return;
    }
    char hint[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(hint, sizeof hint, format, args);
    va_end(args);
    size_t used = strlen(e->text);
    snprintf(e->text + used, sizeof e->text - used, "\n  hint: %s", hint);
}

static enum err open_engine(struct server *s, struct uuid *ret_cluster_id, struct error *e)
{
    if (s->options->take_engine != NULL) {
        s->engine = s->options->take_engine;
        ret_cluster_id->b[0] = 1;
        return ERR_OK;
    }
    struct engine_local_options options;
    engine_local_options_init(&options);
    options.wal_file_bytes = config_i64(s->config, STR("strom.wal.file.bytes"));
    if (options.wal_first_bytes > options.wal_file_bytes) {
        options.wal_first_bytes = options.wal_file_bytes;
    }
    options.disk_reserve_bytes = config_i64(s->config, STR("strom.disk.reserve.bytes"));
    options.fatal = on_fatal;
    options.fatal_arg = s;
    enum err err = engine_local_open(s->env, &options, &s->engine, e);
    if (err == ERR_OK) {
        *ret_cluster_id = engine_local_cluster_id(s->engine);
    }
    if (err == ERR_EXISTS) {
        hint_add(e, "a broker runs there already? --set data.dir=DIRECTORY takes another one");
    }
    return err;
}

static enum err open_broker(struct server *s, struct uuid cluster_id, struct error *e)
{
    const struct broker_policy policy = govern_policy(s->govern);
    const struct broker_options options = {
        .static_configs = s->config->entries,
        .static_config_count = s->config->count,
        .node_id = (int32_t)config_i64(s->config, STR("node.id")),
        .cluster_id = cluster_id,
        .tail_cache_bytes = size_of(s->config, STR("strom.tail.cache.bytes")),
        .segment_cache_bytes = size_of(s->config, STR("strom.segment.cache.bytes")),
        .tracer = s->tracer,
        .metrics = s->metrics,
        .pool = s->pool,
        .policy = s->options->policy != NULL ? s->options->policy : &policy,
    };
    return broker_open(s->env, s->engine, &options, &s->broker, e);
}

// first_endpoint gives the first of a comma-separated list of listeners; false when the list is empty.
static bool next_listener(struct str *list, struct str *ret)
{
    while (list->len > 0) {
        *ret = str_trim(str_cut(*list, ',', list));
        if (ret->len > 0) {
            return true;
        }
    }
    return false;
}

static enum err kafka_options_fill(struct server *s, struct kafka_options *o, struct error *e)
{
    const struct config *c = s->config;
    int64_t queued = config_i64(c, STR("queued.max.request.bytes"));
    *o = (struct kafka_options){
        .frame_bytes_max = size_of(c, STR("socket.request.max.bytes")),
        .first_frame_bytes_max = size_of(c, STR("strom.first.request.max.bytes")),
        .request_memory_max = size_of(c, STR("strom.request.memory.max.bytes")),
        .queued_bytes_max =
            queued < 0 ? size_of(c, STR("strom.memory.max.bytes")) / QUEUE_DIVISOR : (size_t)queued,
        .connection_rate_max = (int32_t)config_i64(c, STR("max.connection.creation.rate")),
        .rate = {.window_count = (uint32_t)config_i64(c, STR("quota.window.num")),
                 .window_ns = config_i64(c, STR("quota.window.size.seconds")) * 1000000000},
        .connections_max = (uint32_t)config_i64(c, STR("max.connections")),
        .connections_per_ip = (uint32_t)config_i64(c, STR("max.connections.per.ip")),
        .idle_ms = config_i64(c, STR("connections.max.idle.ms")),
        .first_frame_ms = config_i64(c, STR("strom.handshake.timeout.ms")),
        .inflight_max = (uint32_t)config_i64(c, STR("strom.connection.inflight.max")),
        .output_bytes_max = size_of(c, STR("strom.connection.output.max.bytes")),
        .fetch_bytes_max = (int32_t)config_i64(c, STR("fetch.max.bytes")),
        .auto_create_topics = config_bool(c, STR("auto.create.topics.enable")),
        .rack = config_get(c, STR("broker.rack")),
        .stats = s->stats,
    };
    struct str list = config_get(c, STR("advertised.listeners"));
    struct str first;
    if (!next_listener(&list, &first)) {
        return ERR_OK;
    }
    struct endpoint endpoint;
    enum err err = config_endpoint(first, &endpoint, e);
    if (err == ERR_OK) {
        o->advertised_host = endpoint.host;
        o->advertised_port = endpoint.port;
    }
    return err;
}

static void loop_main(void *arg)
{
    struct server_loop *l = arg;
    loop_run(l->loop);
}

static enum err open_loops(struct server *s, struct error *e)
{
    struct kafka_options options;
    enum err err = kafka_options_fill(s, &options, e);
    if (err != ERR_OK) {
        return err;
    }
    int64_t wanted = config_i64(s->config, STR("num.network.threads"));
    wanted = wanted == 0 ? s->options->cpu_count - 1 : wanted; // the log and the keeper have work to do, too
    s->loop_count = wanted < 1 ? 1 : wanted > LOOPS_MAX ? LOOPS_MAX : (uint32_t)wanted;
    for (uint32_t i = 0; i < s->loop_count; i++) {
        struct server_loop *l = &s->loops[i];
        l->server = s;
        l->loop = loop_create(s->env);
        loop_watch(l->loop, s->metrics, "loop=\"kafka\"");
        l->port = broker_port_create(s->broker, l->loop);
        l->front = kafka_front_create(s->broker, l->port, &options);
    }
    for (uint32_t i = 1; i < s->loop_count; i++) {
        kafka_front_share(s->loops[0].front, s->loops[i].front);
    }
    return ERR_OK;
}

static enum err check_exposure(struct server *s, const struct endpoint *endpoint, struct str text,
                               struct error *e)
{
    if (endpoint_is_loopback(endpoint) || config_bool(s->config, STR("strom.listen.unprotected"))) {
        return ERR_OK;
    }
    return FAIL(e, ERR_INVALID_CONFIG,
                "listener " STR_FMT
                " is open beyond this machine, without TLS or authentication. If the network is "
                "trusted, say so: --set strom.listen.unprotected=true",
                STR_ARG(text));
}

// listen_on opens one listener of a setting.
static enum err listen_on(struct server *s, const char *setting, const char *scheme, struct str text,
                          struct sock **ret_listener, int *ret_port, struct error *e)
{
    struct endpoint endpoint;
    enum err err = config_endpoint(text, &endpoint, e);
    err = err == ERR_OK ? check_exposure(s, &endpoint, text, e) : err;
    err = err == ERR_OK ? net_listen(s->env->net, endpoint.host, endpoint.port, ret_listener, ret_port, e)
                        : err;
    if (err != ERR_OK) {
        error_wrap(e, "%s", setting);
    }
    if (err == ERR_EXISTS) {
        hint_add(e,
                 "`ss -ltnp 'sport = :%d'` shows who has that port; --set %s=%s://" STR_FMT
                 ":PORT takes another one",
                 endpoint.port, setting, scheme, STR_ARG(endpoint.host));
    }
    return err;
}

static enum err listen_kafka(struct server *s, struct error *e)
{
    struct str list = config_get(s->config, STR("listeners"));
    struct str text;
    while (next_listener(&list, &text)) {
        struct sock *listener = NULL;
        int port = 0;
        enum err err = listen_on(s, "listeners", "PLAINTEXT", text, &listener, &port, e);
        if (err != ERR_OK) {
            return err;
        }
        s->kafka_port = s->kafka_port == 0 ? port : s->kafka_port;
        kafka_front_listen(s->loops[0].front, listener);
    }
    return s->kafka_port != 0 ? ERR_OK
                              : FAIL(e, ERR_INVALID_CONFIG, "listeners is empty: there is nothing to serve");
}

static enum err listen_http(struct server *s, struct error *e)
{
    struct str list = config_get(s->config, STR("http.listeners"));
    struct str text;
    while (next_listener(&list, &text)) {
        struct sock *listener = NULL;
        int port = 0;
        enum err err = listen_on(s, "http.listeners", "http", text, &listener, &port, e);
        if (err != ERR_OK) {
            return err;
        }
        s->http_port = s->http_port == 0 ? port : s->http_port;
        site_listen(s->site, listener);
    }
    return ERR_OK;
}

static enum err open_all(struct server *s, struct error *e)
{
    struct uuid cluster_id = {{0}};
    enum err err = open_engine(s, &cluster_id, e);
    err = err == ERR_OK ? open_broker(s, cluster_id, e) : err;
    err = err == ERR_OK ? open_loops(s, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    err = broker_start(s->broker, e);
    s->is_started = err == ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    s->site = site_create(s->broker, s->metrics, s->govern);
    err = listen_kafka(s, e);
    return err == ERR_OK ? listen_http(s, e) : err;
}

// memory_tell: whoever gives it less memory than its state takes learns why clients wait, and what to do.
static void memory_tell(const struct server *s)
{
    if (!mem_has_room(MEM_SHARE_TRAVEL, 0)) {
        trace(s->tracer, TRACE_ERROR,
              "no records are served: what is kept takes %zu MiB of strom.memory.max.bytes, %zu MiB, and "
              "records wait beyond %d %%: start it with more",
              mem_used_bytes() >> 20, mem_cap_bytes() >> 20, MEM_SHARE_TRAVEL);
    }
}

enum err server_start(struct env *env, const struct config *config, const struct server_options *options,
                      struct server **ret_server, struct error *e)
{
    struct server *s = mem_zalloc(sizeof *s);
    s->env = env;
    s->config = config;
    s->options = options;
    s->tracer = options->tracer;
    arena_init(&s->arena, 1 << 20);
    mutex_init(&s->lock, env->threads);
    cond_init(&s->stopped, env->threads);
    s->metrics = metrics_create();
    s->stats = kafka_stats_create(env, s->metrics);
    s->pool = pool_create(env, size_of(config, STR("strom.memory.max.bytes")) / TRAVEL_DIVISOR,
                          size_of(config, STR("strom.tail.cache.bytes")));
    s->govern = govern_create(env, s->metrics);
    enum err err = open_all(s, e);
    // Also after a failure: the fronts stop by way of their loops.
    for (uint32_t i = 0; i < s->loop_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "loop-%u", i);
        s->loops[i].thread = thread_start(env->threads, name, loop_main, &s->loops[i]);
    }
    if (err != ERR_OK) {
        server_stop(s);
        return err;
    }
    site_start(s->site);
    memory_tell(s);
    *ret_server = s;
    return ERR_OK;
}

// ---- stopping

static void loop_is_stopped(void *arg)
{
    struct server_loop *l = arg;
    struct server *s = l->server;
    mutex_lock(&s->lock);
    s->stopped_count++;
    cond_signal(&s->stopped);
    mutex_unlock(&s->lock);
}

static void loop_begin_stop(struct task *task)
{
    struct server_loop *l = (struct server_loop *)(void *)((char *)task - offsetof(struct server_loop, stop));
    kafka_front_stop(l->front, loop_is_stopped, l);
}

static void stop_fronts(struct server *s)
{
    site_stop_begin(s->site);
    for (uint32_t i = 0; i < s->loop_count; i++) {
        s->loops[i].stop.run = loop_begin_stop;
        loop_post(s->loops[i].loop, &s->loops[i].stop);
    }
    mutex_lock(&s->lock);
    while (s->stopped_count < s->loop_count) {
        cond_wait(&s->stopped, &s->lock, CLOCK_NEVER);
    }
    mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->loop_count; i++) {
        loop_stop(s->loops[i].loop);
        thread_join(s->env->threads, s->loops[i].thread);
    }
    site_stop_end(s->site);
}

void server_stop(struct server *take_server)
{
    struct server *s = take_server;
    if (s->broker != NULL) {
        broker_hold_groups(s->broker);
    }
    stop_fronts(s);
    if (s->broker != NULL) {
        broker_stop(s->broker);
    }
    site_destroy(s->site);
    for (uint32_t i = 0; i < s->loop_count; i++) {
        kafka_front_destroy(s->loops[i].front);
        broker_port_destroy(s->loops[i].port);
        loop_destroy(s->loops[i].loop);
    }
    govern_destroy(s->govern);
    broker_destroy(s->broker);
    if (s->engine != NULL) {
        engine_stop(s->engine);
        engine_close(s->engine, s->is_started);
    }
    pool_destroy(s->pool);
    kafka_stats_destroy(s->stats);
    metrics_destroy(s->metrics);
    cond_fini(&s->stopped);
    mutex_fini(&s->lock);
    arena_fini(&s->arena);
    mem_free(s);
}

int server_kafka_port(const struct server *s)
{
    return s->kafka_port;
}

int server_http_port(const struct server *s)
{
    return s->http_port;
}

struct broker *server_broker(struct server *s)
{
    return s->broker;
}
