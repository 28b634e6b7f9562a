// SPDX-License-Identifier: Apache-2.0
// Fetch, ListOffsets, OffsetForLeaderEpoch and DeleteRecords as clients see them. Tests named kafka_05_NN_*
// hold a point of what clients expect (kafka.md section 5).
#include <time.h>

#include "kafka/test_rig.h"

static struct rig the_rig;
static struct client c; // of the running test
static const struct uuid no_id;

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

static struct fetch_response_partition *fetch_at(const char *topic, int64_t offset)
{
    const struct fetch_ask ask = {.topic = topic, .offset = offset};
    return fetch_send(&c, 11, &ask);
}

static void kafka_05_18_offsets_out_of_range(void **state)
{
    (void)state;
    topic_make(&c, "ranges", 1, NULL, NULL);
    produce(&c, "ranges", 0, batch_make(&c, NULL, 5, "v"));
    delete_records(&c, "ranges", 2, 2, ERR_OK);
    static const struct {
        int64_t offset;
        enum err err;
    } rows[] = {{-1, ERR_OFFSET_OUT_OF_RANGE},
                {0, ERR_OFFSET_OUT_OF_RANGE},
                {1, ERR_OFFSET_OUT_OF_RANGE},
                {2, ERR_OK},
                {5, ERR_OK},
                {6, ERR_OFFSET_OUT_OF_RANGE},
                {INT64_MAX, ERR_OFFSET_OUT_OF_RANGE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fetch_response_partition *out = fetch_at("ranges", rows[i].offset);
        assert_int_equal(out->error, rows[i].err);
        assert_int_equal(out->records.bytes.len > 0, rows[i].offset == 2);
    }
}

static void kafka_05_19_whole_batches_and_limits(void **state)
{
    (void)state;
    topic_make(&c, "limits", 3, NULL, NULL);
    struct bytes batch = batch_make(&c, NULL, 10, "value");
    for (int i = 0; i < 4; i++) {
        produce(&c, "limits", 0, batch);
        produce(&c, "limits", 1, batch);
    }
    // The batch that contains the offset, whole.
    const struct fetch_ask middle = {.topic = "limits", .offset = 17, .partition_max_bytes = 1};
    const struct fetch_response_partition *out = fetch_send(&c, 11, &middle);
    assert_int_equal(out->records.bytes.len, batch.len);
    assert_int_equal(load_be64(out->records.bytes.ptr), 10);
    // Two and a half batches of room are two batches.
    const struct fetch_ask some = {.topic = "limits", .partition_max_bytes = (int32_t)(batch.len * 5 / 2)};
    assert_int_equal(fetch_send(&c, 11, &some)->records.bytes.len, 2 * batch.len);
    // Only the first partition with records of the whole request may exceed the limits.
    const struct fetch_ask ask = {.topic = "limits", .max_bytes = 1, .partition_max_bytes = 1};
    struct fetch_request *in = fetch_make(&c, &ask);
    struct fetch_request_partition *partitions = client_new(&c, fetch_request_partition, 3);
    static const int32_t order[] = {2, 1, 0}; // partition 2 is empty
    for (int i = 0; i < 3; i++) {
        partitions[i].partition = order[i];
        partitions[i].partition_max_bytes = 1;
    }
    in->topics[0].partitions = partitions;
    in->topics[0].partitions_count = 3;
    const struct fetch_response *all = client_call(&c, API_FETCH, 11, in);
    assert_int_equal(all->topics[0].partitions[0].records.bytes.len, 0);
    assert_int_equal(all->topics[0].partitions[1].records.bytes.len, batch.len);
    assert_int_equal(all->topics[0].partitions[2].records.bytes.len, 0);
    assert_int_equal(all->topics[0].partitions[2].high_watermark, 40);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void kafka_05_20_waiting(void **state)
{
    (void)state;
    topic_make(&c, "waits", 1, NULL, NULL);
    struct client producer;
    client_open(&producer, &the_rig);
    // At once: an error, no time to wait, enough bytes, nothing asked.
    struct fetch_ask ask = {.topic = "waits", .offset = 9, .wait_ms = 3600000, .min_bytes = 1};
    assert_int_equal(fetch_send(&c, 11, &ask)->error, ERR_OFFSET_OUT_OF_RANGE);
    ask.offset = 0;
    ask.wait_ms = 0;
    assert_int_equal(fetch_send(&c, 11, &ask)->records.bytes.len, 0);
    ask.wait_ms = 3600000;
    ask.min_bytes = 0;
    assert_int_equal(fetch_send(&c, 11, &ask)->records.bytes.len, 0);
    struct fetch_request *nothing = fetch_make(&c, &ask);
    nothing->topics_count = 0;
    nothing->min_bytes = 1;
    (void)client_call(&c, API_FETCH, 11, nothing);
    // At the end it waits for the next record, and no longer.
    ask.min_bytes = 1;
    client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
    struct bytes batch = batch_make(&producer, NULL, 1, "v");
    assert_int_equal(produce(&producer, "waits", 0, batch), 0);
    const struct fetch_response *out = client_recv(&c, API_FETCH, 11, c.correlation);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
    // min_bytes of several batches: one does not wake it, the third does.
    ask.offset = 1;
    ask.min_bytes = (int32_t)batch.len * 3;
    client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
    for (int i = 0; i < 3; i++) {
        produce(&producer, "waits", 0, batch);
    }
    out = client_recv(&c, API_FETCH, 11, c.correlation);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, 3 * batch.len);
    // The deadline answers with what there is.
    ask.offset = 3;
    ask.min_bytes = 1 << 20;
    ask.wait_ms = 60;
    int64_t start_ms = now_ms();
    assert_int_equal(fetch_send(&c, 11, &ask)->records.bytes.len, batch.len);
    assert_true(now_ms() - start_ms >= 50);
    client_close(&producer);
}

static void kafka_05_21_bounds_always_set(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "bounds", 1, NULL, NULL);
    produce(&c, "bounds", 0, batch_make(&c, NULL, 5, "v"));
    delete_records(&c, "bounds", 2, 1, ERR_OK);
    for (int8_t isolation = 0; isolation <= 1; isolation++) {
        for (int64_t offset = 2; offset <= 5; offset += 3) {
            const struct fetch_ask ask = {
                .topic = "bounds", .id = id, .offset = offset, .isolation_level = isolation};
            const struct fetch_response_partition *out = fetch_send(&c, 13, &ask);
            assert_int_equal(out->high_watermark, 5);
            assert_int_equal(out->last_stable_offset, 5);
            assert_int_equal(out->log_start_offset, 2);
            assert_int_equal(out->aborted_transactions_count, isolation == 1 ? 0 : -1);
        }
    }
}

