// SPDX-License-Identifier: Apache-2.0
#include "record/check.h"

#include "record/record_private.h"
#include "record/test_support.h"

static struct batch_rules rules_default(void)
{
    return (struct batch_rules){
        .batch_bytes_max = 1048588,
        .now_ms = T0 + 1000,
        .timestamp_before_max_ms = INT64_MAX,
        .timestamp_after_max_ms = 3600000,
        .is_zstd_allowed = true,
    };
}

static void patch(struct buf *b, size_t at, size_t size, int64_t value)
{
    for (size_t k = 0; k < size; k++) {
        b->ptr[at + k] = (uint8_t)(value >> 8 * (size - 1 - k));
    }
}

// One field of a good batch is replaced, and the checksum put right if asked.
static void test_header_rules(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t at;
        size_t size;
        int64_t value;
        bool is_summed;
        enum err err;
    } rows[] = {
        {"as it is", BATCH_AT_LEADER_EPOCH, 4, -1, false, ERR_OK},
        {"leader epoch is the broker's", BATCH_AT_LEADER_EPOCH, 4, 77, false, ERR_OK},
        {"crc", BATCH_AT_CRC, 4, 0, false, ERR_CORRUPT},
        {"count, unsummed", BATCH_AT_RECORD_COUNT, 4, 0, false, ERR_CORRUPT},
        {"magic 0", BATCH_AT_MAGIC, 1, 0, false, ERR_INVALID_RECORD},
        {"magic 1", BATCH_AT_MAGIC, 1, 1, false, ERR_INVALID_RECORD},
        {"magic 3", BATCH_AT_MAGIC, 1, 3, false, ERR_CORRUPT},
        {"length -1", BATCH_AT_LENGTH, 4, -1, false, ERR_CORRUPT},
        {"length says more", BATCH_AT_LENGTH, 4, 1000, false, ERR_INVALID_RECORD},
        {"length says less", BATCH_AT_LENGTH, 4, 60, false, ERR_INVALID_RECORD},
        {"base offset -1", BATCH_AT_BASE_OFFSET, 8, -1, false, ERR_INVALID_RECORD},
        {"base offset 1", BATCH_AT_BASE_OFFSET, 8, 1, false, ERR_INVALID_RECORD},
        {"no records", BATCH_AT_RECORD_COUNT, 4, 0, true, ERR_INVALID_RECORD},
        {"-1 records", BATCH_AT_RECORD_COUNT, 4, -1, true, ERR_INVALID_RECORD},
        {"fewer records", BATCH_AT_RECORD_COUNT, 4, 2, true, ERR_INVALID_RECORD},
        {"more records", BATCH_AT_RECORD_COUNT, 4, 4, true, ERR_INVALID_RECORD},
        {"delta -1", BATCH_AT_LAST_OFFSET_DELTA, 4, -1, true, ERR_INVALID_RECORD},
        {"delta too large", BATCH_AT_LAST_OFFSET_DELTA, 4, 3, true, ERR_INVALID_RECORD},
        {"control", BATCH_AT_ATTRIBUTES, 2, 0x20, true, ERR_INVALID_RECORD},
        {"delete horizon", BATCH_AT_ATTRIBUTES, 2, 0x40, true, ERR_INVALID_RECORD},
        {"log append time", BATCH_AT_ATTRIBUTES, 2, 0x08, true, ERR_INVALID_TIMESTAMP},
        {"transactional without producer", BATCH_AT_ATTRIBUTES, 2, 0x10, true, ERR_INVALID_RECORD},
        {"codec 5", BATCH_AT_ATTRIBUTES, 2, 5, true, ERR_UNSUPPORTED_COMPRESSION},
        {"codec 7", BATCH_AT_ATTRIBUTES, 2, 7, true, ERR_UNSUPPORTED_COMPRESSION},
        {"not gzip", BATCH_AT_ATTRIBUTES, 2, 1, true, ERR_CORRUPT},
        {"producer without sequence", BATCH_AT_PRODUCER_ID, 8, 5, true, ERR_INVALID_RECORD},
    };
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        small_batch(&b, CODEC_NONE, 3);
        patch(&b, rows[i].at, rows[i].size, rows[i].value);
        if (rows[i].is_summed) {
            batch_sum_again(b.ptr);
        }
        struct batch_facts facts;
        enum err err = batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL);
        if (err != rows[i].err) {
            fail_msg("%s: %s", rows[i].what, err_name(err));
        }
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

