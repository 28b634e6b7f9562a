// SPDX-License-Identifier: Apache-2.0
// core_private.h - the state and the helpers that the files of core/ share. Nobody else includes it.
#ifndef CORE_CORE_PRIVATE_H
#define CORE_CORE_PRIVATE_H

#include "base/map.h"
#include "core/core.h"

enum {
    PRODUCER_WINDOW = 5,          // batches remembered per producer (Kafka's duplicate window)
    PARTITION_EPOCHS_MAX = 1024,  // older leader epochs kept per partition
    EXTENT_LENGTH_MAX = 4 << 20,  // bytes to which appends of one bundle grow one extent
    TICK_EXPIRE_MAX = 1000,       // producers that one TICK expires
    INSERT_EVICT_MAX = 2,         // producers that one new producer pushes out
    RECLAIM_PARTITIONS_MAX = 64,  // deleted partitions freed per bundle
    RECLAIM_THINGS_MAX = 4096,    // extents, producers and offsets freed per bundle
    SCRATCH_BYTES_MAX = 64 << 20, // decoded form of one item
    OFFSET_PAGE_PARTITIONS = 256, // partitions of one topic whose offsets of one group lie together
    OFFSET_PAGE_HEIGHT_MAX = 10,  // links of a page on the skip list of its group
    OFFSET_TEXT_SHARE = 128,      // bytes of metadata, for each of strom.group.offsets.max
    TXN_TEXT_COST = 64,           // of a transactional id, or of a group in a transaction, beside its bytes
    TXN_TEXT_SHARE = 256,         // such bytes and costs, for each of strom.transactional.ids.max
    CONSUMER_PARTS = CONSUMER_METADATA | CONSUMER_TARGET | CONSUMER_CURRENT,
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_KEEP_BYTES = 1 << 20, // memory that the buffer of saved records keeps between steps
    SNAPSHOT_STEP_BYTES = 1 << 20, // of records, which end a step before its number of objects
    DOCUMENT_REMOVALS_MAX = 4096,  // remembered for readers that follow
    DOCUMENT_NOTES_SHARE = 16,     // of the documents' bytes, beyond them: for changes of what is there
    SNAPSHOT_RECORD_HEAD_SIZE = 5, // body_length, kind
    TALLY_MINUTE_SLOTS = 12,       // steps in which windows move: 5 s, 5 min, 1 h
    TALLY_HOUR_SLOTS = 12,
    TALLY_DAY_SLOTS = 24,
    TALLY_SLOTS = TALLY_MINUTE_SLOTS + TALLY_HOUR_SLOTS + TALLY_DAY_SLOTS,
};

enum record_kind {
    RECORD_HEAD = 1,
    RECORD_TOPIC = 2,
    RECORD_PARTITION = 3,
    RECORD_PRODUCER = 4,
    RECORD_GROUP = 5,
    RECORD_OFFSETS = 6, // one page
    RECORD_QUOTA = 7,
    RECORD_TXN = 8,       // a transactional id
    RECORD_ABORTED = 9,   // of one partition
    RECORD_CONSUMER = 12, // the members of a group of the consumer protocol
    RECORD_DOCUMENT = 16,
    RECORD_DOCUMENTS = 17, // the last revision given
    RECORD_TALLY = 20,     // one cell
    RECORD_END = 255,
};

// A sorted set of configs in one allocation.
struct config_set {
    struct item_config *configs;
    uint32_t count;
    uint64_t revision;
    size_t size; // heap bytes
};

// A topic that takes another one's dead letters, by its name.
struct taker_node {
    struct map_node by_name;
    struct topic *topic; // that names it
};

