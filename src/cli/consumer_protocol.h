// SPDX-License-Identifier: Apache-2.0
// consumer_protocol.h - what members of a "consumer" group tell each other through the broker, which takes it
// for opaque bytes: the subscription of a member and the assignment that the leader makes (KIP-429 owned
// partitions, KIP-792 generation, KIP-881 rack). It comes from other clients: every count is checked against
// the bytes that are left. Pure.
#ifndef CLI_CONSUMER_PROTOCOL_H
#define CLI_CONSUMER_PROTOCOL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct topic_partitions {
    struct str topic;
    int32_t *partitions;
    size_t count;
};

struct subscription {
    int16_t version;
    struct str *topics;
    size_t topic_count;
    struct bytes user_data;         // NULL ptr = null
    struct topic_partitions *owned; // version 1 and later
    size_t owned_count;
    int32_t generation; // version 2 and later; -1 = unknown
    struct str rack;    // version 3 and later; NULL ptr = none
};

struct assignment {
    int16_t version;
    struct topic_partitions *topics;
    size_t topic_count;
    struct bytes user_data;
};

// Strings point into data. Fields of a version newer than 3 are skipped, as Kafka's own clients do. Empty
// data is a member that said nothing: no topics. ERR_MALFORMED; ERR_NO_MEMORY past the arena's cap.
enum err subscription_decode(struct bytes data, struct arena *arena, struct subscription *ret,
                             struct error *e);
enum err assignment_decode(struct bytes data, struct arena *arena, struct assignment *ret, struct error *e);

// subscription_encode writes version 1 for a member that owns nothing; assignment_encode version 0. Both are
// what librdkafka writes.
void subscription_encode(const struct str *topics, size_t count, struct buf *out);
void assignment_encode(const struct topic_partitions *topics, size_t count, struct buf *out);

#endif
