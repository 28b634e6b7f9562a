// SPDX-License-Identifier: Apache-2.0
// registry.h - the schema registry, without its socket: a request of its REST API in, a status and JSON out,
// or an item to be ordered first. Written after the Confluent Schema Registry 8.3, whose clients work
// unchanged.
//
// Documents of the core are its state (docs/decisions/0010); an index over them is brought up to date before
// each call. Pure: the host gives it the core for moments, orders its items, and tells how they ended.
//
// Owner: one thread, which makes all calls. What takes long (parsing, comparing) happens outside of the
// host's lock.
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/core.h"

enum {
    REGISTRY_BODY_BYTES_MAX = 4 << 20,
    REGISTRY_CALL_BYTES_MAX = 256 << 20, // memory of one call
    REGISTRY_TRIES = 20,                 // plans of one call that others overtook
    REGISTRY_SUBJECT_BYTES_MAX = 1000,
    REGISTRY_PARSED_BYTES_MAX = 256 << 20, // parsed schemas kept for comparing
    REGISTRY_PARAMS_MAX = 3,
};

struct registry;

struct registry_host {
    void *arg;
    const struct core *(*view_begin)(void *arg); // the core, until view_end: for microseconds
    void (*view_end)(void *arg);
    struct str cluster_id; // of the Kafka cluster; lives as long as the registry
    struct str version;    // of the program
};

struct registry *registry_create(const struct registry_host *host);
void registry_destroy(struct registry *take_registry); // NULL is a no-op

// The operations, one for each route. The table of routes (registry_routes) says what their params are.
struct registry_call;
struct registry_route {
    const char *method;  // "GET"
    const char *pattern; // "/subjects/{subject}/versions"
    void (*plan)(struct registry *registry, struct registry_call *call);
};
// registry_routes: every route once. The front serves those that begin with /schemas, /subjects, /config,
// /mode or /compatibility below /contexts/{context} too.
const struct registry_route *registry_routes(size_t *ret_count);

// One request. Owner: the front. Zeroed but for what is marked `in`.
struct registry_call {
    // in
    const struct registry_route *route;
    struct arena *arena;                    // REGISTRY_CALL_BYTES_MAX; lives until the call is over
    struct str params[REGISTRY_PARAMS_MAX]; // of the pattern, percent-decoded; without the context
    struct str context;                     // of /contexts/{context}/...: NULL ptr = none
    struct str query;                       // behind the '?', as it came
    struct bytes body;
    // out, when registry_call_step returns REGISTRY_ANSWERED
    int status;
    struct buf answer; // JSON, or raw text with is_raw; the front frees it with buf_fini
    bool is_raw;
    // out, with REGISTRY_SUBMIT: to be ordered; lives in the arena
    struct item item;
    // private
    uint32_t tries;
    bool has_item;
    void (*finish)(struct registry *registry, struct registry_call *call, const struct outcome *outcome);
    void *state; // of the operation, in the arena
};

enum registry_step { REGISTRY_ANSWERED, REGISTRY_SUBMIT };
// registry_call_step plans the call, or with the outcome of the item that it asked for goes on: answers, or
// plans again what was overtaken (ERR_STALE). outcome NULL = the first time. An outcome's other errors become
// 500s.
enum registry_step registry_call_step(struct registry *registry, struct registry_call *call,
                                      const struct outcome *outcome);

// For metrics.
struct registry_counts {
    uint64_t subjects;
    uint64_t versions; // with those softly deleted
    uint64_t schemas;
    uint64_t contexts;
    uint64_t parsed_bytes;
};
void registry_counts(const struct registry *registry, struct registry_counts *ret);

#endif
