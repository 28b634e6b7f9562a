// SPDX-License-Identifier: Apache-2.0
// check.c - one pass over a payload where it lies. Fields that the schema does not know are skipped, within
// their bounds; a known field with another wire type is refused, since a reader would lose it without a word.
// The last of two values of a oneof or of a single field counts, so both are accepted. Each part of a message
// that was written in parts has to have all that is required.
#include "format/protobuf/pb_program.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

struct checker {
    const struct pb_program *program;
    const uint8_t *begin;
    struct program_fault *fault; // NULL: nobody asks
    const uint8_t *at;           // of the fault
    char *path;                  // of the fault, at the end of FAULT_PATH_SIZE bytes
    size_t path_begin;
    unsigned depth;
    uint32_t slot;         // of the message that is entered next, or PB_NO_SLOT
    const uint8_t **marks; // per slot the tag of its field; NULL ptr: absent
};

static const uint8_t *check_fields(struct checker *c, uint32_t message, const uint8_t *at, const uint8_t *end,
                                   uint32_t group);

// ---- faults

static void put_path(struct checker *c, struct str text)
{
    if (c->path_begin == 0 || text.len == 0) {
        return;
    }
    if (text.len + 4 > c->path_begin) { // too long: the outermost part is cut
        memcpy(c->path, "...", 3);
        memmove(c->path + 3, c->path + c->path_begin, FAULT_PATH_SIZE - c->path_begin);
        memset(c->path + 3 + FAULT_PATH_SIZE - c->path_begin, 0, c->path_begin - 3);
        c->path_begin = 0;
        return;
    }
    c->path_begin -= text.len;
    memcpy(c->path + c->path_begin, text.ptr, text.len);
}

__attribute__((format(printf, 3, 4))) static const uint8_t *fault(struct checker *c, const uint8_t *at,
                                                                  const char *format, ...)
{
    c->at = at;
    if (c->fault != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(c->fault->text, sizeof c->fault->text, format, args);
        va_end(args);
    }
    return NULL;
}

static const char *wire_name(unsigned wire)
{
    static const char *const names[] = {"a varint", "8 bytes",       "a length and bytes",
                                        "a group",  "a group's end", "4 bytes"};
    return wire < 6 ? names[wire] : "nothing known";
}

// ---- what is skipped

static const uint8_t *skip_group(struct checker *c, const uint8_t *at, const uint8_t *end, uint32_t group);

static const uint8_t *skip_value(struct checker *c, const uint8_t *at, const uint8_t *end, uint32_t tag)
{
    uint64_t value = 0;
    const uint8_t *next = NULL;
    switch (tag & 7) {
    case PB_WIRE_VARINT:
        next = pb_varint(at, end, 10, &value);
        return next != NULL ? next : fault(c, at, "a varint that does not end");
    case PB_WIRE_64:
        return end - at >= 8 ? at + 8 : fault(c, at, "8 bytes announced, %td left", end - at);
    case PB_WIRE_32:
        return end - at >= 4 ? at + 4 : fault(c, at, "4 bytes announced, %td left", end - at);
    case PB_WIRE_LENGTH:
        next = pb_varint(at, end, 10, &value);
        if (next == NULL) {
            return fault(c, at, "a length that does not end");
        }
        return value <= (uint64_t)(end - next)
                   ? next + value
                   : fault(c, at, "%llu bytes announced, %td left", (unsigned long long)value, end - next);
    case PB_WIRE_GROUP:
        return skip_group(c, at, end, tag >> 3);
    default:
        return fault(c, at, "wire type %u, which there is not", tag & 7);
    }
}

// Reads a tag; 0 after a fault.
static uint32_t read_tag(struct checker *c, const uint8_t **at, const uint8_t *end)
{
    uint64_t tag = 0;
    const uint8_t *next = pb_varint(*at, end, 5, &tag);
    if (next == NULL || tag > UINT32_MAX || tag < 8) {
        fault(c, *at,
              next == NULL       ? "a tag that does not end"
              : tag > UINT32_MAX ? "a field number that is too large"
                                 : "a tag with no field number");
        return 0;
    }
    *at = next;
    return (uint32_t)tag;
}

// next_tag is read_tag; most tags are one byte.
static inline uint32_t next_tag(struct checker *c, const uint8_t **at, const uint8_t *end)
{
    uint8_t first = **at;
    if (first >= 8 && first < 0x80) {
        (*at)++;
        return first;
    }
    return read_tag(c, at, end);
}

