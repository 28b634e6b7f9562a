// SPDX-License-Identifier: Apache-2.0
// producer.c - open batches, one per partition, are sealed together into a request of the window. Requests go
// out in the window's order and are answered in it. When a batch fails in a way that may pass, or the
// connection breaks, sending stalls until nothing is in flight; then every unfinished batch goes out again
// with the sequence numbers it had, so that the broker can tell what it has seen.
#include "cli/producer.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    WINDOW_MAX = 5, // batches of a partition that a broker remembers (KIP-98)
    OPEN_BYTES_MAX = 4 << 20,
    BATCH_BYTES_MAX = 128 << 20,
    RECORD_OVERHEAD = 40, // more than the varints of a record take
    BACKOFF_MS = 100,
    ANSWER_ARENA_BYTES = 32 << 20,
    NS_PER_MS = 1000000,
    PAST_NS = 1, // a deadline that only looks
};

struct open_batch { // one per partition
    struct batch_builder builder;
    int32_t next_sequence;
    bool is_initialised; // the builder
    uint64_t first_line;
    uint64_t bytes; // of keys and values
};

struct sealed_batch {
    int32_t partition;
    int32_t record_count;
    uint64_t first_line;
    uint64_t last_line;
    uint64_t bytes;
    struct buf data;
    bool is_done;
};

enum request_state { REQUEST_QUEUED, REQUEST_SENT, REQUEST_DONE };
struct window_request {
    enum request_state state;
    struct sealed_batch *batches;
    size_t count;
};

struct producer {
    struct env *env;
    struct client *client;
    struct producer_options options;
    int64_t producer_id;
    int16_t producer_epoch;
    struct open_batch *open;
    int32_t *dirty; // partitions with an open batch
    size_t dirty_count;
    size_t open_bytes;
    uint64_t last_line;
    int64_t linger_ns; // when the oldest open record has waited long enough
    int32_t sticky;
    struct window_request window[WINDOW_MAX]; // ring
    size_t window_first;
    size_t window_count;
    bool is_stalled;      // something has to be sent again
    int64_t retry_ns;     // not before
    int64_t progress_ns;  // when something was acknowledged last, or first waited for
    struct error trouble; // what stalls
    struct producer_stats stats;
    struct arena arena;
    enum err failed; // sticky
    bool is_refused;
    struct error error;
};

static int64_t now_ns(const struct producer *p)
{
    return clock_mono_ns(p->env->clock);
}

static void sticky_choose(struct producer *p)
{
    p->sticky = (int32_t)(rng_u64(p->env->rng) % (uint64_t)p->options.partition_count);
}

struct producer *producer_create(struct env *env, struct client *client,
                                 const struct producer_options *options)
{
    ASSERT(options->partition_count > 0);
    struct producer *p = mem_zalloc(sizeof *p);
    p->env = env;
    p->client = client;
    p->options = *options;
    p->producer_id = BATCH_NO_PRODUCER_ID;
    p->producer_epoch = -1;
    p->open = mem_array((size_t)options->partition_count, sizeof *p->open);
    p->dirty = mem_array((size_t)options->partition_count, sizeof *p->dirty);
    p->progress_ns = now_ns(p);
    arena_init(&p->arena, ANSWER_ARENA_BYTES);
    sticky_choose(p);
    return p;
}

static struct window_request *window_at(struct producer *p, size_t index)
{
    ASSERT(index < WINDOW_MAX);
    return &p->window[(p->window_first + index) % WINDOW_MAX];
}

static void request_fini(struct window_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        buf_fini(&request->batches[i].data);
    }
    mem_free(request->batches);
    *request = (struct window_request){0};
}

void producer_destroy(struct producer *take_producer)
{
    struct producer *p = take_producer;
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->window_count; i++) {
        request_fini(window_at(p, i));
    }
    for (int32_t i = 0; i < p->options.partition_count; i++) {
        if (p->open[i].is_initialised) {
            batch_builder_fini(&p->open[i].builder);
        }
    }
    arena_fini(&p->arena);
    mem_free(p->open);
    mem_free(p->dirty);
    mem_free(p);
}

int32_t producer_sticky(const struct producer *p)
{
    return p->sticky;
}

struct producer_stats producer_stats(const struct producer *p)
{
    return p->stats;
}

