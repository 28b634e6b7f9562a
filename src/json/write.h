// SPDX-License-Identifier: Apache-2.0
// write.h - a JSON writer: commas, escapes and nesting are its business. Whatever bytes go in, what comes out
// is valid JSON in UTF-8. Pure.
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/buf.h"

enum { JSON_WRITE_DEPTH_MAX = 64 };

// A zeroed struct with `out` set is ready. Running past out's limit shows in out->failed.
struct json {
    struct buf *out;
    int depth;
    bool is_after_key;
    bool has_items[JSON_WRITE_DEPTH_MAX + 1];
};

void json_object_begin(struct json *j);
void json_object_end(struct json *j);
void json_array_begin(struct json *j);
void json_array_end(struct json *j);
void json_key(struct json *j, const char *key); // in an object, before each value
void json_key_str(struct json *j, struct str key);
// json_str writes text; bytes that are not UTF-8 become U+FFFD. A NULL ptr is null.
void json_str(struct json *j, struct str text);
void json_base64(struct json *j, struct bytes data); // RFC 4648, padded
void json_i64(struct json *j, int64_t number);
void json_u64(struct json *j, uint64_t number);
void json_f64(struct json *j, double number); // null for what is no number: JSON has no infinity
void json_bool(struct json *j, bool value);
void json_null(struct json *j);

// Key and value in one go.
void json_pair_str(struct json *j, const char *key, struct str text);
void json_pair_i64(struct json *j, const char *key, int64_t number);
void json_pair_bool(struct json *j, const char *key, bool value);
// json_pair_bytes writes `key` as text if it is UTF-8; else null, and "<key>_base64" beside it. NULL is null.
void json_pair_bytes(struct json *j, const char *key, struct bytes data);

#endif
