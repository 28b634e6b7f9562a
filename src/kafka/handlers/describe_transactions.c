// SPDX-License-Identifier: Apache-2.0
// DescribeTransactions (key 65): what transactional ids are about. KIP-664.
#include "kafka/handlers/handlers.h"
#include "kafka/txn_state.h"

struct walk {
    struct request *rq;
    struct describe_transactions_response_transaction_state *out;
    uint32_t left; // room for partitions of all topics
};

static void add_partition(struct walk *w, const struct partition *p)
{
    struct describe_transactions_response_transaction_state *out = w->out;
    struct str name = topic_name(partition_topic(p));
    int32_t t = 0;
    while (t < out->topics_count && !str_equal(out->topics[t].topic, name)) {
        t++;
    }
    struct describe_transactions_response_topic *topic = &out->topics[t];
    if (t == out->topics_count) {
        topic->topic = arena_str(&w->rq->arena, name);
        topic->partitions = request_new(w->rq, int32_t, w->left);
        out->topics_count++;
    }
    if (topic->partitions != NULL) {
        topic->partitions[topic->partitions_count++] = partition_index(p);
    }
    w->left--;
}

static void describe(struct request *rq, struct describe_transactions_response_transaction_state *out)
{
    const struct core *core = broker_view_begin(rq->broker);
    const struct txn *txn = core_txn_find(core, out->transactional_id);
    if (txn == NULL) {
        out->error = ERR_TRANSACTIONAL_ID_NOT_FOUND;
    } else {
        struct txn_view view;
        txn_view(txn, &view);
        out->transaction_state = str_from_c(txn_state_name(view.state));
        out->transaction_timeout_ms = view.timeout_ms;
        out->transaction_start_time_ms = view.start_ms;
        out->producer_id = view.producer_id;
        out->producer_epoch = view.producer_epoch;
        out->topics =
            wire_array(&rq->arena, describe_transactions_response_topic, (size_t)view.partition_count + 1);
        struct walk walk = {rq, out, view.partition_count};
        const struct partition *p = NULL;
        while (out->topics != NULL && (p = txn_partition_next(core, txn, p)) != NULL) {
            add_partition(&walk, p);
        }
    }
    broker_view_end(rq->broker);
}

static void describe_transactions_handle(struct request *rq)
{
    const struct describe_transactions_request *in = rq->in;
    struct describe_transactions_response *out = rq->out;
    out->transaction_states = wire_array(&rq->arena, describe_transactions_response_transaction_state,
                                         (size_t)in->transactional_ids_count + 1);
    for (int32_t i = 0; i < in->transactional_ids_count && out->transaction_states != NULL; i++) {
        struct describe_transactions_response_transaction_state *state =
            &out->transaction_states[out->transaction_states_count++];
        state->transactional_id = in->transactional_ids[i];
        state->transaction_state = STR("");
        if (state->transactional_id.len == 0) {
            state->error = ERR_INVALID_REQUEST;
        } else {
            describe(rq, state);
        }
    }
    request_reply(rq); // closes if the arena failed
}

const struct api_handler describe_transactions_handler = {.key = API_DESCRIBE_TRANSACTIONS,
                                                          .handle = describe_transactions_handle};
