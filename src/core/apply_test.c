// SPDX-License-Identifier: Apache-2.0
// Numbers in names are the points of Kafka's semantics: 18 log bounds, 23 topic ids, 24 leader epochs,
// 27 topic names, 29 DeleteRecords, 30 partitions and deletion, 46 log start.
#include "core/rig_test.h"

static void topic_names_27(void **state)
{
    (void)state;
    char longest[251];
    memset(longest, 'n', sizeof longest);
    const struct {
        struct str name;
        bool is_valid;
    } rows[] = {
        {STR("a"), true},       {STR("A-z_0.9"), true},  {STR("..."), true},  {STR("-"), true},
        {{longest, 249}, true}, {{longest, 250}, false}, {STR(""), false},    {STR("."), false},
        {STR(".."), false},     {STR("a b"), false},     {STR("a/b"), false}, {STR("\xc3\xa4"), false},
        {STR("a\0b"), false},   {STR("a\n"), false},     {STR("a,b"), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(topic_name_is_valid(rows[i].name), rows[i].is_valid);
    }
}

static void topic_create_judges_27(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_config twice[] = {{{"a", 1}, {"1", 1}}, {{"a", 1}, {"2", 1}}};
    struct item zero = rig_create(1, "zero", 1);
    zero.topic_create.topic_id = (struct uuid){{0}};
    struct item repeated = rig_create(7, "repeated", 1);
    repeated.topic_create.configs = twice;
    repeated.topic_create.config_count = 2;
    const struct {
        struct item item;
        enum err err;
    } rows[] = {
        {rig_create(1, "a.b", 3), ERR_OK},
        {rig_create(2, "a.b", 3), ERR_TOPIC_EXISTS},
        {rig_create(2, "a_b", 3), ERR_INVALID_TOPIC},
        {rig_create(2, "a.b_c", 1), ERR_OK},
        {rig_create(3, "a_b.c", 1), ERR_INVALID_TOPIC},
        {rig_create(3, "a-b", 1), ERR_OK},
        {rig_create(1, "other", 1), ERR_INVALID_REQUEST}, // the id is taken
        {zero, ERR_INVALID_REQUEST},
        {rig_create(4, "..", 1), ERR_INVALID_TOPIC},
        {rig_create(4, "none", 0), ERR_INVALID_PARTITIONS},
        {rig_create(4, "less", -1), ERR_INVALID_PARTITIONS},
        {rig_create(4, "more", ITEM_PARTITIONS_MAX + 1), ERR_INVALID_PARTITIONS},
        {rig_create(4, "full", ITEM_PARTITIONS_MAX), ERR_POLICY_VIOLATION}, // with those that are there
        {repeated, ERR_INVALID_CONFIG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(rig_one(&rig, &rows[i].item).err, rows[i].err);
        assert_int_equal(rig.facts.catalogue_changed, rows[i].err == ERR_OK);
    }
    assert_int_equal(core_topic_count(rig.core), 3);
    assert_int_equal(core_partition_total(rig.core), 5);
    assert_ptr_equal(core_topic_collides(rig.core, STR("a_b")), core_topic_find(rig.core, STR("a.b")));
    assert_null(core_topic_collides(rig.core, STR("a.b")));
    assert_null(core_topic_find_id(rig.core, rig_id(4)));
    rig_fini(&rig);
}

static void topics_are_in_name_order(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    static const char *const made[] = {"m", "z", "a", "mm", "B", "k"};
    static const char *const sorted[] = {"B", "a", "k", "m", "mm", "z"};
    for (uint8_t i = 0; i < 6; i++) {
        struct item create = rig_create((uint8_t)(i + 1), made[i], 1);
        rig_add(&rig, &create);
    }
    rig_flush(&rig);
    for (uint32_t i = 0; i < 6; i++) {
        assert_true(str_equal(topic_name(core_topic_at(rig.core, i)), str_from_c(sorted[i])));
        assert_int_equal(core_topic_lower_bound(rig.core, str_from_c(sorted[i])), i);
    }
    assert_int_equal(core_topic_lower_bound(rig.core, STR("l")), 3);
    assert_int_equal(core_topic_lower_bound(rig.core, STR("zz")), 6);
    struct item delete = rig_delete(1); // m
    rig_one(&rig, &delete);
    assert_int_equal(core_topic_lower_bound(rig.core, STR("m")), 3);
    assert_true(str_equal(topic_name(core_topic_at(rig.core, 3)), STR("mm")));
    rig_fini(&rig);
}

static void topic_deletion_is_at_once_30_23(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 2);
    struct item data = rig_data(1, 1, 3);
    rig_one(&rig, &create);
    rig_one(&rig, &data);
    uint32_t slot = partition_slot(rig_partition(&rig, 1, 1));
    uint64_t generation = partition_generation(rig_partition(&rig, 1, 1));
    struct item delete = rig_delete(1);
    struct item again = rig_create(2, "orders", 1);
    struct item trim = rig_trim(1, 1, 1);
    rig_add(&rig, &delete);
    rig_add(&rig, &delete);
    rig_add(&rig, &data);
    rig_add(&rig, &trim);
    rig_add(&rig, &again);
    rig_flush(&rig);
    assert_int_equal(rig.outcomes[0].err, ERR_OK);
    for (int i = 1; i <= 3; i++) { // the old id is gone within the same bundle
        assert_int_equal(rig.outcomes[i].err, ERR_UNKNOWN_TOPIC_ID);
    }
    assert_int_equal(rig.outcomes[4].err, ERR_OK);
    assert_int_equal(rig.facts.dead_count, 1);
    assert_int_equal(rig.facts.dead_objects[0], 1);
    assert_int_equal(core_object_extents(rig.core, 1), 0);
    assert_int_equal(core_partition_total(rig.core), 1);
    struct item other = rig_create(3, "other", 8);
    rig_one(&rig, &other); // slots are used again, under another generation
    struct partition *heir = core_partition_at(rig.core, slot);
    assert_non_null(heir);
    assert_true(partition_generation(heir) != generation);
    assert_int_equal(core_slot_count(rig.core), 9);
    rig_fini(&rig);
}

static void topic_deletion_is_reclaimed_in_bounded_steps(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "wide", 200);
    rig_one(&rig, &create);
    struct item delete = rig_delete(1);
    rig_one(&rig, &delete);
    int ticks = 0;
    struct item tick = rig_kind(ITEM_TICK);
    while (core_next_deadline_ms(rig.core) != INT64_MAX) {
        assert_int_equal(core_next_deadline_ms(rig.core), core_time_ms(rig.core));
        for (uint32_t i = 0; i < core_slot_count(rig.core); i++) {
            assert_null(core_partition_at(rig.core, i)); // not even while dying
        }
        rig_one(&rig, &tick);
        ticks++;
    }
    assert_int_equal(ticks, 3); // 64 with the deletion, then 64, 64 and 8
    rig_fini(&rig);
}

