// SPDX-License-Identifier: Apache-2.0
// program_private.h - a compiled expression: code for a machine with a stack of values. How deep the stack is
// at each instruction is known when it is made, so variables of macros are places of the stack.
#ifndef CEL_PROGRAM_PRIVATE_H
#define CEL_PROGRAM_PRIVATE_H

#include <stdatomic.h>

#include "cel/cel_private.h"

enum cel_op_code {
    CEL_OP_END,
    CEL_OP_CONSTANT, // c: index
    CEL_OP_VARIABLE, // c: index
    CEL_OP_LOCAL,    // c: place of the stack
    CEL_OP_PATH,     // c: index of the static path
    CEL_OP_FIELD,    // c: name
    CEL_OP_HAS,      // c: name
    CEL_OP_OPTIONAL_FIELD,
    CEL_OP_INDEX,
    CEL_OP_OPTIONAL_INDEX,
    CEL_OP_ADD,
    CEL_OP_SUBTRACT,
    CEL_OP_MULTIPLY,
    CEL_OP_DIVIDE,
    CEL_OP_MODULO,
    CEL_OP_NEGATE,
    CEL_OP_NOT,
    CEL_OP_EQUAL,
    CEL_OP_NOT_EQUAL,
    CEL_OP_LESS,
    CEL_OP_LESS_EQUAL,
    CEL_OP_GREATER,
    CEL_OP_GREATER_EQUAL,
    CEL_OP_IN,
    CEL_OP_AND,      // false: it is the result, go to c; anything else stays for AND_JOIN
    CEL_OP_AND_JOIN, // of two
    CEL_OP_OR,
    CEL_OP_OR_JOIN,
    CEL_OP_TEST,     // takes a bool: true goes on, false goes to c; no bool: an error, go to the next
                     // instruction's c
    CEL_OP_JUMP,     // to c
    CEL_OP_LIST,     // c: items on the stack
    CEL_OP_MAP,      // c: entries on the stack, a key and a value each
    CEL_OP_MESSAGE,  // c: index of its description
    CEL_OP_CALL,     // c: index of the call
    CEL_OP_SLIDE,    // c: the result goes to this place of the stack, what is above is dropped
    CEL_OP_UNWRAP,   // an optional: its value; none goes to c
    CEL_OP_WRAP,     // optional.of
    CEL_OP_LOOP,     // a: loop's level; takes a list or map; else goes to c with an error
    CEL_OP_NEXT,     // a: level; b: 0, or 1: the keys of a map, 2: two variables; at the end goes to c
    CEL_OP_LOOP_ALL, // a: level; c: its NEXT; each takes the body's result
    CEL_OP_LOOP_EXISTS,
    CEL_OP_LOOP_ONE,
    CEL_OP_LOOP_FILTER,
    CEL_OP_LOOP_WHEN,  // before a transform: true goes on
    CEL_OP_LOOP_MAP,   // appends
    CEL_OP_LOOP_VALUE, // the value for the key
    CEL_OP_LOOP_ENTRY, // the entries of a map
    CEL_OP_LOOP_END,   // a: level, b: enum cel_loop; makes the result
};

struct cel_op {
    uint8_t code;
    uint8_t a;
    uint16_t b;
    uint32_t c;
};

enum cel_loop {
    CEL_LOOP_ALL,
    CEL_LOOP_EXISTS,
    CEL_LOOP_ONE,
    CEL_LOOP_FILTER,
    CEL_LOOP_MAP,
    CEL_LOOP_LIST,    // transformList
    CEL_LOOP_VALUES,  // transformMap
    CEL_LOOP_ENTRIES, // transformMapEntry
};

// A loop's places on the stack: the result so far, its variables, then the body.
enum { CEL_LOOP_RESULT, CEL_LOOP_FIRST, CEL_LOOP_SECOND, CEL_LOOP_PLACES };

// A function as the values will be when it runs.
struct cel_overload {
    const struct cel_function *function;
    uint32_t *kinds;      // per argument: bits of enum cel_kind
    const char **opaques; // per argument: the name of an opaque type, or NULL
    uint8_t count;
    bool is_repeated; // the last argument may come more than once
};

struct cel_call_site {
    struct str name;
    const struct cel_overload *overloads;
    uint16_t overload_count;
    uint16_t argument_count;
    const struct cel_function *prepared_for;
    const void *prepared;
};

struct cel_names {
    struct str name; // of the message; of an operation on optional entries unused
    const struct str *names;
    const bool *is_optional; // per entry or item; NULL: none
    uint32_t count;
};

// What a function made of a literal, released with the program.
struct cel_prepared {
    const struct cel_function *function;
    void *made;
    struct cel_prepared *next;
};

struct cel_program {
    atomic_uint ref_count;
    struct arena arena; // all of it, this struct excepted
    const struct cel_op *code;
    uint32_t code_count;
    uint32_t stack_max;
    uint32_t loop_max;
    const struct cel_value *constants;
    const struct str *names;
    const struct cel_call_site *calls;
    struct cel_prepared *prepared;
    const struct cel_names *messages;
    const struct cel_path *paths;
    uint32_t path_count;
    struct program **schemas; // held
    uint32_t schema_count;
    const struct cel_types *types;
    enum cel_regex regex;
    bool matches_whole;
    bool has_unsigned;
    int result;
    struct str result_type;
};

// ---- what the machine shares with the functions of the core

struct cel_value cel_add(struct cel_call *call, struct cel_value a, struct cel_value b);
struct cel_value cel_subtract(struct cel_call *call, struct cel_value a, struct cel_value b);
struct cel_value cel_multiply(struct cel_call *call, struct cel_value a, struct cel_value b);
struct cel_value cel_divide(struct cel_call *call, struct cel_value a, struct cel_value b);
struct cel_value cel_modulo(struct cel_call *call, struct cel_value a, struct cel_value b);
struct cel_value cel_negate(struct cel_call *call, struct cel_value a);
struct cel_value cel_order(struct cel_call *call, enum cel_op_code op, struct cel_value a,
                           struct cel_value b);
struct cel_value cel_in(struct cel_call *call, struct cel_value item, struct cel_value of);
struct cel_value cel_field(struct cel_call *call, struct cel_value of, struct str name);
struct cel_value cel_has(struct cel_call *call, struct cel_value of, struct str name);
struct cel_value cel_index(struct cel_call *call, struct cel_value of, struct cel_value index);
// cel_no_overload is the error of an operator whose operands it does not know; an operand that is an error is
// the result.
struct cel_value cel_no_overload(struct cel_call *call, const char *name, struct cel_value a,
                                 struct cel_value b);
// cel_type_name names a value's type, for texts.
struct str cel_type_name(struct cel_value value);
// The call of an overload whose arguments fit; an error if none does.
struct cel_value cel_dispatch(struct cel_call *call, const struct cel_call_site *site,
                              const struct cel_value *args);

// ---- what a view is of

bool cel_is_protobuf(const struct view *view);
bool cel_is_json(const struct view *view);
// cel_key_kind is VIEW_STRING but for Protobuf's maps.
enum view_kind cel_key_kind(const struct view *map);

// ---- optional values: of what a field or an index may not give

struct cel_value cel_optional_field(struct cel_call *call, struct cel_value of, struct str name);
struct cel_value cel_optional_index(struct cel_call *call, struct cel_value of, struct cel_value index);

#endif
