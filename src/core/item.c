// SPDX-License-Identifier: Apache-2.0
#include "core/item.h"

#include "core/core_private.h"

enum {
    FRAME_HEAD_SIZE = 6,     // kind, version, depends_on
    CONFIG_SIZE_MIN = 2 + 4, // an empty key and an empty value
    EXTENT_NAME_SIZE = 32,
    EXTENT_SIZE = EXTENT_NAME_SIZE + 24,
    ITEM_VERSION = 1,      // of every kind, ...
    ITEM_DATA_VERSION = 3, // ... but two, of which all are read
    ITEM_DOCUMENTS_VERSION = 2,
};

// ---- shared with the snapshot

void name_encode(struct str name, struct buf *out)
{
    if (name.len > ITEM_NAME_MAX) {
        out->failed = true;
        return;
    }
    buf_be16(out, (uint16_t)name.len);
    buf_append_str(out, name);
}

struct str name_decode(struct reader *r)
{
    size_t len = (uint16_t)reader_i16(r);
    if (len > ITEM_NAME_MAX) {
        r->failed = true;
    }
    const uint8_t *p = reader_take(r, len);
    return r->failed ? (struct str){"", 0} : (struct str){(const char *)p, len};
}

void configs_encode(const struct item_config *configs, uint32_t count, struct buf *out)
{
    if (count > ITEM_CONFIGS_MAX) {
        out->failed = true;
        return;
    }
    buf_be16(out, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        name_encode(configs[i].key, out);
        if (configs[i].value.len > ITEM_CONFIG_VALUE_MAX) {
            out->failed = true;
            return;
        }
        buf_be32(out, (uint32_t)configs[i].value.len);
        buf_append_str(out, configs[i].value);
    }
}

struct item_config *configs_decode(struct reader *r, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = (uint16_t)reader_i16(r);
    if (count > ITEM_CONFIGS_MAX || count > reader_left(r) / CONFIG_SIZE_MIN) {
        r->failed = true;
        return NULL;
    }
    struct item_config *configs = arena_new(arena, struct item_config, count);
    if (configs == NULL) {
        r->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        configs[i].key = name_decode(r);
        uint32_t len = reader_u32(r);
        if (len > ITEM_CONFIG_VALUE_MAX) {
            r->failed = true;
        }
        const uint8_t *value = reader_take(r, len);
        configs[i].value = r->failed ? (struct str){"", 0} : (struct str){(const char *)value, len};
    }
    *ret_count = count;
    return configs;
}

static void extent_name_encode(const struct extent *extent, struct buf *out)
{
    buf_be64(out, (uint64_t)extent->base_offset);
    buf_be64(out, (uint64_t)extent->end_offset);
    buf_be64(out, extent->object);
    buf_be64(out, (uint64_t)extent->position);
}

static void extent_name_decode(struct reader *r, struct extent *ret)
{
    ret->base_offset = reader_i64(r);
    ret->end_offset = reader_i64(r);
    ret->object = (uint64_t)reader_i64(r);
    ret->position = reader_i64(r);
}

void extent_encode(const struct extent *extent, struct buf *out)
{
    extent_name_encode(extent, out);
    buf_be32(out, extent->length);
    buf_be32(out, extent->record_count);
    buf_be64(out, (uint64_t)extent->max_timestamp);
    buf_be32(out, (uint32_t)extent->leader_epoch);
    buf_be32(out, extent->flags);
}

void extent_decode(struct reader *r, struct extent *ret)
{
    extent_name_decode(r, ret);
    ret->length = reader_u32(r);
    ret->record_count = reader_u32(r);
    ret->max_timestamp = reader_i64(r);
    ret->leader_epoch = reader_i32(r);
    ret->flags = reader_u32(r);
}

// ---- bodies

static void replace_encode(const struct item_replace *replace, struct buf *out)
{
    if (replace->old_count > ITEM_REPLACE_EXTENTS_MAX || replace->fresh_count > ITEM_REPLACE_EXTENTS_MAX) {
        out->failed = true;
        return;
    }
    buf_uuid(out, replace->topic_id);
    buf_be32(out, (uint32_t)replace->partition);
    buf_be16(out, (uint16_t)replace->old_count);
    for (uint32_t i = 0; i < replace->old_count; i++) {
        extent_name_encode(&replace->old_extents[i], out);
    }
    buf_be16(out, (uint16_t)replace->fresh_count);
    for (uint32_t i = 0; i < replace->fresh_count; i++) {
        extent_encode(&replace->fresh_extents[i], out);
    }
}

