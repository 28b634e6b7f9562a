// SPDX-License-Identifier: Apache-2.0
// schema.h - what the verbs of `strom schema` share: a registry to ask, and how its answers are read.
#ifndef CLI_SCHEMA_H
#define CLI_SCHEMA_H

#include "cli/cli_private.h"
#include "cli/web.h"
#include "json/tree.h"

enum { SCHEMA_FILE_BYTES_MAX = 1 << 20 };

// One verb's registry. Zeroed is ready.
struct registry_client {
    struct run *run;
    struct web *web;
    bool is_other; // not the one that --registry names
};

#define SCHEMA_REGISTRY_FLAG                                                                                 \
    {                                                                                                        \
        "registry", ARGS_TEXT, "URL", NULL, 0, 0,                                                            \
            "The registry to ask; default $STROM_REGISTRY, else http://127.0.0.1:8081."                      \
    }

// registry_open: false after saying why not. registry_close also after that.
bool registry_open(struct run *run, struct registry_client *ret);
bool registry_open_url(struct run *run, struct str url, struct registry_client *ret);
void registry_close(struct registry_client *c);

// registry_ask makes a call; the answer is parsed. *ret_status may say an error: registry_said tells a person
// of it. false after saying that nothing (or no JSON) came.
bool registry_ask(struct registry_client *c, const char *method, struct str path, struct str body,
                  int *ret_status, struct json_value **ret);
// registry_get is registry_ask for answers that must be good: else it says what is wrong and is false.
bool registry_get(struct registry_client *c, const char *what, const char *method, struct str path,
                  struct str body, struct json_value **ret);
void registry_said(struct registry_client *c, const char *what, int status, const struct json_value *answer);

// path_of makes a path: each %S takes a struct str, percent-encoded; %d and %s as printf's.
struct str path_of(struct run *run, const char *format, ...);

// schema_body builds the body of a registration from --type, --reference and a file; false after saying why
// not.
bool schema_body(struct run *run, struct str file, struct str *ret);
#define SCHEMA_BODY_FLAGS                                                                                    \
    {"type",                                                                                                 \
     ARGS_CHOICE,                                                                                            \
     "avro|json|protobuf",                                                                                   \
     NULL,                                                                                                   \
     0,                                                                                                      \
     0,                                                                                                      \
     "What the file holds; default by its ending: .avsc and .avro, .json, .proto."},                         \
        {"reference",                                                                                        \
         ARGS_LIST,                                                                                          \
         "NAME=SUBJECT:VERSION",                                                                             \
         NULL,                                                                                               \
         0,                                                                                                  \
         0,                                                                                                  \
         "A schema that this one refers to: an Avro full name, a JSON $ref, a Protobuf import."},            \
    {                                                                                                        \
        "normalize", ARGS_SWITCH, NULL, NULL, 0, 0, "Schemas that mean the same count as the same."          \
    }

// schema_text is the text of a schema that the registry told of, laid out for reading if it is JSON; it ends
// with a line feed.
struct str schema_text(struct run *run, const struct json_value *found);

// schema_fetch makes the schema of a version, with all that it refers to; schema_of that of what the registry
// told of it, or of the body of a registration. NULL after saying why not.
struct schema;
struct schema *schema_fetch(struct registry_client *c, struct str subject, struct str version);
struct schema *schema_of(struct registry_client *c, const struct json_value *found);

// An answer to a question of compatibility, asked verbosely.
bool verdict_is_good(const struct json_value *verdict);
// verdict_explain tells why, and ends with a line that says whether. version may be empty.
void verdict_explain(const struct json_value *verdict, struct str file, struct str subject,
                     struct str version, struct buf *out);

// FILE may be - for standard input.
static inline bool is_stdin(struct str file)
{
    return str_equal(file, STR("-"));
}
static inline struct str file_shown(struct str file)
{
    return is_stdin(file) ? STR("<stdin>") : file;
}

// json_text prints a value as text, with two spaces for each level if is_pretty.
struct str json_text(struct run *run, const struct json_value *value, bool is_pretty);

extern const struct cli_command schema_register_command;
extern const struct cli_command schema_check_command;
extern const struct cli_command schema_config_command;
extern const struct cli_command schema_diff_command;
extern const struct cli_command schema_import_command;
extern const struct cli_command schema_validate_command;
extern const struct cli_command schema_infer_command;
extern const struct cli_command schema_mode_command;

#endif
