// SPDX-License-Identifier: Apache-2.0
// lib_strings.c - the strings extension of CEL. Positions count code points.
#include "cel/text.h"

#include "base/assert.h"
#include "cel/library.h"

static const char out_of_range[] = "index is outside of the string";

static struct str arg_str(const struct cel_value *args, size_t index)
{
    return cel_str(args[index]);
}

// ---- parts

static struct cel_value char_at(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    if (!cel_pay_bytes(call, s.len)) {
        return cel_over(call);
    }
    size_t at = args[1].i < 0 ? SIZE_MAX : code_point_offset(s, args[1].i);
    if (at == SIZE_MAX) {
        return cel_fail_static(out_of_range);
    }
    return cel_string((struct str){s.ptr + at, at == s.len ? 0 : code_point_width((unsigned char)s.ptr[at])});
}

static struct cel_value substring(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    if (!cel_pay_bytes(call, s.len)) {
        return cel_over(call);
    }
    size_t from = args[1].i < 0 ? SIZE_MAX : code_point_offset(s, args[1].i);
    size_t to = s.len;
    if (call->count == 3) {
        to = args[2].i < 0 ? SIZE_MAX : code_point_offset(s, args[2].i);
    }
    if (from == SIZE_MAX || to == SIZE_MAX) {
        return cel_fail_static(out_of_range);
    }
    if (from > to) {
        return cel_fail_static("substring ends before it begins");
    }
    return cel_string((struct str){s.ptr + from, to - from});
}

// ---- positions

static struct cel_value index_of(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    struct str part = arg_str(args, 1);
    if (!cel_pay_bytes(call, s.len + part.len)) {
        return cel_over(call);
    }
    int64_t first = call->count == 3 ? args[2].i : 0;
    size_t from = first < 0 ? SIZE_MAX : code_point_offset(s, first);
    if (from == SIZE_MAX) {
        return cel_fail_static(out_of_range);
    }
    if (part.len == 0) {
        return cel_int(first);
    }
    const char *found = from == s.len ? NULL : memmem(s.ptr + from, s.len - from, part.ptr, part.len);
    if (found == NULL) {
        return cel_int(-1);
    }
    struct str before = {s.ptr + from, (size_t)(found - s.ptr) - from};
    return cel_int(first + (int64_t)utf8_count(before));
}

static struct cel_value last_index_of(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    struct str part = arg_str(args, 1);
    if (!cel_pay_bytes(call, s.len)) {
        return cel_over(call);
    }
    size_t last = s.len;
    if (call->count == 3) {
        last = args[2].i < 0 ? SIZE_MAX : code_point_offset(s, args[2].i);
    }
    if (last == SIZE_MAX) {
        return cel_fail_static(out_of_range);
    }
    if (part.len > s.len) {
        return cel_int(-1);
    }
    size_t at = last < s.len - part.len ? last : s.len - part.len;
    for (size_t i = at + 1; i-- > 0;) {
        if (part.len > 0 && s.ptr[i] != part.ptr[0]) {
            continue;
        }
        if (!cel_pay_bytes(call, part.len)) {
            return cel_over(call);
        }
        if (part.len == 0 || memcmp(s.ptr + i, part.ptr, part.len) == 0) {
            return cel_int((int64_t)utf8_count((struct str){s.ptr, i}));
        }
    }
    return cel_int(-1);
}

// ---- other letters

static struct cel_value map_ascii(struct cel_call *call, struct str s, char first, char last, int shift)
{
    char *out = cel_pay_bytes(call, s.len) ? cel_new(call, char, s.len + 1) : NULL;
    if (out == NULL) {
        return cel_over(call);
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        out[i] = c >= first && c <= last ? (char)(c + shift) : c;
    }
    return cel_string((struct str){out, s.len});
}

static struct cel_value lower_ascii(struct cel_call *call, const struct cel_value *args)
{
    return map_ascii(call, arg_str(args, 0), 'A', 'Z', 'a' - 'A');
}

