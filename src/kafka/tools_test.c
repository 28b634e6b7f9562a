// SPDX-License-Identifier: Apache-2.0
// What administration tools ask beside topics and configs. Their odd requests are compared with Kafka's own
// answers in tests/clients/answers_test.py; here is what depends on the state of the broker.
#include <stdio.h>

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

// ---- DescribeProducers

static int64_t produce_as(int64_t producer_id, int16_t epoch, int32_t sequence, int32_t count)
{
    struct batch_options options = batch_options_default();
    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.base_sequence = sequence;
    return produce(&c, "producers", 0, batch_make(&c, &options, count, "v"));
}

static const struct describe_producers_response_partition *describe_producers(int32_t partition)
{
    struct describe_producers_request *in = client_new(&c, describe_producers_request, 1);
    in->topics = client_new(&c, describe_producers_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("producers");
    in->topics[0].partition_indexes = &partition;
    in->topics[0].partition_indexes_count = 1;
    const struct describe_producers_response *out = client_call(&c, API_DESCRIBE_PRODUCERS, 0, in);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions_count, 1);
    assert_int_equal(out->topics[0].partitions[0].partition_index, partition);
    return &out->topics[0].partitions[0];
}

static void producers_are_described(void **state)
{
    (void)state;
    topic_make(&c, "producers", 2, NULL, NULL);
    int64_t before_ms = wall_now_ms();
    produce_as(70, 0, 0, 3);
    produce_as(50, 2, 0, 1);
    produce_as(70, 0, 3, 2);
    produce(&c, "producers", 0, batch_at(&c, wall_now_ms(), 1, false)); // without an id: nothing to remember
    for (int restarts = 0; restarts < 2; restarts++) {
        const struct describe_producers_response_partition *out = describe_producers(0);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->active_producers_count, 2); // by id
        assert_int_equal(out->active_producers[0].producer_id, 50);
        assert_int_equal(out->active_producers[0].producer_epoch, 2);
        assert_int_equal(out->active_producers[0].last_sequence, 0);
        assert_int_equal(out->active_producers[1].producer_id, 70);
        assert_int_equal(out->active_producers[1].last_sequence, 4);
        for (int i = 0; i < 2; i++) {
            assert_in_range(out->active_producers[i].last_timestamp, before_ms - 1000, wall_now_ms() + 1000);
            assert_int_equal(out->active_producers[i].coordinator_epoch, -1);
            assert_int_equal(out->active_producers[i].current_txn_start_offset, -1);
        }
        assert_int_equal(describe_producers(1)->active_producers_count, 0);
        client_close(&c);
        rig_stop(&the_rig);
        rig_start(&the_rig);
        client_open(&c, &the_rig);
    }
}

