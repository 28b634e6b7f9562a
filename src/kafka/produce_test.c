// SPDX-License-Identifier: Apache-2.0
// Produce and InitProducerId as clients see them. Tests named kafka_05_NN_* hold a point of what clients
// expect (kafka.md section 5).
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

static struct produce_response_partition *produce9(const char *topic, struct bytes batch)
{
    return produce_send(&c, 9, topic, no_id, 0, batch);
}

static struct fetch_response_partition *fetch_at(const char *topic, int64_t offset)
{
    const struct fetch_ask ask = {.topic = topic, .offset = offset};
    return fetch_send(&c, 11, &ask);
}

static struct batch_options idempotent(int64_t producer_id, int16_t epoch, int32_t sequence)
{
    struct batch_options options = batch_options_default();
    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.base_sequence = sequence;
    return options;
}

// ---- produce

static void every_version_of_produce_and_fetch(void **state)
{
    (void)state;
    struct uuid id = topic_make(&c, "versions", 1, NULL, NULL);
    int64_t end = 0;
    for (int16_t version = 3; version <= 13; version++) {
        const struct produce_response_partition *out =
            produce_send(&c, version, "versions", id, 0, batch_make(&c, NULL, 2, "v"));
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->base_offset, end);
        assert_int_equal(out->log_append_time_ms, -1); // CreateTime (kafka.md 5.10)
        assert_int_equal(out->log_start_offset, version >= 5 ? 0 : -1);
        end += 2;
    }
    for (int16_t version = 4; version <= 18; version++) {
        const struct fetch_ask ask = {.topic = "versions", .id = id, .offset = 3};
        const struct fetch_response_partition *out = fetch_send(&c, version, &ask);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->high_watermark, end);
        assert_int_equal(load_be64(out->records.bytes.ptr), 2); // the batch that holds offset 3
    }
}

static void kafka_05_08_one_good_batch(void **state)
{
    (void)state;
    topic_make(&c, "batches", 1, NULL, NULL);
    struct bytes good = batch_make(&c, NULL, 2, "v");
    struct buf two;
    buf_init(&two, 4096);
    buf_append(&two, good.ptr, good.len);
    buf_append(&two, good.ptr, good.len);
    assert_int_equal(produce9("batches", buf_bytes(&two))->error, ERR_INVALID_RECORD);
    buf_fini(&two);
    assert_int_equal(produce9("batches", bytes_of("", 0))->error, ERR_INVALID_RECORD);
    assert_int_equal(produce9("batches", bytes_of(NULL, 0))->error, ERR_INVALID_RECORD);

    struct bytes bad = batch_copy(&c, good);
    ((uint8_t *)bad.ptr)[16] = 1; // magic
    assert_int_not_equal(produce9("batches", bad)->error, ERR_OK);
    bad = batch_copy(&c, good);
    ((uint8_t *)bad.ptr)[22] |= BATCH_ATTRIBUTE_CONTROL;
    batch_resum(bad);
    assert_int_equal(produce9("batches", bad)->error, ERR_INVALID_RECORD);
    bad = batch_copy(&c, good);
    store_be64((uint8_t *)bad.ptr + 43, 5); // a producer id without a sequence
    batch_resum(bad);
    assert_int_equal(produce9("batches", bad)->error, ERR_INVALID_RECORD);
    bad = batch_copy(&c, good);
    store_be32((uint8_t *)bad.ptr + 23, 2); // last offset delta of three records
    batch_resum(bad);
    assert_int_equal(produce9("batches", bad)->error, ERR_INVALID_RECORD);
    bad = batch_copy(&c, good);
    ((uint8_t *)bad.ptr)[bad.len - 1] ^= 1; // the checksum does not match
    const struct produce_response_partition *out = produce9("batches", bad);
    assert_int_equal(out->error, ERR_CORRUPT);
    assert_int_equal(out->base_offset, -1);

    struct batch_options options = batch_options_default();
    options.codec = CODEC_ZSTD;
    struct bytes zstd = batch_make(&c, &options, 2, "v");
    assert_int_equal(produce_send(&c, 6, "batches", no_id, 0, zstd)->error, ERR_UNSUPPORTED_COMPRESSION);
    assert_int_equal(produce_send(&c, 7, "batches", no_id, 0, zstd)->base_offset, 0); // nothing came before
}

