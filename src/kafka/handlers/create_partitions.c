// SPDX-License-Identifier: Apache-2.0
// CreatePartitions (key 37): topics grow, never shrink. KIP-195.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"

enum { STRICT_VERSION_MIN = 3 }; // KIP-599

static enum err plan_grow(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct create_partitions_request *in = set->rq->in;
    const struct create_partitions_request_topic *topic = &in->topics[index];
    enum err err = broker_plan_partitions(set->rq->broker, topic->name, topic->count, ret_item, e);
    if (err != ERR_OK || topic->assignments_count < 0) {
        return err;
    }
    int32_t added = topic->count - ret_item->partitions_add.expected_count;
    if (topic->assignments_count != added) {
        return FAIL(e, ERR_INVALID_REPLICA_ASSIGNMENT,
                    "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.",
                    added, topic->assignments_count);
    }
    return ERR_OK;
}

static void on_grown(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct create_partitions_request *in = rq->in;
    struct create_partitions_response *out = rq->out;
    out->results = wire_array(&rq->arena, create_partitions_response_result, set->count);
    out->results_count = out->results == NULL ? 0 : (int32_t)set->count;
    for (int32_t i = 0; i < out->results_count; i++) {
        out->results[i].name = in->topics[i].name;
        out->results[i].error = set->entries[i].err;
        out->results[i].error_message = set->entries[i].text;
    }
    request_reply(rq); // closes if the arena failed
}

static void create_partitions_handle(struct request *rq)
{
    const struct create_partitions_request *in = rq->in;
    uint32_t count = (uint32_t)in->topics_count;
    struct str *names = request_new(rq, struct str, (size_t)count + 1);
    if (names == NULL) {
        request_out_of_memory(rq);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        names[i] = in->topics[i].name;
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL || !change_set_refuse_repeated(set, names, STR("Duplicate topic name."))) {
        return;
    }
    set->is_validate_only = in->validate_only;
    set->plan = plan_grow;
    set->done = on_grown;
    set->strict_since = STRICT_VERSION_MIN;
    change_set_start(set);
}

const struct api_handler create_partitions_handler = {.key = API_CREATE_PARTITIONS,
                                                      .handle = create_partitions_handle};
