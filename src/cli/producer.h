// SPDX-License-Identifier: Apache-2.0
// producer.h - batches records of one topic, keeps several requests in flight and repeats what failed, in
// order and without duplicates (KIP-98: producer id and sequence numbers). Owner: one thread, as the
// client's.
#ifndef CLI_PRODUCER_H
#define CLI_PRODUCER_H

#include "cli/client.h"
#include "record/build.h"

struct producer_options {
    struct str topic;
    struct uuid topic_id;
    int32_t partition_count;
    int16_t acks;          // -1, 0 or 1
    bool is_idempotent;    // needs acks -1
    int64_t timeout_ms;    // without any progress, before it gives up
    int64_t linger_ms;     // how long a record waits for company
    int32_t batch_records; // at most
    size_t batch_bytes;    // before compression; one larger record travels alone
    enum codec codec;
};

struct producer_stats {
    uint64_t records; // acknowledged; with acks=0: sent
    uint64_t bytes;   // of their keys and values
    uint64_t batches;
    uint64_t wire_bytes; // of the batches, compressed
    uint64_t retries;    // requests sent again
};

struct producer;

// producer_create borrows env and client, which is connected.
struct producer *producer_create(struct env *env, struct client *client,
                                 const struct producer_options *options);
void producer_destroy(struct producer *take_producer);

// producer_start asks for a producer id, if idempotent. Errors as client_call; ret_is_refused: it is the
// broker's answer.
enum err producer_start(struct producer *p, bool *ret_is_refused, struct error *e);

// producer_add takes a record for a partition; `line` is where it came from, for messages. It blocks while
// too much is in flight. All verbs below fail alike, and once failed stay so:
//   ERR_NETWORK   no broker for timeout_ms
//   other codes   the broker refused a batch: the text says which lines, and its message
enum err producer_add(struct producer *p, int32_t partition, struct bytes key, struct bytes value,
                      const struct record_header *headers, int32_t header_count, uint64_t line,
                      struct error *e);
// producer_wait sends what has waited long enough and waits for an answer, a wake of the client, or the next
// thing to do.
enum err producer_wait(struct producer *p, struct error *e);
// producer_drain sends everything and waits until all of it is answered.
enum err producer_drain(struct producer *p, struct error *e);
// producer_sticky is the partition for the next record without a key: one at random per batch.
int32_t producer_sticky(const struct producer *p);
struct producer_stats producer_stats(const struct producer *p);
// producer_is_refused: the error that a verb returned is the broker's, not ours.
bool producer_is_refused(const struct producer *p);

#endif
