// SPDX-License-Identifier: Apache-2.0
// config.c - /config: what holds for a subject, a context or everything. A scope's document is an object with
// the members that a PUT names; those that it does not name are kept, null takes them away.
//
// What is not set for a subject is taken from its context, then from ":.__GLOBAL:". The level, the alias,
// defaults and overrides come as a block from the first of them that has a config at all.
#include <strings.h>

#include "registry/registry_private.h"

enum { CONFIG_BYTES_MAX = 1 << 20 }; // it is read for each registration

enum config_kind {
    CONFIG_LEVEL,
    CONFIG_POLICY,
    CONFIG_TEXT,
    CONFIG_ALIAS,
    CONFIG_BOOL,
    CONFIG_METADATA,
    CONFIG_RULES
};

static const struct config_member {
    const char *name;
    enum config_kind kind;
    bool is_alone; // does not belong to the block
} members[] = {
    {"alias", CONFIG_ALIAS, false},
    {"aliasForDeks", CONFIG_ALIAS, false},
    {"normalize", CONFIG_BOOL, true},
    {"validateFields", CONFIG_BOOL, true},
    {"validateNewSchemas", CONFIG_BOOL, true},
    {"validateRules", CONFIG_BOOL, true},
    {"compatibility", CONFIG_LEVEL, true},
    {"compatibilityPolicy", CONFIG_POLICY, true},
    {"compatibilityGroup", CONFIG_TEXT, true},
    {"defaultMetadata", CONFIG_METADATA, false},
    {"overrideMetadata", CONFIG_METADATA, false},
    {"defaultRuleSet", CONFIG_RULES, false},
    {"overrideRuleSet", CONFIG_RULES, false},
};
enum { MEMBER_COUNT = sizeof members / sizeof *members };

static const char *const levels[] = {
    "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
    NULL};
static const char *const policies[] = {"STRICT", "LENIENT", NULL};

// ---- scopes

static bool is_context_scope(struct str text)
{
    return text.len >= 3 && text.ptr[0] == ':' && text.ptr[1] == '.' &&
           memchr(text.ptr + 1, ':', text.len - 1) == text.ptr + text.len - 1;
}

bool scope_read(struct registry_call *call, struct str subject, struct str *ret)
{
    struct str name;
    // A context is as good as a subject in it.
    bool is_context = subject.ptr == NULL || (is_context_scope(subject) && name_is_clean(subject));
    struct str example =
        is_context ? arena_printf(call->arena, STR_FMT "x", STR_ARG(subject.ptr == NULL ? STR("") : subject))
                   : subject;
    if (is_context ? !name_qualify_scope(call, example, &name) : !name_qualify(call, example, &name)) {
        return false;
    }
    *ret = is_context ? scope_of_context(name_context(name), call->arena) : name;
    return true;
}

size_t scope_chain(struct str scope, struct arena *arena, struct str ret[SCOPE_CHAIN_MAX])
{
    size_t count = 0;
    bool is_context = scope.len == 0 || is_context_scope(scope);
    ret[count++] = scope;
    if (!is_context) {
        ret[count++] = scope_of_context(name_context(scope), arena);
    }
    if (!str_equal(scope, STR(GLOBAL_SCOPE))) {
        ret[count++] = STR(GLOBAL_SCOPE);
    }
    return count;
}

static const struct document *config_document(const struct registry *r, struct str scope)
{
    const struct scope_entry *entry = index_scope(r, scope);
    return entry == NULL ? NULL : entry->config;
}

static const struct document *mode_document(const struct registry *r, struct str scope)
{
    const struct scope_entry *entry = index_scope(r, scope);
    return entry == NULL ? NULL : entry->mode;
}

static void expect_scope(struct registry *r, struct registry_call *call, struct str scope)
{
    plan_expect(call, key_of(call, "config/" STR_FMT, STR_ARG(scope)), config_document(r, scope));
    plan_expect(call, key_of(call, "mode/" STR_FMT, STR_ARG(scope)), mode_document(r, scope));
}

void plan_expect_policy(struct registry *r, struct registry_call *call, struct str subject)
{
    struct str chain[SCOPE_CHAIN_MAX];
    size_t count = scope_chain(subject, call->arena, chain);
    bool has_default = false;
    for (size_t i = 0; i < count; i++) {
        expect_scope(r, call, chain[i]);
        has_default = has_default || chain[i].len == 0;
    }
    if (!has_default) {
        // READONLY_OVERRIDE of the default context holds everywhere.
        plan_expect(call, STR("mode/"), mode_document(r, STR("")));
    }
}

