// SPDX-License-Identifier: Apache-2.0
// item_group.c - bodies of the items of groups, offsets and quotas. A count is checked against what the bytes
// left can hold before anything is allocated for it.
#include "core/core_private.h"

enum {
    TEXT_NULL = 0xffff,
    MEMBER_SIZE_MIN = 4 * 2 + 2 * 4 + 2 * 4,
    OFFSET_SIZE_MIN = 16 + 4 + 8 + 4 + 8 + 2,
    OFFSET_NAME_SIZE = 16 + 4,
    QUOTA_PART_SIZE_MIN = 1 + 2,
    QUOTA_VALUE_SIZE_MIN = 2 + 8,
    CONSUMER_MEMBER_SIZE_MIN = 2 + 1,
    TEXT_SIZE_MIN = 2,
};

// ---- shared with the snapshot

void text_encode(struct str text, struct buf *out)
{
    if (text.len > ITEM_TEXT_MAX) {
        out->failed = true;
        return;
    }
    buf_be16(out, (uint16_t)text.len);
    buf_append_str(out, text);
}

void text_or_null_encode(struct str text, struct buf *out)
{
    if (text.ptr == NULL) {
        buf_be16(out, TEXT_NULL);
    } else {
        text_encode(text, out);
    }
}

static struct str text_take(struct reader *r, size_t len)
{
    r->failed = r->failed || len > ITEM_TEXT_MAX;
    const uint8_t *p = reader_take(r, len);
    return r->failed ? (struct str){"", 0} : (struct str){(const char *)p, len};
}

struct str text_decode(struct reader *r)
{
    return text_take(r, (uint16_t)reader_i16(r));
}

struct str text_or_null_decode(struct reader *r)
{
    size_t len = (uint16_t)reader_i16(r);
    return len == TEXT_NULL ? (struct str){NULL, 0} : text_take(r, len);
}

bool count_is_possible(struct reader *r, uint32_t count, uint32_t max, size_t size_min)
{
    r->failed = r->failed || count > max || count > reader_left(r) / size_min;
    return !r->failed;
}

void blob_encode(struct bytes blob, struct buf *out)
{
    if (blob.len > ITEM_GROUP_BYTES_MAX) {
        out->failed = true;
        return;
    }
    buf_be32(out, (uint32_t)blob.len);
    buf_append(out, blob.ptr, blob.len);
}

struct bytes blob_decode(struct reader *r)
{
    uint32_t len = reader_u32(r);
    r->failed = r->failed || len > ITEM_GROUP_BYTES_MAX;
    return bytes_of(reader_take(r, len), r->failed ? 0 : len);
}

void members_encode(const struct item_member *members, uint32_t count, struct buf *out)
{
    if (count > ITEM_GROUP_MEMBERS_MAX) {
        out->failed = true;
        return;
    }
    buf_be32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct item_member *member = &members[i];
        text_encode(member->member_id, out);
        text_or_null_encode(member->instance_id, out);
        text_encode(member->client_id, out);
        text_encode(member->client_host, out);
        buf_be32(out, (uint32_t)member->session_timeout_ms);
        buf_be32(out, (uint32_t)member->rebalance_timeout_ms);
        blob_encode(member->subscription, out);
        blob_encode(member->assignment, out);
    }
}

struct item_member *members_decode(struct reader *r, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = reader_u32(r);
    if (!count_is_possible(r, count, ITEM_GROUP_MEMBERS_MAX, MEMBER_SIZE_MIN)) {
        return NULL;
    }
    struct item_member *members = arena_new(arena, struct item_member, count);
    r->failed = members == NULL;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        struct item_member *member = &members[i];
        member->member_id = text_decode(r);
        member->instance_id = text_or_null_decode(r);
        member->client_id = text_decode(r);
        member->client_host = text_decode(r);
        member->session_timeout_ms = reader_i32(r);
        member->rebalance_timeout_ms = reader_i32(r);
        member->subscription = blob_decode(r);
        member->assignment = blob_decode(r);
    }
    *ret_count = count;
    return members;
}

// ---- groups

void group_set_encode(const struct item_group_set *item, struct buf *out)
{
    text_encode(item->group_id, out);
    buf_be32(out, (uint32_t)item->expected_generation);
    buf_be32(out, (uint32_t)item->generation);
    text_encode(item->protocol_type, out);
    text_or_null_encode(item->protocol_name, out);
    text_or_null_encode(item->leader, out);
    members_encode(item->members, item->member_count, out);
}

void group_set_decode(struct reader *r, struct arena *arena, struct item_group_set *ret)
{
    ret->group_id = text_decode(r);
    ret->expected_generation = reader_i32(r);
    ret->generation = reader_i32(r);
    ret->protocol_type = text_decode(r);
    ret->protocol_name = text_or_null_decode(r);
    ret->leader = text_or_null_decode(r);
    ret->members = members_decode(r, arena, &ret->member_count);
}

void group_delete_encode(const struct item_group_delete *item, struct buf *out)
{
    text_encode(item->group_id, out);
    buf_u8(out, item->must_be_bare);
}

