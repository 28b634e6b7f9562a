// SPDX-License-Identifier: Apache-2.0
// formats.c - the formats that drafts 4, 6 and 7 assert in the Confluent registry's validator, each by its
// RFC.
#include "format/json/node_private.h"

#include "base/utf8.h"

enum json_format json_format_find(struct str name, const struct jschema_resource *resource)
{
    // A metaschema with the vocabulary format-assertion has them all asserted.
    bool is_asserted = (resource->vocabularies >> VOCABULARY_COUNT & 1) != 0;
    enum json_draft draft = is_asserted ? DRAFT_7 : resource->draft;
    static const struct {
        struct str name;
        enum json_format format;
        enum json_draft first;
    } rows[] = {
        {{"date-time", 9}, FORMAT_DATE_TIME, DRAFT_4},
        {{"email", 5}, FORMAT_EMAIL, DRAFT_4},
        {{"hostname", 8}, FORMAT_HOSTNAME, DRAFT_4},
        {{"ipv4", 4}, FORMAT_IPV4, DRAFT_4},
        {{"ipv6", 4}, FORMAT_IPV6, DRAFT_4},
        {{"uri", 3}, FORMAT_URI, DRAFT_4},
        {{"uri-reference", 13}, FORMAT_URI_REFERENCE, DRAFT_6},
        {{"uri-template", 12}, FORMAT_URI_TEMPLATE, DRAFT_6},
        {{"json-pointer", 12}, FORMAT_JSON_POINTER, DRAFT_6},
        {{"date", 4}, FORMAT_DATE, DRAFT_7},
        {{"time", 4}, FORMAT_TIME, DRAFT_7},
        {{"regex", 5}, FORMAT_REGEX, DRAFT_7},
        {{"relative-json-pointer", 21}, FORMAT_RELATIVE_JSON_POINTER, DRAFT_7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && draft <= DRAFT_7; i++) {
        if (draft >= rows[i].first && str_equal(name, rows[i].name)) {
            return rows[i].format;
        }
    }
    return FORMAT_NONE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
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

// ---- RFC 3339

// two reads two digits at `at`; -1 if there are none.
static int two(struct str s, size_t at)
{
    return s.len >= at + 2 && is_digit(s.ptr[at]) && is_digit(s.ptr[at + 1])
               ? (s.ptr[at] - '0') * 10 + (s.ptr[at + 1] - '0')
               : -1;
}

static bool is_date(struct str s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (s.len != 10 || s.ptr[4] != '-' || s.ptr[7] != '-' || two(s, 0) < 0 || two(s, 2) < 0) {
        return false;
    }
    int year = two(s, 0) * 100 + two(s, 2);
    int month = two(s, 5);
    int day = two(s, 8);
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && is_leap);
}

static bool is_time(struct str s)
{
    int hour = two(s, 0);
    int minute = two(s, 3);
    int second = two(s, 6);
    if (s.len < 9 || s.ptr[2] != ':' || s.ptr[5] != ':' || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60) {
        return false;
    }
    size_t at = 8;
    if (s.ptr[at] == '.') {
        size_t first = ++at;
        while (at < s.len && is_digit(s.ptr[at])) {
            at++;
        }
        if (at == first) {
            return false;
        }
    }
    int offset = 0; // minutes
    if (at + 1 == s.len && (s.ptr[at] | 0x20) == 'z') {
        offset = 0;
    } else if (at + 6 == s.len && (s.ptr[at] == '+' || s.ptr[at] == '-') && s.ptr[at + 3] == ':') {
        int hours = two(s, at + 1);
        int minutes = two(s, at + 4);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
            return false;
        }
        offset = (hours * 60 + minutes) * (s.ptr[at] == '-' ? -1 : 1);
    } else {
        return false;
    }
    int utc = ((hour * 60 + minute - offset) % 1440 + 1440) % 1440;
    return second < 60 || utc == 1439; // a leap second ends a day in UTC
}

static bool is_date_time(struct str s)
{
    return s.len > 11 && (s.ptr[10] | 0x20) == 't' && is_date((struct str){s.ptr, 10}) &&
           is_time(from(s, 11));
}

// ---- hosts

