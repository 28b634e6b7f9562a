// SPDX-License-Identifier: Apache-2.0
// yaml_text.h - YAML as the values of JSON, and back. The grammar is libyaml's.
#ifndef CLI_YAML_TEXT_H
#define CLI_YAML_TEXT_H

#include "base/buf.h"
#include "json/tree.h"

enum { YAML_DEPTH_MAX = 64, YAML_VALUES_MAX = 100000, YAML_MEMBERS_MAX = 10000 /* of a mapping */ };

// yaml_parse reads one document; JSON is YAML, too. Scalars without quotes are null, booleans and numbers
// where they look like one in JSON (YAML 1.2, core schema), else text. Anchors and aliases are refused.
// ERR_INVALID_REQUEST: no YAML, with its line; ERR_NO_MEMORY: over a limit.
enum err yaml_parse(struct str text, struct arena *arena, struct json_value **ret, struct error *e);
// yaml_print writes a value so that yaml_parse reads the same.
void yaml_print(const struct json_value *value, struct buf *out);

#endif
