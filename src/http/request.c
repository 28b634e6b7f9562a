// SPDX-License-Identifier: Apache-2.0
// request.c - one exchange: dispatch to its route, answer.
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_private.h"

enum { REQUEST_ARENA_BYTES = 4 << 20, ERROR_BYTES_MAX = 64 * 1024 };

struct http_request *http_request_create(struct http_connection *conn)
{
    struct http_request *rq = mem_zalloc(sizeof *rq);
    rq->conn = conn;
    rq->method = "";
    arena_init(&rq->arena, REQUEST_ARENA_BYTES);
    buf_init(&rq->text, HTTP_HEADER_BYTES_MAX);
    buf_init(&rq->body, HTTP_BODY_BYTES_MAX);
    rq->body.gives_way = true;
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
    buf_fini(&take_request->answer);
    take_request->conn->server->body_bytes -= take_request->body_bytes;
    take_request->conn->server->answer_bytes -= take_request->answer_bytes;
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

// target_of takes away what a client that believes we are a proxy writes before the path.
static struct str target_of(struct str url)
{
    struct str scheme = STR("http://");
    if (!str_has_prefix(url, scheme)) {
        return url;
    }
    const char *slash = memchr(url.ptr + scheme.len, '/', url.len - scheme.len);
    return slash == NULL ? STR("/") : (struct str){slash, url.len - (size_t)(slash - url.ptr)};
}

void http_request_dispatch(struct http_request *rq)
{
    rq->is_dispatched = true;
    struct str url = target_of((struct str){(const char *)rq->text.ptr, rq->url_len});
    rq->path = str_cut(url, '?', &rq->query);
    if (rq->reject_status != 0) {
        http_reply_error(rq, rq->reject_status, rq->reject_status,
                         str_from_c(reason_phrase(rq->reject_status)));
        return;
    }
    struct str allowed = {NULL, 0};
    rq->route = http_route_find(rq->conn->server, rq, &allowed);
    if (rq->route != NULL) {
        rq->route->handle(rq);
        return;
    }
    if (allowed.ptr == NULL) {
        http_reply_error(rq, 404, 404, STR("HTTP 404 Not Found"));
        return;
    }
    http_reply_header(rq, "Allow", allowed);
    if (strcmp(rq->method, "OPTIONS") == 0) {
        http_reply(rq, 204, STR(""), bytes_of(NULL, 0));
    } else {
        http_reply_error(rq, 405, 405, STR("HTTP 405 Method Not Allowed"));
    }
}

void http_reply_header(struct http_request *rq, const char *name, struct str value)
{
    rq->extra =
        arena_printf(&rq->arena, STR_FMT "%s: " STR_FMT "\r\n", STR_ARG(rq->extra), name, STR_ARG(value));
}

// answer_admit counts the answer among those that clients have not taken yet; false = they are too many. A
// short one can always be given.
static bool answer_admit(struct http_request *rq, size_t bytes)
{
    struct http_server *server = rq->conn->server;
    if (bytes > ERROR_BYTES_MAX &&
        (server->answer_bytes + bytes > HTTP_ANSWERS_BYTES_MAX || !mem_has_room(MEM_SHARE_WORK, 0))) {
        return false;
    }
    rq->answer_bytes = bytes;
    server->answer_bytes += bytes;
    return true;
}

void http_reply_take(struct http_request *rq, int status, struct str content_type, struct buf *take_body)
{
    ASSERT(!rq->is_done);
    if (!answer_admit(rq, take_body->cap)) {
        buf_fini(take_body);
        http_reply_error(rq, 503, 503, STR("Other clients have too much left to read: try again."));
        return;
    }
    const char *connection = !rq->keeps_alive ? "Connection: close\r\n"
                             : rq->is_old     ? "Connection: keep-alive\r\n"
                                              : "";
    if (status == 204) {
        rq->head = arena_printf(&rq->arena, "HTTP/1.1 204 No Content\r\n" STR_FMT "%s\r\n",
                                STR_ARG(rq->extra), connection);
    } else {
        rq->head = arena_printf(
            &rq->arena,
            "HTTP/1.1 %d %s\r\nContent-Type: " STR_FMT "\r\nContent-Length: %zu\r\n" STR_FMT "%s\r\n", status,
            reason_phrase(status), STR_ARG(content_type), take_body->len, STR_ARG(rq->extra), connection);
    }
    rq->answer = *take_body;
    *take_body = (struct buf){0};
    if (rq->is_head || status == 204) {
        buf_reset(&rq->answer);
    }
    rq->is_done = true;
    rq->keeps_alive = rq->keeps_alive && rq->head.ptr != NULL && !rq->conn->server->is_stopping;
    rq->conn->answered_ns = loop_now_ns(rq->conn->server->loop);
    rq->conn->active_ns = rq->conn->answered_ns;
    if (!rq->conn->is_in_callback) {
        http_connection_step(rq->conn);
    }
}

void http_reply(struct http_request *rq, int status, struct str content_type, struct bytes body)
{
    struct buf copy;
    buf_init(&copy, body.len);
    buf_append(&copy, body.ptr, body.len);
    http_reply_take(rq, status, content_type, &copy);
}

void http_reply_error(struct http_request *rq, int status, int code, struct str message)
{
    struct buf body;
    buf_init(&body, ERROR_BYTES_MAX);
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
    const char *type = rq->conn->server->routes.error_type;
    http_reply_take(rq, status, type == NULL ? STR("application/json") : str_from_c(type), &body);
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

struct str http_request_query_text(const struct http_request *rq)
{
    return rq->query;
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
