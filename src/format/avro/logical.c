// SPDX-License-Identifier: Apache-2.0
// logical.c - logical types (specification 1.12): which there are, and which types they may stand on. One
// that does not fit is ignored, and the type is what it is underneath.
#include "format/avro/avro_private.h"

static const struct {
    const char *name;
    uint32_t kinds; // bits
} logicals[AVRO_LOGICAL_COUNT] = {
    [AVRO_DECIMAL] = {"decimal", 1 << AVRO_BYTES | 1 << AVRO_FIXED},
    [AVRO_BIG_DECIMAL] = {"big-decimal", 1 << AVRO_BYTES},
    [AVRO_UUID] = {"uuid", 1 << AVRO_STRING | 1 << AVRO_FIXED},
    [AVRO_DATE] = {"date", 1 << AVRO_INT},
    [AVRO_TIME_MILLIS] = {"time-millis", 1 << AVRO_INT},
    [AVRO_TIME_MICROS] = {"time-micros", 1 << AVRO_LONG},
    [AVRO_TIMESTAMP_MILLIS] = {"timestamp-millis", 1 << AVRO_LONG},
    [AVRO_TIMESTAMP_MICROS] = {"timestamp-micros", 1 << AVRO_LONG},
    [AVRO_TIMESTAMP_NANOS] = {"timestamp-nanos", 1 << AVRO_LONG},
    [AVRO_LOCAL_TIMESTAMP_MILLIS] = {"local-timestamp-millis", 1 << AVRO_LONG},
    [AVRO_LOCAL_TIMESTAMP_MICROS] = {"local-timestamp-micros", 1 << AVRO_LONG},
    [AVRO_LOCAL_TIMESTAMP_NANOS] = {"local-timestamp-nanos", 1 << AVRO_LONG},
    [AVRO_DURATION] = {"duration", 1 << AVRO_FIXED},
};

enum { UUID_BYTES = 16, DURATION_BYTES = 12 };

const char *avro_logical_name(enum avro_logical logical)
{
    return logicals[logical].name;
}

static enum avro_logical logical_find(struct str name)
{
    for (int i = AVRO_PLAIN + 1; i < AVRO_LOGICAL_COUNT; i++) {
        if (str_equal(name, str_from_c(logicals[i].name))) {
            return (enum avro_logical)i;
        }
    }
    return AVRO_PLAIN;
}

// Of a fixed: floor(log10(2) * (8 * size - 1)).
static int64_t digits_max(const struct avro_type *type)
{
    return type->kind == AVRO_FIXED ? (int64_t)(0.30102999566398120 * (8.0 * type->size - 1)) : INT32_MAX;
}

static bool read_decimal(struct avro_type *type, const struct json_value *text)
{
    const struct json_value *scale_text = json_get(text, STR("scale"));
    int64_t precision;
    int64_t scale = 0;
    const struct json_value *precision_text = json_get(text, STR("precision"));
    if (precision_text == NULL || !str_parse_i64(precision_text->text, &precision)) {
        return false;
    }
    if (scale_text != NULL && (scale_text->type != JSON_NUMBER || !str_parse_i64(scale_text->text, &scale))) {
        return false;
    }
    if (precision_text->type != JSON_NUMBER || precision < 1 || precision > digits_max(type) || scale < 0 ||
        scale > precision) {
        return false;
    }
    type->precision = (int32_t)precision;
    type->scale = (int32_t)scale;
    return true;
}

void avro_read_logical(struct avro_type *type, const struct json_value *text)
{
    struct str name = json_get_str(text, STR("logicalType"));
    enum avro_logical logical = name.ptr == NULL ? AVRO_PLAIN : logical_find(name);
    if (logical == AVRO_PLAIN || (logicals[logical].kinds >> type->kind & 1) == 0) {
        return;
    }
    bool is_fixed = type->kind == AVRO_FIXED;
    if ((logical == AVRO_UUID && is_fixed && type->size != UUID_BYTES) ||
        (logical == AVRO_DURATION && type->size != DURATION_BYTES) ||
        (logical == AVRO_DECIMAL && !read_decimal(type, text))) {
        return;
    }
    type->logical = logical;
}
