// SPDX-License-Identifier: Apache-2.0
// test_rig.h - a whole broker behind a real port, and a small blocking client that speaks through the wire
// tables. Only this module's tests use it.
#ifndef KAFKA_TEST_RIG_H
#define KAFKA_TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kafka/kafka.h"
#include "kafka/rig_clock_test.h"
#include "record/build.h"
#include "wire/messages.h"
#include "wire/wire.h"

enum { RIG_CONFIGS_MAX = 16, RIG_LOOPS_MAX = 4 };

struct rig;
struct rig_loop {
    struct rig *rig;
    struct loop *loop;
    struct broker_port *port;
    struct kafka_front *front;
    struct thread *thread;
    struct task stop;
};

struct rig {
    char dir[64];
    struct env *real;
    struct rig_clock clock;
    struct env *env; // `real` or that of `clock`
    struct engine *engine;
    struct metrics *metrics;
    struct pool *pool;
    struct tracer *tracer;
    struct broker *broker;
    struct rig_loop loops[RIG_LOOPS_MAX];
    // Change these between rig_init and rig_start.
    struct kafka_options options;
    struct item_config configs[RIG_CONFIGS_MAX]; // by rig_set
    uint32_t config_count;
    size_t pool_bytes;
    const struct broker_policy *policy;
    uint32_t loop_count; // connections go to them in turn
    bool has_own_time;   // rig_time_passes may be called; connections may be idle for ever
    int listen_port;
};

void rig_init(struct rig *rig);
void rig_set(struct rig *rig, const char *key, const char *value); // a broker setting
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig); // the directory stays: rig_start again is a restart
void rig_fini(struct rig *rig);
// rig_time_passes moves the clock ahead and returns when what was to happen until then has happened. What a
// client has sent before it is seen after it at the latest.
void rig_time_passes(struct rig *rig, int64_t ms);

struct client {
    int fd;
    int32_t correlation; // of the last request
    struct arena arena;  // requests, answers and batches; until client_close
};
void client_open(struct client *c, const struct rig *rig);
// client_open_from connects from 127.0.0.`host`.
void client_open_from(struct client *c, const struct rig *rig, uint8_t host);
void client_close(struct client *c);
void client_send_bytes(struct client *c, const void *data, size_t len);
// client_frame encodes a request with its length.
void client_frame(struct client *c, enum api_key key, int16_t version, const void *message, struct buf *out);
void client_send(struct client *c, enum api_key key, int16_t version, const void *message);
// client_recv_frame reads one answer without its length.
struct bytes client_recv_frame(struct client *c);
// client_recv reads one answer, checks its correlation id and that it decodes without a rest.
void *client_recv(struct client *c, enum api_key key, int16_t version, int32_t correlation);
void *client_call(struct client *c, enum api_key key, int16_t version, const void *message);
// client_is_closed waits for the broker to close; false if bytes came or nothing happened for seconds.
bool client_is_closed(struct client *c);
// client_assert_served checks that the broker still answers a fresh connection.
void client_assert_served(const struct rig *rig);
// client_wait_for_parked: until so many Fetches wait for records.
void client_wait_for_parked(const struct rig *rig, int64_t count);

#define client_new(c, name, count) wire_array(&(c)->arena, name, (count))

// ---- what many tests say

struct uuid topic_make(struct client *c, const char *name, int32_t partitions, const char *key,
                       const char *value);
void topic_drop(struct client *c, const char *name);
struct bytes batch_make(struct client *c, const struct batch_options *options, int32_t count,
                        const char *value);
// batch_resum writes the checksum again after a test changed the bytes.
struct bytes batch_copy(struct client *c, struct bytes batch);
void batch_resum(struct bytes batch);
// batch_at: records at timestamp, timestamp + 10, ... with a key or without.
struct bytes batch_at(struct client *c, int64_t timestamp, int32_t count, bool has_key);
int64_t wall_now_ms(void);

struct produce_response_partition *produce_send(struct client *c, int16_t version, const char *topic,
                                                struct uuid id, int32_t partition, struct bytes batch);
struct produce_response_partition *produce_send_as(struct client *c, struct str transactional_id,
                                                   int16_t version, const char *topic, struct uuid id,
                                                   int32_t partition, struct bytes batch);
// produce is produce_send at version 9 that must succeed; the base offset.
int64_t produce(struct client *c, const char *topic, int32_t partition, struct bytes batch);

// delete_records of partition 0 must end with err; the low watermark.
int64_t delete_records(struct client *c, const char *topic, int64_t offset, int16_t version, enum err err);

struct fetch_ask {
    const char *topic; // or, from version 13 on, the id
    struct uuid id;
    int32_t partition;
    int64_t offset;
    int32_t wait_ms;
    int32_t min_bytes;
    int32_t max_bytes;           // 0 = plenty
    int32_t partition_max_bytes; // 0 = plenty
    int32_t current_leader_epoch_plus_1;
    int8_t isolation_level;
};
struct fetch_request *fetch_make(struct client *c, const struct fetch_ask *ask);
struct fetch_response_partition *fetch_send(struct client *c, int16_t version, const struct fetch_ask *ask);

#endif
