// SPDX-License-Identifier: Apache-2.0
// ruled.c - who writes to governed topics, and who changes their rules. The first writer is idempotent and
// has five requests in flight, as Java's producer: after a refusal it gives the sequence numbers of the
// refused batch to what it sent after it, and sends that again. The second one makes transactions; the third
// has no producer id and one request in flight.
#include "ruled.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "catalogue.h"
#include "client.h"
#include "record/build.h"
#include "server/serve.h"

enum { CALL_MS = 3000, WINDOW = 5, BATCHES_MAX = 600, TXN_TIMEOUT_MS = 60000, TXN_BATCHES_MAX = 4 };
#define MS     1000000LL
#define TXN_ID STR("ruled-writer")

struct pending {
    enum ruled_topic topic;
    uint64_t number;
    int32_t count;
    int32_t sequence;
    char letters[RULED_RECORDS_MAX];
    int64_t timestamp;
    int attempts; // that may have been heard
    bool is_sent;
    bool was_renumbered; // since it was sent
};

struct ruled_writer {
    struct scenario *s;
    struct ruled_history *history;
    struct client client;
    int index;
    bool is_in_txn;
    int64_t producer_id; // -1 = none yet
    int16_t epoch;
    int32_t next_sequence[RULED_TOPICS];
    struct pending window[WINDOW];
    int pending_count;
    struct {
        int32_t correlation;
        uint64_t number;
    } flight[WINDOW]; // in the order in which the answers come
    int flight_count;
};

static struct sim_world *world(const struct ruled_writer *w)
{
    return w->s->world;
}

static bool is_passing(enum err err)
{
    return err_is_retriable(err) || err == ERR_CLOSED || err == ERR_STORAGE || err == ERR_IO ||
           err == ERR_READ_ONLY;
}

static bool is_connected(struct ruled_writer *w)
{
    bool is_one = w->is_in_txn || w->s->broker_count == 1;
    int broker = is_one ? w->s->txn_broker : (int)sim_rand(world(w), (uint64_t)w->s->broker_count);
    if (w->client.sock != NULL ||
        client_connect(&w->client, w->s->brokers[broker].address, BROKER_PORT, 1000 * MS)) {
        return true;
    }
    client_sleep(&w->client, (int64_t)(1 + sim_rand(world(w), 80)) * MS);
    return false;
}

// ---- the topics

static bool topic_make(struct ruled_writer *w, enum ruled_topic topic)
{
    const struct create_topics_request_config configs[] = {
        {.name = STR("strom.value.validation.level"), .value = STR("contract")},
        {.name = STR("strom.validation.on.failure"),
         .value = topic == RULED_ASIDE ? STR("dlq") : STR("reject")},
        {.name = STR("message.timestamp.after.max.ms"), .value = STR("9223372036854775807")},
    };
    enum err err = ERR_OK;
    bool is_answered = admin_create_topic_with(&w->client, ruled_topics[topic], 1, configs, 3, &err);
    if (!is_answered) {
        client_drop(&w->client);
    }
    return is_answered && (err == ERR_OK || err == ERR_TOPIC_EXISTS);
}

// ---- batches

static void build(const struct ruled_writer *w, const struct pending *b, struct buf *out)
{
    struct batch_options options = batch_options_default();
    options.base_timestamp = b->timestamp;
    options.codec = (enum codec)(b->number % CODEC_COUNT);
    options.attributes = w->is_in_txn ? BATCH_ATTRIBUTE_TRANSACTIONAL : 0;
    options.producer_id = w->producer_id;
    options.producer_epoch = w->producer_id < 0 ? -1 : w->epoch;
    options.base_sequence = w->producer_id < 0 ? -1 : b->sequence;
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < b->count; i++) {
        char value[200];
        int padding = (int)(b->number * 7 % 100);
        int len = snprintf(value, sizeof value, "%c%llu/%d:%0*d", b->letters[i],
                           (unsigned long long)b->number, i, padding, 0);
        batch_builder_append(&builder, b->timestamp + i, bytes_of("k", 1), bytes_of(value, (size_t)len), NULL,
                             0);
    }
    buf_init(out, 1 << 20);
    struct error e;
    if (batch_builder_finish(&builder, out, &e) != ERR_OK) {
        abort();
    }
    batch_builder_fini(&builder);
}

