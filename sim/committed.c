// SPDX-License-Identifier: Apache-2.0
// committed.c - readers of what is committed, as Kafka's clients do it: fetch up to the last stable offset,
// and leave out what the list of aborted transactions says, up to its marker. And the last pass, which
// compares those lists with a scan.
#include <stdlib.h>

#include "base/mem.h"
#include "consumer.h"
#include "isolation.h"
#include "record/batch.h"
#include "record/build.h"
#include "txn.h"

enum { CALL_MS = 5000, FETCH_VERSION = 11, PATIENCE_S = 60, LOOKS = 12, OPEN_MAX = ISOLATION_OPEN_MAX };
#define MS 1000000LL

struct aborted {
    int64_t producer_id;
    int64_t first;
    int64_t marker;
};
struct reader_partition {
    int64_t position;
    int64_t log_start;
    int64_t stable;
    int64_t high;
    int64_t stable_max[BROKERS_MAX];
};
struct committed {
    struct scenario *s;
    struct txn_history *history;
    struct client client;
    struct codec_context codec;
    int broker;
    struct reader_partition at[TXN_PARTITIONS];
    struct isolation isolation; // of the fetch being looked at
    // what a scan of the last pass found
    struct aborted *scan;
    bool is_scanning;
    int scan_count;
    int scan_cap;
    struct aborted open[OPEN_MAX];
    int open_count;
};

static bool connect_some(struct committed *c, int broker)
{
    c->broker = broker >= 0 ? broker : (int)sim_rand(c->s->world, (uint64_t)c->s->broker_count);
    if (client_connect(&c->client, c->s->brokers[c->broker].address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&c->client, (int64_t)(1 + sim_rand(c->s->world, 100)) * MS);
    return false;
}

// ---- one batch

// scan_note keeps which transactions the log itself says were aborted, and where.
static void scan_note(struct committed *c, const struct batch_header *h, bool is_abort)
{
    int at = 0;
    while (at < c->open_count && c->open[at].producer_id != h->producer_id) {
        at++;
    }
    if (!batch_is_control(h)) {
        if (at == c->open_count && at < OPEN_MAX) {
            c->open[c->open_count++] = (struct aborted){h->producer_id, h->base_offset, -1};
        }
        return;
    }
    if (at == c->open_count) {
        return; // a marker of nothing here
    }
    if (is_abort) {
        if (c->scan_count == c->scan_cap) {
            c->scan_cap = c->scan_cap * 2;
            c->scan = mem_realloc(c->scan, (size_t)c->scan_cap * sizeof *c->scan);
        }
        c->scan[c->scan_count] = c->open[at];
        c->scan[c->scan_count++].marker = h->base_offset;
    }
    c->open[at] = c->open[--c->open_count];
}

static void take_records(struct committed *c, int partition, struct bytes batch, bool is_visible)
{
    struct record_iterator it;
    struct record record;
    struct error e;
    int index = partition - txn_first_partition();
    if (record_iterator_init(&it, &c->codec, batch, NULL, &e) != ERR_OK) {
        checker_fail(c->s->checker, "partition %d: a stored batch cannot be read", partition);
        return;
    }
    bool is_transactional = batch_is_transactional(&it.header);
    while (record_iterator_next(&it, &record)) {
        int producer = -1;
        uint64_t number = 0;
        uint64_t hash = 0;
        if (record.offset < c->at[index].position ||
            !consumer_record_name(&record, &producer, &number, &hash)) {
            continue; // what nobody sent is for the other readers
        }
        if (is_transactional != (producer >= TXN_CHECKER_FIRST)) {
            checker_fail(c->s->checker, "I4: partition %d offset %lld changed sides of a transaction",
                         partition, (long long)record.offset);
        } else if (is_transactional) {
            txn_read(c->history, partition, producer, number, is_visible);
        }
    }
    if (record_iterator_fini(&it, &e) != ERR_OK && !c->s->rot_happened) {
        checker_fail(c->s->checker, "partition %d: a stored batch cannot be read: %s", partition, e.text);
    }
}

static void take_marker(struct committed *c, int partition, const struct batch_header *h, struct bytes batch)
{
    struct record_iterator it;
    struct record record;
    struct error e;
    int16_t type = -1;
    bool is_marker = record_iterator_init(&it, &c->codec, batch, NULL, &e) == ERR_OK;
    is_marker = is_marker && record_iterator_next(&it, &record) && control_type_read(record.key, &type);
    if (!is_marker || (type != CONTROL_ABORT && type != CONTROL_COMMIT)) {
        checker_fail(c->s->checker, "I4: partition %d offset %lld: a control batch that is no marker",
                     partition, (long long)h->base_offset);
    }
    if (c->is_scanning) {
        scan_note(c, h, type == CONTROL_ABORT);
    }
    if (type == CONTROL_ABORT) {
        isolation_leave(&c->isolation, h->producer_id);
    } else if (isolation_hides(&c->isolation, h->producer_id)) {
        checker_fail(c->s->checker, "I7: partition %d offset %lld commits what the fetch calls aborted",
                     partition, (long long)h->base_offset);
    }
}

// take_batch: false = rot was seen.
static bool take_batch(struct committed *c, int partition, const struct fetch_response_partition *got,
                       struct bytes batch)
{
    struct error e;
    struct batch_header h;
    struct reader_partition *at = &c->at[partition - txn_first_partition()];
    if (batch_header_read(batch, &h, &e) != ERR_OK || h.size > batch.len || !batch_crc_check(batch)) {
        if (!c->s->rot_happened) {
            checker_fail(c->s->checker, "I1: partition %d: a damaged batch was served", partition);
        }
        return false;
    }
    int64_t end = batch_last_offset(&h) + 1;
    if (c->s->rot_happened && (h.base_offset > at->position || end > got->last_stable_offset)) {
        return false;
    }
    if (h.base_offset > at->position || end > got->last_stable_offset) {
        checker_fail(
            c->s->checker,
            "I12: partition %d: asked for offset %lld, got a batch of %lld to %lld; last stable %lld",
            partition, (long long)at->position, (long long)h.base_offset, (long long)end - 1,
            (long long)got->last_stable_offset);
    }
    isolation_enter(&c->isolation, got, end);
    if (batch_is_control(&h)) {
        take_marker(c, partition, &h, batch);
    } else {
        if (batch_is_transactional(&h) && c->is_scanning) {
            scan_note(c, &h, false);
        }
        take_records(c, partition, batch,
                     !batch_is_transactional(&h) || !isolation_hides(&c->isolation, h.producer_id));
    }
    at->position = end > at->position ? end : at->position;
    return true;
}

// ---- a fetch

static struct fetch_response *fetch(struct committed *c, int partition, int32_t bytes_max)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    const struct topic_plan *topic = topic_plan_of(partition);
    struct fetch_request *request = wire_new(&arena, &fetch_request_type, 1);
    request->max_wait_ms = (int32_t)sim_rand(c->s->world, 50);
    request->min_bytes = 1;
    request->max_bytes = 1 << 20;
    request->isolation_level = 1;
    request->topics = wire_array(&arena, fetch_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].topic = str_from_c(topic->name);
    request->topics[0].partitions = wire_array(&arena, fetch_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].partition = partition - topic->first;
    request->topics[0].partitions[0].fetch_offset = c->at[partition - topic->first].position;
    request->topics[0].partitions[0].partition_max_bytes = bytes_max;
    struct fetch_response *r = client_call(&c->client, API_FETCH, FETCH_VERSION, request, CALL_MS * MS);
    arena_fini(&arena);
    return r != NULL && r->topics_count == 1 && r->topics[0].partitions_count == 1 ? r : NULL;
}

