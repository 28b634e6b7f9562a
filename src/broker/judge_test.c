// SPDX-License-Identifier: Apache-2.0
// Governed topics: refusals, dead letters, verdicts that go stale, and order, with a whole broker and a
// policy whose rule is a word.
#include "base/mem.h"
#include "broker/test_policy.h"
#include "broker/test_rig.h"

#include <stdio.h>
#include <stdlib.h>

struct suite {
    struct rig rig;
    struct test_policy policy;
};

static int setup(void **state)
{
    struct suite *suite = calloc(1, sizeof *suite);
    rig_init(&suite->rig);
    rig_set(&suite->rig, "log.retention.ms", "-1");
    test_policy_init(&suite->policy);
    suite->rig.policy = &suite->policy.face;
    *state = suite;
    return 0;
}

static int teardown(void **state)
{
    struct suite *suite = *state;
    rig_fini(&suite->rig);
    free(suite);
    return 0;
}

static void start(struct suite *suite)
{
    rig_start(&suite->rig);
}

// make_with makes a topic, and the one for its dead letters where there is to be one.
static void make_with(struct rig *rig, const char *name, int32_t partitions,
                      const struct item_config *configs, uint32_t config_count)
{
    struct error e = {0};
    struct item items[2];
    struct outcome outcomes[2];
    struct item *letters = NULL;
    uint32_t letter_count = 0;
    const struct topic_spec spec = {.name = str_from_c(name),
                                    .partition_count = partitions,
                                    .replication_factor = -1,
                                    .configs = configs,
                                    .config_count = config_count};
    assert_int_equal(broker_plan_topic(rig->broker, &spec, &rig->arena, &items[1], &e), ERR_OK);
    assert_int_equal(broker_plan_letters(rig->broker, &items[1], &rig->arena, &letters, &letter_count, &e),
                     ERR_OK);
    items[0] = letter_count == 0 ? items[0] : letters[0];
    uint32_t count = letter_count == 0 ? 1 : 2;
    assert_int_equal(broker_change_wait_all(rig->broker, items + 2 - count, count, outcomes, &e), ERR_OK);
    assert_int_equal(outcomes[count - 1].err, ERR_OK);
}

static void make_governed(struct rig *rig, const char *name, int32_t partitions, bool has_letters)
{
    static const struct item_config configs[] = {{{"strom.value.validation.level", 28}, {"contract", 8}},
                                                 {{"max.message.bytes", 17}, {"20000000", 8}},
                                                 {{"strom.validation.on.failure", 27}, {"dlq", 3}}};
    make_with(rig, name, partitions, configs, has_letters ? 3 : 2);
}

// set_word changes the rule: what begins with it is bad.
static void set_word(struct rig *rig, const char *topic, const char *word)
{
    char room[TOPIC_LETTERS_SIZE + 8];
    struct item_document change = {.op = DOCUMENT_PUT,
                                   .key = test_policy_word(str_from_c(topic), room),
                                   .value = bytes_of((const uint8_t *)word, strlen(word))};
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1};
    item.documents = (struct item_documents){.documents = &change, .document_count = 1};
    struct error e = {0};
    struct outcome outcome;
    assert_int_equal(broker_change_wait(rig->broker, &item, &outcome, &e), ERR_OK);
}

// batch_of makes a batch of records with these values.
static struct bytes batch_of(struct rig *rig, const char *const *values, int32_t count, enum codec codec,
                             int64_t producer_id, int32_t sequence)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    options.producer_id = producer_id;
    options.producer_epoch = producer_id < 0 ? -1 : 0;
    options.base_sequence = producer_id < 0 ? -1 : sequence;
    struct batch_builder builder;
    struct buf out;
    buf_init(&out, 64 << 20);
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < count; i++) {
        batch_builder_append(&builder, 1000 + i, bytes_of("k", 1),
                             bytes_of((const uint8_t *)values[i], strlen(values[i])), NULL, 0);
    }
    assert_int_equal(batch_builder_finish(&builder, &out, NULL), ERR_OK);
    uint8_t *copy = arena_alloc(&rig->arena, out.len);
    memcpy(copy, out.ptr, out.len);
    struct bytes batch = bytes_of(copy, out.len);
    batch_builder_fini(&builder);
    buf_fini(&out);
    return batch;
}

static struct produce_part send(struct rig *rig, const char *topic, struct bytes batch)
{
    struct produce_part part = {.topic_name = str_from_c(topic), .batch = batch};
    produce_parts(rig, &part, 1);
    return part;
}

