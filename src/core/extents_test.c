// SPDX-License-Identifier: Apache-2.0
#include "core/rig_test.h"

static void topic_make(struct rig *rig)
{
    rig_init(rig);
    struct item create = rig_create(1, "orders", 2);
    assert_int_equal(rig_one(rig, &create).err, ERR_OK);
}

static void batches_of_a_bundle_are_one_extent(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig);
    struct item a = rig_data(1, 0, 2);
    struct item b = rig_data(1, 1, 1);
    a.data.max_timestamp = 70;
    rig_add(&rig, &a);
    rig_add(&rig, &a);
    a.data.max_timestamp = 60;
    rig_add(&rig, &a);
    rig_add(&rig, &b); // another partition lies between
    rig_add(&rig, &a);
    rig_flush(&rig);
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(partition_extent_count(p), 2);
    const struct extent *x = partition_extent(p, 0);
    assert_int_equal(x->base_offset, 0);
    assert_int_equal(x->end_offset, 6);
    assert_int_equal(x->position, 4096);
    assert_int_equal(x->length, 600);
    assert_int_equal(x->record_count, 6);
    assert_int_equal(x->max_timestamp, 70);
    assert_int_equal(x->flags, 0);
    assert_int_equal(partition_extent(p, 1)->position, 4096 + 700);
    assert_int_equal(core_object_extents(rig.core, 1), 3);
    rig_one(&rig, &a); // contiguous, but of another bundle
    assert_int_equal(partition_extent_count(p), 3);
    assert_int_equal(partition_extent(p, 1)->position + partition_extent(p, 1)->length,
                     partition_extent(p, 2)->position);
    assert_int_equal(partition_unmerged_bytes(p), 1000);
    rig_fini(&rig);
}

static void refused_batches_split_extents(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig);
    struct item good = rig_data(1, 0, 1);
    struct item bad = good;
    bad.data.offset_span = 0;
    rig_add(&rig, &good);
    rig_add(&rig, &bad); // its dead bytes are in no extent
    rig_add(&rig, &good);
    rig_flush(&rig);
    assert_int_equal(partition_extent_count(rig_partition(&rig, 1, 0)), 2);
    rig_fini(&rig);
}

static void extents_are_capped_at_4_mib(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, second;
        uint32_t extents;
    } rows[] = {
        {4 << 20, 1, 2},  {(4 << 20) - 1, 1, 1}, {2 << 20, 2 << 20, 1}, {2 << 20, (2 << 20) + 1, 2},
        {64 << 20, 1, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig rig;
        topic_make(&rig);
        struct item data = rig_data(1, 0, 1);
        data.data.payload_length = rows[i].first;
        rig_add(&rig, &data);
        data.data.payload_length = rows[i].second;
        rig_add(&rig, &data);
        rig_flush(&rig);
        assert_int_equal(partition_extent_count(rig_partition(&rig, 1, 0)), rows[i].extents);
        rig_fini(&rig);
    }
}

static void search_finds_the_extent_of_an_offset_18(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig);
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(partition_extent_search(p, 0), 0);
    struct item data = rig_data(1, 0, 7);
    for (int i = 0; i < 40; i++) {
        rig_one(&rig, &data);
    }
    struct item trim = rig_trim(1, 0, 70);
    rig_one(&rig, &trim);
    for (int64_t offset = 0; offset < 280; offset++) {
        assert_int_equal(partition_extent_search(p, offset), offset < 70 ? 0 : offset / 7 - 10);
    }
    assert_int_equal(partition_extent_search(p, 280), partition_extent_count(p));
    assert_int_equal(partition_extent_search(p, INT64_MAX), partition_extent_count(p));
    rig_fini(&rig);
}

// ---- REPLACE: partition 0 holds A [0,10) B [10,20) C [20,30) D [30,40), objects 11 to 14.

enum { LIVE = 4 };

