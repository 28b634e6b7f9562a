// SPDX-License-Identifier: Apache-2.0
// txn_calls.c - the calls of transactional producers. The first protocol adds partitions and groups by calls
// of their own; in the second (Produce v12, TxnOffsetCommit v5, EndTxn v5) what comes first begins the
// transaction.
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "record/build.h"
#include "txn.h"

enum { TIMEOUT_MS = 3000, BODY_MAX = 1200, FETCH_STABLE_VERSION = 7 };
#define MS 1000000LL

static void id_name(int id, char ret[16])
{
    snprintf(ret, 16, "exact-%d", id);
}

void txn_group_name(int id, char ret[16])
{
    snprintf(ret, 16, "inputs-%d", id);
}

void txn_batch_build(struct transactor *t, int partition, int32_t count, int64_t producer_id, int16_t epoch,
                     int32_t sequence, struct txn_batch *ret)
{
    struct batch_options options = batch_options_default();
    options.base_timestamp = clock_wall_ms(t->client.env->clock);
    options.codec = (enum codec)sim_rand(t->s->world, CODEC_COUNT);
    options.attributes = BATCH_ATTRIBUTE_TRANSACTIONAL;
    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.base_sequence = sequence;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    *ret = (struct txn_batch){.partition = partition, .count = count};
    int who = TXN_CHECKER_FIRST + t->index;
    bool is_ours = producer_id == t->producer_id && epoch == t->epoch;
    for (int32_t i = 0; i < count; i++) {
        char body[BODY_MAX];
        char whole[BODY_MAX + 48];
        int body_len =
            snprintf(body, sizeof body, "%llu ", (unsigned long long)sim_rand(t->s->world, 1u << 30));
        size_t padding = sim_rand(t->s->world, sim_chance(t->s->world, 100) ? 1000 : 60);
        memset(body + body_len, 'a' + (int)(padding % 26), padding);
        struct bytes key = bytes_of("k", 1);
        struct bytes rest = bytes_of(body, (size_t)body_len + padding);
        uint64_t number = checker_sent(t->s->checker, partition, who, hash64(rest, hash64(key, 7)));
        ret->number = i == 0 ? number : ret->number;
        txn_record_sent(t->history, is_ours ? t->txn : 0, partition, who, number);
        int head = snprintf(whole, sizeof whole, "%d/%llu:", who, (unsigned long long)number);
        memcpy(whole + head, rest.ptr, rest.len);
        batch_builder_append(&builder, options.base_timestamp + i, key,
                             bytes_of(whole, (size_t)head + rest.len), NULL, 0);
    }
    buf_init(&ret->bytes, 1 << 20);
    struct error e;
    if (batch_builder_finish(&builder, &ret->bytes, &e) != ERR_OK) {
        abort();
    }
    checker_sized(t->s->checker, partition, who, ret->number, ret->bytes.len);
    batch_builder_fini(&builder);
}

enum err txn_call_init(struct transactor *t)
{
    char name[16];
    struct init_producer_id_request request;
    wire_init(&init_producer_id_request_type, &request);
    id_name(t->id, name);
    request.transactional_id = str_from_c(name);
    request.transaction_timeout_ms = t->timeout_ms;
    // KIP-360. One that a twin has fenced may not know it.
    bool may_go_on = t->producer_id >= 0 && (!t->is_fenced || t->s->has_twins);
    bool goes_on = may_go_on && sim_chance(t->s->world, 600);
    if (goes_on) {
        request.producer_id = t->producer_id;
        request.producer_epoch = t->epoch;
    }
    txn_init_sent(t->history, t->id);
    struct init_producer_id_response *r =
        client_call(&t->client, API_INIT_PRODUCER_ID, 4, &request, TIMEOUT_MS * MS);
    txn_init_done(t->history, t->id, r != NULL || goes_on);
    if (r == NULL || r->error != ERR_OK) {
        return r == NULL ? ERR_CLOSED : r->error;
    }
    t->past = (struct txn_past){t->producer_id, t->epoch, t->producer_id >= 0};
    t->producer_id = r->producer_id;
    t->epoch = r->producer_epoch;
    memset(t->next_sequence, 0, sizeof t->next_sequence);
    return ERR_OK;
}

enum err txn_call_add(struct transactor *t, int64_t producer_id, int16_t epoch, int partition)
{
    char name[16];
    struct add_partitions_to_txn_request request;
    struct add_partitions_to_txn_request_topic topic;
    int32_t index = partition - txn_first_partition();
    wire_init(&add_partitions_to_txn_request_type, &request);
    wire_init(&add_partitions_to_txn_request_topic_type, &topic);
    id_name(t->id, name);
    topic.name = str_from_c(topic_plan_of(partition)->name);
    topic.partitions = &index;
    topic.partitions_count = 1;
    request.transactional_id = str_from_c(name);
    request.producer_id = producer_id;
    request.producer_epoch = epoch;
    request.topics = &topic;
    request.topics_count = 1;
    const struct add_partitions_to_txn_response *r =
        client_call(&t->client, API_ADD_PARTITIONS_TO_TXN, 3, &request, TIMEOUT_MS * MS);
    bool is_answered =
        r != NULL && r->results_by_topic_count == 1 && r->results_by_topic[0].results_by_partition_count == 1;
    return is_answered ? r->results_by_topic[0].results_by_partition[0].partition_error : ERR_CLOSED;
}

