// SPDX-License-Identifier: Apache-2.0
// validate.c - what a schema that is being registered must keep: numbers, ranges and names that do not clash,
// and the rules of its syntax. One that has long been registered is not asked.
#include "format/protobuf/protobuf_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct validator {
    const struct pb_schema *schema;
    struct error *e;
};

// A number or a range of numbers of one type, and what holds it.
struct span {
    int64_t first;
    int64_t last;
    struct str name; // of the field; NULL ptr: a range
    const char *what;
    struct pb_place place;
};

struct spans {
    struct span *items;
    size_t count;
    size_t cap;
};

static void add_span(struct spans *s, struct span span)
{
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->items = mem_realloc(s->items, s->cap * sizeof *s->items);
    }
    s->items[s->count++] = span;
}

static void add_ranges(struct spans *s, const struct pb_reserved *reserved, const char *what)
{
    for (const struct pb_reserved *r = reserved; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            if (range->name.ptr == NULL) {
                add_span(s, (struct span){range->first, range->last, {NULL, 0}, what, range->place});
            }
        }
    }
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1)
           : x->last != y->last ? (x->last < y->last ? -1 : 1)
                                : 0;
}

static void describe(const struct span *span, char *out, size_t size)
{
    if (span->name.ptr != NULL) {
        snprintf(out, size, "%s %.*s", span->what, (int)(span->name.len > 60 ? 60 : span->name.len),
                 span->name.ptr);
    } else {
        snprintf(out, size, "%s %lld to %lld", span->what, (long long)span->first, (long long)span->last);
    }
}

// No two may share a number.
static enum err check_spans(struct validator *v, struct spans *s)
{
    if (s->count > 0) {
        qsort(s->items, s->count, sizeof *s->items, compare_spans);
    }
    for (size_t i = 1, widest = 0; i < s->count; i++) {
        if (s->items[i].first <= s->items[widest].last) {
            char one[128];
            char other[128];
            describe(&s->items[widest], one, sizeof one);
            describe(&s->items[i], other, sizeof other);
            struct pb_place place = s->items[i].name.ptr != NULL ? s->items[i].place : s->items[widest].place;
            return pb_fail(v->e, place, "number %lld is taken by %s and %s", (long long)s->items[i].first,
                           one, other);
        }
        if (s->items[i].last > s->items[widest].last) {
            widest = i;
        }
    }
    return ERR_OK;
}

// ---- names that are reserved

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static size_t gather_names(const struct pb_reserved *reserved, struct str **ret)
{
    size_t count = 0;
    for (const struct pb_reserved *r = reserved; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            count += range->name.ptr != NULL;
        }
    }
    *ret = mem_array(count == 0 ? 1 : count, sizeof **ret);
    count = 0;
    for (const struct pb_reserved *r = reserved; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            if (range->name.ptr != NULL) {
                (*ret)[count++] = range->name;
            }
        }
    }
    qsort(*ret, count, sizeof **ret, compare_names);
    return count;
}

static enum err check_name(struct validator *v, const struct str *names, size_t count, struct str name,
                           struct pb_place place)
{
    if (count > 0 && bsearch(&name, names, count, sizeof *names, compare_names) != NULL) {
        return pb_fail(v->e, place, "the name \"" STR_FMT "\" is reserved", STR_ARG(name));
    }
    return ERR_OK;
}

// ---- fields

static bool is_map_key(enum pb_type type)
{
    return type != PB_TYPE_NONE && type != PB_TYPE_DOUBLE && type != PB_TYPE_FLOAT && type != PB_TYPE_BYTES &&
           type != PB_TYPE_MESSAGE && type != PB_TYPE_GROUP && type != PB_TYPE_ENUM;
}

