// SPDX-License-Identifier: Apache-2.0
// view.c - a checked payload by field. A field may stand more than once and anywhere, so each look scans its
// message; nothing is kept. As readers do: the last value of a single field counts, and of a oneof the last
// member. Of a message written in several parts the last part is seen, not their union.
#include "format/protobuf/pb_program.h"

#include <stdio.h>

#include "base/assert.h"

// One field of a message as it stands. Payloads are checked: nothing here can fail.
struct occurrence {
    uint32_t number;
    uint32_t wire;
    struct bytes value; // of a length or group: what is inside
};

static const uint8_t *end_of(struct bytes b)
{
    return b.len == 0 ? b.ptr : b.ptr + b.len;
}

// What is inside a group that begins at `at`; *ret_next is behind its end.
static struct bytes group_inside(const uint8_t *at, const uint8_t *end, const uint8_t **ret_next)
{
    const uint8_t *begin = at;
    unsigned depth = 0;
    for (;;) {
        uint64_t tag = 0;
        uint64_t value = 0;
        const uint8_t *tag_at = at;
        at = pb_varint(at, end, 5, &tag);
        ASSERT(at != NULL);
        switch (tag & 7) {
        case PB_WIRE_VARINT:
            at = pb_varint(at, end, 10, &value);
            break;
        case PB_WIRE_64:
            at += 8;
            break;
        case PB_WIRE_32:
            at += 4;
            break;
        case PB_WIRE_LENGTH:
            at = pb_varint(at, end, 10, &value) + value;
            break;
        case PB_WIRE_GROUP:
            depth++;
            break;
        default:
            if (depth-- == 0) {
                *ret_next = at;
                return bytes_of(begin, (size_t)(tag_at - begin));
            }
            break;
        }
        ASSERT(at != NULL && at <= end);
    }
}

// False at the end of the message.
static bool next_field(const uint8_t **at, const uint8_t *end, struct occurrence *ret)
{
    uint64_t tag = 0;
    uint64_t value = 0;
    if (*at >= end) {
        return false;
    }
    const uint8_t *p = pb_varint(*at, end, 5, &tag);
    ASSERT(p != NULL);
    ret->number = (uint32_t)(tag >> 3);
    ret->wire = tag & 7;
    const uint8_t *next = p;
    switch (ret->wire) {
    case PB_WIRE_VARINT:
        next = pb_varint(p, end, 10, &value);
        break;
    case PB_WIRE_64:
        next = p + 8;
        break;
    case PB_WIRE_32:
        next = p + 4;
        break;
    case PB_WIRE_LENGTH:
        p = pb_varint(p, end, 10, &value);
        ASSERT(p != NULL && value <= (uint64_t)(end - p));
        next = p + value;
        break;
    default:
        ret->value = group_inside(p, end, &next);
        *at = next;
        return true;
    }
    ASSERT(next != NULL && next <= end);
    ret->value = bytes_of(p, (size_t)(next - p));
    *at = next;
    return true;
}

// ---- one value

static uint64_t load_little(struct bytes raw)
{
    uint64_t value = 0;
    for (size_t i = 0; i < raw.len && i < 8; i++) {
        value |= (uint64_t)raw.ptr[i] << (8 * i);
    }
    return value;
}

