// SPDX-License-Identifier: Apache-2.0
// run.c - the machine. Errors are values on the stack: an operator that meets one passes it on, && and || and
// their macros may do without it. What a run costs is paid per turn of a loop and in the functions; the rest
// is bounded by the length of the code, paid at the start.
#include "cel/message.h"
#include "cel/program_private.h"

#include "base/assert.h"

#if __has_attribute(uninitialized)
#define RUN_UNINITIALIZED __attribute__((uninitialized))
#else
#define RUN_UNINITIALIZED
#endif

enum { STACK_SMALL = 32 };

struct builder {
    void *items; // struct cel_value or struct cel_entry
    uint32_t count;
    uint32_t cap;
};

struct loop {
    struct cel_walk walk;
    struct cel_value key;
    struct cel_value value;
    struct cel_value item; // what filter would take
    struct builder built;
    struct view place;      // of an item, where no item outlives its turn
    struct arena_mark mark; // what a turn made is given back if nothing of it stays
    uint64_t hits;
};

struct machine {
    struct cel_call call;
    const struct cel_program *program;
    const struct cel_run *run;
    struct loop *loops;
    struct view *views; // of paths, if none were given
    uint64_t seen;      // bits of the views that are there
};

// ---- operands

static inline struct cel_value truth(bool value)
{
    return (struct cel_value){.kind = CEL_BOOL, .i = value};
}

static const char *const operator_names[] = {
    [CEL_OP_ADD] = "_+_",         [CEL_OP_SUBTRACT] = "_-_", [CEL_OP_MULTIPLY] = "_*_",
    [CEL_OP_DIVIDE] = "_/_",      [CEL_OP_MODULO] = "_%_",   [CEL_OP_LESS] = "_<_",
    [CEL_OP_LESS_EQUAL] = "_<=_", [CEL_OP_GREATER] = "_>_",  [CEL_OP_GREATER_EQUAL] = "_>=_",
};

struct cel_value cel_no_overload(struct cel_call *call, const char *name, struct cel_value a,
                                 struct cel_value b)
{
    if (a.kind == CEL_ERROR) {
        return a;
    }
    if (b.kind == CEL_ERROR) {
        return b;
    }
    struct str first = cel_type_name(a);
    struct str second = cel_type_name(b);
    return cel_fail(call, "no matching overload for '%s' applied to '(" STR_FMT ", " STR_FMT ")'", name,
                    STR_ARG(first), STR_ARG(second));
}

static struct cel_value no_bool(struct machine *m, const char *name, struct cel_value value)
{
    if (value.kind == CEL_ERROR) {
        return value;
    }
    struct str is = cel_type_name(value);
    return cel_fail(&m->call, "no matching overload for '%s' applied to '(" STR_FMT ")'", name, STR_ARG(is));
}

