// SPDX-License-Identifier: Apache-2.0
// program.h - a schema compiled to a flat program that checks payloads where they lie: one pass, bounded
// depth, no allocation for a record (JSON: none up to 16 KiB, one copy of it above). Immutable and shared
// between threads. Payloads come without the registry's framing. Pure.
#ifndef FORMAT_PROGRAM_H
#define FORMAT_PROGRAM_H

#include "format/format.h"

enum {
    PAYLOAD_DEPTH_MAX = 128,
    PROGRAM_BYTES_MAX = 64 << 20,
    PROGRAM_PATHS_MAX = 256,
    PATH_NAMES_MAX = 32, // of one path
    FAULT_PATH_SIZE = 256,
    FAULT_TEXT_SIZE = 256,
};

struct program;

// program_create compiles. `root` is the Protobuf message's indexes (the wire format's: 0, then nested ones);
// NULL and 0 is the first message, and the only choice for other formats. ERR_NO_MEMORY: over
// PROGRAM_BYTES_MAX. ERR_INVALID_SCHEMA: no such message, or something that cannot be compiled, with its
// place.
enum err program_create(const struct schema *schema, const int32_t *root, size_t root_count,
                        struct program **ret, struct error *e);

// A static path: fields by name from the root, "customer.address.city". The names are borrowed until the
// program is made. No names: the root.
struct program_path {
    const struct str *names;
    size_t name_count;
};
// program_create_with makes a program that finds the values at these paths while it checks. ERR_NO_MEMORY as
// well: more than PROGRAM_PATHS_MAX paths, or one of more than PATH_NAMES_MAX names.
enum err program_create_with(const struct schema *schema, const int32_t *root, size_t root_count,
                             const struct program_path *paths, size_t path_count, struct program **ret,
                             struct error *e);
size_t program_path_count(const struct program *program);
enum format program_format(const struct program *program);
struct program *program_ref(const struct program *program);
void program_unref(struct program *take_program); // NULL is a no-op
size_t program_memory(const struct program *program);

// Why a payload is refused. path: "$.items[2].price" in every format; text: what is there and what the schema
// asks.
struct program_fault {
    bool hides_values; // as asked for
    int64_t *steps;    // likewise; NULL: none are counted
    size_t position;   // byte in the payload
    char path[FAULT_PATH_SIZE];
    char text[FAULT_TEXT_SIZE];
};

// program_check judges one payload. ERR_OK, or ERR_INVALID_RECORD with the first fault in *ret (may be NULL).
// ERR_NO_MEMORY: the budget of a regular expression or of uniqueItems ran out; such a payload is not accepted
// either.
enum err program_check(const struct program *program, struct bytes payload, struct program_fault *ret);

// program_check_slots judges as program_check does, and, if it returns ERR_OK, has filled a view for each
// path, in the order of program_create_with: what view_root and then view_field of each name give. `views`
// has room for program_path_count of them; after another answer they mean nothing.
struct view;
enum err program_check_slots(const struct program *program, struct bytes payload, struct view *views,
                             struct program_fault *ret);

// program_check_hiding judges as both do (`views` as program_check_slots, or NULL), and no part of the
// payload shows in the fault: values are "...", and keys that the schema does not know are [*]. *steps (may
// be NULL) is what may be spent beyond one step per byte of the payload - regular expressions, branches that
// are tried - and what is left of it, at least 0: ERR_NO_MEMORY where it ran out. A step is some ten
// nanoseconds.
enum err program_check_hiding(const struct program *program, struct bytes payload, struct view *views,
                              int64_t *steps, struct program_fault *ret);

// ---- views: a checked payload by field, without decoding the rest

enum view_kind {
    VIEW_NONE, // there is nothing: no such field, or an optional one that is absent
    VIEW_NULL,
    VIEW_BOOL,
    VIEW_INT,    // number
    VIEW_UINT,   // number: Protobuf's unsigned ones
    VIEW_DOUBLE, // real
    VIEW_STRING, // raw: text; of JSON as written, escapes included if has_escape
    VIEW_BYTES,  // raw
    VIEW_ENUM,   // raw: the symbol's name; number
    VIEW_LIST,
    VIEW_MAP,
    VIEW_RECORD, // Avro record, Protobuf message, JSON object
};

// A place in a payload. By value; valid as long as payload and program.
struct view {
    enum view_kind kind;
    const struct program *program;
    uint32_t node;        // of the program
    struct bytes raw;     // of a scalar its value; of the others their encoding
    struct bytes payload; // the whole
    int64_t number;
    double real;
    bool has_escape;
};

// The payload has passed program_check. A union is seen as what is in it.
struct view view_root(const struct program *program, struct bytes payload);
// view_field finds a field of a record or a value of a map by name; VIEW_NONE if there is none.
struct view view_field(const struct view *record, struct str name);

// Items of a list, or entries of a map or record, in their order. A zeroed struct with `of` set is ready.
struct view_items {
    struct view of;
    size_t position;
    uint64_t left;
    uint32_t index;
    uint32_t state;
    char key_text[24]; // where a key that is no string is written (Protobuf's maps)
};
// view_next: false at the end. *ret_key is an entry's key, valid until the next call; NULL ptr for items.
bool view_next(struct view_items *items, struct str *ret_key, struct view *ret);

// ---- types: what the schema says of a place, before there is a payload. Bounded: what is too intricate to
// say is said to be anything.

#define TYPE_KIND(kind) (1u << (kind))
enum { TYPE_ANYTHING = (1 << (VIEW_RECORD + 1)) - 1 };

// By value; valid as long as the program.
struct value_type {
    const struct program *program; // NULL: nothing is known, anything may be here
    const void *of;                // of the format
    uint32_t part;                 // of the format
    uint32_t kinds; // TYPE_KIND of each enum view_kind that a view of this place may have. VIEW_NULL: it may
                    // be null; VIEW_NONE: the field may be absent though its record is there
    bool is_whole;  // JSON's integer: written "1.0" its view is a VIEW_DOUBLE
};

struct value_type program_root_type(const struct program *program);
// view_type is what the schema says of where a view was found. JSON's views do not know: anything. Of
// Protobuf's scalars no more than their kind.
struct value_type view_type(const struct view *view);
// type_field finds a field of a record, or a value of a map, by name. A union is searched in all its records;
// what they do not agree on may be anything. false: the schema knows no such field.
bool type_field(const struct value_type *type, struct str name, struct value_type *ret);
// Whether there may be fields that type_field does not know: JSON objects that are not closed.
bool type_is_open(const struct value_type *type);
// type_field_name lists what type_field finds, for "did you mean". false: there is none at `index`.
bool type_field_name(const struct value_type *type, uint32_t index, struct str *ret);
// Of a list its items, of a map its values (of a JSON object what members without a name of their own are).
// Kinds are 0 if it is neither.
struct value_type type_item(const struct value_type *type);
// Of a map: VIEW_STRING, but in Protobuf. view_next gives keys as text.
struct value_type type_key(const struct value_type *type);
// The branches of a union (JSON: anyOf and oneOf), one by one. false: there is none at `index`.
bool type_branch(const struct value_type *type, uint32_t index, struct value_type *ret);
// Full name of a record, enum or fixed: "pkg.Message", "org.example.Order". JSON's have none: length 0. Of a
// union of null and one more, the other's.
struct str type_name(const struct value_type *type);
// Avro's logicalType, JSON's format. Length 0: none.
struct str type_logical(const struct value_type *type);
// The symbols of an enum with their numbers. false: there is none at `index`.
bool type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name, int64_t *ret_number);

#endif
