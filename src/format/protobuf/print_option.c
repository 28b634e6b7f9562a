// SPDX-License-Identifier: Apache-2.0
// print_option.c - options as the registry prints them: one in brackets on the line of its field, more than
// one each on a line of its own; entries of aggregates each on a line of its own.
#include "format/protobuf/protobuf_private.h"

#include "base/utf8.h"

static void print_value(struct pb_printer *p, const struct pb_value *value);

// Bytes that are no UTF-8 text, and control characters without a letter, become octal escapes, so that what
// is printed can be read again.
void pb_print_escaped(struct buf *out, struct str text)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\'\"";
    static const char letters[] = "abfnrtv\\'\"";
    while (text.len > 0) {
        char c = text.ptr[0];
        const char *found = c == '\0' ? NULL : strchr(plain, c);
        size_t size = utf8_size(text);
        if (found != NULL) {
            buf_u8(out, '\\');
            buf_u8(out, (uint8_t)letters[found - plain]);
            size = 1;
        } else if (size == 0 || (unsigned char)c < ' ' || c == 0x7f) {
            buf_printf(out, "\\%03o", (unsigned char)c);
            size = 1;
        } else {
            buf_append(out, text.ptr, size);
        }
        text.ptr += size;
        text.len -= size;
    }
}

void pb_print_indent(struct pb_printer *p)
{
    for (unsigned i = 0; i < p->depth; i++) {
        buf_append(p->out, "  ", 2);
    }
}

static void print_items(struct pb_printer *p, const struct pb_value *value)
{
    buf_append_str(p->out, value->kind == PB_VALUE_MAP ? STR("{\n") : STR("[\n"));
    p->depth++;
    for (const struct pb_value *item = value->first; item != NULL; item = item->next) {
        pb_print_indent(p);
        if (value->kind == PB_VALUE_MAP) {
            buf_append_str(p->out, item->key);
            buf_append(p->out, ": ", 2);
        }
        print_value(p, item);
        buf_append_str(p->out, item->next != NULL ? STR(",\n") : STR("\n"));
    }
    p->depth--;
    pb_print_indent(p);
    buf_u8(p->out, value->kind == PB_VALUE_MAP ? '}' : ']');
}

static void print_value(struct pb_printer *p, const struct pb_value *value)
{
    switch (value->kind) {
    case PB_VALUE_STRING:
        buf_u8(p->out, '"');
        pb_print_escaped(p->out, value->text);
        buf_u8(p->out, '"');
        break;
    case PB_VALUE_NUMBER:
        buf_append_str(p->out, p->is_normal ? pb_number_normal(&p->arena, value->text) : value->text);
        break;
    case PB_VALUE_BOOL:
    case PB_VALUE_WORD:
        buf_append_str(p->out, value->text);
        break;
    case PB_VALUE_MAP:
        print_items(p, value);
        break;
    case PB_VALUE_LIST:
        if (p->is_normal && value->count == 1) {
            print_value(p, value->first);
        } else {
            print_items(p, value);
        }
        break;
    }
}

void pb_print_option(struct pb_printer *p, const struct pb_option *option)
{
    buf_printf(p->out, option->is_extension ? "(" STR_FMT ")" : STR_FMT, STR_ARG(option->name));
    if (option->path.len > 0) {
        buf_printf(p->out, "." STR_FMT, STR_ARG(option->path));
    }
    buf_append(p->out, " = ", 3);
    const struct pb_value *value = &option->value;
    if (value->kind == PB_VALUE_LIST && value->count == 1) { // a list of an option itself keeps its brackets
        buf_u8(p->out, '[');
        print_value(p, value->first);
        buf_u8(p->out, ']');
    } else {
        print_value(p, value);
    }
}

void pb_print_options(struct pb_printer *p, const struct pb_option *options)
{
    if (options->next == NULL) {
        buf_u8(p->out, '[');
        pb_print_option(p, options);
        buf_u8(p->out, ']');
        return;
    }
    buf_append(p->out, "[\n", 2);
    p->depth++;
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        pb_print_indent(p);
        pb_print_option(p, o);
        buf_append_str(p->out, o->next != NULL ? STR(",\n") : STR("\n"));
    }
    p->depth--;
    pb_print_indent(p);
    buf_u8(p->out, ']');
}

static const struct pb_option *without_extensions(struct pb_printer *p, const struct pb_option *options)
{
    struct pb_option *first = NULL;
    struct pb_option **last = &first;
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        struct pb_option *copy = NULL;
        if (!o->is_extension || str_has_prefix(o->name, STR("confluent."))) {
            copy = arena_new(&p->arena, struct pb_option, 1);
        }
        if (copy != NULL) {
            *copy = *o;
            copy->next = NULL;
            PB_APPEND(last, copy);
        }
    }
    return first;
}

const struct pb_option *pb_options_filter(struct pb_printer *p, const struct pb_option *options)
{
    if (p->is_plain) {
        options = without_extensions(p, options);
    }
    return p->is_normal ? pb_options_normal(p, options) : options;
}
