// SPDX-License-Identifier: Apache-2.0
// compile.c - subschemas become nodes. A node is a pair of a subschema and what $dynamicRef means there (a
// scope), so that recursion is a loop of pointers and checking a payload resolves nothing. Work is a queue:
// no recursion.
#include "format/json/compile_private.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    REF_CHAIN_MAX = 1000,
    SCOPES_MAX = 4096,
    ANCHORS_MAX = 1024, // different names of dynamic anchors
    IN_PLACE_DEPTH_MAX = 200,
};

// ---- scopes: for each name of a dynamic anchor the outermost resource on the way that has it

static uint32_t name_index(struct compiler *c, struct str name)
{
    for (uint32_t i = 0; i < c->name_count; i++) {
        if (str_equal(c->names[i], name)) {
            return i;
        }
    }
    if (c->name_count == ANCHORS_MAX) {
        return UINT32_MAX;
    }
    c->names[c->name_count] = name;
    return c->name_count++;
}

static uint32_t scope_intern(struct compiler *c, const struct jschema_anchor **binds, uint32_t count)
{
    for (uint32_t i = 0; i < c->scope_count; i++) {
        if (c->scopes[i].count == count && memcmp(c->scopes[i].binds, binds, count * sizeof *binds) == 0) {
            return i;
        }
    }
    const struct jschema_anchor **copy = arena_new(&c->scratch, const struct jschema_anchor *, count + 1);
    if (c->scope_count == SCOPES_MAX || copy == NULL) {
        c->is_full = true;
        return 0;
    }
    memcpy(copy, binds, count * sizeof *binds);
    c->scopes[c->scope_count] = (struct scope){copy, count};
    return c->scope_count++;
}

static uint32_t scope_enter(struct compiler *c, uint32_t scope, const struct jschema_resource *resource)
{
    if (resource->dynamic_anchors == NULL) {
        return scope;
    }
    const struct jschema_anchor *binds[ANCHORS_MAX] = {NULL};
    uint32_t count = c->scopes[scope].count;
    memcpy(binds, c->scopes[scope].binds, count * sizeof *binds);
    bool has_changed = false;
    for (const struct jschema_anchor *a = resource->dynamic_anchors; a != NULL; a = a->next_dynamic) {
        uint32_t index = name_index(c, a->name);
        if (index == UINT32_MAX) {
            c->is_full = true;
            return scope;
        }
        if (binds[index] == NULL) {
            binds[index] = a;
            count = index >= count ? index + 1 : count;
            has_changed = true;
        }
    }
    return has_changed ? scope_intern(c, binds, count) : scope;
}

// dynamic_target replaces what a dynamic reference means statically by the outermost resource that has its
// anchor.
static struct jschema_place dynamic_target(struct compiler *c, uint32_t scope, struct jschema_place place,
                                           const struct jschema_anchor *anchor)
{
    uint32_t index = anchor == NULL ? UINT32_MAX : name_index(c, anchor->name);
    if (index >= c->scopes[scope].count || c->scopes[scope].binds[index] == NULL) {
        return place;
    }
    const struct jschema_anchor *bound = c->scopes[scope].binds[index];
    return (struct jschema_place){bound->value, bound->resource};
}

// ref_target finds what the reference keyword of a place means.
static struct jschema_place ref_target(struct compiler *c, struct jschema_place place, uint32_t scope,
                                       enum keyword keyword, const struct json_value *ref)
{
    struct jschema_place target;
    const struct jschema_anchor *dynamic;
    bool is_found = jschema_resolve(place.resource, ref->text, &target, &dynamic);
    ASSERT(is_found); // parsing has checked it
    if (keyword == KEYWORD_DYNAMIC_REF) {
        return dynamic_target(c, scope, target, dynamic);
    }
    if (keyword == KEYWORD_RECURSIVE_REF) {
        const struct jschema_anchor *a = target.resource->dynamic_anchors;
        while (a != NULL && (a->name.len > 0 || a->value != target.value)) {
            a = a->next_dynamic;
        }
        return dynamic_target(c, scope, target, a);
    }
    return target;
}

// ---- nodes

