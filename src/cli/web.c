// SPDX-License-Identifier: Apache-2.0
#include "cli/web.h"

#include <http_parser.h>

#include "base/mem.h"

enum { STEP_BYTES = 64 << 10, NS_PER_MS = 1000000, EVENTS_MAX = 2, REQUEST_BYTES_MAX = 64 << 20 };

struct web {
    struct env *env;
    struct poller *poller;
    struct sock *sock; // NULL = not connected
    int64_t timeout_ms;
    char *url; // what the rest points into
    struct str host;
    struct str prefix;
    int port;
    http_parser parser;
    struct buf body; // of the answer
    bool is_done;
    bool is_kept; // the connection lives on
};

static enum err url_parse(struct web *w, struct str url, struct error *e)
{
    struct str rest = url;
    int64_t port = WEB_PORT;
    if (!str_has_prefix(rest, STR("http://"))) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "\"" STR_FMT "\" is no address of a registry: use http://host:port", STR_ARG(url));
    }
    rest = (struct str){rest.ptr + 7, rest.len - 7};
    struct str host = str_cut(rest, '/', &w->prefix);
    w->prefix = w->prefix.ptr == NULL ? STR("") : w->prefix;
    while (w->prefix.len > 0 && w->prefix.ptr[w->prefix.len - 1] == '/') {
        w->prefix.len--;
    }
    struct str text = {NULL, 0};
    if (host.len > 0 && host.ptr[0] == '[') {
        w->host = str_cut((struct str){host.ptr + 1, host.len - 1}, ']', &text);
        text = text.len > 0 && text.ptr[0] == ':' ? (struct str){text.ptr + 1, text.len - 1}
                                                  : (struct str){NULL, 0};
    } else {
        w->host = str_cut(host, ':', &text);
    }
    if (w->host.len == 0 || (text.ptr != NULL && (!str_parse_i64(text, &port) || port < 1 || port > 65535))) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "\"" STR_FMT "\" is no address of a registry: use http://host:port", STR_ARG(url));
    }
    w->port = (int)port;
    return ERR_OK;
}

enum err web_create(struct env *env, struct str url, int64_t timeout_ms, struct web **ret_web,
                    struct error *e)
{
    struct web *w = mem_zalloc(sizeof *w);
    w->env = env;
    w->timeout_ms = timeout_ms;
    w->url = mem_zalloc(url.len + 1);
    memcpy(w->url, url.ptr, url.len);
    enum err err = url_parse(w, (struct str){w->url, url.len}, e);
    if (err != ERR_OK) {
        mem_free(w->url);
        mem_free(w);
        return err;
    }
    buf_init(&w->body, WEB_ANSWER_BYTES_MAX);
    w->poller = poller_open(env->net);
    *ret_web = w;
    return ERR_OK;
}

static void disconnect(struct web *w)
{
    if (w->sock != NULL) {
        poller_remove(w->poller, w->sock);
        sock_close(w->sock);
        w->sock = NULL;
    }
}

void web_destroy(struct web *take_web)
{
    if (take_web == NULL) {
        return;
    }
    disconnect(take_web);
    poller_close(take_web->poller);
    buf_fini(&take_web->body);
    mem_free(take_web->url);
    mem_free(take_web);
}

struct str web_url(const struct web *web)
{
    return str_from_c(web->url);
}

void web_escape(struct str text, struct buf *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr(plain, text.ptr[i]) != NULL) {
            buf_u8(out, (uint8_t)text.ptr[i]);
        } else {
            buf_printf(out, "%%%02X", (uint8_t)text.ptr[i]);
        }
    }
}

static enum err lose(struct web *w, struct error *e, const char *why)
{
    disconnect(w);
    return FAIL(e, ERR_NETWORK, "%s: %s", w->url, why);
}

static enum err wait_for(struct web *w, unsigned interest, int64_t deadline_ns, struct error *e)
{
    struct poll_event events[EVENTS_MAX];
    poller_set(w->poller, w->sock, interest, w);
    while (poller_wait(w->poller, events, EVENTS_MAX, deadline_ns) == 0) {
        if (clock_mono_ns(w->env->clock) >= deadline_ns) {
            return lose(w, e, "no answer in time");
        }
    }
    return ERR_OK;
}

static enum err open_connection(struct web *w, int64_t deadline_ns, struct error *e)
{
    struct error why = {0};
    enum err err = net_connect(w->env->net, w->host, w->port, &w->sock, &why);
    if (err != ERR_OK) {
        return FAIL(e, ERR_NETWORK, "%s: %s", w->url, why.text);
    }
    poller_add(w->poller, w->sock, POLL_WRITE, w);
    err = wait_for(w, POLL_WRITE, deadline_ns, e);
    if (err == ERR_OK && sock_connect_done(w->sock, &why) != ERR_OK) {
        err = lose(w, e, why.text);
    }
    return err;
}

