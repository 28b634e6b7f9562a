// SPDX-License-Identifier: Apache-2.0
// parse.c - from bytes to requests, with the http-parser library for the grammar and our limits on every
// length.
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
    rq->was_value = true;
    buf_append(&rq->text, at, len);
    rq->headers[rq->header_count - 1].value_len += len;
    return rq->text.failed ? reject(rq, 431) : 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct http_request *rq = conn_of(parser)->incoming;
    conn_of(parser)->is_in_head = false;
    bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    return has_length && parser->content_length > HTTP_BODY_BYTES_MAX ? reject(rq, 413) : 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct http_request *rq = conn_of(parser)->incoming;
    buf_append(&rq->body, at, len);
    return rq->body.failed ? reject(rq, 413) : 0;
}

static void request_ready(struct http_connection *conn)
{
    struct http_request *rq = conn->incoming;
    conn->incoming = NULL;
    list_push_back(&conn->requests, &rq->node);
    conn->request_count++;
}

static int on_message_complete(http_parser *parser)
{
    struct http_connection *conn = conn_of(parser);
    struct http_request *rq = conn->incoming;
    rq->method = http_method_str((enum http_method)parser->method);
    rq->is_head = parser->method == HTTP_HEAD;
    rq->keeps_alive = http_should_keep_alive(parser) != 0;
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
    if (problem == HPE_OK && used == data.len && !conn->parser.upgrade) {
        return true;
    }
    if (conn->incoming != NULL) {
        struct http_request *rq = conn->incoming;
        rq->reject_status = rq->reject_status != 0 ? rq->reject_status : 400;
        rq->keeps_alive = false;
        request_ready(conn);
    }
    return false; // bad grammar, over a limit, or more pipelined requests than we hold
}
