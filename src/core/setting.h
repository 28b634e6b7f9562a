// SPDX-License-Identifier: Apache-2.0
// setting.h - every topic and broker setting: name, type, default, range, prose. One table makes the parser,
// the defaults, DescribeConfigs and the reference page. Names are Kafka's own where Kafka has one, else
// strom.*.
#ifndef CORE_SETTING_H
#define CORE_SETTING_H

#include "base/bytes.h"
#include "base/error.h"
#include "core/item.h"

enum setting_type { // numbers as in Kafka's DescribeConfigs ConfigType
    SETTING_BOOLEAN = 1,
    SETTING_STRING = 2,
    SETTING_INT = 3,
    SETTING_LONG = 5,
    SETTING_DOUBLE = 6,
    SETTING_LIST = 7,
    SETTING_PASSWORD = 9,
};
enum setting_scope {
    SETTING_TOPIC,          // a topic config; `broker_name` is its broker-wide default's name
    SETTING_BROKER_DYNAMIC, // a broker config that AlterConfigs may change
    SETTING_BROKER_STATIC,  // a broker config read at start (file, flag, environment)
};

struct setting {
    const char *name;
    const char *broker_name; // topic scope: the broker setting it falls back to, or NULL
    enum setting_scope scope;
    enum setting_type type;
    const char *default_text; // NULL = none
    int64_t min;              // of numbers
    int64_t max;
    const char *choices; // comma-separated allowed values of strings and lists, or NULL
    const char *unit;    // "ms", "bytes" or ""
    const char *text;    // one sentence
};

const struct setting *setting_find(struct str name,
                                   enum setting_scope scope); // broker scopes find each other
uint32_t setting_count(void);
const struct setting *setting_at(uint32_t index); // in table order
// setting_check validates a value with a message in Kafka's manner ("Invalid value x for configuration y:
// ...").
enum err setting_check(const struct setting *setting, struct str value, struct error *e);

// setting_parse_double reads plain decimals: enough for ratios, and the same in every locale.
bool setting_parse_double(struct str text, double *ret);

// Confluent's names of the subject name strategies.
#define SUBJECT_STRATEGY_TOPIC        "io.confluent.kafka.serializers.subject.TopicNameStrategy"
#define SUBJECT_STRATEGY_RECORD       "io.confluent.kafka.serializers.subject.RecordNameStrategy"
#define SUBJECT_STRATEGY_TOPIC_RECORD "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"

enum timestamp_type { TIMESTAMP_CREATE = 0, TIMESTAMP_LOG_APPEND = 1 };

// Effective values of one topic, parsed.
struct topic_settings {
    int64_t retention_ms;    // -1 = for ever
    int64_t retention_bytes; // -1 = no limit
    int64_t segment_bytes;
    int64_t segment_ms;
    int32_t max_message_bytes;
    int64_t timestamp_before_max_ms;
    int64_t timestamp_after_max_ms;
    enum timestamp_type timestamp_type;
    int64_t delete_retention_ms;   // of tombstones and markers
    int64_t compaction_lag_min_ms; // younger records are not compacted
    int64_t compaction_lag_max_ms; // older ones must be
    double cleanable_ratio_min;    // share of uncompacted bytes that starts a compaction
    int32_t compression;           // compression.type as a batch's codec bits; -1 = producer: as sent
    int32_t compression_level;     // of that codec
    bool is_compacted;             // cleanup.policy has compact
    bool is_deleted;               // cleanup.policy has delete
    bool is_durability_os;         // strom.durability=os: acknowledged once the kernel has it
    bool is_governed;              // by contracts: see governance.h
};

enum setting_source { // numbers as in Kafka's DescribeConfigs ConfigSource
    SETTING_FROM_TOPIC = 1,
    SETTING_FROM_DYNAMIC = 3, // AlterConfigs on the broker (one set for the cluster)
    SETTING_FROM_STATIC = 4,  // file, flag or environment, at start
    SETTING_FROM_DEFAULT = 5,
};

// Where values come from, nearest first. Borrowed; a zeroed struct has defaults only. Later entries of one
// list win over earlier ones with the same key.
struct setting_layers {
    const struct item_config *topic_configs;
    uint32_t topic_count;
    const struct item_config *dynamic_configs;
    uint32_t dynamic_count;
    const struct item_config *static_configs;
    uint32_t static_count;
};

enum { SETTING_NUMBER_SIZE = 24 };
// setting_lookup finds the effective text of a setting: NULL ptr if it has none. Kafka's coarser spellings
// count where the finer one is not set anywhere (log.retention.ms, then .minutes, then .hours): their value
// is converted into `number`. ret_source may be NULL.
struct str setting_lookup(const struct setting *setting, const struct setting_layers *layers,
                          char number[SETTING_NUMBER_SIZE], enum setting_source *ret_source);
// Typed look-ups by name; a crash if the table has no such setting of that type. A text that does not
// parse or is out of range counts as not set.
int64_t setting_number(struct str name, enum setting_scope scope, const struct setting_layers *layers);
bool setting_boolean(struct str name, enum setting_scope scope, const struct setting_layers *layers);
void topic_settings_resolve(const struct setting_layers *layers, struct topic_settings *ret);

// topic_name_is_valid: 1 to 249 of [A-Za-z0-9._-], neither "." nor "..".
bool topic_name_is_valid(struct str name);

#endif
