// SPDX-License-Identifier: Apache-2.0
// print.c - the text that ids depend on. Not one byte of it may ever change: README.md describes the layout.
// Sections of a type are set apart by a line that holds nothing but the indentation of the type.
#include "format/protobuf/protobuf_private.h"

#include "base/mem.h"

static void print_message(struct pb_printer *p, const struct pb_message *message);
static void print_body(struct pb_printer *p, const struct pb_message *message);

// Between the sections of a type: the first one ends the line of the type, later ones make an empty line.
static void begin_section(struct pb_printer *p, bool *has_section)
{
    if (*has_section) {
        pb_print_indent(p);
    }
    buf_u8(p->out, '\n');
    *has_section = true;
}

static struct pb_sorted *new_sorted(struct pb_printer *p, size_t count)
{
    struct pb_sorted *items = arena_new(&p->arena, struct pb_sorted, count == 0 ? 1 : count);
    if (items == NULL) {
        p->out->failed = true;
    }
    return items;
}

static void print_option_lines(struct pb_printer *p, const struct pb_option *options)
{
    for (const struct pb_option *o = options; o != NULL; o = o->next) {
        pb_print_indent(p);
        buf_append_str(p->out, STR("option "));
        pb_print_option(p, o);
        buf_append(p->out, ";\n", 2);
    }
}

// An option section of a type whose contents are one deeper.
static void print_option_section(struct pb_printer *p, const struct pb_option *options, bool *has_section)
{
    options = pb_options_filter(p, options);
    if (options != NULL) {
        begin_section(p, has_section);
        p->depth++;
        print_option_lines(p, options);
        p->depth--;
    }
}

// ---- fields

static void print_full_name(struct pb_printer *p, struct str full)
{
    buf_u8(p->out, '.');
    buf_append_str(p->out, full);
}

static struct str type_full_name(const struct pb_field *f)
{
    return f->message != NULL       ? f->message->full_name
           : f->enumeration != NULL ? f->enumeration->full_name
                                    : (struct str){NULL, 0};
}

static void print_type(struct pb_printer *p, const struct pb_field *f, struct str written)
{
    struct str full = type_full_name(f);
    if (p->is_normal && full.ptr != NULL) {
        print_full_name(p, full);
    } else {
        buf_append_str(p->out, written);
    }
}

static void print_field_type(struct pb_printer *p, const struct pb_field *f)
{
    struct pb_map map;
    bool is_map = f->is_map || (p->is_normal && pb_field_map(f, &map));
    if (f->label != PB_LABEL_NONE && !is_map) {
        static const char *const labels[] = {"", "optional ", "required ", "repeated "};
        buf_append_str(p->out, str_from_c(labels[f->label]));
    }
    if (f->is_map) {
        buf_printf(p->out, "map<" STR_FMT ", ", STR_ARG(f->key_name));
        print_type(p, f, f->type_name);
        buf_u8(p->out, '>');
    } else if (is_map) {
        buf_printf(p->out, "map<" STR_FMT ", ", STR_ARG(map.key_name));
        print_type(p, map.value, map.value_name);
        buf_u8(p->out, '>');
    } else {
        print_type(p, f, f->type_name);
    }
}

// Options, then default and json_name, which are none but are written like them.
static const struct pb_option *field_options(struct pb_printer *p, const struct pb_field *f)
{
    struct pb_option *first = NULL;
    struct pb_option **last = &first;
    for (const struct pb_option *o = f->options; o != NULL; o = o->next) {
        struct pb_option *copy = arena_new(&p->arena, struct pb_option, 1);
        if (copy != NULL) {
            *copy = *o;
            copy->next = NULL;
            PB_APPEND(last, copy);
        }
    }
    struct pb_option *extra = arena_new(&p->arena, struct pb_option, 2);
    if (extra == NULL) {
        p->out->failed = true;
        return NULL;
    }
    if (f->default_value != NULL) {
        extra[0] = (struct pb_option){.name = STR("default"), .path = STR(""), .value = *f->default_value};
        PB_APPEND(last, &extra[0]);
    }
    if (f->has_json_name) {
        extra[1] = (struct pb_option){.name = STR("json_name"), .path = STR("")};
        extra[1].value = (struct pb_value){.kind = PB_VALUE_STRING, .text = f->json_name};
        PB_APPEND(last, &extra[1]);
    }
    return pb_options_filter(p, first);
}

