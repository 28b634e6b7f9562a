// SPDX-License-Identifier: Apache-2.0
#include "cli/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ARENA_BYTES = 1 << 20 };

// What the members got as text: "a: t 0 1; u 0 | b: t 2".
static const char *outcome(const struct range_member *members, size_t count)
{
    static char text[1024];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s" STR_FMT ":", i == 0 ? "" : " | ",
                               STR_ARG(members[i].id));
        for (size_t t = 0; t < members[i].topic_count; t++) {
            const struct topic_partitions *topic = &members[i].topics[t];
            at += (size_t)snprintf(text + at, sizeof text - at, "%s " STR_FMT, t == 0 ? "" : ";",
                                   STR_ARG(topic->topic));
            for (size_t p = 0; p < topic->count; p++) {
                at += (size_t)snprintf(text + at, sizeof text - at, " %d", topic->partitions[p]);
            }
        }
    }
    return text;
}

static const struct str tu[] = {{"t", 1}, {"u", 1}};

static void check(struct range_member *members, size_t count, struct range_topic *topics, size_t topic_count,
                  const char *want)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(range_assign(members, count, topics, topic_count, &arena, NULL), ERR_OK);
    assert_string_equal(outcome(members, count), want);
    arena_fini(&arena);
}

static void test_even_and_odd(void **state)
{
    (void)state;
    struct range_member members[] = {{.id = STR("b"), .subscribed = tu, .subscribed_count = 2},
                                     {.id = STR("a"), .subscribed = tu, .subscribed_count = 2}};
    struct range_topic topics[] = {{STR("u"), 4}, {STR("t"), 3}};
    check(members, 2, topics, 2, "a: t 0 1; u 0 1 | b: t 2; u 2 3");
}

static void test_more_members_than_partitions(void **state)
{
    (void)state;
    struct range_member members[] = {{.id = STR("c"), .subscribed = tu, .subscribed_count = 1},
                                     {.id = STR("a"), .subscribed = tu, .subscribed_count = 1},
                                     {.id = STR("b"), .subscribed = tu, .subscribed_count = 1}};
    struct range_topic topics[] = {{STR("t"), 2}};
    check(members, 3, topics, 1, "a: t 0 | b: t 1 | c:");
}

static void test_subscriptions_differ(void **state)
{
    (void)state;
    struct range_member members[] = {{.id = STR("a"), .subscribed = tu, .subscribed_count = 1},
                                     {.id = STR("b"), .subscribed = tu + 1, .subscribed_count = 1},
                                     {.id = STR("c"), .subscribed = tu, .subscribed_count = 2},
                                     {.id = STR("d")}};
    struct range_topic topics[] = {{STR("t"), 3}, {STR("u"), 1}, {STR("v"), 9}};
    check(members, 4, topics, 3, "a: t 0 1 | b: u 0 | c: t 2 | d:");
}

static void test_static_members_first(void **state)
{
    (void)state;
    struct range_member members[] = {
        {.id = STR("a"), .subscribed = tu, .subscribed_count = 1},
        {.id = STR("x"), .instance_id = STR("2"), .subscribed = tu, .subscribed_count = 1},
        {.id = STR("y"), .instance_id = STR("1"), .subscribed = tu, .subscribed_count = 1}};
    struct range_topic topics[] = {{STR("t"), 4}};
    check(members, 3, topics, 1, "y: t 0 1 | x: t 2 | a: t 3");
}

static void test_none(void **state)
{
    (void)state;
    struct range_member members[] = {{.id = STR("a"), .subscribed = tu, .subscribed_count = 1}};
    struct range_topic topics[] = {{STR("t"), 0}};
    check(members, 1, topics, 1, "a:");
    check(members, 1, topics, 0, "a:");
    check(members, 0, topics, 1, "");
}

static void test_no_memory(void **state)
{
    (void)state;
    struct range_member members[] = {{.id = STR("a"), .subscribed = tu, .subscribed_count = 1}};
    struct range_topic topics[] = {{STR("t"), INT32_MAX}};
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(range_assign(members, 1, topics, 1, &arena, NULL), ERR_NO_MEMORY);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_even_and_odd),
                                       cmocka_unit_test(test_more_members_than_partitions),
                                       cmocka_unit_test(test_subscriptions_differ),
                                       cmocka_unit_test(test_static_members_first),
                                       cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
