// SPDX-License-Identifier: Apache-2.0
// compile_private.h - from text to program: the tree, the types, and the steps in their order: parse, check,
// emit. All of it lives in one arena that is gone once the program is made.
#ifndef CEL_COMPILE_PRIVATE_H
#define CEL_COMPILE_PRIVATE_H

#include "cel/program_private.h"

// ---- types

enum type_kind {
    TYPE_DYN,
    TYPE_NULL,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_UINT,
    TYPE_DOUBLE,
    TYPE_STRING,
    TYPE_BYTES,
    TYPE_TIMESTAMP,
    TYPE_DURATION,
    TYPE_LIST,     // first: of the items
    TYPE_MAP,      // first: of the keys, second: of the values
    TYPE_RECORD,   // of a schema that has no messages: a map with known names
    TYPE_MESSAGE,  // name
    TYPE_TYPE,     // first: which one; NULL: any
    TYPE_OPTIONAL, // first
    TYPE_OPAQUE,   // name
    TYPE_WRAPPER,  // first, or null
    TYPE_PARAMETER,
};

struct type {
    enum type_kind kind;
    const struct type *first;
    const struct type *second;
    struct str name;
    const struct value_type *schema; // of RECORD, and of a MESSAGE that comes from a schema
    struct parameter *parameter;
};

// A signature, read for one call.
enum { SIGNATURE_ARGUMENTS_MAX = 8 };
struct signature {
    const struct type *arguments[SIGNATURE_ARGUMENTS_MAX];
    uint32_t count;
    bool is_repeated; // the last one, once or more
    const struct type *result;
};

// A type parameter of one call: bound while arguments are tried.
struct parameter {
    const struct type *bound; // NULL: free
};

// ---- the tree

enum node_kind {
    NODE_LITERAL,
    NODE_NAME,   // an identifier; is_absolute: with a dot before it
    NODE_SELECT, // children[0].name
    NODE_HAS,
    NODE_INDEX,
    NODE_CALL, // operators too: "_+_"; is_member: children[0] is what stands before the dot
    NODE_AND,  // of two or more
    NODE_OR,
    NODE_CHOICE, // children: condition, then, else
    NODE_LIST,
    NODE_MAP,           // children: key, value, ...
    NODE_MESSAGE,       // name; names of the fields; children: their values
    NODE_LOOP,          // loop; names[0], names[1]: its variables; children: range, [condition,] body
    NODE_BIND,          // names[0]; children: value, body
    NODE_OPTIONAL_BIND, // names[0]; children: target, body; is_wrapped: the body's result becomes optional
};

enum where { WHERE_NONE, WHERE_VARIABLE, WHERE_LOCAL, WHERE_PATH };

struct node {
    enum node_kind kind;
    enum cel_loop loop;
    bool is_absolute;
    bool is_member;
    bool is_optional; // select or index with `?`
    bool is_wrapped;
    bool is_two; // a loop with two variables
    bool has_condition;
    bool is_quoted; // a name in backticks is no part of a qualified one
    uint32_t position;
    uint32_t depth; // of the tree below
    struct str name;
    struct node **children;
    uint32_t count;
    struct str *names;
    bool *optionals; // per item, entry or field; NULL: none
    struct cel_value value;
    // What the check found.
    const struct type *type;
    enum where where;
    uint32_t index;                        // variable, depth of the local's scope, or path
    const struct cel_function **functions; // the overloads that may be meant
    uint32_t function_count;
};

// A name that a macro brings.
struct scope {
    const struct scope *outer;
    struct str name;
    const struct type *type;
    uint32_t place; // in the stack, when code is made
};

struct compile {
    const struct cel_source *source;
    struct arena arena;
    struct cel_fault *fault;
    enum err err;
    uint32_t node_count;
    struct cel_program *program;
    // Of the check.
    struct cel_path *paths;
    const struct type **path_types;
    uint32_t path_count;
    struct parameter **trail; // bound since; for undoing
    uint32_t trail_count;
    uint32_t trail_cap;
};

