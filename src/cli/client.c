// SPDX-License-Identifier: Apache-2.0
// client.c - connecting, framing and waiting. Happy path: connect, ApiVersions, then frames of 4 bytes size,
// header, message in both directions. Any failure of the connection closes it and is ERR_NETWORK; what was in
// flight is then the caller's to send again.
#include "cli/client.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    ADDRESSES_MAX = 16,
    SEND_BYTES_MAX = 256 << 20,
    RECV_STEP_BYTES = 256 << 10,
    CONNECT_TIMEOUT_MS = 5000, // per address, at most
    EVENTS_MAX = 4,
    OFFSETS_BY_NAME_VERSION = 9,
    NS_PER_MS = 1000000,
};

struct address {
    struct str host;
    int port;
};
struct flight {
    const struct wire_api *api;
    int32_t correlation_id;
    int16_t version;
};

struct client {
    struct env *env;
    struct poller *poller;
    struct sock *sock; // NULL = not connected
    int64_t timeout_ms;
    char *bootstrap; // what the addresses point into
    struct address addresses[ADDRESSES_MAX];
    size_t address_count;
    char name[SOCK_NAME_SIZE + 256]; // of the address connected to
    int32_t next_correlation_id;
    struct flight flights[CLIENT_FLIGHT_MAX]; // ring
    size_t flight_first;
    size_t flight_count;
    struct buf out; // queued
    size_t out_sent;
    struct buf in; // frames as they come
    bool is_lending;
    size_t lent; // bytes at the front of `in` that the last answer points into
    bool is_write_polled;
    struct arena versions_arena;
    struct api_versions_response versions;
};

static enum err address_parse(struct str text, struct address *ret, struct error *e)
{
    struct str host = text;
    struct str port = {NULL, 0};
    if (text.len > 0 && text.ptr[0] == '[') { // [::1]:9092
        host = str_cut((struct str){text.ptr + 1, text.len - 1}, ']', &port);
        if (port.ptr == NULL || (port.len > 0 && port.ptr[0] != ':')) {
            return FAIL(e, ERR_INVALID_REQUEST,
                        "\"" STR_FMT "\" is no address: it lacks \"]\" or has more after it", STR_ARG(text));
        }
        port = port.len == 0 ? (struct str){NULL, 0} : (struct str){port.ptr + 1, port.len - 1};
    } else {
        host = str_cut(text, ':', &port);
    }
    int64_t number = CLIENT_PORT;
    if (host.len == 0 ||
        (port.ptr != NULL && (!str_parse_i64(port, &number) || number < 1 || number > 65535))) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "\"" STR_FMT "\" is no address: use host:port, as in 127.0.0.1:9092", STR_ARG(text));
    }
    *ret = (struct address){host, (int)number};
    return ERR_OK;
}

enum err client_create(struct env *env, struct str bootstrap, int64_t timeout_ms, struct client **ret_client,
                       struct error *e)
{
    struct client *c = mem_zalloc(sizeof *c);
    c->env = env;
    c->timeout_ms = timeout_ms;
    c->bootstrap = mem_zalloc(bootstrap.len + 1);
    memcpy(c->bootstrap, bootstrap.ptr, bootstrap.len);
    struct str rest = {c->bootstrap, bootstrap.len};
    enum err err = ERR_OK;
    while (rest.ptr != NULL && err == ERR_OK) {
        struct str text = str_trim(str_cut(rest, ',', &rest));
        if (c->address_count == ADDRESSES_MAX) {
            err = FAIL(e, ERR_INVALID_REQUEST, "more than %d addresses", ADDRESSES_MAX);
        } else {
            err = address_parse(text, &c->addresses[c->address_count++], e);
        }
    }
    if (err != ERR_OK) {
        mem_free(c->bootstrap);
        mem_free(c);
        return err;
    }
    buf_init(&c->out, SEND_BYTES_MAX);
    buf_init(&c->in, (size_t)CLIENT_ANSWER_BYTES_MAX + 4 + RECV_STEP_BYTES);
    arena_init(&c->versions_arena, 1 << 20);
    c->poller = poller_open(env->net);
    *ret_client = c;
    return ERR_OK;
}

