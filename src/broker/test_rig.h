// SPDX-License-Identifier: Apache-2.0
// test_rig.h - a whole broker over the local engine in a temporary directory, with one loop on its own
// thread. Calls block until the op is done; they check what must hold of every answer.
#ifndef BROKER_TEST_RIG_H
#define BROKER_TEST_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/broker_private.h"
#include "record/build.h"

enum { RIG_CONFIGS_MAX = 16 };

struct rig {
    char dir[64];
    struct env *env;
    struct engine *engine;
    struct metrics *metrics;
    struct pool *pool;
    struct broker *broker;
    struct loop *loop;
    struct broker_port *port;
    struct produce_lane lane; // of all that is produced
    struct thread *thread;
    struct mutex lock;
    struct cond done;
    struct arena arena; // batches and answers; until rig_fini
    // between rig_init and rig_start:
    int64_t wal_file_bytes;
    int64_t disk_reserve_bytes;
    size_t tail_cache_bytes;
    const struct broker_policy *policy;
    bool reads_committed; // fetches do
    struct item_config configs[RIG_CONFIGS_MAX];
    uint32_t config_count;
    int damage_told; // lines about damage so far
    struct tracer *tracer;
};

void rig_init(struct rig *rig);
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig); // the directory stays: rig_start again is a restart
void rig_fini(struct rig *rig);
void rig_set(struct rig *rig, const char *key, const char *value); // sorted by key, as the broker wants them

// rig_call runs fn on the loop and waits for rig_done, which may come later and from inside fn.
struct rig_call {
    struct task task;
    struct rig *rig;
    void (*fn)(struct rig_call *call);
    void *arg;
    bool is_done;
};
void rig_begin(struct rig *rig, struct rig_call *call, void (*fn)(struct rig_call *call), void *arg);
void rig_wait(struct rig_call *call);
bool rig_is_done(struct rig_call *call);
void rig_done(struct rig_call *call);

// ---- what many tests say

void topic_make(struct rig *rig, const char *name, int32_t partitions);
void topic_drop(struct rig *rig, const char *name);
void topic_trim(struct rig *rig, const char *name, int64_t offset); // partition 0
// batch_make: records of size bytes with timestamps from timestamp on, one ms apart.
struct bytes batch_make(struct rig *rig, int32_t count, size_t size, int64_t timestamp);
// produce_parts sends all parts as one op; the batches are copied into one chunk.
void produce_parts(struct rig *rig, struct produce_part *parts, uint32_t count);
int64_t produce(struct rig *rig, const char *topic, int32_t partition, struct bytes batch);

// A fetch that may still wait.
struct fetching {
    struct rig_call call;
    struct fetch_op op;
};
void fetch_begin(struct rig *rig, struct fetching *f, struct fetch_part *parts, uint32_t count,
                 int32_t wait_ms, int32_t bytes_min, int32_t bytes_max);
void fetch_cancel(struct fetching *f);
struct fetch_part fetch_part_of(const char *topic, int32_t partition, int64_t offset);

// What a fetch gave: whole batches with matching checksums and offsets without gaps, else the test fails.
struct got {
    enum err err; // of a piece that could not be read
    uint32_t batches;
    int64_t first_offset; // base offset of the first batch
    int64_t next_offset;
    uint32_t bytes;
};
struct got fetch_read(struct rig *rig, struct fetching *f, uint32_t part); // after rig_wait
void fetch_end(struct rig *rig, struct fetching *f);
// fetch_all reads partition 0 from offset up to the high watermark, by answers of bytes_max.
struct got fetch_all(struct rig *rig, const char *topic, int64_t offset, int32_t bytes_max);
void list_offset(struct rig *rig, const char *topic, int64_t timestamp, struct offset_query *ret);

#endif