static void kafka_05_23_topic_ids(void **state)
{
    (void)state;
    struct uuid old = topic_make(&c, "reborn", 1, NULL, NULL);
    struct bytes batch = batch_make(&c, NULL, 1, "v");
    assert_int_equal(produce_send(&c, 13, "", old, 0, batch)->error, ERR_OK);
    topic_drop(&c, "reborn");
    struct uuid id = topic_make(&c, "reborn", 1, NULL, NULL);
    assert_false(uuid_equal(old, id));
    const struct uuid unknown = {{9, 9, 9}};
    const struct {
        struct uuid id;
        enum err err;
    } rows[] = {{old, ERR_UNKNOWN_TOPIC_ID},
                {unknown, ERR_UNKNOWN_TOPIC_ID},
                {no_id, ERR_UNKNOWN_TOPIC_ID},
                {id, ERR_OK}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fetch_ask ask = {.id = rows[i].id};
        for (int16_t version = 13; version <= 18; version++) {
            assert_int_equal(fetch_send(&c, version, &ask)->error, rows[i].err);
        }
        assert_int_equal(produce_send(&c, 13, "", rows[i].id, 0, batch)->error, rows[i].err);
    }
}

static void kafka_05_24_leader_epochs(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "leaders", 1, NULL, NULL);
    produce(&c, "leaders", 0, batch_make(&c, NULL, 5, "v"));
    static const struct {
        int32_t epoch;
        enum err err;
    } rows[] = {{-1, ERR_OK}, {0, ERR_OK}, {1, ERR_UNKNOWN_LEADER_EPOCH}, {99, ERR_UNKNOWN_LEADER_EPOCH}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fetch_ask ask = {
            .topic = "leaders", .id = id, .current_leader_epoch_plus_1 = rows[i].epoch + 1};
        assert_int_equal(fetch_send(&c, 9, &ask)->error, rows[i].err);
        assert_int_equal(fetch_send(&c, 17, &ask)->error, rows[i].err);
    }
    // A follower of epoch 0 that is past our end is told where it diverges.
    const struct fetch_ask ask = {.topic = "leaders", .id = id, .offset = 5};
    struct fetch_request *in = fetch_make(&c, &ask);
    in->topics[0].partitions[0].last_fetched_epoch = 0;
    const struct fetch_response *out = client_call(&c, API_FETCH, 12, in);
    assert_int_equal(out->topics[0].partitions[0].diverging_epoch.epoch, -1);
    in->topics[0].partitions[0].fetch_offset = 9;
    out = client_call(&c, API_FETCH, 12, in);
    assert_int_equal(out->topics[0].partitions[0].diverging_epoch.epoch, 0);
    assert_int_equal(out->topics[0].partitions[0].diverging_epoch.end_offset, 5);
    for (int16_t version = 2; version <= 4; version++) {
        struct offset_for_leader_epoch_request *ends = client_new(&c, offset_for_leader_epoch_request, 1);
        ends->topics = client_new(&c, offset_for_leader_epoch_request_topic, 1);
        ends->topics_count = 1;
        ends->topics[0].topic = STR("leaders");
        ends->topics[0].partitions = client_new(&c, offset_for_leader_epoch_request_partition, 3);
        ends->topics[0].partitions_count = 3;
        ends->topics[0].partitions[1].leader_epoch = 4;
        ends->topics[0].partitions[2].partition = 1;
        const struct offset_for_leader_epoch_response *found =
            client_call(&c, API_OFFSET_FOR_LEADER_EPOCH, version, ends);
        assert_int_equal(found->topics[0].partitions[0].error, ERR_OK);
        assert_int_equal(found->topics[0].partitions[0].leader_epoch, 0);
        assert_int_equal(found->topics[0].partitions[0].end_offset, 5);
        assert_int_equal(found->topics[0].partitions[1].end_offset, -1);
        assert_int_equal(found->topics[0].partitions[2].error, ERR_UNKNOWN_PARTITION);
    }
}

