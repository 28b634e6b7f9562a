// SPDX-License-Identifier: Apache-2.0
// loop.h - an event loop over the seam: sockets, timers, posted tasks. One thread runs it; only loop_post and
// loop_stop may be called from others. An idle loop sleeps in the poller: no ticks.
#ifndef RUNTIME_LOOP_H
#define RUNTIME_LOOP_H

#include "base/heap.h"
#include "platform/env.h"

struct loop;
struct metrics;

// A task runs once per post, on the loop's thread. The struct belongs to the caller and may be reused once
// run.
struct task {
    struct task *next; // private
    void (*run)(struct task *task);
};

// A timer fires once; set it again from its callback to repeat. Zeroed (with fire set) is a valid idle timer.
struct timer {
    struct heap_node node; // private
    void (*fire)(struct timer *timer);
};

// Readiness of one socket.
struct loop_io {
    struct sock *sock;
    unsigned interest; // as last set
    void (*ready)(struct loop_io *io, unsigned ready);
};

struct loop *loop_create(struct env *env);
void loop_destroy(struct loop *take_loop);
struct env *loop_env(struct loop *loop);
// loop_run returns after loop_stop. It runs, in each round: ready sockets, due timers, posted tasks (a
// bounded number: sockets get their turn between), deferred tasks.
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
// loop_watch has rounds of 0.1 ms and more observed, without the wait, as strom_loop_long_round_seconds: how
// long others of the loop wait. `labels` is static, as of any metric. Before loop_run.
void loop_watch(struct loop *loop, struct metrics *metrics, const char *labels);
// loop_now_ns is the monotonic time at the start of the round.
int64_t loop_now_ns(const struct loop *loop);

// loop_post queues a task from any thread and wakes the loop.
void loop_post(struct loop *loop, struct task *task);
// loop_post_chain queues tasks linked by `next` with one wake.
void loop_post_chain(struct loop *loop, struct task *first);
// loop_defer queues a task to the end of the current round (own thread only): coalescing writes and commits.
// A task already deferred is not queued twice if the caller keeps a flag; the loop does not check.
void loop_defer(struct loop *loop, struct task *task);

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t deadline_ns); // moves it if set
void loop_timer_cancel(struct loop *loop, struct timer *timer);                   // no-op if idle

void loop_io_add(struct loop *loop, struct loop_io *io, struct sock *sock, unsigned interest);
void loop_io_set(struct loop *loop, struct loop_io *io, unsigned interest); // cheap when unchanged
void loop_io_remove(struct loop *loop, struct loop_io *io);                 // no event for it after this

#endif
