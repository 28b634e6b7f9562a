// SPDX-License-Identifier: Apache-2.0
// The wire and the connection: headers, versions, order of answers, limits, hostile bytes, slow peers, stop.
// Tests named kafka_05_NN_* hold a point of what clients expect (kafka.md section 5).
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kafka/request.h"
#include "kafka/test_rig.h"

static struct rig the_rig;

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

// ---- headers and versions

static size_t listed_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < handler_count(); i++) {
        count += !handler_at(i)->is_unlisted;
    }
    return count;
}

static void kafka_05_01_headers(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    // ApiVersions v3: request header v2 with a null int16 client id and a tag buffer; response header always
    // v0.
    struct buf frame;
    buf_init(&frame, 1024);
    buf_be32(&frame, 0);
    buf_append(&frame, (const uint8_t[]){0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0}, 11);
    buf_append(&frame, (const uint8_t[]){2, 'x', 4, '1', '.', '0', 0}, 7);
    store_be32(frame.ptr, (uint32_t)frame.len - 4);
    client_send_bytes(&c, frame.ptr, frame.len);
    struct bytes answer = client_recv_frame(&c);
    assert_int_equal(load_be32(answer.ptr), 7);
    assert_int_equal(load_be16(answer.ptr + 4), 0);      // the error at once: no tag buffer in this header
    assert_int_equal(answer.ptr[6] - 1, listed_count()); // compact array of the APIs
    // Metadata v9: response header v1, a tag buffer after the correlation id.
    buf_reset(&frame);
    buf_be32(&frame, 0);
    buf_append(&frame, (const uint8_t[]){0, 3, 0, 9, 0, 0, 0, 8, 0, 1, 'x', 0}, 12);
    buf_append(&frame, (const uint8_t[]){1, 0, 0, 0, 0}, 5);
    store_be32(frame.ptr, (uint32_t)frame.len - 4);
    client_send_bytes(&c, frame.ptr, frame.len);
    answer = client_recv_frame(&c);
    assert_int_equal(load_be32(answer.ptr), 8);
    assert_int_equal(answer.ptr[4], 0);             // tag buffer
    assert_int_equal(load_be32(answer.ptr + 5), 0); // throttle time
    // Metadata v1: header v1 in, v0 out.
    buf_reset(&frame);
    buf_be32(&frame, 0);
    buf_append(&frame, (const uint8_t[]){0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 0, 0, 0}, 14);
    store_be32(frame.ptr, (uint32_t)frame.len - 4);
    client_send_bytes(&c, frame.ptr, frame.len);
    answer = client_recv_frame(&c);
    assert_int_equal(load_be32(answer.ptr), 9);
    assert_int_equal(load_be32(answer.ptr + 4), 1); // one broker at once
    buf_fini(&frame);
    client_close(&c);
}

static void kafka_05_02_api_versions_unknown_version(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    // Only the header of an unknown version is read; what follows may be anything.
    static const uint8_t frame[] = {0, 0, 0, 15, 0, 18, 0, 99, 0, 0, 0, 5, 0, 1, 'x', 0, 0xde, 0xad, 0xbe};
    client_send_bytes(&c, frame, sizeof frame);
    struct bytes answer = client_recv_frame(&c);
    // v0 body: error 35, one entry: ApiVersions 0-4.
    static const uint8_t expected[] = {0, 0, 0, 5, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4};
    assert_int_equal(answer.len, sizeof expected);
    assert_memory_equal(answer.ptr, expected, sizeof expected);
    // The connection goes on.
    const struct api_versions_response *out =
        client_call(&c, API_API_VERSIONS, 2, client_new(&c, api_versions_request, 1));
    assert_int_equal(out->error, ERR_OK);
    client_close(&c);
}

