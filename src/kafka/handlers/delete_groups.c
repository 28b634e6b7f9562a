// SPDX-License-Identifier: Apache-2.0
// DeleteGroups (key 42): groups without members go, with their offsets. KIP-229.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"

static enum err plan_delete(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct delete_groups_request *in = set->rq->in;
    return broker_plan_group_delete(set->rq->broker, in->group_names[index], ret_item, e);
}

static void on_deleted(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct delete_groups_request *in = rq->in;
    struct delete_groups_response *out = rq->out;
    out->results = wire_array(&rq->arena, delete_groups_response_result, (size_t)set->count + 1);
    for (uint32_t i = 0; i < set->count && out->results != NULL; i++) {
        struct delete_groups_response_result *result = &out->results[out->results_count++];
        result->group_id = in->group_names[i];
        result->error = set->entries[i].err;
    }
    request_reply(rq); // closes if the arena failed
}

static void delete_groups_handle(struct request *rq)
{
    const struct delete_groups_request *in = rq->in;
    struct change_set *set = change_set_create(rq, (uint32_t)in->group_names_count);
    if (set == NULL) {
        return;
    }
    set->plan = plan_delete;
    set->done = on_deleted;
    change_set_start(set);
}

const struct api_handler delete_groups_handler = {.key = API_DELETE_GROUPS, .handle = delete_groups_handle};
