// SPDX-License-Identifier: Apache-2.0
// rules.c - a rule set and metadata as the registry stores them: which rules a broker runs, and what it is
// to do about them. The registry has checked their shapes; what is not as it should be counts as not given.
#include "contract/contract_private.h"

#include "base/mem.h"

bool bind_fail(struct compile *c, enum err err, const char *format, ...)
{
    if (c->err != ERR_OK) {
        return false;
    }
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->err = FAIL(c->e, err, "%s", text);
    return false;
}

void bind_remark(struct compile *c, const char *format, ...)
{
    struct contract *contract = c->contract;
    if (contract->remarks == NULL) {
        contract->remarks = arena_new(c->arena, const char *, CONTRACT_REMARKS_MAX);
    }
    if (contract->remarks == NULL || contract->remark_count == CONTRACT_REMARKS_MAX) {
        return;
    }
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    contract->remarks[contract->remark_count++] = arena_str(c->arena, str_from_c(text)).ptr;
}

struct rule *rule_add(struct compile *c, enum rule_type type)
{
    struct contract *contract = c->contract;
    if (contract->rules == NULL) {
        contract->rules = arena_new(c->arena, struct rule *, CONTRACT_RULES_MAX);
    }
    struct rule *rule = arena_new(c->arena, struct rule, 1);
    if (contract->rules == NULL || rule == NULL) {
        return NULL; // the arena says so in the end
    }
    if (contract->rule_count == CONTRACT_RULES_MAX) {
        bind_fail(c, ERR_NO_MEMORY, "more than %d rules", CONTRACT_RULES_MAX);
        return NULL;
    }
    *rule = (struct rule){.type = type};
    contract->rules[contract->rule_count++] = rule;
    return rule;
}

// ---- one rule

// What is being read.
struct reader_of_rules {
    struct compile *c;
    struct part *part;
    uint32_t index;       // of the part
    bool is_for_server;   // enableAt: SERVER
    bool is_run;          // enableAt allows a broker to run rules
    bool is_client_bound; // enableAt allows clients to run rules
};

static struct str param(const struct reader_of_rules *r, const struct json_value *rule, const char *name)
{
    struct str value = json_get_str(json_get(rule, STR("params")), str_from_c(name));
    return value.ptr != NULL ? value : json_get_str(r->part->properties, str_from_c(name));
}

static bool is_word(struct str text, const char *word)
{
    struct str want = str_from_c(word);
    return text.len == want.len && (text.len == 0 || strncasecmp(text.ptr, want.ptr, text.len) == 0);
}

// action_read takes the write part of "A,B". *ret stays as it is where none is given.
static bool action_read(const struct reader_of_rules *r, const struct json_value *rule, const char *member,
                        enum contract_action *ret)
{
    struct str rest;
    struct str name = str_trim(str_cut(json_get_str(rule, str_from_c(member)), ',', &rest));
    if (name.len == 0) {
        return true;
    }
    if (str_equal(name, STR("ERROR"))) {
        *ret = CONTRACT_REJECT;
    } else if (str_equal(name, STR("DLQ"))) {
        *ret = CONTRACT_DEAD_LETTER;
    } else if (str_equal(name, STR("NONE"))) {
        *ret = CONTRACT_OBSERVE;
    } else {
        return bind_fail(r->c, ERR_INVALID_REQUEST,
                         "rule '" STR_FMT "': %s is '" STR_FMT "'; a broker knows ERROR, DLQ and NONE",
                         STR_ARG(json_get_str(rule, STR("name"))), member, STR_ARG(name));
    }
    return true;
}

static const struct str *tags_read(struct compile *c, const struct json_value *rule, uint32_t *ret_count)
{
    const struct json_value *list = json_get(rule, STR("tags"));
    *ret_count = 0;
    if (list == NULL || list->type != JSON_ARRAY || list->count == 0) {
        return NULL;
    }
    struct str *tags = arena_new(c->arena, struct str, list->count);
    for (const struct json_value *v = list->first; tags != NULL && v != NULL; v = v->next) {
        if (v->type == JSON_STRING) {
            tags[(*ret_count)++] = v->text;
        }
    }
    return tags;
}

static void letter_topic_add(struct compile *c, struct str topic)
{
    struct contract *contract = c->contract;
    if (contract->letter_topics == NULL) {
        contract->letter_topics = arena_new(c->arena, struct str, CONTRACT_LETTER_TOPICS_MAX);
    }
    for (uint32_t i = 0; i < contract->letter_topic_count; i++) {
        if (str_equal(contract->letter_topics[i], topic)) {
            return;
        }
    }
    if (contract->letter_topic_count == CONTRACT_LETTER_TOPICS_MAX) {
        bind_fail(c, ERR_INVALID_REQUEST, "the rules name more than %d dead letter topics",
                  CONTRACT_LETTER_TOPICS_MAX);
    } else if (contract->letter_topics != NULL) {
        contract->letter_topics[contract->letter_topic_count++] = topic;
    }
}

