// SPDX-License-Identifier: Apache-2.0
// client.h - a small Kafka client over the seam: one connection, negotiated versions, several requests in
// flight, answers in the order of requests (Kafka promises that per connection). It looks blocking: every
// verb has a deadline. Owner: one thread; client_wake alone may come from another.
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "platform/env.h"
#include "wire/messages.h"
#include "wire/wire.h"

enum {
    CLIENT_PORT = 9092, // where an address has none
    CLIENT_ANSWER_BYTES_MAX = 256 << 20,
    CLIENT_FLIGHT_MAX = 16, // requests without an answer
};

struct client;

// client_create checks the addresses ("host[:port][,...]", IPv6 in brackets) and connects to none yet.
// ERR_INVALID_REQUEST for an address that makes no sense.
enum err client_create(struct env *env, struct str bootstrap, int64_t timeout_ms, struct client **ret_client,
                       struct error *e);
void client_destroy(struct client *take_client); // NULL is a no-op

// client_connect connects to the first address that answers and asks it for its versions; a connection there
// was is closed first, and what was in flight forgotten. ERR_NETWORK: none answered in time.
enum err client_connect(struct client *c, struct error *e);
bool client_is_connected(const struct client *c);
struct str client_address(const struct client *c); // "127.0.0.1:9092", the one connected to, or the list

// client_version finds the highest version of an API that both sides speak. ERR_UNSUPPORTED_VERSION if none.
enum err client_version(const struct client *c, enum api_key key, int16_t *ret_version, struct error *e);
// client_range is what the broker said of an API; false if it does not know it.
bool client_range(const struct client *c, int16_t key, int16_t *ret_min, int16_t *ret_max);

// client_call sends a request and waits for its answer, both structs of wire/messages.h. What the answer
// points to lives in the arena. Nothing else may be in flight. An answer that says an error is ERR_OK here.
//   ERR_NETWORK              the connection broke, or nothing came in time: the connection is closed
//   ERR_UNSUPPORTED_VERSION  the broker does not speak the API
//   ERR_MALFORMED            the answer does not parse: the connection is closed
enum err client_call(struct client *c, enum api_key key, const void *request, struct arena *arena,
                     void *ret_response, struct error *e);

// client_lend: from now on the bytes of an answer stay where they were received, and live until the next call
// for an answer only: large ones are not copied into the arena.
void client_lend(struct client *c);

// client_send queues a request; it goes out while client_receive waits. has_answer is false for Produce with
// acks=0 only. Errors as client_call.
enum err client_send(struct client *c, enum api_key key, const void *request, bool has_answer,
                     struct error *e);
// client_receive waits for the answer to the oldest request in flight, until deadline_ns (CLOCK_NEVER =
// none). ERR_OK: *ret_response is a struct in the arena. ERR_TIMED_OUT: deadline_ns passed; the connection
// stays. ERR_WOULD_BLOCK: client_wake was called, or a queued request went out in full and nothing is in
// flight.
enum err client_receive(struct client *c, struct arena *arena, int64_t deadline_ns, void **ret_response,
                        struct error *e);
size_t client_in_flight(const struct client *c);
bool client_is_sending(const struct client *c); // bytes are queued
void client_wake(struct client *c);             // from any thread

#endif
