// SPDX-License-Identifier: Apache-2.0
// Fetch (key 1): read batches from an offset, waiting for them if asked. KIP-74 (limits), KIP-516 (topic ids,
// v13). Sessions (KIP-227) are declined: session id 0, so that clients send full requests.
#include "kafka/handlers/handlers.h"

enum { TOPIC_ID_VERSION_MIN = 13, SESSION_EPOCH_FINAL = -1 };

struct fetch_state {
    struct fetch_op op;
    struct request *rq;
};

static void fetch_release(struct request *rq)
{
    struct fetch_state *state = rq->state;
    broker_fetch_release(rq->broker, &state->op);
}

static void fetch_cancel(struct request *rq)
{
    struct fetch_state *state = rq->state;
    broker_fetch_cancel(rq->broker, &state->op);
}

static void fill_partition(struct request *rq, struct fetch_part *part, struct fetch_response_partition *out)
{
    out->partition_index = part->partition;
    out->error = part->err;
    out->high_watermark = part->high_watermark;
    out->last_stable_offset = part->last_stable_offset;
    out->log_start_offset = part->log_start_offset;
    const struct fetch_request *in = rq->in;
    out->aborted_transactions_count = in->isolation_level == 1 && part->err == ERR_OK ? 0 : -1;
    if (part->diverging_epoch >= 0) {
        out->diverging_epoch.epoch = part->diverging_epoch;
        out->diverging_epoch.end_offset = part->diverging_end_offset;
    }
    // Empty, not null: some clients do not expect null records.
    out->records.bytes = (struct bytes){(const uint8_t *)"", 0};
    out->records.external_size = part->slice_bytes;
    out->records.external = part;
}

static bool fill_response(struct request *rq, struct fetch_op *op)
{
    const struct fetch_request *in = rq->in;
    struct fetch_response *out = rq->out;
    out->topics = wire_array(&rq->arena, fetch_response_topic, (size_t)in->topics_count);
    if (out->topics == NULL) {
        return false;
    }
    out->topics_count = in->topics_count;
    struct fetch_part *part = op->parts;
    for (int32_t t = 0; t < in->topics_count; t++) {
        int32_t count = in->topics[t].partitions_count;
        out->topics[t].topic = in->topics[t].topic;
        out->topics[t].topic_id = in->topics[t].topic_id;
        out->topics[t].partitions = wire_array(&rq->arena, fetch_response_partition, (size_t)count);
        if (out->topics[t].partitions == NULL) {
            return false;
        }
        out->topics[t].partitions_count = count;
        for (int32_t p = 0; p < count; p++, part++) {
            fill_partition(rq, part, &out->topics[t].partitions[p]);
        }
    }
    return true;
}

static void on_fetched(struct fetch_op *op)
{
    struct request *rq = ((struct fetch_state *)(void *)((char *)op - offsetof(struct fetch_state, op)))->rq;
    if (!fill_response(rq, op)) {
        request_out_of_memory(rq);
        return;
    }
    request_reply(rq);
}

static void fetch_handle(struct request *rq)
{
    const struct fetch_request *in = rq->in;
    struct fetch_response *out = rq->out;
    if (in->session_id != 0 && in->session_epoch != SESSION_EPOCH_FINAL) {
        out->error = ERR_FETCH_SESSION_NOT_FOUND; // we never gave one
        request_reply(rq);
        return;
    }
    uint32_t count = 0;
    for (int32_t t = 0; t < in->topics_count; t++) {
        count += (uint32_t)in->topics[t].partitions_count;
    }
    struct fetch_state *state = request_new(rq, struct fetch_state, 1);
    struct fetch_part *parts = request_new(rq, struct fetch_part, count + 1);
    if (state == NULL || parts == NULL) {
        request_out_of_memory(rq);
        return;
    }
    struct fetch_part *part = parts;
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t p = 0; p < in->topics[t].partitions_count; p++, part++) {
            const struct fetch_request_partition *asked = &in->topics[t].partitions[p];
            part->topic_id = in->topics[t].topic_id;
            part->topic_name = in->topics[t].topic;
            part->partition = asked->partition;
            part->current_leader_epoch = asked->current_leader_epoch;
            part->last_fetched_epoch = asked->last_fetched_epoch;
            part->offset = asked->fetch_offset;
            part->bytes_max = asked->partition_max_bytes < 0 ? 0 : asked->partition_max_bytes;
            if (rq->version >= TOPIC_ID_VERSION_MIN && uuid_is_zero(part->topic_id)) {
                part->topic_id.b[0] = 1; // a zero id names no topic
            }
        }
    }
    int32_t bytes_max =
        in->max_bytes < rq->options->fetch_bytes_max ? in->max_bytes : rq->options->fetch_bytes_max;
    state->rq = rq;
    state->op = (struct fetch_op){.port = rq->port,
                                  .parts = parts,
                                  .part_count = count,
                                  .wait_ms_max = in->max_wait_ms,
                                  .bytes_min = in->min_bytes,
                                  .bytes_max = bytes_max < 0 ? 0 : bytes_max,
                                  .is_read_committed = in->isolation_level == 1,
                                  .done = on_fetched};
    rq->state = state;
    rq->release = fetch_release;
    rq->cancel = fetch_cancel;
    broker_fetch(rq->broker, &state->op);
}

const struct api_handler fetch_handler = {.key = API_FETCH, .handle = fetch_handle};
