// SPDX-License-Identifier: Apache-2.0
// emit.c - the checked tree as code. What has only constants in it is computed here.
#include "cel/compile_private.h"

#include "base/assert.h"
#include "base/mem.h"

// A growing array of the compile's arena.
struct table {
    void *items;
    uint32_t count;
    uint32_t cap;
};

struct emitter {
    struct compile *c;
    struct table code;
    struct table constants;
    struct table names;
    struct table calls;
    struct table messages;
    struct table paths;
    uint32_t depth; // of the stack
    uint32_t depth_max;
    uint32_t loops; // that are open
    uint32_t loop_max;
    uint32_t prepared_count;
};

static bool emit_node(struct emitter *e, const struct node *node, const struct scope *scope);

static void *table_add(struct emitter *e, struct table *t, size_t size)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap == 0 ? 16 : t->cap * 2;
        void *items = compile_alloc(e->c, cap, size);
        if (items == NULL) {
            return NULL;
        }
        if (t->count > 0) {
            memcpy(items, t->items, t->count * size);
        }
        t->items = items;
        t->cap = cap;
    }
    return (uint8_t *)t->items + size * t->count++;
}

// Code of one instruction; `moves` is what it does to the depth of the stack.
static bool add(struct emitter *e, enum cel_op_code code, uint8_t a, uint16_t b, uint32_t operand, int moves)
{
    struct cel_op *op = table_add(e, &e->code, sizeof *op);
    if (op == NULL) {
        return false;
    }
    *op = (struct cel_op){(uint8_t)code, a, b, operand};
    e->depth = (uint32_t)((int)e->depth + moves);
    e->depth_max = e->depth > e->depth_max ? e->depth : e->depth_max;
    return true;
}

static uint32_t here(const struct emitter *e)
{
    return e->code.count;
}

static void aim(struct emitter *e, uint32_t jump)
{
    ((struct cel_op *)e->code.items)[jump].c = here(e);
}

// ---- what lives as long as the program

static bool keep_value(struct emitter *e, struct cel_value value, struct cel_value *ret)
{
    struct arena *arena = &e->c->program->arena;
    *ret = value;
    switch (value.kind) {
    case CEL_STRING:
    case CEL_BYTES:
    case CEL_TYPE:
    case CEL_ERROR:
        ret->ptr = value.len == 0 ? "" : arena_str(arena, cel_str(value)).ptr;
        return ret->ptr != NULL;
    default:
        return true;
    }
}

static bool emit_constant(struct emitter *e, struct cel_value value)
{
    struct cel_value *constant = table_add(e, &e->constants, sizeof *constant);
    if (constant == NULL || !keep_value(e, value, constant)) {
        return false;
    }
    return add(e, CEL_OP_CONSTANT, 0, 0, e->constants.count - 1, 1);
}

static bool add_name(struct emitter *e, struct str name, uint32_t *ret)
{
    struct str *names = e->names.items;
    for (uint32_t i = 0; i < e->names.count && i < 64; i++) {
        if (str_equal(names[i], name)) {
            *ret = i;
            return true;
        }
    }
    struct str *added = table_add(e, &e->names, sizeof *added);
    if (added == NULL) {
        return false;
    }
    *added = arena_str(&e->c->program->arena, name);
    *ret = e->names.count - 1;
    return true;
}

static bool emit_named(struct emitter *e, enum cel_op_code code, struct str name)
{
    uint32_t index;
    return add_name(e, name, &index) && add(e, code, 0, 0, index, 0);
}

// ---- paths

static uint32_t path_length(const struct node *node)
{
    uint32_t length = 0;
    for (; node->kind == NODE_SELECT; node = node->children[0]) {
        length++;
    }
    return length;
}

static bool path_is(const struct cel_path *path, const struct node *node)
{
    size_t at = path->name_count;
    for (; node->kind == NODE_SELECT; node = node->children[0]) {
        if (at == 0 || !str_equal(path->names[--at], node->name)) {
            return false;
        }
    }
    return at == 0 && path->variable == node->index;
}

static bool path_add(struct emitter *e, const struct node *node)
{
    struct arena *arena = &e->c->program->arena;
    uint32_t length = path_length(node);
    struct str *names = arena_new(arena, struct str, length);
    struct cel_path *path = table_add(e, &e->paths, sizeof *path);
    if (names == NULL || path == NULL) {
        return false;
    }
    *path = (struct cel_path){.names = names, .name_count = length};
    for (uint32_t at = length; at > 0; node = node->children[0]) {
        names[--at] = arena_str(arena, node->name);
    }
    path->variable = node->index;
    return true;
}

