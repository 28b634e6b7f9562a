// SPDX-License-Identifier: Apache-2.0
// parse.c - the declarations of a .proto text: proto2, proto3, editions. Syntax only: what names mean is
// resolve.c's, what is forbidden is validate.c's. Recursion is bounded by SCHEMA_DEPTH_MAX.
#include "format/protobuf/protobuf_private.h"

struct parser {
    struct pb_lexer l;
    struct pb_file *file;
    uint32_t sequence;
    const char *visibility; // of the type that follows
};

// The last link of each list of a message while it is read.
struct message_tails {
    struct pb_option **options;
    struct pb_reserved **reserved;
    struct pb_reserved **extensions;
    struct pb_field **fields;
    struct pb_oneof **oneofs;
    struct pb_extend **extends;
    struct pb_message **messages;
    struct pb_enum **enums;
    uint32_t oneof_count;
};

static void parse_message_body(struct parser *p, struct pb_message *message, unsigned depth);

static void *make(struct parser *p, size_t size)
{
    void *made = arena_alloc(&*p->l.arena, size);
    if (made == NULL) {
        pb_lexer_fail(&p->l, p->l.token.place, "the schema is too large");
    }
    return made;
}

#define MAKE(p, type) ((struct type *)make((p), sizeof(struct type)))

static const char *const type_names[PB_TYPE_COUNT] = {
    [PB_TYPE_DOUBLE] = "double",     [PB_TYPE_FLOAT] = "float",     [PB_TYPE_INT64] = "int64",
    [PB_TYPE_UINT64] = "uint64",     [PB_TYPE_INT32] = "int32",     [PB_TYPE_FIXED64] = "fixed64",
    [PB_TYPE_FIXED32] = "fixed32",   [PB_TYPE_BOOL] = "bool",       [PB_TYPE_STRING] = "string",
    [PB_TYPE_GROUP] = "group",       [PB_TYPE_MESSAGE] = "message", [PB_TYPE_BYTES] = "bytes",
    [PB_TYPE_UINT32] = "uint32",     [PB_TYPE_ENUM] = "enum",       [PB_TYPE_SFIXED32] = "sfixed32",
    [PB_TYPE_SFIXED64] = "sfixed64", [PB_TYPE_SINT32] = "sint32",   [PB_TYPE_SINT64] = "sint64",
};

const char *pb_type_name(enum pb_type type)
{
    return type == PB_TYPE_NONE ? "unknown" : type_names[type];
}

enum pb_type pb_scalar_find(struct str name)
{
    for (int i = 1; i < PB_TYPE_COUNT; i++) {
        if (i != PB_TYPE_GROUP && i != PB_TYPE_MESSAGE && i != PB_TYPE_ENUM &&
            str_equal(name, str_from_c(type_names[i]))) {
            return (enum pb_type)i;
        }
    }
    return PB_TYPE_NONE;
}

bool pb_type_is_packable(enum pb_type type)
{
    return type != PB_TYPE_NONE && type != PB_TYPE_STRING && type != PB_TYPE_BYTES && type != PB_TYPE_GROUP &&
           type != PB_TYPE_MESSAGE;
}

// ---- fields

// `default` and `json_name` are written like options, but are none.
static void take_special_options(struct parser *p, struct pb_field *field)
{
    for (struct pb_option **at = &field->options; *at != NULL;) {
        struct pb_option *option = *at;
        bool is_plain = !option->is_extension && option->path.len == 0;
        if (is_plain && str_equal(option->name, STR("default"))) {
            field->default_value = &option->value;
        } else if (is_plain && str_equal(option->name, STR("json_name"))) {
            if (option->value.kind != PB_VALUE_STRING) {
                pb_lexer_fail(&p->l, option->place, "json_name is a string");
            }
            field->json_name = option->value.text;
            field->has_json_name = true;
        } else {
            at = &option->next;
            continue;
        }
        *at = option->next;
    }
}

static void parse_field_end(struct parser *p, struct pb_field *field)
{
    struct pb_option **last = &field->options;
    pb_parse_option_list(&p->l, &last);
    take_special_options(p, field);
}

