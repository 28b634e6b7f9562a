// SPDX-License-Identifier: Apache-2.0
// rig_clock_test.h - an environment that is real in all but its time: that goes on as it does, and a test
// moves it ahead. What waits sleeps for RIG_NAP_NS at a time, so that it sees where the clock was moved to,
// and who moves it waits for that: time never passes faster than all threads follow. With it, timeouts can be
// so long that no machine is too slow to stay within them, and end at once.
#ifndef KAFKA_RIG_CLOCK_TEST_H
#define KAFKA_RIG_CLOCK_TEST_H

#include "platform/env.h"

enum { RIG_NAP_NS = 5000000 };

struct moved_thread;
struct rig_clock {
    struct clock clock;
    struct net net;
    struct threads threads;
    struct threads_ops threads_ops;
    struct env env; // what the broker is given
    struct env *real;
    int64_t ahead_ns; // atomic
    struct mutex lock;
    struct moved_thread *first_thread; // those that env.threads started and that run; under the lock
};

// rig_clock_init makes rc->env of a real environment, which must outlive it. rc may not move.
void rig_clock_init(struct rig_clock *rc, struct env *real);
// rig_clock_fini: once all threads that were started with rc->env have ended.
void rig_clock_fini(struct rig_clock *rc);
// rig_clock_move, by a thread that the environment did not start, waits until each of its threads has gone
// round with the new time, what was due by then is done, and all sleep. False: they did not within 120 s.
bool rig_clock_move(struct rig_clock *rc, int64_t ms);

#endif
