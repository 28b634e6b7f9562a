// SPDX-License-Identifier: Apache-2.0
// program.c - a tree becomes instructions, repeats unrolled; and characters that no set tells apart become
// classes.
#include "regex/regex_private.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

struct emitter {
    const struct regex_tree *tree;
    struct regex *regex;
    uint32_t cap;
    bool is_full;
};

static uint32_t emit(struct emitter *m, enum inst_kind kind, uint32_t x, uint32_t y)
{
    struct regex *r = m->regex;
    if (r->inst_count == REGEX_PLACES_MAX) {
        m->is_full = true;
        return 0;
    }
    if (r->inst_count == m->cap) {
        m->cap = m->cap == 0 ? 64 : m->cap * 2;
        r->insts = mem_realloc(r->insts, m->cap * sizeof *r->insts);
    }
    r->insts[r->inst_count] = (struct regex_inst){.kind = (uint8_t)kind, .x = x, .y = y};
    return r->inst_count++;
}

static void emit_node(struct emitter *m, uint32_t index);

static void emit_list(struct emitter *m, uint32_t child)
{
    const struct regex_node *nodes = m->tree->nodes;
    for (; child != NO_NODE && !m->is_full; child = nodes[child].next) {
        emit_node(m, child);
    }
}

static void emit_choice(struct emitter *m, uint32_t child)
{
    const struct regex_node *nodes = m->tree->nodes;
    uint32_t last_jump = 0; // jumps to the end are a chain through x until the end is known
    bool has_jump = false;
    for (; child != NO_NODE && !m->is_full; child = nodes[child].next) {
        if (nodes[child].next == NO_NODE) {
            emit_node(m, child);
            break;
        }
        uint32_t split = emit(m, INST_SPLIT, 0, 0);
        emit_node(m, child);
        uint32_t jump = emit(m, INST_JUMP, last_jump, has_jump);
        last_jump = jump;
        has_jump = true;
        m->regex->insts[split].x = split + 1;
        m->regex->insts[split].y = m->regex->inst_count;
    }
    while (has_jump && !m->is_full) {
        struct regex_inst *jump = &m->regex->insts[last_jump];
        last_jump = jump->x;
        has_jump = jump->y != 0;
        jump->x = m->regex->inst_count;
    }
}

static void emit_endless(struct emitter *m, uint32_t child)
{
    uint32_t split = emit(m, INST_SPLIT, 0, 0);
    uint32_t slot = 0;
    if (m->tree->has_backrefs) {
        slot = m->regex->slot_count++;
        emit(m, INST_MARK, slot, 0);
    }
    emit_node(m, child);
    if (m->tree->has_backrefs) {
        emit(m, INST_MOVED, slot, 0);
    }
    emit(m, INST_JUMP, split, 0);
    if (!m->is_full) {
        m->regex->insts[split].x = split + 1;
        m->regex->insts[split].y = m->regex->inst_count;
    }
}

static void emit_repeat(struct emitter *m, const struct regex_node *node)
{
    if (node->first == NO_NODE) {
        return;
    }
    for (int32_t i = 0; i < node->min && !m->is_full; i++) {
        uint32_t before = m->regex->inst_count;
        emit_node(m, node->first);
        if (m->regex->inst_count == before) {
            return; // nothing, however often
        }
    }
    if (node->max == REPEAT_ENDLESS) {
        emit_endless(m, node->first);
        return;
    }
    uint32_t last_split = 0; // a chain through y, as above
    int32_t splits = 0;
    for (int32_t i = node->min; i < node->max && !m->is_full; i++) {
        last_split = emit(m, INST_SPLIT, m->regex->inst_count + 1, last_split);
        splits++;
        emit_node(m, node->first);
    }
    for (; splits > 0 && !m->is_full; splits--) {
        struct regex_inst *split = &m->regex->insts[last_split];
        last_split = split->y;
        split->y = m->regex->inst_count;
    }
}

static void emit_look(struct emitter *m, const struct regex_node *node)
{
    uint32_t look = emit(m, INST_LOOK, 0, 0);
    emit_list(m, node->first);
    emit(m, INST_LOOK_END, 0, 0);
    if (!m->is_full) {
        m->regex->insts[look].is_negative = node->is_negative;
        m->regex->insts[look].is_behind = node->is_behind;
        m->regex->insts[look].y = m->regex->inst_count;
    }
}

