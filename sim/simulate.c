// SPDX-License-Identifier: Apache-2.0
// simulate.c - one world from start to verdict: draw what is in it, let it run with faults, heal it, read
// everything once more, ask the checker.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "beat.h"
#include "catalogue.h"
#include "group.h"
#include "keyed.h"
#include "order_engine.h"
#include "ruled.h"
#include "scenario.h"
#include "txn.h"

#define MS     1000000LL
#define SECOND (1000 * MS)

enum { STEPS_MAX = 20 * 1000 * 1000 };

const struct topic_plan topic_plans[TOPICS] = {
    {"kept-0", TOPIC_KEPT, 0, 3},   {"kept-1", TOPIC_KEPT, 3, 3}, {"kept-2", TOPIC_KEPT, 6, 3},
    {"aged", TOPIC_RETAINED, 9, 2}, {"exact", TOPIC_TXN, 11, 2},  {"loose", TOPIC_LOOSE, 13, 2},
};

const struct topic_plan *topic_plan_of(int partition)
{
    int topic = 0;
    while (partition >= topic_plans[topic].first + topic_plans[topic].count) {
        topic++;
    }
    return &topic_plans[topic];
}

int topic_partition_number(struct str name, int32_t index)
{
    for (int i = 0; i < TOPICS; i++) {
        if (str_equal(name, str_from_c(topic_plans[i].name)) && index >= 0 && index < topic_plans[i].count) {
            return topic_plans[i].first + index;
        }
    }
    return -1;
}

void scenario_say(struct scenario *s, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sim_trace(s->world, "%s", text);
    if (s->is_verbose) {
        int64_t now_ns = sim_world_now_ns(s->world);
        printf("  %lld.%06lld %s\n", (long long)(now_ns / SECOND), (long long)(now_ns % SECOND / 1000), text);
    }
}

void scenario_check_calm(struct scenario *s, const char *what)
{
    if (s->is_faultless && !s->is_shared && s->topics_are_ready && s->phase == PHASE_CHAOS) {
        checker_fail(s->checker, "I19: %s failed or was not answered, though nothing is wrong", what);
    }
}

// ---- the run

static bool clients_are_done(void *arg)
{
    const struct scenario *s = arg;
    // A single broker that said why it does not start, or that it takes nothing more,
    // leaves its clients waiting for ever.
    bool is_refused =
        (s->brokers[0].was_refused || s->brokers[0].is_read_only) && !s->is_shared && s->phase == PHASE_HEAL;
    return checker_has_failed(s->checker) || s->active_clients == 0 || is_refused;
}

static bool is_over(void *arg)
{
    const struct scenario *s = arg;
    return checker_has_failed(s->checker) || s->phase == PHASE_OVER;
}

void scenario_host(const char *name, int index, char ret_host[48])
{
    snprintf(ret_host, 48, "10.1.%d.%d", name[0] - 'a', index + 1);
}

static void start_client(struct scenario *s, const char *name, int index, struct client_args *args,
                         void (*main)(struct env *, void *))
{
    char text[32];
    char host[48];
    snprintf(text, sizeof text, "%s-%d", name, index);
    scenario_host(name, index, host);
    *args = (struct client_args){s, index};
    s->active_clients++;
    sim_process_start(s->world, text, host, NULL, main, args);
}

static void expect(struct scenario *s, enum sim_stop stop, enum sim_stop wanted, const char *what)
{
    if (stop != wanted && !checker_has_failed(s->checker)) {
        checker_fail(s->checker, "I19: %s: the world stopped with %s", what, sim_stop_name(stop));
    }
}

// Half the worlds read what is in memory, the others what a restart recovers: after a clean stop or kill -9.
static void restart_before_reading(struct scenario *s)
{
    uint64_t how = sim_rand(s->world, 4);
    for (int i = 0; i < s->broker_count && how >= 2; i++) {
        struct broker_host *host = &s->brokers[i];
        if (how == 3) {
            host->must_stop = true; // the watch starts it again
        } else {
            sim_process_kill(host->process);
            chaos_restart(host);
        }
    }
}

static void set_promises(struct scenario *s)
{
    for (int partition = 0; partition < PARTITIONS; partition++) {
        const struct topic_plan *topic = topic_plan_of(partition);
        if (topic->kind == TOPIC_RETAINED) {
            checker_set_retention(s->checker, partition, s->retention_ms, s->retention_bytes);
        } else if (topic->kind == TOPIC_LOOSE && s->has_loose_loss) {
            checker_set_loose(s->checker, partition);
        }
    }
}

