// SPDX-License-Identifier: Apache-2.0
// topic_view.h - what handlers copy out of the core about topics, in lock sections of a bounded size. Copies
// live in the request's arena; a NULL or false for want of memory leaves the arena failed, and request_reply
// closes.
#ifndef KAFKA_TOPIC_VIEW_H
#define KAFKA_TOPIC_VIEW_H

#include "kafka/request.h"

struct topic_view {
    struct str name;
    struct uuid id;
    int32_t partition_count;
};

// topic_view_find looks up by id, or by name where the id is zero; false if unknown.
bool topic_view_find(struct request *rq, struct str name, struct uuid id, struct topic_view *ret);
// topic_view_list copies at most `max` topics whose names are >= from, in name order. Topics that come or go
// meanwhile may be in it or not. NULL when out of memory.
struct topic_view *topic_view_list(struct request *rq, struct str from, uint32_t max, uint32_t *ret_count);
// topic_view_epochs reads the leader epochs of partitions [first, first + count); false if the topic is gone.
bool topic_view_epochs(struct request *rq, const struct topic_view *topic, int32_t first, int32_t count,
                       int32_t *ret_epochs);
// topic_view_sizes reads the stored bytes of partitions [0, count); false if the topic is gone.
bool topic_view_sizes(struct request *rq, const struct topic_view *topic, int32_t count, int64_t *ret_bytes);
// topic_view_replicas is the list of the one node that holds everything.
int32_t *topic_view_replicas(struct request *rq);

#endif
