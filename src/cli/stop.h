// SPDX-License-Identifier: Apache-2.0
// stop.h - Ctrl-C, SIGTERM and a closed terminal as a wish instead of a death, for commands that have
// something to finish. A second one ends the process at once. Owner: the main thread.
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include "platform/env.h"

struct stop;

// stop_block keeps the signals from ending the process; call it before the first thread starts.
void stop_block(void);
// stop_open waits for them in a thread. wake, which may be NULL, is called from it at the first one.
struct stop *stop_open(struct env *env, void (*wake)(void *arg), void *arg);
bool stop_is_asked(struct stop *stop);
// stop_wait sleeps until deadline_ns or a wish to stop, which it returns.
bool stop_wait(struct stop *stop, int64_t deadline_ns);
void stop_close(struct stop *take_stop); // NULL is a no-op

#endif