struct topic {
    struct map_node by_name;
    struct map_node by_id;
    struct map_node by_shape; // the name with '.' read as '_'
    struct list in_dying;     // deleted, memory not yet given back
    struct list offset_pages; // of all groups
    struct list tallies;      // in the order of creation
    uint32_t tally_count;
    struct tally_slot *tally_slots; // TALLY_SLOTS of them; NULL: none counted. Not part of the state
    uint32_t txn_partition_count;   // its partitions in open transactions
    uint64_t serial;                // unique within this core object; not part of the state
    struct uuid id;
    struct partition **partitions;
    int32_t partition_count;
    int32_t partition_cap;
    struct config_set configs;
    struct topic_settings settings; // of configs, as of settings_serial
    uint64_t settings_serial;       // 0 = never resolved
    struct taker_node *takers;      // of configs: one for each topic that takes its dead letters
    uint64_t producer_count;
    uint32_t snap_gen;   // the cut that has it
    uint32_t delete_gen; // the newest cut when it was deleted
    bool is_deleted;
    bool is_governed; // of configs
    uint32_t taker_count;
    uint16_t name_len;
    char name[];
};

struct epoch_start {
    int32_t epoch;
    int64_t start_offset;
};

struct partition {
    struct topic *topic;
    uint64_t serial; // unique within this core object; not part of the state
    int32_t index;
    uint32_t slot;
    int64_t log_start;
    int64_t high_watermark;
    struct epoch_start epoch;       // the current one
    struct epoch_start *old_epochs; // rising, before it
    uint32_t old_epoch_count;
    uint32_t extent_first; // the vector's live part
    uint32_t extent_count;
    uint32_t extent_cap;
    struct extent *extents;
    uint64_t bytes;
    uint64_t unmerged_bytes;
    uint64_t append_lsn; // of the last append since start; not part of the state
    struct list producers;
    struct list txns;             // open ones: struct txn_partition.in_partition
    struct aborted_view *aborted; // in the order of their markers
    uint32_t aborted_first;
    uint32_t aborted_count;
    uint32_t aborted_cap;
    uint32_t snap_gen;
    uint32_t fact_index; // where facts may have it; checked before use
};

struct producer_batch {
    int32_t base_sequence;
    int32_t offset_span; // 0: none was appended yet, and this sequence comes next
    int64_t base_offset;
};

// What is known of one producer id in one partition. Never in a state without a batch.
struct producer {
    struct map_node by_key;
    struct list in_lru;
    struct list in_partition;
    struct partition *partition;
    int64_t producer_id;
    int64_t last_time_ms;
    uint64_t order; // rises along the LRU list
    uint32_t snap_gen;
    int16_t epoch;
    uint8_t window_count;
    struct producer_batch window[PRODUCER_WINDOW]; // oldest first
};

// The membership of a group. Members, their order and all texts are one allocation.
struct roster {
    struct item_member *members;    // as given; NULL if nothing had to be allocated
    struct item_member **by_member; // sorted by member id
    uint32_t count;
    size_t size; // heap bytes
    struct str protocol_type;
    struct str protocol_name;
    struct str leader;
};

// The membership of a group of the consumer protocol.
struct consumer_entry {
    struct item_consumer_member member; // each text and blob owned; all parts
};
struct consumer_roster {
    struct consumer_entry **entries; // by member id
    uint32_t count;
    uint32_t cap;
    uint64_t revision;
    struct bytes state; // owned
};

struct group {
    struct map_node by_id;
    struct list in_all; // living ones in the order of creation, or the dying ones
    struct roster roster;
    struct consumer_roster *consumer; // NULL: of the classic protocol
    int32_t generation;
    uint32_t offset_count; // of living topics
    uint64_t offset_text;  // bytes of their metadata
    int64_t empty_since_ms;
    struct offset_page *pages[OFFSET_PAGE_HEIGHT_MAX]; // the skip list's start
    uint32_t snap_gen;
    uint32_t delete_gen; // as of a topic
    bool is_deleted;
    uint16_t id_len;
    char id[];
};

struct offset_entry {
    int64_t offset;
    int64_t commit_ms;
    int64_t retention_ms; // -1 = none of its own
    char *metadata;       // NULL when empty
    int32_t leader_epoch;
    uint16_t metadata_len;
    uint8_t index; // partition % OFFSET_PAGE_PARTITIONS
};

// A page is part of the state while its group and its topic live. It outlives neither, and is never empty.
struct offset_page {
    struct list in_all; // in the order of creation
    struct list in_topic;
    struct group *group;
    struct topic *topic;
    struct offset_entry *entries; // in partition order
    int32_t number;               // partition / OFFSET_PAGE_PARTITIONS
    uint16_t count;
    uint16_t cap;
    uint32_t text; // bytes of metadata
    uint32_t snap_gen;
    uint8_t height;
    struct offset_page *next[]; // `height` of them
};

