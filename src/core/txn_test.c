// SPDX-License-Identifier: Apache-2.0
// Transactions: the items, what they do to partitions and offsets, time, snapshots; and every interleaving of
// up to four transactions in one partition against a linear scan.
#include "core/group_rig_test.h"

#include "record/batch.h"
#include "record/iterate.h"

enum { TXN_EPOCH_LAST = INT16_MAX - 1 };

// ---- short ways to say items

static struct item txn_init(const char *id)
{
    struct item item = rig_kind(ITEM_TXN_INIT);
    item.txn_init = (struct item_txn_init){str_from_c(id), 60000, -1, -1};
    return item;
}

static struct outcome init(struct rig *rig, const char *id)
{
    struct item item = txn_init(id);
    return rig_one(rig, &item);
}

static enum err add(struct rig *rig, const char *id, int64_t pid, int16_t epoch, int32_t partition)
{
    struct item_txn_partition one = {rig_id(1), partition};
    struct item item = rig_kind(ITEM_TXN_ADD);
    item.txn_add = (struct item_txn_add){str_from_c(id), pid, epoch, &one, 1, NULL, 0};
    return rig_one(rig, &item).err;
}

static enum err add_group(struct rig *rig, const char *id, int64_t pid, int16_t epoch, const char *group)
{
    struct str name = str_from_c(group);
    struct item item = rig_kind(ITEM_TXN_ADD);
    item.txn_add = (struct item_txn_add){str_from_c(id), pid, epoch, NULL, 0, &name, 1};
    return rig_one(rig, &item).err;
}

static struct outcome data(struct rig *rig, int64_t pid, int16_t epoch, int32_t partition, int32_t sequence,
                           int16_t attributes)
{
    struct item item = rig_idempotent(1, partition, pid, epoch, sequence, 2);
    item.data.attributes = attributes;
    return rig_one(rig, &item);
}

enum { PLAIN = 0, TXN = BATCH_ATTRIBUTE_TRANSACTIONAL, ADDS = BATCH_ATTRIBUTE_TRANSACTIONAL | DATA_ADDS };

static struct outcome end(struct rig *rig, const char *id, int64_t pid, int16_t epoch, bool is_commit,
                          bool bumps)
{
    struct item item = rig_kind(ITEM_TXN_END);
    item.txn_end = (struct item_txn_end){str_from_c(id), pid, epoch, is_commit, bumps, false};
    return rig_one(rig, &item);
}

static enum err offsets(struct rig *rig, const char *id, int64_t pid, int16_t epoch, bool adds,
                        const char *group, int32_t generation, const char *member, int64_t offset)
{
    struct item_offset one = rig_offset(1, 0, offset);
    struct item item = rig_kind(ITEM_TXN_OFFSETS);
    item.txn_offsets = (struct item_txn_offsets){str_from_c(id), pid, epoch, adds, {.generation = -1}};
    item.txn_offsets.commit =
        (struct item_offset_commit){str_from_c(group), generation, str_from_c(member), &one, 1};
    return rig_one(rig, &item).err;
}

static struct txn_view view_of(struct rig *rig, const char *id)
{
    struct txn_view view = {0};
    const struct txn *txn = core_txn_find(rig->core, str_from_c(id));
    assert_non_null(txn);
    txn_view(txn, &view);
    return view;
}

static int64_t stable(struct rig *rig, int32_t partition)
{
    return partition_last_stable_offset(rig_partition(rig, 1, partition));
}

static int64_t high(struct rig *rig, int32_t partition)
{
    return partition_high_watermark(rig_partition(rig, 1, partition));
}

