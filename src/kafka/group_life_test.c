// SPDX-License-Identifier: Apache-2.0
// Groups through restarts of the broker, deaths of connections, requests that pile up, and what nobody decent
// would send.
#include "kafka/group_rig_test.h"

enum { TEXT_MAX = INT16_MAX };

static struct rig rig;
static struct client c; // of the running test
static struct uuid topic_t;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.options.frame_bytes_max = rig.options.first_frame_bytes_max = 32 << 20;
    rig_set(&rig, "group.initial.rebalance.delay.ms", "0");
    rig.has_own_time = true;
    rig_set(&rig, "strom.group.bytes.max", "1048576");
    rig_set(&rig, "strom.group.members.max", "40");
    rig_set(&rig, "strom.groups.max", "20");
    rig_set(&rig, "strom.group.offsets.max", "50");
    rig_start(&rig);
    client_open(&c, &rig);
    topic_t = topic_make(&c, "t", 2, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    rig_stop(&rig); // nothing is left: the rig looks
    rig_fini(&rig);
    return 0;
}

static void restart(void)
{
    client_close(&c);
    rig_stop(&rig);
    rig_start(&rig);
    client_open(&c, &rig);
}

static void reconnect(struct member *m)
{
    struct member before = *m;
    member_close(m);
    client_open(&m->c, &rig);
    m->id = arena_str(&m->c.arena, before.id);
}

// The id of a member is in its client's memory: kept here while that goes.
static void keep_id(struct member *m, char *memory, size_t size)
{
    assert_true(m->id.len < size);
    memcpy(memory, m->id.ptr, m->id.len);
    m->id.ptr = memory;
}

// pair makes a stable group of two, `a` its leader.
static void pair(struct member *a, struct member *b)
{
    struct member *both[] = {a, b};
    join(a);
    sync_alone(a, "alone");
    join_begin(b);
    until_state(&c, a->group, "PreparingRebalance");
    join(a);
    join_end(b);
    sync_send(b, NULL, 0, "");
    sync_send(a, both, 2, "both");
    assert_int_equal(sync_recv(a)->error, ERR_OK);
    assert_int_equal(sync_recv(b)->error, ERR_OK);
}

// ---- restarts

static void group_survives_a_restart(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    char ids[2][128];
    member_open(&a, &rig, 9, "restart");
    member_open(&b, &rig, 9, "restart");
    b.instance = "ib";
    pair(&a, &b);
    keep_id(&a, ids[0], sizeof ids[0]);
    keep_id(&b, ids[1], sizeof ids[1]);
    for (int round = 0; round < 2; round++) {
        restart();
        reconnect(&a);
        reconnect(&b);
        assert_true(is(describe(&c, 9, "restart")->group_state, "Stable"));
        assert_int_equal(describe(&c, 9, "restart")->members_count, 2);
        assert_int_equal(heartbeat(&a), ERR_OK); // no round, no other id, no other generation
        assert_int_equal(heartbeat(&b), ERR_OK);
        struct commit_ask ask = commit_of(&b, "t", topic_t, 10 + round);
        assert_int_equal(commit(&c, 9, &ask), ERR_OK);
        sync_send(&a, NULL, 0, "");
        assert_true(bytes_equal(sync_recv(&a)->assignment, bytes_of("both", 4)));
        assert_int_equal(fetch_position(&c, 9, "restart", "t", topic_t, 0).offset, 10 + round);
        a.generation--;
        assert_int_equal(heartbeat(&a), ERR_ILLEGAL_GENERATION); // the old stay fenced
        a.generation++;
        keep_id(&a, ids[0], sizeof ids[0]);
        keep_id(&b, ids[1], sizeof ids[1]);
    }
    assert_int_equal(leave(&a), ERR_OK);
    assert_int_equal(leave(&b), ERR_OK);
    member_close(&a);
    member_close(&b);
}

// A round that was running is forgotten: the members find their last generation, and begin again from there.
static void restart_in_a_round(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    char id[128];
    member_open(&a, &rig, 9, "restart-round");
    member_open(&b, &rig, 9, "restart-round");
    join(&a);
    sync_alone(&a, "alone");
    int32_t generation = a.generation;
    join_begin(&b);
    until_state(&c, a.group, "PreparingRebalance");
    join_begin(&a); // parked, both of them, while the broker stops
    join_end(&a);
    join_end(&b);
    sync_send(&b, NULL, 0, "");
    keep_id(&a, id, sizeof id);
    restart();
    reconnect(&a);
    assert_int_equal(heartbeat(&a), ERR_ILLEGAL_GENERATION); // that one was never assigned
    a.generation = generation;
    assert_int_equal(heartbeat(&a), ERR_OK);
    member_close(&b); // its id is unknown now
    assert_int_equal(describe(&c, 9, a.group)->members_count, 1);
    assert_int_equal(leave(&a), ERR_OK);
    member_close(&a);
}

