// SPDX-License-Identifier: Apache-2.0
// request.c - a frame becomes a request, a handler fills its answer, the answer is encoded.
#include "kafka/request.h"

#include "base/assert.h"
#include "base/mem.h"
#include "kafka/front_private.h"

static size_t arena_cap(const struct kafka_options *options, size_t frame_size)
{
    size_t cap = frame_size * REQUEST_ARENA_FACTOR;
    cap = cap < REQUEST_ARENA_MIN ? REQUEST_ARENA_MIN : cap;
    return cap > options->request_memory_max ? options->request_memory_max : cap;
}

// A request's first memory is that of one before: measured, a tenth of the instructions of a small Produce.
static void arena_take(struct kafka_front *front, struct arena *ret, size_t cap)
{
    if (front->spare_arena_count > 0) {
        *ret = front->spare_arenas[--front->spare_arena_count];
        ret->limit = cap;
    } else {
        arena_init(ret, cap);
    }
    ret->gives_way = true;
}

static void arena_give(struct kafka_front *front, struct arena *take_arena)
{
    arena_reset(take_arena);
    if (take_arena->blocks != NULL && front->spare_arena_count < SPARE_ARENAS_MAX) {
        front->spare_arenas[front->spare_arena_count++] = *take_arena;
        arena_init(take_arena, 0);
    } else {
        arena_fini(take_arena);
    }
}

static struct request *request_create(struct connection *conn, struct chunk *chunk, size_t frame_size)
{
    struct request *rq = mem_zalloc(sizeof *rq);
    rq->conn = conn;
    rq->front = conn->front;
    rq->broker = conn->front->broker;
    rq->port = conn->front->port;
    rq->lane = &conn->lane;
    rq->options = &conn->front->options;
    rq->chunk = chunk;
    chunk_ref(chunk);
    arena_take(rq->front, &rq->arena, arena_cap(rq->options, frame_size));
    buf_init(&rq->response, rq->options->request_memory_max);
    rq->response.gives_way = true;
    return rq;
}

void request_destroy(struct request *rq)
{
    queue_remove(rq->front, &rq->queued);
    if (rq->release != NULL) {
        rq->release(rq);
    }
    wire_cuts_fini(&rq->cuts);
    buf_fini(&rq->response);
    arena_give(rq->front, &rq->arena);
    chunk_unref(rq->chunk);
    mem_free(rq);
}

// An ApiVersions request of a version that we do not know is answered in version 0 with error 35, so that the
// client can step down (KIP-511).
static void answer_unknown_api_versions(struct request *rq)
{
    rq->out = wire_new(&rq->arena, rq->api->response, 1);
    struct api_versions_response *out = rq->out;
    out->error = ERR_UNSUPPORTED_VERSION;
    out->api_keys = wire_array(&rq->arena, api_versions_response_api_key, 1);
    out->api_keys_count = 1;
    out->api_keys[0].api_key = API_API_VERSIONS;
    out->api_keys[0].min_version = rq->api->version_min;
    out->api_keys[0].max_version = rq->api->version_max;
    request_reply(rq);
}

// request_decode fills in and out; false = close.
static bool request_decode(struct request *rq, struct reader *reader)
{
    struct error error = {0};
    rq->in = wire_new(&rq->arena, rq->api->request, 1);
    rq->out = wire_new(&rq->arena, rq->api->response, 1);
    if (rq->in == NULL || rq->out == NULL) {
        return false;
    }
    enum err err = wire_decode(rq->api->request, rq->version, wire_is_flexible(rq->api, rq->version), reader,
                               &rq->arena, rq->in, &error);
    // Bytes after the message are let pass, as Kafka does: librdkafka 2.16 sends three after Metadata v13.
    if (err != ERR_OK) {
        trace(broker_tracer(rq->broker), TRACE_INFO, "closing a connection: %s v%d: %s", rq->api->name,
              rq->version, error.text);
    }
    return err == ERR_OK;
}

