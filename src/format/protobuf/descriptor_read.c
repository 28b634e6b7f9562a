// SPDX-License-Identifier: Apache-2.0
// descriptor_read.c - a FileDescriptorProto as a file, for clients that register one in base64 instead of a
// text. Types keep their full names and maps their entry messages, as the registry of Confluent has it:
// message indexes in payloads count those.
#include "format/protobuf/pb_program.h"

struct descriptor {
    struct arena *arena;
    struct error *e;
    struct pb_file *file;
    struct pb_options_schema options;
    uint32_t sequence;
    enum err err;
};

// ---- base64 (RFC 4648)

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool pb_base64_decode(struct arena *arena, struct str text, struct bytes *ret)
{
    text = str_trim(text);
    while (text.len > 0 && text.ptr[text.len - 1] == '=') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (digit_of(text.ptr[i]) < 0) {
            return false;
        }
    }
    uint8_t *out = text.len < 2 || text.len % 4 == 1 ? NULL : arena_alloc(arena, text.len);
    if (out == NULL) {
        return false;
    }
    size_t len = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        bits = bits << 6 | (uint32_t)digit_of(text.ptr[i]);
        if (i % 4 != 0) {
            out[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    *ret = bytes_of(out, len);
    return true;
}

void pb_base64_encode(struct bytes in, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t bits = (uint32_t)in.ptr[i] << 16 | (left > 1 ? (uint32_t)in.ptr[i + 1] << 8 : 0) |
                        (left > 2 ? in.ptr[i + 2] : 0);
        char quad[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        buf_append(out, quad, sizeof quad);
    }
}

// ---- parts

static void fail(struct descriptor *d, const char *what)
{
    if (d->err == ERR_OK) {
        d->err = FAIL(d->e, ERR_INVALID_SCHEMA, "the descriptor %s", what);
    }
}

static void *make(struct descriptor *d, size_t size)
{
    void *made = arena_alloc(d->arena, size);
    if (made == NULL) {
        fail(d, "is too large");
    }
    return made;
}

#define MAKE(d, type) ((struct type *)make((d), sizeof(struct type)))

static struct pb_input input_of(struct bytes b)
{
    return (struct pb_input){.at = b.ptr, .end = b.len == 0 ? b.ptr : b.ptr + b.len};
}

static struct str text_of(struct descriptor *d, const struct pb_input *in)
{
    if (in->bytes.len == 0) {
        return STR("");
    }
    struct str text =
        arena_str(d->arena, (struct str){(const char *)(const void *)in->bytes.ptr, in->bytes.len});
    if (text.ptr == NULL) {
        fail(d, "is too large");
        return STR("");
    }
    return text;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// What is printed as a name has to be one.
static struct str name_of(struct descriptor *d, const struct pb_input *in, bool is_full)
{
    struct str text = text_of(d, in);
    bool is_begin = true;
    size_t i = is_full && text.len > 1 && text.ptr[0] == '.' ? 1 : 0;
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_letter(c) && (is_begin || ((c < '0' || c > '9') && !(c == '.' && is_full)))) {
            fail(d, "has a name that is none");
            return STR("x");
        }
        is_begin = c == '.';
    }
    if (is_begin) {
        fail(d, "has a name that is none");
        return STR("x");
    }
    return text;
}

static void check_input(struct descriptor *d, const struct pb_input *in)
{
    if (in->is_failed) {
        fail(d, "is malformed");
    }
}

static struct pb_option *options_of(struct descriptor *d, const char *kind, const struct pb_input *in)
{
    return pb_options_decode(&d->options, kind, in->bytes, d->arena);
}

static const char *visibility_of(uint64_t value)
{
    return value == 1 ? "local " : value == 2 ? "export " : NULL;
}

// ---- ranges