// ---- resolving

// config_of parses a scope's config; NULL if it has none.
static struct json_value *config_of(const struct registry *r, struct str scope, struct arena *arena)
{
    const struct document *document = config_document(r, scope);
    struct json_value *config = NULL;
    if (document == NULL) {
        return NULL;
    }
    struct bytes value = document_value(document);
    enum err err = json_parse((struct str){(const char *)value.ptr, value.len}, arena, &config, NULL);
    return err == ERR_OK && config->type == JSON_OBJECT ? config : NULL;
}

static void member_add(struct json_value *object, const char *name, const struct json_value *value,
                       struct arena *arena)
{
    struct json_value *copy = json_new(arena, value->type);
    if (copy != NULL) {
        *copy = *value;
        copy->key = str_from_c(name);
        copy->next = NULL;
        json_append(object, copy);
    }
}

// resolve gives the members that hold for a scope, under the names of a PUT; NULL: the arena is full.
static struct json_value *resolve(struct registry *r, struct str scope, struct arena *arena)
{
    struct str chain[SCOPE_CHAIN_MAX];
    const struct json_value *configs[SCOPE_CHAIN_MAX];
    size_t count = 0;
    size_t chain_count = scope_chain(scope, arena, chain);
    struct json_value *resolved = json_new(arena, JSON_OBJECT);
    for (size_t i = 0; i < chain_count; i++) {
        configs[count] = config_of(r, chain[i], arena);
        count += configs[count] != NULL;
    }
    for (size_t m = 0; resolved != NULL && m < MEMBER_COUNT; m++) {
        const struct json_value *value = NULL;
        for (size_t i = 0; value == NULL && i < (members[m].is_alone ? count : count > 0); i++) {
            value = json_get(configs[i], str_from_c(members[m].name));
        }
        if (value != NULL) {
            member_add(resolved, members[m].name, value, arena);
        }
    }
    return resolved;
}

static void level_default(struct json_value *config, struct arena *arena)
{
    struct json_value level = {.type = JSON_STRING, .text = STR("BACKWARD")};
    if (config != NULL && json_get(config, STR("compatibility")) == NULL) {
        member_add(config, "compatibility", &level, arena);
    }
}

static bool bool_or(const struct json_value *config, const char *name, bool fallback)
{
    const struct json_value *value = json_get(config, str_from_c(name));
    return value == NULL ? fallback : value->type == JSON_TRUE;
}

void config_resolve(struct registry *r, struct str subject, struct arena *arena, struct subject_config *ret)
{
    static const struct json_value none = {.type = JSON_OBJECT};
    const struct json_value *resolved = resolve(r, subject, arena);
    const struct json_value *config = resolved == NULL ? &none : resolved;
    struct str level = json_get_str(config, STR("compatibility"));
    struct str policy = json_get_str(config, STR("compatibilityPolicy"));
    *ret = (struct subject_config){
        .compatibility = level.ptr == NULL ? STR("BACKWARD") : level,
        .compatibility_policy = policy.ptr == NULL ? STR("STRICT") : policy,
        .compatibility_group = json_get_str(config, STR("compatibilityGroup")),
        .alias = json_get_str(config, STR("alias")),
        .normalize = bool_or(config, "normalize", false),
        .validate_fields = bool_or(config, "validateFields", false),
        .validate_rules = bool_or(config, "validateRules", false),
        .validate_new_schemas = bool_or(config, "validateNewSchemas", true),
        .default_metadata = json_get(config, STR("defaultMetadata")),
        .override_metadata = json_get(config, STR("overrideMetadata")),
        .default_rule_set = json_get(config, STR("defaultRuleSet")),
        .override_rule_set = json_get(config, STR("overrideRuleSet")),
    };
}

struct str alias_resolve(struct registry *r, struct str subject, struct arena *arena)
{
    // Only a subject's own config gives it another name; one step, so that there are no circles.
    const struct json_value *config = config_of(r, subject, arena);
    struct str alias = config == NULL ? (struct str){0} : json_get_str(config, STR("alias"));
    // Copied: the config may go while a plan waits its turn.
    return alias.len == 0 ? subject : arena_str(arena, name_in_context(name_context(subject), alias, arena));
}

// ---- answers