// After an unclean stop the leader epochs of topics that are not synced rise, and never go down.
static void kafka_05_24_epochs_rise(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "risen", 1, "strom.durability", "os");
    produce(&c, "risen", 0, batch_make(&c, NULL, 5, "v"));
    const struct item raise = {.kind = ITEM_EPOCH_RAISE, .version = 1};
    struct outcome outcome;
    struct error e = {0};
    assert_int_equal(broker_change_wait(the_rig.broker, &raise, &outcome, &e), ERR_OK);
    produce(&c, "risen", 0, batch_make(&c, NULL, 5, "v"));
    static const struct {
        int32_t epoch;
        enum err err;
    } rows[] = {{-1, ERR_OK}, {0, ERR_FENCED_LEADER_EPOCH}, {1, ERR_OK}, {2, ERR_UNKNOWN_LEADER_EPOCH}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct fetch_ask ask = {
            .topic = "risen", .id = id, .offset = 5, .current_leader_epoch_plus_1 = rows[i].epoch + 1};
        assert_int_equal(fetch_send(&c, 9, &ask)->error, rows[i].err);
        assert_int_equal(fetch_send(&c, 17, &ask)->error, rows[i].err);
    }
    // Each batch has the epoch of its time.
    for (int32_t epoch = 0; epoch <= 1; epoch++) {
        assert_int_equal(load_be32(fetch_at("risen", 5 * epoch)->records.bytes.ptr + 12), epoch);
    }
    // A consumer that read past where epoch 0 ends, and then lost its leader, is told.
    const struct fetch_ask ask = {.topic = "risen", .id = id, .offset = 7};
    struct fetch_request *in = fetch_make(&c, &ask);
    in->topics[0].partitions[0].last_fetched_epoch = 0;
    const struct fetch_response *out = client_call(&c, API_FETCH, 12, in);
    assert_int_equal(out->topics[0].partitions[0].diverging_epoch.epoch, 0);
    assert_int_equal(out->topics[0].partitions[0].diverging_epoch.end_offset, 5);
    struct metadata_request *all = client_new(&c, metadata_request, 1);
    all->topics = client_new(&c, metadata_request_topic, 1);
    all->topics_count = 1;
    all->topics[0].name = STR("risen");
    const struct metadata_response *metadata = client_call(&c, API_METADATA, 9, all);
    assert_int_equal(metadata->topics[0].partitions[0].leader_epoch, 1);
}

