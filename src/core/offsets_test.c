// SPDX-License-Identifier: Apache-2.0
#include "core/group_rig_test.h"

#include <stdio.h>

static void topics_make(struct rig *rig)
{
    rig_init(rig);
    struct item orders = rig_create(1, "orders", 3);
    struct item wide = rig_create(2, "wide", 600);
    rig_one(rig, &orders);
    rig_one(rig, &wide);
}

static void commits_are_fenced(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *group;
        int32_t generation;
        const char *member;
        enum err want;
    } rows[] = {
        {"a member", "g", 5, "b", ERR_OK},
        {"an old generation", "g", 4, "b", ERR_ILLEGAL_GENERATION},
        {"a later one", "g", 6, "b", ERR_ILLEGAL_GENERATION},
        {"no member", "g", 5, "c", ERR_UNKNOWN_MEMBER_ID},
        {"no member of an old generation", "g", 4, "c", ERR_UNKNOWN_MEMBER_ID},
        {"outside a generation while there are members", "g", -1, "b", ERR_UNKNOWN_MEMBER_ID},
        {"generation -2", "g", -2, "b", ERR_ILLEGAL_GENERATION},
        {"an empty group's generation", "empty", 3, "b", ERR_UNKNOWN_MEMBER_ID},
        {"an empty group, outside", "empty", -1, "whoever", ERR_OK},
        {"a generation of no group", "none", 0, "b", ERR_ILLEGAL_GENERATION},
        {"no group, outside", "new", -1, "", ERR_OK},
        {"and once more", "new", -1, "", ERR_OK},
    };
    struct rig rig;
    topics_make(&rig);
    assert_int_equal(rig_set(&rig, "g", 0, 5, "abd"), ERR_OK);
    assert_int_equal(rig_set(&rig, "empty", 0, 3, ""), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item_offset offset = rig_offset(1, 0, 100 + (int64_t)i);
        struct item item = rig_commit_all(rows[i].group, rows[i].generation, rows[i].member, &offset, 1);
        enum err err = rig_one(&rig, &item).err;
        if (err != rows[i].want) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
        if (err == ERR_OK) {
            assert_int_equal(rig_committed(&rig, rows[i].group, 1, 0), 100 + (int64_t)i);
        }
    }
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 100);
    assert_null(rig_group(&rig, "none"));
    struct group *made = rig_group(&rig, "new");
    assert_int_equal(group_generation(made), 0);
    assert_int_equal(group_protocol_type(made).len, 0);
    assert_int_equal(group_empty_since_ms(made), INT64_MIN);
    rig_fini(&rig);
}

static void a_later_entry_wins_and_lost_ones_are_skipped(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    struct item_offset offsets[] = {
        rig_offset(1, 0, 10), rig_offset(9, 0, 11), rig_offset(1, 3, 12),         rig_offset(1, -1, 13),
        rig_offset(1, 0, 14), rig_offset(1, 2, 15), rig_offset(1, INT32_MAX, 16),
    };
    offsets[0].metadata = STR("first");
    struct item item = rig_commit_all("g", -1, "", offsets, 7);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(core_offset_total(rig.core), 2);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 14);
    assert_int_equal(rig_committed(&rig, "g", 1, 2), 15);
    struct offset_view view;
    assert_true(group_offset_find(rig_group(&rig, "g"), core_topic_find(rig.core, STR("orders")), 0, &view));
    assert_int_equal(view.metadata.len, 0);
    // A group is not made for nothing.
    struct item lost = rig_commit_all("h", -1, "", offsets + 1, 3);
    assert_int_equal(rig_one(&rig, &lost).err, ERR_OK);
    assert_null(rig_group(&rig, "h"));
    rig_fini(&rig);
}