// values_of reads a partition to its end and joins "offset=value" by blanks; *ret_end is where it came to.
static const char *values_of(struct rig *rig, const char *topic, int32_t partition, bool is_committed,
                             int64_t *ret_end)
{
    enum { TEXT_MAX = 1 << 16 };
    char *text = arena_alloc(&rig->arena, TEXT_MAX);
    size_t len = 0;
    struct codec_context codec = {0};
    int64_t offset = 0;
    text[0] = '\0';
    for (int rounds = 0; rounds < 100; rounds++) {
        struct fetch_part part = fetch_part_of(topic, partition, offset);
        struct fetching f;
        rig->reads_committed = is_committed;
        fetch_begin(rig, &f, &part, 1, 0, 1, 1 << 20);
        rig_wait(&f.call);
        int64_t end = is_committed ? part.last_stable_offset : part.high_watermark;
        for (uint32_t s = 0; s < part.slice_count; s++) {
            struct buf bytes;
            buf_init(&bytes, 64 << 20);
            while (part.slices[s].length > 0) {
                struct fetch_piece piece;
                assert_int_equal(broker_slice_next(rig->broker, &part.slices[s], &piece, NULL), ERR_OK);
                assert_null(piece.file);
                buf_append(&bytes, piece.ptr, piece.length);
                chunk_unref(piece.chunk);
            }
            for (size_t at = 0; at < bytes.len;) {
                struct batch_header h;
                struct bytes rest = bytes_of(bytes.ptr + at, bytes.len - at);
                assert_int_equal(batch_header_read(rest, &h, NULL), ERR_OK);
                assert_true(batch_crc_check(bytes_of(rest.ptr, h.size)));
                struct record_iterator it;
                struct record record;
                assert_int_equal(record_iterator_init(&it, &codec, bytes_of(rest.ptr, h.size), NULL, NULL),
                                 ERR_OK);
                while (!batch_is_control(&h) && record_iterator_next(&it, &record)) {
                    len +=
                        (size_t)snprintf(text + len, TEXT_MAX - len, "%lld=%.*s ", (long long)record.offset,
                                         (int)record.value.len, (const char *)record.value.ptr);
                }
                assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
                offset = batch_last_offset(&h) + 1;
                at += h.size;
            }
            buf_fini(&bytes);
        }
        fetch_end(rig, &f);
        if (offset >= end) {
            break;
        }
    }
    codec_context_fini(&codec);
    *ret_end = offset;
    return text;
}

static void check_values(struct rig *rig, const char *topic, const char *want, int64_t end)
{
    int64_t got_end;
    const char *got = values_of(rig, topic, 0, false, &got_end);
    assert_string_equal(got, want);
    assert_int_equal(got_end, end);
}

static const char *const mixed[] = {"good1", "bad1", "good2", "bad2"};
static const char *const good[] = {"good3", "good4"};
static const char *const bad[] = {"bad3", "bad4", "bad5"};

static void refuses_with_reasons(void **state)
{
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 1, false);
    set_word(rig, "orders", "bad");
    struct bytes clean = batch_of(rig, good, 2, CODEC_LZ4, -1, 0);
    struct produce_part part = send(rig, "orders", batch_of(rig, mixed, 4, CODEC_LZ4, 7, 0));
    assert_int_equal(part.err, ERR_INVALID_RECORD);
    assert_string_equal(part.text, "2 of 4 records begin with the word");
    assert_int_equal(part.bad_record_count, 2);
    assert_int_equal(part.bad_records[1].index, 3);
    assert_true(str_equal(part.bad_records[1].text, STR("value: begins with the word")));
    assert_int_equal(part.base_offset, -1);
    uint8_t *sent = mem_alloc(clean.len);
    memcpy(sent, clean.ptr, clean.len);
    part = send(rig, "orders", clean);
    assert_int_equal(part.err, ERR_OK);
    assert_int_equal(part.base_offset, 0);
    assert_memory_equal(part.stored.ptr + BATCH_CRC_FROM, sent + BATCH_CRC_FROM, clean.len - BATCH_CRC_FROM);
    mem_free(sent);
    // The refused batch has used no sequence: the next one takes it.
    part = send(rig, "orders", batch_of(rig, good, 2, CODEC_NONE, 7, 0));
    assert_int_equal(part.base_offset, 2);
    check_values(rig, "orders", "0=good3 1=good4 2=good3 3=good4 ", 4);
    assert_int_equal(suite->policy.ends[POLICY_FINAL], 3);
    rig_stop(rig);
}

static uint64_t refused_in(struct rig *rig, const char *name)
{
    uint64_t count = 0;
    struct tally_view view;
    const struct core *core = broker_view_begin(rig->broker);
    struct topic *topic = core_topic_find(core, str_from_c(name));
    for (const struct tally *t = topic_tally_next(topic, NULL); t != NULL; t = topic_tally_next(topic, t)) {
        tally_view(t, &view);
        count += view.kind == TALLY_REFUSED ? view.count : 0;
    }
    broker_view_end(rig->broker);
    return count;
}