static void kafka_05_09_checksum_and_timestamps(void **state)
{
    (void)state;
    topic_make(&c, "sums", 1, NULL, NULL);
    struct bytes batch = batch_make(&c, NULL, 3, "v");
    assert_int_equal(produce(&c, "sums", 0, batch), 0);
    assert_int_equal(produce(&c, "sums", 0, batch), 3);
    struct bytes stored = fetch_at("sums", 3)->records.bytes;
    assert_int_equal(stored.len, batch.len);
    assert_int_equal(load_be64(stored.ptr), 3);
    assert_memory_equal(stored.ptr + 16, batch.ptr + 16, batch.len - 16); // as sent, checksum included
    // The largest timestamp is computed from the records, not taken from the header.
    struct bytes liar = batch_copy(&c, batch);
    store_be64((uint8_t *)liar.ptr + 35, load_be64(liar.ptr + 35) + 500);
    batch_resum(liar);
    assert_int_equal(produce(&c, "sums", 0, liar), 6);
    stored = fetch_at("sums", 6)->records.bytes;
    assert_int_equal(load_be64(stored.ptr + 35), load_be64(batch.ptr + 35));
    struct bytes summed = batch_copy(&c, stored);
    batch_resum(summed);
    assert_int_equal(load_be32(summed.ptr + 17), load_be32(stored.ptr + 17));
    // LogAppendTime: the broker's time, in the header and in the answer.
    topic_make(&c, "append-time", 1, "message.timestamp.type", "LogAppendTime");
    int64_t before_ms = wall_now_ms();
    const struct produce_response_partition *out = produce9("append-time", batch_copy(&c, batch));
    assert_int_equal(out->error, ERR_OK);
    assert_true(out->log_append_time_ms >= before_ms && out->log_append_time_ms <= wall_now_ms());
    stored = fetch_at("append-time", 0)->records.bytes;
    assert_int_equal(load_be64(stored.ptr + 35), out->log_append_time_ms);
    assert_int_equal(stored.ptr[22] & BATCH_ATTRIBUTE_LOG_APPEND_TIME, BATCH_ATTRIBUTE_LOG_APPEND_TIME);
    summed = batch_copy(&c, stored);
    batch_resum(summed);
    assert_int_equal(load_be32(summed.ptr + 17), load_be32(stored.ptr + 17));
}

static void kafka_05_10_timestamps_out_of_range(void **state)
{
    (void)state;
    topic_make(&c, "times", 1, NULL, NULL);
    struct bytes future = batch_at(&c, wall_now_ms() + 7200000, 2, true); // the limit is an hour
    for (int16_t version = 7; version <= 9; version++) {
        const struct produce_response_partition *out = produce_send(&c, version, "times", no_id, 0, future);
        assert_int_equal(out->error, ERR_INVALID_TIMESTAMP);
        assert_int_equal(out->record_errors_count > 0, version >= 8);
        if (version >= 8) {
            assert_int_equal(out->record_errors[0].batch_index, 0);
        }
    }
    struct bytes claims = batch_copy(&c, batch_make(&c, NULL, 1, "v"));
    ((uint8_t *)claims.ptr)[22] |= BATCH_ATTRIBUTE_LOG_APPEND_TIME;
    batch_resum(claims);
    assert_int_equal(produce9("times", claims)->error, ERR_INVALID_TIMESTAMP);
    assert_int_equal(produce(&c, "times", 0, batch_at(&c, 1000, 1, true)), 0); // the past has no limit
    topic_make(&c, "times-now", 1, "message.timestamp.before.max.ms", "3600000");
    struct bytes past = batch_at(&c, wall_now_ms() - 7200000, 2, true);
    const struct produce_response_partition *out = produce9("times-now", past);
    assert_int_equal(out->error, ERR_INVALID_TIMESTAMP);
    assert_int_equal(out->record_errors_count, 2);
}