static void stop_while_calls_are_parked(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    struct member d;
    member_open(&a, &rig, 9, "stop");
    member_open(&b, &rig, 9, "stop");
    member_open(&d, &rig, 3, "stop-2");
    join(&a);
    join_begin(&b);
    until_state(&c, "stop", "PreparingRebalance");
    join(&d);
    struct member e;
    member_open(&e, &rig, 3, "stop-2");
    join_begin(&e);
    until_state(&c, "stop-2", "PreparingRebalance");
    join(&d);
    join_end(&e);
    sync_send(&e, NULL, 0, "");
    restart();
    const struct join_group_response *out = join_recv(&b); // it is told to look for the coordinator again
    assert_int_equal(out->error, ERR_NOT_COORDINATOR);
    assert_int_equal(sync_recv(&e)->error, ERR_NOT_COORDINATOR);
    member_close(&a);
    member_close(&b);
    member_close(&d);
    member_close(&e);
}

// ---- connections

// Who dies while its JoinGroup is parked and cannot know its id is forgotten with it; who knows it may come
// back.
static void connection_dies_in_join(void **state)
{
    (void)state;
    for (int16_t era = 3; era <= 4; era++) {
        struct member a;
        struct member b;
        char id[128];
        member_open(&a, &rig, era, era == 3 ? "dies-3" : "dies-4");
        member_open(&b, &rig, era, a.group);
        join(&a);
        sync_alone(&a, "x");
        join_begin(&b);
        until_members(&c, a.group, 2);
        keep_id(&b, id, sizeof id);
        member_close(&b);
        if (era == 3) {
            until_members(&c, a.group, 1);
            join(&a);
            assert_int_equal(a.generation, 2);
        } else {
            struct member again;
            member_open(&again, &rig, era, a.group);
            again.id = b.id;
            join_begin(&again);
            join(&a);
            join_end(&again);
            assert_int_equal(describe(&c, 4, a.group)->members_count, 2);
            assert_int_equal(leave(&again), ERR_OK);
            member_close(&again);
        }
        assert_int_equal(leave(&a), ERR_OK);
        member_close(&a);
    }
}

static void connection_dies_in_sync(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    char id[128];
    member_open(&a, &rig, 9, "dies-sync");
    member_open(&b, &rig, 9, "dies-sync");
    join(&a);
    join_begin(&b);
    until_members(&c, a.group, 2);
    join(&a);
    join_end(&b);
    sync_send(&b, NULL, 0, "");
    keep_id(&b, id, sizeof id);
    member_close(&b);
    struct member *both[] = {&a, &b};
    sync_send(&a, both, 2, "x");
    assert_int_equal(sync_recv(&a)->error, ERR_OK);
    client_open(&b.c, &rig); // its session runs on
    sync_send(&b, NULL, 0, "");
    assert_true(bytes_equal(sync_recv(&b)->assignment, bytes_of("x", 1)));
    assert_int_equal(leave(&a), ERR_OK);
    assert_int_equal(leave(&b), ERR_OK);
    member_close(&a);
    member_close(&b);
}

// What comes behind a JoinGroup on the same connection waits for its answer.
static void pipelined_joins(void **state)
{
    (void)state;
    enum { JOINS = 30 };
    struct member a;
    struct member b;
    member_open(&a, &rig, 9, "pipelined");
    member_open(&b, &rig, 9, "pipelined");
    join(&a);
    sync_alone(&a, "x");
    join_begin(&b);
    int32_t first = b.c.correlation;
    for (int i = 1; i < JOINS; i++) {
        join_begin(&b);
    }
    until_members(&c, "pipelined", 2);
    join(&a);
    for (int i = 0; i < JOINS; i++) {
        const struct join_group_response *out = client_recv(&b.c, API_JOIN_GROUP, 9, first + i);
        assert_int_equal(out->error, ERR_OK); // the later ones: the same member, which has the answer already
        assert_int_equal(out->generation_id, 2);
        assert_true(str_equal(out->member_id, b.id));
    }
    assert_int_equal(heartbeat(&a), ERR_OK);
    assert_int_equal(leave(&b), ERR_OK);
    assert_int_equal(leave(&a), ERR_OK);
    member_close(&a);
    member_close(&b);
}

