// SPDX-License-Identifier: Apache-2.0
#include "core/rig_test.h"

static void setting_rows_are_sound(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < setting_count(); i++) {
        const struct setting *setting = setting_at(i);
        struct error e = {0};
        assert_ptr_equal(setting_find(str_from_c(setting->name), setting->scope), setting); // no name twice
        assert_true(strlen(setting->text) > 10 && setting->unit != NULL);
        if (setting->default_text != NULL &&
            setting_check(setting, str_from_c(setting->default_text), &e) != ERR_OK) {
            fail_msg("%s", e.text);
        }
        if (setting->broker_name != NULL) {
            const struct setting *broker =
                setting_find(str_from_c(setting->broker_name), SETTING_BROKER_DYNAMIC);
            assert_non_null(broker);
            assert_int_equal(broker->type, setting->type);
            assert_true(broker->min == setting->min && broker->max == setting->max);
        }
    }
    assert_null(setting_find(STR("retention.ms"), SETTING_BROKER_STATIC));
    assert_null(setting_find(STR("listeners"), SETTING_TOPIC));
    assert_non_null(setting_find(STR("listeners"), SETTING_BROKER_DYNAMIC)); // broker scopes find each other
}

static void setting_check_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        const char *text; // NULL = valid
    } rows[] = {
        {"retention.ms", "-1", NULL},
        {"retention.ms", " 1000 ", NULL},
        {"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
        {"retention.ms", "1h", "Invalid value 1h for configuration retention.ms: Not a number of type LONG"},
        {"retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"},
        {"retention.ms", "9223372036854775808",
         "Invalid value 9223372036854775808 for configuration retention.ms: Not a number of type LONG"},
        {"max.message.bytes", "2147483648",
         "Invalid value 2147483648 for configuration max.message.bytes: Not a number of type INT"},
        {"segment.bytes", "1048575",
         "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"},
        {"compression.lz4.level", "18",
         "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17"},
        {"cleanup.policy", "compact,delete", NULL},
        {"cleanup.policy", " delete , compact ", NULL},
        {"cleanup.policy", "", NULL},
        {"cleanup.policy", "compact,,delete",
         "Invalid value compact,,delete for configuration cleanup.policy: Configuration values must not be "
         "empty"},
        {"cleanup.policy", "shred",
         "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete"},
        {"message.timestamp.type", "LogAppendTime", NULL},
        {"message.timestamp.type", "logappendtime",
         "Invalid value logappendtime for configuration message.timestamp.type: String must be one of: "
         "CreateTime, LogAppendTime"},
        {"preallocate", "TRUE", NULL},
        {"preallocate", "yes",
         "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
        {"min.cleanable.dirty.ratio", "0.25", NULL},
        {"min.cleanable.dirty.ratio", "1", NULL},
        {"min.cleanable.dirty.ratio", "1.01",
         "Invalid value 1.01 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
        {"min.cleanable.dirty.ratio", ".",
         "Invalid value . for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
        {"min.cleanable.dirty.ratio", "0.5.1",
         "Invalid value 0.5.1 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
        {"strom.durability", "os", NULL},
        {"strom.durability", "none",
         "Invalid value none for configuration strom.durability: String must be one of: fsync, os"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct setting *setting = setting_find(str_from_c(rows[i].name), SETTING_TOPIC);
        assert_non_null(setting);
        struct error e = {0};
        enum err err = setting_check(setting, str_from_c(rows[i].value), &e);
        assert_int_equal(err, rows[i].text == NULL ? ERR_OK : ERR_INVALID_CONFIG);
        if (rows[i].text != NULL) {
            assert_string_equal(e.text, rows[i].text);
        }
    }
    struct error e = {0};
    assert_int_equal(setting_check(setting_at(0), (struct str){NULL, 0}, &e), ERR_INVALID_CONFIG);
}

static void setting_layers_by_precedence(void **state)
{
    (void)state;
    struct item_config topic[] = {{{"retention.ms", 12}, {"1", 1}}};
    struct item_config dynamic[] = {{{"log.retention.ms", 16}, {"2", 1}}};
    struct item_config fixed[] = {{{"log.retention.ms", 16}, {"3", 1}}};
    static const struct {
        bool has_topic, has_dynamic, has_fixed;
        int64_t value;
        enum setting_source source;
    } rows[] = {
        {true, true, true, 1, SETTING_FROM_TOPIC},
        {false, true, true, 2, SETTING_FROM_DYNAMIC},
        {false, false, true, 3, SETTING_FROM_STATIC},
        {false, false, false, 604800000, SETTING_FROM_DEFAULT},
    };
    const struct setting *setting = setting_find(STR("retention.ms"), SETTING_TOPIC);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setting_layers layers = {topic, rows[i].has_topic, dynamic, rows[i].has_dynamic,
                                        fixed, rows[i].has_fixed};
        assert_int_equal(setting_number(STR("retention.ms"), SETTING_TOPIC, &layers), rows[i].value);
        char number[SETTING_NUMBER_SIZE];
        enum setting_source source;
        setting_lookup(setting, &layers, number, &source);
        assert_int_equal(source, rows[i].source);
    }
}

static void setting_retention_ms_over_minutes_over_hours(void **state)
{
    (void)state;
    struct item_config hours = {{"log.retention.hours", 19}, {"2", 1}};
    struct item_config minutes = {{"log.retention.minutes", 21}, {"5", 1}};
    struct item_config ms = {{"log.retention.ms", 16}, {"7", 1}};
    struct item_config forever = {{"log.retention.hours", 19}, {"-1", 2}};
    struct item_config broken = {{"log.retention.minutes", 21}, {"x", 1}};
    const struct {
        struct item_config configs[3];
        uint32_t count;
        int64_t retention_ms;
    } rows[] = {
        {{hours}, 1, 7200000},        {{hours, minutes}, 2, 300000},
        {{ms, minutes, hours}, 3, 7}, {{minutes, ms}, 2, 7},
        {{forever}, 1, -1},           {{broken, hours}, 2, 7200000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setting_layers layers = {.static_configs = rows[i].configs, .static_count = rows[i].count};
        struct topic_settings settings;
        topic_settings_resolve(&layers, &settings);
        assert_int_equal(settings.retention_ms, rows[i].retention_ms);
    }
    // A dynamic ms counts over static hours, and dynamic over static for the same key.
    struct setting_layers layers = {
        .dynamic_configs = &ms, .dynamic_count = 1, .static_configs = &hours, .static_count = 1};
    assert_int_equal(setting_number(STR("retention.ms"), SETTING_TOPIC, &layers), 7);
}

static void setting_topic_defaults(void **state)
{
    (void)state;
    struct setting_layers none = {0};
    struct topic_settings s;
    topic_settings_resolve(&none, &s);
    assert_int_equal(s.retention_ms, 604800000);
    assert_int_equal(s.retention_bytes, -1);
    assert_int_equal(s.segment_bytes, 1073741824);
    assert_int_equal(s.segment_ms, 604800000);
    assert_int_equal(s.max_message_bytes, 1048588);
    assert_int_equal(s.timestamp_before_max_ms, INT64_MAX);
    assert_int_equal(s.timestamp_after_max_ms, 3600000);
    assert_int_equal(s.timestamp_type, TIMESTAMP_CREATE);
    assert_true(s.is_deleted && !s.is_compacted && !s.is_durability_os);
}

static void setting_invalid_text_counts_as_default(void **state)
{
    (void)state;
    struct item_config topic[] = {
        {{"retention.ms", 12}, {"soon", 4}},
        {{"cleanup.policy", 14}, {"burn", 4}},
        {{"message.timestamp.type", 22}, {"Never", 5}},
        {{"strom.durability", 16}, {"OS", 2}},
    };
    struct setting_layers layers = {.topic_configs = topic, .topic_count = 4};
    struct topic_settings s;
    topic_settings_resolve(&layers, &s);
    assert_int_equal(s.retention_ms, 604800000);
    assert_true(s.is_deleted && !s.is_compacted && !s.is_durability_os);
    assert_int_equal(s.timestamp_type, TIMESTAMP_CREATE);
}

static void setting_aliases_and_booleans(void **state)
{
    (void)state;
    struct item_config fixed[] = {
        {{"broker.id", 9}, {"42", 2}},
        {{"auto.create.topics.enable", 25}, {"False", 5}},
        {{"data.dir", 8}, {"/srv/strom", 10}},
    };
    struct setting_layers layers = {.static_configs = fixed, .static_count = 3};
    assert_int_equal(setting_number(STR("node.id"), SETTING_BROKER_STATIC, &layers), 42);
    assert_false(setting_boolean(STR("auto.create.topics.enable"), SETTING_BROKER_STATIC, &layers));
    assert_true(setting_boolean(STR("delete.topic.enable"), SETTING_BROKER_STATIC, &layers));
    char number[SETTING_NUMBER_SIZE];
    const struct setting *dirs = setting_find(STR("log.dirs"), SETTING_BROKER_STATIC);
    assert_true(str_equal(setting_lookup(dirs, &layers, number, NULL), STR("/srv/strom")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_rows_are_sound),
        cmocka_unit_test(setting_check_values),
        cmocka_unit_test(setting_layers_by_precedence),
        cmocka_unit_test(setting_retention_ms_over_minutes_over_hours),
        cmocka_unit_test(setting_topic_defaults),
        cmocka_unit_test(setting_invalid_text_counts_as_default),
        cmocka_unit_test(setting_aliases_and_booleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
