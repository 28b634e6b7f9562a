// SPDX-License-Identifier: Apache-2.0
// What became of records: counted once, whatever their batch goes through, and as much after a restart.
#include "core/core_private.h"
#include "core/rig_test.h"

static void govern(struct rig *rig, uint8_t id, const char *name)
{
    struct item item = rig_create(id, name, 2);
    struct item_config on[] = {{STR("strom.value.validation.level"), STR("contract")}};
    item.topic_create.configs = on;
    item.topic_create.config_count = 1;
    assert_int_equal(rig_one(rig, &item).err, ERR_OK);
    assert_true(topic_is_governed(core_topic_find_id(rig->core, rig_id(id))));
}

static struct item_tally cell(const char *what, uint8_t kind, uint32_t count)
{
    return (struct item_tally){bytes_of(what, strlen(what)), kind, count};
}

// counted makes the item a judged one that is counted.
static struct item counted(struct item item, const char *who, struct item_tally *tallies, uint32_t count)
{
    item.version = 3;
    item.data.flags = DATA_JUDGED;
    item.data.config_revision = 0;
    item.data.tally_who = bytes_of(who, strlen(who));
    item.data.tallies = tallies;
    item.data.tally_count = count;
    return item;
}

static struct item refused(struct item item)
{
    item.data.flags |= DATA_REFUSED;
    item.data.payload_length = 0;
    return item;
}

static uint64_t count_of(const struct core *core, uint8_t id, const char *who, const char *what, uint8_t kind)
{
    const struct topic *topic = core_topic_find_id(core, rig_id(id));
    for (const struct tally *t = topic_tally_next(topic, NULL); t != NULL; t = topic_tally_next(topic, t)) {
        struct tally_view view;
        tally_view(t, &view);
        if (view.kind == kind && bytes_equal(view.who, bytes_of(who, strlen(who))) &&
            bytes_equal(view.what, bytes_of(what, strlen(what)))) {
            return view.count;
        }
    }
    return 0;
}

static uint64_t total_of(const struct core *core, uint8_t id)
{
    const struct topic *topic = core_topic_find_id(core, rig_id(id));
    uint64_t total = 0;
    for (const struct tally *t = topic_tally_next(topic, NULL); t != NULL; t = topic_tally_next(topic, t)) {
        struct tally_view view;
        tally_view(t, &view);
        total += view.count;
    }
    return total;
}

// after_restart gives what a core that is loaded from a snapshot of this one has; the hashes must agree.
static struct core *after_restart(struct rig *rig)
{
    struct buf snapshot;
    struct error e = {0};
    rig_snapshot(rig->core, &snapshot);
    struct core *loaded = core_create();
    assert_int_equal(core_load(loaded, buf_bytes(&snapshot), &e), ERR_OK);
    assert_int_equal(core_state_hash(loaded), core_state_hash(rig->core));
    buf_fini(&snapshot);
    return loaded;
}

static void a_batch_counts_once(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    govern(&rig, 1, "t");
    struct item_tally cells[] = {cell("s/1", TALLY_PASSED, 3), cell("s/1", TALLY_DEAD_LETTERED, 1),
                                 cell("s/1/age", TALLY_FINDING + TALLY_DEAD_LETTERED, 2)};
    struct item item = counted(rig_idempotent(1, 0, 7, 0, 0, 4), "app", cells, 3);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    struct outcome again = rig_one(&rig, &item);
    assert_true(again.is_duplicate);
    struct item fenced = counted(rig_idempotent(1, 0, 7, 1, 0, 4), "app", cells, 3);
    assert_int_equal(rig_one(&rig, &fenced).err, ERR_OK);
    item = counted(rig_idempotent(1, 0, 7, 0, 4, 4), "app", cells, 3);
    assert_int_equal(rig_one(&rig, &item).err, ERR_INVALID_PRODUCER_EPOCH);
    item = counted(rig_idempotent(1, 0, 7, 1, 99, 4), "app", cells, 3);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OUT_OF_ORDER_SEQUENCE);
    item = counted(rig_idempotent(1, 0, 7, 1, 4, 4), "app", cells, 3);
    item.data.config_revision = 5;
    assert_int_equal(rig_one(&rig, &item).err, ERR_STALE);
    assert_int_equal(count_of(rig.core, 1, "app", "s/1", TALLY_PASSED), 6);
    assert_int_equal(count_of(rig.core, 1, "app", "s/1", TALLY_DEAD_LETTERED), 2);
    assert_int_equal(count_of(rig.core, 1, "app", "s/1/age", TALLY_FINDING + TALLY_DEAD_LETTERED), 4);
    struct item_tally no[] = {cell("s/1", TALLY_REFUSED, 4)};
    item = refused(counted(rig_idempotent(1, 0, 7, 1, 4, 4), "app", no, 1));
    struct outcome outcome = rig_one(&rig, &item);
    assert_true(outcome.is_refused);
    assert_int_equal(count_of(rig.core, 1, "app", "s/1", TALLY_REFUSED), 4);
    item.data.config_revision = 5; // a refusal that is stale is none
    assert_int_equal(rig_one(&rig, &item).err, ERR_STALE);
    assert_int_equal(total_of(rig.core, 1), 16);
    struct core *loaded = after_restart(&rig);
    assert_int_equal(total_of(loaded, 1), 16);
    assert_int_equal(count_of(loaded, 1, "app", "s/1", TALLY_REFUSED), 4);
    core_destroy(loaded);
    rig_fini(&rig);
}