bool producer_is_refused(const struct producer *p)
{
    return p->is_refused;
}

enum err producer_start(struct producer *p, bool *ret_is_refused, struct error *e)
{
    *ret_is_refused = false;
    if (!p->options.is_idempotent) {
        return ERR_OK;
    }
    struct init_producer_id_request request;
    struct init_producer_id_response response;
    wire_init(&init_producer_id_request_type, &request);
    request.transactional_id = (struct str){NULL, 0};
    request.transaction_timeout_ms = INT32_MAX;
    enum err err = client_call(p->client, API_INIT_PRODUCER_ID, &request, &p->arena, &response, e);
    if (err != ERR_OK) {
        return err;
    }
    if (response.error != ERR_OK) {
        *ret_is_refused = true;
        return response.error;
    }
    p->producer_id = response.producer_id;
    p->producer_epoch = response.producer_epoch;
    return ERR_OK;
}

static enum err fail(struct producer *p, enum err err, const struct error *why, bool is_refused,
                     struct error *e)
{
    p->failed = err;
    p->error = *why;
    p->is_refused = is_refused;
    if (e != NULL) {
        *e = p->error;
    }
    return err;
}

// ---- sealing

static enum err seal_one(struct producer *p, int32_t partition, struct sealed_batch *ret, struct error *e)
{
    struct open_batch *open = &p->open[partition];
    *ret = (struct sealed_batch){
        .partition = partition,
        .record_count = open->builder.record_count,
        .first_line = open->first_line,
        .last_line = p->last_line,
        .bytes = open->bytes,
    };
    buf_init(&ret->data, BATCH_BYTES_MAX);
    open->builder.options.base_sequence = p->options.is_idempotent ? open->next_sequence : BATCH_NO_SEQUENCE;
    enum err err = batch_builder_finish(&open->builder, &ret->data, e);
    // Sequence numbers wrap from 2147483647 to 0.
    open->next_sequence =
        (int32_t)(((uint32_t)open->next_sequence + (uint32_t)ret->record_count) & INT32_MAX);
    open->bytes = 0;
    batch_builder_reset(&open->builder, &open->builder.options);
    return err;
}

// seal_all turns the open batches into the window's last request; the window has room.
static enum err seal_all(struct producer *p, struct error *e)
{
    ASSERT(p->window_count < WINDOW_MAX);
    ASSERT(p->dirty_count > 0);
    struct window_request *request = window_at(p, p->window_count);
    *request = (struct window_request){.batches = mem_array(p->dirty_count, sizeof *request->batches)};
    if (p->window_count++ == 0) {
        p->progress_ns = now_ns(p);
    }
    enum err err = ERR_OK;
    struct error why = {0};
    for (size_t i = 0; i < p->dirty_count && err == ERR_OK; i++) {
        err = seal_one(p, p->dirty[i], &request->batches[request->count++], &why);
    }
    p->dirty_count = 0;
    p->open_bytes = 0;
    sticky_choose(p);
    return err == ERR_OK ? ERR_OK : fail(p, err, &why, false, e);
}

// ---- answers

static bool is_earlier_unfinished(struct producer *p, const struct window_request *before, int32_t partition)
{
    for (size_t i = 0; i < p->window_count; i++) {
        struct window_request *request = window_at(p, i);
        if (request == before) {
            return false;
        }
        for (size_t b = 0; b < request->count; b++) {
            if (request->batches[b].partition == partition && !request->batches[b].is_done) {
                return true;
            }
        }
    }
    return false;
}

static void batch_done(struct producer *p, struct sealed_batch *batch)
{
    batch->is_done = true;
    p->stats.records += (uint64_t)batch->record_count;
    p->stats.bytes += batch->bytes;
    p->stats.batches++;
    p->stats.wire_bytes += batch->data.len;
    p->progress_ns = now_ns(p);
}

