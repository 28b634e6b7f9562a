// SPDX-License-Identifier: Apache-2.0
// collection.c - lists and maps, whether an expression built them or they lie in a payload; fields and
// indexes of what has them.
#include "cel/message.h"
#include "cel/program_private.h"

#include "base/mem.h"
#include "base/utf8.h"

// ---- views as values

static inline bool is_container(const struct view *view)
{
    return view->kind == VIEW_LIST || view->kind == VIEW_MAP || view->kind == VIEW_RECORD;
}

// A container needs the view for as long as it lives.
static struct cel_value keep_view(struct cel_call *call, const struct view *view)
{
    struct view *kept = cel_new(call, struct view, 1);
    if (kept == NULL) {
        return cel_over(call);
    }
    *kept = *view;
    return cel_from_view(call, kept);
}

// The value of a view that is somebody's local variable.
static struct cel_value view_value(struct cel_call *call, const struct view *view)
{
    return is_container(view) ? keep_view(call, view) : cel_from_view(call, view);
}

static unsigned hex_value(char ch)
{
    return (unsigned)(ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
}

static uint32_t hex4(const char *p)
{
    return hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 | hex_value(p[3]);
}

// A JSON string as written, which was checked, without its escapes.
static struct cel_value unescape(struct cel_call *call, struct str raw)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    char *text = cel_pay(call, raw.len / 32 + 1) ? cel_new(call, char, raw.len + 1) : NULL;
    if (text == NULL) {
        return cel_over(call);
    }
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] != '\\' || i + 1 == raw.len) {
            text[len++] = raw.ptr[i];
            continue;
        }
        char ch = raw.ptr[++i];
        const char *simple = strchr(from, ch);
        if (ch == 'u' && i + 4 < raw.len) {
            uint32_t code = hex4(raw.ptr + i + 1);
            i += 4;
            if (code >> 10 == 0xd800 >> 10 && i + 6 < raw.len) {
                code = 0x10000 + ((code & 0x3ff) << 10) + (hex4(raw.ptr + i + 3) & 0x3ff);
                i += 6;
            }
            len += utf8_encode(code, text + len);
        } else {
            text[len++] = simple == NULL || ch == '\0' ? ch : to[simple - from];
        }
    }
    return cel_text_value(CEL_STRING, text, len);
}

struct cel_value cel_from_view(struct cel_call *call, const struct view *view)
{
    struct cel_value value = {.form = CEL_FORM_VIEW, .ptr = view};
    switch (view->kind) {
    case VIEW_NULL:
        return cel_null();
    case VIEW_BOOL:
        return cel_bool(view->number != 0);
    case VIEW_INT:
        return cel_int(view->number);
    case VIEW_UINT:
        return call->program->has_unsigned ? cel_uint((uint64_t)view->number) : cel_int(view->number);
    case VIEW_DOUBLE:
        return cel_double(view->real);
    case VIEW_STRING:
        return view->has_escape ? unescape(call, (struct str){(const char *)view->raw.ptr, view->raw.len})
                                : cel_text_value(CEL_STRING, view->raw.ptr, view->raw.len);
    case VIEW_ENUM:
        return cel_is_protobuf(view) ? cel_int(view->number)
                                     : cel_text_value(CEL_STRING, view->raw.ptr, view->raw.len);
    case VIEW_BYTES:
        return cel_text_value(CEL_BYTES, view->raw.ptr, view->raw.len);
    case VIEW_LIST:
        value.kind = CEL_LIST;
        return value;
    case VIEW_MAP:
        value.kind = CEL_MAP;
        return value;
    case VIEW_RECORD:
        value.kind = CEL_MAP;
        return cel_is_protobuf(view) ? cel_message_of_view(call, view) : value;
    case VIEW_NONE:
        break;
    }
    return cel_fail_static("there is no such field");
}

struct cel_value cel_view(const struct view *view)
{
    static const struct cel_program plain;
    if (view->kind == VIEW_RECORD) {
        enum cel_kind kind = cel_is_protobuf(view) ? CEL_MESSAGE : CEL_MAP;
        return (struct cel_value){.kind = (uint8_t)kind, .form = CEL_FORM_VIEW, .ptr = view};
    }
    struct cel_call call = {.program = &plain};
    return cel_from_view(&call, view);
}

