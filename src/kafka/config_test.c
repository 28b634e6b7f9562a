// SPDX-License-Identifier: Apache-2.0
// DescribeConfigs, AlterConfigs and IncrementalAlterConfigs as clients see them, at every version
// (kafka.md 5.28).
#include "kafka/test_rig.h"

static struct rig the_rig;
static struct client c; // of the running test

static int setup(void **state)
{
    (void)state;
    rig_init(&the_rig);
    rig_start(&the_rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&the_rig);
    rig_fini(&the_rig);
    return 0;
}

static int test_setup(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    return 0;
}

static int test_teardown(void **state)
{
    (void)state;
    client_close(&c);
    return 0;
}

static bool is(struct str text, const char *want)
{
    return str_equal(text, str_from_c(want));
}

static const struct describe_configs_response_result *describe(int16_t version, int8_t type, const char *name,
                                                               struct str *keys, int32_t key_count)
{
    struct describe_configs_request *in = client_new(&c, describe_configs_request, 1);
    in->resources = client_new(&c, describe_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = type;
    in->resources[0].resource_name = str_from_c(name);
    in->resources[0].configuration_keys = keys;
    in->resources[0].configuration_keys_count = key_count;
    in->include_synonyms = true;
    in->include_documentation = true;
    const struct describe_configs_response *out = client_call(&c, API_DESCRIBE_CONFIGS, version, in);
    assert_int_equal(out->results_count, 1);
    assert_int_equal(out->results[0].resource_type, type);
    assert_true(is(out->results[0].resource_name, name));
    return &out->results[0];
}

static const struct describe_configs_response_config *
config_of(const struct describe_configs_response_result *result, const char *name)
{
    for (int32_t i = 0; i < result->configs_count; i++) {
        if (is(result->configs[i].name, name)) {
            return &result->configs[i];
        }
    }
    return NULL;
}

static void kafka_05_28_describe_configs(void **state)
{
    (void)state;
    topic_make(&c, "described", 1, "cleanup.policy", "compact");
    for (int16_t version = 1; version <= 4; version++) {
        const struct describe_configs_response_result *out = describe(version, 2, "described", NULL, -1);
        assert_int_equal(out->error, ERR_OK);
        const struct describe_configs_response_config *config = config_of(out, "cleanup.policy");
        assert_true(is(config->value, "compact")); // Connect refuses to work without it
        assert_int_equal(config->config_source, SETTING_FROM_TOPIC);
        assert_false(config->read_only);
        assert_false(config->is_sensitive);
        assert_int_equal(config->synonyms_count, 2);
        assert_int_equal(config->synonyms[0].source, SETTING_FROM_TOPIC);
        assert_true(is(config->synonyms[1].name, "log.cleanup.policy"));
        assert_true(is(config->synonyms[1].value, "delete"));
        assert_int_equal(config->synonyms[1].source, SETTING_FROM_DEFAULT);
        assert_int_equal(config->config_type, version >= 3 ? SETTING_LIST : 0);
        assert_int_equal(config->documentation.len > 0, version >= 3);
        config = config_of(out, "retention.ms");
        assert_true(is(config->value, "604800000"));
        assert_int_equal(config->config_source, SETTING_FROM_DEFAULT);
        assert_null(config_of(out, "num.partitions")); // the broker's
        struct str keys[] = {STR("retention.ms"), STR("no.such.config"), STR("num.partitions")};
        out = describe(version, 2, "described", keys, 3);
        assert_int_equal(out->configs_count, 1);
        assert_true(is(out->configs[0].name, "retention.ms"));
        assert_int_equal(describe(version, 2, "no-such-topic", NULL, -1)->error, ERR_UNKNOWN_PARTITION);
        assert_int_equal(describe(version, 2, "no such topic", NULL, -1)->error, ERR_INVALID_TOPIC);
        out = describe(version, 4, "1", NULL, -1);
        assert_int_equal(out->error, ERR_OK);
        assert_true(is(config_of(out, "num.partitions")->value, "2")); // given at start
        assert_null(config_of(out, "retention.ms"));
        assert_int_equal(describe(version, 4, "", NULL, -1)->error, ERR_OK);
        static const struct {
            int8_t type;
            const char *name;
        } bad[] = {{4, "2"}, {4, "one"}, {8, "2"}, {8, ""}, {16, ""}, {32, ""}, {0, ""}, {-5, "x"}};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            out = describe(version, bad[i].type, bad[i].name, NULL, -1);
            assert_int_equal(out->error, ERR_INVALID_REQUEST);
            assert_true(out->error_message.len > 0);
            assert_int_equal(out->configs_count, 0);
        }
    }
}

struct wish {
    const char *key;
    const char *value;
    int8_t op;
};

