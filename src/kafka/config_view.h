// SPDX-License-Identifier: Apache-2.0
// config_view.h - the settings of a topic or of the broker with where each value comes from, copied out of
// the core for DescribeConfigs and CreateTopics.
#ifndef KAFKA_CONFIG_VIEW_H
#define KAFKA_CONFIG_VIEW_H

#include "kafka/request.h"

// config_view_load copies the layers; topic_name NULL ptr = the broker's own, without a topic's. False: no
// such topic.
bool config_view_load(struct request *rq, struct str topic_name, struct setting_layers *ret_layers);
// config_view_value gives the effective text: NULL ptr if there is none, or if it is a secret.
struct str config_view_value(struct request *rq, const struct setting *setting,
                             const struct setting_layers *layers, enum setting_source *ret_source);
bool config_view_is_secret(const struct setting *setting);

#endif
