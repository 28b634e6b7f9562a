// SPDX-License-Identifier: Apache-2.0
// dlq_txn.h - one transaction at a time: batches into partitions and the position of a group, all or nothing
// (KIP-98, KIP-447). Every begin fences whoever has the same id. Owner: the command's thread.
#ifndef CLI_DLQ_TXN_H
#define CLI_DLQ_TXN_H

#include "cli/cli_private.h"

struct txn {
    struct run *run;
    struct str id;       // transactional id
    struct arena *arena; // of requests and answers; reset by the owner
    int64_t producer_id;
    int16_t producer_epoch;
};

// One batch of the transaction.
struct txn_batch {
    struct str topic;
    struct uuid topic_id;
    int32_t partition;
    struct bytes batch;
    // out
    enum err err;
    bool is_barred; // by its partition: none of its records can go there
    struct str message;
    const struct produce_response_record_error *record_errors; // in the arena
    int32_t record_error_count;
};

// The verbs fail as client_call does, and with the error of the broker's answer; e has no text then. Errors
// that go away by themselves are tried again until the run's --timeout-ms is over. txn_begin aborts what an
// earlier run left open: after it the group's committed position is final.
enum err txn_begin(struct txn *txn, struct error *e);
// txn_produce adds the partitions and sends the batches, one for each partition. ERR_OK: each batch has its
// own outcome. If one is barred none was sent, and the others have no error.
enum err txn_produce(struct txn *txn, struct txn_batch *batches, size_t count, struct error *e);
enum err txn_position(struct txn *txn, struct str group, struct str topic, int32_t partition, int64_t offset,
                      struct error *e);
enum err txn_end(struct txn *txn, bool is_commit, struct error *e);

#endif
