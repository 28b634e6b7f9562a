// SPDX-License-Identifier: Apache-2.0
// Metadata and administration as clients see them, every API at every version. Tests named kafka_05_NN_* hold
// a point of what clients expect (kafka.md section 5).
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

// ---- metadata

static struct metadata_request *ask_topics(const char *const *names, int32_t count)
{
    struct metadata_request *in = client_new(&c, metadata_request, 1);
    in->topics = client_new(&c, metadata_request_topic, (size_t)(count < 0 ? 0 : count));
    in->topics_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->topics[i].name = str_from_c(names[i]);
    }
    in->allow_auto_topic_creation = false;
    return in;
}

static const struct metadata_response_topic *topic_of(const struct metadata_response *out, const char *name)
{
    for (int32_t i = 0; i < out->topics_count; i++) {
        if (is(out->topics[i].name, name)) {
            return &out->topics[i];
        }
    }
    return NULL;
}

static void kafka_05_26_metadata(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "meta-a", 3, NULL, NULL);
    topic_make(&c, "meta-b", 1, NULL, NULL);
    for (int16_t version = 0; version <= 13; version++) {
        static const char *const names[] = {"meta-b", "meta-a", "meta-none", "meta-a", "bad name"};
        const struct metadata_response *out = client_call(&c, API_METADATA, version, ask_topics(names, 2));
        assert_int_equal(out->brokers_count, 1);
        assert_int_equal(out->brokers[0].node_id, 1);
        assert_true(is(out->brokers[0].host, "127.0.0.1"));
        assert_int_equal(out->brokers[0].port, the_rig.listen_port); // reachable as this client reached it
        assert_null(out->brokers[0].rack.ptr);
        assert_int_equal(out->controller_id, version >= 1 ? 1 : -1);
        assert_int_equal(out->cluster_id.len, version >= 2 ? 22 : 0);
        assert_int_equal(out->topics_count, 2);
        assert_true(is(out->topics[0].name, "meta-a")); // in name order
        assert_int_equal(out->topics[0].error, ERR_OK);
        assert_int_equal(out->topics[0].topic_authorized_operations, INT32_MIN);
        assert_int_equal(uuid_equal(out->topics[0].topic_id, id), version >= 10);
        assert_int_equal(out->topics[0].partitions_count, 3);
        for (int32_t p = 0; p < 3; p++) {
            const struct metadata_response_partition *partition = &out->topics[0].partitions[p];
            assert_int_equal(partition->partition_index, p);
            assert_int_equal(partition->leader_id, 1);
            assert_int_equal(partition->leader_epoch, version >= 7 ? 0 : -1);
            assert_int_equal(partition->replica_nodes_count, 1);
            assert_int_equal(partition->replica_nodes[0], 1);
            assert_int_equal(partition->isr_nodes_count, 1);
            assert_int_equal(partition->offline_replicas_count, 0);
        }
        if (version >= 4) { // before, they would be created
            out = client_call(&c, API_METADATA, version, ask_topics(names, 5));
            assert_int_equal(out->topics_count, 4); // each once
            assert_int_equal(topic_of(out, "meta-none")->error, ERR_UNKNOWN_PARTITION);
            assert_int_equal(topic_of(out, "bad name")->error, ERR_INVALID_TOPIC);
        }
        // All: empty in v0, null later; there, empty is none.
        out = client_call(&c, API_METADATA, version, ask_topics(NULL, version == 0 ? 0 : -1));
        assert_int_equal(topic_of(out, "meta-a")->partitions_count, 3);
        assert_non_null(topic_of(out, "meta-b"));
        out = client_call(&c, API_METADATA, version, ask_topics(NULL, 0));
        assert_int_equal(out->topics_count > 0, version == 0);
    }
}

