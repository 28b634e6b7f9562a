// SPDX-License-Identifier: Apache-2.0
// Numbers in names are the points of Kafka's semantics: 13 duplicates, 14 sequences, 15 epochs, 16 expiry.
#include "core/rig_test.h"

enum { PID = 7 };

static struct outcome send(struct rig *rig, int16_t epoch, int32_t sequence, int32_t span)
{
    struct item item = rig_idempotent(1, 0, PID, epoch, sequence, span);
    return rig_one(rig, &item);
}

static void topic_make(struct rig *rig, int32_t partitions)
{
    rig_init(rig);
    struct item create = rig_create(1, "orders", partitions);
    assert_int_equal(rig_one(rig, &create).err, ERR_OK);
}

// One step of a story: a batch and what becomes of it.
struct step {
    int16_t epoch;
    int32_t sequence;
    int32_t span;
    enum err err;
    bool is_duplicate;
    int64_t base_offset;
};
struct story {
    const char *name;
    struct step steps[12];
};

#define MAX INT32_MAX
static const struct story stories[] = {
    {"14: first batch of an unknown producer may have any sequence",
     {{0, 500, 3, ERR_OK, false, 0}, {0, 503, 1, ERR_OK, false, 3}}},
    {"14: a gap is refused and leaves no trace",
     {{0, 0, 2, ERR_OK, false, 0},
      {0, 3, 1, ERR_OUT_OF_ORDER_SEQUENCE, false, -1},
      {0, 2, 1, ERR_OK, false, 2}}},
    {"14: an overlap is refused",
     {{0, 0, 5, ERR_OK, false, 0},
      {0, 4, 1, ERR_OUT_OF_ORDER_SEQUENCE, false, -1},
      {0, 5, 1, ERR_OK, false, 5}}},
    {"14: 0 follows 2147483647",
     {{0, MAX - 1, 2, ERR_OK, false, 0}, {0, 0, 1, ERR_OK, false, 2}, {0, 1, 1, ERR_OK, false, 3}}},
    {"14: a batch wraps inside",
     {{0, MAX - 1, 4, ERR_OK, false, 0}, // MAX-1, MAX, 0, 1
      {0, 0, 1, ERR_OUT_OF_ORDER_SEQUENCE, false, -1},
      {0, 2, 1, ERR_OK, false, 4},
      {0, MAX - 1, 4, ERR_OK, true, 0}}},
    {"14: a new epoch must start at 0",
     {{0, 0, 2, ERR_OK, false, 0},
      {1, 2, 1, ERR_OUT_OF_ORDER_SEQUENCE, false, -1},
      {1, 0, 1, ERR_OK, false, 2},
      {1, 1, 1, ERR_OK, false, 3}}},
    {"15: an older epoch is fenced, also when it would be a duplicate",
     {{3, 0, 2, ERR_OK, false, 0},
      {4, 0, 2, ERR_OK, false, 2},
      {3, 0, 2, ERR_INVALID_PRODUCER_EPOCH, false, -1},
      {3, 2, 2, ERR_INVALID_PRODUCER_EPOCH, false, -1},
      {4, 2, 1, ERR_OK, false, 4}}},
    {"14, 15: a refused new epoch does not fence the old one",
     {{0, 0, 1, ERR_OK, false, 0},
      {9, 5, 1, ERR_OUT_OF_ORDER_SEQUENCE, false, -1},
      {0, 1, 1, ERR_OK, false, 1}}},
    {"13: first sequence alone is no duplicate",
     {{0, 0, 3, ERR_OK, false, 0}, {0, 0, 2, ERR_OUT_OF_ORDER_SEQUENCE, false, -1}}},
    {"13: last sequence alone is no duplicate",
     {{0, 0, 3, ERR_OK, false, 0}, {0, 1, 2, ERR_OUT_OF_ORDER_SEQUENCE, false, -1}}},
    {"13: a new epoch forgets the window",
     {{0, 0, 1, ERR_OK, false, 0},
      {0, 1, 1, ERR_OK, false, 1},
      {1, 0, 1, ERR_OK, false, 2},
      {1, 0, 1, ERR_OK, true, 2},
      {1, 1, 1, ERR_OK, false, 3},
      {1, 0, 1, ERR_OK, true, 2}}},
};

