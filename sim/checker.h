// SPDX-License-Identifier: Apache-2.0
// checker.h - the history of one world and the invariants it must keep (numbers as in docs/reliability.md):
// I1 nothing acknowledged is lost or altered, I2 one value per offset for ever, I3 offsets dense, high
// watermark and log start never go back, I4 nothing is read that was not sent, I5 idempotent records at most
// once, I6 their order kept, I11 what was definitely refused is never seen. Lives outside the simulated
// processes: plain malloc, no mem_*.
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "base/bytes.h"

enum { CHECKER_PARTITIONS_MAX = 64, CHECKER_PRODUCERS_MAX = 16 };

struct checker;
struct checker *checker_create(void);
void checker_destroy(struct checker *take_checker);
bool checker_has_failed(const struct checker *c);
const char *checker_failure(const struct checker *c); // the first one
void checker_fail(struct checker *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A record is named by its producer and that producer's running number in the partition.
uint64_t checker_sent(struct checker *c, int partition, int producer, uint64_t hash); // returns its number
void checker_acked(struct checker *c, int partition, int producer, uint64_t number, uint64_t count,
                   int64_t base_offset);
void checker_refused(struct checker *c, int partition, int producer, uint64_t number, uint64_t count);
void checker_read(struct checker *c, int partition, int64_t offset, int producer, uint64_t number,
                  uint64_t hash);
// watcher: who was told by which broker; answers to two watchers may cross on the way.
void checker_bounds(struct checker *c, int partition, int watcher, int64_t log_start, int64_t high_watermark);
void checker_trim_asked(struct checker *c, int partition, int64_t offset);
int64_t checker_known_end(const struct checker *c, int partition); // one past the last offset known

// The last pass reads everything once more: begin, checker_read for all, then final. excused: this
// partition's reads may end in an explicit error (rot was injected).
void checker_final_begin(struct checker *c);
void checker_final_partition(struct checker *c, int partition, int64_t log_start, int64_t high_watermark,
                             bool excused);

struct checker_counts {
    uint64_t sent;
    uint64_t acked;
    uint64_t read;
};
struct checker_counts checker_counts(const struct checker *c);

#endif
