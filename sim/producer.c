// SPDX-License-Identifier: Apache-2.0
// producer.c - simulated producers. Even ones are idempotent with pipelined batches, as Java and librdkafka
// do it: after any trouble they reconnect and resend everything unacknowledged in order with the same
// sequences. Odd ones have no producer id and one batch in flight; an unanswered batch of theirs stays in
// doubt.
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "client.h"
#include "record/build.h"
#include "scenario.h"

enum { WINDOW = 5, RECORDS_MAX = 6, TIMEOUT_MS = 3000, RECORD_BYTES_MAX = 16000 };
#define MS 1000000LL

struct pending {
    int partition;
    uint64_t number;
    int32_t count;
    int32_t sequence;
    struct buf batch;
    int32_t correlation;
    int16_t epoch;
    bool is_sent;
    bool was_sent; // at least once: the broker may have it
};

struct producer {
    struct scenario *s;
    int index;
    struct client client;
    bool is_idempotent;
    int64_t producer_id;
    int16_t epoch;
    int32_t next_sequence[PARTITIONS];
    struct pending window[WINDOW];
    int pending_count;
    // the last acknowledged batch, to send again on purpose
    struct pending last;
    int64_t last_base;
    bool has_last;
};

static struct sim_world *world(const struct producer *p)
{
    return p->s->world;
}

static uint64_t record_hash(struct bytes key, struct bytes value)
{
    return hash64(value, hash64(key, 7));
}

static void build_batch(struct producer *p, struct pending *b)
{
    struct batch_options options = batch_options_default();
    options.base_timestamp = clock_wall_ms(p->client.env->clock);
    if (topic_plan_of(b->partition)->kind != TOPIC_RETAINED && sim_chance(world(p), 200)) {
        options.base_timestamp -= (int64_t)sim_rand(world(p), 5000); // retention goes by these
    }
    options.codec = (enum codec)sim_rand(world(p), CODEC_COUNT);
    if (p->is_idempotent) {
        options.producer_id = p->producer_id;
        options.producer_epoch = b->epoch;
        options.base_sequence = b->sequence;
    }
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    for (int32_t i = 0; i < b->count; i++) {
        char key[32];
        char value[RECORD_BYTES_MAX + 100];
        bool is_long = p->s->record_bytes_max > 5000 || sim_chance(world(p), 50);
        size_t padding = sim_rand(world(p), is_long ? (uint64_t)p->s->record_bytes_max : 100);
        uint64_t salt = sim_rand(world(p), 1u << 30);
        int key_len = snprintf(key, sizeof key, "k%llu", (unsigned long long)sim_rand(world(p), 10));
        // The number is only known after hashing, so hash what follows it.
        int body = snprintf(value, sizeof value, "%llu ", (unsigned long long)salt);
        memset(value + body, 'a' + (int)(salt % 26), padding);
        struct bytes key_bytes = bytes_of(key, (size_t)key_len);
        struct bytes body_bytes = bytes_of(value, (size_t)body + padding);
        uint64_t number =
            checker_sent(p->s->checker, b->partition, p->index, record_hash(key_bytes, body_bytes));
        if (i == 0) {
            b->number = number;
        }
        char whole[RECORD_BYTES_MAX + 200];
        int head = snprintf(whole, sizeof whole, "%d/%llu:", p->index, (unsigned long long)number);
        memcpy(whole + head, body_bytes.ptr, body_bytes.len);
        batch_builder_append(&builder, options.base_timestamp + i, key_bytes,
                             bytes_of(whole, (size_t)head + body_bytes.len), NULL, 0);
    }
    buf_init(&b->batch, 1 << 20);
    struct error e;
    if (batch_builder_finish(&builder, &b->batch, &e) != ERR_OK) {
        abort();
    }
    checker_sized(p->s->checker, b->partition, p->index, b->number, b->batch.len);
    batch_builder_fini(&builder);
}

static bool send_batch(struct producer *p, const struct pending *b, int32_t *ret_correlation)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const struct topic_plan *topic = topic_plan_of(b->partition);
    struct produce_request *request = wire_new(&arena, &produce_request_type, 1);
    request->acks = -1;
    request->timeout_ms = TIMEOUT_MS;
    request->topics = wire_array(&arena, produce_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(topic->name);
    request->topics[0].partitions = wire_array(&arena, produce_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].index = b->partition - topic->first;
    request->topics[0].partitions[0].records.bytes = buf_bytes(&b->batch);
    bool is_sent = client_send(&p->client, API_PRODUCE, 9, request, ret_correlation, TIMEOUT_MS * MS);
    arena_fini(&arena);
    return is_sent;
}

static void forget_first(struct producer *p)
{
    if (p->has_last) {
        buf_fini(&p->last.batch);
    }
    p->last = p->window[0];
    p->has_last = true;
    memmove(&p->window[0], &p->window[1], (size_t)(p->pending_count - 1) * sizeof p->window[0]);
    p->pending_count--;
}