static enum err check_label(struct validator *v, const struct pb_field *f)
{
    enum pb_syntax syntax = v->schema->file.syntax;
    bool is_proto2 = syntax == PB_SYNTAX_NONE || syntax == PB_SYNTAX_PROTO2;
    if (is_proto2 && f->label == PB_LABEL_NONE && f->oneof == NULL && !f->is_map) {
        return pb_fail(v->e, f->place, "a field of proto2 begins with optional, required or repeated");
    }
    if (!is_proto2 && f->label == PB_LABEL_REQUIRED) {
        return pb_fail(v->e, f->place, "required fields are of proto2");
    }
    if (syntax == PB_SYNTAX_EDITION && f->label == PB_LABEL_OPTIONAL) {
        return pb_fail(v->e, f->place,
                       "editions have no optional: fields are so unless features say otherwise");
    }
    if (!is_proto2 && f->group != NULL) {
        return pb_fail(v->e, f->place, "groups are of proto2");
    }
    if (f->default_value != NULL && (syntax == PB_SYNTAX_PROTO3 || pb_field_is_repeated(f))) {
        return pb_fail(v->e, f->place, "this field may not have a default");
    }
    return ERR_OK;
}

static enum err check_field(struct validator *v, const struct pb_field *f)
{
    if (f->number < 1 || f->number > PB_NUMBER_MAX) {
        return pb_fail(v->e, f->place, "%d is no field number: they are from 1 to %d", f->number,
                       PB_NUMBER_MAX);
    }
    if (f->number >= PB_NUMBER_RESERVED_FIRST && f->number <= PB_NUMBER_RESERVED_LAST) {
        return pb_fail(v->e, f->place, "field numbers from %d to %d are kept for Protobuf itself",
                       PB_NUMBER_RESERVED_FIRST, PB_NUMBER_RESERVED_LAST);
    }
    if (f->is_map && !is_map_key(f->key_type)) {
        return pb_fail(v->e, f->place, "\"" STR_FMT "\" cannot be the key of a map", STR_ARG(f->key_name));
    }
    if (f->is_map && f->enumeration != NULL && f->enumeration->values != NULL &&
        f->enumeration->values->number != 0) {
        return pb_fail(v->e, f->place, "an enum in a map begins with the value 0");
    }
    const struct pb_option *packed = pb_option_find(f->options, "packed");
    if (packed != NULL && str_equal(packed->value.text, STR("true")) &&
        (f->label != PB_LABEL_REPEATED || !pb_type_is_packable(f->type))) {
        return pb_fail(v->e, packed->place, "only repeated numbers, bools and enums can be packed");
    }
    if (f->group != NULL && (f->name.ptr[0] < 'A' || f->name.ptr[0] > 'Z')) {
        return pb_fail(v->e, f->place, "the name of a group begins with a capital letter");
    }
    return check_label(v, f);
}

// ---- enums

static enum err check_enum(struct validator *v, const struct pb_enum *made)
{
    if (made->values == NULL) {
        return pb_fail(v->e, made->place, "enum \"" STR_FMT "\" has no value", STR_ARG(made->name));
    }
    if (!made->is_closed && made->values->number != 0) {
        return pb_fail(v->e, made->values->place, "the first value of an open enum is 0");
    }
    bool has_alias = pb_option_is_true(made->options, "allow_alias");
    struct spans spans = {NULL, 0, 0};
    struct str *names = NULL;
    size_t name_count = gather_names(made->reserved, &names);
    enum err err = ERR_OK;
    for (const struct pb_enum_value *value = made->values; value != NULL && err == ERR_OK;
         value = value->next) {
        err = check_name(v, names, name_count, value->name, value->place);
        add_span(&spans, (struct span){value->number, value->number, value->name, "value", value->place});
    }
    if (has_alias && spans.count > 0) { // values may share a number, but not one that is reserved
        qsort(spans.items, spans.count, sizeof *spans.items, compare_spans);
        size_t kept = 1;
        for (size_t i = 1; i < spans.count; i++) {
            if (spans.items[i].first != spans.items[kept - 1].first) {
                spans.items[kept++] = spans.items[i];
            }
        }
        spans.count = kept;
    }
    add_ranges(&spans, made->reserved, "reserved");
    if (err == ERR_OK) {
        err = check_spans(v, &spans);
    }
    mem_free(spans.items);
    mem_free(names);
    return err;
}

