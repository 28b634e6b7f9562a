// SPDX-License-Identifier: Apache-2.0
// view.c - a checked payload by field. Nothing is checked again: what would lead outside was refused.
#include "format/avro/program_private.h"

#include "base/assert.h"

enum { LONG_BYTES_MAX = 10 };

// A place in the payload that moves.
struct walk {
    const struct avro_program *program;
    const uint8_t *p;
    const uint8_t *end;
};

static inline uint64_t walk_number(struct walk *w)
{
    uint64_t number;
    if (w->p < w->end && *w->p < 0x80) {
        return *w->p++;
    }
    w->p = avro_varint(w->p, w->end, LONG_BYTES_MAX, &number);
    ASSERT(w->p != NULL);
    return number;
}

static inline struct bytes walk_take(struct walk *w, size_t size)
{
    ASSERT(size <= (size_t)(w->end - w->p));
    struct bytes taken = {w->p, size};
    w->p += size;
    return taken;
}

static inline struct bytes walk_bytes(struct walk *w)
{
    return walk_take(w, (size_t)(walk_number(w) >> 1));
}

static uint32_t child_of(const struct avro_program *program, uint32_t id, uint64_t index)
{
    return program->children[program->nodes[id].first_child + index];
}

// walk_branch passes over the index of a union and returns the node that is there.
static inline uint32_t walk_branch(struct walk *w, uint32_t id)
{
    while (__builtin_expect(w->program->nodes[id].type->kind == AVRO_UNION, 0)) {
        id = child_of(w->program, id, walk_number(w) >> 1);
    }
    return id;
}

static void walk_over_other(struct walk *w, uint32_t id);

// walk_over passes over a value: most are numbers and texts, of which nothing else is looked at.
static inline void walk_over(struct walk *w, uint32_t id)
{
    switch (w->program->nodes[id].type->kind) {
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_ENUM:
        walk_number(w);
        return;
    case AVRO_BYTES:
    case AVRO_STRING:
        walk_bytes(w);
        return;
    default:
        walk_over_other(w, id);
        return;
    }
}

static void walk_over_blocks(struct walk *w, uint32_t item, bool is_map)
{
    bool is_empty = !is_map && w->program->nodes[item].is_empty;
    for (;;) {
        int64_t count = avro_unzigzag(walk_number(w));
        if (count == 0) {
            return;
        }
        if (count < 0) {
            walk_bytes(w); // it says how long it is, and that was checked
            continue;
        }
        for (int64_t i = 0; i < count && !is_empty; i++) {
            if (is_map) {
                walk_bytes(w);
            }
            walk_over(w, item);
        }
    }
}

static void walk_over_other(struct walk *w, uint32_t id)
{
    id = walk_branch(w, id);
    const struct avro_type *type = w->program->nodes[id].type;
    if (w->program->nodes[id].is_empty) {
        return;
    }
    switch (type->kind) {
    case AVRO_NULL:
        return;
    case AVRO_BOOLEAN:
        walk_take(w, 1);
        return;
    case AVRO_FLOAT:
        walk_take(w, sizeof(float));
        return;
    case AVRO_DOUBLE:
        walk_take(w, sizeof(double));
        return;
    case AVRO_FIXED:
        walk_take(w, (size_t)type->size);
        return;
    case AVRO_ARRAY:
    case AVRO_MAP:
        walk_over_blocks(w, child_of(w->program, id, 0), type->kind == AVRO_MAP);
        return;
    case AVRO_RECORD:
        for (uint32_t i = 0; i < type->count; i++) {
            walk_over(w, child_of(w->program, id, i));
        }
        return;
    default: // what is in a union
        walk_over(w, id);
        return;
    }
}

// ---- views

