// SPDX-License-Identifier: Apache-2.0
// serve.h - the whole server wired together: engine, broker, loops, fronts, HTTP. main and the simulator both
// run it.
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "broker/broker.h"
#include "server/config.h"

struct server;

struct server_options {
    struct engine *take_engine; // NULL = the local one
    struct tracer *tracer;      // may be NULL
    int cpu_count;              // for num.network.threads = 0; 0 = one
    void (*fatal)(void *arg, const struct error *e);
    void *fatal_arg;
    const struct broker_policy *policy; // of governed topics; NULL = the server's own
};

// server_start opens the engine (taken; NULL = the local one in env's data directory) and everything above it
// and begins to serve. On return, clients can connect. The config is borrowed.
enum err server_start(struct env *env, const struct config *config, const struct server_options *options,
                      struct server **ret_server, struct error *e);
// server_stop answers what is in flight, marks a clean stop and frees all.
void server_stop(struct server *take_server);
int server_kafka_port(const struct server *s); // of the first listener
int server_http_port(const struct server *s);  // 0 = none
struct broker *server_broker(struct server *s);

#endif
