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
    ITEM_GROUP_SET = 11,     // the membership of a consumer group as a whole, against an expected generation
    ITEM_GROUP_DELETE = 12,  // a group without members goes, with its offsets
    ITEM_OFFSET_COMMIT = 13, // a group's positions
    ITEM_OFFSET_DELETE = 14, // positions of a group go: on request, or because they are old
    ITEM_QUOTA_SET = 15,     // all quotas of one entity
    ITEM_TXN_INIT = 16,      // a transactional id gets its producer id and next epoch
    ITEM_TXN_ADD = 17,       // partitions and groups join the open transaction, beginning it
    ITEM_TXN_OFFSETS = 18,   // positions of a group that take effect when the transaction commits
    ITEM_TXN_END = 19,       // commit or abort, in every partition and for all offsets at once
    ITEM_CONSUMER_SET = 24,  // what changed in a group of the consumer protocol (KIP-848)
    ITEM_DOCUMENTS = 28,     // documents are put and removed, under conditions
};

enum {
    ITEM_NAME_MAX = 249,           // topic name bytes
    ITEM_CONFIGS_MAX = 256,        // config entries per resource
    ITEM_CONFIG_VALUE_MAX = 32768, // bytes of one config value
    ITEM_REPLACE_EXTENTS_MAX = 256,
    ITEM_PARTITIONS_MAX = 200000,    // partitions of one topic
    ITEM_TEXT_MAX = 32767,           // bytes of a group id, member id, client id, offset metadata ...
    ITEM_GROUP_BYTES_MAX = 8 << 20,  // subscription and assignment of one member
    ITEM_GROUP_MEMBERS_MAX = 100000, // members in one GROUP_SET
    ITEM_OFFSET_ENTRIES_MAX = 10000, // entries of one OFFSET_COMMIT or OFFSET_DELETE
    ITEM_TXN_GROUPS_MAX = 1000,      // groups of one TXN_ADD, and of one transaction
    ITEM_QUOTA_PARTS_MAX = 3,        // entity parts: user, client-id, ip
    ITEM_QUOTA_VALUES_MAX = 16,      // quotas of one entity
    ITEM_DOCUMENT_KEY_MAX = 4096,    // bytes
    ITEM_DOCUMENT_VALUE_MAX = 8 << 20,
    ITEM_DOCUMENTS_MAX = 10000,    // conditions, and likewise changes, of one DOCUMENTS
    ITEM_DATA_CONDITIONS_MAX = 64, // documents that the verdict on one batch rests on
    ITEM_DATA_TARGETS_MAX = 16,    // partitions that its dead letters go to
    ITEM_DATA_TALLIES_MAX = 64,    // cells that its records are counted in
    ITEM_TALLY_KEY_MAX = 2048,     // bytes that name such a cell, or whose it is
};

enum {
    DATA_ADDS = 1 << 14
}; // Produce v12+ (KIP-890): the partition joins the open transaction, or begins it

struct item_condition {
    struct str key;    // of a document
    uint64_t revision; // it must have; 0 = it must not exist
};
struct item_target { // a partition
    struct uuid topic_id;
    int32_t partition;
};

// What became of records (decision 0013): cells of their topic count them, once, when the batch takes effect
// or its refusal is final. Each record of a batch is counted as one of the first five kinds, and what was
// found about it as others: TALLY_FINDING, and what the finding asked for as the difference to TALLY_PASSED.
enum tally_kind {
    TALLY_PASSED = 0,
    TALLY_OBSERVED = 1,
    TALLY_MARKED = 2,
    TALLY_DEAD_LETTERED = 3,
    TALLY_REFUSED = 4,
    TALLY_FINDING = 5,
};
enum { TALLY_RECORD_KINDS = TALLY_FINDING, TALLY_KINDS = 2 * TALLY_FINDING };
struct item_tally {
    struct bytes what; // a contract's, or a rule's: its writer's to read. Never empty but for what is unknown
    uint8_t kind;      // enum tally_kind
    uint32_t count;    // never 0
};

enum data_flags {     // version 2
    DATA_JUDGED = 1,  // by the contracts of its topic: the verdict rests on config_revision and conditions
    DATA_REFUSED = 2, // with DATA_JUDGED: the verdict is no. No payload; nothing is appended
};

