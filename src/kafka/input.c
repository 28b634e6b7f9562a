// SPDX-License-Identifier: Apache-2.0
// input.c - from socket bytes to frames, with memory that follows what came, never what a length claims.
// Frames are parsed in place; requests keep the chunk alive, so a batch travels from here to the log without
// a copy.
#include "base/assert.h"
#include "base/mem.h"
#include "kafka/front_private.h"

enum { LENGTH_SIZE = 4 };

size_t input_left(const struct connection *conn)
{
    return conn->in != NULL ? conn->in_end - conn->in_start : conn->partial_len;
}

static const uint8_t *input_bytes(const struct connection *conn)
{
    return conn->in != NULL ? conn->in->ptr + conn->in_start : conn->partial;
}

size_t input_frame_total(const struct connection *conn)
{
    if (input_left(conn) < LENGTH_SIZE) {
        return 0;
    }
    return LENGTH_SIZE + (size_t)load_be32(input_bytes(conn));
}

bool input_has_frame(const struct connection *conn)
{
    size_t total = input_frame_total(conn);
    return total != 0 && input_left(conn) >= total;
}

// When more than half of the memory is taken, or of the queue, a chunk follows what came, not what came
// before or is to come, and nothing is read of the frame behind.
static bool is_memory_short(const struct connection *conn)
{
    const struct pool *pool = broker_pool(conn->front->broker);
    return pool_used_bytes(pool) > pool_limit_bytes(pool) / 2 || !mem_has_room(MEM_SHARE_STATE, 0) ||
           queue_is_filling(conn->front);
}

static size_t wanted_chunk(const struct connection *conn)
{
    size_t left = input_left(conn);
    size_t total = input_frame_total(conn);
    if (conn->has_turn && total > left) {
        return total; // once: growing would hold the old chunk beside the new one
    }
    size_t want = is_memory_short(conn) ? READ_CHUNK_MIN : conn->read_hint;
    if (total > want) {
        size_t grown = 2 * left > FRAME_GROW_MIN ? 2 * left : FRAME_GROW_MIN;
        want = total < READ_CHUNK_MAX || total < grown ? total : grown;
    }
    return want > left ? want : left + READ_CHUNK_MIN;
}

// input_room makes sure there is a chunk with room behind in_end; false: no memory now.
static bool input_room(struct connection *conn)
{
    if (conn->in != NULL) {
        // A chunk of our own alone can be used again from the start once all of it was parsed.
        bool is_ours = __atomic_load_n(&conn->in->refs, __ATOMIC_ACQUIRE) == 1;
        if (conn->in_start == conn->in_end && is_ours) {
            conn->in_start = conn->in_end = 0;
        }
        size_t total = input_frame_total(conn);
        bool fits = conn->in_end < conn->in->cap && (total == 0 || conn->in_start + total <= conn->in->cap);
        bool grows = total > conn->in->cap && conn->in_end < conn->in->cap;
        if (fits || grows) {
            return true;
        }
    }
    struct pool *pool = broker_pool(conn->front->broker);
    struct chunk *chunk = chunk_get(pool, wanted_chunk(conn));
    if (chunk == NULL && queue_may_exceed(conn)) {
        chunk = chunk_get_beyond(pool, wanted_chunk(conn));
    }
    if (chunk == NULL) {
        return false;
    }
    size_t left = input_left(conn);
    if (left > 0) {
        memcpy(chunk->ptr, input_bytes(conn), left);
    }
    input_fini(conn);
    conn->in = chunk;
    conn->in_start = 0;
    conn->in_end = left;
    return true;
}

void input_fini(struct connection *conn)
{
    chunk_unref(conn->in);
    conn->in = NULL;
    conn->in_start = conn->in_end = 0;
    mem_free(conn->partial);
    conn->partial = NULL;
    conn->partial_len = 0;
}

// input_shrink moves what waits to a chunk of its size, when memory is becoming scarce. It takes memory to
// give more of it back, and may do so beyond the limits.
static void input_shrink(struct connection *conn)
{
    size_t left = input_left(conn);
    if (conn->in != NULL && left < conn->in->cap / 2 && is_memory_short(conn)) {
        struct chunk *chunk = chunk_get_beyond(broker_pool(conn->front->broker), left);
        memcpy(chunk->ptr, input_bytes(conn), left);
        input_fini(conn);
        conn->in = chunk;
        conn->in_end = left;
    }
}

// input_wait has the connection wait for room, with no more memory than its bytes need.
static void input_wait(struct connection *conn)
{
    input_shrink(conn);
    queue_starve(conn);
}

