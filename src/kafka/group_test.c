// SPDX-License-Identifier: Apache-2.0
// Classic groups on the wire, every API at every version. Tests named kafka_05_NN_* hold a point of what
// clients expect (docs/kafka-semantics.md).
#include "kafka/group_rig_test.h"

static struct rig the_rig;
static struct client c; // of the running test
static struct uuid topic_a;
static struct uuid topic_b;

static int setup(void **state)
{
    (void)state;
    rig_init(&the_rig);
    rig_set(&the_rig, "group.initial.rebalance.delay.ms", "0");
    the_rig.has_own_time = true;
    rig_set(&the_rig, "group.max.session.timeout.ms", "60000");
    rig_set(&the_rig, "group.max.size", "3");
    rig_start(&the_rig);
    struct client maker;
    client_open(&maker, &the_rig);
    topic_a = topic_make(&maker, "a", 3, NULL, NULL);
    topic_b = topic_make(&maker, "b", 1, NULL, NULL);
    client_close(&maker);
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

// each_era runs a story in every era, in a group of its own.
static void each_era(void (*story)(int16_t era, const char *group), const char *name)
{
    for (int16_t era = 0; era <= ERA_LAST; era++) {
        char group[64];
        snprintf(group, sizeof group, "%s-%d", name, era);
        story(era, group);
    }
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
    assert_true(a->is_leader);
    sync_send(b, NULL, 0, "");
    sync_send(a, both, 2, "both");
    assert_int_equal(sync_recv(a)->error, ERR_OK);
    assert_int_equal(sync_recv(b)->error, ERR_OK);
}

// ---- 31: joining

static void ids_first(int16_t era, const char *group)
{
    struct member m;
    member_open(&m, &the_rig, era, group);
    if (era < 4) {
        join(&m);
        assert_true(m.id.len > 37 && memcmp(m.id.ptr, "test-", 5) == 0); // begins with the client id
    } else {
        const struct join_group_response *out = join_call(&m);
        assert_int_equal(out->error, ERR_MEMBER_ID_REQUIRED);
        assert_int_equal(out->generation_id, -1);
        assert_int_equal(out->members_count, 0);
        m.id = out->member_id;
        assert_true(m.id.len > 37 && memcmp(m.id.ptr, "test-", 5) == 0);
        assert_true(is(describe(&c, 4, group)->group_state, "Empty"));
        rig_time_passes(&the_rig, SESSION_MS);
        until_state(&c, group, "Dead"); // the id was never used
        assert_int_equal(join_call(&m)->error, ERR_UNKNOWN_MEMBER_ID);
        m.id = STR("");
        join(&m);
    }
    assert_int_equal(m.generation, 1);
    assert_true(m.is_leader);
    member_close(&m);
}

static void kafka_05_31_member_ids_first(void **state)
{
    (void)state;
    each_era(ids_first, "ids");
}

static enum err join_error(int16_t era, const struct join_group_request *in)
{
    const struct join_group_response *out =
        client_call(&c, API_JOIN_GROUP, version_of(API_JOIN_GROUP, era), in);
    assert_int_equal(out->generation_id, -1);
    assert_int_equal(out->leader.len, 0);
    assert_int_equal(out->members_count, 0);
    assert_int_equal(out->protocol_name.ptr == NULL, era >= 7); // null came with KIP-559
    return out->error;
}

static void refusals(int16_t era, const char *group)
{
    struct member m;
    member_open(&m, &the_rig, era, group);
    struct join_group_request good = *join_make(&m);
    struct join_group_request in = good;
    static const int32_t times_ms[] = {INT32_MIN, -1, 0, 299, 60001, INT32_MAX};
    for (size_t i = 0; i < sizeof times_ms / sizeof times_ms[0]; i++) {
        in.session_timeout_ms = times_ms[i];
        assert_int_equal(join_error(era, &in), ERR_INVALID_SESSION_TIMEOUT);
    }
    in.group_id = STR(""); // judged first
    assert_int_equal(join_error(era, &in), ERR_INVALID_GROUP_ID);
    in = good;
    in.protocols_count = 0;
    assert_int_equal(join_error(era, &in), ERR_INCONSISTENT_GROUP_PROTOCOL);
    in = good;
    in.protocol_type = STR("");
    assert_int_equal(join_error(era, &in), ERR_INCONSISTENT_GROUP_PROTOCOL);
    in = good;
    in.member_id = STR("nobody");
    assert_int_equal(join_error(era, &in), ERR_UNKNOWN_MEMBER_ID);
    assert_true(is(describe(&c, 4, group)->group_state, "Dead")); // none of that made a group

    join(&m);
    in = good; // no common protocol, another type
    in.protocols[0].name = STR("sticky");
    assert_int_equal(join_error(era, &in), ERR_INCONSISTENT_GROUP_PROTOCOL);
    in.member_id = m.id;
    assert_int_equal(join_error(era, &in), ERR_INCONSISTENT_GROUP_PROTOCOL);
    in.protocols[0].name = STR("range");
    in.protocol_type = STR("connect");
    assert_int_equal(join_error(era, &in), ERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(heartbeat(&m), ERR_OK); // nothing has happened to the group
    member_close(&m);
}

static void kafka_05_31_refused_joins(void **state)
{
    (void)state;
    each_era(refusals, "refused");
}

// full: who comes to a full group is told so before anything else; its static members may come back.
static void full(int16_t era, const char *group)
{
    struct member m[4];
    for (int i = 0; i < 4; i++) {
        member_open(&m[i], &the_rig, era, group);
        m[i].instance = era >= 5 && i == 2 ? "third" : NULL;
    }
    join(&m[0]);
    join_begin(&m[1]);
    until_members(&c, group, 2);
    join_begin(&m[2]);
    until_members(&c, group, 3);
    join(&m[0]);
    join_end(&m[1]);
    join_end(&m[2]);
    assert_int_equal(join_call(&m[3])->error, ERR_GROUP_MAX_SIZE_REACHED);
    m[3].id = STR("nobody");
    const struct join_group_response *out = join_call(&m[3]);
    assert_int_equal(out->error, ERR_GROUP_MAX_SIZE_REACHED);
    assert_int_equal(out->member_id.len, 0);
    m[3].id = STR("");
    m[3].protocol = "sticky";
    assert_int_equal(join_call(&m[3])->error, ERR_GROUP_MAX_SIZE_REACHED);
    for (int i = 0; i < 4; i++) {
        member_close(&m[i]);
    }
}

static void kafka_05_31_full_groups(void **state)
{
    (void)state;
    each_era(full, "full");
}

// An empty group waits for further members: whoever comes within the delay is in the first generation.
static void kafka_05_31_first_round_waits(void **state)
{
    enum { DELAY_MS = 30000 };
    static struct rig rig; // a check that fails leaves the broker running
    (void)state;
    rig_init(&rig);
    rig.has_own_time = true;
    rig_set(&rig, "group.initial.rebalance.delay.ms", "30000");
    rig_start(&rig);
    struct member a;
    struct member b;
    member_open(&a, &rig, 9, "waits");
    member_open(&b, &rig, 9, "waits");
    struct client looker;
    client_open(&looker, &rig);
    join_begin(&a);
    until_state(&looker, "waits", "PreparingRebalance");
    join_begin(&b);
    until_members(&looker, "waits", 2);
    while (is(describe(&looker, 4, "waits")->group_state, "PreparingRebalance")) {
        rig_time_passes(&rig, DELAY_MS);
    }
    assert_int_equal(join_end(&a)->members_count, 2);
    assert_int_equal(join_end(&b)->members_count, 0);
    assert_int_equal(a.generation, 1);
    assert_int_equal(b.generation, 1);
    client_close(&looker);
    member_close(&a);
    member_close(&b);
    rig_stop(&rig);
    rig_fini(&rig);
}

// ---- 32: rounds

static void rounds(int16_t era, const char *group)
{
    struct member a;
    struct member b;
    member_open(&a, &the_rig, era, group);
    member_open(&b, &the_rig, era, group);
    b.metadata = "of b";
    const struct join_group_response *out = join(&a);
    assert_int_equal(out->members_count, 1);
    assert_true(is(out->protocol_name, "range"));
    assert_true(is(out->protocol_type, "consumer") == (era >= 7));
    assert_int_equal(heartbeat(&a), ERR_OK); // CompletingRebalance
    sync_alone(&a, "alone");
    join_begin(&b);
    until_state(&c, group, "PreparingRebalance");
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    sync_send(&a, NULL, 0, "");
    assert_int_equal(sync_recv(&a)->error, ERR_REBALANCE_IN_PROGRESS);
    struct bytes kept = describe(&c, era, group)->members[0].member_assignment; // it still has that
    assert_true(bytes_equal(kept, bytes_of("alone", 5)));
    out = join(&a);
    assert_int_equal(out->members_count, 2);
    assert_true(a.is_leader);
    assert_true(bytes_equal(out->members[1].metadata, bytes_of("of b", 4)));
    assert_int_equal(join_end(&b)->members_count, 0); // only the leader sees them
    assert_false(b.is_leader);
    assert_int_equal(b.generation, 2);
    sync_send(&b, NULL, 0, "");
    struct member *both[] = {&a, &b};
    sync_send(&a, both, 2, "given");
    const struct sync_group_response *synced = sync_recv(&b); // it waited for the leader's
    assert_int_equal(synced->error, ERR_OK);
    assert_true(bytes_equal(synced->assignment, bytes_of("given", 5)));
    assert_true(is(synced->protocol_name, "range") == (era >= 5));
    assert_int_equal(sync_recv(&a)->error, ERR_OK);
    a.generation = 1;
    assert_int_equal(heartbeat(&a), ERR_ILLEGAL_GENERATION);
    a.generation = 2;
    struct str id = a.id;
    a.id = STR("nobody");
    assert_int_equal(heartbeat(&a), ERR_UNKNOWN_MEMBER_ID);
    a.id = id;
    assert_int_equal(leave(&b), ERR_OK);
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(leave(&b), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(leave(&a), ERR_OK);
    assert_true(is(describe(&c, era, group)->group_state, "Empty"));
    member_close(&a);
    member_close(&b);
}

static void kafka_05_32_rounds(void **state)
{
    (void)state;
    each_era(rounds, "rounds");
}

// What must be there is asked for before anything is looked up (KIP-559).
static void kafka_05_32_sync_names_its_protocol(void **state)
{
    (void)state;
    for (int16_t era = 4; era <= 5; era++) {
        struct member m;
        member_open(&m, &the_rig, era, era == 4 ? "names-4" : "names-5");
        join(&m);
        struct sync_group_request *in = sync_make(&m, NULL, 0, "");
        in->protocol_type = in->protocol_name = (struct str){NULL, 0};
        const struct sync_group_response *out = client_call(&m.c, API_SYNC_GROUP, era, in);
        assert_int_equal(out->error, era == 4 ? ERR_OK : ERR_INCONSISTENT_GROUP_PROTOCOL);
        in->protocol_type = STR("connect");
        in->protocol_name = STR("range");
        out = client_call(&m.c, API_SYNC_GROUP, era, in);
        assert_int_equal(out->error, era == 4 ? ERR_OK : ERR_INCONSISTENT_GROUP_PROTOCOL);
        member_close(&m);
    }
}

static void kafka_05_32_leave(void **state)
{
    (void)state;
    for (int16_t version = 0; version <= 5; version++) {
        struct leave_group_request *in = client_new(&c, leave_group_request, 1);
        in->member_id = STR("x");
        const struct leave_group_response *out = client_call(&c, API_LEAVE_GROUP, version, in);
        assert_int_equal(out->error, ERR_INVALID_GROUP_ID); // also without a member
        in->group_id = STR("no such group");
        out = client_call(&c, API_LEAVE_GROUP, version, in);
        assert_int_equal(out->error, version < 3 ? ERR_UNKNOWN_MEMBER_ID : ERR_OK);
        assert_int_equal(out->members_count, 0);
    }
}

// ---- 33: static members

static void static_story(int16_t era, const char *group)
{
    if (era < 5) {
        return;
    }
    struct member a;
    struct member b;
    member_open(&a, &the_rig, era, group);
    member_open(&b, &the_rig, era, group);
    a.instance = "ia";
    b.instance = "ib";
    pair(&a, &b);
    int32_t generation = a.generation;

    struct member old = b; // the follower restarts: no round
    b.id = STR("");
    const struct join_group_response *out = join(&b);
    assert_int_equal(b.generation, generation);
    assert_false(out->skip_assignment);
    assert_int_equal(heartbeat(&a), ERR_OK);
    struct str new_id = b.id;
    b.id = old.id;
    assert_int_equal(heartbeat(&b), ERR_FENCED_INSTANCE_ID);
    struct commit_ask ask = commit_of(&b, "a", topic_a, 1);
    // Before version 7, a commit names no instance.
    assert_int_equal(commit(&c, era, &ask), era >= 7 ? ERR_FENCED_INSTANCE_ID : ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(join_call(&b)->error, ERR_FENCED_INSTANCE_ID);
    b.id = new_id;
    sync_send(&b, NULL, 0, "");
    assert_true(bytes_equal(sync_recv(&b)->assignment, bytes_of("both", 4)));

    a.id = STR(""); // the leader restarts: it must not assign, and from v9 on is told so (KIP-814)
    join_begin(&a);
    out = join_recv(&a);
    assert_int_equal(out->error, ERR_OK);
    assert_int_equal(out->generation_id, generation);
    assert_int_equal(out->skip_assignment, era >= 9);
    assert_int_equal(out->members_count, era >= 9 ? 2 : 0);
    assert_int_equal(str_equal(out->leader, out->member_id), era >= 9);
    a.id = out->member_id;
    assert_int_equal(heartbeat(&b), ERR_OK);

    assert_int_equal(leave_as(&a, STR(""), "nobody"), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(leave_as(&a, STR("x"), "ib"), ERR_FENCED_INSTANCE_ID);
    assert_int_equal(leave_as(&a, STR(""), "ib"), ERR_OK); // an administrator needs no member id
    assert_int_equal(heartbeat(&a), ERR_REBALANCE_IN_PROGRESS);
    member_close(&a);
    member_close(&b);
}

static void kafka_05_33_static_members(void **state)
{
    (void)state;
    each_era(static_story, "static");
}

// A JoinGroup that is parked is answered when its instance comes again: as whom it was known.
static void kafka_05_33_fenced_while_parked(void **state)
{
    (void)state;
    struct member a;
    struct member b;
    struct member again;
    member_open(&a, &the_rig, 9, "fenced");
    member_open(&b, &the_rig, 9, "fenced");
    member_open(&again, &the_rig, 9, "fenced");
    b.instance = again.instance = "ib";
    join(&a);
    join_begin(&b);
    until_members(&c, "fenced", 2);
    struct str old_id = describe(&c, 9, "fenced")->members[1].member_id;
    join_begin(&again);
    const struct join_group_response *out = join_recv(&b);
    assert_int_equal(out->error, ERR_FENCED_INSTANCE_ID);
    assert_true(str_equal(out->member_id, old_id));
    join(&a);
    join_end(&again);
    assert_false(str_equal(again.id, old_id));
    member_close(&a);
    member_close(&b);
    member_close(&again);
}

// ---- 34: commits

static void commits(int16_t era, const char *group)
{
    struct commit_ask ask = {.group = group, .topic = "a", .id = topic_a, .offset = 5, .metadata = "note"};
    enum err missing = era >= 9 ? ERR_GROUP_ID_NOT_FOUND : ERR_ILLEGAL_GENERATION;
    ask.generation_plus_1 = 1;
    assert_int_equal(commit(&c, era, &ask), missing);
    ask.generation_plus_1 = 0;
    assert_int_equal(commit(&c, era, &ask), ERR_OK); // makes a group without members
    assert_true(is(describe(&c, era, group)->group_state, "Empty"));
    ask.generation_plus_1 = 1;
    assert_int_equal(commit(&c, era, &ask), ERR_UNKNOWN_MEMBER_ID);
    ask.generation_plus_1 = 0;
    ask.partition = 3;
    assert_int_equal(commit(&c, era, &ask), ERR_UNKNOWN_PARTITION);
    ask.partition = -1;
    assert_int_equal(commit(&c, era, &ask), ERR_UNKNOWN_PARTITION);
    ask.partition = 0;
    ask.topic = "nope";
    ask.id = (struct uuid){{9}};
    assert_int_equal(commit(&c, era, &ask), era >= 10 ? ERR_UNKNOWN_TOPIC_ID : ERR_UNKNOWN_PARTITION);

    struct member m;
    member_open(&m, &the_rig, era, group);
    join(&m);
    ask = commit_of(&m, "a", topic_a, 6);
    assert_int_equal(commit(&c, era, &ask), ERR_REBALANCE_IN_PROGRESS); // CompletingRebalance
    sync_alone(&m, "x");
    assert_int_equal(commit(&c, era, &ask), ERR_OK);
    ask.generation_plus_1++;
    assert_int_equal(commit(&c, era, &ask), ERR_ILLEGAL_GENERATION);
    ask.generation_plus_1 = 0; // a group with members is no place for strangers
    ask.member_id = STR("");
    assert_int_equal(commit(&c, era, &ask), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(fetch_position(&c, era, group, "a", topic_a, 0).offset, 6);
    member_close(&m);
}

static void kafka_05_34_commits(void **state)
{
    (void)state;
    each_era(commits, "commits");
}

// The limit counts characters as Java does, in units of UTF-16.
static void kafka_05_34_metadata_size(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        int units; // of UTF-16
    } rows[] = {{"x", 1}, {"\xc3\xa4", 1}, {"\xe2\x82\xac", 1}, {"\xf0\x9f\x90\xa2", 2}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        for (int more = 0; more <= 1; more++) {
            char text[3 * 4096 + 8];
            size_t len = 0;
            for (int units = 0; units < 4096 + more; units += rows[row].units) {
                memcpy(text + len, rows[row].unit, strlen(rows[row].unit));
                len += strlen(rows[row].unit);
            }
            text[len] = '\0';
            struct commit_ask ask = {.group = "sizes", .topic = "a", .id = topic_a, .metadata = text};
            assert_int_equal(commit(&c, 10, &ask), more == 0 ? ERR_OK : ERR_OFFSET_METADATA_TOO_LARGE);
            text[len - more * strlen(rows[row].unit)] = '\0';
            assert_true(is(fetch_position(&c, 10, "sizes", "a", topic_a, 0).metadata, text));
        }
    }
}

// A commit is a sign of life, too.
static void kafka_05_34_commit_keeps_alive(void **state)
{
    (void)state;
    struct member m;
    member_open(&m, &the_rig, 9, "alive");
    join(&m);
    sync_alone(&m, "x");
    for (int i = 0; i < 4; i++) {
        rig_time_passes(&the_rig, SESSION_MS * 2 / 5);
        struct commit_ask ask = commit_of(&m, "a", topic_a, 1);
        assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    }
    rig_time_passes(&the_rig, SESSION_MS);
    until_state(&c, "alive", "Empty"); // silence ends it
    assert_int_equal(heartbeat(&m), ERR_UNKNOWN_MEMBER_ID);
    member_close(&m);
}

// ---- 35: positions

static void positions(int16_t era, const char *group)
{
    struct position none = fetch_position(&c, era, group, "a", topic_a, 0);
    assert_int_equal(none.offset, -1);
    assert_int_equal(none.err, ERR_OK);
    struct commit_ask ask = {.group = group, .topic = "a", .id = topic_a, .offset = 7, .metadata = "m"};
    assert_int_equal(commit(&c, era, &ask), ERR_OK);
    struct position got = fetch_position(&c, era, group, "a", topic_a, 0);
    assert_int_equal(got.offset, 7);
    assert_true(is(got.metadata, "m"));
    assert_int_equal(fetch_position(&c, era, group, "a", topic_a, 1).offset, -1);
    assert_int_equal(fetch_position(&c, era, group, "a", topic_a, 99).offset, -1);
    struct position unknown = fetch_position(&c, era, group, "nope", (struct uuid){{9}}, 0);
    assert_int_equal(unknown.offset, -1);
    assert_int_equal(unknown.err, era >= 10 ? ERR_UNKNOWN_TOPIC_ID : ERR_OK);
    if (era < 2) {
        return;
    }
    ask = (struct commit_ask){.group = group, .topic = "b", .id = topic_b, .offset = 8};
    assert_int_equal(commit(&c, era, &ask), ERR_OK);
    struct offset_fetch_request *in = client_new(&c, offset_fetch_request, 1); // all of them
    in->group_id = str_from_c(group);
    in->topics_count = -1;
    in->require_stable = true;
    struct offset_fetch_request_group *groups = client_new(&c, offset_fetch_request_group, 2);
    groups[0].group_id = str_from_c(group);
    groups[0].topics_count = -1;
    groups[1].group_id = STR("no such group");
    groups[1].topics_count = -1;
    in->groups = groups;
    in->groups_count = 2;
    int16_t version = version_of(API_OFFSET_FETCH, era);
    const struct offset_fetch_response *out = client_call(&c, API_OFFSET_FETCH, version, in);
    if (version < 8) {
        assert_int_equal(out->topics_count, 2);
        return;
    }
    assert_int_equal(out->groups_count, 2);
    assert_int_equal(out->groups[0].topics_count, 2);
    assert_int_equal(out->groups[1].topics_count, 0);
    assert_int_equal(out->groups[1].error, ERR_OK);
}

static void kafka_05_35_positions(void **state)
{
    (void)state;
    each_era(positions, "positions");
}

// ---- 36: deleting

static enum err delete_group(int16_t version, const char *group)
{
    struct delete_groups_request *in = client_new(&c, delete_groups_request, 1);
    struct str names[] = {str_from_c(group), STR("no such group"), str_from_c(group)};
    in->group_names = names;
    in->group_names_count = 3;
    const struct delete_groups_response *out = client_call(&c, API_DELETE_GROUPS, version, in);
    assert_int_equal(out->results_count, 2); // each once
    int at = is(out->results[0].group_id, group) ? 0 : 1;
    assert_true(is(out->results[at].group_id, group));
    assert_int_equal(out->results[1 - at].error, ERR_GROUP_ID_NOT_FOUND);
    return out->results[at].error;
}

static void kafka_05_36_delete_groups(void **state)
{
    (void)state;
    for (int16_t version = 0; version <= 2; version++) {
        static const char *const names[] = {"delete-0", "delete-1", ""};
        const char *group = names[version]; // no name is a name, for positions
        struct commit_ask ask = {.group = group, .topic = "a", .id = topic_a, .offset = 1};
        assert_int_equal(commit(&c, 9, &ask), ERR_OK);
        assert_int_equal(delete_group(version, group), ERR_OK);
        assert_int_equal(fetch_position(&c, 9, group, "a", topic_a, 0).offset, -1);
        assert_int_equal(delete_group(version, group), ERR_GROUP_ID_NOT_FOUND);
        struct member m;
        member_open(&m, &the_rig, 9, "delete-live");
        join(&m);
        assert_int_equal(delete_group(version, "delete-live"), ERR_NON_EMPTY_GROUP);
        sync_alone(&m, "x");
        assert_int_equal(delete_group(version, "delete-live"), ERR_NON_EMPTY_GROUP);
        assert_int_equal(leave(&m), ERR_OK);
        assert_int_equal(delete_group(version, "delete-live"), ERR_OK);
        member_close(&m);
    }
}

static enum err offset_delete(const char *group, const char *topic, int32_t partition, enum err err)
{
    struct offset_delete_request *in = client_new(&c, offset_delete_request, 1);
    in->group_id = str_from_c(group);
    in->topics = client_new(&c, offset_delete_request_topic, 1);
    in->topics_count = 1;
    in->topics[0].name = str_from_c(topic);
    in->topics[0].partitions = client_new(&c, offset_delete_request_partition, 1);
    in->topics[0].partitions_count = 1;
    in->topics[0].partitions[0].partition_index = partition;
    const struct offset_delete_response *out = client_call(&c, API_OFFSET_DELETE, 0, in);
    assert_int_equal(out->error, err);
    assert_int_equal(out->topics_count, err == ERR_OK);
    return err != ERR_OK ? err : out->topics[0].partitions[0].error;
}

static void kafka_05_36_offset_delete(void **state)
{
    (void)state;
    assert_int_equal(offset_delete("no such group", "a", 0, ERR_GROUP_ID_NOT_FOUND), ERR_GROUP_ID_NOT_FOUND);
    struct member m;
    member_open(&m, &the_rig, 9, "offset-delete");
    struct commit_ask ask = {.group = m.group, .topic = "a", .id = topic_a, .offset = 1};
    assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    ask.topic = "b";
    assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    struct join_group_request *in = join_make(&m);
    static const uint8_t subscription[] = {0, 0, 0, 0, 0, 1, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff};
    in->protocols[0].metadata = bytes_of(subscription, sizeof subscription);
    in->member_id = ((const struct join_group_response *)client_call(&m.c, API_JOIN_GROUP, 9, in))->member_id;
    client_send(&m.c, API_JOIN_GROUP, 9, in);
    join_end(&m);
    assert_int_equal(offset_delete(m.group, "a", 0, ERR_OK), ERR_GROUP_SUBSCRIBED_TO_TOPIC);
    sync_alone(&m, "x");
    assert_int_equal(offset_delete(m.group, "a", 0, ERR_OK), ERR_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(offset_delete(m.group, "a", 3, ERR_OK), ERR_UNKNOWN_PARTITION);
    struct member garbage; // with its subscription, nobody can tell what is consumed
    member_open(&garbage, &the_rig, 9, m.group);
    join_begin(&garbage);
    until_members(&c, m.group, 2);
    assert_int_equal(offset_delete(m.group, "b", 0, ERR_OK), ERR_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(leave_as(&m, garbage.id, NULL), ERR_OK);
    assert_int_equal(offset_delete(m.group, "b", 0, ERR_OK), ERR_OK);
    member_close(&garbage);
    assert_int_equal(offset_delete(m.group, "b", 1, ERR_OK), ERR_UNKNOWN_PARTITION);
    assert_int_equal(offset_delete(m.group, "nope", 0, ERR_OK), ERR_UNKNOWN_PARTITION);
    assert_int_equal(fetch_position(&c, 9, m.group, "a", topic_a, 0).offset, 1);
    assert_int_equal(fetch_position(&c, 9, m.group, "b", topic_b, 0).offset, -1);
    assert_int_equal(leave(&m), ERR_OK);
    assert_int_equal(offset_delete(m.group, "a", 0, ERR_OK), ERR_OK);
    assert_int_equal(fetch_position(&c, 9, m.group, "a", topic_a, 0).offset, -1);
    member_close(&m);

    member_open(&m, &the_rig, 3, "offset-delete-young"); // in its first round
    in = join_make(&m);
    in->protocols[0].metadata = bytes_of(subscription, sizeof subscription);
    client_call(&m.c, API_JOIN_GROUP, 3, in);
    assert_int_equal(offset_delete(m.group, "a", 0, ERR_OK), ERR_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(offset_delete(m.group, "b", 0, ERR_OK), ERR_OK);
    member_close(&m);
}

// ---- 38: looking

static void describes(int16_t era, const char *group)
{
    static const char *const missing[] = {"", "no such group"};
    for (int i = 0; i < 2; i++) {
        const struct describe_groups_response_group *out = describe(&c, era, missing[i]);
        assert_true(is(out->group_state, "Dead"));
        assert_int_equal(out->error, era >= 6 ? ERR_GROUP_ID_NOT_FOUND : ERR_OK);
        assert_int_equal(out->error_message.ptr != NULL, era >= 6);
        assert_int_equal(out->members_count, 0);
        bool has_operations = era >= 3 && era < 6; // of an error, none
        assert_int_equal(out->authorized_operations, has_operations ? 3400 : INT32_MIN);
    }
    struct member m;
    member_open(&m, &the_rig, era, group);
    m.instance = era >= 5 ? "i" : NULL;
    join(&m);
    const struct describe_groups_response_group *out = describe(&c, era, group);
    assert_true(is(out->group_state, "CompletingRebalance"));
    assert_int_equal(out->protocol_data.len, 0);
    sync_alone(&m, "given");
    out = describe(&c, era, group);
    assert_int_equal(out->error, ERR_OK);
    assert_true(is(out->group_state, "Stable"));
    assert_true(is(out->protocol_type, "consumer"));
    assert_true(is(out->protocol_data, "range"));
    assert_int_equal(out->authorized_operations, era >= 3 ? 3400 : INT32_MIN);
    assert_int_equal(out->members_count, 1);
    const struct describe_groups_response_member *member = &out->members[0];
    assert_true(str_equal(member->member_id, m.id));
    assert_int_equal(member->group_instance_id.ptr != NULL, era >= 5);
    assert_true(is(member->client_id, "test"));
    assert_true(is(member->client_host, "/127.0.0.1"));
    assert_true(bytes_equal(member->member_metadata, bytes_of("m", 1)));
    assert_true(bytes_equal(member->member_assignment, bytes_of("given", 5)));
    member_close(&m);
}

static void kafka_05_38_describe(void **state)
{
    (void)state;
    each_era(describes, "describe");
}

static int list_count(int16_t version, const char *state_name, const char *type, const char *prefix)
{
    struct list_groups_request *in = client_new(&c, list_groups_request, 1);
    struct str states[] = {STR("nonsense"), str_or_null(state_name)};
    struct str types[] = {STR("share"), str_or_null(type)};
    in->states_filter = states;
    in->states_filter_count = state_name == NULL ? 0 : 2;
    in->types_filter = types;
    in->types_filter_count = type == NULL ? 0 : 2;
    const struct list_groups_response *out = client_call(&c, API_LIST_GROUPS, version, in);
    assert_int_equal(out->error, ERR_OK);
    int count = 0;
    for (int32_t i = 0; i < out->groups_count; i++) {
        const struct list_groups_response_group *group = &out->groups[i];
        bool is_ours =
            group->group_id.len > strlen(prefix) && memcmp(group->group_id.ptr, prefix, strlen(prefix)) == 0;
        count += is_ours;
        assert_true(is(group->group_type, version >= 5 ? "classic" : ""));
        assert_int_equal(group->group_state.len > 0, version >= 4);
    }
    return count;
}

static void kafka_05_38_list(void **state)
{
    (void)state;
    struct commit_ask ask = {.group = "list-empty", .topic = "a", .id = topic_a};
    assert_int_equal(commit(&c, 9, &ask), ERR_OK);
    struct member stable;
    struct member young;
    member_open(&stable, &the_rig, 9, "list-stable");
    member_open(&young, &the_rig, 9, "list-young");
    join(&stable);
    sync_alone(&stable, "x");
    join(&young);
    for (int16_t version = 0; version <= 5; version++) {
        bool has_states = version >= 4;
        bool has_types = version >= 5;
        assert_int_equal(list_count(version, NULL, NULL, "list-"), 3);
        assert_int_equal(list_count(version, "Stable", NULL, "list-"), has_states ? 1 : 3);
        assert_int_equal(list_count(version, " sTABLE\t", NULL, "list-"), has_states ? 1 : 3);
        assert_int_equal(list_count(version, "Sta ble", NULL, "list-"), has_states ? 0 : 3);
        assert_int_equal(list_count(version, "completingrebalance", NULL, "list-"), has_states ? 1 : 3);
        assert_int_equal(list_count(version, "", NULL, "list-"), has_states ? 0 : 3);
        assert_int_equal(list_count(version, NULL, "CLASSIC", "list-"), 3);
        assert_int_equal(list_count(version, NULL, "consumer", "list-"), has_types ? 0 : 3);
        assert_int_equal(list_count(version, "empty", "classic", "list-"), has_states ? 1 : 3);
    }
    member_close(&stable);
    member_close(&young);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_setup, test_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(kafka_05_31_member_ids_first),
        TEST(kafka_05_31_refused_joins),
        TEST(kafka_05_31_full_groups),
        TEST(kafka_05_31_first_round_waits),
        TEST(kafka_05_32_rounds),
        TEST(kafka_05_32_sync_names_its_protocol),
        TEST(kafka_05_32_leave),
        TEST(kafka_05_33_static_members),
        TEST(kafka_05_33_fenced_while_parked),
        TEST(kafka_05_34_commits),
        TEST(kafka_05_34_metadata_size),
        TEST(kafka_05_34_commit_keeps_alive),
        TEST(kafka_05_35_positions),
        TEST(kafka_05_36_delete_groups),
        TEST(kafka_05_36_offset_delete),
        TEST(kafka_05_38_describe),
        TEST(kafka_05_38_list),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
