// SPDX-License-Identifier: Apache-2.0
// core.h - the state machine: apply(state, bundle) -> outcomes, facts. Topics, partitions, offsets,
// idempotent producers, configs, groups, quotas. Pure: no I/O, clock, threads or globals; two runs over the
// same bundles give the same state hash. The owner serialises all calls (the broker's one lock); every call
// is short and bounded.
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "base/list.h"
#include "core/item.h"
#include "core/setting.h"

struct core;
struct topic;     // opaque; valid until it is deleted by apply: never keep one across an unlock
struct partition; // likewise; keep (topic id, index) or the slot with its generation instead
struct group;     // likewise; keep its id

struct core *core_create(void);
void core_destroy(struct core *take_core);

// ---- apply

// A bundle as the engine ordered it.
struct core_bundle {
    uint64_t lsn;     // dense: each bundle is one more than the one before
    int64_t stamp_ms; // wall clock at seal, never going backwards (LogAppendTime)
    int64_t time_ms;  // time for expiry: never faster than the monotonic clock
    uint64_t object;  // where its payload lies
    int64_t payload_position;
    struct bytes meta; // item frames
    uint32_t item_count;
};

struct outcome {
    enum err err;
    bool is_duplicate;        // DATA: an earlier copy was appended; base_offset is that copy's
    bool is_refused;          // DATA: its verdict is no, and holds; err is ERR_INVALID_RECORD
    int64_t base_offset;      // DATA: assigned; -1 on error
    int64_t log_start_offset; // DATA, TRIM: after the item
    int64_t value; // PRODUCER_ID, TXN_INIT, TXN_END: the producer id; DOCUMENTS: the last NUMBER_NEXT
    int16_t producer_epoch; // TXN_INIT, TXN_END: the epoch from now on
    int32_t leader_epoch;   // DATA: to be patched into the batch
};

// What changed, level-triggered: act on the state as it is when the lock is released.
struct core_facts {
    uint32_t *slots;          // partitions whose high watermark or log start moved, each once
    uint64_t *appended_bytes; // per slot entry: payload bytes appended
    uint32_t slot_count;
    uint32_t slot_cap;
    uint64_t
        *dead_objects; // objects that no longer hold a live extent (WAL files not included while current)
    uint32_t dead_count;
    uint32_t dead_cap;
    uint32_t marker_count;  // markers appended: extents without payload
    bool catalogue_changed; // topics, partitions or configs
};
void core_facts_init(struct core_facts *facts);
void core_facts_reset(struct core_facts *facts);
void core_facts_fini(struct core_facts *facts);

// core_apply applies the items in order. ret_outcomes has item_count entries. A frame that does not decode
// here is a broken invariant of the caller, which checked the bundle's CRC: ERR_CORRUPT, state unchanged from
// that item on. lsn must be core_lsn() + 1.
enum err core_apply(struct core *core, const struct core_bundle *bundle, struct outcome *ret_outcomes,
                    struct core_facts *facts, struct error *e);

uint64_t core_lsn(const struct core *core);     // last applied
int64_t core_stamp_ms(const struct core *core); // of the last applied bundle
int64_t core_time_ms(const struct core *core);
// core_next_deadline_ms: when a TICK has something to do, in bundle time_ms; INT64_MAX = never.
int64_t core_next_deadline_ms(const struct core *core);

// ---- reading: topics

struct topic *core_topic_find(const struct core *core, struct str name);   // NULL if unknown
struct topic *core_topic_find_id(const struct core *core, struct uuid id); // NULL if unknown
// core_topic_collides finds another topic whose name differs only by '.' and '_' (KIP-4 metrics names), or
// NULL.
struct topic *core_topic_collides(const struct core *core, struct str name);
// Topics in name order: index from 0 to core_topic_count; core_topic_lower_bound finds the first name >=
// from.
// core_catalogue_serial differs after every change of topics, partitions or configs.
uint64_t core_catalogue_serial(const struct core *core);
uint32_t core_topic_count(const struct core *core);
struct topic *core_topic_at(const struct core *core, uint32_t index);
uint32_t core_topic_lower_bound(const struct core *core, struct str from);
uint64_t core_partition_total(const struct core *core);

