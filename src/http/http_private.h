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
    struct buf body;
    struct str path;
    struct str query;
    struct str params[HTTP_PARAMS_MAX];
    const struct http_route *route;
    const char *method;
    bool keeps_alive;
    bool is_head;
    bool is_dispatched;
    bool is_done;
    struct buf response;
    int reject_status; // not 0: refused while parsing
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
    size_t sent;       // of the first request's response
    int64_t active_ns; // last byte received or sent
    int64_t began_ns;  // first byte of the incoming request
    bool is_in_head;   // its header is not complete
    bool is_read_closed;
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
    struct metric *requests;
};

// parse.c: feeds bytes; false = the connection must end after what is answered. Complete requests join
// conn->requests.
void http_connection_parse_init(struct http_connection *conn);
bool http_connection_parse(struct http_connection *conn, struct bytes data);
// route.c
// http_route_find matches method and path; sets params. *ret_other_method: the path exists under another
// method.
const struct http_route *http_route_find(const struct http_server *server, struct http_request *rq,
                                         bool *ret_other_method);
// request.c
struct http_request *http_request_create(struct http_connection *conn);
void http_request_destroy(struct http_request *take_request);
void http_request_dispatch(struct http_request *rq);
// http.c
void http_connection_step(struct http_connection *conn);

#endif
