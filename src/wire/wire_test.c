// SPDX-License-Identifier: Apache-2.0
// wire_test.c - bytes written out by hand from the protocol guide, headers, hostile lengths, tags, defaults,
// cuts and the text form. roundtrip_test.c covers every version; golden_test.c compares with Kafka's own
// encoder.
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "wire/messages.h"
#include "wire/wire.h"

enum { ARENA_SIZE = 1 << 16, OUT_SIZE = 1 << 16, INPUT_SIZE = 512 };

static struct arena arena;
static struct buf out;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_SIZE);
    buf_init(&out, OUT_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    buf_fini(&out);
    return 0;
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

// from_hex reads "00 12 'text' ff": hex with spaces, and text in quotes.
static struct bytes from_hex(const char *hex, uint8_t room[INPUT_SIZE])
{
    size_t n = 0;
    while (*hex != '\0') {
        assert_true(n < INPUT_SIZE);
        if (*hex == ' ') {
            hex++;
        } else if (*hex == '\'') {
            for (hex++; *hex != '\''; hex++) {
                room[n++] = (uint8_t)*hex;
            }
            hex++;
        } else {
            room[n++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
            hex += 2;
        }
    }
    return (struct bytes){room, n};
}

static const struct wire_struct *type_of(int16_t key, bool is_request)
{
    const struct wire_api *api = wire_api_find(key);
    assert_non_null(api);
    return is_request ? api->request : api->response;
}

static enum err decode_hex(int16_t key, bool is_request, int16_t version, const char *hex, void *ret,
                           size_t *ret_left)
{
    uint8_t room[INPUT_SIZE];
    struct reader r = reader_init(from_hex(hex, room));
    struct error e = {0};
    bool is_flexible = wire_is_flexible(wire_api_find(key), version);
    enum err err = wire_decode(type_of(key, is_request), version, is_flexible, &r, &arena, ret, &e);
    if (err != ERR_OK) {
        assert_true(strlen(e.text) > 10);
    } else {
        // The views point into room, which dies here: print while it lives.
        buf_reset(&out);
        wire_print(type_of(key, is_request), version, ret, &out);
    }
    *ret_left = reader_left(&r);
    return err;
}

static void assert_bytes(struct bytes got, const char *hex)
{
    uint8_t room[INPUT_SIZE];
    struct bytes want = from_hex(hex, room);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.ptr, want.ptr, want.len);
}

static const struct golden {
    int16_t key;
    bool is_request;
    int16_t version;
    const char *hex;
    const char *text;
} goldens[] = {
    // librdkafka 2.x sends this first, after the header of test_headers.
    {API_API_VERSIONS, true, 3, "0b 'librdkafka' 07 '2.11.0' 00",
     "{\"client_software_name\":\"librdkafka\",\"client_software_version\":\"2.11.0\"}"},
    {API_API_VERSIONS, true, 0, "", "{}"},
    // KIP-511: the answer to a version that we do not know, in the v0 body.
    {API_API_VERSIONS, false, 0, "0023 00000001 0012 0000 0004",
     "{\"error\":\"ERR_UNSUPPORTED_VERSION\",\"api_keys\":[{\"api_key\":18,\"min_version\":0,\"max_version\":"
     "4}]}"},
    // Tag 1 is the epoch of the finalized features, eight bytes.
    {API_API_VERSIONS, false, 3, "0000 02 0000 0000 000d 00 00000000 01 01 08 0000000000000005",
     "{\"error\":\"ERR_OK\",\"api_keys\":[{\"api_key\":0,\"min_version\":0,\"max_version\":13}],"
     "\"throttle_time_ms\":0,\"supported_features\":[],\"finalized_features_epoch\":5,\"finalized_features\":"
     "[],"
     "\"zk_migration_ready\":false}"},
    {API_METADATA, true, 0, "00000001 0001 'a'", "{\"topics\":[{\"name\":\"a\"}]}"},
    {API_METADATA, true, 1, "ffffffff", "{\"topics\":null}"},
    {API_METADATA, true, 12, "02 000102030405060708090a0b0c0d0e0f 00 00 01 00 00",
     "{\"topics\":[{\"topic_id\":\"AAECAwQFBgcICQoLDA0ODw\",\"name\":null}],\"allow_auto_topic_creation\":"
     "true,"
     "\"include_topic_authorized_operations\":false}"},
    {API_PRODUCE, true, 7, "ffff ffff 00000bb8 00000001 0001 't' 00000001 00000002 00000003 010203",
     "{\"transactional_id\":null,\"acks\":-1,\"timeout_ms\":3000,\"topics\":[{\"name\":\"t\",\"partitions\":"
     "[{\"index\":2,\"records\":\"010203\"}]}]}"},
    {API_PRODUCE, true, 9, "00 0001 00000bb8 02 02 't' 02 00000002 00 00 00 00",
     "{\"transactional_id\":null,\"acks\":1,\"timeout_ms\":3000,\"topics\":[{\"name\":\"t\",\"partitions\":"
     "[{\"index\":2,\"records\":null}]}]}"},
    {API_DESCRIBE_TOPIC_PARTITIONS, true, 0, "02 02 't' 00 000007d0 01 02 't' 00000004 00 00",
     "{\"topics\":[{\"name\":\"t\"}],\"response_partition_limit\":2000,\"cursor\":{\"topic_name\":\"t\","
     "\"partition_index\":4}}"},
    {API_DESCRIBE_TOPIC_PARTITIONS, true, 0, "01 000007d0 ff 00",
     "{\"topics\":[],\"response_partition_limit\":2000,\"cursor\":null}"},
    {API_SASL_AUTHENTICATE, true, 0, "00000003 010203", "{\"auth_bytes\":\"(secret)\"}"},
    {API_OFFSET_DELETE, false, 0, "0056 00000000 00000000",
     "{\"error\":\"ERR_GROUP_SUBSCRIBED_TO_TOPIC\",\"throttle_time_ms\":0,\"topics\":[]}"},
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *g = &goldens[i];
        const struct wire_struct *type = type_of(g->key, g->is_request);
        bool is_flexible = wire_is_flexible(wire_api_find(g->key), g->version);
        uint8_t room[INPUT_SIZE];
        struct reader r = reader_init(from_hex(g->hex, room));
        void *message = wire_new(&arena, type, 1);
        assert_int_equal(wire_decode(type, g->version, is_flexible, &r, &arena, message, NULL), ERR_OK);
        assert_int_equal(reader_left(&r), 0);
        buf_reset(&out);
        wire_print(type, g->version, message, &out);
        assert_string_equal(arena_str(&arena, buf_str(&out)).ptr, g->text);
        buf_reset(&out);
        assert_int_equal(wire_encode(type, g->version, is_flexible, message, &out, NULL, NULL), ERR_OK);
        assert_bytes(buf_bytes(&out), g->hex);
    }
}

