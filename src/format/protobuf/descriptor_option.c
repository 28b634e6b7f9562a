// SPDX-License-Identifier: Apache-2.0
// descriptor_option.c - options as bytes and back, by the definitions of descriptor.proto and of the
// extensions that the schema knows.
#include "format/protobuf/pb_program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct coder {
    const struct pb_options_schema *o;
    struct arena *arena;
    struct str scope;
    unsigned depth;
};

enum err pb_options_schema_init(struct pb_options_schema *o, const struct pb_schema *user, struct error *e)
{
    memset(o, 0, sizeof *o);
    arena_init(&o->builtin.base.arena, SCHEMA_MEMORY_BYTES_MAX);
    o->user = user;
    enum err err =
        pb_parse(&o->builtin.base.arena,
                 STR("import \"google/protobuf/descriptor.proto\";import \"confluent/meta.proto\";"),
                 &o->builtin.file, e);
    return err == ERR_OK ? pb_resolve(&o->builtin, false, e) : err;
}

void pb_options_schema_fini(struct pb_options_schema *o)
{
    arena_fini(&o->builtin.base.arena);
}

// ---- bytes

void pb_put_tag(struct buf *out, uint32_t number, unsigned wire)
{
    buf_uvarint(out, (uint64_t)number << 3 | wire);
}

void pb_put_varint(struct buf *out, uint32_t number, uint64_t value)
{
    pb_put_tag(out, number, PB_WIRE_VARINT);
    buf_uvarint(out, value);
}

void pb_put_bytes(struct buf *out, uint32_t number, struct bytes value)
{
    pb_put_tag(out, number, PB_WIRE_LENGTH);
    buf_uvarint(out, value.len);
    buf_append(out, value.ptr, value.len);
}

void pb_put_str(struct buf *out, uint32_t number, struct str value)
{
    pb_put_bytes(out, number, bytes_of(value.ptr, value.len));
}

static void put_little(struct buf *out, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        buf_u8(out, (uint8_t)(value >> (8 * i)));
    }
}

void pb_real_format(double value, bool is_float, char *out, size_t size)
{
    if (isnan(value)) {
        snprintf(out, size, "nan");
        return;
    }
    if (isinf(value)) {
        snprintf(out, size, value < 0 ? "-inf" : "inf");
        return;
    }
    snprintf(out, size, "%.*g", is_float ? 6 : 15, value);
    bool is_exact = is_float ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value;
    if (!is_exact) {
        snprintf(out, size, "%.*g", is_float ? 9 : 17, value);
    }
}

// ---- what a key means

static const struct pb_symbol *find_extension(const struct coder *c, struct str name)
{
    const struct pb_symbol *found = NULL;
    if (c->o->user != NULL) {
        found = pb_symbol_resolve(&c->o->user->symbols, c->scope, name, 1u << PB_SYMBOL_EXTENSION);
    }
    if (found == NULL) {
        found =
            pb_symbol_resolve(&c->o->builtin.symbols, (struct str){NULL, 0}, name, 1u << PB_SYMBOL_EXTENSION);
    }
    return found;
}

static const struct pb_field *find_key(const struct coder *c, const struct pb_message *message,
                                       struct str key)
{
    if (key.len > 2 && key.ptr[0] == '[') {
        const struct pb_symbol *found = find_extension(c, (struct str){key.ptr + 1, key.len - 2});
        bool is_of = found != NULL && str_equal(found->extension->extendee, message->full_name);
        return is_of ? found->extension : NULL;
    }
    for (const struct pb_field *f = message->fields; f != NULL; f = f->next) {
        if (str_equal(f->name, key)) {
            return f;
        }
    }
    return NULL;
}

// ---- values to bytes

static bool parse_integer(struct str text, bool *ret_is_negative, uint64_t *ret)
{
    *ret_is_negative = text.len > 0 && text.ptr[0] == '-';
    if (*ret_is_negative) {
        text.ptr++;
        text.len--;
    }
    return pb_number_parse(text, ret);
}