static void set_config(const char *topic, const char *key, const char *value)
{
    struct incremental_alter_configs_request *in = client_new(&c, incremental_alter_configs_request, 1);
    in->resources = client_new(&c, incremental_alter_configs_request_resource, 1);
    in->resources_count = 1;
    in->resources[0].resource_type = 2;
    in->resources[0].resource_name = str_from_c(topic);
    in->resources[0].configs = client_new(&c, incremental_alter_configs_request_config, 1);
    in->resources[0].configs_count = 1;
    in->resources[0].configs[0].name = str_from_c(key);
    in->resources[0].configs[0].value = str_from_c(value);
    const struct incremental_alter_configs_response *out =
        client_call(&c, API_INCREMENTAL_ALTER_CONFIGS, 1, in);
    assert_int_equal(out->responses[0].error, ERR_OK);
}

static void kafka_05_11_null_keys_and_large_batches(void **state)
{
    (void)state;
    topic_make(&c, "compacted", 1, "cleanup.policy", "compact");
    const struct produce_response_partition *out =
        produce9("compacted", batch_at(&c, wall_now_ms(), 2, false));
    assert_int_equal(out->error, ERR_INVALID_RECORD);
    assert_true(out->record_errors_count > 0);
    assert_int_equal(produce(&c, "compacted", 0, batch_at(&c, wall_now_ms(), 2, true)), 0);
    topic_make(&c, "small", 1, "max.message.bytes", "200");
    assert_int_equal(produce9("small", batch_at(&c, wall_now_ms(), 20, true))->error, ERR_BATCH_TOO_LARGE);
    assert_int_equal(produce(&c, "small", 0, batch_at(&c, wall_now_ms(), 1, true)), 0);
    // Within max.message.bytes, but not within a segment.
    topic_make(&c, "segments", 1, "max.message.bytes", "3000000");
    set_config("segments", "segment.bytes", "1048576");
    static char value[100000];
    memset(value, 'v', sizeof value - 1);
    out = produce9("segments", batch_make(&c, NULL, 11, value));
    assert_int_equal(out->error, ERR_BATCH_OVER_SEGMENT);
    assert_int_equal(out->base_offset, -1);
    assert_int_equal(produce9("segments", batch_make(&c, NULL, 31, value))->error, ERR_BATCH_TOO_LARGE);
    assert_int_equal(produce(&c, "segments", 0, batch_make(&c, NULL, 10, value)), 0);
}

// compression.type: what is stored, and sent, has the topic's codec; the records are the same.
static void compression_of_the_topic(void **state)
{
    (void)state;
    static const char *const types[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"};
    for (int type = 0; type < 6; type++) {
        char topic[32];
        snprintf(topic, sizeof topic, "codec-%s", types[type]);
        (void)topic_make(&c, topic, 1, "compression.type", types[type]);
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            struct batch_options options = batch_options_default();
            options.codec = (enum codec)codec;
            int64_t base = produce(&c, topic, 0, batch_make(&c, &options, 20, "again and again and again"));
            struct fetch_ask ask = {.topic = topic, .offset = base};
            struct bytes got = fetch_send(&c, 12, &ask)->records.bytes;
            struct batch_header h;
            assert_int_equal(batch_header_read(got, &h, NULL), ERR_OK);
            assert_true(batch_crc_check(bytes_of(got.ptr, h.size)));
            assert_int_equal(batch_codec(&h), type == 5 ? codec : type);
            assert_int_equal(h.record_count, 20);
            assert_int_equal(h.base_offset, base);
        }
    }
    client_close(&c); // and after a restart, from the log
    rig_stop(&the_rig);
    rig_start(&the_rig);
    client_open(&c, &the_rig);
    struct fetch_ask ask = {.topic = "codec-zstd"};
    struct bytes got = fetch_send(&c, 12, &ask)->records.bytes;
    struct batch_header h;
    assert_int_equal(batch_header_read(got, &h, NULL), ERR_OK);
    assert_int_equal(batch_codec(&h), CODEC_ZSTD);
}

