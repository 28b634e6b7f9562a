// SPDX-License-Identifier: Apache-2.0
// rig_test.h - what the tests of the registry share: a registry over a core whose host is played by hand.
// ask() does what the front does: it finds the route, steps, has the item applied, and steps again.
#ifndef REGISTRY_RIG_TEST_H
#define REGISTRY_RIG_TEST_H

#include "base/mem.h"
#include "core/rig_test.h"
#include "registry/registry_private.h"

struct desk {
    struct rig rig;
    struct registry *registry;
    struct arena arena; // of the last call
    // The last answer.
    int status;
    char *text;              // with a NUL behind it
    struct json_value *json; // NULL: it is none
    uint32_t tries;
    uint64_t items; // that were ordered, of all calls
    uint32_t turns; // in which others might have come, of all calls
    // Called once, between the plan and the item's turn: a change that comes first. Then forgotten.
    void (*overtake)(struct desk *desk);
};

static inline const struct core *desk_view_begin(void *arg)
{
    return ((struct desk *)arg)->rig.core;
}

static inline void desk_view_end(void *arg)
{
    (void)arg;
}

// desk_restart begins with an index that has seen nothing.
static inline void desk_restart(struct desk *desk)
{
    const struct registry_host host = {
        .arg = desk,
        .view_begin = desk_view_begin,
        .view_end = desk_view_end,
        .cluster_id = STR("cluster-1"),
        .version = STR("1.2.3"),
    };
    registry_destroy(desk->registry);
    desk->registry = registry_create(&host);
}

static inline void desk_init(struct desk *desk)
{
    *desk = (struct desk){0};
    rig_init(&desk->rig);
    arena_init(&desk->arena, REGISTRY_CALL_BYTES_MAX);
    desk_restart(desk);
}

static inline void desk_fini(struct desk *desk)
{
    registry_destroy(desk->registry);
    rig_fini(&desk->rig);
    arena_fini(&desk->arena);
    mem_free(desk->text);
}

static inline int desk_hex(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0';
}

static inline struct str desk_decode(struct arena *arena, struct str raw)
{
    char *text = arena_new(arena, char, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        bool is_escape = raw.ptr[i] == '%' && i + 2 < raw.len;
        text[len++] =
            is_escape ? (char)(desk_hex(raw.ptr[i + 1]) * 16 + desk_hex(raw.ptr[i + 2])) : raw.ptr[i];
        i += is_escape ? 2 : 0;
    }
    return (struct str){text, len};
}

static inline bool desk_match(struct registry_call *call, const struct registry_route *route,
                              const char *method, struct str path)
{
    struct str pattern = str_from_c(route->pattern);
    size_t count = 0;
    bool is_same = strcmp(route->method, method) == 0;
    while (is_same && (pattern.ptr != NULL || path.ptr != NULL)) {
        struct str want = str_cut(pattern, '/', &pattern);
        struct str have = str_cut(path, '/', &path);
        if (want.len > 0 && want.ptr[0] == '{' && have.len > 0) {
            call->params[count++] = desk_decode(call->arena, have);
        } else {
            is_same = str_equal(want, have);
        }
        is_same = is_same && (pattern.ptr == NULL) == (path.ptr == NULL);
    }
    return is_same;
}

static inline void desk_route(struct registry_call *call, const char *method, struct str path)
{
    static const char *const scoped[] = {"/schemas", "/subjects", "/config", "/mode", "/compatibility"};
    size_t count;
    const struct registry_route *routes = registry_routes(&count);
    struct str rest;
    if (str_has_prefix(path, STR("/contexts/"))) {
        struct str context = {path.ptr + 10, path.len - 10};
        context = str_cut(context, '/', &rest);
        rest = rest.ptr == NULL ? rest : (struct str){rest.ptr - 1, rest.len + 1};
        for (size_t i = 0; i < sizeof scoped / sizeof *scoped; i++) {
            if (str_has_prefix(rest, str_from_c(scoped[i]))) {
                call->context = desk_decode(call->arena, context);
                path = rest;
                break;
            }
        }
    }
    for (size_t i = 0; i < count && call->route == NULL; i++) {
        call->route = desk_match(call, &routes[i], method, path) ? &routes[i] : NULL;
    }
}