static void story_tell(const struct story *story, bool is_one_bundle)
{
    struct rig rig;
    topic_make(&rig, 1);
    size_t count = 0;
    while (count < 12 && story->steps[count].span > 0) {
        const struct step *step = &story->steps[count++];
        struct item item = rig_idempotent(1, 0, PID, step->epoch, step->sequence, step->span);
        rig_add(&rig, &item);
        if (!is_one_bundle) {
            rig_flush(&rig);
            rig.outcomes[count - 1] = rig.outcomes[0];
            if (rig.outcomes[count - 1].err != step->err) {
                fail_msg("%s: step %zu: %s", story->name, count, err_name(rig.outcomes[count - 1].err));
            }
            assert_int_equal(rig.outcomes[0].base_offset, step->base_offset);
            assert_int_equal(rig.outcomes[0].is_duplicate, step->is_duplicate);
        }
    }
    if (is_one_bundle) {
        rig_flush(&rig);
        for (size_t i = 0; i < count; i++) {
            if (rig.outcomes[i].err != story->steps[i].err) {
                fail_msg("%s: item %zu: %s", story->name, i + 1, err_name(rig.outcomes[i].err));
            }
            assert_int_equal(rig.outcomes[i].base_offset, story->steps[i].base_offset);
            assert_int_equal(rig.outcomes[i].is_duplicate, story->steps[i].is_duplicate);
        }
    }
    rig_fini(&rig);
}

static void producer_stories_13_14_15(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        story_tell(&stories[i], false);
        story_tell(&stories[i], true);
    }
}

// After n batches of given spans from a given first sequence, every (sequence, span) near them is sent: the
// last five are duplicates, the next one is in sequence, everything else is refused.
static void window_check(int32_t first, int batches, int32_t span)
{
    struct rig rig;
    topic_make(&rig, 1);
    int64_t sequences[8];
    int64_t next = first;
    for (int i = 0; i < batches; i++) {
        sequences[i] = next;
        assert_int_equal(send(&rig, 0, (int32_t)(next & INT32_MAX), span).err, ERR_OK);
        next += span;
    }
    int oldest = batches > 5 ? batches - 5 : 0;
    for (int64_t sequence = (int64_t)first - 2; sequence <= next + 2; sequence++) {
        for (int32_t length = 1; length <= span + 1; length++) {
            int64_t duplicate_of = -1;
            for (int i = oldest; i < batches; i++) {
                duplicate_of = sequences[i] == sequence && length == span ? i : duplicate_of;
            }
            struct item item = rig_idempotent(1, 0, PID, 0, (int32_t)(sequence & INT32_MAX), length);
            struct outcome outcome = {0};
            bool is_settled;
            enum err err = core_admit(rig.core, &item, &is_settled, &outcome);
            assert_int_equal(err, ERR_OK);
            assert_int_equal(is_settled, duplicate_of >= 0);
            if (duplicate_of >= 0) {
                assert_true(outcome.is_duplicate);
                assert_int_equal(outcome.base_offset, duplicate_of * span);
            } else if (sequence != next) { // refused, so the state stays as it is
                assert_int_equal(rig_one(&rig, &item).err, ERR_OUT_OF_ORDER_SEQUENCE);
            }
        }
    }
    int64_t end = partition_high_watermark(rig_partition(&rig, 1, 0));
    assert_int_equal(end, batches * span);
    assert_int_equal(send(&rig, 0, (int32_t)(next & INT32_MAX), span).base_offset, end);
    rig_fini(&rig);
}

static void producer_window_exhaustively_13_14(void **state)
{
    (void)state;
    for (int batches = 1; batches <= 7; batches++) {
        for (int32_t span = 1; span <= 4; span++) {
            window_check(10, batches, span);
            for (int32_t before = 0; before <= batches * span; before++) { // the wrap at every place
                window_check(MAX - before, batches, span);
            }
        }
    }
}

