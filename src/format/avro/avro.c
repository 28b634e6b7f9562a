// SPDX-License-Identifier: Apache-2.0
// avro.c - the row of Avro in the table of formats.
#include "format/avro/program_private.h"

static struct str avro_name_of(const struct schema *schema)
{
    const struct avro_type *root = avro_of(schema)->root;
    return root->kind == AVRO_RECORD ? root->named->full : (struct str){0};
}

const struct format_ops avro_ops = {
    .format = FORMAT_AVRO,
    .schema_size = sizeof(struct avro_schema),
    .parse = avro_parse,
    .name = avro_name_of,
    .print = avro_print,
    .compare = avro_compare,
    .compile = avro_compile,
    .program_destroy = avro_program_destroy,
    .program_memory = avro_program_memory,
    .check = avro_check,
    .view_root = avro_view_root,
    .view_field = avro_view_field,
    .view_next = avro_view_next,
    .view_type = avro_view_type,
    .type_root = avro_type_root,
    .type_field = avro_type_field,
    .type_is_open = avro_type_is_open,
    .type_field_name = avro_type_field_name,
    .type_item = avro_type_item,
    .type_key = avro_type_key,
    .type_branch = avro_type_branch,
    .type_name = avro_type_name,
    .type_logical = avro_type_logical,
    .type_symbol = avro_type_symbol,
    .sites = &avro_sites,
};
