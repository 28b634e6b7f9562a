// SPDX-License-Identifier: Apache-2.0
#include "record/iterate.h"

#include "base/mem.h"
#include "record/check.h"
#include "record/record_private.h"
#include "record/test_support.h"

static const struct batch_rules open_rules = {
    .batch_bytes_max = SIZE_MAX,
    .timestamp_before_max_ms = INT64_MAX,
    .timestamp_after_max_ms = INT64_MAX,
    .is_zstd_allowed = true,
};

static void assert_view(struct bytes view, const char *expected)
{
    assert_int_equal(view.ptr == NULL, expected == NULL);
    assert_true(bytes_equal(view, text(expected)));
}

static void test_golden_records(void **state)
{
    (void)state;
    static const struct {
        int64_t timestamp;
        const char *key;
        const char *value;
        int32_t header_count;
        const char *headers[2][2];
    } rows[] = {
        {1700000000000, "k0", "v0", 0, {{0}}},
        {1700000000005, NULL, "value one", 2, {{"h", "1"}, {"trace", ""}}},
        {1700000000002, "", NULL, 1, {{"n", "x"}}},
    };
    static const char *const names[] = {"batch_v2_plain", "batch_v2_txn"};
    for (int n = 0; n < 2; n++) {
        struct codec_context ctx = {0};
        struct buf b;
        buf_init(&b, 1 << 16);
        golden_load(names[n], &b);
        batch_patch(b.ptr, 1000, 3);
        struct record_iterator it;
        assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), NULL, NULL), ERR_OK);
        struct record r;
        for (int i = 0; i < 3; i++) {
            assert_true(record_iterator_next(&it, &r));
            assert_int_equal(r.offset, 1000 + i);
            assert_int_equal(r.timestamp, rows[i].timestamp);
            assert_view(r.key, rows[i].key);
            assert_view(r.value, rows[i].value);
            struct record_headers headers = record_headers_init(&r);
            struct record_header header;
            for (int k = 0; k < rows[i].header_count; k++) {
                assert_true(record_headers_next(&headers, &header));
                assert_view(bytes_of(header.key.ptr, header.key.len), rows[i].headers[k][0]);
                assert_view(header.value, rows[i].headers[k][1]);
            }
            assert_false(record_headers_next(&headers, &header));
        }
        assert_false(record_iterator_next(&it, &r));
        assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
        buf_fini(&b);
        codec_context_fini(&ctx);
    }
}

// What was decompressed before is walked where it lies, and a copy of the walk goes on from there.
static void test_plain_records(void **state)
{
    (void)state;
    struct buf b;
    struct batch_header header;
    struct record_iterator it;
    struct record r;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_NONE, 3);
    assert_int_equal(batch_header_read(buf_bytes(&b), &header, NULL), ERR_OK);
    struct bytes records = bytes_slice(buf_bytes(&b), BATCH_HEADER_SIZE, b.len - BATCH_HEADER_SIZE);
    record_iterator_init_plain(&it, &header, records);
    assert_true(record_iterator_next(&it, &r));
    struct record_iterator copy = it;
    for (int i = 1; i < 3; i++) {
        assert_true(record_iterator_next(&copy, &r));
        assert_view(r.value, "v");
        assert_int_equal(r.timestamp, T0 + i);
    }
    assert_false(record_iterator_next(&copy, &r));
    record_iterator_init_plain(&it, &header, bytes_slice(records, 0, records.len - 1));
    while (record_iterator_next(&it, &r)) {
    }
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_INVALID_RECORD);
    buf_fini(&b);
}

static void test_golden_compressed(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        char name[64];
        snprintf(name, sizeof name, "batch_v2_%s", codec_name((enum codec)codec));
        struct buf b;
        buf_init(&b, 1 << 16);
        golden_load(name, &b);
        struct batch_facts facts;
        assert_int_equal(batch_check(&ctx, buf_bytes(&b), &open_rules, &facts, NULL), ERR_OK);
        assert_int_equal(batch_codec(&facts.header), codec);
        assert_false(facts.is_max_timestamp_wrong);
        struct record_iterator it;
        assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), NULL, NULL), ERR_OK);
        struct record r;
        int count = 0;
        for (; record_iterator_next(&it, &r); count++) {
            char key[32];
            char value[128];
            snprintf(key, sizeof key, "key-%d", count);
            snprintf(value, sizeof value, "value-%d-%s%s", count, "abcdefghabcdefghabcdefghabcdefgh",
                     "abcdefghabcdefghabcdefghabcdefgh");
            assert_view(r.key, key);
            assert_view(r.value, value);
            assert_int_equal(r.timestamp, T0 + count);
        }
        assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
        assert_int_equal(count, 100);
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

