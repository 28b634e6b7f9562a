// SPDX-License-Identifier: Apache-2.0
// registry_front.c - from requests to calls of the registry: media types, contexts, items, answers.
#include "http/registry_front.h"

#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"

enum { STATUSES = 16, TYPES = 3 };

static const int statuses[STATUSES] = {200, 204, 207, 400, 404, 405, 406, 409,
                                       413, 415, 422, 500, 501, 503, 504, 0}; // 0: any other

static const char *const types[TYPES] = {REGISTRY_MEDIA_TYPE, "application/vnd.schemaregistry+json",
                                         "application/json"}; // the registry's order

// What an http_route's arg points to.
struct route_entry {
    struct registry_front *front;
    const struct registry_route *route;
    bool has_context;        // the pattern's first param is one
    uint64_t *status_counts; // STATUSES of them, shared with the twin below /contexts/{context}
};

struct registry_front {
    struct broker *broker;
    struct broker_port *port;
    struct govern *govern; // has the registry
    const struct registry_route *table;
    size_t table_count;
    struct http_route *routes;
    struct route_entry *entries;
    uint64_t *status_counts;
    size_t route_count;
    struct arena texts; // patterns
    size_t waiting_bytes;
    uint32_t waiting_count;
    struct metric_histogram *seconds;
    struct metric *waiting;
    struct call *spare;
    void (*changed)(void *arg); // NULL: nobody watches
    void *changed_arg;
};

struct call {
    struct registry_front *front;
    const struct route_entry *entry;
    struct http_request *rq;
    struct str type; // of the answer
    int64_t began_ns;
    struct arena arena;
    struct registry_call registry;
    struct task turn;
    struct change_op op;
    struct submission submission;
    struct outcome outcome;
    struct outcome *outcomes; // of the items that are ordered: &outcome, or in the arena
    size_t waiting_bytes;
};

// ---- media types

static bool is_same(struct str text, const char *type)
{
    return text.len == strlen(type) && strncasecmp(text.ptr, type, text.len) == 0;
}

static bool has_known_body(struct http_request *rq)
{
    struct str type = http_request_header(rq, STR("content-type"));
    struct str params;
    type = str_trim(str_cut(type, ';', &params));
    if (type.len == 0 || http_request_body(rq).len == 0) {
        return true;
    }
    for (size_t i = 0; i < TYPES; i++) {
        if (is_same(type, types[i])) {
            return true;
        }
    }
    return is_same(type, "application/octet-stream") || is_same(type, "application/*") ||
           is_same(type, "*/*");
}

// weight_of reads ";q=0.5" in thousandths; what cannot be read counts as 1.
static int weight_of(struct str params)
{
    while (params.len > 0) {
        struct str value;
        struct str name = str_trim(str_cut(str_cut(params, ';', &params), '=', &value));
        value = str_trim(value);
        if (!is_same(name, "q") || value.len == 0) {
            continue;
        }
        int weight = value.ptr[0] == '1' ? 1000 : 0;
        int place = weight == 0 ? 100 : 0;
        for (size_t i = 2; i < value.len && place > 0; i++, place /= 10) {
            weight += value.ptr[i] >= '0' && value.ptr[i] <= '9' ? (value.ptr[i] - '0') * place : 0;
        }
        return weight;
    }
    return 1000;
}

// range_rank: how exactly a range of Accept names the type; 0 = not at all.
static int range_rank(struct str range, const char *type)
{
    return is_same(range, type) ? 3 : is_same(range, "application/*") ? 2 : is_same(range, "*/*") ? 1 : 0;
}

// choose_type picks what the client likes best, then what the registry does; NULL ptr = it takes none of
// ours.
static struct str choose_type(struct str accept)
{
    if (str_trim(accept).len == 0) {
        return str_from_c(types[0]);
    }
    int best = 0;
    struct str chosen = {NULL, 0};
    for (size_t i = 0; i < TYPES; i++) {
        int rank = 0;
        int weight = 0;
        struct str rest = accept;
        while (rest.len > 0) {
            struct str params;
            struct str range = str_trim(str_cut(str_cut(rest, ',', &rest), ';', &params));
            int found = range_rank(range, types[i]);
            if (found > rank) {
                rank = found;
                weight = weight_of(params);
            }
        }
        if (weight > best) {
            best = weight;
            chosen = str_from_c(types[i]);
        }
    }
    return chosen;
}

// ---- answers

static void note(const struct route_entry *entry, int status, int64_t began_ns)
{
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i] != status) {
        i++;
    }
    entry->status_counts[i]++;
    struct env *env = broker_env(entry->front->broker);
    metric_observe_ns(entry->front->seconds, clock_mono_ns(env->clock) - began_ns);
}

static void refuse(struct http_request *rq, struct str type, int status, struct str message)
{
    struct str body = arena_printf(http_request_arena(rq), "{\"error_code\":%d,\"message\":\"" STR_FMT "\"}",
                                   status, STR_ARG(message));
    http_reply(rq, status, type, bytes_of(body.ptr, body.len));
}

