// SPDX-License-Identifier: Apache-2.0
// containers.c - the keywords of arrays and objects.
#include "format/json/run_private.h"

#include "base/mem.h"

enum { SEEN_WORDS = 8 };

static bool close_expected(struct run *r, enum json_token t)
{
    return t == JSON_TOKEN_ERROR ? run_malformed(r) : true;
}

// ---- arrays

// eval_item judges one item; *found counts what `contains` accepts.
static bool eval_item(struct run *r, const struct array_check *check, enum json_token t, uint32_t index,
                      int64_t *found, struct marks *marks)
{
    const struct jnode *node = index < check->prefix_count ? check->prefix[index] : check->rest;
    if (check->contains != NULL) {
        struct span at = run_span(r, t);
        if (eval_quietly(r, check->contains, at, NULL)) {
            (*found)++;
            if (marks != NULL && check->contains_evaluates) {
                marks_set(marks, index);
            }
        }
        if (r->is_malformed || r->is_given_up) {
            return false;
        }
        t = run_restart(r, at);
    }
    if (node == NULL) {
        return json_scan_skip(&r->scan, t) || run_malformed(r);
    }
    if (marks != NULL) {
        marks_set(marks, index);
    }
    return eval(r, node, t, NULL);
}

bool eval_array(struct run *r, const struct array_check *check, struct span start, struct marks *marks)
{
    struct path_step *step = &r->path[start.depth];
    int64_t found = 0;
    uint32_t count = 0;
    enum json_token t;
    while ((t = json_scan_next(&r->scan)) != JSON_TOKEN_ARRAY_END) {
        *step = (struct path_step){{0}, count};
        r->path_count = start.depth + 1;
        if (!close_expected(r, t) || !run_step(r) || !eval_item(r, check, t, count, &found, marks)) {
            return false;
        }
        count++;
    }
    if (marks != NULL && (check->rest != NULL || count <= check->prefix_count)) {
        marks->is_all = true;
    }
    if (count < check->min) {
        return run_fault(r, start.pos, "%u items; minItems: %lld", count, (long long)check->min);
    }
    if (count > check->max) {
        return run_fault(r, start.pos, "%u items; maxItems: %lld", count, (long long)check->max);
    }
    if (check->contains != NULL && (found < check->contains_min || found > check->contains_max)) {
        return run_fault(
            r, start.pos, "%lld items that `contains` asks for; %s: %lld", (long long)found,
            found < check->contains_min ? "minContains" : "maxContains",
            (long long)(found < check->contains_min ? check->contains_min : check->contains_max));
    }
    return !check->is_unique || count < 2 || items_unique(r, start);
}

// ---- objects

static bool __attribute__((noinline, cold))
fault_missing(struct run *r, const struct object_check *check, const uint64_t *seen, const uint64_t *needed,
              size_t pos, const char *keyword)
{
    for (uint32_t i = 0; i < check->property_count; i++) {
        if (((needed[i / 64] & ~seen[i / 64]) >> (i % 64) & 1) != 0) {
            struct str name = check->properties[i].name;
            return run_fault(r, pos, "\"%.*s\" is missing (%s)", (int)(name.len > 100 ? 100 : name.len),
                             name.ptr, keyword);
        }
    }
    return true;
}

static bool eval_dependents(struct run *r, const struct object_check *check, struct span start,
                            const uint64_t *seen, struct marks *marks)
{
    size_t end = r->scan.pos;
    for (uint32_t i = 0; i < check->dependent_count; i++) {
        const struct dependent *d = &check->dependents[i];
        if ((seen[d->property / 64] >> (d->property % 64) & 1) == 0) {
            continue;
        }
        if (d->needed != NULL && !all_seen(check, seen, d->needed) &&
            !fault_missing(r, check, seen, d->needed, start.pos, "dependentRequired")) {
            return false;
        }
        if (d->node != NULL && !eval_again(r, d->node, start, marks)) {
            return false;
        }
    }
    run_after(r, end, start.depth);
    return true;
}

