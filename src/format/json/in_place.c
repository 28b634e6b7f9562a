// SPDX-License-Identifier: Apache-2.0
// in_place.c - subschemas that apply to the same value: its bytes are read again for each.
#include "format/json/run_private.h"

// nearest_fault explains why no branch holds by the one that got furthest.
static void __attribute__((noinline, cold))
nearest_fault(struct run *r, const struct in_place *op, struct span start, const char *keyword)
{
    struct program_fault *ret = r->fault;
    if (r->is_quiet || ret == NULL || r->has_fault || r->is_malformed || r->is_given_up) {
        return;
    }
    if (r->is_explaining) { // within another explanation: short
        r->scan.depth = start.depth;
        run_fault(r, start.pos, "%s: none of %u schemas", keyword, op->count);
        return;
    }
    struct program_fault trial;
    struct program_fault best = {.position = 0};
    trial.hides_values = ret->hides_values;
    bool has_best = false;
    r->is_explaining = true;
    r->fault = &trial;
    for (uint32_t i = 0; i < op->count && !r->is_malformed && !r->is_given_up; i++) {
        r->has_fault = false;
        if (!eval_again(r, op->nodes[i], start, NULL) && r->has_fault &&
            (!has_best || trial.position > best.position)) {
            best = trial;
            has_best = true;
        }
    }
    r->is_explaining = false;
    r->fault = ret;
    r->has_fault = false;
    r->scan.depth = start.depth;
    if (!has_best) {
        run_fault(r, start.pos, "%s: none of %u schemas", keyword, op->count);
        return;
    }
    run_fault(r, best.position, "%s; %s: none of %u schemas, this is the nearest", best.text, keyword,
              op->count);
    memcpy(ret->path, best.path, sizeof ret->path);
}

// eval_branches counts the branches that hold, up to two if one is wanted. *ret_end: behind the value, if any
// held.
static uint32_t eval_branches(struct run *r, const struct in_place *op, enum json_token t, struct span start,
                              size_t *ret_end, struct marks *marks)
{
    uint32_t held = 0;
    uint32_t enough = op->kind == IN_PLACE_ONE ? 2 : marks != NULL ? UINT32_MAX : 1;
    for (uint32_t i = 0; i < op->count && held < enough && !r->is_malformed && !r->is_given_up; i++) {
        if ((op->nodes[i]->types & token_types[t]) == 0) {
            continue;
        }
        struct marks own = {0};
        if (eval_quietly(r, op->nodes[i], start, marks == NULL ? NULL : &own)) {
            held++;
            *ret_end = r->scan.pos;
            if (marks != NULL) {
                marks_merge(marks, &own);
            }
        }
        marks_fini(&own);
    }
    return held;
}

static bool eval_if(struct run *r, const struct in_place *op, struct span start, struct marks *marks)
{
    struct marks own = {0};
    bool holds = eval_quietly(r, op->nodes[0], start, marks == NULL ? NULL : &own);
    if (holds && marks != NULL) {
        marks_merge(marks, &own);
    }
    marks_fini(&own);
    const struct jnode *next = op->nodes[holds ? 1 : 2];
    if (r->is_malformed || r->is_given_up) {
        return false;
    }
    return next == NULL || eval_again(r, next, start, marks);
}

// eval_op judges one keyword. *end is set if the value was read to its end.
static bool eval_op(struct run *r, const struct in_place *op, enum json_token t, struct span start,
                    size_t *end, struct marks *marks)
{
    uint32_t held;
    bool holds;
    switch (op->kind) {
    case IN_PLACE_ALL:
        holds = eval_again(r, op->nodes[0], start, marks);
        *end = r->scan.pos;
        return holds;
    case IN_PLACE_ANY:
    case IN_PLACE_ONE:
        held = eval_branches(r, op, t, start, end, marks);
        if (held == 0) {
            nearest_fault(r, op, start, op->kind == IN_PLACE_ANY ? "anyOf" : "oneOf");
            return false;
        }
        r->scan.depth = start.depth;
        return held == 1 || op->kind == IN_PLACE_ANY ||
               run_fault(r, start.pos, "oneOf: more than one schema holds");
    case IN_PLACE_NOT:
        if (eval_quietly(r, op->nodes[0], start, NULL)) {
            r->scan.depth = start.depth;
            return run_fault(r, start.pos, "what `not` forbids");
        }
        return true;
    case IN_PLACE_IF:
        return eval_if(r, op, start, marks);
    }
    return true;
}

bool eval_in_place(struct run *r, const struct jnode *node, enum json_token t, struct span start, size_t end,
                   struct marks *marks)
{
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        if (!eval_op(r, &node->in_place[i], t, start, &end, marks) || r->is_malformed || r->is_given_up) {
            return false;
        }
    }
    if (end == 0) {
        t = run_restart(r, start);
        return json_scan_skip(&r->scan, t) || run_malformed(r);
    }
    run_after(r, end, start.depth);
    return true;
}
