// SPDX-License-Identifier: Apache-2.0
// type.c - what the schema says of a place.
#include "format/avro/program_private.h"

static const struct avro_node *node_of(const struct value_type *type)
{
    return type->of;
}

static const struct avro_node *child_of(const struct value_type *type, uint32_t index)
{
    const struct avro_program *program = avro_program_of(type->program);
    return &program->nodes[program->children[node_of(type)->first_child + index]];
}

static uint32_t kinds_of(const struct avro_program *program, const struct avro_node *node)
{
    if (node->type->kind != AVRO_UNION) {
        return TYPE_KIND(avro_view_kind(node->type->kind));
    }
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < node->type->count; i++) { // no branch is a union
        const struct avro_node *branch = &program->nodes[program->children[node->first_child + i]];
        kinds |= TYPE_KIND(avro_view_kind(branch->type->kind));
    }
    return kinds;
}

static struct value_type type_of(const struct program *program, const struct avro_node *node)
{
    return (struct value_type){
        .program = program, .of = node, .kinds = kinds_of(avro_program_of(program), node)};
}

struct value_type avro_type_root(const struct program *program)
{
    return type_of(program, avro_program_of(program)->nodes);
}

struct value_type avro_view_type(const struct view *view)
{
    return type_of(view->program, &avro_program_of(view->program)->nodes[view->node]);
}

bool avro_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret)
{
    const struct avro_type *t = node_of(type)->type;
    if (t->kind != AVRO_UNION || index >= t->count) {
        return false;
    }
    *ret = type_of(type->program, child_of(type, index));
    return true;
}

// only_branch is the one branch beside null; the type itself if it is no such union.
static struct value_type only_branch(const struct value_type *type)
{
    struct value_type found = *type;
    struct value_type branch;
    uint32_t count = 0;
    for (uint32_t i = 0; avro_type_branch(type, i, &branch); i++) {
        if (branch.kinds != TYPE_KIND(VIEW_NULL)) {
            found = branch;
            count++;
        }
    }
    return count == 1 ? found : *type;
}

static bool field_of(const struct value_type *type, struct str name, struct value_type *ret)
{
    const struct avro_type *t = node_of(type)->type;
    if (t->kind == AVRO_MAP) {
        *ret = type_of(type->program, child_of(type, 0));
        ret->kinds |= TYPE_KIND(VIEW_NONE);
        return true;
    }
    int64_t index = t->kind == AVRO_RECORD ? name_index_find(&t->index, name) : NAME_INDEX_NONE;
    if (index == NAME_INDEX_NONE) {
        return false;
    }
    *ret = type_of(type->program, child_of(type, (uint32_t)index));
    return true;
}

bool avro_type_field(const struct value_type *type, struct str name, struct value_type *ret)
{
    if (node_of(type)->type->kind != AVRO_UNION) {
        return field_of(type, name, ret);
    }
    struct value_type found = {0};
    struct value_type branch;
    struct value_type field;
    bool is_absent = false;
    for (uint32_t i = 0; avro_type_branch(type, i, &branch); i++) {
        if ((branch.kinds & (TYPE_KIND(VIEW_RECORD) | TYPE_KIND(VIEW_MAP))) == 0) {
            continue;
        }
        if (!field_of(&branch, name, &field)) {
            is_absent = true;
        } else if (found.kinds == 0) {
            found = field;
        } else if (found.of != field.of) {
            found = (struct value_type){.kinds = found.kinds | field.kinds};
        }
    }
    if (found.kinds == 0) {
        return false;
    }
    found.kinds |= is_absent ? TYPE_KIND(VIEW_NONE) : 0;
    *ret = found;
    return true;
}

bool avro_type_is_open(const struct value_type *type)
{
    (void)type;
    return false; // a map's values are all known
}

bool avro_type_field_name(const struct value_type *type, uint32_t index, struct str *ret)
{
    const struct avro_type *t = node_of(type)->type;
    struct value_type branch;
    if (t->kind == AVRO_RECORD && index < t->count) {
        *ret = t->fields[index].name;
        return true;
    }
    for (uint32_t i = 0; avro_type_branch(type, i, &branch); i++) {
        const struct avro_type *record = node_of(&branch)->type;
        uint32_t count = record->kind == AVRO_RECORD ? record->count : 0;
        if (index < count) {
            *ret = record->fields[index].name;
            return true;
        }
        index -= count;
    }
    return false;
}

struct value_type avro_type_item(const struct value_type *type)
{
    struct value_type list = only_branch(type);
    enum avro_kind kind = node_of(&list)->type->kind;
    if (kind == AVRO_ARRAY || kind == AVRO_MAP) {
        return type_of(type->program, child_of(&list, 0));
    }
    bool has_list = (list.kinds & (TYPE_KIND(VIEW_LIST) | TYPE_KIND(VIEW_MAP))) != 0;
    return (struct value_type){.kinds = has_list ? TYPE_ANYTHING : 0};
}

struct value_type avro_type_key(const struct value_type *type)
{
    bool has_map = (type->kinds & TYPE_KIND(VIEW_MAP)) != 0;
    return (struct value_type){.kinds = has_map ? TYPE_KIND(VIEW_STRING) : 0};
}

struct str avro_type_name(const struct value_type *type)
{
    struct value_type named = only_branch(type);
    const struct avro_type *t = node_of(&named)->type;
    bool is_named = t->kind == AVRO_RECORD || t->kind == AVRO_ENUM || t->kind == AVRO_FIXED;
    return is_named ? t->named->full : STR("");
}

struct str avro_type_logical(const struct value_type *type)
{
    struct value_type one = only_branch(type);
    enum avro_logical logical = node_of(&one)->type->logical;
    return logical == AVRO_PLAIN ? STR("") : str_from_c(avro_logical_name(logical));
}

bool avro_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name,
                      int64_t *ret_number)
{
    struct value_type one = only_branch(type);
    const struct avro_type *t = node_of(&one)->type;
    if (t->kind != AVRO_ENUM || index >= t->count) {
        return false;
    }
    *ret_name = t->symbols[index];
    *ret_number = index;
    return true;
}
