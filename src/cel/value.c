// SPDX-License-Identifier: Apache-2.0
// value.c - values are made.
#include "cel/cel_private.h"

#include "base/assert.h"

struct cel_value cel_null(void)
{
    return (struct cel_value){.kind = CEL_NULL};
}

struct cel_value cel_bool(bool value)
{
    return (struct cel_value){.kind = CEL_BOOL, .i = value};
}

struct cel_value cel_int(int64_t value)
{
    return (struct cel_value){.kind = CEL_INT, .i = value};
}

struct cel_value cel_uint(uint64_t value)
{
    return (struct cel_value){.kind = CEL_UINT, .u = value};
}

struct cel_value cel_double(double value)
{
    return (struct cel_value){.kind = CEL_DOUBLE, .d = value};
}

struct cel_value cel_string(struct str text)
{
    return cel_text_value(CEL_STRING, text.ptr, text.len);
}

struct cel_value cel_bytes(struct bytes bytes)
{
    return cel_text_value(CEL_BYTES, bytes.ptr, bytes.len);
}

struct cel_value cel_type(struct str name)
{
    return cel_text_value(CEL_TYPE, name.ptr, name.len);
}

struct cel_value cel_timestamp(int64_t seconds, uint32_t nanos)
{
    ASSERT(nanos < CEL_NANOS_PER_SECOND);
    return (struct cel_value){.kind = CEL_TIMESTAMP, .len = nanos, .i = seconds};
}

struct cel_value cel_duration(int64_t seconds, uint32_t nanos)
{
    ASSERT(nanos < CEL_NANOS_PER_SECOND);
    return (struct cel_value){.kind = CEL_DURATION, .len = nanos, .i = seconds};
}

struct cel_value cel_list(const struct cel_value *items, size_t count)
{
    return (struct cel_value){.kind = CEL_LIST, .form = CEL_FORM_ITEMS, .len = (uint32_t)count, .ptr = items};
}

struct cel_value cel_map(const struct cel_entry *entries, size_t count)
{
    return (struct cel_value){
        .kind = CEL_MAP, .form = CEL_FORM_ITEMS, .len = (uint32_t)count, .ptr = entries};
}

bool cel_value_bool(struct cel_value value, bool *ret)
{
    if (value.kind == CEL_BOOL) {
        *ret = value.i != 0;
    }
    return value.kind == CEL_BOOL;
}

bool cel_value_string(struct cel_value value, struct str *ret)
{
    if (value.kind == CEL_STRING) {
        *ret = cel_str(value);
    }
    return value.kind == CEL_STRING;
}
