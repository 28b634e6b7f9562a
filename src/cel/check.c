// SPDX-License-Identifier: Apache-2.0
// check.c - names are resolved, and what can never have a fitting type is refused. Of an expression that is
// not to be checked everything is dyn, and what is not found becomes an error of the run.
#include "cel/compile_private.h"

#include "base/assert.h"

static bool check_node(struct compile *c, struct node *node, const struct scope *scope);

// A type for a text; of the compile's arena.
static struct str type_text(struct compile *c, const struct type *type)
{
    struct buf out;
    buf_init(&out, ERROR_TEXT_SIZE);
    type_print(type_settle(c, type), &out);
    struct str text = arena_str(&c->arena, buf_str(&out));
    buf_fini(&out);
    return text.ptr == NULL ? STR("?") : text;
}

static bool is_lenient(const struct compile *c)
{
    return c->source->is_unchecked;
}

// want: the type fits, or everything does.
static bool want(struct compile *c, const struct node *node, const struct type *wanted, const char *what)
{
    if (is_lenient(c) || type_accepts(c, wanted, node->type)) {
        return true;
    }
    struct str is = type_text(c, node->type);
    struct str should = type_text(c, wanted);
    compile_fail(c, ERR_INVALID_REQUEST, node->position, "%s is of type " STR_FMT ", not " STR_FMT, what,
                 STR_ARG(is), STR_ARG(should));
    return false;
}

static bool check_children(struct compile *c, struct node *node, const struct scope *scope)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (!check_node(c, node->children[i], scope)) {
            return false;
        }
    }
    return true;
}

// ---- names

static const struct scope *find_local(const struct scope *scope, struct str name)
{
    while (scope != NULL && !str_equal(scope->name, name)) {
        scope = scope->outer;
    }
    return scope;
}

static const struct type *variable_type(struct compile *c, const struct cel_variable *variable)
{
    static const struct type list = {.kind = TYPE_LIST, .first = &type_dyn};
    static const struct type map = {.kind = TYPE_MAP, .first = &type_dyn, .second = &type_dyn};
    static const struct type type = {.kind = TYPE_TYPE};
    static const struct type *const kinds[CEL_ANY] = {
        [CEL_NULL] = &type_null,
        [CEL_BOOL] = &type_bool,
        [CEL_INT] = &type_int,
        [CEL_UINT] = &type_uint,
        [CEL_DOUBLE] = &type_double,
        [CEL_STRING] = &type_string,
        [CEL_BYTES] = &type_bytes,
        [CEL_LIST] = &list,
        [CEL_MAP] = &map,
        [CEL_TYPE] = &type,
        [CEL_TIMESTAMP] = &type_timestamp,
        [CEL_DURATION] = &type_duration,
    };
    if (variable->of == CEL_OF_SCHEMA) {
        return schema_root_type(c, variable);
    }
    if (variable->of == CEL_OF_TYPE) {
        return signature_parse(c, arena_printf(&c->arena, ":%s", variable->type).ptr).result;
    }
    const struct type *found = variable->of == CEL_OF_KIND ? kinds[variable->kind] : NULL;
    return found == NULL ? &type_dyn : found;
}

static void become_literal(struct node *node, struct cel_value value, const struct type *type)
{
    node->kind = NODE_LITERAL;
    node->count = 0;
    node->value = value;
    node->type = type;
}

// What a name that needs no container stands for. False: nothing.
static bool resolve_exact(struct compile *c, struct node *node, struct str name)
{
    for (size_t i = 0; i < c->source->variable_count; i++) {
        if (str_equal(c->source->variables[i].name, name)) {
            node->kind = NODE_NAME;
            node->where = WHERE_VARIABLE;
            node->index = (uint32_t)i;
            node->type = variable_type(c, &c->source->variables[i]);
            return true;
        }
    }
    const struct cel_constant *constant = functions_constant(c->source, name);
    if (constant != NULL) {
        struct str signature = arena_printf(&c->arena, ":%s", constant->type);
        become_literal(node, constant->value, signature_parse(c, signature.ptr).result);
        return true;
    }
    struct cel_value value;
    const struct cel_types *types = c->source->types;
    if (types != NULL && types->constant(types->context, name, &value)) {
        become_literal(node, value, type_of_value(c, value));
        return true;
    }
    const struct type *type = type_of_name(c, name);
    if (type != NULL) {
        become_literal(node, cel_type(arena_str(&c->program->arena, name)),
                       type_new(c, TYPE_TYPE, type, NULL));
    }
    return type != NULL;
}

