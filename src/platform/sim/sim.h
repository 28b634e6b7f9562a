// SPDX-License-Identifier: Apache-2.0
// sim.h - a whole world from one seed: clock, scheduler, disks, network and the processes that live in it.
//
// A world runs on one OS thread. Each simulated process gets its own struct env, fibers for threads, and a
// heap that is dropped with it. The same seed and the same calls give the same run, step for step
// (sim_world_hash). Processes are started and faults are set either between calls of sim_world_run or from
// inside the world, by another process or by an event (sim_world_at). Programs in the world use only
// platform/env.h and mem_*.
//
// Linking this library replaces the allocator behind mem_* for the whole program (base/mem.h).
#ifndef PLATFORM_SIM_SIM_H
#define PLATFORM_SIM_SIM_H

#include <stdio.h>

#include "platform/env.h"

struct sim_world;
struct sim_process;
struct sim_disk;

// ---- world

struct sim_world *sim_world_create(uint64_t seed);
// sim_world_destroy drops every process, disk and socket in it.
void sim_world_destroy(struct sim_world *take_world);

// How fibers are scheduled, beyond the fair choice at every verb. Zeroed: none of it.
struct sim_schedule {
    int64_t step_ns;            // virtual time that each step costs; 0: time moves only when all fibers wait
    unsigned pause_permille;    // at a scheduling point the fiber is taken off the processor for a while
    int64_t pause_ns_max;       //
    unsigned spurious_permille; // cond_wait returns without a signal
    unsigned lock_switch_permille; // mutex_lock lets another fiber run first
};
void sim_world_set_schedule(struct sim_world *world, const struct sim_schedule *schedule);

enum sim_stop {
    SIM_DONE,     // every process has ended and no call of sim_world_at is due
    SIM_UNTIL,    // `until` said so
    SIM_TIME,     // until_ns is reached (the clock stands at it)
    SIM_STEPS,    // the step budget is used up
    SIM_DEADLOCK, // live fibers, all waiting, and no event to come; sim_world_print says who waits for what
};
struct sim_limits {
    int64_t until_ns;         // virtual time (sim_world_now_ns); 0 = none
    uint64_t steps_max;       // steps in this call; 0 = none
    bool (*until)(void *arg); // asked before every step; NULL = none
    void *arg;
};
// sim_world_run runs steps until a limit (NULL: none) says stop. Not from inside the world.
enum sim_stop sim_world_run(struct sim_world *world, const struct sim_limits *limits);
const char *sim_stop_name(enum sim_stop stop);

uint64_t sim_world_seed(const struct sim_world *world);
int64_t sim_world_now_ns(const struct sim_world *world); // virtual time; starts at one second
uint64_t sim_world_steps(const struct sim_world *world); // scheduling decisions so far
uint64_t sim_world_hash(const struct sim_world *world);  // over every decision and every I/O with its bytes
uint64_t sim_rand(struct sim_world *world, uint64_t bound); // 0..bound-1; bound > 0
bool sim_chance(struct sim_world *world, unsigned permille);
// sim_world_at calls fire once at a virtual time, outside of every process. Dropped with the world.
void sim_world_at(struct sim_world *world, int64_t at_ns, void (*fire)(void *arg), void *arg);

