// SPDX-License-Identifier: Apache-2.0
// schema.c - JSON Schema as one of the formats.
#include "format/json/node_private.h"

static struct str schema_title(const struct schema *schema)
{
    return json_get_str(((const struct jschema *)schema)->root, STR("title"));
}

const struct format_ops json_schema_ops = {
    .format = FORMAT_JSON,
    .schema_size = sizeof(struct jschema),
    .parse = jschema_parse,
    .fini = jschema_fini,
    .name = schema_title,
    .print = jschema_print,
    .compare = jschema_compare,
    .compile = jschema_compile,
    .program_destroy = jschema_program_destroy,
    .program_memory = jschema_program_memory,
    .check = jschema_check,
    .view_root = jschema_view_root,
    .view_field = jschema_view_field,
    .view_next = jschema_view_next,
    .type_root = jschema_type_root,
    .type_field = jschema_type_field,
    .type_is_open = jschema_type_is_open,
    .type_field_name = jschema_type_field_name,
    .type_item = jschema_type_item,
    .type_key = jschema_type_key,
    .type_branch = jschema_type_branch,
    .type_name = jschema_type_name,
    .type_logical = jschema_type_logical,
    .type_symbol = jschema_type_symbol,
    .sites = &jschema_sites,
};