// The candidates of a name: in the container, in those around it, then alone. False at the end.
struct candidates {
    struct str container;
    struct str name;
    bool is_over;
};

static struct candidates candidates(const struct compile *c, struct str name)
{
    bool is_absolute = name.len > 0 && name.ptr[0] == '.';
    struct str rest = is_absolute ? (struct str){name.ptr + 1, name.len - 1} : name;
    return (struct candidates){is_absolute ? (struct str){0} : c->source->container, rest, false};
}

static bool next_candidate(struct compile *c, struct candidates *at, struct str *ret)
{
    if (at->is_over) {
        return false;
    }
    if (at->container.len == 0) {
        at->is_over = true;
        *ret = at->name;
        return true;
    }
    *ret = arena_printf(&c->arena, STR_FMT "." STR_FMT, STR_ARG(at->container), STR_ARG(at->name));
    const char *dot = memrchr(at->container.ptr, '.', at->container.len);
    at->container.len = dot == NULL ? 0 : (size_t)(dot - at->container.ptr);
    return ret->ptr != NULL;
}

static bool resolve(struct compile *c, struct node *node, struct str name)
{
    struct candidates at = candidates(c, name);
    struct str candidate;
    while (next_candidate(c, &at, &candidate)) {
        if (resolve_exact(c, node, candidate)) {
            return true;
        }
    }
    return false;
}

static bool check_name(struct compile *c, struct node *node, const struct scope *scope)
{
    const struct scope *local = node->is_absolute ? NULL : find_local(scope, node->name);
    if (local != NULL) {
        node->where = WHERE_LOCAL;
        node->type = local->type;
        return true;
    }
    struct str name = node->name;
    if (node->is_absolute) {
        name = arena_printf(&c->arena, "." STR_FMT, STR_ARG(name));
    }
    if (name.ptr != NULL && resolve(c, node, name)) {
        return true;
    }
    if (is_lenient(c)) {
        struct str text =
            arena_printf(&c->program->arena, "undeclared reference to \"" STR_FMT "\"", STR_ARG(node->name));
        become_literal(node, cel_text_value(CEL_ERROR, text.ptr, text.len), &type_dyn);
        return true;
    }
    compile_fail(c, ERR_INVALID_REQUEST, node->position, "there is no variable \"" STR_FMT "\" here",
                 STR_ARG(node->name));
    return false;
}

// The dotted name of a tree of selects that does not begin with a name of a macro; NULL ptr: it is none.
static struct str dotted(struct compile *c, const struct node *node, const struct scope *scope)
{
    if (node->kind == NODE_NAME) {
        if (node->is_absolute) {
            return arena_printf(&c->arena, "." STR_FMT, STR_ARG(node->name));
        }
        return find_local(scope, node->name) != NULL ? (struct str){0} : node->name;
    }
    if (node->kind != NODE_SELECT || node->is_optional || node->is_quoted) {
        return (struct str){0};
    }
    struct str outer = dotted(c, node->children[0], scope);
    return outer.ptr == NULL
               ? outer
               : arena_printf(&c->arena, STR_FMT "." STR_FMT, STR_ARG(outer), STR_ARG(node->name));
}

// ---- fields and indexes

static const struct type *optional_inside(const struct type *type)
{
    type = type_plain(type);
    return type->kind == TYPE_OPTIONAL ? type_plain(type->first) : type;
}

