// SPDX-License-Identifier: Apache-2.0
// Fetch sessions (KIP-227) as clients see them, on three loops: what is sent, what is answered, and what an
// enemy may try.
#include <time.h>

#include "base/mem.h"
#include "kafka/test_rig.h"

enum { LONG_MS = 3600000, NAME_VERSION = 11, ID_VERSION = 17 };

static struct rig the_rig;
static struct client c; // of the running test
static const struct uuid no_id;

static int setup(void **state)
{
    (void)state;
    rig_init(&the_rig);
    the_rig.loop_count = 3;
    rig_set(&the_rig, "max.incremental.fetch.session.cache.slots", "4");
    rig_set(&the_rig, "min.incremental.fetch.session.eviction.ms", "200");
    rig_set(&the_rig, "strom.fetch.session.cache.bytes", "1000000");
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

// ---- requests

struct want {
    const char *topic;
    struct uuid id;
    int32_t partition;
    int64_t offset;
};

static struct fetch_request *ask(struct client *client, int32_t session, int32_t epoch,
                                 const struct want *wants, int32_t count)
{
    struct fetch_request *in = client_new(client, fetch_request, 1);
    in->min_bytes = 1;
    in->session_id = session;
    in->session_epoch = epoch;
    in->topics = client_new(client, fetch_request_topic, (size_t)count + 1);
    in->topics_count = count;
    for (int32_t i = 0; i < count; i++) {
        in->topics[i].topic = str_from_c(wants[i].topic == NULL ? "" : wants[i].topic);
        in->topics[i].topic_id = wants[i].id;
        in->topics[i].partitions = client_new(client, fetch_request_partition, 1);
        in->topics[i].partitions_count = 1;
        in->topics[i].partitions[0].partition = wants[i].partition;
        in->topics[i].partitions[0].fetch_offset = wants[i].offset;
        in->topics[i].partitions[0].partition_max_bytes = 1 << 20;
    }
    return in;
}

static void forget(struct client *client, struct fetch_request *in, const char *topic, int32_t partition)
{
    in->forgotten_topics = client_new(client, fetch_request_forgotten_topic, 1);
    in->forgotten_topics_count = 1;
    in->forgotten_topics[0].topic = str_from_c(topic);
    in->forgotten_topics[0].partitions = arena_new(&client->arena, int32_t, 1);
    in->forgotten_topics[0].partitions[0] = partition;
    in->forgotten_topics[0].partitions_count = 1;
}

static const struct fetch_response *call(int16_t version, int32_t session, int32_t epoch,
                                         const struct want *wants, int32_t count)
{
    return client_call(&c, API_FETCH, version, ask(&c, session, epoch, wants, count));
}

// An incremental fetch that changes nothing and must be fine.
static const struct fetch_response *next(int16_t version, int32_t session, int32_t epoch)
{
    const struct fetch_response *out = call(version, session, epoch, NULL, 0);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, session);
    return out;
}

static enum err error_of(int16_t version, int32_t session, int32_t epoch)
{
    const struct fetch_response *out = call(version, session, epoch, NULL, 0);
    assert_int_equal(out->session_id, 0);
    assert_int_equal(out->topics_count, 0);
    return out->error;
}

static void close_session(int32_t session)
{
    const struct fetch_response *out = call(NAME_VERSION, session, -1, NULL, 0);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, 0);
}

static int64_t session_count(void)
{
    return metric_value(metrics_gauge(
        the_rig.metrics, "kafka_server_fetchsessioncache_numincrementalfetchsessions", NULL, ""));
}

static int64_t partition_count(void)
{
    return metric_value(metrics_gauge(
        the_rig.metrics, "kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", NULL, ""));
}

// ---- what KIP-227 promises

