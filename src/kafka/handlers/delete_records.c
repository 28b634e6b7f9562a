// SPDX-License-Identifier: Apache-2.0
// DeleteRecords (key 21): partitions forget everything below an offset. KIP-107.
#include "kafka/changes.h"
#include "kafka/handlers/handlers.h"

struct trim {
    struct str topic_name;
    int32_t partition;
    int64_t offset; // -1 = high watermark
};

static enum err plan_trim(struct change_set *set, uint32_t index, struct item *ret_item, struct error *e)
{
    const struct trim *trim = &((const struct trim *)set->state)[index];
    return broker_plan_trim(set->rq->broker, trim->topic_name, trim->partition, trim->offset, ret_item, e);
}

static void on_trimmed(struct change_set *set)
{
    struct request *rq = set->rq;
    const struct delete_records_request *in = rq->in;
    struct delete_records_response *out = rq->out;
    const struct change_entry *entry = set->entries;
    out->topics = wire_array(&rq->arena, delete_records_response_topic, (size_t)in->topics_count);
    out->topics_count = out->topics == NULL ? 0 : in->topics_count;
    for (int32_t t = 0; t < out->topics_count; t++) {
        int32_t count = in->topics[t].partitions_count;
        out->topics[t].name = in->topics[t].name;
        out->topics[t].partitions = wire_array(&rq->arena, delete_records_response_partition, (size_t)count);
        out->topics[t].partitions_count = out->topics[t].partitions == NULL ? 0 : count;
        for (int32_t p = 0; p < out->topics[t].partitions_count; p++, entry++) {
            struct delete_records_response_partition *partition = &out->topics[t].partitions[p];
            partition->partition_index = in->topics[t].partitions[p].partition_index;
            partition->error = entry->err;
            partition->low_watermark = entry->err == ERR_OK ? entry->outcome.log_start_offset : -1;
        }
    }
    request_reply(rq); // closes if the arena failed
}

static void delete_records_handle(struct request *rq)
{
    const struct delete_records_request *in = rq->in;
    uint32_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (uint32_t)in->topics[t].partitions_count;
    }
    struct trim *trims = request_new(rq, struct trim, (size_t)count + 1);
    if (trims == NULL) {
        request_out_of_memory(rq);
        return;
    }
    struct trim *trim = trims;
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++, trim++) {
            const struct delete_records_request_partition *asked = &in->topics[t].partitions[p];
            *trim = (struct trim){in->topics[t].name, asked->partition_index, asked->offset};
        }
    }
    struct change_set *set = change_set_create(rq, count);
    if (set == NULL) {
        return;
    }
    set->state = trims;
    set->plan = plan_trim;
    set->done = on_trimmed;
    change_set_start(set);
}

const struct api_handler delete_records_handler = {.key = API_DELETE_RECORDS,
                                                   .handle = delete_records_handle};
