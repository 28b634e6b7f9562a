// SPDX-License-Identifier: Apache-2.0
// stats.h - what requests came, how large, how long they took and which errors they got: Kafka's
// RequestMetrics, under the names that the JMX exporter gives them. Each front counts on its own, without
// contention; a scrape adds them up. Memory comes with the first request of an API.
#ifndef KAFKA_STATS_H
#define KAFKA_STATS_H

#include "kafka/request.h"

struct stats_shard; // of one front: written by its loop alone

struct stats_shard *kafka_stats_shard(struct kafka_stats *stats);

// stats_request counts one that came, of frame_size bytes, and notes the time in rq->started_ns.
void stats_request(struct stats_shard *shard, struct request *rq, size_t frame_size);
// stats_watch gives what wire_encode_watched calls to count the answer's errors.
struct wire_watch stats_watch(struct stats_shard *shard, const struct request *rq);
// stats_answer counts an answer of answer_size bytes, 0 if none goes out, and the time it took.
void stats_answer(struct stats_shard *shard, const struct request *rq, size_t answer_size);
// Bytes on the sockets, whatever they are.
void stats_received(struct stats_shard *shard, size_t size);
void stats_sent(struct stats_shard *shard, size_t size);

#endif
