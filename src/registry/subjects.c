// SPDX-License-Identifier: Apache-2.0
// subjects.c - /subjects: names, versions, what refers to them.
#include <stdlib.h>

#include "registry/registry_private.h"

// ---- prefixes. Subjects of the default context are bare; "" means those, ":*:" those of every context.

bool subject_prefix(struct registry_call *call, struct str fallback, struct str *ret)
{
    struct str prefix = call_query(call, "subjectPrefix");
    prefix = prefix.ptr == NULL ? fallback : prefix;
    if (call->context.ptr != NULL && call->context.len > 0 && name_is_clean(prefix)) {
        struct str dot = call->context.ptr[0] == '.' ? STR("") : STR(".");
        prefix =
            arena_printf(call->arena, ":" STR_FMT STR_FMT ":" STR_FMT, STR_ARG(dot), STR_ARG(call->context),
                         STR_ARG(prefix.len > 0 && prefix.ptr[0] == ':' ? STR("") : prefix));
    }
    if (str_has_prefix(prefix, STR(":*:"))) {
        *ret = (struct str){prefix.ptr + 3, prefix.len - 3};
        return true;
    }
    *ret = str_has_prefix(prefix, STR(":.:")) ? (struct str){prefix.ptr + 3, prefix.len - 3} : prefix;
    return false;
}

bool subject_matches(const struct subject_entry *subject, struct str prefix, bool all_contexts)
{
    if (all_contexts) {
        return str_has_prefix(name_bare(subject->name), prefix);
    }
    bool is_other_context = prefix.len == 0 || prefix.ptr[0] != ':';
    return str_has_prefix(subject->name, prefix) && !(is_other_context && subject->context.len > 1);
}

size_t subject_first(const struct registry *r, const struct str *prefix, bool all_contexts)
{
    return all_contexts ? 0 : index_subject_lower_bound(r, *prefix);
}

bool subject_is_past(const struct subject_entry *subject, struct str prefix, bool all_contexts)
{
    return !all_contexts && !str_has_prefix(subject->name, prefix);
}

void op_subjects(struct registry *r, struct registry_call *call)
{
    struct str prefix;
    bool all_contexts = subject_prefix(call, STR(":*:"), &prefix);
    bool only_deleted = call_query_bool(call, "deletedOnly");
    bool with_deleted = call_query_bool(call, "deleted");
    size_t first;
    size_t end;
    size_t seen = 0;
    call_page(call, SIZE_MAX / 2, SIZE_MAX / 2, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (size_t i = subject_first(r, &prefix, all_contexts); i < r->subject_count && seen < end; i++) {
        const struct subject_entry *subject = r->subjects[i];
        if (subject_is_past(subject, prefix, all_contexts)) {
            break;
        }
        bool is_live = subject_is_live(subject);
        bool is_shown = only_deleted ? !is_live : is_live || with_deleted;
        if (is_shown && subject_matches(subject, prefix, all_contexts) && seen++ >= first) {
            json_str(&j, subject->name);
        }
    }
    json_array_end(&j);
}

// ---- one subject

struct subject_entry *subject_anywhere(struct registry *r, struct registry_call *call, struct str name)
{
    struct subject_entry *subject = index_subject(r, name);
    bool is_bare = call->context.ptr == NULL && name_context(name).len == 1;
    for (size_t i = 0; subject == NULL && is_bare && i < r->context_count; i++) {
        subject = index_subject(r, name_in_context(r->contexts[i].name, name, call->arena));
    }
    return subject;
}

struct subject_entry *subject_asked(struct registry *r, struct registry_call *call, bool with_deleted)
{
    struct str name;
    if (!name_qualify(call, call->params[0], &name)) {
        return NULL;
    }
    struct subject_entry *subject = subject_anywhere(r, call, alias_resolve(r, name, call->arena));
    if (subject == NULL || (!with_deleted && !subject_is_live(subject))) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(name));
        return NULL;
    }
    return subject;
}

