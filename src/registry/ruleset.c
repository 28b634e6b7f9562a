// SPDX-License-Identifier: Apache-2.0
// ruleset.c - whether a rule set is one that clients can run: names, kinds, modes, actions. What an
// expression means is not looked at here.
#include "base/hash.h"
#include "registry/registry_private.h"

enum {
    RULES_MAX = 10000, // of one rule set, over its lists
    RULE_NAME_CHARS_MAX = 256,
};

enum rule_list { MIGRATION_RULES, DOMAIN_RULES, ENCODING_RULES, RULE_LIST_COUNT };

static const char *const list_members[RULE_LIST_COUNT] = {"migrationRules", "domainRules", "encodingRules"};
static const char *const list_modes[RULE_LIST_COUNT][4] = {
    {"UPGRADE", "DOWNGRADE", "UPDOWN", NULL},
    {"WRITE", "READ", "WRITEREAD", NULL},
    {"WRITE", "READ", "WRITEREAD", NULL},
};
static const char *const list_complaints[RULE_LIST_COUNT] = {
    "Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN",
    "Domain rules can only be WRITE, READ, WRITEREAD",
    "Encoding rules can only be WRITE, READ, WRITEREAD",
};
static const char *const kinds[] = {"TRANSFORM", "CONDITION", NULL};
static const char *const places[] = {"ALL", "CLIENT", "GATEWAY", "SERVER", "NONE", NULL};

// What is being checked. `names` is an open table of the rules seen, twice as large as needed.
struct check {
    struct registry_call *call;
    struct str *names;
    size_t name_slots; // power of two
};

static bool is_one_of(struct str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_equal(text, str_from_c(*words))) {
            return true;
        }
    }
    return false;
}

static const struct json_value *member(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_get(object, str_from_c(name));
    return value == NULL || value->type == JSON_NULL ? NULL : value;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0x80;
}

static bool refuse(const struct check *c, const char *what, struct str rule)
{
    call_fail(c->call, CODE_INVALID_RULESET, rule.ptr == NULL ? "%s" : "%s: " STR_FMT, what, STR_ARG(rule));
    return false;
}

static bool name_check(const struct check *c, struct str name)
{
    size_t chars = 0;
    if (name.ptr == NULL) {
        return refuse(c, "Missing rule name", name);
    }
    if (name.len == 0) {
        return refuse(c, "Empty rule name", (struct str){0});
    }
    if (!is_letter(name.ptr[0]) && name.ptr[0] != '_') {
        return refuse(c, "Illegal initial character in rule name", name);
    }
    for (size_t i = 0; i < name.len; i++) {
        char at = name.ptr[i];
        bool is_digit = at >= '0' && at <= '9';
        if (!is_letter(at) && !is_digit && at != '_' && at != '-') {
            return refuse(c, "Illegal character in rule name", name);
        }
        chars += ((uint8_t)at & 0xc0) != 0x80;
    }
    return chars <= RULE_NAME_CHARS_MAX ||
           refuse(c, "Rule name is longer than 256 characters", (struct str){0});
}

// name_take: the first rule of that name.
static bool name_take(struct check *c, struct str name)
{
    size_t at = hash64(bytes_of(name.ptr, name.len), 17) & (c->name_slots - 1);
    for (; c->names[at].ptr != NULL; at = (at + 1) & (c->name_slots - 1)) {
        if (str_equal(c->names[at], name)) {
            return refuse(c, "Found rule with duplicate name", name);
        }
    }
    c->names[at] = name;
    return true;
}

static bool is_string_list(const struct json_value *value)
{
    bool is_sound = value == NULL || value->type == JSON_ARRAY;
    for (const struct json_value *v = value == NULL ? NULL : value->first; is_sound && v != NULL;
         v = v->next) {
        is_sound = v->type == JSON_STRING;
    }
    return is_sound;
}

static bool types_check(const struct check *c, const struct json_value *rule, struct str name)
{
    static const char *const texts[] = {"doc", "kind", "mode", "type", "expr", "onSuccess", "onFailure"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct json_value *text = member(rule, texts[i]);
        if (text != NULL && text->type != JSON_STRING) {
            call_fail(c->call, CODE_INVALID_RULESET, "The member '%s' of a rule must be a string: " STR_FMT,
                      texts[i], STR_ARG(name));
            return false;
        }
    }
    if (!is_string_list(member(rule, "tags"))) {
        return refuse(c, "The tags of a rule must be a list of strings", name);
    }
    const struct json_value *params = member(rule, "params");
    bool is_sound = params == NULL || params->type == JSON_OBJECT;
    for (const struct json_value *v = params == NULL ? NULL : params->first; is_sound && v != NULL;
         v = v->next) {
        is_sound = v->type == JSON_STRING;
    }
    if (!is_sound) {
        return refuse(c, "The params of a rule must be an object of strings", name);
    }
    const struct json_value *disabled = member(rule, "disabled");
    return disabled == NULL || json_is_bool(disabled) ||
           refuse(c, "The member 'disabled' of a rule must be true or false", name);
}

