// SPDX-License-Identifier: Apache-2.0
#include "isolation.h"

#include "base/assert.h"

void isolation_enter(struct isolation *i, const struct fetch_response_partition *got, int64_t end)
{
    ASSERT(got->aborted_transactions_count <= ISOLATION_LIST_MAX);
    for (int32_t at = 0; at < got->aborted_transactions_count; at++) {
        const struct fetch_response_aborted_transaction *a = &got->aborted_transactions[at];
        if (a->first_offset < end && !i->is_taken[at]) {
            i->is_taken[at] = true;
            if (!isolation_hides(i, a->producer_id)) {
                ASSERT(i->out_count < ISOLATION_OPEN_MAX);
                i->out[i->out_count++] = a->producer_id;
            }
        }
    }
}

bool isolation_hides(const struct isolation *i, int64_t producer_id)
{
    for (int at = 0; at < i->out_count; at++) {
        if (i->out[at] == producer_id) {
            return true;
        }
    }
    return false;
}

void isolation_leave(struct isolation *i, int64_t producer_id)
{
    for (int at = 0; at < i->out_count; at++) {
        if (i->out[at] == producer_id) {
            i->out[at] = i->out[--i->out_count];
            return;
        }
    }
}
