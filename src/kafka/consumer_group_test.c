// SPDX-License-Identifier: Apache-2.0
// ConsumerGroupHeartbeat and ConsumerGroupDescribe on the wire, what commits and fetches say to members of
// the consumer protocol, and both protocols in one group.
#include "kafka/group_rig_test.h"

enum { BEAT_VERSION_LAST = 1 };

static struct rig rig;
static struct client c;
static struct uuid topic_t;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_set(&rig, "group.initial.rebalance.delay.ms", "0");
    rig_start(&rig);
    client_open(&c, &rig);
    topic_t = topic_make(&c, "t", 4, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    client_close(&c);
    rig_stop(&rig);
    rig_fini(&rig);
    return 0;
}

static struct consumer_group_heartbeat_request *beat_make(const char *group, struct str member, int32_t epoch)
{
    struct consumer_group_heartbeat_request *in = client_new(&c, consumer_group_heartbeat_request, 1);
    in->group_id = str_from_c(group);
    in->member_id = member;
    in->member_epoch = epoch;
    in->rebalance_timeout_ms = -1;
    in->subscribed_topic_names_count = in->topic_partitions_count = -1;
    if (epoch == 0) {
        in->rebalance_timeout_ms = 20000;
        in->subscribed_topic_names = arena_new(&c.arena, struct str, 1);
        in->subscribed_topic_names[0] = STR("t");
        in->subscribed_topic_names_count = 1;
        in->topic_partitions = client_new(&c, consumer_group_heartbeat_request_topic_partition, 1);
        in->topic_partitions_count = 0;
    }
    return in;
}

static const struct consumer_group_heartbeat_response *
beat_call(int16_t version, const struct consumer_group_heartbeat_request *in)
{
    return client_call(&c, API_CONSUMER_GROUP_HEARTBEAT, version, in);
}

static const struct consumer_group_heartbeat_response *beat(const char *group, struct str member,
                                                            int32_t epoch)
{
    return beat_call(BEAT_VERSION_LAST, beat_make(group, member, epoch));
}

static const struct consumer_group_describe_response_group *consumers_of(const char *group, int16_t version)
{
    struct consumer_group_describe_request *in = client_new(&c, consumer_group_describe_request, 1);
    in->group_ids = arena_new(&c.arena, struct str, 1);
    in->group_ids[0] = str_from_c(group);
    in->group_ids_count = 1;
    const struct consumer_group_describe_response *out =
        client_call(&c, API_CONSUMER_GROUP_DESCRIBE, version, in);
    assert_int_equal(out->groups_count, 1);
    assert_true(is(out->groups[0].group_id, group));
    return &out->groups[0];
}

static void a_member_lives(void **state)
{
    (void)state;
    for (int16_t version = 0; version <= BEAT_VERSION_LAST; version++) {
        const char *group = version == 0 ? "life-0" : "life-1";
        // Before v1 the broker gives the id.
        struct str id = version == 0 ? STR("") : STR("my-own-id");
        const struct consumer_group_heartbeat_response *out = beat_call(version, beat_make(group, id, 0));
        assert_int_equal(out->error, ERR_OK);
        assert_null(out->error_message.ptr);
        assert_true(version == 0 ? out->member_id.len == 22 : str_equal(out->member_id, id));
        id = out->member_id;
        assert_int_equal(out->member_epoch, 1);
        assert_int_equal(out->heartbeat_interval_ms, 5000);
        assert_int_equal(out->assignment->topic_partitions_count, 1);
        assert_true(uuid_equal(out->assignment->topic_partitions[0].topic_id, topic_t));
        assert_int_equal(out->assignment->topic_partitions[0].partitions_count, 4);
        out = beat_call(version, beat_make(group, id, 1));
        assert_int_equal(out->error, ERR_OK);
        assert_null(out->assignment); // as told before
        out = beat_call(version, beat_make(group, id, 7));
        assert_int_equal(out->error, ERR_FENCED_MEMBER_EPOCH);
        assert_true(out->error_message.len > 0);
        assert_null(out->member_id.ptr);
        out = beat_call(version, beat_make(group, id, -1));
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->member_epoch, -1);
        out = beat_call(version, beat_make(group, id, 1));
        assert_int_equal(out->error, ERR_UNKNOWN_MEMBER_ID);
    }
}

