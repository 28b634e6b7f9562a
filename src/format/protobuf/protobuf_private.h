// SPDX-License-Identifier: Apache-2.0
// protobuf_private.h - a .proto file as a tree: what parsing makes, and printing, comparing and compiling
// read. Everything lives in the schema's arena and never changes once the schema is made.
//
// Lists are linked and in the order of the text. Names and types are kept as written, since the canonical
// text depends on them; what they mean is beside them, set by resolution (resolve.c).
#ifndef FORMAT_PROTOBUF_PROTOBUF_PRIVATE_H
#define FORMAT_PROTOBUF_PROTOBUF_PRIVATE_H

#include "format/format_private.h"

enum {
    PB_NUMBER_MAX = (1 << 29) - 1,
    PB_NUMBER_RESERVED_FIRST = 19000, // for the implementation of Protobuf itself
    PB_NUMBER_RESERVED_LAST = 19999,
    PB_ENTRIES_MAX = 4096,  // of one aggregate: its keys are searched one by one
    PB_REQUIRED_MAX = 1024, // fields of one message
    PB_FULL_NAME_MAX = 512, // bytes of a full name: each is looked up in every scope around it
};

// The numbers are those of FieldDescriptorProto.Type.
enum pb_type {
    PB_TYPE_NONE, // not resolved: a name that nothing defines
    PB_TYPE_DOUBLE,
    PB_TYPE_FLOAT,
    PB_TYPE_INT64,
    PB_TYPE_UINT64,
    PB_TYPE_INT32,
    PB_TYPE_FIXED64,
    PB_TYPE_FIXED32,
    PB_TYPE_BOOL,
    PB_TYPE_STRING,
    PB_TYPE_GROUP,
    PB_TYPE_MESSAGE,
    PB_TYPE_BYTES,
    PB_TYPE_UINT32,
    PB_TYPE_ENUM,
    PB_TYPE_SFIXED32,
    PB_TYPE_SFIXED64,
    PB_TYPE_SINT32,
    PB_TYPE_SINT64,
    PB_TYPE_COUNT,
};

// The numbers are those of FieldDescriptorProto.Label.
enum pb_label {
    PB_LABEL_NONE,
    PB_LABEL_OPTIONAL,
    PB_LABEL_REQUIRED,
    PB_LABEL_REPEATED,
};

enum pb_syntax {
    PB_SYNTAX_NONE, // not said: proto2
    PB_SYNTAX_PROTO2,
    PB_SYNTAX_PROTO3,
    PB_SYNTAX_EDITION,
};

struct pb_place {
    uint32_t line; // from 1; 0: not from a text
    uint32_t column;
};

// What editions call features, with the rules of proto2 and proto3 as defaults.
struct pb_features {
    bool is_implicit; // a field without a label has no presence
    bool is_required; // features.field_presence = LEGACY_REQUIRED
    bool is_closed;   // enums
    bool is_packed;
    bool is_utf8;
    bool is_delimited; // messages are written as groups
};

enum pb_value_kind {
    PB_VALUE_STRING, // text: without quotes and escapes, any bytes
    PB_VALUE_BOOL,
    PB_VALUE_NUMBER, // text: as written, with its sign
    PB_VALUE_WORD,   // a name: an enum's value, inf, nan
    PB_VALUE_MAP,    // an aggregate: entries with keys
    PB_VALUE_LIST,
};

struct pb_value {
    struct pb_value *next;
    struct str key; // of an entry: "name" or "[full.name]"
    enum pb_value_kind kind;
    struct str text;
    struct pb_value *first;
    struct pb_value *last;
    uint32_t count;
};

struct pb_option {
    struct pb_option *next;
    struct pb_place place;
    struct str name;   // without parentheses
    struct str path;   // what follows: "a.(b.c).d" of (x).a.(b.c).d; may be empty
    bool is_extension; // (name)
    struct pb_value value;
};

// A range or a name of `reserved`, or a range of `extensions`.
struct pb_range {
    struct pb_range *next;
    struct pb_place place;
    struct str name; // or NULL ptr
    bool is_bare;    // a reserved name of editions: without quotes
    bool is_single;  // one number, not "1 to 1"
    int32_t first;
    int32_t last;
};

struct pb_reserved {
    struct pb_reserved *next;
    struct pb_range *ranges;
    struct pb_option *options; // of `extensions`
};

struct pb_enum_value {
    struct pb_enum_value *next;
    struct pb_place place;
    struct str name;
    int32_t number;
    struct pb_option *options;
};

struct pb_enum {
    struct pb_enum *next;
    struct pb_place place;
    const struct pb_file *file;
    struct str name;
    struct str full_name;
    const char *visibility; // "export " or "local " of edition 2024; NULL: not said
    struct pb_option *options;
    struct pb_reserved *reserved;
    struct pb_enum_value *values;
    bool is_closed;
};

