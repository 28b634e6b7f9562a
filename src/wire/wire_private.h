// SPDX-License-Identifier: Apache-2.0
// wire_private.h - the tables as tools/wiregen.py writes them and the walkers read them.
#ifndef WIRE_WIRE_PRIVATE_H
#define WIRE_WIRE_PRIVATE_H

#include "wire/wire.h"

// The walkers recurse over the static schema only, never over input; wiregen.py refuses deeper ones.
enum { WIRE_DEPTH_MAX = 8 };

enum wire_type {
    WIRE_BOOL,
    WIRE_I8,
    WIRE_I16,
    WIRE_U16,
    WIRE_I32,
    WIRE_I64,
    WIRE_F64,
    WIRE_UUID,
    WIRE_ERROR, // int16 on the wire, enum err in the struct
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
};

enum wire_flag {
    WIRE_ARRAY = 1,   // a pointer, then an int32_t count
    WIRE_POINTER = 2, // a struct that may be null: a pointer in C, an int8 before it on the wire
    WIRE_SECRET = 4,  // not printed
};

struct wire_field {
    const char *name;
    const struct wire_struct *sub; // WIRE_STRUCT only
    uint16_t offset;               // into the C struct
    uint8_t type;                  // enum wire_type
    uint8_t flags;                 // enum wire_flag
    int16_t since;                 // versions that carry it, inclusive
    int16_t until;
    int16_t null_since; // may be null from this version; WIRE_VERSION_NEVER if never
    int16_t tag;        // -1 if not tagged (KIP-482)
};

struct wire_struct {
    const char *name;
    const struct wire_field *fields; // plain_count in wire order, then the tagged ones by tag
    const void *initial;             // one C struct with every field at its default
    uint16_t size;                   // of the C struct
    uint16_t wire_size_min;          // fewest bytes in any version
    uint16_t plain_count;
    uint16_t count;
};

extern const struct wire_api wire_apis[];
extern const size_t wire_apis_count;

// The pointer and count of an array field lie together: see struct_lines in wiregen.py.
struct wire_array_view {
    void *ptr;
    int32_t count;
};

static inline bool wire_field_in(const struct wire_field *field, int16_t version)
{
    return version >= field->since && version <= field->until;
}

// wire_element_size is the stride of an array of this field.
size_t wire_element_size(const struct wire_field *field);
// wire_tags_skip reads a tag buffer of which nothing is known; false if malformed.
bool wire_tags_skip(struct reader *r);

#endif
