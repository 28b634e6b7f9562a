// SPDX-License-Identifier: Apache-2.0
// The tail cache: what is found, what it costs, and that it never holds on to more than its limit.
#include "broker/test_rig.h"

#include "platform/real/real.h"

static struct env *env;
static struct pool *pool;
static struct tail tail;

enum { LIMIT = 64 << 10, SMALL = 4096 };

static int setup(void **state)
{
    (void)state;
    assert_int_equal(real_env_open(STR(""), &env, NULL), ERR_OK);
    pool = pool_create(env, 4 << 20, 0);
    tail_init(&tail, LIMIT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tail_fini(&tail);
    assert_int_equal(pool_used_bytes(pool), 0); // every reference was given back
    pool_destroy(pool);
    real_env_close(env);
    return 0;
}

// What journal_unlock does once the lock is released.
static void sweep(void)
{
    for (size_t i = 0; i < tail.garbage_count; i++) {
        chunk_unref(tail.garbage[i]);
    }
    tail.garbage_count = 0;
}

static void push(uint64_t object, int64_t position, uint32_t length, struct chunk *take_chunk)
{
    tail_push(&tail, object, position, bytes_of(take_chunk->ptr, length), take_chunk);
    chunk_unref(take_chunk);
    sweep();
}

static void finds_the_batch_that_covers(void **state)
{
    (void)state;
    push(3, 1000, 100, chunk_get(pool, SMALL));
    push(3, 1100, 50, chunk_get(pool, SMALL));
    push(3, 2000, 10, chunk_get(pool, SMALL)); // others' bytes lie between
    push(7, 0, 5, chunk_get(pool, SMALL));
    static const struct {
        uint64_t object;
        int64_t position;
        int64_t found; // -1 = none
    } cases[] = {
        {3, 999, -1},  {3, 1000, 1000}, {3, 1099, 1000}, {3, 1100, 1100}, {3, 1149, 1100},
        {3, 1150, -1}, {3, 1999, -1},   {3, 2009, 2000}, {3, 2010, -1},   {2, 1000, -1},
        {4, 1000, -1}, {7, 0, 0},       {7, 4, 0},       {7, 5, -1},      {8, 0, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tail_entry *entry = tail_find(&tail, cases[i].object, cases[i].position);
        assert_int_equal(entry == NULL ? -1 : entry->position, cases[i].found);
        assert_true(entry == NULL || entry->object == cases[i].object);
    }
}

static void oldest_leave_first(void **state)
{
    (void)state;
    enum { PUSHED = 3 * LIMIT / SMALL };
    for (int i = 0; i < PUSHED; i++) {
        push(1, i * 100, 100, chunk_get(pool, SMALL));
        assert_true(pool_used_bytes(pool) <= LIMIT);
    }
    for (int i = 0; i < PUSHED; i++) {
        bool is_kept = i >= PUSHED - LIMIT / SMALL;
        assert_int_equal(tail_find(&tail, 1, i * 100) != NULL, is_kept);
    }
}

// Batches of one request share its memory: it counts once, and lives as long as any of them.
static void neighbours_share_a_chunk(void **state)
{
    (void)state;
    enum { EACH = 8 };
    for (int round = 0; round < 20; round++) {
        struct chunk *chunk = chunk_get(pool, LIMIT / 4);
        for (int i = 0; i < EACH; i++) {
            chunk_ref(chunk);
            push(1, (round * EACH + i) * 100, 100, chunk);
        }
        chunk_unref(chunk);
        // One more may be held by the last of its batches.
        assert_true(pool_used_bytes(pool) <= LIMIT + LIMIT / 4);
        assert_non_null(tail_find(&tail, 1, (round * EACH) * 100));
    }
}

static void larger_than_the_cache_is_not_kept(void **state)
{
    (void)state;
    push(1, 0, 100, chunk_get(pool, SMALL));
    push(1, 100, 100, chunk_get(pool, 2 * LIMIT));
    push(1, 200, 100, chunk_get(pool, SMALL));
    assert_non_null(tail_find(&tail, 1, 0));
    assert_null(tail_find(&tail, 1, 100));
    assert_non_null(tail_find(&tail, 1, 200));
    assert_true(pool_used_bytes(pool) <= LIMIT);
}

static void ring_is_bounded(void **state)
{
    (void)state;
    tail.limit = SIZE_MAX / 2;
    struct chunk *chunk = chunk_get(pool, SMALL);
    for (int64_t i = 0; i < TAIL_ENTRIES_MAX + 10; i++) {
        chunk_ref(chunk);
        push(1, i, 1, chunk);
    }
    assert_null(tail_find(&tail, 1, 9));
    assert_non_null(tail_find(&tail, 1, 10));
    assert_non_null(tail_find(&tail, 1, TAIL_ENTRIES_MAX + 9));
    chunk_unref(chunk);
}

static void no_cache(void **state)
{
    (void)state;
    tail.limit = 0;
    push(1, 0, 1, chunk_get(pool, SMALL));
    assert_null(tail_find(&tail, 1, 0));
    assert_int_equal(pool_used_bytes(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_the_batch_that_covers, setup, teardown),
        cmocka_unit_test_setup_teardown(oldest_leave_first, setup, teardown),
        cmocka_unit_test_setup_teardown(neighbours_share_a_chunk, setup, teardown),
        cmocka_unit_test_setup_teardown(larger_than_the_cache_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(ring_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(no_cache, setup, teardown),
    };
    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
