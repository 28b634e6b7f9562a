// SPDX-License-Identifier: Apache-2.0
// groups.c - consumer groups as they must survive a restart: the membership of the last complete generation,
// set as a whole. Deletion is logical, as of topics: a deleted group leaves every look-up at once and waits
// until its offset pages are freed.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/core_private.h"

// ---- look-ups

static uint64_t group_hash(struct str id)
{
    return hash64(bytes_of(id.ptr, id.len), 7);
}

struct str group_id(const struct group *group)
{
    return (struct str){group->id, group->id_len};
}

struct group *core_group_find(const struct core *core, struct str id)
{
    for (struct map_node *n = map_first(&core->groups_by_id, group_hash(id)); n != NULL; n = map_next(n)) {
        struct group *group = MAP_ENTRY(n, struct group, by_id);
        if (str_equal(group_id(group), id)) {
            return group;
        }
    }
    return NULL;
}

uint32_t core_group_lower_bound(const struct core *core, struct str from)
{
    uint32_t low = 0;
    uint32_t high = core->group_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(group_id(core->groups[middle]), from) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// member_lower_bound: the place in by_member of the first id >= member_id.
static uint32_t member_lower_bound(const struct roster *roster, struct str member_id)
{
    uint32_t low = 0;
    uint32_t high = roster->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(roster->by_member[middle]->member_id, member_id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct item_member *group_member_find(const struct group *group, struct str member_id)
{
    uint32_t at = member_lower_bound(&group->roster, member_id);
    bool is_there = at < group->roster.count && str_equal(group->roster.by_member[at]->member_id, member_id);
    return is_there ? group->roster.by_member[at] : NULL;
}

// ---- the membership

static size_t member_text_size(const struct item_member *m)
{
    return m->member_id.len + m->instance_id.len + m->client_id.len + m->client_host.len +
           m->subscription.len + m->assignment.len;
}

static struct str text_or_null_copy(char **at, struct str text)
{
    return text.ptr == NULL ? text : text_copy(at, text);
}

static struct bytes blob_copy(char **at, struct bytes blob)
{
    struct str copy = text_copy(at, (struct str){(const char *)blob.ptr, blob.len});
    return bytes_of(copy.ptr, copy.len);
}

static struct item_member member_copy(char **at, const struct item_member *m)
{
    return (struct item_member){
        .member_id = text_copy(at, m->member_id),
        .instance_id = text_or_null_copy(at, m->instance_id),
        .client_id = text_copy(at, m->client_id),
        .client_host = text_copy(at, m->client_host),
        .session_timeout_ms = m->session_timeout_ms,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .subscription = blob_copy(at, m->subscription),
        .assignment = blob_copy(at, m->assignment),
    };
}

static int member_order(const void *a, const void *b)
{
    const struct item_member *const *x = a;
    const struct item_member *const *y = b;
    return str_compare((*x)->member_id, (*y)->member_id);
}

static bool roster_is_unique(const struct roster *roster)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        struct str id = roster->by_member[i]->member_id;
        if (id.len == 0 || (i > 0 && str_equal(roster->by_member[i - 1]->member_id, id))) {
            return false;
        }
    }
    return true;
}

bool roster_make(const struct item_group_set *item, struct roster *ret)
{
    size_t fixed_size = item->member_count * (sizeof(struct item_member) + sizeof(struct item_member *));
    size_t size = fixed_size + item->protocol_type.len + item->protocol_name.len + item->leader.len;
    for (uint32_t i = 0; i < item->member_count; i++) {
        size += member_text_size(&item->members[i]);
    }
    // One byte more, so that no text is at NULL, which would make it null.
    struct roster roster = {.members = mem_alloc(size + 1), .count = item->member_count, .size = size + 1};
    roster.by_member = (struct item_member **)(void *)(roster.members + roster.count);
    char *text = (char *)roster.members + fixed_size;
    roster.protocol_type = text_copy(&text, item->protocol_type);
    roster.protocol_name = text_or_null_copy(&text, item->protocol_name);
    roster.leader = text_or_null_copy(&text, item->leader);
    for (uint32_t i = 0; i < roster.count; i++) {
        roster.members[i] = member_copy(&text, &item->members[i]);
        roster.by_member[i] = &roster.members[i];
    }
    if (roster.count > 1) {
        qsort(roster.by_member, roster.count, sizeof(struct item_member *), member_order);
    }
    if (!roster_is_unique(&roster)) {
        mem_free(roster.members);
        return false;
    }
    *ret = roster;
    return true;
}

void group_roster_take(struct core *core, struct group *group, struct roster *take_roster)
{
    core->group_bytes = core->group_bytes - group->roster.size + take_roster->size;
    mem_free(group->roster.members);
    group->roster = *take_roster;
    *take_roster = (struct roster){0};
}

// ---- making

struct group *group_new(struct core *core, struct str id)
{
    ASSERT(id.len <= ITEM_TEXT_MAX);
    struct group *group = mem_zalloc(sizeof *group + id.len);
    group->roster.protocol_type = STR("");
    group->empty_since_ms = INT64_MIN;
    group->snap_gen = core->cut.gen;
    group->id_len = (uint16_t)id.len;
    memcpy(group->id, id.ptr, id.len);
    map_insert(&core->groups_by_id, &group->by_id, group_hash(id));
    list_push_back(&core->group_list, &group->in_all);
    if (core->group_count == core->group_cap) {
        core->group_cap = core->group_cap == 0 ? 16 : core->group_cap * 2;
        core->groups = mem_realloc(core->groups, core->group_cap * sizeof(struct group *));
    }
    core->groups[core->group_count++] = group; // the caller puts it into its place
    core->group_bytes += sizeof *group + id.len;
    return group;
}

void group_place(struct core *core, struct group *group)
{
    core->group_count--;
    uint32_t at = core_group_lower_bound(core, group_id(group));
    memmove(&core->groups[at + 1], &core->groups[at], (core->group_count - at) * sizeof(struct group *));
    core->groups[at] = group;
    core->group_count++;
}

static int group_order(const void *a, const void *b)
{
    const struct group *const *x = a;
    const struct group *const *y = b;
    return str_compare(group_id(*x), group_id(*y));
}

void groups_sort(struct core *core)
{
    if (core->group_count > 1) {
        qsort(core->groups, core->group_count, sizeof(struct group *), group_order);
    }
}

enum err group_set_apply(struct apply *a, const struct item_group_set *item)
{
    struct core *core = a->core;
    struct group *group = core_group_find(core, item->group_id);
    if (item->generation < 0) {
        return ERR_INVALID_REQUEST;
    }
    if (item->expected_generation != (group == NULL ? 0 : group->generation)) {
        return ERR_STALE;
    }
    if (group == NULL && core->group_count >= core->limits.groups_max) {
        return ERR_POLICY_VIOLATION;
    }
    struct roster roster;
    if (!roster_make(item, &roster)) {
        return ERR_INVALID_REQUEST;
    }
    if (group == NULL) {
        group = group_new(core, item->group_id);
        group_place(core, group);
    } else {
        group_touch(core, group);
    }
    if (roster.count > 0) {
        group->empty_since_ms = INT64_MAX;
    } else if (group_is_populated(group)) {
        group->empty_since_ms = core->time_ms;
    }
    group_consumer_drop(core, group);
    group->generation = item->generation;
    group_roster_take(core, group, &roster);
    return ERR_OK;
}

// ---- deleting

enum err group_delete_apply(struct apply *a, const struct item_group_delete *item)
{
    struct core *core = a->core;
    struct group *group = core_group_find(core, item->group_id);
    if (group == NULL) {
        return ERR_GROUP_ID_NOT_FOUND;
    }
    if (group_is_populated(group)) {
        return ERR_NON_EMPTY_GROUP;
    }
    if (item->must_be_bare && group->offset_count > 0) {
        return ERR_STALE;
    }
    group_touch(core, group); // its offsets are saved when they are freed
    cut_group_leaving(core, group);
    uint32_t at = core_group_lower_bound(core, group_id(group));
    ASSERT(core->groups[at] == group);
    memmove(&core->groups[at], &core->groups[at + 1], (core->group_count - at - 1) * sizeof(struct group *));
    core->group_count--;
    map_remove(&core->groups_by_id, &group->by_id);
    list_remove(&group->in_all);
    list_push_back(&core->dying_groups, &group->in_all);
    core->offset_total -= group->offset_count;
    group->offset_count = 0;
    core->offset_text -= group->offset_text;
    group->offset_text = 0;
    group->is_deleted = true;
    group->delete_gen = core->cut.gen;
    return ERR_OK;
}

static void group_free(struct core *core, struct group *group)
{
    core->group_bytes -= sizeof *group + group->id_len + group->roster.size;
    group_consumer_drop(core, group);
    list_remove(&group->in_all);
    mem_free(group->roster.members);
    mem_free(group);
}

void groups_reclaim(struct core *core, uint32_t *budget)
{
    while (*budget > 0 && !list_is_empty(&core->dying_groups)) {
        struct group *group = LIST_ENTRY(core->dying_groups.next, struct group, in_all);
        if (group->pages[0] == NULL) {
            group_free(core, group);
            (*budget)--;
            continue;
        }
        uint32_t freed = offset_page_free(core, group->pages[0]);
        *budget -= freed < *budget ? freed : *budget;
    }
}

void core_groups_fini(struct core *core)
{
    LIST_EACH_SAFE (node, after, &core->group_list) {
        group_free(core, LIST_ENTRY(node, struct group, in_all));
    }
    LIST_EACH_SAFE (node, after, &core->dying_groups) {
        group_free(core, LIST_ENTRY(node, struct group, in_all));
    }
    map_fini(&core->groups_by_id);
    mem_free(core->groups);
}

// ---- reading

uint32_t core_group_count(const struct core *core)
{
    return core->group_count;
}

struct group *core_group_at(const struct core *core, uint32_t index)
{
    ASSERT(index < core->group_count);
    return core->groups[index];
}

int32_t group_generation(const struct group *group)
{
    return group->generation;
}

struct str group_protocol_type(const struct group *group)
{
    return group->roster.protocol_type;
}

struct str group_protocol_name(const struct group *group)
{
    return group->roster.protocol_name;
}

struct str group_leader(const struct group *group)
{
    return group->roster.leader;
}

uint32_t group_member_count(const struct group *group)
{
    return group->roster.count;
}

const struct item_member *group_member_at(const struct group *group, uint32_t index)
{
    ASSERT(index < group->roster.count);
    return &group->roster.members[index];
}

int64_t group_empty_since_ms(const struct group *group)
{
    return group->empty_since_ms;
}

uint32_t group_offset_count(const struct group *group)
{
    return group->offset_count;
}