static void reconnect(struct producer *p)
{
    client_drop(&p->client);
    client_sleep(&p->client, (int64_t)(1 + sim_rand(world(p), 50)) * MS); // retry.backoff.ms
    for (int i = 0; i < p->pending_count; i++) {
        p->window[i].is_sent = false;
    }
    int broker = (int)sim_rand(world(p), (uint64_t)p->s->broker_count);
    if (!client_connect(&p->client, p->s->brokers[broker].address, BROKER_PORT, 1000 * MS)) {
        client_sleep(&p->client, (int64_t)(1 + sim_rand(world(p), 100)) * MS);
    }
}

static bool get_producer_id(struct producer *p)
{
    if (!p->is_idempotent || p->producer_id >= 0) {
        return true;
    }
    struct init_producer_id_request request;
    wire_init(&init_producer_id_request_type, &request);
    request.transactional_id = (struct str){NULL, 0};
    request.transaction_timeout_ms = 60000;
    struct init_producer_id_response *r =
        client_call(&p->client, API_INIT_PRODUCER_ID, 1, &request, TIMEOUT_MS * MS);
    if (r == NULL || r->error != ERR_OK) {
        return false;
    }
    p->producer_id = r->producer_id;
    return true;
}

// A definite refusal means that the batch is not in the log; of an idempotent producer none is expected.
static bool take_answer(struct producer *p, enum err err, int64_t base_offset)
{
    struct pending *b = &p->window[0];
    scenario_say(p->s, "producer %d partition %d epoch %d sequence %d+%d: %s %lld", p->index, b->partition,
                 b->epoch, b->sequence, b->count, err_name(err), (long long)base_offset);
    if (err == ERR_OK) {
        checker_acked(p->s->checker, b->partition, p->index, b->number, (uint64_t)b->count, base_offset);
        p->last_base = base_offset;
        forget_first(p);
        return true;
    }
    if (err_is_retriable(err) || err == ERR_STORAGE || err == ERR_IO || err == ERR_READ_ONLY) {
        return false; // reconnect and send all again
    }
    if (p->is_idempotent) {
        checker_fail(p->s->checker, "I5: idempotent producer %d got %s for sequence %d of partition %d",
                     p->index, err_name(err), b->sequence, b->partition);
    } else if (!b->was_sent) {
        checker_refused(p->s->checker, b->partition, p->index, b->number, (uint64_t)b->count);
    }
    forget_first(p);
    return true;
}

static bool receive_one(struct producer *p)
{
    struct bytes frame;
    int32_t correlation = -1;
    if (!client_receive(&p->client, TIMEOUT_MS * MS, &frame)) {
        return false;
    }
    struct produce_response *r = client_decode(&p->client, API_PRODUCE, 9, frame, &correlation);
    if (r == NULL || r->topics_count != 1 || r->topics[0].partitions_count != 1) {
        checker_fail(p->s->checker, "a Produce answer does not decode");
        return false;
    }
    if (p->pending_count == 0 || correlation != p->window[0].correlation) {
        checker_fail(p->s->checker, "answers out of order: correlation %d instead of %d", correlation,
                     p->pending_count == 0 ? -1 : p->window[0].correlation);
        return false;
    }
    enum err err = r->topics[0].partitions[0].error;
    return take_answer(p, err, r->topics[0].partitions[0].base_offset);
}

// resend_last: a retry of an acknowledged batch within the window must be answered with the same offset.
static bool resend_last(struct producer *p)
{
    if (!p->has_last || !p->is_idempotent || p->pending_count > 0 || p->last.epoch != p->epoch ||
        !sim_chance(world(p), 30)) {
        return true;
    }
    int32_t sent = 0;
    int32_t received = 0;
    struct bytes frame;
    if (!send_batch(p, &p->last, &sent) || !client_receive(&p->client, TIMEOUT_MS * MS, &frame)) {
        return false;
    }
    struct produce_response *r = client_decode(&p->client, API_PRODUCE, 9, frame, &received);
    if (r == NULL || received != sent) {
        return false;
    }
    const struct produce_response_partition *got = &r->topics[0].partitions[0];
    bool is_excused = err_is_retriable(got->error) || got->error == ERR_STORAGE || got->error == ERR_IO ||
                      got->error == ERR_READ_ONLY;
    if (got->error == ERR_OK && got->base_offset != p->last_base) {
        checker_fail(
            p->s->checker, "I5: a retry of sequence %d in partition %d got offset %lld instead of %lld",
            p->last.sequence, p->last.partition, (long long)got->base_offset, (long long)p->last_base);
    } else if (got->error != ERR_OK && !is_excused) {
        checker_fail(p->s->checker, "I5: a retry of sequence %d in partition %d got %s", p->last.sequence,
                     p->last.partition, err_name(got->error));
    }
    return got->error == ERR_OK;
}

// bump takes the next epoch, as Java's producer does by itself after some errors (KIP-360): sequences start
// at 0.
static void bump(struct producer *p)
{
    if (p->is_idempotent && p->pending_count == 0 && sim_chance(world(p), 15)) {
        p->epoch++;
        memset(p->next_sequence, 0, sizeof p->next_sequence);
    }
}