static bool parse_real(struct str text, double *ret)
{
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *end = copy;
    *ret = strtod(copy, &end);
    return end > copy && (*end == '\0' || ((*end | 0x20) == 'f' && end[1] == '\0'));
}

static bool encode_real(const struct pb_field *f, const struct pb_value *value, struct buf *out)
{
    double real = 0;
    if ((value->kind != PB_VALUE_NUMBER && value->kind != PB_VALUE_WORD) || !parse_real(value->text, &real)) {
        return false;
    }
    uint64_t bits = 0;
    if (f->type == PB_TYPE_DOUBLE) {
        memcpy(&bits, &real, sizeof bits);
        put_little(out, bits, 8);
        return true;
    }
    float small = (float)real;
    memcpy(&bits, &small, sizeof small);
    put_little(out, bits, 4);
    return true;
}

static bool encode_enum(const struct pb_field *f, const struct pb_value *value, struct buf *out)
{
    for (const struct pb_enum_value *v = f->enumeration == NULL ? NULL : f->enumeration->values; v != NULL;
         v = v->next) {
        if (str_equal(v->name, value->text)) {
            buf_uvarint(out, (uint64_t)(int64_t)v->number);
            return true;
        }
    }
    bool is_negative = false;
    uint64_t number = 0;
    if (value->kind != PB_VALUE_NUMBER || !parse_integer(value->text, &is_negative, &number)) {
        return false;
    }
    buf_uvarint(out, is_negative ? 0 - number : number);
    return true;
}

static bool encode_integer(const struct pb_field *f, const struct pb_value *value, struct buf *out)
{
    bool is_negative = false;
    uint64_t bits = 0;
    if (value->kind != PB_VALUE_NUMBER || !parse_integer(value->text, &is_negative, &bits)) {
        return false;
    }
    bits = is_negative ? 0 - bits : bits;
    switch (f->type) {
    case PB_TYPE_SINT32:
    case PB_TYPE_SINT64:
        buf_uvarint(out, bits << 1 ^ (uint64_t)((int64_t)bits >> 63));
        return true;
    case PB_TYPE_FIXED32:
    case PB_TYPE_SFIXED32:
        put_little(out, bits, 4);
        return true;
    case PB_TYPE_FIXED64:
    case PB_TYPE_SFIXED64:
        put_little(out, bits, 8);
        return true;
    default:
        buf_uvarint(out, bits);
        return true;
    }
}

static unsigned wire_of(const struct pb_field *f)
{
    switch (f->type) {
    case PB_TYPE_DOUBLE:
    case PB_TYPE_FIXED64:
    case PB_TYPE_SFIXED64:
        return PB_WIRE_64;
    case PB_TYPE_FLOAT:
    case PB_TYPE_FIXED32:
    case PB_TYPE_SFIXED32:
        return PB_WIRE_32;
    case PB_TYPE_STRING:
    case PB_TYPE_BYTES:
    case PB_TYPE_MESSAGE:
        return PB_WIRE_LENGTH;
    case PB_TYPE_GROUP:
        return PB_WIRE_GROUP;
    default:
        return PB_WIRE_VARINT;
    }
}

static bool encode_message(struct coder *c, const struct pb_message *message, const struct pb_value *map,
                           struct buf *out);

static bool encode_bool(const struct pb_value *value, struct buf *out)
{
    bool is_true = str_equal(value->text, STR("true")) || str_equal(value->text, STR("1"));
    bool is_false = str_equal(value->text, STR("false")) || str_equal(value->text, STR("0"));
    buf_u8(out, is_true);
    return is_true || is_false;
}