// ---- walking

struct cel_walk cel_walk(struct cel_value list_or_map)
{
    struct cel_walk walk = {.of = list_or_map};
    if (list_or_map.form == CEL_FORM_VIEW) {
        walk.items.of = *(const struct view *)list_or_map.ptr;
    }
    return walk;
}

// A key of a payload's map: text there, whatever kind it is of.
static struct cel_value key_value(struct cel_call *call, const struct cel_walk *walk, struct str text)
{
    switch (cel_key_kind(&walk->items.of)) {
    case VIEW_BOOL:
        return cel_bool(text.len == 4);
    case VIEW_INT:
    case VIEW_UINT: {
        bool is_negative = text.len > 0 && text.ptr[0] == '-';
        uint64_t number = 0;
        for (size_t i = is_negative; i < text.len; i++) {
            number = number * 10 + (uint64_t)(text.ptr[i] - '0');
        }
        bool is_unsigned = cel_key_kind(&walk->items.of) == VIEW_UINT && call->program->has_unsigned;
        return is_unsigned ? cel_uint(number) : cel_int((int64_t)(is_negative ? 0 - number : number));
    }
    default:
        break;
    }
    if (text.ptr == walk->items.key_text) {
        return cel_copy_string(call, text);
    }
    bool has_escape = cel_is_json(&walk->items.of) && memchr(text.ptr, '\\', text.len) != NULL;
    return has_escape ? unescape(call, text) : cel_text_value(CEL_STRING, text.ptr, text.len);
}

static bool walk_view(struct cel_call *call, struct cel_walk *walk, struct cel_value *ret_key,
                      struct cel_value *ret_value)
{
    UNINITIALIZED struct view own;
    struct view *view = walk->place != NULL ? walk->place : &own;
    struct str key;
    do {
        if (!view_next(&walk->items, &key, view)) {
            return false;
        }
    } while (view->kind == VIEW_NONE);
    *ret_key = walk->of.kind == CEL_LIST ? cel_int((int64_t)walk->index) : key_value(call, walk, key);
    *ret_value = walk->place != NULL ? cel_from_view(call, view) : view_value(call, view);
    walk->index++;
    return !call->is_over;
}

bool cel_walk_next(struct cel_call *call, struct cel_walk *walk, struct cel_value *ret_key,
                   struct cel_value *ret_value)
{
    if (!cel_pay(call, 1)) {
        return false;
    }
    if (walk->of.form == CEL_FORM_VIEW) {
        return walk_view(call, walk, ret_key, ret_value);
    }
    if (walk->index == walk->of.len) {
        return false;
    }
    if (walk->of.kind == CEL_LIST) {
        *ret_key = cel_int((int64_t)walk->index);
        *ret_value = ((const struct cel_value *)walk->of.ptr)[walk->index++];
        return true;
    }
    const struct cel_entry *entry = &((const struct cel_entry *)walk->of.ptr)[walk->index++];
    *ret_key = entry->key;
    *ret_value = entry->value;
    return true;
}

static bool count_view(struct cel_call *call, struct cel_value of, size_t *ret)
{
    struct view_items items = {.of = *(const struct view *)of.ptr};
    struct view view;
    struct str key;
    size_t count = 0;
    while (view_next(&items, &key, &view)) {
        count += view.kind != VIEW_NONE;
        if (!cel_pay(call, 1)) {
            return false;
        }
    }
    *ret = count;
    return true;
}

bool cel_list_size(struct cel_call *call, struct cel_value list, size_t *ret)
{
    if (list.form == CEL_FORM_VIEW) {
        return count_view(call, list, ret);
    }
    *ret = list.len;
    return true;
}

bool cel_map_size(struct cel_call *call, struct cel_value map, size_t *ret)
{
    return cel_list_size(call, map, ret);
}

