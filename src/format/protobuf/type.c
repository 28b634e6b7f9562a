// SPDX-License-Identifier: Apache-2.0
// type.c - what the schema says of a place. `of` is its field, `part` tells a list or map from its items; of
// a message that no field led to, `of` is NULL and `part` its index.
#include "format/protobuf/pb_program.h"

enum { PART_WHOLE, PART_ITEM };

static const struct pb_node_field *field_of(const struct value_type *type)
{
    return type->of;
}

static bool is_whole(const struct value_type *type)
{
    return type->of != NULL && type->part == PART_WHOLE && (field_of(type)->flags & PB_NODE_REPEATED) != 0;
}

// message_of: NULL if the place holds no message.
static const struct pb_node_message *message_of(const struct value_type *type)
{
    const struct pb_node_field *f = field_of(type);
    const struct pb_program *p = pb_program_of(type->program);
    if (f == NULL) {
        return &p->messages[type->part];
    }
    bool is_message = f->type == PB_TYPE_MESSAGE || f->type == PB_TYPE_GROUP;
    return is_message && !is_whole(type) ? &p->messages[f->target] : NULL;
}

static uint32_t kind_of(const struct pb_node_field *f)
{
    switch ((enum pb_type)f->type) {
    case PB_TYPE_DOUBLE:
    case PB_TYPE_FLOAT:
        return TYPE_KIND(VIEW_DOUBLE);
    case PB_TYPE_UINT32:
    case PB_TYPE_UINT64:
    case PB_TYPE_FIXED32:
    case PB_TYPE_FIXED64:
        return TYPE_KIND(VIEW_UINT);
    case PB_TYPE_BOOL:
        return TYPE_KIND(VIEW_BOOL);
    case PB_TYPE_STRING:
        return TYPE_KIND(VIEW_STRING);
    case PB_TYPE_BYTES:
        return TYPE_KIND(VIEW_BYTES);
    case PB_TYPE_MESSAGE:
    case PB_TYPE_GROUP:
        return TYPE_KIND(VIEW_RECORD);
    case PB_TYPE_ENUM:
        return TYPE_KIND(VIEW_ENUM);
    default:
        return TYPE_KIND(VIEW_INT);
    }
}

static struct value_type item_type(const struct program *program, const struct pb_node_field *f)
{
    return (struct value_type){.program = program, .of = f, .part = PART_ITEM, .kinds = kind_of(f)};
}

struct value_type pb_type_root(const struct program *program)
{
    return (struct value_type){.program = program, .kinds = TYPE_KIND(VIEW_RECORD)};
}

struct value_type pb_view_type(const struct view *view)
{
    const struct pb_program *p = pb_program_of(view->program);
    struct value_type type = {.program = view->program, .kinds = TYPE_KIND(view->kind)};
    if (view->kind == VIEW_LIST || view->kind == VIEW_MAP) {
        type.of = &p->fields[view->node];
        type.part = PART_WHOLE;
    } else if (view->kind == VIEW_RECORD) {
        type.part = view->node;
    } else {
        type.program = NULL;
    }
    return type;
}

static const struct pb_node_field *entry_field(const struct value_type *map, uint32_t number)
{
    const struct pb_program *p = pb_program_of(map->program);
    return pb_node_find(p, &p->messages[field_of(map)->target], number, number - 1);
}

static bool is_map(const struct value_type *type)
{
    return is_whole(type) && (field_of(type)->flags & PB_NODE_MAP) != 0;
}

bool pb_type_field(const struct value_type *type, struct str name, struct value_type *ret)
{
    if (is_map(type)) {
        *ret = item_type(type->program, entry_field(type, 2));
        ret->kinds |= TYPE_KIND(VIEW_NONE);
        return true;
    }
    const struct pb_node_message *m = message_of(type);
    const struct pb_node_field *f =
        m == NULL ? NULL : pb_field_by_name(pb_program_of(type->program), m, name);
    if (f == NULL) {
        return false;
    }
    *ret = (struct value_type){.program = type->program, .of = f, .part = PART_WHOLE};
    if ((f->flags & PB_NODE_MAP) != 0) {
        ret->kinds = TYPE_KIND(VIEW_MAP);
    } else if ((f->flags & PB_NODE_REPEATED) != 0) {
        ret->kinds = TYPE_KIND(VIEW_LIST);
    } else {
        // A number that a closed enum does not have is as good as none.
        bool may_be_absent = (f->flags & PB_NODE_PRESENCE) != 0 &&
                             ((f->flags & PB_NODE_REQUIRED) == 0 || (f->flags & PB_NODE_CLOSED) != 0);
        ret->kinds = kind_of(f) | (may_be_absent ? TYPE_KIND(VIEW_NONE) : 0);
    }
    return true;
}

bool pb_type_is_open(const struct value_type *type)
{
    (void)type;
    return false; // unknown fields have no name
}

bool pb_type_field_name(const struct value_type *type, uint32_t index, struct str *ret)
{
    const struct pb_node_message *m = message_of(type);
    if (m == NULL || index >= m->count) {
        return false;
    }
    *ret = pb_program_of(type->program)->fields[m->first + index].name;
    return true;
}

struct value_type pb_type_item(const struct value_type *type)
{
    if (!is_whole(type)) {
        return (struct value_type){0};
    }
    return item_type(type->program, is_map(type) ? entry_field(type, 2) : field_of(type));
}

struct value_type pb_type_key(const struct value_type *type)
{
    return is_map(type) ? item_type(type->program, entry_field(type, 1)) : (struct value_type){0};
}

bool pb_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret)
{
    (void)type;
    (void)index;
    (void)ret;
    return false; // members of a oneof are fields
}

struct str pb_type_full_name(const struct value_type *type)
{
    const struct pb_program *p = pb_program_of(type->program);
    const struct pb_node_message *m = message_of(type);
    if (m != NULL) {
        return m->name;
    }
    const struct pb_node_field *f = field_of(type);
    return f->type == PB_TYPE_ENUM && !is_whole(type) ? p->enums[f->target].name : STR("");
}

struct str pb_type_logical(const struct value_type *type)
{
    (void)type;
    return STR("");
}

bool pb_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name, int64_t *ret_number)
{
    const struct pb_program *p = pb_program_of(type->program);
    const struct pb_node_field *f = field_of(type);
    if (f == NULL || f->type != PB_TYPE_ENUM || is_whole(type) || index >= p->enums[f->target].count) {
        return false;
    }
    const struct pb_node_value *value = &p->values[p->enums[f->target].first + index];
    *ret_name = value->name;
    *ret_number = value->number;
    return true;
}