// check_cut: a snapshot of this state loads to the same state, and goes on like it.
static void check_cut(struct rig *rig)
{
    struct buf snapshot;
    rig_snapshot(rig->core, &snapshot);
    struct core *copy = core_create();
    struct error e = {0};
    if (core_load(copy, buf_bytes(&snapshot), &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(core_state_hash(copy), core_state_hash(rig->core));
    for (int32_t i = 0; i < 3; i++) {
        const struct partition *a = rig_partition(rig, 1, i);
        const struct partition *b = topic_partition(core_topic_find_id(copy, rig_id(1)), i);
        assert_int_equal(partition_last_stable_offset(a), partition_last_stable_offset(b));
        assert_int_equal(partition_aborted_count(a), partition_aborted_count(b));
    }
    assert_true(core_next_deadline_ms(copy) >=
                core_next_deadline_ms(rig->core)); // exact; that one may be early
    core_destroy(copy);
    buf_fini(&snapshot);
}

static void begin(struct rig *rig)
{
    rig_init(rig);
    struct item item = rig_create(1, "t", 3);
    assert_int_equal(rig_one(rig, &item).err, ERR_OK);
}

// ---- TXN_INIT

static void init_gives_epochs(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct outcome a = init(&rig, "a");
    assert_int_equal(a.err, ERR_OK);
    assert_int_equal(a.producer_epoch, 0);
    struct outcome b = init(&rig, "b");
    assert_true(b.value != a.value);
    struct outcome again = init(&rig, "a");
    assert_int_equal(again.value, a.value);
    assert_int_equal(again.producer_epoch, 1);
    struct item empty = txn_init("");
    assert_int_equal(rig_one(&rig, &empty).err, ERR_INVALID_REQUEST);
    check_cut(&rig);
    rig_fini(&rig);
}

static void init_with_a_producer_360(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t pid = init(&rig, "a").value;
    struct item item = txn_init("a");
    item.txn_init.expected_producer_id = pid;
    item.txn_init.expected_epoch = 0;
    struct outcome first = rig_one(&rig, &item);
    assert_int_equal(first.producer_epoch, 1);
    struct outcome retry = rig_one(&rig, &item); // the answer was lost
    assert_int_equal(retry.err, ERR_OK);
    assert_int_equal(retry.producer_epoch, 1);
    item.txn_init.expected_epoch = 5;
    assert_int_equal(rig_one(&rig, &item).err, ERR_PRODUCER_FENCED);
    item.txn_init.expected_producer_id = pid + 1;
    assert_int_equal(rig_one(&rig, &item).err, ERR_PRODUCER_FENCED);
    (void)init(&rig, "a"); // somebody else takes over: epoch 2
    item.txn_init.expected_producer_id = pid;
    item.txn_init.expected_epoch = 0;
    assert_int_equal(rig_one(&rig, &item).err, ERR_PRODUCER_FENCED);
    item.txn_init.expected_epoch = 1; // no retry: it would be given the epoch of the other one
    assert_int_equal(rig_one(&rig, &item).err, ERR_PRODUCER_FENCED);
    check_cut(&rig);
    rig_fini(&rig);
}

static void epochs_run_out(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t pid = init(&rig, "a").value;
    struct outcome o = {0};
    for (int i = 1; i <= TXN_EPOCH_LAST; i++) {
        o = init(&rig, "a");
        assert_int_equal(o.producer_epoch, i);
    }
    assert_int_equal(o.value, pid);
    assert_int_equal(add(&rig, "a", pid, TXN_EPOCH_LAST, 0), ERR_OK);
    o = end(&rig, "a", pid, TXN_EPOCH_LAST, true, true);
    assert_int_equal(o.err, ERR_OK);
    assert_true(o.value != pid);
    assert_int_equal(o.producer_epoch, 0);
    struct outcome retry = end(&rig, "a", pid, TXN_EPOCH_LAST, true, true);
    assert_int_equal(retry.err, ERR_OK);
    assert_int_equal(retry.value, o.value);
    assert_int_equal(add(&rig, "a", pid, TXN_EPOCH_LAST, 0), ERR_PRODUCER_FENCED);
    assert_int_equal(data(&rig, pid, TXN_EPOCH_LAST, 0, 0, ADDS).err, ERR_INVALID_PRODUCER_ID_MAPPING);
    check_cut(&rig);
    rig_fini(&rig);
}

// ---- a transaction

static void commit_and_abort(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t pid = init(&rig, "a").value;
    assert_int_equal(add(&rig, "a", pid, 0, 0), ERR_OK);
    assert_int_equal(add(&rig, "a", pid, 0, 1), ERR_OK);
    assert_int_equal(stable(&rig, 0), 0);
    struct item plain = rig_data(1, 0, 3);
    assert_int_equal(rig_one(&rig, &plain).err, ERR_OK);
    assert_int_equal(stable(&rig, 0), 3); // nothing of the transaction is here yet
    assert_int_equal(data(&rig, pid, 0, 0, 0, TXN).base_offset, 3);
    assert_int_equal(rig_one(&rig, &plain).err, ERR_OK);
    assert_int_equal(stable(&rig, 0), 3);
    assert_int_equal(high(&rig, 0), 8);
    check_cut(&rig);
    assert_int_equal(end(&rig, "a", pid, 0, true, false).err, ERR_OK);
    assert_int_equal(rig.facts.slot_count, 2); // both partitions got a marker
    assert_int_equal(stable(&rig, 0), 9);
    assert_int_equal(high(&rig, 1), 1); // a marker also where nothing was written, as in Kafka
    assert_int_equal(partition_aborted_count(rig_partition(&rig, 1, 0)), 0);

    assert_int_equal(add(&rig, "a", pid, 0, 0), ERR_OK);
    assert_int_equal(data(&rig, pid, 0, 0, 2, TXN).base_offset, 9);
    assert_int_equal(end(&rig, "a", pid, 0, false, false).err, ERR_OK);
    const struct partition *p = rig_partition(&rig, 1, 0);
    assert_int_equal(partition_aborted_count(p), 1);
    struct aborted_view aborted;
    partition_aborted_at(p, 0, &aborted);
    assert_int_equal(aborted.producer_id, pid);
    assert_int_equal(aborted.first_offset, 9);
    assert_int_equal(aborted.marker_offset, 11);
    assert_int_equal(partition_aborted_search(p, 11), 0);
    assert_int_equal(partition_aborted_search(p, 12), 1);
    check_cut(&rig);
    struct item trim = rig_trim(1, 0, 12);
    assert_int_equal(rig_one(&rig, &trim).err, ERR_OK);
    assert_int_equal(partition_aborted_count(p), 0);
    check_cut(&rig);
    rig_fini(&rig);
}

static void marker_bytes(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t pid = init(&rig, "a").value;
    (void)init(&rig, "a"); // epoch 1
    for (int commit = 0; commit < 2; commit++) {
        assert_int_equal(add(&rig, "a", pid, 1, 0), ERR_OK);
        assert_int_equal(end(&rig, "a", pid, 1, commit == 1, false).err, ERR_OK);
        const struct partition *p = rig_partition(&rig, 1, 0);
        const struct extent *extent = partition_extent(p, partition_extent_count(p) - 1);
        assert_int_equal(extent->object, 0);
        uint8_t bytes[MARKER_SIZE];
        extent_marker_build(extent, bytes);
        struct batch_header h;
        assert_int_equal(batch_header_read(bytes_of(bytes, sizeof bytes), &h, NULL), ERR_OK);
        assert_true(batch_crc_check(bytes_of(bytes, sizeof bytes)));
        assert_true(batch_is_control(&h) && batch_is_transactional(&h));
        assert_int_equal(h.base_offset, commit);
        assert_int_equal(h.producer_id, pid);
        assert_int_equal(h.producer_epoch, 1);
        assert_int_equal(h.base_sequence, -1);
        assert_int_equal(h.max_timestamp, core_stamp_ms(rig.core));
        struct codec_context codec = {0};
        struct record_iterator it;
        struct record record;
        assert_int_equal(record_iterator_init(&it, &codec, bytes_of(bytes, sizeof bytes), NULL, NULL),
                         ERR_OK);
        assert_true(record_iterator_next(&it, &record));
        const uint8_t key[] = {0, 0, 0, (uint8_t)commit};
        assert_true(bytes_equal(record.key, bytes_of(key, 4)));
        assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
        codec_context_fini(&codec);
    }
    rig_fini(&rig);
}

static void who_may_write(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    (void)init(&rig, "a");
    int64_t b = init(&rig, "b").value;
    struct item fresh = rig_kind(ITEM_PRODUCER_ID);
    int64_t idempotent = rig_one(&rig, &fresh).value;
    assert_int_equal(add(&rig, "a", a, 1, 0), ERR_OK);
    const struct {
        const char *what;
        int64_t pid;
        int16_t epoch;
        int32_t partition;
        int16_t attributes;
        enum err err;
    } rows[] = {
        {"an old epoch", a, 0, 0, TXN, ERR_INVALID_PRODUCER_EPOCH},
        {"an epoch that was never given", a, 2, 0, TXN, ERR_INVALID_PRODUCER_EPOCH},
        {"a partition that was not added", a, 1, 1, TXN, ERR_INVALID_TXN_STATE},
        {"a transaction that is not open", b, 0, 0, TXN, ERR_INVALID_TXN_STATE},
        {"outside, in a partition of the open one", a, 1, 0, PLAIN, ERR_INVALID_TXN_STATE},
        {"outside, in another partition", a, 1, 2, PLAIN, ERR_OK},
        {"a producer without a transactional id", idempotent, 0, 0, TXN, ERR_INVALID_PRODUCER_ID_MAPPING},
        {"a producer that nobody knows", 99999, 0, 0, TXN, ERR_INVALID_PRODUCER_ID_MAPPING},
        {"an idempotent producer in between", idempotent, 0, 0, PLAIN, ERR_OK},
        {"a member", a, 1, 0, TXN, ERR_OK},
        {"a partition that joins (KIP-890)", a, 1, 1, ADDS, ERR_OK},
        {"one that begins it (KIP-890)", b, 0, 0, ADDS, ERR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct outcome o = data(&rig, rows[i].pid, rows[i].epoch, rows[i].partition, 0, rows[i].attributes);
        if (o.err != rows[i].err) {
            fail_msg("%s: %s", rows[i].what, err_name(o.err));
        }
    }
    assert_int_equal(view_of(&rig, "b").state, TXN_ONGOING);
    assert_int_equal(view_of(&rig, "a").partition_count, 2);
    // A batch that comes again after its transaction has ended is a duplicate, not a stranger.
    assert_int_equal(end(&rig, "a", a, 1, true, false).err, ERR_OK);
    struct outcome again = data(&rig, a, 1, 0, 0, TXN);
    assert_int_equal(again.err, ERR_OK);
    assert_true(again.is_duplicate);
    check_cut(&rig);
    rig_fini(&rig);
}

// A sequence that comes again in the next transaction of its epoch is another batch, whose sender lost the
// first answer: to call it a duplicate would lose it without a word.
static void no_duplicate_of_a_transaction_before(void **state)
{
    (void)state;
    for (int is_commit = 0; is_commit < 2; is_commit++) {
        struct rig rig;
        begin(&rig);
        int64_t a = init(&rig, "a").value;
        assert_int_equal(add(&rig, "a", a, 0, 0), ERR_OK);
        assert_int_equal(data(&rig, a, 0, 0, 0, TXN).err, ERR_OK);
        assert_true(data(&rig, a, 0, 0, 0, TXN).is_duplicate);
        assert_int_equal(end(&rig, "a", a, 0, is_commit, false).err, ERR_OK);
        assert_true(data(&rig, a, 0, 0, 0, TXN).is_duplicate); // nothing is open that it could be part of
        assert_int_equal(add(&rig, "a", a, 0, 1), ERR_OK);
        assert_true(data(&rig, a, 0, 0, 0, TXN).is_duplicate); // ... nor here
        assert_int_equal(add(&rig, "a", a, 0, 0), ERR_OK);
        assert_int_equal(data(&rig, a, 0, 0, 0, TXN).err, ERR_OUT_OF_ORDER_SEQUENCE);
        struct outcome next = data(&rig, a, 0, 0, 2, TXN);
        assert_int_equal(next.err, ERR_OK);
        assert_int_equal(data(&rig, a, 0, 0, 0, TXN).err, ERR_OUT_OF_ORDER_SEQUENCE);
        struct outcome again = data(&rig, a, 0, 0, 2, TXN);
        assert_int_equal(again.err, ERR_OK);
        assert_true(again.is_duplicate && again.base_offset == next.base_offset);
        check_cut(&rig);
        rig_fini(&rig);
    }
}

static void admission_settles_only_what_stays(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    (void)init(&rig, "a");
    struct item item = rig_idempotent(1, 0, a, 1, 0, 1);
    item.data.attributes = TXN;
    bool is_settled = true;
    struct outcome o;
    (void)core_admit(rig.core, &item, &is_settled, &o);
    assert_false(is_settled); // an AddPartitionsToTxn may be on its way
    item.data.producer_epoch = 0;
    (void)core_admit(rig.core, &item, &is_settled, &o);
    assert_true(is_settled);
    assert_int_equal(o.err, ERR_INVALID_PRODUCER_EPOCH);
    rig_fini(&rig);
}

// ---- ends

static void ends_of_the_first_protocol(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_INVALID_TXN_STATE);
    assert_int_equal(end(&rig, "x", a, 0, true, false).err, ERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(end(&rig, "a", a + 1, 0, true, false).err, ERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(add(&rig, "a", a, 0, 0), ERR_OK);
    assert_int_equal(end(&rig, "a", a, 1, true, false).err, ERR_PRODUCER_FENCED);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK);
    int64_t hw = high(&rig, 0);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK); // again
    assert_int_equal(end(&rig, "a", a, 0, false, false).err, ERR_INVALID_TXN_STATE);
    assert_int_equal(high(&rig, 0), hw);
    rig_fini(&rig);
}

static void ends_that_raise_the_epoch_890(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(end(&rig, "a", a, 0, true, true).err, ERR_INVALID_TXN_STATE); // nothing to commit
    assert_int_equal(data(&rig, a, 0, 0, 0, ADDS).err, ERR_OK);
    struct outcome first = end(&rig, "a", a, 0, true, true);
    assert_int_equal(first.producer_epoch, 1);
    int64_t hw = high(&rig, 0);
    struct outcome retry = end(&rig, "a", a, 0, true, true);
    assert_int_equal(retry.err, ERR_OK);
    assert_int_equal(retry.producer_epoch, 1);
    assert_int_equal(end(&rig, "a", a, 0, false, true).err, ERR_INVALID_TXN_STATE);
    assert_int_equal(high(&rig, 0), hw);
    // KAFKA-17754: a delayed end never ends the next transaction.
    assert_int_equal(data(&rig, a, 1, 0, 0, ADDS).err, ERR_OK);
    assert_int_equal(end(&rig, "a", a, 0, true, true).err, ERR_PRODUCER_FENCED);
    assert_int_equal(end(&rig, "a", a, 0, false, true).err, ERR_PRODUCER_FENCED);
    assert_int_equal(view_of(&rig, "a").state, TXN_ONGOING);
    // and a delayed batch never enters it.
    assert_int_equal(data(&rig, a, 0, 0, 2, ADDS).err, ERR_INVALID_PRODUCER_EPOCH);
    struct outcome aborted = end(&rig, "a", a, 1, false, true);
    assert_int_equal(aborted.producer_epoch, 2);
    struct outcome empty = end(&rig, "a", a, 2, false, true); // an abort of nothing
    assert_int_equal(empty.err, ERR_OK);
    assert_int_equal(empty.producer_epoch, 3);
    check_cut(&rig);
    rig_fini(&rig);
}

static void init_aborts_what_is_open(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(data(&rig, a, 0, 0, 0, ADDS).err, ERR_OK);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", -1, "", 5), ERR_OK);
    struct outcome o = init(&rig, "a");
    assert_int_equal(o.producer_epoch, 1);
    assert_int_equal(stable(&rig, 0), 3);
    assert_int_equal(partition_aborted_count(rig_partition(&rig, 1, 0)), 1);
    assert_null(rig_group(&rig, "g"));
    assert_int_equal(view_of(&rig, "a").state, TXN_EMPTY);
    rig_fini(&rig);
}

static void an_administrator_aborts(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    struct item item = rig_kind(ITEM_TXN_END);
    item.txn_end = (struct item_txn_end){STR("a"), a, 0, false, false, true};
    assert_int_equal(rig_one(&rig, &item).err, ERR_INVALID_TXN_STATE);
    assert_int_equal(data(&rig, a, 0, 0, 0, ADDS).err, ERR_OK);
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    assert_int_equal(stable(&rig, 0), 3);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_PRODUCER_FENCED);
    rig_fini(&rig);
}

// ---- offsets

static void offsets_with_a_transaction(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    struct topic *t = core_topic_find_id(rig.core, rig_id(1));
    assert_int_equal(offsets(&rig, "a", a, 0, false, "g", -1, "", 5), ERR_INVALID_TXN_STATE);
    assert_int_equal(add_group(&rig, "a", a, 0, "g"), ERR_OK);
    assert_int_equal(offsets(&rig, "a", a, 0, false, "g", -1, "", 5), ERR_OK);
    assert_int_equal(offsets(&rig, "a", a, 0, false, "g", -1, "", 7), ERR_OK); // the last one counts
    assert_true(group_offset_is_pending(rig.core, STR("g"), t, 0));
    assert_false(group_offset_is_pending(rig.core, STR("g"), t, 1));
    assert_false(group_offset_is_pending(rig.core, STR("h"), t, 0));
    assert_null(rig_group(&rig, "g"));
    check_cut(&rig);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 7);
    assert_false(group_offset_is_pending(rig.core, STR("g"), t, 0));
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", -1, "", 9), ERR_OK);
    assert_int_equal(end(&rig, "a", a, 0, false, false).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 7); // aborted
    check_cut(&rig);
    rig_fini(&rig);
}

