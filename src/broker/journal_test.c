// SPDX-License-Identifier: Apache-2.0
// Bundles: what is queued together fits the log, whatever its size; one slow or failing part costs no other.
#include "base/mem.h"
#include "broker/test_rig.h"

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig_set(&rig, "log.retention.ms", "-1");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static void bundles_fit_the_smallest_log_file(void **state)
{
    enum { PARTS = 12 };
    struct rig *rig = *state;
    rig->wal_file_bytes = 1 << 20;
    rig_set(rig, "strom.wal.file.bytes", "1048576");
    rig_start(rig);
    topic_make(rig, "t", PARTS);
    struct produce_part parts[PARTS] = {{.topic_name = STR("")}};
    for (int round = 0; round < 3; round++) {
        struct bytes batch = batch_make(rig, 1, 300000, 1000);
        for (int32_t i = 0; i < PARTS; i++) {
            parts[i] = (struct produce_part){.topic_name = STR("t"), .partition = i, .batch = batch};
        }
        produce_parts(rig, parts, PARTS);
        for (int i = 0; i < PARTS; i++) {
            if (parts[i].err != ERR_OK || parts[i].base_offset != round) {
                fail_msg("round %d, part %d: %s %s", round, i, err_name(parts[i].err), parts[i].text);
            }
        }
    }
    rig_stop(rig);
}

// Values may be long (32 KiB of blanks before a number is a number): many such items must not meet in one
// bundle.
static void long_configs_in_many_topics(void **state)
{
    enum { TOPICS = 200, VALUE = 32000 };
    static const char *const keys[] = {
        "delete.retention.ms", "file.delete.delay.ms", "flush.messages",    "flush.ms",   "max.message.bytes",
        "retention.bytes",     "retention.ms",         "segment.jitter.ms", "segment.ms",
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    struct rig *rig = *state;
    rig_start(rig);
    char *value = arena_alloc(&rig->arena, VALUE);
    memset(value, ' ', VALUE);
    value[VALUE - 1] = '9';
    struct item_config configs[KEYS];
    for (int i = 0; i < KEYS; i++) {
        configs[i] = (struct item_config){str_from_c(keys[i]), {value, VALUE}};
    }
    struct item *items = arena_new(&rig->arena, struct item, TOPICS);
    struct outcome *outcomes = arena_new(&rig->arena, struct outcome, TOPICS);
    struct error e = {0};
    for (int i = 0; i < TOPICS; i++) {
        const struct topic_spec spec = {.name = arena_printf(&rig->arena, "topic-%d", i),
                                        .partition_count = 1,
                                        .replication_factor = -1,
                                        .configs = configs,
                                        .config_count = KEYS};
        if (broker_plan_topic(rig->broker, &spec, &rig->arena, &items[i], &e) != ERR_OK) {
            fail_msg("%s", e.text);
        }
    }
    assert_int_equal(broker_change_wait_all(rig->broker, items, TOPICS, outcomes, &e), ERR_OK);
    for (int i = 0; i < TOPICS; i++) {
        assert_int_equal(outcomes[i].err, ERR_OK);
    }
    rig_stop(rig);
    rig_start(rig);
    struct broker_status status;
    broker_status(rig->broker, &status);
    assert_int_equal(status.topic_count, TOPICS);
    rig_stop(rig);
}

// One item may be larger than a bundle should be, but not larger than what the log takes: it alone is
// refused.
static void one_item_too_large_for_the_log(void **state)
{
    enum { OFFSETS = 10000 };
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 1);
    static char text[ITEM_TEXT_MAX];
    memset(text, 'x', sizeof text);
    struct item_offset *offsets = arena_new(&rig->arena, struct item_offset, OFFSETS);
    for (int i = 0; i < OFFSETS; i++) {
        offsets[i] = (struct item_offset){.retention_ms = -1, .metadata = {text, sizeof text}};
    }
    struct item items[3];
    for (int i = 0; i < 3; i++) { // 2 MB, 328 MB, 2 MB
        items[i] = (struct item){.kind = ITEM_OFFSET_COMMIT, .version = 1};
        items[i].offset_commit =
            (struct item_offset_commit){STR("g"), -1, STR(""), offsets, i == 1 ? OFFSETS : 64};
    }
    struct outcome outcomes[3];
    struct error e = {0};
    assert_int_equal(broker_change_wait_all(rig->broker, items, 3, outcomes, &e), ERR_OK);
    assert_int_equal(outcomes[0].err, ERR_OK);
    assert_int_equal(outcomes[1].err, ERR_BATCH_TOO_LARGE);
    assert_int_equal(outcomes[2].err, ERR_OK);
    rig_stop(rig);
}

