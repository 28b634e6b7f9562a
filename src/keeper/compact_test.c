// SPDX-License-Identifier: Apache-2.0
// compact_test.c - the parts of compaction: the map of keys, what is due when, and single rules.
#include "keeper/compact_private.h"
#include "keeper/rig_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

// ---- the map

// Vectors of the reference implementation: key 00..0f, input 00..n-1.
static void test_digest(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t digest[16];
    } rows[] = {
        {0, {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93}},
        {1, {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45}},
    };
    const uint64_t seed[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t in[64];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t got[2];
        compact_digest(seed, bytes_of(in, rows[i].len), got);
        for (size_t j = 0; j < 16; j++) {
            assert_int_equal((got[j / 8] >> (8 * (j % 8))) & 0xff, rows[i].digest[j]);
        }
    }
    uint64_t all[64][2]; // every length counts
    for (size_t i = 0; i < 64; i++) {
        compact_digest(seed, bytes_of(in, i), all[i]);
        for (size_t j = 0; j < i; j++) {
            assert_true(all[i][0] != all[j][0] && all[i][1] != all[j][1]);
        }
    }
}

static void test_map(void **state)
{
    (void)state;
    struct world *w = world_create();
    struct compact_map map;
    compact_map_init(&map, 24 * 1000, UINT64_MAX, w->env->rng);
    assert_int_equal(map.count_max, 900);
    for (int i = 0; i < 900; i++) {
        assert_true(compact_map_put(&map, bytes_of((uint8_t *)&i, sizeof i), i));
    }
    int more = 900;
    assert_false(compact_map_put(&map, bytes_of((uint8_t *)&more, sizeof more), 900));
    int first = 0;
    assert_true(
        compact_map_put(&map, bytes_of((uint8_t *)&first, sizeof first), 1000)); // known: there is room
    assert_int_equal(compact_map_find(&map, bytes_of((uint8_t *)&first, sizeof first)), 1000);
    assert_true(compact_map_put(&map, bytes_of((uint8_t *)&first, sizeof first), 5)); // the newest counts
    assert_int_equal(compact_map_find(&map, bytes_of((uint8_t *)&first, sizeof first)), 1000);
    for (int i = 1; i < 900; i++) {
        assert_int_equal(compact_map_find(&map, bytes_of((uint8_t *)&i, sizeof i)), i);
    }
    assert_int_equal(compact_map_find(&map, bytes_of((uint8_t *)&more, sizeof more)), -1);
    compact_map_reset(&map);
    assert_int_equal(compact_map_find(&map, bytes_of((uint8_t *)&first, sizeof first)), -1);
    compact_map_fini(&map);
    compact_map_init(&map, 1 << 30, 10, w->env->rng); // no more than the keys need
    assert_true(map.slot_count < 20 && map.count_max >= 10);
    compact_map_fini(&map);
    world_destroy(w);
}

// ---- what is due

struct config_row {
    const char *name;
    const char *value;
};

static void compacted_topic(struct world *w, const struct config_row *rows, uint32_t count)
{
    struct item_config configs[8] = {{STR("cleanup.policy"), STR("compact")}};
    for (uint32_t i = 0; i < count; i++) {
        configs[i + 1] = (struct item_config){str_from_c(rows[i].name), str_from_c(rows[i].value)};
    }
    struct item item = {.kind = ITEM_TOPIC_CREATE, .version = 1};
    item.topic_create = (struct item_topic_create){topic_of(0), STR("t"), 1, configs, count + 1};
    assert_int_equal(order_one(w, &item).err, ERR_OK);
}

static void put(struct world *w, const char *key, size_t value_size, int64_t age_ms)
{
    struct batch_options options = batch_options_default();
    struct batch_builder b;
    batch_builder_init(&b, &options);
    uint8_t *value = mem_zalloc(value_size + 1);
    int64_t timestamp = clock_wall_ms(w->env->clock) - age_ms;
    batch_builder_append(&b, timestamp, bytes_of((const uint8_t *)key, strlen(key)),
                         value_size == 0 ? (struct bytes){NULL, 0} : bytes_of(value, value_size), NULL, 0);
    struct buf out;
    buf_init(&out, 64 << 20);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    struct item_data data = {
        .topic_id = topic_of(0),
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
        .offset_span = 1,
        .record_count = 1,
        .max_timestamp = timestamp,
    };
    assert_int_equal(order_batch(w, &data, buf_bytes(&out)).err, ERR_OK);
    buf_fini(&out);
    mem_free(value);
    batch_builder_fini(&b);
}