static void offsets_are_fenced_by_generation_447(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(rig_set(&rig, "g", 0, 1, "m"), ERR_OK);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", 0, "m", 5), ERR_ILLEGAL_GENERATION);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", 1, "n", 5), ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "h", 1, "m", 5), ERR_ILLEGAL_GENERATION);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", 1, "m", 5), ERR_OK);
    assert_int_equal(offsets(&rig, "a", a, 1, true, "g", 1, "m", 6), ERR_PRODUCER_FENCED);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK);
    assert_int_equal(rig_committed(&rig, "g", 1, 0), 5);
    rig_fini(&rig);
}

// ---- time

static void a_timeout_aborts(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(data(&rig, a, 0, 0, 0, ADDS).err, ERR_OK);
    int64_t begun_ms = rig.time_ms;
    assert_int_equal(core_next_deadline_ms(rig.core), begun_ms + 60000);
    struct item tick = rig_kind(ITEM_TICK);
    rig.time_ms = begun_ms + 59999;
    assert_int_equal(rig_one(&rig, &tick).err, ERR_OK);
    assert_int_equal(stable(&rig, 0), 0);
    rig.time_ms = begun_ms + 60000;
    assert_int_equal(rig_one(&rig, &tick).err, ERR_OK);
    assert_int_equal(stable(&rig, 0), 3);
    assert_int_equal(rig.facts.slot_count, 1);
    assert_int_equal(view_of(&rig, "a").producer_epoch, 1); // who was too slow is fenced
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_PRODUCER_FENCED);
    struct item again = txn_init("a");
    again.txn_init.expected_producer_id = a;
    again.txn_init.expected_epoch = 0;
    assert_int_equal(rig_one(&rig, &again).producer_epoch, 1); // and may go on with the new epoch
    rig_fini(&rig);
}