static void kafka_05_12_acks(void **state)
{
    (void)state;
    topic_make(&c, "acks", 1, NULL, NULL);
    static const struct {
        int16_t acks;
        enum err err;
    } rows[] = {{2, ERR_INVALID_ACKS}, {-2, ERR_INVALID_ACKS}, {1, ERR_OK}, {-1, ERR_OK}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct produce_request *in = client_new(&c, produce_request, 1);
        in->acks = rows[i].acks;
        in->topics = client_new(&c, produce_request_topic, 1);
        in->topics_count = 1;
        in->topics[0].name = STR("acks");
        in->topics[0].partitions = client_new(&c, produce_request_partition, 2);
        in->topics[0].partitions_count = 2;
        in->topics[0].partitions[1].index = 7; // not there: it fails alone
        in->topics[0].partitions[0].records.bytes = batch_make(&c, NULL, 1, "v");
        in->topics[0].partitions[1].records.bytes = batch_make(&c, NULL, 1, "v");
        const struct produce_response *out = client_call(&c, API_PRODUCE, 9, in);
        assert_int_equal(out->topics[0].partitions[0].error, rows[i].err);
        assert_int_equal(out->topics[0].partitions[0].base_offset, rows[i].err == ERR_OK ? (int)i - 2 : -1);
        assert_int_equal(out->topics[0].partitions[1].error, ERR_UNKNOWN_PARTITION); // whatever the acks
        assert_int_equal(out->topics[0].partitions[1].base_offset, -1);
    }
}

// ---- idempotent producers

static int64_t new_producer(int16_t version)
{
    struct init_producer_id_request *in = client_new(&c, init_producer_id_request, 1);
    in->transactional_id = (struct str){NULL, 0};
    in->producer_epoch = -1;
    const struct init_producer_id_response *out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->producer_epoch, 0);
    return out->producer_id;
}

static struct bytes batch_of(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
    struct batch_options options = idempotent(id, epoch, sequence);
    return batch_make(&c, &options, count, "v");
}

static void init_producer_id_versions(void **state)
{
    (void)state;
    int64_t last = -1;
    for (int16_t version = 0; version <= 5; version++) {
        struct init_producer_id_request *in = client_new(&c, init_producer_id_request, 1);
        in->transactional_id = (struct str){NULL, 0};
        in->producer_epoch = -1;
        const struct init_producer_id_response *out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
        assert_int_equal(out->error, ERR_OK);
        assert_true(out->producer_id > last);
        assert_int_equal(out->producer_epoch, 0);
        last = out->producer_id;
        in->producer_id = 5; // an id without an epoch, where the version has them
        out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
        assert_int_equal(out->error, version < 3 ? ERR_OK : ERR_INVALID_REQUEST);
        last = version < 3 ? out->producer_id : last;
        in->transactional_id = STR("");
        out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
        assert_int_equal(out->error, ERR_INVALID_REQUEST);
        in->transactional_id = STR("tx");
        out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
        assert_int_equal(out->error, version < 3 ? ERR_TXN_TIMEOUT_TOO_LARGE : ERR_INVALID_REQUEST);
        assert_int_equal(out->producer_id, -1);
        in->producer_id = -1;
        static const int32_t timeouts[] = {0, -1, 900001, INT32_MIN};
        for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
            in->transaction_timeout_ms = timeouts[i];
            out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
            assert_int_equal(out->error, ERR_TXN_TIMEOUT_TOO_LARGE);
        }
        in->transaction_timeout_ms = 900000;
        out = client_call(&c, API_INIT_PRODUCER_ID, version, in);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->producer_epoch, version); // one more with each
    }
}

