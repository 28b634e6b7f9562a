// SPDX-License-Identifier: Apache-2.0
// contracts_front.c - GET /contracts/topics, /contracts/topics/{topic} and /contracts/violations.
#include "http/contracts_front.h"

#include "base/list.h"
#include "base/mem.h"

enum { ROUTES = 3 };
#define NS_PER_MS 1000000LL

struct contracts_front {
    struct govern *govern;
    struct loop *loop;
    struct list waiting; // requests for violations that are to come
    uint32_t waiting_count;
    struct task come;    // one has come
    struct timer gather; // and those that wait are looked at
    bool is_stopping;
    struct http_route routes[ROUTES];
};

static void answer(struct http_request *rq, struct buf *take_body)
{
    if (take_body->failed) {
        http_reply_error(rq, 503, 50301, STR("The answer is over 64 MiB: ask for one topic."));
        buf_fini(take_body);
        return;
    }
    http_reply_take(rq, 200, STR("application/json"), take_body);
}

static void on_topics(struct http_request *rq)
{
    struct contracts_front *front = http_request_arg(rq);
    struct buf body;
    buf_init(&body, CONTRACTS_ANSWER_BYTES_MAX);
    govern_topics_print(front->govern, &body);
    answer(rq, &body);
}

static void on_topic(struct http_request *rq)
{
    struct contracts_front *front = http_request_arg(rq);
    struct str topic = http_request_param(rq, 0);
    struct buf body;
    buf_init(&body, CONTRACTS_ANSWER_BYTES_MAX);
    if (govern_topic_print(front->govern, topic, &body)) {
        answer(rq, &body);
        return;
    }
    buf_fini(&body);
    http_reply_error(
        rq, 404, 404,
        arena_printf(http_request_arena(rq), "There is no topic \"" STR_FMT "\".", STR_ARG(topic)));
}

// number reads a query parameter; false and answered if it is none of 0 or more.
static bool number(struct http_request *rq, struct str name, int64_t fallback, int64_t *ret)
{
    struct str text = http_request_query(rq, name);
    *ret = fallback;
    if (text.ptr == NULL || (str_parse_i64(text, ret) && *ret >= 0)) {
        return true;
    }
    http_reply_error(
        rq, 400, 400,
        arena_printf(http_request_arena(rq), STR_FMT " must be a number of 0 or more.", STR_ARG(name)));
    return false;
}

// ---- violations: those that are there, or the next ones, once they come

struct waiting { // in the request's arena
    struct list node;
    struct timer timer; // it has waited long enough
    struct contracts_front *front;
    struct http_request *rq;
    struct str topic;
    int64_t after;
    size_t limit;
};

static void violations_answer(struct contracts_front *front, struct http_request *rq, struct str topic,
                              int64_t after, size_t limit)
{
    struct buf body;
    buf_init(&body, CONTRACTS_ANSWER_BYTES_MAX);
    govern_violations_print(front->govern, topic, after, limit, &body);
    answer(rq, &body);
}

static void waiting_end(struct waiting *w)
{
    struct contracts_front *front = w->front;
    list_remove(&w->node);
    loop_timer_cancel(front->loop, &w->timer);
    front->waiting_count--;
    violations_answer(front, w->rq, w->topic, w->after, w->limit); // the request is gone, with what waited
}

static void on_waited(struct timer *timer)
{
    waiting_end((struct waiting *)(void *)((char *)timer - offsetof(struct waiting, timer)));
}

static void on_gather(struct timer *timer)
{
    struct contracts_front *front =
        (struct contracts_front *)(void *)((char *)timer - offsetof(struct contracts_front, gather));
    // First, so that none is missed that comes meanwhile.
    govern_violations_listen(front->govern, front->is_stopping ? NULL : &front->come);
    LIST_EACH_SAFE (node, next, &front->waiting) {
        struct waiting *w = LIST_ENTRY(node, struct waiting, node);
        if (govern_violations_any(front->govern, w->topic, w->after)) {
            waiting_end(w);
        }
    }
}

static void on_come(struct task *task)
{
    struct contracts_front *front =
        (struct contracts_front *)(void *)((char *)task - offsetof(struct contracts_front, come));
    if (!front->is_stopping) {
        loop_timer_set(front->loop, &front->gather,
                       loop_now_ns(front->loop) + VIOLATIONS_GATHER_MS * NS_PER_MS);
    }
}

// wait_begin parks the request; false: it is answered at once.
static bool wait_begin(struct contracts_front *front, struct http_request *rq, struct str topic,
                       int64_t after, size_t limit, int64_t wait_ms)
{
    bool may_wait = wait_ms > 0 && limit > 0 && after >= 0 && !front->is_stopping &&
                    front->waiting_count < VIOLATIONS_WAITS_MAX;
    struct waiting *w = may_wait ? arena_new(http_request_arena(rq), struct waiting, 1) : NULL;
    if (w == NULL) {
        return false;
    }
    // Looked at behind the listening: one that comes in between is told.
    govern_violations_listen(front->govern, &front->come);
    if (govern_violations_any(front->govern, topic, after)) {
        return false;
    }
    *w = (struct waiting){
        .timer.fire = on_waited, .front = front, .rq = rq, .topic = topic, .after = after, .limit = limit};
    list_push_back(&front->waiting, &w->node);
    front->waiting_count++;
    loop_timer_set(front->loop, &w->timer, loop_now_ns(front->loop) + wait_ms * NS_PER_MS);
    return true;
}

static void on_violations(struct http_request *rq)
{
    struct contracts_front *front = http_request_arg(rq);
    struct str topic = http_request_query(rq, STR("topic"));
    int64_t after;
    int64_t limit;
    int64_t wait_ms;
    if (!number(rq, STR("after"), -1, &after) || !number(rq, STR("limit"), VIOLATIONS_LIMIT, &limit) ||
        !number(rq, STR("wait_ms"), 0, &wait_ms)) {
        return;
    }
    wait_ms = wait_ms > VIOLATIONS_WAIT_MS_MAX ? VIOLATIONS_WAIT_MS_MAX : wait_ms;
    if (!wait_begin(front, rq, topic, after, (size_t)limit, wait_ms)) {
        violations_answer(front, rq, topic, after, (size_t)limit);
    }
}

void contracts_front_stop(struct contracts_front *front)
{
    front->is_stopping = true;
    govern_violations_listen(front->govern, NULL);
    loop_timer_cancel(front->loop, &front->gather);
    while (!list_is_empty(&front->waiting)) {
        waiting_end(LIST_ENTRY(front->waiting.next, struct waiting, node));
    }
}

struct contracts_front *contracts_front_create(struct govern *govern, struct loop *loop)
{
    struct contracts_front *front = mem_zalloc(sizeof *front);
    front->govern = govern;
    front->loop = loop;
    front->come.run = on_come;
    front->gather.fire = on_gather;
    list_init(&front->waiting);
    front->routes[0] = (struct http_route){"GET", "/contracts/topics", on_topics, front};
    front->routes[1] = (struct http_route){"GET", "/contracts/topics/{topic}", on_topic, front};
    front->routes[2] = (struct http_route){"GET", "/contracts/violations", on_violations, front};
    return front;
}

void contracts_front_destroy(struct contracts_front *take_front)
{
    mem_free(take_front);
}

struct http_routes contracts_front_routes(const struct contracts_front *front)
{
    return (struct http_routes){front->routes, ROUTES, NULL};
}
