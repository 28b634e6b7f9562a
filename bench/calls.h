// SPDX-License-Identifier: Apache-2.0
// calls.h - Kafka requests for the load generators: encode, send, receive, decode. Whatever fails ends the
// program with a message: a tool that measures has nothing to recover.
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/messages.h"
#include "wire/wire.h"

enum { CALL_MESSAGE_MAX = 64 << 20 };

// call_encode appends a whole frame with correlation id 0; its length counts external bytes (cuts) too.
void call_encode(struct buf *out, int16_t key, int16_t version, const void *request, struct wire_cuts *cuts);

// call_decode reads an answer without its length. What it gives points into `answer` and the arena.
void call_decode(int16_t key, int16_t version, struct bytes answer, struct arena *arena, void *ret_answer);

// call_send blocks until all is sent, so `fd` has to be a blocking socket.
void call_send(int fd, struct bytes data);

// call sends one request and waits for its answer, whose memory is the arena's and `in`'s.
void call(int fd, int16_t key, int16_t version, const void *request, void *ret_answer, struct buf *in,
          struct arena *arena);

// topic_create makes a topic (one that exists is fine) and returns its id once every partition has a leader.
// config: "name=value", at most TOPIC_CONFIGS_MAX with commas between them, or NULL.
enum { TOPIC_CONFIGS_MAX = 4 };
struct uuid topic_create(int fd, struct str name, int32_t partitions, const char *config);

struct producer {
    int64_t id; // -1: none
    int16_t epoch;
    int32_t sequence;
};
// producer_init asks for an id: of an idempotent producer, or of the transactional id.
struct producer producer_init(int fd, struct str transactional_id);

#endif
