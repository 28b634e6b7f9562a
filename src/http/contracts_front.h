// SPDX-License-Identifier: Apache-2.0
// contracts_front.h - contracts in force over HTTP: what governs topics, what was counted, the newest
// violations. Only looks; docs/contracts.md has the answers.
#ifndef HTTP_CONTRACTS_FRONT_H
#define HTTP_CONTRACTS_FRONT_H

#include "govern/govern.h"
#include "http/http.h"

enum { CONTRACTS_ANSWER_BYTES_MAX = 64 << 20, VIOLATIONS_LIMIT = 100 };

struct contracts_front;
struct contracts_front *contracts_front_create(struct govern *govern);
void contracts_front_destroy(struct contracts_front *take_front); // NULL is a no-op
struct http_routes contracts_front_routes(const struct contracts_front *front);

#endif