static enum err alter_whole(int16_t version, int8_t type, const char *name, const struct wish *wishes,
                            int32_t count, bool is_validate_only)
{
    struct alter_configs_request *in = client_new(&c, alter_configs_request, 1);
    in->resources = client_new(&c, alter_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = type;
    in->resources[0].resource_name = str_from_c(name);
    in->resources[0].configs = client_new(&c, alter_configs_request_config, (size_t)count);
    in->resources[0].configs_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->resources[0].configs[i].name = str_from_c(wishes[i].key);
        in->resources[0].configs[i].value = str_from_c(wishes[i].value);
    }
    in->validate_only = is_validate_only;
    const struct alter_configs_response *out = client_call(&c, API_ALTER_CONFIGS, version, in);
    assert_true(is(out->responses[0].resource_name, name));
    return out->responses[0].error;
}

static enum err alter(int16_t version, int8_t type, const char *name, const struct wish *wishes,
                      int32_t count, bool is_validate_only)
{
    struct incremental_alter_configs_request *in = client_new(&c, incremental_alter_configs_request, 1);
    in->resources = client_new(&c, incremental_alter_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = type;
    in->resources[0].resource_name = str_from_c(name);
    in->resources[0].configs = client_new(&c, incremental_alter_configs_request_config, (size_t)count);
    in->resources[0].configs_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->resources[0].configs[i].name = str_from_c(wishes[i].key);
        in->resources[0].configs[i].value = str_from_c(wishes[i].value);
        in->resources[0].configs[i].config_operation = wishes[i].op;
    }
    in->validate_only = is_validate_only;
    const struct incremental_alter_configs_response *out =
        client_call(&c, API_INCREMENTAL_ALTER_CONFIGS, version, in);
    assert_int_equal(out->responses[0].error_message.ptr != NULL, out->responses[0].error != ERR_OK);
    return out->responses[0].error;
}

static void assert_config(const char *topic, const char *key, const char *value)
{
    const struct describe_configs_response_config *config = config_of(describe(4, 2, topic, NULL, -1), key);
    if (!is(config->value, value)) {
        fail_msg("%s: " STR_FMT " instead of %s", key, STR_ARG(config->value), value);
    }
}

static void kafka_05_28_alter_configs_replaces(void **state)
{
    (void)state;
    topic_make(&c, "replaced", 1, "retention.ms", "1000");
    for (int16_t version = 0; version <= 2; version++) {
        static const struct wish first[] = {{"segment.bytes", "2000000", 0}, {"retention.bytes", "5", 0}};
        static const struct wish second[] = {{"retention.ms", "7000", 0}};
        assert_int_equal(alter_whole(version, 2, "replaced", first, 2, true), ERR_OK);
        assert_config("replaced", "retention.bytes", "-1"); // only validated
        assert_int_equal(alter_whole(version, 2, "replaced", first, 2, false), ERR_OK);
        assert_config("replaced", "retention.bytes", "5");
        assert_config("replaced", "retention.ms", "604800000"); // not named: gone
        assert_int_equal(alter_whole(version, 2, "replaced", second, 1, false), ERR_OK);
        assert_config("replaced", "retention.bytes", "-1");
        assert_config("replaced", "retention.ms", "7000");
        static const struct wish bad[] = {{"retention.ms", "never", 0}};
        assert_int_equal(alter_whole(version, 2, "replaced", bad, 1, false), ERR_INVALID_CONFIG);
        assert_int_equal(alter_whole(version, 2, "no-such-topic", second, 1, false), ERR_UNKNOWN_PARTITION);
        assert_int_equal(alter_whole(version, 8, "1", second, 1, false), ERR_INVALID_REQUEST);
    }
}