static bool is_silent(enum keyword keyword)
{
    switch (keyword) {
    case KEYWORD_ID_4:
    case KEYWORD_ID:
    case KEYWORD_SCHEMA:
    case KEYWORD_ANCHOR:
    case KEYWORD_RECURSIVE_ANCHOR:
    case KEYWORD_DYNAMIC_ANCHOR:
    case KEYWORD_VOCABULARY:
    case KEYWORD_COMMENT:
    case KEYWORD_DEFS:
    case KEYWORD_DEFINITIONS:
    case KEYWORD_TITLE:
    case KEYWORD_DESCRIPTION:
    case KEYWORD_DEFAULT:
    case KEYWORD_CONTENT_ENCODING:
    case KEYWORD_CONTENT_MEDIA_TYPE:
    case KEYWORD_CONTENT_SCHEMA:
        return true;
    default:
        return false;
    }
}

// lone_ref tells which reference is all that a schema says; KEYWORD_COUNT: none.
static enum keyword lone_ref(const struct keywords *k)
{
    enum keyword found = KEYWORD_COUNT;
    for (int i = 0; i < KEYWORD_COUNT; i++) {
        if (k->of[i] == NULL || is_silent((enum keyword)i)) {
            continue;
        }
        bool is_ref = i == KEYWORD_REF || i == KEYWORD_DYNAMIC_REF || i == KEYWORD_RECURSIVE_REF;
        if (!is_ref || found != KEYWORD_COUNT) {
            return KEYWORD_COUNT;
        }
        found = (enum keyword)i;
    }
    return found;
}

static struct node_entry *entry_find(struct compiler *c, const struct json_value *value, uint32_t scope,
                                     uint64_t hash)
{
    for (struct map_node *n = map_first(&c->nodes, hash); n != NULL; n = map_next(n)) {
        struct node_entry *entry = MAP_ENTRY(n, struct node_entry, node);
        if (entry->place.value == value && entry->scope == scope) {
            return entry;
        }
    }
    return NULL;
}

// is_loose: only the type is asked of what is there.
static bool is_loose(const struct compiler *c, const struct json_value *value)
{
    for (size_t i = 0; i < c->loose.count; i++) {
        if (c->loose.sites[i].of == value) {
            return true;
        }
    }
    return false;
}

struct jnode *compile_place(struct compiler *c, struct jschema_place place, uint32_t scope)
{
    scope = scope_enter(c, scope, place.resource);
    for (int i = 0; i < REF_CHAIN_MAX; i++) {
        struct keywords k;
        keywords_read(place, &k);
        enum keyword keyword = lone_ref(&k);
        if (keyword == KEYWORD_COUNT || is_loose(c, place.value)) {
            break;
        }
        place = ref_target(c, place, scope, keyword, k.of[keyword]);
        scope = scope_enter(c, scope, place.resource);
        if (i == REF_CHAIN_MAX - 1) {
            c->is_endless = true;
            return c->any;
        }
    }
    uint64_t hash = hash_mix((uintptr_t)place.value, scope);
    struct node_entry *entry = entry_find(c, place.value, scope, hash);
    if (entry != NULL) {
        return entry->made;
    }
    entry = arena_new(&c->scratch, struct node_entry, 1);
    struct jnode *node = arena_new(&c->program->arena, struct jnode, 1);
    if (entry == NULL || node == NULL) {
        c->is_full = true;
        return c->any;
    }
    *entry = (struct node_entry){.place = place, .scope = scope, .made = node};
    map_insert(&c->nodes, &entry->node, hash);
    if (c->last == NULL) {
        c->first = entry;
    } else {
        c->last->next = entry;
    }
    c->last = entry;
    return node;
}

struct jnode *compile_sub(struct compiler *c, const struct node_entry *outer, const struct json_value *value)
{
    return value == NULL ? NULL : compile_place(c, jschema_sub(outer->place, value), outer->scope);
}

// ---- in place

