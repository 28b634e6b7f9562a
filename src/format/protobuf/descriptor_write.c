// SPDX-License-Identifier: Apache-2.0
// descriptor_write.c - the file as a FileDescriptorProto, as protoc would make it: full names of types, JSON
// names, messages for maps and groups, oneofs for `optional` of proto3. README.md says where it differs.
#include "format/protobuf/pb_program.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct writer {
    const struct pb_schema *schema;
    struct pb_options_schema options;
};

static void write_message(struct writer *w, const struct pb_message *message, struct buf *out);

static bool is_proto3(const struct writer *w)
{
    return w->schema->file.syntax == PB_SYNTAX_PROTO3;
}

static void put_message(struct buf *out, uint32_t number, struct buf *take_inner)
{
    pb_put_bytes(out, number, buf_bytes(take_inner));
    out->failed = out->failed || take_inner->failed;
    buf_fini(take_inner);
}

static struct buf begin(void)
{
    struct buf inner;
    buf_init(&inner, 8 * SCHEMA_TEXT_BYTES_MAX);
    return inner;
}

static void put_options(struct writer *w, uint32_t number, const char *kind, struct str scope,
                        const struct pb_option *options, struct buf *out)
{
    if (options == NULL) {
        return;
    }
    struct buf inner = begin();
    pb_options_encode(&w->options, kind, scope, options, &inner);
    if (inner.len > 0) {
        put_message(out, number, &inner);
    } else {
        buf_fini(&inner);
    }
}

// ---- names

static void append_upper(struct buf *out, char c)
{
    buf_u8(out, (uint8_t)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
}

// lower_case becomes lowerCase, and with is_first LowerCase.
static void append_camel(struct buf *out, struct str name, bool is_first)
{
    bool is_upper = is_first;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '_') {
            is_upper = true;
        } else if (is_upper) {
            append_upper(out, name.ptr[i]);
            is_upper = false;
        } else {
            buf_u8(out, (uint8_t)name.ptr[i]);
        }
    }
}

