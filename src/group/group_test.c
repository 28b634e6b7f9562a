// SPDX-License-Identifier: Apache-2.0
#include "group/rig_test.h"

// pair leads two members to a stable group.
static void pair(struct group_rig *rig, struct client *a, struct client *b)
{
    join_begin(a);
    join_begin(b);
    time_pass(rig, 10000);
    settle_group((struct client *[]){a, b}, 2);
}

static void test_first_member(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    join_send(&a);
    assert_true(a.is_join_answered); // KIP-394
    assert_int_equal(a.join.err, ERR_MEMBER_ID_REQUIRED);
    assert_true(str_has_prefix(a.join.member_id_given, STR("a-01000000-")));
    assert_int_equal(a.join.generation, -1);
    join_begin(&a);
    assert_false(a.is_join_answered);
    assert_int_equal(state_of(&rig, "g"), GROUP_PREPARING);
    time_pass(&rig, 2999);
    assert_false(a.is_join_answered);
    time_pass(&rig, 1);
    settle_group((struct client *[]){&a}, 1);
    assert_int_equal(a.generation, 1);
    assert_true(a.is_leader);
    assert_int_equal(a.join.member_count, 1);
    assert_int_equal(heartbeat(&a), ERR_OK);
    assert_int_equal(leave(&a), ERR_OK);
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    const struct group *g = core_group_find(rig.core.core, STR("g"));
    assert_int_equal(group_generation(g), 2);
    assert_int_equal(group_member_count(g), 0);
    assert_int_equal(state_of(&rig, "g"), GROUP_EMPTY);
    assert_int_equal(coordinator_deadline_ms(rig.c), INT64_MAX); // nothing is left to wait for
    group_rig_fini(&rig);
}

static void test_first_round_waits_for_newcomers(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client m[3] = {CLIENT(&rig, "a", .rebalance_ms = 8000), CLIENT(&rig, "b", .rebalance_ms = 8000),
                          CLIENT(&rig, "c", .rebalance_ms = 8000)};
    for (int i = 0; i < 3; i++) { // one more within each delay, until the rebalance timeout caps it
        join_begin(&m[i]);
        time_pass(&rig, 2600);
        assert_false(m[0].is_join_answered);
    }
    time_pass(&rig, 8000 - 3 * 2600);
    settle_group((struct client *[]){&m[0], &m[1], &m[2]}, 3);
    assert_int_equal(m[2].generation, 1);
    group_rig_fini(&rig);
}

static void test_join_makes_a_round(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&a}, 1);
    join_begin(&b);
    assert_int_equal(state_of(&rig, "g"), GROUP_PREPARING);
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    sync_send(&a, NULL, 0);
    assert_int_equal(a.sync.err, ERR_REBALANCE_IN_PROGRESS);
    join_begin(&a);
    settle_group((struct client *[]){&a, &b}, 2);
    assert_int_equal(b.generation, 2);
    assert_true(a.is_leader);
    assert_int_equal(a.join.member_count, 2);
    assert_int_equal(b.join.member_count, 0);
    group_rig_fini(&rig);
}

static void test_absent_member_goes_after_rebalance_timeout(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .session_ms = 100000);
    struct client b = CLIENT(&rig, "b");
    struct client c = CLIENT(&rig, "c");
    pair(&rig, &a, &b);
    join_begin(&c);
    join_begin(&b);
    time_pass(&rig, 59999);
    assert_false(c.is_join_answered);
    time_pass(&rig, 1); // a heartbeats somewhere, but does not join
    settle_group((struct client *[]){&b, &c}, 2);
    assert_int_equal(heartbeat(&a), ERR_UNKNOWN_MEMBER_ID);
    group_rig_fini(&rig);
}