static void producer_bad_fields_are_refused_8(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    struct item good = rig_idempotent(1, 0, PID, 0, 0, 2);
    struct item rows[] = {good, good, good, good, good, good};
    rows[0].data.producer_epoch = -1;
    rows[1].data.base_sequence = -1;
    rows[2].data.offset_span = 0;
    rows[3].data.record_count = 3;
    rows[4].data.record_count = -1;
    rows[5].data.payload_length = 0;
    for (size_t i = 0; i < 6; i++) {
        struct outcome outcome;
        bool is_settled = false;
        assert_int_equal(core_admit(rig.core, &rows[i], &is_settled, &outcome), ERR_INVALID_RECORD);
        assert_true(is_settled);
        outcome = rig_one(&rig, &rows[i]);
        assert_int_equal(outcome.err, ERR_INVALID_RECORD);
        assert_int_equal(outcome.base_offset, -1);
    }
    assert_int_equal(rig_one(&rig, &good).base_offset, 0);
    rig_fini(&rig);
}

static void producer_admission_refuses_only_for_good(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    assert_int_equal(send(&rig, 5, 0, 1).err, ERR_OK);
    const struct {
        struct item item;
        bool is_settled;
        enum err err;
    } rows[] = {
        {rig_idempotent(1, 0, PID, 5, 1, 1), false, ERR_OK},
        {rig_idempotent(1, 0, PID, 5, 9, 1), false, ERR_OK}, // a gap may be filled by what is on its way
        {rig_idempotent(1, 0, PID, 6, 3, 1), false, ERR_OK},
        {rig_idempotent(1, 0, PID, 4, 0, 1), true, ERR_INVALID_PRODUCER_EPOCH},
        {rig_idempotent(1, 0, PID, 5, 0, 1), true, ERR_OK}, // applied duplicate
        {rig_data(1, 9, 1), false, ERR_OK},                 // the topic may grow
        {rig_data(2, 0, 1), true, ERR_UNKNOWN_TOPIC_ID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome outcome = {.base_offset = -9};
        bool is_settled = !rows[i].is_settled;
        assert_int_equal(core_admit(rig.core, &rows[i].item, &is_settled, &outcome), rows[i].err);
        assert_int_equal(is_settled, rows[i].is_settled);
        if (is_settled) {
            assert_int_equal(outcome.err, rows[i].err);
        }
    }
    rig_fini(&rig);
}

static void producer_is_per_partition(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 2);
    assert_int_equal(send(&rig, 0, 0, 1).err, ERR_OK);
    struct item other = rig_idempotent(1, 1, PID, 0, 0, 1);
    struct outcome outcome = rig_one(&rig, &other);
    assert_int_equal(outcome.err, ERR_OK);
    assert_false(outcome.is_duplicate);
    struct producer_view views[2];
    assert_int_equal(partition_producers(rig_partition(&rig, 1, 0), views, 2), 1);
    assert_int_equal(views[0].producer_id, PID);
    assert_int_equal(views[0].last_sequence, 0);
    assert_int_equal(views[0].last_offset, 0);
    assert_int_equal(views[0].last_time_ms, 1000);
    rig_fini(&rig);
}

static void producers_are_walked_in_steps(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    for (int64_t id = 0; id < 10; id++) {
        struct item item = rig_idempotent(1, 0, id, 0, 0, 1);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    }
    const struct partition *p = rig_partition(&rig, 1, 0);
    struct producer_view views[32];
    assert_int_equal(partition_producers_next(rig.core, p, views, 0, views, 4), 4);
    // The last two that were seen append again: they come back at the end, and nothing is left out.
    for (int64_t id = 2; id < 4; id++) {
        struct item item = rig_idempotent(1, 0, id, 0, 1, 1);
        assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    }
    uint32_t count = 4;
    for (uint32_t got = 4; got == 4;) {
        got = partition_producers_next(rig.core, p, views, count, views + count, 4);
        count += got;
    }
    static const int64_t expected[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3};
    assert_int_equal(count, 12);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(views[i].producer_id, expected[i]);
        assert_int_equal(views[i].last_sequence, i >= 10);
    }
    assert_int_equal(partition_producers_next(rig.core, p, views, count, views + count, 4), 0);
    rig_fini(&rig);
}

