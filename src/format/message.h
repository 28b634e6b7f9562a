// SPDX-License-Identifier: Apache-2.0
// message.h - Protobuf's message types by name, for those who build messages or compare them: what fields
// there are, and a program for any message or extension that a schema reaches. Everything lives as long as
// the schema.
#ifndef FORMAT_MESSAGE_H
#define FORMAT_MESSAGE_H

#include "format/program.h"

struct message_type;

// The numbers are those of FieldDescriptorProto.Type; groups are messages.
enum message_scalar {
    MESSAGE_DOUBLE = 1,
    MESSAGE_FLOAT = 2,
    MESSAGE_INT64 = 3,
    MESSAGE_UINT64 = 4,
    MESSAGE_INT32 = 5,
    MESSAGE_FIXED64 = 6,
    MESSAGE_FIXED32 = 7,
    MESSAGE_BOOL = 8,
    MESSAGE_STRING = 9,
    MESSAGE_MESSAGE = 11,
    MESSAGE_BYTES = 12,
    MESSAGE_UINT32 = 13,
    MESSAGE_ENUM = 14,
    MESSAGE_SFIXED32 = 15,
    MESSAGE_SFIXED64 = 16,
    MESSAGE_SINT32 = 17,
    MESSAGE_SINT64 = 18,
};

struct message_field {
    struct str name; // of an extension its full name
    uint32_t number;
    enum message_scalar scalar;    // of one value; of a map of its values
    enum message_scalar key;       // of a map
    const struct message_type *of; // of MESSAGE_MESSAGE; NULL: nothing defines it
    const struct message_type *in; // of an extension the message that it extends; else NULL
    bool is_repeated;              // not of a map
    bool is_map;
    bool has_presence;
    const void *source; // of the format
};

// Whether the schema is Protobuf. All below is only for those.
bool schema_has_messages(const struct schema *schema);
// What the schema and its imports define, one by one: message_at and message_extension_at tell whether it is
// a message (else NULL) or an extension (else false).
size_t message_symbol_count(const struct schema *schema);
const struct message_type *message_at(const struct schema *schema, size_t index);
const struct message_type *message_find(const struct schema *schema, struct str full_name); // NULL: none
struct str message_name(const struct message_type *type);                                   // full
// message_of_view: the type of a VIEW_RECORD of Protobuf; NULL for other views.
const struct message_type *message_of_view(const struct view *view);
bool message_field_at(const struct message_type *type, size_t index, struct message_field *ret);
bool message_field_find(const struct message_type *type, struct str name, struct message_field *ret);
bool message_extension_at(const struct schema *schema, size_t index, struct message_field *ret);
// message_enum_value: the number of "pkg.Enum.VALUE"; false: there is none.
bool message_enum_value(const struct schema *schema, struct str full_name, int64_t *ret);

// message_field_default is what a single field that is no message has when it is absent: proto2's default, or
// the zero of its type.
struct view message_field_default(const struct message_field *field);

// message_program makes a program with this message as its root. Errors as of program_create.
enum err message_program(const struct schema *schema, const struct message_type *type, struct program **ret,
                         struct error *e);
// message_extension_program makes one whose root is the extended message, of which it knows this field alone,
// by the extension's full name.
enum err message_extension_program(const struct schema *schema, const struct message_field *extension,
                                   struct program **ret, struct error *e);

#endif
