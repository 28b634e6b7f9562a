// SPDX-License-Identifier: Apache-2.0
// chaos.c - what goes wrong in a world: crashes, rot, a full disk, clocks that jump. Drawn from the seed, and
// ended by heal, after which everything must come to an end.
#include <stdio.h>
#include <string.h>

#include "base/plant.h"
#include "beat.h"
#include "engine/local/format.h"
#include "order_engine.h"
#include "scenario.h"

#define MS     1000000LL
#define SECOND (1000 * MS)

enum {
    STEP_NS_MIN = 500,
    WAL_NUMBERS_MAX = 2000,
    CRASH_STREAK_MAX = 5,
    HEAP_BYTES_MAX = 64 << 20, // of one broker of these sizes
    HOUR_MS = 3600 * 1000,
};

static void draw_faults(struct scenario *s)
{
    struct sim_world *w = s->world;
    s->has_crashes = sim_chance(w, 800);
    s->has_power_cuts = sim_chance(w, 600);
    s->has_full_disk = !s->is_shared && sim_chance(w, 200);
    s->has_clock_jumps = sim_chance(w, 300);
    s->disk_faults = sim_faults_draw(w);
    // What one disk cannot survive is not asked of it: rot, lost and misdirected writes come as rot, at rest.
    s->disk_faults.lost_write = s->disk_faults.misdirected_write = 0;
    s->disk_faults.no_space = s->disk_faults.read_error = s->disk_faults.write_error =
        s->disk_faults.meta_error = 0;
    s->has_sync_errors = !s->is_shared && s->has_crashes && sim_chance(w, 300);
    s->disk_faults.sync_error = 0;
    if (s->has_sync_errors) { // the pages of a failed sync go at once, or at the next power cut
        s->disk_faults.sync_error = 5 + (unsigned)sim_rand(w, 40);
        s->disk_faults.sync_error_drops = (unsigned)sim_rand(w, 501);
        s->disk_faults.sync_error_keeps = (unsigned)sim_rand(w, 1001);
        s->has_power_cuts = s->has_power_cuts || sim_chance(w, 700);
    }
    if (s->has_full_disk) {
        // Then recovery rewrites the tail without a copy, which a power cut that garbles sectors could harm:
        // known and accepted (src/engine/local/mend.c), as the full disk must not keep the server from
        // starting.
        s->disk_faults.crash_zero = s->disk_faults.crash_garbage = 0;
    }
    // Such worlds are long and rare: the bugs that only rot shows get more of them.
    bool wants_rot = plant_is(PLANT_SKIP_CRC) || plant_is(PLANT_TRUNCATE_ROT);
    s->has_rot = !s->is_shared && !s->has_sync_errors && sim_chance(w, wants_rot ? 900 : 200);
    s->net_faults = sim_net_faults_draw(w);
    s->has_loose_loss = !s->is_shared && (s->has_power_cuts || s->has_sync_errors);
    s->is_loose_only = s->has_loose_loss && sim_chance(w, 150);
}

// Most worlds are small, some have records and fetches large enough to fill WAL files and sockets.
static void draw_sizes(struct scenario *s)
{
    bool is_big = sim_chance(s->world, 200);
    s->records_max = is_big ? 1500 : 200 + sim_rand(s->world, 1000);
    s->record_bytes_max = is_big ? 8000 : 100 + (int)sim_rand(s->world, 2000);
    s->retention_ms = sim_chance(s->world, 700) ? 300 + (int64_t)sim_rand(s->world, 3000) : -1;
    s->retention_bytes = sim_chance(s->world, 500) ? (int64_t)sim_rand(s->world, 30000) : -1;
}

// Sessions and rounds are short, so that many end while faults happen.
static void draw_group(struct scenario *s)
{
    struct sim_world *w = s->world;
    s->member_count = sim_chance(w, 550) ? 2 + (int)sim_rand(w, MEMBERS_MAX - 1) : 0;
    s->group_broker = (int)sim_rand(w, (uint64_t)s->broker_count);
    s->session_ms = 500 + (int32_t)sim_rand(w, 1500);
    s->rebalance_ms = 500 + (int32_t)sim_rand(w, 2000);
    if (s->member_count > 0) { // there shall be rounds under load
        s->pace_ms = sim_chance(w, 500) ? sim_rand(w, 150) : 0;
        s->chaos_ns += (int64_t)sim_rand(w, 6000) * MS;
        s->has_splits = !s->is_faultless && sim_chance(w, 400);
    }
}

static void draw_transactions(struct scenario *s)
{
    struct sim_world *w = s->world;
    s->txn_producer_count =
        !s->is_loose_only && sim_chance(w, 450) ? 1 + (int)sim_rand(w, TXN_PRODUCERS_MAX) : 0;
    s->txn_broker = (int)sim_rand(w, (uint64_t)s->broker_count);
    s->beater_count = sim_chance(w, 350) ? 1 + (int)sim_rand(w, BEATERS_MAX) : 0;
    s->has_keyed = !s->is_loose_only && sim_chance(w, 350);
    s->keyed_delete_retention_ms = (int64_t)sim_rand(w, 3000);
    s->keyed_segment_ms = 1 + (int64_t)sim_rand(w, 400);
    s->keyed_lag_ms = sim_chance(w, 300) ? 1 + (int64_t)sim_rand(w, 1000) : INT64_MAX;
    s->has_twins = s->txn_producer_count > 1 && sim_chance(w, 300);
}

