// SPDX-License-Identifier: Apache-2.0
// quotas.c - quotas by entity (user, client id, address, and the default of each). Keys and values are opaque
// here: what they mean is decided where they are enforced.
#include "base/assert.h"
#include "base/mem.h"
#include "core/core_private.h"

// ---- order

// part_order: the default of a type comes before every name, also before the empty one.
static int part_order(const struct item_quota_part *a, const struct item_quota_part *b)
{
    if (a->type != b->type) {
        return a->type < b->type ? -1 : 1;
    }
    if (a->name.ptr == NULL || b->name.ptr == NULL) {
        return (a->name.ptr != NULL) - (b->name.ptr != NULL);
    }
    return str_compare(a->name, b->name);
}

static int parts_order(const struct item_quota_part *a, uint32_t a_count, const struct item_quota_part *b,
                       uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && i < b_count; i++) {
        int order = part_order(&a[i], &b[i]);
        if (order != 0) {
            return order;
        }
    }
    return a_count < b_count ? -1 : a_count > b_count;
}

// quota_lower_bound: the place of the first entity that is not before these parts.
static uint32_t quota_lower_bound(const struct core *core, const struct item_quota_part *parts,
                                  uint32_t count, bool *ret_is_there)
{
    uint32_t low = 0;
    uint32_t high = core->quota_count;
    *ret_is_there = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct quota_view *view = &core->quotas[middle]->view;
        int order = parts_order(view->parts, view->part_count, parts, count);
        *ret_is_there = *ret_is_there || order == 0;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// ---- making

bool quota_set_is_sound(const struct item_quota_set *item)
{
    for (uint32_t i = 1; i < item->part_count; i++) {
        if (item->parts[i - 1].type >= item->parts[i].type) {
            return false;
        }
    }
    for (uint32_t i = 1; i < item->value_count; i++) {
        if (str_compare(item->values[i - 1].key, item->values[i].key) >= 0) {
            return false;
        }
    }
    return item->part_count > 0;
}

struct quota *quota_new(struct core *core, const struct item_quota_set *item, uint64_t revision)
{
    size_t size = sizeof(struct quota) + item->part_count * sizeof(struct item_quota_part) +
                  item->value_count * sizeof(struct item_quota_value);
    size_t text_at = size;
    for (uint32_t i = 0; i < item->part_count; i++) {
        size += item->parts[i].name.len;
    }
    for (uint32_t i = 0; i < item->value_count; i++) {
        size += item->values[i].key.len;
    }
    struct quota *quota = mem_zalloc(size);
    struct item_quota_part *parts = (struct item_quota_part *)(void *)(quota + 1);
    struct item_quota_value *values = (struct item_quota_value *)(void *)(parts + item->part_count);
    char *text = (char *)quota + text_at;
    for (uint32_t i = 0; i < item->part_count; i++) {
        struct str name = item->parts[i].name;
        parts[i].type = item->parts[i].type;
        parts[i].name = name.ptr == NULL ? name : text_copy(&text, name);
    }
    for (uint32_t i = 0; i < item->value_count; i++) {
        values[i].key = text_copy(&text, item->values[i].key);
        values[i].value = item->values[i].value;
    }
    quota->view = (struct quota_view){parts, item->part_count, values, item->value_count, revision};
    quota->size = size;
    quota->snap_gen = core->cut.gen;
    list_push_back(&core->quota_list, &quota->in_all);
    core->group_bytes += size;
    return quota;
}

static void quota_free(struct core *core, struct quota *quota)
{
    quota_touch(core, quota);
    cut_quota_leaving(core, quota);
    core->group_bytes -= quota->size;
    list_remove(&quota->in_all);
    mem_free(quota);
}

void quota_append(struct core *core, struct quota *quota)
{
    if (core->quota_count == core->quota_cap) {
        core->quota_cap = core->quota_cap == 0 ? 16 : core->quota_cap * 2;
        core->quotas = mem_realloc(core->quotas, core->quota_cap * sizeof(struct quota *));
    }
    core->quotas[core->quota_count++] = quota;
}

static int quota_order(const void *a, const void *b)
{
    const struct quota_view *x = &(*(const struct quota *const *)a)->view;
    const struct quota_view *y = &(*(const struct quota *const *)b)->view;
    return parts_order(x->parts, x->part_count, y->parts, y->part_count);
}

bool quotas_sort(struct core *core)
{
    if (core->quota_count > 1) {
        qsort(core->quotas, core->quota_count, sizeof(struct quota *), quota_order);
    }
    for (uint32_t i = 1; i < core->quota_count; i++) {
        if (quota_order(&core->quotas[i - 1], &core->quotas[i]) == 0) {
            return false;
        }
    }
    return true;
}

enum err quota_set_apply(struct apply *a, const struct item_quota_set *item)
{
    struct core *core = a->core;
    if (!quota_set_is_sound(item)) {
        return ERR_INVALID_REQUEST;
    }
    bool is_there;
    uint32_t at = quota_lower_bound(core, item->parts, item->part_count, &is_there);
    uint64_t revision = is_there ? core->quotas[at]->view.revision : 0;
    if (item->expected_revision != revision) {
        return ERR_STALE;
    }
    if (!is_there && item->value_count > 0 && core->quota_count >= core->limits.quotas_max) {
        return ERR_POLICY_VIOLATION;
    }
    size_t after = core->quota_count - at;
    if (is_there) {
        quota_free(core, core->quotas[at]);
        after--;
    }
    if (item->value_count > 0) {
        struct quota *quota = quota_new(core, item, revision + 1);
        if (!is_there) {
            quota_append(core, quota); // makes room
            memmove(&core->quotas[at + 1], &core->quotas[at], after * sizeof(struct quota *));
        }
        core->quotas[at] = quota;
    } else if (is_there) {
        memmove(&core->quotas[at], &core->quotas[at + 1], after * sizeof(struct quota *));
        core->quota_count--;
    }
    core->quota_serial++;
    return ERR_OK;
}

void core_quotas_fini(struct core *core)
{
    LIST_EACH_SAFE (node, after, &core->quota_list) {
        quota_free(core, LIST_ENTRY(node, struct quota, in_all));
    }
    mem_free(core->quotas);
}

// ---- reading

uint32_t core_quota_count(const struct core *core)
{
    return core->quota_count;
}

void core_quota_at(const struct core *core, uint32_t index, struct quota_view *ret)
{
    ASSERT(index < core->quota_count);
    *ret = core->quotas[index]->view;
}

bool core_quota_find(const struct core *core, const struct item_quota_part *parts, uint32_t part_count,
                     struct quota_view *ret)
{
    bool is_there;
    uint32_t at = quota_lower_bound(core, parts, part_count, &is_there);
    if (is_there) {
        *ret = core->quotas[at]->view;
    }
    return is_there;
}

uint64_t core_quota_serial(const struct core *core)
{
    return core->quota_serial;
}
