// SPDX-License-Identifier: Apache-2.0
// pb_program.h - a message compiled: flat arrays of messages, fields and enums that refer to each other by
// index.
#ifndef FORMAT_PROTOBUF_PB_PROGRAM_H
#define FORMAT_PROTOBUF_PB_PROGRAM_H

#include "format/protobuf/protobuf_private.h"

enum pb_wire {
    PB_WIRE_VARINT = 0,
    PB_WIRE_64 = 1,
    PB_WIRE_LENGTH = 2,
    PB_WIRE_GROUP = 3,
    PB_WIRE_GROUP_END = 4,
    PB_WIRE_32 = 5,
};

enum pb_node_flags {
    PB_NODE_REPEATED = 1,
    PB_NODE_PACKABLE = 2, // both ways of writing are read
    PB_NODE_UTF8 = 4,
    PB_NODE_REQUIRED = 8,
    PB_NODE_MAP = 16, // its message is the entry
    PB_NODE_PRESENCE = 32,
    PB_NODE_CLOSED = 64, // an enum: other numbers are as if the field were unknown
};

struct pb_node_field {
    struct str name;
    uint32_t number;
    uint32_t target;   // message, or enum
    uint32_t required; // its bit
    uint32_t oneof;    // from 1; 0: none
    uint8_t type;      // enum pb_type; a message written as a group is PB_TYPE_GROUP
    uint8_t wire;      // of one element
    uint8_t flags;
};

struct pb_node_message {
    struct str name; // full
    uint32_t first;  // of fields, which are sorted by number
    uint32_t count;
    uint32_t required_count;
};

struct pb_node_enum {
    struct str name;
    uint32_t first; // of values, sorted by number
    uint32_t count;
};

struct pb_node_value {
    struct str name;
    int32_t number;
};

// Beside a slot of the program: the field that it is, and where its own fields have their slots.
struct pb_slot {
    uint32_t field; // of the program, or PB_NO_SLOT: there is no such field
    uint32_t
        table; // in slot_tables, by index of the field in its message; PB_NO_SLOT: it has no slots within
    bool has_oneof; // among the fields with slots
};
#define PB_NO_SLOT UINT32_MAX

struct pb_program {
    struct program base;
    struct pb_slot *slots; // NULL: no paths
    uint16_t *slot_tables; // slots; 0: none
    size_t slot_table_count;
    struct pb_node_message *messages; // 0 is the root
    struct pb_node_field *fields;
    uint32_t *by_name; // parallel to fields: indexes of the same message's fields, sorted by name
    struct pb_node_enum *enums;
    struct pb_node_value *values;
    size_t message_count;
    size_t field_count;
    size_t enum_count;
    size_t value_count;
};

// Whether the field is one of a closed enum that has no such number: then it counts as not known.
bool pb_is_unknown(const struct pb_program *p, const struct pb_node_field *f, struct bytes raw);
// pb_view_slots makes the views of what was marked: per slot the tag of its field, or NULL.
void pb_view_slots(const struct pb_program *p, struct bytes payload, const uint8_t *const *marks,
                   struct view *views);
const struct pb_node_field *pb_field_by_name(const struct pb_program *p, const struct pb_node_message *m,
                                             struct str name);

static inline const struct pb_program *pb_program_of(const struct program *program)
{
    return (const struct pb_program *)(const void *)program;
}

// pb_node_find finds the field with a number; `hint` is an index of the message to try first.
static inline const struct pb_node_field *
pb_node_find(const struct pb_program *p, const struct pb_node_message *m, uint32_t number, uint32_t hint)
{
    const struct pb_node_field *fields = p->fields + m->first;
    if (hint < m->count && fields[hint].number == number) {
        return &fields[hint];
    }
    if (number - 1 < m->count && fields[number - 1].number == number) {
        return &fields[number - 1];
    }
    uint32_t low = 0;
    uint32_t high = m->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (fields[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < m->count && fields[low].number == number ? &fields[low] : NULL;
}

// pb_varint reads at most `most` bytes; NULL if it does not end within them or before `end`.
static inline const uint8_t *pb_varint(const uint8_t *at, const uint8_t *end, int most, uint64_t *ret)
{
    if (at < end && *at < 0x80) {
        *ret = *at;
        return at + 1;
    }
    uint64_t value = 0;
    for (int i = 0; i < most && at < end; i++) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret = value;
            return at;
        }
    }
    return NULL;
}

#endif
