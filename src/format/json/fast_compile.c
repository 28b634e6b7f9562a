// SPDX-License-Identifier: Apache-2.0
// fast_compile.c - how fast.c judges by a node, and what tells the branches of a union apart.
#include "format/json/compile_private.h"

bool compile_key(struct key *key, struct str text)
{
    bool is_plain = text.len < KEY_BYTES;
    for (size_t i = 0; i < text.len && is_plain; i++) {
        is_plain = (uint8_t)text.ptr[i] >= 0x20 && text.ptr[i] != '"' && text.ptr[i] != '\\';
    }
    if (!is_plain) { // no JSON has these bytes
        memset(key->bytes, 0xff, KEY_BYTES);
        key->mask = (1u << KEY_BYTES) - 1;
        return false;
    }
    if (text.len > 0) {
        memcpy(key->bytes, text.ptr, text.len);
    }
    key->bytes[text.len] = '"';
    key->mask = (2u << text.len) - 1;
    return true;
}

// symbols_of is the set of texts that a branch allows a member to be; NULL: any, or more than texts.
static const struct value_set *symbols_of(const struct jnode *branch, struct str name)
{
    if (branch->object == NULL) {
        return NULL;
    }
    uint32_t found = property_find(branch->object, name, UINT32_MAX);
    const struct jnode *node = found == 0 ? NULL : branch->object->properties[found - 1].node;
    return node == NULL || node->values[0] == NULL ? NULL : node->values[0];
}

// discriminate looks for a member that every branch, as far as it speaks of objects, asks to be one of some
// texts.
static void discriminate(struct compiler *c, struct in_place *op)
{
    const struct object_check *first = op->nodes[0]->object;
    for (uint32_t i = 0; first != NULL && op->count > 1 && i < first->property_count; i++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < op->count; k++) {
            count += symbols_of(op->nodes[k], first->properties[i].name) != NULL;
        }
        if (count < 2 || symbols_of(op->nodes[0], first->properties[i].name) == NULL) {
            continue;
        }
        op->sets = arena_new(&c->program->arena, const struct value_set *, op->count);
        c->is_full |= op->sets == NULL;
        for (uint32_t k = 0; k < op->count && op->sets != NULL; k++) {
            op->sets[k] = symbols_of(op->nodes[k], first->properties[i].name);
        }
        op->discriminator = first->properties[i].name;
        return;
    }
}

// With nothing in place, the only members and items that are evaluated are those that the same schema names.
static bool fold_unevaluated(struct compiler *c, struct jnode *node)
{
    const struct object_check *object = node->object;
    const struct array_check *array = node->array;
    if (node->in_place_count > 0) {
        return false;
    }
    if (node->unevaluated_properties != NULL && (object == NULL || object->additional == NULL)) {
        struct object_check *own = arena_new(&c->program->arena, struct object_check, 1);
        bool has_schemas = false;
        for (uint32_t i = 0; object != NULL && i < object->dependent_count; i++) {
            has_schemas |= object->dependents[i].node != NULL;
        }
        if (own == NULL || object == NULL || has_schemas) {
            return false;
        }
        *own = *object;
        own->additional = node->unevaluated_properties;
        node->fast_object = own;
    }
    if (node->unevaluated_items != NULL && (array == NULL || array->rest == NULL)) {
        struct array_check *own = arena_new(&c->program->arena, struct array_check, 1);
        if (own == NULL || array == NULL || array->contains != NULL) {
            return false;
        }
        *own = *array;
        own->rest = node->unevaluated_items;
        node->fast_array = own;
    }
    return true;
}

static enum fast_kind kind_of(const struct jnode *node)
{
    const struct value_set *set = node->values[0];
    if (node->is_any) {
        return FAST_ANY;
    }
    if (node->fast_in_place_count > 0) {
        return FAST_IN_PLACE;
    }
    if (set != NULL) {
        bool is_symbol = (set->types & node->fast_types) == TYPE_STRING && node->values[1] == NULL;
        return is_symbol && node->string == NULL ? FAST_SYMBOL : FAST_PLAIN;
    }
    switch (node->fast_types) {
    case TYPE_STRING:
        return node->string == NULL ? FAST_TEXT : FAST_STRING;
    case TYPE_INTEGER:
    case TYPES_NUMBERS:
        return FAST_NUMBER;
    case TYPE_OBJECT:
        return FAST_OBJECT;
    case TYPE_ARRAY:
        return FAST_ARRAY;
    default:
        return FAST_PLAIN;
    }
}

void compile_fast(struct compiler *c, struct jnode *node)
{
    node->fast_object = node->object;
    node->fast_array = node->array;
    node->fast_types = node->types;
    node->is_fast_bare = node->is_bare;
    node->fast_in_place = node->in_place;
    node->fast_in_place_count = node->in_place_count;
    node->fast = FAST_SLOW;
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        struct in_place *op = (struct in_place *)&node->in_place[i]; // of this compiler
        if (op->kind == IN_PLACE_ANY || op->kind == IN_PLACE_ONE) {
            discriminate(c, op);
        }
    }
    compile_fold(c, node);
    if (!node->has_unevaluated || fold_unevaluated(c, node)) {
        node->fast = kind_of(node);
    }
}