static void test_one_batch(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(batch_check(&ctx, bytes_of(NULL, 0), &rules, &facts, NULL), ERR_INVALID_RECORD);
    small_batch(&b, CODEC_NONE, 3);
    size_t size = b.len;
    for (size_t len = 1; len < size; len++) {
        enum err err = batch_check(&ctx, bytes_of(b.ptr, len), &rules, &facts, NULL);
        assert_int_equal(err, len < BATCH_HEADER_SIZE ? ERR_CORRUPT : ERR_INVALID_RECORD);
    }
    buf_append(&b, "", 1);
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_INVALID_RECORD);
    b.len = size;
    small_batch(&b, CODEC_NONE, 3);
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_INVALID_RECORD);
    assert_int_equal(batch_check(&ctx, bytes_of(b.ptr, size), &rules, &facts, NULL), ERR_OK);
    rules.batch_bytes_max = size;
    assert_int_equal(batch_check(&ctx, bytes_of(b.ptr, size), &rules, &facts, NULL), ERR_OK);
    rules.batch_bytes_max = size - 1;
    assert_int_equal(batch_check(&ctx, bytes_of(b.ptr, size), &rules, &facts, NULL), ERR_BATCH_TOO_LARGE);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

static void test_zstd_not_allowed(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_ZSTD, 3);
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
    rules.is_zstd_allowed = false;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_UNSUPPORTED_COMPRESSION);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

// No flipped bit inside the sum goes unnoticed.
static void test_bit_flips(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        small_batch(&b, (enum codec)codec, 20);
        for (size_t bit = BATCH_CRC_FROM * 8; bit < b.len * 8; bit++) {
            b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct batch_facts facts;
            enum err err = batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL);
            bool is_codec_bit = bit / 8 == BATCH_AT_ATTRIBUTES + 1 && bit % 8 < 3;
            assert_true(err == ERR_CORRUPT || (is_codec_bit && err == ERR_UNSUPPORTED_COMPRESSION));
            b.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

struct timestamp_row {
    const char *what;
    int64_t timestamps[4];
    bool is_log_append_time;
    int64_t before_max_ms;
    int64_t after_max_ms;
    enum err err;
    int32_t bad_count;
    int32_t first_bad;
};

static void test_timestamps(void **state)
{
    (void)state;
    static const int64_t now = 1700000001000;
    const struct timestamp_row rows[] = {
        {"all now", {now, now, now, now}, false, 1000, 1000, ERR_OK, 0, 0},
        {"at both ends", {now - 1000, now + 1000, now, now}, false, 1000, 1000, ERR_OK, 0, 0},
        {"one too old", {now, now - 1001, now, now}, false, 1000, 1000, ERR_INVALID_TIMESTAMP, 1, 1},
        {"two too new", {now, now, now + 1001, now + 5000}, false, 1000, 1000, ERR_INVALID_TIMESTAMP, 2, 2},
        {"no timestamp", {-1, -1, -1, -1}, false, 1000, 1000, ERR_OK, 0, 0},
        {"any age", {0, 1, now, now}, false, INT64_MAX, 1000, ERR_OK, 0, 0},
        {"negative", {-2, now, now, now}, false, 1000, INT64_MAX, ERR_INVALID_TIMESTAMP, 1, 0},
        {"far", {now, INT64_MAX, now, now}, false, INT64_MAX, INT64_MAX, ERR_OK, 0, 0},
        {"far, refused", {now, INT64_MAX, now, now}, false, INT64_MAX, 0, ERR_INVALID_TIMESTAMP, 1, 1},
        {"broker's time", {0, INT64_MAX, now, now}, true, 0, 0, ERR_OK, 0, 0},
    };
    struct codec_context ctx = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_options options = batch_options_default();
        options.codec = (enum codec)(i % CODEC_COUNT);
        struct batch_builder builder;
        batch_builder_init(&builder, &options);
        int64_t max_timestamp = rows[i].timestamps[0];
        for (int k = 0; k < 4; k++) {
            int64_t timestamp = rows[i].timestamps[k];
            max_timestamp = timestamp > max_timestamp ? timestamp : max_timestamp;
            batch_builder_append(&builder, timestamp, text("k"), text("v"), NULL, 0);
        }
        struct buf b;
        buf_init(&b, 1 << 16);
        assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);
        struct batch_rules rules = rules_default();
        rules.now_ms = now;
        rules.timestamp_before_max_ms = rows[i].before_max_ms;
        rules.timestamp_after_max_ms = rows[i].after_max_ms;
        rules.is_log_append_time = rows[i].is_log_append_time;
        struct batch_facts facts;
        enum err err = batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL);
        if (err != rows[i].err || facts.bad_count != rows[i].bad_count) {
            fail_msg("%s: %s, %d bad", rows[i].what, err_name(err), facts.bad_count);
        }
        assert_int_equal(facts.max_timestamp, max_timestamp);
        if (facts.bad_count > 0) {
            assert_int_equal(facts.bad_records[0].index, rows[i].first_bad);
            assert_int_equal(facts.bad_records[0].err, ERR_INVALID_TIMESTAMP);
            assert_non_null(strstr(facts.bad_records[0].text, "timestamp"));
        }
        batch_builder_fini(&builder);
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

