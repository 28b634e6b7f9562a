// SPDX-License-Identifier: Apache-2.0
// schema_import.h - what the two files of `strom schema import` share: an import under way.
#ifndef CLI_SCHEMA_IMPORT_H
#define CLI_SCHEMA_IMPORT_H

#include "cli/schema.h"
#include "cli/topic_dump.h"

struct scope {
    struct str context; // ":.name:"; empty = the default one
    struct str before;  // its mode; NULL ptr = none of its own
};

struct import {
    struct run *run;
    struct registry_client from;
    struct registry_client to;
    const struct json_value **schemas; // in the order of their ids, so that what is referred to comes first
    bool *is_deleted;                  // softly, of each of them
    size_t count;
    struct scope *scopes; // each context that has schemas, the default one first
    size_t scope_count;
    size_t copied;
    size_t failed;
};

// import_scope_path: /NOUN, or /NOUN/SCOPE; an empty scope is the registry's own.
struct str import_scope_path(struct import *m, const char *noun, struct str scope);
int import_subject_order(const void *left, const void *right); // of two schemas

// import_settings copies configs, modes and associations from the other registry; import_settings_dumped what
// a dump has of them. What is refused is said, and the others go on.
void import_settings(struct import *m);
void import_settings_dumped(struct import *m, const struct topic_dump *dump);

#endif
