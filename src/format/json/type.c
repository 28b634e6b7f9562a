// SPDX-License-Identifier: Apache-2.0
// type.c - what the schema says of a place. Several subschemas may speak of it; those that always apply are
// believed, what only some branches say of a member is taken as anything.
#include "format/json/node_private.h"

enum { TYPE_STEPS_MAX = 2000 }; // nodes looked at for one question: they may share subschemas without end

static uint32_t kinds_of(uint32_t types)
{
    static const struct {
        uint32_t type;
        uint32_t kinds;
    } rows[] = {
        {TYPE_NULL, TYPE_KIND(VIEW_NULL)},
        {TYPE_BOOL, TYPE_KIND(VIEW_BOOL)},
        {TYPES_NUMBERS, TYPE_KIND(VIEW_INT) | TYPE_KIND(VIEW_DOUBLE)},
        {TYPE_STRING, TYPE_KIND(VIEW_STRING)},
        {TYPE_ARRAY, TYPE_KIND(VIEW_LIST)},
        {TYPE_OBJECT, TYPE_KIND(VIEW_RECORD)},
    };
    uint32_t kinds = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kinds |= (types & rows[i].type) != 0 ? rows[i].kinds : 0;
    }
    return kinds;
}

// types_of is every type that a value of the node can have, or more.
static uint32_t types_of(const struct jnode *node, uint32_t *steps)
{
    uint32_t types = node->types;
    if (*steps == 0) {
        return types;
    }
    --*steps;
    for (int i = 0; i < 2 && node->values[i] != NULL; i++) {
        types &= node->values[i]->types;
    }
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        const struct in_place *op = &node->in_place[i];
        uint32_t any = 0;
        if (op->kind == IN_PLACE_ALL) {
            types &= types_of(op->nodes[0], steps);
        } else if (op->kind == IN_PLACE_ANY || op->kind == IN_PLACE_ONE) {
            for (uint32_t k = 0; k < op->count; k++) {
                any |= types_of(op->nodes[k], steps);
            }
            types &= any;
        }
    }
    return types;
}

static struct value_type type_of(const struct program *program, const struct jnode *node)
{
    uint32_t steps = TYPE_STEPS_MAX;
    uint32_t types = types_of(node, &steps);
    return (struct value_type){.program = program,
                               .of = node,
                               .kinds = kinds_of(types),
                               .is_whole = (types & TYPES_NUMBERS) == TYPE_INTEGER};
}

struct value_type jschema_type_root(const struct program *program)
{
    return type_of(program, ((const struct jprogram *)program)->root);
}

// ---- what subschemas say of a member, of items, and which branches there are

enum about { ABOUT_FIELD, ABOUT_ITEM, ABOUT_MEMBERS, ABOUT_NAMES, ABOUT_NAME, ABOUT_BRANCH };

struct question {
    enum about about;
    struct str name;           // of FIELD and NAME
    uint32_t index;            // of NAMES and BRANCH: counted down
    const struct jnode *found; // by a subschema that always applies
    struct str found_name;
    bool is_required;
    bool is_perhaps; // some branch knows it
    bool is_closed;
    bool is_known; // NAME
    uint32_t steps;
};

static uint32_t property_index(const struct object_check *check, struct str name)
{
    for (uint64_t slot = property_hash(name.ptr, name.len);; slot++) {
        uint32_t at = check->slots[slot & (check->slot_count - 1)];
        if (at == 0 || str_equal(check->properties[at - 1].name, name)) {
            return at;
        }
    }
}

static void found(struct question *q, const struct jnode *node, bool is_sure)
{
    if (!is_sure || node == NULL) {
        q->is_perhaps = true;
    } else if (q->found == NULL || q->found->is_any) {
        q->found = node;
    }
}

static bool has_required(const struct object_check *check, uint32_t at)
{
    return at > 0 && check->required != NULL && (check->required[(at - 1) / 64] >> ((at - 1) % 64) & 1) != 0;
}

static void ask_object(struct question *q, const struct object_check *check, bool is_sure)
{
    bool is_closed = check->additional != NULL && check->additional->types == 0;
    q->is_closed |= is_sure && is_closed && check->pattern_count == 0;
    if (q->about == ABOUT_FIELD) {
        uint32_t at = property_index(check, q->name);
        const struct jnode *node = at == 0 ? NULL : check->properties[at - 1].node;
        q->is_required |= is_sure && has_required(check, at);
        if (node != NULL) {
            found(q, node, is_sure);
        } else if (at > 0 || check->pattern_count > 0) {
            q->is_perhaps = true;
        } else if (check->additional != NULL && !is_closed) {
            found(q, check->additional, is_sure);
        }
    } else if (q->about == ABOUT_NAME) {
        q->is_known |= property_index(check, q->name) > 0;
    } else if (q->about == ABOUT_MEMBERS && check->pattern_count > 0) {
        q->is_perhaps = true;
    } else if (q->about == ABOUT_MEMBERS && check->additional != NULL && !is_closed) {
        found(q, check->additional, is_sure);
    } else if (q->about == ABOUT_NAMES && q->found_name.ptr == NULL) {
        if (q->index < check->property_count) {
            q->found_name = check->properties[q->index].name;
        } else {
            q->index -= check->property_count;
        }
    }
}

