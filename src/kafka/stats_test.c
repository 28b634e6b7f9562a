// SPDX-License-Identifier: Apache-2.0
// Requests, topics and partitions as a scrape shows them.
#include <stdio.h>
#include <stdlib.h>

#include "kafka/test_rig.h"

static struct rig the_rig;
static struct client c;
static struct buf page;

static int setup(void **state)
{
    (void)state;
    rig_init(&the_rig);
    the_rig.loop_count = 2; // counts of several fronts are added up
    the_rig.has_own_time = true;
    rig_set(&the_rig, "strom.metrics.topics.max", "3");
    rig_set(&the_rig, "strom.metrics.partitions.max", "4");
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

static void scrape(void)
{
    buf_init(&page, 16 << 20);
    metrics_render(the_rig.metrics, &page);
    buf_u8(&page, 0);
    assert_false(page.failed);
}

// value_of gives the number of the one line that begins with `series`, -1 if there is none.
static double value_of(const char *series)
{
    char line[256];
    snprintf(line, sizeof line, "\n%s ", series);
    const char *at = strstr((const char *)page.ptr, line);
    if (at == NULL) {
        return -1;
    }
    assert_null(strstr(at + 1, line));
    return strtod(at + strlen(line), NULL);
}

static double sample(const char *series)
{
    scrape();
    double value = value_of(series);
    buf_fini(&page);
    return value;
}

#define REQUESTS "kafka_network_requestmetrics_requests_total"
#define ERRORS   "kafka_network_requestmetrics_errors_total"
#define TIMES    "kafka_network_requestmetrics_totaltimems"
#define SIZES    "kafka_network_requestmetrics_requestbytes"

static void requests_are_counted_by_version(void **state)
{
    (void)state;
    assert_true(sample(REQUESTS "{request=\"ApiVersions\",version=\"0\"}") < 0); // never asked for
    for (int i = 0; i < 4; i++) {                                                // on both fronts
        client_assert_served(&the_rig);
    }
    client_open(&c, &the_rig);
    // A version that nobody knows is answered as version 0.
    static const uint8_t unknown[] = {0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0};
    client_send_bytes(&c, unknown, sizeof unknown);
    (void)client_recv_frame(&c);
    scrape();
    assert_true(value_of(REQUESTS "{request=\"ApiVersions\",version=\"0\"}") == 5);
    assert_true(value_of(ERRORS "{request=\"ApiVersions\",error=\"NONE\"}") == 4);
    assert_true(value_of(ERRORS "{request=\"ApiVersions\",error=\"UNSUPPORTED_VERSION\"}") == 1);
    assert_true(value_of(TIMES "_count{request=\"ApiVersions\"}") == 5);
    assert_true(value_of(TIMES "{request=\"ApiVersions\",quantile=\"0.50\"}") >= 0);
    assert_true(value_of(TIMES "{request=\"ApiVersions\",quantile=\"0.999\"}") < 20000);
    assert_true(value_of(SIZES "_sum{request=\"ApiVersions\"}") == 4 * 14 + 11); // without the length itself
    assert_true(value_of(REQUESTS "{request=\"Produce\",version=\"9\"}") < 0);
    buf_fini(&page);
    client_close(&c);
}

static void errors_are_counted_per_partition(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "counted", 1, NULL, NULL);
    produce(&c, "counted", 0, batch_at(&c, wall_now_ms(), 5, false));
    struct bytes batch = batch_at(&c, wall_now_ms(), 5, false);
    (void)produce_send(&c, 9, "counted", (struct uuid){{0}}, 7, batch_copy(&c, batch));
    uint8_t *broken = (uint8_t *)batch_copy(&c, batch).ptr;
    broken[batch.len - 1] ^= 1;
    (void)produce_send(&c, 9, "counted", (struct uuid){{0}}, 0, bytes_of(broken, batch.len));
    const struct fetch_ask ask = {.topic = "counted", .min_bytes = 1, .wait_ms = 50};
    (void)fetch_send(&c, 11, &ask);
    scrape();
    assert_true(value_of(ERRORS "{request=\"Produce\",error=\"NONE\"}") == 1);
    assert_true(value_of(ERRORS "{request=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}") == 1);
    assert_true(value_of(ERRORS "{request=\"Produce\",error=\"CORRUPT_MESSAGE\"}") == 1);
    // A consumer's Fetch goes by two names; its answer has an error code of its own and one per partition.
    assert_true(value_of(ERRORS "{request=\"Fetch\",error=\"NONE\"}") == 2);
    assert_true(value_of(REQUESTS "{request=\"FetchConsumer\",version=\"11\"}") == 1);
    assert_true(value_of("strom_response_bytes_total{request=\"Fetch\"}") > (double)batch.len);
    assert_true(value_of("kafka_server_socket_server_metrics_incoming_byte_total") > (double)batch.len * 3);
    assert_true(value_of("kafka_server_socket_server_metrics_outgoing_byte_total") > (double)batch.len);
    buf_fini(&page);
    client_close(&c);
}