void chaos_draw(struct scenario *s)
{
    struct sim_world *w = s->world;
    s->is_faultless = sim_chance(w, 250);
    s->broker_count = s->is_shared ? 2 + (int)sim_rand(w, BROKERS_MAX - 1) : 1;
    s->producer_count = 1 + (int)sim_rand(w, PRODUCERS_MAX);
    s->consumer_count = 1 + (int)sim_rand(w, CONSUMERS_MAX);
    s->chaos_ns = (int64_t)(2000 + sim_rand(w, 4000)) * MS;
    s->has_trims = sim_chance(w, 500);
    s->has_churn = sim_chance(w, 700);
    s->has_recreator = s->has_churn && !s->is_shared && sim_chance(w, 500);
    draw_sizes(s);
    struct sim_schedule schedule = sim_schedule_draw(w);
    schedule.step_ns = schedule.step_ns < STEP_NS_MIN ? STEP_NS_MIN : schedule.step_ns;
    sim_world_set_schedule(w, &schedule);
    if (!s->is_faultless) {
        draw_faults(s);
    }
    s->retention_ms = s->has_clock_jumps ? HOUR_MS : s->retention_ms;
    draw_group(s);
    draw_transactions(s);
}

// ---- crashes

static void forget_what_a_crash_takes(struct scenario *s)
{
    if (s->has_loose_loss) {
        states_forget(s);
        checker_loss_possible(s->checker);
    }
}

static void crash_some_broker(void *arg);

static void schedule_crash(struct scenario *s)
{
    if (s->has_crashes) {
        int64_t in_ns = (int64_t)(50 + sim_rand(s->world, 2000)) * MS;
        sim_world_at(s->world, sim_world_now_ns(s->world) + in_ns, crash_some_broker, s);
    }
}

static const char *state_name(enum sim_state state)
{
    static const char *const names[] = {"running", "ended", "killed", "crashed"};
    return names[state];
}

void chaos_restart(struct broker_host *host)
{
    struct scenario *s = host->scenario;
    if (host->is_held_down || (host->process != NULL && sim_process_is_alive(host->process))) {
        return;
    }
    forget_what_a_crash_takes(s);
    scenario_say(s, "broker %d: start (the last one: %s)", host->index,
                 host->process == NULL ? "none" : state_name(sim_process_state(host->process)));
    broker_host_start(host);
    bool again = s->phase == PHASE_CHAOS && s->has_crashes && host->crash_streak < CRASH_STREAK_MAX &&
                 sim_chance(s->world, 500);
    host->crash_streak = again ? host->crash_streak + 1 : 0;
    if (again) { // at some I/O of the recovery or soon after it
        sim_process_crash_at_io(host->process, 1 + sim_rand(s->world, sim_chance(s->world, 500) ? 30 : 300),
                                (enum sim_io_point)sim_rand(s->world, 3), s->has_power_cuts);
    }
}

static void check_heap(struct broker_host *host)
{
    size_t bytes = sim_process_is_alive(host->process) ? sim_process_heap_bytes(host->process) : 0;
    if (bytes > HEAP_BYTES_MAX) {
        checker_fail(host->scenario->checker, "I18: broker %d holds %zu bytes", host->index, bytes);
    }
}

void chaos_watch(void *arg)
{
    struct broker_host *host = arg;
    struct scenario *s = host->scenario;
    if (s->phase == PHASE_OVER) {
        return;
    }
    check_heap(host);
    if (!host->was_refused) {
        chaos_restart(host);
    }
    sim_world_at(s->world, sim_world_now_ns(s->world) + (int64_t)(100 + sim_rand(s->world, 1000)) * MS,
                 chaos_watch, host);
}

void chaos_after_answer(struct scenario *s)
{
    struct broker_host *host = &s->brokers[s->group_broker];
    if (s->phase == PHASE_CHAOS && s->has_crashes && sim_chance(s->world, 30) &&
        sim_process_is_alive(host->process)) {
        scenario_say(s, "broker %d: dies having answered", host->index);
        if (s->has_power_cuts && sim_chance(s->world, 500)) {
            sim_process_crash(host->process);
        } else {
            sim_process_kill(host->process);
        }
    }
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
            scenario_say(s, "broker %d: power cut", host->index);
            sim_process_crash(host->process);
        } else if (sim_chance(s->world, 700)) {
            scenario_say(s, "broker %d: kill -9", host->index);
            sim_process_kill(host->process);
        } else {
            scenario_say(s, "broker %d: stop", host->index);
            host->must_stop = true; // a clean stop belongs to the menu too
        }
    }
    schedule_crash(s);
}

