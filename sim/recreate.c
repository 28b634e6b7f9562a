// SPDX-License-Identifier: Apache-2.0
// recreate.c - a client that owns a topic and makes it again and again under load: it creates it, fills it,
// reads it whole, deletes it. What was acknowledged in a life of the topic is all that this life may show,
// and no later life shows it. One connection and one answer at a time; when a call stays unanswered it takes
// another name, because that call may still take effect.
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "catalogue.h"
#include "consumer.h"
#include "record/batch.h"
#include "record/build.h"
#include "record/iterate.h"

enum { CALL_MS = 5000, BATCHES_MAX = 6, FETCH_TRIES = 50 };
#define MS    1000000LL
#define GROUP STR("again")

struct recreator {
    struct scenario *s;
    struct client client;
    struct codec_context codec;
    char topic[24];
    int name;          // number of the topic's name
    int64_t life;      // counts creations
    int64_t acked_end; // of this life
    bool has_doubt;    // a call on this topic was not answered
};

static void name_next(struct recreator *r)
{
    snprintf(r->topic, sizeof r->topic, "again-%d", r->name++);
    r->has_doubt = false;
}

// One record whose value says in which life it was sent and its number in it.
static void build(struct recreator *r, int64_t number, struct buf *out)
{
    struct batch_options options = batch_options_default();
    options.base_timestamp = clock_wall_ms(r->client.env->clock);
    options.codec = (enum codec)sim_rand(r->s->world, CODEC_COUNT);
    struct batch_builder builder;
    batch_builder_init(&builder, &options);
    char value[400];
    int len = snprintf(value, sizeof value, "%lld/%lld ", (long long)r->life, (long long)number);
    size_t padding = sim_rand(r->s->world, 300);
    for (size_t i = 0; i < padding; i++) {
        value[(size_t)len + i] = 'x';
    }
    batch_builder_append(&builder, options.base_timestamp, bytes_of(NULL, 0),
                         bytes_of(value, (size_t)len + padding), NULL, 0);
    struct error e;
    ASSERT(batch_builder_finish(&builder, out, &e) == ERR_OK);
    batch_builder_fini(&builder);
}

static bool produce(struct recreator *r, int64_t number)
{
    struct arena arena;
    struct buf batch;
    arena_init(&arena, 1 << 20);
    buf_init(&batch, 1 << 20);
    build(r, number, &batch);
    struct produce_request *request = wire_new(&arena, &produce_request_type, 1);
    request->acks = -1;
    request->timeout_ms = CALL_MS;
    request->topics = wire_array(&arena, produce_request_topic, 1);
    request->topics_count = 1;
    request->topics[0].name = str_from_c(r->topic);
    request->topics[0].partitions = wire_array(&arena, produce_request_partition, 1);
    request->topics[0].partitions_count = 1;
    request->topics[0].partitions[0].records.bytes = buf_bytes(&batch);
    struct produce_response *answer = client_call(&r->client, API_PRODUCE, 9, request, CALL_MS * MS);
    buf_fini(&batch);
    arena_fini(&arena);
    r->has_doubt = r->has_doubt || answer == NULL;
    if (answer == NULL || answer->topics[0].partitions[0].error != ERR_OK) {
        return false;
    }
    int64_t offset = answer->topics[0].partitions[0].base_offset;
    if (offset != r->acked_end && !r->has_doubt) {
        checker_fail(r->s->checker, "I3: %s: record %lld of life %lld got offset %lld instead of %lld",
                     r->topic, (long long)number, (long long)r->life, (long long)offset,
                     (long long)r->acked_end);
    }
    r->acked_end = offset + 1;
    return true;
}

static void check_records(struct recreator *r, struct bytes records, int64_t *position)
{
    size_t size = 0;
    struct error e;
    while (records.len >= BATCH_HEADER_SIZE && batch_size_peek(records, &size, &e) == ERR_OK &&
           size <= records.len) {
        struct record_iterator it;
        struct record record;
        struct bytes batch = bytes_slice(records, 0, size);
        records = bytes_slice(records, size, records.len - size);
        if (record_iterator_init(&it, &r->codec, batch, NULL, &e) != ERR_OK) {
            checker_fail(r->s->checker, "%s: a stored batch cannot be read: %s", r->topic, e.text);
            return;
        }
        while (record_iterator_next(&it, &record)) {
            struct str rest;
            struct str value = {(const char *)record.value.ptr, record.value.len};
            int64_t life = -1;
            bool is_named = str_parse_i64(str_cut(value, '/', &rest), &life);
            if (!is_named || life != r->life) {
                checker_fail(r->s->checker, "I2: %s offset %lld shows a record of life %lld in life %lld",
                             r->topic, (long long)record.offset, (long long)life, (long long)r->life);
            }
            *position = record.offset + 1;
        }
        (void)!record_iterator_fini(&it, &e);
    }
}