struct version_entry *version_asked(struct registry *r, struct registry_call *call, bool with_deleted,
                                    struct subject_entry **ret_subject)
{
    int32_t number;
    struct str name;
    if (!name_qualify(call, call->params[0], &name) || !call_version(call, call->params[1], &number)) {
        return NULL;
    }
    struct subject_entry *subject = subject_asked(r, call, with_deleted);
    if (subject == NULL) {
        return NULL;
    }
    struct version_entry *version =
        number == -1 ? subject_latest(subject, false) : index_version(subject, number);
    if (version == NULL || (version->is_deleted && !with_deleted)) {
        call_fail(call, CODE_VERSION_NOT_FOUND, "Version " STR_FMT " not found.", STR_ARG(call->params[1]));
        return NULL;
    }
    *ret_subject = subject;
    return version;
}

void op_versions(struct registry *r, struct registry_call *call)
{
    bool only_deleted = call_query_bool(call, "deletedOnly");
    bool as_negative = call_query_bool(call, "deletedAsNegative");
    bool with_deleted = only_deleted || as_negative || call_query_bool(call, "deleted");
    struct subject_entry *subject = subject_asked(r, call, with_deleted);
    if (subject == NULL) {
        return;
    }
    size_t first;
    size_t end;
    size_t seen = 0;
    call_page(call, SIZE_MAX / 2, SIZE_MAX / 2, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (uint32_t i = 0; i < subject->version_count && seen < end; i++) {
        const struct version_entry *version = &subject->versions[i];
        bool is_shown = version->is_deleted ? with_deleted : !only_deleted;
        if (is_shown && seen++ >= first) {
            json_i64(&j, version->is_deleted && as_negative ? -version->version : version->version);
        }
    }
    json_array_end(&j);
}

void op_version(struct registry *r, struct registry_call *call)
{
    struct subject_entry *subject = NULL;
    struct version_entry *version = version_asked(r, call, call_query_bool(call, "deleted"), &subject);
    if (version != NULL) {
        (void)call_answer(call);
        (void)show_version(r, call, &call->answer, subject, version);
    }
}

void op_version_text(struct registry *r, struct registry_call *call)
{
    struct subject_entry *subject = NULL;
    struct version_entry *version = version_asked(r, call, call_query_bool(call, "deleted"), &subject);
    struct str text = version == NULL ? (struct str){0} : show_text(r, call, version->schema);
    if (text.ptr != NULL) {
        (void)call_answer(call);
        call->is_raw = true;
        buf_append_str(&call->answer, text);
    }
}

static int id_order(const void *left, const void *right)
{
    return *(const int32_t *)left - *(const int32_t *)right;
}

void op_referenced_by(struct registry *r, struct registry_call *call)
{
    bool with_deleted = call_query_bool(call, "deleted");
    struct subject_entry *subject = NULL;
    struct version_entry *version = version_asked(r, call, with_deleted, &subject);
    if (version == NULL) {
        return;
    }
    size_t count = 0;
    struct referrer_entry *referrer = NULL;
    while ((referrer = index_referrer_next(r, subject->name, version->version, referrer)) != NULL) {
        count++;
    }
    int32_t *ids = arena_new(call->arena, int32_t, count + 1);
    count = 0;
    while (ids != NULL &&
           (referrer = index_referrer_next(r, subject->name, version->version, referrer)) != NULL) {
        bool is_shown = with_deleted ? referrer->schema->user_count > 0 : schema_is_live(referrer->schema);
        if (is_shown) {
            ids[count++] = referrer->schema->id;
        }
    }
    if (count > 1) {
        qsort(ids, count, sizeof *ids, id_order);
    }
    size_t first;
    size_t end;
    call_page(call, count, SIZE_MAX, &first, &end);
    struct json j = call_answer(call);
    json_array_begin(&j);
    for (size_t i = first; i < end; i++) {
        if (i == first || ids[i] != ids[i - 1]) {
            json_i64(&j, ids[i]);
        }
    }
    json_array_end(&j);
}
