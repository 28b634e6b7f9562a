// SPDX-License-Identifier: Apache-2.0
// txn_errors.h - what the transaction APIs share.
#ifndef KAFKA_TXN_ERRORS_H
#define KAFKA_TXN_ERRORS_H

#include "kafka/request.h"

// txn_error gives the code of a version: PRODUCER_FENCED exists since `fenced_version_min`, before that it is
// INVALID_PRODUCER_EPOCH (KIP-588). A full disk is the coordinator's, as in Kafka: clients try again.
static inline enum err txn_error(const struct request *rq, enum err err, int16_t fenced_version_min)
{
    bool is_old = err == ERR_PRODUCER_FENCED && rq->version < fenced_version_min;
    if (err == ERR_STORAGE) {
        return ERR_COORDINATOR_NOT_AVAILABLE;
    }
    return is_old ? ERR_INVALID_PRODUCER_EPOCH : err;
}

// txn_state_error: what is refused because it is not in the transaction is INVALID_TXN_STATE for versions
// before `abortable_version_min`, from then on TRANSACTION_ABORTABLE: clients abort and go on (KIP-890).
static inline enum err txn_state_error(const struct request *rq, enum err err, int16_t abortable_version_min)
{
    bool is_new = err == ERR_INVALID_TXN_STATE && rq->version >= abortable_version_min;
    return is_new ? ERR_TRANSACTION_ABORTABLE : err;
}

#endif