// extents_room allocates for a count that the bytes left can hold.
static struct extent *extents_room(struct reader *r, struct arena *arena, uint32_t count, size_t size)
{
    if (r->failed || count > ITEM_REPLACE_EXTENTS_MAX || count > reader_left(r) / size) {
        r->failed = true;
        return NULL;
    }
    struct extent *extents = arena_new(arena, struct extent, count);
    r->failed = extents == NULL;
    return extents;
}

static void replace_decode(struct reader *r, struct arena *arena, struct item_replace *ret)
{
    ret->topic_id = reader_uuid(r);
    ret->partition = reader_i32(r);
    uint32_t count = (uint16_t)reader_i16(r);
    ret->old_extents = extents_room(r, arena, count, EXTENT_NAME_SIZE);
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        extent_name_decode(r, &ret->old_extents[i]);
    }
    ret->old_count = count;
    count = (uint16_t)reader_i16(r);
    ret->fresh_extents = extents_room(r, arena, count, EXTENT_SIZE);
    for (uint32_t i = 0; !r->failed && i < count; i++) {
        extent_decode(r, &ret->fresh_extents[i]);
    }
    ret->fresh_count = count;
}

// ---- the frame

static void body_encode(const struct item *item, struct buf *out)
{
    switch (item->kind) {
    case ITEM_DATA:
        data_encode(&item->data, item->version, out);
        return;
    case ITEM_TOPIC_CREATE:
        buf_uuid(out, item->topic_create.topic_id);
        name_encode(item->topic_create.name, out);
        buf_be32(out, (uint32_t)item->topic_create.partition_count);
        configs_encode(item->topic_create.configs, item->topic_create.config_count, out);
        return;
    case ITEM_TOPIC_DELETE:
        buf_uuid(out, item->topic_delete.topic_id);
        return;
    case ITEM_PARTITIONS_ADD:
        buf_uuid(out, item->partitions_add.topic_id);
        buf_be32(out, (uint32_t)item->partitions_add.expected_count);
        buf_be32(out, (uint32_t)item->partitions_add.partition_count);
        return;
    case ITEM_CONFIG_SET:
        buf_uuid(out, item->config_set.topic_id);
        buf_be64(out, item->config_set.expected_revision);
        configs_encode(item->config_set.configs, item->config_set.config_count, out);
        return;
    case ITEM_TRIM:
        buf_uuid(out, item->trim.topic_id);
        buf_be32(out, (uint32_t)item->trim.partition);
        buf_be64(out, (uint64_t)item->trim.log_start_offset);
        return;
    case ITEM_REPLACE:
        replace_encode(&item->replace, out);
        return;
    case ITEM_GROUP_SET:
        group_set_encode(&item->group_set, out);
        return;
    case ITEM_GROUP_DELETE:
        group_delete_encode(&item->group_delete, out);
        return;
    case ITEM_OFFSET_COMMIT:
        offset_commit_encode(&item->offset_commit, out);
        return;
    case ITEM_OFFSET_DELETE:
        offset_delete_encode(&item->offset_delete, out);
        return;
    case ITEM_QUOTA_SET:
        quota_set_encode(&item->quota_set, out);
        return;
    case ITEM_TXN_INIT:
        txn_init_encode(&item->txn_init, out);
        return;
    case ITEM_TXN_ADD:
        txn_add_encode(&item->txn_add, out);
        return;
    case ITEM_TXN_OFFSETS:
        txn_offsets_encode(&item->txn_offsets, out);
        return;
    case ITEM_TXN_END:
        txn_end_encode(&item->txn_end, out);
        return;
    case ITEM_CONSUMER_SET:
        consumer_set_encode(&item->consumer_set, out);
        return;
    case ITEM_DOCUMENTS:
        documents_encode(&item->documents, out);
        return;
    case ITEM_PRODUCER_ID:
    case ITEM_TICK:
    case ITEM_EPOCH_RAISE:
        return;
    }
    out->failed = true;
}

void item_encode(const struct item *item, struct buf *out)
{
    size_t start = out->len;
    buf_be32(out, 0);
    buf_u8(out, (uint8_t)item->kind);
    buf_u8(out, item->version == 0 ? ITEM_VERSION : item->version);
    buf_be32(out, item->depends_on);
    body_encode(item, out);
    if (!out->failed) {
        store_be32(out->ptr + start, (uint32_t)(out->len - start - 4));
    }
}

