// SPDX-License-Identifier: Apache-2.0
// What the verdict on a batch means to apply: DATA, version 2, and topics that take dead letters.
#include "core/governance.h"
#include "core/rig_test.h"
#include "record/batch.h"

enum { ORDERS = 1, LETTERS = 2, OTHER = 3 };

static struct item_config governed[] = {{{"strom.validation.on.failure", 27}, {"dlq", 3}},
                                        {{"strom.value.validation.level", 28}, {"contract", 8}}};
static struct item_condition subject[] = {{{"subject/orders", 14}, 1}};

static void document_put_one(struct rig *rig, const char *key)
{
    struct item_document change = {.op = DOCUMENT_PUT, .key = str_from_c(key), .value = bytes_of("x", 1)};
    struct item item = rig_kind(ITEM_DOCUMENTS);
    item.documents = (struct item_documents){.documents = &change, .document_count = 1};
    assert_int_equal(rig_one(rig, &item).err, ERR_OK);
}

// setup: orders is governed, by the settings' revision 0 and subject/orders, and orders.dlq takes its dead
// letters.
static void setup(struct rig *rig)
{
    rig_init(rig);
    struct item letters = rig_create(LETTERS, "orders.dlq", 2);
    assert_int_equal(rig_one(rig, &letters).err, ERR_OK);
    struct item orders = rig_create(ORDERS, "orders", 2);
    orders.topic_create.configs = governed;
    orders.topic_create.config_count = 2;
    assert_int_equal(rig_one(rig, &orders).err, ERR_OK);
    document_put_one(rig, "subject/orders");
}

static struct item judged(struct item item)
{
    item.version = 2;
    item.data.flags = DATA_JUDGED;
    item.data.conditions = subject;
    item.data.condition_count = 1;
    return item;
}

static struct item refusal(struct item item)
{
    item = judged(item);
    item.data.flags |= DATA_REFUSED;
    item.data.payload_length = 0;
    return item;
}

static struct item with_letters(struct item item, struct item_target *target)
{
    *target = (struct item_target){rig_id(LETTERS), item.data.partition};
    item.data.targets = target;
    item.data.target_count = 1;
    return item;
}

// letter: a dead letter of the item `of` (1-based) of the same bundle.
static struct item letter(int32_t partition, uint32_t of)
{
    struct item item = rig_data(LETTERS, partition, 1);
    item.version = 2;
    item.depends_on = of;
    return item;
}

static int64_t end_of(struct rig *rig, uint8_t id, int32_t partition)
{
    return partition_high_watermark(rig_partition(rig, id, partition));
}

static void needs_a_current_verdict(void **state)
{
    (void)state;
    struct rig rig;
    setup(&rig);
    struct item plain = rig_data(ORDERS, 0, 2);
    assert_int_equal(rig_one(&rig, &plain).err, ERR_OK); // version 1 knows of nothing that governs
    plain.version = 2;
    assert_int_equal(rig_one(&rig, &plain).err, ERR_STALE);
    struct item good = judged(plain);
    assert_int_equal(rig_one(&rig, &good).base_offset, 2);
    assert_true(core_verdict_holds(rig.core, &good.data));

    struct item older = good;
    older.data.config_revision = 7;
    assert_int_equal(rig_one(&rig, &older).err, ERR_STALE);
    document_put_one(&rig, "subject/other"); // somebody else's
    assert_int_equal(rig_one(&rig, &good).err, ERR_OK);
    document_put_one(&rig, "subject/orders");
    assert_int_equal(rig_one(&rig, &good).err, ERR_STALE);
    assert_false(core_verdict_holds(rig.core, &good.data));

    struct item_condition absent[] = {{{"association/orders", 18}, 0}};
    struct item absence = good;
    absence.data.conditions = absent;
    assert_int_equal(rig_one(&rig, &absence).err, ERR_OK);
    document_put_one(&rig, "association/orders");
    assert_int_equal(rig_one(&rig, &absence).err, ERR_STALE);

    struct item ungoverned = rig_data(LETTERS, 0, 1);
    ungoverned.version = 2;
    assert_int_equal(rig_one(&rig, &ungoverned).err, ERR_OK);
    assert_int_equal(rig_configs(&rig, ORDERS, governed, 0, 0), ERR_OK); // no longer governed
    assert_int_equal(rig_one(&rig, &good).err, ERR_STALE);
    assert_int_equal(rig_one(&rig, &plain).err, ERR_OK);
    rig_fini(&rig);
}

