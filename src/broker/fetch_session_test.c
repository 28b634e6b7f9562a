// SPDX-License-Identifier: Apache-2.0
// Fetch sessions without a socket: epochs, changes, news and their order, limits and who makes room for whom.
#include "broker/fetch_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "platform/real/real.h"

enum { MS = 1000000, EVICTION_MS = 1000, MANY = 100000 };

static struct env *env;
static struct metrics *metrics;
static struct fetch_sessions *sessions;
static int64_t now_ns;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    real_env_close(env);
    return 0;
}

static void open_with(uint32_t count_max, size_t bytes_max)
{
    const struct fetch_session_limits limits = {count_max, bytes_max, EVICTION_MS};
    metrics = metrics_create();
    sessions = fetch_sessions_create(env, &limits, metrics);
    now_ns = 1;
}

static int test_teardown(void **state)
{
    (void)state;
    fetch_sessions_destroy(sessions);
    metrics_destroy(metrics);
    return 0;
}

static int64_t session_count(void)
{
    return metric_value(
        metrics_gauge(metrics, "kafka_server_fetchsessioncache_numincrementalfetchsessions", NULL, ""));
}

static int64_t partition_count(void)
{
    return metric_value(metrics_gauge(
        metrics, "kafka_server_fetchsessioncache_numincrementalfetchpartitionscached", NULL, ""));
}

static int64_t eviction_count(void)
{
    return metric_value(metrics_counter(
        metrics, "kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total", NULL, ""));
}

static struct fetch_part part_of(const char *topic, int32_t partition)
{
    return (struct fetch_part){.topic_name = str_from_c(topic),
                               .partition = partition,
                               .bytes_max = 100,
                               .high_watermark = 5,
                               .diverging_epoch = -1};
}

static int32_t create(const char *topic, int32_t count)
{
    struct fetch_part *parts = mem_array((size_t)count + 1, sizeof *parts);
    for (int32_t p = 0; p < count; p++) {
        parts[p] = part_of(topic, p);
    }
    int32_t id = fetch_session_create(sessions, parts, (uint32_t)count, false, now_ns);
    mem_free(parts);
    return id;
}

static enum err begin(int32_t id, int32_t epoch, struct fetch_session **ret)
{
    return fetch_session_begin(sessions, id, epoch, false, now_ns, ret);
}

// A request that changes nothing.
static enum err touch(int32_t id, int32_t epoch)
{
    struct fetch_session *s = NULL;
    enum err err = begin(id, epoch, &s);
    if (err == ERR_OK) {
        fetch_session_end(s);
    }
    return err;
}