static void emit_group(struct emitter *m, const struct regex_node *node)
{
    if (!m->tree->has_backrefs) {
        emit_list(m, node->first);
        return;
    }
    emit(m, INST_SAVE, 2 * node->value, 0);
    emit_list(m, node->first);
    emit(m, INST_SAVE, 2 * node->value + 1, 0);
}

// Recursion is as deep as the tree: groups and what repeats.
static void emit_node(struct emitter *m, uint32_t index)
{
    if (index == NO_NODE || m->is_full) {
        return;
    }
    const struct regex_node *node = &m->tree->nodes[index];
    switch ((enum node_kind)node->kind) {
    case NODE_EMPTY:
        return;
    case NODE_SET:
        emit(m, INST_SET, node->value, 0);
        return;
    case NODE_LIST:
        emit_list(m, node->first);
        return;
    case NODE_CHOICE:
        emit_choice(m, node->first);
        return;
    case NODE_REPEAT:
        emit_repeat(m, node);
        return;
    case NODE_GROUP:
        emit_group(m, node);
        return;
    case NODE_ASSERT: {
        uint32_t at = emit(m, INST_ASSERT, 0, 0);
        m->regex->insts[at].assert_kind = m->is_full ? m->regex->insts[at].assert_kind : (uint8_t)node->value;
        return;
    }
    case NODE_LOOK:
        emit_look(m, node);
        return;
    case NODE_BACKREF:
        emit(m, INST_BACKREF, node->value, 0);
        return;
    }
}

// ---- classes

