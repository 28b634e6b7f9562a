// SPDX-License-Identifier: Apache-2.0
// broker.h - what every front calls, and nothing lower: append, read, look up, change. Services never see
// wire structs, so other fronts call the same verbs.
//
// Threads: a front runs on one loop and holds one port per loop. Ops complete exactly once, on the loop of
// their port, never inside the call that started them. The state machine sits behind one lock with short
// sections.
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "broker/policy.h"
#include "codec/codec.h"
#include "core/core.h"
#include "engine/engine.h"
#include "group/group.h"
#include "record/check.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"

struct broker;
struct broker_port;

struct broker_options {
    const struct item_config *static_configs; // every broker setting given at start, sorted by key
    uint32_t static_config_count;
    int32_t node_id;
    struct uuid cluster_id;
    size_t tail_cache_bytes; // at most half of the pool is used
    size_t segment_cache_bytes;
    struct tracer *tracer;              // may be NULL
    struct metrics *metrics;            // required
    struct pool *pool;                  // chunks that carry batches
    const struct broker_policy *policy; // broker/policy.h, copied; NULL: governed topics take nothing
};

// broker_open loads the newest snapshot, replays the log, and brings broker settings in line with
// static_configs. ERR_CORRUPT with a hint where it cannot. An engine that turned read-only still opens: see
// broker_is_read_only.
enum err broker_open(struct env *env, struct engine *engine, const struct broker_options *options,
                     struct broker **ret_broker, struct error *e);
// broker_start starts the WAL thread and the keeper and brings the stored broker settings in line with
// static_configs. broker_stop refuses new work, finishes what is queued, stops them.
enum err broker_start(struct broker *b, struct error *e);
// broker_hold_groups stops the time of groups: the fronts begin to stop, and no member can be heard any more.
void broker_hold_groups(struct broker *b);
void broker_stop(struct broker *b);
void broker_destroy(struct broker *take_broker); // after every port is gone; does not close the engine
bool broker_is_read_only(struct broker *b);

struct broker_port *broker_port_create(struct broker *b, struct loop *loop);
void broker_port_destroy(struct broker_port *take_port); // its ops must have completed
struct loop *broker_port_loop(struct broker_port *port);
struct broker *broker_port_broker(struct broker_port *port);
// broker_port_codec: this loop's decompression contexts.
struct codec_context *broker_port_codec(struct broker_port *port);

int32_t broker_node_id(const struct broker *b);
struct str broker_cluster_id(const struct broker *b); // text form
struct metrics *broker_metrics(const struct broker *b);
struct tracer *broker_tracer(const struct broker *b);
struct env *broker_env(const struct broker *b);
struct pool *broker_pool(const struct broker *b);
struct fetch_sessions *broker_fetch_sessions(const struct broker *b); // broker/fetch_session.h
struct throttles *broker_throttles(const struct broker *b);           // broker/throttle.h

// broker_view_begin takes the lock for reading the core; keep it for microseconds, call nothing else of the
// broker, do no I/O. broker_view_end releases it.
const struct core *broker_view_begin(struct broker *b);
void broker_view_end(struct broker *b);
// broker_setting gives a broker setting's effective value (as set, else default); text lives in the arena.
struct str broker_setting(struct broker *b, struct str name, struct arena *arena);
int64_t broker_setting_i64(struct broker *b, struct str name);
// broker_static_configs: the settings given at start, sorted by key; they live as long as the broker.
const struct item_config *broker_static_configs(const struct broker *b, uint32_t *ret_count);

// broker_keep_topic: from now on this topic takes only what a produce_op with is_keeper appends, and nobody
// changes or deletes it. One topic per broker; a zero id lets it go.
void broker_keep_topic(struct broker *b, struct uuid topic_id);
bool broker_is_kept(struct broker *b, struct str topic_name);

// ---- produce