// A snapshot is of its moment, whatever is counted, made and deleted while it is handed out.
static void a_cut_has_what_was_counted_before_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    govern(&rig, 1, "a");
    govern(&rig, 2, "b");
    char names[40][8];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "s%d", i);
        struct item_tally cells[] = {cell(names[i], TALLY_PASSED, 1)};
        struct item item = counted(rig_data((uint8_t)(1 + i % 2), 0, 1), "app", cells, 1);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    }
    uint64_t before = core_state_hash(rig.core);
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    core_snapshot_begin(rig.core);
    for (int i = 0; !core_snapshot_step(rig.core, 1, &out); i++) {
        struct item_tally cells[] = {cell(names[(i * 7) % 40], TALLY_PASSED, 100),
                                     cell("new", TALLY_MARKED, 1)};
        if (i < 20) {
            struct item item = counted(rig_data(1, 0, 1), i % 2 == 0 ? "app" : "other", cells, 2);
            assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
        }
        if (i == 12) {
            struct item gone = rig_delete(2);
            assert_int_equal(rig_one(&rig, &gone).err, ERR_OK);
            assert_int_equal(core_tally_count(rig.core),
                             topic_tally_count(core_topic_find_id(rig.core, rig_id(1))));
        }
    }
    struct core *loaded = core_create();
    struct error e = {0};
    assert_int_equal(core_load(loaded, buf_bytes(&out), &e), ERR_OK);
    assert_int_equal(core_state_hash(loaded), before);
    assert_int_equal(total_of(loaded, 1), 20);
    assert_int_equal(total_of(loaded, 2), 20);
    core_destroy(loaded);
    buf_fini(&out);
    rig_fini(&rig);
}

// Clients choose their names: what finds no room is counted with others, and all adds up.
static void cells_are_bounded(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    govern(&rig, 1, "t");
    govern(&rig, 2, "other");
    char name[16];
    uint64_t sent = 0;
    for (int i = 0; i < 2 * TALLY_TOPIC_MAX; i++, sent += 3) {
        snprintf(name, sizeof name, "%d", i);
        struct item_tally cells[] = {cell("same", TALLY_PASSED, 2), cell(name, TALLY_MARKED, 1)};
        struct item item = counted(rig_data(1, 0, 1), name, cells, 2);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    }
    const struct topic *topic = core_topic_find_id(rig.core, rig_id(1));
    assert_in_range(topic_tally_count(topic), TALLY_TOPIC_MAX, TALLY_TOPIC_MAX + TALLY_KINDS);
    assert_int_equal(total_of(rig.core, 1), sent);
    assert_int_equal(count_of(rig.core, 1, "0", "same", TALLY_PASSED), 2);
    assert_true(count_of(rig.core, 1, "", "same", TALLY_PASSED) > 0);
    assert_true(count_of(rig.core, 1, "", "", TALLY_MARKED) > 0);
    struct item_tally cells[] = {cell("x", TALLY_PASSED, 1)};
    struct item item = counted(rig_data(2, 0, 1), "app", cells, 1); // another topic has its room
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(count_of(rig.core, 2, "app", "x", TALLY_PASSED), 1);
    struct core *loaded = after_restart(&rig);
    assert_int_equal(core_tally_count(loaded), core_tally_count(rig.core));
    core_destroy(loaded);
    rig_fini(&rig);
}

static uint64_t passed_lately(const struct rig *rig, int64_t now_ms, enum tally_window window)
{
    struct tally_recent recent[TALLY_WINDOWS];
    topic_tally_recent(rig->core, core_topic_find_id(rig->core, rig_id(1)), now_ms, recent);
    return recent[window].counts[TALLY_PASSED];
}

