// SPDX-License-Identifier: Apache-2.0
// fast_fold.c - schemas that apply in place to an object and only name members, or only require some, become
// part of the schema that they apply with: for fast.c, which then reads the object once for all of them.
#include "format/json/compile_private.h"

enum {
    FOLD_NAMES_MAX = 256,     // of one object
    FOLD_BYTES_MAX = 4 << 20, // of one program: beyond, nothing more is folded
    FOLD_BRANCHES_MAX = 16,   // of one anyOf or oneOf, and keywords of one node
};

// What a node's fold is made of.
struct fold {
    struct compiler *c;
    const struct jnode *node;
    struct object_check *made;
    uint32_t types;
    size_t names; // that its table has to hold
    uint32_t choices;
    bool is_folded[FOLD_BRANCHES_MAX]; // by in-place op
};

static size_t names_of(const struct jnode *node)
{
    return node->object == NULL ? 0 : node->object->property_count;
}

static bool asks_objects_only(const struct jnode *node)
{
    return !node->has_in_place && node->string == NULL && node->number == NULL && node->array == NULL &&
           node->values[0] == NULL;
}

// Members that it does not name, and who depends on whom, are no matter of it.
static bool is_simple(const struct object_check *check)
{
    return check == NULL || (check->additional == NULL && check->pattern_count == 0 && check->names == NULL &&
                             check->dependent_count == 0);
}

static bool required_only(const struct jnode *node)
{
    const struct object_check *check = node->object;
    if (!asks_objects_only(node) || !is_simple(check) || (node->types & TYPE_OBJECT) == 0) {
        return false;
    }
    for (uint32_t i = 0; check != NULL && i < check->property_count; i++) {
        if (check->properties[i].node != NULL && !check->properties[i].node->is_any) {
            return false;
        }
    }
    return check == NULL || (check->min == 0 && check->max == INT64_MAX);
}

static struct property *known(const struct object_check *check, struct str name)
{
    uint32_t found = check == NULL || check->property_count == 0 ? 0 : property_find(check, name, UINT32_MAX);
    return found == 0 ? NULL : &check->properties[found - 1];
}

// can_merge: no name has one schema here and another one in what is merged already.
static bool can_merge(const struct fold *f, const struct jnode *sub)
{
    uint32_t types = f->types & sub->types;
    bool was_number = (f->types & TYPE_NUMBER) != 0;
    if (!asks_objects_only(sub) || !is_simple(sub->object) || f->names + names_of(sub) > FOLD_NAMES_MAX ||
        (was_number && (types & TYPES_NUMBERS) == TYPE_INTEGER)) {
        return false;
    }
    for (uint32_t i = 0; sub->object != NULL && i < sub->object->property_count; i++) {
        const struct property *own = &sub->object->properties[i];
        for (uint32_t k = 0; own->node != NULL && k <= f->node->in_place_count; k++) {
            bool is_self = k == f->node->in_place_count;
            const struct jnode *other = is_self ? f->node : f->node->in_place[k].nodes[0];
            if (!is_self && (f->node->in_place[k].kind != IN_PLACE_ALL || !f->is_folded[k])) {
                continue;
            }
            const struct property *same = known(other->object, own->name);
            if (same != NULL && same->node != NULL && same->node != own->node) {
                return false;
            }
        }
    }
    return true;
}

static bool can_choose(const struct fold *f, const struct in_place *op)
{
    if ((op->kind != IN_PLACE_ANY && op->kind != IN_PLACE_ONE && op->kind != IN_PLACE_NOT) ||
        f->types != TYPE_OBJECT || op->count > FOLD_BRANCHES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < op->count; i++) {
        if (!required_only(op->nodes[i])) {
            return false;
        }
    }
    return true;
}

// plan decides which ops are folded.
static void plan(struct fold *f)
{
    for (uint32_t i = 0; i < f->node->in_place_count; i++) {
        const struct in_place *op = &f->node->in_place[i];
        if (op->kind == IN_PLACE_ALL && can_merge(f, op->nodes[0])) {
            f->is_folded[i] = true;
            f->types &= op->nodes[0]->types;
            f->names += names_of(op->nodes[0]);
        }
    }
    for (uint32_t i = 0; i < f->node->in_place_count; i++) {
        const struct in_place *op = &f->node->in_place[i];
        size_t names = 0;
        for (uint32_t k = 0; k < op->count && k < FOLD_BRANCHES_MAX; k++) {
            names += op->nodes[k] == NULL ? 0 : names_of(op->nodes[k]);
        }
        if (f->names + names <= FOLD_NAMES_MAX && can_choose(f, op)) {
            f->is_folded[i] = true;
            f->choices++;
            f->names += names;
        }
    }
}

