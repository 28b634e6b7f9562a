// SPDX-License-Identifier: Apache-2.0
#include "runtime/pool.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "platform/real/real.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static int env_setup(void **state)
{
    struct env *env = NULL;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    *state = env;
    return 0;
}

static int env_teardown(void **state)
{
    real_env_close(*state);
    return 0;
}

static void test_size_classes(void **state)
{
    static const struct {
        size_t size;
        size_t cap;
    } rows[] = {
        {0, 4 * KIB},
        {1, 4 * KIB},
        {4 * KIB, 4 * KIB},
        {4 * KIB + 1, 5 * KIB},
        {5 * KIB, 5 * KIB},
        {7 * KIB + 1, 8 * KIB},
        {8 * KIB, 8 * KIB},
        {8 * KIB + 1, 10 * KIB},
        {100000, 112 * KIB},
        {MIB, MIB},
        {MIB + 1, MIB + MIB / 4},
        {8 * MIB - MIB, 7 * MIB},
        {8 * MIB - 1, 8 * MIB},
        {8 * MIB, 8 * MIB},
        {8 * MIB + 1, 8 * MIB + 1},
        {20 * MIB + 7, 20 * MIB + 7},
    };
    struct pool *pool = pool_create(*state, 64 * MIB, 0);
    assert_int_equal(pool_limit_bytes(pool), 64 * MIB);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct chunk *chunk = chunk_get(pool, rows[i].size);
        assert_non_null(chunk);
        assert_int_equal(chunk->cap, rows[i].cap);
        assert_int_equal(pool_used_bytes(pool), rows[i].cap);
        chunk->ptr[0] = 1;
        chunk->ptr[chunk->cap - 1] = 2;
        chunk_unref(chunk);
        assert_int_equal(pool_used_bytes(pool), 0);
    }
    pool_destroy(pool);
    pool_destroy(NULL);
    chunk_unref(NULL);
}

static void test_beyond(void **state)
{
    struct pool *pool = pool_create(*state, 20 * KIB, 0);
    struct chunk *a = chunk_get(pool, 16 * KIB);
    assert_null(chunk_get(pool, 8 * KIB));
    struct chunk *b = chunk_get_beyond(pool, 8 * KIB);
    assert_int_equal(b->cap, 8 * KIB);
    assert_int_equal(pool_used_bytes(pool), 24 * KIB);
    chunk_unref(a);
    assert_null(chunk_get(pool, 16 * KIB)); // it counts
    chunk_unref(b);
    mem_cap_set(1);
    assert_null(chunk_get(pool, 1));
    mem_cap_set(0);
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_destroy(pool);
}

static void test_limit(void **state)
{
    struct pool *pool = pool_create(*state, 20 * KIB, 100 * KIB);
    struct chunk *a = chunk_get(pool, 15 * KIB); // 16 KiB
    assert_non_null(a);
    assert_null(chunk_get(pool, 5 * KIB));
    struct chunk *b = chunk_get(pool, 1);
    assert_non_null(b);
    assert_null(chunk_get(pool, 1));
    assert_int_equal(pool_used_bytes(pool), 20 * KIB);
    chunk_unref(b);
    b = chunk_get(pool, 1);
    assert_non_null(b);
    chunk_unref(a);
    chunk_unref(b);
    assert_null(chunk_get(pool, SIZE_MAX));
    assert_null(chunk_get(pool, SIZE_MAX / 2 + 2));
    assert_int_equal(pool_used_bytes(pool), 0);
    pool_destroy(pool);
}

static void test_reuse_is_last_in_first_out(void **state)
{
    struct pool *pool = pool_create(*state, MIB, MIB);
    struct chunk *a = chunk_get(pool, 7200);
    struct chunk *b = chunk_get(pool, 8000);
    struct chunk *other = chunk_get(pool, 100);
    chunk_unref(a);
    chunk_unref(b);
    chunk_unref(other);
    assert_ptr_equal(chunk_get(pool, 7500), b);
    assert_ptr_equal(chunk_get(pool, 7300), a);
    b->ptr[0] = 1; // usable again, also under a sanitizer
    a->ptr[a->cap - 1] = 1;
    chunk_unref(b);
    chunk_unref(a);
    pool_destroy(pool);
}

static void test_references(void **state)
{
    struct pool *pool = pool_create(*state, MIB, MIB);
    struct chunk *chunk = chunk_get(pool, 1);
    chunk_ref(chunk);
    chunk_ref(chunk);
    chunk_unref(chunk);
    chunk_unref(chunk);
    assert_int_equal(pool_used_bytes(pool), 4 * KIB);
    assert_ptr_not_equal(chunk, NULL);
    struct chunk *second = chunk_get(pool, 1);
    assert_ptr_not_equal(second, chunk); // still held
    chunk_unref(chunk);
    assert_int_equal(pool_used_bytes(pool), 4 * KIB);
    chunk_unref(second);
    pool_destroy(pool);
}

// What is kept for reuse stays under the mark: of three, only the first two returned come back.
static void test_idle_bytes(void **state)
{
    struct pool *pool = pool_create(*state, MIB, 9 * KIB);
    struct chunk *chunks[3];
    for (int i = 0; i < 3; i++) {
        chunks[i] = chunk_get(pool, 4 * KIB);
        assert_non_null(chunks[i]);
    }
    struct chunk *large = chunk_get(pool, 16 * KIB); // does not fit and is freed
    chunk_unref(large);
    for (int i = 0; i < 3; i++) {
        chunk_unref(chunks[i]);
    }
    struct chunk *again[3];
    for (int i = 0; i < 2; i++) {
        again[i] = chunk_get(pool, 1);
        assert_ptr_equal(again[i], chunks[1 - i]);
    }
    chunk_unref(again[0]);
    chunk_unref(again[1]);
    pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_size_classes, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_beyond, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_limit, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_reuse_is_last_in_first_out, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_references, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_idle_bytes, env_setup, env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
