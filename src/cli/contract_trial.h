// SPDX-License-Identifier: Apache-2.0
// contract_trial.h - a contract tried on records, before it governs any: which would fail, by which rule, and
// why. The code that judges is the broker's own. A trial is shared by judges, one for each thread; it is the
// command's own again once they have ended.
#ifndef CLI_CONTRACT_TRIAL_H
#define CLI_CONTRACT_TRIAL_H

#include "cli/contract_file.h"
#include "cli/sample.h"
#include "contract/contract.h"
#include "contract/frame.h"
#include "record/iterate.h"

enum {
    TRIAL_RULES_MAX = 256,
    TRIAL_CONTRACTS_MAX = 256,
    TRIAL_INDEXES_MAX = 8,
    TRIAL_SAMPLE_MAX = 1000000000,
    TRIAL_EXACT_MAX = 1000000, // records of which `apply` judges every one, and so many of a topic with more
};

// What one rule found on one path.
struct trial_row {
    struct str rule;
    struct str path;
    enum governance_side side;
    enum contract_action action;
    int64_t count;     // of findings
    int32_t partition; // of the first record
    int64_t offset;    // or its line in a file
    size_t order;      // among the findings of the first
    struct str reason; // of the first
    int64_t last;      // record of the judge that it was found of
    int64_t here;      // records of the place that is being read
    struct sample_found found;
};

struct trial_contract { // of one schema that records name
    enum governance_side side;
    struct frame_name name;
    int32_t indexes[TRIAL_INDEXES_MAX];
    size_t index_count;
    struct contract *contract; // NULL: it cannot be had
    const char *why;
};

struct trial_counts {
    struct trial_row *rows; // TRIAL_RULES_MAX; more are counted alone
    size_t row_count;
    int64_t records;
    int64_t actions[CONTRACT_REJECT + 1]; // records by what would become of them
};

struct trial {
    struct run *run;
    const struct contract_file *file;
    enum contract_action on_failure;
    struct governance governance;     // by the file's settings
    struct contract *own[SIDE_COUNT]; // of the file's schemas
    struct schema *schemas[SIDE_COUNT];
    int64_t now_ms;      // what rules see as the time: when the trial began
    struct mutex *mutex; // over all below, while there are judges
    struct registry_client *registry;
    struct trial_contract *contracts; // TRIAL_CONTRACTS_MAX; those made stay as they are
    size_t contract_count;
    struct trial_counts counts;
    int64_t sample;   // records to draw from a topic that has more; 0: all are judged
    bool is_sample;   // they were drawn: what is found of all is an estimate
    int64_t first;    // only so many are judged, the first of a topic that has more; 0: no such limit
    int64_t offsets;  // of the topic
    int64_t run_seen; // of a sample: a run of so many offsets cannot be missed
    struct sample_size size;
    struct sample_found failed;
};

// trial_init compiles the file's contracts; false after saying what is wrong with them. The registry is asked
// for the schemas that the file refers to, and those that records name.
bool trial_init(struct trial *trial, struct run *run, const struct contract_file *file,
                struct registry_client *registry);
void trial_fini(struct trial *trial);

// One judge of a trial. Owner: its thread.
struct trial_judge {
    struct trial *trial;
    struct arena arena;                  // of one record
    struct arena scratch;                // of one verdict
    struct arena texts;                  // of the rows
    const struct trial_contract **known; // TRIAL_CONTRACTS_MAX: those it met
    size_t known_count;
    struct trial_counts counts;
};
void trial_judge_init(struct trial_judge *judge, struct trial *trial);
// trial_judge_end adds what it found to the trial's, and frees it.
void trial_judge_end(struct trial_judge *judge);

// trial_record judges key and value as they are stored. A record that names a schema is read with that one,
// and held to the rules of the file; one that names none is held to the file's schema if that is a JSON
// Schema, as the broker does it. Not looked at: whether the schema that a record names belongs to the
// subject, and the lowest version. The strongest action is returned.
enum contract_action trial_record(struct trial_judge *judge, const struct record *record, int32_t partition);

// trial_place_end says that the records of one place of the topic were judged, so many.
void trial_place_end(struct trial_judge *judge, int64_t records);

// trial_topic (contract_history.c) does it with what a topic holds: with its first records, as --limit says,
// with `sample` drawn at random, or with all. false after saying what went wrong; a topic that is not there
// holds nothing.
bool trial_topic(struct trial *trial, struct str topic);
#define TRIAL_TOPIC_FLAGS                                                                                    \
    {"limit", ARGS_INT, "N", NULL, 1, INT64_MAX, "Try at most N records."},                                  \
    {                                                                                                        \
        "sample", ARGS_INT, "N", NULL, 1, TRIAL_SAMPLE_MAX,                                                  \
            "Try N records, drawn at random, of a topic that holds more. What fails of all is then an "      \
            "estimate, whose bounds are stated."                                                             \
    }

// trial_records_all is how many records the topic holds; of a sample, about.
int64_t trial_records_all(const struct trial *trial);

static inline int64_t trial_failed(const struct trial_counts *counts)
{
    return counts->actions[CONTRACT_REJECT] + counts->actions[CONTRACT_DEAD_LETTER] +
           counts->actions[CONTRACT_MARK];
}

#endif
