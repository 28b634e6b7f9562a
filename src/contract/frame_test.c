// SPDX-License-Identifier: Apache-2.0
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "contract/frame.h"
#include "record/build.h"

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)
#define GUID           "0123456789abcdef"

static struct frame read_value(struct bytes value, struct bytes header)
{
    struct frame frame;
    assert_int_equal(frame_read_value(value, header, &frame, NULL), ERR_OK);
    return frame;
}

static void prefixes(void **state)
{
    (void)state;
    const struct bytes none = {NULL, 0};
    struct frame frame = read_value(BYTES("\0\0\0\1\2abc"), none);
    assert_int_equal(frame.prefix.kind, FRAME_NAME_ID);
    assert_int_equal(frame.prefix.id, 258);
    assert_int_equal(frame.header.kind, FRAME_NAME_NONE);
    assert_true(bytes_equal(frame.behind, BYTES("abc")));
    assert_int_equal(frame.whole.len, 8);

    frame = read_value(BYTES("\1" GUID "x"), none);
    assert_int_equal(frame.prefix.kind, FRAME_NAME_GUID);
    assert_memory_equal(frame.prefix.guid.b, GUID, 16);
    assert_true(bytes_equal(frame.behind, BYTES("x")));

    frame = read_value(BYTES("\0\0\0\1\2"), none); // an empty payload is one
    assert_int_equal(frame.prefix.kind, FRAME_NAME_ID);
    assert_int_equal(frame.behind.len, 0);
    assert_non_null(frame.behind.ptr);

    const struct bytes raw[] = {BYTES("{\"a\":1}"), BYTES(""), BYTES("\0\0\0\1"),
                                BYTES("\1"
                                      "0123456789abcde"),
                                BYTES("\2\0\0\0\1")};
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
        frame = read_value(raw[i], none);
        assert_int_equal(frame.prefix.kind, FRAME_NAME_NONE);
        assert_false(frame.is_null);
        assert_true(bytes_equal(frame.whole, raw[i]));
    }
    assert_true(read_value(none, none).is_null);
}

static void headers(void **state)
{
    (void)state;
    struct frame frame = read_value(BYTES("abc"), BYTES("\1" GUID "\2\4"));
    assert_int_equal(frame.header.kind, FRAME_NAME_GUID);
    assert_true(bytes_equal(frame.header_indexes, BYTES("\2\4")));
    assert_true(bytes_equal(frame.whole, BYTES("abc")));

    frame = read_value(BYTES("\0\0\0\0\7abc"), BYTES("\0\0\0\0\7")); // both
    assert_int_equal(frame.header.id, 7);
    assert_int_equal(frame.prefix.id, 7);
    assert_true(bytes_equal(frame.behind, BYTES("abc")));
    assert_int_equal(frame.whole.len, 8);

    struct error e;
    assert_int_equal(frame_read_value(BYTES("abc"), BYTES("7"), &frame, &e), ERR_INVALID_RECORD);
    assert_int_equal(frame_read_value(BYTES("abc"), BYTES(""), &frame, &e), ERR_INVALID_RECORD);
    assert_int_equal(frame_read_value(BYTES("abc"),
                                      BYTES("\1"
                                            "012345678"),
                                      &frame, &e),
                     ERR_INVALID_RECORD);
}

static void of_record(const struct record_header *list, int32_t count, bool is_key, enum err want,
                      struct frame *ret)
{
    struct batch_options options = batch_options_default();
    struct batch_builder b;
    struct buf out;
    struct record_iterator it;
    struct record record;
    buf_init(&out, 1 << 16);
    batch_builder_init(&b, &options);
    batch_builder_append(&b, 1, BYTES("key"), BYTES("\0\0\0\0\5v"), list, count);
    assert_int_equal(batch_builder_finish(&b, &out, NULL), ERR_OK);
    assert_int_equal(record_iterator_init(&it, NULL, buf_bytes(&out), NULL, NULL), ERR_OK);
    assert_true(record_iterator_next(&it, &record));
    struct error e;
    assert_int_equal(frame_read(&record, is_key, ret, &e), want);
    assert_int_equal(record_iterator_fini(&it, NULL), ERR_OK);
    batch_builder_fini(&b);
    buf_fini(&out);
}