// sim_trace adds a line to the ring of recent events; up to 119 bytes are kept.
void sim_trace(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
// sim_world_print writes the seed, who waits for what, and the last `lines` lines of the trace. A failing
// ASSERT prints this by itself.
void sim_world_print(const struct sim_world *world, FILE *out, size_t lines);

// ---- processes

enum sim_state {
    SIM_RUNNING,
    SIM_EXITED,  // main returned and every thread ended
    SIM_KILLED,  // as by kill -9: the page cache survives, the kernel closes its sockets
    SIM_CRASHED, // power cut: its disk loses what was not synced, peers see resets
};

// sim_process_start makes a process on the host `host` ("10.0.0.1") with a disk (may be NULL) and runs main
// in it. The handle stays valid until the world ends. Restart = start another one with the same disk.
struct sim_process *sim_process_start(struct sim_world *world, const char *name, const char *host,
                                      struct sim_disk *disk, void (*main)(struct env *env, void *arg),
                                      void *arg);
// sim_process_crash cuts the power: every process on the same disk goes with it. All fibers vanish where they
// are and their heap is freed. From inside the process itself it does not return. No-op on one that has
// ended.
void sim_process_crash(struct sim_process *process);
void sim_process_kill(struct sim_process *process); // kill -9
// sim_process_crash_at_io crashes (or kills) at the n-th I/O from the start of the process, counted from 1:
// every disk verb and every send and receive is one.
enum sim_io_point {
    SIM_IO_BEFORE, // nothing of it happened
    SIM_IO_DURING, // a part of a write or sync happened; otherwise like AFTER
    SIM_IO_AFTER,  // it happened, but the caller never learns
};
void sim_process_crash_at_io(struct sim_process *process, uint64_t n, enum sim_io_point point,
                             bool is_power_cut);
uint64_t sim_process_io_count(const struct sim_process *process);

enum sim_state sim_process_state(const struct sim_process *process);
bool sim_process_is_alive(const struct sim_process *process);
// sim_process_wait blocks the calling fiber (of another process) until this one has ended.
void sim_process_wait(struct sim_process *process);
struct env *sim_process_env(struct sim_process *process);
struct sim_process *sim_process_of(struct env *env); // the process that env belongs to
const char *sim_process_name(const struct sim_process *process);

// What a process that exited by itself had not given back.
struct sim_leaks {
    size_t blocks;
    size_t bytes;
    size_t files;
    size_t sockets; // and pollers
};
struct sim_leaks sim_process_leaks(const struct sim_process *process);
size_t sim_process_heap_bytes(const struct sim_process *process); // now held through mem_*

// sim_process_wall_jump moves the wall clock by ms; sim_process_wall_drift lets it gain ppm from now on.
void sim_process_wall_jump(struct sim_process *process, int64_t ms);
void sim_process_wall_drift(struct sim_process *process, int ppm);

// sim_mutex_allow_io exempts a mutex from the rule that none is held across I/O.
void sim_mutex_allow_io(struct mutex *mutex);

// ---- disks: they belong to the world and survive processes

// Chances are per mille and independent. Zeroed: a perfect and immediate disk; only a crash takes what is
// unsynced.
struct sim_faults {
    unsigned short_read;
    unsigned short_write;
    unsigned read_error;
    unsigned write_error; // a prefix may have been written
    unsigned no_space;    // ERR_NO_SPACE although there is room
    unsigned meta_error;  // ERR_IO from open, rename, unlink, mkdir, sync_dir, list
    unsigned sync_error;
    unsigned sync_error_drops; // of the pages of a failed sync: the old content is back at once
    unsigned
        sync_error_keeps; // ... shown as written until the next crash, but never written; the rest is written
    unsigned lost_write;  // per page of a successful sync: acknowledged, never written
    unsigned misdirected_write; // per page of a successful sync: written to another page of the file
    unsigned crash_zero;        // per unsynced sector at a power cut: reads as zeros
    unsigned crash_garbage;     // ... as noise
    int64_t io_ns_max;          // each verb takes 0..io_ns_max
    int64_t sync_ns_max;        // sync and sync_dir: 0..sync_ns_max
    unsigned stall;             // a verb takes up to stall_ns_max
    int64_t stall_ns_max;
};
struct sim_disk *sim_disk_create(struct sim_world *world);
// sim_disk_clone copies contents, what is unsynced, and faults; nothing is locked in the copy. The target may
// be another world.
struct sim_disk *sim_disk_clone(struct sim_world *world, const struct sim_disk *disk);
void sim_disk_set_faults(struct sim_disk *disk, const struct sim_faults *faults);
struct sim_faults sim_disk_faults(const struct sim_disk *disk);
void sim_disk_set_capacity(struct sim_disk *disk, int64_t bytes); // 1 TiB at first
// sim_disk_crash is what a power cut does to it. No process may be using the disk.
void sim_disk_crash(struct sim_disk *disk);
// sim_disk_rot flips one bit at rest, in the cache too; false if the file is not that long.
bool sim_disk_rot(struct sim_disk *disk, struct str path, int64_t position, unsigned bit);
// sim_disk_rot_any flips a random bit of a random non-empty file under a path prefix; false if there is none.
bool sim_disk_rot_any(struct sim_disk *disk, struct str prefix);
// For checkers: what a process would read now. sim_disk_file_size is -1 for a missing file.
int64_t sim_disk_file_size(const struct sim_disk *disk, struct str path);
size_t sim_disk_read(const struct sim_disk *disk, struct str path, int64_t position, void *out, size_t len);

// ---- network: one for the world

// Zeroed: bytes arrive whole after no time.
struct sim_net_faults {
    unsigned small_segment; // per delivery: only 1..32 bytes of what is queued
    unsigned short_send;    // send and send_file take only a part
    unsigned reset;         // per delivery: the connection is reset at some byte
    unsigned refuse;        // per connect
    unsigned accept_error;  // ERR_NO_MEMORY, as if out of descriptors
    unsigned stall;         // per delivery: takes up to stall_ns_max
    int64_t stall_ns_max;
    int64_t delay_ns_min; // per delivery
    int64_t delay_ns_max;
    size_t buffer_bytes; // of each direction of new connections; 0 = 64 KiB; the receive window is as large
};
void sim_net_set_faults(struct sim_world *world, const struct sim_net_faults *faults);
struct sim_net_faults sim_net_faults(const struct sim_world *world);
// sim_net_block holds back everything sent from one host to another until it is allowed again ("*" = any
// host).
void sim_net_block(struct sim_world *world, const char *from_host, const char *to_host);
// sim_net_heal ends blocks, resets, refusals and stalls; delays, segments and short sends stay.
void sim_net_heal(struct sim_world *world);
// sim_sock_shut sends the end of the stream but goes on receiving (half-close), for simulated clients.
void sim_sock_shut(struct sock *sock);

// ---- fault menus drawn from the seed: a quarter of the worlds draw none

struct sim_faults sim_faults_draw(struct sim_world *world);
struct sim_net_faults sim_net_faults_draw(struct sim_world *world);
struct sim_schedule sim_schedule_draw(struct sim_world *world);

#endif