// call_end answers and keeps one call's memory for the next one.
static void call_end(struct call *call)
{
    struct registry_front *front = call->front;
    struct http_request *rq = call->rq;
    struct registry_call *done = &call->registry;
    struct buf answer = done->answer;
    struct str type = call->type;
    int status = done->status;
    note(call->entry, status, call->began_ns);
    arena_reset(&call->arena);
    if (front->spare == NULL) {
        front->spare = call;
    } else {
        arena_fini(&call->arena);
        mem_free(call);
    }
    http_reply_take(rq, status, type, &answer); // may handle the connection's next request
}

static void on_ordered(struct change_op *op);
static void on_turn(struct task *task);

static void call_run(struct call *call, const struct outcome *outcome);

// call_order has the call's item ordered, or the items that have to come before it.
static void call_order(struct call *call, bool is_before)
{
    struct registry_front *front = call->front;
    const struct registry_before *before = &call->registry.before;
    struct submission *submissions = &call->submission;
    call->outcomes = &call->outcome;
    if (is_before) {
        call->outcomes = arena_new(&call->arena, struct outcome, before->count);
        submissions = arena_new(&call->arena, struct submission, before->count);
        if (call->outcomes == NULL || submissions == NULL) {
            call->registry.before.count = 0;
            call_run(call, NULL); // it fails: its arena has
            return;
        }
    }
    call->waiting_bytes = call->arena.total;
    front->waiting_bytes += call->waiting_bytes;
    front->waiting_count++;
    metric_set(front->waiting, front->waiting_count);
    call->op = (struct change_op){.port = front->port,
                                  .items = is_before ? before->items : &call->registry.item,
                                  .item_count = is_before ? before->count : 1,
                                  .done = on_ordered,
                                  .outcomes = call->outcomes,
                                  .submissions = submissions};
    broker_change(front->broker, &call->op);
}

static void call_run(struct call *call, const struct outcome *outcome)
{
    struct registry_front *front = call->front;
    struct registry *registry = govern_registry_begin(front->govern);
    enum registry_step step = registry_call_step(registry, &call->registry, outcome);
    govern_registry_end(front->govern);
    if (step == REGISTRY_ANSWERED) {
        call_end(call);
        return;
    }
    if (step == REGISTRY_MORE) {
        call->turn.run = on_turn;
        loop_post(broker_port_loop(front->port), &call->turn);
        return;
    }
    call_order(call, step == REGISTRY_PREPARE);
}

// on_turn: others have had theirs.
static void on_turn(struct task *task)
{
    call_run((struct call *)(void *)((char *)task - offsetof(struct call, turn)), NULL);
}

static void on_ordered(struct change_op *op)
{
    struct call *call = (struct call *)(void *)((char *)op - offsetof(struct call, op));
    struct registry_front *front = call->front;
    front->waiting_bytes -= call->waiting_bytes;
    front->waiting_count--;
    metric_set(front->waiting, front->waiting_count);
    if (call->outcomes[0].err == ERR_OK && front->changed != NULL) {
        front->changed(front->changed_arg);
    }
    call_run(call, call->outcomes);
}

static void on_request(struct http_request *rq)
{
    const struct route_entry *entry = http_request_arg(rq);
    struct registry_front *front = entry->front;
    int64_t began_ns = clock_mono_ns(broker_env(front->broker)->clock);
    struct str type = choose_type(http_request_header(rq, STR("accept")));
    int refused = !has_known_body(rq)                                   ? 415
                  : type.ptr == NULL                                    ? 406
                  : http_request_body(rq).len > REGISTRY_BODY_BYTES_MAX ? 413
                  : front->waiting_bytes > REGISTRY_WAITING_BYTES_MAX   ? 503
                                                                        : 0;
    if (refused != 0) {
        struct str message = refused == 415   ? STR("HTTP 415 Unsupported Media Type")
                             : refused == 406 ? STR("HTTP 406 Not Acceptable")
                             : refused == 413 ? STR("The body of the request is over 4 MiB.")
                                              : STR("Too many changes wait for the log: try again.");
        note(entry, refused, began_ns);
        refuse(rq, type.ptr == NULL ? str_from_c(types[0]) : type, refused, message);
        return;
    }
    struct call *call = front->spare;
    if (call == NULL) {
        call = mem_zalloc(sizeof *call);
        call->front = front;
        arena_init(&call->arena, REGISTRY_CALL_BYTES_MAX);
        call->arena.gives_way = true;
    }
    front->spare = NULL;
    call->entry = entry;
    call->rq = rq;
    call->type = type;
    call->began_ns = began_ns;
    call->registry = (struct registry_call){.route = entry->route,
                                            .arena = &call->arena,
                                            .query = http_request_query_text(rq),
                                            .body = http_request_body(rq)};
    size_t shift = entry->has_context ? 1 : 0;
    for (size_t i = 0; i < REGISTRY_PARAMS_MAX; i++) {
        call->registry.params[i] = http_request_param(rq, i + shift);
    }
    if (entry->has_context) {
        call->registry.context = http_request_param(rq, 0);
    }
    call_run(call, NULL);
}

// ---- metrics

