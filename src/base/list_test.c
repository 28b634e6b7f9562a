// SPDX-License-Identifier: Apache-2.0
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct waiter {
    int number;
    struct list node;
};

static void check_order(const struct list *head, const int *numbers, size_t count)
{
    size_t i = 0;
    const struct list *before = head;
    LIST_EACH (node, (struct list *)head) {
        assert_true(i < count);
        assert_int_equal(LIST_ENTRY(node, struct waiter, node)->number, numbers[i]);
        assert_ptr_equal(node->prev, before);
        before = node;
        i++;
    }
    assert_int_equal(i, count);
    assert_ptr_equal(head->prev, before);
}

static void test_push_insert_remove(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
    struct waiter w[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    assert_false(list_is_linked(&w[0].node)); // zeroed is a valid unlinked node
    list_push_back(&head, &w[1].node);
    list_push_back(&head, &w[3].node);
    list_push_front(&head, &w[0].node);
    list_insert_before(&w[2].node, &w[3].node);
    check_order(&head, (const int[]){0, 1, 2, 3}, 4);
    assert_true(list_is_linked(&w[0].node));
    list_remove(&w[1].node);
    assert_false(list_is_linked(&w[1].node));
    list_remove(&w[1].node); // again: a no-op
    check_order(&head, (const int[]){0, 2, 3}, 3);
    assert_ptr_equal(list_pop_front(&head), &w[0].node);
    assert_false(list_is_linked(&w[0].node));
    list_push_back(&head, &w[0].node);
    check_order(&head, (const int[]){2, 3, 0}, 3);
}

static void test_remove_of_zeroed_node(void **state)
{
    (void)state;
    struct waiter w = {0};
    list_remove(&w.node);
    assert_false(list_is_linked(&w.node));
}

static void test_safe_walk_allows_removal(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    struct waiter w[10];
    for (int i = 0; i < 10; i++) {
        w[i] = (struct waiter){.number = i};
        list_push_back(&head, &w[i].node);
    }
    LIST_EACH_SAFE (node, after, &head) {
        if (LIST_ENTRY(node, struct waiter, node)->number % 3 != 0) {
            list_remove(node);
        }
    }
    check_order(&head, (const int[]){0, 3, 6, 9}, 4);
    LIST_EACH_SAFE (node, after, &head) {
        list_remove(node);
    }
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_insert_remove),
        cmocka_unit_test(test_remove_of_zeroed_node),
        cmocka_unit_test(test_safe_walk_allows_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