static const struct hostile {
    int16_t key;
    bool is_request;
    int16_t version;
    const char *hex;
} hostiles[] = {
    {API_METADATA, true, 1, "7fffffff 0001 'a'"},            // 2^31 - 1 topics in three bytes
    {API_METADATA, true, 1, "fffffffe"},                     // count -2
    {API_METADATA, true, 1, "80000000"},                     // the least int32
    {API_METADATA, true, 0, "ffffffff"},                     // null only since v1
    {API_METADATA, true, 1, "00000001 ffff"},                // topic name null
    {API_METADATA, true, 1, "00000001 fffe 'a'"},            // name of -2 bytes
    {API_METADATA, true, 1, "00000001 7fff 'a'"},            // name longer than the frame
    {API_METADATA, true, 9, "ffffffff0f 00"},                // 2^32 - 2 topics
    {API_METADATA, true, 9, "ffffffffff01 00"},              // a varint of six bytes
    {API_METADATA, true, 9, "808080808000 00"},              // the same, padded with zeroes
    {API_METADATA, true, 9, "02 00 00 00 00 00 00"},         // name null before v10
    {API_METADATA, true, 9, "01 00 00 00 ff"},               // tag count cut short
    {API_METADATA, true, 9, "01 00 00 00 ffffffff0f"},       // 2^32 - 1 tags
    {API_METADATA, true, 9, "01 00 00 00 01 07 ffffffff0f"}, // a tag of 4 GiB
    {API_METADATA, true, 9, "01 00 00 00 01 07 02 00"},      // a tag longer than the frame
    {API_PRODUCE, true, 7, "ffff ffff 00000bb8 00000001 0001 't' 00000001 00000002 7fffffff 01"},
    {API_PRODUCE, true, 7, "ffff ffff 00000bb8 00000001 0001 't' 00000001 00000002 fffffffe 01"},
    {API_PRODUCE, true, 9, "00 0001 00000bb8 02 02 't' 02 00000002 ffffffff0f 00"},
    {API_DESCRIBE_TOPIC_PARTITIONS, true, 0, "01 000007d0 05 02 't' 00000004 00 00"}, // presence byte 5
    {API_DESCRIBE_TOPIC_PARTITIONS, true, 0, "01 000007d0 00 00"},                    // presence byte 0
    {API_API_VERSIONS, false, 3, "0000 01 00000000 01 01 07 00000000000005"},         // tag 1 is too short
    {API_API_VERSIONS, false, 3, "0000 01 00000000 01 01 09 000000000000000500"},     // tag 1 is too long
    {API_SASL_AUTHENTICATE, true, 0, "ffffffff"},                                     // bytes null
};

