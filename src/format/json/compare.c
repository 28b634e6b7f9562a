// SPDX-License-Identifier: Apache-2.0
// compare.c - pairs of forms are taken to be compatible until one proves that they are not; that is repeated
// until nothing changes, so that recursion ends and is judged as strictly as anything else. Each pair is
// judged by all pairs it needs, never by paths to it: time is polynomial, and counted.
#include "format/json/compare_private.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    PAIRS_MAX = 1 << 18,
    STEPS_MAX = 1 << 24, // a fraction of a second
    COMPARE_MEMORY_MAX = 256 << 20,
    REPORT_DEPTH_MAX = 200,
    NO_PARTNER = INT32_MAX,
};

// How a change is told. %1$s: the schema that reads, %2$s: the one that wrote ("new" and "old").
enum told {
    ADDED,
    CHANGED,
    MORE,
    LESS,
    FEWER,
    EXTENDED,
    IN_OPEN,
    REQUIRED,
    FROM_CLOSED,
    REMOVED_UNCOVERED,
    ADDED_UNCOVERED
};

static const struct {
    const char *name;
    bool is_lenient;
    enum told told;
    const char *hint;
} changes[] = {
#define X(name, is_lenient, told, hint) [CHANGE_##name] = {#name, is_lenient, told, hint},
    CHANGE_TABLE(X)
#undef X
};

bool compare_step(struct compare *c)
{
    if (++c->steps > STEPS_MAX || c->arena.failed) {
        c->is_given_up = true;
    }
    return !c->is_given_up;
}

// ---- paths and reports

size_t path_enter(struct compare *c, struct str segment)
{
    size_t len = c->path.len;
    if (c->report != NULL) {
        buf_u8(&c->path, '/');
        buf_append_str(&c->path, segment);
    }
    return len;
}

void path_leave(struct compare *c, size_t len)
{
    c->path.len = len;
}

static struct str describe(struct compare *c, enum told told, struct str path)
{
    const char *reader = c->report->is_reader_old ? "old" : "new";
    const char *writer = c->report->is_reader_old ? "new" : "old";
    struct arena *a = c->report->arena;
#define TELL(...) arena_printf(a, __VA_ARGS__)
    switch (told) {
    case ADDED:
        return TELL("The %s schema has a keyword at path '" STR_FMT
                    "' that asks more than the %s schema, which does "
                    "not have it",
                    reader, STR_ARG(path), writer);
    case CHANGED:
        return TELL("The %s schema differs from the %s schema at path '" STR_FMT "'", reader, writer,
                    STR_ARG(path));
    case MORE:
        return TELL("The %s schema has a larger value at path '" STR_FMT "' than the %s schema", reader,
                    STR_ARG(path), writer);
    case LESS:
        return TELL("The %s schema has a smaller value at path '" STR_FMT "' than the %s schema", reader,
                    STR_ARG(path), writer);
    case FEWER:
        return TELL("The %s schema allows fewer values or types at path '" STR_FMT "' than the %s schema",
                    reader, STR_ARG(path), writer);
    case EXTENDED:
        return TELL("The %s schema has more elements at path '" STR_FMT
                    "', all of which are asked for, than the %s "
                    "schema",
                    reader, STR_ARG(path), writer);
    case IN_OPEN:
        return TELL("The %s schema has a property or item at path '" STR_FMT
                    "' that the %s schema lacks, whose open "
                    "content model allowed anything there",
                    reader, STR_ARG(path), writer);
    case REQUIRED:
        return TELL("The %s schema has a required property at path '" STR_FMT "' that the %s schema lacks",
                    reader, STR_ARG(path), writer);
    case FROM_CLOSED:
        return TELL("The %s schema has a closed content model and lacks a property or item at path '" STR_FMT
                    "' that the %s schema has",
                    reader, STR_ARG(path), writer);
    case REMOVED_UNCOVERED:
        return TELL("The %s schema lacks a property or item at path '" STR_FMT
                    "' that the %s schema has, and its "
                    "partially open content model does not cover it",
                    reader, STR_ARG(path), writer);
    case ADDED_UNCOVERED:
        return TELL("The %s schema has a property or item at path '" STR_FMT
                    "' that does not take all that the "
                    "partially open content model of the %s schema allowed there",
                    reader, STR_ARG(path), writer);
    }
#undef TELL
    return STR("");
}

