// SPDX-License-Identifier: Apache-2.0
// print.c - walks a table and writes one line of JSON.
#include <inttypes.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "wire/wire_private.h"

enum { PRINT_BYTES_MAX = 32 };

static void print_struct(const struct wire_struct *type, int16_t version, const uint8_t *message,
                         struct buf *out);

static void print_text(struct str text, struct buf *out)
{
    if (text.ptr == NULL) {
        buf_append_str(out, STR("null"));
        return;
    }
    buf_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c == '"' || c == '\\') {
            buf_u8(out, '\\');
            buf_u8(out, c);
        } else if (c < 0x20 || c >= 0x7f) {
            // Bytes, not code points: the peer's text need not be UTF-8.
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_u8(out, c);
        }
    }
    buf_u8(out, '"');
}

static void print_bytes(struct bytes bytes, uint32_t external_size, struct buf *out)
{
    if (external_size > 0) {
        buf_printf(out, "\"%zu bytes, %u external\"", bytes.len, external_size);
    } else if (bytes.ptr == NULL) {
        buf_append_str(out, STR("null"));
    } else if (bytes.len > PRINT_BYTES_MAX) {
        buf_printf(out, "\"%zu bytes, crc32c %08x\"", bytes.len, crc32c(0, bytes.ptr, bytes.len));
    } else {
        buf_u8(out, '"');
        for (size_t i = 0; i < bytes.len; i++) {
            buf_printf(out, "%02x", bytes.ptr[i]);
        }
        buf_u8(out, '"');
    }
}

static void print_uuid(struct uuid uuid, struct buf *out)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid, text);
    buf_printf(out, "\"%s\"", text);
}

static void print_element(const struct wire_field *field, int16_t version, const void *at, struct buf *out)
{
    switch ((enum wire_type)field->type) {
    case WIRE_BOOL:
        buf_append_str(out, *(const bool *)at ? STR("true") : STR("false"));
        return;
    case WIRE_I8:
        buf_printf(out, "%d", *(const int8_t *)at);
        return;
    case WIRE_I16:
        buf_printf(out, "%d", *(const int16_t *)at);
        return;
    case WIRE_U16:
        buf_printf(out, "%u", *(const uint16_t *)at);
        return;
    case WIRE_I32:
        buf_printf(out, "%" PRId32, *(const int32_t *)at);
        return;
    case WIRE_I64:
        buf_printf(out, "%" PRId64, *(const int64_t *)at);
        return;
    case WIRE_F64:
        buf_printf(out, "%.17g", *(const double *)at);
        return;
    case WIRE_UUID:
        print_uuid(*(const struct uuid *)at, out);
        return;
    case WIRE_ERROR: {
        enum err code = *(const enum err *)at;
        print_text(str_from_c(code < ERR_COUNT ? err_name(code) : "ERR_?"), out);
        return;
    }
    case WIRE_STRING:
        print_text(*(const struct str *)at, out);
        return;
    case WIRE_BYTES:
        print_bytes(*(const struct bytes *)at, 0, out);
        return;
    case WIRE_RECORDS: {
        const struct wire_records *records = at;
        print_bytes(records->bytes, records->external_size, out);
        return;
    }
    case WIRE_STRUCT:
        print_struct(field->sub, version, at, out);
        return;
    }
    UNREACHABLE("no such type");
}

static void print_array(const struct wire_field *field, int16_t version, const struct wire_array_view *array,
                        struct buf *out)
{
    if (array->count < 0) {
        buf_append_str(out, STR("null"));
        return;
    }
    size_t stride = wire_element_size(field);
    buf_u8(out, '[');
    for (int32_t i = 0; i < array->count; i++) {
        if (i > 0) {
            buf_u8(out, ',');
        }
        print_element(field, version, (const uint8_t *)array->ptr + (size_t)i * stride, out);
    }
    buf_u8(out, ']');
}

static void print_field(const struct wire_field *field, int16_t version, const uint8_t *message,
                        struct buf *out)
{
    const void *at = message + field->offset;
    if (field->flags & WIRE_SECRET) {
        buf_append_str(out, STR("\"(secret)\""));
    } else if (field->flags & WIRE_ARRAY) {
        print_array(field, version, at, out);
    } else if ((field->flags & WIRE_POINTER) == 0) {
        print_element(field, version, at, out);
    } else if (*(const void *const *)at == NULL) {
        buf_append_str(out, STR("null"));
    } else {
        print_struct(field->sub, version, *(const void *const *)at, out);
    }
}

static void print_struct(const struct wire_struct *type, int16_t version, const uint8_t *message,
                         struct buf *out)
{
    bool is_first = true;
    buf_u8(out, '{');
    for (size_t i = 0; i < type->count; i++) {
        const struct wire_field *field = &type->fields[i];
        if (!wire_field_in(field, version)) {
            continue;
        }
        buf_printf(out, "%s\"%s\":", is_first ? "" : ",", field->name);
        is_first = false;
        print_field(field, version, message, out);
    }
    buf_u8(out, '}');
}

void wire_print(const struct wire_struct *type, int16_t version, const void *message, struct buf *out)
{
    print_struct(type, version, message, out);
}
