// SPDX-License-Identifier: Apache-2.0
// fuzz_item.c - item frames and snapshots from anywhere. The first byte chooses: frames are decoded, encoded
// again and compared, then applied as a bundle; a snapshot gets its count and hash put right first, else no
// input would get past them, and what loads must cut and load again to the same state.
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS_MAX = 256, SNAPSHOT_HEAD_SIZE = 12, RECORD_HEAD_SIZE = 5, RECORD_END = 255 };

// groups_walk: the walk over each group's offsets and the counts agree.
static void groups_walk(const struct core *core)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < core_group_count(core); i++) {
        const struct group *group = core_group_at(core, i);
        ASSERT(core_group_find(core, group_id(group)) == group);
        struct uuid topic = {{0}};
        int32_t partition = -1;
        struct offset_view view;
        uint32_t count = 0;
        while (group_offset_next(group, topic, partition, &view)) {
            topic = topic_id(view.topic);
            partition = view.partition;
            struct offset_view found;
            ASSERT(group_offset_find(group, view.topic, partition, &found));
            count++;
        }
        ASSERT(count == group_offset_count(group));
        total += count;
    }
    ASSERT(total == core_offset_total(core));
}

// snapshot_round_trip hands a core over through a snapshot and compares.
static void snapshot_round_trip(struct core *core)
{
    struct buf snapshot;
    buf_init(&snapshot, SIZE_MAX / 2);
    core_snapshot_begin(core);
    while (!core_snapshot_step(core, 100, &snapshot)) {
    }
    struct core *other = core_create();
    ASSERT(core_load(other, buf_bytes(&snapshot), NULL) == ERR_OK);
    ASSERT(core_state_hash(other) == core_state_hash(core));
    groups_walk(other);
    core_destroy(other);
    buf_fini(&snapshot);
}

static void items_fuzz(struct bytes frames)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct buf again;
    struct buf line;
    buf_init(&again, 1 << 24);
    buf_init(&line, 1 << 24);
    struct reader r = reader_init(frames);
    uint32_t count = 0;
    while (count < ITEMS_MAX && reader_left(&r) > 0) {
        struct item item;
        if (item_decode(&r, &arena, &item, NULL) != ERR_OK) {
            break;
        }
        bool is_large = item.kind == ITEM_TOPIC_CREATE && item.topic_create.partition_count > 1000;
        bool is_wide = item.kind == ITEM_PARTITIONS_ADD && item.partitions_add.partition_count > 1000;
        if (is_large || is_wide) {
            break; // legal, but too slow for a fuzzer
        }
        item_encode(&item, &again);
        item_print(&item, &line);
        count++;
    }
    ASSERT(!again.failed);
    ASSERT(again.len <= frames.len);
    ASSERT(again.len == 0 || memcmp(again.ptr, frames.ptr, again.len) == 0);
    struct core *core = core_create();
    static struct outcome outcomes[ITEMS_MAX];
    struct core_bundle bundle = {.lsn = 1,
                                 .stamp_ms = 1,
                                 .time_ms = 1,
                                 .object = 1,
                                 .meta = bytes_of(frames.ptr, again.len),
                                 .item_count = count};
    ASSERT(core_apply(core, &bundle, outcomes, NULL, NULL) == ERR_OK);
    snapshot_round_trip(core);
    core_destroy(core);
    buf_fini(&again);
    buf_fini(&line);
    arena_fini(&arena);
}

// snapshot_seal puts head and end around the records.
static void snapshot_seal(struct bytes records, struct buf *out)
{
    buf_append(out, "STROMSNP\0\0\0\1", SNAPSHOT_HEAD_SIZE);
    struct reader r = reader_init(records);
    uint64_t count = 0;
    uint64_t hash = 0;
    while (reader_left(&r) >= RECORD_HEAD_SIZE) {
        uint32_t length = reader_u32(&r);
        uint8_t kind = (uint8_t)reader_i8(&r);
        if (length > reader_left(&r) || kind == RECORD_END) {
            break;
        }
        struct bytes body = bytes_of(reader_take(&r, length), length);
        buf_be32(out, length);
        buf_u8(out, kind);
        buf_append(out, body.ptr, body.len);
        hash += hash64(body, kind);
        count++;
    }
    buf_be32(out, 16);
    buf_u8(out, RECORD_END);
    buf_be64(out, count);
    buf_be64(out, hash);
}

static void snapshot_fuzz(struct bytes input, bool is_sealed)
{
    struct buf sealed;
    buf_init(&sealed, 1 << 24);
    if (is_sealed) {
        snapshot_seal(input, &sealed);
        input = buf_bytes(&sealed);
    }
    struct core *core = core_create();
    enum err err = core_load(core, input, NULL);
    ASSERT(err == ERR_OK || err == ERR_CORRUPT);
    if (err == ERR_OK) {
        snapshot_round_trip(core);
    }
    core_destroy(core);
    buf_fini(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct bytes input = bytes_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        items_fuzz(input);
        break;
    case 1:
        snapshot_fuzz(input, false);
        break;
    default:
        snapshot_fuzz(input, true);
        break;
    }
    return 0;
}
