// SPDX-License-Identifier: Apache-2.0
// lib_validate.c - isEmail, isHostname, isIpv4, isIpv6, isUri, isUriRef, isUuid, as protovalidate defines
// them; as in Confluent's clients an empty text is none of these.
#include "cel/library.h"
#include "cel/text.h"

enum { LABEL_MAX = 63, HOSTNAME_MAX = 253 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_one_of(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static struct str from(struct str s, size_t at)
{
    return (struct str){s.ptr + at, s.len - at};
}

// Where the first of these characters stands; s.len: none does.
static size_t find_any(struct str s, const char *set)
{
    size_t at = 0;
    while (at < s.len && !is_one_of(s.ptr[at], set)) {
        at++;
    }
    return at;
}

// ---- hosts

// Letters, digits and hyphens, which stand neither first nor last.
static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.ptr[i]) && (s.ptr[i] != '-' || i == 0 || i + 1 == s.len)) {
            return false;
        }
    }
    return s.len > 0 && s.len <= LABEL_MAX;
}

static bool is_all_digits(struct str s)
{
    size_t at = 0;
    while (at < s.len && is_digit(s.ptr[at])) {
        at++;
    }
    return at == s.len;
}

static bool are_labels(struct str s, struct str *ret_last)
{
    for (;;) {
        struct str rest;
        *ret_last = str_cut(s, '.', &rest);
        if (!is_label(*ret_last)) {
            return false;
        }
        if (rest.ptr == NULL) {
            return true;
        }
        s = rest;
    }
}

static bool is_hostname(struct str s)
{
    struct str last;
    if (s.len > HOSTNAME_MAX) {
        return false;
    }
    if (s.ptr[s.len - 1] == '.') {
        s.len--;
    }
    return s.len > 0 && are_labels(s, &last) && !is_all_digits(last);
}

// As HTML's <input type="email"> has it.
static bool is_email(struct str s)
{
    struct str domain;
    struct str last;
    struct str local = str_cut(s, '@', &domain);
    for (size_t i = 0; i < local.len; i++) {
        if (!is_alnum(local.ptr[i]) && !is_one_of(local.ptr[i], ".!#$%&'*+/=?^_`{|}~-")) {
            return false;
        }
    }
    return local.len > 0 && domain.ptr != NULL && are_labels(domain, &last);
}

// ---- addresses

static bool is_ipv4(struct str s)
{
    unsigned parts = 0;
    for (size_t at = 0;;) {
        unsigned value = 0;
        size_t begin = at;
        while (at < s.len && is_digit(s.ptr[at]) && at - begin < 3) {
            value = value * 10 + (unsigned)(s.ptr[at++] - '0');
        }
        if (at == begin || value > 255 || (at - begin > 1 && s.ptr[begin] == '0')) {
            return false;
        }
        if (++parts == 4) {
            return at == s.len;
        }
        if (at == s.len || s.ptr[at++] != '.') {
            return false;
        }
    }
}

static bool is_ipv6_plain(struct str s)
{
    unsigned groups = 0;
    bool has_gap = false;
    size_t at = 0;
    if (s.len >= 2 && s.ptr[0] == ':' && s.ptr[1] == ':') {
        has_gap = true;
        at = 2;
    }
    while (at < s.len) {
        if (groups <= 6 && is_ipv4(from(s, at))) {
            groups += 2;
            at = s.len;
            break;
        }
        size_t begin = at;
        while (at < s.len && is_hex(s.ptr[at]) && at - begin < 4) {
            at++;
        }
        if (at == begin || ++groups > 8) {
            return false;
        }
        if (at == s.len) {
            break;
        }
        if (s.ptr[at++] != ':' || at == s.len) {
            return false;
        }
        if (s.ptr[at] == ':') {
            if (has_gap) {
                return false;
            }
            has_gap = true;
            at++;
        }
    }
    return has_gap ? groups < 8 : groups == 8;
}

// With a zone: "fe80::1%eth0" (RFC 4007).
static bool is_ipv6(struct str s)
{
    struct str zone;
    struct str address = str_cut(s, '%', &zone);
    return is_ipv6_plain(address) &&
           (zone.ptr == NULL || (zone.len > 0 && memchr(zone.ptr, 0, zone.len) == NULL));
}

// ---- URIs (RFC 3986)

#define SUB_DELIMS "!$&'()*+,;="

// Unreserved characters, percent-encoded bytes, and these others.
static bool is_made_of(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (s.len - i < 3 || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_alnum(c) && !is_one_of(c, "-._~") && !is_one_of(c, others)) {
            return false;
        }
    }
    return true;
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

// What the percent-encoded bytes of a name mean is UTF-8 (RFC 3986, 3.2.2).
static bool is_decoded_utf8(struct str s)
{
    char text[HOSTNAME_MAX + 1];
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (len == sizeof text) {
            return true; // too long for a host that is looked up; its characters have been checked
        }
        if (s.ptr[i] == '%') {
            text[len++] = (char)(hex_value(s.ptr[i + 1]) << 4 | hex_value(s.ptr[i + 2]));
            i += 2;
        } else {
            text[len++] = s.ptr[i];
        }
    }
    return utf8_is_valid((struct str){text, len});
}

