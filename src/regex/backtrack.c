// SPDX-License-Identifier: Apache-2.0
// backtrack.c - one path after another, for lookaround and back references. A pair of place and position that
// has failed is never tried again (unless a back reference makes paths differ), and every step is counted.
#include "regex/regex_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum {
    TASKS_MAX = 1 << 16,
    VISITED_WORDS_MAX = 1 << 17, // 1 MiB
    VISITED_INLINE = 256,
    LOOKS_MAX = 32, // lookaround within lookaround, at run time
    NO_POSITION = -1,
};

// A path that waits, or a slot to be set back (place has the top bit).
struct task {
    uint32_t place;
    int32_t position;
};
enum { TASK_RESTORE = 1 << 30 };

struct search {
    const struct regex *regex;
    struct str text;
    int64_t *budget;
    struct task *tasks;
    uint32_t task_count;
    uint32_t task_cap;
    int32_t *slots;
    uint64_t *visited; // NULL: not kept
    uint32_t *trail;   // what was visited within a look: forgotten behind it
    uint32_t trail_count;
    uint32_t trail_cap;
    uint32_t looks;
    bool is_given_up;
};

static void push(struct search *s, uint32_t place, int32_t position)
{
    if (s->task_count == TASKS_MAX) {
        s->is_given_up = true;
        return;
    }
    if (s->task_count == s->task_cap) {
        s->task_cap = s->task_cap == 0 ? 64 : s->task_cap * 2;
        s->tasks = mem_realloc(s->tasks, s->task_cap * sizeof *s->tasks);
    }
    s->tasks[s->task_count++] = (struct task){place, position};
}

static void set_slot(struct search *s, uint32_t slot, int32_t position)
{
    push(s, slot | TASK_RESTORE, s->slots[slot]);
    s->slots[slot] = position;
}

// visit marks the pair; false if it has been there.
static bool visit(struct search *s, uint32_t place, int32_t position)
{
    if (s->visited == NULL) {
        return true;
    }
    size_t bit = (size_t)place * (s->text.len + 1) + (size_t)position;
    uint64_t mask = (uint64_t)1 << (bit % 64);
    if ((s->visited[bit / 64] & mask) != 0) {
        return false;
    }
    s->visited[bit / 64] |= mask;
    if (s->looks > 0) {
        if (s->trail_count == s->trail_cap) {
            s->trail_cap = s->trail_cap == 0 ? 64 : s->trail_cap * 2;
            s->trail = mem_realloc(s->trail, s->trail_cap * sizeof *s->trail);
        }
        s->trail[s->trail_count++] = (uint32_t)bit;
    }
    return true;
}

static void trail_undo(struct search *s, uint32_t count)
{
    while (s->trail_count > count) {
        uint32_t bit = s->trail[--s->trail_count];
        s->visited[bit / 64] &= ~((uint64_t)1 << (bit % 64));
    }
}

static enum char_kind kind_at(const struct search *s, int32_t position)
{
    if (position < 0 || (size_t)position >= s->text.len) {
        return CHAR_EDGE;
    }
    uint8_t c = (uint8_t)s->text.ptr[position];
    bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    return is_word ? CHAR_WORD : c == '\n' ? CHAR_NEWLINE : CHAR_OTHER;
}

static bool run(struct search *s, uint32_t place, int32_t position, int32_t wanted_end);

// looks_around tells whether what the INST_LOOK looks for is there.
static bool looks_around(struct search *s, uint32_t place, int32_t position)
{
    const struct regex_inst *inst = &s->regex->insts[place];
    if (s->looks == LOOKS_MAX) {
        s->is_given_up = true;
        return false;
    }
    uint32_t trail_count = s->trail_count;
    s->looks++;
    bool is_there = false;
    if (!inst->is_behind) {
        is_there = run(s, place + 1, position, NO_POSITION);
    } else {
        for (int32_t from = position; from >= 0 && !is_there && !s->is_given_up; from--) {
            bool is_inside = from < position && ((uint8_t)s->text.ptr[from] & 0xc0) == 0x80;
            is_there = !is_inside && run(s, place + 1, from, position);
        }
    }
    s->looks--;
    if (s->visited != NULL) {
        trail_undo(s, trail_count);
    }
    return is_there != inst->is_negative;
}

// take_char moves *position past a character of the set.
static bool take_char(struct search *s, uint32_t set, int32_t *position)
{
    if ((size_t)*position >= s->text.len) {
        return false;
    }
    struct str rest = {s->text.ptr + *position, s->text.len - (size_t)*position};
    uint32_t c = utf8_decode(&rest);
    *position = (int32_t)(rest.ptr - s->text.ptr);
    return regex_set_has(s->regex, set, regex_class_of(s->regex, c));
}

