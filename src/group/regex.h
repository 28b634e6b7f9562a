// SPDX-License-Identifier: Apache-2.0
// regex.h - regular expressions for topic names, in the syntax of RE2 as far as names need it, in linear
// time: a bounded program that walks all its states at once (Thompson). Bytes, not characters: topic names
// are ASCII.
#ifndef GROUP_REGEX_H
#define GROUP_REGEX_H

#include "base/bytes.h"

struct regex;

// regex_compile gives NULL and says why in RE2's words (a static text).
struct regex *regex_compile(struct str pattern, const char **ret_why);
void regex_free(struct regex *take_regex);
uint32_t regex_steps(const struct regex *regex);                // what each byte of a text may cost
bool regex_matches(const struct regex *regex, struct str text); // the whole text

#endif