static const struct type *no_field(struct compile *c, const struct node *node, struct str of, struct str hint)
{
    if (is_lenient(c)) {
        return &type_dyn;
    }
    if (hint.ptr != NULL) {
        return compile_fail(c, ERR_INVALID_REQUEST, node->position,
                            STR_FMT " has no field \"" STR_FMT "\"; did you mean \"" STR_FMT "\"?",
                            STR_ARG(of), STR_ARG(node->name), STR_ARG(hint));
    }
    return compile_fail(c, ERR_INVALID_REQUEST, node->position, STR_FMT " has no field \"" STR_FMT "\"",
                        STR_ARG(of), STR_ARG(node->name));
}

static const struct type *message_field_type(struct compile *c, const struct node *node,
                                             const struct type *message)
{
    const struct cel_types *types = c->source->types;
    const char *signature = NULL;
    if (types == NULL || !types->field(types->context, message->name, node->name, &signature)) {
        return no_field(c, node, message->name, (struct str){0});
    }
    return signature_parse(c, arena_printf(&c->arena, ":%s", signature).ptr).result;
}

// The type of a field; NULL: a fault was set.
static const struct type *field_type(struct compile *c, const struct node *node, const struct type *of)
{
    struct str hint = {0};
    const struct type *found;
    switch (of->kind) {
    case TYPE_DYN:
    case TYPE_PARAMETER:
        return &type_dyn;
    case TYPE_MAP:
        return is_lenient(c) || type_accepts(c, of->first, &type_string)
                   ? of->second
                   : compile_fail(c, ERR_INVALID_REQUEST, node->position,
                                  "the keys of the map are no strings");
    case TYPE_RECORD:
    case TYPE_MESSAGE:
        if (of->schema == NULL) {
            return message_field_type(c, node, of);
        }
        found = schema_field_type(c, of, node->name, &hint);
        return found != NULL ? found : no_field(c, node, type_text(c, of), hint);
    default:
        if (is_lenient(c)) {
            return &type_dyn;
        }
        return compile_fail(c, ERR_INVALID_REQUEST, node->position,
                            "a value of type " STR_FMT " has no fields", STR_ARG(type_text(c, of)));
    }
}

// A record of a schema's variable, reached by names only: its fields are static paths.
static bool is_static(const struct compile *c, const struct node *node)
{
    const struct type *type = type_resolve(node->type);
    bool is_record = type->schema != NULL && (type->kind == TYPE_RECORD || type->kind == TYPE_MESSAGE);
    bool is_root = node->kind == NODE_NAME && node->where == WHERE_VARIABLE &&
                   c->source->variables[node->index].of == CEL_OF_SCHEMA;
    return is_record && (is_root || node->where == WHERE_PATH);
}

static bool check_select(struct compile *c, struct node *node, const struct scope *scope)
{
    struct str name = dotted(c, node, scope);
    if (name.ptr != NULL && resolve(c, node, name)) {
        return true;
    }
    struct node *target = node->children[0];
    if (!check_node(c, target, scope)) {
        return false;
    }
    const struct type *of = optional_inside(target->type);
    bool was_optional = type_resolve(target->type)->kind == TYPE_OPTIONAL;
    const struct type *type = field_type(c, node, of);
    if (type == NULL) {
        return false;
    }
    node->where = !node->is_optional && !node->is_quoted && !was_optional && is_static(c, target)
                      ? WHERE_PATH
                      : WHERE_NONE;
    node->type = node->is_optional || was_optional ? type_new(c, TYPE_OPTIONAL, type, NULL) : type;
    return true;
}

static bool check_has(struct compile *c, struct node *node, const struct scope *scope)
{
    node->type = &type_bool;
    return check_node(c, node->children[0], scope) &&
           field_type(c, node, optional_inside(node->children[0]->type)) != NULL;
}

static bool is_number(const struct type *type)
{
    type = type_plain(type);
    return type->kind == TYPE_INT || type->kind == TYPE_UINT || type->kind == TYPE_DOUBLE;
}

