// SPDX-License-Identifier: Apache-2.0
// check.c - one payload against one program. Parsing and validating are one pass; where several subschemas
// apply to one value (anyOf, if, contains, ...), its bytes are scanned again for each. Every step is counted,
// and once a payload has taken many, what failed or held at a place is remembered, so that time is
// polynomial.
#include "format/json/run_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/utf8.h"

const uint8_t token_types[] = {
    [JSON_TOKEN_OBJECT_BEGIN] = TYPE_OBJECT, [JSON_TOKEN_ARRAY_BEGIN] = TYPE_ARRAY,
    [JSON_TOKEN_STRING] = TYPE_STRING,       [JSON_TOKEN_NUMBER] = TYPE_NUMBER | TYPE_INTEGER,
    [JSON_TOKEN_TRUE] = TYPE_BOOL,           [JSON_TOKEN_FALSE] = TYPE_BOOL,
    [JSON_TOKEN_NULL] = TYPE_NULL,
};

// ---- faults

static void print_path(const struct run *r, char ret[FAULT_PATH_SIZE])
{
    struct buf b;
    buf_init(&b, FAULT_PATH_SIZE * 8);
    buf_u8(&b, '$');
    for (uint32_t i = 0; i < r->scan.depth && i < r->path_count && b.len < FAULT_PATH_SIZE; i++) {
        const struct path_step *step = &r->path[i];
        bool is_plain = step->key.len > 0;
        for (size_t k = 0; k < step->key.len && is_plain; k++) {
            uint8_t c = (uint8_t)step->key.ptr[k];
            is_plain = c > ' ' && c != '.' && c != '[' && c != ']' && c != '\\' && c != '\'';
        }
        size_t shown = step->key.len > FAULT_PATH_SIZE ? FAULT_PATH_SIZE : step->key.len;
        if (step->is_data && r->fault->hides_values) {
            buf_append_str(&b, STR("[*]"));
        } else if (step->key.ptr == NULL) {
            buf_printf(&b, "[%u]", step->index);
        } else {
            buf_printf(&b, is_plain ? ".%.*s" : "[\"%.*s\"]", (int)shown, step->key.ptr);
        }
    }
    size_t len = b.len < FAULT_PATH_SIZE ? b.len : FAULT_PATH_SIZE - 1;
    while (len > 0 && len < b.len && (b.ptr[len] & 0xc0) == 0x80) {
        len--; // no half character
    }
    memcpy(ret, b.ptr, len);
    ret[len] = 0;
    buf_fini(&b);
}

static void __attribute__((format(printf, 3, 0)))
fault_text(struct run *r, size_t pos, const char *format, va_list args)
{
    r->has_fault = true;
    r->fault->position = pos;
    print_path(r, r->fault->path);
    int len = vsnprintf(r->fault->text, FAULT_TEXT_SIZE, format, args);
    if (len >= FAULT_TEXT_SIZE) {
        size_t end = FAULT_TEXT_SIZE - 1;
        while (end > 0 && ((uint8_t)r->fault->text[end - 1] & 0xc0) == 0x80) {
            end--;
        }
        r->fault->text[end > 0 && (uint8_t)r->fault->text[end - 1] >= 0xc0 ? end - 1 : end] = 0;
    }
}

bool run_fault(struct run *r, size_t pos, const char *format, ...)
{
    if (r->is_quiet || r->has_fault || r->fault == NULL) {
        return false;
    }
    va_list args;
    va_start(args, format);
    fault_text(r, pos, format, args);
    va_end(args);
    return false;
}

bool run_malformed(struct run *r)
{
    if (!r->is_malformed && r->fault != NULL) {
        r->is_quiet = false; // this counts wherever it is met
        r->has_fault = false;
        run_fault(r, r->scan.token_pos, "no JSON: %s", r->scan.error);
    }
    r->is_malformed = true;
    return false;
}

enum json_token run_restart(struct run *r, struct span span)
{
    json_scan_seek(&r->scan, span.pos, span.depth, true);
    return json_scan_next(&r->scan);
}

void run_after(struct run *r, size_t end, uint32_t depth)
{
    json_scan_seek(&r->scan, end, depth, false);
}

// ---- marks

