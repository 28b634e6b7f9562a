// SPDX-License-Identifier: Apache-2.0
// compare_private.h - compatibility of JSON Schemas. Schemas are seen as the Confluent registry sees them
// (forms), pairs of forms are judged until nothing changes, and what is not compatible is then walked once
// more for its report.
#ifndef FORMAT_JSON_COMPARE_PRIVATE_H
#define FORMAT_JSON_COMPARE_PRIVATE_H

#include "format/json/schema_private.h"

// What breaks readers: name, whether LENIENT lets it pass, how it is told, what would be compatible.
#define CHANGE_TABLE(X)                                                                                      \
    X(SCHEMA_ADDED, false, ADDED, "Leave the items free, as before")                                         \
    X(TYPE_NARROWED, false, CHANGED, "Keep the type \"number\"")                                             \
    X(TYPE_CHANGED, false, CHANGED,                                                                          \
      "Keep the type, or take anyOf or oneOf with the former type as one of its schemas")                    \
    X(MAX_LENGTH_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                        \
    X(MAX_LENGTH_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")                 \
    X(MIN_LENGTH_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                        \
    X(MIN_LENGTH_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")                 \
    X(PATTERN_ADDED, false, ADDED, "A pattern may be removed, not added")                                    \
    X(PATTERN_CHANGED, false, CHANGED, "A pattern may be removed, not changed")                              \
    X(MAXIMUM_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                           \
    X(MAXIMUM_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")                    \
    X(MINIMUM_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                           \
    X(MINIMUM_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")                    \
    X(EXCLUSIVE_MAXIMUM_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                 \
    X(EXCLUSIVE_MAXIMUM_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")          \
    X(EXCLUSIVE_MINIMUM_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                 \
    X(EXCLUSIVE_MINIMUM_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")          \
    X(MULTIPLE_OF_ADDED, false, ADDED, "multipleOf may be removed, not added")                               \
    X(MULTIPLE_OF_EXPANDED, false, MORE, "Take a divisor of the former number")                              \
    X(MULTIPLE_OF_CHANGED, false, CHANGED, "Take a divisor of the former number")                            \
    X(REQUIRED_ATTRIBUTE_ADDED, false, ADDED, "Leave the property optional, or give it a default")           \
    X(MAX_PROPERTIES_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                    \
    X(MAX_PROPERTIES_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")             \
    X(MIN_PROPERTIES_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                    \
    X(MIN_PROPERTIES_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")             \
    X(ADDITIONAL_PROPERTIES_REMOVED, true, ADDED,                                                            \
      "Keep additionalProperties as it was, or set the subject's compatibility policy to LENIENT")           \
    X(ADDITIONAL_PROPERTIES_NARROWED, true, FEWER,                                                           \
      "Keep additionalProperties as it was, or set the subject's compatibility policy to LENIENT")           \
    X(DEPENDENCY_ARRAY_ADDED, false, ADDED, "A dependency may be removed, not added")                        \
    X(DEPENDENCY_ARRAY_EXTENDED, false, EXTENDED, "A dependency may ask for less, not for more")             \
    X(DEPENDENCY_ARRAY_CHANGED, false, CHANGED, "A dependency may ask for less, not for more")               \
    X(DEPENDENCY_SCHEMA_ADDED, false, ADDED, "A dependency may be removed, not added")                       \
    X(REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL, false, IN_OPEN,                                         \
      "Add it as an optional property, or with a default, and set the compatibility policy to LENIENT")      \
    X(REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL, true, IN_OPEN,                             \
      "Set the subject's compatibility policy to LENIENT, or close the model with "                          \
      "\"additionalProperties\": "                                                                           \
      "false before properties are added")                                                                   \
    X(OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL, true, IN_OPEN,                                          \
      "Set the subject's compatibility policy to LENIENT, or close the model with "                          \
      "\"additionalProperties\": "                                                                           \
      "false before properties are added")                                                                   \
    X(REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL, false, REQUIRED,                                      \
      "Leave the property optional, or give it a default")                                                   \
    X(PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL, true, FROM_CLOSED,                                         \
      "Keep the property, or set the subject's compatibility policy to LENIENT")                             \
    X(PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, true, REMOVED_UNCOVERED,                 \
      "Keep the property, or set the subject's compatibility policy to LENIENT")                             \
    X(PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, true, ADDED_UNCOVERED,                     \
      "Give the property a schema that takes all that additionalProperties or patternProperties took, or "   \
      "set "                                                                                                 \
      "the subject's compatibility policy to LENIENT")                                                       \
    X(UNEVALUATED_PROPERTIES_REMOVED, true, ADDED,                                                           \
      "Keep unevaluatedProperties as it was, or set the subject's compatibility policy to LENIENT")          \
    X(UNEVALUATED_PROPERTIES_NARROWED, true, FEWER,                                                          \
      "Keep unevaluatedProperties as it was, or set the subject's compatibility policy to LENIENT")          \
    X(MAX_ITEMS_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                         \
    X(MAX_ITEMS_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")                  \
    X(MIN_ITEMS_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                         \
    X(MIN_ITEMS_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")                  \
    X(MAX_CONTAINS_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                      \
    X(MAX_CONTAINS_DECREASED, false, LESS, "Limits may be loosened or removed, not tightened")               \
    X(MIN_CONTAINS_ADDED, false, ADDED, "Limits may be loosened or removed, not added")                      \
    X(MIN_CONTAINS_INCREASED, false, MORE, "Limits may be loosened or removed, not tightened")               \
    X(UNIQUE_ITEMS_ADDED, false, ADDED, "uniqueItems may be removed, not added")                             \
    X(ADDITIONAL_ITEMS_REMOVED, false, ADDED, "Keep additionalItems as it was")                              \
    X(ADDITIONAL_ITEMS_NARROWED, false, FEWER, "Keep additionalItems as it was")                             \
    X(UNEVALUATED_ITEMS_REMOVED, false, ADDED, "Keep unevaluatedItems as it was")                            \
    X(UNEVALUATED_ITEMS_NARROWED, false, FEWER, "Keep unevaluatedItems as it was")                           \
    X(ITEM_ADDED_TO_OPEN_CONTENT_MODEL, true, IN_OPEN,                                                       \
      "Set the subject's compatibility policy to LENIENT, or forbid further items before some are added")    \
    X(ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL, true, FROM_CLOSED,                                             \
      "Keep the item, or set the subject's compatibility policy to LENIENT")                                 \
    X(ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, true, REMOVED_UNCOVERED,                     \
      "Keep the item, or set the subject's compatibility policy to LENIENT")                                 \
    X(ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, true, ADDED_UNCOVERED,                         \
      "Give the item a schema that takes all that additionalItems took, or set the subject's compatibility " \
      "policy to LENIENT")                                                                                   \
    X(ENUM_ARRAY_NARROWED, false, FEWER, "Keep the former values; new ones may be added")                    \
    X(ENUM_ARRAY_CHANGED, false, CHANGED, "Keep the former values; new ones may be added")                   \
    X(COMBINED_TYPE_CHANGED, false, CHANGED, "Keep the keyword, or change it to anyOf")                      \
    X(COMBINED_TYPE_SUBSCHEMAS_CHANGED, false, CHANGED,                                                      \
      "Keep each former schema, or put one in its place that accepts all that it accepted")                  \
    X(PRODUCT_TYPE_EXTENDED, false, EXTENDED, "Add no schema to allOf")                                      \
    X(SUM_TYPE_NARROWED, false, FEWER, "Remove no schema from anyOf or oneOf")                               \
    X(NOT_TYPE_EXTENDED, false, EXTENDED, "Forbid no more than before")

enum change {
#define X(name, is_lenient, told, hint) CHANGE_##name,
    CHANGE_TABLE(X)
#undef X
};

// ---- forms

enum form_kind {
    FORM_EMPTY, // {} and true
    FORM_FALSE,
    FORM_STRING,
    FORM_NUMBER,
    FORM_BOOLEAN,
    FORM_NULL,
    FORM_OBJECT,
    FORM_ARRAY,
    FORM_ENUM,
    FORM_CONST,
    FORM_NOT,
    FORM_IF,
    FORM_COMBINED,
    FORM_REF, // stands for another one
};
enum criterion { CRITERION_ALL, CRITERION_ANY, CRITERION_ONE };

struct form {
    enum form_kind kind;
    enum criterion criterion;      // COMBINED
    bool is_integer;               // NUMBER
    struct jschema_place place;    // REF: of what it stands for
    const struct json_value *list; // COMBINED: of subschemas that have not been made forms yet
    struct form **subs;            // COMBINED, without those that are there twice; NULL while `list` waits
    uint32_t count;
    const struct json_value *key; // the value that it was made of, before any $ref
    struct map_node node;         // by the key
};

struct pair {
    struct form *original; // of the writer
    struct form *update;   // of the reader
    bool is_compatible;    // so far
    bool is_open;          // its report is being written
    struct map_node node;
    struct pair *next;
    struct pair *previous;
};

struct compare {
    struct arena arena;
    struct map forms;
    struct map pairs;
    struct map patterns;
    size_t pattern_bytes;
    struct pair *first;
    struct pair *last;
    size_t pair_count;
    uint64_t steps;
    enum compat_policy policy;
    struct compat_report *report; // NULL while pairs are judged
    bool is_broken;               // what the pair at hand came to
    bool is_given_up;
    struct buf path;
    uint32_t depth;
};

// pattern_matches searches for the pattern that is the key of a member of patternProperties. It is compiled
// once, however many names there are; one that does not compile matches nothing.
bool pattern_matches(struct compare *c, const struct json_value *pattern, struct str name);
void patterns_fini(struct compare *c);

struct form *form_of(struct compare *c, struct jschema_place place);
struct form *form_deref(struct compare *c, struct form *form);
void form_expand(struct compare *c, struct form *combined);

// compare_holds tells whether a pair is compatible, as far as is known; it will be judged if it is new.
bool compare_holds(struct compare *c, struct form *original, struct form *update);
// compare_sub does what a nested pair asks for: notes that it is broken, or reports how.
void compare_sub(struct compare *c, struct form *original, struct form *update);
void compare_change(struct compare *c, enum change change);
// compare_change_at names an attribute below the path.
void compare_change_at(struct compare *c, const char *attribute, enum change change);
size_t path_enter(struct compare *c, struct str segment); // returns what path_leave takes
void path_leave(struct compare *c, size_t len);
bool compare_step(struct compare *c); // false: given up

void compare_string(struct compare *c, const struct form *original, const struct form *update);
void compare_number(struct compare *c, const struct form *original, const struct form *update);
void compare_object(struct compare *c, const struct form *original, const struct form *update);
void compare_array(struct compare *c, const struct form *original, const struct form *update);
void compare_enum(struct compare *c, const struct form *original, const struct form *update);
// sorted_texts prints each value of a list in its normal form, sorted, each once.
struct str *sorted_texts(struct compare *c, const struct json_value *list, uint32_t *ret_count);

#endif
