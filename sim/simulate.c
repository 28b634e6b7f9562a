// SPDX-License-Identifier: Apache-2.0
// simulate.c - one world from start to verdict: draw what is in it, let it run with faults, heal it, read
// everything once more, ask the checker.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plant.h"
#include "engine/local/format.h"
#include "order_engine.h"
#include "scenario.h"

#define MS     1000000LL
#define SECOND (1000 * MS)

enum { STEPS_MAX = 20 * 1000 * 1000, STEP_NS_MIN = 500, WAL_NUMBERS_MAX = 2000 };

static void draw(struct scenario *s)
{
    struct sim_world *w = s->world;
    s->is_faultless = sim_chance(w, 250);
    s->broker_count = s->is_shared ? 2 + (int)sim_rand(w, BROKERS_MAX - 1) : 1;
    s->producer_count = 1 + (int)sim_rand(w, PRODUCERS_MAX);
    s->consumer_count = 1 + (int)sim_rand(w, CONSUMERS_MAX);
    s->chaos_ns = (int64_t)(2000 + sim_rand(w, 4000)) * MS;
    s->has_trims = sim_chance(w, 500);
    struct sim_schedule schedule = sim_schedule_draw(w);
    schedule.step_ns = schedule.step_ns < STEP_NS_MIN ? STEP_NS_MIN : schedule.step_ns;
    sim_world_set_schedule(w, &schedule);
    if (s->is_faultless) {
        return;
    }
    s->has_crashes = sim_chance(w, 800);
    s->has_power_cuts = sim_chance(w, 600);
    s->has_full_disk = !s->is_shared && sim_chance(w, 200);
    s->disk_faults = sim_faults_draw(w);
    // What one disk cannot survive is not asked of it: rot, lost and misdirected writes come as rot, at rest.
    s->disk_faults.lost_write = s->disk_faults.misdirected_write = 0;
    s->disk_faults.no_space = s->disk_faults.read_error = s->disk_faults.write_error =
        s->disk_faults.meta_error = 0;
    s->has_sync_errors = s->has_crashes && sim_chance(w, 200);
    s->disk_faults.sync_error = s->has_sync_errors ? 2 + (unsigned)sim_rand(w, 10) : 0;
    s->has_rot = !s->is_shared && !s->has_sync_errors && sim_chance(w, 150);
    s->net_faults = sim_net_faults_draw(w);
}

// ---- events of the chaos

static void crash_some_broker(void *arg);

static void schedule_crash(struct scenario *s)
{
    if (s->has_crashes) {
        int64_t in_ns = (int64_t)(50 + sim_rand(s->world, 2000)) * MS;
        sim_world_at(s->world, sim_world_now_ns(s->world) + in_ns, crash_some_broker, s);
    }
}

static void restart(void *arg)
{
    struct broker_host *host = arg;
    if (host->is_held_down) {
        return;
    }
    if (host->process == NULL || !sim_process_is_alive(host->process)) {
        broker_host_start(host);
        struct scenario *s = host->scenario;
        if (s->phase == PHASE_CHAOS && s->has_crashes && sim_chance(s->world, 300)) {
            // Crash again, at some I/O of the recovery or soon after it.
            sim_process_crash_at_io(host->process, 1 + sim_rand(s->world, 200),
                                    (enum sim_io_point)sim_rand(s->world, 3), s->has_power_cuts);
        }
    }
}

static void watch(void *arg)
{
    // Whatever ended a broker (a crash, a failed sync), it comes back after a while.
    struct broker_host *host = arg;
    struct scenario *s = host->scenario;
    if (s->phase == PHASE_OVER) {
        return;
    }
    if (!sim_process_is_alive(host->process) && !host->was_refused && !host->is_held_down) {
        restart(host);
    }
    sim_world_at(s->world, sim_world_now_ns(s->world) + (int64_t)(100 + sim_rand(s->world, 1000)) * MS, watch,
                 host);
}

static void crash_some_broker(void *arg)
{
    struct scenario *s = arg;
    if (s->phase != PHASE_CHAOS) {
        return;
    }
    struct broker_host *host = &s->brokers[sim_rand(s->world, (uint64_t)s->broker_count)];
    if (sim_process_is_alive(host->process)) {
        if (s->has_power_cuts && sim_chance(s->world, 500)) {
            sim_process_crash(host->process);
        } else if (sim_chance(s->world, 800)) {
            sim_process_kill(host->process);
        } else {
            host->must_stop = true; // a clean stop belongs to the menu too
        }
    }
    schedule_crash(s);
}

// rot_header flips a bit in the metadata of some bundle in some WAL file; false if there is none.
static bool rot_header(struct scenario *s, struct sim_disk *disk)
{
    char path[64];
    int64_t found = 0;
    for (int pass = 0; pass < 2; pass++) {
        int64_t pick = pass == 1 && found > 0 ? (int64_t)sim_rand(s->world, (uint64_t)found) : -1;
        found = pass == 0 ? 0 : found;
        int64_t seen = 0;
        for (int number = 0; number < WAL_NUMBERS_MAX; number++) {
            snprintf(path, sizeof path, "wal/%020d.wal", number);
            int64_t size = sim_disk_file_size(disk, str_from_c(path));
            for (int64_t at = 0; at < size; at += 4096) {
                uint8_t head[FRAME_HEADER_SIZE] = {0};
                struct wal_frame frame;
                sim_disk_read(disk, str_from_c(path), at, head, sizeof head);
                if (!wal_frame_decode(head, &frame) || frame.position != at || frame.kind != FRAME_BUNDLE) {
                    continue;
                }
                if (pass == 1 && seen == pick) {
                    return sim_disk_rot(disk, str_from_c(path),
                                        at + (int64_t)sim_rand(s->world, FRAME_HEADER_SIZE + 80),
                                        (unsigned)sim_rand(s->world, 8));
                }
                seen++;
            }
        }
        found = pass == 0 ? seen : found;
    }
    return false;
}

