// SPDX-License-Identifier: Apache-2.0
// parse.c - tokens to a tree, by the precedence of operators. How deep a tree may be is bounded, so that what
// walks it may recurse.
#include "cel/compile_private.h"

#include "base/assert.h"

struct parser {
    struct compile *c;
    struct token token; // the next one
    uint32_t at;
    uint32_t depth;
};

static struct node *parse_expression(struct parser *p);

// ---- nodes

struct node *node_new(struct compile *c, enum node_kind kind, uint32_t position, uint32_t count)
{
    if (++c->node_count > CEL_NODES_MAX) {
        return compile_fail(c, ERR_NO_MEMORY, position, "the expression has more than %d parts",
                            CEL_NODES_MAX);
    }
    struct node *node = compile_new(c, struct node, 1);
    if (node == NULL) {
        return NULL;
    }
    node->kind = kind;
    node->position = position;
    node->count = count;
    node->children = count == 0 ? NULL : compile_new(c, struct node *, count);
    return count > 0 && node->children == NULL ? NULL : node;
}

bool node_measure(struct compile *c, struct node *node)
{
    uint32_t depth = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        depth = node->children[i]->depth > depth ? node->children[i]->depth : depth;
    }
    node->depth = depth + 1;
    if (node->depth > CEL_DEPTH_MAX) {
        compile_fail(c, ERR_NO_MEMORY, node->position, "expressions are nested deeper than %d",
                     CEL_DEPTH_MAX);
    }
    return c->err == ERR_OK;
}

// A list of children whose number is not known yet.
struct children {
    struct node **nodes;
    struct str *names;
    bool *optionals;
    uint32_t count;
    uint32_t cap;
    bool has_optional;
};

static bool children_add(struct parser *p, struct children *list, struct node *node, struct str name,
                         bool is_optional)
{
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 8 : list->cap * 2;
        struct node **nodes = compile_new(p->c, struct node *, cap);
        struct str *names = compile_new(p->c, struct str, cap);
        bool *optionals = compile_new(p->c, bool, cap);
        if (nodes == NULL || names == NULL || optionals == NULL) {
            return false;
        }
        if (list->count > 0) {
            memcpy(nodes, list->nodes, list->count * sizeof *nodes);
            memcpy(names, list->names, list->count * sizeof *names);
            memcpy(optionals, list->optionals, list->count * sizeof *optionals);
        }
        list->nodes = nodes;
        list->names = names;
        list->optionals = optionals;
        list->cap = cap;
    }
    list->nodes[list->count] = node;
    list->names[list->count] = name;
    list->optionals[list->count++] = is_optional;
    list->has_optional |= is_optional;
    return true;
}

static struct node *node_of_children(struct parser *p, enum node_kind kind, uint32_t position,
                                     const struct children *list)
{
    struct node *node = node_new(p->c, kind, position, 0);
    if (node == NULL) {
        return NULL;
    }
    node->children = list->nodes;
    node->count = list->count;
    node->names = list->names;
    node->optionals = list->has_optional ? list->optionals : NULL;
    return node_measure(p->c, node) ? node : NULL;
}

// ---- tokens

static bool advance(struct parser *p)
{
    return lex_next(p->c, &p->at, &p->token);
}

static bool is_at(const struct parser *p, const char *text)
{
    return p->token.kind == TOKEN_PUNCTUATION && str_equal(p->token.text, str_from_c(text));
}

// True, and the token is passed.
static bool take(struct parser *p, const char *text)
{
    return is_at(p, text) && advance(p);
}

static void *unexpected(struct parser *p, const char *wanted)
{
    if (p->token.kind == TOKEN_END) {
        return compile_fail(p->c, ERR_INVALID_REQUEST, p->token.position,
                            "the expression ends where %s is expected", wanted);
    }
    return compile_fail(p->c, ERR_INVALID_REQUEST, p->token.position, "%s is expected here", wanted);
}

static bool expect(struct parser *p, const char *text)
{
    if (!is_at(p, text)) {
        char wanted[8] = {'\'', text[0], '\'', '\0'};
        unexpected(p, wanted);
        return false;
    }
    return advance(p);
}

static bool enter(struct parser *p)
{
    if (++p->depth > CEL_DEPTH_MAX) {
        compile_fail(p->c, ERR_NO_MEMORY, p->token.position, "expressions are nested deeper than %d",
                     CEL_DEPTH_MAX);
        return false;
    }
    return true;
}

// ---- lists of arguments, items, entries

