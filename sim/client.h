// SPDX-License-Identifier: Apache-2.0
// client.h - a Kafka client of a few calls, over the seam: connects, sends, waits with deadlines. Straight
// code; runs in a fiber.
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "platform/env.h"
#include "wire/messages.h"
#include "wire/wire.h"

struct client {
    struct env *env;
    struct poller *poller;
    struct sock *sock; // NULL = not connected
    int32_t next_correlation;
    struct buf in;
    size_t in_used;
    struct arena arena; // of the last response
};

void client_init(struct client *c, struct env *env);
void client_fini(struct client *c);
bool client_connect(struct client *c, const char *host, int port, int64_t timeout_ns);
void client_drop(struct client *c);
// client_send encodes and sends one request whole; false = the connection was dropped.
bool client_send(struct client *c, int16_t key, int16_t version, const void *request,
                 int32_t *ret_correlation, int64_t timeout_ns);
// client_receive waits for one frame (valid until the next call); false = timed out or dropped.
bool client_receive(struct client *c, int64_t timeout_ns, struct bytes *ret_frame);
// client_decode reads a response frame; NULL = malformed. The message lives until the next decode.
void *client_decode(struct client *c, int16_t key, int16_t version, struct bytes frame,
                    int32_t *ret_correlation);
// client_call does all of it; NULL = dropped.
void *client_call(struct client *c, int16_t key, int16_t version, const void *request, int64_t timeout_ns);
void client_sleep(struct client *c, int64_t ns);

#endif
