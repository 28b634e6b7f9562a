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
#include "format/format.h"

enum {
    REGISTRY_BODY_BYTES_MAX = 4 << 20,
    REGISTRY_CALL_BYTES_MAX = 256 << 20, // memory of one call
    REGISTRY_TRIES = 20,                 // plans of one call that others overtook
    REGISTRY_SUBJECT_BYTES_MAX = 1000,
    REGISTRY_PARSED_BYTES_MAX = 256 << 20, // parsed schemas kept for comparing
    REGISTRY_PARAMS_MAX = 3,
};

struct registry;
struct registry_contract;

// Items that are to be ordered before what needs them; in the call's arena.
struct registry_before {
    struct item *items;
    uint32_t count;
};

// A document that an answer rests on: its revision, 0 if it does not exist.
struct registry_ground {
    struct str key;
    uint64_t revision;
};
enum { REGISTRY_SUBJECT_GROUNDS = 2 };

// What stands for a subject from now on: a name, or a topic by its associations.
struct registry_standing {
    struct str name;    // qualified; NULL ptr: a topic does
    struct str topic;   // with the associations that it will have
    bool is_key;        // of it
    bool is_ambiguous;  // it would have several
    struct str subject; // qualified, of a name the very one; NULL ptr: none, so that the topic's settings say
    // out: what the answer rests on
    struct registry_ground grounds[REGISTRY_SUBJECT_GROUNDS];
    uint32_t ground_count;
    bool is_governing; // a topic is governed by it
};

struct registry_host {
    void *arg;
    const struct core *(*view_begin)(void *arg); // the core, until view_end: for microseconds
    void (*view_end)(void *arg);
    struct str cluster_id; // of the Kafka cluster; lives as long as the registry
    struct str version;    // of the program
    // contract_check says whether a version may be registered that would govern topics: ERR_OK, or why it
    // cannot be run. ret->count > 0: those items have to come first. May be NULL.
    enum err (*contract_check)(void *arg, const struct registry_contract *contract, struct arena *arena,
                               struct registry_before *ret, struct error *e);
    // standing_check says the same of contracts of a subject that come to govern topics by what stands for
    // it. It brings the index up to date: what a plan has looked at before may be gone. May be NULL.
    enum err (*standing_check)(void *arg, struct registry_standing *standing, struct arena *arena,
                               struct registry_before *ret, struct error *e);
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
    // out, with REGISTRY_PREPARE: likewise, in this order
    struct registry_before before;
    // private
    uint32_t tries;
    bool has_item;
    bool has_more;
    size_t work;           // of this step
    struct uuid *compared; // GUIDs of earlier versions that are compatible, in the arena
    uint32_t compared_count;
    uint32_t compared_cap;
    void (*finish)(struct registry *registry, struct registry_call *call, const struct outcome *outcome);
    void *state; // of the plan, in the arena
    void *kept;  // of the operation, through all of its plans
};

enum registry_step {
    REGISTRY_ANSWERED,
    REGISTRY_SUBMIT,
    REGISTRY_PREPARE, // the plan needs things that others have: order `before`, step again with all outcomes
    REGISTRY_MORE,    // it has worked for long: let others have their turn, then step again with outcome NULL
};
// registry_call_step plans the call, or with the outcome of the item that it asked for goes on: answers, or
// plans again what was overtaken (ERR_STALE). outcome NULL = the first time, or after REGISTRY_MORE. An
// outcome's other errors become 500s.
enum registry_step registry_call_step(struct registry *registry, struct registry_call *call,
                                      const struct outcome *outcome);

// ---- for who judges payloads (govern/). Each brings the index up to date first; results live in the arena.

// registry_topic_subject: the subject that the topic's association names; NULL ptr if it has none. The ground
// changes whenever one is made, changed or deleted. ERR_INVALID_CONFIG: there are several. ERR_NO_MEMORY.
enum err registry_topic_subject(struct registry *r, struct str topic, bool is_key, struct arena *arena,
                                struct str *ret_subject, struct registry_ground *ret_ground, struct error *e);