static const uint8_t *skip_group(struct checker *c, const uint8_t *at, const uint8_t *end, uint32_t group)
{
    if (++c->depth > PAYLOAD_DEPTH_MAX) {
        return fault(c, at, "nested deeper than %d", PAYLOAD_DEPTH_MAX);
    }
    while (at < end) {
        const uint8_t *begin = at;
        uint32_t tag = read_tag(c, &at, end);
        if (tag == 0) {
            return NULL;
        }
        if ((tag & 7) == PB_WIRE_GROUP_END) {
            c->depth--;
            return tag >> 3 == group
                       ? at
                       : fault(c, begin, "the end of group %u within group %u", tag >> 3, group);
        }
        at = skip_value(c, at, end, tag);
        if (at == NULL) {
            return NULL;
        }
    }
    return fault(c, at, "group %u has no end", group);
}

// ---- values

static const uint8_t *check_packed(struct checker *c, const struct pb_node_field *f, const uint8_t *at,
                                   const uint8_t *end)
{
    size_t size = f->wire == PB_WIRE_64 ? 8 : f->wire == PB_WIRE_32 ? 4 : 0;
    if (size > 0) {
        return (size_t)(end - at) % size == 0
                   ? end
                   : fault(c, at, "%td bytes are no whole number of %s", end - at, pb_type_name(f->type));
    }
    while (at < end) {
        uint64_t value = 0;
        const uint8_t *next = pb_varint(at, end, 10, &value);
        if (next == NULL) {
            return fault(c, at, "a varint that does not end");
        }
        at = next;
    }
    return at;
}

static const uint8_t *check_message(struct checker *c, uint32_t message, const uint8_t *at,
                                    const uint8_t *end, uint32_t group)
{
    if (c->depth >= PAYLOAD_DEPTH_MAX) {
        return fault(c, at, "nested deeper than %d", PAYLOAD_DEPTH_MAX);
    }
    c->depth++;
    at = check_fields(c, message, at, end, group);
    c->depth--;
    return at;
}

// usual_text takes a text or bytes that are sound; NULL: it is not such a one, or not sound.
static inline const uint8_t *usual_text(const struct pb_node_field *f, const uint8_t *at, const uint8_t *end,
                                        uint32_t tag)
{
    uint64_t size = 0;
    if ((tag & 7) != PB_WIRE_LENGTH || f->wire != PB_WIRE_LENGTH || f->type == PB_TYPE_MESSAGE) {
        return NULL;
    }
    at = pb_varint(at, end, 10, &size);
    if (at == NULL || size > (uint64_t)(end - at)) {
        return NULL;
    }
    bool is_good = (f->flags & PB_NODE_UTF8) == 0 || utf8_is_ascii((const char *)at, (size_t)size);
    return is_good ? at + size : NULL;
}

static const uint8_t *check_length(struct checker *c, const struct pb_node_field *f, const uint8_t *at,
                                   const uint8_t *end)
{
    uint64_t size = 0;
    const uint8_t *begin = pb_varint(at, end, 10, &size);
    if (begin == NULL) {
        return fault(c, at, "a length that does not end");
    }
    if (size > (uint64_t)(end - begin)) {
        return fault(c, at, "%llu bytes announced, %td left", (unsigned long long)size, end - begin);
    }
    const uint8_t *next = begin + size;
    if (f->wire != PB_WIRE_LENGTH) {
        return check_packed(c, f, begin, next);
    }
    if (f->type == PB_TYPE_MESSAGE) {
        return check_message(c, f->target, begin, next, 0);
    }
    if ((f->flags & PB_NODE_UTF8) != 0 &&
        !utf8_is_valid((struct str){(const char *)(const void *)begin, (size_t)size})) {
        return fault(c, begin, "a string that is not UTF-8");
    }
    return next;
}

static const uint8_t *check_value(struct checker *c, const struct pb_node_field *f, const uint8_t *at,
                                  const uint8_t *end, uint32_t tag)
{
    uint32_t wire = tag & 7;
    if (wire == PB_WIRE_LENGTH && (f->wire == PB_WIRE_LENGTH || (f->flags & PB_NODE_PACKABLE) != 0)) {
        return check_length(c, f, at, end);
    }
    if (wire != f->wire) {
        return fault(c, at, "%s, but the schema has %s", wire_name(wire),
                     pb_type_name((enum pb_type)f->type));
    }
    return wire == PB_WIRE_GROUP ? check_message(c, f->target, at, end, tag >> 3)
                                 : skip_value(c, at, end, tag);
}

// ---- the way to a fault