// answer_config writes a config; a GET calls the level by another name than a PUT.
static void answer_config(struct registry_call *call, const struct json_value *config, bool is_put)
{
    call_answer(call);
    struct buf *out = &call->answer;
    bool is_first = true;
    buf_u8(out, '{');
    for (size_t m = 0; m < MEMBER_COUNT; m++) {
        const struct json_value *value = json_get(config, str_from_c(members[m].name));
        if (value == NULL) {
            continue;
        }
        bool is_level = members[m].kind == CONFIG_LEVEL && !is_put;
        buf_printf(out, "%s\"%s%s\":", is_first ? "" : ",", members[m].name, is_level ? "Level" : "");
        json_print(value, false, out);
        is_first = false;
    }
    buf_u8(out, '}');
}

static void not_configured(struct registry_call *call, struct str scope)
{
    call_fail(call, CODE_CONFIG_NOT_FOUND,
              "Subject '" STR_FMT "' does not have subject-level compatibility configured", STR_ARG(scope));
}

void op_config_get(struct registry *r, struct registry_call *call)
{
    struct str scope;
    if (!scope_read(call, call->params[0], &scope)) {
        return;
    }
    bool is_resolved = scope.len == 0 || call_query_bool(call, "defaultToGlobal");
    struct json_value *config =
        is_resolved ? resolve(r, scope, call->arena) : config_of(r, scope, call->arena);
    if (is_resolved) {
        level_default(config, call->arena);
    }
    if (config == NULL) {
        not_configured(call, scope);
        return;
    }
    answer_config(call, config, false);
}

// ---- changes

static bool refuse_type(struct registry_call *call, const char *name, const char *what)
{
    call_fail(call, 422, "The member '%s' must be %s.", name, what);
    return false;
}

// word_read: one of the words in any case; *ret then spells it as the list does.
static bool word_read(struct str text, const char *const *words, struct str *ret)
{
    for (; text.ptr != NULL && *words != NULL; words++) {
        if (text.len == strlen(*words) && strncasecmp(text.ptr, *words, text.len) == 0) {
            *ret = str_from_c(*words);
            return true;
        }
    }
    return false;
}

static bool alias_check(struct registry_call *call, struct str alias)
{
    struct str name;
    return alias.len == 0 || name_qualify(call, alias, &name);
}

// member_read checks what the request sets; the value may be changed to how it is stored.
static bool member_read(struct registry_call *call, const struct config_member *member,
                        struct json_value *value)
{
    bool is_text = value->type == JSON_STRING;
    switch (member->kind) {
    case CONFIG_LEVEL:
        if (!is_text || !word_read(value->text, levels, &value->text)) {
            call_fail(call, CODE_INVALID_COMPATIBILITY,
                      "Invalid compatibility level. Valid values are none, backward, forward, full, "
                      "backward_transitive, forward_transitive, and full_transitive");
            return false;
        }
        return true;
    case CONFIG_POLICY:
        if (!is_text || !word_read(value->text, policies, &value->text)) {
            call_fail(call, CODE_INVALID_COMPATIBILITY,
                      "Invalid compatibility policy. Valid values are strict and lenient");
            return false;
        }
        return true;
    case CONFIG_TEXT:
        return is_text || refuse_type(call, member->name, "a string");
    case CONFIG_ALIAS:
        return is_text ? alias_check(call, value->text) : refuse_type(call, member->name, "a string");
    case CONFIG_BOOL:
        return json_is_bool(value) || refuse_type(call, member->name, "true or false");
    case CONFIG_METADATA:
        return metadata_check(call, member->name, value);
    case CONFIG_RULES:
        return rule_set_check(call, value);
    }
    return false;
}

// merge gives the scope's config after the request; NULL: answered, or the arena is full.
static struct json_value *merge(struct registry_call *call, const struct json_value *old,
                                const struct json_value *body)
{
    struct json_value *config = json_new(call->arena, JSON_OBJECT);
    for (size_t m = 0; config != NULL && m < MEMBER_COUNT; m++) {
        struct json_value *value = json_get(body, str_from_c(members[m].name));
        if (value == NULL) {
            value = old == NULL ? NULL : json_get(old, str_from_c(members[m].name));
        } else if (value->type == JSON_NULL) {
            value = NULL;
        } else if (!member_read(call, &members[m], value)) {
            return NULL;
        }
        bool is_empty = value != NULL && value->type == JSON_STRING && value->text.len == 0;
        if (value != NULL && !is_empty) {
            member_add(config, members[m].name, value, call->arena);
        }
    }
    return config;
}

static bool is_writable(struct registry *r, struct registry_call *call, struct str scope)
{
    if (!str_has_prefix(mode_resolve(r, scope), STR("READONLY"))) {
        return true;
    }
    if (scope.len == 0) {
        call_fail(call, CODE_NOT_PERMITTED, "Subject null is in read-only mode");
    } else {
        call_fail(call, CODE_NOT_PERMITTED, "Subject " STR_FMT " is in read-only mode", STR_ARG(scope));
    }
    return false;
}