static inline bool order_holds(enum cel_op_code op, int order)
{
    switch (op) {
    case CEL_OP_LESS:
        return order < 0;
    case CEL_OP_LESS_EQUAL:
        return order <= 0;
    case CEL_OP_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool is_number(struct cel_value value)
{
    return value.kind == CEL_INT || value.kind == CEL_UINT || value.kind == CEL_DOUBLE;
}

struct cel_value cel_order(struct cel_call *call, enum cel_op_code op, struct cel_value a, struct cel_value b)
{
    int order = 0;
    if (cel_compare(a, b, &order)) {
        return cel_bool(order_holds(op, order));
    }
    if (is_number(a) && is_number(b)) {
        return cel_bool(false); // NaN
    }
    return cel_no_overload(call, operator_names[op], a, b);
}

static inline struct cel_value order_fast(struct machine *m, enum cel_op_code op, struct cel_value a,
                                          struct cel_value b)
{
    if (a.kind == CEL_INT && b.kind == CEL_INT) {
        return truth(order_holds(op, a.i < b.i ? -1 : a.i > b.i));
    }
    if (a.kind == CEL_DOUBLE && b.kind == CEL_DOUBLE && a.d == a.d && b.d == b.d) {
        return truth(order_holds(op, a.d < b.d ? -1 : a.d > b.d));
    }
    return cel_order(&m->call, op, a, b);
}

static inline struct cel_value equal_fast(struct machine *m, struct cel_value a, struct cel_value b)
{
    if (a.kind == b.kind && (a.kind == CEL_INT || a.kind == CEL_BOOL || a.kind == CEL_UINT)) {
        return truth(a.i == b.i);
    }
    if (a.kind == CEL_STRING && b.kind == CEL_STRING) {
        return truth(str_equal(cel_str(a), cel_str(b)));
    }
    return cel_equal(&m->call, a, b);
}

static struct cel_value invert(struct machine *m, struct cel_value value, const char *name)
{
    return value.kind == CEL_BOOL ? truth(value.i == 0) : no_bool(m, name, value);
}

// Of two terms of && the result, if the first is not false; `decides` is what decides alone.
static struct cel_value join(struct machine *m, struct cel_value a, struct cel_value b, bool decides,
                             const char *name)
{
    if (b.kind == CEL_BOOL && (b.i != 0) == decides) {
        return b;
    }
    if (a.kind != CEL_BOOL) {
        return no_bool(m, name, a);
    }
    return b.kind == CEL_BOOL ? b : no_bool(m, name, b);
}

// ---- paths

static struct view path_find(struct machine *m, const struct cel_path *path)
{
    struct cel_value of = m->run->variables[path->variable];
    if (of.form != CEL_FORM_VIEW) {
        return (struct view){.kind = VIEW_NONE};
    }
    struct view at = *(const struct view *)of.ptr;
    for (size_t i = 0; i < path->name_count && at.kind != VIEW_NONE; i++) {
        at = view_field(&at, path->names[i]);
    }
    return at;
}

static const struct view *path_view(struct machine *m, uint32_t index)
{
    if (m->views == NULL) {
        m->views = cel_new(&m->call, struct view, m->program->path_count);
    }
    if (m->views == NULL) {
        return NULL;
    }
    if ((m->seen >> index & 1) == 0) {
        m->seen |= 1ULL << index;
        m->views[index] = path_find(m, &m->program->paths[index]);
    }
    return &m->views[index];
}

// A path that gives nothing, or no scalar.
static struct cel_value path_other(struct machine *m, const struct view *view, uint32_t index)
{
    if (view == NULL) {
        return cel_over(&m->call);
    }
    if (view->kind != VIEW_NONE) {
        return cel_from_view(&m->call, view);
    }
    const struct cel_path *path = &m->program->paths[index];
    struct cel_value at = m->run->variables[path->variable];
    if (at.kind == CEL_MESSAGE) { // a field that is not there has its default
        for (size_t i = 0; i < path->name_count; i++) {
            at = cel_field(&m->call, at, path->names[i]);
        }
        return at;
    }
    return cel_fail(&m->call, "no such key: " STR_FMT, STR_ARG(path->names[path->name_count - 1]));
}

static inline struct cel_value path_value(struct machine *m, uint32_t index)
{
    const struct view *view = m->run->slots != NULL ? &m->run->slots[index] : path_view(m, index);
    switch (view == NULL ? VIEW_NONE : view->kind) {
    case VIEW_INT:
        return (struct cel_value){.kind = CEL_INT, .i = view->number};
    case VIEW_DOUBLE:
        return (struct cel_value){.kind = CEL_DOUBLE, .d = view->real};
    case VIEW_STRING:
        if (!view->has_escape) {
            return cel_text_value(CEL_STRING, view->raw.ptr, view->raw.len);
        }
        break;
    default:
        break;
    }
    return path_other(m, view, index);
}

// ---- what is built

static struct cel_value *builder_add(struct machine *m, struct builder *b, size_t size)
{
    if (b->count == b->cap) {
        uint32_t cap = b->cap == 0 ? 8 : b->cap * 2;
        void *items = cel_alloc(&m->call, cap, size);
        if (items == NULL) {
            return NULL;
        }
        if (b->count > 0) {
            memcpy(items, b->items, b->count * size);
        }
        b->items = items;
        b->cap = cap;
    }
    return (void *)((uint8_t *)b->items + size * b->count++);
}

static void builder_append(struct machine *m, struct builder *b, struct cel_value value)
{
    struct cel_value *item = builder_add(m, b, sizeof *item);
    if (item != NULL) {
        *item = value;
    }
}

// An error, or null: it was put.
static struct cel_value builder_put(struct machine *m, struct builder *b, struct cel_value key,
                                    struct cel_value value)
{
    struct cel_value found;
    if (key.kind != CEL_INT && key.kind != CEL_UINT && key.kind != CEL_BOOL && key.kind != CEL_STRING) {
        if (key.kind == CEL_ERROR) {
            return key;
        }
        struct str is = cel_type_name(key);
        return cel_fail(&m->call, "a key of type " STR_FMT, STR_ARG(is));
    }
    if (value.kind == CEL_ERROR) {
        return value;
    }
    if (cel_map_find(&m->call, cel_map(b->items, b->count), key, &found)) {
        return cel_fail_static("a key stands twice in a map");
    }
    struct cel_value *entry = builder_add(m, b, sizeof(struct cel_entry));
    if (entry != NULL) {
        *(struct cel_entry *)(void *)entry = (struct cel_entry){key, value};
    }
    return cel_null();
}

// `?x`: false: it is left out, or *value is an error.
static bool unwrap_optional(struct machine *m, struct cel_value *value)
{
    if (value->kind == CEL_ERROR) {
        return false;
    }
    if (!cel_is_optional(*value)) {
        struct str is = cel_type_name(*value);
        *value = cel_fail(&m->call, "what stands behind ? is of type " STR_FMT ", not optional", STR_ARG(is));
        return false;
    }
    return cel_optional_value(*value, value);
}

static struct cel_value make_list(struct machine *m, const struct cel_value *items, uint32_t count,
                                  const struct cel_names *names)
{
    struct cel_value *kept = cel_new(&m->call, struct cel_value, count);
    uint32_t used = 0;
    for (uint32_t i = 0; i < count && kept != NULL; i++) {
        struct cel_value item = items[i];
        if (names != NULL && names->is_optional[i] && !unwrap_optional(m, &item) && item.kind != CEL_ERROR) {
            continue;
        }
        if (item.kind == CEL_ERROR) {
            return item;
        }
        kept[used++] = item;
    }
    return kept == NULL ? cel_over(&m->call) : cel_list(kept, used);
}

static struct cel_value make_map(struct machine *m, const struct cel_value *parts, uint32_t count,
                                 const struct cel_names *names)
{
    struct builder built = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct cel_value value = parts[(size_t)i * 2 + 1];
        if (names != NULL && names->is_optional[(size_t)i * 2] && !unwrap_optional(m, &value) &&
            value.kind != CEL_ERROR) {
            continue;
        }
        struct cel_value put = builder_put(m, &built, parts[(size_t)i * 2], value);
        if (put.kind == CEL_ERROR) {
            return put;
        }
    }
    return cel_map(built.items, built.count);
}

static struct cel_value make_message(struct machine *m, const struct cel_value *values,
                                     const struct cel_names *names)
{
    struct str *fields = cel_new(&m->call, struct str, names->count + 1);
    struct cel_value *kept = cel_new(&m->call, struct cel_value, names->count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < names->count && fields != NULL && kept != NULL; i++) {
        struct cel_value value = values[i];
        if (names->is_optional[i] && !unwrap_optional(m, &value) && value.kind != CEL_ERROR) {
            continue;
        }
        if (value.kind == CEL_ERROR) {
            return value;
        }
        fields[count] = names->names[i];
        kept[count++] = value;
    }
    if (m->call.is_over) {
        return cel_over(&m->call);
    }
    const struct cel_types *types = m->program->types;
    return types->construct(types->context, &m->call, names->name, fields, kept, count);
}

// ---- calls

static bool overload_fits(const struct cel_overload *overload, const struct cel_value *args, uint32_t count)
{
    if (overload->is_repeated ? count < overload->count : count != overload->count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i < overload->count ? i : overload->count - 1U;
        if ((overload->kinds[at] >> args[i].kind & 1) == 0) {
            return false;
        }
        const char *opaque = overload->opaques[at];
        if (opaque != NULL && args[i].kind == CEL_OPAQUE &&
            strcmp(cel_object_of(args[i])->ops->type_name, opaque) != 0) {
            return false;
        }
    }
    return true;
}

static struct cel_value no_function(struct cel_call *call, const struct cel_call_site *site,
                                    const struct cel_value *args)
{
    struct str first = site->argument_count == 0 ? STR("") : cel_type_name(args[0]);
    return cel_fail(call,
                    "no matching overload for '" STR_FMT "' with %d arguments, the first of type " STR_FMT,
                    STR_ARG(site->name), site->argument_count, STR_ARG(first));
}

struct cel_value cel_dispatch(struct cel_call *call, const struct cel_call_site *site,
                              const struct cel_value *args)
{
    for (uint32_t i = 0; i < site->argument_count; i++) {
        if (args[i].kind == CEL_ERROR) {
            return args[i];
        }
    }
    for (uint32_t i = 0; i < site->overload_count; i++) {
        const struct cel_overload *overload = &site->overloads[i];
        const struct cel_function *f = overload->function;
        if (f->call == NULL || !overload_fits(overload, args, site->argument_count)) {
            continue;
        }
        call->count = site->argument_count;
        call->prepared = site->prepared_for == f ? site->prepared : NULL;
        return f->call(call, args);
    }
    return no_function(call, site, args);
}

// ---- loops

static struct cel_value loop_begin(struct machine *m, struct loop *loop, enum cel_loop kind,
                                   struct cel_value range)
{
    if (range.kind != CEL_LIST && range.kind != CEL_MAP) {
        if (range.kind == CEL_ERROR) {
            return range;
        }
        struct str is = cel_type_name(range);
        return cel_fail(&m->call, "a value of type " STR_FMT " is neither list nor map", STR_ARG(is));
    }
    loop->walk = cel_walk(range);
    bool is_passing = kind == CEL_LOOP_ALL || kind == CEL_LOOP_EXISTS || kind == CEL_LOOP_ONE;
    loop->walk.place = is_passing ? &loop->place : NULL;
    loop->built = (struct builder){0};
    loop->hits = 0;
    return cel_bool(kind == CEL_LOOP_ALL);
}

// False at the end. The variables' places get their values.
static bool loop_next(struct machine *m, struct loop *loop, bool is_two, uint32_t length,
                      struct cel_value *places)
{
    struct arena_mark mark = arena_mark(m->call.arena);
    if (!cel_pay(&m->call, length) || !cel_walk_next(&m->call, &loop->walk, &loop->key, &loop->value)) {
        return false;
    }
    bool is_list = loop->walk.of.kind == CEL_LIST;
    loop->item = is_list ? loop->value : loop->key;
    loop->mark = mark;
    places[CEL_LOOP_FIRST] = is_two ? loop->key : loop->item;
    places[CEL_LOOP_SECOND] = loop->value;
    return true;
}

// The body's result is a bool that decides nothing: all that it made is garbage.
static void loop_forget(struct machine *m, const struct loop *loop)
{
    if (m->call.arena->total != loop->mark.total) {
        arena_release(m->call.arena, loop->mark);
    }
}

// What all and exists do with a result: false: they are decided.
static bool loop_judge(struct machine *m, struct loop *loop, bool decides, const char *name,
                       struct cel_value body, struct cel_value *result)
{
    if (body.kind == CEL_BOOL) {
        loop_forget(m, loop);
        if ((body.i != 0) == decides) {
            *result = body;
            return false;
        }
        return true;
    }
    if (result->kind == CEL_BOOL) {
        *result = no_bool(m, name, body);
    }
    return true;
}

// filter, exists_one and conditions of transforms: false: *result is an error. *ret_is_hit: it was true.
static bool loop_test(struct machine *m, struct cel_value body, struct cel_value *result, bool *ret_is_hit)
{
    *ret_is_hit = body.kind == CEL_BOOL && body.i != 0;
    if (body.kind == CEL_BOOL) {
        return true;
    }
    *result = no_bool(m, "the condition", body);
    return false;
}

static bool loop_entries(struct machine *m, struct loop *loop, struct cel_value map, struct cel_value *result)
{
    if (map.kind != CEL_MAP) {
        struct str is = cel_type_name(map);
        *result = map.kind == CEL_ERROR
                      ? map
                      : cel_fail(&m->call, "an entry of type " STR_FMT ", not map", STR_ARG(is));
        return false;
    }
    struct cel_walk walk = cel_walk(map);
    struct cel_value key;
    struct cel_value value;
    while (cel_walk_next(&m->call, &walk, &key, &value)) {
        struct cel_value put = builder_put(m, &loop->built, key, value);
        if (put.kind == CEL_ERROR) {
            *result = put;
            return false;
        }
    }
    return true;
}

// The body's result is taken. False: the loop ends here.
static bool loop_take(struct machine *m, struct loop *loop, enum cel_op_code code, struct cel_value body,
                      struct cel_value *result)
{
    bool is_hit = false;
    bool goes_on = true;
    switch (code) {
    case CEL_OP_LOOP_ALL:
        return loop_judge(m, loop, false, "all", body, result);
    case CEL_OP_LOOP_EXISTS:
        return loop_judge(m, loop, true, "exists", body, result);
    case CEL_OP_LOOP_ONE:
        goes_on = loop_test(m, body, result, &is_hit);
        loop->hits += is_hit;
        if (goes_on) {
            loop_forget(m, loop);
        }
        return goes_on;
    case CEL_OP_LOOP_FILTER:
        goes_on = loop_test(m, body, result, &is_hit);
        if (is_hit) {
            builder_append(m, &loop->built, loop->item);
        } else if (goes_on) {
            loop_forget(m, loop);
        }
        return goes_on;
    case CEL_OP_LOOP_MAP:
        *result = body.kind == CEL_ERROR ? body : *result;
        builder_append(m, &loop->built, body);
        return body.kind != CEL_ERROR;
    case CEL_OP_LOOP_VALUE:
        body = builder_put(m, &loop->built, loop->key, body);
        *result = body.kind == CEL_ERROR ? body : *result;
        return body.kind != CEL_ERROR;
    default:
        return loop_entries(m, loop, body, result);
    }
}

static void loop_end(const struct loop *loop, enum cel_loop kind, struct cel_value *result)
{
    if (result->kind == CEL_ERROR) {
        return;
    }
    switch (kind) {
    case CEL_LOOP_ALL:
    case CEL_LOOP_EXISTS:
        return;
    case CEL_LOOP_ONE:
        *result = cel_bool(loop->hits == 1);
        return;
    case CEL_LOOP_FILTER:
    case CEL_LOOP_MAP:
    case CEL_LOOP_LIST:
        *result = cel_list(loop->built.items, loop->built.count);
        return;
    default:
        *result = cel_map(loop->built.items, loop->built.count);
        return;
    }
}

// ---- the machine

static inline struct cel_value arithmetic(struct machine *m, enum cel_op_code op, struct cel_value a,
                                          struct cel_value b)
{
    switch (op) {
    case CEL_OP_ADD:
        return cel_add(&m->call, a, b);
    case CEL_OP_SUBTRACT:
        return cel_subtract(&m->call, a, b);
    case CEL_OP_MULTIPLY:
        return cel_multiply(&m->call, a, b);
    case CEL_OP_DIVIDE:
        return cel_divide(&m->call, a, b);
    case CEL_OP_MODULO:
        return cel_modulo(&m->call, a, b);
    default:
        return cel_in(&m->call, a, b);
    }
}

static const struct cel_names *names_of(const struct machine *m, const struct cel_op *op)
{
    return op->b == 0 ? NULL : &m->program->messages[op->b - 1];
}

// What is rare, or built, and optional values. It returns the instruction before the next one, as execute
// goes on from there.
static const struct cel_op *execute_rare(struct machine *m, const struct cel_op *op, struct cel_value *stack,
                                         struct cel_value **top)
{
    switch ((enum cel_op_code)op->code) {
    case CEL_OP_HAS:
        **top = cel_has(&m->call, **top, m->program->names[op->c]);
        break;
    case CEL_OP_OPTIONAL_FIELD:
        **top = cel_optional_field(&m->call, **top, m->program->names[op->c]);
        break;
    case CEL_OP_OPTIONAL_INDEX:
        --*top;
        **top = cel_optional_index(&m->call, (*top)[0], (*top)[1]);
        break;
    case CEL_OP_NEGATE:
        **top = cel_negate(&m->call, **top);
        break;
    case CEL_OP_SLIDE:
        stack[op->c] = **top;
        *top = &stack[op->c];
        break;
    case CEL_OP_LIST:
        *top -= (int)op->c - 1;
        **top = make_list(m, *top, op->c, names_of(m, op));
        break;
    case CEL_OP_MAP:
        *top -= (int)op->c * 2 - 1;
        **top = make_map(m, *top, op->c, names_of(m, op));
        break;
    case CEL_OP_MESSAGE:
        *top -= (int)op->c - 1;
        **top = make_message(m, *top, names_of(m, op));
        break;
    case CEL_OP_UNWRAP:
        if ((*top)->kind == CEL_ERROR || !cel_is_optional(**top)) {
            **top = no_bool(m, "optMap", **top);
            return m->program->code + op->c - 1;
        }
        if (!cel_optional_value(**top, *top)) {
            return m->program->code + op->c - 1;
        }
        break;
    case CEL_OP_WRAP:
        **top = (*top)->kind == CEL_ERROR ? **top : cel_optional(&m->call, *top);
        break;
    default:
        UNREACHABLE("an enum cel_op_code");
    }
    return op;
}

// Loops: as above.
static const struct cel_op *execute_loop(struct machine *m, const struct cel_op *op, struct cel_value *stack,
                                         struct cel_value **in_top)
{
    const struct cel_op *code = m->program->code;
    struct cel_value *top = *in_top;
    struct loop *loop = &m->loops[op->a];
    bool is_hit = false;
    (void)stack;
    switch ((enum cel_op_code)op->code) {
    case CEL_OP_LOOP:
        *top = loop_begin(m, loop, (enum cel_loop)op->b, *top);
        if (top->kind == CEL_ERROR) {
            return code + op->c - 1;
        }
        *in_top = top + CEL_LOOP_PLACES - 1;
        return op;
    case CEL_OP_NEXT:
        is_hit = loop_next(m, loop, op->b != 0, op->c - (uint32_t)(op - code), top - CEL_LOOP_PLACES + 1);
        return is_hit ? op : code + op->c - 1;
    case CEL_OP_LOOP_WHEN:
        *in_top = --top;
        if (!loop_test(m, top[1], top - CEL_LOOP_PLACES + 1, &is_hit)) {
            return code + code[op->c].c - 1;
        }
        return is_hit ? op : code + op->c - 1;
    case CEL_OP_LOOP_END:
        *in_top = top - CEL_LOOP_PLACES + 1;
        loop_end(loop, (enum cel_loop)op->b, *in_top);
        return op;
    default:
        *in_top = --top;
        is_hit = loop_take(m, loop, (enum cel_op_code)op->code, top[1], top - CEL_LOOP_PLACES + 1);
        return is_hit ? code + op->c - 1 : code + code[op->c].c - 1;
    }
}

static struct cel_value execute(struct machine *m, struct cel_value *stack)
{
    const struct cel_program *p = m->program;
    const struct cel_op *code = p->code;
    const struct cel_op *op = code;
    struct cel_value *top = stack - 1; // the value on top
    for (;; op++) {
        switch ((enum cel_op_code)op->code) {
        case CEL_OP_END:
            return *top;
        case CEL_OP_CONSTANT:
            *++top = p->constants[op->c];
            break;
        case CEL_OP_VARIABLE:
            *++top = m->run->variables[op->c];
            break;
        case CEL_OP_LOCAL:
            *++top = stack[op->c];
            break;
        case CEL_OP_PATH:
            *++top = path_value(m, op->c);
            break;
        case CEL_OP_FIELD:
            *top = cel_field(&m->call, *top, p->names[op->c]);
            break;
        case CEL_OP_INDEX:
            top--;
            *top = cel_index(&m->call, top[0], top[1]);
            break;
        case CEL_OP_ADD:
        case CEL_OP_SUBTRACT:
        case CEL_OP_MULTIPLY:
        case CEL_OP_DIVIDE:
        case CEL_OP_MODULO:
        case CEL_OP_IN:
            top--;
            *top = arithmetic(m, (enum cel_op_code)op->code, top[0], top[1]);
            break;
        case CEL_OP_NOT:
            *top = invert(m, *top, "!_");
            break;
        case CEL_OP_EQUAL:
            top--;
            *top = equal_fast(m, top[0], top[1]);
            break;
        case CEL_OP_NOT_EQUAL:
            top--;
            *top = invert(m, equal_fast(m, top[0], top[1]), "_!=_");
            break;
        case CEL_OP_LESS:
        case CEL_OP_LESS_EQUAL:
        case CEL_OP_GREATER:
        case CEL_OP_GREATER_EQUAL:
            top--;
            *top = order_fast(m, (enum cel_op_code)op->code, top[0], top[1]);
            break;
        case CEL_OP_AND:
            if (top->kind == CEL_BOOL && top->i == 0) {
                op = code + op->c - 1;
            }
            break;
        case CEL_OP_OR:
            if (top->kind == CEL_BOOL && top->i != 0) {
                op = code + op->c - 1;
            }
            break;
        case CEL_OP_AND_JOIN:
            top--;
            *top = join(m, top[0], top[1], false, "_&&_");
            break;
        case CEL_OP_OR_JOIN:
            top--;
            *top = join(m, top[0], top[1], true, "_||_");
            break;
        case CEL_OP_TEST:
            if (top->kind != CEL_BOOL) {
                *top = no_bool(m, "_?_:_", *top);
                op = code + op[1].c - 1;
            } else if ((top--)->i != 0) {
                op++;
            } else {
                op = code + op->c - 1;
            }
            break;
        case CEL_OP_JUMP:
            op = code + op->c - 1;
            break;
        case CEL_OP_CALL:
            top -= (int)p->calls[op->c].argument_count - 1;
            *top = cel_dispatch(&m->call, &p->calls[op->c], top);
            break;
        default: {
            struct cel_value *moved = top; // whose address is taken; top itself stays in a register
            op = (op->code >= CEL_OP_LOOP ? execute_loop : execute_rare)(m, op, stack, &moved);
            top = moved;
            break;
        }
        }
    }
}

static struct cel_value start(struct machine *m)
{
    struct cel_value small[STACK_SMALL] RUN_UNINITIALIZED; // each place is written before it is read
    struct cel_value *stack = small;
    const struct cel_program *p = m->program;
    if (m->call.steps < p->code_count) {
        return cel_over(&m->call);
    }
    m->call.steps -= p->code_count;
    if (p->loop_max > 0) {
        m->loops = cel_new(&m->call, struct loop, p->loop_max);
        m->views = cel_new(&m->call, struct view, p->path_count + 1); // before the first mark
    }
    if (p->stack_max > STACK_SMALL) {
        stack = cel_new(&m->call, struct cel_value, p->stack_max);
    }
    return m->call.is_over ? cel_over(&m->call) : execute(m, stack);
}

enum err cel_eval(const struct cel_program *program, struct cel_run *run, struct cel_value *ret,
                  struct error *e)
{
    struct machine m = {
        .call = {.arena = run->arena, .steps = run->steps, .program = program, .types = program->types},
        .program = program,
        .run = run,
    };
    struct cel_value value = start(&m);
    run->steps = m.call.steps;
    if (m.call.is_over) {
        return FAIL(e, ERR_NO_MEMORY, "the expression took more steps or memory than it may");
    }
    if (value.kind == CEL_ERROR) {
        return FAIL(e, ERR_INVALID_RECORD, STR_FMT, STR_ARG(cel_str(value)));
    }
    *ret = value;
    return ERR_OK;
}