void group_delete_decode(struct reader *r, struct item_group_delete *ret)
{
    ret->group_id = text_decode(r);
    uint8_t flag = (uint8_t)reader_i8(r);
    r->failed = r->failed || flag > 1;
    ret->must_be_bare = flag == 1;
}

// ---- groups of the consumer protocol

void consumer_member_encode(const struct item_consumer_member *member, struct buf *out)
{
    text_encode(member->member_id, out);
    buf_u8(out, member->parts);
    if ((member->parts & CONSUMER_METADATA) != 0) {
        blob_encode(member->metadata, out);
    }
    if ((member->parts & CONSUMER_TARGET) != 0) {
        blob_encode(member->target, out);
    }
    if ((member->parts & CONSUMER_CURRENT) != 0) {
        buf_be32(out, (uint32_t)member->epoch);
        blob_encode(member->current, out);
    }
}

static void consumer_member_decode(struct reader *r, struct item_consumer_member *ret)
{
    ret->member_id = text_decode(r);
    ret->parts = (uint8_t)reader_i8(r);
    r->failed = r->failed || (ret->parts & ~CONSUMER_PARTS) != 0;
    if ((ret->parts & CONSUMER_METADATA) != 0) {
        ret->metadata = blob_decode(r);
    }
    if ((ret->parts & CONSUMER_TARGET) != 0) {
        ret->target = blob_decode(r);
    }
    if ((ret->parts & CONSUMER_CURRENT) != 0) {
        ret->epoch = reader_i32(r);
        ret->current = blob_decode(r);
    }
}

struct item_consumer_member *consumer_members_decode(struct reader *r, struct arena *arena,
                                                     uint32_t *ret_count)
{
    uint32_t count = reader_u32(r);
    if (!count_is_possible(r, count, ITEM_GROUP_MEMBERS_MAX, CONSUMER_MEMBER_SIZE_MIN)) {
        return NULL;
    }
    struct item_consumer_member *members = arena_new(arena, struct item_consumer_member, count);
    r->failed = members == NULL;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        members[i] = (struct item_consumer_member){0};
        consumer_member_decode(r, &members[i]);
    }
    *ret_count = count;
    return members;
}

static void gone_encode(const struct str *gone, uint32_t count, struct buf *out)
{
    out->failed = out->failed || count > ITEM_GROUP_MEMBERS_MAX;
    buf_be32(out, count);
    for (uint32_t i = 0; !out->failed && i < count; i++) {
        text_encode(gone[i], out);
    }
}

static struct str *gone_decode(struct reader *r, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = reader_u32(r);
    if (!count_is_possible(r, count, ITEM_GROUP_MEMBERS_MAX, TEXT_SIZE_MIN)) {
        return NULL;
    }
    struct str *gone = arena_new(arena, struct str, count);
    r->failed = gone == NULL;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        gone[i] = text_decode(r);
    }
    *ret_count = count;
    return gone;
}

void consumer_set_encode(const struct item_consumer_set *item, struct buf *out)
{
    text_encode(item->group_id, out);
    buf_be32(out, (uint32_t)item->expected_generation);
    buf_be64(out, item->expected_revision);
    buf_be32(out, (uint32_t)item->generation);
    blob_encode(item->state, out);
    gone_encode(item->gone, item->gone_count, out);
    out->failed = out->failed || item->member_count > ITEM_GROUP_MEMBERS_MAX;
    buf_be32(out, item->member_count);
    for (uint32_t i = 0; !out->failed && i < item->member_count; i++) {
        consumer_member_encode(&item->members[i], out);
    }
}

void consumer_set_decode(struct reader *r, struct arena *arena, struct item_consumer_set *ret)
{
    ret->group_id = text_decode(r);
    ret->expected_generation = reader_i32(r);
    ret->expected_revision = (uint64_t)reader_i64(r);
    ret->generation = reader_i32(r);
    ret->state = blob_decode(r);
    ret->gone = gone_decode(r, arena, &ret->gone_count);
    ret->members = consumer_members_decode(r, arena, &ret->member_count);
}

// ---- offsets

void offset_commit_encode(const struct item_offset_commit *item, struct buf *out)
{
    if (item->offset_count > ITEM_OFFSET_ENTRIES_MAX) {
        out->failed = true;
        return;
    }
    text_encode(item->group_id, out);
    buf_be32(out, (uint32_t)item->generation);
    text_encode(item->member_id, out);
    buf_be32(out, item->offset_count);
    for (uint32_t i = 0; i < item->offset_count; i++) {
        const struct item_offset *offset = &item->offsets[i];
        buf_uuid(out, offset->topic_id);
        buf_be32(out, (uint32_t)offset->partition);
        buf_be64(out, (uint64_t)offset->offset);
        buf_be32(out, (uint32_t)offset->leader_epoch);
        buf_be64(out, (uint64_t)offset->retention_ms);
        text_encode(offset->metadata, out);
    }
}

