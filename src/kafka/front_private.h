// SPDX-License-Identifier: Apache-2.0
// front_private.h - the front, its connections and what they have yet to send.
#ifndef KAFKA_FRONT_PRIVATE_H
#define KAFKA_FRONT_PRIVATE_H

#include "kafka/gate.h"
#include "kafka/request.h"
#include "kafka/stats.h"

enum {
    OUT_PIECES_MAX = 64,           // scattered pieces queued per connection
    OUT_RESOLVED_MAX = 512 * 1024, // bytes of them held in memory
    SPARE_ARENAS_MAX = 64,         // of answered requests, kept for the next ones; at most 64 KiB each
    READ_CHUNK_MIN = 4096,
    READ_CHUNK_MAX = 256 * 1024,  // adaptive read size; larger frames get a chunk of their own
    PARTIAL_KEEP_MAX = 512,       // fewer waiting bytes than this cost no chunk
    FRAME_GROW_MIN = 64 * 1024,   // a big frame's memory grows with the bytes that came, never with its claim
    REQUEST_ARENA_FACTOR = 8,     // cap of a request's arena: this many times its frame ...
    REQUEST_ARENA_MIN = 64 << 20, // ... but at least this: small requests can have large answers (Metadata)
    FRONT_PEERS_MAX = 31,
    STOP_GRACE_MS = 5000, // when stopping, for clients to read their answers
    CONNECTION_MAGIC = 0x6b636f6e,
};

struct out_piece {
    const uint8_t *ptr;
    struct chunk *chunk; // may be NULL
    struct file *file;   // not NULL: from the file
    int64_t position;
    size_t len;
    struct request *ends;       // the request whose answer ends with this piece
    struct fetch_slice *unpins; // the slice that ends with this piece
};

struct connection {
    uint32_t magic;
    struct list node;  // in the front
    struct list dirty; // in the front's list of those with something to send or parse
    struct kafka_front *front;
    struct loop_io io;
    struct sock *sock;
    struct ip_count *ip;
    struct timer timer;
    int64_t opened_ns;
    int64_t active_ns;  // last byte received or sent
    int64_t frame_ns;   // when the frame now incomplete began; 0 = none
    bool is_first_done; // one whole frame has come
    // input: [start, end) of the chunk is not parsed yet; or a few bytes in partial
    struct chunk *in;
    size_t in_start;
    size_t in_end;
    size_t read_hint;
    uint8_t *partial;
    size_t partial_len;
    bool is_read_closed; // no more requests come; what came whole is still answered
    bool is_hung;        // the peer has stopped sending, or is gone: its last bytes are not read yet
    bool is_unplugged;   // the peer is gone altogether: the poller no longer watches the socket
    bool is_starved;     // waits for room in the queue or the pool, in the front's list
    struct list starved;
    struct queued queued; // read, and not yet of a request
    size_t promised;      // of a large frame, still to come: there is room for them in the queue
    bool has_turn;        // may read on although there is no room
    enum frame_class turn_class;
    int64_t turn_end_ns;
    size_t turn_bytes; // read in it
    // requests being worked on or answered, in order
    struct list requests;
    uint32_t request_count;
    struct produce_lane lane;
    // output
    struct out_piece *pieces; // OUT_PIECES_MAX, while there are any
    uint32_t piece_head;
    uint32_t piece_count;
    size_t piece_sent; // of the head piece
    size_t resolved_bytes;
    size_t answered_bytes; // of answers that are not fully sent
    bool is_muted;         // over a quota: nothing is read until `unmute`
    struct timer unmute;
    int64_t unmute_ns;
    struct list thirsty; // in the front's list while the pool has no memory for its answer
    bool is_closing;
    bool is_parsing;
};

struct listener {
    struct loop_io io;
    struct kafka_front *front;
    struct listener *next;
};

