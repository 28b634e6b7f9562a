// SPDX-License-Identifier: Apache-2.0
// Quotas as clients see them: told and changed (KIP-546), and held to: throttle time first, then silence
// (KIP-219). The machine may be slow: times are only compared with the wait that the broker itself counted,
// and who must be over a quota is so however long the test takes - by a request that is too large for every
// place in the windows, or by windows of an hour. The arithmetic has its tests in runtime/quota_rate_test.c.
#include <math.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "kafka/test_rig.h"

enum { PARTS_MAX = 3, OPS_MAX = 3 };

static struct rig rig;
static struct client c; // of the running test

static void setup_with(const char *window_num, const char *window_s)
{
    rig_init(&rig);
    rig.loop_count = 2;
    rig_set(&rig, "quota.window.num", window_num);
    rig_set(&rig, "quota.window.size.seconds", window_s);
    rig_start(&rig);
    client_open(&c, &rig);
}

static int test_setup(void **state)
{
    (void)state;
    setup_with("2", "1"); // the last second or two: waits are short
    return 0;
}

static int test_setup_hours(void **state)
{
    (void)state;
    setup_with("2", "3600"); // nothing that was used is forgotten while the test runs
    return 0;
}

static int test_setup_seconds(void **state)
{
    (void)state;
    setup_with("11", "1"); // as configured by default
    return 0;
}

