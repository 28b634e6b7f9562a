// SPDX-License-Identifier: Apache-2.0
// expressions.c - rules to programs. What a rule may see is what Confluent's Java executors give it:
// `message` and `now`; of a field rule value, fullName, name, typeName, tags, message and now; of a check
// `this` and `now`. An expression is refused when it is bound if it cannot be evaluated for the values that
// it will meet.
#include "contract/contract_private.h"

#include "base/mem.h"

enum { VARIABLES_MAX = 7 };

static const char *const field_texts[] = {"fullName", "name", "typeName"};

// What one expression is compiled with.
struct expression {
    struct compile *c;
    const struct rule *rule;
    const struct program *root; // of the first variable; NULL: it may be anything
    int kind;                   // of the first variable, of enum cel_kind; -1: not said
};

static size_t variables_fill(const struct expression *x, struct cel_variable *ret)
{
    size_t count = 0;
    struct cel_variable first = {.name = x->rule->type == RULE_CHECK       ? STR("this")
                                         : x->rule->type == RULE_CEL_FIELD ? STR("value")
                                                                           : STR("message"),
                                 .of = CEL_OF_DYN};
    if (x->root != NULL) {
        first.of = CEL_OF_SCHEMA;
        first.program = x->root;
    } else if (x->kind >= 0) {
        first.of = CEL_OF_KIND;
        first.kind = (enum cel_kind)x->kind;
    }
    ret[count++] = first;
    ret[count++] = (struct cel_variable){.name = STR("now"), .of = CEL_OF_KIND, .kind = CEL_TIMESTAMP};
    for (size_t i = 0; x->rule->type == RULE_CEL_FIELD && i < sizeof field_texts / sizeof *field_texts; i++) {
        ret[count++] =
            (struct cel_variable){.name = str_from_c(field_texts[i]), .of = CEL_OF_KIND, .kind = CEL_STRING};
    }
    if (x->rule->type == RULE_CEL_FIELD) {
        ret[count++] = (struct cel_variable){.name = STR("tags"), .of = CEL_OF_KIND, .kind = CEL_LIST};
        ret[count++] = (struct cel_variable){.name = STR("message"), .of = CEL_OF_DYN};
    }
    return count;
}

static bool expression_compile(const struct expression *x, struct str text, struct cel_program **ret,
                               struct cel_fault *fault)
{
    struct cel_variable variables[VARIABLES_MAX] = {{{0}}};
    struct cel_source source = {
        .text = text,
        .variables = variables,
        .variable_count = variables_fill(x, variables),
        .regex = x->rule->regex,
        .matches_whole = x->rule->regex == CEL_REGEX_JAVA,
        .has_unsigned = x->rule->has_unsigned,
        .types = x->c->contract->names,
    };
    enum err err = cel_compile(&source, ret, fault);
    if (err == ERR_NO_MEMORY) {
        bind_fail(x->c, err, "rule '" STR_FMT "': %s", STR_ARG(x->rule->name), fault->text);
    }
    return err == ERR_OK;
}

static bool rule_refuse(const struct expression *x, const struct cel_fault *fault, const char *what)
{
    const struct rule *rule = x->rule;
    const char *noun = rule->type == RULE_CHECK ? "check" : "rule";
    if (rule->sample.ptr == NULL) {
        return bind_fail(x->c, ERR_INVALID_REQUEST, "%s '" STR_FMT "', line %u, column %u: %s", noun,
                         STR_ARG(rule->name), fault->line, fault->column, fault->text);
    }
    return bind_fail(x->c, ERR_INVALID_REQUEST, "%s '" STR_FMT "' on " STR_FMT "%s%s, line %u, column %u: %s",
                     noun, STR_ARG(rule->name), STR_ARG(rule->sample), what == NULL ? "" : " as ",
                     what == NULL ? "" : what, fault->line, fault->column, fault->text);
}

// ---- guard and body

// without_guard is the expression with the guard's characters made blank, so that places in it stay right.
static struct str without_guard(struct compile *c, const struct rule *rule, struct str *ret_guard)
{
    size_t end = (size_t)((const char *)memchr(rule->expr.ptr, ';', rule->expr.len) - rule->expr.ptr);
    struct str body = arena_str(c->arena, rule->expr);
    *ret_guard = (struct str){rule->expr.ptr, end};
    for (size_t i = 0; body.ptr != NULL && i <= end; i++) {
        char *at = (char *)body.ptr + i;
        *at = *at == '\n' ? '\n' : ' ';
    }
    return body;
}