static void kafka_05_28_incremental(void **state)
{
    (void)state;
    enum { SET = 0, DELETE = 1, APPEND = 2, SUBTRACT = 3 };
    topic_make(&c, "altered", 1, NULL, NULL);
    for (int16_t version = 0; version <= 1; version++) {
        static const struct wish set[] = {{"retention.ms", "1000", SET},
                                          {"cleanup.policy", "compact", APPEND}};
        assert_int_equal(alter(version, 2, "altered", set, 2, true), ERR_OK);
        assert_config("altered", "retention.ms", "604800000");
        assert_int_equal(alter(version, 2, "altered", set, 2, false), ERR_OK);
        assert_config("altered", "retention.ms", "1000");
        assert_config("altered", "cleanup.policy", "delete,compact");
        static const struct wish next[] = {{"retention.bytes", "9", SET},
                                           {"cleanup.policy", "delete", SUBTRACT}};
        assert_int_equal(alter(version, 2, "altered", next, 2, false), ERR_OK);
        assert_config("altered", "retention.ms", "1000"); // what is not named stays
        assert_config("altered", "cleanup.policy", "compact");
        static const struct wish back[] = {{"retention.ms", NULL, DELETE},
                                           {"cleanup.policy", NULL, DELETE},
                                           {"retention.bytes", NULL, DELETE}};
        assert_int_equal(alter(version, 2, "altered", back, 3, false), ERR_OK);
        assert_config("altered", "retention.ms", "604800000");
        assert_config("altered", "cleanup.policy", "delete");
        static const struct {
            struct wish wishes[2];
            int32_t count;
            enum err err;
        } bad[] = {
            {{{"retention.ms", "x", SET}}, 1, ERR_INVALID_CONFIG},
            {{{"no.such.config", "x", SET}}, 1, ERR_INVALID_CONFIG},
            {{{"retention.ms", "5", APPEND}}, 1, ERR_INVALID_CONFIG},
            {{{"retention.ms", NULL, SET}}, 1, ERR_INVALID_REQUEST},
            {{{"retention.ms", "5", 4}}, 1, ERR_INVALID_REQUEST},
            {{{"retention.ms", "5", -1}}, 1, ERR_INVALID_REQUEST},
            {{{"retention.ms", "5", SET}, {"retention.ms", "6", SET}}, 2, ERR_INVALID_REQUEST},
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            assert_int_equal(alter(version, 2, "altered", bad[i].wishes, bad[i].count, false), bad[i].err);
        }
    }
}

static void broker_configs_reach_topics(void **state)
{
    (void)state;
    topic_make(&c, "inherits", 1, NULL, NULL);
    static const struct wish set[] = {{"log.retention.ms", "123456", 0}};
    assert_int_equal(alter(1, 4, "", set, 1, false), ERR_OK);
    const struct describe_configs_response_config *config =
        config_of(describe(4, 2, "inherits", NULL, -1), "retention.ms");
    assert_true(is(config->value, "123456"));
    assert_int_equal(config->config_source, SETTING_FROM_DYNAMIC);
    assert_true(is(config->synonyms[0].name, "log.retention.ms"));
    const struct describe_configs_response_result *nameless = describe(4, 4, "", NULL, -1);
    assert_true(is(config_of(nameless, "log.retention.ms")->value, "123456"));
    config = config_of(nameless, "log.retention.ms");
    assert_int_equal(config->config_source, SETTING_FROM_DYNAMIC);
    assert_int_equal(config->synonyms_count, 1); // its default is under another name, in hours
    assert_int_equal(config->synonyms[0].source, SETTING_FROM_DYNAMIC);
    assert_null(config_of(nameless, "node.id"));
    // The broker by its name has it as its own, or kafka-configs would neither show nor delete it.
    config = config_of(describe(4, 4, "1", NULL, -1), "log.retention.ms");
    assert_int_equal(config->config_source, 2);
    assert_int_equal(config->synonyms[0].source, 2);
    static const struct wish back[] = {{"log.retention.ms", NULL, 1}};
    assert_int_equal(alter(1, 4, "1", back, 1, false), ERR_OK);
    assert_config("inherits", "retention.ms", "604800000");
    static const struct wish fixed[] = {{"node.id", "7", 0}};
    assert_int_equal(alter(1, 4, "1", fixed, 1, false), ERR_INVALID_REQUEST);
    assert_int_equal(alter(1, 4, "2", back, 1, false), ERR_INVALID_REQUEST);
}

static void resources_once_each(void **state)
{
    (void)state;
    topic_make(&c, "once", 1, NULL, NULL);
    struct incremental_alter_configs_request *in = client_new(&c, incremental_alter_configs_request, 1);
    in->resources = client_new(&c, incremental_alter_configs_request_resource, 4);
    in->resources_count = 4;
    struct incremental_alter_configs_request_config config = {.name = STR("retention.ms"), .value = STR("5")};
    static const char *const names[] = {"once", "1", "once", ""};
    for (int i = 0; i < 4; i++) {
        in->resources[i].resource_type = i % 2 == 0 ? 2 : 4;
        in->resources[i].resource_name = str_from_c(names[i]);
        in->resources[i].configs = &config;
        in->resources[i].configs_count = i % 2 == 0 ? 1 : 0;
    }
    const struct incremental_alter_configs_response *out =
        client_call(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, in);
    static const enum err expected[] = {ERR_INVALID_REQUEST, ERR_OK, ERR_INVALID_REQUEST, ERR_OK};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(out->responses[i].error, expected[i]);
    }
    assert_config("once", "retention.ms", "604800000");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kafka_05_28_describe_configs), TEST(kafka_05_28_alter_configs_replaces),
        TEST(kafka_05_28_incremental),      TEST(broker_configs_reach_topics),
        TEST(resources_once_each),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
