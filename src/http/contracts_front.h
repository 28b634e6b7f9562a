// SPDX-License-Identifier: Apache-2.0
// contracts_front.h - contracts in force over HTTP: what governs topics, what was counted, the newest
// violations. Only looks; docs/contracts.md has the answers.
#ifndef HTTP_CONTRACTS_FRONT_H
#define HTTP_CONTRACTS_FRONT_H

#include "govern/govern.h"
#include "http/http.h"

enum {
    CONTRACTS_ANSWER_BYTES_MAX = 64 << 20,
    VIOLATIONS_LIMIT = 100,
    VIOLATIONS_WAIT_MS_MAX = 30000, // that a request may wait for one to come
    VIOLATIONS_WAITS_MAX = 64,      // requests that wait; more are answered at once
    VIOLATIONS_GATHER_MS = 50,      // after which those that wait are looked at, once one has come
};

struct contracts_front;
// loop: the server's, and that of govern_attach.
struct contracts_front *contracts_front_create(struct govern *govern, struct loop *loop);
// contracts_front_stop answers what waits; nothing waits any more. On the loop, before the server stops.
void contracts_front_stop(struct contracts_front *front);
void contracts_front_destroy(struct contracts_front *take_front); // NULL is a no-op
struct http_routes contracts_front_routes(const struct contracts_front *front);

#endif
