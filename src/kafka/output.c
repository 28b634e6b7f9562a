// SPDX-License-Identifier: Apache-2.0
// output.c - answers leave in request order, many in one send. A Fetch answer is its encoded bytes with
// slices of stored batches cut in; slices are resolved piece by piece as the socket takes them, so a slow
// reader pins objects and at most OUT_RESOLVED_MAX bytes of memory.
#include "base/assert.h"
#include "base/mem.h"
#include "base/plant.h"
#include "kafka/front_private.h"

bool output_is_empty(const struct connection *conn)
{
    return conn->piece_count == 0;
}

static struct out_piece *piece_push(struct connection *conn)
{
    ASSERT(conn->piece_count < OUT_PIECES_MAX);
    if (conn->pieces == NULL) {
        struct kafka_front *front = conn->front;
        conn->pieces = front->spare_pieces != NULL ? front->spare_pieces
                                                   : mem_alloc(OUT_PIECES_MAX * sizeof *conn->pieces);
        front->spare_pieces = NULL;
    }
    struct out_piece *piece = &conn->pieces[(conn->piece_head + conn->piece_count++) % OUT_PIECES_MAX];
    *piece = (struct out_piece){0};
    return piece;
}

static void piece_pop(struct connection *conn)
{
    struct out_piece *piece = &conn->pieces[conn->piece_head];
    conn->piece_head = (conn->piece_head + 1) % OUT_PIECES_MAX;
    conn->piece_count--;
    conn->piece_sent = 0;
    if (piece->chunk != NULL) {
        conn->resolved_bytes -= piece->len;
        chunk_unref(piece->chunk);
    }
    if (piece->unpins != NULL) {
        broker_slice_release(conn->front->broker, piece->unpins);
    }
    if (piece->ends != NULL) {
        conn->answered_bytes -= piece->ends->response.len + wire_cuts_size(&piece->ends->cuts);
        request_destroy(piece->ends);
    }
}

// output_rest gives the pieces' memory back: an idle connection costs its struct.
static void output_rest(struct connection *conn)
{
    if (conn->piece_count == 0 && conn->pieces != NULL) {
        mem_free(conn->front->spare_pieces);
        conn->front->spare_pieces = conn->pieces;
        conn->pieces = NULL;
    }
}

void output_fini(struct connection *conn)
{
    while (conn->piece_count > 0) {
        piece_pop(conn);
    }
    output_rest(conn);
}

// next_slice_piece queues the next piece of the record slices at the request's current cut; *ret_more: there
// is more of this cut to come; *ret_stop: there is no memory for it now.
static bool next_slice_piece(struct connection *conn, struct request *rq, bool *ret_more, bool *ret_stop)
{
    struct fetch_part *part = rq->cuts.items[rq->cut_index].external;
    struct fetch_slice *slice = &part->slices[rq->slice_index];
    struct fetch_piece resolved;
    struct error error = {0};
    enum err err = broker_slice_next(conn->front->broker, slice, &resolved, &error);
    if (err == ERR_NO_MEMORY) {
        queue_thirst(conn);
        *ret_stop = true;
        return true;
    }
    if (err != ERR_OK) {
        trace(broker_tracer(conn->front->broker), TRACE_WARN, "a fetch answer was cut off: %s", error.text);
        return false;
    }
    struct out_piece *piece = piece_push(conn);
    piece->ptr = resolved.ptr;
    piece->chunk = resolved.chunk;
    piece->file = resolved.file;
    piece->position = resolved.position;
    piece->len = resolved.length;
    conn->resolved_bytes += resolved.chunk != NULL ? resolved.length : 0;
    if (slice->length == 0) {
        piece->unpins = slice; // the object stays pinned until its last bytes have left
        rq->slice_index++;
    }
    *ret_more = rq->slice_index < part->slice_count;
    return true;
}

static struct request *next_answer(struct connection *conn)
{
    struct request *first = LIST_ENTRY(conn->requests.next, struct request, node);
    if (plant_is(PLANT_RESPONSE_ORDER) && !first->is_done) {
        LIST_EACH (node, &conn->requests) {
            struct request *rq = LIST_ENTRY(node, struct request, node);
            first = rq->is_done ? rq : first;
        }
    }
    return first;
}