// Everybody may do everything (KIP-430), and an id is worth more than a name.
static void metadata_extras(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "meta-c", 1, NULL, NULL);
    static const char *const names[] = {"meta-other"};
    for (int16_t version = 8; version <= 13; version++) {
        struct metadata_request *in = ask_topics(names, 1);
        in->include_topic_authorized_operations = true;
        in->include_cluster_authorized_operations = version <= 10;
        in->topics[0].topic_id = version >= 12 ? id : (struct uuid){{0}};
        const struct metadata_response *out = client_call(&c, API_METADATA, version, in);
        assert_int_equal(out->topics[0].error, version >= 12 ? ERR_OK : ERR_UNKNOWN_PARTITION);
        assert_int_equal(out->topics[0].topic_authorized_operations, 3576);
        assert_int_equal(out->cluster_authorized_operations, version <= 10 ? 8096 : INT32_MIN);
    }
}

static void kafka_05_26_auto_creation(void **state)
{
    (void)state;
    char name[32];
    for (int16_t version = 0; version <= 13; version++) {
        snprintf(name, sizeof name, "auto-%d", version);
        const char *const names[] = {name, "..", "auto.0", name};
        struct metadata_request *in = ask_topics(names, version == 0 ? 1 : 4);
        if (version >= 4) {
            const struct metadata_response *out = client_call(&c, API_METADATA, version, in);
            assert_int_equal(topic_of(out, name)->error, ERR_UNKNOWN_PARTITION); // the client said no
        }
        in->allow_auto_topic_creation = true;
        const struct metadata_response *out = client_call(&c, API_METADATA, version, in);
        assert_int_equal(topic_of(out, name)->error, ERR_OK);       // no "leader not available": it is there
        assert_int_equal(topic_of(out, name)->partitions_count, 2); // num.partitions
        if (version > 0) {
            assert_int_equal(topic_of(out, "..")->error, ERR_INVALID_TOPIC);
            assert_int_equal(topic_of(out, "auto.0")->error, ERR_OK);
        }
        // Asking for all never creates.
        in->topics_count = -1;
        out = client_call(&c, API_METADATA, version == 0 ? 1 : version, in);
        assert_null(topic_of(out, ".."));
    }
}

static void auto_creation_is_off(void **state)
{
    (void)state;
    static struct rig rig; // a check that fails leaves the broker running
    rig_init(&rig);
    rig.options.auto_create_topics = false;
    rig.options.advertised_host = STR("broker.example");
    rig.options.advertised_port = 1234;
    rig.options.rack = STR("r1");
    rig_start(&rig);
    struct client other;
    client_open(&other, &rig);
    static const char *const names[] = {"nothing"};
    struct metadata_request *in = ask_topics(names, 1);
    in->allow_auto_topic_creation = true;
    const struct metadata_response *out = client_call(&other, API_METADATA, 12, in);
    assert_int_equal(out->topics[0].error, ERR_UNKNOWN_PARTITION);
    assert_true(is(out->brokers[0].host, "broker.example"));
    assert_int_equal(out->brokers[0].port, 1234);
    assert_true(is(out->brokers[0].rack, "r1"));
    client_close(&other);
    rig_stop(&rig);
    rig_fini(&rig);
}

static void metadata_by_topic_id(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "by-id", 1, NULL, NULL);
    for (int16_t version = 10; version <= 13; version++) {
        struct metadata_request *in = ask_topics((const char *const[]){NULL, NULL}, 2);
        in->topics[0].topic_id = id;
        in->topics[1].topic_id = (struct uuid){{7, 7}};
        const struct metadata_response *out = client_call(&c, API_METADATA, version, in);
        assert_int_equal(out->topics_count, 2);
        for (int i = 0; i < 2; i++) {
            bool is_known = uuid_equal(out->topics[i].topic_id, id);
            enum err err = is_known ? ERR_OK : ERR_UNKNOWN_TOPIC_ID;
            assert_int_equal(out->topics[i].error, version < 12 ? ERR_INVALID_REQUEST : err);
            if (version >= 12 && is_known) {
                assert_true(is(out->topics[i].name, "by-id"));
            }
        }
    }
}

