// SPDX-License-Identifier: Apache-2.0
// uri.c - references to URIs resolved against a base (RFC 3986 5.2).
#include "format/json/schema_private.h"

#include "base/mem.h"

struct uri {
    struct str scheme; // NULL ptr without one, as for the others
    struct str authority;
    struct str path;
    struct str query;
    struct str fragment;
};

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_other)) {
            return false;
        }
    }
    return s.len > 0;
}

static struct uri uri_split(struct str s)
{
    struct uri u = {0};
    const char *hash = s.len == 0 ? NULL : memchr(s.ptr, '#', s.len);
    if (hash != NULL) {
        u.fragment = (struct str){hash + 1, s.len - (size_t)(hash + 1 - s.ptr)};
        s.len = (size_t)(hash - s.ptr);
    }
    const char *mark = s.len == 0 ? NULL : memchr(s.ptr, '?', s.len);
    if (mark != NULL) {
        u.query = (struct str){mark + 1, s.len - (size_t)(mark + 1 - s.ptr)};
        s.len = (size_t)(mark - s.ptr);
    }
    const char *colon = s.len == 0 ? NULL : memchr(s.ptr, ':', s.len);
    if (colon != NULL && is_scheme((struct str){s.ptr, (size_t)(colon - s.ptr)})) {
        u.scheme = (struct str){s.ptr, (size_t)(colon - s.ptr)};
        s = (struct str){colon + 1, s.len - u.scheme.len - 1};
    }
    if (s.len >= 2 && s.ptr[0] == '/' && s.ptr[1] == '/') {
        s = (struct str){s.ptr + 2, s.len - 2};
        const char *slash = memchr(s.ptr, '/', s.len);
        u.authority = (struct str){s.ptr, slash == NULL ? s.len : (size_t)(slash - s.ptr)};
        s = (struct str){s.ptr + u.authority.len, s.len - u.authority.len};
    }
    u.path = s;
    return u;
}

// remove_dots appends the path without its . and .. segments.
static void remove_dots(struct str path, struct buf *out)
{
    size_t base = out->len;
    bool is_absolute = path.len > 0 && path.ptr[0] == '/';
    size_t at = 0;
    while (at <= path.len) {
        const char *slash = at == path.len ? NULL : memchr(path.ptr + at, '/', path.len - at);
        size_t end = slash == NULL ? path.len : (size_t)(slash - path.ptr);
        struct str segment = {path.ptr + at, end - at};
        bool is_last = slash == NULL;
        if (str_equal(segment, STR(".."))) {
            // Drop the segment before: what is written ends with its slash.
            size_t floor = base + is_absolute;
            if (out->len > floor) {
                out->len--;
            }
            while (out->len > floor && out->ptr[out->len - 1] != '/') {
                out->len--;
            }
        } else if (!str_equal(segment, STR("."))) {
            buf_append_str(out, segment);
            if (!is_last) {
                buf_u8(out, '/');
            }
        }
        at = end + 1;
    }
}

static struct str merge_paths(const struct uri *base, struct str path, struct buf *out)
{
    size_t last = base->path.len;
    while (last > 0 && base->path.ptr[last - 1] != '/') {
        last--;
    }
    if (base->authority.ptr != NULL && base->path.len == 0) {
        buf_u8(out, '/');
    } else {
        buf_append(out, base->path.ptr, last);
    }
    buf_append_str(out, path);
    return buf_str(out);
}

struct str uri_resolve(struct arena *arena, struct str base_text, struct str ref, struct str *ret_fragment)
{
    struct uri base = uri_split(base_text);
    struct uri r = uri_split(ref);
    *ret_fragment = r.fragment;
    struct uri t = r;
    struct buf merged;
    buf_init(&merged, base_text.len + ref.len + 16);
    if (r.scheme.ptr == NULL) {
        t.scheme = base.scheme;
        if (r.authority.ptr == NULL) {
            t.authority = base.authority;
            if (r.path.len == 0) {
                t.path = base.path;
                t.query = r.query.ptr != NULL ? r.query : base.query;
            } else if (r.path.ptr[0] != '/') {
                t.path = merge_paths(&base, r.path, &merged);
            }
        }
    }
    struct buf out;
    buf_init(&out, base_text.len + ref.len + 16);
    if (t.scheme.ptr != NULL) {
        buf_append_str(&out, t.scheme);
        buf_u8(&out, ':');
    }
    if (t.authority.ptr != NULL) {
        buf_append_str(&out, STR("//"));
        buf_append_str(&out, t.authority);
    }
    if (t.path.len > 0) {
        remove_dots(t.path, &out);
    }
    if (t.query.ptr != NULL) {
        buf_u8(&out, '?');
        buf_append_str(&out, t.query);
    }
    struct str result = out.len == 0 ? STR("") : arena_str(arena, buf_str(&out));
    buf_fini(&out);
    buf_fini(&merged);
    return result;
}