static bool is_hostname(struct str s)
{
    if (s.len == 0 || s.len > 253) {
        return false;
    }
    size_t label = 0;
    for (size_t i = 0; i <= s.len; i++) {
        if (i == s.len || s.ptr[i] == '.') {
            bool is_label = i > label && i - label <= 63 && s.ptr[label] != '-' && s.ptr[i - 1] != '-';
            if (!is_label) {
                return false;
            }
            label = i + 1;
        } else if (!is_letter(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

static bool is_ipv4(struct str s)
{
    int parts = 0;
    while (true) {
        size_t n = 0;
        int value = 0;
        while (n < s.len && n < 4 && is_digit(s.ptr[n])) {
            value = value * 10 + (s.ptr[n++] - '0');
        }
        if (n == 0 || n > 3 || value > 255 || (n > 1 && s.ptr[0] == '0')) {
            return false;
        }
        parts++;
        if (n == s.len) {
            return parts == 4;
        }
        if (s.ptr[n] != '.') {
            return false;
        }
        s = from(s, n + 1);
    }
}

static bool is_ipv6(struct str s)
{
    int groups = 0;
    bool has_gap = false;
    if (str_has_prefix(s, STR("::"))) {
        has_gap = true;
        s = from(s, 2);
        if (s.len == 0) {
            return true;
        }
    }
    while (true) {
        size_t n = 0;
        while (n < s.len && n < 5 && is_hex(s.ptr[n])) {
            n++;
        }
        if (n < s.len && s.ptr[n] == '.') {
            groups += 2;
            return is_ipv4(s) && (has_gap ? groups < 8 : groups == 8);
        }
        if (n == 0 || n > 4) {
            return false;
        }
        groups++;
        s = from(s, n);
        if (s.len == 0) {
            return has_gap ? groups < 8 : groups == 8;
        }
        if (str_has_prefix(s, STR("::"))) {
            if (has_gap) {
                return false;
            }
            has_gap = true;
            s = from(s, 2);
            if (s.len == 0) {
                return groups < 8;
            }
        } else if (s.ptr[0] == ':' && s.len > 1) {
            s = from(s, 1);
        } else {
            return false;
        }
    }
}

static bool is_email(struct str s)
{
    const char *at = memrchr(s.ptr, '@', s.len);
    if (at == NULL || at == s.ptr) {
        return false;
    }
    struct str local = {s.ptr, (size_t)(at - s.ptr)};
    struct str domain = from(s, local.len + 1);
    if (local.len >= 2 && local.ptr[0] == '"' && local.ptr[local.len - 1] == '"') {
        for (size_t i = 1; i + 1 < local.len; i++) {
            i += local.ptr[i] == '\\' && i + 2 < local.len;
            if (local.ptr[i] == '"' && local.ptr[i - 1] != '\\') {
                return false;
            }
        }
    } else {
        for (size_t i = 0; i < local.len; i++) {
            char c = local.ptr[i];
            bool is_edge = i == 0 || i + 1 == local.len || local.ptr[i - 1] == '.';
            if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "!#$%&'*+/=?^_`{|}~-") &&
                (c != '.' || is_edge)) {
                return false;
            }
        }
    }
    if (domain.len > 2 && domain.ptr[0] == '[' && domain.ptr[domain.len - 1] == ']') {
        struct str literal = {domain.ptr + 1, domain.len - 2};
        return str_has_prefix(literal, STR("IPv6:")) ? is_ipv6(from(literal, 5)) : is_ipv4(literal);
    }
    return is_hostname(domain);
}

// ---- RFC 3986

static bool is_made_of(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            if (i + 2 >= s.len || !is_hex(s.ptr[i + 1]) || !is_hex(s.ptr[i + 2])) {
                return false;
            }
            i += 2;
        } else if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "-._~!$&'()*+,;=") &&
                   !is_one_of(c, others)) {
            return false;
        }
    }
    return true;
}

static bool is_authority(struct str s)
{
    const char *at = s.len == 0 ? NULL : memchr(s.ptr, '@', s.len);
    if (at != NULL) {
        if (!is_made_of((struct str){s.ptr, (size_t)(at - s.ptr)}, ":")) {
            return false;
        }
        s = from(s, (size_t)(at + 1 - s.ptr));
    }
    size_t host = 0;
    if (s.len > 0 && s.ptr[0] == '[') {
        const char *end = memchr(s.ptr, ']', s.len);
        struct str literal = {s.ptr + 1, end == NULL ? 0 : (size_t)(end - s.ptr - 1)};
        bool is_future = literal.len > 0 && (literal.ptr[0] | 0x20) == 'v' && is_made_of(literal, ":");
        if (end == NULL || !(is_future || is_ipv6(literal))) {
            return false;
        }
        host = literal.len + 2;
    } else {
        while (host < s.len && s.ptr[host] != ':') {
            host++;
        }
        if (!is_made_of((struct str){s.ptr, host}, "")) {
            return false;
        }
    }
    for (size_t i = host + 1; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) {
            return false;
        }
    }
    return host == s.len || s.ptr[host] == ':';
}