// body_decode is false for a kind that it does not know.
static bool body_decode(struct reader *r, struct arena *arena, struct item *ret)
{
    switch (ret->kind) {
    case ITEM_DATA:
        data_decode(r, arena, ret->version, &ret->data);
        return true;
    case ITEM_TOPIC_CREATE:
        ret->topic_create.topic_id = reader_uuid(r);
        ret->topic_create.name = name_decode(r);
        ret->topic_create.partition_count = reader_i32(r);
        ret->topic_create.configs = configs_decode(r, arena, &ret->topic_create.config_count);
        return true;
    case ITEM_TOPIC_DELETE:
        ret->topic_delete.topic_id = reader_uuid(r);
        return true;
    case ITEM_PARTITIONS_ADD:
        ret->partitions_add.topic_id = reader_uuid(r);
        ret->partitions_add.expected_count = reader_i32(r);
        ret->partitions_add.partition_count = reader_i32(r);
        return true;
    case ITEM_CONFIG_SET:
        ret->config_set.topic_id = reader_uuid(r);
        ret->config_set.expected_revision = (uint64_t)reader_i64(r);
        ret->config_set.configs = configs_decode(r, arena, &ret->config_set.config_count);
        return true;
    case ITEM_TRIM:
        ret->trim.topic_id = reader_uuid(r);
        ret->trim.partition = reader_i32(r);
        ret->trim.log_start_offset = reader_i64(r);
        return true;
    case ITEM_REPLACE:
        replace_decode(r, arena, &ret->replace);
        return true;
    case ITEM_GROUP_SET:
        group_set_decode(r, arena, &ret->group_set);
        return true;
    case ITEM_GROUP_DELETE:
        group_delete_decode(r, &ret->group_delete);
        return true;
    case ITEM_OFFSET_COMMIT:
        offset_commit_decode(r, arena, &ret->offset_commit);
        return true;
    case ITEM_OFFSET_DELETE:
        offset_delete_decode(r, arena, &ret->offset_delete);
        return true;
    case ITEM_QUOTA_SET:
        quota_set_decode(r, arena, &ret->quota_set);
        return true;
    case ITEM_TXN_INIT:
        txn_init_decode(r, &ret->txn_init);
        return true;
    case ITEM_TXN_ADD:
        txn_add_decode(r, arena, &ret->txn_add);
        return true;
    case ITEM_TXN_OFFSETS:
        txn_offsets_decode(r, arena, &ret->txn_offsets);
        return true;
    case ITEM_TXN_END:
        txn_end_decode(r, &ret->txn_end);
        return true;
    case ITEM_CONSUMER_SET:
        consumer_set_decode(r, arena, &ret->consumer_set);
        return true;
    case ITEM_DOCUMENTS:
        documents_decode(r, arena, &ret->documents);
        return true;
    case ITEM_PRODUCER_ID:
    case ITEM_TICK:
    case ITEM_EPOCH_RAISE:
        return true;
    }
    return false;
}

static uint8_t version_max(enum item_kind kind)
{
    return kind == ITEM_DATA        ? ITEM_DATA_VERSION
           : kind == ITEM_DOCUMENTS ? ITEM_DOCUMENTS_VERSION
                                    : ITEM_VERSION;
}

enum err item_decode(struct reader *r, struct arena *arena, struct item *ret, struct error *e)
{
    uint32_t length = reader_u32(r);
    if (r->failed || length < FRAME_HEAD_SIZE || length > reader_left(r)) {
        r->failed = true;
        return FAIL(e, ERR_CORRUPT, "item frame of %u bytes does not fit", length);
    }
    struct reader body = reader_init(bytes_of(reader_take(r, length), length));
    struct item item = {0};
    uint8_t kind = (uint8_t)reader_i8(&body);
    item.kind = (enum item_kind)kind;
    item.version = (uint8_t)reader_i8(&body);
    item.depends_on = reader_u32(&body);
    bool is_known = item.version >= ITEM_VERSION && item.version <= version_max(item.kind);
    if (!is_known || !body_decode(&body, arena, &item)) {
        r->failed = true;
        return FAIL(e, ERR_CORRUPT, "item kind %u version %u is not known here", kind, item.version);
    }
    if (body.failed || reader_left(&body) != 0) {
        r->failed = true;
        return FAIL(e, ERR_CORRUPT, "item %s does not decode in %u bytes", item_kind_name(item.kind), length);
    }
    *ret = item;
    return ERR_OK;
}
