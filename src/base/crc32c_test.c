// SPDX-License-Identifier: Apache-2.0
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_published_vectors(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t up[32];
    uint8_t down[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    const struct {
        const void *data;
        size_t len;
        uint32_t crc;
    } rows[] = {
        {"123456789", 9, 0xe3069283}, {"", 0, 0},           {zeros, 32, 0x8a9136aa}, // RFC 3720 B.4
        {ones, 32, 0x62a8ab43},       {up, 32, 0x46dd794e}, {down, 32, 0x113fdb5c},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(crc32c(0, rows[i].data, rows[i].len), rows[i].crc);
        assert_int_equal(crc32c_portable(0, rows[i].data, rows[i].len), rows[i].crc);
    }
}

enum { NOISE_SIZE = 70000 };
static uint8_t noise[NOISE_SIZE];

static int noise_fill(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ULL;
    for (size_t i = 0; i < NOISE_SIZE; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        noise[i] = (uint8_t)(x >> 32);
    }
    return 0;
}

static void test_fast_agrees_with_portable(void **state)
{
    (void)state;
    for (size_t len = 0; len < 1600; len++) {
        size_t at = len % 16; // every alignment
        assert_int_equal(crc32c(0, noise + at, len), crc32c_portable(0, noise + at, len));
    }
    // Around the lengths at which the three streams begin.
    for (size_t len = 3 * 4096 - 9; len < 3 * 4096 + 9; len++) {
        assert_int_equal(crc32c(7, noise + 3, len), crc32c_portable(7, noise + 3, len));
    }
    assert_int_equal(crc32c(0, noise, NOISE_SIZE), crc32c_portable(0, noise, NOISE_SIZE));
}

static void test_sum_continues(void **state)
{
    (void)state;
    uint32_t whole = crc32c(0, noise, 20000);
    for (size_t split = 0; split <= 20000; split += 613) {
        uint32_t crc = crc32c(0, noise, split);
        assert_int_equal(crc32c(crc, noise + split, 20000 - split), whole);
        assert_int_equal(crc32c_portable(crc, noise + split, 20000 - split), whole);
    }
}

static void test_one_flipped_bit_shows(void **state)
{
    (void)state;
    uint32_t clean = crc32c(0, noise, 13000);
    for (size_t bit = 0; bit < 13000 * 8; bit += 977) {
        noise[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, noise, 13000), clean);
        noise[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_fast_agrees_with_portable),
        cmocka_unit_test(test_sum_continues),
        cmocka_unit_test(test_one_flipped_bit_shows),
    };
    return cmocka_run_group_tests(tests, noise_fill, NULL);
}
