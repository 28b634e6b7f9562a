// SPDX-License-Identifier: Apache-2.0
#include "cli/dlq_txn.h"

enum { TXN_TIMEOUT_MS = 60000 };

static enum err call(struct txn *txn, enum api_key key, const void *request, void *response, struct error *e)
{
    struct client *client = txn->run->client;
    enum err err = client_is_connected(client) ? ERR_OK : client_connect(client, e);
    return err == ERR_OK ? client_call(client, key, request, txn->arena, response, e) : err;
}

enum err txn_begin(struct txn *txn, struct error *e)
{
    struct init_producer_id_request request;
    struct init_producer_id_response response;
    int64_t deadline_ns = run_deadline(txn->run);
    enum err err;
    wire_init(&init_producer_id_request_type, &request);
    request.transactional_id = txn->id;
    request.transaction_timeout_ms = TXN_TIMEOUT_MS;
    do {
        err = call(txn, API_INIT_PRODUCER_ID, &request, &response, e);
        err = err == ERR_OK ? response.error : err;
    } while (run_retry(txn->run, err, deadline_ns));
    txn->producer_id = response.producer_id;
    txn->producer_epoch = response.producer_epoch;
    return err;
}

// ---- batches

static bool bars(enum err err)
{
    return err == ERR_TOPIC_AUTHORIZATION || err == ERR_INVALID_TOPIC || err == ERR_UNKNOWN_PARTITION;
}

// added_take returns what forbids all; what forbids one partition is left with its batch, and *ret_barred is
// one of these.
static enum err added_take(struct txn_batch *batches, size_t count,
                           const struct add_partitions_to_txn_response_topic_result *topic,
                           enum err *ret_barred)
{
    for (int32_t p = 0; p < topic->results_by_partition_count; p++) {
        enum err err = topic->results_by_partition[p].partition_error;
        if (err != ERR_OK && err != ERR_OPERATION_NOT_ATTEMPTED && !bars(err)) {
            return err;
        }
        for (size_t i = 0; i < count && bars(err); i++) {
            if (str_equal(batches[i].topic, topic->name) &&
                batches[i].partition == topic->results_by_partition[p].partition_index) {
                batches[i].err = err;
                batches[i].is_barred = true;
                *ret_barred = err;
            }
        }
    }
    return ERR_OK;
}

// partitions_add: *ret_barred is ERR_OK if all are in the transaction, else none is.
static enum err partitions_add(struct txn *txn, struct txn_batch *batches, size_t count, enum err *ret_barred,
                               struct error *e)
{
    struct add_partitions_to_txn_request request;
    struct add_partitions_to_txn_response response;
    int64_t deadline_ns = run_deadline(txn->run);
    enum err err;
    wire_init(&add_partitions_to_txn_request_type, &request);
    request.transactional_id = txn->id;
    request.producer_id = txn->producer_id;
    request.producer_epoch = txn->producer_epoch;
    request.topics = wire_array(txn->arena, add_partitions_to_txn_request_topic, count);
    int32_t *numbers = arena_new(txn->arena, int32_t, count);
    struct add_partitions_to_txn_request_transaction *one =
        wire_array(txn->arena, add_partitions_to_txn_request_transaction, 1);
    if (request.topics == NULL || numbers == NULL || one == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "%zu partitions", count);
    }
    for (size_t i = 0; i < count; i++) {
        struct add_partitions_to_txn_request_topic *topic = &request.topics[request.topics_count++];
        numbers[i] = batches[i].partition;
        topic->name = batches[i].topic;
        topic->partitions = &numbers[i];
        topic->partitions_count = 1;
    }
    one->transactional_id = txn->id;
    one->producer_id = txn->producer_id;
    one->producer_epoch = txn->producer_epoch;
    one->topics = request.topics;
    one->topics_count = request.topics_count;
    request.transactions = one;
    request.transactions_count = 1;
    do {
        err = call(txn, API_ADD_PARTITIONS_TO_TXN, &request, &response, e);
        err = err == ERR_OK ? response.error : err;
        struct add_partitions_to_txn_response_topic_result *topics = response.results_by_topic;
        int32_t topic_count = response.results_by_topic_count;
        if (err == ERR_OK && response.results_by_transaction_count == 1) {
            topics = response.results_by_transaction->topic_results;
            topic_count = response.results_by_transaction->topic_results_count;
        }
        *ret_barred = ERR_OK;
        for (size_t i = 0; i < count; i++) {
            batches[i].err = ERR_OK;
            batches[i].is_barred = false;
            batches[i].message = (struct str){NULL, 0};
            batches[i].record_error_count = 0;
        }
        for (int32_t t = 0; err == ERR_OK && t < topic_count; t++) {
            err = added_take(batches, count, &topics[t], ret_barred);
        }
    } while (run_retry(txn->run, err, deadline_ns));
    return err;
}