static void an_offset_keeps_all_it_was_given(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    static char text[ITEM_TEXT_MAX];
    memset(text, 'x', sizeof text);
    struct item_offset offset = {rig_id(1), 1, 1LL << 40, 7, 5000, {text, sizeof text}};
    struct item item = rig_commit_all("g", -1, "", &offset, 1);
    rig.time_ms = 7777;
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    for (int round = 0; round < 2; round++) {
        struct topic *topic = core_topic_find(rig.core, STR("orders"));
        struct offset_view view;
        assert_true(group_offset_find(rig_group(&rig, "g"), topic, 1, &view));
        assert_true(view.topic == topic);
        assert_int_equal(view.partition, 1);
        assert_int_equal(view.offset, 1LL << 40);
        assert_int_equal(view.leader_epoch, 7);
        assert_int_equal(view.commit_ms, 7777);
        assert_int_equal(view.retention_ms, 5000);
        assert_true(str_equal(view.metadata, (struct str){text, sizeof text}));
        rig_reload(&rig);
    }
    offset.retention_ms = -7; // as good as none
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    struct offset_view view;
    assert_true(group_offset_find(rig_group(&rig, "g"), core_topic_find(rig.core, STR("orders")), 1, &view));
    assert_int_equal(view.retention_ms, -1);
    rig_fini(&rig);
}

static void offsets_of_a_deleted_topic_are_gone_at_once(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    uint64_t bare = core_state_bytes(rig.core);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 5), ERR_OK);
    for (int32_t i = 0; i < 600; i += 7) {
        assert_int_equal(rig_commit(&rig, "g", 2, i, i), ERR_OK);
    }
    struct group *group = rig_group(&rig, "g");
    assert_int_equal(group_offset_count(group), 87);
    assert_true(core_state_bytes(rig.core) > bare + 87 * 32);
    struct item delete = rig_delete(2);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_OK);
    assert_int_equal(group_offset_count(group), 1);
    assert_int_equal(core_offset_total(rig.core), 1);
    assert_true(core_state_bytes(rig.core) < bare + 1000);
    struct offset_view view;
    assert_true(group_offset_next(group, (struct uuid){{0}}, -1, &view));
    assert_int_equal(view.offset, 5);
    assert_false(group_offset_next(group, rig_id(1), 0, &view));
    struct item again = rig_create(3, "wide", 600);
    assert_int_equal(rig_one(&rig, &again).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 3, 7), -1);
    rig_fini(&rig);
}

enum { DYING = 6000 }; // more texts than one bundle frees

// The topic comes again under its name, and even under its id, while pages of its first life are dying.
static void offsets_of_two_lives_do_not_mix(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "wide", DYING);
    struct item commit = rig_commit_many("g", 1, DYING);
    struct item delete = rig_delete(1);
    struct item tick = rig_kind(ITEM_TICK);
    struct item_offset one[] = {rig_offset(1, 5000, 70), rig_offset(1, 3, 71)};
    struct item two = rig_commit_all("g", -1, "", one, 2);
    rig_one(&rig, &create);
    assert_int_equal(rig_one(&rig, &commit).err, ERR_OK);
    rig_add(&rig, &delete);
    rig_add(&rig, &create);
    rig_add(&rig, &two);
    rig_flush(&rig);
    assert_int_equal(rig.outcomes[2].err, ERR_OK);
    for (bool is_dying = true; is_dying;) {
        assert_int_equal(core_offset_total(rig.core), 2);
        assert_int_equal(group_offset_count(rig_group(&rig, "g")), 2);
        assert_int_equal(rig_committed(&rig, "g", 1, 5000), 70);
        assert_int_equal(rig_committed(&rig, "g", 1, 5001), -1);
        struct offset_view view;
        assert_true(group_offset_next(rig_group(&rig, "g"), (struct uuid){{0}}, -1, &view));
        assert_int_equal(view.offset, 71);
        assert_true(group_offset_next(rig_group(&rig, "g"), rig_id(1), 3, &view));
        assert_int_equal(view.offset, 70);
        assert_false(group_offset_next(rig_group(&rig, "g"), rig_id(1), 5000, &view));
        core_destroy(rig_copy(rig.core));
        is_dying = core_next_deadline_ms(rig.core) == core_time_ms(rig.core);
        rig_one(&rig, &tick);
    }
    rig_fini(&rig);
}

