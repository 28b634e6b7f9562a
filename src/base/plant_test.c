// SPDX-License-Identifier: Apache-2.0
#include "base/plant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    for (int i = 1; i < PLANT_COUNT; i++) {
        enum plant plant = (enum plant)i;
        assert_int_equal(plant_find(str_from_c(plant_name(plant))), plant);
        assert_int_equal(plant_find(str_from_c(plant_name(plant) + strlen("PLANT_"))), plant);
        assert_true(strlen(plant_text(plant)) > 0);
    }
    assert_int_equal(plant_find(STR("NO_SUCH_BUG")), PLANT_NONE);
    assert_int_equal(plant_find(STR("")), PLANT_NONE);
}

static void test_a_bug_is_live_only_where_compiled_in(void **state)
{
    (void)state;
    plant_set(PLANT_SKIP_CRC);
#ifdef STROM_PLANTED_BUGS
    assert_true(plant_is(PLANT_SKIP_CRC));
#else
    assert_false(plant_is(PLANT_SKIP_CRC));
#endif
    assert_false(plant_is(PLANT_REUSE_OFFSET));
    plant_set(PLANT_NONE);
    assert_false(plant_is(PLANT_SKIP_CRC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_bug_is_live_only_where_compiled_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