// One element, without its tag.
static bool encode_element(struct coder *c, const struct pb_field *f, const struct pb_value *value,
                           struct buf *out)
{
    switch (f->type) {
    case PB_TYPE_DOUBLE:
    case PB_TYPE_FLOAT:
        return encode_real(f, value, out);
    case PB_TYPE_ENUM:
        return encode_enum(f, value, out);
    case PB_TYPE_BOOL:
        return encode_bool(value, out);
    case PB_TYPE_STRING:
    case PB_TYPE_BYTES:
        if (value->kind != PB_VALUE_STRING) {
            return false;
        }
        buf_uvarint(out, value->text.len);
        buf_append_str(out, value->text);
        return true;
    case PB_TYPE_MESSAGE:
    case PB_TYPE_GROUP: {
        if (value->kind != PB_VALUE_MAP || f->message == NULL) {
            return false;
        }
        struct buf inner;
        buf_init(&inner, SCHEMA_TEXT_BYTES_MAX);
        bool is_good = encode_message(c, f->message, value, &inner) && !inner.failed;
        if (f->type == PB_TYPE_MESSAGE) {
            buf_uvarint(out, inner.len);
        }
        buf_append(out, inner.ptr, inner.len);
        buf_fini(&inner);
        return is_good;
    }
    case PB_TYPE_NONE:
        return false;
    default:
        return encode_integer(f, value, out);
    }
}

static bool encode_map_entry(struct coder *c, const struct pb_field *f, const struct pb_value *value,
                             struct buf *out)
{
    struct buf inner;
    buf_init(&inner, SCHEMA_TEXT_BYTES_MAX);
    bool is_good = value->kind == PB_VALUE_MAP;
    for (int number = 1; number <= 2; number++) {
        const char *name = number == 1 ? "key" : "value";
        for (const struct pb_value *v = is_good ? value->first : NULL; v != NULL; v = v->next) {
            if (str_equal(v->key, str_from_c(name))) {
                struct pb_field part = *f;
                part.is_map = false;
                part.label = PB_LABEL_NONE;
                part.type = number == 1 ? f->key_type : f->type;
                pb_put_tag(&inner, (uint32_t)number, wire_of(&part));
                is_good = is_good && encode_element(c, &part, v, &inner);
            }
        }
    }
    pb_put_bytes(out, (uint32_t)f->number, buf_bytes(&inner));
    is_good = is_good && !inner.failed;
    buf_fini(&inner);
    return is_good;
}

static bool encode_field(struct coder *c, const struct pb_field *f, const struct pb_value *value,
                         struct buf *out)
{
    bool is_list = value->kind == PB_VALUE_LIST;
    if (is_list && !pb_field_is_repeated(f)) {
        return false;
    }
    if (pb_field_is_packed(f)) {
        struct buf inner;
        buf_init(&inner, SCHEMA_TEXT_BYTES_MAX);
        bool is_good = true;
        for (const struct pb_value *v = is_list ? value->first : value; v != NULL;
             v = is_list ? v->next : NULL) {
            is_good = is_good && encode_element(c, f, v, &inner);
        }
        if (inner.len > 0) {
            pb_put_bytes(out, (uint32_t)f->number, buf_bytes(&inner));
        }
        buf_fini(&inner);
        return is_good;
    }
    for (const struct pb_value *v = is_list ? value->first : value; v != NULL; v = is_list ? v->next : NULL) {
        if (f->is_map) {
            if (!encode_map_entry(c, f, v, out)) {
                return false;
            }
            continue;
        }
        pb_put_tag(out, (uint32_t)f->number, wire_of(f));
        if (!encode_element(c, f, v, out)) {
            return false;
        }
        if (f->type == PB_TYPE_GROUP) {
            pb_put_tag(out, (uint32_t)f->number, PB_WIRE_GROUP_END);
        }
    }
    return true;
}

// Fields by number, as a library would write the message.
static bool encode_message(struct coder *c, const struct pb_message *message, const struct pb_value *map,
                           struct buf *out)
{
    if (++c->depth > SCHEMA_DEPTH_MAX) {
        return false;
    }
    struct pb_sorted *items = mem_array(map->count == 0 ? 1 : map->count, sizeof *items);
    size_t count = 0;
    bool is_good = true;
    for (const struct pb_value *v = map->first; v != NULL && is_good; v = v->next) {
        const struct pb_field *f = find_key(c, message, v->key);
        is_good = f != NULL;
        items[count++] = (struct pb_sorted){.element = v, .key = f == NULL ? 0 : f->number};
    }
    pb_sort(items, count);
    for (size_t i = 0; i < count && is_good; i++) {
        const struct pb_value *v = items[i].element;
        is_good = encode_field(c, find_key(c, message, v->key), v, out);
    }
    mem_free(items);
    c->depth--;
    return is_good;
}

