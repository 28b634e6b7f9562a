// SPDX-License-Identifier: Apache-2.0
// avro_private.h - a parsed Avro schema: a graph of types in the arena of its schema. Types of referenced
// schemas are pointed to where they lie. Immutable once parsed.
#ifndef FORMAT_AVRO_AVRO_PRIVATE_H
#define FORMAT_AVRO_AVRO_PRIVATE_H

#include "format/avro/avro.h"

#include "format/avro/tables.h"
#include "format/format_private.h"
#include "json/tree.h"

enum {
    // Of types that refer to each other by name, each new to the path: recursion over the graph ends here.
    AVRO_GRAPH_DEPTH_MAX = 1024,
    AVRO_DEFAULT_STEPS_MAX = 1 << 20, // judging all defaults of a schema
    AVRO_COMPARE_STEPS_MAX = 1 << 21, // a fraction of a second
    AVRO_COMPARE_PAIRS_MAX = 1 << 19,
    // Items that take no bytes (nulls, empty records) in one payload: no count may be a loop for nothing.
    AVRO_EMPTY_ITEMS_MAX = 1 << 20,
    // A record is checked as part of what is around it up to this size, else on its own.
    AVRO_INLINE_OPS_MAX = 64,
    AVRO_INLINE_DEPTH_MAX = 8,
};

// In the order of the specification; the first eight are the primitive types.
enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION,
    AVRO_FIXED,
    AVRO_KIND_COUNT,
    AVRO_PRIMITIVE_COUNT = AVRO_RECORD,
};

enum avro_logical {
    AVRO_PLAIN, // none, or one that is not valid for its type: ignored, as the specification asks
    AVRO_DECIMAL,
    AVRO_BIG_DECIMAL,
    AVRO_UUID,
    AVRO_DATE,
    AVRO_TIME_MILLIS,
    AVRO_TIME_MICROS,
    AVRO_TIMESTAMP_MILLIS,
    AVRO_TIMESTAMP_MICROS,
    AVRO_TIMESTAMP_NANOS,
    AVRO_LOCAL_TIMESTAMP_MILLIS,
    AVRO_LOCAL_TIMESTAMP_MICROS,
    AVRO_LOCAL_TIMESTAMP_NANOS,
    AVRO_DURATION,
    AVRO_LOGICAL_COUNT,
};

enum avro_order { AVRO_ASCENDING, AVRO_DESCENDING, AVRO_IGNORE };

// A member of the schema's text that the specification does not know.
struct avro_prop {
    struct str key;
    struct str text; // JSON, as it is printed
};

struct avro_field {
    struct str name; // first: name_index looks at it
    const struct avro_type *type;
    struct str doc;          // NULL ptr: none
    struct str default_text; // JSON, as it is printed; NULL ptr: none
    struct str *aliases;
    struct avro_prop *props;
    uint32_t alias_count;
    uint32_t prop_count;
    enum avro_order order;
};

// Of records, enums and fixed.
struct avro_name {
    struct str full;     // "org.example.Order"
    struct str space;    // its namespace, a part of full; empty: none
    struct str name;     // its last part
    struct str doc;      // NULL ptr: none
    struct str *aliases; // full names
    uint32_t alias_count;
};

struct avro_type {
    enum avro_kind kind;
    enum avro_logical logical;
    bool is_error;          // a record that is written as "error"
    bool is_open;           // while parsing: its fields are being read
    int32_t size;           // FIXED
    int32_t default_symbol; // ENUM: index, or -1
    int32_t precision;      // DECIMAL
    int32_t scale;
    uint32_t count; // of fields, symbols or branches
    uint32_t prop_count;
    union {
        struct avro_field *fields;
        struct str *symbols;
        const struct avro_type **branches;
        const struct avro_type *item; // ARRAY and MAP
    };
    struct avro_name *named;
    struct avro_prop *props;
    struct name_index index; // of fields or symbols
};

struct avro_schema {
    struct schema base;
    const struct avro_type *root;
    const struct avro_type **named; // that this text defines
    uint32_t named_count;
    uint32_t known_count;
    struct str
        *known; // full names of the roots of all schemas it refers to: canonical text does not repeat them
};

extern const struct avro_type avro_primitives[AVRO_PRIMITIVE_COUNT]; // without props
const char *avro_kind_name(enum avro_kind kind);                     // "record"
bool avro_kind_find(struct str name, enum avro_kind *ret);           // RECORD for "error" too
const char *avro_logical_name(enum avro_logical logical);
static inline const struct avro_schema *avro_of(const struct schema *schema)
{
    return (const struct avro_schema *)schema;
}

// How many types a type is directly made of, and the one at `index`.
uint32_t avro_child_count(const struct avro_type *type);
const struct avro_type *avro_child(const struct avro_type *type, uint32_t index);

// ---- parse.c, resolve.c, defaults.c

// What a name stands for while a schema is read.
struct avro_parse {
    struct avro_schema *schema;
    struct arena *arena;   // of the schema
    struct arena *scratch; // gone after parsing
    bool is_new;
    struct error *e;
    struct buf path;         // "/fields/0/type"
    struct text_table names; // full name to struct avro_type
    struct avro_pending *pending;
    const struct avro_type **defined; // by this text, in order
    uint32_t defined_count;
    uint32_t defined_capacity;
    const struct avro_schema **referred; // all, once each
    uint32_t referred_count;
};

// A place that names a type which comes later in the text.
struct avro_pending {
    struct avro_pending *next;
    const struct avro_type **slot;
    struct str full;
    struct str path;
};

enum err avro_parse(struct schema *schema, const struct schema_source *source, struct error *e);
// avro_fail_at puts the place before the text and returns ERR_INVALID_SCHEMA.
enum err avro_fail_at(struct avro_parse *p, struct str path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum err avro_fail(struct avro_parse *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t avro_path_push(struct avro_parse *p, const char *token);
size_t avro_path_push_index(struct avro_parse *p, const char *token, size_t index);
void avro_path_pop(struct avro_parse *p, size_t length);

// avro_collect_references finds all schemas that this one refers to, over whatever way, and their types.
enum err avro_collect_references(struct avro_parse *p);
// avro_resolve fills the places that waited for a name, and judges the whole: unions, depth.
enum err avro_resolve(struct avro_parse *p);
// avro_equal tells whether two definitions of one name say the same, as Apache Avro does: docs and aliases
// aside.
bool avro_equal(const struct avro_type *a, const struct avro_type *b);
// avro_check_defaults judges the defaults of all fields that this text defines. Of a union any branch will
// do.
enum err avro_check_defaults(struct avro_parse *p);

// ---- logical.c, number.c

// avro_read_logical sets logical, precision and scale from what stands in the type's text.
void avro_read_logical(struct avro_type *type, const struct json_value *text);
// avro_normalize_numbers rewrites every number of a document as the JVM's registry prints it.
void avro_normalize_numbers(struct json_value *value, struct arena *arena);
struct str avro_print_double(double number, struct arena *arena);
struct str avro_print_float(float number, struct arena *arena);
// avro_parse_double reads what a text default of a float or double may be: also "NaN" and "Infinity".
bool avro_parse_double(struct str text, double *ret);

// ---- print.c, compare.c

enum err avro_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e);
enum err avro_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                      struct compat_report *report, struct error *e);

#endif
