// SPDX-License-Identifier: Apache-2.0
// compile.c - from text to program, and the program's life.
#include "cel/compile_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"

enum {
    COMPILE_MEMORY_BYTES_MAX = 64 << 20,
    PROGRAM_MEMORY_BYTES_MAX = 16 << 20,
};

// ---- faults

static void fault_place(struct compile *c, uint32_t position)
{
    struct str text = c->source->text;
    size_t line_begin = 0;
    uint32_t line = 1;
    size_t end = position < text.len ? position : text.len;
    for (size_t i = 0; i < end; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            line_begin = i + 1;
        }
    }
    c->fault->line = line;
    c->fault->column = 1;
    for (size_t i = line_begin; i < end; i++) {
        c->fault->column += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    }
}

void *compile_fail(struct compile *c, enum err err, uint32_t position, const char *format, ...)
{
    if (c->err != ERR_OK) {
        return NULL;
    }
    c->err = err;
    fault_place(c, position);
    va_list args;
    va_start(args, format);
    vsnprintf(c->fault->text, sizeof c->fault->text, format, args);
    va_end(args);
    return NULL;
}

void *compile_alloc(struct compile *c, size_t count, size_t size)
{
    void *memory = arena_array_alloc(&c->arena, count, size);
    if (memory == NULL) {
        compile_fail(c, ERR_NO_MEMORY, 0, "the expression needs more than %d bytes",
                     COMPILE_MEMORY_BYTES_MAX);
    }
    return memory;
}

// ---- programs

static void hold_schemas(struct cel_program *program, const struct cel_source *source)
{
    program->schemas = mem_array(source->variable_count + 1, sizeof(struct program *));
    for (size_t i = 0; i < source->variable_count; i++) {
        if (source->variables[i].of == CEL_OF_SCHEMA) {
            program->schemas[program->schema_count++] = program_ref(source->variables[i].program);
        }
    }
}

static struct cel_program *program_new(const struct cel_source *source)
{
    struct cel_program *program = mem_zalloc(sizeof *program);
    atomic_init(&program->ref_count, 1);
    arena_init(&program->arena, PROGRAM_MEMORY_BYTES_MAX);
    program->types = source->types;
    program->regex = source->regex;
    program->matches_whole = source->matches_whole;
    program->has_unsigned = source->has_unsigned;
    hold_schemas(program, source);
    return program;
}

struct cel_program *cel_program_ref(const struct cel_program *program)
{
    struct cel_program *counted = (struct cel_program *)program; // only the count changes
    atomic_fetch_add_explicit(&counted->ref_count, 1, memory_order_relaxed);
    return counted;
}

void cel_program_unref(struct cel_program *take_program)
{
    if (take_program == NULL ||
        atomic_fetch_sub_explicit(&take_program->ref_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (const struct cel_prepared *p = take_program->prepared; p != NULL; p = p->next) {
        p->function->release(p->made);
    }
    for (uint32_t i = 0; i < take_program->schema_count; i++) {
        program_unref(take_program->schemas[i]);
    }
    mem_free(take_program->schemas);
    arena_fini(&take_program->arena);
    mem_free(take_program);
}

size_t cel_program_memory(const struct cel_program *program)
{
    return sizeof *program + program->arena.total;
}

int cel_program_result(const struct cel_program *program)
{
    return program->result;
}

size_t cel_program_path_count(const struct cel_program *program)
{
    return program->path_count;
}

struct cel_path cel_program_path(const struct cel_program *program, size_t index)
{
    return program->paths[index];
}

void cel_program_type_print(const struct cel_program *program, struct buf *out)
{
    buf_append_str(out, program->result_type);
}

// ---- compiling

static void set_result(struct compile *c, const struct type *type)
{
    type = type_settle(c, type);
    const char *opaque;
    uint32_t kinds = type_kinds(type, &opaque);
    bool is_one = kinds != 0 && (kinds & (kinds - 1)) == 0;
    c->program->result = is_one ? __builtin_ctz(kinds) : CEL_ANY;
    struct buf out;
    buf_init(&out, ERROR_TEXT_SIZE);
    type_print(type, &out);
    c->program->result_type = arena_str(&c->program->arena, buf_str(&out));
    buf_fini(&out);
}

static bool is_text(struct compile *c)
{
    if (c->source->text.len > CEL_TEXT_BYTES_MAX) {
        compile_fail(c, ERR_NO_MEMORY, 0, "an expression of %zu bytes; the limit is %d", c->source->text.len,
                     CEL_TEXT_BYTES_MAX);
    } else if (!utf8_is_valid(c->source->text)) {
        compile_fail(c, ERR_INVALID_REQUEST, 0, "the expression is not valid UTF-8");
    }
    return c->err == ERR_OK;
}

enum err cel_compile(const struct cel_source *source, struct cel_program **ret, struct cel_fault *ret_fault)
{
    struct cel_fault fault = {0};
    struct compile c = {.source = source, .fault = &fault, .program = program_new(source)};
    arena_init(&c.arena, COMPILE_MEMORY_BYTES_MAX);
    struct node *root = is_text(&c) ? parse(&c) : NULL;
    bool is_done = root != NULL && check(&c, root) && emit(&c, root);
    if (is_done) {
        set_result(&c, root->type);
    } else if (c.err == ERR_OK) {
        compile_fail(&c, ERR_NO_MEMORY, 0, "the expression needs too much memory");
    }
    arena_fini(&c.arena);
    if (c.err != ERR_OK) {
        cel_program_unref(c.program);
        if (ret_fault != NULL) {
            *ret_fault = fault;
        }
        return c.err;
    }
    *ret = c.program;
    return ERR_OK;
}