bool request_start(struct connection *conn, struct chunk *chunk, struct bytes frame, struct queued queued)
{
    struct request *rq = request_create(conn, chunk, frame.len);
    rq->queued = queued;
    struct reader reader = reader_init(frame);
    bool is_fine = wire_request_header_decode(&reader, &rq->header) == ERR_OK;
    rq->handler = is_fine ? handler_find(rq->header.api_key) : NULL;
    rq->api = rq->handler == NULL ? NULL : wire_api_find(rq->header.api_key);
    rq->version = rq->header.api_version;
    bool is_api_versions = rq->api != NULL && rq->api->key == API_API_VERSIONS;
    bool is_known = rq->api != NULL && wire_can_decode(rq->api, rq->version);
    if (!is_known && !is_api_versions) {
        request_destroy(rq);
        return false;
    }
    if (is_known && !request_decode(rq, &reader)) {
        request_destroy(rq);
        return false;
    }
    rq->version = is_known ? rq->version : 0;
    rq->frame_size = sizeof(uint32_t) + frame.len;
    stats_request(conn->front->stats, rq, frame.len);
    list_push_back(&conn->requests, &rq->node);
    conn->request_count++;
    rq->is_handling = true;
    if (is_known && rq->handler->overlaps) { // a Produce
        queue_work(rq->front, &rq->queued);
    }
    if (is_known) {
        rq->handler->handle(rq);
    } else {
        answer_unknown_api_versions(rq);
    }
    rq->is_handling = false;
    if (!rq->is_done && throttles_are_on(broker_throttles(rq->broker))) {
        rq->busy_ns = clock_mono_ns(broker_env(rq->broker)->clock) - rq->started_ns;
    }
    return true;
}

// ---- quotas

struct throttle_who request_who(const struct request *rq)
{
    struct str client_id = rq->header.client_id;
    return (struct throttle_who){.user = STR("ANONYMOUS"), // until there is authentication
                                 .client_id = client_id.ptr == NULL ? STR("") : client_id};
}

void request_charge(struct request *rq, enum throttle_kind kind, double amount)
{
    const struct throttle_who who = request_who(rq);
    int64_t wait_ns =
        throttle_add(broker_throttles(rq->broker), kind, &who, amount, loop_now_ns(rq->front->loop));
    rq->throttle_ns = wait_ns > rq->throttle_ns ? wait_ns : rq->throttle_ns;
}

void request_hold(struct request *rq)
{
    if (rq->throttle_ns > 0) {
        connection_mute(rq->conn, rq->throttle_ns);
    }
}

int64_t request_throttle_ns(struct request *rq)
{
    if (!rq->is_time_charged && throttles_are_on(broker_throttles(rq->broker))) {
        if (rq->is_handling) {
            rq->busy_ns = clock_mono_ns(broker_env(rq->broker)->clock) - rq->started_ns;
        }
        rq->is_time_charged = true;
        request_charge(rq, THROTTLE_REQUEST, (double)rq->busy_ns * 100 / 1e9);
    }
    return rq->throttle_ns;
}

bool request_mutate(struct request *rq, uint32_t partitions, bool is_strict)
{
    const struct throttle_who who = request_who(rq);
    int64_t wait_ns = 0;
    bool may = throttle_mutate(broker_throttles(rq->broker), &who, partitions, is_strict,
                               loop_now_ns(rq->front->loop), &wait_ns);
    rq->throttle_ns = wait_ns > rq->throttle_ns ? wait_ns : rq->throttle_ns;
    return may;
}

static void request_done(struct request *rq)
{
    ASSERT(!rq->is_done);
    rq->is_done = true;
    queue_remove(rq->front, &rq->queued);
    request_hold(rq); // KIP-219: the answer, then silence
    connection_mark(rq->conn);
}

// answer_encode leaves the whole answer in rq->response; false if it cannot be.
static bool answer_encode(struct request *rq)
{
    uint8_t length[4] = {0};
    struct error error = {0};
    const struct wire_watch watch = stats_watch(rq->front->stats, rq);
    buf_append(&rq->response, length, sizeof length);
    wire_response_header_encode(rq->api, rq->version, rq->header.correlation_id, &rq->response);
    enum err err = wire_encode_watched(rq->api->response, rq->version, wire_is_flexible(rq->api, rq->version),
                                       rq->out, &rq->response, &rq->cuts, &watch, &error);
    size_t total = rq->response.len - sizeof length + wire_cuts_size(&rq->cuts);
    if (err != ERR_OK || rq->response.failed || rq->arena.failed || total > INT32_MAX) {
        trace(broker_tracer(rq->broker), TRACE_WARN, "closing a connection: the answer to %s v%d: %s",
              rq->api->name, rq->version, err == ERR_OK ? "over its memory limit" : error.text);
        return false;
    }
    store_be32(rq->response.ptr, (uint32_t)total);
    return true;
}

