// SPDX-License-Identifier: Apache-2.0
// consumer.c - simulated consumers: fetch every partition from its position on, check every batch and record,
// and tell the checker.
#include "consumer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/iterate.h"

enum { CALL_MS = 5000, FETCH_VERSION = 11, LIST_VERSION = 7, WAKE_MS = 1000 };
#define MS 1000000LL

static bool parse_number(struct str s, uint64_t *ret)
{
    int64_t value = 0;
    bool is_fine = str_parse_i64(s, &value) && value >= 0;
    *ret = (uint64_t)value;
    return is_fine;
}

bool consumer_record_name(const struct record *record, int *ret_producer, uint64_t *ret_number,
                          uint64_t *ret_hash)
{
    struct str rest;
    struct str value = {(const char *)record->value.ptr, record->value.len};
    struct str name = str_cut(value, ':', &rest);
    struct str number_text;
    struct str producer_text = str_cut(name, '/', &number_text);
    uint64_t producer = UINT64_MAX;
    uint64_t number = UINT64_MAX;
    bool is_named = parse_number(producer_text, &producer) && parse_number(number_text, &number);
    uint64_t hash = hash64(bytes_of(rest.ptr, rest.len), hash64(record->key, 7));
    *ret_producer = is_named && producer < PRODUCERS_MAX + TXN_PRODUCERS_MAX ? (int)producer : -1;
    *ret_number = number;
    *ret_hash = hash;
    return *ret_producer >= 0;
}

static void take_record(struct consumer *c, int partition, int32_t leader_epoch, const struct record *record)
{
    struct checker_record seen = {
        .offset = record->offset,
        .timestamp = record->timestamp,
        .leader_epoch = leader_epoch,
    };
    (void)consumer_record_name(record, &seen.producer, &seen.number, &seen.hash);
    checker_read(c->s->checker, partition, &seen);
    if (c->on_record != NULL) {
        c->on_record(c->on_record_arg, partition, record->offset);
    }
}

// take_batch reads one batch; false = rot was seen, which only a world with rot may show.
static bool take_batch(struct consumer *c, int partition, struct bytes batch)
{
    struct error e;
    struct batch_header header;
    if (batch_header_read(batch, &header, &e) != ERR_OK || header.size > batch.len ||
        !batch_crc_check(batch)) {
        if (!c->s->rot_happened) {
            checker_fail(c->s->checker, "I1: partition %d: a damaged batch was served at offset %lld",
                         partition, (long long)c->position[partition]);
        }
        c->is_damaged[partition] = true;
        return false;
    }
    int64_t end = batch_last_offset(&header) + 1;
    if (header.base_offset > c->position[partition] && c->s->rot_happened) {
        c->is_damaged[partition] = true; // the base offset lies outside the checksum
        return false;
    }
    if (header.base_offset > c->position[partition]) {
        checker_fail(c->s->checker, "I3: partition %d: asked for offset %lld, got a batch from %lld on",
                     partition, (long long)c->position[partition], (long long)header.base_offset);
    }
    if (batch_is_control(&header)) { // a marker of a transaction
        if (topic_plan_of(partition)->kind != TOPIC_TXN) {
            checker_fail(c->s->checker, "I4: partition %d offset %lld holds a control batch", partition,
                         (long long)header.base_offset);
        }
        c->position[partition] = end > c->position[partition] ? end : c->position[partition];
        return true;
    }
    struct record_iterator it;
    if (record_iterator_init(&it, &c->codec, batch, NULL, &e) != ERR_OK) {
        checker_fail(c->s->checker, "partition %d: a stored batch cannot be read", partition);
        return false;
    }
    struct record record;
    while (record_iterator_next(&it, &record)) {
        if (record.offset >= c->position[partition]) {
            take_record(c, partition, header.leader_epoch, &record);
        }
    }
    if (record_iterator_fini(&it, &e) != ERR_OK) {
        checker_fail(c->s->checker, "partition %d: a stored batch cannot be read: %s", partition, e.text);
    }
    c->position[partition] = end > c->position[partition] ? end : c->position[partition];
    return true;
}