static void pipeline_dies(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    member_open(&a, &rig, 3, "pipeline-dies");
    member_open(&b, &rig, 3, "pipeline-dies");
    join(&a);
    for (int i = 0; i < 20; i++) {
        join_begin(&b);
    }
    until_members(&c, "pipeline-dies", 2);
    member_close(&b);
    until_members(&c, "pipeline-dies", 1);
    join(&a);
    assert_int_equal(leave(&a), ERR_OK);
    member_close(&a);
    client_assert_served(&rig);
}

// ---- floods

// Ids that are handed out and never used count as members until their time is over.
static void unused_ids_are_bounded(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &rig, 9, "flood");
    int given = 0;
    enum err err = ERR_MEMBER_ID_REQUIRED;
    while (err == ERR_MEMBER_ID_REQUIRED) {
        err = join_call(&m)->error;
        given++;
        assert_true(given <= 41); // strom.group.members.max, and the one too many
    }
    assert_int_equal(err, ERR_GROUP_MAX_SIZE_REACHED);
    rig_time_passes(&rig, SESSION_MS);
    until_state(&c, "flood", "Dead");
    join(&m);
    assert_int_equal(leave(&m), ERR_OK);
    member_close(&m);
}

static void groups_are_bounded(void **state)
{
    (void)state;
    struct member m;
    char names[64][16];
    member_open(&m, &rig, 9, "x");
    int refused = 0;
    for (int i = 0; i < 30; i++) {
        snprintf(names[i], sizeof names[i], "many-%d", i);
        m.group = names[i];
        const struct join_group_response *out = join_call(&m);
        assert_true(out->error == ERR_MEMBER_ID_REQUIRED || out->error == ERR_POLICY_VIOLATION);
        refused += out->error == ERR_POLICY_VIOLATION;
    }
    assert_true(refused >= 10); // strom.groups.max
    rig_time_passes(&rig, SESSION_MS);
    until_state(&c, "many-0", "Dead");
    member_close(&m);
}

// ---- sizes

static struct str text_of(struct client *on, size_t len)
{
    char *text = arena_alloc(&on->arena, len + 1);
    memset(text, 'x', len);
    return (struct str){text, len};
}

static void names_of_every_length(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &rig, 9, "");
    struct join_group_request *in = join_make(&m);
    in->group_id = in->group_instance_id = in->protocol_type = in->protocols[0].name =
        text_of(&m.c, TEXT_MAX);
    in->reason = in->group_id;
    const struct join_group_response *joined = client_call(&m.c, API_JOIN_GROUP, 9, in);
    assert_int_equal(joined->error, ERR_OK);
    assert_int_equal(joined->member_id.len, 255 + 37);
    struct describe_groups_request *look = client_new(&m.c, describe_groups_request, 1);
    struct str missing = text_of(&m.c, TEXT_MAX);
    memset((char *)missing.ptr, 'y', missing.len);
    struct str both[] = {in->group_id, missing};
    look->groups = both;
    look->groups_count = 2;
    const struct describe_groups_response *out = client_call(&m.c, API_DESCRIBE_GROUPS, 6, look);
    assert_int_equal(out->groups[0].members[0].group_instance_id.len, TEXT_MAX);
    assert_int_equal(out->groups[1].error, ERR_GROUP_ID_NOT_FOUND);
    struct sync_group_request *sync = client_new(&m.c, sync_group_request, 1);
    sync->group_id = in->group_id;
    sync->group_instance_id = in->group_instance_id;
    sync->protocol_type = sync->protocol_name = in->protocol_type;
    sync->generation_id = joined->generation_id;
    sync->member_id = joined->member_id;
    const struct sync_group_response *synced = client_call(&m.c, API_SYNC_GROUP, 5, sync);
    assert_int_equal(synced->error, ERR_OK);
    struct commit_ask ask = {.group = "", .topic = "t", .id = topic_t, .member_id = missing};
    assert_int_equal(commit(&m.c, 9, &ask), ERR_OK);
    struct leave_group_request *leaving = client_new(&m.c, leave_group_request, 1);
    leaving->group_id = in->group_id;
    leaving->members = client_new(&m.c, leave_group_request_member, 2);
    leaving->members_count = 2;
    leaving->members[0].member_id = missing;
    leaving->members[1].group_instance_id = in->group_instance_id;
    const struct leave_group_response *left = client_call(&m.c, API_LEAVE_GROUP, 5, leaving);
    assert_int_equal(left->members[0].error, ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(left->members[1].error, ERR_OK);
    member_close(&m);
}

