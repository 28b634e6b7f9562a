// SPDX-License-Identifier: Apache-2.0
// print.c - the forms of a JSON Schema's text: members as written or sorted, without white space.
#include "format/json/schema_private.h"

enum err jschema_print(const struct schema *schema, enum schema_form form, struct buf *out, struct error *e)
{
    (void)e;
    json_print(((const struct jschema *)schema)->root, form == SCHEMA_NORMAL, out);
    return ERR_OK;
}
