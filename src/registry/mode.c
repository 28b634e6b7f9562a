// SPDX-License-Identifier: Apache-2.0
// mode.c - /mode: whether a subject, a context or everything may be written, and how.
//
// What is not set for a subject is taken from its context, then from ":.__GLOBAL:"; READONLY_OVERRIDE of a
// wider scope holds against what a narrower one says.
#include <strings.h>

#include "registry/registry_private.h"

static const char *const modes[] = {"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD"};
enum { MODE_COUNT = sizeof modes / sizeof *modes };

static const struct document *mode_document(const struct registry *r, struct str scope)
{
    const struct scope_entry *entry = index_scope(r, scope);
    return entry == NULL ? NULL : entry->mode;
}

// mode_find: any case; NULL ptr if there is none of that name. The text lives for ever.
static struct str mode_find(struct str name)
{
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (name.len == strlen(modes[i]) && strncasecmp(name.ptr, modes[i], name.len) == 0) {
            return str_from_c(modes[i]);
        }
    }
    return (struct str){0};
}

static struct str mode_of(const struct registry *r, struct str scope)
{
    const struct document *document = mode_document(r, scope);
    struct bytes value = document == NULL ? (struct bytes){0} : document_value(document);
    return mode_find((struct str){(const char *)value.ptr, value.len});
}

struct str mode_resolve(struct registry *r, struct str subject)
{
    struct arena arena;
    struct str chain[SCOPE_CHAIN_MAX];
    struct str mode = {0};
    arena_init(&arena, 1 << 20);
    size_t count = scope_chain(subject, &arena, chain);
    bool is_override = str_equal(mode_of(r, STR("")), STR("READONLY_OVERRIDE"));
    for (size_t i = 0; i < count; i++) {
        struct str at = mode_of(r, chain[i]);
        mode = mode.ptr == NULL ? at : mode;
        is_override = is_override || str_equal(at, STR("READONLY_OVERRIDE"));
    }
    arena_fini(&arena);
    return is_override ? STR("READONLY_OVERRIDE") : mode.ptr == NULL ? STR("READWRITE") : mode;
}

static void answer_mode(struct registry_call *call, struct str mode)
{
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_pair_str(&j, "mode", mode);
    json_object_end(&j);
}

void op_mode_get(struct registry *r, struct registry_call *call)
{
    struct str scope;
    if (!scope_read(call, call->params[0], &scope)) {
        return;
    }
    bool is_resolved = scope.len == 0 || call_query_bool(call, "defaultToGlobal");
    struct str mode = is_resolved ? mode_resolve(r, scope) : mode_of(r, scope);
    if (mode.ptr == NULL) {
        call_fail(call, CODE_MODE_NOT_FOUND,
                  "Subject '" STR_FMT "' does not have subject-level mode configured", STR_ARG(scope));
        return;
    }
    answer_mode(call, mode);
}

// ---- changes

static void mode_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    (void)r;
    (void)outcome;
    answer_mode(call, *(const struct str *)call->state);
}

static void submit(struct registry_call *call, struct str mode)
{
    struct str *kept = arena_new(call->arena, struct str, 1);
    if (kept != NULL) {
        *kept = mode;
        call->state = kept;
        plan_submit(call, mode_finish);
    }
}

// is_in_scope: whether a scope holds for the subject: itself, its context, everything.
static bool is_in_scope(struct str scope, const struct subject_entry *subject)
{
    if (str_equal(scope, STR(GLOBAL_SCOPE)) || str_equal(scope, subject->name)) {
        return true;
    }
    if (scope.len == 0) {
        return subject->context.len == 1;
    }
    return scope.ptr[scope.len - 1] == ':' && scope.ptr[0] == ':' &&
           str_equal((struct str){scope.ptr + 1, scope.len - 2}, subject->context);
}

// plan_clear removes every version of a subject that was softly deleted; none is live.
static void plan_clear(struct registry *r, struct registry_call *call, const struct subject_entry *subject)
{
    plan_expect(call, key_subject(call, subject->name), subject->document);
    for (uint32_t i = 0; i < subject->version_count; i++) {
        struct version_entry *version = &subject->versions[i];
        struct str refs = key_version(call, "refs", subject->name, version->version);
        plan_expect(call, refs, index_counter(r, refs));
        plan_hard(r, call, subject, version);
    }
    plan_remove(call, key_subject(call, subject->name));
}

