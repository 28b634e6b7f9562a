// SPDX-License-Identifier: Apache-2.0
// http.h - HTTP/1.1 over an event loop (RFC 9110, 9112): keep-alive, pipelining, one route table, bounded
// headers, bodies, answers and times, clear JSON errors. It knows no API; routes come from above. One server
// per loop.
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"

enum {
    HTTP_HEADER_BYTES_MAX = 16 * 1024,
    HTTP_HEADERS_MAX = 100,
    HTTP_BODY_BYTES_MAX = 8 << 20,
    HTTP_PARAMS_MAX = 8,
    HTTP_CONNECTIONS_MAX = 1024,
    HTTP_PIPELINE_MAX = 16,                // requests of a connection held at once; the rest waits unread
    HTTP_BODIES_BYTES_MAX = 64 << 20,      // memory of bodies of all connections; over it: 503
    HTTP_ANSWERS_BYTES_MAX = 512 << 20,    // answers that were not taken yet, likewise
    HTTP_BYTES_PER_SECOND_MIN = 16 * 1024, // of bodies, and of answers, on the whole
    HTTP_HEADER_TIMEOUT_MS = 10000,        // and for a body, before its pace counts
    HTTP_IDLE_TIMEOUT_MS = 60000,          // and for an answer, likewise
    HTTP_LINGER_MS = 1000,                 // what still comes of a refused body is read away
    HTTP_STOP_GRACE_MS = 5000,
};

struct http_server;
struct http_request; // one exchange; valid until replied

struct http_route {
    const char *method; // "GET"
    const char
        *pattern; // "/subjects/{subject}/versions"; a segment in braces matches one segment, percent-decoded
    void (*handle)(struct http_request *rq);
    void *arg;
};
struct http_routes {
    const struct http_route *routes;
    size_t count;
    const char *error_type; // content type of errors that the server makes itself; NULL = application/json
};

struct http_server *http_server_create(struct loop *loop, struct metrics *metrics, struct http_routes routes);
void http_server_listen(struct http_server *s, struct sock *take_listener);
// http_server_stop closes the listeners and what is idle, answers what handlers work on, and calls `stopped`
// on the loop when the last connection is gone: clients get HTTP_STOP_GRACE_MS to take their answers.
void http_server_stop(struct http_server *s, void (*stopped)(void *arg), void *arg);
void http_server_destroy(struct http_server *take_server); // after it has stopped; NULL is a no-op

// For handlers, on the loop's thread.
void *http_request_arg(struct http_request *rq); // the route's
struct str http_request_method(const struct http_request *rq);
struct str http_request_path(const struct http_request *rq); // raw, without the query
struct str http_request_param(const struct http_request *rq,
                              size_t index);                       // of the pattern, decoded, in order
struct str http_request_query_text(const struct http_request *rq); // behind the '?', raw
// http_request_query finds a decoded query parameter; NULL ptr if absent.
struct str http_request_query(struct http_request *rq, struct str name);
struct str http_request_header(const struct http_request *rq,
                               struct str name); // case-insensitive; NULL ptr if absent
struct bytes http_request_body(const struct http_request *rq);
struct arena *http_request_arena(struct http_request *rq);

// http_reply_header adds a header line to the answer that follows.
void http_reply_header(struct http_request *rq, const char *name, struct str value);
// http_reply answers, now or later, exactly once. body is copied.
void http_reply(struct http_request *rq, int status, struct str content_type, struct bytes body);
// http_reply_take does it without a copy, and leaves an empty buffer.
void http_reply_take(struct http_request *rq, int status, struct str content_type, struct buf *take_body);
// http_reply_error answers {"error_code":code,"message":"..."} in the manner of the Confluent registry.
void http_reply_error(struct http_request *rq, int status, int code, struct str message);

#endif
