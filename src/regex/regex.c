// SPDX-License-Identifier: Apache-2.0
// regex.c - which of the three ways of searching a pattern takes.
#include "regex/regex.h"

#include "base/mem.h"
#include "regex/regex_private.h"

enum err regex_create(struct str pattern, enum regex_syntax syntax, struct regex **ret, struct error *e)
{
    struct regex_tree tree = {0};
    struct regex *regex = mem_zalloc(sizeof *regex);
    enum err err = regex_parse(pattern, syntax, &tree, e);
    if (err == ERR_OK) {
        err = regex_tree_compile(&tree, regex, e);
    }
    regex_tree_fini(&tree);
    if (err != ERR_OK) {
        regex_destroy(regex);
        return err;
    }
    if (!regex->has_backrefs && !regex->has_looks) {
        regex_build_states(regex);
    }
    *ret = regex;
    return ERR_OK;
}

void regex_destroy(struct regex *take_regex)
{
    if (take_regex == NULL) {
        return;
    }
    mem_free(take_regex->insts);
    mem_free(take_regex->bounds);
    mem_free(take_regex->bound_classes);
    mem_free(take_regex->class_kinds);
    mem_free(take_regex->set_members);
    mem_free(take_regex->states);
    mem_free(take_regex->accepts_at_end);
    mem_free(take_regex);
}

size_t regex_memory(const struct regex *regex)
{
    size_t states = (size_t)regex->state_count * (regex->class_count * sizeof *regex->states + 1);
    return sizeof *regex + regex->inst_count * sizeof *regex->insts +
           regex->bound_count * sizeof(uint32_t) * 2 +
           (size_t)regex->set_count * regex->set_words * sizeof(uint64_t) + regex->class_count + states;
}

uint64_t regex_work(const struct regex *regex)
{
    return regex->work;
}

enum err regex_check(struct str pattern, enum regex_syntax syntax, int64_t *budget, struct error *e)
{
    struct regex_tree tree = {0};
    enum err err = regex_parse(pattern, syntax, &tree, e);
    *budget -= (int64_t)(1 + tree.work);
    regex_tree_fini(&tree);
    return err;
}

enum regex_result regex_search(const struct regex *regex, struct str text, int64_t *budget)
{
    int64_t own = REGEX_BUDGET;
    budget = budget == NULL ? &own : budget;
    if (*budget < 0) {
        return REGEX_GIVEN_UP;
    }
    if (regex->states != NULL) {
        *budget -= (int64_t)(1 + text.len / REGEX_BYTES_PER_STEP);
        return regex_search_states(regex, text);
    }
    if (!regex->has_backrefs && !regex->has_looks) {
        return regex_search_places(regex, text, budget);
    }
    return regex_search_steps(regex, text, budget);
}