// One entity. Replaced as a whole; one allocation with its parts, values and texts.
struct quota {
    struct list in_all; // in the order of their last set
    struct quota_view view;
    size_t size;
    uint32_t snap_gen;
};

// A transactional id. Its partitions and groups are those of the open transaction.
struct txn {
    struct map_node by_id;
    struct map_node by_producer;
    struct list in_all; // in the order of creation
    struct list partitions;
    struct list groups;
    int64_t producer_id;
    int64_t previous_producer_id; // before the last rise of the epoch; -1 = none
    int64_t start_ms;             // bundle stamp; -1 unless ongoing
    int64_t deadline_ms;          // core time, of the open transaction
    int64_t used_ms;              // core time
    int32_t timeout_ms;
    uint32_t partition_count;
    uint32_t group_count;
    enum txn_state state;
    int16_t epoch;
    int16_t previous_epoch;
    bool is_init; // the epoch rose last by TXN_INIT or by force, not by an end
    uint32_t snap_gen;
    uint16_t id_len;
    char id[];
};

struct txn_partition {
    struct map_node by_key;
    struct list in_txn;
    struct list in_partition;
    struct txn *txn;
    struct partition *partition;
    int64_t first_offset; // -1 = added, and nothing written yet
};

// A pending offset.
struct txn_offset {
    struct map_node by_key;
    struct list in_group;
    struct txn_group *group;
    struct uuid topic_id;
    int32_t partition;
    int32_t leader_epoch;
    int64_t offset;
    char *metadata; // NULL when empty
    uint16_t metadata_len;
};

struct txn_group {
    struct list in_txn;
    struct list offsets;
    uint32_t offset_count;
    uint16_t id_len;
    char id[];
};

// A document: one allocation. The state holds one reference.
struct document {
    struct map_node by_key;
    uint32_t ref_count; // atomic
    uint32_t key_len;
    uint32_t value_len;
    uint32_t snap_gen;
    uint64_t revision;
    int64_t number;
    int64_t stamp_ms;
    char bytes[]; // key, value
};
struct document_removal {
    uint64_t revision;
    struct str key; // owned
};

// A cell in which a topic counts records. Part of the state while its topic lives.
struct tally {
    struct map_node by_key;
    struct list in_all; // in the order of creation
    struct list in_topic;
    struct topic *topic;
    uint64_t count;
    int64_t stamp_ms; // of the last bundle that counted here
    uint32_t snap_gen;
    uint16_t who_len;
    uint16_t what_len;
    uint8_t kind;
    uint8_t key[]; // who, what
};
struct tally_slot {
    int64_t number; // stamp_ms / the window's step
    uint64_t counts[TALLY_RECORD_KINDS];
};

struct object_ref {
    struct map_node by_object;
    uint64_t object;
    uint64_t extents;
};

// Bounds that apply reads from the broker's configs. Frozen with CONFIG_SET version 1.
struct core_limits {
    int64_t producer_expiration_ms;
    uint64_t producers_max;
    uint64_t partitions_max;
    uint64_t topics_max;
    uint64_t groups_max;
    uint64_t offsets_max;
    uint64_t quotas_max;
    uint64_t txns_max;
    int64_t txn_expiration_ms;
    uint64_t documents_max;
    uint64_t documents_bytes_max;
};

enum cut_phase {
    CUT_TOPICS,
    CUT_PARTITIONS,
    CUT_PRODUCERS,
    CUT_GROUPS,
    CUT_OFFSETS,
    CUT_QUOTAS,
    CUT_TXNS,
    CUT_DOCUMENTS,
    CUT_TALLIES,
    CUT_END
};

struct cut {
    bool is_active;
    uint32_t gen;     // of the newest cut; objects carry the gen of the cut that has them
    struct buf saved; // records that the next step hands out first
    enum cut_phase phase;
    char topic_name[ITEM_NAME_MAX]; // the last topic handed out
    size_t topic_name_len;
    uint32_t slot;                  // next partition slot
    struct producer *producer;      // next producer
    struct list *group;             // next of core->group_list; NULL = none
    struct list *page;              // next of core->offset_pages
    struct list *quota;             // next of core->quota_list
    struct list *txn;               // next of core->txn_list
    struct list *tally;             // next of core->tally_list
    uint64_t document_revision;     // documents up to here are handed out
    uint64_t document_revision_end; // those above came after the cut
    uint64_t record_count;
    uint64_t hash;
};

