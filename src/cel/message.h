// SPDX-License-Identifier: Apache-2.0
// message.h - Protobuf messages as values: read from a payload (CEL_FORM_VIEW) or built by an expression
// (CEL_FORM_OBJECT). Google's well-known types are not messages to an expression but what they stand for.
#ifndef CEL_MESSAGE_H
#define CEL_MESSAGE_H

#include "cel/cel_private.h"

// cel_message_of_view reads a message of a payload, or what it stands for: wrappers, Timestamp, Duration,
// Struct, Value, ListValue, Any. An Any is of a type that the program's cel_types know, or an error.
struct cel_value cel_message_of_view(struct cel_call *call, const struct view *view);
struct str cel_message_name(struct cel_value message);
// cel_message_field reads a field, or an extension by its full name. One that is not set is its default;
// wrappers, Any and Value are null then. An error if there is no such field.
struct cel_value cel_message_field(struct cel_call *call, struct cel_value message, struct str name);
struct cel_value cel_message_has(struct cel_call *call, struct cel_value message, struct str name);
struct cel_value cel_message_equal(struct cel_call *call, struct cel_value a, struct cel_value b);
bool cel_message_is_zero(struct cel_value message); // no field is set

#endif
