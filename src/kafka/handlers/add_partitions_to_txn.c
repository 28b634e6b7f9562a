// SPDX-License-Identifier: Apache-2.0
// AddPartitionsToTxn (key 24): partitions join a producer's open transaction, beginning it. KIP-98; since v4,
// which brokers speak among each other, for many transactions, or only to verify (KIP-890).
#include "kafka/handlers/handlers.h"
#include "kafka/topic_view.h"
#include "kafka/txn_errors.h"

enum { BATCH_VERSION_MIN = 4, FENCED_VERSION_MIN = 2 };

// One transaction of the request, whichever way the version spells it.
struct ask {
    struct str txn_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool verify_only;
    const struct add_partitions_to_txn_request_topic *topics;
    int32_t topic_count;
    enum err *errors; // per partition, in the order of the request
    bool has_unknown;
    int32_t item; // -1 = none
    enum err err; // of the whole
};
struct asks {
    struct ask *list;
    int32_t count;
    struct item *items;
    uint32_t item_count;
};

static struct asks *asks_load(struct request *rq)
{
    const struct add_partitions_to_txn_request *in = rq->in;
    struct asks *asks = request_new(rq, struct asks, 1);
    int32_t count = rq->version >= BATCH_VERSION_MIN ? in->transactions_count : 1;
    struct ask *list = request_new(rq, struct ask, (size_t)count + 1);
    struct item *items = request_new(rq, struct item, (size_t)count + 1);
    if (asks == NULL || list == NULL || items == NULL) {
        return NULL;
    }
    asks->list = list;
    asks->count = count;
    asks->items = items;
    if (rq->version < BATCH_VERSION_MIN) {
        list[0] = (struct ask){in->transactional_id, in->producer_id, in->producer_epoch, false,
                               in->topics,           in->topics_count};
        return asks;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct add_partitions_to_txn_request_transaction *t = &in->transactions[i];
        list[i] = (struct ask){t->transactional_id, t->producer_id, t->producer_epoch,
                               t->verify_only,      t->topics,      t->topics_count};
    }
    return asks;
}

static size_t ask_partitions(const struct ask *ask)
{
    size_t count = 0;
    for (int32_t t = 0; t < ask->topic_count; t++) {
        count += (size_t)ask->topics[t].partitions_count;
    }
    return count;
}

static enum err verify_producer(const struct ask *ask, const struct txn *txn)
{
    if (ask->txn_id.len == 0) {
        return ERR_INVALID_REQUEST;
    }
    struct txn_view view = {.producer_id = -1};
    if (txn != NULL) {
        txn_view(txn, &view);
    }
    if (txn == NULL || view.producer_id != ask->producer_id) {
        return ERR_INVALID_PRODUCER_ID_MAPPING;
    }
    return view.producer_epoch == ask->producer_epoch ? ERR_OK : ERR_PRODUCER_FENCED;
}

// verify fills the errors of a transaction that is only asked about.
static void verify(struct request *rq, struct ask *ask)
{
    uint32_t at = 0;
    const struct core *core = broker_view_begin(rq->broker);
    const struct txn *txn = core_txn_find(core, ask->txn_id);
    ask->err = verify_producer(ask, txn);
    for (int32_t t = 0; t < ask->topic_count; t++) {
        const struct topic *topic = core_topic_find(core, ask->topics[t].name);
        for (int32_t i = 0; i < ask->topics[t].partitions_count; i++, at++) {
            const struct partition *p =
                topic == NULL ? NULL : topic_partition(topic, ask->topics[t].partitions[i]);
            bool is_in = ask->err == ERR_OK && p != NULL && core_txn_has(core, txn, p);
            ask->errors[at] = p == NULL                     ? ERR_UNKNOWN_PARTITION
                              : is_in || ask->err != ERR_OK ? ask->err
                                                            : ERR_TRANSACTION_ABORTABLE;
        }
    }
    broker_view_end(rq->broker);
}