static void parse_group(struct parser *p, struct pb_field *field, struct pb_message *parent, unsigned depth)
{
    struct pb_message *group = MAKE(p, pb_message);
    if (group == NULL) {
        return;
    }
    field->group = group;
    field->type_name = field->name;
    group->place = field->place;
    group->sequence = field->sequence;
    group->file = p->file;
    group->parent = parent;
    group->name = field->name;
    parse_message_body(p, group, depth + 1);
}

static void parse_map_type(struct parser *p, struct pb_field *field)
{
    pb_lexer_expect(&p->l, '<');
    field->is_map = true;
    field->key_name = pb_lexer_full_name(&p->l);
    pb_lexer_expect(&p->l, ',');
    field->type_name = pb_lexer_full_name(&p->l);
    pb_lexer_expect(&p->l, '>');
}

// A field of a message, a oneof (`oneof` set) or an extend. The label, if there may be one, is next.
static struct pb_field *parse_field(struct parser *p, struct pb_message *parent, struct pb_oneof *oneof,
                                    unsigned depth)
{
    struct pb_lexer *l = &p->l;
    struct pb_field *field = MAKE(p, pb_field);
    if (field == NULL) {
        return NULL;
    }
    field->place = l->token.place;
    field->sequence = p->sequence++;
    field->oneof = oneof;
    struct pb_place label_place = l->token.place;
    struct str first = pb_lexer_is(l, '.') ? pb_lexer_full_name(l) : pb_lexer_name(l);
    if (l->token.kind == PB_TOKEN_NAME || pb_lexer_is(l, '.')) {
        field->label = str_equal(first, STR("optional"))   ? PB_LABEL_OPTIONAL
                       : str_equal(first, STR("required")) ? PB_LABEL_REQUIRED
                       : str_equal(first, STR("repeated")) ? PB_LABEL_REPEATED
                                                           : PB_LABEL_NONE;
        if (field->label != PB_LABEL_NONE && oneof != NULL) {
            pb_lexer_fail(l, label_place, "a field of a oneof has no label");
        }
    }
    bool is_labelled = field->label != PB_LABEL_NONE;
    // `optional` may also begin a type's name: optional.x f = 1;
    if (is_labelled && pb_lexer_is(l, '.') && l->token.text.ptr == first.ptr + first.len) {
        field->label = PB_LABEL_NONE;
        is_labelled = false;
    }
    if (is_labelled) {
        field->place = l->token.place;
        first = pb_lexer_is(l, '.') ? pb_lexer_full_name(l) : pb_lexer_name(l);
    }
    if (str_equal(first, STR("map")) && pb_lexer_is(l, '<')) {
        parse_map_type(p, field);
        if (is_labelled) {
            pb_lexer_fail(l, label_place, "a map has no label");
        }
    } else if (pb_lexer_is(l, '.') && first.len > 0 && first.ptr[0] != '.') {
        struct str rest = pb_lexer_full_name(l);
        field->type_name = rest.ptr == first.ptr + first.len
                               ? (struct str){first.ptr, first.len + rest.len}
                               : arena_printf(l->arena, STR_FMT STR_FMT, STR_ARG(first), STR_ARG(rest));
    } else {
        field->type_name = first;
    }
    bool is_group = !field->is_map && str_equal(field->type_name, STR("group"));
    field->name = pb_lexer_name(l);
    pb_lexer_expect(l, '=');
    field->number = (int32_t)pb_lexer_int(l, 1, INT32_MAX);
    parse_field_end(p, field);
    if (is_group) {
        parse_group(p, field, parent, depth);
    } else {
        pb_lexer_expect(l, ';');
    }
    return l->err == ERR_OK ? field : NULL;
}

static void parse_oneof(struct parser *p, struct pb_message *message, struct message_tails *t, unsigned depth)
{
    struct pb_lexer *l = &p->l;
    struct pb_oneof *oneof = MAKE(p, pb_oneof);
    if (oneof == NULL) {
        return;
    }
    oneof->place = l->token.place;
    oneof->name = pb_lexer_name(l);
    oneof->index = t->oneof_count++;
    struct pb_option **options = &oneof->options;
    struct pb_field **fields = &oneof->fields;
    pb_lexer_expect(l, '{');
    while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
        if (pb_lexer_accept(l, ';')) {
            continue;
        }
        if (pb_lexer_accept_name(l, "option")) {
            pb_parse_option(l, &options);
            pb_lexer_expect(l, ';');
            continue;
        }
        struct pb_field *field = parse_field(p, message, oneof, depth);
        if (field != NULL) {
            *fields = field;
            fields = &field->next_in_oneof;
            PB_APPEND(t->fields, field);
        }
    }
    if (l->err == ERR_OK) {
        PB_APPEND(t->oneofs, oneof);
    }
}

