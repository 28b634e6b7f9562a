// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "contract/dead_letter.h"
#include "record/check.h"

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)
static const int64_t T0 = 1700000000000;

static const struct contract_finding finding = {
    .action = CONTRACT_DEAD_LETTER,
    .rule = {"ageCheck", 8},
    .subject = {"orders-value", 12},
    .path = {"$.age", 5},
    .reason = {"must not be negative", 20},
};

static void make(enum codec codec, struct buf *out)
{
    struct batch_options options = batch_options_default();
    options.codec = codec;
    options.producer_id = 9;
    options.producer_epoch = 1;
    options.base_sequence = 100;
    struct batch_builder b;
    batch_builder_init(&b, &options);
    for (int i = 0; i < 4; i++) {
        struct record_header header = {STR("trace"), BYTES("id")};
        batch_builder_append(&b, T0 + i, i == 2 ? (struct bytes){NULL, 0} : BYTES("key"),
                             bytes_of(&i, sizeof i), &header, 1);
    }
    assert_int_equal(batch_builder_finish(&b, out, NULL), ERR_OK);
    batch_builder_fini(&b);
}

static struct str header_of(const struct record *record, const char *name)
{
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    while (record_headers_next(&headers, &header)) {
        if (str_equal(header.key, str_from_c(name))) {
            return (struct str){(const char *)header.value.ptr, header.value.len};
        }
    }
    return (struct str){NULL, 0};
}

static void assert_header(const struct record *record, const char *name, const char *want)
{
    struct str found = header_of(record, name);
    if (!str_equal(found, str_from_c(want))) {
        fail_msg("%s is '" STR_FMT "'", name, STR_ARG(found));
    }
}

static void letter_has_the_record_and_its_story(void **state)
{
    (void)state;
    struct buf in;
    struct buf out;
    buf_init(&in, 1 << 20);
    buf_init(&out, 1 << 20);
    make(CODEC_NONE, &in);
    struct dead_letter_origin origin = {
        .topic = STR("orders"), .partition = 3, .client_id = STR("app-1"), .principal = STR("User:alice")};
    struct batch_options options = batch_options_default();
    struct batch_builder letters;
    batch_builder_init(&letters, &options);
    struct record_iterator it;
    struct record record;
    struct dead_letter_writer writer;
    dead_letter_writer_init(&writer, &origin);
    assert_int_equal(record_iterator_init(&it, NULL, buf_bytes(&in), NULL, NULL), ERR_OK);
    while (record_iterator_next(&it, &record)) {
        if (record.offset % 2 == 0) {
            dead_letter_append(&writer, &letters, &record, &finding, 12);
        }
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    dead_letter_writer_fini(&writer);
    assert_int_equal(batch_builder_finish(&letters, &out, NULL), ERR_OK);

    struct codec_context ctx = {0};
    struct batch_facts facts;
    struct batch_rules rules = {.batch_bytes_max = 1 << 20,
                                .now_ms = T0,
                                .timestamp_before_max_ms = INT64_MAX,
                                .timestamp_after_max_ms = INT64_MAX};
    assert_int_equal(batch_check(&ctx, buf_bytes(&out), &rules, &facts, NULL), ERR_OK);
    assert_int_equal(record_iterator_init(&it, NULL, buf_bytes(&out), NULL, NULL), ERR_OK);
    for (int i = 0; i < 4; i += 2) {
        assert_true(record_iterator_next(&it, &record));
        assert_int_equal(record.offset, i / 2);
        assert_int_equal(record.timestamp, T0 + i);
        assert_true(i == 2 ? record.key.ptr == NULL : bytes_equal(record.key, BYTES("key")));
        assert_memory_equal(record.value.ptr, &i, sizeof i);
        assert_header(&record, "trace", "id");
        assert_header(&record, DEAD_LETTER_RULE_NAME, "ageCheck");
        assert_header(&record, DEAD_LETTER_RULE_MODE, "WRITE");
        assert_header(&record, DEAD_LETTER_RULE_SUBJECT, "orders-value");
        assert_header(&record, DEAD_LETTER_RULE_TOPIC, "orders");
        assert_header(&record, DEAD_LETTER_RULE_EXCEPTION, "$.age: must not be negative");
        assert_header(&record, DEAD_LETTER_ORIGIN_TOPIC, "orders");
        assert_header(&record, DEAD_LETTER_ORIGIN_PARTITION, "3");
        assert_header(&record, DEAD_LETTER_ORIGIN_TIMESTAMP, i == 0 ? "1700000000000" : "1700000000002");
        assert_header(&record, DEAD_LETTER_ORIGIN_CLIENT_ID, "app-1");
        assert_header(&record, DEAD_LETTER_ORIGIN_PRINCIPAL, "User:alice");
        assert_header(&record, DEAD_LETTER_ORIGIN_SCHEMA, "12");
    }
    assert_false(record_iterator_next(&it, &record));
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    batch_builder_fini(&letters);
    codec_context_fini(&ctx);
    buf_fini(&in);
    buf_fini(&out);
}

// Whatever the last letter of a batch was: each is as if it were the first one.
static void letter_says_nothing_of_the_last_one(void **state)
{
    (void)state;
    static const struct contract_finding other = {
        .rule = {"ageCheck2", 9}, .subject = {"orders-value", 12}, .path = {"$", 1}, .reason = {"", 0}};
    static const struct contract_finding moved = {
        .rule = {"ageChec", 7}, // the texts behind one another the same
        .subject = {"korders-value", 13},
        .path = {"$.age", 5},
        .reason = {"must not be negative", 20}};
    static const struct {
        const struct contract_finding *finding;
        int64_t timestamp;
        int32_t version;
    } rows[] = {{&finding, T0, 1},     {&finding, T0, 1},    {&finding, T0 + 1, 1}, {&finding, T0 + 1, 12},
                {&finding, -1, 12},    {&finding, -1, 12},   {&finding, -2, 12},    {&finding, 7, 0},
                {&moved, 7, 0},        {&finding, 7, 0},     {&other, 7, 0},        {&other, T0, 0},
                {&finding, T0 + 2, 0}, {&other, T0 + 2, 12}, {&finding, T0, 1}};
    const struct dead_letter_origin origin = {.topic = STR("orders"), .principal = STR("User:alice")};
    struct dead_letter_writer kept;
    dead_letter_writer_init(&kept, &origin);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_options options = batch_options_default();
        struct batch_builder ours;
        struct batch_builder fresh;
        struct dead_letter_writer writer;
        const struct record record = {.timestamp = rows[i].timestamp, .value = BYTES("value")};
        batch_builder_init(&ours, &options);
        batch_builder_init(&fresh, &options);
        dead_letter_writer_init(&writer, &origin);
        dead_letter_append(&kept, &ours, &record, rows[i].finding, rows[i].version);
        dead_letter_append(&writer, &fresh, &record, rows[i].finding, rows[i].version);
        assert_true(bytes_equal(buf_bytes(&ours.records), buf_bytes(&fresh.records)));
        dead_letter_writer_fini(&writer);
        batch_builder_fini(&ours);
        batch_builder_fini(&fresh);
    }
    dead_letter_writer_fini(&kept);
}