// False in *ret_is_path: there are too many, it is read field by field.
static bool emit_path(struct emitter *e, const struct node *node, bool *ret_is_path)
{
    const struct cel_path *paths = e->paths.items;
    uint32_t index = 0;
    *ret_is_path = true;
    while (index < e->paths.count && !path_is(&paths[index], node)) {
        index++;
    }
    if (index == CEL_PATHS_MAX) {
        *ret_is_path = false;
        return true;
    }
    if (index == e->paths.count && !path_add(e, node)) {
        return false;
    }
    return add(e, CEL_OP_PATH, 0, 0, index, 1);
}

// ---- calls

struct operation {
    const char *name;
    enum cel_op_code code;
};

static enum cel_op_code operator_code(struct str name)
{
    static const struct operation table[] = {
        {"_+_", CEL_OP_ADD},
        {"_-_", CEL_OP_SUBTRACT},
        {"_*_", CEL_OP_MULTIPLY},
        {"_/_", CEL_OP_DIVIDE},
        {"_%_", CEL_OP_MODULO},
        {"-_", CEL_OP_NEGATE},
        {"!_", CEL_OP_NOT},
        {"_==_", CEL_OP_EQUAL},
        {"_!=_", CEL_OP_NOT_EQUAL},
        {"_<_", CEL_OP_LESS},
        {"_<=_", CEL_OP_LESS_EQUAL},
        {"_>_", CEL_OP_GREATER},
        {"_>=_", CEL_OP_GREATER_EQUAL},
        {"@in", CEL_OP_IN},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (str_equal(name, str_from_c(table[i].name))) {
            return table[i].code;
        }
    }
    return CEL_OP_END;
}

static bool overload_fill(struct emitter *e, struct cel_overload *overload,
                          const struct cel_function *function)
{
    struct arena *arena = &e->c->program->arena;
    struct signature s = signature_parse(e->c, function->signature);
    overload->function = function;
    overload->count = (uint8_t)s.count;
    overload->is_repeated = s.is_repeated;
    overload->kinds = arena_new(arena, uint32_t, s.count + 1);
    overload->opaques = arena_new(arena, const char *, s.count + 1);
    if (overload->kinds == NULL || overload->opaques == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < s.count; i++) {
        overload->kinds[i] = type_kinds(s.arguments[i], &overload->opaques[i]);
        if (s.arguments[i]->kind == TYPE_OPAQUE || s.arguments[i]->kind == TYPE_OPTIONAL) {
            struct str name =
                s.arguments[i]->kind == TYPE_OPTIONAL ? STR("optional_type") : s.arguments[i]->name;
            overload->opaques[i] = arena_str(arena, name).ptr;
        }
    }
    return true;
}

static bool call_fill(struct emitter *e, struct cel_call_site *site, const struct node *call)
{
    struct arena *arena = &e->c->program->arena;
    struct cel_overload *overloads = arena_new(arena, struct cel_overload, call->function_count + 1);
    if (overloads == NULL) {
        return false;
    }
    *site = (struct cel_call_site){.name = arena_str(arena, call->name),
                                   .overloads = overloads,
                                   .overload_count = (uint16_t)call->function_count,
                                   .argument_count = (uint16_t)call->count};
    for (uint32_t i = 0; i < call->function_count; i++) {
        if (!overload_fill(e, &overloads[i], call->functions[i])) {
            return false;
        }
    }
    return true;
}

// A literal argument that the function wants to see before it runs.
static bool call_prepare(struct emitter *e, struct cel_call_site *site, const struct node *call)
{
    for (uint32_t i = 0; i < call->function_count; i++) {
        const struct cel_function *f = call->functions[i];
        if (f->prepare == NULL || f->prepare_index >= call->count ||
            call->children[f->prepare_index]->kind != NODE_LITERAL) {
            continue;
        }
        struct error error = {0};
        struct cel_program *program = e->c->program;
        if (e->prepared_count++ == CEL_PREPARED_MAX) {
            compile_fail(e->c, ERR_NO_MEMORY, call->position,
                         "the expression has more than %d regular expressions", CEL_PREPARED_MAX);
            return false;
        }
        struct cel_prepared *prepared = arena_new(&program->arena, struct cel_prepared, 1);
        if (prepared == NULL) {
            return false;
        }
        enum err err = f->prepare(program, call->children[f->prepare_index]->value, &prepared->made, &error);
        if (err != ERR_OK) {
            compile_fail(e->c, err, call->children[f->prepare_index]->position, "%s", error.text);
            return false;
        }
        if (prepared->made != NULL) {
            prepared->function = f;
            prepared->next = program->prepared;
            program->prepared = prepared;
            site->prepared = prepared->made;
            site->prepared_for = f;
        }
        return true;
    }
    return true;
}

