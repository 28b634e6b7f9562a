// SPDX-License-Identifier: Apache-2.0
// One simulated program: its clock and randomness, and how it begins, dies and ends.
#include "platform/sim/sim_private.h"

enum { NS_PER_MS = 1000000 };
static const int64_t WALL_START_MS = 1750000000000; // June 2025; each process begins some way after it

// ---- clock and randomness

static struct sim_process *of_clock(struct clock *clock)
{
    return LIST_ENTRY(clock, struct sim_process, clock);
}

static int64_t sim_mono_ns(struct clock *clock)
{
    return of_clock(clock)->world->now_ns;
}

static int64_t sim_wall_ms(struct clock *clock)
{
    const struct sim_process *process = of_clock(clock);
    int64_t ns = process->world->now_ns - process->wall_since_ns;
    return process->wall_base_ms + ns / NS_PER_MS + ns / NS_PER_MS * process->wall_drift_ppm / 1000000;
}

static void sim_sleep_until(struct clock *clock, int64_t mono_ns)
{
    struct sim_process *process = of_clock(clock);
    ASSERT(process_now() == process);
    ASSERT(fiber_now()->mutexes == 0);
    if (mono_ns > process->world->now_ns) {
        fiber_sleep(mono_ns - process->world->now_ns);
    } else {
        fiber_yield();
    }
}

static const struct clock_ops sim_clock_ops = {sim_mono_ns, sim_wall_ms, sim_sleep_until};

void sim_process_wall_jump(struct sim_process *process, int64_t ms)
{
    process->wall_base_ms += ms;
    trace_verb(process->world, "wall jump", str_from_c(process->name), ms, 0);
}

void sim_process_wall_drift(struct sim_process *process, int ppm)
{
    process->wall_base_ms = sim_wall_ms(&process->clock);
    process->wall_since_ns = process->world->now_ns;
    process->wall_drift_ppm = ppm;
}

static void sim_rng_fill(struct rng *rng, void *out, size_t len)
{
    struct sim_process *process = LIST_ENTRY(rng, struct sim_process, rng);
    uint8_t *at = out;
    while (len > 0) {
        process->rng_state += 0x9e3779b97f4a7c15ULL;
        uint64_t value = hash_mix(process->rng_state, process->rng_state >> 32);
        size_t n = len < sizeof value ? len : sizeof value;
        memcpy(at, &value, n);
        at += n;
        len -= n;
    }
}

static const struct rng_ops sim_rng_ops = {sim_rng_fill};

// ---- begin and end

static void process_main(void *arg)
{
    struct sim_process *process = arg;
    process->main(&process->env, process->arg);
}

struct sim_process *sim_process_start(struct sim_world *world, const char *name, const char *host,
                                      struct sim_disk *disk, void (*main)(struct env *env, void *arg),
                                      void *arg)
{
    ASSERT(disk == NULL || disk->world == world);
    ASSERT(strlen(host) < SIM_HOST_SIZE);
    struct sim_process *process = sys_zalloc(sizeof *process);
    process->world = world;
    process->id = ++world->process_ids;
    snprintf(process->name, sizeof process->name, "%s", name);
    snprintf(process->host, sizeof process->host, "%s", host);
    process->clock.ops = &sim_clock_ops;
    process->disk.ops = &sim_disk_ops;
    process->net.ops = &sim_net_ops;
    process->rng.ops = &sim_rng_ops;
    process->threads.ops = &sim_threads_ops;
    process->env = (struct env){&process->clock, disk == NULL ? NULL : &process->disk, &process->net,
                                &process->rng, &process->threads};
    process->sim_disk = disk;
    process->rng_state = sim_rand(world, UINT64_MAX);
    process->wall_base_ms = WALL_START_MS + world->now_ns / NS_PER_MS;
    process->wall_since_ns = world->now_ns;
    list_init(&process->fibers);
    list_init(&process->blocks);
    list_init(&process->files);
    list_init(&process->socks);
    list_init(&process->pollers);
    list_init(&process->waiters);
    process->main = main;
    process->arg = arg;
    list_push_back(&world->processes, &process->of_world);
    world->alive_count++;
    trace_verb(world, "start", str_from_c(process->name), process->id, 0);
    fiber_start(process, "main", process_main, process);
    return process;
}

static size_t list_length(const struct list *head)
{
    size_t count = 0;
    LIST_EACH (node, head) {
        count++;
    }
    return count;
}