static void tick(struct rig *rig, int64_t time_ms)
{
    struct item item = rig_kind(ITEM_TICK);
    rig->time_ms = time_ms;
    assert_int_equal(rig_one(rig, &item).err, ERR_OK);
}

static uint32_t producers_of(struct rig *rig, int32_t partition)
{
    static struct producer_view views[4096];
    return partition_producers(rig_partition(rig, 1, partition), views, 4096);
}

static void producer_expires_after_a_day_idle_16(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    assert_int_equal(core_next_deadline_ms(rig.core), INT64_MAX);
    assert_int_equal(send(&rig, 0, 0, 1).err, ERR_OK);
    int64_t deadline = 1000 + 86400000;
    assert_int_equal(core_next_deadline_ms(rig.core), deadline);
    tick(&rig, deadline - 1);
    assert_int_equal(producers_of(&rig, 0), 1);
    assert_int_equal(send(&rig, 0, 0, 1).is_duplicate, true); // a duplicate does not keep it alive
    assert_int_equal(core_next_deadline_ms(rig.core), deadline);
    tick(&rig, deadline);
    assert_int_equal(producers_of(&rig, 0), 0);
    assert_int_equal(core_next_deadline_ms(rig.core), INT64_MAX);
    assert_int_equal(send(&rig, 0, 700, 1).err, ERR_OK); // no state: any sequence
    rig_fini(&rig);
}

static void producer_survives_trim_16(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    assert_int_equal(send(&rig, 2, 0, 5).err, ERR_OK);
    struct item trim = rig_trim(1, 0, 5);
    assert_int_equal(rig_one(&rig, &trim).log_start_offset, 5);
    assert_int_equal(partition_extent_count(rig_partition(&rig, 1, 0)), 0);
    struct outcome outcome = send(&rig, 2, 0, 5);
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.base_offset, 0);
    assert_int_equal(send(&rig, 1, 5, 1).err, ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(send(&rig, 2, 5, 1).base_offset, 5);
    rig_fini(&rig);
}

static void many_producers(struct rig *rig, int32_t partition, int64_t first, int count)
{
    for (int i = 0; i < count; i++) {
        struct item item = rig_idempotent(1, partition, first + i, 0, 0, 1);
        rig_add(rig, &item);
        if (rig->item_count == 500 || i + 1 == count) {
            rig_flush(rig);
        }
    }
}

static void producer_tick_is_bounded(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    many_producers(&rig, 0, 0, 2500);
    int64_t late = 1000 + 86400000;
    static const uint32_t left[] = {1500, 500, 0};
    for (int i = 0; i < 3; i++) {
        assert_true(core_next_deadline_ms(rig.core) <= late);
        tick(&rig, late);
        assert_int_equal(producers_of(&rig, 0), left[i]);
    }
    assert_int_equal(core_next_deadline_ms(rig.core), INT64_MAX);
    rig_fini(&rig);
}

static void producer_bound_evicts_the_longest_idle(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 2);
    struct item_config bound = {{"strom.producer.ids.max", 22}, {"3", 1}};
    many_producers(&rig, 0, 0, 2);
    many_producers(&rig, 1, 2, 1);
    assert_int_equal(rig_configs(&rig, 0, &bound, 1, 0), ERR_OK);
    struct item again = rig_idempotent(1, 0, 0, 0, 1, 1); // 0 is now the youngest of 1, 2, 0
    assert_int_equal(rig_one(&rig, &again).err, ERR_OK);
    many_producers(&rig, 1, 3, 1);
    struct producer_view views[4];
    assert_int_equal(partition_producers(rig_partition(&rig, 1, 0), views, 4), 1);
    assert_int_equal(views[0].producer_id, 0);
    assert_int_equal(partition_producers(rig_partition(&rig, 1, 1), views, 4), 2);
    rig_fini(&rig);
}

