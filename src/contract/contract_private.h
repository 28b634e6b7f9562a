// SPDX-License-Identifier: Apache-2.0
// contract_private.h - a compiled contract: its rules as programs, and the sites of the schema as a graph of
// places with the rules that apply there.
#ifndef CONTRACT_CONTRACT_PRIVATE_H
#define CONTRACT_CONTRACT_PRIVATE_H

#include <stdatomic.h>

#include "base/map.h"
#include "cel/cel.h"
#include "contract/contract.h"
#include "format/site.h"
#include "json/tree.h"

enum {
    CONTRACT_PARTS_MAX = 64,      // with rules of their own
    CONTRACT_PLACES_MAX = 20000,  // different in type, full name's tags, or active parts
    CONTRACT_GLOBS_MAX = 1000,    // of the tags in metadata, of all parts
    CONTRACT_BRANCHES_MAX = 1000, // of one place
    CONTRACT_REMARKS_MAX = 64,
    CONTRACT_LETTER_TOPICS_MAX = 16,
    GLOB_TOKENS_MAX = 255,
};

// ---- globs over full names (glob.c)

// A pattern as Confluent's WildcardMatcher reads it: ? one character and * any number but no dot, ** any.
struct glob {
    const uint16_t *tokens; // a character, or one of the special ones
    uint16_t token_count;
    uint16_t word_count; // of a state
    uint32_t first_word; // of its state among those of all globs
};
// glob_create: false if it has more than GLOB_TOKENS_MAX tokens.
bool glob_create(struct str pattern, struct arena *arena, struct glob *ret);
// A state is where in the pattern one may be: word_count words.
void glob_start(const struct glob *glob, uint64_t *state);
void glob_step(const struct glob *glob, uint64_t *state, struct str text);
bool glob_accepts(const struct glob *glob, const uint64_t *state);
bool tag_glob_match(const struct glob *glob, struct str text);

// ---- rules (rules.c)

enum rule_type {
    RULE_CEL,       // on a message
    RULE_CEL_FIELD, // on each primitive field
    RULE_CHECK,     // inside of the schema, on a record or field
};

// Which kinds of value a field rule or check may meet: for telling, when it is bound, that it cannot hold.
enum value_kind { KIND_OTHER, KIND_STRING, KIND_BYTES, KIND_INT, KIND_DOUBLE, KIND_BOOL, KIND_COUNT };

// A compiled expression.
struct code {
    struct cel_program *program; // NULL: there is none
    uint32_t first_slot;         // of its static paths among the contract's
    bool has_slots;
};

struct rule {
    enum rule_type type;
    struct str name;
    struct str expr;
    struct str reason; // told when it does not hold
    struct str subject;
    struct str letter_topic;         // NULL ptr: none of its own
    enum contract_action on_failure; // CONTRACT_PASS: the topic's setting
    enum contract_action on_success; // CONTRACT_PASS: nothing
    enum cel_regex regex;
    bool has_unsigned;
    bool has_guard;
    bool is_left;       // to the clients: it reads what they encrypt
    bool is_left_some;  // CEL_FIELD and CHECK: likewise on a field of these, which was remarked
    bool may_be_either; // JSON's numbers: integers or not
    uint32_t kinds;     // bits of enum value_kind
    uint32_t part;
    const struct str *tags;
    uint32_t tag_count;
    struct str sample; // CEL_FIELD: a field that it applies to; CHECK: its place
    bool is_of_root;   // CHECK: `this` is the whole message
    struct code guard;
    struct code body;
};

// Which fields clients encrypt: rules of type ENCRYPT.
struct encryption {
    const struct str *tags; // none: all strings and bytes
    uint32_t tag_count;
};

// What is known of one schema with rules.
struct part {
    const struct contract_part *source; // while compiling
    struct str subject;
    const struct json_value *properties; // of the metadata
    struct rule **rules;                 // in their order
    uint32_t rule_count;
    const struct encryption *encryptions;
    uint32_t encryption_count;
    struct glob *globs;
    const struct json_value **glob_tags; // parallel: lists of strings
    uint32_t glob_count;
};

// ---- places (places.c)

struct place;

// A CEL_FIELD rule where it applies.
struct field_rule {
    const struct rule *rule;
    struct cel_value tags; // of the field, as the rule's part has them
};

