// SPDX-License-Identifier: Apache-2.0
// schemas.c - /schemas: by id, by GUID, all of them.
#include <stdlib.h>

#include "registry/registry_private.h"

enum { SCHEMAS_PAGE = 1000 };

void op_types(struct registry *r, struct registry_call *call)
{
    (void)r;
    struct json j = call_answer(call);
    json_array_begin(&j);
    json_str(&j, STR("JSON"));
    json_str(&j, STR("PROTOBUF"));
    json_str(&j, STR("AVRO"));
    json_array_end(&j);
}

// ---- by id

// context_asked: of the query's subject, of the path, or the default one.
static struct str context_asked(struct registry_call *call)
{
    struct str subject = call_query(call, "subject");
    if (subject.len > 0 && subject.ptr[0] == ':') {
        return name_context(subject);
    }
    if (call->context.ptr == NULL || call->context.len == 0) {
        return STR(".");
    }
    return call->context.ptr[0] == '.' ? call->context
                                       : arena_printf(call->arena, "." STR_FMT, STR_ARG(call->context));
}

// schema_asked: that of the path's id; NULL and answered 40403. One that no version has is on its way out.
static struct schema_entry *schema_asked(struct registry *r, struct registry_call *call)
{
    int64_t id = 0;
    bool is_number = str_parse_i64(call->params[0], &id);
    struct schema_entry *schema = is_number ? index_schema(r, context_asked(call), id) : NULL;
    if (schema == NULL || schema->user_count == 0) {
        call_fail(call, is_number ? CODE_SCHEMA_NOT_FOUND : 404, "Schema " STR_FMT " not found",
                  STR_ARG(call->params[0]));
        return NULL;
    }
    return schema;
}

void op_schema_by_id(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = schema_asked(r, call);
    if (schema != NULL) {
        (void)call_answer(call);
        (void)show_schema(r, call, &call->answer, schema);
    }
}

void op_schema_text_by_id(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = schema_asked(r, call);
    struct str text = schema == NULL ? (struct str){0} : show_text(r, call, schema);
    if (text.ptr != NULL) {
        (void)call_answer(call);
        call->is_raw = true;
        buf_append_str(&call->answer, text);
    }
}