static bool is_scalar(struct cel_value value)
{
    return value.kind != CEL_ERROR && value.kind != CEL_LIST && value.kind != CEL_MAP &&
           value.kind != CEL_MESSAGE && value.kind != CEL_OPAQUE;
}

// A call whose arguments are all literals is made now, if its result is a scalar. *ret_is_done: it was.
static bool emit_folded(struct emitter *e, const struct node *call, bool *ret_is_done)
{
    struct cel_value args[SIGNATURE_ARGUMENTS_MAX];
    *ret_is_done = false;
    if (call->count == 0 || call->count > SIGNATURE_ARGUMENTS_MAX || call->function_count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (call->children[i]->kind != NODE_LITERAL || !is_scalar(call->children[i]->value)) {
            return true;
        }
        args[i] = call->children[i]->value;
    }
    struct cel_call_site site;
    if (!call_fill(e, &site, call)) {
        return false;
    }
    struct cel_call run = {.arena = &e->c->arena,
                           .steps = CEL_NODES_MAX,
                           .program = e->c->program,
                           .types = e->c->source->types};
    struct cel_value value = cel_dispatch(&run, &site, args);
    if (run.is_over || !is_scalar(value)) {
        return true;
    }
    *ret_is_done = true;
    return emit_constant(e, value);
}

static bool emit_children(struct emitter *e, const struct node *node, const struct scope *scope)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (!emit_node(e, node->children[i], scope)) {
            return false;
        }
    }
    return true;
}

static bool emit_call(struct emitter *e, const struct node *call, const struct scope *scope)
{
    enum cel_op_code code = call->is_member ? CEL_OP_END : operator_code(call->name);
    if (code != CEL_OP_END) {
        return emit_children(e, call, scope) && add(e, code, 0, 0, 0, 1 - (int)call->count);
    }
    bool is_done = false;
    if (!emit_folded(e, call, &is_done) || is_done) {
        return is_done;
    }
    struct cel_call_site *site = table_add(e, &e->calls, sizeof *site);
    uint32_t index = e->calls.count - 1;
    if (site == NULL || !call_fill(e, site, call) || !call_prepare(e, site, call)) {
        return false;
    }
    return emit_children(e, call, scope) && add(e, CEL_OP_CALL, 0, 0, index, 1 - (int)call->count);
}

// ---- operators with a choice

static bool emit_terms(struct emitter *e, const struct node *node, const struct scope *scope)
{
    bool is_and = node->kind == NODE_AND;
    uint32_t *jumps = compile_new(e->c, uint32_t, node->count);
    if (jumps == NULL || !emit_node(e, node->children[0], scope)) {
        return false;
    }
    for (uint32_t i = 1; i < node->count; i++) {
        jumps[i] = here(e);
        if (!add(e, is_and ? CEL_OP_AND : CEL_OP_OR, 0, 0, 0, 0) || !emit_node(e, node->children[i], scope) ||
            !add(e, is_and ? CEL_OP_AND_JOIN : CEL_OP_OR_JOIN, 0, 0, 0, -1)) {
            return false;
        }
    }
    for (uint32_t i = 1; i < node->count; i++) {
        aim(e, jumps[i]);
    }
    return true;
}

static bool emit_choice(struct emitter *e, const struct node *node, const struct scope *scope)
{
    uint32_t depth = e->depth;
    if (!emit_node(e, node->children[0], scope)) {
        return false;
    }
    uint32_t test = here(e);
    if (!add(e, CEL_OP_TEST, 0, 0, 0, -1) || !add(e, CEL_OP_JUMP, 0, 0, 0, 0) ||
        !emit_node(e, node->children[1], scope)) {
        return false;
    }
    uint32_t jump = here(e);
    if (!add(e, CEL_OP_JUMP, 0, 0, 0, 0)) {
        return false;
    }
    aim(e, test);
    e->depth = depth;
    if (!emit_node(e, node->children[2], scope)) {
        return false;
    }
    aim(e, test + 1); // the way of an error
    aim(e, jump);
    return true;
}

// ---- what is built

