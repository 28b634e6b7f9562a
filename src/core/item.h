// SPDX-License-Identifier: Apache-2.0
// item.h - every change to the state is an item; items travel in bundles, which the engine orders and makes
// durable. Each (kind, version) has a frozen meaning: golden logs of every release must replay to the same
// state. Byte tables: docs/formats/item.md.
#ifndef CORE_ITEM_H
#define CORE_ITEM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum item_kind {
    ITEM_DATA = 1,           // one record batch appended
    ITEM_TOPIC_CREATE = 2,   // a topic with its partitions and configs
    ITEM_TOPIC_DELETE = 3,   // logical deletion; memory is reclaimed lazily
    ITEM_PARTITIONS_ADD = 4, // a topic grows to a partition count
    ITEM_CONFIG_SET = 5,     // the whole config set of a topic or of the broker, against an expected revision
    ITEM_PRODUCER_ID = 6,    // a fresh producer id
    ITEM_TRIM = 7,           // a partition's log start moves forward
    ITEM_REPLACE = 8,        // extents are replaced by others holding the same records
    ITEM_TICK = 9,           // time passes: expire a bounded number of things
    ITEM_EPOCH_RAISE = 10,   // leader epochs of partitions with durability=os rise after an unclean start
};

enum {
    ITEM_NAME_MAX = 249,           // topic name bytes
    ITEM_CONFIGS_MAX = 256,        // config entries per resource
    ITEM_CONFIG_VALUE_MAX = 32768, // bytes of one config value
    ITEM_REPLACE_EXTENTS_MAX = 256,
    ITEM_PARTITIONS_MAX = 200000, // partitions of one topic
};

struct item_data {
    struct uuid topic_id;
    int32_t partition;
    int64_t producer_id; // -1 = none
    int16_t producer_epoch;
    int16_t attributes; // as in the batch
    int32_t base_sequence;
    int32_t offset_span;  // offsets the batch occupies: last_offset_delta + 1
    int32_t record_count; // records in it
    int64_t max_timestamp;
    uint32_t payload_position; // from the start of the bundle's payload; set when the bundle is sealed
    uint32_t payload_length;
    uint64_t verdict_lsn; // of the governing snapshot that judged it; 0 = not governed
};

struct item_config {
    struct str key;
    struct str value;
};

struct item_topic_create {
    struct uuid topic_id;
    struct str name;
    int32_t partition_count;
    struct item_config *configs;
    uint32_t config_count;
};

struct item_topic_delete {
    struct uuid topic_id;
};

struct item_partitions_add {
    struct uuid topic_id;
    int32_t expected_count; // refused with ERR_STALE if it is not the current one
    int32_t partition_count;
};

struct item_config_set {
    struct uuid topic_id; // zero = the broker's own configs
    uint64_t expected_revision;
    struct item_config *configs; // the whole new set, sorted by key
    uint32_t config_count;
};

struct item_trim {
    struct uuid topic_id;
    int32_t partition;
    int64_t log_start_offset; // clipped to [log start, high watermark]
};

// A run of stored records of one partition. Offsets: [base_offset, end_offset).
struct extent {
    int64_t base_offset;
    int64_t end_offset;
    uint64_t object;
    int64_t position; // byte in the object
    uint32_t length;  // bytes
    uint32_t record_count;
    int64_t max_timestamp;
    int32_t leader_epoch;
    uint32_t flags; // EXTENT_*
};
enum extent_flags {
    EXTENT_FINAL =
        1, // bytes carry final base offsets and leader epochs (merged objects): file format = wire format
};

// REPLACE of one partition: `old` names exactly the extents to go, by (object, position, base_offset), in
// offset order and contiguous. `fresh` covers the same offsets. Atomic: any mismatch but trimming makes it a
// no-op.
struct item_replace {
    struct uuid topic_id;
    int32_t partition;
    struct extent *old_extents;
    uint32_t old_count;
    struct extent *fresh_extents;
    uint32_t fresh_count;
};

struct item {
    enum item_kind kind;
    uint8_t version; // 1 for every kind today
    uint32_t
        depends_on; // 1-based index of an earlier item in the bundle that must have newly appended; 0 = none
    union {
        struct item_data data;
        struct item_topic_create topic_create;
        struct item_topic_delete topic_delete;
        struct item_partitions_add partitions_add;
        struct item_config_set config_set;
        struct item_trim trim;
        struct item_replace replace;
    };
};

// item_encode appends the frame. Fails only through out->failed.
void item_encode(const struct item *item, struct buf *out);
// item_decode reads one frame; strings borrow the input, arrays live in the arena. ERR_CORRUPT on anything it
// does not understand, unknown kinds and versions included.
enum err item_decode(struct reader *r, struct arena *arena, struct item *ret, struct error *e);
const char *item_kind_name(enum item_kind kind);
// item_print writes one line for people (strom dump).
void item_print(const struct item *item, struct buf *out);

#endif