static bool actions_read(const struct reader_of_rules *r, const struct json_value *json, struct rule *rule)
{
    if (!action_read(r, json, "onFailure", &rule->on_failure) ||
        !action_read(r, json, "onSuccess", &rule->on_success)) {
        return false;
    }
    if (rule->on_success == CONTRACT_OBSERVE) {
        rule->on_success = CONTRACT_PASS;
    }
    struct str topic = param(r, json, "dlq.topic");
    bool is_sent = rule->on_failure == CONTRACT_DEAD_LETTER || rule->on_success == CONTRACT_DEAD_LETTER;
    if (is_sent && topic.len > 0) {
        rule->letter_topic = topic;
        letter_topic_add(r->c, topic);
    }
    return true;
}

static bool condition_read(const struct reader_of_rules *r, const struct json_value *json,
                           enum rule_type type)
{
    struct str name = json_get_str(json, STR("name"));
    struct rule *rule = rule_add(r->c, type);
    if (rule == NULL) {
        return r->c->err == ERR_OK;
    }
    rule->name = name;
    rule->part = r->index;
    rule->subject = r->part->subject;
    rule->expr = json_get_str(json, STR("expr"));
    rule->tags = tags_read(r->c, json, &rule->tag_count);
    if (rule->expr.len == 0) {
        return bind_fail(r->c, ERR_INVALID_REQUEST, "rule '" STR_FMT "' has no expression", STR_ARG(name));
    }
    struct str doc = json_get_str(json, STR("doc"));
    rule->reason =
        doc.len > 0 ? doc : arena_printf(r->c->arena, "Expr failed: '" STR_FMT "'", STR_ARG(rule->expr));
    struct str engine = param(r, json, "cel.regex.engine");
    if (engine.len > 0 && !is_word(engine, "pcre") && !is_word(engine, "re2")) {
        return bind_fail(r->c, ERR_INVALID_REQUEST,
                         "rule '" STR_FMT "': cel.regex.engine is '" STR_FMT "'; there are pcre and re2",
                         STR_ARG(name), STR_ARG(engine));
    }
    rule->regex = is_word(engine, "re2") ? CEL_REGEX_RE2 : CEL_REGEX_JAVA;
    rule->has_unsigned = is_word(param(r, json, "cel.unsigned.field.type"), "uint");
    rule->has_guard = !is_word(param(r, json, "cel.ignore.guard.separator"), "true") &&
                      memchr(rule->expr.ptr, ';', rule->expr.len) != NULL;
    if (!actions_read(r, json, rule)) {
        return false;
    }
    r->part->rules[r->part->rule_count++] = rule;
    return true;
}

// is_written: the rule is for those who write, as a broker's clients do.
static bool is_written(const struct json_value *rule)
{
    struct str mode = json_get_str(rule, STR("mode"));
    const struct json_value *disabled = json_get(rule, STR("disabled"));
    return (disabled == NULL || disabled->type != JSON_TRUE) &&
           (mode.ptr == NULL || str_equal(mode, STR("WRITE")) || str_equal(mode, STR("WRITEREAD")));
}

static bool encryption_read(const struct reader_of_rules *r, const struct json_value *rule,
                            struct encryption *list)
{
    if (r->is_client_bound) {
        struct encryption *one = &list[r->part->encryption_count++];
        one->tags = tags_read(r->c, rule, &one->tag_count);
    }
    return true;
}

// foreign_read: a rule that a broker does not run. It may not be asked to.
static bool foreign_read(const struct reader_of_rules *r, const struct json_value *rule, const char *what)
{
    struct str name = json_get_str(rule, STR("name"));
    struct str type = json_get_str(rule, STR("type"));
    if (r->is_for_server) {
        return bind_fail(r->c, ERR_INVALID_REQUEST,
                         "rule '" STR_FMT "' (" STR_FMT
                         ", %s) is to run at SERVER; a broker runs conditions of "
                         "the types CEL and CEL_FIELD and changes no payload",
                         STR_ARG(name), STR_ARG(type), what);
    }
    bind_remark(r->c, "rule '" STR_FMT "' (" STR_FMT ", %s) is left to the clients", STR_ARG(name),
                STR_ARG(type), what);
    return true;
}

static bool domain_rule_read(const struct reader_of_rules *r, const struct json_value *rule,
                             struct encryption *encryptions)
{
    struct str type = json_get_str(rule, STR("type"));
    bool is_condition = str_equal(json_get_str(rule, STR("kind")), STR("CONDITION"));
    if (!is_written(rule)) {
        return true;
    }
    if (str_equal(type, STR("ENCRYPT")) && !r->is_for_server) {
        return encryption_read(r, rule, encryptions);
    }
    if (r->c->contract->level == CONTRACT_STRUCTURE) {
        return true;
    }
    if (!is_condition) {
        return !r->is_run || foreign_read(r, rule, "TRANSFORM");
    }
    if (!r->is_run) {
        bind_remark(r->c, "rule '" STR_FMT "' is not for a broker: enableAt",
                    STR_ARG(json_get_str(rule, STR("name"))));
        return true;
    }
    if (str_equal(type, STR("CEL"))) {
        return condition_read(r, rule, RULE_CEL);
    }
    return str_equal(type, STR("CEL_FIELD")) ? condition_read(r, rule, RULE_CEL_FIELD)
                                             : foreign_read(r, rule, "CONDITION");
}

