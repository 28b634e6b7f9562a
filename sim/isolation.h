// SPDX-License-Identifier: Apache-2.0
// isolation.h - how a client reads what is committed (KIP-98): from the first offset of an entry of the list
// of aborted transactions on, it leaves out the producer's transactional records, up to the marker of an
// abort.
#ifndef SIM_ISOLATION_H
#define SIM_ISOLATION_H

#include "wire/messages.h"

enum { ISOLATION_OPEN_MAX = 64, ISOLATION_LIST_MAX = 8192 };

// Zeroed at the beginning of each answer. Large: not for a stack.
struct isolation {
    int64_t out[ISOLATION_OPEN_MAX]; // producers whose records are left out now
    int out_count;
    bool is_taken[ISOLATION_LIST_MAX]; // of the list
};

// isolation_enter comes to a batch that ends before `end`.
void isolation_enter(struct isolation *i, const struct fetch_response_partition *got, int64_t end);
bool isolation_hides(const struct isolation *i, int64_t producer_id);
void isolation_leave(struct isolation *i, int64_t producer_id); // the marker of an abort

#endif
