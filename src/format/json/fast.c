// SPDX-License-Identifier: Apache-2.0
// fast.c - whether a payload is good, in one pass over its bytes and without a word about why not: what this
// pass does not accept, check.c judges from the beginning, and explains. The bytes are copied once, so that
// zeros stand behind them (json/lex.h).
#include "format/json/fast_private.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "format/json/json_schema.h"

// What a value that begins with a character is; 0: none.
static const uint8_t char_types[256] = {
    ['"'] = TYPE_STRING,   ['{'] = TYPE_OBJECT,   ['['] = TYPE_ARRAY,    ['t'] = TYPE_BOOL,
    ['f'] = TYPE_BOOL,     ['n'] = TYPE_NULL,     ['-'] = TYPES_NUMBERS, ['0'] = TYPES_NUMBERS,
    ['1'] = TYPES_NUMBERS, ['2'] = TYPES_NUMBERS, ['3'] = TYPES_NUMBERS, ['4'] = TYPES_NUMBERS,
    ['5'] = TYPES_NUMBERS, ['6'] = TYPES_NUMBERS, ['7'] = TYPES_NUMBERS, ['8'] = TYPES_NUMBERS,
    ['9'] = TYPES_NUMBERS,
};

const char *fast_give_up(struct fast *f)
{
    f->is_unsure = true;
    return NULL;
}

const char *fast_twice(struct fast *f)
{
    f->is_twice = true;
    return fast_give_up(f);
}

// ---- scalars

static inline const char *skip_name(const char *p)
{
    static const char names[3][5] = {"true", "null", "alse"};
    uint32_t size = *p == 'f';
    const char *name = *p == 't' ? names[0] : *p == 'n' ? names[1] : names[2];
    return memcmp(p + size, name, 4) == 0 ? p + size + 4 : NULL;
}

// skip_string takes the quote's place.
static inline const char *skip_string(const char *p)
{
    bool has_escape;
    p = lex_string(p + 1, &has_escape);
    return p == NULL ? NULL : p + 1;
}

static const char *string_holds(struct fast *f, const struct string_check *check, const char *p)
{
    bool has_escape;
    const char *end = lex_string(p + 1, &has_escape);
    if (end == NULL) {
        return NULL;
    }
    struct str text = fast_text(f, p + 1, end, has_escape);
    if (check->min > 0 || check->max < INT64_MAX) {
        int64_t count = f->is_ascii && !has_escape ? (int64_t)text.len : (int64_t)utf8_count(text);
        if (count < check->min || count > check->max) {
            return NULL;
        }
    }
    if (check->pattern != NULL) {
        enum regex_result result = regex_search(check->pattern, text, &f->regex_budget);
        if (result != REGEX_YES) {
            return result == REGEX_NO ? NULL : fast_give_up(f);
        }
    }
    if (check->format == FORMAT_NONE) {
        return end + 1;
    }
    bool holds = json_format_holds(check->format, text, &f->regex_budget);
    return f->regex_budget < 0 ? fast_give_up(f) : holds ? end + 1 : NULL;
}

static const char *symbol_holds(struct fast *f, const struct value_set *set, const char *p)
{
    if (*p != '"') {
        return NULL;
    }
    uint32_t few = set->slots == NULL ? set->string_count : 0;
    for (uint32_t i = 0; i < few; i++) {
        if (key_equal_at(&set->keys[i], p + 1)) {
            return p + set->strings[i].len + 2;
        }
    }
    bool has_escape;
    const char *end = lex_string(p + 1, &has_escape);
    if (end == NULL || (few > 0 && !set->has_others && !has_escape)) {
        return NULL;
    }
    return value_set_has_string(set, fast_text(f, p + 1, end, has_escape)) ? end + 1 : NULL;
}

static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

static inline int bound_order(const struct number_bound *bound, int64_t digits, uint32_t scale)
{
    int64_t scaled = bound->small * powers[scale];
    return digits < scaled ? -1 : digits > scaled;
}