static void partitions_add_30(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 2);
    rig_one(&rig, &create);
    const struct {
        uint8_t id;
        int32_t expected, count;
        enum err err;
    } rows[] = {
        {2, 2, 4, ERR_UNKNOWN_TOPIC_ID},
        {1, 3, 4, ERR_STALE},
        {1, 2, 2, ERR_INVALID_PARTITIONS},
        {1, 2, 1, ERR_INVALID_PARTITIONS},
        {1, 2, 200001, ERR_INVALID_PARTITIONS},
        {1, 2, 5, ERR_OK},
        {1, 2, 6, ERR_STALE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item add = rig_kind(ITEM_PARTITIONS_ADD);
        add.partitions_add =
            (struct item_partitions_add){rig_id(rows[i].id), rows[i].expected, rows[i].count};
        assert_int_equal(rig_one(&rig, &add).err, rows[i].err);
    }
    struct topic *topic = core_topic_find(rig.core, STR("orders"));
    assert_int_equal(topic_partition_count(topic), 5);
    assert_null(topic_partition(topic, 5));
    assert_null(topic_partition(topic, -1));
    for (int32_t i = 0; i < 5; i++) {
        struct partition *p = topic_partition(topic, i);
        assert_int_equal(partition_index(p), i);
        assert_ptr_equal(partition_topic(p), topic);
        assert_ptr_equal(core_partition_at(rig.core, partition_slot(p)), p);
    }
    rig_fini(&rig);
}

static void limits_are_configs(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item_config configs[] = {{{"strom.partitions.max", 20}, {"4", 1}},
                                    {{"strom.topics.max", 16}, {"2", 1}}};
    assert_int_equal(rig_configs(&rig, 0, configs, 2, 0), ERR_OK);
    struct item a = rig_create(1, "a", 3);
    struct item b = rig_create(2, "b", 2);
    struct item c = rig_create(2, "c", 1);
    struct item d = rig_create(3, "d", 1);
    assert_int_equal(rig_one(&rig, &a).err, ERR_OK);
    assert_int_equal(rig_one(&rig, &b).err, ERR_POLICY_VIOLATION);
    assert_int_equal(rig_one(&rig, &c).err, ERR_OK);
    assert_int_equal(rig_one(&rig, &d).err, ERR_POLICY_VIOLATION);
    rig_fini(&rig);
}

