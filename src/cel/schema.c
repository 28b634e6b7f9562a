// SPDX-License-Identifier: Apache-2.0
// schema.c - what a schema says of a place, as a type of the language.
#include "cel/compile_private.h"

const struct type *schema_root_type(struct compile *c, const struct program *program)
{
    (void)c;
    (void)program;
    return &type_dyn;
}

const struct type *schema_field_type(struct compile *c, const struct type *record, struct str name,
                                     struct str *ret_hint)
{
    (void)c;
    (void)record;
    (void)name;
    *ret_hint = (struct str){0};
    return &type_dyn;
}

bool schema_type_equal(const struct value_type *a, const struct value_type *b)
{
    return a == b;
}

bool cel_is_protobuf(const struct view *view)
{
    return view->program != NULL && program_format(view->program) == FORMAT_PROTOBUF;
}

bool cel_is_json(const struct view *view)
{
    return view->program != NULL && program_format(view->program) == FORMAT_JSON;
}

enum view_kind cel_key_kind(const struct view *map)
{
    if (map->kind != VIEW_MAP || !cel_is_protobuf(map)) {
        return VIEW_STRING;
    }
    struct value_type type = view_type(map);
    struct value_type key = type_key(&type);
    for (int kind = VIEW_BOOL; kind <= VIEW_UINT; kind++) {
        if (key.kinds == TYPE_KIND(kind)) {
            return (enum view_kind)kind;
        }
    }
    return VIEW_STRING;
}