static const struct type *index_type(struct compile *c, struct node *node, const struct type *of)
{
    struct node *index = node->children[1];
    if (is_lenient(c) || of->kind == TYPE_DYN || of->kind == TYPE_PARAMETER) {
        return &type_dyn;
    }
    if (of->kind == TYPE_LIST) {
        return want(c, index, &type_int, "the index of a list") ? of->first : NULL;
    }
    if (of->kind == TYPE_MAP) {
        bool are_numbers = is_number(of->first) && is_number(index->type);
        return are_numbers || want(c, index, of->first, "the key") ? of->second : NULL;
    }
    if (of->kind != TYPE_RECORD) {
        return compile_fail(c, ERR_INVALID_REQUEST, node->position,
                            "a value of type " STR_FMT " has no index", STR_ARG(type_text(c, of)));
    }
    if (index->kind == NODE_LITERAL && index->value.kind == CEL_STRING) {
        struct node field = *node;
        field.name = cel_str(index->value);
        return field_type(c, &field, of);
    }
    return want(c, index, &type_string, "the key") ? &type_dyn : NULL;
}

// is_field_by_index: message['a name'] of a record is the field, and may be a static path like it.
static bool is_field_by_index(struct compile *c, struct node *node)
{
    struct node *target = node->children[0];
    const struct node *key = node->children[1];
    return !node->is_optional && type_resolve(target->type)->kind == TYPE_RECORD && is_static(c, target) &&
           key->kind == NODE_LITERAL && cel_value_string(key->value, &node->name);
}

static bool check_index(struct compile *c, struct node *node, const struct scope *scope)
{
    if (!check_children(c, node, scope)) {
        return false;
    }
    if (is_field_by_index(c, node)) {
        node->kind = NODE_SELECT;
        node->count = 1;
        node->where = WHERE_PATH;
        node->type = field_type(c, node, type_resolve(node->children[0]->type));
        return node->type != NULL;
    }
    bool was_optional = type_resolve(node->children[0]->type)->kind == TYPE_OPTIONAL;
    const struct type *type = index_type(c, node, optional_inside(node->children[0]->type));
    if (type == NULL) {
        return false;
    }
    node->type = node->is_optional || was_optional ? type_new(c, TYPE_OPTIONAL, type, NULL) : type;
    return true;
}

// ---- calls

static bool has_arity(const struct signature *s, uint32_t count)
{
    return s->is_repeated ? count >= s->count : count == s->count;
}

static bool accepts_arguments(struct compile *c, const struct signature *s, const struct node *call)
{
    if (!has_arity(s, call->count)) {
        return false;
    }
    for (uint32_t i = 0; i < call->count && !is_lenient(c); i++) {
        uint32_t parameter = i < s->count ? i : s->count - 1;
        if (!type_accepts(c, s->arguments[parameter], call->children[i]->type)) {
            return false;
        }
    }
    return true;
}

static bool no_overload(struct compile *c, const struct node *call)
{
    struct buf out;
    buf_init(&out, ERROR_TEXT_SIZE);
    for (uint32_t i = 0; i < call->count; i++) {
        buf_printf(&out, i == 0 ? "" : ", ");
        type_print(type_settle(c, call->children[i]->type), &out);
    }
    compile_fail(c, ERR_INVALID_REQUEST, call->position,
                 "no matching overload for '" STR_FMT "' applied to '(" STR_FMT ")'", STR_ARG(call->name),
                 STR_ARG(buf_str(&out)));
    buf_fini(&out);
    return false;
}

// Overloads of `name` that the arguments fit. *ret_is_known: there is such a function.
static bool match_overloads(struct compile *c, struct node *call, struct str name, bool *ret_is_known)
{
    uint32_t cursor = 0;
    uint32_t count = 0;
    const struct cel_function *function;
    *ret_is_known = false;
    while (functions_find(c->source, name, call->is_member, &cursor) != NULL) {
        count++;
    }
    if (count == 0) {
        return false;
    }
    *ret_is_known = true;
    call->functions = compile_new(c, const struct cel_function *, count);
    call->type = NULL;
    for (cursor = 0; call->functions != NULL &&
                     (function = functions_find(c->source, name, call->is_member, &cursor)) != NULL;) {
        struct signature s = signature_parse(c, function->signature);
        uint32_t trail = c->trail_count;
        if (!accepts_arguments(c, &s, call)) {
            type_undo(c, trail);
            continue;
        }
        call->functions[call->function_count++] = function;
        call->type = call->type == NULL || type_equal(call->type, s.result) ? s.result : &type_dyn;
    }
    return call->function_count > 0;
}

