// SPDX-License-Identifier: Apache-2.0
// schema_private.h - a parsed JSON Schema: its documents as trees, and where each subschema and anchor is.
// Programs and comparisons walk these trees by keyword, with each keyword looked up as the draft and
// vocabularies have it.
#ifndef FORMAT_JSON_SCHEMA_PRIVATE_H
#define FORMAT_JSON_SCHEMA_PRIVATE_H

#include "base/map.h"
#include "format/format_private.h"
#include "json/tree.h"
#include "regex/regex.h"

enum json_draft {
    DRAFT_4,
    DRAFT_6,
    DRAFT_7,
    DRAFT_2019,
    DRAFT_2020,
    DRAFT_COUNT,
};

enum vocabulary {
    VOCABULARY_CORE,
    VOCABULARY_APPLICATOR,
    VOCABULARY_UNEVALUATED,
    VOCABULARY_VALIDATION,
    VOCABULARY_META_DATA,
    VOCABULARY_FORMAT,
    VOCABULARY_CONTENT,
    VOCABULARY_COUNT,
    VOCABULARIES_ALL = (1 << VOCABULARY_COUNT) - 1,
};

// What a keyword's value has to be.
enum shape {
    SHAPE_ANY,
    SHAPE_SCHEMA,
    SHAPE_SCHEMA_OR_BOOL, // which draft 4 tells apart
    SHAPE_SCHEMAS,        // a list with something in it
    SHAPE_ITEMS,          // a schema, before 2020-12 also a list
    SHAPE_SCHEMA_MAP,
    SHAPE_PATTERN_MAP,
    SHAPE_DEPENDENCIES, // each a schema or names
    SHAPE_COUNT,
    SHAPE_NUMBER,
    SHAPE_POSITIVE,
    SHAPE_BOOL,
    SHAPE_EXCLUSIVE, // draft 4: a boolean; later a number
    SHAPE_STRING,
    SHAPE_REGEX,
    SHAPE_STRINGS,
    SHAPE_STRINGS_MAP,
    SHAPE_TYPE,
    SHAPE_LIST,
};