static void draw(struct ruled_writer *w, struct pending *ret)
{
    *ret = (struct pending){.count = 1 + (int32_t)sim_rand(world(w), RULED_RECORDS_MAX)};
    ret->topic = sim_chance(world(w), 650) ? RULED_ASIDE : RULED_STRICT;
    ret->timestamp = clock_wall_ms(w->client.env->clock);
    char same = sim_chance(world(w), 300) ? (char)('A' + sim_rand(world(w), RULED_LETTERS)) : 0;
    for (int32_t i = 0; i < ret->count; i++) {
        ret->letters[i] = same != 0 ? same : (char)('A' + sim_rand(world(w), RULED_LETTERS));
    }
    ret->number = ruled_sent(w->history, ret->topic, ret->letters, ret->count);
    ret->sequence = w->next_sequence[ret->topic];
    w->next_sequence[ret->topic] += ret->count;
}

static bool send_batch(struct ruled_writer *w, const struct pending *b, int32_t *ret_correlation)
{
    struct arena arena;
    struct buf batch;
    build(w, b, &batch);
    arena_init(&arena, 1 << 20);
    struct produce_request *request = wire_new(&arena, &produce_request_type, 1);
    request->transactional_id = w->is_in_txn ? TXN_ID : (struct str){NULL, 0};
    request->acks = -1;
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, produce_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(ruled_topics[b->topic]);
    request->topics[0].partitions = wire_array(&arena, produce_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].records.bytes = buf_bytes(&batch);
    bool is_sent = client_send(&w->client, API_PRODUCE, 12, request, ret_correlation, CALL_MS * MS);
    arena_fini(&arena);
    buf_fini(&batch);
    return is_sent;
}

// receive gives the next answer; ERR_CLOSED: none came.
static enum err receive(struct ruled_writer *w, int32_t *ret_correlation, int64_t *ret_offset)
{
    struct bytes frame;
    if (!client_receive(&w->client, CALL_MS * MS, &frame)) {
        return ERR_CLOSED;
    }
    const struct produce_response *r = client_decode(&w->client, API_PRODUCE, 12, frame, ret_correlation);
    if (r == NULL || r->topics_count != 1 || r->topics[0].partitions_count != 1) {
        checker_fail(w->s->checker, "a Produce answer does not decode");
        return ERR_CLOSED;
    }
    const struct produce_response_partition *p = &r->topics[0].partitions[0];
    if (p->error == ERR_INVALID_RECORD && (p->record_errors_count == 0 || p->error_message.len == 0)) {
        checker_fail(w->s->checker, "a refusal gives no reason");
    }
    *ret_offset = p->base_offset;
    return p->error;
}

static bool init(struct ruled_writer *w)
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
    memset(w->next_sequence, 0, sizeof w->next_sequence);
    return true;
}

// ---- the idempotent one

static void forget(struct ruled_writer *w, int at)
{
    w->pending_count--;
    memmove(&w->window[at], &w->window[at + 1], (size_t)(w->pending_count - at) * sizeof w->window[0]);
}

// start_over: nobody knows what became of the batches; a new producer begins.
static void start_over(struct ruled_writer *w)
{
    w->pending_count = w->flight_count = 0; // they stay in doubt
    w->producer_id = -1;
    client_drop(&w->client);
}

// take_refusal: its sequence numbers go to those behind it. An attempt that was not answered may be on its
// way still: then no number may be used twice.
static void take_refusal(struct ruled_writer *w, int at)
{
    struct pending refused = w->window[at];
    if (refused.attempts > 1) {
        start_over(w);
        return;
    }
    ruled_settled(w->history, refused.number, RULED_REFUSED);
    forget(w, at);
    w->next_sequence[refused.topic] -= refused.count;
    for (int i = at; i < w->pending_count; i++) {
        if (w->window[i].topic == refused.topic) {
            w->window[i].sequence -= refused.count;
            w->window[i].was_renumbered = w->window[i].is_sent;
        }
    }
}

static bool take_answer(struct ruled_writer *w, enum err err, uint64_t number, int64_t offset)
{
    int at = 0;
    while (at < w->pending_count && w->window[at].number != number) {
        at++;
    }
    if (at == w->pending_count) {
        abort();
    }
    struct pending *b = &w->window[at];
    scenario_say(w->s, "ruled writer: batch %llu of %s sequence %d+%d: %s %lld", (unsigned long long)number,
                 ruled_topics[b->topic], b->sequence, b->count, err_name(err), (long long)offset);
    if (err == ERR_OK) {
        ruled_acked(w->history, number, offset);
        ruled_settled(w->history, number, RULED_KEPT);
        forget(w, at);
    } else if (err == ERR_INVALID_RECORD) {
        take_refusal(w, at);
    } else if (err == ERR_OUT_OF_ORDER_SEQUENCE && b->was_renumbered) {
        b->is_sent = b->was_renumbered = false;
        b->attempts = 0;
    } else if (is_passing(err)) {
        return false;
    } else {
        checker_fail(w->s->checker, "I15: the idempotent writer got %s for sequence %d of %s", err_name(err),
                     b->sequence, ruled_topics[b->topic]);
    }
    return true;
}

