// SPDX-License-Identifier: Apache-2.0
// The assignors. Rows marked "Kafka" follow from the rules of its assignors; they have not been played there.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#include "group/assign.h"

enum { MEMBERS_MAX = 8, TOPICS_MAX = 8 };

// A group in words. Topics are digits: their place; members name theirs so.
struct party {
    struct assign_topic topics[TOPICS_MAX];
    struct assign_member members[MEMBERS_MAX];
    uint32_t indexes[MEMBERS_MAX][TOPICS_MAX];
    struct tp_set previous[MEMBERS_MAX];
    struct assign_spec spec;
};

static void party_init(struct party *p, const int32_t *partitions, uint32_t topic_count)
{
    *p = (struct party){.spec = {p->topics, topic_count, p->members, 0}};
    for (uint32_t i = 0; i < topic_count; i++) {
        p->topics[i] = (struct assign_topic){{{0x51, [15] = (uint8_t)i}}, partitions[i]};
    }
}

static void party_add(struct party *p, const char *id, const char *instance, const char *topics)
{
    uint32_t at = p->spec.member_count++;
    p->members[at] = (struct assign_member){.id = str_from_c(id), .previous = &p->previous[at]};
    p->members[at].instance_id = instance == NULL ? (struct str){NULL, 0} : str_from_c(instance);
    p->members[at].topics = p->indexes[at];
    for (const char *t = topics; *t != '\0'; t++) {
        p->indexes[at][p->members[at].topic_count++] = (uint32_t)(*t - '0');
    }
}

// party_next makes the targets what was before.
static void party_next(struct party *p)
{
    for (uint32_t i = 0; i < p->spec.member_count; i++) {
        tp_set_sort(&p->members[i].target);
        (void)tp_set_replace(&p->previous[i], &p->members[i].target);
    }
}

static void party_fini(struct party *p)
{
    for (uint32_t i = 0; i < p->spec.member_count; i++) {
        tp_set_fini(&p->members[i].target);
        tp_set_fini(&p->previous[i]);
    }
}

// has reads "topic:partition ..." and compares.
static void expect(struct party *p, uint32_t member, const char *want)
{
    char got[512] = "";
    size_t at = 0;
    tp_set_sort(&p->members[member].target);
    for (uint32_t i = 0; i < p->members[member].target.count; i++) {
        struct tp tp = p->members[member].target.list[i];
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%d:%d", i == 0 ? "" : " ", tp.topic.b[15],
                               tp.partition);
    }
    assert_string_equal(got, want);
}

static void range_is_contiguous(void **state)
{
    (void)state;
    struct party p;
    party_init(&p, (int32_t[]){3, 5, 1}, 3);
    party_add(&p, "a", NULL, "01"); // Kafka
    party_add(&p, "b", NULL, "01");
    assign_range(&p.spec);
    expect(&p, 0, "0:0 0:1 1:0 1:1 1:2");
    expect(&p, 1, "0:2 1:3 1:4");
    party_fini(&p);
    party_init(&p, (int32_t[]){3, 5, 1}, 3);
    party_add(&p, "a", NULL, "012");
    party_add(&p, "b", "z", "012"); // static members come first, by instance id
    party_add(&p, "c", "y", "01");
    assign_range(&p.spec);
    expect(&p, 2, "0:0 1:0 1:1");
    expect(&p, 1, "0:1 1:2 1:3 2:0");
    expect(&p, 0, "0:2 1:4");
    party_fini(&p);
}

static void uniform_moves_little(void **state)
{
    (void)state;
    struct party p;
    party_init(&p, (int32_t[]){4, 3}, 2);
    party_add(&p, "a", NULL, "0");
    assign_uniform(&p.spec); // Kafka, as the next two
    expect(&p, 0, "0:0 0:1 0:2 0:3");
    party_next(&p);
    party_add(&p, "b", NULL, "0");
    assign_uniform(&p.spec);
    expect(&p, 0, "0:0 0:1");
    expect(&p, 1, "0:2 0:3");
    party_next(&p);
    party_add(&p, "c", NULL, "01"); // different subscriptions
    assign_uniform(&p.spec);
    expect(&p, 0, "0:0 0:1");
    expect(&p, 1, "0:2 0:3");
    expect(&p, 2, "1:0 1:1 1:2");
    party_fini(&p);
}

// check_balance: everything is given once, to who may have it, and nobody has two more than another who could
// have one of them.
static void check_balance(struct party *p)
{
    uint32_t total = 0;
    uint32_t wanted = 0;
    for (uint32_t t = 0; t < p->spec.topic_count; t++) {
        bool has_any = false;
        for (uint32_t i = 0; i < p->spec.member_count; i++) {
            for (uint32_t k = 0; k < p->members[i].topic_count; k++) {
                has_any |= p->members[i].topics[k] == t;
            }
        }
        wanted += has_any ? (uint32_t)p->topics[t].partition_count : 0;
    }
    for (uint32_t i = 0; i < p->spec.member_count; i++) {
        struct tp_set *set = &p->members[i].target;
        total += set->count;
        for (uint32_t k = 0; k < set->count; k++) {
            for (uint32_t j = 0; j < p->spec.member_count; j++) {
                bool could_have = false;
                for (uint32_t x = 0; x < p->members[j].topic_count; x++) {
                    could_have |= p->members[j].topics[x] == set->list[k].topic.b[15];
                }
                assert_true(j != i || could_have);
                assert_false(j != i && tp_set_has(&p->members[j].target, set->list[k]));
                assert_false(could_have && set->count > p->members[j].target.count + 1);
            }
        }
    }
    assert_int_equal(total, wanted);
}

// Every way in which up to three members subscribe to up to two topics, twice in a row.
static void uniform_is_balanced(void **state)
{
    (void)state;
    static const char *const subscriptions[] = {"", "0", "1", "01"};
    for (int shape = 0; shape < 4 * 4 * 4 * 5 * 5; shape++) {
        int32_t counts[] = {shape / 64 % 5, shape / 320 % 5};
        struct party p;
        party_init(&p, counts, 2);
        party_add(&p, "a", NULL, subscriptions[shape % 4]);
        party_add(&p, "b", NULL, subscriptions[shape / 4 % 4]);
        assign_uniform(&p.spec);
        check_balance(&p);
        party_next(&p);
        party_add(&p, "c", NULL, subscriptions[shape / 16 % 4]);
        assign_uniform(&p.spec);
        check_balance(&p);
        party_next(&p);
        assign_uniform(&p.spec); // and now nothing moves
        for (uint32_t i = 0; i < 3; i++) {
            tp_set_sort(&p.members[i].target);
            assert_true(tp_set_equal(&p.members[i].target, &p.previous[i]));
        }
        party_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_is_contiguous),
        cmocka_unit_test(uniform_moves_little),
        cmocka_unit_test(uniform_is_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