static void unused_ids_are_forgotten(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    (void)init(&rig, "a");
    rig.time_ms += 604800000 - 1;
    (void)init(&rig, "b");
    struct item tick = rig_kind(ITEM_TICK);
    rig.time_ms += 1;
    assert_int_equal(core_next_deadline_ms(rig.core), rig.time_ms);
    assert_int_equal(rig_one(&rig, &tick).err, ERR_OK);
    assert_null(core_txn_find(rig.core, STR("a")));
    assert_non_null(core_txn_find(rig.core, STR("b")));
    check_cut(&rig);
    rig_fini(&rig);
}

static void too_many_ids(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct item_config limit = {STR("strom.transactional.ids.max"), STR("2")};
    assert_int_equal(rig_configs(&rig, 0, &limit, 1, 0), ERR_OK);
    assert_int_equal(init(&rig, "a").err, ERR_OK);
    assert_int_equal(init(&rig, "b").err, ERR_OK);
    assert_int_equal(init(&rig, "c").err, ERR_POLICY_VIOLATION);
    assert_int_equal(init(&rig, "a").err, ERR_OK);
    rig_fini(&rig);
}

static void names_have_a_limit(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    assert_int_equal(rig_limit(&rig, "strom.transactional.ids.max", "2"), ERR_OK); // 512 bytes and costs
    int64_t a = init(&rig, "a").value;
    char name[400];
    memset(name, 'x', sizeof name);
    name[382] = '\0';
    assert_int_equal(add_group(&rig, "a", a, 0, name), ERR_OK); // 65 + 446, so one byte is left
    assert_int_equal(init(&rig, "b").err, ERR_POLICY_VIOLATION);
    assert_int_equal(add_group(&rig, "a", a, 0, "g"), ERR_POLICY_VIOLATION);
    assert_int_equal(offsets(&rig, "a", a, 0, true, "g", -1, "", 5), ERR_POLICY_VIOLATION);
    assert_int_equal(add_group(&rig, "a", a, 0, name), ERR_OK); // it is there already
    assert_int_equal(offsets(&rig, "a", a, 0, true, name, -1, "", 5), ERR_OK);
    check_cut(&rig);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK);
    assert_int_equal(init(&rig, "b").err, ERR_OK);
    rig_fini(&rig);
}