static void kafka_05_13_duplicates(void **state)
{
    (void)state;
    topic_make(&c, "dups", 1, NULL, NULL);
    int64_t id = new_producer(2);
    struct bytes batches[6];
    for (int32_t i = 0; i < 6; i++) {
        batches[i] = batch_of(id, 0, 2 * i, 2);
        assert_int_equal(produce(&c, "dups", 0, batches[i]), 2 * i);
    }
    for (int32_t i = 1; i < 6; i++) { // the last five are known
        assert_int_equal(produce(&c, "dups", 0, batches[i]), 2 * i);
    }
    assert_int_equal(produce9("dups", batches[0])->error, ERR_OUT_OF_ORDER_SEQUENCE);
    assert_int_equal(produce9("dups", batch_of(id, 0, 2, 1))->error, ERR_OUT_OF_ORDER_SEQUENCE); // not exact
    assert_int_equal(fetch_at("dups", 12)->high_watermark, 12);
}

static void kafka_05_14_sequences(void **state)
{
    (void)state;
    topic_make(&c, "sequences", 1, NULL, NULL);
    int64_t id = new_producer(2);
    assert_int_equal(produce(&c, "sequences", 0, batch_of(id, 0, INT32_MAX - 3, 3)),
                     0); // no state: any first
    assert_int_equal(produce9("sequences", batch_of(id, 0, 1, 1))->error, ERR_OUT_OF_ORDER_SEQUENCE);
    assert_int_equal(produce(&c, "sequences", 0, batch_of(id, 0, INT32_MAX, 3)),
                     3); // wraps inside: last is 1
    assert_int_equal(produce9("sequences", batch_of(id, 0, 3, 1))->error, ERR_OUT_OF_ORDER_SEQUENCE);
    assert_int_equal(produce(&c, "sequences", 0, batch_of(id, 0, 2, 1)), 6);
    assert_int_equal(produce9("sequences", batch_of(id, 1, 3, 1))->error, ERR_OUT_OF_ORDER_SEQUENCE);
    assert_int_equal(produce(&c, "sequences", 0, batch_of(id, 1, 0, 1)), 7); // a new epoch starts at 0
}

static void kafka_05_15_stale_epoch(void **state)
{
    (void)state;
    topic_make(&c, "epochs", 1, NULL, NULL);
    int64_t id = new_producer(2);
    assert_int_equal(produce(&c, "epochs", 0, batch_of(id, 3, 0, 1)), 0);
    const struct produce_response_partition *out = produce9("epochs", batch_of(id, 2, 0, 1));
    assert_int_equal(out->error, ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(out->base_offset, -1);
}

static void kafka_05_16_producer_state_stays(void **state)
{
    (void)state;
    topic_make(&c, "stays", 1, NULL, NULL);
    int64_t id = new_producer(4);
    struct bytes batch = batch_of(id, 0, 0, 4);
    assert_int_equal(produce(&c, "stays", 0, batch), 0);
    assert_int_equal(delete_records(&c, "stays", -1, 2, ERR_OK), 4); // gone with its records? no
    assert_int_equal(produce(&c, "stays", 0, batch), 0);
    client_close(&c);
    rig_stop(&the_rig); // nor with a restart
    rig_start(&the_rig);
    client_open(&c, &the_rig);
    batch = batch_of(id, 0, 0, 4);
    assert_int_equal(produce(&c, "stays", 0, batch), 0);
    assert_int_equal(produce(&c, "stays", 0, batch_of(id, 0, 4, 1)), 4);
    assert_true(new_producer(4) > id);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_version_of_produce_and_fetch),
        TEST(kafka_05_08_one_good_batch),
        TEST(kafka_05_09_checksum_and_timestamps),
        TEST(kafka_05_10_timestamps_out_of_range),
        TEST(kafka_05_11_null_keys_and_large_batches),
        TEST(compression_of_the_topic),
        TEST(kafka_05_12_acks),
        TEST(init_producer_id_versions),
        TEST(kafka_05_13_duplicates),
        TEST(kafka_05_14_sequences),
        TEST(kafka_05_15_stale_epoch),
        TEST(kafka_05_16_producer_state_stays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