static struct registry_counts counts_of(const struct registry_front *front)
{
    struct registry_counts counts;
    registry_counts(govern_registry_begin(front->govern), &counts);
    govern_registry_end(front->govern);
    return counts;
}

static int64_t read_subjects(void *arg)
{
    return (int64_t)counts_of(arg).subjects;
}
static int64_t read_versions(void *arg)
{
    return (int64_t)counts_of(arg).versions;
}
static int64_t read_schemas(void *arg)
{
    return (int64_t)counts_of(arg).schemas;
}
static int64_t read_contexts(void *arg)
{
    return (int64_t)counts_of(arg).contexts;
}
static int64_t read_parsed_bytes(void *arg)
{
    return (int64_t)counts_of(arg).parsed_bytes;
}

static void collect(void *arg, struct buf *out)
{
    const struct registry_front *front = arg;
    metrics_family(out, "strom_registry_requests_total", "counter", "Requests to the schema registry");
    for (size_t i = 0; i < front->table_count; i++) {
        for (size_t k = 0; k < STATUSES; k++) {
            uint64_t count = front->status_counts[i * STATUSES + k];
            if (count > 0) {
                buf_printf(out, "strom_registry_requests_total{route=\"%s %s\",status=\"%d\"} %llu\n",
                           front->table[i].method, front->table[i].pattern, statuses[k],
                           (unsigned long long)count);
            }
        }
    }
}

static void metrics_add(struct registry_front *f, struct metrics *m)
{
    f->seconds = metrics_histogram(m, "strom_registry_request_seconds", NULL,
                                   "From a whole request to its answer, waiting for the log included");
    f->waiting = metrics_gauge(m, "strom_registry_waiting_changes", NULL, "Changes that wait for the log");
    metrics_gauge_fn(m, "strom_registry_subjects", NULL, "Subjects", read_subjects, f);
    metrics_gauge_fn(m, "strom_registry_versions", NULL, "Versions of subjects, soft-deleted ones included",
                     read_versions, f);
    metrics_gauge_fn(m, "strom_registry_schemas", NULL, "Distinct schemas, by context", read_schemas, f);
    metrics_gauge_fn(m, "strom_registry_contexts", NULL, "Contexts", read_contexts, f);
    metrics_gauge_fn(m, "strom_registry_parsed_bytes", NULL, "Parsed schemas kept in memory",
                     read_parsed_bytes, f);
    metrics_collector(m, collect, f);
}

// ---- the table of routes

static bool is_of_a_context(struct str pattern)
{
    static const char *const roots[] = {"/schemas", "/subjects", "/config", "/mode", "/compatibility"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (str_has_prefix(pattern, str_from_c(roots[i]))) {
            return true;
        }
    }
    return false;
}

static void route_add(struct registry_front *front, size_t index, bool has_context)
{
    const struct registry_route *route = &front->table[index];
    size_t at = front->route_count++;
    struct str pattern =
        arena_printf(&front->texts, "%s%s", has_context ? "/contexts/{context}" : "", route->pattern);
    front->entries[at] = (struct route_entry){.front = front,
                                              .route = route,
                                              .has_context = has_context,
                                              .status_counts = front->status_counts + index * STATUSES};
    front->routes[at] = (struct http_route){route->method, pattern.ptr, on_request, &front->entries[at]};
}

struct registry_front *registry_front_create(struct broker *broker, struct broker_port *port,
                                             struct govern *govern)
{
    struct registry_front *front = mem_zalloc(sizeof *front);
    front->broker = broker;
    front->port = port;
    front->govern = govern;
    front->table = registry_routes(&front->table_count);
    front->routes = mem_array(2 * front->table_count, sizeof *front->routes);
    front->entries = mem_array(2 * front->table_count, sizeof *front->entries);
    front->status_counts = mem_array(STATUSES * front->table_count, sizeof *front->status_counts);
    memset(front->status_counts, 0, STATUSES * front->table_count * sizeof *front->status_counts);
    arena_init(&front->texts, 1 << 20);
    for (size_t i = 0; i < front->table_count; i++) {
        route_add(front, i, false);
        if (is_of_a_context(str_from_c(front->table[i].pattern))) {
            route_add(front, i, true);
        }
    }
    metrics_add(front, broker_metrics(broker));
    return front;
}

void registry_front_destroy(struct registry_front *take_front)
{
    struct registry_front *front = take_front;
    if (front == NULL) {
        return;
    }
    ASSERT(front->waiting_count == 0);
    if (front->spare != NULL) {
        arena_fini(&front->spare->arena);
        mem_free(front->spare);
    }
    arena_fini(&front->texts);
    mem_free(front->status_counts);
    mem_free(front->entries);
    mem_free(front->routes);
    mem_free(front);
}

void registry_front_watch(struct registry_front *front, void (*changed)(void *arg), void *arg)
{
    front->changed = changed;
    front->changed_arg = arg;
}

struct http_routes registry_front_routes(const struct registry_front *front)
{
    return (struct http_routes){front->routes, front->route_count, REGISTRY_MEDIA_TYPE};
}