static void kafka_05_02_others_close(void **state)
{
    (void)state;
    static const struct {
        int16_t key;
        int16_t version;
    } rows[] = {{API_METADATA, 99}, {API_METADATA, -1},   {9999, 0}, {-1, 0}, {API_FETCH, 3},
                {API_PRODUCE, 2},   {API_SHARE_FETCH, 1}, {4, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c, &the_rig);
        uint8_t frame[32] = {0, 0, 0, 28};
        store_be16(frame + 4, (uint16_t)rows[i].key);
        store_be16(frame + 6, (uint16_t)rows[i].version);
        client_send_bytes(&c, frame, sizeof frame);
        assert_true(client_is_closed(&c));
        client_close(&c);
    }
    client_assert_served(&the_rig);
}

static const struct api_versions_response *call_versions(struct client *c, int16_t version, const char *name,
                                                         const char *software_version)
{
    struct api_versions_request *in = client_new(c, api_versions_request, 1);
    in->client_software_name = str_from_c(name);
    in->client_software_version = str_from_c(software_version);
    return client_call(c, API_API_VERSIONS, version, in);
}

static void kafka_05_03_client_software(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *version;
        enum err err;
    } rows[] = {
        {"apache-kafka-java", "4.2.1", ERR_OK}, {"x", "0", ERR_OK},
        {"a.b-c", "1.0-rc.1", ERR_OK},          {"", "1", ERR_INVALID_REQUEST},
        {"x", "", ERR_INVALID_REQUEST},         {"-x", "1", ERR_INVALID_REQUEST},
        {"x.", "1", ERR_INVALID_REQUEST},       {"x y", "1", ERR_INVALID_REQUEST},
        {"x", "1_0", ERR_INVALID_REQUEST},      {"\xc3\xa9", "1", ERR_INVALID_REQUEST},
    };
    struct client c;
    client_open(&c, &the_rig);
    for (int16_t version = 3; version <= 4; version++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const struct api_versions_response *out =
                call_versions(&c, version, rows[i].name, rows[i].version);
            assert_int_equal(out->error, rows[i].err);
        }
        // Features go in tagged fields. A 0 is not said before v4.
        const struct api_versions_response *out = call_versions(&c, version, "x", "1");
        assert_int_equal(out->finalized_features_epoch, 0);
        assert_int_equal(out->supported_features_count, 2);
        assert_int_equal(out->finalized_features_count, 2);
        for (int32_t i = 0; i < 2; i++) {
            assert_true(str_equal(out->supported_features[i].name,
                                  i == 0 ? STR("group.version") : STR("transaction.version")));
            assert_int_equal(out->supported_features[i].min_version, version < 4 ? 1 : 0);
            assert_int_equal(out->supported_features[i].max_version, i + 1);
            assert_int_equal(out->finalized_features[i].max_version_level, i + 1);
        }
    }
    client_close(&c);
}

static void api_versions_lists_what_is_served(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    for (int16_t version = 0; version <= 4; version++) {
        const struct api_versions_response *out = call_versions(&c, version, "x", "1");
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->api_keys_count, listed_count());
        for (int32_t i = 0; i < out->api_keys_count; i++) {
            const struct wire_api *api = wire_api_find(out->api_keys[i].api_key);
            assert_non_null(api);
            assert_true(api->key != API_PUSH_TELEMETRY && api->key != API_GET_TELEMETRY_SUBSCRIPTIONS);
            assert_int_equal(out->api_keys[i].min_version, api->version_min);
            assert_int_equal(out->api_keys[i].max_version, api->version_max);
        }
        // Produce is advertised from 0: librdkafka stops compressing otherwise.
        assert_int_equal(out->api_keys[0].api_key, API_PRODUCE);
        assert_int_equal(out->api_keys[0].min_version, 0);
    }
    client_close(&c);
}