struct core {
    uint64_t lsn;
    int64_t stamp_ms;
    int64_t time_ms;
    struct arena scratch;

    struct map topics_by_name;
    struct map topics_by_id;
    struct map topics_by_shape;
    struct map topics_by_letters;
    struct topic **topics; // in name order
    uint32_t topic_count;
    uint32_t topic_cap;
    struct list dying; // deleted topics whose memory is not yet given back

    struct partition **slots;
    uint32_t slot_count;
    uint32_t slot_cap;
    uint32_t *free_slots;
    uint32_t free_slot_count;
    uint32_t free_slot_cap;
    uint64_t partition_total;  // of living topics
    uint64_t partition_serial; // last one given
    uint64_t topic_serial;     // last one given
    uint64_t catalogue_serial; // not part of the state

    struct map producers;
    struct list producer_lru; // longest unused first; may hold producers of dying partitions
    uint64_t producer_count;  // of living partitions
    uint64_t producer_order;  // last one given
    int64_t next_producer_id;

    struct map groups_by_id;
    struct group **groups; // in id order
    uint32_t group_count;
    uint32_t group_cap;
    struct list group_list;
    struct list dying_groups; // deleted, with pages that are not yet freed
    struct list offset_pages; // of living and dying groups and topics
    uint64_t offset_total;    // of living groups and topics
    uint64_t offset_text;     // bytes of their metadata
    uint64_t group_bytes;     // heap use of groups, pages and quotas

    struct quota **quotas; // in the order of their parts
    uint32_t quota_count;
    uint32_t quota_cap;
    struct list quota_list;
    uint64_t quota_serial; // not part of the state

    struct map txns_by_id;
    struct map txns_by_producer;
    struct map txn_partitions;
    struct map txn_offsets; // by group, topic and partition
    struct txn **txns;      // in id order
    uint32_t txn_count;
    uint32_t txn_cap;
    uint32_t txn_ongoing_count;
    struct list txn_list;
    uint64_t txn_offset_total; // pending
    uint64_t txn_offset_text;  // bytes of their metadata
    uint64_t txn_group_total;  // in open transactions
    uint64_t txn_text_total;   // bytes and costs of their names, and of transactional ids
    uint64_t txn_bytes;        // heap use, with what partitions have aborted
    int64_t txn_due_ms;        // nothing is due before; not part of the state

    struct map documents_by_key;
    struct document **documents;  // by revision; NULL where one was put again or removed
    uint64_t *document_revisions; // of each place, rising
    uint32_t document_places;
    uint32_t document_places_cap;
    uint32_t document_count;
    uint64_t document_bytes;
    uint64_t document_serial;
    struct document_removal *removals; // a ring; not part of the state
    uint32_t removal_count;            // ever
    uint64_t removals_from;            // those above this revision are all in the ring

    struct map tallies;     // by topic, who, what and kind
    struct list tally_list; // of living and dying topics
    uint32_t tally_count;   // of living topics
    uint64_t tally_bytes;   // heap use
    int64_t tally_since_ms; // what was counted before is in no slot. Not part of the state

    struct config_set configs;       // the broker's own
    struct config_set fixed_configs; // given at start; not part of the state
    uint64_t settings_serial;
    struct core_limits limits;

    struct map objects;
    uint64_t object_max;
    uint64_t extent_cap_total;

    struct cut cut;
};

// One run of core_apply.
struct apply {
    struct core *core;
    const struct core_bundle *bundle;
    struct core_facts *facts; // may be NULL
};

// ---- item.c: parts shared with snapshots

void name_encode(struct str name, struct buf *out);
struct str name_decode(struct reader *r); // empty once failed
void configs_encode(const struct item_config *configs, uint32_t count, struct buf *out);
struct item_config *configs_decode(struct reader *r, struct arena *arena, uint32_t *ret_count);
void extent_encode(const struct extent *extent, struct buf *out);
void extent_decode(struct reader *r, struct extent *ret);

