// SPDX-License-Identifier: Apache-2.0
// checker.h - the history of one world and the invariants it must keep (numbers as in docs/reliability.md):
// I1 nothing acknowledged is lost or altered, I2 one value per offset for ever, I3 offsets dense, high
// watermark and log start never go back, I4 nothing is read that was not sent, I5 idempotent records at most
// once, I6 their order kept, I11 what was definitely refused is never seen, I14 look-ups by time equal a
// scan. Lives outside the simulated processes: plain malloc, no mem_*.
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "base/bytes.h"
#include "platform/sim/sim.h"

enum { CHECKER_PARTITIONS_MAX = 64, CHECKER_PRODUCERS_MAX = 16, CHECKER_PLAIN_PRODUCERS = 4 };

struct checker;
struct checker *checker_create(struct sim_world *world);
void checker_destroy(struct checker *take_checker);
bool checker_has_failed(const struct checker *c);
const char *checker_failure(const struct checker *c); // the first one
void checker_fail(struct checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

// What a partition's topic promises besides keeping everything: -1 = no such limit.
void checker_set_retention(struct checker *c, int partition, int64_t retention_ms, int64_t retention_bytes);
// checker_set_loose: acknowledged records may be lost at the moments that checker_loss_possible names; their
// offsets are given again under a higher leader epoch.
void checker_set_loose(struct checker *c, int partition);
void checker_loss_possible(struct checker *c);
uint64_t checker_losses(const struct checker *c); // such moments so far
// checker_cut: the broker found rot and says that it serves only what precedes it.
void checker_cut(struct checker *c);
bool checker_is_cut(const struct checker *c);

// A record is named by its producer and that producer's running number in the partition.
// checker_sent returns its number. bytes: of the batch, for its first record.
uint64_t checker_sent(struct checker *c, int partition, int producer, uint64_t hash);
void checker_sized(struct checker *c, int partition, int producer, uint64_t number, size_t bytes);
void checker_acked(struct checker *c, int partition, int producer, uint64_t number, uint64_t count,
                   int64_t base_offset);
void checker_refused(struct checker *c, int partition, int producer, uint64_t number, uint64_t count);
struct checker_record {
    int64_t offset;
    int64_t timestamp;
    int32_t leader_epoch;
    int producer; // -1 = its name does not parse
    uint64_t number;
    uint64_t hash;
};
void checker_read(struct checker *c, int partition, const struct checker_record *record);
// watcher: who was told by which broker; answers to two watchers may cross on the way.
void checker_bounds(struct checker *c, int partition, int watcher, int64_t log_start, int64_t high_watermark);
void checker_trim_asked(struct checker *c, int partition, int64_t offset);
int64_t checker_known_end(const struct checker *c, int partition); // one past the last offset known
int64_t checker_offset(const struct checker *c, int partition, int producer,
                       uint64_t number); // -1 = not known
// checker_acked_end: one past the last offset acknowledged before `at_ns`; a broker that answers a later
// request must have it. 0 where nothing is promised.
int64_t checker_acked_end(const struct checker *c, int partition, int64_t at_ns);

// The last pass reads everything once more: begin, checker_read for all, then final. excused: this
// partition's reads may end in an explicit error (rot was injected).
void checker_final_begin(struct checker *c);
void checker_final_partition(struct checker *c, int partition, int64_t log_start, int64_t high_watermark,
                             bool excused);

// checker_scan looks for the first record at or past log_start in the last pass whose timestamp is at least
// `timestamp`, or for the first of the largest timestamp (INT64_MAX); false if there is none.
bool checker_scan(const struct checker *c, int partition, int64_t log_start, int64_t timestamp,
                  int64_t *ret_offset, int64_t *ret_timestamp);

// checker_is_in_final: the last pass found a record there.
bool checker_is_in_final(const struct checker *c, int partition, int64_t offset);

void checker_looked_up(struct checker *c); // and compared
void checker_state_compared(struct checker *c);
struct checker_counts *checker_counting(struct checker *c);
struct checker_counts {
    uint64_t sent;
    uint64_t acked;
    uint64_t read;
    uint64_t states; // compared with what was seen before
    uint64_t lookups;
    uint64_t delivered;     // to the group
    uint64_t commits;       // of one partition's offset, acknowledged
    uint64_t transactions;  // whose end was acknowledged
    uint64_t beats;         // partitions given to members of the consumer protocol
    uint64_t compacted;     // records that scans of the compacted topic did not find any more
    uint64_t stable_reads;  // of records in transactions, given or left out
    uint64_t ruled;         // batches of governed topics that were kept ...
    uint64_t ruled_refused; // ... and that were refused
    uint64_t ruled_letters; // records that were set aside
    uint64_t ruled_tallied; // worlds whose counters were compared
    uint64_t rounds;        // generations that somebody was told its share of
};
struct checker_counts checker_counts(const struct checker *c);

#endif