// ---- options to bytes

// Puts `value` below the path of an option: a.(b.c).d. Steps that are there already are shared.
static bool nest(struct coder *c, struct pb_value *root, struct str first, struct str path,
                 const struct pb_value *value)
{
    struct pb_value *at = root;
    struct str key = first;
    for (;;) {
        bool is_last = path.len == 0;
        struct pb_value *entry = at->first;
        while (!is_last && entry != NULL && !str_equal(entry->key, key)) {
            entry = entry->next;
        }
        if (entry == NULL || is_last) {
            entry = arena_new(c->arena, struct pb_value, 1);
            if (entry == NULL) {
                return false;
            }
            *entry = is_last ? *value : (struct pb_value){.kind = PB_VALUE_MAP};
            entry->key = key;
            if (is_last) {
                pb_value_add(c->arena, at, entry);
                return true;
            }
            pb_value_append(at, entry);
        }
        if (entry->kind != PB_VALUE_MAP) {
            return false;
        }
        at = entry;
        if (path.ptr[0] == '(') {
            const char *close = memchr(path.ptr, ')', path.len);
            size_t len = close == NULL ? path.len : (size_t)(close - path.ptr);
            key = arena_printf(c->arena, "[" STR_FMT "]", (int)len - 1, path.ptr + 1);
            path = (struct str){path.ptr + len, path.len - len};
            size_t skip = path.len < 2 ? path.len : 2; // ")."
            path = (struct str){path.ptr + skip, path.len - skip};
        } else {
            struct str rest = {NULL, 0};
            key = str_cut(path, '.', &rest);
            path = rest;
        }
        if (key.ptr == NULL) {
            return false;
        }
    }
}

void pb_options_encode(const struct pb_options_schema *o, const char *kind, struct str scope,
                       const struct pb_option *options, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, SCHEMA_MEMORY_BYTES_MAX);
    struct coder c = {.o = o, .arena = &arena, .scope = scope};
    struct str name = arena_printf(&arena, "google.protobuf.%s", kind);
    const struct pb_symbol *of = name.ptr == NULL ? NULL : pb_symbol_find(&o->builtin.symbols, name);
    // First what descriptor.proto itself defines, as one message; then each extension as it stands.
    struct pb_value known = {.kind = PB_VALUE_MAP};
    for (const struct pb_option *option = options; option != NULL; option = option->next) {
        struct pb_value lone = {.kind = PB_VALUE_MAP};
        struct pb_value *into = option->is_extension ? NULL : &lone;
        if (into != NULL && of != NULL && nest(&c, into, option->name, option->path, &option->value)) {
            struct buf probe; // one that is wrong is left out alone
            buf_init(&probe, SCHEMA_TEXT_BYTES_MAX);
            c.depth = 0;
            if (encode_message(&c, of->message, &lone, &probe)) {
                nest(&c, &known, option->name, option->path, &option->value);
            }
            buf_fini(&probe);
        }
    }
    c.depth = 0;
    if (of != NULL) {
        encode_message(&c, of->message, &known, out);
    }
    for (const struct pb_option *option = options; option != NULL && of != NULL; option = option->next) {
        struct pb_value lone = {.kind = PB_VALUE_MAP};
        struct str key = option->is_extension ? arena_printf(&arena, "[" STR_FMT "]", STR_ARG(option->name))
                                              : (struct str){NULL, 0};
        if (key.ptr == NULL || !nest(&c, &lone, key, option->path, &option->value)) {
            continue;
        }
        size_t before = out->len;
        c.depth = 0;
        if (!encode_message(&c, of->message, &lone, out)) {
            out->len = before;
        }
    }
    arena_fini(&arena);
}

// ---- bytes to options

