// SPDX-License-Identifier: Apache-2.0
#include "format/avro/tables.h"

#include "base/hash.h"
#include "base/mem.h"

enum { WALKED_MAX = 8, FIRST_CAPACITY = 16 };

// ---- names

static struct str name_at(const struct name_index *index, uint32_t i)
{
    struct str name;
    memcpy(&name, (const uint8_t *)index->first + i * index->stride, sizeof name);
    return name;
}

static uint32_t name_slot(const struct name_index *index, struct str name)
{
    uint64_t hash = hash64(bytes_of(name.ptr, name.len), (uintptr_t)index->slots);
    uint32_t slot = (uint32_t)hash & (index->slot_count - 1);
    while (index->slots[slot] != 0 && !str_equal(name_at(index, index->slots[slot] - 1), name)) {
        slot = (slot + 1) & (index->slot_count - 1);
    }
    return slot;
}

int64_t name_index_find(const struct name_index *index, struct str name)
{
    if (index->slot_count > 0) {
        return (int64_t)index->slots[name_slot(index, name)] - 1;
    }
    for (uint32_t i = 0; i < index->count; i++) {
        if (str_equal(name_at(index, i), name)) {
            return i;
        }
    }
    return NAME_INDEX_NONE;
}

int64_t name_index_build(struct name_index *index, const void *first, size_t stride, uint32_t count,
                         struct arena *arena)
{
    *index = (struct name_index){.first = first, .stride = stride};
    if (count > WALKED_MAX) {
        uint32_t slot_count = FIRST_CAPACITY;
        while (slot_count < count * 2) {
            slot_count *= 2;
        }
        index->slots = arena_new(arena, uint32_t, slot_count);
        index->slot_count = index->slots == NULL ? 0 : slot_count;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (index->slot_count == 0) {
            if (name_index_find(index, name_at(index, i)) != NAME_INDEX_NONE) {
                return i;
            }
        } else {
            uint32_t slot = name_slot(index, name_at(index, i));
            if (index->slots[slot] != 0) {
                return i;
            }
            index->slots[slot] = i + 1;
        }
        index->count = i + 1;
    }
    return NAME_INDEX_NONE;
}

// ---- texts

static size_t text_slot(const struct text_table *table, struct str text)
{
    size_t slot =
        (size_t)hash64(bytes_of(text.ptr, text.len), (uintptr_t)table->entries) & (table->capacity - 1);
    while (table->entries[slot].value != NULL && !str_equal(table->entries[slot].text, text)) {
        slot = (slot + 1) & (table->capacity - 1);
    }
    return slot;
}

void *text_table_get(const struct text_table *table, struct str text)
{
    return table->capacity == 0 ? NULL : table->entries[text_slot(table, text)].value;
}

static bool text_table_grow(struct text_table *table)
{
    struct text_table larger = {.arena = table->arena, .count = table->count};
    larger.capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
    larger.entries = arena_new(table->arena, struct text_entry, larger.capacity);
    if (larger.entries == NULL) {
        return false; // the arena has failed, which its owner sees
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].value != NULL) {
            larger.entries[text_slot(&larger, table->entries[i].text)] = table->entries[i];
        }
    }
    *table = larger;
    return true;
}

void text_table_put(struct text_table *table, struct str text, void *value)
{
    if (table->count * 2 >= table->capacity && !text_table_grow(table)) {
        return;
    }
    size_t slot = text_slot(table, text);
    table->count += table->entries[slot].value == NULL;
    table->entries[slot] = (struct text_entry){text, value};
}

// ---- pairs

static size_t pair_slot(const struct pair_table *table, const void *a, const void *b)
{
    size_t slot = (size_t)hash_mix((uintptr_t)a, (uintptr_t)b * 31) & (table->capacity - 1);
    while (table->entries[slot].a != NULL && (table->entries[slot].a != a || table->entries[slot].b != b)) {
        slot = (slot + 1) & (table->capacity - 1);
    }
    return slot;
}

uint32_t pair_table_get(const struct pair_table *table, const void *a, const void *b)
{
    return table->capacity == 0 ? 0 : table->entries[pair_slot(table, a, b)].value;
}

static void pair_table_grow(struct pair_table *table)
{
    struct pair_table larger = {.count = table->count};
    larger.capacity = table->capacity == 0 ? FIRST_CAPACITY * 4 : table->capacity * 2;
    larger.entries = mem_array(larger.capacity, sizeof *larger.entries);
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].a != NULL) {
            larger.entries[pair_slot(&larger, table->entries[i].a, table->entries[i].b)] = table->entries[i];
        }
    }
    mem_free(table->entries);
    *table = larger;
}

void pair_table_put(struct pair_table *table, const void *a, const void *b, uint32_t value)
{
    if (table->count * 2 >= table->capacity) {
        pair_table_grow(table);
    }
    size_t slot = pair_slot(table, a, b);
    table->count += table->entries[slot].a == NULL;
    table->entries[slot] = (struct pair_entry){a, b, value};
}

void pair_table_fini(struct pair_table *table)
{
    mem_free(table->entries);
    *table = (struct pair_table){0};
}