static enum err batch_refused(struct producer *p, const struct sealed_batch *batch,
                              const struct produce_response_partition *part, struct error *e)
{
    struct error why = {.code = part->error};
    struct str message = part->error_message;
    if (part->record_errors_count > 0) {
        message = part->record_errors->batch_index_error_message.len > 0
                      ? part->record_errors->batch_index_error_message
                      : message;
    }
    char lines[64];
    if (batch->first_line == batch->last_line) {
        snprintf(lines, sizeof lines, "line %llu", (unsigned long long)batch->first_line);
    } else {
        snprintf(lines, sizeof lines, "lines %llu to %llu", (unsigned long long)batch->first_line,
                 (unsigned long long)batch->last_line);
    }
    snprintf(why.text, sizeof why.text, "partition %d, a batch of %d record%s from %s%s" STR_FMT,
             batch->partition, batch->record_count, batch->record_count == 1 ? "" : "s", lines,
             message.len > 0 ? ": " : "",
             (int)(message.len < sizeof why.text ? message.len : sizeof why.text - 1),
             message.ptr == NULL ? "" : message.ptr);
    return fail(p, part->error, &why, true, e);
}

static void stall(struct producer *p, const struct error *why)
{
    p->is_stalled = true;
    p->trouble = *why;
    p->retry_ns = now_ns(p) + (int64_t)BACKOFF_MS * NS_PER_MS;
}

static enum err take_part(struct producer *p, struct window_request *request, struct sealed_batch *batch,
                          const struct produce_response_partition *part, struct error *e)
{
    enum err err = part->error;
    if (err == ERR_OK || (err == ERR_DUPLICATE_SEQUENCE && p->options.is_idempotent)) {
        batch_done(p, batch);
        return ERR_OK;
    }
    bool is_behind_another =
        err == ERR_OUT_OF_ORDER_SEQUENCE && is_earlier_unfinished(p, request, batch->partition);
    if (!err_is_retriable(err) && !is_behind_another) {
        return batch_refused(p, batch, part, e);
    }
    if (!p->is_stalled) {
        struct error why = {.code = err};
        snprintf(why.text, sizeof why.text, "partition %d: %s", batch->partition, err_text(err));
        stall(p, &why);
    }
    return ERR_OK;
}

static struct sealed_batch *batch_find(struct window_request *request, int32_t partition)
{
    for (size_t i = 0; i < request->count; i++) {
        if (request->batches[i].partition == partition && !request->batches[i].is_done) {
            return &request->batches[i];
        }
    }
    return NULL;
}

static void window_shift(struct producer *p)
{
    while (p->window_count > 0 && window_at(p, 0)->state == REQUEST_DONE) {
        request_fini(window_at(p, 0));
        p->window_first = (p->window_first + 1) % WINDOW_MAX;
        p->window_count--;
    }
}

// request_settle ends a request whose batches are all done; another one waits to be sent again.
static void request_settle(struct producer *p, struct window_request *request)
{
    request->state = REQUEST_DONE;
    for (size_t i = 0; i < request->count; i++) {
        if (!request->batches[i].is_done) {
            request->state = REQUEST_QUEUED;
        }
    }
    if (request->state == REQUEST_QUEUED && !p->is_stalled) {
        struct error why = {.code = ERR_UNKNOWN, .text = "an answer lacks a partition"};
        stall(p, &why);
    }
    window_shift(p);
}

static enum err take_answer(struct producer *p, const struct produce_response *response, struct error *e)
{
    struct window_request *request = NULL;
    for (size_t i = 0; i < p->window_count && request == NULL; i++) {
        request = window_at(p, i)->state == REQUEST_SENT ? window_at(p, i) : NULL;
    }
    ASSERT(request != NULL); // the client matches answers with requests
    enum err err = ERR_OK;
    for (int32_t t = 0; t < response->topics_count; t++) {
        for (int32_t i = 0; i < response->topics[t].partitions_count && err == ERR_OK; i++) {
            const struct produce_response_partition *part = &response->topics[t].partitions[i];
            struct sealed_batch *batch = batch_find(request, part->index);
            if (batch != NULL) {
                err = take_part(p, request, batch, part, e);
            }
        }
    }
    if (err == ERR_OK) {
        request_settle(p, request);
    }
    return err;
}

// ---- sending

