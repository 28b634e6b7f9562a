// SPDX-License-Identifier: Apache-2.0
// record_group.c - snapshot records of groups, offset pages and quotas, written and read side by side
// (docs/formats/snapshot.md).
#include "core/core_private.h"

static bool is_done(const struct reader *r)
{
    return !r->failed && reader_left(r) == 0;
}

// ---- GROUP

void group_body(const struct group *group, struct buf *out)
{
    text_encode(group_id(group), out);
    buf_be32(out, (uint32_t)group->generation);
    // Members of the consumer protocol come with their own record.
    bool is_full = group->consumer != NULL && group->consumer->count > 0;
    buf_be64(out, (uint64_t)(is_full ? INT64_MIN : group->empty_since_ms));
    text_encode(group->roster.protocol_type, out);
    text_or_null_encode(group->roster.protocol_name, out);
    text_or_null_encode(group->roster.leader, out);
    members_encode(group->roster.members, group->roster.count, out);
}

bool group_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct item_group_set set = {.group_id = text_decode(&r)};
    set.generation = reader_i32(&r);
    int64_t empty_since_ms = reader_i64(&r);
    set.protocol_type = text_decode(&r);
    set.protocol_name = text_or_null_decode(&r);
    set.leader = text_or_null_decode(&r);
    set.members = members_decode(&r, &core->scratch, &set.member_count);
    bool is_time_sound = set.member_count > 0 ? empty_since_ms == INT64_MAX : empty_since_ms <= core->time_ms;
    struct roster roster;
    if (!is_done(&r) || set.generation < 0 || !is_time_sound || core_group_find(core, set.group_id) != NULL ||
        !roster_make(&set, &roster)) {
        return false;
    }
    struct group *group = group_new(core, set.group_id);
    group->generation = set.generation;
    group->empty_since_ms = empty_since_ms;
    group_roster_take(core, group, &roster);
    return true;
}

// ---- CONSUMER: what makes a group one of the consumer protocol

void consumer_body(const struct group *group, struct buf *out)
{
    const struct consumer_roster *roster = group->consumer;
    text_encode(group_id(group), out);
    buf_be64(out, roster->revision);
    blob_encode(roster->state, out);
    buf_be32(out, roster->count);
    for (uint32_t i = 0; i < roster->count; i++) {
        consumer_member_encode(&roster->entries[i]->member, out);
    }
}

bool consumer_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct group *group = core_group_find(core, text_decode(&r));
    uint64_t revision = (uint64_t)reader_i64(&r);
    struct bytes state = blob_decode(&r);
    uint32_t count = 0;
    const struct item_consumer_member *members = consumer_members_decode(&r, &core->scratch, &count);
    if (!is_done(&r) || group == NULL || group->consumer != NULL || group->roster.count > 0 ||
        revision == 0) {
        return false;
    }
    group->consumer = consumer_roster_new(core, state, revision);
    for (uint32_t i = 0; i < count; i++) {
        bool is_rising = i == 0 || str_compare(members[i - 1].member_id, members[i].member_id) < 0;
        if (!is_rising || members[i].member_id.len == 0 || members[i].parts != CONSUMER_PARTS) {
            return false;
        }
        consumer_entry_set(core, group->consumer, &members[i]);
    }
    group->empty_since_ms = count > 0 ? INT64_MAX : group->empty_since_ms;
    return true;
}

// ---- OFFSETS

void offset_page_body(const struct offset_page *page, struct buf *out)
{
    text_encode(group_id(page->group), out);
    buf_uuid(out, page->topic->id);
    buf_be32(out, (uint32_t)page->number);
    buf_be16(out, page->count);
    for (uint16_t i = 0; i < page->count; i++) {
        const struct offset_entry *entry = &page->entries[i];
        buf_u8(out, entry->index);
        buf_be64(out, (uint64_t)entry->offset);
        buf_be32(out, (uint32_t)entry->leader_epoch);
        buf_be64(out, (uint64_t)entry->commit_ms);
        buf_be64(out, (uint64_t)entry->retention_ms);
        text_encode((struct str){entry->metadata, entry->metadata_len}, out);
    }
}

// entries_load reads the rising list of one page.
static bool entries_load(struct core *core, struct offset_page *page, struct reader *r)
{
    int count = (uint16_t)reader_i16(r);
    int before = -1;
    for (int i = 0; !r->failed && i < count; i++) {
        struct offset_entry entry = {.index = (uint8_t)reader_i8(r)};
        entry.offset = reader_i64(r);
        entry.leader_epoch = reader_i32(r);
        entry.commit_ms = reader_i64(r);
        entry.retention_ms = reader_i64(r);
        struct str metadata = text_decode(r);
        int64_t partition = (int64_t)page->number * OFFSET_PAGE_PARTITIONS + entry.index;
        if (r->failed || entry.index <= before || partition >= page->topic->partition_count ||
            entry.commit_ms > core->time_ms || entry.retention_ms < -1) {
            return false;
        }
        offset_entry_set(core, page, &entry, metadata);
        before = entry.index;
    }
    return is_done(r) && count > 0;
}

bool offset_page_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct group *group = core_group_find(core, text_decode(&r));
    struct topic *topic = core_topic_find_id(core, reader_uuid(&r));
    int32_t number = reader_i32(&r);
    if (r.failed || group == NULL || topic == NULL || number < 0 ||
        offset_page_find(group, topic, number) != NULL) {
        return false;
    }
    return entries_load(core, offset_page_new(core, group, topic, number), &r);
}

// ---- QUOTA: the body of a QUOTA_SET, with the revision that the entity has

void quota_body(const struct quota *quota, struct buf *out)
{
    const struct quota_view *view = &quota->view;
    struct item_quota_set set = {
        .parts = (struct item_quota_part *)view->parts,
        .part_count = view->part_count,
        .expected_revision = view->revision,
        .values = (struct item_quota_value *)view->values,
        .value_count = view->value_count,
    };
    quota_set_encode(&set, out);
}

bool quota_load(struct core *core, struct bytes body)
{
    struct reader r = reader_init(body);
    struct item_quota_set set = {0};
    quota_set_decode(&r, &core->scratch, &set);
    if (!is_done(&r) || !quota_set_is_sound(&set) || set.value_count == 0 || set.expected_revision == 0) {
        return false;
    }
    quota_append(core, quota_new(core, &set, set.expected_revision));
    return true;
}
