// SPDX-License-Identifier: Apache-2.0
// message_json.c - values as JSON has them (Protobuf's JSON mapping): what Struct, Value and ListValue can
// hold.
#include <math.h>

#include "cel/library.h"
#include "cel/message_private.h"
#include "cel/text.h"

enum { JSON_NESTED_MAX = 256 };
static const double SAFE_INTEGER_MAX = 9007199254740991.0; // 2^53 - 1: greater ones are texts

static struct cel_value to_json(struct cel_call *call, struct cel_value value, int depth);

struct cel_value cel_convert_list(struct cel_call *call, struct cel_value list,
                                  const struct cel_converter *to)
{
    size_t count = 0;
    struct cel_value *items = NULL;
    if (cel_list_size(call, list, &count)) {
        items = cel_new(call, struct cel_value, count + 1);
    }
    if (items == NULL) {
        return cel_over(call);
    }
    struct cel_walk walk = cel_walk(list);
    struct cel_value key;
    struct cel_value item;
    for (size_t i = 0; i < count && cel_walk_next(call, &walk, &key, &item); i++) {
        items[i] = to->value(call, to, item);
        if (items[i].kind == CEL_ERROR) {
            return items[i];
        }
    }
    return call->is_over ? cel_over(call) : cel_list(items, count);
}

struct cel_value cel_convert_map(struct cel_call *call, struct cel_value map, const struct cel_converter *to)
{
    size_t count = 0;
    struct cel_entry *entries = NULL;
    if (cel_map_size(call, map, &count)) {
        entries = cel_new(call, struct cel_entry, count + 1);
    }
    if (entries == NULL) {
        return cel_over(call);
    }
    struct cel_walk walk = cel_walk(map);
    struct cel_value key;
    struct cel_value item;
    for (size_t i = 0; i < count && cel_walk_next(call, &walk, &key, &item); i++) {
        entries[i].key = to->key(call, to, key);
        entries[i].value = to->value(call, to, item);
        if (entries[i].key.kind == CEL_ERROR || entries[i].value.kind == CEL_ERROR) {
            return entries[i].key.kind == CEL_ERROR ? entries[i].key : entries[i].value;
        }
    }
    return call->is_over ? cel_over(call) : cel_map(entries, count);
}

static struct cel_value json_key(struct cel_call *call, const struct cel_converter *to, struct cel_value key)
{
    (void)call;
    (void)to;
    return key.kind == CEL_STRING ? key : cel_fail_static("keys of a Struct are strings");
}

static struct cel_value json_item(struct cel_call *call, const struct cel_converter *to,
                                  struct cel_value item)
{
    return to_json(call, item, to->depth);
}

static struct cel_value message_to_json(struct cel_call *call, struct cel_value message)
{
    struct str name = cel_message_name(message);
    if (str_equal(name, STR("google.protobuf.Empty"))) {
        return cel_map(NULL, 0);
    }
    if (!str_equal(name, STR("google.protobuf.FieldMask"))) {
        return cel_fail_static("a message cannot become a google.protobuf.Value");
    }
    struct cel_text out = {.call = call};
    struct cel_walk walk = cel_walk(cel_message_field(call, message, STR("paths")));
    struct cel_value key;
    struct cel_value path;
    for (bool is_first = true; cel_walk_next(call, &walk, &key, &path); is_first = false) {
        cel_text_append(&out, is_first ? STR("") : STR(","));
        cel_text_append(&out, cel_str(path));
    }
    return cel_text_done(&out);
}

static struct cel_value to_json(struct cel_call *call, struct cel_value value, int depth)
{
    double d = value.kind == CEL_INT ? (double)value.i : (double)value.u;
    struct cel_converter converter = {.key = json_key, .value = json_item, .depth = depth + 1};
    if (depth > JSON_NESTED_MAX) {
        return cel_fail_static("lists and maps are too deeply nested for a google.protobuf.Value");
    }
    switch ((enum cel_kind)value.kind) {
    case CEL_NULL:
    case CEL_BOOL:
    case CEL_DOUBLE:
    case CEL_STRING:
    case CEL_ERROR:
        return value;
    case CEL_INT:
    case CEL_UINT:
        return fabs(d) <= SAFE_INTEGER_MAX ? cel_double(d) : cel_to_string(call, value);
    case CEL_BYTES:
        return cel_base64_encode(call, &value);
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        return cel_to_string(call, value);
    case CEL_LIST:
        return cel_convert_list(call, value, &converter);
    case CEL_MAP:
        return cel_convert_map(call, value, &converter);
    case CEL_MESSAGE:
        return message_to_json(call, value);
    default:
        return cel_fail_static("the value cannot become a google.protobuf.Value");
    }
}

struct cel_value cel_to_json(struct cel_call *call, struct cel_value value)
{
    return to_json(call, value, 0);
}