void compare_change(struct compare *c, enum change change)
{
    if (c->policy == COMPAT_LENIENT && changes[change].is_lenient) {
        return;
    }
    c->is_broken = true;
    if (c->report == NULL) {
        return;
    }
    struct str path = c->path.len == 1 ? STR("#/") : buf_str(&c->path);
    struct str description =
        c->report->total < COMPAT_DIFFERENCES_MAX ? describe(c, changes[change].told, path) : STR("");
    compat_report_add(c->report, changes[change].name, path, description, STR(""),
                      str_from_c(changes[change].hint));
}

void compare_change_at(struct compare *c, const char *attribute, enum change change)
{
    size_t len = path_enter(c, str_from_c(attribute));
    compare_change(c, change);
    path_leave(c, len);
}

// ---- pairs

static struct pair *pair_of(struct compare *c, struct form *original, struct form *update)
{
    uint64_t hash = hash_mix((uintptr_t)original, (uintptr_t)update);
    for (struct map_node *n = map_first(&c->pairs, hash); n != NULL; n = map_next(n)) {
        struct pair *pair = MAP_ENTRY(n, struct pair, node);
        if (pair->original == original && pair->update == update) {
            return pair;
        }
    }
    struct pair *pair = c->pair_count < PAIRS_MAX ? arena_new(&c->arena, struct pair, 1) : NULL;
    if (pair == NULL) {
        c->is_given_up = true;
        return NULL;
    }
    *pair = (struct pair){.original = original, .update = update, .is_compatible = true, .previous = c->last};
    map_insert(&c->pairs, &pair->node, hash);
    if (c->last == NULL) {
        c->first = pair;
    } else {
        c->last->next = pair;
    }
    c->last = pair;
    c->pair_count++;
    return pair;
}

bool compare_holds(struct compare *c, struct form *original, struct form *update)
{
    const struct pair *pair =
        compare_step(c) ? pair_of(c, form_deref(c, original), form_deref(c, update)) : NULL;
    return pair == NULL || pair->is_compatible;
}

static void compare_pair(struct compare *c, struct pair *pair);

void compare_sub(struct compare *c, struct form *original, struct form *update)
{
    struct pair *pair = compare_step(c) ? pair_of(c, form_deref(c, original), form_deref(c, update)) : NULL;
    if (pair == NULL || pair->is_compatible) {
        return;
    }
    c->is_broken = true;
    bool is_told =
        pair->is_open || c->depth == REPORT_DEPTH_MAX || (c->report != NULL && c->report->total > 1000);
    if (c->report == NULL || is_told) {
        return;
    }
    pair->is_open = true;
    c->depth++;
    compare_pair(c, pair);
    c->depth--;
    pair->is_open = false;
}

// ---- combined schemas

// augment looks for a partner of original i, freeing taken ones on the way. Recursion is as deep as there are
// originals.
struct match {
    const bool *edges; // [original][update]
    uint32_t update_count;
    uint32_t *partners; // of each update
    bool *seen;
};

static bool augment(struct compare *c, struct match *m, uint32_t i, uint32_t depth)
{
    for (uint32_t k = 0; k < m->update_count && compare_step(c) && depth < 4096; k++) {
        if (!m->edges[(size_t)i * m->update_count + k] || m->seen[k]) {
            continue;
        }
        m->seen[k] = true;
        if (m->partners[k] == NO_PARTNER || augment(c, m, m->partners[k], depth + 1)) {
            m->partners[k] = i;
            return true;
        }
    }
    return false;
}

