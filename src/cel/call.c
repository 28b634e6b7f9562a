// SPDX-License-Identifier: Apache-2.0
// call.c - what a run lends to functions: steps, memory, errors, the names of types.
#include "cel/message.h"
#include "cel/program_private.h"

#include <stdarg.h>
#include <stdio.h>

bool cel_pay(struct cel_call *call, uint64_t steps)
{
    if (steps > call->steps) {
        call->steps = 0;
        call->is_over = true;
        return false;
    }
    call->steps -= steps;
    return !call->is_over;
}

struct cel_value cel_over(struct cel_call *call)
{
    call->is_over = true;
    return cel_fail_static("the expression took more steps or memory than it may");
}

void *cel_alloc(struct cel_call *call, size_t count, size_t size)
{
    void *memory = call->is_over ? NULL : arena_array_alloc(call->arena, count == 0 ? 1 : count, size);
    call->is_over |= memory == NULL;
    return memory;
}

struct cel_value cel_fail_static(const char *text)
{
    return cel_text_value(CEL_ERROR, text, strlen(text));
}

struct cel_value cel_fail(struct cel_call *call, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct cel_value copy = cel_copy_string(call, str_from_c(text));
    copy.kind = CEL_ERROR;
    return copy;
}

struct cel_value cel_copy_string(struct cel_call *call, struct str text)
{
    char *copy = cel_new(call, char, text.len + 1);
    if (copy == NULL) {
        return cel_over(call);
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return cel_text_value(CEL_STRING, copy, text.len);
}

struct str cel_type_name(struct cel_value value)
{
    static const char *const names[CEL_ANY] = {
        [CEL_ERROR] = "error",
        [CEL_NULL] = "null_type",
        [CEL_BOOL] = "bool",
        [CEL_INT] = "int",
        [CEL_UINT] = "uint",
        [CEL_DOUBLE] = "double",
        [CEL_STRING] = "string",
        [CEL_BYTES] = "bytes",
        [CEL_LIST] = "list",
        [CEL_MAP] = "map",
        [CEL_TYPE] = "type",
        [CEL_TIMESTAMP] = "google.protobuf.Timestamp",
        [CEL_DURATION] = "google.protobuf.Duration",
        [CEL_MESSAGE] = "message",
        [CEL_OPAQUE] = "opaque",
    };
    if (value.kind == CEL_MESSAGE) {
        return cel_message_name(value);
    }
    return str_from_c(value.kind == CEL_OPAQUE ? cel_object_of(value)->ops->type_name : names[value.kind]);
}

struct cel_value cel_type_of(struct cel_call *call, struct cel_value value)
{
    (void)call;
    return value.kind == CEL_ERROR ? value : cel_type(cel_type_name(value));
}