static void client_id_is_cut_between_characters(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &rig, 9, "cut");
    char name[2 * 300 + 1];
    for (size_t i = 0; i < sizeof name - 1; i += 2) {
        memcpy(name + i, "\xc3\xa4", 2);
    }
    name[sizeof name - 1] = '\0';
    m.instance = name;
    const struct join_group_response *out = join(&m);
    assert_int_equal(out->member_id.len, 254 + 37);
    assert_int_equal(leave(&m), ERR_OK);
    member_close(&m);
}

static void subscriptions_and_assignments_are_bounded(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &rig, 9, "bytes");
    struct join_group_request *in = join_make(&m);
    struct str much = text_of(&m.c, 2 << 20); // strom.group.bytes.max is half of that
    in->protocols[0].metadata = bytes_of(much.ptr, much.len);
    const struct join_group_response *out = client_call(&m.c, API_JOIN_GROUP, 9, in);
    assert_int_equal(out->error, ERR_GROUP_MAX_SIZE_REACHED);
    assert_true(is(describe(&c, 4, "bytes")->group_state, "Dead"));
    join(&m);
    struct sync_group_request *sync = sync_make(&m, (struct member *[]){&m}, 1, "");
    sync->assignments[0].assignment = in->protocols[0].metadata;
    const struct sync_group_response *synced = client_call(&m.c, API_SYNC_GROUP, 5, sync);
    assert_int_equal(synced->error, ERR_UNKNOWN);
    assert_int_equal(leave(&m), ERR_OK);
    member_close(&m);
}

static void counts_are_bounded(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct member m;
    member_open(&m, &rig, 9, "counts");
    struct join_group_request *in = join_make(&m);
    in->protocols = client_new(&m.c, join_group_request_protocol, MANY);
    in->protocols_count = MANY;
    for (int32_t i = 0; i < MANY; i++) {
        in->protocols[i].name = arena_printf(&m.c.arena, "p%d", i);
    }
    const struct join_group_response *refused = client_call(&m.c, API_JOIN_GROUP, 9, in);
    assert_true(refused->error == ERR_INCONSISTENT_GROUP_PROTOCOL ||
                refused->error == ERR_GROUP_MAX_SIZE_REACHED);
    join(&m);
    struct sync_group_request *sync = sync_make(&m, NULL, 0, "");
    sync->assignments = client_new(&m.c, sync_group_request_assignment, MANY);
    sync->assignments_count = MANY;
    for (int32_t i = 0; i < MANY; i++) {
        sync->assignments[i].member_id = i % 2 == 0 ? m.id : in->protocols[i].name;
        sync->assignments[i].assignment = bytes_of(i == MANY - 2 ? "last" : "x", i == MANY - 2 ? 4 : 1);
    }
    const struct sync_group_response *synced = client_call(&m.c, API_SYNC_GROUP, 5, sync);
    assert_int_equal(synced->error, ERR_OK);
    assert_true(bytes_equal(synced->assignment, bytes_of("last", 4)));
    struct leave_group_request *leaving = client_new(&m.c, leave_group_request, 1);
    leaving->group_id = str_from_c(m.group);
    leaving->members = client_new(&m.c, leave_group_request_member, MANY);
    leaving->members_count = MANY;
    for (int32_t i = 0; i < MANY; i++) {
        leaving->members[i].member_id = m.id;
    }
    const struct leave_group_response *left = client_call(&m.c, API_LEAVE_GROUP, 5, leaving);
    assert_int_equal(left->members_count, MANY);
    assert_int_equal(left->members[0].error, ERR_OK);
    assert_int_equal(left->members[MANY - 1].error, ERR_UNKNOWN_MEMBER_ID);
    member_close(&m);
}

