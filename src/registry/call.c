// SPDX-License-Identifier: Apache-2.0
// call.c - one request of the REST API: its parameters, its answer, and the item that it may ask for.
#include <stdarg.h>
#include <strings.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "core/governance.h"
#include "registry/registry_private.h"

enum { ANSWER_BYTES_MAX = 256 << 20, TEXT_BYTES_MAX = 1 << 20 };

// ---- answers

static void answer_begin(struct registry_call *call, int status)
{
    buf_fini(&call->answer);
    buf_init(&call->answer, ANSWER_BYTES_MAX);
    call->status = status;
    call->is_raw = false;
}

struct json call_answer(struct registry_call *call)
{
    answer_begin(call, 200);
    return (struct json){.out = &call->answer};
}

void call_fail(struct registry_call *call, int code, const char *format, ...)
{
    struct buf text;
    va_list args;
    buf_init(&text, TEXT_BYTES_MAX);
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = len < 0 || len >= TEXT_BYTES_MAX ? 0 : (size_t)len + 1;
    char *room = (char *)buf_reserve(&text, size);
    va_start(args, format);
    if (room != NULL && size > 0) {
        vsnprintf(room, size, format, args);
    }
    va_end(args);
    answer_begin(call, code >= 10000 ? code / 100 : code);
    struct json j = {.out = &call->answer};
    json_object_begin(&j);
    json_pair_i64(&j, "error_code", code);
    json_pair_str(&j, "message", (struct str){room == NULL ? "" : room, size == 0 ? 0 : size - 1});
    json_object_end(&j);
    buf_fini(&text);
    call->has_item = false;
}

// ---- parameters

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static struct str query_decode(struct registry_call *call, struct str raw)
{
    char *text = arena_new(call->arena, char, raw.len + 1);
    size_t len = 0;
    for (size_t i = 0; text != NULL && i < raw.len; i++) {
        bool is_escape = raw.ptr[i] == '%' && i + 2 < raw.len && hex_value(raw.ptr[i + 1]) >= 0 &&
                         hex_value(raw.ptr[i + 2]) >= 0;
        if (is_escape) {
            text[len++] = (char)(hex_value(raw.ptr[i + 1]) * 16 + hex_value(raw.ptr[i + 2]));
            i += 2;
        } else {
            text[len++] = raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
        }
    }
    return (struct str){text == NULL ? "" : text, len};
}

struct str call_query_next(struct registry_call *call, const char *name, struct str *rest)
{
    while (rest->len > 0) {
        struct str value;
        struct str pair = str_cut(*rest, '&', rest);
        struct str key = str_cut(pair, '=', &value);
        if (str_equal(query_decode(call, key), str_from_c(name))) {
            return query_decode(call, value);
        }
    }
    return (struct str){0};
}

struct str call_query(struct registry_call *call, const char *name)
{
    struct str rest = call->query;
    return call_query_next(call, name, &rest);
}

bool call_query_bool(struct registry_call *call, const char *name)
{
    struct str value = call_query(call, name);
    return value.len == 4 && strncasecmp(value.ptr, "true", 4) == 0;
}

static int64_t query_number(struct registry_call *call, const char *name, int64_t fallback)
{
    int64_t number;
    return str_parse_i64(call_query(call, name), &number) ? number : fallback;
}

void call_page(struct registry_call *call, size_t count, size_t fallback, size_t *ret_first, size_t *ret_end)
{
    int64_t offset = query_number(call, "offset", 0);
    int64_t limit = query_number(call, "limit", -1);
    size_t first = offset <= 0 ? 0 : (uint64_t)offset > count ? count : (size_t)offset;
    size_t room = limit < 0 ? fallback : (size_t)limit;
    *ret_first = first;
    *ret_end = room > count - first ? count : first + room;
}

struct json_value *call_body(struct registry_call *call)
{
    struct json_value *body = NULL;
    struct error e = {0};
    struct str text = {(const char *)call->body.ptr, call->body.len};
    if (text.len == 0) {
        call_fail(call, 422, "The request needs a JSON object as its body.");
        return NULL;
    }
    enum err err = json_parse(text, call->arena, &body, &e);
    if (err == ERR_NO_MEMORY) {
        call_fail(call, 413, "The body of the request is too large: %s", e.text);
        return NULL;
    }
    if (err != ERR_OK) {
        call_fail(call, 400, "The body of the request is no JSON: %s", e.text);
        return NULL;
    }
    if (body->type != JSON_OBJECT) {
        call_fail(call, 422, "The body of the request is JSON, but no object.");
        return NULL;
    }
    return body;
}

