// SPDX-License-Identifier: Apache-2.0
// fast_containers.c - objects, arrays, and what applies in place, for fast.c.
#include "format/json/fast_private.h"

// ---- slots

static void clear_marks(struct fast *f, uint32_t slot)
{
    for (uint32_t child = f->slots->slots[slot].first; child != 0; child = f->slots->slots[child].next) {
        if (f->marks[child].begin != NULL) {
            f->marks[child].begin = NULL;
            clear_marks(f, child);
        }
    }
}

// mark_member notes where a member's value begins that a path leads to or through; NO_SLOT if none does. An
// object may be judged several times, and of members with the same name the last one counts: the place
// decides.
static uint32_t mark_member(struct fast *f, uint32_t slot, struct str name, const char *value)
{
    uint32_t child = f->slots->slots[slot].first;
    while (child != 0 && !name_equal(f->slots->slots[child].name, name)) {
        child = f->slots->slots[child].next;
    }
    if (child == 0 || f->marks[child].begin > value) {
        return NO_SLOT;
    }
    if (f->marks[child].begin != value) {
        clear_marks(f, child);
        f->marks[child].begin = value;
    }
    return child;
}

// ---- objects

static struct property no_property;
static const struct object_check nothing_asked = {.properties = &no_property, .max = INT64_MAX};

struct members {
    const struct object_check *check;
    uint32_t slot;
    uint32_t hint;
    uint32_t count;
    uint64_t seen[FAST_WORDS];
    struct fast_names others;
};

// A member's name as it stands in the payload.
struct name {
    const char *begin;
    const char *end;
    bool has_escape;
};

// rest_holds judges a member's value by what does not come from `properties`. Returns what is behind it.
static const char *rest_holds(struct fast *f, const struct object_check *check, const struct name *name,
                              const char *value, const char *end)
{
    bool is_matched = end != NULL;
    uint32_t slot = f->slot;
    for (uint32_t i = 0; i < check->pattern_count; i++) {
        struct str text = fast_text(f, name->begin, name->end, name->has_escape);
        enum regex_result result = regex_search(check->patterns[i].regex, text, &f->regex_budget);
        if (result == REGEX_GIVEN_UP) {
            return fast_give_up(f);
        }
        if (result == REGEX_YES) {
            is_matched = true;
            f->slot = slot;
            end = fast_value(f, check->patterns[i].node, value);
            if (end == NULL) {
                return NULL;
            }
        }
    }
    f->slot = slot;
    if (is_matched) {
        return end;
    }
    return check->additional == NULL ? fast_skip(f, value) : fast_value(f, check->additional, value);
}

// find_property finds what is known of the name whose quote is at `p`. Returns the name's end, NULL if it is
// malformed.
static inline const struct property *find_property(struct fast *f, struct members *m, const char *p,
                                                   struct name *name)
{
    const struct object_check *check = m->check;
    const struct property *property = check->properties + m->hint;
    name->begin = p + 1;
    name->has_escape = false;
    for (uint32_t i = m->hint; i < m->hint + 2 && i < check->property_count; i++, property++) {
        if (key_equal_at(&property->key, p + 1)) {
            m->hint = i + 1;
            name->end = p + 1 + property->name.len;
            return property;
        }
    }
    name->end = lex_string(p + 1, &name->has_escape);
    if (name->end == NULL || check->property_count == 0) {
        return NULL;
    }
    struct str text = fast_text(f, name->begin, name->end, name->has_escape);
    uint32_t found = property_find(check, text, UINT32_MAX);
    if (found == 0) {
        return NULL;
    }
    m->hint = found;
    return &check->properties[found - 1];
}