static inline bool is_near(const struct number_bound *bound, uint32_t scale)
{
    enum { BOUND_MAX = 1000000000 }; // with 8 digits behind the point it is no more than 18 digits
    return !bound->is_set ||
           (bound->is_small && (scale == 0 || (bound->small >= -BOUND_MAX && bound->small <= BOUND_MAX)));
}

enum { HALF = 8, WHOLE = 16 }; // digits

// digits_of is all digits of a number as one: up to WHOLE before the point, HALF behind it.
static inline int64_t digits_of(const struct lex_number *n)
{
    const char *low = n->whole + n->whole_count - HALF;
    uint64_t whole = n->whole_count <= HALF ? lex_number8(n->whole, n->whole_count)
                                            : lex_number8(n->whole, n->whole_count - HALF) * powers[HALF] +
                                                  lex_number8(low, HALF);
    if (n->scale > 0) {
        whole = whole * powers[n->scale] + lex_number8(n->whole + n->whole_count + 1, n->scale);
    }
    return *n->begin == '-' ? -(int64_t)whole : (int64_t)whole;
}

static const char *number_holds(struct fast *f, const struct jnode *node, const char *p)
{
    struct lex_number n;
    const char *end = lex_number(p, &n);
    const struct number_check *check = node->number;
    bool is_plain = !n.has_exponent && n.scale == 0;
    if (end == NULL || (check == NULL && ((node->types & TYPE_NUMBER) != 0 || is_plain))) {
        return end;
    }
    bool is_integer = n.scale == 0 || (node->types & TYPE_NUMBER) != 0;
    bool is_negative = *p == '-';
    if (check != NULL && is_integer && !n.has_exponent) {
        int32_t most = is_negative ? check->free_negative : check->free_positive;
        if ((int32_t)n.whole_count <= most && (is_negative || !check->needs_one || *n.whole != '0')) {
            return end;
        }
    }
    bool is_small = !n.has_exponent && n.scale <= HALF && n.whole_count + n.scale <= WHOLE;
    if (!is_small || !is_integer || check == NULL || !is_near(&check->min, n.scale) ||
        !is_near(&check->max, n.scale) ||
        (check->multiple.is_set && (n.scale > 0 || !check->multiple.is_small))) {
        return fast_slow(f, node, p); // digit by digit
    }
    int64_t digits = digits_of(&n);
    if (check->min.is_set && bound_order(&check->min, digits, n.scale) < (int)check->min.is_exclusive) {
        return NULL;
    }
    if (check->max.is_set && bound_order(&check->max, digits, n.scale) > -(int)check->max.is_exclusive) {
        return NULL;
    }
    return check->multiple.is_set && digits % check->multiple.small != 0 ? NULL : end;
}

// ---- values

const char *fast_slow(struct fast *f, const struct jnode *node, const char *p)
{
    struct run *r = f->run;
    if (!f->is_run_ready) {
        run_init(r, f->payload, f->limit, NULL);
        r->is_quiet = true;
        f->is_run_ready = true;
    }
    f->lost_slots |= fast_has_slots(f) && *p == '{';
    r->depth = f->nest;
    struct span at = {(size_t)(p - f->text), f->depth};
    bool holds = eval_quietly(r, node, at, NULL);
    if (r->is_given_up || r->is_malformed) {
        return fast_give_up(f);
    }
    if (!holds || (*p != '{' && *p != '[')) {
        return holds ? f->text + r->scan.pos : NULL;
    }
    // check.c does not compare names within a value.
    uint32_t slot = f->slot;
    f->slot = NO_SLOT;
    p = fast_skip(f, p);
    f->slot = slot;
    return p;
}