static void take_bounds(struct committed *c, int partition, const struct fetch_response_partition *got)
{
    struct reader_partition *at = &c->at[partition - txn_first_partition()];
    int64_t *stable_max = &at->stable_max[c->broker];
    if (got->last_stable_offset < *stable_max && !c->s->rot_happened) {
        checker_fail(c->s->checker, "I3: partition %d: the last stable offset went from %lld back to %lld",
                     partition, (long long)*stable_max, (long long)got->last_stable_offset);
    }
    if (got->last_stable_offset > got->high_watermark) {
        checker_fail(c->s->checker, "I12: partition %d: the last stable offset %lld is past the end, %lld",
                     partition, (long long)got->last_stable_offset, (long long)got->high_watermark);
    }
    *stable_max = got->last_stable_offset;
    at->stable = got->last_stable_offset;
    at->log_start = got->log_start_offset;
    at->high = got->high_watermark;
    txn_stable(c->history, partition, got->log_start_offset, got->last_stable_offset);
}

static int times_named(const struct fetch_response_partition *got, const struct aborted *a)
{
    int count = 0;
    for (int32_t i = 0; i < got->aborted_transactions_count; i++) {
        const struct fetch_response_aborted_transaction *told = &got->aborted_transactions[i];
        count += told->producer_id == a->producer_id && told->first_offset == a->first;
    }
    return count;
}

