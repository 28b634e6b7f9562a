// SPDX-License-Identifier: Apache-2.0
// compile.c - from types to flat code. Fields stand in a row; records inside records are written out where
// they stand, unless they are recursive or large: then they are code of their own that is called.
#include "format/avro/program_private.h"

#include "base/assert.h"
#include "base/mem.h"

enum { WHITE, GREY, BLACK };
#define OPS_MANY (UINT32_MAX / 4)

// A record that is called, and the slot that stands for it.
struct body {
    uint32_t node;
    uint32_t slot; // or AVRO_NO_SLOT
    uint32_t entry;
};

struct compile {
    struct avro_program *program;
    struct pair_table ids;     // type to node + 1
    const struct slots *slots; // NULL: no paths
    uint8_t *colors;           // of nodes
    struct pair_table calls;   // node and slot to index of its body + 1
    struct body *bodies;       // of what is called; their code is written after that of the root
    uint32_t body_count;
    uint32_t body_capacity;
    uint32_t node_capacity;
    uint32_t child_capacity;
    uint32_t child_count;
    uint32_t op_capacity;
    uint32_t target_capacity;
    uint32_t label; // code before it stays as it is
};

// grow makes room for one more; the arena keeps the smaller copies, at most as much again.
static bool grow(struct compile *c, void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    uint32_t larger = *capacity == 0 ? 16 : *capacity * 2;
    void *copy = arena_array_alloc(&c->program->arena, larger, size);
    if (copy == NULL) {
        return false;
    }
    void *old;
    memcpy(&old, items, sizeof old);
    if (count > 0) {
        memcpy(copy, old, count * size);
    }
    memcpy(items, &copy, sizeof copy);
    *capacity = larger;
    return true;
}

// ---- nodes

static uint32_t node_id(struct compile *c, const struct avro_type *type)
{
    struct avro_program *program = c->program;
    uint32_t known = pair_table_get(&c->ids, type, NULL);
    if (known != 0) {
        return known - 1;
    }
    if (!grow(c, &program->nodes, program->node_count, &c->node_capacity, sizeof *program->nodes)) {
        return 0;
    }
    uint32_t id = program->node_count++;
    program->nodes[id] = (struct avro_node){.type = type};
    pair_table_put(&c->ids, type, NULL, id + 1);
    return id;
}

static void make_nodes(struct compile *c, const struct avro_type *root)
{
    struct avro_program *program = c->program;
    node_id(c, root);
    for (uint32_t i = 0; i < program->node_count && !program->arena.failed; i++) {
        const struct avro_type *type = program->nodes[i].type;
        uint32_t count = avro_child_count(type);
        program->nodes[i].first_child = c->child_count;
        for (uint32_t child = 0; child < count; child++) {
            uint32_t id = node_id(c, avro_child(type, child));
            if (!grow(c, &program->children, c->child_count, &c->child_capacity, sizeof *program->children)) {
                return;
            }
            program->children[c->child_count++] = id;
        }
    }
}

static void add_ops(uint32_t *sum, uint32_t ops)
{
    *sum = *sum + ops > OPS_MANY ? OPS_MANY : *sum + ops;
}

// measure finds what is recursive, what takes no bytes and how much code each would be. Depth is bounded: the
// parser refused more.
static void measure(struct compile *c, uint32_t id)
{
    const struct avro_program *program = c->program;
    struct avro_node *node = &program->nodes[id];
    enum avro_kind kind = node->type->kind;
    c->colors[id] = GREY;
    node->ops = 1;
    node->is_empty =
        kind == AVRO_NULL || kind == AVRO_RECORD || (kind == AVRO_FIXED && node->type->size == 0);
    uint32_t count = avro_child_count(node->type);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t child_id = program->children[node->first_child + i];
        struct avro_node *child = &program->nodes[child_id];
        if (c->colors[child_id] == WHITE) {
            measure(c, child_id);
        } else if (c->colors[child_id] == GREY && child->type->kind == AVRO_RECORD) {
            child->is_called = true;
        }
        bool is_known = c->colors[child_id] == BLACK;
        bool is_inlined = is_known && !child->is_called;
        node->is_empty &= is_known && child->is_empty;
        add_ops(&node->ops, is_inlined ? child->ops + 1 : 2);
        if (is_inlined && child->inline_depth > node->inline_depth) {
            node->inline_depth = child->inline_depth;
        }
    }
    if (kind == AVRO_RECORD) {
        node->inline_depth++;
        node->is_called |= node->ops > AVRO_INLINE_OPS_MAX || node->inline_depth > AVRO_INLINE_DEPTH_MAX;
    }
    c->colors[id] = BLACK;
}

// ---- code

static uint32_t emit(struct compile *c, enum avro_op_code code, uint32_t a, uint32_t b)
{
    struct avro_program *program = c->program;
    if (!grow(c, &program->code, program->op_count, &c->op_capacity, sizeof *program->code)) {
        return 0;
    }
    program->code[program->op_count] = (struct avro_op){code, a, b};
    return program->op_count++;
}