static void test_wrong_max_timestamp(void **state)
{
    (void)state;
    static const int64_t claims[] = {0, -1, 1700000000001, 1700000000003, INT64_MAX, INT64_MIN};
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        small_batch(&b, CODEC_LZ4, 3);
        batch_fix_max_timestamp(b.ptr, claims[i]);
        struct batch_facts facts;
        assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
        assert_true(facts.is_max_timestamp_wrong);
        assert_int_equal(facts.max_timestamp, T0 + 2);
        assert_int_equal(facts.max_timestamp_offset_delta, 2);
        batch_fix_max_timestamp(b.ptr, facts.max_timestamp);
        assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
        assert_false(facts.is_max_timestamp_wrong);
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

// Null keys on a compacted topic: each is named, up to the limit; the count goes on.
static void test_null_keys(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int i = 0; i < 50; i++) {
        batch_builder_append(&builder, T0, i % 2 == 0 ? text("") : text(NULL), text("v"), NULL, 0);
    }
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
    assert_int_equal(facts.null_key_count, 25);
    assert_int_equal(facts.bad_count, 0);
    rules.is_compacted = true;
    struct error e;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, &e), ERR_INVALID_RECORD);
    assert_non_null(strstr(e.text, "25 of 50 records"));
    assert_int_equal(facts.bad_count, 25);
    for (int i = 0; i < BAD_RECORDS_MAX; i++) {
        assert_int_equal(facts.bad_records[i].index, 2 * i + 1);
        assert_int_equal(facts.bad_records[i].err, ERR_INVALID_RECORD);
    }
    // A timestamp among the reasons decides the code, as in Kafka.
    rules.now_ms = T0 + 10;
    rules.timestamp_before_max_ms = 5;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, &e), ERR_INVALID_TIMESTAMP);
    assert_int_equal(facts.bad_count, 75);
    batch_builder_fini(&builder);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

static void test_offset_deltas(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_NONE, 3);
    // length, attributes, timestamp delta, offset delta, 1 + 1 key, 1 + 1 value, headers: 9 bytes each
    b.ptr[BATCH_HEADER_SIZE + 9 + 3] = 4; // delta 2 where 1 belongs
    batch_sum_again(b.ptr);
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_INVALID_RECORD);
    assert_int_equal(facts.bad_count, 1);
    assert_int_equal(facts.bad_records[0].index, 1);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