static void test_hostile(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostiles / sizeof hostiles[0]; i++) {
        const struct hostile *h = &hostiles[i];
        arena_reset(&arena);
        void *message = wire_new(&arena, type_of(h->key, h->is_request), 1);
        size_t left;
        enum err err = decode_hex(h->key, h->is_request, h->version, h->hex, message, &left);
        if (err != ERR_MALFORMED) {
            fail_msg("row %zu: %s", i, err_name(err));
        }
        assert_true(arena.total < 512);
    }
}

static void test_count_within_bytes_but_over_the_cap(void **state)
{
    (void)state;
    // 8000 names of no bytes: honest, but 16 bytes of memory for each byte on the wire.
    struct arena small;
    arena_init(&small, 4096);
    buf_be32(&out, 1);
    buf_be16(&out, 0);
    buf_be32(&out, 8000);
    for (int i = 0; i < 16000; i++) {
        buf_u8(&out, 0);
    }
    struct describe_groups_request message;
    struct error e = {0};
    struct reader r = reader_init((struct bytes){out.ptr + 6, out.len - 6});
    assert_int_equal(wire_decode(type_of(API_DESCRIBE_GROUPS, true), 0, false, &r, &small, &message, &e),
                     ERR_NO_MEMORY);
    assert_non_null(strstr(e.text, "describe_groups_request v0: groups: 8000 elements"));
    assert_true(small.total <= 4096);
    arena_fini(&small);
}

static void test_trailing_bytes_are_left(void **state)
{
    (void)state;
    struct metadata_request message;
    size_t left;
    assert_int_equal(decode_hex(API_METADATA, true, 1, "00000000 aabb", &message, &left), ERR_OK);
    assert_int_equal(left, 2);
    assert_int_equal(message.topics_count, 0);
}

static void test_absent_fields_have_defaults(void **state)
{
    (void)state;
    struct metadata_request metadata;
    size_t left;
    assert_int_equal(decode_hex(API_METADATA, true, 0, "00000000", &metadata, &left), ERR_OK);
    assert_true(metadata.allow_auto_topic_creation);
    struct fetch_request fetch;
    memset(&fetch, 0xff, sizeof fetch);
    assert_int_equal(
        decode_hex(API_FETCH, true, 4, "ffffffff 00000001 00000002 00000003 01 00000000", &fetch, &left),
        ERR_OK);
    assert_int_equal(fetch.session_epoch, -1);
    assert_int_equal(fetch.replica_state.replica_epoch, -1);
    assert_null(fetch.cluster_id.ptr);
    assert_non_null(fetch.rack_id.ptr); // not nullable: empty
    assert_int_equal(fetch.rack_id.len, 0);
    struct fetch_response_partition *partition = wire_array(&arena, fetch_response_partition, 2) + 1;
    assert_int_equal(partition->preferred_read_replica, -1);
    assert_int_equal(partition->diverging_epoch.end_offset, -1);
    assert_null(wire_array(&arena, fetch_response_partition, SIZE_MAX / 2));
}

