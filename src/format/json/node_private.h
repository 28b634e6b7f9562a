// SPDX-License-Identifier: Apache-2.0
// node_private.h - a compiled schema: nodes that refer to each other, all of one program's arena, never
// changed once made. A node is a subschema in one dynamic scope ($dynamicRef costs nothing when payloads are
// checked).
#ifndef FORMAT_JSON_NODE_PRIVATE_H
#define FORMAT_JSON_NODE_PRIVATE_H

#include "format/json/decimal_private.h"
#include "format/json/schema_private.h"

enum {
    TYPE_NULL = 1,
    TYPE_BOOL = 2,
    TYPE_INTEGER = 4,
    TYPE_NUMBER = 8, // together with TYPE_INTEGER
    TYPE_STRING = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
    TYPES_NUMBERS = TYPE_INTEGER | TYPE_NUMBER,
    TYPES_ALL = 127,
};

// What `format` asserts in drafts 4, 6 and 7 (Everit's list); later drafts only annotate.
enum json_format {
    FORMAT_NONE,
    FORMAT_DATE_TIME,
    FORMAT_DATE,
    FORMAT_TIME,
    FORMAT_EMAIL,
    FORMAT_HOSTNAME,
    FORMAT_IPV4,
    FORMAT_IPV6,
    FORMAT_URI,
    FORMAT_URI_REFERENCE,
    FORMAT_URI_TEMPLATE,
    FORMAT_JSON_POINTER,
    FORMAT_RELATIVE_JSON_POINTER,
    FORMAT_REGEX,
};
enum json_format json_format_find(struct str name, const struct jschema_resource *resource);
// budget: of regular expressions; below 0 there is no answer.
bool json_format_holds(enum json_format format, struct str text, int64_t *budget);

struct jnode;

struct string_check {
    int64_t min;
    int64_t max;
    const struct regex *pattern;
    struct str pattern_text;
    enum json_format format;
    struct str format_name; // as written, if it is known
};

struct number_bound {
    bool is_set;
    bool is_exclusive;
    bool is_small; // `small` is the bound
    int64_t small;
    struct decimal value;
    struct str text;
};
struct number_check {
    struct number_bound min;
    struct number_bound max;
    struct number_bound multiple;
    // A number of no more digits before the point is within the bounds, whatever they are: positive, if it is
    // not below 1 where that matters, and negative. -1: none.
    int32_t free_positive;
    int32_t free_negative;
    bool needs_one;
};

struct array_check {
    const struct jnode **prefix;
    uint32_t prefix_count;
    const struct jnode *rest; // NULL: anything
    int64_t min;
    int64_t max;
    bool is_unique;
    bool contains_evaluates; // for unevaluatedItems
    const struct jnode *contains;
    int64_t contains_min;
    int64_t contains_max;
};

// Up to KEY_BYTES of a text and of the quote behind it, as they stand in a payload.
enum { KEY_BYTES = 16 };
struct key {
    uint8_t bytes[KEY_BYTES];
    uint32_t mask; // which of them count. Those of a key that is too long, or is written with escapes, match
                   // nothing
};

// A name that the schema knows: of properties, or only required or looked for. Behind the last one there is
// one that matches nothing.
struct property {
    struct str name;
    const struct jnode *node; // NULL: not of `properties`
    struct key key;
};
struct pattern_property {
    const struct regex *regex;
    const struct jnode *node;
};
struct dependent {
    uint32_t property;        // if it is there,
    const uint64_t *needed;   // these are, too; may be NULL
    const struct jnode *node; // and this holds; may be NULL
};
enum in_place_kind {
    IN_PLACE_ALL, // nodes[0] holds
    IN_PLACE_ANY,
    IN_PLACE_ONE,
    IN_PLACE_NOT,
    IN_PLACE_IF, // nodes: if, then, else; the latter may be NULL
};

// Of fast.c: branches that do no more than require members. The bits are those of the check's properties.
struct choice {
    enum in_place_kind kind; // ANY, ONE or NOT
    uint32_t count;
    const uint64_t **needed;
};

