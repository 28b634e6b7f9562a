// SPDX-License-Identifier: Apache-2.0
// broker.c - opening, starting and stopping the monitor, its ports, and small readings.
#include "broker/broker.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "broker/broker_private.h"
#include "broker/fetch_session.h"
#include "broker/throttle.h"

#include <stdio.h>

enum { STATIC_TRIES = 20 };

// ---- what the broker lends its keeper

static struct core *host_lock(void *arg)
{
    struct broker *b = arg;
    mutex_lock(&b->lock);
    return b->core;
}

static void host_unlock(void *arg)
{
    struct broker *b = arg;
    mutex_unlock(&b->lock);
}

static enum err host_submit(void *arg, const struct item *item, struct outcome *ret_outcome, struct error *e)
{
    return broker_change_wait(arg, item, ret_outcome, e);
}

static enum err host_submit_all(void *arg, const struct item *items, uint32_t count,
                                struct outcome *ret_outcomes, struct error *e)
{
    return broker_change_wait_all(arg, items, count, ret_outcomes, e);
}

// ---- opening

static void register_metrics(struct broker *b)
{
    struct metrics *m = b->metrics;
    b->fetches_parked = metrics_gauge(m, "kafka_server_delayedoperationpurgatory_purgatorysize",
                                      "delayedOperation=\"Fetch\"", "Fetches that wait for records");
    b->bundles = metrics_counter(m, "strom_bundles_total", NULL, "Bundles handed to the engine");
    b->order_time = metrics_histogram(m, "strom_bundle_order_seconds", NULL,
                                      "Time to make one bundle durable, as its topics ask");
    metrics_collector(m, exposition_collect, b);
}

static enum err deliver_replayed(void *arg, const struct ordered *o, struct error *e)
{
    return journal_deliver(arg, o, e);
}

