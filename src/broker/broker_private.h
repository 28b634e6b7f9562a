// SPDX-License-Identifier: Apache-2.0
// broker_private.h - the monitor's insides, shared by the files of broker/ only.
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include "broker/broker.h"
#include "broker/traffic.h"
#include "keeper/keeper.h"
#include "record/recompress.h"

enum {
    BROKER_PORTS_MAX = 64,
    BUNDLE_ITEMS_MAX = 4096,            // bounds one critical section of apply
    META_BYTES_MAX = 64 << 20,          // item frames of one bundle
    INLINE_BYTES_MAX = 64 * 1024,       // a front may sync a bundle of this size itself
    INLINE_SYNC_NS_MAX = 2000000,       // while recent syncs are faster than this
    TAIL_ENTRIES_MAX = 1 << 16,         // batches in the tail cache
    REFUSED_MAX = 1024,                 // remembered refusals of idempotent producers
    DAMAGED_MAX = 1024,                 // remembered rotten places
    RECORDS_COPY_MAX = 256 << 10,       // decompressed records that are copied out of a port's room
    OPEN_SMALL_MAX = 64 << 10,          // larger batches that are opened in slices do not hold these up
    CHECK_AT_ONCE_BYTES = 1 << 20,      // of a batch of a topic without contracts, decompressed
    REPACK_STEP_BYTES = 16 << 10,       // of records, put under another codec until the clock is looked at
    CHECK_LOOK_BYTES = 256 << 10,       // checked at once, until the clock is looked at
    OPENED_BYTES_MAX = 64 << 20,        // of records held, opened or judged: then a port opens no more
    LANE_COMPARES_MAX = 4096,           // parts looked at before an op rather waits for those before it
    FETCH_EXTENTS_MAX = 1024,           // extents of one partition in one response
    BEHIND_DELAY_NS = 50 * 1000 * 1000, // produce waits this long per bundle while the keeper is behind
};

// One appended batch in memory, patched: what readers of the tail get without touching the disk.
struct tail_entry {
    uint64_t object;
    int64_t position;
    uint32_t length;
    uint32_t charge; // bytes counted against the limit
    struct chunk *chunk;
    const uint8_t *ptr;
};
// A ring in (object, position) order, oldest first. Owner: the broker's lock.
struct tail {
    struct tail_entry *ring;
    uint64_t head; // absolute index of the oldest
    uint64_t end;
    size_t bytes;
    size_t limit;
    struct chunk **garbage; // evicted under the lock, released after it
    size_t garbage_count;
    size_t garbage_cap;
};

// A bundle being made: what was taken from the queue, in submission order and in payload order.
struct seal {
    struct submission **subs;
    struct submission **sorted; // those with payload, by (topic id, partition), stable
    uint32_t count;
    uint32_t sorted_count;
    uint32_t cap;
    struct payload_entry *entries;
    struct io_slice *slices;
    struct outcome *outcomes;
    struct buf meta;
    size_t payload_size;
    bool is_control;
    bool needs_sync;
    uint64_t id;
};

// Only a shared engine has one: own bundles that were ordered but not yet delivered by tail.
struct awaiting {
    struct list node;
    uint64_t id;
    struct submission **subs; // payload order is not kept: foreign-written payload is read from the store
    uint32_t count;
};

// The part that is being checked and decompressed in slices.
struct opening {
    struct produce_part *part; // NULL = none
    struct batch_checking checking;
    struct codec_context codec;
    struct buf room; // its records, decompressed: all of them if they are to be judged
};

// The part whose batch is put under another codec, in slices.
struct packing {
    struct produce_part *part; // NULL = none
    struct batch_header header;
    struct batch_recompressing work;
    struct codec_context codec;
    struct buf out;
};