// plan_import: what is in the scope must be deleted, and goes for good. false: answered.
static bool plan_import(struct registry *r, struct registry_call *call, struct str scope)
{
    bool is_wide = scope.len == 0 || scope.ptr[scope.len - 1] == ':';
    for (size_t i = 0; i < r->subject_count; i++) {
        const struct subject_entry *subject = r->subjects[i];
        if (!is_in_scope(scope, subject)) {
            continue;
        }
        if (subject_is_live(subject)) {
            call_fail(call, CODE_NOT_PERMITTED, "Cannot import since found existing subjects");
            return false;
        }
        plan_clear(r, call, subject);
    }
    // What is registered first has moved its subject, or was given an id by its context. (For the global
    // scope, a subject of a new context may come between, as with force.)
    for (size_t i = 0; is_wide && i < r->context_count; i++) {
        struct str ids = key_of(call, "ids/" STR_FMT, STR_ARG(r->contexts[i].name));
        plan_expect(call, ids, index_counter(r, ids));
    }
    if (!is_wide && index_subject(r, scope) == NULL) {
        plan_expect(call, key_subject(call, scope), NULL);
    }
    return true;
}

void op_mode_put(struct registry *r, struct registry_call *call)
{
    struct str scope;
    const struct json_value *body = call_body(call);
    if (body == NULL || !scope_read(call, call->params[0], &scope)) {
        return;
    }
    struct str mode = mode_find(json_get_str(body, STR("mode")));
    if (mode.ptr == NULL) {
        call_fail(
            call, CODE_INVALID_MODE,
            "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT, and FORWARD");
        return;
    }
    if (str_equal(mode, STR("FORWARD")) && !str_equal(scope, STR(GLOBAL_SCOPE))) {
        call_fail(call, CODE_NOT_PERMITTED, "Forward mode only supported on global level");
        return;
    }
    plan_begin(call);
    bool is_import = str_equal(mode, STR("IMPORT")) && !str_equal(mode_resolve(r, scope), STR("IMPORT")) &&
                     !call_query_bool(call, "force");
    if (is_import && !plan_import(r, call, scope)) {
        return;
    }
    if (str_equal(mode_of(r, scope), mode)) {
        answer_mode(call, mode);
        return;
    }
    plan_expect_policy(r, call, scope);
    plan_put(call, key_of(call, "mode/" STR_FMT, STR_ARG(scope)), bytes_of(mode.ptr, mode.len), 0);
    submit(call, mode);
}

// plan_remove_below removes the modes of the subjects in a scope; how many.
static size_t plan_remove_below(struct registry *r, struct registry_call *call, struct str scope)
{
    size_t count = 0;
    for (size_t i = 0; i < r->subject_count; i++) {
        struct str name = r->subjects[i]->name;
        const struct document *document = mode_document(r, name);
        if (document != NULL && !str_equal(name, scope) && is_in_scope(scope, r->subjects[i])) {
            struct str key = key_of(call, "mode/" STR_FMT, STR_ARG(name));
            plan_expect(call, key, document);
            plan_remove(call, key);
            count++;
        }
    }
    return count;
}

void op_mode_delete(struct registry *r, struct registry_call *call)
{
    struct str scope;
    if (!scope_read(call, call->params[0], &scope)) {
        return;
    }
    plan_begin(call);
    size_t below = call_query_bool(call, "recursive") ? plan_remove_below(r, call, scope) : 0;
    const struct document *document = mode_document(r, scope);
    struct str mode = document == NULL ? mode_resolve(r, scope) : mode_of(r, scope);
    if (document == NULL && below == 0) {
        if (scope.len == 0) {
            answer_mode(call, mode);
        } else {
            call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(scope));
        }
        return;
    }
    struct str key = key_of(call, "mode/" STR_FMT, STR_ARG(scope));
    plan_expect(call, key, document);
    plan_remove(call, key);
    submit(call, mode);
}