enum view_kind avro_view_kind(enum avro_kind kind)
{
    static const enum view_kind kinds[AVRO_KIND_COUNT] = {
        [AVRO_NULL] = VIEW_NULL,   [AVRO_BOOLEAN] = VIEW_BOOL,  [AVRO_INT] = VIEW_INT,
        [AVRO_LONG] = VIEW_INT,    [AVRO_FLOAT] = VIEW_DOUBLE,  [AVRO_DOUBLE] = VIEW_DOUBLE,
        [AVRO_BYTES] = VIEW_BYTES, [AVRO_STRING] = VIEW_STRING, [AVRO_RECORD] = VIEW_RECORD,
        [AVRO_ENUM] = VIEW_ENUM,   [AVRO_ARRAY] = VIEW_LIST,    [AVRO_MAP] = VIEW_MAP,
        [AVRO_FIXED] = VIEW_BYTES,
    };
    return kinds[kind];
}

static double real_of(const uint8_t *p, enum avro_kind kind)
{
    if (kind == AVRO_FLOAT) {
        float number;
        memcpy(&number, p, sizeof number);
        return (double)number;
    }
    double number;
    memcpy(&number, p, sizeof number);
    return number;
}

// walk_view returns what is at the walk's place, and moves behind it.
static struct view walk_view(struct walk *w, const struct program *program, struct bytes payload, uint32_t id)
{
    id = walk_branch(w, id);
    const struct avro_type *type = w->program->nodes[id].type;
    struct view view = {.kind = avro_view_kind(type->kind),
                        .program = program,
                        .node = id,
                        .payload = payload,
                        .raw = {w->p, 0}};
    switch (type->kind) {
    case AVRO_BYTES:
    case AVRO_STRING:
        view.raw = walk_bytes(w);
        return view;
    case AVRO_ENUM:
        view.number = (int64_t)(walk_number(w) >> 1);
        view.raw = bytes_of(type->symbols[view.number].ptr, type->symbols[view.number].len);
        return view;
    case AVRO_INT:
    case AVRO_LONG:
        view.number = avro_unzigzag(walk_number(w));
        break;
    case AVRO_BOOLEAN:
        view.number = *walk_take(w, 1).ptr;
        break;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        view.real = real_of(w->p, type->kind);
        walk_over(w, id);
        break;
    default:
        walk_over(w, id);
        break;
    }
    view.raw.len = (size_t)(w->p - view.raw.ptr);
    return view;
}

// marked_view is walk_view, written where it is wanted, of what begins and ends where it was marked.
static inline void marked_view(const struct avro_program *program, struct bytes payload,
                               const struct avro_mark *mark, struct view *ret)
{
    struct walk w = {program, mark->p, payload.len == 0 ? mark->p : payload.ptr + payload.len};
    uint32_t id = walk_branch(&w, mark->node);
    const struct avro_type *type = program->nodes[id].type;
    ret->kind = avro_view_kind(type->kind);
    ret->program = &program->base;
    ret->node = id;
    ret->payload = payload;
    ret->number = 0;
    ret->real = 0;
    ret->has_escape = false;
    switch (ret->kind) {
    case VIEW_RECORD:
    case VIEW_LIST:
    case VIEW_MAP:
        ret->raw = bytes_of(w.p, (size_t)(mark->end - w.p));
        break;
    case VIEW_STRING:
        ret->raw = walk_bytes(&w);
        break;
    case VIEW_DOUBLE:
        ret->raw = walk_take(&w, type->kind == AVRO_FLOAT ? sizeof(float) : sizeof(double));
        ret->real = real_of(ret->raw.ptr, type->kind);
        break;
    case VIEW_ENUM:
        ret->number = (int64_t)(walk_number(&w) >> 1);
        ret->raw = bytes_of(type->symbols[ret->number].ptr, type->symbols[ret->number].len);
        break;
    case VIEW_INT:
        ret->raw.ptr = w.p;
        ret->number = avro_unzigzag(walk_number(&w));
        ret->raw.len = (size_t)(w.p - ret->raw.ptr);
        break;
    default:
        *ret = walk_view(&w, &program->base, payload, id);
        break;
    }
}

static struct walk walk_of(const struct view *view)
{
    const uint8_t *begin = view->raw.ptr;
    return (struct walk){avro_program_of(view->program), begin, begin + view->raw.len};
}

