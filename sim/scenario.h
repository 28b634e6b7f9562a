// SPDX-License-Identifier: Apache-2.0
// scenario.h - one world: what is in it, what goes wrong, and what everybody in it shares. Drawn from the
// seed.
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "checker.h"
#include "platform/sim/sim.h"

enum {
    BROKERS_MAX = 3,
    LEDGER_DOCUMENTS = 8,
    PRODUCERS_MAX = CHECKER_PLAIN_PRODUCERS,
    CONSUMERS_MAX = 3,
    MEMBERS_MAX = 4,
    TXN_PRODUCERS_MAX = 3,
    TOPICS = 6,
    PARTITIONS_PER_TOPIC_MAX = 3,
    PARTITIONS = 15,
    BROKER_PORT = 9092,
};

// The topics whose every record is followed. Their partitions are numbered through.
enum topic_kind {
    TOPIC_KEPT,     // for ever, but for DeleteRecords
    TOPIC_RETAINED, // by retention.ms and retention.bytes
    TOPIC_TXN,      // transactions write here, and others too
    TOPIC_LOOSE,    // strom.durability=os: a power cut may take what is not synced
};
struct topic_plan {
    const char *name;
    enum topic_kind kind;
    int first; // partition number
    int count;
};
extern const struct topic_plan topic_plans[TOPICS];
const struct topic_plan *topic_plan_of(int partition);
int topic_partition_number(struct str name, int32_t index); // -1 = none of these

enum phase {
    PHASE_CHAOS, // faults happen
    PHASE_HEAL,  // no new faults; everything must come to an end
    PHASE_FINAL, // the log is read once more
    PHASE_OVER,
};

struct scenario {
    uint64_t seed;
    bool is_verbose;
    bool is_shared; // several brokers over one simulated order
    struct sim_world *world;
    struct checker *checker;
    enum phase phase;
    // drawn
    int broker_count;
    int producer_count;
    int consumer_count;
    int64_t chaos_ns;
    bool is_faultless;
    bool has_crashes;
    bool has_power_cuts;
    bool has_rot;
    bool has_full_disk;
    bool has_trims;
    bool has_sync_errors;
    bool has_clock_jumps;
    bool has_loose_loss; // what strom.durability=os does not promise can happen
    bool has_splits;     // members of the group are cut off, in one direction or both
    bool has_churn;      // the operator is busy
    bool has_recreator;
    bool is_loose_only;   // producers write to the loose topic alone, so that no other sync helps it
    uint64_t records_max; // producers stop when this many were sent
    int record_bytes_max;
    uint64_t pace_ms; // producers take their time
    int member_count; // of the consumer group; 0 = there is none
    int group_broker; // all of them use this one
    int32_t session_ms;
    int32_t rebalance_ms;
    int txn_producer_count; // with transactional ids; 0 = none
    int txn_broker;         // all of them use this one
    bool has_twins;         // two of them have one id
    int beater_count;       // members of a group of the consumer protocol (KIP-848); 0 = there is none
    int beater_must_die;    // its index + 1
    bool beat_is_over;
    bool has_keyed; // there is a compacted topic
    int64_t keyed_delete_retention_ms;
    int64_t keyed_segment_ms;
    int64_t keyed_lag_ms;
    int64_t retention_ms; // of the retained topic; -1 = none
    int64_t retention_bytes;
    struct sim_faults disk_faults;
    struct sim_net_faults net_faults;
    // brokers
    struct broker_host {
        struct scenario *scenario;
        int index;
        char address[32];
        struct sim_disk *disk;
        struct sim_process *process;
        bool must_stop;   // asks the process to end cleanly
        bool was_refused; // it would not start, saying why (allowed after rot only)
        bool is_held_down;
        bool is_serving;   // it has started
        bool is_read_only; // it found rot in what had been acknowledged, and said so
        int crash_streak;  // crashes during recovery, one after the other
        uint64_t starts;
        char reason[256];
    } brokers[BROKERS_MAX];
    void *order_store; // of the shared order
    bool rot_happened;
    bool topics_are_ready; // producers wait for it, as real ones wait for metadata
    int active_clients;
    struct group_history *group;
    struct txn_history *txns;
    struct keyed_history *keyed;
    struct beat_ledger *beats;
    bool has_documents;
    struct document_ledger {
        int64_t serial; // of the last change tried
        int64_t acked[LEDGER_DOCUMENTS];
        int doubted; // the document whose change was not answered; -1 = none
        int64_t doubt;
        int64_t counted;
    } documents;
    bool keyed_is_ready;
    bool has_ruled; // there are governed topics
    bool ruled_is_ready;
    struct ruled_history *ruled;
    int member_must_die;   // its index + 1
    bool group_is_drained; // everything was read and committed
    bool group_is_over;    // its members end
    struct states *states;
    struct catalogue *catalogue;
};

// simulate runs one world; false on failure, with the reason printed and in ret_why.
struct run_options {
    bool is_verbose;
    bool is_shared;
    const char *dump_dir; // gets what a failed world left on the disk of its first broker; may be NULL
};
bool simulate(uint64_t seed, const struct run_options *options, uint64_t *ret_hash,
              struct checker_counts *ret_counts, char ret_why[200]);

// broker_host.c
void broker_host_start(struct broker_host *host);
// documents.c: a thread of the broker's process, until must_stop
struct document_writer {
    struct broker_host *host;
    struct env *env;
    struct broker *broker;
    bool must_stop;
};
void document_writer_main(void *writer);
// chaos.c: what goes wrong, and the end of it
void chaos_draw(struct scenario *s);
void chaos_start(struct scenario *s);
void chaos_restart(struct broker_host *host);
// chaos_after_answer: the group's broker may die in the moment in which it has made a promise.
void chaos_after_answer(struct scenario *s);
void chaos_watch(void *host); // from the start of a broker on: whatever ended it, it comes back
// states.c: the state of the core after each bundle, which must be the same on every broker and after every
// restart (I21)
struct states *states_create(void);
void states_destroy(struct states *take_states);
// states_note fails the world if another state was seen at this LSN.
void states_note(struct scenario *s, uint64_t lsn, uint64_t hash);
void states_forget(struct scenario *s); // bundles may be lost: their LSNs will be given again
// scenario_host gives the address of a client program.
void scenario_host(const char *name, int index, char ret_host[48]);
// scenario_say tells a person who replays the seed what happens.
void scenario_say(struct scenario *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
// scenario_check_calm: something failed; in a world without faults it must not.
void scenario_check_calm(struct scenario *s, const char *what);
// dump.c: for `strom dump`
void dump_disk(const struct sim_disk *disk, const char *dir);
// client programs (producer.c, consumer.c, admin.c)
struct client_args {
    struct scenario *scenario;
    int index;
};
void producer_main(struct env *env, void *arg);
void consumer_main(struct env *env, void *arg);
void admin_main(struct env *env, void *arg);
void recreator_main(struct env *env, void *arg);
void final_reader_main(struct env *env, void *arg);

#endif
