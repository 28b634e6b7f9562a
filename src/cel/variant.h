// SPDX-License-Identifier: Apache-2.0
// variant.h - values that carry their own schema: Spark's and Parquet's Variant encoding (parquet-format,
// VariantEncoding.md), or a JSON document. Read where they lie; any bytes are taken, malformed ones are found
// when they are read.
#ifndef CEL_VARIANT_H
#define CEL_VARIANT_H

#include "cel/decimal.h"
#include "json/tree.h"

enum {
    VARIANT_DEPTH_MAX = 128,
    VARIANT_FIELDS_MAX = 1 << 20,
};

enum variant_type {
    VARIANT_BROKEN,
    VARIANT_NULL,
    VARIANT_BOOL,
    VARIANT_INT,
    VARIANT_DOUBLE,
    VARIANT_FLOAT,
    VARIANT_DECIMAL,
    VARIANT_DATE,
    VARIANT_TIME,
    VARIANT_TIMESTAMP,
    VARIANT_LOCAL_TIMESTAMP,
    VARIANT_STRING,
    VARIANT_BYTES,
    VARIANT_UUID,
    VARIANT_OBJECT,
    VARIANT_ARRAY,
};

// By value; borrows what it points to.
struct variant {
    const struct json_value *json; // NULL: encoded
    struct bytes metadata;
    struct bytes value; // may be followed by more
};

// One that is no object or array.
struct variant_scalar {
    enum variant_type type;
    int64_t number;   // BOOL, INT; DATE: days; TIME: microseconds; timestamps: seconds, rounded down
    uint32_t nanos;   // of timestamps
    double real;      // DOUBLE, FLOAT
    struct bytes raw; // STRING, BYTES, UUID; DECIMAL: its digits, or a two's complement, the least byte first
    bool is_text;     // DECIMAL: digits
    uint8_t scale;    // DECIMAL that is no text
};

enum variant_type variant_type(const struct variant *variant);
// variant_scalar: false if it is an object, an array, or broken.
bool variant_scalar(const struct variant *variant, struct variant_scalar *ret);
// variant_count: of fields or items; false: it has none, or is broken.
bool variant_count(const struct variant *variant, size_t *ret);
// variant_field finds a field by name, variant_item an item by index; false: there is none.
bool variant_field(const struct variant *object, struct str name, struct variant *ret);
bool variant_item(const struct variant *array, size_t index, struct variant *ret);
// variant_decimal makes a number of a DECIMAL.
bool variant_decimal(struct cel_call *call, const struct variant_scalar *scalar, struct decimal *ret);
// variant_print appends the value as JSON; false if it is broken or too deeply nested.
bool variant_print(const struct variant *variant, struct cel_text *out);

#endif
