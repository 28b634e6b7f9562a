// SPDX-License-Identifier: Apache-2.0
// regex_private.h - a pattern becomes a tree (parse.c), the tree instructions (program.c), the instructions a
// table of states if it is small (states.c); what has lookaround or back references is searched by
// backtrack.c.
#ifndef REGEX_REGEX_PRIVATE_H
#define REGEX_REGEX_PRIVATE_H

#include "regex/regex.h"

enum {
    CODE_POINT_MAX = 0x10ffff,
    REPEAT_ENDLESS = -1,
    NO_NODE = 0,
    REGEX_BYTES_PER_STEP = 16, // of what is only copied, cleared, compared or looked up in a table
};

// ---- sets of characters: sorted, disjoint ranges

struct char_range {
    uint32_t first;
    uint32_t last;
};
struct char_set {
    struct char_range *ranges;
    uint32_t count;
    uint32_t cap;
};
void char_set_add(struct char_set *set, uint32_t first, uint32_t last);
void char_set_add_ranges(struct char_set *set, const struct char_range *ranges, size_t count);
void char_set_finish(struct char_set *set); // sorts and joins
void char_set_invert(struct char_set *set); // of a finished one
void char_set_fold(struct char_set *set);   // both cases of ASCII letters
bool char_set_has(const struct char_set *set, uint32_t c);
void char_set_fini(struct char_set *set);

// Generated from Python's Unicode database (tools/unicode_table.py).
struct unicode_category {
    char name[3];
    const struct char_range *ranges;
    uint32_t count;
};
extern const struct unicode_category unicode_categories[];
extern const size_t unicode_category_count;
// char_set_add_property adds \p{name}: general categories by their short and long names, Any, ASCII,
// Alphabetic (letters and letter numbers). false: no such property.
bool char_set_add_property(struct char_set *set, struct str name);

// ---- the tree

enum node_kind {
    NODE_EMPTY,
    NODE_SET,     // value: of the sets
    NODE_LIST,    // its children one after another
    NODE_CHOICE,  // one of its children
    NODE_REPEAT,  // min, max
    NODE_GROUP,   // value: its number
    NODE_ASSERT,  // value: enum assert_kind
    NODE_LOOK,    // is_negative, is_behind
    NODE_BACKREF, // value: the group's number
};
enum assert_kind {
    ASSERT_TEXT_BEGIN,
    ASSERT_TEXT_END,
    ASSERT_LINE_BEGIN,
    ASSERT_LINE_END,
    ASSERT_WORD_EDGE,
    ASSERT_NO_WORD_EDGE,
};
struct regex_node {
    uint8_t kind;
    bool is_negative;
    bool is_behind;
    int32_t min;
    int32_t max;
    uint32_t value;
    uint32_t first; // child
    uint32_t last;
    uint32_t next; // sibling
};
struct regex_tree {
    struct regex_node *nodes; // 0 is unused
    uint32_t count;
    uint32_t cap;
    struct char_set *sets;
    uint32_t set_count;
    uint32_t set_cap;
    uint32_t root;
    uint32_t group_count; // 0 is the whole
    bool has_backrefs;
    bool has_looks;
    bool has_word_edges; // or line edges
    uint64_t work;       // steps that reading it took
};
enum err regex_parse(struct str pattern, enum regex_syntax syntax, struct regex_tree *ret, struct error *e);
void regex_tree_fini(struct regex_tree *tree);

// ---- instructions

enum inst_kind {
    INST_SET, // one character of the set x
    INST_SPLIT,
    INST_JUMP,
    INST_ASSERT,
    INST_LOOK, // what it looks for follows, up to its LOOK_END; then y
    INST_LOOK_END,
    INST_SAVE,    // the place into slot x
    INST_BACKREF, // the text of group x again
    INST_MARK,    // an endless repeat begins a turn: slot x
    INST_MOVED,   // a turn that took no character ends the path
    INST_MATCH,
};
struct regex_inst {
    uint8_t kind;
    uint8_t assert_kind;
    bool is_negative;
    bool is_behind;
    uint32_t x;
    uint32_t y;
};

// What a neighbour of a place is, for assertions.
enum char_kind {
    CHAR_EDGE, // there is none
    CHAR_WORD,
    CHAR_NEWLINE,
    CHAR_OTHER,
};

struct regex {
    struct regex_inst *insts;
    uint32_t inst_count;
    uint32_t group_count;
    uint32_t slot_count; // groups' ends, then the marks of repeats
    bool has_backrefs;
    bool has_looks;
    // Characters that no set tells apart are one class.
    uint16_t ascii[128];
    uint32_t *bounds; // first character of each range above ASCII, ascending
    uint16_t *bound_classes;
    uint32_t bound_count;
    uint32_t class_count;
    uint8_t *class_kinds;
    uint64_t *set_members; // for each set a bit per class
    uint32_t set_words;    // of 64 bits, per set
    uint32_t set_count;
    // The table of states, each entry where the row of the next state begins; NULL if there is none. 0 is the
    // accepting one, 1 the first.
    uint16_t *states;
    uint8_t *accepts_at_end;
    uint32_t state_count;
    uint64_t work; // steps that compiling it took
};

enum err regex_tree_compile(const struct regex_tree *tree, struct regex *regex, struct error *e);
void regex_build_states(struct regex *regex);
enum regex_result regex_search_states(const struct regex *regex, struct str text);
enum regex_result regex_search_places(const struct regex *regex, struct str text, int64_t *budget);
enum regex_result regex_search_steps(const struct regex *regex, struct str text, int64_t *budget);

static inline bool regex_set_has(const struct regex *regex, uint32_t set, uint32_t class)
{
    return (regex->set_members[(size_t)set * regex->set_words + class / 64] >> (class % 64) & 1) != 0;
}
uint32_t regex_class_of(const struct regex *regex, uint32_t c);
bool regex_assert_holds(enum assert_kind kind, enum char_kind before, enum char_kind after);

#endif
