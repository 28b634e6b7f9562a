// SPDX-License-Identifier: Apache-2.0
// macro.c - calls that are macros, as nodes of their own.
#include "cel/compile_private.h"

struct macro {
    const char *name;
    const char *target; // a name that must stand before the dot; NULL: anything
    uint32_t arguments; // without what stands before the dot
    struct node *(*expand)(struct compile *c, const struct node *call, const struct macro *macro);
    enum cel_loop loop;
    bool is_two;
    bool has_condition;
};

static bool is_plain_name(const struct node *node)
{
    return node->kind == NODE_NAME && !node->is_absolute;
}

// Children of `call` from the argument `from` on, after the range.
static struct node *expand_loop(struct compile *c, const struct node *call, const struct macro *macro)
{
    uint32_t variables = macro->is_two ? 2 : 1;
    for (uint32_t i = 1; i <= variables; i++) {
        if (!is_plain_name(call->children[i])) {
            return compile_fail(c, ERR_INVALID_REQUEST, call->children[i]->position,
                                "%s() wants a simple name here", macro->name);
        }
    }
    if (macro->is_two && str_equal(call->children[1]->name, call->children[2]->name)) {
        return compile_fail(c, ERR_INVALID_REQUEST, call->children[2]->position,
                            "%s() wants two different names", macro->name);
    }
    struct node *loop = node_new(c, NODE_LOOP, call->position, call->count - variables);
    struct str *names = compile_new(c, struct str, 2);
    if (loop == NULL || names == NULL) {
        return NULL;
    }
    loop->loop = macro->loop;
    loop->is_two = macro->is_two;
    loop->has_condition = macro->has_condition;
    loop->name = str_from_c(macro->name);
    loop->names = names;
    loop->children[0] = call->children[0];
    for (uint32_t i = 0; i < variables; i++) {
        names[i] = call->children[i + 1]->name;
    }
    for (uint32_t i = 1; i < loop->count; i++) {
        loop->children[i] = call->children[i + variables];
    }
    return node_measure(c, loop) ? loop : NULL;
}

static struct node *expand_bind(struct compile *c, const struct node *call, const struct macro *macro)
{
    bool is_optional = macro->target == NULL; // optMap, optFlatMap
    const struct node *name = call->children[1];
    if (!is_plain_name(name)) {
        return compile_fail(c, ERR_INVALID_REQUEST, name->position, "%s() wants a simple name here",
                            macro->name);
    }
    struct node *bind = node_new(c, is_optional ? NODE_OPTIONAL_BIND : NODE_BIND, call->position, 2);
    struct str *names = compile_new(c, struct str, 1);
    if (bind == NULL || names == NULL) {
        return NULL;
    }
    names[0] = name->name;
    bind->names = names;
    bind->is_wrapped = str_equal(call->name, STR("optMap"));
    bind->children[0] = is_optional ? call->children[0] : call->children[2];
    bind->children[1] = is_optional ? call->children[2] : call->children[3];
    return node_measure(c, bind) ? bind : NULL;
}

static struct node *expand_has(struct compile *c, const struct node *call, const struct macro *macro)
{
    struct node *select = call->children[0];
    if (select->kind != NODE_SELECT || select->is_optional) {
        return compile_fail(c, ERR_INVALID_REQUEST, select->position, "%s() wants a field: %s(a.b)",
                            macro->name, macro->name);
    }
    struct node *has = node_new(c, NODE_HAS, call->position, 1);
    if (has == NULL) {
        return NULL;
    }
    has->name = select->name;
    has->children[0] = select->children[0];
    return node_measure(c, has) ? has : NULL;
}

// The dotted name that a tree of selects writes; false: it is none.
static bool name_of(const struct node *node, struct buf *out)
{
    if (node->kind == NODE_NAME) {
        buf_append_str(out, node->name);
        return true;
    }
    if (node->kind != NODE_SELECT || node->is_optional || !name_of(node->children[0], out)) {
        return false;
    }
    buf_u8(out, '.');
    buf_append_str(out, node->name);
    return true;
}

// proto.getExt(message, package.extension): a field whose name is the extension's full one.
static struct node *expand_extension(struct compile *c, const struct node *call, const struct macro *macro)
{
    struct buf name;
    buf_init(&name, CEL_TEXT_BYTES_MAX);
    bool is_name = name_of(call->children[2], &name);
    struct node *select = node_new(c, macro->has_condition ? NODE_HAS : NODE_SELECT, call->position, 1);
    if (select != NULL && is_name) {
        select->name = arena_str(&c->arena, buf_str(&name));
        select->is_quoted = true;
        select->children[0] = call->children[1];
        node_measure(c, select);
    } else if (select != NULL) {
        compile_fail(c, ERR_INVALID_REQUEST, call->children[2]->position,
                     "%s() wants an extension's name here", macro->name);
    }
    buf_fini(&name);
    return c->err == ERR_OK ? select : NULL;
}

static struct node *name_node(struct compile *c, const struct node *call, struct str name)
{
    struct node *node = node_new(c, NODE_NAME, call->position, 0);
    if (node == NULL || name.ptr == NULL) {
        return NULL;
    }
    node->name = name;
    node->depth = 1;
    return node;
}