struct broker_port {
    struct broker *broker;
    struct loop *loop;
    struct codec_context codec;
    struct extent *extents; // scratch of one fetch plan: FETCH_EXTENTS_MAX
    struct task kick;       // deferred to the end of the round: commit what the round submitted
    bool is_kick_deferred;
    struct task *completed_first; // under the lock; posted after it
    struct task *completed_last;
    struct list ready; // struct produce_op.in_ready: more is to be judged
    struct task turn;  // takes them up, a slice in each round of the loop
    bool is_turn_posted;
    int64_t slice_round_ns; // the round whose slice ends at slice_until_ns
    int64_t slice_until_ns;
    struct opening openings[2]; // of small batches; of large ones
    size_t opened_bytes;        // of all governed.room
    struct packing packings[2]; // of small batches; of large ones
    uint64_t expanded_bytes;    // of compressed batches checked at once, since the clock was looked at
};

// What one part needs to know of its topic, copied out of the lock.
struct produce_topic {
    struct topic_settings settings;
    uint32_t slot; // TRAFFIC_NO_SLOT: no such partition
    uint64_t config_revision;
    struct str name;    // of a governed topic, in the arena
    struct str letters; // likewise; NULL ptr = it has no topic for dead letters
};

// A part whose topic is governed, from its check to its outcome.
struct letter_part {
    struct item item;
    struct outcome outcome;
    struct submission submission;
};
struct governed {
    struct policy_case c;
    struct produce_op *op;
    struct chunk *records; // where they had to be decompressed: few ...
    struct buf room;       // ... or many
    struct letter_part *letters;
    struct item_target *targets; // of the letters
    uint32_t letter_count;       // that were made, of c.letter_count
    bool is_opened;              // judge was called: settle is due
    bool is_judged;
};

struct waiters {
    struct list parts; // struct fetch_part.waiter
};

// A batch of an idempotent producer that was refused after it had been queued (disk full). Until it comes
// again, later sequences of that producer must not overtake it: a broker without state for the producer would
// accept them.
struct refused {
    int64_t producer_id;
    struct uuid topic_id;
    int32_t partition;
    int32_t base_sequence;
    int16_t producer_epoch;
};

// A refusal that the log has counted (refusals.c).
struct refusal {
    struct uuid topic_id;
    int64_t producer_id; // -1: none
    int32_t partition;
    int32_t base_sequence;
    int32_t offset_span;
    uint32_t crc; // of the batch as it came
    int16_t producer_epoch;
};
enum { REFUSALS_MAX = 4096 };

struct damage {
    uint64_t object;
    int64_t position;
};

struct broker {
    struct env *env;
    struct engine *engine;
    struct tracer *tracer;
    struct metrics *metrics;
    struct pool *pool;
    struct segment_cache *segments;
    struct keeper *keeper;
    struct fetch_sessions *sessions;
    struct throttles *throttles;
    struct broker_policy policy; // judge is NULL without one
    uint64_t quota_serial;       // atomic: the core's, for those without the lock
    bool has_quotas;             // atomic
    struct broker_options options;
    int32_t node_id;
    char cluster_id[UUID_TEXT_SIZE];
    bool is_shared;
    bool is_read_only;
    size_t bundle_bytes_max; // payload and metadata, unless one item alone is larger
    size_t change_bytes_max; // one item of a change

    struct mutex lock; // the monitor: everything below
    struct core *core;
    struct uuid kept_topic; // zero: none
    struct coordinator *coordinator;
    size_t offset_metadata_max;
    int64_t wal_sleeps_until_ms; // INT64_MAX = until it is woken; INT64_MIN while it is awake
    struct core_facts facts;
    struct submission *queue_first;
    struct submission *queue_last;
    size_t queue_bytes;
    uint32_t queue_count;
    uint32_t queue_control_count; // of them is_control
    bool is_ordering;             // somebody is between take and apply
    bool is_stopping;
    bool holds_groups; // no session ends any more
    bool is_started;
    bool is_refusing; // the last bundle of records was refused
    struct cond work; // the WAL thread waits here
    struct cond idle; // stop waits here
    int64_t sync_ns;  // moving average of recent orders
    struct seal seal; // owned by whoever set is_ordering
    struct list awaiting;
    struct tail tail;
    struct waiters *waiters; // by slot
    uint32_t waiter_count;
    struct slot_traffic *slot_traffic; // by slot
    uint32_t slot_traffic_count;
    struct traffic traffic;              // of everything, deleted topics and unknown ones too
    struct list parked;                  // struct fetch_op.parked
    struct refused refused[REFUSED_MAX]; // a ring, oldest overwritten
    uint32_t refused_count;
    uint32_t refused_next;
    struct refusal *refusals; // REFUSALS_MAX; NULL before the first
    struct damage damaged[DAMAGED_MAX];
    uint32_t damaged_count;
    struct broker_port *ports[BROKER_PORTS_MAX];
    uint32_t port_count;