// With the disk full what clients write is refused, commits of groups like records: the reserve is for what
// makes room.
static void the_reserve_is_not_for_commits(void **state)
{
    enum { OFFSETS = 32, ITEMS_MAX = 100 };
    struct rig *rig = *state;
    rig->disk_reserve_bytes = 1LL << 60; // whatever is free
    rig_start(rig);
    topic_make(rig, "t", 1);
    static char text[ITEM_TEXT_MAX];
    memset(text, 'x', sizeof text);
    struct item_offset offsets[OFFSETS];
    for (int i = 0; i < OFFSETS; i++) {
        offsets[i] = (struct item_offset){.retention_ms = -1, .metadata = {text, sizeof text}};
    }
    struct item item = {.kind = ITEM_OFFSET_COMMIT, .version = 1};
    item.offset_commit = (struct item_offset_commit){STR("g"), -1, STR(""), offsets, OFFSETS};
    struct outcome outcome;
    struct error e = {0};
    enum err err = ERR_OK;
    for (int i = 0; i < ITEMS_MAX && err == ERR_OK; i++) { // a megabyte each
        err = broker_change_wait_all(rig->broker, &item, 1, &outcome, &e);
    }
    assert_int_equal(err, ERR_STORAGE);
    topic_drop(rig, "t");
    rig_stop(rig);
}

static enum err change_one(struct rig *rig, const struct item *item)
{
    struct outcome outcome = {.err = ERR_STOPPING};
    struct error e = {0};
    (void)broker_change_wait(rig->broker, item, &outcome, &e);
    return outcome.err;
}

static enum err commit_one(struct rig *rig, const char *group, struct str metadata)
{
    mutex_lock(&rig->broker->lock);
    struct topic *topic = core_topic_find(rig->broker->core, STR("t"));
    struct item_offset offset = {.topic_id = topic_id(topic),
                                 .offset = 1,
                                 .leader_epoch = -1,
                                 .retention_ms = -1,
                                 .metadata = metadata};
    mutex_unlock(&rig->broker->lock);
    struct item item = {.kind = ITEM_OFFSET_COMMIT, .version = 1};
    item.offset_commit = (struct item_offset_commit){str_from_c(group), -1, STR(""), &offset, 1};
    return change_one(rig, &item);
}

static enum err txn_init_one(struct rig *rig, const char *id)
{
    struct item item = {.kind = ITEM_TXN_INIT, .version = 1};
    item.txn_init = (struct item_txn_init){str_from_c(id), 60000, -1, -1};
    return change_one(rig, &item);
}

static enum err document_one(struct rig *rig, enum document_op op, const char *key, const char *value)
{
    struct item_document document = {
        .op = op, .key = str_from_c(key), .value = bytes_of(value, strlen(value))};
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1};
    item.documents = (struct item_documents){NULL, 0, &document, 1};
    return change_one(rig, &item);
}

static enum err quota_one(struct rig *rig, uint64_t revision, uint32_t values)
{
    struct item_quota_part part = {QUOTA_USER, STR("u")};
    struct item_quota_value value = {STR("producer_byte_rate"), 1};
    struct item item = {.kind = ITEM_QUOTA_SET, .version = 1};
    item.quota_set = (struct item_quota_set){&part, 1, revision, &value, values};
    return change_one(rig, &item);
}

