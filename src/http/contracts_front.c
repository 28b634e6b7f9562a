// SPDX-License-Identifier: Apache-2.0
// contracts_front.c - GET /contracts/topics, /contracts/topics/{topic} and /contracts/violations.
#include "http/contracts_front.h"

#include "base/mem.h"

enum { ROUTES = 3 };

struct contracts_front {
    struct govern *govern;
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

static void on_violations(struct http_request *rq)
{
    struct contracts_front *front = http_request_arg(rq);
    struct buf body;
    int64_t after;
    int64_t limit;
    if (!number(rq, STR("after"), -1, &after) || !number(rq, STR("limit"), VIOLATIONS_LIMIT, &limit)) {
        return;
    }
    buf_init(&body, CONTRACTS_ANSWER_BYTES_MAX);
    govern_violations_print(front->govern, http_request_query(rq, STR("topic")), after, (size_t)limit, &body);
    answer(rq, &body);
}

struct contracts_front *contracts_front_create(struct govern *govern)
{
    struct contracts_front *front = mem_zalloc(sizeof *front);
    front->govern = govern;
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