static const char *member_holds(struct fast *f, struct members *m, const char *p)
{
    const struct object_check *check = m->check;
    struct name name;
    if (*p != '"' || !fast_step(f)) {
        return NULL;
    }
    const struct property *property = find_property(f, m, p, &name);
    if (name.end == NULL) {
        return NULL;
    }
    const struct jnode *node = NULL;
    if (property != NULL) {
        size_t index = (size_t)(property - check->properties);
        uint64_t bit = (uint64_t)1 << (index % 64);
        if ((m->seen[index / 64] & bit) != 0) {
            return fast_twice(f);
        }
        m->seen[index / 64] |= bit;
        node = property->node;
    } else if (!fast_name_is_new(f, &m->others, name.begin, name.end, name.has_escape)) {
        return fast_twice(f);
    }
    const char *value = lex_space(name.end + 1);
    if (*value != ':') {
        return NULL;
    }
    value = lex_space(value + 1);
    f->slot = NO_SLOT;
    if (check->names != NULL && fast_value(f, check->names, p) == NULL) {
        return NULL;
    }
    uint32_t slot = NO_SLOT;
    if (m->slot != NO_SLOT) {
        slot = mark_member(f, m->slot, fast_text(f, name.begin, name.end, name.has_escape), value);
        f->slot = slot;
    }
    const char *end = NULL;
    if (node != NULL) {
        end = fast_value(f, node, value);
        if (end == NULL) {
            return NULL;
        }
    }
    if (node == NULL || check->pattern_count > 0) {
        end = rest_holds(f, check, &name, value, end);
    }
    if (slot != NO_SLOT) {
        f->marks[slot].end = end;
    }
    return end;
}

