// SPDX-License-Identifier: Apache-2.0
// keeper_test.c - upkeep in good times: what was appended is read back byte for byte after any of it,
// whatever raced with it.
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

// ---- merge

static void test_merge(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 40, NULL, NULL);
    topic_create(w, 1, 1, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        produce_mixed(w, 0, 40);
        produce_one(w, 1, 0, 2, 300);
    }
    check_topic(w, 0);
    assert_true(unmerged_extents(w, 0) >= 200);
    uint64_t hash_before = core_state_hash(w->core);
    round_ok(w);
    assert_true(core_state_hash(w->core) != hash_before);
    assert_int_equal(unmerged_extents(w, 0) + unmerged_extents(w, 1), 0);
    check_topic(w, 0);
    check_topic(w, 1);
    // The heavy partition has an object of its own, all others share one.
    const struct extent *heavy = partition_extent(partition_of(w, 0, 3), 0);
    const struct extent *light = partition_extent(partition_of(w, 0, 4), 0);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 3)), 1);
    assert_true(heavy->object != light->object);
    assert_int_equal(core_object_extents(w->core, heavy->object), 1);
    assert_int_equal(core_object_extents(w->core, light->object), 40);
    assert_int_equal(partition_extent(partition_of(w, 1, 0), 0)->object, light->object);
    // Every place that the cache finds is the start of a batch.
    struct object *pin = engine_object_pin(w->engine, heavy->object);
    for (int64_t offset = heavy->base_offset; offset < heavy->end_offset; offset++) {
        struct segment_place place;
        uint8_t head[BATCH_HEADER_SIZE];
        struct batch_header h;
        assert_int_equal(segment_cache_find_offset(w->segments, pin, heavy, offset, &place, NULL), ERR_OK);
        assert_int_equal(engine_object_read(w->engine, pin, place.position, head, sizeof head, NULL), ERR_OK);
        assert_int_equal(batch_header_read(bytes_of(head, sizeof head), &h, NULL), ERR_OK);
        assert_int_equal(h.base_offset, place.base_offset);
        assert_true(place.base_offset <= offset);
    }
    engine_object_unpin(w->engine, pin);
    // Nothing left to do: the next round changes nothing, and the one after it is far away.
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn);
    int64_t next_ns = 0;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    assert_false(keeper_is_behind(w->keeper));
    world_destroy(w);
}

// A host that orders many items at once: one sync for the merge of many partitions.
static void test_merge_submits_all(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->submits_all = true;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 60, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        produce_mixed(w, 0, 60);
    }
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(w->submitted_most, 59);
    assert_in_range(core_lsn(w->core), lsn + 2, lsn + 4); // the heavy one, the others, perhaps a tick
    assert_int_equal(unmerged_extents(w, 0), 0);
    check_topic(w, 0);
    world_destroy(w);
}

// A partition with many tiny extents: REPLACE takes 256 at a time, and a join makes one of the pieces.
static void test_merge_many_extents(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 2, NULL, NULL);
    int64_t now_ms = clock_wall_ms(w->env->clock);
    for (int i = 0; i < 700; i++) {
        struct produce rows[] = {{0, 0, 1, 20, now_ms}, {0, 1, i % 3 == 0, 20, now_ms}};
        produce(w, rows, 2);
    }
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 700);
    round_ok(w);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 1);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 1)), 1);
    check_topic(w, 0);
    world_destroy(w);
}

// Small merged extents are rewritten together: their number stays bounded, and so does the number of objects.
static void test_merge_small_again(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_small_max = 4;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 3, NULL, NULL);
    uint32_t most = 0;
    int64_t now_ms = clock_wall_ms(w->env->clock);
    for (int i = 0; i < 60; i++) {
        struct produce rows[] = {
            {0, 0, 1, 100, now_ms}, {0, 1, 2, 900, now_ms}, {0, 2, i % 10 == 0, 100, now_ms}};
        produce(w, rows, 3);
        round_ok(w);
        for (int32_t p = 0; p < 3; p++) {
            uint32_t count = partition_extent_count(partition_of(w, 0, p));
            most = count > most ? count : most;
        }
    }
    check_topic(w, 0);
    assert_in_range(most, 4, 14);
    assert_true(tally(w).merged < 30);
    assert_true(metric_value(w->keeper->merged_bytes) < 20 * (int64_t)w->expected[0][1].bytes.len);
    world_destroy(w);
}