// A batch that depends on another one (depends_on) is a dead letter of it: it goes to a topic that is not
// governed, and in a transaction it has that one's producer and no sequence (base_sequence -1).
struct item_data {
    struct uuid topic_id;
    int32_t partition;
    int64_t producer_id; // -1 = none
    int16_t producer_epoch;
    int16_t attributes; // as in the batch, and DATA_ADDS
    int32_t base_sequence;
    int32_t offset_span;  // offsets the batch occupies: last_offset_delta + 1
    int32_t record_count; // records in it
    int64_t max_timestamp;
    uint32_t payload_position; // from the start of the bundle's payload; set when the bundle is sealed
    uint32_t payload_length;
    uint64_t verdict_lsn; // version 1: nothing looks at it
    // version 2
    uint8_t flags;            // enum data_flags
    uint64_t config_revision; // of the topic's configs, with DATA_JUDGED; as all that follows
    struct item_condition *conditions;
    uint32_t condition_count;
    struct item_target *targets; // of its dead letters, one for each
    uint32_t target_count;
    // version 3
    struct bytes tally_who; // whose records they are: its writer's to read
    struct item_tally *tallies;
    uint32_t tally_count;
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

// A run of stored records of one partition. Offsets: [base_offset, end_offset). After compaction there need
// not be a batch for each of them, but the last batch ends where the extent does.
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
    EXTENT_MARKER = 2, // one transaction marker that lies in no object: see extent_marker
    EXTENT_COMMIT = 4, // with EXTENT_MARKER: of a commit, else of an abort
    EXTENT_CLEAN = 8,  // compacted: no record here has a newer one for its key up to the end of this extent,
                       // and none is of an aborted transaction
};
// A marker extent has object 0; `position` is the producer id, the upper half of `flags` its epoch,
// `max_timestamp` the stamp of the bundle that ended the transaction, `length` MARKER_SIZE. A merge writes
// the same bytes into its object, where they are an ordinary control batch.
enum { MARKER_SIZE = 78 };

// REPLACE of one partition: `old` names exactly the extents to go, by (object, position, base_offset), in
// offset order and contiguous. `fresh` covers the same offsets, though it need not have a record for each.
// Atomic: any mismatch but trimming makes it a no-op.
struct item_replace {
    struct uuid topic_id;
    int32_t partition;
    struct extent *old_extents;
    uint32_t old_count;
    struct extent *fresh_extents;
    uint32_t fresh_count;
};

// One member of a group as it must survive a restart.
struct item_member {
    struct str member_id;
    struct str instance_id; // NULL ptr = a dynamic member (KIP-345)
    struct str client_id;
    struct str client_host;
    int32_t session_timeout_ms;
    int32_t rebalance_timeout_ms;
    struct bytes subscription; // its metadata for the chosen protocol
    struct bytes assignment;
};

// The whole membership of a group: a generation that is complete, or no members at all (the group is empty).
// Refused with ERR_STALE unless the group's generation is the expected one; a group that does not exist has
// generation 0, and is created (ERR_POLICY_VIOLATION: over strom.groups.max). ERR_INVALID_REQUEST: a
// generation below 0, a member id that is empty or not unique.
struct item_group_set {
    struct str group_id;
    int32_t expected_generation;
    int32_t generation;
    struct str protocol_type; // "consumer", "connect", ...
    struct str protocol_name; // NULL ptr = none
    struct str leader;        // member id; NULL ptr = none
    struct item_member *members;
    uint32_t member_count;
};

// ERR_GROUP_ID_NOT_FOUND, ERR_NON_EMPTY_GROUP; ERR_STALE if must_be_bare and it has offsets.
struct item_group_delete {
    struct str group_id;
    bool must_be_bare; // only if it has no offsets either (clean-up)
};

// One member of a group of the consumer protocol. What it subscribes to, has to get and has is the
// coordinator's to read (group/consumer_codec.c); apply needs the epoch alone.
enum item_consumer_parts { CONSUMER_METADATA = 1, CONSUMER_TARGET = 2, CONSUMER_CURRENT = 4 };
struct item_consumer_member {
    struct str member_id;
    uint8_t parts;         // item_consumer_parts that are given; the others stay
    struct bytes metadata; // who it is, its subscription
    struct bytes target;   // what it is to get
    int32_t epoch;         // with `current`
    struct bytes current;  // what it has, and has to give back
};

