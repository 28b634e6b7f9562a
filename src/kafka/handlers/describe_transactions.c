// SPDX-License-Identifier: Apache-2.0
// DescribeTransactions (key 65): what transactional ids are about. KIP-664.
#include <stdlib.h>

#include "kafka/handlers/handlers.h"
#include "kafka/txn_state.h"

enum { STEP = 500 };

// What is copied out while the lock is held, STEP partitions at a time.
struct walk {
    struct request *rq;
    struct str txn_id;
    struct txn_view view; // as of the first step; its id is not kept
    struct item_txn_partition *list;
    struct str *names; // of their topics
    uint32_t count;
};

// walk_step is false at the end. A transaction that has ended meanwhile is not followed into the next one.
static bool walk_step(struct walk *w, const struct core *core, const struct txn *txn)
{
    struct txn_view now;
    txn_view(txn, &now);
    bool is_same = now.producer_id == w->view.producer_id && now.producer_epoch == w->view.producer_epoch &&
                   now.start_ms == w->view.start_ms;
    const struct item_txn_partition *last = w->count == 0 ? NULL : &w->list[w->count - 1];
    const struct topic *topic = last == NULL ? NULL : core_topic_find_id(core, last->topic_id);
    const struct partition *p = topic == NULL ? NULL : topic_partition(topic, last->partition);
    bool is_lost = !is_same || (last != NULL && p == NULL);
    for (uint32_t step = 0; step < STEP && !is_lost && w->count < w->view.partition_count; step++) {
        p = txn_partition_next(core, txn, p);
        if (p == NULL) {
            return false;
        }
        struct uuid id = topic_id(partition_topic(p));
        bool is_new = w->count == 0 || !uuid_equal(id, w->list[w->count - 1].topic_id);
        w->names[w->count] =
            is_new ? arena_str(&w->rq->arena, topic_name(partition_topic(p))) : w->names[w->count - 1];
        w->list[w->count++] = (struct item_txn_partition){id, partition_index(p)};
    }
    return !is_lost && w->count < w->view.partition_count && !w->rq->arena.failed;
}

// walk_all copies the transaction; false: there is none.
static bool walk_all(struct walk *w)
{
    bool is_known = false;
    bool has_more = true;
    for (bool is_start = true; has_more; is_start = false) {
        const struct core *core = broker_view_begin(w->rq->broker);
        const struct txn *txn = core_txn_find(core, w->txn_id);
        has_more = txn != NULL;
        if (is_start && has_more) {
            is_known = true;
            txn_view(txn, &w->view);
            w->list = request_new(w->rq, struct item_txn_partition, (size_t)w->view.partition_count + 1);
            w->names = request_new(w->rq, struct str, (size_t)w->view.partition_count + 1);
        }
        has_more = has_more && !w->rq->arena.failed && walk_step(w, core, txn);
        broker_view_end(w->rq->broker);
    }
    return is_known;
}

// The partitions by topic, as the answer wants them.
struct place {
    struct str topic;
    int32_t partition;
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    int order = str_compare(x->topic, y->topic);
    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static void fill_topics(const struct walk *w, struct describe_transactions_response_transaction_state *out)
{
    struct place *places = request_new(w->rq, struct place, (size_t)w->count + 1);
    int32_t *partitions = request_new(w->rq, int32_t, (size_t)w->count + 1);
    uint32_t topic_count = 0;
    for (uint32_t i = 0; i < w->count && places != NULL; i++) {
        places[i] = (struct place){w->names[i], w->list[i].partition};
    }
    if (places != NULL && w->count > 1) {
        qsort(places, w->count, sizeof *places, place_order);
    }
    for (uint32_t i = 0; i < w->count && places != NULL; i++) {
        topic_count += i == 0 || !str_equal(places[i].topic, places[i - 1].topic);
    }
    out->topics = wire_array(&w->rq->arena, describe_transactions_response_topic, (size_t)topic_count + 1);
    for (uint32_t i = 0; i < w->count && !w->rq->arena.failed; i++) {
        if (i == 0 || !str_equal(places[i].topic, places[i - 1].topic)) {
            out->topics[out->topics_count++] = (struct describe_transactions_response_topic){
                .topic = places[i].topic, .partitions = &partitions[i]};
        }
        partitions[i] = places[i].partition;
        out->topics[out->topics_count - 1].partitions_count++;
    }
}

static void describe(struct request *rq, struct describe_transactions_response_transaction_state *out)
{
    struct walk walk = {.rq = rq, .txn_id = out->transactional_id};
    if (!walk_all(&walk)) {
        out->error = ERR_TRANSACTIONAL_ID_NOT_FOUND;
        return;
    }
    out->transaction_state = str_from_c(txn_state_name(walk.view.state));
    out->transaction_timeout_ms = walk.view.timeout_ms;
    out->transaction_start_time_ms = walk.view.start_ms;
    out->producer_id = walk.view.producer_id;
    out->producer_epoch = walk.view.producer_epoch;
    fill_topics(&walk, out);
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
