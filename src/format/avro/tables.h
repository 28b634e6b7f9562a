// SPDX-License-Identifier: Apache-2.0
// tables.h - three small hash tables: names in an array, texts to pointers, and pairs of pointers to numbers.
// Where a table lies is its seed: no text can be made to collide.
#ifndef FORMAT_AVRO_TABLES_H
#define FORMAT_AVRO_TABLES_H

#include "base/arena.h"

// Which of `count` things that begin with a struct str has a given text. Immutable; few are walked.
struct name_index {
    const void *first;
    size_t stride;
    uint32_t count;
    uint32_t slot_count; // 0: walked
    uint32_t *slots;     // index + 1
};
enum { NAME_INDEX_NONE = -1 };
// name_index_build returns the index of the second of two equal names, or NAME_INDEX_NONE.
int64_t name_index_build(struct name_index *index, const void *first, size_t stride, uint32_t count,
                         struct arena *arena);
int64_t name_index_find(const struct name_index *index, struct str name); // NAME_INDEX_NONE if it has none

// Text to pointer. A zeroed struct with `arena` set is ready; texts are borrowed.
struct text_table {
    struct arena *arena;
    struct text_entry *entries;
    size_t capacity;
    size_t count;
};
struct text_entry {
    struct str text;
    void *value; // NULL: free
};
void *text_table_get(const struct text_table *table, struct str text);
void text_table_put(struct text_table *table, struct str text, void *value); // value is not NULL

// (a, b) to a number that is not 0. A zeroed struct is ready. Owns heap memory.
struct pair_table {
    struct pair_entry *entries;
    size_t capacity;
    size_t count;
};
struct pair_entry {
    const void *a; // NULL: free
    const void *b;
    uint32_t value;
};
uint32_t pair_table_get(const struct pair_table *table, const void *a, const void *b); // 0: not there
void pair_table_put(struct pair_table *table, const void *a, const void *b, uint32_t value);
void pair_table_fini(struct pair_table *table);

#endif