// --- property: what was appended is what is iterated, whatever the codec
// ----------------------------------------

enum { RANDOM_RECORDS_MAX = 40, RANDOM_HEADERS_MAX = 4 };
static uint8_t noise[200000];

static struct bytes random_bytes(bool may_be_null)
{
    uint32_t kind = random_next() % 10;
    if (kind == 0 && may_be_null) {
        return bytes_of(NULL, 0);
    }
    size_t len = kind == 1 ? 0 : kind == 2 ? random_next() % 100000 : random_next() % 200;
    return bytes_of(noise + random_next() % (sizeof noise - len), len);
}

static void random_round(struct codec_context *ctx, enum codec codec)
{
    struct record_header headers[RANDOM_RECORDS_MAX][RANDOM_HEADERS_MAX];
    struct record records[RANDOM_RECORDS_MAX];
    int32_t count = 1 + (int32_t)(random_next() % RANDOM_RECORDS_MAX);
    struct batch_options options = batch_options_default();
    options.codec = codec;
    int64_t base_offset = random_next();
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    int64_t max_timestamp = INT64_MIN;
    for (int32_t i = 0; i < count; i++) {
        int32_t header_count = random_next() % 3 == 0 ? (int32_t)(random_next() % RANDOM_HEADERS_MAX) : 0;
        for (int32_t k = 0; k < header_count; k++) {
            struct bytes key = random_bytes(false);
            headers[i][k] = (struct record_header){{(const char *)key.ptr, key.len}, random_bytes(true)};
        }
        records[i] = (struct record){.timestamp = T0 + random_next() - (1u << 31),
                                     .key = random_bytes(true),
                                     .value = random_bytes(true),
                                     .header_count = header_count};
        max_timestamp = records[i].timestamp > max_timestamp ? records[i].timestamp : max_timestamp;
        batch_builder_append(&builder, records[i].timestamp, records[i].key, records[i].value, headers[i],
                             header_count);
    }
    struct buf b;
    buf_init(&b, 64 << 20);
    assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);

    struct batch_facts facts;
    struct error e;
    if (batch_check(ctx, buf_bytes(&b), &open_rules, &facts, &e) != ERR_OK) {
        fail_msg("%s", e.text);
    }
    assert_int_equal(facts.header.record_count, count);
    assert_int_equal(facts.max_timestamp, max_timestamp);
    assert_false(facts.is_max_timestamp_wrong);
    assert_int_equal(records[facts.max_timestamp_offset_delta].timestamp, max_timestamp);

    batch_patch(b.ptr, base_offset, 0);
    struct record_iterator it;
    assert_int_equal(record_iterator_init(&it, ctx, buf_bytes(&b), NULL, NULL), ERR_OK);
    for (int32_t i = 0; i < count; i++) {
        struct record r;
        assert_true(record_iterator_next(&it, &r));
        assert_int_equal(r.offset, base_offset + i);
        assert_int_equal(r.timestamp, records[i].timestamp);
        assert_true(bytes_equal(r.key, records[i].key) && !r.key.ptr == !records[i].key.ptr);
        assert_true(bytes_equal(r.value, records[i].value) && !r.value.ptr == !records[i].value.ptr);
        assert_int_equal(r.header_count, records[i].header_count);
        struct record_headers walk = record_headers_init(&r);
        struct record_header header;
        for (int32_t k = 0; record_headers_next(&walk, &header); k++) {
            assert_true(str_equal(header.key, headers[i][k].key));
            assert_true(bytes_equal(header.value, headers[i][k].value));
            assert_int_equal(!header.value.ptr, !headers[i][k].value.ptr);
        }
    }
    struct record none;
    assert_false(record_iterator_next(&it, &none));
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    batch_builder_fini(&builder);
    buf_fini(&b);
}

static void test_property(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = i % 4096 < 2048 ? (uint8_t)random_next() : (uint8_t)'a';
    }
    struct codec_context ctx = {0};
    for (int round = 0; round < 12; round++) {
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            random_round(&ctx, (enum codec)codec);
        }
    }
    codec_context_fini(&ctx);
}

// --- searches
// ---------------------------------------------------------------------------------------------------

