// SPDX-License-Identifier: Apache-2.0
// rig_test.h - what the tests of core share: a core with an engine's part played by hand.
#ifndef CORE_RIG_TEST_H
#define CORE_RIG_TEST_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "core/core.h"

enum { RIG_ITEMS_MAX = 512 };

struct rig {
    struct core *core;
    struct buf meta; // of the bundle being filled
    uint32_t item_count;
    uint32_t payload; // bytes in it
    uint64_t object;
    int64_t position;
    int64_t time_ms;
    struct core_facts facts; // of the last bundle
    struct outcome outcomes[RIG_ITEMS_MAX];
};

static inline void rig_init(struct rig *rig)
{
    *rig = (struct rig){.core = core_create(), .object = 1, .position = 4096, .time_ms = 1000};
    buf_init(&rig->meta, SIZE_MAX / 2);
    core_facts_init(&rig->facts);
}

static inline void rig_fini(struct rig *rig)
{
    core_destroy(rig->core);
    buf_fini(&rig->meta);
    core_facts_fini(&rig->facts);
}

static inline void rig_add(struct rig *rig, const struct item *item)
{
    struct item sealed = *item;
    if (item->kind == ITEM_DATA) {
        sealed.data.payload_position = rig->payload;
        rig->payload += item->data.payload_length;
    }
    assert_true(rig->item_count < RIG_ITEMS_MAX);
    item_encode(&sealed, &rig->meta);
    assert_false(rig->meta.failed);
    rig->item_count++;
}

static inline struct core_bundle rig_bundle(const struct rig *rig)
{
    return (struct core_bundle){
        .lsn = core_lsn(rig->core) + 1,
        .stamp_ms = rig->time_ms + 1000000,
        .time_ms = rig->time_ms,
        .object = rig->object,
        .payload_position = rig->position,
        .meta = buf_bytes(&rig->meta),
        .item_count = rig->item_count,
    };
}

// rig_flush applies what was added as one bundle.
static inline void rig_flush(struct rig *rig)
{
    struct core_bundle bundle = rig_bundle(rig);
    struct error e = {0};
    core_facts_reset(&rig->facts);
    enum err err = core_apply(rig->core, &bundle, rig->outcomes, &rig->facts, &e);
    if (err != ERR_OK) {
        fail_msg("%s: %s", err_name(err), e.text);
    }
    rig->position += rig->payload;
    rig->payload = 0;
    rig->item_count = 0;
    buf_reset(&rig->meta);
}

static inline struct outcome rig_one(struct rig *rig, const struct item *item)
{
    rig_add(rig, item);
    rig_flush(rig);
    return rig->outcomes[0];
}

static inline struct uuid rig_id(uint8_t n)
{
    return (struct uuid){.b = {0x51, [15] = n}};
}

static inline struct item rig_create(uint8_t id, const char *name, int32_t partitions)
{
    return (struct item){
        .kind = ITEM_TOPIC_CREATE,
        .version = 1,
        .topic_create = {.topic_id = rig_id(id), .name = str_from_c(name), .partition_count = partitions},
    };
}

static inline struct item rig_delete(uint8_t id)
{
    return (struct item){.kind = ITEM_TOPIC_DELETE, .version = 1, .topic_delete = {rig_id(id)}};
}

static inline struct item rig_trim(uint8_t id, int32_t partition, int64_t offset)
{
    return (struct item){.kind = ITEM_TRIM, .version = 1, .trim = {rig_id(id), partition, offset}};
}

static inline struct item rig_kind(enum item_kind kind)
{
    return (struct item){.kind = kind, .version = 1};
}

// rig_data: a batch of `span` records and 100 * span bytes without a producer id.
static inline struct item rig_data(uint8_t id, int32_t partition, int32_t span)
{
    return (struct item){
        .kind = ITEM_DATA,
        .version = 1,
        .data =
            {
                .topic_id = rig_id(id),
                .partition = partition,
                .producer_id = -1,
                .producer_epoch = -1,
                .base_sequence = -1,
                .offset_span = span,
                .record_count = span,
                .max_timestamp = 5000 + span,
                .payload_length = 100 * (uint32_t)span,
            },
    };
}

static inline struct item rig_idempotent(uint8_t id, int32_t partition, int64_t producer_id, int16_t epoch,
                                         int32_t sequence, int32_t span)
{
    struct item item = rig_data(id, partition, span);
    item.data.producer_id = producer_id;
    item.data.producer_epoch = epoch;
    item.data.base_sequence = sequence;
    return item;
}

static inline struct partition *rig_partition(struct rig *rig, uint8_t id, int32_t index)
{
    struct topic *topic = core_topic_find_id(rig->core, rig_id(id));
    assert_non_null(topic);
    struct partition *p = topic_partition(topic, index);
    assert_non_null(p);
    return p;
}

// rig_configs sets the whole config set of the broker (id 0) or a topic.
static inline enum err rig_configs(struct rig *rig, uint8_t id, struct item_config *configs, uint32_t count,
                                   uint64_t expected_revision)
{
    struct item item = {.kind = ITEM_CONFIG_SET, .version = 1};
    item.config_set.topic_id = id == 0 ? (struct uuid){{0}} : rig_id(id);
    item.config_set.expected_revision = expected_revision;
    item.config_set.configs = configs;
    item.config_set.config_count = count;
    return rig_one(rig, &item).err;
}

// rig_snapshot takes a whole snapshot at once.
static inline void rig_snapshot(struct core *core, struct buf *out)
{
    buf_init(out, SIZE_MAX / 2);
    core_snapshot_begin(core);
    while (!core_snapshot_step(core, 1000, out)) {
    }
    assert_false(out->failed);
}

#endif