static void print_field(struct pb_printer *p, const struct pb_field *f)
{
    pb_print_indent(p);
    if (f->group != NULL) {
        static const char *const labels[] = {"", "optional ", "required ", "repeated "};
        buf_printf(p->out, "%sgroup ", labels[f->label]);
    } else {
        print_field_type(p, f);
        buf_u8(p->out, ' ');
    }
    buf_printf(p->out, STR_FMT " = %d", STR_ARG(f->name), f->number);
    const struct pb_option *options =
        f->options == NULL && f->default_value == NULL && !f->has_json_name ? NULL : field_options(p, f);
    if (options != NULL) {
        buf_u8(p->out, ' ');
        pb_print_options(p, options);
    }
    if (f->group == NULL) {
        buf_append(p->out, ";\n", 2);
        return;
    }
    struct str scope = p->scope;
    buf_append(p->out, " {", 2);
    print_body(p, f->group);
    p->scope = scope;
}

enum which_fields { FIELDS_PLAIN, FIELDS_GROUPS, FIELDS_ALL };

static bool is_of(const struct pb_field *f, enum which_fields which, const struct pb_oneof *oneof)
{
    return f->oneof == oneof && (which == FIELDS_ALL || (f->group != NULL) == (which == FIELDS_GROUPS));
}

static const struct pb_field *next_of(const struct pb_field *f, const struct pb_oneof *oneof)
{
    return oneof != NULL ? f->next_in_oneof : f->next;
}

static size_t count_fields(const struct pb_field *first, enum which_fields which,
                           const struct pb_oneof *oneof)
{
    size_t count = 0;
    for (const struct pb_field *f = first; f != NULL; f = next_of(f, oneof)) {
        count += is_of(f, which, oneof);
    }
    return count;
}

// Fields of a list, those of one sort, one deeper; in the normal form by number.
static void print_fields(struct pb_printer *p, const struct pb_field *first, enum which_fields which,
                         const struct pb_oneof *oneof)
{
    size_t count = count_fields(first, which, oneof);
    struct pb_sorted *items = new_sorted(p, count);
    if (items == NULL) {
        return;
    }
    size_t at = 0;
    for (const struct pb_field *f = first; f != NULL; f = next_of(f, oneof)) {
        if (is_of(f, which, oneof)) {
            items[at++] = (struct pb_sorted){.element = f, .key = p->is_normal ? f->number : 0};
        }
    }
    pb_sort(items, count);
    p->depth++;
    for (size_t i = 0; i < count; i++) {
        print_field(p, items[i].element);
    }
    p->depth--;
}

static void print_field_section(struct pb_printer *p, const struct pb_field *first, enum which_fields which,
                                const struct pb_oneof *oneof, bool *has_section)
{
    if (count_fields(first, which, oneof) > 0) {
        begin_section(p, has_section);
        print_fields(p, first, which, oneof);
    }
}

// ---- oneofs

static void print_oneof(struct pb_printer *p, const struct pb_oneof *oneof)
{
    bool has_section = false;
    pb_print_indent(p);
    buf_printf(p->out, "oneof " STR_FMT " {", STR_ARG(oneof->name));
    print_option_section(p, oneof->options, &has_section);
    print_field_section(p, oneof->fields, FIELDS_PLAIN, oneof, &has_section);
    print_field_section(p, oneof->fields, FIELDS_GROUPS, oneof, &has_section);
    if (has_section) {
        pb_print_indent(p);
    }
    buf_append(p->out, "}\n", 2);
}

static int64_t first_number(const struct pb_oneof *oneof)
{
    int64_t least = INT64_MAX;
    for (const struct pb_field *f = oneof->fields; f != NULL; f = f->next_in_oneof) {
        least = f->group == NULL && f->number < least ? f->number : least;
    }
    return least;
}

