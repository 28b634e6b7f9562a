// SPDX-License-Identifier: Apache-2.0
// The loop sleeps in the poller until a socket, a timer or another thread needs it. Posting is lock-free:
// tasks are pushed on a stack that the loop takes whole and turns around. A poster pays for a wake only when
// the loop says that it sleeps: it pushes and then looks at is_asleep, the loop sets is_asleep and then looks
// at the stack, both in one total order, so that one of them sees the other.
#include "runtime/loop.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/mem.h"
#include "runtime/metrics.h"

enum {
    EVENTS_PER_WAIT = 256,
    POSTED_PER_ROUND = 64, // measured: answers to group members take about 12 us each
    DEADLINE_PAST_NS = 1,  // poller_wait only looks
    LONG_ROUND_NS = 100000,
};

struct loop {
    struct env *env;
    struct poller *poller;
    struct task *_Atomic posted; // newest first
    atomic_bool is_asleep;
    atomic_bool is_stopping;
    int64_t now_ns;
    struct metric_histogram *rounds; // NULL = nobody wants to know
    struct heap timers;
    struct task *taken_first; // posted, and left for the next round
    struct task *taken_last;
    struct task *deferred_first;
    struct task *deferred_last;
    size_t event_next; // events[event_next .. event_count) are still to be delivered in this round
    size_t event_count;
    struct poll_event events[EVENTS_PER_WAIT];
};

struct loop *loop_create(struct env *env)
{
    struct loop *loop = mem_zalloc(sizeof *loop);
    loop->env = env;
    loop->poller = poller_open(env->net);
    loop->now_ns = clock_mono_ns(env->clock);
    heap_init(&loop->timers);
    return loop;
}

void loop_destroy(struct loop *take_loop)
{
    if (take_loop == NULL) {
        return;
    }
    poller_close(take_loop->poller);
    heap_fini(&take_loop->timers);
    mem_free(take_loop);
}

struct env *loop_env(struct loop *loop)
{
    return loop->env;
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

void loop_watch(struct loop *loop, struct metrics *metrics, const char *labels)
{
    loop->rounds = metrics_histogram(metrics, "strom_loop_long_round_seconds", labels,
                                     "Rounds in which an event loop did not look at its sockets for long.");
}

// ---- posting, from any thread

static void wake(struct loop *loop)
{
    if (atomic_load(&loop->is_asleep) && atomic_exchange(&loop->is_asleep, false)) {
        poller_wake(loop->poller);
    }
}

// post_stack pushes tasks that are linked newest first, from `newest` to `oldest`.
static void post_stack(struct loop *loop, struct task *newest, struct task *oldest)
{
    struct task *head = atomic_load(&loop->posted);
    do {
        oldest->next = head;
    } while (!atomic_compare_exchange_weak(&loop->posted, &head, newest));
    wake(loop);
}

static struct task *tasks_reverse(struct task *first)
{
    struct task *reversed = NULL;
    while (first != NULL) {
        struct task *next = first->next;
        first->next = reversed;
        reversed = first;
        first = next;
    }
    return reversed;
}

void loop_post(struct loop *loop, struct task *task)
{
    post_stack(loop, task, task);
}

void loop_post_chain(struct loop *loop, struct task *first)
{
    if (first != NULL) {
        post_stack(loop, tasks_reverse(first), first);
    }
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    wake(loop);
}

// ---- own thread

void loop_defer(struct loop *loop, struct task *task)
{
    task->next = NULL;
    if (loop->deferred_first == NULL) {
        loop->deferred_first = task;
    } else {
        loop->deferred_last->next = task;
    }
    loop->deferred_last = task;
}

// A deadline in the past becomes now: timers that were due before then go first, and a timer that keeps
// setting itself to the past cannot starve them.
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t deadline_ns)
{
    heap_remove(&loop->timers, &timer->node);
    heap_insert(&loop->timers, &timer->node, deadline_ns < loop->now_ns ? loop->now_ns : deadline_ns);
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
    heap_remove(&loop->timers, &timer->node);
}

void loop_io_add(struct loop *loop, struct loop_io *io, struct sock *sock, unsigned interest)
{
    io->sock = sock;
    io->interest = interest;
    poller_add(loop->poller, sock, interest, io);
}