// input_rest lets go of the chunk when little or nothing waits in it: an idle connection costs its struct.
static void input_rest(struct connection *conn)
{
    size_t left = input_left(conn);
    if (conn->in == NULL) {
        return;
    }
    if (left > PARTIAL_KEEP_MAX || input_frame_total(conn) > conn->in->cap) {
        input_shrink(conn);
        return;
    }
    uint8_t *partial = left == 0 ? NULL : mem_alloc(left);
    if (left > 0) {
        memcpy(partial, input_bytes(conn), left);
    }
    input_fini(conn);
    conn->partial = partial;
    conn->partial_len = left;
}

static size_t input_room_wanted(const struct connection *conn)
{
    size_t room = conn->in->cap - conn->in_end;
    size_t left = input_left(conn);
    size_t total = input_frame_total(conn);
    return total > left && total - left < room && is_memory_short(conn) ? total - left : room;
}

bool input_read(struct connection *conn)
{
    for (int round = 0; round < 4; round++) {
        if (!queue_may_read(conn) || !input_room(conn)) {
            input_wait(conn);
            return true;
        }
        size_t room = input_room_wanted(conn);
        size_t got = 0;
        struct error error;
        enum err err = sock_recv(conn->sock, conn->in->ptr + conn->in_end, room, &got, &error);
        if (err == ERR_WOULD_BLOCK) {
            break;
        }
        if (err != ERR_OK) {
            conn->is_read_closed = true; // what came whole is still answered
            return true;
        }
        conn->active_ns = loop_now_ns(conn->front->loop);
        conn->in_end += got;
        queue_add(conn, got);
        stats_received(conn->front->stats, got);
        if (got == room && conn->read_hint < READ_CHUNK_MAX) {
            conn->read_hint *= 2;
        }
        if (got < room || input_has_frame(conn)) {
            break;
        }
    }
    return true;
}

// may_start: Produces overlap; anything else waits for the answers before it.
static bool may_start(const struct connection *conn, int16_t api_key)
{
    const struct kafka_options *options = &conn->front->options;
    if (conn->is_muted || conn->request_count >= options->inflight_max ||
        conn->answered_bytes > options->output_bytes_max) {
        return false;
    }
    if (list_is_empty(&conn->requests)) {
        return conn->piece_count < OUT_PIECES_MAX / 2;
    }
    const struct request *last = LIST_ENTRY(conn->requests.prev, struct request, node);
    return last->header.api_key == api_key && last->handler != NULL && last->handler->overlaps;
}

// A stranger's first request may be less large: clients begin with ApiVersions or Metadata.
static size_t frame_max(const struct connection *conn)
{
    const struct kafka_options *options = &conn->front->options;
    bool is_first = !conn->is_first_done && options->first_frame_bytes_max < options->frame_bytes_max;
    return is_first ? options->first_frame_bytes_max : options->frame_bytes_max;
}

bool input_parse(struct connection *conn)
{
    while (!conn->is_closing) {
        size_t total = input_frame_total(conn);
        if (total != 0 && (total == LENGTH_SIZE || total - LENGTH_SIZE > frame_max(conn))) {
            metric_add(conn->front->metric_bad, 1);
            return false; // kafka.md 5.7: oversized or negative: close
        }
        if (total == 0 || input_left(conn) < total) {
            if (input_left(conn) == 0) {
                conn->frame_ns = 0;
            } else if (conn->frame_ns == 0) {
                conn->frame_ns = loop_now_ns(conn->front->loop);
            }
            break;
        }
        if (total < LENGTH_SIZE + 8) {
            metric_add(conn->front->metric_bad, 1);
            return false; // shorter than any request header
        }
        const uint8_t *at = input_bytes(conn);
        if (!may_start(conn, (int16_t)load_be16(at + LENGTH_SIZE))) {
            break;
        }
        if (conn->in == NULL && !input_room(conn)) { // a whole small frame waited in partial
            input_wait(conn);
            break;
        }
        at = input_bytes(conn);
        conn->frame_ns = 0;
        conn->is_first_done = true;
        if (total > conn->read_hint && total <= READ_CHUNK_MAX) {
            conn->read_hint = total;
        }
        conn->in_start += total;
        queue_turn_end(conn);
        queue_promise_end(conn);
        const struct bytes frame = bytes_of(at + LENGTH_SIZE, total - LENGTH_SIZE);
        if (!request_start(conn, conn->in, frame, queue_take(conn, total))) {
            metric_add(conn->front->metric_bad, 1);
            return false;
        }
    }
    input_rest(conn);
    return true;
}
