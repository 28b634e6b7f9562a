// SPDX-License-Identifier: Apache-2.0
// resolve_private.h - the tables behind a parsed schema.
#ifndef FORMAT_JSON_RESOLVE_PRIVATE_H
#define FORMAT_JSON_RESOLVE_PRIVATE_H

#include "format/json/schema_private.h"

struct place_entry {
    struct map_node node;
    struct jschema_place place;
    struct place_entry *next; // in the order of the walk
};
struct place_entry *place_find(const struct jschema *schema, const struct json_value *value);
void place_insert(struct jschema *schema, struct place_entry *entry);

uint64_t uri_hash(const struct jschema *schema, struct str uri);
struct jschema_resource *resource_find(const struct jschema *schema, struct str uri);
uint64_t anchor_hash(const struct jschema_resource *resource, struct str name);
struct jschema_anchor *anchor_find(const struct jschema_resource *resource, struct str name);

#endif