// `after`: 1 if the end lies behind the last number.
static void read_range(struct descriptor *d, struct bytes bytes, int32_t after, struct pb_reserved ***last)
{
    struct pb_reserved *reserved = MAKE(d, pb_reserved);
    struct pb_range *range = MAKE(d, pb_range);
    struct pb_input in = input_of(bytes);
    if (reserved == NULL || range == NULL) {
        return;
    }
    int64_t end = 0;
    while (pb_input_next(&in)) {
        if (in.number == 1) {
            range->first = (int32_t)(uint32_t)in.value;
        } else if (in.number == 2) {
            end = (int32_t)(uint32_t)in.value;
        } else if (in.number == 3) {
            reserved->options = options_of(d, "ExtensionRangeOptions", &in);
        }
    }
    check_input(d, &in);
    if (end - after < range->first) {
        fail(d, "has an empty range");
        return;
    }
    range->last = (int32_t)(end - after);
    range->is_single = range->first == range->last;
    reserved->ranges = range;
    PB_APPEND(*last, reserved);
}

static void read_reserved_name(struct descriptor *d, const struct pb_input *in, struct pb_reserved ***last)
{
    struct pb_reserved *reserved = MAKE(d, pb_reserved);
    struct pb_range *range = MAKE(d, pb_range);
    if (reserved != NULL && range != NULL) {
        range->is_bare = d->file->syntax == PB_SYNTAX_EDITION;
        range->name = range->is_bare ? name_of(d, in, false) : text_of(d, in);
        reserved->ranges = range;
        PB_APPEND(*last, reserved);
    }
}

// ---- enums

static void read_enum_value(struct descriptor *d, struct bytes bytes, struct pb_enum_value ***last)
{
    struct pb_enum_value *value = MAKE(d, pb_enum_value);
    struct pb_input in = input_of(bytes);
    if (value == NULL) {
        return;
    }
    while (pb_input_next(&in)) {
        if (in.number == 1) {
            value->name = name_of(d, &in, false);
        } else if (in.number == 2) {
            value->number = (int32_t)(uint32_t)in.value;
        } else if (in.number == 3) {
            value->options = options_of(d, "EnumValueOptions", &in);
        }
    }
    check_input(d, &in);
    if (value->name.ptr == NULL) {
        fail(d, "has a value without a name");
        return;
    }
    PB_APPEND(*last, value);
}

static void read_enum(struct descriptor *d, struct bytes bytes, struct pb_enum ***last)
{
    struct pb_enum *made = MAKE(d, pb_enum);
    struct pb_input in = input_of(bytes);
    if (made == NULL) {
        return;
    }
    struct pb_enum_value **values = &made->values;
    struct pb_reserved **reserved = &made->reserved;
    made->file = d->file;
    while (pb_input_next(&in)) {
        switch (in.number) {
        case 1:
            made->name = name_of(d, &in, false);
            break;
        case 2:
            read_enum_value(d, in.bytes, &values);
            break;
        case 3:
            made->options = options_of(d, "EnumOptions", &in);
            break;
        case 4:
            read_range(d, in.bytes, 0, &reserved);
            break;
        case 5:
            read_reserved_name(d, &in, &reserved);
            break;
        case 6:
            made->visibility = visibility_of(in.value);
            break;
        default:
            break;
        }
    }
    check_input(d, &in);
    if (made->name.ptr == NULL) {
        fail(d, "has an enum without a name");
        return;
    }
    PB_APPEND(*last, made);
}

// ---- fields

