// SPDX-License-Identifier: Apache-2.0
// governance.c - a topic's settings about contracts, read together.
#include "core/governance.h"

#include "core/setting.h"

static const char *const levels[] = {"none", "id", "structure", "contract"};
static const char *const actions[] = {"reject", "dlq", "mark", "observe"};
static const char *const strategies[] = {SUBJECT_STRATEGY_TOPIC, SUBJECT_STRATEGY_RECORD,
                                         SUBJECT_STRATEGY_TOPIC_RECORD};

// Names of one side's settings.
static const struct side_names {
    const char *level;
    const char *confluent_level;
    const char *subject;
    const char *strategy;
    const char *version_min;
} names[SIDE_COUNT] = {
    {"strom.key.validation.level", "confluent.key.schema.validation", "strom.key.subject",
     "confluent.key.subject.name.strategy", "strom.key.schema.version.min"},
    {"strom.value.validation.level", "confluent.value.schema.validation", "strom.value.subject",
     "confluent.value.subject.name.strategy", "strom.value.schema.version.min"},
};

// find gives the value of a topic's config, trimmed; empty if it has none.
static struct str find(const struct item_config *configs, uint32_t count, const char *name)
{
    for (uint32_t i = count; i > 0; i--) {
        if (str_equal(configs[i - 1].key, str_from_c(name))) {
            return str_trim(configs[i - 1].value);
        }
    }
    return (struct str){"", 0};
}

// choice gives the index of a value among `count` words; 0 if it is none of them.
static int choice(struct str value, const char *const *words, int count)
{
    for (int i = 1; i < count; i++) {
        if (str_equal(value, str_from_c(words[i]))) {
            return i;
        }
    }
    return 0;
}

// is_true: as setting_check takes booleans, in any case of letters.
static bool is_true(struct str value)
{
    static const char word[] = "true";
    bool is_same = value.len == sizeof word - 1;
    for (size_t i = 0; i < sizeof word - 1 && is_same; i++) {
        is_same = (value.ptr[i] | 0x20) == word[i];
    }
    return is_same;
}

static enum governance_level level_of(const struct item_config *configs, uint32_t count, int side)
{
    int level = choice(find(configs, count, names[side].level), levels, LEVEL_CONTRACT + 1);
    bool is_id = is_true(find(configs, count, names[side].confluent_level));
    return (enum governance_level)(is_id && level < LEVEL_ID ? LEVEL_ID : level);
}

bool governance_is_on(const struct item_config *configs, uint32_t count)
{
    return level_of(configs, count, SIDE_KEY) != LEVEL_NONE ||
           level_of(configs, count, SIDE_VALUE) != LEVEL_NONE;
}

bool governance_resolve(const struct item_config *configs, uint32_t count, struct governance *ret)
{
    *ret = (struct governance){
        .action = (enum governance_action)choice(find(configs, count, "strom.validation.on.failure"), actions,
                                                 ACTION_OBSERVE + 1),
        .dlq_topic = find(configs, count, "strom.validation.dlq.topic"),
        .is_null_refused = str_equal(find(configs, count, "strom.value.null"), STR("reject")),
    };
    for (int i = 0; i < SIDE_COUNT; i++) {
        int64_t version = 0;
        struct str text = find(configs, count, names[i].version_min);
        bool is_number = str_parse_i64(text, &version) && version >= VERSION_LATEST && version <= INT32_MAX;
        ret->sides[i] = (struct side_settings){
            .level = level_of(configs, count, i),
            .strategy = (enum subject_strategy)choice(find(configs, count, names[i].strategy), strategies,
                                                      SUBJECT_TOPIC_RECORD + 1),
            .subject = find(configs, count, names[i].subject),
            .version_min = is_number ? (int32_t)version : 0,
        };
    }
    return ret->sides[SIDE_KEY].level != LEVEL_NONE || ret->sides[SIDE_VALUE].level != LEVEL_NONE;
}

struct str governance_rule_topics(const struct item_config *configs, uint32_t count)
{
    struct str list = find(configs, count, GOVERNANCE_RULE_TOPICS);
    return governance_is_on(configs, count) ? list : (struct str){"", 0};
}

// join writes a, b and c; NULL ptr if they do not fit.
static struct str join(char *room, size_t size, struct str a, struct str b, struct str c)
{
    int len = snprintf(room, size, STR_FMT STR_FMT STR_FMT, STR_ARG(a), STR_ARG(b), STR_ARG(c));
    return len < 0 || (size_t)len >= size ? (struct str){NULL, 0} : (struct str){room, (size_t)len};
}

struct str governance_dlq_topic(const struct governance *governance, struct str topic,
                                char room[GOVERNANCE_NAME_SIZE])
{
    if (governance->dlq_topic.len > 0) {
        return governance->dlq_topic;
    }
    return join(room, GOVERNANCE_NAME_SIZE, topic, STR(".dlq"), STR(""));
}

struct str governance_subject(const struct side_settings *side, enum governance_side which, struct str topic,
                              struct str record, char room[GOVERNANCE_SUBJECT_SIZE])
{
    if (side->subject.len > 0) {
        return side->subject;
    }
    if (side->strategy == SUBJECT_RECORD) {
        return record;
    }
    if (side->strategy == SUBJECT_TOPIC_RECORD) {
        return join(room, GOVERNANCE_SUBJECT_SIZE, topic, STR("-"), record);
    }
    return join(room, GOVERNANCE_SUBJECT_SIZE, topic, which == SIDE_KEY ? STR("-key") : STR("-value"),
                STR(""));
}

// ---- checking

static enum err side_check(const struct item_config *configs, uint32_t count, int side, struct error *e)
{
    struct str level = find(configs, count, names[side].level);
    struct str confluent = find(configs, count, names[side].confluent_level);
    if (str_equal(level, STR("none")) && is_true(confluent)) {
        return FAIL(e, ERR_INVALID_CONFIG, "%s=none contradicts %s=true: set one of them", names[side].level,
                    names[side].confluent_level);
    }
    struct str subject = find(configs, count, names[side].subject);
    struct str strategy = find(configs, count, names[side].strategy);
    if (subject.len > 0 && choice(strategy, strategies, SUBJECT_TOPIC_RECORD + 1) != 0) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "%s fixes the subject, %s derives it from each record: set one of them",
                    names[side].subject, names[side].strategy);
    }
    return ERR_OK;
}

enum err governance_check(struct str topic, const struct item_config *configs, uint32_t count,
                          struct error *e)
{
    struct governance g;
    char room[GOVERNANCE_NAME_SIZE];
    for (int i = 0; i < SIDE_COUNT; i++) {
        enum err err = side_check(configs, count, i, e);
        if (err != ERR_OK) {
            return err;
        }
    }
    bool is_governed = governance_resolve(configs, count, &g);
    if (g.is_null_refused && g.sides[SIDE_VALUE].level == LEVEL_NONE) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "strom.value.null=reject has no effect without a strom.value.validation.level");
    }
    struct str dlq = governance_dlq_topic(&g, topic, room);
    bool is_asked = g.dlq_topic.len > 0 || (is_governed && g.action == ACTION_DLQ);
    if (is_asked && (dlq.ptr == NULL || !topic_name_is_valid(dlq))) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "strom.validation.dlq.topic: \"" STR_FMT "\" is no name that a topic can have",
                    STR_ARG(dlq));
    }
    if (is_asked && str_equal(dlq, topic)) {
        return FAIL(e, ERR_INVALID_CONFIG,
                    "strom.validation.dlq.topic: a topic cannot take its own dead letters");
    }
    return ERR_OK;
}
