// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>

#include "keeper/rig_test.h"

enum { DAY_MS = 86400000 };

// commit stores offset 7 for partitions [first, first + count) of a topic.
static void commit(struct world *w, const char *group, int32_t generation, uint8_t topic, int32_t first,
                   int32_t count, int64_t retention_ms)
{
    struct item_offset offsets[2048];
    assert_true(count <= 2048);
    for (int32_t i = 0; i < count; i++) {
        offsets[i] = (struct item_offset){topic_of(topic), first + i, 7, -1, retention_ms, STR("")};
    }
    struct item item = {.kind = ITEM_OFFSET_COMMIT, .version = 1};
    item.offset_commit =
        (struct item_offset_commit){str_from_c(group), generation, STR("m"), offsets, (uint32_t)count};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
}

static void members_set(struct world *w, const char *group, int32_t generation, const char *type,
                        struct bytes subscription)
{
    struct item_member member = {.member_id = STR("m"), .session_timeout_ms = 1, .rebalance_timeout_ms = 1};
    member.client_id = member.client_host = STR("");
    member.subscription = subscription;
    member.assignment = bytes_of("", 0);
    struct item item = {.kind = ITEM_GROUP_SET, .version = 1};
    item.group_set = (struct item_group_set){.group_id = str_from_c(group),
                                             .expected_generation = generation - 1,
                                             .generation = generation,
                                             .protocol_type = str_from_c(type),
                                             .protocol_name = STR("range"),
                                             .leader = STR("m"),
                                             .members = &member,
                                             .member_count = subscription.ptr != NULL};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
}

static uint32_t left(struct world *w, const char *group)
{
    const struct group *g = core_group_find(w->core, str_from_c(group));
    return g == NULL ? UINT32_MAX : group_offset_count(g);
}

// A week passes: what was ordered so far lies eight days back.
static void begin_long_ago(struct world *w)
{
    w->time_lag_ms = 8LL * DAY_MS;
}
static void begin_now(struct world *w)
{
    w->time_lag_ms = 0;
}

static struct world *world_with_topics(void)
{
    struct world *w = world_create();
    begin_long_ago(w);
    topic_create(w, 0, 2048, NULL, NULL);
    topic_create(w, 1, 4, NULL, NULL);
    return w;
}

static void test_outside_a_group(void **state)
{
    (void)state;
    struct world *w = world_with_topics();
    commit(w, "old", -1, 0, 0, 2000, -1);
    commit(w, "long", -1, 0, 0, 1, 30LL * DAY_MS); // asked to be kept for longer
    commit(w, "short", -1, 0, 0, 1, 1000);
    begin_now(w);
    commit(w, "old", -1, 0, 5, 10, -1); // used again
    round_ok(w);
    assert_int_equal(left(w, "old"), 10);
    assert_int_equal(left(w, "long"), 1);
    assert_int_equal(left(w, "short"), 0);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w); // the group has never had members and goes now
    assert_int_equal(left(w, "short"), UINT32_MAX);
    assert_int_equal(core_lsn(w->core), lsn + 1);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn + 1); // nothing more to do
    world_destroy(w);
}

// The subscription of one topic, as the consumer protocol writes it.
static const char subscription[] = "\0\1\0\0\0\1\0\2t0\0\0\0\0";

static void test_with_members(void **state)
{
    (void)state;
    struct world *w = world_with_topics();
    struct bytes topic0 = bytes_of(subscription, sizeof subscription - 1);
    members_set(w, "consumer", 1, "consumer", topic0);
    commit(w, "consumer", 1, 0, 0, 3, -1);
    commit(w, "consumer", 1, 1, 0, 3, -1); // of a topic that nobody consumes any more
    members_set(w, "connect", 1, "connect", topic0);
    commit(w, "connect", 1, 1, 0, 3, -1);
    members_set(w, "garbage", 1, "consumer", bytes_of("garbage", 7));
    commit(w, "garbage", 1, 1, 0, 3, -1);
    begin_now(w);
    commit(w, "other", -1, 0, 0, 1, -1); // time goes with the bundles
    round_ok(w);
    assert_int_equal(left(w, "consumer"), 3);
    assert_true(group_offset_find(core_group_find(w->core, STR("consumer")),
                                  core_topic_find_id(w->core, topic_of(0)), 2, &(struct offset_view){0}));
    assert_int_equal(left(w, "connect"), 3); // what it uses cannot be known
    assert_int_equal(left(w, "garbage"), 3); // nor here
    world_destroy(w);
}

static void test_empty_groups(void **state)
{
    (void)state;
    struct world *w = world_with_topics();
    struct bytes nobody = {NULL, 0};
    struct bytes topic0 = bytes_of(subscription, sizeof subscription - 1);
    members_set(w, "left-long-ago", 1, "consumer", topic0);
    commit(w, "left-long-ago", 1, 0, 0, 3, -1);
    members_set(w, "left-long-ago", 2, "consumer", nobody);
    members_set(w, "left-now", 1, "consumer", topic0);
    commit(w, "left-now", 1, 0, 0, 3, -1);
    members_set(w, "bare", 1, "consumer", nobody);
    begin_now(w);
    members_set(w, "left-now", 2, "consumer", nobody);
    members_set(w, "bare-now", 1, "consumer", topic0);
    members_set(w, "bare-now", 2, "consumer", nobody);
    round_ok(w);
    assert_int_equal(left(w, "left-long-ago"), 0);
    assert_int_equal(left(w, "left-now"), 3); // its time begins when the last member left
    assert_int_equal(left(w, "bare"), UINT32_MAX);
    assert_int_equal(left(w, "bare-now"), 0); // it may be about to come back
    world_destroy(w);
}

static void test_many_groups(void **state)
{
    (void)state;
    struct world *w = world_with_topics();
    char name[32];
    for (int i = 0; i < 1200; i++) { // more than one slice and one submission
        snprintf(name, sizeof name, "group-%d", i);
        commit(w, name, -1, 0, i, 2, -1);
    }
    begin_now(w);
    commit(w, "group-600", -1, 0, 0, 1, -1);
    round_ok(w);
    assert_int_equal(core_offset_total(w->core), 1);
    round_ok(w);
    assert_int_equal(core_group_count(w->core), 1);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outside_a_group),
        cmocka_unit_test(test_with_members),
        cmocka_unit_test(test_empty_groups),
        cmocka_unit_test(test_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