// ---- item_group.c: likewise

void text_encode(struct str text, struct buf *out);
void text_or_null_encode(struct str text, struct buf *out);
struct str text_decode(struct reader *r); // empty once failed
struct str text_or_null_decode(struct reader *r);
void members_encode(const struct item_member *members, uint32_t count, struct buf *out);
struct item_member *members_decode(struct reader *r, struct arena *arena, uint32_t *ret_count);
void group_set_encode(const struct item_group_set *item, struct buf *out);
void group_set_decode(struct reader *r, struct arena *arena, struct item_group_set *ret);
void group_delete_encode(const struct item_group_delete *item, struct buf *out);
void group_delete_decode(struct reader *r, struct item_group_delete *ret);
void offset_commit_encode(const struct item_offset_commit *item, struct buf *out);
void offset_commit_decode(struct reader *r, struct arena *arena, struct item_offset_commit *ret);
void offset_delete_encode(const struct item_offset_delete *item, struct buf *out);
void offset_delete_decode(struct reader *r, struct arena *arena, struct item_offset_delete *ret);
void blob_encode(struct bytes blob, struct buf *out);
struct bytes blob_decode(struct reader *r);
void consumer_member_encode(const struct item_consumer_member *member, struct buf *out);
struct item_consumer_member *consumer_members_decode(struct reader *r, struct arena *arena,
                                                     uint32_t *ret_count);
void consumer_set_encode(const struct item_consumer_set *item, struct buf *out);
void consumer_set_decode(struct reader *r, struct arena *arena, struct item_consumer_set *ret);
void quota_set_encode(const struct item_quota_set *item, struct buf *out);
void quota_set_decode(struct reader *r, struct arena *arena, struct item_quota_set *ret);
// count_is_possible: the bytes left can hold `count` things of at least this size.
bool count_is_possible(struct reader *r, uint32_t count, uint32_t max, size_t size_min);

// ---- item_txn.c

void txn_init_encode(const struct item_txn_init *item, struct buf *out);
void txn_init_decode(struct reader *r, struct item_txn_init *ret);
void txn_add_encode(const struct item_txn_add *item, struct buf *out);
void txn_add_decode(struct reader *r, struct arena *arena, struct item_txn_add *ret);
void txn_offsets_encode(const struct item_txn_offsets *item, struct buf *out);
void txn_offsets_decode(struct reader *r, struct arena *arena, struct item_txn_offsets *ret);
void txn_end_encode(const struct item_txn_end *item, struct buf *out);
void txn_end_decode(struct reader *r, struct item_txn_end *ret);

// ---- item_data.c

void data_encode(const struct item_data *data, uint8_t version, struct buf *out);
void data_decode(struct reader *r, struct arena *arena, uint8_t version, struct item_data *ret);
size_t data_encoded_max(const struct item_data *data);
void data_judged_print(const struct item_data *data, struct buf *out);

// ---- item_document.c

void condition_encode(const struct item_condition *condition, struct buf *out);
void condition_decode(struct reader *r, struct item_condition *ret);
void conditions_print(const struct item_condition *conditions, uint32_t count, struct buf *out);
void documents_encode(const struct item_documents *item, struct buf *out);
void documents_decode(struct reader *r, struct arena *arena, struct item_documents *ret);
size_t documents_encoded_max(const struct item_documents *item);
void documents_print(const struct item_documents *item, struct buf *out);
void document_body(const struct document *document, struct buf *out);
bool document_load(struct core *core, struct bytes body);

// ---- documents.c

bool conditions_hold(const struct core *core, const struct item_condition *conditions, uint32_t count);
enum err documents_apply(struct apply *a, const struct item_documents *item, uint8_t version,
                         struct outcome *ret);
// document_put makes or replaces; revisions rise from call to call.
void document_put(struct core *core, struct str key, struct bytes value, int64_t number, int64_t stamp_ms,
                  uint64_t revision);
// documents_sort puts what was loaded into the order of revisions; false if two have the same.
bool documents_sort(struct core *core);
void core_documents_fini(struct core *core);