static void disconnect(struct client *c)
{
    if (c->sock != NULL) {
        poller_remove(c->poller, c->sock);
        sock_close(c->sock);
        c->sock = NULL;
    }
    c->flight_count = 0;
    c->out_sent = 0;
    c->lent = 0;
    buf_reset(&c->out);
    buf_reset(&c->in);
}

void client_destroy(struct client *take_client)
{
    if (take_client == NULL) {
        return;
    }
    disconnect(take_client);
    poller_close(take_client->poller);
    buf_fini(&take_client->out);
    buf_fini(&take_client->in);
    arena_fini(&take_client->versions_arena);
    mem_free(take_client->bootstrap);
    mem_free(take_client);
}

bool client_is_connected(const struct client *c)
{
    return c->sock != NULL;
}

struct str client_address(const struct client *c)
{
    return str_from_c(c->name[0] != '\0' ? c->name : c->bootstrap);
}

size_t client_in_flight(const struct client *c)
{
    return c->flight_count;
}

bool client_is_sending(const struct client *c)
{
    return c->out_sent < c->out.len;
}

void client_lend(struct client *c)
{
    c->is_lending = true;
}

void client_wake(struct client *c)
{
    poller_wake(c->poller);
}

static int64_t deadline_after(const struct client *c, int64_t ms)
{
    return clock_mono_ns(c->env->clock) + ms * NS_PER_MS;
}

static bool is_past(const struct client *c, int64_t deadline_ns)
{
    return deadline_ns != CLOCK_NEVER && clock_mono_ns(c->env->clock) >= deadline_ns;
}

// lose closes the connection and says so in the words of the last call.
static enum err lose(struct client *c, struct error *e, const char *text)
{
    disconnect(c);
    return FAIL(e, ERR_NETWORK, "lost the connection to %s: %s", c->name, text);
}

// ---- versions

bool client_range(const struct client *c, int16_t key, int16_t *ret_min, int16_t *ret_max)
{
    for (int32_t i = 0; i < c->versions.api_keys_count; i++) {
        if (c->versions.api_keys[i].api_key == key) {
            *ret_min = c->versions.api_keys[i].min_version;
            *ret_max = c->versions.api_keys[i].max_version;
            return true;
        }
    }
    return false;
}

// version_limit is the newest version of an API that the commands want. OffsetCommit and OffsetFetch 10 know
// topics by id alone: the offsets of a deleted topic would have no name.
static int16_t version_limit(const struct wire_api *api)
{
    bool is_by_id_alone = api->key == API_OFFSET_COMMIT || api->key == API_OFFSET_FETCH;
    return is_by_id_alone ? OFFSETS_BY_NAME_VERSION : api->version_max;
}

enum err client_version(const struct client *c, enum api_key key, int16_t *ret_version, struct error *e)
{
    const struct wire_api *api = wire_api_find((int16_t)key);
    ASSERT(api != NULL);
    if (key == API_API_VERSIONS) {
        *ret_version = api->version_max;
        return ERR_OK;
    }
    int16_t min;
    int16_t max;
    if (!client_range(c, (int16_t)key, &min, &max)) {
        return FAIL(e, ERR_UNSUPPORTED_VERSION, "%s does not know the request %s", c->name, api->name);
    }
    int16_t limit = version_limit(api);
    int16_t best = max < limit ? max : limit;
    int16_t lowest = min > api->decode_min ? min : api->decode_min;
    if (best < lowest) {
        return FAIL(e, ERR_UNSUPPORTED_VERSION, "%s speaks %s versions %d to %d, this program %d to %d",
                    c->name, api->name, min, max, api->decode_min, limit);
    }
    *ret_version = best;
    return ERR_OK;
}

// ---- sending

