// SPDX-License-Identifier: Apache-2.0
#include "cli/consumer_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { LINE_SIZE = 4096, ARENA_BYTES = 1 << 20 };

static size_t line_parse(const char *line, const char *kind, uint8_t *ret_bytes)
{
    char hex[LINE_SIZE];
    char word[32];
    size_t size = 0;
    if (sscanf(line, "%31s %4095s", word, hex) != 2 || strcmp(word, kind) != 0) {
        return 0;
    }
    for (; hex[2 * size] != '\0'; size++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * size, "%2x", &byte), 1);
        ret_bytes[size] = (uint8_t)byte;
    }
    return size;
}

static void check_subscription(struct bytes data, struct arena *arena)
{
    struct subscription s;
    assert_int_equal(subscription_decode(data, arena, &s, NULL), ERR_OK);
    assert_int_equal(s.topic_count, 2);
    assert_int_equal(s.topics[0].len, 6);
    assert_int_equal(s.owned_count, 0);
    assert_int_equal(s.generation, -1);
    if (s.version == 3 && s.rack.ptr != NULL) {
        assert_true(str_equal(s.rack, STR("rack-1")));
    }
    if (s.version == 1) { // librdkafka's: ours is the same
        struct buf out;
        buf_init(&out, LINE_SIZE);
        subscription_encode(s.topics, s.topic_count, &out);
        assert_true(bytes_equal(buf_bytes(&out), data));
        buf_fini(&out);
    }
}

static void check_assignment(struct bytes data, struct arena *arena)
{
    struct assignment a;
    assert_int_equal(assignment_decode(data, arena, &a, NULL), ERR_OK);
    assert_int_equal(a.topic_count, 2);
    for (size_t i = 0; i < 2; i++) {
        size_t want = str_equal(a.topics[i].topic, STR("gold-a")) ? 3 : 2;
        assert_int_equal(a.topics[i].count, want);
        for (size_t p = 0; p < want; p++) {
            assert_int_equal(a.topics[i].partitions[p], p);
        }
    }
    if (a.version == 0) {
        struct buf out;
        buf_init(&out, LINE_SIZE);
        assignment_encode(a.topics, a.topic_count, &out);
        assert_true(bytes_equal(buf_bytes(&out), data));
        buf_fini(&out);
    }
}

// Whatever is cut off, nothing is read past the end.
static void check_cuts(struct bytes data, bool is_subscription, struct arena *arena)
{
    for (size_t len = 1; len < data.len; len++) {
        uint8_t *copy = arena_alloc(arena, len);
        memcpy(copy, data.ptr, len);
        struct subscription s;
        struct assignment a;
        enum err err = is_subscription ? subscription_decode(bytes_of(copy, len), arena, &s, NULL)
                                       : assignment_decode(bytes_of(copy, len), arena, &a, NULL);
        assert_int_equal(err, ERR_MALFORMED);
    }
}

static void test_golden(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN_DIR "/consumer_protocol.txt", "r");
    assert_non_null(file);
    static char line[LINE_SIZE];
    static uint8_t bytes[LINE_SIZE];
    size_t checked = 0;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    while (fgets(line, sizeof line, file) != NULL) {
        size_t size = line_parse(line, "subscription", bytes);
        if (size > 0) {
            check_subscription(bytes_of(bytes, size), &arena);
            check_cuts(bytes_of(bytes, size), true, &arena);
            checked++;
        }
        size = line_parse(line, "assignment", bytes);
        if (size > 0) {
            check_assignment(bytes_of(bytes, size), &arena);
            check_cuts(bytes_of(bytes, size), false, &arena);
            checked++;
        }
    }
    assert_int_equal(checked, 10);
    arena_fini(&arena);
    fclose(file);
}

static void test_empty_and_new(void **state)
{
    (void)state;
    struct arena arena;
    struct subscription s;
    struct assignment a;
    arena_init(&arena, ARENA_BYTES);
    assert_int_equal(subscription_decode((struct bytes){NULL, 0}, &arena, &s, NULL), ERR_OK);
    assert_int_equal(s.topic_count, 0);
    assert_int_equal(assignment_decode((struct bytes){NULL, 0}, &arena, &a, NULL), ERR_OK);
    assert_int_equal(a.topic_count, 0);
    // Version 9 with a topic, null user data, one owned partition, generation 5, rack "r", and more behind
    // it.
    static const uint8_t newer[] = "\0\x09\0\0\0\x01\0\x01t\xff\xff\xff\xff"
                                   "\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\x01r-more-";
    assert_int_equal(subscription_decode(bytes_of(newer, sizeof newer - 1), &arena, &s, NULL), ERR_OK);
    assert_int_equal(s.owned_count, 1);
    assert_int_equal(s.owned[0].partitions[0], 7);
    assert_int_equal(s.generation, 5);
    assert_true(str_equal(s.rack, STR("r")));
    assert_null(s.user_data.ptr);
    arena_fini(&arena);
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool is_assignment; // a subscription of these bytes is fine
    } rows[] = {
        {"\0", 1},                            // half a version
        {"\xff\xff\0\0\0\0\0\0\0\0", 10},     // a version below zero
        {"\0\0\x7f\xff\xff\xff", 6},          // more topics than bytes
        {"\0\0\xff\xff\xff\xff\0\0\0\0", 10}, // less than none
        {"\0\0\0\0\0\x01\x7f\xff"
         "abc",
         11},                                                    // a name longer than all
        {"\0\0\0\0\0\x01\0\x01t\x7f\xff\xff\xff", 13},           // user data or partitions longer than all
        {"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01", 17, true}, // one partition too few
    };
    struct arena arena;
    arena_init(&arena, 4096); // a count that was believed would not fit
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct subscription s;
        struct assignment a;
        struct bytes data = bytes_of(rows[i].bytes, rows[i].size);
        arena_reset(&arena);
        if (!rows[i].is_assignment) {
            assert_int_equal(subscription_decode(data, &arena, &s, NULL), ERR_MALFORMED);
        }
        assert_int_equal(assignment_decode(data, &arena, &a, NULL), ERR_MALFORMED);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_empty_and_new),
                                       cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