static void kafka_05_22_only_what_changed(void **state)
{
    (void)state;
    topic_make(&c, "life", 3, NULL, NULL);
    const struct want wants[] = {{.topic = "life"}, {.topic = "life", .partition = 1}};
    const struct fetch_response *out = call(NAME_VERSION, 0, 0, wants, 2);
    assert_int_equal(out->error, ERR_OK);
    int32_t id = out->session_id;
    assert_true(id > 0);
    assert_int_equal(out->topics_count, 1); // full: also what has nothing new
    assert_int_equal(out->topics[0].partitions_count, 2);
    assert_int_equal(session_count(), 1);
    assert_int_equal(partition_count(), 2);
    // Nothing asked, nothing new.
    assert_int_equal(next(NAME_VERSION, id, 1)->topics_count, 0);
    // Records come as long as the offset stays where it is.
    struct bytes batch = batch_make(&c, NULL, 1, "v");
    produce(&c, "life", 1, batch);
    for (int32_t epoch = 2; epoch <= 3; epoch++) {
        out = next(NAME_VERSION, id, epoch);
        assert_int_equal(out->topics_count, 1);
        assert_true(str_equal(out->topics[0].topic, STR("life")));
        assert_int_equal(out->topics[0].partitions_count, 1);
        assert_int_equal(out->topics[0].partitions[0].partition_index, 1);
        assert_int_equal(out->topics[0].partitions[0].records.bytes.len, batch.len);
        assert_int_equal(out->topics[0].partitions[0].high_watermark, 1);
    }
    // The offset moves on, one partition is new.
    const struct want changed[] = {{.topic = "life", .partition = 1, .offset = 1},
                                   {.topic = "life", .partition = 2}};
    out = call(NAME_VERSION, id, 4, changed, 2);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions_count, 1);
    assert_int_equal(out->topics[0].partitions[0].partition_index, 2); // its bounds were never told
    assert_int_equal(next(NAME_VERSION, id, 5)->topics_count, 0);
    // A bound alone is news, once.
    produce(&c, "life", 0, batch);
    const struct want moved = {.topic = "life", .partition = 0, .offset = 1};
    out = call(NAME_VERSION, id, 6, &moved, 1);
    assert_int_equal(out->topics[0].partitions[0].high_watermark, 1);
    assert_int_equal(out->topics[0].partitions[0].records.bytes.len, 0);
    assert_int_equal(delete_records(&c, "life", 1, 2, ERR_OK), 1);
    out = next(NAME_VERSION, id, 7);
    assert_int_equal(out->topics_count, 1);
    assert_int_equal(out->topics[0].partitions[0].partition_index, 0);
    assert_int_equal(out->topics[0].partitions[0].log_start_offset, 1);
    assert_int_equal(next(NAME_VERSION, id, 8)->topics_count, 0);
    // Forgotten ones are not read any more.
    struct fetch_request *in = ask(&c, id, 9, NULL, 0);
    forget(&c, in, "life", 1);
    out = client_call(&c, API_FETCH, NAME_VERSION, in);
    assert_int_equal(out->error, ERR_OK);
    produce(&c, "life", 1, batch);
    assert_int_equal(next(NAME_VERSION, id, 10)->topics_count, 0);
    assert_int_equal(partition_count(), 2);
    close_session(id);
    assert_int_equal(error_of(NAME_VERSION, id, 11), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(session_count(), 0);
    assert_int_equal(partition_count(), 0);
}

static void kafka_05_22_wrong_ids_and_epochs(void **state)
{
    (void)state;
    topic_make(&c, "wrong", 1, NULL, NULL);
    const struct want want = {.topic = "wrong"};
    int32_t id = call(NAME_VERSION, 0, 0, &want, 1)->session_id;
    static const int32_t epochs[] = {2, 5, INT32_MAX, INT32_MIN, -2};
    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        assert_int_equal(error_of(NAME_VERSION, id, epochs[i]), ERR_FETCH_SESSION_EPOCH);
        assert_int_equal(error_of(NAME_VERSION, id ^ 1, epochs[i]), ERR_FETCH_SESSION_NOT_FOUND);
        assert_int_equal(error_of(NAME_VERSION, 0, epochs[i]), ERR_FETCH_SESSION_NOT_FOUND);
    }
    assert_int_equal(next(NAME_VERSION, id, 1)->topics_count, 0);
    assert_int_equal(error_of(NAME_VERSION, id, 1), ERR_FETCH_SESSION_EPOCH); // sent twice
    // Epoch 0 with an id ends that session and makes another.
    const struct fetch_response *out = call(NAME_VERSION, id, 0, &want, 1);
    assert_int_not_equal(out->session_id, 0);
    assert_int_not_equal(out->session_id, id);
    assert_int_equal(session_count(), 1);
    assert_int_equal(error_of(NAME_VERSION, id, 2), ERR_FETCH_SESSION_NOT_FOUND);
    // No partition left: the session goes with it.
    struct fetch_request *in = ask(&c, out->session_id, 1, NULL, 0);
    forget(&c, in, "wrong", 0);
    out = client_call(&c, API_FETCH, NAME_VERSION, in);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, 0);
    assert_int_equal(session_count(), 0);
    // Versions without sessions answer in full.
    for (int16_t version = 4; version <= 7; version++) {
        out = call(version, 0, version < 7 ? -1 : 0, &want, 1);
        assert_int_equal(out->topics_count, 1);
        assert_int_equal(out->session_id != 0, version == 7);
        close_session(out->session_id);
    }
}