bool fast_items_unique(struct fast *f, const char *p)
{
    struct span at = {(size_t)(p - f->text), f->depth};
    if (!f->is_run_ready) {
        run_init(f->run, f->payload, f->limit, NULL);
        f->run->is_quiet = true;
        f->is_run_ready = true;
    }
    bool holds = items_unique(f->run, at);
    if (f->run->is_given_up || f->run->is_malformed) {
        fast_give_up(f);
    }
    return holds;
}

// values_hold judges by enum and const, if that is not all that is asked.
static const char *values_hold(struct fast *f, const struct jnode *node, const char *p, uint8_t type)
{
    const char *end = NULL;
    if ((type & (TYPE_ARRAY | TYPE_OBJECT)) != 0) {
        return fast_slow(f, node, p);
    }
    for (int i = 0; i < 2 && node->values[i] != NULL; i++) {
        const struct value_set *set = node->values[i];
        bool holds = false;
        if (type == TYPE_STRING) {
            end = symbol_holds(f, set, p);
            holds = end != NULL;
        } else if (type == TYPES_NUMBERS) {
            struct lex_number n;
            end = lex_number(p, &n);
            holds = end != NULL && value_set_has_number(set, (struct str){p, (size_t)(end - p)});
        } else {
            end = skip_name(p);
            holds = *p == 'n' ? (set->types & TYPE_NULL) != 0 : *p == 't' ? set->has_true : set->has_false;
        }
        if (!holds) {
            return NULL;
        }
    }
    return end;
}

const char *fast_plain(struct fast *f, const struct jnode *node, const char *p)
{
    uint8_t type = char_types[(uint8_t)*p];
    if ((node->fast_types & type) == 0) {
        return NULL;
    }
    const char *end = NULL;
    if (node->values[0] != NULL) {
        end = values_hold(f, node, p, type);
        if (end == NULL || (type & (TYPE_ARRAY | TYPE_OBJECT)) != 0) {
            return end;
        }
    }
    switch (type) {
    case TYPE_STRING:
        return node->string != NULL ? string_holds(f, node->string, p) : end != NULL ? end : skip_string(p);
    case TYPES_NUMBERS:
        return number_holds(f, node, p);
    case TYPE_OBJECT:
        return fast_object(f, node, p);
    case TYPE_ARRAY:
        return fast_array(f, node, p);
    default:
        return skip_name(p);
    }
}

const char *fast_value(struct fast *f, const struct jnode *node, const char *p)
{
    switch (node->fast) {
    case FAST_ANY:
        return fast_skip(f, p);
    case FAST_TEXT:
        return *p == '"' ? skip_string(p) : NULL;
    case FAST_STRING:
        return *p == '"' ? string_holds(f, node->string, p) : NULL;
    case FAST_SYMBOL:
        return symbol_holds(f, node->values[0], p);
    case FAST_NUMBER:
        return (char_types[(uint8_t)*p] & TYPES_NUMBERS) != 0 ? number_holds(f, node, p) : NULL;
    case FAST_OBJECT:
        return *p == '{' ? fast_object(f, node, p) : NULL;
    case FAST_ARRAY:
        return *p == '[' ? fast_array(f, node, p) : NULL;
    case FAST_PLAIN:
        return fast_plain(f, node, p);
    case FAST_IN_PLACE:
        return (node->fast_types & char_types[(uint8_t)*p]) != 0 ? fast_in_place(f, node, p) : NULL;
    case FAST_SLOW:
        break;
    }
    return fast_slow(f, node, p);
}

// ---- values of which nothing is asked

static const char *skip_members(struct fast *f, const char *p)
{
    struct fast_names names __attribute__((uninitialized)); // `begins` as far as `count` says
    bool has_escape;
    fast_names_init(&names);
    p = lex_space(p + 1);
    if (*p == '}') {
        return p + 1;
    }
    for (;;) {
        const char *end = *p == '"' ? lex_string(p + 1, &has_escape) : NULL;
        if (end == NULL) {
            return NULL;
        }
        if (!fast_name_is_new(f, &names, p + 1, end, has_escape)) {
            return fast_twice(f);
        }
        p = lex_space(end + 1);
        if (*p != ':') {
            return NULL;
        }
        p = fast_skip(f, lex_space(p + 1));
        if (p == NULL) {
            return NULL;
        }
        p = lex_space(p);
        if (*p == '}') {
            return p + 1;
        }
        if (*p != ',') {
            return NULL;
        }
        p = lex_space(p + 1);
    }
}