static bool is_constant_list(const struct node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->children[i]->kind != NODE_LITERAL || !is_scalar(node->children[i]->value)) {
            return false;
        }
    }
    return node->optionals == NULL;
}

static bool emit_constant_list(struct emitter *e, const struct node *node)
{
    struct cel_value *items = arena_new(&e->c->program->arena, struct cel_value, node->count + 1);
    for (uint32_t i = 0; items != NULL && i < node->count; i++) {
        if (!keep_value(e, node->children[i]->value, &items[i])) {
            return false;
        }
    }
    return items != NULL && emit_constant(e, cel_list(items, node->count));
}

// `b` of the instruction is index + 1 of the list of optional entries; 0: there are none.
static bool emit_built(struct emitter *e, enum cel_op_code code, const struct node *node, uint32_t count,
                       const struct scope *scope)
{
    struct arena *arena = &e->c->program->arena;
    uint32_t index = 0;
    if (node->optionals != NULL || code == CEL_OP_MESSAGE) {
        struct cel_names *names = table_add(e, &e->messages, sizeof *names);
        struct str *fields = arena_new(arena, struct str, node->count + 1);
        bool *optionals = arena_new(arena, bool, node->count + 1);
        if (names == NULL || fields == NULL || optionals == NULL) {
            return false;
        }
        for (uint32_t i = 0; i < node->count; i++) {
            fields[i] = code == CEL_OP_MESSAGE ? arena_str(arena, node->names[i]) : (struct str){0};
            optionals[i] = node->optionals != NULL && node->optionals[i];
        }
        *names = (struct cel_names){arena_str(arena, node->name), fields, optionals, node->count};
        index = e->messages.count;
    }
    if (index > UINT16_MAX) {
        compile_fail(e->c, ERR_NO_MEMORY, node->position, "too many parts that are optional");
        return false;
    }
    return emit_children(e, node, scope) && add(e, code, 0, (uint16_t)index, count, 1 - (int)node->count);
}

// ---- macros

static bool emit_bind(struct emitter *e, const struct node *node, const struct scope *scope)
{
    if (!emit_node(e, node->children[0], scope)) {
        return false;
    }
    struct scope inner = {scope, node->names[0], NULL, e->depth - 1};
    uint32_t unwrap = here(e);
    bool is_optional = node->kind == NODE_OPTIONAL_BIND;
    if (is_optional && !add(e, CEL_OP_UNWRAP, 0, 0, 0, 0)) {
        return false;
    }
    if (!emit_node(e, node->children[1], &inner) || (node->is_wrapped && !add(e, CEL_OP_WRAP, 0, 0, 0, 0)) ||
        !add(e, CEL_OP_SLIDE, 0, 0, inner.place, -1)) {
        return false;
    }
    if (is_optional) {
        aim(e, unwrap);
    }
    return true;
}

static enum cel_op_code loop_code(enum cel_loop loop)
{
    switch (loop) {
    case CEL_LOOP_ALL:
        return CEL_OP_LOOP_ALL;
    case CEL_LOOP_EXISTS:
        return CEL_OP_LOOP_EXISTS;
    case CEL_LOOP_ONE:
        return CEL_OP_LOOP_ONE;
    case CEL_LOOP_FILTER:
        return CEL_OP_LOOP_FILTER;
    case CEL_LOOP_MAP:
    case CEL_LOOP_LIST:
        return CEL_OP_LOOP_MAP;
    case CEL_LOOP_VALUES:
        return CEL_OP_LOOP_VALUE;
    case CEL_LOOP_ENTRIES:
        return CEL_OP_LOOP_ENTRY;
    }
    UNREACHABLE("an enum cel_loop");
}

static bool emit_loop(struct emitter *e, const struct node *node, const struct scope *scope)
{
    if (!emit_node(e, node->children[0], scope)) {
        return false;
    }
    uint32_t base = e->depth - 1;
    uint8_t level = (uint8_t)e->loops++;
    e->loop_max = e->loops > e->loop_max ? e->loops : e->loop_max;
    struct scope first = {scope, node->names[0], NULL, base + CEL_LOOP_FIRST};
    struct scope second = {&first, node->names[1], NULL, base + CEL_LOOP_SECOND};
    const struct scope *inner = node->is_two ? &second : &first;
    uint32_t loop = here(e);
    if (!add(e, CEL_OP_LOOP, level, (uint16_t)node->loop, 0, CEL_LOOP_PLACES - 1)) {
        return false;
    }
    uint32_t next = here(e);
    if (!add(e, CEL_OP_NEXT, level, node->is_two, 0, 0)) {
        return false;
    }
    for (uint32_t i = 1; i < node->count; i++) {
        bool is_condition = node->has_condition && i == 1;
        enum cel_op_code code = is_condition ? CEL_OP_LOOP_WHEN : loop_code(node->loop);
        if (!emit_node(e, node->children[i], inner) || !add(e, code, level, 0, next, -1)) {
            return false;
        }
    }
    aim(e, next);
    if (!add(e, CEL_OP_LOOP_END, level, (uint16_t)node->loop, 0, 1 - CEL_LOOP_PLACES)) {
        return false;
    }
    aim(e, loop);
    e->loops--;
    return true;
}

