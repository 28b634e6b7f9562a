// SPDX-License-Identifier: Apache-2.0
// contexts.c - /contexts, and what a registry says about itself: its cluster, its version, what it has not.
#include "registry/registry_private.h"

void op_contexts(struct registry *r, struct registry_call *call)
{
    struct str prefix = call_query(call, "contextPrefix");
    size_t first;
    size_t end;
    size_t seen = 0;
    call_page(call, SIZE_MAX / 2, SIZE_MAX / 2, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (size_t i = 0; i < r->context_count && seen < end; i++) {
        if (str_has_prefix(r->contexts[i].name, prefix) && seen++ >= first) {
            json_str(&j, r->contexts[i].name);
        }
    }
    json_array_end(&j);
}

static void answer_nothing(struct registry_call *call)
{
    (void)call_answer(call);
    call->status = 204;
}

static void context_delete_finish(struct registry *r, struct registry_call *call,
                                  const struct outcome *outcome)
{
    (void)r;
    (void)outcome;
    answer_nothing(call);
}

// A context is there as long as it has subjects; what else there is of it are its config and its mode.
void op_context_delete(struct registry *r, struct registry_call *call)
{
    struct str scope;
    struct str name = call->params[0];
    bool has_dot = name.len > 0 && name.ptr[0] == '.';
    struct str param = arena_printf(call->arena, ":%s" STR_FMT ":", has_dot ? "" : ".", STR_ARG(name));
    if (name.len == 0 || memchr(name.ptr, ':', name.len) != NULL || !name_is_clean(name)) {
        call_fail(call, CODE_INVALID_SUBJECT, "The specified context '" STR_FMT "' is not valid.",
                  STR_ARG(name));
        return;
    }
    if (!scope_read(call, param, &scope)) {
        return;
    }
    if (scope.len == 0 || str_equal(scope, STR(GLOBAL_SCOPE))) {
        call_fail(call, CODE_NOT_PERMITTED, "Context " STR_FMT " cannot be deleted", STR_ARG(name));
        return;
    }
    struct str context = {scope.ptr + 1, scope.len - 2};
    size_t at = index_subject_lower_bound(r, scope);
    if (at < r->subject_count && str_equal(r->subjects[at]->context, context)) {
        call_fail(call, CODE_CONTEXT_NOT_EMPTY, "The specified context '" STR_FMT "' is not empty.",
                  STR_ARG(context));
        return;
    }
    const struct scope_entry *entry = index_scope(r, scope);
    if (entry == NULL) {
        answer_nothing(call);
        return;
    }
    // A registration that comes first, of what the context has no schema of, gives an id.
    struct str ids = key_of(call, "ids/" STR_FMT, STR_ARG(context));
    plan_begin(call);
    plan_expect(call, ids, index_counter(r, ids));
    plan_remove(call, key_of(call, "config/" STR_FMT, STR_ARG(scope)));
    plan_remove(call, key_of(call, "mode/" STR_FMT, STR_ARG(scope)));
    plan_submit(call, context_delete_finish);
}

// ---- what the registry is

void op_root(struct registry *r, struct registry_call *call)
{
    (void)r;
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_object_end(&j);
}

void op_metadata_id(struct registry *r, struct registry_call *call)
{
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_key(&j, "scope");
    json_object_begin(&j);
    json_key(&j, "path");
    json_array_begin(&j);
    json_array_end(&j);
    json_key(&j, "clusters");
    json_object_begin(&j);
    json_pair_str(&j, "kafka-cluster", r->host.cluster_id);
    json_pair_str(&j, "schema-registry-cluster", STR("schema-registry"));
    json_object_end(&j);
    json_object_end(&j);
    json_pair_str(&j, "id", STR(""));
    json_object_end(&j);
}

void op_metadata_version(struct registry *r, struct registry_call *call)
{
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_pair_str(&j, "version", r->host.version);
    json_pair_str(&j, "commitId", STR(""));
    json_object_end(&j);
}

void op_metadata_deployment(struct registry *r, struct registry_call *call)
{
    (void)r;
    struct json j = call_answer(call);
    json_object_begin(&j);
    json_key(&j, "attributes");
    json_array_begin(&j);
    json_array_end(&j);
    json_object_end(&j);
}

// ---- exporters: there are none, and none can be made

void op_exporters(struct registry *r, struct registry_call *call)
{
    (void)r;
    struct json j = call_answer(call);
    json_array_begin(&j);
    json_array_end(&j);
}

void op_exporter_none(struct registry *r, struct registry_call *call)
{
    (void)r;
    call_fail(call, 501, "This registry has no exporters: schema linking is not part of it.");
}