static void windows_move_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    govern(&rig, 1, "t");
    struct item_tally cells[] = {cell("s", TALLY_PASSED, 5), cell("s", TALLY_FINDING + TALLY_OBSERVED, 1)};
    struct item item = counted(rig_data(1, 0, 1), "app", cells, 2);
    assert_int_equal(passed_lately(&rig, 0, TALLY_MINUTE), 0);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    rig.time_ms += 30000;
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    int64_t now_ms = core_stamp_ms(rig.core);
    const struct {
        int64_t later_ms;
        uint64_t passed[TALLY_WINDOWS];
    } rows[] = {
        {0, {10, 10, 10}},         {35000, {5, 10, 10}},       {120000, {0, 10, 10}},
        {2 * 3600000, {0, 0, 10}}, {23 * 3600000, {0, 0, 10}}, {25 * 3600000, {0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int w = 0; w < TALLY_WINDOWS; w++) {
            assert_int_equal(passed_lately(&rig, now_ms + rows[i].later_ms, (enum tally_window)w),
                             rows[i].passed[w]);
        }
    }
    rig.time_ms += 25 * 3600000; // a slot that is used again begins with 0
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(passed_lately(&rig, core_stamp_ms(rig.core), TALLY_DAY), 5);
    rig_fini(&rig);
}

// A rate is by the time that was watched, or an hour after a restart would look quiet.
static void a_window_tells_what_it_covers(void **state)
{
    (void)state;
    struct rig rig;
    struct tally_recent recent[TALLY_WINDOWS];
    rig_init(&rig);
    govern(&rig, 1, "t");
    const struct topic *topic = core_topic_find_id(rig.core, rig_id(1));
    int64_t begun_ms = core_stamp_ms(rig.core);
    topic_tally_recent(rig.core, topic, begun_ms + 20000, recent);
    assert_int_equal(recent[TALLY_MINUTE].window_ms, 60000);
    assert_int_equal(recent[TALLY_HOUR].window_ms, 3600000);
    assert_int_equal(recent[TALLY_DAY].window_ms, 86400000);
    for (int w = 0; w < TALLY_WINDOWS; w++) {
        assert_int_equal(recent[w].covered_ms, 20000);
    }
    topic_tally_recent(rig.core, topic, begun_ms - 1, recent);
    assert_int_equal(recent[TALLY_MINUTE].covered_ms, 0);
    int64_t hour_later = begun_ms + 3600000 - begun_ms % 5000; // where a step of the minute begins
    topic_tally_recent(rig.core, topic, hour_later, recent);
    assert_int_equal(recent[TALLY_MINUTE].covered_ms, 55000);
    assert_int_equal(recent[TALLY_DAY].covered_ms, hour_later - begun_ms);
    struct core *loaded = after_restart(&rig);
    topic_tally_recent(loaded, core_topic_find_id(loaded, rig_id(1)), begun_ms + 7000, recent);
    assert_int_equal(recent[TALLY_DAY].covered_ms, 7000);
    core_destroy(loaded);
    rig_fini(&rig);
}

static void hostile_bytes_are_refused(void **state)
{
    (void)state;
    struct item_tally cells[] = {cell("s", TALLY_PASSED, 1)};
    struct item item = counted(rig_data(1, 0, 1), "app", cells, 1);
    struct buf out;
    struct arena arena;
    struct error e;
    buf_init(&out, SIZE_MAX / 2);
    arena_init(&arena, 1 << 20);
    item_encode(&item, &out);
    assert_false(out.failed);
    assert_true(out.len <= item_encoded_max(&item));
    const struct {
        size_t from_end;
        uint8_t byte;
    } bad[] = {{5, TALLY_KINDS}, {7, 9}, {8, 0xff}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) { // its kind, and the length of its name, twice
        uint8_t *at = &out.ptr[out.len - bad[i].from_end];
        uint8_t good = *at;
        struct reader r = reader_init(buf_bytes(&out));
        struct item decoded;
        *at = bad[i].byte;
        assert_int_equal(item_decode(&r, &arena, &decoded, &e), ERR_CORRUPT);
        *at = good;
    }
    cells[0].count = 0;
    buf_reset(&out);
    item_encode(&item, &out);
    struct reader r = reader_init(buf_bytes(&out));
    struct item decoded;
    assert_int_equal(item_decode(&r, &arena, &decoded, &e), ERR_CORRUPT);
    arena_fini(&arena);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_counts_once),
        cmocka_unit_test(a_cut_has_what_was_counted_before_it),
        cmocka_unit_test(cells_are_bounded),
        cmocka_unit_test(windows_move_on),
        cmocka_unit_test(a_window_tells_what_it_covers),
        cmocka_unit_test(hostile_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
