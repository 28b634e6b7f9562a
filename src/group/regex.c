// SPDX-License-Identifier: Apache-2.0
// regex.c - the compiler descends the pattern once, and writes the program of each part as it reads it; a
// part that is repeated {n,m} times is read again for each time.
#include "group/regex.h"

#include "base/assert.h"
#include "base/mem.h"

enum {
    STEPS_MAX = 1000,  // of a program
    DEPTH_MAX = 50,    // of parentheses
    REPEAT_MAX = 1000, // RE2's
    SETS_MAX = 256,    // different sets of bytes
    ATOMS_MAX = 20000, // read, those repeated each time
    SET_WORDS = 4,
};

enum step_kind {
    STEP_SET,
    STEP_SPLIT,
    STEP_JUMP,
    STEP_BEGIN,
    STEP_END,
    STEP_WORD,
    STEP_NOT_WORD,
    STEP_MATCH
};
struct step {
    enum step_kind kind;
    uint16_t next;  // set: its number; split: the first way; jump: where to
    uint16_t other; // split: the second way
};
struct byte_set {
    uint64_t words[SET_WORDS];
};
struct regex {
    uint16_t step_count;
    uint16_t set_count;
    struct step steps[STEPS_MAX];
    struct byte_set sets[SETS_MAX];
};

uint32_t regex_steps(const struct regex *regex)
{
    return regex->step_count;
}

struct parser {
    struct regex *out;
    struct str pattern;
    size_t at;
    int depth;
    uint32_t atoms;
    bool folds_case;
    const char *why; // NULL: fine so far
};

// ---- sets

static void set_add(struct byte_set *set, uint8_t from, uint8_t to)
{
    for (int b = from; b <= to; b++) {
        set->words[b / 64] |= UINT64_C(1) << (b % 64);
    }
}

static bool set_has(const struct byte_set *set, uint8_t b)
{
    return (set->words[b / 64] >> (b % 64) & 1) != 0;
}

static void set_negate(struct byte_set *set)
{
    for (int i = 0; i < SET_WORDS; i++) {
        set->words[i] = ~set->words[i];
    }
}

static void set_merge(struct byte_set *set, const struct byte_set *more)
{
    for (int i = 0; i < SET_WORDS; i++) {
        set->words[i] |= more->words[i];
    }
}

static void set_fold(struct byte_set *set)
{
    for (uint8_t i = 0; i < 26; i++) {
        if (set_has(set, (uint8_t)('a' + i)) || set_has(set, (uint8_t)('A' + i))) {
            set_add(set, (uint8_t)('a' + i), (uint8_t)('a' + i));
            set_add(set, (uint8_t)('A' + i), (uint8_t)('A' + i));
        }
    }
}

// set_perl fills \d \w \s and their opposites; false: no such class.
static bool set_perl(struct byte_set *set, char letter)
{
    struct byte_set own = {{0}};
    switch (letter | 0x20) {
    case 'd':
        set_add(&own, '0', '9');
        break;
    case 'w':
        set_add(&own, '0', '9');
        set_add(&own, 'A', 'Z');
        set_add(&own, 'a', 'z');
        set_add(&own, '_', '_');
        break;
    case 's':
        set_add(&own, '\t', '\n');
        set_add(&own, '\f', '\r');
        set_add(&own, ' ', ' ');
        break;
    default:
        return false;
    }
    if (letter < 'a') {
        set_negate(&own);
    }
    set_merge(set, &own);
    return true;
}

// ---- writing the program

static void fail(struct parser *p, const char *why)
{
    p->why = p->why == NULL ? why : p->why;
}

static uint16_t emit(struct parser *p, enum step_kind kind, uint16_t next, uint16_t other)
{
    if (p->out->step_count >= STEPS_MAX) {
        fail(p, "expression too large");
        return 0;
    }
    p->out->steps[p->out->step_count] = (struct step){kind, next, other};
    return p->out->step_count++;
}