static void config_set_against_a_revision_28(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    rig_one(&rig, &create);
    struct topic *topic = core_topic_find(rig.core, STR("orders"));
    assert_int_equal(topic_config_revision(topic), 0);
    assert_int_equal(topic_settings(rig.core, topic)->retention_ms, 604800000);
    struct item_config unsorted[] = {{{"z", 1}, {"1", 1}}, {{"retention.ms", 12}, {"55", 2}}};
    assert_int_equal(rig_configs(&rig, 1, unsorted, 2, 1), ERR_STALE);
    assert_int_equal(rig_configs(&rig, 1, unsorted, 2, 0), ERR_OK);
    assert_true(rig.facts.catalogue_changed);
    assert_int_equal(rig_configs(&rig, 1, unsorted, 1, 0), ERR_STALE);
    assert_int_equal(rig_configs(&rig, 9, unsorted, 1, 0), ERR_UNKNOWN_TOPIC_ID);
    assert_int_equal(topic_config_revision(topic), 1);
    uint32_t count;
    const struct item_config *configs = topic_configs(topic, &count);
    assert_int_equal(count, 2);
    assert_true(str_equal(configs[0].key, STR("retention.ms")));
    assert_int_equal(topic_settings(rig.core, topic)->retention_ms, 55);
    // The whole set is replaced; the broker's value shows through, then the one given at start.
    struct item_config dynamic = {{"log.retention.ms", 16}, {"66", 2}};
    struct item_config fixed = {{"log.retention.ms", 16}, {"77", 2}};
    assert_int_equal(core_static_configs_set(rig.core, &fixed, 1), ERR_OK);
    assert_int_equal(rig_configs(&rig, 1, NULL, 0, 1), ERR_OK);
    assert_int_equal(topic_settings(rig.core, topic)->retention_ms, 77);
    assert_int_equal(rig_configs(&rig, 0, &dynamic, 1, 0), ERR_OK);
    assert_int_equal(topic_settings(rig.core, topic)->retention_ms, 66);
    assert_int_equal(core_broker_config_revision(rig.core), 1);
    core_broker_configs(rig.core, &count);
    assert_int_equal(count, 1);
    struct item_config twice[] = {dynamic, dynamic};
    assert_int_equal(rig_configs(&rig, 0, twice, 2, 1), ERR_INVALID_CONFIG);
    assert_int_equal(topic_settings(rig.core, topic)->retention_ms, 66);
    rig_fini(&rig);
}

static void data_offsets_and_facts(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 3);
    rig_one(&rig, &create);
    struct item items[] = {rig_data(1, 0, 2), rig_data(1, 2, 1), rig_data(1, 0, 3),
                           rig_data(1, 3, 1), rig_data(9, 0, 1), rig_data(1, -1, 1)};
    for (int i = 0; i < 6; i++) {
        rig_add(&rig, &items[i]);
    }
    rig_flush(&rig);
    static const int64_t base[] = {0, 0, 2, -1, -1, -1};
    static const enum err err[] = {
        ERR_OK, ERR_OK, ERR_OK, ERR_UNKNOWN_PARTITION, ERR_UNKNOWN_TOPIC_ID, ERR_UNKNOWN_PARTITION};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(rig.outcomes[i].err, err[i]);
        assert_int_equal(rig.outcomes[i].base_offset, base[i]);
        assert_int_equal(rig.outcomes[i].leader_epoch, err[i] == ERR_OK ? 0 : -1);
    }
    assert_int_equal(rig.facts.slot_count, 2);
    assert_int_equal(rig.facts.slots[0], partition_slot(rig_partition(&rig, 1, 0)));
    assert_int_equal(rig.facts.appended_bytes[0], 500);
    assert_int_equal(rig.facts.appended_bytes[1], 100);
    assert_false(rig.facts.catalogue_changed);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 0)), 5);
    assert_int_equal(core_object_max(rig.core), 1);
    rig_fini(&rig);
}

static void data_widest_spans(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    rig_one(&rig, &create);
    struct item huge = rig_data(1, 0, 1);
    huge.data.offset_span = INT32_MAX;
    assert_int_equal(rig_one(&rig, &huge).err, ERR_OK);
    assert_int_equal(rig_one(&rig, &huge).base_offset, INT32_MAX);
    rig_fini(&rig);
}