static void kafka_05_04_unknown_tags_are_skipped(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    struct buf frame;
    buf_init(&frame, 1024);
    buf_be32(&frame, 0);
    buf_append(&frame, (const uint8_t[]){0, 3, 0, 12, 0, 0, 0, 8, 0xff, 0xff}, 10);
    // Header: two unknown tagged fields, one of them empty.
    buf_append(&frame, (const uint8_t[]){2, 50, 3, 'a', 'b', 'c', 51, 0}, 8);
    // Body: one topic by name (compact, null is 0), with an unknown tagged field of its own.
    buf_append(&frame, (const uint8_t[]){2}, 1);
    buf_append(&frame, (const uint8_t[16]){0}, 16);
    buf_append(&frame, (const uint8_t[]){4, 'n', 'o', 't', 1, 9, 2, 0xff, 0xff, 0, 0}, 11);
    // And one after the message, with a long tag number.
    buf_append(&frame, (const uint8_t[]){1, 0xff, 0xff, 0xff, 0x7f, 1, 0}, 7);
    store_be32(frame.ptr, (uint32_t)frame.len - 4);
    client_send_bytes(&c, frame.ptr, frame.len);
    const struct metadata_response *out = client_recv(&c, API_METADATA, 12, 8);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].error, ERR_UNKNOWN_PARTITION);
    buf_fini(&frame);
    client_close(&c);
}

// ---- order

static struct produce_request *produce_make(struct client *c, const char *topic, int16_t acks,
                                            struct bytes batch)
{
    struct produce_request *in = client_new(c, produce_request, 1);
    in->acks = acks;
    in->topics = client_new(c, produce_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(c, produce_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].records.bytes = batch;
    return in;
}

// Many requests in one write: Produces that overlap, others in between, a Fetch that would wait.
static void kafka_05_05_answers_in_order(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    struct client c;
    client_open(&c, &the_rig);
    topic_make(&c, "order", 2, NULL, NULL);
    struct buf frames;
    buf_init(&frames, 64 << 20);
    int32_t first = c.correlation + 1;
    for (int i = 0; i < ROUNDS; i++) {
        struct produce_request *in = produce_make(&c, "order", -1, batch_make(&c, NULL, 3, "value"));
        client_frame(&c, API_PRODUCE, 9, in, &frames);
        client_frame(&c, API_PRODUCE, 7, in, &frames);
        client_frame(&c, API_METADATA, 12, client_new(&c, metadata_request, 1), &frames);
        const struct fetch_ask ask = {.topic = "order", .partition = 1, .wait_ms = 1, .min_bytes = 1};
        client_frame(&c, API_FETCH, 11, fetch_make(&c, &ask), &frames);
        client_frame(&c, API_PRODUCE, 8, in, &frames);
    }
    client_send_bytes(&c, frames.ptr, frames.len);
    buf_fini(&frames);
    int64_t offset = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int32_t id = first + 5 * i;
        const struct produce_response *out = client_recv(&c, API_PRODUCE, 9, id);
        assert_int_equal(out->topics[0].partitions[0].base_offset, offset);
        out = client_recv(&c, API_PRODUCE, 7, id + 1);
        assert_int_equal(out->topics[0].partitions[0].base_offset, offset + 3);
        (void)client_recv(&c, API_METADATA, 12, id + 2);
        (void)client_recv(&c, API_FETCH, 11, id + 3);
        out = client_recv(&c, API_PRODUCE, 8, id + 4);
        assert_int_equal(out->topics[0].partitions[0].base_offset, offset + 6);
        offset += 9;
    }
    client_close(&c);
}

static void kafka_05_05_acks_0(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    topic_make(&c, "acks0", 1, NULL, NULL);
    client_send(&c, API_PRODUCE, 9, produce_make(&c, "acks0", 0, batch_make(&c, NULL, 1, "a")));
    client_send(&c, API_PRODUCE, 9, produce_make(&c, "acks0", 0, batch_make(&c, NULL, 1, "b")));
    // The next answer is that of the next request that has one.
    assert_int_equal(produce(&c, "acks0", 0, batch_make(&c, NULL, 1, "c")), 2);
    // On any error Kafka closes, for want of a way to say it; what came before is answered.
    client_send(&c, API_METADATA, 12, client_new(&c, metadata_request, 1));
    int32_t id = c.correlation;
    client_send(&c, API_PRODUCE, 9, produce_make(&c, "no-such-topic", 0, batch_make(&c, NULL, 1, "d")));
    (void)client_recv(&c, API_METADATA, 12, id);
    assert_true(client_is_closed(&c));
    client_close(&c);
}

