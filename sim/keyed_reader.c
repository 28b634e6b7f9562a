// SPDX-License-Identifier: Apache-2.0
// keyed_reader.c - reads the compacted topic from its beginning to the last stable offset, and again.
#include "base/hash.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "client.h"
#include "isolation.h"
#include "keyed.h"
#include "record/build.h"

enum { CALL_MS = 5000, FETCH_VERSION = 11, PATIENCE_S = 60, QUIET = 20 };
#define MS 1000000LL

struct keyed_reader {
    struct scenario *s;
    struct keyed_history *history;
    struct client client;
    struct codec_context codec;
    struct isolation isolation; // of the fetch being looked at
    int64_t position;
    int64_t stable;
};

static int64_t number_of(struct str text)
{
    int64_t value = -1;
    return str_parse_i64(text, &value) ? value : -1;
}

static void take_record(struct keyed_reader *k, struct keyed_scan *scan, const struct record *record,
                        bool is_visible)
{
    struct record_headers headers = record_headers_init(record);
    struct record_header header = {0};
    (void)record_headers_next(&headers, &header);
    struct str key = {(const char *)record->key.ptr + 1, record->key.len - 1};
    struct keyed_record r = {
        .offset = record->offset,
        .timestamp = record->timestamp,
        .number = (uint64_t)number_of((struct str){(const char *)header.value.ptr, header.value.len}),
        .key = record->key.len < 2 ? -1 : (int)number_of(key),
        .is_tombstone = record->value.ptr == NULL,
        .hash = hash64(record->value, 5),
    };
    keyed_read(k->history, scan, &r, is_visible);
}

static void take_batch(struct keyed_reader *k, struct keyed_scan *scan,
                       const struct fetch_response_partition *got, struct bytes batch)
{
    struct record_iterator it;
    struct record record;
    struct error e;
    if (!batch_crc_check(batch) || record_iterator_init(&it, &k->codec, batch, NULL, &e) != ERR_OK) {
        if (!k->s->rot_happened) {
            checker_fail(k->s->checker, "I1: a batch of the compacted topic cannot be read");
        }
        return;
    }
    int64_t end = batch_last_offset(&it.header) + 1;
    isolation_enter(&k->isolation, got, end);
    bool is_txn = batch_is_transactional(&it.header);
    bool is_visible = !is_txn || !isolation_hides(&k->isolation, it.header.producer_id);
    while (record_iterator_next(&it, &record)) {
        int16_t type = -1;
        if (!batch_is_control(&it.header)) {
            if (record.offset >= k->position) {
                take_record(k, scan, &record, is_visible);
            }
        } else if (is_txn && control_type_read(record.key, &type) && type == CONTROL_ABORT) {
            isolation_leave(&k->isolation, it.header.producer_id);
        }
    }
    if (record_iterator_fini(&it, &e) != ERR_OK && !k->s->rot_happened) {
        checker_fail(k->s->checker, "I1: a batch of the compacted topic cannot be read: %s", e.text);
    }
    k->position = end > k->position ? end : k->position;
}

static const struct fetch_response_partition *fetch(struct keyed_reader *k)
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
    request->topics[0].topic = STR(KEYED_TOPIC);
    request->topics[0].partitions = wire_array(&arena, fetch_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].fetch_offset = k->position;
    request->topics[0].partitions[0].partition_max_bytes = sim_chance(k->s->world, 300) ? 700 : 1 << 20;
    const struct fetch_response *r = client_call(&k->client, API_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    return r != NULL && r->topics_count == 1 && r->topics[0].partitions_count == 1
               ? &r->topics[0].partitions[0]
               : NULL;
}

// scan_step fetches once; false = no answer.
static bool scan_step(struct keyed_reader *k, struct keyed_scan *scan)
{
    const struct fetch_response_partition *got = fetch(k);
    if (got == NULL || got->error != ERR_OK) {
        if (got != NULL && got->error == ERR_OFFSET_OUT_OF_RANGE && !k->s->rot_happened && !k->s->is_shared) {
            checker_fail(k->s->checker, "I3: offset %lld of the compacted topic is out of range",
                         (long long)k->position);
        }
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
        take_batch(k, scan, got, bytes_slice(records, 0, size));
        records = bytes_slice(records, size, records.len - size);
    }
    return true;
}

static bool is_connected(struct keyed_reader *k)
{
    const char *address = k->s->brokers[k->s->txn_broker].address;
    if (k->client.sock != NULL || client_connect(&k->client, address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&k->client, (int64_t)(1 + sim_rand(k->s->world, 80)) * MS);
    return false;
}

// scan_whole reads until there is nothing more; false: not before the deadline.
static bool scan_whole(struct keyed_reader *k, int64_t deadline_ns, int quiet_wanted)
{
    struct keyed_scan scan;
    int quiet = 0;
    keyed_scan_begin(k->history, &scan);
    scan.may_lag = k->s->is_shared && quiet_wanted == 0;
    k->position = 0;
    while (sim_world_now_ns(k->s->world) < deadline_ns && !checker_has_failed(k->s->checker)) {
        if (!is_connected(k)) {
            continue;
        }
        int64_t before = k->position;
        if (!scan_step(k, &scan)) {
            client_drop(&k->client);
            client_sleep(&k->client, 20 * MS);
            continue;
        }
        quiet = k->position == before && k->position >= k->stable ? quiet + 1 : 0;
        if (k->position >= k->stable && quiet >= quiet_wanted) {
            scan.end_offset = k->position;
            keyed_scan_end(k->history, &scan);
            return true;
        }
        client_sleep(&k->client, (int64_t)sim_rand(k->s->world, 15) * MS);
    }
    return false;
}

static struct keyed_reader *keyed_reader_create(struct scenario *s, struct env *env)
{
    struct keyed_reader *k = mem_zalloc(sizeof *k);
    k->s = s;
    k->history = s->keyed;
    client_init(&k->client, env);
    return k;
}

static void keyed_reader_destroy(struct keyed_reader *k)
{
    codec_context_fini(&k->codec);
    client_fini(&k->client);
    mem_free(k);
}

void keyed_reader_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct keyed_reader *k = keyed_reader_create(s, env);
    while (s->phase == PHASE_CHAOS) {
        if (s->keyed_is_ready) {
            (void)scan_whole(k, sim_world_now_ns(s->world) + 1000 * MS, 0);
        }
        client_sleep(&k->client, (int64_t)(1 + sim_rand(s->world, 200)) * MS);
    }
    keyed_reader_destroy(k);
    s->active_clients--;
}

void keyed_final(struct scenario *s, struct env *env)
{
    struct keyed_reader *k = keyed_reader_create(s, env);
    int64_t deadline_ns = sim_world_now_ns(s->world) + PATIENCE_S * 1000 * MS;
    if (!scan_whole(k, deadline_ns, s->is_shared ? QUIET : 1)) {
        checker_fail(s->checker, "I19: the compacted topic cannot be read to its end, at %lld of %lld",
                     (long long)k->position, (long long)k->stable);
    }
    keyed_reader_destroy(k);
}
