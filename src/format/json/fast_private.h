// SPDX-License-Identifier: Apache-2.0
// fast_private.h - the state of a pass of fast.c over a payload.
#ifndef FORMAT_JSON_FAST_PRIVATE_H
#define FORMAT_JSON_FAST_PRIVATE_H

#include "format/json/run_private.h"
#include "json/lex.h"

enum {
    FAST_COPY_BYTES = 16 << 10, // payloads up to this are copied to the stack
    FAST_NEST_MAX = 800,        // calls within each other
    FAST_STEPS_MIN = 1 << 12,   // members, items and branches judged, and
    FAST_STEPS_PER_BYTE = 8,    // as many for each byte; check.c remembers what it judged, this pass does not
    FAST_WORDS = 4,             // of known names of an object
    FAST_PEEK_MEMBERS = 8,      // looked through for what tells branches apart
    FAST_UNIQUE_ITEMS = 64,     // of an array whose items are told apart by their bytes
    FAST_NAMES = 32,            // of an object, that the schema does not know: more are compared later
    FAST_NAME_BITS = 256,       // by hash
    FAST_ENDS = 64,             // ends of objects and arrays that are remembered
};

// Where the value of a slot lies; begin NULL: it is absent.
struct fast_mark {
    const char *begin;
    const char *end;
};

struct fast {
    const char *text; // the payload, with LEX_PAD zeros behind it
    size_t len;
    struct bytes payload; // as it came
    bool is_ascii;
    bool is_unsure;    // something could not be judged: what failed may hold
    bool is_run_ready; // `run`
    bool lost_slots;   // check.c read what slots lie in
    bool is_twice;     // a member's name: nothing holds
    bool owes_names;   // there are names that this pass did not compare
    uint32_t depth;    // open objects and arrays
    uint32_t nest;
    const int64_t *limit; // the caller's, of steps; NULL: none
    uint64_t steps_most;
    uint64_t steps; // left of them
    int64_t regex_most;
    int64_t regex_budget; // left of it
    uint32_t slot;        // of the value judged next; NO_SLOT: none
    // Of the objects and arrays read last, by their place: who only wants to pass over one that a branch has
    // read.
    const char *ends[FAST_ENDS][2];
    const struct slots *slots;
    struct fast_mark *marks;
    struct buf text_scratch; // of a string with escapes
    struct run *run;         // for check.c's part
};
#define NO_SLOT UINT32_MAX

// fast_value judges the value at `p`. Returns what is behind it; NULL: it does not hold, or is_unsure is set.
const char *fast_value(struct fast *f, const struct jnode *node, const char *p);
const char *fast_in_place(struct fast *f, const struct jnode *node, const char *p);
const char *fast_plain(struct fast *f, const struct jnode *node, const char *p);
const char *fast_object(struct fast *f, const struct jnode *node, const char *p);
const char *fast_array(struct fast *f, const struct jnode *node, const char *p);
// fast_skip passes over a value of which nothing is asked but that it is JSON.
const char *fast_skip(struct fast *f, const char *p);
// fast_slow leaves a value to check.c.
const char *fast_slow(struct fast *f, const struct jnode *node, const char *p);
bool fast_items_unique(struct fast *f, const char *p);
const char *fast_give_up(struct fast *f); // NULL
const char *fast_twice(struct fast *f);   // NULL

// The names of an object's members that the schema does not know. A zeroed `bits` and count are ready.
struct fast_names {
    uint64_t bits[FAST_NAME_BITS / 64]; // by hash: there may be one
    uint32_t count;
    const char *begins[FAST_NAMES];
};

static inline void fast_names_init(struct fast_names *names)
{
    memset(names->bits, 0, sizeof names->bits);
    names->count = 0;
}

// fast_name_is_new adds the name from `begin` to its quote. false: it is there already.
static inline bool fast_name_is_new(struct fast *f, struct fast_names *names, const char *begin,
                                    const char *end, bool has_escape)
{
    size_t len = (size_t)(end - begin);
    if (has_escape || names->count == FAST_NAMES) {
        f->owes_names = true;
        return true;
    }
    uint32_t bit = (uint32_t)(property_hash(begin, len) % FAST_NAME_BITS);
    uint64_t *word = &names->bits[bit / 64];
    if (__builtin_expect((*word >> (bit % 64) & 1) != 0, 0)) {
        // Up to its quote: no name that is written without escapes goes on behind one.
        for (uint32_t i = 0; i < names->count; i++) {
            if (memcmp(names->begins[i], begin, len + 1) == 0) {
                return false;
            }
        }
    }
    *word |= (uint64_t)1 << (bit % 64);
    names->begins[names->count++] = begin;
    return true;
}

static inline struct str fast_text(struct fast *f, const char *begin, const char *end, bool has_escape)
{
    struct str raw = {begin, (size_t)(end - begin)};
    if (!has_escape) {
        return raw;
    }
    buf_reset(&f->text_scratch);
    json_unescape(raw, &f->text_scratch);
    return f->text_scratch.len == 0 ? STR("") : buf_str(&f->text_scratch);
}

static inline bool key_equal_at(const struct key *key, const char *p)
{
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)key->bytes);
    return ((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) & key->mask) == key->mask;
#else
    uint32_t count = (uint32_t)__builtin_popcount(key->mask);
    return memcmp(p, key->bytes, count) == 0;
#endif
}

// Whether a path leads into the value judged next.
static inline bool fast_has_slots(const struct fast *f)
{
    return f->slot != NO_SLOT && f->slots->slots[f->slot].first != 0;
}

static inline const char **fast_end(struct fast *f, const char *p)
{
    return f->ends[(uintptr_t)p % FAST_ENDS];
}

static inline void fast_note_end(struct fast *f, const char *p, const char *end)
{
    const char **known = fast_end(f, p);
    known[0] = p;
    known[1] = end;
}

static inline bool fast_step(struct fast *f)
{
    if (__builtin_expect(f->steps-- == 0, 0)) {
        f->steps = 0;
        fast_give_up(f);
        return false;
    }
    return !f->is_unsure;
}

#endif