static void test_find(void **state)
{
    (void)state;
    static const int64_t timestamps[] = {100, 50, 300, 200, 300, 250};
    static const struct {
        int64_t target;
        int64_t offset;
        int64_t timestamp;
    } rows[] = {{0, 10, 100},  {100, 10, 100},       {101, 12, 300},     {300, 12, 300},
                {301, -1, -1}, {INT64_MIN, 10, 100}, {INT64_MAX, -1, -1}};
    struct codec_context ctx = {0};
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct batch_options options = batch_options_default();
        options.codec = (enum codec)codec;
        options.base_offset = 10;
        struct batch_builder builder;
        batch_builder_init(&builder, &options);
        for (int i = 0; i < 6; i++) {
            batch_builder_append(&builder, timestamps[i], text("k"), text("v"), NULL, 0);
        }
        struct buf b;
        buf_init(&b, 1 << 16);
        assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);
        int64_t offset;
        int64_t timestamp;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal(
                batch_find_timestamp(&ctx, buf_bytes(&b), rows[i].target, &offset, &timestamp, NULL), ERR_OK);
            assert_int_equal(offset, rows[i].offset);
            assert_int_equal(timestamp, rows[i].timestamp);
        }
        assert_int_equal(batch_find_max_timestamp(&ctx, buf_bytes(&b), &offset, &timestamp, NULL), ERR_OK);
        assert_int_equal(offset, 12);
        assert_int_equal(timestamp, 300);

        batch_set_log_append_time(b.ptr, 777);
        assert_int_equal(batch_find_timestamp(&ctx, buf_bytes(&b), 301, &offset, &timestamp, NULL), ERR_OK);
        assert_int_equal(offset, 10);
        assert_int_equal(timestamp, 777);
        assert_int_equal(batch_find_timestamp(&ctx, buf_bytes(&b), 778, &offset, &timestamp, NULL), ERR_OK);
        assert_int_equal(offset, -1);
        assert_int_equal(batch_find_max_timestamp(&ctx, buf_bytes(&b), &offset, &timestamp, NULL), ERR_OK);
        assert_int_equal(offset, 10);
        assert_int_equal(timestamp, 777);
        batch_builder_fini(&builder);
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

// --- hostile bytes
// ----------------------------------------------------------------------------------------------

// A batch that only its length and checksum make right.
static void wrap(struct buf *out, enum codec codec, int32_t record_count, struct bytes records)
{
    buf_reset(out);
    small_batch(out, CODEC_NONE, 1);
    out->len = BATCH_HEADER_SIZE;
    assert_int_equal(codec_compress(codec, records, out, NULL), ERR_OK);
    store_be32(out->ptr + BATCH_AT_LENGTH, (uint32_t)(out->len - BATCH_PREFIX_SIZE));
    store_be16(out->ptr + BATCH_AT_ATTRIBUTES, (uint16_t)codec);
    store_be32(out->ptr + BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)(record_count - 1));
    store_be32(out->ptr + BATCH_AT_RECORD_COUNT, (uint32_t)record_count);
    batch_sum_again(out->ptr);
}