// match_count is the size of the largest set of compatible pairs in which no schema is twice.
static uint32_t match_count(struct compare *c, const struct form *original, const struct form *update)
{
    bool *edges = mem_array((size_t)original->count * update->count + 1, sizeof *edges);
    struct match m = {edges, update->count, mem_array(update->count + 1, sizeof(uint32_t)),
                      mem_array(update->count + 1, sizeof(bool))};
    for (uint32_t i = 0; i < original->count; i++) {
        for (uint32_t k = 0; k < update->count; k++) {
            edges[(size_t)i * update->count + k] = compare_holds(c, original->subs[i], update->subs[k]);
        }
    }
    for (uint32_t k = 0; k < update->count; k++) {
        m.partners[k] = NO_PARTNER;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < original->count && !c->is_given_up; i++) {
        memset(m.seen, 0, update->count * sizeof *m.seen);
        count += augment(c, &m, i, 0);
    }
    mem_free(edges);
    mem_free(m.partners);
    mem_free(m.seen);
    return count;
}

static void compare_combined(struct compare *c, struct form *original, struct form *update)
{
    bool is_same = original->criterion == update->criterion;
    bool is_allowed = is_same || update->criterion == CRITERION_ANY ||
                      (update->criterion == CRITERION_ONE && original->count == 1) ||
                      (update->criterion == CRITERION_ALL && original->count == 1 && update->count == 1);
    if (!is_allowed) {
        compare_change(c, CHANGE_COMBINED_TYPE_CHANGED);
        return;
    }
    if ((uint64_t)original->count * update->count > PAIRS_MAX) {
        c->is_given_up = true;
        return;
    }
    if (original->count < update->count && update->criterion == CRITERION_ALL) {
        compare_change(c, CHANGE_PRODUCT_TYPE_EXTENDED);
    } else if (original->count > update->count && update->criterion != CRITERION_ALL) {
        compare_change(c, CHANGE_SUM_TYPE_NARROWED);
    }
    uint32_t smaller = original->count < update->count ? original->count : update->count;
    if (match_count(c, original, update) < smaller) {
        compare_change(c, CHANGE_COMBINED_TYPE_SUBSCHEMAS_CHANGED);
    }
}

// becomes_branch: what was one schema is a branch of the new combined one, or one of several is all that is
// left.
static bool becomes_branch(struct compare *c, struct form *original, struct form *update)
{
    bool has_branch = false;
    if (update->kind == FORM_COMBINED && original->kind != FORM_COMBINED) {
        bool is_sum = update->criterion != CRITERION_ALL || update->count == 1;
        for (uint32_t i = 0; i < update->count && is_sum; i++) {
            has_branch |= compare_holds(c, original, update->subs[i]);
        }
    } else if (original->kind == FORM_COMBINED && update->kind != FORM_COMBINED) {
        bool is_product = original->criterion == CRITERION_ALL || original->count == 1;
        for (uint32_t i = 0; i < original->count && is_product; i++) {
            has_branch |= compare_holds(c, original->subs[i], update);
        }
    }
    return has_branch;
}

static bool is_connect_bytes(const struct form *form)
{
    return str_equal(json_get_str(form->place.value, STR("connect.type")), STR("bytes"));
}

static void compare_const(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o;
    struct keywords u;
    keywords_read(original->place, &o);
    keywords_read(update->place, &u);
    struct buf before;
    struct buf after;
    buf_init(&before, SCHEMA_TEXT_BYTES_MAX);
    buf_init(&after, SCHEMA_TEXT_BYTES_MAX);
    json_print(o.of[KEYWORD_CONST], true, &before);
    json_print(u.of[KEYWORD_CONST], true, &after);
    if (!str_equal(buf_str(&before), buf_str(&after))) {
        compare_change_at(c, "const", CHANGE_ENUM_ARRAY_CHANGED);
    }
    buf_fini(&before);
    buf_fini(&after);
}

static void compare_not(struct compare *c, const struct form *original, const struct form *update)
{
    struct keywords o;
    struct keywords u;
    keywords_read(original->place, &o);
    keywords_read(update->place, &u);
    // What is forbidden now must have been forbidden before.
    struct form *was = form_of(c, jschema_sub(original->place, o.of[KEYWORD_NOT]));
    struct form *is = form_of(c, jschema_sub(update->place, u.of[KEYWORD_NOT]));
    if (!compare_holds(c, is, was)) {
        compare_change_at(c, "not", CHANGE_NOT_TYPE_EXTENDED);
    }
}