static uint64_t *mask_of(struct fold *f, const struct object_check *from)
{
    uint64_t *mask = arena_new(&f->c->program->arena, uint64_t, f->made->words + 1);
    for (uint32_t i = 0; mask != NULL && from != NULL && i < from->property_count; i++) {
        if (from->required != NULL && (from->required[i / 64] >> (i % 64) & 1) != 0) {
            uint32_t index = compile_property(f->c, f->made, from->properties[i].name);
            mask[index / 64] |= (uint64_t)1 << (index % 64);
        }
    }
    f->c->is_full |= mask == NULL;
    return mask;
}

static void merge(struct fold *f, const struct object_check *from)
{
    for (uint32_t i = 0; from != NULL && i < from->property_count; i++) {
        uint32_t index = compile_property(f->c, f->made, from->properties[i].name);
        if (from->properties[i].node != NULL) {
            f->made->properties[index].node = from->properties[i].node;
        }
    }
    uint64_t *required = mask_of(f, from);
    for (uint32_t i = 0; required != NULL && i < f->made->words && f->made->required != NULL; i++) {
        required[i] |= f->made->required[i];
    }
    f->made->required = required;
    if (from != NULL) {
        f->made->min = from->min > f->made->min ? from->min : f->made->min;
        f->made->max = from->max < f->made->max ? from->max : f->made->max;
    }
}

static void add_choice(struct fold *f, const struct in_place *op)
{
    struct choice *choice = &f->made->choices[f->made->choice_count];
    choice->kind = op->kind;
    choice->needed = arena_new(&f->c->program->arena, const uint64_t *, op->count);
    f->c->is_full |= choice->needed == NULL;
    for (uint32_t i = 0; i < op->count && choice->needed != NULL; i++) {
        choice->needed[i] = mask_of(f, op->nodes[i]->object);
        choice->count++;
    }
    f->made->choice_count++;
}

// make builds the object's check, and the list of what still applies in place.
static void make(struct fold *f, struct jnode *node)
{
    struct arena *arena = &f->c->program->arena;
    struct in_place *rest = arena_new(arena, struct in_place, node->in_place_count);
    f->made = arena_new(arena, struct object_check, 1);
    if (rest == NULL || f->made == NULL || !compile_table(f->c, f->made, f->names)) {
        f->c->is_full = true;
        return;
    }
    f->made->max = INT64_MAX;
    f->made->choices = arena_new(arena, struct choice, f->choices + 1);
    merge(f, node->object);
    if (node->object != NULL) {
        f->made->names = node->object->names;
        f->made->patterns = node->object->patterns;
        f->made->pattern_count = node->object->pattern_count;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->in_place_count && !f->c->is_full; i++) {
        const struct in_place *op = &node->in_place[i];
        if (!f->is_folded[i]) {
            rest[count++] = *op;
        } else if (op->kind == IN_PLACE_ALL) {
            merge(f, op->nodes[0]->object);
        } else {
            add_choice(f, op);
        }
    }
    node->fast_object = f->made;
    node->fast_types = (uint8_t)f->types;
    node->fast_in_place = rest;
    node->fast_in_place_count = count;
    node->is_fast_bare = false;
}

void compile_fold(struct compiler *c, struct jnode *node)
{
    struct fold f = {.c = c, .node = node, .types = node->types, .names = names_of(node)};
    bool is_closed =
        node->object != NULL && (node->object->additional != NULL || node->object->dependent_count > 0);
    if (node->in_place_count == 0 || node->in_place_count > FOLD_BRANCHES_MAX || node->has_unevaluated ||
        is_closed) {
        return;
    }
    plan(&f);
    bool has_any = false;
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        has_any |= f.is_folded[i];
    }
    size_t bytes = f.names * (sizeof(struct property) + 64);
    if (!has_any || f.names > FOLD_NAMES_MAX || c->fold_bytes + bytes > FOLD_BYTES_MAX) {
        return;
    }
    c->fold_bytes += bytes;
    make(&f, node);
}