// ask makes a request; the status is returned, the rest of the answer is in the desk. body NULL = none.
static inline int ask(struct desk *desk, const char *method, const char *target, const char *body)
{
    struct registry_call call = {.arena = &desk->arena};
    arena_reset(&desk->arena);
    // Exactly as long as they are, so that reading past the end shows.
    size_t body_len = body == NULL ? 0 : strlen(body);
    uint8_t *body_copy = mem_alloc(body_len + (body_len == 0));
    if (body_len > 0) {
        memcpy(body_copy, body, body_len);
        call.body = bytes_of(body_copy, body_len);
    }
    struct str path = str_cut(str_from_c(target), '?', &call.query);
    desk_route(&call, method, path);
    if (call.route == NULL) {
        fail_msg("no route for %s %s", method, target);
    }
    enum registry_step step = registry_call_step(desk->registry, &call, NULL);
    while (step != REGISTRY_ANSWERED) {
        if (step == REGISTRY_MORE) {
            desk->turns++;
            step = registry_call_step(desk->registry, &call, NULL);
            continue;
        }
        void (*overtake)(struct desk *) = desk->overtake;
        desk->overtake = NULL;
        if (overtake != NULL) {
            overtake(desk);
        }
        struct outcome outcome = rig_one(&desk->rig, &call.item);
        desk->items++;
        step = registry_call_step(desk->registry, &call, &outcome);
    }
    mem_free(desk->text);
    desk->text = mem_zalloc(call.answer.len + 1);
    if (call.answer.len > 0) {
        memcpy(desk->text, call.answer.ptr, call.answer.len);
    }
    desk->status = call.status;
    desk->tries = call.tries;
    desk->json = NULL;
    if (!call.is_raw && call.answer.len > 0) {
        enum err err = json_parse(str_from_c(desk->text), &desk->arena, &desk->json, NULL);
        assert_int_equal(err, desk->arena.failed ? ERR_NO_MEMORY : ERR_OK);
    }
    buf_fini(&call.answer);
    mem_free(body_copy);
    return desk->status;
}

// desk_document puts a document behind the registry's back, or with value NULL removes it: for `overtake`.
static inline void desk_document(struct desk *desk, const char *key, const char *value, int64_t number)
{
    struct item_document change = {.key = str_from_c(key), .number = number};
    change.op = value == NULL ? DOCUMENT_REMOVE : DOCUMENT_PUT;
    change.value = value == NULL ? (struct bytes){0} : bytes_of(value, strlen(value));
    struct item item = {.kind = ITEM_DOCUMENTS, .version = 1, .documents = {NULL, 0, &change, 1}};
    assert_int_equal(rig_one(&desk->rig, &item).err, ERR_OK);
}

static inline int64_t desk_code(const struct desk *desk)
{
    int64_t code = 0;
    return desk->json != NULL && json_value_i64(json_get(desk->json, STR("error_code")), &code) ? code : 0;
}

// desk_ask_first makes a request behind the registry's back, through another one over the same core, for
// `overtake`; the error's code.
static inline int64_t desk_ask_first(struct desk *desk, const char *method, const char *target,
                                     const char *body)
{
    struct desk other = {.rig = desk->rig};
    arena_init(&other.arena, REGISTRY_CALL_BYTES_MAX);
    desk_restart(&other);
    ask(&other, method, target, body);
    int64_t code = desk_code(&other);
    desk->rig = other.rig;
    registry_destroy(other.registry);
    arena_fini(&other.arena);
    mem_free(other.text);
    return code;
}

// expect asks and compares the whole answer; expect_code only the error's code, 0 = none.
#define expect(desk, method, target, body, want)                                                             \
    do {                                                                                                     \
        ask(desk, method, target, body);                                                                     \
        assert_string_equal((desk)->text, want);                                                             \
    } while (0)
#define expect_code(desk, method, target, body, code)                                                        \
    do {                                                                                                     \
        ask(desk, method, target, body);                                                                     \
        if (desk_code(desk) != (code)) {                                                                     \
            print_error("%s\n", (desk)->text);                                                               \
        }                                                                                                    \
        assert_int_equal(desk_code(desk), code);                                                             \
        assert_true((desk)->status < 300 ? (code) == 0                                                       \
                                         : (desk)->status == ((code) < 1000 ? (code) : (code) / 100));       \
    } while (0)

// large_config gives the body of a PUT /config with that many bytes of text; the caller frees it.
static inline char *large_config(size_t size)
{
    static const char head[] = "{\"compatibilityGroup\":\"";
    size_t len = sizeof head - 1;
    char *body = mem_zalloc(size + len + 3);
    memcpy(body, head, len);
    memset(body + len, 'x', size);
    memcpy(body + len + size, "\"}", 2);
    return body;
}

#endif
