// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <stdlib.h>

enum { FRAME_MAX = 64 << 20, CLIENT_ARENA = 64 << 20 };

void client_init(struct client *c, struct env *env)
{
    *c = (struct client){.env = env};
    c->poller = poller_open(env->net);
    buf_init(&c->in, FRAME_MAX);
    arena_init(&c->arena, CLIENT_ARENA);
}

void client_fini(struct client *c)
{
    client_drop(c);
    poller_close(c->poller);
    buf_fini(&c->in);
    arena_fini(&c->arena);
}

void client_drop(struct client *c)
{
    if (c->sock != NULL) {
        poller_remove(c->poller, c->sock);
        sock_close(c->sock);
        c->sock = NULL;
    }
    buf_reset(&c->in);
    c->in_used = 0;
}

static bool wait_for(struct client *c, unsigned interest, int64_t deadline_ns)
{
    poller_set(c->poller, c->sock, interest, c);
    struct poll_event event;
    while (clock_mono_ns(c->env->clock) < deadline_ns) {
        if (poller_wait(c->poller, &event, 1, deadline_ns) > 0) {
            return true;
        }
    }
    return false;
}

bool client_connect(struct client *c, const char *host, int port, int64_t timeout_ns)
{
    client_drop(c);
    struct error e;
    if (net_connect(c->env->net, str_from_c(host), port, &c->sock, &e) != ERR_OK) {
        c->sock = NULL;
        return false;
    }
    poller_add(c->poller, c->sock, POLL_WRITE, c);
    int64_t deadline_ns = clock_mono_ns(c->env->clock) + timeout_ns;
    if (!wait_for(c, POLL_WRITE, deadline_ns) || sock_connect_done(c->sock, &e) != ERR_OK) {
        client_drop(c);
        return false;
    }
    return true;
}

bool client_send(struct client *c, int16_t key, int16_t version, const void *request,
                 int32_t *ret_correlation, int64_t timeout_ns)
{
    const struct wire_api *api = wire_api_find(key);
    struct buf out;
    buf_init(&out, FRAME_MAX);
    buf_be32(&out, 0);
    struct wire_request_header header = {key, version, c->next_correlation, STR("sim")};
    wire_request_header_encode(&header, &out);
    struct error e;
    if (wire_encode(api->request, version, wire_is_flexible(api, version), request, &out, NULL, &e) !=
        ERR_OK) {
        abort();
    }
    store_be32(out.ptr, (uint32_t)(out.len - 4));
    if (ret_correlation != NULL) {
        *ret_correlation = c->next_correlation;
    }
    c->next_correlation++;
    int64_t deadline_ns = clock_mono_ns(c->env->clock) + timeout_ns;
    size_t sent = 0;
    while (sent < out.len && c->sock != NULL) {
        struct io_slice slice = {out.ptr + sent, out.len - sent};
        size_t took = 0;
        enum err err = sock_send(c->sock, &slice, 1, false, &took, &e);
        if (err == ERR_OK) {
            sent += took;
        } else if (err != ERR_WOULD_BLOCK || !wait_for(c, POLL_WRITE, deadline_ns)) {
            client_drop(c);
        }
    }
    buf_fini(&out);
    return c->sock != NULL;
}

bool client_receive(struct client *c, int64_t timeout_ns, struct bytes *ret_frame)
{
    int64_t deadline_ns = clock_mono_ns(c->env->clock) + timeout_ns;
    if (c->in_used > 0) {
        memmove(c->in.ptr, c->in.ptr + c->in_used, c->in.len - c->in_used);
        c->in.len -= c->in_used;
        c->in_used = 0;
    }
    while (c->sock != NULL) {
        if (c->in.len >= 4 && c->in.len - 4 >= load_be32(c->in.ptr)) {
            uint32_t size = load_be32(c->in.ptr);
            *ret_frame = bytes_of(c->in.ptr + 4, size);
            c->in_used = 4 + (size_t)size;
            return true;
        }
        uint8_t *room = buf_reserve(&c->in, 65536);
        size_t got = 0;
        struct error e;
        enum err err = room == NULL ? ERR_CLOSED : sock_recv(c->sock, room, 65536, &got, &e);
        if (err == ERR_OK) {
            c->in.len += got;
        } else if (err != ERR_WOULD_BLOCK) {
            client_drop(c);
        } else if (!wait_for(c, POLL_READ, deadline_ns)) {
            return false;
        }
    }
    return false;
}

void *client_decode(struct client *c, int16_t key, int16_t version, struct bytes frame,
                    int32_t *ret_correlation)
{
    const struct wire_api *api = wire_api_find(key);
    struct reader reader = reader_init(frame);
    arena_reset(&c->arena);
    void *message = wire_new(&c->arena, api->response, 1);
    struct error e;
    if (wire_response_header_decode(api, version, &reader, ret_correlation) != ERR_OK ||
        wire_decode(api->response, version, wire_is_flexible(api, version), &reader, &c->arena, message,
                    &e) != ERR_OK ||
        reader_left(&reader) != 0) {
        return NULL;
    }
    return message;
}

void *client_call(struct client *c, int16_t key, int16_t version, const void *request, int64_t timeout_ns)
{
    int32_t sent = 0;
    int32_t received = 0;
    struct bytes frame;
    if (c->sock == NULL || !client_send(c, key, version, request, &sent, timeout_ns) ||
        !client_receive(c, timeout_ns, &frame)) {
        client_drop(c);
        return NULL;
    }
    void *message = client_decode(c, key, version, frame, &received);
    if (message == NULL || received != sent) {
        client_drop(c);
        return NULL;
    }
    return message;
}

void client_sleep(struct client *c, int64_t ns)
{
    clock_sleep_until(c->env->clock, clock_mono_ns(c->env->clock) + ns);
}