struct object_check {
    struct property *properties;
    uint32_t property_count;
    uint32_t *slots; // by hash of the name: index + 1
    uint32_t slot_count;
    uint32_t words;           // of 64 bits, for a bit per property
    const uint64_t *required; // NULL: none
    const struct pattern_property *patterns;
    uint32_t pattern_count;
    const struct jnode *additional; // NULL: anything
    bool has_additional;            // then all members are evaluated
    const struct jnode *names;
    int64_t min;
    int64_t max;
    const struct dependent *dependents;
    uint32_t dependent_count;
    struct choice *choices;
    uint32_t choice_count;
};

// enum or const.
struct value_set {
    uint8_t types; // of its members
    bool has_true, has_false;
    const struct str *strings;
    const struct key *keys; // of strings
    uint32_t string_count;
    bool has_others; // strings that are not found by their key
    uint32_t *slots; // by hash: index + 1; NULL if they are few
    uint32_t slot_count;
    const struct decimal *numbers;
    uint32_t number_count;
    const struct json_value **others;
    uint32_t other_count;
};

struct in_place {
    enum in_place_kind kind;
    uint32_t count;
    const struct jnode **nodes;
    // A member whose text tells branches apart, if there is one: a branch whose set (NULL: any) lacks it
    // fails.
    struct str discriminator;
    const struct value_set **sets;
};

// How fast.c judges by a node.
enum fast_kind {
    FAST_SLOW, // not at all: check.c does
    FAST_ANY,
    FAST_TEXT,   // a string
    FAST_STRING, // and more is asked of it
    FAST_SYMBOL, // one of values[0]
    FAST_NUMBER,
    FAST_OBJECT,
    FAST_ARRAY,
    FAST_PLAIN, // several types
    FAST_IN_PLACE,
};

struct jnode {
    uint8_t types;
    bool is_any;             // accepts everything
    bool wants_integer_text; // draft 4: 1.0 is no integer
    bool has_in_place;       // or unevaluated*
    bool is_bare;            // nothing else
    bool has_unevaluated;
    uint32_t in_place_count;
    const struct in_place *in_place;
    const struct string_check *string;
    const struct number_check *number;
    const struct array_check *array;
    const struct object_check *object;
    const struct value_set *values[2];
    const struct jnode *unevaluated_properties;
    const struct jnode *unevaluated_items;
    // For fast.c. Where nothing applies in place, what is not evaluated is what is additional.
    enum fast_kind fast;
    uint8_t fast_types;
    bool is_fast_bare;
    uint32_t fast_in_place_count;
    const struct in_place *fast_in_place;
    const struct object_check *fast_object; // NULL: anything
    const struct array_check *fast_array;
};

struct regex_link {
    struct regex *regex;
    struct regex_link *next;
};

struct jprogram {
    struct program base;
    struct arena arena;
    struct regex_link *regexes;
    size_t regex_bytes;
    uint64_t regex_work;
    const struct jnode *root;
};

static inline uint64_t property_hash(const char *p, size_t len)
{
    uint64_t a = 0;
    uint64_t b = 0;
    if (len >= 8 && len <= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + len - 8, 8);
    } else if (len >= 4 && len < 8) {
        memcpy(&a, p, 4);
        memcpy(&b, p + len - 4, 4);
    } else if (len > 0 && len < 4) {
        a = (uint8_t)p[0] | (uint64_t)(uint8_t)p[len / 2] << 8 | (uint64_t)(uint8_t)p[len - 1] << 16;
    } else {
        for (size_t i = 0; i + 8 <= len; i += 8) {
            memcpy(&a, p + i, 8);
            b = (b ^ a) * 0x9e3779b97f4a7c15u;
            b ^= b >> 29;
        }
        memcpy(&a, len == 0 ? "\0\0\0\0\0\0\0" : p + len - 8, 8);
    }
    uint64_t hash = (a ^ len) * 0x9e3779b97f4a7c15u + b * 0xe7037ed1a0b428dbu;
    return hash ^ hash >> 32;
}

