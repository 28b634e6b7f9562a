// SPDX-License-Identifier: Apache-2.0
// gate.h - what all fronts of a broker share: who may come in, and how many bytes of requests may wait
// inside. Counts are atomic; addresses are added and dropped by the accepting front alone.
#ifndef KAFKA_GATE_H
#define KAFKA_GATE_H

#include "base/list.h"
#include "base/map.h"
#include "broker/throttle.h"
#include "kafka/kafka.h"
#include "runtime/quota_rate.h"

struct connection;

enum frame_class { FRAME_SMALL, FRAME_LARGE, FRAME_CLASSES }; // see queue.c

// Bytes of requests as they are counted.
struct queued {
    size_t bytes[FRAME_CLASSES];
    size_t work_bytes; // large ones of a request that is answered without the help of another
};

struct ip_count {
    struct map_node node;
    struct list order;
    uint32_t count; // atomic: connections from here
    size_t len;
    char text[SOCK_NAME_SIZE]; // without port and brackets
};

struct gate {
    uint32_t refs;        // fronts
    uint32_t connections; // atomic
    size_t
        queued_bytes[FRAME_CLASSES]; // atomic: of requests that came, whole or in part, and are not answered
    size_t promised_bytes;           // atomic: of large frames, still to come
    size_t work_bytes;               // atomic: of large requests that are answered whatever else comes
    struct connection *turns[FRAME_CLASSES]; // atomic: who may read on although there is no room
    // of the accepting front:
    uint64_t seed;
    struct map ips;
    struct list ip_order;
    struct quota_rate rate; // of new connections
    double rate_sums[QUOTA_WINDOWS_MAX];
};

struct gate *gate_create(uint64_t seed);
struct gate *gate_ref(struct gate *gate);
void gate_unref(struct gate *gate);

enum gate_answer { GATE_OPEN, GATE_FULL, GATE_FULL_FOR_IP, GATE_FAST_FOR_IP };
// gate_enter counts a new connection; gate_leave, on whichever thread, counts it out again.
enum gate_answer gate_enter(struct gate *gate, const struct kafka_options *options,
                            struct throttles *throttles, int64_t now_ns, struct sock *sock,
                            struct ip_count **ret_ip);
void gate_leave(struct gate *gate, struct ip_count *ip);
// gate_pause_ns counts a new connection against max.connection.creation.rate: how long to accept no more.
int64_t gate_pause_ns(struct gate *gate, const struct kafka_options *options, int64_t now_ns);

#endif
