// SPDX-License-Identifier: Apache-2.0
#include "engine/local/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct wal_frame frame_sample(void)
{
    return (struct wal_frame){
        .kind = FRAME_BUNDLE,
        .store_key = 0x0102030405060708,
        .file = 7,
        .position = 8192,
        .lsn = 42,
        .durable_lsn = 41,
        .bundle_id = 99,
        .stamp_ms = 1700000000000,
        .time_ms = 1700000000001,
        .chain = 0xdeadbeef,
        .meta_len = 100,
        .item_count = 3,
        .entry_count = 2,
        .payload_len = 5000,
        .body_crc = 0x1234,
    };
}

static void frame_round_trip(void **state)
{
    (void)state;
    struct wal_frame in = frame_sample(), out;
    uint8_t bytes[FRAME_HEADER_SIZE];
    uint32_t sum = wal_frame_encode(&in, bytes);
    assert_int_equal(sum, in.header_crc);
    assert_true(wal_frame_decode(bytes, &out));
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(wal_frame_payload_position(&out), 8192 + 112 + 100 + 16);
    assert_int_equal(wal_frame_end(&out), 8192 + 112 + 100 + 16 + 5000);
    assert_int_equal(wal_frame_next(&out), 8192 + 8192);
}

// The layout is a promise to other releases: these bytes may never change.
static void frame_bytes_are_frozen(void **state)
{
    (void)state;
    struct wal_frame in = frame_sample();
    uint8_t bytes[FRAME_HEADER_SIZE];
    (void)wal_frame_encode(&in, bytes);
    assert_memory_equal(bytes, "STRM\0\1\1\0\1\2\3\4\5\6\7\10", 16);
    assert_int_equal(load_be64(bytes + 16), 7);
    assert_int_equal(load_be64(bytes + 24), 8192);
    assert_int_equal(load_be64(bytes + 32), 42);
    assert_int_equal(load_be64(bytes + 40), 41);
    assert_int_equal(load_be32(bytes + 72), 0xdeadbeef);
    assert_int_equal(load_be64(bytes + 88), 5000);
    assert_int_equal(load_be32(bytes + 96), 0x1234);
}

static void frame_every_bit_is_guarded(void **state)
{
    (void)state;
    struct wal_frame in = frame_sample(), out;
    uint8_t bytes[FRAME_HEADER_SIZE];
    (void)wal_frame_encode(&in, bytes);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(wal_frame_decode(bytes, &out));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void frame_absurd_sizes(void **state)
{
    (void)state;
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct wal_frame in = frame_sample(), out;
    in.payload_len = UINT64_MAX;
    (void)wal_frame_encode(&in, bytes);
    assert_false(wal_frame_decode(bytes, &out));
    in = frame_sample();
    in.position = INT64_MIN;
    (void)wal_frame_encode(&in, bytes);
    assert_false(wal_frame_decode(bytes, &out));
    in = frame_sample();
    in.meta_len = UINT32_MAX;
    in.entry_count = UINT32_MAX;
    (void)wal_frame_encode(&in, bytes);
    assert_true(wal_frame_decode(bytes, &out)); // sums of positions still hold
    assert_true(wal_frame_next(&out) > 0);
}

static void meta_round_trip(void **state)
{
    (void)state;
    struct store_meta in = {.is_clean = true,
                            .generation = 5,
                            .cluster_id = {.b = {1, 2, 3}},
                            .store_key = 6,
                            .object_limit = 7,
                            .durable_lsn = 8,
                            .stamp_ms = 9,
                            .time_ms = 10};
    struct store_meta out = {0};
    uint8_t bytes[META_SLOT_SIZE];
    store_meta_encode(&in, bytes);
    assert_int_equal(store_meta_decode(bytes, &out, NULL), ERR_OK);
    assert_memory_equal(&in, &out, sizeof in);
    bytes[40] ^= 1;
    assert_int_equal(store_meta_decode(bytes, &out, NULL), ERR_CORRUPT);
}

static void snapshot_header_round_trip(void **state)
{
    (void)state;
    struct snapshot_header in = {.lsn = 12, .stamp_ms = 34, .time_ms = 56}, out;
    uint8_t bytes[SNAPSHOT_HEADER_SIZE];
    uint32_t sum = snapshot_header_encode(&in, bytes), got;
    assert_true(snapshot_header_decode(bytes, &out, &got));
    assert_int_equal(sum, got);
    assert_memory_equal(&in, &out, sizeof in);
    bytes[9] ^= 1;
    assert_false(snapshot_header_decode(bytes, &out, &got));
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t number; // 0 = not ours
    } rows[] = {
        {"00000000000000000012.wal", 12},
        {"00000000000000000012.obj", 0},
        {"0000000000000000012.wal", 0},
        {"-0000000000000000012.wal", 0},
        {"00000000000000000000.wal", 0},
        {"000000000000000000012.wal", 0},
        {"0000000000000000001x.wal", 0},
        {"fresh.tmp", 0},
        {"", 0},
        {"99999999999999999999.wal", 0},
        {"lost-12-7", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t number = 0;
        bool is_ours = local_name_parse(str_from_c(rows[i].name), STR(".wal"), &number);
        assert_int_equal(is_ours, rows[i].number != 0);
        assert_int_equal(number, rows[i].number);
    }
    char text[LOCAL_PATH_SIZE];
    assert_true(str_equal(local_path(text, "obj", 3, ".obj"), STR("obj/00000000000000000003.obj")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_round_trip),
        cmocka_unit_test(frame_bytes_are_frozen),
        cmocka_unit_test(frame_every_bit_is_guarded),
        cmocka_unit_test(frame_absurd_sizes),
        cmocka_unit_test(meta_round_trip),
        cmocka_unit_test(snapshot_header_round_trip),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
