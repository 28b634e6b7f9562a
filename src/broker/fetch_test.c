// SPDX-License-Identifier: Apache-2.0
// Fetch: limits and their order, parking and waking, and the same offsets whatever the bytes come from.
#include "broker/test_rig.h"

enum { SOON_MS = 50, LONG_MS = 3600000 };

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig_set(&rig, "strom.snapshot.wal.bytes", "16384");
    rig_set(&rig, "log.retention.ms", "-1"); // the tests' records are from 1970
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static void sleep_ms(struct rig *rig, int64_t ms)
{
    mutex_lock(&rig->lock);
    int64_t until_ns = clock_mono_ns(rig->env->clock) + ms * 1000000;
    while (cond_wait(&rig->done, &rig->lock, until_ns)) {
    }
    mutex_unlock(&rig->lock);
}

// A start from a snapshot alone, with no bundle after it, must know every partition's waiters.
static void parks_after_start_from_snapshot_alone(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 3);
    produce(rig, "t", 2, batch_make(rig, 1, 10, 1000));
    struct error e = {0};
    assert_int_equal(keeper_snapshot_now(rig->broker->keeper, &e), ERR_OK);
    rig_stop(rig);
    rig_start(rig);
    struct fetch_part part = fetch_part_of("t", 2, 1);
    struct fetching f;
    fetch_begin(rig, &f, &part, 1, LONG_MS, 1, 1 << 20);
    sleep_ms(rig, SOON_MS);
    assert_false(rig_is_done(&f.call));
    assert_int_equal(produce(rig, "t", 2, batch_make(rig, 1, 10, 1000)), 1);
    rig_wait(&f.call);
    assert_int_equal(fetch_read(rig, &f, 0).first_offset, 1);
    fetch_end(rig, &f);
    rig_stop(rig);
}

static void limits(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 3); // 0 is empty, 1 and 2 hold three batches each
    struct bytes batch = batch_make(rig, 1, 1000, 1000);
    int32_t size = (int32_t)batch.len;
    for (int i = 0; i < 3; i++) {
        produce(rig, "t", 1, batch);
        produce(rig, "t", 2, batch);
    }
    const struct {
        int32_t part_max, max;
        uint32_t batches[3]; // of partitions 0, 1, 2 asked in this order
    } cases[] = {
        {1 << 20, 1 << 20, {0, 3, 3}},
        {1 << 20, 4 * size, {0, 3, 1}},
        {1 << 20, 4 * size - 1, {0, 3, 0}},
        {2 * size, 1 << 20, {0, 2, 2}},
        {2 * size - 1, 1 << 20, {0, 1, 1}},
        {size, 1 << 20, {0, 1, 1}},
        {size - 1, 1 << 20, {0, 1, 0}}, // KIP-74: only the first with data may exceed its limit
        {1, 1, {0, 1, 0}},
        {0, 0, {0, 1, 0}},
        {1 << 20, 0, {0, 1, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fetch_part parts[3];
        for (int32_t p = 0; p < 3; p++) {
            parts[p] = fetch_part_of("t", p, 0);
            parts[p].bytes_max = cases[i].part_max;
        }
        struct fetching f;
        fetch_begin(rig, &f, parts, 3, 0, 1, cases[i].max);
        rig_wait(&f.call);
        for (uint32_t p = 0; p < 3; p++) {
            struct got got = fetch_read(rig, &f, p);
            if (got.batches != cases[i].batches[p] || parts[p].err != ERR_OK ||
                parts[p].high_watermark != (p == 0 ? 0 : 3)) {
                fail_msg("case %zu, partition %u: %u batches, error %s", i, p, got.batches,
                         err_name(parts[p].err));
            }
        }
        fetch_end(rig, &f);
    }
    rig_stop(rig);
}

static void waits_for_bytes_min(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 2);
    struct bytes batch = batch_make(rig, 1, 1000, 1000);
    produce(rig, "t", 0, batch); // counts towards the minimum from the start
    struct fetch_part parts[2] = {fetch_part_of("t", 0, 0), fetch_part_of("t", 1, 0)};
    struct fetching f;
    fetch_begin(rig, &f, parts, 2, LONG_MS, 3 * (int32_t)batch.len, 1 << 20);
    produce(rig, "t", 1, batch);
    sleep_ms(rig, SOON_MS);
    assert_false(rig_is_done(&f.call));
    produce(rig, "t", 0, batch);
    rig_wait(&f.call);
    assert_int_equal(fetch_read(rig, &f, 0).batches, 2);
    assert_int_equal(fetch_read(rig, &f, 1).batches, 1);
    fetch_end(rig, &f);
    // Not enough by the deadline: what there is.
    parts[0] = fetch_part_of("t", 0, 0);
    fetch_begin(rig, &f, parts, 1, SOON_MS, 1 << 20, 1 << 20);
    rig_wait(&f.call);
    assert_int_equal(fetch_read(rig, &f, 0).batches, 2);
    fetch_end(rig, &f);
    rig_stop(rig);
}

