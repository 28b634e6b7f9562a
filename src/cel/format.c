// SPDX-License-Identifier: Apache-2.0
// format.c - "...".format([...]) of the strings extension: %s %d %f %e %b %o %x %X, with a precision for %f
// and %e.
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cel/library.h"
#include "cel/text.h"

enum {
    PRECISION_MAX = 100,
    PRECISION_DEFAULT = 6,
    DOUBLE_TEXT_SIZE = DBL_MAX_10_EXP + PRECISION_MAX + 8,
    NESTED_MAX = 256, // lists in lists
};

// One clause, as "%.3f".
struct clause {
    char verb;
    int precision;
};

static const char wrong_kind[] = "the clause cannot take a value of this type";

static void append_value(struct cel_text *out, struct cel_value value, struct cel_value *ret, int depth);

// ---- %s

static void append_bytes(struct cel_text *out, struct str s)
{
    while (s.len > 0 && !out->call->is_over) { // what is no text is U+FFFD, byte by byte
        size_t size = utf8_size(s);
        cel_text_append(out, size > 0 ? (struct str){s.ptr, size} : STR("\xef\xbf\xbd"));
        size = size > 0 ? size : 1;
        s.ptr += size;
        s.len -= size;
    }
}

static void append_list(struct cel_text *out, struct cel_value list, struct cel_value *ret, int depth)
{
    struct cel_walk walk = cel_walk(list);
    struct cel_value key;
    struct cel_value item;
    cel_text_char(out, '[');
    for (bool is_first = true; ret->kind != CEL_ERROR && cel_walk_next(out->call, &walk, &key, &item);
         is_first = false) {
        cel_text_append(out, is_first ? STR("") : STR(", "));
        append_value(out, item, ret, depth + 1);
    }
    cel_text_char(out, ']');
}

struct printed_entry {
    struct str key;
    struct cel_value value;
};

static int compare_printed(const void *a, const void *b)
{
    return str_compare(((const struct printed_entry *)a)->key, ((const struct printed_entry *)b)->key);
}

// Entries are sorted by the text of their keys, so that a map has one text.
static void append_map(struct cel_text *out, struct cel_value map, struct cel_value *ret, int depth)
{
    struct cel_call *call = out->call;
    size_t count = 0;
    struct printed_entry *entries = NULL;
    if (cel_map_size(call, map, &count)) {
        entries = cel_new(call, struct printed_entry, count + 1);
    }
    if (entries == NULL || !cel_pay(call, count)) {
        return;
    }
    struct cel_walk walk = cel_walk(map);
    struct cel_value key;
    size_t at = 0;
    while (ret->kind != CEL_ERROR && at < count && cel_walk_next(call, &walk, &key, &entries[at].value)) {
        struct cel_text text = {.call = call};
        append_value(&text, key, ret, depth + 1);
        entries[at++].key = (struct str){text.len == 0 ? "" : text.ptr, text.len};
    }
    qsort(entries, at, sizeof *entries, compare_printed);
    cel_text_char(out, '{');
    for (size_t i = 0; i < at && ret->kind != CEL_ERROR; i++) {
        cel_text_append(out, i == 0 ? STR("") : STR(", "));
        cel_text_append(out, entries[i].key);
        cel_text_append(out, STR(": "));
        append_value(out, entries[i].value, ret, depth + 1);
    }
    cel_text_char(out, '}');
}

static void append_value(struct cel_text *out, struct cel_value value, struct cel_value *ret, int depth)
{
    struct cel_value text;
    if (depth > NESTED_MAX) {
        *ret = cel_fail_static("lists and maps are too deeply nested to be printed");
        return;
    }
    switch ((enum cel_kind)value.kind) {
    case CEL_NULL:
        cel_text_append(out, STR("null"));
        return;
    case CEL_STRING:
    case CEL_TYPE:
        cel_text_append(out, cel_str(value));
        return;
    case CEL_BYTES:
        append_bytes(out, cel_str(value));
        return;
    case CEL_LIST:
        append_list(out, value, ret, depth);
        return;
    case CEL_MAP:
        append_map(out, value, ret, depth);
        return;
    case CEL_ERROR:
        *ret = value;
        return;
    case CEL_MESSAGE:
    case CEL_OPAQUE:
        *ret = cel_fail_static(wrong_kind);
        return;
    default:
        text = cel_to_string(out->call, value);
        if (text.kind == CEL_STRING) {
            cel_text_append(out, cel_str(text));
        } else {
            *ret = text;
        }
    }
}

// ---- numbers

// NaN and the infinities are words in every clause.
static bool append_special(struct cel_text *out, double d)
{
    if (isfinite(d)) {
        return false;
    }
    cel_text_append(out, isnan(d) ? STR("NaN") : d > 0 ? STR("Infinity") : STR("-Infinity"));
    return true;
}

static void append_double(struct cel_text *out, double d, char verb, int precision)
{
    char text[DOUBLE_TEXT_SIZE];
    if (!append_special(out, d)) {
        int len = verb == 'e' ? snprintf(text, sizeof text, "%.*e", precision, d)
                              : snprintf(text, sizeof text, "%.*f", precision, d);
        cel_text_append(out, (struct str){text, (size_t)len});
    }
}

