// SPDX-License-Identifier: Apache-2.0
// config_resource.h - what DescribeConfigs and the two AlterConfigs call a resource.
#ifndef KAFKA_HANDLERS_CONFIG_RESOURCE_H
#define KAFKA_HANDLERS_CONFIG_RESOURCE_H

#include "kafka/request.h"

enum config_resource_type { // numbers as in Kafka's ConfigResource.Type
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
};

// config_resource_check refuses types and broker names that are not served, in Kafka's words. A broker is
// called by its node id, or "" for the defaults of all brokers; both mean the one set there is.
static inline enum err config_resource_check(struct request *rq, int8_t type, struct str name,
                                             struct error *e)
{
    if (type == RESOURCE_TOPIC) {
        return topic_name_is_valid(name)
                   ? ERR_OK
                   : FAIL(e, ERR_INVALID_TOPIC, "The topic name is not valid: 1 to 249 of [A-Za-z0-9._-]");
    }
    if (type != RESOURCE_BROKER) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Unsupported resource type %d: topics (2) and brokers (4) are served", type);
    }
    int64_t id = 0;
    if (name.len > 0 && (!str_parse_i64(name, &id) || id != broker_node_id(rq->broker))) {
        return FAIL(e, ERR_INVALID_REQUEST,
                    "Unexpected broker id, expected %d or empty string, but received " STR_FMT,
                    broker_node_id(rq->broker), STR_ARG(name));
    }
    return ERR_OK;
}

#endif
