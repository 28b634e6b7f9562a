// SPDX-License-Identifier: Apache-2.0
// ruled.h - topics that a contract governs: `ruled` sets bad records aside in `ruled.dlq`, `strict` refuses
// their batches. The rule is a word, here one letter, that a thread of a broker changes all the time; the
// policy is that of the broker's own tests. I15: what was acknowledged and committed is in exactly one of
// topic and dead letter topic, at the offset that was told; what was refused or aborted is in neither. I16:
// what enters after a change was acknowledged was judged by it. I22: what the log counts of a topic is what
// is in it, in its dead letters and was refused.
#ifndef SIM_RULED_H
#define SIM_RULED_H

#include "base/bytes.h"
#include "base/error.h"
#include "scenario.h"

enum { RULED_WRITERS = 3, RULED_RECORDS_MAX = 4, RULED_LETTERS = 4 };
#define RULED_WORD "word/"

enum ruled_topic { RULED_ASIDE, RULED_STRICT, RULED_TOPICS };
extern const char *const ruled_topics[RULED_TOPICS];

// ---- ruled_history.c: outside of the simulated processes

struct ruled_history *ruled_history_create(struct scenario *s);
void ruled_history_destroy(struct ruled_history *take_history);
// A change of the rule of one topic: sent gives its number; it ends acknowledged, or void, or in doubt.
int ruled_word_sent(struct ruled_history *h, enum ruled_topic topic, char letter);
void ruled_word_acked(struct ruled_history *h, int word);
void ruled_word_void(struct ruled_history *h, int word); // it never takes effect

// A batch: letters of its records; sent gives its number.
enum ruled_fate {
    RULED_DOUBT,
    RULED_KEPT,    // acknowledged, and committed if it is in a transaction
    RULED_REFUSED, // by the rule
    RULED_ABORTED,
};
uint64_t ruled_sent(struct ruled_history *h, enum ruled_topic topic, const char *letters, int32_t count);
uint64_t ruled_count(const struct ruled_history *h);
void ruled_acked(struct ruled_history *h, uint64_t batch, int64_t base_offset);
void ruled_settled(struct ruled_history *h, uint64_t batch, enum ruled_fate fate);
// The last look: every record that is visible, then the end.
void ruled_found(struct ruled_history *h, enum ruled_topic topic, bool is_letter, int64_t offset,
                 struct str value);
void ruled_end(struct ruled_history *h);

// ---- what is counted: noted by a broker, compared at the end

// ruled_note keeps what the reader's broker has counted, and where the topics end.
struct core;
void ruled_note(struct scenario *s, const struct core *core);
// ruled_counted: records were found up to `end`, visible or not. False: the broker's topics end elsewhere.
bool ruled_is_noted(const struct ruled_history *h, enum ruled_topic topic, bool is_letter, int64_t end);
void ruled_counted(struct ruled_history *h, const uint64_t records[RULED_TOPICS], uint64_t letters);

// ---- ruled.c, ruled_reader.c

void ruled_writer_main(struct env *env, void *arg);
void ruled_changer_main(void *writer); // struct document_writer: a thread of the broker's process
void ruled_final(struct scenario *s, struct env *env);

#endif