static int times_named_before(const struct fetch_response_partition *got, int64_t producer_id)
{
    int count = 0;
    for (int32_t i = 0; i < got->aborted_transactions_count; i++) {
        const struct fetch_response_aborted_transaction *told = &got->aborted_transactions[i];
        count += told->producer_id == producer_id && told->first_offset < got->log_start_offset;
    }
    return count;
}

static bool is_first_of_producer(const struct committed *c, int at)
{
    for (int i = 0; i < at; i++) {
        if (c->scan[i].producer_id == c->scan[at].producer_id) {
            return false;
        }
    }
    return true;
}

// check_list: the list of aborted transactions belongs to [from, to).
static void check_list(struct committed *c, int partition, const struct fetch_response_partition *got,
                       int64_t from, int64_t to)
{
    for (int i = 0; i < c->scan_count; i++) {
        const struct aborted *a = &c->scan[i];
        bool is_wanted = a->first < to && a->marker >= from;
        int count = times_named(got, a);
        if (is_wanted && count == 0 && is_first_of_producer(c, i)) { // its true beginning may be gone
            count = times_named_before(got, a->producer_id);
        }
        if (count != is_wanted) {
            checker_fail(
                c->s->checker,
                "I7: partition %d: a fetch of %lld to %lld names the transaction aborted from %lld to "
                "%lld %d times",
                partition, (long long)from, (long long)to - 1, (long long)a->first, (long long)a->marker,
                count);
        }
    }
    for (int32_t j = 0; j < got->aborted_transactions_count; j++) {
        const struct fetch_response_aborted_transaction *told = &got->aborted_transactions[j];
        bool is_known = told->first_offset <= got->log_start_offset;
        for (int i = 0; i < c->scan_count && !is_known; i++) {
            is_known = c->scan[i].producer_id == told->producer_id && c->scan[i].first == told->first_offset;
        }
        if (!is_known) {
            checker_fail(c->s->checker,
                         "I7: partition %d: a fetch names a transaction aborted from %lld on: there "
                         "is none",
                         partition, (long long)told->first_offset);
        }
    }
}

// read_some fetches once; false = no connection, or an error. checks_list: what it says is compared with the
// scan.
static bool read_some(struct committed *c, int partition, bool checks_list)
{
    struct reader_partition *at = &c->at[partition - txn_first_partition()];
    int64_t from = at->position;
    const struct fetch_response *r = fetch(c, partition, sim_chance(c->s->world, 400) ? 500 : 1 << 20);
    if (r == NULL) {
        return false;
    }
    const struct fetch_response_partition *got = &r->topics[0].partitions[0];
    if (got->error == ERR_OFFSET_OUT_OF_RANGE) { // trimmed, or a broker that lags
        int64_t start = client_list_offset(&c->client, partition, -2, NULL);
        at->position = start > at->position ? start : at->position;
        return start != OFFSET_NO_ANSWER;
    }
    if (got->error != ERR_OK) {
        return false; // the other readers know which errors may be
    }
    take_bounds(c, partition, got);
    memset(&c->isolation, 0, sizeof c->isolation);
    struct bytes records = got->records.bytes;
    while (records.len >= BATCH_HEADER_SIZE && !checker_has_failed(c->s->checker)) {
        size_t size = 0;
        struct error e;
        if (batch_size_peek(records, &size, &e) != ERR_OK || size > records.len ||
            !take_batch(c, partition, got, bytes_slice(records, 0, size))) {
            break;
        }
        records = bytes_slice(records, size, records.len - size);
    }
    if (checks_list && at->position > from) {
        check_list(c, partition, got, from, at->position);
    }
    return true;
}

// ---- the program

static bool look_at_offsets(struct committed *c)
{
    int id = (int)sim_rand(c->s->world, (uint64_t)c->s->txn_producer_count);
    int64_t asked_ns = sim_world_now_ns(c->s->world);
    int64_t offset = -1;
    bool is_answered = txn_call_committed(&c->client, id, &offset);
    if (is_answered) {
        txn_committed(c->history, id, offset, asked_ns);
    }
    return is_answered;
}

static struct committed *committed_create(struct scenario *s, struct env *env)
{
    struct committed *c = mem_zalloc(sizeof *c);
    c->s = s;
    c->history = s->txns;
    client_init(&c->client, env);
    return c;
}

static void committed_destroy(struct committed *c)
{
    codec_context_fini(&c->codec);
    client_fini(&c->client);
    mem_free(c->scan);
    mem_free(c);
}