// insert makes room for one step before `at`: what points behind it moves with it.
static void insert(struct parser *p, uint16_t at, struct step step)
{
    struct regex *out = p->out;
    if (out->step_count >= STEPS_MAX) {
        fail(p, "expression too large");
        return;
    }
    for (uint16_t i = out->step_count++; i > at; i--) {
        out->steps[i] = out->steps[i - 1];
        struct step *moved = &out->steps[i];
        bool is_jump = moved->kind == STEP_SPLIT || moved->kind == STEP_JUMP;
        moved->next = (uint16_t)(moved->next + (is_jump && moved->next >= at));
        moved->other = (uint16_t)(moved->other + (moved->kind == STEP_SPLIT && moved->other >= at));
    }
    out->steps[at] = step;
}

static void emit_set(struct parser *p, const struct byte_set *set)
{
    struct byte_set folded = *set;
    if (p->folds_case) {
        set_fold(&folded);
    }
    uint16_t i = 0;
    while (i < p->out->set_count && memcmp(&p->out->sets[i], &folded, sizeof folded) != 0) {
        i++;
    }
    if (i == SETS_MAX) {
        fail(p, "expression too large");
        return;
    }
    p->out->sets[i] = folded;
    p->out->set_count = i == p->out->set_count ? (uint16_t)(i + 1) : p->out->set_count;
    (void)emit(p, STEP_SET, i, 0);
}

static void emit_byte(struct parser *p, uint8_t b)
{
    struct byte_set set = {{0}};
    set_add(&set, b, b);
    emit_set(p, &set);
}

// ---- reading the pattern

static bool is_end(const struct parser *p)
{
    return p->at >= p->pattern.len;
}

static char peek(const struct parser *p)
{
    return is_end(p) ? '\0' : p->pattern.ptr[p->at];
}