void offset_commit_decode(struct reader *r, struct arena *arena, struct item_offset_commit *ret)
{
    ret->group_id = text_decode(r);
    ret->generation = reader_i32(r);
    ret->member_id = text_decode(r);
    ret->offset_count = reader_u32(r);
    if (!count_is_possible(r, ret->offset_count, ITEM_OFFSET_ENTRIES_MAX, OFFSET_SIZE_MIN)) {
        return;
    }
    ret->offsets = arena_new(arena, struct item_offset, ret->offset_count);
    r->failed = ret->offsets == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->offset_count; i++) {
        struct item_offset *offset = &ret->offsets[i];
        offset->topic_id = reader_uuid(r);
        offset->partition = reader_i32(r);
        offset->offset = reader_i64(r);
        offset->leader_epoch = reader_i32(r);
        offset->retention_ms = reader_i64(r);
        offset->metadata = text_decode(r);
    }
}

void offset_delete_encode(const struct item_offset_delete *item, struct buf *out)
{
    if (item->name_count > ITEM_OFFSET_ENTRIES_MAX) {
        out->failed = true;
        return;
    }
    text_encode(item->group_id, out);
    buf_be32(out, (uint32_t)item->expected_generation);
    buf_be64(out, (uint64_t)item->cutoff_ms);
    buf_be32(out, item->name_count);
    for (uint32_t i = 0; i < item->name_count; i++) {
        buf_uuid(out, item->names[i].topic_id);
        buf_be32(out, (uint32_t)item->names[i].partition);
    }
}

void offset_delete_decode(struct reader *r, struct arena *arena, struct item_offset_delete *ret)
{
    ret->group_id = text_decode(r);
    ret->expected_generation = reader_i32(r);
    ret->cutoff_ms = reader_i64(r);
    ret->name_count = reader_u32(r);
    if (!count_is_possible(r, ret->name_count, ITEM_OFFSET_ENTRIES_MAX, OFFSET_NAME_SIZE)) {
        return;
    }
    ret->names = arena_new(arena, struct item_offset_name, ret->name_count);
    r->failed = ret->names == NULL;
    for (uint32_t i = 0; !r->failed && i < ret->name_count; i++) {
        ret->names[i].topic_id = reader_uuid(r);
        ret->names[i].partition = reader_i32(r);
    }
}

// ---- quotas

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool is_nan(uint64_t bits)
{
    return (bits & (UINT64_MAX >> 1)) > 0x7ff0000000000000;
}

static void quota_parts_encode(const struct item_quota_part *parts, uint32_t count, struct buf *out)
{
    out->failed = out->failed || count > ITEM_QUOTA_PARTS_MAX;
    buf_u8(out, (uint8_t)count);
    for (uint32_t i = 0; !out->failed && i < count; i++) {
        buf_u8(out, (uint8_t)parts[i].type);
        text_or_null_encode(parts[i].name, out);
    }
}

static struct item_quota_part *quota_parts_decode(struct reader *r, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = (uint8_t)reader_i8(r);
    if (!count_is_possible(r, count, ITEM_QUOTA_PARTS_MAX, QUOTA_PART_SIZE_MIN)) {
        return NULL;
    }
    struct item_quota_part *parts = arena_new(arena, struct item_quota_part, count);
    r->failed = parts == NULL;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        uint8_t type = (uint8_t)reader_i8(r);
        r->failed = r->failed || type > QUOTA_IP;
        parts[i].type = (enum quota_part_type)type;
        parts[i].name = text_or_null_decode(r);
    }
    *ret_count = count;
    return parts;
}

static void quota_values_encode(const struct item_quota_value *values, uint32_t count, struct buf *out)
{
    out->failed = out->failed || count > ITEM_QUOTA_VALUES_MAX;
    buf_u8(out, (uint8_t)count);
    for (uint32_t i = 0; !out->failed && i < count; i++) {
        uint64_t bits = double_bits(values[i].value);
        out->failed = is_nan(bits);
        text_encode(values[i].key, out);
        buf_be64(out, bits);
    }
}

static struct item_quota_value *quota_values_decode(struct reader *r, struct arena *arena,
                                                    uint32_t *ret_count)
{
    uint32_t count = (uint8_t)reader_i8(r);
    if (!count_is_possible(r, count, ITEM_QUOTA_VALUES_MAX, QUOTA_VALUE_SIZE_MIN)) {
        return NULL;
    }
    struct item_quota_value *values = arena_new(arena, struct item_quota_value, count);
    r->failed = values == NULL;
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        values[i].key = text_decode(r);
        uint64_t bits = (uint64_t)reader_i64(r);
        r->failed = r->failed || is_nan(bits);
        memcpy(&values[i].value, &bits, sizeof bits);
    }
    *ret_count = count;
    return values;
}

void quota_set_encode(const struct item_quota_set *item, struct buf *out)
{
    quota_parts_encode(item->parts, item->part_count, out);
    buf_be64(out, item->expected_revision);
    quota_values_encode(item->values, item->value_count, out);
}

void quota_set_decode(struct reader *r, struct arena *arena, struct item_quota_set *ret)
{
    ret->parts = quota_parts_decode(r, arena, &ret->part_count);
    ret->expected_revision = (uint64_t)reader_i64(r);
    ret->values = quota_values_decode(r, arena, &ret->value_count);
}
