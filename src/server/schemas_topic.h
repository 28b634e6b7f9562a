// SPDX-License-Identifier: Apache-2.0
// schemas_topic.h - the topic that tools of a schema registry tail: Confluent's `_schemas`. The registry's
// records (registry_feed_next) are written behind its changes to a compacted topic of one partition, which
// clients read as any other and only this may write (broker_keep_topic).
//
// The topic follows from the documents, never the other way round: after each start it is read once, and what
// differs is written. A topic of that name which somebody else has made is left alone.
//
// Owner: the registry's loop, which makes every call.
#ifndef SERVER_SCHEMAS_TOPIC_H
#define SERVER_SCHEMAS_TOPIC_H

#include "govern/govern.h"

struct schemas_topic;

// schemas_topic_create finds the topic and keeps it from others: before clients connect. The name is the
// setting strom.registry.topic; with an empty one there is no topic.
struct schemas_topic *schemas_topic_create(struct broker *broker, struct broker_port *port,
                                           struct govern *govern);
// schemas_topic_destroy: after schemas_topic_stop has called back, or when the loop never ran. NULL is a
// no-op.
void schemas_topic_destroy(struct schemas_topic *take_topic);
// schemas_topic_kick: the registry may have changed. From any of the loop's callbacks; arg: the topic.
void schemas_topic_kick(void *arg);
// schemas_topic_stop calls stopped once nothing is under way any more, perhaps inside the call.
void schemas_topic_stop(struct schemas_topic *topic, void (*stopped)(void *arg), void *arg);

#endif
