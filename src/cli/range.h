// SPDX-License-Identifier: Apache-2.0
// range.h - Kafka's "range" assignor: of each topic every subscribed member gets a contiguous range, the
// first ones one partition more where it does not come out even. Whoever leads the group, Java, librdkafka or
// this, the result is the same. Pure.
#ifndef CLI_RANGE_H
#define CLI_RANGE_H

#include "cli/consumer_protocol.h"

struct range_member {
    struct str id;
    struct str instance_id; // NULL ptr = not static
    const struct str *subscribed;
    size_t subscribed_count;
    struct topic_partitions *topics; // the result
    size_t topic_count;
};

struct range_topic {
    struct str name;
    int32_t partition_count;
};

// range_assign fills the members' topics from the arena; each topic has partitions 0 to partition_count - 1.
// It sorts members and topics. ERR_NO_MEMORY past the arena's cap.
enum err range_assign(struct range_member *members, size_t member_count, struct range_topic *topics,
                      size_t topic_count, struct arena *arena, struct error *e);

#endif