// output_fill resolves finished answers, in order, into pieces.
static bool output_fill(struct connection *conn)
{
    while (conn->piece_count + 1 < OUT_PIECES_MAX && conn->resolved_bytes < OUT_RESOLVED_MAX &&
           !list_is_empty(&conn->requests)) {
        struct request *rq = next_answer(conn);
        if (!rq->is_done) {
            break;
        }
        if (rq->closes) {
            return conn->piece_count > 0; // send what precedes it, then close
        }
        bool at_cut = rq->cut_index < rq->cuts.count && rq->cuts.items[rq->cut_index].position == rq->sent;
        if (at_cut) {
            bool has_more = false;
            bool must_stop = false;
            if (!next_slice_piece(conn, rq, &has_more, &must_stop)) {
                return false;
            }
            if (must_stop) {
                break;
            }
            if (!has_more) {
                rq->cut_index++;
                rq->slice_index = 0;
            }
        } else if (rq->sent < rq->response.len) {
            size_t end =
                rq->cut_index < rq->cuts.count ? rq->cuts.items[rq->cut_index].position : rq->response.len;
            struct out_piece *piece = piece_push(conn);
            piece->ptr = rq->response.ptr + rq->sent;
            piece->len = end - rq->sent;
            rq->sent = end;
        }
        if (rq->sent == rq->response.len && rq->cut_index == rq->cuts.count) {
            list_remove(&rq->node);
            conn->request_count--;
            if (rq->has_no_answer) {
                request_destroy(rq);
            } else {
                conn->pieces[(conn->piece_head + conn->piece_count - 1) % OUT_PIECES_MAX].ends = rq;
            }
        }
    }
    return true;
}

static void output_took(struct connection *conn, size_t took)
{
    while (conn->piece_count > 0) {
        size_t left = conn->pieces[conn->piece_head].len - conn->piece_sent;
        if (took < left) {
            conn->piece_sent += took;
            return;
        }
        took -= left;
        piece_pop(conn);
        if (took == 0) {
            return;
        }
    }
}

// output_send makes one send from the head of the pieces.
static enum err output_send(struct connection *conn, size_t *ret_asked, size_t *ret_took)
{
    struct out_piece *head = &conn->pieces[conn->piece_head];
    struct error error;
    if (head->file != NULL) {
        *ret_asked = head->len - conn->piece_sent;
        return sock_send_file(conn->sock, head->file, head->position + (int64_t)conn->piece_sent, *ret_asked,
                              ret_took, &error);
    }
    UNINITIALIZED struct io_slice slices[OUT_PIECES_MAX];
    size_t count = 0;
    *ret_asked = 0;
    bool has_more = false;
    for (uint32_t i = 0; i < conn->piece_count; i++) {
        const struct out_piece *piece = &conn->pieces[(conn->piece_head + i) % OUT_PIECES_MAX];
        if (piece->file != NULL) {
            has_more = true;
            break;
        }
        size_t skip = i == 0 ? conn->piece_sent : 0;
        slices[count++] = (struct io_slice){(void *)(piece->ptr + skip), piece->len - skip};
        *ret_asked += piece->len - skip;
    }
    return sock_send(conn->sock, slices, count, has_more, ret_took, &error);
}

bool output_flush(struct connection *conn)
{
    for (;;) {
        if (!output_fill(conn)) {
            return false;
        }
        if (conn->piece_count == 0) {
            output_rest(conn);
            return true;
        }
        size_t asked = 0;
        size_t took = 0;
        enum err err = output_send(conn, &asked, &took);
        if (err == ERR_WOULD_BLOCK) {
            return true;
        }
        if (err != ERR_OK) {
            return false;
        }
        conn->active_ns = loop_now_ns(conn->front->loop);
        stats_sent(conn->front->stats, took);
        output_took(conn, took);
        if (took < asked) {
            return true;
        }
    }
}