static bool parse_items(struct parser *p, const char *end, bool may_be_optional, struct children *ret)
{
    while (!is_at(p, end)) {
        bool is_optional = may_be_optional && take(p, "?");
        struct node *item = p->c->err == ERR_OK ? parse_expression(p) : NULL;
        if (item == NULL || !children_add(p, ret, item, (struct str){0}, is_optional)) {
            return false;
        }
        if (!take(p, ",")) {
            break;
        }
        if (!may_be_optional && is_at(p, end)) {
            unexpected(p, "an argument");
            return false;
        }
    }
    return p->c->err == ERR_OK && expect(p, end);
}

static struct node *parse_list(struct parser *p)
{
    uint32_t position = p->token.position;
    struct children items = {0};
    if (!advance(p) || !parse_items(p, "]", true, &items)) {
        return NULL;
    }
    return node_of_children(p, NODE_LIST, position, &items);
}

static struct node *parse_map(struct parser *p)
{
    uint32_t position = p->token.position;
    struct children parts = {0};
    if (!advance(p)) {
        return NULL;
    }
    while (!is_at(p, "}")) {
        bool is_optional = take(p, "?");
        struct node *key = p->c->err == ERR_OK ? parse_expression(p) : NULL;
        if (key == NULL || !expect(p, ":")) {
            return NULL;
        }
        struct node *value = parse_expression(p);
        if (value == NULL || !children_add(p, &parts, key, (struct str){0}, is_optional) ||
            !children_add(p, &parts, value, (struct str){0}, is_optional)) {
            return NULL;
        }
        if (!take(p, ",")) {
            break;
        }
    }
    return p->c->err == ERR_OK && expect(p, "}") ? node_of_children(p, NODE_MAP, position, &parts) : NULL;
}

// The dotted name of a tree of selects; NULL ptr: it is none.
static struct str qualified_name(struct parser *p, const struct node *node)
{
    if (node->kind == NODE_NAME) {
        return node->is_absolute ? arena_printf(&p->c->arena, "." STR_FMT, STR_ARG(node->name)) : node->name;
    }
    if (node->kind != NODE_SELECT || node->is_optional || node->is_quoted) {
        return (struct str){0};
    }
    struct str outer = qualified_name(p, node->children[0]);
    if (outer.ptr == NULL) {
        return outer;
    }
    return arena_printf(&p->c->arena, STR_FMT "." STR_FMT, STR_ARG(outer), STR_ARG(node->name));
}

static struct node *parse_message(struct parser *p, struct str name, uint32_t position)
{
    struct children fields = {0};
    if (!advance(p)) {
        return NULL;
    }
    while (!is_at(p, "}")) {
        bool is_optional = take(p, "?");
        struct str field = p->token.text;
        if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_QUOTED_NAME) {
            return unexpected(p, "a field's name");
        }
        if (!advance(p) || !expect(p, ":")) {
            return NULL;
        }
        struct node *value = parse_expression(p);
        if (value == NULL || !children_add(p, &fields, value, field, is_optional)) {
            return NULL;
        }
        if (!take(p, ",")) {
            break;
        }
    }
    if (p->c->err != ERR_OK || !expect(p, "}")) {
        return NULL;
    }
    struct node *node = node_of_children(p, NODE_MESSAGE, position, &fields);
    if (node != NULL) {
        node->name = name;
    }
    return node;
}

// ---- primary expressions

static struct node *literal(struct parser *p, struct cel_value value, uint32_t position)
{
    struct node *node = node_new(p->c, NODE_LITERAL, position, 0);
    if (node != NULL) {
        node->value = value;
        node->depth = 1;
    }
    return node;
}

static struct node *parse_literal(struct parser *p, bool is_negative)
{
    struct token t = p->token;
    struct cel_value value = t.value;
    if (t.kind == TOKEN_UINT) {
        value = cel_uint(t.number);
    } else if (t.kind == TOKEN_INT) {
        if (t.number > (uint64_t)INT64_MAX && !is_negative) {
            return compile_fail(p->c, ERR_INVALID_REQUEST, t.position, "the number is too large");
        }
        value = cel_int((int64_t)(is_negative ? 0 - t.number : t.number));
    } else if (t.kind == TOKEN_DOUBLE && is_negative) {
        value.d = -value.d;
    }
    return advance(p) ? literal(p, value, t.position) : NULL;
}

static struct node *parse_call(struct parser *p, struct node *target, struct str name, uint32_t position)
{
    struct children arguments = {0};
    if (target != NULL && !children_add(p, &arguments, target, (struct str){0}, false)) {
        return NULL;
    }
    if (!advance(p) || !parse_items(p, ")", false, &arguments)) {
        return NULL;
    }
    struct node *call = node_of_children(p, NODE_CALL, position, &arguments);
    if (call == NULL) {
        return NULL;
    }
    call->name = name;
    call->is_member = target != NULL;
    struct node *expanded = macro_expand(p->c, call);
    if (p->c->err != ERR_OK) {
        return NULL;
    }
    return expanded != NULL ? expanded : call;
}

