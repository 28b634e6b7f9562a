// SPDX-License-Identifier: Apache-2.0
// tree.h - a whole JSON document as values in an arena, in the order of the text. Of members with the same
// name the last value counts, at the place of the first, as in most libraries. Pure.
#ifndef JSON_TREE_H
#define JSON_TREE_H

#include "base/arena.h"
#include "json/scan.h"

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_index; // of an object with many members

struct json_value {
    enum json_type type;
    uint32_t count;           // of members or items
    uint32_t position;        // of its first byte in the text
    struct str key;           // of a member
    struct str text;          // STRING: decoded; NUMBER: as written
    struct json_value *first; // of its members or items
    struct json_value *last;
    struct json_value *next; // its sibling
    struct json_index *index;
};

// json_parse reads a whole document into the arena; what needs no decoding points into `text`, which must
// live as long. ERR_INVALID_REQUEST: no JSON, with line and column. ERR_NO_MEMORY: more than the arena may
// hold.
enum err json_parse(struct str text, struct arena *arena, struct json_value **ret, struct error *e);

// json_get finds a member; NULL if the value is no object or has none of that name. O(1).
struct json_value *json_get(const struct json_value *object, struct str key);
// The text of a member that is a string; NULL ptr if there is none or it is something else.
struct str json_get_str(const struct json_value *object, struct str key);
// json_value_i64: false for what is no integer of 64 bits; 1.0 and 1e2 are integers.
bool json_value_i64(const struct json_value *value, int64_t *ret);
double json_value_f64(const struct json_value *value); // a NUMBER
bool json_is_bool(const struct json_value *value);

// For building: values in the arena, appended to their parent. NULL when the arena is full.
struct json_value *json_new(struct arena *arena, enum json_type type);
void json_append(struct json_value *parent, struct json_value *child); // a member has its key set

// json_print writes the value without white space. Strings are escaped as little as JSON allows; numbers stay
// as they were written. `is_sorted` puts members in the order of their names' bytes, at every level.
void json_print(const struct json_value *value, bool is_sorted, struct buf *out);
// json_print_str writes one string, quoted and escaped.
void json_print_str(struct str text, struct buf *out);

#endif