static bool is_equality(const struct node *call)
{
    return !call->is_member && (str_equal(call->name, STR("_==_")) || str_equal(call->name, STR("_!=_")));
}

static bool check_equality(struct compile *c, struct node *call)
{
    struct node *a = call->children[0];
    struct node *b = call->children[1];
    call->type = &type_bool;
    bool are_numbers = is_number(a->type) && is_number(b->type);
    if (is_lenient(c) || are_numbers || type_accepts(c, a->type, b->type) ||
        type_accepts(c, b->type, a->type)) {
        return true;
    }
    return no_overload(c, call);
}

// `type(x)` has the static type of x.
static void refine_type_call(struct compile *c, struct node *call)
{
    if (!call->is_member && call->count == 1 && str_equal(call->name, STR("type"))) {
        call->type = type_new(c, TYPE_TYPE, call->children[0]->type, NULL);
    }
}

// A member call whose target is a name space: "math.abs(x)". True: it is one, and the target is gone.
static bool become_qualified(struct compile *c, struct node *call, const struct scope *scope)
{
    struct str target = call->is_member ? dotted(c, call->children[0], scope) : (struct str){0};
    if (target.ptr == NULL) {
        return false;
    }
    struct str name = arena_printf(&c->arena, STR_FMT "." STR_FMT, STR_ARG(target), STR_ARG(call->name));
    struct candidates at = candidates(c, name);
    struct str candidate;
    while (next_candidate(c, &at, &candidate)) {
        uint32_t cursor = 0;
        if (functions_find(c->source, candidate, false, &cursor) != NULL) {
            call->name = candidate;
            call->is_member = false;
            call->children++;
            call->count--;
            return true;
        }
    }
    return false;
}

static bool check_call(struct compile *c, struct node *call, const struct scope *scope)
{
    become_qualified(c, call, scope);
    if (!check_children(c, call, scope)) {
        return false;
    }
    if (is_equality(call)) {
        return check_equality(c, call);
    }
    struct candidates at = candidates(c, call->name);
    struct str name = call->name;
    bool is_known = false;
    while (call->is_member || next_candidate(c, &at, &name)) {
        if (match_overloads(c, call, name, &is_known)) {
            call->name = name;
            refine_type_call(c, call);
            return true;
        }
        if (is_known || call->is_member) {
            break;
        }
    }
    if (is_lenient(c)) {
        call->type = &type_dyn;
        return true;
    }
    if (is_known) {
        return no_overload(c, call);
    }
    compile_fail(c, ERR_INVALID_REQUEST, call->position, "there is no function \"" STR_FMT "\"",
                 STR_ARG(call->name));
    return false;
}

// ---- operators of their own

static bool check_terms(struct compile *c, struct node *node, const struct scope *scope)
{
    node->type = &type_bool;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!check_node(c, node->children[i], scope) ||
            !want(c, node->children[i], &type_bool,
                  node->kind == NODE_AND ? "a term of &&" : "a term of ||")) {
            return false;
        }
    }
    return true;
}

static bool check_choice(struct compile *c, struct node *node, const struct scope *scope)
{
    if (!check_children(c, node, scope) ||
        !want(c, node->children[0], &type_bool, "what stands before the ?")) {
        return false;
    }
    const struct type *yes = node->children[1]->type;
    const struct type *no = node->children[2]->type;
    if (!is_lenient(c) && !type_accepts(c, yes, no) && !type_accepts(c, no, yes)) {
        compile_fail(c, ERR_INVALID_REQUEST, node->position,
                     "one branch is of type " STR_FMT ", the other of type " STR_FMT,
                     STR_ARG(type_text(c, yes)), STR_ARG(type_text(c, no)));
        return false;
    }
    node->type = type_join(c, yes, no);
    return true;
}

// The type that a child contributes: of `?x` what is inside.
static const struct type *element_type(struct compile *c, struct node *node, uint32_t index)
{
    const struct type *type = node->children[index]->type;
    if (node->optionals == NULL || !node->optionals[index]) {
        return type;
    }
    const struct type *inside = type_fresh(c);
    const struct type *wanted = type_new(c, TYPE_OPTIONAL, inside, NULL);
    return want(c, node->children[index], wanted, "what stands behind the ?") ? inside : NULL;
}