struct submission { // private to broker/
    struct submission *next;
    const struct item *item;
    struct outcome *outcome;
    struct bytes payload;
    struct chunk *chunk;
    struct change_op *change;
    struct produce_op *produce;
    struct group_submission *group;
    uint32_t follower_count; // the next so many in the queue depend on this one: they share its bundle
    uint32_t depends_on;     // of a follower, in its bundle; 0 = none
    uint32_t payload_position;
    uint32_t slot; // of the partition, of records
    bool is_control;
    bool needs_sync;
};

struct produce_part { // one batch for one partition
    // in
    struct uuid topic_id;  // zero: by name
    struct str topic_name; // not needed with an id
    int32_t partition;
    struct bytes batch;  // inside chunk; header and max timestamp may be rewritten in place
    struct chunk *chunk; // borrowed: the broker takes its own reference
    // out
    enum err err;
    int64_t base_offset; // -1 on error
    int64_t log_append_time_ms;
    int64_t log_start_offset;
    char text[ERROR_TEXT_SIZE];            // "" or the reason
    struct policy_bad_record *bad_records; // in the op's arena
    int32_t bad_record_count;
    // private
    struct item item;
    struct outcome outcome;
    struct submission submission;
    struct batch_header header; // as it is stored, once it was checked
    uint32_t crc_came;          // its checksum before its timestamps were settled
    struct bytes stored;        // what is appended
    struct chunk *own_chunk;    // holds it, if it is not what came
    struct governed *governed;  // while its topic is governed
    uint64_t fingerprint;       // of what its verdict rests on; 0 = the topic is not governed
    uint8_t stage;
    bool is_checked;
    bool is_sliced;  // checked a slice at a time
    bool is_ready;   // judged, and its item made
    bool is_known;   // not judged: an earlier copy was appended, or its producer is fenced
    bool is_counted; // refused: an earlier copy was, and is counted
};
// The batches of one connection are judged and ordered as they came.
struct produce_lane {
    struct list ops; // private
};
void produce_lane_init(struct produce_lane *lane);

struct produce_op {
    // in
    struct broker_port *port;
    struct arena *arena;       // lives until done
    struct produce_lane *lane; // outlives it; NULL: nothing comes before
    struct str client_id;      // for policies; NULL ptr = unknown
    struct str principal;
    struct produce_part *parts;
    uint32_t part_count;
    bool is_zstd_allowed;
    struct str
        transactional_id; // of the request: its transactional batches begin only in that one's transaction
    bool is_keeper;       // of a topic that is kept (broker_keep_topic)
    bool adds_to_txn;     // Produce v12+: a partition joins its batch's transaction (KIP-890)
    void (*done)(struct produce_op *op); // on the port's loop
    // out
    uint64_t letter_bytes; // of dead letters that were appended
    // private
    struct task task;
    uint32_t pending;
    struct broker *broker;
    struct produce_topic *topics;
    struct list in_lane;
    struct list in_ready; // of the port
    uint32_t at;          // the part that is worked on
    size_t checked_bytes; // as they came, at once, since the clock was looked at
    uint32_t governed_count;
    uint8_t state;
    uint8_t tries;
    bool is_resolved;
    bool is_cancelled;
};
// broker_produce checks, judges and appends each part on its own; done when every part has its outcome and
// the appended ones are durable as their topic asks. A part that the topic's contract refuses, or sets aside
// in part, is told so only of the contract that holds where the batch has its place in the order
// (broker/policy.h).
void broker_produce(struct broker *b, struct produce_op *op);
// broker_produce_cancel: the client is gone. What is not ordered yet is not ordered any more: the client may
// have sent it again by another connection, and been told a verdict. done is still called once.
void broker_produce_cancel(struct produce_op *op);

// ---- fetch

