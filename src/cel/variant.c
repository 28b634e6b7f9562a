// SPDX-License-Identifier: Apache-2.0
// variant.c - the Variant encoding, read in place: every length and offset is checked when it is used.
#include "cel/variant.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cel/library.h"
#include "cel/time_private.h"

enum { BASIC_PRIMITIVE, BASIC_SHORT_STRING, BASIC_OBJECT, BASIC_ARRAY };
enum { METADATA_VERSION = 1, DAY_SECONDS = 86400, MICROS_PER_SECOND = 1000000, UUID_BYTES = 16 };

// The primitive types by their number, with the bytes that follow the first one; strings and binaries have a
// length.
static const struct {
    enum variant_type type;
    uint8_t size;
} primitives[] = {
    {VARIANT_NULL, 0},          {VARIANT_BOOL, 0},
    {VARIANT_BOOL, 0},          {VARIANT_INT, 1},
    {VARIANT_INT, 2},           {VARIANT_INT, 4},
    {VARIANT_INT, 8},           {VARIANT_DOUBLE, 8},
    {VARIANT_DECIMAL, 5},       {VARIANT_DECIMAL, 9},
    {VARIANT_DECIMAL, 17},      {VARIANT_DATE, 4},
    {VARIANT_TIMESTAMP, 8},     {VARIANT_LOCAL_TIMESTAMP, 8},
    {VARIANT_FLOAT, 4},         {VARIANT_BYTES, 4},
    {VARIANT_STRING, 4},        {VARIANT_TIME, 8},
    {VARIANT_TIMESTAMP, 8},     {VARIANT_LOCAL_TIMESTAMP, 8},
    {VARIANT_UUID, UUID_BYTES},
};
enum { PRIMITIVE_TRUE = 1, PRIMITIVE_FIRST_NANOS = 18 };

