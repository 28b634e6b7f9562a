// SPDX-License-Identifier: Apache-2.0
// traffic.h - what went in and out, of everything and by partition, since the start. The broker's lock guards
// it.
#ifndef BROKER_TRAFFIC_H
#define BROKER_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

struct traffic {
    uint64_t messages_in;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t produces; // batches that came
    uint64_t produces_failed;
    uint64_t fetches; // partitions that were read from
    uint64_t fetches_failed;
};

struct slot_traffic {
    uint64_t generation; // of the slot's user that it is about
    struct traffic traffic;
};

struct broker;
struct submission;
struct fetch_op;

#define TRAFFIC_NO_SLOT UINT32_MAX

// All with the lock held.
void traffic_reserve(struct broker *b, uint32_t slot_count);
// traffic_slot finds the counters of the slot's present user, NULL if it has none.
struct traffic *traffic_slot(struct broker *b, uint32_t slot);
void traffic_produce(struct broker *b, uint32_t slot, bool has_failed); // a batch came, and was refused
// traffic_outcome counts a batch whose outcome is known.
void traffic_outcome(struct broker *b, const struct submission *s);
void traffic_fetch(struct broker *b, const struct fetch_op *op);

#endif
