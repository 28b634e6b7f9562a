// SPDX-License-Identifier: Apache-2.0
// compare_patterns.c - the patterns of patternProperties, each compiled once for all names that it is asked
// about, and what that takes, in steps of the comparison.
#include "base/hash.h"
#include "base/mem.h"
#include "format/json/compare_private.h"

enum {
    PATTERNS_BYTES_MAX = 64 << 20, // of those that are kept
    REGEX_STEPS = 4,               // of a regular expression, for one of the comparison
};

struct pattern {
    struct map_node node; // by the value
    const struct json_value *value;
    struct regex *regex; // NULL: it does not compile
};

void patterns_fini(struct compare *c)
{
    struct map_node *node;
    while ((node = map_pop(&c->patterns)) != NULL) {
        struct pattern *pattern = MAP_ENTRY(node, struct pattern, node);
        regex_destroy(pattern->regex);
        mem_free(pattern);
    }
    c->pattern_bytes = 0;
}

static struct pattern *pattern_of(struct compare *c, const struct json_value *value)
{
    uint64_t hash = hash_mix((uintptr_t)value, 5);
    for (struct map_node *n = map_first(&c->patterns, hash); n != NULL; n = map_next(n)) {
        if (MAP_ENTRY(n, struct pattern, node)->value == value) {
            return MAP_ENTRY(n, struct pattern, node);
        }
    }
    if (c->pattern_bytes > PATTERNS_BYTES_MAX) {
        patterns_fini(c);
    }
    struct pattern *pattern = mem_zalloc(sizeof *pattern);
    pattern->value = value;
    if (jschema_regex(value->key, &pattern->regex, NULL) == ERR_OK) {
        c->pattern_bytes += regex_memory(pattern->regex);
        c->steps += regex_work(pattern->regex) / REGEX_STEPS;
    }
    map_insert(&c->patterns, &pattern->node, hash);
    return pattern;
}

bool pattern_matches(struct compare *c, const struct json_value *value, struct str name)
{
    int64_t budget = REGEX_BUDGET;
    const struct pattern *pattern = pattern_of(c, value);
    bool is_match = pattern->regex != NULL && regex_search(pattern->regex, name, &budget) == REGEX_YES;
    c->steps += (uint64_t)(REGEX_BUDGET - budget) / REGEX_STEPS;
    return is_match;
}