void process_end(struct sim_process *process, enum sim_state state)
{
    static const char *const verbs[] = {"run", "exit", "kill", "crash"};
    ASSERT(process->state == SIM_RUNNING);
    ASSERT(process_now() != process);
    process->state = state;
    process->world->alive_count--;
    trace_verb(process->world, verbs[state], str_from_c(process->name), process->id,
               (int64_t)process->io_count);
    while (!list_is_empty(&process->fibers)) {
        fiber_drop(LIST_ENTRY(process->fibers.next, struct fiber, of_process));
    }
    if (state == SIM_EXITED) {
        process->leaks =
            (struct sim_leaks){process->heap_blocks, process->heap_bytes, list_length(&process->files),
                               list_length(&process->socks) + list_length(&process->pollers)};
    }
    net_process_gone(process, state == SIM_CRASHED);
    disk_process_gone(process);
    mem_drop(process);
    fiber_wake_all(&process->waiters);
    if (state == SIM_CRASHED && process->sim_disk != NULL) {
        LIST_EACH (node, &process->world->processes) {
            struct sim_process *other = LIST_ENTRY(node, struct sim_process, of_world);
            if (other->state == SIM_RUNNING && other->sim_disk == process->sim_disk) {
                process_end(other, SIM_CRASHED); // the last one to go crashes the disk
                return;
            }
        }
        sim_disk_crash(process->sim_disk);
    }
}

static void process_die(struct sim_process *process, enum sim_state state)
{
    struct sim_process *now = process_now();
    bool shares_disk = now != NULL && now->sim_disk == process->sim_disk && process->sim_disk != NULL;
    if (now != NULL && (now == process || (state == SIM_CRASHED && shares_disk))) {
        // Its own stack cannot be dropped from below: the scheduler does it.
        process->world->dying = process;
        process->world->dying_state = state;
        fiber_leave();
    }
    if (process->state == SIM_RUNNING) {
        process_end(process, state);
    }
}

void sim_process_crash(struct sim_process *process)
{
    if (process->state == SIM_RUNNING) {
        process_die(process, SIM_CRASHED);
    }
}

void sim_process_kill(struct sim_process *process)
{
    if (process->state == SIM_RUNNING) {
        process_die(process, SIM_KILLED);
    }
}

// ---- crash at the n-th I/O

void sim_process_crash_at_io(struct sim_process *process, uint64_t n, enum sim_io_point point,
                             bool is_power_cut)
{
    process->crash_at = n;
    process->crash_point = point;
    process->crash_is_power_cut = is_power_cut;
}

static void io_point(struct sim_process *process, uint64_t number, enum sim_io_point point)
{
    if (number == process->crash_at && point == process->crash_point) {
        trace_verb(process->world, "crash at I/O", str_from_c(process->name), (int64_t)number,
                   (int64_t)point);
        process_die(process, process->crash_is_power_cut ? SIM_CRASHED : SIM_KILLED);
    }
}

uint64_t process_io(struct sim_process *process)
{
    ASSERT(process_now() == process);  // a handle belongs to its process
    ASSERT(fiber_now()->mutexes == 0); // no mutex is held across I/O (platform/env.h)
    uint64_t number = ++process->io_count;
    fiber_yield();
    io_point(process, number, SIM_IO_BEFORE);
    return number;
}

void process_io_during(struct sim_process *process, uint64_t number)
{
    io_point(process, number, SIM_IO_DURING);
}

bool process_will_crash_during(const struct sim_process *process, uint64_t number)
{
    return number == process->crash_at && process->crash_point == SIM_IO_DURING;
}

void process_io_done(struct sim_process *process, uint64_t number)
{
    io_point(process, number, SIM_IO_DURING); // only verbs with a middle come by process_io_during
    io_point(process, number, SIM_IO_AFTER);
}

// ---- looking at it

uint64_t sim_process_io_count(const struct sim_process *process)
{
    return process->io_count;
}

enum sim_state sim_process_state(const struct sim_process *process)
{
    return process->state;
}

bool sim_process_is_alive(const struct sim_process *process)
{
    return process->state == SIM_RUNNING;
}

void sim_process_wait(struct sim_process *process)
{
    ASSERT(process_now() != process);
    while (process->state == SIM_RUNNING) {
        fiber_wait(&process->waiters, CLOCK_NEVER, "end of a process");
    }
}

struct env *sim_process_env(struct sim_process *process)
{
    return &process->env;
}

struct sim_process *sim_process_of(struct env *env)
{
    ASSERT(env->clock->ops == &sim_clock_ops);
    return of_clock(env->clock);
}

const char *sim_process_name(const struct sim_process *process)
{
    return process->name;
}

struct sim_leaks sim_process_leaks(const struct sim_process *process)
{
    return process->leaks;
}

size_t sim_process_heap_bytes(const struct sim_process *process)
{
    return process->heap_bytes;
}
