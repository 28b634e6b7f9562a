// SPDX-License-Identifier: Apache-2.0
// policy.h - how broker_produce asks whether a batch may enter a governed topic (decision 0011). The policy
// is pluggable: server/ fills the table, govern/ implements it, tests and the simulator have their own. The
// broker does the rest: it checks and decompresses, orders the verdict with what it was reached from, judges
// again when that has moved, and writes dead letters as dependents of their batch.
//
//   judge --MORE--> judge ... --WAIT--> (woken) judge ... --JUDGED--> settle
//
// One case is judged on one loop, by one call at a time; many cases of many loops at once. Between the first
// judge and settle the policy may keep what it needs in `state`.
#ifndef BROKER_POLICY_H
#define BROKER_POLICY_H

#include "base/list.h"
#include "core/governance.h"
#include "core/item.h"
#include "record/batch.h"
#include "runtime/loop.h"
#include "runtime/pool.h"

enum {
    POLICY_CONDITIONS_MAX = ITEM_DATA_CONDITIONS_MAX, // documents that one verdict may rest on
    POLICY_LETTERS_MAX = ITEM_DATA_TARGETS_MAX,       // dead letter topics of one batch
    POLICY_BAD_RECORDS_MAX = 16,                      // told to the client, of any number
    POLICY_TRIES = 8,                                 // a batch is judged while what it rests on moves
    POLICY_SLICE_BYTES = 256 << 10,                   // of records, that one call of judge takes on
    POLICY_SLICE_NS = 1000000,                        // that it should take at most
};

enum policy_step {
    POLICY_JUDGED, // the out fields are set
    POLICY_MORE,   // call again, once others were served
    POLICY_WAIT,   // call again after policy_case_wake
};

struct policy_bad_record {
    int32_t index;   // within the batch, from 0
    struct str text; // path, rule, reason; never a value of the payload. In the arena
};

// The dead letters of one batch for one topic: one batch of the format, as record/build.h makes it without
// producer, base offset 0. The broker writes producer and transaction into it where there is one.
struct policy_letter {
    struct str topic; // in the arena. The broker chooses the partition: that of the batch, modulo
    struct bytes batch;
    struct chunk *chunk; // holds the batch; the broker releases it
};

struct policy_case {
    // in: valid from the first judge until settle
    struct broker_port *port; // whose loop judges
    struct arena *arena;      // the request's; for texts and lists, not for payload. May be full: NULL
    struct uuid topic_id;
    struct str topic_name;
    int32_t partition;
    uint64_t config_revision;   // of the topic's own configs: what was parsed of them stays true for it
    struct str dlq_topic;       // where the topic's settings put dead letters; NULL ptr = nowhere
    struct batch_header header; // as it came: codec, producer, counts, timestamps
    struct bytes original;      // the whole batch, checked; as it will be appended if nothing is rewritten
    struct bytes records;       // all its records, decompressed and checked: record_iterator_init_plain
    int64_t log_append_time_ms; // every record's timestamp is this; -1 = as in the batch
    struct str client_id;       // NULL ptr = unknown
    struct str principal;       // "User:ANONYMOUS" until there is authentication
    size_t bytes_max;           // of a rewritten batch
    size_t letter_bytes_max;    // of all letters together; a batch that would need more is to be refused
    int64_t slice_until_ns;     // set anew for each call: monotonic, as clock_mono_ns
    // out, with POLICY_JUDGED
    bool is_refused;                       // the whole batch: nothing of it enters
    enum err err;                          // why, with is_refused: ERR_INVALID_RECORD as a rule
    struct str text;                       // likewise: of the batch as a whole. In the arena
    struct policy_bad_record *bad_records; // likewise; at most POLICY_BAD_RECORDS_MAX, in the arena
    int32_t bad_record_count;
    bool is_rewritten; // `batch` replaces what came: as compaction would leave it, offsets, base
    // sequence and last offset delta as they were; one left without records is a header alone
    struct bytes batch;
    struct chunk *chunk; // holds it; the broker releases it
    struct policy_letter *letters;
    uint32_t letter_count;
    // What the verdict rests on beside config_revision, whatever it is: keys and revisions of documents, 0 =
    // it does not exist. They must have been looked up before, or together with, what was read. In the arena.
    struct item_condition *conditions;
    uint32_t condition_count;
    // How its records are counted once it is in or refused for good: each as one of the first kinds, and the
    // findings. Valid until settle; none: nothing is counted.
    struct bytes tally_who;
    struct item_tally *tallies; // at most ITEM_DATA_TALLIES_MAX
    uint32_t tally_count;
    // in, for settle with POLICY_FINAL
    int64_t base_offset; // of the batch; -1: it was refused
    // the policy's own
    void *state; // NULL before the first judge
    // the broker's
    struct task wake;
    struct item_tally unnamed;
};

// A question: may these configs govern the topic?
struct policy_binding {
    // in: all of it lives until the answer
    struct loop *loop; // where `answered` is posted
    struct str topic_name;
    const struct item_config *configs; // the whole new set, sorted by key
    uint32_t config_count;
    struct task answered;
    // out
    enum err err; // ERR_INVALID_CONFIG with the position in the text; ERR_STOPPING
    struct error error;
    struct arena found;  // of what follows; the asker frees it with arena_fini
    struct str *letters; // topics that rules of its contracts name for dead letters, each once
    uint32_t letter_count;
    struct item_condition *conditions; // what the answer rests on
    uint32_t condition_count;
    // the policy's own
    struct list node;
};
enum {
    POLICY_BINDING_LETTERS_MAX = GOVERNANCE_RULE_TOPICS_MAX,
    POLICY_BINDING_CONDITIONS_MAX = 16,
};

// How a case ended. A verdict was given with POLICY_FINAL only: each batch gives exactly one of those, or
// none.
enum policy_end {
    POLICY_FINAL,     // appended, or refused: ordered, and true of what was current then
    POLICY_DUPLICATE, // an earlier copy had been appended, or refused and counted
    POLICY_STALE,     // what the verdict rests on has moved; a new case follows, or the producer tries again
    POLICY_LOST,      // fenced, out of order, not stored: somebody else's reason
};

struct broker_policy {
    void *arg;
    // judge does a bounded piece of work: it returns MORE once it took on POLICY_SLICE_BYTES of records or
    // slice_until_ns has passed (policy_slice_is_over), after at least one record. A WAIT must be woken
    // exactly once, also where loading fails and when the server stops.
    enum policy_step (*judge)(void *arg, struct policy_case *c);
    // settle is called once for every case that was judged at least once: release `state`.
    void (*settle)(void *arg, struct policy_case *c, enum policy_end end);
    // bind has the question answered (policy_binding_answer), exactly once, also when the server stops: that
    // contracts are found and compile. Asked on a loop that has others to serve, before a topic is created or
    // its configs are changed: what takes time is done elsewhere. NULL = any may.
    void (*bind)(void *arg, struct policy_binding *binding);
};

// policy_case_wake makes judge be called again, on the case's loop. Any thread; never inside judge.
void policy_case_wake(struct policy_case *c);
// policy_binding_answer posts `answered`; err and error are set. Any thread; the binding is gone afterwards.
void policy_binding_answer(struct policy_binding *binding);
// policy_slice_is_over: `bytes` of records were taken on in this call.
bool policy_slice_is_over(const struct policy_case *c, size_t bytes);

#endif