static struct in_place *in_place_add(struct compiler *c, struct node_entry *entry, enum in_place_kind kind,
                                     uint32_t count)
{
    const struct jnode **nodes = arena_new(&c->program->arena, const struct jnode *, count);
    if (nodes == NULL) {
        c->is_full = true;
        return NULL;
    }
    if (c->op_count == c->op_cap) {
        c->op_cap = c->op_cap == 0 ? 16 : c->op_cap * 2;
        c->ops = mem_realloc(c->ops, c->op_cap * sizeof *c->ops);
    }
    (void)entry;
    c->ops[c->op_count] = (struct in_place){kind, count, nodes};
    return &c->ops[c->op_count++];
}

static void add_list(struct compiler *c, struct node_entry *entry, const struct json_value *list,
                     enum in_place_kind kind)
{
    if (list == NULL) {
        return;
    }
    if (kind == IN_PLACE_ALL) {
        for (const struct json_value *v = list->first; v != NULL; v = v->next) {
            struct in_place *op = in_place_add(c, entry, IN_PLACE_ALL, 1);
            if (op != NULL) {
                op->nodes[0] = compile_sub(c, entry, v);
            }
        }
        return;
    }
    struct in_place *op = in_place_add(c, entry, kind, list->count);
    uint32_t i = 0;
    for (const struct json_value *v = list->first; v != NULL && op != NULL; v = v->next) {
        op->nodes[i++] = compile_sub(c, entry, v);
    }
}

static void compile_in_place(struct compiler *c, struct node_entry *entry, const struct keywords *k)
{
    static const enum keyword refs[] = {KEYWORD_REF, KEYWORD_RECURSIVE_REF, KEYWORD_DYNAMIC_REF};
    c->op_count = 0;
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        const struct json_value *ref = k->of[refs[i]];
        struct in_place *op = ref == NULL ? NULL : in_place_add(c, entry, IN_PLACE_ALL, 1);
        if (op != NULL) {
            struct jschema_place target = ref_target(c, entry->place, entry->scope, refs[i], ref);
            op->nodes[0] = compile_place(c, target, entry->scope);
        }
    }
    add_list(c, entry, k->of[KEYWORD_ALL_OF], IN_PLACE_ALL);
    add_list(c, entry, k->of[KEYWORD_ANY_OF], IN_PLACE_ANY);
    add_list(c, entry, k->of[KEYWORD_ONE_OF], IN_PLACE_ONE);
    if (k->of[KEYWORD_NOT] != NULL) {
        struct in_place *op = in_place_add(c, entry, IN_PLACE_NOT, 1);
        if (op != NULL) {
            op->nodes[0] = compile_sub(c, entry, k->of[KEYWORD_NOT]);
        }
    }
    if (k->of[KEYWORD_IF] != NULL) {
        struct in_place *op = in_place_add(c, entry, IN_PLACE_IF, 3);
        if (op != NULL) {
            op->nodes[0] = compile_sub(c, entry, k->of[KEYWORD_IF]);
            op->nodes[1] = compile_sub(c, entry, k->of[KEYWORD_THEN]);
            op->nodes[2] = compile_sub(c, entry, k->of[KEYWORD_ELSE]);
        }
    }
    struct in_place *ops =
        c->op_count == 0 ? NULL : arena_new(&c->program->arena, struct in_place, c->op_count);
    if (ops != NULL) {
        memcpy(ops, c->ops, c->op_count * sizeof *ops);
        entry->made->in_place = ops;
        entry->made->in_place_count = c->op_count;
    } else if (c->op_count > 0) {
        c->is_full = true;
    }
}

static uint8_t type_bits(struct str name)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } rows[] = {
        {"null", TYPE_NULL},       {"boolean", TYPE_BOOL},
        {"integer", TYPE_INTEGER}, {"number", TYPE_NUMBER | TYPE_INTEGER},
        {"string", TYPE_STRING},   {"array", TYPE_ARRAY},
        {"object", TYPE_OBJECT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (str_equal(name, str_from_c(rows[i].name))) {
            return rows[i].bits;
        }
    }
    return 0;
}

static uint8_t compile_types(const struct json_value *type)
{
    if (type == NULL) {
        return TYPES_ALL;
    }
    if (type->type == JSON_STRING) {
        return type_bits(type->text);
    }
    uint8_t bits = 0;
    for (const struct json_value *v = type->first; v != NULL; v = v->next) {
        bits |= type_bits(v->text);
    }
    return bits;
}