// A refused batch whose client sends it again, because the answer did not come, is refused again and counted
// once. What has its sequence and is another one counts, and so does what says nothing of its producer.
static void a_copy_of_a_refused_batch_is_not_counted(void **state)
{
    static const struct {
        int64_t producer_id;
        const char *const *values;
        int32_t count;
        uint64_t refused; // then, of all
    } sent[] = {
        {7, mixed, 4, 4},   // counted
        {7, mixed, 4, 4},   // a copy
        {7, mixed, 4, 4},   // and one more
        {7, bad, 3, 7},     // what took its sequence
        {7, bad, 3, 7},     // again
        {7, mixed, 4, 7},   // nothing of it is forgotten
        {8, mixed, 4, 11},  // of another producer
        {-1, mixed, 4, 15}, // these cannot be told apart
        {-1, mixed, 4, 19},
    };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 2, false);
    set_word(rig, "orders", "bad");
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct bytes batch = batch_of(rig, sent[i].values, sent[i].count, CODEC_NONE, sent[i].producer_id, 0);
        struct produce_part part = send(rig, "orders", batch);
        assert_int_equal(part.err, ERR_INVALID_RECORD);
        assert_true(part.bad_record_count > 0); // whoever asks is told
        assert_int_equal(refused_in(rig, "orders"), sent[i].refused);
    }
    assert_int_equal(suite->policy.ends[POLICY_FINAL], 5);
    assert_int_equal(suite->policy.ends[POLICY_DUPLICATE], 4);
    struct produce_part other = {
        .topic_name = STR("orders"), .partition = 1, .batch = batch_of(rig, mixed, 4, CODEC_NONE, 7, 0)};
    produce_parts(rig, &other, 1);
    assert_int_equal(refused_in(rig, "orders"), 23);
    // Once the contract lets it in, it is in.
    set_word(rig, "orders", "worse");
    assert_int_equal(send(rig, "orders", batch_of(rig, mixed, 4, CODEC_NONE, 7, 0)).err, ERR_OK);
    assert_int_equal(refused_in(rig, "orders"), 23);
    rig_stop(rig);
    start(suite); // what was counted stays; which batches they were is memory
    set_word(rig, "orders", "bad");
    assert_int_equal(refused_in(rig, "orders"), 23);
    assert_int_equal(send(rig, "orders", batch_of(rig, bad, 3, CODEC_NONE, 8, 0)).err, ERR_INVALID_RECORD);
    assert_int_equal(refused_in(rig, "orders"), 26);
    rig_stop(rig);
}

// Where the broker stamps batches no two copies have the same bytes once they are stamped.
static void a_stamped_copy_of_a_refused_batch_is_not_counted(void **state)
{
    static const struct item_config configs[] = {{{"strom.value.validation.level", 28}, {"contract", 8}},
                                                 {{"message.timestamp.type", 22}, {"LogAppendTime", 13}}};
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_with(rig, "orders", 1, configs, 2);
    set_word(rig, "orders", "bad");
    int64_t first_ms = 0; // when the first one was there
    int64_t now_ms = 0;
    while (now_ms <= first_ms) {
        now_ms = clock_wall_ms(rig->env->clock);
        assert_int_equal(send(rig, "orders", batch_of(rig, bad, 3, CODEC_NONE, 7, 0)).err,
                         ERR_INVALID_RECORD);
        assert_int_equal(refused_in(rig, "orders"), 3);
        first_ms = first_ms == 0 ? clock_wall_ms(rig->env->clock) : first_ms;
    }
    rig_stop(rig);
}

static void sets_aside_what_is_bad(void **state)
{
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    suite->policy.slice_records = 1; // every record is a step of its own
    suite->policy.wait_one_in = 2;
    start(suite);
    make_governed(rig, "orders", 1, true);
    set_word(rig, "orders", "bad");
    enum codec codecs[] = {CODEC_NONE, CODEC_ZSTD};
    struct bytes batches[2][2];
    for (int i = 0; i < 2; i++) {
        batches[i][0] = batch_of(rig, mixed, 4, codecs[i], 7, i * 7);
        batches[i][1] = batch_of(rig, bad, 3, codecs[i], 7, i * 7 + 4);
        assert_int_equal(send(rig, "orders", batches[i][0]).base_offset, i * 7);
        assert_int_equal(send(rig, "orders", batches[i][1]).base_offset, i * 7 + 4);
    }
    check_values(rig, "orders", "0=good1 2=good2 7=good1 9=good2 ", 14); // over the trailing gap
    check_values(rig, "orders.dlq", "0=bad1 1=bad2 2=bad3 3=bad4 4=bad5 5=bad1 6=bad2 7=bad3 8=bad4 9=bad5 ",
                 10);
    struct offset_query query;
    list_offset(rig, "orders", 1003, &query); // its records with that time were set aside
    assert_int_equal(query.offset, -1);
    list_offset(rig, "orders", OFFSET_MAX_TIMESTAMP, &query);
    assert_int_equal(query.offset, 2);

    set_word(rig, "orders", "good"); // a retry gets what its original got, whatever the contract says now
    struct produce_part again = send(rig, "orders", batches[1][0]);
    assert_int_equal(again.err, ERR_OK);
    assert_int_equal(again.base_offset, 7);
    check_values(rig, "orders.dlq", "0=bad1 1=bad2 2=bad3 3=bad4 4=bad5 5=bad1 6=bad2 7=bad3 8=bad4 9=bad5 ",
                 10);
    rig_stop(rig);
    start(suite); // and all is there after a restart
    check_values(rig, "orders", "0=good1 2=good2 7=good1 9=good2 ", 14);
    assert_int_equal(send(rig, "orders", batches[1][1]).base_offset, 11);
    topic_trim(rig, "orders", 12); // into the batch without records
    struct fetch_part part = fetch_part_of("orders", 0, 12);
    struct fetching f;
    fetch_begin(rig, &f, &part, 1, 0, 1, 1 << 20);
    rig_wait(&f.call);
    assert_int_equal(part.err, ERR_OK);
    assert_int_equal(part.slice_count, 1);
    assert_true(part.slices[0].is_gap);
    fetch_end(rig, &f);
    rig_stop(rig);
}