static void duplicates_come_before_verdicts(void **state)
{
    (void)state;
    struct rig rig;
    setup(&rig);
    struct item first = judged(rig_idempotent(ORDERS, 0, 5, 0, 0, 3));
    assert_int_equal(rig_one(&rig, &first).base_offset, 0);
    document_put_one(&rig, "subject/orders");
    struct outcome again = rig_one(&rig, &first);
    assert_int_equal(again.err, ERR_OK);
    assert_true(again.is_duplicate);
    struct item refused = refusal(rig_idempotent(ORDERS, 0, 5, 0, 0, 3)); // its original is in
    again = rig_one(&rig, &refused);
    assert_true(again.is_duplicate && again.base_offset == 0 && !again.is_refused);
    struct item gap = judged(rig_idempotent(ORDERS, 0, 5, 0, 9, 3));
    assert_int_equal(rig_one(&rig, &gap).err, ERR_STALE); // before the sequence
    gap.data.condition_count = 0;
    assert_int_equal(rig_one(&rig, &gap).err, ERR_OUT_OF_ORDER_SEQUENCE);
    rig_fini(&rig);
}

static void refusals_append_nothing(void **state)
{
    (void)state;
    struct rig rig;
    setup(&rig);
    struct item first = judged(rig_idempotent(ORDERS, 0, 5, 1, 0, 3));
    assert_int_equal(rig_one(&rig, &first).err, ERR_OK);
    uint64_t hash = core_state_hash(rig.core);
    struct item refused = refusal(rig_idempotent(ORDERS, 0, 5, 1, 3, 2));
    struct outcome o = rig_one(&rig, &refused);
    assert_true(o.err == ERR_INVALID_RECORD && o.is_refused);
    struct item far = refusal(rig_idempotent(ORDERS, 0, 5, 1, 300, 2)); // its sequence is nobody's
    o = rig_one(&rig, &far);
    assert_true(o.err == ERR_INVALID_RECORD && o.is_refused);
    struct item anonymous = refusal(rig_data(ORDERS, 0, 1));
    assert_true(rig_one(&rig, &anonymous).is_refused);
    assert_int_equal(end_of(&rig, ORDERS, 0), 3);
    assert_true(core_state_hash(rig.core) != hash); // the log went on
    struct item fenced = refusal(rig_idempotent(ORDERS, 0, 5, 0, 3, 2));
    o = rig_one(&rig, &fenced);
    assert_true(o.err == ERR_INVALID_PRODUCER_EPOCH && !o.is_refused);
    struct item next = judged(rig_idempotent(ORDERS, 0, 5, 1, 3, 1)); // the sequence has not moved
    assert_int_equal(rig_one(&rig, &next).base_offset, 3);
    document_put_one(&rig, "subject/orders");
    o = rig_one(&rig, &refused);
    assert_true(o.err == ERR_STALE && !o.is_refused);

    bool is_settled = true;
    subject[0].revision = 2;
    assert_int_equal(core_admit(rig.core, &refused, &is_settled, &o), ERR_OK);
    assert_false(is_settled); // only in its place
    subject[0].revision = 1;
    struct item shapeless = refused;
    shapeless.data.payload_length = 10;
    o = rig_one(&rig, &shapeless);
    assert_true(o.err == ERR_INVALID_RECORD && !o.is_refused);
    shapeless = refused;
    shapeless.data.flags = DATA_REFUSED;
    o = rig_one(&rig, &shapeless);
    assert_true(o.err == ERR_INVALID_RECORD && !o.is_refused);
    rig_fini(&rig);
}