static void beats_are_judged(void **state)
{
    (void)state;
    assert_int_equal(beat("", STR("m"), 0)->error, ERR_INVALID_REQUEST);
    assert_int_equal(beat("judged", STR(""), 0)->error, ERR_INVALID_REQUEST);
    assert_int_equal(beat("judged", STR("m"), -3)->error, ERR_INVALID_REQUEST);
    assert_int_equal(beat("judged", STR("m"), 1)->error, ERR_GROUP_ID_NOT_FOUND);
    struct consumer_group_heartbeat_request *in = beat_make("judged", STR("m"), 0);
    in->server_assignor = STR("zork");
    const struct consumer_group_heartbeat_response *out = beat_call(BEAT_VERSION_LAST, in);
    assert_int_equal(out->error, ERR_UNSUPPORTED_ASSIGNOR);
    assert_true(
        is(out->error_message, "ServerAssignor zork is not supported. Supported assignors: uniform, range."));
    in = beat_make("judged", STR("m"), 0);
    in->subscribed_topic_regex = STR("t(");
    assert_int_equal(beat_call(BEAT_VERSION_LAST, in)->error, ERR_INVALID_REGULAR_EXPRESSION);
    in = beat_make("judged", STR("m"), 0);
    in->rebalance_timeout_ms = -1;
    out = beat_call(BEAT_VERSION_LAST, in);
    assert_int_equal(out->error, ERR_INVALID_REQUEST);
    assert_true(is(out->error_message, "RebalanceTimeoutMs must be provided in first request."));
    assert_int_equal(consumers_of("judged", 1)->error, ERR_GROUP_ID_NOT_FOUND);
}

static void a_static_member_comes_back(void **state)
{
    (void)state;
    struct consumer_group_heartbeat_request *in = beat_make("static", STR("one"), 0);
    in->instance_id = STR("i");
    assert_int_equal(beat_call(1, in)->error, ERR_OK);
    in = beat_make("static", STR("two"), 0);
    in->instance_id = STR("i");
    assert_int_equal(beat_call(1, in)->error, ERR_UNRELEASED_INSTANCE_ID);
    in = beat_make("static", STR("one"), -2);
    in->instance_id = STR("i");
    assert_int_equal(beat_call(1, in)->error, ERR_OK);
    in = beat_make("static", STR("two"), 0);
    in->instance_id = STR("i");
    const struct consumer_group_heartbeat_response *out = beat_call(1, in);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->assignment->topic_partitions[0].partitions_count, 4);
    in = beat_make("static", STR("one"), 1);
    in->instance_id = STR("i");
    assert_int_equal(beat_call(1, in)->error, ERR_FENCED_INSTANCE_ID);
}

static void described(void **state)
{
    (void)state;
    assert_int_equal(beat("seen", STR("m"), 0)->error, ERR_OK);
    for (int16_t version = 0; version <= 1; version++) {
        const struct consumer_group_describe_response_group *group = consumers_of("seen", version);
        assert_int_equal(group->error, ERR_OK);
        assert_true(is(group->group_state, "Stable"));
        assert_int_equal(group->group_epoch, 1);
        assert_int_equal(group->assignment_epoch, 1);
        assert_true(is(group->assignor_name, "uniform"));
        assert_int_equal(group->members_count, 1);
        const struct consumer_group_describe_response_member *member = &group->members[0];
        assert_true(is(member->member_id, "m"));
        assert_int_equal(member->member_epoch, 1);
        assert_int_equal(member->subscribed_topic_names_count, 1);
        assert_int_equal(member->assignment.topic_partitions[0].partitions_count, 4);
        assert_true(is(member->target_assignment.topic_partitions[0].topic_name, "t"));
        assert_int_equal(member->member_type, version == 0 ? -1 : 1);
    }
    const struct describe_groups_response_group *classic = describe(&c, 6, "seen");
    assert_int_equal(classic->error, ERR_GROUP_ID_NOT_FOUND); // says who asks as of the other protocol
    assert_true(is(classic->error_message, "Group seen is not a classic group."));
    const struct consumer_group_describe_response_group *none = consumers_of("nobody", 1);
    assert_int_equal(none->error, ERR_GROUP_ID_NOT_FOUND);
    assert_true(is(none->error_message, "Group nobody not found."));
}

static void offsets_need_the_epoch(void **state)
{
    (void)state;
    assert_int_equal(beat("offsets", STR("m"), 0)->error, ERR_OK);
    struct commit_ask ask = {.group = "offsets", .topic = "t", .id = topic_t, .offset = 5};
    ask.member_id = STR("m");
    ask.generation_plus_1 = 2;
    assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    ask.generation_plus_1 = 3;
    assert_int_equal(commit(&c, 9, &ask), ERR_STALE_MEMBER_EPOCH);
    ask.member_id = STR("n");
    assert_int_equal(commit(&c, 9, &ask), ERR_UNKNOWN_MEMBER_ID);
    struct offset_fetch_request *in = client_new(&c, offset_fetch_request, 1);
    in->groups = client_new(&c, offset_fetch_request_group, 1);
    in->groups_count = 1;
    in->groups[0] = (struct offset_fetch_request_group){
        .group_id = STR("offsets"), .member_id = STR("m"), .member_epoch = 1, .topics_count = -1};
    const struct offset_fetch_response *out = client_call(&c, API_OFFSET_FETCH, 9, in);
    assert_int_equal(out->groups[0].error, ERR_OK);
    assert_int_equal(out->groups[0].topics[0].partitions[0].committed_offset, 5);
    in->groups[0].member_epoch = 2;
    out = client_call(&c, API_OFFSET_FETCH, 9, in);
    assert_int_equal(out->groups[0].error, ERR_STALE_MEMBER_EPOCH);
    in->groups[0].member_id = STR("n");
    out = client_call(&c, API_OFFSET_FETCH, 9, in);
    assert_int_equal(out->groups[0].error, ERR_UNKNOWN_MEMBER_ID);
}