static void print_oneofs(struct pb_printer *p, const struct pb_oneof *first, bool *has_section)
{
    size_t count = 0;
    for (const struct pb_oneof *o = first; o != NULL; o = o->next) {
        count += !p->is_normal || o->fields != NULL;
    }
    struct pb_sorted *items = new_sorted(p, count);
    if (items == NULL || count == 0) {
        return;
    }
    begin_section(p, has_section);
    count = 0;
    for (const struct pb_oneof *o = first; o != NULL; o = o->next) {
        if (!p->is_normal || o->fields != NULL) {
            items[count++] = (struct pb_sorted){.element = o, .key = p->is_normal ? first_number(o) : 0};
        }
    }
    pb_sort(items, count);
    p->depth++;
    for (size_t i = 0; i < count; i++) {
        print_oneof(p, items[i].element);
    }
    p->depth--;
}

// ---- reserved and extensions

static void print_range(struct pb_printer *p, const struct pb_range *range)
{
    if (range->name.ptr != NULL) {
        const char *quote = range->is_bare ? "" : "\"";
        buf_append_str(p->out, str_from_c(quote));
        pb_print_escaped(p->out, range->name);
        buf_append_str(p->out, str_from_c(quote));
    } else if (range->is_single || (p->is_normal && range->first == range->last)) {
        buf_printf(p->out, "%d", range->first);
    } else if (range->last >= PB_NUMBER_MAX) {
        buf_printf(p->out, "%d to max", range->first);
    } else {
        buf_printf(p->out, "%d to %d", range->first, range->last);
    }
}

// In the normal form each range is a statement of its own, sorted; names come last.
static void print_normal_ranges(struct pb_printer *p, const struct pb_reserved *first, const char *word)
{
    size_t count = 0;
    for (const struct pb_reserved *r = first; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            count++;
        }
    }
    struct pb_sorted *items = new_sorted(p, count);
    if (items == NULL) {
        return;
    }
    bool is_extensions = word[0] == 'e';
    count = 0;
    for (const struct pb_reserved *r = first; r != NULL; r = r->next) {
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            struct str text = range->name;
            if (text.ptr == NULL && !is_extensions) {
                text = range->is_single ? arena_printf(&p->arena, "%d", range->first)
                                        : arena_printf(&p->arena, "%d..%d", range->first, range->last);
            }
            int64_t key = range->name.ptr != NULL ? INT32_MAX : range->first;
            items[count++] = (struct pb_sorted){.element = range, .key = key, .name = text};
        }
    }
    pb_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        pb_print_indent(p);
        buf_printf(p->out, "%s ", word);
        print_range(p, items[i].element);
        buf_append(p->out, ";\n", 2);
    }
}

static void print_reserved(struct pb_printer *p, const struct pb_reserved *first, const char *word,
                           bool *has_section)
{
    if (first == NULL) {
        return;
    }
    begin_section(p, has_section);
    p->depth++;
    if (p->is_normal) {
        print_normal_ranges(p, first, word);
    }
    for (const struct pb_reserved *r = p->is_normal ? NULL : first; r != NULL; r = r->next) {
        pb_print_indent(p);
        buf_printf(p->out, "%s ", word);
        for (const struct pb_range *range = r->ranges; range != NULL; range = range->next) {
            print_range(p, range);
            buf_append_str(p->out, range->next != NULL ? STR(", ") : STR(";\n"));
        }
    }
    p->depth--;
}

// ---- extend

static void print_extend_head(struct pb_printer *p, const struct pb_extend *extend)
{
    pb_print_indent(p);
    buf_append_str(p->out, STR("extend "));
    if (p->is_normal && extend->full_name.ptr != NULL) {
        print_full_name(p, extend->full_name);
    } else {
        buf_append_str(p->out, extend->type_name);
    }
    buf_append(p->out, " {", 2);
}