void request_reply(struct request *rq)
{
    size_t size = 0;
    int64_t throttle_ms = (request_throttle_ns(rq) + 999999) / 1000000;
    if (throttle_ms > 0) {
        wire_throttle_set(rq->api->response, rq->version, rq->out, (int32_t)throttle_ms);
    }
    if (!rq->has_no_answer && answer_encode(rq)) {
        size = rq->response.len + wire_cuts_size(&rq->cuts);
        rq->conn->answered_bytes += size;
    } else if (!rq->has_no_answer) {
        rq->closes = true;
    }
    stats_answer(rq->front->stats, rq, size);
    if (rq->release == NULL) {
        // A slow reader holds the answer, not what it was made from.
        arena_give(rq->front, &rq->arena);
        chunk_unref(rq->chunk);
        rq->chunk = NULL;
        rq->in = rq->out = rq->state = NULL;
    }
    request_done(rq);
}

void request_close(struct request *rq)
{
    rq->closes = true;
    request_done(rq);
}

void request_out_of_memory(struct request *rq)
{
    trace(broker_tracer(rq->broker), TRACE_WARN,
          "closing a connection: %s v%d asked for more memory than its limit", rq->api->name, rq->version);
    request_close(rq);
}

void request_endpoint(struct request *rq, struct str *ret_host, int32_t *ret_port)
{
    struct connection *conn = rq->conn;
    *ret_host = rq->options->advertised_host;
    *ret_port = rq->options->advertised_port;
    if (conn->sock == NULL || (ret_host->len > 0 && *ret_port != 0)) {
        return;
    }
    char text[SOCK_NAME_SIZE];
    struct str name = sock_local_name(conn->sock, text);
    size_t colon = name.len;
    while (colon > 0 && name.ptr[colon - 1] != ':') {
        colon--;
    }
    int64_t port = 0;
    (void)str_parse_i64((struct str){name.ptr + colon, name.len - colon}, &port);
    struct str host = {name.ptr, colon > 0 ? colon - 1 : 0};
    if (host.len > 2 && host.ptr[0] == '[') {
        host = (struct str){host.ptr + 1, host.len - 2}; // an IPv6 address goes without brackets
    }
    *ret_host = ret_host->len > 0 ? *ret_host : arena_str(&rq->arena, host);
    *ret_port = *ret_port != 0 ? *ret_port : (int32_t)port;
}

struct str request_client_host(struct request *rq)
{
    const struct ip_count *ip = rq->conn->ip;
    return ip == NULL ? STR("/") : arena_printf(&rq->arena, "/%.*s", (int)ip->len, ip->text);
}

// ---- changes

static void on_change(struct change_op *op)
{
    struct request_change *change =
        (struct request_change *)(void *)((char *)op - offsetof(struct request_change, op));
    change->done(change->rq, change);
}

bool request_change_start(struct request *rq, struct item *items, uint32_t item_count, void *state,
                          void (*done)(struct request *rq, struct request_change *change))
{
    struct request_change *change = request_new(rq, struct request_change, 1);
    struct outcome *outcomes = request_new(rq, struct outcome, item_count + 1);
    struct submission *submissions = request_new(rq, struct submission, item_count + 1);
    if (change == NULL || outcomes == NULL || submissions == NULL) {
        request_out_of_memory(rq);
        return false;
    }
    change->rq = rq;
    change->state = state;
    change->done = done;
    change->op = (struct change_op){.port = rq->port,
                                    .items = items,
                                    .item_count = item_count,
                                    .done = on_change,
                                    .outcomes = outcomes,
                                    .submissions = submissions};
    broker_change(rq->broker, &change->op);
    return true;
}