// zombie sends a batch of the epoch before, to a partition that has seen the new one: it must never be
// appended (I8).
static bool zombie(struct producer *p)
{
    bool may =
        p->is_idempotent && p->pending_count == 0 && p->has_last && p->last.epoch == p->epoch && p->epoch > 0;
    if (!may || !sim_chance(world(p), 100)) {
        return true;
    }
    struct pending b = {.partition = p->last.partition, .count = 1, .epoch = (int16_t)(p->epoch - 1)};
    build_batch(p, &b);
    int32_t sent = 0;
    int32_t received = 0;
    struct bytes frame;
    bool is_sent = send_batch(p, &b, &sent) && client_receive(&p->client, TIMEOUT_MS * MS, &frame);
    buf_fini(&b.batch);
    struct produce_response *r = is_sent ? client_decode(&p->client, API_PRODUCE, 9, frame, &received) : NULL;
    if (r == NULL || received != sent) {
        return false;
    }
    enum err err = r->topics[0].partitions[0].error;
    if (err == ERR_OK) {
        checker_fail(p->s->checker, "I8: a batch of the fenced epoch %d was appended to partition %d",
                     b.epoch, b.partition);
    } else if (err == ERR_INVALID_PRODUCER_EPOCH) {
        checker_refused(p->s->checker, b.partition, p->index, b.number, 1);
    }
    return true;
}

// A producer that numbers its batches cannot go on where the broker may lose some of them.
static int pick_partition(const struct producer *p)
{
    if (p->s->is_loose_only) {
        const struct topic_plan *loose = &topic_plans[TOPICS - 1];
        return loose->first + (int)sim_rand(world(p), (uint64_t)loose->count);
    }
    int partition = (int)sim_rand(world(p), PARTITIONS);
    bool is_bad = p->is_idempotent && p->s->has_loose_loss && topic_plan_of(partition)->kind == TOPIC_LOOSE;
    return is_bad ? 0 : partition;
}

static void add_batch(struct producer *p)
{
    struct pending *b = &p->window[p->pending_count++];
    *b = (struct pending){.partition = pick_partition(p),
                          .count = 1 + (int32_t)sim_rand(world(p), RECORDS_MAX)};
    b->epoch = p->epoch;
    b->sequence = p->next_sequence[b->partition];
    p->next_sequence[b->partition] += b->count;
    build_batch(p, b);
}

static bool may_add(const struct producer *p)
{
    int window = p->is_idempotent ? WINDOW : 1;
    return p->s->phase == PHASE_CHAOS && p->pending_count < window &&
           checker_counts(p->s->checker).sent < p->s->records_max && sim_chance(world(p), 700);
}

static bool step(struct producer *p)
{
    client_sleep(&p->client, (int64_t)sim_rand(world(p), 4 + p->s->pace_ms) * MS);
    if (!get_producer_id(p) || !resend_last(p) || !zombie(p)) {
        return false;
    }
    bump(p);
    while (may_add(p)) {
        add_batch(p);
    }
    for (int i = 0; i < p->pending_count; i++) {
        if (!p->window[i].is_sent) {
            p->window[i].is_sent = true;
            if (!p->is_idempotent && p->window[i].was_sent) {
                // In doubt: sending it again could append it twice. Leave it as it is.
                forget_first(p);
                return true;
            }
            p->window[i].was_sent = true;
            if (!send_batch(p, &p->window[i], &p->window[i].correlation)) {
                return false;
            }
        }
    }
    if (p->pending_count > 0) {
        return receive_one(p);
    }
    client_sleep(&p->client, (int64_t)(1 + sim_rand(world(p), 30)) * MS);
    return true;
}

void producer_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct producer *p = mem_zalloc(sizeof *p);
    p->s = args->scenario;
    p->index = args->index;
    p->is_idempotent = args->index % 2 == 0 && !p->s->is_loose_only;
    p->producer_id = -1;
    client_init(&p->client, env);
    while (!p->s->topics_are_ready && p->s->phase == PHASE_CHAOS) {
        client_sleep(&p->client, 10 * MS);
    }
    while (p->s->phase == PHASE_CHAOS || (p->pending_count > 0 && p->s->phase == PHASE_HEAL)) {
        if (p->client.sock == NULL) {
            reconnect(p);
        } else if (!step(p)) {
            scenario_check_calm(p->s, "a producer's request");
            reconnect(p);
        }
        if (sim_chance(world(p), 5)) {
            client_drop(&p->client);
        }
    }
    if (p->pending_count > 0 && !p->s->rot_happened) {
        checker_fail(p->s->checker, "I19: producer %d still waits for an answer after all faults ended",
                     p->index);
    }
    for (int i = 0; i < p->pending_count; i++) {
        buf_fini(&p->window[i].batch);
    }
    if (p->has_last) {
        buf_fini(&p->last.batch);
    }
    client_fini(&p->client);
    mem_free(p);
    args->scenario->active_clients--;
}