static void set_default(struct descriptor *d, struct pb_field *f, struct str text)
{
    struct pb_value *value = MAKE(d, pb_value);
    if (value == NULL || d->file->syntax == PB_SYNTAX_PROTO3) {
        return;
    }
    value->text = text;
    value->kind = PB_VALUE_STRING;
    if (f->type == PB_TYPE_BYTES) {
        value->text = text.len == 0 ? STR("") : pb_unescape(d->arena, text);
        if (value->text.ptr == NULL) {
            fail(d, "has a malformed default");
        }
    } else if (f->type != PB_TYPE_STRING) {
        bool is_word = text.len > 0 && is_letter(text.ptr[0]);
        value->kind = f->type == PB_TYPE_BOOL ? PB_VALUE_BOOL : is_word ? PB_VALUE_WORD : PB_VALUE_NUMBER;
        for (size_t i = 0; i < text.len; i++) {
            char c = text.ptr[i];
            if (!is_letter(c) && (c < '0' || c > '9') && c != '.' && c != '-' && c != '+') {
                fail(d, "has a malformed default");
            }
        }
        if (text.len == 0 || (is_word && memchr(text.ptr, '.', text.len) != NULL)) {
            fail(d, "has a malformed default");
        }
    }
    f->default_value = value;
}

// Reads a field; *ret_oneof is its oneof's index or -1, *ret_extendee what it extends.
static struct pb_field *read_field(struct descriptor *d, struct bytes bytes, int64_t *ret_oneof,
                                   struct str *ret_extendee)
{
    struct pb_field *f = MAKE(d, pb_field);
    struct pb_input in = input_of(bytes);
    struct str default_text = {NULL, 0};
    bool is_optional = false;
    *ret_oneof = -1;
    if (f == NULL) {
        return NULL;
    }
    f->sequence = d->sequence++;
    while (pb_input_next(&in)) {
        switch (in.number) {
        case 1:
            f->name = name_of(d, &in, false);
            break;
        case 2:
            *ret_extendee = name_of(d, &in, true);
            break;
        case 3:
            f->number = (int32_t)(uint32_t)in.value;
            break;
        case 4:
            f->label = in.value == 1   ? PB_LABEL_OPTIONAL
                       : in.value == 2 ? PB_LABEL_REQUIRED
                       : in.value == 3 ? PB_LABEL_REPEATED
                                       : PB_LABEL_NONE;
            break;
        case 5:
            f->type = in.value < PB_TYPE_COUNT ? (enum pb_type)in.value : PB_TYPE_NONE;
            break;
        case 6:
            f->type_name = name_of(d, &in, true);
            break;
        case 7:
            default_text = text_of(d, &in);
            break;
        case 8:
            f->options = options_of(d, "FieldOptions", &in);
            break;
        case 9:
            *ret_oneof = (int64_t)in.value;
            break;
        case 10:
            f->json_name = text_of(d, &in);
            f->has_json_name = true;
            break;
        case 17:
            is_optional = in.value != 0;
            break;
        default:
            break;
        }
    }
    check_input(d, &in);
    bool has_plain_label = d->file->syntax == PB_SYNTAX_NONE || d->file->syntax == PB_SYNTAX_PROTO2;
    if (is_optional) {
        f->label = PB_LABEL_OPTIONAL;
        *ret_oneof = -1; // of one that stands for `optional`
    } else if (*ret_oneof >= 0 || (!has_plain_label && f->label != PB_LABEL_REPEATED)) {
        f->label = PB_LABEL_NONE;
    }
    // What has a type's name may leave out whether it is a message or an enum.
    bool is_named = f->type == PB_TYPE_MESSAGE || f->type == PB_TYPE_ENUM || f->type == PB_TYPE_GROUP ||
                    f->type == PB_TYPE_NONE;
    if (f->name.ptr == NULL || f->number < 1 || is_named != (f->type_name.ptr != NULL)) {
        fail(d, "has a field without name, number or type");
        return NULL;
    }
    if (!is_named) {
        f->type_name = str_from_c(pb_type_name(f->type));
    }
    if (default_text.ptr != NULL) {
        set_default(d, f, default_text);
    }
    return d->err == ERR_OK ? f : NULL;
}

// ---- extensions

struct extend_tails {
    struct pb_extend **last;
    struct pb_extend *current; // fields that extend the same message one after another share a block
    struct pb_field **fields;
};

