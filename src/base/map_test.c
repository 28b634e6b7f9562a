// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"

struct entry {
    uint32_t key;
    bool is_in;
    struct map_node node;
};

static struct entry *entry_find(const struct map *m, uint32_t key, uint64_t hash)
{
    for (struct map_node *node = map_first(m, hash); node != NULL; node = map_next(node)) {
        struct entry *e = MAP_ENTRY(node, struct entry, node);
        if (e->key == key) {
            return e;
        }
    }
    return NULL;
}

static void test_empty(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    assert_null(map_first(&m, 1));
    assert_null(map_pop(&m));
    map_fini(&m);
}

static void test_random_operations_against_a_model(void **state)
{
    (void)state;
    enum { KEYS = 500 };
    static struct entry entries[KEYS];
    struct map m;
    map_init(&m);
    uint64_t x = 99;
    size_t count = 0;
    for (int step = 0; step < 50000; step++) {
        x = hash_mix(x, (uint64_t)step);
        uint32_t key = (uint32_t)(x % KEYS);
        uint64_t hash = key % 97; // few hashes: chains share them
        struct entry *e = &entries[key];
        assert_ptr_equal(entry_find(&m, key, hash), e->is_in ? e : NULL);
        if (e->is_in) {
            map_remove(&m, &e->node);
            count--;
        } else {
            e->key = key;
            map_insert(&m, &e->node, hash);
            count++;
        }
        e->is_in = !e->is_in;
        assert_int_equal(m.count, count);
    }
    for (; count > 0; count--) {
        struct entry *e = MAP_ENTRY(map_pop(&m), struct entry, node);
        assert_true(e->is_in);
        e->is_in = false;
    }
    assert_null(map_pop(&m));
    map_fini(&m);
}

static void test_map_next_stays_within_the_hash(void **state)
{
    (void)state;
    struct entry e[40] = {{0}};
    struct map m;
    map_init(&m);
    for (uint32_t i = 0; i < 40; i++) {
        e[i].key = i;
        map_insert(&m, &e[i].node, (uint64_t)(i % 2) * 1024); // one slot, two hashes
    }
    int found = 0;
    for (struct map_node *node = map_first(&m, 1024); node != NULL; node = map_next(node)) {
        assert_int_equal(MAP_ENTRY(node, struct entry, node)->key % 2, 1);
        found++;
    }
    assert_int_equal(found, 20);
    map_fini(&m);
}

static void test_pop_sees_what_is_inserted_between(void **state)
{
    (void)state;
    struct entry a = {.key = 1};
    struct entry b = {.key = 2};
    struct map m;
    map_init(&m);
    map_insert(&m, &a.node, 9);
    assert_ptr_equal(map_pop(&m), &a.node);
    map_insert(&m, &b.node, 3); // in a slot below the one popped last
    assert_ptr_equal(map_pop(&m), &b.node);
    map_fini(&m);
}

static void test_teardown_of_many_is_linear(void **state)
{
    (void)state;
    // Quadratic, this would look at 4 * 10^10 slots and outlast any test.
    enum { MANY = 200000 };
    struct entry *entries = mem_array(MANY, sizeof *entries);
    struct map m;
    map_init(&m);
    for (uint32_t i = 0; i < MANY; i++) {
        map_insert(&m, &entries[i].node, hash_mix(i, 1));
    }
    uint32_t popped = 0;
    while (map_pop(&m) != NULL) {
        popped++;
    }
    assert_int_equal(popped, MANY);
    map_fini(&m);
    mem_free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_random_operations_against_a_model),
        cmocka_unit_test(test_map_next_stays_within_the_hash),
        cmocka_unit_test(test_pop_sees_what_is_inserted_between),
        cmocka_unit_test(test_teardown_of_many_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
