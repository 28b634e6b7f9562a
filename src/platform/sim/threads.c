// SPDX-License-Identifier: Apache-2.0
// Threads as fibers. A mutex is owned for real and fibers do queue for it, but its holder does no I/O, so
// that in practice only mutex_lock itself switches inside a critical section.
#include "platform/sim/sim_private.h"

struct sim_mutex {
    struct fiber *owner;
    struct list waiters;
    bool is_held; // also by code outside of the world
    bool may_do_io;
};
struct sim_cond {
    struct list waiters;
};
_Static_assert(sizeof(struct sim_mutex) <= sizeof(((struct mutex *)0)->state), "fits the face");
_Static_assert(sizeof(struct sim_cond) <= sizeof(((struct cond *)0)->state), "fits the face");

static struct sim_mutex *mutex_of(struct mutex *mutex)
{
    return (struct sim_mutex *)(void *)mutex->state;
}

static struct sim_cond *cond_of(struct cond *cond)
{
    return (struct sim_cond *)(void *)cond->state;
}

static void sim_mutex_init(struct mutex *mutex)
{
    struct sim_mutex *m = mutex_of(mutex);
    *m = (struct sim_mutex){0};
    list_init(&m->waiters);
}

static void sim_mutex_fini(struct mutex *mutex)
{
    struct sim_mutex *m = mutex_of(mutex);
    ASSERT(!m->is_held);
    ASSERT(list_is_empty(&m->waiters));
}

static void mutex_take(struct sim_mutex *m)
{
    struct fiber *fiber = fiber_now();
    ASSERT(!m->is_held || fiber != NULL);     // outside of the world nobody can wait
    ASSERT(!m->is_held || m->owner != fiber); // not recursive
    while (m->is_held) {
        fiber_wait(&m->waiters, CLOCK_NEVER, "mutex");
    }
    m->is_held = true;
    m->owner = fiber;
    if (fiber != NULL && !m->may_do_io) {
        fiber->mutexes++;
    }
}

static void mutex_give(struct sim_mutex *m)
{
    struct fiber *fiber = fiber_now();
    ASSERT(m->is_held);
    ASSERT(m->owner == fiber);
    if (fiber != NULL && !m->may_do_io) {
        fiber->mutexes--;
    }
    m->is_held = false;
    m->owner = NULL;
    fiber_wake_all(&m->waiters); // the scheduler's dice decide who gets it
}

static void sim_mutex_lock(struct mutex *mutex)
{
    struct fiber *fiber = fiber_now();
    if (fiber != NULL && sim_chance(fiber->world, fiber->world->schedule.lock_switch_permille)) {
        fiber_yield();
    }
    mutex_take(mutex_of(mutex));
}

static void sim_mutex_unlock(struct mutex *mutex)
{
    mutex_give(mutex_of(mutex));
}

void sim_mutex_allow_io(struct mutex *mutex)
{
    ASSERT(!mutex_of(mutex)->is_held);
    mutex_of(mutex)->may_do_io = true;
}

static void sim_cond_init(struct cond *cond)
{
    list_init(&cond_of(cond)->waiters);
}

static void sim_cond_fini(struct cond *cond)
{
    ASSERT(list_is_empty(&cond_of(cond)->waiters));
}

static bool sim_cond_wait(struct cond *cond, struct mutex *mutex, int64_t deadline_ns)
{
    struct fiber *fiber = fiber_now();
    ASSERT(fiber != NULL);
    struct sim_world *world = fiber->world;
    mutex_give(mutex_of(mutex));
    ASSERT(fiber->mutexes == 0); // waiting with another mutex held would stop whoever wants to signal
    bool is_on_time = true;
    if (sim_chance(world, world->schedule.spurious_permille)) {
        fiber_yield();
    } else {
        is_on_time = fiber_wait(&cond_of(cond)->waiters, deadline_ns, "cond");
    }
    mutex_take(mutex_of(mutex));
    return is_on_time;
}

static void sim_cond_signal(struct cond *cond)
{
    struct list *waiters = &cond_of(cond)->waiters;
    if (list_is_empty(waiters)) {
        return;
    }
    struct fiber *first = LIST_ENTRY(waiters->next, struct fiber, wait);
    size_t count = 0;
    LIST_EACH (node, waiters) {
        count++;
    }
    struct list *chosen = waiters->next;
    for (uint64_t skip = sim_rand(first->world, count); skip > 0; skip--) {
        chosen = chosen->next;
    }
    fiber_wake(LIST_ENTRY(chosen, struct fiber, wait));
}

static void sim_cond_broadcast(struct cond *cond)
{
    fiber_wake_all(&cond_of(cond)->waiters);
}

// struct thread is a fiber under its public name.
static struct fiber *fiber_of(struct thread *thread)
{
    return (struct fiber *)(void *)thread;
}

static struct thread *sim_thread_start(struct threads *threads, const char *name, void (*run)(void *),
                                       void *arg)
{
    struct sim_process *process = LIST_ENTRY(threads, struct sim_process, threads);
    struct fiber *fiber = fiber_start(process, name, run, arg);
    trace_verb(process->world, "thread", str_from_c(name), fiber->id, 0);
    if (process_now() == process) {
        fiber_yield();
    }
    return (struct thread *)(void *)fiber;
}

static void sim_thread_join(struct threads *threads, struct thread *take_thread)
{
    struct fiber *fiber = fiber_of(take_thread);
    ASSERT(fiber->process == LIST_ENTRY(threads, struct sim_process, threads));
    ASSERT(fiber_now()->mutexes == 0);
    while (!fiber->is_done) {
        fiber_wait(&fiber->joiners, CLOCK_NEVER, "end of a thread");
    }
    // It has woken us from its last step; after that its stack is the scheduler's again.
    fiber_drop(fiber);
}

const struct threads_ops sim_threads_ops = {
    .start = sim_thread_start,
    .join = sim_thread_join,
    .mutex_init = sim_mutex_init,
    .mutex_fini = sim_mutex_fini,
    .mutex_lock = sim_mutex_lock,
    .mutex_unlock = sim_mutex_unlock,
    .cond_init = sim_cond_init,
    .cond_fini = sim_cond_fini,
    .cond_wait = sim_cond_wait,
    .cond_signal = sim_cond_signal,
    .cond_broadcast = sim_cond_broadcast,
};