static enum err send_all(struct web *w, struct buf *data, int64_t deadline_ns, struct error *e)
{
    struct error why = {0};
    size_t sent = 0;
    while (sent < data->len) {
        struct io_slice slice = {data->ptr + sent, data->len - sent};
        size_t moved = 0;
        enum err err = sock_send(w->sock, &slice, 1, false, &moved, &why);
        if (err == ERR_WOULD_BLOCK) {
            err = wait_for(w, POLL_WRITE, deadline_ns, e);
            if (err != ERR_OK) {
                return err;
            }
            continue;
        }
        if (err != ERR_OK) {
            return lose(w, e, why.text);
        }
        sent += moved;
    }
    return ERR_OK;
}

// ---- the answer

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct web *w = parser->data;
    buf_append(&w->body, at, len);
    return w->body.failed ? -1 : 0;
}

static int on_complete(http_parser *parser)
{
    struct web *w = parser->data;
    w->is_done = true;
    w->is_kept = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1);
    return 0;
}

static enum err receive(struct web *w, int64_t deadline_ns, bool *ret_has_begun, struct error *e)
{
    static const http_parser_settings settings = {.on_body = on_body, .on_message_complete = on_complete};
    uint8_t bytes[STEP_BYTES];
    http_parser_init(&w->parser, HTTP_RESPONSE);
    w->parser.data = w;
    w->is_done = false;
    buf_reset(&w->body);
    *ret_has_begun = false;
    while (!w->is_done) {
        size_t len = 0;
        struct error why = {0};
        enum err err = sock_recv(w->sock, bytes, sizeof bytes, &len, &why);
        if (err == ERR_WOULD_BLOCK) {
            err = wait_for(w, POLL_READ, deadline_ns, e);
            if (err != ERR_OK) {
                return err;
            }
            continue;
        }
        if (err != ERR_OK && err != ERR_CLOSED) {
            return lose(w, e, why.text);
        }
        *ret_has_begun = *ret_has_begun || len > 0;
        size_t taken = http_parser_execute(&w->parser, &settings, (const char *)bytes, len);
        bool is_broken = !w->is_done && (taken < len || len == 0 || HTTP_PARSER_ERRNO(&w->parser) != HPE_OK);
        if (is_broken) {
            return lose(
                w, e, *ret_has_begun ? "what answers there does not speak HTTP" : "closed without an answer");
        }
    }
    return ERR_OK;
}

static void request_build(const struct web *w, const char *method, struct str path, struct str body,
                          struct buf *out)
{
    buf_printf(out, "%s %s" STR_FMT STR_FMT " HTTP/1.1\r\nHost: " STR_FMT ":%d\r\nAccept: */*\r\n", method,
               w->prefix.len > 0 ? "/" : "", STR_ARG(w->prefix), STR_ARG(path), STR_ARG(w->host), w->port);
    if (body.ptr != NULL) {
        buf_printf(out, "Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: %zu\r\n",
                   body.len);
    }
    buf_append_str(out, STR("\r\n"));
    if (body.ptr != NULL) {
        buf_append_str(out, body);
    }
}

enum err web_call(struct web *w, const char *method, struct str path, struct str body, struct arena *arena,
                  int *ret_status, struct str *ret_body, struct error *e)
{
    struct buf request;
    bool has_begun = false;
    bool was_kept = w->sock != NULL;
    int64_t deadline_ns = clock_mono_ns(w->env->clock) + w->timeout_ms * NS_PER_MS;
    buf_init(&request, REQUEST_BYTES_MAX);
    request_build(w, method, path, body, &request);
    enum err err = request.failed
                       ? FAIL(e, ERR_NO_MEMORY, "the request is larger than %d bytes", REQUEST_BYTES_MAX)
                       : ERR_OK;
    for (int tries = was_kept ? 2 : 1; tries > 0 && err == ERR_OK; tries--) {
        err = w->sock == NULL ? open_connection(w, deadline_ns, e) : ERR_OK;
        err = err == ERR_OK ? send_all(w, &request, deadline_ns, e) : err;
        err = err == ERR_OK ? receive(w, deadline_ns, &has_begun, e) : err;
        if (err == ERR_OK) {
            break;
        }
        err = tries > 1 && !has_begun ? ERR_OK : err; // closed while it was idle
    }
    buf_fini(&request);
    if (err != ERR_OK) {
        return err;
    }
    *ret_status = w->parser.status_code;
    *ret_body = arena_str(arena, buf_str(&w->body));
    if (!w->is_kept) {
        disconnect(w);
    }
    return ERR_OK;
}
