// SPDX-License-Identifier: Apache-2.0
// Groups of the consumer protocol. The stories were first played against Apache Kafka 4.2.0.
#include "group/consumer_rig_test.h"

static void topic_note(void *arg, struct str name)
{
    struct str **next = arg;
    *(*next)++ = name;
}

static void partitions_move_in_order(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(a.epoch, 1);
    assert_int_equal(a.has.count, 4);
    assert_int_equal(a.beat.heartbeat_interval_ms, 5000);
    assert_int_equal(enter(&b), ERR_OK);
    assert_int_equal(b.epoch, 2);
    assert_int_equal(b.has.count, 0); // A has them still
    struct tp_set all;
    tp_set_copy(&a.has, &all);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.epoch, 1);
    assert_int_equal(a.has.count, 2);
    assert_int_equal(stay(&a), ERR_OK);
    assert_false(a.beat.has_assignment); // as told before
    assert_int_equal(stay(&b), ERR_OK);
    assert_false(b.beat.has_assignment);
    struct tp_set kept = a.has;
    a.has = all;
    assert_int_equal(report(&a), ERR_OK); // it has not given them back
    assert_int_equal(a.epoch, 1);
    tp_set_fini(&a.has);
    a.has = kept;
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    assert_int_equal(stay(&b), ERR_OK);
    assert_int_equal(b.has.count, 2);
    assert_false(tp_set_meets(&a.has, &b.has));
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

static void epochs_fence(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    assert_int_equal(stay(&a), ERR_INVALID_REQUEST); // an epoch of 0 joins, which says more
    a.epoch = 3;
    assert_int_equal(stay(&a), ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(enter(&a), ERR_OK); // again: nothing changes
    assert_int_equal(a.epoch, 1);
    b.epoch = 1;
    assert_int_equal(stay(&b), ERR_UNKNOWN_MEMBER_ID);
    a.epoch = 9;
    assert_int_equal(stay(&a), ERR_FENCED_MEMBER_EPOCH);
    a.epoch = 1;
    assert_int_equal(enter(&b), ERR_OK);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    a.epoch = 1; // the answer was lost
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    a.epoch = 1;
    assert_int_equal(stay(&a), ERR_FENCED_MEMBER_EPOCH); // it does not say what it has
    int32_t generation = 0;
    struct group_member_name name = {STR("g"), 2, STR("A"), {NULL, 0}};
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
    assert_int_equal(generation, 2);
    name.generation = 1;
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_STALE_MEMBER_EPOCH);
    name.is_before_epochs = true; // OffsetCommit before v9
    assert_int_equal(coordinator_commit_check(rig.c, &name, false, rig.now_ms, &generation),
                     ERR_UNSUPPORTED_VERSION);
    name.member_id = STR("Z");
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_UNKNOWN_MEMBER_ID);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

static void static_members_come_back(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    a.instance = b.instance = "i";
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(enter(&b), ERR_UNRELEASED_INSTANCE_ID);
    b.epoch = 1;
    assert_int_equal(stay(&b), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(bye(&a, -2), ERR_OK);
    assert_int_equal(a.epoch, -2);
    assert_int_equal(enter(&b), ERR_OK);
    assert_int_equal(b.epoch, 1); // nothing has changed for anybody else
    assert_int_equal(b.has.count, 4);
    a.epoch = 1;
    assert_int_equal(stay(&a), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(group_consumer_count(core_group_find(rig.core.core, STR("g"))), 1);
    assert_int_equal(bye(&b, -1), ERR_OK);
    assert_int_equal(group_consumer_count(core_group_find(rig.core.core, STR("g"))), 0);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

static void nobody_is_told_before_it_is_durable(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    consumer_init(&a, &rig, "A");
    beat_join(&a);
    coordinator_beat(rig.c, &a.beat, rig.now_ms);
    assert_int_equal(answers_take(&rig), 0);
    assert_int_equal(writes_do(&rig, ERR_READ_ONLY), 1);
    assert_true(a.is_answered);
    assert_int_equal(a.beat.err, ERR_COORDINATOR_NOT_AVAILABLE);
    assert_null(core_group_find(rig.core.core, STR("g")));
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(a.epoch, 1);
    consumer_fini(&a);
    group_rig_fini(&rig);
}

static void a_silent_member_goes(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    assert_int_equal(enter(&a), ERR_OK);
    rig.now_ms += 30000;
    assert_int_equal(enter(&b), ERR_OK);
    rig.now_ms += 20000;
    coordinator_tick(rig.c, rig.now_ms); // A's session is over
    while (writes_do(&rig, ERR_OK) > 0) {
    }
    assert_int_equal(stay(&b), ERR_OK);
    assert_int_equal(b.epoch, 3);
    assert_int_equal(b.has.count, 4);
    assert_int_equal(stay(&a), ERR_UNKNOWN_MEMBER_ID);
    consumer_fini(&a);
    consumer_init(&a, &rig, "A");
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(stay(&b), ERR_OK); // has to give back, and only goes on heartbeating
    for (int i = 0; i < 3; i++) {
        rig.now_ms += 20001;
        if (i < 2) {
            assert_int_equal(stay(&a), ERR_OK);
            assert_int_equal(stay(&b), ERR_OK);
        }
    }
    coordinator_tick(rig.c, rig.now_ms); // its rebalance timeout is over
    while (writes_do(&rig, ERR_OK) > 0) {
    }
    assert_int_equal(stay(&b), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.has.count, 4);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

static void topics_change(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    consumer_init(&a, &rig, "A");
    a.topics[1] = "later";
    assert_int_equal(enter(&a), ERR_OK);
    rig_topic(&rig, 3, "other", 1); // nobody's
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.epoch, 1);
    rig_topic(&rig, 4, "later", 2);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    assert_int_equal(a.has.count, 6);
    struct item grow = {.kind = ITEM_PARTITIONS_ADD, .version = 1};
    grow.partitions_add = (struct item_partitions_add){rig_id(4), 2, 3};
    assert_int_equal(rig_one(&rig.core, &grow).err, ERR_OK);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.has.count, 7);
    struct item gone = rig_delete(4);
    assert_int_equal(rig_one(&rig.core, &gone).err, ERR_OK);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.has.count, 4);
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.epoch, 4);
    consumer_fini(&a);
    group_rig_fini(&rig);
}