// How often the field stands between two places that have been checked.
static size_t count_before(struct checker *c, const uint8_t *at, const uint8_t *end, uint32_t number)
{
    struct checker quiet = {.program = c->program, .begin = c->begin};
    size_t count = 0;
    while (at != NULL && at < end) {
        uint32_t tag = read_tag(&quiet, &at, end);
        if (tag == 0) {
            break;
        }
        count += tag >> 3 == number;
        at = skip_value(&quiet, at, end, tag);
    }
    return count;
}

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ') {
            return false;
        }
    }
    return utf8_is_valid(text);
}

// The key of the entry at `at`, as text for a path.
static void put_key(struct checker *c, const struct pb_node_field *f, const uint8_t *at, const uint8_t *end)
{
    if (c->fault->hides_values) {
        put_path(c, STR("[*]"));
        return;
    }
    const struct pb_node_message *entry = &c->program->messages[f->target];
    uint64_t size = 0;
    uint64_t tag = 0;
    at = pb_varint(at, end, 10, &size);
    if (at == NULL || size > (uint64_t)(end - at) || (at = pb_varint(at, end, 5, &tag)) == NULL ||
        tag >> 3 != 1 || entry->count == 0) {
        put_path(c, STR("[?]"));
        return;
    }
    uint64_t value = 0;
    at = pb_varint(at, end, 10, &value);
    if (c->program->fields[entry->first].type == PB_TYPE_STRING && at != NULL &&
        value < FAULT_PATH_SIZE / 2 && value <= (uint64_t)(end - at)) {
        struct str key = {(const char *)(const void *)at, (size_t)value};
        put_path(c, STR("\"]"));
        put_path(c, is_printable(key) ? key : STR("?"));
        put_path(c, STR("[\""));
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "[%llu]", (unsigned long long)value);
    put_path(c, at == NULL || (tag & 7) != PB_WIRE_VARINT ? STR("[?]") : str_from_c(text));
}

static void note_field(struct checker *c, const struct pb_node_field *f, const uint8_t *begin,
                       const uint8_t *tag_at, const uint8_t *at, const uint8_t *end)
{
    if (c->fault == NULL) {
        return;
    }
    if ((f->flags & PB_NODE_MAP) != 0) {
        put_key(c, f, at, end);
    } else if ((f->flags & PB_NODE_REPEATED) != 0) {
        char text[32];
        snprintf(text, sizeof text, "[%zu]", count_before(c, begin, tag_at, f->number));
        put_path(c, str_from_c(text));
    }
    put_path(c, f->name);
    put_path(c, STR("."));
}

// ---- messages

static bool has_required(struct checker *c, const struct pb_node_message *m, const uint64_t *seen,
                         const uint8_t *at)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct pb_node_field *f = &c->program->fields[m->first + i];
        if ((f->flags & PB_NODE_REQUIRED) != 0 && (seen[f->required / 64] >> (f->required % 64) & 1) == 0) {
            fault(c, at, "the required field " STR_FMT " is missing", STR_ARG(f->name));
            return false;
        }
    }
    return true;
}

// ---- slots

static void clear_marks(struct checker *c, uint32_t index)
{
    const struct slots *slots = c->program->base.slots;
    c->marks[index] = NULL;
    for (uint32_t child = slots->slots[index].first; child != 0; child = slots->slots[child].next) {
        if (c->marks[child] != NULL) {
            clear_marks(c, child);
        }
    }
}

// Of a oneof only the member that comes last is there.
static void clear_oneof(struct checker *c, uint32_t slot, const struct pb_node_field *f)
{
    const struct slots *slots = c->program->base.slots;
    for (uint32_t child = slots->slots[slot].first; child != 0; child = slots->slots[child].next) {
        uint32_t field = c->program->slots[child].field;
        if (field != PB_NO_SLOT && c->program->fields[field].oneof == f->oneof) {
            clear_marks(c, child);
        }
    }
}

