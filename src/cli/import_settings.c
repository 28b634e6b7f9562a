// SPDX-License-Identifier: Apache-2.0
// import_settings.c - what `strom schema import` copies beside the schemas. The mode of the whole registry is
// not among it: who moves often sets the old one to READONLY.
#include <stdlib.h>

#include "cli/schema_import.h"

#define GLOBAL_SCOPE ":.__GLOBAL:"

struct str import_scope_path(struct import *m, const char *noun, struct str scope)
{
    return scope.len == 0 ? path_of(m->run, "/%s", noun) : path_of(m->run, "/%s/%S", noun, scope);
}

int import_subject_order(const void *left, const void *right)
{
    const struct json_value *a = *(const struct json_value *const *)left;
    const struct json_value *b = *(const struct json_value *const *)right;
    return str_compare(json_get_str(a, STR("subject")), json_get_str(b, STR("subject")));
}

// put sends a setting; false: the registry is gone.
static bool put(struct import *m, const char *what, struct str path, const struct json_value *body)
{
    struct json_value *answer = NULL;
    int status = 0;
    if (!registry_ask(&m->to, "PUT", path, json_text(m->run, body, false), &status, &answer)) {
        return false;
    }
    if (status >= 300) {
        registry_said(&m->to, what, status, answer);
    }
    return true;
}

// get asks the other registry; *ret NULL: it has none. False: it is gone, or answers something odd.
static bool get(struct import *m, const char *what, struct str path, struct json_value **ret)
{
    int status = 0;
    if (!registry_ask(&m->from, "GET", path, (struct str){0}, &status, ret)) {
        return false;
    }
    if (status == 404) {
        *ret = NULL;
        return true;
    }
    if (status >= 300) {
        registry_said(&m->from, what, status, *ret);
        return false;
    }
    return true;
}

static struct json_value *member(struct import *m, struct str key, const struct json_value *value)
{
    struct json_value *copy = json_new(&m->run->arena, value->type);
    *copy = *value;
    copy->key = key;
    copy->next = NULL;
    return copy;
}

// config_put sends what was answered, or is in a dump: some is set under another name.
static bool config_put(struct import *m, struct str scope, const struct json_value *config)
{
    struct json_value *body = json_new(&m->run->arena, JSON_OBJECT);
    for (const struct json_value *v = config->first; v != NULL; v = v->next) {
        bool is_level = str_equal(v->key, STR("compatibilityLevel"));
        if (!str_equal(v->key, STR("subject"))) {
            json_append(body, member(m, is_level ? STR("compatibility") : v->key, v));
        }
    }
    struct str path = import_scope_path(m, "config", scope);
    struct json_value *here = NULL;
    int status = 0;
    if (!registry_ask(&m->to, "GET", path, (struct str){0}, &status, &here)) {
        return false;
    }
    for (struct json_value *v = status < 300 ? here->first : NULL; v != NULL; v = v->next) {
        v->key = str_equal(v->key, STR("compatibilityLevel")) ? STR("compatibility") : v->key;
    }
    // What is there already is left as it is, also where nothing may be changed any more.
    bool is_same = status < 300 && str_equal(json_text(m->run, here, false), json_text(m->run, body, false));
    return body->count == 0 || is_same || put(m, "cannot set the config", path, body);
}

static bool mode_put(struct import *m, struct str scope, const struct json_value *mode)
{
    const struct json_value *word = json_get(mode, STR("mode"));
    if (scope.len == 0 || word == NULL) {
        return true;
    }
    struct json_value *body = json_new(&m->run->arena, JSON_OBJECT);
    json_append(body, member(m, STR("mode"), word));
    struct str path = import_scope_path(m, "mode", scope);
    path = run_print(m->run, STR_FMT "?force=true", STR_ARG(path)); // IMPORT where there are schemas
    return put(m, "cannot set the mode", path, body);
}