// ---- tallies.c

// tallies_apply counts what the batch says, which has taken effect or is refused for good.
void tallies_apply(struct apply *a, struct topic *topic, const struct item_data *data);
void topic_tallies_leave(struct core *core, struct topic *topic); // the topic is being deleted
// tallies_reclaim frees cells of a deleted topic; true once it has none.
bool tallies_reclaim(struct core *core, struct topic *topic, uint32_t *budget);
void tally_body(const struct tally *tally, struct buf *out);
bool tally_load(struct core *core, struct bytes body);
void core_tallies_fini(struct core *core);

// ---- core.c

void facts_slot_add(struct core_facts *facts, struct partition *p, uint64_t appended_bytes);
void facts_object_add(struct core_facts *facts, uint64_t object);

// ---- topics.c

enum err topic_create_apply(struct apply *a, const struct item_topic_create *item);
enum err topic_delete_apply(struct apply *a, const struct item_topic_delete *item);
enum err partitions_add_apply(struct apply *a, const struct item_partitions_add *item);
// topic_new makes a topic without partitions and puts it into the maps, not into name order.
struct topic *topic_new(struct core *core, struct uuid id, struct str name);
void topics_sort(struct core *core);
// topic_partitions_add makes partitions up to count, in slots of their own.
void topic_partitions_add(struct core *core, struct topic *topic, int32_t count);
void topic_free(struct topic *topic);
// topics_reclaim gives back a bounded amount of the memory of deleted topics, and takes it off the budget.
void topics_reclaim(struct apply *a, uint32_t *budget);
// partition_get: ERR_UNKNOWN_TOPIC_ID, ERR_UNKNOWN_PARTITION.
enum err partition_get(const struct core *core, struct uuid topic_id, int32_t index, struct partition **ret);

// ---- letters.c

// governing_check: these configs may become those of a topic of this name. ERR_STALE: a topic that takes its
// dead letters is not there; ERR_INVALID_CONFIG: one is, or this one, is governed and takes dead letters.
enum err governing_check(const struct core *core, struct str name, const struct item_config *configs,
                         uint32_t count);
// governing_refresh reads the topic's configs again; governing_leave forgets what they said.
void governing_refresh(struct core *core, struct topic *topic);
void governing_leave(struct core *core, struct topic *topic);

// ---- transactions.c

struct txn *txn_new(struct core *core, struct str id, int64_t producer_id);
void txn_free(struct core *core, struct txn *txn);
void txn_producer_set(struct core *core, struct txn *txn, int64_t producer_id);
// txn_texts_fit: there is room for names that have so many bytes and costs.
bool txn_texts_fit(const struct core *core, uint64_t more);
// txn_clear forgets the partitions and groups of the open transaction.
void txn_clear(struct core *core, struct txn *txn);
struct txn_partition *txn_partition_find(const struct core *core, const struct txn *txn,
                                         const struct partition *p);
struct txn_partition *txn_partition_add(struct core *core, struct txn *txn, struct partition *p);
void txn_partition_begin(struct txn_partition *tp, int64_t first_offset);
struct txn_group *txn_group_find(const struct txn *txn, struct str id);
struct txn_group *txn_group_add(struct core *core, struct txn *txn, struct str id);
void txn_offset_set(struct core *core, struct txn_group *tg, const struct item_offset *from);
// topic_txns_leave takes a topic that is about to be deleted out of all open transactions.
void topic_txns_leave(struct core *core, struct topic *topic);
void partition_aborted_add(struct core *core, struct partition *p, const struct aborted_view *aborted);
// partition_aborted_trim forgets those whose markers lie below `before`.
void partition_aborted_trim(struct partition *p, int64_t before);
void core_txns_fini(struct core *core);

// ---- txn_apply.c

enum err txn_init_apply(struct apply *a, const struct item_txn_init *item, struct outcome *ret);
enum err txn_add_apply(struct apply *a, const struct item_txn_add *item);
enum err txn_offsets_apply(struct apply *a, const struct item_txn_offsets *item);
enum err txn_end_apply(struct apply *a, const struct item_txn_end *item, struct outcome *ret);
// txn_judge fences a batch by its transactional id's epoch; *ret_txn: the batch is in its transaction.
enum err txn_judge(const struct core *core, const struct item_data *item, struct txn **ret_txn);
// txn_judge_member: the open transaction has the partition, or the batch brings it.
enum err txn_judge_member(const struct core *core, const struct partition *p, const struct item_data *item,
                          const struct txn *txn);