static struct cel_value upper_ascii(struct cel_call *call, const struct cel_value *args)
{
    return map_ascii(call, arg_str(args, 0), 'a', 'z', 'A' - 'a');
}

static struct cel_value reverse(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    char *out = cel_pay_bytes(call, s.len) ? cel_new(call, char, s.len + 1) : NULL;
    if (out == NULL) {
        return cel_over(call);
    }
    size_t to = s.len;
    for (size_t at = 0; at < s.len;) {
        size_t width = code_point_width((unsigned char)s.ptr[at]);
        to -= width;
        memcpy(out + to, s.ptr + at, width);
        at += width;
    }
    return cel_string((struct str){out, s.len});
}

// Unicode's White_Space.
static bool is_space(uint32_t c)
{
    return (c >= 0x9 && c <= 0xd) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

static struct cel_value trim(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    if (!cel_pay_bytes(call, s.len)) {
        return cel_over(call);
    }
    for (struct str rest = s; rest.len > 0 && is_space(utf8_decode(&rest));) {
        s = rest;
    }
    while (s.len > 0) {
        size_t at = s.len - 1;
        while (((unsigned char)s.ptr[at] & 0xc0) == 0x80) {
            at--;
        }
        struct str last = {s.ptr + at, s.len - at};
        if (!is_space(utf8_decode(&last))) {
            break;
        }
        s.len = at;
    }
    return cel_string(s);
}

static struct cel_value quote(struct cel_call *call, const struct cel_value *args)
{
    static const char letters[] = "abtnvfr"; // of the characters 7 to 13
    struct str s = arg_str(args, 0);
    struct cel_text out = {.call = call};
    cel_text_char(&out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 7 && c <= 13) {
            cel_text_char(&out, '\\');
            cel_text_char(&out, letters[c - 7]);
            continue;
        }
        if (c == '"' || c == '\\') {
            cel_text_char(&out, '\\');
        }
        cel_text_char(&out, s.ptr[i]);
    }
    cel_text_char(&out, '"');
    return cel_text_done(&out);
}

// ---- lists of texts

static struct cel_value join(struct cel_call *call, const struct cel_value *args)
{
    struct str separator = call->count == 2 ? arg_str(args, 1) : (struct str){"", 0};
    struct cel_text out = {.call = call};
    struct cel_walk walk = cel_walk(args[0]);
    struct cel_value key;
    struct cel_value item;
    for (bool is_first = true; cel_walk_next(call, &walk, &key, &item); is_first = false) {
        if (item.kind != CEL_STRING) {
            return cel_fail_static("join takes a list of strings");
        }
        if (!is_first) {
            cel_text_append(&out, separator);
        }
        cel_text_append(&out, cel_str(item));
    }
    return cel_text_done(&out);
}

// How often `part` stands in s, at most `limit` times. An empty one stands before each code point and at the
// end.
static size_t count_parts(struct str s, struct str part, size_t limit)
{
    if (part.len == 0) {
        size_t count = utf8_count(s) + 1;
        return count < limit ? count : limit;
    }
    size_t count = 0;
    const char *end = s.ptr + s.len;
    for (const char *at = s.ptr; count < limit; count++) {
        const char *found = memmem(at, (size_t)(end - at), part.ptr, part.len);
        if (found == NULL) {
            break;
        }
        at = found + part.len;
    }
    return count;
}

static size_t next_part(struct str s, size_t from, struct str part)
{
    if (part.len == 0) {
        return from;
    }
    const char *found = memmem(s.ptr + from, s.len - from, part.ptr, part.len);
    ASSERT(found != NULL);
    return (size_t)(found - s.ptr);
}