static void kafka_05_23_topic_ids_in_a_session(void **state)
{
    (void)state;
    struct uuid old = topic_make(&c, "phoenix", 1, NULL, NULL);
    const struct want by_id[] = {{.id = old}, {.id = {{7, 7}}}, {.id = no_id}};
    const struct fetch_response *out = call(ID_VERSION, 0, 0, by_id, 3);
    int32_t id = out->session_id;
    const struct want by_name = {.topic = "phoenix"};
    int32_t named = call(NAME_VERSION, 0, 0, &by_name, 1)->session_id;
    assert_int_equal(error_of(NAME_VERSION, id, 1), ERR_FETCH_SESSION_TOPIC_ID);
    assert_int_equal(error_of(ID_VERSION, named, 1), ERR_FETCH_SESSION_TOPIC_ID);
    // Unknown ones are told again each time.
    for (int32_t epoch = 1; epoch <= 2; epoch++) {
        out = next(ID_VERSION, id, epoch);
        assert_int_equal(out->topics_count, 2);
        for (int32_t t = 0; t < 2; t++) {
            assert_int_equal(out->topics[t].partitions[0].error, ERR_UNKNOWN_TOPIC_ID);
        }
        assert_true(uuid_equal(out->topics[0].topic_id, by_id[1].id));
        assert_true(uuid_equal(out->topics[1].topic_id, no_id));
    }
    // Made again, it has another id; under its name it is the same.
    topic_drop(&c, "phoenix");
    assert_int_equal(next(NAME_VERSION, named, 1)->topics[0].partitions[0].error, ERR_UNKNOWN_PARTITION);
    struct uuid young = topic_make(&c, "phoenix", 1, NULL, NULL);
    produce(&c, "phoenix", 0, batch_make(&c, NULL, 1, "v"));
    out = next(ID_VERSION, id, 3);
    assert_int_equal(out->topics_count, 3);
    for (int32_t t = 0; t < 3; t++) {
        assert_int_equal(out->topics[t].partitions[0].error, ERR_UNKNOWN_TOPIC_ID);
    }
    out = next(NAME_VERSION, named, 2);
    assert_int_equal(out->topics[0].partitions[0].error, ERR_OK);
    assert_true(out->topics[0].partitions[0].records.bytes.len > 0);
    const struct want reborn = {.id = young};
    out = call(ID_VERSION, id, 4, &reborn, 1);
    bool is_found = false;
    for (int32_t t = 0; t < out->topics_count; t++) {
        is_found = is_found || (uuid_equal(out->topics[t].topic_id, young) &&
                                out->topics[t].partitions[0].records.bytes.len > 0);
    }
    assert_true(is_found);
    close_session(id);
    close_session(named);
}

// With room for one batch in each answer, each partition gets its turn though none of them runs dry.
static void no_partition_starves(void **state)
{
    (void)state;
    enum { PARTITIONS = 3, ROUNDS = 9 };
    topic_make(&c, "hungry", PARTITIONS, NULL, NULL);
    struct want wants[PARTITIONS] = {{0}};
    for (int32_t p = 0; p < PARTITIONS; p++) {
        wants[p] = (struct want){.topic = "hungry", .partition = p};
        produce(&c, "hungry", p, batch_make(&c, NULL, 1, "v"));
    }
    int32_t id = call(NAME_VERSION, 0, 0, wants, PARTITIONS)->session_id;
    int32_t fed[PARTITIONS] = {0};
    for (int32_t epoch = 1; epoch <= ROUNDS; epoch++) {
        struct fetch_request *in = ask(&c, id, epoch, NULL, 0);
        in->max_bytes = 1;
        const struct fetch_response *out = client_call(&c, API_FETCH, NAME_VERSION, in);
        assert_int_equal(out->topics_count, 1);
        assert_int_equal(out->topics[0].partitions_count, 1);
        fed[out->topics[0].partitions[0].partition_index]++;
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        assert_int_equal(fed[p], ROUNDS / PARTITIONS);
    }
    close_session(id);
}