static inline bool name_equal(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len >= 8 && a.len <= 16) {
        uint64_t x[2];
        uint64_t y[2];
        memcpy(&x[0], a.ptr, 8);
        memcpy(&y[0], b.ptr, 8);
        memcpy(&x[1], a.ptr + a.len - 8, 8);
        memcpy(&y[1], b.ptr + b.len - 8, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    if (a.len >= 4 && a.len < 8) {
        uint32_t x[2];
        uint32_t y[2];
        memcpy(&x[0], a.ptr, 4);
        memcpy(&y[0], b.ptr, 4);
        memcpy(&x[1], a.ptr + a.len - 4, 4);
        memcpy(&y[1], b.ptr + b.len - 4, 4);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

// property_find gives a known name's index + 1; 0 for others. `hint` is where it would be if members come in
// the order of the schema.
static inline uint32_t property_find(const struct object_check *check, struct str name, uint32_t hint)
{
    if (hint < check->property_count) {
        if (name_equal(check->properties[hint].name, name)) {
            return hint + 1;
        }
    }
    uint64_t slot = property_hash(name.ptr, name.len);
    for (;; slot++) {
        uint32_t at = check->slots[slot & (check->slot_count - 1)];
        if (at == 0) {
            return 0;
        }
        if (name_equal(check->properties[at - 1].name, name)) {
            return at;
        }
    }
}

static inline bool all_seen(const struct object_check *check, const uint64_t *seen, const uint64_t *needed)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < check->words; i++) {
        missing |= needed[i] & ~seen[i];
    }
    return missing == 0;
}

enum err jschema_compile(const struct schema *schema, const int32_t *root, size_t root_count,
                         const struct slots *slots, struct program **ret, struct error *e);
// jschema_compile_at compiles a part of a schema.
enum err jschema_compile_at(struct jschema_place root, struct site_loose loose, struct program **ret,
                            struct error *e);
void jschema_program_destroy(struct program *program);
size_t jschema_program_memory(const struct program *program);
enum err jschema_check(const struct program *program, struct bytes payload, struct view *views,
                       struct program_fault *ret);
enum fast_verdict { FAST_NO, FAST_YES, FAST_UNKNOWN };
// steps: as program_check_hiding's; NULL: the module's own limits alone.
enum fast_verdict fast_judge(const struct jprogram *program, struct bytes payload, struct view *views,
                             int64_t *steps);
// jschema_judge judges by check.c alone.
enum err jschema_judge(const struct jprogram *program, struct bytes payload, int64_t *steps,
                       struct program_fault *ret);
struct view jschema_view_root(const struct program *program, struct bytes payload);
struct view jschema_view_field(const struct view *record, struct str name);
bool jschema_view_next(struct view_items *items, struct str *ret_key, struct view *ret);
// jschema_view_of makes the view of the value whose first token was read; the scanner ends behind it. `of`
// gives program and payload.
struct view jschema_view_of(const struct view *of, struct json_scan *s, enum json_token t);
// jschema_view_at makes the view of a value that is known to be good.
void jschema_view_at(const struct program *program, struct bytes payload, size_t begin, size_t end,
                     struct view *ret);
bool jschema_key_equal(const struct json_scan *s, struct str name);
// jschema_fill_slots reads a payload that has been accepted once more, for the views of the program's paths.
void jschema_fill_slots(const struct program *program, struct bytes payload, struct view *views);

struct value_type jschema_type_root(const struct program *program);
bool jschema_type_field(const struct value_type *type, struct str name, struct value_type *ret);
// jschema_type_has_name tells whether the name stands in the schema of an object.
bool jschema_type_has_name(const struct value_type *type, struct str name);
bool jschema_type_is_open(const struct value_type *type);
bool jschema_type_field_name(const struct value_type *type, uint32_t index, struct str *ret);
struct value_type jschema_type_item(const struct value_type *type);
struct value_type jschema_type_key(const struct value_type *type);
bool jschema_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret);
struct str jschema_type_name(const struct value_type *type);
struct str jschema_type_logical(const struct value_type *type);
bool jschema_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name,
                         int64_t *ret_number);
extern const struct site_ops jschema_sites; // site.c

#endif
