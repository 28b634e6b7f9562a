// SPDX-License-Identifier: Apache-2.0
// rig_test.h - a keeper over the local engine and the core, on a real disk, and a model of what was appended.
#ifndef KEEPER_RIG_TEST_H
#define KEEPER_RIG_TEST_H

#include "engine/local/local.h"
#include "keeper/keeper_private.h"
#include "platform/real/real.h"

enum { TOPICS_MAX = 4, PARTITIONS_MAX = 64, BUNDLE_BATCHES_MAX = 2048, WAL_FILE = 1 << 20 };

// What a partition must hold: its batches in final form, with their offsets.
struct expected {
    struct buf bytes;
    int64_t *offsets; // base offset of each batch
    size_t *positions;
    size_t count;
    size_t cap;
    int64_t next_offset;
};
struct world {
    char base[64];
    char data[80];
    struct env *env;
    struct engine *engine;
    struct engine_ops ops; // the engine's, with faults
    const struct engine_ops *real_ops;
    struct segment_cache *segments;
    struct metrics *metrics;
    struct keeper *keeper;
    struct keeper_options options;
    struct mutex lock; // the core
    struct mutex order_lock;
    struct cond applied;
    struct core *core;
    struct expected expected[TOPICS_MAX][PARTITIONS_MAX];
    uint64_t bundle_id;
    void (*before_submit)(struct world *w, const struct item *item);
    bool submits_all; // the host takes many items at once; from the next world_open on
    uint32_t submitted_most;
    int64_t time_lag_ms;  // of bundles behind the engine's time
    int32_t faults_after; // engine verbs that still work; -1 = all
};

struct uuid topic_of(uint8_t topic);
struct world *world_create(void);
void world_destroy(struct world *w);
// world_close and world_open are a restart; unclean: without the mark of a clean stop.
void world_open(struct world *w);
void world_close(struct world *w, bool is_clean);

// order_one orders and applies one control item.
struct outcome order_one(struct world *w, const struct item *item);
// order_batch orders one batch, whose item is complete but for where the batch lies.
struct outcome order_batch(struct world *w, const struct item_data *data, struct bytes batch);
// order_all orders items in one bundle: batches of DATA items, which may be NULL when there are none. Every
// item's outcome goes to ret_outcomes.
void order_all(struct world *w, struct item *items, uint32_t count, const struct bytes *batches,
               struct outcome *ret_outcomes);
// topic_create: key may be NULL.
void topic_create(struct world *w, uint8_t topic, int32_t partitions, const char *key, const char *value);
void config_set(struct world *w, uint8_t topic, const char *key, const char *value);

struct produce {
    uint8_t topic;
    int32_t partition;
    int32_t batches;
    size_t size;
    int64_t timestamp;
};
// produce orders one bundle; rows must be in partition order.
void produce(struct world *w, const struct produce *rows, size_t row_count);
void produce_one(struct world *w, uint8_t topic, int32_t partition, int32_t batches, size_t size);
// produce_mixed: a bundle for many partitions, with one heavy one (3).
void produce_mixed(struct world *w, uint8_t topic, int32_t partitions);

const struct partition *partition_of(struct world *w, uint8_t topic, int32_t partition);
// check_partition reads everything from the log start on and compares; the first extent may begin earlier.
void check_partition(struct world *w, uint8_t topic, int32_t partition);
void check_topic(struct world *w, uint8_t topic);
uint32_t unmerged_extents(struct world *w, uint8_t topic);

// round_ok runs a round with all back-off forgotten; it must succeed.
void round_ok(struct world *w);

struct tally {
    uint32_t wal;
    uint32_t merged;
    uint64_t last;
};
struct tally tally(struct world *w); // of the engine's objects

#endif