static bool is_same_extendee(const struct pb_extend *a, const struct pb_extend *b)
{
    return str_equal(a->full_name.ptr != NULL ? a->full_name : a->type_name,
                     b->full_name.ptr != NULL ? b->full_name : b->type_name);
}

// In the normal form the extensions of one message are in one block.
static void print_normal_extends(struct pb_printer *p, const struct pb_extend *first)
{
    size_t budget = PB_ENTRIES_MAX; // of distinct blocks, since each one looks at all
    for (const struct pb_extend *x = first; x != NULL; x = x->next) {
        const struct pb_extend *earlier = first;
        while (earlier != x && !is_same_extendee(earlier, x)) {
            earlier = earlier->next;
        }
        if (earlier != x || x->fields == NULL) {
            continue;
        }
        if (budget-- == 0) {
            p->out->failed = true;
            return;
        }
        size_t count = 0;
        for (const struct pb_extend *y = x; y != NULL; y = y->next) {
            count += is_same_extendee(x, y) ? count_fields(y->fields, FIELDS_ALL, NULL) : 0;
        }
        struct pb_sorted *items = new_sorted(p, count);
        if (items == NULL) {
            return;
        }
        count = 0;
        for (const struct pb_extend *y = x; y != NULL; y = y->next) {
            for (const struct pb_field *f = is_same_extendee(x, y) ? y->fields : NULL; f != NULL;
                 f = f->next) {
                items[count++] = (struct pb_sorted){.element = f, .key = f->number};
            }
        }
        pb_sort(items, count);
        print_extend_head(p, x);
        buf_u8(p->out, '\n');
        p->depth++;
        for (size_t i = 0; i < count; i++) {
            print_field(p, items[i].element);
        }
        p->depth--;
        pb_print_indent(p);
        buf_append(p->out, "}\n", 2);
    }
}

static void print_extends(struct pb_printer *p, const struct pb_extend *first)
{
    if (p->is_normal) {
        print_normal_extends(p, first);
        return;
    }
    for (const struct pb_extend *x = first; x != NULL; x = x->next) {
        bool has_section = false;
        print_extend_head(p, x);
        print_field_section(p, x->fields, FIELDS_PLAIN, NULL, &has_section);
        print_field_section(p, x->fields, FIELDS_GROUPS, NULL, &has_section);
        if (has_section) {
            pb_print_indent(p);
        }
        buf_append(p->out, "}\n", 2);
    }
}

// ---- enums

static void print_enum_values(struct pb_printer *p, const struct pb_enum_value *first)
{
    size_t count = 0;
    for (const struct pb_enum_value *v = first; v != NULL; v = v->next) {
        count++;
    }
    struct pb_sorted *items = new_sorted(p, count);
    if (items == NULL) {
        return;
    }
    size_t at = 0;
    for (const struct pb_enum_value *v = first; v != NULL; v = v->next) {
        items[at++] = (struct pb_sorted){.element = v,
                                         .key = p->is_normal ? v->number : 0,
                                         .name = p->is_normal ? v->name : (struct str){NULL, 0}};
    }
    pb_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        const struct pb_enum_value *v = items[i].element;
        pb_print_indent(p);
        buf_printf(p->out, STR_FMT " = %d", STR_ARG(v->name), v->number);
        const struct pb_option *options = pb_options_filter(p, v->options);
        if (options != NULL) {
            buf_u8(p->out, ' ');
            pb_print_options(p, options);
        }
        buf_append(p->out, ";\n", 2);
    }
}

static void print_enum(struct pb_printer *p, const struct pb_enum *made)
{
    bool has_section = false;
    struct str scope = p->scope;
    p->scope = made->full_name;
    pb_print_indent(p);
    buf_append_str(p->out, str_from_c(made->visibility == NULL ? "" : made->visibility));
    buf_printf(p->out, "enum " STR_FMT " {", STR_ARG(made->name));
    print_reserved(p, made->reserved, "reserved", &has_section);
    // No empty line between what is reserved, options and values.
    const struct pb_option *options = pb_options_filter(p, made->options);
    if (!has_section && (options != NULL || made->values != NULL)) {
        begin_section(p, &has_section);
    }
    p->depth++;
    print_option_lines(p, options);
    print_enum_values(p, made->values);
    p->depth--;
    if (has_section) {
        pb_print_indent(p);
    }
    buf_append(p->out, "}\n", 2);
    p->scope = scope;
}