// association_put makes one. Frozen it cannot be: that is for a subject that has no schemas yet.
static bool association_put(struct import *m, const struct json_value *association)
{
    static const char *const resource[] = {"resourceName", "resourceNamespace", "resourceId", "resourceType"};
    static const char *const own[] = {"subject", "associationType", "lifecycle"};
    struct arena *arena = &m->run->arena;
    struct json_value *body = json_new(arena, JSON_OBJECT);
    struct json_value *list = json_new(arena, JSON_ARRAY);
    struct json_value *one = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < sizeof resource / sizeof *resource; i++) {
        const struct json_value *v = json_get(association, str_from_c(resource[i]));
        if (v != NULL) {
            json_append(body, member(m, v->key, v));
        }
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const struct json_value *v = json_get(association, str_from_c(own[i]));
        if (v != NULL) {
            json_append(one, member(m, v->key, v));
        }
    }
    const struct json_value *frozen = json_get(association, STR("frozen"));
    if (frozen != NULL && frozen->type == JSON_TRUE) {
        run_note("the association of " STR_FMT " was frozen; here it is not",
                 STR_ARG(json_get_str(association, STR("subject"))));
    }
    json_append(list, one);
    list->key = STR("associations");
    json_append(body, list);
    return put(m, "cannot associate a subject", STR("/associations"), body);
}

// ---- from the other registry

static bool config_copy(struct import *m, struct str scope)
{
    struct json_value *config = NULL;
    return get(m, "cannot read the other registry's config", import_scope_path(m, "config", scope),
               &config) &&
           (config == NULL || config_put(m, scope, config));
}

static bool mode_copy(struct import *m, struct str scope)
{
    struct json_value *mode = NULL;
    return get(m, "cannot read the other registry's modes", import_scope_path(m, "mode", scope), &mode) &&
           (mode == NULL || mode_put(m, scope, mode));
}

static bool associations_copy(struct import *m, struct str subject)
{
    struct json_value *found = NULL;
    int status = 0;
    struct str path = path_of(m->run, "/associations/subjects/%S", subject);
    if (!registry_ask(&m->from, "GET", path, (struct str){0}, &status, &found)) {
        return false;
    }
    bool is_there = true;
    // A registry that knows no associations answers with some error.
    for (const struct json_value *v = status < 300 && found != NULL ? found->first : NULL;
         v != NULL && is_there; v = v->next) {
        is_there = association_put(m, v);
    }
    return is_there;
}

static bool subject_is_first(const struct import *m, size_t i)
{
    return i == 0 || import_subject_order(&m->schemas[i - 1], &m->schemas[i]) != 0;
}

// each calls copy for every context and, sorted, every subject, until one fails.
static bool each(struct import *m, bool (*copy)(struct import *m, struct str scope))
{
    bool is_there = true;
    for (size_t i = 0; is_there && i < m->scope_count; i++) {
        is_there = copy(m, m->scopes[i].context);
    }
    for (size_t i = 0; is_there && i < m->count; i++) {
        is_there = !subject_is_first(m, i) || copy(m, json_get_str(m->schemas[i], STR("subject")));
    }
    if (is_there && m->scope_count > 1) { // a registry without contexts would take it for a subject
        is_there = copy(m, STR(GLOBAL_SCOPE));
    }
    return is_there;
}

void import_settings(struct import *m)
{
    bool is_there = true;
    if (m->count > 1) {
        qsort(m->schemas, m->count, sizeof *m->schemas, import_subject_order);
    }
    for (size_t i = 0; is_there && i < m->count; i++) {
        is_there =
            !subject_is_first(m, i) || associations_copy(m, json_get_str(m->schemas[i], STR("subject")));
    }
    // Modes come last: READONLY ones would refuse the others.
    (void)(is_there && each(m, config_copy) && each(m, mode_copy));
}

// ---- from a file

void import_settings_dumped(struct import *m, const struct topic_dump *dump)
{
    static const enum dumped_kind turns[] = {DUMPED_ASSOCIATION, DUMPED_CONFIG, DUMPED_MODE};
    for (size_t turn = 0; turn < sizeof turns / sizeof *turns; turn++) {
        for (size_t i = 0; i < dump->setting_count; i++) {
            const struct dumped_setting *s = &dump->settings[i];
            if (s->kind != turns[turn]) {
                continue;
            }
            bool is_there = s->kind == DUMPED_CONFIG ? config_put(m, s->subject, s->value)
                            : s->kind == DUMPED_MODE ? mode_put(m, s->subject, s->value)
                                                     : association_put(m, s->value);
            if (!is_there) {
                return;
            }
        }
    }
}