static enum err request_send(struct producer *p, struct window_request *request, struct error *e)
{
    struct produce_request message;
    arena_reset(&p->arena);
    wire_init(&produce_request_type, &message);
    message.acks = p->options.acks;
    message.timeout_ms = (int32_t)p->options.timeout_ms;
    message.topics = wire_array(&p->arena, produce_request_topic, 1);
    ASSERT(message.topics != NULL);
    message.topics_count = 1;
    message.topics->name = p->options.topic;
    message.topics->topic_id = p->options.topic_id;
    message.topics->partitions = wire_array(&p->arena, produce_request_partition, request->count);
    ASSERT(message.topics->partitions != NULL);
    for (size_t i = 0; i < request->count; i++) {
        if (!request->batches[i].is_done) {
            struct produce_request_partition *part =
                &message.topics->partitions[message.topics->partitions_count++];
            part->index = request->batches[i].partition;
            part->records.bytes = buf_bytes(&request->batches[i].data);
        }
    }
    bool has_answer = p->options.acks != 0;
    enum err err = client_send(p->client, API_PRODUCE, &message, has_answer, e);
    if (err != ERR_OK) {
        return err;
    }
    request->state = REQUEST_SENT;
    if (!has_answer) {
        for (size_t i = 0; i < request->count; i++) {
            batch_done(p, &request->batches[i]);
        }
        request->state = REQUEST_DONE;
    }
    return ERR_OK;
}

static bool has_sent(struct producer *p)
{
    for (size_t i = 0; i < p->window_count; i++) {
        if (window_at(p, i)->state == REQUEST_SENT) {
            return true;
        }
    }
    return false;
}

static enum err send_queued(struct producer *p, struct error *e)
{
    for (size_t i = 0; i < p->window_count; i++) {
        if (window_at(p, i)->state == REQUEST_QUEUED) {
            enum err err = request_send(p, window_at(p, i), e);
            if (err != ERR_OK) {
                return err;
            }
        }
    }
    window_shift(p);
    return ERR_OK;
}

// on_lost puts everything that was in flight back into the queue.
static void on_lost(struct producer *p, const struct error *why)
{
    for (size_t i = 0; i < p->window_count; i++) {
        struct window_request *request = window_at(p, i);
        request->state = request->state == REQUEST_SENT ? REQUEST_QUEUED : request->state;
    }
    stall(p, why);
}

static bool is_out_of_time(const struct producer *p)
{
    return p->window_count > 0 && now_ns(p) - p->progress_ns > p->options.timeout_ms * NS_PER_MS;
}

static enum err give_up(struct producer *p, struct error *e)
{
    struct error why = {0};
    enum err err = FAIL(&why, p->is_stalled ? p->trouble.code : ERR_NETWORK,
                        "nothing was acknowledged for %lld ms%s%s", (long long)p->options.timeout_ms,
                        p->is_stalled ? ": " : "", p->is_stalled ? p->trouble.text : "");
    return fail(p, err, &why, false, e);
}

// recover connects again if need be, and lets sending go on.
static enum err recover(struct producer *p, struct error *e)
{
    if (!client_is_connected(p->client)) {
        struct error why = {0};
        if (client_connect(p->client, &why) != ERR_OK) {
            stall(p, &why);
            return is_out_of_time(p) ? give_up(p, e) : ERR_OK;
        }
    }
    p->is_stalled = false;
    p->stats.retries += p->window_count;
    return ERR_OK;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a == CLOCK_NEVER || (b != CLOCK_NEVER && b < a) ? b : a;
}

// wait_until says when there is something to do without an answer.
static int64_t wait_until(struct producer *p)
{
    int64_t deadline_ns = CLOCK_NEVER;
    if (p->dirty_count > 0 && p->window_count < WINDOW_MAX) {
        deadline_ns = sooner(deadline_ns, p->linger_ns);
    }
    if (p->is_stalled && !has_sent(p)) {
        deadline_ns = sooner(deadline_ns, p->retry_ns);
    }
    if (p->window_count > 0) {
        deadline_ns = sooner(deadline_ns, p->progress_ns + (p->options.timeout_ms + 1) * NS_PER_MS);
    }
    return deadline_ns;
}

