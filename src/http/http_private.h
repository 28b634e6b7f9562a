// SPDX-License-Identifier: Apache-2.0
// http_private.h - the server, its connections and exchanges.
#ifndef HTTP_HTTP_PRIVATE_H
#define HTTP_HTTP_PRIVATE_H

#include <http_parser.h>

#include "base/list.h"
#include "http/http.h"

struct http_header {
    size_t name_at; // in the request's text buffer
    size_t name_len;
    size_t value_at;
    size_t value_len;
};

// One exchange. Owner: its connection, in the order of arrival.
struct http_request {
    struct list node;
    struct http_connection *conn;
    struct arena arena;
    struct buf text; // url, then header names and values
    size_t url_len;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    bool was_value; // the parser's last header callback
    bool wants_continue;
    struct buf body;
    struct str path;
    struct str query;
    struct str params[HTTP_PARAMS_MAX];
    size_t param_count;
    const struct http_route *route;
    const char *method;
    bool keeps_alive;
    bool is_old; // HTTP/1.0
    bool is_head;
    bool is_dispatched;
    bool is_done;
    struct str extra;    // header lines of the answer
    struct str head;     // of the answer; in the arena
    struct buf answer;   // its body
    size_t body_bytes;   // as counted by the server
    size_t answer_bytes; // likewise
    int reject_status;   // not 0: refused while parsing
};

struct http_connection {
    struct list node;
    struct http_server *server;
    struct loop_io io;
    struct sock *sock;
    struct timer timer;
    http_parser parser;
    struct http_request *incoming; // being parsed
    struct list requests;          // parsed, in order
    size_t request_count;
    struct buf held;      // bytes that came behind the last request held
    size_t sent;          // of the first request's answer
    size_t continue_sent; // of "100 Continue"
    int64_t active_ns;    // last byte received or sent
    int64_t began_ns;     // first byte of the incoming request
    int64_t answered_ns;  // the first request's answer was ready
    int64_t linger_end_ns;
    bool is_in_head; // the incoming request's header is not complete
    bool is_read_closed;
    bool is_hung;        // nobody is there any more
    bool must_linger;    // a body was refused that the client may still be sending
    bool is_lingering;   // all is answered
    bool is_in_callback; // a step is under way: do not free
};

struct http_listener {
    struct loop_io io;
    struct http_server *server;
    struct http_listener *next;
};

struct http_server {
    struct loop *loop;
    struct http_routes routes;
    struct http_listener *listeners;
    struct timer accept_retry;
    struct list connections;
    size_t connection_count;
    size_t body_bytes;   // of all requests
    size_t answer_bytes; // likewise
    bool is_stopping;
    bool is_out_of_grace;
    struct timer stop_grace;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct metric *requests;
};

// parse.c: feeds bytes; false = the connection must end after what is answered. Complete requests join
// conn->requests. Bytes behind the last one that may be held wait in conn->held for http_connection_resume.
void http_connection_parse_init(struct http_connection *conn);
bool http_connection_parse(struct http_connection *conn, struct bytes data);
bool http_connection_resume(struct http_connection *conn);
// route.c
// http_route_find matches method and path; sets params. *ret_allowed: the path's methods, if it has others.
const struct http_route *http_route_find(const struct http_server *server, struct http_request *rq,
                                         struct str *ret_allowed);
// request.c
struct http_request *http_request_create(struct http_connection *conn);
void http_request_destroy(struct http_request *take_request);
void http_request_dispatch(struct http_request *rq);
// connection.c
void http_connection_open(struct http_server *server, struct sock *take_sock);
void http_connection_step(struct http_connection *conn);
void http_connection_stop(struct http_connection *conn);    // ends, or will when it has answered
void http_connection_abandon(struct http_connection *conn); // what is ready to be taken is dropped
// http.c
void http_server_note_closed(struct http_server *server); // a connection is gone

#endif