struct str topic_name(const struct topic *topic);
struct uuid topic_id(const struct topic *topic);
int32_t topic_partition_count(const struct topic *topic);
struct partition *topic_partition(const struct topic *topic, int32_t index); // NULL outside the range
// Configs as set (sorted by key), their revision, and the effective values (topic, else broker, else
// default).
const struct item_config *topic_configs(const struct topic *topic, uint32_t *ret_count);
uint64_t topic_config_revision(const struct topic *topic);
// topic_is_governed: contracts judge what enters (core/governance.h). topic_letters names the topic that its
// settings put dead letters into, NULL ptr = none; it is there, and not governed, as are those that rules of
// its contracts name (governance_rule_topics). core_topic_naming gives a topic that names this one so, NULL =
// none: while there is one, the named one cannot be deleted.
enum { TOPIC_LETTERS_SIZE = ITEM_NAME_MAX + 8 };
bool topic_is_governed(const struct topic *topic);
struct str letters_topic(struct str name, const struct item_config *configs, uint32_t count,
                         bool *ret_is_governed, char room[TOPIC_LETTERS_SIZE]); // of configs to be
struct str topic_letters(const struct topic *topic, char room[TOPIC_LETTERS_SIZE]);
struct topic *core_topic_naming(const struct core *core, struct str name);
const struct topic_settings *topic_settings(const struct core *core, const struct topic *topic);
const struct item_config *core_broker_configs(const struct core *core, uint32_t *ret_count);
uint64_t core_broker_config_revision(const struct core *core);
// core_static_configs_set copies the broker configs given at start (file, flags): topic_settings falls back
// to them below the dynamic ones. Not part of the state: apply never looks at them. ERR_INVALID_CONFIG: a key
// occurs twice.
enum err core_static_configs_set(struct core *core, const struct item_config *configs, uint32_t count);

// ---- reading: partitions

uint32_t core_slot_count(const struct core *core);                           // slots are dense and reused
struct partition *core_partition_at(const struct core *core, uint32_t slot); // NULL if the slot is free
struct topic *partition_topic(const struct partition *p);
int32_t partition_index(const struct partition *p);
uint32_t partition_slot(const struct partition *p);
uint64_t partition_generation(const struct partition *p); // differs between successive users of a slot
int64_t partition_log_start(const struct partition *p);
int64_t partition_high_watermark(const struct partition *p); // = log end
int32_t partition_leader_epoch(const struct partition *p);
uint64_t partition_bytes(const struct partition *p); // stored bytes of live extents
uint32_t partition_extent_count(const struct partition *p);
// extent_marker_build writes the control batch that a marker extent stands for.
void extent_marker_build(const struct extent *extent, uint8_t ret[MARKER_SIZE]);
uint64_t partition_unmerged_bytes(const struct partition *p); // in extents without EXTENT_FINAL
const struct extent *partition_extent(const struct partition *p, uint32_t index); // in offset order
// partition_extent_search: index of the first extent whose end_offset > offset; extent_count if none.
uint32_t partition_extent_search(const struct partition *p, int64_t offset);
// partition_epoch_end answers OffsetForLeaderEpoch (KIP-101, KIP-279): the largest epoch <= `epoch` that the
// log has, and the offset where it ends. As in Kafka, both -1 above the current epoch; below the first one
// still known it is the epoch asked for, ending where the first one starts.
void partition_epoch_end(const struct partition *p, int32_t epoch, int32_t *ret_epoch,
                         int64_t *ret_end_offset);
// partition_epoch_at: the leader epoch of the record at `offset` (the current one at or past the end).
int32_t partition_epoch_at(const struct partition *p, int64_t offset);

// partition_last_stable_offset: the first offset of the oldest open transaction here, else the high
// watermark.
int64_t partition_last_stable_offset(const struct partition *p);
// Aborted transactions whose records may lie in [from, to), in the order of their markers: for KIP-98's
// aborted list. partition_aborted_search gives the index of the first whose marker is at or after `from`.
struct aborted_view {
    int64_t producer_id;
    int64_t first_offset;
    int64_t marker_offset;
    int64_t stable_offset; // last stable offset after it: none that ended later began before this
};
uint32_t partition_aborted_count(const struct partition *p);
uint32_t partition_aborted_search(const struct partition *p, int64_t from);
void partition_aborted_at(const struct partition *p, uint32_t index, struct aborted_view *ret);

struct producer_view {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t last_sequence;
    int64_t last_offset;
    int64_t last_time_ms;
    uint64_t place;           // among the partition's producers: rises with each append
    int64_t txn_start_offset; // of its open transaction here; -1 = none
};
uint32_t partition_producers(const struct partition *p, struct producer_view *ret_views, uint32_t max);
// partition_producer_find: what the partition remembers of one producer; false: nothing.
bool partition_producer_find(const struct core *core, const struct partition *p, int64_t producer_id,
                             struct producer_view *ret);
// partition_producers_next walks them in steps while others append: up to `max` that follow what earlier
// calls gave (`seen`), longest unused first; 0 at the end. One that appended in between is given a second
// time.
uint32_t partition_producers_next(const struct core *core, const struct partition *p,
                                  const struct producer_view *seen, uint32_t seen_count,
                                  struct producer_view *ret_views, uint32_t max);