// ---- messages

static bool is_printed(const struct pb_printer *p, const struct pb_message *message)
{
    return !p->is_normal || !message->is_map_entry; // the field is printed as a map instead
}

// Messages first, then enums: message indexes in payloads count messages alone.
static void print_types(struct pb_printer *p, const struct pb_message *messages, const struct pb_enum *enums)
{
    for (const struct pb_message *m = messages; m != NULL; m = m->next) {
        if (is_printed(p, m)) {
            print_message(p, m);
        }
    }
    for (const struct pb_enum *n = enums; n != NULL; n = n->next) {
        print_enum(p, n);
    }
}

static bool has_types(const struct pb_printer *p, const struct pb_message *messages,
                      const struct pb_enum *enums)
{
    while (messages != NULL && !is_printed(p, messages)) {
        messages = messages->next;
    }
    return messages != NULL || enums != NULL;
}

static bool has_extends(const struct pb_printer *p, const struct pb_extend *extends)
{
    while (p->is_normal && extends != NULL && extends->fields == NULL) {
        extends = extends->next; // blocks are merged: an empty one vanishes
    }
    return !p->is_plain && extends != NULL;
}

static void print_body(struct pb_printer *p, const struct pb_message *message)
{
    bool has_section = false;
    p->scope = message->full_name;
    print_reserved(p, message->reserved, "reserved", &has_section);
    print_option_section(p, message->options, &has_section);
    print_field_section(p, message->fields, FIELDS_PLAIN, NULL, &has_section);
    print_oneofs(p, message->oneofs, &has_section);
    print_field_section(p, message->fields, FIELDS_GROUPS, NULL, &has_section);
    print_reserved(p, p->is_plain ? NULL : message->extensions, "extensions", &has_section);
    if (has_extends(p, message->extends)) {
        begin_section(p, &has_section);
        p->depth++;
        print_extends(p, message->extends);
        p->depth--;
    }
    if (has_types(p, message->messages, message->enums)) {
        begin_section(p, &has_section);
        p->depth++;
        print_types(p, message->messages, message->enums);
        p->depth--;
    }
    if (has_section) {
        pb_print_indent(p);
    }
    buf_append(p->out, "}\n", 2);
}

static void print_message(struct pb_printer *p, const struct pb_message *message)
{
    struct str scope = p->scope;
    pb_print_indent(p);
    buf_append_str(p->out, str_from_c(message->visibility == NULL ? "" : message->visibility));
    buf_printf(p->out, "message " STR_FMT " {", STR_ARG(message->name));
    print_body(p, message);
    p->scope = scope;
}

// ---- services

static void print_rpc_type(struct pb_printer *p, bool is_stream, struct str written,
                           const struct pb_message *message)
{
    buf_append_str(p->out, is_stream ? STR("(stream ") : STR("("));
    if (p->is_normal && message != NULL) {
        print_full_name(p, message->full_name);
    } else {
        buf_append_str(p->out, written);
    }
    buf_u8(p->out, ')');
}

static void print_rpc(struct pb_printer *p, const struct pb_rpc *rpc)
{
    pb_print_indent(p);
    buf_printf(p->out, "rpc " STR_FMT " ", STR_ARG(rpc->name));
    print_rpc_type(p, rpc->is_request_stream, rpc->request, rpc->request_message);
    buf_append_str(p->out, STR(" returns "));
    print_rpc_type(p, rpc->is_response_stream, rpc->response, rpc->response_message);
    const struct pb_option *options = pb_options_filter(p, rpc->options);
    if (options != NULL) {
        buf_append(p->out, " {\n", 3);
        p->depth++;
        print_option_lines(p, options);
        p->depth--;
        pb_print_indent(p);
        buf_u8(p->out, '}');
    }
    buf_append(p->out, ";\n", 2);
}

