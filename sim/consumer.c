// SPDX-License-Identifier: Apache-2.0
// consumer.c - simulated consumers: fetch every partition from its position on, check every batch and record,
// and tell the checker. The final reader is one that reads everything once more when all faults have ended.
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "client.h"
#include "record/batch.h"
#include "record/iterate.h"
#include "scenario.h"

enum { CALL_MS = 5000, FETCH_VERSION = 11, LIST_VERSION = 2 };
#define MS 1000000LL

struct consumer {
    struct scenario *s;
    struct client client;
    struct codec_context codec;
    int index;
    int broker; // connected to
    int64_t position[PARTITIONS];
    int64_t log_start[PARTITIONS];
    int64_t high_watermark[PARTITIONS];
    bool is_damaged[PARTITIONS];
    bool is_final;
};

static bool parse_number(struct str s, uint64_t *ret)
{
    int64_t value = 0;
    bool is_fine = str_parse_i64(s, &value) && value >= 0;
    *ret = (uint64_t)value;
    return is_fine;
}

static void take_record(struct consumer *c, int partition, const struct record *record)
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
    checker_read(c->s->checker, partition, record->offset,
                 is_named && producer < PRODUCERS_MAX ? (int)producer : -1, number, hash);
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
    if (header.base_offset > c->position[partition]) {
        checker_fail(c->s->checker, "I3: partition %d: asked for offset %lld, got a batch from %lld on",
                     partition, (long long)c->position[partition], (long long)header.base_offset);
    }
    struct record_iterator it;
    if (record_iterator_init(&it, &c->codec, batch, NULL, &e) != ERR_OK) {
        checker_fail(c->s->checker, "partition %d: a stored batch cannot be read", partition);
        return false;
    }
    struct record record;
    while (record_iterator_next(&it, &record)) {
        if (record.offset >= c->position[partition]) {
            take_record(c, partition, &record);
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

// list_offset asks for the log start (-2) or end (-1); < 0 = no answer.
static int64_t list_offset(struct consumer *c, int partition, int64_t timestamp)
{
    char topic[24];
    snprintf(topic, sizeof topic, "topic-%d", partition / PARTITIONS_PER_TOPIC);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct list_offsets_request *request = wire_new(&arena, &list_offsets_request_type, 1);
    request->replica_id = -1;
    request->topics = wire_array(&arena, list_offsets_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(topic);
    request->topics[0].partitions = wire_array(&arena, list_offsets_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].partition_index = partition % PARTITIONS_PER_TOPIC;
    request->topics[0].partitions[0].timestamp = timestamp;
    struct list_offsets_response *r =
        client_call(&c->client, API_LIST_OFFSETS, LIST_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    bool is_fine = r != NULL && r->topics_count == 1 && r->topics[0].partitions[0].error == ERR_OK;
    return is_fine ? r->topics[0].partitions[0].offset : -1;
}

static bool out_of_range(struct consumer *c, int partition)
{
    int64_t start = list_offset(c, partition, -2);
    int64_t end = start < 0 ? -1 : list_offset(c, partition, -1);
    if (start < 0 || end < 0) {
        return false;
    }
    if (c->s->is_shared && c->position[partition] > end) {
        return true; // this broker lags behind the one we read from before
    }
    checker_bounds(c->s->checker, partition, c->index * BROKERS_MAX + c->broker, start, end);
    if (c->position[partition] >= start && c->position[partition] <= end) {
        return true; // it was trimmed and grew in between
    }
    if (c->position[partition] > end && !c->s->rot_happened) {
        checker_fail(c->s->checker, "I3: partition %d: position %lld was read, but the log ends at %lld",
                     partition, (long long)c->position[partition], (long long)end);
    }
    c->position[partition] = start > c->position[partition] ? start : c->position[partition];
    return true;
}

static bool take_partition(struct consumer *c, const struct fetch_response_partition *got, int partition)
{
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

// fetch asks for all partitions, or for one.
static bool fetch(struct consumer *c, int only)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct fetch_request *request = wire_new(&arena, &fetch_request_type, 1);
    request->max_wait_ms = (int32_t)sim_rand(c->s->world, c->is_final ? 10 : 300);
    request->min_bytes = 1 + (int32_t)sim_rand(c->s->world, 2000);
    request->max_bytes = sim_chance(c->s->world, 300) ? 3000 : 1 << 20;
    request->topics = wire_array(&arena, fetch_request_topic, TOPICS);
    char names[TOPICS][24];
    for (int t = 0; t < TOPICS; t++) {
        if (only >= 0 && only / PARTITIONS_PER_TOPIC != t) {
            continue;
        }
        struct fetch_request_topic *topic = &request->topics[request->topics_count++];
        snprintf(names[t], sizeof names[t], "topic-%d", t);
        topic->topic = str_from_c(names[t]);
        topic->partitions = wire_array(&arena, fetch_request_partition, PARTITIONS_PER_TOPIC);
        for (int i = 0; i < PARTITIONS_PER_TOPIC; i++) {
            if (only >= 0 && only % PARTITIONS_PER_TOPIC != i) {
                continue;
            }
            struct fetch_request_partition *asked = &topic->partitions[topic->partitions_count++];
            asked->partition = i;
            asked->fetch_offset = c->position[t * PARTITIONS_PER_TOPIC + i];
            asked->partition_max_bytes = sim_chance(c->s->world, 300) ? 700 : 1 << 20;
        }
    }
    bool is_slow = !c->is_final && sim_chance(c->s->world, 30);
    struct fetch_response *r = is_slow
                                   ? slow_call(c, request)
                                   : client_call(&c->client, API_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    if (r == NULL) {
        return false;
    }
    // A nested call reuses the client's memory: look at one partition at a time and stop after such a call.
    for (int32_t t = 0; t < r->topics_count; t++) {
        int64_t topic = 0;
        struct str name = r->topics[t].topic;
        (void)str_parse_i64((struct str){name.ptr + 6, name.len - 6}, &topic);
        for (int32_t i = 0; i < r->topics[t].partitions_count; i++) {
            struct fetch_response_partition *got = &r->topics[t].partitions[i];
            bool is_nested = got->error == ERR_OFFSET_OUT_OF_RANGE;
            if (!take_partition(c, got, (int)topic * PARTITIONS_PER_TOPIC + got->partition_index)) {
                return false;
            }
            if (is_nested) {
                return true;
            }
        }
    }
    return true;
}

static bool connect_somewhere(struct consumer *c)
{
    c->broker = (int)sim_rand(c->s->world, (uint64_t)c->s->broker_count);
    if (client_connect(&c->client, c->s->brokers[c->broker].address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&c->client, (int64_t)(1 + sim_rand(c->s->world, 100)) * MS);
    return false;
}

static struct consumer *consumer_create(struct scenario *s, struct env *env, int index)
{
    struct consumer *c = mem_zalloc(sizeof *c);
    c->s = s;
    c->index = index;
    client_init(&c->client, env);
    return c;
}

static void consumer_destroy(struct consumer *c)
{
    codec_context_fini(&c->codec);
    client_fini(&c->client);
    mem_free(c);
}

void consumer_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct consumer *c = consumer_create(args->scenario, env, args->index);
    while (c->s->phase == PHASE_CHAOS) {
        if (c->client.sock == NULL && !connect_somewhere(c)) {
            continue;
        }
        if (!fetch(c, -1)) {
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

// read_whole reads one partition from log start to its end; false after too many tries.
static bool read_whole(struct consumer *c, int partition)
{
    for (int tries = 0; tries < 300; tries++) {
        if (c->client.sock == NULL && !connect_somewhere(c)) {
            continue;
        }
        int64_t start = list_offset(c, partition, -2);
        int64_t end = start < 0 ? -1 : list_offset(c, partition, -1);
        if (end < 0) {
            client_drop(&c->client);
            client_sleep(&c->client, 20 * MS);
            continue;
        }
        c->position[partition] = c->position[partition] < start ? start : c->position[partition];
        if (c->position[partition] >= end && (!c->s->is_shared || tries > 20)) {
            c->log_start[partition] = start;
            c->high_watermark[partition] = end;
            return true;
        }
        if (!fetch(c, partition)) {
            client_drop(&c->client);
        }
        if (c->is_damaged[partition]) {
            return true;
        }
    }
    return false;
}

void final_reader_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct consumer *c = consumer_create(args->scenario, env, CONSUMERS_MAX);
    c->is_final = true;
    checker_final_begin(c->s->checker);
    for (int partition = 0; partition < PARTITIONS; partition++) {
        bool is_read = read_whole(c, partition);
        bool is_excused = c->is_damaged[partition];
        if (!is_read && !c->s->rot_happened) {
            checker_fail(c->s->checker,
                         "I19: partition %d cannot be read to its end (at %lld) after all faults ended",
                         partition, (long long)c->position[partition]);
        }
        checker_final_partition(c->s->checker, partition, c->log_start[partition],
                                c->high_watermark[partition], is_excused || !is_read);
    }
    consumer_destroy(c);
    args->scenario->phase = PHASE_OVER;
}