// A thousand partitions, one of which gets a record while the fetch waits.
static void idle_partitions_stay_silent(void **state)
{
    (void)state;
    enum { PARTITIONS = 1000 };
    topic_make(&c, "wide", PARTITIONS, NULL, NULL);
    struct want *wants = mem_array(PARTITIONS, sizeof *wants);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        wants[p] = (struct want){.topic = "wide", .partition = p};
    }
    int32_t id = call(NAME_VERSION, 0, 0, wants, PARTITIONS)->session_id;
    mem_free(wants);
    struct client producer;
    client_open(&producer, &the_rig);
    for (int32_t round = 0; round < 20; round++) {
        struct fetch_request *in = ask(&c, id, round + 1, NULL, 0);
        in->max_wait_ms = LONG_MS;
        const struct want moved = {.topic = "wide", .partition = round * 49 - 49, .offset = 1};
        if (round > 0) {
            in->topics = ask(&c, 0, 0, &moved, 1)->topics;
            in->topics_count = 1;
        }
        client_send(&c, API_FETCH, NAME_VERSION, in);
        // Topics come and go meanwhile, which wakes every fetch for nothing.
        topic_make(&producer, "passing", 1, NULL, NULL);
        topic_drop(&producer, "passing");
        produce(&producer, "wide", round * 49, batch_make(&producer, NULL, 1, "v"));
        const struct fetch_response *out = client_recv(&c, API_FETCH, NAME_VERSION, c.correlation);
        assert_int_equal(out->topics_count, 1);
        assert_int_equal(out->topics[0].partitions_count, 1);
        assert_int_equal(out->topics[0].partitions[0].partition_index, round * 49);
        assert_int_equal(out->topics[0].partitions[0].high_watermark, 1);
    }
    client_close(&producer);
    close_session(id);
}

// The memory of a fetch of thousands of partitions is not kept for as long as it asks.
static void large_fetches_do_not_wait_long(void **state)
{
    (void)state;
    enum { PARTITIONS = 2001 };
    topic_make(&c, "huge", PARTITIONS, NULL, NULL);
    struct want *wants = mem_array(PARTITIONS, sizeof *wants);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        wants[p] = (struct want){.topic = "huge", .partition = p};
    }
    struct fetch_request *in = ask(&c, 0, -1, wants, PARTITIONS);
    mem_free(wants);
    in->max_wait_ms = LONG_MS;
    const struct fetch_response *out = client_call(&c, API_FETCH, NAME_VERSION, in); // after 5 s
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->topics[0].partitions_count, PARTITIONS);
}

// ---- hostile

// Two connections, on two loops, play the same session.
static void one_session_on_two_connections(void **state)
{
    (void)state;
    topic_make(&c, "shared", 1, NULL, NULL);
    const struct want want = {.topic = "shared"};
    int32_t id = call(NAME_VERSION, 0, 0, &want, 1)->session_id;
    struct client other;
    client_open(&other, &the_rig);
    struct fetch_request *in = ask(&other, id, 1, NULL, 0);
    in->max_wait_ms = LONG_MS;
    client_send(&other, API_FETCH, NAME_VERSION, in);
    client_wait_for_parked(&the_rig, 1);
    // One request at a time: while it waits, the next epoch is wrong, too.
    for (int32_t epoch = 1; epoch <= 3; epoch++) {
        assert_int_equal(error_of(NAME_VERSION, id, epoch), ERR_FETCH_SESSION_EPOCH);
    }
    produce(&c, "shared", 0, batch_make(&c, NULL, 1, "v"));
    const struct fetch_response *out = client_recv(&other, API_FETCH, NAME_VERSION, other.correlation);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->topics_count, 1);
    // It outlives the connection, wherever the next request comes from.
    client_close(&other);
    assert_int_equal(next(NAME_VERSION, id, 2)->topics_count, 1);
    // Closed under a fetch that waits: that one still ends well, the next does not.
    client_open(&other, &the_rig);
    const struct want end = {.topic = "shared", .offset = 1};
    in = ask(&other, id, 3, &end, 1);
    in->max_wait_ms = LONG_MS;
    client_send(&other, API_FETCH, NAME_VERSION, in);
    client_wait_for_parked(&the_rig, 1);
    close_session(id);
    produce(&c, "shared", 0, batch_make(&c, NULL, 1, "v"));
    out = client_recv(&other, API_FETCH, NAME_VERSION, other.correlation);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(error_of(NAME_VERSION, id, 4), ERR_FETCH_SESSION_NOT_FOUND);
    client_close(&other);
    assert_int_equal(session_count(), 0);
}