void marks_set(struct marks *m, uint32_t index)
{
    uint32_t word = index / 64;
    uint64_t bit = (uint64_t)1 << (index % 64);
    if (word < MARK_WORDS) {
        m->few[word] |= bit;
        return;
    }
    word -= MARK_WORDS;
    if (word >= m->word_count) {
        uint32_t count = word * 2 + 4;
        m->many = mem_realloc(m->many, count * sizeof *m->many);
        memset(m->many + m->word_count, 0, (count - m->word_count) * sizeof *m->many);
        m->word_count = count;
    }
    m->many[word] |= bit;
}

bool marks_has(const struct marks *m, uint32_t index)
{
    uint32_t word = index / 64;
    uint64_t bits = word < MARK_WORDS                   ? m->few[word]
                    : word - MARK_WORDS < m->word_count ? m->many[word - MARK_WORDS]
                                                        : 0;
    return m->is_all || (bits >> (index % 64) & 1) != 0;
}

void marks_merge(struct marks *to, const struct marks *from)
{
    to->is_all |= from->is_all;
    for (uint32_t i = 0; i < MARK_WORDS; i++) {
        to->few[i] |= from->few[i];
    }
    for (uint32_t i = 0; i < from->word_count; i++) {
        if (from->many[i] != 0) {
            marks_set(to, (MARK_WORDS + i) * 64); // makes room; the bit itself is or'ed away below
            to->many[i] = (to->many[i] & ~(uint64_t)1) | from->many[i] | (to->many[i] & 1 & from->many[i]);
        }
    }
}

void marks_fini(struct marks *m)
{
    mem_free(m->many);
    *m = (struct marks){0};
}

// ---- scalars

static const char *type_text(enum json_token t)
{
    switch (t) {
    case JSON_TOKEN_OBJECT_BEGIN:
        return "an object";
    case JSON_TOKEN_ARRAY_BEGIN:
        return "an array";
    case JSON_TOKEN_STRING:
        return "a string";
    case JSON_TOKEN_NUMBER:
        return "a number";
    case JSON_TOKEN_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

static bool __attribute__((noinline, cold))
fault_type(struct run *r, const struct jnode *node, const char *what)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } rows[] = {
        {TYPE_NULL, "null"},     {TYPE_BOOL, "boolean"}, {TYPE_NUMBER, "number"}, {TYPE_INTEGER, "integer"},
        {TYPE_STRING, "string"}, {TYPE_ARRAY, "array"},  {TYPE_OBJECT, "object"},
    };
    if (r->is_quiet || r->fault == NULL) {
        return false;
    }
    if (node->types == 0) {
        return run_fault(r, r->scan.token_pos, "nothing is allowed here");
    }
    char names[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_in_number = rows[i].bit == TYPE_INTEGER && (node->types & TYPE_NUMBER) != 0;
        if ((node->types & rows[i].bit) != 0 && !is_in_number) {
            len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", len == 0 ? "" : " or ",
                                    rows[i].name);
        }
    }
    return run_fault(r, r->scan.token_pos, "%s; type: %s", what, names);
}

