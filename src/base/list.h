// SPDX-License-Identifier: Apache-2.0
// list.h - an intrusive doubly linked list with a sentinel head.
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
// clang-format off
#define LIST_EACH(node, head) \
    for (struct list *node = (head)->next; node != (head); node = node->next)
// clang-format on
// LIST_EACH_SAFE allows the current node to be removed.
#define LIST_EACH_SAFE(node, after, head)                                                                    \
    for (struct list *node = (head)->next, *after = node->next; node != (head);                              \
         node = after, after = node->next)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}
// list_is_linked: nodes are linked or have been zeroed or removed.
static inline bool list_is_linked(const struct list *node)
{
    return node->next != NULL && node->next != node;
}
static inline void list_insert_before(struct list *node, struct list *at)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}
static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(node, head);
}
static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(node, head->next);
}
// list_remove is a no-op on a node that is not linked.
static inline void list_remove(struct list *node)
{
    if (list_is_linked(node)) {
        node->prev->next = node->next;
        node->next->prev = node->prev;
    }
    node->next = node->prev = node;
}
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;
    if (node == head) {
        return NULL;
    }
    list_remove(node);
    return node;
}

#endif