static enum err compile_node(struct compiler *c, struct node_entry *entry, struct error *e)
{
    struct jnode *node = entry->made;
    if (entry->place.value->type != JSON_OBJECT) {
        node->types = entry->place.value->type == JSON_TRUE ? TYPES_ALL : 0;
        node->is_any = node->types != 0;
        return ERR_OK;
    }
    struct keywords k;
    keywords_read(entry->place, &k);
    node->types = compile_types(k.of[KEYWORD_TYPE]);
    node->wants_integer_text = entry->place.resource->draft == DRAFT_4;
    if (is_loose(c, entry->place.value)) {
        node->is_any = node->types == TYPES_ALL;
        return ERR_OK;
    }
    enum err err = compile_checks(c, entry, &k, e);
    if (err != ERR_OK) {
        return err;
    }
    compile_in_place(c, entry, &k);
    node->unevaluated_properties = compile_sub(c, entry, k.of[KEYWORD_UNEVALUATED_PROPERTIES]);
    node->unevaluated_items = compile_sub(c, entry, k.of[KEYWORD_UNEVALUATED_ITEMS]);
    node->has_unevaluated = node->unevaluated_properties != NULL || node->unevaluated_items != NULL;
    node->has_in_place = node->has_unevaluated || node->in_place_count > 0;
    bool asks_nothing = node->string == NULL && node->number == NULL && node->array == NULL &&
                        node->object == NULL && node->values[0] == NULL;
    node->is_bare = asks_nothing && node->in_place_count > 0 && (node->types & TYPES_NUMBERS) != TYPE_INTEGER;
    node->is_any = node->types == TYPES_ALL && !node->has_in_place && asks_nothing;
    return ERR_OK;
}

// ---- no node may come back to itself without a step into the value

struct visit {
    const struct jnode *node;
    uint32_t next; // of its in-place nodes, counted through
};

// in_place_at gives the n-th node that is applied in place; false behind the last.
static bool in_place_at(const struct jnode *node, uint32_t n, const struct jnode **ret)
{
    for (uint32_t i = 0; i < node->in_place_count; i++) {
        if (n < node->in_place[i].count) {
            *ret = node->in_place[i].nodes[n];
            return true;
        }
        n -= node->in_place[i].count;
    }
    uint32_t dependents = node->object == NULL ? 0 : node->object->dependent_count;
    *ret = n < dependents ? node->object->dependents[n].node : NULL;
    return n < dependents;
}

static enum err check_endless(struct compiler *c, struct error *e)
{
    struct visit stack[IN_PLACE_DEPTH_MAX];
    enum err err = c->is_endless ? FAIL(e, ERR_INVALID_SCHEMA, "a $ref that leads to itself") : ERR_OK;
    for (struct node_entry *entry = c->first; entry != NULL && err == ERR_OK; entry = entry->next) {
        uint32_t depth = 0;
        if (entry->state == NODE_NEW) {
            stack[depth++] = (struct visit){entry->made, 0};
            entry->state = NODE_OPEN;
        }
        while (depth > 0 && err == ERR_OK) {
            struct visit *top = &stack[depth - 1];
            const struct jnode *next = NULL;
            if (!in_place_at(top->node, top->next++, &next)) {
                compile_entry_of(c, top->node)->state = NODE_DONE;
                depth--;
                continue;
            }
            struct node_entry *inner = next == NULL ? NULL : compile_entry_of(c, next);
            if (inner == NULL || inner->state == NODE_DONE) {
                continue;
            }
            if (inner->state == NODE_OPEN) {
                err =
                    FAIL(e, ERR_INVALID_SCHEMA, "a schema that applies itself to the same value without end");
            } else if (depth == IN_PLACE_DEPTH_MAX) {
                err = FAIL(e, ERR_INVALID_SCHEMA, "more than %d schemas within each other apply to one value",
                           IN_PLACE_DEPTH_MAX);
            } else {
                inner->state = NODE_OPEN;
                stack[depth++] = (struct visit){next, 0};
            }
        }
    }
    return err;
}