struct registry_member { // a version of a subject
    int32_t version;
    int32_t id;
    struct uuid guid;
    enum format format;
    bool is_deleted; // softly
};
struct registry_subject {
    struct str name;                       // qualified, its alias followed
    struct str context;                    // "." or ".ctx"
    const struct registry_member *members; // rising by version; none if it is not known
    size_t member_count;
    struct registry_ground grounds[REGISTRY_SUBJECT_GROUNDS]; // all that may change about it
};
// registry_subject_find. ERR_INVALID_CONFIG: no name of a subject. ERR_NO_MEMORY.
enum err registry_subject_find(struct registry *r, struct str subject, struct arena *arena,
                               struct registry_subject *ret, struct error *e);
// registry_subject_get is about the very subject, whose name is qualified: an alias of it is not followed.
enum err registry_subject_get(struct registry *r, struct str subject, struct arena *arena,
                              struct registry_subject *ret, struct error *e);

struct registry_schema_name {
    bool is_guid;
    int32_t id;
    struct uuid guid;
};
struct registry_schema {
    struct schema *schema; // counted: the caller's; NULL = unknown
    int32_t id;
    struct uuid guid;
    struct registry_ground
        ground; // its document; of an unknown one what moves whenever the context gives an id
};
// registry_schema_find: ERR_OK also if it is unknown. ERR_CORRUPT, ERR_INVALID_SCHEMA, ERR_NO_MEMORY.
enum err registry_schema_find(struct registry *r, struct str context, const struct registry_schema_name *name,
                              struct arena *arena, struct registry_schema *ret, struct error *e);

// One schema with what is kept beside it.
struct registry_part {
    struct schema *schema; // counted: the contract's
    struct str metadata;   // JSON; NULL ptr = none
    struct str rule_set;   // likewise
    struct str subject;
    int32_t version;
    int32_t id; // 0: not given yet
    struct uuid guid;
};
struct registry_contract {
    struct registry_part part;
    struct registry_part *references; // all that it refers to, over whatever way, once each
    size_t reference_count;
};
// registry_contract_find. subject: qualified, its alias followed. The result never changes while the
// subject's document stays; registry_contract_release gives its schemas back. ERR_NOT_FOUND, ERR_CORRUPT,
// ERR_INVALID_SCHEMA, ERR_NO_MEMORY.
enum err registry_contract_find(struct registry *r, struct str subject, int32_t version, struct arena *arena,
                                struct registry_contract *ret, struct error *e);
void registry_contract_release(struct registry_contract *contract);

// For contract_check, within whose plan the index stays as it is. subject: qualified, its alias followed.
// registry_stands_for: the name is the subject's, or has it as its alias. registry_topic_stands_for: one of
// the topic's associations names the subject, or an alias of it.
bool registry_stands_for(struct registry *r, struct str name, struct str subject);
bool registry_topic_stands_for(struct registry *r, struct str topic, bool is_key, struct str subject);
// The same without aliases: the name is that one; one of the topic's associations names it.
bool registry_is_name(struct str name, struct str qualified);
bool registry_topic_names(struct registry *r, struct str topic, bool is_key, struct str qualified);

// The state as the records of a topic that tools tail: Confluent's `_schemas`. Each version, config, mode,
// context and association is one record, whose key is always the same bytes.
//
// registry_feed_begin: registry_feed_next gives every record that there is, then each that changes.
void registry_feed_begin(struct registry *registry);
enum registry_feed {
    REGISTRY_FEED_RECORD,
    REGISTRY_FEED_END,  // nothing now: ask again after a change
    REGISTRY_FEED_LOST, // more has changed than is remembered: begin again
};
// key and value are emptied, then filled with JSON: an empty value says that it is no more. Between two calls
// the state may change; the record of a thing that changed comes again.
enum registry_feed registry_feed_next(struct registry *registry, struct buf *key, struct buf *value);

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
