// SPDX-License-Identifier: Apache-2.0
#include "runtime/quantiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE_NS 60000000000

static int64_t one_at(uint64_t value, uint32_t permille)
{
    struct quantiles q = {0};
    struct quantile_view view = {0};
    quantiles_add(&q, value, 5);
    quantile_view_add(&view, &q, 5);
    return quantile_view_at(&view, permille);
}

static void values_are_an_eighth_too_large_at_most(void **state)
{
    (void)state;
    assert_int_equal(one_at(0, 500), 0);
    for (uint64_t value = 1; value < 1ULL << 40; value += value / 3 + 1) {
        int64_t at = one_at(value, 500);
        assert_true(at >= (int64_t)value);
        assert_true((uint64_t)at <= value + value / 8);
    }
    for (uint64_t value = 8; value < 1ULL << 40; value *= 2) { // at the bounds
        assert_int_equal(one_at(value - 1, 999), value - 1);
        assert_true(one_at(value, 999) >= (int64_t)value);
    }
    assert_true(one_at(UINT64_MAX, 500) < INT64_MAX / 2); // off the scale, not out of bounds
}

static void quantiles_split_the_values(void **state)
{
    (void)state;
    struct quantiles q = {0};
    struct quantiles other = {0};
    struct quantile_view view = {0};
    assert_int_equal(quantile_view_at(&view, 500), -1);
    for (int i = 0; i < 90; i++) {
        quantiles_add(i % 2 == 0 ? &q : &other, 3, 0);
    }
    for (int i = 0; i < 10; i++) {
        quantiles_add(&q, 1000, 0);
    }
    quantile_view_add(&view, &q, 0);
    quantile_view_add(&view, &other, 0);
    assert_int_equal(view.count, 100);
    assert_int_equal(view.sum, 90 * 3 + 10 * 1000);
    assert_int_equal(quantile_view_at(&view, 500), 3);
    assert_int_equal(quantile_view_at(&view, 900), 3);
    assert_in_range(quantile_view_at(&view, 950), 1000, 1125);
    assert_in_range(quantile_view_at(&view, 999), 1000, 1125);
}

static void old_values_are_forgotten(void **state)
{
    (void)state;
    struct quantiles q = {0};
    quantiles_add(&q, 100, 0);
    quantiles_add(&q, 4, MINUTE_NS);
    static const struct {
        int64_t now_ns;
        uint64_t recent;
    } rows[] = {{MINUTE_NS, 2}, {2 * MINUTE_NS - 1, 2}, {2 * MINUTE_NS, 1}, {3 * MINUTE_NS, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quantile_view view = {0};
        quantile_view_add(&view, &q, rows[i].now_ns);
        assert_int_equal(view.recent, rows[i].recent);
        assert_int_equal(view.count, 2); // of all time
    }
    quantiles_add(&q, 5, 2 * MINUTE_NS); // takes the place of the first minute
    struct quantile_view view = {0};
    quantile_view_add(&view, &q, 2 * MINUTE_NS);
    assert_int_equal(view.recent, 2);
    assert_int_equal(quantile_view_at(&view, 1000), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_an_eighth_too_large_at_most),
        cmocka_unit_test(quantiles_split_the_values),
        cmocka_unit_test(old_values_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