// ---- topics

static struct create_topics_request *create_make(const char *const *names, int32_t count, int32_t partitions)
{
    struct create_topics_request *in = client_new(&c, create_topics_request, 1);
    in->topics = client_new(&c, create_topics_request_topic, (size_t)count);
    in->topics_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->topics[i].name = str_from_c(names[i]);
        in->topics[i].num_partitions = partitions;
        in->topics[i].replication_factor = 3; // tools ask for it (kafka.md 5.27)
    }
    return in;
}

static enum err create_one(const char *name, int32_t partitions, int16_t replication, const char *key,
                           const char *value)
{
    struct create_topics_request *in = create_make(&name, 1, partitions);
    in->topics[0].replication_factor = replication;
    struct create_topics_request_config config = {str_from_c(key), str_from_c(value)};
    in->topics[0].configs = &config;
    in->topics[0].configs_count = key == NULL ? 0 : 1;
    const struct create_topics_response *out = client_call(&c, API_CREATE_TOPICS, 7, in);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].error_message.ptr != NULL, out->topics[0].error != ERR_OK);
    return out->topics[0].error;
}

static void kafka_05_27_names_and_refusals(void **state)
{
    (void)state;
    char longest[251];
    memset(longest, 'n', sizeof longest);
    longest[250] = '\0';
    const struct {
        const char *name;
        int32_t partitions;
        int16_t replication;
        const char *key;
        const char *value;
        enum err err;
    } rows[] = {
        {"a.b", 1, 1, NULL, NULL, ERR_OK},
        {"a_b", 1, 1, NULL, NULL, ERR_INVALID_TOPIC}, // collides
        {"a.b", 1, 1, NULL, NULL, ERR_TOPIC_EXISTS},
        {"", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {".", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {"..", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {"...", 1, 1, NULL, NULL, ERR_OK},
        {"sp ace", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {"sl/ash", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {"\xc3\xa9", 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {longest, 1, 1, NULL, NULL, ERR_INVALID_TOPIC},
        {longest + 1, 1, 1, NULL, NULL, ERR_OK}, // 249
        {"p0", 0, 1, NULL, NULL, ERR_INVALID_PARTITIONS},
        {"p-2", -2, 1, NULL, NULL, ERR_INVALID_PARTITIONS},
        {"p-many", 2000000000, 1, NULL, NULL, ERR_INVALID_PARTITIONS},
        {"r0", 1, 0, NULL, NULL, ERR_INVALID_REPLICATION_FACTOR},
        {"r3", 1, 3, NULL, NULL, ERR_OK},
        {"r-1", -1, -1, NULL, NULL, ERR_OK},
        {"c1", 1, 1, "no.such.config", "1", ERR_INVALID_CONFIG},
        {"c2", 1, 1, "retention.ms", "soon", ERR_INVALID_CONFIG},
        {"c3", 1, 1, "retention.ms", NULL, ERR_INVALID_CONFIG},
        {"c4", 1, 1, "retention.ms", "-1", ERR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum err err =
            create_one(rows[i].name, rows[i].partitions, rows[i].replication, rows[i].key, rows[i].value);
        if (err != rows[i].err) {
            fail_msg("row %zu, %s: %s", i, rows[i].name, err_name(err));
        }
    }
}

static void kafka_05_27_create_topics(void **state)
{
    (void)state;
    for (int16_t version = 2; version <= 7; version++) {
        char name[3][32];
        const char *names[5] = {name[0], "same", name[1], "same", name[2]};
        for (int i = 0; i < 3; i++) {
            snprintf(name[i], sizeof name[i], "create-%d-%d", version, i);
        }
        struct create_topics_request *in = create_make(names, 5, version >= 4 ? -1 : 2);
        struct create_topics_request_assignment assignments[2] = {{.partition_index = 1},
                                                                  {.partition_index = 0}};
        in->topics[4].num_partitions = -1;
        in->topics[4].replication_factor = -1;
        in->topics[4].assignments = assignments;
        in->topics[4].assignments_count = 2;
        for (int pass = 0; pass < 2; pass++) {
            in->validate_only = pass == 0;
            const struct create_topics_response *out = client_call(&c, API_CREATE_TOPICS, version, in);
            assert_int_equal(out->topics_count, 5);
            for (int i = 0; i < 5; i++) {
                bool is_repeated = i == 1 || i == 3;
                assert_true(is(out->topics[i].name, names[i]));
                assert_int_equal(out->topics[i].error, is_repeated ? ERR_INVALID_REQUEST : ERR_OK);
                if (is_repeated) {
                    assert_true(is(out->topics[i].error_message, "Duplicate topic name."));
                    continue;
                }
                assert_int_equal(out->topics[i].num_partitions, version >= 5 ? 2 : -1);
                assert_int_equal(out->topics[i].replication_factor, version >= 5 ? 1 : -1);
                assert_int_equal(out->topics[i].configs_count > 20, version >= 5);
                assert_int_equal(!uuid_is_zero(out->topics[i].topic_id), version >= 7 && pass == 1);
            }
        }
        assignments[0].partition_index = 5;
        in->topics[4].name = STR("create-another"); // that one is there comes before what else is wrong
        const struct create_topics_response *out = client_call(&c, API_CREATE_TOPICS, version, in);
        assert_int_equal(out->topics[0].error, ERR_TOPIC_EXISTS);
        assert_int_equal(out->topics[4].error, ERR_INVALID_REPLICA_ASSIGNMENT);
    }
}

static enum err grow(const char *name, int32_t count, int16_t version, bool is_validate_only,
                     int32_t assigned)
{
    struct create_partitions_request *in = client_new(&c, create_partitions_request, 1);
    in->topics = client_new(&c, create_partitions_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(name);
    in->topics[0].count = count;
    in->topics[0].assignments = client_new(&c, create_partitions_request_assignment, 8);
    in->topics[0].assignments_count = assigned;
    in->validate_only = is_validate_only;
    const struct create_partitions_response *out = client_call(&c, API_CREATE_PARTITIONS, version, in);
    assert_int_equal(out->results[0].error_message.ptr != NULL, out->results[0].error != ERR_OK);
    return out->results[0].error;
}

static void kafka_05_30_create_partitions(void **state)
{
    (void)state;
    topic_make(&c, "grows", 2, NULL, NULL);
    static const char *const names[] = {"grows"};
    for (int16_t version = 0; version <= 3; version++) {
        int32_t count = 2 + version;
        assert_int_equal(grow("grows", count - 1, version, false, -1),
                         ERR_INVALID_PARTITIONS);                                           // no shrinking
        assert_int_equal(grow("grows", count, version, false, -1), ERR_INVALID_PARTITIONS); // as it is
        assert_int_equal(grow("grows", count + 1, version, true, -1), ERR_OK);              // only validated
        assert_int_equal(grow("grows", count + 1, version, false, 2), ERR_INVALID_REPLICA_ASSIGNMENT);
        assert_int_equal(grow("grows", count + 1, version, false, version % 2 == 0 ? 1 : -1), ERR_OK);
        const struct metadata_response *out = client_call(&c, API_METADATA, 12, ask_topics(names, 1));
        assert_int_equal(out->topics[0].partitions_count, count + 1);
        assert_int_equal(grow("no-such-topic", 5, version, false, -1), ERR_UNKNOWN_PARTITION);
        assert_int_equal(grow("grows", -1, version, false, -1), ERR_INVALID_PARTITIONS);
    }
    struct bytes batch = batch_make(&c, NULL, 1, "v");
    assert_int_equal(produce(&c, "grows", 5, batch), 0); // the newest partition works
}

static void kafka_05_30_delete_topics(void **state)
{
    (void)state;
    for (int16_t version = 1; version <= 6; version++) {
        struct uuid id = topic_make(&c, "goes", 1, NULL, NULL);
        struct uuid second = topic_make(&c, "goes-too", 1, NULL, NULL);
        struct delete_topics_request *in = client_new(&c, delete_topics_request, 1);
        struct str names[] = {STR("goes"), STR("no-such-topic"), STR("twice"), STR("twice")};
        in->topic_names = names;
        in->topic_names_count = 4;
        in->topics = client_new(&c, delete_topics_request_topic, 5);
        in->topics_count = 5;
        in->topics[0].name = names[0];
        in->topics[1].name = names[1];
        in->topics[2].topic_id = second;
        in->topics[3].topic_id = (struct uuid){{3}};
        in->topics[4].topic_id = id;
        in->topics[4].name = STR("both");
        in->topics[2].name = in->topics[3].name = (struct str){NULL, 0};
        const struct delete_topics_response *out = client_call(&c, API_DELETE_TOPICS, version, in);
        assert_int_equal(out->topics_count, version >= 6 ? 5 : 4);
        assert_int_equal(out->topics[0].error, ERR_OK);
        assert_int_equal(out->topics[1].error, ERR_UNKNOWN_PARTITION);
        if (version >= 6) {
            assert_true(uuid_equal(out->topics[0].topic_id, id));
            assert_int_equal(out->topics[2].error, ERR_OK);
            assert_true(is(out->topics[2].name, "goes-too"));
            assert_int_equal(out->topics[3].error, ERR_UNKNOWN_TOPIC_ID);
            assert_int_equal(out->topics[4].error, ERR_INVALID_REQUEST);
        } else {
            assert_int_equal(out->topics[2].error, ERR_INVALID_REQUEST);
            assert_int_equal(out->topics[3].error, ERR_INVALID_REQUEST);
            topic_drop(&c, "goes-too");
        }
        // Gone, and its id is known to nobody.
        const struct fetch_ask ask = {.id = id};
        assert_int_equal(fetch_send(&c, 13, &ask)->error, ERR_UNKNOWN_TOPIC_ID);
    }
}

// A topic that is deleted ends the fetches that wait for it.
static void deleting_wakes_fetches(void **state)
{
    (void)state;
    topic_make(&c, "awaited", 1, NULL, NULL);
    struct client waiting;
    client_open(&waiting, &the_rig);
    const struct fetch_ask ask = {.topic = "awaited", .wait_ms = 3600000, .min_bytes = 1};
    client_send(&waiting, API_FETCH, 11, fetch_make(&waiting, &ask));
    topic_drop(&c, "awaited");
    const struct fetch_response *out = client_recv(&waiting, API_FETCH, 11, waiting.correlation);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_UNKNOWN_PARTITION);
    client_close(&waiting);
}

// ---- cluster

static void kafka_05_37_find_coordinator(void **state)
{
    (void)state;
    for (int16_t version = 0; version <= 6; version++) {
        for (int8_t type = 0; type <= 3; type++) {
            struct find_coordinator_request *in = client_new(&c, find_coordinator_request, 1);
            struct str keys[] = {STR("g1"), STR("g2")};
            in->key = keys[0];
            in->key_type = type;
            in->coordinator_keys = keys;
            in->coordinator_keys_count = 2;
            // v0 has no key type: it asks for a group. This broker coordinates groups and transactions.
            bool is_group = version == 0 || type <= 1;
            enum err err = is_group ? ERR_OK : type > 2 ? ERR_INVALID_REQUEST : ERR_UNSUPPORTED_VERSION;
            assert_false(err_is_retriable(err)); // or clients ask for ever
            int32_t node_id = is_group ? broker_node_id(the_rig.broker) : -1;
            int32_t port = is_group ? the_rig.listen_port : -1;
            const struct find_coordinator_response *out = client_call(&c, API_FIND_COORDINATOR, version, in);
            if (version < 4) {
                assert_int_equal(out->error, err);
                assert_int_equal(out->node_id, node_id);
                assert_int_equal(out->port, port);
                bool is_none = is_group && version >= 1;
                assert_int_equal(is(out->error_message, "NONE"), is_none);
                assert_int_equal(out->error_message.len > 0, version >= 1);
                continue;
            }
            assert_int_equal(out->coordinators_count, 2);
            for (int i = 0; i < 2; i++) {
                assert_true(str_equal(out->coordinators[i].key, keys[i]));
                assert_int_equal(out->coordinators[i].error, err);
                assert_int_equal(out->coordinators[i].node_id, node_id);
                assert_int_equal(out->coordinators[i].port, port);
                assert_non_null(out->coordinators[i].error_message.ptr);
                assert_int_equal(out->coordinators[i].error_message.len > 0, !is_group);
            }
        }
    }
}

static void describe_cluster_versions(void **state)
{
    (void)state;
    for (int16_t version = 0; version <= 2; version++) {
        struct describe_cluster_request *in = client_new(&c, describe_cluster_request, 1);
        const struct describe_cluster_response *out = client_call(&c, API_DESCRIBE_CLUSTER, version, in);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->cluster_id.len, 22);
        assert_int_equal(out->controller_id, 1);
        assert_int_equal(out->brokers_count, 1);
        assert_int_equal(out->brokers[0].broker_id, 1);
        assert_true(is(out->brokers[0].host, "127.0.0.1"));
        assert_int_equal(out->brokers[0].port, the_rig.listen_port);
        assert_false(out->brokers[0].is_fenced);
        in->endpoint_type = 2;
        out = client_call(&c, API_DESCRIBE_CLUSTER, version, in);
        assert_int_equal(out->error, version >= 1 ? ERR_MISMATCHED_ENDPOINT_TYPE : ERR_OK);
        in->endpoint_type = 9;
        out = client_call(&c, API_DESCRIBE_CLUSTER, version, in);
        assert_int_equal(out->error, version >= 1 ? ERR_UNSUPPORTED_ENDPOINT_TYPE : ERR_OK);
    }
}

static const struct describe_topic_partitions_response *
describe_partitions(const char *const *names, int32_t count, int32_t limit, const char *cursor, int32_t first)
{
    struct describe_topic_partitions_request *in = client_new(&c, describe_topic_partitions_request, 1);
    in->topics = client_new(&c, describe_topic_partitions_request_topic, (size_t)count);
    in->topics_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->topics[i].name = str_from_c(names[i]);
    }
    in->response_partition_limit = limit;
    if (cursor != NULL) {
        in->cursor = client_new(&c, describe_topic_partitions_request_cursor, 1);
        in->cursor->topic_name = str_from_c(cursor);
        in->cursor->partition_index = first;
    }
    return client_call(&c, API_DESCRIBE_TOPIC_PARTITIONS, 0, in);
}

static void describe_topic_partitions_pages(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "zz-pages-a", 5, NULL, NULL);
    topic_make(&c, "zz-pages-b", 3, NULL, NULL);
    topic_make(&c, "zz-pages-c", 1, NULL, NULL);
    static const char *const names[] = {"zz-pages-c", "zz-pages-a", "zz-none",
                                        "zz-pages-b", "a b",        "zz-pages-a"};
    const struct describe_topic_partitions_response *out = describe_partitions(names, 6, 2000, NULL, 0);
    assert_int_equal(out->topics_count, 5);
    assert_true(is(out->topics[0].name, "a b"));
    assert_int_equal(out->topics[0].error, ERR_INVALID_TOPIC);
    assert_int_equal(out->topics[1].error, ERR_UNKNOWN_PARTITION);
    assert_true(uuid_equal(out->topics[2].topic_id, id));
    assert_int_equal(out->topics[2].partitions_count, 5);
    const struct describe_topic_partitions_response_partition *partition = &out->topics[2].partitions[4];
    assert_int_equal(partition->partition_index, 4);
    assert_int_equal(partition->leader_id, 1);
    assert_int_equal(partition->leader_epoch, 0);
    assert_int_equal(partition->isr_nodes_count, 1);
    assert_int_equal(partition->eligible_leader_replicas_count, 0); // not null
    assert_null(out->next_cursor);
    // Page by page, whatever the limit, every partition once and in order.
    for (int32_t limit = -1; limit <= 10; limit++) {
        struct str seen = {"", 0};
        const char *cursor = NULL;
        int32_t first = 0;
        int pages = 0;
        do {
            out = describe_partitions(names, 6, limit, cursor, first);
            for (int32_t t = 0; t < out->topics_count; t++) {
                for (int32_t p = 0; p < out->topics[t].partitions_count; p++) {
                    seen = arena_printf(&c.arena, STR_FMT "%c%d", STR_ARG(seen), out->topics[t].name.ptr[9],
                                        out->topics[t].partitions[p].partition_index);
                }
            }
            if (out->next_cursor != NULL) {
                struct str next = arena_str(&c.arena, out->next_cursor->topic_name);
                cursor = next.ptr; // ends with a zero byte
                first = out->next_cursor->partition_index;
            }
            pages++;
        } while (out->next_cursor != NULL && pages < 20);
        assert_true(is(seen, "a0a1a2a3a4b0b1b2c0"));
        int want = limit < 1 ? 9 : (9 + limit - 1) / limit;
        assert_int_equal(pages, want);
    }
    // All topics: the page ends where the limit says.
    out = describe_partitions(NULL, 0, 2000, "zz-pages-b", 1);
    assert_int_equal(out->topics_count, 2);
    assert_int_equal(out->topics[0].partitions_count, 2);
    out = describe_partitions(NULL, 0, 1, "zz-pages-b", 2);
    assert_true(is(out->next_cursor->topic_name, "zz-pages-c"));
    assert_int_equal(out->next_cursor->partition_index, 0);
}

// Metadata of many partitions: the answer is made in steps and is whole.
static void large_cluster(void **state)
{
    (void)state;
    enum { TOPICS = 40, EACH = 500 };
    static struct rig rig; // a check that fails leaves the broker running
    rig_init(&rig);
    rig_start(&rig);
    struct client other;
    client_open(&other, &rig);
    char names[TOPICS][32];
    const char *list[TOPICS];
    for (int i = 0; i < TOPICS; i++) {
        snprintf(names[i], sizeof names[i], "many-%02d", i);
        list[i] = names[i];
    }
    const struct create_topics_response *made =
        client_call(&other, API_CREATE_TOPICS, 7, create_make(list, TOPICS, EACH));
    for (int i = 0; i < TOPICS; i++) {
        assert_int_equal(made->topics[i].error, ERR_OK);
    }
    const struct metadata_response *out = client_call(&other, API_METADATA, 12, ask_topics(NULL, -1));
    assert_int_equal(out->topics_count, TOPICS);
    for (int i = 0; i < TOPICS; i++) {
        assert_true(is(out->topics[i].name, names[i]));
        assert_int_equal(out->topics[i].partitions_count, EACH);
        assert_int_equal(out->topics[i].partitions[EACH - 1].partition_index, EACH - 1);
    }
    client_close(&other);
    rig_stop(&rig);
    rig_fini(&rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kafka_05_26_metadata),
        TEST(metadata_extras),
        TEST(kafka_05_26_auto_creation),
        TEST(auto_creation_is_off),
        TEST(metadata_by_topic_id),
        TEST(kafka_05_27_names_and_refusals),
        TEST(kafka_05_27_create_topics),
        TEST(kafka_05_30_create_partitions),
        TEST(kafka_05_30_delete_topics),
        TEST(deleting_wakes_fetches),
        TEST(kafka_05_37_find_coordinator),
        TEST(describe_cluster_versions),
        TEST(describe_topic_partitions_pages),
        TEST(large_cluster),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