static struct node *parse_name(struct parser *p, bool is_absolute)
{
    struct token t = p->token;
    if (t.kind != TOKEN_NAME || !advance(p)) {
        return t.kind != TOKEN_NAME ? unexpected(p, "a name") : NULL;
    }
    if (!is_absolute) {
        if (str_equal(t.text, STR("true")) || str_equal(t.text, STR("false"))) {
            return literal(p, cel_bool(t.text.len == 4), t.position);
        }
        if (str_equal(t.text, STR("null"))) {
            return literal(p, cel_null(), t.position);
        }
    }
    if (lex_is_reserved(t.text)) {
        return compile_fail(p->c, ERR_INVALID_REQUEST, t.position, "\"" STR_FMT "\" is a reserved word",
                            STR_ARG(t.text));
    }
    if (is_at(p, "(")) {
        struct str name = is_absolute ? arena_printf(&p->c->arena, "." STR_FMT, STR_ARG(t.text)) : t.text;
        return parse_call(p, NULL, name, t.position);
    }
    struct node *node = node_new(p->c, NODE_NAME, t.position, 0);
    if (node != NULL) {
        node->name = t.text;
        node->is_absolute = is_absolute;
        node->depth = 1;
    }
    return node;
}

static struct node *parse_primary(struct parser *p)
{
    switch (p->token.kind) {
    case TOKEN_INT:
    case TOKEN_UINT:
    case TOKEN_DOUBLE:
    case TOKEN_STRING:
    case TOKEN_BYTES:
        return parse_literal(p, false);
    case TOKEN_NAME:
        return parse_name(p, false);
    default:
        break;
    }
    if (is_at(p, "(")) {
        struct node *inside = advance(p) ? parse_expression(p) : NULL;
        return inside != NULL && expect(p, ")") ? inside : NULL;
    }
    if (is_at(p, "[")) {
        return parse_list(p);
    }
    if (is_at(p, "{")) {
        return parse_map(p);
    }
    if (is_at(p, ".")) {
        return advance(p) ? parse_name(p, true) : NULL;
    }
    return unexpected(p, "an expression");
}

// ---- what follows a primary expression

static struct node *parse_select(struct parser *p, struct node *target)
{
    if (!advance(p)) {
        return NULL;
    }
    bool is_optional = take(p, "?");
    struct token t = p->token;
    bool is_keyword = str_equal(t.text, STR("in")) || str_equal(t.text, STR("true")) ||
                      str_equal(t.text, STR("false")) || str_equal(t.text, STR("null"));
    if (p->c->err != ERR_OK || (t.kind != TOKEN_NAME && t.kind != TOKEN_QUOTED_NAME) ||
        (is_keyword && t.kind == TOKEN_NAME)) {
        return p->c->err != ERR_OK ? NULL : unexpected(p, "a field's name");
    }
    if (!advance(p)) {
        return NULL;
    }
    if (is_at(p, "(") && !is_optional && t.kind == TOKEN_NAME) {
        return parse_call(p, target, t.text, t.position);
    }
    struct node *node = node_new(p->c, NODE_SELECT, t.position, 1);
    if (node == NULL) {
        return NULL;
    }
    node->children[0] = target;
    node->name = t.text;
    node->is_optional = is_optional;
    node->is_quoted = t.kind == TOKEN_QUOTED_NAME;
    return node_measure(p->c, node) ? node : NULL;
}

static struct node *parse_index(struct parser *p, struct node *target)
{
    uint32_t position = p->token.position;
    if (!advance(p)) {
        return NULL;
    }
    bool is_optional = take(p, "?");
    struct node *index = p->c->err == ERR_OK ? parse_expression(p) : NULL;
    if (index == NULL || !expect(p, "]")) {
        return NULL;
    }
    struct node *node = node_new(p->c, NODE_INDEX, position, 2);
    if (node == NULL) {
        return NULL;
    }
    node->children[0] = target;
    node->children[1] = index;
    node->is_optional = is_optional;
    return node_measure(p->c, node) ? node : NULL;
}

static struct node *parse_member(struct parser *p, struct node *node)
{
    while (node != NULL) {
        if (is_at(p, ".")) {
            node = parse_select(p, node);
        } else if (is_at(p, "[")) {
            node = parse_index(p, node);
        } else if (is_at(p, "{") && (node->kind == NODE_NAME || node->kind == NODE_SELECT)) {
            struct str name = qualified_name(p, node);
            if (name.ptr == NULL) {
                return unexpected(p, "an operator");
            }
            node = parse_message(p, name, node->position);
        } else {
            return node;
        }
    }
    return NULL;
}

