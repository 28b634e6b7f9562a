// SPDX-License-Identifier: Apache-2.0
// ruled_reader.c - reads the governed topics and the dead letters once more, what is committed of them.
#include "base/mem.h"
#include "client.h"
#include "codec/codec.h"
#include "isolation.h"
#include "record/build.h"
#include "ruled.h"

enum { CALL_MS = 5000, FETCH_VERSION = 11, PATIENCE_S = 60, QUIET = 20, NOTES = 50 };
#define MS 1000000LL

struct ruled_reader {
    struct scenario *s;
    struct client client;
    struct codec_context codec;
    struct isolation isolation; // of the fetch being looked at
    enum ruled_topic topic;
    bool is_letters;
    int64_t position;
    int64_t stable;
    uint64_t records; // seen, whether they are visible or not
};

static void take_batch(struct ruled_reader *k, const struct fetch_response_partition *got, struct bytes batch)
{
    struct record_iterator it;
    struct record record;
    struct error e;
    if (!batch_crc_check(batch) || record_iterator_init(&it, &k->codec, batch, NULL, &e) != ERR_OK) {
        checker_fail(k->s->checker, "I1: a batch of a governed topic cannot be read");
        return;
    }
    int64_t end = batch_last_offset(&it.header) + 1;
    isolation_enter(&k->isolation, got, end);
    bool is_txn = batch_is_transactional(&it.header);
    bool is_visible = !is_txn || !isolation_hides(&k->isolation, it.header.producer_id);
    while (record_iterator_next(&it, &record)) {
        int16_t type = -1;
        if (batch_is_control(&it.header)) {
            if (is_txn && control_type_read(record.key, &type) && type == CONTROL_ABORT) {
                isolation_leave(&k->isolation, it.header.producer_id);
            }
        } else if (record.offset >= k->position) {
            k->records++;
        }
        if (!batch_is_control(&it.header) && is_visible && record.offset >= k->position) {
            ruled_found(k->s->ruled, k->topic, k->is_letters, record.offset,
                        (struct str){(const char *)record.value.ptr, record.value.len});
        }
    }
    (void)record_iterator_fini(&it, &e);
    k->position = end > k->position ? end : k->position;
}

static const struct fetch_response_partition *fetch(struct ruled_reader *k)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct fetch_request *request = wire_new(&arena, &fetch_request_type, 1);
    request->max_wait_ms = 10;
    request->min_bytes = 1;
    request->max_bytes = 1 << 20;
    request->isolation_level = 1;
    request->topics = wire_array(&arena, fetch_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].topic = k->is_letters ? STR("ruled.dlq") : str_from_c(ruled_topics[k->topic]);
    request->topics[0].partitions = wire_array(&arena, fetch_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].fetch_offset = k->position;
    request->topics[0].partitions[0].partition_max_bytes = sim_chance(k->s->world, 300) ? 300 : 1 << 20;
    const struct fetch_response *r = client_call(&k->client, API_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    bool is_answer = r != NULL && r->topics_count == 1 && r->topics[0].partitions_count == 1 &&
                     r->topics[0].partitions[0].error == ERR_OK;
    return is_answer ? &r->topics[0].partitions[0] : NULL;
}

static bool step(struct ruled_reader *k)
{
    const char *address = k->s->brokers[k->s->txn_broker].address;
    if (k->client.sock == NULL && !client_connect(&k->client, address, BROKER_PORT, 1000 * MS)) {
        return false;
    }
    const struct fetch_response_partition *got = fetch(k);
    if (got == NULL) {
        return false;
    }
    struct bytes records = got->records.bytes;
    k->stable = got->last_stable_offset;
    memset(&k->isolation, 0, sizeof k->isolation);
    while (records.len >= BATCH_HEADER_SIZE && !checker_has_failed(k->s->checker)) {
        size_t size = 0;
        struct error e;
        if (batch_size_peek(records, &size, &e) != ERR_OK || size > records.len) {
            break;
        }
        take_batch(k, got, bytes_slice(records, 0, size));
        records = bytes_slice(records, size, records.len - size);
    }
    return true;
}

// read_whole reads to the last stable offset; in the shared order what is in doubt may still come, for a
// while.
static void read_whole(struct ruled_reader *k)
{
    int64_t deadline_ns = sim_world_now_ns(k->s->world) + PATIENCE_S * 1000 * MS;
    int quiet_wanted = k->s->is_shared ? QUIET : 1;
    int quiet = 0;
    k->position = k->stable = 0;
    k->records = 0;
    while (quiet < quiet_wanted && !checker_has_failed(k->s->checker)) {
        int64_t before = k->position;
        if (sim_world_now_ns(k->s->world) > deadline_ns) {
            checker_fail(k->s->checker, "I19: %s%s cannot be read to its end, at %lld of %lld",
                         ruled_topics[k->topic], k->is_letters ? ".dlq" : "", (long long)k->position,
                         (long long)k->stable);
            return;
        }
        if (!step(k)) {
            client_drop(&k->client);
            client_sleep(&k->client, 20 * MS);
            continue;
        }
        quiet = k->position == before && k->position >= k->stable ? quiet + 1 : 0;
        client_sleep(&k->client, (int64_t)sim_rand(k->s->world, 15) * MS);
    }
}

// compare waits until the broker has noted the topics as they were read, and compares. In the shared order
// what was in doubt may come meanwhile: then there is nothing to compare.
static void compare(struct ruled_reader *k, const uint64_t records[RULED_TOPICS],
                    const int64_t ends[RULED_TOPICS], int64_t letters_end)
{
    bool is_noted = false;
    for (int i = 0; i < NOTES && !is_noted; i++) {
        client_sleep(&k->client, 30 * MS);
        is_noted = ruled_is_noted(k->s->ruled, RULED_ASIDE, true, letters_end);
        for (int t = 0; t < RULED_TOPICS; t++) {
            is_noted = is_noted && ruled_is_noted(k->s->ruled, (enum ruled_topic)t, false, ends[t]);
        }
    }
    if (is_noted && !checker_has_failed(k->s->checker)) {
        ruled_counted(k->s->ruled, records, k->records);
    }
}

void ruled_final(struct scenario *s, struct env *env)
{
    uint64_t records[RULED_TOPICS];
    int64_t ends[RULED_TOPICS];
    struct ruled_reader *k = mem_zalloc(sizeof *k);
    k->s = s;
    client_init(&k->client, env);
    for (int topic = 0; topic < RULED_TOPICS; topic++) {
        k->topic = (enum ruled_topic)topic;
        k->is_letters = false;
        read_whole(k);
        records[topic] = k->records;
        ends[topic] = k->position;
    }
    k->topic = RULED_ASIDE;
    k->is_letters = true;
    read_whole(k);
    compare(k, records, ends, k->position);
    if (!checker_has_failed(s->checker)) {
        ruled_end(s->ruled);
    }
    codec_context_fini(&k->codec);
    client_fini(&k->client);
    mem_free(k);
}