static bool eval_name(struct run *r, const struct jnode *names, struct span key)
{
    size_t behind = r->scan.pos;
    json_scan_seek(&r->scan, key.pos, key.depth, true); // the name is a string like any other
    bool holds = eval(r, names, json_scan_next(&r->scan), NULL);
    json_scan_seek(&r->scan, behind, key.depth, true);
    return holds;
}

// eval_patterns applies patternProperties; *ret_is_matched if one took the name.
static bool eval_patterns(struct run *r, const struct object_check *check, struct str name, struct span value,
                          bool *ret_is_matched)
{
    for (uint32_t i = 0; i < check->pattern_count; i++) {
        enum regex_result result = regex_search(check->patterns[i].regex, name, &r->regex_budget);
        if (result == REGEX_GIVEN_UP) {
            r->is_given_up = true;
            return false;
        }
        if (result == REGEX_YES) {
            *ret_is_matched = true;
            if (!eval_again(r, check->patterns[i].node, value, NULL)) {
                return false;
            }
            if (name.ptr ==
                (const char *)r->key.ptr) { // a member of the value had escapes, too: read it again
                buf_reset(&r->key);
                json_unescape(r->path[value.depth - 1].key, &r->key);
                name = buf_str(&r->key);
            }
        }
    }
    return true;
}

// eval_member judges the value behind a name that was just read. *hint moves on.
static bool eval_member(struct run *r, const struct object_check *check, struct span key, uint64_t *seen,
                        uint32_t *hint, bool *ret_is_evaluated)
{
    struct str name = string_of(&r->scan, &r->key);
    uint32_t found = property_find(check, name, *hint);
    const struct jnode *node = NULL;
    bool is_matched = false;
    if (found > 0) {
        seen[(found - 1) / 64] |= (uint64_t)1 << ((found - 1) % 64);
        node = check->properties[found - 1].node;
        is_matched = node != NULL;
        *hint = found;
        r->path[key.depth - 1].is_data = false;
    }
    if (check->names != NULL) {
        if (!eval_name(r, check->names, key)) {
            return false;
        }
        if (check->pattern_count > 0 && name.ptr == (const char *)r->key.ptr) {
            buf_reset(&r->key);
            json_unescape(r->path[key.depth - 1].key, &r->key);
            name = buf_str(&r->key);
        }
    }
    if (check->pattern_count == 0 && (node != NULL || check->additional == NULL)) {
        *ret_is_evaluated = node != NULL;
        enum json_token t = json_scan_next(&r->scan);
        return node != NULL ? eval(r, node, t, NULL) : json_scan_skip(&r->scan, t) || run_malformed(r);
    }
    enum json_token t = json_scan_next(&r->scan);
    struct span value = run_span(r, t);
    size_t end = 0;
    if (t == JSON_TOKEN_ERROR) {
        return run_malformed(r);
    }
    if (node != NULL) {
        if (!eval(r, node, t, NULL)) {
            return false;
        }
        end = r->scan.pos;
        if (check->pattern_count > 0 && name.ptr == (const char *)r->key.ptr) {
            buf_reset(&r->key);
            json_unescape(r->path[key.depth - 1].key, &r->key);
            name = buf_str(&r->key);
        }
    }
    bool is_matched_before = is_matched;
    is_matched = false;
    if (!eval_patterns(r, check, name, value, &is_matched)) {
        return false;
    }
    end = is_matched ? r->scan.pos : end;
    is_matched |= is_matched_before;
    if (!is_matched && check->additional != NULL) {
        *ret_is_evaluated = true;
        if (check->additional->types == 0) {
            r->scan.depth = value.depth;
            bool is_hidden = r->fault != NULL && r->fault->hides_values;
            name = is_hidden ? STR("...") : name;
            return run_fault(r, key.pos, "\"%.*s\" is not a known property (additionalProperties)",
                             (int)(name.len > 100 ? 100 : name.len), name.ptr);
        }
        return eval_again(r, check->additional, value, NULL);
    }
    *ret_is_evaluated = is_matched;
    if (end == 0) {
        t = run_restart(r, value);
        return json_scan_skip(&r->scan, t) || run_malformed(r);
    }
    run_after(r, end, value.depth);
    return true;
}