static size_t shown(struct str text)
{
    size_t len = text.len > 60 ? 60 : text.len;
    while (len > 0 && len < text.len && ((uint8_t)text.ptr[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}
// of_payload is what may be told of a value.
static struct str of_payload(const struct run *r, struct str text)
{
    return r->fault != NULL && r->fault->hides_values ? STR("...") : text;
}

#define SHOWN(text) (int)shown(text), (text).ptr

static bool eval_string(struct run *r, const struct string_check *check)
{
    struct str text = string_of(&r->scan, &r->text);
    size_t pos = r->scan.token_pos;
    if (check->min > 0 || check->max < INT64_MAX) {
        int64_t count = (int64_t)text.len < check->min ? (int64_t)text.len : (int64_t)utf8_count(text);
        if (count < check->min) {
            return run_fault(r, pos, "%lld characters; minLength: %lld", (long long)utf8_count(text),
                             (long long)check->min);
        }
        if (count > check->max) {
            return run_fault(r, pos, "%lld characters; maxLength: %lld", (long long)count,
                             (long long)check->max);
        }
    }
    if (check->pattern != NULL) {
        enum regex_result result = regex_search(check->pattern, text, &r->regex_budget);
        if (result == REGEX_GIVEN_UP) {
            r->is_given_up = true;
            return false;
        }
        if (result == REGEX_NO) {
            return run_fault(r, pos, "\"%.*s\"; pattern: %.*s", SHOWN(of_payload(r, text)),
                             SHOWN(check->pattern_text));
        }
    }
    bool holds = check->format == FORMAT_NONE || json_format_holds(check->format, text, &r->regex_budget);
    if (r->regex_budget < 0) {
        r->is_given_up = true;
        return false;
    }
    if (!holds) {
        return run_fault(r, pos, "\"%.*s\"; format: %.*s", SHOWN(of_payload(r, text)),
                         SHOWN(check->format_name));
    }
    return true;
}

// A number of up to 18 digits without an exponent: digits / 10^scale.
struct small {
    bool is_small;
    int64_t digits;
    uint32_t scale;
};

static inline struct small small_number(const struct json_scan *s)
{
    bool is_negative = s->raw.ptr[0] == '-';
    int64_t digits = (int64_t)s->digits;
    return (struct small){s->raw.len <= 18 && !s->has_exponent, is_negative ? -digits : digits, s->scale};
}

// bound_order compares the number with a bound: < 0, 0, > 0.
static int bound_order(const struct number_bound *bound, const struct small *n, struct str raw)
{
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    enum { POWERS = sizeof powers / sizeof powers[0], BOUND_MAX = 1000000000 };
    bool is_near =
        n->scale == 0 || (n->scale < POWERS && bound->small >= -BOUND_MAX && bound->small <= BOUND_MAX);
    if (n->is_small && bound->is_small && is_near) {
        int64_t scaled = bound->small * powers[n->scale];
        return n->digits < scaled ? -1 : n->digits > scaled;
    }
    struct decimal value = decimal_parse(raw);
    return decimal_compare(&value, &bound->value);
}

static bool eval_number(struct run *r, const struct jnode *node)
{
    struct str raw = r->scan.raw;
    struct small n = small_number(&r->scan);
    const struct number_check *check = node->number;
    if ((node->types & TYPE_NUMBER) == 0 && (!n.is_small || n.scale > 0)) {
        struct decimal value = decimal_parse(raw);
        bool is_integer = decimal_is_integer(&value);
        if (is_integer && node->wants_integer_text) {
            is_integer = memchr(raw.ptr, '.', raw.len) == NULL && memchr(raw.ptr, 'e', raw.len) == NULL &&
                         memchr(raw.ptr, 'E', raw.len) == NULL;
        }
        if (!is_integer) {
            return fault_type(r, node, "a number that is no integer");
        }
    }
    if (check == NULL) {
        return true;
    }
    int order = check->min.is_set ? bound_order(&check->min, &n, raw) : 1;
    if (order < 0 || (order == 0 && check->min.is_exclusive)) {
        return run_fault(r, r->scan.token_pos, "%.*s; %s: %.*s", SHOWN(of_payload(r, raw)),
                         check->min.is_exclusive ? "exclusiveMinimum" : "minimum", SHOWN(check->min.text));
    }
    order = check->max.is_set ? bound_order(&check->max, &n, raw) : -1;
    if (order > 0 || (order == 0 && check->max.is_exclusive)) {
        return run_fault(r, r->scan.token_pos, "%.*s; %s: %.*s", SHOWN(of_payload(r, raw)),
                         check->max.is_exclusive ? "exclusiveMaximum" : "maximum", SHOWN(check->max.text));
    }
    const struct number_bound *multiple = &check->multiple;
    if (!multiple->is_set) {
        return true;
    }
    struct decimal value = decimal_parse(raw);
    bool is_whole = n.is_small && n.scale == 0 && multiple->is_small && multiple->small > 0;
    return (is_whole ? n.digits % multiple->small == 0 : decimal_is_multiple(&value, &multiple->value)) ||
           run_fault(r, r->scan.token_pos, "%.*s; multipleOf: %.*s", SHOWN(of_payload(r, raw)),
                     SHOWN(multiple->text));
}

// ---- nodes

// eval_values judges by enum and const. The scanner stays behind the first token.
static bool __attribute__((noinline))
eval_values(struct run *r, const struct jnode *node, enum json_token t, struct span start)
{
    for (int i = 0; i < 2 && node->values[i] != NULL; i++) {
        if (i > 0) {
            t = run_restart(r, start);
        }
        if (!value_in_set(r, node->values[i], t)) {
            const struct value_set *set = node->values[i];
            r->scan.depth = start.depth;
            bool is_one = set->string_count == 1 && set->other_count == 0 && set->number_count == 0;
            struct str raw = t == JSON_TOKEN_STRING || t == JSON_TOKEN_NUMBER ? r->scan.raw : STR("");
            return is_one ? run_fault(r, start.pos, "%s %.*s; allowed: \"%.*s\"", type_text(t),
                                      SHOWN(of_payload(r, raw)), SHOWN(set->strings[0]))
                          : run_fault(r, start.pos, "%s %.*s; not one of the values allowed", type_text(t),
                                      SHOWN(of_payload(r, raw)));
        }
    }
    if (t == JSON_TOKEN_OBJECT_BEGIN || t == JSON_TOKEN_ARRAY_BEGIN) {
        run_restart(r, start);
    }
    return true;
}

// eval_plain judges by all keywords but those that apply in place.
static bool eval_plain(struct run *r, const struct jnode *node, enum json_token t, struct span start,
                       struct marks *marks)
{
    if (node->values[0] != NULL && !eval_values(r, node, t, start)) {
        return false;
    }
    switch (t) {
    case JSON_TOKEN_STRING:
        return node->string == NULL || eval_string(r, node->string);
    case JSON_TOKEN_NUMBER:
        return (node->number == NULL && (node->types & TYPE_NUMBER) != 0) || eval_number(r, node);
    case JSON_TOKEN_OBJECT_BEGIN:
        if (node->object != NULL) {
            return eval_object(r, node->object, start, marks);
        }
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
        if (node->array != NULL) {
            return eval_array(r, node->array, start, marks);
        }
        break;
    default:
        return true;
    }
    return json_scan_skip(&r->scan, t) || run_malformed(r);
}

static bool __attribute__((noinline))
eval_full(struct run *r, const struct jnode *node, enum json_token t, struct span start, struct marks *marks)
{
    struct marks own = {0};
    struct marks *use = node->has_unevaluated ? &own : marks;
    // With nothing but schemas in place, their reading of the value is enough.
    bool holds = (node->is_bare || eval_plain(r, node, t, start, use)) &&
                 eval_in_place(r, node, t, start, node->is_bare ? 0 : r->scan.pos, use) &&
                 (!node->has_unevaluated || eval_unevaluated(r, node, start, use));
    if (node->has_unevaluated) {
        // What unevaluated* judged is evaluated now: for an object or an array that is all of it.
        bool is_all = (t == JSON_TOKEN_OBJECT_BEGIN && node->unevaluated_properties != NULL) ||
                      (t == JSON_TOKEN_ARRAY_BEGIN && node->unevaluated_items != NULL);
        own.is_all |= is_all;
        if (holds && marks != NULL) {
            marks_merge(marks, &own);
        }
        marks_fini(&own);
    }
    return holds;
}

static struct memo_slot *__attribute__((noinline, cold))
memo_slot(struct run *r, const struct jnode *node, size_t pos)
{
    if (r->memo == NULL) {
        r->memo = mem_array(MEMO_SLOTS, sizeof *r->memo);
    }
    return &r->memo[hash_mix((uintptr_t)node, pos) % MEMO_SLOTS];
}

// eval_deep judges a container, or by schemas in place: what nests, and is worth remembering.
static bool __attribute__((noinline))
eval_deep(struct run *r, const struct jnode *node, enum json_token t, struct span start, struct marks *marks)
{
    if (++r->depth > EVAL_DEPTH_MAX) {
        r->is_given_up = true;
    }
    struct memo_slot *memo = NULL;
    if (r->steps > MEMO_AFTER_STEPS && r->is_quiet && marks == NULL) {
        memo = memo_slot(r, node, start.pos);
        if (memo->node == node && memo->pos == start.pos) {
            r->depth--;
            if (memo->end > 0) {
                run_after(r, memo->end, start.depth);
            }
            return memo->end > 0;
        }
    }
    bool holds = !r->is_given_up && (node->has_in_place ? eval_full(r, node, t, start, marks)
                                                        : eval_plain(r, node, t, start, marks));
    if (memo != NULL && !r->is_given_up && !r->is_malformed) {
        *memo = (struct memo_slot){node, start.pos, holds ? r->scan.pos : 0};
    }
    r->depth--;
    return holds;
}

bool eval(struct run *r, const struct jnode *node, enum json_token t, struct marks *marks)
{
    if (t == JSON_TOKEN_ERROR) {
        return run_malformed(r);
    }
    if (node->is_any) {
        return json_scan_skip(&r->scan, t) || run_malformed(r);
    }
    if ((node->types & token_types[t]) == 0) {
        struct span at = run_span(r, t);
        r->scan.depth = at.depth; // for the path
        return fault_type(r, node, type_text(t));
    }
    if (!run_step(r)) {
        return false;
    }
    struct span start = run_span(r, t);
    bool is_container = t == JSON_TOKEN_OBJECT_BEGIN || t == JSON_TOKEN_ARRAY_BEGIN;
    if (!is_container && !node->has_in_place) {
        return eval_plain(r, node, t, start, marks);
    }
    return eval_deep(r, node, t, start, marks);
}

bool eval_again(struct run *r, const struct jnode *node, struct span start, struct marks *marks)
{
    return eval(r, node, run_restart(r, start), marks);
}

bool eval_quietly(struct run *r, const struct jnode *node, struct span start, struct marks *marks)
{
    bool was_quiet = r->is_quiet;
    r->is_quiet = true;
    bool holds = eval_again(r, node, start, marks);
    if (!r->is_malformed) {
        r->is_quiet = was_quiet;
    }
    return holds;
}

// ---- the face

void run_init(struct run *r, struct bytes payload, const int64_t *steps, struct program_fault *fault)
{
    r->fault = fault;
    r->has_fault = r->is_quiet = r->is_explaining = r->is_malformed = r->is_given_up = false;
    r->depth = r->path_count = 0;
    r->steps = r->steps_before = 0;
    r->steps_max = STEPS_MIN + (uint64_t)payload.len * STEPS_PER_BYTE;
    r->regex_budget = REGEX_BUDGET;
    if (steps != NULL) {
        uint64_t most = (uint64_t)*steps / STEP_COST + payload.len;
        r->steps_max = most < r->steps_max ? most : r->steps_max;
        r->regex_budget = *steps < REGEX_BUDGET ? *steps : REGEX_BUDGET;
    }
    r->regex_most = r->regex_budget;
    r->memo = NULL;
    buf_init(&r->key, payload.len + 1);
    buf_init(&r->text, payload.len + 1);
    json_scan_init(&r->scan, (struct str){(const char *)payload.ptr, payload.len});
    r->scan.depth_max = PAYLOAD_DEPTH_MAX;
}

void run_spend(const struct run *r, int64_t *steps)
{
    if (steps != NULL) {
        uint64_t taken = r->steps_before + r->steps;
        steps_take(steps, taken, STEP_COST, r->scan.text.len, r->regex_most - r->regex_budget);
    }
}

void run_fini(struct run *r)
{
    buf_fini(&r->key);
    buf_fini(&r->text);
    mem_free(r->memo);
}

enum err jschema_judge(const struct jprogram *program, struct bytes payload, int64_t *steps,
                       struct program_fault *ret)
{
    struct run r __attribute__((uninitialized));
    run_init(&r, payload, steps, ret);
    bool holds = names_unique(&r, program);
    if (holds) {
        r.steps_before = r.steps;
        r.steps = 0;
        json_scan_seek(&r.scan, 0, 0, true);
        holds = eval(&r, program->root, json_scan_next(&r.scan), NULL) && !r.is_malformed;
    }
    if (holds && json_scan_next(&r.scan) != JSON_TOKEN_END) {
        holds = run_malformed(&r);
    }
    enum err err = holds ? ERR_OK : ERR_INVALID_RECORD;
    if (r.is_given_up && !r.is_malformed) {
        r.is_quiet = r.has_fault = false;
        run_fault(&r, r.scan.token_pos, "given up: judging this payload takes too long");
        err = ERR_NO_MEMORY;
    }
    run_spend(&r, steps);
    run_fini(&r);
    return err;
}

static void fault_unexplained(struct program_fault *ret)
{
    if (ret != NULL) {
        ret->position = 0;
        snprintf(ret->path, sizeof ret->path, "$");
        snprintf(ret->text, sizeof ret->text,
                 "the payload is not what the schema says; to find where takes too long");
    }
}

enum err jschema_check(const struct program *base, struct bytes payload, struct view *views,
                       struct program_fault *ret)
{
    const struct jprogram *program = (const struct jprogram *)base;
    int64_t *steps = ret == NULL ? NULL : ret->steps;
    enum fast_verdict verdict = fast_judge(program, payload, views, steps);
    if (verdict == FAST_YES) {
        return ERR_OK;
    }
    enum err err = jschema_judge(program, payload, steps, ret);
    if (err == ERR_NO_MEMORY && verdict == FAST_NO) { // that is sure: only to say where took too long
        err = ERR_INVALID_RECORD;
        fault_unexplained(ret);
    }
    if (err == ERR_OK && views != NULL) {
        jschema_fill_slots(base, payload, views);
    }
    return err;
}
