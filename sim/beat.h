// SPDX-License-Identifier: Apache-2.0
// beat.h - a group of the consumer protocol (KIP-848): members that heartbeat, are given partitions and give
// them back, and a ledger of who has what. I10: a partition goes to another member when the one before has
// said that it gave it back, has left, or was not heard for a session; epochs never go back; who has left is
// nobody.
#ifndef SIM_BEAT_H
#define SIM_BEAT_H

#include "group.h"
#include "scenario.h"

enum { BEAT_SESSION_MS = 1500, BEAT_INTERVAL_MS = 200, BEATERS_MAX = 3 };

struct beat_ledger *beat_ledger_create(struct scenario *s);
void beat_ledger_destroy(struct beat_ledger *take_ledger);

void beater_main(struct env *env, void *arg);
// beat_judge_main waits until nothing goes wrong any more, then until all partitions have an owner; then a
// member dies, and the others must take over.
void beat_judge_main(struct env *env, void *arg);

#endif