static bool check_list(struct compile *c, struct node *node, const struct scope *scope)
{
    const struct type *item = NULL;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct type *type = check_node(c, node->children[i], scope) ? element_type(c, node, i) : NULL;
        if (type == NULL) {
            return false;
        }
        item = item == NULL ? type : type_join(c, item, type);
    }
    node->type = type_new(c, TYPE_LIST, item == NULL ? type_fresh(c) : item, NULL);
    return true;
}

static bool check_map(struct compile *c, struct node *node, const struct scope *scope)
{
    const struct type *key = NULL;
    const struct type *value = NULL;
    for (uint32_t i = 0; i < node->count; i += 2) {
        if (!check_node(c, node->children[i], scope) || !check_node(c, node->children[i + 1], scope)) {
            return false;
        }
        const struct type *type = element_type(c, node, i + 1);
        if (type == NULL) {
            return false;
        }
        key = key == NULL ? node->children[i]->type : type_join(c, key, node->children[i]->type);
        value = value == NULL ? type : type_join(c, value, type);
    }
    node->type =
        type_new(c, TYPE_MAP, key == NULL ? type_fresh(c) : key, value == NULL ? type_fresh(c) : value);
    return true;
}

static bool check_message(struct compile *c, struct node *node, const struct scope *scope)
{
    const struct cel_types *types = c->source->types;
    struct candidates at = candidates(c, node->name);
    struct str name;
    bool is_found = false;
    while (!is_found && types != NULL && next_candidate(c, &at, &name)) {
        is_found = types->is_message(types->context, name);
    }
    if (!is_found) {
        compile_fail(c, ERR_INVALID_REQUEST, node->position, "there is no message type \"" STR_FMT "\"",
                     STR_ARG(node->name));
        return false;
    }
    node->name = arena_str(&c->program->arena, name);
    const struct type message = {.kind = TYPE_MESSAGE, .name = name};
    for (uint32_t i = 0; i < node->count; i++) {
        const struct type *type = check_node(c, node->children[i], scope) ? element_type(c, node, i) : NULL;
        if (type == NULL) {
            return false;
        }
        struct node field = *node->children[i];
        field.name = node->names[i];
        const struct type *wanted = field_type(c, &field, &message);
        field.type = type;
        if (wanted == NULL || !want(c, &field, wanted, "the field's value")) {
            return false;
        }
    }
    node->type = type_of_message(c, name);
    return true;
}

// ---- macros

// Types of the keys and values of what a loop goes over; false: it is nothing to go over.
static bool range_types(struct compile *c, const struct node *range, const struct type **ret_key,
                        const struct type **ret_value)
{
    const struct type *type = type_plain(range->type);
    *ret_key = &type_dyn;
    *ret_value = &type_dyn;
    switch (type->kind) {
    case TYPE_LIST:
        *ret_key = &type_int;
        *ret_value = type->first;
        return true;
    case TYPE_MAP:
        *ret_key = type->first;
        *ret_value = type->second;
        return true;
    case TYPE_RECORD:
        *ret_key = &type_string;
        return true;
    case TYPE_DYN:
    case TYPE_PARAMETER:
        return true;
    default:
        break;
    }
    if (is_lenient(c)) {
        return true;
    }
    compile_fail(c, ERR_INVALID_REQUEST, range->position,
                 "a value of type " STR_FMT " is neither list nor map", STR_ARG(type_text(c, type)));
    return false;
}

