// SPDX-License-Identifier: Apache-2.0
// run_private.h - the state of one check of one payload: on the caller's stack, heap only for what is
// unusual.
#ifndef FORMAT_JSON_RUN_PRIVATE_H
#define FORMAT_JSON_RUN_PRIVATE_H

#include "format/json/node_private.h"

enum {
    EVAL_DEPTH_MAX = 1200, // nodes within each other, of values and in place
    STEPS_MIN = 1 << 21,   // nodes, members and items visited, and
    STEPS_PER_BYTE = 32,   // as many for each byte of the payload
    STEP_COST = 4,         // each, in steps of who limits them, ...
    STEP_COST_FAST = 1,    // ... and where it is the fast pass that takes it
    MEMO_AFTER_STEPS = 1 << 16,
    MEMO_SLOTS = 1 << 16,
    MARK_WORDS = 4,
};

struct path_step {
    struct str key; // NULL ptr: an item
    uint32_t index;
    bool is_data; // a key that is none of the schema's names
};

// Which members or items of a value some keyword has evaluated (unevaluated*). A zeroed one is empty.
struct marks {
    uint64_t few[MARK_WORDS];
    uint64_t *many;      // beyond
    uint32_t word_count; // of `many`
    bool is_all;
};

// Where a value begins, and how many objects and arrays are open around it.
struct span {
    size_t pos;
    uint32_t depth;
};

struct memo_slot {
    const struct jnode *node;
    size_t pos;
    size_t end; // 0: the value does not hold
};

struct run {
    struct json_scan scan;
    struct program_fault *fault; // NULL: nobody asks
    bool has_fault;
    bool is_quiet; // a branch may fail
    bool is_explaining;
    bool is_malformed;
    bool is_given_up;
    uint32_t depth;
    uint32_t path_count; // steps of `path` that are set
    uint64_t steps;
    uint64_t steps_max;
    uint64_t steps_before; // of what is finished
    int64_t regex_budget;
    int64_t regex_most; // what it began with
    struct buf key;     // of the member at hand, if it has escapes
    struct buf text;    // of the string at hand, if it has escapes
    struct memo_slot *memo;
    struct path_step path[PAYLOAD_DEPTH_MAX + 1];
};

// run_init: nothing has been read yet. `r` need not be cleared: what is read of `path` is what path_count
// says. steps: what may be spent, beyond a step per byte; NULL: no more than the limits above.
void run_init(struct run *r, struct bytes payload, const int64_t *steps, struct program_fault *fault);
// run_spend takes what the run has spent.
void run_spend(const struct run *r, int64_t *steps);
void run_fini(struct run *r);

extern const uint8_t token_types[]; // TYPE_ bits by enum json_token

// eval judges the value whose first token is `t`. true: it holds, and the scanner is behind it. `marks` (may
// be NULL) gets what was evaluated of it.
bool eval(struct run *r, const struct jnode *node, enum json_token t, struct marks *marks);
bool eval_array(struct run *r, const struct array_check *check, struct span start, struct marks *marks);
bool eval_object(struct run *r, const struct object_check *check, struct span start, struct marks *marks);
// `end`: behind the value; 0 if it has not been read yet.
bool eval_in_place(struct run *r, const struct jnode *node, enum json_token t, struct span start, size_t end,
                   struct marks *marks);
bool eval_unevaluated(struct run *r, const struct jnode *node, struct span start, const struct marks *marks);
// eval_again goes back to the value and judges it by another node.
bool eval_again(struct run *r, const struct jnode *node, struct span start, struct marks *marks);
// eval_quietly does not report why it fails.
bool eval_quietly(struct run *r, const struct jnode *node, struct span start, struct marks *marks);

static inline bool run_step(struct run *r) // false: the budget is spent
{
    if (++r->steps > r->steps_max) {
        r->is_given_up = true;
    }
    return !r->is_given_up && !r->is_malformed;
}
// steps_take takes from *steps, down to 0, what a payload of `len` bytes cost beyond a step per byte:
// `taken` of `cost` each.
static inline void steps_take(int64_t *steps, uint64_t taken, int64_t cost, size_t len, int64_t regex)
{
    int64_t beyond = (taken > len ? (int64_t)(taken - len) * cost : 0) + regex;
    *steps = beyond < *steps ? *steps - beyond : 0;
}
// run_fault notes the first reason, unless the run is quiet. Returns false.
bool run_fault(struct run *r, size_t pos, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool run_malformed(struct run *r); // the scanner met an error
static inline struct span run_span(const struct run *r, enum json_token t)
{
    bool is_open = t == JSON_TOKEN_OBJECT_BEGIN || t == JSON_TOKEN_ARRAY_BEGIN;
    return (struct span){r->scan.token_pos, r->scan.depth - is_open};
}
// run_restart goes to a value and reads its first token; run_after goes behind a value.
enum json_token run_restart(struct run *r, struct span span);
void run_after(struct run *r, size_t end, uint32_t depth);

void marks_set(struct marks *m, uint32_t index);
bool marks_has(const struct marks *m, uint32_t index);
void marks_merge(struct marks *to, const struct marks *from);
void marks_fini(struct marks *m);

// value_equal compares the value whose first token was read with a tree; the scanner is behind it only if it
// is equal.
bool value_equal(struct run *r, struct json_scan *s, enum json_token t, const struct json_value *value);
bool value_set_has_string(const struct value_set *set, struct str text);
bool value_set_has_number(const struct value_set *set, struct str raw);
bool value_in_set(struct run *r, const struct value_set *set, enum json_token t);
// names_unique reads the payload from its beginning. false: an object has a member twice, and the fault is
// told; or the steps are spent. Of what is malformed, the rest is not looked at.
bool names_unique(struct run *r, const struct jprogram *program);
// items_unique judges the array that begins at `start`; the scanner ends behind it.
bool items_unique(struct run *r, struct span start);

// string_of gives what a KEY or STRING stands for; `scratch` holds it if it has escapes.
static inline struct str string_of(const struct json_scan *s, struct buf *scratch)
{
    if (!s->has_escape) {
        return s->raw;
    }
    buf_reset(scratch);
    json_unescape(s->raw, scratch);
    return scratch->len == 0 ? STR("") : buf_str(scratch);
}

#endif
