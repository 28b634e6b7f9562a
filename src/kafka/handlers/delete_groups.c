// SPDX-License-Identifier: Apache-2.0
// DeleteGroups (key 42): groups without members go, with their offsets. KIP-229.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"

#include <stdlib.h>

static int name_order(const void *left, const void *right)
{
    return str_compare(*(const struct str *)left, *(const struct str *)right);
}

static enum err plan_delete(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct str *names = set->state;
    return broker_plan_group_delete(set->rq->broker, names[index], ret_item, e);
}

static void on_deleted(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct str *names = set->state;
    struct delete_groups_response *out = rq->out;
    out->results = wire_array(&rq->arena, delete_groups_response_result, (size_t)set->count + 1);
    for (uint32_t i = 0; i < set->count && out->results != NULL; i++) {
        struct delete_groups_response_result *result = &out->results[out->results_count++];
        result->group_id = names[i];
        result->error = set->entries[i].err;
    }
    request_reply(rq); // closes if the arena failed
}

// A group that is named twice is deleted, and answered, once.
static void delete_groups_handle(struct request *rq)
{
    const struct delete_groups_request *in = rq->in;
    struct str *names = in->group_names;
    size_t count = (size_t)in->group_names_count;
    size_t distinct = 0;
    if (count > 1) {
        qsort(names, count, sizeof *names, name_order);
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !str_equal(names[i], names[distinct - 1])) {
            names[distinct++] = names[i];
        }
    }
    struct change_set *set = change_set_create(rq, (uint32_t)distinct);
    if (set == NULL) {
        return;
    }
    set->state = names;
    set->plan = plan_delete;
    set->done = on_deleted;
    change_set_start(set);
}

const struct api_handler delete_groups_handler = {.key = API_DELETE_GROUPS, .handle = delete_groups_handle};
