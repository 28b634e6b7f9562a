// SPDX-License-Identifier: Apache-2.0
// setting_resolve.c - effective values: topic, else the broker's dynamic ones, else the static ones, else the
// default.
#include <inttypes.h>

#include "base/assert.h"
#include "core/governance.h"
#include "core/setting.h"

// Coarser spellings of a broker setting in ms, in the order in which they count after it.
static const struct coarse {
    const char *name;
    const char *coarse_name;
    int64_t unit_ms;
} coarse_names[] = {
    {"log.retention.ms", "log.retention.minutes", 60000},
    {"log.retention.ms", "log.retention.hours", 3600000},
    {"log.roll.ms", "log.roll.hours", 3600000},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", 3600000},
};

// Two names of one broker setting: what is set under either is the value of both.
static const struct alias {
    const char *name;
    const char *other_name;
} aliases[] = {
    {"node.id", "broker.id"},
    {"broker.id", "node.id"},
    {"data.dir", "log.dirs"},
    {"log.dirs", "data.dir"},
};

static bool list_find(const struct item_config *configs, uint32_t count, struct str key, struct str *ret)
{
    for (uint32_t i = count; i > 0; i--) {
        if (str_equal(configs[i - 1].key, key)) {
            *ret = configs[i - 1].value;
            return true;
        }
    }
    return false;
}

// broker_find looks for a broker setting that somebody set.
static bool broker_find(const struct setting_layers *layers, struct str key, struct str *ret,
                        enum setting_source *ret_source)
{
    if (list_find(layers->dynamic_configs, layers->dynamic_count, key, ret)) {
        *ret_source = SETTING_FROM_DYNAMIC;
        return true;
    }
    *ret_source = SETTING_FROM_STATIC;
    return list_find(layers->static_configs, layers->static_count, key, ret);
}

// coarse_find tries the coarser spellings; what does not parse counts as not set.
static bool coarse_find(const struct setting_layers *layers, struct str key, char number[SETTING_NUMBER_SIZE],
                        struct str *ret, enum setting_source *ret_source)
{
    for (size_t i = 0; i < sizeof coarse_names / sizeof coarse_names[0]; i++) {
        const struct coarse *coarse = &coarse_names[i];
        struct str text;
        int64_t value;
        if (str_equal(key, str_from_c(coarse->name)) &&
            broker_find(layers, str_from_c(coarse->coarse_name), &text, ret_source) &&
            str_parse_i64(str_trim(text), &value) && value >= INT32_MIN && value <= INT32_MAX) {
            int64_t ms = value < 0 ? -1 : value * coarse->unit_ms;
            snprintf(number, SETTING_NUMBER_SIZE, "%" PRId64, ms);
            *ret = str_from_c(number);
            return true;
        }
    }
    return false;
}

static bool alias_find(const struct setting_layers *layers, struct str key, struct str *ret,
                       enum setting_source *ret_source)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (str_equal(key, str_from_c(aliases[i].name)) &&
            broker_find(layers, str_from_c(aliases[i].other_name), ret, ret_source)) {
            return true;
        }
    }
    return false;
}

struct str setting_lookup(const struct setting *setting, const struct setting_layers *layers,
                          char number[SETTING_NUMBER_SIZE], enum setting_source *ret_source)
{
    enum setting_source ignored;
    enum setting_source *source = ret_source == NULL ? &ignored : ret_source;
    struct str value = {NULL, 0};
    bool is_topic = setting->scope == SETTING_TOPIC;
    *source = SETTING_FROM_TOPIC;
    if (is_topic &&
        list_find(layers->topic_configs, layers->topic_count, str_from_c(setting->name), &value)) {
        return value;
    }
    const char *broker_name = is_topic ? setting->broker_name : setting->name;
    struct str key = str_from_c(broker_name);
    if (broker_name != NULL &&
        (broker_find(layers, key, &value, source) || coarse_find(layers, key, number, &value, source) ||
         alias_find(layers, key, &value, source))) {
        return value;
    }
    *source = SETTING_FROM_DEFAULT;
    return str_from_c(setting->default_text);
}

static const struct setting *setting_get(struct str name, enum setting_scope scope)
{
    const struct setting *setting = setting_find(name, scope);
    ASSERT(setting != NULL);
    return setting;
}

// valid_text is what counts: the effective text, or the default if that is not valid (a file of a later or
// earlier release).
static struct str valid_text(const struct setting *setting, const struct setting_layers *layers,
                             char number[SETTING_NUMBER_SIZE])
{
    struct str text = setting_lookup(setting, layers, number, NULL);
    bool is_valid = setting_check(setting, text, NULL) == ERR_OK;
    return str_trim(is_valid ? text : str_from_c(setting->default_text));
}