// ---- all of them

static bool emit_name(struct emitter *e, const struct node *node, const struct scope *scope)
{
    if (node->where == WHERE_VARIABLE) {
        return add(e, CEL_OP_VARIABLE, 0, 0, node->index, 1);
    }
    while (!str_equal(scope->name, node->name)) {
        scope = scope->outer;
    }
    return add(e, CEL_OP_LOCAL, 0, 0, scope->place, 1);
}

static bool emit_select(struct emitter *e, const struct node *node, const struct scope *scope)
{
    if (node->where == WHERE_PATH) {
        bool is_path;
        if (!emit_path(e, node, &is_path) || is_path) {
            return e->c->err == ERR_OK;
        }
    }
    return emit_node(e, node->children[0], scope) &&
           emit_named(e, node->is_optional ? CEL_OP_OPTIONAL_FIELD : CEL_OP_FIELD, node->name);
}

static bool emit_node(struct emitter *e, const struct node *node, const struct scope *scope)
{
    switch (node->kind) {
    case NODE_LITERAL:
        return emit_constant(e, node->value);
    case NODE_NAME:
        return emit_name(e, node, scope);
    case NODE_SELECT:
        return emit_select(e, node, scope);
    case NODE_HAS:
        return emit_node(e, node->children[0], scope) && emit_named(e, CEL_OP_HAS, node->name);
    case NODE_INDEX:
        return emit_children(e, node, scope) &&
               add(e, node->is_optional ? CEL_OP_OPTIONAL_INDEX : CEL_OP_INDEX, 0, 0, 0, -1);
    case NODE_CALL:
        return emit_call(e, node, scope);
    case NODE_AND:
    case NODE_OR:
        return emit_terms(e, node, scope);
    case NODE_CHOICE:
        return emit_choice(e, node, scope);
    case NODE_LIST:
        return is_constant_list(node) ? emit_constant_list(e, node)
                                      : emit_built(e, CEL_OP_LIST, node, node->count, scope);
    case NODE_MAP:
        return emit_built(e, CEL_OP_MAP, node, node->count / 2, scope);
    case NODE_MESSAGE:
        return emit_built(e, CEL_OP_MESSAGE, node, node->count, scope);
    case NODE_LOOP:
        return emit_loop(e, node, scope);
    case NODE_BIND:
    case NODE_OPTIONAL_BIND:
        return emit_bind(e, node, scope);
    }
    UNREACHABLE("an enum node_kind");
}

static void *table_take(struct emitter *e, const struct table *t, size_t size)
{
    void *items = arena_array_alloc(&e->c->program->arena, t->count + 1, size);
    if (items != NULL && t->count > 0) {
        memcpy(items, t->items, t->count * size);
    }
    return items;
}

static bool take_tables(struct emitter *e)
{
    struct cel_program *p = e->c->program;
    p->code = table_take(e, &e->code, sizeof(struct cel_op));
    p->code_count = e->code.count;
    p->constants = table_take(e, &e->constants, sizeof(struct cel_value));
    p->names = table_take(e, &e->names, sizeof(struct str));
    p->calls = table_take(e, &e->calls, sizeof(struct cel_call_site));
    p->messages = table_take(e, &e->messages, sizeof(struct cel_names));
    p->paths = table_take(e, &e->paths, sizeof(struct cel_path));
    p->path_count = e->paths.count;
    p->stack_max = e->depth_max;
    p->loop_max = e->loop_max;
    return !p->arena.failed;
}

bool emit(struct compile *c, struct node *root)
{
    struct emitter e = {.c = c};
    return emit_node(&e, root, NULL) && add(&e, CEL_OP_END, 0, 0, 0, 0) && take_tables(&e) &&
           c->err == ERR_OK;
}