static void offsets_are_bounded(void **state)
{
    (void)state;
    struct uuid wide = topic_make(&c, "wide", 60, NULL, NULL);
    int refused = 0;
    for (int32_t i = 0; i < 60; i++) {
        struct commit_ask ask = {.group = "wide", .topic = "wide", .id = wide, .partition = i, .offset = i};
        enum err err = commit(&c, 9, &ask);
        assert_true(err == ERR_OK || err == ERR_POLICY_VIOLATION);
        refused += err != ERR_OK;
    }
    assert_true(refused >= 10); // strom.group.offsets.max
    struct commit_ask again = {.group = "wide", .topic = "wide", .id = wide, .offset = 77};
    assert_int_equal(commit(&c, 9, &again), ERR_OK); // that one has its place
    topic_drop(&c, "wide");
}

// A name that is offered twice counts once, and is given up once.
static void protocols_offered_twice(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    member_open(&a, &rig, 3, "twice");
    member_open(&b, &rig, 3, "twice");
    struct join_group_request *in = join_make(&a);
    in->protocols = client_new(&a.c, join_group_request_protocol, 3);
    in->protocols_count = 3;
    in->protocols[0].name = in->protocols[2].name = STR("range");
    in->protocols[1].name = STR("sticky");
    in->protocols[0].metadata = bytes_of("first", 5);
    client_send(&a.c, API_JOIN_GROUP, 3, in);
    const struct join_group_response *out = join_end(&a);
    assert_true(bytes_equal(out->members[0].metadata, bytes_of("first", 5)));
    b.protocol = "sticky";
    join_begin(&b);
    until_members(&c, "twice", 2);
    in->member_id = a.id;
    client_send(&a.c, API_JOIN_GROUP, 3, in);
    assert_true(is(join_end(&a)->protocol_name, "sticky"));
    join_end(&b);
    assert_int_equal(leave(&a), ERR_OK);
    b.protocol = "range"; // that went with a
    assert_int_equal(join_call(&b)->error, ERR_INCONSISTENT_GROUP_PROTOCOL);
    b.protocol = "sticky";
    join(&b);
    assert_int_equal(leave(&b), ERR_OK);
    member_close(&a);
    member_close(&b);
}

static void offsets_by_the_hundred_thousand(void **state)
{
    (void)state;
    enum { MANY = 150000 };           // of each topic
    for (int32_t i = 0; i < 2; i++) { // these have their places: repetitions would count as new ones
        struct commit_ask ask = {.group = "thousands", .topic = "t", .id = topic_t, .partition = i};
        assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    }
    struct client big;
    client_open(&big, &rig);
    struct offset_commit_request *in = client_new(&big, offset_commit_request, 1);
    in->group_id = STR("thousands");
    in->topics = client_new(&big, offset_commit_request_topic, 2);
    in->topics_count = 2;
    for (int t = 0; t < 2; t++) {
        in->topics[t].name = t == 0 ? STR("t") : STR("nope");
        in->topics[t].partitions = client_new(&big, offset_commit_request_partition, MANY);
        in->topics[t].partitions_count = MANY;
        for (int32_t i = 0; i < MANY; i++) {
            in->topics[t].partitions[i].partition_index = i % 2;
            in->topics[t].partitions[i].committed_offset = i;
        }
    }
    const struct offset_commit_response *out = client_call(&big, API_OFFSET_COMMIT, 9, in);
    assert_int_equal(out->topics[0].partitions_count, MANY);
    for (int32_t i = 0; i < MANY; i++) {
        assert_int_equal(out->topics[0].partitions[i].error, ERR_OK);
        assert_int_equal(out->topics[1].partitions[i].error, ERR_UNKNOWN_PARTITION);
    }
    assert_int_equal(fetch_position(&c, 9, "thousands", "t", topic_t, 1).offset, MANY - 1);
    client_close(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_survives_a_restart),
        cmocka_unit_test(restart_in_a_round),
        cmocka_unit_test(stop_while_calls_are_parked),
        cmocka_unit_test(connection_dies_in_join),
        cmocka_unit_test(connection_dies_in_sync),
        cmocka_unit_test(pipelined_joins),
        cmocka_unit_test(pipeline_dies),
        cmocka_unit_test(unused_ids_are_bounded),
        cmocka_unit_test(groups_are_bounded),
        cmocka_unit_test(names_of_every_length),
        cmocka_unit_test(client_id_is_cut_between_characters),
        cmocka_unit_test(subscriptions_and_assignments_are_bounded),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(protocols_offered_twice),
        cmocka_unit_test(offsets_are_bounded),
        cmocka_unit_test(offsets_by_the_hundred_thousand),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