// A parked fetch whose client goes gives the session back.
static void connection_gone_while_fetching(void **state)
{
    (void)state;
    topic_make(&c, "gone", 1, NULL, NULL);
    const struct want want = {.topic = "gone"};
    int32_t id = call(NAME_VERSION, 0, 0, &want, 1)->session_id;
    struct client other;
    client_open(&other, &the_rig);
    struct fetch_request *in = ask(&other, id, 1, NULL, 0);
    in->max_wait_ms = LONG_MS;
    client_send(&other, API_FETCH, NAME_VERSION, in);
    client_wait_for_parked(&the_rig, 1);
    client_close(&other);
    client_wait_for_parked(&the_rig, 0);
    enum err err;
    do { // refused while the answer that nobody wants is being made
        err = call(NAME_VERSION, id, 2, NULL, 0)->error;
    } while (err == ERR_FETCH_SESSION_EPOCH);
    assert_int_equal(err, ERR_OK);
    close_session(id);
}

// More partitions than a session may hold: at once, and bit by bit.
static void sessions_that_grow(void **state)
{
    (void)state;
    enum { PARTITIONS = 5000, STEP = 500 };
    topic_make(&c, "grows", 1, NULL, NULL);
    struct want *wants = mem_array(PARTITIONS, sizeof *wants);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        wants[p] = (struct want){.topic = "grows", .partition = p}; // most do not exist
    }
    const struct fetch_response *out = call(NAME_VERSION, 0, 0, wants, PARTITIONS);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->session_id, 0);
    assert_int_equal(out->topics[0].partitions_count, PARTITIONS);
    int32_t id = call(NAME_VERSION, 0, 0, wants, 1)->session_id;
    int32_t count = 1;
    enum err err = ERR_OK;
    for (int32_t epoch = 1; err == ERR_OK && count < PARTITIONS; epoch++) {
        out = call(NAME_VERSION, id, epoch, wants + count, STEP);
        err = out->error;
        count += err == ERR_OK ? STEP : 0;
        assert_true(partition_count() <= PARTITIONS / 2);
    }
    assert_int_equal(err, ERR_FETCH_SESSION_NOT_FOUND); // the client starts anew
    assert_in_range(count, 1 + STEP, PARTITIONS / 2);
    assert_int_equal(session_count(), 0);
    assert_int_equal(partition_count(), 0);
    mem_free(wants);
}

// Many clients that want sessions and never come back: the slots hold, the rest is served without one.
static void slots_are_few(void **state)
{
    (void)state;
    enum { CLIENTS = 100, SLOTS = 4 };
    topic_make(&c, "few", 1, NULL, NULL);
    const struct want want = {.topic = "few"};
    int32_t given = 0;
    for (int i = 0; i < CLIENTS; i++) {
        struct client one;
        client_open(&one, &the_rig);
        const struct fetch_response *out =
            client_call(&one, API_FETCH, NAME_VERSION, ask(&one, 0, 0, &want, 1));
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->topics_count, 1);
        given += out->session_id != 0;
        assert_true(session_count() <= SLOTS);
        client_close(&one);
    }
    assert_true(given >= SLOTS);
    // Idle for long enough, they make room.
    int32_t id = 0;
    while (id == 0) {
        id = call(NAME_VERSION, 0, 0, &want, 1)->session_id;
    }
    close_session(id);
    assert_true(metric_value(metrics_counter(
                    the_rig.metrics, "kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total",
                    NULL, "")) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(kafka_05_22_only_what_changed),
        TEST(kafka_05_22_wrong_ids_and_epochs),
        TEST(kafka_05_23_topic_ids_in_a_session),
        TEST(no_partition_starves),
        TEST(idle_partitions_stay_silent),
        TEST(large_fetches_do_not_wait_long),
        TEST(one_session_on_two_connections),
        TEST(connection_gone_while_fetching),
        TEST(sessions_that_grow),
        TEST(slots_are_few),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
