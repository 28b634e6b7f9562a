// SPDX-License-Identifier: Apache-2.0
// rig_clock_test.h - an environment that is real in all but its time: that goes on as it does, and a test
// moves it ahead. What waits for a time sleeps for RIG_NAP_NS at a time, so that it sees where the clock was
// moved to. With it, timeouts can be so long that no machine is too slow to stay within them, and end at
// once.
#ifndef KAFKA_RIG_CLOCK_TEST_H
#define KAFKA_RIG_CLOCK_TEST_H

#include "platform/env.h"

enum { RIG_NAP_NS = 5000000 };

struct rig_clock {
    struct clock clock;
    struct net net;
    struct threads threads;
    struct threads_ops threads_ops;
    struct env env; // what the broker is given
    struct env *real;
    int64_t ahead_ns; // atomic
};

// rig_clock_init makes rc->env of a real environment, which must outlive it. rc may not move.
void rig_clock_init(struct rig_clock *rc, struct env *real);
// rig_clock_move: any thread.
void rig_clock_move(struct rig_clock *rc, int64_t ms);

#endif