static void test_idempotent(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    golden_load("batch_v2_txn", &b);
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
    assert_int_equal(facts.header.producer_id, 4242);
    assert_int_equal(facts.max_timestamp, T0 + 5);
    assert_int_equal(facts.max_timestamp_offset_delta, 1);
    assert_int_equal(facts.null_key_count, 1);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

// check_in_steps checks in steps of so many bytes; the end is as batch_check's.
static enum err check_in_steps(struct bytes batch, const struct batch_rules *rules, enum checking_kind kind,
                               size_t bytes, struct batch_checking *c, struct codec_context *ctx,
                               struct buf *room)
{
    bool is_done = false;
    struct error e = {0};
    buf_reset(room);
    enum err err = batch_checking_begin(c, ctx, batch, rules, kind, room, &e);
    for (int steps = 0; err == ERR_OK && !is_done; steps++) {
        err = batch_checking_step(c, bytes, &is_done, &e);
        assert_true(steps < 10000);
    }
    batch_checking_end(c);
    return err;
}

// In steps of any size, whole or damaged, a batch is found good exactly if batch_check finds it so.
static void test_steps(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    struct batch_checking c;
    struct buf room;
    buf_init(&room, 64 << 20);
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        small_batch(&b, (enum codec)codec, 500);
        for (size_t at = 0; at < b.len; at += at == 0 ? BATCH_HEADER_SIZE : 1 + b.len / 20) {
            b.ptr[at] ^= at == 0 ? 0 : 0x55; // the first time it is whole
            if (at > 0) {
                batch_sum_again(b.ptr);
            }
            enum err want = batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL);
            for (size_t bytes = 1; bytes < 1 << 20; bytes *= 1000) {
                enum err got = check_in_steps(buf_bytes(&b), &rules, CHECKING_ONLY, bytes, &c, &ctx, &room);
                assert_int_equal(got, want);
                assert_int_equal(c.facts.null_key_count, facts.null_key_count);
                assert_int_equal(c.facts.max_timestamp, facts.max_timestamp);
                got = check_in_steps(buf_bytes(&b), &rules, CHECKING_KEEPS, bytes, &c, &ctx, &room);
                // Of a compressed batch the damage to the stream is found before that to its records.
                assert_true(got == want || (codec != CODEC_NONE && got != ERR_OK && want != ERR_OK));
                if (want == ERR_OK) {
                    assert_int_equal(c.facts.max_timestamp, facts.max_timestamp);
                    struct record_iterator it;
                    struct record record;
                    int32_t count = 0;
                    record_iterator_init_plain(&it, &c.facts.header, c.records);
                    while (record_iterator_next(&it, &record)) {
                        count++;
                    }
                    assert_int_equal(count, 500);
                }
            }
            b.ptr[at] ^= at == 0 ? 0 : 0x55;
            batch_sum_again(b.ptr);
        }
        bool is_done = false; // one that was checked is only decompressed, whatever its header says now
        batch_set_log_append_time(b.ptr, T0 + 9);
        buf_reset(&room);
        assert_int_equal(
            batch_checking_begin(&c, &ctx, buf_bytes(&b), &rules, CHECKING_DECOMPRESSES, &room, NULL),
            ERR_OK);
        while (!is_done) {
            assert_int_equal(batch_checking_step(&c, 100, &is_done, NULL), ERR_OK);
        }
        batch_checking_end(&c);
        assert_true(c.records.len > 500);
        buf_fini(&b);
    }
    buf_fini(&room);
    codec_context_fini(&ctx);
}

// A step takes on a bounded part of a batch, also of its checksum, and a check that keeps nothing holds a
// window of it, or one record that is larger.
static void test_steps_are_bounded(void **state)
{
    enum { STEP = 100000, PIECE = 64 << 10, TOTAL = 3 << 20 };
    (void)state;
    static const size_t sizes[] = {1000, 1 << 20};
    static uint8_t value[1 << 20];
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    rules.batch_bytes_max = 8 << 20;
    struct batch_checking c;
    struct buf b, room;
    buf_init(&b, 8 << 20);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            struct batch_options options = batch_options_default();
            struct batch_builder builder;
            options.codec = (enum codec)codec;
            batch_builder_init(&builder, &options);
            for (size_t i = 0; i < TOTAL / sizes[k]; i++) {
                batch_builder_append(&builder, T0, bytes_of(NULL, 0), bytes_of(value, sizes[k]), NULL, 0);
            }
            buf_reset(&b);
            assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);
            size_t bytes = codec == CODEC_NONE ? b.len : b.len + builder.records.len;
            batch_builder_fini(&builder);
            buf_init(&room, 16 << 20);
            bool is_done = false;
            size_t steps = 0;
            assert_int_equal(
                batch_checking_begin(&c, &ctx, buf_bytes(&b), &rules, CHECKING_ONLY, &room, NULL), ERR_OK);
            for (; !is_done; steps++) {
                int32_t before = c.index;
                assert_int_equal(batch_checking_step(&c, STEP, &is_done, NULL), ERR_OK);
                assert_true((size_t)(c.index - before) <= 1 + (STEP + 2 * PIECE) / sizes[k]);
            }
            batch_checking_end(&c);
            assert_true(steps >= bytes / (STEP + PIECE) - 1);
            assert_true(room.cap <= 2 * (PIECE + sizes[k] + PIECE));
            buf_fini(&room);
        }
    }
    buf_fini(&b);
    codec_context_fini(&ctx);
}

