// SPDX-License-Identifier: Apache-2.0
// txn.h - the transactions of a world: producers with transactional ids of both protocol versions (KIP-98,
// KIP-890), readers of what is committed, and what both must see (numbers as in docs/reliability.md): I7 a
// transaction is there as a whole or not at all, in every partition and with its offsets; what was never
// committed is never read; the last stable offset never goes back and never passes a transaction that is
// open; a fetch names exactly the aborted transactions that it gives records of. I8 epochs that are over do
// nothing.
//
// All producers of a world talk to one broker: of several, one that lags may refuse what another has
// promised.
#ifndef SIM_TXN_H
#define SIM_TXN_H

#include "client.h"
#include "scenario.h"

enum {
    TXN_PARTITIONS = 2,
    TXN_CHECKER_FIRST = PRODUCERS_MAX, // the number of the first one among the checker's producers
    TXN_READERS_MAX = 2,
};
#define TXN_STALE_OFFSET (1LL << 40) // what an epoch that is over tries to commit

int txn_first_partition(void); // of the topic that they write to

// ---- txn_history.c: what the world was told. Lives outside the simulated processes.

struct txn_history *txn_history_create(struct scenario *s);
void txn_history_destroy(struct txn_history *take_history);
// txn_init_sent: an InitProducerId of this id leaves; from now on what is open may be ended by it.
void txn_init_sent(struct txn_history *h, int id);
// txn_init_done: it was answered; if not, it may take effect at any time.
void txn_init_done(struct txn_history *h, int id, bool is_answered);
// txn_begun gives the transaction's number, which rises over all ids; it commits it as its offset, too.
uint64_t txn_begun(struct txn_history *h, int id, int32_t timeout_ms);
bool txn_is_due(const struct txn_history *h, uint64_t txn); // its time is up, or anybody may have ended it
void txn_record_sent(struct txn_history *h, uint64_t txn, int partition, int producer, uint64_t number);
void txn_record_acked(struct txn_history *h, uint64_t txn, int partition, int64_t offset);
void txn_offsets_acked(struct txn_history *h, uint64_t txn);
void txn_end_sent(struct txn_history *h, uint64_t txn, bool is_commit);
void txn_end_acked(struct txn_history *h, uint64_t txn);
void txn_end_refused(struct txn_history *h, uint64_t txn); // for certain: it never commits
// txn_read: a reader of what is committed was given the record, or left it out as the list says.
void txn_read(struct txn_history *h, int partition, int producer, uint64_t number, bool is_visible);
void txn_stable(struct txn_history *h, int partition, int64_t log_start, int64_t stable_offset);
// txn_committed: OffsetFetch, asked at asked_ns, said `offset` (-1: none).
void txn_committed(struct txn_history *h, int id, int64_t offset, int64_t asked_ns);
// The last pass: begin, txn_read of everything, txn_committed, end.
void txn_final_begin(struct txn_history *h);
void txn_final_partition(struct txn_history *h, int partition, int64_t log_start);
void txn_final_offset(struct txn_history *h, int id, int64_t offset);

// ---- txn_calls.c: one call each; ERR_CLOSED: there was no answer

struct transactor {
    struct scenario *s;
    struct txn_history *history;
    struct client client;
    int index;
    int id;         // number of the transactional id
    bool is_second; // speaks the protocol in which the epoch rises with each end
    int32_t timeout_ms;
    int64_t producer_id; // -1 = none yet
    int16_t epoch;
    bool must_init;
    bool is_fenced; // the next init takes over instead of going on
    int32_t next_sequence[TXN_PARTITIONS];
    bool is_added[TXN_PARTITIONS];
    uint64_t txn;     // the open one
    struct txn_past { // an epoch that is over
        int64_t producer_id;
        int16_t epoch;
        bool is_there;
    } past;
};
struct txn_batch {
    int partition;
    uint64_t number;
    int32_t count;
    struct buf bytes;
};
void txn_group_name(int id, char ret[16]);
void txn_batch_build(struct transactor *t, int partition, int32_t count, int64_t producer_id, int16_t epoch,
                     int32_t sequence, struct txn_batch *ret);
enum err txn_call_init(struct transactor *t);
enum err txn_call_add(struct transactor *t, int64_t producer_id, int16_t epoch, int partition);
enum err txn_call_produce(struct transactor *t, const struct txn_batch *batch, int64_t *ret_offset);
enum err txn_call_add_offsets(struct transactor *t);
enum err txn_call_offsets(struct transactor *t, int64_t producer_id, int16_t epoch, int64_t offset);
// txn_call_end takes over the epoch that the answer gives, if `is_ours`.
enum err txn_call_end(struct transactor *t, int64_t producer_id, int16_t epoch, bool is_commit, bool is_ours);
// txn_call_committed asks what the id's group has committed; false: no answer.
bool txn_call_committed(struct client *c, int id, int64_t *ret_offset);

// ---- transact.c, committed.c

void transactor_main(struct env *env, void *arg);
void committed_main(struct env *env, void *arg);
void committed_final(struct scenario *s, struct env *env);

#endif