// A subscription to "t", version 0, and what such members are assigned.
static const uint8_t subscription[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_four[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 4,    0,    0,    0,   0,
                                   0, 0, 0, 1, 0, 0, 0, 2, 0,   0, 0, 3, 0xff, 0xff, 0xff, 0xff};
static const uint8_t two[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 2};

static const struct join_group_response *classic_join(struct member *m)
{
    struct join_group_request *in = join_make(m);
    in->protocols[0].metadata = bytes_of(subscription, sizeof subscription);
    const struct join_group_response *out =
        client_call(&m->c, API_JOIN_GROUP, version_of(API_JOIN_GROUP, m->era), in);
    if (out->error == ERR_MEMBER_ID_REQUIRED) {
        m->id = out->member_id;
        return classic_join(m);
    }
    assert_int_equal(out->error, ERR_OK);
    m->id = out->member_id;
    m->generation = out->generation_id;
    return out;
}

static struct bytes classic_sync(struct member *m, struct bytes given)
{
    struct sync_group_request *in = sync_make(m, &m, given.len > 0, "");
    in->assignments[0].assignment = given;
    const struct sync_group_response *out =
        client_call(&m->c, API_SYNC_GROUP, version_of(API_SYNC_GROUP, m->era), in);
    assert_int_equal(out->error, ERR_OK);
    return out->assignment;
}

// In each version of the classic calls: a classic group gets a consumer, which leaves again.
static void both_protocols_in_one_group(void **state)
{
    (void)state;
    for (int16_t era = 0; era <= ERA_LAST; era++) {
        char group[16];
        snprintf(group, sizeof group, "both-%d", era);
        struct member m;
        member_open(&m, &rig, era, group);
        (void)classic_join(&m);
        (void)classic_sync(&m, bytes_of(all_four, sizeof all_four));
        const struct consumer_group_heartbeat_response *out = beat(group, STR("n"), 0);
        assert_int_equal(out->error, ERR_OK);
        assert_int_equal(out->member_epoch, 2);
        assert_int_equal(out->assignment->topic_partitions_count, 0);
        const struct consumer_group_describe_response_group *seen = consumers_of(group, 1);
        assert_int_equal(seen->members_count, 2);
        assert_int_equal(seen->members[0].member_type + seen->members[1].member_type, 1);
        assert_int_equal(heartbeat(&m), ERR_REBALANCE_IN_PROGRESS);
        const struct join_group_response *joined = classic_join(&m);
        assert_int_equal(joined->members_count, 0);
        assert_int_equal(joined->leader.len, 0);
        assert_int_equal(m.generation, 2);
        struct bytes has = classic_sync(&m, bytes_of("", 0));
        assert_memory_equal(has.ptr, two, sizeof two);
        assert_int_equal(heartbeat(&m), ERR_OK);
        struct commit_ask ask = commit_of(&m, "t", topic_t, 3);
        assert_int_equal(commit(&c, era, &ask), ERR_OK);
        out = beat(group, STR("n"), 2);
        assert_int_equal(out->assignment->topic_partitions[0].partitions_count, 2);
        assert_int_equal(beat(group, STR("n"), -1)->error, ERR_OK);
        assert_int_equal(heartbeat(&m), ERR_REBALANCE_IN_PROGRESS);
        ask.offset = 4;
        assert_int_equal(commit(&c, era, &ask), ERR_OK); // the group and its generation are still there
        joined = classic_join(&m);
        assert_true(str_equal(joined->leader, m.id));
        assert_int_equal(m.generation, 3);
        assert_int_equal(fetch_position(&c, 7, group, "t", topic_t, 0).offset, 4);
        member_close(&m);
    }
}

static void a_group_of_another_kind_stays(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &rig, 5, "malformed"); // its subscription is "m"
    (void)join(&m);
    sync_alone(&m, "a");
    const struct consumer_group_heartbeat_response *out = beat("malformed", STR("n"), 0);
    assert_int_equal(out->error, ERR_GROUP_ID_NOT_FOUND);
    assert_true(is(out->error_message, "Cannot upgrade classic group malformed to consumer group because the "
                                       "embedded consumer protocol is malformed."));
    assert_int_equal(heartbeat(&m), ERR_OK);
    member_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_lives),
        cmocka_unit_test(beats_are_judged),
        cmocka_unit_test(a_static_member_comes_back),
        cmocka_unit_test(described),
        cmocka_unit_test(offsets_need_the_epoch),
        cmocka_unit_test(both_protocols_in_one_group),
        cmocka_unit_test(a_group_of_another_kind_stays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