static void read_extension(struct descriptor *d, struct bytes bytes, struct extend_tails *t)
{
    int64_t oneof = -1;
    struct str extendee = {NULL, 0};
    struct pb_field *f = read_field(d, bytes, &oneof, &extendee);
    if (f == NULL || extendee.ptr == NULL) {
        fail(d, "has an extension of nothing");
        return;
    }
    if (t->current == NULL || !str_equal(t->current->type_name, extendee)) {
        struct pb_extend *extend = MAKE(d, pb_extend);
        if (extend == NULL) {
            return;
        }
        extend->type_name = extendee;
        t->current = extend;
        t->fields = &extend->fields;
        PB_APPEND(t->last, extend);
    }
    PB_APPEND(t->fields, f);
}

// ---- messages

struct oneofs {
    struct pb_oneof **items;
    struct pb_field ***tails;
    size_t count;
    size_t cap;
};

static void read_oneof(struct descriptor *d, struct bytes bytes, struct oneofs *o)
{
    struct pb_oneof *oneof = MAKE(d, pb_oneof);
    struct pb_input in = input_of(bytes);
    if (oneof == NULL) {
        return;
    }
    while (pb_input_next(&in)) {
        if (in.number == 1) {
            oneof->name = name_of(d, &in, false);
        } else if (in.number == 2) {
            oneof->options = options_of(d, "OneofOptions", &in);
        }
    }
    check_input(d, &in);
    if (oneof->name.ptr == NULL || o->count >= o->cap) {
        fail(d, "has a oneof without a name");
        return;
    }
    o->tails[o->count] = &oneof->fields;
    o->items[o->count++] = oneof;
}

static size_t count_of(struct bytes bytes, uint32_t number)
{
    struct pb_input in = input_of(bytes);
    size_t count = 0;
    while (pb_input_next(&in)) {
        count += in.number == number;
    }
    return count;
}

// Oneofs come behind the fields in the bytes: they are read first.
static struct oneofs read_oneofs(struct descriptor *d, struct bytes bytes)
{
    struct oneofs o = {.cap = count_of(bytes, 8)};
    o.items = make(d, (o.cap + 1) * sizeof *o.items);
    o.tails = make(d, (o.cap + 1) * sizeof *o.tails);
    struct pb_input in = input_of(bytes);
    while (d->err == ERR_OK && pb_input_next(&in)) {
        if (in.number == 8) {
            read_oneof(d, in.bytes, &o);
        }
    }
    return o;
}

// Those without a field stand for `optional` of proto3, or are none.
static void keep_oneofs(const struct oneofs *o, struct pb_message *message)
{
    struct pb_oneof **last = &message->oneofs;
    uint32_t index = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (o->items[i]->fields != NULL) {
            o->items[i]->index = index++;
            PB_APPEND(last, o->items[i]);
        }
    }
}

static void read_message_field(struct descriptor *d, struct bytes bytes, const struct oneofs *o,
                               struct pb_field ***last)
{
    int64_t oneof = -1;
    struct str extendee = {NULL, 0};
    struct pb_field *f = read_field(d, bytes, &oneof, &extendee);
    if (f == NULL) {
        return;
    }
    if (oneof >= (int64_t)o->count) {
        fail(d, "has a field of a oneof that there is not");
        return;
    }
    if (oneof >= 0) {
        f->oneof = o->items[oneof];
        *o->tails[oneof] = f;
        o->tails[oneof] = &f->next_in_oneof;
    }
    PB_APPEND(*last, f);
}

static struct str last_part(struct str name)
{
    size_t at = name.len;
    while (at > 0 && name.ptr[at - 1] != '.') {
        at--;
    }
    return (struct str){name.ptr + at, name.len - at};
}

// The body of a group is a nested message in the bytes: it goes back into its field.
static void take_groups(struct pb_message *message)
{
    for (struct pb_field *f = message->fields; f != NULL; f = f->next) {
        if (f->type != PB_TYPE_GROUP) {
            continue;
        }
        struct str name = last_part(f->type_name);
        for (struct pb_message **at = &message->messages; *at != NULL; at = &(*at)->next) {
            if (str_equal((*at)->name, name)) {
                f->group = *at;
                f->name = name;
                f->type_name = name;
                f->has_json_name = false;
                f->sequence = f->group->sequence; // its place among nested messages
                *at = f->group->next;
                f->group->next = NULL;
                break;
            }
        }
    }
}