static void config_put_finish(struct registry *r, struct registry_call *call, const struct outcome *outcome)
{
    (void)r;
    (void)outcome;
    answer_config(call, call->state, true);
}

// alias_governs: what governs topics by this name may be the subject that it stands for from now on: the
// alias's, or with an empty one its own. What is looked at after it is as it is then.
static bool alias_governs(struct registry *r, struct registry_call *call, struct str scope, struct str alias)
{
    const struct json_value *config = config_of(r, scope, call->arena);
    bool had_alias = config != NULL && json_get_str(config, STR("alias")).len > 0;
    if ((alias.len == 0 && !had_alias) || scope.len == 0 || is_context_scope(scope)) {
        return true;
    }
    struct registry_standing standing = {.name = scope, .subject = scope};
    if (alias.len > 0) {
        standing.subject = name_in_context(name_context(scope), alias, call->arena);
    }
    expect_scope(r, call, scope);
    return plan_standing(r, call, &standing);
}

void op_config_put(struct registry *r, struct registry_call *call)
{
    struct str scope;
    const struct json_value *body = call_body(call);
    if (body == NULL || !scope_read(call, call->params[0], &scope)) {
        return;
    }
    const struct json_value *old = config_of(r, scope, call->arena);
    struct json_value *config = merge(call, old, body);
    if (config == NULL || !is_writable(r, call, scope)) {
        return;
    }
    struct buf text;
    buf_init(&text, CONFIG_BYTES_MAX);
    json_print_filled(config, &text);
    bool is_too_large = text.failed;
    struct str value = is_too_large ? (struct str){0} : arena_str(call->arena, buf_str(&text));
    buf_fini(&text);
    if (is_too_large) {
        call_fail(call, 413, "The config is larger than %d bytes.", CONFIG_BYTES_MAX);
        return;
    }
    // What is answered is what is stored, and outlives the plan.
    struct json_value *stored = NULL;
    if (value.ptr == NULL || json_parse(value, call->arena, &stored, NULL) != ERR_OK) {
        return; // the call fails: its arena has
    }
    plan_begin(call);
    if (!alias_governs(r, call, scope, json_get_str(stored, STR("alias")))) {
        return;
    }
    const struct document *document = config_document(r, scope);
    if (document != NULL && bytes_equal(document_value(document), bytes_of(value.ptr, value.len))) {
        answer_config(call, stored, true);
        return;
    }
    plan_expect_policy(r, call, scope);
    plan_put(call, key_of(call, "config/" STR_FMT, STR_ARG(scope)), bytes_of(value.ptr, value.len), 0);
    call->state = stored;
    plan_submit(call, config_put_finish);
}

static void config_delete_finish(struct registry *r, struct registry_call *call,
                                 const struct outcome *outcome)
{
    (void)r;
    (void)outcome;
    answer_config(call, call->state, false);
}

void op_config_delete(struct registry *r, struct registry_call *call)
{
    struct str scope;
    if (!scope_read(call, call->params[0], &scope)) {
        return;
    }
    const struct document *document = config_document(r, scope);
    struct bytes value = document == NULL ? (struct bytes){0} : document_value(document);
    // The document is gone when the answer is written.
    struct str text = arena_str(
        call->arena, document == NULL ? STR("{}") : (struct str){(const char *)value.ptr, value.len});
    struct json_value *config = NULL;
    if (document == NULL && scope.len > 0) {
        call_fail(call, CODE_SUBJECT_NOT_FOUND, "Subject '" STR_FMT "' not found.", STR_ARG(scope));
        return;
    }
    if (text.ptr == NULL || json_parse(text, call->arena, &config, NULL) != ERR_OK) {
        call_fail(call, CODE_STORE, "The stored config does not read.");
        return;
    }
    if (scope.len == 0) {
        level_default(config, call->arena);
    }
    if (!is_writable(r, call, scope)) {
        return;
    }
    if (document == NULL) {
        answer_config(call, config, false);
        return;
    }
    plan_begin(call);
    if (!alias_governs(r, call, scope, (struct str){NULL, 0})) {
        return;
    }
    plan_expect_policy(r, call, scope);
    plan_remove(call, key_of(call, "config/" STR_FMT, STR_ARG(scope)));
    call->state = config;
    plan_submit(call, config_delete_finish);
}