static enum err send_version(struct client *c, const struct wire_api *api, int16_t version,
                             const void *request, bool has_answer, struct error *e)
{
    ASSERT(c->flight_count < CLIENT_FLIGHT_MAX);
    if (c->out_sent == c->out.len) {
        buf_reset(&c->out);
        c->out_sent = 0;
    }
    size_t head = c->out.len;
    struct wire_request_header header = {
        .api_key = api->key,
        .api_version = version,
        .correlation_id = c->next_correlation_id,
        .client_id = STR("strom-cli"),
    };
    buf_be32(&c->out, 0);
    wire_request_header_encode(&header, &c->out);
    enum err err =
        wire_encode(api->request, version, wire_is_flexible(api, version), request, &c->out, NULL, e);
    if (err != ERR_OK || c->out.failed) {
        c->out.len = head;
        c->out.failed = false;
        return err != ERR_OK ? err
                             : FAIL(e, ERR_NO_MEMORY, "the request is larger than %d bytes", SEND_BYTES_MAX);
    }
    store_be32(c->out.ptr + head, (uint32_t)(c->out.len - head - 4));
    c->next_correlation_id = (int32_t)(((uint32_t)c->next_correlation_id + 1) & INT32_MAX);
    if (has_answer) {
        c->flights[(c->flight_first + c->flight_count++) % CLIENT_FLIGHT_MAX] =
            (struct flight){api, header.correlation_id, version};
    }
    return ERR_OK;
}

enum err client_send(struct client *c, enum api_key key, const void *request, bool has_answer,
                     struct error *e)
{
    int16_t version = 0;
    if (c->sock == NULL) {
        return FAIL(e, ERR_NETWORK, "not connected to %s", c->bootstrap);
    }
    enum err err = client_version(c, key, &version, e);
    return err != ERR_OK ? err
                         : send_version(c, wire_api_find((int16_t)key), version, request, has_answer, e);
}

// flush sends what the socket takes now and polls for writing while something is left.
static enum err flush(struct client *c, struct error *e)
{
    struct error why = {0};
    while (c->out_sent < c->out.len) {
        struct io_slice slice = {c->out.ptr + c->out_sent, c->out.len - c->out_sent};
        size_t moved = 0;
        enum err err = sock_send(c->sock, &slice, 1, false, &moved, &why);
        if (err == ERR_WOULD_BLOCK) {
            break;
        }
        if (err != ERR_OK) {
            return lose(c, e, why.text);
        }
        c->out_sent += moved;
    }
    bool is_left = c->out_sent < c->out.len;
    if (is_left != c->is_write_polled) {
        c->is_write_polled = is_left;
        poller_set(c->poller, c->sock, is_left ? POLL_READ | POLL_WRITE : POLL_READ, c);
    }
    return ERR_OK;
}

// ---- receiving

// frame_size tells the bytes of the first frame in c->in without its size field; -1 while it is not whole.
static enum err frame_size(struct client *c, int64_t *ret_size, struct error *e)
{
    *ret_size = -1;
    if (c->in.len < 4) {
        return ERR_OK;
    }
    int32_t size = (int32_t)load_be32(c->in.ptr);
    if (size < 4 || size > CLIENT_ANSWER_BYTES_MAX) {
        return lose(c, e, "it sent a frame of an impossible size; is that a Kafka port?");
    }
    *ret_size = c->in.len - 4 >= (size_t)size ? size : -1;
    return ERR_OK;
}

static enum err fill(struct client *c, struct error *e)
{
    size_t wanted = RECV_STEP_BYTES;
    if (c->in.len >= 4) { // the rest of a large frame in one go
        size_t whole = (size_t)load_be32(c->in.ptr) + 4;
        wanted = whole > c->in.len + RECV_STEP_BYTES ? whole - c->in.len : RECV_STEP_BYTES;
    }
    uint8_t *room = buf_reserve(&c->in, wanted);
    if (room == NULL) {
        return lose(c, e, "it sent more than was asked for");
    }
    size_t moved = 0;
    struct error why = {0};
    enum err err = sock_recv(c->sock, room, wanted, &moved, &why);
    if (err == ERR_WOULD_BLOCK) {
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return lose(c, e,
                    err == ERR_CLOSED && c->flight_count > 0 ? "it was closed before the answer" : why.text);
    }
    c->in.len += moved;
    return ERR_OK;
}