// Topic and group go together, in either order, while their pages are still being freed.
static void topic_and_group_deleted_together(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct rig rig;
        rig_init(&rig);
        struct item create = rig_create(1, "wide", DYING);
        rig_one(&rig, &create);
        struct item g = rig_commit_many("g", 1, DYING);
        struct item h = rig_commit_many("h", 1, 300);
        struct item steps[] = {rig_group_delete("g", false), rig_delete(1)};
        struct item tick = rig_kind(ITEM_TICK);
        assert_int_equal(rig_one(&rig, &g).err, ERR_OK);
        assert_int_equal(rig_one(&rig, &h).err, ERR_OK);
        assert_int_equal(rig_one(&rig, &steps[order]).err, ERR_OK);
        core_destroy(rig_copy(rig.core));
        assert_int_equal(core_offset_total(rig.core), order == 0 ? 300 : 0);
        assert_int_equal(rig_one(&rig, &steps[1 - order]).err, ERR_OK);
        assert_int_equal(core_offset_total(rig.core), 0);
        assert_int_equal(group_offset_count(rig_group(&rig, "h")), 0);
        core_destroy(rig_copy(rig.core));
        while (core_next_deadline_ms(rig.core) == core_time_ms(rig.core)) {
            rig_one(&rig, &tick);
        }
        rig_fini(&rig);
    }
}

static void pages_end_at_256_partitions(void **state)
{
    (void)state;
    static const int32_t partitions[] = {0, 254, 255, 256, 257, 511, 512, 199998, 199999};
    enum { COUNT = sizeof partitions / sizeof partitions[0] };
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "widest", ITEM_PARTITIONS_MAX);
    assert_int_equal(rig_one(&rig, &create).err, ERR_OK);
    for (int i = COUNT; i-- > 0;) {
        assert_int_equal(rig_commit(&rig, "g", 1, partitions[i], 1000 + partitions[i]), ERR_OK);
    }
    struct uuid topic = {{0}};
    int32_t partition = -1;
    struct offset_view view;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rig_committed(&rig, "g", 1, partitions[i]), 1000 + partitions[i]);
        assert_true(group_offset_next(rig_group(&rig, "g"), topic, partition, &view));
        assert_int_equal(view.partition, partitions[i]);
        assert_int_equal(view.offset, 1000 + partitions[i]);
        topic = topic_id(view.topic);
        partition = view.partition;
    }
    static const int32_t others[] = {-1, 1, 253, 258, 510, 513, 199997, 200000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(rig_committed(&rig, "g", 1, others[i]), -1);
    }
    assert_false(group_offset_next(rig_group(&rig, "g"), topic, partition, &view));
    assert_false(group_offset_next(rig_group(&rig, "g"), topic, INT32_MAX, &view));
    assert_true(group_offset_next(rig_group(&rig, "g"), topic, 255, &view));
    assert_int_equal(view.partition, 256);
    assert_true(group_offset_next(rig_group(&rig, "g"), topic, 258, &view));
    assert_int_equal(view.partition, 511);
    rig_fini(&rig);
}

// Many topics: the skip list has several levels, and walks in the order of ids whatever the order of commits.
static void walk_is_in_topic_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    for (uint32_t i = 0; i < 251; i++) {
        char name[8];
        uint8_t id = (uint8_t)(i * 97 % 251);
        snprintf(name, sizeof name, "t%u", id);
        struct item create = rig_create(id, name, 300);
        assert_int_equal(rig_one(&rig, &create).err, ERR_OK);
        assert_int_equal(rig_commit(&rig, "g", id, 299, id), ERR_OK);
        assert_int_equal(rig_commit(&rig, "g", id, 3, id), ERR_OK);
    }
    for (int round = 0; round < 2; round++) {
        struct uuid topic = {{0}};
        int32_t partition = -1;
        struct offset_view view;
        for (int i = 0; i < 502; i++) {
            assert_true(group_offset_next(rig_group(&rig, "g"), topic, partition, &view));
            assert_int_equal(view.offset, i / 2);
            assert_int_equal(view.partition, i % 2 == 0 ? 3 : 299);
            topic = topic_id(view.topic);
            partition = view.partition;
        }
        assert_false(group_offset_next(rig_group(&rig, "g"), topic, partition, &view));
        rig_reload(&rig);
    }
    rig_fini(&rig);
}