static uint32_t here(struct compile *c)
{
    c->label = c->program->op_count;
    return c->label;
}

static void patch(struct compile *c, uint32_t op, uint32_t target)
{
    if (!c->program->arena.failed) {
        c->program->code[op].a = target;
    }
}

static void emit_skip(struct compile *c, uint32_t size)
{
    const struct avro_program *program = c->program;
    if (program->op_count > c->label) {
        struct avro_op *last = &program->code[program->op_count - 1];
        if (last->code == OP_SKIP && last->a <= UINT32_MAX - size) {
            last->a += size;
            return;
        }
    }
    if (size > 0) {
        emit(c, OP_SKIP, size, 0);
    }
}

static void emit_node(struct compile *c, uint32_t id, uint32_t slot);

static uint32_t child_of(const struct compile *c, uint32_t id, uint32_t index)
{
    return c->program->children[c->program->nodes[id].first_child + index];
}

static bool is_null(const struct compile *c, uint32_t id)
{
    return c->program->nodes[id].type->kind == AVRO_NULL;
}

static void emit_union(struct compile *c, uint32_t id, uint32_t slot)
{
    struct avro_program *program = c->program;
    uint32_t count = program->nodes[id].type->count;
    for (uint32_t null = 0; null < 2 && count == 2; null++) {
        if (is_null(c, child_of(c, id, null))) {
            uint32_t option = emit(c, OP_OPTION, 0, null);
            here(c);
            emit_node(c, child_of(c, id, 1 - null), slot);
            patch(c, option, here(c));
            return;
        }
    }
    uint32_t first = program->target_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!grow(c, &program->targets, program->target_count, &c->target_capacity,
                  sizeof *program->targets)) {
            return;
        }
        program->targets[program->target_count++] = 0;
    }
    emit(c, OP_UNION, first, count);
    uint32_t *jumps = mem_array((size_t)count + 1, sizeof *jumps);
    for (uint32_t i = 0; i < count && !program->arena.failed; i++) {
        program->targets[first + i] = here(c);
        emit_node(c, child_of(c, id, i), slot);
        jumps[i] = emit(c, OP_JUMP, 0, 0);
    }
    uint32_t end = here(c);
    for (uint32_t i = 0; i < count; i++) {
        patch(c, jumps[i], end);
    }
    mem_free(jumps);
}

static void emit_blocks(struct compile *c, uint32_t id)
{
    const struct avro_program *program = c->program;
    uint32_t item = child_of(c, id, 0);
    bool is_map = program->nodes[id].type->kind == AVRO_MAP;
    if (!is_map && program->nodes[item].is_empty) {
        emit(c, OP_EMPTIES, 0, 0);
        return;
    }
    uint32_t blocks = emit(c, OP_BLOCKS, 0, 0);
    uint32_t body = here(c);
    if (is_map) {
        emit(c, OP_STRING, 0, 0);
    }
    emit_node(c, item, AVRO_NO_SLOT);
    emit(c, OP_ITEM, body, 0);
    patch(c, blocks, here(c));
}

// slot_of is the slot of a record's field.
static uint32_t slot_of(const struct compile *c, uint32_t slot, struct str name)
{
    uint32_t child = slot == AVRO_NO_SLOT ? 0 : c->slots->slots[slot].first;
    while (child != 0 && !str_equal(c->slots->slots[child].name, name)) {
        child = c->slots->slots[child].next;
    }
    return child == 0 ? AVRO_NO_SLOT : child;
}

static void emit_fields(struct compile *c, uint32_t id, uint32_t slot)
{
    const struct avro_type *type = c->program->nodes[id].type;
    for (uint32_t i = 0; i < type->count && !c->program->arena.failed; i++) {
        emit_node(c, child_of(c, id, i), slot_of(c, slot, type->fields[i].name));
    }
}

static void emit_record(struct compile *c, uint32_t id, uint32_t slot)
{
    const struct avro_node *node = &c->program->nodes[id];
    if (!node->is_called) {
        emit_fields(c, id, slot);
        return;
    }
    const struct slot *key = slot == AVRO_NO_SLOT ? NULL : &c->slots->slots[slot];
    uint32_t known = pair_table_get(&c->calls, node, key);
    if (known == 0) {
        if (!grow(c, &c->bodies, c->body_count, &c->body_capacity, sizeof *c->bodies)) {
            return;
        }
        c->bodies[c->body_count++] = (struct body){id, slot, 0};
        known = c->body_count;
        pair_table_put(&c->calls, node, key, known);
    }
    emit(c, OP_CALL, known - 1, 0); // its code is known in the end
}

