// SPDX-License-Identifier: Apache-2.0
// json_text.c - values as a JSON document.
#include "cel/program_private.h"
#include "cel/standard_private.h"
#include "cel/time_private.h"
#include "json/write.h"

#include <math.h>

enum { JSON_STEPS = 10000000, KEY_SIZE = 24 };

static enum err write_value(struct cel_call *call, struct cel_value value, struct json *j, struct error *e);

// JSON's names are texts.
static void write_key(struct cel_value key, struct json *j)
{
    char number[KEY_SIZE];
    struct str text = {number, 0};
    switch ((enum cel_kind)key.kind) {
    case CEL_BOOL:
        text = key.i != 0 ? STR("true") : STR("false");
        break;
    case CEL_INT:
        text.len = (size_t)snprintf(number, sizeof number, "%lld", (long long)key.i);
        break;
    case CEL_UINT:
        text.len = (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)key.u);
        break;
    default: // no other kind can be a key
        text = cel_str(key);
    }
    json_key_str(j, text);
}

static enum err write_items(struct cel_call *call, struct cel_value of, struct json *j, struct error *e)
{
    bool is_map = of.kind == CEL_MAP;
    enum err err = ERR_OK;
    struct cel_walk walk = cel_walk(of);
    struct cel_value key;
    struct cel_value value;
    if (j->depth == JSON_WRITE_DEPTH_MAX) {
        return FAIL(e, ERR_INVALID_RECORD, "it is nested more than %d levels deep", JSON_WRITE_DEPTH_MAX);
    }
    is_map ? json_object_begin(j) : json_array_begin(j);
    while (err == ERR_OK && cel_walk_next(call, &walk, &key, &value)) {
        if (is_map) {
            write_key(key, j);
        }
        err = write_value(call, value, j, e);
    }
    is_map ? json_object_end(j) : json_array_end(j);
    return err;
}

static void write_time(struct cel_value value, struct json *j)
{
    char text[TIME_TEXT_SIZE];
    size_t len =
        value.kind == CEL_TIMESTAMP ? time_print_timestamp(value, text) : time_print_duration(value, text);
    json_str(j, (struct str){text, len});
}

static enum err write_value(struct cel_call *call, struct cel_value value, struct json *j, struct error *e)
{
    switch ((enum cel_kind)value.kind) {
    case CEL_NULL:
        json_null(j);
        return ERR_OK;
    case CEL_BOOL:
        json_bool(j, value.i != 0);
        return ERR_OK;
    case CEL_INT:
        json_i64(j, value.i);
        return ERR_OK;
    case CEL_UINT:
        json_u64(j, value.u);
        return ERR_OK;
    case CEL_DOUBLE:
        if (!isfinite(value.d)) {
            break;
        }
        json_f64(j, value.d);
        return ERR_OK;
    case CEL_STRING:
        json_str(j, cel_str(value));
        return ERR_OK;
    case CEL_TIMESTAMP:
    case CEL_DURATION:
        write_time(value, j);
        return ERR_OK;
    case CEL_LIST:
    case CEL_MAP:
        return write_items(call, value, j, e);
    default:
        break;
    }
    return FAIL(e, ERR_INVALID_RECORD, "JSON has no word for %s of type " STR_FMT,
                value.kind == CEL_DOUBLE ? "that number" : "a value", STR_ARG(cel_type_name(value)));
}

enum err cel_value_json(struct cel_value value, struct arena *arena, struct buf *out, struct error *e)
{
    static const struct cel_program plain;
    struct cel_call call = {.arena = arena, .steps = JSON_STEPS, .program = &plain};
    struct json j = {.out = out};
    enum err err = write_value(&call, value, &j, e);
    return err == ERR_OK && (out->failed || arena->failed || call.is_over)
               ? FAIL(e, ERR_NO_MEMORY, "the value is too large")
               : err;
}