// name in C, in JSON, shape, first and last draft, vocabulary
#define KEYWORD_TABLE(X)                                                                                     \
    X(ID_4, "id", SHAPE_STRING, DRAFT_4, DRAFT_4, CORE)                                                      \
    X(ID, "$id", SHAPE_STRING, DRAFT_6, DRAFT_2020, CORE)                                                    \
    X(SCHEMA, "$schema", SHAPE_STRING, DRAFT_4, DRAFT_2020, CORE)                                            \
    X(REF, "$ref", SHAPE_STRING, DRAFT_4, DRAFT_2020, CORE)                                                  \
    X(ANCHOR, "$anchor", SHAPE_STRING, DRAFT_2019, DRAFT_2020, CORE)                                         \
    X(RECURSIVE_REF, "$recursiveRef", SHAPE_STRING, DRAFT_2019, DRAFT_2019, CORE)                            \
    X(RECURSIVE_ANCHOR, "$recursiveAnchor", SHAPE_BOOL, DRAFT_2019, DRAFT_2019, CORE)                        \
    X(DYNAMIC_REF, "$dynamicRef", SHAPE_STRING, DRAFT_2020, DRAFT_2020, CORE)                                \
    X(DYNAMIC_ANCHOR, "$dynamicAnchor", SHAPE_STRING, DRAFT_2020, DRAFT_2020, CORE)                          \
    X(VOCABULARY, "$vocabulary", SHAPE_ANY, DRAFT_2019, DRAFT_2020, CORE)                                    \
    X(COMMENT, "$comment", SHAPE_STRING, DRAFT_7, DRAFT_2020, CORE)                                          \
    X(DEFS, "$defs", SHAPE_SCHEMA_MAP, DRAFT_2019, DRAFT_2020, CORE)                                         \
    X(DEFINITIONS, "definitions", SHAPE_SCHEMA_MAP, DRAFT_4, DRAFT_2020, CORE)                               \
    X(TITLE, "title", SHAPE_STRING, DRAFT_4, DRAFT_2020, META_DATA)                                          \
    X(DESCRIPTION, "description", SHAPE_STRING, DRAFT_4, DRAFT_2020, META_DATA)                              \
    X(DEFAULT, "default", SHAPE_ANY, DRAFT_4, DRAFT_2020, META_DATA)                                         \
    X(TYPE, "type", SHAPE_TYPE, DRAFT_4, DRAFT_2020, VALIDATION)                                             \
    X(ENUM, "enum", SHAPE_LIST, DRAFT_4, DRAFT_2020, VALIDATION)                                             \
    X(CONST, "const", SHAPE_ANY, DRAFT_6, DRAFT_2020, VALIDATION)                                            \
    X(MULTIPLE_OF, "multipleOf", SHAPE_POSITIVE, DRAFT_4, DRAFT_2020, VALIDATION)                            \
    X(MAXIMUM, "maximum", SHAPE_NUMBER, DRAFT_4, DRAFT_2020, VALIDATION)                                     \
    X(EXCLUSIVE_MAXIMUM, "exclusiveMaximum", SHAPE_EXCLUSIVE, DRAFT_4, DRAFT_2020, VALIDATION)               \
    X(MINIMUM, "minimum", SHAPE_NUMBER, DRAFT_4, DRAFT_2020, VALIDATION)                                     \
    X(EXCLUSIVE_MINIMUM, "exclusiveMinimum", SHAPE_EXCLUSIVE, DRAFT_4, DRAFT_2020, VALIDATION)               \
    X(MAX_LENGTH, "maxLength", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                                 \
    X(MIN_LENGTH, "minLength", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                                 \
    X(PATTERN, "pattern", SHAPE_REGEX, DRAFT_4, DRAFT_2020, VALIDATION)                                      \
    X(FORMAT, "format", SHAPE_STRING, DRAFT_4, DRAFT_2020, FORMAT)                                           \
    X(PREFIX_ITEMS, "prefixItems", SHAPE_SCHEMAS, DRAFT_2020, DRAFT_2020, APPLICATOR)                        \
    X(ITEMS, "items", SHAPE_ITEMS, DRAFT_4, DRAFT_2020, APPLICATOR)                                          \
    X(ADDITIONAL_ITEMS, "additionalItems", SHAPE_SCHEMA_OR_BOOL, DRAFT_4, DRAFT_2019, APPLICATOR)            \
    X(UNEVALUATED_ITEMS, "unevaluatedItems", SHAPE_SCHEMA, DRAFT_2019, DRAFT_2020, UNEVALUATED)              \
    X(MAX_ITEMS, "maxItems", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                                   \
    X(MIN_ITEMS, "minItems", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                                   \
    X(UNIQUE_ITEMS, "uniqueItems", SHAPE_BOOL, DRAFT_4, DRAFT_2020, VALIDATION)                              \
    X(CONTAINS, "contains", SHAPE_SCHEMA, DRAFT_6, DRAFT_2020, APPLICATOR)                                   \
    X(MAX_CONTAINS, "maxContains", SHAPE_COUNT, DRAFT_2019, DRAFT_2020, VALIDATION)                          \
    X(MIN_CONTAINS, "minContains", SHAPE_COUNT, DRAFT_2019, DRAFT_2020, VALIDATION)                          \
    X(MAX_PROPERTIES, "maxProperties", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                         \
    X(MIN_PROPERTIES, "minProperties", SHAPE_COUNT, DRAFT_4, DRAFT_2020, VALIDATION)                         \
    X(REQUIRED, "required", SHAPE_STRINGS, DRAFT_4, DRAFT_2020, VALIDATION)                                  \
    X(PROPERTIES, "properties", SHAPE_SCHEMA_MAP, DRAFT_4, DRAFT_2020, APPLICATOR)                           \
    X(PATTERN_PROPERTIES, "patternProperties", SHAPE_PATTERN_MAP, DRAFT_4, DRAFT_2020, APPLICATOR)           \
    X(ADDITIONAL_PROPERTIES, "additionalProperties", SHAPE_SCHEMA_OR_BOOL, DRAFT_4, DRAFT_2020, APPLICATOR)  \
    X(UNEVALUATED_PROPERTIES, "unevaluatedProperties", SHAPE_SCHEMA, DRAFT_2019, DRAFT_2020, UNEVALUATED)    \
    X(PROPERTY_NAMES, "propertyNames", SHAPE_SCHEMA, DRAFT_6, DRAFT_2020, APPLICATOR)                        \
    X(DEPENDENCIES, "dependencies", SHAPE_DEPENDENCIES, DRAFT_4, DRAFT_2020, APPLICATOR)                     \
    X(DEPENDENT_REQUIRED, "dependentRequired", SHAPE_STRINGS_MAP, DRAFT_2019, DRAFT_2020, VALIDATION)        \
    X(DEPENDENT_SCHEMAS, "dependentSchemas", SHAPE_SCHEMA_MAP, DRAFT_2019, DRAFT_2020, APPLICATOR)           \
    X(ALL_OF, "allOf", SHAPE_SCHEMAS, DRAFT_4, DRAFT_2020, APPLICATOR)                                       \
    X(ANY_OF, "anyOf", SHAPE_SCHEMAS, DRAFT_4, DRAFT_2020, APPLICATOR)                                       \
    X(ONE_OF, "oneOf", SHAPE_SCHEMAS, DRAFT_4, DRAFT_2020, APPLICATOR)                                       \
    X(NOT, "not", SHAPE_SCHEMA, DRAFT_4, DRAFT_2020, APPLICATOR)                                             \
    X(IF, "if", SHAPE_SCHEMA, DRAFT_7, DRAFT_2020, APPLICATOR)                                               \
    X(THEN, "then", SHAPE_SCHEMA, DRAFT_7, DRAFT_2020, APPLICATOR)                                           \
    X(ELSE, "else", SHAPE_SCHEMA, DRAFT_7, DRAFT_2020, APPLICATOR)                                           \
    X(CONTENT_ENCODING, "contentEncoding", SHAPE_STRING, DRAFT_7, DRAFT_2020, CONTENT)                       \
    X(CONTENT_MEDIA_TYPE, "contentMediaType", SHAPE_STRING, DRAFT_7, DRAFT_2020, CONTENT)                    \
    X(CONTENT_SCHEMA, "contentSchema", SHAPE_SCHEMA, DRAFT_2019, DRAFT_2020, CONTENT)

enum keyword {
#define X(name, text, shape, first, last, vocabulary) KEYWORD_##name,
    KEYWORD_TABLE(X)
#undef X
        KEYWORD_COUNT
};

struct keyword_info {
    struct str name;
    uint8_t shape;
    uint8_t first;
    uint8_t last;
    uint8_t vocabulary;
};
extern const struct keyword_info keyword_infos[KEYWORD_COUNT];
extern const char *const draft_uris[DRAFT_COUNT]; // of their metaschemas, without fragment

struct jschema;

// A part of a document with an identifier of its own (the root of a document always is one).
struct jschema_resource {
    struct str uri; // absolute if anything gives it a base; without fragment
    const struct json_value *root;
    const struct jschema *owner;
    uint8_t draft;
    uint16_t vocabularies;                  // a bit each
    struct jschema_anchor *dynamic_anchors; // linked by next_dynamic
    struct map_node node;                   // by its URI
};

struct jschema_anchor {
    struct jschema_resource *resource;
    struct str name; // "" is $recursiveAnchor's
    const struct json_value *value;
    bool is_dynamic;
    struct jschema_anchor *next_dynamic;
    struct map_node node; // by resource and name
};

// A subschema and the resource that it lies in.
struct jschema_place {
    const struct json_value *value;
    const struct jschema_resource *resource;
};

// A schema that $ref may name: a direct reference, or one of theirs.
struct jschema_known {
    struct str name;
    const struct jschema *schema;
};

struct jschema {
    struct schema base;
    const struct json_value *root;
    struct jschema_resource *resource; // the document's own
    struct map resources;              // those of metaschemas that it refers to included
    struct map anchors;
    struct map places; // struct place_entry, by the value's address
    struct jschema_known *known;
    size_t known_count;
    bool has_dynamic_anchors; // here or in what it refers to
};

// The members of a schema object that are keywords in its draft and vocabularies; NULL for the others. Of
// drafts up to 7, $ref stands alone.
struct keywords {
    const struct json_value *of[KEYWORD_COUNT];
};
void keywords_read(struct jschema_place place, struct keywords *ret);

// jschema_sub is the place of a direct subschema.
struct jschema_place jschema_sub(struct jschema_place outer, const struct json_value *value);
// jschema_resolve finds what a $ref means; parsing has seen to it that it can.
bool jschema_resolve(const struct jschema_resource *from, struct str ref, struct jschema_place *ret,
                     const struct jschema_anchor **ret_dynamic);

// Steps of compiling all patterns of a schema: a tenth of a second or so.
enum { JSON_REGEX_WORK_MAX = 1 << 24 };
#define JSON_REGEX_WORK_TEXT "the schema's patterns take more than %d steps to compile"

// jschema_regex compiles a pattern: ECMA-262, or what only RE2 and Java know, such as (?i).
enum err jschema_regex(struct str pattern, struct regex **ret, struct error *e);

enum err jschema_parse(struct schema *schema, const struct schema_source *source, struct error *e);
void jschema_fini(struct schema *schema);
enum err jschema_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e);
enum err jschema_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                         struct compat_report *report, struct error *e);

// uri_resolve resolves a reference against a base (RFC 3986 5.2); the result has no fragment. *ret_fragment:
// what is behind #, NULL ptr without one.
struct str uri_resolve(struct arena *arena, struct str base, struct str ref, struct str *ret_fragment);

// jschema_metaschema writes the schema of schemas of a draft, or the part of one vocabulary, if `uri` names
// one.
bool jschema_metaschema(struct str uri, struct buf *out);
// draft_find knows the URIs of metaschemas, with http or https, with or without an empty fragment.
bool draft_find(struct str uri, enum json_draft *ret);
uint16_t vocabularies_read(const struct json_value *vocabulary);

#endif
