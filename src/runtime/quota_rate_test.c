// SPDX-License-Identifier: Apache-2.0
// The arithmetic of quotas with a clock that is moved by hand.
#include "runtime/quota_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1000000000, MS = 1000000 };

static const struct quota_rate_config config = {11, S};
static double sums[QUOTA_WINDOWS_MAX];
static struct quota_rate rate;

static int test_setup(void **state)
{
    (void)state;
    memset(sums, 0, sizeof sums);
    rate = (struct quota_rate){.sums = sums};
    return 0;
}

static void steady_is_its_own_rate(void **state)
{
    (void)state;
    int64_t now_ns = 1000LL * S;
    for (int i = 0; i < 300; i++, now_ns += 100 * MS) {
        quota_rate_add(&rate, &config, now_ns, 50); // 500 a second
    }
    double value = quota_rate_value(&rate, &config, now_ns);
    assert_true(value > 490 && value < 560);
    // Silence: it falls window by window, to nothing.
    double before = value;
    for (int i = 0; i < 12; i++) {
        now_ns += S;
        value = quota_rate_value(&rate, &config, now_ns);
        assert_true(value < before || value == 0);
        before = value;
    }
    assert_true(value == 0);
}

static void burst_counts_over_all_windows(void **state)
{
    (void)state;
    int64_t now_ns = 77LL * S;
    quota_rate_add(&rate, &config, now_ns, 1000);
    // 1000 over ten whole windows and nothing of the eleventh.
    assert_true(quota_rate_value(&rate, &config, now_ns) == 100);
    assert_int_equal(quota_rate_wait_ns(&rate, &config, now_ns, 100), 0);
    // Twice the bound: as long as the windows that it is taken over.
    int64_t wait_ns = quota_rate_wait_ns(&rate, &config, now_ns, 50);
    assert_in_range(wait_ns, 10LL * S, 10LL * S + 2);
    assert_in_range(quota_rate_wait_ns(&rate, &config, now_ns, 80), 2500LL * MS, 2500LL * MS + 2);
    // A bound of nothing waits for a while, not for ever.
    assert_in_range(quota_rate_wait_ns(&rate, &config, now_ns, 0), 1, 11LL * S);
    assert_true(quota_rate_wait_ns(&rate, &config, now_ns, 1e-300) > 0);
}

// Whoever waits as told, each time, is held to the bound.
static void waiting_holds_the_bound(void **state)
{
    (void)state;
    static const struct {
        double bound;
        double amount;
    } rows[] = {{1000, 100}, {1000, 5000}, {50, 1}, {0.5, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)test_setup(NULL);
        int64_t start_ns = 123456789;
        int64_t now_ns = start_ns;
        double total = 0;
        while (now_ns < start_ns + 1000LL * S) {
            quota_rate_add(&rate, &config, now_ns, rows[i].amount);
            total += rows[i].amount;
            now_ns += quota_rate_wait_ns(&rate, &config, now_ns, rows[i].bound) + MS;
        }
        double got = total / 1000;
        assert_true(got < 1.2 * rows[i].bound);
        assert_true(got > 0.8 * rows[i].bound);
    }
}

static void any_time_is_fine(void **state)
{
    (void)state;
    static const int64_t times_s[] = {0, 1, 5, 5, 4, 500, 9000000, 9000001, 0};
    for (size_t i = 0; i < sizeof times_s / sizeof times_s[0]; i++) {
        quota_rate_add(&rate, &config, times_s[i] * S, 1);
        assert_true(quota_rate_value(&rate, &config, times_s[i] * S) > 0);
    }
    const struct quota_rate_config two = {2, 60LL * S};
    (void)test_setup(NULL);
    quota_rate_add(&rate, &two, 59LL * S, 60);
    assert_true(quota_rate_value(&rate, &two, 60LL * S) == 1);
    assert_true(quota_rate_value(&rate, &two, 120LL * S) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(steady_is_its_own_rate, test_setup),
        cmocka_unit_test_setup(burst_counts_over_all_windows, test_setup),
        cmocka_unit_test_setup(waiting_holds_the_bound, test_setup),
        cmocka_unit_test_setup(any_time_is_fine, test_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