static int test_teardown(void **state)
{
    (void)state;
    client_close(&c);
    rig_stop(&rig);
    rig_fini(&rig);
    return 0;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// reconnect leaves the silence to the old connection: it is the connection that is not read.
static void reconnect(void)
{
    client_close(&c);
    client_open(&c, &rig);
}

// ---- told and changed

struct part {
    const char *type;
    const char *name; // NULL = the default
};
struct op {
    const char *key;
    double value;
    bool is_removed;
};

static const struct alter_client_quotas_response_entry *alter(const struct part *parts, const struct op *ops,
                                                              bool validate_only)
{
    struct alter_client_quotas_request *in = client_new(&c, alter_client_quotas_request, 1);
    in->entries = client_new(&c, alter_client_quotas_request_entry, 1);
    in->entries_count = 1;
    in->validate_only = validate_only;
    struct alter_client_quotas_request_entry *entry = in->entries;
    entry->entity = client_new(&c, alter_client_quotas_request_entity_part, PARTS_MAX);
    for (int i = 0; i < PARTS_MAX && parts[i].type != NULL; i++, entry->entity_count++) {
        entry->entity[i].entity_type = str_from_c(parts[i].type);
        entry->entity[i].entity_name = str_from_c(parts[i].name);
    }
    entry->ops = client_new(&c, alter_client_quotas_request_op, OPS_MAX);
    for (int i = 0; i < OPS_MAX && ops[i].key != NULL; i++, entry->ops_count++) {
        entry->ops[i].key = str_from_c(ops[i].key);
        entry->ops[i].value = ops[i].value;
        entry->ops[i].remove = ops[i].is_removed;
    }
    const struct alter_client_quotas_response *out =
        client_call(&c, API_ALTER_CLIENT_QUOTAS, validate_only ? 0 : 1, in);
    assert_int_equal(out->entries_count, 1);
    assert_int_equal(out->entries[0].entity_count, entry->entity_count);
    return &out->entries[0];
}

static void set(const char *type, const char *name, const char *key, double value)
{
    const struct part parts[PARTS_MAX] = {{type, name}};
    const struct op ops[OPS_MAX] = {{key, value, value == 0}};
    assert_int_equal(alter(parts, ops, false)->error, ERR_OK);
}

// What Apache Kafka 4.2 answers, word for word where a text is given.
static void refusals(void **state)
{
    (void)state;
#define P "producer_byte_rate"
#define C "connection_creation_rate"
    static const struct {
        struct part parts[PARTS_MAX];
        struct op ops[OPS_MAX];
        const char *text; // NULL = fine
    } rows[] = {
        {{{NULL, NULL}}, {{P, 1, false}}, "Invalid empty client quota entity"},
        {{{"user", NULL}}, {{NULL, 0, false}}, NULL},
        {{{"user", ""}}, {{P, 1, false}}, "Empty user not supported"},
        {{{"x", "a"}}, {{P, 1, false}}, "Unhandled client quota entity type: x"},
        {{{"", "a"}}, {{P, 1, false}}, "Unhandled client quota entity type: "},
        {{{"user", "a"}, {"ip", "1.2.3.4"}},
         {{P, 1, false}},
         "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"},
        {{{"ip", "1.2.3.4"}}, {{P, 1, false}}, "Invalid configuration key " P},
        {{{"ip", "not an ip"}}, {{C, 1, false}}, "not an ip is not a valid IP or resolvable host."},
        {{{"ip", "1.2.3"}}, {{C, 1, false}}, "1.2.3 is not a valid IP or resolvable host."},
        {{{"ip", "1.2.3.256"}}, {{C, 1, false}}, "1.2.3.256 is not a valid IP or resolvable host."},
        {{{"ip", "::1"}}, {{C, 1, false}}, NULL},
        {{{"ip", "1.2.3.4"}}, {{C, 1.5, false}}, C " cannot be a fractional value."},
        {{{"ip", "1.2.3.4"}}, {{C, 0, false}}, "Quota " C " must be greater than 0"},
        {{{"ip", "1.2.3.4"}}, {{C, 1e12, false}}, "Proposed value for " C " is too large for an INT."},
        {{{"user", "a"}}, {{C, 1, false}}, "Invalid configuration key " C},
        {{{"user", "a"}}, {{"nonsense", 1, false}}, "Invalid configuration key nonsense"},
        {{{"user", "a"}}, {{"nonsense", 1, true}}, NULL},
        {{{"user", "a"}}, {{P, 1.5, false}}, P " cannot be a fractional value."},
        {{{"user", "a"}}, {{P, -1, false}}, "Quota " P " must be greater than 0"},
        {{{"user", "a"}}, {{P, 1e30, false}}, "Proposed value for " P " is too large for a LONG."},
        {{{"user", "a"}}, {{"request_percentage", 0.5, false}}, NULL},
        {{{"user", "a"}}, {{P, 1, false}, {P, 2, false}}, "Duplicate configuration key " P},
        {{{"user", "a"}, {"user", "b"}}, {{P, 1, false}}, "Entity type user cannot appear more than once"},
        {{{"client-id", NULL}, {"user", "u"}}, {{P, 1025, false}}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct alter_client_quotas_response_entry *out = alter(rows[i].parts, rows[i].ops, i % 2 == 0);
        if (rows[i].text == NULL) {
            assert_int_equal(out->error, ERR_OK);
            continue;
        }
        assert_int_equal(out->error, ERR_INVALID_REQUEST);
        if (!str_equal(out->error_message, str_from_c(rows[i].text))) {
            fail_msg("row %zu: " STR_FMT, i, STR_ARG(out->error_message));
        }
    }
    const struct part user[PARTS_MAX] = {{"user", "nan"}};
    const struct op ops[OPS_MAX] = {{P, (double)NAN, false}};
    assert_int_equal(alter(user, ops, false)->error, ERR_INVALID_REQUEST);
}

static void entities_twice_in_a_request(void **state)
{
    (void)state;
    struct alter_client_quotas_request *in = client_new(&c, alter_client_quotas_request, 1);
    in->entries = client_new(&c, alter_client_quotas_request_entry, 3);
    in->entries_count = 3;
    for (int i = 0; i < 3; i++) {
        in->entries[i].entity = client_new(&c, alter_client_quotas_request_entity_part, 1);
        in->entries[i].entity_count = 1;
        in->entries[i].entity[0].entity_type = STR("user");
        in->entries[i].entity[0].entity_name = i == 1 ? STR("once") : STR("twice");
    }
    const struct alter_client_quotas_response *out = client_call(&c, API_ALTER_CLIENT_QUOTAS, 1, in);
    assert_int_equal(out->entries[0].error, ERR_INVALID_REQUEST);
    assert_int_equal(out->entries[1].error, ERR_OK);
    assert_int_equal(out->entries[2].error, ERR_INVALID_REQUEST);
}

struct component {
    const char *type;
    int8_t match_type;
    const char *match;
};

static const struct describe_client_quotas_response *describe(const struct component *components, bool strict)
{
    struct describe_client_quotas_request *in = client_new(&c, describe_client_quotas_request, 1);
    in->components = client_new(&c, describe_client_quotas_request_component, PARTS_MAX);
    in->strict = strict;
    for (int i = 0; i < PARTS_MAX && components[i].type != NULL; i++, in->components_count++) {
        in->components[i].entity_type = str_from_c(components[i].type);
        in->components[i].match_type = components[i].match_type;
        in->components[i].match = str_from_c(components[i].match);
    }
    return client_call(&c, API_DESCRIBE_CLIENT_QUOTAS, strict ? 0 : 1, in);
}

static void filters(void **state)
{
    (void)state;
    set("user", "a", P, 1);
    set("user", "a", "request_percentage", 12.5);
    set("user", "b", P, 2);
    set("user", NULL, "consumer_byte_rate", 7);
    set("ip", "10.0.0.1", C, 3);
    set("ip", NULL, C, 4);
    const struct part both[PARTS_MAX] = {{"client-id", "c"}, {"user", "u"}};
    const struct part half[PARTS_MAX] = {{"client-id", NULL}, {"user", "u"}};
    const struct op ops[OPS_MAX] = {{P, 1024, false}};
    assert_int_equal(alter(both, ops, false)->error, ERR_OK);
    assert_int_equal(alter(half, ops, false)->error, ERR_OK);
    assert_int_equal(alter((const struct part[PARTS_MAX]){{"user", "v"}}, ops, true)->error, ERR_OK);
    static const struct {
        struct component components[PARTS_MAX];
        int32_t count;
        int32_t strict_count;
        enum err err;
    } rows[] = {
        {{{NULL, 0, NULL}}, 7, 0, ERR_OK},
        {{{"user", 2, NULL}}, 5, 3, ERR_OK},
        {{{"user", 0, "u"}}, 2, 0, ERR_OK},
        {{{"user", 1, NULL}}, 1, 1, ERR_OK},
        {{{"client-id", 2, NULL}}, 2, 0, ERR_OK},
        {{{"user", 2, NULL}, {"client-id", 1, NULL}}, 1, 1, ERR_OK},
        {{{"ip", 2, NULL}}, 2, 2, ERR_OK},
        {{{"ip", 0, "10.0.0.1"}}, 1, 1, ERR_OK},
        {{{"user", 0, "nobody"}}, 0, 0, ERR_OK},
        {{{"user", 0, NULL}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"user", 1, "x"}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"user", 2, "x"}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"user", 3, NULL}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"user", -1, NULL}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"x", 2, NULL}}, 0, 0, ERR_UNSUPPORTED_VERSION},
        {{{"", 2, NULL}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"user", 2, NULL}, {"user", 2, NULL}}, 0, 0, ERR_INVALID_REQUEST},
        {{{"ip", 2, NULL}, {"user", 2, NULL}}, 0, 0, ERR_INVALID_REQUEST},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int strict = 0; strict < 2; strict++) {
            const struct describe_client_quotas_response *out = describe(rows[i].components, strict == 1);
            assert_int_equal(out->error, rows[i].err);
            int32_t want = strict == 1 ? rows[i].strict_count : rows[i].count;
            assert_int_equal(out->entries_count, rows[i].err != ERR_OK ? -1 : want);
        }
    }
    const struct component a[PARTS_MAX] = {{"user", 0, "a"}};
    const struct describe_client_quotas_response *out = describe(a, false);
    assert_int_equal(out->entries[0].values_count, 2);
    assert_true(str_equal(out->entries[0].values[0].key, STR(P)));
    assert_true(out->entries[0].values[0].value == 1);
    assert_true(out->entries[0].values[1].value == 12.5);
    // Taken away one by one, the entity goes with the last; all of it survives a restart.
    set("user", "a", P, 0);
    client_close(&c);
    rig_stop(&rig);
    rig_start(&rig);
    client_open(&c, &rig);
    out = describe(a, false);
    assert_int_equal(out->entries[0].values_count, 1);
    set("user", "a", "request_percentage", 0);
    assert_int_equal(describe(a, false)->entries_count, 0);
}