// compile_fail keeps the first fault. It returns NULL, for parsers.
void *compile_fail(struct compile *c, enum err err, uint32_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// compile_alloc: zeroed; never NULL unless c->err is set.
void *compile_alloc(struct compile *c, size_t count, size_t size);
#define compile_new(c, type, count) ((type *)compile_alloc((c), (count), sizeof(type)))
bool compile_node_is_over(struct compile *c, uint32_t position);

// ---- lexer

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_QUOTED_NAME,
    TOKEN_INT,
    TOKEN_UINT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_BYTES,
    TOKEN_PUNCTUATION, // text: "&&", "<=", "(", ...
};
struct token {
    enum token_kind kind;
    uint32_t position;
    struct str text;
    struct cel_value value; // of literals; an int beyond int64 is is_big
    uint64_t number;
};
// lex_next reads the token at *at and moves behind it. false: a fault was set.
bool lex_next(struct compile *c, uint32_t *at, struct token *ret);
bool lex_string(struct compile *c, uint32_t position, struct str inside, bool is_raw, bool is_bytes,
                struct cel_value *ret);
bool lex_is_reserved(struct str name);

// ---- steps: each false if c->err is set

struct node *parse(struct compile *c);
// macro_expand: NULL without a fault: the call is none.
struct node *macro_expand(struct compile *c, struct node *call);
struct node *node_new(struct compile *c, enum node_kind kind, uint32_t position, uint32_t count);
bool node_measure(struct compile *c, struct node *node);
bool check(struct compile *c, struct node *root);
bool emit(struct compile *c, struct node *root);

// ---- types

extern const struct type type_dyn, type_null, type_bool, type_int, type_uint, type_double, type_string,
    type_bytes, type_timestamp, type_duration;
const struct type *type_new(struct compile *c, enum type_kind kind, const struct type *first,
                            const struct type *second);
const struct type *type_named(struct compile *c, enum type_kind kind, struct str name);
struct signature signature_parse(struct compile *c, const char *text);
const struct type *type_fresh(struct compile *c); // a free parameter
const struct type *type_resolve(const struct type *type);
// type_plain resolves, and takes off the wrapper of what may be null.
const struct type *type_plain(const struct type *type);
// type_accepts tells whether what is `from` may stand where `to` is wanted, and binds parameters.
bool type_accepts(struct compile *c, const struct type *to, const struct type *from);
void type_undo(struct compile *c, uint32_t trail_count);
// type_join is the type of what is one or the other.
const struct type *type_join(struct compile *c, const struct type *a, const struct type *b);
bool type_equal(const struct type *a, const struct type *b);
// type_settle replaces parameters by what they are bound to; free ones are dyn.
const struct type *type_settle(struct compile *c, const struct type *type);
void type_print(const struct type *type, struct buf *out);
const struct type *type_of_value(struct compile *c, struct cel_value value);
// type_of_message knows what Protobuf's own messages mean in CEL.
const struct type *type_of_message(struct compile *c, struct str name);
const struct type *type_of_name(struct compile *c, struct str name);
// The bits of enum cel_kind that a value of the type may have, and the name if it is opaque.
uint32_t type_kinds(const struct type *type, const char **ret_opaque);

// ---- types of schemas

const struct type *schema_root_type(struct compile *c, const struct cel_variable *variable);
// schema_field_type: NULL: the schema knows no such field; *ret_hint is one that it may have meant, or has a
// NULL ptr.
const struct type *schema_field_type(struct compile *c, const struct type *record, struct str name,
                                     struct str *ret_hint);
bool schema_type_equal(const struct value_type *a, const struct value_type *b);

// ---- functions

// functions_find walks the rows with a name; *cursor begins with 0; NULL: no more.
const struct cel_function *functions_find(const struct cel_source *source, struct str name, bool is_member,
                                          uint32_t *cursor);
const struct cel_constant *functions_constant(const struct cel_source *source, struct str name);

#endif
