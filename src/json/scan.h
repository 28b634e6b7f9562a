// SPDX-License-Identifier: Apache-2.0
// scan.h - a pull scanner for JSON (RFC 8259): one token at a time from text that is all there, without
// copies. Numbers stay text. Malformed JSON, malformed UTF-8 and nesting deeper than JSON_DEPTH_MAX are
// errors with their position. Pure; allocates nothing.
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/buf.h"
#include "base/error.h"

enum { JSON_DEPTH_MAX = 512 };

enum json_token {
    JSON_TOKEN_ERROR, // and again from then on
    JSON_TOKEN_END,   // the document is whole and nothing but white space is behind it
    JSON_TOKEN_OBJECT_BEGIN,
    JSON_TOKEN_OBJECT_END,
    JSON_TOKEN_ARRAY_BEGIN,
    JSON_TOKEN_ARRAY_END,
    JSON_TOKEN_KEY, // its value is the next token
    JSON_TOKEN_STRING,
    JSON_TOKEN_NUMBER,
    JSON_TOKEN_TRUE,
    JSON_TOKEN_FALSE,
    JSON_TOKEN_NULL,
};

struct json_scan {
    struct str text;
    size_t pos;         // of what comes next
    size_t token_pos;   // of the last token's first byte
    struct str raw;     // KEY, STRING: between the quotes, escapes as written; NUMBER: as written
    bool has_escape;    // of KEY and STRING
    uint32_t depth;     // open objects and arrays
    uint32_t depth_max; // JSON_DEPTH_MAX, or what its user sets below that
    // Of a NUMBER: all its digits as one integer, if there are up to 19; how many are behind the point.
    uint64_t digits;
    uint32_t scale;
    bool has_exponent;
    uint8_t expect; // private
    const char *error;
    uint64_t is_object[JSON_DEPTH_MAX / 64];
};

// json_scan_init begins at the front of `text`, which is borrowed.
void json_scan_init(struct json_scan *s, struct str text);
enum json_token json_scan_next(struct json_scan *s);
// json_scan_skip passes over the value whose first token was the last one: nothing for a scalar. false on
// error.
bool json_scan_skip(struct json_scan *s, enum json_token first);
// json_scan_seek goes back or ahead within the innermost object or array that is open at both places: to a
// value that begins at `pos`, or behind one that ends there, with `depth` open around it.
void json_scan_seek(struct json_scan *s, size_t pos, uint32_t depth, bool is_before_value);
// json_scan_fail reports why the last token was JSON_TOKEN_ERROR, with line and column: ERR_INVALID_REQUEST.
enum err json_scan_fail(const struct json_scan *s, struct error *e);

// json_unescape appends what the raw text of a KEY or STRING stands for. A lone surrogate, which UTF-8 cannot
// carry, becomes U+FFFD.
void json_unescape(struct str raw, struct buf *out);

#endif