bool pb_input_next(struct pb_input *in)
{
    uint64_t tag = 0;
    if (in->is_failed || in->at >= in->end) {
        return false;
    }
    const uint8_t *p = pb_varint(in->at, in->end, 5, &tag);
    in->is_failed = p == NULL || tag < 8 || tag > UINT32_MAX;
    if (in->is_failed) {
        return false;
    }
    in->number = (uint32_t)(tag >> 3);
    in->wire = tag & 7;
    in->value = 0;
    in->bytes = (struct bytes){NULL, 0};
    size_t size = in->wire == PB_WIRE_64 ? 8 : in->wire == PB_WIRE_32 ? 4 : 0;
    if (in->wire == PB_WIRE_VARINT) {
        p = pb_varint(p, in->end, 10, &in->value);
    } else if (size > 0) {
        for (size_t i = 0; i < size && (size_t)(in->end - p) >= size; i++) {
            in->value |= (uint64_t)p[i] << (8 * i);
        }
        p = (size_t)(in->end - p) >= size ? p + size : NULL;
    } else if (in->wire == PB_WIRE_LENGTH) {
        uint64_t len = 0;
        p = pb_varint(p, in->end, 10, &len);
        if (p != NULL && len <= (uint64_t)(in->end - p)) {
            in->bytes = bytes_of(p, (size_t)len);
            p += len;
        } else {
            p = NULL;
        }
    } else {
        p = NULL; // descriptors have no groups
    }
    in->is_failed = p == NULL;
    in->at = p == NULL ? in->end : p;
    return !in->is_failed;
}

static const struct pb_field *find_in(const struct pb_symbols *symbols, struct str extendee, uint32_t number)
{
    for (size_t i = 0; i < symbols->count; i++) {
        const struct pb_symbol *s = &symbols->items[i];
        if (s->kind == PB_SYMBOL_EXTENSION && (uint32_t)s->extension->number == number &&
            str_equal(s->extension->extendee, extendee)) {
            return s->extension;
        }
    }
    return NULL;
}

static const struct pb_field *find_number(const struct coder *c, const struct pb_message *message,
                                          uint32_t number)
{
    for (const struct pb_field *f = message->fields; f != NULL; f = f->next) {
        if ((uint32_t)f->number == number) {
            return f;
        }
    }
    const struct pb_field *found = find_in(&c->o->builtin.symbols, message->full_name, number);
    for (size_t i = 0; c->o->user != NULL && i < c->o->user->base.reference_count && found == NULL; i++) {
        found = find_in(&pb_schema_of(c->o->user->base.references[i])->symbols, message->full_name, number);
    }
    return found;
}

static bool decode_message(struct coder *c, const struct pb_message *message, struct bytes bytes,
                           struct pb_value *map);

static struct str decode_number(struct coder *c, const struct pb_field *f, uint64_t bits)
{
    char text[64];
    double real = 0;
    float small = 0;
    uint32_t low = (uint32_t)bits;
    switch (f->type) {
    case PB_TYPE_DOUBLE:
        memcpy(&real, &bits, sizeof real);
        pb_real_format(real, false, text, sizeof text);
        return arena_str(c->arena, str_from_c(text));
    case PB_TYPE_FLOAT:
        memcpy(&small, &low, sizeof small);
        pb_real_format((double)small, true, text, sizeof text);
        return arena_str(c->arena, str_from_c(text));
    case PB_TYPE_UINT64:
    case PB_TYPE_FIXED64:
        return arena_printf(c->arena, "%llu", (unsigned long long)bits);
    case PB_TYPE_UINT32:
    case PB_TYPE_FIXED32:
        return arena_printf(c->arena, "%u", low);
    case PB_TYPE_SINT32:
    case PB_TYPE_SINT64:
        return arena_printf(c->arena, "%lld", (long long)(bits >> 1 ^ (0 - (bits & 1))));
    case PB_TYPE_INT32:
    case PB_TYPE_SFIXED32:
        return arena_printf(c->arena, "%d", (int)(int32_t)low);
    default:
        return arena_printf(c->arena, "%lld", (long long)bits);
    }
}

