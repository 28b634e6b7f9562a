// SPDX-License-Identifier: Apache-2.0
// states.c - all places at once. A state is the set of places before assertions are judged, and the kind of
// the character before them; what may follow is known with the next character's class. Small automata become
// a table when the pattern is compiled, so that matching shares nothing that changes.
#include "regex/regex_private.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

enum {
    STATE_ACCEPT = 0,
    STATE_FIRST = 1,
    STATES_MAX = 1024,
    CELLS_MAX = 1 << 15,       // of a table: 64 KiB
    BUILD_STEPS_MAX = 1 << 17, // places visited: a few milliseconds
    POOL_MAX = 1 << 18,        // places of all states
};

// A set of places that forgets in O(1).
struct places {
    uint32_t *dense;
    uint32_t *sparse;
    uint32_t count;
};

struct walk {
    const struct regex *regex;
    struct places now;    // before assertions
    struct places closed; // behind them
    uint32_t *stack;
    uint64_t steps;
};

static void walk_init(struct walk *w, const struct regex *regex)
{
    size_t n = regex->inst_count;
    *w = (struct walk){.regex = regex};
    uint32_t *memory = mem_array(5 * n + 1, sizeof *memory);
    w->now = (struct places){memory, memory + n, 0};
    w->closed = (struct places){memory + 2 * n, memory + 3 * n, 0};
    w->stack = memory + 4 * n;
}

static void walk_fini(struct walk *w)
{
    mem_free(w->now.dense);
}

static bool places_add(struct places *p, uint32_t place)
{
    uint32_t at = p->sparse[place];
    if (at < p->count && p->dense[at] == place) {
        return false;
    }
    p->sparse[place] = p->count;
    p->dense[p->count++] = place;
    return true;
}

bool regex_assert_holds(enum assert_kind kind, enum char_kind before, enum char_kind after)
{
    switch (kind) {
    case ASSERT_TEXT_BEGIN:
        return before == CHAR_EDGE;
    case ASSERT_TEXT_END:
        return after == CHAR_EDGE;
    case ASSERT_LINE_BEGIN:
        return before == CHAR_EDGE || before == CHAR_NEWLINE;
    case ASSERT_LINE_END:
        return after == CHAR_EDGE || after == CHAR_NEWLINE;
    case ASSERT_WORD_EDGE:
        return (before == CHAR_WORD) != (after == CHAR_WORD);
    case ASSERT_NO_WORD_EDGE:
        return (before == CHAR_WORD) == (after == CHAR_WORD);
    }
    UNREACHABLE("an assert_kind");
}

// walk_close follows all that takes no character. true: a match.
static bool walk_close(struct walk *w, enum char_kind before, enum char_kind after)
{
    const struct regex_inst *insts = w->regex->insts;
    w->closed.count = 0;
    for (uint32_t i = 0; i < w->now.count; i++) {
        // Each place is on the stack at most once: it is added to `closed` when it is pushed.
        uint32_t depth = 0;
        if (places_add(&w->closed, w->now.dense[i])) {
            w->stack[depth++] = w->now.dense[i];
        }
        while (depth > 0) {
            uint32_t place = w->stack[--depth];
            const struct regex_inst *inst = &insts[place];
            w->steps++;
            switch ((enum inst_kind)inst->kind) {
            case INST_MATCH:
                return true;
            case INST_SPLIT:
                if (places_add(&w->closed, inst->y)) {
                    w->stack[depth++] = inst->y;
                }
                __attribute__((fallthrough));
            case INST_JUMP:
                if (places_add(&w->closed, inst->x)) {
                    w->stack[depth++] = inst->x;
                }
                break;
            case INST_ASSERT:
                if (regex_assert_holds(inst->assert_kind, before, after) &&
                    places_add(&w->closed, place + 1)) {
                    w->stack[depth++] = place + 1;
                }
                break;
            default: // INST_SET waits for its character
                break;
            }
        }
    }
    return false;
}

// walk_step takes a character of the class from all closed places.
static void walk_step(struct walk *w, uint32_t class)
{
    w->now.count = 0;
    for (uint32_t i = 0; i < w->closed.count; i++) {
        const struct regex_inst *inst = &w->regex->insts[w->closed.dense[i]];
        if (inst->kind == INST_SET && regex_set_has(w->regex, inst->x, class)) {
            places_add(&w->now, w->closed.dense[i] + 1);
        }
    }
    places_add(&w->now, 0); // a match may begin anywhere
}

// ---- the table

struct state {
    uint32_t first; // of its places in the pool
    uint32_t count;
    uint8_t before;
};

struct build {
    struct walk walk;
    struct state states[STATES_MAX];
    uint32_t count;
    uint32_t pool_count;
    uint32_t pool_cap;
    uint32_t *pool;
    uint16_t slots[STATES_MAX * 2]; // by hash; 0 is empty
};

static int place_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