static bool dependents_hold(struct fast *f, const struct members *m, const char *begin)
{
    const struct object_check *check = m->check;
    for (uint32_t i = 0; i < check->dependent_count; i++) {
        const struct dependent *d = &check->dependents[i];
        if ((m->seen[d->property / 64] >> (d->property % 64) & 1) == 0) {
            continue;
        }
        f->slot = m->slot;
        if ((d->needed != NULL && !all_seen(check, m->seen, d->needed)) ||
            (d->node != NULL && fast_value(f, d->node, begin) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool choices_hold(const struct object_check *check, const uint64_t *seen)
{
    for (uint32_t i = 0; i < check->choice_count; i++) {
        const struct choice *choice = &check->choices[i];
        uint32_t held = 0;
        for (uint32_t k = 0; k < choice->count; k++) {
            held += all_seen(check, seen, choice->needed[k]);
        }
        bool holds = choice->kind == IN_PLACE_ANY   ? held > 0
                     : choice->kind == IN_PLACE_ONE ? held == 1
                                                    : held == 0;
        if (!holds) {
            return false;
        }
    }
    return true;
}

static const char *members_hold(struct fast *f, struct members *m, const char *begin)
{
    const struct object_check *check = m->check;
    const char *p = lex_space(begin + 1);
    if (*p == '}') {
        p++;
    } else {
        for (;;) {
            p = member_holds(f, m, p);
            if (p == NULL) {
                return NULL;
            }
            m->count++;
            p = lex_space(p);
            if (*p != ',') {
                break;
            }
            p = lex_space(p + 1);
        }
        if (*p++ != '}') {
            return NULL;
        }
    }
    if (m->count < check->min || m->count > check->max ||
        (check->required != NULL && !all_seen(check, m->seen, check->required)) ||
        (check->choice_count > 0 && !choices_hold(check, m->seen))) {
        return NULL;
    }
    return p;
}

const char *fast_object(struct fast *f, const struct jnode *node, const char *p)
{
    struct members m __attribute__((uninitialized)); // `others` as far as they are counted
    m.check = node->fast_object != NULL ? node->fast_object : &nothing_asked;
    m.slot = f->slot;
    if (m.check == &nothing_asked && m.slot == NO_SLOT) {
        return fast_skip(f, p);
    }
    if (m.check->words > FAST_WORDS) {
        return fast_slow(f, node, p);
    }
    if (f->depth == PAYLOAD_DEPTH_MAX || f->nest == FAST_NEST_MAX) {
        return fast_give_up(f);
    }
    m.hint = 0;
    m.count = 0;
    fast_names_init(&m.others);
    for (uint32_t i = 0; i < m.check->words; i++) {
        m.seen[i] = 0;
    }
    f->depth++;
    f->nest++;
    const char *end = members_hold(f, &m, p);
    f->depth--;
    if (end != NULL && m.check->dependent_count > 0 && !dependents_hold(f, &m, p)) {
        end = NULL;
    }
    f->nest--;
    f->slot = m.slot;
    if (end != NULL) {
        fast_note_end(f, p, end);
    }
    return end;
}

// ---- arrays

// The items of an array so far, by their bytes.
struct unique {
    bool is_known; // equal items have equal bytes
    uint32_t count;
    uint8_t slots[FAST_UNIQUE_ITEMS * 2]; // by hash: index + 1
    struct str items[FAST_UNIQUE_ITEMS];
};

// is_exact: no other bytes mean the same value.
static bool is_exact(struct str item)
{
    if (*item.ptr == '"') {
        return memchr(item.ptr, '\\', item.len) == NULL;
    }
    bool is_number = *item.ptr == '-' || (*item.ptr >= '0' && *item.ptr <= '9');
    for (size_t i = 0; i < item.len && is_number; i++) {
        is_number = item.ptr[i] != '.' && (item.ptr[i] | 0x20) != 'e';
    }
    bool is_name = *item.ptr == 't' || *item.ptr == 'f' || *item.ptr == 'n';
    return is_name || (is_number && !(item.ptr[0] == '-' && item.ptr[1] == '0'));
}

// unique_add: false if the item is there already.
static bool unique_add(struct unique *u, struct str item)
{
    u->is_known = u->is_known && u->count < FAST_UNIQUE_ITEMS && is_exact(item);
    if (!u->is_known) {
        return true;
    }
    for (uint64_t slot = property_hash(item.ptr, item.len);; slot++) {
        uint8_t *at = &u->slots[slot % (FAST_UNIQUE_ITEMS * 2)];
        if (*at == 0) {
            u->items[u->count++] = item;
            *at = (uint8_t)u->count;
            return true;
        }
        if (name_equal(u->items[*at - 1], item)) {
            return false;
        }
    }
}

static const char *items_hold(struct fast *f, const struct array_check *check, const char *p,
                              struct unique *unique)
{
    int64_t found = 0;
    uint32_t count = 0;
    p = lex_space(p + 1);
    while (*p != ']' || count > 0) {
        const struct jnode *node = count < check->prefix_count ? check->prefix[count] : check->rest;
        if (!fast_step(f)) {
            return NULL;
        }
        found += check->contains != NULL && fast_value(f, check->contains, p) != NULL;
        const char *item = p;
        p = node == NULL ? fast_skip(f, p) : fast_value(f, node, p);
        if (p == NULL || (unique != NULL && !unique_add(unique, (struct str){item, (size_t)(p - item)}))) {
            return NULL;
        }
        count++;
        p = lex_space(p);
        if (*p != ',') {
            break;
        }
        p = lex_space(p + 1);
    }
    if (*p != ']' || count < check->min || count > check->max ||
        (check->contains != NULL && (found < check->contains_min || found > check->contains_max))) {
        return NULL;
    }
    return p + 1;
}

static const char *unique_hold(struct fast *f, const struct array_check *check, const char *p)
{
    struct unique unique __attribute__((uninitialized)); // `items` as far as `count` says
    unique.is_known = true;
    unique.count = 0;
    memset(unique.slots, 0, sizeof unique.slots);
    const char *end = items_hold(f, check, p, &unique);
    if (end != NULL && !unique.is_known) {
        f->depth--;
        end = fast_items_unique(f, p) ? end : NULL;
        f->depth++;
    }
    return end;
}

const char *fast_array(struct fast *f, const struct jnode *node, const char *p)
{
    const struct array_check *check = node->fast_array;
    if (check == NULL) {
        return fast_skip(f, p);
    }
    if (f->depth == PAYLOAD_DEPTH_MAX || f->nest == FAST_NEST_MAX) {
        return fast_give_up(f);
    }
    uint32_t slot = f->slot;
    f->slot = NO_SLOT;
    f->depth++;
    f->nest++;
    const char *end = check->is_unique ? unique_hold(f, check, p) : items_hold(f, check, p, NULL);
    f->depth--;
    f->nest--;
    f->slot = slot;
    if (end != NULL) {
        fast_note_end(f, p, end);
    }
    return end;
}

// ---- in place

// discriminator_at finds the text of the member that tells branches apart. false: there is none, or not soon.
static bool discriminator_at(const struct in_place *op, struct fast *f, const char *p, struct str *ret)
{
    bool has_escape;
    p = lex_space(p + 1);
    for (int i = 0; i < FAST_PEEK_MEMBERS && *p == '"'; i++) {
        struct str name = {p + 1, 0};
        const char *end = lex_string(p + 1, &has_escape);
        if (end == NULL) {
            return false;
        }
        name.len = (size_t)(end - p - 1);
        p = lex_space(end + 1);
        if (*p != ':') {
            return false;
        }
        p = lex_space(p + 1);
        if (!has_escape && name_equal(name, op->discriminator)) {
            end = *p == '"' ? lex_string(p + 1, &has_escape) : NULL;
            *ret = (struct str){p + 1, end == NULL ? 0 : (size_t)(end - p - 1)};
            return end != NULL && !has_escape;
        }
        p = fast_skip(f, p);
        if (p == NULL) {
            return false;
        }
        p = lex_space(p);
        if (*p != ',') {
            return false;
        }
        p = lex_space(p + 1);
    }
    return false;
}

static inline bool set_has(const struct value_set *set, struct str text)
{
    uint32_t few = set->slots == NULL ? set->string_count : 0;
    for (uint32_t i = 0; i < few; i++) {
        if (key_equal_at(&set->keys[i], text.ptr)) {
            return true;
        }
    }
    return (few == 0 || set->has_others) && value_set_has_string(set, text);
}

// branches_hold counts the branches that hold, up to two if one is wanted. *ret_end: behind the value.
static uint32_t branches_hold(struct fast *f, const struct in_place *op, const char *p, const char **ret_end)
{
    uint32_t slot = f->slot;
    uint32_t held = 0;
    uint32_t enough = op->kind == IN_PLACE_ONE ? 2 : 1;
    struct str text;
    f->slot = NO_SLOT;
    bool is_told = op->sets != NULL && *p == '{' && discriminator_at(op, f, p, &text);
    for (uint32_t i = 0; i < op->count && held < enough; i++) {
        if (is_told && op->sets[i] != NULL && !set_has(op->sets[i], text)) {
            continue;
        }
        f->slot = slot;
        const char *end = fast_step(f) ? fast_value(f, op->nodes[i], p) : NULL;
        if (end != NULL) {
            held++;
            *ret_end = end;
        }
    }
    f->slot = slot;
    return held;
}

static bool op_holds(struct fast *f, const struct in_place *op, const char *p, const char **ret_end)
{
    uint32_t slot = f->slot;
    const char *end;
    switch (op->kind) {
    case IN_PLACE_ALL:
        *ret_end = fast_value(f, op->nodes[0], p);
        return *ret_end != NULL;
    case IN_PLACE_ANY:
    case IN_PLACE_ONE:
        return branches_hold(f, op, p, ret_end) == 1;
    case IN_PLACE_NOT:
        end = fast_value(f, op->nodes[0], p);
        f->slot = slot;
        return end == NULL;
    case IN_PLACE_IF:
        break;
    }
    end = fast_value(f, op->nodes[0], p);
    f->slot = slot;
    const struct jnode *next = op->nodes[end != NULL ? 1 : 2];
    if (next == NULL) {
        *ret_end = end != NULL ? end : *ret_end;
        return true;
    }
    *ret_end = fast_value(f, next, p);
    return *ret_end != NULL;
}

const char *fast_in_place(struct fast *f, const struct jnode *node, const char *p)
{
    const char *end = NULL;
    bool holds = true;
    if (f->nest == FAST_NEST_MAX) {
        return fast_give_up(f);
    }
    f->nest++;
    // Branches first: what they have read, the schema's own keywords need not read again to pass over it.
    for (uint32_t i = 0; i < node->fast_in_place_count && holds; i++) {
        holds = op_holds(f, &node->fast_in_place[i], p, &end) && !f->is_unsure;
    }
    if (holds && !node->is_fast_bare) {
        end = fast_plain(f, node, p);
        holds = end != NULL;
    }
    if (holds && end == NULL) {
        end = fast_skip(f, p);
    }
    f->nest--;
    return holds ? end : NULL;
}