// ---- races

static int race_step;

static void trim_first(struct world *w, const struct item *item)
{
    if (item->kind != ITEM_REPLACE || race_step++ > 0) {
        return;
    }
    struct item trim = {.kind = ITEM_TRIM, .version = 1};
    int64_t end_offset = item->replace.fresh_extents[item->replace.fresh_count - 1].end_offset;
    trim.trim = (struct item_trim){item->replace.topic_id, item->replace.partition, end_offset - 20};
    assert_int_equal(order_one(w, &trim).err, ERR_OK);
}

static void delete_first(struct world *w, const struct item *item)
{
    if (item->kind != ITEM_REPLACE || race_step++ > 0) {
        return;
    }
    struct item gone = {.kind = ITEM_TOPIC_DELETE, .version = 1};
    gone.topic_delete.topic_id = item->replace.topic_id;
    assert_int_equal(order_one(w, &gone).err, ERR_OK);
}

static void test_replace_races_trim(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 1, NULL, NULL);
    for (int i = 0; i < 300; i++) {
        produce_one(w, 0, 0, 1, 30);
    }
    race_step = 0;
    w->before_submit = trim_first;
    round_ok(w);
    w->before_submit = NULL;
    const struct partition *p = partition_of(w, 0, 0);
    assert_true(partition_log_start(p) > 0);
    assert_true(partition_log_start(p) < partition_high_watermark(p));
    check_topic(w, 0);
    assert_int_equal(unmerged_extents(w, 0), 0);
    produce_one(w, 0, 0, 1, 30);
    round_ok(w);
    check_topic(w, 0);
    world_destroy(w);
}

static void test_replace_races_delete(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 4, NULL, NULL);
    produce_mixed(w, 0, 4);
    race_step = 0;
    w->before_submit = delete_first;
    int64_t next_ns;
    w->keeper->merge = (struct keeper_work){0};
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK); // stale plans are no failure
    w->before_submit = NULL;
    assert_null(core_topic_find_id(w->core, topic_of(0)));
    for (int i = 0; i < 20 && tally(w).merged > 0; i++) { // lazily
        round_ok(w);
    }
    assert_int_equal(tally(w).merged, 0);
    world_destroy(w);
}

// ---- retention

static void test_retention_start(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 1, NULL, NULL);
    static const int64_t stamps[] = {100, -1, 300, 200, -1, 900};
    int64_t ends[6];
    for (int i = 0; i < 6; i++) {
        struct produce row = {0, 0, 1, 1000, stamps[i]};
        produce(w, &row, 1);
        ends[i] = w->expected[0][0].next_offset;
    }
    const struct partition *p = partition_of(w, 0, 0);
    assert_int_equal(partition_extent_count(p), 6);
    int64_t size = partition_extent(p, 0)->length;
    const struct {
        const char *what;
        bool is_deleted;
        int64_t retention_ms;
        int64_t retention_bytes;
        int64_t now_ms;
        int64_t start;
    } rows[] = {
        {"no limits", true, -1, -1, 1 << 20, 0},
        {"compact only", false, 10, 10, 1 << 20, 0},
        {"nothing is old enough", true, 100, -1, 200, 0},
        {"the first is", true, 100, -1, 201, ends[0]},
        {"an extent without timestamps goes with the next", true, 100, -1, 401, ends[3]},
        {"a younger one holds back what is behind it", true, 100, -1, 350, ends[0]},
        {"time empties a partition", true, 100, -1, 5000, ends[5]},
        {"retention 0", true, 0, -1, 901, ends[5]},
        {"retention longer than time", true, 5000, -1, 1000, 0},
        {"size: enough room", true, -1, 6 * size, 0, 0},
        {"size: a whole extent too much", true, -1, 5 * size, 0, ends[0]},
        {"size: less than an extent too much", true, -1, 5 * size + 1, 0, 0},
        {"size 0 keeps the newest", true, -1, 0, 0, ends[4]},
        {"both: time took more", true, 100, 5 * size, 401, ends[3]},
        {"both: size takes more", true, 100, 2 * size, 201, ends[3]},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct topic_settings settings = {.is_deleted = rows[i].is_deleted,
                                          .retention_ms = rows[i].retention_ms,
                                          .retention_bytes = rows[i].retention_bytes};
        int64_t start = keeper_retention_start(p, &settings, rows[i].now_ms);
        if (start != rows[i].start) {
            fail_msg("%s: %lld, not %lld", rows[i].what, (long long)start, (long long)rows[i].start);
        }
    }
    world_destroy(w);
}