struct cel_value cel_list_at(struct cel_call *call, struct cel_value list, size_t index)
{
    if (list.form != CEL_FORM_VIEW) {
        return index < list.len ? ((const struct cel_value *)list.ptr)[index]
                                : cel_fail_static("index out of bounds");
    }
    struct view_items items = {.of = *(const struct view *)list.ptr};
    struct view view;
    struct str key;
    while (cel_pay(call, 1)) {
        if (!view_next(&items, &key, &view)) {
            return cel_fail_static("index out of bounds");
        }
        if (index-- == 0) {
            return view_value(call, &view);
        }
    }
    return cel_over(call);
}

// ---- look-up by key

static bool find_built(struct cel_call *call, struct cel_value map, struct cel_value key,
                       struct cel_value *ret)
{
    const struct cel_entry *entries = map.ptr;
    if (!cel_pay(call, map.len / 8)) {
        return false;
    }
    for (uint32_t i = 0; i < map.len; i++) {
        if (cel_is_equal(call, entries[i].key, key)) {
            *ret = entries[i].value;
            return true;
        }
    }
    return false;
}

bool cel_map_find(struct cel_call *call, struct cel_value map, struct cel_value key, struct cel_value *ret)
{
    if (map.form != CEL_FORM_VIEW) {
        return find_built(call, map, key, ret);
    }
    const struct view *of = map.ptr;
    bool has_text_keys = cel_key_kind(of) == VIEW_STRING;
    if (has_text_keys) {
        if (key.kind != CEL_STRING || !cel_pay(call, of->raw.len / 64)) {
            return false;
        }
        struct view view = view_field(of, cel_str(key));
        if (view.kind == VIEW_NONE) {
            return false;
        }
        *ret = view_value(call, &view);
        return true;
    }
    struct cel_walk walk = cel_walk(map);
    struct cel_value at;
    struct cel_value value;
    while (cel_walk_next(call, &walk, &at, &value)) {
        if (cel_is_equal(call, at, key)) {
            *ret = value; // the last one of a key counts
            return true;
        }
    }
    return false;
}

// ---- fields

struct cel_value cel_field(struct cel_call *call, struct cel_value of, struct str name)
{
    struct cel_value found;
    switch (of.kind) {
    case CEL_ERROR:
        return of;
    case CEL_MAP:
        return cel_map_find(call, of, cel_string(name), &found)
                   ? found
                   : cel_fail(call, "no such key: " STR_FMT, STR_ARG(name));
    case CEL_MESSAGE:
        return cel_message_field(call, of, name);
    case CEL_OPAQUE:
        if (cel_is_optional(of)) {
            return cel_optional_field(call, of, name);
        }
        break;
    default:
        break;
    }
    struct str is = cel_type_name(of);
    return cel_fail(call, "a value of type " STR_FMT " has no field " STR_FMT, STR_ARG(is), STR_ARG(name));
}

struct cel_value cel_has(struct cel_call *call, struct cel_value of, struct str name)
{
    struct cel_value inside;
    switch (of.kind) {
    case CEL_ERROR:
        return of;
    case CEL_MAP:
        return cel_bool(cel_map_find(call, of, cel_string(name), &inside)); // null is there, too
    case CEL_MESSAGE:
        return cel_message_has(call, of, name);
    case CEL_OPAQUE:
        if (cel_is_optional(of)) {
            return cel_optional_value(of, &inside) ? cel_has(call, inside, name) : cel_bool(false);
        }
        break;
    default:
        break;
    }
    struct str is = cel_type_name(of);
    return cel_fail(call, "a value of type " STR_FMT " has no field " STR_FMT, STR_ARG(is), STR_ARG(name));
}

struct cel_value cel_optional_field(struct cel_call *call, struct cel_value of, struct str name)
{
    if (of.kind == CEL_OPAQUE && cel_is_optional(of) && !cel_optional_value(of, &of)) {
        return cel_optional(call, NULL);
    }
    struct cel_value has = cel_has(call, of, name);
    if (has.kind != CEL_BOOL) {
        return has;
    }
    struct cel_value found = has.i != 0 ? cel_field(call, of, name) : cel_null();
    return found.kind == CEL_ERROR ? found : cel_optional(call, has.i != 0 ? &found : NULL);
}

// ---- indexes

