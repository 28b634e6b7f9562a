// SPDX-License-Identifier: Apache-2.0
// admin.h - GET /health and GET /metrics.
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include "broker/broker.h"
#include "http/http.h"

struct admin;
struct admin *admin_create(struct broker *broker, struct metrics *metrics);
void admin_destroy(struct admin *take_admin);
struct http_routes admin_routes(struct admin *admin);

#endif
