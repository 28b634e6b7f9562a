// SPDX-License-Identifier: Apache-2.0
// message.c - the face format/message.h.
#include "format/message.h"

#include <math.h>
#include <stdlib.h>

#include "format/protobuf/pb_program.h"

static const struct pb_message *pb_of(const struct message_type *type)
{
    return (const struct pb_message *)(const void *)type;
}

static const struct message_type *type_of(const struct pb_message *message)
{
    return (const struct message_type *)(const void *)message;
}

bool schema_has_messages(const struct schema *schema)
{
    return schema_format(schema) == FORMAT_PROTOBUF;
}

size_t message_symbol_count(const struct schema *schema)
{
    return pb_schema_of(schema)->symbols.count;
}

const struct message_type *message_at(const struct schema *schema, size_t index)
{
    const struct pb_symbol *symbol = &pb_schema_of(schema)->symbols.items[index];
    return symbol->kind == PB_SYMBOL_MESSAGE ? type_of(symbol->message) : NULL;
}

const struct message_type *message_find(const struct schema *schema, struct str full_name)
{
    const struct pb_symbol *symbol = pb_symbol_find(&pb_schema_of(schema)->symbols, full_name);
    return symbol == NULL || symbol->kind != PB_SYMBOL_MESSAGE ? NULL : type_of(symbol->message);
}

struct str message_name(const struct message_type *type)
{
    return pb_of(type)->full_name;
}

const struct message_type *message_of_view(const struct view *view)
{
    if (view->kind != VIEW_RECORD || view->program == NULL || !schema_has_messages(view->program->schema)) {
        return NULL;
    }
    return message_find(view->program->schema, pb_program_of(view->program)->messages[view->node].name);
}

// ---- fields

static enum message_scalar scalar_of(const struct pb_field *f)
{
    return f->type == PB_TYPE_GROUP ? MESSAGE_MESSAGE : (enum message_scalar)f->type;
}

static struct message_field field_of(const struct pb_field *f)
{
    struct message_field field = {
        .name = f->name,
        .number = (uint32_t)f->number,
        .scalar = scalar_of(f),
        .of = type_of(f->message),
        .is_repeated = pb_field_is_repeated(f),
        .has_presence = pb_field_has_presence(f),
        .source = f,
    };
    struct pb_map map;
    if (pb_field_map(f, &map)) {
        field.is_map = true;
        field.is_repeated = false;
        field.key = (enum message_scalar)map.key_type;
        field.scalar = scalar_of(map.value);
        field.of = type_of(map.value->message);
    }
    return field;
}

bool message_field_at(const struct message_type *type, size_t index, struct message_field *ret)
{
    const struct pb_field *f = pb_of(type)->fields;
    while (f != NULL && index > 0) {
        f = f->next;
        index--;
    }
    if (f != NULL) {
        *ret = field_of(f);
    }
    return f != NULL;
}

bool message_field_find(const struct message_type *type, struct str name, struct message_field *ret)
{
    for (const struct pb_field *f = pb_of(type)->fields; f != NULL; f = f->next) {
        if (str_equal(f->name, name)) {
            *ret = field_of(f);
            return true;
        }
    }
    return false;
}

bool message_extension_at(const struct schema *schema, size_t index, struct message_field *ret)
{
    const struct pb_symbol *symbol = &pb_schema_of(schema)->symbols.items[index];
    if (symbol->kind != PB_SYMBOL_EXTENSION) {
        return false;
    }
    *ret = field_of(symbol->extension);
    ret->name = symbol->name;
    ret->in = message_find(schema, symbol->extension->extendee);
    return true;
}

bool message_enum_value(const struct schema *schema, struct str full_name, int64_t *ret)
{
    size_t dot = full_name.len;
    while (dot > 0 && full_name.ptr[dot - 1] != '.') {
        dot--;
    }
    if (dot == 0) {
        return false;
    }
    struct str value = {full_name.ptr + dot, full_name.len - dot};
    const struct pb_symbol *symbol =
        pb_symbol_find(&pb_schema_of(schema)->symbols, (struct str){full_name.ptr, dot - 1});
    if (symbol == NULL || symbol->kind != PB_SYMBOL_ENUM) {
        return false;
    }
    for (const struct pb_enum_value *v = symbol->enumeration->values; v != NULL; v = v->next) {
        if (str_equal(v->name, value)) {
            *ret = v->number;
            return true;
        }
    }
    return false;
}

// ---- defaults

static double real_of(struct str text)
{
    char number[64];
    if (text.len >= sizeof number) {
        return 0;
    }
    memcpy(number, text.ptr, text.len);
    number[text.len] = '\0';
    return strtod(number, NULL); // inf and nan as well
}

static int64_t integer_of(struct str text)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value = 0;
    if (!pb_number_parse((struct str){text.ptr + is_negative, text.len - is_negative}, &value)) {
        return 0;
    }
    return (int64_t)(is_negative ? 0 - value : value);
}

static int64_t enum_default(const struct pb_field *f)
{
    const struct pb_enum_value *v = f->enumeration == NULL ? NULL : f->enumeration->values;
    int64_t first = v == NULL ? 0 : v->number;
    for (; v != NULL && f->default_value != NULL; v = v->next) {
        if (str_equal(v->name, f->default_value->text)) {
            return v->number;
        }
    }
    return first;
}

struct view message_field_default(const struct message_field *field)
{
    const struct pb_field *f = field->source;
    struct str text = f->default_value == NULL ? (struct str){"", 0} : f->default_value->text;
    struct view v = {.kind = VIEW_INT, .raw = bytes_of(text.ptr, text.len)};
    switch (field->scalar) {
    case MESSAGE_DOUBLE:
    case MESSAGE_FLOAT:
        v.kind = VIEW_DOUBLE;
        v.real = real_of(text);
        v.real = field->scalar == MESSAGE_FLOAT ? (double)(float)v.real : v.real;
        break;
    case MESSAGE_BOOL:
        v.kind = VIEW_BOOL;
        v.number = str_equal(text, STR("true"));
        break;
    case MESSAGE_STRING:
        v.kind = VIEW_STRING;
        break;
    case MESSAGE_BYTES:
        v.kind = VIEW_BYTES;
        break;
    case MESSAGE_ENUM:
        v.number = enum_default(f);
        break;
    case MESSAGE_UINT32:
    case MESSAGE_UINT64:
    case MESSAGE_FIXED32:
    case MESSAGE_FIXED64:
        v.kind = VIEW_UINT;
        v.number = integer_of(text);
        break;
    default:
        v.number = integer_of(text);
        break;
    }
    return v;
}

// ---- programs

static enum err create(const struct schema *schema, const struct pb_message *root, struct program **ret,
                       struct error *e)
{
    struct program *program = NULL;
    enum err err = pb_compile_message(root, NULL, &program, e);
    if (err != ERR_OK) {
        return err;
    }
    program->ops = schema->ops;
    program->schema = schema_ref(schema);
    atomic_init(&program->ref_count, 1);
    *ret = program;
    return ERR_OK;
}

enum err message_program(const struct schema *schema, const struct message_type *type, struct program **ret,
                         struct error *e)
{
    return create(schema, pb_of(type), ret, e);
}

enum err message_extension_program(const struct schema *schema, const struct message_field *extension,
                                   struct program **ret, struct error *e)
{
    struct pb_field only = *(const struct pb_field *)extension->source;
    struct pb_message root = {.fields = &only};
    only.next = NULL;
    only.name = extension->name;
    root.full_name = extension->in == NULL ? (struct str){"", 0} : message_name(extension->in);
    return create(schema, &root, ret, e);
}