static void test_retention_kafka46(void **state)
{
    (void)state;
    struct world *w = world_create();
    int64_t now_ms = clock_wall_ms(w->env->clock);
    topic_create(w, 0, 2, "retention.ms", "60000");
    topic_create(w, 1, 1, "retention.bytes", "1500");
    topic_create(w, 2, 1, "cleanup.policy", "compact");
    for (int i = 0; i < 4; i++) {
        struct produce rows[] = {{0, 0, 1, 1000, now_ms - 3600000},
                                 {0, 1, 1, 1000, i < 2 ? now_ms - 3600000 : now_ms},
                                 {1, 0, 1, 1000, now_ms},
                                 {2, 0, 1, 1000, 1000}};
        produce(w, rows, 4);
    }
    int64_t next_ns;
    assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    // All of it was too old: offsets go on where they were.
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), w->expected[0][0].next_offset);
    assert_int_equal(partition_extent_count(partition_of(w, 0, 0)), 0);
    assert_int_equal(partition_log_start(partition_of(w, 0, 1)), w->expected[0][1].offsets[2]);
    // A segment goes only if what remains still reaches the limit.
    assert_int_equal(partition_log_start(partition_of(w, 1, 0)), w->expected[1][0].offsets[2]);
    assert_int_equal(partition_log_start(partition_of(w, 2, 0)), 0); // its old records were compacted
    for (uint8_t t = 0; t < 2; t++) {
        check_topic(w, t);
    }
    // What had expired was not copied first.
    assert_true(metric_value(w->keeper->merged_bytes) < 8 * 1200);
    // A changed limit takes effect without waiting for the interval.
    config_set(w, 2, "retention.ms", "1000");
    w->keeper->retained_ns = 1;
    assert_true(keeper_plan_next(w->keeper) <= clock_mono_ns(w->env->clock));
    round_ok(w);
    assert_int_equal(partition_extent_count(partition_of(w, 2, 0)), 0);
    world_destroy(w);
}

// After a start the newest bundle may be old: the keeper asks the engine for the time, once.
static void test_retention_asks_time(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 1 << 30;
    world_close(w, true);
    world_open(w);
    w->time_lag_ms = 7200000;
    topic_create(w, 0, 1, "retention.ms", "600000");
    struct produce row = {0, 0, 1, 100, clock_wall_ms(w->env->clock) - 3600000};
    produce(w, &row, 1);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w); // the engine still says that it is early: believed, and not asked again
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn + 1);
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), 0);
    w->keeper->is_time_asked = false; // as after a start
    w->time_lag_ms = 0;
    round_ok(w);
    assert_int_equal(partition_log_start(partition_of(w, 0, 0)), w->expected[0][0].next_offset);
    world_destroy(w);
}

// ---- snapshots and log files

static void test_snapshot_and_reopen(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 20, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        produce_mixed(w, 0, 20);
        round_ok(w);
    }
    produce_mixed(w, 0, 20);      // in the log only
    w->keeper->snapshot_step = 1; // many slices
    uint64_t cut_lsn = core_lsn(w->core);
    assert_int_equal(keeper_snapshot_now(w->keeper, NULL), ERR_OK);
    struct engine_status status;
    engine_status(w->engine, &status);
    assert_int_equal(status.snapshot_lsn, cut_lsn);
    assert_true(status.durable_lsn >= cut_lsn); // appends here do not sync, but a snapshot must not run ahead
    produce_mixed(w, 0, 20);                    // after it
    uint64_t hash = core_state_hash(w->core);
    uint64_t lsn = core_lsn(w->core);
    for (int i = 0; i < 2; i++) {
        world_close(w, i == 0);
        world_open(w);
        assert_int_equal(core_lsn(w->core), lsn);
        assert_int_equal(core_state_hash(w->core), hash);
        check_topic(w, 0);
        assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
        check_topic(w, 0);
    }
    world_destroy(w);
}