static void test_hostile_records(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t len;
        uint8_t bytes[24];
        bool is_good;
    } rows[] = {
        // length, attributes, timestamp delta, offset delta, key length, value length, header count
        {"nulls, no headers", 7, {12, 0, 0, 0, 1, 1, 0}, true},
        {"empty key and value", 7, {12, 0, 0, 0, 0, 0, 0}, true},
        {"a header with a null value", 10, {18, 0, 0, 0, 1, 1, 2, 2, 'h', 1}, true},
        {"nothing", 0, {0}, false},
        {"length -1", 7, {1, 0, 0, 0, 1, 1, 0}, false},
        {"length 0", 7, {0, 0, 0, 0, 1, 1, 0}, false},
        {"length too short", 7, {10, 0, 0, 0, 1, 1, 0}, false},
        {"length too long", 7, {14, 0, 0, 0, 1, 1, 0}, false},
        {"length too long, bytes there", 8, {14, 0, 0, 0, 1, 1, 0, 0}, false},
        {"length of 2 GiB", 11, {0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0}, false},
        {"length varint of six bytes", 12, {0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 0}, false},
        {"length varint over 32 bits", 11, {0x8c, 0x80, 0x80, 0x80, 0x10, 0, 0, 0, 1, 1, 0}, false},
        {"length written long", 11, {0x8c, 0x80, 0x80, 0x80, 0x00, 0, 0, 0, 1, 1, 0}, true},
        {"length cut off", 1, {0x80}, false},
        {"offset delta 1", 7, {12, 0, 0, 2, 1, 1, 0}, false},
        {"offset delta -1", 7, {12, 0, 0, 1, 1, 1, 0}, false},
        {"key length -2", 7, {12, 0, 0, 0, 3, 1, 0}, false},
        {"value length -2", 7, {12, 0, 0, 0, 1, 3, 0}, false},
        {"key over the record", 7, {12, 0, 0, 0, 20, 1, 0}, false},
        {"key of 2 GiB", 11, {20, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0}, false},
        {"value over the record", 7, {12, 0, 0, 0, 1, 4, 0}, false},
        {"header count -1", 7, {12, 0, 0, 0, 1, 1, 1}, false},
        {"header count 2^30", 11, {20, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08}, false},
        {"header with a null key", 9, {16, 0, 0, 0, 1, 1, 2, 1, 1}, false},
        {"header over the record", 10, {18, 0, 0, 0, 1, 1, 2, 4, 'h', 1}, false},
        {"header value over the record", 10, {18, 0, 0, 0, 1, 1, 2, 2, 'h', 2}, false},
        {"a byte after", 8, {12, 0, 0, 0, 1, 1, 0, 0}, false},
        {"timestamp delta over 64 bits",
         16,
         {30, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 1, 1, 0},
         false},
        {"timestamp overflows",
         16,
         {30, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 0},
         false},
    };
    struct codec_context ctx = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            wrap(&b, (enum codec)codec, 1, bytes_of(rows[i].bytes, rows[i].len));
            uint8_t *exact = mem_alloc(b.len); // so that ASan sees a read past the end
            memcpy(exact, b.ptr, b.len);
            struct bytes batch = bytes_of(exact, b.len);
            struct batch_facts facts;
            enum err expected = rows[i].is_good ? ERR_OK : ERR_INVALID_RECORD;
            enum err err = batch_check(&ctx, batch, &open_rules, &facts, NULL);
            if (err != expected) {
                fail_msg("check: %s, %s: %s", rows[i].what, codec_name((enum codec)codec), err_name(err));
            }
            struct record_iterator it;
            assert_int_equal(record_iterator_init(&it, &ctx, batch, NULL, NULL), ERR_OK);
            struct record r;
            while (record_iterator_next(&it, &r)) {
            }
            assert_false(record_iterator_next(&it, &r));
            err = record_iterator_fini(&it, NULL);
            if (err != expected) {
                fail_msg("iterate: %s, %s: %s", rows[i].what, codec_name((enum codec)codec), err_name(err));
            }
            mem_free(exact);
        }
    }
    buf_fini(&b);
    codec_context_fini(&ctx);
}

// The record bytes are cut at every place, with lengths and checksum put right: no reader may pass or
// overrun.
static void test_truncated_records(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf whole, b;
    buf_init(&whole, 1 << 16);
    buf_init(&b, 1 << 16);
    golden_load("batch_v2_plain", &whole);
    for (size_t len = 0; len < whole.len - BATCH_HEADER_SIZE; len++) {
        for (int codec = 0; codec < CODEC_COUNT; codec++) {
            wrap(&b, (enum codec)codec, 3, bytes_of(whole.ptr + BATCH_HEADER_SIZE, len));
            uint8_t *exact = mem_alloc(b.len);
            memcpy(exact, b.ptr, b.len);
            struct batch_facts facts;
            enum err err = batch_check(&ctx, bytes_of(exact, b.len), &open_rules, &facts, NULL);
            assert_int_equal(err, ERR_INVALID_RECORD);
            int64_t offset;
            int64_t timestamp;
            err = batch_find_max_timestamp(&ctx, bytes_of(exact, b.len), &offset, &timestamp, NULL);
            assert_int_equal(err, ERR_INVALID_RECORD);
            mem_free(exact);
        }
    }
    buf_fini(&whole);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

// Compressed records are cut: the codec notices.
static void test_truncated_compression(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        struct buf b;
        buf_init(&b, 1 << 16);
        small_batch(&b, (enum codec)codec, 50);
        for (size_t len = BATCH_HEADER_SIZE; len < b.len; len++) {
            struct buf cut;
            buf_init(&cut, 1 << 16);
            buf_append(&cut, b.ptr, len);
            store_be32(cut.ptr + BATCH_AT_LENGTH, (uint32_t)(len - BATCH_PREFIX_SIZE));
            batch_sum_again(cut.ptr);
            struct batch_facts facts;
            enum err err = batch_check(&ctx, buf_bytes(&cut), &open_rules, &facts, NULL);
            // After its header a snappy stream is well-formed, only empty.
            bool is_empty_stream = codec == CODEC_SNAPPY && len == BATCH_HEADER_SIZE + 16;
            assert_int_equal(err, is_empty_stream ? ERR_INVALID_RECORD : ERR_CORRUPT);
            buf_fini(&cut);
        }
        buf_fini(&b);
    }
    codec_context_fini(&ctx);
}