void committed_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct scenario *s = args->scenario;
    struct committed *c = committed_create(s, env);
    while (s->phase == PHASE_CHAOS) {
        if (!s->topics_are_ready || (c->client.sock == NULL && !connect_some(c, -1))) {
            client_sleep(&c->client, 20 * MS);
            continue;
        }
        int partition = txn_first_partition() + (int)sim_rand(s->world, TXN_PARTITIONS);
        struct reader_partition *at = &c->at[partition - txn_first_partition()];
        if (sim_chance(s->world, 50)) { // what is old must still be left out
            at->position =
                at->log_start + (int64_t)sim_rand(s->world, (uint64_t)(at->position - at->log_start) + 1);
        }
        bool is_fine = read_some(c, partition, false);
        if (is_fine && c->broker == s->txn_broker && sim_chance(s->world, 200)) {
            (void)look_at_offsets(c); // pending ones have an error
        }
        if (!is_fine || sim_chance(s->world, 20)) {
            client_drop(&c->client);
        }
        client_sleep(&c->client, (int64_t)sim_rand(s->world, 40) * MS);
    }
    committed_destroy(c);
    s->active_clients--;
}

// ---- the last pass

// wait_stable: all that was open has ended, because its time is up; then reads it all.
static bool read_whole(struct committed *c, int partition)
{
    struct reader_partition *at = &c->at[partition - txn_first_partition()];
    int64_t deadline_ns = sim_world_now_ns(c->s->world) + PATIENCE_S * 1000 * MS;
    int quiet = 0;
    while (sim_world_now_ns(c->s->world) < deadline_ns && !checker_has_failed(c->s->checker)) {
        int64_t before = at->position;
        if (c->client.sock == NULL && !connect_some(c, c->s->txn_broker)) {
            continue;
        }
        if (!read_some(c, partition, false)) {
            client_drop(&c->client);
            client_sleep(&c->client, 20 * MS);
            continue;
        }
        quiet =
            at->position == before && at->stable == at->high && at->position >= at->stable ? quiet + 1 : 0;
        if (quiet > (c->s->is_shared ? 20 : 0)) {
            return true;
        }
    }
    return false;
}

static void final_partition(struct committed *c, int partition)
{
    struct reader_partition *at = &c->at[partition - txn_first_partition()];
    c->scan_count = c->open_count = 0;
    c->scan_cap = 16;
    c->scan = mem_alloc((size_t)c->scan_cap * sizeof *c->scan);
    c->is_scanning = true;
    bool is_read = read_whole(c, partition);
    c->is_scanning = false;
    if (!is_read) {
        checker_fail(c->s->checker,
                     "I19: partition %d: read up to %lld, last stable %lld of %lld: a transaction never ends",
                     partition, (long long)at->position, (long long)at->stable, (long long)at->high);
        return;
    }
    txn_final_partition(c->history, partition, at->log_start);
    for (int i = 0; i < LOOKS && at->stable > at->log_start && !checker_has_failed(c->s->checker); i++) {
        at->position = at->log_start + (int64_t)sim_rand(c->s->world, (uint64_t)(at->stable - at->log_start));
        if (c->client.sock == NULL && !connect_some(c, c->s->txn_broker)) {
            continue;
        }
        if (!read_some(c, partition, true)) {
            client_drop(&c->client);
        }
    }
    mem_free(c->scan);
    c->scan = NULL;
}

static void final_offset(struct committed *c, int id)
{
    int64_t deadline_ns = sim_world_now_ns(c->s->world) + PATIENCE_S * 1000 * MS;
    while (sim_world_now_ns(c->s->world) < deadline_ns) {
        int64_t offset = -1;
        int64_t asked_ns = sim_world_now_ns(c->s->world);
        if (c->client.sock == NULL && !connect_some(c, c->s->txn_broker)) {
            continue;
        }
        if (txn_call_committed(&c->client, id, &offset)) {
            txn_committed(c->history, id, offset, asked_ns);
            txn_final_offset(c->history, id, offset);
            return;
        }
        client_sleep(&c->client, 20 * MS);
    }
    checker_fail(c->s->checker, "I19: the offsets of id %d never become stable", id);
}

void committed_final(struct scenario *s, struct env *env)
{
    struct committed *c = committed_create(s, env);
    txn_final_begin(c->history);
    for (int i = 0; i < TXN_PARTITIONS && !checker_has_failed(s->checker); i++) {
        final_partition(c, txn_first_partition() + i);
    }
    for (int id = 0; id < s->txn_producer_count && !checker_has_failed(s->checker); id++) {
        final_offset(c, id);
    }
    committed_destroy(c);
}
