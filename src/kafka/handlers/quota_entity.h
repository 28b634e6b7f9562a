// SPDX-License-Identifier: Apache-2.0
// quota_entity.h - what quotas are given to, as Kafka spells it.
#ifndef KAFKA_HANDLERS_QUOTA_ENTITY_H
#define KAFKA_HANDLERS_QUOTA_ENTITY_H

#include "core/item.h"

enum { QUOTA_ENTITY_PARTS_MAX = 3 };

static const char *const quota_entity_names[QUOTA_ENTITY_PARTS_MAX] = {"user", "client-id", "ip"}; // by type

// quota_entity_type: false if there is no such type.
static inline bool quota_entity_type(struct str name, enum quota_part_type *ret)
{
    for (int type = 0; type < QUOTA_ENTITY_PARTS_MAX; type++) {
        if (str_equal(name, str_from_c(quota_entity_names[type]))) {
            *ret = (enum quota_part_type)type;
            return true;
        }
    }
    return false;
}

#endif