static void test_unknown_and_foreign_tags(void **state)
{
    (void)state;
    struct fetch_request message;
    size_t left;
    // v12 knows tag 0 (cluster id); tag 1 belongs to v15 and is skipped here; tag 99 is nobody's.
    const char *hex = "ffffffff 00000001 00000002 00000003 00 00000000 00000000 01 01 01"
                      "03 00 03 02 'c' 'x' 01 01 07 63 00";
    assert_int_equal(decode_hex(API_FETCH, true, 12, hex, &message, &left),
                     ERR_MALFORMED); // 'x' is one too many
    hex = "ffffffff 00000001 00000002 00000003 00 00000000 00000000 01 01 01 03 00 02 02 'c' 01 01 07 63 00";
    assert_int_equal(decode_hex(API_FETCH, true, 12, hex, &message, &left), ERR_OK);
    assert_int_equal(left, 0);
    assert_int_equal(message.cluster_id.len, 1);
    assert_int_equal(message.replica_state.replica_id, -1);
}

static void test_encode_is_lenient_and_total(void **state)
{
    (void)state;
    // NULL where null is not allowed is sent as empty; so is a count of -1; a foreign enum is -1.
    struct metadata_response_topic topic = {.error = (enum err)9999, .partitions_count = -1};
    struct metadata_response message = {.topics = &topic, .topics_count = 1};
    assert_int_equal(wire_encode(&metadata_response_type, 1, false, &message, &out, NULL, NULL), ERR_OK);
    assert_bytes(buf_bytes(&out), "00000000 00000000 00000001 ffff 0000 00 00000000");
    // Ours without a code of its own: the code of its kind.
    buf_reset(&out);
    struct heartbeat_response heartbeat = {.error = ERR_NO_SPACE};
    assert_int_equal(wire_encode(&heartbeat_response_type, 0, false, &heartbeat, &out, NULL, NULL), ERR_OK);
    assert_bytes(buf_bytes(&out), "0038");
    for (int code = 0; code < ERR_COUNT; code++) {
        heartbeat.error = (enum err)code;
        buf_reset(&out);
        assert_int_equal(wire_encode(&heartbeat_response_type, 0, false, &heartbeat, &out, NULL, NULL),
                         ERR_OK);
        assert_int_equal(out.len, 2);
    }
}

static void test_unknown_error_code(void **state)
{
    (void)state;
    struct heartbeat_response message;
    size_t left;
    assert_int_equal(decode_hex(API_HEARTBEAT, false, 0, "7777", &message, &left), ERR_OK);
    assert_int_equal(message.error, ERR_UNKNOWN);
    // Every code that Kafka 4.2 publishes comes back as it was.
    for (int16_t code = -1; code <= 133; code++) {
        assert_int_equal(err_kafka(err_from_kafka(code)), code);
    }
}

static void test_encode_limits(void **state)
{
    (void)state;
    static char text[WIRE_STRING_SIZE_MAX + 1];
    struct error e = {0};
    struct metadata_request_topic topic = {.name = {text, sizeof text}};
    struct metadata_request message = {.topics = &topic, .topics_count = 1};
    for (int16_t version = 8; version <= 9; version++) { // int16 and compact lengths have one limit
        enum err err = wire_encode(&metadata_request_type, version, version == 9, &message, &out, NULL, &e);
        assert_int_equal(err, ERR_MALFORMED);
        assert_non_null(strstr(e.text, "topics 0: name: 32768 bytes"));
    }
    topic.name.len--;
    buf_reset(&out);
    assert_int_equal(wire_encode(&metadata_request_type, 9, true, &message, &out, NULL, &e), ERR_OK);
    struct buf tight;
    buf_init(&tight, 100);
    assert_int_equal(wire_encode(&metadata_request_type, 9, true, &message, &tight, NULL, &e), ERR_NO_MEMORY);
    assert_true(tight.len <= 100);
    buf_fini(&tight);
}