// step does what is due, then waits until deadline_ns at most for one answer.
static enum err step(struct producer *p, int64_t deadline_ns, struct error *e)
{
    enum err err = ERR_OK;
    struct error why = {0};
    if (p->failed != ERR_OK) {
        return fail(p, p->failed, &p->error, p->is_refused, e);
    }
    if (is_out_of_time(p)) {
        return give_up(p, e);
    }
    if (p->dirty_count > 0 && p->window_count < WINDOW_MAX && now_ns(p) >= p->linger_ns) {
        err = seal_all(p, e);
    }
    if (err == ERR_OK && p->is_stalled && !has_sent(p) && now_ns(p) >= p->retry_ns) {
        err = recover(p, e);
    }
    if (err != ERR_OK) {
        return err;
    }
    err = p->is_stalled ? ERR_OK : send_queued(p, &why);
    if (err == ERR_OK && client_is_connected(p->client)) {
        void *response = NULL;
        arena_reset(&p->arena);
        err = client_receive(p->client, &p->arena, sooner(deadline_ns, wait_until(p)), &response, &why);
        if (err == ERR_OK) {
            return take_answer(p, response, e);
        }
    } else if (err == ERR_OK) {
        clock_sleep_until(p->env->clock, p->retry_ns);
    }
    if (err == ERR_NETWORK && p->options.acks != 0) { // without answers nobody knows what to send again
        on_lost(p, &why);
        return ERR_OK;
    }
    bool is_nothing = err == ERR_OK || err == ERR_TIMED_OUT || err == ERR_WOULD_BLOCK;
    return is_nothing ? ERR_OK : fail(p, err, &why, false, e);
}

enum err producer_wait(struct producer *p, struct error *e)
{
    return step(p, CLOCK_NEVER, e);
}

static enum err seal_when_possible(struct producer *p, struct error *e)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && p->window_count == WINDOW_MAX) {
        err = step(p, CLOCK_NEVER, e);
    }
    while (err == ERR_OK && p->options.acks == 0 && client_is_sending(p->client)) {
        err = step(p, CLOCK_NEVER, e); // nothing else holds back who waits for no answers
    }
    err = err == ERR_OK && p->dirty_count > 0 ? seal_all(p, e) : err;
    return err == ERR_OK ? step(p, PAST_NS, e) : err;
}

static void open_begin(struct producer *p, int32_t partition, uint64_t line)
{
    struct open_batch *open = &p->open[partition];
    if (!open->is_initialised) {
        struct batch_options options = batch_options_default();
        options.producer_id = p->producer_id;
        options.producer_epoch = p->producer_epoch;
        options.codec = p->options.codec;
        options.bytes_max = BATCH_BYTES_MAX;
        batch_builder_init(&open->builder, &options);
        open->is_initialised = true;
    }
    open->first_line = line;
    if (p->dirty_count == 0) {
        p->linger_ns = now_ns(p) + p->options.linger_ms * NS_PER_MS;
    }
    p->dirty[p->dirty_count++] = partition;
}

enum err producer_add(struct producer *p, int32_t partition, struct bytes key, struct bytes value,
                      const struct record_header *headers, int32_t header_count, uint64_t line,
                      struct error *e)
{
    size_t size = key.len + value.len + RECORD_OVERHEAD;
    for (int32_t i = 0; i < header_count; i++) {
        size += headers[i].key.len + headers[i].value.len + RECORD_OVERHEAD;
    }
    ASSERT(partition >= 0 && partition < p->options.partition_count);
    struct open_batch *open = &p->open[partition];
    bool is_open = open->is_initialised && open->builder.record_count > 0;
    if (p->failed != ERR_OK) {
        return fail(p, p->failed, &p->error, p->is_refused, e);
    }
    if ((is_open && (open->builder.record_count >= p->options.batch_records ||
                     open->builder.records.len + size > p->options.batch_bytes)) ||
        p->open_bytes + size > OPEN_BYTES_MAX) {
        enum err err = seal_when_possible(p, e);
        if (err != ERR_OK) {
            return err;
        }
        is_open = open->is_initialised && open->builder.record_count > 0;
    }
    if (!is_open) {
        open_begin(p, partition, line);
    }
    batch_builder_append(&open->builder, clock_wall_ms(p->env->clock), key, value, headers, header_count);
    open->bytes += key.len + value.len;
    p->open_bytes += size;
    p->last_line = line;
    return ERR_OK;
}

enum err producer_drain(struct producer *p, struct error *e)
{
    enum err err = p->dirty_count > 0 ? seal_when_possible(p, e) : step(p, PAST_NS, e);
    while (err == ERR_OK && (p->window_count > 0 || client_is_sending(p->client))) {
        err = step(p, CLOCK_NEVER, e);
    }
    return err;
}