static struct cel_value replace(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    struct str old = arg_str(args, 1);
    struct str new = arg_str(args, 2);
    size_t limit = call->count == 4 && args[3].i >= 0 ? (size_t)args[3].i : SIZE_MAX;
    if (!cel_pay_bytes(call, 2 * s.len)) {
        return cel_over(call);
    }
    size_t count = count_parts(s, old, limit);
    if (count == 0 || !cel_pay(call, count)) {
        return count == 0 ? args[0] : cel_over(call);
    }
    struct cel_text out = {.call = call};
    size_t from = 0;
    for (size_t i = 0; i < count && !call->is_over; i++) {
        size_t at = next_part(s, from, old);
        cel_text_append(&out, (struct str){s.ptr + from, at - from});
        cel_text_append(&out, new);
        from = at + old.len;
        if (old.len == 0 && from < s.len) { // on to the next place between two code points
            size_t width = code_point_width((unsigned char)s.ptr[from]);
            cel_text_append(&out, (struct str){s.ptr + from, width});
            from += width;
        }
    }
    cel_text_append(&out, (struct str){s.ptr + from, s.len - from});
    return cel_text_done(&out);
}

static struct cel_value split(struct cel_call *call, const struct cel_value *args)
{
    struct str s = arg_str(args, 0);
    struct str separator = arg_str(args, 1);
    size_t limit = call->count == 3 && args[2].i >= 0 ? (size_t)args[2].i : SIZE_MAX;
    if (!cel_pay_bytes(call, 2 * s.len)) {
        return cel_over(call);
    }
    size_t count = 0;
    if (limit > 0 && separator.len > 0) {
        count = count_parts(s, separator, limit - 1) + 1;
    } else if (limit > 0) {
        count = utf8_count(s);
        count = count < limit ? count : limit;
    }
    struct cel_value *items = cel_pay(call, count) ? cel_new(call, struct cel_value, count + 1) : NULL;
    if (items == NULL) {
        return cel_over(call);
    }
    size_t from = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = s.len;
        if (i + 1 < count) {
            at = separator.len == 0 ? from + code_point_width((unsigned char)s.ptr[from])
                                    : next_part(s, from, separator);
        }
        items[i] = cel_string((struct str){s.ptr + from, at - from});
        from = at + separator.len;
    }
    return cel_list(items, count);
}

static const struct cel_function functions[] = {
    {.name = "charAt", .signature = "si:s", .call = char_at, .is_member = true},
    {.name = "indexOf", .signature = "ss:i", .call = index_of, .is_member = true},
    {.name = "indexOf", .signature = "ssi:i", .call = index_of, .is_member = true},
    {.name = "lastIndexOf", .signature = "ss:i", .call = last_index_of, .is_member = true},
    {.name = "lastIndexOf", .signature = "ssi:i", .call = last_index_of, .is_member = true},
    {.name = "join", .signature = "[s:s", .call = join, .is_member = true},
    {.name = "join", .signature = "[ss:s", .call = join, .is_member = true},
    {.name = "lowerAscii", .signature = "s:s", .call = lower_ascii, .is_member = true},
    {.name = "upperAscii", .signature = "s:s", .call = upper_ascii, .is_member = true},
    {.name = "replace", .signature = "sss:s", .call = replace, .is_member = true},
    {.name = "replace", .signature = "sssi:s", .call = replace, .is_member = true},
    {.name = "reverse", .signature = "s:s", .call = reverse, .is_member = true},
    {.name = "split", .signature = "ss:[s", .call = split, .is_member = true},
    {.name = "split", .signature = "ssi:[s", .call = split, .is_member = true},
    {.name = "substring", .signature = "si:s", .call = substring, .is_member = true},
    {.name = "substring", .signature = "sii:s", .call = substring, .is_member = true},
    {.name = "trim", .signature = "s:s", .call = trim, .is_member = true},
    {.name = "format", .signature = "s[*:s", .call = cel_format, .is_member = true},
    {.name = "strings.quote", .signature = "s:s", .call = quote},
};

const struct cel_library cel_strings_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