static uint64_t read_little(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static int64_t read_signed(const uint8_t *at, size_t size)
{
    unsigned shift = (unsigned)(64 - 8 * size);
    return (int64_t)(read_little(at, size) << shift) >> shift;
}

// ---- types

static bool is_integer(struct str number)
{
    for (size_t i = 0; i < number.len; i++) {
        if (strchr(".eE", number.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static enum variant_type json_type_of(const struct json_value *json)
{
    int64_t number;
    switch (json->type) {
    case JSON_NULL:
        return VARIANT_NULL;
    case JSON_FALSE:
    case JSON_TRUE:
        return VARIANT_BOOL;
    case JSON_STRING:
        return VARIANT_STRING;
    case JSON_ARRAY:
        return VARIANT_ARRAY;
    case JSON_OBJECT:
        return VARIANT_OBJECT;
    default:
        break;
    }
    if (!is_integer(json->text)) {
        return VARIANT_DOUBLE;
    }
    return str_parse_i64(json->text, &number) ? VARIANT_INT : VARIANT_DECIMAL;
}

enum variant_type variant_type(const struct variant *variant)
{
    if (variant->json != NULL) {
        return json_type_of(variant->json);
    }
    if (variant->value.len == 0 || variant->metadata.len == 0 ||
        (variant->metadata.ptr[0] & 0x0f) != METADATA_VERSION) {
        return VARIANT_BROKEN;
    }
    unsigned number = variant->value.ptr[0] >> 2;
    switch (variant->value.ptr[0] & 3) {
    case BASIC_SHORT_STRING:
        return VARIANT_STRING;
    case BASIC_OBJECT:
        return VARIANT_OBJECT;
    case BASIC_ARRAY:
        return VARIANT_ARRAY;
    default:
        return number < sizeof primitives / sizeof *primitives ? primitives[number].type : VARIANT_BROKEN;
    }
}

// ---- scalars

static void set_json_scalar(const struct json_value *json, struct variant_scalar *ret)
{
    ret->raw = bytes_of(json->text.ptr, json->text.len);
    ret->is_text = true;
    ret->number = json->type == JSON_TRUE;
    if (ret->type == VARIANT_INT) {
        str_parse_i64(json->text, &ret->number);
    } else if (ret->type == VARIANT_DOUBLE) {
        ret->real = json_value_f64(json);
    }
}

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void set_time(int64_t value, int64_t per_second, struct variant_scalar *ret)
{
    ret->number = floor_divide(value, per_second);
    ret->nanos = (uint32_t)((value - ret->number * per_second) * (CEL_NANOS_PER_SECOND / per_second));
}

static void set_real(const uint8_t *at, struct variant_scalar *ret)
{
    float small = 0;
    if (ret->type == VARIANT_FLOAT) {
        memcpy(&small, at, sizeof small);
        ret->real = (double)small;
    } else {
        memcpy(&ret->real, at, sizeof ret->real);
    }
}

static bool set_sized(struct bytes rest, struct variant_scalar *ret)
{
    uint64_t len = read_little(rest.ptr, 4);
    if (len > rest.len - 4) {
        return false;
    }
    ret->raw = bytes_of(rest.ptr + 4, (size_t)len);
    return ret->type != VARIANT_STRING ||
           utf8_is_valid((struct str){(const char *)ret->raw.ptr, ret->raw.len});
}

static bool set_primitive(unsigned number, struct bytes rest, struct variant_scalar *ret)
{
    size_t size = primitives[number].size;
    if (rest.len < size) {
        return false;
    }
    switch (ret->type) {
    case VARIANT_BOOL:
        ret->number = number == PRIMITIVE_TRUE;
        return true;
    case VARIANT_DOUBLE:
    case VARIANT_FLOAT:
        set_real(rest.ptr, ret);
        return true;
    case VARIANT_DECIMAL:
        ret->scale = rest.ptr[0];
        ret->raw = bytes_of(rest.ptr + 1, size - 1);
        return true;
    case VARIANT_STRING:
    case VARIANT_BYTES:
        return set_sized(rest, ret);
    case VARIANT_UUID:
        ret->raw = bytes_of(rest.ptr, size);
        return true;
    case VARIANT_TIMESTAMP:
    case VARIANT_LOCAL_TIMESTAMP:
        set_time(read_signed(rest.ptr, size),
                 number >= PRIMITIVE_FIRST_NANOS ? CEL_NANOS_PER_SECOND : MICROS_PER_SECOND, ret);
        return true;
    default:
        ret->number = size == 0 ? 0 : read_signed(rest.ptr, size);
        return true;
    }
}

bool variant_scalar(const struct variant *variant, struct variant_scalar *ret)
{
    *ret = (struct variant_scalar){.type = variant_type(variant)};
    if (ret->type == VARIANT_BROKEN || ret->type == VARIANT_OBJECT || ret->type == VARIANT_ARRAY) {
        return false;
    }
    if (variant->json != NULL) {
        set_json_scalar(variant->json, ret);
        return true;
    }
    unsigned number = variant->value.ptr[0] >> 2;
    struct bytes rest = bytes_of(variant->value.ptr + 1, variant->value.len - 1);
    if ((variant->value.ptr[0] & 3) == BASIC_SHORT_STRING) {
        ret->raw = bytes_of(rest.ptr, number);
        return number <= rest.len && utf8_is_valid((struct str){(const char *)rest.ptr, number});
    }
    return set_primitive(number, rest, ret);
}

bool variant_decimal(struct cel_call *call, const struct variant_scalar *scalar, struct decimal *ret)
{
    uint8_t bytes[UUID_BYTES];
    if (scalar->is_text) {
        return cel_decimal_parse(call, (struct str){(const char *)scalar->raw.ptr, scalar->raw.len}, ret);
    }
    for (size_t i = 0; i < scalar->raw.len; i++) { // the most significant one first
        bytes[scalar->raw.len - 1 - i] = scalar->raw.ptr[i];
    }
    return cel_decimal_from_bytes(call, bytes_of(bytes, scalar->raw.len), scalar->scale, ret);
}

// ---- objects and arrays

struct container {
    size_t count;
    unsigned id_size; // of an array 0
    unsigned offset_size;
    const uint8_t *ids;
    const uint8_t *offsets;
    struct bytes data;
};

static bool container_of(const struct variant *v, struct container *ret)
{
    unsigned header = v->value.ptr[0] >> 2;
    bool is_object = (v->value.ptr[0] & 3) == BASIC_OBJECT;
    bool is_large = (header >> (is_object ? 4 : 2) & 1) != 0;
    size_t count_size = is_large ? 4 : 1;
    if (v->value.len < 1 + count_size) {
        return false;
    }
    ret->count = read_little(v->value.ptr + 1, count_size);
    ret->id_size = is_object ? (header >> 2 & 3) + 1 : 0;
    ret->offset_size = (header & 3) + 1;
    size_t left = v->value.len - 1 - count_size;
    size_t tables = ret->count * ret->id_size + (ret->count + 1) * ret->offset_size;
    if (ret->count > VARIANT_FIELDS_MAX || tables > left) {
        return false;
    }
    ret->ids = v->value.ptr + 1 + count_size;
    ret->offsets = ret->ids + ret->count * ret->id_size;
    ret->data = bytes_of(ret->ids + tables, left - tables);
    return true;
}

static bool inner_value(const struct variant *v, const struct container *c, size_t index, struct variant *ret)
{
    uint64_t offset = read_little(c->offsets + index * c->offset_size, c->offset_size);
    if (offset >= c->data.len) {
        return false;
    }
    *ret = (struct variant){.metadata = v->metadata,
                            .value = bytes_slice(c->data, offset, c->data.len - offset)};
    return true;
}

// The name with a number in the metadata's dictionary; NULL ptr: there is none.
static struct str name_of(struct bytes metadata, uint64_t id)
{
    struct str none = {NULL, 0};
    size_t size = (size_t)(metadata.ptr[0] >> 6) + 1;
    if (metadata.len < 1 + size) {
        return none;
    }
    uint64_t count = read_little(metadata.ptr + 1, size);
    if (count >= metadata.len || id >= count || 1 + size + (count + 1) * size > metadata.len) {
        return none;
    }
    const uint8_t *offsets = metadata.ptr + 1 + size;
    struct bytes names =
        bytes_slice(metadata, 1 + size + (count + 1) * size, metadata.len - 1 - size - (count + 1) * size);
    uint64_t from = read_little(offsets + id * size, size);
    uint64_t to = read_little(offsets + (id + 1) * size, size);
    if (from > to || to > names.len) {
        return none;
    }
    return (struct str){(const char *)names.ptr + from, to - from};
}

bool variant_count(const struct variant *variant, size_t *ret)
{
    enum variant_type type = variant_type(variant);
    struct container c;
    if (type != VARIANT_OBJECT && type != VARIANT_ARRAY) {
        return false;
    }
    if (variant->json != NULL) {
        *ret = variant->json->count;
        return true;
    }
    bool is_whole = container_of(variant, &c);
    *ret = is_whole ? c.count : 0;
    return is_whole;
}

bool variant_field(const struct variant *object, struct str name, struct variant *ret)
{
    struct container c;
    if (variant_type(object) != VARIANT_OBJECT) {
        return false;
    }
    if (object->json != NULL) {
        *ret = (struct variant){.json = json_get(object->json, name)};
        return ret->json != NULL;
    }
    for (size_t i = 0; container_of(object, &c) && i < c.count; i++) {
        struct str found = name_of(object->metadata, read_little(c.ids + i * c.id_size, c.id_size));
        if (found.ptr != NULL && str_equal(found, name)) {
            return inner_value(object, &c, i, ret);
        }
    }
    return false;
}

bool variant_item(const struct variant *array, size_t index, struct variant *ret)
{
    struct container c;
    if (variant_type(array) != VARIANT_ARRAY) {
        return false;
    }
    if (array->json == NULL) {
        return container_of(array, &c) && index < c.count && inner_value(array, &c, index, ret);
    }
    const struct json_value *item = array->json->first;
    while (item != NULL && index > 0) {
        item = item->next;
        index--;
    }
    *ret = (struct variant){.json = item};
    return item != NULL;
}

// ---- as JSON

static void print_text(struct str s, struct cel_text *out)
{
    static const char letters[] = "btnvfr"; // of the characters 8 to 13; 11 has none
    cel_text_char(out, '"');
    for (size_t i = 0; i < s.len && !out->call->is_over; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 8 && c <= 13 && c != 11) {
            cel_text_char(out, '\\');
            cel_text_char(out, letters[c - 8]);
        } else if (c < 0x20) {
            cel_text_printf(out, "\\u%04X", c);
        } else {
            if (c == '"' || c == '\\') {
                cel_text_char(out, '\\');
            }
            cel_text_char(out, s.ptr[i]);
        }
    }
    cel_text_char(out, '"');
}

// The shortest digits that mean the number, laid out as Double.toString does: 0.001, 1234.5, 1.0E7.
static void print_real(double value, bool is_float, struct cel_text *out)
{
    char text[40];
    if (!isfinite(value) || value == 0) {
        const char *zero = signbit(value) ? "-0.0" : "0.0";
        const char *infinity = value > 0 ? "Infinity" : "-Infinity";
        cel_text_append(out, str_from_c(value == 0 ? zero : isnan(value) ? "NaN" : infinity));
        return;
    }
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(value));
        if (is_float ? strtof(text, NULL) == (float)fabs(value) : strtod(text, NULL) == fabs(value)) {
            break;
        }
    }
    char *mark = strchr(text, 'e');
    int exponent = (int)strtol(mark + 1, NULL, 10);
    int count = 1;
    for (char *at = text + 2; at < mark; at++) { // d.ddd as digits alone
        text[count++] = *at;
    }
    cel_text_append(out, value < 0 ? STR("-") : STR(""));
    if (exponent < -3 || exponent > 6) {
        cel_text_printf(out, "%c.%.*sE%d", text[0], count > 1 ? count - 1 : 1, count > 1 ? text + 1 : "0",
                        exponent);
    } else if (exponent < 0) {
        cel_text_printf(out, "0.%.*s%.*s", -exponent - 1, "000", count, text);
    } else if (count > exponent + 1) {
        cel_text_printf(out, "%.*s.%.*s", exponent + 1, text, count - exponent - 1, text + exponent + 1);
    } else {
        cel_text_printf(out, "%.*s%.*s.0", count, text, exponent + 1 - count, "000000");
    }
}

static bool print_moment(const struct variant_scalar *scalar, struct cel_text *out)
{
    char text[TIME_TEXT_SIZE];
    if (scalar->number < CEL_TIMESTAMP_MIN || scalar->number > CEL_TIMESTAMP_MAX) {
        return false;
    }
    size_t len = time_print_timestamp(cel_timestamp(scalar->number, scalar->nanos), text);
    len -= scalar->type == VARIANT_LOCAL_TIMESTAMP; // without the Z
    cel_text_char(out, '"');
    cel_text_append(out, (struct str){text, len});
    cel_text_char(out, '"');
    return true;
}

static bool print_date(int64_t days, struct cel_text *out)
{
    if (days < CEL_TIMESTAMP_MIN / DAY_SECONDS || days > CEL_TIMESTAMP_MAX / DAY_SECONDS) {
        return false;
    }
    struct calendar c = time_calendar(days * DAY_SECONDS);
    cel_text_printf(out, "\"%04d-%02d-%02d\"", (int)c.year, c.month, c.day);
    return true;
}

// The moment of 1970-01-01 that has this time, without its date.
static bool print_time_of_day(int64_t micros, struct cel_text *out)
{
    enum { DATE_LEN = sizeof "1970-01-01T" - 1 };
    char text[TIME_TEXT_SIZE];
    if (micros < 0 || micros >= (int64_t)DAY_SECONDS * MICROS_PER_SECOND) {
        return false;
    }
    struct cel_value moment =
        cel_timestamp(micros / MICROS_PER_SECOND, (uint32_t)(micros % MICROS_PER_SECOND * 1000));
    size_t len = time_print_timestamp(moment, text);
    cel_text_char(out, '"');
    cel_text_append(out, (struct str){text + DATE_LEN, len - DATE_LEN - 1});
    cel_text_char(out, '"');
    return true;
}

static void print_uuid(struct bytes raw, struct cel_text *out)
{
    cel_text_char(out, '"');
    for (size_t i = 0; i < raw.len; i++) {
        cel_text_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", raw.ptr[i]);
    }
    cel_text_char(out, '"');
}

static bool print_decimal(const struct variant_scalar *scalar, struct cel_text *out)
{
    struct decimal decimal;
    if (!variant_decimal(out->call, scalar, &decimal)) {
        return false;
    }
    cel_decimal_print(&decimal, out);
    return true;
}

static void print_base64(struct bytes raw, struct cel_text *out)
{
    struct cel_value value = cel_bytes(raw);
    struct cel_value text = cel_base64_encode(out->call, &value);
    cel_text_char(out, '"');
    cel_text_append(out, text.kind == CEL_STRING ? cel_str(text) : STR(""));
    cel_text_char(out, '"');
}

static bool print_scalar(const struct variant *variant, struct cel_text *out)
{
    struct variant_scalar s;
    if (!variant_scalar(variant, &s)) {
        return false;
    }
    switch (s.type) {
    case VARIANT_NULL:
        cel_text_append(out, STR("null"));
        return true;
    case VARIANT_BOOL:
        cel_text_append(out, s.number != 0 ? STR("true") : STR("false"));
        return true;
    case VARIANT_INT:
        cel_text_printf(out, "%lld", (long long)s.number);
        return true;
    case VARIANT_DOUBLE:
    case VARIANT_FLOAT:
        print_real(s.real, s.type == VARIANT_FLOAT, out);
        return true;
    case VARIANT_DECIMAL:
        return print_decimal(&s, out);
    case VARIANT_DATE:
        return print_date(s.number, out);
    case VARIANT_TIME:
        return print_time_of_day(s.number, out);
    case VARIANT_TIMESTAMP:
    case VARIANT_LOCAL_TIMESTAMP:
        return print_moment(&s, out);
    case VARIANT_STRING:
        print_text((struct str){(const char *)s.raw.ptr, s.raw.len}, out);
        return true;
    case VARIANT_BYTES:
        print_base64(s.raw, out);
        return true;
    default:
        print_uuid(s.raw, out);
        return true;
    }
}

static bool print_variant(const struct variant *variant, struct cel_text *out, int depth);

static bool print_json_items(const struct json_value *of, struct cel_text *out, int depth)
{
    bool is_object = of->type == JSON_OBJECT;
    cel_text_char(out, is_object ? '{' : '[');
    for (const struct json_value *v = of->first; v != NULL; v = v->next) {
        struct variant inner = {.json = v};
        cel_text_append(out, v == of->first ? STR("") : STR(","));
        if (is_object) {
            print_text(v->key, out);
            cel_text_char(out, ':');
        }
        if (out->call->is_over || !print_variant(&inner, out, depth + 1)) {
            return false;
        }
    }
    cel_text_char(out, is_object ? '}' : ']');
    return true;
}

static bool print_items(const struct variant *variant, struct cel_text *out, int depth)
{
    struct container c;
    if (!container_of(variant, &c)) {
        return false;
    }
    cel_text_char(out, c.id_size > 0 ? '{' : '[');
    for (size_t i = 0; i < c.count; i++) {
        struct variant inner;
        cel_text_append(out, i == 0 ? STR("") : STR(","));
        if (c.id_size > 0) {
            struct str name = name_of(variant->metadata, read_little(c.ids + i * c.id_size, c.id_size));
            if (name.ptr == NULL || !utf8_is_valid(name)) {
                return false;
            }
            print_text(name, out);
            cel_text_char(out, ':');
        }
        // An offset may be shared, so that a few bytes mean very many values: each is paid for.
        if (!cel_pay(out->call, 1) || !inner_value(variant, &c, i, &inner) ||
            !print_variant(&inner, out, depth + 1)) {
            return false;
        }
    }
    cel_text_char(out, c.id_size > 0 ? '}' : ']');
    return true;
}

static bool print_variant(const struct variant *variant, struct cel_text *out, int depth)
{
    enum variant_type type = variant_type(variant);
    if (type != VARIANT_OBJECT && type != VARIANT_ARRAY) {
        return print_scalar(variant, out);
    }
    if (depth > VARIANT_DEPTH_MAX) {
        return false;
    }
    return variant->json != NULL ? print_json_items(variant->json, out, depth)
                                 : print_items(variant, out, depth);
}

bool variant_print(const struct variant *variant, struct cel_text *out)
{
    return print_variant(variant, out, 0);
}