struct place_field {
    struct str name;
    struct site written;  // while compiling
    struct str full_name; // NULL ptr: it is the way to it (JSON)
    struct place *place;
    struct field_rule *rules; // for primitive values of the field, alone or within lists and maps
    struct rule **checks;
    uint32_t rule_count;
    uint32_t check_count;
    bool is_zero_if_absent;
    bool is_encrypted;
};

struct place_branch {
    struct site site;
    struct place *place;
    struct program *program; // of SITE_ONE and SITE_ANY; held
    enum site_choice choice;
};

struct place {
    struct site site;
    enum site_kind kind;
    bool is_needed; // a rule applies here or below
    uint32_t field_count;
    uint32_t branch_count;
    uint32_t check_count;
    uint32_t value_rule_count;
    uint32_t value_kinds; // bits, of primitive values here, through lists, maps and branches
    struct place_field *fields;
    struct place_branch *branches;
    struct place *item;
    struct rule **checks;      // on the record
    struct rule **value_rules; // CEL rules of a part whose message this is
    // While compiling.
    uint64_t parts; // active ones: a bit each
    uint64_t *states;
    struct map_node node;
    struct place *next;
};

struct contract {
    atomic_uint ref_count;
    struct arena arena;
    enum contract_level level;
    bool is_opaque; // clients encrypt the payload as a whole
    struct schema *schema;
    struct program *types;   // the sites' program
    struct program *program; // checks payloads, and finds the static paths
    struct cel_types *names; // messages and enums that expressions may name; NULL: not Protobuf
    struct part *parts;      // the first is the schema's own
    uint32_t part_count;
    struct place *places; // the first is the root
    struct rule **message_rules;
    uint32_t message_rule_count;
    const char **remarks;
    uint32_t remark_count;
    struct str *letter_topics;
    uint32_t letter_topic_count;
    size_t slot_count;
    struct rule **rules; // all
    uint32_t rule_count;
};

// ---- compiling

struct compile {
    struct contract *contract;
    struct arena *arena; // the contract's
    struct error *e;
    enum err err; // the first error; `e` has its text
    uint32_t state_words;
    uint32_t place_count;
    struct map places;
    struct map checks;
    struct place *last_place;
    struct program_path *paths;
    size_t path_count;
    size_t branch_memory;
    struct site *loose; // fields that clients encrypt, as they are written; owned
    size_t loose_count;
    size_t loose_cap;
};

// bind_fail notes the first error. Returns false.
bool bind_fail(struct compile *c, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void bind_remark(struct compile *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
// rule_add makes a rule of the contract; NULL if there are too many.
struct rule *rule_add(struct compile *c, enum rule_type type);

// rules_read reads the rule set and metadata of a part; what is not for a broker becomes a remark.
bool rules_read(struct compile *c, uint32_t part, const struct contract_part *source);
// places_build makes the places and finds which rules apply where.
bool places_build(struct compile *c);
// rules_compile compiles every rule for the kinds of value that it meets.
bool rules_compile(struct compile *c);

// ---- judging (judge.c, walk.c)

struct judge {
    const struct contract *contract;
    struct contract_run *run;
    struct contract_verdict *verdict;
    const struct view *slots;
    uint64_t limit; // of the record
    uint64_t steps; // left of it
    bool is_spent;
};

// The way to a value, from the root: frames on the stack.
struct way {
    const struct way *up;
    struct str name; // of a field; NULL ptr: an item, or with index -1 an entry of a map
    int64_t index;
};

// The field that a primitive value belongs to.
struct field_context {
    const struct place_field *field;
    const struct view *record;
    const struct way *way;
    bool is_within; // a list or map
};

// way_print writes "$.items[2].price". Keys of maps are payload: they are left out.
struct str way_print(const struct way *way, struct arena *arena);
// judge_spend takes steps; false: there are none left, which is a finding.
bool judge_spend(struct judge *j, uint64_t steps);
void judge_find(struct judge *j, const struct rule *rule, const struct way *way, const struct view *view,
                struct str reason);
void judge_succeed(struct judge *j, const struct rule *rule, const struct way *way);

// rule_run evaluates guard and body. The values of its variables are `values`.
enum rule_answer { RULE_HOLDS, RULE_FAILS, RULE_BREAKS };
enum rule_answer rule_run(struct judge *j, const struct rule *rule, const struct cel_value *values,
                          struct str *ret_reason);
void judge_walk(struct judge *j, const struct view *root);

#endif