static void test_cuts(void **state)
{
    (void)state;
    struct wire_cuts cuts = {0};
    int files[3] = {0};
    struct fetch_response_partition *partitions = wire_array(&arena, fetch_response_partition, 12);
    for (uint32_t i = 0; i < 12; i++) {
        partitions[i].partition_index = (int32_t)i;
        partitions[i].records = (struct wire_records){.external_size = 1000 + i, .external = &files[i % 3]};
    }
    partitions[1].records.bytes = bytes_of("head", 4);
    struct fetch_response_topic topic = {.topic = STR("t"), .partitions = partitions, .partitions_count = 12};
    struct fetch_response message = {.topics = &topic, .topics_count = 1};
    for (int16_t version = 11; version <= 12; version++) {
        buf_reset(&out);
        wire_cuts_reset(&cuts);
        bool is_flexible = version == 12;
        assert_int_equal(wire_encode(&fetch_response_type, version, is_flexible, &message, &out, &cuts, NULL),
                         ERR_OK);
        assert_int_equal(cuts.count, 12);
        assert_int_equal(wire_cuts_size(&cuts), 12 * 1000 + 66);
        // Splice zeroes where the cuts are: the whole must decode, and each partition get its bytes.
        struct buf whole;
        buf_init(&whole, OUT_SIZE);
        size_t from = 0;
        for (uint32_t i = 0; i < cuts.count; i++) {
            assert_ptr_equal(cuts.items[i].external, &files[i % 3]);
            buf_append(&whole, out.ptr + from, cuts.items[i].position - from);
            from = cuts.items[i].position;
            memset(buf_reserve(&whole, cuts.items[i].size), 0, cuts.items[i].size);
            whole.len += cuts.items[i].size;
        }
        buf_append(&whole, out.ptr + from, out.len - from);
        struct fetch_response back;
        struct reader r = reader_init(buf_bytes(&whole));
        assert_int_equal(wire_decode(&fetch_response_type, version, is_flexible, &r, &arena, &back, NULL),
                         ERR_OK);
        assert_int_equal(reader_left(&r), 0);
        for (uint32_t i = 0; i < 12; i++) {
            assert_int_equal(back.topics[0].partitions[i].records.bytes.len, 1000 + i + (i == 1 ? 4 : 0));
        }
        assert_memory_equal(back.topics[0].partitions[1].records.bytes.ptr, "head\0", 5);
        buf_fini(&whole);
    }
    wire_cuts_fini(&cuts);
    wire_cuts_fini(&cuts);
}

static const struct header {
    const char *hex;
    struct wire_request_header header;
} headers[] = {
    {"0012 0003 00000001 0007 'rdkafka' 00", {API_API_VERSIONS, 3, 1, {"rdkafka", 7}}},
    {"0012 0000 0000002a ffff", {API_API_VERSIONS, 0, 42, {NULL, 0}}},
    {"0012 0063 00000007 0000 00", {API_API_VERSIONS, 99, 7, {"", 0}}}, // from the future: still header v2
    {"0000 0007 00000001 0001 'c'", {API_PRODUCE, 7, 1, {"c", 1}}},
    {"0000 0009 00000001 0001 'c' 00", {API_PRODUCE, 9, 1, {"c", 1}}},
    {"0011 0001 00000001 0001 'c'", {API_SASL_HANDSHAKE, 1, 1, {"c", 1}}}, // never flexible
    {"002f 0000 00000001 0001 'c'", {API_OFFSET_DELETE, 0, 1, {"c", 1}}},  // never flexible
    {"0004 0005 00000001 0001 'c'", {4, 5, 1, {"c", 1}}},                  // a key that we do not speak: v1
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint8_t room[INPUT_SIZE];
        struct bytes input = from_hex(headers[i].hex, room);
        const struct wire_request_header *want = &headers[i].header;
        struct wire_request_header got;
        for (size_t len = 0; len <= input.len; len++) {
            struct reader r = reader_init((struct bytes){input.ptr, len});
            enum err err = wire_request_header_decode(&r, &got);
            assert_int_equal(err, len < input.len ? ERR_MALFORMED : ERR_OK);
        }
        assert_int_equal(got.api_key, want->api_key);
        assert_int_equal(got.api_version, want->api_version);
        assert_int_equal(got.correlation_id, want->correlation_id);
        assert_int_equal(got.client_id.ptr == NULL, want->client_id.ptr == NULL);
        assert_true(str_equal(got.client_id, want->client_id));
        buf_reset(&out);
        wire_request_header_encode(&got, &out);
        assert_bytes(buf_bytes(&out), headers[i].hex);
    }
}

static void test_header_tags_and_damage(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } rows[] = {
        {"0000 0009 00000001 0001 'c' 02 05 02 aabb 63 00", ERR_OK}, // unknown tags are skipped
        {"0000 0009 00000001 0001 'c' 02 05 02 aabb", ERR_MALFORMED},
        {"0000 0009 00000001 0001 'c' ffffffff0f 05 02 aabb", ERR_MALFORMED},
        {"0000 0009 00000001 fffe 'c' 00", ERR_MALFORMED},
        {"0000 0009 00000001 7fff 'c' 00", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t room[INPUT_SIZE];
        struct reader r = reader_init(from_hex(rows[i].hex, room));
        struct wire_request_header got;
        assert_int_equal(wire_request_header_decode(&r, &got), rows[i].err);
        assert_int_equal(reader_left(&r), 0);
    }
}