static void take_records(struct consumer *c, int partition, struct bytes records)
{
    int64_t limit = c->high_watermark[partition];
    while (records.len >= BATCH_HEADER_SIZE) {
        size_t size = 0;
        struct error e;
        if (batch_size_peek(records, &size, &e) != ERR_OK || size > records.len) {
            if (!c->s->rot_happened) {
                checker_fail(c->s->checker, "partition %d: a fetched batch is cut short", partition);
            }
            return;
        }
        if (!take_batch(c, partition, bytes_slice(records, 0, size))) {
            return;
        }
        records = bytes_slice(records, size, records.len - size);
    }
    if (c->position[partition] > limit) {
        checker_fail(c->s->checker, "I12: partition %d: served up to %lld past the high watermark %lld",
                     partition, (long long)c->position[partition], (long long)limit);
    }
}

int64_t client_list_offset(struct client *c, int partition, int64_t timestamp, int64_t *ret_timestamp)
{
    const struct topic_plan *topic = topic_plan_of(partition);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct list_offsets_request *request = wire_new(&arena, &list_offsets_request_type, 1);
    request->replica_id = -1;
    request->topics = wire_array(&arena, list_offsets_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(topic->name);
    request->topics[0].partitions = wire_array(&arena, list_offsets_request_partition, 1);
    request->topics[0].partitions_count = 1;
    struct list_offsets_request_partition *asked = &request->topics[0].partitions[0];
    asked->partition_index = partition - topic->first;
    asked->timestamp = timestamp;
    struct list_offsets_response *r = client_call(c, API_LIST_OFFSETS, LIST_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    bool is_fine = r != NULL && r->topics_count == 1 && r->topics[0].partitions[0].error == ERR_OK;
    if (!is_fine) {
        return OFFSET_NO_ANSWER;
    }
    if (ret_timestamp != NULL) {
        *ret_timestamp = r->topics[0].partitions[0].timestamp;
    }
    return r->topics[0].partitions[0].offset;
}

int64_t consumer_list_offset(struct consumer *c, int partition, int64_t timestamp, int64_t *ret_timestamp)
{
    return client_list_offset(&c->client, partition, timestamp, ret_timestamp);
}

static bool out_of_range(struct consumer *c, int partition)
{
    int64_t start = consumer_list_offset(c, partition, -2, NULL);
    int64_t end = start < 0 ? -1 : consumer_list_offset(c, partition, -1, NULL);
    if (start < 0 || end < 0) {
        return false;
    }
    if (c->s->is_shared && c->position[partition] > end) {
        return true; // this broker lags behind the one we read from before
    }
    bool may_go_back = c->s->has_loose_loss && topic_plan_of(partition)->kind == TOPIC_LOOSE;
    if (may_go_back && c->position[partition] > end) {
        c->position[partition] = end;
        return true;
    }
    checker_bounds(c->s->checker, partition, c->index * BROKERS_MAX + c->broker, start, end);
    if (c->position[partition] >= start && c->position[partition] <= end) {
        return true; // it was trimmed and grew in between
    }
    if (c->position[partition] > end && !c->s->rot_happened && !may_go_back) {
        checker_fail(c->s->checker, "I3: partition %d: position %lld was read, but the log ends at %lld",
                     partition, (long long)c->position[partition], (long long)end);
    }
    c->position[partition] = start > c->position[partition] ? start : c->position[partition];
    return true;
}

static bool take_partition(struct consumer *c, const struct fetch_response_partition *got, int partition)
{
    if (topic_plan_of(partition)->kind == TOPIC_LOOSE && c->asked_losses != checker_losses(c->s->checker)) {
        return true; // the answer may be older than what the log now holds
    }
    if (got->error == ERR_OFFSET_OUT_OF_RANGE) {
        return out_of_range(c, partition);
    }
    if (got->error == ERR_UNKNOWN_PARTITION) {
        return true; // not created yet
    }
    if (got->error != ERR_OK) {
        bool is_rot = c->s->rot_happened && (got->error == ERR_CORRUPT || got->error == ERR_STORAGE);
        c->is_damaged[partition] = c->is_damaged[partition] || is_rot;
        bool is_excused = is_rot || c->s->disk_faults.read_error > 0;
        if (!is_excused) {
            checker_fail(c->s->checker, "partition %d: Fetch from %lld answered %s", partition,
                         (long long)c->position[partition], err_name(got->error));
        }
        return false;
    }
    checker_bounds(c->s->checker, partition, c->index * BROKERS_MAX + c->broker, got->log_start_offset,
                   got->high_watermark);
    // What was acknowledged before we asked must be there; a broker of several may lag.
    int64_t promised = c->s->is_shared ? 0 : checker_acked_end(c->s->checker, partition, c->asked_ns);
    if (got->high_watermark < promised && !c->s->rot_happened) {
        checker_fail(c->s->checker,
                     "I1: partition %d: the high watermark is %lld, but offset %lld had been "
                     "acknowledged before the question",
                     partition, (long long)got->high_watermark, (long long)promised - 1);
    }
    c->high_watermark[partition] = got->high_watermark;
    c->log_start[partition] = got->log_start_offset;
    take_records(c, partition, got->records.bytes);
    return true;
}

// slow_call reads the answer only after a while: what waits in the socket must not change meanwhile.
static struct fetch_response *slow_call(struct consumer *c, const struct fetch_request *request)
{
    int32_t sent = 0;
    int32_t received = 0;
    struct bytes frame;
    if (!client_send(&c->client, API_FETCH, FETCH_VERSION, request, &sent, CALL_MS * MS)) {
        return NULL;
    }
    client_sleep(&c->client, (int64_t)sim_rand(c->s->world, 3000) * MS);
    if (!client_receive(&c->client, CALL_MS * MS, &frame)) {
        client_drop(&c->client);
        return NULL;
    }
    struct fetch_response *r = client_decode(&c->client, API_FETCH, FETCH_VERSION, frame, &received);
    return received == sent ? r : NULL;
}

static void fill_request(struct consumer *c, struct arena *arena, struct fetch_request *request, int only)
{
    request->topics = wire_array(arena, fetch_request_topic, TOPICS);
    for (int t = 0; t < TOPICS; t++) {
        const struct topic_plan *plan = &topic_plans[t];
        if (only >= 0 && topic_plan_of(only) != plan) {
            continue;
        }
        struct fetch_request_topic *topic = &request->topics[request->topics_count++];
        topic->topic = str_from_c(plan->name);
        topic->partitions = wire_array(arena, fetch_request_partition, PARTITIONS_PER_TOPIC_MAX);
        for (int i = 0; i < plan->count; i++) {
            bool is_wanted =
                only >= 0 ? only == plan->first + i : c->owns == NULL || c->owns[plan->first + i];
            if (!is_wanted) {
                continue;
            }
            struct fetch_request_partition *asked = &topic->partitions[topic->partitions_count++];
            asked->partition = i;
            asked->fetch_offset = c->position[plan->first + i];
            asked->partition_max_bytes = sim_chance(c->s->world, 300) ? 700 : 1 << 20;
        }
    }
}

// check_woken: a patient request for a single byte is answered well after a record had been acknowledged: the
// append forgot to wake it.
static void check_woken(struct consumer *c, const struct fetch_request *request)
{
    bool must_wake = c->s->is_faultless && !c->s->is_shared && request->min_bytes == 1 &&
                     sim_world_now_ns(c->s->world) - c->asked_ns >= WAKE_MS * MS;
    int64_t before_ns = sim_world_now_ns(c->s->world) - WAKE_MS * MS;
    for (int partition = 0; must_wake && partition < PARTITIONS; partition++) {
        bool is_asked = c->only < 0 ? c->owns == NULL || c->owns[partition] : c->only == partition;
        if (is_asked && checker_acked_end(c->s->checker, partition, before_ns) > c->position[partition]) {
            checker_fail(c->s->checker, "I19: partition %d: a fetch from %lld slept on past an append",
                         partition, (long long)c->position[partition]);
        }
    }
}

bool consumer_fetch(struct consumer *c, int only)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct fetch_request *request = wire_new(&arena, &fetch_request_type, 1);
    bool is_member = c->owns != NULL;
    bool is_patient = !c->is_final && !is_member && sim_chance(c->s->world, 200);
    uint64_t wait_max_ms = c->is_final ? 10 : is_member ? 100 : 300;
    request->max_wait_ms = is_patient ? 2000 : (int32_t)sim_rand(c->s->world, wait_max_ms);
    request->min_bytes = is_patient ? 1 : 1 + (int32_t)sim_rand(c->s->world, 2000);
    request->max_bytes = sim_chance(c->s->world, 300) ? 3000 : 1 << 20;
    bool is_slow = !c->is_final && !is_member && sim_chance(c->s->world, 30);
    for (int i = 0; i < PARTITIONS && is_slow; i++) { // old records, so that much waits in the socket
        c->position[i] = c->log_start[i];
        request->max_bytes = 1 << 20;
    }
    fill_request(c, &arena, request, only);
    c->only = only;
    c->asked_ns = sim_world_now_ns(c->s->world);
    c->asked_losses = checker_losses(c->s->checker);
    struct fetch_response *r = is_slow
                                   ? slow_call(c, request)
                                   : client_call(&c->client, API_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    if (!is_slow) {
        check_woken(c, request);
    }
    arena_fini(&arena);
    // A nested call reuses the client's memory: look at one partition at a time and stop after such a call.
    for (int32_t t = 0; r != NULL && t < r->topics_count; t++) {
        for (int32_t i = 0; i < r->topics[t].partitions_count; i++) {
            struct fetch_response_partition *got = &r->topics[t].partitions[i];
            int partition = topic_partition_number(r->topics[t].topic, got->partition_index);
            bool is_nested = got->error == ERR_OFFSET_OUT_OF_RANGE;
            if (partition < 0 || !take_partition(c, got, partition)) {
                return false;
            }
            if (is_nested) {
                return true;
            }
        }
    }
    return r != NULL;
}

bool consumer_connect(struct consumer *c)
{
    c->broker =
        c->broker_only >= 0 ? c->broker_only : (int)sim_rand(c->s->world, (uint64_t)c->s->broker_count);
    if (client_connect(&c->client, c->s->brokers[c->broker].address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&c->client, (int64_t)(1 + sim_rand(c->s->world, 100)) * MS);
    return false;
}

struct consumer *consumer_create(struct scenario *s, struct env *env, int index)
{
    struct consumer *c = mem_zalloc(sizeof *c);
    c->s = s;
    c->index = index;
    c->broker_only = -1;
    client_init(&c->client, env);
    return c;
}

void consumer_destroy(struct consumer *take_consumer)
{
    struct consumer *c = take_consumer;
    codec_context_fini(&c->codec);
    client_fini(&c->client);
    mem_free(c);
}

void consumer_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct consumer *c = consumer_create(args->scenario, env, args->index);
    while (c->s->phase == PHASE_CHAOS) {
        if (c->client.sock == NULL && !consumer_connect(c)) {
            continue;
        }
        if (!consumer_fetch(c, -1)) {
            scenario_check_calm(c->s, "a consumer's request");
            client_drop(&c->client);
            client_sleep(&c->client, 5 * MS);
        }
        client_sleep(&c->client, (int64_t)sim_rand(c->s->world, 5) * MS);
        if (sim_chance(c->s->world, 10)) { // look at old records again: they must not have changed
            int partition = (int)sim_rand(c->s->world, PARTITIONS);
            c->position[partition] = (int64_t)sim_rand(c->s->world, (uint64_t)c->position[partition] + 1);
            if (c->position[partition] < c->log_start[partition]) {
                c->position[partition] = c->log_start[partition];
            }
        }
    }
    consumer_destroy(c);
    args->scenario->active_clients--;
}
