// SPDX-License-Identifier: Apache-2.0
#include "core/group_rig_test.h"

enum { ALL_PARTS = CONSUMER_METADATA | CONSUMER_TARGET | CONSUMER_CURRENT };

// set_of: members by the letters of `members`, with all parts; `gone` likewise.
static struct item set_of(const char *group, int32_t expected, uint64_t revision, int32_t generation,
                          const char *members, const char *gone)
{
    static struct item_consumer_member room[GROUP_RIG_MEMBERS];
    static struct str gone_room[GROUP_RIG_MEMBERS];
    struct item item = {.kind = ITEM_CONSUMER_SET, .version = 1};
    item.consumer_set = (struct item_consumer_set){
        .group_id = str_from_c(group),
        .expected_generation = expected,
        .expected_revision = revision,
        .generation = generation,
        .gone = gone_room,
        .gone_count = (uint32_t)strlen(gone),
        .members = room,
        .member_count = (uint32_t)strlen(members),
    };
    for (uint32_t i = 0; i < item.consumer_set.member_count; i++) {
        room[i] = (struct item_consumer_member){.member_id = {members + i, 1}, .parts = ALL_PARTS};
        room[i].epoch = generation;
        room[i].metadata = bytes_of("meta", 4);
        room[i].target = bytes_of("tt", 2);
    }
    for (uint32_t i = 0; i < item.consumer_set.gone_count; i++) {
        gone_room[i] = (struct str){gone + i, 1};
    }
    return item;
}

static void consumer_set_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *group;
        int32_t expected;
        uint64_t revision;
        int32_t generation;
        const char *members;
        const char *gone;
        enum err want;
    } rows[] = {
        {"a new group has generation 0", "g", 1, 0, 1, "a", "", ERR_STALE},
        {"and revision 0", "g", 0, 1, 1, "a", "", ERR_STALE},
        {"generation below 0", "g", 0, 0, -1, "a", "", ERR_INVALID_REQUEST},
        {"members must rise", "g", 0, 0, 1, "ba", "", ERR_INVALID_REQUEST},
        {"a member twice", "g", 0, 0, 1, "aa", "", ERR_INVALID_REQUEST},
        {"gone must rise", "g", 0, 0, 1, "a", "cb", ERR_INVALID_REQUEST},
        {"made", "g", 0, 0, 1, "ac", "", ERR_OK},
        {"an older revision", "g", 1, 0, 1, "b", "", ERR_STALE},
        {"an older generation", "g", 0, 1, 1, "b", "", ERR_STALE},
        {"a member joins", "g", 1, 1, 2, "b", "", ERR_OK},
        {"one goes, one that was never there too", "g", 2, 2, 2, "", "cx", ERR_OK},
        {"one goes and comes back", "g", 2, 3, 3, "b", "b", ERR_OK},
        {"over strom.groups.max", "h", 0, 0, 1, "a", "", ERR_POLICY_VIOLATION},
    };
    struct rig rig;
    rig_init(&rig);
    assert_int_equal(rig_limit(&rig, "strom.groups.max", "1"), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item item = set_of(rows[i].group, rows[i].expected, rows[i].revision, rows[i].generation,
                                  rows[i].members, rows[i].gone);
        enum err err = rig_one(&rig, &item).err;
        if (err != rows[i].want) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
    }
    const struct group *group = rig_group(&rig, "g");
    assert_int_equal(group_consumer_count(group), 2);
    assert_int_equal(group_revision(group), 4);
    assert_true(str_equal(group_consumer_at(group, 1)->member_id, STR("b")));
    assert_int_equal(group_consumer_at(group, 1)->epoch, 3);
    assert_true(str_equal(group_protocol_type(group), STR("consumer")));
    struct item partial = set_of("g", 3, 4, 3, "d", "");
    partial.consumer_set.members[0].parts = CONSUMER_CURRENT;
    assert_int_equal(rig_one(&rig, &partial).err, ERR_INVALID_REQUEST);
    rig_fini(&rig);
}

static void parts_that_are_not_given_stay(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item item = set_of("g", 0, 0, 1, "a", "");
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    item = set_of("g", 1, 1, 2, "a", "");
    item.consumer_set.members[0].parts = CONSUMER_CURRENT;
    item.consumer_set.members[0].current = bytes_of("now", 3);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    const struct item_consumer_member *member = group_consumer_at(rig_group(&rig, "g"), 0);
    assert_true(bytes_equal(member->metadata, bytes_of("meta", 4)));
    assert_true(bytes_equal(member->target, bytes_of("tt", 2)));
    assert_true(bytes_equal(member->current, bytes_of("now", 3)));
    assert_int_equal(member->epoch, 2);
    rig_fini(&rig);
}