static void time_includes_the_wait(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "waited", 1, NULL, NULL);
    double before = sample(TIMES "_sum{request=\"Fetch\"}");
    const struct fetch_ask ask = {.topic = "waited", .min_bytes = 1, .wait_ms = 300000};
    client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
    client_wait_for_parked(&the_rig, 1);
    rig_time_passes(&the_rig, ask.wait_ms);
    (void)client_recv(&c, API_FETCH, 11, c.correlation);
    double after = sample(TIMES "_sum{request=\"Fetch\"}");
    // The wait begins with the loop's round, the time of the request when it is read, a little later.
    assert_true(after - (before < 0 ? 0 : before) >= 290000);
    assert_true(sample(TIMES "{request=\"Fetch\",quantile=\"0.999\"}") >= 290000);
    client_close(&c);
}

#define TOPICS "kafka_server_brokertopicmetrics_"

static void topics_have_traffic(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "a-topic", 2, NULL, NULL);
    scrape();
    double messages = value_of(TOPICS "messagesin_total");
    double failed = value_of(TOPICS "failedproducerequests_total");
    assert_true(value_of(TOPICS "messagesin_total{topic=\"a-topic\"}") == 0);
    buf_fini(&page);
    struct batch_options options = batch_options_default();
    options.producer_id = 9;
    options.producer_epoch = 0;
    options.base_sequence = 0;
    struct bytes batch = batch_make(&c, &options, 7, "v");
    produce(&c, "a-topic", 1, batch_copy(&c, batch));
    produce(&c, "a-topic", 1, batch_copy(&c, batch)); // a duplicate adds nothing
    uint8_t *broken = (uint8_t *)batch_copy(&c, batch).ptr;
    broken[batch.len - 1] ^= 1;
    (void)produce_send(&c, 9, "a-topic", (struct uuid){{0}}, 0, bytes_of(broken, batch.len));
    options.base_sequence = 99; // refused only when it is applied
    batch = batch_make(&c, &options, 7, "v");
    assert_int_equal(produce_send(&c, 9, "a-topic", (struct uuid){{0}}, 1, batch_copy(&c, batch))->error,
                     ERR_OUT_OF_ORDER_SEQUENCE);
    (void)produce_send(&c, 9, "a-topic", (struct uuid){{0}}, 5, batch_copy(&c, batch)); // no such partition
    const struct fetch_ask ask = {.topic = "a-topic", .partition = 1, .min_bytes = 1, .wait_ms = 50};
    (void)fetch_send(&c, 11, &ask);
    const struct fetch_ask past = {.topic = "a-topic", .partition = 1, .offset = 99, .min_bytes = 1};
    (void)fetch_send(&c, 11, &past);
    scrape();
    assert_true(value_of(TOPICS "messagesin_total{topic=\"a-topic\"}") == 7);
    assert_true(value_of(TOPICS "messagesin_total") == messages + 7);
    assert_true(value_of(TOPICS "bytesin_total{topic=\"a-topic\"}") == (double)batch.len);
    assert_true(value_of(TOPICS "bytesout_total{topic=\"a-topic\"}") == (double)batch.len);
    assert_true(value_of(TOPICS "totalproducerequests_total{topic=\"a-topic\"}") == 4);
    assert_true(value_of(TOPICS "failedproducerequests_total{topic=\"a-topic\"}") == 2);
    assert_true(value_of(TOPICS "failedproducerequests_total") == failed + 3);
    assert_true(value_of(TOPICS "totalfetchrequests_total{topic=\"a-topic\"}") == 2);
    assert_true(value_of(TOPICS "failedfetchrequests_total{topic=\"a-topic\"}") == 1);
    assert_true(value_of("kafka_log_log_logendoffset{topic=\"a-topic\",partition=\"1\"}") == 7);
    assert_true(value_of("kafka_log_log_logendoffset{topic=\"a-topic\",partition=\"0\"}") == 0);
    assert_true(value_of("kafka_log_log_size{topic=\"a-topic\",partition=\"1\"}") == (double)batch.len);
    buf_fini(&page);
    // A topic that is made again starts anew; the total keeps what was.
    topic_drop(&c, "a-topic");
    assert_true(sample(TOPICS "messagesin_total{topic=\"a-topic\"}") < 0);
    topic_make(&c, "a-topic", 2, NULL, NULL);
    scrape();
    assert_true(value_of(TOPICS "messagesin_total{topic=\"a-topic\"}") == 0);
    assert_true(value_of(TOPICS "messagesin_total") == messages + 7);
    buf_fini(&page);
    client_close(&c);
}

