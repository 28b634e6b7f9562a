// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_values_never_change(void **state)
{
    (void)state;
    // From an independent implementation. Snapshots carry these hashes: a change here breaks every data
    // directory in the world.
    uint8_t ramp[100];
    for (int i = 0; i < 100; i++) {
        ramp[i] = (uint8_t)i;
    }
    const struct {
        const void *data;
        size_t len;
        uint64_t seed;
        uint64_t hash;
    } rows[] = {
        {"", 0, 0, 0x3ec615fd0e96615fULL},        {NULL, 0, 1, 0x10bf6e3139019c09ULL},
        {"a", 1, 0, 0x22ffff5817139bb5ULL},       {"orders", 6, 0, 0x6fd407e17ff3ab18ULL},
        {"orders", 6, 42, 0x2c94993c06311602ULL}, {"0123456789abcdef", 16, 0, 0x6fdecbafce48dc40ULL},
        {ramp, 100, 7, 0x1e8294ce8ca48382ULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(hash64(bytes_of(rows[i].data, rows[i].len), rows[i].seed) == rows[i].hash);
    }
}

static void test_zero_padding_is_not_data(void **state)
{
    (void)state;
    uint8_t zeros[64] = {0};
    for (size_t a = 0; a < 64; a++) {
        for (size_t b = 0; b < a; b++) {
            assert_true(hash64(bytes_of(zeros, a), 0) != hash64(bytes_of(zeros, b), 0));
        }
    }
}

static void test_keys_spread_over_slots(void **state)
{
    (void)state;
    // 64 slots, 6,400 numbered topics: no slot may be far from its 100.
    int slots[64] = {0};
    for (int i = 0; i < 6400; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "topic-%d", i);
        slots[hash64(bytes_of(name, (size_t)length), 99) & 63]++;
    }
    for (int i = 0; i < 64; i++) {
        assert_in_range(slots[i], 50, 150);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_never_change),
        cmocka_unit_test(test_zero_padding_is_not_data),
        cmocka_unit_test(test_keys_spread_over_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
