// SPDX-License-Identifier: Apache-2.0
// view.c - a checked payload by field, read where it lies. Of members with the same name the last one counts.
#include "format/json/node_private.h"

#include <stdlib.h>

#include "base/mem.h"

static double real_of(struct str raw)
{
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

struct view jschema_view_at(const struct program *program, struct bytes payload, size_t begin, size_t end)
{
    struct view v = {.program = program, .payload = payload};
    struct str raw = {(const char *)payload.ptr + begin, end - begin};
    switch (*raw.ptr) {
    case 'n':
        v.kind = VIEW_NULL;
        return v;
    case 't':
    case 'f':
        v.kind = VIEW_BOOL;
        v.number = *raw.ptr == 't';
        return v;
    case '{':
    case '[':
        v.kind = *raw.ptr == '[' ? VIEW_LIST : VIEW_RECORD;
        break;
    case '"':
        v.kind = VIEW_STRING;
        raw = (struct str){raw.ptr + 1, raw.len - 2};
        v.has_escape = memchr(raw.ptr, '\\', raw.len) != NULL;
        break;
    default:
        v.kind = str_parse_i64(raw, &v.number) ? VIEW_INT : VIEW_DOUBLE;
        v.real = v.kind == VIEW_DOUBLE ? real_of(raw) : 0;
        break;
    }
    v.raw = bytes_of(raw.ptr, raw.len);
    return v;
}

struct view jschema_view_root(const struct program *program, struct bytes payload)
{
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