static void append_lower(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_u8(out, (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
}

static void put_full_name(struct buf *out, uint32_t number, struct str full)
{
    struct buf text = begin();
    buf_u8(&text, '.');
    buf_append_str(&text, full);
    put_message(out, number, &text);
}

// ---- fields

static void put_escaped(struct buf *out, uint32_t number, struct str bytes)
{
    struct buf text = begin();
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        static const char plain[] = "\n\r\t\"'\\";
        static const char letters[] = "nrt\"'\\";
        const char *found = c == '\0' ? NULL : strchr(plain, c);
        if (found != NULL) {
            buf_u8(&text, '\\');
            buf_u8(&text, (uint8_t)letters[found - plain]);
        } else if (c < 0x20 || c >= 0x7f) {
            buf_printf(&text, "\\%03o", c);
        } else {
            buf_u8(&text, c);
        }
    }
    put_message(out, number, &text);
}

static void put_default(const struct pb_field *f, struct buf *out)
{
    struct str text = f->default_value->text;
    char number[64];
    if (f->type == PB_TYPE_BYTES) {
        put_escaped(out, 7, text);
        return;
    }
    bool is_real = f->type == PB_TYPE_DOUBLE || f->type == PB_TYPE_FLOAT;
    if (is_real && text.len < sizeof number) {
        memcpy(number, text.ptr, text.len);
        number[text.len] = '\0';
        pb_real_format(strtod(number, NULL), f->type == PB_TYPE_FLOAT, number, sizeof number);
        text = str_from_c(number);
    } else if (f->default_value->kind == PB_VALUE_NUMBER) {
        bool is_negative = text.len > 0 && text.ptr[0] == '-';
        uint64_t value = 0;
        if (pb_number_parse((struct str){text.ptr + is_negative, text.len - is_negative}, &value)) {
            snprintf(number, sizeof number, "%s%llu", is_negative && value > 0 ? "-" : "",
                     (unsigned long long)value);
            text = str_from_c(number);
        }
    }
    pb_put_str(out, 7, text);
}

static void put_map_entry_name(struct str field, struct buf *out)
{
    append_camel(out, field, true);
    buf_append_str(out, STR("Entry"));
}

static void put_type(struct str scope, const struct pb_field *f, struct buf *out)
{
    if (f->is_map) {
        pb_put_varint(out, 5, PB_TYPE_MESSAGE);
        struct buf name = begin();
        buf_u8(&name, '.');
        buf_append_str(&name, scope);
        buf_u8(&name, '.');
        put_map_entry_name(f->name, &name);
        put_message(out, 6, &name);
        return;
    }
    if (f->type != PB_TYPE_NONE) {
        pb_put_varint(out, 5, f->type);
    }
    if (f->message != NULL) {
        put_full_name(out, 6, f->message->full_name);
    } else if (f->enumeration != NULL) {
        put_full_name(out, 6, f->enumeration->full_name);
    } else if (f->type == PB_TYPE_NONE) {
        pb_put_str(out, 6, f->type_name);
    }
}

static unsigned label_of(const struct writer *w, const struct pb_field *f)
{
    static const uint8_t numbers[] = {1, 1, 2, 3};
    (void)w;
    return f->is_map ? 3 : numbers[f->label];
}

// `oneof`: its index, or -1.
static void write_field(struct writer *w, struct str scope, const struct pb_field *f,
                        const struct pb_extend *extend, int64_t oneof, struct buf *out)
{
    struct buf name = begin();
    if (f->group != NULL) {
        append_lower(&name, f->name);
    } else {
        buf_append_str(&name, f->name);
    }
    pb_put_bytes(out, 1, buf_bytes(&name));
    if (extend != NULL && extend->full_name.ptr != NULL) {
        put_full_name(out, 2, extend->full_name);
    } else if (extend != NULL) {
        pb_put_str(out, 2, extend->type_name);
    }
    pb_put_varint(out, 3, (uint64_t)f->number);
    pb_put_varint(out, 4, label_of(w, f));
    put_type(scope, f, out);
    if (f->default_value != NULL) {
        put_default(f, out);
    }
    put_options(w, 8, "FieldOptions", scope, f->options, out);
    if (oneof >= 0) {
        pb_put_varint(out, 9, (uint64_t)oneof);
    }
    if (f->has_json_name) {
        pb_put_str(out, 10, f->json_name);
    } else {
        struct buf json = begin();
        append_camel(&json, buf_str(&name), false);
        put_message(out, 10, &json);
    }
    if (is_proto3(w) && f->label == PB_LABEL_OPTIONAL) {
        pb_put_varint(out, 17, 1);
    }
    buf_fini(&name);
}

static void write_fields(struct writer *w, const struct pb_message *message, struct buf *out)
{
    int64_t synthetic = 0;
    for (const struct pb_oneof *o = message->oneofs; o != NULL; o = o->next) {
        synthetic++;
    }
    for (const struct pb_field *f = message->fields; f != NULL; f = f->next) {
        int64_t oneof = f->oneof != NULL                                ? (int64_t)f->oneof->index
                        : is_proto3(w) && f->label == PB_LABEL_OPTIONAL ? synthetic++
                                                                        : -1;
        struct buf inner = begin();
        write_field(w, message->full_name, f, NULL, oneof, &inner);
        put_message(out, 2, &inner);
    }
}

static void write_extends(struct writer *w, struct str scope, const struct pb_extend *extends,
                          uint32_t number, struct buf *out)
{
    for (const struct pb_extend *x = extends; x != NULL; x = x->next) {
        for (const struct pb_field *f = x->fields; f != NULL; f = f->next) {
            struct buf inner = begin();
            write_field(w, scope, f, x, -1, &inner);
            put_message(out, number, &inner);
        }
    }
}

// ---- types within types

static void write_entry_field(const struct pb_field *f, bool is_key, struct buf *out)
{
    struct str name = is_key ? STR("key") : STR("value");
    pb_put_str(out, 1, name);
    pb_put_varint(out, 3, is_key ? 1 : 2);
    pb_put_varint(out, 4, 1);
    struct pb_field part = *f;
    part.is_map = false;
    if (is_key && f->key_type != PB_TYPE_NONE) {
        pb_put_varint(out, 5, f->key_type);
    } else if (is_key) {
        pb_put_str(out, 6, f->key_name);
    } else {
        put_type(STR(""), &part, out);
    }
    pb_put_str(out, 10, name);
}

static void write_map_entry(const struct pb_field *f, struct buf *out)
{
    struct buf name = begin();
    put_map_entry_name(f->name, &name);
    put_message(out, 1, &name);
    for (int i = 0; i < 2; i++) {
        struct buf field = begin();
        write_entry_field(f, i == 0, &field);
        put_message(out, 2, &field);
    }
    struct buf options = begin();
    pb_put_varint(&options, 7, 1);
    put_message(out, 7, &options);
}

// A message that is nested by being written so, or by being the body of a group or the entry of a map.
static size_t gather_nested(const struct pb_message *messages, const struct pb_field *fields,
                            const struct pb_extend *extends, struct pb_sorted *items)
{
    size_t count = 0;
    for (const struct pb_message *m = messages; m != NULL; m = m->next, count++) {
        if (items != NULL) {
            items[count] = (struct pb_sorted){.element = m, .key = m->sequence};
        }
    }
    for (const struct pb_extend *x = extends; fields != NULL || x != NULL;) {
        const struct pb_field *f = fields;
        if (f == NULL) {
            f = x->fields;
            x = x->next;
        }
        fields = NULL;
        for (; f != NULL; f = f->next) {
            if (f->group != NULL || f->is_map) {
                if (items != NULL) { // the name marks what is a field
                    items[count] = (struct pb_sorted){.element = f, .key = f->sequence, .name = STR("f")};
                }
                count++;
            }
        }
    }
    return count;
}

static void write_nested(struct writer *w, const struct pb_message *messages, const struct pb_field *fields,
                         const struct pb_extend *extends, uint32_t number, struct buf *out)
{
    size_t count = gather_nested(messages, fields, extends, NULL);
    struct pb_sorted *items = mem_array(count == 0 ? 1 : count, sizeof *items);
    gather_nested(messages, fields, extends, items);
    pb_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        const struct pb_field *f = items[i].name.len > 0 ? items[i].element : NULL;
        struct buf inner = begin();
        if (f != NULL && f->is_map) {
            write_map_entry(f, &inner);
        } else {
            write_message(w, f != NULL ? f->group : items[i].element, &inner);
        }
        put_message(out, number, &inner);
    }
    mem_free(items);
}