struct kafka_front {
    struct broker *broker;
    struct broker_port *port;
    struct loop *loop;
    struct kafka_options options;
    struct listener *listeners;
    struct list connections;
    uint32_t connection_count;
    struct list dirty;
    struct task flush;
    bool is_flush_deferred;
    struct gate *gate;
    struct list starved[FRAME_CLASSES]; // connections, the one whose frame began first at the front
    struct list thirsty;
    struct kafka_front *peers[FRONT_PEERS_MAX];
    uint32_t peer_count;
    uint32_t peer_turn;
    struct timer accept_retry;
    struct timer starved_retry;
    struct timer stop_grace;
    struct out_piece *spare_pieces; // an array that no answer needs now
    struct arena spare_arenas[SPARE_ARENAS_MAX];
    uint32_t spare_arena_count;
    bool is_stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct metric *metric_connections;
    struct stats_shard *stats;
    struct metric *metric_bad;
    struct metric *metric_queued;
    struct metric *metric_refused[GATE_FAST_FOR_IP + 1]; // connections, by enum gate_answer
    struct metric *metric_idle;                          // connections ended
    struct metric *metric_slow;
};

// connection.c
void connection_open(struct kafka_front *front, struct sock *take_sock, struct ip_count *ip);
void connection_close(struct connection *conn);
// connection_mark has the front look at the connection at the end of the round: flush, then parse on.
void connection_mark(struct connection *conn);
void connection_step(struct connection *conn);
// connection_is_held: nothing is read from it now: for a quota, or until it takes its answers, or any more.
bool connection_is_held(const struct connection *conn);
// connection_mute reads and starts nothing for a while; what is being worked on is answered.
void connection_mute(struct connection *conn, int64_t wait_ns);
// queue.c
// queue_add counts bytes that were read, queue_take hands a frame's on to its request, queue_work says that
// nobody needs to come for it to be answered, queue_remove counts out what is answered or dropped.
void queue_add(struct connection *conn, size_t bytes);
struct queued queue_take(struct connection *conn, size_t bytes);
void queue_work(struct kafka_front *front, struct queued *queued);
void queue_remove(struct kafka_front *front, struct queued *queued);
// queue_is_filling: more than half of what large frames may have is taken, or promised.
bool queue_is_filling(const struct kafka_front *front);
// queue_promise_end: the frame is whole, or given up.
void queue_promise_end(struct connection *conn);
// queue_may_read: there is room for more of this connection's frame, or it has the turn.
bool queue_may_read(struct connection *conn);
// queue_may_exceed: it has the turn, or gets it now: of those that wait, its frame began first.
bool queue_may_exceed(struct connection *conn);
// queue_turn_renew: false: it had the turn for a whole period and did not use it.
bool queue_turn_renew(struct connection *conn);
void queue_turn_end(struct connection *conn); // no-op without the turn
// queue_starve has the connection wait until there is room; queue_resume ends that.
void queue_starve(struct connection *conn);
void queue_resume(struct connection *conn);
// queue_thirst has the connection step again when the pool may have memory for its answer.
void queue_thirst(struct connection *conn);
void queue_on_retry(struct timer *timer);
// input.c
bool input_read(struct connection *conn);  // false: the connection is to be closed
bool input_parse(struct connection *conn); // likewise
bool input_has_frame(const struct connection *conn);
size_t input_left(const struct connection *conn); // bytes that were read and are not parsed
// input_frame_total: the size of the frame at the front, length included; 0 while its length is not here.
size_t input_frame_total(const struct connection *conn);
void input_fini(struct connection *conn);
// output.c
bool output_flush(struct connection *conn); // false: the connection is to be closed
bool output_is_empty(const struct connection *conn);
void output_fini(struct connection *conn);
// request.c
// request_start decodes and dispatches a frame (without its length) that lies in chunk; false = close.
bool request_start(struct connection *conn, struct chunk *chunk, struct bytes frame, struct queued queued);
void request_destroy(struct request *rq);
// front.c
// front_flush_later has the front look at its dirty connections, and whether it has stopped, at the end of
// the round.
void front_flush_later(struct kafka_front *front);

#endif