// ---- reserved, extensions

static void parse_range_end(struct parser *p, struct pb_range *range, int64_t least)
{
    struct pb_lexer *l = &p->l;
    if (!pb_lexer_accept_name(l, "to")) {
        range->last = range->first;
        range->is_single = true;
        return;
    }
    // `max` of an enum's range is the largest number there is. Wire has one `max` for both.
    if (pb_lexer_accept_name(l, "max")) {
        range->last = least < 0 ? INT32_MAX : PB_NUMBER_MAX;
    } else {
        range->last = (int32_t)pb_lexer_int(l, least, INT32_MAX);
    }
    if (range->last < range->first) {
        pb_lexer_fail(l, range->place, "a range from %d to %d", range->first, range->last);
    }
}

// After the word `reserved` or `extensions`. least: the smallest number there may be.
static struct pb_reserved *parse_ranges(struct parser *p, int64_t least, bool has_names)
{
    struct pb_lexer *l = &p->l;
    struct pb_reserved *reserved = MAKE(p, pb_reserved);
    if (reserved == NULL) {
        return NULL;
    }
    struct pb_range **last = &reserved->ranges;
    do {
        struct pb_range *range = MAKE(p, pb_range);
        if (range == NULL) {
            return NULL;
        }
        range->place = l->token.place;
        if (has_names && l->token.kind == PB_TOKEN_STRING) {
            range->name = pb_lexer_string(l);
        } else if (has_names && l->token.kind == PB_TOKEN_NAME) {
            range->name = pb_lexer_name(l);
            range->is_bare = true;
        } else {
            range->first = (int32_t)pb_lexer_int(l, least, INT32_MAX);
            parse_range_end(p, range, least);
        }
        PB_APPEND(last, range);
    } while (l->err == ERR_OK && pb_lexer_accept(l, ','));
    struct pb_option **options = &reserved->options;
    if (!has_names) {
        pb_parse_option_list(l, &options);
    }
    pb_lexer_expect(l, ';');
    return l->err == ERR_OK ? reserved : NULL;
}

// ---- enums

static void parse_enum_value(struct parser *p, struct pb_enum_value ***last)
{
    struct pb_lexer *l = &p->l;
    struct pb_enum_value *value = MAKE(p, pb_enum_value);
    if (value == NULL) {
        return;
    }
    value->place = l->token.place;
    value->name = pb_lexer_name(l);
    pb_lexer_expect(l, '=');
    value->number = (int32_t)pb_lexer_int(l, INT32_MIN, INT32_MAX);
    struct pb_option **options = &value->options;
    pb_parse_option_list(l, &options);
    pb_lexer_expect(l, ';');
    if (l->err == ERR_OK) {
        **last = value;
        *last = &value->next;
    }
}

