// SPDX-License-Identifier: Apache-2.0
// objects.c - drops objects that nothing refers to. The keeper alone drops, and only between merges: an
// object that is written but not swapped in yet has no extents either, and must not be mistaken for garbage.
#include "keeper/keeper_private.h"

#include "base/mem.h"

#include <stdlib.h>

enum { SLICE_OBJECTS = 512 };

struct object_list {
    struct engine_object_info *infos; // by object number
    size_t count;
    size_t cap;
};

static void object_list_add(void *arg, const struct engine_object_info *info)
{
    struct object_list *list = arg;
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->infos = mem_realloc(list->infos, list->cap * sizeof *list->infos);
    }
    list->infos[list->count++] = *info;
}

static int object_info_compare(const void *left, const void *right)
{
    const struct engine_object_info *a = left;
    const struct engine_object_info *b = right;
    return (a->object > b->object) - (a->object < b->object);
}

static int object_number_compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static enum err object_list_get(struct keeper *k, struct object_list *ret, struct error *e)
{
    *ret = (struct object_list){0};
    enum err err = engine_objects(k->engine, object_list_add, ret, e);
    if (err == ERR_OK && ret->count > 1) {
        qsort(ret->infos, ret->count, sizeof *ret->infos, object_info_compare);
    }
    if (err != ERR_OK) {
        mem_free(ret->infos);
        *ret = (struct object_list){0};
    }
    return err;
}

// A log file that is not written any more may still hold bundles that are ordered but not applied.
static bool object_is_unused(const struct core *core, const struct engine_object_info *info)
{
    if (info->is_wal && (info->is_current || info->last_lsn > core_lsn(core))) {
        return false;
    }
    return core_object_extents(core, info->object) == 0;
}

void keeper_object_drop(struct keeper *k, uint64_t object)
{
    segment_cache_forget(k->segments, object);
    engine_object_drop(k->engine, object);
    keeper_count(k->dropped, 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->damaged_count; i++) {
        if (k->damaged[i].object != object) {
            k->damaged[kept++] = k->damaged[i];
        }
    }
    k->damaged_count = kept;
}

// Removes from the list what is in use, then drops the rest.
static void object_list_drop(struct keeper *k, struct object_list *list)
{
    size_t kept = 0;
    for (size_t first = 0; first < list->count; first += SLICE_OBJECTS) {
        size_t end = first + SLICE_OBJECTS < list->count ? first + SLICE_OBJECTS : list->count;
        const struct core *core = k->host.lock(k->host.arg);
        for (size_t i = first; i < end; i++) {
            if (object_is_unused(core, &list->infos[i])) {
                list->infos[kept++] = list->infos[i];
            }
        }
        k->host.unlock(k->host.arg);
    }
    for (size_t i = 0; i < kept; i++) {
        keeper_object_drop(k, list->infos[i].object);
    }
}

enum err keeper_drop_unused(struct keeper *k, bool with_merged, struct error *e)
{
    struct object_list list;
    enum err err = object_list_get(k, &list, e);
    if (err != ERR_OK) {
        return err;
    }
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (with_merged || list.infos[i].is_wal) {
            list.infos[kept++] = list.infos[i];
        }
    }
    list.count = kept;
    object_list_drop(k, &list);
    mem_free(list.infos);
    return ERR_OK;
}

enum err keeper_drop_dead(struct keeper *k, struct error *e)
{
    mutex_lock(&k->mutex);
    uint64_t *dead = k->dead;
    size_t dead_count = k->dead_count;
    k->dead = NULL;
    k->dead_count = k->dead_cap = 0;
    mutex_unlock(&k->mutex);
    if (dead_count == 0) {
        return ERR_OK;
    }
    struct object_list list;
    enum err err = object_list_get(k, &list, e);
    if (err != ERR_OK) { // remember them
        keeper_objects_dead(k, dead, (uint32_t)dead_count);
        mem_free(dead);
        return err;
    }
    qsort(dead, dead_count, sizeof *dead, object_number_compare);
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (bsearch(&list.infos[i].object, dead, dead_count, sizeof *dead, object_number_compare) != NULL) {
            list.infos[kept++] = list.infos[i];
        }
    }
    list.count = kept;
    object_list_drop(k, &list);
    mem_free(list.infos);
    mem_free(dead);
    return ERR_OK;
}