static void depends_on_needs_a_new_append(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 2);
    rig_one(&rig, &create);
    struct item first = rig_idempotent(1, 0, 7, 0, 0, 1);
    struct item gap = rig_idempotent(1, 0, 7, 0, 9, 1);
    struct item letter = rig_data(1, 1, 1);
    struct item on_self = letter;
    struct item on_later = letter;
    on_self.depends_on = 6;
    on_later.depends_on = 99;
    rig_add(&rig, &first);
    letter.depends_on = 1;
    rig_add(&rig, &letter); // 2: applies
    rig_add(&rig, &gap);    // 3: refused
    letter.depends_on = 3;
    rig_add(&rig, &letter); // 4: stale
    letter.depends_on = 4;
    rig_add(&rig, &letter);   // 5: stale, through a dependent
    rig_add(&rig, &on_self);  // 6
    rig_add(&rig, &on_later); // 7
    rig_flush(&rig);
    static const enum err err[] = {ERR_OK,    ERR_OK,   ERR_OUT_OF_ORDER_SEQUENCE, ERR_STALE, ERR_STALE,
                                   ERR_STALE, ERR_STALE};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(rig.outcomes[i].err, err[i]);
    }
    letter.depends_on = 1;
    rig_add(&rig, &first); // a duplicate now
    rig_add(&rig, &letter);
    rig_flush(&rig);
    assert_true(rig.outcomes[0].is_duplicate);
    assert_int_equal(rig.outcomes[1].err, ERR_STALE);
    assert_int_equal(partition_high_watermark(rig_partition(&rig, 1, 1)), 1);
    rig_fini(&rig);
}

static void trim_moves_forward_only_29_46(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    struct item data = rig_data(1, 0, 10);
    rig_one(&rig, &create);
    for (int i = 0; i < 3; i++) {
        rig_one(&rig, &data); // an extent each: [0,10) [10,20) [20,30)
    }
    static const struct {
        int64_t to, log_start;
        uint32_t extents;
    } rows[] = {{-5, 0, 3},  {5, 5, 3},   {10, 10, 2}, {3, 10, 2},
                {19, 19, 2}, {19, 19, 2}, {99, 30, 0}, {0, 30, 0}};
    int64_t before = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct item trim = rig_trim(1, 0, rows[i].to);
        struct outcome outcome = rig_one(&rig, &trim);
        assert_int_equal(outcome.err, ERR_OK);
        assert_int_equal(outcome.log_start_offset, rows[i].log_start);
        struct partition *p = rig_partition(&rig, 1, 0);
        assert_int_equal(partition_log_start(p), rows[i].log_start);
        assert_int_equal(partition_extent_count(p), rows[i].extents);
        assert_int_equal(partition_bytes(p), 1000 * rows[i].extents);
        assert_int_equal(rig.facts.slot_count, rows[i].log_start != before);
        assert_int_equal(rig.facts.dead_count, rows[i].to == 99);
        before = rows[i].log_start;
    }
    assert_int_equal(rig_one(&rig, &data).base_offset, 30); // offsets go on
    assert_int_equal(rig.outcomes[0].log_start_offset, 30);
    struct item lost = rig_trim(1, 1, 0);
    assert_int_equal(rig_one(&rig, &lost).err, ERR_UNKNOWN_PARTITION);
    rig_fini(&rig);
}

static void epoch_make(struct rig *rig)
{
    rig_init(rig);
    struct item_config os = {{"strom.durability", 16}, {"os", 2}};
    struct item create = rig_create(1, "fast", 1);
    create.topic_create.configs = &os;
    create.topic_create.config_count = 1;
    struct item plain = rig_create(2, "safe", 1);
    rig_one(rig, &create);
    rig_one(rig, &plain);
}

static void epoch_raise_24(void **state)
{
    (void)state;
    struct rig rig;
    epoch_make(&rig);
    struct item raise = rig_kind(ITEM_EPOCH_RAISE);
    struct item data = rig_data(1, 0, 10);
    rig_one(&rig, &data); // epoch 0: [0,10)
    rig_one(&rig, &raise);
    assert_true(rig.facts.catalogue_changed);
    assert_int_equal(rig_one(&rig, &data).leader_epoch, 1); // epoch 1: [10,20)
    rig_one(&rig, &raise);
    rig_one(&rig, &raise);                                  // epoch 2 never has a record
    assert_int_equal(rig_one(&rig, &data).leader_epoch, 3); // epoch 3: [20,30)
    struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(partition_leader_epoch(p), 3);
    assert_int_equal(partition_leader_epoch(rig_partition(&rig, 2, 0)), 0); // fsync topics keep theirs
    static const struct {
        int32_t asked, epoch;
        int64_t end;
    } rows[] = {{-1, -1, -1}, {0, 0, 10}, {1, 1, 20}, {2, 1, 20}, {3, 3, 30}, {4, -1, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t epoch;
        int64_t end;
        partition_epoch_end(p, rows[i].asked, &epoch, &end);
        assert_int_equal(epoch, rows[i].epoch);
        assert_int_equal(end, rows[i].end);
    }
    static const int32_t at[] = {0, 1, 3, 3};
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(partition_epoch_at(p, 10 * i), at[i]);
        assert_int_equal(partition_epoch_at(p, 10 * i + 9), at[i]);
    }
    assert_int_equal(partition_extent(p, 2)->leader_epoch, 3);
    rig_fini(&rig);
}