static void of_records(void **state)
{
    (void)state;
    struct frame frame;
    const struct record_header mixed[] = {
        {STR("x"), BYTES("\0\0\0\0\1")},
        {STR(FRAME_HEADER_VALUE), BYTES("\0\0\0\0\2")},
        {STR(FRAME_HEADER_KEY), BYTES("\0\0\0\0\3")},
        {STR(FRAME_HEADER_VALUE), BYTES("\0\0\0\0\2")},
        {STR(FRAME_HEADER_VALUE), BYTES("\0\0\0\0\4")},
    };
    of_record(NULL, 0, false, ERR_OK, &frame);
    assert_int_equal(frame.header.kind, FRAME_NAME_NONE);
    assert_int_equal(frame.prefix.id, 5);
    of_record(mixed, 3, false, ERR_OK, &frame);
    assert_int_equal(frame.header.id, 2);
    of_record(mixed, 3, true, ERR_OK, &frame);
    assert_int_equal(frame.header.id, 3);
    assert_int_equal(frame.prefix.kind, FRAME_NAME_NONE);
    of_record(mixed, 4, false, ERR_OK, &frame);
    of_record(mixed, 5, false, ERR_INVALID_RECORD, &frame);
    const struct record_header null_value = {STR(FRAME_HEADER_VALUE), {NULL, 0}};
    of_record(&null_value, 1, false, ERR_INVALID_RECORD, &frame);
    assert_int_equal(frame.header.id, 2); // as it was
}

static void indexes(void **state)
{
    (void)state;
    int32_t list[FRAME_INDEXES_MAX];
    size_t count;
    struct bytes payload = BYTES("\0p");
    assert_int_equal(frame_indexes_read(&payload, list, &count, NULL), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(list[0], 0);
    assert_true(bytes_equal(payload, BYTES("p")));

    payload = BYTES("\4\2\6p");
    assert_int_equal(frame_indexes_read(&payload, list, &count, NULL), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(list[0], 1);
    assert_int_equal(list[1], 3);
    assert_true(bytes_equal(payload, BYTES("p")));

    payload = BYTES("\2\1"); // -1 is passed on: no schema has such a message
    assert_int_equal(frame_indexes_read(&payload, list, &count, NULL), ERR_OK);
    assert_int_equal(list[0], -1);

    const struct bytes bad[] = {BYTES(""),       BYTES("\4\2"),
                                BYTES("\1"),     BYTES("\xff\xff\xff\xff\x0f"),
                                BYTES("\x82\1"), BYTES("\xff\xff\xff\xff\xff\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        payload = bad[i];
        assert_int_equal(frame_indexes_read(&payload, list, &count, NULL), ERR_INVALID_RECORD);
        assert_true(bytes_equal(payload, bad[i]));
    }
}

static void indexes_are_bounded(void **state)
{
    (void)state;
    int32_t list[FRAME_INDEXES_MAX + 1];
    for (int32_t count = FRAME_INDEXES_MAX; count <= FRAME_INDEXES_MAX + 1; count++) {
        struct buf out;
        size_t found = 0;
        buf_init(&out, 1 << 10);
        buf_varint(&out, count);
        for (int32_t i = 0; i < count; i++) {
            buf_varint(&out, i);
        }
        list[FRAME_INDEXES_MAX] = -7;
        struct bytes payload = buf_bytes(&out);
        bool is_in = count <= FRAME_INDEXES_MAX;
        assert_int_equal(frame_indexes_read(&payload, list, &found, NULL),
                         is_in ? ERR_OK : ERR_INVALID_RECORD);
        assert_int_equal(found, is_in ? FRAME_INDEXES_MAX : 0);
        assert_int_equal(list[FRAME_INDEXES_MAX], -7);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefixes),
        cmocka_unit_test(headers),
        cmocka_unit_test(of_records),
        cmocka_unit_test(indexes),
        cmocka_unit_test(indexes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
