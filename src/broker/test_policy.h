// SPDX-License-Identifier: Apache-2.0
// test_policy.h - a policy for tests and the simulator, real in all but its rule: a record is bad if its
// value begins with the word that the document `word/TOPIC` holds; without the document none is. Bad records
// go to the topic's dead letter topic if it has one, else their batch is refused.
#ifndef BROKER_TEST_POLICY_H
#define BROKER_TEST_POLICY_H

#include "broker/broker.h"

struct test_policy {
    struct broker_policy face;
    uint32_t slice_records;         // judged in one step; 0 = as many as a slice may
    uint32_t wait_one_in;           // every so many cases waits before it looks at the document; 0 = none
    bool is_endless;                // atomic: no case comes to its end
    enum err refusal;               // what a refused batch is told; ERR_OK = that its records are bad
    uint32_t cases;                 // atomic, as all that follows
    uint32_t ends[POLICY_LOST + 1]; // by enum policy_end
    uint32_t steps;
    size_t opened_max; // the most that a port held opened, seen by its loop
};

void test_policy_init(struct test_policy *policy);
// test_policy_word writes the document's key for a topic.
struct str test_policy_word(struct str topic, char room[TOPIC_LETTERS_SIZE + 8]);

#endif