static void transactions_have_limits(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    assert_int_equal(rig_limit(&rig, "strom.producer.ids.max", "2"), ERR_OK);
    int64_t a = init(&rig, "a").value;
    int64_t b = init(&rig, "b").value;
    assert_int_equal(add(&rig, "a", a, 0, 0), ERR_OK);
    assert_int_equal(add(&rig, "b", b, 0, 0), ERR_OK);
    assert_int_equal(add(&rig, "b", b, 0, 1), ERR_POLICY_VIOLATION);
    assert_int_equal(data(&rig, b, 0, 1, 0, ADDS).err, ERR_POLICY_VIOLATION);
    assert_int_equal(add(&rig, "b", b, 0, 0), ERR_OK);
    assert_int_equal(data(&rig, b, 0, 0, 0, ADDS).err, ERR_OK);
    assert_int_equal(end(&rig, "a", a, 0, false, false).err, ERR_OK);
    assert_int_equal(data(&rig, b, 0, 1, 0, ADDS).err, ERR_OK);

    assert_int_equal(rig.facts.marker_count, 0);
    assert_int_equal(end(&rig, "b", b, 0, true, false).err, ERR_OK);
    assert_int_equal(rig.facts.marker_count, 2);

    assert_int_equal(add_group(&rig, "b", b, 0, "g0"), ERR_OK);
    char name[16];
    for (int i = 1; i < ITEM_TXN_GROUPS_MAX; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(add_group(&rig, "b", b, 0, name), ERR_OK);
    }
    assert_int_equal(add_group(&rig, "b", b, 0, "one more"), ERR_POLICY_VIOLATION);
    assert_int_equal(offsets(&rig, "b", b, 0, true, "one more", -1, "", 5), ERR_POLICY_VIOLATION);
    assert_int_equal(add_group(&rig, "b", b, 0, "g7"), ERR_OK);
    assert_int_equal(rig_limit(&rig, "strom.group.offsets.max", "1"), ERR_OK);
    assert_int_equal(offsets(&rig, "b", b, 0, true, "g7", -1, "", 5), ERR_OK);
    assert_int_equal(offsets(&rig, "b", b, 0, true, "g8", -1, "", 5), ERR_POLICY_VIOLATION);
    assert_int_equal(rig_commit(&rig, "h", 1, 2, 8), ERR_POLICY_VIOLATION); // what is pending counts
    assert_int_equal(rig_limit(&rig, "strom.group.offsets.max", "9"), ERR_OK);
    assert_int_equal(rig_limit(&rig, "strom.groups.max", "1"), ERR_OK);
    assert_int_equal(offsets(&rig, "b", b, 0, true, "g7", -1, "", 5), ERR_POLICY_VIOLATION);
    assert_int_equal(rig_limit(&rig, "strom.groups.max", "501"), ERR_OK);
    assert_int_equal(offsets(&rig, "b", b, 0, true, "g7", -1, "", 5), ERR_OK);
    check_cut(&rig);
    rig_fini(&rig);
}