struct node_entry *compile_entry_of(struct compiler *c, const struct jnode *node)
{
    uint64_t hash = hash_mix((uintptr_t)node, 2);
    for (struct map_node *n = map_first(&c->entries, hash); n != NULL; n = map_next(n)) {
        struct node_entry *entry = MAP_ENTRY(n, struct node_entry, by_node);
        if (entry->made == node) {
            return entry;
        }
    }
    return NULL;
}

// ---- programs

static enum err compile_all(struct compiler *c, struct jschema_place root, struct error *e)
{
    c->scopes[0] = (struct scope){arena_new(&c->scratch, const struct jschema_anchor *, 1), 0};
    c->scope_count = 1;
    c->any = arena_new(&c->program->arena, struct jnode, 1);
    *c->any = (struct jnode){.types = TYPES_ALL, .is_any = true, .fast = FAST_ANY};
    c->program->root = compile_place(c, root, 0);
    enum err err = ERR_OK;
    for (struct node_entry *entry = c->first; entry != NULL && err == ERR_OK; entry = entry->next) {
        err = compile_node(c, entry, e);
        map_insert(&c->entries, &entry->by_node, hash_mix((uintptr_t)entry->made, 2));
        if (err == ERR_OK && (c->is_full || c->program->arena.failed || c->scratch.failed ||
                              c->program->arena.total + c->program->regex_bytes > PROGRAM_BYTES_MAX)) {
            err = FAIL(e, ERR_NO_MEMORY, "the schema's program needs more than %d bytes", PROGRAM_BYTES_MAX);
        }
        if (err == ERR_OK && c->program->regex_work > JSON_REGEX_WORK_MAX) {
            err = FAIL(e, ERR_INVALID_SCHEMA, JSON_REGEX_WORK_TEXT, JSON_REGEX_WORK_MAX);
        }
    }
    for (struct node_entry *entry = c->first; entry != NULL && err == ERR_OK && !c->is_full;
         entry = entry->next) {
        compile_fast(c, entry->made);
    }
    if (err == ERR_OK && c->is_full) {
        err = FAIL(e, ERR_NO_MEMORY, "the schema's program needs more than %d bytes", PROGRAM_BYTES_MAX);
    }
    return err == ERR_OK ? check_endless(c, e) : err;
}

enum err jschema_compile_at(struct jschema_place root, struct site_loose loose, struct program **ret,
                            struct error *e)
{
    struct compiler *c = mem_zalloc(sizeof *c);
    c->loose = loose;
    c->program = mem_zalloc(sizeof *c->program);
    c->names = mem_array(ANCHORS_MAX, sizeof *c->names);
    c->scopes = mem_array(SCOPES_MAX, sizeof *c->scopes);
    arena_init(&c->program->arena, PROGRAM_BYTES_MAX);
    arena_init(&c->scratch, PROGRAM_BYTES_MAX);
    map_init(&c->nodes);
    map_init(&c->entries);
    enum err err = compile_all(c, root, e);
    if (err == ERR_OK) {
        *ret = &c->program->base;
    } else {
        jschema_program_destroy(&c->program->base);
    }
    map_fini(&c->nodes);
    map_fini(&c->entries);
    arena_fini(&c->scratch);
    mem_free(c->names);
    mem_free(c->scopes);
    mem_free(c->ops);
    mem_free(c);
    return err;
}

enum err jschema_compile(const struct schema *base, const int32_t *root, size_t root_count,
                         const struct slots *slots, struct program **ret, struct error *e)
{
    const struct jschema *schema = (const struct jschema *)base;
    (void)root;
    (void)slots; // names are looked for as they come
    if (root_count > 0) {
        return FAIL(e, ERR_INVALID_SCHEMA, "a JSON Schema has no messages to choose from");
    }
    return jschema_compile_at((struct jschema_place){schema->root, schema->resource}, (struct site_loose){0},
                              ret, e);
}

void jschema_program_destroy(struct program *base)
{
    struct jprogram *program = (struct jprogram *)base;
    for (struct regex_link *link = program->regexes; link != NULL; link = link->next) {
        regex_destroy(link->regex);
    }
    arena_fini(&program->arena);
    mem_free(program);
}

size_t jschema_program_memory(const struct program *base)
{
    const struct jprogram *program = (const struct jprogram *)base;
    return sizeof *program + program->arena.total + program->regex_bytes;
}