static void without_a_policy_nothing_enters(void **state)
{
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    rig->policy = NULL;
    rig_start(rig);
    make_governed(rig, "orders", 1, false);
    struct produce_part part = send(rig, "orders", batch_of(rig, good, 2, CODEC_NONE, -1, 0));
    assert_int_equal(part.err, ERR_INVALID_RECORD);
    assert_non_null(strstr(part.text, "no policy"));
    rig_stop(rig);
}

// ---- transactions

static int64_t txn_begin(struct rig *rig, struct str id)
{
    struct item item = {.kind = ITEM_TXN_INIT, .version = 1, .txn_init = {id, 60000, -1, -1}};
    struct error e = {0};
    struct outcome outcome;
    assert_int_equal(broker_change_wait(rig->broker, &item, &outcome, &e), ERR_OK);
    return outcome.value;
}

static void txn_end(struct rig *rig, struct str id, int64_t producer_id, bool is_commit)
{
    struct item item = {.kind = ITEM_TXN_END, .version = 1};
    item.txn_end = (struct item_txn_end){.txn_id = id, .producer_id = producer_id, .is_commit = is_commit};
    struct error e = {0};
    struct outcome outcome;
    assert_int_equal(broker_change_wait(rig->broker, &item, &outcome, &e), ERR_OK);
}

static struct bytes transactional(struct bytes batch)
{
    batch_set_transaction((uint8_t *)batch.ptr, (int64_t)load_be64(batch.ptr + 43), 0);
    return batch;
}

static void letters_end_with_their_transaction(void **state)
{
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 1, true);
    set_word(rig, "orders", "bad");
    int64_t producer = txn_begin(rig, STR("app"));
    struct produce_part part =
        send(rig, "orders", transactional(batch_of(rig, mixed, 4, CODEC_NONE, producer, 0)));
    assert_int_equal(part.err, ERR_OK);
    int64_t end;
    assert_string_equal(values_of(rig, "orders.dlq", 0, true, &end), "");
    txn_end(rig, STR("app"), producer, true);
    assert_string_equal(values_of(rig, "orders.dlq", 0, true, &end), "0=bad1 1=bad2 ");
    assert_int_equal(end, 3);
    part = send(rig, "orders", transactional(batch_of(rig, bad, 3, CODEC_NONE, producer, 4)));
    assert_int_equal(part.base_offset, 5);
    txn_end(rig, STR("app"), producer, false);
    struct fetch_part letters = fetch_part_of("orders.dlq", 0, 3);
    struct fetching f;
    fetch_begin(rig, &f, &letters, 1, 0, 1, 1 << 20);
    rig_wait(&f.call);
    assert_int_equal(letters.aborted_count, 1); // its records are hidden
    fetch_end(rig, &f);
    assert_string_equal(values_of(rig, "orders", 0, true, &end), "0=good1 2=good2 ");
    assert_int_equal(end, 9);
    rig_stop(rig);
}

// ---- while the contract changes

struct changing {
    struct suite *suite;
    bool must_stop; // atomic
    int changes;
};

static void change_run(void *arg)
{
    struct changing *changing = arg;
    while (!__atomic_load_n(&changing->must_stop, __ATOMIC_ACQUIRE)) {
        struct clock *clock = changing->suite->rig.env->clock;
        set_word(&changing->suite->rig, "orders", changing->changes++ % 2 == 0 ? "good" : "bad");
        clock_sleep_until(clock, clock_mono_ns(clock) + 15000000); // a batch is judged a few times at most
    }
}

struct sending {
    struct produce_op op;
    struct produce_part part;
    struct chunk *chunk;
    struct arena arena;
    struct rig_call call;
    struct task *watch; // begins in the same round; NULL = none
};

static void on_sent(struct produce_op *op)
{
    rig_done(&((struct sending *)(void *)((char *)op - offsetof(struct sending, op)))->call);
}

static void send_on_loop(struct rig_call *call)
{
    struct sending *s = call->arg;
    broker_produce(call->rig->broker, &s->op);
    if (s->watch != NULL) {
        loop_post(call->rig->loop, s->watch);
    }
}

static void send_make(struct rig *rig, struct sending *s, struct produce_lane *lane, const char *topic,
                      struct bytes batch)
{
    *s = (struct sending){.part = {.topic_name = str_from_c(topic)}};
    arena_init(&s->arena, 1 << 20);
    s->chunk = s->part.chunk = chunk_get(rig->pool, batch.len);
    memcpy(s->chunk->ptr, batch.ptr, batch.len);
    s->part.batch = bytes_of(s->chunk->ptr, batch.len);
    s->op = (struct produce_op){.port = rig->port,
                                .arena = &s->arena,
                                .lane = lane,
                                .parts = &s->part,
                                .part_count = 1,
                                .is_zstd_allowed = true,
                                .done = on_sent};
}