static void offsets_are_limited(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    assert_int_equal(rig_limit(&rig, "strom.group.offsets.max", "3"), ERR_OK);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 1), ERR_OK);
    assert_int_equal(rig_commit(&rig, "h", 1, 0, 1), ERR_OK);
    struct item_offset offsets[] = {rig_offset(1, 0, 7), rig_offset(1, 1, 7), rig_offset(1, 2, 7)};
    struct item three = rig_commit_all("g", -1, "", offsets, 3);
    assert_int_equal(rig_one(&rig, &three).err, ERR_POLICY_VIOLATION);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 1); // nothing of it was taken
    struct item elsewhere = rig_commit_all("new", -1, "", offsets, 2);
    assert_int_equal(rig_one(&rig, &elsewhere).err, ERR_POLICY_VIOLATION);
    assert_null(rig_group(&rig, "new"));
    struct item two = rig_commit_all("g", -1, "", offsets, 2);
    assert_int_equal(rig_one(&rig, &two).err, ERR_OK);
    assert_int_equal(core_offset_total(rig.core), 3);
    assert_int_equal(rig_limit(&rig, "strom.group.offsets.max", "1"), ERR_OK);
    assert_int_equal(rig_commit(&rig, "g", 1, 1, 8), ERR_OK); // what is there may change
    assert_int_equal(rig_commit(&rig, "g", 1, 2, 8), ERR_POLICY_VIOLATION);
    struct item delete = rig_delete(1);
    rig_one(&rig, &delete); // and what is gone makes room at once
    assert_int_equal(rig_commit(&rig, "g", 2, 2, 8), ERR_OK);
    assert_int_equal(rig_limit(&rig, "strom.groups.max", "2"), ERR_OK);
    assert_int_equal(rig_commit(&rig, "new", 2, 2, 8), ERR_POLICY_VIOLATION);
    assert_int_equal(rig_commit(&rig, "h", 2, 2, 8), ERR_OK);
    rig_fini(&rig);
}

static struct outcome commit_text(struct rig *rig, const char *group, int32_t partition, size_t size)
{
    static char text[600];
    memset(text, 'm', sizeof text);
    struct item_offset offset = rig_offset(1, partition, 7);
    offset.metadata = (struct str){text, size};
    struct item item = rig_commit_all(group, -1, "", &offset, 1);
    return rig_one(rig, &item);
}

static void metadata_is_limited(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    assert_int_equal(rig_limit(&rig, "strom.group.offsets.max", "4"), ERR_OK); // so 512 bytes
    assert_int_equal(commit_text(&rig, "g", 0, 500).err, ERR_OK);
    assert_int_equal(commit_text(&rig, "h", 0, 13).err, ERR_POLICY_VIOLATION);
    assert_int_equal(commit_text(&rig, "h", 0, 12).err, ERR_OK);
    assert_int_equal(commit_text(&rig, "g", 0, 501).err, ERR_POLICY_VIOLATION);
    assert_int_equal(commit_text(&rig, "g", 0, 500).err, ERR_OK); // no longer than it was
    assert_int_equal(commit_text(&rig, "g", 1, 0).err, ERR_OK);
    core_destroy(rig_copy(rig.core));
    struct item delete_group = rig_group_delete("g", false);
    assert_int_equal(rig_one(&rig, &delete_group).err, ERR_OK);
    assert_int_equal(commit_text(&rig, "h", 1, 500).err, ERR_OK);
    struct item delete_topic = rig_delete(1);
    rig_one(&rig, &delete_topic);
    struct item again = rig_create(3, "again", 1);
    rig_one(&rig, &again);
    static char text[512];
    memset(text, 'm', sizeof text);
    struct item_offset offset = rig_offset(3, 0, 7);
    offset.metadata = (struct str){text, sizeof text};
    struct item all = rig_commit_all("h", -1, "", &offset, 1);
    assert_int_equal(rig_one(&rig, &all).err, ERR_OK);
    rig_fini(&rig);
}