static void live_make(struct rig *rig, struct extent live[LIVE])
{
    topic_make(rig);
    struct item data = rig_data(1, 0, 10);
    for (int i = 0; i < LIVE; i++) {
        rig->object = 11 + (uint64_t)i;
        rig_one(rig, &data);
        live[i] = *partition_extent(rig_partition(rig, 1, 0), (uint32_t)i);
    }
}

static struct extent fresh_of(int64_t from, int64_t to, uint64_t object)
{
    return (struct extent){from, to, object,      0, 50 * (uint32_t)(to - from), (uint32_t)(to - from),
                           9,    0,  EXTENT_FINAL};
}

struct replace_row {
    const char *what;
    int64_t trim; // before
    uint32_t old_first, old_count;
    struct {
        int64_t from, to;
    } fresh[3];
    enum err err;
    struct {
        int64_t from, to;
        uint64_t object;
    } after[6];
    uint32_t dead_count;
};

static const struct replace_row replace_rows[] = {
    {"all into one", 0, 0, 4, {{0, 40}}, ERR_OK, {{0, 40, 21}}, 4},
    {"the middle into one", 0, 1, 2, {{10, 30}}, ERR_OK, {{0, 10, 11}, {10, 30, 21}, {30, 40, 14}}, 2},
    {"one into three",
     0,
     1,
     1,
     {{10, 11}, {11, 15}, {15, 20}},
     ERR_OK,
     {{0, 10, 11}, {10, 11, 21}, {11, 15, 22}, {15, 20, 23}, {20, 30, 13}, {30, 40, 14}},
     1},
    {"bounds move",
     0,
     0,
     2,
     {{0, 3}, {3, 20}},
     ERR_OK,
     {{0, 3, 21}, {3, 20, 22}, {20, 30, 13}, {30, 40, 14}},
     2},
    {"a prefix was trimmed",
     10,
     0,
     3,
     {{0, 5}, {5, 30}},
     ERR_OK,
     {{5, 30, 22}, {30, 40, 14}}, // [0,5) is left out
     2},
    {"trimmed into an extent", 15, 0, 3, {{0, 30}}, ERR_OK, {{0, 30, 21}, {30, 40, 14}}, 2},
    {"fresh ends at the log start", 20, 0, 3, {{0, 20}, {20, 30}}, ERR_OK, {{20, 30, 22}, {30, 40, 14}}, 1},
    {"everything was trimmed", 20, 0, 2, {{0, 20}}, ERR_STALE, {{20, 30, 13}, {30, 40, 14}}, 0},
    {"fresh too short",
     0,
     0,
     2,
     {{0, 19}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
    {"fresh too long",
     0,
     0,
     2,
     {{0, 21}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
    {"fresh starts late",
     0,
     0,
     2,
     {{1, 20}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
    {"fresh has a gap",
     0,
     0,
     2,
     {{0, 9}, {10, 20}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
    {"nothing fresh",
     0,
     0,
     2,
     {{0, 0}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
    {"nothing old",
     0,
     0,
     0,
     {{0, 10}},
     ERR_INVALID_REQUEST,
     {{0, 10, 11}, {10, 20, 12}, {20, 30, 13}, {30, 40, 14}},
     0},
};

static struct item replace_of(struct extent *old, uint32_t old_count, struct extent *fresh,
                              uint32_t fresh_count)
{
    struct item item = rig_kind(ITEM_REPLACE);
    item.replace = (struct item_replace){rig_id(1), 0, old, old_count, fresh, fresh_count};
    return item;
}

static void replace_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replace_rows / sizeof replace_rows[0]; i++) {
        const struct replace_row *row = &replace_rows[i];
        struct rig rig;
        struct extent live[LIVE];
        live_make(&rig, live);
        struct item trim = rig_trim(1, 0, row->trim);
        rig_one(&rig, &trim);
        struct extent fresh[3];
        uint32_t fresh_count = 0;
        while (fresh_count < 3 && row->fresh[fresh_count].to > 0) {
            fresh[fresh_count] =
                fresh_of(row->fresh[fresh_count].from, row->fresh[fresh_count].to, 21 + fresh_count);
            fresh_count++;
        }
        struct item replace = replace_of(live + row->old_first, row->old_count, fresh, fresh_count);
        enum err err = rig_one(&rig, &replace).err;
        struct partition *p = rig_partition(&rig, 1, 0);
        uint32_t count = 0;
        uint64_t bytes = 0;
        while (count < 6 && row->after[count].to > 0) {
            count++;
        }
        if (err != row->err || partition_extent_count(p) != count) {
            fail_msg("%s: %s, %u extents", row->what, err_name(err), partition_extent_count(p));
        }
        for (uint32_t k = 0; k < count; k++) {
            const struct extent *x = partition_extent(p, k);
            assert_int_equal(x->base_offset, row->after[k].from);
            assert_int_equal(x->end_offset, row->after[k].to);
            assert_int_equal(x->object, row->after[k].object);
            assert_int_equal(core_object_extents(rig.core, x->object), 1);
            bytes += x->length;
        }
        assert_int_equal(partition_bytes(p), bytes);
        assert_int_equal(rig.facts.dead_count, row->dead_count);
        assert_int_equal(rig.facts.slot_count, 0);
        assert_int_equal(core_object_max(rig.core), fresh_count > 0 ? 20 + fresh_count : 14);
        rig_fini(&rig);
    }
}

static void replace_names_must_match(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        struct rig rig;
        struct extent live[LIVE];
        live_make(&rig, live);
        struct extent fresh = fresh_of(10, 30, 21);
        struct extent old[3] = {live[1], live[2], live[3]};
        struct item replace = replace_of(old, 2, &fresh, 1);
        enum err want = ERR_STALE;
        switch (i) {
        case 0:
            want = ERR_OK; // as planned
            break;
        case 1:
            old[0].object++;
            break;
        case 2:
            old[1].object++;
            break;
        case 3:
            old[1].position++;
            break;
        case 4:
            old[0].end_offset = 19; // not where the next one starts
            want = ERR_INVALID_REQUEST;
            break;
        case 5:
            old[0].end_offset = old[1].base_offset = 19;
            break;
        case 6: // past the end of the log
            old[0] = live[3];
            old[1] = (struct extent){.base_offset = 40, .end_offset = 50, .object = 15};
            fresh = fresh_of(30, 50, 21);
            break;
        case 7:
            replace.replace.partition = 9;
            want = ERR_UNKNOWN_PARTITION;
            break;
        default:
            replace.replace.topic_id = rig_id(9);
            want = ERR_UNKNOWN_TOPIC_ID;
            break;
        }
        uint64_t before = partition_bytes(rig_partition(&rig, 1, 0));
        assert_int_equal(rig_one(&rig, &replace).err, want);
        assert_int_equal(partition_bytes(rig_partition(&rig, 1, 0)) == before, want != ERR_OK);
        assert_int_equal(core_object_extents(rig.core, 21), want == ERR_OK);
        assert_int_equal(core_object_max(rig.core), 21); // seen, so never given again
        rig_fini(&rig);
    }
}

static void replace_twice_is_stale(void **state)
{
    (void)state;
    struct rig rig;
    struct extent live[LIVE];
    live_make(&rig, live);
    struct extent fresh = fresh_of(0, 40, 21);
    struct item replace = replace_of(live, 4, &fresh, 1);
    rig_add(&rig, &replace);
    rig_add(&rig, &replace);
    rig_flush(&rig);
    assert_int_equal(rig.outcomes[0].err, ERR_OK);
    assert_int_equal(rig.outcomes[1].err, ERR_STALE);
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(partition_unmerged_bytes(p), 0);
    struct item data = rig_data(1, 0, 5);
    assert_int_equal(rig_one(&rig, &data).base_offset, 40);
    assert_int_equal(partition_unmerged_bytes(p), 500);
    assert_int_equal(partition_extent_count(p), 2);
    rig_fini(&rig);
}

static void replace_within_one_object_keeps_it_alive(void **state)
{
    (void)state;
    struct rig rig;
    struct extent live[LIVE];
    live_make(&rig, live);
    struct extent fresh = fresh_of(0, 10, 11); // the same object, elsewhere
    fresh.position = 1 << 20;
    struct item replace = replace_of(live, 1, &fresh, 1);
    assert_int_equal(rig_one(&rig, &replace).err, ERR_OK);
    assert_int_equal(rig.facts.dead_count, 0);
    assert_int_equal(core_object_extents(rig.core, 11), 1);
    rig_fini(&rig);
}

static void append_after_replace_in_one_bundle(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig);
    struct item data = rig_data(1, 0, 1);
    rig_one(&rig, &data);
    struct partition *p = rig_partition(&rig, 1, 0);
    struct extent old = *partition_extent(p, 0);
    struct extent fresh = old; // even one that ends where the payload starts
    fresh.position = rig.position - 100;
    struct item replace = replace_of(&old, 1, &fresh, 1);
    rig_add(&rig, &replace);
    rig_add(&rig, &data);
    rig_flush(&rig);
    assert_int_equal(partition_extent_count(p), 2);
    rig_fini(&rig);
}

static void objects_die_with_their_last_extent(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig);
    struct item a = rig_data(1, 0, 1);
    struct item b = rig_data(1, 1, 1);
    rig_add(&rig, &a);
    rig_add(&rig, &b);
    rig_flush(&rig);
    assert_int_equal(core_object_extents(rig.core, 1), 2);
    struct item trim = rig_trim(1, 0, 1);
    rig_one(&rig, &trim);
    assert_int_equal(rig.facts.dead_count, 0);
    trim.trim.partition = 1;
    rig_one(&rig, &trim);
    assert_int_equal(rig.facts.dead_count, 1);
    assert_int_equal(rig.facts.dead_objects[0], 1);
    rig_one(&rig, &a); // alive again: facts are hints, the count is the truth
    assert_int_equal(core_object_extents(rig.core, 1), 1);
    rig_fini(&rig);
}

// The vector of extents moves down, grows and shrinks: every mix of appends and trims keeps it whole.
static void extents_vector_survives_every_mix(void **state)
{
    (void)state;
    for (int appends = 1; appends <= 9; appends++) {
        for (int trims = 0; trims <= 9; trims++) {
            struct rig rig;
            topic_make(&rig);
            struct partition *p = rig_partition(&rig, 1, 0);
            struct item data = rig_data(1, 0, 1);
            for (int round = 0; round < 12; round++) {
                for (int i = 0; i < appends; i++) {
                    rig_one(&rig, &data);
                }
                struct item trim = rig_trim(1, 0, partition_log_start(p) + trims);
                rig_one(&rig, &trim);
                int64_t length = partition_high_watermark(p) - partition_log_start(p);
                assert_int_equal(partition_extent_count(p), length);
                for (uint32_t i = 0; i < partition_extent_count(p); i++) {
                    assert_int_equal(partition_extent(p, i)->base_offset, partition_log_start(p) + i);
                }
            }
            rig_fini(&rig);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_a_bundle_are_one_extent),
        cmocka_unit_test(refused_batches_split_extents),
        cmocka_unit_test(extents_are_capped_at_4_mib),
        cmocka_unit_test(search_finds_the_extent_of_an_offset_18),
        cmocka_unit_test(replace_table),
        cmocka_unit_test(replace_names_must_match),
        cmocka_unit_test(replace_twice_is_stale),
        cmocka_unit_test(replace_within_one_object_keeps_it_alive),
        cmocka_unit_test(append_after_replace_in_one_bundle),
        cmocka_unit_test(objects_die_with_their_last_extent),
        cmocka_unit_test(extents_vector_survives_every_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
