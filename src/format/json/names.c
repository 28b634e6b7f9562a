// SPDX-License-Identifier: Apache-2.0
// names.c - whether the members of every object of a payload have names of their own, whatever the schema
// says of them. The names of the objects that are open lie behind each other; when an object ends, its own
// are compared each with each while they are few, and sorted otherwise: n log n, whatever they are.
#include "format/json/run_private.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum { NAMES_FEW = 16, NAMES_CAP = 64 };

struct entry {
    uint64_t hash; // of what is meant by it
    size_t pos;    // of its quote
    struct str raw;
    bool has_escape;
};

struct names {
    struct run *run;
    struct entry few[NAMES_CAP];
    struct entry *entries;
    size_t count;
    size_t cap;
    size_t first[PAYLOAD_DEPTH_MAX + 1]; // of each open object's entries
    const struct entry *twice;           // the earliest of an object that is there already
};

static struct str meaning_of(const struct entry *entry, struct buf *scratch)
{
    if (!entry->has_escape) {
        return entry->raw;
    }
    buf_reset(scratch);
    json_unescape(entry->raw, scratch);
    return scratch->len == 0 ? STR("") : buf_str(scratch);
}

static void add(struct names *n)
{
    struct run *r = n->run;
    if (n->count == n->cap) {
        n->cap *= 2;
        struct entry *more = mem_realloc(n->entries == n->few ? NULL : n->entries, n->cap * sizeof *more);
        if (n->entries == n->few) {
            memcpy(more, n->few, sizeof n->few);
        }
        n->entries = more;
    }
    struct entry *entry = &n->entries[n->count++];
    *entry = (struct entry){0, r->scan.token_pos, r->scan.raw, r->scan.has_escape};
    struct str text = meaning_of(entry, &r->key);
    // Where the run lies is the seed: no payload can be made to collide.
    entry->hash = hash64(bytes_of(text.ptr, text.len), (uintptr_t)r);
}

// compare notes what is there twice. false: the steps are spent.
static bool compare(struct names *n, const struct entry *a, const struct entry *b)
{
    struct run *r = n->run;
    if (a->hash == b->hash && run_step(r) && str_equal(meaning_of(a, &r->key), meaning_of(b, &r->text))) {
        const struct entry *late = a->pos > b->pos ? a : b;
        n->twice = n->twice == NULL || late->pos < n->twice->pos ? late : n->twice;
    }
    return run_step(r);
}

static int entry_compare(const void *left, const void *right, void *context)
{
    const struct entry *a = left;
    const struct entry *b = right;
    struct run *r = context;
    run_step(r);
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    int order = str_compare(meaning_of(a, &r->key), meaning_of(b, &r->text));
    return order != 0 ? order : a->pos < b->pos ? -1 : 1;
}

// close_object compares the names of the object that ends, and forgets them.
static void close_object(struct names *n, size_t first)
{
    struct entry *own = n->entries + first;
    size_t count = n->count - first;
    bool are_few = count <= NAMES_FEW;
    if (!are_few) {
        qsort_r(own, count, sizeof *own, entry_compare, n->run);
    }
    for (size_t i = 1; i < count; i++) {
        // Sorted, the same names are neighbours.
        for (size_t k = are_few ? 0 : i - 1; k < i && compare(n, &own[k], &own[i]); k++) {
        }
    }
    n->count = first;
}

// tell_twice tells of the name, in the object at hand. Which names on the way there are the schema's, its
// types know.
static void tell_twice(struct names *n, const struct jprogram *program, uint32_t depth)
{
    struct run *r = n->run;
    struct value_type type = program_root_type(&program->base);
    r->scan.depth = r->path_count = depth;
    for (uint32_t i = 0; i < depth; i++) {
        struct path_step *step = &r->path[i];
        struct value_type inner = {0};
        if (step->key.ptr == NULL) {
            type = type_item(&type);
            continue;
        }
        struct entry entry = {.raw = step->key, .has_escape = true};
        struct str name = meaning_of(&entry, &r->key);
        step->is_data = type.program == NULL || !jschema_type_has_name(&type, name);
        type = type_field(&type, name, &inner) ? inner : (struct value_type){0};
    }
    run_fault(r, n->twice->pos, "a member name is there twice");
}

// next_token takes one token of the payload. false: the end, or a name that is there twice.
static bool next_token(struct names *n, const struct jprogram *program)
{
    struct run *r = n->run;
    enum json_token t = json_scan_next(&r->scan);
    uint32_t depth = r->scan.depth;
    switch (t) {
    case JSON_TOKEN_END:
    case JSON_TOKEN_ERROR:
        return false; // for who judges to tell
    case JSON_TOKEN_KEY:
        r->path[depth - 1].key = r->scan.raw;
        add(n);
        return true;
    case JSON_TOKEN_OBJECT_END:
        close_object(n, n->first[depth]);
        if (n->twice != NULL) {
            tell_twice(n, program, depth);
        }
        return n->twice == NULL && !r->is_given_up;
    case JSON_TOKEN_ARRAY_END:
        return true;
    default:
        break;
    }
    bool is_open = t == JSON_TOKEN_OBJECT_BEGIN || t == JSON_TOKEN_ARRAY_BEGIN;
    uint32_t around = depth - is_open;
    // An item's index moves on when the next one comes.
    if (around > 0 && r->path[around - 1].key.ptr == NULL) {
        r->path[around - 1].index++;
    }
    if (is_open) {
        r->path[depth - 1] = (struct path_step){{0}, UINT32_MAX, false};
        n->first[depth - 1] = n->count;
    }
    return true;
}

bool names_unique(struct run *r, const struct jprogram *program)
{
    struct names n __attribute__((uninitialized)); // `few` and `first` as far as they are used
    n.run = r;
    n.entries = n.few;
    n.count = 0;
    n.cap = NAMES_CAP;
    n.twice = NULL;
    while (next_token(&n, program)) {
    }
    if (n.entries != n.few) {
        mem_free(n.entries);
    }
    return n.twice == NULL && !r->is_given_up;
}