// A run of stored batches to be sent: whole batches from `position` on, `length` bytes. Pins its object.
struct fetch_slice {
    struct object *pin;
    uint64_t object;
    int64_t position;
    uint32_t length;
    int32_t leader_epoch;
    int64_t base_offset;   // of the next batch to start; not used when is_final
    uint32_t batch_left;   // bytes left of a batch that began in an earlier piece
    uint32_t marker_flags; // of a marker extent, which lies in no object; 0 = none
    bool is_gap;           // no stored bytes: a control batch at base_offset that closes a gap
    int64_t marker_timestamp;
    bool is_final;
};
struct fetch_part {
    // in
    struct uuid topic_id;
    struct str topic_name; // NULL ptr: by id
    int32_t partition;
    int32_t current_leader_epoch; // -1 = do not check
    int32_t last_fetched_epoch;   // -1 = do not check (KIP-595)
    int64_t offset;
    int32_t bytes_max;
    // out
    enum err err;
    int64_t high_watermark; // -1 on error
    int64_t last_stable_offset;
    int64_t log_start_offset;
    int32_t diverging_epoch; // -1, or the epoch and where it ends
    int64_t diverging_end_offset;
    struct aborted_view *aborted; // with is_read_committed: aborted transactions in what is sent
    uint32_t aborted_count;
    struct fetch_slice *slices;
    uint32_t slice_count;
    uint32_t slice_bytes;
    // private
    uint32_t slice_cap;
    uint32_t aborted_cap;
    int64_t end_offset; // of what is sent
    int64_t
        first_aborted; // when it was planned: the marker of the first aborted transaction known; -1 = none
    uint32_t slot;
    bool is_settled;    // planned to nothing at the end of its log, which has not moved since
    struct list waiter; // in the partition's list while parked
    struct fetch_op *op;
};
struct fetch_op {
    // in
    struct broker_port *port;
    struct fetch_part *parts;
    uint32_t part_count;
    int32_t wait_ms_max;
    int32_t bytes_min;
    int32_t bytes_max;
    bool is_read_committed;
    void (*done)(struct fetch_op *op);
    // private
    struct broker *broker;
    struct task task;
    struct timer timer;
    struct list parked; // in the broker's list while parked
    int64_t deadline_ns;
    uint64_t parked_bytes;
    bool is_parked;
    bool is_cancelled;
    bool is_catalogue_old; // topics changed while it was parked: nothing is settled
};
// broker_fetch answers at once if there are bytes_min bytes, an error, or no time to wait; else it parks on
// the partitions' waiter lists until appends or the deadline complete it. Parts are served in order; the
// first partition with data may exceed the limits by its first batch (KIP-74).
void broker_fetch(struct broker *b, struct fetch_op *op);
// broker_fetch_cancel: the client is gone. done is still called once, soon.
void broker_fetch_cancel(struct broker *b, struct fetch_op *op);
// broker_fetch_release unpins whatever slices were not sent. Call it after done when the response is out.
void broker_fetch_release(struct broker *b, struct fetch_op *op);
void broker_slice_release(struct broker *b, struct fetch_slice *slice);

enum { FETCH_PIECE_BYTES = 256 * 1024 };
// The next bytes of a slice, ready to be sent: either memory (holding one reference on chunk) or a file
// range.
struct fetch_piece {
    struct chunk *chunk; // release with chunk_unref when sent
    const uint8_t *ptr;
    struct file *file; // not NULL: send_file from here
    int64_t position;
    uint32_t length;
};
// broker_slice_next advances the slice by at most FETCH_PIECE_BYTES of memory, or a longer run of a file that
// needs none, patching offsets and epochs where the stored bytes lack them. On an error the connection must
// be closed: the response cannot be completed.
enum err broker_slice_next(struct broker *b, struct fetch_slice *slice, struct fetch_piece *ret,
                           struct error *e);

// ---- look-ups in the log (these read records; they block on the disk where memory does not hold them)

enum { // ListOffsets specials
    OFFSET_LATEST = -1,
    OFFSET_EARLIEST = -2,
    OFFSET_MAX_TIMESTAMP = -3,
    OFFSET_EARLIEST_LOCAL = -4,
    OFFSET_LATEST_TIERED = -5,
    OFFSET_EARLIEST_PENDING_UPLOAD = -6,
};
struct offset_query {
    struct str topic_name;
    int32_t partition;
    int32_t current_leader_epoch;
    int64_t timestamp; // >= 0 or a special
    bool is_read_committed;
    // out
    enum err err;
    int64_t offset; // -1 = none
    int64_t found_timestamp;
    int32_t leader_epoch;
};
void broker_list_offset(struct broker_port *port, struct offset_query *query);