static bool take_group(struct search *s, uint32_t group, int32_t *position)
{
    int32_t from = s->slots[2 * group];
    int32_t to = s->slots[2 * group + 1];
    if (from < 0 || to < from) {
        return true; // a group that took part in nothing is empty: ECMA-262
    }
    size_t len = (size_t)(to - from);
    *s->budget -= (int64_t)(len / REGEX_BYTES_PER_STEP);
    if (s->text.len - (size_t)*position < len ||
        memcmp(s->text.ptr + from, s->text.ptr + *position, len) != 0) {
        return false;
    }
    *position += to - from;
    return true;
}

// follow takes one path to its end. true: it is a match.
static bool follow(struct search *s, uint32_t place, int32_t position, int32_t wanted_end)
{
    while (!s->is_given_up) {
        const struct regex_inst *inst = &s->regex->insts[place];
        if (--*s->budget < 0) {
            s->is_given_up = true;
            return false;
        }
        if (!visit(s, place, position)) {
            return false;
        }
        switch ((enum inst_kind)inst->kind) {
        case INST_MATCH:
            return true;
        case INST_LOOK_END:
            return wanted_end == NO_POSITION || position == wanted_end;
        case INST_SET:
            if (!take_char(s, inst->x, &position)) {
                return false;
            }
            break;
        case INST_SPLIT:
            push(s, inst->y, position);
            place = inst->x;
            continue;
        case INST_JUMP:
            place = inst->x;
            continue;
        case INST_ASSERT:
            if (!regex_assert_holds(inst->assert_kind, kind_at(s, position - 1), kind_at(s, position))) {
                return false;
            }
            break;
        case INST_LOOK:
            if (!looks_around(s, place, position)) {
                return false;
            }
            place = s->regex->insts[place].y;
            continue;
        case INST_SAVE:
        case INST_MARK:
            set_slot(s, inst->x, position);
            break;
        case INST_MOVED:
            if (s->slots[inst->x] == position) {
                return false;
            }
            break;
        case INST_BACKREF:
            if (!take_group(s, inst->x, &position)) {
                return false;
            }
            break;
        }
        place++;
    }
    return false;
}

// run tries all paths from a place. Recursion is as deep as lookaround is nested.
static bool run(struct search *s, uint32_t place, int32_t position, int32_t wanted_end)
{
    uint32_t base = s->task_count;
    push(s, place, position);
    bool is_match = false;
    while (s->task_count > base && !is_match && !s->is_given_up) {
        struct task task = s->tasks[--s->task_count];
        if ((task.place & TASK_RESTORE) != 0) {
            s->slots[task.place & ~(uint32_t)TASK_RESTORE] = task.position;
        } else {
            is_match = follow(s, task.place, task.position, wanted_end);
        }
    }
    if (!is_match) {
        return false;
    }
    // Paths are dropped, but what a lookahead captured stays, and must be set back when the path around it
    // fails.
    uint32_t kept = base;
    for (uint32_t i = base; i < s->task_count; i++) {
        if ((s->tasks[i].place & TASK_RESTORE) != 0) {
            s->tasks[kept++] = s->tasks[i];
        }
    }
    s->task_count = kept;
    return true;
}

enum regex_result regex_search_steps(const struct regex *regex, struct str text, int64_t *budget)
{
    uint64_t few[VISITED_INLINE];
    struct search s = {.regex = regex, .text = text, .budget = budget};
    if (text.len >= INT32_MAX) {
        return REGEX_GIVEN_UP;
    }
    s.slots = mem_array(regex->slot_count, sizeof *s.slots);
    for (uint32_t i = 0; i < regex->slot_count; i++) {
        s.slots[i] = NO_POSITION;
    }
    size_t words = ((size_t)regex->inst_count * (text.len + 1) + 63) / 64;
    if (!regex->has_backrefs && words <= VISITED_WORDS_MAX) {
        s.visited = words <= VISITED_INLINE ? few : mem_array(words, sizeof *s.visited);
        memset(s.visited, 0, words * sizeof *s.visited);
        *budget -= (int64_t)(words * sizeof *s.visited / REGEX_BYTES_PER_STEP);
    }
    const struct regex_inst *first = &regex->insts[0];
    bool is_anchored = first->kind == INST_ASSERT && first->assert_kind == ASSERT_TEXT_BEGIN;
    bool is_match = false;
    for (int32_t from = 0; !is_match && !s.is_given_up && (size_t)from <= text.len; from++) {
        bool is_inside = (size_t)from < text.len && ((uint8_t)text.ptr[from] & 0xc0) == 0x80;
        is_match = !is_inside && run(&s, 0, from, NO_POSITION);
        if (is_anchored) {
            break;
        }
    }
    if (s.visited != few) {
        mem_free(s.visited);
    }
    mem_free(s.trail);
    mem_free(s.tasks);
    mem_free(s.slots);
    return s.is_given_up ? REGEX_GIVEN_UP : is_match ? REGEX_YES : REGEX_NO;
}