// Whether a word stands where a declaration begins, and is not the name of a field or value: `option = 1;`.
static bool is_keyword(struct parser *p, const char *word)
{
    if (!pb_lexer_is_name(&p->l, word)) {
        return false;
    }
    const char *at = p->l.pos;
    while (at < p->l.end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at == p->l.end || *at != '=';
}

// `export` or `local` before a type, in edition 2024; the type takes it.
static void parse_visibility(struct parser *p)
{
    const char *at = p->l.pos;
    while (at < p->l.end && *at == ' ') {
        at++;
    }
    struct str rest = {at, (size_t)(p->l.end - at)};
    bool is_type = str_has_prefix(rest, STR("message ")) || str_has_prefix(rest, STR("enum "));
    if (str_equal(p->file->edition, STR("2024")) && is_type) {
        p->visibility = pb_lexer_accept_name(&p->l, "export")  ? "export "
                        : pb_lexer_accept_name(&p->l, "local") ? "local "
                                                               : NULL;
    }
}

static const char *take_visibility(struct parser *p)
{
    const char *visibility = p->visibility;
    p->visibility = NULL;
    return visibility;
}

static void parse_enum(struct parser *p, struct pb_enum ***last)
{
    struct pb_lexer *l = &p->l;
    struct pb_enum *made = MAKE(p, pb_enum);
    if (made == NULL) {
        return;
    }
    made->place = l->token.place;
    made->file = p->file;
    made->visibility = take_visibility(p);
    made->name = pb_lexer_name(l);
    struct pb_option **options = &made->options;
    struct pb_reserved **reserved = &made->reserved;
    struct pb_enum_value **values = &made->values;
    pb_lexer_expect(l, '{');
    while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
        if (pb_lexer_accept(l, ';')) {
            continue;
        }
        if (is_keyword(p, "option")) {
            pb_lexer_next(l);
            pb_parse_option(l, &options);
            pb_lexer_expect(l, ';');
        } else if (is_keyword(p, "reserved")) {
            pb_lexer_next(l);
            struct pb_reserved *ranges = parse_ranges(p, INT32_MIN, true);
            if (ranges != NULL) {
                PB_APPEND(reserved, ranges);
            }
        } else {
            parse_enum_value(p, &values);
        }
    }
    if (l->err == ERR_OK) {
        **last = made;
        *last = &made->next;
    }
}

// ---- messages

static void parse_message(struct parser *p, struct pb_message *parent, struct pb_message ***last,
                          unsigned depth)
{
    struct pb_message *message = MAKE(p, pb_message);
    if (message == NULL) {
        return;
    }
    message->place = p->l.token.place;
    message->sequence = p->sequence++;
    message->file = p->file;
    message->parent = parent;
    message->visibility = take_visibility(p);
    message->name = pb_lexer_name(&p->l);
    parse_message_body(p, message, depth + 1);
    if (p->l.err == ERR_OK) {
        **last = message;
        *last = &message->next;
    }
}

static void parse_extend(struct parser *p, struct pb_message *parent, struct pb_extend ***last,
                         unsigned depth)
{
    struct pb_lexer *l = &p->l;
    struct pb_extend *extend = MAKE(p, pb_extend);
    if (extend == NULL) {
        return;
    }
    extend->place = l->token.place;
    extend->type_name = pb_lexer_full_name(l);
    struct pb_field **fields = &extend->fields;
    pb_lexer_expect(l, '{');
    while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
        if (pb_lexer_accept(l, ';')) {
            continue;
        }
        struct pb_field *field = parse_field(p, parent, NULL, depth);
        if (field != NULL) {
            PB_APPEND(fields, field);
        }
    }
    if (l->err == ERR_OK) {
        **last = extend;
        *last = &extend->next;
    }
}

// A declaration that begins with a word of its own. False: it is a field.
static bool parse_member(struct parser *p, struct pb_message *message, struct message_tails *t,
                         unsigned depth)
{
    parse_visibility(p);
    static const char *const words[] = {"option", "message",  "enum",      "oneof",
                                        "extend", "reserved", "extensions"};
    struct pb_lexer *l = &p->l;
    size_t word = 0;
    while (word < sizeof words / sizeof *words && !is_keyword(p, words[word])) {
        word++;
    }
    if (word == sizeof words / sizeof *words) {
        return false;
    }
    // A type may have such a name: `message.X f = 1;`, and after it no name may stand.
    if (l->pos < l->end && *l->pos == '.') {
        return false;
    }
    pb_lexer_next(l);
    struct pb_reserved *ranges = NULL;
    switch (word) {
    case 0:
        pb_parse_option(l, &t->options);
        pb_lexer_expect(l, ';');
        break;
    case 1:
        parse_message(p, message, &t->messages, depth);
        break;
    case 2:
        parse_enum(p, &t->enums);
        break;
    case 3:
        parse_oneof(p, message, t, depth);
        break;
    case 4:
        parse_extend(p, message, &t->extends, depth);
        break;
    case 5:
        ranges = parse_ranges(p, 1, true);
        if (ranges != NULL) {
            PB_APPEND(t->reserved, ranges);
        }
        break;
    default:
        ranges = parse_ranges(p, 1, false);
        if (ranges != NULL) {
            PB_APPEND(t->extensions, ranges);
        }
        break;
    }
    return true;
}