static void compare_pair(struct compare *c, struct pair *pair)
{
    struct form *original = pair->original;
    struct form *update = pair->update;
    if (original->kind == FORM_COMBINED) {
        form_expand(c, original);
    }
    if (update->kind == FORM_COMBINED) {
        form_expand(c, update);
    }
    if (original == update || becomes_branch(c, original, update)) {
        return;
    }
    if (original->kind != update->kind) {
        bool is_fine = original->kind == FORM_FALSE || update->kind == FORM_EMPTY ||
                       (is_connect_bytes(original) && is_connect_bytes(update));
        if (!is_fine) {
            compare_change(c, CHANGE_TYPE_CHANGED);
        }
        return;
    }
    switch (original->kind) {
    case FORM_STRING:
        compare_string(c, original, update);
        return;
    case FORM_NUMBER:
        compare_number(c, original, update);
        return;
    case FORM_OBJECT:
        compare_object(c, original, update);
        return;
    case FORM_ARRAY:
        compare_array(c, original, update);
        return;
    case FORM_ENUM:
        compare_enum(c, original, update);
        return;
    case FORM_CONST:
        compare_const(c, original, update);
        return;
    case FORM_NOT:
        compare_not(c, original, update);
        return;
    case FORM_COMBINED:
        compare_combined(c, original, update);
        return;
    case FORM_EMPTY:
    case FORM_FALSE:
    case FORM_BOOLEAN:
    case FORM_NULL:
    case FORM_IF: // not looked into, as in the Confluent registry
    case FORM_REF:
        return;
    }
}

// ---- the face

static bool judge(struct compare *c, struct pair *pair)
{
    if (!pair->is_compatible) {
        return false;
    }
    c->is_broken = false;
    compare_pair(c, pair);
    pair->is_compatible = !c->is_broken;
    return c->is_broken;
}

static void judge_all(struct compare *c)
{
    for (struct pair *pair = c->first; pair != NULL && !c->is_given_up; pair = pair->next) {
        judge(c, pair); // which may add pairs
    }
    bool has_changed = true;
    while (has_changed && !c->is_given_up) {
        has_changed = false;
        // Backwards: what a pair needs was mostly found after it.
        for (struct pair *pair = c->last; pair != NULL && !c->is_given_up; pair = pair->previous) {
            has_changed |= judge(c, pair);
        }
    }
}

static void report_all(struct compare *c, struct pair *root, struct compat_report *report)
{
    c->report = report;
    c->steps = 0;
    buf_u8(&c->path, '#');
    root->is_open = true;
    compare_pair(c, root);
    if (report->total == 0) { // too deep to be told
        compare_change(c, CHANGE_TYPE_CHANGED);
    }
}

enum err jschema_compare(const struct schema *reader, const struct schema *writer, enum compat_policy policy,
                         struct compat_report *report, struct error *e)
{
    const struct jschema *update = (const struct jschema *)reader;
    const struct jschema *original = (const struct jschema *)writer;
    struct compare *c = mem_zalloc(sizeof *c);
    c->policy = policy;
    arena_init(&c->arena, COMPARE_MEMORY_MAX);
    buf_init(&c->path, 1 << 20);
    map_init(&c->forms);
    map_init(&c->pairs);
    map_init(&c->patterns);
    struct form *was = form_deref(c, form_of(c, (struct jschema_place){original->root, original->resource}));
    struct form *is = form_deref(c, form_of(c, (struct jschema_place){update->root, update->resource}));
    struct pair *root = pair_of(c, was, is);
    enum err err = ERR_OK;
    judge_all(c);
    if (c->is_given_up) {
        err = FAIL(e, ERR_NO_MEMORY, "the comparison of the two schemas was given up: it takes too long");
    } else if (!root->is_compatible) {
        report_all(c, root, report);
    }
    map_fini(&c->forms);
    map_fini(&c->pairs);
    patterns_fini(c);
    map_fini(&c->patterns);
    buf_fini(&c->path);
    arena_fini(&c->arena);
    mem_free(c);
    return err;
}