// cel.index(1), cel.iterVar(0, 1), cel.accuVar(0, 1): names that no source can write.
static struct node *expand_number(struct compile *c, const struct node *call, const struct macro *macro)
{
    int64_t numbers[2] = {0, 0};
    for (uint32_t i = 1; i < call->count; i++) {
        const struct node *number = call->children[i];
        if (number->kind != NODE_LITERAL || number->value.kind != CEL_INT || number->value.i < 0) {
            return compile_fail(c, ERR_INVALID_REQUEST, number->position, "%s() wants a number here",
                                macro->name);
        }
        numbers[i - 1] = number->value.i;
    }
    return name_node(
        c, call,
        arena_printf(&c->arena, "@%s:%lld:%lld", macro->name, (long long)numbers[0], (long long)numbers[1]));
}

// cel.block([a, b], body): a is cel.index(0) in b and body, b is cel.index(1) in body.
static struct node *expand_block(struct compile *c, const struct node *call, const struct macro *macro)
{
    const struct node *list = call->children[1];
    struct node *body = call->children[2];
    if (list->kind != NODE_LIST || list->optionals != NULL) {
        return compile_fail(c, ERR_INVALID_REQUEST, list->position, "%s() wants a list here", macro->name);
    }
    for (uint32_t i = list->count; i-- > 0;) {
        struct node *bind = node_new(c, NODE_BIND, call->position, 2);
        struct str *names = compile_new(c, struct str, 1);
        if (bind == NULL || names == NULL) {
            return NULL;
        }
        names[0] = arena_printf(&c->arena, "@index:%u:0", i);
        bind->names = names;
        bind->children[0] = list->children[i];
        bind->children[1] = body;
        if (!node_measure(c, bind)) {
            return NULL;
        }
        body = bind;
    }
    return body;
}

static const struct macro macros[] = {
    {"all", NULL, 2, expand_loop, CEL_LOOP_ALL, false, false},
    {"all", NULL, 3, expand_loop, CEL_LOOP_ALL, true, false},
    {"exists", NULL, 2, expand_loop, CEL_LOOP_EXISTS, false, false},
    {"exists", NULL, 3, expand_loop, CEL_LOOP_EXISTS, true, false},
    {"exists_one", NULL, 2, expand_loop, CEL_LOOP_ONE, false, false},
    {"existsOne", NULL, 2, expand_loop, CEL_LOOP_ONE, false, false},
    {"exists_one", NULL, 3, expand_loop, CEL_LOOP_ONE, true, false},
    {"existsOne", NULL, 3, expand_loop, CEL_LOOP_ONE, true, false},
    {"filter", NULL, 2, expand_loop, CEL_LOOP_FILTER, false, false},
    {"map", NULL, 2, expand_loop, CEL_LOOP_MAP, false, false},
    {"map", NULL, 3, expand_loop, CEL_LOOP_MAP, false, true},
    {"transformList", NULL, 3, expand_loop, CEL_LOOP_LIST, true, false},
    {"transformList", NULL, 4, expand_loop, CEL_LOOP_LIST, true, true},
    {"transformMap", NULL, 3, expand_loop, CEL_LOOP_VALUES, true, false},
    {"transformMap", NULL, 4, expand_loop, CEL_LOOP_VALUES, true, true},
    {"transformMapEntry", NULL, 3, expand_loop, CEL_LOOP_ENTRIES, true, false},
    {"transformMapEntry", NULL, 4, expand_loop, CEL_LOOP_ENTRIES, true, true},
    {"optMap", NULL, 2, expand_bind, CEL_LOOP_ALL, false, false},
    {"optFlatMap", NULL, 2, expand_bind, CEL_LOOP_ALL, false, false},
    {"bind", "cel", 3, expand_bind, CEL_LOOP_ALL, false, false},
    {"block", "cel", 2, expand_block, CEL_LOOP_ALL, false, false},
    {"index", "cel", 1, expand_number, CEL_LOOP_ALL, false, false},
    {"iterVar", "cel", 2, expand_number, CEL_LOOP_ALL, false, false},
    {"accuVar", "cel", 2, expand_number, CEL_LOOP_ALL, false, false},
    {"getExt", "proto", 2, expand_extension, CEL_LOOP_ALL, false, false},
    {"hasExt", "proto", 2, expand_extension, CEL_LOOP_ALL, false, true},
};

struct node *macro_expand(struct compile *c, struct node *call)
{
    static const struct macro has = {.name = "has"};
    if (!call->is_member) {
        return str_equal(call->name, STR("has")) && call->count == 1 ? expand_has(c, call, &has) : NULL;
    }
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
        const struct macro *m = &macros[i];
        if (!str_equal(call->name, str_from_c(m->name)) || call->count != m->arguments + 1) {
            continue;
        }
        const struct node *target = call->children[0];
        if (m->target == NULL || (is_plain_name(target) && str_equal(target->name, str_from_c(m->target)))) {
            return m->expand(c, call, m);
        }
    }
    return NULL;
}