static enum err produce_fill(struct txn *txn, const struct txn_batch *batches, size_t count,
                             struct produce_request *request, struct error *e)
{
    wire_init(&produce_request_type, request);
    request->transactional_id = txn->id;
    request->acks = -1;
    request->timeout_ms = (int32_t)args_int(txn->run->args, "timeout-ms");
    request->topics = wire_array(txn->arena, produce_request_topic, count);
    struct produce_request_partition *parts = wire_array(txn->arena, produce_request_partition, count);
    if (request->topics == NULL || parts == NULL) {
        return FAIL(e, ERR_NO_MEMORY, "%zu batches", count);
    }
    struct produce_request_topic *topic = NULL;
    for (size_t i = 0; i < count; i++) { // batches of one topic stand together
        if (topic == NULL || !str_equal(topic->name, batches[i].topic)) {
            topic = &request->topics[request->topics_count++];
            topic->name = batches[i].topic;
            topic->topic_id = batches[i].topic_id;
            topic->partitions = &parts[i];
        }
        topic->partitions_count++;
        parts[i].index = batches[i].partition;
        parts[i].records.bytes = batches[i].batch;
    }
    return ERR_OK;
}

static void outcome_take(struct txn_batch *batches, size_t count, const struct produce_response_topic *topic)
{
    for (int32_t p = 0; p < topic->partitions_count; p++) {
        const struct produce_response_partition *part = &topic->partitions[p];
        for (size_t i = 0; i < count; i++) {
            bool is_topic = uuid_is_zero(topic->topic_id) ? str_equal(topic->name, batches[i].topic)
                                                          : uuid_equal(topic->topic_id, batches[i].topic_id);
            if (is_topic && batches[i].partition == part->index) {
                batches[i].err = part->error;
                batches[i].message = part->error_message;
                batches[i].record_errors = part->record_errors;
                batches[i].record_error_count = part->record_errors_count;
            }
        }
    }
}

enum err txn_produce(struct txn *txn, struct txn_batch *batches, size_t count, struct error *e)
{
    struct produce_request request;
    struct produce_response response;
    enum err barred = ERR_OK;
    enum err err = partitions_add(txn, batches, count, &barred, e);
    if (err == ERR_OK && barred != ERR_OK) {
        return ERR_OK;
    }
    err = err == ERR_OK ? produce_fill(txn, batches, count, &request, e) : err;
    err = err == ERR_OK ? call(txn, API_PRODUCE, &request, &response, e) : err;
    if (err != ERR_OK) {
        return err;
    }
    for (size_t i = 0; i < count; i++) {
        batches[i].err = ERR_UNKNOWN; // until the answer names it
        batches[i].record_error_count = 0;
    }
    for (int32_t t = 0; t < response.topics_count; t++) {
        outcome_take(batches, count, &response.topics[t]);
    }
    return ERR_OK;
}

// ---- position and end

static enum err offsets_add(struct txn *txn, struct str group, struct error *e)
{
    struct add_offsets_to_txn_request request;
    struct add_offsets_to_txn_response response;
    int64_t deadline_ns = run_deadline(txn->run);
    enum err err;
    wire_init(&add_offsets_to_txn_request_type, &request);
    request.transactional_id = txn->id;
    request.producer_id = txn->producer_id;
    request.producer_epoch = txn->producer_epoch;
    request.group_id = group;
    do {
        err = call(txn, API_ADD_OFFSETS_TO_TXN, &request, &response, e);
        err = err == ERR_OK ? response.error : err;
    } while (run_retry(txn->run, err, deadline_ns));
    return err;
}

enum err txn_position(struct txn *txn, struct str group, struct str topic, int32_t partition, int64_t offset,
                      struct error *e)
{
    struct txn_offset_commit_request request;
    struct txn_offset_commit_request_topic one;
    struct txn_offset_commit_request_partition part;
    struct txn_offset_commit_response response;
    int64_t deadline_ns = run_deadline(txn->run);
    enum err err = offsets_add(txn, group, e);
    if (err != ERR_OK) {
        return err;
    }
    wire_init(&txn_offset_commit_request_type, &request);
    wire_init(&txn_offset_commit_request_topic_type, &one);
    wire_init(&txn_offset_commit_request_partition_type, &part);
    request.transactional_id = txn->id;
    request.group_id = group;
    request.producer_id = txn->producer_id;
    request.producer_epoch = txn->producer_epoch;
    request.member_id = STR("");
    request.topics = &one;
    request.topics_count = 1;
    one.name = topic;
    one.partitions = &part;
    one.partitions_count = 1;
    part.partition_index = partition;
    part.committed_offset = offset;
    part.committed_metadata = STR("");
    do {
        err = call(txn, API_TXN_OFFSET_COMMIT, &request, &response, e);
        bool is_whole = err == ERR_OK && response.topics_count == 1 && response.topics->partitions_count == 1;
        err = err == ERR_OK ? (is_whole ? response.topics->partitions->error : ERR_UNKNOWN) : err;
    } while (run_retry(txn->run, err, deadline_ns));
    return err;
}

enum err txn_end(struct txn *txn, bool is_commit, struct error *e)
{
    struct end_txn_request request;
    struct end_txn_response response;
    int64_t deadline_ns = run_deadline(txn->run);
    enum err err;
    wire_init(&end_txn_request_type, &request);
    request.transactional_id = txn->id;
    request.producer_id = txn->producer_id;
    request.producer_epoch = txn->producer_epoch;
    request.committed = is_commit;
    do {
        err = call(txn, API_END_TXN, &request, &response, e);
        err = err == ERR_OK ? response.error : err;
    } while (run_retry(txn->run, err, deadline_ns));
    return err;
}