// What is there goes on when there is no memory for more: nobody who works is told that it is over, and what
// makes room is let in.
static void memory_is_full(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 1);
    assert_int_equal(commit_one(rig, "old", STR("m")), ERR_OK);
    assert_int_equal(txn_init_one(rig, "old"), ERR_OK);
    assert_int_equal(document_one(rig, DOCUMENT_PUT, "old", "v"), ERR_OK);
    assert_int_equal(quota_one(rig, 0, 1), ERR_OK);
    mem_cap_set(1);

    assert_int_equal(commit_one(rig, "old", STR("n")), ERR_OK);
    assert_int_equal(commit_one(rig, "old", STR("longer")), ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(commit_one(rig, "new", STR("")), ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(txn_init_one(rig, "old"), ERR_OK);
    assert_int_equal(txn_init_one(rig, "new"), ERR_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(document_one(rig, DOCUMENT_PUT, "new", "v"), ERR_POLICY_VIOLATION);
    assert_int_equal(document_one(rig, DOCUMENT_PUT, "old", "deleted"), ERR_OK);
    assert_int_equal(document_one(rig, DOCUMENT_REMOVE, "old", ""), ERR_OK);
    assert_int_equal(quota_one(rig, 1, 1), ERR_POLICY_VIOLATION);
    assert_int_equal(quota_one(rig, 1, 0), ERR_OK);
    struct item id = {.kind = ITEM_PRODUCER_ID, .version = 1};
    assert_int_equal(change_one(rig, &id), ERR_COORDINATOR_NOT_AVAILABLE);
    rig_stop(rig);
    rig_start(rig); // and what is over the cap starts again
    topic_drop(rig, "t");
    mem_cap_set(0);
    assert_int_equal(txn_init_one(rig, "new"), ERR_OK);
    rig_stop(rig);
}

static struct produce_part produce_as(struct rig *rig, int64_t producer_id, int32_t sequence)
{
    struct batch_options options = batch_options_default();
    options.producer_id = producer_id;
    options.producer_epoch = 0;
    options.base_sequence = sequence;
    struct batch_builder builder;
    struct buf out;
    struct error e = {0};
    buf_init(&out, 1 << 20);
    batch_builder_init(&builder, &options);
    batch_builder_append(&builder, 1000, bytes_of("k", 1), bytes_of("v", 1), NULL, 0);
    assert_int_equal(batch_builder_finish(&builder, &out, &e), ERR_OK);
    struct produce_part part = {.topic_name = STR("t"), .partition = 0, .batch = bytes_of(out.ptr, out.len)};
    produce_parts(rig, &part, 1);
    batch_builder_fini(&builder);
    buf_fini(&out);
    return part;
}

// Each producer that sends is remembered: new ones wait while there is no room for what stays, and none of
// their batches gets in before those that were refused.
static void new_producers_wait_for_memory(void **state)
{
    enum { BALLAST = 64 << 20 };
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 1);
    assert_int_equal(produce_as(rig, 1, 0).err, ERR_OK);
    void *ballast = mem_alloc(BALLAST);
    mem_cap_set(mem_used_bytes() / 7 * 10); // over what may stay, and below where records wait
    assert_int_equal(produce_as(rig, 1, 1).err, ERR_OK);
    assert_int_equal(produce_as(rig, -1, -1).err, ERR_OK);
    assert_int_equal(produce_as(rig, 2, 0).err, ERR_STORAGE);
    mem_free(ballast);
    assert_int_equal(produce_as(rig, 2, 1).err, ERR_STORAGE);
    struct produce_part again = produce_as(rig, 2, 0);
    assert_int_equal(again.err, ERR_OK);
    assert_int_equal(again.base_offset, 3);
    assert_int_equal(produce_as(rig, 2, 1).err, ERR_OK);
    mem_cap_set(0);
    rig_stop(rig);
}

// What is behind was refused before what is ahead of it, which was judged again meanwhile: still the earliest
// comes first (seed 320 of the simulator's shared worlds).
static void the_earliest_refused_comes_first(void **state)
{
    enum { BALLAST = 64 << 20 };
    struct rig *rig = *state;
    rig_start(rig);
    topic_make(rig, "t", 1);
    void *ballast = mem_alloc(BALLAST);
    mem_cap_set(mem_used_bytes() / 7 * 10);
    assert_int_equal(produce_as(rig, 2, 1).err, ERR_STORAGE);
    assert_int_equal(produce_as(rig, 2, 0).err, ERR_STORAGE);
    assert_int_equal(produce_as(rig, 3, 1).err, ERR_STORAGE);
    mem_free(ballast);
    assert_int_equal(produce_as(rig, 2, 1).err, ERR_STORAGE);
    assert_int_equal(produce_as(rig, 2, 0).err, ERR_OK);
    assert_int_equal(produce_as(rig, 2, 1).err, ERR_OK);
    assert_int_equal(produce_as(rig, 3, 0).err, ERR_OK); // not refused itself: it is before what was
    assert_int_equal(produce_as(rig, 3, 1).err, ERR_OK);
    mem_cap_set(0);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bundles_fit_the_smallest_log_file, setup, teardown),
        cmocka_unit_test_setup_teardown(long_configs_in_many_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(one_item_too_large_for_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reserve_is_not_for_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(new_producers_wait_for_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(the_earliest_refused_comes_first, setup, teardown),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
