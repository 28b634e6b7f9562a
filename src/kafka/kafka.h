// SPDX-License-Identifier: Apache-2.0
// kafka.h - the Kafka front of one loop: accepts connections, reads requests, answers in order. One per loop;
// every byte of a request comes from a stranger, and a bad one closes only its own connection.
#ifndef KAFKA_KAFKA_H
#define KAFKA_KAFKA_H

#include "broker/broker.h"
#include "runtime/quota_rate.h"

struct kafka_front;
struct kafka_stats;

struct kafka_options {
    size_t frame_bytes_max;        // socket.request.max.bytes
    size_t first_frame_bytes_max;  // strom.first.request.max.bytes
    size_t request_memory_max;     // strom.request.memory.max.bytes: working on one request, and its answer
    size_t queued_bytes_max;       // queued.max.request.bytes, of all fronts that share
    uint32_t connections_max;      // max.connections, likewise
    uint32_t connections_per_ip;   // max.connections.per.ip, likewise
    int32_t connection_rate_max;   // max.connection.creation.rate per second, likewise
    struct quota_rate_config rate; // the windows over which rates are taken
    int64_t idle_ms;               // connections.max.idle.ms; -1 = for ever
    int64_t first_frame_ms;  // strom.handshake.timeout.ms: to complete a frame once begun, or the first one
    uint32_t inflight_max;   // requests of one connection being worked on
    size_t output_bytes_max; // answers of one connection waiting to be sent; then reading stops
    int32_t fetch_bytes_max; // fetch.max.bytes
    struct str advertised_host; // empty = the address the client used
    int32_t advertised_port;    // 0 = the port the client used
    bool auto_create_topics;
    struct str rack;           // empty = none
    struct kafka_stats *stats; // required
};

// kafka_stats_create makes what all fronts count requests in, and shows it among the metrics.
struct kafka_stats *kafka_stats_create(struct env *env, struct metrics *m);
void kafka_stats_destroy(struct kafka_stats *take_stats); // after the fronts; NULL is a no-op

struct kafka_front *kafka_front_create(struct broker *broker, struct broker_port *port,
                                       const struct kafka_options *options);
// kafka_front_listen takes a listening socket; it is closed by stop.
void kafka_front_listen(struct kafka_front *front, struct sock *take_listener);
// kafka_front_share has `front` hand every other connection that it accepts to `peer`, which runs on another
// loop; limits hold for both together. Before either loop runs.
void kafka_front_share(struct kafka_front *front, struct kafka_front *peer);
// kafka_front_stop closes listeners, answers what is in flight, for which clients have 5 s, then closes
// connections; `stopped` is called
// on the loop when the last is gone.
void kafka_front_stop(struct kafka_front *front, void (*stopped)(void *arg), void *arg);
void kafka_front_destroy(struct kafka_front *take_front); // after stopped
uint32_t kafka_front_connections(const struct kafka_front *front);

#endif
