// SPDX-License-Identifier: Apache-2.0
// keyed.c - writers of the compacted topic. Each batch is tried until it is answered, so that the order of
// the writes of a key is known; the second writer makes it a transaction (in the second protocol, where a
// retry can do no harm), and aborts some.
#include "keyed.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "catalogue.h"
#include "client.h"
#include "record/build.h"

enum { CALL_MS = 3000, RECORDS_MAX = 4, BODY_MAX = 300, TXN_TIMEOUT_MS = 60000, WRITES_MAX = 1000 };
#define MS     1000000LL
#define TXN_ID STR("keyed-writer")

struct keyed_writer {
    struct scenario *s;
    struct keyed_history *history;
    struct client client;
    int index;
    bool is_in_txn;
    int64_t producer_id;
    int16_t epoch;
    int32_t sequence;
    uint64_t numbers[RECORDS_MAX];
    int32_t count;
    struct buf batch;
};

static bool is_connected(struct keyed_writer *w)
{
    const char *address = w->s->brokers[w->s->txn_broker].address;
    if (w->client.sock != NULL || client_connect(&w->client, address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&w->client, (int64_t)(1 + sim_rand(w->s->world, 80)) * MS);
    return false;
}

static bool is_passing(enum err err)
{
    return err_is_retriable(err) || err == ERR_CLOSED || err == ERR_STORAGE || err == ERR_IO ||
           err == ERR_READ_ONLY;
}

// ---- the topic

static void topic_make(struct keyed_writer *w)
{
    const struct scenario *s = w->s;
    char retention[24];
    char segment[24];
    char lag[24];
    snprintf(retention, sizeof retention, "%lld", (long long)s->keyed_delete_retention_ms);
    snprintf(segment, sizeof segment, "%lld", (long long)s->keyed_segment_ms);
    snprintf(lag, sizeof lag, "%lld", (long long)s->keyed_lag_ms);
    const struct create_topics_request_config configs[] = {
        {.name = STR("cleanup.policy"), .value = STR("compact")},
        {.name = STR("min.cleanable.dirty.ratio"), .value = STR("0.01")},
        {.name = STR("delete.retention.ms"), .value = str_from_c(retention)},
        {.name = STR("segment.ms"), .value = str_from_c(segment)},
        {.name = STR("max.compaction.lag.ms"), .value = str_from_c(lag)},
        {.name = STR("message.timestamp.after.max.ms"), .value = STR("9223372036854775807")},
    };
    enum err err = ERR_OK;
    bool is_answered = admin_create_topic_with(&w->client, KEYED_TOPIC, 1, configs, 6, &err);
    w->s->keyed_is_ready = is_answered && (err == ERR_OK || err == ERR_TOPIC_EXISTS);
    if (!is_answered) {
        client_drop(&w->client);
    }
}

// ---- calls

static bool init(struct keyed_writer *w)
{
    struct init_producer_id_request request;
    wire_init(&init_producer_id_request_type, &request);
    request.transactional_id = w->is_in_txn ? TXN_ID : (struct str){NULL, 0};
    request.transaction_timeout_ms = TXN_TIMEOUT_MS;
    const struct init_producer_id_response *r =
        client_call(&w->client, API_INIT_PRODUCER_ID, 4, &request, CALL_MS * MS);
    if (r == NULL || r->error != ERR_OK) {
        return false;
    }
    w->producer_id = r->producer_id;
    w->epoch = r->producer_epoch;
    w->sequence = 0;
    return true;
}

static enum err produce(struct keyed_writer *w, int64_t *ret_offset)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct produce_request *request = wire_new(&arena, &produce_request_type, 1);
    request->transactional_id = w->is_in_txn ? TXN_ID : (struct str){NULL, 0};
    request->acks = -1;
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, produce_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = STR(KEYED_TOPIC);
    request->topics[0].partitions = wire_array(&arena, produce_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].records.bytes = buf_bytes(&w->batch);
    const struct produce_response *r = client_call(&w->client, API_PRODUCE, 12, request, CALL_MS * MS);
    arena_fini(&arena);
    if (r == NULL || r->topics_count != 1 || r->topics[0].partitions_count != 1) {
        return ERR_CLOSED;
    }
    *ret_offset = r->topics[0].partitions[0].base_offset;
    return r->topics[0].partitions[0].error;
}

static enum err end(struct keyed_writer *w, bool is_commit)
{
    struct end_txn_request request;
    wire_init(&end_txn_request_type, &request);
    request.transactional_id = TXN_ID;
    request.producer_id = w->producer_id;
    request.producer_epoch = w->epoch;
    request.committed = is_commit;
    const struct end_txn_response *r = client_call(&w->client, API_END_TXN, 5, &request, CALL_MS * MS);
    if (r == NULL || r->error != ERR_OK) {
        return r == NULL ? ERR_CLOSED : r->error;
    }
    w->producer_id = r->producer_id;
    w->epoch = r->producer_epoch;
    w->sequence = 0;
    return ERR_OK;
}

// ---- a batch

