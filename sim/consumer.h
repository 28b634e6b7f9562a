// SPDX-License-Identifier: Apache-2.0
// consumer.h - a consumer of all followed topics: positions, and calls that check what they get.
#ifndef SIM_CONSUMER_H
#define SIM_CONSUMER_H

#include "client.h"
#include "codec/codec.h"
#include "record/iterate.h"
#include "scenario.h"

#define OFFSET_NO_ANSWER INT64_MIN

struct consumer {
    struct scenario *s;
    struct client client;
    struct codec_context codec;
    int index;
    int broker;            // connected to
    int only;              // the partition that the last fetch asked for; -1 = all
    int64_t asked_ns;      // when it asked
    uint64_t asked_losses; // checker_losses then
    int64_t position[PARTITIONS];
    int64_t log_start[PARTITIONS];
    int64_t high_watermark[PARTITIONS];
    bool is_damaged[PARTITIONS]; // by rot
    bool is_final;
    int broker_only;  // -1 = any
    const bool *owns; // the partitions that a member of the group fetches; NULL = all, in every way
    void (*on_record)(void *arg, int partition, int64_t offset); // may be NULL
    void *on_record_arg;
};

// consumer_record_name reads who sent a record, and which of its records it is; false: nobody known.
bool consumer_record_name(const struct record *record, int *ret_producer, uint64_t *ret_number,
                          uint64_t *ret_hash);
struct consumer *consumer_create(struct scenario *s, struct env *env, int index);
void consumer_destroy(struct consumer *take_consumer);
bool consumer_connect(struct consumer *c); // to some broker
// consumer_fetch fetches from all partitions, or only one, and checks the answer; false = drop the
// connection.
bool consumer_fetch(struct consumer *c, int only);
// consumer_list_offset: OFFSET_NO_ANSWER, or what ListOffsets says to a time, -1 (end), -2 (start), -3
// (largest time).
int64_t client_list_offset(struct client *c, int partition, int64_t timestamp, int64_t *ret_timestamp);
int64_t consumer_list_offset(struct consumer *c, int partition, int64_t timestamp, int64_t *ret_timestamp);

#endif
