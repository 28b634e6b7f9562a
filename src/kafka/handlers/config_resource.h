// SPDX-License-Identifier: Apache-2.0
// config_resource.h - what DescribeConfigs and the two AlterConfigs call a resource.
#ifndef KAFKA_HANDLERS_CONFIG_RESOURCE_H
#define KAFKA_HANDLERS_CONFIG_RESOURCE_H

#include "kafka/request.h"

enum config_resource_type { // numbers as in Kafka's ConfigResource.Type
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_BROKER_LOGGER = 8,
    RESOURCE_CLIENT_METRICS = 16,
    RESOURCE_GROUP = 32,
};

// config_resource_check refuses types and names that no resource can have, in Kafka's words. A broker is
// called by its node id, or "" for the defaults of all brokers; both mean the one set there is.
enum err config_resource_check(struct request *rq, int8_t type, struct str name, struct error *e);

// The one logger there is, called "root": everything that the broker tells people.
#define LOGGER_NAME "root"
const char *logger_level_name(enum trace_level level); // as Kafka spells it
bool logger_level_parse(struct str name, enum trace_level *ret);

#endif