static void parse_message_body(struct parser *p, struct pb_message *message, unsigned depth)
{
    struct pb_lexer *l = &p->l;
    if (depth > SCHEMA_DEPTH_MAX) {
        pb_lexer_fail(l, l->token.place, "types nested deeper than %d", SCHEMA_DEPTH_MAX);
        return;
    }
    struct message_tails t = {&message->options,  &message->reserved, &message->extensions,
                              &message->fields,   &message->oneofs,   &message->extends,
                              &message->messages, &message->enums,    0};
    pb_lexer_expect(l, '{');
    while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
        if (pb_lexer_accept(l, ';') || parse_member(p, message, &t, depth)) {
            continue;
        }
        struct pb_field *field = parse_field(p, message, NULL, depth);
        if (field != NULL) {
            PB_APPEND(t.fields, field);
        }
    }
}

// ---- services

static struct str parse_rpc_type(struct parser *p, bool *ret_is_stream)
{
    struct pb_lexer *l = &p->l;
    pb_lexer_expect(l, '(');
    struct str name = STR("stream");
    // `stream .M` is a stream of .M, `stream.M` is a type.
    bool is_word = pb_lexer_is_name(l, "stream") && (l->pos == l->end || *l->pos != '.');
    if (is_word) {
        pb_lexer_next(l);
        *ret_is_stream = !pb_lexer_is(l, ')');
    }
    if (!is_word || *ret_is_stream) {
        name = pb_lexer_full_name(l);
    }
    pb_lexer_expect(l, ')');
    return name;
}

static void parse_rpc(struct parser *p, struct pb_rpc ***last)
{
    struct pb_lexer *l = &p->l;
    struct pb_rpc *rpc = MAKE(p, pb_rpc);
    if (rpc == NULL) {
        return;
    }
    rpc->place = l->token.place;
    rpc->name = pb_lexer_name(l);
    rpc->request = parse_rpc_type(p, &rpc->is_request_stream);
    if (!pb_lexer_accept_name(l, "returns")) {
        pb_lexer_fail(l, l->token.place, "expected 'returns'");
    }
    rpc->response = parse_rpc_type(p, &rpc->is_response_stream);
    struct pb_option **options = &rpc->options;
    if (pb_lexer_accept(l, '{')) {
        while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
            if (pb_lexer_accept(l, ';')) {
                continue;
            }
            if (!pb_lexer_accept_name(l, "option")) {
                pb_lexer_fail(l, l->token.place, "expected 'option' or '}'");
            }
            pb_parse_option(l, &options);
            pb_lexer_expect(l, ';');
        }
        pb_lexer_accept(l, ';');
    } else {
        pb_lexer_expect(l, ';');
    }
    if (l->err == ERR_OK) {
        **last = rpc;
        *last = &rpc->next;
    }
}

static void parse_service(struct parser *p, struct pb_service ***last)
{
    struct pb_lexer *l = &p->l;
    struct pb_service *service = MAKE(p, pb_service);
    if (service == NULL) {
        return;
    }
    service->place = l->token.place;
    service->name = pb_lexer_name(l);
    struct pb_option **options = &service->options;
    struct pb_rpc **rpcs = &service->rpcs;
    pb_lexer_expect(l, '{');
    while (l->err == ERR_OK && !pb_lexer_accept(l, '}')) {
        if (pb_lexer_accept(l, ';')) {
            continue;
        }
        if (pb_lexer_accept_name(l, "option")) {
            pb_parse_option(l, &options);
            pb_lexer_expect(l, ';');
        } else if (pb_lexer_accept_name(l, "rpc")) {
            parse_rpc(p, &rpcs);
        } else {
            pb_lexer_fail(l, l->token.place, "expected 'rpc', 'option' or '}'");
        }
    }
    if (l->err == ERR_OK) {
        **last = service;
        *last = &service->next;
    }
}

// ---- the file

