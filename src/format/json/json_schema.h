// SPDX-License-Identifier: Apache-2.0
// json_schema.h - what JSON Schema has beside the face of all formats. Pure.
#ifndef FORMAT_JSON_JSON_SCHEMA_H
#define FORMAT_JSON_JSON_SCHEMA_H

#include "format/program.h"

// jschema_judges_alike tells whether the pass that is fast and the one that explains come to the same
// verdict: for tests. *ret_is_fast (may be NULL): the fast one came to one.
bool jschema_judges_alike(const struct program *program, struct bytes payload, bool *ret_is_fast);

#endif