static void batch_is_settled(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    const struct batch_verdict verdicts[4] = {{.action = CONTRACT_DEAD_LETTER},
                                              {.action = CONTRACT_PASS},
                                              {.action = CONTRACT_MARK, .finding = &finding},
                                              {.action = CONTRACT_OBSERVE}};
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct buf in;
        struct buf out;
        struct batch_header h;
        struct record_iterator it;
        struct record record;
        int32_t count = 0;
        buf_init(&in, 1 << 20);
        buf_init(&out, 1 << 20);
        make(CODEC_NONE, &in);
        assert_int_equal(batch_header_read(buf_bytes(&in), &h, NULL), ERR_OK);
        h.attributes = (int16_t)(h.attributes | codec);
        struct bytes records = bytes_slice(buf_bytes(&in), BATCH_HEADER_SIZE, in.len - BATCH_HEADER_SIZE);
        struct batch_settling settling;
        bool is_done = false;
        batch_settling_begin(&settling, &h, records, verdicts, 4);
        for (int steps = 0; !is_done; steps++) {
            assert_int_equal(batch_settling_step(&settling, 1, &is_done, NULL), ERR_OK);
            assert_true(steps < 1000);
        }
        assert_int_equal(batch_builder_finish(&settling.builder, &out, NULL), ERR_OK);
        count = settling.builder.record_count;
        batch_settling_end(&settling);
        assert_int_equal(count, 3);
        assert_int_equal(batch_header_read(buf_bytes(&out), &h, NULL), ERR_OK);
        assert_int_equal(h.last_offset_delta, 3);
        assert_int_equal(h.base_sequence, 100);
        assert_int_equal(batch_codec(&h), codec);
        assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&out), NULL, NULL), ERR_OK);
        for (int i = 1; i < 4; i++) {
            assert_true(record_iterator_next(&it, &record));
            assert_int_equal(record.offset, i);
            assert_header(&record, "trace", "id");
            assert_int_equal(record.header_count, i == 2 ? 2 : 1);
            assert_header(&record, MARK_HEADER, i == 2 ? "ageCheck: $.age: must not be negative" : NULL);
        }
        assert_false(record_iterator_next(&it, &record));
        assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
        buf_fini(&in);
        buf_fini(&out);
    }
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letter_has_the_record_and_its_story),
        cmocka_unit_test(letter_says_nothing_of_the_last_one),
        cmocka_unit_test(batch_is_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