static enum err replay(struct broker *b, struct error *e)
{
    struct buf snapshot;
    buf_init(&snapshot, SIZE_MAX / 2);
    uint64_t lsn = 0;
    enum err err = engine_snapshot_read(b->engine, &snapshot, &lsn, e);
    if (err == ERR_OK) {
        err = core_load(b->core, buf_bytes(&snapshot), e);
    } else if (err == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    buf_fini(&snapshot);
    if (err != ERR_OK) {
        error_wrap(e, "loading the newest snapshot");
        return err;
    }
    err = engine_tail(b->engine, core_lsn(b->core), CLOCK_NEVER + 1, deliver_replayed, b, e);
    if (err == ERR_READ_ONLY) {
        b->is_read_only = true;
        trace(b->tracer, TRACE_ERROR, "serving read-only: %s", e->text);
        return ERR_OK;
    }
    if (err != ERR_OK) {
        error_wrap(e, "replaying the log");
    }
    return err;
}

enum err broker_open(struct env *env, struct engine *engine, const struct broker_options *options,
                     struct broker **ret_broker, struct error *e)
{
    struct broker *b = mem_zalloc(sizeof *b);
    b->env = env;
    b->engine = engine;
    b->options = *options;
    b->policy = options->policy == NULL ? (struct broker_policy){0} : *options->policy;
    b->tracer = options->tracer;
    b->metrics = options->metrics;
    b->pool = options->pool;
    b->node_id = options->node_id;
    uuid_format(options->cluster_id, b->cluster_id);
    mutex_init(&b->lock, env->threads);
    cond_init(&b->work, env->threads);
    cond_init(&b->idle, env->threads);
    list_init(&b->parked);
    list_init(&b->awaiting);
    buf_init(&b->seal.meta, META_BYTES_MAX);
    // The cache gives memory back only for newer batches: it must leave room for them to come in.
    size_t tail_max = pool_limit_bytes(options->pool) / 2;
    tail_init(&b->tail, options->tail_cache_bytes < tail_max ? options->tail_cache_bytes : tail_max);
    core_facts_init(&b->facts);
    register_metrics(b);
    b->core = core_create();
    struct engine_status status;
    engine_status(engine, &status);
    b->is_shared = status.is_shared;
    b->segments = segment_cache_create(env, engine, options->segment_cache_bytes);
    // Half a log file: what the engine adds must fit as well.
    const struct fetch_session_limits session_limits = {
        .count_max = (uint32_t)broker_setting_i64(b, STR("max.incremental.fetch.session.cache.slots")),
        .bytes_max = (size_t)broker_setting_i64(b, STR("strom.fetch.session.cache.bytes")),
        .eviction_ms = broker_setting_i64(b, STR("min.incremental.fetch.session.eviction.ms")),
    };
    b->sessions = fetch_sessions_create(env, &session_limits, options->metrics);
    const struct throttle_limits throttle_limits = {
        .clients_max = (uint32_t)broker_setting_i64(b, STR("strom.quota.clients.max")),
        .rate = {.window_count = (uint32_t)broker_setting_i64(b, STR("quota.window.num")),
                 .window_ns = broker_setting_i64(b, STR("quota.window.size.seconds")) * 1000000000},
    };
    b->throttles = throttles_create(b, &throttle_limits, options->metrics);
    size_t file_bytes = (size_t)broker_setting_i64(b, STR("strom.wal.file.bytes"));
    b->bundle_bytes_max = file_bytes / 2 < ENGINE_BUNDLE_BYTES ? file_bytes / 2 : ENGINE_BUNDLE_BYTES;
    b->change_bytes_max = file_bytes / 2 < META_BYTES_MAX ? file_bytes / 2 : META_BYTES_MAX;
    enum err err = core_static_configs_set(b->core, options->static_configs, options->static_config_count);
    err = err == ERR_OK ? replay(b, e) : err;
    if (err != ERR_OK) {
        broker_destroy(b);
        return err;
    }
    groups_init(b);
    journal_waiters_reserve(b); // the snapshot may have been all there is
    journal_quotas_publish(b);
    *ret_broker = b;
    return ERR_OK;
}

void broker_destroy(struct broker *take_broker)
{
    struct broker *b = take_broker;
    if (b == NULL) {
        return;
    }
    ASSERT(b->port_count == 0);
    keeper_destroy(b->keeper);
    journal_fini(b);
    coordinator_destroy(b->coordinator);
    tail_fini(&b->tail);
    segment_cache_destroy(b->segments);
    fetch_sessions_destroy(b->sessions);
    throttles_destroy(b->throttles);
    core_facts_fini(&b->facts);
    core_destroy(b->core);
    mem_free(b->waiters);
    mem_free(b->refusals);
    mem_free(b->slot_traffic);
    cond_fini(&b->work);
    cond_fini(&b->idle);
    mutex_fini(&b->lock);
    mem_free(b);
}

// ---- starting

// Apply decides by these, so they must be in the state: what is given at start is stored, and stays when it
// is no longer given. All other settings given at start are looked up below the stored ones and go with the
// flag.
static bool is_read_by_apply(struct str key)
{
    static const char *const keys[] = {"producer.id.expiration.ms",
                                       "strom.producer.ids.max",
                                       "strom.partitions.max",
                                       "strom.topics.max",
                                       "strom.groups.max",
                                       "strom.group.offsets.max",
                                       "strom.quotas.max",
                                       "strom.documents.max",
                                       "strom.documents.bytes.max",
                                       "strom.transactional.ids.max",
                                       "transactional.id.expiration.ms"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (str_equal(key, str_from_c(keys[i]))) {
            return true;
        }
    }
    return false;
}

// apply_static makes these stored settings equal to those given at start. Another broker of the same log may
// change them at the same moment: then the plan is made again.
static enum err apply_static(struct broker *b, struct error *e)
{
    struct arena arena;
    arena_init(&arena, 4 << 20);
    struct config_change *changes =
        arena_new(&arena, struct config_change, b->options.static_config_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->options.static_config_count; i++) {
        const struct item_config *given = &b->options.static_configs[i];
        const struct setting *setting = setting_find(given->key, SETTING_BROKER_DYNAMIC);
        if (setting != NULL && setting->scope == SETTING_BROKER_DYNAMIC && is_read_by_apply(given->key)) {
            changes[count++] = (struct config_change){given->key, given->value, CONFIG_SET};
        }
    }
    enum err err = count > 0 ? ERR_STALE : ERR_OK;
    for (int i = 0; i < STATIC_TRIES && err == ERR_STALE; i++) {
        struct item item;
        err = broker_plan_configs(b, (struct str){NULL, 0}, changes, count, false, &arena, &item, e);
        if (err == ERR_OK && !plan_configs_is_noop(b, &item)) {
            struct outcome outcome;
            err = broker_change_wait(b, &item, &outcome, e);
        }
    }
    arena_fini(&arena);
    return err;
}

static enum err raise_epochs(struct broker *b, struct error *e)
{
    struct engine_status status;
    engine_status(b->engine, &status);
    if (!status.was_unclean || plant_is(PLANT_NO_EPOCH_RAISE)) {
        return ERR_OK;
    }
    bool has_os_topic = false;
    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < core_topic_count(b->core) && !has_os_topic; i++) {
        has_os_topic = topic_settings(b->core, core_topic_at(b->core, i))->is_durability_os;
    }
    mutex_unlock(&b->lock);
    if (!has_os_topic) {
        return ERR_OK;
    }
    struct item item = {.kind = ITEM_EPOCH_RAISE, .version = 1};
    struct outcome outcome;
    return broker_change_wait(b, &item, &outcome, e);
}

