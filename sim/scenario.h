// SPDX-License-Identifier: Apache-2.0
// scenario.h - one world: what is in it, what goes wrong, and what everybody in it shares. Drawn from the
// seed.
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "checker.h"
#include "platform/sim/sim.h"

enum {
    BROKERS_MAX = 3,
    PRODUCERS_MAX = 4,
    CONSUMERS_MAX = 3,
    TOPICS = 3,
    PARTITIONS_PER_TOPIC = 3,
    PARTITIONS = TOPICS * PARTITIONS_PER_TOPIC,
    BROKER_PORT = 9092,
};

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
    struct sim_faults disk_faults;
    struct sim_net_faults net_faults;
    // brokers
    struct broker_host {
        struct scenario *scenario;
        int index;
        char address[16];
        struct sim_disk *disk;
        struct sim_process *process;
        bool must_stop;   // asks the process to end cleanly
        bool was_refused; // it would not start, saying why (allowed after rot only)
        bool is_held_down;
        uint64_t starts;
        char reason[256];
    } brokers[BROKERS_MAX];
    void *order_store; // of the shared order
    bool rot_happened;
    bool topics_are_ready; // producers wait for it, as real ones wait for metadata
    int active_clients;
    uint64_t state_hash; // of the last clean stop
    uint64_t state_hash_lsn;
    bool has_state_hash;
};

// simulate runs one world; false and the reason on failure.
struct run_options {
    bool is_verbose;
    bool is_shared;
};
bool simulate(uint64_t seed, const struct run_options *options, uint64_t *ret_hash,
              struct checker_counts *ret_counts);

// broker_host.c
void broker_host_start(struct broker_host *host);
// client programs (producer.c, consumer.c, admin.c)
struct client_args {
    struct scenario *scenario;
    int index;
};
void producer_main(struct env *env, void *arg);
void consumer_main(struct env *env, void *arg);
void admin_main(struct env *env, void *arg);
void final_reader_main(struct env *env, void *arg);

#endif
