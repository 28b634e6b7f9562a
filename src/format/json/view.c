// SPDX-License-Identifier: Apache-2.0
// view.c - a checked payload by field, read where it lies. Of members with the same name the last one counts.
#include "format/json/node_private.h"

#include <stdlib.h>

#include "base/mem.h"

// Digits of up to 15 and the power of ten below them are exact as doubles, and so their quotient is rounded
// once.
static bool real_of_few(struct str raw, double *ret)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    enum { DIGITS_MAX = 15 };
    uint64_t digits = 0;
    size_t scale = 0;
    bool is_fraction = false;
    if (raw.len > DIGITS_MAX) {
        return false;
    }
    for (size_t i = raw.ptr[0] == '-'; i < raw.len; i++) {
        if (raw.ptr[i] == '.') {
            is_fraction = true;
        } else if (raw.ptr[i] >= '0' && raw.ptr[i] <= '9') {
            digits = digits * 10 + (uint64_t)(raw.ptr[i] - '0');
            scale += is_fraction;
        } else {
            return false;
        }
    }
    double real = (double)digits / powers[scale];
    *ret = raw.ptr[0] == '-' ? -real : real;
    return true;
}

static double real_of(struct str raw)
{
    double few;
    if (real_of_few(raw, &few)) {
        return few;
    }
    struct json_value value = {.type = JSON_NUMBER, .text = raw};
    return json_value_f64(&value);
}

struct view jschema_view_of(const struct view *of, struct json_scan *s, enum json_token t)
{
    struct view v = {.program = of->program, .payload = of->payload};
    const uint8_t *begin = (const uint8_t *)s->text.ptr + s->token_pos;
    switch (t) {
    case JSON_TOKEN_NULL:
        v.kind = VIEW_NULL;
        break;
    case JSON_TOKEN_TRUE:
    case JSON_TOKEN_FALSE:
        v.kind = VIEW_BOOL;
        v.number = t == JSON_TOKEN_TRUE;
        break;
    case JSON_TOKEN_STRING:
        v.kind = VIEW_STRING;
        v.raw = bytes_of(s->raw.ptr, s->raw.len);
        v.has_escape = s->has_escape;
        break;
    case JSON_TOKEN_NUMBER:
        v.kind = str_parse_i64(s->raw, &v.number) ? VIEW_INT : VIEW_DOUBLE;
        v.raw = bytes_of(s->raw.ptr, s->raw.len);
        v.real = v.kind == VIEW_DOUBLE ? real_of(s->raw) : 0;
        break;
    case JSON_TOKEN_ARRAY_BEGIN:
    case JSON_TOKEN_OBJECT_BEGIN:
        if (json_scan_skip(s, t)) {
            v.kind = t == JSON_TOKEN_ARRAY_BEGIN ? VIEW_LIST : VIEW_RECORD;
            v.raw = bytes_of(begin, (size_t)((const uint8_t *)s->text.ptr + s->pos - begin));
        }
        break;
    default:
        break;
    }
    return v;
}

void jschema_view_at(const struct program *program, struct bytes payload, size_t begin, size_t end,
                     struct view *ret)
{
    struct str raw = {(const char *)payload.ptr + begin, end - begin};
    ret->program = program;
    ret->node = 0;
    ret->payload = payload;
    ret->number = 0;
    ret->real = 0;
    ret->has_escape = false;
    switch (*raw.ptr) {
    case 'n':
    case 't':
    case 'f':
        ret->kind = *raw.ptr == 'n' ? VIEW_NULL : VIEW_BOOL;
        ret->number = *raw.ptr == 't';
        raw = (struct str){0};
        break;
    case '{':
    case '[':
        ret->kind = *raw.ptr == '[' ? VIEW_LIST : VIEW_RECORD;
        break;
    case '"':
        ret->kind = VIEW_STRING;
        raw = (struct str){raw.ptr + 1, raw.len - 2};
        ret->has_escape = memchr(raw.ptr, '\\', raw.len) != NULL;
        break;
    default:
        ret->kind = str_parse_i64(raw, &ret->number) ? VIEW_INT : VIEW_DOUBLE;
        ret->number = ret->kind == VIEW_INT ? ret->number : 0;
        ret->real = ret->kind == VIEW_DOUBLE ? real_of(raw) : 0;
        break;
    }
    ret->raw = bytes_of(raw.ptr, raw.len);
}

struct view jschema_view_root(const struct program *program, struct bytes payload)
{
    struct str text = str_trim((struct str){(const char *)payload.ptr, payload.len});
    struct view root = {0};
    if (text.len > 0 && (*text.ptr == '{' || *text.ptr == '[')) { // it was checked: it ends with the text
        size_t begin = (size_t)(text.ptr - (const char *)payload.ptr);
        jschema_view_at(program, payload, begin, begin + text.len, &root);
        return root;
    }
    struct view whole = {.program = program, .payload = payload};
    struct json_scan s;
    json_scan_init(&s, (struct str){(const char *)payload.ptr, payload.len});
    return jschema_view_of(&whole, &s, json_scan_next(&s));
}

bool jschema_key_equal(const struct json_scan *s, struct str name)
{
    if (!s->has_escape) {
        return str_equal(s->raw, name);
    }
    struct buf text;
    buf_init(&text, s->raw.len + 1);
    json_unescape(s->raw, &text);
    bool is_equal = str_equal(buf_str(&text), name);
    buf_fini(&text);
    return is_equal;
}

struct view jschema_view_field(const struct view *record, struct str name)
{
    struct json_scan s;
    json_scan_init(&s, (struct str){(const char *)record->raw.ptr, record->raw.len});
    struct view found = {0};
    enum json_token t = json_scan_next(&s);
    while ((t = json_scan_next(&s)) == JSON_TOKEN_KEY) {
        bool is_it = jschema_key_equal(&s, name);
        t = json_scan_next(&s);
        if (is_it) {
            found = jschema_view_of(record, &s, t);
        } else if (!json_scan_skip(&s, t)) {
            break;
        }
    }
    return found;
}

bool jschema_view_next(struct view_items *items, struct str *ret_key, struct view *ret)
{
    struct bytes raw = items->of.raw;
    size_t at = items->position == 0 ? 1 : items->position; // behind the bracket
    while (at < raw.len && strchr(" \t\r\n,", raw.ptr[at]) != NULL) {
        at++;
    }
    if (at >= raw.len || raw.ptr[at] == ']' || raw.ptr[at] == '}') {
        return false;
    }
    struct json_scan s;
    json_scan_init(&s, (struct str){(const char *)raw.ptr + at, raw.len - at});
    enum json_token t = json_scan_next(&s);
    *ret_key = (struct str){0};
    if (items->of.kind != VIEW_LIST) {
        *ret_key = s.raw;
        const char *colon = memchr(s.text.ptr + s.pos, ':', s.text.len - s.pos);
        if (t != JSON_TOKEN_STRING || colon == NULL) {
            return false;
        }
        json_scan_seek(&s, (size_t)(colon + 1 - s.text.ptr), 0, true);
        t = json_scan_next(&s);
    }
    *ret = jschema_view_of(&items->of, &s, t);
    items->position = at + s.pos;
    items->index++;
    return ret->kind != VIEW_NONE;
}
