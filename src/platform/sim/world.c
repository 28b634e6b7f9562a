// SPDX-License-Identifier: Apache-2.0
// The world: randomness, events in virtual time, and the loop that picks which fiber takes the next step.
#include "platform/sim/sim_private.h"

enum { START_NS = 1000000000, FIRST_PORT = 40000 };

static struct fiber *running;
static struct fiber_context scheduler; // the stack that sim_world_run was called on

// sim_world_at's
struct call {
    struct sim_event event;
    struct list of_world;
    void (*fire)(void *arg);
    void *arg;
};

// ---- randomness: xoshiro256** seeded by splitmix64 (Blackman and Vigna, prng.di.unimi.it)

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t world_random(struct sim_world *world)
{
    uint64_t *s = world->rng;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t sim_rand(struct sim_world *world, uint64_t bound)
{
    ASSERT(bound > 0);
    return (uint64_t)((__uint128_t)world_random(world) * bound >> 64);
}

bool sim_chance(struct sim_world *world, unsigned permille)
{
    return permille > 0 && sim_rand(world, 1000) < permille;
}

int64_t world_range(struct sim_world *world, int64_t min, int64_t max)
{
    return max <= min ? min : min + (int64_t)sim_rand(world, (uint64_t)(max - min) + 1);
}

void world_hash_bytes(struct sim_world *world, const void *ptr, size_t len)
{
    world->hash = hash64(bytes_of(ptr, len), world->hash);
}

// ---- events

void event_set(struct sim_world *world, struct sim_event *event, int64_t at_ns)
{
    struct sim_process *owner = mem_owner_swap(NULL); // the heap's array is the world's
    heap_remove(&world->events, &event->node);
    heap_insert(&world->events, &event->node, at_ns);
    mem_owner_swap(owner);
}

void event_cancel(struct sim_world *world, struct sim_event *event)
{
    heap_remove(&world->events, &event->node);
}

static void call_fire(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct call *call = LIST_ENTRY(event, struct call, event);
    list_remove(&call->of_world);
    call->fire(call->arg);
    sys_free(call);
}

void sim_world_at(struct sim_world *world, int64_t at_ns, void (*fire)(void *arg), void *arg)
{
    struct call *call = sys_zalloc(sizeof *call);
    call->event.fire = call_fire;
    call->fire = fire;
    call->arg = arg;
    list_push_back(&world->calls, &call->of_world);
    event_set(world, &call->event, at_ns);
}

// ---- fibers

struct fiber *fiber_now(void)
{
    return running;
}

static void runnable_add(struct fiber *fiber)
{
    struct sim_world *world = fiber->world;
    ASSERT(fiber->run_index == 0);
    if (world->runnable_count == world->runnable_cap) {
        world->runnable_cap = world->runnable_cap == 0 ? 64 : world->runnable_cap * 2;
        world->runnable = sys_realloc(world->runnable, world->runnable_cap * sizeof(struct fiber *));
    }
    world->runnable[world->runnable_count++] = fiber;
    fiber->run_index = world->runnable_count;
}

static void runnable_remove(struct fiber *fiber)
{
    struct sim_world *world = fiber->world;
    if (fiber->run_index == 0) {
        return;
    }
    struct fiber *last = world->runnable[--world->runnable_count];
    world->runnable[fiber->run_index - 1] = last;
    last->run_index = fiber->run_index;
    fiber->run_index = 0;
}

static void fiber_timed_out(struct sim_world *world, struct sim_event *event)
{
    (void)world;
    struct fiber *fiber = LIST_ENTRY(event, struct fiber, wake);
    fiber->timed_out = true;
    list_remove(&fiber->wait);
    runnable_add(fiber);
}

static void fiber_entry(void)
{
    fiber_context_entered(&scheduler);
    struct fiber *fiber = running;
    fiber->run(fiber->arg);
    ASSERT(fiber->mutexes == 0);
    fiber->is_done = true;
    fiber_wake_all(&fiber->joiners);
    fiber_leave();
}

struct fiber *fiber_start(struct sim_process *process, const char *name, void (*run)(void *), void *arg)
{
    struct fiber *fiber = sys_zalloc(sizeof *fiber);
    fiber->world = process->world;
    fiber->process = process;
    fiber->wake.fire = fiber_timed_out;
    fiber->id = ++process->world->fiber_ids;
    fiber->run = run;
    fiber->arg = arg;
    snprintf(fiber->name, sizeof fiber->name, "%s", name);
    list_init(&fiber->joiners);
    list_push_back(&process->fibers, &fiber->of_process);
    fiber_context_init(&fiber->context, fiber_entry);
    runnable_add(fiber);
    return fiber;
}

void fiber_drop(struct fiber *fiber)
{
    ASSERT(fiber != running);
    runnable_remove(fiber);
    event_cancel(fiber->world, &fiber->wake);
    list_remove(&fiber->wait);
    list_remove(&fiber->of_process);
    if (fiber->context.stack != NULL) {
        fiber_context_fini(&fiber->context);
    }
    sys_free(fiber);
}

void fiber_leave(void)
{
    struct fiber *fiber = running;
    fiber_context_leave(&fiber->context, &scheduler);
}

static void fiber_switch_out(void)
{
    struct fiber *fiber = running;
    fiber_context_switch(&fiber->context, &scheduler);
}

void fiber_yield(void)
{
    struct fiber *fiber = running;
    if (fiber == NULL) {
        return;
    }
    struct sim_world *world = fiber->world;
    if (sim_chance(world, world->schedule.pause_permille)) {
        fiber_sleep(world_range(world, 1, world->schedule.pause_ns_max));
        return;
    }
    runnable_add(fiber);
    fiber_switch_out();
}

bool fiber_wait(struct list *waiters, int64_t deadline_ns, const char *waits_for)
{
    struct fiber *fiber = running;
    ASSERT(fiber != NULL);
    if (waiters != NULL) {
        list_push_back(waiters, &fiber->wait);
    }
    if (deadline_ns != CLOCK_NEVER) {
        event_set(fiber->world, &fiber->wake, deadline_ns);
    }
    fiber->timed_out = false;
    fiber->waits_for = waits_for;
    fiber_switch_out();
    fiber->waits_for = NULL;
    return !fiber->timed_out;
}

void fiber_wake(struct fiber *fiber)
{
    if (fiber->run_index == 0 && fiber != running) {
        event_cancel(fiber->world, &fiber->wake);
        list_remove(&fiber->wait);
        runnable_add(fiber);
    }
}

void fiber_wake_all(struct list *waiters)
{
    while (!list_is_empty(waiters)) {
        fiber_wake(LIST_ENTRY(waiters->next, struct fiber, wait));
    }
}

void fiber_sleep(int64_t ns)
{
    if (running != NULL && ns > 0) {
        fiber_wait(NULL, running->world->now_ns + ns, "sleep");
    }
}

// ---- the loop

static void world_step(struct sim_world *world)
{
    struct fiber *fiber = world->runnable[sim_rand(world, world->runnable_count)];
    runnable_remove(fiber);
    world->steps++;
    world->now_ns += world->schedule.step_ns;
    world_hash_add(world, (uint64_t)world->now_ns ^ (uint64_t)fiber->id << 48);
    struct sim_process *process = fiber->process;
    running = fiber;
    mem_owner_swap(process);
    fiber_context_switch(&scheduler, &fiber->context);
    mem_owner_swap(NULL);
    running = NULL;
    if (world->dying != NULL) {
        struct sim_process *dying = world->dying;
        world->dying = NULL;
        process_end(dying, world->dying_state);
    } else if (fiber->is_done) {
        fiber_context_fini(&fiber->context); // the rest stays for whoever joins it
        bool is_over = true;
        LIST_EACH (node, &process->fibers) {
            is_over = is_over && LIST_ENTRY(node, struct fiber, of_process)->is_done;
        }
        if (is_over) {
            process_end(process, SIM_EXITED);
        }
    }
}

// A pending call may still start a process.
static bool world_is_over(const struct sim_world *world)
{
    return world->alive_count == 0 && list_is_empty(&world->calls);
}

// events_fire runs what is due; time moves only when no fiber can. False if there is nothing to wait for.
static bool events_fire(struct sim_world *world, int64_t until_ns, bool *ret_is_late)
{
    for (;;) {
        struct heap_node *node = heap_min(&world->events);
        bool is_due = node != NULL && node->key <= world->now_ns;
        if (!is_due) {
            if (world->runnable_count > 0) {
                return true;
            }
            if (node == NULL) {
                return false;
            }
            if (until_ns != 0 && node->key > until_ns) {
                *ret_is_late = true;
                return true;
            }
            world->now_ns = node->key;
        }
        heap_remove(&world->events, node);
        struct sim_event *event = HEAP_ENTRY(node, struct sim_event, node);
        event->fire(world, event);
        if (world_is_over(world)) {
            return true; // nobody is left to wait for
        }
    }
}

enum sim_stop sim_world_run(struct sim_world *world, const struct sim_limits *limits)
{
    static const struct sim_limits none;
    limits = limits == NULL ? &none : limits;
    ASSERT(running == NULL);
    for (uint64_t steps = 0;; steps++) {
        if (limits->until != NULL && limits->until(limits->arg)) {
            return SIM_UNTIL;
        }
        if (world_is_over(world)) {
            return SIM_DONE;
        }
        if (limits->steps_max != 0 && steps >= limits->steps_max) {
            return SIM_STEPS;
        }
        bool is_late = limits->until_ns != 0 && world->now_ns >= limits->until_ns;
        if (!is_late && !events_fire(world, limits->until_ns, &is_late)) {
            return SIM_DEADLOCK;
        }
        if (is_late) {
            world->now_ns = world->now_ns > limits->until_ns ? world->now_ns : limits->until_ns;
            return SIM_TIME;
        }
        if (world->runnable_count > 0) {
            world_step(world);
        }
    }
}

const char *sim_stop_name(enum sim_stop stop)
{
    static const char *const names[] = {"done", "until", "time", "steps", "deadlock"};
    ASSERT(stop <= SIM_DEADLOCK);
    return names[stop];
}

// ---- life

struct sim_world *sim_world_create(uint64_t seed)
{
    struct sim_world *world = sys_zalloc(sizeof *world);
    world->seed = seed;
    uint64_t state = seed;
    for (size_t i = 0; i < 4; i++) {
        world->rng[i] = splitmix(&state);
    }
    world->hash = seed;
    world->now_ns = START_NS;
    world->next_port = FIRST_PORT;
    heap_init(&world->events);
    list_init(&world->processes);
    list_init(&world->disks);
    list_init(&world->calls);
    list_init(&world->conns);
    list_init(&world->listeners);
    list_init(&world->blocks);
    trace_world_set(world);
    return world;
}

void sim_world_destroy(struct sim_world *take_world)
{
    struct sim_world *world = take_world;
    if (world == NULL) {
        return;
    }
    ASSERT(running == NULL);
    LIST_EACH (node, &world->processes) {
        struct sim_process *process = LIST_ENTRY(node, struct sim_process, of_world);
        if (sim_process_is_alive(process)) {
            process_end(process, SIM_KILLED);
        }
    }
    net_destroy(world);
    while (!list_is_empty(&world->disks)) {
        disk_destroy(LIST_ENTRY(world->disks.next, struct sim_disk, of_world));
    }
    struct list *node;
    while ((node = list_pop_front(&world->calls)) != NULL) {
        struct call *call = LIST_ENTRY(node, struct call, of_world);
        event_cancel(world, &call->event);
        sys_free(call);
    }
    while ((node = list_pop_front(&world->processes)) != NULL) {
        sys_free(LIST_ENTRY(node, struct sim_process, of_world));
    }
    ASSERT(world->events.count == 0);
    heap_fini(&world->events);
    sys_free(world->runnable);
    trace_world_gone(world);
    sys_free(world);
}

void sim_world_set_schedule(struct sim_world *world, const struct sim_schedule *schedule)
{
    world->schedule = *schedule;
}

uint64_t sim_world_seed(const struct sim_world *world)
{
    return world->seed;
}

int64_t sim_world_now_ns(const struct sim_world *world)
{
    return world->now_ns;
}

uint64_t sim_world_steps(const struct sim_world *world)
{
    return world->steps;
}

uint64_t sim_world_hash(const struct sim_world *world)
{
    return world->hash;
}