static void test_silent_member_goes_after_session(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    time_pass(&rig, 9000);
    assert_int_equal(heartbeat(&a), ERR_OK);
    time_pass(&rig, 1000);
    assert_int_equal(heartbeat(&b), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    join_begin(&a);
    settle_group((struct client *[]){&a}, 1);
    time_pass(&rig, 10000); // a goes too
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_int_equal(state_of(&rig, "g"), GROUP_EMPTY);
    group_rig_fini(&rig);
}

static void test_member_that_does_not_sync_goes(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .session_ms = 1000000);
    struct client b = CLIENT(&rig, "b", .session_ms = 1000000);
    join_begin(&a);
    join_begin(&b);
    time_pass(&rig, 6000);
    join_note(&a);
    join_note(&b);
    sync_send(&a, NULL, 0);
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_true(a.is_sync_answered);
    time_pass(&rig, 60000);
    assert_int_equal(heartbeat(&b), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    group_rig_fini(&rig);
}

static void test_unused_id_holds_up_no_round_for_ever(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .session_ms = 1000000);
    struct client b = CLIENT(&rig, "b");
    struct client ghost = CLIENT(&rig, "ghost", .session_ms = 7000);
    pair(&rig, &a, &b);
    join_send(&ghost);
    assert_int_equal(ghost.join.err, ERR_MEMBER_ID_REQUIRED);
    assert_int_equal(leave(&b), ERR_OK);
    join_begin(&a);
    assert_false(a.is_join_answered); // the ghost may still come
    time_pass(&rig, 7000);
    settle_group((struct client *[]){&a}, 1);
    join_begin(&ghost);
    assert_int_equal(ghost.join.err, ERR_UNKNOWN_MEMBER_ID); // too late
    group_rig_fini(&rig);
}

// ---- static members

static void test_static_member_returns_without_a_round(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia");
    struct client b = CLIENT(&rig, "b", .instance = "ib");
    pair(&rig, &a, &b);
    assert_int_equal(a.generation, 1);
    for (int round = 0; round < 4; round++) {
        struct client *who = round < 2 ? &b : &a;
        struct client old = *who;
        who->id[0] = '\0';
        who->can_skip = round == 3;
        join_send(who);
        assert_false(who->is_join_answered); // not before the new id is written
        assert_int_equal(writes_apply(&rig, ERR_OK), 1);
        join_note(who);
        assert_int_equal(who->generation, 1);
        assert_int_equal(who->is_leader, round == 3);
        assert_int_equal(who->join.skips_assignment, round == 3); // KIP-814
        assert_int_equal(who->join.member_count, round == 3 ? 2 : 0);
        if (round == 2) {
            assert_true(str_equal(who->join.leader, str_from_c(old.id))); // it must not assign
        }
        assert_int_equal(heartbeat(&old), ERR_FENCED_INSTANCE_ID);
        sync_send(who, NULL, 0);
        assert_int_equal(who->sync.err, ERR_OK);
        assert_true(bytes_equal(who->sync.assignment, bytes_of(who->name, 1)));
        assert_int_equal(heartbeat(&a), ERR_OK);
        assert_int_equal(heartbeat(&b), ERR_OK);
    }
    group_rig_fini(&rig);
}

static void test_static_member_stays_in_a_round_that_it_misses(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia", .session_ms = 300000);
    struct client b = CLIENT(&rig, "b");
    struct client c = CLIENT(&rig, "c");
    pair(&rig, &a, &b);
    join_begin(&c);
    join_begin(&b);
    time_pass(&rig, 60000); // a is away, but its session is not over
    join_note(&b);
    join_note(&c);
    assert_int_equal(b.generation, 2);
    struct client *leader = b.is_leader ? &b : &c;
    assert_true(leader->is_leader);
    assert_int_equal(leader->join.member_count, 3);
    group_rig_fini(&rig);
}

static void test_static_member_during_a_round(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct client c = CLIENT(&rig, "c");
    join_begin(&c);
    join_begin(&a);
    struct client again = a;
    again.id[0] = '\0';
    again.join.call.owner = &again.is_join_answered;
    join_begin(&again);
    assert_true(a.is_join_answered);
    assert_int_equal(a.join.err, ERR_FENCED_INSTANCE_ID);
    join_begin(&b);
    settle_group((struct client *[]){&again, &b, &c}, 3);
    group_rig_fini(&rig);
}