// usual_batch makes a batch of records of the shapes that a run takes, and of some that it does not.
static void usual_batch(struct buf *out)
{
    static const uint8_t noise[20000];
    static const struct record_header header = {{"h", 1}, {noise, 3}};
    struct batch_options options = batch_options_default();
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int32_t i = 0, count = 1 + (int32_t)(random_next() % 150); i < count; i++) {
        uint32_t kind = random_next() % 32;
        struct bytes key = bytes_of(kind % 3 == 0 ? NULL : noise, kind % 3 == 0 ? 0 : random_next() % 70);
        struct bytes value = bytes_of(noise, kind == 1 ? 19000 : random_next() % 150);
        value = kind == 2 ? bytes_of(NULL, 0) : value;
        int64_t timestamp = T0 + (int64_t)(random_next() % 100) - (kind == 3 ? 1 << 22 : 0);
        batch_builder_append(&builder, kind == 4 ? BATCH_NO_TIMESTAMP : timestamp, key, value, &header,
                             kind == 5);
    }
    buf_reset(out);
    assert_int_equal(batch_builder_finish(&builder, out, NULL), ERR_OK);
    batch_builder_fini(&builder);
}

// Whatever the bytes, a run over many records and the walk over each find the same.
static void test_runs(void **state)
{
    (void)state;
    enum { BATCHES = 40, FLIPS = 60 };
    struct codec_context ctx = {0};
    struct batch_rules rules = rules_default();
    struct batch_facts facts;
    struct batch_checking c;
    struct buf b, room;
    buf_init(&b, 16 << 20);
    buf_init(&room, 16 << 20);
    int good = 0, bad = 0;
    for (int i = 0; i < BATCHES; i++) {
        usual_batch(&b);
        rules.is_compacted = i % 4 == 0;
        for (int k = 0; k < FLIPS; k++) {
            // The first time it is whole.
            size_t at = BATCH_HEADER_SIZE + random_next() % (b.len - BATCH_HEADER_SIZE);
            uint8_t flip = (uint8_t)(k == 0 ? 0U : k % 2 == 0 ? 1U << random_next() % 8 : random_next());
            b.ptr[at] ^= flip;
            batch_sum_again(b.ptr);
            enum err run = batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL);
            enum err each = check_in_steps(buf_bytes(&b), &rules, CHECKING_KEEPS, 1, &c, &ctx, &room);
            assert_int_equal(run, each);
            assert_int_equal(facts.null_key_count, c.facts.null_key_count);
            assert_int_equal(facts.bad_count, c.facts.bad_count);
            assert_int_equal(facts.max_timestamp, c.facts.max_timestamp);
            assert_int_equal(facts.max_timestamp_offset_delta, c.facts.max_timestamp_offset_delta);
            good += run == ERR_OK;
            bad += run != ERR_OK;
            b.ptr[at] ^= flip;
        }
    }
    assert_true(good > 100 && bad > 100);
    buf_fini(&b);
    buf_fini(&room);
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_rules),      cmocka_unit_test(test_one_batch),
        cmocka_unit_test(test_zstd_not_allowed),  cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_timestamps),        cmocka_unit_test(test_wrong_max_timestamp),
        cmocka_unit_test(test_null_keys),         cmocka_unit_test(test_offset_deltas),
        cmocka_unit_test(test_idempotent),        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_steps_are_bounded), cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
