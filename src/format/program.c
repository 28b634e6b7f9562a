// SPDX-License-Identifier: Apache-2.0
// program.c - the lives of programs, their static paths, and what all formats have in common of views and
// types.
#include "format/format_private.h"

#include "base/mem.h"

// ---- static paths

static uint32_t slot_child(struct slots *s, uint32_t parent, struct str name)
{
    uint32_t *link = &s->slots[parent].first;
    while (*link != 0) {
        if (str_equal(s->slots[*link].name, name)) {
            return *link;
        }
        link = &s->slots[*link].next;
    }
    if (s->count == SLOTS_MAX) {
        return 0;
    }
    *link = s->count;
    s->slots[s->count] =
        (struct slot){.name = arena_str(&s->arena, name), .parent = parent, .view = SLOT_INNER};
    return s->count++;
}

static enum err slots_add(struct slots *s, uint32_t index, const struct program_path *path, struct error *e)
{
    uint32_t at = 0;
    if (path->name_count > PATH_NAMES_MAX) {
        return FAIL(e, ERR_NO_MEMORY, "a path of %zu names; the limit is %d", path->name_count,
                    PATH_NAMES_MAX);
    }
    for (size_t i = 0; i < path->name_count; i++) {
        at = slot_child(s, at, path->names[i]);
        if (at == 0) {
            return FAIL(e, ERR_NO_MEMORY, "the paths have more than %d fields", SLOTS_MAX - 1);
        }
    }
    s->paths[index] = at;
    if (s->slots[at].view == SLOT_INNER) {
        s->slots[at].view = index;
    }
    return ERR_OK;
}

static void slots_destroy(struct slots *take_slots)
{
    if (take_slots != NULL) {
        arena_fini(&take_slots->arena);
        mem_free(take_slots);
    }
}

static enum err slots_create(const struct program_path *paths, size_t count, struct slots **ret,
                             struct error *e)
{
    if (count > PROGRAM_PATHS_MAX) {
        return FAIL(e, ERR_NO_MEMORY, "%zu paths; the limit is %d", count, PROGRAM_PATHS_MAX);
    }
    struct slots *s = mem_zalloc(sizeof *s);
    arena_init(&s->arena, PROGRAM_BYTES_MAX);
    s->slots = arena_new(&s->arena, struct slot, SLOTS_MAX);
    s->paths = arena_new(&s->arena, uint32_t, count);
    s->slots[0].view = SLOT_INNER;
    s->count = 1;
    s->path_count = (uint32_t)count;
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && err == ERR_OK; i++) {
        err = slots_add(s, (uint32_t)i, &paths[i], e);
    }
    if (err == ERR_OK && s->arena.failed) {
        err = FAIL(e, ERR_NO_MEMORY, "the paths need more than %d bytes", PROGRAM_BYTES_MAX);
    }
    if (err != ERR_OK) {
        slots_destroy(s);
        return err;
    }
    *ret = s;
    return ERR_OK;
}

void slots_none(const struct slots *slots, uint32_t index, struct view *views)
{
    const struct slot *slot = &slots->slots[index];
    if (slot->view != SLOT_INNER) {
        views[slot->view] = (struct view){0};
    }
    for (uint32_t child = slot->first; child != 0; child = slots->slots[child].next) {
        slots_none(slots, child, views);
    }
}

void slots_walk(const struct slots *slots, uint32_t index, const struct view *value, struct view *views)
{
    const struct slot *slot = &slots->slots[index];
    if (slot->view != SLOT_INNER) {
        views[slot->view] = *value;
    }
    for (uint32_t child = slot->first; child != 0; child = slots->slots[child].next) {
        struct view field = view_field(value, slots->slots[child].name);
        slots_walk(slots, child, &field, views);
    }
}

// ---- programs

void program_adopt(struct program *program, const struct schema *schema)
{
    program->ops = schema->ops;
    program->schema = schema_ref(schema);
    atomic_init(&program->ref_count, 1);
}

enum err program_create_loose(const struct schema *schema, const int32_t *root, size_t root_count,
                              const struct program_path *paths, size_t path_count, struct site_loose loose,
                              struct program **ret, struct error *e)
{
    bool is_loose = loose.count > 0 && schema->ops->sites->loose != NULL;
    struct program *program = NULL;
    struct slots *slots = NULL;
    enum err err = path_count == 0 ? ERR_OK : slots_create(paths, path_count, &slots, e);
    if (err == ERR_OK) {
        err = is_loose ? schema->ops->sites->loose(schema, loose, &program, e)
                       : schema->ops->compile(schema, root, root_count, slots, &program, e);
    }
    if (err != ERR_OK) {
        slots_destroy(slots);
        return err;
    }
    program_adopt(program, schema);
    program->slots = slots;
    *ret = program;
    return ERR_OK;
}

enum err program_create_with(const struct schema *schema, const int32_t *root, size_t root_count,
                             const struct program_path *paths, size_t path_count, struct program **ret,
                             struct error *e)
{
    return program_create_loose(schema, root, root_count, paths, path_count, (struct site_loose){0}, ret, e);
}