// ---- messages

static enum err check_message(struct validator *v, const struct pb_message *message);

static bool is_in_ranges(const struct pb_reserved *ranges, int32_t number)
{
    for (const struct pb_reserved *r = ranges; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            if (number >= range->first && number <= range->last) {
                return true;
            }
        }
    }
    return false;
}

static enum err check_extends(struct validator *v, const struct pb_extend *extends)
{
    enum err err = ERR_OK;
    for (const struct pb_extend *x = extends; x != NULL; x = x->next) {
        const struct pb_symbol *of = pb_symbol_find(&v->schema->symbols, x->full_name);
        for (const struct pb_field *f = x->fields; f != NULL && err == ERR_OK; f = f->next) {
            err = check_field(v, f);
            if (err == ERR_OK && of != NULL && of->message != NULL &&
                !is_in_ranges(of->message->extensions, f->number)) {
                err = pb_fail(v->e, f->place, "\"" STR_FMT "\" does not keep number %d for extensions",
                              STR_ARG(x->full_name), f->number);
            }
            if (err == ERR_OK && f->label == PB_LABEL_REQUIRED) {
                err = pb_fail(v->e, f->place, "an extension cannot be required");
            }
            if (err == ERR_OK && f->is_map) {
                err = pb_fail(v->e, f->place, "an extension cannot be a map");
            }
            if (err == ERR_OK && f->group != NULL) {
                err = check_message(v, f->group);
            }
        }
    }
    return err;
}

static enum err check_own_fields(struct validator *v, const struct pb_message *message)
{
    struct spans spans = {NULL, 0, 0};
    struct str *names = NULL;
    size_t name_count = gather_names(message->reserved, &names);
    enum err err = ERR_OK;
    for (const struct pb_field *f = message->fields; f != NULL && err == ERR_OK; f = f->next) {
        err = check_field(v, f);
        if (err == ERR_OK) {
            err = check_name(v, names, name_count, f->name, f->place);
        }
        add_span(&spans, (struct span){f->number, f->number, f->name, "field", f->place});
    }
    add_ranges(&spans, message->reserved, "reserved");
    add_ranges(&spans, message->extensions, "extensions");
    if (err == ERR_OK) {
        err = check_spans(v, &spans);
    }
    mem_free(spans.items);
    mem_free(names);
    return err;
}

static enum err check_message(struct validator *v, const struct pb_message *message)
{
    enum err err = check_own_fields(v, message);
    for (const struct pb_oneof *o = message->oneofs; o != NULL && err == ERR_OK; o = o->next) {
        if (o->fields == NULL) {
            err = pb_fail(v->e, o->place, "oneof \"" STR_FMT "\" has no field", STR_ARG(o->name));
        }
    }
    for (const struct pb_field *f = message->fields; f != NULL && err == ERR_OK; f = f->next) {
        if (f->group != NULL) {
            err = check_message(v, f->group);
        }
    }
    for (const struct pb_message *m = message->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = check_message(v, m);
    }
    for (const struct pb_enum *n = message->enums; n != NULL && err == ERR_OK; n = n->next) {
        err = check_enum(v, n);
    }
    return err == ERR_OK ? check_extends(v, message->extends) : err;
}

enum err pb_validate(const struct pb_schema *schema, struct error *e)
{
    struct validator v = {schema, e};
    const struct pb_file *file = &schema->file;
    enum err err = ERR_OK;
    for (const struct pb_message *m = file->messages; m != NULL && err == ERR_OK; m = m->next) {
        err = check_message(&v, m);
    }
    for (const struct pb_enum *n = file->enums; n != NULL && err == ERR_OK; n = n->next) {
        err = check_enum(&v, n);
    }
    return err == ERR_OK ? check_extends(&v, file->extends) : err;
}