// The changes of one group of the consumer protocol, all or none. The group becomes one if it is not: its
// classic members, or those of an older life, go. ERR_STALE unless generation and revision are the expected
// ones (a group that does not exist has generation 0; one of the classic protocol revision 0);
// ERR_POLICY_VIOLATION: a new group over strom.groups.max. ERR_INVALID_REQUEST: a generation below 0, ids
// that are empty or not rising, a new member without metadata.
struct item_consumer_set {
    struct str group_id;
    int32_t expected_generation;
    uint64_t expected_revision; // the item makes it one more
    int32_t generation;         // the group's epoch
    struct bytes state;         // of the group as a whole: the coordinator's to read
    struct str *gone;           // member ids, rising; those that are not there are skipped
    uint32_t gone_count;
    struct item_consumer_member *members; // by rising id, after `gone` went
    uint32_t member_count;
};

struct item_offset {
    struct uuid topic_id;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch; // -1 = unknown
    int64_t retention_ms; // -1 = the broker's setting (OffsetCommit v2 to v4 may say)
    struct str metadata;  // never NULL
};

// generation >= 0: the member must be in the group's current generation, or in a group of the consumer
// protocol have that epoch (ERR_UNKNOWN_MEMBER_ID, then
// ERR_ILLEGAL_GENERATION, which a group that does not exist gives too). -1: the group must have no members
// (ERR_UNKNOWN_MEMBER_ID); it is created if it does not exist. Entries of topics or partitions that are gone
// are skipped; an item with nothing left creates no group. Of two entries for one partition the later counts.
// ERR_POLICY_VIOLATION: over strom.group.offsets.max or strom.groups.max; nothing of the item is taken.
struct item_offset_commit {
    struct str group_id;
    int32_t generation;
    struct str member_id; // not looked at outside a generation
    struct item_offset *offsets;
    uint32_t offset_count;
};

struct item_offset_name {
    struct uuid topic_id;
    int32_t partition;
};
// An entry goes if its commit time, and the time the group lost its last member, are <= cutoff_ms; one with a
// retention of its own once that is over by core time, whatever the cutoff. INT64_MAX = each goes in any
// case. ERR_GROUP_ID_NOT_FOUND; ERR_STALE unless expected_generation is the group's (-1 = not looked at).
struct item_offset_delete {
    struct str group_id;
    int32_t expected_generation;
    int64_t cutoff_ms; // in core time
    struct item_offset_name *names;
    uint32_t name_count;
};

enum quota_part_type { QUOTA_USER = 0, QUOTA_CLIENT_ID = 1, QUOTA_IP = 2 };
struct item_quota_part {
    enum quota_part_type type;
    struct str name; // NULL ptr = the default of this type
};
struct item_quota_value {
    struct str key; // "producer_byte_rate", ...
    double value;
};
// The whole set of one entity, no values = the entity goes. ERR_STALE unless its revision is the expected
// one; one that does not exist has revision 0. ERR_INVALID_REQUEST: parts or values not in their order;
// ERR_POLICY_VIOLATION: over strom.quotas.max.
struct item_quota_set {
    struct item_quota_part *parts; // rising by type, each at most once
    uint32_t part_count;
    uint64_t expected_revision;
    struct item_quota_value *values; // sorted by key
    uint32_t value_count;
};

// Transactions (KIP-98, KIP-360, KIP-447, KIP-890). A transaction has an end marker in each of its
// partitions: one offset whose bytes nobody stores (an extent with EXTENT_MARKER), written by whatever ends
// the transaction: TXN_END, a TXN_INIT that finds one open, or a TICK once its timeout is over.

// A new epoch of the id's producer, or a new producer near the end of epochs or for an id not seen before. An
// open transaction is aborted first. With an expected producer (KIP-360) only if that is the current one, or
// the one before (a retry: nothing changes). ERR_PRODUCER_FENCED, ERR_TXN_TIMEOUT... are the planner's.
struct item_txn_init {
    struct str txn_id;
    int32_t timeout_ms;
    int64_t expected_producer_id; // -1 = not looked at
    int16_t expected_epoch;
};