// ---- for each kind of value, once, to see whether it can be evaluated

static bool compiles_for(const struct expression *x, struct str body, enum value_kind kind,
                         struct cel_fault *fault)
{
    static const int kinds[KIND_COUNT] = {-1, CEL_STRING, CEL_BYTES, CEL_INT, CEL_DOUBLE, CEL_BOOL};
    struct expression trial = *x;
    struct cel_program *program = NULL;
    trial.kind = kinds[kind];
    bool is_sound = expression_compile(&trial, body, &program, fault);
    cel_program_unref(program);
    return is_sound;
}

static bool kinds_try(const struct expression *x, struct str body)
{
    static const char *const names[KIND_COUNT] = {"null",       "a string", "bytes",
                                                  "an integer", "a double", "a bool"};
    struct cel_fault fault = {0};
    bool has_both = (x->rule->kinds & 1 << KIND_INT) != 0 && (x->rule->kinds & 1 << KIND_DOUBLE) != 0;
    bool is_either = has_both && x->rule->may_be_either;
    if ((x->rule->kinds & 1 << KIND_OTHER) != 0) {
        return true; // it may ask for null, which no kind can be compared with
    }
    for (int kind = KIND_STRING; kind < KIND_COUNT; kind++) {
        bool is_met = (x->rule->kinds >> kind & 1) != 0;
        if (!is_met || compiles_for(x, body, (enum value_kind)kind, &fault)) {
            continue;
        }
        bool is_other = is_either && (kind == KIND_INT || kind == KIND_DOUBLE);
        struct cel_fault ignored;
        if (!is_other || !compiles_for(x, body, kind == KIND_INT ? KIND_DOUBLE : KIND_INT, &ignored)) {
            return rule_refuse(x, &fault, names[kind]);
        }
    }
    return true;
}

// ---- static paths

// reads_encrypted tells whether the path leads to, or through, a field that clients encrypt.
static const struct place_field *encrypted_on(const struct place *place, const struct cel_path *path)
{
    for (size_t i = 0; i < path->name_count && place != NULL; i++) {
        const struct place_field *found = NULL;
        for (uint32_t k = 0; k < place->field_count; k++) {
            found = str_equal(place->fields[k].name, path->names[i]) ? &place->fields[k] : found;
        }
        if (found == NULL || found->is_encrypted) {
            return found;
        }
        place = found->place;
        // null or a record: the record
        for (uint32_t b = 0; place != NULL && place->kind == SITE_COMBINED && b < place->branch_count; b++) {
            if (place->branches[b].place != NULL && place->branches[b].place->kind == SITE_RECORD) {
                place = place->branches[b].place;
                break;
            }
        }
    }
    return NULL;
}

static void find_encrypted(struct compile *c, struct rule *rule, const struct cel_program *program)
{
    for (size_t i = 0; program != NULL && i < cel_program_path_count(program); i++) {
        struct cel_path path = cel_program_path(program, i);
        const struct place_field *field =
            path.variable == 0 ? encrypted_on(c->contract->places, &path) : NULL;
        if (field != NULL && !rule->is_left) {
            rule->is_left = true;
            bind_remark(c, "rule '" STR_FMT "' reads " STR_FMT ", which clients encrypt: it is left to them",
                        STR_ARG(rule->name), STR_ARG(field->name));
        }
    }
}

// code_slots gives the program's paths a place among the contract's, if there is room.
static void code_slots(struct compile *c, struct code *code)
{
    size_t count = code->program == NULL ? 0 : cel_program_path_count(code->program);
    code->first_slot = (uint32_t)c->path_count;
    code->has_slots = count > 0 && c->path_count + count <= PROGRAM_PATHS_MAX;
    for (size_t i = 0; code->has_slots && i < count; i++) {
        struct cel_path path = cel_program_path(code->program, i);
        code->has_slots = path.variable == 0 && path.name_count <= PATH_NAMES_MAX;
        c->paths[c->path_count + i] = (struct program_path){path.names, path.name_count};
    }
    c->path_count += code->has_slots ? count : 0;
}

// ---- rules