// A whole number that an index may be; false: it is none.
static bool whole(struct cel_value index, int64_t *ret)
{
    if (index.kind == CEL_INT) {
        *ret = index.i;
        return true;
    }
    if (index.kind == CEL_UINT) {
        *ret = index.u > INT64_MAX ? -1 : index.i;
        return true;
    }
    bool is_whole = index.kind == CEL_DOUBLE && index.d >= -9e15 && index.d <= 9e15 &&
                    index.d == (double)(int64_t)index.d;
    *ret = is_whole ? (int64_t)index.d : 0;
    return is_whole;
}

static struct cel_value index_list(struct cel_call *call, struct cel_value list, struct cel_value index)
{
    int64_t at;
    if (!whole(index, &at)) {
        return cel_no_overload(call, "_[_]", list, index);
    }
    return at < 0 ? cel_fail_static("index out of bounds") : cel_list_at(call, list, (size_t)at);
}

struct cel_value cel_index(struct cel_call *call, struct cel_value of, struct cel_value index)
{
    struct cel_value found;
    if (of.kind == CEL_ERROR || index.kind == CEL_ERROR) {
        return of.kind == CEL_ERROR ? of : index;
    }
    if (of.kind == CEL_LIST) {
        return index_list(call, of, index);
    }
    if (of.kind == CEL_MAP) {
        return cel_map_find(call, of, index, &found) ? found : cel_fail_static("no such key");
    }
    if (of.kind == CEL_OPAQUE && cel_is_optional(of)) {
        return cel_optional_index(call, of, index);
    }
    return cel_no_overload(call, "_[_]", of, index);
}

struct cel_value cel_optional_index(struct cel_call *call, struct cel_value of, struct cel_value index)
{
    if (of.kind == CEL_ERROR || index.kind == CEL_ERROR) {
        return of.kind == CEL_ERROR ? of : index;
    }
    if (of.kind == CEL_OPAQUE && cel_is_optional(of) && !cel_optional_value(of, &of)) {
        return cel_optional(call, NULL);
    }
    struct cel_value found;
    if (of.kind == CEL_MAP) {
        bool is_there = cel_map_find(call, of, index, &found);
        return cel_optional(call, is_there ? &found : NULL);
    }
    int64_t at;
    size_t size = 0;
    if (of.kind != CEL_LIST || !whole(index, &at)) {
        return cel_no_overload(call, "_[?_]", of, index);
    }
    if (!cel_list_size(call, of, &size) || at < 0 || (size_t)at >= size) {
        return cel_optional(call, NULL);
    }
    found = cel_list_at(call, of, (size_t)at);
    return found.kind == CEL_ERROR ? found : cel_optional(call, &found);
}

// ---- in

// A string among items that an expression built: the usual case, and the cheap one.
static struct cel_value in_strings(struct cel_call *call, struct cel_value item, struct cel_value of)
{
    const struct cel_value *items = of.ptr;
    if (!cel_pay(call, of.len / 4)) {
        return cel_over(call);
    }
    for (uint32_t i = 0; i < of.len; i++) {
        if (items[i].kind == CEL_STRING && str_equal(cel_str(items[i]), cel_str(item))) {
            return cel_bool(true);
        }
    }
    return cel_bool(false);
}

struct cel_value cel_in(struct cel_call *call, struct cel_value item, struct cel_value of)
{
    struct cel_value key;
    struct cel_value value;
    if (item.kind == CEL_ERROR || of.kind == CEL_ERROR) {
        return item.kind == CEL_ERROR ? item : of;
    }
    if (of.kind == CEL_MAP) {
        return cel_bool(cel_map_find(call, of, item, &value));
    }
    if (of.kind != CEL_LIST) {
        return cel_no_overload(call, "@in", item, of);
    }
    if (of.form == CEL_FORM_ITEMS && item.kind == CEL_STRING) {
        return in_strings(call, item, of);
    }
    struct view place;
    struct cel_walk walk = cel_walk(of);
    walk.place = &place;
    while (cel_walk_next(call, &walk, &key, &value)) {
        if (cel_is_equal(call, value, item)) {
            return cel_bool(true);
        }
    }
    return cel_bool(false);
}