// ---- limits and hostile bytes

static void kafka_05_07_frame_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t claim;
        size_t sent; // bytes of body that come at once
    } rows[] = {
        {0, 0},           {1, 1},          {7, 7},           {0x7fffffff, 0},        {0x7fffffff, 100},
        {0x80000000, 0},  {0xffffffff, 0}, {0xfffffffc, 64}, {(12 << 20) + 1, 1000}, {0x16030100, 200}, // TLS
        {0x47455420, 30}, // "GET "
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c, &the_rig);
        uint8_t bytes[1024] = {0};
        store_be32(bytes, rows[i].claim);
        client_send_bytes(&c, bytes, 4 + rows[i].sent);
        assert_true(client_is_closed(&c));
        client_close(&c);
    }
    client_assert_served(&the_rig);
}

static void hostile_garbage(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int i = 0; i < 1000; i++) {
        struct client c;
        client_open(&c, &the_rig);
        uint8_t frame[256];
        size_t len = 12 + (size_t)i % 200;
        for (size_t b = 0; b < sizeof frame; b++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            frame[b] = (uint8_t)(seed >> 56);
        }
        store_be32(frame, (uint32_t)len);
        const struct wire_api *api = wire_api_find((int16_t)handler_at((size_t)i % handler_count())->key);
        store_be16(frame + 4, (uint16_t)api->key);
        store_be16(frame + 6, (uint16_t)(api->decode_min + i % (api->version_max - api->decode_min + 1)));
        client_send_bytes(&c, frame, 4 + len);
        shutdown(c.fd, SHUT_WR);
        uint8_t byte;
        while (recv(c.fd, &byte, 1, 0) > 0) { // an answer or the end: never silence
        }
        client_close(&c);
    }
    client_assert_served(&the_rig);
}

static void hostile_arrays(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t body[24];
    } rows[] = {
        {18,
         {0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}}, // Metadata v1: 2^31 - 1 topics
        {18, {0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}},      // -2^31 topics
        {18, {0, 3, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0}}, // v9: compact, 2^32 - 2
        {18,
         {0, 3, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0}}, // a varint without an end
        {18, {0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}}, // ListOffsets
        {18, {0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x', 0, 0, 0, 0, 0, 0, 0}},                 // client id
        {18, {0, 3, 0, 9, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0}},          // tags
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        client_open(&c, &the_rig);
        uint8_t length[4];
        store_be32(length, (uint32_t)rows[i].len);
        client_send_bytes(&c, length, 4);
        client_send_bytes(&c, rows[i].body, rows[i].len);
        assert_true(client_is_closed(&c));
        client_close(&c);
    }
    client_assert_served(&the_rig);
}

// A claim alone costs nothing: memory follows the bytes that came.
static void hostile_claims_cost_no_memory(void **state)
{
    (void)state;
    enum { CLAIMERS = 200 };
    struct client *claimers = mem_array(CLAIMERS, sizeof *claimers);
    for (int i = 0; i < CLAIMERS; i++) {
        client_open(&claimers[i], &the_rig);
        uint8_t start[24] = {0};
        store_be32(start, 12 << 20);
        client_send_bytes(&claimers[i], start, sizeof start);
    }
    struct client c;
    client_open(&c, &the_rig);
    topic_make(&c, "amid-claims", 1, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(produce(&c, "amid-claims", 0, batch_make(&c, NULL, 10, "value")), 10 * i);
    }
    assert_true(pool_used_bytes(the_rig.pool) < CLAIMERS * 8192 + (8 << 20));
    client_close(&c);
    for (int i = 0; i < CLAIMERS; i++) {
        client_close(&claimers[i]);
    }
    mem_free(claimers);
}

static void byte_by_byte(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    struct buf frames;
    buf_init(&frames, 1 << 20);
    topic_make(&c, "dribble", 1, NULL, NULL);
    int32_t first = c.correlation + 1;
    client_frame(&c, API_METADATA, 12, client_new(&c, metadata_request, 1), &frames);
    client_frame(&c, API_PRODUCE, 9, produce_make(&c, "dribble", -1, batch_make(&c, NULL, 2, "v")), &frames);
    client_frame(&c, API_API_VERSIONS, 0, client_new(&c, api_versions_request, 1), &frames);
    for (size_t i = 0; i < frames.len; i++) {
        client_send_bytes(&c, frames.ptr + i, 1);
        if (i % 16 == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); // let the broker see it alone
        }
    }
    buf_fini(&frames);
    (void)client_recv(&c, API_METADATA, 12, first);
    const struct produce_response *out = client_recv(&c, API_PRODUCE, 9, first + 1);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    (void)client_recv(&c, API_API_VERSIONS, 0, first + 2);
    client_close(&c);
}

