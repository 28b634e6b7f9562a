// SPDX-License-Identifier: Apache-2.0
// regex.h - regular expressions whose cost is bounded, whoever wrote the pattern and the text. A pattern
// without lookaround and back references runs in time linear in the text: as a table of states where it is
// small enough, else as a set of places. One with them is searched by steps that are counted. Pure; immutable
// and shared between threads.
#ifndef REGEX_REGEX_H
#define REGEX_REGEX_H

#include "base/bytes.h"
#include "base/error.h"

enum {
    REGEX_PATTERN_BYTES_MAX = 1 << 14,
    REGEX_DEPTH_MAX = 128,       // of nested groups
    REGEX_REPEAT_MAX = 1 << 15,  // {n,m}
    REGEX_PLACES_MAX = 1 << 16,  // instructions, repeats unrolled
    REGEX_CLASSES_MAX = 1 << 11, // different sets of characters
    REGEX_GROUPS_MAX = 256,
    REGEX_WORK_MAX = 1 << 20, // steps of compiling one: some ten milliseconds
};

enum regex_syntax {
    REGEX_ECMA, // ECMA-262 with the flag `u`, and its Annex B where that is no contradiction: JSON Schema
    REGEX_RE2,  // RE2's syntax, without lookaround and back references: CEL
};

struct regex;

// regex_create compiles. ERR_INVALID_REQUEST: no such expression, or over a limit above, with the character's
// place.
enum err regex_create(struct str pattern, enum regex_syntax syntax, struct regex **ret, struct error *e);
void regex_destroy(struct regex *take_regex); // NULL is a no-op
size_t regex_memory(const struct regex *regex);
uint64_t regex_work(const struct regex *regex); // steps that compiling it took

// regex_check only tells whether there is such an expression, and takes the steps from *budget.
enum err regex_check(struct str pattern, enum regex_syntax syntax, int64_t *budget, struct error *e);

enum regex_result {
    REGEX_NO,
    REGEX_YES,
    REGEX_GIVEN_UP, // the budget ran out
};

enum { REGEX_BUDGET = 1 << 21 }; // steps: milliseconds

// regex_search tells whether the expression matches anywhere in the text, which is valid UTF-8. *budget (may
// be NULL: REGEX_BUDGET) is what is left for this and later searches, and may end below 0; a table of states
// takes a step for sixteen bytes of the text.
enum regex_result regex_search(const struct regex *regex, struct str text, int64_t *budget);

#endif