static void offset_delete_judges_by_time(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int64_t empty_at_ms; // 0 = there are members; 1 = there never were any
        int64_t retention_ms;
        int64_t cutoff_ms;
        int64_t now_ms;
        bool is_gone;
        bool is_blind; // expects no generation
    } rows[] = {
        // committed at 5000
        {"younger than the cutoff", 1, -1, 4999, 9000, false},
        {"as old as the cutoff", 1, -1, 5000, 9000, true},
        {"the group is empty for less", 6000, -1, 5999, 9000, false},
        {"the group is empty for as long", 6000, -1, 6000, 9000, true},
        {"members", 0, -1, 8999, 9000, false, .is_blind = true},
        {"members, whose topics were looked at", 0, -1, 8999, 9000, true},
        {"members, and younger than the cutoff", 0, -1, 4999, 9000, false},
        {"members, in any case", 0, -1, INT64_MAX, 9000, true},
        {"its own retention is not over", 1, 1000, 5999, 5999, false},
        {"its own retention is over", 1, 1000, 0, 6000, true},
        {"its own retention is longer than the cutoff", 1, 100000, 8999, 9000, false},
        {"its own retention, in any case", 1, 100000, INT64_MAX, 9000, true},
        {"a retention without end", 1, INT64_MAX, 8999, 9000, false},
        {"no retention at all", 1, 0, 0, 5000, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        topics_make(&rig);
        struct item_offset offset = rig_offset(1, 0, 77);
        offset.retention_ms = rows[i].retention_ms;
        struct item commit = rig_commit_all("g", -1, "", &offset, 1);
        rig.time_ms = 5000;
        assert_int_equal(rig_one(&rig, &commit).err, ERR_OK);
        int32_t generation = 0;
        if (rows[i].empty_at_ms != 1) {
            assert_int_equal(rig_set(&rig, "g", 0, ++generation, "a"), ERR_OK);
        }
        if (rows[i].empty_at_ms > 1) {
            rig.time_ms = rows[i].empty_at_ms;
            assert_int_equal(rig_set(&rig, "g", 1, ++generation, ""), ERR_OK);
        }
        rig.time_ms = rows[i].now_ms;
        struct item_offset_name names[] = {{rig_id(1), 1}, {rig_id(9), 0}, {rig_id(1), 0}, {rig_id(1), 9}};
        struct item item = rig_kind(ITEM_OFFSET_DELETE);
        item.offset_delete = (struct item_offset_delete){STR("g"), rows[i].is_blind ? -1 : generation,
                                                         rows[i].cutoff_ms, names, 4};
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
        if ((rig_committed(&rig, "g", 1, 0) == -1) != rows[i].is_gone) {
            fail_msg("%s", rows[i].what);
        }
        assert_int_equal(core_offset_total(rig.core), rows[i].is_gone ? 0 : 1);
        assert_non_null(rig_group(&rig, "g")); // it stays, even bare
        rig_fini(&rig);
    }
}

static void offset_delete_is_checked(void **state)
{
    (void)state;
    struct rig rig;
    topics_make(&rig);
    struct item_offset_name name = {rig_id(1), 0};
    struct item item = rig_kind(ITEM_OFFSET_DELETE);
    item.offset_delete = (struct item_offset_delete){STR("g"), -1, INT64_MAX, &name, 1};
    assert_int_equal(rig_one(&rig, &item).err, ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 1), ERR_OK);
    assert_int_equal(rig_set(&rig, "g", 0, 6, ""), ERR_OK);
    item.offset_delete.expected_generation = 5;
    assert_int_equal(rig_one(&rig, &item).err, ERR_STALE);
    item.offset_delete.expected_generation = 6;
    item.offset_delete.name_count = 0;
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 1);
    item.offset_delete.name_count = 1;
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), -1);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK); // a second time: nothing to do
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_fenced),
        cmocka_unit_test(a_later_entry_wins_and_lost_ones_are_skipped),
        cmocka_unit_test(an_offset_keeps_all_it_was_given),
        cmocka_unit_test(offsets_of_a_deleted_topic_are_gone_at_once),
        cmocka_unit_test(offsets_of_two_lives_do_not_mix),
        cmocka_unit_test(topic_and_group_deleted_together),
        cmocka_unit_test(pages_end_at_256_partitions),
        cmocka_unit_test(walk_is_in_topic_order),
        cmocka_unit_test(offsets_are_limited),
        cmocka_unit_test(metadata_is_limited),
        cmocka_unit_test(offset_delete_judges_by_time),
        cmocka_unit_test(offset_delete_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