static bool take(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    bool is_there = p->at + len <= p->pattern.len && memcmp(p->pattern.ptr + p->at, word, len) == 0;
    p->at += is_there ? len : 0;
    return is_there;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// escaped_byte reads what follows a backslash; -1: it stands for no byte.
static int escaped_byte(struct parser *p)
{
    static const char letters[] = "afnrtv";
    static const char bytes[] = "\a\f\n\r\t\v";
    char c = peek(p);
    const char *known = c == '\0' ? NULL : strchr(letters, c);
    if (known != NULL) {
        p->at++;
        return (uint8_t)bytes[known - letters];
    }
    if (c == 'x' && p->at + 2 < p->pattern.len && hex_of(p->pattern.ptr[p->at + 1]) >= 0 &&
        hex_of(p->pattern.ptr[p->at + 2]) >= 0) {
        int value = hex_of(p->pattern.ptr[p->at + 1]) * 16 + hex_of(p->pattern.ptr[p->at + 2]);
        p->at += 3;
        return value;
    }
    if (is_end(p) || is_letter_or_digit(c)) {
        return -1;
    }
    p->at++;
    return (uint8_t)c;
}

static const struct posix_class {
    const char *name;
    const char *ranges; // pairs
} posix_classes[] = {
    {"[:alnum:]", "09AZaz"}, {"[:alpha:]", "AZaz"},    {"[:digit:]", "09"},       {"[:lower:]", "az"},
    {"[:upper:]", "AZ"},     {"[:word:]", "09AZaz__"}, {"[:punct:]", "!/:@[`{~"}, {"[:xdigit:]", "09AFaf"},
    {"[:space:]", "\t\r  "}, {"[:blank:]", "\t\t  "},  {"[:graph:]", "!~"},       {"[:print:]", " ~"},
};

static bool class_posix(struct parser *p, struct byte_set *set)
{
    for (size_t i = 0; i < sizeof posix_classes / sizeof posix_classes[0]; i++) {
        if (take(p, posix_classes[i].name)) {
            for (const char *r = posix_classes[i].ranges; *r != '\0'; r += 2) {
                set_add(set, (uint8_t)r[0], (uint8_t)r[1]);
            }
            return true;
        }
    }
    return false;
}

// class_byte reads one byte of a class, perhaps escaped; -1 after failing.
static int class_byte(struct parser *p)
{
    if (is_end(p)) {
        fail(p, "missing closing ]");
        return -1;
    }
    if (!take(p, "\\")) {
        return (uint8_t)p->pattern.ptr[p->at++];
    }
    int b = escaped_byte(p);
    if (b < 0) {
        fail(p, is_end(p) ? "missing closing ]" : "invalid escape sequence");
    }
    return b;
}

static void class_range(struct parser *p, struct byte_set *set)
{
    if (peek(p) == '\\' && p->at + 1 < p->pattern.len && set_perl(set, p->pattern.ptr[p->at + 1])) {
        p->at += 2;
        return;
    }
    int from = class_byte(p);
    int to = from;
    bool is_range = peek(p) == '-' && p->at + 1 < p->pattern.len && p->pattern.ptr[p->at + 1] != ']';
    if (is_range) {
        p->at++;
        to = class_byte(p);
    }
    if (p->why == NULL && to < from) {
        fail(p, "invalid character class range");
    }
    if (p->why == NULL) {
        set_add(set, (uint8_t)from, (uint8_t)to);
    }
}

static void parse_class(struct parser *p)
{
    struct byte_set set = {{0}};
    bool is_negated = take(p, "^");
    bool is_first = true;
    while (p->why == NULL && (is_first || peek(p) != ']')) {
        if (is_end(p)) {
            fail(p, "missing closing ]");
        } else if (!class_posix(p, &set)) {
            class_range(p, &set);
        }
        is_first = false;
    }
    (void)take(p, "]");
    if (is_negated) {
        set_negate(&set);
    }
    emit_set(p, &set);
}

static void parse_escape(struct parser *p)
{
    struct byte_set set = {{0}};
    if (is_end(p)) {
        fail(p, "trailing \\");
    } else if (set_perl(&set, peek(p))) {
        p->at++;
        emit_set(p, &set);
    } else if (take(p, "A")) {
        (void)emit(p, STEP_BEGIN, 0, 0);
    } else if (take(p, "z")) {
        (void)emit(p, STEP_END, 0, 0);
    } else if (take(p, "b")) {
        (void)emit(p, STEP_WORD, 0, 0);
    } else if (take(p, "B")) {
        (void)emit(p, STEP_NOT_WORD, 0, 0);
    } else if (take(p, "Q")) {
        while (!is_end(p) && !take(p, "\\E")) {
            emit_byte(p, (uint8_t)p->pattern.ptr[p->at++]);
        }
    } else {
        int b = escaped_byte(p);
        if (b < 0) {
            fail(p, "invalid escape sequence");
        } else {
            emit_byte(p, (uint8_t)b);
        }
    }
}

static void parse_alternatives(struct parser *p);

// group_name skips what (?P< or (?< begins.
static void group_name(struct parser *p)
{
    size_t begin = p->at;
    while (is_letter_or_digit(peek(p)) || peek(p) == '_') {
        p->at++;
    }
    if (p->at == begin || !take(p, ">")) {
        fail(p, "invalid named capture");
    }
}

static void parse_group(struct parser *p)
{
    bool folded = p->folds_case;
    if (++p->depth > DEPTH_MAX) {
        fail(p, "expression nests too deeply");
        return;
    }
    if (take(p, "?P<") || take(p, "?<")) {
        group_name(p);
    } else if (take(p, "?i)")) {
        p->folds_case = true; // until the group around it ends
        p->depth--;
        return;
    } else if (take(p, "?i:")) {
        p->folds_case = true;
    } else if (!take(p, "?:") && peek(p) == '?') {
        fail(p, "invalid or unsupported Perl syntax");
    }
    if (p->why == NULL) {
        parse_alternatives(p);
    }
    if (!take(p, ")")) {
        fail(p, "missing closing )");
    }
    p->folds_case = folded;
    p->depth--;
}

static void parse_atom(struct parser *p)
{
    struct byte_set any = {{0}};
    if (++p->atoms > ATOMS_MAX) {
        fail(p, "expression too large");
        return;
    }
    char c = p->pattern.ptr[p->at++];
    switch (c) {
    case '(':
        parse_group(p);
        return;
    case '[':
        parse_class(p);
        return;
    case '\\':
        parse_escape(p);
        return;
    case '.':
        set_add(&any, '\n', '\n');
        set_negate(&any);
        emit_set(p, &any);
        return;
    case '^':
        (void)emit(p, STEP_BEGIN, 0, 0);
        return;
    case '$':
        (void)emit(p, STEP_END, 0, 0);
        return;
    case '*':
    case '+':
    case '?':
        fail(p, "missing argument to repetition operator");
        return;
    default:
        emit_byte(p, (uint8_t)c);
    }
}

// number reads digits; -1: there are none. More than REPEAT_MAX stays more.
static int number(struct parser *p)
{
    int value = -1;
    while (peek(p) >= '0' && peek(p) <= '9') {
        value = (value < 0 ? 0 : value) * 10 + (p->pattern.ptr[p->at++] - '0');
        value = value > REPEAT_MAX ? REPEAT_MAX + 1 : value;
    }
    return value;
}

// repeat_counts reads {n}, {n,} or {n,m}; false, and nothing read: braces that stand for themselves.
static bool repeat_counts(struct parser *p, int *ret_min, int *ret_max)
{
    size_t begin = p->at++;
    *ret_min = number(p);
    *ret_max = *ret_min;
    if (*ret_min >= 0 && take(p, ",")) {
        *ret_max = number(p); // -1: without end
    }
    if (*ret_min < 0 || !take(p, "}")) {
        p->at = begin;
        return false;
    }
    if (*ret_min > REPEAT_MAX || *ret_max > REPEAT_MAX || (*ret_max >= 0 && *ret_max < *ret_min)) {
        fail(p, "invalid repetition size");
    }
    return true;
}

static void make_optional(struct parser *p, uint16_t begin)
{
    uint16_t end = (uint16_t)(p->out->step_count + 1);
    insert(p, begin, (struct step){STEP_SPLIT, (uint16_t)(begin + 1), end});
}

static void make_star(struct parser *p, uint16_t begin)
{
    uint16_t end = (uint16_t)(p->out->step_count + 2);
    insert(p, begin, (struct step){STEP_SPLIT, (uint16_t)(begin + 1), end});
    (void)emit(p, STEP_JUMP, begin, 0);
}

// again reads the atom once more.
static uint16_t again(struct parser *p, size_t atom)
{
    size_t after = p->at;
    uint16_t begin = p->out->step_count;
    p->at = atom;
    parse_atom(p);
    p->at = after;
    return begin;
}

// make_counted: the atom, which is there once, becomes min to max of it; max -1 = without end.
static void make_counted(struct parser *p, size_t atom, uint16_t begin, int min, int max)
{
    p->out->step_count = begin;
    for (int i = 0; i < min && p->why == NULL; i++) {
        (void)again(p, atom);
    }
    if (max < 0) {
        make_star(p, again(p, atom));
    }
    for (int i = min; i < max && p->why == NULL; i++) {
        make_optional(p, again(p, atom));
    }
}

static void parse_repeats(struct parser *p, size_t atom, uint16_t begin)
{
    int min = 0;
    int max = 0;
    if (take(p, "*")) {
        make_star(p, begin);
    } else if (take(p, "+")) {
        (void)emit(p, STEP_SPLIT, begin, (uint16_t)(p->out->step_count + 1));
    } else if (take(p, "?")) {
        make_optional(p, begin);
    } else if (peek(p) == '{' && repeat_counts(p, &min, &max)) {
        make_counted(p, atom, begin, min, max);
    } else {
        return;
    }
    (void)take(p, "?"); // as few as possible: the same for a whole match
    if (peek(p) == '*' || peek(p) == '+' || peek(p) == '?') {
        fail(p, "invalid nested repetition operator");
    }
}

static void parse_sequence(struct parser *p)
{
    while (p->why == NULL && !is_end(p) && peek(p) != '|' && peek(p) != ')') {
        size_t atom = p->at;
        uint16_t begin = p->out->step_count;
        bool folded = p->folds_case;
        parse_atom(p);
        if (p->folds_case == folded) {
            parse_repeats(p, atom, begin);
        }
    }
}

static void parse_alternatives(struct parser *p)
{
    uint16_t begin = p->out->step_count;
    parse_sequence(p);
    if (p->why != NULL || !take(p, "|")) {
        return;
    }
    // split begin+1, second; first...; jump end; second...
    insert(p, begin, (struct step){STEP_SPLIT, (uint16_t)(begin + 1), 0});
    uint16_t jump = emit(p, STEP_JUMP, 0, 0);
    p->out->steps[begin].other = p->out->step_count;
    parse_alternatives(p);
    p->out->steps[jump].next = p->out->step_count;
}

struct regex *regex_compile(struct str pattern, const char **ret_why)
{
    struct parser p = {.out = mem_zalloc(sizeof(struct regex)), .pattern = pattern};
    parse_alternatives(&p);
    if (p.why == NULL && !is_end(&p)) {
        fail(&p, "unexpected )");
    }
    (void)emit(&p, STEP_MATCH, 0, 0);
    *ret_why = p.why;
    if (p.why != NULL) {
        mem_free(p.out);
        return NULL;
    }
    return p.out;
}

void regex_free(struct regex *take_regex)
{
    mem_free(take_regex);
}

// ---- matching

// The places where the program stands, each once.
struct places {
    uint16_t list[STEPS_MAX];
    uint16_t count;
    bool has[STEPS_MAX];
};

struct run {
    const struct regex *regex;
    struct str text;
    size_t at;
};

static bool is_word(const struct run *run, size_t at)
{
    char c = at < run->text.len ? run->text.ptr[at] : '\0';
    return is_letter_or_digit(c) || c == '_';
}

// may_pass: an assertion holds here.
static bool may_pass(const struct run *run, enum step_kind kind)
{
    bool is_edge = (run->at > 0 && is_word(run, run->at - 1)) != is_word(run, run->at);
    switch (kind) {
    case STEP_BEGIN:
        return run->at == 0;
    case STEP_END:
        return run->at == run->text.len;
    case STEP_WORD:
        return is_edge;
    default:
        return !is_edge;
    }
}

// places_add follows everything that takes no byte. Each step is entered once, so the stack holds them all.
static void places_add(const struct run *run, struct places *places, uint16_t first)
{
    uint16_t stack[STEPS_MAX + 1];
    uint16_t depth = 0;
    stack[depth++] = first;
    while (depth > 0) {
        uint16_t at = stack[--depth];
        if (places->has[at]) {
            continue;
        }
        places->has[at] = true;
        const struct step *step = &run->regex->steps[at];
        if (step->kind == STEP_SET || step->kind == STEP_MATCH) {
            places->list[places->count++] = at;
            continue;
        }
        bool has_way = step->kind == STEP_SPLIT || step->kind == STEP_JUMP || may_pass(run, step->kind);
        uint16_t next = step->kind == STEP_SPLIT || step->kind == STEP_JUMP ? step->next : (uint16_t)(at + 1);
        if (has_way && !places->has[next]) {
            ASSERT(depth < STEPS_MAX);
            stack[depth++] = next;
        }
        if (step->kind == STEP_SPLIT && !places->has[step->other]) {
            ASSERT(depth < STEPS_MAX);
            stack[depth++] = step->other;
        }
    }
}

static void places_clear(struct places *places)
{
    places->count = 0;
    memset(places->has, 0, sizeof places->has);
}

bool regex_matches(const struct regex *regex, struct str text)
{
    struct places both[2];
    struct places *now = &both[0];
    struct places *next = &both[1];
    struct run run = {regex, text, 0};
    places_clear(now);
    places_add(&run, now, 0);
    while (run.at < text.len && now->count > 0) {
        uint8_t b = (uint8_t)text.ptr[run.at++];
        places_clear(next);
        for (uint16_t i = 0; i < now->count; i++) {
            const struct step *step = &regex->steps[now->list[i]];
            if (step->kind == STEP_SET && set_has(&regex->sets[step->next], b)) {
                places_add(&run, next, (uint16_t)(now->list[i] + 1));
            }
        }
        struct places *swap = now;
        now = next;
        next = swap;
    }
    bool is_match = false;
    for (uint16_t i = 0; i < now->count; i++) {
        is_match |= regex->steps[now->list[i]].kind == STEP_MATCH;
    }
    return is_match && run.at == text.len;
}