struct epoch_query {
    struct str topic_name;
    int32_t partition;
    int32_t current_leader_epoch;
    int32_t leader_epoch;
    enum err err; // out
    int32_t found_epoch;
    int64_t end_offset;
};
void broker_epoch_end(struct broker *b, struct epoch_query *query);

// ---- changes: plan (pure, under the lock), submit, done

// A set of control items ordered together with nothing in between; each has its own outcome.
struct change_op {
    // in
    struct broker_port *port; // where done is called
    struct item *items;       // with all they point to: live until done
    uint32_t item_count;
    void (*done)(struct change_op *op);
    // out
    struct outcome *outcomes; // caller's memory, item_count entries
    // private
    struct task task;
    struct submission *submissions; // caller's memory, item_count entries
    uint32_t pending;
};
// broker_change: an item that half a file of the log could not hold gets ERR_BATCH_TOO_LARGE, the others go
// on. One whose depends_on is not 0 depends on the item before it, which depends on none: if that does not
// take effect, or cannot be ordered, it is ERR_STALE, or has the same error.
void broker_change(struct broker *b, struct change_op *op);
// broker_change_wait submits and waits (not on a loop's thread: start-up, keeper, tests).
enum err broker_change_wait(struct broker *b, const struct item *item, struct outcome *ret_outcome,
                            struct error *e);
// broker_change_wait_all does it for several; fails only for what concerns all of them, each outcome says its
// own.
enum err broker_change_wait_all(struct broker *b, const struct item *items, uint32_t count,
                                struct outcome *ret_outcomes, struct error *e);

// broker_topic_name_check says in Kafka's words what is wrong with a name.
enum err broker_topic_name_check(struct str name, struct error *e);
struct topic_spec {
    struct str name;
    int32_t partition_count;    // -1 = num.partitions
    int32_t replication_factor; // -1 = default; more than one is accepted: one machine holds it all
    const struct item_config *configs;
    uint32_t config_count;
    const int32_t *assigned_partitions; // manual assignment's partition ids, or NULL
    uint32_t assigned_count;
};
// The planners refuse with the code and words Kafka uses; *ret_item lives in the arena. An outcome ERR_STALE
// means that the state changed in between: plan again, at most BROKER_PLAN_TRIES times.
enum { BROKER_PLAN_TRIES = 3 };
enum err broker_plan_topic(struct broker *b, const struct topic_spec *spec, struct arena *arena,
                           struct item *ret_item, struct error *e);
enum err broker_plan_topic_delete(struct broker *b, struct str name, struct uuid id, struct item *ret_item,
                                  struct error *e);
// broker_plan_letters plans the topics for dead letters that a planned TOPIC_CREATE or CONFIG_SET names and
// that are not there: to be submitted before it, with it. They have as many partitions.
enum err broker_plan_letters(struct broker *b, const struct item *item, struct arena *arena,
                             struct item **ret_creates, uint32_t *ret_count, struct error *e);
// broker_bind asks the policy whether a planned TOPIC_CREATE or CONFIG_SET may govern its topic, before it is
// submitted. false: nobody has to be asked. true: binding->answered is posted to binding->loop, which the
// caller has set; item and binding live until then.
bool broker_bind(struct broker *b, const struct item *item, struct arena *arena,
                 struct policy_binding *binding);
// broker_bound puts a good answer into the planned item: which topics rules name for dead letters. *ret_guard
// is to be submitted before the item, which depends on it: it is stale if what the answer rests on has moved,
// and makes stale what the registry has planned meanwhile without knowing of the binding.
enum err broker_bound(struct broker *b, const struct policy_binding *binding, struct arena *arena,
                      struct item *item, struct item *ret_guard, struct error *e);
// broker_plan_rule_letters plans that a governed topic names these for dead letters, too: *ret_items in the
// arena, first the topics that are not there, then the CONFIG_SET; none if it names them all or its settings
// name another one. ERR_INVALID_CONFIG: one cannot take them.
enum err broker_plan_rule_letters(struct broker *b, struct str topic, const struct str *letters,
                                  uint32_t letter_count, struct arena *arena, struct item **ret_items,
                                  uint32_t *ret_count, struct error *e);
