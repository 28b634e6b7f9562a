// SPDX-License-Identifier: Apache-2.0
// dlq.h - what the verbs of `strom dlq` share: which topic keeps the dead letters of another, what a dead
// letter says of itself, reading them, and driving them home. Owner: the command.
#ifndef CLI_DLQ_H
#define CLI_DLQ_H

#include "cli/cli_private.h"
#include "cli/log_reader.h"
#include "contract/dead_letter.h"

extern const struct cli_command dlq_show_command;
extern const struct cli_command dlq_replay_command;
extern const struct cli_command dlq_drop_command;

// What the broker wrote into the headers of a record that it set aside. NULL ptr where a header is not there.
struct dead_letter {
    struct str rule;
    struct str reason;
    struct str subject;
    struct str topic;    // where it was bound for
    int32_t partition;   // there; -1 = not told
    struct str client;   // client id of its producer
    struct str replayed; // "PARTITION:OFFSET" of the dead letter that it was before; it failed again
};
void dead_letter_read(const struct record *record, struct dead_letter *ret);
// The header of a record that was a dead letter: "PARTITION:OFFSET".
#define DEAD_LETTER_REPLAYED "__strom.replay.from"

// One partition of dead letters.
struct dlq_partition {
    int32_t partition;
    int64_t start;
    int64_t end;      // when the command began
    int64_t position; // of the replay: everything before it was replayed
};

struct dlq {
    struct run *run;
    const char *what; // "cannot replay orders.dlq"
    struct str topic; // of the dead letters
    struct uuid topic_id;
    struct dlq_partition *partitions;
    size_t count;
    struct str group; // whose committed offsets are the replay's positions
};

// Where the dead letters of a governed topic go, as far as its settings and its contracts say.
struct dlq_takers {
    struct str *names;
    size_t count;
    bool is_set;    // the settings name one, which takes all; else rules of its contracts name each of these
    bool has_rules; // which put into TOPIC.dlq what they name no topic for
};
// dlq_takers asks the broker. false after saying what went wrong; a topic that is not there is no failure.
bool dlq_takers(struct run *run, struct str governed, struct dlq_takers *ret);
// dlq_topic_open finds where the dead letters in `topic` begin and end. `what`: "cannot replay orders.dlq".
bool dlq_topic_open(struct run *run, struct str topic, const char *what, struct dlq *ret);
enum dlq_holds { DLQ_HOLDS_NOTHING, DLQ_HOLDS_LETTERS, DLQ_HOLDS_OTHERS };
// dlq_beside opens TOPIC.dlq. DLQ_HOLDS_OTHERS: it is not there, or has other records than dead letters.
bool dlq_beside(struct run *run, struct str name, const char *what, struct dlq *ret,
                enum dlq_holds *ret_holds);
// dlq_open finds the dead letters by the name of a governed topic or their own: where its settings say, else
// its rules, or TOPIC.dlq, else the topic itself if it holds dead letters. Fails for a topic of other
// records: replay would double them, and drop lose them; and where rules put them into several topics.
bool dlq_open(struct run *run, struct str name, const char *verb, struct dlq *ret);
// dlq_positions reads how far replay has come; it waits for a transaction that is still open.
bool dlq_positions(struct dlq *dlq);
// dlq_count reads them: how many there are, and how many of them wait behind the positions. Offsets alone do
// not tell, as transactions have their marks among them.
bool dlq_count(const struct dlq *dlq, int64_t *ret_kept, int64_t *ret_waiting);

#endif
