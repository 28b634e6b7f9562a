// SPDX-License-Identifier: Apache-2.0
#include "core/group_rig_test.h"

static void group_set_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *group;
        int32_t expected;
        int32_t generation;
        const char *members;
        enum err want;
    } rows[] = {
        {"a new group has generation 0", "g", 1, 1, "a", ERR_STALE},
        {"nor -1", "g", -1, 1, "a", ERR_STALE},
        {"generation below 0", "g", 0, -1, "a", ERR_INVALID_REQUEST},
        {"a member twice", "g", 0, 1, "abca", ERR_INVALID_REQUEST},
        {"made", "g", 0, 1, "ba", ERR_OK},
        {"an older plan", "g", 0, 2, "b", ERR_STALE},
        {"a newer plan", "g", 2, 3, "b", ERR_STALE},
        {"the same generation with other members", "g", 1, 1, "ca", ERR_OK},
        {"the next generation", "g", 1, 2, "cab", ERR_OK},
        {"emptied", "g", 2, 3, "", ERR_OK},
        {"made empty", "h", 0, 0, "", ERR_OK},
        {"over strom.groups.max", "i", 0, 1, "a", ERR_POLICY_VIOLATION},
        {"a group that is there may change", "h", 0, 1, "a", ERR_OK},
    };
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(rig_limit(&rig, "strom.groups.max", "2"), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum err err = rig_set(&rig, rows[i].group, rows[i].expected, rows[i].generation, rows[i].members);
        if (err != rows[i].want) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
    }
    struct item nameless = rig_group_set("g", 3, 4, "a");
    nameless.group_set.members[0].member_id = STR("");
    assert_int_equal(rig_one(&rig, &nameless).err, ERR_INVALID_REQUEST);
    assert_int_equal(core_group_count(rig.core), 2);
    assert_int_equal(group_generation(rig_group(&rig, "g")), 3);
    rig_fini(&rig);
}

static void group_keeps_its_membership(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item item = rig_group_set("g", 0, 7, "cab");
    item.group_set.protocol_name = STR("range");
    item.group_set.leader = STR("a");
    item.group_set.members[1] = (struct item_member){
        .member_id = STR("a"),
        .instance_id = STR("rack"),
        .client_id = STR("app"),
        .client_host = STR("/127.0.0.1"),
        .session_timeout_ms = 45000,
        .rebalance_timeout_ms = 300000,
        .subscription = bytes_of("\0\1\0", 3),
        .assignment = bytes_of("\0", 1),
    };
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    for (int round = 0; round < 2; round++) {
        const struct group *group = rig_group(&rig, "g");
        assert_true(str_equal(group_id(group), STR("g")));
        assert_true(str_equal(group_protocol_type(group), STR("consumer")));
        assert_true(str_equal(group_protocol_name(group), STR("range")));
        assert_true(str_equal(group_leader(group), STR("a")));
        assert_int_equal(group_member_count(group), 3);
        assert_true(str_equal(group_member_at(group, 0)->member_id, STR("c"))); // in the order given
        assert_null(group_member_at(group, 0)->instance_id.ptr);
        const struct item_member *member = group_member_at(group, 1);
        assert_true(str_equal(member->instance_id, STR("rack")));
        assert_true(str_equal(member->client_id, STR("app")));
        assert_true(str_equal(member->client_host, STR("/127.0.0.1")));
        assert_int_equal(member->session_timeout_ms, 45000);
        assert_int_equal(member->rebalance_timeout_ms, 300000);
        assert_true(bytes_equal(member->subscription, bytes_of("\0\1\0", 3)));
        assert_true(bytes_equal(member->assignment, bytes_of("\0", 1)));
        rig_reload(&rig);
    }
    item = rig_group_set("g", 7, 8, "");
    item.group_set.protocol_type = STR("");
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_null(group_leader(rig_group(&rig, "g")).ptr);
    assert_null(group_protocol_name(rig_group(&rig, "g")).ptr);
    assert_int_equal(group_protocol_type(rig_group(&rig, "g")).len, 0);
    rig_fini(&rig);
}

