// SPDX-License-Identifier: Apache-2.0
// program_private.h - a compiled schema: flat code that checks payloads, and beside it the types as numbered
// nodes, by which faults are explained and views walk.
#ifndef FORMAT_AVRO_PROGRAM_PRIVATE_H
#define FORMAT_AVRO_PROGRAM_PRIVATE_H

#include "format/avro/avro_private.h"

enum avro_op_code {
    OP_END, // of the payload, which must end here
    OP_BOOLEAN,
    OP_INT,
    OP_LONG,
    OP_SKIP, // a: bytes
    OP_BYTES,
    OP_STRING,
    OP_ENUM,    // a: symbols
    OP_OPTION,  // a union of null and the code that follows. a: where to go on with null; b: null's index
    OP_UNION,   // a: first of its targets; b: branches
    OP_JUMP,    // a: target
    OP_BLOCKS,  // of an array or map; the items' code follows. a: behind its OP_ITEM
    OP_ITEM,    // the end of an item. a: the item's code
    OP_EMPTIES, // an array of items that take no bytes
    OP_CALL,    // a: target
    OP_RETURN,
};

struct avro_op {
    uint32_t code;
    uint32_t a;
    uint32_t b;
};

struct avro_node {
    const struct avro_type *type;
    uint32_t first_child; // in children
    uint32_t ops;         // that its inlined code would take
    uint8_t inline_depth;
    bool is_called; // a record that is code on its own
    bool is_empty;  // takes no bytes, ever
};

struct avro_program {
    struct program base;
    struct arena arena;
    struct avro_op *code;
    uint32_t *targets;
    struct avro_node *nodes; // the first is the root
    uint32_t *children;
    uint32_t op_count;
    uint32_t target_count;
    uint32_t node_count;
};

static inline const struct avro_program *avro_program_of(const struct program *program)
{
    return (const struct avro_program *)program;
}

// avro_varint reads a varint of at most `size_max` bytes (5 of int, 10 of long) that carries no bit too much;
// NULL if it is none. Others than the shortest form of a number are read, as Java reads them.
const uint8_t *avro_varint(const uint8_t *p, const uint8_t *end, int size_max, uint64_t *ret);
static inline int64_t avro_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ -(v & 1));
}

enum err avro_compile(const struct schema *schema, const int32_t *root, size_t root_count,
                      struct program **ret, struct error *e);
void avro_program_destroy(struct program *program);
size_t avro_program_memory(const struct program *program);
enum err avro_check(const struct program *program, struct bytes payload, struct program_fault *ret);
// avro_accepts is the check without an explanation.
bool avro_accepts(const struct avro_program *program, struct bytes payload);
// avro_explain checks by the types instead of the code, and tells of the first fault. true: there is none.
bool avro_explain(const struct avro_program *program, struct bytes payload, struct program_fault *ret);

struct view avro_view_root(const struct program *program, struct bytes payload);
struct view avro_view_field(const struct view *record, struct str name);
bool avro_view_next(struct view_items *items, struct str *ret_key, struct view *ret);

#endif