// ask_plan makes the item; false: out of memory.
static bool ask_plan(struct request *rq, struct asks *asks, struct ask *ask)
{
    size_t count = ask_partitions(ask);
    ask->item = -1;
    ask->errors = request_new(rq, enum err, count + 1);
    struct item_txn_partition *partitions = request_new(rq, struct item_txn_partition, count + 1);
    if (ask->errors == NULL || partitions == NULL) {
        return false;
    }
    if (ask->verify_only) {
        verify(rq, ask);
        return true;
    }
    uint32_t at = 0;
    for (int32_t t = 0; t < ask->topic_count; t++) {
        struct topic_view view = {0};
        bool is_known = topic_view_find(rq, ask->topics[t].name, (struct uuid){{0}}, &view);
        bool is_kept = broker_is_kept(rq->broker, ask->topics[t].name); // its end would write there
        for (int32_t i = 0; i < ask->topics[t].partitions_count; i++, at++) {
            int32_t index = ask->topics[t].partitions[i];
            bool is_there = is_known && index >= 0 && index < view.partition_count;
            ask->errors[at] = !is_there ? ERR_UNKNOWN_PARTITION : is_kept ? ERR_INVALID_TOPIC : ERR_OK;
            ask->has_unknown = ask->has_unknown || ask->errors[at] != ERR_OK;
            partitions[at] = (struct item_txn_partition){view.id, index};
        }
    }
    if (ask->has_unknown || count > ITEM_OFFSET_ENTRIES_MAX) { // all or nothing, as in Kafka
        ask->err = ask->has_unknown ? ERR_OPERATION_NOT_ATTEMPTED : ERR_INVALID_REQUEST;
        return true;
    }
    if (ask->txn_id.len == 0) {
        ask->err = ERR_INVALID_REQUEST;
        return true;
    }
    ask->item = (int32_t)asks->item_count++;
    asks->items[ask->item] = (struct item){.kind = ITEM_TXN_ADD, .version = 1};
    asks->items[ask->item].txn_add = (struct item_txn_add){
        ask->txn_id, ask->producer_id, ask->producer_epoch, partitions, (uint32_t)count, NULL, 0};
    return true;
}

static struct add_partitions_to_txn_response_topic_result *
fill_topics(struct request *rq, const struct ask *ask, int32_t *ret_count)
{
    uint32_t at = 0;
    struct add_partitions_to_txn_response_topic_result *topics =
        wire_array(&rq->arena, add_partitions_to_txn_response_topic_result, (size_t)ask->topic_count + 1);
    for (int32_t t = 0; t < ask->topic_count && topics != NULL; t++) {
        struct add_partitions_to_txn_response_topic_result *topic = &topics[t];
        int32_t count = ask->topics[t].partitions_count;
        topic->name = ask->topics[t].name;
        topic->results_by_partition =
            wire_array(&rq->arena, add_partitions_to_txn_response_partition_result, (size_t)count + 1);
        for (int32_t i = 0; i < count && topic->results_by_partition != NULL; i++, at++) {
            struct add_partitions_to_txn_response_partition_result *result =
                &topic->results_by_partition[topic->results_by_partition_count++];
            enum err err = ask->errors[at] != ERR_OK ? ask->errors[at] : ask->err;
            result->partition_index = ask->topics[t].partitions[i];
            result->partition_error = txn_error(rq, err, FENCED_VERSION_MIN);
        }
    }
    *ret_count = topics == NULL ? 0 : ask->topic_count;
    return topics;
}

static void answer(struct request *rq, const struct asks *asks)
{
    struct add_partitions_to_txn_response *out = rq->out;
    if (rq->version < BATCH_VERSION_MIN) {
        out->results_by_topic = fill_topics(rq, &asks->list[0], &out->results_by_topic_count);
        request_reply(rq); // closes if the arena failed
        return;
    }
    out->results_by_transaction =
        wire_array(&rq->arena, add_partitions_to_txn_response_transaction_result, (size_t)asks->count + 1);
    for (int32_t i = 0; i < asks->count && out->results_by_transaction != NULL; i++) {
        struct add_partitions_to_txn_response_transaction_result *result =
            &out->results_by_transaction[out->results_by_transaction_count++];
        result->transactional_id = asks->list[i].txn_id;
        result->topic_results = fill_topics(rq, &asks->list[i], &result->topic_results_count);
    }
    request_reply(rq);
}

static void on_added(struct request *rq, struct request_change *change)
{
    const struct asks *asks = change->state;
    for (int32_t i = 0; i < asks->count; i++) {
        struct ask *ask = &asks->list[i];
        ask->err = ask->item >= 0 ? change->op.outcomes[ask->item].err : ask->err;
    }
    answer(rq, asks);
}

static void add_partitions_to_txn_handle(struct request *rq)
{
    struct asks *asks = asks_load(rq);
    bool is_fine = asks != NULL;
    for (int32_t i = 0; is_fine && i < asks->count; i++) {
        is_fine = ask_plan(rq, asks, &asks->list[i]);
    }
    if (!is_fine) {
        request_out_of_memory(rq);
        return;
    }
    (void)request_change_start(rq, asks->items, asks->item_count, asks, on_added);
}

const struct api_handler add_partitions_to_txn_handler = {.key = API_ADD_PARTITIONS_TO_TXN,
                                                          .handle = add_partitions_to_txn_handle};