int64_t setting_number(struct str name, enum setting_scope scope, const struct setting_layers *layers)
{
    const struct setting *setting = setting_get(name, scope);
    ASSERT(setting->type == SETTING_INT || setting->type == SETTING_LONG);
    char number[SETTING_NUMBER_SIZE];
    int64_t value = 0;
    bool is_number = str_parse_i64(valid_text(setting, layers, number), &value);
    ASSERT(is_number); // settings without a default are not asked for this way
    return value;
}

bool setting_boolean(struct str name, enum setting_scope scope, const struct setting_layers *layers)
{
    const struct setting *setting = setting_get(name, scope);
    ASSERT(setting->type == SETTING_BOOLEAN);
    char number[SETTING_NUMBER_SIZE];
    struct str text = valid_text(setting, layers, number);
    return text.len > 0 && (text.ptr[0] == 't' || text.ptr[0] == 'T');
}

static struct str setting_text(struct str name, const struct setting_layers *layers)
{
    char number[SETTING_NUMBER_SIZE]; // only numbers use it
    return valid_text(setting_get(name, SETTING_TOPIC), layers, number);
}

static double setting_double(struct str name, const struct setting_layers *layers)
{
    const struct setting *setting = setting_get(name, SETTING_TOPIC);
    ASSERT(setting->type == SETTING_DOUBLE);
    char number[SETTING_NUMBER_SIZE]; // only numbers without a point use it
    double value = 0;
    bool is_number = setting_parse_double(valid_text(setting, layers, number), &value);
    ASSERT(is_number);
    return value;
}

static bool list_has(struct str list, struct str word)
{
    while (list.len > 0) {
        if (str_equal(str_trim(str_cut(list, ',', &list)), word)) {
            return true;
        }
    }
    return false;
}

// compression_resolve gives the codec bits of compression.type, -1 for producer, and the level set for it.
static int32_t compression_resolve(const struct setting_layers *layers, int32_t *ret_level)
{
    static const struct {
        const char *name;
        const char *level; // NULL = has none
    } rows[] = {{"uncompressed", NULL},
                {"gzip", "compression.gzip.level"},
                {"snappy", NULL},
                {"lz4", "compression.lz4.level"},
                {"zstd", "compression.zstd.level"}};
    struct str type = setting_text(STR("compression.type"), layers);
    for (int32_t i = 0; i < 5; i++) {
        if (!str_equal(type, str_from_c(rows[i].name))) {
            continue;
        }
        if (rows[i].level != NULL) {
            *ret_level = (int32_t)setting_number(str_from_c(rows[i].level), SETTING_TOPIC, layers);
        }
        return i;
    }
    return -1;
}

void topic_settings_resolve(const struct setting_layers *layers, struct topic_settings *ret)
{
    struct str policy = setting_text(STR("cleanup.policy"), layers);
    struct str type = setting_text(STR("message.timestamp.type"), layers);
    int32_t level = 0;
    int32_t compression = compression_resolve(layers, &level);
    *ret = (struct topic_settings){
        .retention_ms = setting_number(STR("retention.ms"), SETTING_TOPIC, layers),
        .retention_bytes = setting_number(STR("retention.bytes"), SETTING_TOPIC, layers),
        .segment_bytes = setting_number(STR("segment.bytes"), SETTING_TOPIC, layers),
        .segment_ms = setting_number(STR("segment.ms"), SETTING_TOPIC, layers),
        .max_message_bytes = (int32_t)setting_number(STR("max.message.bytes"), SETTING_TOPIC, layers),
        .timestamp_before_max_ms =
            setting_number(STR("message.timestamp.before.max.ms"), SETTING_TOPIC, layers),
        .timestamp_after_max_ms =
            setting_number(STR("message.timestamp.after.max.ms"), SETTING_TOPIC, layers),
        .timestamp_type = str_equal(type, STR("LogAppendTime")) ? TIMESTAMP_LOG_APPEND : TIMESTAMP_CREATE,
        .compression = compression,
        .compression_level = level,
        .delete_retention_ms = setting_number(STR("delete.retention.ms"), SETTING_TOPIC, layers),
        .compaction_lag_min_ms = setting_number(STR("min.compaction.lag.ms"), SETTING_TOPIC, layers),
        .compaction_lag_max_ms = setting_number(STR("max.compaction.lag.ms"), SETTING_TOPIC, layers),
        .cleanable_ratio_min = setting_double(STR("min.cleanable.dirty.ratio"), layers),
        .is_compacted = list_has(policy, STR("compact")),
        .is_deleted = list_has(policy, STR("delete")),
        .is_durability_os = str_equal(setting_text(STR("strom.durability"), layers), STR("os")),
        .is_governed = governance_is_on(layers->topic_configs, layers->topic_count),
    };
}