static void ask(struct question *q, const struct jnode *node, bool is_sure);

static void ask_in_place(struct question *q, const struct in_place *op, bool is_sure)
{
    bool is_union = op->kind == IN_PLACE_ANY || op->kind == IN_PLACE_ONE;
    if (op->kind == IN_PLACE_NOT) {
        return;
    }
    for (uint32_t i = 0; i < op->count; i++) {
        if (q->about == ABOUT_BRANCH && is_union) {
            q->found = q->found == NULL && q->index == 0 ? op->nodes[i] : q->found;
            q->index -= q->index > 0;
        } else if (op->nodes[i] != NULL) {
            ask(q, op->nodes[i], is_sure && op->kind == IN_PLACE_ALL);
        }
    }
}

static void ask(struct question *q, const struct jnode *node, bool is_sure)
{
    if (q->about == ABOUT_BRANCH && !is_sure) {
        return; // what applies perhaps has no say
    }
    if (q->steps == 0) {
        q->is_perhaps = true;
        return;
    }
    q->steps--;
    if (node->object != NULL) {
        ask_object(q, node->object, is_sure);
    }
    if (node->array != NULL && q->about == ABOUT_ITEM) {
        found(q, node->array->prefix_count > 0 ? NULL : node->array->rest, is_sure);
    }
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        ask_in_place(q, &node->in_place[i], is_sure);
    }
    for (uint32_t i = 0; node->object != NULL && i < node->object->dependent_count; i++) {
        if (node->object->dependents[i].node != NULL) {
            ask(q, node->object->dependents[i].node, false);
        }
    }
}

static struct question question_of(enum about about)
{
    return (struct question){.about = about, .steps = TYPE_STEPS_MAX};
}

bool jschema_type_field(const struct value_type *type, struct str name, struct value_type *ret)
{
    struct question q = question_of(ABOUT_FIELD);
    q.name = name;
    ask(&q, type->of, true);
    if (q.found == NULL && !q.is_perhaps) {
        return false;
    }
    *ret = q.found != NULL ? type_of(type->program, q.found) : (struct value_type){.kinds = TYPE_ANYTHING};
    ret->kinds |= TYPE_KIND(VIEW_NONE);
    ret->kinds &= q.is_required ? ~TYPE_KIND(VIEW_NONE) : TYPE_ANYTHING;
    return true;
}

bool jschema_type_has_name(const struct value_type *type, struct str name)
{
    struct question q = question_of(ABOUT_NAME);
    q.name = name;
    ask(&q, type->of, true);
    return q.is_known;
}

bool jschema_type_is_open(const struct value_type *type)
{
    struct question q = question_of(ABOUT_MEMBERS);
    ask(&q, type->of, true);
    return (type->kinds & TYPE_KIND(VIEW_RECORD)) != 0 && !q.is_closed;
}

bool jschema_type_field_name(const struct value_type *type, uint32_t index, struct str *ret)
{
    struct question q = question_of(ABOUT_NAMES);
    q.index = index;
    ask(&q, type->of, true);
    *ret = q.found_name;
    return q.found_name.ptr != NULL;
}

struct value_type jschema_type_item(const struct value_type *type)
{
    bool is_list = (type->kinds & TYPE_KIND(VIEW_LIST)) != 0;
    struct question q = question_of(is_list ? ABOUT_ITEM : ABOUT_MEMBERS);
    if ((type->kinds & (TYPE_KIND(VIEW_LIST) | TYPE_KIND(VIEW_RECORD))) == 0) {
        return (struct value_type){0};
    }
    ask(&q, type->of, true);
    return q.found != NULL ? type_of(type->program, q.found) : (struct value_type){.kinds = TYPE_ANYTHING};
}

struct value_type jschema_type_key(const struct value_type *type)
{
    bool has_members = (type->kinds & TYPE_KIND(VIEW_RECORD)) != 0;
    return (struct value_type){.kinds = has_members ? TYPE_KIND(VIEW_STRING) : 0};
}

bool jschema_type_branch(const struct value_type *type, uint32_t index, struct value_type *ret)
{
    struct question q = question_of(ABOUT_BRANCH);
    q.index = index;
    ask(&q, type->of, true);
    if (q.found == NULL) {
        return false;
    }
    *ret = type_of(type->program, q.found);
    return true;
}

struct str jschema_type_name(const struct value_type *type)
{
    (void)type;
    return STR(""); // known by the way there alone
}

struct str jschema_type_logical(const struct value_type *type)
{
    const struct jnode *node = type->of;
    return node->string == NULL ? STR("") : node->string->format_name;
}

bool jschema_type_symbol(const struct value_type *type, uint32_t index, struct str *ret_name,
                         int64_t *ret_number)
{
    const struct jnode *node = type->of;
    if (node->values[0] == NULL || index >= node->values[0]->string_count) {
        return false;
    }
    *ret_name = node->values[0]->strings[index];
    *ret_number = index;
    return true;
}