static void write_range(const struct pb_range *range, int64_t after, uint32_t number, struct buf *options,
                        struct buf *out)
{
    struct buf inner = begin();
    pb_put_varint(&inner, 1, (uint64_t)(int64_t)range->first);
    pb_put_varint(&inner, 2, (uint64_t)((int64_t)range->last + after));
    if (options != NULL && options->len > 0) {
        pb_put_bytes(&inner, 3, buf_bytes(options));
    }
    put_message(out, number, &inner);
}

// Ranges of messages end behind their last number, those of enums with it.
static void write_reserved(const struct pb_reserved *reserved, int64_t after, uint32_t number,
                           struct buf *out)
{
    for (const struct pb_reserved *r = reserved; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            if (range->name.ptr == NULL) {
                write_range(range, after, number, NULL, out);
            }
        }
    }
    for (const struct pb_reserved *r = reserved; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            if (range->name.ptr != NULL) {
                pb_put_str(out, number + 1, range->name);
            }
        }
    }
}

static void write_extension_ranges(struct writer *w, const struct pb_message *message, struct buf *out)
{
    for (const struct pb_reserved *r = message->extensions; r != NULL; r = r->next) {
        struct buf options = begin();
        pb_options_encode(&w->options, "ExtensionRangeOptions", message->full_name, r->options, &options);
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            write_range(range, 1, 5, &options, out);
        }
        buf_fini(&options);
    }
}

static void put_visibility(const char *visibility, uint32_t number, struct buf *out)
{
    if (visibility != NULL) {
        pb_put_varint(out, number, visibility[0] == 'l' ? 1 : 2);
    }
}

static void write_enum(struct writer *w, const struct pb_enum *made, struct buf *out)
{
    pb_put_str(out, 1, made->name);
    for (const struct pb_enum_value *v = made->values; v != NULL; v = v->next) {
        struct buf inner = begin();
        pb_put_str(&inner, 1, v->name);
        pb_put_varint(&inner, 2, (uint64_t)(int64_t)v->number);
        put_options(w, 3, "EnumValueOptions", made->full_name, v->options, &inner);
        put_message(out, 2, &inner);
    }
    put_options(w, 3, "EnumOptions", made->full_name, made->options, out);
    write_reserved(made->reserved, 0, 4, out);
    put_visibility(made->visibility, 6, out);
}

static void write_enums(struct writer *w, const struct pb_enum *enums, uint32_t number, struct buf *out)
{
    for (const struct pb_enum *n = enums; n != NULL; n = n->next) {
        struct buf inner = begin();
        write_enum(w, n, &inner);
        put_message(out, number, &inner);
    }
}

static void write_oneofs(struct writer *w, const struct pb_message *message, struct buf *out)
{
    for (const struct pb_oneof *o = message->oneofs; o != NULL; o = o->next) {
        struct buf inner = begin();
        pb_put_str(&inner, 1, o->name);
        put_options(w, 2, "OneofOptions", message->full_name, o->options, &inner);
        put_message(out, 8, &inner);
    }
    for (const struct pb_field *f = message->fields; f != NULL; f = f->next) {
        if (!is_proto3(w) || f->label != PB_LABEL_OPTIONAL || f->oneof != NULL) {
            continue;
        }
        struct buf inner = begin();
        struct buf name = begin();
        buf_append_str(&name, f->name.len > 0 && f->name.ptr[0] == '_' ? STR("X") : STR("_"));
        buf_append_str(&name, f->name);
        put_message(&inner, 1, &name);
        put_message(out, 8, &inner);
    }
}