static struct cel_value append_decimal(struct cel_text *out, struct cel_value value)
{
    if (value.kind == CEL_DOUBLE && append_special(out, value.d)) {
        return cel_null();
    }
    if (value.kind != CEL_INT && value.kind != CEL_UINT && value.kind != CEL_DOUBLE) {
        return cel_fail_static(wrong_kind);
    }
    struct cel_value text = cel_to_string(out->call, value);
    cel_text_append(out, text.kind == CEL_STRING ? cel_str(text) : STR(""));
    return text;
}

static struct cel_value append_real(struct cel_text *out, struct cel_value value, struct clause clause)
{
    double d = value.d;
    if (value.kind == CEL_INT) {
        d = (double)value.i;
    } else if (value.kind == CEL_UINT) {
        d = (double)value.u;
    } else if (value.kind != CEL_DOUBLE) {
        return cel_fail_static(wrong_kind);
    }
    append_double(out, d, clause.verb, clause.precision);
    return cel_null();
}

static void append_in_base(struct cel_text *out, uint64_t number, unsigned bits, bool is_upper)
{
    const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[64];
    size_t at = sizeof text;
    do {
        text[--at] = digits[number & ((1u << bits) - 1)];
        number >>= bits;
    } while (number > 0);
    cel_text_append(out, (struct str){text + at, sizeof text - at});
}

static struct cel_value append_bits(struct cel_text *out, struct cel_value value, char verb)
{
    unsigned bits = verb == 'b' ? 1 : verb == 'o' ? 3 : 4;
    bool is_upper = verb == 'X';
    if (bits == 4 && (value.kind == CEL_STRING || value.kind == CEL_BYTES)) {
        struct bytes bytes = cel_bytes_of(value);
        for (size_t i = 0; i < bytes.len && !out->call->is_over; i++) {
            append_in_base(out, bytes.ptr[i] >> 4, 4, is_upper);
            append_in_base(out, bytes.ptr[i] & 15, 4, is_upper);
        }
        return cel_null();
    }
    if (value.kind == CEL_UINT || (value.kind == CEL_BOOL && verb == 'b')) {
        append_in_base(out, value.u, bits, is_upper);
        return cel_null();
    }
    if (value.kind != CEL_INT) {
        return cel_fail_static(wrong_kind);
    }
    cel_text_append(out, value.i < 0 ? STR("-") : STR(""));
    append_in_base(out, value.i < 0 ? 0 - (uint64_t)value.i : (uint64_t)value.i, bits, is_upper);
    return cel_null();
}

// ---- clauses

// Reads what follows a '%'; NULL: it is no clause.
static const char *read_clause(const char *at, const char *end, struct clause *ret)
{
    ret->precision = PRECISION_DEFAULT;
    bool has_precision = at < end && *at == '.';
    if (has_precision) {
        ret->precision = 0;
        at++;
        while (at < end && *at >= '0' && *at <= '9') {
            ret->precision = ret->precision * 10 + (*at++ - '0');
            if (ret->precision > PRECISION_MAX) {
                return NULL;
            }
        }
    }
    if (at == end || strchr(has_precision ? "fe" : "sdfeboxX", *at) == NULL) {
        return NULL;
    }
    ret->verb = *at;
    return at + 1;
}

static struct cel_value append_clause(struct cel_text *out, struct clause clause, struct cel_value value)
{
    struct cel_value ret = cel_null();
    switch (clause.verb) {
    case 's':
        append_value(out, value, &ret, 0);
        return ret;
    case 'd':
        return append_decimal(out, value);
    case 'f':
    case 'e':
        return append_real(out, value, clause);
    default:
        return append_bits(out, value, clause.verb);
    }
}

struct cel_value cel_format(struct cel_call *call, const struct cel_value *args)
{
    struct cel_text out = {.call = call};
    struct str s = cel_str(args[0]);
    const char *at = s.ptr;
    const char *end = s.ptr + s.len;
    struct cel_walk walk = cel_walk(args[1]);
    while (at < end && !call->is_over) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        cel_text_append(&out, (struct str){at, (size_t)((percent == NULL ? end : percent) - at)});
        if (percent == NULL) {
            break;
        }
        at = percent + 1;
        if (at < end && *at == '%') {
            cel_text_char(&out, '%');
            at++;
            continue;
        }
        struct clause clause;
        struct cel_value key;
        struct cel_value value;
        at = read_clause(at, end, &clause);
        if (at == NULL) {
            return cel_fail_static("format has a clause that does not exist");
        }
        if (!cel_walk_next(call, &walk, &key, &value)) {
            return call->is_over ? cel_over(call) : cel_fail_static("format has more clauses than values");
        }
        struct cel_value result = append_clause(&out, clause, value);
        if (result.kind == CEL_ERROR) {
            return result;
        }
    }
    return cel_text_done(&out);
}