static void series_are_bounded(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "z-one", 1, NULL, NULL);
    topic_make(&c, "z-two", 5, NULL, NULL);
    double before = sample(TOPICS "messagesin_total{topic=\"(others)\"}");
    produce(&c, "z-one", 0, batch_at(&c, wall_now_ms(), 3, false));
    produce(&c, "z-two", 4, batch_at(&c, wall_now_ms(), 4, false));
    scrape();
    // Three topics in the order of their names, four of their partitions.
    assert_true(value_of(TOPICS "messagesin_total{topic=\"a-topic\"}") == 0);
    assert_true(value_of(TOPICS "messagesin_total{topic=\"z-one\"}") < 0);
    assert_true(value_of(TOPICS "messagesin_total{topic=\"(others)\"}") == before + 7);
    double partitions = value_of("kafka_server_replicamanager_partitioncount");
    assert_true(partitions == 10);
    assert_true(value_of("strom_metrics_partitions_left_out") == partitions - 4);
    assert_true(value_of("kafka_controller_kafkacontroller_globaltopiccount") == 5);
    buf_fini(&page);
    client_close(&c);
}

static void commit(const char *group, const char *topic, int32_t partitions, int64_t offset)
{
    struct offset_commit_request *in = client_new(&c, offset_commit_request, 1);
    in->group_id = str_from_c(group);
    in->topics = client_new(&c, offset_commit_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(&c, offset_commit_request_partition, (size_t)partitions);
    in->topics[0].partitions_count = partitions;
    for (int32_t i = 0; i < partitions; i++) {
        in->topics[0].partitions[i].partition_index = i;
        in->topics[0].partitions[i].committed_offset = offset + i;
    }
    const struct offset_commit_response *out = client_call(&c, API_OFFSET_COMMIT, 7, in);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
}

static void groups_are_bounded_too(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "grouped", 3, NULL, NULL);
    produce(&c, "grouped", 1, batch_at(&c, wall_now_ms(), 10, false));
    commit("g-b", "grouped", 3, 4);
    commit("g-a\xff", "grouped", 2, 0);
    for (char name[] = "g-c"; name[2] < 'h'; name[2]++) {
        commit(name, "grouped", 1, 0);
    }
    scrape();
    assert_true(value_of("kafka_coordinator_group_groupmetadatamanager_numgroups") == 7);
    assert_true(value_of("kafka_coordinator_group_groupmetadatamanager_numgroupsempty") == 7);
    assert_true(value_of("kafka_coordinator_group_groupmetadatamanager_numoffsets") == 10);
    assert_true(value_of("strom_metrics_group_offsets_left_out") == 6);
    // Four groups in the order of their ids, and four of their offsets.
    assert_true(value_of("kafka_consumergroup_members{consumergroup=\"g-a%FF\"}") == 0);
    assert_true(value_of("kafka_consumergroup_members{consumergroup=\"g-d\"}") == 0);
    assert_true(value_of("kafka_consumergroup_members{consumergroup=\"g-e\"}") < 0);
#define OF(group, partition) "{consumergroup=\"" group "\",topic=\"grouped\",partition=\"" partition "\"}"
    assert_true(value_of("kafka_consumergroup_lag" OF("g-a%FF", "1")) == 9);
    assert_true(value_of("kafka_consumergroup_current_offset" OF("g-b", "1")) == 5);
    assert_true(value_of("kafka_consumergroup_lag" OF("g-b", "1")) == 5);
    assert_true(value_of("kafka_consumergroup_lag" OF("g-b", "0")) == 0); // committed past the end
    assert_true(value_of("kafka_consumergroup_lag" OF("g-b", "2")) < 0);
    assert_true(value_of("kafka_consumergroup_lag" OF("g-c", "0")) < 0);
    buf_fini(&page);
    client_close(&c);
}