// ---- topics go

static void a_topic_is_deleted_in_a_transaction(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig);
    struct item other = rig_create(2, "u", 1);
    assert_int_equal(rig_one(&rig, &other).err, ERR_OK);
    int64_t a = init(&rig, "a").value;
    assert_int_equal(data(&rig, a, 0, 0, 0, ADDS).err, ERR_OK);
    struct item_txn_partition both[] = {{rig_id(2), 0}, {rig_id(1), 1}};
    struct item item = rig_kind(ITEM_TXN_ADD);
    item.txn_add = (struct item_txn_add){STR("a"), a, 0, both, 2, NULL, 0};
    assert_int_equal(rig_one(&rig, &item).err, ERR_OK);
    item.txn_add.partitions[0].partition = 7;
    assert_int_equal(rig_one(&rig, &item).err, ERR_UNKNOWN_PARTITION);
    core_snapshot_begin(rig.core);
    uint64_t hash = core_state_hash(rig.core);
    struct item gone = rig_delete(2);
    assert_int_equal(rig_one(&rig, &gone).err, ERR_OK);
    struct buf snapshot;
    buf_init(&snapshot, SIZE_MAX / 2);
    while (!core_snapshot_step(rig.core, 1, &snapshot)) {
    }
    struct core *copy = core_create();
    assert_int_equal(core_load(copy, buf_bytes(&snapshot), NULL), ERR_OK);
    assert_int_equal(core_state_hash(copy), hash); // the cut has the topic, and the transaction with it
    core_destroy(copy);
    buf_fini(&snapshot);
    assert_int_equal(view_of(&rig, "a").partition_count, 2);
    check_cut(&rig);
    assert_int_equal(end(&rig, "a", a, 0, true, false).err, ERR_OK);
    assert_int_equal(high(&rig, 0), 3);
    assert_int_equal(high(&rig, 1), 1);
    rig_fini(&rig);
}