bool call_version(struct registry_call *call, struct str segment, int32_t *ret)
{
    int64_t number = 0;
    if (str_equal(segment, STR("latest")) || str_equal(segment, STR("-1"))) {
        *ret = -1;
        return true;
    }
    if (!str_parse_i64(segment, &number) || number < 1 || number > INT32_MAX) {
        call_fail(call, CODE_INVALID_VERSION,
                  "The specified version '" STR_FMT "' is not a valid version id. Allowed values are between "
                  "[1, 2^31-1] and the string \"latest\"",
                  STR_ARG(segment));
        return false;
    }
    *ret = (int32_t)number;
    return true;
}

struct str key_of(struct registry_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(len >= 0);
    char *text = arena_new(call->arena, char, (size_t)len + 1);
    if (text == NULL) {
        return (struct str){"?", 1}; // the call fails: its arena has
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return (struct str){text, (size_t)len};
}

struct str key_subject(struct registry_call *call, struct str subject)
{
    return key_of(call, "subject/" STR_FMT, STR_ARG(subject));
}

struct str key_version(struct registry_call *call, const char *kind, struct str subject, int32_t version)
{
    return key_of(call, "%s/" STR_FMT "/%010d", kind, STR_ARG(subject), version);
}

// ---- plans

void plan_begin(struct registry_call *call)
{
    call->item = (struct item){.kind = ITEM_DOCUMENTS, .version = 2};
    call->has_item = false;
}

// The arrays grow in the arena by doubling, from a power of two each time.
static void *grown(struct registry_call *call, void *array, uint32_t count, size_t size)
{
    bool is_full = count == 0 || (count >= 8 && (count & (count - 1)) == 0);
    if (!is_full) {
        return array;
    }
    size_t cap = count == 0 ? 8 : (size_t)count * 2;
    void *more = arena_array_alloc(call->arena, cap, size);
    if (more != NULL && count > 0) {
        memcpy(more, array, count * size);
    }
    return more;
}

// Keys are copied: while the plan waits its turn, the document that a key is part of may leave the index.
static void plan_expect_revision(struct registry_call *call, struct str key, uint64_t revision)
{
    struct item_documents *plan = &call->item.documents;
    plan->conditions = grown(call, plan->conditions, plan->condition_count, sizeof *plan->conditions);
    if (plan->conditions != NULL) {
        plan->conditions[plan->condition_count++] =
            (struct item_condition){arena_str(call->arena, key), revision};
    }
}

void plan_expect(struct registry_call *call, struct str key, const struct document *document)
{
    plan_expect_revision(call, key, document == NULL ? 0 : document_revision(document));
}

bool plan_standing(struct registry *r, struct registry_call *call, struct registry_standing *standing)
{
    struct error e = {0};
    if (r->host.standing_check == NULL) {
        return true;
    }
    plan_expect(call, STR(BINDINGS_DOCUMENT), index_counter(r, STR(BINDINGS_DOCUMENT)));
    enum err err = r->host.standing_check(r->host.arg, standing, call->arena, &call->before, &e);
    for (uint32_t i = 0; i < standing->ground_count; i++) {
        plan_expect_revision(call, standing->grounds[i].key, standing->grounds[i].revision);
    }
    if (standing->is_governing) { // a version that was planned for the subject without that is stale
        plan_add(call, STR(BINDINGS_DOCUMENT), 1);
    }
    if (err != ERR_OK) {
        call->before.count = 0;
        call_fail(call, CODE_INVALID_RULESET, "%s", e.text);
    }
    return err == ERR_OK && call->before.count == 0;
}

static void plan_change(struct registry_call *call, struct item_document change)
{
    struct item_documents *plan = &call->item.documents;
    plan->documents = grown(call, plan->documents, plan->document_count, sizeof *plan->documents);
    if (plan->documents != NULL) {
        plan->documents[plan->document_count++] = change;
    }
}

void plan_put(struct registry_call *call, struct str key, struct bytes value, int64_t number)
{
    plan_change(call, (struct item_document){.key = key, .value = value, .number = number});
}

void plan_add(struct registry_call *call, struct str key, int64_t number)
{
    plan_change(call, (struct item_document){.key = key, .number_op = NUMBER_ADD, .number = number});
}

void plan_next(struct registry_call *call, struct str key, struct bytes value, struct str counter)
{
    plan_change(call, (struct item_document){
                          .key = key, .value = value, .number_op = NUMBER_NEXT, .counter = counter});
}

void plan_copy(struct registry_call *call, struct str key, struct bytes value, struct str other)
{
    plan_change(
        call, (struct item_document){.key = key, .value = value, .number_op = NUMBER_COPY, .counter = other});
}

void plan_remove(struct registry_call *call, struct str key)
{
    plan_change(call, (struct item_document){.op = DOCUMENT_REMOVE, .key = arena_str(call->arena, key)});
}

void plan_submit(struct registry_call *call,
                 void (*finish)(struct registry *, struct registry_call *, const struct outcome *))
{
    const struct item_documents *plan = &call->item.documents;
    if (plan->condition_count > ITEM_DOCUMENTS_MAX || plan->document_count > ITEM_DOCUMENTS_MAX) {
        call_fail(call, CODE_STORE, "The change is too large: it concerns %u versions; do it in steps.",
                  plan->document_count);
        return;
    }
    call->has_item = true;
    call->finish = finish;
}

// ---- steps

static void outcome_fail(struct registry_call *call, const struct outcome *outcome)
{
    switch (outcome->err) {
    case ERR_POLICY_VIOLATION:
        call_fail(call, CODE_STORE,
                  "The registry is full. Delete for good what is not needed (?permanent=true), or raise the "
                  "limit that is reached: strom.documents.max or strom.documents.bytes.max (`strom config "
                  "list --broker` shows them, `strom config set --broker` changes them), or the memory of "
                  "the broker, strom.memory.max.bytes, of which what stays may take 62 %% (set where it "
                  "starts). docs/limits.md has the defaults.");
        return;
    case ERR_BATCH_TOO_LARGE:
        call_fail(call, CODE_STORE, "The change is larger than the log can hold.");
        return;
    default:
        call_fail(call, CODE_STORE, "The change could not be stored: %s", err_text(outcome->err));
        return;
    }
}

static enum registry_step settle(struct registry_call *call)
{
    if (call->arena->gave_way) {
        call_fail(call, 503, "The broker is short of memory: try again.");
    } else if (call->arena->failed) {
        call_fail(call, 413, "The request needs more than %d bytes of memory.", REGISTRY_CALL_BYTES_MAX);
    }
    bool is_ready = call->has_more || call->before.count > 0;
    if (is_ready && !call->arena->failed) {
        buf_fini(&call->answer);
        call->answer = (struct buf){0};
        call->status = 0;
        return call->has_more ? REGISTRY_MORE : REGISTRY_PREPARE;
    }
    call->before.count = 0;
    if (call->has_item) {
        return REGISTRY_SUBMIT;
    }
    if (call->answer.failed) {
        call_fail(call, 500, "The answer is over %d bytes: ask for less of it with offset and limit.",
                  ANSWER_BYTES_MAX);
    }
    ASSERT(call->status != 0);
    return REGISTRY_ANSWERED;
}

// before_holds: what had to come first is there, or will be found to be; false and answered: it cannot be.
static bool before_holds(struct registry_call *call, const struct outcome *outcomes)
{
    for (uint32_t i = 0; i < call->before.count; i++) {
        enum err err = outcomes[i].err;
        if (err != ERR_OK && err != ERR_STALE && err != ERR_TOPIC_EXISTS && err != ERR_UNKNOWN_TOPIC_ID) {
            call_fail(call, CODE_STORE,
                      "What its rules need, a topic for dead letters, could not be made: %s", err_text(err));
            return false;
        }
    }
    return true;
}

enum registry_step registry_call_step(struct registry *registry, struct registry_call *call,
                                      const struct outcome *outcome)
{
    bool is_continued = call->has_more;
    call->has_item = call->has_more = false;
    call->work = 0;
    if (call->before.count > 0) {
        bool holds = before_holds(call, outcome);
        call->before.count = 0;
        if (!holds) {
            return settle(call);
        }
    } else if (outcome != NULL && outcome->err != ERR_STALE) {
        registry_sync(registry);
        if (outcome->err == ERR_OK) {
            call->finish(registry, call, outcome);
        } else {
            outcome_fail(call, outcome);
        }
        return settle(call);
    }
    if (!is_continued && call->tries++ == REGISTRY_TRIES) {
        call_fail(call, CODE_TIMEOUT, "Other changes came first each time: try again.");
        return settle(call);
    }
    registry_sync(registry);
    registry->plan_number++;
    call->state = NULL;
    call->route->plan(registry, call);
    return settle(call);
}