static void in_drop(struct client *c, size_t size)
{
    memmove(c->in.ptr, c->in.ptr + size, c->in.len - size);
    c->in.len -= size;
}

// frame_take takes the first frame, which is whole, off what was received; NULL if it is too large.
static uint8_t *frame_take(struct client *c, size_t size, struct arena *arena)
{
    if (c->is_lending) {
        c->lent = 4 + size;
        return c->in.ptr + 4;
    }
    uint8_t *frame = arena_alloc(arena, size);
    if (frame != NULL) {
        memcpy(frame, c->in.ptr + 4, size);
        in_drop(c, 4 + size);
    }
    return frame;
}

// take_answer decodes the first frame, which is whole.
static enum err take_answer(struct client *c, size_t size, struct arena *arena, void **ret_response,
                            struct error *e)
{
    if (c->flight_count == 0) {
        return lose(c, e, "it sent an answer to no request");
    }
    struct flight flight = c->flights[c->flight_first];
    uint8_t *frame = frame_take(c, size, arena);
    void *response = wire_new(arena, flight.api->response, 1);
    if (frame == NULL || response == NULL) {
        return lose(c, e, "its answer is too large");
    }
    struct reader r = reader_init(bytes_of(frame, size));
    int32_t correlation_id = -1;
    struct error why = {0};
    enum err err = wire_response_header_decode(flight.api, flight.version, &r, &correlation_id);
    if (err == ERR_OK && correlation_id != flight.correlation_id) {
        return lose(c, e, "it answered another request than the one sent");
    }
    // The answer to an ApiVersions that the broker finds too new is of version 0 (KIP-511).
    int16_t version = flight.version;
    if (err == ERR_OK && flight.api->key == API_API_VERSIONS && reader_left(&r) >= 2 &&
        load_be16(r.pos) != 0) {
        version = 0;
    }
    if (err == ERR_OK) {
        err = wire_decode(flight.api->response, version, wire_is_flexible(flight.api, version), &r, arena,
                          response, &why);
    }
    if (err != ERR_OK) {
        disconnect(c);
        return FAIL(e, ERR_MALFORMED, "the answer of %s to %s does not parse: %s", c->name, flight.api->name,
                    why.text);
    }
    c->flight_first = (c->flight_first + 1) % CLIENT_FLIGHT_MAX;
    c->flight_count--;
    *ret_response = response;
    return ERR_OK;
}

enum err client_receive(struct client *c, struct arena *arena, int64_t deadline_ns, void **ret_response,
                        struct error *e)
{
    if (c->lent > 0) {
        in_drop(c, c->lent);
        c->lent = 0;
    }
    for (;;) {
        if (c->sock == NULL) {
            return FAIL(e, ERR_NETWORK, "not connected to %s", c->bootstrap);
        }
        bool was_sending = client_is_sending(c);
        int64_t size = -1;
        enum err err = flush(c, e);
        err = err != ERR_OK ? err : frame_size(c, &size, e);
        if (err != ERR_OK) {
            return err;
        }
        if (size >= 0) {
            return take_answer(c, (size_t)size, arena, ret_response, e);
        }
        if (was_sending && !client_is_sending(c) && c->flight_count == 0) {
            return FAIL(e, ERR_WOULD_BLOCK, "sent");
        }
        struct poll_event events[EVENTS_MAX];
        size_t count = poller_wait(c->poller, events, EVENTS_MAX, deadline_ns);
        for (size_t i = 0; i < count; i++) {
            if ((events[i].ready & POLL_READ) != 0) {
                err = fill(c, e);
                if (err != ERR_OK) {
                    return err;
                }
            }
        }
        if (count == 0) {
            return is_past(c, deadline_ns) ? FAIL(e, ERR_TIMED_OUT, "no answer in time")
                                           : FAIL(e, ERR_WOULD_BLOCK, "woken");
        }
    }
}

