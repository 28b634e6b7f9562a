// SPDX-License-Identifier: Apache-2.0
// contract.h - a data contract: a schema, its metadata and its rule set, compiled once; payloads in, verdicts
// out. What the rules mean follows Confluent's Java serializers, with a broker's part in them: rules of mode
// WRITE and WRITEREAD, where `enableAt` is not given, ALL or SERVER. Pure: no clock, I/O, threads or globals.
// Immutable and shared between threads.
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include "base/arena.h"
#include "base/error.h"
#include "format/program.h"

enum {
    CONTRACT_RULES_MAX = 2000, // that are run, with those of all parts and the checks inside of schemas
    CONTRACT_MEMORY_BYTES_MAX = 64 << 20, // without the schema's program
    CONTRACT_STEPS_RECORD_MIN =
        1 << 18, // of one record, in all: some milliseconds; one more for each byte ...
    CONTRACT_STEPS_RECORD_MAX = 1 << 20, // ... up to this
    CONTRACT_STEPS_BATCH_MAX = 1 << 26,
    CONTRACT_ARENA_BYTES_MAX = 8 << 20, // what the arena of a run should allow
    CONTRACT_FINDINGS_MAX = 16,         // told of one record; more are counted
    CONTRACT_PATH_SIZE = 256,
    CONTRACT_REASON_SIZE = 512,
};

// ---- compiling

// One schema with what the registry keeps beside it.
struct contract_part {
    const struct schema *schema;
    struct str metadata; // JSON as it is stored; NULL ptr = none
    struct str rule_set; // JSON as it is stored; NULL ptr = none
    struct str subject;
    int32_t version;
    int32_t id;
};

enum contract_level {
    CONTRACT_STRUCTURE, // the payload fits the schema
    CONTRACT_RULES,     // and its rules hold
};

struct contract_source {
    struct contract_part part;
    // The schemas that it refers to, over whatever way, once each: their rules run on the values of their
    // types.
    const struct contract_part *references;
    size_t reference_count;
    const int32_t *indexes; // of the Protobuf message, as frame.h reads them; 0 of them = the first message
    size_t index_count;
    enum contract_level level;
};

struct contract;

// contract_create compiles. ERR_INVALID_SCHEMA: the schema cannot be compiled or has no such message.
// ERR_INVALID_REQUEST: a rule cannot be run here; the text names it with its place: "rule 'ageCheck', line 1,
// column 9: ...". ERR_NO_MEMORY: over a limit above, or a program's.
enum err contract_create(const struct contract_source *source, struct contract **ret, struct error *e);
struct contract *contract_ref(const struct contract *contract);
void contract_unref(struct contract *take_contract); // NULL is a no-op
size_t contract_memory(const struct contract *contract);

// What a rule says that whoever binds the contract should know, though it can be bound: "rule 'x' is a
// TRANSFORM: the client runs it". One text each; NULL past the last.
const char *contract_remark(const struct contract *contract, size_t index);
// The dead letter topics that rules name themselves (`dlq.topic`), each once; NULL ptr past the last.
struct str contract_dead_letter_topic(const struct contract *contract, size_t index);

// ---- judging

// What is done about a record, the strongest last: the strongest finding decides.
enum contract_action {
    CONTRACT_PASS,
    CONTRACT_OBSERVE, // counted, and no more
    CONTRACT_MARK,
    CONTRACT_DEAD_LETTER,
    CONTRACT_REJECT, // the whole batch
};
const char *contract_action_name(enum contract_action action); // "reject", "dlq", "mark", "observe", "pass"

// The names of rules that are not in any rule set.
#define CONTRACT_RULE_STRUCTURE "strom:structure" // the payload does not fit the schema
#define CONTRACT_RULE_FRAMING   "strom:framing"   // no schema id, a malformed or contradictory one
#define CONTRACT_RULE_SCHEMA    "strom:schema"    // unknown id, other subject, too old a version
#define CONTRACT_RULE_NULL      "strom:null"      // a null value where none is accepted
#define CONTRACT_RULE_BUDGET    "strom:budget"    // the batch used up its steps

// Texts never hold a value of the payload. They live in the run's arena, or as long as the contract.
struct contract_finding {
    enum contract_action action;
    struct str rule;              // "ageCheck", "strom:structure"
    struct str subject;           // whose rule it is
    struct str path;              // "$.items[2].price"; "$" = the whole
    struct str reason;            // a sentence for people
    struct str dead_letter_topic; // of CONTRACT_DEAD_LETTER, if the rule names one; else NULL ptr
    size_t position;              // byte in the payload where it is known, else 0
};

// One verdict after another. A zeroed struct with what is marked `in` set is ready.
struct contract_run {
    struct arena *scratch;           // in: of one verdict, and reset by it; with a limit of its own
    struct arena *arena;             // in: reset by the owner between records or batches
    int64_t now_ms;                  // in: since 1970; one value for a whole batch
    enum contract_action on_failure; // in: the topic's setting; OBSERVE there beats what any rule says
    uint64_t steps; // in: left of the batch's CONTRACT_STEPS_BATCH_MAX; the run takes from it
};

struct contract_verdict {
    enum contract_action action; // of the strongest finding
    struct contract_finding *findings;
    size_t count; // at most CONTRACT_FINDINGS_MAX
    size_t total;
};

// contract_judge judges one payload, which comes without framing (frame.h). It always comes to a verdict:
// what cannot be judged - a rule that fails to evaluate, steps or memory that ran out - is a finding, never a
// pass.
enum contract_action contract_judge(const struct contract *contract, struct contract_run *run,
                                    struct bytes payload, struct contract_verdict *ret);
// contract_verdict_add notes a finding of the caller's: framing, null values. Texts are copied.
void contract_verdict_add(struct contract_run *run, struct contract_verdict *verdict, const char *rule,
                          struct str subject, const char *reason);

#endif