// ---- slow and vanishing peers

static void slow_reader_gets_every_byte(void **state)
{
    (void)state;
    enum { BATCHES = 12, VALUE = 700000 };
    struct client c;
    client_open(&c, &the_rig);
    struct uuid id = topic_make(&c, "large", 1, NULL, NULL);
    char *value = mem_alloc(VALUE + 1);
    for (int i = 0; i < VALUE; i++) {
        value[i] = (char)('a' + i * 7 % 23);
    }
    value[VALUE] = '\0';
    struct bytes batches[BATCHES];
    size_t total = 0;
    for (int i = 0; i < BATCHES; i++) {
        value[i] = 'Z';
        batches[i] = batch_make(&c, NULL, 1, value);
        assert_int_equal(produce(&c, "large", 0, batches[i]), i);
        total += batches[i].len;
    }
    mem_free(value);
    struct client slow;
    client_open(&slow, &the_rig);
    int small = 128 << 10; // less than the answer, more than a segment of loopback
    assert_int_equal(setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    const struct fetch_ask ask = {.topic = "large", .id = id};
    client_send(&slow, API_FETCH, 13, fetch_make(&slow, &ask));
    client_send(&slow, API_METADATA, 12, client_new(&slow, metadata_request, 1));
    // Meanwhile others are served.
    for (int i = 0; i < 20; i++) {
        client_assert_served(&the_rig);
    }
    const struct fetch_response *out = client_recv(&slow, API_FETCH, 13, slow.correlation - 1);
    struct bytes records = out->topics[0].partitions[0].records.bytes;
    assert_int_equal(records.len, total);
    size_t at = 0;
    for (int i = 0; i < BATCHES; i++) {
        assert_int_equal(load_be64(records.ptr + at), i);
        assert_memory_equal(records.ptr + at + 16, batches[i].ptr + 16, batches[i].len - 16);
        at += batches[i].len;
    }
    (void)client_recv(&slow, API_METADATA, 12, slow.correlation);
    client_close(&slow);
    // One that goes away in the middle leaves nothing behind: rig_stop checks the pool.
    client_open(&slow, &the_rig);
    client_send(&slow, API_FETCH, 13, fetch_make(&slow, &ask));
    uint8_t some[100];
    assert_int_equal(recv(slow.fd, some, sizeof some, MSG_WAITALL), sizeof some);
    struct linger reset = {.l_onoff = 1};
    assert_int_equal(setsockopt(slow.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    client_close(&slow);
    client_close(&c);
}

static uint32_t wait_for_connections(uint32_t want)
{
    enum { WAITS_MAX = 60000 };
    uint32_t count = 0;
    for (int i = 0; i < WAITS_MAX; i++) {
        count = (uint32_t)metric_value(
            metrics_gauge(the_rig.metrics, "kafka_server_socket_server_metrics_connection_count", NULL, ""));
        if (count == want) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return count;
}

// A parked fetch ends with its connection, however long it would have waited.
static void gone_clients_leave_at_once(void **state)
{
    (void)state;
    struct client c;
    client_open(&c, &the_rig);
    topic_make(&c, "parked", 1, NULL, NULL);
    client_close(&c);
    assert_int_equal(wait_for_connections(0), 0);
    for (int how = 0; how < 2; how++) {
        client_open(&c, &the_rig);
        const struct fetch_ask ask = {.topic = "parked", .wait_ms = 3600000, .min_bytes = 1};
        client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
        assert_int_equal(wait_for_connections(1), 1);
        if (how == 1) {
            struct linger reset = {.l_onoff = 1};
            assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        }
        client_close(&c);
        assert_int_equal(wait_for_connections(0), 0);
    }
    // Half closed: what was asked before is still answered, a parked fetch at once.
    client_open(&c, &the_rig);
    const struct fetch_ask ask = {.topic = "parked", .wait_ms = 3600000, .min_bytes = 1};
    client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
    client_send(&c, API_API_VERSIONS, 0, client_new(&c, api_versions_request, 1));
    shutdown(c.fd, SHUT_WR);
    (void)client_recv(&c, API_FETCH, 11, c.correlation - 1);
    (void)client_recv(&c, API_API_VERSIONS, 0, c.correlation);
    assert_true(client_is_closed(&c));
    client_close(&c);
}

static void limits_of_connections(void **state)
{
    (void)state;
    static struct rig rig; // a check that fails leaves the broker running
    rig_init(&rig);
    rig.options.connections_max = 3;
    rig.has_own_time = true;
    rig_start(&rig);
    // Silent ones are closed when the first frame is due.
    struct client c[4];
    for (int i = 0; i < 3; i++) {
        client_open(&c[i], &rig);
        client_send_bytes(&c[i], "\0", (size_t)i % 2);
    }
    client_open(&c[3], &rig);
    assert_true(client_is_closed(&c[3])); // one too many
    rig_time_passes(&rig, rig.options.first_frame_ms);
    for (int i = 0; i < 3; i++) {
        assert_true(client_is_closed(&c[i]));
    }
    for (int i = 0; i < 4; i++) {
        client_close(&c[i]);
    }
    client_assert_served(&rig);
    rig_stop(&rig);
    rig_fini(&rig);
}

// Stop answers what is in flight, parked fetches among it.
static void stop_answers_what_is_in_flight(void **state)
{
    (void)state;
    static struct rig rig; // a check that fails leaves the broker running
    rig_init(&rig);
    rig_start(&rig);
    struct client c;
    client_open(&c, &rig);
    topic_make(&c, "t", 1, NULL, NULL);
    const struct fetch_ask ask = {.topic = "t", .wait_ms = 3600000, .min_bytes = 1};
    client_send(&c, API_FETCH, 11, fetch_make(&c, &ask));
    struct client idle;
    client_open(&idle, &rig);
    (void)client_call(&idle, API_API_VERSIONS, 0, client_new(&idle, api_versions_request, 1));
    rig_stop(&rig);
    const struct fetch_response *out = client_recv(&c, API_FETCH, 11, c.correlation);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    assert_true(client_is_closed(&c));
    assert_true(client_is_closed(&idle));
    client_close(&c);
    client_close(&idle);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafka_05_01_headers),
        cmocka_unit_test(kafka_05_02_api_versions_unknown_version),
        cmocka_unit_test(kafka_05_02_others_close),
        cmocka_unit_test(kafka_05_03_client_software),
        cmocka_unit_test(api_versions_lists_what_is_served),
        cmocka_unit_test(kafka_05_04_unknown_tags_are_skipped),
        cmocka_unit_test(kafka_05_05_answers_in_order),
        cmocka_unit_test(kafka_05_05_acks_0),
        cmocka_unit_test(kafka_05_07_frame_sizes),
        cmocka_unit_test(hostile_garbage),
        cmocka_unit_test(hostile_arrays),
        cmocka_unit_test(hostile_claims_cost_no_memory),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(slow_reader_gets_every_byte),
        cmocka_unit_test(gone_clients_leave_at_once),
        cmocka_unit_test(limits_of_connections),
        cmocka_unit_test(stop_answers_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