static const char *skip_items(struct fast *f, const char *p)
{
    p = lex_space(p + 1);
    if (*p == ']') {
        return p + 1;
    }
    for (;;) {
        p = fast_skip(f, p);
        if (p == NULL) {
            return NULL;
        }
        p = lex_space(p);
        if (*p == ']') {
            return p + 1;
        }
        if (*p != ',') {
            return NULL;
        }
        p = lex_space(p + 1);
    }
}

const char *fast_skip(struct fast *f, const char *p)
{
    struct lex_number n;
    switch (char_types[(uint8_t)*p]) {
    case TYPE_STRING:
        return skip_string(p);
    case TYPES_NUMBERS:
        return lex_number(p, &n);
    case TYPE_BOOL:
    case TYPE_NULL:
        return skip_name(p);
    case TYPE_OBJECT:
    case TYPE_ARRAY:
        break;
    default:
        return NULL;
    }
    if (f->depth == PAYLOAD_DEPTH_MAX || f->nest == FAST_NEST_MAX) {
        return fast_give_up(f);
    }
    if (fast_has_slots(f) && *p == '{') {
        static const struct jnode anything = {.types = TYPES_ALL, .fast_types = TYPES_ALL};
        return fast_object(f, &anything, p);
    }
    if (fast_end(f, p)[0] == p) {
        return fast_end(f, p)[1];
    }
    uint32_t slot = f->slot;
    f->slot = NO_SLOT;
    f->depth++;
    f->nest++;
    const char *end = *p == '{' ? skip_members(f, p) : skip_items(f, p);
    f->depth--;
    f->nest--;
    f->slot = slot;
    if (end != NULL) {
        fast_note_end(f, p, end);
    }
    return end;
}

// ---- the whole

// copy copies the payload and tells whether all of it is ASCII.
static bool copy(char *to, struct bytes from)
{
    uint64_t high = 0;
    size_t i = 0;
    for (; i + 16 <= from.len; i += 16) {
        uint64_t words[2];
        memcpy(words, from.ptr + i, sizeof words);
        memcpy(to + i, words, sizeof words);
        high |= words[0] | words[1];
    }
    for (; i < from.len; i++) {
        to[i] = (char)from.ptr[i];
        high |= from.ptr[i];
    }
    memset(to + from.len, 0, LEX_PAD);
    return (high & 0x8080808080808080) == 0;
}

static void make_views(const struct fast *f, const struct program *program, struct view *views)
{
    for (uint32_t i = 0; i < f->slots->count; i++) {
        uint32_t view = f->slots->slots[i].view;
        if (view == SLOT_INNER) {
            continue;
        }
        if (f->marks[i].begin == NULL) {
            views[view] = (struct view){0};
        } else {
            size_t begin = (size_t)(f->marks[i].begin - f->text);
            size_t end = (size_t)(f->marks[i].end - f->text);
            jschema_view_at(program, f->payload, begin, end, &views[view]);
        }
    }
}

// names_differ compares the names that the pass did not.
static bool names_differ(struct fast *f, const struct jprogram *program)
{
    if (!f->is_run_ready) {
        run_init(f->run, f->payload, f->limit, NULL);
        f->is_run_ready = true;
    }
    json_scan_seek(&f->run->scan, 0, 0, true);
    f->run->steps_before += f->run->steps;
    f->run->steps = 0;
    f->is_twice = !names_unique(f->run, program) && !f->run->is_given_up;
    f->is_unsure |= f->run->is_given_up;
    return !f->is_twice && !f->is_unsure;
}