// build_state finds or adds the state of the places `now`; UINT16_MAX if there are too many.
static uint16_t build_state(struct build *b, uint8_t before)
{
    struct places *now = &b->walk.now;
    qsort(now->dense, now->count, sizeof *now->dense, place_compare);
    size_t bytes = now->count * sizeof *now->dense;
    uint64_t slot = hash64(bytes_of(now->dense, bytes), before);
    for (;; slot++) {
        uint16_t *at = &b->slots[slot % (STATES_MAX * 2)];
        if (*at == 0) {
            if (b->count == STATES_MAX || b->pool_count + now->count > POOL_MAX) {
                return UINT16_MAX;
            }
            *at = (uint16_t)b->count;
            break;
        }
        const struct state *s = &b->states[*at];
        if (s->before == before && s->count == now->count &&
            memcmp(b->pool + s->first, now->dense, bytes) == 0) {
            return *at;
        }
    }
    if (b->pool_count + now->count > b->pool_cap) {
        b->pool_cap = (b->pool_count + now->count) * 2 + 64;
        b->pool = mem_realloc(b->pool, b->pool_cap * sizeof *b->pool);
    }
    memcpy(b->pool + b->pool_count, now->dense, bytes);
    b->states[b->count] = (struct state){b->pool_count, now->count, before};
    b->pool_count += now->count;
    return (uint16_t)b->count++;
}

static void build_load(struct build *b, const struct state *s)
{
    b->walk.now.count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        places_add(&b->walk.now, b->pool[s->first + i]);
    }
}

// build_row fills a state's row; false if the table gets too large.
static bool build_row(struct build *b, struct regex *r, uint32_t index)
{
    struct state s = b->states[index];
    build_load(b, &s);
    r->accepts_at_end[index] = walk_close(&b->walk, s.before, CHAR_EDGE);
    for (uint32_t column = 0; column < r->class_count; column++) {
        build_load(b, &s);
        uint16_t next = STATE_ACCEPT;
        uint8_t kind = r->class_kinds[column];
        if (!walk_close(&b->walk, s.before, kind)) {
            walk_step(&b->walk, column);
            next = build_state(b, kind);
        }
        if (next == UINT16_MAX || b->walk.steps > BUILD_STEPS_MAX ||
            (size_t)b->count * r->class_count > CELLS_MAX) {
            return false;
        }
        r->states[(size_t)index * r->class_count + column] = next;
    }
    return true;
}

// row_room makes room for a row of the table.
static void row_room(struct regex *r, uint32_t index, uint32_t *rows)
{
    if (index >= *rows) {
        *rows = *rows * 2 + 8;
        r->states = mem_realloc(r->states, (size_t)*rows * r->class_count * sizeof *r->states);
        r->accepts_at_end = mem_realloc(r->accepts_at_end, *rows);
    }
}

void regex_build_states(struct regex *r)
{
    struct build *b = mem_zalloc(sizeof *b);
    uint32_t rows = 0;
    walk_init(&b->walk, r);
    row_room(r, 0, &rows);
    b->count = STATE_FIRST;
    places_add(&b->walk.now, 0);
    bool is_small = build_state(b, CHAR_EDGE) == STATE_FIRST;
    for (uint32_t i = STATE_FIRST; i < b->count && is_small; i++) {
        row_room(r, i, &rows);
        is_small = build_row(b, r, i);
    }
    if (is_small) {
        for (uint32_t column = 0; column < r->class_count; column++) {
            r->states[column] = STATE_ACCEPT;
        }
        r->accepts_at_end[STATE_ACCEPT] = 1;
        r->state_count = b->count;
        // Where the next row begins spares a multiplication for each character; CELLS_MAX leaves it 16 bits.
        for (size_t i = 0; i < (size_t)b->count * r->class_count; i++) {
            r->states[i] = (uint16_t)(r->states[i] * r->class_count);
        }
        r->states = mem_realloc(r->states, (size_t)b->count * r->class_count * sizeof *r->states);
        r->accepts_at_end = mem_realloc(r->accepts_at_end, b->count);
    } else {
        mem_free(r->states);
        mem_free(r->accepts_at_end);
        r->states = NULL;
        r->accepts_at_end = NULL;
    }
    r->work += b->walk.steps;
    walk_fini(&b->walk);
    mem_free(b->pool);
    mem_free(b);
}

enum regex_result regex_search_states(const struct regex *regex, struct str text)
{
    const uint16_t *states = regex->states;
    uint32_t row = STATE_FIRST * regex->class_count;
    const char *p = text.ptr;
    const char *end = p + text.len;
    while (p < end && row != STATE_ACCEPT) {
        uint8_t c = (uint8_t)*p;
        uint32_t class;
        if (c < 128) {
            class = regex->ascii[c];
            p++;
        } else {
            struct str rest = {p, (size_t)(end - p)};
            class = regex_class_of(regex, utf8_decode(&rest));
            p = rest.ptr;
        }
        row = states[row + class];
    }
    return regex->accepts_at_end[row / regex->class_count] ? REGEX_YES : REGEX_NO;
}

enum regex_result regex_search_places(const struct regex *regex, struct str text, int64_t *budget)
{
    struct walk w;
    *budget -= regex->inst_count / REGEX_BYTES_PER_STEP; // of the sets
    walk_init(&w, regex);
    places_add(&w.now, 0);
    enum char_kind before = CHAR_EDGE;
    enum regex_result result = REGEX_NO;
    while (result == REGEX_NO) {
        uint32_t class = 0;
        enum char_kind after = CHAR_EDGE;
        bool is_end = text.len == 0;
        if (!is_end) {
            class = regex_class_of(regex, utf8_decode(&text));
            after = regex->class_kinds[class];
        }
        w.steps = 1;
        if (walk_close(&w, before, after)) {
            result = REGEX_YES;
        } else if (is_end) {
            break;
        } else {
            walk_step(&w, class);
            before = after;
        }
        *budget -= (int64_t)w.steps;
        if (result == REGEX_NO && *budget < 0) {
            result = REGEX_GIVEN_UP;
        }
    }
    walk_fini(&w);
    return result;
}
