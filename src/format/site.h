// SPDX-License-Identifier: Apache-2.0
// site.h - the sites of a schema: the places that a payload's values are at, as Confluent's field rules walk
// them, with what the schema says there beside the types: full names, tags, checks. Pure; for the time when
// something is compiled, not for each payload, but for site_fits and site_fits_kind.
#ifndef FORMAT_SITE_H
#define FORMAT_SITE_H

#include "format/program.h"

// Confluent's words for what is at a place (RuleContext.Type of its clients).
enum site_kind {
    SITE_RECORD,
    SITE_ENUM,
    SITE_ARRAY,
    SITE_MAP,
    SITE_COMBINED, // one of several, or several at once: its branches say
    SITE_FIXED,
    SITE_STRING, // this one and those below are primitive
    SITE_BYTES,
    SITE_INT,
    SITE_LONG,
    SITE_FLOAT,
    SITE_DOUBLE,
    SITE_BOOLEAN,
    SITE_NULL,
    SITE_KIND_COUNT,
};
const char *site_kind_name(enum site_kind kind); // "RECORD"
static inline bool site_kind_is_primitive(enum site_kind kind)
{
    return kind >= SITE_STRING;
}

// By value; valid as long as the program. Two sites with the same members are the same; program NULL: none.
struct site {
    const struct program *program;
    const void *of; // of the format, as the rest
    const void *in;
    uint32_t part;
};

// An inline CHECK rule: `confluent:rules`, or rules of (confluent.field_meta). NULL ptr: not given.
struct site_check {
    struct str name;
    struct str doc;
    struct str expr;
    struct str sql;
};
// `confluent:tags` and `confluent:rules` of a place. What is not written as it should be is left out, as
// clients do.
struct site_notes {
    const struct str *tags;
    const struct site_check *checks;
    uint32_t tag_count;
    uint32_t check_count;
};

struct site_field {
    struct str name;
    struct str full_name; // "org.example.Order.id"; of JSON none: NULL ptr
    struct site site;
    struct site written; // JSON: before a $ref is followed
    struct site_notes notes;
    bool is_zero_if_absent; // Protobuf: a scalar that is not there reads as its type's zero
};

// How a branch of a combined site applies.
enum site_choice {
    SITE_ALWAYS,
    SITE_FITTING, // the first that site_fits
    SITE_ONE,     // the first whose program accepts the value
    SITE_ANY,     // each whose program accepts the value
};

struct site site_root(const struct program *program);
enum site_kind site_kind(const struct site *site);
// The notes of a record, not of the field that it is the value of. Memory comes from the arena.
struct site_notes site_notes(const struct site *site, struct arena *arena);
// The fields of a record in the schema's order. A zeroed struct with `of` set is ready.
struct site_fields {
    struct site of;
    const void *next;
    uint32_t index;
};
// site_next_field: false at the end. *ret may lack texts if the arena is full.
bool site_next_field(struct site_fields *fields, struct arena *arena, struct site_field *ret);
struct site site_item(const struct site *site); // of an array or map
bool site_branch(const struct site *combined, uint32_t index, struct site *ret, enum site_choice *ret_choice);

// site_fits tells whether a value that is at a combined site is of a SITE_FITTING branch.
bool site_fits(const struct site *branch, const struct view *view);
// Fields (as they are `written`) of whose values a program asks the type alone: what clients encrypt. Only
// JSON Schema asks for more.
struct site_loose {
    const struct site *sites;
    size_t count;
};
// program_create_loose is program_create_with, but for those fields.
enum err program_create_loose(const struct schema *schema, const int32_t *root, size_t root_count,
                              const struct program_path *paths, size_t path_count, struct site_loose loose,
                              struct program **ret, struct error *e);
// site_program compiles a branch that is SITE_ONE or SITE_ANY.
enum err site_program(const struct site *branch, struct site_loose loose, struct program **ret,
                      struct error *e);

// Whether the site is a type that the schema (the program's own, or one that it refers to) defines, and
// whether it is the one that the schema is for: Avro and JSON the root, Protobuf the first message.
bool site_is_of(const struct site *site, const struct schema *schema, bool *ret_is_root);

#endif