static void regular_expressions_follow_topics(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    consumer_init(&a, &rig, "A");
    a.topics[0] = NULL;
    a.regex = "[";
    assert_int_equal(enter(&a), ERR_INVALID_REGULAR_EXPRESSION);
    assert_null(core_group_find(rig.core.core, STR("g")));
    a.regex = "t|new-.*";
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(a.has.count, 4);
    rig_topic(&rig, 7, "new-orders", 2);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.has.count, 6);
    struct str seen[4];
    struct str *next = seen;
    assert_true(coordinator_topics(rig.c, STR("g"), topic_note, &next));
    assert_int_equal(next - seen, 2);
    beat_prepare(&a, a.epoch);
    a.beat.regex = STR("u");
    assert_int_equal(beat_do(&a), ERR_OK); // gives back first
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.has.count, 3);
    consumer_fini(&a);
    group_rig_fini(&rig);
}

// A restart in the middle of a move: epochs hold, and nothing is had twice.
static void a_restart_forgets_nothing(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(enter(&b), ERR_OK);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(a.has.count, 2);
    coordinator_stop(rig.c, ERR_NOT_COORDINATOR);
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    coordinator_load(rig.c, rig.now_ms);
    assert_int_equal(stay(&b), ERR_OK);
    assert_false(b.beat.has_assignment); // A has not given back
    assert_int_equal(report(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    assert_int_equal(stay(&b), ERR_OK);
    assert_int_equal(b.has.count, 2);
    assert_false(tp_set_meets(&a.has, &b.has));
    struct consumer_view view;
    assert_true(coordinator_consumer_view(rig.c, STR("g"), rig.now_ms, &view));
    assert_int_equal(view.state, CONSUMER_STABLE);
    assert_int_equal(view.epoch, 2);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

static void a_group_is_bounded(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer m[5];
    static const char *const ids[] = {"A", "B", "C", "D", "E"};
    for (int i = 0; i < 5; i++) {
        consumer_init(&m[i], &rig, ids[i]);
        assert_int_equal(enter(&m[i]), i < 4 ? ERR_OK : ERR_GROUP_MAX_SIZE_REACHED);
    }
    assert_int_equal(bye(&m[0], -1), ERR_OK);
    assert_int_equal(enter(&m[4]), ERR_OK);
    static char longest[ITEM_TEXT_MAX + 2];
    memset(longest, 'x', sizeof longest - 1);
    consumer_fini(&m[0]);
    consumer_init(&m[0], &rig, longest);
    assert_int_equal(enter(&m[0]), ERR_INVALID_REQUEST);
    for (int i = 0; i < 5; i++) {
        consumer_fini(&m[i]);
    }
    group_rig_fini(&rig);
}

// A change of the assignor alone is a reason to assign anew.
static void the_assignor_changes(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    consumer_init(&a, &rig, "A");
    assert_int_equal(enter(&a), ERR_OK);
    beat_prepare(&a, a.epoch);
    a.beat.assignor = STR("range");
    assert_int_equal(beat_do(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    beat_prepare(&a, a.epoch);
    a.beat.assignor = STR("range");
    assert_int_equal(beat_do(&a), ERR_OK);
    assert_int_equal(a.epoch, 2);
    beat_prepare(&a, a.epoch);
    a.beat.assignor = STR("zork");
    assert_int_equal(beat_do(&a), ERR_UNSUPPORTED_ASSIGNOR);
    rig.limits.consumer_assignors[0] = "range";
    rig.limits.consumer_assignors[1] = NULL;
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    beat_prepare(&a, a.epoch);
    a.beat.assignor = STR("uniform");
    assert_int_equal(beat_do(&a), ERR_UNSUPPORTED_ASSIGNOR);
    assert_true(str_equal(a.beat.message,
                          STR("ServerAssignor uniform is not supported. Supported assignors: range.")));
    consumer_fini(&a);
    group_rig_fini(&rig);
}

// Whoever is in a full group stays and may come again, unless it says more than before.
static void a_full_group_keeps_its_members(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    rig.limits.group_bytes_max = 400;
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(enter(&b), ERR_OK);
    rig.limits.group_bytes_max = 4; // it was more when they came
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    assert_int_equal(stay(&a), ERR_OK);
    assert_int_equal(enter(&a), ERR_OK);
    beat_prepare(&a, a.epoch);
    a.names[0] = STR("t");
    a.names[1] = STR("u");
    a.beat.topics = a.names;
    a.beat.topic_count = 2;
    assert_int_equal(beat_do(&a), ERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(stay(&b), ERR_OK);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

// strom.groups.bytes.max counts these groups, too.
static void all_groups_are_bounded(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    struct consumer b;
    consumer_init(&a, &rig, "A");
    consumer_init(&b, &rig, "B");
    rig.limits.bytes_total_max = 4096;
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    assert_int_equal(enter(&a), ERR_OK);
    static char longest[4000];
    memset(longest, 'x', sizeof longest - 1);
    consumer_init(&b, &rig, longest);
    assert_int_equal(enter(&b), ERR_GROUP_MAX_SIZE_REACHED);
    consumer_init(&b, &rig, "B");
    assert_int_equal(enter(&b), ERR_OK);
    consumer_fini(&a);
    consumer_fini(&b);
    group_rig_fini(&rig);
}

// A classic group without members becomes one of this protocol, and back; with members: migrate_test.c.
static void protocols_change_when_empty(void **state)
{
    (void)state;
    struct group_rig rig;
    start(&rig);
    struct consumer a;
    consumer_init(&a, &rig, "A");
    struct client old = {.rig = &rig, .name = "old"};
    assert_int_equal(enter(&a), ERR_OK);
    assert_int_equal(bye(&a, -1), ERR_OK);
    join_send(&old);
    (void)answers_take(&rig);
    assert_int_equal(old.join.err, ERR_MEMBER_ID_REQUIRED);
    assert_int_equal(enter(&a), ERR_OK); // an id that was only handed out is no member
    assert_int_equal(a.epoch, 3);
    consumer_fini(&a);
    group_rig_fini(&rig);
}

// ---- chance

enum { CHAOS_MEMBERS = 3, CHAOS_STEPS = 60, CHAOS_SEEDS = 300 };

struct chaos {
    struct group_rig rig;
    struct consumer members[CHAOS_MEMBERS];
    uint64_t random;
    int32_t partitions; // of topic "t"
};

static uint32_t chaos_roll(struct chaos *x, uint32_t sides)
{
    x->random = x->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(x->random >> 33) % sides;
}

// chaos_beat sends what was prepared; the write may fail, and the answer be lost on its way.
static void chaos_beat(struct chaos *x, struct consumer *m)
{
    enum err write = chaos_roll(x, 10) == 0 ? ERR_READ_ONLY : ERR_OK;
    coordinator_beat(x->rig.c, &m->beat, x->rig.now_ms);
    (void)answers_take(&x->rig);
    while (writes_do(&x->rig, write) > 0) {
        write = ERR_OK;
    }
    bool is_lost = chaos_roll(x, 8) == 0;
    bool is_out = m->beat.err == ERR_UNKNOWN_MEMBER_ID || m->beat.err == ERR_FENCED_MEMBER_EPOCH;
    if (m->beat.member_epoch < 0 || (is_out && !is_lost)) {
        tp_set_fini(&m->has);
        m->epoch = 0;
    } else if (!is_lost) {
        told_take(m);
    }
    m->is_unsure = is_lost || m->beat.err == ERR_COORDINATOR_NOT_AVAILABLE;
}

static void beat_whole(struct consumer *m)
{
    beat_join(m);
    m->beat.member_epoch = m->epoch;
    owned_say(m);
}

static void chaos_member(struct chaos *x, struct consumer *m)
{
    uint32_t roll = chaos_roll(x, 8);
    if (m->epoch == 0) {
        beat_join(m);
    } else {
        beat_prepare(m, roll == 0 ? -1 : m->epoch);
        if (roll > 3) {
            owned_say(m);
        }
        if (m->is_unsure && roll != 0) {
            beat_whole(m);
        }
    }
    chaos_beat(x, m);
}

static void chaos_restart(struct chaos *x)
{
    coordinator_stop(x->rig.c, ERR_NOT_COORDINATOR);
    coordinator_destroy(x->rig.c);
    x->rig.c = coordinator_create(x->rig.core.core, &x->rig.limits);
    coordinator_load(x->rig.c, x->rig.now_ms);
}

static void chaos_step(struct chaos *x)
{
    uint32_t roll = chaos_roll(x, 20);
    if (roll == 0) {
        chaos_restart(x);
    } else if (roll == 1 && x->partitions < 10) {
        struct item grow = {.kind = ITEM_PARTITIONS_ADD, .version = 1};
        grow.partitions_add = (struct item_partitions_add){rig_id(1), x->partitions, x->partitions + 1};
        assert_int_equal(rig_one(&x->rig.core, &grow).err, ERR_OK);
        x->partitions++;
    } else {
        chaos_member(x, &x->members[roll % CHAOS_MEMBERS]);
    }
    for (int i = 0; i < CHAOS_MEMBERS; i++) {
        tp_set_sort(&x->members[i].has);
        for (int k = 0; k < i; k++) {
            assert_false(tp_set_meets(&x->members[i].has, &x->members[k].has)); // one owner at a time
        }
    }
}

// chaos_end: with nothing more going wrong, everybody gets a share, and everything is had.
static void chaos_end(struct chaos *x)
{
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < CHAOS_MEMBERS; i++) {
            struct consumer *m = &x->members[i];
            enum err err = ERR_OK;
            if (m->epoch == 0) {
                err = enter(m);
            } else {
                beat_whole(m);
                err = beat_do(m);
            }
            if (err != ERR_OK) {
                assert_true(err == ERR_UNKNOWN_MEMBER_ID || err == ERR_FENCED_MEMBER_EPOCH);
                tp_set_fini(&m->has);
                m->epoch = 0;
            }
        }
    }
    uint32_t total = 0;
    for (int i = 0; i < CHAOS_MEMBERS; i++) {
        total += x->members[i].has.count;
        assert_true(x->members[i].has.count >= (uint32_t)x->partitions / CHAOS_MEMBERS);
        consumer_fini(&x->members[i]);
    }
    assert_int_equal(total, x->partitions);
    struct consumer_view view;
    assert_true(coordinator_consumer_view(x->rig.c, STR("g"), x->rig.now_ms, &view));
    assert_int_equal(view.state, CONSUMER_STABLE);
}

// Answers and writes that get lost, restarts and growth: nothing is ever had twice, and it settles.
static void nothing_is_had_twice(void **state)
{
    (void)state;
    static const char *const ids[CHAOS_MEMBERS] = {"A", "B", "C"};
    static struct chaos x;
    for (uint64_t seed = 1; seed <= CHAOS_SEEDS; seed++) {
        x = (struct chaos){.random = seed * 7919, .partitions = 4};
        start(&x.rig);
        for (int i = 0; i < CHAOS_MEMBERS; i++) {
            consumer_init(&x.members[i], &x.rig, ids[i]);
        }
        for (int step = 0; step < CHAOS_STEPS; step++) {
            chaos_step(&x);
        }
        chaos_end(&x);
        group_rig_fini(&x.rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_move_in_order),
        cmocka_unit_test(epochs_fence),
        cmocka_unit_test(static_members_come_back),
        cmocka_unit_test(nobody_is_told_before_it_is_durable),
        cmocka_unit_test(a_silent_member_goes),
        cmocka_unit_test(topics_change),
        cmocka_unit_test(regular_expressions_follow_topics),
        cmocka_unit_test(a_restart_forgets_nothing),
        cmocka_unit_test(a_group_is_bounded),
        cmocka_unit_test(the_assignor_changes),
        cmocka_unit_test(a_full_group_keeps_its_members),
        cmocka_unit_test(all_groups_are_bounded),
        cmocka_unit_test(protocols_change_when_empty),
        cmocka_unit_test(nothing_is_had_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
