// SPDX-License-Identifier: Apache-2.0
// judge_private.h - one batch while it is judged: judge.c walks its records, outcome.c keeps what comes of
// them.
#ifndef GOVERN_JUDGE_PRIVATE_H
#define GOVERN_JUDGE_PRIVATE_H

#include "contract/dead_letter.h"
#include "govern/govern_private.h"

enum {
    JUDGING_KEPT_BYTES_MAX = 8 << 20,   // texts that outlive their record
    JUDGING_OTHERS = 2 * OUTCOME_COUNT, // cells of what finds no other: records and findings, by action
    // Distinct rules, subjects and outcomes of one batch; the last cell is what was not judged.
    JUDGING_TALLIES_MAX = ITEM_DATA_TALLIES_MAX - JUDGING_OTHERS - 1,
    JUDGING_LETTERS_MAX = POLICY_LETTERS_MAX,
};

// What a record says that it was written with, and what that means here.
struct source {
    struct frame_name name;
    const struct snapshot *subject;       // NULL: none could be found
    const struct registry_member *member; // of it; NULL: it does not have that schema
};
struct written { // the last record's, kept for the next one
    struct source source;
    const struct snapshot *contract;    // NULL while it is not needed
    int32_t indexes[FRAME_INDEXES_MAX]; // Protobuf's
    size_t index_count;
    // Records without headers that begin with `prefix` are of the same source, which may be used: nearly all
    // records of a batch, so that nothing else is looked at for them.
    bool has_prefix;
    uint8_t prefix[FRAME_PREFIX_ID_SIZE];
};

struct tally {
    struct str subject;
    int32_t version;
    int32_t side;
    struct str rule; // NULL ptr: records
    struct str path;
    enum contract_action action;
    uint64_t count;
};

struct letters { // the dead letters for one topic
    struct str topic;
    struct batch_builder builder;
};

enum settle_stage {
    SETTLE_NOT,
    SETTLE_RECORDS, // what stays of the batch is put together
    SETTLE_BATCH,   // is finished
    SETTLE_LETTERS, // between two
    SETTLE_LETTER,  // the next one of the case's is finished
};

struct judging {
    struct govern *g;
    struct policy_case *c;
    struct waiter waiter;
    struct arena working; // of the contract, while it judges
    struct arena scratch; // of one record's findings
    struct arena kept;    // of the case
    size_t held_count;
    bool is_checked; // what is held was compared with the core after something had failed
    const struct snapshot *topic;
    const struct snapshot *subjects[SIDE_COUNT]; // of sides that have one for all records
    struct written last[SIDE_COUNT];
    struct contract_run run;
    struct record_iterator records;
    struct record record; // the one being judged
    int32_t index;        // of it
    bool has_record;
    struct contract_verdict verdicts[SIDE_COUNT]; // on it
    size_t slice_bytes;                           // taken on since the clock was looked at
    uint64_t slice_steps;                         // left then
    // what came of it so far
    size_t tally_count;
    struct tally others[JUDGING_OTHERS];
    int counted_side;                              // whose subject and version records are counted under
    struct item_tally unnamed[TALLY_RECORD_KINDS]; // where there is no memory for names
    struct tally *last_pass;
    const struct registry_member *last_pass_member; // of it; NULL: it is not to be had so cheaply
    struct contract_finding *last_mark;
    size_t sample_count;
    bool is_refused;
    int32_t refused_count;         // records found that are to be refused
    struct batch_verdict *actions; // by index; NULL while no record is taken out or marked
    bool is_rewritten;
    size_t letter_count;
    size_t named_count;   // letters whose topics were found to be named
    struct naming naming; // of the next one; topic NULL: not asked
    size_t letter_bytes;
    enum settle_stage stage; // of writing it again
    // From here on nothing is cleared, for each batch pays for that: as many as their counts say are written.
    struct snapshot *held[GOVERN_CASE_SNAPSHOTS_MAX];
    struct tally tallies[JUDGING_TALLIES_MAX];
    struct sample samples[GOVERN_CASE_SAMPLES_MAX];
    struct policy_bad_record bad[POLICY_BAD_RECORDS_MAX];
    struct letters letters[JUDGING_LETTERS_MAX];
    struct dead_letter_writer writer; // with the first of them
    // SETTLE_BATCH, SETTLE_LETTER: what is finished
    struct batch_finishing finishing;
    struct chunk *chunk; // where it goes; NULL: its size is not known yet
    struct buf made;
    struct batch_settling settling; // SETTLE_RECORDS, SETTLE_BATCH
};

// outcome_record takes what was found about the record.
void outcome_record(struct judging *j);
// outcome_refuse refuses the batch as a whole.
void outcome_refuse(struct judging *j, enum err err, struct str text);
// outcome_refuse_letters refuses it because its dead letters cannot go to that topic.
void outcome_refuse_letters(struct judging *j, enum err err, struct str name, const char *why);
// outcome_named: the topics that dead letters go to are there; false: the case is woken when one is, ask
// again.
bool outcome_named(struct judging *j);
// outcome_finish fills the case's out fields; false: there is more to do than a slice takes, call again.
bool outcome_finish(struct judging *j);
// outcome_samples keeps what was seen of the case's violations.
void outcome_samples(struct judging *j);
void outcome_reset(struct judging *j);

#endif