// NULL ptr: no value has the number.
static struct str enum_name(const struct pb_program *p, uint32_t index, int64_t number)
{
    const struct pb_node_enum *e = &p->enums[index];
    uint32_t low = 0;
    uint32_t high = e->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->values[e->first + middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_found = low < e->count && p->values[e->first + low].number == number;
    return is_found ? p->values[e->first + low].name : (struct str){NULL, 0};
}

static void set_number(struct view *v, enum pb_type type, uint64_t bits)
{
    v->kind = VIEW_INT;
    v->number = (int64_t)bits;
    switch (type) {
    case PB_TYPE_INT32:
    case PB_TYPE_SFIXED32:
        v->number = (int32_t)(uint32_t)bits;
        break;
    case PB_TYPE_SINT32:
        v->number = (int32_t)((uint32_t)bits >> 1 ^ (0 - ((uint32_t)bits & 1)));
        break;
    case PB_TYPE_SINT64:
        v->number = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
        break;
    case PB_TYPE_UINT32:
    case PB_TYPE_FIXED32:
        v->kind = VIEW_UINT;
        v->number = (int64_t)(uint32_t)bits;
        break;
    case PB_TYPE_UINT64:
    case PB_TYPE_FIXED64:
        v->kind = VIEW_UINT;
        break;
    case PB_TYPE_BOOL:
        v->kind = VIEW_BOOL;
        v->number = bits != 0;
        break;
    default:
        break;
    }
}

static void set_real(struct view *v, enum pb_type type, uint64_t bits)
{
    v->kind = VIEW_DOUBLE;
    if (type == PB_TYPE_DOUBLE) {
        memcpy(&v->real, &bits, sizeof v->real);
        return;
    }
    uint32_t small = (uint32_t)bits;
    float real = 0;
    memcpy(&real, &small, sizeof real);
    v->real = (double)real;
}

// view_set clears a view member by member: one made elsewhere and copied would be waited for.
static inline void view_set(struct view *v, const struct view *of, struct bytes raw)
{
    v->program = of->program;
    v->node = 0;
    v->raw = raw;
    v->payload = of->payload;
    v->number = 0;
    v->real = 0;
    v->has_escape = false;
}

// A single value; raw of length 0 with a pointer stands for a field that is absent: the zero of its type.
static void put_value(const struct view *of, const struct pb_node_field *f, struct bytes raw, struct view *v)
{
    const struct pb_program *p = pb_program_of(of->program);
    uint64_t bits = 0;
    view_set(v, of, raw);
    switch ((enum pb_type)f->type) {
    case PB_TYPE_STRING:
        v->kind = VIEW_STRING;
        return;
    case PB_TYPE_BYTES:
        v->kind = VIEW_BYTES;
        return;
    case PB_TYPE_MESSAGE:
    case PB_TYPE_GROUP:
        v->kind = VIEW_RECORD;
        v->node = f->target;
        return;
    default:
        break;
    }
    if (f->wire == PB_WIRE_VARINT && raw.len > 0) {
        pb_varint(raw.ptr, end_of(raw), 10, &bits);
    } else {
        bits = load_little(raw);
    }
    if (f->type == PB_TYPE_ENUM) {
        v->kind = VIEW_ENUM;
        v->number = (int32_t)(uint32_t)bits;
        struct str name = enum_name(p, f->target, v->number);
        v->raw = bytes_of(name.ptr == NULL ? "" : name.ptr, name.len);
    } else if (f->type == PB_TYPE_DOUBLE || f->type == PB_TYPE_FLOAT) {
        set_real(v, (enum pb_type)f->type, bits);
    } else {
        set_number(v, (enum pb_type)f->type, bits);
    }
}

static struct view value_view(const struct view *of, const struct pb_node_field *f, struct bytes raw)
{
    struct view v;
    put_value(of, f, raw, &v);
    return v;
}

// Of a closed enum a number that has no name is kept among the unknown fields.
bool pb_is_unknown(const struct pb_program *p, const struct pb_node_field *f, struct bytes raw)
{
    uint64_t bits = 0;
    if ((f->flags & PB_NODE_CLOSED) == 0 || pb_varint(raw.ptr, end_of(raw), 10, &bits) == NULL) {
        return false;
    }
    return enum_name(p, f->target, (int32_t)(uint32_t)bits).ptr == NULL;
}

static struct view absent_view(const struct view *of, const struct pb_node_field *f)
{
    static const uint8_t nothing[1];
    if ((f->flags & PB_NODE_PRESENCE) != 0) {
        return (struct view){.kind = VIEW_NONE};
    }
    return value_view(of, f, bytes_of(nothing, 0));
}

static struct view single_view(const struct view *record, const struct pb_node_field *f)
{
    const uint8_t *at = record->raw.ptr;
    const uint8_t *end = end_of(record->raw);
    const struct pb_program *p = pb_program_of(record->program);
    const struct pb_node_message *m = &p->messages[record->node];
    struct occurrence o;
    struct bytes found = {NULL, 0};
    while (next_field(&at, end, &o)) {
        if (o.number == f->number) {
            found = pb_is_unknown(p, f, o.value) ? found : o.value;
        } else if (f->oneof != 0) {
            const struct pb_node_field *other = pb_node_find(p, m, o.number, UINT32_MAX);
            if (other != NULL && other->oneof == f->oneof && !pb_is_unknown(p, other, o.value)) {
                found = (struct bytes){NULL, 0};
            }
        }
    }
    return found.ptr == NULL ? absent_view(record, f) : value_view(record, f, found);
}

// ---- records

struct view pb_view_root(const struct program *program, struct bytes payload)
{
    static const uint8_t nothing[1];
    if (payload.len == 0) {
        payload.ptr = nothing;
    }
    return (struct view){.kind = VIEW_RECORD, .program = program, .raw = payload, .payload = payload};
}

const struct pb_node_field *pb_field_by_name(const struct pb_program *p, const struct pb_node_message *m,
                                             struct str name)
{
    uint32_t low = 0;
    uint32_t high = m->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct pb_node_field *f = &p->fields[p->by_name[m->first + middle]];
        int order = str_compare(f->name, name);
        if (order == 0) {
            return f;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static struct view field_view(const struct view *record, const struct pb_node_field *f)
{
    if ((f->flags & PB_NODE_REPEATED) == 0) {
        return single_view(record, f);
    }
    struct view v = *record; // lists and maps are scanned in the message that holds them
    v.kind = (f->flags & PB_NODE_MAP) != 0 ? VIEW_MAP : VIEW_LIST;
    v.node = (uint32_t)(f - pb_program_of(record->program)->fields);
    return v;
}

// ---- entries of maps

static struct view entry_part(const struct view *map, const struct pb_node_field *field, struct bytes entry,
                              uint32_t number)
{
    const struct pb_program *p = pb_program_of(map->program);
    const struct pb_node_field *f = pb_node_find(p, &p->messages[field->target], number, number - 1);
    struct view holder = {.kind = VIEW_RECORD,
                          .program = map->program,
                          .node = field->target,
                          .raw = entry,
                          .payload = map->payload};
    struct pb_node_field plain = *f;
    plain.flags &= (uint8_t)~PB_NODE_PRESENCE; // an entry without key or value has the zero of its type
    return single_view(&holder, &plain);
}

static struct str key_text(const struct view *key, char *text, size_t size)
{
    if (key->kind == VIEW_STRING) {
        return (struct str){(const char *)(const void *)key->raw.ptr, key->raw.len};
    }
    if (key->kind == VIEW_BOOL) {
        return key->number != 0 ? STR("true") : STR("false");
    }
    int len = key->kind == VIEW_UINT ? snprintf(text, size, "%llu", (unsigned long long)key->number)
                                     : snprintf(text, size, "%lld", (long long)key->number);
    return (struct str){text, (size_t)len};
}

// An entry whose value is unknown is unknown as a whole.
static bool is_unknown_entry(const struct view *map, const struct pb_node_field *field, struct bytes entry)
{
    const struct pb_program *p = pb_program_of(map->program);
    const struct pb_node_field *f = pb_node_find(p, &p->messages[field->target], 2, 1);
    const uint8_t *at = entry.ptr;
    struct occurrence o;
    while ((f->flags & PB_NODE_CLOSED) != 0 && next_field(&at, end_of(entry), &o)) {
        if (o.number == 2 && pb_is_unknown(p, f, o.value)) {
            return true;
        }
    }
    return false;
}

static struct view map_view(const struct view *map, struct str name)
{
    const struct pb_node_field *f = &pb_program_of(map->program)->fields[map->node];
    const uint8_t *at = map->raw.ptr;
    struct occurrence o;
    struct view found = {.kind = VIEW_NONE};
    while (next_field(&at, end_of(map->raw), &o)) {
        if (o.number != f->number || is_unknown_entry(map, f, o.value)) {
            continue;
        }
        char text[24];
        struct view key = entry_part(map, f, o.value, 1);
        if (str_equal(key_text(&key, text, sizeof text), name)) {
            found = entry_part(map, f, o.value, 2);
        }
    }
    return found;
}

struct view pb_view_field(const struct view *record, struct str name)
{
    if (record->kind == VIEW_MAP) {
        return map_view(record, name);
    }
    const struct pb_program *p = pb_program_of(record->program);
    const struct pb_node_field *f = pb_field_by_name(p, &p->messages[record->node], name);
    return f == NULL ? (struct view){.kind = VIEW_NONE} : field_view(record, f);
}

// ---- items

// Within a packed run `left` bytes of it follow `position`.
static struct bytes packed_item(struct view_items *items, const struct pb_node_field *f)
{
    const uint8_t *at = items->of.raw.ptr + items->position;
    size_t size = f->wire == PB_WIRE_64 ? 8 : 4;
    if (f->wire == PB_WIRE_VARINT) {
        uint64_t value = 0;
        const uint8_t *next = pb_varint(at, at + items->left, 10, &value);
        ASSERT(next != NULL);
        size = (size_t)(next - at);
    }
    items->position += size;
    items->left -= size;
    return bytes_of(at, size);
}

static bool next_item(struct view_items *items, struct str *ret_key, struct view *ret)
{
    const struct pb_node_field *f = &pb_program_of(items->of.program)->fields[items->of.node];
    const uint8_t *begin = items->of.raw.ptr;
    for (;;) {
        if (items->left > 0) {
            struct bytes raw = packed_item(items, f);
            if (pb_is_unknown(pb_program_of(items->of.program), f, raw)) {
                continue;
            }
            *ret_key = (struct str){NULL, 0};
            *ret = value_view(&items->of, f, raw);
            return true;
        }
        const uint8_t *at = begin + items->position;
        struct occurrence o;
        if (!next_field(&at, end_of(items->of.raw), &o)) {
            return false;
        }
        items->position = (size_t)(at - begin);
        if (o.number != f->number) {
            continue;
        }
        if (o.wire == PB_WIRE_LENGTH && f->wire != PB_WIRE_LENGTH) { // a packed run, maybe empty
            items->position = (size_t)(o.value.ptr - begin);
            items->left = o.value.len;
            continue;
        }
        if (items->of.kind == VIEW_MAP && is_unknown_entry(&items->of, f, o.value)) {
            continue;
        }
        if (items->of.kind == VIEW_LIST && pb_is_unknown(pb_program_of(items->of.program), f, o.value)) {
            continue;
        }
        if (items->of.kind == VIEW_MAP) {
            struct view key = entry_part(&items->of, f, o.value, 1);
            *ret_key = key_text(&key, items->key_text, sizeof items->key_text);
            *ret = entry_part(&items->of, f, o.value, 2);
        } else {
            *ret_key = (struct str){NULL, 0};
            *ret = value_view(&items->of, f, o.value);
        }
        return true;
    }
}

// Fields of a message that are there, by number; of a list or map only if it has items.
static bool next_entry(struct view_items *items, struct str *ret_key, struct view *ret)
{
    const struct pb_program *p = pb_program_of(items->of.program);
    const struct pb_node_message *m = &p->messages[items->of.node];
    while (items->index < m->count) {
        const struct pb_node_field *f = &p->fields[m->first + items->index++];
        struct view v = field_view(&items->of, f);
        if (v.kind == VIEW_LIST || v.kind == VIEW_MAP) {
            struct view_items inner = {.of = v};
            struct str key;
            struct view item;
            if (!next_item(&inner, &key, &item)) {
                continue;
            }
        }
        if (v.kind != VIEW_NONE) {
            *ret_key = f->name;
            *ret = v;
            return true;
        }
    }
    return false;
}

bool pb_view_next(struct view_items *items, struct str *ret_key, struct view *ret)
{
    return items->of.kind == VIEW_RECORD ? next_entry(items, ret_key, ret) : next_item(items, ret_key, ret);
}

// ---- slots

static void marked_view(const struct view *record, const struct pb_node_field *f, const uint8_t *mark,
                        struct view *ret)
{
    struct occurrence o;
    if ((f->flags & PB_NODE_REPEATED) != 0) {
        *ret = field_view(record, f);
    } else if (mark != NULL && next_field(&mark, end_of(record->payload), &o)) {
        put_value(record, f, o.value, ret);
    } else {
        *ret = absent_view(record, f);
    }
}

// fill_slots fills what lies below a slot that holds a message.
static void fill_slots(const struct slots *slots, uint32_t index, const struct view *message,
                       const uint8_t *const *marks, struct view *views)
{
    const struct pb_program *p = pb_program_of(message->program);
    for (uint32_t child = slots->slots[index].first; child != 0; child = slots->slots[child].next) {
        uint32_t field = p->slots[child].field;
        uint32_t wanted = slots->slots[child].view;
        struct view own __attribute__((uninitialized));
        struct view *inner = wanted == SLOT_INNER ? &own : &views[wanted];
        if (field == PB_NO_SLOT) {
            slots_none(slots, child, views);
            continue;
        }
        marked_view(message, &p->fields[field], marks[child], inner);
        if (slots->slots[child].first == 0) {
            continue;
        }
        if (inner->kind == VIEW_RECORD) {
            fill_slots(slots, child, inner, marks, views);
        } else {
            struct view kept = *inner;
            slots_walk(slots, child, &kept, views);
        }
    }
}

void pb_view_slots(const struct pb_program *p, struct bytes payload, const uint8_t *const *marks,
                   struct view *views)
{
    struct view root = pb_view_root(&p->base, payload);
    if (p->base.slots->slots[0].view != SLOT_INNER) {
        views[p->base.slots->slots[0].view] = root;
    }
    fill_slots(p->base.slots, 0, &root, marks, views);
}
