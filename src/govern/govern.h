// SPDX-License-Identifier: Apache-2.0
// govern.h - contracts in force: which contract holds for a topic and a record, and what becomes of a record
// that breaks it. The policy of broker_produce for governed topics (broker/policy.h, docs/decisions/0011),
// and what it counted.
//
// What is bound is loaded on one loop, from the registry, into immutable snapshots that every loop shares; a
// batch that meets one that is not there yet waits. Nothing is let through because something could not be
// loaded.
//
// Threads: govern_policy's functions on any loop of the broker; the rest says.
#ifndef GOVERN_GOVERN_H
#define GOVERN_GOVERN_H

#include "broker/broker.h"
#include "broker/policy.h"
#include "registry/registry.h"

enum {
    GOVERN_SNAPSHOTS_MAX = 100000,         // kept; the least used go first
    GOVERN_SNAPSHOT_BYTES_MAX = 512 << 20, // likewise, compiled contracts and all
    GOVERN_CASE_SNAPSHOTS_MAX = 256,       // that one batch may need: subjects, schemas, contracts
    GOVERN_SAMPLES_MAX = 1000,             // of violations, the newest
    GOVERN_CASE_SAMPLES_MAX = 4,           // of one batch among them
};

struct govern;

// govern_create comes before the broker, which is given its policy.
struct govern *govern_create(struct env *env, struct metrics *metrics);
struct broker_policy govern_policy(struct govern *g);
// govern_attach makes the registry over the broker, which is open. port: on whose loop contracts are loaded.
// Before anything is judged, bound or registered.
void govern_attach(struct govern *g, struct broker *broker, struct broker_port *port, struct str version);
// govern_stop wakes what waits, to be refused; nothing is loaded any more. On the loop, before it stops.
void govern_stop(struct govern *g);
void govern_destroy(
    struct govern *take_govern); // when the loops are gone, before the broker; NULL is a no-op

// govern_registry_begin gives the registry to this thread alone until govern_registry_end: microseconds, or
// what parsing a schema takes. Calls nothing that waits.
struct registry *govern_registry_begin(struct govern *g);
void govern_registry_end(struct govern *g);

// ---- what was counted, as JSON. Any thread.

// govern_violations_print: {"last":N,"violations":[...]}, at most `limit` of a topic (NULL ptr: of all),
// oldest first: the newest ones, or with `after` >= 0 those that come next after the one with that number.
void govern_violations_print(struct govern *g, struct str topic, int64_t after, size_t limit,
                             struct buf *out);
// govern_violations_any: there is one to print behind that number.
bool govern_violations_any(struct govern *g, struct str topic, int64_t after);
// govern_violations_listen has the task posted to the loop of govern_attach with the next violation of any
// topic, once; NULL: not any more. There is one listener.
void govern_violations_listen(struct govern *g, struct task *task);
// govern_topic_print: what governs the topic and what was counted; false: there is no such topic.
bool govern_topic_print(struct govern *g, struct str topic, struct buf *out);
// govern_topics_print: all topics that are governed, or have counts.
void govern_topics_print(struct govern *g, struct buf *out);

#endif