static void epoch_trim_keeps_the_newest_24(void **state)
{
    (void)state;
    struct rig rig;
    epoch_make(&rig);
    struct item raise = rig_kind(ITEM_EPOCH_RAISE);
    struct item data = rig_data(1, 0, 10);
    for (int i = 0; i < 3; i++) {
        rig_one(&rig, &data);
        rig_one(&rig, &raise);
    } // epochs 0 [0,10) 1 [10,20) 2 [20,30) 3 [30,
    struct partition *p = rig_partition(&rig, 1, 0);
    int32_t epoch;
    int64_t end;
    struct item trim = rig_trim(1, 0, 15);
    rig_one(&rig, &trim);
    partition_epoch_end(p, 0, &epoch, &end); // forgotten: it ends where the records start
    assert_int_equal(epoch, 0);
    assert_int_equal(end, 15);
    partition_epoch_end(p, -2, &epoch, &end); // as one that is older than all
    assert_int_equal(epoch, -2);
    assert_int_equal(end, 15);
    partition_epoch_end(p, 1, &epoch, &end);
    assert_int_equal(end, 20);
    trim.trim.log_start_offset = 30;
    rig_one(&rig, &trim);
    partition_epoch_end(p, 2, &epoch, &end);
    assert_int_equal(epoch, 2);
    assert_int_equal(end, 30);
    assert_int_equal(partition_leader_epoch(p), 3);
    assert_int_equal(partition_epoch_at(p, 30), 3);
    rig_fini(&rig);
}

static void bundles_must_follow_and_decode(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "orders", 1);
    rig_add(&rig, &create);
    struct outcome outcomes[4];
    struct error e;
    struct core_bundle bundle = rig_bundle(&rig);
    bundle.lsn = 2;
    assert_int_equal(core_apply(rig.core, &bundle, outcomes, &rig.facts, &e), ERR_CORRUPT);
    bundle = rig_bundle(&rig);
    bundle.item_count = 2; // more than there are
    assert_int_equal(core_apply(rig.core, &bundle, outcomes, &rig.facts, &e), ERR_CORRUPT);
    assert_int_equal(core_lsn(rig.core), 0);
    bundle = rig_bundle(&rig);
    bundle.item_count = 0; // fewer than there are
    assert_int_equal(core_apply(rig.core, &bundle, outcomes, &rig.facts, &e), ERR_CORRUPT);
    rig_fini(&rig);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item tick = rig_kind(ITEM_TICK);
    rig.time_ms = 5000;
    rig_one(&rig, &tick);
    rig.time_ms = 4000;
    rig_one(&rig, &tick);
    assert_int_equal(core_time_ms(rig.core), 5000);
    assert_int_equal(core_stamp_ms(rig.core), 1005000);
    rig_fini(&rig);
}

static void idle_partitions_are_cheap(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item create = rig_create(1, "wide", 100000);
    assert_int_equal(rig_one(&rig, &create).err, ERR_OK);
    assert_true(core_state_bytes(rig.core) < 100000 * 256);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_names_27),
        cmocka_unit_test(topic_create_judges_27),
        cmocka_unit_test(topics_are_in_name_order),
        cmocka_unit_test(topic_deletion_is_at_once_30_23),
        cmocka_unit_test(topic_deletion_is_reclaimed_in_bounded_steps),
        cmocka_unit_test(partitions_add_30),
        cmocka_unit_test(limits_are_configs),
        cmocka_unit_test(config_set_against_a_revision_28),
        cmocka_unit_test(data_offsets_and_facts),
        cmocka_unit_test(data_widest_spans),
        cmocka_unit_test(depends_on_needs_a_new_append),
        cmocka_unit_test(trim_moves_forward_only_29_46),
        cmocka_unit_test(epoch_raise_24),
        cmocka_unit_test(epoch_trim_keeps_the_newest_24),
        cmocka_unit_test(bundles_must_follow_and_decode),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(idle_partitions_are_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