enum err program_create(const struct schema *schema, const int32_t *root, size_t root_count,
                        struct program **ret, struct error *e)
{
    return program_create_with(schema, root, root_count, NULL, 0, ret, e);
}

struct program *program_ref(const struct program *program)
{
    struct program *counted = (struct program *)program; // only the count changes
    atomic_fetch_add_explicit(&counted->ref_count, 1, memory_order_relaxed);
    return counted;
}

void program_unref(struct program *take_program)
{
    if (take_program == NULL ||
        atomic_fetch_sub_explicit(&take_program->ref_count, 1, memory_order_acq_rel) > 1) {
        return;
    }
    struct schema *schema = take_program->schema;
    struct slots *slots = take_program->slots;
    take_program->ops->program_destroy(take_program);
    slots_destroy(slots);
    schema_unref(schema);
}

size_t program_memory(const struct program *program)
{
    size_t slots = program->slots == NULL ? 0 : sizeof *program->slots + program->slots->arena.total;
    return program->ops->program_memory(program) + slots;
}

enum format program_format(const struct program *program)
{
    return program->ops->format;
}

size_t program_path_count(const struct program *program)
{
    return program->slots == NULL ? 0 : program->slots->path_count;
}

static enum err check(const struct program *program, struct bytes payload, struct view *views,
                      struct program_fault *ret)
{
    const struct slots *slots = views == NULL ? NULL : program->slots;
    enum err err = program->ops->check(program, payload, slots == NULL ? NULL : views, ret);
    for (uint32_t i = 0; err == ERR_OK && slots != NULL && i < slots->path_count; i++) {
        uint32_t first = slots->slots[slots->paths[i]].view;
        if (first != i) {
            views[i] = views[first];
        }
    }
    return err;
}

enum err program_check(const struct program *program, struct bytes payload, struct program_fault *ret)
{
    return program_check_slots(program, payload, NULL, ret);
}

enum err program_check_slots(const struct program *program, struct bytes payload, struct view *views,
                             struct program_fault *ret)
{
    if (ret != NULL) {
        ret->hides_values = false;
        ret->steps = NULL;
    }
    return check(program, payload, views, ret);
}

enum err program_check_hiding(const struct program *program, struct bytes payload, struct view *views,
                              int64_t *steps, struct program_fault *ret)
{
    ret->hides_values = true;
    ret->steps = steps;
    return check(program, payload, views, ret);
}

// ---- views

struct view view_root(const struct program *program, struct bytes payload)
{
    return program->ops->view_root(program, payload);
}

struct view view_field(const struct view *record, struct str name)
{
    if (record->kind != VIEW_RECORD && record->kind != VIEW_MAP) {
        return (struct view){0};
    }
    return record->program->ops->view_field(record, name);
}

bool view_next(struct view_items *items, struct str *ret_key, struct view *ret)
{
    if (items->of.kind != VIEW_LIST && items->of.kind != VIEW_MAP && items->of.kind != VIEW_RECORD) {
        return false;
    }
    return items->of.program->ops->view_next(items, ret_key, ret);
}

// ---- types

struct value_type program_root_type(const struct program *program)
{
    return program->ops->type_root(program);
}

struct value_type view_type(const struct view *view)
{
    if (view->kind == VIEW_NONE || view->program->ops->view_type == NULL) {
        return (struct value_type){.kinds = TYPE_ANYTHING};
    }
    return view->program->ops->view_type(view);
}

bool type_field(const struct value_type *type, struct str name, struct value_type *ret)
{
    if (type->program == NULL) {
        *ret = (struct value_type){.kinds = TYPE_ANYTHING};
        return true;
    }
    return type->program->ops->type_field(type, name, ret);
}

bool type_is_open(const struct value_type *type)
{
    return type->program == NULL || type->program->ops->type_is_open(type);
}

bool type_field_name(const struct value_type *type, uint32_t index, struct str *ret)
{
    return type->program != NULL && type->program->ops->type_field_name(type, index, ret);
}

struct value_type type_item(const struct value_type *type)
{
    if (type->program == NULL) {
        return (struct value_type){.kinds = TYPE_ANYTHING};
    }
    return type->program->ops->type_item(type);
}

struct value_type type_key(const struct value_type *type)
{
    if (type->program == NULL) {
        return (struct value_type){.kinds = TYPE_ANYTHING};
    }
    return type->program->ops->type_key(type);
}

bool type_branch(const struct value_type *type, uint32_t index, struct value_type *ret)
{
    return type->program != NULL && type->program->ops->type_branch(type, index, ret);
}

struct str type_name(const struct value_type *type)
{
    return type->program == NULL ? STR("") : type->program->ops->type_name(type);
}

struct str type_logical(const struct value_type *type)
{
    return type->program == NULL ? STR("") : type->program->ops->type_logical(type);
}

bool type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name, int64_t *ret_number)
{
    return type->program != NULL && type->program->ops->type_symbol(type, index, ret_name, ret_number);
}