static void rot_now(void *arg)
{
    struct broker_host *host = arg;
    struct scenario *s = host->scenario;
    if (sim_process_is_alive(host->process)) {
        sim_process_kill(host->process);
    }
    static const char *const places[] = {"wal", "obj", "snap"};
    const char *place = places[sim_rand(s->world, 3)];
    bool has_rotted = sim_chance(s->world, 500) ? rot_header(s, host->disk)
                                                : sim_disk_rot_any(host->disk, str_from_c(place));
    s->rot_happened = s->rot_happened || has_rotted;
    host->is_held_down = false;
    restart(host);
}

static void rot_later(void *arg)
{
    // Rot strikes a log that is at rest: nothing was written for a while, so the mark of idleness is on disk.
    struct scenario *s = arg;
    struct broker_host *host = &s->brokers[0];
    if (s->phase != PHASE_CHAOS || !sim_process_is_alive(host->process)) {
        return;
    }
    host->must_stop = true;
    host->is_held_down = true;
    sim_world_at(s->world, sim_world_now_ns(s->world) + 30 * SECOND, rot_now, host);
}

static void disk_fills(void *arg)
{
    struct scenario *s = arg;
    sim_disk_set_capacity(s->brokers[0].disk, 8 << 20);
}

static void heal(void *arg)
{
    struct scenario *s = arg;
    s->phase = PHASE_HEAL;
    sim_net_heal(s->world);
    for (int i = 0; i < s->broker_count; i++) {
        struct sim_faults none = {0};
        sim_disk_set_faults(s->brokers[i].disk, &none);
        sim_disk_set_capacity(s->brokers[i].disk, 1LL << 40);
        s->brokers[i].is_held_down = false;
        restart(&s->brokers[i]);
    }
    if (s->is_shared) {
        order_store_heal(s->order_store);
    }
}

// ---- the run

static bool clients_are_done(void *arg)
{
    const struct scenario *s = arg;
    return checker_has_failed(s->checker) || s->active_clients == 0;
}

static bool is_over(void *arg)
{
    const struct scenario *s = arg;
    return checker_has_failed(s->checker) || s->phase == PHASE_OVER;
}

static void start_client(struct scenario *s, const char *name, int index, struct client_args *args,
                         void (*main)(struct env *, void *))
{
    char text[32];
    char host[32];
    snprintf(text, sizeof text, "%s-%d", name, index);
    snprintf(host, sizeof host, "10.1.%d.%d", name[0] - 'a', index + 1);
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
        sim_world_at(s->world, sim_world_now_ns(s->world) + SECOND, watch, host);
    }
    sim_net_set_faults(s->world, &s->net_faults);
    start_client(s, "admin", 0, args++, admin_main);
    for (int i = 0; i < s->producer_count; i++) {
        start_client(s, "producer", i, args++, producer_main);
    }
    for (int i = 0; i < s->consumer_count; i++) {
        start_client(s, "consumer", i, args++, consumer_main);
    }
    schedule_crash(s);
    if (s->has_rot) {
        sim_world_at(s->world, sim_world_now_ns(s->world) + s->chaos_ns / 2, rot_later, s);
        s->chaos_ns += 40 * SECOND;
    }
    if (s->has_full_disk) {
        sim_world_at(s->world, sim_world_now_ns(s->world) + s->chaos_ns / 3, disk_fills, s);
    }
    sim_world_at(s->world, sim_world_now_ns(s->world) + s->chaos_ns, heal, s);

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
    // Half the worlds read what a restart recovers, half what is in memory.
    if (sim_chance(s->world, 500)) {
        for (int i = 0; i < s->broker_count; i++) {
            sim_process_kill(s->brokers[i].process);
            restart(&s->brokers[i]);
        }
    }
    s->phase = PHASE_FINAL;
    struct client_args final_args = {s, 0};
    sim_process_start(s->world, "final", "10.2.0.1", NULL, final_reader_main, &final_args);
    limits.until = is_over;
    limits.until_ns = sim_world_now_ns(s->world) + 600 * SECOND;
    expect(s, sim_world_run(s->world, &limits), SIM_UNTIL, "the final reader");
}

bool simulate(uint64_t seed, const struct run_options *options, uint64_t *ret_hash,
              struct checker_counts *ret_counts)
{
    struct scenario *s = calloc(1, sizeof *s);
    struct client_args args[1 + PRODUCERS_MAX + CONSUMERS_MAX];
    if (s == NULL) {
        abort();
    }
    s->seed = seed;
    s->is_verbose = options->is_verbose;
    s->is_shared = options->is_shared;
    s->world = sim_world_create(seed);
    s->checker = checker_create();
    if (s->is_shared) {
        s->order_store = order_store_create(s->world);
    }
    draw(s);
    run(s, args);
    *ret_hash = sim_world_hash(s->world);
    *ret_counts = checker_counts(s->checker);
    bool has_failed = checker_has_failed(s->checker);
    if (has_failed) {
        printf("seed %llu: %s\n", (unsigned long long)seed, checker_failure(s->checker));
        if (s->is_verbose) {
            sim_world_print(s->world, stdout, 50);
        }
    }
    sim_world_destroy(s->world);
    order_store_destroy(s->order_store);
    checker_destroy(s->checker);
    free(s);
    return !has_failed;
}