// read_all reads what was acknowledged; false = no answer.
static bool read_all(struct recreator *r)
{
    int64_t position = 0;
    for (int tries = 0; position < r->acked_end; tries++) {
        struct arena arena;
        arena_init(&arena, 1 << 16);
        struct fetch_request *request = wire_new(&arena, &fetch_request_type, 1);
        request->max_wait_ms = 100;
        request->min_bytes = 1;
        request->max_bytes = 1 << 20;
        request->topics = wire_array(&arena, fetch_request_topic, 1);
        request->topics_count = 1;
        request->topics[0].topic = str_from_c(r->topic);
        request->topics[0].partitions = wire_array(&arena, fetch_request_partition, 1);
        request->topics[0].partitions_count = 1;
        request->topics[0].partitions[0].fetch_offset = position;
        request->topics[0].partitions[0].partition_max_bytes = 1 << 20;
        struct fetch_response *answer = client_call(&r->client, API_FETCH, 11, request, CALL_MS * MS);
        arena_fini(&arena);
        if (answer == NULL || answer->topics_count != 1) {
            return false;
        }
        const struct fetch_response_partition *got = &answer->topics[0].partitions[0];
        if (got->error != ERR_OK || tries == FETCH_TRIES) {
            if (!r->s->rot_happened) {
                checker_fail(r->s->checker,
                             "I1: %s: %lld records were acknowledged in life %lld, Fetch from %lld: %s",
                             r->topic, (long long)r->acked_end, (long long)r->life, (long long)position,
                             err_name(got->error));
            }
            return false;
        }
        check_records(r, got->records.bytes, &position);
    }
    return true;
}

// ---- positions that a consumer outside every generation keeps: none of them outlives the topic

// committed gives what OffsetFetch says, -1 = nothing; OFFSET_NO_ANSWER.
static int64_t committed(struct recreator *r)
{
    struct offset_fetch_request request;
    struct offset_fetch_request_topic topic;
    int32_t partition = 0;
    wire_init(&offset_fetch_request_type, &request);
    wire_init(&offset_fetch_request_topic_type, &topic);
    topic.name = str_from_c(r->topic);
    topic.partition_indexes = &partition;
    topic.partition_indexes_count = 1;
    request.group_id = GROUP;
    request.topics = &topic;
    request.topics_count = 1;
    const struct offset_fetch_response *answer =
        client_call(&r->client, API_OFFSET_FETCH, 5, &request, CALL_MS * MS);
    bool is_answered = answer != NULL && answer->error == ERR_OK && answer->topics_count == 1 &&
                       answer->topics[0].partitions[0].error == ERR_OK;
    return is_answered ? answer->topics[0].partitions[0].committed_offset : OFFSET_NO_ANSWER;
}

static bool commit(struct recreator *r)
{
    struct offset_commit_request request;
    struct offset_commit_request_topic topic;
    struct offset_commit_request_partition partition;
    wire_init(&offset_commit_request_type, &request);
    wire_init(&offset_commit_request_topic_type, &topic);
    wire_init(&offset_commit_request_partition_type, &partition);
    partition.committed_offset = r->acked_end;
    partition.committed_metadata = STR("");
    topic.name = str_from_c(r->topic);
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.group_id = GROUP;
    request.topics = &topic;
    request.topics_count = 1;
    const struct offset_commit_response *answer =
        client_call(&r->client, API_OFFSET_COMMIT, 6, &request, CALL_MS * MS);
    r->has_doubt = r->has_doubt || answer == NULL;
    return answer != NULL && answer->topics_count == 1 && answer->topics[0].partitions[0].error == ERR_OK;
}

// expect_committed checks what the group has of this life; false = no answer.
static bool expect_committed(struct recreator *r, int64_t expected)
{
    int64_t offset = committed(r);
    if (offset != OFFSET_NO_ANSWER && offset != expected && !r->has_doubt && !r->s->rot_happened) {
        checker_fail(r->s->checker, "I9: %s: %lld is committed in life %lld instead of %lld", r->topic,
                     (long long)offset, (long long)r->life, (long long)expected);
    }
    return offset != OFFSET_NO_ANSWER;
}

// live is one life of the topic; false = something was not answered.
static bool live(struct recreator *r)
{
    enum err err = ERR_OK;
    bool is_answered = admin_create_topic(&r->client, r->topic, 1, &err);
    r->has_doubt = r->has_doubt || !is_answered;
    if (!is_answered || err != ERR_OK) {
        if (err == ERR_TOPIC_EXISTS && !r->has_doubt && !r->s->rot_happened) {
            checker_fail(r->s->checker, "I1: %s exists, though its deletion was acknowledged", r->topic);
        }
        return false;
    }
    r->life++;
    r->acked_end = 0;
    if (!expect_committed(r, -1)) {
        return false;
    }
    int64_t count = (int64_t)sim_rand(r->s->world, BATCHES_MAX + 1);
    for (int64_t i = 0; i < count; i++) {
        if (!produce(r, i)) {
            return false;
        }
    }
    client_sleep(&r->client, (int64_t)sim_rand(r->s->world, 100) * MS);
    if (!read_all(r) || !commit(r) || !expect_committed(r, r->acked_end)) {
        return false;
    }
    is_answered = admin_delete_topic(&r->client, r->topic, &err);
    r->has_doubt = r->has_doubt || !is_answered;
    return is_answered && err == ERR_OK;
}

void recreator_main(struct env *env, void *arg)
{
    struct client_args *args = arg;
    struct recreator *r = mem_zalloc(sizeof *r);
    r->s = args->scenario;
    client_init(&r->client, env);
    name_next(r);
    while (r->s->phase == PHASE_CHAOS) {
        if (r->client.sock == NULL &&
            !client_connect(&r->client, r->s->brokers[0].address, BROKER_PORT, 1000 * MS)) {
            client_sleep(&r->client, (int64_t)(1 + sim_rand(r->s->world, 100)) * MS);
            continue;
        }
        if (!live(r)) {
            client_drop(&r->client);
            name_next(r);
        }
        client_sleep(&r->client, (int64_t)sim_rand(r->s->world, 100) * MS);
    }
    codec_context_fini(&r->codec);
    client_fini(&r->client);
    mem_free(r);
    args->scenario->active_clients--;
}