static void test_orphans_go(void **state)
{
    (void)state;
    struct world *w = world_create();
    topic_create(w, 0, 4, NULL, NULL);
    produce_mixed(w, 0, 4);
    round_ok(w);
    uint32_t merged = tally(w).merged;
    struct segment_writer *writer = NULL; // a merge that died between seal and REPLACE
    assert_int_equal(segment_writer_create(w->engine, &writer, NULL), ERR_OK);
    uint64_t object = 0;
    assert_int_equal(segment_writer_finish(writer, &object, NULL), ERR_OK);
    segment_writer_destroy(writer);
    assert_int_equal(tally(w).merged, merged + 1);
    round_ok(w); // a running keeper does not touch it
    assert_int_equal(tally(w).merged, merged + 1);
    world_close(w, false);
    world_open(w);
    assert_int_equal(keeper_after_recovery(w->keeper, NULL), ERR_OK);
    assert_int_equal(tally(w).merged, merged);
    check_topic(w, 0);
    world_destroy(w);
}

static void test_log_is_recycled(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 1 << 20;
    w->options.merge_own_bytes = 256 << 10;
    world_close(w, true);
    world_open(w);
    topic_create(w, 0, 8, "retention.bytes", "200000");
    uint32_t most = 0;
    uint64_t produced = 0;
    while (produced < 20 * (uint64_t)WAL_FILE) {
        struct produce rows[8];
        for (int32_t p = 0; p < 8; p++) {
            rows[p] = (struct produce){0, p, 4, 4000, clock_wall_ms(w->env->clock)};
        }
        produce(w, rows, 8);
        produced += 8 * 4 * 4000;
        int64_t next_ns;
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
        struct tally t = tally(w);
        most = t.wal > most ? t.wal : most;
    }
    check_topic(w, 0);
    assert_in_range(most, 1, 6);
    assert_in_range(tally(w).merged, 1, 20);
    for (int32_t p = 0; p < 8; p++) {
        assert_true(partition_log_start(partition_of(w, 0, p)) > 0);
        assert_true(partition_bytes(partition_of(w, 0, p)) < 600000);
    }
    world_destroy(w);
}

// Idle: it sleeps for long. Behind: it says so.
static void test_idle_and_behind(void **state)
{
    (void)state;
    struct world *w = world_create();
    w->options.merge_wal_bytes = 10000;
    w->options.merge_age_ms = 3600000;
    world_close(w, true);
    world_open(w);
    int64_t next_ns = 0;
    for (int i = 0; i < 10; i++) { // the engine prepares its next file
        round_ok(w);
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    }
    assert_true(next_ns == INT64_MAX);
    topic_create(w, 0, 2, "retention.ms", "86400000");
    produce_one(w, 0, 0, 1, 100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(keeper_round(w->keeper, &next_ns, NULL), ERR_OK);
    }
    // The engine's idle mark may be due soon; nothing of the keeper's own is within the next minutes.
    w->keeper->maintain_ns = INT64_MAX;
    assert_true(keeper_plan_next(w->keeper) > clock_mono_ns(w->env->clock) + 60 * 1000000000LL);
    assert_int_equal(unmerged_extents(w, 0), 1);
    assert_false(keeper_is_behind(w->keeper));
    produce_one(w, 0, 1, 1, 30000);
    assert_true(keeper_is_behind(w->keeper));
    round_ok(w);
    assert_false(keeper_is_behind(w->keeper));
    assert_int_equal(unmerged_extents(w, 0), 0);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_submits_all),
        cmocka_unit_test(test_merge_many_extents),
        cmocka_unit_test(test_merge_small_again),
        cmocka_unit_test(test_replace_races_trim),
        cmocka_unit_test(test_replace_races_delete),
        cmocka_unit_test(test_retention_start),
        cmocka_unit_test(test_retention_kafka46),
        cmocka_unit_test(test_retention_asks_time),
        cmocka_unit_test(test_snapshot_and_reopen),
        cmocka_unit_test(test_orphans_go),
        cmocka_unit_test(test_log_is_recycled),
        cmocka_unit_test(test_idle_and_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