    bool is_keeper_started;
    struct thread *wal_thread;
    struct thread *tail_thread;

    struct metric *bundles;
    struct metric *fetches_parked;
    struct metric_histogram *order_time;
};

// ---- journal.c
// refusals_note remembers a refused batch once it is counted; refusals_has says whether a copy of this one
// is. The lock is held.
void refusals_note(struct broker *b, const struct item_data *data, uint32_t crc);
bool refusals_has(const struct broker *b, const struct item_data *data, uint32_t crc);
// room_check: ERR_OK, or why the item must not stay in memory now. The lock is held.
enum err room_check(const struct broker *b, const struct item *item);
// journal_refused: a batch was not taken for a reason that passes: until it comes again, what its producer
// sent behind it is not taken either. The lock is held.
void journal_refused(struct broker *b, const struct item_data *data);
// journal_push queues a submission; the lock is held.
void journal_push(struct broker *b, struct submission *s);
// journal_kick_later makes the port commit at the end of its loop's round.
void journal_kick_later(struct broker_port *port);
// journal_complete hands a finished task to its port; the lock is held.
void journal_complete(struct broker_port *port, struct task *task);
// journal_unlock releases the lock and then does what waited for that: posts completions, frees evicted
// chunks. own: the port whose loop runs this thread, or NULL.
void journal_unlock(struct broker *b, struct broker_port *own);
enum err journal_deliver(struct broker *b, const struct ordered *o,
                         struct error *e); // replay and foreign bundles
// journal_waiters_reserve makes a waiter list for every slot of the core: after apply, and after a snapshot
// was loaded.
void journal_waiters_reserve(struct broker *b);
// journal_quotas_publish tells of the core's quotas what is looked at without the lock; likewise.
void journal_quotas_publish(struct broker *b);
void journal_start(struct broker *b);
void journal_stop(struct broker *b);
void journal_fini(struct broker *b);

// ---- produce.c
// produce_work goes on with an op whose turn it is.
void produce_work(struct produce_op *op);
void produce_part_fail(struct produce_part *part, enum err err, const char *text);

// ---- verify.c: batches, on the loop of their port, without the lock
// produce_part_check verifies a batch of a topic that nothing governs: at once, as nearly all of them, or in
// slices if it is large or shows to be. MORE has the op's produce_work called again.
enum policy_step produce_part_check(struct produce_op *op, struct produce_part *part,
                                    const struct produce_topic *topic);
// produce_part_open verifies a batch in slices, or only decompresses one that was judged before, and gets one
// of a governed topic ready to be judged.
enum policy_step produce_part_open(struct produce_op *op, struct produce_part *part,
                                   const struct produce_topic *topic);

// ---- judge.c: parts of governed topics, on the loop of their port, without the lock
// governed_open prepares a checked part; its records lie in the batch, or decompressed in the opening's room.
// Without a case afterwards the part has its outcome.
void governed_open(struct produce_op *op, struct produce_part *part, const struct produce_topic *topic,
                   struct opening *opening);