// ---- reading: groups. What a group must not forget: its last complete generation and its offsets. Rounds
// that are running, heartbeats and timeouts are the coordinator's (group/group.h).

struct group *core_group_find(const struct core *core, struct str id); // NULL if unknown
// Groups in id order: index from 0 to core_group_count; core_group_lower_bound finds the first id >= from.
uint32_t core_group_count(const struct core *core);
struct group *core_group_at(const struct core *core, uint32_t index);
uint32_t core_group_lower_bound(const struct core *core, struct str from);

struct str group_id(const struct group *group);
int32_t group_generation(const struct group *group);
struct str group_protocol_type(const struct group *group); // empty: only offsets were ever committed
struct str group_protocol_name(const struct group *group); // NULL ptr = none
struct str group_leader(const struct group *group);        // NULL ptr = none
uint32_t group_member_count(const struct group *group);    // of the classic protocol, as group_member_at
const struct item_member *group_member_at(const struct group *group, uint32_t index); // in the order given
// group_empty_since_ms: core time at which its last member left; INT64_MIN if it never had one, INT64_MAX
// while it has some.
int64_t group_empty_since_ms(const struct group *group);
uint32_t group_offset_count(const struct group *group);

// Groups of the consumer protocol: their generation is the group's epoch. Blobs are what the items gave.
bool group_is_consumer(const struct group *group);
uint64_t group_revision(const struct group *group); // 0: of the classic protocol
struct bytes group_consumer_state(const struct group *group);
uint32_t group_consumer_count(const struct group *group);
const struct item_consumer_member *group_consumer_at(const struct group *group, uint32_t index); // by id

struct offset_view {
    struct topic *topic;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;
    int64_t commit_ms;    // core time
    int64_t retention_ms; // -1 = the broker's setting
    struct str metadata;
};
bool group_offset_find(const struct group *group, const struct topic *topic, int32_t partition,
                       struct offset_view *ret); // false: none
// group_offset_next gives the first offset after (topic id, partition) in that order, and so walks them all
// in any number of steps: start with a zero id and -1. False at the end.
bool group_offset_next(const struct group *group, struct uuid after_topic, int32_t after_partition,
                       struct offset_view *ret);
uint64_t core_offset_total(const struct core *core);

// ---- reading: transactions, by transactional id

struct txn; // opaque; valid until the lock is released
struct str txn_id(const struct txn *txn);
struct txn *core_txn_find(const struct core *core, struct str id);
struct txn *core_txn_find_producer(const struct core *core, int64_t producer_id);
uint32_t core_txn_count(const struct core *core);
struct txn *core_txn_at(const struct core *core, uint32_t index); // in id order
uint32_t core_txn_lower_bound(const struct core *core, struct str from);

enum txn_state { TXN_EMPTY, TXN_ONGOING, TXN_COMMITTED, TXN_ABORTED }; // the last two: how the last one ended
struct txn_view {
    struct str id;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t timeout_ms;
    enum txn_state state;
    int64_t start_ms; // bundle stamp; -1 unless ongoing
    uint32_t partition_count;
};
void txn_view(const struct txn *txn, struct txn_view *ret);
// core_txn_has: the partition is in the open transaction.
bool core_txn_has(const struct core *core, const struct txn *txn, const struct partition *p);
// txn_partition_next walks the partitions of an open transaction: NULL gives the first, NULL at the end.
struct partition *txn_partition_next(const struct core *core, const struct txn *txn,
                                     const struct partition *after);
// group_offset_is_pending: an open transaction has an offset of the group for this partition (KIP-447).
bool group_offset_is_pending(const struct core *core, struct str group_id, const struct topic *topic,
                             int32_t partition);

// ---- reading: quotas

struct quota_view {
    const struct item_quota_part *parts;
    uint32_t part_count;
    const struct item_quota_value *values;
    uint32_t value_count;
    uint64_t revision;
};
uint32_t core_quota_count(const struct core *core);
void core_quota_at(const struct core *core, uint32_t index,
                   struct quota_view *ret); // in order of their parts
bool core_quota_find(const struct core *core, const struct item_quota_part *parts, uint32_t part_count,
                     struct quota_view *ret);        // false: no such entity
uint64_t core_quota_serial(const struct core *core); // differs after every change of any quota

// ---- reading: documents (decision 0010). Immutable: a put makes a new one. Whoever holds a reference may
// read one without the lock, for as long as it likes.