struct pb_oneof {
    struct pb_oneof *next;
    struct pb_place place;
    struct str name;
    struct pb_option *options;
    struct pb_field *fields; // linked by next_in_oneof
    uint32_t index;
};

struct pb_field {
    struct pb_field *next; // of the message or extend
    struct pb_field *next_in_oneof;
    struct pb_place place;
    uint32_t sequence; // order of declarations in the file
    enum pb_label label;
    bool is_map;
    bool has_json_name;
    struct str name;
    struct str type_name; // as written; of a map its value's
    struct str key_name;  // of a map: its key's type
    int32_t number;
    struct pb_option *options;
    struct pb_value *default_value;
    struct str json_name;
    struct pb_oneof *oneof;
    struct pb_message *group; // its body, if the field is a group
    // Resolved. Of a map: of its value. Of a field that a map's synthetic message stands for: see
    // pb_field_map.
    enum pb_type type;
    enum pb_type key_type;
    struct pb_message *message;
    struct pb_enum *enumeration;
    struct str extendee;  // of an extension: full name
    struct str full_name; // of an extension
    struct pb_features features;
};

struct pb_extend {
    struct pb_extend *next;
    struct pb_place place;
    struct str type_name;
    struct str full_name; // resolved; NULL ptr if nothing defines it
    struct pb_field *fields;
};

struct pb_message {
    struct pb_message *next;
    struct pb_place place;
    uint32_t sequence;
    const struct pb_file *file;
    struct pb_message *parent;
    struct str name;
    struct str full_name;
    struct pb_option *options;
    struct pb_reserved *reserved;
    struct pb_reserved *extensions;
    struct pb_field *fields; // all: plain ones, those of oneofs, groups
    struct pb_oneof *oneofs;
    struct pb_extend *extends;
    struct pb_message *messages; // without the bodies of groups
    struct pb_enum *enums;
    const char *visibility;
    bool is_map_entry; // option map_entry: made by protoc for a map
    struct pb_features features;
};

struct pb_rpc {
    struct pb_rpc *next;
    struct pb_place place;
    struct str name;
    struct str request;
    struct str response;
    bool is_request_stream;
    bool is_response_stream;
    struct pb_option *options;
    const struct pb_message *request_message; // NULL: not resolved
    const struct pb_message *response_message;
};

struct pb_service {
    struct pb_service *next;
    struct pb_place place;
    struct str name;
    struct pb_option *options;
    struct pb_rpc *rpcs;
};

enum pb_import_kind {
    PB_IMPORT_PLAIN,
    PB_IMPORT_PUBLIC,
    PB_IMPORT_WEAK,
    PB_IMPORT_OPTION, // of edition 2024: for options alone
};

struct pb_import {
    struct pb_import *next;
    struct pb_place place;
    enum pb_import_kind kind;
    struct str path;
    const struct pb_file *file; // NULL: no reference brings it
};

enum pb_symbol_kind {
    PB_SYMBOL_MESSAGE,
    PB_SYMBOL_ENUM,
    PB_SYMBOL_EXTENSION,
    PB_SYMBOL_OTHER, // takes the name, and no more: values, services, packages
};

struct pb_symbol {
    struct str name; // full, without a leading dot
    enum pb_symbol_kind kind;
    bool is_visible; // in this file or in one that it imports
    struct pb_message *message;
    struct pb_enum *enumeration;
    struct pb_field *extension;
    const struct pb_file *file;
    struct pb_place place;
};

struct pb_symbols {
    struct pb_symbol *items; // sorted by name
    size_t count;
};

struct pb_file {
    enum pb_syntax syntax;
    struct str edition;
    struct str package; // NULL ptr: none
    struct pb_import *imports;
    struct pb_option *options;
    struct pb_message *messages;
    struct pb_enum *enums;
    struct pb_extend *extends;
    struct pb_service *services;
    struct pb_features features;
};

struct pb_schema {
    struct schema base;
    struct pb_file file;
    struct pb_symbols symbols; // of this file and of all that it reaches
};

static inline const struct pb_schema *pb_schema_of(const struct schema *schema)
{
    return (const struct pb_schema *)(const void *)schema;
}

// pb_append puts an element at the end of a list: LAST is a pointer to its last link.
#define PB_APPEND(last, element) (*(last) = (element), (last) = &(element)->next)

// ---- parse.c, parse_option.c, lex.c

enum pb_token_kind {
    PB_TOKEN_END,
    PB_TOKEN_NAME,
    PB_TOKEN_NUMBER,
    PB_TOKEN_STRING, // text: unescaped
    PB_TOKEN_SYMBOL,
};

struct pb_token {
    enum pb_token_kind kind;
    struct str text;
    struct pb_place place;
};

