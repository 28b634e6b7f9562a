// SPDX-License-Identifier: Apache-2.0
// contract_formats.h - a governed topic in the words of others: the Open Data Contract Standard 3.1
// (bitol.io) and AsyncAPI 3.1. Pure but for the arena.
#ifndef CLI_CONTRACT_FORMATS_H
#define CLI_CONTRACT_FORMATS_H

#include "format/program.h"
#include "json/tree.h"

// json_with adds a member of a type to an object and returns it; json_put_text one that is a string,
// json_put_copy a copy of a value (NULL: nothing).
struct json_value *json_with(struct arena *arena, struct json_value *parent, const char *key,
                             enum json_type type);
void json_put_text(struct arena *arena, struct json_value *parent, const char *key, struct str text);
void json_put_copy(struct arena *arena, struct json_value *parent, const char *key,
                   const struct json_value *value);

// What an export knows. `contract` is the file of `strom contract get`.
struct contract_export {
    struct arena *arena;
    const struct json_value *contract;
    struct str server;             // "127.0.0.1:9092"
    struct str registry;           // its URL
    const struct program *program; // of the values; NULL = none, and no fields are told
};
struct json_value *odcs_export(const struct contract_export *x);
struct json_value *asyncapi_export(const struct contract_export *x);

// odcs_import makes a contract file of a document. What Strom exported comes back whole; of others the
// properties become a JSON Schema, and quality checks of engine "strom" or "cel" become rules.
// ERR_INVALID_REQUEST: e says what is missing. *ret_skipped counts quality checks that only others can run.
enum err odcs_import(const struct json_value *document, struct arena *arena, struct json_value **ret,
                     int *ret_skipped, struct error *e);

#endif