static size_t heap_peak;

static void *peak_alloc(size_t size)
{
    heap_peak = size > heap_peak ? size : heap_peak;
    return malloc(size);
}
static void *peak_realloc(void *ptr, size_t size)
{
    heap_peak = size > heap_peak ? size : heap_peak;
    return realloc(ptr, size);
}

// One record of 32 MiB: the check stays in its window, the iterator needs the record whole, and a record that
// only claims such a size takes no memory.
static void test_memory(void **state)
{
    (void)state;
    static const struct mem_hooks hooks = {peak_alloc, peak_realloc, free};
    static uint8_t zeros[32 << 20];
    struct codec_context ctx = {0};
    struct batch_options options = batch_options_default();
    options.codec = CODEC_ZSTD;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    batch_builder_append(&builder, T0, text("k"), bytes_of(zeros, sizeof zeros), NULL, 0);
    struct buf b;
    buf_init(&b, 64 << 20);
    assert_int_equal(batch_builder_finish(&builder, &b, NULL), ERR_OK);
    batch_builder_fini(&builder);

    struct codec_limits limits = {.bytes_max = 64 << 20, .bytes_free = 64 << 20};
    struct batch_rules rules = open_rules;
    rules.codec_limits = &limits;
    struct batch_facts facts;
    mem_hooks_set(&hooks);
    heap_peak = 0;
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &rules, &facts, NULL), ERR_OK);
    assert_true(heap_peak <= 64 << 10);
    // 32 MiB out of a few KiB is over the default ratio.
    assert_int_equal(batch_check(&ctx, buf_bytes(&b), &open_rules, &facts, NULL), ERR_BATCH_TOO_LARGE);

    struct record_iterator it;
    struct record r;
    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), &limits, NULL), ERR_OK);
    assert_true(record_iterator_next(&it, &r));
    assert_int_equal(r.value.len, sizeof zeros);
    assert_memory_equal(r.value.ptr, zeros, sizeof zeros);
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    assert_null(ctx.window.ptr);

    static const uint8_t claim[] = {0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 1, 1, 0}; // 2 GiB
    buf_reset(&b);
    wrap(&b, CODEC_ZSTD, 1, bytes_of(claim, sizeof claim));
    heap_peak = 0;
    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), NULL, NULL), ERR_OK);
    assert_false(record_iterator_next(&it, &r));
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_INVALID_RECORD);
    assert_true(heap_peak <= 64 << 10);
    buf_fini(&b);
    codec_context_fini(&ctx);
    mem_hooks_set(NULL);
}

static void test_unwhole_batches(void **state)
{
    (void)state;
    struct codec_context ctx = {0};
    struct buf b;
    buf_init(&b, 1 << 16);
    small_batch(&b, CODEC_GZIP, 3);
    struct record_iterator it;
    for (size_t len = 0; len < b.len; len++) {
        assert_int_equal(record_iterator_init(&it, &ctx, bytes_of(b.ptr, len), NULL, NULL), ERR_CORRUPT);
    }
    buf_u8(&b, 0);
    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), NULL, NULL), ERR_CORRUPT);
    b.len--;
    b.ptr[BATCH_AT_ATTRIBUTES + 1] = 6;
    assert_int_equal(record_iterator_init(&it, &ctx, buf_bytes(&b), NULL, NULL), ERR_UNSUPPORTED_COMPRESSION);
    buf_fini(&b);
    codec_context_fini(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_records),
        cmocka_unit_test(test_golden_compressed),
        cmocka_unit_test(test_plain_records),
        cmocka_unit_test(test_property),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_hostile_records),
        cmocka_unit_test(test_truncated_records),
        cmocka_unit_test(test_truncated_compression),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_unwhole_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