static void reconnect(struct ruled_writer *w)
{
    client_drop(&w->client);
    client_sleep(&w->client, (int64_t)(1 + sim_rand(world(w), 50)) * MS);
    w->flight_count = 0;
    for (int i = 0; i < w->pending_count; i++) {
        if (w->window[i].was_renumbered) { // under which number it may be there nobody knows
            start_over(w);
            return;
        }
        w->window[i].is_sent = false;
    }
}

// pipelined: one step; false: the connection is to be made again.
static bool pipelined(struct ruled_writer *w)
{
    while (w->pending_count < WINDOW && w->s->phase == PHASE_CHAOS && ruled_count(w->history) < BATCHES_MAX &&
           sim_chance(world(w), 700)) {
        draw(w, &w->window[w->pending_count++]);
    }
    bool must_wait = false; // what was renumbered goes again when all answers are here
    for (int i = 0; i < w->pending_count; i++) {
        must_wait = must_wait || w->window[i].was_renumbered ||
                    (!w->window[i].is_sent && i + 1 < w->pending_count && w->window[i + 1].is_sent);
    }
    for (int i = 0; i < w->pending_count && !(must_wait && w->flight_count > 0); i++) {
        struct pending *b = &w->window[i];
        if (b->is_sent) {
            continue;
        }
        int32_t correlation = 0;
        b->is_sent = true;
        b->attempts++;
        if (!send_batch(w, b, &correlation)) {
            return false;
        }
        w->flight[w->flight_count].correlation = correlation;
        w->flight[w->flight_count++].number = b->number;
    }
    if (w->flight_count == 0) {
        client_sleep(&w->client, (int64_t)(1 + sim_rand(world(w), 30)) * MS);
        return true;
    }
    int32_t correlation = -1;
    int64_t offset = -1;
    enum err err = receive(w, &correlation, &offset);
    uint64_t number = w->flight[0].number;
    if (err == ERR_CLOSED || correlation != w->flight[0].correlation) {
        return false;
    }
    w->flight_count--;
    memmove(&w->flight[0], &w->flight[1], (size_t)w->flight_count * sizeof w->flight[0]);
    return take_answer(w, err, number, offset);
}

// ---- the others: one request at a time

static enum err call(struct ruled_writer *w, const struct pending *b, int64_t *ret_offset)
{
    int32_t sent = 0;
    int32_t received = -1;
    if (!send_batch(w, b, &sent)) {
        return ERR_CLOSED;
    }
    enum err err = receive(w, &received, ret_offset);
    if (err == ERR_CLOSED || received != sent) {
        client_drop(&w->client);
        return ERR_CLOSED;
    }
    return err;
}

static void plain(struct ruled_writer *w)
{
    struct pending b;
    int64_t offset = -1;
    draw(w, &b);
    enum err err = call(w, &b, &offset);
    if (err == ERR_OK) {
        ruled_acked(w->history, b.number, offset);
        ruled_settled(w->history, b.number, RULED_KEPT);
    } else if (err == ERR_INVALID_RECORD) {
        ruled_settled(w->history, b.number, RULED_REFUSED);
    }
}

static enum err end(struct ruled_writer *w, bool is_commit)
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
    memset(w->next_sequence, 0, sizeof w->next_sequence);
    return ERR_OK;
}

// repeat calls until there is a definite answer; ERR_CLOSED: the world ended before. b NULL: an end.
static enum err repeat(struct ruled_writer *w, struct pending *b, bool is_commit, int64_t *ret_offset)
{
    while (w->s->phase == PHASE_CHAOS || (w->s->phase == PHASE_HEAL && !w->s->rot_happened)) {
        if (!is_connected(w)) {
            continue;
        }
        if (b != NULL) {
            b->attempts++;
        }
        enum err err = b == NULL ? end(w, is_commit) : call(w, b, ret_offset);
        if (!is_passing(err)) {
            return err;
        }
        client_sleep(&w->client, (int64_t)(1 + sim_rand(world(w), 40)) * MS);
    }
    return ERR_CLOSED;
}