struct item_txn_partition {
    struct uuid topic_id;
    int32_t partition;
};
// ERR_INVALID_PRODUCER_ID_MAPPING: the id is not known, or has another producer; ERR_PRODUCER_FENCED: its
// epoch is newer. ERR_POLICY_VIOLATION: more partitions in open transactions than strom.producer.ids.max, or
// more groups in this one than ITEM_TXN_GROUPS_MAX, or too long names.
struct item_txn_add {
    struct str txn_id;
    int64_t producer_id;
    int16_t producer_epoch;
    struct item_txn_partition *partitions;
    uint32_t partition_count;
    struct str *groups;
    uint32_t group_count;
};

// Judged as TXN_ADD, then as OFFSET_COMMIT of the group (generation -1 = outside a generation: not looked
// at). The group must have been added, unless `adds` (TxnOffsetCommit v5+, KIP-890): ERR_INVALID_TXN_STATE.
struct item_txn_offsets {
    struct str txn_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool adds;
    struct item_offset_commit commit;
};

// The epoch must be the current one (ERR_PRODUCER_FENCED, ERR_INVALID_PRODUCER_EPOCH for a newer one). The
// same end again, by the same epoch (with `bumps`: the one before), is a success that changes nothing.
// Without an open transaction: ERR_INVALID_TXN_STATE, but an abort with `bumps` raises the epoch.
struct item_txn_end {
    struct str txn_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool is_commit;
    bool bumps;     // EndTxn v5+ (KIP-890): the epoch rises with each end
    bool is_forced; // an administrator's abort: the epoch rises, and the producer is fenced
};

// Documents (decision 0010): what a key stands for is its writer's to know. A revision is unique for ever.
enum document_op { DOCUMENT_PUT = 0, DOCUMENT_REMOVE = 1 };
enum document_number_op {
    NUMBER_SET = 0,
    NUMBER_ADD = 1,  // to what the document has; one that does not exist has 0
    NUMBER_NEXT = 2, // one more than the counter document has, which is put with that number
    NUMBER_COPY = 3, // what another document has
};
struct item_document {
    enum document_op op;
    struct str key;
    struct bytes value; // PUT: NULL ptr = as it is, empty for a new one
    enum document_number_op number_op;
    int64_t number;     // of SET and ADD
    struct str counter; // of NEXT and COPY: the other document's key
};
// All or none. ERR_STALE: a condition does not hold; ERR_POLICY_VIOLATION: over strom.documents.max or
// strom.documents.bytes.max, unless nothing is put; ERR_INVALID_REQUEST: an empty key. Numbers stop at the
// ends of their range. Changes are made in their order; a REMOVE of what is not there changes nothing.
struct item_documents {
    struct item_condition *conditions;
    uint32_t condition_count;
    struct item_document *documents;
    uint32_t document_count;
};

struct item {
    enum item_kind kind;
    uint8_t version; // ITEM_DATA: 1, 2 or 3; 1 for every other kind
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
        struct item_group_set group_set;
        struct item_group_delete group_delete;
        struct item_offset_commit offset_commit;
        struct item_offset_delete offset_delete;
        struct item_quota_set quota_set;
        struct item_txn_init txn_init;
        struct item_txn_add txn_add;
        struct item_txn_offsets txn_offsets;
        struct item_txn_end txn_end;
        struct item_consumer_set consumer_set;
        struct item_documents documents;
    };
};

// item_encode appends the frame. Fails only through out->failed.
void item_encode(const struct item *item, struct buf *out);
// item_decode reads one frame; strings borrow the input, arrays live in the arena. ERR_CORRUPT on anything it
// does not understand, unknown kinds and versions included.
enum err item_decode(struct reader *r, struct arena *arena, struct item *ret, struct error *e);
// item_encoded_max bounds the size of the encoded frame; close to it for everything that can be large.
size_t item_encoded_max(const struct item *item);
const char *item_kind_name(enum item_kind kind);
// item_print writes one line for people (strom dump).
void item_print(const struct item *item, struct buf *out);

#endif