// ---- held to

static const struct produce_response *produce_to(struct client *client, const char *topic, struct bytes batch)
{
    struct produce_request *in = client_new(client, produce_request, 1);
    in->acks = -1;
    in->topics = client_new(client, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(client, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = batch;
    const struct produce_response *out = client_call(client, API_PRODUCE, 9, in);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    return out;
}

static struct bytes batch_of(size_t size)
{
    char *value = mem_alloc(size + 1);
    memset(value, 'v', size);
    value[size] = '\0';
    struct bytes batch = batch_make(&c, NULL, 1, value);
    mem_free(value);
    return batch;
}

static int64_t throttled(const char *labels)
{
    return metric_value(metrics_counter(rig.metrics, "strom_quota_throttled_total", labels, ""));
}

static int64_t waits_ms(const char *labels)
{
    return metric_value(metrics_counter(rig.metrics, "strom_quota_throttle_milliseconds_total", labels, ""));
}

// What comes at once, in a request, is taken over two windows of a second at the most: LARGE bytes against
// RATE wait for LARGE / RATE - 2 seconds at the least, wherever in its window the clock stands.
enum { LARGE = 150000, RATE = 50000, LEAST_MS = 1000 };

// Three times what the quota lets through in a second: the answer says how long to wait, and the broker does
// not read before that is over. The wait began no earlier than its request was sent.
static void producers_wait(void **state)
{
    (void)state;
    topic_make(&c, "in", 1, NULL, NULL);
    set("client-id", "test", P, RATE);
    struct bytes batch = batch_of(LARGE);
    int64_t told_ns = 0;
    int64_t sent_ns = 0;
    for (int i = 0; i < 3; i++) {
        int64_t before_ns = now_ns();
        int32_t throttle_ms = produce_to(&c, "in", batch)->throttle_time_ms;
        assert_true(throttle_ms >= LEAST_MS);
        assert_true(now_ns() - sent_ns >= told_ns); // it was not read before
        sent_ns = before_ns;
        told_ns = (throttle_ms - 1) * (int64_t)1000000; // it is rounded up
    }
    assert_int_equal(throttled("quota=\"producer_byte_rate\""), 3);
    // Another client id is not concerned; without the quota nobody is.
    set("client-id", "test", P, 0);
    (void)produce_to(&c, "in", batch);
    assert_int_equal(produce_to(&c, "in", batch)->throttle_time_ms, 0);
}

// acks=0 has no answer to say it in: the silence alone does it.
static void producers_without_answers_wait(void **state)
{
    (void)state;
    topic_make(&c, "in", 1, NULL, NULL);
    struct bytes batch = batch_of(LARGE);
    set("user", "ANONYMOUS", P, RATE);
    struct produce_request *in = client_new(&c, produce_request, 1);
    in->topics = client_new(&c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = STR("in");
    in->topics[0].partitions = client_new(&c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = batch;
    int64_t sent_ns = now_ns();
    client_send(&c, API_PRODUCE, 9, in);
    const struct fetch_ask ask = {.topic = "in"};
    const struct fetch_response_partition *out = fetch_send(&c, 11, &ask);
    int64_t passed_ns = now_ns() - sent_ns;
    assert_int_equal(out->records.bytes.len, batch.len);
    assert_int_equal(throttled("quota=\"producer_byte_rate\""), 1);
    int64_t wait_ms = waits_ms("quota=\"producer_byte_rate\"");
    assert_true(wait_ms >= LEAST_MS);
    assert_true(passed_ns >= wait_ms * 1000000);
}

static const struct fetch_response *fetch_in(int32_t session, int32_t epoch, int64_t offset,
                                             int32_t max_bytes)
{
    const struct fetch_ask ask = {.topic = "out", .offset = offset, .max_bytes = max_bytes};
    struct fetch_request *in = fetch_make(&c, &ask);
    in->session_id = session;
    in->session_epoch = epoch;
    return client_call(&c, API_FETCH, 11, in);
}

static void consumers_wait(void **state)
{
    (void)state;
    topic_make(&c, "out", 1, NULL, NULL);
    struct bytes batch = batch_of(LARGE);
    (void)produce_to(&c, "out", batch);
    set("user", NULL, "consumer_byte_rate", RATE);
    // A batch larger than the quota comes all the same, to whom nothing else was sent for a while.
    int64_t sent_ns = now_ns();
    const struct fetch_response *out = fetch_in(0, -1, 0, 1);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
    assert_true(out->throttle_time_ms >= LEAST_MS);
    int64_t told_ns = (out->throttle_time_ms - 1) * (int64_t)1000000; // it is rounded up
    (void)client_call(&c, API_METADATA, 12, client_new(&c, metadata_request, 1));
    assert_true(now_ns() - sent_ns >= told_ns); // it was not read before
    // It comes again when what was used is forgotten: nobody waits for longer than that with nothing.
    set("user", NULL, "consumer_byte_rate", 1000);
    out = fetch_in(0, -1, 0, 1);
    for (int i = 0; out->topics_count == 0; i++) {
        assert_true(i < 10);
        assert_in_range(out->throttle_time_ms, 1, 2000);
        out = fetch_in(0, -1, 0, 1);
    }
    assert_true(out->throttle_time_ms > 2000);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
}

// Who is over the quota gets nothing, and is told to wait; the session goes on through the empty answer.
static void consumers_over_their_quota_get_nothing(void **state)
{
    (void)state;
    topic_make(&c, "out", 1, NULL, NULL);
    struct bytes batch = batch_of(LARGE);
    (void)produce_to(&c, "out", batch);
    (void)produce_to(&c, "out", batch);
    set("user", NULL, "consumer_byte_rate", 1); // 7200 bytes in all windows
    const struct fetch_response *out = fetch_in(0, 0, 0, 1);
    int32_t session = out->session_id;
    assert_int_not_equal(session, 0);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
    assert_true(out->throttle_time_ms > 0);
    reconnect();
    out = fetch_in(session, 1, 1, 1);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, session);
    assert_int_equal(out->topics_count, 0);
    assert_true(out->throttle_time_ms > 0);
    reconnect();
    set("user", NULL, "consumer_byte_rate", 0);
    out = fetch_in(session, 2, 1, 1);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, session);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
    assert_int_equal(out->throttle_time_ms, 0);
}

static void requests_cost_time(void **state)
{
    (void)state;
    set("client-id", NULL, "request_percentage", 1e-9); // whatever a request costs is more
    const struct metadata_response *out =
        client_call(&c, API_METADATA, 12, client_new(&c, metadata_request, 1));
    assert_in_range(out->throttle_time_ms, 1, 1000); // one window at most
    assert_true(throttled("quota=\"request_percentage\"") > 0);
}

static enum err create(const char *name, int32_t partitions, int16_t version, int32_t *ret_throttle_ms)
{
    struct create_topics_request *in = client_new(&c, create_topics_request, 1);
    in->topics = client_new(&c, create_topics_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(name);
    in->topics[0].num_partitions = partitions;
    in->topics[0].replication_factor = 1;
    const struct create_topics_response *out = client_call(&c, API_CREATE_TOPICS, version, in);
    *ret_throttle_ms = out->throttle_time_ms;
    return out->topics[0].error;
}

static void changes_are_counted(void **state)
{
    (void)state;
    int32_t throttle_ms = 0;
    set("user", NULL, "controller_mutation_rate", 0.01); // 72 in all windows
    assert_int_equal(create("one", 72, 7, &throttle_ms), ERR_OK);
    assert_int_equal(throttle_ms, 0);
    assert_int_equal(create("one", 100, 7, &throttle_ms), ERR_TOPIC_EXISTS); // what fails costs nothing
    assert_int_equal(throttle_ms, 0);
    assert_int_equal(create("two", 30, 7, &throttle_ms), ERR_OK); // may go beyond
    assert_true(throttle_ms > 0);
    reconnect();
    set("user", NULL, "controller_mutation_rate", 0.001); // what was used stays used
    assert_int_equal(create("three", 1, 6, &throttle_ms), ERR_QUOTA_EXCEEDED);
    assert_true(throttle_ms > 0);
}

static void older_clients_are_not_refused(void **state)
{
    (void)state;
    int32_t throttle_ms = 0;
    set("user", NULL, "controller_mutation_rate", 0.01);
    assert_int_equal(create("one", 100, 5, &throttle_ms), ERR_OK);
    assert_true(throttle_ms > 0);
    reconnect();
    assert_int_equal(create("two", 10, 5, &throttle_ms), ERR_OK);
    assert_true(throttle_ms > 0);
    reconnect();
    struct delete_topics_request *in = client_new(&c, delete_topics_request, 1);
    struct str names[] = {STR("one")};
    in->topic_names = names;
    in->topic_names_count = 1;
    const struct delete_topics_response *out = client_call(&c, API_DELETE_TOPICS, 4, in);
    assert_int_equal(out->topics[0].error, ERR_OK);
    assert_true(out->throttle_time_ms > 0);
}

// One a second, and what ten seconds or eleven had for the first: of any more that come, some are refused.
static void addresses_connect_no_faster(void **state)
{
    (void)state;
    enum { REFUSED = 20, TRIES_MAX = 1000 };
    set("ip", "127.0.0.9", C, 1);
    set("ip", "127.0.0.10", C, 1000000);
    int64_t start_ns = now_ns();
    int refused = 0;
    int opened = 0;
    while (refused < REFUSED) {
        struct client other;
        client_open_from(&other, &rig, 10);
        (void)client_call(&other, API_API_VERSIONS, 0, client_new(&other, api_versions_request, 1));
        client_close(&other);
        client_open_from(&other, &rig, 9);
        client_send(&other, API_API_VERSIONS, 0, client_new(&other, api_versions_request, 1));
        uint8_t byte;
        bool is_refused = recv(other.fd, &byte, 1, 0) <= 0;
        refused += is_refused;
        opened += !is_refused;
        assert_true(refused + opened < TRIES_MAX);
        client_close(&other);
    }
    assert_true(opened > 0);
    assert_true(opened <= 11 + (now_ns() - start_ns) / 1000000000 + 1);
    assert_int_equal(metric_value(metrics_counter(rig.metrics, "strom_kafka_refused_connections_total",
                                                  "limit=\"connection_creation_rate\"", "")),
                     refused);
}

int main(void)
{
#define TEST_IN(name, setup) cmocka_unit_test_setup_teardown(name, setup, test_teardown)
#define TEST(name)           TEST_IN(name, test_setup)
    const struct CMUnitTest tests[] = {
        TEST(refusals),
        TEST(entities_twice_in_a_request),
        TEST(filters),
        TEST(producers_wait),
        TEST(producers_without_answers_wait),
        TEST(consumers_wait),
        TEST_IN(consumers_over_their_quota_get_nothing, test_setup_hours),
        TEST(requests_cost_time),
        TEST_IN(changes_are_counted, test_setup_hours),
        TEST_IN(older_clients_are_not_refused, test_setup_hours),
        TEST_IN(addresses_connect_no_faster, test_setup_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
