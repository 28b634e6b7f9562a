// SPDX-License-Identifier: Apache-2.0
// states.c - the hash of the core's state by LSN. Same log, same state: after a restart, on another broker,
// from a snapshot or from the first bundle on.
#include <stdlib.h>

#include "scenario.h"

enum { STATES_SLOTS = 4096 }; // a ring by LSN: the newest are what is seen again

struct states {
    struct {
        uint64_t lsn;
        uint64_t hash;
    } slots[STATES_SLOTS];
};

struct states *states_create(void)
{
    struct states *states = calloc(1, sizeof *states);
    if (states == NULL) {
        abort();
    }
    return states;
}

void states_destroy(struct states *take_states)
{
    free(take_states);
}

void states_note(struct scenario *s, uint64_t lsn, uint64_t hash)
{
    uint64_t slot = lsn % STATES_SLOTS;
    if (lsn == 0 || s->rot_happened) {
        return;
    }
    if (s->states->slots[slot].lsn == lsn) {
        checker_state_compared(s->checker);
        if (s->states->slots[slot].hash != hash) {
            checker_fail(s->checker, "I21: two states after bundle %llu: %016llx and %016llx",
                         (unsigned long long)lsn, (unsigned long long)s->states->slots[slot].hash,
                         (unsigned long long)hash);
        }
    }
    s->states->slots[slot].lsn = lsn;
    s->states->slots[slot].hash = hash;
}

void states_forget(struct scenario *s)
{
    for (int i = 0; i < STATES_SLOTS; i++) {
        s->states->slots[i].lsn = 0;
    }
}