static struct keeper_options keeper_options_from(struct broker *b)
{
    struct keeper_options o;
    keeper_options_init(&o);
    o.merge_wal_bytes = broker_setting_i64(b, STR("strom.merge.wal.bytes"));
    o.merge_extents_max = (uint32_t)broker_setting_i64(b, STR("strom.merge.extents.max"));
    o.merge_age_ms = broker_setting_i64(b, STR("strom.merge.age.ms"));
    o.snapshot_wal_bytes = broker_setting_i64(b, STR("strom.snapshot.wal.bytes"));
    o.retention_check_ms = broker_setting_i64(b, STR("log.retention.check.interval.ms"));
    o.offsets_retention_ms = broker_setting_i64(b, STR("offsets.retention.minutes")) * 60000;
    o.compact_map_bytes = broker_setting_i64(b, STR("log.cleaner.dedupe.buffer.size"));
    o.compact_check_ms = broker_setting_i64(b, STR("log.cleaner.backoff.ms"));
    o.offsets_check_ms = broker_setting_i64(b, STR("offsets.retention.check.interval.ms"));
    return o;
}

// catch_up waits until everything is applied that any broker of a shared log may have acknowledged by now:
// whoever read from this broker before it was restarted must not see less from it afterwards.
static enum err catch_up(struct broker *b, struct error *e)
{
    uint64_t lsn = 0;
    enum err err = b->is_shared ? engine_barrier(b->engine, &lsn, e) : ERR_OK;
    mutex_lock(&b->lock);
    while (err == ERR_OK && core_lsn(b->core) < lsn) {
        cond_wait(&b->idle, &b->lock, CLOCK_NEVER);
    }
    mutex_unlock(&b->lock);
    return err;
}

enum err broker_start(struct broker *b, struct error *e)
{
    struct keeper_options options = keeper_options_from(b);
    const struct keeper_host host = {b, host_lock, host_unlock, host_submit, host_submit_all};
    b->keeper = keeper_create(b->env, b->engine, b->segments, &host, &options, b->tracer, b->metrics);
    mutex_lock(&b->lock);
    b->is_started = true;
    mutex_unlock(&b->lock);
    journal_start(b);
    if (b->is_read_only) {
        groups_start(b);
        return ERR_OK;
    }
    enum err err = catch_up(b, e);
    if (err == ERR_OK) {
        err = apply_static(b, e);
    }
    if (err == ERR_OK) {
        err = raise_epochs(b, e);
    }
    if (err == ERR_OK) {
        err = keeper_after_recovery(b->keeper, e);
    }
    if (err == ERR_OK) {
        keeper_start(b->keeper);
        b->is_keeper_started = true;
        groups_start(b); // last: from now on members have one session to be heard
    }
    return err;
}

void broker_stop(struct broker *b)
{
    if (b->is_keeper_started) {
        keeper_stop(b->keeper);
        b->is_keeper_started = false;
    }
    mutex_lock(&b->lock);
    bool was_started = b->is_started;
    b->is_stopping = true;
    fetch_wake_all(b);
    groups_stop(b);
    journal_unlock(b, NULL);
    if (was_started) {
        journal_stop(b);
    }
}

// ---- ports

