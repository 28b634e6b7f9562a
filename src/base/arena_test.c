// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_memory_is_zeroed_aligned_and_disjoint(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *before = NULL;
    for (size_t size = 0; size < 300; size++) {
        uint8_t *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_ptr_not_equal(p, size > 1 ? before : NULL);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xaa, size);
        before = p;
    }
    arena_fini(&a);
}

static void test_cap_fails_sticky_until_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    assert_non_null(arena_alloc(&a, 100)); // an exact fit is a fit
    assert_null(arena_alloc(&a, 1));
    assert_true(a.failed);
    assert_null(arena_alloc(&a, 0)); // sticky: nothing half-built goes on
    arena_reset(&a);
    assert_false(a.failed);
    assert_non_null(arena_alloc(&a, 60));
    arena_fini(&a);
}

static void test_cap_counts_padding(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1600);
    int given = 0;
    while (arena_alloc(&a, 1) != NULL) {
        given++;
    }
    assert_int_equal(given, 100);
    arena_fini(&a);
}

static void test_sizes_that_overflow(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        size_t size;
    } rows[] = {{SIZE_MAX, 1},
                {SIZE_MAX / 2 + 1, 2},
                {2, SIZE_MAX / 2 + 1},
                {1, SIZE_MAX - 3},
                {1UL << 40, 1UL << 40}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        arena_init(&a, SIZE_MAX);
        assert_null(arena_array_alloc(&a, rows[i].count, rows[i].size));
        assert_true(a.failed);
        arena_fini(&a);
    }
}

static void test_large_blocks_and_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            uint8_t *p = arena_alloc(&a, (size_t)1 << i);
            assert_non_null(p);
            p[((size_t)1 << i) - 1] = 1;
        }
        arena_reset(&a);
        assert_int_equal(a.total, 0);
    }
    arena_fini(&a);
    assert_null(a.blocks);
}

static void test_text(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    char source[] = "topic";
    struct str copy = arena_str(&a, (struct str){source, 5});
    source[0] = 'X';
    assert_true(str_equal(copy, STR("topic")));
    assert_int_equal(copy.ptr[5], '\0');
    assert_null(arena_str(&a, (struct str){NULL, 0}).ptr);
    struct str empty = arena_str(&a, STR(""));
    assert_non_null(empty.ptr); // empty is not null
    assert_int_equal(empty.len, 0);
    assert_true(str_equal(arena_printf(&a, "%s-%d", "orders", 3), STR("orders-3")));
    assert_null(arena_printf(&a, "%5000d", 1).ptr);
    assert_true(a.failed);
    arena_fini(&a);
}

// What a turn of a loop took is given back; marks nest, and a limit is never reached.
static void test_marks(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    const char *kept = arena_str(&a, STR("kept")).ptr;
    for (int i = 0; i < 1000; i++) {
        struct arena_mark outer = arena_mark(&a);
        arena_alloc(&a, 700);
        for (int k = 0; k < 3; k++) {
            struct arena_mark inner = arena_mark(&a);
            assert_non_null(arena_alloc(&a, 9000));
            arena_release(&a, inner);
        }
        uint8_t *again = arena_alloc(&a, 64);
        assert_non_null(again);
        assert_int_equal(again[63], 0); // zeroed, though it was used
        memset(again, 0xff, 64);
        arena_release(&a, outer);
    }
    assert_string_equal(kept, "kept");
    assert_false(a.failed);
    assert_true(a.total < 100);
    struct arena empty;
    arena_init(&empty, 1000);
    struct arena_mark nothing = arena_mark(&empty);
    arena_release(&empty, nothing);
    arena_alloc(&empty, 10);
    arena_release(&empty, nothing);
    assert_int_equal(empty.total, 0);
    arena_fini(&empty);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_disjoint),
        cmocka_unit_test(test_cap_fails_sticky_until_reset),
        cmocka_unit_test(test_cap_counts_padding),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_large_blocks_and_reset),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