static int bound_compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static uint32_t bound_find(const uint32_t *bounds, uint32_t count, uint32_t c)
{
    uint32_t low = 0; // the last bound that is not behind c
    uint32_t high = count;
    while (high - low > 1) {
        uint32_t mid = (low + high) / 2;
        if (bounds[mid] <= c) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

static enum char_kind kind_of(uint32_t c)
{
    bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
    return is_word ? CHAR_WORD : c == '\n' ? CHAR_NEWLINE : CHAR_OTHER;
}

// bounds_make lists where sets begin and end: between two bounds all characters are alike.
static uint32_t *bounds_make(const struct regex_tree *tree, uint32_t *ret_count)
{
    static const uint32_t word_bounds[] = {0,       '0', '9' + 1, 'A',  'Z' + 1, '_',
                                           '_' + 1, 'a', 'z' + 1, '\n', '\n' + 1};
    size_t count = sizeof word_bounds / sizeof word_bounds[0];
    for (uint32_t i = 0; i < tree->set_count; i++) {
        count += 2 * (size_t)tree->sets[i].count;
    }
    uint32_t *bounds = mem_array(count, sizeof *bounds);
    count = tree->has_word_edges ? sizeof word_bounds / sizeof word_bounds[0] : 1;
    memcpy(bounds, word_bounds, count * sizeof *bounds);
    for (uint32_t i = 0; i < tree->set_count; i++) {
        for (uint32_t k = 0; k < tree->sets[i].count; k++) {
            bounds[count++] = tree->sets[i].ranges[k].first;
            bounds[count++] = tree->sets[i].ranges[k].last + 1;
        }
    }
    qsort(bounds, count, sizeof *bounds, bound_compare);
    uint32_t kept = 0;
    for (size_t i = 1; i < count; i++) {
        if (bounds[i] != bounds[kept]) {
            bounds[++kept] = bounds[i];
        }
    }
    *ret_count = kept + 1;
    return bounds;
}

struct signature {
    uint64_t hash; // of the sets that the characters are in, and of their kind
    uint32_t bound;
};

static int signature_compare(const void *left, const void *right)
{
    const struct signature *a = left;
    const struct signature *b = right;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

// classes_number gives equal signatures one number; returns how many there are.
static uint32_t classes_number(struct signature *signatures, uint32_t count, uint32_t *ret_classes)
{
    qsort(signatures, count, sizeof *signatures, signature_compare);
    uint32_t classes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && signatures[i].hash != signatures[i - 1].hash) {
            classes++;
        }
        ret_classes[signatures[i].bound] = classes;
    }
    return classes + 1;
}

static void members_make(const struct regex_tree *tree, struct regex *r, const uint32_t *bounds,
                         uint32_t count, const uint32_t *classes)
{
    r->set_words = (r->class_count + 63) / 64;
    r->set_count = tree->set_count;
    r->set_members = mem_array((size_t)r->set_count * r->set_words + 1, sizeof *r->set_members);
    r->class_kinds = mem_zalloc(r->class_count);
    for (uint32_t i = 0; i < count; i++) {
        r->class_kinds[classes[i]] = (uint8_t)kind_of(bounds[i]);
    }
    for (uint32_t s = 0; s < tree->set_count; s++) {
        for (uint32_t k = 0; k < tree->sets[s].count; k++) {
            uint32_t b = bound_find(bounds, count, tree->sets[s].ranges[k].first);
            for (; b < count && bounds[b] <= tree->sets[s].ranges[k].last; b++) {
                r->set_members[(size_t)s * r->set_words + classes[b] / 64] |= (uint64_t)1
                                                                              << (classes[b] % 64);
            }
        }
    }
}

// classes_make gives false if it takes too much work.
static bool classes_make(const struct regex_tree *tree, struct regex *r)
{
    uint32_t count;
    uint32_t *bounds = bounds_make(tree, &count);
    struct signature *signatures = mem_array(count, sizeof *signatures);
    uint32_t *classes = mem_array(count, sizeof *classes);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t kind = tree->has_word_edges ? kind_of(bounds[i]) : 0;
        signatures[i] = (struct signature){hash_mix(kind + 1, 0), i};
    }
    for (uint32_t s = 0; s < tree->set_count && r->work <= REGEX_WORK_MAX; s++) {
        for (uint32_t k = 0; k < tree->sets[s].count; k++) {
            uint32_t b = bound_find(bounds, count, tree->sets[s].ranges[k].first);
            for (; b < count && bounds[b] <= tree->sets[s].ranges[k].last; b++) {
                signatures[b].hash = hash_mix(signatures[b].hash, s + 1);
                r->work++;
            }
        }
    }
    if (r->work > REGEX_WORK_MAX) {
        mem_free(bounds);
        mem_free(signatures);
        mem_free(classes);
        return false;
    }
    r->class_count = classes_number(signatures, count, classes);
    members_make(tree, r, bounds, count, classes);
    for (uint32_t c = 0; c < 128; c++) {
        r->ascii[c] = (uint16_t)classes[bound_find(bounds, count, c)];
    }
    r->bounds = bounds;
    r->bound_count = count;
    r->bound_classes = mem_array(count, sizeof *r->bound_classes);
    for (uint32_t i = 0; i < count; i++) {
        r->bound_classes[i] = (uint16_t)classes[i];
    }
    mem_free(signatures);
    mem_free(classes);
    return true;
}

uint32_t regex_class_of(const struct regex *regex, uint32_t c)
{
    return c < 128 ? regex->ascii[c] : regex->bound_classes[bound_find(regex->bounds, regex->bound_count, c)];
}

enum err regex_tree_compile(const struct regex_tree *tree, struct regex *regex, struct error *e)
{
    regex->group_count = tree->group_count + 1;
    regex->slot_count = 2 * regex->group_count;
    regex->has_backrefs = tree->has_backrefs;
    regex->has_looks = tree->has_looks;
    struct emitter m = {.tree = tree, .regex = regex};
    emit_node(&m, tree->root);
    emit(&m, INST_MATCH, 0, 0);
    if (m.is_full) {
        return FAIL(e, ERR_INVALID_REQUEST, "a regular expression of more than %d places, repeats unrolled",
                    REGEX_PLACES_MAX);
    }
    regex->work = tree->work + regex->inst_count;
    if (!classes_make(tree, regex)) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "a regular expression whose sets of characters take too much work");
    }
    if (regex->class_count > UINT16_MAX) {
        return FAIL(e, ERR_INVALID_REQUEST, "too many different characters in a regular expression");
    }
    return ERR_OK;
}