static void build(struct keyed_writer *w)
{
    struct sim_world *world = w->s->world;
    struct batch_options options = batch_options_default();
    options.base_timestamp = clock_wall_ms(w->client.env->clock);
    options.codec = (enum codec)sim_rand(world, CODEC_COUNT);
    options.attributes = w->is_in_txn ? BATCH_ATTRIBUTE_TRANSACTIONAL : 0;
    options.producer_id = w->producer_id;
    options.producer_epoch = w->epoch;
    options.base_sequence = w->sequence;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    w->count = 1 + (int32_t)sim_rand(world, RECORDS_MAX);
    for (int32_t i = 0; i < w->count; i++) {
        int key = (int)sim_rand(world, KEYED_KEYS / KEYED_WRITERS) * KEYED_WRITERS + w->index;
        bool is_tombstone = sim_chance(world, 250);
        w->numbers[i] = keyed_sent(w->history, key, is_tombstone, w->is_in_txn);
        char name[8];
        char text[24];
        char body[BODY_MAX];
        int name_len = snprintf(name, sizeof name, "k%d", key);
        int text_len = snprintf(text, sizeof text, "%llu", (unsigned long long)w->numbers[i]);
        size_t body_len = 1 + sim_rand(world, sizeof body - 1);
        memset(body, 'a' + (int)(sim_rand(world, 26)), body_len);
        struct bytes value = is_tombstone ? bytes_of(NULL, 0) : bytes_of(body, body_len);
        struct record_header header = {STR("n"), bytes_of(text, (size_t)text_len)};
        batch_builder_append(&builder, options.base_timestamp + i, bytes_of(name, (size_t)name_len), value,
                             &header, 1);
        keyed_filled(w->history, w->numbers[i], hash64(value, 5), options.base_timestamp + i);
    }
    buf_init(&w->batch, 1 << 20);
    struct error e;
    if (batch_builder_finish(&builder, &w->batch, &e) != ERR_OK) {
        abort();
    }
    batch_builder_fini(&builder);
}

static void settle(struct keyed_writer *w, enum keyed_fate fate)
{
    for (int32_t i = 0; i < w->count; i++) {
        keyed_settled(w->history, w->numbers[i], fate);
    }
}

// repeat calls until there is a definite answer; ERR_CLOSED: the world ended before.
static enum err repeat(struct keyed_writer *w, bool is_end, bool is_commit, int64_t *ret_offset,
                       bool *ret_doubt)
{
    while (w->s->phase == PHASE_CHAOS || w->s->phase == PHASE_HEAL) {
        if (!is_connected(w)) {
            continue;
        }
        enum err err = is_end ? end(w, is_commit) : produce(w, ret_offset);
        if (!is_passing(err)) {
            return err;
        }
        *ret_doubt = true;
        client_sleep(&w->client, (int64_t)(1 + sim_rand(w->s->world, 40)) * MS);
        if (w->s->rot_happened && w->s->phase == PHASE_HEAL) {
            break;
        }
    }
    return ERR_CLOSED;
}

// refused: nobody else uses these ids, but an InitProducerId that came late may have taken the epoch away.
static void refused(struct keyed_writer *w, enum err err, bool has_doubt)
{
    scenario_say(w->s, "keyed writer %d: %s", w->index, err_name(err));
    if (!w->is_in_txn && err != ERR_CLOSED && !w->s->rot_happened) {
        checker_fail(w->s->checker, "I5: the writer of the compacted topic got %s for sequence %d",
                     err_name(err), w->sequence);
    }
    settle(w, has_doubt ? KEYED_DOUBT : KEYED_ABORTED);
    w->producer_id = -1;
}

static void write_batch(struct keyed_writer *w)
{
    int64_t offset = -1;
    bool has_doubt = false;
    build(w);
    enum err err = repeat(w, false, false, &offset, &has_doubt);
    buf_fini(&w->batch);
    if (err != ERR_OK) {
        // What is not answered and belongs to a transaction that nobody commits is gone.
        refused(w, err, has_doubt && !w->is_in_txn);
        return;
    }
    w->sequence += w->count;
    for (int32_t i = 0; i < w->count; i++) {
        keyed_acked(w->history, w->numbers[i], offset + i);
    }
    if (!w->is_in_txn) {
        settle(w, KEYED_KEPT);
        return;
    }
    bool is_commit = sim_chance(w->s->world, 650);
    if (!is_commit) {
        settle(w, KEYED_ABORTED);
    }
    has_doubt = false;
    err = repeat(w, true, is_commit, &offset, &has_doubt);
    if (err != ERR_OK) {
        refused(w, err, is_commit && has_doubt);
    } else if (is_commit) {
        settle(w, KEYED_KEPT);
    }
}

void keyed_writer_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct keyed_writer *w = mem_zalloc(sizeof *w);
    struct scenario *s = args->scenario;
    w->s = s;
    w->history = s->keyed;
    w->index = args->index;
    w->is_in_txn = args->index == 1;
    w->producer_id = -1;
    client_init(&w->client, env);
    while (s->phase == PHASE_CHAOS) {
        client_sleep(&w->client, (int64_t)(1 + sim_rand(s->world, 20 + s->pace_ms)) * MS);
        if (keyed_count(s->keyed) >= WRITES_MAX || !is_connected(w)) {
            continue;
        }
        if (!s->keyed_is_ready) {
            topic_make(w);
        } else if (w->producer_id < 0) {
            (void)init(w);
        } else {
            write_batch(w);
        }
    }
    client_fini(&w->client);
    mem_free(w);
    s->active_clients--;
}