static void groups_are_counted_by_protocol(void **state)
{
    (void)state;
    client_open(&c, &the_rig);
    topic_make(&c, "watched", 1, NULL, NULL);
    struct consumer_group_heartbeat_request *in = client_new(&c, consumer_group_heartbeat_request, 1);
    in->group_id = STR("watchers");
    in->member_id = STR("m");
    in->rebalance_timeout_ms = 20000;
    in->subscribed_topic_names = arena_new(&c.arena, struct str, 1);
    in->subscribed_topic_names[0] = STR("watched");
    in->subscribed_topic_names_count = 1;
    in->topic_partitions = client_new(&c, consumer_group_heartbeat_request_topic_partition, 1);
    in->topic_partitions_count = 0;
    const struct consumer_group_heartbeat_response *out =
        client_call(&c, API_CONSUMER_GROUP_HEARTBEAT, 1, in);
    assert_int_equal(out->error, ERR_OK);
    scrape();
#define SERIES "kafka_server_group_coordinator_metrics_"
    double classic = value_of("kafka_coordinator_group_groupmetadatamanager_numgroups");
    assert_true(value_of(SERIES "group_count{protocol=\"consumer\"}") == 1);
    assert_true(value_of(SERIES "group_count{protocol=\"classic\"}") == classic);
    assert_true(value_of(SERIES "consumer_group_count{state=\"stable\"}") == 1);
    assert_true(value_of(SERIES "consumer_group_count{state=\"empty\"}") == 0);
    assert_true(value_of(SERIES "consumer_group_rebalance_count") == 1);
    buf_fini(&page);
    in->member_epoch = -1;
    out = client_call(&c, API_CONSUMER_GROUP_HEARTBEAT, 1, in);
    assert_int_equal(out->error, ERR_OK);
    scrape();
    assert_true(value_of(SERIES "consumer_group_count{state=\"stable\"}") == 0);
    assert_true(value_of(SERIES "consumer_group_count{state=\"empty\"}") == 1);
    assert_true(value_of("kafka_coordinator_group_groupmetadatamanager_numgroups") == classic);
    buf_fini(&page);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_version),
        cmocka_unit_test(errors_are_counted_per_partition),
        cmocka_unit_test(time_includes_the_wait),
        cmocka_unit_test(topics_have_traffic),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(groups_are_bounded_too),
        cmocka_unit_test(groups_are_counted_by_protocol),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