void txn_append(struct apply *a, struct txn *txn, struct partition *p, int64_t base_offset);
void txns_tick(struct apply *a);
int64_t txns_deadline_ms(const struct core *core); // walks all ids

// ---- record_txn.c

void txn_body(const struct txn *txn, struct buf *out);
bool txn_load(struct core *core, struct bytes body);
void aborted_body(const struct partition *p, struct buf *out);
bool aborted_load(struct core *core, struct bytes body);

// ---- partitions.c

void data_apply(struct apply *a, const struct item *item, struct outcome *ret);
enum err trim_apply(struct apply *a, const struct item_trim *item, struct outcome *ret);
void epoch_raise_apply(struct apply *a);
// txn_joins: a batch of this transaction would make the partition part of it.
bool txn_joins(const struct core *core, const struct txn *txn, const struct partition *p);
// txn_is_earlier: the partition is part of this transaction, which is open, and the offset lies before what
// it wrote there.
bool txn_is_earlier(const struct core *core, const struct txn *txn, const struct partition *p,
                    int64_t offset);
struct partition *partition_new(struct core *core, struct topic *topic, int32_t index);
// partition_free needs a partition without extents and producers, or a core that is being destroyed.
void partition_free(struct core *core, struct partition *p);

// ---- extents.c

enum err replace_apply(struct apply *a, const struct item_replace *item);
void extents_append(struct core *core, struct partition *p, const struct extent *extent);
// extents_drop_front removes the oldest `count` extents; facts may be NULL.
void extents_drop_front(struct core *core, struct partition *p, uint32_t count, struct core_facts *facts);
struct extent *extent_last(struct partition *p); // NULL if there is none
void core_objects_fini(struct core *core);

// ---- producers.c

// producer_judge compares a batch with what is known of its producer (NULL: nothing). ERR_OK with
// *ret_duplicate set or NULL.
enum err producer_judge(const struct producer *producer, const struct item_data *item,
                        const struct producer_batch **ret_duplicate);
struct producer *producer_find(const struct core *core, const struct partition *p, int64_t producer_id);
void producer_append(struct core *core, struct partition *p, struct producer *producer,
                     const struct item_data *item, int64_t base_offset);
struct producer *producer_new(struct core *core, struct partition *p, int64_t producer_id);
void producer_remove(struct core *core, struct producer *producer);
void producers_tick(struct core *core);
int64_t producers_deadline_ms(const struct core *core);

// ---- groups.c

enum err group_set_apply(struct apply *a, const struct item_group_set *item);
enum err group_delete_apply(struct apply *a, const struct item_group_delete *item);
// group_new makes an empty group and puts it into the map, not into id order.
struct group *group_new(struct core *core, struct str id);
void group_place(struct core *core, struct group *group); // the one just made
void groups_sort(struct core *core);
const struct item_member *group_member_find(const struct group *group, struct str member_id);
// roster_make copies; false (and nothing made) if a member id is empty or not unique.
bool roster_make(const struct item_group_set *item, struct roster *ret);
// group_roster_take gives the group its membership.
void group_roster_take(struct core *core, struct group *group, struct roster *take_roster);
void groups_reclaim(struct core *core, uint32_t *budget); // as topics_reclaim
void core_groups_fini(struct core *core);                 // the pages have gone before

// ---- consumers.c

enum err consumer_set_apply(struct apply *a, const struct item_consumer_set *item);
// consumer_entry_set makes the member, or takes over the parts that are given.
void consumer_entry_set(struct core *core, struct consumer_roster *roster,
                        const struct item_consumer_member *member);
const struct item_consumer_member *consumer_member_find(const struct group *group, struct str member_id);
struct consumer_roster *consumer_roster_new(struct core *core, struct bytes state, uint64_t revision);
// group_consumer_drop: the group is of the classic protocol from now on.
void group_consumer_drop(struct core *core, struct group *group);
bool group_is_populated(const struct group *group); // of either protocol