// encoding_rule_read: what clients do to the bytes. Nothing can be said of a payload that they encrypt.
static bool encoding_rule_read(const struct reader_of_rules *r, const struct json_value *rule)
{
    if (!is_written(rule)) {
        return true;
    }
    if (r->is_for_server) {
        return foreign_read(r, rule, "encoding rule");
    }
    if (r->is_client_bound && r->index == 0) {
        r->c->contract->is_opaque = true;
        bind_remark(r->c,
                    "rule '" STR_FMT "' (" STR_FMT
                    ") has clients encode the payload as a whole: a broker sees no field of it",
                    STR_ARG(json_get_str(rule, STR("name"))), STR_ARG(json_get_str(rule, STR("type"))));
    }
    return true;
}

// ---- metadata

static bool metadata_read(struct compile *c, struct part *part, struct str text)
{
    struct json_value *metadata = NULL;
    if (text.len == 0) {
        return true;
    }
    struct error e;
    if (json_parse(text, c->arena, &metadata, &e) != ERR_OK) {
        return bind_fail(c, ERR_INVALID_REQUEST, "the metadata of " STR_FMT " is no JSON: %s",
                         STR_ARG(part->subject), e.text);
    }
    part->properties = json_get(metadata, STR("properties"));
    const struct json_value *tags = json_get(metadata, STR("tags"));
    if (tags == NULL || tags->type != JSON_OBJECT) {
        return true;
    }
    if (tags->count > CONTRACT_GLOBS_MAX) {
        return bind_fail(c, ERR_NO_MEMORY, "the metadata of " STR_FMT " tags more than %d names",
                         STR_ARG(part->subject), CONTRACT_GLOBS_MAX);
    }
    part->globs = arena_new(c->arena, struct glob, tags->count + 1);
    part->glob_tags = arena_new(c->arena, const struct json_value *, tags->count + 1);
    for (const struct json_value *v = tags->first;
         part->globs != NULL && part->glob_tags != NULL && v != NULL; v = v->next) {
        if (v->type != JSON_ARRAY) {
            continue;
        }
        if (!glob_create(v->key, c->arena, &part->globs[part->glob_count])) {
            return bind_fail(c, ERR_INVALID_REQUEST, "the tagged name '%.*s...' has more than %d characters",
                             40, v->key.ptr, GLOB_TOKENS_MAX);
        }
        part->globs[part->glob_count].first_word = c->state_words;
        c->state_words += part->globs[part->glob_count].word_count;
        part->glob_tags[part->glob_count++] = v;
    }
    return true;
}

// ---- rule sets

static bool lists_read(const struct reader_of_rules *r, const struct json_value *set)
{
    const struct json_value *domain = json_get(set, STR("domainRules"));
    const struct json_value *encoding = json_get(set, STR("encodingRules"));
    size_t count = domain == NULL ? 0 : domain->count;
    struct encryption *encryptions = arena_new(r->c->arena, struct encryption, count + 1);
    r->part->rules = arena_new(r->c->arena, struct rule *, count + 1);
    r->part->encryptions = encryptions;
    if (encryptions == NULL || r->part->rules == NULL) {
        return true; // the arena says so in the end
    }
    bool is_sound = true;
    for (const struct json_value *v = domain == NULL ? NULL : domain->first; is_sound && v != NULL;
         v = v->next) {
        is_sound = domain_rule_read(r, v, encryptions);
    }
    for (const struct json_value *v = encoding == NULL ? NULL : encoding->first; is_sound && v != NULL;
         v = v->next) {
        is_sound = encoding_rule_read(r, v);
    }
    return is_sound;
}

bool rules_read(struct compile *c, uint32_t index, const struct contract_part *source)
{
    struct part *part = &c->contract->parts[index];
    part->subject = arena_str(c->arena, source->subject);
    struct reader_of_rules r = {.c = c, .part = part, .index = index};
    struct json_value *set = NULL;
    struct str text = arena_str(c->arena, source->rule_set); // what is read points into it
    if (!metadata_read(c, part, arena_str(c->arena, source->metadata))) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    struct error e;
    if (json_parse(text, c->arena, &set, &e) != ERR_OK) {
        return bind_fail(c, ERR_INVALID_REQUEST, "the rule set of " STR_FMT " is no JSON: %s",
                         STR_ARG(part->subject), e.text);
    }
    struct str place = json_get_str(set, STR("enableAt"));
    bool is_everywhere = place.ptr == NULL || str_equal(place, STR("ALL"));
    r.is_for_server = str_equal(place, STR("SERVER"));
    r.is_run = is_everywhere || r.is_for_server;
    r.is_client_bound = is_everywhere || str_equal(place, STR("CLIENT")) || str_equal(place, STR("GATEWAY"));
    return lists_read(&r, set);
}
