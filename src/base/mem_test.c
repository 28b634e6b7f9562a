// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static int hook_allocs;
static int hook_frees;

static void *hook_alloc(size_t size)
{
    hook_allocs++;
    void *p = malloc(size + 1);
    memset(p, 0xaa, size + 1); // the hook's memory is not zeroed: mem_zalloc has to do it
    return p;
}

static void *hook_realloc(void *ptr, size_t size)
{
    return realloc(ptr, size + 1);
}

static void hook_free(void *ptr)
{
    hook_frees++;
    free(ptr);
}

static void test_sizes(void **state)
{
    (void)state;
    void *nothing = mem_alloc(0);
    assert_non_null(nothing);
    mem_free(nothing);
    mem_free(NULL);
    uint8_t *p = mem_array(10, 10);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(p[i], 0);
    }
    p[99] = 7;
    p = mem_realloc(p, 100000);
    assert_int_equal(p[99], 7);
    p = mem_realloc(p, 0);
    assert_non_null(p);
    mem_free(p);
}

static void test_hooks_see_everything(void **state)
{
    (void)state;
    static const struct mem_hooks hooks = {hook_alloc, hook_realloc, hook_free};
    mem_hooks_set(&hooks);
    uint8_t *p = mem_zalloc(64);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(p[i], 0);
    }
    p = mem_realloc(p, 128);
    mem_free(p);
    mem_hooks_set(NULL);
    assert_int_equal(hook_allocs, 1);
    assert_int_equal(hook_frees, 1);
    mem_free(mem_alloc(1));
    assert_int_equal(hook_allocs, 1);
}

static void test_cap(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    assert_true(mem_has_room(MEM_SHARE_STATE, SIZE_MAX)); // no cap, as at first
    size_t before = mem_used_bytes();
    void *large = mem_alloc(60 * MIB);
    assert_true(mem_used_bytes() >= before + 60 * MIB - (64 << 10));
    mem_cap_set(100 * MIB);
    assert_false(mem_has_room(MEM_SHARE_STATE, 4 * MIB));
    assert_true(mem_has_room(MEM_SHARE_TRAVEL, 4 * MIB));
    assert_false(mem_has_room(MEM_SHARE_TRAVEL, 30 * MIB));
    assert_true(mem_has_room(MEM_SHARE_SMALL, 30 * MIB));
    assert_false(mem_has_room(MEM_SHARE_SMALL, SIZE_MAX));
    large = mem_realloc(large, 90 * MIB);
    assert_false(mem_has_room(MEM_SHARE_TRAVEL, 0));
    struct arena arena;
    arena_init(&arena, MIB);
    assert_non_null(arena_alloc(&arena, 1 << 16)); // it does not give way
    arena_fini(&arena);
    large = mem_realloc(large, 101 * MIB);
    arena.gives_way = true;
    assert_null(arena_alloc(&arena, 1));
    assert_true(arena.failed);
    struct buf buf;
    buf_init(&buf, MIB);
    buf.gives_way = true;
    assert_null(buf_reserve(&buf, 1));
    assert_true(buf.failed);
    mem_free(large);
    assert_true(mem_has_room(MEM_SHARE_STATE, 50 * MIB));
    mem_trim();
    mem_cap_set(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_hooks_see_everything),
        cmocka_unit_test(test_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
