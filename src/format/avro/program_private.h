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
    OP_SLOT,     // a value that a path leads to begins. a: slot; b: node
    OP_SLOT_END, // it ends. a: slot
};

struct avro_op {
    uint32_t code;
    uint32_t a;
    uint32_t b;
};

// Where the value of a slot lies.
struct avro_mark {
    const uint8_t *p;   // NULL: it is not there
    const uint8_t *end; // of records, lists and maps
    uint32_t node;
};
#define AVRO_NO_SLOT UINT32_MAX

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
    bool has_map_slots; // a path leads into a map: there it is walked
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
                      const struct slots *slots, struct program **ret, struct error *e);
void avro_program_destroy(struct program *program);
size_t avro_program_memory(const struct program *program);
enum err avro_check(const struct program *program, struct bytes payload, struct view *views,
                    struct program_fault *ret);
// avro_accepts is the check without an explanation. marks: one per slot, cleared; may be NULL without slots.
bool avro_accepts(const struct avro_program *program, struct bytes payload, struct avro_mark *marks);
// avro_explain checks by the types instead of the code, and tells of the first fault. true: there is none.
bool avro_explain(const struct avro_program *program, struct bytes payload, struct program_fault *ret);

struct view avro_view_root(const struct program *program, struct bytes payload);
struct view avro_view_field(const struct view *record, struct str name);
bool avro_view_next(struct view_items *items, struct str *ret_key, struct view *ret);
// avro_view_slots makes the views of what was marked.
void avro_view_slots(const struct avro_program *program, struct bytes payload, const struct avro_mark *marks,
                     struct view *views);

struct value_type avro_view_type(const struct view *view);
struct value_type avro_type_root(const struct program *program);
bool avro_type_field(const struct value_type *type, struct str name, struct value_type *ret);
bool avro_type_is_open(const struct value_type *type);
bool avro_type_field_name(const struct value_type *type, uint32_t index, struct str *ret);
struct value_type avro_type_item(const struct value_type *type);
struct value_type avro_type_key(const struct value_type *type);
bool avro_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret);
struct str avro_type_name(const struct value_type *type);
struct str avro_type_logical(const struct value_type *type);
bool avro_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name,
                      int64_t *ret_number);
enum view_kind avro_view_kind(enum avro_kind kind);
extern const struct site_ops avro_sites; // site.c

#endif