// clean_end: where the compacted part ends.
static int64_t clean_end(struct world *w)
{
    const struct partition *p = partition_of(w, 0, 0);
    int64_t end = 0;
    for (uint32_t i = 0; i < partition_extent_count(p); i++) {
        if ((partition_extent(p, i)->flags & EXTENT_CLEAN) == 0) {
            break;
        }
        end = partition_extent(p, i)->end_offset;
    }
    return end;
}

static struct world *world_without_merges(void)
{
    struct world *w = world_create();
    w->options.merge_wal_bytes = 1 << 30; // each batch stays an extent
    world_close(w, true);
    world_open(w);
    return w;
}

static void test_lags(void **state)
{
    (void)state;
    static const struct {
        struct config_row configs[4];
        int64_t ages_ms[4];
        int64_t end; // of what is compacted
    } rows[] = {
        {{{"segment.ms", "1000"}}, {9000, 8000, 7000, 6000}, 4},
        {{{"segment.ms", "7500"}}, {9000, 8000, 7000, 6000}, 2}, // the rest is in the active segment
        {{{"segment.ms", "604800000"}}, {9000, 8000, 7000, 6000}, 0},
        {{{"segment.ms", "1"}, {"min.compaction.lag.ms", "7500"}}, {9000, 8000, 7000, 6000}, 2},
        {{{"segment.ms", "1"}, {"min.compaction.lag.ms", "7500"}}, {9000, 7000, 8000, 8000}, 1},
        // Waited too long: the active segment does not count, the minimum does.
        {{{"segment.ms", "604800000"}, {"max.compaction.lag.ms", "8500"}}, {9000, 8000, 7000, 6000}, 4},
        {{{"segment.ms", "604800000"}, {"max.compaction.lag.ms", "9500"}}, {9000, 8000, 7000, 6000}, 0},
        {{{"max.compaction.lag.ms", "8500"}, {"min.compaction.lag.ms", "7500"}}, {9000, 8000, 7000, 6000}, 2},
        {{{"segment.ms", "1"}, {"cleanup.policy", "delete"}}, {9000, 8000, 7000, 6000}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_without_merges();
        uint32_t count = 0;
        while (rows[i].configs[count].name != NULL) {
            count++;
        }
        bool is_deleted = strcmp(rows[i].configs[count - 1].name, "cleanup.policy") == 0;
        if (is_deleted) {
            topic_create(w, 0, 1, "segment.ms", "1");
        } else {
            compacted_topic(w, rows[i].configs, count);
        }
        for (int j = 0; j < 4; j++) {
            put(w, "k", 100, rows[i].ages_ms[j]);
        }
        round_ok(w);
        if (clean_end(w) != rows[i].end) {
            fail_msg("row %zu: compacted up to %lld, not %lld", i, (long long)clean_end(w),
                     (long long)rows[i].end);
        }
        world_destroy(w);
    }
}

// A full segment is not the active one, however young.
static void test_segment_bytes(void **state)
{
    (void)state;
    struct world *w = world_without_merges();
    compacted_topic(w, (struct config_row[]){{"segment.bytes", "1048576"}}, 1);
    for (int i = 0; i < 8; i++) {
        put(w, "k", 300000, 0);
    }
    round_ok(w);
    assert_int_equal(clean_end(w), 4); // behind each of the first four lie a million bytes
    world_destroy(w);
}

static void test_dirty_ratio(void **state)
{
    (void)state;
    struct world *w = world_without_merges();
    compacted_topic(w, (struct config_row[]){{"segment.ms", "1"}, {"min.cleanable.dirty.ratio", "0.5"}}, 2);
    for (int i = 0; i < 10; i++) {
        put(w, (char[]){'a' + (char)i, 0}, 1000, 5000);
    }
    round_ok(w);
    assert_int_equal(clean_end(w), 10);
    for (int i = 0; i < 9; i++) { // less than half
        put(w, "a", 1000, 5000);
        round_ok(w);
        assert_int_equal(clean_end(w), 10);
    }
    put(w, "a", 1000, 5000);
    put(w, "a", 1000, 5000);
    round_ok(w);
    assert_int_equal(clean_end(w), 21);
    assert_int_equal(metric_value(w->keeper->compactions), 2);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w); // nothing more to do
    assert_int_equal(core_lsn(w->core), lsn);
    world_destroy(w);
}

