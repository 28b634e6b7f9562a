// SPDX-License-Identifier: Apache-2.0
// consumers.c - groups of the consumer protocol (KIP-848): members that change one by one, under the epoch of
// their group. What they subscribe to and own is kept as it came: the coordinator decides, and reads it.
#include "base/assert.h"
#include "base/mem.h"
#include "core/core_private.h"

// ---- look-ups

// entry_lower_bound: the place of the first id >= member_id.
static uint32_t entry_lower_bound(const struct consumer_roster *roster, struct str member_id)
{
    uint32_t low = 0;
    uint32_t high = roster->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(roster->entries[middle]->member.member_id, member_id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct consumer_entry *entry_find(const struct consumer_roster *roster, struct str member_id)
{
    uint32_t at = entry_lower_bound(roster, member_id);
    bool is_there = at < roster->count && str_equal(roster->entries[at]->member.member_id, member_id);
    return is_there ? roster->entries[at] : NULL;
}

const struct item_consumer_member *consumer_member_find(const struct group *group, struct str member_id)
{
    const struct consumer_entry *entry = entry_find(group->consumer, member_id);
    return entry == NULL ? NULL : &entry->member;
}

bool group_is_populated(const struct group *group)
{
    return group->roster.count > 0 || (group->consumer != NULL && group->consumer->count > 0);
}

// ---- members

static void blob_take(struct core *core, struct bytes *blob, struct bytes fresh)
{
    core->group_bytes = core->group_bytes - blob->len + fresh.len;
    mem_free((void *)blob->ptr);
    *blob = (struct bytes){NULL, 0};
    if (fresh.len > 0) {
        uint8_t *copy = mem_alloc(fresh.len);
        memcpy(copy, fresh.ptr, fresh.len);
        *blob = bytes_of(copy, fresh.len);
    }
}

static struct consumer_entry *entry_new(struct core *core, struct consumer_roster *roster,
                                        struct str member_id)
{
    if (roster->count == roster->cap) {
        roster->cap = roster->cap == 0 ? 4 : roster->cap * 2;
        roster->entries = mem_realloc(roster->entries, roster->cap * sizeof(struct consumer_entry *));
    }
    struct consumer_entry *entry = mem_zalloc(sizeof *entry);
    char *text = mem_alloc(member_id.len);
    entry->member.member_id = text_copy(&text, member_id);
    entry->member.parts = CONSUMER_PARTS;
    uint32_t at = entry_lower_bound(roster, member_id);
    memmove(&roster->entries[at + 1], &roster->entries[at],
            (roster->count - at) * sizeof(struct consumer_entry *));
    roster->entries[at] = entry;
    roster->count++;
    core->group_bytes += sizeof *entry + sizeof(struct consumer_entry *) + member_id.len;
    return entry;
}

static void entry_free(struct core *core, struct consumer_entry *entry)
{
    core->group_bytes -= sizeof *entry + sizeof(struct consumer_entry *) + entry->member.member_id.len;
    blob_take(core, &entry->member.metadata, (struct bytes){NULL, 0});
    blob_take(core, &entry->member.target, (struct bytes){NULL, 0});
    blob_take(core, &entry->member.current, (struct bytes){NULL, 0});
    mem_free((void *)entry->member.member_id.ptr);
    mem_free(entry);
}

void consumer_entry_set(struct core *core, struct consumer_roster *roster,
                        const struct item_consumer_member *member)
{
    struct consumer_entry *entry = entry_find(roster, member->member_id);
    if (entry == NULL) {
        entry = entry_new(core, roster, member->member_id);
    }
    if ((member->parts & CONSUMER_METADATA) != 0) {
        blob_take(core, &entry->member.metadata, member->metadata);
    }
    if ((member->parts & CONSUMER_TARGET) != 0) {
        blob_take(core, &entry->member.target, member->target);
    }
    if ((member->parts & CONSUMER_CURRENT) != 0) {
        entry->member.epoch = member->epoch;
        blob_take(core, &entry->member.current, member->current);
    }
}

static void entry_remove(struct core *core, struct consumer_roster *roster, struct str member_id)
{
    uint32_t at = entry_lower_bound(roster, member_id);
    if (at == roster->count || !str_equal(roster->entries[at]->member.member_id, member_id)) {
        return;
    }
    entry_free(core, roster->entries[at]);
    roster->count--;
    memmove(&roster->entries[at], &roster->entries[at + 1],
            (roster->count - at) * sizeof(struct consumer_entry *));
}

struct consumer_roster *consumer_roster_new(struct core *core, struct bytes state, uint64_t revision)
{
    struct consumer_roster *roster = mem_zalloc(sizeof *roster);
    roster->revision = revision;
    core->group_bytes += sizeof *roster;
    blob_take(core, &roster->state, state);
    return roster;
}

void group_consumer_drop(struct core *core, struct group *group)
{
    struct consumer_roster *roster = group->consumer;
    if (roster == NULL) {
        return;
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        entry_free(core, roster->entries[i]);
    }
    blob_take(core, &roster->state, (struct bytes){NULL, 0});
    core->group_bytes -= sizeof *roster;
    mem_free(roster->entries);
    mem_free(roster);
    group->consumer = NULL;
}

// ---- CONSUMER_SET

// ids_are_sound: none is empty, and they rise.
static bool ids_are_sound(const struct item_consumer_set *item)
{
    for (uint32_t i = 0; i < item->gone_count; i++) {
        if (item->gone[i].len == 0 || (i > 0 && str_compare(item->gone[i - 1], item->gone[i]) >= 0)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < item->member_count; i++) {
        struct str id = item->members[i].member_id;
        if (id.len == 0 || (i > 0 && str_compare(item->members[i - 1].member_id, id) >= 0)) {
            return false;
        }
    }
    return true;
}

static bool is_gone(const struct item_consumer_set *item, struct str member_id)
{
    uint32_t low = 0;
    uint32_t high = item->gone_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(item->gone[middle], member_id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < item->gone_count && str_equal(item->gone[low], member_id);
}

// newcomers_are_whole: who is not there yet says who it is.
static bool newcomers_are_whole(const struct group *group, const struct item_consumer_set *item)
{
    for (uint32_t i = 0; i < item->member_count; i++) {
        const struct item_consumer_member *member = &item->members[i];
        bool is_there = group != NULL && group->consumer != NULL &&
                        entry_find(group->consumer, member->member_id) != NULL &&
                        !is_gone(item, member->member_id);
        if (!is_there && (member->parts & CONSUMER_METADATA) == 0) {
            return false;
        }
    }
    return true;
}

static enum err consumer_set_check(const struct core *core, const struct group *group,
                                   const struct item_consumer_set *item)
{
    if (item->generation < 0) {
        return ERR_INVALID_REQUEST;
    }
    if (item->expected_generation != (group == NULL ? 0 : group->generation) ||
        item->expected_revision != (group == NULL ? 0 : group_revision(group))) {
        return ERR_STALE;
    }
    if (group == NULL && core->group_count >= core->limits.groups_max) {
        return ERR_POLICY_VIOLATION;
    }
    return ids_are_sound(item) && newcomers_are_whole(group, item) ? ERR_OK : ERR_INVALID_REQUEST;
}

// consumer_ready gives the group, made and of the consumer protocol.
static struct group *consumer_ready(struct core *core, struct group *group,
                                    const struct item_consumer_set *item)
{
    if (group == NULL) {
        group = group_new(core, item->group_id);
        group_place(core, group);
    } else {
        group_touch(core, group);
    }
    if (group->consumer == NULL) {
        const struct item_group_set none = {.protocol_type = STR("consumer")};
        struct roster roster;
        bool is_made = roster_make(&none, &roster);
        ASSERT(is_made); // there is no member that could be wrong
        group_roster_take(core, group, &roster);
        group->consumer = consumer_roster_new(core, item->state, 0);
    }
    return group;
}

enum err consumer_set_apply(struct apply *a, const struct item_consumer_set *item)
{
    struct core *core = a->core;
    struct group *group = core_group_find(core, item->group_id);
    enum err err = consumer_set_check(core, group, item);
    if (err != ERR_OK) {
        return err;
    }
    bool had_members = group != NULL && group_is_populated(group);
    group = consumer_ready(core, group, item);
    struct consumer_roster *roster = group->consumer;
    for (uint32_t i = 0; i < item->gone_count; i++) {
        entry_remove(core, roster, item->gone[i]);
    }
    for (uint32_t i = 0; i < item->member_count; i++) {
        consumer_entry_set(core, roster, &item->members[i]);
    }
    blob_take(core, &roster->state, item->state);
    roster->revision++;
    group->generation = item->generation;
    if (roster->count > 0) {
        group->empty_since_ms = INT64_MAX;
    } else if (had_members) {
        group->empty_since_ms = core->time_ms;
    }
    return ERR_OK;
}

// ---- reading

bool group_is_consumer(const struct group *group)
{
    return group->consumer != NULL;
}

uint64_t group_revision(const struct group *group)
{
    return group->consumer == NULL ? 0 : group->consumer->revision;
}

struct bytes group_consumer_state(const struct group *group)
{
    return group->consumer == NULL ? (struct bytes){NULL, 0} : group->consumer->state;
}

uint32_t group_consumer_count(const struct group *group)
{
    return group->consumer == NULL ? 0 : group->consumer->count;
}

const struct item_consumer_member *group_consumer_at(const struct group *group, uint32_t index)
{
    ASSERT(index < group_consumer_count(group));
    return &group->consumer->entries[index]->member;
}