// ---- operators

static struct node *operator_node(struct parser *p, const char *name, uint32_t position, struct node *a,
                                  struct node *b)
{
    if (a == NULL) {
        return NULL;
    }
    struct node *node = node_new(p->c, NODE_CALL, position, b == NULL ? 1 : 2);
    if (node == NULL) {
        return NULL;
    }
    node->children[0] = a;
    if (b != NULL) {
        node->children[1] = b;
    }
    node->name = str_from_c(name);
    return node_measure(p->c, node) ? node : NULL;
}

static struct node *parse_unary(struct parser *p)
{
    uint32_t position = p->token.position;
    bool is_not = is_at(p, "!");
    if (!is_not && !is_at(p, "-")) {
        return parse_member(p, parse_primary(p));
    }
    if (!advance(p)) {
        return NULL;
    }
    if (!is_not && (p->token.kind == TOKEN_INT || p->token.kind == TOKEN_DOUBLE)) {
        return parse_member(p, parse_literal(p, true));
    }
    // Recursion is entered for each sign: there may be many.
    struct node *operand = enter(p) ? parse_unary(p) : NULL;
    p->depth--;
    return operand == NULL ? NULL : operator_node(p, is_not ? "!_" : "-_", position, operand, NULL);
}

struct binary {
    const char *text;
    const char *name;
    int level;
};

static const struct binary *binary_at(const struct parser *p)
{
    static const struct binary table[] = {
        {"<", "_<_", 1},   {"<=", "_<=_", 1}, {">", "_>_", 1}, {">=", "_>=_", 1},
        {"==", "_==_", 1}, {"!=", "_!=_", 1}, {"+", "_+_", 2}, {"-", "_-_", 2},
        {"*", "_*_", 3},   {"/", "_/_", 3},   {"%", "_%_", 3},
    };
    static const struct binary in = {"in", "@in", 1};
    if (p->token.kind == TOKEN_NAME && str_equal(p->token.text, STR("in"))) {
        return &in;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (is_at(p, table[i].text)) {
            return &table[i];
        }
    }
    return NULL;
}

// Operators of `level` and above; those of one level group from the left.
static struct node *parse_binary(struct parser *p, int level)
{
    struct node *left = parse_unary(p);
    const struct binary *op;
    while (left != NULL && (op = binary_at(p)) != NULL && op->level >= level) {
        uint32_t position = p->token.position;
        struct node *right = advance(p) ? parse_binary(p, op->level + 1) : NULL;
        left = right == NULL ? NULL : operator_node(p, op->name, position, left, right);
    }
    return p->c->err == ERR_OK ? left : NULL;
}

// a && b && c is one node: a long chain is not deep.
static struct node *parse_chain(struct parser *p, bool is_or)
{
    const char *op = is_or ? "||" : "&&";
    struct node *first = is_or ? parse_chain(p, false) : parse_binary(p, 1);
    if (first == NULL || !is_at(p, op)) {
        return first;
    }
    uint32_t position = p->token.position;
    struct children terms = {0};
    struct node *term = first;
    for (;;) {
        if (term == NULL || !children_add(p, &terms, term, (struct str){0}, false)) {
            return NULL;
        }
        if (!take(p, op)) {
            break;
        }
        term = is_or ? parse_chain(p, false) : parse_binary(p, 1);
    }
    return p->c->err == ERR_OK ? node_of_children(p, is_or ? NODE_OR : NODE_AND, position, &terms) : NULL;
}

static struct node *parse_choice(struct parser *p)
{
    struct node *condition = parse_chain(p, true);
    if (condition == NULL || !is_at(p, "?")) {
        return condition;
    }
    uint32_t position = p->token.position;
    struct node *yes = advance(p) ? parse_chain(p, true) : NULL;
    struct node *no = yes != NULL && expect(p, ":") ? parse_expression(p) : NULL;
    struct node *node = no == NULL ? NULL : node_new(p->c, NODE_CHOICE, position, 3);
    if (node == NULL) {
        return NULL;
    }
    node->children[0] = condition;
    node->children[1] = yes;
    node->children[2] = no;
    return node_measure(p->c, node) ? node : NULL;
}

static struct node *parse_expression(struct parser *p)
{
    struct node *node = enter(p) ? parse_choice(p) : NULL;
    p->depth--;
    return node;
}

struct node *parse(struct compile *c)
{
    struct parser p = {.c = c};
    if (!advance(&p)) {
        return NULL;
    }
    struct node *root = parse_expression(&p);
    if (root != NULL && p.token.kind != TOKEN_END) {
        return unexpected(&p, "an operator or the end");
    }
    return c->err == ERR_OK ? root : NULL;
}
