// SPDX-License-Identifier: Apache-2.0
#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct timer {
    int number;
    struct heap_node node;
};

enum { TIMER_COUNT = 1000 };
static struct timer timers[TIMER_COUNT];

static void timers_clear(void)
{
    for (int i = 0; i < TIMER_COUNT; i++) {
        timers[i] = (struct timer){.number = i};
    }
}

static uint64_t random_state = 12345;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void test_leaves_in_order_of_key_then_insertion(void **state)
{
    (void)state;
    timers_clear();
    struct heap h;
    heap_init(&h);
    assert_null(heap_min(&h));
    for (int i = 0; i < TIMER_COUNT; i++) {
        heap_insert(&h, &timers[i].node, (int64_t)(random_next() % 50) - 25);
    }
    struct timer *before = NULL;
    for (int i = 0; i < TIMER_COUNT; i++) {
        struct timer *now = HEAP_ENTRY(heap_min(&h), struct timer, node);
        if (before != NULL) {
            assert_true(before->node.key <= now->node.key);
            assert_true(before->node.key < now->node.key || before->number < now->number);
        }
        heap_remove(&h, &now->node);
        before = now;
    }
    assert_null(heap_min(&h));
    heap_fini(&h);
}

static void test_extreme_keys(void **state)
{
    (void)state;
    timers_clear();
    struct heap h;
    heap_init(&h);
    heap_insert(&h, &timers[0].node, INT64_MAX);
    heap_insert(&h, &timers[1].node, INT64_MIN);
    heap_insert(&h, &timers[2].node, 0);
    assert_ptr_equal(heap_min(&h), &timers[1].node);
    heap_remove(&h, &timers[1].node);
    assert_ptr_equal(heap_min(&h), &timers[2].node);
    heap_fini(&h);
}

static void check_shape(const struct heap *h)
{
    for (size_t i = 1; i <= h->count; i++) {
        assert_int_equal(h->nodes[i - 1]->index, i);
        if (i > 1) {
            assert_true(h->nodes[i / 2 - 1]->key <= h->nodes[i - 1]->key);
        }
    }
}

// The model is the plain array: the smallest key among the linked.
static void test_random_operations_against_a_model(void **state)
{
    (void)state;
    timers_clear();
    struct heap h;
    heap_init(&h);
    for (int step = 0; step < 20000; step++) {
        struct timer *t = &timers[random_next() % 100];
        if (t->node.index == 0) {
            heap_insert(&h, &t->node, (int64_t)(random_next() % 1000));
        } else {
            heap_remove(&h, &t->node);
            assert_int_equal(t->node.index, 0);
            heap_remove(&h, &t->node); // again: a no-op
        }
        const struct heap_node *min = NULL;
        size_t linked = 0;
        for (int i = 0; i < 100; i++) {
            const struct heap_node *node = &timers[i].node;
            if (node->index == 0) {
                continue;
            }
            linked++;
            if (min == NULL || node->key < min->key || (node->key == min->key && node->order < min->order)) {
                min = node;
            }
        }
        assert_int_equal(h.count, linked);
        assert_ptr_equal(heap_min(&h), min);
        if (step % 64 == 0) {
            check_shape(&h);
        }
    }
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_in_order_of_key_then_insertion),
        cmocka_unit_test(test_extreme_keys),
        cmocka_unit_test(test_random_operations_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