// actions_check: one action, or two, of which the first is for writing or upgrading.
static bool actions_check(const struct check *c, const struct json_value *rule, struct str mode,
                          struct str name)
{
    static const char *const members[] = {"onSuccess", "onFailure"};
    bool is_twofold = mode.ptr == NULL || str_equal(mode, STR("WRITEREAD")) || str_equal(mode, STR("UPDOWN"));
    for (size_t i = 0; i < 2; i++) {
        struct str rest = json_get_str(rule, str_from_c(members[i]));
        size_t count = 0;
        while (rest.ptr != NULL) {
            str_cut(rest, ',', &rest);
            count++;
        }
        if (count > (is_twofold ? 2 : 1)) {
            call_fail(c->call, CODE_INVALID_RULESET,
                      is_twofold ? "%s of a rule has more than two actions: " STR_FMT
                                 : "%s of a rule can have two actions only if its mode is WRITEREAD or "
                                   "UPDOWN: " STR_FMT,
                      members[i], STR_ARG(name));
            return false;
        }
    }
    return true;
}

static bool rule_check(struct check *c, const struct json_value *rule, enum rule_list list)
{
    if (rule->type != JSON_OBJECT) {
        return refuse(c, "A rule must be an object", (struct str){0});
    }
    struct str name = json_get_str(rule, STR("name"));
    if (!name_check(c, name) || !name_take(c, name) || !types_check(c, rule, name)) {
        return false;
    }
    struct str type = json_get_str(rule, STR("type"));
    struct str kind = json_get_str(rule, STR("kind"));
    struct str mode = json_get_str(rule, STR("mode"));
    if (type.len == 0) {
        return refuse(c, "Missing rule type", name);
    }
    if (kind.ptr != NULL && !is_one_of(kind, kinds)) {
        return refuse(c, "The kind of a rule must be TRANSFORM or CONDITION", name);
    }
    // A rule without a mode is WRITEREAD, in whichever list.
    if (!is_one_of(mode.ptr == NULL ? STR("WRITEREAD") : mode, list_modes[list])) {
        return refuse(c, list_complaints[list], name);
    }
    return actions_check(c, rule, mode, name);
}

bool rule_set_check(struct registry_call *call, const struct json_value *rule_set)
{
    struct check c = {.call = call, .name_slots = 8};
    size_t count = 0;
    if (rule_set == NULL || rule_set->type == JSON_NULL) {
        return true;
    }
    if (rule_set->type != JSON_OBJECT) {
        return refuse(&c, "A rule set must be an object", (struct str){0});
    }
    const struct json_value *place = member(rule_set, "enableAt");
    if (place != NULL && (place->type != JSON_STRING || !is_one_of(place->text, places))) {
        return refuse(&c, "enableAt must be ALL, CLIENT, GATEWAY, SERVER or NONE", (struct str){0});
    }
    for (size_t i = 0; i < RULE_LIST_COUNT; i++) {
        const struct json_value *list = member(rule_set, list_members[i]);
        if (list != NULL && list->type != JSON_ARRAY) {
            return refuse(&c, "The rules must be a list", str_from_c(list_members[i]));
        }
        count += list == NULL ? 0 : list->count;
    }
    if (count > RULES_MAX) {
        return refuse(&c, "A rule set has at most 10000 rules", (struct str){0});
    }
    while (c.name_slots < count * 2) {
        c.name_slots *= 2;
    }
    c.names = arena_new(call->arena, struct str, c.name_slots);
    if (c.names == NULL) {
        return false; // the call fails: its arena has
    }
    for (size_t i = 0; i < RULE_LIST_COUNT; i++) {
        const struct json_value *list = member(rule_set, list_members[i]);
        for (const struct json_value *v = list == NULL ? NULL : list->first; v != NULL; v = v->next) {
            if (!rule_check(&c, v, (enum rule_list)i)) {
                return false;
            }
        }
    }
    return true;
}
