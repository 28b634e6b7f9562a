// SPDX-License-Identifier: Apache-2.0
// route.c - one table, matched segment by segment; {name} matches one segment.
#include "http/http_private.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// percent_decode turns %41 into A; plus_is_space for queries. A broken escape stays as it is.
static struct str percent_decode(struct arena *arena, struct str s, bool plus_is_space)
{
    char *out = arena_alloc(arena, s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len && out != NULL; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
        if (low >= 0) {
            out[len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[len++] = plus_is_space && s.ptr[i] == '+' ? ' ' : s.ptr[i];
        }
    }
    return (struct str){out, out == NULL ? 0 : len};
}

// route_matches sets the params as they came. One '/' at the end of a path does not count.
static bool route_matches(const struct http_route *route, struct http_request *rq)
{
    struct str pattern = str_from_c(route->pattern + 1);
    struct str path = {rq->path.ptr + 1, rq->path.len - 1};
    path.len -= path.len > 1 && path.ptr[path.len - 1] == '/' ? 1 : 0;
    rq->param_count = 0;
    bool has_more = true;
    while (has_more) {
        struct str pattern_rest;
        struct str path_rest;
        struct str want = str_cut(pattern, '/', &pattern_rest);
        struct str have = str_cut(path, '/', &path_rest);
        if (want.len > 0 && want.ptr[0] == '{') {
            if (have.len == 0 || rq->param_count == HTTP_PARAMS_MAX) {
                return false;
            }
            rq->params[rq->param_count++] = have;
        } else if (!str_equal(want, have)) {
            return false;
        }
        if ((pattern_rest.ptr == NULL) != (path_rest.ptr == NULL)) {
            return false;
        }
        has_more = pattern_rest.ptr != NULL;
        pattern = pattern_rest;
        path = path_rest;
    }
    return true;
}

const struct http_route *http_route_find(const struct http_server *server, struct http_request *rq,
                                         struct str *ret_allowed)
{
    if (rq->path.len == 0 || rq->path.ptr[0] != '/') {
        return NULL;
    }
    struct str method = rq->is_head ? STR("GET") : str_from_c(rq->method);
    struct str allowed = {NULL, 0};
    for (size_t i = 0; i < server->routes.count; i++) {
        const struct http_route *route = &server->routes.routes[i];
        if (!route_matches(route, rq)) {
            continue;
        }
        if (str_equal(str_from_c(route->method), method)) {
            for (size_t k = 0; k < rq->param_count; k++) {
                rq->params[k] = percent_decode(&rq->arena, rq->params[k], false);
            }
            return route;
        }
        allowed = arena_printf(&rq->arena, STR_FMT "%s%s%s", STR_ARG(allowed), allowed.len == 0 ? "" : ", ",
                               route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
    }
    *ret_allowed = allowed;
    return NULL;
}

struct str http_request_query(struct http_request *rq, struct str name)
{
    struct str rest = rq->query;
    while (rest.len > 0) {
        struct str value;
        struct str key = str_cut(str_cut(rest, '&', &rest), '=', &value);
        if (str_equal(percent_decode(&rq->arena, key, true), name)) {
            return value.ptr == NULL ? (struct str){"", 0} : percent_decode(&rq->arena, value, true);
        }
    }
    return (struct str){NULL, 0};
}