static void print_service(struct pb_printer *p, const struct pb_service *service)
{
    bool has_section = false;
    buf_printf(p->out, "service " STR_FMT " {", STR_ARG(service->name));
    print_option_section(p, service->options, &has_section);
    if (service->rpcs != NULL) {
        begin_section(p, &has_section);
        p->depth++;
        for (const struct pb_rpc *rpc = service->rpcs; rpc != NULL; rpc = rpc->next) {
            print_rpc(p, rpc);
        }
        p->depth--;
    }
    buf_append(p->out, "}\n", 2);
}

// ---- the file

static void print_imports(struct pb_printer *p, enum pb_import_kind kind, const char *word)
{
    size_t count = 0;
    for (const struct pb_import *i = p->schema->file.imports; i != NULL; i = i->next) {
        count += i->kind == kind;
    }
    struct pb_sorted *items = new_sorted(p, count);
    if (items == NULL) {
        return;
    }
    size_t at = 0;
    for (const struct pb_import *i = p->schema->file.imports; i != NULL; i = i->next) {
        if (i->kind == kind) {
            items[at++] =
                (struct pb_sorted){.element = i, .name = p->is_normal ? i->path : (struct str){NULL, 0}};
        }
    }
    pb_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        const struct pb_import *import = items[i].element;
        if (p->is_normal && i > 0 && str_equal(items[i].name, items[i - 1].name)) {
            continue;
        }
        buf_printf(p->out, "%s\"", word);
        pb_print_escaped(p->out, import->path);
        buf_append(p->out, "\";\n", 3);
    }
}

static void print_head(struct pb_printer *p, const struct pb_file *file)
{
    if (file->syntax == PB_SYNTAX_EDITION) {
        buf_printf(p->out, "edition = \"" STR_FMT "\";\n", STR_ARG(file->edition));
    } else if (file->syntax == PB_SYNTAX_PROTO3) {
        buf_append_str(p->out, STR("syntax = \"proto3\";\n"));
    } else if (file->syntax == PB_SYNTAX_PROTO2 && !p->is_normal) {
        buf_append_str(p->out, STR("syntax = \"proto2\";\n"));
    }
    if (file->package.ptr != NULL) {
        buf_printf(p->out, "package " STR_FMT ";\n", STR_ARG(file->package));
    }
    if (file->imports != NULL) {
        buf_u8(p->out, '\n');
        print_imports(p, PB_IMPORT_PLAIN, "import ");
        print_imports(p, PB_IMPORT_PUBLIC, "import public ");
        print_imports(p, PB_IMPORT_WEAK, "import weak ");
        print_imports(p, PB_IMPORT_OPTION, "import option ");
    }
    const struct pb_option *options = pb_options_filter(p, file->options);
    if (options != NULL) {
        buf_u8(p->out, '\n');
        print_option_lines(p, options);
    }
}

enum err pb_print(const struct pb_schema *schema, enum schema_form form, struct buf *out, struct error *e)
{
    struct pb_printer p = {.out = out,
                           .schema = schema,
                           .is_normal = form == SCHEMA_NORMAL,
                           .is_plain = form == SCHEMA_PLAIN,
                           .scope = schema->file.package};
    const struct pb_file *file = &schema->file;
    arena_init(&p.arena, SCHEMA_MEMORY_BYTES_MAX);
    print_head(&p, file);
    if (has_types(&p, file->messages, file->enums)) {
        buf_u8(out, '\n');
        print_types(&p, file->messages, file->enums);
    }
    if (has_extends(&p, file->extends)) {
        buf_u8(out, '\n');
        print_extends(&p, file->extends);
    }
    if (file->services != NULL) {
        buf_u8(out, '\n');
        for (const struct pb_service *s = file->services; s != NULL; s = s->next) {
            print_service(&p, s);
        }
    }
    bool is_over = p.arena.failed;
    arena_fini(&p.arena);
    return is_over || out->failed ? FAIL(e, ERR_NO_MEMORY, "the schema's text is too long to print") : ERR_OK;
}