// ---- every interleaving of up to four transactions in one partition (R5)

enum { TXNS_MAX = 4 };

struct ended {
    int64_t first;
    int64_t marker;
};

struct scan {             // what a linear scan of the log says
    struct ended list[8]; // aborted ones
    int count;            // offsets in the log
    int first[TXNS_MAX];  // of the open ones; -1 = not open
    int aborted;
};

static void check_scan(struct rig *rig, const struct scan *scan, int count)
{
    int64_t lowest = scan->count;
    for (int i = 0; i < count; i++) {
        lowest = scan->first[i] >= 0 && scan->first[i] < lowest ? scan->first[i] : lowest;
    }
    assert_int_equal(high(rig, 0), scan->count);
    assert_int_equal(stable(rig, 0), lowest);
    const struct partition *p = rig_partition(rig, 1, 0);
    assert_int_equal(partition_aborted_count(p), scan->aborted);
    // Whatever a reader asks for, stopping where stable_offset says gives all that it has to leave out.
    for (int64_t from = 0; from < scan->count; from++) {
        for (int64_t to = from + 1; to <= scan->count; to++) {
            int want = 0;
            for (int i = 0; i < scan->aborted; i++) {
                want += scan->list[i].first < to && scan->list[i].marker >= from;
            }
            int got = 0;
            struct aborted_view view = {.stable_offset = -1};
            for (uint32_t i = partition_aborted_search(p, from);
                 i < partition_aborted_count(p) && view.stable_offset < to; i++) {
                partition_aborted_at(p, i, &view);
                got += view.first_offset < to;
            }
            assert_int_equal(got, want);
        }
    }
}