static void write_message(struct writer *w, const struct pb_message *message, struct buf *out)
{
    pb_put_str(out, 1, message->name);
    write_fields(w, message, out);
    write_nested(w, message->messages, message->fields, message->extends, 3, out);
    write_enums(w, message->enums, 4, out);
    write_extension_ranges(w, message, out);
    write_extends(w, message->full_name, message->extends, 6, out);
    put_options(w, 7, "MessageOptions", message->full_name, message->options, out);
    write_oneofs(w, message, out);
    write_reserved(message->reserved, 1, 9, out);
    put_visibility(message->visibility, 11, out);
}

// ---- services, the file

static void put_rpc_type(uint32_t number, const struct pb_message *message, struct str written,
                         struct buf *out)
{
    if (message != NULL) {
        put_full_name(out, number, message->full_name);
    } else {
        pb_put_str(out, number, written);
    }
}

static void write_services(struct writer *w, const struct pb_file *file, struct buf *out)
{
    for (const struct pb_service *s = file->services; s != NULL; s = s->next) {
        struct buf service = begin();
        pb_put_str(&service, 1, s->name);
        for (const struct pb_rpc *rpc = s->rpcs; rpc != NULL; rpc = rpc->next) {
            struct buf method = begin();
            pb_put_str(&method, 1, rpc->name);
            put_rpc_type(2, rpc->request_message, rpc->request, &method);
            put_rpc_type(3, rpc->response_message, rpc->response, &method);
            put_options(w, 4, "MethodOptions", file->package, rpc->options, &method);
            if (rpc->is_request_stream) {
                pb_put_varint(&method, 5, 1);
            }
            if (rpc->is_response_stream) {
                pb_put_varint(&method, 6, 1);
            }
            put_message(&service, 2, &method);
        }
        put_options(w, 3, "ServiceOptions", file->package, s->options, &service);
        put_message(out, 6, &service);
    }
}

static void write_import_indexes(const struct pb_file *file, enum pb_import_kind kind, uint32_t number,
                                 struct buf *out)
{
    uint64_t index = 0;
    for (const struct pb_import *i = file->imports; i != NULL; i = i->next, index++) {
        if (i->kind == kind) {
            pb_put_varint(out, number, index);
        }
        index -= i->kind == PB_IMPORT_OPTION;
    }
}

static void write_file(struct writer *w, struct buf *out)
{
    const struct pb_file *file = &w->schema->file;
    pb_put_str(out, 1, STR("default"));
    if (file->package.ptr != NULL) {
        pb_put_str(out, 2, file->package);
    }
    for (const struct pb_import *i = file->imports; i != NULL; i = i->next) {
        if (i->kind != PB_IMPORT_OPTION) {
            pb_put_str(out, 3, i->path);
        }
    }
    write_nested(w, file->messages, NULL, file->extends, 4, out);
    write_enums(w, file->enums, 5, out);
    write_services(w, file, out);
    write_extends(w, file->package, file->extends, 7, out);
    put_options(w, 8, "FileOptions", file->package, file->options, out);
    write_import_indexes(file, PB_IMPORT_PUBLIC, 10, out);
    write_import_indexes(file, PB_IMPORT_WEAK, 11, out);
    if (file->syntax == PB_SYNTAX_PROTO3) {
        pb_put_str(out, 12, STR("proto3"));
    } else if (file->syntax == PB_SYNTAX_EDITION) {
        pb_put_str(out, 12, STR("editions"));
        pb_put_varint(out, 14, str_equal(file->edition, STR("2023")) ? 1000 : 1001);
    }
    for (const struct pb_import *i = file->imports; i != NULL; i = i->next) {
        if (i->kind == PB_IMPORT_OPTION) {
            pb_put_str(out, 15, i->path);
        }
    }
}

enum err pb_descriptor_write(const struct pb_schema *schema, struct buf *out, struct error *e)
{
    struct writer w = {.schema = schema};
    enum err err = pb_options_schema_init(&w.options, schema, e);
    if (err == ERR_OK) {
        struct buf bytes = begin();
        write_file(&w, &bytes);
        if (bytes.failed) {
            err = FAIL(e, ERR_NO_MEMORY, "the schema's descriptor is too long");
        } else {
            pb_base64_encode(buf_bytes(&bytes), out);
        }
        buf_fini(&bytes);
    }
    pb_options_schema_fini(&w.options);
    return err;
}