// emit_marked marks a value, and goes into it with what of the slot lies further in.
static void emit_marked(struct compile *c, uint32_t id, uint32_t slot)
{
    const struct slot *s = &c->slots->slots[slot];
    enum avro_kind kind = c->program->nodes[id].type->kind;
    bool is_walked = kind == AVRO_MAP && s->first != 0;
    bool is_marked = s->view != SLOT_INNER || is_walked;
    bool is_deep = kind == AVRO_RECORD || kind == AVRO_UNION;
    c->program->has_map_slots |= is_walked;
    if (is_marked) {
        emit(c, OP_SLOT, slot, id);
    }
    if (kind == AVRO_RECORD && s->first != 0 && c->program->nodes[id].is_empty) {
        emit_fields(c, id, slot);
    } else if (kind == AVRO_RECORD && s->first != 0) {
        emit_record(c, id, slot);
    } else if (kind == AVRO_UNION) {
        emit_union(c, id, s->first == 0 ? AVRO_NO_SLOT : slot);
    } else {
        emit_node(c, id, AVRO_NO_SLOT);
    }
    if (is_marked && (is_deep || kind == AVRO_ARRAY || kind == AVRO_MAP)) {
        emit(c, OP_SLOT_END, slot, 0);
    }
}

static void emit_node(struct compile *c, uint32_t id, uint32_t slot)
{
    const struct avro_type *type = c->program->nodes[id].type;
    if (slot != AVRO_NO_SLOT) {
        emit_marked(c, id, slot);
        return;
    }
    if (c->program->nodes[id].is_empty) {
        return;
    }
    switch (type->kind) {
    case AVRO_NULL:
        return;
    case AVRO_BOOLEAN:
        emit(c, OP_BOOLEAN, 0, 0);
        return;
    case AVRO_INT:
        emit(c, OP_INT, 0, 0);
        return;
    case AVRO_LONG:
        emit(c, OP_LONG, 0, 0);
        return;
    case AVRO_FLOAT:
        emit_skip(c, sizeof(float));
        return;
    case AVRO_DOUBLE:
        emit_skip(c, sizeof(double));
        return;
    case AVRO_BYTES:
        emit(c, OP_BYTES, 0, 0);
        return;
    case AVRO_STRING:
        emit(c, OP_STRING, 0, 0);
        return;
    case AVRO_RECORD:
        emit_record(c, id, AVRO_NO_SLOT);
        return;
    case AVRO_ENUM:
        emit(c, OP_ENUM, type->count, 0);
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        emit_blocks(c, id);
        return;
    case AVRO_UNION:
        emit_union(c, id, AVRO_NO_SLOT);
        return;
    case AVRO_FIXED:
        emit_skip(c, (uint32_t)type->size);
        return;
    case AVRO_KIND_COUNT:
        break;
    }
    UNREACHABLE("an avro_kind");
}

static void emit_all(struct compile *c)
{
    struct avro_program *program = c->program;
    emit_node(c, 0, c->slots == NULL ? AVRO_NO_SLOT : 0);
    emit(c, OP_END, 0, 0);
    for (uint32_t i = 0; i < c->body_count && !program->arena.failed; i++) {
        struct body body = c->bodies[i];
        c->bodies[i].entry = here(c);
        emit_fields(c, body.node, body.slot);
        emit(c, OP_RETURN, 0, 0);
    }
    for (uint32_t i = 0; i < program->op_count && !program->arena.failed; i++) {
        if (program->code[i].code == OP_CALL) {
            program->code[i].a = c->bodies[program->code[i].a].entry;
        }
    }
}

enum err avro_compile(const struct schema *schema, const int32_t *root, size_t root_count,
                      const struct slots *slots, struct program **ret, struct error *e)
{
    if (root != NULL || root_count > 0) {
        return FAIL(e, ERR_INVALID_SCHEMA, "an Avro schema has no messages to choose from");
    }
    struct avro_program *program = mem_zalloc(sizeof *program);
    arena_init(&program->arena, PROGRAM_BYTES_MAX);
    struct compile c = {.program = program, .slots = slots};
    make_nodes(&c, avro_of(schema)->root);
    if (!program->arena.failed) {
        c.colors = mem_array(program->node_count, sizeof *c.colors);
        measure(&c, 0);
        emit_all(&c);
    }
    mem_free(c.colors);
    pair_table_fini(&c.calls);
    pair_table_fini(&c.ids);
    if (program->arena.failed) {
        avro_program_destroy(&program->base);
        return FAIL(e, ERR_NO_MEMORY, "the schema compiles to more than %d bytes", PROGRAM_BYTES_MAX);
    }
    *ret = &program->base;
    return ERR_OK;
}

void avro_program_destroy(struct program *program)
{
    struct avro_program *avro = (struct avro_program *)program;
    arena_fini(&avro->arena);
    mem_free(avro);
}

size_t avro_program_memory(const struct program *program)
{
    return sizeof(struct avro_program) + avro_program_of(program)->arena.total;
}