enum err broker_plan_partitions(struct broker *b, struct str name, int32_t count, struct item *ret_item,
                                struct error *e);

enum config_op { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 }; // as in KIP-339
struct config_change {
    struct str key;
    struct str value; // NULL ptr = none
    enum config_op op;
};
// topic_name NULL ptr = the broker. is_whole: replace the whole set (AlterConfigs), ops ignored.
enum err broker_plan_configs(struct broker *b, struct str topic_name, const struct config_change *changes,
                             uint32_t change_count, bool is_whole, struct arena *arena, struct item *ret_item,
                             struct error *e);
struct quota_change {
    struct str key;
    double value;
    bool is_removed;
};
// parts: sorted by type; with the item's values they live in the caller's memory and the arena.
enum err broker_plan_quotas(struct broker *b, struct item_quota_part *parts, uint32_t part_count,
                            const struct quota_change *changes, uint32_t change_count, struct arena *arena,
                            struct item *ret_item, struct error *e);
// offset -1 = high watermark. ERR_OFFSET_OUT_OF_RANGE past it.
enum err broker_plan_trim(struct broker *b, struct str topic_name, int32_t partition, int64_t offset,
                          struct item *ret_item, struct error *e);

// ---- groups (group/group.h says what the fields mean)

struct group_op {
    struct broker_port *port;
    void (*done)(struct group_op *op); // on the port's loop
    struct task task;                  // private
};
struct group_join_op {
    struct group_op op;
    struct group_join join; // but call and fresh_id
};
struct group_sync_op {
    struct group_op op;
    struct group_sync sync; // but call
};
struct group_beat_op {
    struct group_op op;
    struct group_beat beat; // but call and fresh_id
};
void broker_group_beat(struct broker *b, struct group_beat_op *op);
void broker_group_beat_cancel(struct broker *b, struct group_beat_op *op);
// Between these coordinator and core may be looked at; groups are taken up for it.
struct coordinator *broker_consumers_begin(struct broker *b, const struct core **ret_core,
                                           int64_t *ret_now_ms);
void broker_consumers_end(struct broker_port *port);
void broker_group_join(struct broker *b, struct group_join_op *op);
void broker_group_sync(struct broker *b, struct group_sync_op *op);
// The cancels: the client is gone. done is still called once, soon.
void broker_group_join_cancel(struct broker *b, struct group_join_op *op);
void broker_group_sync_cancel(struct broker *b, struct group_sync_op *op);
enum err broker_group_heartbeat(struct broker_port *port, const struct group_member_name *name);
enum err broker_group_leave(struct broker_port *port, struct str group_id, struct str member_id,
                            struct str instance_id);
enum err broker_group_fetch_check(struct broker_port *port, const struct group_member_name *name);
// broker_group_commit_check says whether the member may commit now, and with which generation the item is to
// be made: apply judges again.
enum err broker_group_commit_check(struct broker_port *port, const struct group_member_name *name, bool is_v9,
                                   int32_t *ret_generation);
size_t broker_offset_metadata_max(const struct broker *b); // offset.metadata.max.bytes
// broker_coordinator: for looking only, between broker_view_begin and broker_view_end.
const struct coordinator *broker_coordinator(const struct broker *b);
enum err broker_plan_group_delete(struct broker *b, struct str group_id, struct item *ret_item,
                                  struct error *e);
// broker_group_offsets_deletable: ERR_GROUP_ID_NOT_FOUND, ERR_NON_EMPTY_GROUP (KIP-496).
enum err broker_group_offsets_deletable(struct broker *b, struct str group_id);

// The health of the whole, for /health and `strom` alike.
struct broker_status {
    struct engine_status engine;
    uint64_t lsn;
    uint32_t topic_count;
    uint64_t partition_count;
    uint64_t state_bytes;
    bool is_stopping;
};
void broker_status(struct broker *b, struct broker_status *ret);

#endif
