// SPDX-License-Identifier: Apache-2.0
// print.c - values as CEL would write them, for people and tests.
#include "cel/message.h"
#include "cel/program_private.h"
#include "cel/standard_private.h"
#include "cel/time_private.h"

enum { PRINT_STEPS = 100000, PRINT_BYTES = 1 << 20, PRINT_DEPTH_MAX = 200 };

static void print_quoted(struct str text, bool is_bytes, struct buf *out)
{
    buf_append_str(out, is_bytes ? STR("b\"") : STR("\""));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char ch = (unsigned char)text.ptr[i];
        if (ch == '"' || ch == '\\') {
            buf_printf(out, "\\%c", ch);
        } else if (ch == '\n') {
            buf_append_str(out, STR("\\n"));
        } else if (ch < 0x20 || ch == 0x7f || (is_bytes && ch >= 0x80)) {
            buf_printf(out, "\\x%02x", ch);
        } else {
            buf_u8(out, ch);
        }
    }
    buf_u8(out, '"');
}

static void print_double(double number, struct buf *out)
{
    char text[CEL_DOUBLE_TEXT_SIZE];
    size_t len = cel_print_double(number, text);
    buf_append(out, text, len);
}

static void print_value(struct cel_call *call, struct cel_value value, unsigned depth, struct buf *out);

static void print_items(struct cel_call *call, struct cel_value of, unsigned depth, struct buf *out)
{
    bool is_map = of.kind == CEL_MAP;
    struct cel_walk walk = cel_walk(of);
    struct cel_value key;
    struct cel_value value;
    bool is_first = true;
    buf_u8(out, is_map ? '{' : '[');
    while (depth < PRINT_DEPTH_MAX && cel_walk_next(call, &walk, &key, &value)) {
        buf_append_str(out, is_first ? STR("") : STR(", "));
        is_first = false;
        if (is_map) {
            print_value(call, key, depth + 1, out);
            buf_append_str(out, STR(": "));
        }
        print_value(call, value, depth + 1, out);
    }
    buf_u8(out, is_map ? '}' : ']');
}

static void print_time(struct cel_value value, struct buf *out)
{
    char text[TIME_TEXT_SIZE];
    bool is_timestamp = value.kind == CEL_TIMESTAMP;
    size_t len = is_timestamp ? time_print_timestamp(value, text) : time_print_duration(value, text);
    buf_printf(out, "%s(\"%.*s\")", is_timestamp ? "timestamp" : "duration", (int)len, text);
}

static void print_object(struct cel_value value, struct buf *out)
{
    if (value.form == CEL_FORM_OBJECT && cel_object_of(value)->ops->print != NULL) {
        cel_object_of(value)->ops->print(cel_object_of(value), out);
        return;
    }
    buf_append_str(out, cel_type_name(value));
    buf_append_str(out, STR("{}"));
}

static void print_value(struct cel_call *call, struct cel_value value, unsigned depth, struct buf *out)
{
    switch ((enum cel_kind)value.kind) {
    case CEL_ERROR:
        buf_append_str(out, STR("error: "));
        buf_append_str(out, cel_str(value));
        return;
    case CEL_NULL:
        buf_append_str(out, STR("null"));
        return;
    case CEL_BOOL:
        buf_append_str(out, value.i != 0 ? STR("true") : STR("false"));
        return;
    case CEL_INT:
        buf_printf(out, "%lld", (long long)value.i);
        return;
    case CEL_UINT:
        buf_printf(out, "%lluu", (unsigned long long)value.u);
        return;
    case CEL_DOUBLE:
        print_double(value.d, out);
        return;
    case CEL_STRING:
    case CEL_BYTES:
        print_quoted(cel_str(value), value.kind == CEL_BYTES, out);
        return;
    case CEL_TYPE:
        buf_append_str(out, cel_str(value));
        return;
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        print_time(value, out);
        return;
    case CEL_LIST:
    case CEL_MAP:
        print_items(call, value, depth, out);
        return;
    case CEL_MESSAGE:
    case CEL_OPAQUE:
        print_object(value, out);
        return;
    }
}

void cel_value_print(struct cel_value value, struct buf *out)
{
    static const struct cel_program plain;
    struct arena arena;
    arena_init(&arena, PRINT_BYTES);
    struct cel_call call = {.arena = &arena, .steps = PRINT_STEPS, .program = &plain};
    print_value(&call, value, 0, out);
    arena_fini(&arena);
}