static bool eval_members(struct run *r, const struct object_check *check, struct span start, uint64_t *seen,
                         struct marks *marks)
{
    struct path_step *step = &r->path[start.depth];
    uint32_t count = 0;
    uint32_t evaluated = 0;
    uint32_t hint = 0;
    enum json_token t;
    while ((t = json_scan_next(&r->scan)) != JSON_TOKEN_OBJECT_END) {
        if (!close_expected(r, t) || !run_step(r)) {
            return false;
        }
        struct span key = {r->scan.token_pos, r->scan.depth};
        step->key = r->scan.raw;
        step->is_data = true;
        r->path_count = start.depth + 1;
        bool is_evaluated = false;
        if (!eval_member(r, check, key, seen, &hint, &is_evaluated)) {
            return false;
        }
        if (marks != NULL && is_evaluated) {
            marks_set(marks, count);
            evaluated++;
        }
        count++;
    }
    if (marks != NULL && evaluated == count) {
        marks->is_all = true;
    }
    if (count < check->min) {
        return run_fault(r, start.pos, "%u members; minProperties: %lld", count, (long long)check->min);
    }
    if (count > check->max) {
        return run_fault(r, start.pos, "%u members; maxProperties: %lld", count, (long long)check->max);
    }
    return true;
}

bool eval_object(struct run *r, const struct object_check *check, struct span start, struct marks *marks)
{
    uint64_t few[SEEN_WORDS];
    uint64_t *seen = check->words <= SEEN_WORDS ? few : mem_array(check->words, sizeof *seen);
    memset(seen, 0, check->words * sizeof *seen);
    bool holds = eval_members(r, check, start, seen, marks) &&
                 (check->required == NULL || all_seen(check, seen, check->required) ||
                  fault_missing(r, check, seen, check->required, start.pos, "required")) &&
                 (check->dependent_count == 0 || eval_dependents(r, check, start, seen, marks));
    if (seen != few) {
        mem_free(seen);
    }
    return holds;
}

// ---- unevaluated*

bool eval_unevaluated(struct run *r, const struct jnode *node, struct span start, const struct marks *marks)
{
    size_t end = r->scan.pos;
    if (marks->is_all) {
        return true;
    }
    enum json_token t = run_restart(r, start);
    bool is_object = t == JSON_TOKEN_OBJECT_BEGIN;
    const struct jnode *inner = is_object                     ? node->unevaluated_properties
                                : t == JSON_TOKEN_ARRAY_BEGIN ? node->unevaluated_items
                                                              : NULL;
    if (inner == NULL) {
        run_after(r, end, start.depth);
        return true;
    }
    struct path_step *step = &r->path[start.depth];
    for (uint32_t i = 0;; i++) {
        t = json_scan_next(&r->scan);
        if (t == JSON_TOKEN_OBJECT_END || t == JSON_TOKEN_ARRAY_END) {
            return true;
        }
        *step = (struct path_step){is_object ? r->scan.raw : (struct str){0}, i, is_object};
        r->path_count = start.depth + 1;
        size_t pos = r->scan.token_pos;
        t = is_object ? json_scan_next(&r->scan) : t;
        if (t == JSON_TOKEN_ERROR || !run_step(r)) {
            return t == JSON_TOKEN_ERROR ? run_malformed(r) : false;
        }
        if (marks_has(marks, i)) {
            if (!json_scan_skip(&r->scan, t)) {
                return run_malformed(r);
            }
        } else if (inner->types == 0) {
            r->scan.depth = start.depth + 1;
            return run_fault(r, pos, "no schema knows this %s (%s)", is_object ? "property" : "item",
                             is_object ? "unevaluatedProperties" : "unevaluatedItems");
        } else if (!eval(r, inner, t, NULL)) {
            return false;
        }
    }
}
