// SPDX-License-Identifier: Apache-2.0
// parse.c - from bytes to requests, with the http-parser library for the grammar and our limits on every
// length.
#include <strings.h>

#include "http/http_private.h"

static struct http_connection *conn_of(http_parser *parser)
{
    return parser->data;
}

static int on_message_begin(http_parser *parser)
{
    struct http_connection *conn = conn_of(parser);
    conn->incoming = http_request_create(conn);
    conn->is_in_head = true;
    conn->began_ns = loop_now_ns(conn->server->loop);
    return 0;
}

static int reject(struct http_request *rq, int status)
{
    rq->reject_status = rq->reject_status == 0 ? status : rq->reject_status;
    // The parser stops: what follows cannot be trusted to be a request. Not 1, by which on_headers_complete
    // would say that there is no body.
    return -1;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct http_request *rq = conn_of(parser)->incoming;
    buf_append(&rq->text, at, len);
    rq->url_len += len;
    return rq->text.failed ? reject(rq, 414) : 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
    struct http_request *rq = conn_of(parser)->incoming;
    if (!conn_of(parser)->is_in_head) {
        return 0; // of a trailer: bounded by the parser, of no use to anybody here
    }
    if (rq->header_count == 0 || rq->was_value) {
        if (rq->header_count == HTTP_HEADERS_MAX) {
            return reject(rq, 431);
        }
        rq->headers[rq->header_count++] =
            (struct http_header){.name_at = rq->text.len, .value_at = rq->text.len};
        rq->was_value = false;
    }
    struct http_header *header = &rq->headers[rq->header_count - 1];
    buf_append(&rq->text, at, len);
    header->name_len += len;
    header->value_at = rq->text.len;
    return rq->text.failed ? reject(rq, 431) : 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct http_request *rq = conn_of(parser)->incoming;
    if (!conn_of(parser)->is_in_head) {
        return 0;
    }
    rq->was_value = true;
    buf_append(&rq->text, at, len);
    rq->headers[rq->header_count - 1].value_len += len;
    return rq->text.failed ? reject(rq, 431) : 0;
}

// expects looks at "Expect: 100-continue": such a client sends its body only when it is told to, or after a
// while.
static int expects(struct http_parser *parser, struct http_request *rq)
{
    struct str expected = http_request_header(rq, STR("expect"));
    if (expected.ptr == NULL || parser->http_minor == 0) {
        return 0;
    }
    if (expected.len != 12 || strncasecmp(expected.ptr, "100-continue", 12) != 0) {
        return reject(rq, 417);
    }
    rq->wants_continue = true;
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_connection *conn = conn_of(parser);
    struct http_request *rq = conn->incoming;
    conn->is_in_head = false;
    // Nobody here speaks another protocol: an Upgrade is an offer that we may ignore (RFC 9110, 7.8).
    parser->upgrade = parser->method == HTTP_CONNECT;
    bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    if (has_length && parser->content_length > HTTP_BODY_BYTES_MAX) {
        conn->must_linger = true;
        return reject(rq, 413);
    }
    return expects(parser, rq);
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http_connection *conn = conn_of(parser);
    struct http_request *rq = conn->incoming;
    size_t cap = rq->body.cap;
    buf_append(&rq->body, at, len);
    rq->body_bytes += rq->body.cap - cap;
    conn->server->body_bytes += rq->body.cap - cap;
    if (rq->body.failed) {
        conn->must_linger = true;
        return reject(rq, 413);
    }
    if (conn->server->body_bytes > HTTP_BODIES_BYTES_MAX) {
        conn->must_linger = true;
        return reject(rq, 503);
    }
    return 0;
}

static void request_ready(struct http_connection *conn)
{
    struct http_request *rq = conn->incoming;
    conn->incoming = NULL;
    conn->continue_sent = 0;
    list_push_back(&conn->requests, &rq->node);
    conn->request_count++;
}

static int on_message_complete(http_parser *parser)
{
    struct http_connection *conn = conn_of(parser);
    struct http_request *rq = conn->incoming;
    rq->method = http_method_str((enum http_method)parser->method);
    rq->is_head = parser->method == HTTP_HEAD;
    rq->is_old = parser->http_major == 1 && parser->http_minor == 0;
    rq->keeps_alive = http_should_keep_alive(parser) != 0 && parser->method != HTTP_CONNECT;
    request_ready(conn);
    if (conn->request_count >= HTTP_PIPELINE_MAX) {
        http_parser_pause(parser, 1);
    }
    return 0;
}

static const http_parser_settings settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void http_connection_parse_init(struct http_connection *conn)
{
    http_parser_init(&conn->parser, HTTP_REQUEST);
    conn->parser.data = conn;
}

bool http_connection_parse(struct http_connection *conn, struct bytes data)
{
    size_t used = http_parser_execute(&conn->parser, &settings, (const char *)data.ptr, data.len);
    enum http_errno problem = HTTP_PARSER_ERRNO(&conn->parser);
    if (problem == HPE_PAUSED) {
        http_parser_pause(&conn->parser, 0);
        buf_append(&conn->held, data.ptr + used, data.len - used);
        return true;
    }
    if (problem == HPE_OK && used == data.len && !conn->parser.upgrade) {
        return true;
    }
    if (conn->incoming != NULL) {
        struct http_request *rq = conn->incoming;
        rq->reject_status = rq->reject_status != 0 ? rq->reject_status : 400;
        rq->keeps_alive = false;
        request_ready(conn);
    }
    return false; // bad grammar, or over a limit
}

bool http_connection_resume(struct http_connection *conn)
{
    struct buf held = conn->held;
    buf_init(&conn->held, held.limit);
    bool is_alive = http_connection_parse(conn, buf_bytes(&held));
    buf_fini(&held);
    return is_alive;
}