// ---- rot

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
    scenario_say(s, "broker %d: a bit rots in %s", host->index, place);
    s->rot_happened = s->rot_happened || has_rotted;
    host->is_held_down = false;
    chaos_restart(host);
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

// ---- a full disk, and clocks

static void disk_is_free(void *arg)
{
    struct scenario *s = arg;
    sim_disk_set_capacity(s->brokers[0].disk, 1LL << 40);
}

static void disk_fills(void *arg)
{
    struct scenario *s = arg;
    scenario_say(s, "the disk is full");
    sim_disk_set_capacity(s->brokers[0].disk, 8 << 20);
    if (sim_chance(s->world, 500)) {
        sim_world_at(s->world, sim_world_now_ns(s->world) + SECOND, disk_is_free, s);
    }
}

static void clock_jumps(void *arg)
{
    struct scenario *s = arg;
    static const int64_t jumps_ms[] = {HOUR_MS, -HOUR_MS, 87660LL * HOUR_MS, -87660LL * HOUR_MS, 61 * 1000};
    struct broker_host *host = &s->brokers[sim_rand(s->world, (uint64_t)s->broker_count)];
    if (s->phase != PHASE_CHAOS) {
        return;
    }
    // At a start the wall clock is all there is to know the time by: a wrong one is believed up to a year.
    if (sim_process_is_alive(host->process) && host->is_serving) {
        int64_t jump_ms = jumps_ms[sim_rand(s->world, 5)];
        scenario_say(s, "broker %d: the wall clock jumps by %lld s", host->index, (long long)jump_ms / 1000);
        sim_process_wall_jump(host->process, jump_ms);
        sim_process_wall_drift(host->process, (int)sim_rand(s->world, 100001) - 50000);
    }
    sim_world_at(s->world, sim_world_now_ns(s->world) + (int64_t)sim_rand(s->world, 2000) * MS, clock_jumps,
                 s);
}

// ---- the network splits: what is sent meanwhile comes when it is whole again

static void split_now(void *arg);

static void split_later(struct scenario *s)
{
    int64_t in_ns = (int64_t)(50 + sim_rand(s->world, 2000)) * MS;
    sim_world_at(s->world, sim_world_now_ns(s->world) + in_ns, split_now, s);
}

static void split_ends(void *arg)
{
    struct scenario *s = arg;
    if (s->phase == PHASE_CHAOS) {
        sim_net_heal(s->world);
        sim_net_set_faults(s->world, &s->net_faults);
        split_later(s);
    }
}

static void split_now(void *arg)
{
    struct scenario *s = arg;
    if (s->phase != PHASE_CHAOS) {
        return;
    }
    char host[48];
    int member = (int)sim_rand(s->world, (uint64_t)s->member_count);
    scenario_host("member", member, host);
    uint64_t how = sim_rand(s->world, 3);
    scenario_say(s, "member %d is cut off%s", member, how == 0 ? "" : how == 1 ? ", going" : ", coming");
    const char *broker = s->brokers[s->group_broker].address;
    if (how != 2) {
        sim_net_block(s->world, host, broker);
    }
    if (how != 1) {
        sim_net_block(s->world, broker, host);
    }
    int64_t lasts_ns = (int64_t)(50 + sim_rand(s->world, (uint64_t)(3 * s->session_ms))) * MS;
    sim_world_at(s->world, sim_world_now_ns(s->world) + lasts_ns, split_ends, s);
}

static void heal(void *arg)
{
    struct scenario *s = arg;
    scenario_say(s, "no more faults");
    s->phase = PHASE_HEAL;
    sim_net_heal(s->world);
    for (int i = 0; i < s->broker_count; i++) {
        struct sim_faults none = {0};
        sim_disk_set_faults(s->brokers[i].disk, &none);
        sim_disk_set_capacity(s->brokers[i].disk, 1LL << 40);
        s->brokers[i].is_held_down = false;
        s->brokers[i].was_refused = false;
        chaos_restart(&s->brokers[i]);
    }
    if (s->is_shared) {
        order_store_heal(s->order_store);
    }
}

void chaos_start(struct scenario *s)
{
    int64_t now_ns = sim_world_now_ns(s->world);
    sim_net_set_faults(s->world, &s->net_faults);
    schedule_crash(s);
    if (s->has_rot) {
        sim_world_at(s->world, now_ns + s->chaos_ns / 2, rot_later, s);
        s->chaos_ns += 40 * SECOND;
    }
    if (s->has_full_disk) {
        sim_world_at(s->world, now_ns + s->chaos_ns / 3, disk_fills, s);
    }
    if (s->has_clock_jumps) {
        sim_world_at(s->world, now_ns + SECOND, clock_jumps, s);
    }
    if (s->has_splits) {
        split_later(s);
    }
    sim_world_at(s->world, now_ns + s->chaos_ns, heal, s);
}
