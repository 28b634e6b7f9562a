// SPDX-License-Identifier: Apache-2.0
// standard_private.h - the libraries of the language's own functions.
#ifndef CEL_STANDARD_PRIVATE_H
#define CEL_STANDARD_PRIVATE_H

#include "cel/cel_private.h"

extern const struct cel_library cel_operator_library; // signatures: the machine computes them
extern const struct cel_library cel_convert_library;
extern const struct cel_library cel_text_library; // size, contains, matches, ...

enum { CEL_DOUBLE_TEXT_SIZE = 40 };
// cel_print_double writes the shortest text that reads back as the number, in Java's form: "1.0", "1.0E21".
// Returns its length.
size_t cel_print_double(double number, char ret_text[CEL_DOUBLE_TEXT_SIZE]);

#endif