static void test_leave_by_instance(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct str g = STR("g");
    int64_t now = rig.now_ms;
    assert_int_equal(coordinator_leave(rig.c, g, STR(""), STR("nobody"), now), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(coordinator_leave(rig.c, g, STR("x"), STR("ia"), now), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(coordinator_leave(rig.c, g, STR(""), (struct str){NULL, 0}, now), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(coordinator_leave(rig.c, STR("h"), STR("x"), STR("ia"), now), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(coordinator_leave(rig.c, STR(""), STR("x"), STR("ia"), now), ERR_INVALID_GROUP_ID);
    assert_int_equal(coordinator_leave(rig.c, g, STR(""), STR("ia"), now), ERR_OK);
    assert_int_equal(heartbeat(&a), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(heartbeat(&b), ERR_REBALANCE_IN_PROGRESS);
    group_rig_fini(&rig);
}

// ---- who may come in

static void test_refused_joins(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct client rows[] = {
        CLIENT(&rig, "x", .group = ""),
        CLIENT(&rig, "x", .session_ms = 5999),
        CLIENT(&rig, "x", .session_ms = 1800001),
        CLIENT(&rig, "x", .has_no_protocol = true),
        CLIENT(&rig, "x", .protocols = {"sticky"}),
        CLIENT(&rig, "x", .id = "nobody"),
        CLIENT(&rig, "x", .group = "other", .id = "nobody"),
    };
    static const enum err errors[] = {
        ERR_INVALID_GROUP_ID,
        ERR_INVALID_SESSION_TIMEOUT,
        ERR_INVALID_SESSION_TIMEOUT,
        ERR_INCONSISTENT_GROUP_PROTOCOL,
        ERR_INCONSISTENT_GROUP_PROTOCOL,
        ERR_UNKNOWN_MEMBER_ID,
        ERR_UNKNOWN_MEMBER_ID,
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        join_send(&rows[i]);
        assert_true(rows[i].is_join_answered);
        assert_int_equal(rows[i].join.err, errors[i]);
        assert_int_equal(rows[i].join.generation, -1);
    }
    assert_int_equal(heartbeat(&a), ERR_OK); // and nothing happened to the group
    assert_int_equal(state_of(&rig, "other"), GROUP_STATE_COUNT);
    group_rig_fini(&rig);
}

static void test_limits(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client m[5] = {CLIENT(&rig, "a"), CLIENT(&rig, "b"), CLIENT(&rig, "c"), CLIENT(&rig, "d"),
                          CLIENT(&rig, "e")};
    for (int i = 0; i < 4; i++) {
        join_begin(&m[i]);
    }
    join_begin(&m[4]); // members_max is 4
    assert_int_equal(m[4].join.err, ERR_GROUP_MAX_SIZE_REACHED);
    time_pass(&rig, 6000);
    settle_group((struct client *[]){&m[0], &m[1], &m[2], &m[3]}, 4);
    m[4].id[0] = '\0';
    join_begin(&m[4]);
    assert_int_equal(m[4].join.err, ERR_GROUP_MAX_SIZE_REACHED);
    join_begin(&m[1]); // who is in it may join again
    assert_false(m[1].is_join_answered && m[1].join.err != ERR_OK);

    char big[4200]; // group_bytes_max is 4096
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    struct client fat = CLIENT(&rig, "fat", .group = "h", .metadata = big);
    join_send(&fat);
    assert_int_equal(fat.join.err, ERR_GROUP_MAX_SIZE_REACHED);

    struct client more[3] = {CLIENT(&rig, "x", .group = "x"), CLIENT(&rig, "y", .group = "y"),
                             CLIENT(&rig, "z", .group = "z")};
    for (int i = 0; i < 3; i++) {
        join_begin(&more[i]);
    }
    assert_int_equal(more[2].join.err, ERR_POLICY_VIOLATION); // groups_max is 3
    group_rig_fini(&rig);
}

static void test_limit_of_all_groups(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    coordinator_destroy(rig.c);
    rig.limits.bytes_total_max = 6000;
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    char much[3000];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    struct client a = CLIENT(&rig, "a", .group = "g", .metadata = much);
    struct client b = CLIENT(&rig, "b", .group = "h", .metadata = much);
    struct client c = CLIENT(&rig, "c", .group = "h");
    join_begin(&a);
    join_send(&b);
    assert_int_equal(b.join.err, ERR_GROUP_MAX_SIZE_REACHED);
    join_begin(&c); // what is small still fits
    assert_false(c.is_join_answered && c.join.err != ERR_OK);
    struct client again = CLIENT(&rig, "a", .group = "g", .metadata = much);
    memcpy(again.id, a.id, sizeof again.id);
    join_send(&again); // and who is in it stays
    assert_false(again.is_join_answered && again.join.err != ERR_OK);
    group_rig_fini(&rig); // which counts what is left
}

static void test_chosen_protocol(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .protocols = {"range", "robin"});
    struct client b = CLIENT(&rig, "b", .protocols = {"robin", "range"});
    struct client c = CLIENT(&rig, "c", .protocols = {"sticky", "robin", "range"});
    join_begin(&a);
    join_begin(&b);
    join_begin(&c);
    time_pass(&rig, 10000);
    settle_group((struct client *[]){&a, &b, &c}, 3);
    assert_true(str_equal(a.join.protocol_name, STR("robin"))); // two prefer it
    struct client d = CLIENT(&rig, "d", .protocols = {"range"});
    join_begin(&d);
    join_begin(&a);
    join_begin(&b);
    join_begin(&c);
    settle_group((struct client *[]){&a, &b, &c, &d}, 4);
    assert_true(str_equal(a.join.protocol_name, STR("range"))); // all know it
    group_rig_fini(&rig);
}

// ---- joining again

static void test_join_again(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    join_begin(&b);
    struct client twin = a; // sends its JoinGroup twice
    join_send(&twin);
    assert_true(a.is_join_answered);
    assert_int_equal(a.join.err, ERR_REBALANCE_IN_PROGRESS);
    a = twin;
    a.join.call.owner = &a.is_join_answered;
    bool is_twin_answered = false;
    twin.join.call.owner = &is_twin_answered;
    join_send(&a);
    time_pass(&rig, 10000);
    join_note(&a);
    join_note(&b);
    join_send(&b); // it did not get the answer
    assert_true(b.is_join_answered);
    assert_int_equal(b.join.generation, 1);
    settle_group((struct client *[]){&a, &b}, 2);
    struct client *follower = a.is_leader ? &b : &a;
    struct client *leader = a.is_leader ? &a : &b;
    join_send(follower);
    assert_true(follower->is_join_answered);
    assert_int_equal(follower->join.generation, 1);
    assert_int_equal(heartbeat(leader), ERR_OK);
    follower->metadata = "new";
    join_send(follower);
    assert_false(follower->is_join_answered);
    assert_int_equal(heartbeat(leader), ERR_REBALANCE_IN_PROGRESS);
    join_send(leader);
    settle_group((struct client *[]){&a, &b}, 2);
    join_send(leader); // a leader asks for a round
    assert_false(leader->is_join_answered);
    group_rig_fini(&rig);
}

static void test_generation_fences(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct client old = a;
    old.generation--;
    assert_int_equal(heartbeat(&old), ERR_ILLEGAL_GENERATION);
    sync_send(&old, NULL, 0);
    assert_int_equal(old.sync.err, ERR_ILLEGAL_GENERATION);
    old = a;
    old.group = "nowhere";
    sync_send(&old, NULL, 0);
    assert_int_equal(old.sync.err, ERR_UNKNOWN_MEMBER_ID);
    old.group = "";
    assert_int_equal(heartbeat(&old), ERR_INVALID_GROUP_ID);
    sync_send(&a, NULL, 0); // again, in a stable group: the same assignment
    assert_int_equal(a.sync.err, ERR_OK);
    assert_true(bytes_equal(a.sync.assignment, bytes_of("a", 1)));
    group_rig_fini(&rig);
}

static void test_sync_of_another_protocol(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    join_begin(&a);
    time_pass(&rig, 3000);
    join_note(&a);
    bool done = false;
    struct group_sync sync = {.call.owner = &done,
                              .arena = &rig.arena,
                              .group_id = STR("g"),
                              .generation = 1,
                              .member_id = str_from_c(a.id),
                              .protocol_type = STR("connect")};
    coordinator_sync(rig.c, &sync, rig.now_ms);
    assert_int_equal(sync.err, ERR_INCONSISTENT_GROUP_PROTOCOL);
    answers_take(&rig);
    sync.protocol_type = STR("consumer");
    sync.protocol_name = STR("sticky");
    coordinator_sync(rig.c, &sync, rig.now_ms);
    assert_int_equal(sync.err, ERR_INCONSISTENT_GROUP_PROTOCOL);
    answers_take(&rig);
    group_rig_fini(&rig);
}

static void test_round_during_sync(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    struct client c = CLIENT(&rig, "c");
    join_begin(&a);
    join_begin(&b);
    time_pass(&rig, 10000);
    join_note(&a);
    join_note(&b);
    sync_send(&a, NULL, 0); // the assignment is on its way to the disk ...
    sync_send(&b, NULL, 0);
    join_begin(&c); // ... when somebody new comes
    assert_true(a.is_sync_answered && b.is_sync_answered);
    assert_int_equal(a.sync.err, ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_int_equal(state_of(&rig, "g"), GROUP_PREPARING);
    join_begin(&a);
    join_begin(&b);
    settle_group((struct client *[]){&a, &b, &c}, 3);
    assert_int_equal(a.generation, 2);
    group_rig_fini(&rig);
}

// ---- commits

static void test_commit_check(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    int32_t generation = 0;
    struct group_member_name name = {STR("g"), -1, STR(""), {NULL, 0}};
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
    assert_int_equal(generation, -1);
    name.generation = 3;
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(coordinator_commit_check(rig.c, &name, false, rig.now_ms, &generation),
                     ERR_ILLEGAL_GENERATION);
    pair(&rig, &a, &b);
    name.generation = -1; // from outside, while the group has members
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_UNKNOWN_MEMBER_ID);
    name = name_of(&a);
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
    assert_int_equal(generation, 1);
    name.generation = 0;
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_ILLEGAL_GENERATION);
    struct client c = CLIENT(&rig, "c");
    join_begin(&c);
    name = name_of(&a); // in the round, the old generation may still commit
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
    assert_int_equal(generation, 1);
    join_begin(&a);
    join_begin(&b);
    join_note(&a);
    name = name_of(&a);
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation),
                     ERR_REBALANCE_IN_PROGRESS);
    struct client d = CLIENT(&rig, "d");
    join_begin(&d); // that round ended without an assignment: the core still has the one before
    assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
    assert_int_equal(generation, 1);
    group_rig_fini(&rig);
}

static void test_commit_keeps_alive(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    for (int i = 0; i < 5; i++) {
        int32_t generation;
        struct group_member_name name = name_of(&a);
        assert_int_equal(coordinator_commit_check(rig.c, &name, true, rig.now_ms, &generation), ERR_OK);
        assert_int_equal(heartbeat(&b), ERR_OK);
        time_pass(&rig, 9000);
    }
    group_rig_fini(&rig);
}

// ---- restarts and failures

static void test_restart(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    coordinator_load(rig.c, rig.now_ms);
    assert_int_equal(coordinator_count(rig.c, GROUP_STABLE), 1);
    assert_int_equal(heartbeat(&a), ERR_OK); // nobody has to join again
    assert_int_equal(heartbeat(&b), ERR_OK);
    sync_send(&b, NULL, 0);
    assert_true(bytes_equal(b.sync.assignment, bytes_of("b", 1)));
    struct client zombie = b;
    zombie.generation = 0;
    assert_int_equal(heartbeat(&zombie), ERR_ILLEGAL_GENERATION);
    time_pass(&rig, 9999);
    assert_int_equal(heartbeat(&a), ERR_OK);
    time_pass(&rig, 1); // b had one session timeout
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    group_rig_fini(&rig);
}

static void test_restart_in_a_round(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct client c = CLIENT(&rig, "c");
    join_begin(&c);
    join_begin(&a);
    coordinator_stop(rig.c, ERR_NOT_COORDINATOR);
    answers_take(&rig);
    assert_int_equal(a.join.err, ERR_NOT_COORDINATOR);
    coordinator_destroy(rig.c);
    rig.c = coordinator_create(rig.core.core, &rig.limits);
    assert_int_equal(heartbeat(&a), ERR_OK); // taken up by the first call
    assert_int_equal(heartbeat(&c), ERR_UNKNOWN_MEMBER_ID);
    group_rig_fini(&rig);
}

static void test_failed_write(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    join_begin(&b);
    time_pass(&rig, 10000);
    join_note(&a);
    join_note(&b);
    sync_send(&b, NULL, 0);
    sync_send(&a, NULL, 0);
    assert_int_equal(writes_apply(&rig, ERR_NO_SPACE), 1);
    assert_int_equal(a.sync.err, ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(b.sync.err, ERR_COORDINATOR_NOT_AVAILABLE);
    join_begin(&a);
    join_begin(&b);
    settle_group((struct client *[]){&a, &b}, 2);
    assert_int_equal(a.generation, 2);
    group_rig_fini(&rig);
}

static void test_overtaken_write(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    join_send(&a); // the leader asks for a round
    join_send(&b);
    join_note(&a);
    join_note(&b);
    sync_send(&b, NULL, 0);
    sync_send(&a, NULL, 0);
    // another broker has written the group meanwhile
    struct item item = {.kind = ITEM_GROUP_SET,
                        .version = 1,
                        .group_set = {.group_id = STR("g"), .expected_generation = 1, .generation = 7}};
    item.group_set.protocol_type = STR("consumer");
    rig_add(&rig.core, &item);
    rig_flush(&rig.core);
    assert_int_equal(rig.core.outcomes[0].err, ERR_OK);
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_int_equal(a.sync.err, ERR_NOT_COORDINATOR);
    assert_int_equal(b.sync.err, ERR_NOT_COORDINATOR);
    assert_int_equal(state_of(&rig, "g"), GROUP_EMPTY); // what the core has
    group_rig_fini(&rig);
}

static void test_lost_clients(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    struct client old = CLIENT(&rig, "old", .is_old = true);
    join_send(&old);
    assert_false(old.is_join_answered);
    coordinator_join_cancel(rig.c, &old.join, rig.now_ms); // it never learnt its id: nobody waits for it
    answers_take(&rig);
    assert_true(old.is_join_answered);
    join_begin(&a);
    join_begin(&b);
    settle_group((struct client *[]){&a, &b}, 2);
    join_begin(&a); // the leader
    coordinator_join_cancel(rig.c, &a.join, rig.now_ms);
    answers_take(&rig);
    join_begin(&b); // a knows its id and counts as joined
    join_note(&b);
    coordinator_sync_cancel(rig.c, &b.sync); // answered long ago: nothing happens
    sync_send(&b, NULL, 0);
    coordinator_sync_cancel(rig.c, &b.sync);
    answers_take(&rig);
    assert_true(b.is_sync_answered);
    assert_int_equal(b.sync.err, ERR_NOT_COORDINATOR);
    group_rig_fini(&rig);
}

// ---- who waits for an answer cannot heartbeat

static void test_answer_begins_a_session(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    join_begin(&b);
    time_pass(&rig, 6000);
    join_note(&a);
    join_note(&b);
    sync_send(&b, NULL, 0);
    time_pass(&rig, 9000);
    sync_send(&a, NULL, 0);
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_true(b.is_sync_answered);
    time_pass(&rig, 9000);
    assert_int_equal(heartbeat(&b), ERR_OK); // 18 s after SyncGroup, 9 s after its answer
    assert_int_equal(heartbeat(&a), ERR_OK);
    group_rig_fini(&rig);
}

static void test_sync_that_fails_begins_a_session(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    join_begin(&b);
    time_pass(&rig, 6000);
    join_note(&a);
    join_note(&b);
    sync_send(&b, NULL, 0);
    time_pass(&rig, 10000); // the leader never assigns: it goes in the very moment b's session would end
    assert_true(b.is_sync_answered);
    assert_int_equal(b.sync.err, ERR_REBALANCE_IN_PROGRESS);
    join_begin(&b);
    settle_group((struct client *[]){&b}, 1);
    group_rig_fini(&rig);
}

static void test_new_member_may_send_its_join_again(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .session_ms = 100000);
    struct client b = CLIENT(&rig, "b");
    join_begin(&a);
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&a}, 1);
    join_begin(&b);
    struct client again = b; // over another connection
    join_send(&again);
    time_pass(&rig, 59000);
    assert_false(again.is_join_answered); // it has no other sign of life to give
    join_begin(&a);
    settle_group((struct client *[]){&a, &again}, 2);
    group_rig_fini(&rig);
}