// What stands between [ and ]: an IPv6 address with or without a zone ("%25" and its name), or one to come
// ("v1.x").
static bool is_ip_literal(struct str s)
{
    if (s.len > 0 && (s.ptr[0] | 0x20) == 'v') {
        struct str rest;
        struct str version = str_cut(from(s, 1), '.', &rest);
        bool is_version = version.len > 0 && rest.ptr != NULL && rest.len > 0;
        for (size_t i = 0; i < version.len; i++) {
            is_version = is_version && is_hex(version.ptr[i]);
        }
        return is_version && memchr(rest.ptr, '%', rest.len) == NULL && is_made_of(rest, SUB_DELIMS ":");
    }
    struct str zone;
    struct str address = str_cut(s, '%', &zone);
    if (zone.ptr == NULL) {
        return is_ipv6_plain(address);
    }
    bool has_zone = zone.len > 2 && zone.ptr[0] == '2' && zone.ptr[1] == '5';
    return has_zone && is_ipv6_plain(address) && is_made_of(from(zone, 2), "") &&
           is_decoded_utf8(from(zone, 2));
}

static bool is_authority(struct str s)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, '@', s.len);
    if (at != NULL) {
        if (!is_made_of((struct str){s.ptr, (size_t)(at - s.ptr)}, SUB_DELIMS ":")) {
            return false;
        }
        s = from(s, (size_t)(at - s.ptr) + 1);
    }
    size_t end = find_any(s, ":");
    if (s.len > 0 && s.ptr[0] == '[') {
        end = find_any(s, "]");
        if (end == s.len || !is_ip_literal((struct str){s.ptr + 1, end - 1})) {
            return false;
        }
        end++;
    } else {
        struct str host = {s.ptr, end};
        if (!is_made_of(host, SUB_DELIMS) || !is_decoded_utf8(host)) {
            return false;
        }
    }
    s = from(s, end);
    return s.len == 0 || (s.ptr[0] == ':' && is_all_digits(from(s, 1)));
}

// Where the scheme's colon stands; 0: there is none.
static size_t scheme_end(struct str s)
{
    size_t end = find_any(s, ":/?#");
    if (end == s.len || s.ptr[end] != ':' || end == 0 || is_digit(s.ptr[0])) {
        return 0;
    }
    for (size_t i = 0; i < end; i++) {
        if (!is_alnum(s.ptr[i]) && (i == 0 || !is_one_of(s.ptr[i], "+-."))) {
            return 0;
        }
    }
    return end;
}

// All behind the scheme.
static bool is_hierarchy(struct str s, bool has_scheme)
{
    size_t fragment = find_any(s, "#");
    if (fragment < s.len && !is_made_of(from(s, fragment + 1), SUB_DELIMS ":@/?")) {
        return false;
    }
    s.len = fragment;
    size_t query = find_any(s, "?");
    if (query < s.len && !is_made_of(from(s, query + 1), SUB_DELIMS ":@/?")) {
        return false;
    }
    s.len = query;
    if (s.len >= 2 && s.ptr[0] == '/' && s.ptr[1] == '/') {
        s = from(s, 2);
        size_t path = find_any(s, "/");
        if (!is_authority((struct str){s.ptr, path})) {
            return false;
        }
        s = from(s, path);
    } else if (!has_scheme && find_any(s, ":") < find_any(s, "/")) {
        return false; // its first segment would be read as a scheme
    }
    return is_made_of(s, SUB_DELIMS ":@/");
}

static bool is_uri(struct str s)
{
    size_t scheme = scheme_end(s);
    return scheme > 0 && is_hierarchy(from(s, scheme + 1), true);
}

static bool is_uri_ref(struct str s)
{
    return is_uri(s) || is_hierarchy(s, false);
}

static bool is_uuid(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_hyphen ? s.ptr[i] != '-' : !is_hex(s.ptr[i])) {
            return false;
        }
    }
    return s.len == 36;
}

#define VALIDATOR(name, holds)                                                                               \
    static struct cel_value name(struct cel_call *call, const struct cel_value *args)                        \
    {                                                                                                        \
        struct str s = cel_str(args[0]);                                                                     \
        if (!cel_pay_bytes(call, 8 * s.len)) {                                                               \
            return cel_over(call);                                                                           \
        }                                                                                                    \
        return cel_bool(s.len > 0 && holds(s));                                                              \
    }
VALIDATOR(call_email, is_email)
VALIDATOR(call_hostname, is_hostname)
VALIDATOR(call_ipv4, is_ipv4)
VALIDATOR(call_ipv6, is_ipv6)
VALIDATOR(call_uri, is_uri)
VALIDATOR(call_uri_ref, is_uri_ref)
VALIDATOR(call_uuid, is_uuid)

static const struct cel_function functions[] = {
    {.name = "isEmail", .signature = "s:b", .call = call_email, .is_member = true},
    {.name = "isHostname", .signature = "s:b", .call = call_hostname, .is_member = true},
    {.name = "isIpv4", .signature = "s:b", .call = call_ipv4, .is_member = true},
    {.name = "isIpv6", .signature = "s:b", .call = call_ipv6, .is_member = true},
    {.name = "isUri", .signature = "s:b", .call = call_uri, .is_member = true},
    {.name = "isUriRef", .signature = "s:b", .call = call_uri_ref, .is_member = true},
    {.name = "isUuid", .signature = "s:b", .call = call_uuid, .is_member = true},
};

const struct cel_library cel_validate_library = {
    .functions = functions,
    .function_count = sizeof functions / sizeof *functions,
};