static void group_knows_since_when_it_is_empty(void **state)
{
    (void)state;
    static const struct {
        int64_t time_ms;
        const char *members;
        int64_t want;
    } rows[] = {
        {1000, "", INT64_MIN},                                       // it never had a member
        {2000, "a", INT64_MAX},                                      // it has one
        {3000, "ab", INT64_MAX}, {4000, "", 4000}, {5000, "", 4000}, // it was empty already
        {6000, "b", INT64_MAX},  {7000, "", 7000},
    };
    struct rig rig;
    rig_init(&rig);
    for (int32_t i = 0; i < (int32_t)(sizeof rows / sizeof rows[0]); i++) {
        rig.time_ms = rows[i].time_ms;
        assert_int_equal(rig_set(&rig, "g", i, i + 1, rows[i].members), ERR_OK);
        assert_int_equal(group_empty_since_ms(rig_group(&rig, "g")), rows[i].want);
        rig_reload(&rig);
        assert_int_equal(group_empty_since_ms(rig_group(&rig, "g")), rows[i].want);
    }
    rig_fini(&rig);
}

static void groups_are_in_id_order(void **state)
{
    (void)state;
    static const char *const ids[] = {"m", "", "z", "a", "mm", "b"};
    static const char *const sorted[] = {"", "a", "b", "m", "mm", "z"};
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(rig_set(&rig, ids[i], 0, 1, "a"), ERR_OK);
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(core_group_count(rig.core), 6);
        for (uint32_t i = 0; i < 6; i++) {
            assert_true(str_equal(group_id(core_group_at(rig.core, i)), str_from_c(sorted[i])));
            assert_int_equal(core_group_lower_bound(rig.core, str_from_c(sorted[i])), i);
        }
        assert_int_equal(core_group_lower_bound(rig.core, STR("c")), 3);
        assert_int_equal(core_group_lower_bound(rig.core, STR("zz")), 6);
        rig_reload(&rig);
    }
    assert_null(rig_group(&rig, "ma"));
    rig_fini(&rig);
}

static void group_delete_is_checked(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    struct item delete = rig_group_delete("g", false);
    struct item clean_up = rig_group_delete("g", true);
    rig_one(&rig, &create);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 5), ERR_OK);
    assert_int_equal(rig_set(&rig, "g", 0, 4, "a"), ERR_OK);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_NON_EMPTY_GROUP);
    assert_int_equal(rig_set(&rig, "g", 4, 5, ""), ERR_OK);
    assert_int_equal(rig_one(&rig, &clean_up).err, ERR_STALE);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_OK);
    assert_null(rig_group(&rig, "g"));
    assert_int_equal(core_group_count(rig.core), 0);
    assert_int_equal(core_offset_total(rig.core), 0);
    // The next group of that name begins anew.
    assert_int_equal(rig_set(&rig, "g", 0, 1, ""), ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), -1);
    assert_int_equal(group_empty_since_ms(rig_group(&rig, "g")), INT64_MIN);
    assert_int_equal(rig_one(&rig, &clean_up).err, ERR_OK);
    rig_fini(&rig);
}

// A group is gone at once, its memory within some bundles.
static void group_memory_comes_back(void **state)
{
    (void)state;
    enum { PARTITIONS = 6000 };
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "wide", PARTITIONS);
    struct item delete = rig_group_delete("g", false);
    struct item tick = rig_kind(ITEM_TICK);
    rig_one(&rig, &create);
    uint64_t before = core_state_bytes(rig.core);
    struct item commit = rig_commit_many("g", 1, PARTITIONS);
    assert_int_equal(rig_one(&rig, &commit).err, ERR_OK);
    assert_true(core_state_bytes(rig.core) > before + PARTITIONS * sizeof(int64_t) * 4);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_OK);
    assert_int_equal(core_offset_total(rig.core), 0);
    int bundles = 1;
    while (core_next_deadline_ms(rig.core) == core_time_ms(rig.core)) {
        rig_one(&rig, &tick);
        bundles++;
    }
    assert_int_equal(bundles, 2); // 6000 texts and 24 pages, about 4096 of them at a time
    assert_true(core_state_bytes(rig.core) < before + 512); // tables keep their size
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_set_is_checked),
        cmocka_unit_test(group_keeps_its_membership),
        cmocka_unit_test(group_knows_since_when_it_is_empty),
        cmocka_unit_test(groups_are_in_id_order),
        cmocka_unit_test(group_delete_is_checked),
        cmocka_unit_test(group_memory_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
