// SPDX-License-Identifier: Apache-2.0
// broker_host.c - the program of a simulated broker: the whole server, with settings that make everything
// happen soon: small WAL files, early merges, frequent snapshots, a tiny tail cache.
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "beat.h"
#include "broker/test_policy.h"
#include "order_engine.h"
#include "ruled.h"
#include "scenario.h"
#include "server/serve.h"

#define MS 1000000LL

struct setup {
    const char *key;
    int64_t min;
    int64_t max;
};
static const struct setup setups[] = {
    {"strom.wal.file.bytes", 1 << 20, 2 << 20},
    {"strom.merge.wal.bytes", 32 << 10, 512 << 10},
    {"strom.merge.extents.max", 64, 4096},
    {"strom.merge.age.ms", 1000, 60000},
    {"strom.snapshot.wal.bytes", 64 << 10, 512 << 10},
    {"strom.tail.cache.bytes", 0, 256 << 10},
    {"log.retention.check.interval.ms", 1000, 60000},
    {"log.cleaner.backoff.ms", 0, 300},
    {"group.consumer.min.session.timeout.ms", 100, 100},
    {"group.consumer.session.timeout.ms", BEAT_SESSION_MS, BEAT_SESSION_MS},
    {"group.consumer.min.heartbeat.interval.ms", 10, 10},
    {"group.consumer.heartbeat.interval.ms", BEAT_INTERVAL_MS, BEAT_INTERVAL_MS},
    {"group.min.session.timeout.ms", 1, 100},
    {"group.initial.rebalance.delay.ms", 0, 300},
};

static void fatal(void *arg, const struct error *e)
{
    struct broker_host *host = arg;
    sim_trace(host->scenario->world, "fatal: %s", e->text);
    sim_process_kill(host->process); // as the real process would: gone at once, the page cache stays
}

// check_end: what a process that ended by itself must have given back.
static void check_end(struct broker_host *host)
{
    if (host->process == NULL || sim_process_state(host->process) != SIM_EXITED) {
        return;
    }
    struct sim_leaks leaks = sim_process_leaks(host->process);
    if (leaks.blocks + leaks.files + leaks.sockets > 0) {
        checker_fail(host->scenario->checker,
                     "I18: broker %d ended and left %zu blocks (%zu bytes), %zu files and %zu sockets",
                     host->index, leaks.blocks, leaks.bytes, leaks.files, leaks.sockets);
    }
}

static void note_state(struct broker_host *host, struct server *server)
{
    const struct core *core = broker_view_begin(server_broker(server));
    uint64_t lsn = core_lsn(core);
    uint64_t hash = core_state_hash(core);
    if (host->scenario->has_ruled && host->index == host->scenario->txn_broker) {
        ruled_note(host->scenario, core);
    }
    broker_view_end(server_broker(server));
    if (!host->is_read_only) {
        states_note(host->scenario, lsn, hash);
    }
}

static void on_trace(void *arg, enum trace_level level, struct str line)
{
    struct broker_host *host = arg;
    if (level == TRACE_ERROR && !host->scenario->rot_happened && !host->scenario->has_sync_errors) {
        checker_fail(host->scenario->checker, "the broker reports damage where there is none: " STR_FMT,
                     STR_ARG(line));
    }
    if (level == TRACE_ERROR && memmem(line.ptr, line.len, "serving read-only", 17) != NULL) {
        host->is_read_only = true;
        checker_cut(host->scenario->checker);
    }
    scenario_say(host->scenario, "broker %d: " STR_FMT, host->index, STR_ARG(line));
}