static void parse_syntax(struct parser *p)
{
    struct pb_lexer *l = &p->l;
    struct pb_place place = l->token.place;
    bool is_edition = pb_lexer_is_name(l, "edition");
    pb_lexer_next(l);
    pb_lexer_expect(l, '=');
    struct str value = pb_lexer_string(l);
    pb_lexer_expect(l, ';');
    if (l->err != ERR_OK) {
        return;
    }
    if (is_edition) {
        p->file->syntax = PB_SYNTAX_EDITION;
        p->file->edition = value;
        if (!str_equal(value, STR("2023")) && !str_equal(value, STR("2024"))) {
            pb_lexer_fail(l, place, "edition \"%.*s\"; known are 2023 and 2024",
                          (int)(value.len > 20 ? 20 : value.len), value.ptr);
        }
    } else if (str_equal(value, STR("proto3"))) {
        p->file->syntax = PB_SYNTAX_PROTO3;
    } else if (str_equal(value, STR("proto2"))) {
        p->file->syntax = PB_SYNTAX_PROTO2;
    } else {
        pb_lexer_fail(l, place, "syntax \"%.*s\"; known are proto2 and proto3",
                      (int)(value.len > 20 ? 20 : value.len), value.ptr);
    }
}

static void parse_import(struct parser *p, struct pb_import ***last)
{
    struct pb_lexer *l = &p->l;
    struct pb_import *import = MAKE(p, pb_import);
    if (import == NULL) {
        return;
    }
    import->place = l->token.place;
    import->kind = pb_lexer_accept_name(l, "public")   ? PB_IMPORT_PUBLIC
                   : pb_lexer_accept_name(l, "weak")   ? PB_IMPORT_WEAK
                   : pb_lexer_accept_name(l, "option") ? PB_IMPORT_OPTION
                                                       : PB_IMPORT_PLAIN;
    import->path = pb_lexer_string(l);
    pb_lexer_expect(l, ';');
    if (l->err == ERR_OK) {
        **last = import;
        *last = &import->next;
    }
}

struct file_tails {
    struct pb_import **imports;
    struct pb_option **options;
    struct pb_message **messages;
    struct pb_enum **enums;
    struct pb_extend **extends;
    struct pb_service **services;
};

static void parse_declaration(struct parser *p, struct file_tails *t)
{
    struct pb_lexer *l = &p->l;
    struct pb_place place = l->token.place;
    parse_visibility(p);
    if (pb_lexer_accept_name(l, "message")) {
        parse_message(p, NULL, &t->messages, 0);
    } else if (pb_lexer_accept_name(l, "enum")) {
        parse_enum(p, &t->enums);
    } else if (pb_lexer_accept_name(l, "service")) {
        parse_service(p, &t->services);
    } else if (pb_lexer_accept_name(l, "extend")) {
        parse_extend(p, NULL, &t->extends, 0);
    } else if (pb_lexer_accept_name(l, "import")) {
        parse_import(p, &t->imports);
    } else if (pb_lexer_accept_name(l, "option")) {
        pb_parse_option(l, &t->options);
        pb_lexer_expect(l, ';');
    } else if (pb_lexer_accept_name(l, "package")) {
        if (p->file->package.ptr != NULL) {
            pb_lexer_fail(l, place, "a second package");
        }
        p->file->package = pb_lexer_full_name(l);
        pb_lexer_expect(l, ';');
    } else {
        pb_lexer_fail(l, place, "expected a declaration, not '%.*s'",
                      (int)(l->token.text.len > 40 ? 40 : l->token.text.len), l->token.text.ptr);
    }
}

enum err pb_parse(struct arena *arena, struct str text, struct pb_file *ret, struct error *e)
{
    struct parser p = {.file = ret};
    pb_lexer_begin(&p.l, text, arena, e);
    struct file_tails t = {&ret->imports, &ret->options, &ret->messages,
                           &ret->enums,   &ret->extends, &ret->services};
    while (pb_lexer_accept(&p.l, ';')) {
    }
    if (pb_lexer_is_name(&p.l, "syntax") || pb_lexer_is_name(&p.l, "edition")) {
        parse_syntax(&p);
    }
    while (p.l.err == ERR_OK && p.l.token.kind != PB_TOKEN_END) {
        if (!pb_lexer_accept(&p.l, ';')) {
            parse_declaration(&p, &t);
        }
    }
    return p.l.err;
}