// The same partition twice in one op, and several ops on one partition: waking one must not lose another.
static void wakes_everybody_on_a_partition(void **state)
{
    enum { OPS = 5 };
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 2);
    struct fetch_part parts[OPS][3];
    struct fetching f[OPS];
    for (int i = 0; i < OPS; i++) {
        for (int p = 0; p < 3; p++) {
            parts[i][p] = fetch_part_of("t", p == 1 ? 1 : 0, 0);
        }
        fetch_begin(rig, &f[i], parts[i], 3, LONG_MS, 1, 1 << 20);
    }
    sleep_ms(rig, SOON_MS);
    produce(rig, "t", 0, batch_make(rig, 1, 10, 1000));
    for (uint32_t i = 0; i < OPS; i++) {
        rig_wait(&f[i].call);
        assert_int_equal(fetch_read(rig, &f[i], 0).batches, 1);
        assert_int_equal(fetch_read(rig, &f[i], 1).batches, 0);
        assert_int_equal(fetch_read(rig, &f[i], 2).batches, 1);
        fetch_end(rig, &f[i]);
    }
    rig_stop(rig);
}

static void parked_fetch_ends_when(void **state)
{
    enum { DELETED, CANCELLED, STOPPED };
    for (int how = DELETED; how <= STOPPED; how++) {
        struct rig *rig = *state;
        rig_start(rig);
        topic_make(rig, "gone", 1);
        struct fetch_part part = fetch_part_of("gone", 0, 0);
        struct fetching f;
        fetch_begin(rig, &f, &part, 1, LONG_MS, 1, 1 << 20);
        sleep_ms(rig, SOON_MS);
        assert_false(rig_is_done(&f.call));
        if (how == CANCELLED) {
            fetch_cancel(&f);
        } else if (how == STOPPED) {
            broker_stop(rig->broker);
        }
        if (how != STOPPED) {
            topic_drop(rig, "gone");
        }
        rig_wait(&f.call);
        assert_int_equal(part.err, how == DELETED ? ERR_UNKNOWN_PARTITION : ERR_OK);
        fetch_end(rig, &f);
        if (how == STOPPED) {
            // Nothing parks, and nothing is appended, from here on.
            fetch_begin(rig, &f, &part, 1, LONG_MS, 1, 1 << 20);
            rig_wait(&f.call);
            fetch_end(rig, &f);
            struct produce_part late = {.topic_name = STR("gone"), .batch = batch_make(rig, 1, 1, 1000)};
            produce_parts(rig, &late, 1);
            assert_int_equal(late.err, ERR_STOPPING);
        }
        rig_stop(rig);
    }
}

// Five sizes of answers over batches in the tail cache, in the log, in merged objects, and over all mixed.
static void every_source_gives_the_same_offsets(void **state)
{
    enum { BATCHES = 50 };
    static const int32_t sizes[] = {1, 3000, 20000, 100000, 1 << 20};
    struct rig *rig = *state;
    rig_set(rig, "strom.merge.wal.bytes", "16384");
    rig->tail_cache_bytes = 32 << 10;
    rig_start(rig);
    topic_make(rig, "t", 1);
    topic_make(rig, "u", 1);
    int64_t end = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < BATCHES; i++) {
            struct bytes batch = batch_make(rig, 1 + i % 3, (size_t)(i * 37 % 2000), 1000 + end);
            struct produce_part parts[2] = {{.topic_name = STR("u"), .batch = batch},
                                            {.topic_name = STR("t"), .batch = batch}};
            produce_parts(rig, parts, 2);
            assert_int_equal(parts[1].err, ERR_OK);
            assert_int_equal(parts[1].base_offset, end);
            end += 1 + i % 3;
        }
        if (round == 1) {
            int64_t next_ns;
            struct error e = {0};
            assert_int_equal(keeper_round(rig->broker->keeper, &next_ns, &e), ERR_OK);
        } else if (round == 2) {
            rig_stop(rig);
            rig_start(rig);
        }
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (int64_t from = 0; from < end; from += 1 + end / 3) {
                struct got got = fetch_all(rig, "t", from, sizes[s]);
                assert_int_equal(got.err, ERR_OK);
                assert_int_equal(got.next_offset, end);
                assert_true(got.first_offset <= from);
            }
        }
    }
    rig_stop(rig);
}

static struct got fetch_one(struct rig *rig, const char *topic, int64_t offset, int32_t bytes_max)
{
    struct fetch_part part = fetch_part_of(topic, 0, offset);
    part.bytes_max = bytes_max;
    struct fetching f;
    fetch_begin(rig, &f, &part, 1, LONG_MS, 1, bytes_max); // it must not wait
    rig_wait(&f.call);
    assert_int_equal(part.err, ERR_OK);
    struct got got = fetch_read(rig, &f, 0);
    fetch_end(rig, &f);
    return got;
}