// mark_field notes where a field is that a path leads to or through. Returns the slot to enter with its
// message.
static uint32_t mark_field(struct checker *c, uint32_t slot, const struct pb_node_field *f,
                           const uint8_t *tag_at, const uint8_t *at, const uint8_t *end)
{
    const struct pb_program *p = c->program;
    const struct pb_slot *holder = &p->slots[slot];
    uint32_t index = (uint32_t)(f - p->fields) -
                     p->messages[holder->field == PB_NO_SLOT ? 0 : p->fields[holder->field].target].first;
    uint32_t child = p->slot_tables[holder->table + index];
    bool is_in_oneof = f->oneof != 0 && holder->has_oneof;
    if ((child == 0 && !is_in_oneof) || (f->flags & PB_NODE_REPEATED) != 0 ||
        ((f->flags & PB_NODE_CLOSED) != 0 && pb_is_unknown(p, f, bytes_of(at, (size_t)(end - at))))) {
        return PB_NO_SLOT;
    }
    if (is_in_oneof) {
        clear_oneof(c, slot, f);
    }
    if (child == 0) {
        return PB_NO_SLOT;
    }
    if (c->marks[child] != NULL) { // the last one counts
        clear_marks(c, child);
    }
    c->marks[child] = tag_at;
    return p->slots[child].table != PB_NO_SLOT ? child : PB_NO_SLOT;
}

// Up to `end`, or up to the end of the group if `group` is not 0. Returns what is behind it, or NULL.
static const uint8_t *check_fields(struct checker *c, uint32_t message, const uint8_t *at, const uint8_t *end,
                                   uint32_t group)
{
    const struct pb_node_message *m = &c->program->messages[message];
    const uint8_t *begin = at;
    uint64_t seen[PB_REQUIRED_MAX / 64];
    if (m->required_count > 0) {
        memset(seen, 0, (m->required_count + 63) / 64 * sizeof *seen);
    }
    uint32_t hint = 0;
    uint32_t slot = c->slot;
    c->slot = PB_NO_SLOT;
    bool is_closed = group == 0;
    while (at < end) {
        const uint8_t *tag_at = at;
        uint32_t tag = next_tag(c, &at, end);
        if (tag == 0) {
            return NULL;
        }
        if ((tag & 7) == PB_WIRE_GROUP_END) {
            if (group == 0 || tag >> 3 != group) {
                return fault(c, tag_at, "the end of group %u, which did not begin", tag >> 3);
            }
            is_closed = true;
            break;
        }
        const struct pb_node_field *f = pb_node_find(c->program, m, tag >> 3, hint);
        if (f == NULL) {
            at = skip_value(c, at, end, tag);
            if (at == NULL) {
                return NULL;
            }
            continue;
        }
        hint = (uint32_t)(f - (c->program->fields + m->first)) + ((f->flags & PB_NODE_REPEATED) == 0);
        if (slot != PB_NO_SLOT) {
            c->slot = mark_field(c, slot, f, tag_at, at, end);
        }
        const uint8_t *next = usual_text(f, at, end, tag);
        next = next != NULL ? next : check_value(c, f, at, end, tag);
        if (next == NULL) {
            note_field(c, f, begin, tag_at, at, end);
            return NULL;
        }
        at = next;
        if ((f->flags & PB_NODE_REQUIRED) != 0) {
            seen[f->required / 64] |= (uint64_t)1 << (f->required % 64);
        }
    }
    if (!is_closed) {
        return fault(c, at, "group %u has no end", group);
    }
    return m->required_count == 0 || has_required(c, m, seen, at) ? at : NULL;
}

enum err pb_check(const struct program *program, struct bytes payload, struct view *views,
                  struct program_fault *ret)
{
    const uint8_t *marks[SLOTS_MAX] __attribute__((uninitialized)); // as many as there are slots are cleared
    char path[FAULT_PATH_SIZE] __attribute__((uninitialized));      // from path_begin on
    struct checker c = {
        .program = pb_program_of(program), .begin = payload.ptr, .fault = ret, .path = path, .marks = marks};
    c.slot = program->slots == NULL || c.program->slots[0].table == PB_NO_SLOT ? PB_NO_SLOT : 0;
    if (program->slots != NULL) {
        memset(marks, 0, program->slots->count * sizeof *marks);
    }
    const uint8_t *end = payload.len == 0 ? payload.ptr : payload.ptr + payload.len;
    c.path_begin = FAULT_PATH_SIZE - 1;
    path[c.path_begin] = '\0';
    if (payload.len == 0) {
        static const uint8_t nothing[1];
        c.begin = nothing;
        end = nothing;
    }
    if (check_fields(&c, 0, c.begin, end, 0) != NULL) {
        if (views != NULL) {
            pb_view_slots(c.program, payload, marks, views);
        }
        return ERR_OK;
    }
    if (ret != NULL) {
        ret->position = (size_t)(c.at - c.begin);
        if (c.path_begin > 0) {
            put_path(&c, STR("$"));
        }
        memcpy(ret->path, c.path + c.path_begin, FAULT_PATH_SIZE - c.path_begin);
    }
    return ERR_INVALID_RECORD;
}