static void test_response_headers(void **state)
{
    (void)state;
    static const struct {
        int16_t key;
        int16_t version;
        const char *hex;
    } rows[] = {
        {API_API_VERSIONS, 0, "00000007"},   {API_API_VERSIONS, 3, "00000007"}, // always v0
        {API_METADATA, 8, "00000007"},       {API_METADATA, 9, "00000007 00"},
        {API_SASL_HANDSHAKE, 1, "00000007"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct wire_api *api = wire_api_find(rows[i].key);
        buf_reset(&out);
        wire_response_header_encode(api, rows[i].version, 7, &out);
        assert_bytes(buf_bytes(&out), rows[i].hex);
        int32_t correlation_id = 0;
        struct reader r = reader_init(buf_bytes(&out));
        assert_int_equal(wire_response_header_decode(api, rows[i].version, &r, &correlation_id), ERR_OK);
        assert_int_equal(correlation_id, 7);
        assert_int_equal(reader_left(&r), 0);
        r = reader_init((struct bytes){out.ptr, out.len - 1});
        assert_int_equal(wire_response_header_decode(api, rows[i].version, &r, &correlation_id),
                         ERR_MALFORMED);
    }
}

static void test_api_list(void **state)
{
    (void)state;
    assert_int_equal(wire_api_count(), 64);
    for (size_t i = 0; i < wire_api_count(); i++) {
        const struct wire_api *api = wire_api_at(i);
        assert_ptr_equal(wire_api_find(api->key), api);
        assert_true(i == 0 || wire_api_at(i - 1)->key < api->key);
        assert_true(wire_can_decode(api, api->version_max) && !wire_can_decode(api, api->version_max + 1));
        assert_true(!wire_can_decode(api, api->decode_min - 1) && !wire_can_decode(api, -1));
    }
    static const int16_t absent[] = {-1, 4, 5, 6, 7, 34, 38, 52, 83, 93, INT16_MAX, INT16_MIN};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        assert_null(wire_api_find(absent[i]));
    }
    // kafka.md 2.2 rule 1: Produce is advertised from 0 and decoded from 3; JoinGroup keeps its old versions.
    const struct wire_api *produce = wire_api_find(API_PRODUCE);
    assert_int_equal(produce->version_min, 0);
    assert_int_equal(produce->version_max, 13);
    assert_false(wire_can_decode(produce, 2));
    assert_true(wire_can_decode(produce, 3));
    assert_int_equal(wire_api_find(API_JOIN_GROUP)->version_min, 0);
    assert_int_equal(wire_api_find(API_INIT_PRODUCER_ID)->version_max, 5);
    assert_false(wire_is_flexible(wire_api_find(API_SASL_HANDSHAKE), 1));
}

static void test_print_escapes(void **state)
{
    (void)state;
    struct metadata_request_topic topics[] = {{.name = STR("q\"b\\n\n\xc3")}};
    struct metadata_request message = {.topics = topics, .topics_count = 1};
    wire_print(&metadata_request_type, 1, &message, &out);
    assert_string_equal(arena_str(&arena, buf_str(&out)).ptr,
                        "{\"topics\":[{\"name\":\"q\\\"b\\\\n\\u000a\\u00c3\"}]}");
    uint8_t big[100] = {0};
    struct sync_group_response sync = {.assignment = {big, sizeof big}, .error = (enum err)9999};
    buf_reset(&out);
    wire_print(&sync_group_response_type, 0, &sync, &out);
    assert_non_null(strstr(arena_str(&arena, buf_str(&out)).ptr, "\"100 bytes, crc32c "));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_golden),
        TEST(test_hostile),
        TEST(test_count_within_bytes_but_over_the_cap),
        TEST(test_trailing_bytes_are_left),
        TEST(test_absent_fields_have_defaults),
        TEST(test_unknown_and_foreign_tags),
        TEST(test_encode_is_lenient_and_total),
        TEST(test_unknown_error_code),
        TEST(test_encode_limits),
        TEST(test_cuts),
        TEST(test_headers),
        TEST(test_header_tags_and_damage),
        TEST(test_response_headers),
        TEST(test_api_list),
        TEST(test_print_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