// offsets_fit: there is room for so many offsets more, committed and pending ones together, and for so many
// bytes of their metadata.
bool offsets_fit(const struct core *core, uint64_t more, uint64_t more_text);
// ---- offsets.c

// offset_commit_check judges the member and its generation; offset_commit_one stores one position of a group
// that may be new.
enum err offset_commit_check(const struct group *group, const struct item_offset_commit *item);
void offset_commit_one(struct core *core, struct str group_id, const struct item_offset *offset);
enum err offset_commit_apply(struct apply *a, const struct item_offset_commit *item);
enum err offset_delete_apply(struct apply *a, const struct item_offset_delete *item);
struct offset_page *offset_page_find(const struct group *group, const struct topic *topic, int32_t number);
struct offset_page *offset_page_new(struct core *core, struct group *group, struct topic *topic,
                                    int32_t number);
// offset_page_free returns how many things it freed, for the budget.
uint32_t offset_page_free(struct core *core, struct offset_page *page);
bool offset_page_is_dead(const struct offset_page *page);
// offset_entry_set writes one entry, which the page may have already.
void offset_entry_set(struct core *core, struct offset_page *page, const struct offset_entry *values,
                      struct str metadata);
void topic_offsets_leave(struct core *core, struct topic *topic); // the topic is being deleted
void core_offsets_fini(struct core *core);

// ---- quotas.c

enum err quota_set_apply(struct apply *a, const struct item_quota_set *item);
// quota_new copies, and puts the entity last in the list and nowhere else.
struct quota *quota_new(struct core *core, const struct item_quota_set *item, uint64_t revision);
bool quota_set_is_sound(const struct item_quota_set *item);
// quota_append is for loading: quotas_sort puts what it added into order. False if an entity is there twice.
void quota_append(struct core *core, struct quota *quota);
bool quotas_sort(struct core *core);
void core_quotas_fini(struct core *core);

// ---- configs.c

enum err config_set_apply(struct apply *a, const struct item_config_set *item);
// config_set_replace copies and sorts; false (and no change) if a key occurs twice.
bool config_set_replace(struct config_set *set, const struct item_config *configs, uint32_t count);
void config_set_fini(struct config_set *set);
// text_copy writes the text at *at, moves on, and returns the copy.
struct str text_copy(char **at, struct str text);
void limits_refresh(struct core *core);

// ---- snapshot.c

// The touches save an object for the running cut; call before every change.
void topic_touch(struct core *core, struct topic *topic);
void partition_touch(struct core *core, struct partition *p);
void producer_touch(struct core *core, struct producer *producer);
void group_touch(struct core *core, struct group *group);
void offset_page_touch(struct core *core, struct offset_page *page);
void quota_touch(struct core *core, struct quota *quota);
void txn_touch(struct core *core, struct txn *txn);
void document_touch(struct core *core, struct document *document);
void tally_touch(struct core *core, struct tally *tally);
void cut_txn_leaving(struct core *core, struct txn *txn);
// The cut_..._leaving functions keep the cut's place when an object leaves the list that it walks.
void cut_group_leaving(struct core *core, struct group *group);
void cut_offset_page_leaving(struct core *core, struct offset_page *page);
void cut_quota_leaving(struct core *core, struct quota *quota);
void cut_tally_leaving(struct core *core, struct tally *tally);
// cut_producer_leaving keeps the cut's place when a producer leaves the LRU list or moves in it.
void cut_producer_leaving(struct core *core, struct producer *producer);
uint64_t record_hash(uint8_t kind, struct bytes body);

// ---- record_group.c: bodies of snapshot records

void group_body(const struct group *group, struct buf *out);
void offset_page_body(const struct offset_page *page, struct buf *out);
void quota_body(const struct quota *quota, struct buf *out);
bool group_load(struct core *core, struct bytes body);
void consumer_body(const struct group *group, struct buf *out);
bool consumer_load(struct core *core, struct bytes body);
bool offset_page_load(struct core *core, struct bytes body);
bool quota_load(struct core *core, struct bytes body);
extern const char snapshot_magic[8];

#endif