static void many_producers_are_described(void **state)
{
    (void)state;
    enum { MANY = 1234 }; // more than two steps under the lock
    topic_make(&c, "producers-many", 1, NULL, NULL);
    int32_t partition = 0;
    int32_t first = c.correlation + 1;
    struct produce_request *batch = client_new(&c, produce_request, 1);
    batch->acks = -1;
    batch->topics = client_new(&c, produce_request_topic, 1);
    batch->topics_count = 1;
    batch->topics[0].name = STR("producers-many");
    batch->topics[0].partitions = client_new(&c, produce_request_partition, 1);
    batch->topics[0].partitions_count = 1;
    for (int64_t id = 0; id < MANY; id++) { // all at once: they share syncs
        struct batch_options options = batch_options_default();
        options.producer_id = 100000 - id;
        options.producer_epoch = 0;
        options.base_sequence = 0;
        batch->topics[0].partitions[0].records.bytes = batch_make(&c, &options, 1, "v");
        client_send(&c, API_PRODUCE, 9, batch);
    }
    for (int32_t i = 0; i < MANY; i++) {
        const struct produce_response *out = client_recv(&c, API_PRODUCE, 9, first + i);
        assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    }
    struct describe_producers_request *in = client_new(&c, describe_producers_request, 1);
    in->topics = client_new(&c, describe_producers_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("producers-many");
    in->topics[0].partition_indexes = &partition;
    in->topics[0].partition_indexes_count = 1;
    const struct describe_producers_response *out = client_call(&c, API_DESCRIBE_PRODUCERS, 0, in);
    assert_int_equal(out->topics[0].partitions[0].active_producers_count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(out->topics[0].partitions[0].active_producers[i].producer_id, 100001 - MANY + i);
    }
}

// ---- DescribeLogDirs

static const struct describe_log_dirs_response_topic *dir_topic(const struct describe_log_dirs_response *out,
                                                                const char *name)
{
    for (int32_t i = 0; i < out->results[0].topics_count; i++) {
        if (is(out->results[0].topics[i].name, name)) {
            return &out->results[0].topics[i];
        }
    }
    fail_msg("%s is not there", name);
    return NULL;
}

static void log_dirs_have_sizes(void **state)
{
    (void)state;
    topic_make(&c, "sized", 3, NULL, NULL);
    struct bytes batch = batch_at(&c, wall_now_ms(), 10, true);
    produce(&c, "sized", 1, batch_copy(&c, batch));
    produce(&c, "sized", 1, batch_copy(&c, batch));
    produce(&c, "sized", 2, batch_copy(&c, batch));
    struct describe_log_dirs_request *in = client_new(&c, describe_log_dirs_request, 1);
    in->topics_count = -1;
    const struct describe_log_dirs_response *out = client_call(&c, API_DESCRIBE_LOG_DIRS, 4, in);
    assert_int_equal(out->results_count, 1);
    assert_true(out->results[0].usable_bytes > 0);
    assert_true(out->results[0].total_bytes > out->results[0].usable_bytes);
    const struct describe_log_dirs_response_topic *topic = dir_topic(out, "sized");
    assert_int_equal(topic->partitions_count, 3);
    for (int i = 0; i < 3; i++) {
        static const size_t batches[] = {0, 2, 1};
        assert_int_equal(topic->partitions[i].partition_index, i);
        assert_int_equal(topic->partitions[i].partition_size, batches[i] * batch.len);
        assert_int_equal(topic->partitions[i].offset_lag, 0);
        assert_false(topic->partitions[i].is_future_key);
    }
    delete_records(&c, "sized", -1, 2, ERR_OK); // of partition 0: the others keep theirs
    int32_t asked[] = {2, 9, 1};
    in->topics = client_new(&c, describe_log_dirs_request_topic, 2);
    in->topics_count = 2;
    in->topics[0].topic = STR("not-there");
    in->topics[1].topic = STR("sized");
    in->topics[1].partitions = asked;
    in->topics[1].partitions_count = 3;
    out = client_call(&c, API_DESCRIBE_LOG_DIRS, 1, in);
    assert_int_equal(out->results[0].topics_count, 1);
    assert_int_equal(out->results[0].topics[0].partitions_count, 2);
    assert_int_equal(out->results[0].topics[0].partitions[0].partition_index, 2);
    assert_int_equal(out->results[0].topics[0].partitions[0].partition_size, batch.len);
}

// ---- telemetry

static const struct get_telemetry_subscriptions_response *subscribe(struct uuid instance)
{
    struct get_telemetry_subscriptions_request *in = client_new(&c, get_telemetry_subscriptions_request, 1);
    in->client_instance_id = instance;
    return client_call(&c, API_GET_TELEMETRY_SUBSCRIPTIONS, 0, in);
}

static enum err push(struct uuid instance, int32_t subscription, int8_t compression, size_t size)
{
    struct push_telemetry_request *in = client_new(&c, push_telemetry_request, 1);
    in->client_instance_id = instance;
    in->subscription_id = subscription;
    in->compression_type = compression;
    in->metrics = bytes_of(arena_alloc(&c.arena, size + 1), size);
    const struct push_telemetry_response *out = client_call(&c, API_PUSH_TELEMETRY, 0, in);
    return out->error;
}

static void telemetry_subscribes_to_nothing(void **state)
{
    (void)state;
    const struct uuid none = {{0}};
    const struct get_telemetry_subscriptions_response *out = subscribe(none);
    struct uuid instance = out->client_instance_id;
    int32_t subscription = out->subscription_id;
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(instance.b[6] >> 4, 4); // a random uuid
    assert_int_equal(out->requested_metrics_count, 0);
    assert_int_equal(out->accepted_compression_types_count, 4);
    out = subscribe(instance); // asked again, it keeps its id
    assert_true(uuid_equal(out->client_instance_id, instance));
    assert_int_equal(out->subscription_id, subscription);
    struct uuid other = subscribe(none)->client_instance_id;
    assert_false(uuid_equal(other, instance));
    static const struct uuid reserved = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

    assert_int_equal(push(instance, subscription, CODEC_NONE, 100), ERR_OK);
    assert_int_equal(push(instance, subscription, CODEC_ZSTD, 1 << 20), ERR_OK);
    assert_int_equal(push(instance, subscription, CODEC_NONE, (1 << 20) + 1), ERR_TELEMETRY_TOO_LARGE);
    assert_int_equal(push(instance, subscription, 5, 1), ERR_UNSUPPORTED_COMPRESSION);
    assert_int_equal(push(instance, subscription, -1, 1), ERR_UNSUPPORTED_COMPRESSION);
    assert_int_equal(push(instance, subscription + 1, CODEC_NONE, 1), ERR_UNKNOWN_SUBSCRIPTION_ID);
    assert_int_equal(push(other, subscription, CODEC_NONE, 1), ERR_UNKNOWN_SUBSCRIPTION_ID);
    assert_int_equal(push(none, subscription, CODEC_NONE, 1), ERR_INVALID_REQUEST);
    assert_int_equal(push(reserved, subscription, CODEC_NONE, 1), ERR_INVALID_REQUEST);
}

// ---- the logger

static enum err set_level(const char *level, bool is_validate_only)
{
    struct incremental_alter_configs_request *in = client_new(&c, incremental_alter_configs_request, 1);
    in->resources = client_new(&c, incremental_alter_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = 8;
    in->resources[0].resource_name = STR("1");
    in->resources[0].configs = client_new(&c, incremental_alter_configs_request_config, 1);
    in->resources[0].configs_count = 1;
    in->resources[0].configs[0].name = STR("root");
    in->resources[0].configs[0].value = str_from_c(level);
    in->validate_only = is_validate_only;
    const struct incremental_alter_configs_response *out =
        client_call(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, in);
    return out->responses[0].error;
}

static void assert_level(const char *level)
{
    struct describe_configs_request *in = client_new(&c, describe_configs_request, 1);
    in->resources = client_new(&c, describe_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = 8;
    in->resources[0].resource_name = STR("1");
    in->resources[0].configuration_keys_count = -1;
    const struct describe_configs_response *out = client_call(&c, API_DESCRIBE_CONFIGS, 4, in);
    assert_int_equal(out->results[0].error, ERR_OK);
    assert_int_equal(out->results[0].configs_count, 1);
    assert_true(is(out->results[0].configs[0].name, "root"));
    assert_true(is(out->results[0].configs[0].value, level));
    assert_int_equal(out->results[0].configs[0].config_source, 6);
}

static void logger_has_a_level(void **state)
{
    (void)state;
    assert_level("INFO");
    assert_int_equal(set_level("DEBUG", true), ERR_OK); // only validated
    assert_level("INFO");
    assert_int_equal(set_level("LOUD", false), ERR_INVALID_CONFIG);
    assert_int_equal(set_level("WARN", false), ERR_OK);
    assert_level("WARN");
    assert_int_equal(tracer_level(the_rig.tracer), TRACE_WARN);
    assert_int_equal(set_level("INFO", false), ERR_OK);
}

// ---- the quorum

static void quorum_is_this_node(void **state)
{
    (void)state;
    struct describe_quorum_request *in = client_new(&c, describe_quorum_request, 1);
    in->topics = client_new(&c, describe_quorum_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].topic_name = STR("__cluster_metadata");
    in->topics[0].partitions = client_new(&c, describe_quorum_request_partition, 1);
    in->topics[0].partitions_count = 1;
    const struct describe_quorum_response *out = client_call(&c, API_DESCRIBE_QUORUM, 2, in);
    int64_t before = out->topics[0].partitions[0].high_watermark;
    topic_make(&c, "one-more-change", 1, NULL, NULL);
    out = client_call(&c, API_DESCRIBE_QUORUM, 2, in);
    const struct describe_quorum_response_partition *log = &out->topics[0].partitions[0];
    assert_true(log->high_watermark > before);
    assert_int_equal(log->leader_id, 1);
    assert_int_equal(log->current_voters_count, 1);
    assert_int_equal(log->current_voters[0].log_end_offset, log->high_watermark);
    assert_in_range(log->current_voters[0].last_caught_up_timestamp, wall_now_ms() - 60000, wall_now_ms());
    assert_int_equal(log->observers_count, 0);
    assert_int_equal(out->nodes_count, 1);
    assert_int_equal(out->nodes[0].listeners[0].port, the_rig.listen_port);
}

// ---- hostile

// The same long topic name a hundred thousand times over would make answers of gigabytes.
static void answers_are_bounded(void **state)
{
    (void)state;
    enum { TIMES = 100000, LONG = 30000 };
    char *name = arena_alloc(&c.arena, LONG);
    memset(name, 'x', LONG);
    struct elect_leaders_request *in = client_new(&c, elect_leaders_request, 1);
    in->topic_partitions = client_new(&c, elect_leaders_request_topic_partition, 1);
    in->topic_partitions_count = 1;
    in->topic_partitions[0].topic = (struct str){name, LONG};
    in->topic_partitions[0].partitions = arena_new(&c.arena, int32_t, TIMES);
    in->topic_partitions[0].partitions_count = TIMES;
    client_send(&c, API_ELECT_LEADERS, 2, in);
    assert_true(client_is_closed(&c));
    client_assert_served(&the_rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(producers_are_described), TEST(many_producers_are_described),
        TEST(log_dirs_have_sizes),     TEST(telemetry_subscribes_to_nothing),
        TEST(logger_has_a_level),      TEST(quorum_is_this_node),
        TEST(answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
