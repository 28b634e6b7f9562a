// SPDX-License-Identifier: Apache-2.0
// governance.h - which contracts a topic asks for: its settings that begin with strom. and speak of
// validation, and Confluent's names for the first level of it. They have no broker-wide defaults: a verdict
// names the revision of the topic's settings, and what holds must follow from these alone
// (docs/decisions/0011). Pure.
#ifndef CORE_GOVERNANCE_H
#define CORE_GOVERNANCE_H

#include "base/bytes.h"
#include "base/error.h"
#include "core/item.h"

enum governance_level {
    LEVEL_NONE,      // anything goes
    LEVEL_ID,        // a schema id or GUID that is registered under the right subject
    LEVEL_STRUCTURE, // and the payload is what the schema says
    LEVEL_CONTRACT,  // and it keeps the contract's rules
};

enum governance_action { // what becomes of a record that fails, where its rule does not say
    ACTION_REJECT,       // its batch is refused
    ACTION_DLQ,          // it is set aside in the dead letter topic
    ACTION_MARK,         // it gets a header
    ACTION_OBSERVE,      // it is counted; whatever its rule says
};

enum subject_strategy { SUBJECT_TOPIC, SUBJECT_RECORD, SUBJECT_TOPIC_RECORD };

enum governance_side { SIDE_KEY, SIDE_VALUE, SIDE_COUNT };

enum { VERSION_LATEST = -1 }; // as version_min: no version but the newest one

struct side_settings {
    enum governance_level level;
    enum subject_strategy strategy;
    struct str subject;  // empty: by the topic's association, else by the strategy
    int32_t version_min; // of the subject; VERSION_LATEST
};

struct governance {
    struct side_settings sides[SIDE_COUNT];
    enum governance_action action;
    struct str dlq_topic; // as set; empty: see governance_dlq_topic
    bool is_null_refused; // a null value
};

// governance_resolve reads the configs of one topic; texts are borrowed from them. A value that is not valid
// counts as not set. True if the topic is governed: a side has a level.
bool governance_resolve(const struct item_config *configs, uint32_t count, struct governance *ret);

// governance_is_on says the same of the configs alone. What it calls governed may not change: apply decides
// by it.
bool governance_is_on(const struct item_config *configs, uint32_t count);

// What rules of a topic's contracts name for dead letters (`dlq.topic`), separated by commas. Whoever binds
// the topic puts it into its configs; it is no setting: no client sets it, and one sees it that asks for it
// by this name (`strom dlq` does).
#define GOVERNANCE_RULE_TOPICS "strom.validation.rule.dlq.topics"
enum { GOVERNANCE_RULE_TOPICS_MAX = 64 };
// governance_rule_topics gives that list; empty = none, or the topic is not governed.
struct str governance_rule_topics(const struct item_config *configs, uint32_t count);

// The document that changes whenever contracts are bound to a topic: what was planned without knowing of that
// is stale.
#define BINDINGS_DOCUMENT "bindings"

// governance_dlq_topic names where a governed topic's dead letters go: as set, else "TOPIC.dlq", written into
// `room` (ITEM_NAME_MAX + 8 bytes).
enum { GOVERNANCE_NAME_SIZE = ITEM_NAME_MAX + 8 };
struct str governance_dlq_topic(const struct governance *governance, struct str topic,
                                char room[GOVERNANCE_NAME_SIZE]);

// governance_subject names the subject of one side: as set, else TOPIC-key, TOPIC-value, RECORD,
// TOPIC-RECORD; `room` as above with room for a record's name: NULL ptr if it does not fit. record is not
// looked at by SUBJECT_TOPIC.
enum { GOVERNANCE_SUBJECT_SIZE = 1024 };
struct str governance_subject(const struct side_settings *side, enum governance_side which, struct str topic,
                              struct str record, char room[GOVERNANCE_SUBJECT_SIZE]);

// governance_check says what is wrong with a topic's configs together, each of which is valid:
// ERR_INVALID_CONFIG.
enum err governance_check(struct str topic, const struct item_config *configs, uint32_t count,
                          struct error *e);

#endif