// Of a producer that nothing is known of any sequence is taken, but for one that follows a refused one.
static void a_refusal_is_not_overtaken(void **state)
{
    (void)state;
    struct rig rig;
    setup(&rig);
    struct item refused = refusal(rig_idempotent(ORDERS, 0, 5, 0, 7, 3));
    struct item behind = judged(rig_idempotent(ORDERS, 0, 5, 0, 10, 2));
    assert_true(rig_one(&rig, &refused).is_refused);
    assert_true(rig_one(&rig, &refused).is_refused); // again
    struct buf snapshot;
    rig_snapshot(rig.core, &snapshot);
    struct core *copy = core_create();
    assert_int_equal(core_load(copy, buf_bytes(&snapshot), NULL), ERR_OK);
    assert_true(core_state_hash(copy) == core_state_hash(rig.core));
    core_destroy(copy);
    buf_fini(&snapshot);
    assert_int_equal(rig_one(&rig, &behind).err, ERR_OUT_OF_ORDER_SEQUENCE);
    behind.data.base_sequence = 7; // it was given the refused one's
    assert_int_equal(rig_one(&rig, &behind).base_offset, 0);
    assert_true(rig_one(&rig, &behind).is_duplicate);
    rig_fini(&rig);
}

static void letters_go_with_their_batch(void **state)
{
    (void)state;
    struct rig rig;
    struct item_target target;
    setup(&rig);
    struct item batch = with_letters(judged(rig_idempotent(ORDERS, 1, 5, 0, 0, 4)), &target);
    batch.data.record_count = 0; // all of them are bad: the bounds stay
    struct item mail = letter(1, 1);
    rig_add(&rig, &batch);
    rig_add(&rig, &mail);
    rig_flush(&rig);
    assert_true(rig.outcomes[0].err == ERR_OK && rig.outcomes[1].err == ERR_OK);
    assert_int_equal(end_of(&rig, ORDERS, 1), 4);
    assert_int_equal(end_of(&rig, LETTERS, 1), 1);

    const struct {
        struct item batch;
        enum err err;
        bool is_duplicate;
    } rows[] = {
        {batch, ERR_OK, true},
        {with_letters(judged(rig_idempotent(ORDERS, 1, 5, 0, 9, 4)), &target), ERR_OUT_OF_ORDER_SEQUENCE,
         false},
        {with_letters(refusal(rig_idempotent(ORDERS, 1, 5, 0, 4, 4)), &target), ERR_INVALID_RECORD, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_add(&rig, &rows[i].batch);
        rig_add(&rig, &mail);
        rig_flush(&rig);
        assert_int_equal(rig.outcomes[0].err, rows[i].err);
        assert_int_equal(rig.outcomes[0].is_duplicate, rows[i].is_duplicate);
        assert_int_equal(rig.outcomes[1].err, ERR_STALE);
        assert_int_equal(end_of(&rig, LETTERS, 1), 1);
    }
    // Whatever is in the way of a letter keeps its batch out.
    batch = with_letters(judged(rig_idempotent(ORDERS, 1, 5, 0, 4, 4)), &target);
    target.partition = 2;
    assert_int_equal(rig_one(&rig, &batch).err, ERR_STALE);
    target = (struct item_target){rig_id(OTHER), 0};
    assert_int_equal(rig_one(&rig, &batch).err, ERR_STALE);
    target = (struct item_target){rig_id(ORDERS), 0}; // it is governed
    assert_int_equal(rig_one(&rig, &batch).err, ERR_STALE);
    target = (struct item_target){rig_id(LETTERS), 0};
    assert_int_equal(rig_one(&rig, &batch).err, ERR_OK);
    rig_fini(&rig);
}

static struct item transactional(struct item item)
{
    item.data.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL | DATA_ADDS;
    return item;
}

static void letters_share_the_transaction(void **state)
{
    (void)state;
    struct rig rig;
    struct item_target target;
    setup(&rig);
    struct item init = rig_kind(ITEM_TXN_INIT);
    init.txn_init = (struct item_txn_init){STR("app"), 60000, -1, -1};
    int64_t producer = rig_one(&rig, &init).value;
    struct item batch =
        transactional(with_letters(judged(rig_idempotent(ORDERS, 0, producer, 0, 0, 4)), &target));
    struct item mail = transactional(letter(0, 1));
    mail.data.producer_id = producer;
    mail.data.producer_epoch = 0;
    struct item_config one[] = {{{"strom.producer.ids.max", 22}, {"1", 1}}};
    assert_int_equal(rig_configs(&rig, 0, one, 1, 0), ERR_OK);
    rig_add(&rig, &batch);
    rig_add(&rig, &mail);
    rig_flush(&rig); // there is room for one partition in transactions, and it takes two
    assert_int_equal(rig.outcomes[0].err, ERR_POLICY_VIOLATION);
    assert_int_equal(rig.outcomes[1].err, ERR_STALE);
    assert_int_equal(rig_configs(&rig, 0, one, 0, 1), ERR_OK);

    for (int32_t round = 0; round < 2; round++) {
        batch.data.base_sequence = round * 4;
        rig_add(&rig, &batch);
        rig_add(&rig, &mail);
        rig_flush(&rig);
        assert_int_equal(rig.outcomes[0].err, ERR_OK);
        assert_int_equal(rig.outcomes[1].err, ERR_OK);
    }
    const struct partition *taker = rig_partition(&rig, LETTERS, 0);
    assert_int_equal(partition_high_watermark(taker), 2);
    assert_int_equal(partition_last_stable_offset(taker), 0);
    struct producer_view view;
    assert_false(partition_producer_find(rig.core, taker, producer, &view)); // it has no sequence here
    struct item end = rig_kind(ITEM_TXN_END);
    end.txn_end = (struct item_txn_end){.txn_id = STR("app"), .producer_id = producer};
    assert_int_equal(rig_one(&rig, &end).err, ERR_OK);
    assert_int_equal(end_of(&rig, LETTERS, 0), 3);
    assert_int_equal(end_of(&rig, ORDERS, 0), 9);
    assert_int_equal(partition_aborted_count(taker), 1); // aborted with its batch

    struct item alone = mail; // without a batch that it depends on a sequence is missed
    alone.depends_on = 0;
    assert_int_equal(rig_one(&rig, &alone).err, ERR_INVALID_RECORD);
    rig_fini(&rig);
}

static void what_takes_letters_stays(void **state)
{
    (void)state;
    struct rig rig;
    setup(&rig);
    char room[TOPIC_LETTERS_SIZE];
    struct topic *orders = core_topic_find(rig.core, STR("orders"));
    assert_true(topic_is_governed(orders));
    assert_true(str_equal(topic_letters(orders, room), STR("orders.dlq")));
    struct item del = rig_delete(LETTERS);
    assert_int_equal(rig_one(&rig, &del).err, ERR_POLICY_VIOLATION);
    assert_int_equal(rig_configs(&rig, LETTERS, governed + 1, 1, 0), ERR_INVALID_CONFIG); // would be governed

    struct item_config elsewhere[] = {{{"strom.validation.dlq.topic", 26}, {"bin", 3}}};
    assert_int_equal(rig_configs(&rig, ORDERS, elsewhere, 1, 0), ERR_STALE); // it is not there
    elsewhere[0].value = STR("orders");
    assert_int_equal(rig_configs(&rig, ORDERS, elsewhere, 1, 0), ERR_INVALID_CONFIG);
    struct item_config by_rules[] = {{{GOVERNANCE_RULE_TOPICS, 32}, {"orders.dlq,bin", 14}},
                                     {{"strom.value.validation.level", 28}, {"contract", 8}}};
    assert_int_equal(rig_configs(&rig, ORDERS, by_rules, 2, 0), ERR_STALE); // one of them is not there
    by_rules[0].value = STR("orders.dlq,orders");
    assert_int_equal(rig_configs(&rig, ORDERS, by_rules, 2, 0), ERR_INVALID_CONFIG);
    struct item lonely = rig_create(OTHER, "lonely", 1);
    lonely.topic_create.configs = governed;
    lonely.topic_create.config_count = 2;
    assert_int_equal(rig_one(&rig, &lonely).err, ERR_STALE);

    struct buf snapshot; // a restart does not forget
    rig_snapshot(rig.core, &snapshot);
    struct core *copy = core_create();
    struct error e = {0};
    assert_int_equal(core_load(copy, buf_bytes(&snapshot), &e), ERR_OK);
    assert_non_null(core_topic_naming(copy, STR("orders.dlq")));
    assert_true(topic_is_governed(core_topic_find(copy, STR("orders"))));
    core_destroy(copy);
    buf_fini(&snapshot);

    assert_int_equal(rig_configs(&rig, ORDERS, governed + 1, 1, 0), ERR_OK); // rejects from now on
    assert_null(core_topic_naming(rig.core, STR("orders.dlq")));
    by_rules[0].value = STR("orders.dlq");
    assert_int_equal(rig_configs(&rig, ORDERS, by_rules, 2, 1), ERR_OK); // now rules name it
    assert_int_equal(rig_one(&rig, &del).err, ERR_POLICY_VIOLATION);
    assert_int_equal(rig_configs(&rig, LETTERS, governed + 1, 1, 0), ERR_INVALID_CONFIG);
    assert_int_equal(rig_configs(&rig, ORDERS, by_rules, 1, 2),
                     ERR_OK); // of what is not governed they do not
    assert_null(core_topic_naming(rig.core, STR("orders.dlq")));
    assert_int_equal(rig_configs(&rig, ORDERS, governed, 2, 3), ERR_OK);
    struct item gone = rig_delete(ORDERS);
    assert_int_equal(rig_one(&rig, &gone).err, ERR_OK);
    assert_int_equal(rig_one(&rig, &del).err, ERR_OK);
    rig_fini(&rig);
}

static void frames_are_checked(void **state)
{
    (void)state;
    struct item_target target;
    struct item item = with_letters(judged(rig_data(ORDERS, 0, 2)), &target);
    struct buf frame;
    buf_init(&frame, 4096);
    item_encode(&item, &frame);
    assert_true(frame.len <= item_encoded_max(&item));
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (size_t len = frame.len; len > 4; len--) { // cut anywhere, with a head that says so
        store_be32(frame.ptr, (uint32_t)(len - 4));
        struct reader r = reader_init(bytes_of(frame.ptr, len));
        struct item back;
        struct error e;
        enum err err = item_decode(&r, &arena, &back, &e);
        assert_int_equal(err, len == frame.len ? ERR_OK : ERR_CORRUPT);
        if (err == ERR_OK) {
            assert_true(back.data.condition_count == 1 && back.data.target_count == 1);
            assert_true(str_equal(back.data.conditions[0].key, STR("subject/orders")));
            assert_int_equal(back.data.targets[0].partition, 0);
            struct buf line;
            buf_init(&line, 4096);
            item_print(&back, &line);
            assert_non_null(memmem(line.ptr, line.len, "\"subject/orders\"@1", 18));
            buf_fini(&line);
        }
    }
    arena_fini(&arena);
    buf_reset(&frame);
    item.data.condition_count = ITEM_DATA_CONDITIONS_MAX + 1;
    item_encode(&item, &frame);
    assert_true(frame.failed);
    buf_fini(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_a_current_verdict),     cmocka_unit_test(duplicates_come_before_verdicts),
        cmocka_unit_test(refusals_append_nothing),     cmocka_unit_test(a_refusal_is_not_overtaken),
        cmocka_unit_test(letters_go_with_their_batch), cmocka_unit_test(letters_share_the_transaction),
        cmocka_unit_test(what_takes_letters_stays),    cmocka_unit_test(frames_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