static void producer_bound_lowered_is_reached_in_steps(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    many_producers(&rig, 0, 0, 2400);
    struct item_config bound = {{"strom.producer.ids.max", 22}, {"100", 3}};
    assert_int_equal(rig_configs(&rig, 0, &bound, 1, 0), ERR_OK);
    assert_int_equal(producers_of(&rig, 0), 2400);
    assert_int_equal(core_next_deadline_ms(rig.core), core_time_ms(rig.core));
    many_producers(&rig, 0, 5000, 1); // one in, two out
    assert_int_equal(producers_of(&rig, 0), 2399);
    tick(&rig, 1000);
    tick(&rig, 1000);
    tick(&rig, 1000);
    assert_int_equal(producers_of(&rig, 0), 100);
    assert_int_equal(core_next_deadline_ms(rig.core), 1000 + 86400000);
    rig_fini(&rig);
}

static void producer_expiration_is_a_config(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    many_producers(&rig, 0, 0, 1);
    struct item_config configs[] = {{{"producer.id.expiration.ms", 25}, {"500", 3}}};
    assert_int_equal(rig_configs(&rig, 0, configs, 1, 0), ERR_OK);
    assert_int_equal(core_next_deadline_ms(rig.core), 1500);
    configs[0].value = STR("soon"); // apply takes the default for what it cannot read
    assert_int_equal(rig_configs(&rig, 0, configs, 1, 1), ERR_OK);
    assert_int_equal(core_next_deadline_ms(rig.core), 1000 + 86400000);
    rig_fini(&rig);
}

static void producer_goes_with_its_topic(void **state)
{
    (void)state;
    struct rig rig;
    topic_make(&rig, 1);
    many_producers(&rig, 0, 0, 5000);
    struct item delete = rig_delete(1);
    assert_int_equal(rig_one(&rig, &delete).err, ERR_OK);
    assert_int_equal(core_next_deadline_ms(rig.core), core_time_ms(rig.core)); // memory is left to free
    uint64_t before = core_state_bytes(rig.core);
    tick(&rig, 1000);
    assert_int_equal(core_next_deadline_ms(rig.core), INT64_MAX);
    assert_true(core_state_bytes(rig.core) < before);
    struct item create = rig_create(2, "orders", 1);
    assert_int_equal(rig_one(&rig, &create).err, ERR_OK);
    struct item first = rig_idempotent(2, 0, 0, 0, 0, 1);
    struct outcome outcome = rig_one(&rig, &first);
    assert_false(outcome.is_duplicate);
    assert_int_equal(outcome.base_offset, 0);
    rig_fini(&rig);
}

static void producer_ids_are_fresh(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    struct item item = rig_kind(ITEM_PRODUCER_ID);
    rig_add(&rig, &item);
    rig_add(&rig, &item);
    rig_flush(&rig);
    assert_int_equal(rig.outcomes[0].value, 0);
    assert_int_equal(rig.outcomes[1].value, 1);
    assert_int_equal(rig_one(&rig, &item).value, 2);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(producer_stories_13_14_15),
        cmocka_unit_test(producer_window_exhaustively_13_14),
        cmocka_unit_test(producer_bad_fields_are_refused_8),
        cmocka_unit_test(producer_admission_refuses_only_for_good),
        cmocka_unit_test(producer_is_per_partition),
        cmocka_unit_test(producers_are_walked_in_steps),
        cmocka_unit_test(producer_expires_after_a_day_idle_16),
        cmocka_unit_test(producer_survives_trim_16),
        cmocka_unit_test(producer_tick_is_bounded),
        cmocka_unit_test(producer_bound_evicts_the_longest_idle),
        cmocka_unit_test(producer_bound_lowered_is_reached_in_steps),
        cmocka_unit_test(producer_expiration_is_a_config),
        cmocka_unit_test(producer_goes_with_its_topic),
        cmocka_unit_test(producer_ids_are_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