static struct pb_message *read_message(struct descriptor *d, struct bytes bytes, struct pb_message *parent,
                                       unsigned depth)
{
    struct pb_message *message = MAKE(d, pb_message);
    struct pb_input in = input_of(bytes);
    if (message == NULL || depth > SCHEMA_DEPTH_MAX) {
        fail(d, "is nested too deeply");
        return NULL;
    }
    struct oneofs oneofs = read_oneofs(d, bytes);
    struct pb_field **fields = &message->fields;
    struct pb_message **messages = &message->messages;
    struct pb_enum **enums = &message->enums;
    struct pb_reserved **extensions = &message->extensions;
    struct pb_reserved **reserved = &message->reserved;
    struct extend_tails extends = {.last = &message->extends};
    struct pb_message *nested = NULL;
    message->file = d->file;
    message->parent = parent;
    message->sequence = d->sequence++;
    while (d->err == ERR_OK && pb_input_next(&in)) {
        switch (in.number) {
        case 1:
            message->name = name_of(d, &in, false);
            break;
        case 2:
            read_message_field(d, in.bytes, &oneofs, &fields);
            break;
        case 3:
            nested = read_message(d, in.bytes, message, depth + 1);
            if (nested != NULL) {
                PB_APPEND(messages, nested);
            }
            break;
        case 4:
            read_enum(d, in.bytes, &enums);
            break;
        case 5:
            read_range(d, in.bytes, 1, &extensions);
            break;
        case 6:
            read_extension(d, in.bytes, &extends);
            break;
        case 7:
            message->options = options_of(d, "MessageOptions", &in);
            break;
        case 9:
            read_range(d, in.bytes, 1, &reserved);
            break;
        case 10:
            read_reserved_name(d, &in, &reserved);
            break;
        case 11:
            message->visibility = visibility_of(in.value);
            break;
        default:
            break;
        }
    }
    check_input(d, &in);
    if (message->name.ptr == NULL) {
        fail(d, "has a message without a name");
        return NULL;
    }
    keep_oneofs(&oneofs, message);
    take_groups(message);
    return message;
}

// ---- services

static void read_method(struct descriptor *d, struct bytes bytes, struct pb_rpc ***last)
{
    struct pb_rpc *rpc = MAKE(d, pb_rpc);
    struct pb_input in = input_of(bytes);
    if (rpc == NULL) {
        return;
    }
    while (pb_input_next(&in)) {
        if (in.number == 1) {
            rpc->name = name_of(d, &in, false);
        } else if (in.number == 2) {
            rpc->request = name_of(d, &in, true);
        } else if (in.number == 3) {
            rpc->response = name_of(d, &in, true);
        } else if (in.number == 4) {
            rpc->options = options_of(d, "MethodOptions", &in);
        } else if (in.number == 5) {
            rpc->is_request_stream = in.value != 0;
        } else if (in.number == 6) {
            rpc->is_response_stream = in.value != 0;
        }
    }
    check_input(d, &in);
    if (rpc->name.ptr == NULL || rpc->request.ptr == NULL || rpc->response.ptr == NULL) {
        fail(d, "has a method without name or types");
        return;
    }
    PB_APPEND(*last, rpc);
}

static void read_service(struct descriptor *d, struct bytes bytes, struct pb_service ***last)
{
    struct pb_service *service = MAKE(d, pb_service);
    struct pb_input in = input_of(bytes);
    if (service == NULL) {
        return;
    }
    struct pb_rpc **rpcs = &service->rpcs;
    while (pb_input_next(&in)) {
        if (in.number == 1) {
            service->name = name_of(d, &in, false);
        } else if (in.number == 2) {
            read_method(d, in.bytes, &rpcs);
        } else if (in.number == 3) {
            service->options = options_of(d, "ServiceOptions", &in);
        }
    }
    check_input(d, &in);
    if (service->name.ptr == NULL) {
        fail(d, "has a service without a name");
        return;
    }
    PB_APPEND(*last, service);
}

