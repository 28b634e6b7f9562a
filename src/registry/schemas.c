// SPDX-License-Identifier: Apache-2.0
// schemas.c - /schemas: by id, by GUID, all of them.
#include "registry/registry_private.h"

void op_types(struct registry *r, struct registry_call *call)
{
    (void)r;
    struct json j = call_answer(call);
    json_array_begin(&j);
    json_str(&j, STR("JSON"));
    json_str(&j, STR("PROTOBUF"));
    json_str(&j, STR("AVRO"));
    json_array_end(&j);
}
