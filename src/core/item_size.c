// SPDX-License-Identifier: Apache-2.0
// item_size.c - how large an item can get when encoded: for whoever gathers items into a bundle.
#include "core/core_private.h"

enum {
    FIXED_MAX = 128,      // the frame's head and the fields of a body that do not grow
    EXTENT_MAX = 64,      // one extent, named or whole
    CONFIG_FIXED_MAX = 8, // lengths
    MEMBER_FIXED_MAX = 32,
    OFFSET_FIXED_MAX = 48,
    OFFSET_NAME_MAX = 24,
    QUOTA_FIXED_MAX = 16, // a part or a value
};

static size_t configs_max(const struct item_config *configs, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += CONFIG_FIXED_MAX + configs[i].key.len + configs[i].value.len;
    }
    return size;
}

static size_t group_set_max(const struct item_group_set *item)
{
    size_t size = item->group_id.len + item->protocol_type.len + item->protocol_name.len + item->leader.len;
    for (uint32_t i = 0; i < item->member_count; i++) {
        const struct item_member *m = &item->members[i];
        size += MEMBER_FIXED_MAX + m->member_id.len + m->instance_id.len + m->client_id.len +
                m->client_host.len + m->subscription.len + m->assignment.len;
    }
    return size;
}

static size_t offset_commit_max(const struct item_offset_commit *item)
{
    size_t size = item->group_id.len + item->member_id.len;
    for (uint32_t i = 0; i < item->offset_count; i++) {
        size += OFFSET_FIXED_MAX + item->offsets[i].metadata.len;
    }
    return size;
}

static size_t quota_set_max(const struct item_quota_set *item)
{
    size_t size = 0;
    for (uint32_t i = 0; i < item->part_count; i++) {
        size += QUOTA_FIXED_MAX + item->parts[i].name.len;
    }
    for (uint32_t i = 0; i < item->value_count; i++) {
        size += QUOTA_FIXED_MAX + item->values[i].key.len;
    }
    return size;
}

static size_t txn_add_max(const struct item_txn_add *item)
{
    size_t size = item->txn_id.len + (size_t)item->partition_count * OFFSET_NAME_MAX;
    for (uint32_t i = 0; i < item->group_count; i++) {
        size += 2 + item->groups[i].len;
    }
    return size;
}

static size_t consumer_set_max(const struct item_consumer_set *item)
{
    size_t size = item->group_id.len + item->state.len;
    for (uint32_t i = 0; i < item->gone_count; i++) {
        size += CONFIG_FIXED_MAX + item->gone[i].len;
    }
    for (uint32_t i = 0; i < item->member_count; i++) {
        const struct item_consumer_member *m = &item->members[i];
        size += MEMBER_FIXED_MAX + m->member_id.len + m->metadata.len + m->target.len + m->current.len;
    }
    return size;
}

size_t item_encoded_max(const struct item *item)
{
    switch (item->kind) {
    case ITEM_TOPIC_CREATE:
        return FIXED_MAX + item->topic_create.name.len +
               configs_max(item->topic_create.configs, item->topic_create.config_count);
    case ITEM_CONFIG_SET:
        return FIXED_MAX + configs_max(item->config_set.configs, item->config_set.config_count);
    case ITEM_REPLACE:
        return FIXED_MAX + ((size_t)item->replace.old_count + item->replace.fresh_count) * EXTENT_MAX;
    case ITEM_GROUP_SET:
        return FIXED_MAX + group_set_max(&item->group_set);
    case ITEM_GROUP_DELETE:
        return FIXED_MAX + item->group_delete.group_id.len;
    case ITEM_OFFSET_COMMIT:
        return FIXED_MAX + offset_commit_max(&item->offset_commit);
    case ITEM_OFFSET_DELETE:
        return FIXED_MAX + item->offset_delete.group_id.len +
               (size_t)item->offset_delete.name_count * OFFSET_NAME_MAX;
    case ITEM_QUOTA_SET:
        return FIXED_MAX + quota_set_max(&item->quota_set);
    case ITEM_TXN_INIT:
        return FIXED_MAX + item->txn_init.txn_id.len;
    case ITEM_TXN_ADD:
        return FIXED_MAX + txn_add_max(&item->txn_add);
    case ITEM_TXN_OFFSETS:
        return FIXED_MAX + item->txn_offsets.txn_id.len + offset_commit_max(&item->txn_offsets.commit);
    case ITEM_TXN_END:
        return FIXED_MAX + item->txn_end.txn_id.len;
    case ITEM_CONSUMER_SET:
        return FIXED_MAX + consumer_set_max(&item->consumer_set);
    case ITEM_DOCUMENTS:
        return FIXED_MAX + documents_encoded_max(&item->documents);
    case ITEM_DATA:
        return FIXED_MAX + data_encoded_max(&item->data);
    case ITEM_TOPIC_DELETE:
    case ITEM_PARTITIONS_ADD:
    case ITEM_PRODUCER_ID:
    case ITEM_TRIM:
    case ITEM_TICK:
    case ITEM_EPOCH_RAISE:
        break;
    }
    return FIXED_MAX;
}