// governed_judge takes the next step; MORE and WAIT have the op's produce_work called again.
enum policy_step governed_judge(struct produce_op *op, struct produce_part *part);
// governed_settle ends the case, if there is one, and gives back what it holds.
void governed_settle(struct produce_op *op, struct produce_part *part, enum policy_end end);
// governed_place finds the partitions of the dead letters and completes their items and the part's; without
// them the part is refused. The lock is held.
void governed_place(struct broker *b, struct produce_part *part);
// governed_tallies gives the item how its records are counted.
void governed_tallies(const struct governed *g, struct item *item);
uint64_t governed_fingerprint(const struct item_data *data);
// judge_has_slice: there is time left for judging in this round of the loop.
bool judge_has_slice(struct broker_port *port);
void judge_room_clear(struct buf *room);
// judge_later has produce_work called in a later slice.
void judge_later(struct produce_op *op);
void judge_port_init(struct broker_port *port);
void judge_port_fini(struct broker_port *port);

// ---- tail.c (the lock is held)
void tail_init(struct tail *t, size_t limit);
void tail_fini(struct tail *t);
// tail_discard releases a chunk reference once the lock is released.
void tail_discard(struct tail *t, struct chunk *take_chunk);
void tail_push(struct tail *t, uint64_t object, int64_t position, struct bytes batch, struct chunk *chunk);
const struct tail_entry *tail_find(const struct tail *t, uint64_t object,
                                   int64_t position); // the batch covering it

// ---- fetch.c (the lock is held)
void fetch_wake(struct broker *b, const struct core_facts *facts);
void fetch_wake_all(struct broker *b);

// ---- read.c: walking stored batches, without the lock
struct batch_walk {
    struct broker *broker;
    struct object *pin;
    struct extent extent;
    int64_t position; // of the batch in `header`
    int64_t base_offset;
    struct batch_header header;
    bool is_from_disk; // `header` is, not from the tail cache
    uint8_t window[16384];
    int64_t window_position;
    size_t window_len;
};
// batch_walk_init stands on the first batch at `place`; batch_walk_next moves on: false in *ret_more at the
// end.
enum err batch_walk_init(struct batch_walk *w, struct broker *b, struct object *pin,
                         const struct extent *extent, const struct segment_place *place, struct error *e);
enum err batch_walk_next(struct batch_walk *w, bool *ret_more, struct error *e);
// batch_walk_skip is batch_walk_next past a batch that is not looked at: in the log the offsets of those
// behind it follow from its header, so that it is checked against its checksum first.
enum err batch_walk_skip(struct batch_walk *w, bool *ret_more, struct error *e);
// batch_walk_seek stands on the batch that contains `offset` (inside the extent).
enum err batch_walk_seek(struct batch_walk *w, struct broker *b, struct object *pin,
                         const struct extent *extent, int64_t offset, struct error *e);
// batch_walk_read copies the current batch, patched, into a chunk.
enum err batch_walk_read(struct batch_walk *w, struct chunk **ret_chunk, struct bytes *ret_batch,
                         struct error *e);
bool broker_is_damaged(const struct broker *b, const struct extent *extent); // the lock is held
void broker_mark_damaged(struct broker *b, uint64_t object, int64_t position);

// ---- groups.c (the lock is held but for init and start)
void groups_init(struct broker *b);
void groups_start(struct broker *b); // after replay
void groups_stop(struct broker *b);
bool groups_tick(struct broker *b);  // false: nothing was due
void groups_sleep(struct broker *b); // the WAL thread waits for work, or for what is due next
void groups_written(struct broker *b, struct group_submission *take_gs);

// ---- exposition.c
// exposition_collect appends the metrics of topics, partitions and groups to a scrape; arg is the broker.
void exposition_collect(void *arg, struct buf *out);
// exposition_groups.c: its part about groups.
void exposition_groups(struct broker *b, struct buf *out);

// ---- plan.c
// kept_check refuses to change a topic that is kept; the lock is held.
enum err kept_check(const struct broker *b, const struct topic *topic, struct error *e);

// ---- plan_letters.c
// plan_binding says whether what takes the topic's dead letters allows these configs.
enum err plan_binding(struct broker *b, struct str name, const struct item_config *configs, uint32_t count,
                      struct error *e);

// ---- plan_configs.c
// plan_configs_is_noop: the planned set equals the stored one.
bool plan_configs_is_noop(struct broker *b, const struct item *item);

#endif