static void send_begin_watched(struct rig *rig, struct sending *s, struct produce_lane *lane,
                               const char *topic, struct bytes batch, struct task *watch)
{
    send_make(rig, s, lane, topic, batch);
    s->watch = watch;
    rig_begin(rig, &s->call, send_on_loop, s);
}

static void send_begin(struct rig *rig, struct sending *s, struct produce_lane *lane, const char *topic,
                       struct bytes batch)
{
    send_begin_watched(rig, s, lane, topic, batch, NULL);
}

static void send_end(struct sending *s)
{
    rig_wait(&s->call);
    chunk_unref(s->chunk);
    arena_fini(&s->arena);
}

// Each batch is numbered. With five on their way and the contract changing under them, what is appended of
// one connection is in the order in which it was sent, and each record is in one of the two topics.
static void order_survives_changes(void **state)
{
    enum { BATCHES = 400, FLIGHT = 5 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    suite->policy.slice_records = 1;
    suite->policy.wait_one_in = 5;
    start(suite);
    make_governed(rig, "orders", 1, true);
    set_word(rig, "orders", "bad");
    struct changing changing = {.suite = suite};
    struct thread *thread = thread_start(rig->env->threads, "changes", change_run, &changing);
    static struct sending flight[FLIGHT];
    for (int i = 0; i < BATCHES + FLIGHT; i++) {
        struct sending *s = &flight[i % FLIGHT];
        if (i >= FLIGHT) {
            send_end(s);
            assert_int_equal(s->part.err, ERR_OK);
            assert_int_equal(s->part.base_offset, (i - FLIGHT) * 2);
        }
        if (i < BATCHES) {
            char text[2][32];
            snprintf(text[0], sizeof text[0], "good%d", i);
            snprintf(text[1], sizeof text[1], "bad%d", i);
            const char *const values[] = {text[0], text[1]};
            send_begin(rig, s, &rig->lane, "orders", batch_of(rig, values, 2, CODEC_NONE, -1, 0));
        }
    }
    __atomic_store_n(&changing.must_stop, true, __ATOMIC_RELEASE);
    thread_join(rig->env->threads, thread);
    int64_t end;
    struct fetch_part part = fetch_part_of("orders.dlq", 0, 0);
    struct fetching f;
    fetch_begin(rig, &f, &part, 1, 0, 1, 1);
    rig_wait(&f.call);
    assert_int_equal(part.high_watermark, BATCHES); // one of two of each batch
    fetch_end(rig, &f);
    (void)values_of(rig, "orders", 0, false, &end);
    assert_int_equal(end, BATCHES * 2);
    assert_true(suite->policy.ends[POLICY_STALE] > 0);
    rig_stop(rig);
}

// A batch that takes for ever to judge does not keep others waiting.
static void heavy_batches_yield(void **state)
{
    enum { RECORDS = 2000, OTHERS = 20 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    suite->policy.is_endless = true;
    start(suite);
    make_governed(rig, "orders", 1, false);
    topic_make(rig, "plain", 1);
    const char **values = arena_new(&rig->arena, const char *, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        values[i] = "x";
    }
    struct sending heavy;
    send_begin(rig, &heavy, &rig->lane, "orders", batch_of(rig, values, RECORDS, CODEC_LZ4, -1, 0));
    struct produce_lane other_lane;
    produce_lane_init(&other_lane);
    for (int i = 0; i < OTHERS; i++) {
        struct sending other;
        struct bytes batch = batch_of(rig, good, 2, CODEC_NONE, -1, 0);
        send_begin(rig, &other, &other_lane, "plain", batch);
        send_end(&other);
        assert_int_equal(other.part.err, ERR_OK);
        assert_false(rig_is_done(&heavy.call));
    }
    __atomic_store_n(&suite->policy.is_endless, false, __ATOMIC_RELEASE);
    send_end(&heavy);
    assert_int_equal(heavy.part.err, ERR_OK);
    rig_stop(rig);
}

// Large batches are decompressed and checked in slices, too; two of one port one after the other.
static void large_batches_in_slices(void **state)
{
    enum { RECORDS = 3000, SIZE = 1000 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 1, true);
    set_word(rig, "orders", "bad");
    uint32_t noise = 1;
    const char **values = arena_new(&rig->arena, const char *, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        char *value = arena_alloc(&rig->arena, SIZE + 1);
        for (int k = 0; k < SIZE; k++) {
            noise = noise * 1103515245 + 12345;
            value[k] = (char)('a' + (noise >> 16) % 16);
        }
        memcpy(value, i % 100 == 7 ? "bad" : "xxx", 3);
        values[i] = value;
    }
    struct produce_lane lanes[3];
    struct sending sends[3];
    static const enum codec codecs[] = {CODEC_ZSTD, CODEC_LZ4, CODEC_NONE};
    for (int i = 0; i < 3; i++) {
        produce_lane_init(&lanes[i]);
        send_begin(rig, &sends[i], &lanes[i], "orders", batch_of(rig, values, RECORDS, codecs[i], -1, 0));
    }
    for (int i = 0; i < 3; i++) {
        send_end(&sends[i]);
        if (sends[i].part.err != ERR_OK) {
            fail_msg("%s: %s", err_name(sends[i].part.err), sends[i].part.text);
        }
    }
    struct fetch_part part = fetch_part_of("orders.dlq", 0, 0);
    struct fetching f;
    fetch_begin(rig, &f, &part, 1, 0, 1, 1);
    rig_wait(&f.call);
    assert_int_equal(part.high_watermark, 3 * RECORDS / 100);
    fetch_end(rig, &f);
    rig_stop(rig);
}

// A text that compresses to little more than its `noise` first bytes. The caller frees it.
static char *text_of_much(size_t size, size_t noise)
{
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    uint32_t state = 1;
    for (size_t i = 0; i < noise; i++) {
        state = state * 1103515245 + 12345;
        text[i] = (char)(' ' + (state >> 16) % 90);
    }
    return text;
}

// A task that comes again in each round of the loop.
struct turns {
    struct task task;
    struct loop *loop;
    const bool *is_done; // of the loop's thread
    uint32_t count;      // until then
    bool is_over;        // atomic
};

static void on_turn(struct task *task)
{
    struct turns *t = (struct turns *)(void *)task;
    t->count += !*t->is_done;
    if (!__atomic_load_n(&t->is_over, __ATOMIC_RELAXED)) {
        loop_post(t->loop, &t->task);
    }
}

static void turns_stop(struct rig *rig, struct turns *turns)
{
    __atomic_store_n(&turns->is_over, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) { // the task is through with the second call
        struct rig_call call;
        rig_begin(rig, &call, rig_done, NULL);
        rig_wait(&call);
    }
}

// bomb_rounds sends a batch: in how many rounds it was checked and opened.
static uint32_t bomb_rounds(struct rig *rig, const char *topic, struct bytes batch)
{
    struct sending bomb;
    struct turns turns = {.task = {.run = on_turn}, .loop = rig->loop, .is_done = &bomb.part.is_checked};
    send_begin_watched(rig, &bomb, &rig->lane, topic, batch, &turns.task);
    send_end(&bomb);
    turns_stop(rig, &turns);
    if (bomb.part.err != ERR_OK) {
        fail_msg("%s: %s", err_name(bomb.part.err), bomb.part.text);
    }
    print_message("checked in %u rounds\n", turns.count);
    return turns.count;
}

// A small batch of much is decompressed in slices, with contracts and without: 40 MiB need many of a
// millisecond. So is a large one.
static void bombs_yield(void **state)
{
    enum { NOISE = 55000, SIZE = 40 << 20 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 1, false);
    topic_make(rig, "free", 1);
    char *value = text_of_much(SIZE, NOISE);
    const char *const values[] = {value};
    struct bytes small = batch_of(rig, values, 1, CODEC_ZSTD, -1, 0);
    struct bytes large = batch_of(rig, values, 1, CODEC_LZ4, -1, 0);
    assert_true(small.len <= OPEN_SMALL_MAX && large.len > OPEN_SMALL_MAX);
    assert_true(bomb_rounds(rig, "orders", small) >= 3);
    assert_true(bomb_rounds(rig, "free", small) >= 3);
    assert_true(bomb_rounds(rig, "free", large) >= 3);
    free(value);
    rig_stop(rig);
}

// A batch is put under its topic's codec in slices; three of one port one after the other, small ones beside.
static void repacking_yields(void **state)
{
    enum { SENDS = 4, SIZE = 4 << 20 };
    static const struct item_config configs[] = {{{"compression.type", 16}, {"gzip", 4}},
                                                 {{"max.message.bytes", 17}, {"20000000", 8}}};
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_with(rig, "packed", 1, configs, 2);
    char *value = text_of_much(SIZE, SIZE);
    const char *const values[] = {value};
    static const enum codec codecs[] = {CODEC_NONE, CODEC_LZ4, CODEC_ZSTD, CODEC_NONE};
    struct produce_lane lanes[SENDS];
    struct sending sends[SENDS];
    struct turns turns = {.task = {.run = on_turn}, .loop = rig->loop, .is_done = &sends[0].part.is_ready};
    for (int i = 0; i < SENDS; i++) {
        produce_lane_init(&lanes[i]);
        send_begin_watched(rig, &sends[i], &lanes[i], "packed",
                           i < 3 ? batch_of(rig, values, 1, codecs[i], -1, 0)
                                 : batch_of(rig, good, 2, codecs[i], -1, 0),
                           i == 0 ? &turns.task : NULL);
    }
    for (int i = 0; i < SENDS; i++) {
        send_end(&sends[i]);
        if (sends[i].part.err != ERR_OK) {
            fail_msg("%d: %s: %s", i, err_name(sends[i].part.err), sends[i].part.text);
        }
    }
    turns_stop(rig, &turns);
    assert_int_equal(fetch_all(rig, "packed", 0, 64 << 20).batches, SENDS);
    print_message("put under another codec in %u rounds\n", turns.count);
    assert_true(turns.count >= 3);
    free(value);
    rig_stop(rig);
}

// Many batches of one request, each small enough to be checked at once: between them others get their turn,
// also those that come compressed.
struct crowd {
    struct task task;
    struct sending *many;
    struct sending *other; // that comes later
    uint32_t count;        // of rounds until the last of the many is checked
    bool is_overtaken;     // the other was checked before
    bool is_over;          // atomic
};

static void on_crowd_turn(struct task *task)
{
    struct crowd *c = (struct crowd *)(void *)task;
    bool is_last_checked = c->many->op.parts[c->many->op.part_count - 1].is_checked;
    c->count += !is_last_checked;
    c->is_overtaken = c->is_overtaken || (c->other->part.is_checked && !is_last_checked);
    if (!__atomic_load_n(&c->is_over, __ATOMIC_RELAXED)) {
        loop_post(c->many->call.rig->loop, &c->task);
    }
}

static void not_yet(struct rig_call *call)
{
    (void)call; // crowd_begin will
}

static void crowd_begin(struct rig_call *call)
{
    struct crowd *c = call->arg;
    broker_produce(call->rig->broker, &c->many->op);
    broker_produce(call->rig->broker, &c->other->op);
    loop_post(call->rig->loop, &c->task);
}

static void many_bombs_yield(void **state)
{
    enum { BOMBS = 200, SIZE = CHECK_AT_ONCE_BYTES - 1000 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    topic_make(rig, "free", BOMBS);
    char *value = text_of_much(SIZE, 0);
    const char *const values[] = {value};
    struct bytes batch = batch_of(rig, values, 1, CODEC_ZSTD, -1, 0);
    struct sending bombs = {.chunk = chunk_get(rig->pool, batch.len)};
    struct sending other;
    struct crowd crowd = {.task = {.run = on_crowd_turn}, .many = &bombs, .other = &other};
    struct produce_part *parts = arena_new(&rig->arena, struct produce_part, BOMBS);
    struct produce_lane other_lane;
    struct rig_call call;
    produce_lane_init(&other_lane);
    arena_init(&bombs.arena, 1 << 20);
    memcpy(bombs.chunk->ptr, batch.ptr, batch.len);
    for (int i = 0; i < BOMBS; i++) {
        parts[i] = (struct produce_part){.topic_name = STR("free"),
                                         .partition = i,
                                         .chunk = bombs.chunk,
                                         .batch = bytes_of(bombs.chunk->ptr, batch.len)};
    }
    bombs.op = (struct produce_op){.port = rig->port,
                                   .arena = &bombs.arena,
                                   .lane = &rig->lane,
                                   .parts = parts,
                                   .part_count = BOMBS,
                                   .is_zstd_allowed = true,
                                   .done = on_sent};
    rig_begin(rig, &bombs.call, not_yet, NULL);
    send_make(rig, &other, &other_lane, "free", batch_of(rig, good, 2, CODEC_ZSTD, -1, 0));
    rig_begin(rig, &other.call, crowd_begin, &crowd);
    send_end(&other);
    send_end(&bombs);
    __atomic_store_n(&crowd.is_over, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++) { // the task is through with the second call
        rig_begin(rig, &call, rig_done, NULL);
        rig_wait(&call);
    }
    assert_int_equal(parts[BOMBS - 1].err, ERR_OK);
    assert_int_equal(other.part.err, ERR_OK);
    print_message("checked in %u rounds\n", crowd.count);
    assert_true(crowd.count >= 3);
    assert_true(crowd.is_overtaken);
    free(value);
    rig_stop(rig);
}

// Small batches of much: a port holds a bounded part of it, however many wait to be judged.
static void little_is_held_opened(void **state)
{
    enum { SENDS = 6, NOISE = 40000, SIZE = 30 << 20 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    suite->policy.wait_one_in = 1;
    start(suite);
    make_governed(rig, "orders", 1, false);
    char *value = text_of_much(SIZE, NOISE);
    const char *const values[] = {value};
    struct produce_lane lanes[SENDS];
    struct sending sends[SENDS];
    struct bytes batch = batch_of(rig, values, 1, CODEC_ZSTD, -1, 0);
    assert_true(batch.len <= OPEN_SMALL_MAX);
    for (int i = 0; i < SENDS; i++) {
        uint8_t *own = arena_alloc(&rig->arena, batch.len);
        memcpy(own, batch.ptr, batch.len);
        produce_lane_init(&lanes[i]);
        send_begin(rig, &sends[i], &lanes[i], "orders", bytes_of(own, batch.len));
    }
    for (int i = 0; i < SENDS; i++) {
        send_end(&sends[i]);
        assert_int_equal(sends[i].part.err, ERR_OK);
    }
    assert_true(suite->policy.opened_max >= SIZE);
    assert_true(suite->policy.opened_max < 2 * (size_t)OPENED_BYTES_MAX);
    free(value);
    rig_stop(rig);
}

// What a batch without contracts takes while it is checked counts as well: while others hold as much as a
// port may, none begins.
struct filling {
    struct broker_port *port;
    const struct produce_part *part;
    bool is_full;
    bool is_begun; // its check
};

static void filling_look(struct rig_call *call)
{
    struct filling *f = call->arg;
    f->is_full = f->port->opened_bytes >= OPENED_BYTES_MAX;
    f->is_begun = f->part != NULL && (f->part->is_checked || f->port->openings[0].part == f->part);
    rig_done(call);
}

static void no_more_is_opened_than_may_be_held(void **state)
{
    enum { SENDS = 3, NOISE = 40000, SIZE = 30 << 20, ROUNDS = 200 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    __atomic_store_n(&suite->policy.is_endless, true, __ATOMIC_RELEASE);
    start(suite);
    make_governed(rig, "orders", 1, false);
    topic_make(rig, "free", 1);
    char *value = text_of_much(SIZE, NOISE);
    const char *const values[] = {value};
    struct produce_lane lanes[SENDS + 1];
    struct sending sends[SENDS + 1];
    struct filling filling = {.port = rig->port};
    struct bytes batch = batch_of(rig, values, 1, CODEC_ZSTD, -1, 0);
    struct rig_call call;
    for (int i = 0; i <= SENDS; i++) {
        uint8_t *own = arena_alloc(&rig->arena, batch.len);
        memcpy(own, batch.ptr, batch.len);
        produce_lane_init(&lanes[i]);
        while (i == SENDS && !filling.is_full) {
            rig_begin(rig, &call, filling_look, &filling);
            rig_wait(&call);
        }
        send_begin(rig, &sends[i], &lanes[i], i == SENDS ? "free" : "orders", bytes_of(own, batch.len));
    }
    filling.part = &sends[SENDS].part;
    for (int i = 0; i < ROUNDS; i++) {
        rig_begin(rig, &call, filling_look, &filling);
        rig_wait(&call);
        assert_false(filling.is_begun);
    }
    __atomic_store_n(&suite->policy.is_endless, false, __ATOMIC_RELEASE);
    for (int i = 0; i <= SENDS; i++) {
        send_end(&sends[i]);
        assert_int_equal(sends[i].part.err, ERR_OK);
    }
    free(value);
    rig_stop(rig);
}

// send_tight sends a batch of a request that may take so much memory.
static enum err send_tight(struct rig *rig, size_t memory, struct bytes batch)
{
    struct sending s = {.part = {.topic_name = STR("orders")}};
    arena_init(&s.arena, memory);
    s.chunk = s.part.chunk = chunk_get(rig->pool, batch.len);
    memcpy(s.chunk->ptr, batch.ptr, batch.len);
    s.part.batch = bytes_of(s.chunk->ptr, batch.len);
    s.op = (struct produce_op){.port = rig->port,
                               .arena = &s.arena,
                               .lane = &rig->lane,
                               .parts = &s.part,
                               .part_count = 1,
                               .done = on_sent};
    rig_begin(rig, &s.call, send_on_loop, &s);
    send_end(&s);
    return s.part.err;
}

// Wherever the memory of a request ends, what its producer sent behind it does not come first.
static void refused_for_memory_comes_first(void **state)
{
    enum { STEP = 64, PLENTY = 1 << 20 };
    struct suite *suite = *state;
    struct rig *rig = &suite->rig;
    start(suite);
    make_governed(rig, "orders", 1, false);
    int64_t producer = 1000;
    size_t memory = 0;
    while (send_tight(rig, memory, batch_of(rig, good, 2, CODEC_LZ4, producer, 0)) == ERR_NO_MEMORY) {
        enum err behind = send_tight(rig, PLENTY, batch_of(rig, good, 2, CODEC_LZ4, producer, 2));
        if (behind != ERR_STORAGE && behind != ERR_OUT_OF_ORDER_SEQUENCE) {
            fail_msg("with %zu bytes: %s", memory, err_name(behind));
        }
        assert_int_equal(send_tight(rig, PLENTY, batch_of(rig, good, 2, CODEC_LZ4, producer, 0)), ERR_OK);
        assert_int_equal(send_tight(rig, PLENTY, batch_of(rig, good, 2, CODEC_LZ4, producer, 2)), ERR_OK);
        memory += STEP;
        producer++;
    }
    print_message("%zu bytes are enough\n", memory);
    assert_true(memory > 8 * STEP);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_with_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_of_a_refused_batch_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stamped_copy_of_a_refused_batch_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_aside_what_is_bad, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_policy_nothing_enters, setup, teardown),
        cmocka_unit_test_setup_teardown(letters_end_with_their_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(order_survives_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(heavy_batches_yield, setup, teardown),
        cmocka_unit_test_setup_teardown(bombs_yield, setup, teardown),
        cmocka_unit_test_setup_teardown(repacking_yields, setup, teardown),
        cmocka_unit_test_setup_teardown(many_bombs_yield, setup, teardown),
        cmocka_unit_test_setup_teardown(large_batches_in_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(little_is_held_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_is_opened_than_may_be_held, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_for_memory_comes_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