// Each transaction writes `writes` times and ends; odd ones abort. `order` says whose step is next.
static void run_order(const int *order, int length, int count, int writes)
{
    struct rig rig;
    begin(&rig);
    static const char *const ids[] = {"a", "b", "c", "d"};
    int64_t pids[TXNS_MAX];
    int step[TXNS_MAX] = {0};
    struct scan scan = {.first = {-1, -1, -1, -1}};
    for (int i = 0; i < count; i++) {
        pids[i] = init(&rig, ids[i]).value;
    }
    for (int at = 0; at < length; at++) {
        int who = order[at];
        if (step[who] < writes) {
            assert_int_equal(data(&rig, pids[who], 0, 0, step[who] * 2, ADDS).err, ERR_OK);
            scan.first[who] = scan.first[who] < 0 ? scan.count : scan.first[who];
            scan.count += 2;
        } else {
            assert_int_equal(end(&rig, ids[who], pids[who], 0, who % 2 == 0, true).err, ERR_OK);
            if (who % 2 == 1) {
                scan.list[scan.aborted++] = (struct ended){scan.first[who], scan.count};
            }
            scan.first[who] = -1;
            scan.count += 1;
        }
        step[who]++;
        check_scan(&rig, &scan, count);
    }
    rig_fini(&rig);
}

static int permute(int *order, int at, int length, int *left, int count, int writes)
{
    if (at == length) {
        run_order(order, length, count, writes);
        return 1;
    }
    int runs = 0;
    for (int i = 0; i < count; i++) {
        if (left[i] > 0) {
            left[i]--;
            order[at] = i;
            runs += permute(order, at + 1, length, left, count, writes);
            left[i]++;
        }
    }
    return runs;
}

static void every_interleaving(void **state)
{
    (void)state;
    static const int expected[] = {1, 1, 20, 1680};
    int order[12];
    for (int count = 1; count <= 3; count++) {
        int left[TXNS_MAX] = {3, 3, 3, 3};
        assert_int_equal(permute(order, 0, 3 * count, left, count, 2), expected[count]);
    }
    int left[TXNS_MAX] = {2, 2, 2, 2};
    assert_int_equal(permute(order, 0, 8, left, 4, 1), 2520);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_gives_epochs),
        cmocka_unit_test(init_with_a_producer_360),
        cmocka_unit_test(epochs_run_out),
        cmocka_unit_test(commit_and_abort),
        cmocka_unit_test(marker_bytes),
        cmocka_unit_test(who_may_write),
        cmocka_unit_test(no_duplicate_of_a_transaction_before),
        cmocka_unit_test(admission_settles_only_what_stays),
        cmocka_unit_test(ends_of_the_first_protocol),
        cmocka_unit_test(ends_that_raise_the_epoch_890),
        cmocka_unit_test(init_aborts_what_is_open),
        cmocka_unit_test(an_administrator_aborts),
        cmocka_unit_test(offsets_with_a_transaction),
        cmocka_unit_test(offsets_are_fenced_by_generation_447),
        cmocka_unit_test(a_timeout_aborts),
        cmocka_unit_test(unused_ids_are_forgotten),
        cmocka_unit_test(too_many_ids),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test(transactions_have_limits),
        cmocka_unit_test(a_topic_is_deleted_in_a_transaction),
        cmocka_unit_test(every_interleaving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