static bool loop_type(struct compile *c, struct node *node, const struct type *key, const struct type *first)
{
    const struct node *body = node->children[node->count - 1];
    switch (node->loop) {
    case CEL_LOOP_ALL:
    case CEL_LOOP_EXISTS:
    case CEL_LOOP_ONE:
        node->type = &type_bool;
        return want(c, body, &type_bool, "the condition");
    case CEL_LOOP_FILTER:
        node->type = type_new(c, TYPE_LIST, first, NULL);
        return want(c, body, &type_bool, "the condition");
    case CEL_LOOP_MAP:
    case CEL_LOOP_LIST:
        node->type = type_new(c, TYPE_LIST, body->type, NULL);
        return true;
    case CEL_LOOP_VALUES:
        node->type = type_new(c, TYPE_MAP, key, body->type);
        return true;
    case CEL_LOOP_ENTRIES:
        node->type = type_new(c, TYPE_MAP, type_fresh(c), type_fresh(c));
        if (!want(c, body, node->type, "the entry")) {
            return false;
        }
        node->type = type_settle(c, node->type);
        return true;
    }
    UNREACHABLE("an enum cel_loop");
}

static bool check_loop(struct compile *c, struct node *node, const struct scope *scope)
{
    const struct type *key;
    const struct type *value;
    struct node *range = node->children[0];
    if (!check_node(c, range, scope) || !range_types(c, range, &key, &value)) {
        return false;
    }
    enum type_kind kind = type_plain(range->type)->kind;
    bool is_list = kind == TYPE_LIST;
    bool is_known = is_list || kind == TYPE_MAP || kind == TYPE_RECORD;
    const struct type *one = !is_known ? &type_dyn : is_list ? value : key;
    struct scope first = {scope, node->names[0], node->is_two ? key : one, 0};
    struct scope second = {&first, node->names[1], value, 0};
    const struct scope *inner = node->is_two ? &second : &first;
    for (uint32_t i = 1; i < node->count; i++) {
        if (!check_node(c, node->children[i], inner)) {
            return false;
        }
    }
    if (node->has_condition && !want(c, node->children[1], &type_bool, "the condition")) {
        return false;
    }
    return loop_type(c, node, key, first.type);
}

static bool check_bind(struct compile *c, struct node *node, const struct scope *scope)
{
    if (!check_node(c, node->children[0], scope)) {
        return false;
    }
    const struct type *type = node->children[0]->type;
    bool is_optional = node->kind == NODE_OPTIONAL_BIND;
    if (is_optional) {
        const struct type *inside = type_fresh(c);
        if (!want(c, node->children[0], type_new(c, TYPE_OPTIONAL, inside, NULL),
                  "what stands before the dot")) {
            return false;
        }
        type = inside;
    }
    struct scope inner = {scope, node->names[0], type, 0};
    if (!check_node(c, node->children[1], &inner)) {
        return false;
    }
    node->type = node->is_wrapped ? type_new(c, TYPE_OPTIONAL, node->children[1]->type, NULL)
                                  : node->children[1]->type;
    return true;
}

// ---- all of them

static bool check_kind(struct compile *c, struct node *node, const struct scope *scope)
{
    switch (node->kind) {
    case NODE_LITERAL:
        node->type = type_of_value(c, node->value);
        return true;
    case NODE_NAME:
        return check_name(c, node, scope);
    case NODE_SELECT:
        return check_select(c, node, scope);
    case NODE_HAS:
        return check_has(c, node, scope);
    case NODE_INDEX:
        return check_index(c, node, scope);
    case NODE_CALL:
        return check_call(c, node, scope);
    case NODE_AND:
    case NODE_OR:
        return check_terms(c, node, scope);
    case NODE_CHOICE:
        return check_choice(c, node, scope);
    case NODE_LIST:
        return check_list(c, node, scope);
    case NODE_MAP:
        return check_map(c, node, scope);
    case NODE_MESSAGE:
        return check_message(c, node, scope);
    case NODE_LOOP:
        return check_loop(c, node, scope);
    case NODE_BIND:
    case NODE_OPTIONAL_BIND:
        return check_bind(c, node, scope);
    }
    UNREACHABLE("an enum node_kind");
}

static bool check_node(struct compile *c, struct node *node, const struct scope *scope)
{
    if (!check_kind(c, node, scope) || c->err != ERR_OK) {
        return false;
    }
    if (is_lenient(c)) {
        node->type = &type_dyn;
    }
    return true;
}

bool check(struct compile *c, struct node *root)
{
    return check_node(c, root, NULL);
}