// ---- the file

// The syntax decides how fields are read, and comes last in the bytes.
static void read_syntax(struct descriptor *d, struct bytes bytes)
{
    struct pb_input in = input_of(bytes);
    while (pb_input_next(&in)) {
        struct str text = {(const char *)(const void *)in.bytes.ptr, in.bytes.len};
        if (in.number == 12 && str_equal(text, STR("proto3"))) {
            d->file->syntax = PB_SYNTAX_PROTO3;
        } else if (in.number == 12 && str_equal(text, STR("proto2"))) {
            d->file->syntax = PB_SYNTAX_PROTO2;
        } else if (in.number == 14) {
            d->file->syntax = PB_SYNTAX_EDITION;
            d->file->edition = in.value == 1000 ? STR("2023") : STR("2024");
            if (in.value != 1000 && in.value != 1001) {
                fail(d, "has an edition other than 2023 and 2024");
            }
        }
    }
    check_input(d, &in);
}

static void read_import(struct descriptor *d, const struct pb_input *in, enum pb_import_kind kind,
                        struct pb_import ***last)
{
    struct pb_import *import = MAKE(d, pb_import);
    if (import != NULL) {
        import->kind = kind;
        import->path = text_of(d, in);
        PB_APPEND(*last, import);
    }
}

static void mark_import(struct descriptor *d, uint64_t index, enum pb_import_kind kind)
{
    struct pb_import *import = d->file->imports;
    while (import != NULL && index-- > 0) {
        import = import->next;
    }
    if (import == NULL) {
        fail(d, "has a public import that there is not");
        return;
    }
    import->kind = kind;
}

static void read_file(struct descriptor *d, struct bytes bytes)
{
    struct pb_file *file = d->file;
    struct pb_import **imports = &file->imports;
    struct pb_message **messages = &file->messages;
    struct pb_enum **enums = &file->enums;
    struct pb_service **services = &file->services;
    struct extend_tails extends = {.last = &file->extends};
    struct pb_message *message = NULL;
    struct pb_input in = input_of(bytes);
    while (d->err == ERR_OK && pb_input_next(&in)) {
        switch (in.number) {
        case 2:
            file->package = in.bytes.len == 0 ? (struct str){NULL, 0} : name_of(d, &in, true);
            break;
        case 3:
            read_import(d, &in, PB_IMPORT_PLAIN, &imports);
            break;
        case 4:
            message = read_message(d, in.bytes, NULL, 1);
            if (message != NULL) {
                PB_APPEND(messages, message);
            }
            break;
        case 5:
            read_enum(d, in.bytes, &enums);
            break;
        case 6:
            read_service(d, in.bytes, &services);
            break;
        case 7:
            read_extension(d, in.bytes, &extends);
            break;
        case 8:
            file->options = options_of(d, "FileOptions", &in);
            break;
        case 10:
            mark_import(d, in.value, PB_IMPORT_PUBLIC);
            break;
        case 11:
            mark_import(d, in.value, PB_IMPORT_WEAK);
            break;
        case 15:
            read_import(d, &in, PB_IMPORT_OPTION, &imports);
            break;
        default:
            break;
        }
    }
    check_input(d, &in);
}

enum err pb_descriptor_read(struct pb_schema *schema, struct bytes in, struct error *e)
{
    struct descriptor d = {.arena = &schema->base.arena, .e = e, .file = &schema->file};
    d.err = pb_options_schema_init(&d.options, schema, e);
    if (d.err == ERR_OK) {
        read_syntax(&d, in);
        read_file(&d, in);
    }
    pb_options_schema_fini(&d.options);
    return d.err;
}
