// SPDX-License-Identifier: Apache-2.0
// The conformance suite of the seam inside simulated worlds, under many seeds and every harmless fault.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "platform/env_suite.h"
#include "platform/sim/sim.h"

enum { SEEDS = 60 };
static const int64_t HOUR_NS = 3600000000000;

static void run_disk(struct env *env, void *arg)
{
    (void)arg;
    env_suite_disk(env);
}

static void run_net(struct env *env, void *arg)
{
    (void)arg;
    env_suite_net(env);
    env_suite_net_file(env);
}

static void run_threads(struct env *env, void *arg)
{
    (void)arg;
    env_suite_threads(env);
}

static void run_world(uint64_t seed, bool is_harsh, void (*main)(struct env *, void *))
{
    struct sim_world *world = sim_world_create(seed);
    struct sim_disk *disk = sim_disk_create(world);
    if (is_harsh) {
        sim_disk_set_faults(disk, &(struct sim_faults){.short_read = 300,
                                                       .short_write = 300,
                                                       .stall = 10,
                                                       .io_ns_max = 100000,
                                                       .sync_ns_max = 1000000,
                                                       .stall_ns_max = 1000000});
        sim_net_set_faults(world, &(struct sim_net_faults){.small_segment = 300,
                                                           .short_send = 300,
                                                           .delay_ns_max = 100000,
                                                           .buffer_bytes = 8192});
        sim_world_set_schedule(world, &(struct sim_schedule){.pause_permille = 10,
                                                             .pause_ns_max = 100000,
                                                             .lock_switch_permille = 100});
    }
    struct sim_process *process = sim_process_start(world, "suite", "10.0.0.1", disk, main, NULL);
    enum sim_stop stop =
        sim_world_run(world, &(struct sim_limits){.until_ns = HOUR_NS, .steps_max = 20000000});
    if (stop != SIM_DONE) {
        sim_world_print(world, stderr, 50);
    }
    assert_string_equal(sim_stop_name(stop), "done");
    assert_int_equal(sim_process_state(process), SIM_EXITED);
    struct sim_leaks leaks = sim_process_leaks(process);
    assert_int_equal(leaks.blocks, 0);
    assert_int_equal(leaks.files, 0);
    assert_int_equal(leaks.sockets, 0);
    sim_world_destroy(world);
}

static void run_worlds(void (*main)(struct env *, void *))
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_world(seed, false, main);
        run_world(seed, true, main);
    }
}

static void test_disk(void **state)
{
    (void)state;
    run_worlds(run_disk);
}

static void test_net(void **state)
{
    (void)state;
    run_worlds(run_net);
}

static void test_threads(void **state)
{
    (void)state;
    run_worlds(run_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_net),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