struct document;
struct document *core_document_find(const struct core *core, struct str key); // NULL if unknown
// core_document_after gives the document with the lowest revision above `revision`; NULL at the end. Walks
// them all in the order of their last change: start with 0.
struct document *core_document_after(const struct core *core, uint64_t revision);
uint64_t core_document_serial(const struct core *core); // the last revision given: differs after every change
uint32_t core_document_count(const struct core *core);
uint64_t core_document_bytes(const struct core *core); // of keys and values
// core_document_removal_after gives the key of the first document that was removed with a revision above
// `revision`, and that revision; false: none. *ret_is_complete is false if some that were removed are
// forgotten: begin anew.
bool core_document_removal_after(const struct core *core, uint64_t revision, struct str *ret_key,
                                 uint64_t *ret_revision, bool *ret_is_complete);

struct document *document_ref(const struct document *document);
void document_unref(struct document *take_document); // NULL is a no-op; needs no lock
struct str document_key(const struct document *document);
struct bytes document_value(const struct document *document);
int64_t document_number(const struct document *document);
uint64_t document_revision(const struct document *document);
int64_t document_stamp_ms(const struct document *document); // of the bundle that put it

// ---- reading: what became of records (decision 0013), by topic

enum {
    TALLY_TOPIC_MAX = 2048,  // cells of a topic; frozen with DATA version 3, as the next one
    TALLY_TOTAL_MAX = 16384, // of all topics
};
// What was counted lately, over windows of different lengths.
enum tally_window { TALLY_MINUTE, TALLY_HOUR, TALLY_DAY, TALLY_WINDOWS };
struct tally_recent {
    int64_t window_ms;
    int64_t covered_ms; // the part of the window, up to now, that `counts` is about
    uint64_t counts[TALLY_RECORD_KINDS];
};
// One cell. Once three quarters of either limit are taken, new cells are made without `who`; at the limit, or
// by whoever has no name, what is counted goes to one cell for each kind that has neither (and counts beyond
// the limits): a topic's cells always add up.
struct tally_view {
    struct bytes who;
    struct bytes what;
    uint8_t kind; // enum tally_kind
    uint64_t count;
    int64_t stamp_ms; // of the last bundle that counted here
};
struct tally;
uint32_t core_tally_count(const struct core *core); // of all topics
uint32_t topic_tally_count(const struct topic *topic);
// topic_tally_next walks a topic's cells: NULL gives the first, NULL at the end.
const struct tally *topic_tally_next(const struct topic *topic, const struct tally *after);
void tally_view(const struct tally *tally, struct tally_view *ret);
// topic_tally_recent: records counted in each window before now_ms, on the clock of stamps. A window moves in
// steps of a twelfth (the day: an hour). Not part of the state: counted since this core object began to
// apply, which covered_ms tells.
void topic_tally_recent(const struct core *core, const struct topic *topic, int64_t now_ms,
                        struct tally_recent ret[TALLY_WINDOWS]);

// core_object_extents: live extents in an object; 0 = nothing refers to it.
uint64_t core_object_extents(const struct core *core, uint64_t object);
uint64_t core_object_max(const struct core *core); // highest object number ever seen in an item

// ---- admission of a DATA: refusals that can never become untrue, and duplicates of applied batches. ERR_OK
// = submit it; *ret_is_settled = the outcome is final now (stale epoch, unknown topic id, applied duplicate).
enum err core_admit(const struct core *core, const struct item *data, bool *ret_is_settled,
                    struct outcome *ret_outcome);
// core_verdict_holds: the verdict of a DATA, version 2, would be current if it were applied now.
bool core_verdict_holds(const struct core *core, const struct item_data *data);
// core_producer_is_known: the partition remembers batches of the item's producer, so its sequence is checked.
bool core_producer_is_known(const struct core *core, const struct item_data *data);

// ---- snapshots: a consistent cut taken in slices while apply goes on (docs/formats/snapshot.md)

// core_snapshot_begin marks the cut at core_lsn(). One at a time.
void core_snapshot_begin(struct core *core);
// core_snapshot_step serialises at most max_objects more topics, partitions, groups ..., and not many more
// once they are a megabyte (plus what apply had to save before changing it) onto out; true when the cut is
// complete.
bool core_snapshot_step(struct core *core, uint32_t max_objects, struct buf *out);
void core_snapshot_abort(struct core *core);
// core_load fills a fresh core from a whole snapshot. ERR_CORRUPT: unknown section, count or hash mismatch.
enum err core_load(struct core *core, struct bytes snapshot, struct error *e);
// core_state_hash covers everything a snapshot holds, whatever the order it was written in. Walks the whole
// state.
uint64_t core_state_hash(const struct core *core);
uint64_t core_state_bytes(const struct core *core); // rough heap use, for the memory cap

#endif