static void transaction(struct ruled_writer *w)
{
    struct pending batches[TXN_BATCHES_MAX];
    int count = 0;
    int wanted = 1 + (int)sim_rand(world(w), TXN_BATCHES_MAX);
    enum err err = ERR_OK;
    while (count < wanted && err == ERR_OK) {
        int64_t offset = -1;
        struct pending *b = &batches[count++];
        draw(w, b);
        err = repeat(w, b, false, &offset);
        if (err == ERR_OK) {
            ruled_acked(w->history, b->number, offset);
        }
    }
    bool may_go_on = err == ERR_OK || err == ERR_INVALID_RECORD;
    if (err == ERR_INVALID_RECORD) {
        bool is_certain = batches[count - 1].attempts == 1;
        ruled_settled(w->history, batches[count - 1].number, is_certain ? RULED_REFUSED : RULED_ABORTED);
    }
    // An attempt whose answer was lost may come late, into the next transaction: it must not be one.
    bool is_commit = err == ERR_OK && sim_chance(world(w), 700);
    int64_t ignored = 0;
    enum err end_err = may_go_on ? repeat(w, NULL, is_commit, &ignored) : ERR_CLOSED;
    for (int i = 0; i < count && end_err == ERR_OK && err == ERR_OK; i++) {
        ruled_settled(w->history, batches[i].number, is_commit ? RULED_KEPT : RULED_ABORTED);
    }
    for (int i = 0; i + 1 < count && end_err == ERR_OK && err != ERR_OK; i++) {
        ruled_settled(w->history, batches[i].number, RULED_ABORTED);
    }
    if (end_err != ERR_OK) {
        w->producer_id = -1;
    }
}

static void step(struct ruled_writer *w)
{
    bool needs_id = w->index < 2;
    if (needs_id && w->producer_id < 0) {
        if (!init(w)) {
            client_drop(&w->client);
        }
    } else if (w->index == 0) {
        if (!pipelined(w)) {
            reconnect(w);
        }
    } else if (ruled_count(w->history) >= BATCHES_MAX) {
        client_sleep(&w->client, 100 * MS);
    } else if (w->is_in_txn) {
        transaction(w);
    } else {
        plain(w);
    }
}

void ruled_writer_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct ruled_writer *w = mem_zalloc(sizeof *w);
    struct scenario *s = args->scenario;
    w->s = s;
    w->history = s->ruled;
    w->index = args->index;
    w->is_in_txn = args->index == 1;
    w->producer_id = -1;
    client_init(&w->client, env);
    while (s->phase == PHASE_CHAOS) {
        client_sleep(&w->client, (int64_t)(1 + sim_rand(s->world, 20 + s->pace_ms)) * MS);
        if (s->ruled_is_ready) {
            if (is_connected(w)) {
                step(w);
            }
        } else if (w->index == 0 && is_connected(w)) {
            s->ruled_is_ready = topic_make(w, RULED_ASIDE) && topic_make(w, RULED_STRICT);
        }
    }
    client_fini(&w->client);
    mem_free(w);
    s->active_clients--;
}

// ---- who changes the rules

static void change(struct document_writer *w, enum ruled_topic topic)
{
    struct scenario *s = w->host->scenario;
    char key[32];
    char letter = sim_chance(s->world, 200) ? '-' : (char)('A' + sim_rand(s->world, RULED_LETTERS));
    snprintf(key, sizeof key, RULED_WORD "%s", ruled_topics[topic]);
    const struct core *core = broker_view_begin(w->broker);
    const struct document *document = core_document_find(core, str_from_c(key));
    struct item_condition condition = {str_from_c(key), document == NULL ? 0 : document_revision(document)};
    broker_view_end(w->broker);
    struct item_document put = {
        .op = DOCUMENT_PUT, .key = str_from_c(key), .value = bytes_of((const uint8_t *)&letter, 1)};
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1, .documents = {&condition, 1, &put, 1}};
    struct outcome outcome = {0};
    struct error e = {0};
    int word = ruled_word_sent(s->ruled, topic, letter);
    enum err err = broker_change_wait(w->broker, &item, &outcome, &e);
    err = err == ERR_OK ? outcome.err : err;
    scenario_say(s, "the rule of %s: %c: %s", ruled_topics[topic], letter, err_name(err));
    if (err == ERR_OK) {
        ruled_word_acked(s->ruled, word);
    } else if (err == ERR_STALE) { // one that was in doubt has come before
        ruled_word_void(s->ruled, word);
    }
}

void ruled_changer_main(void *arg)
{
    struct document_writer *w = arg;
    struct scenario *s = w->host->scenario;
    while (!w->must_stop && !s->rot_happened && !w->host->is_read_only && s->phase < PHASE_FINAL) {
        int64_t pause_ms = 5 + (int64_t)sim_rand(s->world, sim_chance(s->world, 300) ? 15 : 300);
        clock_sleep_until(w->env->clock, clock_mono_ns(w->env->clock) + pause_ms * MS);
        if (s->ruled_is_ready && !w->must_stop) {
            change(w, (enum ruled_topic)sim_rand(s->world, RULED_TOPICS));
        }
    }
}
