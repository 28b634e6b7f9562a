// SPDX-License-Identifier: Apache-2.0
// Fault menus drawn from the seed. Each fault has its own chance of being on the menu at all, so that most
// worlds have few of them and reach deep, and some have many.
#include "platform/sim/sim_private.h"

enum { US = 1000, MS = 1000 * US };
static const int64_t SECOND = 1000 * (int64_t)MS;

static bool is_calm(struct sim_world *world)
{
    return sim_rand(world, 4) == 0;
}

// maybe draws a chance up to max per mille, or none.
static unsigned maybe(struct sim_world *world, unsigned on_menu_permille, unsigned max)
{
    return sim_chance(world, on_menu_permille) ? 1 + (unsigned)sim_rand(world, max) : 0;
}

struct sim_faults sim_faults_draw(struct sim_world *world)
{
    struct sim_faults f = {
        .io_ns_max = world_range(world, 0, 200 * US),
        .sync_ns_max = world_range(world, 50 * US, 10 * MS),
        .crash_zero = 50,
        .crash_garbage = 50,
    };
    if (is_calm(world)) {
        return f;
    }
    f.short_read = maybe(world, 400, 200);
    f.short_write = maybe(world, 400, 200);
    f.read_error = maybe(world, 100, 5);
    f.write_error = maybe(world, 150, 5);
    f.no_space = maybe(world, 150, 5);
    f.meta_error = maybe(world, 100, 5);
    f.sync_error = maybe(world, 250, 20);
    f.sync_error_drops = (unsigned)sim_rand(world, 501);
    f.sync_error_keeps = (unsigned)sim_rand(world, 501);
    f.crash_zero = maybe(world, 500, 300);
    f.crash_garbage = maybe(world, 500, 300);
    f.stall = maybe(world, 200, 5);
    f.stall_ns_max = world_range(world, 10 * MS, 30 * SECOND);
    return f;
}

struct sim_net_faults sim_net_faults_draw(struct sim_world *world)
{
    struct sim_net_faults f = {
        .delay_ns_min = world_range(world, 0, 50 * US),
        .buffer_bytes = (size_t)world_range(world, 16 << 10, 256 << 10),
    };
    f.delay_ns_max = f.delay_ns_min + world_range(world, 0, 200 * US);
    if (is_calm(world)) {
        return f;
    }
    f.small_segment = maybe(world, 500, 300);
    f.short_send = maybe(world, 500, 300);
    f.reset = maybe(world, 300, 5);
    f.refuse = maybe(world, 200, 50);
    f.accept_error = maybe(world, 100, 50);
    f.stall = maybe(world, 300, 10);
    f.stall_ns_max = world_range(world, 10 * MS, 30 * SECOND);
    f.delay_ns_max += sim_chance(world, 300) ? world_range(world, 0, 20 * MS) : 0;
    f.buffer_bytes = sim_chance(world, 300) ? (size_t)world_range(world, 512, 16 << 10) : f.buffer_bytes;
    return f;
}

struct sim_schedule sim_schedule_draw(struct sim_world *world)
{
    struct sim_schedule s = {0};
    if (is_calm(world)) {
        return s;
    }
    s.pause_permille = maybe(world, 300, 10);
    s.pause_ns_max = world_range(world, 10 * US, 50 * MS);
    s.spurious_permille = maybe(world, 500, 50);
    s.lock_switch_permille = maybe(world, 800, 200);
    return s;
}
