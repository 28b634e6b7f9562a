// SPDX-License-Identifier: Apache-2.0
// request.h - one request from frame to answer, as handlers see it. A handler validates, calls one service,
// fills rq->out and calls request_reply, now or later; it never touches bytes, sockets, files or locks.
#ifndef KAFKA_REQUEST_H
#define KAFKA_REQUEST_H

#include "broker/throttle.h"
#include "kafka/gate.h"
#include "kafka/kafka.h"
#include "wire/messages.h"
#include "wire/wire.h"

struct connection;

struct request {
    struct list node; // in the connection's order
    struct connection *conn;
    struct kafka_front *front;
    struct broker *broker;
    struct broker_port *port;
    struct produce_lane *lane; // of its connection
    const struct kafka_options *options;
    const struct wire_api *api;
    const struct api_handler *handler;
    struct wire_request_header header;
    int16_t version;
    int64_t started_ns;   // when it had come as a whole
    struct chunk *chunk;  // holds the frame: in's views point into it
    struct arena arena;   // lives until the answer is encoded; with `release`, until it is sent
    void *in;             // struct <api>_request
    void *out;            // struct <api>_response at defaults
    struct queued queued; // its frame, until it is answered
    size_t frame_size;
    bool is_handling;     // its handler is being called
    bool is_time_charged; // against request_percentage
    int64_t busy_ns;      // what its handler took
    int64_t throttle_ns;  // how long the client is to stay away after the answer
    bool is_done;
    bool has_no_answer; // acks=0
    bool closes;        // close the connection instead of answering
    // the answer
    struct buf response;
    struct wire_cuts cuts;
    void (*release)(struct request *rq); // when sent or dropped: unpin slices; may be NULL
    void (*cancel)(struct request *rq);  // the connection is gone: finish soon; may be NULL
    void *state;                         // the handler's
    size_t sent;                         // of response, queued for sending
    uint32_t cut_index;
    uint32_t slice_index;
};

struct api_handler {
    enum api_key key;
    bool is_unlisted; // answered, but not among what ApiVersions says is served
    bool overlaps;    // consecutive ones of this kind may be worked on at the same time (Produce)
    void (*handle)(struct request *rq);
};

// request_reply encodes rq->out and hands it to the connection. Exactly once per request, on its loop. Unless
// `release` is set, the request's memory (in, out, arena) is gone when it returns: only the encoded answer
// waits.
void request_reply(struct request *rq);
// request_charge counts an amount against a quota of the client; the answer tells it to stay away if it is
// over.
void request_charge(struct request *rq, enum throttle_kind kind, double amount);
// request_hold begins the silence before the answer, so that what the client sent meanwhile waits.
void request_hold(struct request *rq);
// request_throttle_ns also counts the time that the request took; afterwards more of it costs nothing.
int64_t request_throttle_ns(struct request *rq);
// request_mutate counts partitions made or deleted; false: refuse with ERR_QUOTA_EXCEEDED (only if strict).
bool request_mutate(struct request *rq, uint32_t partitions, bool is_strict);
struct throttle_who request_who(const struct request *rq);
// request_close ends the connection instead of answering (where Kafka does).
void request_close(struct request *rq);
// request_new allocates zeroed memory that lives as long as the request; NULL past its cap: then
// request_fail.
#define request_new(rq, type, count) arena_new(&(rq)->arena, type, (count))
// request_out_of_memory closes: the request asked for more than its limit.
void request_out_of_memory(struct request *rq);
// request_endpoint tells where this broker is reachable for this client.
void request_endpoint(struct request *rq, struct str *ret_host, int32_t *ret_port);

// request_client_host is the client's address as Kafka writes it, "/127.0.0.1"; NULL ptr when out of memory.
struct str request_client_host(struct request *rq);

// request_change submits control items and calls done(rq) with the outcomes (request_new memory) when
// applied.
struct request_change {
    struct change_op op;
    struct request *rq;
    void (*done)(struct request *rq, struct request_change *change);
    void *state; // the handler's
};
// request_change_start: items and outcomes have item_count entries in the request's arena; item_count may be
// 0. False (and the connection is closed) when out of memory.
bool request_change_start(struct request *rq, struct item *items, uint32_t item_count, void *state,
                          void (*done)(struct request *rq, struct request_change *change));

// handlers.c: the list of everything this front speaks.
const struct api_handler *handler_find(int16_t key);
size_t handler_count(void);
const struct api_handler *handler_at(size_t index);

#endif
