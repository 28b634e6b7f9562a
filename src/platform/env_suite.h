// SPDX-License-Identifier: Apache-2.0
// env_suite.h - what every world must do: one conformance suite, run against real/ and sim/. A failed claim
// is an ASSERT, so that it also works inside a fiber. No faults may be injected while it runs; short reads,
// short writes, delays and every schedule are fine.
#ifndef PLATFORM_ENV_SUITE_H
#define PLATFORM_ENV_SUITE_H

#include "platform/env.h"

// env_suite_disk wants an empty data directory and leaves its own files under "suite/".
void env_suite_disk(struct env *env);
// env_suite_net uses 127.0.0.1 and free ports; env_suite_net_file also sends a file (needs a disk).
void env_suite_net(struct env *env);
void env_suite_net_file(struct env *env);
void env_suite_threads(struct env *env); // clock, randomness, mutexes, condition variables, poller_wake

#endif