// ---- offsets

static struct list_offsets_response_partition *list_offset(int16_t version, const char *topic,
                                                           int64_t timestamp)
{
    struct list_offsets_request *in = client_new(&c, list_offsets_request, 1);
    in->topics = client_new(&c, list_offsets_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(&c, list_offsets_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].timestamp = timestamp;
    const struct list_offsets_response *out = client_call(&c, API_LIST_OFFSETS, version, in);
    return &out->topics[0].partitions[0];
}

static void kafka_05_25_list_offsets(void **state)
{
    (void)state;
    topic_make(&c, "listed", 1, NULL, NULL);
    int64_t t = wall_now_ms() - 100000;
    produce(&c, "listed", 0, batch_at(&c, t, 10, true));        // offsets 0-9: t, t + 10, ... t + 90
    produce(&c, "listed", 0, batch_at(&c, t + 1000, 10, true)); // 10-19
    produce(&c, "listed", 0, batch_at(&c, t + 500, 10, true));  // 20-29, older than the ones before
    delete_records(&c, "listed", 3, 2, ERR_OK);
    const struct {
        int64_t timestamp;
        int64_t offset;
        int64_t found;
        int16_t since;
    } rows[] = {
        {-1, 30, -1, 1},
        {-2, 3, -1, 1},
        {-3, 19, t + 1090, 7},
        {-4, 3, -1, 8},
        {-5, -1, -1, 9},
        {-6, -1, -1, 11},
        {0, 3, t + 30, 1},
        {t + 30, 3, t + 30, 1},
        {t + 31, 4, t + 40, 1},
        {t + 90, 9, t + 90, 1},
        {t + 91, 10, t + 1000, 1},
        {t + 1085, 19, t + 1090, 1},
        {t + 1090, 19, t + 1090, 1},
        {t + 1091, -1, -1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int16_t version = 1; version <= 11; version++) {
            const struct list_offsets_response_partition *out =
                list_offset(version, "listed", rows[i].timestamp);
            assert_int_equal(out->error, version >= rows[i].since ? ERR_OK : ERR_UNSUPPORTED_VERSION);
            if (version >= rows[i].since) {
                assert_int_equal(out->offset, rows[i].offset);
                assert_int_equal(out->timestamp, rows[i].found);
            }
        }
    }
    assert_int_equal(list_offset(11, "listed", -7)->error, ERR_UNSUPPORTED_VERSION);
    assert_int_equal(list_offset(11, "listed", INT64_MIN)->error, ERR_UNSUPPORTED_VERSION);
    assert_int_equal(list_offset(5, "no-such-topic", -1)->error, ERR_UNKNOWN_PARTITION);
    topic_make(&c, "listed-empty", 1, NULL, NULL);
    assert_int_equal(list_offset(7, "listed-empty", -3)->offset, -1);
    assert_int_equal(list_offset(7, "listed-empty", 0)->offset, -1);
}

// Many look-ups of one request are done in steps, and all of them.
static void list_offsets_in_steps(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    topic_make(&c, "steps", 1, NULL, NULL);
    int64_t t = wall_now_ms();
    produce(&c, "steps", 0, batch_at(&c, t, 10, true));
    struct list_offsets_request *in = client_new(&c, list_offsets_request, 1);
    in->topics = client_new(&c, list_offsets_request_topic, 2);
    in->topics_count = 2;
    for (int i = 0; i < 2; i++) {
        in->topics[i].name = STR("steps");
        in->topics[i].partitions = client_new(&c, list_offsets_request_partition, COUNT);
        in->topics[i].partitions_count = COUNT;
        for (int p = 0; p < COUNT; p++) {
            in->topics[i].partitions[p].timestamp = t + p % 100;
        }
    }
    const struct list_offsets_response *out = client_call(&c, API_LIST_OFFSETS, 7, in);
    for (int p = 0; p < COUNT; p++) {
        int64_t want = (p % 100 + 9) / 10;
        assert_int_equal(out->topics[1].partitions[p].offset, want > 9 ? -1 : want);
    }
}

static void kafka_05_29_delete_records(void **state)
{
    (void)state;
    topic_make(&c, "trimmed", 1, NULL, NULL);
    produce(&c, "trimmed", 0, batch_make(&c, NULL, 10, "v"));
    for (int16_t version = 0; version <= 2; version++) {
        assert_int_equal(delete_records(&c, "trimmed", 3 + version, version, ERR_OK), 3 + version);
    }
    assert_int_equal(delete_records(&c, "trimmed", 11, 2, ERR_OFFSET_OUT_OF_RANGE), -1);
    assert_int_equal(delete_records(&c, "trimmed", -2, 2, ERR_OFFSET_OUT_OF_RANGE), -1);
    assert_int_equal(delete_records(&c, "no-such-topic", 0, 2, ERR_UNKNOWN_PARTITION), -1);
    assert_int_equal(list_offset(1, "trimmed", -2)->offset, 5);
    assert_int_equal(delete_records(&c, "trimmed", -1, 2, ERR_OK), 10);
    assert_int_equal(list_offset(1, "trimmed", -2)->offset, 10);
    assert_int_equal(produce(&c, "trimmed", 0, batch_make(&c, NULL, 1, "v")), 10);
}

static void kafka_05_46_log_start_moves_forward(void **state)
{
    (void)state;
    topic_make(&c, "forward", 1, NULL, NULL);
    produce(&c, "forward", 0, batch_make(&c, NULL, 10, "v"));
    assert_int_equal(delete_records(&c, "forward", 6, 2, ERR_OK), 6);
    assert_int_equal(delete_records(&c, "forward", 2, 2, ERR_OK), 6); // never back
    assert_int_equal(fetch_at("forward", 6)->log_start_offset, 6);
}

// Retention goes by the largest timestamp of a run of batches; what is younger stays.
static void kafka_05_46_retention(void **state)
{
    enum { PATIENCE_MS = 120000 };
    (void)state;
    topic_make(&c, "retained", 1, "retention.ms", "3600000");
    produce(&c, "retained", 0, batch_at(&c, wall_now_ms() - 7200000, 5, true));
    produce(&c, "retained", 0, batch_at(&c, wall_now_ms(), 5, true));
    int64_t start = 0;
    for (int64_t end_ms = now_ms() + PATIENCE_MS; start < 5 && now_ms() < end_ms;) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        start = list_offset(7, "retained", -2)->offset;
    }
    assert_int_equal(start, 5);
    const struct fetch_response_partition *out = fetch_at("retained", 5);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->log_start_offset, 5);
    assert_int_equal(out->high_watermark, 10);
    assert_int_equal(fetch_at("retained", 4)->error, ERR_OFFSET_OUT_OF_RANGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kafka_05_18_offsets_out_of_range),
        TEST(kafka_05_19_whole_batches_and_limits),
        TEST(kafka_05_20_waiting),
        TEST(kafka_05_21_bounds_always_set),
        TEST(kafka_05_23_topic_ids),
        TEST(kafka_05_24_leader_epochs),
        TEST(kafka_05_24_epochs_rise),
        TEST(kafka_05_25_list_offsets),
        TEST(list_offsets_in_steps),
        TEST(kafka_05_29_delete_records),
        TEST(kafka_05_46_log_start_moves_forward),
        TEST(kafka_05_46_retention),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