static bool is_uri_reference(struct str s, bool needs_scheme)
{
    struct str rest;
    struct str main = str_cut(s, '#', &rest);
    if (rest.ptr != NULL && !is_made_of(rest, ":@/?")) {
        return false;
    }
    size_t scheme = 0;
    while (scheme < main.len &&
           (is_letter(main.ptr[scheme]) ||
            (scheme > 0 && (is_digit(main.ptr[scheme]) || is_one_of(main.ptr[scheme], "+-."))))) {
        scheme++;
    }
    bool has_scheme = scheme > 0 && scheme < main.len && main.ptr[scheme] == ':';
    if (needs_scheme && !has_scheme) {
        return false;
    }
    main = has_scheme ? from(main, scheme + 1) : main;
    struct str query;
    struct str path = str_cut(main, '?', &query);
    if (query.ptr != NULL && !is_made_of(query, ":@/?")) {
        return false;
    }
    if (str_has_prefix(path, STR("//"))) {
        path = from(path, 2);
        const char *slash = path.len == 0 ? NULL : memchr(path.ptr, '/', path.len);
        size_t len = slash == NULL ? path.len : (size_t)(slash - path.ptr);
        if (!is_authority((struct str){path.ptr, len})) {
            return false;
        }
        path = from(path, len);
    } else if (!has_scheme) {
        // The first segment of a relative path may have no colon: it would be a scheme.
        const char *slash = path.len == 0 ? NULL : memchr(path.ptr, '/', path.len);
        size_t first = slash == NULL ? path.len : (size_t)(slash - path.ptr);
        if (first > 0 && memchr(path.ptr, ':', first) != NULL) {
            return false;
        }
    }
    return is_made_of(path, ":@/");
}

// A variable of an expression: a name, and how much of it.
static bool is_varspec(struct str s)
{
    size_t n = 0;
    bool may_dot = false;
    for (; n < s.len; n++) {
        bool is_dot = s.ptr[n] == '.' && may_dot;
        if (s.ptr[n] == '%' && s.len > n + 2 && is_hex(s.ptr[n + 1]) && is_hex(s.ptr[n + 2])) {
            n += 2;
        } else if (!is_dot && !is_letter(s.ptr[n]) && !is_digit(s.ptr[n]) && s.ptr[n] != '_') {
            break;
        }
        may_dot = !is_dot;
    }
    if (n == 0 || !may_dot) {
        return false;
    }
    struct str rest = from(s, n);
    if (rest.len == 0 || str_equal(rest, STR("*"))) {
        return true;
    }
    bool is_prefix = rest.ptr[0] == ':' && rest.len >= 2 && rest.len <= 5 && rest.ptr[1] != '0';
    for (size_t i = 1; i < rest.len; i++) {
        is_prefix = is_prefix && is_digit(rest.ptr[i]);
    }
    return is_prefix;
}

static bool is_expression(struct str s)
{
    if (s.len > 0 && is_one_of(s.ptr[0], "+#./;?&=,!@|")) {
        s = from(s, 1);
    }
    struct str rest = s;
    do {
        if (!is_varspec(str_cut(rest, ',', &rest))) {
            return false;
        }
    } while (rest.ptr != NULL);
    return true;
}

// RFC 6570: literals, and expressions in braces.
static bool is_uri_template(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '{') {
            const char *end = memchr(s.ptr + i, '}', s.len - i);
            size_t len = end == NULL ? 0 : (size_t)(end - s.ptr) - i - 1;
            if (end == NULL || !is_expression((struct str){s.ptr + i + 1, len})) {
                return false;
            }
            i += len + 1;
        } else if ((uint8_t)c <= ' ' || c == 127 || is_one_of(c, "\"<>\\^`|}")) {
            return false;
        } else if (c == '%' && !(s.len > i + 2 && is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]))) {
            return false;
        }
    }
    return true;
}

// ---- RFC 6901

static bool is_json_pointer(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_bad_escape = s.ptr[i] == '~' && (i + 1 == s.len || !is_one_of(s.ptr[i + 1], "01"));
        if (is_bad_escape) {
            return false;
        }
    }
    return s.len == 0 || s.ptr[0] == '/';
}

static bool is_relative_json_pointer(struct str s)
{
    size_t n = 0;
    while (n < s.len && is_digit(s.ptr[n])) {
        n++;
    }
    if (n == 0 || (n > 1 && s.ptr[0] == '0')) {
        return false;
    }
    struct str rest = from(s, n);
    return str_equal(rest, STR("#")) || is_json_pointer(rest);
}

bool json_format_holds(enum json_format format, struct str text, int64_t *budget)
{
    switch (format) {
    case FORMAT_NONE:
        return true;
    case FORMAT_DATE_TIME:
        return is_date_time(text);
    case FORMAT_DATE:
        return is_date(text);
    case FORMAT_TIME:
        return is_time(text);
    case FORMAT_EMAIL:
        return is_email(text);
    case FORMAT_HOSTNAME:
        return is_hostname(text);
    case FORMAT_IPV4:
        return is_ipv4(text);
    case FORMAT_IPV6:
        return is_ipv6(text);
    case FORMAT_URI:
        return is_uri_reference(text, true);
    case FORMAT_URI_REFERENCE:
        return is_uri_reference(text, false);
    case FORMAT_URI_TEMPLATE:
        return is_uri_template(text);
    case FORMAT_JSON_POINTER:
        return is_json_pointer(text);
    case FORMAT_RELATIVE_JSON_POINTER:
        return is_relative_json_pointer(text);
    case FORMAT_REGEX:
        return regex_check(text, REGEX_ECMA, budget, NULL) == ERR_OK;
    }
    return true;
}