static void test_static_leader_returns_into_a_round(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a", .instance = "ia");
    struct client b = CLIENT(&rig, "b");
    pair(&rig, &a, &b);
    for (int round = 0; round < 2; round++) {
        a.id[0] = '\0';
        a.can_skip = round == 1;
        join_send(&a); // waits until it is written: it would be told not to assign
        b.metadata = round == 0 ? "news" : "more news";
        join_begin(&b); // ends the round at once
        assert_int_equal(writes_apply(&rig, ERR_OK), 1);
        settle_group((struct client *[]){&a, &b}, 2);
        assert_true(a.is_leader);
        assert_false(a.join.skips_assignment);
        assert_int_equal(writes_apply(&rig, ERR_OK), 0);
    }
    group_rig_fini(&rig);
}

static void test_last_member_goes_while_nothing_can_be_written(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client a = CLIENT(&rig, "a");
    join_begin(&a);
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&a}, 1);
    assert_int_equal(leave(&a), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(writes_apply(&rig, ERR_STORAGE), 1);
        assert_int_equal(state_of(&rig, "g"), GROUP_EMPTY);
        assert_int_equal(writes_apply(&rig, ERR_STORAGE), 0);
        time_pass(&rig, 1000);
    }
    assert_int_equal(writes_apply(&rig, ERR_OK), 1);
    assert_int_equal(group_member_count(core_group_find(rig.core.core, STR("g"))), 0);
    assert_int_equal(coordinator_deadline_ms(rig.c), INT64_MAX);
    join_begin(&a);
    assert_int_equal(a.join.err, ERR_UNKNOWN_MEMBER_ID);
    a.id[0] = '\0';
    join_begin(&a);
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&a}, 1);
    assert_int_equal(leave(&a), ERR_OK);
    assert_int_equal(writes_apply(&rig, ERR_READ_ONLY), 1); // nothing will ever be written
    assert_int_equal(coordinator_deadline_ms(rig.c), INT64_MAX);
    group_rig_fini(&rig);
}

