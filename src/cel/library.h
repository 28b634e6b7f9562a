// SPDX-License-Identifier: Apache-2.0
// library.h - the libraries that functions.c lists.
#ifndef CEL_LIBRARY_H
#define CEL_LIBRARY_H

#include "cel/cel_private.h"

extern const struct cel_library cel_strings_library;   // charAt, format, ...
extern const struct cel_library cel_math_library;      // math.*
extern const struct cel_library cel_encoders_library;  // base64.*
extern const struct cel_library cel_sets_library;      // sets.*
extern const struct cel_library cel_optional_library;  // optional.*, and what optionals can do
extern const struct cel_library cel_validate_library;  // isEmail, isUri, ...
extern const struct cel_library cel_decimal_library;   // decimal(x), decimals.*
extern const struct cel_library cel_timestamp_library; // timestamp.of
extern const struct cel_library cel_variant_library;   // variant(x), variants.*

// "...".format([...]), in format.c
struct cel_value cel_format(struct cel_call *call, const struct cel_value *args);
// base64.encode, in lib_encoders.c
struct cel_value cel_base64_encode(struct cel_call *call, const struct cel_value *args);

#endif
