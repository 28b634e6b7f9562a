// SPDX-License-Identifier: Apache-2.0
// AlterClientQuotas (key 49): set and remove the quotas of users, client ids and addresses. KIP-546, KIP-612.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"
#include "kafka/handlers/quota_entity.h"

#include <stdlib.h>

static int part_order(const void *a, const void *b)
{
    return (int)((const struct item_quota_part *)a)->type - (int)((const struct item_quota_part *)b)->type;
}

static enum err plan_entry(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct alter_client_quotas_request *in = set->rq->in;
    const struct alter_client_quotas_request_entry *entry = &in->entries[index];
    struct item_quota_part *parts =
        request_new(set->rq, struct item_quota_part, (size_t)entry->entity_count + 1);
    struct quota_change *changes = request_new(set->rq, struct quota_change, (size_t)entry->ops_count + 1);
    if (parts == NULL || changes == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "no memory to plan quotas"); // the answer closes: the arena failed
    }
    if (entry->entity_count > QUOTA_ENTITY_PARTS_MAX) {
        return FAIL(e, ERR_INVALID_REQUEST, "Entity types cannot appear more than once");
    }
    for (int32_t i = 0; i < entry->entity_count; i++) {
        if (!quota_entity_type(entry->entity[i].entity_type, &parts[i].type)) {
            return FAIL(e, ERR_INVALID_REQUEST, "Unhandled client quota entity type: " STR_FMT,
                        STR_ARG(entry->entity[i].entity_type));
        }
        parts[i].name = entry->entity[i].entity_name;
    }
    qsort(parts, (size_t)entry->entity_count, sizeof *parts, part_order);
    for (int32_t i = 0; i < entry->ops_count; i++) {
        changes[i] = (struct quota_change){entry->ops[i].key, entry->ops[i].value, entry->ops[i].remove};
    }
    return broker_plan_quotas(set->rq->broker, parts, (uint32_t)entry->entity_count, changes,
                              (uint32_t)entry->ops_count, &set->rq->arena, ret_item, e);
}

static void on_altered(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct alter_client_quotas_request *in = rq->in;
    struct alter_client_quotas_response *out = rq->out;
    out->entries = wire_array(&rq->arena, alter_client_quotas_response_entry, set->count);
    out->entries_count = out->entries == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->entries_count; i++) {
        const struct alter_client_quotas_request_entry *asked = &in->entries[i];
        struct alter_client_quotas_response_entry *entry = &out->entries[i];
        entry->error = set->entries[i].err;
        entry->error_message = set->entries[i].text;
        entry->entity =
            wire_array(&rq->arena, alter_client_quotas_response_entity_part, (size_t)asked->entity_count + 1);
        entry->entity_count = entry->entity == NULL ? 0 : asked->entity_count;
        for (int32_t p = 0; p < entry->entity_count; p++) {
            entry->entity[p].entity_type = asked->entity[p].entity_type;
            entry->entity[p].entity_name = asked->entity[p].entity_name;
        }
    }
    request_reply(rq); // closes if the arena failed
}

// The name of an entity for comparing: its parts in the order of their types.
static struct str entity_key(struct request *rq, const struct alter_client_quotas_request_entry *entry)
{
    struct str key = {"", 0};
    for (enum quota_part_type type = QUOTA_USER; type <= QUOTA_IP; type++) {
        for (int32_t i = 0; i < entry->entity_count && i < QUOTA_ENTITY_PARTS_MAX; i++) {
            enum quota_part_type found;
            struct str name = entry->entity[i].entity_name;
            if (quota_entity_type(entry->entity[i].entity_type, &found) && found == type) {
                key = arena_printf(&rq->arena, STR_FMT " %d %d %zu:" STR_FMT, STR_ARG(key), (int)type,
                                   name.ptr == NULL, name.len, STR_ARG(name));
            }
        }
    }
    return key;
}

static void alter_client_quotas_handle(struct request *rq)
{
    const struct alter_client_quotas_request *in = rq->in;
    uint32_t count = (uint32_t)in->entries_count;
    struct str *keys = request_new(rq, struct str, (size_t)count + 1);
    if (keys == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = entity_key(rq, &in->entries[i]);
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL || !change_set_refuse_repeated(set, keys, STR("Ignoring duplicate entity."))) {
        return;
    }
    set->is_validate_only = in->validate_only;
    set->plan = plan_entry;
    set->done = on_altered;
    change_set_start(set);
}

const struct api_handler alter_client_quotas_handler = {.key = API_ALTER_CLIENT_QUOTAS,
                                                        .handle = alter_client_quotas_handle};
