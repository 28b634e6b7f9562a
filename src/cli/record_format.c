// SPDX-License-Identifier: Apache-2.0
#include "cli/record_format.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// escape_read reads what follows a backslash at text[at]: how many characters it takes, 0 if it is none.
static size_t escape_read(struct str text, size_t at, char *ret)
{
    char c = at < text.len ? text.ptr[at] : 'x';
    switch (c) {
    case 'n':
        *ret = '\n';
        return 1;
    case 'r':
        *ret = '\r';
        return 1;
    case 't':
        *ret = '\t';
        return 1;
    case '0':
        *ret = '\0';
        return 1;
    case '\\':
        *ret = '\\';
        return 1;
    case 'x':
        break;
    default:
        return 0;
    }
    int high = at + 2 < text.len ? hex_digit(text.ptr[at + 1]) : -1;
    int low = at + 2 < text.len ? hex_digit(text.ptr[at + 2]) : -1;
    *ret = (char)(uint8_t)(high * 16 + low);
    return high < 0 || low < 0 ? 0 : 3;
}

enum err record_format_check(struct str format, struct error *e)
{
    for (size_t i = 0; i < format.len; i++) {
        if (format.ptr[i] == '\\') {
            char c;
            size_t size = escape_read(format, i + 1, &c);
            if (size == 0) {
                return FAIL(e, ERR_INVALID_REQUEST,
                            "\"" STR_FMT "\": after a backslash comes n, r, t, 0, \\ or xNN",
                            STR_ARG(format));
            }
            i += size;
        } else if (format.ptr[i] == '%') {
            char c = ++i < format.len ? format.ptr[i] : '\0';
            if (c == '\0' || memchr("tpoTkvsKSh%", c, 11) == NULL) {
                return FAIL(e, ERR_INVALID_REQUEST,
                            "\"" STR_FMT "\": after a %% comes one of t p o T k v s K S h %%",
                            STR_ARG(format));
            }
        }
    }
    return ERR_OK;
}

static void print_bytes(struct bytes data, struct str null_text, struct buf *out)
{
    if (data.ptr == NULL) {
        buf_append_str(out, null_text);
    } else {
        buf_append(out, data.ptr, data.len);
    }
}

static void print_headers(struct str null_text, const struct record *record, struct buf *out)
{
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    for (bool is_first = true; record_headers_next(&headers, &header); is_first = false) {
        buf_append_str(out, is_first ? STR("") : STR(","));
        buf_append_str(out, header.key);
        buf_u8(out, '=');
        print_bytes(header.value, null_text, out);
    }
}

static long long size_of(struct bytes data)
{
    return data.ptr == NULL ? -1 : (long long)data.len;
}

static void print_field(char field, struct str null_text, const struct record_place *place,
                        const struct record *record, struct buf *out)
{
    switch (field) {
    case 't':
        buf_append_str(out, place->topic);
        break;
    case 'p':
        buf_printf(out, "%d", place->partition);
        break;
    case 'o':
        buf_printf(out, "%lld", (long long)record->offset);
        break;
    case 'T':
        buf_printf(out, "%lld", (long long)record->timestamp);
        break;
    case 'k':
        print_bytes(record->key, null_text, out);
        break;
    case 'K':
        buf_printf(out, "%lld", size_of(record->key));
        break;
    case 'S':
        buf_printf(out, "%lld", size_of(record->value));
        break;
    case 'h':
        print_headers(null_text, record, out);
        break;
    case '%':
        buf_u8(out, '%');
        break;
    default: // v, s
        print_bytes(record->value, null_text, out);
        break;
    }
}

void record_format_print(struct str format, struct str null_text, const struct record_place *place,
                         const struct record *record, struct buf *out)
{
    for (size_t i = 0; i < format.len; i++) {
        char c = format.ptr[i];
        if (c == '\\') {
            i += escape_read(format, i + 1, &c);
            buf_u8(out, (uint8_t)c);
        } else if (c == '%') {
            print_field(format.ptr[++i], null_text, place, record, out);
        } else {
            buf_u8(out, (uint8_t)c);
        }
    }
}

void record_json_print(const struct record_place *place, const struct record *record, struct json *json)
{
    json_object_begin(json);
    json_pair_str(json, "topic", place->topic);
    json_pair_i64(json, "partition", place->partition);
    json_pair_i64(json, "offset", record->offset);
    json_pair_i64(json, "timestamp", record->timestamp);
    json_pair_bytes(json, "key", record->key);
    json_pair_bytes(json, "value", record->value);
    json_key(json, "headers");
    json_array_begin(json);
    struct record_headers headers = record_headers_init(record);
    struct record_header header;
    while (record_headers_next(&headers, &header)) {
        json_object_begin(json);
        json_pair_str(json, "key", header.key);
        json_pair_bytes(json, "value", header.value);
        json_object_end(json);
    }
    json_array_end(json);
    json_object_end(json);
    buf_u8(json->out, '\n');
}
