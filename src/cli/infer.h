// SPDX-License-Identifier: Apache-2.0
// infer.h - a first draft of a schema from real records: which fields there are, of which types, always or
// not. Pure.
#ifndef CLI_INFER_H
#define CLI_INFER_H

#include "base/arena.h"
#include "base/buf.h"
#include "json/tree.h"

enum { INFER_DEPTH_MAX = 64, INFER_FIELDS_MAX = 10000 };

struct shape;

// infer_new begins without any record; everything lives in the arena.
struct shape *infer_new(struct arena *arena);
// infer_record adds a record. false: deeper or with more different fields than the limits.
bool infer_record(struct shape *shape, const struct json_value *record);

// infer_json_schema prints a JSON Schema (draft 7): what was in every record is required; other fields are
// allowed.
void infer_json_schema(const struct shape *shape, struct str title, struct buf *out);
// infer_avro prints an Avro schema. false with the path in *ret_path (in the arena): something that Avro has
// no type for, as a field of two types or with a name that Avro does not take.
bool infer_avro(const struct shape *shape, struct str name, struct buf *out, struct str *ret_path);

#endif
