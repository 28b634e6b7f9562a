// SPDX-License-Identifier: Apache-2.0
// request.c - one exchange: dispatch to its route, answer.
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_private.h"

enum { REQUEST_ARENA_BYTES = 4 << 20, RESPONSE_BYTES_MAX = 64 << 20 };

struct http_request *http_request_create(struct http_connection *conn)
{
    struct http_request *rq = mem_zalloc(sizeof *rq);
    rq->conn = conn;
    rq->method = "";
    arena_init(&rq->arena, REQUEST_ARENA_BYTES);
    buf_init(&rq->text, HTTP_HEADER_BYTES_MAX);
    buf_init(&rq->body, HTTP_BODY_BYTES_MAX);
    buf_init(&rq->response, RESPONSE_BYTES_MAX);
    return rq;
}

void http_request_destroy(struct http_request *take_request)
{
    if (take_request == NULL) {
        return;
    }
    arena_fini(&take_request->arena);
    buf_fini(&take_request->text);
    buf_fini(&take_request->body);
    buf_fini(&take_request->response);
    mem_free(take_request);
}

static const char *reason_phrase(int status)
{
    switch (status) {
#define X(code, name, text)                                                                                  \
    case code:                                                                                               \
        return #text;
        HTTP_STATUS_MAP(X)
#undef X
    default:
        return "Unknown";
    }
}

void http_request_dispatch(struct http_request *rq)
{
    rq->is_dispatched = true;
    struct str url = {(const char *)rq->text.ptr, rq->url_len};
    rq->path = str_cut(url, '?', &rq->query);
    if (rq->reject_status != 0) {
        http_reply_error(rq, rq->reject_status, rq->reject_status,
                         str_from_c(reason_phrase(rq->reject_status)));
        return;
    }
    bool has_other_method = false;
    rq->route = http_route_find(rq->conn->server, rq, &has_other_method);
    if (rq->route != NULL) {
        rq->route->handle(rq);
    } else if (has_other_method) {
        http_reply_error(rq, 405, 405, STR("HTTP 405 Method Not Allowed"));
    } else {
        http_reply_error(rq, 404, 404, STR("HTTP 404 Not Found"));
    }
}

void http_reply(struct http_request *rq, int status, struct str content_type, struct bytes body)
{
    ASSERT(!rq->is_done);
    buf_printf(&rq->response, "HTTP/1.1 %d %s\r\nContent-Type: " STR_FMT "\r\nContent-Length: %zu\r\n%s\r\n",
               status, reason_phrase(status), STR_ARG(content_type), body.len,
               rq->keeps_alive ? "" : "Connection: close\r\n");
    if (!rq->is_head) {
        buf_append(&rq->response, body.ptr, body.len);
    }
    rq->is_done = true;
    rq->keeps_alive = rq->keeps_alive && !rq->response.failed;
    if (!rq->conn->is_in_callback) {
        http_connection_step(rq->conn);
    }
}

void http_reply_error(struct http_request *rq, int status, int code, struct str message)
{
    struct buf body;
    buf_init(&body, 64 * 1024);
    buf_printf(&body, "{\"error_code\":%d,\"message\":\"", code);
    for (size_t i = 0; i < message.len; i++) {
        unsigned char c = (unsigned char)message.ptr[i];
        if (c == '"' || c == '\\') {
            buf_printf(&body, "\\%c", c);
        } else if (c < 0x20) {
            buf_printf(&body, "\\u%04x", c);
        } else {
            buf_u8(&body, c);
        }
    }
    buf_append_str(&body, STR("\"}"));
    http_reply(rq, status, STR("application/json"), buf_bytes(&body));
    buf_fini(&body);
}

void *http_request_arg(struct http_request *rq)
{
    return rq->route->arg;
}

struct str http_request_method(const struct http_request *rq)
{
    return str_from_c(rq->method);
}

struct str http_request_path(const struct http_request *rq)
{
    return rq->path;
}

struct str http_request_param(const struct http_request *rq, size_t index)
{
    ASSERT(index < HTTP_PARAMS_MAX);
    return rq->params[index];
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct str http_request_header(const struct http_request *rq, struct str name)
{
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct http_header *header = &rq->headers[i];
        bool is_same = header->name_len == name.len;
        for (size_t k = 0; k < name.len && is_same; k++) {
            is_same = lower((char)rq->text.ptr[header->name_at + k]) == lower(name.ptr[k]);
        }
        if (is_same) {
            return (struct str){(const char *)rq->text.ptr + header->value_at, header->value_len};
        }
    }
    return (struct str){NULL, 0};
}

struct bytes http_request_body(const struct http_request *rq)
{
    return buf_bytes(&rq->body);
}

struct arena *http_request_arena(struct http_request *rq)
{
    return &rq->arena;
}
