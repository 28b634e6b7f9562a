// SPDX-License-Identifier: Apache-2.0
// message_private.h - what message.c (values) and message_types.c (types, construction) share.
#ifndef CEL_MESSAGE_PRIVATE_H
#define CEL_MESSAGE_PRIVATE_H

#include "cel/message.h"
#include "format/message.h"

enum well_known {
    WELL_KNOWN_NONE,
    WELL_KNOWN_ANY,
    WELL_KNOWN_TIMESTAMP,
    WELL_KNOWN_DURATION,
    WELL_KNOWN_STRUCT,
    WELL_KNOWN_VALUE,
    WELL_KNOWN_LIST_VALUE,
    WELL_KNOWN_BOOL, // from here wrappers
    WELL_KNOWN_INT32,
    WELL_KNOWN_INT64,
    WELL_KNOWN_UINT32,
    WELL_KNOWN_UINT64,
    WELL_KNOWN_FLOAT,
    WELL_KNOWN_DOUBLE,
    WELL_KNOWN_STRING,
    WELL_KNOWN_BYTES,
    WELL_KNOWN_COUNT,
};
enum well_known well_known_find(struct str full_name);
// value_of_time is a timestamp or a duration; an error if it is out of range.
struct cel_value value_of_time(enum well_known kind, int64_t seconds, int64_t nanos);

// A message that an expression has built: the fields that it has set, as what they mean.
struct set_field {
    struct message_field field;
    struct cel_value value;
};
struct message_object {
    struct cel_object object;
    const struct message_type *type;
    const struct set_field *fields;
    size_t count;
};
static inline const struct message_object *message_object_of(struct cel_value message)
{
    return (const struct message_object *)(const void *)cel_object_of(message);
}
struct cel_value message_object_value(struct cel_call *call, const struct message_type *type,
                                      const struct set_field *fields, size_t count);

// How items of a list, or keys and values of a map, become others; an error ends it.
struct cel_converter {
    struct cel_value (*key)(struct cel_call *call, const struct cel_converter *to, struct cel_value key);
    struct cel_value (*value)(struct cel_call *call, const struct cel_converter *to, struct cel_value value);
    const struct message_field *field; // for whom it is
    int depth;
};
struct cel_value cel_convert_list(struct cel_call *call, struct cel_value list,
                                  const struct cel_converter *to);
struct cel_value cel_convert_map(struct cel_call *call, struct cel_value map, const struct cel_converter *to);
// cel_to_json is the value as JSON has it, for Struct, Value and ListValue: null, bools, doubles, strings,
// lists, maps.
struct cel_value cel_to_json(struct cel_call *call, struct cel_value value);

// cel_unpack_any reads the bytes of an Any by the types of the program.
struct cel_value cel_unpack_any(struct cel_call *call, struct str type_url, struct bytes value);
// cel_find_extension: false if no type of the program extends the message by this name, or the run is over;
// what is there is VIEW_NONE if the message does not have it, or not in a form that the extension allows.
bool cel_find_extension(struct cel_call *call, struct cel_value message, struct str name,
                        struct message_field *ret_field, struct view *ret);

#endif