static void config_fill(struct scenario *s, struct broker_host *host, struct config *config)
{
    char text[128];
    struct error e;
    for (size_t i = 0; i < sizeof setups / sizeof setups[0]; i++) {
        int64_t range = setups[i].max - setups[i].min + 1;
        int64_t value = setups[i].min + (int64_t)sim_rand(s->world, (uint64_t)range);
        value -= setups[i].min >= 4096 ? value % 4096 : 0;
        snprintf(text, sizeof text, "%s=%lld", setups[i].key, (long long)value);
        if (config_assign(config, str_from_c(text), STR("sim"), &e) != ERR_OK) {
            assert_fail(e.text, __FILE__, __LINE__);
        }
    }
    snprintf(text, sizeof text, "listeners=%s:%d", host->address, BROKER_PORT);
    enum err err = config_assign(config, str_from_c(text), STR("sim"), &e);
    err = err == ERR_OK ? config_assign(config, STR("http.listeners="), STR("sim"), &e) : err;
    err = err == ERR_OK ? config_assign(config, STR("strom.listen.unprotected=true"), STR("sim"), &e) : err;
    err = err == ERR_OK ? config_assign(config, STR("auto.create.topics.enable=false"), STR("sim"), &e) : err;
    err =
        err == ERR_OK ? config_assign(config, STR("strom.disk.reserve.bytes=1048576"), STR("sim"), &e) : err;
    if (err != ERR_OK) {
        assert_fail(e.text, __FILE__, __LINE__);
    }
}

static void broker_main(struct env *env, void *arg)
{
    struct broker_host *host = arg;
    struct scenario *s = host->scenario;
    struct config config;
    config_init(&config);
    config_fill(s, host, &config);
    struct tracer *tracer = tracer_create(env, TRACE_INFO, on_trace, host);
    struct test_policy policy;
    test_policy_init(&policy);
    policy.slice_records = 1 + (uint32_t)sim_rand(s->world, 3);
    policy.wait_one_in = (uint32_t)sim_rand(s->world, 6);
    struct server_options options = {
        .tracer = tracer, .fatal = fatal, .fatal_arg = host, .policy = &policy.face};
    if (s->is_shared) {
        options.take_engine = order_engine_open(env, s->order_store, host->index);
    }
    struct server *server = NULL;
    struct error e = {0};
    enum err err = server_start(env, &config, &options, &server, &e);
    if (err != ERR_OK) {
        snprintf(host->reason, sizeof host->reason, "%s", e.text);
        scenario_say(s, "broker %d does not start: %s", host->index, e.text);
        host->was_refused = s->rot_happened && err != ERR_NO_SPACE && err != ERR_STORAGE;
        bool is_refused_once = s->is_shared && err == ERR_STORAGE; // the store may refuse at any time
        bool is_excused = s->rot_happened || s->has_full_disk || s->has_sync_errors || is_refused_once;
        if (!is_excused) {
            checker_fail(s->checker, "the broker does not start: %s", e.text);
        }
    } else {
        struct document_writer writer = {.host = host, .env = env, .broker = server_broker(server)};
        struct thread *thread =
            s->has_documents ? thread_start(env->threads, "documents", document_writer_main, &writer) : NULL;
        struct thread *rules = s->has_ruled && host->index == 0
                                   ? thread_start(env->threads, "rules", ruled_changer_main, &writer)
                                   : NULL;
        host->is_serving = true;
        while (!host->must_stop) {
            note_state(host, server);
            clock_sleep_until(env->clock, clock_mono_ns(env->clock) + 20 * MS);
        }
        note_state(host, server);
        writer.must_stop = true;
        if (thread != NULL) {
            thread_join(env->threads, thread);
        }
        if (rules != NULL) {
            thread_join(env->threads, rules);
        }
        server_stop(server);
    }
    tracer_destroy(tracer);
    config_fini(&config);
}

void broker_host_start(struct broker_host *host)
{
    char name[32];
    check_end(host);
    host->is_read_only = host->is_serving = false;
    host->must_stop = false;
    host->was_refused = false;
    host->starts++;
    snprintf(name, sizeof name, "broker-%d.%llu", host->index, (unsigned long long)host->starts);
    host->process =
        sim_process_start(host->scenario->world, name, host->address, host->disk, broker_main, host);
}