static void a_group_changes_its_protocol(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    assert_int_equal(rig_one(&rig, &create).err, ERR_OK);
    assert_int_equal(rig_set(&rig, "g", 0, 4, "xy"), ERR_OK);
    struct item up = set_of("g", 4, 0, 5, "x", "");
    assert_int_equal(rig_one(&rig, &up).err, ERR_OK);
    const struct group *group = rig_group(&rig, "g");
    assert_int_equal(group_member_count(group), 0);
    assert_int_equal(group_consumer_count(group), 1);
    assert_int_equal(group_empty_since_ms(group), INT64_MAX);
    assert_int_equal(rig_set(&rig, "g", 4, 6, "x"), ERR_STALE); // planned before
    struct item gone = rig_group_delete("g", false);
    assert_int_equal(rig_one(&rig, &gone).err, ERR_NON_EMPTY_GROUP);
    assert_int_equal(rig_commit(&rig, "g", 1, 0, 7), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(rig_set(&rig, "g", 5, 6, "x"), ERR_OK);
    assert_false(group_is_consumer(group));
    assert_int_equal(group_revision(group), 0);
    rig.time_ms += 500;
    assert_int_equal(rig_set(&rig, "g", 6, 7, ""), ERR_OK);
    assert_int_equal(group_empty_since_ms(group), rig.time_ms);
    assert_int_equal(rig_one(&rig, &gone).err, ERR_OK);
    rig_fini(&rig);
}

// A cut that is running when a member changes has the group as it was.
static void a_snapshot_keeps_consumers(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item item = set_of("g", 0, 0, 1, "abc", "");
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    uint64_t before = core_state_hash(rig.core);
    struct buf snapshot;
    buf_init(&snapshot, SIZE_MAX / 2);
    core_snapshot_begin(rig.core);
    item = set_of("g", 1, 1, 2, "b", "c");
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    while (!core_snapshot_step(rig.core, 1, &snapshot)) {
    }
    struct core *loaded = core_create();
    assert_int_equal(core_load(loaded, buf_bytes(&snapshot), NULL), ERR_OK);
    assert_true(core_state_hash(loaded) == before);
    const struct group *group = core_group_find(loaded, STR("g"));
    assert_int_equal(group_consumer_count(group), 3);
    assert_int_equal(group_empty_since_ms(group), INT64_MAX);
    core_destroy(loaded);
    buf_fini(&snapshot);
    rig_fini(&rig);
}

// Every byte of a frame that is cut short or changed is refused or read, and never more than is there.
static void a_frame_that_is_cut_is_refused(void **state)
{
    (void)state;
    struct item item = set_of("g", 1, 2, 3, "abc", "de");
    struct buf frame;
    buf_init(&frame, SIZE_MAX / 2);
    item_encode(&item, &frame);
    assert_false(frame.failed);
    assert_true(frame.len <= item_encoded_max(&item));
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (size_t len = 0; len < frame.len; len++) {
        struct reader r = reader_init(bytes_of(frame.ptr, len));
        struct item got;
        assert_int_equal(item_decode(&r, &arena, &got, NULL), ERR_CORRUPT);
        frame.ptr[len] ^= 0xff;
        r = reader_init(buf_bytes(&frame));
        (void)item_decode(&r, &arena, &got, NULL);
        frame.ptr[len] ^= 0xff;
        arena_reset(&arena);
    }
    struct reader r = reader_init(buf_bytes(&frame));
    struct item got;
    assert_int_equal(item_decode(&r, &arena, &got, NULL), ERR_OK);
    struct buf again;
    buf_init(&again, SIZE_MAX / 2);
    item_encode(&got, &again);
    assert_int_equal(again.len, frame.len);
    assert_memory_equal(again.ptr, frame.ptr, frame.len);
    arena_fini(&arena);
    buf_fini(&again);
    buf_fini(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consumer_set_is_checked),        cmocka_unit_test(parts_that_are_not_given_stay),
        cmocka_unit_test(a_group_changes_its_protocol),   cmocka_unit_test(a_snapshot_keeps_consumers),
        cmocka_unit_test(a_frame_that_is_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
