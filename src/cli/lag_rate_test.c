// SPDX-License-Identifier: Apache-2.0
#include "cli/lag_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const int64_t S = INT64_C(1000000000);

static int64_t per_s(const struct rate *rate)
{
    double value = -1;
    return rate_per_s(rate, &value) ? (int64_t)(value + 0.5) : -1;
}

static void test_rate(void **state)
{
    (void)state;
    struct rate rate = {0};
    assert_int_equal(per_s(&rate), -1);
    rate_add(&rate, 10 * S, 1000);
    assert_int_equal(per_s(&rate), -1);
    rate_add(&rate, 10 * S, 1500); // no time has passed
    assert_int_equal(per_s(&rate), -1);
    rate_add(&rate, 12 * S, 1600);
    assert_int_equal(per_s(&rate), 300);
    rate_add(&rate, 14 * S, 1600);
    assert_int_equal(per_s(&rate), 150);
}

static void test_window(void **state)
{
    (void)state;
    struct rate rate = {0};
    for (int i = 0; i < 200; i++) { // 10 per second for long, then 1000 per second
        rate_add(&rate, i * S, i * 10);
    }
    assert_int_equal(per_s(&rate), 10);
    for (int i = 200; i < 240; i++) {
        rate_add(&rate, i * S, 2000 + (i - 200) * 1000);
    }
    assert_int_equal(per_s(&rate), 1000);
    rate_add(&rate, 1000 * S, 50000); // after a long silence: the mean of it
    assert_in_range(per_s(&rate), 1, 30);
    for (int i = 0; i < 1000; i++) {
        rate_add(&rate, 1000 * S + i, 50000);
        assert_in_range(rate.count, 2, RATE_SAMPLES);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct rate rate = {0};
    rate_add(&rate, 1 * S, 1000);
    rate_add(&rate, 2 * S, 1100);
    rate_add(&rate, 3 * S, 5);
    assert_int_equal(per_s(&rate), -1);
    rate_add(&rate, 4 * S, 25);
    assert_int_equal(per_s(&rate), 20);
}

static void test_eta(void **state)
{
    (void)state;
    int64_t seconds = -1;
    assert_true(lag_eta(0, 0, 5, &seconds));
    assert_int_equal(seconds, 0);
    assert_true(lag_eta(1000, 150, 50, &seconds));
    assert_int_equal(seconds, 10);
    assert_true(lag_eta(1, 1000, 0, &seconds));
    assert_int_equal(seconds, 1);
    assert_false(lag_eta(1000, 50, 50, &seconds));
    assert_false(lag_eta(1000, 0, 50, &seconds));
    assert_false(lag_eta(INT64_MAX, 1e-9, 0, &seconds));
    assert_true(lag_eta(INT64_MAX, 1e15, 0, &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rate), cmocka_unit_test(test_window),
                                       cmocka_unit_test(test_reset), cmocka_unit_test(test_eta)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