// Idle, the keeper wakes when a record leaves the active segment, and not before.
static void test_wakes_by_time(void **state)
{
    (void)state;
    struct world *w = world_without_merges();
    compacted_topic(w, (struct config_row[]){{"segment.ms", "60000"}}, 1);
    put(w, "k", 100, 5000);
    int64_t next_ns = 0;
    round_ok(w);
    w->options.snapshot_wal_bytes = 1;
    assert_int_equal(keeper_snapshot_now(w->keeper, NULL), ERR_OK);
    next_ns = w->keeper->compact_next_ns;
    int64_t wait_ms = (next_ns - clock_mono_ns(w->env->clock)) / MS_NS;
    assert_true(wait_ms > 50000 && wait_ms <= 55000);
    w->keeper->anchor_ms += 60000;
    round_ok(w);
    assert_int_equal(clean_end(w), 1);
    assert_true(w->keeper->compact_next_ns == KEEPER_NEVER);
    world_destroy(w);
}

// ---- more keys than the map holds

static void test_rounds(void **state)
{
    (void)state;
    struct world *w = world_without_merges();
    w->options.compact_map_bytes = 1; // the least: 2,457 keys
    world_close(w, true);
    world_open(w);
    compacted_topic(w, (struct config_row[]){{"segment.ms", "1"}}, 1);
    struct batch_options options = batch_options_default();
    int64_t old_ms = clock_wall_ms(w->env->clock) - 5000;
    for (int n = 0; n < 20; n++) { // 10,000 keys, each twice
        struct batch_builder b;
        batch_builder_init(&b, &options);
        for (int i = 0; i < 1000; i++) {
            char key[16];
            snprintf(key, sizeof key, "key%d", n % 10 * 1000 + i);
            struct bytes text = bytes_of((const uint8_t *)key, strlen(key));
            batch_builder_append(&b, old_ms, text, text, NULL, 0);
        }
        struct buf out;
        buf_init(&out, 1 << 20);
        assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
        struct item_data data = {topic_of(0), 0, -1, -1, 0, -1, 1000, 1000, old_ms, 0, 0, 0};
        assert_int_equal(order_batch(w, &data, buf_bytes(&out)).err, ERR_OK);
        buf_fini(&out);
        batch_builder_fini(&b);
    }
    round_ok(w);
    assert_int_equal(clean_end(w), 20000);
    const struct partition *p = partition_of(w, 0, 0);
    uint64_t records = 0;
    for (uint32_t i = 0; i < partition_extent_count(p); i++) {
        records += partition_extent(p, i)->record_count;
    }
    assert_int_equal(records, 10000);
    world_destroy(w);
}

// A batch whose keys alone do not fit stops the compaction of its partition there, and of no other.
static void test_too_many_keys(void **state)
{
    (void)state;
    struct world *w = world_without_merges();
    w->options.compact_map_bytes = 1;
    world_close(w, true);
    world_open(w);
    compacted_topic(w, (struct config_row[]){{"segment.ms", "1"}}, 1);
    put(w, "a", 10, 5000);
    put(w, "a", 10, 5000);
    struct batch_options options = batch_options_default();
    struct batch_builder b;
    batch_builder_init(&b, &options);
    int64_t old_ms = clock_wall_ms(w->env->clock) - 5000;
    for (int i = 0; i < 3000; i++) {
        batch_builder_append(&b, old_ms, bytes_of((uint8_t *)&i, sizeof i), bytes_of((uint8_t *)&i, sizeof i),
                             NULL, 0);
    }
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    struct item_data data = {topic_of(0), 0, -1, -1, 0, -1, 3000, 3000, old_ms, 0, 0, 0};
    assert_int_equal(order_batch(w, &data, buf_bytes(&out)).err, ERR_OK);
    buf_fini(&out);
    batch_builder_fini(&b);
    put(w, "a", 10, 5000);
    round_ok(w);
    assert_int_equal(clean_end(w), 2);
    round_ok(w);
    assert_int_equal(metric_value(w->keeper->compact_stuck), 1);
    uint64_t lsn = core_lsn(w->core);
    round_ok(w);
    assert_int_equal(core_lsn(w->core), lsn);
    world_destroy(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),      cmocka_unit_test(test_map),
        cmocka_unit_test(test_lags),        cmocka_unit_test(test_segment_bytes),
        cmocka_unit_test(test_dirty_ratio), cmocka_unit_test(test_wakes_by_time),
        cmocka_unit_test(test_rounds),      cmocka_unit_test(test_too_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
