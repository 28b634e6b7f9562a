// SPDX-License-Identifier: Apache-2.0
// format.h - schemas of every format behind one face: parsed once, immutable, printed in the forms that ids
// depend on, compared for compatibility. Apache Avro 1.12, JSON Schema (drafts 4, 6, 7, 2019-09, 2020-12),
// Protobuf (proto2, proto3, editions), in the dialect of the Confluent Schema Registry 8.3. Pure: no clock,
// I/O, threads or globals; never fetches anything. How payloads are checked is program.h.
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum format {
    FORMAT_AVRO,
    FORMAT_JSON,
    FORMAT_PROTOBUF,
    FORMAT_COUNT,
};

enum {
    SCHEMA_TEXT_BYTES_MAX = 1 << 20,
    SCHEMA_MEMORY_BYTES_MAX = 64 << 20, // of one parsed schema, without those it refers to
    SCHEMA_DEPTH_MAX = 128,             // of nested types
    SCHEMA_REFERENCES_MAX = 1000,       // transitively
    COMPAT_DIFFERENCES_MAX = 100,       // reported; more are counted
};

const char *format_name(enum format format); // "AVRO", "JSON", "PROTOBUF": the registry's schemaType
bool format_find(struct str name, enum format *ret);

// A schema. Owner: whoever holds a reference; shared between threads.
struct schema;

// What the text may refer to: Avro full type name, JSON $ref URI, Protobuf import path.
struct schema_reference {
    struct str name;
    const struct schema *schema; // of the same format
};

struct schema_source {
    enum format format;
    struct str text;
    const struct schema_reference *references; // direct ones; theirs come with them
    size_t reference_count;
    // A schema that is being registered is checked more strictly than one that has long been: Avro names and
    // defaults.
    bool is_new;
};

// schema_create parses; the result holds references to what it refers to, and a copy of all it needs of the
// text. ERR_INVALID_SCHEMA: text for the person who wrote the schema, with the place. ERR_NO_MEMORY: over a
// limit above.
enum err schema_create(const struct schema_source *source, struct schema **ret, struct error *e);
struct schema *schema_ref(const struct schema *schema);
void schema_unref(struct schema *take_schema); // NULL is a no-op

enum format schema_format(const struct schema *schema);
size_t schema_memory(const struct schema *schema); // bytes it takes, without what it refers to
// schema_name is the name for the record name strategies: Avro full name, Protobuf's first message, JSON
// title; NULL ptr if it has none.
struct str schema_name(const struct schema *schema);

enum schema_form {
    SCHEMA_CANONICAL,    // what ids and GUIDs depend on, and what the registry stores
    SCHEMA_NORMAL,       // `normalize`: what may stand in any order is sorted
    SCHEMA_RESOLVED,     // Avro `format=resolved`: references inlined. Others: canonical
    SCHEMA_PLAIN,        // Protobuf `format=ignore_extensions`. Others: canonical
    SCHEMA_SERIALIZED,   // Protobuf `format=serialized`: base64 of a FileDescriptorProto. Others: canonical
    SCHEMA_PARSING_FORM, // Avro "Parsing Canonical Form", for fingerprints. Others: canonical
};
// schema_print appends the text. ERR_NO_MEMORY: more than `out` may hold.
enum err schema_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e);

// ---- tags

enum { SCHEMA_TAGS_MAX = 1000 }; // of one place
struct schema_tags {
    struct str path; // "pkg.Message.field", "Message.Nested"
    bool is_record;  // a message, not a field
    const struct str *tags;
    size_t tag_count;
    bool is_removal;
};
// schema_tag adds Confluent's tags at a place of a Protobuf schema, or removes them. Nobody but the caller
// may have the schema yet: it is changed, to be printed. ERR_NOT_FOUND: no such place; ERR_NO_MEMORY: over a
// limit; ERR_INVALID_REQUEST: another format, whose texts are JSON.
enum err schema_tag(struct schema *schema, const struct schema_tags *change, struct error *e);

// ---- compatibility

enum compat_policy {
    COMPAT_STRICT,
    COMPAT_LENIENT, // JSON Schema only: content models are not held against a change
};

struct compat_difference {
    const char *kind;       // as the Confluent registry names it: "READER_FIELD_MISSING_DEFAULT_VALUE"
    struct str path;        // of the place in the new schema, or in the old one for what is gone: "/fields/1"
    struct str description; // what is wrong, a sentence
    struct str info;        // Avro's additionalInfo; empty for the others
    struct str hint;        // what would be compatible, a sentence; may be empty
};

// A zeroed struct with `arena` set is ready. The texts live in the arena.
struct compat_report {
    struct arena *arena;
    bool is_reader_old; // FORWARD: the texts call the reader's schema the old one
    struct compat_difference *differences;
    size_t count; // 0: compatible; at most COMPAT_DIFFERENCES_MAX
    size_t total;
};

// schema_compare tells whether what was written with `writer` can be read with `reader` (BACKWARD asks with
// the new one as reader, FORWARD with the old one). Only differences that break this are reported. Both are
// of the same format. Time is polynomial in the sizes of both; ERR_NO_MEMORY: the comparison was given up
// over its budget.
enum err schema_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                        struct compat_report *report, struct error *e);
void compat_report_add(struct compat_report *report, const char *kind, struct str path,
                       struct str description, struct str info, struct str hint);

#endif
