// SPDX-License-Identifier: Apache-2.0
#include "cli/murmur2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

// The values that Kafka's own UtilsTest.testMurmur2 expects.
static const struct {
    const char *key;
    int32_t hash;
} rows[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

static void test_known_hashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal((int32_t)murmur2(bytes_of(rows[i].key, strlen(rows[i].key))), rows[i].hash);
    }
}

static void test_partitions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes key = bytes_of(rows[i].key, strlen(rows[i].key));
        assert_int_equal(key_partition(key, 1), 0);
        assert_int_equal(key_partition(key, 12), (rows[i].hash & INT32_MAX) % 12);
    }
    assert_in_range(key_partition(bytes_of("", 0), 7), 0, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_hashes),
                                       cmocka_unit_test(test_partitions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