void loop_io_set(struct loop *loop, struct loop_io *io, unsigned interest)
{
    if (io->interest != interest) {
        io->interest = interest;
        poller_set(loop->poller, io->sock, interest, io);
    }
}

void loop_io_remove(struct loop *loop, struct loop_io *io)
{
    if (io->sock == NULL) {
        return;
    }
    poller_remove(loop->poller, io->sock);
    io->sock = NULL;
    io->interest = 0;
    // Its event may wait in this round's array, and the caller may free io right away.
    for (size_t i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].user == io) {
            loop->events[i].user = NULL;
        }
    }
}

// ---- the round

static void tasks_run(struct task *first)
{
    while (first != NULL) {
        struct task *next = first->next; // the task may be posted again, or be gone, once it runs
        first->run(first);
        first = next;
    }
}

static void posted_take(struct loop *loop)
{
    struct task *newest = atomic_exchange(&loop->posted, NULL);
    if (newest == NULL) {
        return;
    }
    struct task *oldest = tasks_reverse(newest);
    if (loop->taken_first == NULL) {
        loop->taken_first = oldest;
    } else {
        loop->taken_last->next = oldest;
    }
    loop->taken_last = newest;
}

static void posted_run(struct loop *loop)
{
    posted_take(loop);
    for (int i = 0; i < POSTED_PER_ROUND && loop->taken_first != NULL; i++) {
        struct task *task = loop->taken_first;
        loop->taken_first = task->next;
        task->run(task);
    }
}

static void timers_run(struct loop *loop)
{
    uint64_t order_end = loop->timers.next_order; // what is set from here on belongs to the next round
    for (;;) {
        struct heap_node *node = heap_min(&loop->timers);
        if (node == NULL || node->key > loop->now_ns || node->order >= order_end) {
            return;
        }
        heap_remove(&loop->timers, node);
        struct timer *timer = HEAP_ENTRY(node, struct timer, node);
        timer->fire(timer);
    }
}

static void events_run(struct loop *loop)
{
    while (loop->event_next < loop->event_count) {
        struct poll_event event = loop->events[loop->event_next++];
        struct loop_io *io = event.user;
        if (io == NULL) {
            continue; // removed by an earlier callback of this round
        }
        // An earlier callback may have lost interest. A closed connection is told whatever the interest.
        unsigned ready = (event.ready & POLL_CLOSED) != 0 ? event.ready : event.ready & io->interest;
        if (ready != 0) {
            io->ready(io, ready);
        }
    }
}

static void loop_wait(struct loop *loop)
{
    int64_t deadline_ns = DEADLINE_PAST_NS;
    if (loop->deferred_first == NULL && loop->taken_first == NULL) {
        const struct heap_node *node = heap_min(&loop->timers);
        deadline_ns = node == NULL ? CLOCK_NEVER : node->key;
        deadline_ns = node != NULL && deadline_ns <= 0 ? DEADLINE_PAST_NS : deadline_ns;
        atomic_store(&loop->is_asleep, true);
        if (atomic_load(&loop->posted) != NULL || atomic_load(&loop->is_stopping)) {
            deadline_ns = DEADLINE_PAST_NS;
        }
    }
    loop->event_next = 0;
    loop->event_count = 0;
    loop->event_count = poller_wait(loop->poller, loop->events, EVENTS_PER_WAIT, deadline_ns);
    atomic_store(&loop->is_asleep, false);
    loop->now_ns = clock_mono_ns(loop->env->clock);
}

// Short rounds are not counted: measured, a hundredth of the instructions of a small Produce.
static void round_observe(struct loop *loop)
{
    int64_t took_ns = clock_mono_ns(loop->env->clock) - loop->now_ns;
    if (took_ns >= LONG_ROUND_NS) {
        metric_observe_ns(loop->rounds, took_ns);
    }
}

void loop_run(struct loop *loop)
{
    while (!atomic_load(&loop->is_stopping)) {
        loop_wait(loop);
        events_run(loop);
        timers_run(loop);
        posted_run(loop);
        struct task *deferred = loop->deferred_first;
        loop->deferred_first = loop->deferred_last = NULL;
        tasks_run(deferred);
        if (loop->rounds != NULL) {
            round_observe(loop);
        }
    }
    atomic_store(&loop->is_stopping, false);
}
