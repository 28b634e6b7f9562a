// SPDX-License-Identifier: Apache-2.0
// registry_front.h - the schema registry over HTTP: its routes for a server, its media types, its items
// ordered by the broker. The registry itself knows no socket (registry/registry.h).
//
// Owner: the server's loop, which makes every call.
#ifndef HTTP_REGISTRY_FRONT_H
#define HTTP_REGISTRY_FRONT_H

#include "broker/broker.h"
#include "govern/govern.h"
#include "http/http.h"

// Of Confluent's three media types the first one answers whoever does not choose.
#define REGISTRY_MEDIA_TYPE "application/vnd.schemaregistry.v1+json"

enum { REGISTRY_WAITING_BYTES_MAX = 256 << 20 }; // memory of calls that wait for the log; over it: 503

struct registry_front;

// registry_front_create: the registry is that of `govern`, which is attached to the broker. port: of the
// server's loop.
struct registry_front *registry_front_create(struct broker *broker, struct broker_port *port,
                                             struct govern *govern);
void registry_front_destroy(
    struct registry_front *take_front); // when its server has stopped; NULL is a no-op
// registry_front_watch: changed is called after each change that this front had ordered, before its answer.
void registry_front_watch(struct registry_front *front, void (*changed)(void *arg), void *arg);
struct http_routes registry_front_routes(const struct registry_front *front);

#endif