static bool decode_value(struct coder *c, const struct pb_field *f, const struct pb_input *in,
                         struct pb_value *value)
{
    if (f->type == PB_TYPE_STRING || f->type == PB_TYPE_BYTES) {
        value->kind = PB_VALUE_STRING;
        value->text =
            in->bytes.len == 0
                ? STR("")
                : arena_str(c->arena, (struct str){(const char *)(const void *)in->bytes.ptr, in->bytes.len});
        return in->wire == PB_WIRE_LENGTH && value->text.ptr != NULL;
    }
    if (f->type == PB_TYPE_MESSAGE) {
        return in->wire == PB_WIRE_LENGTH && f->message != NULL &&
               decode_message(c, f->message, in->bytes, value);
    }
    if (in->wire == PB_WIRE_LENGTH || f->type == PB_TYPE_GROUP || f->type == PB_TYPE_NONE) {
        return false; // a packed run: no option that matters has one
    }
    if (f->type == PB_TYPE_BOOL) {
        value->kind = PB_VALUE_BOOL;
        value->text = in->value != 0 ? STR("true") : STR("false");
        return true;
    }
    for (const struct pb_enum_value *v = f->type == PB_TYPE_ENUM ? f->enumeration->values : NULL; v != NULL;
         v = v->next) {
        if (v->number == (int32_t)(uint32_t)in->value) {
            value->kind = PB_VALUE_WORD;
            value->text = arena_str(c->arena, v->name);
            return value->text.ptr != NULL;
        }
    }
    value->kind = PB_VALUE_NUMBER;
    value->text = decode_number(c, f, in->value);
    return value->text.ptr != NULL;
}

// The entry of a map<K, V> as an aggregate of key and value.
static bool decode_entry(struct coder *c, const struct pb_field *f, struct bytes bytes,
                         struct pb_value *value)
{
    struct pb_input in = {.at = bytes.ptr, .end = bytes.len == 0 ? bytes.ptr : bytes.ptr + bytes.len};
    value->kind = PB_VALUE_MAP;
    while (pb_input_next(&in)) {
        struct pb_value *part = arena_new(c->arena, struct pb_value, 1);
        struct pb_field field = *f;
        field.is_map = false;
        field.type = in.number == 1 ? f->key_type : f->type;
        if (part == NULL || in.number > 2 || !decode_value(c, &field, &in, part)) {
            return false;
        }
        part->key = in.number == 1 ? STR("key") : STR("value");
        pb_value_append(value, part);
    }
    return !in.is_failed;
}

static struct str key_of(struct coder *c, const struct pb_field *f)
{
    return f->extendee.ptr == NULL ? arena_str(c->arena, f->name)
                                   : arena_printf(c->arena, "[" STR_FMT "]", STR_ARG(f->full_name));
}

// A field that nothing defines is left out. Repeated ones are lists, even of one.
static bool decode_message(struct coder *c, const struct pb_message *message, struct bytes bytes,
                           struct pb_value *map)
{
    struct pb_input in = {.at = bytes.ptr, .end = bytes.len == 0 ? bytes.ptr : bytes.ptr + bytes.len};
    map->kind = PB_VALUE_MAP;
    if (++c->depth > SCHEMA_DEPTH_MAX) {
        return false;
    }
    while (pb_input_next(&in)) {
        const struct pb_field *f = find_number(c, message, in.number);
        struct pb_value *value = arena_new(c->arena, struct pb_value, 1);
        if (value == NULL || map->count > PB_ENTRIES_MAX) {
            return false;
        }
        bool is_known =
            f != NULL && (f->is_map ? decode_entry(c, f, in.bytes, value) : decode_value(c, f, &in, value));
        struct str key = is_known ? key_of(c, f) : (struct str){NULL, 0};
        if (key.ptr == NULL) {
            continue;
        }
        struct pb_value *old = map->first;
        while (old != NULL && !str_equal(old->key, key)) {
            old = old->next;
        }
        if (old == NULL && pb_field_is_repeated(f)) {
            old = arena_new(c->arena, struct pb_value, 1);
            if (old == NULL) {
                return false;
            }
            *old = (struct pb_value){.kind = PB_VALUE_LIST, .key = key};
            pb_value_append(map, old);
        }
        if (old != NULL && old->kind == PB_VALUE_LIST) {
            pb_value_append(old, value);
        } else if (old != NULL) {
            struct pb_value *next = old->next;
            *old = *value;
            old->next = next;
            old->key = key;
        } else {
            value->key = key;
            pb_value_append(map, value);
        }
    }
    c->depth--;
    return !in.is_failed;
}