static void result_judge(struct compile *c, const struct rule *rule)
{
    int kind = cel_program_result(rule->body.program);
    if (rule->type == RULE_CHECK && kind != CEL_BOOL && kind != CEL_STRING && kind != CEL_ANY) {
        bind_fail(c, ERR_INVALID_REQUEST,
                  "check '" STR_FMT "' on " STR_FMT " gives neither a bool nor a string", STR_ARG(rule->name),
                  STR_ARG(rule->sample));
    } else if (rule->type != RULE_CHECK && kind != CEL_BOOL && kind != CEL_ANY) {
        bind_remark(c, "rule '" STR_FMT "' never fails: it gives no bool", STR_ARG(rule->name));
    }
}

// of_reference checks the rule of a referenced schema against that schema, whose values it will run on.
static bool of_reference(struct expression *x, struct str guard, struct str body)
{
    const struct part *part = &x->c->contract->parts[x->rule->part];
    struct program *program = NULL;
    struct cel_program *trial = NULL;
    struct cel_fault fault = {0};
    struct error e;
    enum err err = program_create(part->source->schema, NULL, 0, &program, &e);
    if (err != ERR_OK) {
        return bind_fail(x->c, err, "rule '" STR_FMT "' of " STR_FMT ": %s", STR_ARG(x->rule->name),
                         STR_ARG(part->subject), e.text);
    }
    x->root = program;
    bool is_sound = (guard.len == 0 || expression_compile(x, guard, &trial, &fault));
    cel_program_unref(trial);
    trial = NULL;
    is_sound = is_sound && expression_compile(x, body, &trial, &fault);
    cel_program_unref(trial);
    x->root = NULL;
    program_unref(program);
    return is_sound || rule_refuse(x, &fault, NULL);
}

static bool is_blank(struct str text)
{
    return str_trim(text).len == 0;
}

static bool rule_compile(struct compile *c, struct rule *rule)
{
    struct str guard = {NULL, 0};
    struct str body = rule->has_guard ? without_guard(c, rule, &guard) : rule->expr;
    bool is_of_message = rule->part == 0 && (rule->type == RULE_CEL || rule->is_of_root);
    struct expression x = {.c = c, .rule = rule, .kind = -1};
    x.root = is_of_message ? c->contract->types : NULL;
    guard = is_blank(guard) ? (struct str){NULL, 0} : guard;
    struct cel_fault fault = {0};
    if (rule->part > 0 && rule->type == RULE_CEL && !of_reference(&x, guard, body)) {
        return false;
    }
    if (guard.len > 0 && !expression_compile(&x, guard, &rule->guard.program, &fault)) {
        return rule_refuse(&x, &fault, NULL);
    }
    if (!expression_compile(&x, body, &rule->body.program, &fault)) {
        return rule_refuse(&x, &fault, NULL);
    }
    if (!is_of_message && rule->type != RULE_CEL && guard.len == 0 && !kinds_try(&x, body)) {
        return false;
    }
    if (is_of_message) {
        find_encrypted(c, rule, rule->guard.program);
        find_encrypted(c, rule, rule->body.program);
        code_slots(c, &rule->guard);
        code_slots(c, &rule->body);
    }
    result_judge(c, rule);
    return c->err == ERR_OK;
}

bool rules_compile(struct compile *c)
{
    struct contract *contract = c->contract;
    bool is_list = contract->places != NULL && contract->places->kind == SITE_ARRAY;
    c->paths = arena_new(c->arena, struct program_path, PROGRAM_PATHS_MAX);
    contract->message_rules = arena_new(c->arena, struct rule *, contract->rule_count + 1);
    if (c->paths == NULL || contract->message_rules == NULL) {
        return true; // the arena says so in the end
    }
    for (uint32_t i = 0; i < contract->rule_count; i++) {
        struct rule *rule = contract->rules[i];
        if (!rule_compile(c, rule)) {
            return false;
        }
        if (rule->type == RULE_CEL_FIELD && rule->kinds == 0 && !rule->is_left_some) {
            bind_remark(c, "rule '" STR_FMT "' applies to no field", STR_ARG(rule->name));
        }
        if (rule->type != RULE_CEL || rule->part != 0) {
            continue;
        }
        if (is_list) { // Confluent's clients bind no list to `message`
            bind_remark(c, "rule '" STR_FMT "' is not run: the payload is a list", STR_ARG(rule->name));
        } else if (!rule->is_left) {
            contract->message_rules[contract->message_rule_count++] = rule;
        }
    }
    contract->slot_count = c->path_count;
    return true;
}