enum err txn_call_produce(struct transactor *t, const struct txn_batch *batch, int64_t *ret_offset)
{
    char name[16];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct produce_request *request = wire_new(&arena, &produce_request_type, 1);
    id_name(t->id, name);
    request->transactional_id = str_from_c(name);
    request->acks = -1;
    request->timeout_ms = TIMEOUT_MS;
    request->topics = wire_array(&arena, produce_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(topic_plan_of(batch->partition)->name);
    request->topics[0].partitions = wire_array(&arena, produce_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].index = batch->partition - txn_first_partition();
    request->topics[0].partitions[0].records.bytes = buf_bytes(&batch->bytes);
    const struct produce_response *r =
        client_call(&t->client, API_PRODUCE, t->is_second ? 12 : 9, request, TIMEOUT_MS * MS);
    arena_fini(&arena);
    if (r == NULL || r->topics_count != 1 || r->topics[0].partitions_count != 1) {
        return ERR_CLOSED;
    }
    *ret_offset = r->topics[0].partitions[0].base_offset;
    return r->topics[0].partitions[0].error;
}

enum err txn_call_add_offsets(struct transactor *t)
{
    char name[16];
    char group[16];
    struct add_offsets_to_txn_request request;
    wire_init(&add_offsets_to_txn_request_type, &request);
    id_name(t->id, name);
    txn_group_name(t->id, group);
    request.transactional_id = str_from_c(name);
    request.producer_id = t->producer_id;
    request.producer_epoch = t->epoch;
    request.group_id = str_from_c(group);
    const struct add_offsets_to_txn_response *r =
        client_call(&t->client, API_ADD_OFFSETS_TO_TXN, 3, &request, TIMEOUT_MS * MS);
    return r == NULL ? ERR_CLOSED : r->error;
}

enum err txn_call_offsets(struct transactor *t, int64_t producer_id, int16_t epoch, int64_t offset)
{
    char name[16];
    char group[16];
    struct txn_offset_commit_request request;
    struct txn_offset_commit_request_topic topic;
    struct txn_offset_commit_request_partition partition;
    wire_init(&txn_offset_commit_request_type, &request);
    wire_init(&txn_offset_commit_request_topic_type, &topic);
    wire_init(&txn_offset_commit_request_partition_type, &partition);
    id_name(t->id, name);
    txn_group_name(t->id, group);
    partition.committed_offset = offset;
    partition.committed_metadata = STR("");
    topic.name = str_from_c(topic_plan_of(txn_first_partition())->name);
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.transactional_id = str_from_c(name);
    request.group_id = str_from_c(group);
    request.producer_id = producer_id;
    request.producer_epoch = epoch;
    request.topics = &topic;
    request.topics_count = 1;
    const struct txn_offset_commit_response *r =
        client_call(&t->client, API_TXN_OFFSET_COMMIT, t->is_second ? 5 : 3, &request, TIMEOUT_MS * MS);
    bool is_answered = r != NULL && r->topics_count == 1 && r->topics[0].partitions_count == 1;
    return is_answered ? r->topics[0].partitions[0].error : ERR_CLOSED;
}

enum err txn_call_end(struct transactor *t, int64_t producer_id, int16_t epoch, bool is_commit, bool is_ours)
{
    char name[16];
    struct end_txn_request request;
    wire_init(&end_txn_request_type, &request);
    id_name(t->id, name);
    request.transactional_id = str_from_c(name);
    request.producer_id = producer_id;
    request.producer_epoch = epoch;
    request.committed = is_commit;
    const struct end_txn_response *r =
        client_call(&t->client, API_END_TXN, t->is_second ? 5 : 3, &request, TIMEOUT_MS * MS);
    if (r == NULL || r->error != ERR_OK || !is_ours || !t->is_second) {
        return r == NULL ? ERR_CLOSED : r->error;
    }
    t->past = (struct txn_past){t->producer_id, t->epoch, true};
    t->producer_id = r->producer_id;
    t->epoch = r->producer_epoch;
    memset(t->next_sequence, 0, sizeof t->next_sequence);
    return ERR_OK;
}

bool txn_call_committed(struct client *c, int id, int64_t *ret_offset)
{
    char group[16];
    struct offset_fetch_request request;
    struct offset_fetch_request_topic topic;
    int32_t partition = 0;
    wire_init(&offset_fetch_request_type, &request);
    wire_init(&offset_fetch_request_topic_type, &topic);
    txn_group_name(id, group);
    topic.name = str_from_c(topic_plan_of(txn_first_partition())->name);
    topic.partition_indexes = &partition;
    topic.partition_indexes_count = 1;
    request.group_id = str_from_c(group);
    request.topics = &topic;
    request.topics_count = 1;
    request.require_stable = true;
    const struct offset_fetch_response *r =
        client_call(c, API_OFFSET_FETCH, FETCH_STABLE_VERSION, &request, TIMEOUT_MS * MS);
    bool is_answered = r != NULL && r->error == ERR_OK && r->topics_count == 1 &&
                       r->topics[0].partitions_count == 1 && r->topics[0].partitions[0].error == ERR_OK;
    *ret_offset = is_answered ? r->topics[0].partitions[0].committed_offset : -1;
    return is_answered;
}