static void epochs(void **state)
{
    (void)state;
    open_with(10, 1 << 20);
    struct fetch_session *s = NULL;
    struct fetch_session *second = NULL;
    int32_t id = create("t", 2);
    assert_true(id > 0);
    assert_int_equal(begin(id + 1, 1, &s), ERR_FETCH_SESSION_NOT_FOUND);
    static const int32_t wrong[] = {0, 2, -1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(begin(id, wrong[i], &s), ERR_FETCH_SESSION_EPOCH);
    }
    assert_int_equal(fetch_session_begin(sessions, id, 1, true, now_ns, &s), ERR_FETCH_SESSION_TOPIC_ID);
    // One user at a time; the refusals above changed nothing.
    assert_int_equal(begin(id, 1, &s), ERR_OK);
    assert_int_equal(begin(id, 1, &second), ERR_FETCH_SESSION_EPOCH);
    assert_int_equal(begin(id, 2, &second), ERR_FETCH_SESSION_EPOCH);
    // Closed while in use: gone for others at once, whole for its user until the end.
    fetch_session_close(sessions, id);
    assert_int_equal(session_count(), 0);
    assert_int_equal(begin(id, 2, &second), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(fetch_session_count(s), 2);
    assert_int_equal(partition_count(), 2);
    fetch_session_end(s);
    assert_int_equal(partition_count(), 0);
    fetch_session_close(sessions, id);
    fetch_session_close(sessions, 0);
}

static void epoch_wraps_to_1(void **state)
{
    (void)state;
    open_with(10, 1 << 20);
    static const int32_t rows[][2] = {{0, 1}, {1, 2}, {INT32_MAX - 1, INT32_MAX}, {INT32_MAX, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(fetch_epoch_next(rows[i][0]), rows[i][1]);
    }
    int32_t id = create("t", 1);
    for (int32_t epoch = 1; epoch < 1000; epoch = fetch_epoch_next(epoch)) {
        assert_int_equal(touch(id, epoch), ERR_OK);
    }
}

static void changes(void **state)
{
    (void)state;
    open_with(10, 1 << 20);
    struct fetch_session *s = NULL;
    int32_t id = create("a", 2);
    assert_int_equal(begin(id, 1, &s), ERR_OK);
    // New ones at the end, known ones in place, twice the same: the last one counts. A name and an id never
    // meet.
    struct fetch_part asked[] = {part_of("b", 7), part_of("a", 1), part_of("b", 7)};
    asked[1].offset = 42;
    asked[1].current_leader_epoch = 3;
    asked[2].bytes_max = 1;
    const struct fetch_part forgotten[] = {part_of("a", 0), part_of("a", 9), part_of("none", 0)};
    assert_int_equal(fetch_session_change(s, asked, 3, forgotten, 3, now_ns), ERR_OK);
    assert_int_equal(fetch_session_count(s), 2);
    struct fetch_part parts[2];
    fetch_session_fill(s, parts);
    assert_true(str_equal(parts[0].topic_name, STR("a")));
    assert_int_equal(parts[0].partition, 1);
    assert_int_equal(parts[0].offset, 42);
    assert_int_equal(parts[0].current_leader_epoch, 3);
    assert_true(str_equal(parts[1].topic_name, STR("b")));
    assert_int_equal(parts[1].partition, 7);
    assert_int_equal(parts[1].bytes_max, 1);
    fetch_session_end(s);
    assert_int_equal(partition_count(), 2);
    // Nothing left: closed.
    assert_int_equal(begin(id, 2, &s), ERR_OK);
    const struct fetch_part all[] = {part_of("b", 7), part_of("a", 1)};
    assert_int_equal(fetch_session_change(s, NULL, 0, all, 2, now_ns), ERR_OK);
    assert_int_equal(fetch_session_count(s), 0);
    fetch_session_end(s);
    assert_int_equal(session_count(), 0);
    assert_int_equal(touch(id, 3), ERR_FETCH_SESSION_NOT_FOUND);
}

static void topic_ids(void **state)
{
    (void)state;
    open_with(10, 1 << 20);
    const struct fetch_part parts[] = {{.topic_id = {{1}}, .partition = 0, .diverging_epoch = -1},
                                       {.topic_id = {{2}}, .partition = 0, .diverging_epoch = -1},
                                       {.topic_id = {{0}}, .partition = 0, .diverging_epoch = -1}};
    int32_t id = fetch_session_create(sessions, parts, 3, true, now_ns);
    struct fetch_session *s = NULL;
    assert_int_equal(begin(id, 1, &s), ERR_FETCH_SESSION_TOPIC_ID);
    assert_int_equal(fetch_session_begin(sessions, id, 1, true, now_ns, &s), ERR_OK);
    struct fetch_part filled[3];
    fetch_session_fill(s, filled);
    for (int i = 0; i < 3; i++) {
        assert_null(filled[i].topic_name.ptr);
        assert_true(uuid_equal(filled[i].topic_id, parts[i].topic_id));
    }
    fetch_session_end(s);
}

// news runs one request in which each partition answers as told; returns which were told, in order, as
// digits.
static int64_t news(int32_t id, int32_t epoch, const struct fetch_part *answers, uint32_t count)
{
    struct fetch_session *s = NULL;
    struct fetch_part parts[8];
    struct fetch_part *told[8];
    assert_int_equal(begin(id, epoch, &s), ERR_OK);
    assert_int_equal(fetch_session_count(s), count);
    fetch_session_fill(s, parts);
    for (uint32_t i = 0; i < count; i++) {
        int32_t partition = parts[i].partition;
        parts[i] = answers[partition];
    }
    uint32_t told_count = fetch_session_news(s, parts, told);
    int64_t digits = 0;
    for (uint32_t i = 0; i < told_count; i++) {
        digits = digits * 10 + told[i]->partition + 1;
    }
    fetch_session_end(s);
    return digits;
}

static void what_is_news(void **state)
{
    (void)state;
    open_with(10, 1 << 20);
    int32_t id = create("t", 4);
    struct fetch_part a[] = {part_of("t", 0), part_of("t", 1), part_of("t", 2), part_of("t", 3)};
    assert_int_equal(news(id, 1, a, 4), 0);
    // Records, each time; those told go behind the others.
    a[0].slice_bytes = a[2].slice_bytes = 10;
    assert_int_equal(news(id, 2, a, 4), 13);
    a[1].slice_bytes = a[3].slice_bytes = 10;
    assert_int_equal(news(id, 3, a, 4), 2413);
    assert_int_equal(news(id, 4, a, 4), 2413);
    a[2].slice_bytes = a[3].slice_bytes = 0;
    assert_int_equal(news(id, 5, a, 4), 21);
    a[0].slice_bytes = a[1].slice_bytes = 0;
    assert_int_equal(news(id, 6, a, 4), 0);
    // Bounds, once for each change.
    a[3].high_watermark = 6;
    a[1].log_start_offset = 1;
    assert_int_equal(news(id, 7, a, 4), 42);
    assert_int_equal(news(id, 8, a, 4), 0);
    // An error each time, and its end once.
    a[0].err = ERR_UNKNOWN_PARTITION;
    a[0].high_watermark = a[0].log_start_offset = -1;
    assert_int_equal(news(id, 9, a, 4), 1);
    assert_int_equal(news(id, 10, a, 4), 1);
    a[0] = part_of("t", 0);
    assert_int_equal(news(id, 11, a, 4), 1);
    assert_int_equal(news(id, 12, a, 4), 0);
    a[2].diverging_epoch = 0;
    assert_int_equal(news(id, 13, a, 4), 3);
}

static void slots(void **state)
{
    (void)state;
    open_with(2, 1 << 20);
    int32_t large = create("t", 3);
    now_ns += MS;
    int32_t small = create("t", 2);
    assert_int_equal(create("t", 100), FETCH_SESSION_NONE); // both are young
    assert_int_equal(create("t", 0), FETCH_SESSION_NONE);
    now_ns += EVICTION_MS * MS;
    assert_int_equal(touch(large, 1), ERR_OK);
    assert_int_equal(touch(small, 1), ERR_OK);
    now_ns += MS;
    // Both old and in use lately: only a larger one gets the slot of the smaller one.
    assert_int_equal(create("t", 2), FETCH_SESSION_NONE);
    int32_t larger = create("t", 4);
    assert_int_not_equal(larger, FETCH_SESSION_NONE);
    assert_int_equal(touch(small, 2), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(touch(large, 2), ERR_OK);
    assert_int_equal(eviction_count(), 1);
    // What was idle for longer goes to anybody, but not while a request has it.
    now_ns += EVICTION_MS * MS + 1;
    struct fetch_session *s = NULL;
    assert_int_equal(begin(larger, 1, &s), ERR_OK);
    now_ns += EVICTION_MS * MS + 1;
    assert_int_not_equal(create("t", 1), FETCH_SESSION_NONE);
    assert_int_equal(touch(large, 3), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(create("t", 1), FETCH_SESSION_NONE);
    fetch_session_end(s);
    assert_int_not_equal(create("t", 1), FETCH_SESSION_NONE);
    assert_int_equal(touch(larger, 2), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(session_count(), 2);
    assert_int_equal(partition_count(), 2);
    assert_int_equal(eviction_count(), 3);
}

static void no_slots_no_sessions(void **state)
{
    (void)state;
    open_with(0, 1 << 20);
    assert_int_equal(create("t", 1), FETCH_SESSION_NONE);
}

static void bytes(void **state)
{
    (void)state;
    open_with(1000, 1 << 20);
    // No session gets more than a quarter, however it comes to it.
    assert_int_equal(create("t", MANY), FETCH_SESSION_NONE);
    int32_t id = create("t", 1);
    struct fetch_session *s = NULL;
    assert_int_equal(begin(id, 1, &s), ERR_OK);
    struct fetch_part *asked = mem_array(MANY, sizeof *asked);
    for (int32_t p = 0; p < MANY; p++) {
        asked[p] = part_of("t", p);
    }
    assert_int_equal(fetch_session_change(s, asked, MANY, NULL, 0, now_ns), ERR_FETCH_SESSION_NOT_FOUND);
    assert_int_equal(fetch_session_count(s), 1); // unchanged
    fetch_session_end(s);
    assert_int_equal(session_count(), 0);
    // All of them together fill the cache and no more: 1 MiB holds less than 1 << 20 bytes / 100 partitions.
    int32_t made = 0;
    while (create("t", 1000) != FETCH_SESSION_NONE) {
        made++;
    }
    assert_in_range(made, 4, 10);
    // Long names count as well.
    char name[20000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    while (create(name, 1) != FETCH_SESSION_NONE) {
        made++;
    }
    assert_in_range(made, 4, 70);
    // What is given back can be used again, byte for byte.
    now_ns += EVICTION_MS * MS + 1;
    for (int i = 0; i < 100; i++) {
        id = create("t", 1000);
        assert_int_not_equal(id, FETCH_SESSION_NONE);
        assert_int_equal(begin(id, 1, &s), ERR_OK);
        assert_int_equal(fetch_session_change(s, asked, 1001, asked, 1001, now_ns), ERR_OK);
        fetch_session_end(s);
        assert_int_equal(touch(id, 2), ERR_FETCH_SESSION_NOT_FOUND); // empty, so closed
    }
    mem_free(asked);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, test_teardown)
    const struct CMUnitTest tests[] = {
        TEST(epochs), TEST(epoch_wraps_to_1),     TEST(changes), TEST(topic_ids), TEST(what_is_news),
        TEST(slots),  TEST(no_slots_no_sessions), TEST(bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