// receive_before is client_receive for one awaited answer: wakes do not matter, a late answer is a lost one.
static enum err receive_before(struct client *c, struct arena *arena, int64_t deadline_ns,
                               void **ret_response, struct error *e)
{
    enum err err;
    do {
        err = client_receive(c, arena, deadline_ns, ret_response, e);
    } while (err == ERR_WOULD_BLOCK);
    if (err == ERR_TIMED_OUT) {
        disconnect(c);
        return FAIL(e, ERR_NETWORK, "no answer from %s within %lld ms", c->name, (long long)c->timeout_ms);
    }
    return err;
}

enum err client_call(struct client *c, enum api_key key, const void *request, struct arena *arena,
                     void *ret_response, struct error *e)
{
    ASSERT(c->flight_count == 0);
    void *response = NULL;
    enum err err = client_send(c, key, request, true, e);
    err = err != ERR_OK ? err : receive_before(c, arena, deadline_after(c, c->timeout_ms), &response, e);
    if (err == ERR_OK) {
        memcpy(ret_response, response, wire_struct_size(wire_api_find((int16_t)key)->response));
    }
    return err;
}

// ---- connecting

// connect_one opens the connection to one address.
static enum err connect_one(struct client *c, const struct address *address, int64_t deadline_ns,
                            struct error *e)
{
    snprintf(c->name, sizeof c->name, STR_FMT ":%d", STR_ARG(address->host), address->port);
    enum err err = net_connect(c->env->net, address->host, address->port, &c->sock, e);
    if (err != ERR_OK) {
        c->sock = NULL;
        return err;
    }
    poller_add(c->poller, c->sock, POLL_READ | POLL_WRITE, c);
    c->is_write_polled = true;
    do {
        struct poll_event events[EVENTS_MAX];
        if (poller_wait(c->poller, events, EVENTS_MAX, deadline_ns) > 0) {
            err = sock_connect_done(c->sock, e);
        } else {
            err = is_past(c, deadline_ns) ? FAIL(e, ERR_TIMED_OUT, "connect: no answer") : ERR_WOULD_BLOCK;
        }
    } while (err == ERR_WOULD_BLOCK);
    if (err != ERR_OK) {
        disconnect(c);
    }
    return err;
}

// negotiate asks for the versions: the newest ApiVersions first, then version 0, which every broker knows.
static enum err negotiate(struct client *c, int64_t deadline_ns, struct error *e)
{
    const struct wire_api *api = wire_api_find(API_API_VERSIONS);
    struct api_versions_request request;
    wire_init(api->request, &request);
    request.client_software_name = STR("strom-cli");
    request.client_software_version = STR(STROM_VERSION);
    int16_t version = api->version_max;
    for (int i = 0; i < 2; i++) {
        arena_reset(&c->versions_arena);
        void *response = NULL;
        enum err err = send_version(c, api, version, &request, true, e);
        err = err != ERR_OK ? err : receive_before(c, &c->versions_arena, deadline_ns, &response, e);
        if (err != ERR_OK) {
            return err;
        }
        c->versions = *(struct api_versions_response *)response;
        if (c->versions.error == ERR_OK) {
            return ERR_OK;
        }
        version = 0;
    }
    disconnect(c);
    return FAIL(e, c->versions.error, "%s refuses to tell its versions", c->name);
}

enum err client_connect(struct client *c, struct error *e)
{
    int64_t deadline_ns = deadline_after(c, c->timeout_ms);
    enum err err = ERR_NETWORK;
    struct error why = {0};
    disconnect(c);
    for (size_t i = 0; i < c->address_count; i++) {
        int64_t one_ns = deadline_after(c, CONNECT_TIMEOUT_MS);
        one_ns = one_ns < deadline_ns ? one_ns : deadline_ns;
        err = connect_one(c, &c->addresses[i], one_ns, &why);
        if (err == ERR_OK) {
            err = negotiate(c, deadline_ns, &why);
            if (err == ERR_OK) {
                return ERR_OK;
            }
        }
    }
    // One address is worth its own words; of several the last one's.
    return FAIL(e, ERR_NETWORK, "cannot reach %s: %s", c->address_count == 1 ? c->name : c->bootstrap,
                why.text);
}