// Reads tokens one ahead. After an error every token is PB_TOKEN_END.
struct pb_lexer {
    struct arena *arena;
    struct error *e;
    enum err err; // the first error; `e` has its text
    const char *pos;
    const char *end;
    const char *line_begin;
    uint32_t line;
    struct pb_token token; // the current one
};

void pb_lexer_begin(struct pb_lexer *l, struct str text, struct arena *arena, struct error *e);
void pb_lexer_next(struct pb_lexer *l);
// pb_lexer_fail notes the first error at a place: "3:14: what".
void pb_lexer_fail(struct pb_lexer *l, struct pb_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool pb_lexer_is(const struct pb_lexer *l, char symbol);
bool pb_lexer_is_name(const struct pb_lexer *l, const char *name);
// pb_lexer_accept takes the symbol if it is next; pb_lexer_expect fails otherwise.
bool pb_lexer_accept(struct pb_lexer *l, char symbol);
void pb_lexer_expect(struct pb_lexer *l, char symbol);
bool pb_lexer_accept_name(struct pb_lexer *l, const char *name);
struct str pb_lexer_name(struct pb_lexer *l);                          // one identifier
struct str pb_lexer_full_name(struct pb_lexer *l);                     // a.b.c or .a.b.c
struct str pb_lexer_string(struct pb_lexer *l);                        // adjacent ones are joined
int64_t pb_lexer_int(struct pb_lexer *l, int64_t least, int64_t most); // decimal, hexadecimal, octal, signed
// pb_number_parse reads an integer literal without a sign; false if it is none or too large.
bool pb_number_parse(struct str text, uint64_t *ret);
// pb_unescape undoes the escapes of a string literal's or default's inside; NULL ptr if one is malformed.
struct str pb_unescape(struct arena *arena, struct str text);

void pb_parse_option(struct pb_lexer *l, struct pb_option ***last);      // name = value
void pb_parse_option_list(struct pb_lexer *l, struct pb_option ***last); // [ ... ]
void pb_value_append(struct pb_value *into, struct pb_value *item);
// pb_value_add puts an entry into a map: a key that is there already gets a list, as Wire has it.
void pb_value_add(struct arena *arena, struct pb_value *map, struct pb_value *entry);

enum err pb_parse(struct arena *arena, struct str text, struct pb_file *ret, struct error *e);
enum pb_type pb_scalar_find(struct str name); // PB_TYPE_NONE if it is no scalar
const char *pb_type_name(enum pb_type type);
bool pb_type_is_packable(enum pb_type type);
enum err pb_fail(struct error *e, struct pb_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// ---- resolve.c, features.c, builtin.c, validate.c

// pb_resolve gives names their meaning: full names, imports, types, features. Lenient: what nothing defines
// stays unresolved.
enum err pb_resolve(struct pb_schema *schema, bool is_strict, struct error *e);
// pb_symbol_find looks a full name up; NULL if there is none.
const struct pb_symbol *pb_symbol_find(const struct pb_symbols *symbols, struct str full_name);
// pb_symbol_resolve looks a name up as written in `scope` (a full name, innermost); of the kinds in the mask.
const struct pb_symbol *pb_symbol_resolve(const struct pb_symbols *symbols, struct str scope, struct str name,
                                          unsigned kinds);
void pb_features_default(struct pb_file *file);
void pb_features_apply(struct pb_features *features, const struct pb_option *options);
// pb_builtin_text is the definition of a file that needs no reference; NULL ptr if there is none.
struct str pb_builtin_text(struct str path);
enum err pb_validate(const struct pb_schema *schema, struct error *e);
const struct pb_option *pb_option_find(const struct pb_option *options, const char *name);
bool pb_option_is_true(const struct pb_option *options, const char *name);

// pb_field_map tells whether the field is a map, written as one or by a map_entry message, and of what.
struct pb_map {
    enum pb_type key_type;
    struct str value_name;        // as written
    const struct pb_field *value; // its type, message and enumeration
    struct str key_name;
    struct str scope; // where value_name is written
};
bool pb_field_map(const struct pb_field *field, struct pb_map *ret);
// Whether the field is repeated, required, packed when written; what it is in bytes.
bool pb_field_is_repeated(const struct pb_field *field);
bool pb_field_is_required(const struct pb_field *field);
bool pb_field_is_packed(const struct pb_field *field);
bool pb_field_has_presence(const struct pb_field *field);

// ---- print.c, print_option.c, normal.c

struct pb_printer {
    struct buf *out;
    const struct pb_schema *schema;
    bool is_normal;
    bool is_plain;
    struct arena arena; // scratch
    struct str scope;   // full name of what is being printed
    unsigned depth;
};

// Elements of a list as an array; in the normal form sorted by key, then by name, then as they stood.
struct pb_sorted {
    const void *element;
    int64_t key;
    struct str name;
    size_t index;
};

enum err pb_print(const struct pb_schema *schema, enum schema_form form, struct buf *out, struct error *e);
void pb_print_indent(struct pb_printer *p);
void pb_print_escaped(struct buf *out, struct str text);
// pb_options_filter is the list to print: in the plain form without extensions, in the normal form sorted and
// merged.
const struct pb_option *pb_options_filter(struct pb_printer *p, const struct pb_option *options);
void pb_print_option(struct pb_printer *p, const struct pb_option *option);
void pb_print_options(struct pb_printer *p, const struct pb_option *options); // [ ... ]
const struct pb_option *pb_options_normal(struct pb_printer *p, const struct pb_option *options);
// pb_number_normal is a number as Java's DecimalFormat prints it.
struct str pb_number_normal(struct arena *arena, struct str text);
void pb_sort(struct pb_sorted *items, size_t count);

// ---- descriptor_write.c, descriptor_option.c, descriptor_read.c, descriptor_parse.c

// pb_descriptor_write appends the base64 of a FileDescriptorProto.
enum err pb_descriptor_write(const struct pb_schema *schema, struct buf *out, struct error *e);

// What is known about options while a descriptor is written or read: descriptor.proto, and the extensions of
// the schema and of what it refers to.
struct pb_options_schema {
    struct pb_schema builtin;
    const struct pb_schema *user; // NULL: none
};
enum err pb_options_schema_init(struct pb_options_schema *o, const struct pb_schema *user, struct error *e);
void pb_options_schema_fini(struct pb_options_schema *o);
// pb_options_encode appends the bytes of "google.protobuf.<kind>". An option that nothing defines is left
// out.
void pb_options_encode(const struct pb_options_schema *o, const char *kind, struct str scope,
                       const struct pb_option *options, struct buf *out);
// pb_options_decode is the inverse; the list lives in `arena`.
struct pb_option *pb_options_decode(const struct pb_options_schema *o, const char *kind, struct bytes in,
                                    struct arena *arena);
void pb_put_tag(struct buf *out, uint32_t number, unsigned wire);
void pb_put_varint(struct buf *out, uint32_t number, uint64_t value);
void pb_put_bytes(struct buf *out, uint32_t number, struct bytes value);
void pb_put_str(struct buf *out, uint32_t number, struct str value);
// pb_real_format writes a number as protoc does: the shortest text that means it.
void pb_real_format(double value, bool is_float, char *out, size_t size);

// pb_descriptor_read builds the file of a FileDescriptorProto.
enum err pb_descriptor_read(struct pb_schema *schema, struct bytes in, struct error *e);
// pb_base64_decode: false if the text is none, or empty.
bool pb_base64_decode(struct arena *arena, struct str text, struct bytes *ret);
void pb_base64_encode(struct bytes in, struct buf *out);

// Fields of an encoded message, one after another. Sticky: after a failure there is none.
struct pb_input {
    const uint8_t *at;
    const uint8_t *end;
    bool is_failed;
    uint32_t number;
    unsigned wire;
    uint64_t value;     // of a varint or of 4 or 8 bytes
    struct bytes bytes; // of a length
};
bool pb_input_next(struct pb_input *in);

// ---- compare.c, compile.c, check.c, view.c

enum err pb_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                    struct compat_report *report, struct error *e);
enum err pb_compile(const struct schema *schema, const int32_t *root, size_t root_count,
                    const struct slots *slots, struct program **ret, struct error *e);
// pb_compile_message compiles with a message of the caller's as root, which need not outlive the call.
enum err pb_compile_message(const struct pb_message *message, const struct slots *slots, struct program **ret,
                            struct error *e);
void pb_program_destroy(struct program *program);
size_t pb_program_memory(const struct program *program);
enum err pb_check(const struct program *program, struct bytes payload, struct view *views,
                  struct program_fault *ret);
struct view pb_view_root(const struct program *program, struct bytes payload);
struct view pb_view_field(const struct view *record, struct str name);
bool pb_view_next(struct view_items *items, struct str *ret_key, struct view *ret);
struct value_type pb_view_type(const struct view *view);
struct value_type pb_type_root(const struct program *program);
bool pb_type_field(const struct value_type *type, struct str name, struct value_type *ret);
bool pb_type_is_open(const struct value_type *type);
bool pb_type_field_name(const struct value_type *type, uint32_t index, struct str *ret);
struct value_type pb_type_item(const struct value_type *type);
struct value_type pb_type_key(const struct value_type *type);
bool pb_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret);
struct str pb_type_full_name(const struct value_type *type);
struct str pb_type_logical(const struct value_type *type);
bool pb_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name, int64_t *ret_number);
extern const struct site_ops pb_sites; // site.c

#endif