// The registry prints options of a descriptor in an order of its own.
static int64_t rank_of(const char *kind, uint32_t number)
{
    static const uint8_t file[] = {1,  8,  10, 20, 27, 9,  11, 16, 17, 18,
                                   42, 23, 31, 36, 37, 39, 40, 41, 44, 45};
    static const uint8_t field[] = {1, 2, 6, 3};
    bool is_file = strcmp(kind, "FileOptions") == 0;
    const uint8_t *order = is_file ? file : field;
    size_t count = is_file ? sizeof file : strcmp(kind, "FieldOptions") == 0 ? sizeof field : 0;
    for (size_t i = 0; i < count; i++) {
        if (order[i] == number) {
            return (int64_t)i;
        }
    }
    return 1000 + (int64_t)number;
}

static struct pb_option *option_of(struct coder *c, const struct pb_field *f, const struct pb_value *value)
{
    struct pb_option *option = arena_new(c->arena, struct pb_option, 1);
    if (option == NULL) {
        return NULL;
    }
    option->is_extension = f->extendee.ptr != NULL;
    option->name = arena_str(c->arena, option->is_extension ? f->full_name : f->name);
    option->path = STR("");
    option->value = *value;
    option->value.next = NULL;
    return option->name.ptr == NULL ? NULL : option;
}

struct pb_option *pb_options_decode(const struct pb_options_schema *o, const char *kind, struct bytes in,
                                    struct arena *arena)
{
    struct coder c = {.o = o, .arena = arena};
    struct str name = arena_printf(arena, "google.protobuf.%s", kind);
    const struct pb_symbol *of = name.ptr == NULL ? NULL : pb_symbol_find(&o->builtin.symbols, name);
    struct pb_value map = {0};
    if (of == NULL || !decode_message(&c, of->message, in, &map) || map.count == 0) {
        return NULL;
    }
    struct pb_sorted *items = arena_new(arena, struct pb_sorted, map.count);
    size_t count = 0;
    for (const struct pb_value *v = map.first; v != NULL && items != NULL; v = v->next) {
        const struct pb_field *f = find_key(&c, of->message, v->key);
        if (f == NULL) { // an extension of a file that is referred to
            struct str full = {v->key.ptr + 1, v->key.len - 2};
            for (size_t i = 0; o->user != NULL && i < o->user->base.reference_count && f == NULL; i++) {
                const struct pb_symbol *s =
                    pb_symbol_find(&pb_schema_of(o->user->base.references[i])->symbols, full);
                f = s == NULL ? NULL : s->extension;
            }
        }
        if (f != NULL) {
            items[count++] =
                (struct pb_sorted){.element = option_of(&c, f, v), .key = rank_of(kind, (uint32_t)f->number)};
        }
    }
    pb_sort(items, count);
    struct pb_option *first = NULL;
    struct pb_option **last = &first;
    for (size_t i = 0; i < count; i++) {
        struct pb_option *option = (struct pb_option *)(uintptr_t)items[i].element;
        if (option == NULL || option->value.kind != PB_VALUE_LIST) {
            if (option != NULL) {
                PB_APPEND(last, option);
            }
            continue;
        }
        for (const struct pb_value *v = option->value.first; v != NULL; v = v->next) {
            struct pb_option *one = arena_new(arena, struct pb_option, 1); // a repeated one: each by itself
            if (one != NULL) {
                *one = *option;
                one->value = *v;
                one->value.next = NULL;
                PB_APPEND(last, one);
            }
        }
    }
    return first;
}