// ---- looking

struct names {
    char text[64]; // each followed by a space
};

static void name_add(void *arg, struct str name)
{
    struct names *names = arg;
    size_t len = strlen(names->text);
    snprintf(names->text + len, sizeof names->text - len, STR_FMT " ", STR_ARG(name));
}

static void test_young_groups(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    struct client m[3] = {CLIENT(&rig, "a", .group = "zz"), CLIENT(&rig, "b", .group = "aa"),
                          CLIENT(&rig, "c", .group = "mm")};
    for (int i = 0; i < 3; i++) {
        join_begin(&m[i]);
    }
    struct names names = {""};
    uint64_t at = coordinator_young(rig.c, 0, 2, name_add, &names);
    assert_string_equal(names.text, "zz aa ");
    assert_int_equal(coordinator_young(rig.c, at, 2, name_add, &names), 0);
    assert_string_equal(names.text, "zz aa mm ");
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&m[1]}, 1); // this one the core knows
    names.text[0] = '\0';
    assert_int_equal(coordinator_young(rig.c, 0, 9, name_add, &names), 0);
    assert_string_equal(names.text, "zz mm ");
    group_rig_fini(&rig);
}

static bool topics_are(const struct group_rig *rig, const char *want)
{
    struct names names = {""};
    bool is_known = coordinator_topics(rig->c, STR("g"), name_add, &names);
    assert_string_equal(names.text, want);
    return is_known;
}