struct view avro_view_root(const struct program *program, struct bytes payload)
{
    static const uint8_t nothing[1];
    const uint8_t *begin = payload.len == 0 ? nothing : payload.ptr;
    struct walk w = {avro_program_of(program), begin, begin + payload.len};
    uint32_t id = walk_branch(&w, 0);
    enum view_kind kind = avro_view_kind(w.program->nodes[id].type->kind);
    if (kind == VIEW_RECORD || kind == VIEW_LIST ||
        kind == VIEW_MAP) { // nothing is behind it: it was checked
        return (struct view){.kind = kind,
                             .program = program,
                             .node = id,
                             .payload = payload,
                             .raw = {w.p, (size_t)(w.end - w.p)}};
    }
    return walk_view(&w, program, payload, id);
}

// Of entries with the same key the last counts, as in the maps of others.
static struct view map_value(const struct view *map, struct str name)
{
    struct view_items items = {.of = *map};
    struct view found = {0};
    struct view value;
    struct str key;
    while (avro_view_next(&items, &key, &value)) {
        if (str_equal(key, name)) {
            found = value;
        }
    }
    return found;
}

struct view avro_view_field(const struct view *record, struct str name)
{
    if (record->kind == VIEW_MAP) {
        return map_value(record, name);
    }
    struct walk w = walk_of(record);
    int64_t index = name_index_find(&w.program->nodes[record->node].type->index, name);
    if (index == NAME_INDEX_NONE) {
        return (struct view){0};
    }
    for (int64_t i = 0; i < index; i++) {
        walk_over(&w, child_of(w.program, record->node, (uint64_t)i));
    }
    return walk_view(&w, record->program, record->payload,
                     child_of(w.program, record->node, (uint64_t)index));
}

bool avro_view_next(struct view_items *items, struct str *ret_key, struct view *ret)
{
    const struct view *of = &items->of;
    struct walk w = walk_of(of);
    const struct avro_type *type = w.program->nodes[of->node].type;
    w.p += items->position;
    *ret_key = (struct str){0};
    if (type->kind == AVRO_RECORD) {
        if (items->index == type->count) {
            return false;
        }
        *ret_key = type->fields[items->index].name;
        *ret = walk_view(&w, of->program, of->payload, child_of(w.program, of->node, items->index++));
        items->position = (size_t)(w.p - of->raw.ptr);
        return true;
    }
    if (items->left == 0) { // of this block
        if (items->state != 0) {
            return false; // the last one was met
        }
        int64_t count = avro_unzigzag(walk_number(&w));
        if (count == 0) {
            items->state = 1;
            return false;
        }
        if (count < 0) {
            walk_number(&w);
        }
        items->left = count < 0 ? -(uint64_t)count : (uint64_t)count;
    }
    if (type->kind == AVRO_MAP) {
        struct bytes key = walk_bytes(&w);
        *ret_key = (struct str){(const char *)key.ptr, key.len};
    }
    *ret = walk_view(&w, of->program, of->payload, child_of(w.program, of->node, 0));
    items->left--;
    items->index++;
    items->position = (size_t)(w.p - of->raw.ptr);
    return true;
}

void avro_view_slots(const struct avro_program *program, struct bytes payload, const struct avro_mark *marks,
                     struct view *views)
{
    const struct slots *slots = program->base.slots;
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct slot *slot = &slots->slots[i];
        if (slot->view == SLOT_INNER) {
            continue;
        }
        if (marks[i].p == NULL) {
            views[slot->view] = (struct view){0};
            continue;
        }
        marked_view(program, payload, &marks[i], &views[slot->view]);
    }
    for (uint32_t i = 0; i < slots->count && program->has_map_slots; i++) {
        struct view map = {0};
        if (marks[i].p != NULL && slots->slots[i].first != 0) {
            marked_view(program, payload, &marks[i], &map);
        }
        for (uint32_t child = slots->slots[i].first; child != 0 && map.kind == VIEW_MAP;
             child = slots->slots[child].next) {
            struct view value = avro_view_field(&map, slots->slots[child].name);
            slots_walk(slots, child, &value, views);
        }
    }
}