static int user_order(const void *left, const void *right)
{
    const struct schema_user *a = left;
    const struct schema_user *b = right;
    int order = str_compare(a->subject->name, b->subject->name);
    return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

// users_shown lists the versions with the schema, in order, deleted ones if the query says so and only those
// of the query's subject if it names one.
static struct schema_user *users_shown(struct registry_call *call, const struct schema_entry *schema,
                                       size_t *ret_count)
{
    bool with_deleted = call_query_bool(call, "deleted");
    struct str only = call_query(call, "subject");
    struct schema_user *users = arena_new(call->arena, struct schema_user, schema->user_count + 1);
    *ret_count = 0;
    for (uint32_t i = 0; users != NULL && i < schema->user_count; i++) {
        const struct schema_user *user = &schema->users[i];
        bool is_asked =
            only.len == 0 || str_equal(name_bare(only), STR("")) || str_equal(only, user->subject->name);
        if (is_asked && (with_deleted || !index_version(user->subject, user->version)->is_deleted)) {
            users[(*ret_count)++] = *user;
        }
    }
    if (*ret_count > 1) {
        qsort(users, *ret_count, sizeof *users, user_order);
    }
    return users;
}

void op_subjects_of_id(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = schema_asked(r, call);
    if (schema == NULL) {
        return;
    }
    size_t all;
    size_t first;
    size_t end;
    struct schema_user *users = users_shown(call, schema, &all);
    size_t count = 0;
    for (size_t i = 0; i < all; i++) {
        if (i == 0 || users[i].subject != users[count - 1].subject) {
            users[count++] = users[i];
        }
    }
    call_page(call, count, SIZE_MAX, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (size_t i = first; i < end; i++) {
        json_str(&j, users[i].subject->name);
    }
    json_array_end(&j);
}

void op_versions_of_id(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = schema_asked(r, call);
    if (schema == NULL) {
        return;
    }
    size_t count;
    size_t first;
    size_t end;
    struct schema_user *users = users_shown(call, schema, &count);
    call_page(call, count, SIZE_MAX, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (size_t i = first; i < end; i++) {
        json_object_begin(&j);
        json_pair_str(&j, "subject", users[i].subject->name);
        json_pair_i64(&j, "version", users[i].version);
        json_object_end(&j);
    }
    json_array_end(&j);
}

// ---- by GUID

static struct schema_entry *guid_asked(struct registry *r, struct registry_call *call)
{
    struct uuid guid;
    struct schema_entry *schema = guid_parse(call->params[0], &guid) ? index_guid_next(r, guid, NULL) : NULL;
    while (schema != NULL && schema->user_count == 0) {
        schema = index_guid_next(r, guid, schema);
    }
    if (schema == NULL) {
        call_fail(call, CODE_SCHEMA_NOT_FOUND, "Schema " STR_FMT " not found", STR_ARG(call->params[0]));
    }
    return schema;
}

void op_schema_by_guid(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = guid_asked(r, call);
    if (schema != NULL) {
        (void)call_answer(call);
        (void)show_schema(r, call, &call->answer, schema);
    }
}

void op_ids_of_guid(struct registry *r, struct registry_call *call)
{
    struct schema_entry *schema = guid_asked(r, call);
    if (schema == NULL) {
        return;
    }
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (; schema != NULL; schema = index_guid_next(r, schema->guid, schema)) {
        if (schema->user_count > 0) {
            json_object_begin(&j);
            json_pair_str(&j, "context", schema->context);
            json_pair_i64(&j, "id", schema->id);
            json_object_end(&j);
        }
    }
    json_array_end(&j);
}

// ---- all

static bool has_rule_type(struct registry_call *call, const struct schema_entry *schema, struct str type)
{
    static const char *const lists[] = {"domainRules", "migrationRules", "encodingRules"};
    struct contract contract;
    if (type.len == 0) {
        return true;
    }
    if (!contract_of_document(schema, call->arena, &contract) || contract.rule_set == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct json_value *list = json_get(contract.rule_set, str_from_c(lists[i]));
        for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
            if (str_equal(json_get_str(v, STR("type")), type)) {
                return true;
            }
        }
    }
    return false;
}

struct listing {
    struct str prefix;
    bool all_contexts;
    bool with_deleted;
    bool latest_only;
    struct str rule_type;
};

static bool version_is_listed(struct registry_call *call, const struct listing *listing,
                              const struct subject_entry *subject, const struct version_entry *version)
{
    bool is_hidden = (version->is_deleted && !listing->with_deleted) ||
                     (listing->latest_only && version != subject_latest(subject, listing->with_deleted));
    return !is_hidden && has_rule_type(call, version->schema, listing->rule_type);
}

void op_schemas(struct registry *r, struct registry_call *call)
{
    struct listing listing = {
        .with_deleted = call_query_bool(call, "deleted"),
        .latest_only = call_query_bool(call, "latestOnly"),
        .rule_type = call_query(call, "ruleType"),
    };
    listing.all_contexts = subject_prefix(call, STR(""), &listing.prefix);
    size_t first;
    size_t end;
    size_t seen = 0;
    call_page(call, SIZE_MAX / 2, SCHEMAS_PAGE, &first, &end);
    (void)call_answer(call);
    buf_u8(&call->answer, '[');
    for (size_t i = subject_first(r, &listing.prefix, listing.all_contexts);
         i < r->subject_count && seen < end; i++) {
        const struct subject_entry *subject = r->subjects[i];
        if (!subject_matches(subject, listing.prefix, listing.all_contexts)) {
            if (subject_is_past(subject, listing.prefix, listing.all_contexts)) {
                break;
            }
            continue;
        }
        for (uint32_t v = 0; v < subject->version_count && seen < end; v++) {
            if (!version_is_listed(call, &listing, subject, &subject->versions[v]) || seen++ < first) {
                continue;
            }
            buf_append_str(&call->answer, seen - 1 > first ? STR(",") : STR(""));
            if (!show_version(r, call, &call->answer, subject, &subject->versions[v])) {
                return;
            }
        }
    }
    buf_u8(&call->answer, ']');
}
