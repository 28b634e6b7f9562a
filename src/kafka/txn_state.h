// SPDX-License-Identifier: Apache-2.0
// txn_state.h - Kafka's names of the states of a transaction.
#ifndef KAFKA_TXN_STATE_H
#define KAFKA_TXN_STATE_H

#include "kafka/request.h"

static inline const char *txn_state_name(enum txn_state state)
{
    static const char *const names[] = {"Empty", "Ongoing", "CompleteCommit", "CompleteAbort"};
    return names[state];
}

// txn_state_is_known: also the states that a transaction passes through in Kafka and never is in here.
static inline bool txn_state_is_known(struct str name)
{
    static const char *const names[] = {
        "Empty",          "Ongoing",       "PrepareCommit",     "PrepareAbort",
        "CompleteCommit", "CompleteAbort", "PrepareEpochFence", "Dead"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_from_c(names[i]))) {
            return true;
        }
    }
    return false;
}

#endif