struct broker_port *broker_port_create(struct broker *b, struct loop *loop)
{
    struct broker_port *port = mem_zalloc(sizeof *port);
    port->broker = b;
    port->loop = loop;
    port->extents = mem_array(FETCH_EXTENTS_MAX, sizeof *port->extents);
    judge_port_init(port);
    mutex_lock(&b->lock);
    ASSERT(b->port_count < BROKER_PORTS_MAX);
    b->ports[b->port_count++] = port;
    mutex_unlock(&b->lock);
    return port;
}

void broker_port_destroy(struct broker_port *take_port)
{
    if (take_port == NULL) {
        return;
    }
    struct broker *b = take_port->broker;
    mutex_lock(&b->lock);
    for (uint32_t i = 0; i < b->port_count; i++) {
        if (b->ports[i] == take_port) {
            b->ports[i] = b->ports[--b->port_count];
            break;
        }
    }
    mutex_unlock(&b->lock);
    codec_context_fini(&take_port->codec);
    judge_port_fini(take_port);
    mem_free(take_port->extents);
    mem_free(take_port);
}

struct broker *broker_port_broker(struct broker_port *port)
{
    return port->broker;
}

struct loop *broker_port_loop(struct broker_port *port)
{
    return port->loop;
}

struct codec_context *broker_port_codec(struct broker_port *port)
{
    return &port->codec;
}

// ---- readings

int32_t broker_node_id(const struct broker *b)
{
    return b->node_id;
}

struct str broker_cluster_id(const struct broker *b)
{
    return str_from_c(b->cluster_id);
}

struct metrics *broker_metrics(const struct broker *b)
{
    return b->metrics;
}

struct tracer *broker_tracer(const struct broker *b)
{
    return b->tracer;
}

struct env *broker_env(const struct broker *b)
{
    return b->env;
}

struct pool *broker_pool(const struct broker *b)
{
    return b->pool;
}

struct fetch_sessions *broker_fetch_sessions(const struct broker *b)
{
    return b->sessions;
}

struct throttles *broker_throttles(const struct broker *b)
{
    return b->throttles;
}

bool broker_is_read_only(struct broker *b)
{
    return b->is_read_only;
}

const struct core *broker_view_begin(struct broker *b)
{
    mutex_lock(&b->lock);
    return b->core;
}

void broker_view_end(struct broker *b)
{
    mutex_unlock(&b->lock);
}

static const struct item_config *config_find(const struct item_config *configs, uint32_t count,
                                             struct str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_equal(configs[i].key, name)) {
            return &configs[i];
        }
    }
    return NULL;
}

struct str broker_setting(struct broker *b, struct str name, struct arena *arena)
{
    struct str value = {NULL, 0};
    const struct setting *setting = setting_find(name, SETTING_BROKER_STATIC);
    if (setting != NULL && setting->default_text != NULL) {
        value = str_from_c(setting->default_text);
    }
    const struct item_config *given =
        config_find(b->options.static_configs, b->options.static_config_count, name);
    value = given != NULL ? given->value : value;
    mutex_lock(&b->lock);
    uint32_t count = 0;
    const struct item_config *stored = core_broker_configs(b->core, &count);
    stored = config_find(stored, count, name);
    value = arena_str(arena, stored != NULL ? stored->value : value);
    mutex_unlock(&b->lock);
    return value;
}

int64_t broker_setting_i64(struct broker *b, struct str name)
{
    struct arena arena;
    arena_init(&arena, 65536);
    struct str text = str_trim(broker_setting(b, name, &arena));
    int64_t value = 0;
    if (text.len == 4 && (text.ptr[0] | 0x20) == 't') { // "true", in any case
        value = 1;
    } else {
        (void)str_parse_i64(text, &value);
    }
    arena_fini(&arena);
    return value;
}

const struct item_config *broker_static_configs(const struct broker *b, uint32_t *ret_count)
{
    *ret_count = b->options.static_config_count;
    return b->options.static_configs;
}

void broker_status(struct broker *b, struct broker_status *ret)
{
    engine_status(b->engine, &ret->engine);
    mutex_lock(&b->lock);
    ret->lsn = core_lsn(b->core);
    ret->topic_count = core_topic_count(b->core);
    ret->partition_count = core_partition_total(b->core);
    ret->state_bytes = core_state_bytes(b->core);
    ret->is_stopping = b->is_stopping;
    mutex_unlock(&b->lock);
}