static void test_topics(void **state)
{
    (void)state;
    struct group_rig rig;
    group_rig_init(&rig);
    assert_true(topics_are(&rig, ""));
    struct client a = CLIENT(&rig, "a");
    struct client b = CLIENT(&rig, "b");
    a.metadata = "no subscription";
    join_begin(&a);
    assert_false(topics_are(&rig, ""));
    time_pass(&rig, 3000);
    settle_group((struct client *[]){&a}, 1);
    assert_false(topics_are(&rig, ""));
    join_begin(&b);
    assert_false(topics_are(&rig, "")); // while a round runs, too
    assert_int_equal(leave(&b), ERR_OK);
    assert_int_equal(leave(&a), ERR_OK);
    assert_true(topics_are(&rig, ""));
    group_rig_fini(&rig);
}

static void test_subscription(void **state)
{
    (void)state;
    static const char good[] = "\0\1\0\0\0\2\0\3abc\0\2xy\0\0\0\1zrest";
    struct names names = {""};
    assert_true(subscription_each(bytes_of(good, sizeof good - 1), name_add, &names));
    assert_string_equal(names.text, "abc xy ");
    for (size_t len = 0; len < 20; len++) {
        assert_false(subscription_each(bytes_of(good, len), name_add, &(struct names){""}));
    }
    static const char *const none = "\0\0\0\0\0\0\xff\xff\xff\xff";
    assert_true(subscription_each(bytes_of(none, 10), name_add, &names));
    static const char *const bad[] = {
        "\0\1\x7f\xff\xff\xff\0\0\0\0\0\0", // endless
        "\0\1\0\0\0\1\xff\xff\0\0\0\0",     // a name of -1 bytes
        "\xff\xff\0\0\0\0\0\0\0\0\0\0",     // version -1
        "\0\1\xff\xff\xff\xff\0\0\0\0\0\0", // -1 topics
        "\0\1\0\0\0\0\xff\xff\xff\xfe\0\0", // -2 bytes of data
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(subscription_each(bytes_of(bad[i], 12), name_add, &(struct names){""}));
    }
    assert_false(subscription_each((struct bytes){NULL, 0}, name_add, &names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_member),
        cmocka_unit_test(test_first_round_waits_for_newcomers),
        cmocka_unit_test(test_join_makes_a_round),
        cmocka_unit_test(test_absent_member_goes_after_rebalance_timeout),
        cmocka_unit_test(test_silent_member_goes_after_session),
        cmocka_unit_test(test_member_that_does_not_sync_goes),
        cmocka_unit_test(test_unused_id_holds_up_no_round_for_ever),
        cmocka_unit_test(test_static_member_returns_without_a_round),
        cmocka_unit_test(test_static_member_stays_in_a_round_that_it_misses),
        cmocka_unit_test(test_static_member_during_a_round),
        cmocka_unit_test(test_leave_by_instance),
        cmocka_unit_test(test_refused_joins),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_all_groups),
        cmocka_unit_test(test_chosen_protocol),
        cmocka_unit_test(test_join_again),
        cmocka_unit_test(test_generation_fences),
        cmocka_unit_test(test_sync_of_another_protocol),
        cmocka_unit_test(test_round_during_sync),
        cmocka_unit_test(test_commit_check),
        cmocka_unit_test(test_commit_keeps_alive),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_in_a_round),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_overtaken_write),
        cmocka_unit_test(test_lost_clients),
        cmocka_unit_test(test_answer_begins_a_session),
        cmocka_unit_test(test_sync_that_fails_begins_a_session),
        cmocka_unit_test(test_new_member_may_send_its_join_again),
        cmocka_unit_test(test_static_leader_returns_into_a_round),
        cmocka_unit_test(test_last_member_goes_while_nothing_can_be_written),
        cmocka_unit_test(test_young_groups),
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_subscription),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