// Only the newest record of the one key is left: whatever offset is asked for, that comes.
static void offsets_that_compaction_took(void **state)
{
    struct rig *rig = *state;
    rig_set(rig, "log.cleanup.policy", "compact");
    rig_set(rig, "log.roll.ms", "1");
    rig_set(rig, "log.cleaner.min.cleanable.ratio", "0");
    rig_start(rig);
    topic_make(rig, "t", 1);
    for (int i = 0; i < 5; i++) {
        produce(rig, "t", 0, batch_make(rig, 10, 1000, 1000 + i * 10));
        int64_t next_ns;
        struct error e = {0};
        assert_int_equal(keeper_round(rig->broker->keeper, &next_ns, &e), ERR_OK);
        for (int64_t from = 0; from < (i + 1) * 10; from++) {
            struct got got = fetch_one(rig, "t", from, from % 2 == 0 ? 1 : 1 << 20);
            assert_int_equal(got.first_offset, i * 10);
            assert_int_equal(got.next_offset, i * 10 + 10);
            assert_int_equal(got.batches, 1);
        }
        struct offset_query q;
        list_offset(rig, "t", 1, &q);
        assert_int_equal(q.offset, i * 10 + 9);
        list_offset(rig, "t", OFFSET_MAX_TIMESTAMP, &q);
        assert_int_equal(q.offset, i * 10 + 9);
    }
    rig_stop(rig);
}

// gap_make replaces everything in the topic by one batch without records.
static void gap_make(struct rig *rig, const char *topic, int64_t end_offset)
{
    struct broker *b = rig->broker;
    struct extent olds[64];
    struct item item = {.kind = ITEM_REPLACE, .version = 1};
    mutex_lock(&b->lock);
    struct topic *t = core_topic_find(b->core, str_from_c(topic));
    const struct partition *p = topic_partition(t, 0);
    uint32_t count = partition_extent_count(p);
    assert_true(count <= 64);
    for (uint32_t i = 0; i < count; i++) {
        olds[i] = *partition_extent(p, i);
    }
    item.replace = (struct item_replace){.topic_id = topic_id(t), .old_extents = olds, .old_count = count};
    mutex_unlock(&b->lock);
    struct batch_options options = batch_options_default();
    options.leader_epoch = 0;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    batch_builder_extend(&builder, end_offset - 1);
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(batch_builder_finish(&builder, &out, NULL), ERR_OK);
    batch_builder_fini(&builder);
    struct batch_header header;
    assert_int_equal(batch_header_read(buf_bytes(&out), &header, NULL), ERR_OK);
    struct segment_writer *w = NULL;
    struct extent fresh;
    uint64_t object = 0;
    assert_int_equal(segment_writer_create(b->engine, &w, NULL), ERR_OK);
    segment_writer_run_begin(w, item.replace.topic_id, 0);
    assert_int_equal(segment_writer_batch(w, &header, buf_bytes(&out), NULL), ERR_OK);
    segment_writer_run_end(w, &fresh);
    assert_int_equal(segment_writer_finish(w, &object, NULL), ERR_OK);
    segment_writer_destroy(w);
    buf_fini(&out);
    item.replace.fresh_extents = &fresh;
    item.replace.fresh_count = 1;
    struct outcome outcome;
    struct error e = {0};
    assert_int_equal(broker_change_wait(b, &item, &outcome, &e), ERR_OK);
    assert_int_equal(outcome.err, ERR_OK);
}

// Nothing but a gap below the high watermark: a control batch takes the client past it, as kafkajs never
// advances past an empty batch.
static void a_gap_up_to_the_end(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 1);
    for (int i = 0; i < 3; i++) {
        produce(rig, "t", 0, batch_make(rig, 10, 1000, 1000));
    }
    gap_make(rig, "t", 30);
    for (int64_t from = 0; from < 30; from++) {
        struct got got = fetch_one(rig, "t", from, from % 2 == 0 ? 1 : 1 << 20);
        assert_int_equal(got.first_offset, 29);
        assert_int_equal(got.next_offset, 30);
        assert_int_equal(got.bytes, MARKER_SIZE);
    }
    struct offset_query q;
    list_offset(rig, "t", 1, &q);
    assert_int_equal(q.offset, -1);
    list_offset(rig, "t", OFFSET_MAX_TIMESTAMP, &q);
    assert_int_equal(q.offset, -1);
    assert_int_equal(produce(rig, "t", 0, batch_make(rig, 10, 1000, 2000)), 30);
    for (int64_t from = 0; from < 40; from += 7) {
        assert_int_equal(fetch_one(rig, "t", from, 1 << 20).first_offset, 30);
    }
    list_offset(rig, "t", 1, &q);
    assert_int_equal(q.offset, 30);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parks_after_start_from_snapshot_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_bytes_min, setup, teardown),
        cmocka_unit_test_setup_teardown(wakes_everybody_on_a_partition, setup, teardown),
        cmocka_unit_test_setup_teardown(parked_fetch_ends_when, setup, teardown),
        cmocka_unit_test_setup_teardown(every_source_gives_the_same_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_that_compaction_took, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gap_up_to_the_end, setup, teardown),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
