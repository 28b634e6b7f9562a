// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum err open_segment(struct error *e)
{
    return FAIL(e, ERR_CORRUPT, "block %d", 7);
}

static void test_fail_fills_and_returns(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(open_segment(&e), ERR_CORRUPT);
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_string_equal(e.text, "block 7");
    assert_non_null(strstr(e.file, "error_test.c"));
    assert_true(e.line > 0);
    assert_int_equal(open_segment(NULL), ERR_CORRUPT);
}

static void test_wrap_puts_context_first(void **state)
{
    (void)state;
    struct error e;
    assert_int_equal(open_segment(&e), ERR_CORRUPT);
    error_wrap(&e, "segment %d", 42);
    error_wrap(&e, "%s", "orders-3");
    assert_string_equal(e.text, "orders-3: segment 42: block 7");
    assert_int_equal(e.code, ERR_CORRUPT);
    error_wrap(NULL, "nobody listens");
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    struct error e;
    assert_int_equal(FAIL(&e, ERR_IO, "%0400d", 0), ERR_IO);
    assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
    error_wrap(&e, "%s", "context");
    assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
    assert_memory_equal(e.text, "context: 0", 10);
    error_wrap(&e, "%0300d", 0);
    assert_int_equal(strlen(e.text), ERROR_TEXT_SIZE - 1);
    for (size_t length = ERROR_TEXT_SIZE - 4; length <= ERROR_TEXT_SIZE; length++) {
        assert_int_equal(FAIL(&e, ERR_IO, "inner"), ERR_IO);
        error_wrap(&e, "%0*d", (int)length, 0);
        assert_true(strlen(e.text) < ERROR_TEXT_SIZE);
    }
}

static void test_table_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        enum err code = (enum err)i;
        assert_memory_equal(err_name(code), "ERR_", 4);
        assert_true(strlen(err_text(code)) > 0);
        int http = err_http(code);
        assert_true(http == 200 ? code == ERR_OK : http >= 400 && http < 600);
        // What a foreign code comes back as says the same to a Kafka client.
        assert_int_equal(err_kafka(err_from_kafka(err_kafka(code))), err_kafka(code));
    }
}

static void test_known_codes(void **state)
{
    (void)state;
    // The codes and the retriable flag are Kafka's (kafka.apache.org/protocol, error codes).
    static const struct {
        enum err code;
        int16_t kafka;
        bool is_retriable;
    } rows[] = {
        {ERR_OK, 0, false},
        {ERR_UNKNOWN, -1, false},
        {ERR_OFFSET_OUT_OF_RANGE, 1, false},
        {ERR_CORRUPT, 2, true},
        {ERR_UNKNOWN_PARTITION, 3, true},
        {ERR_NOT_LEADER, 6, true},
        {ERR_BATCH_TOO_LARGE, 10, false},
        {ERR_UNSUPPORTED_VERSION, 35, false},
        {ERR_TOPIC_EXISTS, 36, false},
        {ERR_OUT_OF_ORDER_SEQUENCE, 45, false},
        {ERR_INVALID_PRODUCER_EPOCH, 47, false},
        {ERR_STORAGE, 56, true},
        {ERR_FENCED_LEADER_EPOCH, 74, true},
        {ERR_INVALID_RECORD, 87, false},
        {ERR_UNKNOWN_TOPIC_ID, 100, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(err_kafka(rows[i].code), rows[i].kafka);
        assert_int_equal(err_is_retriable(rows[i].code), rows[i].is_retriable);
        assert_int_equal(err_from_kafka(rows[i].kafka), rows[i].code);
    }
    assert_int_equal(err_from_kafka(12345), ERR_UNKNOWN);
    assert_string_equal(err_kafka_name(0), "NONE");
    assert_string_equal(err_kafka_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(err_kafka_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    assert_string_equal(err_kafka_name(ERR_KAFKA_MAX), "SHARE_SESSION_LIMIT_REACHED");
    assert_string_equal(err_kafka_name(ERR_KAFKA_MAX + 1), "UNKNOWN_SERVER_ERROR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_fills_and_returns),
        cmocka_unit_test(test_wrap_puts_context_first),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_table_is_whole),
        cmocka_unit_test(test_known_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
