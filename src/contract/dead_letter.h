// SPDX-License-Identifier: Apache-2.0
// dead_letter.h - what becomes of a batch with bad records: the records that stay, as compaction would leave
// them; the bad ones as dead letters. Pure.
#ifndef CONTRACT_DEAD_LETTER_H
#define CONTRACT_DEAD_LETTER_H

#include "contract/contract.h"
#include "record/rewrite.h"

// Headers of a dead letter, behind the record's own: the five of Confluent's DlqAction, then where it came
// from.
#define DEAD_LETTER_RULE_NAME        "__rule.name"
#define DEAD_LETTER_RULE_MODE        "__rule.mode" // "WRITE"
#define DEAD_LETTER_RULE_SUBJECT     "__rule.subject"
#define DEAD_LETTER_RULE_TOPIC       "__rule.topic"
#define DEAD_LETTER_RULE_EXCEPTION   "__rule.exception" // path: reason
#define DEAD_LETTER_ORIGIN_TOPIC     "__strom.origin.topic"
#define DEAD_LETTER_ORIGIN_PARTITION "__strom.origin.partition" // decimal
#define DEAD_LETTER_ORIGIN_TIMESTAMP "__strom.origin.timestamp" // decimal, ms
#define DEAD_LETTER_ORIGIN_CLIENT_ID "__strom.origin.client.id"
#define DEAD_LETTER_ORIGIN_PRINCIPAL "__strom.origin.principal"      // "User:alice"
#define DEAD_LETTER_ORIGIN_SCHEMA    "__strom.origin.schema.version" // decimal; left out if there is none
// The header of a record that is marked: "rule: path: reason".
#define MARK_HEADER                  "__strom.violation"

enum { DEAD_LETTER_TEXTS = 4 }; // of a finding: rule, subject, path, reason

struct dead_letter_origin {
    struct str topic;
    int32_t partition;
    struct str client_id; // NULL ptr: none
    struct str principal; // NULL ptr: none
};

// Writes dead letters of one origin. Letters of a batch say nearly the same of their records: what the last
// one said is kept as it was coded, and of the next one only what differs is coded anew. Owner: the caller.
struct dead_letter_writer {
    struct dead_letter_origin origin; // private, as all that follows
    struct buf headers;               // of the last letter, coded
    int32_t header_count;
    size_t timestamp_at; // in headers
    size_t timestamp_len;
    int64_t timestamp;
    int32_t schema_version;
    struct buf texts; // of the finding that it told, one behind the other
    size_t text_lens[DEAD_LETTER_TEXTS];
};
// dead_letter_writer_init: the origin's texts are borrowed until fini.
void dead_letter_writer_init(struct dead_letter_writer *w, const struct dead_letter_origin *origin);
void dead_letter_writer_fini(struct dead_letter_writer *w);
// dead_letter_append adds the record to a batch: key, value, headers and timestamp as they were, and the
// headers above for the finding that decided. schema_version 0: it has none. What does not fit shows in
// batch_builder_finish.
void dead_letter_append(struct dead_letter_writer *w, struct batch_builder *builder,
                        const struct record *record, const struct contract_finding *finding,
                        int32_t schema_version);

// What becomes of each record of a batch, by its index.
struct batch_verdict {
    uint8_t action; // enum contract_action: DEAD_LETTER leaves the record out, MARK adds a header
    const struct contract_finding *finding; // of MARK
};
// What stays of a checked batch, whose records are decompressed, is put together again: without its dead
// letters, with its marks. Offsets, timestamps, last offset delta, base sequence, producer and codec are as
// they were. In steps, as a large one takes long. With no record left the batch is a header that covers its
// offsets, as after compaction.
enum { MARK_TEXT_SIZE = CONTRACT_PATH_SIZE + CONTRACT_REASON_SIZE + 308 }; // with a rule's name
struct batch_settling {
    struct batch_builder builder;         // done, has the batch: for batch_finishing
    const struct batch_verdict *verdicts; // private, as all that follows
    size_t count;
    struct batch_rewriting rewriting;
    struct record_header header;
    char text[MARK_TEXT_SIZE];
};
// batch_settling_begin: verdicts has one for each record; NULL: all are dead letters. All is borrowed until
// end, which must follow, and the struct stays where it is.
void batch_settling_begin(struct batch_settling *s, const struct batch_header *header, struct bytes records,
                          const struct batch_verdict *verdicts, size_t verdict_count);
// batch_settling_step takes on about so many bytes of records more.
enum err batch_settling_step(struct batch_settling *s, size_t bytes, bool *ret_is_done, struct error *e);
void batch_settling_end(struct batch_settling *s);

#endif
