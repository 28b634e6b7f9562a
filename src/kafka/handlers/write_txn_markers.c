// SPDX-License-Identifier: Apache-2.0
// WriteTxnMarkers (key 27): in Kafka, coordinators tell partitions how a transaction ended, and
// administrators abort one that hangs (kafka-transactions abort). Here nothing hangs, and a marker is never
// alone: an abort ends the producer's whole open transaction. Commits belong to the producer and are refused.
#include "kafka/handlers/handlers.h"

struct abort_state {
    int32_t *item_of; // per marker; -1 = none
    enum err *errors; // per marker
};

static enum err plan(struct request *rq, const struct write_txn_markers_request_marker *marker,
                     struct item *ret_item)
{
    const struct core *core = broker_view_begin(rq->broker);
    const struct txn *txn = core_txn_find_producer(core, marker->producer_id);
    struct txn_view view = {0};
    if (txn != NULL) {
        txn_view(txn, &view);
        view.id = arena_str(&rq->arena, view.id);
    }
    broker_view_end(rq->broker);
    if (txn == NULL) {
        return ERR_INVALID_PRODUCER_ID_MAPPING;
    }
    if (marker->producer_epoch != view.producer_epoch) {
        return ERR_INVALID_PRODUCER_EPOCH;
    }
    if (marker->transaction_result || view.state != TXN_ONGOING) {
        return ERR_INVALID_TXN_STATE;
    }
    *ret_item = (struct item){.kind = ITEM_TXN_END, .version = 1};
    ret_item->txn_end = (struct item_txn_end){.txn_id = view.id,
                                              .producer_id = view.producer_id,
                                              .producer_epoch = view.producer_epoch,
                                              .is_forced = true};
    return ERR_OK;
}

static void fill_marker(struct request *rq, const struct write_txn_markers_request_marker *in, enum err err,
                        struct write_txn_markers_response_marker *out)
{
    out->producer_id = in->producer_id;
    out->topics = wire_array(&rq->arena, write_txn_markers_response_topic, (size_t)in->topics_count + 1);
    for (int32_t t = 0; t < in->topics_count && out->topics != NULL; t++) {
        struct write_txn_markers_response_topic *topic = &out->topics[out->topics_count++];
        int32_t count = in->topics[t].partition_indexes_count;
        topic->name = in->topics[t].name;
        topic->partitions = wire_array(&rq->arena, write_txn_markers_response_partition, (size_t)count + 1);
        for (int32_t i = 0; i < count && topic->partitions != NULL; i++) {
            struct write_txn_markers_response_partition *partition =
                &topic->partitions[topic->partitions_count++];
            partition->partition_index = in->topics[t].partition_indexes[i];
            partition->error = err;
        }
    }
}

static void on_written(struct request *rq, struct request_change *change)
{
    const struct write_txn_markers_request *in = rq->in;
    struct write_txn_markers_response *out = rq->out;
    const struct abort_state *state = change->state;
    out->markers = wire_array(&rq->arena, write_txn_markers_response_marker, (size_t)in->markers_count + 1);
    for (int32_t i = 0; i < in->markers_count && out->markers != NULL; i++) {
        enum err err = state->item_of[i] >= 0 ? change->op.outcomes[state->item_of[i]].err : state->errors[i];
        fill_marker(rq, &in->markers[i], err, &out->markers[out->markers_count++]);
    }
    request_reply(rq); // closes if the arena failed
}

static void write_txn_markers_handle(struct request *rq)
{
    const struct write_txn_markers_request *in = rq->in;
    size_t count = (size_t)in->markers_count;
    struct abort_state *state = request_new(rq, struct abort_state, 1);
    struct item *items = request_new(rq, struct item, count + 1);
    if (state != NULL) {
        state->item_of = request_new(rq, int32_t, count + 1);
        state->errors = request_new(rq, enum err, count + 1);
    }
    if (rq->arena.failed) {
        request_out_of_memory(rq);
        return;
    }
    uint32_t item_count = 0;
    for (int32_t i = 0; i < in->markers_count; i++) {
        state->errors[i] = plan(rq, &in->markers[i], &items[item_count]);
        state->item_of[i] = state->errors[i] == ERR_OK ? (int32_t)item_count++ : -1;
    }
    (void)request_change_start(rq, items, item_count, state, on_written);
}

const struct api_handler write_txn_markers_handler = {.key = API_WRITE_TXN_MARKERS,
                                                      .handle = write_txn_markers_handle};