// limits_set gives the pass what it may spend; limits_take takes what it, or check.c for it, has spent.
static void limits_set(struct fast *f, const int64_t *steps)
{
    f->limit = steps;
    f->steps_most = FAST_STEPS_MIN + (uint64_t)f->len * FAST_STEPS_PER_BYTE;
    f->regex_most = REGEX_BUDGET;
    if (steps != NULL) {
        uint64_t most = (uint64_t)*steps / STEP_COST_FAST + f->len;
        f->steps_most = most < f->steps_most ? most : f->steps_most;
        f->regex_most = *steps < REGEX_BUDGET ? *steps : REGEX_BUDGET;
    }
    f->steps = f->steps_most;
    f->regex_budget = f->regex_most;
}

static void limits_take(struct fast *f, int64_t *steps)
{
    if (steps == NULL) {
        return;
    }
    if (f->is_run_ready) {
        run_spend(f->run, steps);
    }
    steps_take(steps, f->steps_most - f->steps, STEP_COST_FAST, f->len, f->regex_most - f->regex_budget);
}

static enum fast_verdict judge(struct fast *f, const struct jprogram *program, struct view *views,
                               int64_t *steps)
{
    struct run run __attribute__((uninitialized)); // run_init's, if at all
    struct fast_mark marks[SLOTS_MAX] __attribute__((uninitialized));
    f->run = &run;
    limits_set(f, steps);
    f->slot = NO_SLOT;
    f->marks = marks;
    buf_init(&f->text_scratch, f->len + 1);
    if (views != NULL) {
        f->slots = program->base.slots;
        f->slot = 0;
        memset(marks, 0, f->slots->count * sizeof *marks);
    }
    const char *begin = lex_space(f->text);
    const char *end = fast_value(f, program->root, begin);
    bool is_good = end != NULL && !f->is_unsure && lex_space(end) == f->text + f->len;
    is_good = is_good && (!f->owes_names || names_differ(f, program));
    if (is_good && views != NULL && f->lost_slots) {
        jschema_fill_slots(&program->base, f->payload, views);
    } else if (is_good && views != NULL) {
        marks[0] = (struct fast_mark){begin, end};
        make_views(f, &program->base, views);
    }
    limits_take(f, steps);
    if (f->is_run_ready) {
        run_fini(&run);
    }
    buf_fini(&f->text_scratch);
    return f->is_twice ? FAST_NO : f->is_unsure ? FAST_UNKNOWN : is_good ? FAST_YES : FAST_NO;
}

enum fast_verdict fast_judge(const struct jprogram *program, struct bytes payload, struct view *views,
                             int64_t *steps)
{
    if (program->root->fast == FAST_SLOW) {
        return FAST_UNKNOWN;
    }
    char few[FAST_COPY_BYTES + LEX_PAD] __attribute__((uninitialized));
    char *text = payload.len <= FAST_COPY_BYTES ? few : mem_alloc(payload.len + LEX_PAD);
    struct fast f = {.text = text, .len = payload.len, .payload = payload};
    f.is_ascii = copy(text, payload);
    bool is_text = f.is_ascii || utf8_is_valid((struct str){text, f.len});
    enum fast_verdict verdict = is_text ? judge(&f, program, views, steps) : FAST_NO;
    if (text != few) {
        mem_free(text);
    }
    return verdict;
}

bool jschema_judges_alike(const struct program *base, struct bytes payload, bool *ret_is_fast)
{
    const struct jprogram *program = (const struct jprogram *)base;
    enum fast_verdict verdict = fast_judge(program, payload, NULL, NULL);
    enum err err = jschema_judge(program, payload, NULL, NULL);
    if (ret_is_fast != NULL) {
        *ret_is_fast = verdict != FAST_UNKNOWN;
    }
    // One may have to give up where the other need not.
    return verdict == FAST_UNKNOWN || err == ERR_NO_MEMORY || (verdict == FAST_YES) == (err == ERR_OK);
}
