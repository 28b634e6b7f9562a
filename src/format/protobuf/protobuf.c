// SPDX-License-Identifier: Apache-2.0
// protobuf.c - the format: a text is parsed, or a base64 FileDescriptorProto read, then names get their
// meaning.
#include "format/protobuf/protobuf_private.h"

static enum err parse(struct schema *base, const struct schema_source *source, struct error *e)
{
    struct pb_schema *schema = (struct pb_schema *)(void *)base;
    struct str text = arena_str(&base->arena, source->text); // names are views of it
    struct bytes descriptor = {NULL, 0};
    enum err err = ERR_OK;
    if (text.ptr == NULL) {
        return pb_fail(e, (struct pb_place){1, 1}, "there is no text");
    }
    if (pb_base64_decode(&base->arena, text, &descriptor)) {
        err = pb_descriptor_read(schema, descriptor, e);
    } else {
        err = pb_parse(&base->arena, text, &schema->file, e);
    }
    if (err == ERR_OK) {
        err = pb_resolve(schema, source->is_new, e);
    }
    if (err == ERR_OK && source->is_new) {
        err = pb_validate(schema, e);
    }
    return err;
}

static struct str name(const struct schema *base)
{
    const struct pb_file *file = &pb_schema_of(base)->file;
    return file->messages != NULL ? file->messages->full_name
           : file->enums != NULL  ? file->enums->full_name
                                  : (struct str){NULL, 0};
}

static enum err print(const struct schema *base, enum schema_form form, struct buf *out, struct error *e)
{
    return form == SCHEMA_SERIALIZED ? pb_descriptor_write(pb_schema_of(base), out, e)
                                     : pb_print(pb_schema_of(base), form, out, e);
}

const struct format_ops protobuf_ops = {
    .format = FORMAT_PROTOBUF,
    .schema_size = sizeof(struct pb_schema),
    .parse = parse,
    .fini = NULL,
    .name = name,
    .print = print,
    .compare = pb_compare,
    .compile = pb_compile,
    .program_destroy = pb_program_destroy,
    .program_memory = pb_program_memory,
    .check = pb_check,
    .view_root = pb_view_root,
    .view_field = pb_view_field,
    .view_next = pb_view_next,
    .view_type = pb_view_type,
    .type_root = pb_type_root,
    .type_field = pb_type_field,
    .type_is_open = pb_type_is_open,
    .type_field_name = pb_type_field_name,
    .type_item = pb_type_item,
    .type_key = pb_type_key,
    .type_branch = pb_type_branch,
    .type_name = pb_type_full_name,
    .type_logical = pb_type_logical,
    .type_symbol = pb_type_symbol,
    .sites = &pb_sites,
};