static void run(struct scenario *s, struct client_args *args)
{
    for (int i = 0; i < s->broker_count; i++) {
        struct broker_host *host = &s->brokers[i];
        host->scenario = s;
        host->index = i;
        snprintf(host->address, sizeof host->address, "10.0.0.%d", i + 1);
        host->disk = sim_disk_create(s->world);
        sim_disk_set_faults(host->disk, &s->disk_faults);
        broker_host_start(host);
        sim_world_at(s->world, sim_world_now_ns(s->world) + SECOND, chaos_watch, host);
    }
    start_client(s, "admin", 0, args++, admin_main);
    if (s->has_recreator) {
        start_client(s, "recreator", 0, args++, recreator_main);
    }
    for (int i = 0; i < s->producer_count; i++) {
        start_client(s, "producer", i, args++, producer_main);
    }
    for (int i = 0; i < s->consumer_count; i++) {
        start_client(s, "consumer", i, args++, consumer_main);
    }
    for (int i = 0; i < s->member_count; i++) {
        start_client(s, "member", i, args++, member_main);
    }
    for (int i = 0; i < s->txn_producer_count; i++) {
        start_client(s, "transactor", i, args++, transactor_main);
    }
    for (int i = 0; i < TXN_READERS_MAX && s->txn_producer_count > 0; i++) {
        start_client(s, "isolated", i, args++, committed_main);
    }
    for (int i = 0; i < KEYED_WRITERS && s->has_keyed; i++) {
        start_client(s, "keyed", i, args++, keyed_writer_main);
    }
    for (int i = 0; i < RULED_WRITERS && s->has_ruled; i++) {
        start_client(s, "ruled", i, args++, ruled_writer_main);
    }
    for (int i = 0; i < s->beater_count; i++) {
        start_client(s, "beater", i, args++, beater_main);
    }
    if (s->beater_count > 0) {
        start_client(s, "umpire", 0, args++, beat_judge_main);
    }
    if (s->has_keyed) {
        start_client(s, "scanner", 0, args++, keyed_reader_main);
    }
    if (s->member_count > 0) {
        start_client(s, "judge", 0, args++, judge_main);
    }
    chaos_start(s);

    struct sim_limits limits = {.steps_max = STEPS_MAX, .until = clients_are_done, .arg = s};
    limits.until_ns = sim_world_now_ns(s->world) + s->chaos_ns + 200 * SECOND;
    expect(s, sim_world_run(s->world, &limits), SIM_UNTIL, "producers after healing");
    if (checker_has_failed(s->checker)) {
        return;
    }
    bool is_refused = s->brokers[0].was_refused && !s->is_shared;
    if (is_refused) {
        return; // it said that it cannot start: rot was detected, which is all that one disk can do
    }
    restart_before_reading(s);
    s->phase = PHASE_FINAL;
    struct client_args final_args = {s, 0};
    sim_process_start(s->world, "final", "10.2.0.1", NULL, final_reader_main, &final_args);
    limits.until = is_over;
    limits.until_ns = sim_world_now_ns(s->world) + 600 * SECOND;
    expect(s, sim_world_run(s->world, &limits), SIM_UNTIL, "the final reader");
}

bool simulate(uint64_t seed, const struct run_options *options, uint64_t *ret_hash,
              struct checker_counts *ret_counts, char ret_why[200])
{
    struct scenario *s = calloc(1, sizeof *s);
    struct client_args args[3 + PRODUCERS_MAX + CONSUMERS_MAX + MEMBERS_MAX + TXN_PRODUCERS_MAX +
                            TXN_READERS_MAX + KEYED_WRITERS + 1 + BEATERS_MAX + 1 + RULED_WRITERS];
    if (s == NULL) {
        abort();
    }
    s->seed = seed;
    s->is_verbose = options->is_verbose;
    s->is_shared = options->is_shared;
    s->world = sim_world_create(seed);
    // Not drawn: worlds without them are as they were. (In the shared order what was in doubt may come
    // later.)
    s->has_documents = !s->is_shared && seed % 3 == 1;
    s->documents.doubted = -1;
    s->checker = checker_create(s->world);
    s->states = states_create();
    s->group = group_history_create(s);
    s->txns = txn_history_create(s);
    s->keyed = keyed_history_create(s);
    s->ruled = ruled_history_create(s);
    s->beats = beat_ledger_create(s);
    struct catalogue catalogue = {0};
    s->catalogue = &catalogue;
    if (s->is_shared) {
        s->order_store = order_store_create(s->world);
    }
    chaos_draw(s);
    s->has_ruled = seed % 3 == 2 && !s->is_loose_only; // not drawn, either
    set_promises(s);
    run(s, args);
    *ret_hash = sim_world_hash(s->world);
    *ret_counts = checker_counts(s->checker);
    bool has_failed = checker_has_failed(s->checker);
    if (has_failed) {
        snprintf(ret_why, 200, "%s", checker_failure(s->checker));
        printf("seed %llu: %s\n", (unsigned long long)seed, checker_failure(s->checker));
        if (s->is_verbose) {
            sim_world_print(s->world, stdout, 50);
        }
        if (options->dump_dir != NULL) {
            dump_disk(s->brokers[0].disk, options->dump_dir);
        }
    }
    sim_world_destroy(s->world);
    order_store_destroy(s->order_store);
    states_destroy(s->states);
    group_history_destroy(s->group);
    txn_history_destroy(s->txns);
    keyed_history_destroy(s->keyed);
    ruled_history_destroy(s->ruled);
    beat_ledger_destroy(s->beats);
    checker_destroy(s->checker);
    free(s);
    return !has_failed;
}
