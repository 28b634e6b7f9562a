// SPDX-License-Identifier: Apache-2.0
// room.c - what stays in memory is refused before it takes the room of what travels (base/mem.h). What only
// changes what is there, ends it or takes it away is not: groups go on committing, transactions end, and
// whoever is told to delete can. Of records only those of a new producer are refused, as it is remembered:
// extents are merged and expire. What a group's coordinator writes is not: it is bounded before.
#include "base/mem.h"
#include "broker/broker_private.h"

enum { VALUE_GROWTH_MAX = 64 }; // bytes: a note on a document that is there, such as that it is deleted

static bool has_room(const struct broker *b)
{
    size_t cap = mem_cap_bytes();
    return cap == 0 || mem_used_bytes() <= pool_used_bytes(b->pool) + cap / 100 * MEM_SHARE_STATE;
}

static bool commit_grows(const struct core *core, const struct item_offset_commit *commit)
{
    const struct group *group = core_group_find(core, commit->group_id);
    for (uint32_t i = 0; i < commit->offset_count; i++) {
        const struct item_offset *offset = &commit->offsets[i];
        const struct topic *topic = core_topic_find_id(core, offset->topic_id);
        struct offset_view now;
        if (topic == NULL) {
            continue; // is skipped
        }
        if (group == NULL || !group_offset_find(group, topic, offset->partition, &now) ||
            offset->metadata.len > now.metadata.len) {
            return true;
        }
    }
    return false;
}

static bool documents_grow(const struct core *core, const struct item_documents *item)
{
    for (uint32_t i = 0; i < item->document_count; i++) {
        const struct item_document *d = &item->documents[i];
        if (d->op == DOCUMENT_REMOVE) {
            continue;
        }
        const struct document *now = core_document_find(core, d->key);
        bool has_counter = d->number_op != NUMBER_NEXT || core_document_find(core, d->counter) != NULL;
        if (now == NULL || !has_counter || d->value.len > document_value(now).len + VALUE_GROWTH_MAX) {
            return true;
        }
    }
    return false;
}

static enum err travel_check(void)
{
    return mem_has_room(MEM_SHARE_TRAVEL, 0) ? ERR_OK : ERR_COORDINATOR_NOT_AVAILABLE;
}

// Clients of groups and of transactions try again, administrators are told.
enum err room_check(const struct broker *b, const struct item *item)
{
    if (has_room(b)) {
        return ERR_OK;
    }
    const struct core *core = b->core;
    switch (item->kind) {
    case ITEM_DATA:
        return item->data.producer_id < 0 || core_producer_is_known(core, &item->data) ? ERR_OK : ERR_STORAGE;
    case ITEM_TOPIC_CREATE:
    case ITEM_PARTITIONS_ADD:
        return ERR_POLICY_VIOLATION;
    case ITEM_QUOTA_SET:
        return item->quota_set.value_count > 0 ? ERR_POLICY_VIOLATION : ERR_OK;
    case ITEM_DOCUMENTS:
        return documents_grow(core, &item->documents) ? ERR_POLICY_VIOLATION : ERR_OK;
    case ITEM_OFFSET_COMMIT:
        return commit_grows(core, &item->offset_commit) ? ERR_COORDINATOR_NOT_AVAILABLE : ERR_OK;
    case ITEM_TXN_INIT:
        return core_txn_find(core, item->txn_init.txn_id) == NULL ? ERR_COORDINATOR_NOT_AVAILABLE : ERR_OK;
    case ITEM_PRODUCER_ID:
        return ERR_COORDINATOR_NOT_AVAILABLE;
    case ITEM_TXN_OFFSETS:
        if (commit_grows(core, &item->txn_offsets.commit)) {
            return ERR_COORDINATOR_NOT_AVAILABLE;
        }
        return travel_check();
    case ITEM_TXN_ADD: // goes with the transaction, and so travels
        return travel_check();
    default:
        return ERR_OK;
    }
}
