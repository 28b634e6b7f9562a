// SPDX-License-Identifier: Apache-2.0
// topic_content.h - what a compacted topic of one partition says: for each key a hash of its last value. Read
// through the broker as any client would, in pieces, without blocking its loop for long.
//
// Owner: one loop's thread.
#ifndef SERVER_TOPIC_CONTENT_H
#define SERVER_TOPIC_CONTENT_H

#include "base/map.h"
#include "broker/broker.h"

struct content_key {
    struct map_node by_key;
    uint64_t value_hash;
    bool is_met; // for the owner
    size_t len;
    uint8_t key[];
};

struct topic_content {
    struct map keys; // struct content_key; what was deleted is not there
    // out of a reading
    enum err err;
    char text[ERROR_TEXT_SIZE];
    // private
    struct broker *broker;
    struct broker_port *port;
    struct fetch_op fetch;
    struct fetch_part part;
    struct buf bytes;
    void (*done)(struct topic_content *content);
};

// topic_content_init begins with no keys.
void topic_content_init(struct topic_content *content, struct broker *broker, struct broker_port *port);
void topic_content_fini(struct topic_content *content); // no reading may be under way
// topic_content_read reads all that is there; done is called on the port's loop, not inside the call. A batch
// that cannot be read ends it with err; what came before it is known.
void topic_content_read(struct topic_content *content, struct uuid topic,
                        void (*done)(struct topic_content *content));
struct content_key *topic_content_find(const struct topic_content *content,
                                       struct bytes key); // NULL if unknown
uint64_t topic_content_hash(struct bytes value);
// topic_content_pop takes any key out; freed with mem_free. NULL when none is left.
struct content_key *topic_content_pop(struct topic_content *content);

#endif
