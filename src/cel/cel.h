// SPDX-License-Identifier: Apache-2.0
// cel.h - Common Expression Language (github.com/google/cel-spec): an expression is parsed, checked against
// the types of its variables and compiled once to an immutable program, shared between threads; a program is
// run over values that are views of payloads nobody decoded. Where implementations differ, Confluent's Java
// serializers (cel-java) are the norm. Pure: no clock, I/O, threads or globals. Time and memory of a run are
// bounded by its budget.
#ifndef CEL_CEL_H
#define CEL_CEL_H

#include "base/arena.h"
#include "base/error.h"
#include "format/program.h"

enum {
    CEL_TEXT_BYTES_MAX = 64 << 10,
    CEL_DEPTH_MAX = 200,         // of nested expressions
    CEL_NODES_MAX = 20000,       // of one expression, macros expanded
    CEL_PREPARED_MAX = 64,       // literals of one expression that are compiled: regular expressions
    CEL_PATHS_MAX = 64,          // static paths of one expression
    CEL_STEPS_DEFAULT = 1000000, // of one run
};

// ---- values

enum cel_kind {
    CEL_ERROR, // only inside a run: cel_run returns an error instead
    CEL_NULL,
    CEL_BOOL,
    CEL_INT,
    CEL_UINT,
    CEL_DOUBLE,
    CEL_STRING,
    CEL_BYTES,
    CEL_LIST,
    CEL_MAP,
    CEL_MESSAGE, // a Protobuf message; records of other formats are maps
    CEL_TYPE,
    CEL_TIMESTAMP,
    CEL_DURATION,
    CEL_OPAQUE, // decimal, variant, optional: of a library
};

// 16 bytes. What it points to lies in a payload, in the program, or in the arena of the run. Its inside is
// cel_private.h's; make and read it with the functions below.
struct cel_value {
    uint8_t kind; // enum cel_kind
    uint8_t form; // how the rest is to be read
    uint16_t extra;
    uint32_t len;
    union {
        int64_t i;
        uint64_t u;
        double d;
        const void *ptr;
    };
};

struct cel_value cel_null(void);
struct cel_value cel_bool(bool value);
struct cel_value cel_int(int64_t value);
struct cel_value cel_uint(uint64_t value);
struct cel_value cel_double(double value);
struct cel_value cel_string(struct str text); // borrowed
struct cel_value cel_bytes(struct bytes bytes);
struct cel_value cel_timestamp(int64_t seconds, uint32_t nanos); // since 1970; nanos to 999999999
// cel_view is a value of a checked payload: `view` is borrowed and must outlive the run.
struct cel_value cel_view(const struct view *view);
// cel_list: a list of values that the caller made; borrowed.
struct cel_value cel_list(const struct cel_value *items, size_t count);
bool cel_value_bool(struct cel_value value, bool *ret); // false: it is none
bool cel_value_string(struct cel_value value, struct str *ret);
// cel_value_print writes it for people and tests: as CEL would write the literal.
void cel_value_print(struct cel_value value, struct buf *out);
// cel_value_json appends it as JSON: times as text, keys of maps as names. ERR_INVALID_RECORD: JSON has no
// word for it (bytes, messages, infinity, ...), or it is nested deeper than JSON_WRITE_DEPTH_MAX;
// ERR_NO_MEMORY: over the arena's or the buffer's limit. What was appended until then stays.
enum err cel_value_json(struct cel_value value, struct arena *arena, struct buf *out, struct error *e);

// ---- programs

// What a variable may hold. CEL_OF_SCHEMA: what the schema says of that place (checked field by field);
// CEL_OF_DYN: anything. CEL_OF_TYPE: a type as signatures write it (cel_private.h): "[s" is a list of
// strings.
enum cel_of { CEL_OF_DYN, CEL_OF_KIND, CEL_OF_SCHEMA, CEL_OF_TYPE };
struct cel_variable {
    struct str name;
    enum cel_of of;
    enum cel_kind kind;            // of CEL_OF_KIND
    const struct program *program; // of CEL_OF_SCHEMA: of its payloads
    // Of CEL_OF_SCHEMA: a place of the program that the variable's view is of, borrowed for the call; NULL:
    // the root.
    const struct value_type *place;
    const char *type; // of CEL_OF_TYPE
};

struct cel_library;
struct cel_types;

enum cel_regex { CEL_REGEX_JAVA, CEL_REGEX_RE2 }; // which dialect `matches` is read as

struct cel_source {
    struct str text;
    const struct cel_variable *variables;
    size_t variable_count;
    enum cel_regex regex;
    // `matches` asks of the whole text, as Confluent's Java does of its default engine since 8.3; else of any
    // part of it, as the language's definition and all other clients have it.
    bool matches_whole;
    struct str container; // of names that are not qualified; NULL ptr = none
    bool is_unchecked;    // nothing is refused for its types: they are found out by the run
    bool has_unsigned;    // Protobuf's unsigned fields are uint; else int, as Confluent's clients have them
    // More functions and types than every expression has (cel_private.h); both outlive the program. NULL =
    // none.
    const struct cel_library *library;
    const struct cel_types *types;
};

// cel_types_create makes types of the messages, enums and extensions of Protobuf schemas and of what they
// import; other schemas are skipped. Holds the schemas; shared between threads. ERR_NO_MEMORY: over
// CEL_TYPES_BYTES_MAX.
enum { CEL_TYPES_BYTES_MAX = 16 << 20 };
enum err cel_types_create(const struct schema *const *schemas, size_t count, struct cel_types **ret,
                          struct error *e);
void cel_types_destroy(struct cel_types *take_types); // NULL is a no-op

// Where and why an expression is refused. line and column begin with 1.
struct cel_fault {
    uint32_t line;
    uint32_t column;
    char text[ERROR_TEXT_SIZE];
};

struct cel_program;

// cel_compile. ERR_INVALID_REQUEST: it does not parse, names what is not there, or can never have a type that
// fits: *ret_fault. ERR_NO_MEMORY: over a limit above; *ret_fault as well. The program holds what it needs of
// the schema's program.
enum err cel_compile(const struct cel_source *source, struct cel_program **ret, struct cel_fault *ret_fault);
struct cel_program *cel_program_ref(const struct cel_program *program);
void cel_program_unref(struct cel_program *take_program); // NULL is a no-op
size_t cel_program_memory(const struct cel_program *program);
// The kind that the result always has; CEL_OPAQUE's number + 1 (CEL_ANY) if it depends on the payload.
enum { CEL_ANY = CEL_OPAQUE + 1 };
int cel_program_result(const struct cel_program *program);

// Static paths: the fields that the expression reads of a CEL_OF_SCHEMA variable, as "message.customer.id".
// Whoever runs it may give views of them in `slots`, in this order, and so spares their look-up.
struct cel_path {
    uint32_t variable; // index
    const struct str *names;
    size_t name_count;
};
size_t cel_program_path_count(const struct cel_program *program);
struct cel_path cel_program_path(const struct cel_program *program, size_t index);

struct cel_run {
    const struct cel_value *variables; // as the source's
    const struct view *slots;          // of the static paths; NULL = none: they are looked up
    struct arena *arena;               // of all that is made; with a limit
    uint64_t steps;                    // left; the run takes from it
};
// cel_eval. ERR_INVALID_RECORD: the evaluation ended in a CEL error (no such key, overflow, division by zero,
// ...) with its text; ERR_NO_MEMORY: the steps or the arena ran out.
enum err cel_eval(const struct cel_program *program, struct cel_run *run, struct cel_value *ret,
                  struct error *e);

#endif
